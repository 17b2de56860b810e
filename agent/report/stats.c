/* report/stats.c: /get_stats. Names and shapes come from the plugins' tables, past_stat from the plan's aggregates. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "report/report.h"
#include "report/tree.h"

/* A value of NULL: unknown. */
static void set_field(json_t *object, const struct pindrop_field *field, const double *value)
{
	if (field->stat)
		tree_set(object, field->stat, tree_number(value ? *value : NAN, field->decimals));
}

/* One object with the fields of a reading; NULL: all unknown. */
static json_t *show_reading(const struct pindrop_family *family, const struct reading *reading)
{
	json_t *object = json_object();

	for (size_t i = 0; i < family->field_count; i++)
		set_field(object, &family->fields[i], reading ? &reading->values[i] : NULL);
	return object;
}

static json_t *show_list(const struct pindrop_family *family, const struct family_snapshot *snapshot)
{
	json_t *list = json_array();

	for (size_t i = 0; i < snapshot->reading_count; i++) {
		const struct reading *reading = &snapshot->readings[i];
		json_t *object;

		if (!reading->present)
			continue;
		object = show_reading(family, reading);
		tree_set(object, family->stat_name, tree_text(reading->instance->name));
		for (size_t k = 0; k < family->label_count; k++)
			if (family->labels[k].stat)
				tree_set(object, family->labels[k].stat, tree_text(reading->labels[k]));
		json_array_append_new(list, object);
	}
	return list;
}

/* Known values only; where there is none, the sum is unknown. */
static double sum_of(const struct family_snapshot *snapshot, size_t field)
{
	double sum = NAN;

	for (size_t i = 0; i < snapshot->reading_count; i++) {
		const struct reading *reading = &snapshot->readings[i];

		if (reading->present && reading->summed && !isnan(reading->values[field]))
			sum = (isnan(sum) ? 0 : sum) + reading->values[field];
	}
	return sum;
}

static json_t *show_sum(const struct pindrop_family *family, const struct family_snapshot *snapshot)
{
	json_t *object = json_object();

	for (size_t i = 0; i < family->field_count; i++) {
		double sum = sum_of(snapshot, i);

		set_field(object, &family->fields[i], &sum);
	}
	return object;
}

static json_t *show_family(const struct pindrop_family *family, const struct family_snapshot *snapshot)
{
	if (!family->instance)
		return show_reading(family, snapshot->reading_count ? &snapshot->readings[0] : NULL);
	return family->shape == PINDROP_LIST ? show_list(family, snapshot) : show_sum(family, snapshot);
}

/* The format was checked to hold exactly one conversion of a double (config/aggregate.c). */
static json_t *format_value(const char *format, double value)
{
	char text[512];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, sizeof(text), format, value);
#pragma GCC diagnostic pop
	return tree_text(text);
}

/* What a function answers may be of any size: three decimals, or four digits of what is smaller than 1. */
static json_t *show_answer(double value)
{
	double size = fabs(value);
	int decimals = 3;

	if (value == floor(value))
		return tree_value(value);
	for (; size < 1 && decimals < 20; decimals++)
		size *= 10;
	return tree_number(value, decimals);
}

/* A built-in function's value is shown by the text that was made of it; where there is no value, no text is shown. A
 * function of Lua may answer a text alone. */
static json_t *show_aggregate(const struct plan *plan, const struct plan_aggregate *aggregate,
                              const struct aggregate_reading *reading)
{
	const struct pindrop_field *field = &plan->families[aggregate->family].table->fields[aggregate->field];

	if (reading->text && (aggregate->fn == PLAN_FUNCTION || !isnan(reading->value)))
		return tree_text(reading->text);
	if (isnan(reading->value))
		return json_null();
	if (aggregate->format)
		return format_value(aggregate->format, reading->value);
	if (aggregate->fn == PLAN_FUNCTION)
		return show_answer(reading->value);
	return tree_number(reading->value, aggregate->fn == PLAN_COUNT || aggregate->fn == PLAN_ETA ? 0 : field->decimals);
}

static json_t *show_past(const struct snapshot *snapshot)
{
	const struct plan *plan = snapshot->plan;
	json_t *past = json_object();
	char since[CLOCK_TEXT_SIZE];

	clock_format(snapshot->since, since);
	json_object_set_new(past, "service_start_time", json_string(since));
	for (size_t i = 0; i < plan->aggregate_count; i++)
		json_object_set_new(past, plan->aggregates[i].name,
		                    show_aggregate(plan, &plan->aggregates[i], &snapshot->aggregates[i]));
	return past;
}

char *report_stats(const struct snapshot *snapshot)
{
	const struct plan *plan = snapshot->plan;
	json_t *root, *current;

	if (snapshot->time == 0)
		return NULL;
	root = json_object();
	current = json_object();
	json_object_set_new(root, "current_stat", current);
	json_object_set_new(current, "time", tree_time(snapshot->time));
	for (size_t i = 0; i < plan->family_count; i++) {
		const struct pindrop_family *family = plan->families[i].table;

		if (family->stat)
			tree_set(current, family->stat, show_family(family, &snapshot->families[i]));
	}
	json_object_set_new(root, "past_stat", show_past(snapshot));
	return tree_end(root);
}
