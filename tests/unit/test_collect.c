/* links: agent/collect/collect.c agent/collect/change.c agent/collect/host.c agent/collect/local.c agent/collect/remote.c
 * agent/collect/schedule.c agent/collect/serve.c agent/collect/tell.c agent/collect/ticker.c agent/collect/wallclock.c
 * agent/collect/wire.c agent/collect/link.c agent/collect/evaluate.c agent/collect/answers.c agent/config/loader.c agent/worker/nursery.c agent/worker/message.c agent/metric/batch.c
 * agent/base/text.c agent/config/share.c agent/base/memory.c agent/base/log.c agent/base/error.c
 *
 * The sampler with a real nursery and a plugin with moods, on clocks that the test may set. Whatever happens, each tick
 * has either a sample or a reason. */
#include <time.h>

static int faked_gettime(clockid_t id, struct timespec *now);
#define clock_gettime faked_gettime
#include "../../agent/base/clock.c"
#undef clock_gettime

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "collect/collect.h"
#include "collect/ticker.h"
#include "config/loader.h"

#define S CLOCK_SECOND
#define INTERVAL (S / 10)
#define HOUR (3600 * S)
#define PATIENCE 20 /* s, until a test gives up */

/* --- clocks ------------------------------------------------------------------------------------------------------ */

static _Atomic int64_t set_by, slept_for;

static int faked_gettime(clockid_t id, struct timespec *now)
{
	int64_t shift = 0, time;
	int failed = clock_gettime(id, now);

	if (id == CLOCK_REALTIME)
		shift = set_by + slept_for;
	if (id == CLOCK_BOOTTIME)
		shift = slept_for;
	time = (int64_t)now->tv_sec * S + now->tv_nsec + shift;
	*now = (struct timespec){time / S, time % S};
	return failed;
}

/* --- what the sampler hands over --------------------------------------------------------------------------------- */

enum { CALM, MOODY, FAMILIES };

struct sample {
	size_t family;
	bool on_tick, fresh;
	int64_t tick, clock;
};

struct record {
	char *folder; /* with the moods in it */
	void *library;
	struct nursery *nursery;
	pid_t nursery_pid;
	struct plan_plugin plugin;
	struct plan_family families[FAMILIES];
	struct plan plan;
	struct collect *collect;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct sample *samples; /* lock */
	size_t sample_count;
	struct gap *gaps; /* lock; their texts are their own */
	size_t gap_count;
	uint64_t slice; /* lock; the sampler's, of sched_setattr(2): ns */
};

static char *copy(const char *text)
{
	return text ? memory_text(text) : NULL;
}

static void take_start(void *context, int64_t since)
{
	(void)context, (void)since;
}

/* Of a thread, as sched_getattr(2) tells it (struct sched_attr). */
static uint64_t read_slice(void)
{
	uint64_t attributes[6] = {0};

	assert_int_equal(syscall(SYS_sched_getattr, 0, attributes, sizeof(attributes), 0), 0);
	return attributes[3];
}

static void take_batches(void *context, struct batch *const *batches, size_t count)
{
	struct record *record = context;

	pthread_mutex_lock(&record->lock);
	record->slice = read_slice();
	record->samples = memory_resize(record->samples, record->sample_count + count, sizeof(*record->samples));
	for (size_t i = 0; i < count; i++)
		record->samples[record->sample_count++] =
			(struct sample){batches[i]->family, batches[i]->on_tick, batches[i]->fresh, batches[i]->tick,
		                    batches[i]->clock};
	pthread_cond_broadcast(&record->changed);
	pthread_mutex_unlock(&record->lock);
}

static void take_gap(void *context, const struct gap *gap)
{
	struct record *record = context;
	struct gap *kept;

	pthread_mutex_lock(&record->lock);
	record->gaps = memory_resize(record->gaps, record->gap_count + 1, sizeof(*record->gaps));
	kept = &record->gaps[record->gap_count++];
	*kept = *gap;
	kept->family = copy(gap->family);
	kept->instance = copy(gap->instance);
	kept->field = copy(gap->field);
	kept->words = copy(gap->words);
	pthread_cond_broadcast(&record->changed);
	pthread_mutex_unlock(&record->lock);
}

