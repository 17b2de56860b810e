#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/draft.h"
#include "config/options.h"

#define OVER_MAX (10 * 365 * 86400.0)

/* "min max avg …" */
#define WORD(name, fn, note) " " name
#define FUNCTIONS AGGREGATE_FUNCTIONS(WORD) ", p50 … p99.9, or a function"

#define ROW(name, fn, note) {name, fn},

static const struct {
	const char *name;
	enum plan_fn fn;
} functions[] = {AGGREGATE_FUNCTIONS(ROW)};

static bool tell_no_function(struct draft *draft, const char *name)
{
	const char *names[PINDROP_COUNT(functions) + 1] = {NULL}, *nearest;

	for (size_t i = 0; i < PINDROP_COUNT(functions); i++)
		names[i] = functions[i].name;
	nearest = text_nearest(name, names);
	if (nearest)
		return draft_mistake(draft, "\"fn\": there is no \"%s\" (did you mean \"%s\"?)", name, nearest);
	return draft_mistake(draft, "\"fn\": there is no \"%s\"; there are" FUNCTIONS, name);
}

static bool find_function(struct draft *draft, const char *name, struct plan_aggregate *aggregate)
{
	double percent;
	char *rest;

	aggregate->fn_name = name;
	if (name == option_function) {
		aggregate->fn = PLAN_FUNCTION;
		return true;
	}
	for (size_t i = 0; name && i < PINDROP_COUNT(functions); i++) {
		if (strcmp(functions[i].name, name) != 0)
			continue;
		aggregate->fn = functions[i].fn;
		return true;
	}
	if (name && name[0] == 'p' && name[1] >= '0' && name[1] <= '9') {
		percent = strtod(name + 1, &rest);
		aggregate->fn = PLAN_QUANTILE;
		aggregate->quantile = percent / 100;
		if (!*rest && percent > 0 && percent < 100 && !name[1 + strspn(name + 1, "0123456789.")])
			return true;
	}
	if (!name)
		return draft_mistake(draft, "lacks \"fn\":" FUNCTIONS);
	return tell_no_function(draft, name);
}

/* fn = "eta" looks at the trend of one series, to a value. */
static void check_eta(struct draft *draft, const struct plan_aggregate *aggregate, bool metric)
{
	const struct pindrop_family *family = metric ? draft->plan->families[aggregate->family].table : NULL;

	if (aggregate->fn != PLAN_ETA && !isnan(aggregate->to))
		draft_mistake(draft, "\"to\" belongs to fn = \"eta\"");
	if (aggregate->fn != PLAN_ETA)
		return;
	if (isnan(aggregate->to))
		draft_mistake(draft, "lacks \"to\": the value whose arrival is foreseen, as 100");
	if (family && family->instance && !aggregate->instance)
		draft_mistake(draft, "fn = \"eta\" looks at one series: name an \"instance\" of %s", family->name);
}

/* All metrics of the plan, "cpu.usage", ended by NULL. One block for each, and one for the list. */
static char **list_metrics(const struct plan *plan)
{
	char **names = memory_array(1, sizeof(char *));
	size_t count = 0;

	for (size_t i = 0; i < plan->family_count; i++) {
		const struct pindrop_family *family = plan->families[i].table;

		names = memory_resize(names, count + family->field_count + 1, sizeof(char *));
		for (size_t k = 0; k < family->field_count; k++)
			names[count++] = memory_format("%s.%s", family->name, family->fields[k].name);
	}
	names[count] = NULL;
	return names;
}

static void tell_no_metric(struct draft *draft, const char *metric)
{
	char **names = list_metrics(draft->plan);
	const char *nearest = text_nearest(metric, (const char *const *)names);

	if (nearest)
		draft_mistake(draft, "there is no metric \"%s\" (did you mean \"%s\"?)", metric, nearest);
	else
		draft_mistake(draft, "there is no metric \"%s\"; `pindrop describe` lists them", metric);
	for (size_t i = 0; names[i]; i++)
		free(names[i]);
	free(names);
}

static bool is_on(const struct plan *plan, const struct pindrop_family *family)
{
	for (size_t i = 0; i < plan->family_count; i++)
		if (plan->families[i].table == family)
			return true;
	return false;
}

/* A family that a plugin has, but an option keeps off: that is told. */
static bool is_off(struct draft *draft, const char *name, size_t length)
{
	for (size_t i = 0; i < draft->plan->plugin_count; i++) {
		const struct pindrop_plugin *table = draft->plan->plugins[i].table;

		for (size_t k = 0; k < table->family_count; k++)
			if (strncmp(table->families[k].name, name, length) == 0 && !table->families[k].name[length] &&
			    !is_on(draft->plan, &table->families[k]))
				return !draft_mistake(draft, "\"%s\" is switched off; set plugin \"%s\" { %s = true }", name,
				                      table->name, table->families[k].option);
	}
	return false;
}

