/* collect/collect.c: the sampler thread, and the commands that other threads give it.
 *
 * The thread waits in one epoll for: the timer of the next tick, the bell of the wall clock, a command, an exited
 * worker, a worker's answer, and by its timeout for the first deadline of a worker. */
#include "collect/collect.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "collect/local.h"
#include "collect/remote.h"
#include "collect/schedule.h"
#include "collect/tell.h"
#include "collect/ticker.h"
#include "collect/wallclock.h"

/* How much the wall clock may change before ticks begin anew: a quarter of the shortest interval, but never more. With
 * as much time to wake up, a tick is then still kept. */
#define TOLERANCE_MAX CLOCK_SECOND

enum command { NONE, START, STOP, END };

/* One plugin of the plan. Sampler thread. */
struct runner {
	const struct plan_plugin *plugin;
	struct schedule schedule;
	int64_t tick; /* that is being sampled; 0: none */
	bool has_local;
	struct local local;
	struct remote *remote; /* NULL: it has no family that may block */
};

/* One family of the plan. */
struct family {
	size_t runner;
	struct batch batch;                  /* sampler thread; of a local family */
	int64_t broken;                      /* sampler thread; the first tick of a new row that has yet to come, or 0 */
	int64_t heard;                       /* lock; when its last good sample began: monotonic, ns */
	bool first;                          /* lock: its first sample since the start has not been told */
	struct collect_family_status status; /* lock; `error` and `stuck` are its own */
};

struct collect {
	const struct plan *plan;
	struct nursery *nursery;
	struct collect_sink sink;
	struct tell tell;
	int epoll, wake;
	struct ticker ticker;
	struct wallclock clock;
	int64_t interval; /* the shortest, ns */
	pthread_t thread;
	struct runner *runners; /* by plugin of the plan */
	struct family *families;
	struct batch **round; /* what was sampled in this wake-up */
	size_t round_count;
	uint64_t *stuck_versions; /* by runner */
	bool orphaned;            /* the nursery has died */
	int64_t stopped;          /* up to when stopped sampling has been told: wall clock, ns; 0: it was not stopped */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum command command;
	struct error error; /* of the last START */
	bool failed;
	bool running;
	int64_t since;      /* wall clock, ns */
	int64_t started;    /* monotonic, ns */
	size_t first_count; /* families whose first sample is awaited */
};

/* --- what was sampled ------------------------------------------------------------------------------------------ */

/* Notes a sample, or in words why there is none. Says it in the log when it is new; what fails at a start is told to
 * whoever started. */
static void note(struct collect *collect, size_t index, const struct batch *batch, const char *words)
{
	struct family *family = &collect->families[index];
	struct collect_family_status *status = &family->status;
	const char *name = collect->plan->families[index].table->name;

	if (words && collect->running && (!status->error || strcmp(status->error, words) != 0))
		log_warning("%s is not sampled: %s", name, words);
	else if (!words && status->error)
		log_info("%s is sampled again", name);
	pthread_mutex_lock(&collect->lock);
	free((char *)status->error);
	status->error = words ? memory_text(words) : NULL;
	if (batch) {
		status->last = batch->time;
		status->duration = batch->duration;
		status->samples++;
		family->heard = batch->clock;
	} else {
		status->errors++;
	}
	if (family->first) {
		family->first = false;
		if (--collect->first_count == 0)
			pthread_cond_broadcast(&collect->changed);
	}
	pthread_mutex_unlock(&collect->lock);
}

