/* links: agent/script/run.c agent/script/declare.c agent/script/library.c agent/script/command.c agent/base/command.c agent/script/modules.c
 * agent/script/window.c agent/script/state.c agent/script/trace.c agent/base/text.c agent/base/memory.c agent/base/log.c
 * agent/base/clock.c agent/base/error.c
 *
 * Functions of a script that are called, what they answer, and what they are offered. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "script/script.h"

static struct worker_page page;
static struct error error;

/* What pindrop.get() is answered. */
static int get(void *context, const char *metric, const char *instance, double *value, struct error *words)
{
	(void)context;
	*value = strcmp(metric, "cpu.usage") == 0 ? 12.5 : NAN;
	if (strcmp(instance, "sda") == 0)
		*value = 7;
	return strcmp(metric, "cpu.x") == 0 ? error_set(words, "there is no metric \"cpu.x\"") : 0;
}

static const struct script_host host = {.get = get};

static struct script *open_script(const char *text, const char *root, const struct script_host *with)
{
	const struct script_setup setup = {.file = "etc/pindrop.lua",
	                                   .text = text,
	                                   .root = root,
	                                   .limits = {5 * CLOCK_SECOND, 64000000},
	                                   .page = &page,
	                                   .host = with};
	struct script *script = script_new(&setup, &error);

	if (!script)
		fail_msg("%s", error.text);
	return script;
}

/* --- answers of collectors ---------------------------------------------------------------------------------- */

/* Writes rows down as text: "sda=1,2;". */
struct notes {
	char text[512];
	double row[2];
	size_t rows;
};

static void note_row(struct notes *notes)
{
	if (notes->rows > 0 && strlen(notes->text) < 400)
		sprintf(notes->text + strlen(notes->text), "%g,%g;", notes->row[0], notes->row[1]);
}

static double *add_row(void *context, const char *instance)
{
	struct notes *notes = context;

	note_row(notes);
	if (strlen(notes->text) < 400)
		sprintf(notes->text + strlen(notes->text), "%s=", instance);
	notes->row[0] = notes->row[1] = NAN;
	notes->rows++;
	return notes->row;
}

static int sample(const char *body, bool instances, struct notes *notes)
{
	static const char *const fields[] = {"depth", "age"};
	const struct script_sink sink = {fields, 2, instances, add_row, notes};
	char *text = memory_format("collector 'q' {\nsample = function() %s\nend }", body);
	struct script *script = open_script(text, "", &host);
	int failed;

	*notes = (struct notes){.rows = 0};
	failed = script_sample(script, "q", &sink, &error);
	note_row(notes);
	script_free(script);
	free(text);
	return failed;
}

static void answers(const char *body, bool instances, const char *expected)
{
	struct notes notes;

	if (sample(body, instances, &notes) < 0)
		fail_msg("%s: %s", body, error.text);
	assert_string_equal(notes.text, expected);
}

static void is_refused(const char *body, bool instances, const char *words)
{
	struct notes notes;

	assert_int_equal(sample(body, instances, &notes), -1);
	if (!strstr(error.text, words))
		fail_msg("%s: %s", body, error.text);
}

static void a_row_is_taken(void **state)
{
	(void)state;
	answers("return { depth = 1.5, age = 2 }", false, "=1.5,2;");
	answers("return { age = true }", false, "=nan,1;");
	answers("return { depth = false, age = 1/0 }", false, "=0,nan;");
	answers("return { depth = -1/0, age = 0/0 }", false, "=nan,nan;");
	answers("return {}", false, "=nan,nan;");
	answers("return setmetatable({}, {__index = function() return 1 end})", false, "=nan,nan;");
	answers("return { depth = pindrop.get('cpu.usage'), age = pindrop.get('disk.io.x', 'sda') }", false, "=12.5,7;");
	answers("return { depth = pindrop.get('unknown.now') }", false, "=nan,nan;");
}

