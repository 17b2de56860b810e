/* config/plan.c: from what pindrop.lua declared to a plan.
 *
 * The answer of the Lua worker, and what plan_to_json() writes, is
 *
 *     {"declarations": [{"declare": "plugin", "name": "disk", "line": 12, "value": {"interval": "5s"}}, …]}
 *
 * with "script", "digest" and "modules" beside it (script/script.h), or {"error": "pindrop.lua:3: …"}. Order does not matter but for aggregates, which keep it. A declaration that comes
 * again sets further keys; an aggregate's name must be new. */
#include "config/plan.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/draft.h"
#include "config/options.h"

#define TIERS_MAX 16
#define TIER_ROWS_MAX 10000000

/* --- the draft ---------------------------------------------------------------------------------------------- */

void *draft_keep(struct draft *draft, void *block)
{
	struct plan_memory *memory = draft->memory;

	memory->blocks = memory_resize(memory->blocks, memory->block_count + 1, sizeof(*memory->blocks));
	return memory->blocks[memory->block_count++] = block;
}

bool draft_mistake(struct draft *draft, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	draft->mistakes = memory_resize(draft->mistakes, draft->mistake_count + 1, sizeof(*draft->mistakes));
	draft->mistakes[draft->mistake_count].line = draft->line;
	draft->mistakes[draft->mistake_count++].text =
		draft->line ? memory_format("%s:%d: %s: %s", draft->file, draft->line, draft->subject, text)
					: memory_format("%s: %s: %s", draft->file, draft->subject, text);
	return false;
}

void draft_look_at(struct draft *draft, int line, const char *what, const char *name)
{
	draft->line = line;
	if (name)
		snprintf(draft->subject, sizeof(draft->subject), "%s \"%s\"", what, name);
	else
		snprintf(draft->subject, sizeof(draft->subject), "%s", what);
}

static void *keep_array(struct draft *draft, size_t count, size_t size)
{
	return draft_keep(draft, memory_array(count, size));
}

bool draft_check_interval(struct draft *draft, double seconds)
{
	return seconds < 1 || seconds == floor(seconds) ||
	       draft_mistake(draft, "\"interval\" must be whole seconds, or less than one");
}

static int64_t nanoseconds(double seconds)
{
	return llround(seconds * (double)CLOCK_SECOND);
}

/* --- agent, purge and store ---------------------------------------------------------------------------------------- */

/* A path that stands in the file is relative to the file's folder. Without a slash at its end. A kept text. */
static const char *resolve(struct draft *draft, const char *path)
{
	const char *slash = strrchr(draft->file, '/');
	char *full = path[0] == '/' || !slash ? memory_text(path)
	                                      : memory_format("%.*s/%s", (int)(slash - draft->file), draft->file, path);
	size_t length = strlen(full);

	while (length > 0 && full[length - 1] == '/')
		full[--length] = '\0';
	return draft_keep(draft, full);
}

/* "127.0.0.1:8080", "[::1]:8080", "localhost:0". */
static void read_listen(struct draft *draft, const char *listen)
{
	const char *colon = strrchr(listen, ':'), *from = listen, *to = colon;
	char *rest = NULL;
	unsigned long port = colon ? strtoul(colon + 1, &rest, 10) : 0;

	if (colon && listen[0] == '[' && colon[-1] == ']')
		from++, to--;
	if (!colon || from >= to || colon[1] < '0' || colon[1] > '9' || *rest || port > UINT16_MAX ||
	    (from == listen && memchr(from, ':', (size_t)(to - from)))) {
		draft_mistake(draft,
		              "\"listen\" must be an address and a port, as \"127.0.0.1:8080\" or \"[::1]:8080\", not \"%s\"",
		              listen);
		return;
	}
	draft->plan->listen_host = draft_keep(draft, memory_format("%.*s", (int)(to - from), from));
	draft->plan->listen_port = (uint16_t)port;
}

