/* links: agent/report/graph.c agent/store/layout.c agent/metric/gap.c agent/config/plan.c agent/config/share.c agent/config/values.c
 * agent/config/aggregate.c agent/config/collector.c agent/config/options.c agent/base/text.c agent/base/memory.c
 * agent/base/log.c agent/base/clock.c agent/base/error.c
 *
 * A chart as words for rrdtool, and as a line for sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "report/graph.h"

#define NOON INT64_C(1700000000) /* s */
#define AT(seconds) ((NOON + (seconds)) * CLOCK_SECOND)

enum { USAGE, USER, IDLE };
static const struct pindrop_field cpu_fields[] = {
	[USAGE] = {"usage", PINDROP_GAUGE, "percent", 1, NULL, "…"},
	[USER] = {"user", PINDROP_COUNTER, "seconds", 2, NULL, "…"},
	[IDLE] = {"idle", PINDROP_COUNTER, "seconds", 2, NULL, "…"},
};
static const struct pindrop_family cpu = {.name = "cpu", .help = "all of it", .fields = cpu_fields, .field_count = 3};

static const struct pindrop_field io_fields[] = {
	{"read_bytes", PINDROP_COUNTER, "bytes", 0, NULL, "…"},
	{"write_bytes", PINDROP_COUNTER, "bytes", 0, NULL, "…"},
	{"read_count", PINDROP_COUNTER, "", 0, NULL, "…"},
	{"level", PINDROP_GAUGE, "bytes", 0, NULL, "…"},
};
static const struct pindrop_family io = {
	.name = "disk.io", .help = "reads and writes", .fields = io_fields, .field_count = 4, .instance = "disk"};

static const struct graph_line of_cpu[] = {{"/d/cpu.rrd", "", &cpu_fields[USAGE]}};
static const struct graph_line of_sda[] = {{"/d/disk/io/sda.rrd", "sda", &io_fields[0]},
                                           {"/d/disk/io/sda.rrd", "sda", &io_fields[1]}};

/* The last hour of the processor, in points of 4 s. */
static struct graph cpu_graph(void)
{
	return (struct graph){.family = &cpu,
	                      .instance = "",
	                      .file = "-",
	                      .line_count = 1,
	                      .lines = of_cpu,
	                      .from = NOON - 3600,
	                      .to = NOON,
	                      .row = 1,
	                      .step = 4,
	                      .interval = CLOCK_SECOND,
	                      .width = 800,
	                      .height = 240};
}

static struct graph io_graph(void)
{
	struct graph graph = cpu_graph();

	graph.family = &io;
	graph.instance = "sda";
	graph.lines = of_sda;
	graph.line_count = 2;
	return graph;
}

/* Its words, a line each. For free(). */
static char *compose(const struct graph *graph)
{
	struct text_list words = {0};
	char *text = memory_text("");

	graph_compose(graph, &words);
	for (size_t i = 0; i < words.count; i++) {
		char *longer = memory_format("%s%s\n", text, words.texts[i]);

		free(text);
		text = longer;
	}
	text_list_release(&words);
	return text;
}

static void assert_words(const struct graph *graph, const char *expected)
{
	char *text = compose(graph);

	assert_string_equal(text, expected);
	free(text);
}

/* One of its words is exactly that. */
static bool has_word(const struct graph *graph, const char *word)
{
	struct text_list words = {0};
	bool there = false;

	graph_compose(graph, &words);
	for (size_t i = 0; i < words.count; i++)
		there = there || strcmp(words.texts[i], word) == 0;
	text_list_release(&words);
	return there;
}

/* One of its words has that in it. */
static bool mentions(const struct graph *graph, const char *part)
{
	char *text = compose(graph);
	bool there = strstr(text, part) != NULL;

	free(text);
	return there;
}

#define LIGHT                                                                                          \
	"--border\n0\n--disable-rrdtool-tag\n--font\nDEFAULT:8:Sans\n--font\nTITLE:9:Sans\n"               \
	"--font\nLEGEND:8:Monospace\n--color\nBACK#FFFFFF\n--color\nCANVAS#FFFFFF\n--color\nFONT#333333\n" \
	"--color\nAXIS#999999\n--color\nGRID#EEEEEE\n--color\nMGRID#DDDDDD\n--color\nFRAME#FFFFFF00\n"     \
	"--color\nARROW#FFFFFF00\n--color\nSHADEA#FFFFFF\n--color\nSHADEB#FFFFFF\n"

