/* links: agent/metric/window.c agent/metric/quantiles.c agent/base/memory.c */
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
	double value, weight; /* NaN: unknown */
};

struct model {
	int64_t over, now;
	double last;
	size_t count;
	struct sample samples[200000];
};

static struct model model;

static void model_begin(int64_t over)
{
	model.over = over;
	model.now = 0;
	model.count = 0;
	model.last = NAN;
}

/* Keeps as much as quantiles may reach back to. */
static void model_advance(int64_t now)
{
	size_t kept = 0;

	/* A clock that is set back: the past moves back with it. */
	for (size_t i = 0; model.now > now && i < model.count; i++)
		model.samples[i].time -= model.now - now;
	model.now = now;
	for (size_t i = 0; i < model.count; i++)
		if (model.over == 0 || model.samples[i].time > now - model.over - model.over / QUANTILES_CHAPTERS)
			model.samples[kept++] = model.samples[i];
	model.count = kept;
}

static void model_add(double value, double weight)
{
	bool known = isfinite(value) && weight > 0;

	model.samples[model.count++] = (struct sample){model.now, known ? value : (double)NAN, weight};
	if (known)
		model.last = value;
}

/* The first sample of the window itself. */
static size_t model_first(void)
{
	size_t first = 0;

	while (model.over > 0 && first < model.count && model.samples[first].time <= model.now - model.over)
		first++;
	return first;
}

static int by_value(const void *left, const void *right)
{
	const struct sample *a = left, *b = right;

	return (a->value > b->value) - (a->value < b->value);
}

static double model_quantile(size_t first, double quantile)
{
	struct sample *sorted = malloc((model.count + 1) * sizeof(*sorted));
	double weight = 0, below = 0, found = NAN;
	size_t count = 0;

	for (size_t i = first; i < model.count; i++) {
		if (isnan(model.samples[i].value))
			continue;
		weight += model.samples[i].weight;
		sorted[count++] = model.samples[i];
	}
	qsort(sorted, count, sizeof(*sorted), by_value);
	for (size_t i = 0; i < count; i++) {
		below += sorted[i].weight;
		found = sorted[i].value;
		if (below >= quantile * weight)
			break;
	}
	free(sorted);
	return found;
}

static double model_value(size_t first, enum plan_fn fn)
{
	double count = 0, weight = 0, sum = 0, spread = 0, min = INFINITY, max = -INFINITY;

	for (size_t i = first; i < model.count; i++) {
		const struct sample *sample = &model.samples[i];

		if (isnan(sample->value))
			continue;
		count++;
		weight += sample->weight;
		sum += sample->value * sample->weight;
		min = fmin(min, sample->value);
		max = fmax(max, sample->value);
	}
	for (size_t i = first; i < model.count; i++)
		if (!isnan(model.samples[i].value))
			spread += pow(model.samples[i].value - sum / weight, 2) * model.samples[i].weight;
	switch (fn) {
	case PLAN_MIN:
		return count > 0 ? min : NAN;
	case PLAN_MAX:
		return count > 0 ? max : NAN;
	case PLAN_AVG:
		return sum / weight;
	case PLAN_SUM:
		return count > 0 ? sum : NAN;
	case PLAN_LAST:
		return count > 0 ? model.last : NAN;
	case PLAN_COUNT:
		return count;
	case PLAN_STDDEV:
		return sqrt(spread / weight);
	default:
		return NAN;
	}
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
	assert_true(window->grain > 0 ? min <= median && median <= max : true);
}

/* Within one percent of the quantile of a window that begins at `first`, or, as weights are rounded, of a quantile
 * beside it; and within what the window shows. */
static bool is_quantile(const struct window *window, size_t first, double quantile)
{
	double is = window_value(window, PLAN_QUANTILE, quantile);
	double min = window_value(window, PLAN_MIN, 0), max = window_value(window, PLAN_MAX, 0);
	double low = model_quantile(first, quantile - 1e-5), high = model_quantile(first, quantile + 1e-5);

	low = fmax(min, fmin(max, low)) - (QUANTILES_ERROR + 1e-9) * fabs(low);
	high = fmax(min, fmin(max, high)) + (QUANTILES_ERROR + 1e-9) * fabs(high);
	return (isnan(is) && isnan(low)) || (low <= is && is <= high);
}

