/* store/series.c: one file, from the samples that wait for it to the rows in it. */
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/inside.h"
#include "store/rrd.h"

/* What may wait while files cannot be written: samples of one file. At 1 s this is an hour. */
#define BACKLOG_MAX 3600

/* Values of all files together that may wait, 8 bytes each: 64 MB. Beyond, a series keeps half of what it has. */
#define VALUES_MAX ((size_t)8 << 20)

/* --- the table: with `lock` held ------------------------------------------------------------------------------ */

static int by_name(const void *a, const void *b)
{
	const struct series *left = a, *right = b;

	return strcmp(left->instance, right->instance);
}

struct series *series_find(struct store *store, size_t family, const char *instance)
{
	const struct series key = {.instance = (char *)instance};
	struct series *const *found = tfind(&key, &store->families[family].by_name, by_name);

	return found ? *found : NULL;
}

/* A place in the table: a hole where there is one. */
static struct series **place_for(struct family_store *files)
{
	for (size_t i = 0; files->holes > 0 && i < files->count; i++) {
		if (files->series[i])
			continue;
		files->holes--;
		return &files->series[i];
	}
	if (files->count == files->room) {
		files->room = files->room ? 2 * files->room : 8;
		files->series = memory_resize(files->series, files->room, sizeof(*files->series));
	}
	return &files->series[files->count++];
}

static struct series *add(struct store *store, size_t family, const char *instance)
{
	struct family_store *files = &store->families[family];
	struct series *series = memory_alloc(sizeof(*series));

	series->family = family;
	series->instance = memory_text(instance);
	series->path = store_path(store->plan, family, instance);
	series->coming.field_count = series->leaving.field_count = files->layout.family->field_count;
	*place_for(files) = series;
	if (!tsearch(series, &files->by_name, by_name))
		abort();
	return series;
}

struct series *series_get(struct store *store, size_t family, const char *instance, size_t hint)
{
	struct family_store *files = &store->families[family];
	struct series *series;

	/* Rows mostly come in the order in which they first came: then nothing has to be searched. */
	if (hint < files->count && files->series[hint] && strcmp(files->series[hint]->instance, instance) == 0)
		return files->series[hint];
	series = series_find(store, family, instance);
	return series ? series : add(store, family, instance);
}

static void keep_tree(void *node)
{
	(void)node;
}

static void free_series(struct series *series)
{
	backlog_release(&series->coming);
	backlog_release(&series->leaving);
	free(series->instance);
	free(series->path);
	free(series);
}

/* With `lock` held. */
static void put_with_removed(struct store *store, struct series *series)
{
	series->removed = true;
	series->next_removed = store->removed;
	store->removed = series;
}

void series_remove(struct store *store, size_t family, const char *instance)
{
	struct family_store *files = &store->families[family];
	struct series *series = series_find(store, family, instance);

	if (!series)
		return;
	tdelete(series, &files->by_name, by_name);
	for (size_t i = 0; i < files->count; i++)
		if (files->series[i] == series)
			files->series[i] = NULL;
	files->holes++;
	put_with_removed(store, series);
}

void series_remove_all(struct store *store, size_t family)
{
	struct family_store *files = &store->families[family];

	for (size_t i = 0; i < files->count; i++)
		if (files->series[i])
			put_with_removed(store, files->series[i]);
	tdestroy(files->by_name, keep_tree);
	free(files->series);
	files->by_name = NULL;
	files->series = NULL;
	files->count = files->room = files->holes = 0;
}

void series_bury(struct store *store)
{
	pthread_mutex_lock(&store->lock);
	while (store->removed) {
		struct series *series = store->removed;
		size_t waiting = series->coming.count + series->leaving.count;

		store->removed = series->next_removed;
		store->status.buffered -= waiting;
		store->status.files -= series->counted;
		store->buffered_values -= waiting * series->coming.field_count;
		free_series(series);
	}
	pthread_mutex_unlock(&store->lock);
}

