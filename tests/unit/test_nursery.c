/* links: agent/worker/nursery.c agent/worker/message.c agent/base/memory.c agent/base/clock.c agent/base/error.c */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "worker/message.h"
#include "worker/nursery.h"

/* Says where it is, and sends back what it is sent, until its socket is closed. */
static int echo(int socket, struct worker_page *page)
{
	struct message message = {0};

	strcpy(page->place, "here");
	while (message_receive(socket, &message, -1) == 1)
		message_send(socket, &message, -1);
	message_release(&message);
	return 7;
}

/* Tells how it was brought up: its input, what is open, whether a child of it could gain privileges. */
static int inspect(int socket, struct worker_page *page)
{
	struct message message = {0};
	char target[64] = "";
	int open_count = 0;

	(void)page;
	(void)!readlink("/proc/self/fd/0", target, sizeof(target) - 1);
	for (int fd = 4; fd < 64; fd++)
		open_count += write(fd, "", 0) == 0 || errno != EBADF;
	message_put_text(&message, target);
	message_put(&message, &open_count, sizeof(open_count));
	message_send(socket, &message, -1);
	message_release(&message);
	return 0;
}

/* Tells who started it, and stays. */
static int ancestry(int socket, struct worker_page *page)
{
	struct message message = {0};
	pid_t parent = getppid();

	message_put(&message, &parent, sizeof(parent));
	message_send(socket, &message, -1);
	message_release(&message);
	return echo(socket, page);
}

static int crash(int socket, struct worker_page *page)
{
	(void)socket;
	strcpy(page->place, "/mnt/broken");
	signal(SIGABRT, SIG_DFL); /* a sanitizer may have its own idea of it */
	abort();
}

static int hang(int socket, struct worker_page *page)
{
	(void)socket, (void)page;
	for (;;)
		pause();
	return 0;
}

/* Starts processes that keep the socket open for ever, and ends as it is told. */
static int beget(int socket, struct worker_page *page)
{
	struct message message = {0};
	const char *how;

	if (fork() == 0)
		hang(socket, page);
	/* A group of its own, with a child in it. */
	if (fork() == 0) {
		pid_t own = getpid();

		setpgid(0, 0);
		if (fork() == 0)
			hang(socket, page);
		message_put(&message, &own, sizeof(own));
		message_send(socket, &message, -1);
		hang(socket, page);
	}
	if (message_receive(socket, &message, -1) == 1 && message_get_text(&message, &how) && strcmp(how, "crash") == 0)
		crash(socket, page);
	message_release(&message);
	return 0;
}

/* Gives itself a name, and says what became of a program that it started when that was told to end. */
static int start_program(int socket, struct worker_page *page)
{
	struct message message = {0};
	int status;

	(void)page;
	worker_rename("lua:queue");
	/* 5: it has the socket. */
	status = system("[ -e /proc/self/fd/3 ] && exit 5; kill -TERM $$; : is still here");
	message_put(&message, &status, sizeof(status));
	kill(getpid(), SIGTERM); /* which does not end a worker */
	message_send(socket, &message, -1);
	while (message_receive(socket, &message, -1) == 1)
		continue;
	message_release(&message);
	return 0;
}

enum { ECHO, INSPECT, HANG, ANCESTRY, CRASH, BEGET, PROGRAM, KINDS };
static const struct worker_kind kinds[KINDS] = {
	{"echo", echo, 0},   {"inspect", inspect, 0}, {"hang", hang, 0},       {"ancestry", ancestry, 0},
	{"crash", crash, 0}, {"beget", beget, 0},     {"p", start_program, 0},
};
static const struct worker_kind *const all[KINDS] = {&kinds[0], &kinds[1], &kinds[2], &kinds[3],
                                                     &kinds[4], &kinds[5], &kinds[6]};

static int start(void **state)
{
	struct error error;

	*state = nursery_start(all, KINDS, &error);
	return *state ? 0 : -1;
}

