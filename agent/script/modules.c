/* script/modules.c: where `require` looks, and what it found.
 *
 * The digest is a hash of the file and of all modules that it loaded, so that the agent knows whether a collector would be
 * the same Lua again. */
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "script/inside.h"

/* What a module may have. */
#define MODULE_MAX ((size_t)16 << 20)

void modules_digest(struct script *script, const char *text, size_t length)
{
	uint64_t hash = text_hash(script->digest ? script->digest : TEXT_HASH, text, length);

	/* What ends here is another than what goes on. */
	script->digest = text_hash(hash, "\xFF", 1);
}

/* Writes down that a module was loaded from this file. */
static void note_module(lua_State *lua, const char *path)
{
	struct script *script = script_of(lua);
	struct state_box *box = state_box(lua);
	json_t *name;
	size_t length;

	box->block = library_read(script, path, MODULE_MAX, &length);
	modules_digest(script, path, strlen(path));
	if (box->block)
		modules_digest(script, box->block, length);
	state_box_empty(box);
	name = json_string(path);
	if (name)
		json_array_append_new(script->modules, name);
}

/* A searcher of packages: the upvalue is Lua's own, which returns what loads the module, and its file. */
static int search(lua_State *lua)
{
	lua_settop(lua, 1);
	lua_pushvalue(lua, lua_upvalueindex(1));
	lua_pushvalue(lua, 1);
	lua_call(lua, 1, 2);
	if (lua_isfunction(lua, -2) && lua_type(lua, -1) == LUA_TSTRING) {
		note_module(lua, lua_tostring(lua, -1));
		lua_settop(lua, 3);
	}
	return 2;
}

/* The folder of a path, "." where it names none. Pushes it. */
static void push_folder(lua_State *lua, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash)
		lua_pushlstring(lua, path, slash > path ? (size_t)(slash - path) : 1);
	else
		lua_pushliteral(lua, ".");
}

void modules_offer(lua_State *lua)
{
	char program[PATH_MAX] = "";
	const char *path, *beside, *home;

	if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0)
		program[0] = '\0';
	lua_getglobal(lua, "package");
	lua_getfield(lua, -1, "path");
	path = lua_tostring(lua, -1);
	push_folder(lua, script_of(lua)->file);
	beside = lua_tostring(lua, -1);
	push_folder(lua, program);
	home = lua_tostring(lua, -1);
	lua_pushfstring(lua, "%s/?.lua;%s/collectors/?.lua;%s/../share/pindrop/collectors/?.lua;%s", beside, home, home,
	                path);
	lua_setfield(lua, -5, "path");
	lua_settop(lua, 1 + lua_gettop(lua) - 4);
	lua_getfield(lua, -1, "searchers");
	lua_geti(lua, -1, 2);
	lua_pushcclosure(lua, search, 1);
	lua_seti(lua, -2, 2);
	lua_pop(lua, 2);
}
