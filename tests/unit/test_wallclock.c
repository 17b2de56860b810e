/* links: agent/collect/wallclock.c agent/collect/schedule.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "collect/schedule.h"
#include "collect/wallclock.h"

#define S CLOCK_SECOND
#define HOUR (3600 * S)
#define YEAR (365 * 24 * HOUR)
#define BEGIN (50 * YEAR)

/* Time passes; then the machine sleeps; then the clock is set. */
static void pass(struct clock_reading *now, int64_t passed, int64_t slept, int64_t set)
{
	now->monotonic += passed;
	now->boot += passed + slept;
	now->wall += passed + slept + set;
}

static void sees_nothing_while_time_passes(void **state)
{
	struct clock_reading now = {BEGIN, 100 * S, 100 * S};
	struct wallclock clock = {now};
	struct wallclock_change change;

	(void)state;
	for (int64_t passed = 1; passed < 10 * YEAR; passed = 3 * passed) {
		pass(&now, passed, 0, 0);
		assert_false(wallclock_look(&clock, &now, S / 2, &change));
		assert_true(wallclock_when(&clock, now.wall + 5 * S) == now.monotonic + 5 * S);
	}
}

static void sees_by_how_much_the_clock_was_set(void **state)
{
	static const int64_t steps[] = {S, -S, HOUR, -HOUR, 10 * YEAR, -40 * YEAR};
	struct clock_reading now = {BEGIN, 100 * S, 100 * S};
	struct wallclock clock = {now};
	struct wallclock_change change;

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		pass(&now, 2 * S, 0, steps[i]);
		assert_true(wallclock_look(&clock, &now, S / 2, &change));
		assert_true(change.set == steps[i] && change.slept == 0);
		assert_true(change.after == now.wall);
		assert_true(wallclock_when(&clock, now.wall + S) == now.monotonic + S);
		pass(&now, S, 0, 0);
		assert_false(wallclock_look(&clock, &now, S / 2, &change));
	}
}

static void tells_sleep_from_a_clock_that_was_set(void **state)
{
	struct clock_reading now = {BEGIN, 100 * S, 300 * S};
	struct wallclock clock = {now};
	struct wallclock_change change;

	(void)state;
	pass(&now, S, 8 * HOUR, 0);
	assert_true(wallclock_look(&clock, &now, S / 2, &change));
	assert_true(change.slept == 8 * HOUR && change.set == 0);
	/* Both: what the battery's clock had lost meanwhile is put right. */
	pass(&now, S, 8 * HOUR, -3 * S);
	assert_true(wallclock_look(&clock, &now, S / 2, &change));
	assert_true(change.slept == 8 * HOUR && change.set == -3 * S);
	pass(&now, S, 8 * HOUR, S / 4);
	assert_true(wallclock_look(&clock, &now, S / 2, &change));
	assert_true(change.slept == 8 * HOUR && change.set == 0);
	/* The clock was set to what it had been before: all the same it slept. */
	pass(&now, S, HOUR, -HOUR);
	assert_true(wallclock_look(&clock, &now, S / 2, &change));
	assert_true(change.slept == HOUR && change.set == -HOUR);
}

static void follows_what_is_within_the_tolerance(void **state)
{
	struct clock_reading now = {BEGIN, 100 * S, 100 * S};
	struct wallclock clock = {now};
	struct wallclock_change change;

	(void)state;
	/* Also when it adds up. */
	for (int i = 0; i < 1000; i++) {
		pass(&now, S, 0, i < 500 ? S / 2 : -S / 2);
		assert_false(wallclock_look(&clock, &now, S / 2, &change));
		assert_true(wallclock_when(&clock, now.wall + S) == now.monotonic + S);
	}
	pass(&now, S, 0, S / 2 + 1);
	assert_true(wallclock_look(&clock, &now, S / 2, &change));
}

/* --- any sequence ------------------------------------------------------------------------------------------------ */

/* The sampler's loop on made-up clocks, beside a plain account of what may come next. */
struct world {
	unsigned seed;
	int64_t interval;
	struct clock_reading now;
	int64_t set, slept; /* since the last look */
	int64_t last;       /* tick that was taken */
	int64_t expected;   /* the next tick that is to be taken, or told as lost */
	int64_t held_up;    /* how late the wake-up is */
	uint64_t happened;  /* how often something did */
	uint64_t idle;      /* wake-ups for no tick */
	uint64_t taken, lost, breaks;
	struct wallclock clock;
	struct schedule schedule;
};

static int64_t draw(struct world *world, int64_t limit)
{
	int64_t wide = (int64_t)rand_r(&world->seed) << 31 | rand_r(&world->seed);

	return wide % limit;
}

static bool one_in(struct world *world, int64_t count)
{
	return draw(world, count) == 0;
}

/* From a nanosecond to ten years, all orders of magnitude alike. */
static int64_t draw_size(struct world *world)
{
	return 1 + draw(world, INT64_C(1) << draw(world, 58));
}

