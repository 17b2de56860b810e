/* links: agent/config/plan.c agent/config/share.c agent/config/values.c agent/config/aggregate.c agent/config/collector.c
 * agent/config/options.c agent/base/text.c
 * agent/base/memory.c agent/base/log.c agent/base/clock.c agent/base/error.c */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "config/plan.h"

static const struct pindrop_field cpu_fields[] = {{"usage", PINDROP_GAUGE, "percent", 1, "usage", "…"},
                                                  {"user", PINDROP_COUNTER, "seconds", 2, NULL, "…"}};
static const struct pindrop_field space_fields[] = {{"used_percent", PINDROP_GAUGE, "percent", 0, NULL, "…"}};
static const struct pindrop_field vm_fields[] = {{"percent", PINDROP_GAUGE, "percent", 1, NULL, "…"}};

static const struct pindrop_option cpu_options[] = {{.name = "per_core", .type = PINDROP_BOOL, .preset = "false"}};
static const struct pindrop_option disk_options[] = {
	{.name = "exclude", .type = PINDROP_PATTERNS},
	{.name = "limit", .type = PINDROP_INTEGER, .preset = "5", .min = 1, .max = 10},
	{.name = "size", .type = PINDROP_SIZE, .preset = "1MB"},
	{.name = "text", .type = PINDROP_STRING, .preset = "x"},
};

static const struct pindrop_family cpu_families[] = {
	{.name = "cpu", .fields = cpu_fields, .field_count = 2},
	{.name = "cpu.core", .fields = cpu_fields, .field_count = 2, .instance = "core", .option = "per_core"},
};
static const struct pindrop_family memory_families[] = {{.name = "memory.vm", .fields = vm_fields, .field_count = 1}};
static const struct pindrop_family disk_families[] = {
	{.name = "disk.space", .fields = space_fields, .field_count = 1, .instance = "mount"}};

static const struct pindrop_plugin plugins[] = {
	{.name = "cpu", .options = cpu_options, .option_count = 1, .families = cpu_families, .family_count = 2},
	{.name = "memory", .families = memory_families, .family_count = 1},
	{.name = "disk", .options = disk_options, .option_count = 4, .families = disk_families, .family_count = 1},
	{.name = "old", .families = memory_families, .family_count = 1},
};

/* A plan_find. "bad" is there, but no good. */
static void find(void *context, const char *name, struct plan_found *found)
{
	(void)context;
	*found = (struct plan_found){.path = "/plugins/x.so"};
	for (size_t i = 0; i < PINDROP_COUNT(plugins); i++)
		if (strcmp(plugins[i].name, name) == 0)
			found->table = &plugins[i];
	found->missing = !found->table && strcmp(name, "bad") != 0;
	error_set(&found->error, found->missing ? "there is no such plugin" : "/plugins/bad.so: refused: it is bad");
}

static struct plan *check(const char *declarations, struct text_list *mistakes)
{
	char text[16384];
	json_t *answer;
	struct plan *plan;

	snprintf(text, sizeof(text), "{\"declarations\": [%s]}", declarations);
	answer = json_loads(text, 0, NULL);
	assert_non_null(answer);
	plan = plan_check(answer, "etc/pindrop.lua", find, NULL, mistakes);
	json_decref(answer);
	return plan;
}

static struct plan *good(const char *declarations)
{
	struct text_list mistakes = {0};
	struct plan *plan = check(declarations, &mistakes);

	for (size_t i = 0; i < mistakes.count; i++)
		print_error("%s\n", mistakes.texts[i]);
	assert_non_null(plan);
	assert_int_equal(mistakes.count, 0);
	return plan;
}

/* The declarations make exactly this mistake. */
static void wrong(const char *declarations, const char *text)
{
	struct text_list mistakes = {0};
	struct plan *plan = check(declarations, &mistakes);

	assert_null(plan);
	assert_int_equal(mistakes.count, 1);
	assert_string_equal(mistakes.texts[0], text);
	text_list_release(&mistakes);
}

