/* store/timeline.c: what becomes of a file when the clock is set.
 *
 *     back         the file has rows that lie in the future now: they go to a file of their own, "cpu.rrd.future-…", and the
 *                  file goes on from where the clock is
 *     far ahead    rows that are not old would make room for a gap: the file is kept as "cpu.rrd.before-…". Was the new time
 *                  wrong, it is joined again when the clock is set back; was it right, it is purged like what has vanished
 *     ahead again  a board without a battery begins in 1970, and hears the time from the network: what had been the future
 *                  is joined again when it is the past
 *
 * Steps back within the heartbeat change nothing: for so long the file's newer rows are waited for. */
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/aside.h"
#include "store/inside.h"
#include "store/move.h"
#include "store/rrd.h"

/* The leap that leaves rows of the coarsest tier alone; with one tier, half of them. */
static int64_t far_ahead(const struct plan *plan)
{
	int64_t keep = plan->tier_count > 1 ? plan->tiers[plan->tier_count - 2].keep : plan->tiers[0].keep / 2;

	return keep * CLOCK_SECOND;
}

/* A path as a pattern that matches itself. For free(). */
static char *quote(const char *path, const char *rest)
{
	char *quoted = memory_array(2 * strlen(path) + strlen(rest) + 1, 1), *end = quoted;

	for (; *path; path++) {
		if (strchr("*?[\\", *path))
			*end++ = '\\';
		*end++ = *path;
	}
	strcpy(end, rest);
	return quoted;
}

/* The files that were set aside for the given reason and end before a time, s. For globfree(). */
static void find_aside(const struct series *series, const struct layout *layout, const char *pattern, int64_t before,
                       glob_t *found)
{
	char *quoted = quote(series->path, pattern);
	size_t kept = 0;

	if (glob(quoted, GLOB_NOSORT, NULL, found) != 0)
		found->gl_pathc = 0;
	free(quoted);
	for (size_t i = 0; i < found->gl_pathc; i++) {
		struct file_facts facts = {0};
		struct error ignored;
		char *path = found->gl_pathv[i];

		if (file_inspect(path, layout, &facts, &ignored) == FILE_DAMAGED || facts.last >= before)
			continue;
		found->gl_pathv[i] = found->gl_pathv[kept];
		found->gl_pathv[kept++] = path;
	}
	/* globfree() frees as many as it counts. */
	for (size_t i = kept; i < found->gl_pathc; i++)
		free(found->gl_pathv[i]);
	found->gl_pathc = kept;
}

/* Puts what files that were set aside know into the file, which then has all of it: they go. */
static int join(struct store *store, struct series *series, const glob_t *others, int64_t end, struct error *error)
{
	const struct layout *layout = &store->families[series->family].layout;

	if (others->gl_pathc == 0)
		return 0;
	if (file_join(series->path, layout, (const char *const *)others->gl_pathv, others->gl_pathc, end, error) < 0)
		return -1;
	for (size_t i = 0; i < others->gl_pathc; i++) {
		log_info("%s: the rows of %s are in it again", series->path, others->gl_pathv[i]);
		unlink(others->gl_pathv[i]);
	}
	return 0;
}

/* The file is another one now. */
static int look_anew(struct store *store, struct series *series, struct error *error)
{
	series_look_again(series);
	store->used = 0;
	return series_ready(store, series, error);
}

static int turn_back(struct store *store, struct series *series, int64_t tick, struct error *error)
{
	const struct layout *layout = &store->families[series->family].layout;
	int64_t end = tick / CLOCK_SECOND - layout->step;
	char time[CLOCK_TEXT_SIZE], *kept = NULL, *words;
	glob_t before = {0};
	int failed;

	if (room_make(store, layout->file_size, error) < 0 || file_cut(series->path, layout, end, &kept, error) < 0)
		return -1;
	clock_format(tick, time);
	log_warning("%s: the clock was set back to %.19s; what lies after that is kept as %s", series->path, time, kept);
	words = memory_format("set back to %.19s, and what had been sampled after that is in %s", time, kept);
	store_tell_of(store, series->family, series->instance, GAP_CLOCK_STEP, end * CLOCK_SECOND, series->last, words);
	free(words);
	free(kept);
	find_aside(series, layout, ".before-*", end + 1, &before);
	failed = join(store, series, &before, end, error);
	globfree(&before);
	/* Samples of the journal from before the step back are in the file that was kept. */
	journal_put_drop(store->journal, store->plan->families[series->family].table->name, series->instance, tick);
	return failed < 0 || look_anew(store, series, error) < 0 ? -1 : 0;
}

/* The file as it is stays beside it: it is renamed, and a new one is made with its rows. */
static int keep_before(struct store *store, struct series *series, struct error *error)
{
	const struct layout *layout = &store->families[series->family].layout;
	const char *kept;

	if (room_make(store, layout->file_size, error) < 0) {
		log_warning("%s: the clock is far ahead of it, and there is no room to keep it as it is: %s", series->path,
		            error->text);
		return 0;
	}
	kept = aside_rename(series->path, "before", error);
	if (!kept)
		return -1;
	log_warning("%s: the clock is far ahead of it; in case that is wrong it is kept as %s", series->path, kept);
	if (file_join(series->path, layout, &kept, 1, INT64_MAX, error) < 0) {
		/* As it was. */
		(void)!rename(kept, series->path);
		free((char *)kept);
		return -1;
	}
	free((char *)kept);
	return look_anew(store, series, error);
}

static int leap(struct store *store, struct series *series, int64_t tick, struct error *error)
{
	const struct layout *layout = &store->families[series->family].layout;
	glob_t future = {0};
	int failed;

	find_aside(series, layout, ".future-*", tick / CLOCK_SECOND, &future);
	if (future.gl_pathc == 0)
		failed = keep_before(store, series, error);
	else if ((failed = join(store, series, &future, INT64_MAX, error)) == 0)
		failed = look_anew(store, series, error);
	globfree(&future);
	return failed;
}

int timeline_prepare(struct store *store, struct series *series, struct error *error)
{
	const struct layout *layout = &store->families[series->family].layout;
	int64_t tick = series->leaving.ticks[0];

	if (series->last - tick >= layout->heartbeat * CLOCK_SECOND)
		return relay_quiesce(store, series, error) < 0 ? -1 : turn_back(store, series, tick, error);
	if (tick - series->last > far_ahead(store->plan))
		return relay_quiesce(store, series, error) < 0 ? -1 : leap(store, series, tick, error);
	return 0;
}