static struct timespec end_of_patience(void)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += PATIENCE;
	return end;
}

/* Waits until there is more than was seen, with the lock held; at most until `end`, also when other things come. */
static void await_more(struct record *record, const struct timespec *end, const char *what)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec < end->tv_sec && pthread_cond_timedwait(&record->changed, &record->lock, end) == 0)
		return;
	pthread_mutex_unlock(&record->lock);
	fail_msg("%s never came", what);
}

/* Waits for so many more samples of a family on ticks. */
static void await_samples(struct record *record, size_t family, size_t more)
{
	const struct timespec patience = end_of_patience();
	size_t seen;

	pthread_mutex_lock(&record->lock);
	seen = record->sample_count;
	while (more > 0) {
		for (; seen < record->sample_count && more > 0; seen++)
			more -= record->samples[seen].family == family && record->samples[seen].on_tick;
		if (more > 0)
			await_more(record, &patience, "a sample");
	}
	pthread_mutex_unlock(&record->lock);
}

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool speaks(const struct gap *gap, const char *words)
{
	return !words || (gap->words && strstr(gap->words, words));
}

/* Waits for a gap, the first of its kind, with these words in it, after those that were `seen`. The copy's texts live as long as the record. */
static struct gap await_gap(struct record *record, size_t seen, enum gap_reason reason, const char *family,
                            const char *instance, const char *words)
{
	const struct timespec patience = end_of_patience();
	struct gap gap = {.reason = GAP_REASONS};

	pthread_mutex_lock(&record->lock);
	while (gap.reason != reason) {
		for (; seen < record->gap_count && gap.reason != reason; seen++)
			if (record->gaps[seen].reason == reason && same(record->gaps[seen].family, family) &&
			    same(record->gaps[seen].instance, instance) && speaks(&record->gaps[seen], words))
				gap = record->gaps[seen];
		if (gap.reason != reason)
			await_more(record, &patience, "a gap");
	}
	pthread_mutex_unlock(&record->lock);
	return gap;
}

static size_t count_gaps(struct record *record)
{
	size_t count;

	pthread_mutex_lock(&record->lock);
	count = record->gap_count;
	pthread_mutex_unlock(&record->lock);
	return count;
}

static size_t count_reason(struct record *record, enum gap_reason reason)
{
	size_t count = 0;

	pthread_mutex_lock(&record->lock);
	for (size_t i = 0; i < record->gap_count; i++)
		count += record->gaps[i].reason == reason;
	pthread_mutex_unlock(&record->lock);
	return count;
}

static struct sample newest(struct record *record, size_t family)
{
	struct sample sample = {.tick = 0};

	pthread_mutex_lock(&record->lock);
	for (size_t i = 0; i < record->sample_count; i++)
		if (record->samples[i].family == family && record->samples[i].on_tick)
			sample = record->samples[i];
	pthread_mutex_unlock(&record->lock);
	return sample;
}

/* --- every tick has a sample or a reason ------------------------------------------------------------------------- */

/* Up to where all that follows `from` has a reason. */
static int64_t explained(const struct record *record, const char *family, int64_t from)
{
	for (size_t i = 0; i < record->gap_count; i++) {
		const struct gap *gap = &record->gaps[i];

		if ((!gap->family || same(gap->family, family)) && !gap->instance && gap->from <= from && gap->to > from)
			return explained(record, family, gap->to);
	}
	return from;
}

static void check_all_explained(const struct record *record, size_t family)
{
	const struct sample *last = NULL;

	for (size_t i = 0; i < record->sample_count; i++) {
		const struct sample *sample = &record->samples[i];

		if (sample->family != family || !sample->on_tick)
			continue;
		assert_true(sample->tick % INTERVAL == 0);
		if (last) {
			assert_true(sample->clock > last->clock);
			/* A tick comes again only where that is said. */
			assert_true(sample->fresh || sample->tick > last->tick);
			if (sample->tick > last->tick + INTERVAL)
				assert_true(explained(record, record->plan.families[family].table->name, last->tick) >=
				            sample->tick - INTERVAL);
		}
		last = sample;
	}
}

