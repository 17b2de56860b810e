/* metric/batch.h: one sample of one family, as a whole value that is handed over.
 *
 * A batch is made by whoever samples (collect, or a worker), read by store and metric, and belongs to one thread at a
 * time. It is reused: batch_begin() keeps what was allocated. */
#ifndef METRIC_BATCH_H
#define METRIC_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct instance; /* metric/metric.h */

struct batch_row {
	size_t name;               /* where the instance's name begins in `text`; of a family without instances it is "" */
	size_t labels;             /* where its first label begins in `text`; each is followed by the next after its NUL */
	bool summed;               /* takes part in the family's sum */
	struct instance *instance; /* set by metric_intern(); belongs to the catalogue */
};

struct batch {
	size_t family;      /* its place in the plan's families */
	size_t field_count; /* values in a row */
	size_t label_count; /* labels of a row */
	int64_t tick;       /* the time it is stored at: wall clock, ns, a multiple of the interval if `on_tick` */
	int64_t time;       /* when sampling began: wall clock, ns */
	int64_t clock;      /* when sampling began: monotonic, ns; 0: not known */
	int64_t duration;   /* how long sampling took: ns */
	bool on_tick;       /* false: the sample taken at /start, shown but not stored */
	bool fresh;    /* the first since the clock was set, or since the machine slept: what lies before it is a gap */
	uint64_t life; /* set by metric_intern(): the start of the service that it belongs to */

	size_t row_count, row_room;
	struct batch_row *rows;
	double *values; /* row_count * field_count; NaN is unknown */
	size_t text_length, text_room;
	char *text;
};

/* Empties the batch for a new sample of a family. A batch starts as all zero. */
void batch_begin(struct batch *batch, size_t family, size_t field_count, size_t label_count);
void batch_release(struct batch *batch);

/* Makes `to`, which may hold another batch, a copy of `from`. */
void batch_copy(struct batch *to, const struct batch *from);

/* Adds a row, all NaN and summed; name and labels are copied. Its values are valid until the next one is added. */
double *batch_add(struct batch *batch, const char *name, const char *const *labels);

const char *batch_name(const struct batch *batch, size_t row);
const double *batch_values(const struct batch *batch, size_t row);
const char *batch_label(const struct batch *batch, size_t row, size_t label);

#endif