static void instances_are_taken(void **state)
{
	struct notes notes;

	(void)state;
	answers("return { sda = { depth = 1 } }", true, "sda=1,nan;");
	answers("return { { depth = 1 }, { age = 2 } }", true, "1=1,nan;2=nan,2;");
	answers("return { [1.5] = {} }", true, "1.5=nan,nan;");
	answers("return {}", true, "");
	answers("return { ['é / x'] = {} }", true, "é / x=nan,nan;");
	assert_int_equal(sample("local t = {} for i = 1, 10000 do t[i] = {} end return t", true, &notes), 0);
	assert_int_equal(notes.rows, 10000);
}

static void nonsense_is_refused(void **state)
{
	(void)state;
	is_refused("", false, "etc/pindrop.lua:2: sample returned nothing; it must return { depth = …, age = … }");
	is_refused("return 5", false, "sample returned the number 5.0; it must return { depth");
	is_refused("return 'x'", true,
	           "sample returned the text \"x\"; it must return { NAME = { depth = …, age = … }, … }");
	is_refused("return print", false, "sample returned a function");
	is_refused(
		"return { depht = 1 }", false,
		"etc/pindrop.lua:2: sample answered the text \"depht\" as a field, which its metrics do not name (did you "
		"mean \"depth\"?)");
	is_refused("return { zzzz = 1 }", false,
	           "sample answered the text \"zzzz\" as a field, which its metrics do not name");
	is_refused("return { 1 }", false, "sample answered the number 1.0 as a field");
	is_refused("return { [{}] = 1 }", false, "sample answered a table as a field");
	is_refused("return { depth = '12' }", false,
	           "sample answered the text \"12\" as \"depth\", which must be a number: tonumber() makes one of a text");
	is_refused("return { depth = {} }", false, "sample answered a table as \"depth\", which must be a number");
	is_refused("return { sda = { depth = print } }", true,
	           "sample answered a function as \"depth\" of \"sda\", which must be a number");
	is_refused("return { sda = { dept = 1 } }", true,
	           "as a field of \"sda\", which its metrics do not name (did you mean");
	is_refused(
		"return { depth = 1 }", true,
		"sample answered the number 1.0 for the instance \"depth\"; it must return { NAME = { depth = …, age = … }, "
		"… }");
	is_refused("return { [''] = {} }", true, "sample answered an instance without a name");
	is_refused("return { ['a\\0b'] = {} }", true, "sample answered an instance whose name is no UTF-8");
	is_refused("return { ['\\xff'] = {} }", true, "sample answered an instance whose name is no UTF-8: the text \"?\"");
	is_refused("return { [('x'):rep(201)] = {} }", true, "whose name is too long for a file's: the text \"xxx");
	is_refused("return { [('/'):rep(67)] = {} }", true, "whose name is too long for a file's");
	is_refused("return { [true] = {} }", true, "an instance whose name is true: it must be a text");
	is_refused("return { [1] = {}, ['1'] = {} }", true, "the instance \"1\" twice: as a number and as a text");
	is_refused("local t = {} for i = 1, 10001 do t[i] = {} end return t", true,
	           "sample answered more than 10000 instances");
	is_refused("error('boom')", false, "etc/pindrop.lua:2: boom (in sample, pindrop.lua:2)");
	is_refused("pindrop.get('cpu.x')", false,
	           "etc/pindrop.lua:2: there is no metric \"cpu.x\" (in function 'get'; called from pindrop.lua:2)");
	is_refused("agent {}", false, "agent belongs into the file itself, not into a function that is called later");
	is_refused("plugin 'x'", false, "plugin belongs into the file itself");
}

static void who_is_not_there_cannot_be_called(void **state)
{
	const struct script_sink sink = {NULL, 0, false, add_row, NULL};
	struct script *script = open_script("collector 'q' {}", "", NULL);

	(void)state;
	assert_int_equal(script_sample(script, "q", &sink, &error), -1);
	assert_string_equal(error.text, "etc/pindrop.lua: collector \"q\" gave no function as \"sample\"");
	script_free(script);
}