static size_t count_fresh(struct record *record, size_t family)
{
	size_t count = 0;

	pthread_mutex_lock(&record->lock);
	for (size_t i = 0; i < record->sample_count; i++)
		count += record->samples[i].family == family && record->samples[i].fresh;
	pthread_mutex_unlock(&record->lock);
	return count;
}

/* --- a sampler --------------------------------------------------------------------------------------------------- */

static void set_mood(const struct record *record, const char *family, const char *mood)
{
	char *path = memory_format("%s/%s", record->folder, family), *fresh = memory_format("%s.new", path);
	FILE *file = fopen(fresh, "w");

	assert_non_null(file);
	fputs(mood, file);
	fclose(file);
	assert_int_equal(rename(fresh, path), 0);
	free(path);
	free(fresh);
}

static void make_plan(struct record *record)
{
	char *path = memory_format("%s/tests/plugins/moody.so", getenv("BUILD") ? getenv("BUILD") : "build");
	struct error error = {""};
	const struct pindrop_plugin *table = loader_load(path, "moody", &record->library, &error);

	if (!table)
		fail_msg("%s", error.text);
	record->plugin = (struct plan_plugin){.name = "moody", .table = table, .path = path, .interval = INTERVAL};
	for (size_t i = 0; i < FAMILIES; i++)
		record->families[i] = (struct plan_family){&table->families[i], &record->plugin};
	record->plan = (struct plan){.root = record->folder,
	                             .interval = INTERVAL,
	                             .autostart = true,
	                             .plugin_count = 1,
	                             .plugins = &record->plugin,
	                             .family_count = FAMILIES,
	                             .families = record->families};
}

/* A worker that tells who its parent is. */
static int tell_parent(int socket, struct worker_page *page)
{
	(void)socket;
	return snprintf(page->place, sizeof(page->place), "%d", (int)getppid()) > 0 ? 0 : 1;
}

static const struct worker_kind parent_kind = {"parent", tell_parent, 0};

/* The process that workers come from. */
static pid_t find_nursery(struct nursery *nursery)
{
	struct nursery_notice notice;
	struct worker worker;
	struct error error;
	pid_t pid;

	assert_int_equal(nursery_spawn(nursery, 1, &worker, &error), 0);
	while (nursery_next(nursery, &notice) == NURSERY_SILENT)
		poll(&(struct pollfd){.fd = nursery_fd(nursery), .events = POLLIN}, 1, -1);
	assert_int_equal(notice.what, NURSERY_EXITED);
	pid = (pid_t)atoi(worker.page->place);
	worker_release(&worker);
	assert_true(pid > 1);
	return pid;
}

static int begin(void **state)
{
	static const struct worker_kind *const kinds[] = {&collect_worker_kind, &parent_kind};
	const char *place = getenv("TMPDIR");
	struct record *record = memory_alloc(sizeof(*record));
	const struct collect_sink sink = {.started = take_start,
	                                  .deliver = take_batches,
	                                  .gap = take_gap,
	                                  .context = record};
	struct error error = {""};

	set_by = slept_for = 0;
	record->folder = memory_format("%s/collect.XXXXXX", place ? place : "/tmp");
	assert_non_null(mkdtemp(record->folder));
	set_mood(record, "calm", "well");
	set_mood(record, "moody", "well");
	pthread_mutex_init(&record->lock, NULL);
	pthread_cond_init(&record->changed, NULL);
	record->nursery = nursery_start(kinds, 2, &error);
	assert_non_null(record->nursery);
	record->nursery_pid = find_nursery(record->nursery);
	make_plan(record);
	record->collect = collect_new(&record->plan, record->nursery, 0, 0, &sink, &error);
	assert_non_null(record->collect);
	assert_int_equal(collect_start(record->collect, &error), 0);
	await_samples(record, MOODY, 2);
	*state = record;
	return 0;
}