static void read_agent(struct draft *draft, const json_t *value)
{
	union pindrop_value *values = draft->memory->agent;

	draft_look_at(draft, draft->line, "agent", NULL);
	values_read(draft, value, agent_options, AGENT_OPTIONS, values);
	draft_check_interval(draft, values[AGENT_INTERVAL].number);
	read_listen(draft, values[AGENT_LISTEN].text);
	if (!*values[AGENT_DATA_DIR].text)
		draft_mistake(draft, "\"data_dir\" must name a folder");
}

static void take_agent(struct draft *draft)
{
	const union pindrop_value *values = draft->memory->agent;
	struct plan *plan = draft->plan;

	plan->data_dir = resolve(draft, values[AGENT_DATA_DIR].text);
	plan->root = resolve(draft, values[AGENT_ROOT].text);
	plan->interval = nanoseconds(values[AGENT_INTERVAL].number);
	plan->flush = nanoseconds(values[AGENT_FLUSH].number);
	plan->autostart = values[AGENT_AUTOSTART].flag;
	plan->purge_after = (int64_t)draft->memory->purge[PURGE_AFTER].number;
	plan->purge_max_size = (int64_t)draft->memory->purge[PURGE_MAX_SIZE].number;
	plan->rrdcached = draft->memory->store[STORE_RRDCACHED].text;
	plan->journal_size = (int64_t)draft->memory->store[STORE_JOURNAL].number;
}

static void read_purge(struct draft *draft, const json_t *value)
{
	draft_look_at(draft, draft->line, "purge", NULL);
	values_read(draft, value, purge_options, PURGE_OPTIONS, draft->memory->purge);
}

static void read_store(struct draft *draft, const json_t *value)
{
	const char *address;

	draft_look_at(draft, draft->line, "store", NULL);
	values_read(draft, value, store_options, STORE_OPTIONS, draft->memory->store);
	address = draft->memory->store[STORE_RRDCACHED].text;
	/* It must see the same files, by the same paths. */
	if (address && strncmp(address, "unix:/", 6) != 0 && address[0] != '/')
		draft_mistake(draft, "\"rrdcached\" must be a socket of this machine, as \"unix:/run/rrdcached.sock\"");
}

static void read_limits(struct draft *draft, const json_t *value)
{
	draft_look_at(draft, draft->line, "limits", NULL);
	values_read(draft, value, limits_options, LIMITS_OPTIONS, draft->memory->limits);
}

/* --- retention ---------------------------------------------------------------------------------------------- */

static void check_tier(struct draft *draft, const struct plan_tier *tiers, size_t index, double step)
{
	const struct plan_tier *tier = &tiers[index];

	if (tier->step < 1 || step != floor(step))
		draft_mistake(draft, "\"step\" must be whole seconds, at least 1");
	else if (tier->keep < tier->step)
		draft_mistake(draft, "\"keep\" must be at least one \"step\"");
	else if (tier->keep / tier->step > TIER_ROWS_MAX)
		draft_mistake(draft, "has more than %d rows; a larger \"step\" or a shorter \"keep\"", TIER_ROWS_MAX);
	if (index > 0 && tier->step <= tiers[index - 1].step)
		draft_mistake(draft, "must have a larger \"step\" than the tier before: finest first");
}

static void read_retention(struct draft *draft, const json_t *value)
{
	size_t count = json_array_size(value), told = draft->mistake_count;
	struct plan_tier *tiers = keep_array(draft, count, sizeof(*tiers));

	draft_look_at(draft, draft->line, "retention", NULL);
	if (count == 0 || count > TIERS_MAX) {
		draft_mistake(draft, "takes a list of 1 to %d tiers: { step = \"1s\", keep = \"6h\" }, …", TIERS_MAX);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		union pindrop_value values[TIER_OPTIONS] = {{0}};

		snprintf(draft->subject, sizeof(draft->subject), "retention, tier %zu", i + 1);
		if (!values_read(draft, json_array_get(value, i), tier_options, TIER_OPTIONS, values))
			continue;
		tiers[i] = (struct plan_tier){(int64_t)values[TIER_STEP].number, (int64_t)values[TIER_KEEP].number};
		check_tier(draft, tiers, i, values[TIER_STEP].number);
	}
	draft->plan->tiers = tiers;
	draft->plan->tier_count = count;
	draft->retention_line = draft->line;
	draft->bad_tiers = draft->mistake_count > told;
}

