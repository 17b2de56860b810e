/* store/intake.c: from the sampler to the journal, and from there to the files' buffers and to the world.
 *
 * The sampler puts a copy of each batch into a queue. The journal thread takes all that waits, writes it to the journal
 * by one system call, and only then hands it on: to the series' buffers, and to whoever shows it (store_sink.kept). So
 * nothing is seen that a crash could lose, and the sampler never waits for a disk.
 *
 * A disk that does not answer for PATIENCE must not stop the world from seeing what is sampled: the next time that the
 * sampler comes, it hands on what waits by itself. The journal thread writes those batches all the same when it can. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/inside.h"
#include "store/ledger.h"
#include "store/record.h"

/* How long the journal may take before samples are shown without it. */
#define PATIENCE CLOCK_SECOND

/* Bytes of batches that may wait for the journal once they were handed on; then the oldest are not journalled at all. */
#define HANDED_MAX ((size_t)16 << 20)

/* Batches whose memory is kept for the next ones: those of some ticks. */
#define SPARE_MAX 32

/* Bytes of gaps that may wait for the journal; the ledger has them anyway. */
#define GAPS_MAX ((size_t)1 << 20)

/* A batch on its way. */
struct item {
	struct item *next;
	bool handed;             /* order: it is in the buffers and was shown */
	const struct plan *plan; /* whose families the batch means; held */
	struct batch batch;
};

struct list {
	struct item *first, **end;
	size_t count, bytes;
};

struct intake {
	struct store *store;
	pthread_t thread;
	pthread_mutex_t order; /* inside.h */
	pthread_mutex_t lock;
	pthread_cond_t come; /* something waits, or the end */
	pthread_cond_t gone; /* nothing waits any more */
	bool ending, ended;
	struct record_buffer gaps; /* records without serial, one behind the other */
	struct list waiting;
	struct list writing;   /* what the journal thread writes now. Changed by it alone, with both locks held */
	int64_t writing_since; /* monotonic, ns; 0: it writes nothing */
	bool late;             /* order: the disk does not answer, and that was told */
	uint64_t handed;       /* order: what the journal holds up to here was handed on, and nothing behind it */
	struct item *spare;    /* for the next batches */
	size_t spare_count;
};

static void empty(struct list *list)
{
	*list = (struct list){.end = &list->first};
}

static size_t bytes_of(const struct batch *batch)
{
	return sizeof(struct item) + batch->text_length +
	       batch->row_count * (sizeof(*batch->rows) + batch->field_count * sizeof(*batch->values));
}

static void append(struct list *list, struct item *item)
{
	item->next = NULL;
	*list->end = item;
	list->end = &item->next;
	list->count++;
	list->bytes += bytes_of(&item->batch);
}

static struct item *remove_first(struct list *list)
{
	struct item *item = list->first;

	list->first = item->next;
	list->count--;
	list->bytes -= bytes_of(&item->batch);
	if (!list->first)
		list->end = &list->first;
	return item;
}

/* Moves everything; `to` is empty. */
static void move(struct list *to, struct list *from)
{
	empty(to);
	if (from->first) {
		*to = *from;
		empty(from);
	}
}

/* --- handing on: with `order` held ---------------------------------------------------------------------------- */

/* To the buffers of the files. */
static void buffer(struct store *store, const struct batch *batch)
{
	if (!batch->on_tick)
		return;
	if (store->down_since)
		store_end_down(store, batch->tick);
	pthread_mutex_lock(&store->lock);
	for (size_t row = 0; row < batch->row_count; row++)
		series_add(store, series_get(store, batch->family, batch_name(batch, row), row), batch->tick, batch->fresh,
		           batch_values(batch, row));
	pthread_mutex_unlock(&store->lock);
}

/* What was sampled together is shown together. */
static void hand_on(struct intake *intake, const struct list *list)
{
	struct store *store = intake->store;
	struct batch **batches = memory_array(list->count, sizeof(struct batch *));
	size_t count = 0;

	for (struct item *item = list->first; item; item = item->next) {
		if (item->handed)
			continue;
		item->handed = true;
		buffer(store, &item->batch);
		batches[count++] = &item->batch;
	}
	if (store->sink.kept && count > 0)
		store->sink.kept(store->sink.context, batches, count);
	free(batches);
}

static void set_late(struct intake *intake, bool late)
{
	if (late && !intake->late)
		log_error("%s: the disk does not answer; samples are shown, and kept in memory until it does",
		          intake->store->plan->data_dir);
	else if (!late && intake->late)
		log_info("%s: the disk answers again", intake->store->plan->data_dir);
	intake->late = late;
	pthread_mutex_lock(&intake->store->lock);
	intake->store->status.late = late;
	pthread_mutex_unlock(&intake->store->lock);
}

