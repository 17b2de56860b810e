/* report/catalogue.c: /api/v1/metrics, all that there is. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "report/graph.h"
#include "report/report.h"
#include "report/tree.h"

static json_t *show_fields(const struct pindrop_family *family)
{
	json_t *list = json_array();
	bool *headline = memory_array(family->field_count, sizeof(bool));

	graph_headline(family, headline);
	for (size_t i = 0; i < family->field_count; i++) {
		const struct pindrop_field *field = &family->fields[i];
		json_t *object = json_object();

		tree_set(object, "name", tree_text(field->name));
		tree_set(object, "kind", json_string(tree_kind(field)));
		tree_set(object, "unit", tree_text(field->unit));
		tree_set(object, "decimals", json_integer(field->decimals));
		tree_set(object, "headline", json_boolean(headline[i]));
		tree_set(object, "help", tree_text(field->help));
		json_array_append_new(list, object);
	}
	free(headline);
	return list;
}

static json_t *show_labels(const struct pindrop_family *family, const struct reading *reading)
{
	json_t *object = json_object();

	for (size_t i = 0; i < family->label_count; i++)
		json_object_set_new(object, family->labels[i].name, tree_text(reading->labels[i]));
	return object;
}

static json_t *show_instances(const struct plan *plan, size_t index, const struct family_snapshot *snapshot)
{
	const struct pindrop_family *family = plan->families[index].table;
	json_t *list = json_array();

	for (size_t i = 0; i < snapshot->reading_count; i++) {
		const struct reading *reading = &snapshot->readings[i];
		char *path = store_path(plan, index, reading->instance->name);
		json_t *object = json_object();

		if (family->instance)
			tree_set(object, "name", tree_text(reading->instance->name));
		if (family->label_count)
			tree_set(object, "labels", show_labels(family, reading));
		tree_set(object, "present", json_boolean(reading->present));
		tree_set(object, "last", tree_time(reading->time));
		tree_set(object, "path", tree_text(path));
		json_array_append_new(list, object);
		free(path);
	}
	return list;
}

static json_t *show_family(const struct plan *plan, size_t index, const struct family_snapshot *snapshot)
{
	const struct plan_family *planned = &plan->families[index];
	json_t *object = json_object();

	tree_set(object, "name", tree_text(planned->table->name));
	tree_set(object, "help", tree_text(planned->table->help));
	tree_set(object, "plugin", tree_text(planned->plugin->name));
	tree_set(object, "interval", tree_value(clock_seconds(planned->plugin->interval)));
	tree_set(object, "instance", tree_text(planned->table->instance));
	tree_set(object, "fields", show_fields(planned->table));
	tree_set(object, "instances", show_instances(plan, index, snapshot));
	return object;
}

char *report_metrics(const struct report *report)
{
	struct snapshot *snapshot = metric_snapshot(report->metric);
	json_t *root = json_object(), *list = json_array();

	for (size_t i = 0; i < snapshot->family_count; i++)
		json_array_append_new(list, show_family(snapshot->plan, i, &snapshot->families[i]));
	tree_set(root, "families", list);
	snapshot_free(snapshot);
	return tree_end(root);
}