/* … of a window that reaches back by at most one chapter too far. */
static void assert_quantile(const struct window *window, double quantile)
{
	size_t first = model_first();
	bool found = is_quantile(window, first, quantile);

	while (!found && first-- > 0)
		found = is_quantile(window, first, quantile);
	if (!found)
		fail_msg("p%g is %g", 100 * quantile, window_value(window, PLAN_QUANTILE, quantile));
}

static void compare_from(const struct window *window, size_t first)
{
	static const char *const names[] = {"min", "max", "avg", "sum", "last", "count", "stddev"};
	double unknown = (double)(model.count - first) - model_value(first, PLAN_COUNT);

	for (enum plan_fn fn = PLAN_MIN; fn <= PLAN_STDDEV; fn++)
		assert_near(window_value(window, fn, 0), model_value(first, fn), names[fn]);
	assert_near(window_total(window).unknown, unknown, "unknown");
	assert_ordered(window);
}

static void compare(const struct window *window)
{
	compare_from(window, model_first());
	for (double quantile = 0.05; window->grain > 0 && quantile < 1; quantile += 0.13)
		if (window_value(window, PLAN_COUNT, 0) > 0)
			assert_quantile(window, quantile);
}

/* --- tests ------------------------------------------------------------------------------------------------------- */

static void begin(struct window *window, int64_t over, bool quantiles)
{
	window_begin(window, over);
	window_want(window, quantiles, quantiles ? 1e-6 : 0);
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
	model_begin(over);
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
		if (i % 17 == 0)
			compare(&window);
	}
	compare(&window);
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
	walk(0, 2000, 2, true);
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

/* Beyond WINDOW_ROWS samples: rows are shared, and the window may reach back a little too far. */
static void long_windows_share_rows(void **state)
{
	const int64_t over = 30000 * SECOND;
	struct window window;

	(void)state;
	srandom(2);
	begin(&window, over, true);
	model_begin(over);
	for (int64_t now = 1; now <= 100000; now++) {
		double value = random() % 50 ? 50 + 40 * sin((double)now / 5000) + uniform(-1, 1) : (double)NAN;

		window_advance(&window, now * SECOND);
		window_add(&window, value, 1);
		model.now = now * SECOND;
		model_add(value, 1);
		assert_true(window_count(&window) <= WINDOW_ROWS && window.room <= WINDOW_ROWS);
		if (now % 9973 == 0) {
			double has = window_value(&window, PLAN_COUNT, 0) + window_total(&window).unknown;
			double most = fmin((double)now, 30000);

			assert_true(has >= most && has <= most * (1 + 1.0 / WINDOW_BLUR) + 1);
			model_advance(now * SECOND);
			/* The samples that it says it has, exactly. */
			compare_from(&window, model.count - (size_t)has);
			assert_quantile(&window, 0.9);
			assert_quantile(&window, 0.1);
		}
	}
	assert_true(window_count(&window) > WINDOW_ROWS / 4);
	window_release(&window);
}

