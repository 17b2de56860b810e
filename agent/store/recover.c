/* store/recover.c: the start after any end.
 *
 * Where the last run ended as it should, there is nothing to do. Otherwise a file may have been left in the middle of an
 * update: the kernel has all pages of it after a kill, and any mixture of old and new ones after a power cut. So each
 * file gets the header back that it had before it was first written to since the last checkpoint, and then all samples
 * since, in the order in which they came. Rows that are written again are the same rows: it can be done any number of
 * times, and be interrupted at any moment. After a power cut a file that was made since the checkpoint is made again.
 *
 * While the agent runs this is done again when another process that writes the files has lost some samples (relay.c):
 * then for what has left the buffers. What waits there waits on, and is not taken from the journal. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/inside.h"
#include "store/ledger.h"
#include "store/rrd.h"

/* Samples of one file that are written at once. Many, for each time costs a search through the file's header. */
#define WRITE_MANY 1024

/* A drop that was found, with copies of its texts; or, while `place` may still follow, a step back of the clock. */
struct dropped {
	char *family, *instance;
	int64_t from;
	size_t place;
	bool handled; /* a step: the file was cut for it */
};

struct dropped_list {
	size_t count;
	struct dropped *items;
};

/* What is known of a series meanwhile. */
struct replayed {
	bool restored;          /* the file has the header that it had */
	int64_t seen;           /* the last tick that was read */
	int64_t floor;          /* up to here its samples are in the file: ns; 0: not looked at yet */
	struct backlog waiting; /* while the agent runs: what is to leave next … */
	int64_t next;           /* … the tick that waits first: ns; 0: nothing waits … */
	size_t until;           /* … and its place in the journal */
};

struct recovery {
	struct store *store;
	bool running;        /* the agent does: recover_again() */
	uint64_t generation; /* of the last checkpoint: images that are older are void */
	struct dropped_list dropped, steps;
	double *values; /* one row in the plan's order of fields */
	bool ended, same_boot;
	bool failed;
	struct error error; /* the last that failed */
	size_t replayed;
	struct orphan *orphans;
};

/* SIZE_MAX: the plan has no such family. */
static size_t find_family(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->family_count; i++)
		if (strcmp(plan->families[i].table->name, name) == 0)
			return i;
	return SIZE_MAX;
}

/* While the agent runs, what it does not know any more was purged: NULL. */
static struct series *find_series(struct recovery *recovery, size_t family, const char *instance)
{
	struct store *store = recovery->store;
	struct series *series;

	pthread_mutex_lock(&store->lock);
	series = recovery->running ? series_find(store, family, instance) : series_get(store, family, instance, SIZE_MAX);
	pthread_mutex_unlock(&store->lock);
	if (series && !series->replayed && !recovery->running)
		series->replayed = memory_alloc(sizeof(*series->replayed));
	return series && series->replayed ? series : NULL;
}

/* While the agent runs all of it is tried again. At the start, all that can be done is done. */
static void note_failure(struct recovery *recovery, const struct error *error)
{
	if (!recovery->running) {
		log_warning("%s", error->text);
		return;
	}
	recovery->error = *error;
	recovery->failed = true;
}

/* --- headers -------------------------------------------------------------------------------------------------- */

/* Whether a power cut may have left zeros where unknown rows should be: the file was never synced. */
static bool is_hollow(const struct recovery *recovery, const struct journal_image *image)
{
	return image->made && !recovery->same_boot;
}

/* Brings the file to where it was when the image was taken. */
static int put_back(struct recovery *recovery, struct series *series, const struct journal_image *image,
                    struct error *error)
{
	relay_let_go(recovery->store, series->path);
	if (!is_hollow(recovery, image))
		return file_write_head(series->path, image->bytes, image->length, error);
	if (unlink(series->path) < 0)
		return error_set(error, "cannot remove %s: %s", series->path, strerror(errno));
	return 0;
}

/* The oldest image of a file counts: what came later is written again. Also after an end as it should be the file is
 * one that was written to since the last checkpoint. */
