/* links: agent/metric/quantiles.c agent/base/memory.c */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "metric/quantiles.h"

#define SECOND INT64_C(1000000000)
#define SAMPLES 20000

/* --- a slow plain model -------------------------------------------------------------------------------------------- */

struct sample {
	int64_t time;
	double value;
	uint64_t weight;
};

struct model {
	size_t count;
	struct sample samples[SAMPLES];
};

static struct model model;

static int by_value(const void *left, const void *right)
{
	const struct sample *a = left, *b = right;

	return (a->value > b->value) - (a->value < b->value);
}

/* The smallest value that at least this share of the weight of what is younger than `after` does not exceed. */
static double model_quantile(int64_t after, double quantile)
{
	static struct sample sorted[SAMPLES];
	uint64_t weight = 0, below = 0;
	size_t count = 0, i = 0;

	for (size_t k = 0; k < model.count; k++) {
		if (model.samples[k].time <= after)
			continue;
		weight += model.samples[k].weight;
		sorted[count++] = model.samples[k];
	}
	if (count == 0)
		return NAN;
	qsort(sorted, count, sizeof(*sorted), by_value);
	for (below = sorted[0].weight; (double)below < quantile * (double)weight * (1 - 1e-12) && i + 1 < count;)
		below += sorted[++i].weight;
	return sorted[i].value;
}

static bool near(double is, double should)
{
	if (isnan(is) || isnan(should))
		return isnan(is) && isnan(should);
	/* The smallest doubles have few digits; the largest may come out beyond all of them. */
	return is == should || fabs(is - should) <= (QUANTILES_ERROR + 1e-9) * fabs(should) + 2 * DBL_TRUE_MIN ||
	       (isinf(is) && fabs(should) > DBL_MAX * 0.98 && is * should > 0);
}

/* Of some window that reaches back by less than one chapter too far. */
static bool holds(const struct quantiles *quantiles, int64_t now, double quantile)
{
	int64_t edge = now - quantiles->over;
	double is = quantiles_value(quantiles, quantile);

	if (quantiles->over == 0)
		return near(is, model_quantile(INT64_MIN, quantile));
	if (near(is, model_quantile(edge, quantile)))
		return true;
	for (size_t i = model.count; i-- > 0;) {
		int64_t time = model.samples[i].time;

		if (time <= edge && time > edge - quantiles->over / QUANTILES_CHAPTERS &&
		    near(is, model_quantile(time - 1, quantile)))
			return true;
	}
	return false;
}

/* --- distributions ------------------------------------------------------------------------------------------------- */

static double uniform(double low, double high)
{
	return low + (high - low) * ((double)random() / (double)RAND_MAX);
}

static double percents(void)
{
	return uniform(0, 100);
}

static double both_signs(void)
{
	return uniform(-30, 40);
}

static double negative(void)
{
	return -exp(uniform(-3, 12));
}

static double many_zeros(void)
{
	return random() % 3 ? 0 : uniform(0, 5);
}

static double heavy_tail(void)
{
	return pow(uniform(1e-9, 1), -2);
}

static double any_size(void)
{
	return (random() % 2 ? 1 : -1) * exp(uniform(-740, 709));
}

static double tiny(void)
{
	return uniform(0, 1) * 1e-310;
}

static double constant(void)
{
	return 17.9;
}

static double few(void)
{
	static const double values[] = {-1, 0, 1, 1e9, DBL_MAX, -DBL_MAX, DBL_TRUE_MIN};

	return values[random() % 7];
}

static double integers(void)
{
	return (double)(random() % 12 - 3);
}

static double (*const distributions[])(void) = {percents, both_signs, negative, many_zeros, heavy_tail,
                                                any_size, tiny,       constant, few,        integers};

/* --- tests --------------------------------------------------------------------------------------------------------- */

static void assert_small(const struct quantiles *quantiles)
{
	assert_true(quantiles->count <= QUANTILES_CHAPTERS + 2);
	assert_true(quantiles->positive.count <= 73000 && quantiles->negative.count <= 73000);
	for (size_t i = 1; i < quantiles->entry_count; i++)
		assert_true(quantiles->entries[i - 1].bucket < quantiles->entries[i].bucket);
}