static const struct plan_tier default_tiers[] = {{1, 6 * 3600}, {60, 14 * 86400}, {3600, 2 * 365 * 86400}};

/* --- plugins ------------------------------------------------------------------------------------------------ */

static struct plan_plugin *find_plugin(struct draft *draft, const char *name)
{
	for (size_t i = 0; i < draft->plan->plugin_count; i++)
		if (!draft->plugins[i].collector && strcmp(draft->plugins[i].name, name) == 0)
			return &draft->plugins[i];
	return NULL;
}

/* A new plugin of the plan, with the presets of its options. */
static struct plan_plugin *add_plugin(struct draft *draft, const char *name, const struct plan_found *found)
{
	size_t count = draft->plan->plugin_count, option_count = PLUGIN_OPTIONS + found->table->option_count;
	struct pindrop_option *rows = keep_array(draft, option_count, sizeof(*rows));
	struct plugin_values values = {
		.rows = rows,
		.values = keep_array(draft, option_count, sizeof(*values.values)),
		.count = option_count,
	};

	memcpy(rows, plugin_options, sizeof(plugin_options));
	if (found->table->option_count)
		memcpy(rows + PLUGIN_OPTIONS, found->table->options, found->table->option_count * sizeof(*rows));
	values_preset(draft, rows, option_count, values.values);
	draft->plugins = memory_resize(draft->plugins, count + 1, sizeof(*draft->plugins));
	draft->plugins[count] = (struct plan_plugin){
		.name = draft_keep(draft, memory_text(name)),
		.table = found->table,
		.path = draft_keep(draft, memory_text(found->path)),
		.options = values.values + PLUGIN_OPTIONS,
		.line = draft->line,
	};
	draft->memory->plugins = memory_resize(draft->memory->plugins, count + 1, sizeof(values));
	draft->memory->plugins[count] = values;
	draft->plan->plugin_count++;
	return &draft->plugins[count];
}

/* Finds a plugin, or tells why there is none: a mistake if it is not there, a line in the log if it is no good. */
static struct plan_plugin *get_plugin(struct draft *draft, const char *name, plan_find *find, void *context)
{
	struct plan_plugin *plugin = find_plugin(draft, name);
	struct plan_found found = {0};

	if (plugin)
		return plugin;
	find(context, name, &found);
	if (found.table)
		return add_plugin(draft, name, &found);
	if (found.missing) {
		draft_mistake(draft, "%s", found.error.text);
		draft->missing++;
	} else {
		log_warning("plugin left out: %s", found.error.text);
		draft->refused++;
	}
	return NULL;
}

static void read_plugin(struct draft *draft, const char *name, const json_t *value, plan_find *find, void *context)
{
	struct plan_plugin *plugin;
	struct plugin_values *values;

	draft_look_at(draft, draft->line, "plugin", name);
	plugin = get_plugin(draft, name, find, context);
	if (!plugin || !value)
		return;
	values = &draft->memory->plugins[plugin - draft->plugins];
	values_read(draft, value, values->rows, values->count, values->values);
	draft_check_interval(draft, values->values[PLUGIN_INTERVAL].number);
}

static bool is_on(const struct plan_plugin *plugin, const struct pindrop_family *family)
{
	for (size_t i = 0; family->option && i < plugin->table->option_count; i++)
		if (strcmp(plugin->table->options[i].name, family->option) == 0)
			return plugin->options[i].flag;
	return true;
}