static int stop(void **state)
{
	nursery_stop(*state);
	return 0;
}

static struct worker spawn(struct nursery *nursery, size_t kind)
{
	struct worker worker = {0};
	struct error error = {""};

	if (nursery_spawn(nursery, kind, &worker, &error) < 0)
		fail_msg("%s", error.text);
	return worker;
}

/* The next that is told. */
static void await_notice(struct nursery *nursery, struct nursery_notice *notice)
{
	struct pollfd told = {.fd = nursery_fd(nursery), .events = POLLIN};

	while (nursery_next(nursery, notice) == NURSERY_SILENT)
		assert_true(poll(&told, 1, nursery_is_behind(nursery) ? 10 : 20000) == 1 || nursery_is_behind(nursery));
}

static int await_exit(struct nursery *nursery, pid_t wanted)
{
	for (;;) {
		struct nursery_notice notice;

		await_notice(nursery, &notice);
		assert_int_equal(notice.what, NURSERY_EXITED);
		if (notice.pid == wanted)
			return notice.status;
	}
}

static void a_worker_answers_and_ends_with_its_socket(void **state)
{
	struct worker worker = spawn(*state, ECHO);
	struct message message = {0};
	pid_t pid = worker.pid;
	int status;

	message_put_text(&message, "hello");
	assert_int_equal(message_send(worker.socket, &message, -1), 0);
	assert_int_equal(message_receive(worker.socket, &message, 20 * CLOCK_SECOND), 1);
	assert_string_equal(message.bytes + 4, "hello");
	assert_string_equal(worker.page->place, "here");
	worker_release(&worker);
	status = await_exit(*state, pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
	message_release(&message);
}

static void a_worker_has_nothing_of_the_agent(void **state)
{
	struct worker other = spawn(*state, ECHO), worker = spawn(*state, INSPECT);
	struct message message = {0};
	const char *input;
	int open_count = -1;

	assert_int_equal(message_receive(worker.socket, &message, 20 * CLOCK_SECOND), 1);
	assert_true(message_get_text(&message, &input) && message_get(&message, &open_count, sizeof(open_count)));
	assert_string_equal(input, "/dev/null");
	assert_int_equal(open_count, 0);
	message_release(&message);
	worker_release(&worker);
	worker_release(&other);
}

static void one_that_hangs_is_killed(void **state)
{
	struct worker worker = spawn(*state, HANG);
	int status;

	nursery_kill(*state, worker.pid);
	status = await_exit(*state, worker.pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	nursery_kill(*state, worker.pid); /* harmless: it is nobody's number yet */
	worker_release(&worker);
}

/* What it was doing when it died can still be read. */
static void one_that_crashes_leaves_its_place(void **state)
{
	struct worker worker = spawn(*state, CRASH);
	int status = await_exit(*state, worker.pid);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_string_equal(worker.page->place, "/mnt/broken");
	worker_release(&worker);
	worker_release(&worker); /* twice is once */
}

/* Each has a page and a socket of its own. */
static void workers_do_not_meet(void **state)
{
	struct worker first = spawn(*state, CRASH), second = spawn(*state, ECHO);
	struct message message = {0};
	const char *text;

	await_exit(*state, first.pid);
	message_put_text(&message, "still here");
	assert_int_equal(message_send(second.socket, &message, -1), 0);
	assert_int_equal(message_receive(second.socket, &message, 20 * CLOCK_SECOND), 1);
	assert_true(message_get_text(&message, &text) && strcmp(text, "still here") == 0);
	assert_string_equal(first.page->place, "/mnt/broken");
	assert_string_equal(second.page->place, "here");
	message_release(&message);
	worker_release(&first);
	worker_release(&second);
}

/* Someone kills the nursery: its workers go with it, and whoever asks is told so. */
static void the_end_of_the_nursery_is_told(void **state)
{
	struct worker worker = spawn(*state, ANCESTRY), none = {0};
	struct message message = {0};
	struct error error = {""};
	struct nursery_notice notice;
	pid_t nursery = 0;

	assert_int_equal(message_receive(worker.socket, &message, 20 * CLOCK_SECOND), 1);
	assert_true(message_get(&message, &nursery, sizeof(nursery)));
	assert_true(nursery > 1 && nursery != getpid());
	assert_int_equal(kill(nursery, SIGKILL), 0);
	assert_int_equal(message_receive(worker.socket, &message, 20 * CLOCK_SECOND), 0);
	assert_int_equal(nursery_spawn(*state, ECHO, &none, &error), -1);
	assert_string_equal(error.text, "the process that starts workers has ended; restart pindrop");
	assert_null(none.page);
	assert_int_equal(nursery_next(*state, &notice), NURSERY_ENDS);
	assert_int_equal(nursery_request(*state, ECHO, &error), 0);
	nursery_kill(*state, worker.pid); /* harmless */
	message_release(&message);
	worker_release(&worker);
}

static void exits_are_not_lost_while_others_are_spawned(void **state)
{
	enum { MANY = 20 };
	struct worker workers[MANY];
	struct nursery_notice notice;
	size_t exited = 0;

	for (size_t i = 0; i < MANY; i++) {
		workers[i] = spawn(*state, HANG);
		nursery_kill(*state, workers[i].pid);
	}
	for (; exited < MANY; exited++)
		await_notice(*state, &notice);
	assert_int_equal(nursery_next(*state, &notice), NURSERY_SILENT);
	for (size_t i = 0; i < MANY; i++)
		worker_release(&workers[i]);
}

static void all_end_with_the_nursery(void **state)
{
	struct worker worker;
	struct nursery *nursery;
	struct error error;
	struct message message = {0};

	(void)state;
	nursery = nursery_start(all, KINDS, &error);
	assert_non_null(nursery);
	worker = spawn(nursery, HANG);
	nursery_stop(nursery);
	/* The other end of its socket is closed: it is gone. */
	assert_int_equal(message_receive(worker.socket, &message, 20 * CLOCK_SECOND), 0);
	assert_int_equal(kill(worker.pid, 0), -1);
	worker_release(&worker);
	message_release(&message);
}

/* Spawns a worker with a child, and waits until that is there. */
static struct worker spawn_with_child(struct nursery *nursery)
{
	struct worker worker = spawn(nursery, BEGET);
	struct message message = {0};
	pid_t child = 0;

	assert_int_equal(message_receive(worker.socket, &message, 20 * CLOCK_SECOND), 1);
	assert_true(message_get(&message, &child, sizeof(child)) && child > 0);
	message_release(&message);
	return worker;
}

/* Nobody holds the other end of its socket any more: the worker is gone, and all that it has started. */
static void assert_nothing_left(struct worker *worker)
{
	struct message message = {0};

	assert_int_equal(message_receive(worker->socket, &message, 20 * CLOCK_SECOND), 0);
	message_release(&message);
	worker_release(worker);
}

static void send_text(const struct worker *worker, const char *text)
{
	struct message message = {0};

	message_put_text(&message, text);
	assert_int_equal(message_send(worker->socket, &message, -1), 0);
	message_release(&message);
}

static void what_a_worker_started_ends_with_it(void **state)
{
	static const char *const ways[] = {"return", "crash", "kill"};

	for (size_t i = 0; i < 3; i++) {
		struct worker worker = spawn_with_child(*state);

		if (i < 2)
			send_text(&worker, ways[i]);
		else
			nursery_kill(*state, worker.pid);
		assert_int_equal(WIFSIGNALED(await_exit(*state, worker.pid)), i > 0);
		assert_nothing_left(&worker);
	}
}

static void and_with_the_nursery(void **state)
{
	struct error error;
	struct nursery *nursery = nursery_start(all, KINDS, &error);
	struct worker worker = spawn_with_child(nursery);

	(void)state;
	nursery_stop(nursery);
	assert_nothing_left(&worker);
}

/* Each handle has its own workers, and hears of no other's. */
static void a_branch_has_workers_of_its_own(void **state)
{
	struct error error;
	struct nursery *branch = nursery_branch(*state, &error);
	struct worker there = spawn(branch, HANG), here = spawn(*state, HANG);
	struct nursery_notice notice;

	assert_int_not_equal(nursery_fd(branch), nursery_fd(*state));
	nursery_kill(branch, there.pid);
	assert_true(WIFSIGNALED(await_exit(branch, there.pid)));
	assert_int_equal(nursery_next(*state, &notice), NURSERY_SILENT);
	nursery_kill(*state, here.pid);
	assert_true(WIFSIGNALED(await_exit(*state, here.pid)));
	assert_int_equal(nursery_next(branch, &notice), NURSERY_SILENT);
	nursery_stop(branch);
	worker_release(&there);
	worker_release(&here);
}

/* Its workers end, those of others do not; there may be another. */
static void a_branch_is_closed(void **state)
{
	struct error error;
	struct nursery *branch = nursery_branch(*state, &error), *other = nursery_branch(*state, &error);
	struct worker worker = spawn_with_child(branch), here = spawn(*state, ECHO), there = spawn(other, ECHO);
	struct message message = {0};
	struct nursery_notice notice;

	nursery_stop(branch);
	assert_nothing_left(&worker);
	send_text(&here, "hello");
	assert_int_equal(message_receive(here.socket, &message, 20 * CLOCK_SECOND), 1);
	send_text(&there, "hello");
	assert_int_equal(message_receive(there.socket, &message, 20 * CLOCK_SECOND), 1);
	assert_int_equal(nursery_next(*state, &notice), NURSERY_SILENT);
	branch = nursery_branch(*state, &error);
	worker = spawn_with_child(branch);
	nursery_stop(branch);
	assert_nothing_left(&worker);
	nursery_stop(other);
	worker_release(&here);
	worker_release(&there);
	message_release(&message);
}

static void a_branch_ends_with_the_nursery(void **state)
{
	struct error error;
	struct nursery *nursery = nursery_start(all, KINDS, &error), *branch = nursery_branch(nursery, &error);
	struct worker worker = spawn_with_child(branch), none = {0};

	(void)state;
	nursery_stop(nursery);
	assert_nothing_left(&worker);
	assert_int_equal(nursery_spawn(branch, ECHO, &none, &error), -1);
	assert_null(nursery_branch(branch, &error));
	assert_string_equal(error.text, "the process that starts workers has ended; restart pindrop");
	nursery_stop(branch);
}

static void a_worker_has_a_name_and_signals_of_its_own(void **state)
{
	struct worker worker = spawn(*state, PROGRAM);
	struct message message = {0};
	char path[64], name[17] = "";
	FILE *file;
	int status = 0;

	assert_int_equal(message_receive(worker.socket, &message, 20 * CLOCK_SECOND), 1);
	assert_true(message_get(&message, &status, sizeof(status)));
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGTERM);
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)worker.pid);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_non_null(fgets(name, sizeof(name), file));
	fclose(file);
	assert_string_equal(name, "lua:queue\n");
	assert_int_equal(getsid(worker.pid), worker.pid);
	message_release(&message);
	worker_release(&worker);
}

