/* links: agent/report/stats.c agent/report/tree.c agent/base/memory.c agent/base/clock.c */
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

static const struct pindrop_field cpu_fields[] = {
	{"usage", PINDROP_GAUGE, "percent", 1, "usage", "…"},
	{"user", PINDROP_COUNTER, "seconds", 2, "time_stat.user", "…"},
	{"nice", PINDROP_COUNTER, "seconds", 2, NULL, "…"},
};
static const struct pindrop_field io_fields[] = {{"reads", PINDROP_COUNTER, "", 0, "read_count", "…"}};
static const struct pindrop_field space_fields[] = {
	{"total", PINDROP_GAUGE, "bytes", 0, "total_mem", "…"},
	{"used_percent", PINDROP_GAUGE, "percent", 0, "used_percent", "…"},
};
static const struct pindrop_label labels[] = {{"device", "device"}, {"type", NULL}};

static const struct pindrop_family tables[] = {
	{.name = "cpu", .fields = cpu_fields, .field_count = 3, .stat = "cpu_stat"},
	{.name = "io",
     .fields = io_fields,
     .field_count = 1,
     .instance = "disk",
     .stat = "disk_stat.count",
     .shape = PINDROP_SUM},
	{.name = "space",
     .fields = space_fields,
     .field_count = 2,
     .instance = "mount",
     .labels = labels,
     .label_count = 2,
     .stat = "disk_stat.parts",
     .shape = PINDROP_LIST,
     .stat_name = "mt_pt"},
	{.name = "hidden", .fields = io_fields, .field_count = 1},
};
static const struct plan_family families[] = {{&tables[0], NULL},
                                              {&tables[1], NULL},
                                              {&tables[2], NULL},
                                              {&tables[3], NULL}};
static const struct plan_aggregate aggregates[] = {
	{.name = "max_cpu", .family = 0, .field = 0, .fn = PLAN_MAX, .format = "%.1f%%"},
	{.name = "avg_cpu", .family = 0, .field = 0, .fn = PLAN_AVG},
	{.name = "samples", .family = 0, .field = 0, .fn = PLAN_COUNT},
	{.name = "none", .family = 0, .field = 0, .fn = PLAN_MIN, .format = "%.1f%%"},
};
static const struct plan plan = {.family_count = 4,
                                 .families = families,
                                 .aggregate_count = 4,
                                 .aggregates = aggregates};

static const char *const sda_labels[] = {"/dev/sda1", "ext4"};
static const struct instance alone = {.name = ""}, sda = {.name = "sda"}, sdb = {.name = "sdb"}, md0 = {.name = "md0"},
							 gone = {.name = "gone"}, root = {.name = "/"}, odd = {.name = "/caf\xe9"};

static const double cpu_values[] = {13.44, 2498.3249, 1}, one[] = {1}, two[] = {2}, many[] = {1e15},
					unknown[] = {NAN, NAN}, space_values[] = {270553174016, 5.49};

static const struct reading cpu_readings[] = {{&alone, NULL, true, true, 1, cpu_values}};
static const struct reading io_readings[] = {{&sda, NULL, true, true, 1, one},
                                             {&sdb, NULL, true, true, 1, two},
                                             {&md0, NULL, true, false, 1, many},
                                             {&gone, NULL, false, true, 1, many}};
static const struct reading space_readings[] = {{&root, sda_labels, true, true, 1, space_values},
                                                {&odd, sda_labels, true, true, 1, unknown},
                                                {&gone, NULL, false, true, 1, space_values}};
static const struct aggregate_reading values[] = {{.value = 13.44}, {.value = 1.8499}, {.value = 17}, {.value = NAN}};

static struct snapshot snapshot(const struct family_snapshot *of)
{
	return (struct snapshot){.time = 1460421017 * CLOCK_SECOND + 382492000,
	                         .plan = &plan,
	                         .since = 1,
	                         .family_count = 4,
	                         .families = of,
	                         .aggregate_count = 4,
	                         .aggregates = values};
}