static_assert((int)PLUGIN_INTERVAL == (int)COLLECTOR_INTERVAL, "a collector's interval is where a plugin has it");

/* What is sampled more often than a row is kept would be stored as averages alone, and its extremes be lost. A plugin
 * that sets its own interval is told, otherwise the retention, once. */
static void check_finest(struct draft *draft, const struct plan_plugin *plugin, bool own, bool *told)
{
	const struct plan_tier *finest = &draft->plan->tiers[0];
	char interval[TEXT_AMOUNT_SIZE], step[TEXT_AMOUNT_SIZE], base[TEXT_AMOUNT_SIZE];

	if (draft->bad_tiers || plan_base_step(plugin->interval) >= finest->step || (!own && *told))
		return;
	text_from_duration(clock_seconds(plugin->interval), interval);
	text_from_duration((double)finest->step, step);
	text_from_duration((double)plan_base_step(plugin->interval), base);
	if (own) {
		draft_look_at(draft, plugin->line, plugin->collector ? "collector" : "plugin", plugin->name);
		draft_mistake(draft,
		              "\"interval\" %s is finer than the finest tier of retention, %s: set interval = \"%s\", or begin "
		              "retention with step = \"%s\"",
		              interval, step, step, base);
		return;
	}
	*told = true;
	draft_look_at(draft, draft->retention_line, "retention", NULL);
	draft_mistake(draft,
	              "its finest tier, %s, is coarser than agent.interval, %s: begin with step = \"%s\", or set agent { "
	              "interval = \"%s\" }",
	              step, interval, base, step);
}

/* Now that all is said: intervals, and the families that are on. */
static void take_plugins(struct draft *draft)
{
	struct plan *plan = draft->plan;
	bool told = false;

	for (size_t i = 0; i < plan->plugin_count; i++) {
		struct plan_plugin *plugin = &draft->plugins[i];
		union pindrop_value *interval = &draft->memory->plugins[i].values[PLUGIN_INTERVAL];
		bool own = interval->number > 0;

		if (!own)
			interval->number = draft->memory->agent[AGENT_INTERVAL].number;
		plugin->interval = nanoseconds(interval->number);
		check_finest(draft, plugin, own, &told);
		if (plugin->collector)
			collector_take_limits(draft, plugin, draft->memory->plugins[i].values);
		for (size_t k = 0; k < plugin->table->family_count; k++) {
			if (!is_on(plugin, &plugin->table->families[k]))
				continue;
			draft->families = memory_resize(draft->families, plan->family_count + 1, sizeof(*draft->families));
			draft->families[plan->family_count++] = (struct plan_family){&plugin->table->families[k], plugin};
		}
	}
	if (plan->plugin_count > 0)
		plan->plugins = draft_keep(draft, draft->plugins);
	if (plan->family_count > 0)
		plan->families = draft_keep(draft, draft->families);
	if (plan->family_count > 0 || draft->mistake_count > 0)
		return;
	draft_look_at(draft, 0, "plugins", NULL);
	draft_mistake(draft, "there is nothing to sample: no plugin was loaded");
}

/* --- aggregates --------------------------------------------------------------------------------------------- */

static union pindrop_value *new_aggregate(struct draft *draft)
{
	union pindrop_value *values = keep_array(draft, AGGREGATE_OPTIONS, sizeof(*values));

	values_preset(draft, aggregate_options, AGGREGATE_OPTIONS, values);
	return values;
}

/* Whether the plan has that family: what a plugin that is refused, or missing, would have sampled is no mistake of the
 * aggregate. */
static bool knows_family(const struct plan *plan, const char *metric)
{
	size_t length = strrchr(metric, '.') ? (size_t)(strrchr(metric, '.') - metric) : 0;

	for (size_t i = 0; i < plan->family_count; i++)
		if (strncmp(plan->families[i].table->name, metric, length) == 0 && !plan->families[i].table->name[length])
			return true;
	return false;
}

