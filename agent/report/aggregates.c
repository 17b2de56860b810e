/* report/aggregates.c: /api/v1/aggregates, each as a number with its unit and window. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "report/report.h"
#include "report/tree.h"

/* A counter enters a window as its rate; only the sum of that over time is in the counter's own unit again. */
static json_t *show_unit(const struct pindrop_field *field, enum plan_fn fn)
{
	char *unit;
	json_t *value;

	if (fn == PLAN_COUNT)
		return json_string("samples");
	if (field->kind == PINDROP_GAUGE || fn == PLAN_SUM)
		return tree_text(field->unit);
	unit = memory_format("%s/s", field->unit);
	value = tree_text(unit);
	free(unit);
	return value;
}

static json_t *show_aggregate(const struct plan *plan, const struct plan_aggregate *aggregate, double value)
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
	tree_set(object, "value", tree_value(value));
	free(metric);
	return object;
}

char *report_aggregates(const struct report *report)
{
	struct snapshot *snapshot = metric_snapshot(report->metric);
	json_t *root = json_object(), *list = json_array();

	tree_set(root, "since", tree_time(snapshot->since));
	for (size_t i = 0; i < report->plan->aggregate_count; i++)
		json_array_append_new(list,
		                      show_aggregate(report->plan, &report->plan->aggregates[i], snapshot->aggregates[i]));
	tree_set(root, "aggregates", list);
	snapshot_free(snapshot);
	return tree_end(root);
}