static void restore(void *context, const struct journal_image *image)
{
	struct recovery *recovery = context;
	size_t family = find_family(recovery->store->plan, image->family);
	struct error error;
	struct series *series;

	if (!recovery->running && image->generation > recovery->store->generation)
		recovery->store->generation = image->generation;
	if (image->generation < recovery->generation || family == SIZE_MAX)
		return;
	series = find_series(recovery, family, image->instance);
	if (!series || series->replayed->restored || !file_is_same(series->path, image->inode, image->file_size))
		return;
	series->replayed->restored = true;
	if (recovery->ended)
		return;
	if (put_back(recovery, series, image, &error) < 0)
		note_failure(recovery, &error);
	else if (is_hollow(recovery, image))
		series->replayed->restored = false;
}

/* --- samples -------------------------------------------------------------------------------------------------- */

static void add(struct dropped_list *list, const char *family, const char *instance, int64_t from, size_t place)
{
	list->items = memory_resize(list->items, list->count + 1, sizeof(*list->items));
	list->items[list->count++] = (struct dropped){memory_text(family), memory_text(instance), from, place, false};
}

static bool is_of(const struct dropped *dropped, const char *family, const char *instance)
{
	return strcmp(dropped->instance, instance) == 0 && strcmp(dropped->family, family) == 0;
}

/* Where the clock was set back is seen by the ticks. */
static void note_step(void *context, const struct journal_sample *sample)
{
	struct recovery *recovery = context;
	size_t family = find_family(recovery->store->plan, sample->family);
	struct series *series;

	if (family == SIZE_MAX)
		return;
	series = find_series(recovery, family, sample->instance);
	if (!series)
		return;
	if (series->replayed->seen - sample->tick >= recovery->store->families[family].layout.heartbeat * CLOCK_SECOND)
		add(&recovery->steps, sample->family, sample->instance, sample->tick, sample->place);
	series->replayed->seen = sample->tick;
	/* Of two of that time, which a clock that was set back makes, the last one waits. */
	if (sample->tick == series->replayed->next)
		series->replayed->until = sample->place;
}

/* Samples are void that came before the file was removed, or before the clock was set back to where it was cut: those
 * that were cut off are in the file that was kept. The step is the last one to that time. */
static void note_drop(void *context, const struct journal_drop *drop)
{
	struct recovery *recovery = context;
	size_t place = drop->place;

	for (size_t i = 0; drop->from != INT64_MIN && i < recovery->steps.count; i++)
		if (recovery->steps.items[i].from == drop->from &&
		    is_of(&recovery->steps.items[i], drop->family, drop->instance)) {
			recovery->steps.items[i].handled = true;
			place = recovery->steps.items[i].place;
		}
	add(&recovery->dropped, drop->family, drop->instance, drop->from, place);
}

/* Whether the clock was set back before the sample, and the file has not been cut for that yet. */
static bool is_behind_step(const struct recovery *recovery, const struct journal_sample *sample)
{
	for (size_t i = 0; i < recovery->steps.count; i++) {
		const struct dropped *step = &recovery->steps.items[i];

		if (!step->handled && step->place <= sample->place && is_of(step, sample->family, sample->instance))
			return true;
	}
	return false;
}

/* Whether the file has it: up to its last update, as far as time went on. */
static bool is_written(const struct recovery *recovery, struct series *series, const struct journal_sample *sample)
{
	if (series->replayed->floor == 0) {
		struct file_facts facts = {.last = -1};
		struct error ignored;

		file_inspect(series->path, &recovery->store->families[series->family].layout, &facts, &ignored);
		series->replayed->floor = facts.last * CLOCK_SECOND;
	}
	return sample->tick <= series->replayed->floor && !is_behind_step(recovery, sample);
}

static bool is_dropped(const struct recovery *recovery, const struct journal_sample *sample)
{
	for (size_t i = 0; i < recovery->dropped.count; i++) {
		const struct dropped *dropped = &recovery->dropped.items[i];

		if (sample->place < dropped->place && sample->tick >= dropped->from &&
		    is_of(dropped, sample->family, sample->instance))
			return true;
	}
	return false;
}

