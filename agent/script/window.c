/* script/window.c: what the function of an aggregate looks at.
 *
 *     w.values  w.times      lists, oldest first
 *     w.over    w.unknown    seconds; how many samples are left out
 *     w:avg() and so on      of the whole window, exact; nil where there is no sample
 *     w:p(95)                of w.values
 *
 * What is an `fn` of its own is a method, as in w:avg(); what is none is a field. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "script/inside.h"
#include "script/library.h"

/* nil for what is not known. */
static int push_number(lua_State *lua, double number)
{
	if (isnan(number))
		lua_pushnil(lua);
	else if (number == floor(number) && fabs(number) < 9e15)
		lua_pushinteger(lua, (lua_Integer)number);
	else
		lua_pushnumber(lua, number);
	return 1;
}

/* The window, as long as its function runs. */
static const struct script_window *check_window(lua_State *lua)
{
	const struct script_window *window = script_of(lua)->window;

	if (!lua_istable(lua, 1))
		luaL_error(lua, "is called with a colon: w:avg(), not w.avg()");
	if (!window)
		luaL_error(lua, "the window is there only while its function runs");
	return window;
}

static int get_min(lua_State *lua)
{
	return push_number(lua, check_window(lua)->min);
}

static int get_max(lua_State *lua)
{
	return push_number(lua, check_window(lua)->max);
}

static int get_avg(lua_State *lua)
{
	return push_number(lua, check_window(lua)->avg);
}

static int get_sum(lua_State *lua)
{
	return push_number(lua, check_window(lua)->sum);
}

static int get_last(lua_State *lua)
{
	return push_number(lua, check_window(lua)->last);
}

static int get_count(lua_State *lua)
{
	return push_number(lua, check_window(lua)->samples);
}

static int get_stddev(lua_State *lua)
{
	return push_number(lua, check_window(lua)->stddev);
}

static int by_size(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

/* Between the two neighbours, where it falls between. */
static double percentile(const double *sorted, size_t count, double percent)
{
	double rank = percent / 100 * (double)(count - 1), below = floor(rank);
	size_t at = (size_t)below;

	if (at + 1 >= count)
		return sorted[count - 1];
	return sorted[at] + (rank - below) * (sorted[at + 1] - sorted[at]);
}

static int get_percentile(lua_State *lua)
{
	const struct script_window *window = check_window(lua);
	double percent = luaL_checknumber(lua, 2);
	struct state_box *box;
	double *sorted;

	luaL_argcheck(lua, percent >= 0 && percent <= 100, 2, "a percentile lies between 0 and 100");
	if (window->count == 0)
		return push_number(lua, NAN);
	box = state_box(lua);
	sorted = box->block = memory_array(window->count, sizeof(*sorted));
	memcpy(sorted, window->values, window->count * sizeof(*sorted));
	qsort(sorted, window->count, sizeof(*sorted), by_size);
	percent = percentile(sorted, window->count, percent);
	state_box_empty(box);
	return push_number(lua, percent);
}

const struct library_row window_rows[] = {
	{"min", get_min, "", "number?", "the smallest sample; nil where there is none"},
	{"max", get_max, "", "number?", "the largest sample"},
	{"avg", get_avg, "", "number?", "the average of all samples"},
	{"sum", get_sum, "", "number?", "their sum"},
	{"last", get_last, "", "number?", "the newest sample"},
	{"count", get_count, "", "integer", "how many samples are known"},
	{"stddev", get_stddev, "", "number?", "their standard deviation"},
	{"p", get_percentile, "percent: number", "number?", "a percentile of w.values: w:p(95)"},
};
const size_t window_row_count = sizeof(window_rows) / sizeof(window_rows[0]);

const struct library_row window_fields[] = {
	{"values", NULL, "", "number[]", "the samples, oldest first; in a long window averages of neighbours"},
	{"times", NULL, "", "number[]", "when each of them was, seconds since 1970"},
	{"over", NULL, "", "number", "how long the window is, seconds; 0: since the last start"},
	{"unknown", NULL, "", "integer", "how many samples are not known, and left out"},
};
const size_t window_field_count = sizeof(window_fields) / sizeof(window_fields[0]);

static void set_list(lua_State *lua, const char *key, const double *numbers, size_t count)
{
	lua_createtable(lua, (int)count, 0);
	for (size_t i = 0; i < count; i++) {
		lua_pushnumber(lua, numbers[i]);
		lua_rawseti(lua, -2, (lua_Integer)i + 1);
	}
	lua_setfield(lua, -2, key);
}

void window_push(lua_State *lua, struct script *script)
{
	const struct script_window *window = script->window;

	lua_createtable(lua, 0, (int)window_field_count);
	set_list(lua, "values", window->values, window->count);
	set_list(lua, "times", window->times, window->count);
	push_number(lua, window->over);
	lua_setfield(lua, -2, "over");
	push_number(lua, window->unknown);
	lua_setfield(lua, -2, "unknown");
	if (luaL_newmetatable(lua, "pindrop.window")) {
		lua_createtable(lua, 0, (int)window_row_count);
		for (size_t i = 0; i < window_row_count; i++) {
			lua_pushcfunction(lua, window_rows[i].function);
			lua_setfield(lua, -2, window_rows[i].name);
		}
		lua_setfield(lua, -2, "__index");
	}
	lua_setmetatable(lua, -2);
}
