/* config/lua.c: runs pindrop.lua, in a worker's process.
 *
 * The file calls agent { … }, retention { … }, purge { … }, store { … }, plugin "name" { … }, aggregate "name" { … } and
 * collector "name" { … }. Each call becomes one declaration with the line that it stands on. Nothing is checked here:
 * what a value is, is told as JSON, and what JSON cannot say as {"$type": "function"}. */
#include <errno.h>
#include <jansson.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/config.h"
#include "worker/message.h"

/* A table in a table in a table …: also what contains itself has an end. */
#define DEPTH_MAX 16

/* How many instructions of the virtual machine may pass before the place is told anew. */
#define HOOK_COUNT 10000

/* What the file may allocate, with the program itself: address space. */
#define MEMORY_MAX ((size_t)1 << 30)

/* One run. Reached from Lua by the registry (run_of). */
struct run {
	const char *file;
	struct worker_page *page;
	json_t *declarations;
	int line; /* where the main file is now */
};

static const char run_key;

static struct run *run_of(lua_State *lua)
{
	struct run *run;

	lua_rawgetp(lua, LUA_REGISTRYINDEX, &run_key);
	run = lua_touserdata(lua, -1);
	lua_pop(lua, 1);
	return run;
}

/* What the main file is called within Lua, in chunk names ("=…") and messages: a name that Lua does not cut. */
#define NAME "pindrop.lua"
#define CHUNK "=" NAME

/* The innermost line of the main file that is running, or 0. */
static int line_of(lua_State *lua)
{
	lua_Debug place;

	for (int level = 0; lua_getstack(lua, level, &place); level++)
		if (lua_getinfo(lua, "Sl", &place) && strcmp(place.source, CHUNK) == 0 && place.currentline > 0)
			return place.currentline;
	return 0;
}

/* --- values ------------------------------------------------------------------------------------------------- */

static json_t *unusable(const char *type)
{
	return json_pack("{ss}", "$type", type);
}

static json_t *to_json(lua_State *lua, int index, int depth);

static json_t *list_to_json(lua_State *lua, int index, int depth)
{
	json_t *list = json_array();

	for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(lua, index); i++) {
		lua_rawgeti(lua, index, i);
		json_array_append_new(list, to_json(lua, -1, depth));
		lua_pop(lua, 1);
	}
	return list;
}

/* A copy of a key as text: lua_tolstring() on the key itself would confuse lua_next(). */
static void set_key(lua_State *lua, json_t *object, json_t *value)
{
	const char *key;

	lua_pushvalue(lua, -2);
	key = luaL_tolstring(lua, -1, NULL);
	if (json_object_set(object, key, value) < 0)
		json_object_set_new(object, "?", unusable("key that is not UTF-8"));
	json_decref(value);
	lua_pop(lua, 2);
}

/* A table is a list when it has entries, and all are numbered from 1 on. */
static json_t *table_to_json(lua_State *lua, int index, int depth)
{
	json_t *object;
	lua_Integer keys = 0;

	if (depth > DEPTH_MAX || !lua_checkstack(lua, 8))
		return unusable("table that is nested too deep");
	for (lua_pushnil(lua); lua_next(lua, index); lua_pop(lua, 1))
		keys++;
	if (keys > 0 && keys == (lua_Integer)lua_rawlen(lua, index))
		return list_to_json(lua, index, depth + 1);
	object = json_object();
	for (lua_pushnil(lua); lua_next(lua, index); lua_pop(lua, 1))
		set_key(lua, object, to_json(lua, -1, depth + 1));
	return object;
}