/* One that fails, by time, memory or words, is well at its next call; its upvalues are as they were. */
static void the_state_survives(void **state)
{
	static const char *const fields[] = {"depth", "age"};
	struct notes notes = {.rows = 0};
	const struct script_sink sink = {fields, 2, false, add_row, &notes};
	const struct script_limits brief = {CLOCK_SECOND / 10, 10000000};
	struct script *script =
		open_script("local calls = 0\n"
	                "local co = coroutine.wrap(function() while true do coroutine.yield(1) end end)\n"
	                "collector 'q' { sample = function()\n"
	                " calls = calls + 1\n"
	                " if calls == 2 then error('boom') end\n"
	                " if calls == 3 then local s = ('x'):rep(1e9) end\n"
	                " if calls == 4 then local own = coroutine.wrap(function() while true do end end) own() end\n"
	                " return { depth = calls, age = co() }\n"
	                "end }",
	                "", NULL);

	(void)state;
	script_limit(script, &brief);
	assert_int_equal(script_sample(script, "q", &sink, &error), 0);
	assert_int_equal(script_sample(script, "q", &sink, &error), -1);
	assert_string_equal(error.text, "etc/pindrop.lua:5: boom (in sample, pindrop.lua:5)");
	assert_int_equal(script_sample(script, "q", &sink, &error), -1);
	assert_string_equal(error.text, "etc/pindrop.lua:6: not enough memory: it may use 10 MB (in function 'rep'; called "
	                                "from pindrop.lua:6)");
#if !defined(__SANITIZE_THREAD__)
	assert_int_equal(script_sample(script, "q", &sink, &error), -1);
	assert_non_null(strstr(error.text, "ran longer than 0.1 s"));
	notes = (struct notes){.rows = 0};
	assert_int_equal(script_sample(script, "q", &sink, &error), 0);
	assert_true(notes.row[0] == 5);
#endif
	script_free(script);
}

/* --- aggregates --------------------------------------------------------------------------------------------- */

static const double values[] = {10, 40, 20, 30}, times[] = {100, 101, 102, 103};
static const struct script_window window = {
	4, values, times, 3600, 5, 2, 10, 41, 25.5, 100, 30, 11.5,
};
static const struct script_window empty = {0, NULL, NULL, 0, 0, 7, NAN, NAN, NAN, NAN, NAN, NAN};

/* What becomes of a value of 3.25. "error" where it failed. */
static char *evaluate(const char *aggregate, const struct script_window *of, double *value)
{
	char *text = memory_format("aggregate 'a' {\n%s }", aggregate), *formatted = NULL;
	struct script *script = open_script(text, "", NULL);

	*value = 3.25;
	error.text[0] = '\0';
	if (script_aggregate(script, "a", of, value, &formatted, &error) < 0) {
		free(formatted);
		formatted = memory_text("error");
	}
	script_free(script);
	free(text);
	return formatted;
}

static void gives(const char *body, const struct script_window *of, double expected)
{
	char *text = memory_format("fn = function(w) return %s end", body);
	double value;
	char *formatted = evaluate(text, of, &value);

	if (formatted || !((isnan(expected) && isnan(value)) || fabs(value - expected) < 1e-9))
		fail_msg("%s: %g, %s", body, value, error.text);
	free(text);
}

static void is_formatted(const char *aggregate, const char *expected, const char *words)
{
	double value;
	char *formatted = evaluate(aggregate, &window, &value);

	if (!expected)
		assert_null(formatted);
	else if (!formatted || strcmp(formatted, expected) != 0)
		fail_msg("%s: %s", aggregate, formatted);
	if (!strstr(error.text, words))
		fail_msg("%s: %s", aggregate, error.text);
	free(formatted);
}

static void functions_look_at_the_window(void **state)
{
	(void)state;
	gives("w:min() * 1", &window, 10);
	gives("w:max()", &window, 41);
	gives("w:avg()", &window, 25.5);
	gives("w:sum()", &window, 100);
	gives("w:last()", &window, 30);
	gives("w:count()", &window, 5);
	gives("w:stddev()", &window, 11.5);
	gives("w:p(50)", &window, 25);
	gives("w:p(0)", &window, 10);
	gives("w:p(90)", &window, 37);
	gives("w.over", &window, 3600);
	gives("w.unknown", &window, 2);
	gives("#w.values * 100 + #w.times", &window, 404);
	gives("w.values[2] + w.times[4]", &window, 143);
	gives("true", &window, 1);
	gives("nil", &window, NAN);
	gives("1/0", &window, NAN);
	gives("w:avg()", &empty, NAN);
	gives("w:p(50)", &empty, NAN);
	gives("w:count()", &empty, 0);
	gives("w.unknown + #w.values", &empty, 7);
}

