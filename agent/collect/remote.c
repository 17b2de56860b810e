/* collect/remote.c: the agent's side of a worker; the worker's side is in serve.c, and of a collector's in
 * serve_script.c. */
#include "collect/remote.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "collect/link.h"
#include "collect/wire.h"
#include "config/config.h"

/* How long what failed is left alone: doubles from the first to the last with each failure in a row. */
#define FAMILY_PAUSE_MIN CLOCK_SECOND
#define FAMILY_PAUSE_MAX (60 * CLOCK_SECOND)
#define STUCK_PAUSE_MIN (10 * CLOCK_SECOND)
#define STUCK_PAUSE_MAX (300 * CLOCK_SECOND)

/* How long a collector that fails is left alone: its interval, doubling with each failure in a row up to this. */
#define COLLECTOR_PAUSE_MAX (60 * CLOCK_SECOND)

struct question {
	size_t family;
	bool waiting; /* it was asked, and not answered */
	int64_t tick; /* wall clock, ns */
	bool on_tick;
	struct batch batch;
};

struct remote {
	const struct plan *plan;
	const struct plan_plugin *plugin;
	remote_told *told;
	void *context;

	struct link link;
	bool set_up;
	struct question *questions;
	size_t question_count;
	struct question *current; /* the worker is at it, or will be when it is there; NULL: it is idle */
	int64_t asked;            /* monotonic, ns; of the current question */
	int64_t asked_wall;
	int64_t patience; /* how long it may take, ns */
	int64_t deadline; /* monotonic, ns */

	int64_t retry_at;       /* no worker before: monotonic, ns */
	int64_t pause;          /* 0: the last worker did well */
	enum gap_reason reason; /* why there is none */
	struct error words;     /* of a collector: why it is left alone */
	struct remote_stuck *stuck;
	size_t stuck_count;
	uint64_t stuck_version;
};

struct remote *remote_new(const struct plan *plan, const struct plan_plugin *plugin, const struct remote_means *means)
{
	struct remote *remote = memory_alloc(sizeof(*remote));

	remote->plan = plan;
	remote->plugin = plugin;
	remote->link = (struct link){.nursery = means->nursery,
	                             .kind = plugin->collector ? means->script_kind : means->worker_kind,
	                             .epoll = means->epoll,
	                             .whom = remote,
	                             .get = means->get,
	                             .context = means->get_context};
	remote->told = means->told;
	remote->context = means->context;
	remote->questions = memory_array(plan->family_count, sizeof(*remote->questions));
	for (size_t i = 0; i < plan->family_count; i++)
		if (plan->families[i].plugin == plugin && !plan->families[i].table->never_blocks)
			remote->questions[remote->question_count++].family = i;
	return remote;
}

static const struct pindrop_family *family_of(const struct remote *remote, size_t family)
{
	return remote->plan->families[family].table;
}

static void end_worker(struct remote *remote)
{
	link_close(&remote->link);
	remote->set_up = false;
}

static void fail(struct remote *remote, struct question *question, enum gap_reason reason, const struct error *error)
{
	const struct remote_lost lost = {question->tick, question->on_tick, reason, error};

	question->waiting = false;
	if (remote->current == question)
		remote->current = NULL;
	remote->told(remote->context, question->family, NULL, &lost);
}

void remote_stop(struct remote *remote)
{
	static const struct error error = {"sampling was stopped before it answered"};

	end_worker(remote);
	for (size_t i = 0; i < remote->question_count; i++)
		if (remote->questions[i].waiting)
			fail(remote, &remote->questions[i], GAP_STOPPED, &error);
	remote->retry_at = remote->pause = 0;
}

void remote_free(struct remote *remote)
{
	remote_stop(remote);
	for (size_t i = 0; i < remote->question_count; i++)
		batch_release(&remote->questions[i].batch);
	for (size_t i = 0; i < remote->stuck_count; i++)
		free(remote->stuck[i].instance);
	free(remote->stuck);
	free(remote->questions);
	link_release(&remote->link);
	free(remote);
}

static void tell_nobody(void *context, size_t family, struct batch *batch, const struct remote_lost *lost)
{
	(void)context, (void)family, (void)batch, (void)lost;
}

void remote_discard(struct remote *remote)
{
	remote->told = tell_nobody;
	remote_free(remote);
}

void remote_adopt(struct remote *remote, const struct plan *plan, const struct plan_plugin *plugin)
{
	for (size_t i = 0; i < remote->question_count; i++)
		remote->questions[i].family = plan_find_family(plan, family_of(remote, remote->questions[i].family)->name);
	for (size_t i = 0; i < remote->stuck_count; i++)
		remote->stuck[i].family = plan_find_family(plan, family_of(remote, remote->stuck[i].family)->name);
	remote->plan = plan;
	remote->plugin = plugin;
	remote->stuck_version++;
}

