/* script/command.c: pindrop.run(), a command without a shell.
 *
 * The command leads a process group of its own, so that what it starts ends with it when its time is up. It reads nothing,
 * and what it says to stderr stands in the agent's log. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "script/inside.h"

#define WORDS_MAX 1000
#define READ_SIZE 65536

struct command {
	char **words; /* ended by NULL */
	pid_t pid;
	int output;
	int64_t timeout, deadline;
	char *text;
	size_t length, room;
	const char *trouble; /* why it was ended */
};

/* Does not return. `trouble` is a pipe that closes when the command runs, or brings errno. */
_Noreturn static void become(char *const *words, int output, int trouble, pid_t parent)
{
	int null = open("/dev/null", O_RDONLY);

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent && null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0) {
		signal(SIGPIPE, SIG_DFL);
		execvp(words[0], words);
	}
	(void)!write(trouble, &errno, sizeof(errno));
	_exit(127);
}

/* Starts the command. 0, or an errno. */
static int start(struct command *command)
{
	int output[2] = {-1, -1}, trouble[2] = {-1, -1}, failure = 0;
	pid_t parent = getpid();
	ssize_t got;

	if (pipe2(output, O_CLOEXEC) < 0)
		return errno;
	if (pipe2(trouble, O_CLOEXEC) < 0) {
		failure = errno;
		close(output[0]);
		close(output[1]);
		return failure;
	}
	command->pid = fork();
	if (command->pid == 0)
		become(command->words, output[1], trouble[1], parent);
	failure = command->pid < 0 ? errno : 0;
	close(output[1]);
	close(trouble[1]);
	/* Whoever of the two is first, it leads a group before anybody ends it. */
	if (!failure)
		setpgid(command->pid, command->pid);
	do
		got = failure ? 0 : read(trouble[0], &failure, sizeof(failure));
	while (got < 0 && errno == EINTR && clock_monotonic() < command->deadline);
	close(trouble[0]);
	command->output = output[0];
	return failure;
}

/* Reads what is there. False: that was the end. */
static bool take(struct command *command)
{
	ssize_t part;

	if (command->length + READ_SIZE > command->room) {
		command->room = command->room ? 2 * command->room : READ_SIZE;
		command->text = memory_resize(command->text, command->room, 1);
	}
	part = read(command->output, command->text + command->length, command->room - command->length);
	if (part < 0)
		return errno == EINTR;
	command->length += (size_t)part;
	if (command->length > LIBRARY_TEXT_MAX)
		command->trouble = "printed more than " LIBRARY_TEXT_MAX_WORDS;
	return part > 0 && !command->trouble;
}

static int milliseconds(int64_t time)
{
	return time > 0 ? (int)(time / CLOCK_MILLISECOND) + 1 : 0;
}

/* Reads to the end, or to the deadline. */
static void read_output(struct command *command)
{
	for (;;) {
		struct pollfd end = {.fd = command->output, .events = POLLIN};
		int64_t left = command->deadline - clock_monotonic();

		if (left <= 0) {
			command->trouble = "took too long";
			return;
		}
		if (poll(&end, 1, milliseconds(left)) > 0 && !take(command))
			return;
	}
}

/* Who closed its output may still run. Its status as of wait(2). */
static int await(struct command *command)
{
	int status = 0;
	pid_t done;

	while ((done = waitpid(command->pid, &status, WNOHANG)) == 0 && !command->trouble) {
		/* There is no call that waits for a child and for a while: a look each millisecond, of which most need one. */
		poll(NULL, 0, 1);
		if (clock_monotonic() >= command->deadline)
			command->trouble = "took too long";
	}
	if (done == 0) {
		kill(-command->pid, SIGKILL);
		while (waitpid(command->pid, &status, 0) < 0 && errno == EINTR)
			continue;
	}
	return status;
}

/* Takes the words of the table at index 1. Each is a text of the state, which the table holds. */
static void read_words(lua_State *lua, struct command *command)
{
	lua_Integer count = luaL_len(lua, 1);

	luaL_argcheck(lua, count > 0 && count <= WORDS_MAX, 1, "a list of words: { \"cmd\", \"argument\" }");
	command->words = lua_newuserdatauv(lua, ((size_t)count + 1) * sizeof(char *), 0);
	for (lua_Integer i = 0; i < count; i++) {
		size_t length;
		const char *word;

		/* A number becomes a text in the table, so that it stays. */
		lua_geti(lua, 1, i + 1);
		word = lua_tolstring(lua, -1, &length);
		luaL_argcheck(lua, word && strlen(word) == length, 1, "each word must be a text");
		lua_seti(lua, 1, i + 1);
		command->words[i] = (char *)word;
	}
	command->words[count] = NULL;
}

/* { timeout = "2s" }, seconds or a duration. */
static int64_t read_timeout(lua_State *lua)
{
	const char *text;
	double seconds = 0;

	if (lua_isnoneornil(lua, 2))
		return 0;
	luaL_checktype(lua, 2, LUA_TTABLE);
	for (lua_pushnil(lua); lua_next(lua, 2); lua_pop(lua, 1)) {
		if (lua_type(lua, -2) != LUA_TSTRING || strcmp(lua_tostring(lua, -2), "timeout") != 0)
			luaL_error(lua, "pindrop.run() has one option: { timeout = \"2s\" }");
		text = lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : NULL;
		seconds = lua_tonumber(lua, -1);
		if ((text && !text_duration(text, &seconds)) || !(seconds > 0) || seconds > 86400)
			luaL_error(lua, "pindrop.run(): \"timeout\" must be a duration, as \"2s\"");
	}
	return (int64_t)(seconds * (double)CLOCK_SECOND);
}

/* Pushes what came of it. */
static int tell_end(lua_State *lua, const struct command *command, int status)
{
	const char *name = command->words[0];
	char span[TEXT_AMOUNT_SIZE];
	int count;

	if (command->trouble && command->timeout)
		count = library_fail(lua, "%s %s: ended after %s", name, command->trouble,
		                     text_from_span(clock_seconds(command->timeout), span));
	else if (command->trouble)
		count = library_fail(lua, "%s %s: ended", name, command->trouble);
	else if (WIFSIGNALED(status))
		count =
			library_fail(lua, "%s was ended by signal %d (%s)", name, WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status))
		count = library_fail(lua, "%s ended with status %d", name, WEXITSTATUS(status));
	else
		count = 0;
	if (count == 0)
		return lua_pushlstring(lua, command->text ? command->text : "", command->length), 1;
	lua_pushinteger(lua, WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
	lua_pushlstring(lua, command->text ? command->text : "", command->length);
	return count + 2;
}

int library_run(lua_State *lua)
{
	const struct script *script = script_of(lua);
	struct command command = {.output = -1};
	struct state_box *box;
	int failure, status;

	luaL_checktype(lua, 1, LUA_TTABLE);
	command.timeout = read_timeout(lua);
	read_words(lua, &command);
	box = state_box(lua);
	command.deadline = script->deadline;
	if (command.timeout && clock_monotonic() + command.timeout < command.deadline)
		command.deadline = clock_monotonic() + command.timeout;
	failure = start(&command);
	if (command.output >= 0 && !failure)
		read_output(&command);
	if (command.output >= 0)
		close(command.output);
	status = command.pid > 0 ? await(&command) : 0;
	box->block = command.text;
	if (failure)
		return library_fail(lua, "%s: %s", command.words[0], strerror(failure));
	return tell_end(lua, &command, status);
}
