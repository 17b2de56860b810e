/* report/gaps.c: /api/v1/gaps, why stretches are unknown. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "report/ask.h"
#include "report/report.h"
#include "report/tree.h"

#define FROM_DEFAULT (24 * 3600 * CLOCK_SECOND)

void report_tell_current(const struct report *report, int64_t now)
{
	struct collect_status *status = collect_status(report->collect);
	const struct gap stopped = {.reason = GAP_STOPPED, .from = status->since, .to = now};

	if (!status->running && status->since)
		store_tell(report->store, &stopped);
	free(status);
	metric_tell_gone(report->metric);
}

/* Those that are there, were there, or of which a gap is known. */
static void gather_instances(const struct report *report, const struct snapshot *snapshot, size_t family,
                             struct ask_names *known)
{
	const struct ledger_query query = {snapshot->plan->families[family].table->name, NULL, NULL, INT64_MIN, INT64_MAX};
	const struct family_snapshot *readings = &snapshot->families[family];
	struct gap *gaps;
	size_t count;

	for (size_t i = 0; i < readings->reading_count; i++)
		ask_names_add(known, readings->readings[i].instance->name);
	gaps = ledger_find(store_ledger(report->store), &query, &count);
	for (size_t i = 0; i < count; i++)
		ask_names_add(known, gaps[i].instance);
	free(gaps);
}

/* Sees whether the family has the instance that was asked for. */
static enum report_result check_instance(const struct report *report, const struct snapshot *snapshot, size_t index,
                                         const char *instance, struct error *error)
{
	struct ask_names known = {0};
	enum report_result result;

	gather_instances(report, snapshot, index, &known);
	result = ask_instance(snapshot->plan->families[index].table, instance, &known, error);
	ask_names_release(&known);
	return result;
}

static enum report_result understand(const struct report *report, const struct snapshot *snapshot,
                                     const struct report_question *question, int64_t now, struct ledger_query *query,
                                     struct error *error)
{
	const struct pindrop_family *family;
	struct ask_metric metric;

	if (ask_stretch(question->from, question->to, FROM_DEFAULT, now, &query->from, &query->to, error) < 0)
		return REPORT_BAD_WORDS;
	query->instance = question->instance;
	if (!question->metric)
		return REPORT_GOOD;
	if (ask_metric(snapshot->plan, question->metric, false, &metric, error) < 0)
		return REPORT_NOT_FOUND;
	family = snapshot->plan->families[metric.family].table;
	query->family = family->name;
	query->field = metric.field == ASK_ALL ? NULL : family->fields[metric.field].name;
	return question->instance ? check_instance(report, snapshot, metric.family, question->instance, error)
	                          : REPORT_GOOD;
}

char *report_gaps(const struct report *report, const struct report_question *question, enum report_result *result)
{
	int64_t now = clock_wall();
	struct snapshot *snapshot = metric_snapshot(report->metric);
	struct ledger_query query = {0};
	json_t *root, *list;
	struct error error;
	struct gap *gaps;
	size_t count, first;

	*result = understand(report, snapshot, question, now, &query, &error);
	if (*result != REPORT_GOOD) {
		snapshot_free(snapshot);
		return report_error("%s", error.text);
	}
	report_tell_current(report, now);
	gaps = ledger_find(store_ledger(report->store), &query, &count);
	first = count > REPORT_GAPS_MAX ? count - REPORT_GAPS_MAX : 0;
	root = json_object();
	list = json_array();
	tree_set(root, "metric", tree_text(question->metric));
	tree_set(root, "instance", tree_text(question->instance));
	tree_set(root, "from", tree_value(clock_seconds(query.from)));
	tree_set(root, "to", tree_value(clock_seconds(query.to)));
	tree_set(root, "earlier", json_integer((json_int_t)first));
	for (size_t i = first; i < count; i++)
		json_array_append_new(list, ask_show_gap(&gaps[i]));
	tree_set(root, "gaps", list);
	free(gaps);
	snapshot_free(snapshot);
	return tree_end(root);
}
