/* links: agent/metric/view.c agent/metric/trend.c agent/metric/window.c agent/metric/quantiles.c agent/base/text.c agent/base/memory.c agent/base/clock.c */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "metric/view.h"

#define SECOND INT64_C(1000000000)
#define ROUNDS 500

/* --- points ------------------------------------------------------------------------------------------------------- */

static struct trend_point points[TREND_POINTS];

static double uniform(double low, double high)
{
	return low + (high - low) * ((double)random() / (double)RAND_MAX);
}

/* Nearly normal: the sum of twelve. */
static double noise(double size)
{
	double sum = -6;

	for (int i = 0; i < 12; i++)
		sum += uniform(0, 1);
	return sum * size;
}

/* A line that is `from` at 0 and rises by `slope` a second, a point a minute, with noise. */
static struct trend draw(size_t count, double from, double slope, double size)
{
	for (size_t i = 0; i < count; i++)
		points[i] = (struct trend_point){60.0 * (double)i, from + slope * 60 * (double)i + noise(size)};
	return trend_fit(points, count);
}

static double eta(const struct trend *trend, double to)
{
	return trend_eta(trend, to, trend->time);
}

/* --- the fit ------------------------------------------------------------------------------------------------------ */

static void a_line_is_found_exactly(void **state)
{
	struct trend trend = draw(10, 20, 0.01, 0);

	(void)state;
	assert_true(trend.known && fabs(trend.slope - 0.01) < 1e-12 && fabs(trend.level - 25.4) < 1e-9);
	assert_true(fabs(trend.start - 20) < 1e-9 && fabs(trend.last - 25.4) < 1e-9);
	assert_true(fabs(eta(&trend, 100) - 7460) < 1e-6);
	assert_true(fabs(trend_eta(&trend, 100, trend.time + 60) - 7400) < 1e-6); /* counts down */
	trend = draw(TREND_POINTS, 20, -0.01, 0);
	assert_true(trend.known && fabs(trend.slope + 0.01) < 1e-12);
	assert_true(fabs(eta(&trend, -100) - (100 + trend.level) / 0.01) < 1e-6);
}

static void few_points_say_nothing(void **state)
{
	(void)state;
	for (size_t count = 0; count < TREND_LEAST; count++) {
		struct trend trend = draw(count, 20, 0.01, 0);

		assert_true(!trend.known && isnan(eta(&trend, 100)));
	}
	assert_true(draw(TREND_LEAST, 20, 0.01, 0).known);
}

static void what_is_there_is_there(void **state)
{
	struct trend trend = draw(50, 20, 0.01, 0);

	(void)state;
	assert_true(eta(&trend, 30) == 0);                                      /* passed on the way */
	assert_true(isnan(eta(&trend, 10)));                                    /* it leads away, and was never there */
	assert_true(trend_eta(&trend, trend.level + 1, trend.time + 200) == 0); /* it will have come by then */
	trend = draw(50, 60, -0.01, 0);
	assert_true(eta(&trend, 50) == 0 && isnan(eta(&trend, 90)) && eta(&trend, 0) > 0);
	trend = draw(50, 100, 0, 0);
	assert_true(!trend.known && eta(&trend, 100) == 0 && isnan(eta(&trend, 101))); /* a full disk stays full */
}

static void noise_has_no_trend(void **state)
{
	static const size_t counts[] = {TREND_LEAST, 30, TREND_POINTS};

	(void)state;
	srandom(1);
	for (size_t k = 0; k < 3; k++) {
		int told = 0, told_of_ties = 0;

		for (int i = 0; i < 2 * ROUNDS; i++) {
			struct trend trend = draw(counts[k], 50, 0, 1);

			told += !isnan(eta(&trend, 100));
			/* Many that are the same. */
			for (size_t point = 0; point < counts[k]; point++)
				points[point].value = (double)(random() % 9);
			trend = trend_fit(points, counts[k]);
			told_of_ties += !isnan(eta(&trend, 100));
		}
		assert_true(told < 2 * ROUNDS * 0.02 && told_of_ties < 2 * ROUNDS * 0.02);
		assert_true(told > 0); /* one percent of false alarms was chosen, not none */
	}
}

/* Six that are 0, then six that are 1: S is 36, its variance (12 * 11 * 29 - 2 * 6 * 5 * 17) / 18 = 156, so z is 2.8;
 * were they not tied it would be 2.4. Five and five are too few: 2.5. */
