/* links: agent/top/model.c agent/top/history.c agent/base/memory.c agent/base/text.c */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "top/model.h"

#include "top_documents.h"

#define T 1795600800.0

static bool latest(struct model *model, const char *text)
{
	return model_latest(model, text, strlen(text));
}

static const struct model_instance *instance(const struct model *model, const char *family, const char *name)
{
	const struct model_family *it = model_family(model, family);

	assert_non_null(it);
	for (size_t i = 0; i < it->instance_count; i++)
		if (strcmp(it->instances[i]->name, name) == 0)
			return it->instances[i];
	return NULL;
}

static double value(const struct model *model, const char *family, const char *name, const char *field)
{
	const struct model_instance *it = instance(model, family, name);

	assert_non_null(it);
	return it->values[model_field(model_family(model, family), field)];
}

static void close_to(double is, double wanted)
{
	if (!(fabs(is - wanted) <= 1e-6 * fmax(1, fabs(wanted))))
		fail_msg("%.9g is not %.9g", is, wanted);
}

static void headlines(const struct model *model, const char *family, const char *const *wanted)
{
	const struct model_family *it = model_family(model, family);
	size_t count = 0;

	for (; wanted[count]; count++)
		;
	assert_int_equal(it->headline_count, count);
	for (size_t i = 0; i < count; i++)
		assert_string_equal(it->fields[it->headlines[i]].name, wanted[i]);
}

static void finds_the_headlines(void **state)
{
	struct model *model = recorded();

	(void)state;
	headlines(model, "cpu", (const char *[]){"usage", NULL});
	headlines(model, "memory.vm", (const char *[]){"percent", NULL});
	headlines(model, "disk.space", (const char *[]){"used_percent", NULL});
	headlines(model, "disk.io", (const char *[]){"read_bytes", "write_bytes", NULL});
	headlines(model, "queue", (const char *[]){"depth", NULL});
	headlines(model, "load", (const char *[]){"one", "five", "fifteen", NULL});
	model_free(model);
}

static void takes_differences_of_counters(void **state)
{
	struct model *model = recorded();

	(void)state;
	close_to(value(model, "disk.io", "sda", "read_bytes"), 1.25e6);
	close_to(value(model, "disk.io", "sda", "read_count"), 0);
	close_to(value(model, "cpu", "", "user"), 2);
	close_to(value(model, "cpu", "", "usage"), 23.4);
	/* It went back: it began anew. */
	assert_true(isnan(value(model, "net", "lo", "rx_bytes")));
	/* Its sample was the same both times. */
	assert_true(isnan(value(model, "queue", "", "done")));
	close_to(value(model, "queue", "", "depth"), 17);
	assert_true(isnan(value(model, "zones", "lost", "celsius")));
	model_free(model);
}

/* The time between is that of the samples, however long it was. */
static void divides_by_the_time_that_passed(void **state)
{
	struct model *model = recorded();

	(void)state;
	assert_true(latest(model, "{\"families\": {\"net\": {\"time\": 1795600804.0004, \"instances\": "
	                          "{\"eth0\": [53345, null, 0, 1]}}}}"));
	close_to(value(model, "net", "eth0", "rx_bytes"), 10000);
	assert_true(isnan(value(model, "net", "eth0", "tx_bytes")));
	close_to(value(model, "net", "eth0", "errors"), 0.25);
	/* The same sample again changes nothing. */
	assert_true(latest(model, "{\"families\": {\"net\": {\"time\": 1795600804.0004, \"instances\": "
	                          "{\"eth0\": [99999, 7, 0, 1]}}}}"));
	close_to(value(model, "net", "eth0", "rx_bytes"), 10000);
	/* The clock was set back: unknown, then known again. */
	assert_true(latest(model, "{\"families\": {\"net\": {\"time\": 1795600100, \"instances\": "
	                          "{\"eth0\": [99999, 7, 0, 1]}}}}"));
	assert_true(isnan(value(model, "net", "eth0", "rx_bytes")));
	assert_true(latest(model, "{\"families\": {\"net\": {\"time\": 1795600101, \"instances\": "
	                          "{\"eth0\": [100099, 7, 0, 1]}}}}"));
	close_to(value(model, "net", "eth0", "rx_bytes"), 100);
	model_free(model);
}

