/* store/store.h: history that is still there after a crash, a full disk, a wrong clock and a change of mind.
 *
 *     append   a batch goes to the journal, then to the buffers of its files and to the world      (intake.c, journal.c)
 *     flush    buffers go to the RRD files, every `flush` of the plan                            (store.c, series.c, rrd.c)
 *     fetch    rows are read, after a flush of the file that is read
 *     tell     a gap and its reason go to the ledger                                                        (ledger.c)
 *     recover  at the start: files are made whole, and get what the journal has and they have not          (recover.c)
 *
 * Beside these: which file and which tiers (layout.c), what waits in memory (write_behind.c), records (record.c), what
 * is set aside (aside.c), files that move (adapt.c, move.c, migrate.c), go (room.c, purge.c) or follow a clock that was
 * set (timeline.c), files that an rrdcached writes (relay.c). librrd is called by rrd.c, its client by daemon.c, and by
 * nobody else. inside.h shows how they hang together, and the locks. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/plan.h"
#include "metric/gap.h"
#include "metric/metric.h"

struct store;

/* Where samples go once they are safe: all batches that were appended, in that order, some at a time. Journal thread; the
 * sampler's for what is not stored, and while the disk does not answer. */
struct store_sink {
	void (*kept)(void *context, struct batch *const *batches, size_t count);

	/* An instance is to be purged: asks to forget it. False: it stays, for it is there. Any thread, while the store holds
	 * a lock: must not call the store. NULL: nobody is asked. */
	bool (*forget)(void *context, size_t family, const char *instance);

	/* The ledger is about to be written: tells gaps that have not been told yet. Whoever flushes. NULL: there are none. */
	void (*tell_gaps)(void *context);
	void *context;
};

/* Makes the data folder and takes its lock (a second agent is refused), recovers what the last run left, and starts the
 * store's threads. Holds the plan. `sink` NULL: nobody wants to know. Returns NULL with the words. */
struct store *store_open(const struct plan *plan, const struct store_sink *sink, struct error *error);

/* The last flush, then the end. Main thread, when no other uses the store any more. Where the disk does not answer it
 * is not waited for: what the files lack is in the journal. */
void store_close(struct store *store);

/* The configuration was changed: the store goes over to another plan, of the same data folder. Three steps, so that
 * nobody waits for the disk but who changes it:
 *
 *     store_hold()    writes what waits of families that the new plan does not have, or has with other fields, and waits
 *                     until nothing is being written. No more of these families is appended from before it on. Thread of the
 *                     change
 *     store_adopt()   the new plan takes the old one's place: a moment, while nothing is sampled. Sampler thread
 *     store_go_on()   files are written again, and those that the new plan wants otherwise are moved. Thread of
 *                     the change
 *
 * store_go_on() alone after store_hold(): everything stays as it was. */
void store_hold(struct store *store, const struct plan *plan);
void store_adopt(struct store *store, const struct plan *plan);
void store_go_on(struct store *store);

/* Takes copies of what was sampled together. Never waits for the disk. Sampler thread. */
void store_append(struct store *store, struct batch *const *batches, size_t count);

/* Returns when all that was appended is in the journal, or cannot be. Any thread but the sampler's. */
void store_settle(struct store *store);

/* Writes everything that was appended, and returns when it is written. Any thread but the sampler's and the store's. */
void store_flush(struct store *store);

/* The same for one file, which then has all that was appended of it. -1: it could not be written, which the next flush
 * tells. Any thread but the sampler's and HTTP's: it waits for the disk. */
int store_flush_file(struct store *store, const struct pindrop_family *family, const char *instance);

/* Wakes the store to do so, and returns at once. `done`, which may be NULL, is called when it is done, on the store's
 * thread. Any thread. */
typedef void store_flushed(void *context);
void store_flush_soon(struct store *store, store_flushed *done, void *context);

enum store_consolidation { STORE_AVERAGE, STORE_MIN, STORE_MAX };

/* Rows of some fields side by side: values[i * fields + k] is that of field k in the time span that ends at
 * start + (i + 1) * step. */
struct store_rows {
	int64_t start; /* s */
	int64_t step;  /* s */
	size_t count;
	double *values; /* NaN: unknown; for free() */
};

/* What is to be read: rows of (from, to], s, of all fields of a family, in the order of its table. */
struct store_question {
	const struct plan *plan; /* in which `family` is; it may be another than the store's by now */
	size_t family;
	const char *instance; /* "" of a family without instances */
	enum store_consolidation consolidation;
	int64_t from, to;
	int64_t step; /* of the tier that is read, s: of store_choose_step() */
};

/* Reads rows, after flushing that file. An instance without a file has no rows, which is no error. Counters come as a rate
 * per second. Any thread but the sampler's and HTTP's: it waits for the disk. */
int store_read(struct store *store, const struct store_question *question, struct store_rows *rows,
               struct error *error);

/* The same for one field of the store's own plan, from the finest tier that reaches back to `from`. */
int store_fetch(struct store *store, size_t family, const char *instance, size_t field,
                enum store_consolidation consolidation, int64_t from, int64_t to, struct store_rows *rows,
                struct error *error);

/* The step of the tier that rrdtool would choose at `now` (s) for rows from `from` on, about `step` apart: of those that
 * reach back to `from` the one whose step is nearest, else the one that reaches back furthest. Pure. */
int64_t store_choose_step(const struct plan *plan, size_t family, int64_t now, int64_t from, int64_t step);

/* Whether rows of a tier are single samples, so that there is an average only. Pure. */
bool store_is_finest(const struct plan *plan, size_t family, int64_t step);

/* The path of an instance's file: "data/disk/space/%2Fhome.rrd"; of a name that would be too long for a file, its
 * beginning and a hash. A new text for free(). Pure. */
char *store_path(const struct plan *plan, size_t family, const char *instance);

/* The size of one file of a family in bytes, as librrd will make it. Pure. */
int64_t store_file_size(const struct plan *plan, size_t family);

/* Takes note of why something is unknown. Never waits for the disk. Any thread. */
void store_tell(struct store *store, const struct gap *gap);

/* The ledger, to find gaps in (ledger.h). As long as the store is open. */
struct ledger *store_ledger(struct store *store);

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
	char error[512];         /* of the last flush; "" when it went well */
	char journal_error[512]; /* of the journal's last write; "" when it went well */
	char daemon_error[512];  /* what is wrong with rrdcached; "" */
	bool late;               /* the disk does not answer at all */
	int64_t journal_size;    /* bytes; 0: there is no journal */
	int64_t journal_live;    /* bytes of it that a crash would have to be made good from */
	uint64_t journal_syncs;
	uint64_t replayed;       /* samples that the last run had left to be written */
	int64_t replay_duration; /* ns */
	uint64_t checkpoints;
};
void store_status(struct store *store, struct store_status *status);

#endif
