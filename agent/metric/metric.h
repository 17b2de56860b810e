/* metric/metric.h: what exists, what it is now, and the windows that aggregates look through.
 *
 * Written by the sampler thread (metric_intern, metric_publish, metric_restart), read by any thread through a
 * snapshot. One lock, held for copying only. Instances are never freed before metric_free(): a pointer stays valid. */
#ifndef METRIC_METRIC_H
#define METRIC_METRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/plan.h"
#include "metric/batch.h"

/* One subject of a family. Name, labels and index never change; the rest is read through a snapshot. */
struct instance {
	const char *name;          /* "" for a family without instances */
	const char *const *labels; /* as many as the family has */
	size_t index;              /* dense: 0, 1, … within its family, in the order they were first seen */
};

/* What the last samples said of one instance. */
struct reading {
	const struct instance *instance;
	bool present; /* it was in its family's last sample */
	bool summed;
	int64_t time;         /* of its last sample: wall clock, ns */
	const double *values; /* as many as the family has fields; NaN is unknown */
};

struct family_snapshot {
	int64_t time; /* of its last sample: wall clock, ns; 0: none since the start */
	size_t reading_count;
	const struct reading *readings; /* by instance index: also those that have vanished */
};

/* A copy of everything at one moment. */
struct snapshot {
	uint64_t generation; /* goes up with every change */
	int64_t time;        /* of the newest sample, wall clock, ns; 0: none since the start */
	int64_t since;       /* when the service was last started: wall clock, ns; 0: never */
	size_t family_count;
	const struct family_snapshot *families; /* in the plan's order */
	size_t aggregate_count;
	const double *aggregates; /* in the plan's order; NaN: no value in the window */
};

struct metric;

struct metric *metric_new(const struct plan *plan);
void metric_free(struct metric *metric);

/* Finds or makes the instance of each row. Sampler thread. */
void metric_intern(struct metric *metric, struct batch *batch);

/* Makes samples visible, all at once, and adds them to the windows. Sampler thread; after metric_intern(). */
void metric_publish(struct metric *metric, struct batch *const *batches, size_t count);

/* The service starts: windows over "service" begin anew, and nothing is current until the next sample. */
void metric_restart(struct metric *metric, int64_t since);

/* Gives a window what the store remembers of it: a row that ended at `time` (wall clock, ns), lasting `span` (ns).
 * Only before sampling starts, in the order of time, and only for aggregates with a duration. */
void metric_remember(struct metric *metric, size_t aggregate, int64_t time, int64_t span, double min, double avg,
                     double max);

/* Any thread. The snapshot is one block, for free(). */
struct snapshot *metric_snapshot(struct metric *metric) __attribute__((warn_unused_result));

/* Cheap: whether a snapshot would differ from that of an earlier generation. Any thread. */
uint64_t metric_generation(struct metric *metric);

#endif
