/* links: agent/collect/wire.c agent/worker/message.c agent/metric/batch.c agent/base/memory.c agent/base/clock.c agent/base/error.c */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collect/wire.h"

static const struct pindrop_option options[] = {
	{.name = "flag", .type = PINDROP_BOOL},    {.name = "number", .type = PINDROP_NUMBER},
	{.name = "text", .type = PINDROP_STRING},  {.name = "none", .type = PINDROP_STRING},
	{.name = "list", .type = PINDROP_STRINGS}, {.name = "empty", .type = PINDROP_PATTERNS},
};
static const struct pindrop_plugin table = {.options = options, .option_count = PINDROP_COUNT(options)};

static void options_come_as_they_went(void **state)
{
	const char *const list[] = {"^/snap/", "b", NULL}, *const empty[] = {NULL};
	const union pindrop_value values[] = {{.flag = true}, {.number = 2.5}, {.text = "x"},
	                                      {.text = NULL}, {.list = list},  {.list = empty}};
	struct message message = {0};
	union pindrop_value *got;

	(void)state;
	wire_put_options(&message, &table, values);
	got = wire_get_options(&message, &table);
	assert_non_null(got);
	assert_true(got[0].flag);
	assert_true(got[1].number == 2.5);
	assert_string_equal(got[2].text, "x");
	assert_null(got[3].text);
	assert_string_equal(got[4].list[0], "^/snap/");
	assert_string_equal(got[4].list[1], "b");
	assert_null(got[4].list[2]);
	assert_null(got[5].list[0]);
	free((void *)got[4].list);
	free((void *)got[5].list);
	free(got);
	message_release(&message);
}

static void fill(struct batch *batch)
{
	const char *const label[] = {"/dev/sda1"};
	double *values;

	batch_begin(batch, 0, 2, 1);
	batch->duration = 1234;
	values = batch_add(batch, "/", label);
	values[0] = 1.5;
	values = batch_add(batch, "/home", label);
	values[1] = -0.0;
	batch->rows[1].summed = false;
}

static void replies_come_as_they_went(void **state)
{
	struct batch out = {0}, in = {0};
	struct message message = {0};
	struct error error = {""};

	(void)state;
	fill(&out);
	wire_put_reply(&message, &out, NULL);
	batch_begin(&in, 0, 2, 1);
	assert_int_equal(wire_get_reply(&message, &in, &error), 1);
	assert_int_equal(in.row_count, 2);
	assert_int_equal(in.duration, 1234);
	assert_string_equal(batch_name(&in, 0), "/");
	assert_string_equal(batch_name(&in, 1), "/home");
	assert_string_equal(batch_label(&in, 1, 0), "/dev/sda1");
	assert_true(in.rows[0].summed && !in.rows[1].summed);
	assert_true(batch_values(&in, 0)[0] == 1.5);
	assert_true(isnan(batch_values(&in, 0)[1]));
	message_release(&message);
	batch_release(&out);
	batch_release(&in);
}

static void words_come_instead(void **state)
{
	struct batch batch = {0};
	struct message message = {0};
	struct error words = {"cannot open /proc/stat"}, error = {""};

	(void)state;
	batch_begin(&batch, 0, 2, 1);
	wire_put_reply(&message, &batch, &words);
	assert_int_equal(wire_get_reply(&message, &batch, &error), 0);
	assert_string_equal(error.text, words.text);
	message_release(&message);
	batch_release(&batch);
}

/* A worker that has lost its mind must not take the agent along: under AddressSanitizer this finds every read too far. */
static void nonsense_is_refused(void **state)
{
	struct batch out = {0}, in = {0};
	struct message whole = {0};
	struct error error;

	(void)state;
	fill(&out);
	wire_put_reply(&whole, &out, NULL);
	srand(1);
	for (size_t length = 0; length < whole.length; length++) {
		struct message part = {0};

		message_put(&part, whole.bytes, length);
		batch_begin(&in, 0, 2, 1);
		assert_int_equal(wire_get_reply(&part, &in, &error), -1);
		message_release(&part);
	}
	for (int round = 0; round < 20000; round++) {
		struct message part = {0};

		message_put(&part, whole.bytes, whole.length);
		for (int i = 0; i < 3; i++)
			part.bytes[(size_t)rand() % part.length] = (char)rand();
		batch_begin(&in, 0, 2, 1);
		wire_get_reply(&part, &in, &error);
		message_release(&part);
	}
	message_release(&whole);
	batch_release(&out);
	batch_release(&in);
}