static void ties_are_taken_into_account(void **state)
{
	(void)state;
	for (size_t half = 5; half <= 6; half++) {
		for (size_t i = 0; i < 2 * half; i++)
			points[i] = (struct trend_point){(double)i, i >= half};
		assert_true(trend_fit(points, 2 * half).known == (half == 6));
	}
}

/* 80 % in 24 h, with noise of a tenth of the rise. */
static void a_noisy_line_is_found(void **state)
{
	(void)state;
	srandom(2);
	for (int i = 0; i < ROUNDS; i++) {
		struct trend trend = draw(TREND_POINTS, 20, 1e-3, 0.75);
		double should = (100 - (20 + 1e-3 * trend.time)) / 1e-3;

		assert_true(trend.known);
		assert_true(fabs(eta(&trend, 100) - should) < 0.15 * should);
	}
}

/* A fifth of the points may be anything. */
static void outliers_do_not_move_it(void **state)
{
	(void)state;
	srandom(3);
	for (int i = 0; i < ROUNDS; i++) {
		struct trend trend = draw(TREND_POINTS, 20, 1e-3, 0.05);
		double should = (100 - (20 + 1e-3 * trend.time)) / 1e-3;

		for (size_t point = 0; point < TREND_POINTS; point++)
			if (random() % 5 == 0)
				points[point].value = i % 2 ? uniform(-1e6, 1e6) : 1e9;
		trend = trend_fit(points, TREND_POINTS);
		trend.last = NAN;
		assert_true(trend.known);
		assert_true(fabs(eta(&trend, 100) - should) < 0.15 * should);
	}
}

/* Logs that grow and are thrown away: over many teeth nothing is said, within one it is. */
static void a_saw_has_no_trend(void **state)
{
	int told = 0;

	(void)state;
	srandom(4);
	for (int i = 0; i < ROUNDS; i++) {
		double tooth = uniform(5, 25), shift = uniform(0, 25);
		struct trend trend;

		for (size_t point = 0; point < TREND_POINTS; point++)
			points[point] =
				(struct trend_point){60.0 * (double)point, 40 + fmod((double)point + shift, tooth) + noise(0.1)};
		trend = trend_fit(points, TREND_POINTS);
		told += !isnan(eta(&trend, 100));
	}
	assert_true(told < ROUNDS * 0.02);
	/* It grows from tooth to tooth. */
	for (size_t point = 0; point < TREND_POINTS; point++)
		points[point].value = 40 + fmod((double)point, 16) + 0.2 * (double)point;
	assert_true(eta(&(struct trend){0}, 100) != 0);
	assert_true(trend_fit(points, TREND_POINTS).known);
}

static void values_of_any_size(void **state)
{
	struct trend trend;

	(void)state;
	for (size_t i = 0; i < 20; i++)
		points[i] = (struct trend_point){(double)i, 1e308 * ((double)i / 10 - 1)};
	trend = trend_fit(points, 20);
	assert_true(!trend.known || isfinite(trend.level));
	for (size_t i = 0; i < 20; i++)
		points[i] = (struct trend_point){(double)i * 1e-6, 4e9 + (double)i};
	trend = trend_fit(points, 20);
	assert_true(trend.known && fabs(eta(&trend, 5e9) - (1e9 - 19) * 1e-6) < 1);
}

/* --- windows ------------------------------------------------------------------------------------------------------ */

struct bench {
	struct view view;
	int64_t now;
};

static void begin(struct bench *bench, int64_t over)
{
	*bench = (struct bench){.now = 1000 * SECOND};
	window_begin(&bench->view.window, over);
	window_want(&bench->view.window, true, 0);
}

static void say(struct bench *bench, double value)
{
	bench->now += SECOND;
	window_advance(&bench->view.window, bench->now);
	window_add(&bench->view.window, value, 1);
}