static json_t *stats(const struct family_snapshot *of)
{
	struct snapshot all = snapshot(of);
	char *text = report_stats(&all);
	json_t *json = json_loads(text, 0, NULL);

	assert_non_null(json);
	free(text);
	return json;
}

/* The part of `json` at a dotted place equals this text. */
static void equals(const json_t *json, const char *place, const char *text)
{
	char *copy = strdup(place), *rest = copy, *part;
	json_t *expected = json_loads(text, JSON_DECODE_ANY, NULL);

	while ((part = strsep(&rest, ".")))
		json = json_object_get(json, part);
	if (!json || !json_equal(json, expected)) {
		char *is = json ? json_dumps(json, JSON_ENCODE_ANY) : strdup("nothing");

		fail_msg("%s is %s", place, is);
	}
	json_decref(expected);
	free(copy);
}

static void shapes_follow_the_tables(void **state)
{
	const struct family_snapshot of[] = {{1, 1, cpu_readings},
	                                     {1, 4, io_readings},
	                                     {1, 3, space_readings},
	                                     {0, 0, NULL}};
	json_t *json = stats(of);

	(void)state;
	assert_int_equal(json_object_size(json), 2);
	equals(json, "current_stat.time", "1460421017.38249");
	/* Rounded to what people are shown; nice has no place. */
	equals(json, "current_stat.cpu_stat", "{\"usage\": 13.4, \"time_stat\": {\"user\": 2498.32}}");
	/* What is gone, and what would be counted twice, is not in the sum. */
	equals(json, "current_stat.disk_stat.count", "{\"read_count\": 3}");
	equals(json, "current_stat.disk_stat.parts",
	       "[{\"mt_pt\": \"/\", \"device\": \"/dev/sda1\", \"total_mem\": 270553174016, \"used_percent\": 5},"
	       " {\"mt_pt\": \"/caf?\", \"device\": \"/dev/sda1\", \"total_mem\": null, \"used_percent\": null}]");
	assert_null(json_object_get(json_object_get(json, "current_stat"), "hidden"));
	json_decref(json);
}

static void the_past_is_as_the_file_formats_it(void **state)
{
	const struct family_snapshot of[] = {{1, 1, cpu_readings},
	                                     {1, 4, io_readings},
	                                     {1, 3, space_readings},
	                                     {0, 0, NULL}};
	json_t *json = stats(of);

	(void)state;
	equals(json, "past_stat.max_cpu", "\"13.4%\"");
	equals(json, "past_stat.avg_cpu", "1.8");
	equals(json, "past_stat.samples", "17");
	equals(json, "past_stat.none", "null");
	assert_true(json_is_string(json_object_get(json_object_get(json, "past_stat"), "service_start_time")));
	assert_int_equal(json_object_size(json_object_get(json, "past_stat")), 5);
	json_decref(json);
}