/* --- without waiting --------------------------------------------------------------------------------------------- */

/* The nursery's own process, from a worker that tells it. */
static pid_t nursery_of(struct nursery *nursery)
{
	struct worker worker = spawn(nursery, ANCESTRY);
	struct message message = {0};
	pid_t parent = 0;

	assert_int_equal(message_receive(worker.socket, &message, 20 * CLOCK_SECOND), 1);
	assert_true(message_get(&message, &parent, sizeof(parent)));
	nursery_kill(nursery, worker.pid);
	await_exit(nursery, worker.pid);
	worker_release(&worker);
	message_release(&message);
	return parent;
}

static uint64_t request(struct nursery *nursery, size_t kind)
{
	struct error error = {""};
	uint64_t tag = nursery_request(nursery, kind, &error);

	assert_true(tag > 0);
	return tag;
}

static struct worker await_worker(struct nursery *nursery, uint64_t tag)
{
	struct nursery_notice notice;

	await_notice(nursery, &notice);
	assert_int_equal(notice.what, NURSERY_SPAWNED);
	assert_true(notice.tag == tag && notice.worker.pid > 0);
	return notice.worker;
}

/* However many are asked for, and though the nursery stands still. Each comes in its turn. */
static void what_is_asked_for_comes_later(void **state)
{
	enum { MANY = 500 };
	pid_t nursery = nursery_of(*state);
	uint64_t tags[MANY];
	struct worker workers[3];
	struct nursery_notice notice;

	assert_int_equal(kill(nursery, SIGSTOP), 0);
	for (size_t i = 0; i < MANY; i++)
		tags[i] = request(*state, i == 1 ? CRASH : ECHO);
	assert_int_equal(nursery_next(*state, &notice), NURSERY_SILENT);
	for (size_t i = 3; i < MANY; i++)
		nursery_give_up(*state, tags[i]);
	assert_int_equal(kill(nursery, SIGCONT), 0);
	workers[0] = await_worker(*state, tags[0]);
	workers[1] = await_worker(*state, tags[1]);
	/* It has ended, perhaps before that it was there was read. That is told first. */
	for (size_t i = 0; i < 2; i++) {
		await_notice(*state, &notice);
		if (notice.what == NURSERY_SPAWNED)
			workers[2] = notice.worker;
		else
			assert_int_equal(notice.pid, workers[1].pid);
	}
	send_text(&workers[2], "hello");
	assert_string_equal(workers[1].page->place, "/mnt/broken");
	for (size_t i = 0; i < 3; i++)
		worker_release(&workers[i]);
}