static void the_processor(void **state)
{
	const struct graph graph = cpu_graph();

	(void)state;
	assert_words(&graph, "rrdtool\ngraph\n-\n--imgformat\nPNG\n--start\n1699996400\n--end\n1700000000\n"
	                     "--width\n800\n--height\n240\n--full-size-mode\n--slope-mode\n--title\ncpu: all of it\n"
	                     "--vertical-label\npercent\n--lower-limit\n0\n--upper-limit\n100\n--rigid\n" LIGHT
	                     "DEF:avg0=/d/cpu.rrd:usage:AVERAGE\n"
	                     "DEF:min0=/d/cpu.rrd:usage:MIN\n"
	                     "DEF:max0=/d/cpu.rrd:usage:MAX\n"
	                     "CDEF:spread0=max0,min0,-\n"
	                     "AREA:min0\n"
	                     "AREA:spread0#0072B230::STACK\n"
	                     "COMMENT:         \n"
	                     "COMMENT:      min\nCOMMENT:      avg\nCOMMENT:      max\nCOMMENT:     last\\l\n"
	                     "LINE1:avg0#0072B2:legend=usage  \n"
	                     "VDEF:least0=min0,MINIMUM\nVDEF:mean0=avg0,AVERAGE\n"
	                     "VDEF:most0=max0,MAXIMUM\nVDEF:last0=avg0,LAST\n"
	                     "GPRINT:least0:%7.1lf %%\nGPRINT:mean0:%7.1lf %%\nGPRINT:most0:%7.1lf %%\n"
	                     "GPRINT:last0:%7.1lf %%\\l\n");
}

static void a_disk(void **state)
{
	const struct gap gaps[] = {
		{GAP_AGENT_DOWN, NULL, NULL, NULL, AT(-7200), AT(-3000), NULL},
		{GAP_STOPPED, NULL, NULL, NULL, AT(-2000), AT(-1900), NULL},
		{GAP_STOPPED, NULL, NULL, NULL, AT(-1000), AT(-970), NULL},
	};
	struct graph graph = io_graph();

	(void)state;
	graph.gaps = gaps;
	graph.gap_count = 3;
	graph.step = 1;
	graph.rrdcached = "unix:/run/c.sock";
	assert_words(&graph,
	             "rrdtool\ngraph\n-\n--imgformat\nPNG\n--daemon\nunix:/run/c.sock\n"
	             "--start\n1699996400\n--end\n1700000000\n"
	             "--width\n800\n--height\n240\n--full-size-mode\n--slope-mode\n"
	             "--title\ndisk.io of sda: reads and writes\n--vertical-label\nbytes/s\n"
	             "--lower-limit\n0\n--alt-autoscale-max\n" LIGHT "DEF:avg0=/d/disk/io/sda.rrd:read_bytes:AVERAGE\n"
	             "DEF:avg1=/d/disk/io/sda.rrd:write_bytes:AVERAGE\n"
	             "CDEF:gap_stopped=avg0,POP,TIME,1699998000,GT,TIME,1699998101,LT,*,"
	             "TIME,1699999000,GT,TIME,1699999031,LT,*,+,INF,UNKN,IF\n"
	             "AREA:gap_stopped#DCE6EF\n"
	             "CDEF:gap_agent_down=avg0,POP,TIME,1699996400,GT,TIME,1699997001,LT,*,INF,UNKN,IF\n"
	             "AREA:gap_agent_down#E6E6E6\n"
	             "COMMENT:               \n"
	             "COMMENT:      min\nCOMMENT:      avg\nCOMMENT:      max\nCOMMENT:     last\\l\n"
	             "LINE1:avg0#0072B2:legend=read_bytes   \n"
	             "VDEF:least0=avg0,MINIMUM\nVDEF:mean0=avg0,AVERAGE\nVDEF:most0=avg0,MAXIMUM\nVDEF:last0=avg0,LAST\n"
	             "GPRINT:least0:%7.2lf %s\nGPRINT:mean0:%7.2lf %s\nGPRINT:most0:%7.2lf %s\nGPRINT:last0:%7.2lf %s\\l\n"
	             "LINE1:avg1#D55E00:legend=write_bytes  \n"
	             "VDEF:least1=avg1,MINIMUM\nVDEF:mean1=avg1,AVERAGE\nVDEF:most1=avg1,MAXIMUM\nVDEF:last1=avg1,LAST\n"
	             "GPRINT:least1:%7.2lf %s\nGPRINT:mean1:%7.2lf %s\nGPRINT:most1:%7.2lf %s\nGPRINT:last1:%7.2lf %s\\l\n"
	             "CDEF:nowhere=avg0,POP,UNKN\n"
	             "AREA:nowhere#DCE6EF:legend=sampling was stopped (2 times, 2.17 min)\\l\n"
	             "AREA:nowhere#E6E6E6:legend=the agent was not running (10 min)\\l\n");
}