static void values_are_formatted(void **state)
{
	(void)state;
	is_formatted("format = function(v) return v .. ' s' end", "3.25 s", "");
	is_formatted("format = function(v) return v * 2 end", "6.5", "");
	is_formatted("format = function(v) end", NULL, "");
	is_formatted("fn = function(w) return 8 end, format = function(v) return ('%d'):format(v) end", "8", "");
	is_formatted("fn = function(w) end, format = error", NULL, "");
	is_formatted("fn = function(w) return 'x' end", "error",
	             "etc/pindrop.lua:2: fn answered the text \"x\", which must be a number; a text is made by format");
	is_formatted("fn = function(w) return {} end", "error", "fn answered a table, which must be a number");
	is_formatted("fn = function(w) return w.avg() end", "error", "is called with a colon: w:avg(), not w.avg()");
	is_formatted("fn = function(w) return w:p(101) end", "error", "a percentile lies between 0 and 100");
	is_formatted("fn = function(w) error('boom') end", "error", "etc/pindrop.lua:2: boom (in fn, pindrop.lua:2)");
	is_formatted("format = function(v) error('boom') end", "error",
	             "etc/pindrop.lua:2: boom (in format, pindrop.lua:2)");
	is_formatted("format = function(v) return {} end", "error", "format answered a table, which must be a text");
	is_formatted("format = function(v) return '\\xff' end", "error", "format answered what is no text");
	is_formatted("format = function(v) return ('x'):rep(1001) end", "error",
	             "format answered what is no text of at most 1000");
}

/* --- the library -------------------------------------------------------------------------------------------- */

/* Each expression is true, in a file that is run with a root of its own. */
static void holds(const char *root, const char *expression)
{
	char *text =
		memory_format("local function same(a, b) assert(a == b, tostring(a) .. ' is not ' .. tostring(b)) end\n"
	                  "%s",
	                  expression);

	script_free(open_script(text, root, &host));
	free(text);
}

