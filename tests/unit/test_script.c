/* links: agent/script/run.c agent/script/declare.c agent/script/library.c agent/script/command.c agent/base/command.c agent/script/modules.c
 * agent/script/window.c agent/script/state.c agent/script/trace.c agent/base/text.c agent/base/memory.c agent/base/log.c
 * agent/base/clock.c agent/base/error.c
 *
 * What a script says of itself, and that it has an end whatever it does. */
#include <math.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "script/script.h"

/* ThreadSanitizer keeps a signal until the program calls libc, which a loop in Lua never does. */
#if defined(__SANITIZE_THREAD__)
#define SIGNALS_COME false
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SIGNALS_COME false
#endif
#endif
#ifndef SIGNALS_COME
#define SIGNALS_COME true
#endif

#define TIME (100 * CLOCK_MILLISECOND) /* of those that do not want to end */
#define LONG (10 * CLOCK_SECOND)
#define MEMORY ((size_t)64000000)

static struct script_limits limits = {LONG, MEMORY};
static struct worker_page *page;
static struct error error;

static struct script *run(const char *text)
{
	const struct script_setup setup = {.file = "etc/pindrop.lua", .text = text, .limits = limits, .page = page};

	error.text[0] = '\0';
	return script_new(&setup, &error);
}

/* The file cannot be run, and says this. */
static void fails(const char *text, const char *words)
{
	struct script *script = run(text);

	assert_null(script);
	assert_string_equal(error.text, words);
	assert_string_equal(page->place, "");
}

#define LATE "etc/pindrop.lua:1: ran longer than 0.1 s"

/* Windows' editors like to put a mark in front, and another end to lines. */
static void a_mark_in_front_is_passed_over(void **state)
{
	struct script *script = run("\xEF\xBB\xBF"
	                            "plugin 'cpu' {}\r\nlocal agent = 3\r\n");

	(void)state;
	if (!script)
		fail_msg("%s", error.text);
	script_free(script);
	fails("\xEF\xBB\xBF"
	      "x = = 3",
	      "etc/pindrop.lua:1: unexpected symbol near '='");
}

