/* store/store.c: the store's thread: flushes, checkpoints, and the data folder that they happen in. */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/inside.h"
#include "store/ledger.h"
#include "store/rrd.h"

/* Up to so many files are written in one go every `flush`; more are spread over it. */
#define SLICE_FILES 200

/* A file system is synced as a whole where it is more than so many files. */
#define SYNC_FILES 64

/* How long after a file was made a checkpoint syncs it, at the latest. */
#define MADE_PATIENCE (60 * CLOCK_SECOND)

/* How long files may be adapted at a time before others are written to. */
#define ADAPT_TIME CLOCK_SECOND

/* How long the end waits for a disk that does nothing. */
#define END_PATIENCE (2 * CLOCK_SECOND)

void store_append(struct store *store, struct batch *const *batches, size_t count)
{
	intake_put(store->intake, batches, count);
}

void store_settle(struct store *store)
{
	if (store->intake)
		intake_drain(store->intake);
}

/* --- gaps ------------------------------------------------------------------------------------------------------ */

void store_tell(struct store *store, const struct gap *gap)
{
	ledger_add(store->ledger, gap);
	/* While it is opened there is no intake yet: the ledger is written soon after. */
	if (store->intake)
		intake_put_gap(store->intake, gap);
}

void store_tell_of(struct store *store, size_t family, const char *instance, enum gap_reason reason, int64_t from,
                   int64_t to, const char *words)
{
	const struct gap gap = {.reason = reason,
	                        .family = store->plan->families[family].table->name,
	                        .instance = instance,
	                        .from = from,
	                        .to = to,
	                        .words = words};

	store_tell(store, &gap);
}

struct ledger *store_ledger(struct store *store)
{
	return store->ledger;
}

static void write_ledger(struct store *store)
{
	struct error error = {""};
	int failed;

	if (store->sink.tell_gaps)
		store->sink.tell_gaps(store->sink.context);
	failed = ledger_write(store->ledger, &error);

	if (failed && !store->ledger_failed)
		log_error("%s; gaps and their reasons stay in memory until it can be written", error.text);
	store->ledger_failed = failed < 0;
}

/* The first tick of this run ends the time in which no agent was there. With `order` held. */
void store_end_down(struct store *store, int64_t tick)
{
	const struct gap gap = {.reason = GAP_AGENT_DOWN,
	                        .from = store->down_since,
	                        .to = tick - 1,
	                        .words = store->down_words};

	if (store->down_since && tick > store->down_since)
		store_tell(store, &gap);
	store->down_since = 0;
}

/* --- the journal ---------------------------------------------------------------------------------------------- */

int store_sync_journal(struct store *store, struct error *error)
{
	struct error ignored;

	/* Without a journal the files are all that there is: they are written to all the same. */
	if (!journal_is_open(store->journal))
		return 0;
	if (journal_write(store->journal, &ignored) < 0)
		return 0;
	return journal_sync(store->journal, error);
}

/* --- flushing: with `flushing` held ---------------------------------------------------------------------------- */

struct round {
	size_t slice, slices; /* every slices-th series, from the slice-th on; 1: all */
	uint64_t errors;
	struct error first; /* of the errors */
	bool waits;         /* for rrdcached: that is told by relay.c */
	size_t count, room;
	struct series **due;
};

static void count_error(struct store *store, struct round *round, const struct error *error)
{
	if (relay_waits(store))
		round->waits = true;
	else if (round->errors++ == 0)
		round->first = *error;
}

/* What has samples, with the file ready and its image in the journal. */
static void prepare(struct store *store, struct round *round)
{
	struct error error = {""};
	struct series *series;
	size_t number = 0;

	for (size_t family = 0, index = 0; (series = series_next(store, &family, &index));) {
		int failed = 0;

		if (number++ % round->slices != round->slice)
			continue;
		pthread_mutex_lock(&store->writing);
		series_take(store, series);
		if (series->leaving.count > 0)
			failed = series_prepare(store, series, &error);
		if (!failed && series->leaving.count > 0) {
			if (round->count == round->room) {
				round->room = round->room ? 2 * round->room : 16;
				round->due = memory_resize(round->due, round->room, sizeof(struct series *));
			}
			round->due[round->count++] = series;
		}
		pthread_mutex_unlock(&store->writing);
		if (failed)
			count_error(store, round, &error);
	}
}