void series_release(struct store *store)
{
	series_bury(store);
	for (size_t i = 0; i < store->plan->family_count; i++) {
		struct family_store *files = &store->families[i];

		tdestroy(files->by_name, keep_tree);
		for (size_t k = 0; k < files->count; k++)
			if (files->series[k])
				free_series(files->series[k]);
		free(files->series);
	}
}

struct series *series_next(struct store *store, size_t *family, size_t *index)
{
	struct series *series = NULL;

	pthread_mutex_lock(&store->lock);
	while (!series && *family < store->plan->family_count) {
		struct family_store *files = &store->families[*family];

		if (*index < files->count) {
			series = files->series[(*index)++];
		} else {
			(*family)++;
			*index = 0;
		}
	}
	pthread_mutex_unlock(&store->lock);
	return series;
}

/* With `lock` held. */
static void count_dropped(struct store *store, const struct series *series, size_t dropped, const char *why)
{
	if (dropped && store->status.dropped == 0)
		log_warning("%s: %zu samples are lost (%s); later losses are only counted, see /health", series->path, dropped,
		            why);
	store->status.dropped += dropped;
}

static const char too_many[] = "too many wait for a file that cannot be written";

/* The oldest of what waits were lost: those from `from` on, before what is the oldest now. With `lock` held. */
static void tell_dropped(struct store *store, const struct series *series, const struct backlog *backlog, int64_t from)
{
	int64_t interval = store->plan->families[series->family].plugin->interval;

	store_tell_of(store, series->family, series->instance, GAP_DISK_FULL, from - interval, backlog->ticks[0] - interval,
	              NULL);
}

void series_add(struct store *store, struct series *series, int64_t tick, bool fresh, const double *values)
{
	size_t max = BACKLOG_MAX, field_count = series->coming.field_count, dropped;
	int64_t oldest = series->coming.count ? series->coming.ticks[0] : 0;

	if (store->buffered_values > VALUES_MAX && series->coming.count > 1)
		max = series->coming.count / 2;
	dropped = backlog_add(&series->coming, tick, fresh, values, max);
	count_dropped(store, series, dropped, too_many);
	if (dropped)
		tell_dropped(store, series, &series->coming, oldest);
	store->status.buffered += 1 - dropped;
	store->buffered_values += field_count - dropped * field_count;
	series->seen = tick;
}

/* --- leaving: with `writing` held ----------------------------------------------------------------------------- */

void series_take(struct store *store, struct series *series)
{
	int64_t oldest = series->leaving.count ? series->leaving.ticks[0] : 0;
	size_t dropped;

	pthread_mutex_lock(&store->lock);
	dropped = backlog_move(&series->leaving, &series->coming, BACKLOG_MAX);
	count_dropped(store, series, dropped, too_many);
	if (dropped)
		tell_dropped(store, series, &series->leaving, oldest);
	store->status.buffered -= dropped;
	store->buffered_values -= dropped * series->coming.field_count;
	pthread_mutex_unlock(&store->lock);
}

/* Forgets the oldest of what leaves: written, or lost for the given reason. */
static void let_go(struct store *store, struct series *series, size_t count, const char *lost)
{
	if (count == 0)
		return;
	pthread_mutex_lock(&store->lock);
	store->status.buffered -= count;
	store->buffered_values -= count * series->leaving.field_count;
	if (lost)
		count_dropped(store, series, count, lost);
	else
		store->status.written += count;
	pthread_mutex_unlock(&store->lock);
	backlog_drop(&series->leaving, count);
}

void series_put(struct store *store, struct series *series, int64_t tick, bool fresh, const double *values)
{
	size_t dropped = backlog_add(&series->leaving, tick, fresh, values, BACKLOG_MAX);

	pthread_mutex_lock(&store->lock);
	store->status.buffered += 1 - dropped;
	store->buffered_values += (1 - dropped) * series->leaving.field_count;
	pthread_mutex_unlock(&store->lock);
}

void series_drop(struct store *store, struct series *series)
{
	pthread_mutex_lock(&store->lock);
	store->status.buffered -= series->leaving.count;
	store->buffered_values -= series->leaving.count * series->leaving.field_count;
	pthread_mutex_unlock(&store->lock);
	backlog_release(&series->leaving);
}

