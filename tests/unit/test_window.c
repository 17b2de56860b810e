/* links: agent/metric/window.c agent/base/memory.c */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "metric/window.h"

#define SECOND INT64_C(1000000000)

/* --- a slow plain model: every sample is kept, every value is computed from all of them -------------------------- */

struct sample {
	int64_t time;
	double value, weight;
};

struct model {
	int64_t over, now;
	size_t count;
	struct sample samples[200000];
};

static struct model model;

static void model_advance(int64_t now)
{
	size_t kept = 0;

	/* A clock that is set back: the past moves back with it. */
	for (size_t i = 0; model.now > now && i < model.count; i++)
		model.samples[i].time -= model.now - now;
	model.now = now;
	for (size_t i = 0; i < model.count; i++)
		if (model.over == 0 || model.samples[i].time > now - model.over)
			model.samples[kept++] = model.samples[i];
	model.count = kept;
}

static void model_add(double value, double weight)
{
	if (isfinite(value) && weight > 0)
		model.samples[model.count++] = (struct sample){model.now, value, weight};
}

static int by_value(const void *left, const void *right)
{
	const struct sample *a = left, *b = right;

	return (a->value > b->value) - (a->value < b->value);
}

static double model_quantile(double quantile)
{
	struct sample *sorted = malloc(model.count * sizeof(*sorted));
	double weight = 0, below = 0, found = NAN;

	memcpy(sorted, model.samples, model.count * sizeof(*sorted));
	qsort(sorted, model.count, sizeof(*sorted), by_value);
	for (size_t i = 0; i < model.count; i++)
		weight += sorted[i].weight;
	for (size_t i = 0; i < model.count && isnan(found); i++) {
		below += sorted[i].weight;
		if (below >= quantile * weight - 1e-9 * weight)
			found = sorted[i].value;
	}
	free(sorted);
	return found;
}

static double model_value(enum plan_fn fn, double quantile)
{
	double weight = 0, sum = 0, spread = 0, min = INFINITY, max = -INFINITY;

	for (size_t i = 0; i < model.count; i++) {
		weight += model.samples[i].weight;
		sum += model.samples[i].value * model.samples[i].weight;
		min = fmin(min, model.samples[i].value);
		max = fmax(max, model.samples[i].value);
	}
	for (size_t i = 0; i < model.count; i++)
		spread += pow(model.samples[i].value - sum / weight, 2) * model.samples[i].weight;
	switch (fn) {
	case PLAN_MIN:
		return model.count ? min : NAN;
	case PLAN_MAX:
		return model.count ? max : NAN;
	case PLAN_AVG:
		return sum / weight;
	case PLAN_SUM:
		return model.count ? sum : NAN;
	case PLAN_LAST:
		return model.count ? model.samples[model.count - 1].value : NAN;
	case PLAN_COUNT:
		return (double)model.count;
	case PLAN_STDDEV:
		return sqrt(spread / weight);
	case PLAN_QUANTILE:
		return model_quantile(quantile);
	default:
		break;
	}
	return NAN;
}

static void assert_near(double is, double should, const char *what)
{
	if (isnan(is) && isnan(should))
		return;
	if (!(fabs(is - should) <= 1e-9 * fmax(1, fabs(should))))
		fail_msg("%s is %.17g, should be %.17g", what, is, should);
}

static void assert_ordered(const struct window *window)
{
	double min = window_value(window, PLAN_MIN, 0), avg = window_value(window, PLAN_AVG, 0);
	double max = window_value(window, PLAN_MAX, 0), median = window_value(window, PLAN_QUANTILE, 0.5);

	if (isnan(avg))
		return;
	assert_true(min <= avg && avg <= max);
	assert_true(min <= median && median <= max);
}