static void no_gap_that_is_no_hole(void **state)
{
	const struct gap gaps[] = {
		{GAP_LATE, "cpu", NULL, NULL, AT(-100), AT(-99), NULL},
		{GAP_ERROR, "cpu", NULL, NULL, AT(-200), AT(-200) + CLOCK_SECOND / 2, NULL},
		{GAP_STOPPED, NULL, NULL, NULL, AT(-9000), AT(-8000), NULL},
		{GAP_STOPPED, NULL, NULL, NULL, AT(0), AT(8000), NULL},
		{GAP_STOPPED, NULL, NULL, NULL, AT(-4000), AT(-3600), NULL},
	};
	struct graph graph = cpu_graph();

	(void)state;
	graph.gaps = gaps;
	graph.gap_count = 5;
	assert_false(mentions(&graph, "gap_"));
}

static void the_longest_of_many_gaps(void **state)
{
	struct gap gaps[GRAPH_GAPS_MAX + 20];
	struct graph graph = cpu_graph();

	(void)state;
	for (size_t i = 0; i < GRAPH_GAPS_MAX + 20; i++)
		gaps[i] = (struct gap){GAP_LATE, NULL, NULL, NULL, AT(-3500 + 40 * (int)i), AT(-3500 + 40 * (int)i + 2), NULL};
	gaps[GRAPH_GAPS_MAX + 19].to += 7 * CLOCK_SECOND;
	graph.gaps = gaps;
	graph.gap_count = GRAPH_GAPS_MAX + 20;
	assert_true(mentions(&graph, "the machine was too busy (60 times, 2.12 min)"));
	assert_true(mentions(&graph, "TIME,1699999660,GT,TIME,1699999673,LT"));
}

static void strange_names(void **state)
{
	static const struct graph_line lines[] = {
		{"/a:b\\c/x%3A.rrd", "a:b 'q\" %s $(x) `y`", &io_fields[0]},
		{"/2", "\x01\n\t\x7f\xff\xc3(\xc2\x80|", &io_fields[0]},
		{"/3", "ends\\", &io_fields[0]},
		{"/4", "skipscale", &io_fields[0]},
		{"/5", "STACK=color=#fff", &io_fields[0]},
		{"/6", "größer", &io_fields[0]},
	};
	struct graph graph = io_graph();

	(void)state;
	graph.instance = NULL;
	graph.lines = lines;
	graph.line_count = 6;
	graph.height = 400;
	assert_true(has_word(&graph, "DEF:avg0=/a\\:b\\c/x%3A.rrd:read_bytes:AVERAGE"));
	assert_true(has_word(&graph, "LINE1:avg0#0072B2:legend=a\\:b 'q\" %s $(x) `y`  "));
	assert_true(has_word(&graph, "LINE1:avg1#D55E00:legend=?????\?(?|            "));
	assert_true(has_word(&graph, "LINE1:avg2#009E73:legend=ends\\                "));
	assert_true(has_word(&graph, "LINE1:avg3#CC79A7:legend=skipscale            "));
	assert_true(has_word(&graph, "LINE1:avg4#E69F00:legend=STACK=color=#fff     "));
	assert_true(has_word(&graph, "LINE1:avg5#56B4E9:legend=größer               "));
	graph.instance = "tit:le \\ %s\n<b>\xff";
	assert_true(has_word(&graph, "disk.io of tit:le \\ %s?<b>?: reads and writes"));
}

