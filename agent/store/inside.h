/* store/inside.h: what the files behind store.h show each other.
 *
 *     sampler ──store_append──► intake.c ──► journal.c          journal thread
 *                                  │   └───► kept()             … which shows the samples to the world
 *                                  ▼
 *                              series.c   coming ─► leaving ─► rrd.c     store thread, or whoever wants to read
 *                                                     └─► relay.c, daemon.c ─► rrdcached, where there is one
 *
 * Locks, always taken in this order:
 *
 *     flushing  (store.c) who writes many files: one at a time
 *     writing   held while one file is written: what a series has in `leaving`, and what is known of its file
 *     order     (intake.c) who hands samples on, so that they come in the order of their ticks
 *     lock      held for moments: what a series has in `coming`, the tables of series, the figures
 *     (change.c) a new plan is put in place of the old one with all of them held: by two threads, see there
 *
 * so that whoever takes `lock` alone (the sampler, HTTP) never waits for a disk. */
#ifndef STORE_INSIDE_H
#define STORE_INSIDE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "config/plan.h"
#include "store/journal.h"
#include "store/layout.h"
#include "store/store.h"
#include "store/write_behind.h"

/* One file, and the samples that wait for it. */
struct series {
	size_t family;          /* its place in the plan: changes with it */
	char *instance;         /* constant */
	char *path;             /* constant */
	struct backlog coming;  /* lock */
	struct backlog leaving; /* writing */
	bool removed;           /* lock: it is not in the table any more */
	struct series *next_removed;
	int64_t seen;              /* lock: the newest tick that came: wall clock, ns; 0: none since the start */
	bool ready;                /* writing: the file is there and fits */
	bool counted;              /* writing: in the figures */
	int64_t last;              /* writing: the time of the file's last update: wall clock, ns */
	size_t header_size;        /* writing: of the file, bytes */
	struct replayed *replayed; /* recover.c */
	bool made;                 /* writing: by us, since the last checkpoint */
	uint64_t imaged;     /* writing: the generation of the checkpoint since which the journal has its header; 0: none */
	uint64_t connection; /* writing: relay.c: the connection to rrdcached over which it was asked for this file */
	bool unsettled;      /* writing: relay.c: rrdcached was sent samples that the file may not have … */
	int64_t sent_first;  /* … from this tick on, ns … */
	size_t sent_rows;    /* … which make at least so many rows that are known */
	bool refused;        /* writing: relay.c: rrdcached cannot write it */
};

struct family_store {
	struct layout layout;   /* changes with the plan */
	size_t count, room;     /* lock */
	struct series **series; /* lock: in the order in which they came; NULL: a hole */
	size_t holes;           /* lock */
	void *by_name;          /* lock: a tree for tsearch(3) */
};

struct intake;
struct ledger;
struct adapt;
struct relay;

struct store {
	const struct plan *plan; /* held; changes with all locks held, so that each of them keeps it */
	struct store_sink sink;
	int lock_fd; /* of the data folder's lock file */
	struct family_store *families;
	struct journal *journal; /* may be closed: then samples are safe only once they are in the files */
	struct adapt *adapt;     /* store's thread */
	struct relay *relay;     /* NULL: there is no rrdcached */
	struct series *removed;  /* lock: those that were taken out of the table */
	int64_t
		made_since; /* writing: when the first file was made after the last checkpoint: monotonic, ns; 0: none was */
	int64_t used;   /* writing: bytes in the data folder; 0: not known yet */
	int64_t purge_next; /* flushing: when vanished instances are looked for again: monotonic, ns */
	struct ledger *ledger;
	int64_t down_since; /* order: the last tick of the last run, until there is one of this: wall clock, ns; 0: none */
	const char *down_words; /* how that came; NULL: it ended as asked */
	uint64_t generation;    /* writing: of the checkpoint that images are taken for */
	struct intake *intake;
	pthread_t thread;
	bool ledger_failed;   /* flushing: it could not be written, and that was told */
	bool doubtful;        /* flushing: the disk has failed: pages of files may be lost */
	uint64_t overwritten; /* flushing: regions of the journal, as told last */
	uint64_t settled;     /* lock: files that were settled: tells that the end gets on */
	pthread_mutex_t flushing;
	pthread_mutex_t writing;
	pthread_mutex_t lock;
	pthread_cond_t wake, gone;
	bool ending, ended;         /* lock */
	bool replanned;             /* lock: another plan has come, and the store's thread has not heard of it */
	struct wish *wishes;        /* lock: who wants everything to be written */
	size_t buffered_values;     /* lock */
	struct store_status status; /* lock */
};