static void answers_of_functions_are_shown_as_they_are(void **state)
{
	static const struct plan_aggregate asked[] = {
		{.name = "share", .fn = PLAN_FUNCTION},
		{.name = "large", .fn = PLAN_FUNCTION},
		{.name = "whole", .fn = PLAN_FUNCTION},
		{.name = "small", .fn = PLAN_FUNCTION},
		{.name = "printed", .fn = PLAN_FUNCTION, .format = "%.1f%%"},
		{.name = "text alone", .fn = PLAN_FUNCTION, .formatted = true},
		{.name = "nothing", .fn = PLAN_FUNCTION},
		{.name = "built in", .fn = PLAN_MAX, .formatted = true},
		{.name = "not yet", .fn = PLAN_MAX, .formatted = true},
		{.name = "no more", .fn = PLAN_MAX, .formatted = true},
		{.name = "full in", .fn = PLAN_ETA},
		{.name = "never", .fn = PLAN_ETA},
	};
	static const struct aggregate_reading readings[] = {
		{.value = 0.0312345}, {.value = 123456789.98765},     {.value = 1e15},    {.value = -1.23456e-9},
		{.value = 13.44},     {.value = NAN, .text = "fine"}, {.value = NAN},     {.value = 3, .text = "three"},
		{.value = 13.44},     {.value = NAN, .text = "old"},  {.value = 86399.7}, {.value = NAN},
	};
	const struct plan of = {.family_count = 1, .families = families, .aggregate_count = 12, .aggregates = asked};
	const struct family_snapshot cpu[] = {{1, 1, cpu_readings}};
	struct snapshot all = {.plan = &of,
	                       .time = 1,
	                       .since = 1,
	                       .family_count = 1,
	                       .families = cpu,
	                       .aggregate_count = 12,
	                       .aggregates = readings};
	char *text = report_stats(&all);
	json_t *json = json_loads(text, 0, NULL);

	(void)state;
	equals(json, "past_stat.share", "0.03123");
	equals(json, "past_stat.large", "123456789.988");
	equals(json, "past_stat.whole", "1000000000000000");
	equals(json, "past_stat.small", "-1.235e-9");
	equals(json, "past_stat.printed", "\"13.4%\"");
	equals(json, "past_stat.text alone", "\"fine\"");
	equals(json, "past_stat.nothing", "null");
	equals(json, "past_stat.built in", "\"three\"");
	equals(json, "past_stat.not yet", "13.4");
	equals(json, "past_stat.no more", "null");
	equals(json, "past_stat.full in", "86400");
	equals(json, "past_stat.never", "null");
	json_decref(json);
	free(text);
}

static void what_was_never_sampled_is_null(void **state)
{
	const struct family_snapshot of[] = {{0, 0, NULL}, {0, 0, NULL}, {0, 0, NULL}, {0, 0, NULL}};
	struct snapshot none = snapshot(of);
	json_t *json = stats(of);

	(void)state;
	equals(json, "current_stat.cpu_stat", "{\"usage\": null, \"time_stat\": {\"user\": null}}");
	equals(json, "current_stat.disk_stat", "{\"count\": {\"read_count\": null}, \"parts\": []}");
	json_decref(json);
	none.time = 0;
	assert_null(report_stats(&none));
}

/* A text and a number that say the same round the same way: a maximum is never below what is shown. */
static void rounding_is_one(void **state)
{
	(void)state;
	for (int i = 0; i < 2000; i++) {
		const double usage[] = {i * 0.05 + (i % 7) * 1e-9, 0, 0};
		const struct aggregate_reading past[] = {{.value = usage[0]}, {.value = 0}, {.value = 0}, {.value = NAN}};
		const struct reading readings[] = {{&alone, NULL, true, true, 1, usage}};
		const struct family_snapshot of[] = {{1, 1, readings}, {0, 0, NULL}, {0, 0, NULL}, {0, 0, NULL}};
		struct snapshot all = snapshot(of);
		char *text, *end;
		json_t *json;
		double shown, most;

		all.aggregates = past;
		text = report_stats(&all);
		json = json_loads(text, 0, NULL);
		shown = json_number_value(
			json_object_get(json_object_get(json_object_get(json, "current_stat"), "cpu_stat"), "usage"));
		most = strtod(json_string_value(json_object_get(json_object_get(json, "past_stat"), "max_cpu")), &end);
		assert_string_equal(end, "%");
		assert_true(most == shown);
		json_decref(json);
		free(text);
	}
}