static void names_that_are_too_long(void **state)
{
	struct graph_line line = {"/x", NULL, &io_fields[0]};
	struct graph graph = io_graph();
	char *name = memory_alloc(10001);

	(void)state;
	memset(name, 'x', 10000);
	line.instance = graph.instance = name;
	graph.lines = &line;
	graph.line_count = 1;
	assert_true(mentions(&graph, "--title\ndisk.io of xxx"));
	assert_true(mentions(&graph, "xxx…\n--vertical-label"));
	graph.instance = NULL;
	assert_true(has_word(&graph, "LINE1:avg0#0072B2:legend=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…  "));
	free(name);
}

/* Lines of one family: a table, names alone, or nothing, as there is room. */
static void legends(void **state)
{
	struct graph_line lines[GRAPH_LINES_MAX];
	struct graph graph = io_graph();

	(void)state;
	for (size_t i = 0; i < GRAPH_LINES_MAX; i++)
		lines[i] = (struct graph_line){"/x", "sda", &io_fields[i % 2]};
	graph.instance = NULL;
	graph.lines = lines;
	graph.line_count = GRAPH_LINES_MAX;
	graph.left_out = 7;
	graph.height = 800;
	assert_true(has_word(&graph, "LINE1:avg23#F0E442:legend=sda write_bytes  :dashes=2,2"));
	assert_true(has_word(&graph, "LINE1:avg9#D55E00:legend=sda write_bytes  :dashes=6,2"));
	assert_true(has_word(&graph, "COMMENT:… and 7 more\\l"));
	assert_true(mentions(&graph, "GPRINT:"));
	assert_false(mentions(&graph, "spread"));
	assert_true(has_word(&graph, "VDEF:least23=min23,MINIMUM"));
	graph.height = 240;
	assert_true(mentions(&graph, "legend=sda write_bytes"));
	assert_false(mentions(&graph, "GPRINT:"));
	graph.height = 100;
	assert_false(mentions(&graph, "legend="));
	assert_true(has_word(&graph, "--no-legend"));
	assert_false(has_word(&graph, "--vertical-label"));
}

static void units_that_differ(void **state)
{
	static const struct graph_line lines[] = {{"/c", "", &cpu_fields[USAGE]}, {"/c", "", &cpu_fields[IDLE]}};
	static const struct graph_line counts[] = {{"/c", "", &io_fields[2]}};
	struct graph graph = cpu_graph();

	(void)state;
	graph.lines = lines;
	graph.line_count = 2;
	assert_true(has_word(&graph, "LINE1:avg0#0072B2:legend=usage, percent   "));
	assert_true(has_word(&graph, "LINE1:avg1#D55E00:legend=idle, seconds/s  "));
	assert_false(mentions(&graph, "--vertical-label"));
	assert_false(mentions(&graph, "--rigid"));
	assert_true(has_word(&graph, "--alt-autoscale"));
	graph.lines = counts;
	graph.line_count = 1;
	assert_true(mentions(&graph, "--vertical-label\n1/s\n"));
}

static void what_it_looks_like(void **state)
{
	struct graph graph = cpu_graph();

	(void)state;
	graph.dark = graph.svg = true;
	assert_true(mentions(&graph, "--imgformat\nSVG\n"));
	assert_true(has_word(&graph, "BACK#14171A"));
	assert_false(mentions(&graph, "BACK#FFFFFF"));
}

static void headlines(void **state)
{
	static const struct pindrop_family two = {.fields = io_fields + 2, .field_count = 2};
	bool chosen[4];

	(void)state;
	graph_headline(&cpu, chosen);
	assert_true(chosen[USAGE] && !chosen[USER] && !chosen[IDLE]);
	graph_headline(&io, chosen);
	assert_true(chosen[0] && chosen[1] && !chosen[2] && !chosen[3]);
	graph_headline(&two, chosen);
	assert_true(chosen[0] && !chosen[1]);
}