static void remove_moods(const struct record *record)
{
	const char *const names[] = {"calm", "moody"};

	for (size_t i = 0; i < FAMILIES; i++) {
		char *path = memory_format("%s/%s", record->folder, names[i]);

		unlink(path);
		free(path);
	}
	rmdir(record->folder);
}

static void release(struct record *record)
{
	remove_moods(record);
	for (size_t i = 0; i < record->gap_count; i++) {
		free((char *)record->gaps[i].family);
		free((char *)record->gaps[i].instance);
		free((char *)record->gaps[i].field);
		free((char *)record->gaps[i].words);
	}
	loader_unload(record->library);
	free((char *)record->plugin.path);
	free(record->gaps);
	free(record->samples);
	free(record->folder);
	free(record);
}

/* Ends the sampler: from then on the record changes no more, and can be read without the lock. */
static void finish(struct record *record)
{
	if (record->collect)
		collect_free(record->collect);
	record->collect = NULL;
}

static int end(void **state)
{
	struct record *record = *state;

	finish(record);
	nursery_stop(record->nursery);
	for (size_t i = 0; i < FAMILIES; i++)
		check_all_explained(record, i);
	release(record);
	return 0;
}

/* --- what is lost, and why --------------------------------------------------------------------------------------- */

static void check_tick(const struct gap *gap, const char *words)
{
	assert_true(gap->to - gap->from == INTERVAL && gap->to % INTERVAL == 0);
	assert_non_null(gap->words);
	assert_non_null(strstr(gap->words, words));
}

static void a_sample_that_fails_is_an_error_in_its_own_words(void **state)
{
	struct record *record = *state;
	struct gap gap;

	set_mood(record, "calm", "fails");
	gap = await_gap(record, 0, GAP_ERROR, "calm", NULL, NULL);
	check_tick(&gap, "is not in the mood");
	set_mood(record, "calm", "well");
	await_samples(record, CALM, 2);
	set_mood(record, "moody", "fails");
	gap = await_gap(record, 0, GAP_ERROR, "moody", NULL, NULL);
	check_tick(&gap, "is not in the mood");
	set_mood(record, "moody", "well");
	await_samples(record, MOODY, 2);
}

static void what_comes_too_late_is_passed_over(void **state)
{
	struct record *record = *state;
	struct gap calm, moody;

	set_mood(record, "calm", "slow 470");
	calm = await_gap(record, 0, GAP_LATE, "calm", NULL, NULL);
	/* It is the thread that was late, and with it all of the plugin's families. */
	moody = await_gap(record, 0, GAP_LATE, "moody", NULL, NULL);
	set_mood(record, "calm", "well");
	assert_true(calm.from == moody.from && calm.to == moody.to);
	assert_true(calm.to - calm.from >= 3 * INTERVAL && calm.from % INTERVAL == 0 && calm.to % INTERVAL == 0);
	assert_int_equal(strncmp(calm.words, "late by 0.", 10), 0);
	await_samples(record, CALM, 2);
}

static void a_worker_that_hangs_is_a_timeout(void **state)
{
	struct record *record = *state;
	struct gap gap;

	set_mood(record, "moody", "hangs");
	gap = await_gap(record, 0, GAP_TIMEOUT, "moody", NULL, NULL);
	check_tick(&gap, "has not answered");
	/* It is killed after a second, and tells it as its own. */
	await_gap(record, 0, GAP_TIMEOUT, "moody", NULL, "has not answered for 1");
	set_mood(record, "moody", "well");
	await_samples(record, MOODY, 2);
}

static void a_worker_that_crashes_is_an_error(void **state)
{
	struct record *record = *state;
	struct gap gap;

	set_mood(record, "moody", "crashes");
	gap = await_gap(record, 0, GAP_ERROR, "moody", NULL, NULL);
	check_tick(&gap, "has ended with status 3");
	/* So are the ticks until the next one is started. */
	await_gap(record, 0, GAP_ERROR, "moody", NULL, "after a pause");
	set_mood(record, "moody", "well");
	await_samples(record, MOODY, 2);
}