/* What a window of this distribution answers, with gaps, crowds, and a clock that is set back. */
static void walk(double (*draw)(void), int64_t over, int steps, bool weighed)
{
	static const double asked[] = {0.001, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999};
	struct quantiles quantiles;
	int64_t now = 1000 * SECOND;

	quantiles_begin(&quantiles, over);
	model.count = 0;
	for (int i = 0; i < steps; i++) {
		size_t kept = 0, crowd = random() % 50 ? 1 : 20;

		now += random() % 30 ? SECOND : (random() % 60) * SECOND;
		if (random() % 100 == 0) {
			quantiles_shift(&quantiles, 40 * SECOND);
			for (size_t k = 0; k < model.count; k++)
				model.samples[k].time -= 40 * SECOND;
			now -= 39 * SECOND;
		}
		quantiles_expire(&quantiles, now);
		for (size_t k = 0; k < model.count; k++)
			if (over == 0 || model.samples[k].time > now - over - over / QUANTILES_CHAPTERS)
				model.samples[kept++] = model.samples[k];
		model.count = kept;
		while (crowd--) {
			struct sample sample = {now, draw(), weighed ? 1 + (uint64_t)random() % 2000000 : 1};

			quantiles_add(&quantiles, now, sample.value, sample.weight);
			model.samples[model.count++] = sample;
		}
		assert_small(&quantiles);
		for (size_t k = 0; i % 97 == 0 && k < sizeof(asked) / sizeof(asked[0]); k++)
			if (!holds(&quantiles, now, asked[k]))
				fail_msg("p%g is %.17g, should be near %.17g", 100 * asked[k], quantiles_value(&quantiles, asked[k]),
				         model_quantile(over ? now - over : INT64_MIN, asked[k]));
	}
	/* Of all that was added nothing is left when it has left. */
	quantiles_expire(&quantiles, now + over);
	if (over > 0)
		assert_true(quantiles.total == 0 && quantiles.zero == 0 && isnan(quantiles_value(&quantiles, 0.5)) &&
		            !quantiles.positive.weights && !quantiles.negative.weights);
	quantiles_release(&quantiles);
}

static void every_distribution_within_one_percent(void **state)
{
	static const int64_t overs[] = {0, SECOND / 2, 10 * SECOND, 300 * SECOND, 5000 * SECOND};

	(void)state;
	srandom(1);
	for (size_t i = 0; i < sizeof(distributions) / sizeof(distributions[0]); i++)
		for (size_t k = 0; k < sizeof(overs) / sizeof(overs[0]); k++)
			walk(distributions[i], overs[k], overs[k] > 1000 * SECOND ? 3000 : 800, (i + k) % 2);
}

/* Every double is within one percent of what its bucket answers with. */
static void every_size_is_within_one_percent(void **state)
{
	struct quantiles quantiles;

	(void)state;
	srandom(2);
	quantiles_begin(&quantiles, 0);
	for (int i = 0; i < 30000; i++) {
		double value =
			i % 2 ? any_size() : (random() % 2 ? 1 : -1) * pow(QUANTILES_GROWTH, (int)(random() % 2000) - 1000);

		quantiles_clear(&quantiles);
		quantiles_add(&quantiles, 0, value, 1);
		if (!near(quantiles_value(&quantiles, 0.5), value))
			fail_msg("%.17g is %.17g", value, quantiles_value(&quantiles, 0.5));
	}
	quantiles_release(&quantiles);
}

/* Two that are put together are as one that has seen all. */
static void older_and_younger_make_one(void **state)
{
	struct quantiles older, younger;

	(void)state;
	srandom(3);
	for (int round = 0; round < 200; round++) {
		int64_t over = (1 + random() % 300) * SECOND, now = 1000 * SECOND;
		int count = (int)(random() % 300), before = (int)(random() % (count + 1));
		double (*draw)(void) = distributions[random() % 10];

		quantiles_begin(&older, over);
		quantiles_begin(&younger, over);
		model.count = 0;
		for (int i = 0; i < count; i++, now += SECOND) {
			struct sample sample = {now, draw(), 1 + (uint64_t)random() % 5};

			model.samples[model.count++] = sample;
			quantiles_add(i < before ? &older : &younger, now, sample.value, sample.weight);
		}
		quantiles_append(&older, &younger);
		assert_true(younger.total == 0 && isnan(quantiles_value(&younger, 0.5)));
		for (int i = 0; i < 5; i++) {
			quantiles_expire(&older, now);
			assert_small(&older);
			assert_true(holds(&older, now, 0.5) && holds(&older, now, 0.9));
			now += random() % (over / 3);
		}
		now += over;
		quantiles_expire(&older, now);
		assert_true(older.total == 0);
		quantiles_release(&older);
		quantiles_release(&younger);
	}
}

/* The heaviest weights that there can be: 30 years of ten thousand instances in microseconds. */
static void weights_do_not_overflow(void **state)
{
	struct quantiles quantiles;

	(void)state;
	quantiles_begin(&quantiles, 1000 * SECOND);
	quantiles_add(&quantiles, SECOND, 1, UINT64_C(9000000000000000000));
	quantiles_add(&quantiles, SECOND, 5, UINT64_C(200000000000000000));
	quantiles_add(&quantiles, 100 * SECOND, 3, 1);
	assert_true(near(quantiles_value(&quantiles, 0.5), 1) && near(quantiles_value(&quantiles, 0.99), 5));
	quantiles_expire(&quantiles, 1050 * SECOND);
	assert_true(quantiles.total == 1 && near(quantiles_value(&quantiles, 0.001), 3));
	quantiles_release(&quantiles);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_distribution_within_one_percent),
		cmocka_unit_test(every_size_is_within_one_percent),
		cmocka_unit_test(older_and_younger_make_one),
		cmocka_unit_test(weights_do_not_overflow),
	};

	return cmocka_run_group_tests_name("quantiles", tests, NULL, NULL);
}