/* As rrdtool chooses rows: see rrd_fetch.c. */
static void rows_and_points(void **state)
{
	static const struct plan_tier tiers[] = {{1, 21600}, {60, 1209600}, {3600, 63072000}};
	static const struct plan_plugin plugin = {.interval = CLOCK_SECOND};
	static const struct plan_family family = {&cpu, &plugin};
	static const struct plan plan = {.tier_count = 3, .tiers = tiers, .family_count = 1, .families = &family};
	static const struct {
		int64_t back;
		unsigned width;
		int64_t row, step;
	} cases[] = {
		{60, 800, 1, 1},
		{3600, 800, 1, 4},
		{3600, 200, 1, 18},
		{21600, 800, 1, 27},
		{21600, 600, 60, 60},
		{21601, 800, 60, 60},
		{86400, 800, 60, 120},
		{86400 * 14 - 60, 800, 60, 1560},
		{86400 * 15, 800, 3600, 3600},
		{86400 * 700, 800, 3600, 75600},
		{86400 * 7000, 800, 3600, 756000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct graph graph = {.from = NOON - cases[i].back, .to = NOON, .width = cases[i].width};

		graph_resolve(&graph, &plan, 0, NOON);
		assert_int_equal(graph.row, cases[i].row);
		assert_int_equal(graph.step, cases[i].step);
	}
}

/* --- the line for sh -------------------------------------------------------------------------------------------- */

/* What sh makes of a line: its words, each ended by a NUL. For free(). */
static char *ask_sh(const char *line, size_t *length)
{
	static const char function[] = "rrdtool() { printf '%s\\0' rrdtool \"$@\"; }\n";
	char name[] = "/tmp/test_graph.XXXXXX", *command, *text = memory_alloc(1 << 20);
	int fd = mkstemp(name);
	FILE *in;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, function, strlen(function)), strlen(function));
	assert_int_equal(write(fd, line, strlen(line)), strlen(line));
	close(fd);
	command = memory_format("sh -eu %s", name);
	in = popen(command, "r");
	assert_non_null(in);
	*length = fread(text, 1, (1 << 20) - 1, in);
	assert_int_equal(pclose(in), 0);
	unlink(name);
	free(command);
	return text;
}

static void assert_survives(struct text_list *words)
{
	char *line = graph_quote(words), *text, *at;
	size_t length;

	at = text = ask_sh(line, &length);
	for (size_t i = 0; i < words->count; i++) {
		assert_true(at < text + length);
		assert_string_equal(at, words->texts[i]);
		at += strlen(at) + 1;
	}
	assert_true(at == text + length);
	free(text);
	free(line);
}

static void sh_gives_the_words_back(void **state)
{
	static const char *const strange[] = {"rrdtool", "",      "a b",   "'",  "''x'", "\\",    "a\\",
	                                      "$HOME",   "`id`",  "$(id)", "\"", "#x",   "~",     "*",
	                                      "\n",      "a\nb",  "!x",    "-",  "--",   "{a,b}", "\xff",
	                                      "größe",   "x;y&z", "<x>|y", "%s", "[a]",  "\t"};
	struct text_list words = {0};
	struct graph graph = io_graph();

	(void)state;
	for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++)
		text_list_add(&words, memory_text(strange[i]));
	assert_survives(&words);
	text_list_release(&words);
	graph.file = "it's a file.png";
	graph.instance = "a:b 'q' \"$HOME\" `id` \\";
	graph_compose(&graph, &words);
	assert_survives(&words);
	text_list_release(&words);
}

static void a_line_reads_well(void **state)
{
	const struct graph graph = cpu_graph();
	struct text_list words = {0};
	char *line;

	(void)state;
	graph_compose(&graph, &words);
	line = graph_quote(&words);
	assert_int_equal(strncmp(line, "rrdtool graph - --imgformat PNG --start", 39), 0);
	assert_non_null(strstr(line, " \\\n  DEF:avg0=/d/cpu.rrd:usage:AVERAGE"));
	assert_non_null(strstr(line, "--title 'cpu: all of it'"));
	assert_int_equal(line[strlen(line) - 1], '\n');
	for (char *at = strtok(line, "\n"); at; at = strtok(NULL, "\n"))
		assert_true(strlen(at) <= 130);
	free(line);
	text_list_release(&words);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_processor),
		cmocka_unit_test(a_disk),
		cmocka_unit_test(no_gap_that_is_no_hole),
		cmocka_unit_test(the_longest_of_many_gaps),
		cmocka_unit_test(strange_names),
		cmocka_unit_test(names_that_are_too_long),
		cmocka_unit_test(legends),
		cmocka_unit_test(units_that_differ),
		cmocka_unit_test(what_it_looks_like),
		cmocka_unit_test(headlines),
		cmocka_unit_test(rows_and_points),
		cmocka_unit_test(sh_gives_the_words_back),
		cmocka_unit_test(a_line_reads_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