/* How much of a family was late, after `seen`: ns. */
static int64_t count_late(struct record *record, size_t seen, const char *family)
{
	int64_t late = 0;

	pthread_mutex_lock(&record->lock);
	for (size_t i = seen; i < record->gap_count; i++)
		if (record->gaps[i].reason == GAP_LATE && same(record->gaps[i].family, family))
			late += record->gaps[i].to - record->gaps[i].from;
	pthread_mutex_unlock(&record->lock);
	return late;
}

/* The process that starts workers stands still, while one has to be started: nobody else waits for it. */
static void a_worker_that_is_being_started_keeps_nobody_waiting(void **state)
{
	struct record *record = *state;
	size_t seen;

	set_mood(record, "moody", "crashes");
	await_gap(record, 0, GAP_ERROR, "moody", NULL, "after a pause");
	assert_int_equal(kill(record->nursery_pid, SIGSTOP), 0);
	seen = count_gaps(record);
	set_mood(record, "moody", "well");
	await_gap(record, seen, GAP_TIMEOUT, "moody", NULL, "has not answered the question before");
	await_samples(record, CALM, 20);
	await_gap(record, seen, GAP_ERROR, "moody", NULL, "could not be started");
	assert_int_equal(kill(record->nursery_pid, SIGCONT), 0);
	await_samples(record, MOODY, 2);
	/* 7 s in which a tick may be late where the machine is busy; that all wait for 5 of them would be told as such. */
	assert_true(count_late(record, seen, "calm") < 2 * S);
}

/* Where the kernel lets a thread choose: as much as this one may. Others do not get it from it. */
static void the_sampler_has_a_short_slice(void **state)
{
	struct record *record = *state;
	uint64_t before = read_slice(), slice;

	ticker_hurry();
	finish(record);
	slice = read_slice();
	assert_true(record->slice == slice);
	assert_true(slice == before || slice == (uint64_t)S / 10000);
}

static void an_instance_that_hangs_is_a_timeout_of_that_alone(void **state)
{
	struct record *record = *state;
	struct gap gap;
	size_t seen;

	set_mood(record, "moody", "hangs at b");
	gap = await_gap(record, 0, GAP_TIMEOUT, "moody", "b", NULL);
	check_tick(&gap, "hangs");
	/* At each tick that it costs, while the others go on. */
	seen = count_gaps(record);
	await_samples(record, MOODY, 3);
	gap = await_gap(record, seen, GAP_TIMEOUT, "moody", "b", NULL);
	check_tick(&gap, "hangs");
	finish(record);
	for (size_t i = 0; i < record->gap_count; i++)
		assert_true(!record->gaps[i].instance || same(record->gaps[i].instance, "b"));
}

static void an_instance_that_crashes_is_an_error_of_that_alone(void **state)
{
	struct record *record = *state;
	struct gap gap;

	set_mood(record, "moody", "crashes at b");
	gap = await_gap(record, 0, GAP_ERROR, "moody", "b", NULL);
	check_tick(&gap, "crashed");
	await_samples(record, MOODY, 3);
}

static void a_stop_is_told_when_it_begins_and_when_it_ends(void **state)
{
	struct record *record = *state;
	struct error error = {""};
	struct gap begun, ended;
	int64_t last;

	collect_stop(record->collect);
	begun = await_gap(record, 0, GAP_STOPPED, NULL, NULL, NULL);
	last = newest(record, CALM).tick;
	assert_true(begun.from == last && begun.to > last && begun.to <= clock_wall());
	/* Longer than an interval. */
	usleep(5 * INTERVAL / 1000);
	assert_int_equal(collect_start(record->collect, &error), 0);
	ended = await_gap(record, 1, GAP_STOPPED, NULL, NULL, NULL);
	assert_true(ended.from == begun.from && ended.to >= begun.to + 4 * INTERVAL);
	await_samples(record, CALM, 2);
	/* Stopping twice is stopping once; the agent's end tells the rest. */
	collect_stop(record->collect);
	collect_stop(record->collect);
	begun = await_gap(record, 2, GAP_STOPPED, NULL, NULL, NULL);
	usleep(2 * INTERVAL / 1000);
	finish(record);
	ended = record->gaps[record->gap_count - 1];
	assert_true(ended.reason == GAP_STOPPED && ended.from == begun.from && ended.to >= begun.to + INTERVAL);
}

