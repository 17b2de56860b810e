/* collect/collect.h: when to sample, where it runs, and what happens when it does not answer.
 *
 * One thread, the sampler, woken once for everything that is due:
 *
 *     wallclock.c was the wall clock set, did the machine sleep?                     (pure)
 *     schedule.c  ticks on the wall clock; late ones are skipped and counted         (pure)
 *     ticker.c    the timer and the bell that wake the thread
 *     tell.c      why a tick was lost, as gaps
 *     host.c      what plugin.h promises to plugins
 *     local.c     families that never block: sampled on the sampler thread itself
 *     link.c      a worker, and what goes to and fro
 *     remote.c    families that may block, and collectors in Lua: asked of a worker process, with a deadline, back-off and
 *                 a list of what hangs
 *     evaluate.c  aggregates that are functions of Lua: asked of one worker
 *     collect.c   the thread: timer, workers and commands in one epoll
 *
 * The thread waits by the monotonic clock, and each time that it wakes it looks at what lies between that and the wall
 * clock. Where the wall clock was set or the machine slept, ticks go on at the new time at once: whatever the size of
 * the jump, it costs one look, one gap, and no sample is made up. (metric/batch.h: `fresh`.)
 *
 * What was sampled in one wake-up is handed to `deliver`, on the sampler thread. */
#ifndef COLLECT_COLLECT_H
#define COLLECT_COLLECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/plan.h"
#include "metric/batch.h"
#include "metric/gap.h"
#include "metric/metric.h"
#include "worker/nursery.h"

/* Where samples go, and where what functions of Lua are shown comes from. Sampler thread. */
struct collect_sink {
	void (*started)(void *context, int64_t since); /* a start of the service, before its first sample: wall clock, ns */
	void (*deliver)(void *context, struct batch *const *batches, size_t count);
	gap_sink *gap; /* each tick that is lost, as (tick - interval, tick], and why */
	void *context;

	/* pindrop.get(): the newest value of "cpu.usage" ("" for `instance`: of a family without, or the only one), NaN is
	 * unknown; -1 with the words: there is no such metric. NULL: nothing is known. */
	int (*get)(void *context, const char *metric, const char *instance, double *value, struct error *error);
	/* What the function of an aggregate is to look at, for free(); and what it has made of it. NULL: none is asked. */
	struct metric_window *(*window)(void *context, size_t aggregate);
	void (*result)(void *context, size_t aggregate, double value, const char *text);
};

struct collect;

/* The worker that samples families which may block; `worker_kind` of collect_new() is its place in the kinds. */
extern const struct worker_kind collect_worker_kind;

/* The worker that runs pindrop.lua, for a collector or for aggregates; `script_kind` is its place. */
extern const struct worker_kind script_worker_kind;

/* Takes over the nursery's use (see nursery.h) until collect_free(); starts the thread, idle. Holds the plan. */
struct collect *collect_new(const struct plan *plan, struct nursery *nursery, size_t worker_kind, size_t script_kind,
                            const struct collect_sink *sink, struct error *error);
void collect_free(struct collect *collect);

/* The configuration was changed: sampling goes on by another plan. Three steps, each done on the sampler's thread when
 * these return; thread of the change.
 *
 *     collect_prepare()  opens the plugins that are new, or have other options, beside those that run. -1 with the words:
 *                        one cannot be opened; nothing has changed
 *     collect_part()     what the new plan does not sample any more, or with other fields, is not sampled from here on
 *     collect_adopt()    calls `between`, while nothing is sampled, in which the other rooms go over to the new plan; then
 *                        plugins that go on (plan_same_plugin) keep their state and their ticks, the others are ended
 *
 * The last two come only after the first, which holds the plan. */
int collect_prepare(struct collect *collect, const struct plan *plan, struct error *error);
void collect_part(struct collect *collect);
void collect_adopt(struct collect *collect, void (*between)(void *context), void *context);

/* Starts and stops sampling; both idempotent, any thread but the sampler's. collect_start() returns when every family
 * has given its first sample, or has failed to, or COLLECT_FIRST_ROUND has passed. -1 with the words: a plugin that
 * runs in the agent cannot be opened or sampled; sampling has then not started. */
#define COLLECT_FIRST_ROUND (250 * CLOCK_MILLISECOND)
int collect_start(struct collect *collect, struct error *error);
void collect_stop(struct collect *collect);

/* What hangs: an instance that a worker entered and did not come back from. */
struct collect_stuck {
	const char *instance;
	int64_t since; /* monotonic, ns */
};

struct collect_family_status {
	const char *name;   /* "disk.io" */
	const char *plugin; /* of which plugin, or, where it is one, collector */
	int64_t interval;   /* ns */
	bool remote;        /* in a worker */
	int64_t last;       /* when its last good sample began: wall clock, ns; 0: none */
	int64_t duration;   /* of the last sample, ns */
	uint64_t samples;   /* good ones since the agent started */
	int64_t quiet;      /* since its last good sample, or the start; 0 while stopped: monotonic, ns */
	uint64_t missed;    /* ticks that were skipped; those that a set clock, or sleep, jumped over never were */
	uint64_t errors;    /* samples that failed */
	const char *error;  /* of the last sample; NULL when it went well */
	size_t stuck_count;
	const struct collect_stuck *stuck;
};

struct collect_status {
	bool running;
	int64_t since; /* when it started or stopped: wall clock, ns */
	size_t family_count;
	const struct collect_family_status *families; /* in the plan's order */
};

/* An aggregate that a function of Lua makes, or puts into words. */
struct collect_answer {
	const char *name;
	uint64_t errors;   /* times that it had no answer, since the agent started or its configuration was changed */
	const char *error; /* of the last time; NULL when it went well */
};

struct collect_answers {
	size_t count;
	const struct collect_answer *answers; /* in the order of the file */
};

/* Copies, each one block for free(). Any thread. */
struct collect_answers *collect_answers(struct collect *collect) __attribute__((warn_unused_result));
struct collect_status *collect_status(struct collect *collect) __attribute__((warn_unused_result));

#endif