/* Its instance may have been purged since the round began. */
static bool is_removed(struct store *store, const struct series *series)
{
	bool removed;

	pthread_mutex_lock(&store->lock);
	removed = series->removed;
	pthread_mutex_unlock(&store->lock);
	return removed;
}

static int update_one(struct store *store, struct series *series, struct error *error)
{
	if (series_update(store, series, error) < 0)
		return -1;
	return series->leaving.count > 0 ? series_flush(store, series, error) : 0;
}

static void update(struct store *store, struct round *round)
{
	struct error error = {""};

	for (size_t i = 0; i < round->count; i++) {
		int failed = 0;

		pthread_mutex_lock(&store->writing);
		if (!is_removed(store, round->due[i]))
			failed = update_one(store, round->due[i], &error);
		pthread_mutex_unlock(&store->writing);
		if (failed)
			count_error(store, round, &error);
	}
}

static void tell(struct store *store, int64_t began, uint64_t written_before, const struct round *round)
{
	struct store_status *status = &store->status;

	pthread_mutex_lock(&store->lock);
	status->last_written = status->written - written_before;
	status->flushes++;
	status->last_flush = clock_wall();
	status->flush_duration = clock_monotonic() - began;
	status->errors += round->errors;
	if (round->errors && !status->error[0])
		log_error("%s; %zu samples wait in memory and are tried again", round->first.text, status->buffered);
	else if (!round->errors && !round->waits && status->error[0])
		log_info("the store writes again");
	/* Of a part of the files that went well, nothing is said about the others. */
	if (round->errors || round->slices == 1 || round->slice == 0)
		snprintf(status->error, sizeof(status->error), "%s", round->errors ? round->first.text : "");
	pthread_mutex_unlock(&store->lock);
}

static bool journal_fails(struct store *store, struct error *error)
{
	bool fails;

	if (!journal_is_open(store->journal))
		return false;
	pthread_mutex_lock(&store->lock);
	fails = store->status.journal_error[0] != '\0';
	if (fails)
		error_set(error, "%s", store->status.journal_error);
	pthread_mutex_unlock(&store->lock);
	return fails;
}

/* Files are written to through maps: pages that a failing disk does not take are lost, and nobody is told. So while it
 * fails samples wait, and when it is back what the files should have is written again. -1 with the words: it fails. */
static int trust_disk(struct store *store, struct error *error)
{
	size_t replayed = 0;
	int failed;

	if (journal_fails(store, error)) {
		store->doubtful = true;
		return -1;
	}
	if (!store->doubtful)
		return 0;
	pthread_mutex_lock(&store->writing);
	failed = relay_make_whole(store, &replayed, error);
	pthread_mutex_unlock(&store->writing);
	if (failed)
		return -1;
	store->doubtful = false;
	log_info("%s: the disk takes what is written again; %zu samples were taken from the journal, in case it had not",
	         store->plan->data_dir, replayed);
	return 0;
}

/* One slice, or everything. Returns the number of errors. */
static uint64_t flush(struct store *store, size_t slice, size_t slices)
{
	int64_t began = clock_monotonic();
	struct round round = {.slice = slice, .slices = slices};
	uint64_t written_before;
	struct error error = {""};

	pthread_mutex_lock(&store->lock);
	written_before = store->status.written;
	pthread_mutex_unlock(&store->lock);
	if (folder_check(store, &error) < 0 || trust_disk(store, &error) < 0) {
		count_error(store, &round, &error);
	} else {
		if (relay_ready(store, &error) < 0)
			count_error(store, &round, &error);
		else
			prepare(store, &round);
		/* Also where no file can be written to: then the journal has all there is. */
		if (store_sync_journal(store, &error) < 0)
			count_error(store, &round, &error);
		else
			update(store, &round);
		write_ledger(store);
	}
	free(round.due);
	tell(store, began, written_before, &round);
	return round.errors + round.waits;
}

/* Everything, to the files themselves. What rrdcached turns out to have lost, a second round brings. Returns the number
 * of errors. */
static uint64_t flush_all(struct store *store)
{
	struct error ignored; /* the second round tells */
	uint64_t errors = flush(store, 0, 1);

	return relay_settle_all(store, &ignored) < 0 ? flush(store, 0, 1) : errors;
}

