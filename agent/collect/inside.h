/* collect/inside.h: what the files behind collect.h show each other: the sampler's own view of what it samples.
 *
 *     collect.c   the thread, its commands, and what other threads are told
 *     change.c    another plan in place of the one of now
 *     answers.c   what became of aggregates that were asked for
 *
 * Everything belongs to the sampler's thread, but for what says `lock`. */
#ifndef COLLECT_INSIDE_H
#define COLLECT_INSIDE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collect/collect.h"
#include "collect/evaluate.h"
#include "collect/local.h"
#include "collect/remote.h"
#include "collect/schedule.h"
#include "collect/tell.h"
#include "collect/ticker.h"
#include "collect/wallclock.h"

/* What another thread asks of the sampler's. It belongs to who asks, and waits. */
struct order {
	enum { START, STOP, PREPARE, PART, ADOPT, END } command;
	const struct plan *plan;        /* of PREPARE */
	void (*between)(void *context); /* of ADOPT */
	void *context;
	/* lock: the answer */
	bool done;
	int failed;
	struct error error; /* of START and PREPARE */
};

/* One plugin of the plan. */
struct runner {
	const struct plan_plugin *plugin;
	struct schedule schedule;
	int64_t tick;          /* that is being sampled; 0: none */
	bool has_local;        /* it has a family that never blocks */
	struct local *local;   /* NULL: it is not open */
	struct remote *remote; /* NULL: it has no family that may block */
};

/* One family of the plan. */
struct family {
	size_t runner;
	struct batch batch;                  /* of a local family */
	int64_t broken;                      /* the first tick of a new row that has yet to come, or 0 */
	bool parted;                         /* the plan that comes does not have it: it is not sampled any more */
	int64_t heard;                       /* lock; when its last good sample began: monotonic, ns */
	bool first;                          /* lock: its first sample since the start has not been told */
	struct collect_family_status status; /* lock; `error` and `stuck` are its own; names are the plan's */
};

/* One aggregate of the plan, where it is asked for. */
struct answer {
	uint64_t errors; /* lock */
	char *error;     /* lock */
};

/* All that follows from a plan. */
struct lineup {
	const struct plan *plan;  /* held */
	int64_t interval;         /* the shortest, ns */
	struct runner *runners;   /* by plugin of the plan */
	struct family *families;  /* by family of the plan */
	struct batch **round;     /* room for what is sampled in one wake-up */
	uint64_t *stuck_versions; /* by runner */
	struct answer *answers;   /* by aggregate of the plan */
};

struct collect {
	struct nursery *nursery;
	size_t worker_kind, script_kind;
	struct collect_sink sink;
	struct tell tell;
	int epoll, wake;
	struct ticker ticker;
	struct wallclock clock;
	pthread_t thread;
	struct lineup now; /* changes with the lock held */
	size_t round_count;
	bool orphaned;   /* the nursery has died */
	int64_t stopped; /* up to when stopped sampling has been told: wall clock, ns; 0: it was not stopped */
	struct change *change;
	struct evaluate *evaluate;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct order *order; /* NULL: there is none */
	bool running;
	int64_t since;      /* wall clock, ns */
	int64_t started;    /* monotonic, ns */
	size_t first_count; /* families whose first sample is awaited */
};

/* --- collect.c ------------------------------------------------------------------------------------------------- */

/* A lineup in which nothing is open. Holds the plan. lineup_release() closes what is open, and frees all. */
struct lineup lineup_make(struct collect *collect, const struct plan *plan);
void lineup_release(struct lineup *lineup);
void family_forget_stuck(struct family *family); /* lock */

/* Samples a family that never blocks, into the round, or asks a worker for one that may. `tick` 0: now, off a tick. -1
 * with the words: there is no sample. */
int sample_family(struct collect *collect, size_t family, int64_t tick, struct error *error);
void ask_family(struct collect *collect, size_t family, int64_t tick);
void deliver_round(struct collect *collect);
void set_ticker(struct collect *collect);
void look_at_clock(struct collect *collect);

/* --- change.c -------------------------------------------------------------------------------------------------- */

int change_prepare(struct collect *collect, const struct plan *plan, struct error *error);
void change_part(struct collect *collect);
void change_forget(struct collect *collect); /* what was prepared, if anything */
void change_adopt(struct collect *collect, void (*between)(void *context), void *context);

/* --- answers.c ------------------------------------------------------------------------------------------------- */

void note_answer(void *context, size_t aggregate, const char *words); /* an evaluate_noted */
void answers_release(struct lineup *lineup);

/* Copies a text, which may be NULL, to *end within a block, and moves that on. */
const char *copy_text(const char *text, char **end);

#endif
