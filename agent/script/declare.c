/* script/declare.c: what the file says.
 *
 * It calls agent { … }, retention { … }, purge { … }, store { … }, limits { … }, plugin "name" { … }, aggregate "name" { … }
 * and collector "name" { … }. Each call becomes one declaration with the line that it stands on. Nothing is checked here:
 * what a value is, is told as JSON, and what JSON cannot say as {"$type": "function"}. Functions that are called later
 * are kept in the registry, by who gave them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "script/inside.h"

/* A table in a table in a table …: also what contains itself has an end. */
#define DEPTH_MAX 16

/* What all declarations together may say: the texts, and for each value so much. */
#define SAID_MAX ((size_t)32 << 20)
#define SAID_VALUE 32

/* The keys that are called later. */
static const char *const called[] = {"sample", "fn", "format"};

/* Where they are kept in the registry. */
static const char functions_key;

/* --- values ------------------------------------------------------------------------------------------------- */

/* Nothing here raises an error, or what JSON holds so far would be lost. */
static json_t *unusable(const char *type)
{
	return json_pack("{ss}", "$type", type);
}

static json_t *to_json(struct script *script, lua_State *lua, int index, int depth);

/* False: enough was said. */
static bool count(struct script *script, size_t length)
{
	script->said += SAID_VALUE + length;
	return script->said <= SAID_MAX;
}

static json_t *list_to_json(struct script *script, lua_State *lua, int index, int depth)
{
	json_t *list = json_array();

	for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(lua, index) && script->said <= SAID_MAX; i++) {
		lua_rawgeti(lua, index, i);
		json_array_append_new(list, to_json(script, lua, -1, depth));
		lua_pop(lua, 1);
	}
	return list;
}

/* The key below the value on the stack, as a text: lua_tolstring() on a number would confuse lua_next(). */
static const char *key_text(lua_State *lua, char room[64])
{
	size_t length;
	const char *text;

	switch (lua_type(lua, -2)) {
	case LUA_TSTRING:
		text = lua_tolstring(lua, -2, &length);
		return strlen(text) == length ? text : "?";
	case LUA_TNUMBER:
		if (lua_isinteger(lua, -2))
			snprintf(room, 64, "%lld", (long long)lua_tointeger(lua, -2));
		else
			snprintf(room, 64, "%.14g", lua_tonumber(lua, -2));
		return room;
	default:
		snprintf(room, 64, "a %s", lua_typename(lua, lua_type(lua, -2)));
		return room;
	}
}

static void set_key(struct script *script, lua_State *lua, json_t *object, json_t *value)
{
	char room[64];
	const char *key = key_text(lua, room);

	count(script, strlen(key));
	if (json_object_set(object, key, value) < 0)
		json_object_set_new(object, "?", unusable("key that is not UTF-8"));
	json_decref(value);
}

/* A table is a list when it has entries, and all are numbered from 1 on. */
static json_t *table_to_json(struct script *script, lua_State *lua, int index, int depth)
{
	json_t *object;
	lua_Integer keys = 0;

	if (depth > DEPTH_MAX || !lua_checkstack(lua, 8))
		return unusable("table that is nested too deep");
	for (lua_pushnil(lua); lua_next(lua, index); lua_pop(lua, 1))
		keys++;
	if (keys > 0 && keys == (lua_Integer)lua_rawlen(lua, index))
		return list_to_json(script, lua, index, depth + 1);
	object = json_object();
	for (lua_pushnil(lua); lua_next(lua, index); lua_pop(lua, 1)) {
		if (script->said <= SAID_MAX)
			set_key(script, lua, object, to_json(script, lua, -1, depth + 1));
	}
	return object;
}

static json_t *text_to_json(struct script *script, lua_State *lua, int index)
{
	size_t length;
	const char *text = lua_tolstring(lua, index, &length);
	json_t *value = NULL;

	if (!count(script, length))
		return unusable("text that is too long");
	if (strlen(text) == length)
		value = json_stringn(text, length);
	return value ? value : unusable("text that is not UTF-8");
}

static json_t *to_json(struct script *script, lua_State *lua, int index, int depth)
{
	json_t *value;

	count(script, 0);
	switch (lua_type(lua, index)) {
	case LUA_TBOOLEAN:
		return json_boolean(lua_toboolean(lua, index));
	case LUA_TNUMBER:
		value =
			lua_isinteger(lua, index) ? json_integer(lua_tointeger(lua, index)) : json_real(lua_tonumber(lua, index));
		return value ? value : unusable("number that is not finite");
	case LUA_TSTRING:
		return text_to_json(script, lua, index);
	case LUA_TTABLE:
		return table_to_json(script, lua, lua_absindex(lua, index), depth);
	default:
		return unusable(lua_typename(lua, lua_type(lua, index)));
	}
}

/* --- functions ---------------------------------------------------------------------------------------------- */

/* Replaces the key on the top of the stack by what is kept under it. */
static void push_kept(lua_State *lua)
{
	lua_rawgetp(lua, LUA_REGISTRYINDEX, &functions_key);
	lua_insert(lua, -2);
	lua_rawget(lua, -2);
	lua_remove(lua, -2);
}

void declare_function(lua_State *lua, const char *what, const char *name, const char *key)
{
	lua_pushfstring(lua, "%s %s %s", what, key, name);
	push_kept(lua);
}

