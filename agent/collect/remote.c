/* collect/remote.c: the agent's side of a worker; the worker's side is in serve.c. */
#include "collect/remote.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "collect/wire.h"

/* How long what failed is left alone: doubles from the first to the last with each failure in a row. */
#define FAMILY_PAUSE_MIN CLOCK_SECOND
#define FAMILY_PAUSE_MAX (60 * CLOCK_SECOND)
#define STUCK_PAUSE_MIN (10 * CLOCK_SECOND)
#define STUCK_PAUSE_MAX (300 * CLOCK_SECOND)

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
	struct nursery *nursery;
	size_t worker_kind;
	int epoll;
	remote_told *told;
	void *context;

	struct worker worker; /* pid 0: none */
	bool set_up;
	struct message message; /* what comes in */
	struct question *questions;
	size_t question_count;
	struct question *current; /* the worker is at it; NULL: it is idle */
	int64_t asked;            /* monotonic, ns; of the current question */
	int64_t asked_wall;
	int64_t deadline; /* monotonic, ns */

	int64_t retry_at;       /* no worker before: monotonic, ns */
	int64_t pause;          /* 0: the last worker did well */
	enum gap_reason reason; /* why there is none */
	struct remote_stuck *stuck;
	size_t stuck_count;
	uint64_t stuck_version;
};

struct remote *remote_new(const struct plan *plan, const struct plan_plugin *plugin, struct nursery *nursery,
                          size_t worker_kind, int epoll, remote_told *told, void *context)
{
	struct remote *remote = memory_alloc(sizeof(*remote));

	remote->plan = plan;
	remote->plugin = plugin;
	remote->nursery = nursery;
	remote->worker_kind = worker_kind;
	remote->epoll = epoll;
	remote->told = told;
	remote->context = context;
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

/* Closes the socket, by which a worker that is well ends by itself, and kills it. */
static void end_worker(struct remote *remote)
{
	if (remote->worker.pid)
		nursery_kill(remote->nursery, remote->worker.pid);
	worker_release(&remote->worker);
	message_clear(&remote->message);
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
	message_release(&remote->message);
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
	stuck->pid = remote->worker.pid;
	stuck->trying = false;
	stuck->pause = stuck->pause ? 2 * stuck->pause : STUCK_PAUSE_MIN;
	if (stuck->pause > STUCK_PAUSE_MAX)
		stuck->pause = STUCK_PAUSE_MAX;
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
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = remote};

	if (clock_monotonic() < remote->retry_at)
		return error_set(error, "its last worker failed; a new one is started after a pause");
	remote->reason = GAP_TIMEOUT;
	if (count_left(remote) >= REMOTE_LEFT_MAX)
		return error_set(error, "%d processes hang and cannot be ended", REMOTE_LEFT_MAX);
	remote->reason = GAP_ERROR;
	if (nursery_spawn(remote->nursery, remote->worker_kind, &remote->worker, error) < 0)
		return -1;
	epoll_ctl(remote->epoll, EPOLL_CTL_ADD, remote->worker.socket, &event);
	return 0;
}

static int send_setup(struct remote *remote)
{
	struct message message = {0};
	int failed;

	message_put_text(&message, remote->plugin->path);
	message_put_text(&message, remote->plugin->name);
	message_put_text(&message, remote->plan->root);
	wire_put_options(&message, remote->plugin->table, remote->plugin->options);
	failed = message_send(remote->worker.socket, &message, REMOTE_DEADLINE_MIN);
	message_release(&message);
	remote->set_up = !failed;
	return failed;
}

static int send_request(struct remote *remote, const struct question *question)
{
	const struct pindrop_family *table = remote->plan->families[question->family].table;
	struct message message = {0};
	int failed;

	message_put_text(&message, table->name);
	put_skipped(remote, &message, question->family);
	failed = message_send(remote->worker.socket, &message, REMOTE_DEADLINE_MIN);
	message_release(&message);
	return failed;
}

static int64_t patience(const struct remote *remote)
{
	int64_t interval = remote->plugin->interval;

	return interval < REMOTE_DEADLINE_MIN   ? REMOTE_DEADLINE_MIN
	       : interval > REMOTE_DEADLINE_MAX ? REMOTE_DEADLINE_MAX
	                                        : interval;
}

