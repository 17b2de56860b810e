/* links: agent/report/aggregates.c agent/report/tree.c agent/metric/metric.c agent/metric/catalogue.c
 * agent/metric/gap_list.c agent/metric/view.c agent/metric/trend.c agent/metric/window.c agent/metric/quantiles.c
 * agent/metric/batch.c agent/config/share.c agent/base/memory.c agent/base/clock.c agent/base/text.c */
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "report/report.h"

#define START (INT64_C(1700000000) * CLOCK_SECOND)

static const struct pindrop_field fields[] = {
	{.name = "usage", .kind = PINDROP_GAUGE, .unit = "percent"},
	{.name = "read", .kind = PINDROP_COUNTER, .unit = "bytes"},
};
static const struct pindrop_family table = {.name = "cpu", .fields = fields, .field_count = 2};
static const struct plan_plugin plugin = {.name = "test", .interval = CLOCK_SECOND};
static const struct plan_family families[] = {{&table, &plugin}};
static const struct plan_aggregate aggregates[] = {
	{.name = "max", .fn = PLAN_MAX, .fn_name = "max"},
	{.name = "rate", .field = 1, .fn = PLAN_AVG, .fn_name = "avg", .over = 60 * CLOCK_SECOND},
	{.name = "rise", .field = 1, .fn = PLAN_SUM, .fn_name = "sum", .over = 60 * CLOCK_SECOND},
	{.name = "count", .fn = PLAN_COUNT, .fn_name = "count", .over = 7200 * CLOCK_SECOND},
	{.name = "full", .fn = PLAN_ETA, .fn_name = "eta", .to = 100, .over = 7200 * CLOCK_SECOND},
	{.name = "half", .fn = PLAN_QUANTILE, .fn_name = "p50", .quantile = 0.5, .over = 7200 * CLOCK_SECOND},
	{.name = "lua", .fn = PLAN_FUNCTION, .fn_name = "function"},
	{.name = "words", .fn = PLAN_MAX, .fn_name = "max", .formatted = true},
};
static const struct plan plan = {.family_count = 1,
                                 .families = families,
                                 .aggregate_count = 8,
                                 .aggregates = aggregates};

static void say(struct metric *metric, int second, double usage, double read)
{
	struct batch batch = {0}, *batches[] = {&batch};
	double *values;

	batch_begin(&batch, 0, 2, 0);
	batch.tick = batch.time = START + second * CLOCK_SECOND;
	batch.on_tick = true;
	values = batch_add(&batch, "", NULL);
	values[0] = usage;
	values[1] = read;
	metric_intern(metric, &batch);
	metric_publish(metric, batches, 1);
	batch_release(&batch);
}

/* One aggregate of the answer, without what all have: null where it is not there. */
static json_t *ask(const struct metric *metric, size_t index)
{
	const struct report report = {.metric = (struct metric *)metric};
	char *text = report_aggregates(&report);
	json_t *root = json_loads(text, 0, NULL);
	json_t *one = json_incref(json_array_get(json_object_get(root, "aggregates"), index));

	json_decref(root);
	free(text);
	return one;
}

static void shows(const struct metric *metric, size_t index, const char *expected)
{
	json_t *is = ask(metric, index), *should = json_loads(expected, 0, NULL);

	assert_non_null(should);
	if (!json_equal(is, should))
		fail_msg("it is %s", json_dumps(is, JSON_SORT_KEYS));
	json_decref(is);
	json_decref(should);
}

static void each_has_its_unit_and_what_it_rests_on(void **state)
{
	struct metric *metric = metric_new(&plan);

	(void)state;
	metric_restart(metric, START);
	for (int second = 1; second <= 20; second++)
		say(metric, second, second % 5 ? second : (double)NAN, 100.0 * second);
	metric_set_result(metric, 6, 0.5, NULL);
	metric_set_result(metric, 7, 0.5, "nineteen");
	shows(metric, 0,
	      "{\"name\": \"max\", \"of\": \"cpu.usage\", \"instance\": null, \"fn\": \"max\", \"over\": \"service\","
	      " \"unit\": \"percent\", \"value\": 19, \"samples\": 16, \"unknown\": 4}");
	shows(metric, 1,
	      "{\"name\": \"rate\", \"of\": \"cpu.read\", \"instance\": null, \"fn\": \"avg\", \"over\": \"1m\","
	      " \"unit\": \"bytes/s\", \"value\": 100, \"samples\": 19, \"unknown\": 1}");
	shows(metric, 2,
	      "{\"name\": \"rise\", \"of\": \"cpu.read\", \"instance\": null, \"fn\": \"sum\", \"over\": \"1m\","
	      " \"unit\": \"bytes\", \"value\": 1900, \"samples\": 19, \"unknown\": 1}");
	shows(metric, 3,
	      "{\"name\": \"count\", \"of\": \"cpu.usage\", \"instance\": null, \"fn\": \"count\", \"over\": \"2h\","
	      " \"unit\": \"samples\", \"value\": 16, \"samples\": 16, \"unknown\": 4}");
	shows(metric, 6,
	      "{\"name\": \"lua\", \"of\": \"cpu.usage\", \"instance\": null, \"fn\": \"function\", \"over\": \"service\","
	      " \"unit\": null, \"value\": 0.5, \"samples\": 16, \"unknown\": 4}");
	shows(metric, 7,
	      "{\"name\": \"words\", \"of\": \"cpu.usage\", \"instance\": null, \"fn\": \"max\", \"over\": \"service\","
	      " \"unit\": \"percent\", \"value\": 19, \"text\": \"nineteen\", \"samples\": 16, \"unknown\": 4}");
	metric_free(metric);
}

static void an_eta_is_in_seconds(void **state)
{
	struct metric *metric = metric_new(&plan);
	json_t *one;

	(void)state;
	metric_restart(metric, START);
	for (int second = 1; second <= 20; second++)
		say(metric, second, second % 5 ? second : (double)NAN, 0);
	one = ask(metric, 4);
	assert_string_equal(json_string_value(json_object_get(one, "unit")), "seconds");
	assert_string_equal(json_string_value(json_object_get(one, "fn")), "eta");
	/* The newest that is known is 19, a second ago. */
	assert_true(fabs(json_number_value(json_object_get(one, "value")) - 80) < 1e-6);
	json_decref(one);
	metric_free(metric);
}

static void nothing_is_known_of_what_was_not_sampled(void **state)
{
	struct metric *metric = metric_new(&plan);

	(void)state;
	for (size_t i = 0; i < plan.aggregate_count; i++) {
		json_t *one = ask(metric, i);

		assert_true(i == 3 ? json_integer_value(json_object_get(one, "value")) == 0
		                   : json_is_null(json_object_get(one, "value")));
		assert_true(json_integer_value(json_object_get(one, "samples")) == 0 && !json_object_get(one, "text"));
		json_decref(one);
	}
	metric_free(metric);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_has_its_unit_and_what_it_rests_on),
		cmocka_unit_test(an_eta_is_in_seconds),
		cmocka_unit_test(nothing_is_known_of_what_was_not_sampled),
	};

	return cmocka_run_group_tests_name("aggregates", tests, NULL, NULL);
}