/* Copies what hangs to where collect_status() finds it. */
static void note_stuck(struct collect *collect, size_t index)
{
	const struct remote_stuck *all;
	uint64_t version;
	size_t count;

	all = remote_stuck(collect->runners[index].remote, &count, &version);
	if (version == collect->stuck_versions[index])
		return;
	collect->stuck_versions[index] = version;
	pthread_mutex_lock(&collect->lock);
	for (size_t i = 0; i < collect->plan->family_count; i++) {
		struct collect_family_status *status = &collect->families[i].status;
		struct collect_stuck *stuck = memory_array(count, sizeof(*stuck));

		if (collect->families[i].runner != index) {
			free(stuck);
			continue;
		}
		for (size_t k = 0; k < status->stuck_count; k++)
			free((char *)status->stuck[k].instance);
		free((void *)status->stuck);
		status->stuck = stuck;
		status->stuck_count = 0;
		for (size_t k = 0; k < count; k++)
			if (all[k].family == i)
				stuck[status->stuck_count++] = (struct collect_stuck){memory_text(all[k].instance), all[k].since};
	}
	pthread_mutex_unlock(&collect->lock);
}

static void add_missed(struct collect *collect, size_t family, uint64_t missed)
{
	pthread_mutex_lock(&collect->lock);
	collect->families[family].status.missed += missed;
	pthread_mutex_unlock(&collect->lock);
}

static void deliver_round(struct collect *collect)
{
	if (collect->round_count)
		collect->sink.deliver(collect->sink.context, collect->round, collect->round_count);
	collect->round_count = 0;
}

/* Says of the first batch of a new row of ticks that it is that. One that was asked for before the clock was set, and
 * answered since, still belongs to the old row: its tick is before the new one's first, or has yet to come. */
static void mark_fresh(const struct collect *collect, struct family *family, struct batch *batch)
{
	batch->fresh =
		batch->on_tick && family->broken && batch->tick >= family->broken && batch->tick <= collect->clock.now.wall;
	if (batch->fresh)
		family->broken = 0;
}

/* What a family's sample on a tick lacks because it hangs, and is skipped. */
static void tell_stuck(const struct collect *collect, size_t family, int64_t tick)
{
	const struct remote_stuck *all;
	uint64_t version;
	size_t count;

	all = remote_stuck(collect->runners[collect->families[family].runner].remote, &count, &version);
	for (size_t i = 0; i < count; i++)
		if (all[i].family == family)
			tell_tick(&collect->tell, all[i].reason, family, all[i].instance, tick,
			          all[i].reason == GAP_TIMEOUT ? "it hangs, and is skipped"
			                                       : "the worker crashed there, and it is skipped");
}

/* A remote_told. */
static void told(void *context, size_t family, struct batch *batch, const struct remote_lost *lost)
{
	struct collect *collect = context;

	if (!batch) {
		if (lost->on_tick)
			tell_tick(&collect->tell, lost->reason, family, NULL, lost->tick, lost->error->text);
		if (lost->reason != GAP_STOPPED)
			note(collect, family, NULL, lost->error->text);
		return;
	}
	mark_fresh(collect, &collect->families[family], batch);
	collect->sink.deliver(collect->sink.context, &batch, 1);
	if (batch->on_tick)
		tell_stuck(collect, family, batch->tick);
	note(collect, family, batch, NULL);
}

/* Samples the families of one plugin that never block, into the round. -1: one of them failed. */
static int sample_local(struct collect *collect, size_t index, int64_t tick, struct error *error)
{
	struct runner *runner = &collect->runners[index];
	int failed = 0;

	for (size_t i = 0; i < collect->plan->family_count; i++) {
		struct family *family = &collect->families[i];
		bool good;

		if (family->runner != index || !collect->plan->families[i].table->never_blocks)
			continue;
		good = local_sample(&runner->local, collect->plan, i, &family->batch, error) == 0;
		family->batch.tick = tick ? tick : family->batch.time;
		family->batch.on_tick = tick != 0;
		if (good) {
			mark_fresh(collect, family, &family->batch);
			collect->round[collect->round_count++] = &family->batch;
		} else {
			failed = -1;
		}
		if (!good && tick)
			tell_tick(&collect->tell, GAP_ERROR, i, NULL, tick, error->text);
		note(collect, i, good ? &family->batch : NULL, good ? NULL : error->text);
	}
	return failed;
}