/* Late in an interval: the tick that follows the start is too near, and is part of the stop. */
static void the_first_tick_after_a_start_may_be_part_of_the_stop(void **state)
{
	struct record *record = *state;
	struct error error = {""};

	for (int i = 0; i < 3; i++) {
		size_t seen;

		collect_stop(record->collect);
		seen = count_gaps(record);
		while (clock_wall() % INTERVAL < INTERVAL * 6 / 10 || clock_wall() % INTERVAL > INTERVAL * 8 / 10)
			usleep(1000);
		assert_int_equal(collect_start(record->collect, &error), 0);
		await_gap(record, seen, GAP_STOPPED, "calm", NULL, NULL);
		await_samples(record, CALM, 1);
	}
}

static void what_was_asked_before_a_stop_is_part_of_it(void **state)
{
	struct record *record = *state;
	struct error error = {""};
	struct gap gap;

	set_mood(record, "moody", "slow 5000");
	gap = await_gap(record, 0, GAP_TIMEOUT, "moody", NULL, NULL);
	collect_stop(record->collect);
	gap = await_gap(record, 0, GAP_STOPPED, "moody", NULL, NULL);
	check_tick(&gap, "before it answered");
	set_mood(record, "moody", "well");
	assert_int_equal(collect_start(record->collect, &error), 0);
	await_samples(record, MOODY, 2);
}

/* The newest sample is after the jump, one of each family says so, and nothing was counted as missed for it. */
static void check_jump(struct record *record, size_t jumps)
{
	struct collect_status *status;

	await_samples(record, CALM, 3);
	await_samples(record, MOODY, 3);
	status = collect_status(record->collect);
	for (size_t i = 0; i < FAMILIES; i++) {
		struct sample sample = newest(record, i);

		assert_true(llabs(sample.tick - clock_wall()) < 10 * S);
		assert_true(status->families[i].missed < 100 && status->families[i].quiet < 10 * S);
	}
	free(status);
	for (size_t i = 0; i < FAMILIES; i++)
		assert_int_equal(count_fresh(record, i), jumps);
}

static void a_clock_set_forward_is_one_gap(void **state)
{
	struct record *record = *state;
	struct gap gap;
	int64_t last;

	set_by = HOUR;
	gap = await_gap(record, 0, GAP_CLOCK_STEP, NULL, NULL, NULL);
	assert_string_equal(gap.words, "set forward by 1 h");
	assert_true(gap.to - gap.from >= HOUR && gap.to - gap.from < HOUR + 10 * S);
	check_jump(record, 1);
	last = newest(record, CALM).tick;
	set_by = HOUR + 87600 * HOUR;
	gap = await_gap(record, count_gaps(record), GAP_CLOCK_STEP, NULL, NULL, NULL);
	assert_string_equal(gap.words, "set forward by 10 y");
	assert_true(gap.from >= last);
	check_jump(record, 2);
}

static void a_clock_set_back_is_a_mark_and_sampling_goes_on_at_once(void **state)
{
	struct record *record = *state;
	struct gap gap;
	int64_t before = clock_wall();

	set_by = -HOUR;
	gap = await_gap(record, 0, GAP_CLOCK_STEP, NULL, NULL, NULL);
	assert_string_equal(gap.words, "set back by 1 h");
	assert_true(gap.to - gap.from == INTERVAL && gap.to >= before - HOUR);
	check_jump(record, 1);
	set_by = -20 * 8760 * HOUR;
	gap = await_gap(record, count_gaps(record), GAP_CLOCK_STEP, NULL, NULL, NULL);
	assert_string_equal(gap.words, "set back by 20 y");
	check_jump(record, 2);
}

