/* store/store.h: history, in RRD files.
 *
 *     append  samples go to a buffer in memory, for each file (write_behind.c)
 *     flush   a thread writes the buffers to the files, every `flush` of the plan (store.c -> rrd.c)
 *     fetch   reads rows, after a flush of the file that is read
 *     layout  which file, which data sources, which tiers: derived from the plan and the plugins' tables (layout.c)
 *
 * The journal (a sample is safe before it is shown), migration (a changed plan moves the files) and purging get a file
 * each beside these; this face stays as it is.
 *
 * rrd.c alone calls librrd, under one lock: its file locks are POSIX locks, which do not keep threads apart. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/plan.h"
#include "metric/metric.h"

struct store;

/* Makes the data folder and takes its lock (a second agent is refused), and starts the store's thread. Files are
 * made when their first sample is written. `plan` must outlive the store. Returns NULL with the words. */
struct store *store_open(const struct plan *plan, struct error *error);

/* The last flush, then the end. Main thread, when no other uses the store any more. */
void store_close(struct store *store);

/* Takes the samples of a batch whose rows were interned. Never waits for the disk. Sampler thread. */
void store_append(struct store *store, const struct batch *batch);

/* Writes everything that is buffered, and returns when it is written. Any thread but the sampler's. */
void store_flush(struct store *store);

enum store_consolidation { STORE_AVERAGE, STORE_MIN, STORE_MAX };

/* Rows of one field: values[i] belongs to the time span that ends at start + (i + 1) * step. */
struct store_rows {
	int64_t start; /* s */
	int64_t step;  /* s */
	size_t count;
	double *values; /* NaN: unknown; for free() */
};

/* Reads rows of (from, to], s, from the finest tier that reaches back to `from`, after flushing that file. An
 * instance without a file has no rows, which is no error. Counters come as a rate per second. */
int store_fetch(struct store *store, size_t family, const char *instance, size_t field,
                enum store_consolidation consolidation, int64_t from, int64_t to, struct store_rows *rows,
                struct error *error);

/* The path of an instance's file: "data/disk/space/%2Fhome.rrd"; of a name that would be too long for a file, its
 * beginning and a hash. A new text for free(). Pure. */
char *store_path(const struct plan *plan, size_t family, const char *instance);

/* The size of one file of a family in bytes, as librrd will make it. Pure. */
int64_t store_file_size(const struct plan *plan, size_t family);

struct store_status {
	size_t files;     /* that have been written to */
	size_t buffered;  /* samples that wait in memory */
	uint64_t written; /* samples written since the start */
	uint64_t dropped; /* samples lost because the buffer was full or librrd refused them */
	uint64_t flushes;
	uint64_t last_written;  /* samples written by the last flush */
	int64_t last_flush;     /* wall clock, ns; 0: none yet */
	int64_t flush_duration; /* of the last one, ns */
	uint64_t errors;
	char error[512]; /* of the last flush; "" when it went well */
};
void store_status(struct store *store, struct store_status *status);

#endif
