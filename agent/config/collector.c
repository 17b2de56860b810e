/* config/collector.c: one collector "name" { … }, a plugin whose table is made here. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/draft.h"
#include "config/options.h"

#define NAME_MAX_LENGTH 40
#define METRICS_MAX 256

/* A plugin with one family: what the plan owns of it. */
struct table {
	struct pindrop_plugin plugin;
	struct pindrop_family family;
	struct pindrop_field fields[];
};

/* Collectors are sampled by their function (script/). */
static int never_called(void *state, struct pindrop_batch *batch)
{
	(void)state;
	(void)batch;
	return -1;
}

static bool is_name(const char *text, size_t longest)
{
	return text_is_name(text, false) && strlen(text) <= longest;
}

/* --- metrics ------------------------------------------------------------------------------------------------ */

static bool read_kind(struct draft *draft, const char *kind, enum pindrop_kind *is)
{
	static const char *const kinds[] = {"gauge", "counter", NULL};
	const char *nearest = text_nearest(kind, kinds);

	*is = strcmp(kind, "counter") == 0 ? PINDROP_COUNTER : PINDROP_GAUGE;
	if (strcmp(kind, kinds[0]) == 0 || strcmp(kind, kinds[1]) == 0)
		return true;
	if (nearest)
		return draft_mistake(draft, "there is no kind \"%s\" (did you mean \"%s\"?)", kind, nearest);
	return draft_mistake(draft, "\"kind\" must be \"gauge\" or \"counter\", not \"%s\"", kind);
}

/* `about`: the table that follows the name; NULL: a name in a list. */
static void read_metric(struct draft *draft, const char *name, const json_t *about, struct pindrop_field *field)
{
	union pindrop_value values[METRIC_OPTIONS];
	char subject[sizeof(draft->subject)];

	memcpy(subject, draft->subject, sizeof(subject));
	snprintf(draft->subject, sizeof(draft->subject), "%.60s, metric \"%.40s\"", subject, name);
	values_preset(draft, metric_options, METRIC_OPTIONS, values);
	if (!is_name(name, PINDROP_FIELD_NAME_MAX))
		draft_mistake(draft, "must have a name of small letters, digits and _, at most %d", PINDROP_FIELD_NAME_MAX);
	if (about)
		values_read(draft, about, metric_options, METRIC_OPTIONS, values);
	field->name = field->stat = draft_keep(draft, memory_text(name));
	field->unit = values[METRIC_UNIT].text;
	field->help = values[METRIC_HELP].text;
	field->decimals = (int)values[METRIC_DECIMALS].number;
	read_kind(draft, values[METRIC_KIND].text, &field->kind);
	memcpy(draft->subject, subject, sizeof(subject));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct pindrop_field *)a)->name, ((const struct pindrop_field *)b)->name);
}

/* { "depth", "age" } */
static void read_list(struct draft *draft, const json_t *list, struct pindrop_family *family,
                      struct pindrop_field *fields)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry)
	{
		const char *name = json_string_value(entry);

		if (name)
			read_metric(draft, name, NULL, &fields[family->field_count++]);
		else
			draft_mistake(draft, "\"metrics\" is a list of names, { \"depth\", … }, or a table, { depth = { … }, … }");
	}
}

/* Lua keeps no order: it is that of the names. */
static void read_metrics(struct draft *draft, const json_t *metrics, struct pindrop_family *family,
                         struct pindrop_field *fields)
{
	const json_t *about;
	const char *name;

	json_object_foreach((json_t *)metrics, name, about)
	{
		read_metric(draft, name, about, &fields[family->field_count++]);
	}
	read_list(draft, metrics, family, fields);
	qsort(fields, family->field_count, sizeof(*fields), by_name);
	for (size_t i = 1; i < family->field_count; i++)
		if (strcmp(fields[i].name, fields[i - 1].name) == 0)
			draft_mistake(draft, "names the metric \"%s\" twice", fields[i].name);
}