/* Asks for one family; while it still works on the sample before, this one is lost. */
static void ask_family(struct collect *collect, size_t family, int64_t tick)
{
	struct remote *remote = collect->runners[collect->families[family].runner].remote;

	if (remote_ask(remote, family, tick ? tick : clock_wall(), tick != 0) || !tick)
		return;
	add_missed(collect, family, 1);
	tell_tick(&collect->tell, GAP_TIMEOUT, family, NULL, tick, "has not answered the question before");
}

static void ask_remote(struct collect *collect, size_t index, int64_t tick)
{
	for (size_t i = 0; i < collect->plan->family_count; i++)
		if (collect->families[i].runner == index && !collect->plan->families[i].table->never_blocks)
			ask_family(collect, i, tick);
}

/* --- ticks ------------------------------------------------------------------------------------------------------- */

static void set_ticker(struct collect *collect)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < collect->plan->plugin_count; i++)
		if (collect->runners[i].schedule.next < next)
			next = collect->runners[i].schedule.next;
	if (collect->running)
		ticker_set(&collect->ticker, wallclock_when(&collect->clock, next), collect->interval);
	else
		ticker_stop(&collect->ticker);
}

static void begin_schedules(struct collect *collect)
{
	for (size_t i = 0; i < collect->plan->plugin_count; i++)
		schedule_begin(&collect->runners[i].schedule, collect->runners[i].plugin->interval, collect->clock.now.wall);
}

/* The last tick of all that has been. */
static int64_t newest_tick(const struct collect *collect)
{
	int64_t newest = 0;

	for (size_t i = 0; i < collect->plan->plugin_count; i++) {
		const struct schedule *schedule = &collect->runners[i].schedule;

		if (schedule->next - schedule->interval > newest)
			newest = schedule->next - schedule->interval;
	}
	/* The first tick after a start may be more than an interval away. */
	return newest < collect->clock.now.wall ? newest : collect->clock.now.wall;
}

/* A new row of ticks begins: none before `first`. */
static void break_row(struct collect *collect, size_t index, int64_t first)
{
	for (size_t i = 0; i < collect->plan->family_count; i++)
		if (collect->families[i].runner == index)
			collect->families[i].broken = first;
}

/* Reads the clocks, and finds out whether the wall clock was set, or the machine slept, since the last time. What was
 * planned for the old time is then planned anew, and nothing between is made up for. */
static void look_at_clock(struct collect *collect)
{
	int64_t tolerance = collect->interval / 4 < TOLERANCE_MAX ? collect->interval / 4 : TOLERANCE_MAX;
	int64_t newest = newest_tick(collect);
	struct wallclock_change change;
	struct clock_reading now;

	clock_read(&now);
	if (!wallclock_look(&collect->clock, &now, tolerance, &change))
		return;
	tell_change(&collect->tell, &change, collect->running ? newest : 0, collect->interval);
	for (size_t i = 0; i < collect->plan->plugin_count; i++) {
		struct schedule *schedule = &collect->runners[i].schedule;

		if (!collect->running)
			break_row(collect, i, now.wall);
		else if (schedule_resume(schedule, now.wall))
			break_row(collect, i, schedule->next);
	}
	if (collect->stopped > now.wall)
		collect->stopped = now.wall;
}

static void note_lost(struct collect *collect, size_t index, const struct schedule_lost *lost)
{
	for (size_t i = 0; i < collect->plan->family_count; i++)
		if (collect->families[i].runner == index)
			add_missed(collect, i, lost->count);
	tell_late(&collect->tell, collect->runners[index].plugin, lost, collect->clock.now.wall);
}

/* Samples all that is due. Workers are asked first: they run while the agent samples the rest. */
static void keep_ticks(struct collect *collect)
{
	struct error error;

	for (size_t i = 0; i < collect->plan->plugin_count; i++) {
		struct runner *runner = &collect->runners[i];
		struct schedule_lost lost;

		runner->tick = schedule_take(&runner->schedule, collect->clock.now.wall, &lost);
		if (lost.count)
			note_lost(collect, i, &lost);
		if (runner->tick && runner->remote)
			ask_remote(collect, i, runner->tick);
	}
	for (size_t i = 0; i < collect->plan->plugin_count; i++)
		if (collect->runners[i].tick && collect->runners[i].has_local)
			sample_local(collect, i, collect->runners[i].tick, &error);
	deliver_round(collect);
}

