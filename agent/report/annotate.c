/* report/annotate.c: `pindrop describe --lua`, annotations for editors with lua-language-server (LuaCATS).
 *
 * From the same tables as everything else. A word that takes a name first, plugin "cpu" { … }, is a function that returns
 * a function: an overload for each plugin lets the editor complete the options of that plugin. */
#include <string.h>

#include "config/options.h"
#include "report/report.h"
#include "script/library.h"

/* Of the union of texts that `fn` may be. */
#define CHOICE(name, fn, note) "---| \"" name "\"" note "\n"
#define CHOICES AGGREGATE_FUNCTIONS(CHOICE)

static const char head[] =
	"---@meta\n"
	"-- What pindrop.lua may say, for editors with lua-language-server: completion, types, and help.\n"
	"-- Made by `pindrop describe --lua` from the agent's own tables; with plugins of your own, make one for "
	"yourself.\n"
	"-- luacheck: ignore\n"
	"\n"
	"---@alias pindrop.duration number|string # seconds, or \"100ms\" \"10s\" \"5m\" \"1h\" \"7d\" \"2y\"\n"
	"---@alias pindrop.size number|string # bytes, or \"64kB\" \"500MB\" \"1GB\" \"64KiB\"\n"
	"---@alias pindrop.over pindrop.duration|\"service\"\n"
	"---@alias pindrop.fn\n" CHOICES "---| \"p50\"\n---| \"p90\"\n---| \"p95\"\n---| \"p99\"\n---| \"p99.9\"\n"
	"---| fun(w: pindrop.window): number|boolean|nil\n"
	"---@alias pindrop.format string|fun(value: number): string|number|nil\n"
	"---@alias pindrop.row table<string, number|boolean>\n"
	"---@alias pindrop.metrics string[]|table<string, pindrop.metric>\n"
	"\n";

/* Options whose type is narrower than that of their row. */
static const struct {
	const struct pindrop_option *row;
	const char *type;
} narrower[] = {
	{&aggregate_options[AGGREGATE_OF], "pindrop.metric_name"},
	{&aggregate_options[AGGREGATE_FN], "pindrop.fn"},
	{&aggregate_options[AGGREGATE_OVER], "pindrop.over"},
	{&aggregate_options[AGGREGATE_FORMAT], "pindrop.format"},
	{&collector_options[COLLECTOR_SAMPLE], "fun(): pindrop.row|table<string|integer, pindrop.row>"},
	{&metric_options[METRIC_KIND], "\"gauge\"|\"counter\""},
};

static const char *type_of(const struct pindrop_option *option)
{
	static const char *const types[] = {
		[PINDROP_BOOL] = "boolean",      [PINDROP_INTEGER] = "integer",
		[PINDROP_NUMBER] = "number",     [PINDROP_DURATION] = "pindrop.duration",
		[PINDROP_SIZE] = "pindrop.size", [PINDROP_STRING] = "string",
		[PINDROP_STRINGS] = "string[]",  [PINDROP_PATTERNS] = "string[]",
	};

	for (size_t i = 0; i < PINDROP_COUNT(narrower); i++)
		if (narrower[i].row == option)
			return narrower[i].type;
	return option->type == OPTION_METRICS ? "pindrop.metrics" : types[option->type];
}

/* What must not be left out. */
static bool is_needed(const struct pindrop_option *option)
{
	return option == &aggregate_options[AGGREGATE_OF] || option == &aggregate_options[AGGREGATE_FN] ||
	       option == &collector_options[COLLECTOR_METRICS] || option == &collector_options[COLLECTOR_SAMPLE] ||
	       option == &tier_options[TIER_STEP] || option == &tier_options[TIER_KEEP];
}

static void print_options(const struct pindrop_option *options, size_t count, FILE *out)
{
	for (size_t i = 0; i < count; i++) {
		const struct pindrop_option *option = &options[i];
		bool preset = option->preset && *option->preset && strcmp(option->preset, "nan") != 0;

		fprintf(out, "---@field %s%s %s # %s", option->name, is_needed(option) ? "" : "?", type_of(option),
		        option->help);
		if (preset)
			fprintf(out, "; default %s", option->preset);
		fputc('\n', out);
	}
}

static void print_class(const char *name, const struct pindrop_option *options, size_t count, FILE *out)
{
	fprintf(out, "---@class (exact) pindrop.%s\n", name);
	print_options(options, count, out);
	fputc('\n', out);
}

/* agent { … } */
static void print_word(const char *word, const char *type, const char *help, FILE *out)
{
	fprintf(out, "---%s\n---@param options %s\nfunction %s(options) end\n\n", help, type, word);
}

