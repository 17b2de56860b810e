/* script/state.c: a Lua state with limits.
 *
 * Memory: Lua asks one function for all that it has, which counts. Time: a timer rings at the deadline of a call, and then
 * every RING. The handler sets a hook on the coroutine that runs, which is what Lua allows a handler to do (as lua.c does
 * for Ctrl-C); before its next instruction that coroutine raises an error. A pcall() in the script catches it, and its
 * caller raises it again, up to the one that stands here. What blocks ends by EINTR, and what was started by popen() or
 * execute() is ended. What hears none of that is told in the page, for the agent, which ends the process. */
#include <errno.h>
#include <fcntl.h>
#include <lualib.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "script/inside.h"

/* One that nobody else uses: libFuzzer, and who knows which module, has SIGALRM. */
#define SIGNAL SIGRTMIN

/* After the deadline: the second time the place is told, well within SCRIPT_GRACE. */
#define RING (50 * CLOCK_MILLISECOND)

/* What this thread, which is the only one, has started; and how deep what those started is looked for. */
#define CHILDREN "/proc/thread-self/children"
#define DEPTH_MAX 8

/* What one address space may hold in any case, so that a size can be counted. */
#define MEMORY_MAX ((size_t)1 << 46)

/* --- memory ------------------------------------------------------------------------------------------------- */

/* A lua_Alloc. Where there is no room Lua collects its garbage and asks again. */
static void *allocate(void *context, void *block, size_t before, size_t size)
{
	struct script *script = context;
	size_t had = block ? before : 0;
	void *moved;

	if (size == 0) {
		free(block);
		script->used -= had;
		return NULL;
	}
	/* To shrink a block must not fail. */
	if (size > had && (size > MEMORY_MAX || script->used - had + size > script->limits.memory)) {
		/* While Lua makes its way out it asks again, and can do without. */
		if (script->running && trace_line(script->running))
			trace_tell(script, script->running, 0, SCRIPT_FULL, script->full_at, sizeof(script->full_at));
		return NULL;
	}
	moved = realloc(block, size);
	if (moved)
		script->used += size - had;
	return moved;
}

/* --- time --------------------------------------------------------------------------------------------------- */

bool state_is_late(const struct script *script)
{
	return script->overdue > 0;
}

/* A hook of every kind: before the next instruction, call or return. It stays set until the call has returned. */
static void raise_late(lua_State *lua, lua_Debug *event)
{
	struct script *script = script_of(lua);

	(void)event;
	if (!state_is_late(script)) {
		/* Left over from an earlier call, on a coroutine that slept. */
		lua_sethook(lua, NULL, 0, 0);
		return;
	}
	if (!script->late_at[0])
		trace_tell(script, lua, 0, script->late, script->late_at, sizeof(script->late_at));
	luaL_error(lua, "%s", script->late);
}