bool remote_awaits(const struct remote *remote, size_t family, int64_t *tick)
{
	for (size_t i = 0; i < remote->question_count; i++) {
		const struct question *question = &remote->questions[i];

		if (question->family == family && question->waiting) {
			*tick = question->on_tick ? question->tick : 0;
			return true;
		}
	}
	return false;
}

/* --- what hangs ----------------------------------------------------------------------------------------------- */

static struct remote_stuck *find_stuck(struct remote *remote, size_t family, const char *instance)
{
	for (size_t i = 0; i < remote->stuck_count; i++)
		if (remote->stuck[i].family == family && strcmp(remote->stuck[i].instance, instance) == 0)
			return &remote->stuck[i];
	return NULL;
}

static size_t count_left(const struct remote *remote)
{
	size_t left = 0;

	for (size_t i = 0; i < remote->stuck_count; i++)
		left += remote->stuck[i].pid != 0;
	return left;
}

/* The worker hangs on, or crashed in, the instance whose name is in its page. */
static void add_stuck(struct remote *remote, const char *instance, enum gap_reason reason, const char *how)
{
	struct remote_stuck *stuck = find_stuck(remote, remote->current->family, instance);

	if (!stuck) {
		remote->stuck = memory_resize(remote->stuck, remote->stuck_count + 1, sizeof(*remote->stuck));
		stuck = &remote->stuck[remote->stuck_count++];
		*stuck = (struct remote_stuck){.family = remote->current->family,
		                               .instance = memory_text(instance),
		                               .since = remote->asked};
		log_warning("%s: %s %s; it is skipped, the others go on", remote->plan->families[stuck->family].table->name,
		            instance, how);
	}
	stuck->reason = reason;
	stuck->pid = remote->link.worker.pid;
	stuck->trying = false;
	stuck->pause = link_back_off(stuck->pause, STUCK_PAUSE_MIN, STUCK_PAUSE_MAX);
	remote->stuck_version++;
}

static void remove_stuck(struct remote *remote, size_t index)
{
	struct remote_stuck *stuck = &remote->stuck[index];

	log_info("%s: %s answers again, or is gone", remote->plan->families[stuck->family].table->name, stuck->instance);
	free(stuck->instance);
	*stuck = remote->stuck[--remote->stuck_count];
	remote->stuck_version++;
}

/* What was tried again has not hung: it is well, or is not there any more. */
static void forgive(struct remote *remote, size_t family)
{
	for (size_t i = remote->stuck_count; i-- > 0;)
		if (remote->stuck[i].family == family && remote->stuck[i].trying)
			remove_stuck(remote, i);
}

/* The instances to leave alone. One whose time has come is tried again, one at a time. */
static void put_skipped(struct remote *remote, struct message *message, size_t family)
{
	int64_t now = clock_monotonic();
	bool trying = false;

	for (size_t i = 0; i < remote->stuck_count; i++) {
		struct remote_stuck *stuck = &remote->stuck[i];

		if (stuck->family != family)
			continue;
		stuck->trying = !trying && !stuck->pid && now >= stuck->retry_at;
		trying = trying || stuck->trying;
		if (!stuck->trying)
			message_put_text(message, stuck->instance);
	}
	message_put_text(message, NULL);
}

const struct remote_stuck *remote_stuck(const struct remote *remote, size_t *count, uint64_t *version)
{
	*count = remote->stuck_count;
	*version = remote->stuck_version;
	return remote->stuck;
}

/* --- asking --------------------------------------------------------------------------------------------------- */

static int start_worker(struct remote *remote, struct error *error)
{
	if (clock_monotonic() < remote->retry_at)
		return error_set(error, "its last worker failed; a new one is started after a pause");
	remote->reason = GAP_TIMEOUT;
	if (count_left(remote) >= REMOTE_LEFT_MAX)
		return error_set(error, "%d processes hang and cannot be ended", REMOTE_LEFT_MAX);
	remote->reason = GAP_ERROR;
	return link_open(&remote->link, error);
}

static void put_collector(const struct remote *remote, struct message *message)
{
	const struct plan *plan = remote->plan;
	const struct pindrop_family *table = &remote->plugin->table->families[0];
	const struct script_setup setup = {.file = plan->file,
	                                   .text = plan->script,
	                                   .root = plan->root,
	                                   .limits = {remote->plugin->timeout, remote->plugin->memory}};
	struct wire_collector collector = {.name = table->name,
	                                   .instances = table->instance != NULL,
	                                   .field_count = table->field_count,
	                                   .fields = memory_array(table->field_count, sizeof(char *))};

	for (size_t i = 0; i < table->field_count; i++)
		collector.fields[i] = table->fields[i].name;
	wire_put_script(message, &setup);
	wire_put_collector(message, &collector);
	free((void *)collector.fields);
}