static json_t *to_json(lua_State *lua, int index, int depth)
{
	json_t *value = NULL;
	const char *text;
	size_t length;

	switch (lua_type(lua, index)) {
	case LUA_TBOOLEAN:
		return json_boolean(lua_toboolean(lua, index));
	case LUA_TNUMBER:
		value =
			lua_isinteger(lua, index) ? json_integer(lua_tointeger(lua, index)) : json_real(lua_tonumber(lua, index));
		return value ? value : unusable("number that is not finite");
	case LUA_TSTRING:
		text = lua_tolstring(lua, index, &length);
		if (strlen(text) == length)
			value = json_stringn(text, length);
		return value ? value : unusable("text that is not UTF-8");
	case LUA_TTABLE:
		return table_to_json(lua, lua_absindex(lua, index), depth);
	default:
		return unusable(luaL_typename(lua, index));
	}
}

/* --- what the file calls ------------------------------------------------------------------------------------ */

/* Adds a declaration and returns it; it belongs to the run. */
static json_t *declare(struct run *run, lua_State *lua, const char *what, json_t *value)
{
	json_t *declaration = json_pack("{sssiso}", "declare", what, "line", line_of(lua), "value", value);

	json_array_append_new(run->declarations, declaration);
	return declaration;
}

/* agent { … }: the upvalue is the word. */
static int declare_one(lua_State *lua)
{
	declare(run_of(lua), lua, lua_tostring(lua, lua_upvalueindex(1)), to_json(lua, 1, 0));
	return 0;
}

/* The second half of plugin "name" { … }: the upvalue is the declaration. */
static int give_value(lua_State *lua)
{
	json_object_set_new(lua_touserdata(lua, lua_upvalueindex(1)), "value", to_json(lua, 1, 0));
	return 0;
}

/* The first half: it is declared at once, so that plugin "cpu" alone is enough. */
static int declare_named(lua_State *lua)
{
	const char *what = lua_tostring(lua, lua_upvalueindex(1));
	json_t *name, *declaration;

	if (lua_type(lua, 1) != LUA_TSTRING)
		return luaL_error(lua, "%s: takes a name first: %s \"name\" { … }", what, what);
	name = to_json(lua, 1, 0);
	if (!json_is_string(name)) {
		json_decref(name);
		return luaL_error(lua, "%s: takes a name in UTF-8", what);
	}
	declaration = declare(run_of(lua), lua, what, json_object());
	json_object_set_new(declaration, "name", name);
	lua_pushlightuserdata(lua, declaration);
	lua_pushcclosure(lua, give_value, 1);
	return 1;
}

static void offer(lua_State *lua, const char *word, lua_CFunction function)
{
	lua_pushstring(lua, word);
	lua_pushcclosure(lua, function, 1);
	lua_setglobal(lua, word);
}

static void offer_all(lua_State *lua)
{
	static const char *const single[] = {"agent", "retention", "purge", "store"};
	static const char *const named[] = {"plugin", "aggregate", "collector"};

	for (size_t i = 0; i < PINDROP_COUNT(single); i++)
		offer(lua, single[i], declare_one);
	for (size_t i = 0; i < PINDROP_COUNT(named); i++)
		offer(lua, named[i], declare_named);
}

/* --- running the file --------------------------------------------------------------------------------------- */

/* Leaves the line where the agent finds it, should the file never end. */
static void tell_place(lua_State *lua, lua_Debug *event)
{
	struct run *run = run_of(lua);
	int line = line_of(lua);

	(void)event;
	if (line == run->line || line == 0)
		return;
	run->line = line;
	snprintf(run->page->place, sizeof(run->page->place), "%d", line);
}

/* Turns any error into one line that begins with file:line of the main file. */
static int tell_error(lua_State *lua)
{
	const char *text = luaL_tolstring(lua, 1, NULL);
	int line = line_of(lua);

	if (strncmp(text, NAME ":", strlen(NAME ":")) == 0)
		lua_pushfstring(lua, "%s%s", run_of(lua)->file, text + strlen(NAME));
	else if (line)
		lua_pushfstring(lua, "%s:%d: %s", run_of(lua)->file, line, text);
	else
		lua_pushfstring(lua, "%s: %s", run_of(lua)->file, text);
	return 1;
}

