/* life/life.h: the agent from its start to its end: the only room, beside main.c, that knows all others.
 *
 *     read.c        the file, run in a worker and checked: the plan of a start, and those of later saves
 *     up.c          the rooms, brought up in the order of the house and down in reverse; the way of a sample
 *     remember.c    what windows and catalogue get back from the store
 *     difference.c  what another plan changes, in words
 *     change.c      a plan takes the place of another
 *     absent.c      what is not in the configuration any more
 *     life.c        waiting: for signals, and for the file to be saved
 *
 * A sample's way: collect -> deliver() -> store -> kept() -> metric. Main thread. */
#ifndef LIFE_LIFE_H
#define LIFE_LIFE_H

#include <signal.h>

#include "config/loader.h"
#include "config/plan.h"
#include "config/standing.h"
#include "worker/nursery.h"

/* What a worker may be: the places of worker_kinds. */
enum worker_place { WORKER_CONFIG, WORKER_COLLECT, WORKER_SCRIPT, WORKER_KINDS };
extern const struct worker_kind *const worker_kinds[WORKER_KINDS];

/* Where plans come from. */
struct source {
	const char *file;
	struct loader *loader;
	struct nursery *nursery;  /* of who reads the file: one thread at a time */
	struct text_list refused; /* by the last read: a line for each plugin that was left out */
};

/* Runs the file and checks what it declares, also whether its files can fit. NULL with at least one mistake told. */
const struct plan *source_read(struct source *source, struct text_list *mistakes);

/* The same without a look at what lies in the data folder. */
const struct plan *source_read_only(struct source *source, struct text_list *mistakes);

/* Lives by `plan`, which it takes over, and by those that come after it, until a signal ends it. `signals` are blocked in
 * every thread: SIGTERM, SIGINT, SIGHUP, SIGUSR1. `sampler` is the nursery of the sampler's thread. 0, or -1 with the
 * words. */
int life_run(struct source *source, const struct plan *plan, struct nursery *sampler, const sigset_t *signals,
             struct error *error);

#endif