static void put(const char *root, const char *name, const char *text)
{
	char *path = memory_format("%s/%s", root, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	free(path);
}

static void files_are_read_below_the_root(void **state)
{
	char root[] = "/tmp/pindrop-[x]?.XXXXXX", *path;

	(void)state;
	assert_non_null(mkdtemp(root));
	put(root, "a.txt", "one\n\ntwo");
	put(root, "b.txt", "");
	path = memory_format("%s/pipe", root);
	assert_int_equal(mkfifo(path, 0600), 0);
	holds(root, "same(pindrop.read('/a.txt'), 'one\\n\\ntwo')");
	holds(root, "same(pindrop.read('/b.txt'), '')");
	holds(root, "same(pindrop.read('/pipe'), '')");
	holds(root, "same(select(2, pindrop.read('/c.txt')), '/c.txt: No such file or directory')");
	holds(root, "same(select(2, pindrop.read('c.txt')), 'c.txt: No such file or directory')");
	holds(root, "same(select('#', pindrop.read('/')), 2)");
	holds(root, "same(pcall(pindrop.read, '/a.txt\\0x'), false)");
	holds(root, "same(pcall(pindrop.read), false)");
	holds(root, "local t = {} for line in pindrop.lines('/a.txt') do t[#t + 1] = line end same(table.concat(t, '|'), "
	            "'one||two')");
	holds(root, "for line in pindrop.lines('/b.txt') do error('a line') end");
	holds(root, "local good, words = pcall(pindrop.lines, '/c.txt') "
	            "same(words, 'cannot read /c.txt: No such file or directory')");
	holds(root, "same(table.concat(pindrop.glob('/*.txt'), ' '), '/a.txt /b.txt')");
	holds(root, "same(#pindrop.glob('/*.nothing'), 0)");
	holds("", "same(select(2, pindrop.read('/dev/zero')), '/dev/zero: holds more than 16 MiB')");
	holds("", "same(pindrop.read('/proc/self/comm'), 'test_script_cal\\n')");
	unlink(path);
	free(path);
	for (const char *name = "ab"; *name; name++) {
		path = memory_format("%s/%c.txt", root, *name);
		unlink(path);
		free(path);
	}
	rmdir(root);
}

static void commands_are_run_without_a_shell(void **state)
{
	(void)state;
	assert_non_null(freopen("/dev/zero", "r", stdin));
	holds("", "same(pindrop.run({'echo', '$HOME', ' a  b', 3}), '$HOME  a  b 3\\n')");
	holds("", "same(pindrop.run({'readlink', '/proc/self/fd/0'}), '/dev/null\\n')");
	holds("", "local t, words, status, out = pindrop.run({'sh', '-c', 'echo x; exit 3'}) same(t, nil) "
	          "same(words, 'sh ended with status 3') same(status, 3) same(out, 'x\\n')");
	holds("", "local t, words, status = pindrop.run({'sh', '-c', 'kill -9 $$'}) "
	          "same(words, 'sh was ended by signal 9 (Killed)') same(status, 137)");
	holds("", "local t, words = pindrop.run({'pindrop-is-no-command'}) "
	          "same(words, 'pindrop-is-no-command: No such file or directory')");
	holds("", "local t, words, status, out = pindrop.run({'sh', '-c', 'echo x; sleep 1000 & sleep 1000'}, {timeout = "
	          "'50ms'}) "
	          "same(words, 'sh took too long: ended after 0.05 s') same(out, 'x\\n')");
	holds("", "local t, words = pindrop.run({'sh', '-c', 'exec >&-; sleep 1000'}, {timeout = 0.05}) "
	          "same(words, 'sh took too long: ended after 0.05 s')");
	holds("", "local t, words = pindrop.run({'cat', '/dev/zero'}) same(words, 'cat printed more than 16 MiB: ended')");
	holds("", "same(#pindrop.run({'head', '-c', '1000000', '/dev/zero'}), 1000000)");
	holds("", "same(pcall(pindrop.run, 'echo x'), false)");
	holds("", "same(pcall(pindrop.run, {}), false)");
	holds("", "same(pcall(pindrop.run, {{}}), false)");
	holds("", "same(pcall(pindrop.run, {'echo', 'a\\0b'}), false)");
	holds("", "same(pcall(pindrop.run, {'true'}, {timeout = 'soon'}), false)");
	holds("", "same(pcall(pindrop.run, {'true'}, {time = 1}), false)");
	holds("", "same(pcall(pindrop.run, {'true'}, {timeout = -1}), false)");
}

static void json_is_read(void **state)
{
	(void)state;
	holds("", "local t = pindrop.json('{\"a\": [1, 2.5, \"x\", true, null, {}], \"b\": null}') same(t.a[1], 1) "
	          "same(t.a[2], 2.5) "
	          "same(t.a[3], 'x') same(t.a[4], true) same(t.a[5], nil) same(type(t.a[6]), 'table') same(t.b, nil) "
	          "same(math.type(t.a[1]), 'integer')");
	holds("", "same(pindrop.json('3'), 3)");
	holds("", "local t, words = pindrop.json('[1,\\n}') same(t, nil) same(words:match('^line 2: '), 'line 2: ')");
	holds("", "same(pindrop.json('\"a\\\\u0000b\"'), 'a\\0b')");
	holds("", "local t, words = pindrop.json(('['):rep(5000)) same(t, nil)");
	holds("", "same(type(pindrop.json(('['):rep(2000) .. (']'):rep(2000))), 'table')");
	holds("", "same(select('#', pindrop.get('unknown.now')) <= 1, true) same(pindrop.get('cpu.usage'), 12.5)");
	holds("", "pindrop.log('a', 3, nil, {}, 'two\\nlines')");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_is_taken),
		cmocka_unit_test(instances_are_taken),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(who_is_not_there_cannot_be_called),
		cmocka_unit_test(the_state_survives),
		cmocka_unit_test(functions_look_at_the_window),
		cmocka_unit_test(values_are_formatted),
		cmocka_unit_test(files_are_read_below_the_root),
		cmocka_unit_test(commands_are_run_without_a_shell),
		cmocka_unit_test(json_is_read),
	};

	return cmocka_run_group_tests_name("script calls", tests, NULL, NULL);
}
