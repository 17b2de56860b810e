/* links: agent/metric/batch.c agent/base/memory.c */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "metric/batch.h"

static void a_new_row_is_unknown_and_summed(void **state)
{
	struct batch batch = {0};
	double *values;

	(void)state;
	batch_begin(&batch, 3, 2, 0);
	values = batch_add(&batch, NULL, NULL);
	assert_true(isnan(values[0]) && isnan(values[1]));
	assert_string_equal(batch_name(&batch, 0), "");
	assert_true(batch.rows[0].summed);
	assert_null(batch.rows[0].instance);
	assert_int_equal(batch.family, 3);
	batch_release(&batch);
	assert_null(batch.rows);
}

static void names_and_labels_are_copied(void **state)
{
	struct batch batch = {0};
	char name[] = "/home", device[] = "/dev/sda1";
	const char *labels[] = {device, NULL, ""};

	(void)state;
	batch_begin(&batch, 0, 1, 3);
	batch_add(&batch, "/", NULL)[0] = 1;
	batch_add(&batch, name, labels)[0] = 2;
	batch_add(&batch, "/srv", (const char *const[]){"a", "b", "c"})[0] = 3;
	memset(name, 'x', sizeof(name) - 1);
	memset(device, 'x', sizeof(device) - 1);
	assert_string_equal(batch_name(&batch, 1), "/home");
	assert_string_equal(batch_label(&batch, 1, 0), "/dev/sda1");
	assert_string_equal(batch_label(&batch, 1, 1), "");
	assert_string_equal(batch_label(&batch, 1, 2), "");
	assert_string_equal(batch_label(&batch, 0, 2), "");
	assert_string_equal(batch_label(&batch, 2, 1), "b");
	assert_string_equal(batch_label(&batch, 2, 2), "c");
	assert_true(batch_values(&batch, 0)[0] == 1 && batch_values(&batch, 2)[0] == 3);
	batch_release(&batch);
}

static void it_grows_and_is_used_again(void **state)
{
	struct batch batch = {0};
	char name[32], label[32];
	const char *labels[] = {label};

	(void)state;
	/* Other numbers of fields need another room; a second round must not see the first one's values. */
	for (size_t fields = 1; fields < 9; fields += 2) {
		batch_begin(&batch, fields, fields, 1);
		assert_int_equal(batch.row_count, 0);
		assert_false(batch.on_tick);
		for (size_t row = 0; row < 1000; row++) {
			double *values;

			snprintf(name, sizeof(name), "n%zu", row * fields);
			snprintf(label, sizeof(label), "label %zu", row + fields);
			values = batch_add(&batch, name, labels);
			for (size_t i = 0; i < fields; i++) {
				assert_true(isnan(values[i]));
				values[i] = (double)(row * 10 + i);
			}
		}
		batch.on_tick = true;
		for (size_t row = 0; row < 1000; row++) {
			snprintf(name, sizeof(name), "n%zu", row * fields);
			snprintf(label, sizeof(label), "label %zu", row + fields);
			assert_string_equal(batch_name(&batch, row), name);
			assert_string_equal(batch_label(&batch, row, 0), label);
			for (size_t i = 0; i < fields; i++)
				assert_true(batch_values(&batch, row)[i] == (double)(row * 10 + i));
		}
	}
	batch_release(&batch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_row_is_unknown_and_summed),
		cmocka_unit_test(names_and_labels_are_copied),
		cmocka_unit_test(it_grows_and_is_used_again),
	};

	return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