/* However near they are to each other: as texts, too, a minimum is not above an average, nor that above a maximum. */
static void extremes_enclose_the_average(void **state)
{
	static const struct plan_aggregate three[] = {
		{.name = "min", .family = 0, .field = 0, .fn = PLAN_MIN, .format = "%.1f%%"},
		{.name = "avg", .family = 0, .field = 0, .fn = PLAN_AVG, .format = "%.1f%%"},
		{.name = "max", .family = 0, .field = 0, .fn = PLAN_MAX, .format = "%.1f%%"},
	};
	const struct plan just_cpu = {.family_count = 1, .families = families, .aggregate_count = 3, .aggregates = three};
	const struct family_snapshot of[] = {{1, 1, cpu_readings}};

	(void)state;
	srand(1);
	for (int i = 0; i < 2000; i++) {
		double low = rand() % 1000 * 0.05, high = low + rand() % 3 * 0.05, shown[3];
		const struct aggregate_reading past[] = {{.value = low},
		                                         {.value = low + (high - low) * rand() / RAND_MAX},
		                                         {.value = high}};
		struct snapshot all = {.plan = &just_cpu,
		                       .time = 1,
		                       .since = 1,
		                       .family_count = 1,
		                       .families = of,
		                       .aggregate_count = 3,
		                       .aggregates = past};
		char *text = report_stats(&all);
		json_t *json = json_loads(text, 0, NULL);

		for (size_t k = 0; k < 3; k++) {
			const char *value = json_string_value(json_object_get(json_object_get(json, "past_stat"), three[k].name));

			assert_non_null(value);
			shown[k] = strtod(value, NULL);
			assert_true(fabs(shown[k] - past[k].value) <= 0.05 + 1e-9);
		}
		assert_true(shown[0] <= shown[1] && shown[1] <= shown[2]);
		json_decref(json);
		free(text);
	}
}

/* Nothing that a plugin or a file system says makes the answer something else than JSON. */
static void strange_values_are_still_json(void **state)
{
	static const double strange[] = {INFINITY, -INFINITY}, large[] = {1e300, 1e-300};
	static const char *const odd_labels[] = {"\x80", ""};
	static const struct instance names[] = {{.name = "\xff\xfe"}, {.name = "\"\\\n\x01\x7f"}};
	const struct reading readings[] = {{&names[0], odd_labels, true, true, 1, strange},
	                                   {&names[1], sda_labels, true, true, 1, large}};
	const struct family_snapshot of[] = {{0, 0, NULL}, {0, 0, NULL}, {1, 2, readings}, {0, 0, NULL}};
	json_t *json = stats(of);

	(void)state;
	equals(json, "current_stat.disk_stat.parts",
	       "[{\"mt_pt\": \"??\", \"device\": \"?\", \"total_mem\": null, \"used_percent\": null},"
	       " {\"mt_pt\": \"\\\"\\\\\\n\\u0001\x7f\", \"device\": \"/dev/sda1\", \"total_mem\": 1e300, "
	       "\"used_percent\": 0}]");
	json_decref(json);
}

/* A sum of which a part is unknown is that of what is known; one of nothing is unknown, not zero. */
static void sums_are_of_what_is_known(void **state)
{
	const struct reading some[] = {{&sda, NULL, true, true, 1, unknown}, {&sdb, NULL, true, true, 1, two}};
	const struct reading none[] = {{&sda, NULL, true, true, 1, unknown}, {&md0, NULL, true, false, 1, many}};
	const struct family_snapshot of_some[] = {{0, 0, NULL}, {1, 2, some}, {0, 0, NULL}, {0, 0, NULL}};
	const struct family_snapshot of_none[] = {{0, 0, NULL}, {1, 2, none}, {0, 0, NULL}, {0, 0, NULL}};
	json_t *json = stats(of_some);

	(void)state;
	equals(json, "current_stat.disk_stat.count", "{\"read_count\": 2}");
	json_decref(json);
	json = stats(of_none);
	equals(json, "current_stat.disk_stat.count", "{\"read_count\": null}");
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_of_functions_are_shown_as_they_are),
		cmocka_unit_test(shapes_follow_the_tables),
		cmocka_unit_test(the_past_is_as_the_file_formats_it),
		cmocka_unit_test(what_was_never_sampled_is_null),
		cmocka_unit_test(rounding_is_one),
		cmocka_unit_test(extremes_enclose_the_average),
		cmocka_unit_test(strange_values_are_still_json),
		cmocka_unit_test(sums_are_of_what_is_known),
	};

	return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
