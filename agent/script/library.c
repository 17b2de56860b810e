/* script/library.c: pindrop.read() and the rest of what Lua is offered beside its own libraries.
 *
 * Where something of the world is not as hoped, a function returns nil and the words, as those of Lua do; where it is
 * called wrongly it raises an error. Absolute paths lie below the agent's root, relative ones beside the file. */
#include "script/library.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "script/inside.h"

/* The first room for a text; it doubles. */
#define READ_SIZE 65536

int library_fail(lua_State *lua, const char *format, ...)
{
	char words[SCRIPT_LINE_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	lua_pushnil(lua);
	lua_pushstring(lua, words);
	return 2;
}

/* --- files -------------------------------------------------------------------------------------------------- */

/* Reads to the end. 0, or -1 with errno. */
static int read_all(const struct script *script, int fd, size_t most, char **text, size_t *length)
{
	size_t room = 0;
	ssize_t part;

	for (;;) {
		if (*length + 1 >= room) {
			room = room ? 2 * room : READ_SIZE;
			*text = memory_resize(*text, room, 1);
		}
		part = read(fd, *text + *length, room - 1 - *length);
		if (part < 0 && errno == EINTR && !state_is_late(script))
			continue;
		if (part < 0)
			return -1;
		(*text)[*length + (size_t)part] = '\0';
		if (part == 0)
			return 0;
		*length += (size_t)part;
		if (*length > most) {
			errno = EFBIG;
			return -1;
		}
	}
}

char *library_read(const struct script *script, const char *path, size_t most, size_t *length)
{
	/* A pipe that nobody writes to is empty, and none is waited for. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), saved;
	char *text = NULL;

	*length = 0;
	if (fd < 0)
		return NULL;
	if (read_all(script, fd, most, &text, length) < 0) {
		saved = errno;
		free(text);
		text = NULL;
		errno = saved;
	}
	saved = errno;
	close(fd);
	errno = saved;
	return text;
}

/* Pushes where a path of the script lies: below the root, or beside the file. */
static const char *push_path(lua_State *lua, const char *path)
{
	const struct script *script = script_of(lua);
	const char *slash = strrchr(script->file, '/');

	if (path[0] == '/') {
		lua_pushfstring(lua, "%s%s", script->root, path);
	} else if (slash) {
		lua_pushlstring(lua, script->file, (size_t)(slash - script->file));
		lua_pushfstring(lua, "%s/%s", lua_tostring(lua, -1), path);
		lua_remove(lua, -2);
	} else {
		lua_pushstring(lua, path);
	}
	return lua_tostring(lua, -1);
}

/* A path has no NUL in it, or another file would be meant. */
static const char *check_path(lua_State *lua, int index)
{
	size_t length;
	const char *path = luaL_checklstring(lua, index, &length);

	luaL_argcheck(lua, length > 0 && strlen(path) == length, index, "is no path");
	return path;
}

/* Pushes the text of a file, or nil and the words. The number of values. */
static int push_file(lua_State *lua, const char *path)
{
	const char *full = push_path(lua, path);
	struct state_box *box = state_box(lua);
	size_t length;

	box->block = library_read(script_of(lua), full, LIBRARY_TEXT_MAX, &length);
	if (!box->block && errno == EFBIG)
		return library_fail(lua, "%s: holds more than " LIBRARY_TEXT_MAX_WORDS, path);
	if (!box->block)
		return library_fail(lua, "%s: %s", path, strerror(errno));
	lua_pushlstring(lua, box->block, length);
	state_box_empty(box);
	return 1;
}

static int library_read_file(lua_State *lua)
{
	return push_file(lua, check_path(lua, 1));
}

/* The iterator of lines(): upvalues are the text, and where it goes on. */
static int next_line(lua_State *lua)
{
	size_t length, at = (size_t)lua_tointeger(lua, lua_upvalueindex(2)), end;
	const char *text = lua_tolstring(lua, lua_upvalueindex(1), &length), *newline;

	if (at >= length)
		return 0;
	newline = memchr(text + at, '\n', length - at);
	end = newline ? (size_t)(newline - text) : length;
	lua_pushinteger(lua, (lua_Integer)end + 1);
	lua_replace(lua, lua_upvalueindex(2));
	lua_pushlstring(lua, text + at, end - at);
	return 1;
}

static int library_lines(lua_State *lua)
{
	if (push_file(lua, check_path(lua, 1)) > 1)
		return luaL_error(lua, "cannot read %s", lua_tostring(lua, -1));
	lua_pushinteger(lua, 0);
	lua_pushcclosure(lua, next_line, 2);
	return 1;
}

/* What stands in front of a pattern is no pattern. */
static void push_escaped(lua_State *lua, const char *text)
{
	luaL_Buffer buffer;

	luaL_buffinit(lua, &buffer);
	for (; *text; text++) {
		if (strchr("*?[]\\", *text))
			luaL_addchar(&buffer, '\\');
		luaL_addchar(&buffer, *text);
	}
	luaL_pushresult(&buffer);
}

/* The paths that were found, each ended by a NUL, in a new text. */
static char *copy_paths(const glob_t *found, size_t front)
{
	size_t length = 0, room = 1;
	char *text;

	for (size_t i = 0; i < found->gl_pathc; i++)
		room += strlen(found->gl_pathv[i] + front) + 1;
	text = memory_array(room, 1);
	for (size_t i = 0; i < found->gl_pathc; i++)
		length += (size_t)sprintf(text + length, "%s", found->gl_pathv[i] + front) + 1;
	return text;
}

static int library_glob(lua_State *lua)
{
	const char *pattern = check_path(lua, 1), *full = push_path(lua, pattern), *path;
	size_t front = strlen(full) - strlen(pattern);
	struct state_box *box;
	glob_t found;

	lua_pushlstring(lua, full, front);
	push_escaped(lua, lua_tostring(lua, -1));
	lua_pushstring(lua, pattern);
	lua_concat(lua, 2);
	full = lua_tostring(lua, -1);
	box = state_box(lua);
	lua_newtable(lua);
	if (glob(full, 0, NULL, &found) != 0)
		return 1;
	path = box->block = copy_paths(&found, front);
	globfree(&found);
	for (lua_Integer i = 1; *path; path += strlen(path) + 1) {
		lua_pushstring(lua, path);
		lua_rawseti(lua, -2, i++);
	}
	state_box_empty(box);
	return 1;
}

/* --- JSON --------------------------------------------------------------------------------------------------- */

static void push_json(lua_State *lua, json_t *json)
{
	json_t *value;
	const char *key;
	size_t i;

	luaL_checkstack(lua, 4, "JSON that is nested too deep");
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		lua_createtable(lua, 0, (int)json_object_size(json));
		json_object_foreach(json, key, value)
		{
			lua_pushstring(lua, key);
			push_json(lua, value);
			lua_rawset(lua, -3);
		}
		break;
	case JSON_ARRAY:
		lua_createtable(lua, (int)json_array_size(json), 0);
		json_array_foreach(json, i, value)
		{
			push_json(lua, value);
			lua_rawseti(lua, -2, (lua_Integer)i + 1);
		}
		break;
	case JSON_STRING:
		lua_pushlstring(lua, json_string_value(json), json_string_length(json));
		break;
	case JSON_INTEGER:
		lua_pushinteger(lua, json_integer_value(json));
		break;
	case JSON_REAL:
		lua_pushnumber(lua, json_real_value(json));
		break;
	case JSON_NULL:
		lua_pushnil(lua);
		break;
	default:
		lua_pushboolean(lua, json_is_true(json));
	}
}

static int library_json(lua_State *lua)
{
	size_t length;
	const char *text = luaL_checklstring(lua, 1, &length);
	struct state_box *box = state_box(lua);
	json_error_t error;

	if (length > LIBRARY_TEXT_MAX)
		return library_fail(lua, "the text has more than " LIBRARY_TEXT_MAX_WORDS);
	box->json = json_loadb(text, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	if (!box->json)
		return library_fail(lua, "line %d: %s", error.line, error.text);
	push_json(lua, box->json);
	state_box_empty(box);
	return 1;
}

/* --- the agent ---------------------------------------------------------------------------------------------- */

static int library_get(lua_State *lua)
{
	const struct script_host *host = script_of(lua)->host;
	const char *metric = luaL_checkstring(lua, 1), *instance = luaL_optstring(lua, 2, "");
	struct error error = {""};
	double value = NAN;

	if (!host || !host->get)
		return 0;
	if (host->get(host->context, metric, instance, &value, &error) < 0)
		return luaL_error(lua, "%s", error.text);
	if (!isfinite(value))
		return 0;
	lua_pushnumber(lua, value);
	return 1;
}

static int library_log(lua_State *lua)
{
	const struct script *script = script_of(lua);
	char line[SCRIPT_LINE_SIZE];
	int count = lua_gettop(lua);
	const char *text;
	size_t length;
	luaL_Buffer buffer;

	luaL_buffinit(lua, &buffer);
	for (int i = 1; i <= count; i++) {
		if (i > 1)
			luaL_addchar(&buffer, ' ');
		luaL_tolstring(lua, i, NULL);
		luaL_addvalue(&buffer);
	}
	luaL_pushresult(&buffer);
	text = lua_tolstring(lua, -1, &length);
	trace_clean(text, length, line, sizeof(line));
	log_info("%s: %s", script->subject[0] ? script->subject : script->file, line);
	return 0;
}

/* --- the table ------------------------------------------------------------------------------------------------ */

/* clang-format off */
const struct library_row library_rows[] = {
	{"read", library_read_file, "path: string", "string? text, string? error",
	 "a whole file, at most " LIBRARY_TEXT_MAX_WORDS "; absolute paths lie below agent.root, others beside pindrop.lua"},
	{"lines", library_lines, "path: string", "fun(): string?",
	 "for line in pindrop.lines(path) do … end; a file that cannot be read is an error"},
	{"glob", library_glob, "pattern: string", "string[] paths",
	 "the paths that fit a pattern of the shell, sorted: \"/sys/class/net/*\""},
	{"run", library_run, "command: string[], options?: pindrop.run_options",
	 "string? text, string? error, integer? status, string? output",
	 "what a command prints, at most " LIBRARY_TEXT_MAX_WORDS ", without a shell; nil and why, where it fails"},
	{"json", library_json, "text: string", "any value, string? error", "the value of a JSON text; null is nil"},
	{"get", library_get, "metric: string, instance?: string", "number?",
	 "the newest value of a metric; nil where it is not known"},
	{"log", library_log, "...: any", "", "one line to the agent's log"},
};
/* clang-format on */
const size_t library_row_count = sizeof(library_rows) / sizeof(library_rows[0]);

void library_offer(lua_State *lua)
{
	lua_createtable(lua, 0, (int)library_row_count);
	for (size_t i = 0; i < library_row_count; i++) {
		lua_pushcfunction(lua, library_rows[i].function);
		lua_setfield(lua, -2, library_rows[i].name);
	}
	if (script_of(lua)->bare) {
		static const char *const outside[] = {"read", "lines", "glob", "run", "log"};

		for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
			lua_pushnil(lua);
			lua_setfield(lua, -2, outside[i]);
		}
	}
	lua_setglobal(lua, "pindrop");
}