/* --- checkpoints: with `flushing` held ------------------------------------------------------------------------- */

/* Begins a new generation of images. Returns how many files were written to in the old one; they stand in *files, for
 * free(). */
static size_t begin_generation(struct store *store, struct series ***files)
{
	size_t count = 0, room = 0;
	struct series *series;

	*files = NULL;
	pthread_mutex_lock(&store->writing);
	for (size_t family = 0, index = 0; (series = series_next(store, &family, &index));) {
		if (series->imaged != store->generation)
			continue;
		if (count == room) {
			room = room ? 2 * room : 16;
			*files = memory_resize(*files, room, sizeof(struct series *));
		}
		series->made = false;
		(*files)[count++] = series;
	}
	store->generation++;
	store->made_since = 0;
	pthread_mutex_unlock(&store->writing);
	return count;
}

static int sync_files(struct store *store, struct series *const *files, size_t count, struct error *error)
{
	int failed = 0;

	if (count > SYNC_FILES)
		return syncfs(store->lock_fd) < 0
		           ? error_set(error, "cannot sync %s: %s", store->plan->data_dir, strerror(errno))
		           : 0;
	for (size_t i = 0; i < count && !failed; i++)
		failed = file_sync(files[i]->path, error);
	return failed;
}

/* Makes the RRD files safe from a power cut, so that the journal's older regions can be used again. Where something
 * fails nothing has changed but the number of the generation. */
int store_checkpoint(struct store *store, struct error *error)
{
	struct series **files;
	uint64_t mark;
	size_t count;
	int failed;

	/* Each mark begins a region: attempts that must fail would use them up, and what they hold. */
	if (flush_all(store) > 0 || !relay_is_settled(store))
		return error_set(error, "not all files can be written");
	mark = journal_mark(store->journal, error);
	if (!mark)
		return -1;
	if (flush_all(store) > 0 || !relay_is_settled(store))
		return error_set(error, "not all files can be written");
	count = begin_generation(store, &files);
	failed = sync_files(store, files, count, error);
	/* What a sync tells is told once. */
	store->doubtful = store->doubtful || failed;
	failed = failed || journal_retire(store->journal, mark, store->generation, error) < 0;
	free(files);
	pthread_mutex_lock(&store->lock);
	store->status.checkpoints += !failed;
	pthread_mutex_unlock(&store->lock);
	return failed ? -1 : 0;
}

/* Files that were made have to be made again after a power cut: not many, and not for long. */
static bool is_made_long_ago(struct store *store)
{
	bool long_ago;

	pthread_mutex_lock(&store->writing);
	long_ago = store->made_since && clock_monotonic() - store->made_since > MADE_PATIENCE;
	pthread_mutex_unlock(&store->writing);
	return long_ago;
}

/* Half of the journal is for what comes while the other half is made safe. */
static void keep_journal_short(struct store *store)
{
	struct journal_status status;
	struct error error = {""};

	journal_status(store->journal, &status);
	if (2 * status.live <= status.size && !is_made_long_ago(store))
		return;
	if (store_checkpoint(store, &error) < 0 && status.overwritten != store->overwritten)
		log_error("the journal had to drop its oldest samples, which are in memory only: %s", error.text);
	store->overwritten = status.overwritten;
}

static void bury(struct store *store)
{
	pthread_mutex_lock(&store->writing);
	series_bury(store);
	pthread_mutex_unlock(&store->writing);
}

void store_flush(struct store *store)
{
	store_settle(store);
	pthread_mutex_lock(&store->flushing);
	flush_all(store);
	keep_journal_short(store);
	bury(store);
	pthread_mutex_unlock(&store->flushing);
}

/* --- the thread ----------------------------------------------------------------------------------------------- */

static void add_nanoseconds(struct timespec *time, int64_t more)
{
	int64_t sum = time->tv_nsec + more;

	time->tv_sec += (time_t)(sum / CLOCK_SECOND);
	time->tv_nsec = (long)(sum % CLOCK_SECOND);
}

static int64_t flush_interval(struct store *store)
{
	int64_t interval;

	pthread_mutex_lock(&store->lock);
	interval = store->plan->flush;
	pthread_mutex_unlock(&store->lock);
	return interval;
}