/* Keeps the functions of the table at index 1. */
static void keep_functions(struct script *script, lua_State *lua, const json_t *declaration)
{
	const char *what = json_string_value(json_object_get(declaration, "declare"));
	const char *name = json_string_value(json_object_get(declaration, "name"));

	for (size_t i = 0; lua_istable(lua, 1) && i < sizeof(called) / sizeof(called[0]); i++) {
		lua_rawgetp(lua, LUA_REGISTRYINDEX, &functions_key);
		lua_pushfstring(lua, "%s %s %s", what, called[i], name);
		lua_pushstring(lua, called[i]);
		lua_rawget(lua, 1);
		script->functions = script->functions || lua_isfunction(lua, -1);
		if (lua_isfunction(lua, -1))
			lua_rawset(lua, -3);
		lua_settop(lua, 1);
	}
}

/* --- what the file calls ------------------------------------------------------------------------------------ */

static void check_time(lua_State *lua, const char *what)
{
	if (script_of(lua)->declared)
		luaL_error(lua, "%s belongs into the file itself, not into a function that is called later", what);
}

static void check_said(lua_State *lua)
{
	if (script_of(lua)->said > SAID_MAX)
		luaL_error(lua, "the file says more than %d MB", (int)(SAID_MAX >> 20));
}

/* Adds a declaration and returns it; it belongs to the script. */
static json_t *declare(struct script *script, lua_State *lua, const char *what, json_t *value)
{
	json_t *declaration = json_pack("{sssiso}", "declare", what, "line", trace_line(lua), "value", value);

	count(script, 4 * SAID_VALUE);
	json_array_append_new(script->declarations, declaration);
	return declaration;
}

/* agent { … }: the upvalue is the word. */
static int declare_one(lua_State *lua)
{
	struct script *script = script_of(lua);
	const char *what = lua_tostring(lua, lua_upvalueindex(1));

	check_time(lua, what);
	lua_settop(lua, 1);
	declare(script, lua, what, to_json(script, lua, 1, 0));
	check_said(lua);
	return 0;
}

/* The second half of plugin "name" { … }: the upvalue is the declaration. */
static int give_value(lua_State *lua)
{
	struct script *script = script_of(lua);
	json_t *declaration = lua_touserdata(lua, lua_upvalueindex(1));

	check_time(lua, json_string_value(json_object_get(declaration, "declare")));
	lua_settop(lua, 1);
	json_object_set_new(declaration, "value", to_json(script, lua, 1, 0));
	keep_functions(script, lua, declaration);
	check_said(lua);
	return 0;
}

/* The first half: it is declared at once, so that plugin "cpu" alone is enough. */
static int declare_named(lua_State *lua)
{
	struct script *script = script_of(lua);
	const char *what = lua_tostring(lua, lua_upvalueindex(1));
	json_t *name, *declaration;

	check_time(lua, what);
	if (lua_type(lua, 1) != LUA_TSTRING)
		return luaL_error(lua, "%s: takes a name first: %s \"name\" { … }", what, what);
	name = text_to_json(script, lua, 1);
	if (!json_is_string(name)) {
		json_decref(name);
		check_said(lua);
		return luaL_error(lua, "%s: takes a name in UTF-8", what);
	}
	declaration = declare(script, lua, what, json_object());
	json_object_set_new(declaration, "name", name);
	check_said(lua);
	lua_pushlightuserdata(lua, declaration);
	lua_pushcclosure(lua, give_value, 1);
	return 1;
}

static const struct {
	const char *word;
	lua_CFunction function;
} words[] = {
	{"agent", declare_one},       {"retention", declare_one},   {"purge", declare_one},
	{"store", declare_one},       {"limits", declare_one},      {"plugin", declare_named},
	{"aggregate", declare_named}, {"collector", declare_named}, {NULL, NULL},
};

static void offer(lua_State *lua, const char *word, lua_CFunction function)
{
	lua_pushstring(lua, word);
	lua_pushcclosure(lua, function, 1);
	lua_setglobal(lua, word);
}

void declare_offer(lua_State *lua)
{
	for (size_t i = 0; words[i].word; i++)
		offer(lua, words[i].word, words[i].function);
	lua_newtable(lua);
	lua_rawsetp(lua, LUA_REGISTRYINDEX, &functions_key);
}

/* --- words that are not used as they are meant ------------------------------------------------------------------ */

const char *declare_nearest(const char *name)
{
	const char *names[sizeof(words) / sizeof(words[0]) + 1] = {NULL};
	size_t count = 0;

	for (; words[count].word; count++)
		names[count] = words[count].word;
	names[count] = "pindrop";
	return text_nearest(name, names);
}

/* The line that gives the global a value, as far as that can be seen; 0: none. */
static int line_of(const struct script *script, const char *word)
{
	size_t length = strlen(word);
	int line = 1;

	for (const char *at = script->text; at; at = strchr(at, '\n'), at += at != NULL, line++) {
		const char *name = at + strspn(at, " \t"), *sign;

		if (strncmp(name, word, length) != 0)
			continue;
		sign = name + length + strspn(name + length, " \t");
		if (sign[0] == '=' && sign[1] != '=')
			return line;
	}
	return 0;
}

static void refuse_value(lua_State *lua, const char *word, bool named)
{
	int line = line_of(script_of(lua), word);

	lua_pushfstring(lua, "\"%s = …\" sets nothing: write %s%s { … } (a variable of your own needs another name)", word,
	                word, named ? " \"name\"" : "");
	if (line > 0)
		lua_pushfstring(lua, SCRIPT_NAME ":%d: %s", line, lua_tostring(lua, -1));
	lua_error(lua);
}

void declare_check(lua_State *lua)
{
	for (size_t i = 0; words[i].word; i++) {
		lua_getglobal(lua, words[i].word);
		if (lua_tocfunction(lua, -1) != words[i].function)
			refuse_value(lua, words[i].word, words[i].function == declare_named);
		lua_pop(lua, 1);
	}
}
