/* links: agent/store/write_behind.c agent/base/memory.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/write_behind.h"

enum { FIELDS = 3, MAX = 40 };

/* A sample whose values tell which one it is. */
static size_t add(struct backlog *backlog, int64_t tick, size_t max)
{
	const double values[FIELDS] = {(double)tick, (double)tick + 0.25, (double)tick + 0.5};

	return backlog_add(backlog, tick, tick % 2, values, max);
}

/* It holds `count` samples with rising ticks, the newest of which is `last`, each with its own values. */
static void holds(const struct backlog *backlog, size_t count, int64_t last)
{
	assert_int_equal(backlog->count, count);
	for (size_t i = 0; i < count; i++) {
		int64_t tick = last - (int64_t)(count - 1 - i);
		const double *values = backlog_values(backlog, i);

		assert_int_equal(backlog->ticks[i], tick);
		for (size_t field = 0; field < FIELDS; field++)
			assert_true(values[field] == (double)tick + 0.25 * (double)field);
	}
}

static void the_oldest_goes_when_it_is_full(void **state)
{
	struct backlog backlog = {.field_count = FIELDS};

	(void)state;
	for (int64_t tick = 1; tick <= MAX; tick++)
		assert_int_equal(add(&backlog, tick, MAX), 0);
	holds(&backlog, MAX, MAX);
	assert_int_equal(add(&backlog, MAX + 1, MAX), 1);
	holds(&backlog, MAX, MAX + 1);
	/* When all files together have too much, the limit of one shrinks. */
	assert_int_equal(add(&backlog, MAX + 2, MAX / 2), MAX / 2 + 1);
	holds(&backlog, MAX / 2, MAX + 2);
	backlog_release(&backlog);
	assert_int_equal(backlog.count, 0);
	/* Released is not the end. */
	add(&backlog, 7, MAX);
	holds(&backlog, 1, 7);
	backlog_release(&backlog);
}

static void what_is_dropped_is_the_oldest(void **state)
{
	struct backlog backlog = {.field_count = FIELDS};

	(void)state;
	for (int64_t tick = 1; tick <= 10; tick++)
		add(&backlog, tick, MAX);
	backlog_drop(&backlog, 0);
	holds(&backlog, 10, 10);
	backlog_drop(&backlog, 4);
	holds(&backlog, 6, 10);
	backlog_drop(&backlog, 1000);
	holds(&backlog, 0, 0);
	backlog_drop(&backlog, 1);
	holds(&backlog, 0, 0);
	backlog_release(&backlog);
}

static void moving_keeps_the_order(void **state)
{
	struct backlog to = {.field_count = FIELDS}, from = {.field_count = FIELDS};
	int64_t tick = 0;

	(void)state;
	assert_int_equal(backlog_move(&to, &from, MAX), 0);
	holds(&to, 0, 0);
	while (tick < 10)
		add(&from, ++tick, MAX);
	/* Into an empty one, and then behind what could not be written. */
	for (int round = 1; round <= 3; round++) {
		assert_int_equal(backlog_move(&to, &from, MAX), 0);
		holds(&from, 0, 0);
		holds(&to, (size_t)round * 10, tick);
		for (int i = 0; i < 10; i++)
			add(&from, ++tick, MAX);
	}
	assert_int_equal(backlog_move(&to, &from, 35), 5);
	holds(&to, 35, tick);
	backlog_release(&to);
	backlog_release(&from);
}

/* Whatever is done in whatever order: no sample is doubled, mixed up, or lost without being counted. */
static void nothing_goes_uncounted(void **state)
{
	struct backlog coming = {.field_count = FIELDS}, leaving = {.field_count = FIELDS};
	int64_t tick = 0;
	size_t gone = 0;

	(void)state;
	srand(1);
	for (int step = 0; step < 20000; step++) {
		size_t some = (size_t)rand() % 5;

		switch (rand() % 4) {
		case 0:
			gone += some < leaving.count ? some : leaving.count;
			backlog_drop(&leaving, some);
			break;
		case 1:
			gone += backlog_move(&leaving, &coming, MAX);
			break;
		default:
			gone += add(&coming, ++tick, MAX);
		}
		assert_true(coming.count <= MAX && leaving.count <= MAX);
		assert_int_equal(gone + coming.count + leaving.count, tick);
		if (coming.count)
			holds(&coming, coming.count, tick);
		/* Between the two nothing is missing, unless `coming` had to let go of its oldest. */
		for (size_t i = 0; i < leaving.count; i++)
			assert_true(backlog_values(&leaving, i)[2] == (double)leaving.ticks[i] + 0.5 &&
			            (i == 0 || leaving.ticks[i] > leaving.ticks[i - 1]));
	}
	backlog_release(&coming);
	backlog_release(&leaving);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_oldest_goes_when_it_is_full),
		cmocka_unit_test(what_is_dropped_is_the_oldest),
		cmocka_unit_test(moving_keeps_the_order),
		cmocka_unit_test(nothing_goes_uncounted),
	};

	return cmocka_run_group_tests_name("write_behind", tests, NULL, NULL);
}
