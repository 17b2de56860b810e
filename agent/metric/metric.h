/* metric/metric.h: what exists, what it is now, and the windows that aggregates look through.
 *
 * A sample comes in two steps, which may be those of two threads: metric_intern() says what its rows are about, and
 * metric_publish(), once the sample is safe, makes it visible. Every batch that is interned is published once, in the
 * same order. Any thread reads through a snapshot. One lock, held for moments; nothing is called with it held, so that
 * whoever calls may hold locks of his own.
 *
 * An instance stays until it is forgotten (metric_forget), which none is that a batch on its way refers to. A snapshot
 * keeps what it points to. */
#ifndef METRIC_METRIC_H
#define METRIC_METRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/plan.h"
#include "metric/batch.h"
#include "metric/gap.h"

/* One subject of a family. It never changes; the rest is read through a snapshot. */
struct instance {
	const char *name; /* "" for a family without instances */
	size_t index;     /* within its family: small; that of a forgotten one is used again */
};

/* What the last samples said of one instance. */
struct reading {
	const struct instance *instance;
	const char *const *labels; /* as many as the family has */
	bool present;              /* it was in its family's last sample */
	bool summed;
	int64_t time;         /* of its last sample: wall clock, ns */
	const double *values; /* as many as the family has fields; NaN is unknown */
};

struct family_snapshot {
	int64_t time; /* of its last sample: wall clock, ns; 0: none since the start */
	size_t reading_count;
	const struct reading *readings; /* in the order of their indexes: also those that have vanished */
};

/* What an aggregate says now. */
struct aggregate_reading {
	double value;     /* NaN: there is none */
	const char *text; /* what a function of Lua made of it; NULL: none did. As long as the snapshot */
	double samples;   /* known ones in its window */
	double unknown;   /* unknown ones in its window: left out */
};

/* A copy of everything at one moment. For snapshot_free(). */
struct snapshot {
	struct metric *metric;
	const struct plan *plan; /* that it is a picture of: held as long as the snapshot */
	uint64_t generation;     /* goes up with every change */
	int64_t time;            /* of the newest sample, wall clock, ns; 0: none since the start */
	int64_t since;           /* when the service was last started: wall clock, ns; 0: never */
	size_t family_count;
	const struct family_snapshot *families; /* in the plan's order */
	size_t aggregate_count;
	const struct aggregate_reading *aggregates; /* in the plan's order */
};

struct metric;

struct metric *metric_new(const struct plan *plan); /* holds the plan */
void metric_free(struct metric *metric);

/* The plan of now, for plan_release(). Any thread. */
const struct plan *metric_plan(struct metric *metric) __attribute__((warn_unused_result));

/* Goes over to another plan, all at once. Families that it has as well (plan_same_family) keep their instances and their
 * values, also where a plugin has another interval; windows that it has as well keep what they hold, and those over
 * "service" that are new begin now. Sampler thread, while no batch that was interned has yet to be published. */
void metric_adopt(struct metric *metric, const struct plan *plan);

/* Whether an aggregate's window lacks its past: metric_remember() has not been called since it began. Thread of the change. */
bool metric_is_new(struct metric *metric, size_t aggregate);

/* Whom to tell of gaps that samples show: a counter that went down, an instance that is not there any more. Once, before
 * sampling starts. */
void metric_tell_gaps(struct metric *metric, gap_sink *sink, void *context);

/* An instance is known from before, by its file: it counts as vanished when the first sample lacks it. Before sampling
 * starts. */
void metric_expect(struct metric *metric, size_t family, const char *instance);

/* Finds or makes the instance of each row, for metric_publish(). Sampler thread. */
void metric_intern(struct metric *metric, struct batch *batch);

/* Makes samples visible, all at once, and adds them to the windows. What was interned before the service was last
 * started is not current any more: it enters the windows with a duration, and is not shown. Gaps are told before it
 * returns. One thread at a time, any. */
void metric_publish(struct metric *metric, struct batch *const *batches, size_t count);

/* The service starts: windows over "service" begin anew, and nothing is current until the next sample. Sampler
 * thread. */
void metric_restart(struct metric *metric, int64_t since);

/* Forgets an instance that has vanished; also one that was never known. False: it stays, for it is, or may be, in its
 * family's last sample, or in one that is on its way. Any thread. */
bool metric_forget(struct metric *metric, size_t family, const char *instance);

/* That an instance has vanished is told at the first tick without it, and when it is back. In between it costs nothing:
 * this tells of all that have vanished up to the last tick. Call it before somebody asks for gaps, and now and then so
 * that a crash loses little of them. Any thread. */
void metric_tell_gone(struct metric *metric);

/* Gives a window what the store remembers of it, all rows at once, oldest first. What the window holds by now stays: rows
 * that end within it are left out. Thread of the change; only for aggregates with a duration, of the plan of now. */
struct metric_row {
	int64_t time, span;   /* when it ended, and how long it lasted: wall clock, ns */
	double min, avg, max; /* NaN: unknown */
};
void metric_remember(struct metric *metric, size_t aggregate, const struct metric_row *rows, size_t count);

/* What a function of Lua is to be shown of an aggregate's window: one block, for free(). */
struct metric_window {
	size_t count;
	const double *values, *times; /* times in s since 1970 */
	double over;                  /* s; 0: service */
	double samples, unknown;
	double min, max, avg, sum, last, stddev;
	double value; /* of a built-in fn; NaN otherwise */
};
struct metric_window *metric_window(struct metric *metric, size_t aggregate) __attribute__((warn_unused_result));

/* What the function made of it; `text` may be NULL and is copied. Sampler thread. */
void metric_set_result(struct metric *metric, size_t aggregate, double value, const char *text);

/* The newest value of a metric; NaN: unknown, or no such instance. `instance` NULL: of a family without instances, or
 * with one. Any thread. */
double metric_get(struct metric *metric, size_t family, size_t field, const char *instance);

/* Any thread. What was forgotten meanwhile is kept until no snapshot is left: hold one for moments only, and not beyond
 * metric_free(). */
struct snapshot *metric_snapshot(struct metric *metric) __attribute__((warn_unused_result));
void snapshot_free(struct snapshot *snapshot);

/* Cheap: whether a snapshot would differ from that of an earlier generation. Any thread. */
uint64_t metric_generation(struct metric *metric);

#endif
