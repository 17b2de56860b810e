/* links: agent/worker/nursery.c agent/worker/message.c agent/base/memory.c agent/base/clock.c agent/base/error.c */
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

enum { ECHO, INSPECT, HANG, ANCESTRY, CRASH, KINDS };
static const struct worker_kind kinds[KINDS] = {
	{"echo", echo, 0}, {"inspect", inspect, 0}, {"hang", hang, 0}, {"ancestry", ancestry, 0}, {"crash", crash, 0}};
static const struct worker_kind *const all[KINDS] = {&kinds[0], &kinds[1], &kinds[2], &kinds[3], &kinds[4]};

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

static int await_exit(struct nursery *nursery, pid_t wanted)
{
	for (;;) {
		struct pollfd ends = {.fd = nursery_fd(nursery), .events = POLLIN};
		pid_t pid;
		int status;

		while (nursery_exited(nursery, &pid, &status))
			if (pid == wanted)
				return status;
		assert_int_not_equal(pid, 0);
		assert_int_equal(poll(&ends, 1, 20000), 1);
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
	pid_t nursery = 0, pid = 1;
	int status;

	assert_int_equal(message_receive(worker.socket, &message, 20 * CLOCK_SECOND), 1);
	assert_true(message_get(&message, &nursery, sizeof(nursery)));
	assert_true(nursery > 1 && nursery != getpid());
	assert_int_equal(kill(nursery, SIGKILL), 0);
	assert_int_equal(message_receive(worker.socket, &message, 20 * CLOCK_SECOND), 0);
	assert_int_equal(nursery_spawn(*state, ECHO, &none, &error), -1);
	assert_string_equal(error.text, "the process that starts workers has ended; restart pindrop");
	assert_null(none.page);
	assert_false(nursery_exited(*state, &pid, &status));
	assert_int_equal(pid, 0);
	nursery_kill(*state, worker.pid); /* harmless */
	message_release(&message);
	worker_release(&worker);
}

static void exits_are_not_lost_while_others_are_spawned(void **state)
{
	enum { MANY = 20 };
	struct worker workers[MANY];
	size_t exited = 0;

	for (size_t i = 0; i < MANY; i++) {
		workers[i] = spawn(*state, HANG);
		nursery_kill(*state, workers[i].pid);
	}
	while (exited < MANY) {
		struct pollfd ends = {.fd = nursery_fd(*state), .events = POLLIN};
		pid_t pid;
		int status;

		while (nursery_exited(*state, &pid, &status))
			exited++;
		assert_true(exited == MANY || poll(&ends, 1, 20000) == 1);
	}
	assert_false(nursery_has_exits(*state));
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
	};

	return cmocka_run_group_tests_name("nursery", tests, NULL, NULL);
}
