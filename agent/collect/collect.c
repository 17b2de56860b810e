/* collect/collect.c: the sampler thread, and the commands that other threads give it.
 *
 * The thread waits in one epoll for: the timer of the next tick, the bell of the wall clock, a command, a worker that
 * was started or has exited, a worker's answer, and by its timeout for the first deadline of a worker. It waits for
 * nothing else, least of all for what Lua or the nursery does. */
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
#include "base/text.h"
#include "collect/inside.h"

/* How much the wall clock may change before ticks begin anew: a quarter of the shortest interval, but never more. With
 * as much time to wake up, a tick is then still kept. */
#define TOLERANCE_MAX CLOCK_SECOND

/* --- what was sampled ------------------------------------------------------------------------------------------ */

/* Notes a sample, or in words why there is none. Says it in the log when it is new; what fails at a start is told to
 * whoever started. */
static void note(struct collect *collect, size_t index, const struct batch *batch, const char *words)
{
	struct family *family = &collect->now.families[index];
	struct collect_family_status *status = &family->status;
	const char *name = collect->now.plan->families[index].table->name;
	bool collector = collect->now.plan->families[index].plugin->collector;

	if (words && collect->running && (!status->error || !text_same_words(status->error, words)))
		log_warning(collector ? "collector \"%s\": %s" : "%s is not sampled: %s", name, words);
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

	all = remote_stuck(collect->now.runners[index].remote, &count, &version);
	if (version == collect->now.stuck_versions[index])
		return;
	collect->now.stuck_versions[index] = version;
	pthread_mutex_lock(&collect->lock);
	for (size_t i = 0; i < collect->now.plan->family_count; i++) {
		struct collect_family_status *status = &collect->now.families[i].status;
		struct collect_stuck *stuck;

		if (collect->now.families[i].runner != index)
			continue;
		family_forget_stuck(&collect->now.families[i]);
		status->stuck = stuck = memory_array(count, sizeof(*stuck));
		for (size_t k = 0; k < count; k++)
			if (all[k].family == i)
				stuck[status->stuck_count++] = (struct collect_stuck){memory_text(all[k].instance), all[k].since};
	}
	pthread_mutex_unlock(&collect->lock);
}

static void add_missed(struct collect *collect, size_t family, uint64_t missed)
{
	pthread_mutex_lock(&collect->lock);
	collect->now.families[family].status.missed += missed;
	pthread_mutex_unlock(&collect->lock);
}

static void hand_over(struct collect *collect, struct batch *const *batches, size_t count)
{
	collect->sink.deliver(collect->sink.context, batches, count);
	for (size_t i = 0; i < count; i++)
		evaluate_sampled(collect->evaluate, batches[i]->family, batches[i]->tick);
}

void deliver_round(struct collect *collect)
{
	if (collect->round_count)
		hand_over(collect, collect->now.round, collect->round_count);
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

	all = remote_stuck(collect->now.runners[collect->now.families[family].runner].remote, &count, &version);
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

	if (collect->now.families[family].parted)
		return;
	if (!batch) {
		if (lost->on_tick)
			tell_tick(&collect->tell, lost->reason, family, NULL, lost->tick, lost->error->text);
		if (lost->reason != GAP_STOPPED)
			note(collect, family, NULL, lost->error->text);
		return;
	}
	mark_fresh(collect, &collect->now.families[family], batch);
	hand_over(collect, &batch, 1);
	if (batch->on_tick)
		tell_stuck(collect, family, batch->tick);
	note(collect, family, batch, NULL);
}

int sample_family(struct collect *collect, size_t index, int64_t tick, struct error *error)
{
	struct family *family = &collect->now.families[index];
	struct local *local = collect->now.runners[family->runner].local;
	bool good = local && local_sample(local, collect->now.plan, index, &family->batch, error) == 0;

	family->batch.tick = tick ? tick : family->batch.time;
	family->batch.on_tick = tick != 0;
	if (good) {
		mark_fresh(collect, family, &family->batch);
		collect->now.round[collect->round_count++] = &family->batch;
	} else if (tick) {
		tell_tick(&collect->tell, GAP_ERROR, index, NULL, tick, error->text);
	}
	note(collect, index, good ? &family->batch : NULL, good ? NULL : error->text);
	return good ? 0 : -1;
}

