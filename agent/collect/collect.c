/* collect/collect.c: the sampler thread, and the commands that other threads give it.
 *
 * The thread waits in one epoll for: the timer of the next tick, a command, an exited worker, a worker's answer, and
 * by its timeout for the first deadline of a worker. */
#include "collect/collect.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "collect/local.h"
#include "collect/remote.h"
#include "collect/schedule.h"

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
	bool first;                          /* lock: its first sample since the start has not been told */
	struct collect_family_status status; /* lock; `error` and `stuck` are its own */
};

struct collect {
	const struct plan *plan;
	struct nursery *nursery;
	struct collect_sink sink;
	int epoll, wake, timer;
	pthread_t thread;
	struct runner *runners; /* by plugin of the plan */
	struct family *families;
	struct batch **round; /* what was sampled in this wake-up */
	size_t round_count;
	uint64_t *stuck_versions; /* by runner */
	bool orphaned;            /* the nursery has died */
	int64_t timer_next;       /* when the timer fires next: wall clock, ns; 0: it is off */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum command command;
	struct error error; /* of the last START */
	bool failed;
	bool running;
	int64_t since;      /* wall clock, ns */
	size_t first_count; /* families whose first sample is awaited */
};

/* --- what was sampled ------------------------------------------------------------------------------------------ */

/* Notes a sample, or why there is none. Says it in the log when it is new; what fails at a start is told to whoever
 * started. */
static void note(struct collect *collect, size_t index, const struct batch *batch, const struct error *error)
{
	struct family *family = &collect->families[index];
	struct collect_family_status *status = &family->status;
	const char *name = collect->plan->families[index].table->name;
	const char *words = batch ? NULL : error->text;

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

/* A remote_told. */
static void told(void *context, size_t family, struct batch *batch, const struct error *error)
{
	struct collect *collect = context;

	if (batch)
		collect->sink.deliver(collect->sink.context, &batch, 1);
	note(collect, family, batch, error);
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
		if (good)
			collect->round[collect->round_count++] = &family->batch;
		else
			failed = -1;
		note(collect, i, good ? &family->batch : NULL, error);
	}
	return failed;
}

static void ask_remote(struct collect *collect, size_t index, int64_t tick)
{
	for (size_t i = 0; i < collect->plan->family_count; i++)
		if (collect->families[i].runner == index && !collect->plan->families[i].table->never_blocks &&
		    !remote_ask(collect->runners[index].remote, i, tick ? tick : clock_wall(), tick != 0))
			add_missed(collect, i, 1);
}

/* --- ticks ------------------------------------------------------------------------------------------------------- */

/* The timer repeats by the shortest interval, so that in nearly every round it is already set. */
static void set_timer(struct collect *collect)
{
	int64_t next = INT64_MAX, interval = INT64_MAX;
	struct itimerspec time = {{0}, {0}};

	for (size_t i = 0; i < collect->plan->plugin_count; i++) {
		const struct schedule *schedule = &collect->runners[i].schedule;

		next = schedule->next < next ? schedule->next : next;
		interval = schedule->interval < interval ? schedule->interval : interval;
	}
	if (collect->running && collect->timer_next == next)
		return;
	/* A time of 0 switches the timer off. */
	if (collect->running) {
		time.it_value = (struct timespec){next / CLOCK_SECOND, next % CLOCK_SECOND};
		time.it_interval = (struct timespec){interval / CLOCK_SECOND, interval % CLOCK_SECOND};
	}
	collect->timer_next = collect->running ? next : 0;
	timerfd_settime(collect->timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &time, NULL);
}

/* After the timer has fired so often. */
static void advance_timer(struct collect *collect, uint64_t times)
{
	int64_t interval = INT64_MAX;

	for (size_t i = 0; i < collect->plan->plugin_count; i++)
		if (collect->runners[i].schedule.interval < interval)
			interval = collect->runners[i].schedule.interval;
	collect->timer_next += (int64_t)times * interval;
}