/* The timer fired. */
static void tick(struct collect *collect)
{
	ticker_read_timer(&collect->ticker);
	look_at_clock(collect);
	if (collect->running)
		keep_ticks(collect);
	set_ticker(collect);
}

/* The wall clock was set. */
static void hear_bell(struct collect *collect)
{
	ticker_read_bell(&collect->ticker);
	look_at_clock(collect);
	set_ticker(collect);
}

/* --- starting and stopping --------------------------------------------------------------------------------------- */

static void close_all(struct collect *collect)
{
	for (size_t i = 0; i < collect->plan->plugin_count; i++) {
		struct runner *runner = &collect->runners[i];

		local_close(&runner->local, runner->plugin);
		if (runner->remote)
			remote_stop(runner->remote);
	}
	collect->round_count = 0;
}

static int open_all(struct collect *collect, struct error *error)
{
	for (size_t i = 0; i < collect->plan->plugin_count; i++) {
		struct runner *runner = &collect->runners[i];

		if (runner->has_local && local_open(&runner->local, collect->plan, runner->plugin, error) < 0)
			return error_prefix(error, "plugin \"%s\": ", runner->plugin->name);
	}
	for (size_t i = 0; i < collect->plan->plugin_count; i++)
		if (collect->runners[i].has_local && sample_local(collect, i, 0, error) < 0)
			return error_prefix(error, "plugin \"%s\": ", collect->runners[i].plugin->name);
	return 0;
}

static void set_running(struct collect *collect, bool running)
{
	pthread_mutex_lock(&collect->lock);
	collect->running = running;
	collect->since = collect->clock.now.wall;
	collect->started = collect->clock.now.monotonic;
	pthread_mutex_unlock(&collect->lock);
}

static void await_first(struct collect *collect)
{
	pthread_mutex_lock(&collect->lock);
	collect->first_count = collect->plan->family_count;
	for (size_t i = 0; i < collect->plan->family_count; i++)
		collect->families[i].first = true;
	pthread_mutex_unlock(&collect->lock);
}

/* From when sampling was stopped to the first tick of each plugin, which is not always the first after the start. */
static void tell_stop_ended(struct collect *collect)
{
	if (!collect->stopped)
		return;
	tell_stopped(&collect->tell, NULL, collect->stopped, collect->since);
	for (size_t i = 0; i < collect->plan->plugin_count; i++) {
		const struct schedule *schedule = &collect->runners[i].schedule;

		tell_stopped(&collect->tell, collect->runners[i].plugin, collect->since, schedule->next - schedule->interval);
	}
	collect->stopped = 0;
}

/* Tells what is unknown already: the agent may never come to tell the rest. */
static void tell_stop_begun(struct collect *collect)
{
	collect->stopped = newest_tick(collect);
	tell_stopped(&collect->tell, NULL, collect->stopped, collect->since);
}

static int start(struct collect *collect, struct error *error)
{
	if (collect->running)
		return 0;
	await_first(collect);
	if (open_all(collect, error) < 0) {
		close_all(collect);
		return -1;
	}
	look_at_clock(collect);
	set_running(collect, true);
	collect->sink.started(collect->sink.context, collect->since);
	begin_schedules(collect);
	tell_stop_ended(collect);
	for (size_t i = 0; i < collect->plan->plugin_count; i++)
		if (collect->runners[i].remote)
			ask_remote(collect, i, 0);
	deliver_round(collect);
	set_ticker(collect);
	return 0;
}

static void halt(struct collect *collect)
{
	look_at_clock(collect);
	close_all(collect);
	set_running(collect, false);
	set_ticker(collect);
}