static void compare(const struct window *window, bool quantiles)
{
	static const char *const names[] = {"min", "max", "avg", "sum", "last", "count", "stddev"};

	for (enum plan_fn fn = PLAN_MIN; fn <= PLAN_STDDEV; fn++)
		assert_near(window_value(window, fn, 0), model_value(fn, 0), names[fn]);
	for (double quantile = 0.05; quantiles && quantile < 1; quantile += 0.09)
		assert_near(window_value(window, PLAN_QUANTILE, quantile), model_value(PLAN_QUANTILE, quantile), "quantile");
	assert_ordered(window);
}

/* --- tests ------------------------------------------------------------------------------------------------------- */

static void begin(struct window *window, int64_t over, bool quantiles)
{
	window_begin(window, over);
	window_want(window, quantiles, quantiles);
}

static double uniform(double low, double high)
{
	return low + (high - low) * ((double)random() / (double)RAND_MAX);
}

/* Random samples of several instances with gaps, unknown values and clock steps in both directions. */
static void walk(int64_t over, size_t steps, size_t instances, bool steps_of_clock)
{
	struct window window;
	int64_t now = 1000 * SECOND;

	begin(&window, over, true);
	model.over = over;
	model.now = 0;
	model.count = 0;
	for (size_t i = 0; i < steps; i++) {
		now += random() % 20 ? SECOND : (random() % 30) * SECOND;
		if (steps_of_clock && random() % 50 == 0)
			now -= (random() % 100) * SECOND;
		window_advance(&window, now);
		model_advance(now);
		for (size_t instance = 0; instance < instances; instance++) {
			double value = random() % 10 ? uniform(-50, 100) : random() % 2 ? (double)NAN : (double)INFINITY;
			double weight = random() % 2 ? 1 : uniform(0, 2);

			window_add(&window, value, weight);
			model_add(value, weight);
		}
		if (i % 7 == 0)
			compare(&window, true);
	}
	compare(&window, true);
	window_release(&window);
}

static void exact_as_the_plain_model(void **state)
{
	(void)state;
	srandom(1);
	walk(60 * SECOND, 3000, 1, false);
	walk(600 * SECOND, 2000, 3, true);
	walk(5 * SECOND, 2000, 2, true);
	walk(SECOND / 2, 500, 1, true);
	walk(0, 1000, 2, true);
}

static void nothing_is_known_of_an_empty_window(void **state)
{
	struct window window;

	(void)state;
	begin(&window, 10 * SECOND, false);
	assert_true(isnan(window_value(&window, PLAN_MAX, 0)));
	assert_true(window_value(&window, PLAN_COUNT, 0) == 0);
	window_advance(&window, 100 * SECOND);
	window_add(&window, NAN, 1);
	assert_true(isnan(window_value(&window, PLAN_LAST, 0)));
	window_add(&window, 5, 1);
	assert_true(window_value(&window, PLAN_LAST, 0) == 5);
	/* The sample leaves exactly when it is as old as the window is long. */
	window_advance(&window, 110 * SECOND - 1);
	assert_true(window_value(&window, PLAN_LAST, 0) == 5);
	window_advance(&window, 110 * SECOND);
	assert_true(isnan(window_value(&window, PLAN_LAST, 0)));
	assert_true(isnan(window_value(&window, PLAN_AVG, 0)));
	assert_true(isnan(window_value(&window, PLAN_SUM, 0)));
	assert_true(isnan(window_value(&window, PLAN_STDDEV, 0)));
	assert_true(isnan(window_value(&window, PLAN_QUANTILE, 0.5)));
	window_release(&window);
}

static void averages_never_leave_their_values(void **state)
{
	static const double odd[] = {0.1, 17.9, 1e-300, 1.0 / 3, 123456789.123, 0.7, 1e17};
	struct window window;

	(void)state;
	for (int64_t over = 0; over <= 50 * SECOND; over += 50 * SECOND) {
		for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
			begin(&window, over, true);
			for (int64_t now = 1; now < 300; now++) {
				window_advance(&window, now * SECOND);
				window_add(&window, odd[i], 0.3);
				/* All values are the same: so must their average be, to the last bit. */
				assert_true(window_value(&window, PLAN_AVG, 0) == odd[i]);
				assert_true(window_value(&window, PLAN_QUANTILE, 0.999) == odd[i]);
			}
			window_release(&window);
		}
	}
}