static void begin_schedules(struct collect *collect)
{
	int64_t now = clock_wall();

	for (size_t i = 0; i < collect->plan->plugin_count; i++)
		schedule_begin(&collect->runners[i].schedule, collect->runners[i].plugin->interval, now);
}

/* Samples all that is due. Workers are asked first: they run while the agent samples the rest. */
static void keep_ticks(struct collect *collect)
{
	int64_t now = clock_wall();
	struct error error;

	for (size_t i = 0; i < collect->plan->plugin_count; i++) {
		struct runner *runner = &collect->runners[i];
		uint64_t missed = 0;

		runner->tick = schedule_take(&runner->schedule, now, &missed);
		for (size_t k = 0; missed && k < collect->plan->family_count; k++)
			if (collect->families[k].runner == i)
				add_missed(collect, k, missed);
		if (runner->tick && runner->remote)
			ask_remote(collect, i, runner->tick);
	}
	for (size_t i = 0; i < collect->plan->plugin_count; i++)
		if (collect->runners[i].tick && collect->runners[i].has_local)
			sample_local(collect, i, collect->runners[i].tick, &error);
	deliver_round(collect);
}

/* The timer fired, or the clock was set: then what was planned for the old time is planned anew. */
static void read_timer(struct collect *collect)
{
	uint64_t times;

	if (read(collect->timer, &times, sizeof(times)) == sizeof(times)) {
		advance_timer(collect, times);
		keep_ticks(collect);
	} else if (errno == ECANCELED) {
		log_info("the clock was set; ticks begin anew");
		begin_schedules(collect);
		collect->timer_next = 0;
	}
	set_timer(collect);
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
	collect->since = clock_wall();
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

static int start(struct collect *collect, struct error *error)
{
	if (collect->running)
		return 0;
	await_first(collect);
	if (open_all(collect, error) < 0) {
		close_all(collect);
		return -1;
	}
	set_running(collect, true);
	collect->sink.started(collect->sink.context, collect->since);
	begin_schedules(collect);
	for (size_t i = 0; i < collect->plan->plugin_count; i++)
		if (collect->runners[i].remote)
			ask_remote(collect, i, 0);
	deliver_round(collect);
	set_timer(collect);
	return 0;
}

static void stop(struct collect *collect)
{
	if (!collect->running)
		return;
	close_all(collect);
	set_running(collect, false);
	set_timer(collect);
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
	else if (command == STOP || command == END)
		stop(collect);
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
	if (whom == &collect->timer)
		read_timer(collect);
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
	for (size_t i = 0; i < plan->plugin_count; i++)
		collect->runners[i].plugin = &plan->plugins[i];
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
	pthread_condattr_t clock;

	pthread_mutex_init(&collect->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&collect->changed, &clock);
	pthread_condattr_destroy(&clock);
}

static void close_descriptors(const struct collect *collect)
{
	const int fds[] = {collect->epoll, collect->wake, collect->timer};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

struct collect *collect_new(const struct plan *plan, struct nursery *nursery, size_t worker_kind,
                            const struct collect_sink *sink, struct error *error)
{
	struct collect *collect = memory_alloc(sizeof(*collect));

	collect->plan = plan;
	collect->nursery = nursery;
	collect->sink = *sink;
	collect->since = clock_wall();
	collect->epoll = epoll_create1(EPOLL_CLOEXEC);
	collect->wake = eventfd(0, EFD_CLOEXEC);
	collect->timer = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (collect->epoll < 0 || collect->wake < 0 || collect->timer < 0) {
		error_set(error, "cannot prepare sampling: %s", strerror(errno));
		close_descriptors(collect);
		free(collect);
		return NULL;
	}
	make_runners(collect, worker_kind);
	init_lock(collect);
	listen_to(collect, collect->wake, &collect->wake);
	listen_to(collect, collect->timer, &collect->timer);
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
	int64_t end = clock_monotonic() + COLLECT_FIRST_ROUND;
	const struct timespec deadline = {.tv_sec = end / CLOCK_SECOND, .tv_nsec = end % CLOCK_SECOND};

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
