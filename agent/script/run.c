/* script/run.c: the file is run, and its functions are called. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "script/inside.h"

/* What the file may have. */
#define FILE_MAX ((size_t)16 << 20)

/* What one collector may tell in one sample. */
#define INSTANCES_MAX 10000

/* The longest name of an instance: encoded (text_percent_encode) it is that of a file, whose name has an end. */
#define INSTANCE_NAME_MAX 200

/* The longest text of a function that formats. */
#define FORMATTED_MAX 1000

/* --- the file ----------------------------------------------------------------------------------------------- */

static int run_file(lua_State *lua)
{
	struct script *script = script_of(lua);

	/* Some editors put that in front (luaL_loadfile() passes it over, too). */
	size_t mark = strncmp(script->text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;

	if (luaL_loadbufferx(lua, script->text + mark, script->length - mark, SCRIPT_CHUNK, "t"))
		return lua_error(lua);
	lua_call(lua, 0, 0);
	declare_check(lua);
	return 0;
}

static int read_text(struct script *script, const struct script_setup *setup, struct error *error)
{
	if (setup->text) {
		script->text = memory_text(setup->text);
		script->length = strlen(setup->text);
		return 0;
	}
	script->text = library_read(script, script->file, FILE_MAX, &script->length);
	if (script->text)
		return 0;
	return error_set(error, "%s: %s", script->file, errno == EFBIG ? "holds more than 16 MiB" : strerror(errno));
}

/* Who is to call its functions is given the text as JSON. */
static int check_text(struct script *script, struct error *error)
{
	json_t *whole;
	int line = 1;

	if (!script->functions)
		return 0;
	if (strlen(script->text) == script->length && (whole = json_stringn(script->text, script->length))) {
		json_decref(whole);
		return 0;
	}
	for (size_t at = 0, end; at < script->length; at = end + 1, line++) {
		const char *newline = memchr(script->text + at, '\n', script->length - at);
		json_t *text;

		end = newline ? (size_t)(newline - script->text) : script->length;
		text = memchr(script->text + at, '\0', end - at) ? NULL : json_stringn(script->text + at, end - at);
		if (!text)
			break;
		json_decref(text);
	}
	return error_set(error, "%s:%d: holds what is not UTF-8: a file with functions must be saved as UTF-8",
	                 script->file, line);
}

struct script *script_new(const struct script_setup *setup, struct error *error)
{
	struct script *script = memory_alloc(sizeof(*script));

	script->file = memory_text(setup->file);
	script->root = memory_text(setup->root ? setup->root : "");
	script->page = setup->page;
	script->host = setup->host;
	script->bare = setup->bare;
	script->declarations = json_array();
	script->modules = json_array();
	script_limit(script, &setup->limits);
	if (read_text(script, setup, error) == 0) {
		modules_digest(script, script->text, script->length);
		if (state_open(script, error) == 0 && state_call(script, NULL, run_file, NULL, error) == 0 &&
		    check_text(script, error) == 0) {
			script->declared = true;
			return script;
		}
	}
	script_free(script);
	return NULL;
}

void script_free(struct script *script)
{
	if (!script)
		return;
	state_close(script);
	json_decref(script->declarations);
	json_decref(script->modules);
	free(script->text);
	free(script->root);
	free(script->file);
	free(script);
}

json_t *script_declarations(const struct script *script)
{
	char digest[20];

	snprintf(digest, sizeof(digest), "%016llx", (unsigned long long)script->digest);
	return json_pack("{sO so ss sO}", "declarations", script->declarations, "script",
	                 script->functions ? json_string(script->text) : json_null(), "digest", digest, "modules",
	                 script->modules);
}

/* --- calls -------------------------------------------------------------------------------------------------- */

struct sampling {
	const char *name;
	const struct script_sink *sink;
	size_t instances;
};

/* Pushes the function. Raises an error where the file gave none. */
static void push_function(lua_State *lua, const char *what, const char *name, const char *key)
{
	declare_function(lua, what, name, key);
	if (!lua_isfunction(lua, -1))
		luaL_error(lua, "%s \"%s\" gave no function as \"%s\"", what, name, key);
}

/* Raises an error that tells where the function stands, which is at `function` in the stack. */
static int complain(lua_State *lua, int function, const char *words)
{
	lua_Debug place;

	lua_pushvalue(lua, function);
	if (lua_getinfo(lua, ">S", &place) && strcmp(place.source, SCRIPT_CHUNK) == 0)
		lua_pushfstring(lua, SCRIPT_NAME ":%d: %s", place.linedefined, words);
	else
		lua_pushstring(lua, words);
	return lua_error(lua);
}

/* A number as a function may answer it: true and false are 1 and 0, what is not finite is not known. False: none. */
static bool to_number(lua_State *lua, int index, double *number)
{
	switch (lua_type(lua, index)) {
	case LUA_TNUMBER:
		*number = lua_tonumber(lua, index);
		if (!isfinite(*number))
			*number = NAN;
		return true;
	case LUA_TBOOLEAN:
		*number = lua_toboolean(lua, index);
		return true;
	case LUA_TNIL:
		*number = NAN;
		return true;
	default:
		return false;
	}
}

/* What a value is, for people: `the text "12"`, `a table`. Pushes it. */
static const char *push_kind(lua_State *lua, int index)
{
	char line[64];
	size_t length;
	const char *text;

	index = lua_absindex(lua, index);
	switch (lua_type(lua, index)) {
	case LUA_TSTRING:
		text = lua_tolstring(lua, index, &length);
		trace_clean(text, length, line, sizeof(line));
		return lua_pushfstring(lua, "the text \"%s\"", line);
	case LUA_TNUMBER:
		return lua_pushfstring(lua, "the number %f", lua_tonumber(lua, index));
	case LUA_TBOOLEAN:
		return lua_pushstring(lua, lua_toboolean(lua, index) ? "true" : "false");
	case LUA_TNIL:
		return lua_pushstring(lua, "nothing");
	default:
		return lua_pushfstring(lua, "a %s", lua_typename(lua, lua_type(lua, index)));
	}
}

/* --- the answer of a collector ------------------------------------------------------------------------------ */

/* The function is at 1 in the stack, its answer at 2. */

static int refuse(lua_State *lua, const char *words)
{
	return complain(lua, 1, words);
}

/* "{ depth = …, age = … }": what a row should look like. Pushes it. */
static const char *push_shape(lua_State *lua, const struct script_sink *sink)
{
	luaL_Buffer buffer;

	luaL_buffinit(lua, &buffer);
	luaL_addstring(&buffer, sink->instances ? "{ NAME = { " : "{ ");
	for (size_t i = 0; i < sink->field_count && i < 4; i++) {
		if (i > 0)
			luaL_addstring(&buffer, ", ");
		luaL_addstring(&buffer, sink->fields[i]);
		luaL_addstring(&buffer, " = …");
	}
	if (sink->field_count > 4)
		luaL_addstring(&buffer, ", …");
	luaL_addstring(&buffer, sink->instances ? " }, … }" : " }");
	luaL_pushresult(&buffer);
	return lua_tostring(lua, -1);
}

static size_t find_field(const struct script_sink *sink, const char *name)
{
	size_t i = 0;

	while (i < sink->field_count && strcmp(sink->fields[i], name) != 0)
		i++;
	return i;
}

static int refuse_field(lua_State *lua, const struct script_sink *sink, int key, const char *of)
{
	const char *kind = push_kind(lua, key), *nearest = NULL;
	const char **names = lua_newuserdatauv(lua, (sink->field_count + 1) * sizeof(char *), 0);

	memcpy(names, sink->fields, sink->field_count * sizeof(char *));
	names[sink->field_count] = NULL;
	if (lua_type(lua, key) == LUA_TSTRING && strlen(lua_tostring(lua, key)) < 100)
		nearest = text_nearest(lua_tostring(lua, key), names);
	lua_pushfstring(lua, "sample answered %s as a field%s, which its metrics do not name", kind, of);
	if (nearest)
		lua_pushfstring(lua, "%s (did you mean \"%s\"?)", lua_tostring(lua, -1), nearest);
	return refuse(lua, lua_tostring(lua, -1));
}

static int refuse_value(lua_State *lua, const char *field, int value, const char *of)
{
	const char *kind = push_kind(lua, value);

	return refuse(lua, lua_pushfstring(lua, "sample answered %s as \"%s\"%s, which must be a number%s", kind, field, of,
	                                   lua_type(lua, value) == LUA_TSTRING ? ": tonumber() makes one of a text" : ""));
}

/* Takes the row in the table on the top of the stack. `of` is " of \"sda\"", or "". */
static void take_row(lua_State *lua, const struct script_sink *sink, const char *instance, const char *of)
{
	double *row = sink->row(sink->context, instance);
	int table = lua_gettop(lua), key = table + 1, value = table + 2;

	luaL_checkstack(lua, 20, NULL);
	for (lua_pushnil(lua); lua_next(lua, table); lua_settop(lua, key)) {
		size_t field = lua_type(lua, key) == LUA_TSTRING ? find_field(sink, lua_tostring(lua, key)) : sink->field_count;

		if (field == sink->field_count)
			refuse_field(lua, sink, key, of);
		if (!to_number(lua, value, &row[field]))
			refuse_value(lua, sink->fields[field], value, of);
	}
}

static bool is_utf8(const char *text)
{
	json_t *json = json_string(text);

	json_decref(json);
	return json != NULL;
}

static size_t encoded_length(const char *name)
{
	char *encoded = text_percent_encode(name);
	size_t length = strlen(encoded);

	free(encoded);
	return length;
}

/* The name of an instance, of the key at `key`; a number is taken as a text. Pushes it. */
static const char *push_instance(lua_State *lua, int key)
{
	size_t length;
	const char *name;

	if (lua_type(lua, key) != LUA_TSTRING && lua_type(lua, key) != LUA_TNUMBER)
		refuse(lua, lua_pushfstring(lua, "sample answered an instance whose name is %s: it must be a text",
		                            push_kind(lua, key)));
	lua_pushvalue(lua, key);
	name = lua_tolstring(lua, -1, &length);
	if (length == 0)
		refuse(lua, "sample answered an instance without a name");
	if (strlen(name) != length || !is_utf8(name))
		refuse(lua, lua_pushfstring(lua, "sample answered an instance whose name is no UTF-8: %s", push_kind(lua, -1)));
	if (encoded_length(name) > INSTANCE_NAME_MAX)
		refuse(lua, lua_pushfstring(lua, "sample answered an instance whose name is too long for a file's: %s",
		                            push_kind(lua, -1)));
	/* 1 and "1" are two keys of a table. */
	if (lua_type(lua, key) == LUA_TNUMBER && (lua_pushvalue(lua, -1), lua_rawget(lua, 2)) != LUA_TNIL)
		refuse(lua, lua_pushfstring(lua, "sample answered the instance \"%s\" twice: as a number and as a text", name));
	lua_settop(lua, key + 2);
	return name;
}

static void take_instances(lua_State *lua, struct sampling *sampling)
{
	const struct script_sink *sink = sampling->sink;
	int key = 3, value = 4;

	for (lua_pushnil(lua); lua_next(lua, 2); lua_settop(lua, key)) {
		const char *name = push_instance(lua, key);

		if (++sampling->instances > INSTANCES_MAX)
			refuse(lua, lua_pushfstring(lua, "sample answered more than %d instances", INSTANCES_MAX));
		if (!lua_istable(lua, value)) {
			const char *kind = push_kind(lua, value);

			refuse(lua, lua_pushfstring(lua, "sample answered %s for the instance \"%s\"; it must return %s", kind,
			                            name, push_shape(lua, sink)));
		}
		lua_pushfstring(lua, " of \"%s\"", name);
		lua_pushvalue(lua, value);
		take_row(lua, sink, name, lua_tostring(lua, -2));
	}
}

static int sample(lua_State *lua)
{
	struct sampling *sampling = lua_touserdata(lua, 1);
	const struct script_sink *sink = sampling->sink;
	const char *kind;

	lua_settop(lua, 0);
	push_function(lua, "collector", sampling->name, "sample");
	lua_pushvalue(lua, 1);
	lua_call(lua, 0, 1);
	if (!lua_istable(lua, 2)) {
		kind = push_kind(lua, 2);
		refuse(lua, lua_pushfstring(lua, "sample returned %s; it must return %s", kind, push_shape(lua, sink)));
	}
	if (sink->instances)
		take_instances(lua, sampling);
	else
		take_row(lua, sink, "", "");
	return 0;
}

static void set_subject(struct script *script, const char *what, const char *name)
{
	snprintf(script->subject, sizeof(script->subject), "%s \"%s\"", what, name);
}

int script_sample(struct script *script, const char *name, const struct script_sink *sink, struct error *error)
{
	struct sampling sampling = {.name = name, .sink = sink};

	set_subject(script, "collector", name);
	return state_call(script, "sample", sample, &sampling, error);
}

/* --- aggregates --------------------------------------------------------------------------------------------- */

struct evaluation {
	const char *name;
	double *value;
	char **text;
};

/* Calls `fn` with the window, and takes its answer. */
static int evaluate(lua_State *lua)
{
	struct evaluation *evaluation = lua_touserdata(lua, 1);

	lua_settop(lua, 0);
	declare_function(lua, "aggregate", evaluation->name, "fn");
	if (!lua_isfunction(lua, 1))
		return 0;
	lua_pushvalue(lua, 1);
	window_push(lua, script_of(lua));
	lua_call(lua, 1, 1);
	if (!to_number(lua, 2, evaluation->value))
		complain(lua, 1,
		         lua_pushfstring(lua, "fn answered %s, which must be a number%s", push_kind(lua, 2),
		                         lua_type(lua, 2) == LUA_TSTRING ? "; a text is made by format" : ""));
	return 0;
}

/* Calls `format` with the value, and takes its answer. */
static int format(lua_State *lua)
{
	struct evaluation *evaluation = lua_touserdata(lua, 1);
	const char *text;
	size_t length;

	lua_settop(lua, 0);
	declare_function(lua, "aggregate", evaluation->name, "format");
	if (!lua_isfunction(lua, 1) || isnan(*evaluation->value))
		return 0;
	lua_pushvalue(lua, 1);
	lua_pushnumber(lua, *evaluation->value);
	lua_call(lua, 1, 1);
	if (lua_isnil(lua, 2))
		return 0;
	if (lua_type(lua, 2) != LUA_TSTRING && lua_type(lua, 2) != LUA_TNUMBER)
		complain(lua, 1, lua_pushfstring(lua, "format answered %s, which must be a text", push_kind(lua, 2)));
	text = lua_tolstring(lua, 2, &length);
	if (strlen(text) != length || length > FORMATTED_MAX || !is_utf8(text))
		complain(lua, 1,
		         lua_pushfstring(lua, "format answered what is no text of at most %d bytes in UTF-8", FORMATTED_MAX));
	*evaluation->text = memory_text(text);
	return 0;
}

int script_aggregate(struct script *script, const char *name, const struct script_window *window, double *value,
                     char **text, struct error *error)
{
	struct evaluation evaluation = {.name = name, .value = value, .text = text};
	int failed;

	*text = NULL;
	set_subject(script, "aggregate", name);
	script->window = window;
	failed = state_call(script, "fn", evaluate, &evaluation, error) < 0 ||
	         state_call(script, "format", format, &evaluation, error) < 0;
	script->window = NULL;
	return failed ? -1 : 0;
}