static void stop(struct collect *collect)
{
	if (!collect->running)
		return;
	halt(collect);
	tell_stop_begun(collect);
}

/* The agent ends. What is lost until another one runs is not this one's to tell, but that it was stopped is. */
static void end(struct collect *collect)
{
	if (collect->running)
		halt(collect);
	else if (collect->stopped)
		tell_stopped(&collect->tell, NULL, collect->stopped, clock_wall());
}

/* Does what another thread asked for. False: it was the end. */
static bool obey(struct collect *collect)
{
	struct error error = {""};
	enum command command;
	uint64_t times;
	int failed = 0;

	(void)!read(collect->wake, &times, sizeof(times));
	pthread_mutex_lock(&collect->lock);
	command = collect->command;
	pthread_mutex_unlock(&collect->lock);
	if (command == START)
		failed = start(collect, &error);
	else if (command == STOP)
		stop(collect);
	else if (command == END)
		end(collect);
	pthread_mutex_lock(&collect->lock);
	collect->command = NONE;
	collect->failed = failed < 0;
	collect->error = error;
	pthread_cond_broadcast(&collect->changed);
	pthread_mutex_unlock(&collect->lock);
	return command != END;
}

/* --- the thread --------------------------------------------------------------------------------------------------- */

static void read_exits(struct collect *collect)
{
	struct epoll_event event = {0};
	pid_t pid;
	int status;

	while (nursery_exited(collect->nursery, &pid, &status))
		for (size_t i = 0; i < collect->plan->plugin_count; i++)
			if (collect->runners[i].remote)
				remote_exited(collect->runners[i].remote, pid, status);
	if (pid != 0 || collect->orphaned)
		return;
	log_error(
		"the process that workers come from has ended: what runs in workers is not sampled any more; restart pindrop");
	epoll_ctl(collect->epoll, EPOLL_CTL_DEL, nursery_fd(collect->nursery), &event);
	collect->orphaned = true;
}

static int timeout(const struct collect *collect)
{
	int64_t first = INT64_MAX, left;

	for (size_t i = 0; i < collect->plan->plugin_count; i++) {
		const struct remote *remote = collect->runners[i].remote;

		if (remote && remote_deadline(remote) < first)
			first = remote_deadline(remote);
	}
	if (first == INT64_MAX)
		return -1;
	left = first - clock_monotonic();
	return left <= 0 ? 0 : (int)(left / CLOCK_MILLISECOND) + 1;
}

static void expire(struct collect *collect)
{
	int64_t now = clock_monotonic();

	for (size_t i = 0; i < collect->plan->plugin_count; i++) {
		struct remote *remote = collect->runners[i].remote;

		if (!remote)
			continue;
		if (now >= remote_deadline(remote))
			remote_expire(remote);
		note_stuck(collect, i);
	}
}

/* Whom an event is for: the addresses of our own descriptors stand for them, any other pointer is a remote. */
static bool handle(struct collect *collect, void *whom)
{
	if (whom == &collect->wake)
		return obey(collect);
	if (whom == &collect->ticker.timer)
		tick(collect);
	else if (whom == &collect->ticker.bell)
		hear_bell(collect);
	else if (whom == collect->nursery)
		read_exits(collect);
	else
		remote_readable(whom);
	return true;
}

static void *live(void *context)
{
	struct collect *collect = context;
	bool alive = true;

	pthread_setname_np(pthread_self(), "sampler");
	while (alive) {
		struct epoll_event events[16];
		int count = epoll_wait(collect->epoll, events, 16, timeout(collect));

		for (int i = 0; i < count && alive; i++)
			alive = handle(collect, events[i].data.ptr);
		expire(collect);
		/* An exit may have been read while a worker was spawned (nursery.h). */
		if (nursery_has_exits(collect->nursery))
			read_exits(collect);
	}
	return NULL;
}

/* --- other threads ------------------------------------------------------------------------------------------------ */