static bool find_metric(struct draft *draft, const char *metric, struct plan_aggregate *aggregate)
{
	const char *dot = metric ? strrchr(metric, '.') : NULL;
	size_t length = dot ? (size_t)(dot - metric) : 0;

	if (!metric)
		return draft_mistake(draft, "lacks \"of\": the metric, as \"cpu.usage\"");
	for (size_t i = 0; dot && i < draft->plan->family_count; i++) {
		const struct pindrop_family *family = draft->plan->families[i].table;

		if (strncmp(family->name, metric, length) != 0 || family->name[length])
			continue;
		for (size_t k = 0; k < family->field_count; k++) {
			if (strcmp(family->fields[k].name, dot + 1) != 0)
				continue;
			aggregate->family = i;
			aggregate->field = k;
			return true;
		}
	}
	if (!dot || !is_off(draft, metric, length))
		tell_no_metric(draft, metric);
	return false;
}

static bool find_over(struct draft *draft, const char *over, struct plan_aggregate *aggregate)
{
	double seconds;

	if (strcmp(over, "service") == 0)
		return true;
	if (!text_duration(over, &seconds))
		return draft_mistake(draft, "\"over\" must be \"service\" or a duration as \"24h\", not \"%s\"", over);
	if (seconds < 1 || seconds > OVER_MAX)
		return draft_mistake(draft, "\"over\" must lie between 1s and 10y");
	aggregate->over = (int64_t)(seconds * (double)CLOCK_SECOND);
	return true;
}

/* Exactly one conversion of a double, and no width that could overflow what it is written to. */
static bool is_format(const char *format)
{
	size_t conversions = 0;

	for (const char *c = format; *c; c++) {
		size_t digits;

		if (*c != '%')
			continue;
		if (*++c == '%')
			continue;
		c += strspn(c, "-+ 0#");
		digits = strspn(c, "0123456789");
		c += digits;
		if (digits > 2)
			return false;
		if (*c == '.') {
			digits = strspn(++c, "0123456789");
			c += digits;
			if (digits > 2)
				return false;
		}
		if (!*c || !strchr("efgEFG", *c))
			return false;
		conversions++;
	}
	return conversions == 1 && strlen(format) < 64;
}

void aggregate_check(struct draft *draft, const char *name, union pindrop_value *values)
{
	struct plan_aggregate aggregate = {
		.name = draft_keep(draft, memory_text(name)),
		.instance = values[AGGREGATE_INSTANCE].text,
		.to = values[AGGREGATE_TO].number,
		.format = values[AGGREGATE_FORMAT].text,
	};
	struct plan *plan = draft->plan;
	size_t count = plan->aggregate_count, told = draft->mistake_count;
	bool known, metric;

	if (!*name || strcmp(name, "service_start_time") == 0)
		draft_mistake(draft, "cannot have that name");
	for (size_t i = 0; i < count; i++)
		if (strcmp(draft->aggregates[i].name, name) == 0)
			draft_mistake(draft, "there is one of that name already");
	known = find_function(draft, values[AGGREGATE_FN].text, &aggregate);
	find_over(draft, values[AGGREGATE_OVER].text, &aggregate);
	if (aggregate.format == option_function) {
		aggregate.format = NULL;
		aggregate.formatted = true;
	}
	if (aggregate.format && !is_format(aggregate.format))
		draft_mistake(draft, "\"format\" must hold one number, as \"%%.1f%%%%\", not \"%s\"", aggregate.format);
	metric = find_metric(draft, values[AGGREGATE_OF].text, &aggregate);
	if (metric && aggregate.instance && !plan->families[aggregate.family].table->instance)
		draft_mistake(draft, "%s has no instances: leave \"instance\" out",
		              plan->families[aggregate.family].table->name);
	if (known)
		check_eta(draft, &aggregate, metric);
	if (draft->mistake_count > told)
		return;
	draft->aggregates = memory_resize(draft->aggregates, count + 1, sizeof(*draft->aggregates));
	draft->aggregates[count] = aggregate;
	draft->called = draft->called || plan_is_asked(&aggregate);
	draft->memory->aggregates = memory_resize(draft->memory->aggregates, count + 1, sizeof(*draft->memory->aggregates));
	draft->memory->aggregates[count] = values;
	draft->memory->aggregate_lines = memory_resize(draft->memory->aggregate_lines, count + 1, sizeof(int));
	draft->memory->aggregate_lines[count] = draft->line;
	plan->aggregate_count++;
}