static void sorts_and_forgets_instances(void **state)
{
	struct model *model = recorded();
	const struct model_family *cores = model_family(model, "cpu.core");
	char number[8];

	(void)state;
	assert_int_equal(cores->instance_count, 12);
	for (size_t i = 0; i < 12; i++) {
		snprintf(number, sizeof(number), "%zu", i);
		assert_string_equal(cores->instances[i]->name, number);
	}
	assert_null(instance(model, "net", "gone"));
	assert_non_null(instance(model, "net", "lo"));
	assert_int_equal(model_family(model, "empty")->instance_count, 0);
	model_free(model);
}

static const struct history *history(const struct model *model, const char *family, const char *name, size_t headline)
{
	return &instance(model, family, name)->histories[headline];
}

static void joins_the_past_to_what_it_sees(void **state)
{
	struct model *model = recorded();
	const struct history *battery = history(model, "battery", "a", 0), *cpu = history(model, "cpu", "", 0);

	(void)state;
	/* A row of five seconds stands for all five; what was seen live comes over it. */
	close_to(history_mean(battery, (int64_t)T - 10, (int64_t)T - 5), 95 - 58 * 0.25);
	close_to(history_mean(battery, (int64_t)T - 6, (int64_t)T - 5), 95 - 58 * 0.25);
	close_to(history_mean(battery, (int64_t)T - 1, (int64_t)T), 79.94);
	close_to(history_mean(battery, (int64_t)T - 2, (int64_t)T - 1), 79.94);
	close_to(history_mean(battery, (int64_t)T - 3, (int64_t)T - 2), 95 - 59 * 0.25);
	assert_true(isnan(history_mean(cpu, (int64_t)T - 195, (int64_t)T - 160)));
	assert_true(isnan(history_mean(history(model, "disk.io", "nvme0n1", 0), (int64_t)T, (int64_t)T + 100)));
	close_to(history_max(history(model, "disk.io", "sda", 0)), 4e6);
	model_free(model);
}

/* After one look, what the files say of a counter is the best that is known. */
static void knows_rates_from_the_past(void **state)
{
	struct model *model = model_new();

	(void)state;
	feed(model, model_latest, "latest-2.json");
	feed(model, model_metrics, "metrics.json");
	feed(model, model_latest, "latest-2.json");
	assert_true(isnan(value(model, "disk.io", "sda", "write_bytes")));
	feed(model, model_series, "series.json");
	close_to(value(model, "disk.io", "sda", "write_bytes"), 59000);
	close_to(value(model, "cpu", "", "usage"), 23.4);
	model_free(model);
}

static void reads_the_catalogue_when_it_changes(void **state)
{
	struct model *model = recorded();
	static const char fewer[] =
		"{\"families\": [{\"name\": \"battery\", \"interval\": 2, \"instance\": \"pack\", \"fields\": ["
		"{\"name\": \"charge\", \"kind\": \"gauge\", \"unit\": \"percent\"},"
		"{\"name\": \"volts\", \"kind\": \"gauge\", \"unit\": \"volts\"}]},"
		"{\"name\": \"zones\", \"interval\": 1, \"instance\": \"zone\", \"fields\": ["
		"{\"name\": \"fahrenheit\", \"kind\": \"gauge\", \"unit\": \"fahrenheit\"}]}]}";

	(void)state;
	assert_false(model->outdated);
	assert_true(latest(model, "{\"catalogue\": 4712, \"families\": {}}"));
	assert_true(model->outdated);
	feed(model, model_latest, "latest-2.json");
	assert_true(model_metrics(model, fewer, strlen(fewer)));
	assert_false(model->outdated);
	assert_int_equal(model->family_count, 2);
	close_to(model_interval(model), 1);
	close_to(value(model, "battery", "a", "charge"), 79.94);
	assert_null(instance(model, "zones", "cpu"));
	/* Values that do not fit the fields are of another catalogue. */
	assert_true(latest(model, "{\"catalogue\": 4711, \"families\": {\"battery\": {\"time\": 1795600801, \"instances\": "
	                          "{\"a\": [1, 2, 3]}}}}"));
	assert_true(model->outdated);
	close_to(value(model, "battery", "a", "charge"), 79.94);
	model_free(model);
}

static void asks_for_the_headlines(void **state)
{
	struct model *model = recorded();
	char *wanted = model_wanted(model);

	(void)state;
	assert_string_equal(wanted, "queue.depth,cpu.usage,cpu.core.usage,memory.vm.percent,memory.swap.percent,"
	                            "disk.io.read_bytes,disk.io.write_bytes,disk.space.used_percent,load.one,load.five,"
	                            "load.fifteen,net.rx_bytes,net.tx_bytes,net.dropped_bytes,battery.charge,zones.celsius,"
	                            "empty.x");
	free(wanted);
	model_free(model);
}