static void service_windows_double_their_rows(void **state)
{
	struct window window;

	(void)state;
	srandom(3);
	begin(&window, 0, true);
	model_begin(0);
	for (int64_t now = 1; now <= 100000; now++) {
		double value = uniform(0, 100) + (double)now / 1000;

		window_advance(&window, now * SECOND);
		window_add(&window, value, 1);
		model_add(value, 1);
	}
	compare(&window);
	assert_true(window_count(&window) <= WINDOW_ROWS && window_count(&window) > WINDOW_ROWS / 4);
	window_reset(&window);
	assert_true(isnan(window_value(&window, PLAN_MAX, 0)) && window_value(&window, PLAN_COUNT, 0) == 0);
	assert_true(isnan(window_value(&window, PLAN_QUANTILE, 0.5)));
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

/* A crowd makes many samples share a row; of those that come one by one, rows are still short. */
static void rows_are_never_long(void **state)
{
	const int64_t over = 10 * WINDOW_BLUR * SECOND;
	const struct window_row *row;
	struct window window;

	(void)state;
	begin(&window, over, false);
	for (int64_t now = 1; now <= 2 * over / SECOND; now++) {
		window_advance(&window, now * SECOND);
		for (int i = 0; i < (now < 20 ? 10000 : 1); i++)
			window_add(&window, i, 1);
		row = window_row(&window, window_count(&window) - 1);
		assert_true(row->time - row->first <= 10 * SECOND);
	}
	assert_true(window.share >= 100);
	assert_true(window_value(&window, PLAN_COUNT, 0) <= (double)(over / SECOND) + 11);
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
	assert_true(fabs(window_value(&window, PLAN_QUANTILE, 0.5) - 10) <= 0.1);
	assert_true(fabs(window_value(&window, PLAN_QUANTILE, 0.95) - 19) <= 0.19);
	assert_true(fabs(window_value(&window, PLAN_QUANTILE, 0.951) - 20) <= 0.2);
	assert_true(fabs(window_value(&window, PLAN_QUANTILE, 0.001) - 1) <= 0.01);
	assert_true(window_value(&window, PLAN_QUANTILE, 0.999) <= 20);
	window_release(&window);
}

/* --- unknown samples ----------------------------------------------------------------------------------------------- */

static void what_is_unknown_is_counted_until_it_leaves(void **state)
{
	struct window window;

	(void)state;
	begin(&window, 10 * SECOND, false);
	for (int64_t now = 1; now <= 4; now++) {
		window_advance(&window, now * SECOND);
		window_add(&window, now % 2 ? (double)NAN : (double)now, 1);
	}
	window_add(&window, 8, 0);
	assert_true(window_total(&window).unknown == 3 && window_total(&window).count == 2);
	assert_true(window_value(&window, PLAN_AVG, 0) == 3 && window_value(&window, PLAN_LAST, 0) == 4);
	window_advance(&window, 11 * SECOND);
	assert_true(window_total(&window).unknown == 2 && window_total(&window).count == 2);
	window_advance(&window, 13 * SECOND);
	assert_true(window_total(&window).unknown == 1 && window_total(&window).count == 1);
	window_advance(&window, 14 * SECOND);
	assert_true(window_total(&window).unknown == 0 && window_total(&window).count == 0);
	window_release(&window);
	/* A window may know nothing but that. */
	begin(&window, 0, false);
	window_add(&window, NAN, 1);
	window_add(&window, NAN, 1);
	assert_true(window_total(&window).unknown == 2 && isnan(window_value(&window, PLAN_AVG, 0)));
	window_release(&window);
}

/* Ten thousand seconds, now and then of another size: what has left leaves nothing behind. */
static void nothing_drifts(void **state)
{
	struct window window;

	(void)state;
	begin(&window, 100 * SECOND, true);
	for (int64_t now = 1; now <= 10000; now++) {
		window_advance(&window, now * SECOND);
		window_add(&window, now % 1000 < 500 ? 0.1 : 1e15, 1);
		if (now % 1000 > 100 && now % 1000 < 500) {
			assert_true(window_value(&window, PLAN_AVG, 0) == 0.1 && window_value(&window, PLAN_MAX, 0) == 0.1);
			assert_near(window_value(&window, PLAN_SUM, 0), 10, "sum");
			assert_true(window_value(&window, PLAN_STDDEV, 0) < 1e-9);
			assert_true(window_value(&window, PLAN_QUANTILE, 0.99) == 0.1);
		}
	}
	window_advance(&window, 20000 * SECOND);
	assert_true(window.quantiles.total == 0 && !window.quantiles.positive.weights && window_count(&window) == 0);
	window_release(&window);
}

/* --- history ------------------------------------------------------------------------------------------------------- */

static struct window_row second_of(int64_t time, double value)
{
	struct window_row row = {.first = time - SECOND, .time = time, .count = 1, .weight = 1, .sum = value};

	row.min = row.max = value;
	if (isnan(value))
		row = (struct window_row){.first = time - SECOND, .time = time, .unknown = 1};
	return row;
}

/* The same samples, some of them only remembered, at whatever moment: the same window. */
static void remembering_is_as_having_been_there(void **state)
{
	struct window window;

	(void)state;
	srandom(7);
	for (int round = 0; round < 300; round++) {
		size_t count = 0, live = 1 + (size_t)random() % 150, total = live + (size_t)random() % 200;
		int64_t over = (1 + random() % 200) * SECOND, started = 1000 + (int64_t)(total - live);
		bool told = false;
		struct window_row rows[400];

		begin(&window, over, round % 2);
		model_begin(over);
		for (size_t i = 0; i < total; i++) {
			int64_t now = (1000 + (int64_t)i) * SECOND;
			double value = random() % 9 && i != 0 && i != (size_t)(started - 1001) ? uniform(-5, 50) : (double)NAN;

			if (i == 0 || now == (started - 1) * SECOND)
				value = 7; /* known ends: what is unknown beyond them is not counted */
			model_advance(now);
			model_add(value, 1);
			rows[count++] = second_of(now, value);
			if (now < started * SECOND)
				continue;
			window_advance(&window, now);
			window_add(&window, value, 1);
			if (!told && random() % 20 == 0) {
				/* The store also has what the window has. */
				window_remember(&window, rows, count);
				told = true;
			}
		}
		if (!told)
			window_remember(&window, rows, count);
		if (round % 3 == 0)
			window_remember(&window, rows, count);
		compare(&window);
		window_release(&window);
	}
}

static void what_had_not_begun_is_not_unknown(void **state)
{
	const struct window_row rows[] = {second_of(1 * SECOND, NAN), second_of(2 * SECOND, NAN),
	                                  second_of(3 * SECOND, 5),   second_of(4 * SECOND, NAN),
	                                  second_of(5 * SECOND, 5),   second_of(6 * SECOND, NAN)};
	struct window window;

	(void)state;
	begin(&window, 100 * SECOND, false);
	window_remember(&window, rows, 2);
	assert_true(window_total(&window).unknown == 0);
	window_remember(&window, rows, 6);
	assert_true(window_total(&window).unknown == 1 && window_total(&window).count == 2);
	assert_true(window.now == 5 * SECOND && window_value(&window, PLAN_LAST, 0) == 5);
	window_release(&window);
	/* Before what is there, it is. */
	begin(&window, 100 * SECOND, false);
	window_advance(&window, 7 * SECOND);
	window_add(&window, 9, 1);
	window_remember(&window, rows, 6);
	assert_true(window_total(&window).unknown == 2 && window_total(&window).count == 3);
	assert_true(window.now == 7 * SECOND && window_value(&window, PLAN_LAST, 0) == 9);
	window_release(&window);
	/* What lies ahead of a window that has run empty is of a clock that was set back. */
	begin(&window, SECOND, false);
	window_advance(&window, 4 * SECOND);
	window_remember(&window, rows, 6);
	assert_true(window.now == 4 * SECOND && window_value(&window, PLAN_COUNT, 0) == 0);
	window_release(&window);
}

/* Whoever asks for more later has it from then on. */
static void wants_may_change(void **state)
{
	struct window window;

	(void)state;
	begin(&window, 50 * SECOND, false);
	for (int64_t now = 1; now <= 100; now++) {
		window_advance(&window, now * SECOND);
		window_add(&window, (double)now, 1);
	}
	assert_true(window.quantiles.total == 0);
	window_want(&window, false, 1);
	assert_true(window.quantiles.total == 50 && fabs(window_value(&window, PLAN_QUANTILE, 0.5) - 75) <= 0.75);
	window_want(&window, true, 0);
	assert_true(window.quantiles.total == 0 && window_count(&window) == 50);
	window_release(&window);

	begin(&window, 0, false);
	window_advance(&window, 7 * SECOND);
	window_add(&window, 2, 1);
	window_add(&window, 4, 1);
	window_add(&window, NAN, 1);
	window_advance(&window, 9 * SECOND);
	window_advance(&window, 5 * SECOND); /* a clock that is set back */
	window_want(&window, true, 1);
	assert_true(window_count(&window) == 1 && window_value(&window, PLAN_STDDEV, 0) == 1);
	assert_true(window_row(&window, 0)->time == 3 * SECOND);
	window_add(&window, 9, 1);
	assert_true(window_count(&window) == 2 && window_value(&window, PLAN_AVG, 0) == 5);
	assert_true(fabs(window_value(&window, PLAN_QUANTILE, 0.5) - 3) < 0.03);
	window_want(&window, false, 1);
	assert_null(window.rows);
	assert_true(window_value(&window, PLAN_AVG, 0) == 5 && window_total(&window).unknown == 1);
	window_add(&window, 9, 1);
	assert_true(window_value(&window, PLAN_AVG, 0) == 6 && window_value(&window, PLAN_MIN, 0) == 2);
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
		cmocka_unit_test(rows_are_never_long),
		cmocka_unit_test(a_clock_set_back_keeps_the_past),
		cmocka_unit_test(history_comes_before_samples),
		cmocka_unit_test(quantiles_are_by_rank),
		cmocka_unit_test(what_is_unknown_is_counted_until_it_leaves),
		cmocka_unit_test(nothing_drifts),
		cmocka_unit_test(remembering_is_as_having_been_there),
		cmocka_unit_test(what_had_not_begun_is_not_unknown),
		cmocka_unit_test(wants_may_change),
	};

	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
