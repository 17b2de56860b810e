/* report/aggregates.c: /api/v1/aggregates, each as a number with its unit, its window and what is in that. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "report/report.h"
#include "report/tree.h"

/* A counter enters a window as its rate; only the sum of that over time is in the counter's own unit again. What a
 * function of Lua answers is in a unit that only its author knows. */
static json_t *show_unit(const struct pindrop_field *field, enum plan_fn fn)
{
	if (fn == PLAN_COUNT)
		return json_string("samples");
	if (fn == PLAN_ETA)
		return json_string("seconds");
	if (fn == PLAN_FUNCTION)
		return json_null();
	return fn == PLAN_SUM ? tree_text(field->unit) : tree_unit(field);
}

static json_t *show_aggregate(const struct plan *plan, const struct plan_aggregate *aggregate,
                              const struct aggregate_reading *reading)
{
	const struct pindrop_family *family = plan->families[aggregate->family].table;
	const struct pindrop_field *field = &family->fields[aggregate->field];
	char *metric = memory_format("%s.%s", family->name, field->name), over[TEXT_AMOUNT_SIZE];
	json_t *object = json_object();

	tree_set(object, "name", tree_text(aggregate->name));
	tree_set(object, "of", tree_text(metric));
	tree_set(object, "instance", tree_text(aggregate->instance));
	tree_set(object, "fn", tree_text(aggregate->fn_name));
	tree_set(object, "over",
	         tree_text(aggregate->over ? text_from_duration(clock_seconds(aggregate->over), over) : "service"));
	tree_set(object, "unit", show_unit(field, aggregate->fn));
	tree_set(object, "value", tree_value(reading->value));
	if (reading->text)
		tree_set(object, "text", tree_text(reading->text));
	tree_set(object, "samples", tree_value(reading->samples));
	tree_set(object, "unknown", tree_value(reading->unknown));
	free(metric);
	return object;
}

char *report_aggregates(const struct report *report)
{
	struct snapshot *snapshot = metric_snapshot(report->metric);
	json_t *root = json_object(), *list = json_array();

	tree_set(root, "since", tree_time(snapshot->since));
	for (size_t i = 0; i < snapshot->aggregate_count; i++)
		json_array_append_new(list,
		                      show_aggregate(snapshot->plan, &snapshot->plan->aggregates[i], &snapshot->aggregates[i]));
	tree_set(root, "aggregates", list);
	snapshot_free(snapshot);
	return tree_end(root);
}