static struct table *new_table(struct draft *draft, const union pindrop_value *values)
{
	json_t *metrics = values[COLLECTOR_METRICS].text ? json_loads(values[COLLECTOR_METRICS].text, 0, NULL) : NULL;
	size_t count = json_array_size(metrics) + json_object_size(metrics);
	struct table *table = memory_alloc(sizeof(*table) + count * sizeof(*table->fields));

	draft_keep(draft, table);
	if (count > METRICS_MAX)
		draft_mistake(draft, "has more than %d metrics", METRICS_MAX);
	else if (count > 0)
		read_metrics(draft, metrics, &table->family, table->fields);
	else if (metrics)
		draft_mistake(draft, "lacks \"metrics\": what it measures, as { \"depth\" }");
	json_decref(metrics);
	return table;
}

/* --- the collector ------------------------------------------------------------------------------------------ */

static void check_instance(struct draft *draft, const struct pindrop_family *family)
{
	if (!family->instance)
		return;
	if (!is_name(family->instance, NAME_MAX_LENGTH))
		draft_mistake(draft, "\"instance\" must be a word for one of them, as \"disk\", not \"%s\"", family->instance);
	for (size_t i = 0; i < family->field_count; i++)
		if (strcmp(family->fields[i].name, family->instance) == 0)
			draft_mistake(draft, "\"instance\" is called as its metric \"%s\"", family->instance);
}

static const struct pindrop_plugin *make_table(struct draft *draft, const char *name, const union pindrop_value *values)
{
	struct table *table = new_table(draft, values);
	struct pindrop_family *family = &table->family;

	family->name = family->stat = name;
	family->help = values[COLLECTOR_HELP].text;
	family->fields = table->fields;
	family->instance = family->stat_name = values[COLLECTOR_INSTANCE].text;
	family->shape = PINDROP_LIST;
	family->sample = never_called;
	check_instance(draft, family);
	table->plugin = (struct pindrop_plugin){
		.abi = PINDROP_ABI, .name = name, .help = family->help, .families = family, .family_count = 1};
	return &table->plugin;
}

/* Appends it. A file of bad names has them in its messages, and its metrics in aggregates. */
static void add_collector(struct draft *draft, const char *name, union pindrop_value *values)
{
	size_t count = draft->plan->plugin_count;

	name = draft_keep(draft, memory_text(name));
	draft->plugins = memory_resize(draft->plugins, count + 1, sizeof(*draft->plugins));
	draft->plugins[count] = (struct plan_plugin){
		.name = name, .table = make_table(draft, name, values), .path = "", .line = draft->line, .collector = true};
	draft->memory->plugins = memory_resize(draft->memory->plugins, count + 1, sizeof(*draft->memory->plugins));
	draft->memory->plugins[count] =
		(struct plugin_values){.rows = collector_options, .count = COLLECTOR_OPTIONS, .values = values};
	draft->plan->plugin_count++;
	draft->called = true;
}

void collector_read(struct draft *draft, const char *name, const json_t *value)
{
	union pindrop_value *values = draft_keep(draft, memory_array(COLLECTOR_OPTIONS, sizeof(*values)));

	values_preset(draft, collector_options, COLLECTOR_OPTIONS, values);
	values_read(draft, value, collector_options, COLLECTOR_OPTIONS, values);
	draft_check_interval(draft, values[COLLECTOR_INTERVAL].number);
	if (!is_name(name, NAME_MAX_LENGTH))
		draft_mistake(draft, "must have a name of small letters, digits and _, at most %d", NAME_MAX_LENGTH);
	for (size_t i = 0; i < draft->plan->plugin_count; i++)
		if (draft->plugins[i].collector && strcmp(draft->plugins[i].name, name) == 0) {
			draft_mistake(draft, "there is one of that name already");
			return;
		}
	/* What is there and could not be read was told. */
	if (!json_object_get(value, "sample"))
		draft_mistake(draft, "lacks \"sample\": the function that measures");
	if (!json_object_get(value, "metrics"))
		draft_mistake(draft, "lacks \"metrics\": what it measures, as { \"depth\" }");
	if (!values[COLLECTOR_METRICS].text)
		draft->missing++;
	add_collector(draft, name, values);
}

