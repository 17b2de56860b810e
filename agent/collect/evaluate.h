/* collect/evaluate.h: aggregates that a function of Lua makes, or puts into words: asked of one worker. Sampler thread.
 *
 *     evaluate_sampled()   its family has a new sample: it is due
 *     evaluate_expire()    -> setup, window     ->  worker: the function
 *     evaluate_readable()  <- a value, or words <-
 *
 * One is asked at a time, each at most once a second, or once per sample. The sampler never waits for an answer, and the
 * last one stands until the next. One that fails, hangs or crashes has none, and is left alone for a time that doubles;
 * the worker is replaced where it must be, and the others go on. */
#ifndef COLLECT_EVALUATE_H
#define COLLECT_EVALUATE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "collect/collect.h"
#include "config/plan.h"
#include "worker/nursery.h"

struct evaluate;

/* Told after each answer: why there is none, or NULL where it went well. */
typedef void evaluate_noted(void *context, size_t aggregate, const char *words);

/* `epoll` is told of the worker's socket, with the evaluate itself as its data pointer. The plan and the sink outlive it.
 * Of the sink, `window`, `result` and `get` are used; without a window (NULL) nothing is asked. */
struct evaluate *evaluate_new(const struct plan *plan, struct nursery *nursery, size_t worker_kind, int epoll,
                              const struct collect_sink *sink, evaluate_noted *noted, void *context);
void evaluate_free(struct evaluate *evaluate);

/* Another plan: nobody is left alone any more. The worker stays where it runs the same Lua. The plan of before is not
 * looked at any more. */
void evaluate_adopt(struct evaluate *evaluate, const struct plan *plan);

/* A family has a new sample, `tick` as in its batch. */
void evaluate_sampled(struct evaluate *evaluate, size_t family, int64_t tick);

/* Ends the worker; what is due is forgotten. */
void evaluate_stop(struct evaluate *evaluate);

/* The worker's socket is readable, writable or closed. */
void evaluate_readable(struct evaluate *evaluate);

/* The nursery has told of a worker that is there, or is not; perhaps ours. */
void evaluate_started(struct evaluate *evaluate, const struct nursery_notice *notice);

/* A process has ended, perhaps ours. */
void evaluate_exited(struct evaluate *evaluate, pid_t pid, int status);

/* When evaluate_expire() is to be called: monotonic, ns; INT64_MAX: never. It asks for what is due, and ends a worker that
 * does not answer. */
int64_t evaluate_deadline(const struct evaluate *evaluate);
void evaluate_expire(struct evaluate *evaluate);

#endif