/* --- the file ------------------------------------------------------------------------------------------------- */

/* Where a file cannot even be read, nothing is said about what is in it: it stays where it is. */
static int check_readable(const struct series *series, struct error *error)
{
	int fd = open(series->path, O_RDONLY | O_CLOEXEC), failed = 0;
	char byte;

	if (fd < 0 && errno != ENOENT && errno != ENOTDIR)
		failed = error_set(error, "cannot open %s: %s", series->path, strerror(errno));
	else if (fd >= 0 && read(fd, &byte, 1) < 0)
		failed = error_set(error, "cannot read %s: %s", series->path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return failed;
}

static void count_file(struct store *store, struct series *series)
{
	pthread_mutex_lock(&store->lock);
	store->status.files += !series->counted;
	pthread_mutex_unlock(&store->lock);
	series->counted = true;
}

/* A new file. It begins one step before the first sample, so that its row is known. */
static int make(struct store *store, struct series *series, struct error *error)
{
	const struct layout *layout = &store->families[series->family].layout;
	int64_t first = series->leaving.ticks[0] / CLOCK_SECOND;

	if (room_make(store, layout->file_size, error) < 0 ||
	    file_make(series->path, layout, first - layout->step, error) < 0)
		return -1;
	series->made = true;
	series->imaged = 0;
	if (!store->made_since)
		store->made_since = clock_monotonic();
	return 0;
}

void series_look_again(struct series *series)
{
	series->ready = false;
	series->made = false;
	series->imaged = 0;
}

int series_ready(struct store *store, struct series *series, struct error *error)
{
	const struct layout *layout = &store->families[series->family].layout;
	struct file_facts facts = {0};
	struct error reason = {""};
	enum file_state state;

	if (check_readable(series, error) < 0)
		return -1;
	state = file_inspect(series->path, layout, &facts, &reason);
	if (state == FILE_OTHER && adapt_file(store, series->family, series->path, error) < 0)
		return -1;
	if (state == FILE_DAMAGED &&
	    adapt_set_aside(store, series->family, series->path, "damaged", reason.text, error) < 0)
		return -1;
	if (state != FILE_GOOD) {
		series_look_again(series);
		state = file_inspect(series->path, layout, &facts, error);
	}
	if (state == FILE_ABSENT &&
	    (make(store, series, error) < 0 || (state = file_inspect(series->path, layout, &facts, error)) != FILE_GOOD))
		return -1;
	if (state != FILE_GOOD)
		return -1;
	series->last = facts.last * CLOCK_SECOND;
	series->header_size = facts.header_size;
	series->ready = true;
	count_file(store, series);
	return 0;
}

/* Keeps the header in the journal before the file is written to for the first time since the last checkpoint. */
static int put_image(struct store *store, struct series *series, struct error *error)
{
	unsigned char *bytes;
	struct journal_image image = {
		.family = store->plan->families[series->family].table->name,
		.instance = series->instance,
		.generation = store->generation,
		.made = series->made,
		.length = series->header_size,
	};
	int failed;

	if (!store->journal || series->imaged == store->generation)
		return 0;
	bytes = memory_array(image.length, 1);
	failed = file_read_head(series->path, bytes, image.length, &image.inode, &image.file_size, error);
	image.bytes = bytes;
	if (!failed) {
		journal_put_image(store->journal, &image);
		series->imaged = store->generation;
	}
	free(bytes);
	return failed;
}

int series_prepare(struct store *store, struct series *series, struct error *error)
{
	if (relay_prepare(store, series, error) < 0)
		return -1;
	if (!series->ready && series_ready(store, series, error) < 0)
		return -1;
	return timeline_prepare(store, series, error) < 0 ? -1 : put_image(store, series, error);
}

/* --- rows ----------------------------------------------------------------------------------------------------- */

static const char set_back[] = "the clock was set back a little, and the file has newer ones";

/* How many samples can be written before the clock was set back by the heartbeat or more. */
static size_t count_run(const struct series *series, const struct layout *layout)
{
	int64_t last = series->last;
	size_t count = 0;

	while (count < series->leaving.count && last - series->leaving.ticks[count] < layout->heartbeat * CLOCK_SECOND) {
		if (series->leaving.ticks[count] > last)
			last = series->leaving.ticks[count];
		count++;
	}
	return count;
}

/* Whether the span to the sample before is no span: it is longer than the heartbeat, or the clock was set within. */
static bool is_apart(const struct layout *layout, int64_t interval, int64_t last, int64_t tick, bool fresh)
{
	return tick - last > layout->heartbeat * CLOCK_SECOND || (fresh && tick - last > interval);
}

/* Lines on their way to librrd, in one block. */
struct lines {
	const char **list;
	size_t count;
	char *end;
};

static void add_line(struct lines *lines, const struct layout *layout, int64_t tick, const double *values)
{
	lines->list[lines->count++] = lines->end;
	lines->end += layout_line(layout, tick, values, lines->end) + 1;
}

/* After a gap librrd would take the first sample for the end of the gap, and its row for unknown: so the gap is ended by
 * a line of unknowns, one interval before. Of samples that come faster than a second it would take what is left of the
 * gap's first second for unknown, too, and that of its last for zero, as it counts unknown time in whole seconds: so
 * there the gap begins and ends between seconds. */
static void add_gap(struct lines *lines, const struct layout *layout, int64_t interval, int64_t last, int64_t tick)
{
	int64_t begins = last / CLOCK_SECOND * CLOCK_SECOND + CLOCK_SECOND, ends = (tick - 1) / CLOCK_SECOND * CLOCK_SECOND;

	if (interval >= CLOCK_SECOND || ends <= last) {
		add_line(lines, layout, tick - interval, NULL);
		return;
	}
	if (begins < ends)
		add_line(lines, layout, begins, NULL);
	add_line(lines, layout, ends, NULL);
}

/* The lines of the first `run` samples. list is for free(). Counts in *past the samples that have no line. */
static struct lines make_lines(const struct series *series, const struct layout *layout, int64_t interval, size_t run,
                               size_t *past)
{
	const struct backlog *leaving = &series->leaving;
	size_t line_size = LAYOUT_LINE_SIZE(layout->family->field_count), max = 3 * run;
	struct lines lines = {.list = memory_alloc(max * (sizeof(char *) + line_size))};
	int64_t last = series->last;

	*past = 0;
	lines.end = (char *)(lines.list + max);
	for (size_t i = 0; i < run; i++) {
		int64_t tick = leaving->ticks[i];

		if (is_apart(layout, interval, last, tick, leaving->fresh[i]))
			add_gap(&lines, layout, interval, last, tick);
		/* A clock that was set back a little: of two of one time, and of what goes back, the first counts. */
		if (tick > last) {
			add_line(&lines, layout, tick, backlog_values(leaving, i));
			last = tick;
		} else {
			(*past)++;
		}
	}
	return lines;
}

int series_update(struct store *store, struct series *series, struct error *error)
{
	const struct layout *layout = &store->families[series->family].layout;
	size_t run = count_run(series, layout), past;
	struct lines lines = make_lines(series, layout, store->plan->families[series->family].plugin->interval, run, &past);
	int64_t last = series->last;
	int failed;

	for (size_t i = 0; i < run; i++)
		if (series->leaving.ticks[i] > last)
			last = series->leaving.ticks[i];
	failed = lines.count > 0 ? relay_update(store, series, run, last, lines.count, lines.list, error) : 0;
	free(lines.list);
	if (failed) {
		/* It may have been removed or damaged under us: look again at the next flush. What was written stays known. */
		series->ready = false;
		return -1;
	}
	series->last = last;
	let_go(store, series, past, set_back);
	let_go(store, series, run - past, NULL);
	return 0;
}

int series_write(struct store *store, struct series *series, struct error *error)
{
	while (series->leaving.count > 0)
		if (series_prepare(store, series, error) < 0 || store_sync_journal(store, error) < 0 ||
		    series_update(store, series, error) < 0)
			return -1;
	return 0;
}

int series_flush(struct store *store, struct series *series, struct error *error)
{
	series_take(store, series);
	return series_write(store, series, error);
}
