/* script/inside.h: what the files of this room show each other. */
#ifndef SCRIPT_INSIDE_H
#define SCRIPT_INSIDE_H

#include <jansson.h>
#include <lauxlib.h>
#include <lua.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "script/script.h"

/* What the main file is called within Lua, in chunk names ("=…") and messages: a name that Lua does not cut. */
#define SCRIPT_NAME "pindrop.lua"
#define SCRIPT_CHUNK "=" SCRIPT_NAME

/* One line, as long as a struct error. */
#define SCRIPT_LINE_SIZE sizeof(((struct error *)0)->text)

struct script {
	char *file, *root;
	char *text; /* of the file */
	size_t length;
	struct script_limits limits;
	char late[64]; /* "ran longer than 1 s", where a signal handler finds it ready */
	struct worker_page *page;
	const struct script_host *host;
	bool bare;

	/* The state, and the call that runs in it. */
	lua_State *lua;
	lua_State *volatile running; /* the innermost of its coroutines */
	size_t used;                 /* bytes that Lua has */
	timer_t timer;
	bool timed;                     /* there is a timer */
	int64_t deadline;               /* of the call: monotonic */
	volatile sig_atomic_t overdue;  /* how often the timer rang in this call */
	const char *entry;              /* what is called: "sample" */
	char subject[128];              /* of whom: `collector "queue"`; "": the file */
	char words[SCRIPT_LINE_SIZE];   /* the error, as the message handler found it */
	char late_at[SCRIPT_LINE_SIZE]; /* where the time was up */
	char full_at[SCRIPT_LINE_SIZE]; /* where there was no memory for more */

	/* What the file has said. */
	json_t *declarations, *modules;
	bool declared;   /* it has run to its end */
	bool functions;  /* it gave one */
	size_t said;     /* how much, in bytes and a little for each value */
	uint64_t digest; /* of what was read */
	const struct script_window *window;
};

/* The script whose state this is. Also from a signal handler. */
static inline struct script *script_of(lua_State *lua)
{
	return *(struct script **)lua_getextraspace(lua);
}

/* --- trace.c: where a script is, in one line ------------------------------------------------------------------ */

/* Writes "pindrop.lua:14: WORDS (in function 'count', pindrop.lua:14; called from pindrop.lua:20)". Words that begin with
 * a place keep it. `level`: the innermost function that is told. Reads only, and allocates nothing: for the handler of a
 * signal, too. */
void trace_tell(const struct script *script, lua_State *lua, int level, const char *words, char *line, size_t size);

/* Copies a text of anybody's into one line of UTF-8 of at most size - 1 bytes; what is cut ends with "…". */
void trace_clean(const char *text, size_t length, char *line, size_t size);

/* The line of the main file that is running, the innermost; 0: none. */
int trace_line(lua_State *lua);

/* --- state.c: a Lua state with limits ------------------------------------------------------------------------- */

int state_open(struct script *script, struct error *error);
void state_close(struct script *script);

/* Calls `body` with `argument` as light userdata, within the limits. `entry` is what messages call the function that it
 * calls. 0, or -1 with the words: one line, with the traceback. */
int state_call(struct script *script, const char *entry, lua_CFunction body, void *argument, struct error *error);

/* Where what happens in C may wait: true when the time of the call is up. */
bool state_is_late(const struct script *script);

/* A userdata that frees what it holds, should an error come between. */
struct state_box {
	void *block;
	json_t *json;
	int fd; /* -1: none */
};
struct state_box *state_box(lua_State *lua); /* pushes it, empty */
void state_box_empty(struct state_box *box);

/* --- declare.c ------------------------------------------------------------------------------------------------ */

/* Offers agent, plugin, … to the file. Within a call. */
void declare_offer(lua_State *lua);

/* What is offered and sounds like that; NULL: nothing does. */
const char *declare_nearest(const char *name);

/* Raises an error where the file has put something else in the place of what it is to call. */
void declare_check(lua_State *lua);

/* Pushes the function that the file gave as `key` of what "name", or nil. */
void declare_function(lua_State *lua, const char *what, const char *name, const char *key);

/* --- library.c ------------------------------------------------------------------------------------------------ */

/* Offers pindrop.read() and so on, and pushes nothing. Within a call. */
void library_offer(lua_State *lua);

/* Reads a whole file into a new text, for free(), with a NUL behind it. NULL with errno; EFBIG: it is longer than
 * `most`; EINTR: the time is up. */
char *library_read(const struct script *script, const char *path, size_t most, size_t *length);

/* The longest text that comes from a file or a command, or is read as JSON. */
#define LIBRARY_TEXT_MAX ((size_t)16 << 20)
#define LIBRARY_TEXT_MAX_WORDS "16 MiB"

/* Pushes nil and the words. Returns 2. */
int library_fail(lua_State *lua, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- command.c ------------------------------------------------------------------------------------------------ */

int library_run(lua_State *lua); /* pindrop.run() */

/* --- modules.c ------------------------------------------------------------------------------------------------ */

/* `require` finds what lies beside the file, and the collectors that come with pindrop; what it loads is written down. */
void modules_offer(lua_State *lua);

/* Adds to the digest of what was read. */
void modules_digest(struct script *script, const char *text, size_t length);

/* --- window.c ------------------------------------------------------------------------------------------------- */

/* Pushes the object that functions of aggregates look at: script->window. */
void window_push(lua_State *lua, struct script *script);

#endif