/* --- series.c ------------------------------------------------------------------------------------------------- */

/* The series of that name; made where there is none yet. `hint`: its likely place in the table. With `lock` held. */
struct series *series_get(struct store *store, size_t family, const char *instance, size_t hint);
struct series *series_find(struct store *store, size_t family, const char *instance); /* NULL: none; with `lock` held */
void series_release(struct store *store); /* all of them; nobody uses the store any more */

/* Takes a series out of the table; where there is none, nothing. It is freed by series_bury(), when nobody can hold it any
 * more: with `flushing` and `writing` held. With `lock` held. */
void series_remove(struct store *store, size_t family, const char *instance);
void series_remove_all(struct store *store, size_t family);
void series_bury(struct store *store);

/* Takes a sample into `coming`. With `lock` held. */
void series_add(struct store *store, struct series *series, int64_t tick, bool fresh, const double *values);

/* The series of all families, one by one, from *family and *index (both 0) on; NULL: no more. Without the locks. */
struct series *series_next(struct store *store, size_t *family, size_t *index);

/* The steps of writing; all with `writing` held. -1 with the words: the samples wait, and everything is tried again.
 *
 *     series_take     moves what came to what leaves
 *     series_prepare  sees to it that the file is there and fits the samples that leave; puts its image to the journal
 *     (now the journal is synced)
 *     series_update   writes the samples that leave, up to where the clock was set back
 *
 * Until nothing leaves any more: a second round is needed only where the clock was set back. */
void series_take(struct store *store, struct series *series);
int series_prepare(struct store *store, struct series *series, struct error *error);
int series_update(struct store *store, struct series *series, struct error *error);

/* Looks at the file, and sees to it that it is there and has the layout of the plan. With `writing` held, and samples in
 * `leaving`. */
int series_ready(struct store *store, struct series *series, struct error *error);

/* The file is another one than before. With `writing` held. */
void series_look_again(struct series *series);

/* All of it for one series, for who wants to read its file; … for what leaves already. */
int series_flush(struct store *store, struct series *series, struct error *error);
int series_write(struct store *store, struct series *series, struct error *error);

/* Adds a sample to what leaves; forgets all that leaves. With `writing` held. */
void series_put(struct store *store, struct series *series, int64_t tick, bool fresh, const double *values);
void series_drop(struct store *store, struct series *series);

/* --- intake.c ------------------------------------------------------------------------------------------------- */

struct intake *intake_new(struct store *store);

/* Ends the thread after what waits has gone through. False: the disk hangs, and it has not ended within `patience` (ns);
 * then nothing may be freed. intake_free() comes after it. */
bool intake_end(struct intake *intake, int64_t patience);
void intake_free(struct intake *intake);

/* Sampler thread. Never waits for the disk. */
void intake_put(struct intake *intake, struct batch *const *batches, size_t count);

/* A gap goes to the journal, for the ledger is written only now and then. Any thread; never waits for the disk. */
void intake_put_gap(struct intake *intake, const struct gap *gap);

/* Notes that the journal could be written, or not (-1), and says so in the log when that is new. Any thread. */
void intake_tell_journal(struct store *store, int failed, const struct error *error);

/* Waits until all that was put is in `coming`. Not for the sampler's thread. */
void intake_drain(struct intake *intake);

/* Returns when all that was put has been handed on: at once, or, of a disk that hangs, without the journal. Sampler
 * thread. */
void intake_calm(struct intake *intake);

/* Holds up handing on, for a moment. What the journal has up to the returned place is in the buffers, or has left them;
 * what is behind that place is not. */
uint64_t intake_hold(struct intake *intake);
void intake_go_on(struct intake *intake);

/* --- recover.c ------------------------------------------------------------------------------------------------ */

/* Brings the files to where the last run left them: puts headers back, writes what they lack. Before any thread. */
void recover(struct store *store, const struct journal_found *found);

/* The same while the agent runs: the files are left with all that has left the buffers, of which some was lost. Counts the
 * samples that had to be written again. -1 with the words: it has to be tried again. With `flushing` and `writing` held. */
int recover_again(struct store *store, size_t *replayed, struct error *error);

/* --- store.c, for change.c -------------------------------------------------------------------------------------- */

/* Writes everything, makes the files safe, and lets the journal's older regions go. With `flushing` held. */
int store_checkpoint(struct store *store, struct error *error);

/* A journal of another size than the plan's is made anew. With `flushing` held. */
void store_resize_journal(struct store *store);