/* The same for what a worker is told: half an order is none. */
static void half_of_the_options_is_refused(void **state)
{
	const char *const list[] = {"^/snap/", "b", NULL}, *const empty[] = {NULL};
	const union pindrop_value values[] = {{.flag = true}, {.number = 2.5}, {.text = "x"},
	                                      {.text = NULL}, {.list = list},  {.list = empty}};
	struct message whole = {0};

	(void)state;
	wire_put_options(&whole, &table, values);
	for (size_t length = 0; length < whole.length; length++) {
		struct message part = {0};

		message_put(&part, whole.bytes, length);
		assert_null(wire_get_options(&part, &table));
		message_release(&part);
	}
	srand(2);
	for (int round = 0; round < 20000; round++) {
		struct message part = {0};
		union pindrop_value *got;

		message_put(&part, whole.bytes, whole.length);
		for (int i = 0; i < 3; i++)
			part.bytes[(size_t)rand() % part.length] = (char)rand();
		got = wire_get_options(&part, &table);
		/* What is taken can be used: each text ends, each list does. */
		for (size_t i = 4; got && i < 6; i++) {
			for (size_t k = 0; got[i].list[k]; k++)
				assert_true(strlen(got[i].list[k]) < part.length);
			free((void *)got[i].list);
		}
		free(got);
		message_release(&part);
	}
	message_release(&whole);
}

/* --- what runs pindrop.lua --------------------------------------------------------------------------------------- */

static const char *const fields[] = {"age", "depth"};
static const double samples[] = {1.5, NAN, 3}, times[] = {10, 20, 30};

static void put_setup(struct message *message)
{
	const struct script_setup setup = {.file = "a/pindrop.lua", .text = "return 1", .root = "", .limits = {123, 456}};
	const struct wire_collector collector = {"queue", true, 2, (const char **)fields};

	wire_put_script(message, &setup);
	wire_put_collector(message, &collector);
}

static bool get_setup(struct message *message, struct script_setup *setup, struct wire_collector *collector)
{
	return wire_get_script(message, setup) && wire_get_collector(message, collector);
}

static void put_question(struct message *message)
{
	const struct script_window window = {3, samples, times, 60, 2, 1, 1.5, 3, 2.25, 4.5, 3, 0.75};

	wire_put_window(message, "busy", &window, 7.5);
}

static void a_setup_comes_as_it_went(void **state)
{
	struct message message = {0};
	struct script_setup setup = {0};
	struct wire_collector collector;

	(void)state;
	put_setup(&message);
	assert_true(get_setup(&message, &setup, &collector));
	assert_string_equal(setup.file, "a/pindrop.lua");
	assert_string_equal(setup.text, "return 1");
	assert_string_equal(setup.root, "");
	assert_true(setup.limits.time == 123 && setup.limits.memory == 456);
	assert_string_equal(collector.name, "queue");
	assert_true(collector.instances);
	assert_int_equal(collector.field_count, 2);
	assert_string_equal(collector.fields[0], "age");
	assert_string_equal(collector.fields[1], "depth");
	free((void *)collector.fields);
	message_release(&message);
}

static void a_window_comes_as_it_went(void **state)
{
	struct message message = {0};
	struct script_window window;
	const char *name;
	double value, *block;

	(void)state;
	put_question(&message);
	assert_true(wire_get_window(&message, &name, &window, &value, &block));
	assert_string_equal(name, "busy");
	assert_true(value == 7.5 && window.count == 3);
	assert_true(window.values[0] == 1.5 && isnan(window.values[1]) && window.values[2] == 3);
	assert_true(window.times[0] == 10 && window.times[1] == 20 && window.times[2] == 30);
	assert_true(window.over == 60 && window.samples == 2 && window.unknown == 1 && window.min == 1.5);
	assert_true(window.max == 3 && window.avg == 2.25 && window.sum == 4.5 && window.last == 3);
	assert_true(window.stddev == 0.75);
	free(block);
	message_release(&message);
}