static void happen(struct world *world)
{
	int64_t tolerance = world->interval / 4, set = 0, slept = 0;

	if (one_in(world, 2))
		set = draw(world, 2 * tolerance) - tolerance;
	else if (one_in(world, 2))
		slept = draw_size(world);
	else
		set = one_in(world, 2) ? draw_size(world) : -draw_size(world);
	/* In this world time begins in 1970. */
	if (world->now.wall + set < YEAR)
		set = 0;
	if (world->now.wall > 200 * YEAR)
		set = -150 * YEAR;
	pass(&world->now, 0, slept, set);
	world->set += set;
	world->slept += slept;
	world->happened++;
}

/* Lets time pass until the timer fires, or the bell rings. */
static void wait(struct world *world)
{
	int64_t at = wallclock_when(&world->clock, world->schedule.next), passed = at - world->now.monotonic;
	bool rung = false;

	passed = passed > 0 ? passed : 0;
	if (one_in(world, 5)) {
		int64_t part = draw(world, passed + 1);

		pass(&world->now, part, 0, 0);
		happen(world);
		passed -= part;
		rung = one_in(world, 2);
	}
	world->held_up = draw(world, world->interval / 4);
	if (one_in(world, 20))
		world->held_up = draw(world, 20 * world->interval);
	pass(&world->now, rung ? 0 : passed + world->held_up, 0, 0);
}

static void check_change(struct world *world, bool changed, const struct wallclock_change *change)
{
	int64_t tolerance = world->interval / 4;

	assert_true(change->slept == (world->slept > tolerance ? world->slept : 0));
	if (!world->slept)
		assert_true(change->set == (llabs(world->set) > tolerance ? world->set : 0));
	assert_true(changed == (change->slept || change->set));
	if (changed && schedule_resume(&world->schedule, world->now.wall)) {
		world->expected = world->schedule.next;
		world->breaks++;
		/* The tick that was taken last in the row before does not come again. */
		assert_true(world->schedule.next != world->last);
		world->last = 0;
		assert_true(world->expected > world->now.wall && world->expected <= world->now.wall + world->interval);
	}
	/* It never waits for a time that the clock was set back from. */
	assert_true(world->schedule.next <= world->now.wall + 2 * world->interval);
	assert_true(world->schedule.next == world->expected);
}

static void check_tick(struct world *world, int64_t tick, const struct schedule_lost *lost)
{
	int64_t interval = world->interval;

	/* Whoever is not held up loses nothing. */
	if (world->held_up < interval / 4)
		assert_true(lost->count == 0);
	if (lost->count) {
		assert_true(lost->from == world->expected - interval);
		assert_true(lost->to == lost->from + (int64_t)lost->count * interval);
		world->expected = lost->to + interval;
		world->lost += lost->count;
	}
	if (tick) {
		assert_true(tick == world->expected && tick % interval == 0);
		assert_true(world->now.wall >= tick && world->now.wall - tick <= interval / 2);
		world->expected += interval;
		world->taken++;
		world->last = tick;
	}
	world->idle += !tick && !lost->count;
	assert_true(world->expected > world->now.wall);
}

static void live(struct world *world)
{
	struct wallclock_change change;
	struct schedule_lost lost;
	int64_t tick;
	bool changed;

	world->clock.now = world->now;
	schedule_begin(&world->schedule, world->interval, world->now.wall);
	world->expected = world->schedule.next;
	for (int i = 0; i < 2000; i++) {
		wait(world);
		changed = wallclock_look(&world->clock, &world->now, world->interval / 4, &change);
		check_change(world, changed, &change);
		tick = schedule_take(&world->schedule, world->now.wall, &lost);
		check_tick(world, tick, &lost);
		world->set = world->slept = 0;
	}
	/* A wake-up is one for a tick, but for what happened. */
	assert_true(world->idle <= 2 * world->happened);
	assert_true(world->taken > 1000 && world->lost > 100 && world->breaks > 10);
}

static void loses_and_doubles_no_tick_whatever_the_clock_does(void **state)
{
	static const int64_t intervals[] = {S / 10, S, 10 * S, HOUR};

	(void)state;
	for (unsigned seed = 0; seed < 200; seed++) {
		struct world world = {.seed = seed,
		                      .interval = intervals[seed % 4],
		                      .now = {BEGIN + seed * S / 7, 100 * S, 100 * S}};

		live(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sees_nothing_while_time_passes),
		cmocka_unit_test(sees_by_how_much_the_clock_was_set),
		cmocka_unit_test(tells_sleep_from_a_clock_that_was_set),
		cmocka_unit_test(follows_what_is_within_the_tolerance),
		cmocka_unit_test(loses_and_doubles_no_tick_whatever_the_clock_does),
	};

	return cmocka_run_group_tests_name("wallclock", tests, NULL, NULL);
}