/* --- names that others have ------------------------------------------------------------------------------------ */

/* The key of /get_stats that a family stands under. */
static bool has_key(const struct pindrop_family *family, const char *name)
{
	size_t length = strlen(name);

	return family->stat && strncmp(family->stat, name, length) == 0 &&
	       (!family->stat[length] || family->stat[length] == '.');
}

static void check_against(struct draft *draft, const struct plan_plugin *collector, const struct pindrop_plugin *plugin)
{
	const struct pindrop_family *own = collector->table->families;
	size_t length = strlen(own->name);
	bool placed = false;

	if (strcmp(plugin->name, own->name) == 0)
		draft_mistake(draft, "shadows the plugin \"%s\": take another name", own->name);
	for (size_t i = 0; i < plugin->family_count; i++) {
		const struct pindrop_family *family = &plugin->families[i];

		if (strcmp(family->name, own->name) == 0 && strcmp(plugin->name, own->name) != 0)
			draft_mistake(draft, "shadows the family \"%s\" of plugin \"%s\": take another name", own->name,
			              plugin->name);
		if (!placed && has_key(family, own->name))
			placed =
				!draft_mistake(draft, "would take the place of \"%s\" in /get_stats: take another name", own->name);
		for (size_t k = 0; k < own->field_count; k++)
			if (strncmp(family->name, own->name, length) == 0 && family->name[length] == '.' &&
			    strcmp(family->name + length + 1, own->fields[k].name) == 0)
				draft_mistake(draft, "its metric \"%s\" shadows the family \"%s\" of plugin \"%s\"",
				              own->fields[k].name, family->name, plugin->name);
	}
}

/* The keys that /get_stats promises, whatever is sampled. */
static bool is_promised(const char *name)
{
	static const char *const keys[] = {"time", "cpu_stat", "memory_stat", "disk_stat"};

	for (size_t i = 0; i < PINDROP_COUNT(keys); i++)
		if (strcmp(keys[i], name) == 0)
			return true;
	return false;
}

void collector_check_names(struct draft *draft)
{
	for (size_t i = 0; i < draft->plan->plugin_count; i++) {
		const struct plan_plugin *collector = &draft->plugins[i];
		size_t told = draft->mistake_count;

		if (!collector->collector)
			continue;
		draft_look_at(draft, collector->line, "collector", collector->name);
		for (size_t k = 0; k < draft->plan->plugin_count; k++)
			if (!draft->plugins[k].collector)
				check_against(draft, collector, draft->plugins[k].table);
		if (draft->mistake_count == told && is_promised(collector->name))
			draft_mistake(draft, "would take the place of \"%s\" in /get_stats: take another name", collector->name);
	}
}

/* --- limits ------------------------------------------------------------------------------------------------- */

#define TIMEOUT_LEAST 1.0
#define TIMEOUT_MOST 10.0

void collector_take_limits(struct draft *draft, struct plan_plugin *plugin, union pindrop_value *values)
{
	const union pindrop_value *limits = draft->memory->limits;
	union pindrop_value *timeout = &values[COLLECTOR_TIMEOUT], *memory = &values[COLLECTOR_MEMORY];
	double interval = values[COLLECTOR_INTERVAL].number;

	if (timeout->number == 0)
		timeout->number = limits[LIMITS_TIMEOUT].number;
	if (timeout->number == 0)
		timeout->number = interval < TIMEOUT_LEAST ? TIMEOUT_LEAST : interval > TIMEOUT_MOST ? TIMEOUT_MOST : interval;
	if (memory->number == 0)
		memory->number = limits[LIMITS_MEMORY].number;
	plugin->timeout = (int64_t)(timeout->number * (double)CLOCK_SECOND);
	plugin->memory = (size_t)memory->number;
}