static void a_window_has_a_trend(void **state)
{
	static const int64_t overs[] = {0, 20 * SECOND, 600 * SECOND, 20000 * SECOND};

	(void)state;
	srandom(5);
	for (size_t k = 0; k < 4; k++) {
		struct bench bench;

		begin(&bench, overs[k]);
		assert_true(isnan(view_eta(&bench.view, 1e5)));
		for (int i = 1; i <= 30000; i++) {
			double should = (1e5 - i * 2.0) / 2;

			say(&bench, i % 7 ? i * 2.0 : (double)NAN);
			if (i >= 15 && i % 11 == 0)
				assert_true(fabs(view_eta(&bench.view, 1e5) - should) < 1e-6 * should + 1);
			if (i == 20)
				assert_true(isnan(view_eta(&bench.view, 0)) && view_eta(&bench.view, 20) == 0);
		}
		view_reset(&bench.view);
		assert_true(isnan(view_eta(&bench.view, 1e5)));
		window_release(&bench.view.window);
	}
}

/* Two disks of different sizes in one window: what is shown of them together does not jump with who is in which slice. */
static void several_instances_are_averaged_by_time(void **state)
{
	struct bench bench;

	(void)state;
	begin(&bench, 500 * SECOND);
	for (int i = 1; i <= 900; i++) {
		say(&bench, i);
		window_add(&bench.view.window, 1000 + i, 1);
		window_add(&bench.view.window, 5000 + i, 1);
	}
	assert_true(fabs(view_eta(&bench.view, 3900) - 1000) < 1);
	window_release(&bench.view.window);
}

/* Stored rows of several instances, some of which are kept in coarser steps: in the order of their ends, not of their
 * middles. */
static void rows_of_all_lengths_make_a_line(void **state)
{
	static struct window_row rows[3000];
	struct bench bench;

	(void)state;
	srandom(6);
	for (int round = 0; round < 20; round++) {
		begin(&bench, 10000 * SECOND);
		for (int i = 0; i < 3000; i++) {
			int64_t span = random() % 3 ? SECOND : (1 + random() % 300) * SECOND, time = (10000 + i / 2) * SECOND;
			double value = 1000 + (double)(time - span / 2) / 1e9;

			rows[i] = (struct window_row){.first = time - span, .time = time, .count = 1, .weight = 1, .sum = value};
			rows[i].min = rows[i].max = value;
		}
		view_remember(&bench.view, rows, 3000);
		assert_true(fabs(view_eta(&bench.view, 20000) - 7500) < 100);
		window_release(&bench.view.window);
	}
}

static void it_is_fitted_now_and_then(void **state)
{
	struct bench bench;
	int64_t fitted = 0;
	int fits = 0;

	(void)state;
	begin(&bench, 12800 * SECOND);
	for (int i = 0; i < 30000; i++) {
		say(&bench, i);
		view_eta(&bench.view, 1e6);
		fits += i >= 20000 && bench.view.fitted != fitted;
		fitted = bench.view.fitted;
	}
	assert_true(fits >= 95 && fits <= 101);
	/* What comes then is not seen at once, but then it is. */
	for (int i = 0; i < 110; i++)
		say(&bench, 30000);
	assert_true(bench.view.fitted == fitted);
	view_eta(&bench.view, 1e6);
	assert_true(bench.view.fitted == bench.now);
	/* A clock that is set back, and a past that is another. */
	bench.now -= 1000 * SECOND;
	say(&bench, 30000);
	view_eta(&bench.view, 1e6);
	assert_true(bench.view.fitted == bench.now);
	view_remember(&bench.view, NULL, 0);
	assert_true(bench.view.fitted == 0 && !isnan(view_eta(&bench.view, 1e6)));
	/* The window runs empty. */
	window_advance(&bench.view.window, bench.now + 12800 * SECOND);
	assert_true(isnan(view_eta(&bench.view, 1e6)));
	window_release(&bench.view.window);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_found_exactly),
		cmocka_unit_test(few_points_say_nothing),
		cmocka_unit_test(what_is_there_is_there),
		cmocka_unit_test(noise_has_no_trend),
		cmocka_unit_test(ties_are_taken_into_account),
		cmocka_unit_test(a_noisy_line_is_found),
		cmocka_unit_test(outliers_do_not_move_it),
		cmocka_unit_test(a_saw_has_no_trend),
		cmocka_unit_test(values_of_any_size),
		cmocka_unit_test(a_window_has_a_trend),
		cmocka_unit_test(several_instances_are_averaged_by_time),
		cmocka_unit_test(rows_of_all_lengths_make_a_line),
		cmocka_unit_test(it_is_fitted_now_and_then),
	};

	return cmocka_run_group_tests_name("trend", tests, NULL, NULL);
}