/* --- the journal thread --------------------------------------------------------------------------------------- */

void intake_tell_journal(struct store *store, int failed, const struct error *error)
{
	struct store_status *status = &store->status;

	pthread_mutex_lock(&store->lock);
	if (failed && !status->journal_error[0])
		log_error("%s; until it can be written, a crash loses what is not in the RRD files yet", error->text);
	else if (!failed && status->journal_error[0])
		log_info("the journal is written again");
	snprintf(status->journal_error, sizeof(status->journal_error), "%s", failed ? error->text : "");
	pthread_mutex_unlock(&store->lock);
}

static void write_list(struct intake *intake, const struct list *list, const struct record_buffer *gaps)
{
	struct journal *journal = intake->store->journal;
	struct error error = {""};

	if (gaps->length)
		journal_put_gaps(journal, gaps);
	for (const struct item *item = list->first; item; item = item->next)
		if (item->batch.on_tick)
			journal_put_batch(journal, item->plan->families[item->batch.family].table, &item->batch);
	/* Of a write of nothing nothing can be said. */
	if (journal_waits(journal))
		intake_tell_journal(intake->store, journal_write(journal, &error), &error);
}

static void release_item(struct item *item)
{
	plan_release(item->plan);
	batch_release(&item->batch);
	free(item);
}

/* Keeps some items for the next batches, with the memory of their batches. With the lock held. */
static void recycle(struct intake *intake, struct list *list)
{
	while (list->first) {
		struct item *item = remove_first(list);

		if (intake->spare_count == SPARE_MAX) {
			release_item(item);
			continue;
		}
		plan_release(item->plan);
		item->plan = NULL;
		item->handed = false;
		item->next = intake->spare;
		intake->spare = item;
		intake->spare_count++;
	}
}

static void *live(void *context)
{
	struct intake *intake = context;
	struct record_buffer gaps;
	struct list mine;
	uint64_t place;

	pthread_setname_np(pthread_self(), "journal");
	pthread_mutex_lock(&intake->lock);
	for (;;) {
		while (!intake->waiting.first && !intake->gaps.length && !intake->ending)
			pthread_cond_wait(&intake->come, &intake->lock);
		if (!intake->waiting.first && !intake->gaps.length)
			break;
		gaps = intake->gaps;
		intake->gaps = (struct record_buffer){0};
		move(&intake->writing, &intake->waiting);
		intake->writing_since = clock_monotonic();
		pthread_mutex_unlock(&intake->lock);
		write_list(intake, &intake->writing, &gaps);
		record_buffer_release(&gaps);
		place = journal_place(intake->store->journal);
		pthread_mutex_lock(&intake->order);
		hand_on(intake, &intake->writing);
		intake->handed = place;
		if (intake->late)
			set_late(intake, false);
		pthread_mutex_lock(&intake->lock);
		move(&mine, &intake->writing);
		intake->writing_since = 0;
		recycle(intake, &mine);
		pthread_mutex_unlock(&intake->order);
		if (!intake->waiting.first)
			pthread_cond_broadcast(&intake->gone);
	}
	intake->ended = true;
	pthread_cond_broadcast(&intake->gone);
	pthread_mutex_unlock(&intake->lock);
	return NULL;
}

/* --- the sampler ---------------------------------------------------------------------------------------------- */

/* With the lock held. */
static bool is_hanging(const struct intake *intake)
{
	return intake->writing_since && clock_monotonic() - intake->writing_since > PATIENCE;
}

/* With the lock held. */
static void shorten(struct list *list)
{
	while (list->bytes > HANDED_MAX)
		release_item(remove_first(list));
}

/* With the lock held. */
static struct item *take_spare(struct intake *intake)
{
	struct item *item = intake->spare;

	if (!item)
		return memory_alloc(sizeof(*item));
	intake->spare = item->next;
	intake->spare_count--;
	return item;
}

/* The journal thread hangs in a write: what it holds, and what has come since, is handed on without it. */
static void bypass(struct intake *intake)
{
	bool hangs;

	pthread_mutex_lock(&intake->order);
	pthread_mutex_lock(&intake->lock);
	hangs = is_hanging(intake);
	pthread_mutex_unlock(&intake->lock);
	/* It cannot come back while `order` is held: the lists stay as they are. */
	if (hangs) {
		set_late(intake, true);
		hand_on(intake, &intake->writing);
		hand_on(intake, &intake->waiting);
		pthread_mutex_lock(&intake->lock);
		shorten(&intake->waiting);
		pthread_mutex_unlock(&intake->lock);
	}
	pthread_mutex_unlock(&intake->order);
}