/* Beyond WINDOW_ROWS samples: rows are shared, quantiles blur, the rest stays. */
static void long_windows_share_rows(void **state)
{
	const int64_t over = 30000 * SECOND;
	struct window window;

	(void)state;
	srandom(2);
	begin(&window, over, true);
	model.over = 0; /* the model's edge is set below */
	model.now = 0;
	model.count = 0;
	for (int64_t now = 1; now <= 100000; now++) {
		double value = 50 + 40 * sin((double)now / 5000) + uniform(-1, 1);

		window_advance(&window, now * SECOND);
		window_add(&window, value, 1);
		model.now = now * SECOND;
		model_add(value, 1);
		assert_true(window_count(&window) <= WINDOW_ROWS && window.room <= WINDOW_ROWS);
		if (now % 9973 == 0) {
			double count = window_value(&window, PLAN_COUNT, 0), most = fmin((double)now, 30000);

			assert_true(count >= most && count <= most * (1 + 1.0 / WINDOW_BLUR) + 1);
			/* The samples that it says it has, exactly. */
			memmove(model.samples, model.samples + model.count - (size_t)count,
			        (size_t)count * sizeof(model.samples[0]));
			model.count = (size_t)count;
			compare(&window, false);
			assert_true(fabs(window_value(&window, PLAN_QUANTILE, 0.9) - model_value(PLAN_QUANTILE, 0.9)) < 1.5);
		}
	}
	assert_true(window_count(&window) > WINDOW_ROWS / 8);
	window_release(&window);
}

static void service_windows_double_their_rows(void **state)
{
	struct window window;

	(void)state;
	srandom(3);
	begin(&window, 0, true);
	model.over = 0;
	model.now = 0;
	model.count = 0;
	for (int64_t now = 1; now <= 100000; now++) {
		double value = uniform(0, 100) + (double)now / 1000;

		window_advance(&window, now * SECOND);
		window_add(&window, value, 1);
		model_add(value, 1);
	}
	compare(&window, false);
	assert_true(window_count(&window) <= WINDOW_ROWS && window_count(&window) > WINDOW_ROWS / 4);
	assert_true(fabs(window_value(&window, PLAN_QUANTILE, 0.5) - model_value(PLAN_QUANTILE, 0.5)) < 3);
	window_reset(&window);
	assert_true(isnan(window_value(&window, PLAN_MAX, 0)) && window_value(&window, PLAN_COUNT, 0) == 0);
	window_add(&window, 7, 1);
	assert_true(window_value(&window, PLAN_MAX, 0) == 7 && window_value(&window, PLAN_QUANTILE, 0.5) == 7);
	window_release(&window);
}

/* Nobody asks for quantiles of the default configuration's windows over "service": they must not cost rows. */
static void plain_service_windows_keep_no_rows(void **state)
{
	struct window window;

	(void)state;
	begin(&window, 0, false);
	for (int64_t now = 1; now <= 10000; now++) {
		window_advance(&window, now * SECOND);
		window_add(&window, (double)now, 1);
	}
	assert_null(window.rows);
	assert_true(window_value(&window, PLAN_AVG, 0) == 5000.5);
	assert_near(window_value(&window, PLAN_STDDEV, 0), sqrt((1e8 - 1) / 12), "stddev");
	window_release(&window);
}