/* The values in the plan's order; what the sample does not have is unknown. */
static const double *arrange(struct recovery *recovery, const struct pindrop_family *family,
                             const struct journal_sample *sample)
{
	if (!sample->fields)
		return sample->values;
	for (size_t i = 0; i < family->field_count; i++) {
		recovery->values[i] = NAN;
		for (size_t k = 0; k < sample->field_count; k++)
			if (strcmp(sample->fields[k], family->fields[i].name) == 0)
				recovery->values[i] = sample->values[k];
	}
	return recovery->values;
}

/* Takes the sample to where it was, and now and then many of them to the file. */
static void take(struct recovery *recovery, struct series *series, const struct journal_sample *sample,
                 const double *values)
{
	struct store *store = recovery->store;
	struct error error;

	recovery->replayed++;
	if (recovery->running) {
		series_put(store, series, sample->tick, sample->fresh, values);
		if (series->leaving.count >= WRITE_MANY && series_write(store, series, &error) < 0)
			note_failure(recovery, &error);
		return;
	}
	pthread_mutex_lock(&store->lock);
	series_add(store, series, sample->tick, sample->fresh, values);
	pthread_mutex_unlock(&store->lock);
	if (series->coming.count < WRITE_MANY)
		return;
	/* What fails is tried again, and told, by the flush. */
	pthread_mutex_lock(&store->writing);
	series_flush(store, series, &error);
	pthread_mutex_unlock(&store->writing);
}

/* While the agent runs: whether the sample is in the buffers. What came while the journal could not be written is not in
 * it: then all waits that is as late as the first that does. */
static bool is_waiting(const struct replayed *replayed, const struct journal_sample *sample)
{
	if (!replayed->next)
		return false;
	return replayed->until == SIZE_MAX ? sample->tick >= replayed->next : sample->place >= replayed->until;
}

static void replay(void *context, const struct journal_sample *sample)
{
	struct recovery *recovery = context;
	const struct plan *plan = recovery->store->plan;
	size_t family = find_family(plan, sample->family);
	struct series *series;

	if (is_dropped(recovery, sample))
		return;
	if (family == SIZE_MAX) {
		if (sample->fields && !recovery->running)
			orphan_add(&recovery->orphans, sample);
		return;
	}
	series = find_series(recovery, family, sample->instance);
	if (!series || recovery->failed || is_waiting(series->replayed, sample) || is_written(recovery, series, sample))
		return;
	take(recovery, series, sample, arrange(recovery, plan->families[family].table, sample));
}

/* Gaps that the ledger may not have been written with. */
static void tell_again(void *context, const unsigned char *bytes, size_t length)
{
	struct recovery *recovery = context;
	struct gap gap;

	if (ledger_decode(bytes, length, &gap))
		ledger_add(recovery->store->ledger, &gap);
}

/* From the last tick until now nobody was there. How it came is known by the end of the journal. */
static void tell_down(struct store *store, const struct journal_found *found)
{
	const struct gap gap = {
		.reason = GAP_AGENT_DOWN,
		.from = found->last,
		.to = clock_wall(),
		.words = found->ended ? NULL : "it was killed, or the machine went down",
	};

	if (!found->last)
		return;
	store->down_since = found->last;
	store->down_words = gap.words;
	if (gap.to > gap.from)
		store_tell(store, &gap);
}

/* --- all of it ------------------------------------------------------------------------------------------------ */

static size_t most_fields(const struct plan *plan)
{
	size_t most = 0;

	for (size_t i = 0; i < plan->family_count; i++)
		if (plan->families[i].table->field_count > most)
			most = plan->families[i].table->field_count;
	return most;
}

static void tell(const struct recovery *recovery, const struct journal_found *found, int64_t duration)
{
	if (found->damaged || found->torn)
		log_warning("%s/.journal: %zu records are damaged%s; everything around them was read",
		            recovery->store->plan->data_dir, found->damaged + found->torn,
		            found->torn ? ", the last was not written to its end" : "");
	if (!found->ended)
		log_info("the last run did not end as it should: %zu samples were taken from the journal, %.0f ms",
		         recovery->replayed, clock_seconds(duration) * 1000);
}

static void release(struct dropped_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].family);
		free(list->items[i].instance);
	}
	free(list->items);
}