static void keeps_what_it_has_from_nonsense(void **state)
{
	static const char *const nonsense[] = {
		"",
		"{",
		"[]",
		"null",
		"7",
		"\"families\"",
		"{}",
		"{\"families\": 7, \"series\": 7, \"aggregates\": {}, \"status\": 7}",
		"<html>404</html>",
	};
	struct model *model = recorded();

	(void)state;
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
		size_t length = strlen(nonsense[i]);

		assert_false(model_metrics(model, nonsense[i], length));
		assert_false(model_latest(model, nonsense[i], length));
		assert_false(model_series(model, nonsense[i], length));
		assert_false(model_aggregates(model, nonsense[i], length));
		assert_false(model_health(model, nonsense[i], length));
	}
	close_to(value(model, "cpu", "", "usage"), 23.4);
	assert_int_equal(model->aggregate_count, 6);
	assert_int_equal(model->reason_count, 2);
	model_free(model);
}

/* Documents whose frame is right and whose contents are not. */
static void bears_odd_documents(void **state)
{
	static const char metrics[] = "{\"families\": [7, {}, {\"name\": \"x\", \"fields\": [null, {}]}, "
								  "{\"name\": \"y\", \"interval\": -3, \"fields\": [{\"decimals\": 1e99}]}]}";
	static const char series[] = "{\"series\": [7, {}, {\"metric\": \"x.\", \"instance\": null, \"start\": 1e300, "
								 "\"step\": 1e-300, \"avg\": [1, \"a\", null]}]}";
	static const char aggregates[] = "{\"aggregates\": [7, {}, {\"value\": \"a\"}]}";
	static const char health[] = "{\"status\": \"ok\", \"reasons\": [7, null, {}]}";
	struct model *model = model_new();

	(void)state;
	assert_true(model_metrics(model, metrics, strlen(metrics)));
	assert_true(latest(model, "{\"families\": {\"x\": {\"time\": 1e300, \"instances\": {\"\": [1, \"a\"]}}, "
	                          "\"y\": {\"time\": -7, \"instances\": {\"a\": [1], \"b\": 7}}, \"z\": []}}"));
	assert_true(latest(model, "{\"families\": {\"x\": 7, \"y\": {\"instances\": [1]}}}"));
	assert_true(model_series(model, series, strlen(series)));
	assert_true(model_aggregates(model, aggregates, strlen(aggregates)));
	assert_true(model_health(model, health, strlen(health)));
	model_free(model);
}

/* --- history ------------------------------------------------------------------------------------------------ */

static void remembers_the_last_minutes(void **state)
{
	struct history it;

	(void)state;
	history_clear(&it);
	assert_true(isnan(history_mean(&it, 0, 1000)));
	assert_true(isnan(history_max(&it)));
	for (int64_t second = 1000; second < 1000 + 2 * HISTORY_SECONDS; second++)
		history_add(&it, (double)second + 0.01, 1, (double)second);
	close_to(history_mean(&it, 1599 - HISTORY_SECONDS, 1599), 1599 - (HISTORY_SECONDS - 1) / 2.0);
	assert_true(isnan(history_mean(&it, 1000, 1599 - HISTORY_SECONDS)));
	/* A gap is unknown, not what was there a round before. */
	history_add(&it, 1604, 1, 7);
	assert_true(isnan(history_mean(&it, 1599, 1603)));
	close_to(history_mean(&it, 1599, 1604), 7);
	/* Too old: as if it had never been said. */
	history_add(&it, 1604 - HISTORY_SECONDS, 1, 99);
	close_to(history_mean(&it, 1603, 1604), 7);
	/* A long sleep. */
	history_add(&it, 9000, 3, 5);
	close_to(history_mean(&it, 0, 10000), 5);
	assert_true(isnan(history_mean(&it, 0, 8997)));
	/* The clock was set back by far. */
	history_add(&it, 5000, 1, 4);
	close_to(history_mean(&it, 0, 10000), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_headlines),
		cmocka_unit_test(takes_differences_of_counters),
		cmocka_unit_test(divides_by_the_time_that_passed),
		cmocka_unit_test(sorts_and_forgets_instances),
		cmocka_unit_test(joins_the_past_to_what_it_sees),
		cmocka_unit_test(knows_rates_from_the_past),
		cmocka_unit_test(reads_the_catalogue_when_it_changes),
		cmocka_unit_test(asks_for_the_headlines),
		cmocka_unit_test(keeps_what_it_has_from_nonsense),
		cmocka_unit_test(bears_odd_documents),
		cmocka_unit_test(remembers_the_last_minutes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