/* Declarations, one behind the other. Valid until the next call. */
#define ALL(...) all((const char *const[]){__VA_ARGS__, NULL})
static const char *all(const char *const *declarations)
{
	static char text[8192];
	size_t length = 0;

	for (size_t i = 0; declarations[i]; i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%s", i ? "," : "", declarations[i]);
	assert_true(length < sizeof(text));
	return text;
}

#define DECLARE(what, line, value) "{\"declare\": \"" what "\", \"line\": " line ", \"value\": " value "}"
#define NAMED(what, name, line, value) \
	"{\"declare\": \"" what "\", \"name\": \"" name "\", \"line\": " line ", \"value\": " value "}"

static void nothing_said_is_a_working_agent(void **state)
{
	struct plan *plan = good("");

	(void)state;
	assert_string_equal(plan->listen_host, "127.0.0.1");
	assert_int_equal(plan->listen_port, 8080);
	assert_string_equal(plan->data_dir, "etc/data");
	assert_string_equal(plan->root, "");
	assert_true(plan->interval == CLOCK_SECOND && plan->flush == 10 * CLOCK_SECOND && plan->autostart);
	assert_true(plan->purge_after == 30 * 86400 && plan->purge_max_size == 1000000000);
	assert_int_equal(plan->tier_count, 3);
	assert_true(plan->tiers[2].step == 3600 && plan->tiers[2].keep == 2 * 365 * 86400);
	assert_int_equal(plan->plugin_count, 3);
	assert_int_equal(plan->family_count, 3); /* cpu.core is switched off */
	assert_int_equal(plan->aggregate_count, 6);
	assert_string_equal(plan->aggregates[1].name, "max_cpu_usage");
	assert_true(plan->aggregates[1].fn == PLAN_MAX && plan->aggregates[1].over == 0);
	assert_string_equal(plan->aggregates[1].format, "%.1f%%");
	plan_release(plan);
}

static void options_reach_their_places(void **state)
{
	struct plan *plan =
		good(ALL(DECLARE("agent", "1", "{\"listen\": \"[::1]:0\", \"interval\": \"10s\", \"data_dir\": \"/var/x/\"}"),
	             NAMED("plugin", "disk", "2", "{\"exclude\": [\"^/a\", \"b$\"], \"limit\": 7, \"size\": \"2kB\"}"),
	             NAMED("plugin", "cpu", "3", "{\"per_core\": true, \"interval\": 0.5}"),
	             NAMED("plugin", "disk", "4", "{\"limit\": 8}"), DECLARE("agent", "5", "{\"flush\": 60}")));
	const struct plan_plugin *disk = &plan->plugins[0], *cpu = &plan->plugins[1];

	(void)state;
	assert_string_equal(plan->listen_host, "::1");
	assert_int_equal(plan->listen_port, 0);
	assert_string_equal(plan->data_dir, "/var/x");
	assert_true(plan->flush == 60 * CLOCK_SECOND);
	assert_string_equal(disk->options[0].list[1], "b$");
	assert_null(disk->options[0].list[2]);
	assert_true(disk->options[1].number == 8); /* what comes later sets further keys */
	assert_true(disk->options[2].number == 2000);
	assert_string_equal(disk->options[3].text, "x");
	assert_true(disk->interval == 10 * CLOCK_SECOND && cpu->interval == CLOCK_SECOND / 2);
	assert_int_equal(disk->line, 2);
	assert_int_equal(plan->plugin_count, 2); /* who names plugins gets those */
	assert_int_equal(plan->family_count, 3);
	assert_int_equal(plan->aggregate_count, 3); /* the contract's, but for memory's */
	plan_release(plan);
}

/* Two of one name. */
#define TWO_OF_A                                                             \
	NAMED("aggregate", "a", "7", "{\"of\": \"cpu.usage\", \"fn\": \"max\"}") \
	"," NAMED("aggregate", "a", "8", "{\"of\": \"cpu.usage\", \"fn\": \"min\"}")

static void tells_each_mistake(void **state)
{
	static const struct {
		const char *declarations, *text;
	} cases[] = {
		{DECLARE("agent", "3", "{\"listn\": \"x\"}"),
	     "etc/pindrop.lua:3: agent: unknown option \"listn\" (did you mean \"listen\"?)"},
		{DECLARE("agent", "3", "{\"colour\": 1}"), "etc/pindrop.lua:3: agent: unknown option \"colour\""},
		{DECLARE("agent", "3", "{\"listen\": \"8080\"}"),
	     "etc/pindrop.lua:3: agent: \"listen\" must be an address and a port, as \"127.0.0.1:8080\" or \"[::1]:8080\", "
	     "not \"8080\""},
		{DECLARE("agent", "3", "{\"listen\": \"::1:80\"}"),
	     "etc/pindrop.lua:3: agent: \"listen\" must be an address and a port, as \"127.0.0.1:8080\" or \"[::1]:8080\", "
	     "not \"::1:80\""},
		{DECLARE("agent", "3", "{\"listen\": \"a:65536\"}"),
	     "etc/pindrop.lua:3: agent: \"listen\" must be an address and a port, as \"127.0.0.1:8080\" or \"[::1]:8080\", "
	     "not \"a:65536\""},
		{DECLARE("agent", "3", "{\"interval\": \"50ms\"}"),
	     "etc/pindrop.lua:3: agent: \"interval\" must lie between 100ms and 1d"},
		{DECLARE("agent", "3", "{\"interval\": 1.5}"),
	     "etc/pindrop.lua:3: agent: \"interval\" must be whole seconds, or less than one"},
		{DECLARE("agent", "3", "{\"autostart\": \"yes\"}"),
	     "etc/pindrop.lua:3: agent: \"autostart\" must be true or false, not \"yes\""},
		{DECLARE("agent", "3", "{\"flush\": {\"$type\": \"function\"}}"),
	     "etc/pindrop.lua:3: agent: \"flush\" must be a duration (seconds, or \"100ms\", \"10s\", \"5m\", \"1h\", "
	     "\"7d\", "
	     "\"2y\"), not a function"},
		{NAMED("plugin", "nfs", "9", "{}"), "etc/pindrop.lua:9: plugin \"nfs\": there is no such plugin"},
		{NAMED("plugin", "disk", "9", "{\"limit\": 11}"),
	     "etc/pindrop.lua:9: plugin \"disk\": \"limit\" must lie between 1 and 10"},
		{NAMED("plugin", "disk", "9", "{\"limit\": 1.5}"),
	     "etc/pindrop.lua:9: plugin \"disk\": \"limit\" must be a whole number, not 1.5"},
		{NAMED("plugin", "disk", "9", "{\"exclude\": [\"(\"]}"),
	     "etc/pindrop.lua:9: plugin \"disk\": \"exclude\": \"(\" is no POSIX extended regular expression: Unmatched ( "
	     "or "
	     "\\("},
		{DECLARE("retention", "4", "[]"),
	     "etc/pindrop.lua:4: retention: takes a list of 1 to 16 tiers: { step = \"1s\", keep = \"6h\" }, …"},
		{DECLARE("retention", "4", "[{\"step\": 60, \"keep\": 10}]"),
	     "etc/pindrop.lua:4: retention, tier 1: \"keep\" must be at least one \"step\""},
		{DECLARE("retention", "4", "[{\"step\": 60, \"keep\": \"1d\"}, {\"step\": 60, \"keep\": \"2d\"}]"),
	     "etc/pindrop.lua:4: retention, tier 2: must have a larger \"step\" than the tier before: finest first"},
		{DECLARE("retention", "4", "[{\"step\": 1, \"keep\": \"2y\"}]"),
	     "etc/pindrop.lua:4: retention, tier 1: has more than 10000000 rows; a larger \"step\" or a shorter \"keep\""},
		{NAMED("aggregate", "a", "7", "{\"of\": \"cpu.usag\", \"fn\": \"max\"}"),
	     "etc/pindrop.lua:7: aggregate \"a\": there is no metric \"cpu.usag\" (did you mean \"cpu.usage\"?)"},
		{NAMED("aggregate", "a", "7", "{\"of\": \"cpu.core.usage\", \"fn\": \"max\"}"),
	     "etc/pindrop.lua:7: aggregate \"a\": \"cpu.core.usage\" is switched off; set plugin \"cpu\" { per_core = true "
	     "}"},
		{NAMED("aggregate", "a", "7", "{\"of\": \"cpu.usage\", \"fn\": \"median\"}"),
	     "etc/pindrop.lua:7: aggregate \"a\": \"fn\": there is no \"median\"; there are min max avg sum last count "
	     "stddev eta, p50 … p99.9, or a function"},
		{NAMED("aggregate", "a", "7", "{\"of\": \"cpu.usage\", \"fn\": \"p100\"}"),
	     "etc/pindrop.lua:7: aggregate \"a\": \"fn\": there is no \"p100\"; there are min max avg sum last count "
	     "stddev eta, p50 … p99.9, or a function"},
		{NAMED("aggregate", "a", "7", "{\"of\": \"cpu.usage\", \"fn\": \"max\", \"over\": \"today\"}"),
	     "etc/pindrop.lua:7: aggregate \"a\": \"over\" must be \"service\" or a duration as \"24h\", not \"today\""},
		{NAMED("aggregate", "a", "7", "{\"of\": \"cpu.usage\", \"fn\": \"max\", \"instance\": \"0\"}"),
	     "etc/pindrop.lua:7: aggregate \"a\": cpu has no instances: leave \"instance\" out"},
		{NAMED("aggregate", "service_start_time", "7", "{\"of\": \"cpu.usage\", \"fn\": \"max\"}"),
	     "etc/pindrop.lua:7: aggregate \"service_start_time\": cannot have that name"},
		{TWO_OF_A, "etc/pindrop.lua:8: aggregate \"a\": there is one of that name already"},
		{NAMED("aggregate", "", "7", "{\"of\": \"cpu.usage\", \"fn\": \"max\"}"),
	     "etc/pindrop.lua:7: aggregate \"\": cannot have that name"},
		{NAMED("aggregate", "a", "7", "{\"of\": \"cpu\", \"fn\": \"max\"}"),
	     "etc/pindrop.lua:7: aggregate \"a\": there is no metric \"cpu\"; `pindrop describe` lists them"},
		{NAMED("aggregate", "a", "7", "{\"fn\": \"max\"}"),
	     "etc/pindrop.lua:7: aggregate \"a\": lacks \"of\": the metric, as \"cpu.usage\""},
		{NAMED("aggregate", "a", "7", "{\"of\": \"cpu.usage\", \"fn\": \"max\", \"over\": \"0.5s\"}"),
	     "etc/pindrop.lua:7: aggregate \"a\": \"over\" must lie between 1s and 10y"},
		{NAMED("aggregate", "a", "7", "{\"of\": \"cpu.usage\", \"fn\": 50}"),
	     "etc/pindrop.lua:7: aggregate \"a\": \"fn\" must be a text or a function, not 50"},
		{NAMED("aggregate", "a", "7", "{\"of\": \"cpu.usage\", \"fn\": \"max\", \"format\": \"%s\"}"),
	     "etc/pindrop.lua:7: aggregate \"a\": \"format\" must hold one number, as \"%.1f%%\", not \"%s\""},
		{NAMED("plugin", "cpu", "9", "{\"per_core\": 1}"),
	     "etc/pindrop.lua:9: plugin \"cpu\": \"per_core\" must be true or false, not 1"},
		{NAMED("plugin", "cpu", "9", "{\"interval\": \"1.5s\"}"),
	     "etc/pindrop.lua:9: plugin \"cpu\": \"interval\" must be whole seconds, or less than one"},
		{NAMED("plugin", "cpu", "9", "{\"interval\": \"2d\"}"),
	     "etc/pindrop.lua:9: plugin \"cpu\": \"interval\" must lie between 100ms and 1d"},
		{NAMED("plugin", "disk", "9", "{\"limit\": \"5\"}"),
	     "etc/pindrop.lua:9: plugin \"disk\": \"limit\" must be a whole number, not \"5\""},
		{NAMED("plugin", "disk", "9", "{\"size\": \"big\"}"),
	     "etc/pindrop.lua:9: plugin \"disk\": \"size\" must be a size (bytes, or \"500MB\", \"1GB\", \"64KiB\"), not "
	     "\"big\""},
		{NAMED("plugin", "disk", "9", "{\"text\": {}}"),
	     "etc/pindrop.lua:9: plugin \"disk\": \"text\" must be a text, not a table"},
		{NAMED("plugin", "disk", "9", "{\"exclude\": \"^/a\"}"),
	     "etc/pindrop.lua:9: plugin \"disk\": \"exclude\" must be a list of patterns, { \"…\", \"…\" }, not \"^/a\""},
		{NAMED("plugin", "disk", "9", "{\"exclude\": [\"a\", 3]}"),
	     "etc/pindrop.lua:9: plugin \"disk\": \"exclude\" must be a list of patterns, { \"…\", \"…\" }, not 3"},
		{NAMED("plugin", "disk", "9", "[1]"),
	     "etc/pindrop.lua:9: plugin \"disk\": takes a table with names, { name = value, … }, not a list"},
		{DECLARE("agent", "3", "{\"data_dir\": \"\"}"), "etc/pindrop.lua:3: agent: \"data_dir\" must name a folder"},
		{DECLARE("retention", "4", "{\"step\": 1}"),
	     "etc/pindrop.lua:4: retention: takes a list of 1 to 16 tiers: { step = \"1s\", keep = \"6h\" }, …"},
		{DECLARE("retention", "4", "[\"1s\"]"),
	     "etc/pindrop.lua:4: retention, tier 1: takes a table with names, { name = value, … }, not \"1s\""},
		{DECLARE("retention", "4", "[{\"step\": \"1s\"}]"),
	     "etc/pindrop.lua:4: retention, tier 1: \"keep\" must be at least one \"step\""},
		{DECLARE("purge", "8", "{\"max_size\": -1}"),
	     "etc/pindrop.lua:8: purge: \"max_size\" must lie between 0 and 1e+18"},
		{DECLARE("purge", "8", "3"), "etc/pindrop.lua:8: purge: takes a table with names, { name = value, … }, not 3"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		wrong(cases[i].declarations, cases[i].text);
}

#define FUNCTION "{\"$type\": \"function\"}"
#define COLLECTOR(name, line, rest) NAMED("collector", name, line, "{\"sample\": " FUNCTION ", " rest "}")
#define AGGREGATE(line, rest) NAMED("aggregate", "a", line, "{\"of\": \"cpu.usage\", " rest "}")
#define DEPTH "\"metrics\": [\"depth\"]"

/* Two of one name. */
#define TWO_COLLECTORS COLLECTOR("q", "7", DEPTH) "," COLLECTOR("q", "8", DEPTH)

static void tells_each_mistake_of_collectors(void **state)
{
	static const struct {
		const char *declarations, *text;
	} cases[] = {
		{NAMED("collector", "q", "8", "{" DEPTH "}"),
	     "etc/pindrop.lua:8: collector \"q\": lacks \"sample\": the function that measures"},
		{COLLECTOR("q", "8", "\"help\": \"x\""),
	     "etc/pindrop.lua:8: collector \"q\": lacks \"metrics\": what it measures, as { \"depth\" }"},
		{COLLECTOR("q", "8", "\"metrics\": {}"),
	     "etc/pindrop.lua:8: collector \"q\": lacks \"metrics\": what it measures, as { \"depth\" }"},
		{COLLECTOR("q", "8", "\"metrics\": 3"), "etc/pindrop.lua:8: collector \"q\": \"metrics\" must be a table of "
	                                            "metrics, { depth = { unit = \"jobs\" }, … } or "
	                                            "{ \"depth\", … }, not 3"},
		{COLLECTOR("q", "8", "\"metrics\": [1]"), "etc/pindrop.lua:8: collector \"q\": \"metrics\" is a list of names, "
	                                              "{ \"depth\", … }, or a table, { depth = { … "
	                                              "}, … }"},
		{COLLECTOR("q", "8", "\"metrics\": [\"a\", \"a\"]"),
	     "etc/pindrop.lua:8: collector \"q\": names the metric \"a\" twice"},
		{COLLECTOR("q", "8", "\"metrics\": [\"Depth\"]"), "etc/pindrop.lua:8: collector \"q\", metric \"Depth\": must "
	                                                      "have a name of small letters, digits and _, at most "
	                                                      "19"},
		{COLLECTOR("q", "8", "\"metrics\": [\"a2345678901234567890\"]"),
	     "etc/pindrop.lua:8: collector \"q\", metric \"a2345678901234567890\": must have a name of small letters, "
	     "digits "
	     "and _, at most 19"},
		{COLLECTOR("q", "8", "\"metrics\": {\"depth\": {\"kind\": \"guage\"}}"),
	     "etc/pindrop.lua:8: collector \"q\", metric \"depth\": there is no kind \"guage\" (did you mean \"gauge\"?)"},
		{COLLECTOR("q", "8", "\"metrics\": {\"depth\": {\"kind\": \"x\"}}"),
	     "etc/pindrop.lua:8: collector \"q\", metric \"depth\": \"kind\" must be \"gauge\" or \"counter\", not \"x\""},
		{COLLECTOR("q", "8", "\"metrics\": {\"depth\": {\"unti\": \"jobs\"}}"),
	     "etc/pindrop.lua:8: collector \"q\", metric \"depth\": unknown option \"unti\" (did you mean \"unit\"?)"},
		{COLLECTOR("q", "8", "\"metrics\": {\"depth\": {\"decimals\": 10}}"),
	     "etc/pindrop.lua:8: collector \"q\", metric \"depth\": \"decimals\" must lie between 0 and 9"},
		{COLLECTOR("q", "8", "\"metrics\": {\"depth\": 1}"),
	     "etc/pindrop.lua:8: collector \"q\", metric \"depth\": takes a table with names, { name = value, … }, not 1"},
		{COLLECTOR("q", "8", DEPTH ", \"intervall\": 1"),
	     "etc/pindrop.lua:8: collector \"q\": unknown option \"intervall\" (did you mean \"interval\"?)"},
		{NAMED("collector", "q", "8", "{\"sample\": \"f\", " DEPTH "}"),
	     "etc/pindrop.lua:8: collector \"q\": \"sample\" must be a function, not \"f\""},
		{COLLECTOR("Queue", "8", DEPTH),
	     "etc/pindrop.lua:8: collector \"Queue\": must have a name of small letters, digits "
	     "and _, at most 40"},
		{COLLECTOR("a.b", "8", DEPTH),
	     "etc/pindrop.lua:8: collector \"a.b\": must have a name of small letters, digits "
	     "and _, at most 40"},
		{COLLECTOR("q", "8", DEPTH ", \"timeout\": \"2h\""),
	     "etc/pindrop.lua:8: collector \"q\": \"timeout\" must lie between 10ms and 1h"},
		{COLLECTOR("q", "8", DEPTH ", \"memory\": \"1kB\""),
	     "etc/pindrop.lua:8: collector \"q\": \"memory\" must lie between 1000000 and 1e+10"},
		{COLLECTOR("q", "8", DEPTH ", \"interval\": 1.5"),
	     "etc/pindrop.lua:8: collector \"q\": \"interval\" must be whole seconds, or less than one"},
		{COLLECTOR("q", "8", DEPTH ", \"instance\": \"a disk\""),
	     "etc/pindrop.lua:8: collector \"q\": \"instance\" must be a word for one of them, as \"disk\", not \"a "
	     "disk\""},
		{COLLECTOR("q", "8", DEPTH ", \"instance\": \"depth\""),
	     "etc/pindrop.lua:8: collector \"q\": \"instance\" is called as its metric \"depth\""},
		{TWO_COLLECTORS, "etc/pindrop.lua:8: collector \"q\": there is one of that name already"},
		{COLLECTOR("cpu", "8", DEPTH),
	     "etc/pindrop.lua:8: collector \"cpu\": shadows the plugin \"cpu\": take another name"},
		{COLLECTOR("memory", "8", "\"metrics\": [\"vm\"]") "," NAMED("plugin", "cpu", "1",
	                                                                 "{}") "," NAMED("plugin", "old", "1", "{}"),
	     "etc/pindrop.lua:8: collector \"memory\": its metric \"vm\" shadows the family \"memory.vm\" of plugin "
	     "\"old\""},
		{COLLECTOR("memory_stat", "8", DEPTH),
	     "etc/pindrop.lua:8: collector \"memory_stat\": would take the place of \"memory_stat\" in /get_stats: take "
	     "another name"},
		{COLLECTOR("time", "8", DEPTH),
	     "etc/pindrop.lua:8: collector \"time\": would take the place of \"time\" in /get_stats: take another name"},
		{COLLECTOR("q", "8", DEPTH) ",{\"declare\": \"aggregate\", \"name\": \"a\", \"line\": 9, \"value\": {\"of\": "
	                                "\"q.dept\", \"fn\": \"max\"}}",
	     "etc/pindrop.lua:9: aggregate \"a\": there is no metric \"q.dept\" (did you mean \"q.depth\"?)"},
		{COLLECTOR("q", "8", DEPTH ", \"interval\": \"2s\"") "," DECLARE("retention", "9",
	                                                                     "[{\"step\": 10, \"keep\": "
	                                                                     "\"1h\"}]") "," DECLARE("agent", "9",
	                                                                                             "{\"interval\": 10}"),
	     "etc/pindrop.lua:8: collector \"q\": \"interval\" 2s is finer than the finest tier of retention, 10s: set "
	     "interval "
	     "= \"10s\", or begin retention with step = \"2s\""},
		{DECLARE("retention", "9", "[{\"step\": \"1m\", \"keep\": \"1h\"}]") "," DECLARE("agent", "3",
	                                                                                     "{\"interval\": 0.5}"),
	     "etc/pindrop.lua:9: retention: its finest tier, 1m, is coarser than agent.interval, 500ms: begin with step = "
	     "\"1s\", or set agent { interval = \"1m\" }"},
		{AGGREGATE("7", "\"fn\": \"eta\""),
	     "etc/pindrop.lua:7: aggregate \"a\": lacks \"to\": the value whose arrival is foreseen, as 100"},
		{AGGREGATE("7", "\"fn\": \"max\", \"to\": 1"),
	     "etc/pindrop.lua:7: aggregate \"a\": \"to\" belongs to fn = \"eta\""},
		{NAMED("aggregate", "a", "7", "{\"of\": \"disk.space.used_percent\", \"fn\": \"eta\", \"to\": 1}"),
	     "etc/pindrop.lua:7: aggregate \"a\": fn = \"eta\" looks at one series: name an \"instance\" of disk.space"},
		{AGGREGATE("7", "\"fn\": \"maxx\""),
	     "etc/pindrop.lua:7: aggregate \"a\": \"fn\": there is no \"maxx\" (did you mean \"max\"?)"},
		{AGGREGATE("7", "\"fn\": \"max\", \"format\": {}"),
	     "etc/pindrop.lua:7: aggregate \"a\": \"format\" must be a text or a function, not a table"},
		{DECLARE("limits", "3", "{\"memroy\": 1}"),
	     "etc/pindrop.lua:3: limits: unknown option \"memroy\" (did you mean \"memory\"?)"},
		{DECLARE("limits", "3", "{\"timeout\": 0}"),
	     "etc/pindrop.lua:3: limits: \"timeout\" must lie between 10ms and 1h"},
	};

	(void)state;
	for (size_t i = 0; i < PINDROP_COUNT(cases); i++)
		wrong(cases[i].declarations, cases[i].text);
}

static void collectors_become_plugins(void **state)
{
	struct plan *plan =
		good(ALL(DECLARE("limits", "1", "{\"memory\": \"32MB\"}"), DECLARE("agent", "2", "{\"interval\": \"30s\"}"),
	             COLLECTOR("queue", "3",
	                       "\"metrics\": {\"z\": {\"kind\": \"counter\", \"unit\": \"jobs\"}, \"a\": {\"decimals\": 0, "
	                       "\"help\": \"how deep\"}}, \"help\": \"the queue\", \"instance\": \"name\""),
	             COLLECTOR("quick", "4", "\"metrics\": [\"z\", \"a\"], \"interval\": 0.1"),
	             COLLECTOR("own", "5", DEPTH ", \"interval\": 5, \"timeout\": \"7s\", \"memory\": \"2MB\"")));
	const struct plan_plugin *queue = &plan->plugins[0], *quick = &plan->plugins[1], *own = &plan->plugins[2];
	const struct pindrop_family *family = queue->table->families;

	(void)state;
	assert_int_equal(plan->plugin_count, 6); /* and the default ones */
	assert_true(queue->collector && !plan->plugins[3].collector);
	assert_true(queue->interval == 30 * CLOCK_SECOND && queue->timeout == 10 * CLOCK_SECOND &&
	            queue->memory == 32000000);
	assert_true(quick->interval == CLOCK_SECOND / 10 && quick->timeout == CLOCK_SECOND);
	assert_true(own->timeout == 7 * CLOCK_SECOND && own->memory == 2000000);
	assert_int_equal(queue->line, 3);
	assert_int_equal(plan_find_family(plan, "queue"), 0);
	assert_string_equal(family->name, "queue");
	assert_string_equal(family->stat, "queue");
	assert_string_equal(family->stat_name, "name");
	assert_string_equal(family->help, "the queue");
	assert_int_equal(family->shape, PINDROP_LIST);
	assert_false(family->never_blocks);
	assert_int_equal(family->field_count, 2);
	assert_string_equal(family->fields[0].name, "a"); /* in the order of names */
	assert_int_equal(family->fields[0].kind, PINDROP_GAUGE);
	assert_int_equal(family->fields[0].decimals, 0);
	assert_string_equal(family->fields[0].help, "how deep");
	assert_string_equal(family->fields[1].stat, "z");
	assert_string_equal(family->fields[1].unit, "jobs");
	assert_int_equal(family->fields[1].kind, PINDROP_COUNTER);
	assert_int_equal(family->fields[1].decimals, 3);
	assert_null(quick->table->families[0].instance);
	assert_string_equal(quick->table->families[0].fields[0].name, "a");
	assert_true(plan->limit_timeout == CLOCK_SECOND && plan->limit_memory == 32000000);
	assert_non_null(plan->script);
	plan_release(plan);
	/* limits.timeout is for those that set none. */
	plan = good(ALL(DECLARE("limits", "1", "{\"timeout\": \"3s\"}"), COLLECTOR("q", "2", DEPTH),
	                COLLECTOR("p", "2", DEPTH ", \"timeout\": 1")));
	assert_true(plan->limit_timeout == 3 * CLOCK_SECOND && plan->limit_memory == 64000000);
	assert_true(plan->plugins[0].timeout == 3 * CLOCK_SECOND && plan->plugins[1].timeout == CLOCK_SECOND);
	plan_release(plan);
}

static void functions_want_the_script(void **state)
{
	static const char *const without[] = {"", NAMED("aggregate", "a", "7", "{\"of\": \"cpu.usage\", \"fn\": \"max\"}")};
	static const char *const with[] = {AGGREGATE("7", "\"fn\": " FUNCTION),
	                                   AGGREGATE("7", "\"fn\": \"max\", \"format\": " FUNCTION),
	                                   AGGREGATE("7", "\"fn\": \"eta\", \"to\": 5, \"format\": " FUNCTION),
	                                   COLLECTOR("q", "7", DEPTH)};
	struct text_list mistakes = {0};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < PINDROP_COUNT(without) + PINDROP_COUNT(with); i++) {
		bool called = i >= PINDROP_COUNT(without);
		json_t *answer;
		struct plan *plan;

		snprintf(text, sizeof(text),
		         "{\"declarations\": [%s], \"script\": \"x = 1\", \"digest\": \"1f\", \"modules\": [\"/a.lua\", "
		         "\"/b.lua\"]}",
		         called ? with[i - PINDROP_COUNT(without)] : without[i]);
		answer = json_loads(text, 0, NULL);
		plan = plan_check(answer, "etc/pindrop.lua", find, NULL, &mistakes);
		assert_non_null(plan);
		assert_int_equal(plan->script != NULL, called);
		assert_string_equal(plan->script ? plan->script : "x = 1", "x = 1");
		assert_string_equal(plan->digest, "1f");
		assert_int_equal(plan->module_count, 2);
		assert_string_equal(plan->modules[1], "/b.lua");
		plan_release(plan);
		json_decref(answer);
	}
}

static void functions_and_eta_reach_their_places(void **state)
{
	struct plan *plan =
		good(ALL(AGGREGATE("7", "\"fn\": " FUNCTION ", \"over\": \"1h\""),
	             NAMED("aggregate", "full", "8",
	                   "{\"of\": \"disk.space.used_percent\", \"instance\": \"/\", \"fn\": \"eta\", \"to\": 100, "
	                   "\"over\": \"7d\", \"format\": " FUNCTION "}")));
	const struct plan_aggregate *function = &plan->aggregates[0], *eta = &plan->aggregates[1];

	(void)state;
	assert_int_equal(function->fn, PLAN_FUNCTION);
	assert_string_equal(function->fn_name, "function");
	assert_true(plan_is_asked(function) && !function->formatted && !function->format);
	assert_true(function->over == 3600 * CLOCK_SECOND);
	assert_int_equal(eta->fn, PLAN_ETA);
	assert_true(eta->to == 100 && eta->formatted && !eta->format && plan_is_asked(eta));
	plan_release(plan);
}

static void formats_hold_one_number(void **state)
{
	static const char *const fine[] = {"%.1f%%", "%f", "%5.2e B", "%g", "%-10.3f", "%%%f"};
	static const char *const bad[] = {"%d",   "%s",    "%n",     "%f %f", "none", "%",
	                                  "%.f%", "%100f", "%.100f", "%*f",   "%lf",  "%%f"};
	char declaration[256];

	(void)state;
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
		snprintf(declaration, sizeof(declaration),
		         NAMED("aggregate", "a", "1", "{\"of\": \"cpu.usage\", \"fn\": \"avg\", \"format\": \"%s\"}"), fine[i]);
		plan_release(good(declaration));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct text_list mistakes = {0};

		snprintf(declaration, sizeof(declaration),
		         NAMED("aggregate", "a", "1", "{\"of\": \"cpu.usage\", \"fn\": \"avg\", \"format\": \"%s\"}"), bad[i]);
		if (check(declaration, &mistakes))
			fail_msg("%s is no format for one number", bad[i]);
		assert_int_equal(mistakes.count, 1);
		text_list_release(&mistakes);
	}
}

static void all_mistakes_come_at_once_in_order(void **state)
{
	static const char *const texts[] = {
		"etc/pindrop.lua:1: plugin \"disk\": unknown option \"exlude\" (did you mean \"exclude\"?)",
		"etc/pindrop.lua:1: plugin \"disk\": \"limit\" must lie between 1 and 10",
		"etc/pindrop.lua:2: aggregate \"a\": lacks \"fn\": min max avg sum last count stddev eta, p50 … p99.9, or a "
		"function",
		"etc/pindrop.lua:2: aggregate \"a\": there is no metric \"cpu.x\"; `pindrop describe` lists them",
		"etc/pindrop.lua:5: agent: unknown option \"a\"",
		"etc/pindrop.lua:5: agent: \"flush\" must be a duration (seconds, or \"100ms\", \"10s\", \"5m\", \"1h\", "
		"\"7d\", "
		"\"2y\"), not \"soon\"",
		"etc/pindrop.lua:6: retention, tier 1: \"step\" must be whole seconds, at least 1",
		"etc/pindrop.lua:7: plugin \"nfs\": there is no such plugin",
	};
	struct text_list mistakes = {0};

	(void)state;
	assert_null(
		check(ALL(NAMED("aggregate", "a", "2", "{\"of\": \"cpu.x\"}"),
	              DECLARE("retention", "6", "[{\"step\": 1.5, \"keep\": 60}]"),
	              DECLARE("agent", "5", "{\"flush\": \"soon\", \"a\": 1}"), NAMED("plugin", "cpu", "8", "{}"),
	              NAMED("plugin", "disk", "1", "{\"exlude\": [], \"limit\": 0}"), NAMED("plugin", "nfs", "7", "{}")),
	          &mistakes));
	for (size_t i = 0; i < mistakes.count && i < PINDROP_COUNT(texts); i++)
		assert_string_equal(mistakes.texts[i], texts[i]);
	assert_int_equal(mistakes.count, PINDROP_COUNT(texts));
	text_list_release(&mistakes);
	assert_int_equal(mistakes.count, 0);
}

/* What Lua itself found wrong is handed on as it is. */
static void an_error_of_the_file_is_the_only_one(void **state)
{
	json_t *answer = json_pack("{ss}", "error", "pindrop.lua:3: unexpected symbol");
	struct text_list mistakes = {0};

	(void)state;
	assert_null(plan_check(answer, "pindrop.lua", find, NULL, &mistakes));
	assert_int_equal(mistakes.count, 1);
	assert_string_equal(mistakes.texts[0], "pindrop.lua:3: unexpected symbol");
	text_list_release(&mistakes);
	json_decref(answer);
}

static void listens_where_it_is_told(void **state)
{
	static const struct {
		const char *listen, *host;
		uint16_t port;
	} fine[] = {
		{"127.0.0.1:8080", "127.0.0.1", 8080}, {"0.0.0.0:1", "0.0.0.0", 1}, {"localhost:0", "localhost", 0},
		{"[::1]:65535", "::1", 65535},         {"[::]:80", "::", 80},       {"[fe80::1%eth0]:80", "fe80::1%eth0", 80}};
	static const char *const bad[] = {"",        ":",      "8080",  "localhost", ":8080",   "localhost:",
	                                  "a:65536", "a:-1",   "a:+1",  "a: 1",      "a:80 ",   "a:0x50",
	                                  "a:8o",    "::1:80", "[::1]", "[]:80",     "[::1:80", "a:99999999999999999999",
	                                  "a:b:80",  "[::1]80"};
	char declaration[256];

	(void)state;
	for (size_t i = 0; i < PINDROP_COUNT(fine); i++) {
		struct plan *plan;

		snprintf(declaration, sizeof(declaration), DECLARE("agent", "1", "{\"listen\": \"%s\"}"), fine[i].listen);
		plan = good(declaration);
		assert_string_equal(plan->listen_host, fine[i].host);
		assert_int_equal(plan->listen_port, fine[i].port);
		plan_release(plan);
	}
	for (size_t i = 0; i < PINDROP_COUNT(bad); i++) {
		char text[256];

		snprintf(declaration, sizeof(declaration), DECLARE("agent", "1", "{\"listen\": \"%s\"}"), bad[i]);
		snprintf(text, sizeof(text),
		         "etc/pindrop.lua:1: agent: \"listen\" must be an address and a port, as \"127.0.0.1:8080\" or "
		         "\"[::1]:8080\", not \"%s\"",
		         bad[i]);
		wrong(declaration, text);
	}
}

static void quantiles_lie_between_0_and_100(void **state)
{
	static const struct {
		const char *name;
		double quantile;
	} fine[] = {{"p50", 0.5}, {"p99.9", 0.999}, {"p1", 0.01}, {"p0.1", 0.001}, {"p95", 0.95}};
	static const char *const bad[] = {"p0",  "p100", "p",     "p-1",  "p+1", "p101", "pinf",    "pnan", "p50x",
	                                  "P50", "p 50", "p0x10", "p1e1", "p.5", "50",   "maximum", ""};
	char declaration[256];

	(void)state;
	for (size_t i = 0; i < PINDROP_COUNT(fine); i++) {
		struct plan *plan;

		snprintf(declaration, sizeof(declaration),
		         NAMED("aggregate", "a", "1", "{\"of\": \"cpu.usage\", \"fn\": \"%s\"}"), fine[i].name);
		plan = good(declaration);
		assert_int_equal(plan->aggregates[0].fn, PLAN_QUANTILE);
		assert_string_equal(plan->aggregates[0].fn_name, fine[i].name);
		assert_true(fabs(plan->aggregates[0].quantile - fine[i].quantile) < 1e-12);
		plan_release(plan);
	}
	for (size_t i = 0; i < PINDROP_COUNT(bad); i++) {
		struct text_list mistakes = {0};

		snprintf(declaration, sizeof(declaration),
		         NAMED("aggregate", "a", "1", "{\"of\": \"cpu.usage\", \"fn\": \"%s\"}"), bad[i]);
		if (check(declaration, &mistakes))
			fail_msg("\"%s\" is no quantile", bad[i]);
		assert_int_equal(mistakes.count, 1);
		assert_non_null(strstr(mistakes.texts[0], "\"fn\": there is no"));
		text_list_release(&mistakes);
	}
}

static void each_function_has_its_name(void **state)
{
	static const char *const names[] = {
		[PLAN_MIN] = "min",   [PLAN_MAX] = "max",     [PLAN_AVG] = "avg",      [PLAN_SUM] = "sum",
		[PLAN_LAST] = "last", [PLAN_COUNT] = "count", [PLAN_STDDEV] = "stddev"};
	char declaration[256];

	(void)state;
	for (size_t i = 0; i < PINDROP_COUNT(names); i++) {
		struct plan *plan;

		snprintf(declaration, sizeof(declaration),
		         NAMED("aggregate", "a", "1",
		               "{\"of\": \"disk.space.used_percent\", \"fn\": \"%s\", \"instance\": \"/\"}"),
		         names[i]);
		plan = good(declaration);
		assert_int_equal(plan->aggregates[0].fn, i);
		assert_string_equal(plan->aggregates[0].instance, "/");
		assert_string_equal(plan->families[plan->aggregates[0].family].table->name, "disk.space");
		plan_release(plan);
	}
}

/* Relative to the file, wherever the agent was started; never with a slash at the end. */
static void paths_are_relative_to_the_file(void **state)
{
	static const struct {
		const char *file, *data_dir, *root, *expected_data, *expected_root;
	} cases[] = {
		{"pindrop.lua", "data", "/", "data", ""},
		{"./pindrop.lua", "data/", "/host/", "./data", "/host"},
		{"/etc/pindrop/pindrop.lua", "../x", "tree//", "/etc/pindrop/../x", "/etc/pindrop/tree"},
		{"/pindrop.lua", "data", "//", "/data", ""},
		{"a/b.lua", "/var/lib/pindrop///", "/", "/var/lib/pindrop", ""},
	};

	(void)state;
	for (size_t i = 0; i < PINDROP_COUNT(cases); i++) {
		json_t *answer = json_pack("{s[{sssis{ssss}}]}", "declarations", "declare", "agent", "line", 1, "value",
		                           "data_dir", cases[i].data_dir, "root", cases[i].root);
		struct text_list mistakes = {0};
		struct plan *plan = plan_check(answer, cases[i].file, find, NULL, &mistakes);

		assert_non_null(plan);
		assert_string_equal(plan->data_dir, cases[i].expected_data);
		assert_string_equal(plan->root, cases[i].expected_root);
		assert_string_equal(plan->file, cases[i].file);
		plan_release(plan);
		json_decref(answer);
	}
}

static void nothing_to_sample_is_a_mistake(void **state)
{
	(void)state;
	wrong(NAMED("plugin", "bad", "4", "{}"),
	      "etc/pindrop.lua: plugins: there is nothing to sample: no plugin was loaded");
}

static void what_a_refused_plugin_would_have_is_left_out(void **state)
{
	struct plan *plan =
		good(ALL(NAMED("plugin", "bad", "1", "{\"anything\": 1}"), NAMED("plugin", "cpu", "2", "{}"),
	             NAMED("aggregate", "gone", "3", "{\"of\": \"bad.value\", \"fn\": \"max\"}"),
	             NAMED("aggregate", "here", "4", "{\"of\": \"cpu.usage\", \"fn\": \"p99.9\", \"over\": \"24h\"}")));

	(void)state;
	assert_int_equal(plan->plugin_count, 1);
	assert_int_equal(plan->aggregate_count, 1);
	assert_string_equal(plan->aggregates[0].name, "here");
	assert_true(plan->aggregates[0].fn == PLAN_QUANTILE);
	assert_true(plan->aggregates[0].quantile > 0.9989 && plan->aggregates[0].quantile < 0.9991);
	assert_true(plan->aggregates[0].over == 86400 * CLOCK_SECOND);
	plan_release(plan);
}

/* The plan of these declarations, as JSON, is read again to a plan that gives the same JSON. */
static void comes_back(const char *declarations)
{
	struct plan *plan = good(declarations), *again;
	json_t *json = plan_to_json(plan), *again_json;
	struct text_list mistakes = {0};

	again = plan_check(json, "etc/pindrop.lua", find, NULL, &mistakes);
	assert_non_null(again);
	again_json = plan_to_json(again);
	assert_true(json_equal(json, again_json));
	assert_int_equal(again->limit_timeout, plan->limit_timeout);
	assert_int_equal(again->limit_memory, plan->limit_memory);
	assert_int_equal(again->interval, plan->interval);
	assert_int_equal(again->plugin_count, plan->plugin_count);
	assert_int_equal(again->family_count, plan->family_count);
	assert_int_equal(again->aggregate_count, plan->aggregate_count);
	for (size_t i = 0; i < plan->plugin_count; i++) {
		assert_string_equal(again->plugins[i].name, plan->plugins[i].name);
		assert_int_equal(again->plugins[i].interval, plan->plugins[i].interval);
		assert_int_equal(again->plugins[i].collector, plan->plugins[i].collector);
		assert_int_equal(again->plugins[i].timeout, plan->plugins[i].timeout);
		assert_int_equal(again->plugins[i].memory, plan->plugins[i].memory);
		if (plan->plugins[i].collector)
			assert_true(plan_same_family(again->plugins[i].table->families, plan->plugins[i].table->families));
	}
	for (size_t i = 0; i < plan->aggregate_count; i++) {
		assert_string_equal(again->aggregates[i].name, plan->aggregates[i].name);
		assert_int_equal(again->aggregates[i].over, plan->aggregates[i].over);
		assert_int_equal(again->aggregates[i].fn, plan->aggregates[i].fn);
		assert_int_equal(again->aggregates[i].formatted, plan->aggregates[i].formatted);
		assert_true(again->aggregates[i].to == plan->aggregates[i].to || plan->aggregates[i].fn != PLAN_ETA);
	}
	json_decref(json);
	json_decref(again_json);
	plan_release(plan);
	plan_release(again);
}

static void json_makes_the_same_plan(void **state)
{
	struct plan *plan = good("");
	json_t *json = plan_to_json(plan);
	const char *interval = NULL;

	(void)state;
	/* Durations as people write them. */
	assert_int_equal(json_unpack(json, "{s[{s{ss}}]}", "declarations", "value", "interval", &interval), 0);
	assert_string_equal(interval, "1s");
	json_decref(json);
	plan_release(plan);
	comes_back("");
	comes_back(ALL(
		DECLARE("agent", "1", "{\"interval\": \"0.2s\", \"listen\": \"[::1]:1\", \"autostart\": false, \"flush\": 90}"),
		NAMED("plugin", "disk", "2", "{\"exclude\": [\"^/a\\\\.b\", \"\\\"\"], \"interval\": \"5s\", \"size\": 1.5}"),
		NAMED("plugin", "cpu", "3", "{\"per_core\": true}"),
		DECLARE("retention", "4", "[{\"step\": 1, \"keep\": \"1h\"}, {\"step\": \"7m\", \"keep\": \"2y\"}]"),
		DECLARE("purge", "4", "{\"after\": \"36h\", \"max_size\": \"1GiB\"}"),
		NAMED("aggregate", "a", "5",
	          "{\"of\": \"cpu.core.usage\", \"instance\": \"0\", \"fn\": \"max\", \"over\": \"90s\"}"),
		DECLARE("limits", "5", "{\"timeout\": \"2s\", \"memory\": \"5MB\"}"),
		COLLECTOR("q", "5", "\"instance\": \"disk\", \"metrics\": {\"b\": {\"kind\": \"counter\"}, \"a\": {}}"),
		COLLECTOR("r", "5", DEPTH ", \"interval\": \"5s\", \"timeout\": \"10ms\", \"memory\": \"1MB\""),
		NAMED("aggregate", "f", "5", "{\"of\": \"q.b\", \"fn\": " FUNCTION ", \"format\": " FUNCTION "}"),
		NAMED("aggregate", "g", "5", "{\"of\": \"r.depth\", \"fn\": \"eta\", \"to\": -1.5}"),
		NAMED("aggregate", "é", "6", "{\"of\": \"cpu.user\", \"fn\": \"p99.9\", \"format\": \"%.2f µs\"}")));
}

static void steps_are_multiples_of_the_interval(void **state)
{
	const struct plan_tier minute = {60, 3600};

	(void)state;
	assert_int_equal(plan_base_step(CLOCK_SECOND / 5), 1);
	assert_int_equal(plan_base_step(7 * CLOCK_SECOND), 7);
	assert_int_equal(plan_tier_step(&minute, 7 * CLOCK_SECOND), 63);
	assert_int_equal(plan_tier_step(&minute, 120 * CLOCK_SECOND), 120);
	assert_int_equal(plan_tier_step(&minute, CLOCK_SECOND / 5), 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_said_is_a_working_agent),
		cmocka_unit_test(options_reach_their_places),
		cmocka_unit_test(tells_each_mistake),
		cmocka_unit_test(tells_each_mistake_of_collectors),
		cmocka_unit_test(collectors_become_plugins),
		cmocka_unit_test(functions_want_the_script),
		cmocka_unit_test(functions_and_eta_reach_their_places),
		cmocka_unit_test(formats_hold_one_number),
		cmocka_unit_test(all_mistakes_come_at_once_in_order),
		cmocka_unit_test(an_error_of_the_file_is_the_only_one),
		cmocka_unit_test(listens_where_it_is_told),
		cmocka_unit_test(quantiles_lie_between_0_and_100),
		cmocka_unit_test(each_function_has_its_name),
		cmocka_unit_test(paths_are_relative_to_the_file),
		cmocka_unit_test(nothing_to_sample_is_a_mistake),
		cmocka_unit_test(what_a_refused_plugin_would_have_is_left_out),
		cmocka_unit_test(json_makes_the_same_plan),
		cmocka_unit_test(steps_are_multiples_of_the_interval),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