/* More instances than rows, in one tick and over many. */
static void crowds_share_rows(void **state)
{
	struct window window;

	(void)state;
	begin(&window, 60 * SECOND, true);
	for (int64_t now = 1; now <= 200; now++) {
		window_advance(&window, now * SECOND);
		for (int i = 0; i < 10000; i++)
			window_add(&window, i, 1);
		assert_true(window_count(&window) <= WINDOW_ROWS);
	}
	assert_true(window_value(&window, PLAN_COUNT, 0) == 600000);
	assert_true(window_value(&window, PLAN_MIN, 0) == 0 && window_value(&window, PLAN_MAX, 0) == 9999);
	assert_near(window_value(&window, PLAN_AVG, 0), 4999.5, "avg");
	window_release(&window);
}

static void a_clock_set_back_keeps_the_past(void **state)
{
	struct window window;

	(void)state;
	begin(&window, 10 * SECOND, false);
	for (int64_t now = 100; now < 105; now++) {
		window_advance(&window, now * SECOND);
		window_add(&window, (double)now, 1);
	}
	window_advance(&window, 50 * SECOND); /* 54 s back: the five samples are now at 46 … 50 */
	window_add(&window, 1, 1);
	assert_true(window_value(&window, PLAN_COUNT, 0) == 6);
	assert_true(window_value(&window, PLAN_MAX, 0) == 104 && window_value(&window, PLAN_LAST, 0) == 1);
	window_advance(&window, 57 * SECOND); /* 46 and 47 have left */
	assert_true(window_value(&window, PLAN_COUNT, 0) == 4);
	window_advance(&window, 60 * SECOND);
	assert_true(window_value(&window, PLAN_COUNT, 0) == 0);
	window_release(&window);
}

static void history_comes_before_samples(void **state)
{
	const struct window_row minute = {
		.first = 0, .time = 60 * SECOND, .count = 60, .weight = 60, .sum = 600, .min = 5, .max = 90};
	struct window_row later = minute, rows[2];
	struct window window;

	(void)state;
	later.first = 60 * SECOND;
	later.time = 120 * SECOND;
	later.sum = 1200;
	begin(&window, 100 * SECOND, false);
	rows[0] = minute;
	rows[1] = later;
	window_remember(&window, rows, 2);
	window_remember(&window, rows, 2); /* it holds them */
	assert_true(window_value(&window, PLAN_COUNT, 0) == 120);
	assert_true(window_value(&window, PLAN_AVG, 0) == 15 && window_value(&window, PLAN_LAST, 0) == 20);
	window_advance(&window, 130 * SECOND);
	window_add(&window, 100, 1);
	assert_true(window_value(&window, PLAN_MIN, 0) == 5 && window_value(&window, PLAN_MAX, 0) == 100);
	window_advance(&window, 160 * SECOND); /* the first minute has left */
	assert_true(window_value(&window, PLAN_COUNT, 0) == 61);
	assert_near(window_value(&window, PLAN_AVG, 0), 1300.0 / 61, "avg");
	window_release(&window);
}

static void quantiles_are_by_rank(void **state)
{
	struct window window;

	(void)state;
	begin(&window, 0, true);
	for (int i = 1; i <= 20; i++)
		window_add(&window, (i * 7) % 20 + 1, 1); /* 1 … 20 in some order */
	assert_true(window_value(&window, PLAN_QUANTILE, 0.5) == 10);
	assert_true(window_value(&window, PLAN_QUANTILE, 0.95) == 19);
	assert_true(window_value(&window, PLAN_QUANTILE, 0.951) == 20);
	assert_true(window_value(&window, PLAN_QUANTILE, 0.999) == 20);
	window_release(&window);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exact_as_the_plain_model),
		cmocka_unit_test(nothing_is_known_of_an_empty_window),
		cmocka_unit_test(averages_never_leave_their_values),
		cmocka_unit_test(long_windows_share_rows),
		cmocka_unit_test(service_windows_double_their_rows),
		cmocka_unit_test(plain_service_windows_keep_no_rows),
		cmocka_unit_test(crowds_share_rows),
		cmocka_unit_test(a_clock_set_back_keeps_the_past),
		cmocka_unit_test(history_comes_before_samples),
		cmocka_unit_test(quantiles_are_by_rank),
	};

	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
