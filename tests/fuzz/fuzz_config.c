/* links: agent/config/plan.c agent/config/share.c agent/config/values.c agent/config/aggregate.c agent/config/collector.c
 * agent/config/options.c agent/script/run.c agent/script/declare.c agent/script/library.c agent/script/command.c agent/base/command.c
 * agent/script/modules.c agent/script/window.c agent/script/state.c agent/script/trace.c agent/base/text.c
 * agent/base/memory.c agent/base/log.c agent/base/clock.c agent/base/error.c
 *
 * Any bytes as pindrop.lua, or, where they begin with "{", as the answer of the worker that ran it: they are an error in
 * words, or a plan that its own JSON makes again. Its functions are called, too. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "config/plan.h"
#include "script/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct pindrop_field cpu_fields[] = {{"usage", PINDROP_GAUGE, "percent", 1, "usage", ""},
                                                  {"user", PINDROP_COUNTER, "seconds", 2, NULL, ""}};
static const struct pindrop_field disk_fields[] = {{"used_percent", PINDROP_GAUGE, "percent", 0, NULL, ""}};
static const struct pindrop_option options[] = {
	{.name = "per_core", .type = PINDROP_BOOL, .preset = "false"},
	{.name = "exclude", .type = PINDROP_PATTERNS},
	{.name = "limit", .type = PINDROP_INTEGER, .preset = "5", .min = 1, .max = 10},
	{.name = "size", .type = PINDROP_SIZE, .preset = "1MB"},
	{.name = "text", .type = PINDROP_STRING, .preset = "x"},
	{.name = "wait", .type = PINDROP_DURATION, .preset = "1s"},
};
static const struct pindrop_family cpu_families[] = {
	{.name = "cpu", .fields = cpu_fields, .field_count = 2, .stat = "cpu_stat"},
	{.name = "cpu.core", .fields = cpu_fields, .field_count = 2, .instance = "core", .option = "per_core"},
};
static const struct pindrop_family disk_families[] = {
	{.name = "disk.space", .fields = disk_fields, .field_count = 1, .instance = "mount"}};
static const struct pindrop_plugin plugins[] = {
	{.name = "cpu", .options = options, .option_count = 1, .families = cpu_families, .family_count = 2},
	{.name = "memory", .options = options, .option_count = 6, .families = cpu_families, .family_count = 0},
	{.name = "disk", .options = options, .option_count = 6, .families = disk_families, .family_count = 1},
};

static void check(bool good)
{
	if (!good)
		abort();
}

static void find(void *context, const char *name, struct plan_found *found)
{
	(void)context;
	*found = (struct plan_found){.path = "/x.so", .missing = true};
	for (size_t i = 0; i < PINDROP_COUNT(plugins); i++)
		if (strcmp(plugins[i].name, name) == 0)
			found->table = &plugins[i];
	error_set(&found->error, "there is no such plugin");
}

static struct plan *read_answer(const json_t *answer)
{
	struct text_list mistakes = {0};
	struct plan *plan = plan_check(answer, "pindrop.lua", find, NULL, &mistakes);

	check(plan ? mistakes.count == 0 : mistakes.count > 0);
	text_list_release(&mistakes);
	return plan;
}

/* The plan, which its own JSON makes again; or NULL. */
static struct plan *make_plan(const json_t *answer)
{
	struct plan *plan = read_answer(answer), *again;
	json_t *json, *same;

	if (!plan)
		return NULL;
	json = plan_to_json(plan);
	again = read_answer(json);
	check(again != NULL);
	same = plan_to_json(again);
	check(json_equal(json, same));
	json_decref(json);
	json_decref(same);
	plan_release(again);
	return plan;
}

static double *add_row(void *context, const char *instance)
{
	double *row = context;

	check(strlen(instance) < 1000);
	for (size_t i = 0; i < 300; i++)
		row[i] = NAN;
	return row;
}

static void call_collector(struct script *script, const struct plan_plugin *plugin)
{
	const struct pindrop_family *family = plugin->table->families;
	const char *names[300];
	double row[300];
	const struct script_sink sink = {names, family->field_count, family->instance != NULL, add_row, row};
	struct error error;

	for (size_t i = 0; i < family->field_count; i++)
		names[i] = family->fields[i].name;
	script_sample(script, plugin->name, &sink, &error);
}

static void call_all(struct script *script, const struct plan *plan)
{
	static const double values[] = {1, 3, 2}, times[] = {1, 2, 3};
	const struct script_window window = {3, values, times, 60, 3, 1, 1, 3, 2, 6, 2, 1};

	for (size_t i = 0; i < plan->plugin_count && i < 4; i++)
		if (plan->plugins[i].collector)
			call_collector(script, &plan->plugins[i]);
	for (size_t i = 0; i < plan->aggregate_count && i < 4; i++) {
		double value = 1;
		char *text = NULL;
		struct error error;

		if (plan_is_asked(&plan->aggregates[i]))
			script_aggregate(script, plan->aggregates[i].name, &window, &value, &text, &error);
		free(text);
	}
}

static void read_lua(const char *text)
{
	static struct worker_page page;
	const struct script_setup setup = {
		.file = "pindrop.lua", .text = text, .limits = {CLOCK_SECOND / 10, 4000000}, .page = &page, .bare = true};
	struct error error = {""};
	struct script *script = script_new(&setup, &error);
	json_t *answer;
	struct plan *plan;

	if (!script) {
		check(strncmp(error.text, "pindrop.lua", strlen("pindrop.lua")) == 0 && !strchr(error.text, '\n'));
		return;
	}
	answer = script_declarations(script);
	plan = make_plan(answer);
	if (plan)
		call_all(script, plan);
	plan_release(plan);
	json_decref(answer);
	script_free(script);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	json_t *answer;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (text[0] != '{') {
		read_lua(text);
	} else if ((answer = json_loadb(text, size, 0, NULL))) {
		plan_release(make_plan(answer));
		json_decref(answer);
	}
	free(text);
	return 0;
}