/* "over" is a text or, as any duration, a number of seconds: as a text. */
static void read_aggregate_values(struct draft *draft, const json_t *value, union pindrop_value *values)
{
	const json_t *over = json_object_get(value, "over");
	json_t *copy;

	if (!json_is_number(over)) {
		values_read(draft, value, aggregate_options, AGGREGATE_OPTIONS, values);
		return;
	}
	copy = json_copy((json_t *)value);
	json_object_set_new(copy, "over", json_sprintf("%.9g", json_number_value(over)));
	values_read(draft, copy, aggregate_options, AGGREGATE_OPTIONS, values);
	json_decref(copy);
}

static void read_aggregate(struct draft *draft, const char *name, const json_t *value)
{
	union pindrop_value *values = new_aggregate(draft);
	size_t told = draft->mistake_count;

	draft_look_at(draft, draft->line, "aggregate", name);
	read_aggregate_values(draft, value, values);
	/* What could not be read is not missing. */
	if (draft->mistake_count > told && (!values[AGGREGATE_OF].text || !values[AGGREGATE_FN].text))
		return;
	if (!values[AGGREGATE_OF].text || knows_family(draft->plan, values[AGGREGATE_OF].text) ||
	    !(draft->refused || draft->missing))
		aggregate_check(draft, name, values);
	else if (draft->refused)
		log_warning("%s: aggregate \"%s\" is left out: there is no %s without the plugin that was refused", draft->file,
		            name, values[AGGREGATE_OF].text);
}

static void add_default_aggregates(struct draft *draft)
{
	for (const struct default_aggregate *preset = default_aggregates; preset->name; preset++) {
		union pindrop_value *values;

		if (!knows_family(draft->plan, preset->of))
			continue;
		draft_look_at(draft, 0, "aggregate", preset->name);
		values = new_aggregate(draft);
		values[AGGREGATE_OF].text = preset->of;
		values[AGGREGATE_FN].text = preset->fn;
		values[AGGREGATE_OVER].text = preset->over;
		values[AGGREGATE_FORMAT].text = preset->format;
		aggregate_check(draft, preset->name, values);
	}
}

static const char *word_of(const json_t *declaration, const char *key)
{
	const char *word = json_string_value(json_object_get(declaration, key));

	return word ? word : "";
}

static int line_of(const json_t *declaration)
{
	json_int_t line = json_integer_value(json_object_get(declaration, "line"));

	return line > 0 && line < INT_MAX ? (int)line : 0;
}

/* --- what workers run ----------------------------------------------------------------------------------------- */

static void take_modules(struct draft *draft, const json_t *list)
{
	const char **modules = keep_array(draft, json_array_size(list) + 1, sizeof(*modules));
	const json_t *path;
	size_t i;

	json_array_foreach(list, i, path)
	{
		if (json_is_string(path))
			modules[draft->plan->module_count++] = draft_keep(draft, memory_text(json_string_value(path)));
	}
	draft->plan->modules = modules;
}

static void take_script(struct draft *draft, const json_t *answer)
{
	const union pindrop_value *limits = draft->memory->limits;
	struct plan *plan = draft->plan;

	if (draft->called)
		plan->script = draft_keep(draft, memory_text(word_of(answer, "script")));
	plan->digest = draft_keep(draft, memory_text(word_of(answer, "digest")));
	plan->limit_timeout = limits[LIMITS_TIMEOUT].number > 0 ? nanoseconds(limits[LIMITS_TIMEOUT].number) : CLOCK_SECOND;
	plan->limit_memory = (size_t)limits[LIMITS_MEMORY].number;
	take_modules(draft, json_object_get(answer, "modules"));
}

/* --- all together ------------------------------------------------------------------------------------------- */

