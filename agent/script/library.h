/* script/library.h: what Lua is offered beside its own libraries, as tables, for who describes it.
 *
 * The functions are registered, described and annotated (`pindrop describe`, --lua) from these rows. Constant. */
#ifndef SCRIPT_LIBRARY_H
#define SCRIPT_LIBRARY_H

#include <stddef.h>

struct lua_State;

struct library_row {
	const char *name; /* "read" */
	int (*function)(struct lua_State *lua);
	const char *takes;   /* parameters as LuaCATS has them: "path: string, timeout?: number"; "" for none */
	const char *returns; /* types: "string? text, string? error" */
	const char *help;
};

extern const struct library_row library_rows[]; /* pindrop.NAME() */
extern const size_t library_row_count;
extern const struct library_row window_rows[]; /* w:NAME() */
extern const size_t window_row_count;
extern const struct library_row window_fields[]; /* w.NAME: `returns` is its type */
extern const size_t window_field_count;

#endif
