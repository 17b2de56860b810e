/* store/store.c: the store's thread, and the way from a buffer to a file.
 *
 * Two locks, always taken in this order:
 *
 *     writing   held while files are written: what a series has in `leaving`, and what is known of its file
 *     lock      held for moments: what a series has in `coming`, the lists of series, the figures
 *
 * so that store_append(), which takes `lock` alone, never waits for a disk. */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/layout.h"
#include "store/rrd.h"
#include "store/write_behind.h"

/* What may wait while files cannot be written: samples of one file. At 1 s this is an hour. */
#define BACKLOG_MAX 3600

/* Values of all files together that may wait, 8 bytes each: 64 MB. Beyond, a series keeps half of what it has. */
#define VALUES_MAX ((size_t)8 << 20)

/* One file. */
struct series {
	const struct instance *instance;
	char *path;
	struct backlog coming;  /* lock */
	struct backlog leaving; /* writing */
	bool ready;             /* writing: the file is there and fits */
	bool counted;           /* writing: in the figures */
	int64_t last;           /* writing: the time of its last update, ns */
};

struct family_store {
	struct layout layout;   /* constant */
	size_t count;           /* lock */
	struct series **series; /* by instance index; NULL: not seen yet */
};

struct store {
	const struct plan *plan;
	int lock_fd; /* of the data folder's lock file */
	struct family_store *families;
	pthread_t thread;
	pthread_mutex_t writing;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool ending;                /* lock */
	size_t buffered_values;     /* lock */
	struct store_status status; /* lock */
};

/* --- samples come ------------------------------------------------------------------------------------------- */

/* With the lock held. */
static struct series *get_series(struct store *store, size_t family, const struct instance *instance)
{
	struct family_store *files = &store->families[family];
	struct series *series;

	if (instance->index >= files->count) {
		files->series = memory_resize(files->series, instance->index + 1, sizeof(*files->series));
		while (files->count <= instance->index)
			files->series[files->count++] = NULL;
	}
	series = files->series[instance->index];
	if (!series) {
		series = files->series[instance->index] = memory_alloc(sizeof(*series));
		series->instance = instance;
		series->path = store_path(store->plan, family, instance->name);
		series->coming.field_count = series->leaving.field_count = files->layout.family->field_count;
	}
	return series;
}

/* With the lock held. */
static void count_dropped(struct store *store, const struct series *series, size_t dropped, const char *why)
{
	if (dropped && store->status.dropped == 0)
		log_warning("%s: %zu samples are lost (%s); later losses are only counted, see /health", series->path, dropped,
		            why);
	store->status.dropped += dropped;
}

void store_append(struct store *store, const struct batch *batch)
{
	pthread_mutex_lock(&store->lock);
	for (size_t row = 0; row < batch->row_count; row++) {
		struct series *series = get_series(store, batch->family, batch->rows[row].instance);
		size_t max = BACKLOG_MAX, dropped;

		if (store->buffered_values > VALUES_MAX && series->coming.count > 1)
			max = series->coming.count / 2;
		dropped = backlog_add(&series->coming, batch->tick, batch_values(batch, row), max);
		count_dropped(store, series, dropped, "too many wait for a file that cannot be written");
		store->status.buffered += 1 - dropped;
		store->buffered_values += batch->field_count - dropped * batch->field_count;
	}
	pthread_mutex_unlock(&store->lock);
}

/* --- and go to files: all with `writing` held ----------------------------------------------------------------- */