static void listen_to(struct collect *collect, int fd, void *whom)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = whom};

	epoll_ctl(collect->epoll, EPOLL_CTL_ADD, fd, &event);
}

static void make_runners(struct collect *collect, size_t worker_kind)
{
	const struct plan *plan = collect->plan;

	collect->runners = memory_array(plan->plugin_count, sizeof(*collect->runners));
	collect->families = memory_array(plan->family_count, sizeof(*collect->families));
	collect->round = memory_array(plan->family_count, sizeof(struct batch *));
	collect->stuck_versions = memory_array(plan->plugin_count, sizeof(*collect->stuck_versions));
	collect->interval = INT64_MAX;
	for (size_t i = 0; i < plan->plugin_count; i++) {
		collect->runners[i].plugin = &plan->plugins[i];
		if (plan->plugins[i].interval < collect->interval)
			collect->interval = plan->plugins[i].interval;
	}
	for (size_t i = 0; i < plan->family_count; i++) {
		struct family *family = &collect->families[i];
		struct runner *runner = &collect->runners[plan->families[i].plugin - plan->plugins];

		family->runner = (size_t)(runner - collect->runners);
		family->status.interval = runner->plugin->interval;
		family->status.remote = !plan->families[i].table->never_blocks;
		if (!family->status.remote)
			runner->has_local = true;
		else if (!runner->remote)
			runner->remote =
				remote_new(plan, runner->plugin, collect->nursery, worker_kind, collect->epoll, told, collect);
	}
}

static void init_lock(struct collect *collect)
{
	pthread_mutex_init(&collect->lock, NULL);
	clock_condition(&collect->changed);
}

static int open_descriptors(struct collect *collect, struct error *error)
{
	collect->epoll = epoll_create1(EPOLL_CLOEXEC);
	collect->wake = eventfd(0, EFD_CLOEXEC);
	if (ticker_open(&collect->ticker, error) < 0)
		return -1;
	if (collect->epoll < 0 || collect->wake < 0)
		return error_set(error, "cannot prepare sampling: %s", strerror(errno));
	return 0;
}

static void close_descriptors(struct collect *collect)
{
	if (collect->epoll >= 0)
		close(collect->epoll);
	if (collect->wake >= 0)
		close(collect->wake);
	ticker_close(&collect->ticker);
}

struct collect *collect_new(const struct plan *plan, struct nursery *nursery, size_t worker_kind,
                            const struct collect_sink *sink, struct error *error)
{
	struct collect *collect = memory_alloc(sizeof(*collect));

	collect->plan = plan;
	collect->nursery = nursery;
	collect->sink = *sink;
	collect->tell = (struct tell){plan, sink->gap, sink->context};
	if (open_descriptors(collect, error) < 0) {
		close_descriptors(collect);
		free(collect);
		return NULL;
	}
	clock_read(&collect->clock.now);
	collect->since = collect->clock.now.wall;
	collect->stopped = plan->autostart ? 0 : collect->since;
	make_runners(collect, worker_kind);
	init_lock(collect);
	listen_to(collect, collect->wake, &collect->wake);
	listen_to(collect, collect->ticker.timer, &collect->ticker.timer);
	listen_to(collect, collect->ticker.bell, &collect->ticker.bell);
	listen_to(collect, nursery_fd(nursery), nursery);
	if (pthread_create(&collect->thread, NULL, live, collect) != 0) {
		log_error("cannot start the sampler's thread");
		abort();
	}
	return collect;
}

/* Waits until the thread has done it. With the lock held. */
static void give(struct collect *collect, enum command command)
{
	const uint64_t once = 1;

	while (collect->command != NONE)
		pthread_cond_wait(&collect->changed, &collect->lock);
	collect->command = command;
	(void)!write(collect->wake, &once, sizeof(once));
	while (collect->command == command)
		pthread_cond_wait(&collect->changed, &collect->lock);
}

static void await_first_round(struct collect *collect)
{
	const struct timespec deadline = clock_deadline(COLLECT_FIRST_ROUND);

	while (collect->first_count > 0 && pthread_cond_timedwait(&collect->changed, &collect->lock, &deadline) == 0)
		continue;
}