static void sleep_is_told_from_a_clock_that_was_set(void **state)
{
	struct record *record = *state;
	struct gap gap;

	slept_for = 8 * HOUR;
	gap = await_gap(record, 0, GAP_SUSPEND, NULL, NULL, NULL);
	assert_string_equal(gap.words, "slept for 8 h");
	assert_true(gap.to - gap.from >= 8 * HOUR && gap.to - gap.from < 8 * HOUR + 10 * S);
	check_jump(record, 1);
	assert_int_equal(count_reason(record, GAP_CLOCK_STEP), 0);
}

static void a_clock_set_while_stopped_is_part_of_the_stop(void **state)
{
	struct record *record = *state;
	struct error error = {""};
	struct gap gap;
	size_t seen;

	collect_stop(record->collect);
	seen = count_gaps(record);
	set_by = HOUR;
	assert_int_equal(collect_start(record->collect, &error), 0);
	gap = await_gap(record, seen, GAP_STOPPED, NULL, NULL, NULL);
	assert_true(gap.to - gap.from >= HOUR);
	check_jump(record, 1);
	assert_int_equal(count_reason(record, GAP_CLOCK_STEP), 0);
	/* Back to before the stop began: nothing is told of times that are still to come. */
	collect_stop(record->collect);
	seen = count_gaps(record);
	set_by = -HOUR;
	assert_int_equal(collect_start(record->collect, &error), 0);
	check_jump(record, 2);
	finish(record);
	for (size_t i = seen; i < record->gap_count; i++)
		assert_true(record->gaps[i].to < clock_wall() + 10 * S);
}

static void a_clock_that_drifts_loses_nothing(void **state)
{
	struct record *record = *state;
	size_t seen = count_gaps(record), samples = 0;
	struct sample first = newest(record, CALM);

	/* A twentieth of an interval at each: forward, and back. */
	for (int i = 0; i < 20; i++) {
		set_by += i < 10 ? INTERVAL / 20 : -INTERVAL / 20;
		await_samples(record, CALM, 1);
	}
	finish(record);
	for (size_t i = 0; i < record->sample_count; i++)
		samples += record->samples[i].family == CALM && record->samples[i].clock >= first.clock;
	assert_int_equal(count_fresh(record, CALM), 0);
	/* All came, or on a machine that is busy with other things are told as late; a worker may be asked just now. */
	for (size_t i = seen; i < record->gap_count; i++)
		assert_true(record->gaps[i].reason == GAP_LATE || same(record->gaps[i].family, "moody"));
	assert_true(samples >= 21);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_sample_that_fails_is_an_error_in_its_own_words),
		CASE(what_comes_too_late_is_passed_over),
		CASE(a_worker_that_hangs_is_a_timeout),
		CASE(a_worker_that_crashes_is_an_error),
		CASE(a_worker_that_is_being_started_keeps_nobody_waiting),
		CASE(the_sampler_has_a_short_slice),
		CASE(an_instance_that_hangs_is_a_timeout_of_that_alone),
		CASE(an_instance_that_crashes_is_an_error_of_that_alone),
		CASE(a_stop_is_told_when_it_begins_and_when_it_ends),
		CASE(the_first_tick_after_a_start_may_be_part_of_the_stop),
		CASE(what_was_asked_before_a_stop_is_part_of_it),
		CASE(a_clock_set_forward_is_one_gap),
		CASE(a_clock_set_back_is_a_mark_and_sampling_goes_on_at_once),
		CASE(sleep_is_told_from_a_clock_that_was_set),
		CASE(a_clock_set_while_stopped_is_part_of_the_stop),
		CASE(a_clock_that_drifts_loses_nothing),
	};

	return cmocka_run_group_tests_name("collect", tests, NULL, NULL);
}
