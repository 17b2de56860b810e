/* links: agent/base/command.c agent/base/memory.c agent/base/clock.c
 *
 * Commands that end, and those that have to be ended. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/command.h"

/* Runs a script of sh for at most so long (ns). */
static struct command run(const char *script, int64_t patience, size_t most, int stop)
{
	char *words[] = {(char *)"sh", (char *)"-c", (char *)script, NULL};
	struct command command = {COMMAND_NONE, .most = most, .deadline = clock_monotonic() + patience};

	command.stop = stop;
	assert_int_equal(command_start(&command, words), 0);
	command_finish(&command);
	assert_int_equal(command.output, -1);
	assert_int_equal(command.complaint, -1);
	return command;
}

static struct command run_well(const char *script)
{
	struct command command = run(script, 10 * CLOCK_SECOND, 1000000, -1);

	assert_int_equal(command.trouble, COMMAND_FINE);
	return command;
}

/* It was killed, and within a second. */
static void assert_ended(const char *script, int64_t patience, int stop, enum command_trouble trouble)
{
	int64_t began = clock_monotonic();
	struct command command = run(script, patience, 100000, stop);

	assert_int_equal(command.trouble, trouble);
	assert_true(clock_monotonic() - began < CLOCK_SECOND);
	assert_true(WIFSIGNALED(command.status) && WTERMSIG(command.status) == SIGKILL);
	/* So was what it had started. */
	for (int i = 0; i < 1000 && kill(-command.pid, 0) == 0; i++) {
		waitpid(-command.pid, NULL, WNOHANG);
		usleep(1000);
	}
	assert_int_equal(kill(-command.pid, 0), -1);
	free(command.text);
}

static void it_is_heard(void **state)
{
	struct command command = run_well("echo hello; echo alas >&2; exit 3");

	(void)state;
	assert_string_equal(command.text, "hello\n");
	assert_string_equal(command.complaints, "alas\n");
	assert_int_equal(WEXITSTATUS(command.status), 3);
	free(command.text);
	command = run_well("kill -TERM $$");
	assert_true(WIFSIGNALED(command.status));
	assert_int_equal(command.length, 0);
	free(command.text);
}

static void it_may_say_much(void **state)
{
	struct command command = run_well("head -c 900000 /dev/zero; head -c 900000 /dev/zero | tr '\\0' x >&2");

	(void)state;
	assert_int_equal(command.length, 900000);
	assert_int_equal(strlen(command.complaints), sizeof(command.complaints) - 1);
	free(command.text);
}

static void there_is_none(void **state)
{
	char *words[] = {(char *)"no such program", NULL};
	struct command command = {COMMAND_NONE};

	(void)state;
	assert_int_equal(command_start(&command, words), ENOENT);
	assert_int_equal(command.output, -1);
	assert_int_equal(command.complaint, -1);
}

static void it_has_nothing_of_ours(void **state)
{
	int leak = open("/dev/zero", O_RDONLY), high = fcntl(leak, F_DUPFD, 200);
	struct command command;
	sigset_t blocked, before;
	unsigned long ignored;

	(void)state;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	signal(SIGPIPE, SIG_IGN);
	command = run_well("ls -l /proc/self/fd; cat; grep -E 'Sig(Blk|Ign)' /proc/self/status");
	sigprocmask(SIG_SETMASK, &before, NULL);
	signal(SIGPIPE, SIG_DFL);
	assert_null(strstr(command.text, "/dev/zero"));
	assert_non_null(strstr(command.text, "SigBlk:\t0000000000000000\n"));
	ignored = strtoul(strstr(command.text, "SigIgn:") + strlen("SigIgn:"), NULL, 16);
	assert_int_equal(ignored >> (SIGPIPE - 1) & 1, 0);
	free(command.text);
	close(leak);
	close(high);
}

static void its_time_is_up(void **state)
{
	(void)state;
	assert_ended("echo x; sleep 60; :", CLOCK_SECOND / 10, -1, COMMAND_LATE);
	assert_ended("exec >&- 2>&-; sleep 60; :", CLOCK_SECOND / 10, -1, COMMAND_LATE);
	assert_ended("trap '' TERM INT; sleep 60 & wait; :", CLOCK_SECOND / 10, -1, COMMAND_LATE);
}

static void it_says_too_much(void **state)
{
	(void)state;
	assert_ended("cat /dev/zero; :", 10 * CLOCK_SECOND, -1, COMMAND_TALKED);
}

static void it_is_stopped(void **state)
{
	int stop[2];

	(void)state;
	assert_int_equal(pipe2(stop, O_CLOEXEC), 0);
	assert_int_equal(write(stop[1], "x", 1), 1);
	assert_ended("sleep 60; :", 10 * CLOCK_SECOND, stop[0], COMMAND_STOPPED);
	close(stop[0]);
	close(stop[1]);
}

/* Who lives on with its stderr is not waited for. */
static void it_leaves_somebody_behind(void **state)
{
	int64_t began = clock_monotonic();
	struct command command = run_well("echo bye; sleep 3 >&- & exit 0");

	(void)state;
	assert_string_equal(command.text, "bye\n");
	assert_true(clock_monotonic() - began < CLOCK_SECOND);
	kill(-command.pid, SIGKILL);
	free(command.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_heard),    cmocka_unit_test(it_may_say_much),
		cmocka_unit_test(there_is_none),  cmocka_unit_test(it_has_nothing_of_ours),
		cmocka_unit_test(its_time_is_up), cmocka_unit_test(it_says_too_much),
		cmocka_unit_test(it_is_stopped),  cmocka_unit_test(it_leaves_somebody_behind),
	};

	/* What a command leaves behind is this program's to wait for. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