static void print_groups(FILE *out)
{
	print_class("agent", agent_options, AGENT_OPTIONS, out);
	print_word("agent", "pindrop.agent", "The agent itself.", out);
	print_class("tier", tier_options, TIER_OPTIONS, out);
	print_word("retention", "pindrop.tier[]", "How long rows are kept: a list of tiers, finest first.", out);
	print_class("purge", purge_options, PURGE_OPTIONS, out);
	print_word("purge", "pindrop.purge", "When history goes.", out);
	print_class("store", store_options, STORE_OPTIONS, out);
	print_word("store", "pindrop.store", "How history is written.", out);
	print_class("limits", limits_options, LIMITS_OPTIONS, out);
	print_word("limits", "pindrop.limits", "What functions may use.", out);
}

static void print_plugins(const struct pindrop_plugin *const *plugins, size_t count, FILE *out)
{
	fputs("---@class pindrop.plugin\n", out);
	print_options(plugin_options, PLUGIN_OPTIONS, out);
	for (size_t i = 0; i < count; i++) {
		fprintf(out, "\n---%s\n---@class (exact) pindrop.plugin.%s\n", plugins[i]->help, plugins[i]->name);
		print_options(plugin_options, PLUGIN_OPTIONS, out);
		print_options(plugins[i]->options, plugins[i]->option_count, out);
	}
	fputs("\n---Loads a plugin, and sets its options.\n", out);
	for (size_t i = 0; i < count; i++)
		fprintf(out, "---@overload fun(name: \"%s\"): fun(options: pindrop.plugin.%s)\n", plugins[i]->name,
		        plugins[i]->name);
	fputs("---@param name string\n---@return fun(options: pindrop.plugin)\nfunction plugin(name) end\n\n", out);
}

/* The metrics that there are without collectors: more may be typed. */
static void print_metrics(const struct pindrop_plugin *const *plugins, size_t count, FILE *out)
{
	fputs("---@alias pindrop.metric_name string\n", out);
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < plugins[i]->family_count; k++)
			for (size_t m = 0; m < plugins[i]->families[k].field_count; m++)
				fprintf(out, "---| \"%s.%s\" # %s\n", plugins[i]->families[k].name,
				        plugins[i]->families[k].fields[m].name, plugins[i]->families[k].fields[m].help);
	fputc('\n', out);
}

static void print_named(FILE *out)
{
	print_class("aggregate", aggregate_options, AGGREGATE_OPTIONS, out);
	fputs("---One number about the past, in past_stat.\n---@param name string\n"
	      "---@return fun(options: pindrop.aggregate)\nfunction aggregate(name) end\n\n",
	      out);
	print_class("metric", metric_options, METRIC_OPTIONS, out);
	print_class("collector", collector_options, COLLECTOR_OPTIONS, out);
	fputs("---Measures with a function; NAME.METRIC is a metric like any other.\n---@param name string\n"
	      "---@return fun(options: pindrop.collector)\nfunction collector(name) end\n\n",
	      out);
}

/* The parameters of a row, "path: string, timeout?: number", as annotations and as names. */
static void print_function(const char *prefix, const struct library_row *row, FILE *out)
{
	char takes[256], names[256] = "", *rest = takes, *parameter;

	fprintf(out, "---%s\n", row->help);
	snprintf(takes, sizeof(takes), "%s", row->takes);
	while ((parameter = strsep(&rest, ",")) && *parameter) {
		char *type = strchr(parameter, ':');

		parameter += strspn(parameter, " ");
		*type = '\0';
		fprintf(out, "---@param %s%s\n", parameter, type + 1);
		if (parameter[strlen(parameter) - 1] == '?')
			parameter[strlen(parameter) - 1] = '\0';
		strcat(strcat(names, *names ? ", " : ""), parameter);
	}
	if (*row->returns)
		fprintf(out, "---@return %s\n", row->returns);
	fprintf(out, "function %s%s(%s) end\n\n", prefix, row->name, names);
}

static void print_offers(FILE *out)
{
	fputs("---What the function of an aggregate looks at.\n---@class pindrop.window\n", out);
	for (size_t i = 0; i < window_field_count; i++)
		fprintf(out, "---@field %s %s # %s\n", window_fields[i].name, window_fields[i].returns, window_fields[i].help);
	fputs("local window = {}\n\n", out);
	for (size_t i = 0; i < window_row_count; i++)
		print_function("window:", &window_rows[i], out);
	fputs("---@class (exact) pindrop.run_options\n---@field timeout? pindrop.duration # default: what is left of the "
	      "call's time\n\n---What functions are offered beside Lua's own.\npindrop = {}\n\n",
	      out);
	for (size_t i = 0; i < library_row_count; i++)
		print_function("pindrop.", &library_rows[i], out);
}

void report_annotate(const struct pindrop_plugin *const *plugins, size_t count, FILE *out)
{
	fputs(head, out);
	print_metrics(plugins, count, out);
	print_groups(out);
	print_plugins(plugins, count, out);
	print_named(out);
	print_offers(out);
}