static void send_setup(struct remote *remote)
{
	struct message message = {0};

	if (remote->plugin->collector) {
		put_collector(remote, &message);
	} else {
		message_put_text(&message, remote->plugin->path);
		message_put_text(&message, remote->plugin->name);
		message_put_text(&message, remote->plan->root);
		wire_put_options(&message, remote->plugin->table, remote->plugin->options);
	}
	link_send(&remote->link, &message);
	message_release(&message);
}

static void send_request(struct remote *remote, const struct question *question)
{
	struct message message = {0};

	if (!remote->plugin->collector) {
		message_put_text(&message, family_of(remote, question->family)->name);
		put_skipped(remote, &message, question->family);
	}
	link_send(&remote->link, &message);
	message_release(&message);
}

static int64_t patience(const struct remote *remote)
{
	int64_t interval = remote->plugin->interval;

	if (remote->plugin->collector)
		return remote->plugin->timeout + SCRIPT_GRACE;
	return interval < REMOTE_DEADLINE_MIN   ? REMOTE_DEADLINE_MIN
	       : interval > REMOTE_DEADLINE_MAX ? REMOTE_DEADLINE_MAX
	                                        : interval;
}

/* Puts the current question to the worker. */
static void send_current(struct remote *remote)
{
	remote->asked = clock_monotonic();
	remote->asked_wall = clock_wall();
	remote->patience = patience(remote);
	if (!remote->set_up) {
		send_setup(remote);
		remote->set_up = true;
		/* Until it says that it has run the file. */
		remote->patience += remote->plugin->collector ? CONFIG_RUN_MAX : 0;
	}
	remote->deadline = remote->asked + remote->patience;
	send_request(remote, remote->current);
}

/* Where there is no worker the question waits for one. A collector is left alone for a while after an error. */
static void put(struct remote *remote, struct question *question)
{
	struct error error = {""};

	if (remote->plugin->collector && clock_monotonic() < remote->retry_at) {
		fail(remote, question, GAP_ERROR, &remote->words);
		return;
	}
	if (!remote->link.worker.pid && start_worker(remote, &error) < 0) {
		fail(remote, question, remote->reason, &error);
		return;
	}
	remote->current = question;
	if (remote->link.worker.pid)
		send_current(remote);
	else
		remote->deadline = clock_monotonic() + NURSERY_SPAWN_MAX;
}

static void put_next(struct remote *remote)
{
	for (size_t i = 0; i < remote->question_count && !remote->current; i++)
		if (remote->questions[i].waiting)
			put(remote, &remote->questions[i]);
}

bool remote_ask(struct remote *remote, size_t family, int64_t tick, bool on_tick)
{
	for (size_t i = 0; i < remote->question_count; i++) {
		struct question *question = &remote->questions[i];

		if (question->family != family)
			continue;
		if (question->waiting)
			return false;
		question->waiting = true;
		question->tick = tick;
		question->on_tick = on_tick;
	}
	put_next(remote);
	return true;
}

/* --- what goes wrong -------------------------------------------------------------------------------------------- */

/* Leaves a collector alone. Pauses are counted from tick to tick: that of one interval ends with the next. */
static void rest(struct remote *remote, const struct error *words)
{
	int64_t interval = remote->plugin->interval;
	int64_t most = interval > COLLECTOR_PAUSE_MAX ? interval : COLLECTOR_PAUSE_MAX;

	remote->pause = link_back_off(remote->pause, interval, most);
	remote->retry_at = clock_monotonic() + remote->pause - interval / 2;
	remote->words = *words;
}

/* A collector's worker is no more, or is not to be any more. */
static void lose_collector(struct remote *remote, enum gap_reason reason, const struct error *how)
{
	const struct remote_lost idle = {.reason = reason, .error = &remote->words};
	struct error words;

	link_describe_loss(&remote->link, reason == GAP_TIMEOUT, how, &words);
	end_worker(remote);
	rest(remote, &words);
	if (remote->current)
		fail(remote, remote->current, reason, &words);
	else
		remote->told(remote->context, remote->questions[0].family, NULL, &idle);
}

static void pause_family(struct remote *remote, enum gap_reason reason)
{
	remote->reason = reason;
	remote->retry_at = clock_monotonic() + remote->pause;
	remote->pause = link_back_off(remote->pause, FAMILY_PAUSE_MIN, FAMILY_PAUSE_MAX);
}

/* The worker is no more, or is not to be any more. With the name of an instance, the question is put again without it
 * at once; without, it has failed. */