/* Samples the families of one plugin that never block, into the round. -1: one of them failed. */
static int sample_local(struct collect *collect, size_t index, int64_t tick, struct error *error)
{
	struct runner *runner = &collect->now.runners[index];
	int failed = 0;

	/* It was started while the plan changed. */
	if (!runner->local)
		runner->local = local_open(collect->now.plan, runner->plugin, error);
	for (size_t i = 0; i < collect->now.plan->family_count; i++)
		if (collect->now.families[i].runner == index && !collect->now.families[i].parted &&
		    collect->now.plan->families[i].table->never_blocks && sample_family(collect, i, tick, error) < 0)
			failed = -1;
	return failed;
}

/* Asks for one family; while it still works on the sample before, this one is lost. */
void ask_family(struct collect *collect, size_t family, int64_t tick)
{
	struct remote *remote = collect->now.runners[collect->now.families[family].runner].remote;

	if (remote_ask(remote, family, tick ? tick : clock_wall(), tick != 0) || !tick)
		return;
	add_missed(collect, family, 1);
	tell_tick(&collect->tell, GAP_TIMEOUT, family, NULL, tick, "has not answered the question before");
}

static void ask_remote(struct collect *collect, size_t index, int64_t tick)
{
	for (size_t i = 0; i < collect->now.plan->family_count; i++)
		if (collect->now.families[i].runner == index && !collect->now.families[i].parted &&
		    !collect->now.plan->families[i].table->never_blocks)
			ask_family(collect, i, tick);
}

/* --- ticks ------------------------------------------------------------------------------------------------------- */

void set_ticker(struct collect *collect)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < collect->now.plan->plugin_count; i++)
		if (collect->now.runners[i].schedule.next < next)
			next = collect->now.runners[i].schedule.next;
	if (collect->running)
		ticker_set(&collect->ticker, wallclock_when(&collect->clock, next), collect->now.interval);
	else
		ticker_stop(&collect->ticker);
}

static void begin_schedules(struct collect *collect)
{
	for (size_t i = 0; i < collect->now.plan->plugin_count; i++)
		schedule_begin(&collect->now.runners[i].schedule, collect->now.runners[i].plugin->interval,
		               collect->clock.now.wall);
}

/* The last tick of all that has been. */
static int64_t newest_tick(const struct collect *collect)
{
	int64_t newest = 0;

	for (size_t i = 0; i < collect->now.plan->plugin_count; i++) {
		const struct schedule *schedule = &collect->now.runners[i].schedule;

		if (schedule->next - schedule->interval > newest)
			newest = schedule->next - schedule->interval;
	}
	/* The first tick after a start may be more than an interval away. */
	return newest < collect->clock.now.wall ? newest : collect->clock.now.wall;
}

/* A new row of ticks begins: none before `first`. */
static void break_row(struct collect *collect, size_t index, int64_t first)
{
	for (size_t i = 0; i < collect->now.plan->family_count; i++)
		if (collect->now.families[i].runner == index)
			collect->now.families[i].broken = first;
}

/* Reads the clocks, and finds out whether the wall clock was set, or the machine slept, since the last time. What was
 * planned for the old time is then planned anew, and nothing between is made up for. */
