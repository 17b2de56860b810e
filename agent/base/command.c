#include "base/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"

#define READ_SIZE 65536

/* How long one that was killed is waited for. */
#define REAP_PATIENCE CLOCK_SECOND

/* No more of its complaints is of interest. */
#define DRAIN_READS 16

/* --- starting --------------------------------------------------------------------------------------------------- */

static int spawn(struct command *command, char *const *words, int output, int complaint)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t signals;
	int failure;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, complaint, STDERR_FILENO);
	/* librrd does not say O_CLOEXEC, and other threads open files meanwhile. */
	posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setpgroup(&attributes, 0);
	sigemptyset(&signals);
	posix_spawnattr_setsigmask(&attributes, &signals);
	sigaddset(&signals, SIGPIPE);
	posix_spawnattr_setsigdefault(&attributes, &signals);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	failure = posix_spawnp(&command->pid, words[0], &actions, &attributes, words, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return failure;
}

static void close_end(int *end)
{
	if (*end >= 0)
		close(*end);
	*end = -1;
}

int command_start(struct command *command, char *const *words)
{
	int output[2], complaint[2] = {-1, -1}, failure;

	if (pipe2(output, O_CLOEXEC) < 0)
		return errno;
	failure = pipe2(complaint, O_CLOEXEC) < 0 ? errno : spawn(command, words, output[1], complaint[1]);
	close_end(&output[1]);
	close_end(&complaint[1]);
	command->output = output[0];
	command->complaint = complaint[0];
	if (failure) {
		close_end(&command->output);
		close_end(&command->complaint);
		command->pid = 0;
	}
	return failure;
}

/* --- listening -------------------------------------------------------------------------------------------------- */

/* Reads what is there of its output. False: that was the end. */
static bool hear(struct command *command)
{
	ssize_t part;

	if (command->length + READ_SIZE > command->room) {
		command->room = command->room ? 2 * command->room : READ_SIZE;
		command->text = memory_resize(command->text, command->room + 1, 1);
	}
	part = read(command->output, command->text + command->length, command->room - command->length);
	if (part < 0)
		return errno == EINTR;
	command->length += (size_t)part;
	command->text[command->length] = '\0';
	if (command->length > command->most)
		command->trouble = COMMAND_TALKED;
	return part > 0;
}

/* The same of its complaints, of which the beginning is kept. */
static bool hear_complaint(struct command *command)
{
	char bytes[4096];
	ssize_t part = read(command->complaint, bytes, sizeof(bytes));
	size_t length = strlen(command->complaints), room = sizeof(command->complaints) - 1 - length;

	if (part < 0)
		return errno == EINTR;
	if ((size_t)part < room)
		room = (size_t)part;
	for (size_t i = 0; i < room; i++)
		command->complaints[length + i] = bytes[i] ? bytes[i] : '?';
	command->complaints[length + room] = '\0';
	return part > 0;
}

static int milliseconds(int64_t time)
{
	return time > 0 ? (int)(time / CLOCK_MILLISECOND) + 1 : 0;
}

static void listen_to(struct command *command)
{
	while (command->output >= 0 && !command->trouble) {
		struct pollfd ends[] = {{.fd = command->output, .events = POLLIN},
		                        {.fd = command->complaint, .events = POLLIN},
		                        {.fd = command->stop, .events = POLLIN}};
		int64_t left = command->deadline - clock_monotonic();

		if (left <= 0)
			command->trouble = COMMAND_LATE;
		else if (poll(ends, sizeof(ends) / sizeof(ends[0]), milliseconds(left)) <= 0)
			continue;
		if (ends[2].revents && !command->trouble)
			command->trouble = COMMAND_STOPPED;
		if (ends[1].revents && !hear_complaint(command))
			close_end(&command->complaint);
		if (ends[0].revents && !hear(command))
			close_end(&command->output);
	}
}

/* Looks until it has ended, or until then. True: it has. */
static bool await(struct command *command, int64_t until)
{
	pid_t done;

	while ((done = waitpid(command->pid, &command->status, WNOHANG)) == 0 && clock_monotonic() < until)
		/* There is no call that waits for a child and for a while: a look each millisecond, of which most need one. */
		poll(NULL, 0, 1);
	return done != 0;
}

/* What it complained of at its end; somebody whom it started may hold the pipe open. */
static void drain_complaints(struct command *command)
{
	for (int i = 0; i < DRAIN_READS && command->complaint >= 0; i++) {
		struct pollfd end = {.fd = command->complaint, .events = POLLIN};

		if (poll(&end, 1, 0) <= 0 || !hear_complaint(command))
			return;
	}
}

void command_finish(struct command *command)
{
	listen_to(command);
	/* Who closed its output may still run. */
	if (!command->trouble && !await(command, command->deadline))
		command->trouble = COMMAND_LATE;
	/* It was not waited for yet, so its number is no other's. */
	if (command->trouble) {
		kill(-command->pid, SIGKILL);
		await(command, clock_monotonic() + REAP_PATIENCE);
	}
	drain_complaints(command);
	close_end(&command->output);
	close_end(&command->complaint);
}
