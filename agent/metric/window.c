/* metric/window.c: rows in a ring; the oldest fall out at one end, neighbours join when there are too many.
 *
 * Adding is amortised constant time. A value is computed only when somebody asks, by one walk over the rows (at most
 * 4096, some microseconds): an agent that nobody asks pays nothing for its aggregates but the adding. */
#include "metric/window.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

#define ROOM_FIRST 16

void window_begin(struct window *window, int64_t over, bool quantiles)
{
	*window = (struct window){.over = over, .quantiles = quantiles};
	window_reset(window);
}

void window_release(struct window *window)
{
	free(window->rows);
	window->rows = NULL;
}

void window_reset(struct window *window)
{
	window->now = 0;
	window->last = NAN;
	window->total = (struct window_row){.min = NAN, .max = NAN};
	window->share = 1;
	window->head = window->count = 0;
}

/* The i-th row, the oldest first. The room is a power of two. */
static struct window_row *row_at(const struct window *window, size_t i)
{
	return &window->rows[(window->head + i) & (window->room - 1)];
}

/* Adds `row` to `into`; either may be empty. The spread is that of Chan, Golub and LeVeque (1979): no cancellation. */
static void join(struct window_row *into, const struct window_row *row)
{
	double apart;

	if (into->count <= 0) {
		*into = *row;
		return;
	}
	apart = row->sum / row->weight - into->sum / into->weight;
	into->spread += row->spread + apart * apart * (into->weight / (into->weight + row->weight)) * row->weight;
	into->time = row->time;
	into->count += row->count;
	into->weight += row->weight;
	into->sum += row->sum;
	into->min = fmin(into->min, row->min);
	into->max = fmax(into->max, row->max);
}

static bool may_share(const struct window *window, const struct window_row *old, const struct window_row *young)
{
	return old->count + young->count <= window->share &&
	       (window->over == 0 || young->time - old->first <= window->over / WINDOW_BLUR);
}

/* Lets neighbours share rows until a quarter of them is free. Ends: at some share only the rows' length keeps them
 * apart, and of rows that are too long to be joined a window holds no more than two for each WINDOW_BLUR-th. */
static void condense(struct window *window)
{
	while (window->count > WINDOW_ROWS / 4 * 3) {
		size_t kept = 1;

		window->share *= 2;
		for (size_t i = 1; i < window->count; i++) {
			struct window_row *row = row_at(window, i), *before = row_at(window, kept - 1);

			if (may_share(window, before, row))
				join(before, row);
			else
				*row_at(window, kept++) = *row;
		}
		window->count = kept;
	}
}

static void grow(struct window *window)
{
	size_t room = window->room ? 2 * window->room : ROOM_FIRST;
	struct window_row *rows = memory_array(room, sizeof(*rows));

	for (size_t i = 0; i < window->count; i++)
		rows[i] = *row_at(window, i);
	free(window->rows);
	window->rows = rows;
	window->room = room;
	window->head = 0;
}

static void append(struct window *window, const struct window_row *row)
{
	if (window->over == 0)
		join(&window->total, row);
	if (window->over == 0 && !window->quantiles)
		return;
	if (window->count > 0 && may_share(window, row_at(window, window->count - 1), row)) {
		join(row_at(window, window->count - 1), row);
		return;
	}
	if (window->count == WINDOW_ROWS)
		condense(window);
	if (window->count == window->room)
		grow(window);
	*row_at(window, window->count++) = *row;
}

/* Moves everything back by as much as the clock was. */
static void shift(struct window *window, int64_t back)
{
	for (size_t i = 0; i < window->count; i++) {
		row_at(window, i)->first -= back;
		row_at(window, i)->time -= back;
	}
}

void window_advance(struct window *window, int64_t now)
{
	if (window->now > now)
		shift(window, window->now - now);
	window->now = now;
	if (window->over == 0)
		return;
	while (window->count > 0 && row_at(window, 0)->time <= now - window->over) {
		window->head = (window->head + 1) & (window->room - 1);
		window->count--;
	}
}

void window_add(struct window *window, double value, double weight)
{
	const struct window_row row = {
		.first = window->now,
		.time = window->now,
		.count = 1,
		.weight = weight,
		.sum = value * weight,
		.min = value,
		.max = value,
	};

	if (!isfinite(value) || !(weight > 0))
		return;
	append(window, &row);
	window->last = value;
}

void window_remember(struct window *window, const struct window_row *row)
{
	if (row->time < window->now || !isfinite(row->sum) || !(row->weight > 0))
		return;
	window_advance(window, row->time);
	append(window, row);
	window->last = row->sum / row->weight;
}

/* Everything that the window holds as one row, but for its spread. */
static struct window_row total(const struct window *window)
{
	struct window_row all = {.min = INFINITY, .max = -INFINITY};

	if (window->over == 0)
		return window->total;
	for (size_t i = 0; i < window->count; i++) {
		const struct window_row *row = row_at(window, i);

		all.count += row->count;
		all.weight += row->weight;
		all.sum += row->sum;
		all.min = fmin(all.min, row->min);
		all.max = fmax(all.max, row->max);
	}
	return all;
}

/* A sum of thousands is rounded thousands of times: an average may end up a hair beside its values. */
static double average(const struct window_row *row)
{
	return fmax(row->min, fmin(row->max, row->sum / row->weight));
}

static double deviation(const struct window *window, const struct window_row *all)
{
	double mean = average(all), spread = 0;

	if (window->over == 0)
		return sqrt(all->spread / all->weight);
	for (size_t i = 0; i < window->count; i++) {
		const struct window_row *row = row_at(window, i);
		double apart = row->sum / row->weight - mean;

		spread += row->spread + apart * apart * row->weight;
	}
	return sqrt(spread / all->weight);
}

struct weighed {
	double value, weight;
};

static int by_value(const void *left, const void *right)
{
	const struct weighed *a = left, *b = right;

	return (a->value > b->value) - (a->value < b->value);
}

static double quantile_of(const struct window *window, double quantile)
{
	struct weighed *values = memory_array(window->count, sizeof(*values));
	double sum = 0, wanted, found;
	size_t i = 0;

	for (size_t row = 0; row < window->count; row++) {
		values[row] = (struct weighed){average(row_at(window, row)), row_at(window, row)->weight};
		sum += values[row].weight;
	}
	qsort(values, window->count, sizeof(*values), by_value);
	wanted = quantile * sum * (1 - 1e-12); /* 0.95 * 20 may come out above 19 */
	sum = values[0].weight;
	while (sum < wanted && i + 1 < window->count)
		sum += values[++i].weight;
	found = values[i].value;
	free(values);
	return found;
}

double window_value(const struct window *window, enum plan_fn fn, double quantile)
{
	struct window_row all = total(window);

	if (fn == PLAN_COUNT)
		return all.count;
	if (all.count <= 0)
		return NAN;
	switch (fn) {
	case PLAN_MIN:
		return all.min;
	case PLAN_MAX:
		return all.max;
	case PLAN_AVG:
		return average(&all);
	case PLAN_SUM:
		return all.sum;
	case PLAN_LAST:
		return window->last;
	case PLAN_STDDEV:
		return deviation(window, &all);
	case PLAN_QUANTILE:
		return quantile_of(window, quantile);
	case PLAN_COUNT:
	case PLAN_ETA:
	case PLAN_FUNCTION:
		break;
	}
	return NAN;
}