static void errors_are_one_line_with_a_traceback(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{"x = = 3", "etc/pindrop.lua:1: unexpected symbol near '='"},
		{"error('boom')", "etc/pindrop.lua:1: boom"},
		{"local function count()\n error('boom')\nend\ncount()",
	     "etc/pindrop.lua:2: boom (in function 'count', pindrop.lua:2; called from pindrop.lua:4)"},
		{"local function f() error('boom', 2) end\nlocal function g()\n f()\nend\ng()",
	     "etc/pindrop.lua:3: boom (in function 'f', pindrop.lua:1; called from pindrop.lua:3; called from "
	     "pindrop.lua:5)"},
		{"local function f() error('boom', 0) end f()", "etc/pindrop.lua:1: boom (in function 'f', pindrop.lua:1)"},
		{"assert(false, 'no')", "etc/pindrop.lua:1: no"},
		{"assert(nil)", "etc/pindrop.lua:1: assertion failed!"},
		{"local s = ('x'):rep({})",
	     "etc/pindrop.lua:1: bad argument #1 to 'rep' (number expected, got table) (in function 'rep'; called from "
	     "pindrop.lua:1)"},
		{"error()", "etc/pindrop.lua:1: an error that is nil"},
		{"error({})", "etc/pindrop.lua:1: an error that is a table"},
		{"error(3)", "etc/pindrop.lua:1: 3"},
		{"error('')", "etc/pindrop.lua:1:"},
		{"error('', 0)", "etc/pindrop.lua:1: an error without words"},
		{"error(setmetatable({}, {__tostring = function() return 'two\\n\\tlines\\0' end}))",
	     "etc/pindrop.lua:1: two lines"},
		{"error(setmetatable({}, {__tostring = function() error('worse') end}))",
	     "etc/pindrop.lua:1: worse (in a function, pindrop.lua:1)"},
		{"error(setmetatable({}, {__tostring = function() return 3 end}))",
	     "etc/pindrop.lua:1: an error that is a table"},
		{"error('a\\xff\\xc3\\xa9\\xed\\xa0\\x80b', 0)", "etc/pindrop.lua:1: a?é???b"},
		{"local function f() return f() + 1 end f()",
	     "etc/pindrop.lua:1: stack overflow (in function 'f', pindrop.lua:1; …)"},
		{"local c <close> = setmetatable({}, {__close = function() error('closing') end})",
	     "etc/pindrop.lua:1: closing (in function 'close', pindrop.lua:1)"},
		{"setmetatable({}, {__gc = function() error('collected') end}) collectgarbage() error('after')",
	     "etc/pindrop.lua:1: after"},
		{"coroutine.wrap(function() error('inside') end)()", "etc/pindrop.lua:1: inside"},
		{"assert(coroutine.resume(coroutine.create(function() error('inside') end)))", "etc/pindrop.lua:1: inside"},
		{"os.exit(3)", "etc/pindrop.lua:1: os.exit() would end more than this file; error() ends it with words (in "
	                   "function 'exit'; called from pindrop.lua:1)"},
		{"plugins 'cpu' {}",
	     "etc/pindrop.lua:1: attempt to call a nil value (global 'plugins') (did you mean \"plugin\"?)"},
		{"x = pindrp.read('x')",
	     "etc/pindrop.lua:1: attempt to index a nil value (global 'pindrp') (did you mean \"pindrop\"?)"},
		{"nothing_like_it()", "etc/pindrop.lua:1: attempt to call a nil value (global 'nothing_like_it')"},
		{"-- agent == 1\n\tagent = { interval = '1s' }", "etc/pindrop.lua:2: \"agent = …\" sets nothing: write agent { "
	                                                     "… } (a variable of your own needs another name)"},
		{"_G['plugin'] = 'cpu'", "etc/pindrop.lua: \"plugin = …\" sets nothing: write plugin \"name\" { … } (a "
	                             "variable of your own needs another name)"},
		{"plugin {}",
	     "etc/pindrop.lua:1: plugin: takes a name first: plugin \"name\" { … } (in function 'plugin'; called "
	     "from pindrop.lua:1)"},
		{"plugin '\\xff' {}", "etc/pindrop.lua:1: plugin: takes a name in UTF-8 (in function 'plugin'; called from "
	                          "pindrop.lua:1)"},
		{"\n-- \xff\ncollector 'a' { sample = function() end }",
	     "etc/pindrop.lua:2: holds what is not UTF-8: a file with functions must be saved as UTF-8"},
		{"xpcall(function() error('a') end, function(m) error('b') end) error('c')", "etc/pindrop.lua:1: c"},
	};

	(void)state;
	limits = (struct script_limits){LONG, 256000000};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		fails(cases[i].text, cases[i].words);
	limits = (struct script_limits){LONG, MEMORY};
}

static void long_errors_are_cut(void **state)
{
	static const char *const texts[] = {"error(('x'):rep(10000))", "error(('é'):rep(10000))",
	                                    "error(('x'):rep(1000000), 0)",
	                                    "local function a() error(('é'):rep(500)) end\nlocal function "
	                                    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb()\n"
	                                    " a()\nend\nbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb()"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *json;

		assert_null(run(texts[i]));
		assert_true(strlen(error.text) > 200 && strlen(error.text) < sizeof(error.text));
		assert_non_null(strstr(error.text, "…"));
		json = json_string(error.text);
		assert_non_null(json);
		json_decref(json);
	}
	assert_non_null(strstr(error.text, "called from pindrop.lua:5)"));
}

/* It ends by its time, within the grace that the agent gives. */
static void ends_late(const char *text)
{
	int64_t begin = clock_monotonic(), took;

	assert_null(run(text));
	took = clock_monotonic() - begin;
	if (strncmp(error.text, LATE, strlen(LATE)) != 0 || took < TIME || took > 50 * TIME)
		fail_msg("%s: %s after %.2f s", text, error.text, clock_seconds(took));
}