static void hook(lua_State *lua)
{
	lua_sethook(lua, raise_late, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

static void end_children(const char *list, int depth);

/* Ends a process, and first what it started. */
static void end_process(pid_t pid, int depth)
{
	char list[64], digits[16], *at = digits + sizeof(digits) - 1;
	pid_t left = pid;

	*at = '\0';
	for (; left > 0; left /= 10)
		*--at = (char)('0' + left % 10);
	stpcpy(stpcpy(stpcpy(stpcpy(stpcpy(list, "/proc/"), at), "/task/"), at), "/children");
	if (depth < DEPTH_MAX)
		end_children(list, depth + 1);
	kill(pid, SIGKILL);
}

/* Ends what the script has started, or it would be waited for without end: glibc's pclose() and system() do not hear of
 * signals. Only calls that a handler may make. */
static void end_children(const char *path, int depth)
{
	int list = open(path, O_RDONLY | O_CLOEXEC);
	char text[512];
	ssize_t length = list < 0 ? 0 : read(list, text, sizeof(text));
	pid_t pid = 0;

	if (list >= 0)
		close(list);
	for (ssize_t i = 0; i < length; i++) {
		if (text[i] >= '0' && text[i] <= '9') {
			pid = pid * 10 + (text[i] - '0');
		} else {
			if (pid > 1)
				end_process(pid, depth);
			pid = 0;
		}
	}
}

/* Whoever looks sees all of the line, or none: its first letter comes last. */
static void tell_place(struct script *script)
{
	char line[SCRIPT_LINE_SIZE], *place = script->page->place;

	trace_tell(script, script->running, 0, script->late, line, sizeof(line));
	memcpy(place + 1, line + 1, sizeof(line) - 1);
	atomic_signal_fence(memory_order_seq_cst);
	atomic_thread_fence(memory_order_release);
	*(volatile char *)place = line[0];
}

static void ring(int number, siginfo_t *info, void *context)
{
	struct script *script = info->si_value.sival_ptr;
	int saved = errno;

	(void)number;
	(void)context;
	/* Anybody may send this signal; a timer alone says whose it is. */
	if (info->si_code == SI_TIMER && script->deadline) {
		script->overdue++;
		hook(script->running);
		/* A bare script has none: they are the fuzzer's. */
		if (!script->bare)
			end_children(CHILDREN, 0);
		if (script->overdue == 2)
			tell_place(script);
	}
	errno = saved;
}

static int open_timer(struct script *script, struct error *error)
{
	struct sigaction action = {.sa_sigaction = ring, .sa_flags = SA_SIGINFO}; /* without SA_RESTART */
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGNAL, .sigev_value.sival_ptr = script};
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGNAL);
	if (sigaction(SIGNAL, &action, NULL) < 0 || sigprocmask(SIG_UNBLOCK, &mask, NULL) < 0 ||
	    timer_create(CLOCK_MONOTONIC, &event, &script->timer) < 0)
		return error_set(error, "%s: no timer: %s", script->file, strerror(errno));
	script->timed = true;
	return 0;
}

static struct timespec as_timespec(int64_t time)
{
	return (struct timespec){time / CLOCK_SECOND, time % CLOCK_SECOND};
}

static void begin_call(struct script *script, const char *entry)
{
	struct itimerspec times = {.it_interval = as_timespec(RING)};

	script->entry = entry;
	script->overdue = 0;
	script->running = script->lua;
	script->words[0] = script->late_at[0] = script->full_at[0] = '\0';
	script->page->place[0] = '\0';
	script->deadline = clock_monotonic() + script->limits.time;
	times.it_value = as_timespec(script->deadline);
	timer_settime(script->timer, TIMER_ABSTIME, &times, NULL);
}

static void end_call(struct script *script)
{
	const struct itimerspec never = {0};

	script->deadline = 0;
	timer_settime(script->timer, 0, &never, NULL);
	lua_sethook(script->lua, NULL, 0, 0);
	script->page->place[0] = '\0';
}

/* --- errors ------------------------------------------------------------------------------------------------- */

/* What an error object says: its text, or what its __tostring makes of it. Leaves a text on the stack. */
static void push_words(lua_State *lua)
{
	if (lua_type(lua, 1) == LUA_TSTRING || lua_type(lua, 1) == LUA_TNUMBER)
		lua_pushvalue(lua, 1);
	else if (luaL_callmeta(lua, 1, "__tostring") && lua_type(lua, -1) == LUA_TSTRING)
		return;
	else
		lua_pushfstring(lua, "an error that is %s%s", lua_isnil(lua, 1) ? "" : "a ", luaL_typename(lua, 1));
}

/* "attempt to call a nil value (global 'plugins')": what was meant. */
static void add_meant(char *words, size_t size)
{
	const char *sign = "a nil value (global '", *at = strstr(words, sign), *nearest;
	char name[64];
	size_t length;

	if (!at)
		return;
	at += strlen(sign);
	length = strcspn(at, "'");
	if (length >= sizeof(name))
		return;
	memcpy(name, at, length);
	name[length] = '\0';
	nearest = declare_nearest(name);
	length = strlen(words);
	if (nearest)
		snprintf(words + length, size - length, " (did you mean \"%s\"?)", nearest);
}

/* The message handler: writes the error down as one line, where it was raised. */
static int note_error(lua_State *lua)
{
	struct script *script = script_of(lua);
	char words[SCRIPT_LINE_SIZE];
	const char *text;
	size_t length;

	lua_settop(lua, 1);
	if (state_is_late(script))
		return 1;
	push_words(lua);
	text = lua_tolstring(lua, -1, &length);
	trace_clean(text, length, words, sizeof(words));
	add_meant(words, sizeof(words));
	trace_tell(script, lua, 1, *words ? words : "an error without words", script->words, sizeof(script->words));
	lua_settop(lua, 1);
	return 1;
}