/* --- folder.c ------------------------------------------------------------------------------------------------- */

/* Makes the data folder and takes it for this agent. The lock goes with the process, however it ends (flock(2)); the
 * file stays. Returns its descriptor, or -1 with the words. */
int folder_lock(const char *path, struct error *error);

/* Whether the folder is still the one that was taken. One that was removed is made anew. -1 with the words: nothing
 * must be written now. With `flushing` held. */
int folder_check(struct store *store, struct error *error);

/* --- adapt.c -------------------------------------------------------------------------------------------------- */

/* Gives a file that has another one the layout of the plan; what is not ours, or damaged, is set aside. 0 or -1 with the
 * words: it is as it was. With `writing` held. */
int adapt_file(struct store *store, size_t family, const char *path, struct error *error);
int adapt_set_aside(struct store *store, size_t family, const char *path, const char *why, const char *reason,
                    struct error *error);

/* Does so with files that nobody has written to yet, for `time` (ns) and a little at a time, from adapt_again() on.
 * Store's thread. */
void adapt_again(struct store *store);
void adapt_some(struct store *store, int64_t time);
void adapt_release(struct store *store);

/* --- orphan.c ------------------------------------------------------------------------------------------------- */

struct orphan;

/* Takes a sample whose family the plan does not have; writes all, and frees them. Starts as NULL. Before any thread. */
void orphan_add(struct orphan **all, const struct journal_sample *sample);
void orphan_end(struct orphan **all, const struct plan *plan);

/* --- timeline.c ----------------------------------------------------------------------------------------------- */

/* Sees to it that the file ends before the samples that leave begin, and loses nothing to a clock that may be wrong.
 * With `writing` held, the file ready, and samples in `leaving`. */
int timeline_prepare(struct store *store, struct series *series, struct error *error);

/* --- relay.c: files that rrdcached writes; without one nothing of this does anything ----------------------------- */

void relay_begin(struct store *store); /* connects when it is needed */
void relay_release(struct store *store);
void relay_status(struct store *store, struct store_status *status);

/* Sees to it that files can be written to: connects, and makes the files whole where rrdcached has lost something. -1 with
 * the words: samples wait. With `flushing` held. */
int relay_ready(struct store *store, struct error *error);

/* recover_again(), also where rrdcached has a part in it. */
int relay_make_whole(struct store *store, size_t *replayed, struct error *error);

/* Whether that is what they wait for, which was told. Without `writing`. */
bool relay_waits(struct store *store);

/* Before and after recover(), during which all files are written to by the agent. */
void relay_recover(struct store *store, bool begins);

/* Of series_prepare(): before a file is looked at. Of series_update(): writes lines, by whoever writes this file now; they
 * are of the first `run` samples that leave, of which `last` (ns) is the newest. With `writing` held; 0 or -1 with the
 * words. */
int relay_prepare(struct store *store, struct series *series, struct error *error);
int relay_update(struct store *store, struct series *series, size_t run, int64_t last, size_t count, const char **lines,
                 struct error *error);

/* Sees to it that all samples that were sent are in the file; … and that rrdcached knows nothing of it any more: before
 * it is changed or replaced in another way. With `writing` held; 0 or -1 with the words. */
int relay_settle(struct store *store, struct series *series, struct error *error);
int relay_quiesce(struct store *store, struct series *series, struct error *error);

/* The same for a file of which nothing is known, or is to go. With `writing` held. */
void relay_let_go(struct store *store, const char *path);

/* The same as relay_settle() for all files. With `flushing` held. */
int relay_settle_all(struct store *store, struct error *error);
bool relay_is_settled(struct store *store);

/* --- room.c --------------------------------------------------------------------------------------------------- */

/* Sees to it that `needed` more bytes are within purge.max_size, and counts them. -1 with the arithmetic. With `writing`
 * held. */
int room_make(struct store *store, int64_t needed, struct error *error);

/* Lets go what has vanished for long enough, now and then. With `flushing` held. */
void room_keep(struct store *store);

/* --- store.c -------------------------------------------------------------------------------------------------- */

void store_end_down(struct store *store, int64_t tick); /* the first tick of this run has come; with `order` held */

/* store_tell() for the gaps of one file. The words may be NULL. */
void store_tell_of(struct store *store, size_t family, const char *instance, enum gap_reason reason, int64_t from,
                   int64_t to, const char *words);

/* Writes and syncs what was put to the journal. 0 also where it cannot be written: files are written to without it. */
int store_sync_journal(struct store *store, struct error *error);

#endif