static void endless_loops_end(void **state)
{
	static const char *const texts[] = {
		"while true do end",
		"repeat until false",
		"::again:: goto again",
		"for i = 1, math.huge do end",
		"while true do pcall(error) end",
		"while true do pcall(function() while true do end end) end",
		"while true do xpcall(function() while true do end end, print) end",
		"xpcall(function() while true do end end, function() while true do end end)",
		"while true do pcall(coroutine.wrap(function() while true do end end)) end",
		"while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
		"local co = coroutine.wrap(function() while true do coroutine.yield() end end) while true do co() end",
		"coroutine.wrap(function() coroutine.wrap(function() while true do end end)() end)()",
		"local co = coroutine.create(function() local c <close> = setmetatable({}, {__close = function() while true do "
		"end "
		"end}) coroutine.yield() end) coroutine.resume(co) coroutine.close(co)",
		"setmetatable(_G, {__index = function() while true do end end}) local x = nothing",
		"table.sort({3, 2, 1}, function() while true do end end)",
		"debug.sethook(function() end, 'c') while true do end",
		"while true do debug.sethook() end",
		"while true do string.rep('x', 10) end",
		("pcall(function() local c <close> = setmetatable({}, {__close = function() while true do end end}) error() "
	     "end)"),
	};

	(void)state;
	if (!SIGNALS_COME)
		skip();
	limits.time = TIME;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ends_late(texts[i]);
	fails("while true do end", LATE);
	fails("local function f() while true do end end f()", LATE " (in function 'f', pindrop.lua:1)");
	fails("local function f()\n while true do end\nend\nlocal function g()\n pcall(f)\nend\nwhile true do g() end",
	      "etc/pindrop.lua:2: ran longer than 0.1 s (in a function, pindrop.lua:2; called from pindrop.lua:5; called "
	      "from "
	      "pindrop.lua:7)");
	limits.time = LONG;
}

/* What waits for somebody else hears the signal, or what it waits for is ended. */
static void what_blocks_ends(void **state)
{
	static const char *const texts[] = {
		"io.popen('sleep 1000'):read('a')", "io.popen('sleep 1000; true'):read('a')",
		"io.popen('sleep 1000'):close()",   "os.execute('sleep 1000; true')",
		"pindrop.run({'sleep', '1000'})",   "pindrop.run({'sh', '-c', 'sleep 1000 & sleep 1000; true'})",
	};

	(void)state;
	if (!SIGNALS_COME)
		skip();
	limits.time = TIME;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ends_late(texts[i]);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left */
	limits.time = LONG;
}

static void memory_has_an_end(void **state)
{
	static const char *const texts[] = {
		"local function f() local t = {} for i = 1, 1e9 do t[i] = {} end end f()",
		"local function f() local s = 'x' while true do s = s .. s end end f()",
		"local function f() return ('x'):rep(1e9) end f()",
		"local function f() return f() + 1 end f()",
		"local function f() local t = {} while true do t = {t} end end f()",
		"local function f() local t = {} while true do t[#t + 1] = coroutine.create(f) end end f()",
		"local function f() return table.concat({('x'):rep(7e6), ('y'):rep(7e6), ('z'):rep(7e6)}) end f()",
	};

	(void)state;
	limits = (struct script_limits){LONG, 20000000};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_null(run(texts[i]));
		if (!strstr(error.text, "etc/pindrop.lua:1: not enough memory: it may use 20 MB (in function '"))
			fail_msg("%s: %s", texts[i], error.text);
	}
	/* What is caught is the script's own business, and garbage counts no more. */
	script_free(run("for i = 1, 5 do assert(not pcall(string.rep, 'x', 1e9)) end for i = 1, 1e5 do local t = {} end"));
	assert_string_equal(error.text, "");
	limits = (struct script_limits){LONG, MEMORY};
}

/* Runs it in a process of its own, until it tells its place. */
static void tells_its_place(const char *text, const char *words)
{
	int64_t deadline = clock_monotonic() + 50 * TIME;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		run(text);
		_exit(0);
	}
	while (!page->place[0] && clock_monotonic() < deadline && waitpid(pid, &status, WNOHANG) == 0)
		poll(NULL, 0, 1);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	assert_string_equal(page->place, words);
	page->place[0] = '\0';
}