/* A declaration of one of the groups that stand for themselves. False: it is none. */
static bool read_group(struct draft *draft, const char *what, const json_t *value)
{
	static const struct {
		const char *name;
		void (*read)(struct draft *draft, const json_t *value);
	} groups[] = {{"agent", read_agent},
	              {"retention", read_retention},
	              {"purge", read_purge},
	              {"store", read_store},
	              {"limits", read_limits}};

	for (size_t i = 0; i < PINDROP_COUNT(groups); i++) {
		if (strcmp(groups[i].name, what) != 0)
			continue;
		groups[i].read(draft, value);
		return true;
	}
	return false;
}

/* Calls for each declaration of the answer; the number of aggregates and plugins decides about defaults. */
static void read_first(struct draft *draft, const json_t *declarations, plan_find *find, void *context)
{
	const json_t *declaration;
	size_t i, plugins = 0;

	json_array_foreach(declarations, i, declaration)
	{
		const char *what = word_of(declaration, "declare"), *name = word_of(declaration, "name");
		const json_t *value = json_object_get(declaration, "value");

		draft->line = line_of(declaration);
		if (read_group(draft, what, value))
			continue;
		draft_look_at(draft, draft->line, what, name);
		if (strcmp(what, "plugin") == 0) {
			read_plugin(draft, name, value, find, context);
			plugins++;
		} else if (strcmp(what, "collector") == 0) {
			collector_read(draft, name, value);
		}
	}
	draft->line = 0;
	for (i = 0; plugins == 0 && default_plugins[i]; i++)
		read_plugin(draft, default_plugins[i], NULL, find, context);
	collector_check_names(draft);
}

static void read_aggregates(struct draft *draft, const json_t *declarations)
{
	const json_t *declaration;
	size_t i, aggregates = 0;

	json_array_foreach(declarations, i, declaration)
	{
		if (strcmp(word_of(declaration, "declare"), "aggregate") != 0)
			continue;
		aggregates++;
		draft->line = line_of(declaration);
		read_aggregate(draft, word_of(declaration, "name"), json_object_get(declaration, "value"));
	}
	if (aggregates == 0)
		add_default_aggregates(draft);
	draft->plan->aggregates = draft->aggregates ? draft_keep(draft, draft->aggregates) : NULL;
}

static int by_line(const void *a, const void *b)
{
	const struct mistake *left = a, *right = b;

	return (left->line > right->line) - (left->line < right->line);
}

/* In the order of the file. glibc's qsort() is a merge sort: those of one line stay in order. */
static void hand_over(struct draft *draft, struct text_list *mistakes)
{
	qsort(draft->mistakes, draft->mistake_count, sizeof(*draft->mistakes), by_line);
	for (size_t i = 0; i < draft->mistake_count; i++)
		text_list_add(mistakes, draft->mistakes[i].text);
	free(draft->mistakes);
}

static void preset_all(struct draft *draft)
{
	draft->plan->memory = draft->memory;
	atomic_init(&draft->memory->readers, 1);
	draft->plan->file = draft_keep(draft, memory_text(draft->file));
	draft->plan->tiers = default_tiers;
	draft->plan->tier_count = PINDROP_COUNT(default_tiers);
	draft->memory->agent = keep_array(draft, AGENT_OPTIONS, sizeof(*draft->memory->agent));
	draft->memory->purge = keep_array(draft, PURGE_OPTIONS, sizeof(*draft->memory->purge));
	draft->memory->store = keep_array(draft, STORE_OPTIONS, sizeof(*draft->memory->store));
	values_preset(draft, agent_options, AGENT_OPTIONS, draft->memory->agent);
	values_preset(draft, purge_options, PURGE_OPTIONS, draft->memory->purge);
	draft->memory->limits = keep_array(draft, LIMITS_OPTIONS, sizeof(*draft->memory->limits));
	values_preset(draft, store_options, STORE_OPTIONS, draft->memory->store);
	values_preset(draft, limits_options, LIMITS_OPTIONS, draft->memory->limits);
	read_listen(draft, draft->memory->agent[AGENT_LISTEN].text);
}