/* Into how many parts a flush of all files is cut, so that no second is heavy. */
static size_t count_slices(struct store *store)
{
	size_t count = 0, most, slices;

	pthread_mutex_lock(&store->lock);
	most = (size_t)(store->plan->flush / CLOCK_SECOND);
	for (size_t i = 0; i < store->plan->family_count; i++)
		count += store->families[i].count;
	pthread_mutex_unlock(&store->lock);
	slices = (count + SLICE_FILES - 1) / SLICE_FILES;
	return slices < 1 || most < 1 ? 1 : slices < most ? slices : most;
}

struct wish {
	struct wish *next;
	store_flushed *done;
	void *context;
};

static void grant(struct wish *wishes)
{
	while (wishes) {
		struct wish *wish = wishes;

		wishes = wish->next;
		if (wish->done)
			wish->done(wish->context);
		free(wish);
	}
}

/* Waits for the next slice's time, the end, another plan, or a wish. Returns the wishes. */
static struct wish *await(struct store *store, const struct timespec *next, bool *ending, bool *replanned)
{
	struct wish *wishes;
	int timed_out = 0;

	pthread_mutex_lock(&store->lock);
	while (!store->ending && !store->replanned && !store->wishes && timed_out != ETIMEDOUT)
		timed_out = pthread_cond_timedwait(&store->wake, &store->lock, next);
	*ending = store->ending;
	*replanned = store->replanned;
	store->replanned = false;
	wishes = store->wishes;
	store->wishes = NULL;
	pthread_mutex_unlock(&store->lock);
	return wishes;
}

/* Files move to the plan, and the next flush is one interval away. Returns how many slices it has. */
static size_t begin_slices(struct store *store, struct timespec *next)
{
	size_t slices = count_slices(store);

	adapt_again(store);
	adapt_some(store, ADAPT_TIME);
	clock_gettime(CLOCK_MONOTONIC, next);
	add_nanoseconds(next, flush_interval(store) / (int64_t)slices);
	return slices;
}

static void *live(void *context)
{
	struct store *store = context;
	size_t slice = 0, slices;
	struct timespec next;
	bool ending = false, replanned = false;

	pthread_setname_np(pthread_self(), "store");
	slices = begin_slices(store, &next);
	while (!ending) {
		struct wish *wishes = await(store, &next, &ending, &replanned);

		if (replanned) {
			slices = begin_slices(store, &next);
			slice = 0;
		}
		if (wishes || ending) {
			store_flush(store);
			grant(wishes);
		}
		if (wishes || ending || replanned)
			continue;
		pthread_mutex_lock(&store->flushing);
		flush(store, slice, slices);
		keep_journal_short(store);
		room_keep(store);
		bury(store);
		pthread_mutex_unlock(&store->flushing);
		adapt_some(store, ADAPT_TIME);
		if (++slice >= slices) {
			slice = 0;
			slices = count_slices(store);
		}
		add_nanoseconds(&next, flush_interval(store) / (int64_t)slices);
	}
	pthread_mutex_lock(&store->lock);
	store->ended = true;
	pthread_cond_signal(&store->gone);
	pthread_mutex_unlock(&store->lock);
	return NULL;
}

void store_flush_soon(struct store *store, store_flushed *done, void *context)
{
	struct wish *wish = memory_alloc(sizeof(*wish));

	wish->done = done;
	wish->context = context;
	pthread_mutex_lock(&store->lock);
	wish->next = store->wishes;
	store->wishes = wish;
	pthread_cond_signal(&store->wake);
	pthread_mutex_unlock(&store->lock);
}

/* --- up and down ---------------------------------------------------------------------------------------------- */

static void init_locks(struct store *store)
{
	pthread_mutex_init(&store->flushing, NULL);
	pthread_mutex_init(&store->writing, NULL);
	pthread_mutex_init(&store->lock, NULL);
	clock_condition(&store->wake);
	clock_condition(&store->gone);
}

/* A journal of another size is made anew, once nothing needs the old one. */
void store_resize_journal(struct store *store)
{
	struct journal_status status;
	struct error error = {""};

	journal_status(store->journal, &status);
	if (status.size == 0 || status.size == store->plan->journal_size)
		return;
	if (store_checkpoint(store, &error) < 0 || journal_renew(store->journal, &error) < 0) {
		log_warning("the journal keeps its old size: %s", error.text);
		return;
	}
	/* What came between the two was in the old one alone. */
	if (store_checkpoint(store, &error) < 0)
		log_warning("the journal was made anew, and what came meanwhile is not in the RRD files yet: %s", error.text);
}