static size_t count_open(void)
{
	DIR *folder = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

/* One that is there already, one that is being started, one that waits its turn. */
static void what_is_given_up_is_ended_and_not_told(void **state)
{
	pid_t nursery = nursery_of(*state);
	size_t before = count_open();
	uint64_t first = request(*state, HANG), second = request(*state, HANG), third = request(*state, ECHO);
	struct pollfd told = {.fd = nursery_fd(*state), .events = POLLIN};
	struct nursery_notice notice;
	struct worker worker = {0};

	assert_int_equal(poll(&told, 1, 20000), 1);
	nursery_give_up(*state, first);
	assert_int_equal(kill(nursery, SIGSTOP), 0);
	assert_int_equal(nursery_next(*state, &notice), NURSERY_SILENT);
	nursery_give_up(*state, second);
	nursery_give_up(*state, second);
	nursery_give_up(*state, 1000);
	assert_int_equal(kill(nursery, SIGCONT), 0);
	/* They never end by themselves. */
	for (size_t exited = 0; exited < 2 || !worker.pid;) {
		await_notice(*state, &notice);
		if (notice.what == NURSERY_SPAWNED) {
			assert_true(notice.tag == third);
			worker = notice.worker;
			continue;
		}
		assert_true(WIFSIGNALED(notice.status) && WTERMSIG(notice.status) == SIGKILL);
		exited++;
	}
	worker_release(&worker);
	assert_int_equal(count_open(), before);
}

/* Kills that find no room are kept: nobody waits, and none is lost. */
static void kills_are_not_lost(void **state)
{
	enum { MANY = 5000 };
	struct worker first = spawn(*state, HANG), last = spawn(*state, HANG);
	pid_t nursery = nursery_of(*state);

	assert_int_equal(kill(nursery, SIGSTOP), 0);
	for (size_t i = 0; i < MANY; i++)
		nursery_kill(*state, first.pid);
	assert_true(nursery_is_behind(*state));
	nursery_kill(*state, last.pid);
	assert_int_equal(kill(nursery, SIGCONT), 0);
	assert_int_equal(WTERMSIG(await_exit(*state, first.pid)), SIGKILL);
	assert_int_equal(WTERMSIG(await_exit(*state, last.pid)), SIGKILL);
	assert_false(nursery_is_behind(*state));
	worker_release(&first);
	worker_release(&last);
}

/* Who waits, waits for his own: what comes before is kept for who reads it. */
static void waiting_for_one_loses_no_other(void **state)
{
	uint64_t tag = request(*state, ECHO);
	struct worker own = spawn(*state, CRASH), other;

	other = await_worker(*state, tag);
	send_text(&other, "hello");
	assert_int_equal(WTERMSIG(await_exit(*state, own.pid)), SIGABRT);
	worker_release(&own);
	worker_release(&other);
	/* And what nobody has read is closed with the handle. */
	request(*state, ECHO);
	own = spawn(*state, ECHO);
	worker_release(&own);
}

static void what_was_asked_of_one_that_dies_is_told(void **state)
{
	pid_t nursery = nursery_of(*state);
	struct nursery_notice notice;
	uint64_t tags[4];

	assert_int_equal(kill(nursery, SIGSTOP), 0);
	for (size_t i = 0; i < 4; i++)
		tags[i] = request(*state, ECHO);
	nursery_give_up(*state, tags[0]);
	nursery_give_up(*state, tags[1]);
	assert_int_equal(kill(nursery, SIGKILL), 0);
	for (size_t i = 2; i < 4; i++) {
		await_notice(*state, &notice);
		assert_int_equal(notice.what, NURSERY_SPAWNED);
		assert_true(notice.tag == tags[i]);
		assert_int_equal(notice.worker.pid, 0);
		assert_string_equal(notice.error.text, "the process that starts workers has ended; restart pindrop");
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(nursery_next(*state, &notice), NURSERY_ENDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_worker_answers_and_ends_with_its_socket, start, stop),
		cmocka_unit_test_setup_teardown(a_worker_has_nothing_of_the_agent, start, stop),
		cmocka_unit_test_setup_teardown(one_that_hangs_is_killed, start, stop),
		cmocka_unit_test_setup_teardown(one_that_crashes_leaves_its_place, start, stop),
		cmocka_unit_test_setup_teardown(workers_do_not_meet, start, stop),
		cmocka_unit_test_setup_teardown(the_end_of_the_nursery_is_told, start, stop),
		cmocka_unit_test_setup_teardown(exits_are_not_lost_while_others_are_spawned, start, stop),
		cmocka_unit_test(all_end_with_the_nursery),
		cmocka_unit_test_setup_teardown(what_a_worker_started_ends_with_it, start, stop),
		cmocka_unit_test(and_with_the_nursery),
		cmocka_unit_test_setup_teardown(a_branch_has_workers_of_its_own, start, stop),
		cmocka_unit_test_setup_teardown(a_branch_is_closed, start, stop),
		cmocka_unit_test(a_branch_ends_with_the_nursery),
		cmocka_unit_test_setup_teardown(a_worker_has_a_name_and_signals_of_its_own, start, stop),
		cmocka_unit_test_setup_teardown(what_is_asked_for_comes_later, start, stop),
		cmocka_unit_test_setup_teardown(what_is_given_up_is_ended_and_not_told, start, stop),
		cmocka_unit_test_setup_teardown(kills_are_not_lost, start, stop),
		cmocka_unit_test_setup_teardown(waiting_for_one_loses_no_other, start, stop),
		cmocka_unit_test_setup_teardown(what_was_asked_of_one_that_dies_is_told, start, stop),
	};

	return cmocka_run_group_tests_name("nursery", tests, NULL, NULL);
}