void look_at_clock(struct collect *collect)
{
	int64_t tolerance = collect->now.interval / 4 < TOLERANCE_MAX ? collect->now.interval / 4 : TOLERANCE_MAX;
	int64_t newest = newest_tick(collect);
	struct wallclock_change change;
	struct clock_reading now;

	clock_read(&now);
	if (!wallclock_look(&collect->clock, &now, tolerance, &change))
		return;
	tell_change(&collect->tell, &change, collect->running ? newest : 0, collect->now.interval);
	for (size_t i = 0; i < collect->now.plan->plugin_count; i++) {
		struct schedule *schedule = &collect->now.runners[i].schedule;

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
	for (size_t i = 0; i < collect->now.plan->family_count; i++)
		if (collect->now.families[i].runner == index)
			add_missed(collect, i, lost->count);
	tell_late(&collect->tell, collect->now.runners[index].plugin, lost, collect->clock.now.wall);
}

/* Asks the workers of plugins, or of collectors, for what is due. */
static void ask_due(struct collect *collect, bool collectors)
{
	for (size_t i = 0; i < collect->now.plan->plugin_count; i++) {
		const struct runner *runner = &collect->now.runners[i];

		if (runner->tick && runner->remote && runner->plugin->collector == collectors)
			ask_remote(collect, i, runner->tick);
	}
}

/* Samples all that is due. Workers are asked first: they run while the agent samples the rest. Not so collectors, of
 * which there may be many: nothing waits for them. */
static void keep_ticks(struct collect *collect)
{
	struct error error;

	for (size_t i = 0; i < collect->now.plan->plugin_count; i++) {
		struct runner *runner = &collect->now.runners[i];
		struct schedule_lost lost;

		runner->tick = schedule_take(&runner->schedule, collect->clock.now.wall, &lost);
		if (lost.count)
			note_lost(collect, i, &lost);
	}
	ask_due(collect, false);
	for (size_t i = 0; i < collect->now.plan->plugin_count; i++)
		if (collect->now.runners[i].tick && collect->now.runners[i].has_local)
			sample_local(collect, i, collect->now.runners[i].tick, &error);
	deliver_round(collect);
	ask_due(collect, true);
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
	for (size_t i = 0; i < collect->now.plan->plugin_count; i++) {
		struct runner *runner = &collect->now.runners[i];

		local_close(runner->local);
		runner->local = NULL;
		if (runner->remote)
			remote_stop(runner->remote);
	}
	collect->round_count = 0;
}

static int open_all(struct collect *collect, struct error *error)
{
	for (size_t i = 0; i < collect->now.plan->plugin_count; i++) {
		struct runner *runner = &collect->now.runners[i];

		if (runner->has_local && !(runner->local = local_open(collect->now.plan, runner->plugin, error)))
			return error_prefix(error, "plugin \"%s\": ", runner->plugin->name);
	}
	for (size_t i = 0; i < collect->now.plan->plugin_count; i++)
		if (collect->now.runners[i].has_local && sample_local(collect, i, 0, error) < 0)
			return error_prefix(error, "plugin \"%s\": ", collect->now.runners[i].plugin->name);
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
	collect->first_count = collect->now.plan->family_count;
	for (size_t i = 0; i < collect->now.plan->family_count; i++)
		collect->now.families[i].first = true;
	pthread_mutex_unlock(&collect->lock);
}

/* From when sampling was stopped to the first tick of each plugin, which is not always the first after the start. */
static void tell_stop_ended(struct collect *collect)
{
	if (!collect->stopped)
		return;
	tell_stopped(&collect->tell, NULL, collect->stopped, collect->since);
	for (size_t i = 0; i < collect->now.plan->plugin_count; i++) {
		const struct schedule *schedule = &collect->now.runners[i].schedule;

		tell_stopped(&collect->tell, collect->now.runners[i].plugin, collect->since,
		             schedule->next - schedule->interval);
	}
	collect->stopped = 0;
}

/* Tells what is unknown already: the agent may never come to tell the rest. */
static void tell_stop_begun(struct collect *collect)
{
	collect->stopped = newest_tick(collect);
	tell_stopped(&collect->tell, NULL, collect->stopped, collect->since);
}

/* Workers are started one after the other: those of plugins before those of collectors. */
static void ask_first(struct collect *collect, bool collectors)
{
	for (size_t i = 0; i < collect->now.plan->plugin_count; i++)
		if (collect->now.runners[i].remote && collect->now.runners[i].plugin->collector == collectors)
			ask_remote(collect, i, 0);
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
	ask_first(collect, false);
	deliver_round(collect);
	ask_first(collect, true);
	set_ticker(collect);
	return 0;
}

static void halt(struct collect *collect)
{
	look_at_clock(collect);
	close_all(collect);
	evaluate_stop(collect->evaluate);
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

static void carry_out(struct collect *collect, struct order *order)
{
	switch (order->command) {
	case START:
		order->failed = start(collect, &order->error);
		break;
	case STOP:
		stop(collect);
		break;
	case PREPARE:
		order->failed = change_prepare(collect, order->plan, &order->error);
		break;
	case PART:
		change_part(collect);
		break;
	case ADOPT:
		change_adopt(collect, order->between, order->context);
		break;
	case END:
		end(collect);
		break;
	}
}

/* Does what another thread asked for. False: it was the end. */
static bool obey(struct collect *collect)
{
	struct order *order;
	uint64_t times;
	bool ends;

	(void)!read(collect->wake, &times, sizeof(times));
	pthread_mutex_lock(&collect->lock);
	order = collect->order;
	pthread_mutex_unlock(&collect->lock);
	if (!order)
		return true;
	ends = order->command == END;
	carry_out(collect, order);
	pthread_mutex_lock(&collect->lock);
	order->done = true;
	collect->order = NULL;
	pthread_cond_broadcast(&collect->changed);
	pthread_mutex_unlock(&collect->lock);
	return !ends;
}

/* --- the thread --------------------------------------------------------------------------------------------------- */

/* A worker is there, or is not, or has ended: whose it is, they know themselves. */
static void pass_on(struct collect *collect, const struct nursery_notice *notice)
{
	bool spawned = notice->what == NURSERY_SPAWNED;

	for (size_t i = 0; i < collect->now.plan->plugin_count; i++) {
		struct remote *remote = collect->now.runners[i].remote;

		if (remote && spawned)
			remote_started(remote, notice);
		else if (remote)
			remote_exited(remote, notice->pid, notice->status);
	}
	if (spawned)
		evaluate_started(collect->evaluate, notice);
	else
		evaluate_exited(collect->evaluate, notice->pid, notice->status);
}

static void read_notices(struct collect *collect)
{
	struct epoll_event event = {0};
	struct nursery_notice notice;

	while (nursery_next(collect->nursery, &notice) == NURSERY_SPAWNED || notice.what == NURSERY_EXITED)
		pass_on(collect, &notice);
	if (notice.what != NURSERY_ENDS || collect->orphaned)
		return;
	log_error(
		"the process that workers come from has ended: what runs in workers is not sampled any more; restart pindrop");
	epoll_ctl(collect->epoll, EPOLL_CTL_DEL, nursery_fd(collect->nursery), &event);
	collect->orphaned = true;
}

static int timeout(const struct collect *collect)
{
	int64_t first = evaluate_deadline(collect->evaluate), left;

	for (size_t i = 0; i < collect->now.plan->plugin_count; i++) {
		const struct remote *remote = collect->now.runners[i].remote;

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

	for (size_t i = 0; i < collect->now.plan->plugin_count; i++) {
		struct remote *remote = collect->now.runners[i].remote;

		if (!remote)
			continue;
		if (now >= remote_deadline(remote))
			remote_expire(remote);
		note_stuck(collect, i);
	}
	if (now >= evaluate_deadline(collect->evaluate))
		evaluate_expire(collect->evaluate);
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
		read_notices(collect);
	else if (whom == collect->evaluate)
		evaluate_readable(collect->evaluate);
	else
		remote_readable(whom);
	return true;
}

static void *live(void *context)
{
	struct collect *collect = context;
	bool alive = true;

	pthread_setname_np(pthread_self(), "sampler");
	ticker_hurry();
	while (alive) {
		struct epoll_event events[16];
		int count = epoll_wait(collect->epoll, events, 16, timeout(collect));

		for (int i = 0; i < count && alive; i++) {
			alive = handle(collect, events[i].data.ptr);
			/* An order may have ended workers that the other events are of: what is left comes again. */
			if (events[i].data.ptr == &collect->wake)
				break;
		}
		expire(collect);
		if (nursery_is_behind(collect->nursery))
			read_notices(collect);
	}
	return NULL;
}

/* --- other threads ------------------------------------------------------------------------------------------------ */

static void listen_to(struct collect *collect, int fd, void *whom)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = whom};

	epoll_ctl(collect->epoll, EPOLL_CTL_ADD, fd, &event);
}

static void make_runners(struct collect *collect, struct lineup *lineup)
{
	const struct plan *plan = lineup->plan;
	const struct remote_means means = {.nursery = collect->nursery,
	                                   .worker_kind = collect->worker_kind,
	                                   .script_kind = collect->script_kind,
	                                   .epoll = collect->epoll,
	                                   .told = told,
	                                   .context = collect,
	                                   .get = collect->sink.get,
	                                   .get_context = collect->sink.context};

	for (size_t i = 0; i < plan->plugin_count; i++) {
		lineup->runners[i].plugin = &plan->plugins[i];
		if (plan->plugins[i].interval < lineup->interval)
			lineup->interval = plan->plugins[i].interval;
	}
	for (size_t i = 0; i < plan->family_count; i++) {
		struct family *family = &lineup->families[i];
		struct runner *runner = &lineup->runners[plan->families[i].plugin - plan->plugins];

		family->runner = (size_t)(runner - lineup->runners);
		family->status.name = plan->families[i].table->name;
		family->status.plugin = runner->plugin->name;
		family->status.interval = runner->plugin->interval;
		family->status.remote = !plan->families[i].table->never_blocks;
		if (!family->status.remote)
			runner->has_local = true;
		else if (!runner->remote)
			runner->remote = remote_new(plan, runner->plugin, &means);
	}
}

struct lineup lineup_make(struct collect *collect, const struct plan *plan)
{
	struct lineup lineup = {
		.plan = plan_hold(plan),
		.interval = INT64_MAX,
		.runners = memory_array(plan->plugin_count, sizeof(*lineup.runners)),
		.families = memory_array(plan->family_count, sizeof(*lineup.families)),
		.round = memory_array(plan->family_count, sizeof(struct batch *)),
		.stuck_versions = memory_array(plan->plugin_count, sizeof(*lineup.stuck_versions)),
		.answers = memory_array(plan->aggregate_count, sizeof(*lineup.answers)),
	};

	make_runners(collect, &lineup);
	return lineup;
}

void family_forget_stuck(struct family *family)
{
	for (size_t i = 0; i < family->status.stuck_count; i++)
		free((char *)family->status.stuck[i].instance);
	free((void *)family->status.stuck);
	family->status.stuck = NULL;
	family->status.stuck_count = 0;
}

static void release_family(struct family *family)
{
	family_forget_stuck(family);
	free((char *)family->status.error);
	batch_release(&family->batch);
}

void lineup_release(struct lineup *lineup)
{
	for (size_t i = 0; i < lineup->plan->plugin_count; i++) {
		local_close(lineup->runners[i].local);
		if (lineup->runners[i].remote)
			remote_free(lineup->runners[i].remote);
	}
	for (size_t i = 0; i < lineup->plan->family_count; i++)
		release_family(&lineup->families[i]);
	free(lineup->runners);
	free(lineup->families);
	free(lineup->round);
	free(lineup->stuck_versions);
	answers_release(lineup);
	plan_release(lineup->plan);
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

struct collect *collect_new(const struct plan *plan, struct nursery *nursery, size_t worker_kind, size_t script_kind,
                            const struct collect_sink *sink, struct error *error)
{
	struct collect *collect = memory_alloc(sizeof(*collect));

	collect->nursery = nursery;
	collect->worker_kind = worker_kind;
	collect->script_kind = script_kind;
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
	collect->now = lineup_make(collect, plan);
	collect->evaluate = evaluate_new(plan, nursery, script_kind, collect->epoll, &collect->sink, note_answer, collect);
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
static int give(struct collect *collect, struct order *order)
{
	const uint64_t once = 1;

	while (collect->order)
		pthread_cond_wait(&collect->changed, &collect->lock);
	collect->order = order;
	(void)!write(collect->wake, &once, sizeof(once));
	while (!order->done)
		pthread_cond_wait(&collect->changed, &collect->lock);
	return order->failed;
}

static void await_first_round(struct collect *collect)
{
	const struct timespec deadline = clock_deadline(COLLECT_FIRST_ROUND);

	while (collect->first_count > 0 && pthread_cond_timedwait(&collect->changed, &collect->lock, &deadline) == 0)
		continue;
}

int collect_start(struct collect *collect, struct error *error)
{
	struct order order = {.command = START};
	int failed;

	pthread_mutex_lock(&collect->lock);
	failed = give(collect, &order);
	if (failed)
		*error = order.error;
	else
		await_first_round(collect);
	pthread_mutex_unlock(&collect->lock);
	return failed;
}

/* Waits until the thread has done it. */
static int do_order(struct collect *collect, struct order *order)
{
	int failed;

	pthread_mutex_lock(&collect->lock);
	failed = give(collect, order);
	pthread_mutex_unlock(&collect->lock);
	return failed;
}

void collect_stop(struct collect *collect)
{
	do_order(collect, &(struct order){.command = STOP});
}

int collect_prepare(struct collect *collect, const struct plan *plan, struct error *error)
{
	struct order order = {.command = PREPARE, .plan = plan};
	int failed = do_order(collect, &order);

	if (failed)
		*error = order.error;
	return failed;
}

void collect_part(struct collect *collect)
{
	do_order(collect, &(struct order){.command = PART});
}

void collect_adopt(struct collect *collect, void (*between)(void *context), void *context)
{
	do_order(collect, &(struct order){.command = ADOPT, .between = between, .context = context});
}

void collect_free(struct collect *collect)
{
	do_order(collect, &(struct order){.command = END});
	pthread_join(collect->thread, NULL);
	change_forget(collect);
	evaluate_free(collect->evaluate);
	lineup_release(&collect->now);
	close_descriptors(collect);
	pthread_cond_destroy(&collect->changed);
	pthread_mutex_destroy(&collect->lock);
	free(collect);
}

/* --- status ------------------------------------------------------------------------------------------------------ */

static size_t size_of_texts(const struct collect *collect)
{
	size_t size = 0;

	for (size_t i = 0; i < collect->now.plan->family_count; i++) {
		const struct collect_family_status *status = &collect->now.families[i].status;

		size += strlen(status->name) + strlen(status->plugin) + 2;
		size += status->error ? strlen(status->error) + 1 : 0;
		for (size_t k = 0; k < status->stuck_count; k++)
			size += strlen(status->stuck[k].instance) + 1 + sizeof(struct collect_stuck);
	}
	return size;
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
	size_t count, stuck_count = 0;
	struct collect_family_status *families;
	struct collect_status *status;
	struct collect_stuck *stuck;
	char *text;

	pthread_mutex_lock(&collect->lock);
	count = collect->now.plan->family_count;
	for (size_t i = 0; i < count; i++)
		stuck_count += collect->now.families[i].status.stuck_count;
	status = memory_alloc(sizeof(*status) + count * sizeof(*families) + size_of_texts(collect));
	families = (struct collect_family_status *)(status + 1);
	stuck = (struct collect_stuck *)(families + count);
	text = (char *)(stuck + stuck_count);
	*status = (struct collect_status){collect->running, collect->since, count, families};
	for (size_t i = 0; i < count; i++) {
		families[i] = collect->now.families[i].status;
		families[i].name = copy_text(families[i].name, &text);
		families[i].plugin = copy_text(families[i].plugin, &text);
		families[i].quiet = how_quiet(collect, &collect->now.families[i]);
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
