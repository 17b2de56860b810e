/* report/latest.c: /api/v1/latest, what the last sample said: small, for who follows it. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "report/report.h"
#include "report/tree.h"

static uint64_t mix(uint64_t hash, const char *text)
{
	return text ? text_hash(hash, text, strlen(text) + 1) : text_hash(hash, "", 1);
}

/* Changes when /api/v1/metrics does, but for the times in it: another family, field, interval, or instance. It fits into a
 * JavaScript number. */
static json_int_t number_catalogue(const struct snapshot *snapshot)
{
	uint64_t hash = TEXT_HASH;

	for (size_t i = 0; i < snapshot->family_count; i++) {
		const struct plan_family *family = &snapshot->plan->families[i];
		const struct family_snapshot *readings = &snapshot->families[i];

		hash = mix(mix(hash, family->table->name), family->table->help);
		hash = text_hash(hash, &family->plugin->interval, sizeof(family->plugin->interval));
		for (size_t k = 0; k < family->table->field_count; k++)
			hash = mix(mix(hash, family->table->fields[k].name), family->table->fields[k].unit);
		for (size_t k = 0; k < readings->reading_count; k++) {
			hash = mix(hash, readings->readings[k].instance->name);
			hash = text_hash(hash, &readings->readings[k].present, sizeof(bool));
		}
	}
	return (json_int_t)(hash >> 11);
}

static json_t *show_family(const struct pindrop_family *family, const struct family_snapshot *readings)
{
	json_t *object = json_object(), *instances = json_object();

	for (size_t i = 0; i < readings->reading_count; i++) {
		const struct reading *reading = &readings->readings[i];
		json_t *values = json_array(), *name = tree_text(reading->instance->name);

		for (size_t k = 0; k < family->field_count; k++)
			json_array_append_new(values, tree_value(reading->values[k]));
		if (reading->present)
			json_object_set(instances, json_string_value(name), values);
		json_decref(values);
		json_decref(name);
	}
	tree_set(object, "time", tree_time(readings->time));
	tree_set(object, "instances", instances);
	return object;
}

char *report_latest(const struct report *report)
{
	struct snapshot *snapshot = metric_snapshot(report->metric);
	struct collect_status *status = collect_status(report->collect);
	json_t *root = json_object(), *families = json_object();

	tree_set(root, "time", tree_time(snapshot->time));
	tree_set(root, "state", json_string(status->running ? "running" : "stopped"));
	tree_set(root, "catalogue", json_integer(number_catalogue(snapshot)));
	for (size_t i = 0; i < snapshot->family_count; i++) {
		const struct pindrop_family *family = snapshot->plan->families[i].table;

		json_object_set_new(families, family->name, show_family(family, &snapshot->families[i]));
	}
	tree_set(root, "families", families);
	free(status);
	snapshot_free(snapshot);
	return tree_end(root);
}