/* Puts what Lua said into the words for the user. */
static int tell_error(struct script *script, int status, struct error *error)
{
	if (state_is_late(script) && script->late_at[0])
		return error_set(error, "%s", script->late_at);
	if (state_is_late(script))
		return error_set(error, "%s: %s", script->file, script->late);
	if (status == LUA_ERRMEM) {
		const char *at = script->full_at[0] ? script->full_at : SCRIPT_FULL;
		const char *rest = strstr(at, SCRIPT_FULL);
		int front = (int)(rest ? rest - at : 0);

		return error_set(error, "%.*s" SCRIPT_FULL ": it may use %zu MB%s", front, at, script->limits.memory / 1000000,
		                 rest ? rest + strlen(SCRIPT_FULL) : "");
	}
	return error_set(error, "%s", script->words[0] ? script->words : "an error in an error");
}

int state_call(struct script *script, const char *entry, lua_CFunction body, void *argument, struct error *error)
{
	lua_State *lua = script->lua;
	int status;

	lua_settop(lua, 0);
	lua_pushcfunction(lua, note_error);
	lua_pushcfunction(lua, body);
	lua_pushlightuserdata(lua, argument);
	begin_call(script, entry);
	status = lua_pcall(lua, 1, 0, 1);
	end_call(script);
	lua_settop(lua, 0);
	if (status == LUA_OK)
		return 0;
	tell_error(script, status, error);
	return -1;
}

/* --- what a userdata owns ----------------------------------------------------------------------------------- */

void state_box_empty(struct state_box *box)
{
	free(box->block);
	json_decref(box->json);
	if (box->fd >= 0)
		close(box->fd);
	*box = (struct state_box){.fd = -1};
}

static int collect_box(lua_State *lua)
{
	state_box_empty(lua_touserdata(lua, 1));
	return 0;
}

struct state_box *state_box(lua_State *lua)
{
	struct state_box *box = lua_newuserdatauv(lua, sizeof(*box), 0);

	*box = (struct state_box){.fd = -1};
	if (luaL_newmetatable(lua, "pindrop.box")) {
		lua_pushcfunction(lua, collect_box);
		lua_setfield(lua, -2, "__gc");
	}
	lua_setmetatable(lua, -2);
	return box;
}

/* --- coroutines ---------------------------------------------------------------------------------------------- */

/* Calls the function below `arguments` values while `co` runs, so that the handler finds it. */
static int call_within(lua_State *lua, lua_State *co, int arguments)
{
	struct script *script = script_of(lua);
	lua_State *before = script->running;
	int status;

	if (co)
		script->running = co;
	status = lua_pcall(lua, arguments, LUA_MULTRET, 0);
	script->running = before;
	/* That the time is up ended the coroutine alone. */
	if (state_is_late(script))
		hook(lua);
	return status == LUA_OK ? lua_gettop(lua) : lua_error(lua);
}

/* coroutine.resume() and close(): the upvalue is Lua's own. */
static int follow(lua_State *lua)
{
	lua_State *co = lua_tothread(lua, 1);

	lua_pushvalue(lua, lua_upvalueindex(1));
	lua_insert(lua, 1);
	return call_within(lua, co, lua_gettop(lua) - 1);
}

/* What coroutine.wrap() returned: the upvalues are that and its coroutine. */
static int follow_wrapped(lua_State *lua)
{
	lua_pushvalue(lua, lua_upvalueindex(1));
	lua_insert(lua, 1);
	return call_within(lua, lua_tothread(lua, lua_upvalueindex(2)), lua_gettop(lua) - 1);
}

/* coroutine.wrap(): the upvalue is Lua's own, whose function keeps its coroutine as an upvalue. */
static int wrap(lua_State *lua)
{
	lua_pushvalue(lua, lua_upvalueindex(1));
	lua_insert(lua, 1);
	lua_call(lua, lua_gettop(lua) - 1, 1);
	if (!lua_getupvalue(lua, -1, 1))
		lua_pushnil(lua);
	lua_pushcclosure(lua, follow_wrapped, 2);
	return 1;
}

/* --- functions that would escape ------------------------------------------------------------------------------ */