/* What the journal already has an image of needs no other one in this generation. Nothing was seen in this run yet. */
static void mark_imaged(struct store *store)
{
	struct series *series;

	for (size_t family = 0, index = 0; (series = series_next(store, &family, &index));) {
		series->imaged = series->replayed && series->replayed->restored ? store->generation : 0;
		series->seen = 0;
	}
}

static void forget_replayed(struct store *store)
{
	struct series *series;

	for (size_t family = 0, index = 0; (series = series_next(store, &family, &index));) {
		free(series->replayed);
		series->replayed = NULL;
	}
}

void recover(struct store *store, const struct journal_found *found)
{
	int64_t began = clock_monotonic();
	struct recovery recovery = {.store = store,
	                            .generation = found->generation,
	                            .ended = found->ended,
	                            .same_boot = found->same_boot};
	const struct journal_visitor first = {.sample = note_step,
	                                      .image = restore,
	                                      .drop = note_drop,
	                                      .context = &recovery};
	const struct journal_visitor second = {.sample = replay, .gap = tell_again, .context = &recovery};

	store->generation = found->generation ? found->generation : 1;
	if (!found->used)
		return;
	tell_down(store, found);
	recovery.values = memory_array(most_fields(store->plan), sizeof(double));
	journal_read(store->journal, &first);
	mark_imaged(store);
	if (!found->ended) {
		journal_read(store->journal, &second);
		orphan_end(&recovery.orphans, store->plan);
		store_flush(store);
	}
	store->status.replayed = recovery.replayed;
	store->status.replay_duration = clock_monotonic() - began;
	tell(&recovery, found, store->status.replay_duration);
	forget_replayed(store);
	release(&recovery.dropped);
	release(&recovery.steps);
	free(recovery.values);
}

/* --- while the agent runs: with `flushing` and `writing` held --------------------------------------------------- */

/* What a series has in its buffers is put by. Returns the place up to which the journal has what has left them. */
static uint64_t put_by(struct store *store)
{
	uint64_t place = intake_hold(store->intake);
	struct series *series;

	for (size_t family = 0, index = 0; (series = series_next(store, &family, &index));) {
		struct replayed *replayed = series->replayed = memory_alloc(sizeof(*replayed));

		replayed->until = SIZE_MAX;
		replayed->waiting = series->leaving;
		series->leaving = (struct backlog){.field_count = series->leaving.field_count};
		pthread_mutex_lock(&store->lock);
		if (replayed->waiting.count > 0)
			replayed->next = replayed->waiting.ticks[0];
		else if (series->coming.count > 0)
			replayed->next = series->coming.ticks[0];
		pthread_mutex_unlock(&store->lock);
		series->ready = false;
	}
	intake_go_on(store->intake);
	return place;
}

/* Writes what is left to write, and lets what waited wait on. */
static void finish(struct recovery *recovery)
{
	struct store *store = recovery->store;
	struct error error;
	struct series *series;

	for (size_t family = 0, index = 0; (series = series_next(store, &family, &index));) {
		if (!series->replayed)
			continue;
		if (!recovery->failed && series_write(store, series, &error) < 0)
			note_failure(recovery, &error);
		series_drop(store, series);
		series->leaving = series->replayed->waiting;
		free(series->replayed);
		series->replayed = NULL;
	}
}

int recover_again(struct store *store, size_t *replayed, struct error *error)
{
	struct recovery recovery = {.store = store, .running = true, .same_boot = true};
	const struct journal_visitor first = {.sample = note_step,
	                                      .image = restore,
	                                      .drop = note_drop,
	                                      .context = &recovery};
	const struct journal_visitor second = {.sample = replay, .context = &recovery};
	struct journal_status status;
	uint64_t place;

	journal_status(store->journal, &status);
	recovery.generation = status.generation;
	recovery.values = memory_array(most_fields(store->plan), sizeof(double));
	place = put_by(store);
	journal_read_to(store->journal, &first, place);
	if (!recovery.failed)
		journal_read_to(store->journal, &second, place);
	finish(&recovery);
	*replayed = recovery.replayed;
	if (recovery.failed)
		*error = recovery.error;
	release(&recovery.dropped);
	release(&recovery.steps);
	free(recovery.values);
	return recovery.failed ? -1 : 0;
}
