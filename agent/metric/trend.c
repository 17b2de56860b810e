/* metric/trend.c: Theil and Sen's line, and Kendall's test of whether there is one.
 *
 * Sen, "Estimates of the regression coefficient based on Kendall's tau", 1968; Kendall's S and its variance with ties:
 * Gilbert, "Statistical Methods for Environmental Pollution Monitoring", 1987, 16.4. */
#include "metric/trend.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

#define SIGNIFICANT 2.58 /* standard deviations: one percent, both sides together */

static int by_size(const void *left, const void *right)
{
	const double *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

/* Brings the value that would be k-th to the k-th place, smaller ones before it and larger ones behind: Hoare's Find. */
static double select_place(double *values, size_t count, size_t k)
{
	ptrdiff_t low = 0, high = (ptrdiff_t)count - 1, place = (ptrdiff_t)k;

	while (low < high) {
		double pivot = values[place];
		ptrdiff_t left = low, right = high;

		do {
			while (values[left] < pivot)
				left++;
			while (pivot < values[right])
				right--;
			if (left <= right) {
				double other = values[left];

				values[left++] = values[right];
				values[right--] = other;
			}
		} while (left <= right);
		if (right < place)
			low = left;
		if (place < left)
			high = right;
	}
	return values[k];
}

/* Of at least one value; changes their order. */
static double median(double *values, size_t count)
{
	double upper = select_place(values, count, count / 2), lower = -INFINITY;

	if (count % 2)
		return upper;
	for (size_t i = 0; i < count / 2; i++)
		lower = fmax(lower, values[i]);
	return lower / 2 + upper / 2;
}

/* How much less S varies as some values are the same. */
static double ties(const struct trend_point *points, size_t count, double *values)
{
	double sum = 0;

	for (size_t i = 0; i < count; i++)
		values[i] = points[i].value;
	qsort(values, count, sizeof(*values), by_size);
	for (size_t i = 0, end; i < count; i = end) {
		double same;

		for (end = i + 1; end < count && values[end] == values[i];)
			end++;
		same = (double)(end - i);
		sum += same * (same - 1) * (2 * same + 5);
	}
	return sum;
}

/* By how many standard deviations there are more rises than falls among all pairs. */
static double kendall(const struct trend_point *points, size_t count, double *scratch)
{
	double n = (double)count, s = 0;
	double variance = (n * (n - 1) * (2 * n + 5) - ties(points, count, scratch)) / 18;

	for (size_t i = 0; i < count; i++)
		for (size_t k = i + 1; k < count; k++)
			s += (points[k].value > points[i].value) - (points[k].value < points[i].value);
	if (!(variance > 0) || s == 0)
		return 0;
	return (s > 0 ? s - 1 : s + 1) / sqrt(variance);
}

static double slope_of(const struct trend_point *points, size_t count, double *scratch)
{
	size_t pairs = 0;

	for (size_t i = 0; i < count; i++)
		for (size_t k = i + 1; k < count; k++)
			scratch[pairs++] = (points[k].value - points[i].value) / (points[k].time - points[i].time);
	return median(scratch, pairs);
}

struct trend trend_fit(const struct trend_point *points, size_t count)
{
	struct trend trend = {.last = count ? points[count - 1].value : NAN};
	double *scratch;

	if (count < TREND_LEAST)
		return trend;
	scratch = memory_array(count * (count - 1) / 2, sizeof(*scratch));
	trend.time = points[count - 1].time;
	if (fabs(kendall(points, count, scratch)) >= SIGNIFICANT) {
		trend.slope = slope_of(points, count, scratch);
		for (size_t i = 0; i < count && isfinite(trend.slope); i++)
			scratch[i] = points[i].value - trend.slope * (points[i].time - trend.time);
		trend.level = median(scratch, count);
		trend.start = trend.level - trend.slope * (trend.time - points[0].time);
		trend.known = isfinite(trend.level) && isfinite(trend.slope) && trend.slope != 0;
	}
	free(scratch);
	return trend;
}

double trend_eta(const struct trend *trend, double to, double now)
{
	double level = trend->level + trend->slope * (now - trend->time);
	double way = to - level;

	if (trend->last == to)
		return 0;
	if (!trend->known)
		return NAN;
	if (way == 0 || (to - trend->start) * way < 0)
		return 0;
	return way * trend->slope > 0 ? way / trend->slope : NAN;
}