/* `require` finds what lies beside the file, too. */
static void extend_path(lua_State *lua, const char *file)
{
	const char *slash = strrchr(file, '/');

	if (!slash)
		return;
	lua_getglobal(lua, "package");
	lua_getfield(lua, -1, "path");
	lua_pushlstring(lua, file, (size_t)(slash - file));
	lua_pushfstring(lua, "%s/?.lua;%s", lua_tostring(lua, -1), lua_tostring(lua, -2));
	lua_setfield(lua, -4, "path");
	lua_pop(lua, 3);
}

/* The whole file, for free(), or NULL with errno. */
static char *read_file(const char *path, size_t *length)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t room = 0, part;

	*length = 0;
	if (!file)
		return NULL;
	do {
		room += 65536;
		text = memory_resize(text, room, 1);
		part = fread(text + *length, 1, room - *length, file);
		*length += part;
	} while (part > 0);
	if (ferror(file)) {
		free(text);
		text = NULL;
	}
	fclose(file);
	return text;
}

/* Within lua_pcall(), so that no memory for the libraries is an error too. */
static int run_file(lua_State *lua)
{
	struct run *run = lua_touserdata(lua, 1);
	size_t length;
	char *text = read_file(run->file, &length);
	int failed;

	if (!text)
		return luaL_error(lua, "%s", strerror(errno));
	luaL_openlibs(lua);
	extend_path(lua, run->file);
	offer_all(lua);
	lua_sethook(lua, tell_place, LUA_MASKLINE | LUA_MASKCOUNT, HOOK_COUNT);
	failed = luaL_loadbufferx(lua, text, length, CHUNK, "t");
	free(text);
	if (failed)
		return lua_error(lua);
	lua_call(lua, 0, 0);
	return 0;
}

/* What the file has done, as the answer. New reference. */
static json_t *tell_result(lua_State *lua, int status, const struct run *run)
{
	const char *words = lua_tostring(lua, -1);
	char *text;
	json_t *answer;

	if (status == LUA_OK)
		return json_pack("{sO}", "declarations", run->declarations);
	/* Without memory Lua does not call tell_error(). */
	if (status == LUA_ERRMEM)
		text = memory_format("%s:%d: %s: it may use %zu MB", run->file, run->line, words, MEMORY_MAX >> 20);
	else
		text = memory_text(words);
	answer = json_pack("{so}", "error", json_stringn_nocheck(text, strlen(text)));
	free(text);
	return answer;
}

/* The answer. New reference. */
static json_t *run_lua(const char *file, struct worker_page *page)
{
	struct run run = {.file = file, .page = page, .declarations = json_array()};
	lua_State *lua = luaL_newstate();
	json_t *answer;

	if (!lua) {
		json_decref(run.declarations);
		return json_pack("{ss}", "error", "no memory for Lua");
	}
	lua_pushlightuserdata(lua, &run);
	lua_rawsetp(lua, LUA_REGISTRYINDEX, &run_key);
	lua_pushcfunction(lua, tell_error);
	lua_pushcfunction(lua, run_file);
	lua_pushlightuserdata(lua, &run);
	answer = tell_result(lua, lua_pcall(lua, 1, 0, 1), &run);
	json_decref(run.declarations);
	lua_close(lua);
	return answer;
}

static int serve(int socket, struct worker_page *page)
{
	struct message message = {0};
	const char *file;
	json_t *answer;
	char *text;
	int failed = 1;

	if (message_receive(socket, &message, -1) == 1 && message_get_text(&message, &file) && file) {
		answer = run_lua(file, page);
		text = json_dumps(answer, JSON_COMPACT | JSON_REAL_PRECISION(17));
		json_decref(answer);
		message_clear(&message);
		message_put_text(&message, text ? text : "{\"error\": \"an error that is not UTF-8\"}");
		free(text);
		failed = message_send(socket, &message, -1) < 0;
	}
	message_release(&message);
	return failed;
}

const struct worker_kind config_worker_kind = {.name = "pindrop-lua", .run = serve, .memory_limit = MEMORY_MAX};