/* Moves what came to what leaves. */
static void take_coming(struct store *store, struct series *series)
{
	size_t dropped;

	pthread_mutex_lock(&store->lock);
	dropped = backlog_move(&series->leaving, &series->coming, BACKLOG_MAX);
	count_dropped(store, series, dropped, "too many wait for a file that cannot be written");
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

static int set_aside(const struct series *series, const char *why, const struct error *reason, struct error *error)
{
	if (file_set_aside(series->path, why, error) < 0)
		return -1;
	log_warning("%s; it is kept as %s.%s-…, and a new file begins", reason->text, series->path, why);
	return 0;
}

/* Sees to it that the file is there and fits. */
static int prepare(struct store *store, struct series *series, const struct layout *layout, struct error *error)
{
	int64_t first = series->leaving.ticks[0] / CLOCK_SECOND, last = 0;
	struct error reason = {""};
	enum file_state state = file_inspect(series->path, layout, &last, &reason);

	if (state == FILE_OTHER && set_aside(series, "replaced", &reason, error) < 0)
		return -1;
	if (state == FILE_DAMAGED && set_aside(series, "damaged", &reason, error) < 0)
		return -1;
	if (state != FILE_GOOD) {
		/* One step before the first sample, so that its row is known. */
		last = first - layout->step;
		if (file_make(series->path, layout, last, error) < 0)
			return -1;
	}
	series->last = last * CLOCK_SECOND;
	series->ready = true;
	pthread_mutex_lock(&store->lock);
	store->status.files += !series->counted;
	pthread_mutex_unlock(&store->lock);
	series->counted = true;
	return 0;
}

static const char set_back[] = "the clock was set back: the file has newer ones";

/* What librrd would refuse: it takes only what is newer than what it has. */
static void drop_past(struct store *store, struct series *series)
{
	size_t past = 0;

	while (past < series->leaving.count && series->leaving.ticks[past] <= series->last)
		past++;
	let_go(store, series, past, set_back);
}

/* The lines for the backlog. After a gap beyond the heartbeat librrd would take the first sample for the end of the
 * gap, and its row for unknown: so the gap is ended by a line of unknowns one interval before. One block. Counts in
 * *past the samples that have no line. */
static size_t make_lines(const struct series *series, const struct layout *layout, int64_t interval,
                         const char ***lines, size_t *past)
{
	size_t line_size = LAYOUT_LINE_SIZE(layout->family->field_count), max = 2 * series->leaving.count, count = 0;
	char *text;
	int64_t last = series->last;

	*past = 0;
	*lines = memory_alloc(max * (sizeof(char *) + line_size));
	text = (char *)(*lines + max);
	for (size_t i = 0; i < series->leaving.count; i++) {
		int64_t tick = series->leaving.ticks[i];

		if (tick - last > layout->heartbeat * CLOCK_SECOND) {
			(*lines)[count++] = text;
			text += layout_line(layout, tick - interval, NULL, text) + 1;
		}
		/* A clock that was set back within the backlog: of two of one time, and of what goes back, the first counts. */
		if (tick > last) {
			(*lines)[count++] = text;
			text += layout_line(layout, tick, backlog_values(&series->leaving, i), text) + 1;
			last = tick;
		} else {
			(*past)++;
		}
	}
	return count;
}

static int write_series(struct store *store, size_t family, struct series *series, struct error *error)
{
	const struct layout *layout = &store->families[family].layout;
	const char **lines;
	size_t count, past;
	int failed;

	take_coming(store, series);
	if (series->leaving.count == 0)
		return 0;
	if (!series->ready && prepare(store, series, layout, error) < 0)
		return -1;
	drop_past(store, series);
	if (series->leaving.count == 0)
		return 0;
	count = make_lines(series, layout, store->plan->families[family].plugin->interval, &lines, &past);
	failed = file_update(series->path, count, lines, error);
	free(lines);
	if (failed) {
		/* It may have been removed or damaged under us: look again at the next flush. What was written stays known. */
		series->ready = false;
		return -1;
	}
	for (size_t i = 0; i < series->leaving.count; i++)
		if (series->leaving.ticks[i] > series->last)
			series->last = series->leaving.ticks[i];
	let_go(store, series, past, set_back);
	let_go(store, series, series->leaving.count, NULL);
	return 0;
}

/* The next series of a family at or after *index, or NULL. */
static struct series *next_series(struct store *store, size_t family, size_t *index)
{
	struct family_store *files = &store->families[family];
	struct series *series = NULL;

	pthread_mutex_lock(&store->lock);
	while (*index < files->count && !(series = files->series[(*index)++]))
		continue;
	pthread_mutex_unlock(&store->lock);
	return series;
}

static void tell(struct store *store, int64_t began, uint64_t written_before, uint64_t errors,
                 const struct error *error)
{
	struct store_status *status = &store->status;

	pthread_mutex_lock(&store->lock);
	status->last_written = status->written - written_before;
	status->flushes++;
	status->last_flush = clock_wall();
	status->flush_duration = clock_monotonic() - began;
	status->errors += errors;
	if (errors && strcmp(status->error, error->text) != 0)
		log_error("%s; %zu samples wait in memory and are tried again", error->text, status->buffered);
	else if (!errors && status->error[0])
		log_info("the store writes again");
	snprintf(status->error, sizeof(status->error), "%s", errors ? error->text : "");
	pthread_mutex_unlock(&store->lock);
}

void store_flush(struct store *store)
{
	int64_t began = clock_monotonic();
	struct error error = {""}, first = {""};
	uint64_t errors = 0, written_before;

	pthread_mutex_lock(&store->writing);
	written_before = store->status.written; /* changes only with `writing` held */
	for (size_t family = 0; family < store->plan->family_count; family++) {
		struct series *series;

		for (size_t index = 0; (series = next_series(store, family, &index));) {
			if (write_series(store, family, series, &error) < 0 && errors++ == 0)
				first = error;
		}
	}
	pthread_mutex_unlock(&store->writing);
	tell(store, began, written_before, errors, &first);
}

/* --- the thread --------------------------------------------------------------------------------------------- */

static void add_nanoseconds(struct timespec *time, int64_t more)
{
	int64_t sum = time->tv_nsec + more;

	time->tv_sec += (time_t)(sum / CLOCK_SECOND);
	time->tv_nsec = (long)(sum % CLOCK_SECOND);
}

static void *live(void *context)
{
	struct store *store = context;
	struct timespec next;
	bool ending = false;

	pthread_setname_np(pthread_self(), "store");
	clock_gettime(CLOCK_MONOTONIC, &next);
	while (!ending) {
		int timed_out = 0;

		add_nanoseconds(&next, store->plan->flush);
		pthread_mutex_lock(&store->lock);
		while (!store->ending && timed_out != ETIMEDOUT)
			timed_out = pthread_cond_timedwait(&store->wake, &store->lock, &next);
		ending = store->ending;
		pthread_mutex_unlock(&store->lock);
		store_flush(store);
	}
	return NULL;
}

/* --- up and down -------------------------------------------------------------------------------------------- */

/* Makes the data folder and takes it for this agent. The lock goes with the process, however it ends (flock(2)); the
 * file stays. Returns its descriptor. */
static int lock_data_dir(const char *path, struct error *error)
{
	char *name = memory_format("%s/.lock", path);
	int fd = -1;

	if (file_make_folders(name, error) < 0) {
		error_prefix(error, "cannot use the data folder %s; see agent { data_dir = … }: ", path);
	} else if ((fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0666)) < 0) {
		error_set(error, "cannot write to the data folder %s: %s; see agent { data_dir = … }", path, strerror(errno));
	} else if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		error_set(error, "another pindrop stores in %s; end it, or choose another folder in agent { data_dir = … }",
		          path);
		close(fd);
		fd = -1;
	}
	free(name);
	return fd;
}