static void what_hears_nothing_tells_its_place(void **state)
{
	(void)state;
	if (!SIGNALS_COME)
		skip();
	limits.time = TIME;
	tells_its_place(
		"local function f()\n return string.find(('a'):rep(40), ('a?'):rep(40) .. ('a'):rep(40))\nend\n"
		"local x = f()",
		"etc/pindrop.lua:2: ran longer than 0.1 s (in function 'find'; called from pindrop.lua:2; called from "
		"pindrop.lua:4)");
	tells_its_place("setmetatable({}, {__gc = function() while true do end end}) collectgarbage()",
	                "etc/pindrop.lua:1: ran longer than 0.1 s (in function '__gc', pindrop.lua:1)");
	tells_its_place("table.move({}, 1, 1e15, 2)",
	                "etc/pindrop.lua:1: ran longer than 0.1 s (in function 'move'; called "
	                "from pindrop.lua:1)");
	tells_its_place("local co = coroutine.wrap(function() ('').rep('', 1e18) end)\nco()",
	                "etc/pindrop.lua:1: ran longer than 0.1 s (in function 'rep'; called from pindrop.lua:1)");
	limits.time = LONG;
}

static char *declarations(const char *text)
{
	struct script *script = run(text);
	json_t *json;
	char *list;

	if (!script)
		fail_msg("%s", error.text);
	json = script_declarations(script);
	list = json_dumps(json_object_get(json, "declarations"), JSON_COMPACT);
	json_decref(json);
	script_free(script);
	return list;
}

static void says_what_json_can(const char *text, const char *expected)
{
	char *list = declarations(text);

	assert_string_equal(list, expected);
	free(list);
}

static void declarations_are_told_with_their_lines(void **state)
{
	(void)state;
	says_what_json_can("", "[]");
	says_what_json_can("agent { a = 1, }\n\nretention { { b = 'x' }, 2.5 }",
	                   "[{\"declare\":\"agent\",\"line\":1,\"value\":{\"a\":1}},"
	                   "{\"declare\":\"retention\",\"line\":3,\"value\":[{\"b\":\"x\"},2.5]}]");
	says_what_json_can("plugin 'cpu'", "[{\"declare\":\"plugin\",\"line\":1,\"value\":{},\"name\":\"cpu\"}]");
	says_what_json_can(
		"collector 'q' {\n sample = print }",
		"[{\"declare\":\"collector\",\"line\":1,\"value\":{\"sample\":{\"$type\":\"function\"}},\"name\":\"q\"}]");
	says_what_json_can("limits { 0/0 }",
	                   "[{\"declare\":\"limits\",\"line\":1,\"value\":[{\"$type\":\"number that is not "
	                   "finite\"}]}]");
	says_what_json_can(
		"limits { '\\xff', 'a\\0' }",
		"[{\"declare\":\"limits\",\"line\":1,\"value\":[{\"$type\":\"text that is not UTF-8\"},{\"$type\":\"text "
		"that is not UTF-8\"}]}]");
	says_what_json_can("limits { [true] = 1 }", "[{\"declare\":\"limits\",\"line\":1,\"value\":{\"a boolean\":1}}]");
	says_what_json_can("limits { [2] = 1 }", "[{\"declare\":\"limits\",\"line\":1,\"value\":{\"2\":1}}]");
	free(declarations("local t = {} t.t = t agent(t)"));
	fails("local t = {} for i = 1, 14 do t = {t, t, t, t, t, t, t, t, t, t} end agent(t)",
	      "etc/pindrop.lua:1: the file says more than 32 MB (in function 'agent'; called from pindrop.lua:1)");
	fails("while true do plugin(('x'):rep(100000)) end",
	      "etc/pindrop.lua:1: the file says more than 32 MB (in function 'plugin'; called from pindrop.lua:1)");
}

/* The digest, the text and the modules of a file. */
static char *digest(const char *text, bool *functions)
{
	struct script *script = run(text);
	json_t *json;
	char *found;

	assert_non_null(script);
	json = script_declarations(script);
	found = strdup(json_string_value(json_object_get(json, "digest")));
	*functions = json_is_string(json_object_get(json, "script"));
	if (*functions)
		assert_string_equal(json_string_value(json_object_get(json, "script")), text);
	json_decref(json);
	script_free(script);
	return found;
}