/* The message handler of an xpcall(): the upvalue is the script's. No hook is called within a hook, so that one which is
 * called by the error of the hook could run for ever. */
static int handle(lua_State *lua)
{
	if (state_is_late(script_of(lua)))
		return lua_gettop(lua);
	lua_pushvalue(lua, lua_upvalueindex(1));
	lua_insert(lua, 1);
	lua_call(lua, lua_gettop(lua) - 1, LUA_MULTRET);
	return lua_gettop(lua);
}

static int finish_xpcall(lua_State *lua, int status, lua_KContext context)
{
	(void)status;
	(void)context;
	return lua_gettop(lua);
}

/* xpcall(): the upvalue is Lua's own. */
static int guarded_xpcall(lua_State *lua)
{
	luaL_checktype(lua, 2, LUA_TFUNCTION);
	lua_pushvalue(lua, 2);
	lua_pushcclosure(lua, handle, 1);
	lua_replace(lua, 2);
	lua_pushvalue(lua, lua_upvalueindex(1));
	lua_insert(lua, 1);
	lua_callk(lua, lua_gettop(lua) - 1, LUA_MULTRET, 0, finish_xpcall);
	return finish_xpcall(lua, LUA_OK, 0);
}

static int refuse_exit(lua_State *lua)
{
	return luaL_error(lua, "os.exit() would end more than this file; error() ends it with words");
}

/* Puts a function of ours before one of a library's, which becomes its upvalue. */
static void replace(lua_State *lua, const char *library, const char *name, lua_CFunction function)
{
	lua_getglobal(lua, library);
	lua_getfield(lua, -1, name);
	lua_pushcclosure(lua, function, 1);
	lua_setfield(lua, -2, name);
	lua_pop(lua, 1);
}

static void take(lua_State *lua, const char *library, const char *name)
{
	lua_getglobal(lua, library);
	lua_pushnil(lua);
	lua_setfield(lua, -2, name);
	lua_pop(lua, 1);
}

/* Nothing that reaches out of the state, or that runs for long in C, where no hook is heard. */
static void strip(lua_State *lua)
{
	static const char *const names[][2] = {
		{"_G", "os"},       {"_G", "io"},         {"_G", "package"},   {"_G", "debug"},   {"_G", "require"},
		{"_G", "loadfile"}, {"_G", "dofile"},     {"_G", "print"},     {"string", "rep"}, {"string", "find"},
		{"string", "gsub"}, {"string", "gmatch"}, {"string", "match"}, {"table", "move"}, {"_G", "setmetatable"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		take(lua, names[i][0], names[i][1]);
}

static int open_libraries(lua_State *lua)
{
	const struct script *script = script_of(lua);

	luaL_openlibs(lua);
	replace(lua, "coroutine", "resume", follow);
	replace(lua, "coroutine", "close", follow);
	replace(lua, "coroutine", "wrap", wrap);
	replace(lua, "_G", "xpcall", guarded_xpcall);
	replace(lua, "os", "exit", refuse_exit);
	declare_offer(lua);
	library_offer(lua);
	if (script->bare)
		strip(lua);
	else
		modules_offer(lua);
	return 0;
}

/* --- life --------------------------------------------------------------------------------------------------- */

int state_open(struct script *script, struct error *error)
{
	if (open_timer(script, error) < 0)
		return -1;
	script->lua = lua_newstate(allocate, script);
	if (!script->lua)
		return error_set(error, "%s: " SCRIPT_FULL ": it may use %zu MB", script->file,
		                 script->limits.memory / 1000000);
	*(struct script **)lua_getextraspace(script->lua) = script;
	return state_call(script, NULL, open_libraries, NULL, error);
}

void state_close(struct script *script)
{
	if (script->lua) {
		/* Closing waits for what popen() started. */
		if (!script->bare)
			end_children(CHILDREN, 0);
		script->running = NULL;
		lua_close(script->lua);
	}
	if (script->timed)
		timer_delete(script->timer);
}

void script_limit(struct script *script, const struct script_limits *limits)
{
	char span[TEXT_AMOUNT_SIZE];

	script->limits = *limits;
	snprintf(script->late, sizeof(script->late), "ran longer than %s",
	         text_from_span(clock_seconds(limits->time), span));
}
