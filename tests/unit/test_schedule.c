/* links: agent/collect/schedule.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collect/schedule.h"

#define S INT64_C(1000000000)

static void begins_at_least_half_an_interval_later(void **state)
{
	struct schedule schedule;

	(void)state;
	for (int64_t now = 1000 * S; now < 1020 * S; now += S / 7) {
		schedule_begin(&schedule, 10 * S, now);
		assert_true(schedule.next % (10 * S) == 0);
		assert_true(schedule.next - now >= 5 * S);
		assert_true(schedule.next - now < 15 * S);
	}
}

static void takes_each_tick_once(void **state)
{
	struct schedule schedule;
	uint64_t missed = 0;
	int64_t last = 0;

	(void)state;
	schedule_begin(&schedule, S, 1000 * S);
	for (int64_t now = 1000 * S; now < 1100 * S; now += S / 10) {
		int64_t tick = schedule_take(&schedule, now, &missed);

		if (!tick)
			continue;
		assert_true(last == 0 || tick == last + S);
		assert_true(tick <= now && now - tick < S / 10);
		last = tick;
	}
	assert_true(last == 1099 * S);
	assert_true(missed == 0);
}

static void skips_and_counts_what_is_late(void **state)
{
	struct schedule schedule;
	uint64_t missed = 0;

	(void)state;
	schedule_begin(&schedule, S, 1000 * S);
	assert_true(schedule_take(&schedule, 1001 * S + S / 2, &missed) == 1001 * S);
	assert_true(missed == 0);
	/* Late by more than half an interval: the value would be that of another moment. */
	assert_true(schedule_take(&schedule, 1002 * S + S / 2 + 1, &missed) == 0);
	assert_true(missed == 1);
	/* A pause of ten seconds: nine are lost, one is taken, and there is no burst. */
	assert_true(schedule_take(&schedule, 1012 * S, &missed) == 1012 * S);
	assert_true(missed == 10);
	assert_true(schedule_take(&schedule, 1012 * S + 1, &missed) == 0);
	assert_true(missed == 10);
}

static void begins_anew_when_the_clock_is_set(void **state)
{
	struct schedule schedule;
	uint64_t missed = 0;

	(void)state;
	schedule_begin(&schedule, S, 1000 * S);
	schedule_begin(&schedule, S, 500 * S);
	assert_true(schedule_take(&schedule, 501 * S, &missed) == 501 * S);
	schedule_begin(&schedule, S, 9000 * S);
	assert_true(schedule_take(&schedule, 9001 * S, &missed) == 9001 * S);
	assert_true(missed == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(begins_at_least_half_an_interval_later),
		cmocka_unit_test(takes_each_tick_once),
		cmocka_unit_test(skips_and_counts_what_is_late),
		cmocka_unit_test(begins_anew_when_the_clock_is_set),
	};

	return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