/* Puts the question to the worker, a new one if there is none. */
static void put(struct remote *remote, struct question *question)
{
	struct error error = {""};

	if (!remote->worker.pid && start_worker(remote, &error) < 0) {
		fail(remote, question, remote->reason, &error);
		return;
	}
	remote->asked = clock_monotonic();
	remote->asked_wall = clock_wall();
	if ((!remote->set_up && send_setup(remote) < 0) || send_request(remote, question) < 0) {
		/* Its end is told by remote_readable(); the question then fails with it. */
		log_warning("%s: its worker takes no question: %s", remote->plugin->name, strerror(errno));
	}
	remote->current = question;
	remote->deadline = remote->asked + patience(remote);
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

/* The worker is no more, or is not to be any more. With the name of an instance, the question is put again without it
 * at once; without, it has failed. */
static void lose_worker(struct remote *remote, enum gap_reason reason, const struct error *how)
{
	struct question *question = remote->current;
	char instance[WORKER_PLACE_SIZE] = "";

	/* The worker may still write to its page. */
	if (remote->worker.page)
		memcpy(instance, remote->worker.page->place, sizeof(instance) - 1);
	if (question && instance[0])
		add_stuck(remote, instance, reason, how->text);
	end_worker(remote);
	remote->current = NULL;
	if (question && instance[0]) {
		put(remote, question);
		return;
	}
	remote->reason = reason;
	remote->retry_at = clock_monotonic() + remote->pause;
	remote->pause = remote->pause ? 2 * remote->pause : FAMILY_PAUSE_MIN;
	if (remote->pause > FAMILY_PAUSE_MAX)
		remote->pause = FAMILY_PAUSE_MAX;
	log_warning("%s: its worker %s", remote->plugin->name, how->text);
	if (question)
		fail(remote, question, reason, how);
	put_next(remote);
}

int64_t remote_deadline(const struct remote *remote)
{
	return remote->current ? remote->deadline : INT64_MAX;
}

void remote_expire(struct remote *remote)
{
	struct error how;

	error_set(&how, "has not answered for %.3g s", clock_seconds(clock_monotonic() - remote->asked));
	lose_worker(remote, GAP_TIMEOUT, &how);
}

void remote_exited(struct remote *remote, pid_t pid, int status)
{
	struct error how;

	for (size_t i = 0; i < remote->stuck_count; i++) {
		if (remote->stuck[i].pid != pid)
			continue;
		remote->stuck[i].pid = 0;
		remote->stuck[i].retry_at = clock_monotonic() + remote->stuck[i].pause;
	}
	if (pid != remote->worker.pid)
		return;
	if (WIFSIGNALED(status))
		error_set(&how, "was ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		error_set(&how, "has ended with status %d", WEXITSTATUS(status));
	lose_worker(remote, GAP_ERROR, &how);
	/* It has crashed in an instance: it does not hang there. */
	for (size_t i = 0; i < remote->stuck_count; i++) {
		if (remote->stuck[i].pid != pid)
			continue;
		remote->stuck[i].pid = 0;
		remote->stuck[i].retry_at = clock_monotonic() + remote->stuck[i].pause;
	}
}

/* --- answers ---------------------------------------------------------------------------------------------------- */

static void take_reply(struct remote *remote, struct question *question)
{
	const struct pindrop_family *table = remote->plan->families[question->family].table;
	struct batch *batch = &question->batch;
	struct error error = {""};
	int got;

	batch_begin(batch, question->family, table->field_count, table->label_count);
	got = wire_get_reply(&remote->message, batch, &error);
	if (got < 0) {
		error_set(&error, "gave an answer that is none");
		lose_worker(remote, GAP_ERROR, &error);
		return;
	}
	batch->tick = question->tick;
	batch->on_tick = question->on_tick;
	batch->time = remote->asked_wall;
	batch->clock = remote->asked;
	forgive(remote, question->family);
	remote->pause = 0;
	if (got) {
		question->waiting = false;
		remote->current = NULL;
		remote->told(remote->context, question->family, batch, NULL);
	} else {
		fail(remote, question, GAP_ERROR, &error);
	}
	put_next(remote);
}

void remote_readable(struct remote *remote)
{
	struct epoll_event event = {0};
	int got;

	if (!remote->worker.pid)
		return;
	got = message_receive_some(remote->worker.socket, &remote->message);
	if (got < 0 && errno == EAGAIN)
		return;
	if (got == 1 && remote->current) {
		take_reply(remote, remote->current);
		message_clear(&remote->message);
		return;
	}
	/* It has ended. How, is told by the nursery, which reaps it: until then its socket is not looked at. */
	epoll_ctl(remote->epoll, EPOLL_CTL_DEL, remote->worker.socket, &event);
}