struct store *store_open(const struct plan *plan, struct error *error)
{
	struct store *store;
	pthread_condattr_t clock;
	int lock_fd = lock_data_dir(plan->data_dir, error);

	if (lock_fd < 0)
		return NULL;
	store = memory_alloc(sizeof(*store));
	store->plan = plan;
	store->lock_fd = lock_fd;
	store->families = memory_array(plan->family_count, sizeof(*store->families));
	for (size_t i = 0; i < plan->family_count; i++)
		layout_begin(&store->families[i].layout, plan, i);
	pthread_mutex_init(&store->writing, NULL);
	pthread_mutex_init(&store->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&store->wake, &clock);
	pthread_condattr_destroy(&clock);
	if (pthread_create(&store->thread, NULL, live, store) != 0) {
		log_error("cannot start the store's thread");
		abort();
	}
	return store;
}

static void release_family(struct family_store *files)
{
	for (size_t i = 0; i < files->count; i++) {
		if (!files->series[i])
			continue;
		backlog_release(&files->series[i]->coming);
		backlog_release(&files->series[i]->leaving);
		free(files->series[i]->path);
		free(files->series[i]);
	}
	free(files->series);
	layout_release(&files->layout);
}

void store_close(struct store *store)
{
	pthread_mutex_lock(&store->lock);
	store->ending = true;
	pthread_cond_signal(&store->wake);
	pthread_mutex_unlock(&store->lock);
	pthread_join(store->thread, NULL);
	if (store->status.buffered > 0)
		log_error("%zu samples could not be written and are lost: %s", store->status.buffered, store->status.error);
	for (size_t i = 0; i < store->plan->family_count; i++)
		release_family(&store->families[i]);
	free(store->families);
	pthread_cond_destroy(&store->wake);
	pthread_mutex_destroy(&store->lock);
	pthread_mutex_destroy(&store->writing);
	close(store->lock_fd);
	free(store);
}

/* --- reading ------------------------------------------------------------------------------------------------ */

/* Writes what one file waits for. That it cannot be written is told by the next flush. */
static void flush_one(struct store *store, size_t family, const char *instance)
{
	struct error ignored;
	struct series *series;

	pthread_mutex_lock(&store->writing);
	for (size_t index = 0; (series = next_series(store, family, &index));)
		if (strcmp(series->instance->name, instance) == 0)
			write_series(store, family, series, &ignored);
	pthread_mutex_unlock(&store->writing);
}

/* The finest step that reaches back to `from`, or else the coarsest. */
static int64_t choose_step(const struct plan *plan, size_t family, int64_t from)
{
	int64_t age = clock_wall() / CLOCK_SECOND - from, interval = plan->families[family].plugin->interval;
	size_t tier = 0;

	while (tier + 1 < plan->tier_count && plan->tiers[tier].keep < age)
		tier++;
	return plan_tier_step(&plan->tiers[tier], interval);
}

int store_fetch(struct store *store, size_t family, const char *instance, size_t field,
                enum store_consolidation consolidation, int64_t from, int64_t to, struct store_rows *rows,
                struct error *error)
{
	char *path = store_path(store->plan, family, instance);
	int failed = 0;

	*rows = (struct store_rows){.start = from, .step = choose_step(store->plan, family, from)};
	flush_one(store, family, instance);
	if (access(path, F_OK) == 0)
		failed = file_fetch(path, field, consolidation, from, to, rows->step, rows, error);
	free(path);
	return failed;
}

void store_status(struct store *store, struct store_status *status)
{
	pthread_mutex_lock(&store->lock);
	*status = store->status;
	pthread_mutex_unlock(&store->lock);
}