static void the_text_is_told_where_it_is_called_later(void **state)
{
	bool functions;
	char *a = digest("agent {}", &functions), *b, *c;

	(void)state;
	assert_false(functions);
	b = digest("agent { }", &functions);
	c = digest("agent {}", &functions);
	assert_string_equal(a, c);
	assert_string_not_equal(a, b);
	free(a);
	free(b);
	free(c);
	free(digest("collector 'q' { sample = function() end }", &functions));
	assert_true(functions);
	free(digest("aggregate 'q' { format = print }", &functions));
	assert_true(functions);
	free(digest("aggregate 'q' { fn = 'max' } plugin 'x' { fun = print }", &functions));
	assert_false(functions);
}

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void modules_lie_beside_the_file(void **state)
{
	char folder[] = "/tmp/pindrop-script.XXXXXX", file[64], module[64];
	struct script_setup setup = {.file = file, .limits = {LONG, MEMORY}, .page = page};
	struct script *script;
	json_t *one, *two;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/pindrop.lua", folder);
	snprintf(module, sizeof(module), "%s/mine.lua", folder);
	put(file, "require('mine').set()");
	put(module, "return { set = function() agent { a = 1 } end }");
	script = script_new(&setup, &error);
	assert_non_null(script);
	one = script_declarations(script);
	script_free(script);
	assert_string_equal(json_string_value(json_array_get(json_object_get(one, "modules"), 0)), module);
	assert_int_equal(json_array_size(json_object_get(one, "modules")), 1);
	put(module, "return { set = function() agent { a = 2 } end }");
	script = script_new(&setup, &error);
	assert_non_null(script);
	two = script_declarations(script);
	script_free(script);
	assert_string_not_equal(json_string_value(json_object_get(one, "digest")),
	                        json_string_value(json_object_get(two, "digest")));
	json_decref(one);
	json_decref(two);
	put(module, "\nreturn { set = function() error('boom') end }");
	assert_null(script_new(&setup, &error));
	assert_non_null(strstr(error.text, "/mine.lua:2: boom (in function 'set', mine.lua:2; called from pindrop.lua:1)"));
	unlink(module);
	assert_null(script_new(&setup, &error));
	assert_non_null(strstr(error.text, "module 'mine' not found"));
	unlink(file);
	assert_null(script_new(&setup, &error));
	assert_non_null(strstr(error.text, "/pindrop.lua: No such file or directory"));
	rmdir(folder);
}

/* Without what reaches out, as fuzzing wants it. */
static void a_bare_state_reaches_nothing(void **state)
{
	const struct script_setup setup = {
		.file = "pindrop.lua",
		.text =
			"assert(not (os or io or package or debug or require or dofile or loadfile or print or setmetatable))\n"
			"assert(not (string.rep or string.find or string.match or string.gmatch or string.gsub or table.move))\n"
			"assert(not (pindrop.run or pindrop.read or pindrop.lines or pindrop.glob or pindrop.log))\n"
			"agent { a = 1 }",
		.limits = {LONG, MEMORY},
		.page = page,
		.bare = true};
	struct script *script = script_new(&setup, &error);

	(void)state;
	if (!script)
		fail_msg("%s", error.text);
	script_free(script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mark_in_front_is_passed_over),
		cmocka_unit_test(errors_are_one_line_with_a_traceback),
		cmocka_unit_test(long_errors_are_cut),
		cmocka_unit_test(endless_loops_end),
		cmocka_unit_test(what_blocks_ends),
		cmocka_unit_test(memory_has_an_end),
		cmocka_unit_test(what_hears_nothing_tells_its_place),
		cmocka_unit_test(declarations_are_told_with_their_lines),
		cmocka_unit_test(the_text_is_told_where_it_is_called_later),
		cmocka_unit_test(modules_lie_beside_the_file),
		cmocka_unit_test(a_bare_state_reaches_nothing),
	};

	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return cmocka_run_group_tests_name("script", tests, NULL, NULL);
}
