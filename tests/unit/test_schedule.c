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
	struct schedule_lost lost;
	int64_t last = 0;

	(void)state;
	schedule_begin(&schedule, S, 1000 * S);
	for (int64_t now = 1000 * S; now < 1100 * S; now += S / 10) {
		int64_t tick = schedule_take(&schedule, now, &lost);

		assert_true(lost.count == 0);
		if (!tick)
			continue;
		assert_true(last == 0 || tick == last + S);
		assert_true(tick <= now && now - tick < S / 10);
		last = tick;
	}
	assert_true(last == 1099 * S);
}

static void skips_and_counts_what_is_late(void **state)
{
	struct schedule schedule;
	struct schedule_lost lost;

	(void)state;
	schedule_begin(&schedule, S, 1000 * S);
	assert_true(schedule_take(&schedule, 1001 * S + S / 2, &lost) == 1001 * S);
	assert_true(lost.count == 0);
	/* Late by more than half an interval: the value would be that of another moment. */
	assert_true(schedule_take(&schedule, 1002 * S + S / 2 + 1, &lost) == 0);
	assert_true(lost.count == 1 && lost.from == 1001 * S && lost.to == 1002 * S);
	/* A pause of ten seconds: nine are lost, one is taken, and there is no burst. */
	assert_true(schedule_take(&schedule, 1012 * S, &lost) == 1012 * S);
	assert_true(lost.count == 9 && lost.from == 1002 * S && lost.to == 1011 * S);
	assert_true(schedule_take(&schedule, 1012 * S + 1, &lost) == 0);
	assert_true(lost.count == 0);
}

static void goes_on_at_the_new_time_when_the_clock_is_set(void **state)
{
	struct schedule schedule;
	struct schedule_lost lost;

	(void)state;
	schedule_begin(&schedule, S, 1000 * S);
	assert_true(schedule_resume(&schedule, 500 * S));
	assert_true(schedule_take(&schedule, 501 * S, &lost) == 501 * S);
	assert_true(lost.count == 0);
	assert_true(schedule_resume(&schedule, 9000 * S + S / 3));
	assert_true(schedule_take(&schedule, 9000 * S + S / 2, &lost) == 0);
	assert_true(schedule_take(&schedule, 9001 * S, &lost) == 9001 * S);
	assert_true(lost.count == 0);
}

static void does_not_take_a_tick_again_when_the_clock_goes_back_a_little(void **state)
{
	struct schedule schedule;
	struct schedule_lost lost;

	(void)state;
	schedule_begin(&schedule, S, 1000 * S);
	assert_true(schedule_take(&schedule, 1001 * S, &lost) == 1001 * S);
	/* Within the same interval nothing has changed; from before the last tick, that one is not to come again. */
	assert_false(schedule_resume(&schedule, 1001 * S + S / 10));
	assert_false(schedule_resume(&schedule, 1000 * S + S / 10));
	assert_true(schedule_take(&schedule, 1001 * S, &lost) == 0);
	assert_true(schedule_take(&schedule, 1002 * S, &lost) == 1002 * S);
	assert_true(lost.count == 0);
	/* A second that is inserted: 1003 is there twice. */
	assert_false(schedule_resume(&schedule, 1002 * S));
	assert_true(schedule_take(&schedule, 1003 * S, &lost) == 1003 * S);
	/* From further back it does. */
	assert_true(schedule_resume(&schedule, 1001 * S + S / 2));
	assert_true(schedule_take(&schedule, 1002 * S, &lost) == 1002 * S);
	assert_true(lost.count == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(begins_at_least_half_an_interval_later),
		cmocka_unit_test(takes_each_tick_once),
		cmocka_unit_test(skips_and_counts_what_is_late),
		cmocka_unit_test(goes_on_at_the_new_time_when_the_clock_is_set),
		cmocka_unit_test(does_not_take_a_tick_again_when_the_clock_goes_back_a_little),
	};

	return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