int collect_start(struct collect *collect, struct error *error)
{
	bool failed;

	pthread_mutex_lock(&collect->lock);
	give(collect, START);
	failed = collect->failed;
	if (failed)
		*error = collect->error;
	else
		await_first_round(collect);
	pthread_mutex_unlock(&collect->lock);
	return failed ? -1 : 0;
}

void collect_stop(struct collect *collect)
{
	pthread_mutex_lock(&collect->lock);
	give(collect, STOP);
	pthread_mutex_unlock(&collect->lock);
}

static void release_family(struct family *family)
{
	for (size_t i = 0; i < family->status.stuck_count; i++)
		free((char *)family->status.stuck[i].instance);
	free((void *)family->status.stuck);
	free((char *)family->status.error);
	batch_release(&family->batch);
}

void collect_free(struct collect *collect)
{
	pthread_mutex_lock(&collect->lock);
	give(collect, END);
	pthread_mutex_unlock(&collect->lock);
	pthread_join(collect->thread, NULL);
	for (size_t i = 0; i < collect->plan->plugin_count; i++)
		if (collect->runners[i].remote)
			remote_free(collect->runners[i].remote);
	for (size_t i = 0; i < collect->plan->family_count; i++)
		release_family(&collect->families[i]);
	free(collect->runners);
	free(collect->families);
	free(collect->round);
	free(collect->stuck_versions);
	close_descriptors(collect);
	pthread_cond_destroy(&collect->changed);
	pthread_mutex_destroy(&collect->lock);
	free(collect);
}

/* --- status ------------------------------------------------------------------------------------------------------ */

static size_t text_size(const struct collect *collect)
{
	size_t size = 0;

	for (size_t i = 0; i < collect->plan->family_count; i++) {
		const struct collect_family_status *status = &collect->families[i].status;

		size += status->error ? strlen(status->error) + 1 : 0;
		for (size_t k = 0; k < status->stuck_count; k++)
			size += strlen(status->stuck[k].instance) + 1 + sizeof(struct collect_stuck);
	}
	return size;
}

/* Copies a text to *end, and moves it on. */
static const char *copy_text(const char *text, char **end)
{
	char *copy = *end;

	*end = stpcpy(copy, text) + 1;
	return copy;
}

/* With the lock held. */
static int64_t how_quiet(const struct collect *collect, const struct family *family)
{
	int64_t since = family->heard > collect->started ? family->heard : collect->started;

	return collect->running ? clock_monotonic() - since : 0;
}

/* The block: status, families, all that is stuck, texts. */
struct collect_status *collect_status(struct collect *collect)
{
	size_t count = collect->plan->family_count, stuck_count = 0;
	struct collect_family_status *families;
	struct collect_status *status;
	struct collect_stuck *stuck;
	char *text;

	pthread_mutex_lock(&collect->lock);
	for (size_t i = 0; i < count; i++)
		stuck_count += collect->families[i].status.stuck_count;
	status = memory_alloc(sizeof(*status) + count * sizeof(*families) + text_size(collect));
	families = (struct collect_family_status *)(status + 1);
	stuck = (struct collect_stuck *)(families + count);
	text = (char *)(stuck + stuck_count);
	*status = (struct collect_status){collect->running, collect->since, count, families};
	for (size_t i = 0; i < count; i++) {
		families[i] = collect->families[i].status;
		families[i].quiet = how_quiet(collect, &collect->families[i]);
		if (families[i].error)
			families[i].error = copy_text(families[i].error, &text);
		for (size_t k = 0; k < families[i].stuck_count; k++)
			stuck[k] =
				(struct collect_stuck){copy_text(families[i].stuck[k].instance, &text), families[i].stuck[k].since};
		families[i].stuck = stuck;
		stuck += families[i].stuck_count;
	}
	pthread_mutex_unlock(&collect->lock);
	return status;
}
