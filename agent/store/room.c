/* store/room.c: keeps the data folder within purge { after, max_size }.
 *
 * Before a file is made there must be room for it: if there is not, vanished instances go, the longest-vanished first.
 * Now and then those go that have been away for `after`. What purge.c chooses, the metric room is asked to forget: it
 * says no where the instance has just come back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/inside.h"
#include "store/purge.h"
#include "store/survey.h"

/* An instance is there when it has had a sample within so many intervals of its family's newest. */
#define ALIVE_INTERVALS 3

/* How often vanished instances are looked for, at the most and at the least. */
#define LOOK_MAX (10 * 60 * CLOCK_SECOND)
#define LOOK_MIN CLOCK_SECOND

/* The newest tick of a family; 0: none since the start. With `lock` held. */
static int64_t newest_of(const struct family_store *files)
{
	int64_t newest = 0;

	for (size_t i = 0; i < files->count; i++)
		if (files->series[i] && files->series[i]->seen > newest)
			newest = files->series[i]->seen;
	return newest;
}

/* Whether the file's instance had a sample lately. A file that is written through a map may look older than it is. With
 * `lock` held. */
static bool is_alive(struct store *store, struct survey_file *file, int64_t newest)
{
	const struct series *series = series_find(store, file->family, file->instance);

	if (series && series->seen > file->changed)
		file->changed = series->seen;
	return series && series->seen > newest - ALIVE_INTERVALS * store->plan->families[file->family].plugin->interval;
}

/* Of families that were sampled since the start it is known who is there; of the others their files tell. */
static void find_alive(struct store *store, struct survey *survey, bool *alive)
{
	int64_t *newest = memory_array(store->plan->family_count, sizeof(*newest));

	survey_guess(survey, store->plan, alive);
	pthread_mutex_lock(&store->lock);
	for (size_t i = 0; i < store->plan->family_count; i++)
		newest[i] = newest_of(&store->families[i]);
	for (size_t i = 0; i < survey->count; i++) {
		struct survey_file *file = &survey->files[i];

		if (file->kind == SURVEY_SERIES && file->instance && newest[file->family])
			alive[i] = is_alive(store, file, newest[file->family]);
	}
	pthread_mutex_unlock(&store->lock);
	free(newest);
}

/* A purge_forget. The journal hears of it first: samples that it still has must not bring the file back. */
static bool forget(void *context, const struct survey_file *file)
{
	struct store *store = context;
	bool forgotten = true;
	struct error ignored;

	if (file->kind != SURVEY_SERIES || !file->instance)
		return true;
	pthread_mutex_lock(&store->lock);
	if (store->sink.forget)
		forgotten = store->sink.forget(store->sink.context, file->family, file->instance);
	if (forgotten)
		series_remove(store, file->family, file->instance);
	pthread_mutex_unlock(&store->lock);
	if (forgotten) {
		relay_let_go(store, file->path);
		journal_put_drop(store->journal, store->plan->families[file->family].table->name, file->instance, INT64_MIN);
		journal_write(store->journal, &ignored);
	}
	return forgotten;
}

static void tell(const struct survey *survey, const struct purge *purge, const struct purge_done *done)
{
	char size[TEXT_AMOUNT_SIZE];

	if (done->files == 0)
		return;
	log_info("purged %zu files of what has vanished, %s, %s first%s", done->files,
	         text_from_size((double)done->bytes, size), survey->files[purge->files[0]].path,
	         purge->expired < purge->count ? ": there has to be room (purge.max_size)" : "");
}

/* With `writing` held. -1 with the words: there is no room for `needed` bytes. */
static int purge(struct store *store, int64_t needed, struct error *error)
{
	struct survey survey = {0};
	struct purge purge = {0};
	struct purge_done done;
	bool *alive;
	int failed = 0;

	if (survey_take(&survey, store->plan, error) < 0) {
		survey_release(&survey);
		return -1;
	}
	alive = memory_array(survey.count, sizeof(bool));
	find_alive(store, &survey, alive);
	purge_choose(&purge, &survey, alive, store->plan, clock_wall(), needed);
	if (purge_run(&purge, &survey, store->plan, forget, store, &done, error) < 0)
		log_warning("%s", error->text);
	tell(&survey, &purge, &done);
	store->used = survey.total - done.bytes;
	if (!purge.fits)
		failed = error_set(error, "%s; give more, or keep less in retention { … }", purge.words);
	else if (store->used + needed > store->plan->purge_max_size)
		failed = error_set(error, "purge { max_size = … } is reached, and nothing more can go");
	purge_release(&purge);
	free(alive);
	survey_release(&survey);
	return failed;
}

int room_make(struct store *store, int64_t needed, struct error *error)
{
	if ((store->used == 0 || store->used + needed > store->plan->purge_max_size) && purge(store, needed, error) < 0)
		return -1;
	store->used += needed;
	return 0;
}

static int64_t look_every(const struct plan *plan)
{
	int64_t time = plan->purge_after * CLOCK_SECOND / 4;

	return time > LOOK_MAX ? LOOK_MAX : time < LOOK_MIN ? LOOK_MIN : time;
}

void room_keep(struct store *store)
{
	int64_t now = clock_monotonic();
	struct error error = {""};

	if (now < store->purge_next)
		return;
	/* Not before the first samples have told who is there. */
	if (store->purge_next != 0) {
		pthread_mutex_lock(&store->writing);
		if (purge(store, 0, &error) < 0)
			log_warning("%s", error.text);
		pthread_mutex_unlock(&store->writing);
	}
	store->purge_next = now + look_every(store->plan);
}