static void values_and_kinds_come_as_they_went(void **state)
{
	struct message message = {0};
	struct error words = {"no"}, error = {""};
	const char *metric, *instance, *text;
	double value;

	(void)state;
	wire_put_kind(&message, WIRE_ASK);
	wire_put_ask(&message, "disk.io.read_bytes", "sda");
	assert_int_equal(wire_get_kind(&message), WIRE_ASK);
	assert_true(wire_get_ask(&message, &metric, &instance));
	assert_string_equal(metric, "disk.io.read_bytes");
	assert_string_equal(instance, "sda");
	assert_false(wire_get_ask(&message, &metric, &instance));
	assert_int_equal(wire_get_kind(&message), WIRE_NONE);
	message_clear(&message);
	wire_put_value(&message, 2.5, "two", NULL);
	wire_put_value(&message, 3.5, NULL, NULL);
	wire_put_value(&message, 0, NULL, &words);
	assert_int_equal(wire_get_value(&message, &value, &text, &error), 1);
	assert_true(value == 2.5);
	assert_string_equal(text, "two");
	assert_int_equal(wire_get_value(&message, &value, &text, &error), 1);
	assert_null(text);
	assert_int_equal(wire_get_value(&message, &value, &text, &error), 0);
	assert_string_equal(error.text, "no");
	assert_int_equal(wire_get_value(&message, &value, &text, &error), -1);
	message.bytes[0] = 77;
	message.at = 0;
	assert_int_equal(wire_get_kind(&message), WIRE_NONE);
	message_release(&message);
}

/* Either end may have lost its mind: half of what it says is nothing, and nothing is read too far. */
static void half_of_it_is_refused(void **state)
{
	struct message setup = {0}, question = {0};
	struct script_setup script;
	struct wire_collector collector;
	struct script_window window;
	const char *name;
	double value, *block;

	(void)state;
	put_setup(&setup);
	put_question(&question);
	for (size_t length = 0; length < setup.length; length++) {
		struct message part = {0};

		message_put(&part, setup.bytes, length);
		assert_false(get_setup(&part, &script, &collector));
		message_release(&part);
	}
	for (size_t length = 0; length < question.length; length++) {
		struct message part = {0};

		message_put(&part, question.bytes, length);
		assert_false(wire_get_window(&part, &name, &window, &value, &block));
		message_release(&part);
	}
	message_release(&setup);
	message_release(&question);
}

static void damaged_it_does_no_harm(void **state)
{
	struct message setup = {0}, question = {0};

	(void)state;
	put_setup(&setup);
	put_question(&question);
	srand(3);
	for (int round = 0; round < 20000; round++) {
		const struct message *whole = round % 2 ? &setup : &question;
		struct message part = {0};
		struct script_setup script;
		struct wire_collector collector = {0};
		struct script_window window = {0};
		const char *name;
		double value, *block = NULL;

		message_put(&part, whole->bytes, whole->length);
		for (int i = 0; i < 3; i++)
			part.bytes[(size_t)rand() % part.length] = (char)rand();
		if (round % 2)
			get_setup(&part, &script, &collector);
		else
			wire_get_window(&part, &name, &window, &value, &block);
		for (size_t i = 0; collector.fields && i < collector.field_count; i++)
			assert_true(strlen(collector.fields[i]) < part.length);
		free((void *)collector.fields);
		free(block);
		message_release(&part);
	}
	message_release(&setup);
	message_release(&question);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_come_as_they_went),
		cmocka_unit_test(replies_come_as_they_went),
		cmocka_unit_test(words_come_instead),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(half_of_the_options_is_refused),
		cmocka_unit_test(a_setup_comes_as_it_went),
		cmocka_unit_test(a_window_comes_as_it_went),
		cmocka_unit_test(values_and_kinds_come_as_they_went),
		cmocka_unit_test(half_of_it_is_refused),
		cmocka_unit_test(damaged_it_does_no_harm),
	};

	return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