struct plan *plan_check(const json_t *answer, const char *file, plan_find *find, void *context,
                        struct text_list *mistakes)
{
	const json_t *declarations = json_object_get(answer, "declarations");
	const char *failure = json_string_value(json_object_get(answer, "error"));
	struct draft draft = {.plan = memory_alloc(sizeof(*draft.plan)),
	                      .memory = memory_alloc(sizeof(*draft.memory)),
	                      .file = file};

	preset_all(&draft);
	if (failure) {
		draft.mistakes = memory_array(1, sizeof(*draft.mistakes));
		draft.mistakes[draft.mistake_count++].text = memory_text(failure);
	} else {
		read_first(&draft, declarations, find, context);
		take_agent(&draft);
		take_plugins(&draft);
		read_aggregates(&draft, declarations);
		take_script(&draft, answer);
	}
	if (draft.mistake_count == 0)
		return draft.plan;
	hand_over(&draft, mistakes);
	plan_release(draft.plan);
	return NULL;
}

/* --- as JSON ------------------------------------------------------------------------------------------------ */

/* Takes over `value`. */
static void declare(json_t *declarations, const char *what, const char *name, int line, json_t *value)
{
	json_t *declaration = json_pack("{ss}", "declare", what);

	if (name)
		json_object_set_new(declaration, "name", json_string(name));
	if (line)
		json_object_set_new(declaration, "line", json_integer(line));
	json_object_set_new(declaration, "value", value);
	json_array_append_new(declarations, declaration);
}

static json_t *tiers_to_json(const struct plan *plan)
{
	json_t *tiers = json_array();

	for (size_t i = 0; i < plan->tier_count; i++) {
		const union pindrop_value values[TIER_OPTIONS] = {
			[TIER_STEP] = {.number = (double)plan->tiers[i].step},
			[TIER_KEEP] = {.number = (double)plan->tiers[i].keep},
		};

		json_array_append_new(tiers, values_to_json(tier_options, TIER_OPTIONS, values));
	}
	return tiers;
}

json_t *plan_to_json(const struct plan *plan)
{
	const struct plan_memory *memory = plan->memory;
	json_t *list = json_array(), *modules = json_array();

	declare(list, "agent", NULL, 0, values_to_json(agent_options, AGENT_OPTIONS, memory->agent));
	declare(list, "retention", NULL, 0, tiers_to_json(plan));
	declare(list, "purge", NULL, 0, values_to_json(purge_options, PURGE_OPTIONS, memory->purge));
	declare(list, "store", NULL, 0, values_to_json(store_options, STORE_OPTIONS, memory->store));
	declare(list, "limits", NULL, 0, values_to_json(limits_options, LIMITS_OPTIONS, memory->limits));
	for (size_t i = 0; i < plan->plugin_count; i++)
		declare(list, plan->plugins[i].collector ? "collector" : "plugin", plan->plugins[i].name, plan->plugins[i].line,
		        values_to_json(memory->plugins[i].rows, memory->plugins[i].count, memory->plugins[i].values));
	for (size_t i = 0; i < plan->aggregate_count; i++)
		declare(list, "aggregate", plan->aggregates[i].name, memory->aggregate_lines[i],
		        values_to_json(aggregate_options, AGGREGATE_OPTIONS, memory->aggregates[i]));
	for (size_t i = 0; i < plan->module_count; i++)
		json_array_append_new(modules, json_string(plan->modules[i]));
	return json_pack("{ss so ss? ss so}", "file", plan->file, "declarations", list, "script", plan->script, "digest",
	                 plan->digest, "modules", modules);
}

int64_t plan_base_step(int64_t interval)
{
	return interval <= CLOCK_SECOND ? 1 : (interval + CLOCK_SECOND - 1) / CLOCK_SECOND;
}

int64_t plan_tier_step(const struct plan_tier *tier, int64_t interval)
{
	int64_t base = plan_base_step(interval);

	return (tier->step + base - 1) / base * base;
}
