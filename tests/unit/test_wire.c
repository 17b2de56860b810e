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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_come_as_they_went),
		cmocka_unit_test(replies_come_as_they_went),
		cmocka_unit_test(words_come_instead),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(half_of_the_options_is_refused),
	};

	return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