static void open_ledger(struct store *store)
{
	char *path = memory_format("%s/.ledger", store->plan->data_dir);
	struct error error = {""};

	store->ledger = ledger_open(path, true, &error);
	if (error.text[0])
		log_warning("%s", error.text);
	free(path);
}

static void open_journal(struct store *store)
{
	char *path = memory_format("%s/.journal", store->plan->data_dir);
	struct journal_found found;
	struct error error = {""};

	store->journal = journal_open(path, store->plan, &found, &error);
	if (journal_is_open(store->journal)) {
		relay_recover(store, true);
		recover(store, &found);
		relay_recover(store, false);
		pthread_mutex_lock(&store->flushing);
		store_resize_journal(store);
		pthread_mutex_unlock(&store->flushing);
	} else {
		intake_tell_journal(store, -1, &error);
	}
	free(path);
}

struct store *store_open(const struct plan *plan, const struct store_sink *sink, struct error *error)
{
	struct store *store;
	int lock_fd = folder_lock(plan->data_dir, error);

	if (lock_fd < 0)
		return NULL;
	store = memory_alloc(sizeof(*store));
	store->plan = plan_hold(plan);
	store->lock_fd = lock_fd;
	if (sink)
		store->sink = *sink;
	store->families = memory_array(plan->family_count, sizeof(*store->families));
	for (size_t i = 0; i < plan->family_count; i++)
		layout_begin(&store->families[i].layout, plan, i);
	init_locks(store);
	open_ledger(store);
	relay_begin(store);
	open_journal(store);
	store->intake = intake_new(store);
	if (pthread_create(&store->thread, NULL, live, store) != 0) {
		log_error("cannot start the store's thread");
		abort();
	}
	return store;
}

/* Waits for the thread for as long as it gets on. False: the disk hangs. */
static bool join(struct store *store)
{
	uint64_t before;
	bool ended;

	pthread_mutex_lock(&store->lock);
	do {
		const struct timespec deadline = clock_deadline(END_PATIENCE);

		before = store->status.written + store->settled;
		while (!store->ended && pthread_cond_timedwait(&store->gone, &store->lock, &deadline) == 0)
			continue;
	} while (!store->ended && store->status.written + store->settled != before);
	ended = store->ended;
	pthread_mutex_unlock(&store->lock);
	if (ended)
		pthread_join(store->thread, NULL);
	return ended;
}

/* The last words: whether the next run has something to do. */
static void end_journal(struct store *store)
{
	struct error error = {""};

	if (store->status.buffered > 0 && store->status.journal_error[0])
		log_error("%zu samples could not be written and are lost: %s", store->status.buffered, store->status.error);
	else if (store->status.buffered > 0)
		log_error("%zu samples could not be written; they stay in the journal for the next start: %s",
		          store->status.buffered, store->status.error);
	else if (!relay_is_settled(store))
		log_warning("rrdcached did not write all that it was sent: it is in the journal for the next start");
	else
		journal_put_end(store->journal);
	if (journal_is_open(store->journal) && journal_write(store->journal, &error) < 0)
		log_error("%s", error.text);
}

void store_close(struct store *store)
{
	bool ended = intake_end(store->intake, END_PATIENCE);

	pthread_mutex_lock(&store->lock);
	store->ending = true;
	pthread_cond_signal(&store->wake);
	pthread_mutex_unlock(&store->lock);
	if (!ended || !join(store)) {
		pthread_detach(store->thread);
		log_error("%s: the disk does not answer, and is not waited for", store->plan->data_dir);
		return;
	}
	grant(store->wishes);
	end_journal(store);
	journal_close(store->journal);
	ledger_close(store->ledger);
	intake_free(store->intake);
	adapt_release(store);
	relay_release(store);
	series_release(store);
	for (size_t i = 0; i < store->plan->family_count; i++)
		layout_release(&store->families[i].layout);
	free(store->families);
	plan_release(store->plan);
	pthread_cond_destroy(&store->wake);
	pthread_cond_destroy(&store->gone);
	pthread_mutex_destroy(&store->lock);
	pthread_mutex_destroy(&store->writing);
	pthread_mutex_destroy(&store->flushing);
	close(store->lock_fd);
	free(store);
}

