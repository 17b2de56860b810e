/* store/journal.h: every sample, on the disk before anybody is shown it.
 *
 * One file, data_dir/.journal, of the size that the configuration gives, reserved when it is made: a full disk cannot
 * tear it. It is a ring of JOURNAL_REGIONS regions, each written from its beginning to its end, with records
 * (record.h) that stand for themselves:
 *
 *     region      version, boot, the checkpoint that was valid when the region was begun
 *     fields      of a family: the names that a sample's values had, told from others by their hash
 *     samples     of one tick: rows of instance and values
 *     image       the header of an RRD file before it was first written to since a checkpoint
 *     drop        samples of an instance that shall not come back: its file was cut or removed
 *     gap         an entry of the ledger that may not have reached its file
 *     checkpoint  everything before a region is safe in the RRD files
 *     end         the agent ended, and everything was in the RRD files
 *
 * What is safe when: after journal_write() the records survive the end of the process, by kill -9 as well (they are in
 * the kernel's page cache). After journal_sync() they survive a power cut. No RRD file is written before its samples
 * and its image are synced; no region is used again before the RRD files that hold its samples are (checkpoint.h). So
 * whatever mixture of old and new pages a power cut leaves of an RRD file, its image and the samples since make it
 * whole again.
 *
 * Any thread: one lock inside, which is held while the disk is written to. */
#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "config/plan.h"
#include "metric/batch.h"
#include "store/record.h"

#define JOURNAL_REGIONS 8

struct journal;

/* One sample as it was written. Everything is valid during the call only. */
struct journal_sample {
	const char *family, *instance;
	size_t field_count;
	const char *const *fields; /* their names; NULL: they are the plan's, in its order */
	int64_t tick;              /* wall clock, ns */
	bool fresh;                /* batch.h */
	const double *values;
	size_t place; /* goes up from record to record: tells what came first */
};

/* The beginning of an RRD file as it was. */
struct journal_image {
	const char *family, *instance;
	uint64_t generation; /* of the checkpoint that it belongs to */
	uint64_t inode;
	bool made; /* the file was made after the last checkpoint: all that it holds is in the journal */
	int64_t file_size;
	size_t length;
	const unsigned char *bytes;
};

struct journal_drop {
	const char *family, *instance;
	int64_t from; /* samples that came before this record and whose tick is `from` or later are void */
	size_t place;
};

/* Who is told what the journal holds, in the order in which it was written. A function that is NULL is not called. */
struct journal_visitor {
	void (*sample)(void *context, const struct journal_sample *sample);
	void (*image)(void *context, const struct journal_image *image);
	void (*drop)(void *context, const struct journal_drop *drop);
	void (*gap)(void *context, const unsigned char *bytes, size_t length);
	void *context;
};

/* What was found when the journal was opened. */
struct journal_found {
	bool used;           /* it holds records of an earlier run */
	bool same_boot;      /* the machine has not been started since: what was written is in its page cache */
	bool ended;          /* the last run ended as it should, and the machine has not been started since */
	int64_t last;        /* the last tick that was written: wall clock, ns; 0: none */
	uint64_t generation; /* of the last checkpoint */
	size_t damaged;      /* stretches that could not be read; what lies around them could */
	bool torn;           /* the last record was not written to its end */
	uint64_t records;
};

/* Opens the journal, or makes it. One of another version is set aside, and told in the log. The plan outlives it. Never
 * NULL: one that cannot be opened is closed, with the words; writing to it fails. */
struct journal *journal_open(const char *path, const struct plan *plan, struct journal_found *found,
                             struct error *error);

/* Another plan takes the place of the first, and has to outlive the journal now: families that only it has are told. */
void journal_adopt(struct journal *journal, const struct plan *plan);
bool journal_is_open(struct journal *journal);
int journal_reopen(struct journal *journal, struct error *error); /* closes what is open, and opens what is there now */
int journal_renew(struct journal *journal, struct error *error);  /* a new one, of the plan's size, in its place */
void journal_close(struct journal *journal);

/* Tells what the live regions hold. Also while others write: what was put after the place of journal_place(), the end of
 * what was written, is left out. */
void journal_read(struct journal *journal, const struct journal_visitor *visitor);
void journal_read_to(struct journal *journal, const struct journal_visitor *visitor, uint64_t place);
uint64_t journal_place(struct journal *journal);

/* Puts a record behind those that wait for journal_write(). Nothing is kept of what is handed over. */
void journal_put_batch(struct journal *journal, const struct pindrop_family *family, const struct batch *batch);
void journal_put_image(struct journal *journal, const struct journal_image *image);
void journal_put_drop(struct journal *journal, const char *family, const char *instance, int64_t from);
void journal_put_end(struct journal *journal);

/* Gaps are put as records that their caller has made: journal_begin_gap(), the gap as the ledger encodes it, and
 * record_end(), any number of them. */
void journal_begin_gap(struct record_buffer *gaps);
void journal_put_gaps(struct journal *journal, const struct record_buffer *gaps);

/* Whether something was put since the last journal_write(). */
bool journal_waits(struct journal *journal);

/* Writes what was put, by one system call as a rule. -1 with the words: what was put is then forgotten. */
int journal_write(struct journal *journal, struct error *error);

/* Makes what was written safe from a power cut. Waits for the disk, without the lock. */
int journal_sync(struct journal *journal, struct error *error);

/* A checkpoint, in two halves. journal_mark() begins a new region and returns its serial: all records before it are in
 * older regions. journal_retire() says that what those hold is safe elsewhere, and that images of generations before
 * `generation` are void; it writes that down and syncs it. */
uint64_t journal_mark(struct journal *journal, struct error *error);
int journal_retire(struct journal *journal, uint64_t mark, uint64_t generation, struct error *error);

struct journal_status {
	int64_t size;         /* bytes of the file */
	int64_t live;         /* bytes in regions that are not retired */
	uint64_t written;     /* bytes since the start */
	uint64_t syncs;       /* since the start */
	uint64_t overwritten; /* regions that had to be used again before they were retired */
	uint64_t generation;  /* of the last checkpoint */
};
void journal_status(struct journal *journal, struct journal_status *status);

#endif