static bool any_on_tick(struct batch *const *batches, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (batches[i]->on_tick)
			return true;
	return false;
}

/* What is taken at /start is not stored: it need not wait, unless there is something before it. */
static bool show_at_once(struct intake *intake, struct batch *const *batches, size_t count)
{
	struct store *store = intake->store;
	bool idle;

	pthread_mutex_lock(&intake->order);
	pthread_mutex_lock(&intake->lock);
	idle = !intake->waiting.first && !intake->writing_since;
	pthread_mutex_unlock(&intake->lock);
	if (idle && store->sink.kept)
		store->sink.kept(store->sink.context, batches, count);
	pthread_mutex_unlock(&intake->order);
	return idle;
}

/* All of them at once, and the signal without the lock: so the journal's thread wakes once for a tick. */
void intake_put(struct intake *intake, struct batch *const *batches, size_t count)
{
	bool hangs;

	if (!any_on_tick(batches, count) && show_at_once(intake, batches, count))
		return;
	pthread_mutex_lock(&intake->lock);
	for (size_t i = 0; i < count; i++) {
		struct item *item = take_spare(intake);

		item->plan = plan_hold(intake->store->plan);
		batch_copy(&item->batch, batches[i]);
		append(&intake->waiting, item);
	}
	hangs = is_hanging(intake);
	pthread_mutex_unlock(&intake->lock);
	pthread_cond_signal(&intake->come);
	if (hangs)
		bypass(intake);
}

void intake_calm(struct intake *intake)
{
	bool hangs = false;

	pthread_mutex_lock(&intake->lock);
	while ((intake->waiting.first || intake->writing_since) && !hangs) {
		const struct timespec soon = clock_deadline(PATIENCE / 10);

		pthread_cond_timedwait(&intake->gone, &intake->lock, &soon);
		hangs = is_hanging(intake);
	}
	pthread_mutex_unlock(&intake->lock);
	if (hangs)
		bypass(intake);
}

void intake_put_gap(struct intake *intake, const struct gap *gap)
{
	pthread_mutex_lock(&intake->lock);
	if (intake->gaps.length < GAPS_MAX) {
		journal_begin_gap(&intake->gaps);
		ledger_encode(gap, &intake->gaps);
		record_end(&intake->gaps);
	}
	pthread_cond_signal(&intake->come);
	pthread_mutex_unlock(&intake->lock);
}

void intake_drain(struct intake *intake)
{
	pthread_mutex_lock(&intake->lock);
	while (intake->waiting.first || intake->writing_since)
		pthread_cond_wait(&intake->gone, &intake->lock);
	pthread_mutex_unlock(&intake->lock);
}

uint64_t intake_hold(struct intake *intake)
{
	pthread_mutex_lock(&intake->order);
	return intake->handed;
}

void intake_go_on(struct intake *intake)
{
	pthread_mutex_unlock(&intake->order);
}

/* --- up and down ---------------------------------------------------------------------------------------------- */

struct intake *intake_new(struct store *store)
{
	struct intake *intake = memory_alloc(sizeof(*intake));

	intake->store = store;
	intake->handed = journal_place(store->journal);
	empty(&intake->waiting);
	empty(&intake->writing);
	pthread_mutex_init(&intake->order, NULL);
	pthread_mutex_init(&intake->lock, NULL);
	clock_condition(&intake->come);
	clock_condition(&intake->gone);
	if (pthread_create(&intake->thread, NULL, live, intake) != 0) {
		log_error("cannot start the journal's thread");
		abort();
	}
	return intake;
}

static void release(struct item *item)
{
	while (item) {
		struct item *next = item->next;

		release_item(item);
		item = next;
	}
}

bool intake_end(struct intake *intake, int64_t patience)
{
	const struct timespec deadline = clock_deadline(patience);
	bool ended;

	pthread_mutex_lock(&intake->lock);
	intake->ending = true;
	pthread_cond_signal(&intake->come);
	while (!intake->ended && pthread_cond_timedwait(&intake->gone, &intake->lock, &deadline) == 0)
		continue;
	ended = intake->ended;
	pthread_mutex_unlock(&intake->lock);
	if (ended)
		pthread_join(intake->thread, NULL);
	else
		pthread_detach(intake->thread);
	return ended;
}

void intake_free(struct intake *intake)
{
	release(intake->waiting.first);
	release(intake->writing.first);
	release(intake->spare);
	record_buffer_release(&intake->gaps);
	pthread_mutex_destroy(&intake->order);
	pthread_mutex_destroy(&intake->lock);
	pthread_cond_destroy(&intake->come);
	pthread_cond_destroy(&intake->gone);
	free(intake);
}