/* --- reading -------------------------------------------------------------------------------------------------- */

/* Writes what one file waits for. -1: it could not be, which is told by the next flush. With `writing` held. */
static int flush_one(struct store *store, const struct pindrop_family *table, const char *instance)
{
	size_t family = plan_find_same(store->plan, table);
	struct error ignored;
	struct series *series;

	if (family == SIZE_MAX)
		return 0;
	pthread_mutex_lock(&store->lock);
	series = series_find(store, family, instance);
	pthread_mutex_unlock(&store->lock);
	if (!series)
		return 0;
	return series_flush(store, series, &ignored) < 0 || relay_settle(store, series, &ignored) < 0 ? -1 : 0;
}

/* The same, and what rrdcached has lost is brought back before it is missed. With `writing` held, which is let go then. */
static int make_current(struct store *store, const struct pindrop_family *family, const char *instance)
{
	int failed = flush_one(store, family, instance);

	if (!failed || !store->relay)
		return failed;
	pthread_mutex_unlock(&store->writing);
	store_flush(store);
	pthread_mutex_lock(&store->writing);
	return 0;
}

int store_flush_file(struct store *store, const struct pindrop_family *family, const char *instance)
{
	int failed;

	store_settle(store);
	pthread_mutex_lock(&store->writing);
	failed = make_current(store, family, instance);
	pthread_mutex_unlock(&store->writing);
	return failed;
}

/* Reads a file after what waits for it was written. Nobody writes meanwhile: rrdcached would drop what it cannot write
 * because the file is being read. */
static int read_file(struct store *store, const struct store_question *question, const char *const *fields,
                     size_t field_count, struct store_rows *rows, struct error *error)
{
	char *path = store_path(question->plan, question->family, question->instance);
	int failed = 0;

	*rows = (struct store_rows){.start = question->from, .step = question->step};
	store_settle(store);
	pthread_mutex_lock(&store->writing);
	make_current(store, question->plan->families[question->family].table, question->instance);
	if (access(path, F_OK) == 0)
		failed = file_read(path, fields, field_count, question->consolidation, question->from, question->to,
		                   question->step, rows, error);
	pthread_mutex_unlock(&store->writing);
	free(path);
	return failed;
}

int store_read(struct store *store, const struct store_question *question, struct store_rows *rows, struct error *error)
{
	const struct pindrop_family *family = question->plan->families[question->family].table;
	const char **fields = memory_array(family->field_count, sizeof(*fields));
	int failed;

	for (size_t i = 0; i < family->field_count; i++)
		fields[i] = family->fields[i].name;
	failed = read_file(store, question, fields, family->field_count, rows, error);
	free(fields);
	return failed;
}

/* Another plan may come meanwhile. */
static const struct plan *hold_plan(struct store *store)
{
	const struct plan *plan;

	pthread_mutex_lock(&store->writing);
	plan = plan_hold(store->plan);
	pthread_mutex_unlock(&store->writing);
	return plan;
}

int store_fetch(struct store *store, size_t family, const char *instance, size_t field,
                enum store_consolidation consolidation, int64_t from, int64_t to, struct store_rows *rows,
                struct error *error)
{
	const struct plan *plan = hold_plan(store);
	const char *name = plan->families[family].table->fields[field].name;
	int64_t now = clock_wall() / CLOCK_SECOND;
	const struct store_question question = {.plan = plan,
	                                        .family = family,
	                                        .instance = instance,
	                                        .consolidation = consolidation,
	                                        .from = from,
	                                        .to = to,
	                                        .step = store_choose_step(plan, family, now, from, 0)};
	int failed = read_file(store, &question, &name, 1, rows, error);

	plan_release(plan);
	return failed;
}

void store_status(struct store *store, struct store_status *status)
{
	struct journal_status journal;

	journal_status(store->journal, &journal);
	pthread_mutex_lock(&store->lock);
	*status = store->status;
	pthread_mutex_unlock(&store->lock);
	relay_status(store, status);
	status->journal_size = journal.size;
	status->journal_live = journal.live;
	status->journal_syncs = journal.syncs;
}