static void lose_worker(struct remote *remote, enum gap_reason reason, const struct error *how)
{
	struct question *question = remote->current;
	char place[WORKER_PLACE_SIZE] = "";

	if (remote->plugin->collector) {
		lose_collector(remote, reason, how);
		return;
	}
	/* The worker may still write to its page. */
	if (remote->link.worker.page)
		memcpy(place, remote->link.worker.page->place, sizeof(place) - 1);
	if (question && place[0])
		add_stuck(remote, place, reason, how->text);
	end_worker(remote);
	remote->current = NULL;
	if (question && place[0]) {
		put(remote, question);
		return;
	}
	pause_family(remote, reason);
	log_warning("%s: its worker %s", remote->plugin->name, how->text);
	if (question)
		fail(remote, question, reason, how);
	put_next(remote);
}

/* The worker that was asked for is not there. */
static void lose_start(struct remote *remote, const struct error *how)
{
	end_worker(remote);
	if (remote->plugin->collector)
		rest(remote, how);
	else
		pause_family(remote, GAP_ERROR);
	if (remote->current)
		fail(remote, remote->current, GAP_ERROR, how);
	put_next(remote);
}

void remote_started(struct remote *remote, const struct nursery_notice *notice)
{
	int started = link_started(&remote->link, notice);

	if (started < 0)
		lose_start(remote, &notice->error);
	else if (started > 0 && remote->current)
		send_current(remote);
}

int64_t remote_deadline(const struct remote *remote)
{
	return remote->current ? remote->deadline : INT64_MAX;
}

void remote_expire(struct remote *remote)
{
	static const struct error late = {NURSERY_LATE};
	struct error how;

	if (remote->link.request) {
		lose_start(remote, &late);
		return;
	}
	error_set(&how, "has not answered for %.3g s", clock_seconds(remote->patience));
	lose_worker(remote, GAP_TIMEOUT, &how);
}

/* What a process hung on, or crashed in, is left alone from its end on. */
static void let_rest(struct remote *remote, pid_t pid)
{
	for (size_t i = 0; i < remote->stuck_count; i++) {
		if (remote->stuck[i].pid != pid)
			continue;
		remote->stuck[i].pid = 0;
		remote->stuck[i].retry_at = clock_monotonic() + remote->stuck[i].pause;
	}
}

void remote_exited(struct remote *remote, pid_t pid, int status)
{
	struct error how;

	let_rest(remote, pid);
	if (pid != remote->link.worker.pid)
		return;
	link_describe_end(status, &how);
	lose_worker(remote, GAP_ERROR, &how);
	/* It has crashed in an instance: it does not hang there. */
	let_rest(remote, pid);
}

/* --- answers ---------------------------------------------------------------------------------------------------- */

static void lose_mad(struct remote *remote)
{
	const struct error how = {"gave an answer that is none"};

	lose_worker(remote, GAP_ERROR, &how);
}

/* A collector says why it has no sample. What has eaten up its memory is only freed with its worker. */
static void take_words(struct remote *remote, struct question *question, const struct error *words)
{
	if (remote->plugin->collector) {
		if (strstr(words->text, SCRIPT_FULL))
			end_worker(remote);
		rest(remote, words);
	}
	fail(remote, question, GAP_ERROR, words);
}

static void take_reply(struct remote *remote, struct question *question)
{
	const struct pindrop_family *table = family_of(remote, question->family);
	struct batch *batch = &question->batch;
	struct error error = {""};
	int got;

	batch_begin(batch, question->family, table->field_count, table->label_count);
	got = wire_get_reply(&remote->link.in, batch, &error);
	if (got < 0) {
		lose_mad(remote);
		return;
	}
	batch->tick = question->tick;
	batch->on_tick = question->on_tick;
	batch->time = remote->asked_wall;
	batch->clock = remote->asked;
	forgive(remote, question->family);
	if (got || !remote->plugin->collector)
		remote->pause = 0;
	if (got) {
		question->waiting = false;
		remote->current = NULL;
		remote->told(remote->context, question->family, batch, NULL);
	} else {
		take_words(remote, question, &error);
	}
	put_next(remote);
}

void remote_readable(struct remote *remote)
{
	enum wire_kind kind;

	if (!remote->link.worker.pid || link_receive(&remote->link) != 1)
		return;
	kind = remote->current ? wire_get_kind(&remote->link.in) : WIRE_NONE;
	if (kind == WIRE_REPLY)
		take_reply(remote, remote->current);
	else if (kind == WIRE_RUNNING && remote->plugin->collector)
		remote->deadline = clock_monotonic() + (remote->patience = patience(remote));
	else if (kind != WIRE_ASK || !remote->plugin->collector || link_answer(&remote->link) < 0)
		lose_mad(remote);
	message_clear(&remote->link.in);
}

void remote_forgive(struct remote *remote)
{
	remote->retry_at = remote->pause = 0;
	for (size_t i = 0; i < remote->stuck_count; i++)
		remote->stuck[i].retry_at = 0;
}
