/* script/command.c: pindrop.run(), a command without a shell.
 *
 * The command leads a process group of its own, so that what it starts ends with it when its time is up. It reads nothing,
 * and what it says to stderr stands in the agent's log. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/command.h"
#include "base/text.h"
#include "script/inside.h"

#define WORDS_MAX 1000

struct call {
	char **words; /* ended by NULL */
	int64_t timeout;
	struct command command;
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

/* Starts the command. 0, or an errno. Unlike command_start() it sees to it that the command ends with the worker, also
 * where that is killed; a worker has one thread, so that it may fork. */
static int start(char *const *words, struct command *command)
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
		become(words, output[1], trouble[1], parent);
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

/* Takes the words of the table at index 1. Each is a text of the state, which the table holds. */
static void read_words(lua_State *lua, struct call *call)
{
	lua_Integer count = luaL_len(lua, 1);

	luaL_argcheck(lua, count > 0 && count <= WORDS_MAX, 1, "a list of words: { \"cmd\", \"argument\" }");
	call->words = lua_newuserdatauv(lua, ((size_t)count + 1) * sizeof(char *), 0);
	for (lua_Integer i = 0; i < count; i++) {
		size_t length;
		const char *word;

		/* A number becomes a text in the table, so that it stays. */
		lua_geti(lua, 1, i + 1);
		word = lua_tolstring(lua, -1, &length);
		luaL_argcheck(lua, word && strlen(word) == length, 1, "each word must be a text");
		lua_seti(lua, 1, i + 1);
		call->words[i] = (char *)word;
	}
	call->words[count] = NULL;
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
static int tell_end(lua_State *lua, const struct call *call)
{
	static const char *const troubles[] = {
		[COMMAND_LATE] = "took too long", [COMMAND_TALKED] = "printed more than " LIBRARY_TEXT_MAX_WORDS};
	const struct command *command = &call->command;
	const char *name = call->words[0], *text = command->text ? command->text : "";
	int status = command->status, count = 0;
	char span[TEXT_AMOUNT_SIZE];

	if (command->trouble && call->timeout)
		count = library_fail(lua, "%s %s: ended after %s", name, troubles[command->trouble],
		                     text_from_span(clock_seconds(call->timeout), span));
	else if (command->trouble)
		count = library_fail(lua, "%s %s: ended", name, troubles[command->trouble]);
	else if (WIFSIGNALED(status))
		count =
			library_fail(lua, "%s was ended by signal %d (%s)", name, WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status))
		count = library_fail(lua, "%s ended with status %d", name, WEXITSTATUS(status));
	if (count == 0)
		return lua_pushlstring(lua, text, command->length), 1;
	lua_pushinteger(lua, WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
	lua_pushlstring(lua, text, command->length);
	return count + 2;
}

int library_run(lua_State *lua)
{
	const struct script *script = script_of(lua);
	struct call call = {.command = {COMMAND_NONE, .most = LIBRARY_TEXT_MAX}};
	struct command *command = &call.command;
	struct state_box *box;
	int failure;

	luaL_checktype(lua, 1, LUA_TTABLE);
	call.timeout = read_timeout(lua);
	read_words(lua, &call);
	box = state_box(lua);
	command->deadline = script->deadline;
	if (call.timeout && clock_monotonic() + call.timeout < command->deadline)
		command->deadline = clock_monotonic() + call.timeout;
	failure = start(call.words, command);
	if (command->pid > 0)
		command_finish(command);
	else if (command->output >= 0)
		close(command->output);
	box->block = command->text;
	if (failure)
		return library_fail(lua, "%s: %s", call.words[0], strerror(failure));
	return tell_end(lua, &call);
}
