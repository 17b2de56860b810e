/* metric/window.c: rows in a ring; the oldest fall out at one end, neighbours join when there are too many.
 *
 * What all rows come to cannot be had by taking away what leaves: a maximum cannot be taken back, and a sum would keep
 * the error of every addition. So the window is a queue of two stacks. The young rows, added last, are also kept as one
 * (`young`), to which a new sample is joined. Of the old rows, from the middle to the end that they leave by, it is known
 * what all from here to the middle come to: when one leaves, that of the next is ready. When the old have all left, the
 * young ones become the old (turn()), which is a walk over each row once in its life.
 *
 * To know it for each old row would double the memory, so it is known of every WINDOW_STEP-th (`steps`), and within the
 * step that is being left of each row up to the step's end (`near`).
 *
 *     begin            next step                       middle           end
 *       | near[begin] -> |   steps[next step]  ----------> |    young     |
 */
#include "metric/window.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

#define ROOM_FIRST WINDOW_STEP

/* --- rows ---------------------------------------------------------------------------------------------------------- */

/* Adds the younger `row` to `into`; either may be empty. The spread is that of Chan, Golub and LeVeque (1979): no
 * cancellation. */
static void join(struct window_row *into, const struct window_row *row)
{
	double unknown = into->unknown + row->unknown, apart;
	int64_t first = into->count + into->unknown > 0 ? into->first : row->first;

	if (row->count + row->unknown <= 0)
		return;
	if (into->count <= 0) {
		*into = *row;
	} else if (row->count > 0) {
		apart = row->sum / row->weight - into->sum / into->weight;
		into->spread += row->spread + apart * apart * (into->weight / (into->weight + row->weight)) * row->weight;
		into->count += row->count;
		into->weight += row->weight;
		into->sum += row->sum;
		into->min = fmin(into->min, row->min);
		into->max = fmax(into->max, row->max);
	}
	into->first = first;
	into->time = row->time;
	into->unknown = unknown;
}

/* A sum of thousands is rounded thousands of times: an average may end up a hair beside its values. */
double window_average(const struct window_row *row)
{
	return fmax(row->min, fmin(row->max, row->sum / row->weight));
}

static struct window_row *row_at(const struct window *window, uint64_t number)
{
	return &window->rows[number & (window->room - 1)];
}

size_t window_count(const struct window *window)
{
	return window->end - window->begin;
}

const struct window_row *window_row(const struct window *window, size_t i)
{
	return row_at(window, window->begin + i);
}

/* --- the two stacks ------------------------------------------------------------------------------------------------ */

static struct window_row *step_at(const struct window *window, uint64_t number)
{
	return &window->steps[number / WINDOW_STEP & (window->room / WINDOW_STEP - 1)];
}

/* Where the step of a row ends, or the old rows do. */
static uint64_t end_of_step(const struct window *window, uint64_t number)
{
	uint64_t end = (number / WINDOW_STEP + 1) * WINDOW_STEP;

	return end < window->middle ? end : window->middle;
}

/* What old rows come to from each on, within the first step. */
static void look_near(struct window *window)
{
	struct window_row sum = {0};

	for (uint64_t number = end_of_step(window, window->begin); number-- > window->begin;) {
		struct window_row row = *row_at(window, number);

		join(&row, &sum);
		window->near[number % WINDOW_STEP] = sum = row;
	}
}

/* Makes all rows old but the last, which may still be joined. */
static void turn(struct window *window)
{
	struct window_row sum = {0};

	window->middle = window->end > window->begin ? window->end - 1 : window->begin;
	window->young = window->end > window->begin ? *row_at(window, window->middle) : (struct window_row){0};
	for (uint64_t number = window->middle; number-- > window->begin;) {
		struct window_row row = *row_at(window, number);

		join(&row, &sum);
		sum = row;
		if (number % WINDOW_STEP == 0)
			*step_at(window, number) = sum;
	}
	look_near(window);
}

static void drop_oldest(struct window *window)
{
	window->begin++;
	if (window->begin >= window->middle)
		turn(window);
	else if (window->begin % WINDOW_STEP == 0)
		look_near(window);
}

struct window_row window_total(const struct window *window)
{
	struct window_row total = {0};
	uint64_t next;

	if (window->begin < window->middle) {
		total = window->near[window->begin % WINDOW_STEP];
		next = end_of_step(window, window->begin);
		if (next < window->middle)
			join(&total, step_at(window, next));
	}
	join(&total, &window->young);
	return total;
}

/* --- coming and going ---------------------------------------------------------------------------------------------- */

static bool may_share(const struct window *window, const struct window_row *old, const struct window_row *young)
{
	return old->count + old->unknown + young->count + young->unknown <= window->share &&
	       (window->over == 0 || young->time - old->first <= window->over / WINDOW_BLUR);
}

/* Lets neighbours share rows until a quarter of them is free. Ends: at some share only the rows' length keeps them
 * apart, and of rows that are too long to be joined a window holds no more than two for each WINDOW_BLUR-th. */
static void condense(struct window *window)
{
	while (window_count(window) > WINDOW_ROWS / 4 * 3) {
		uint64_t kept = window->begin + 1;

		window->share *= 2;
		for (uint64_t number = kept; number < window->end; number++) {
			struct window_row *row = row_at(window, number), *before = row_at(window, kept - 1);

			if (may_share(window, before, row))
				join(before, row);
			else
				*row_at(window, kept++) = *row;
		}
		window->end = kept;
	}
	turn(window);
}

static void grow(struct window *window)
{
	size_t room = window->room ? 2 * window->room : ROOM_FIRST;
	struct window_row *rows = memory_array(room, sizeof(*rows));

	for (uint64_t number = window->begin; number < window->end; number++)
		rows[number & (room - 1)] = *row_at(window, number);
	free(window->rows);
	free(window->steps);
	window->rows = rows;
	window->room = room;
	window->steps = memory_array(room / WINDOW_STEP + WINDOW_STEP, sizeof(*window->steps));
	window->near = window->steps + room / WINDOW_STEP;
	turn(window);
}

/* Adds a row at the end; an empty one adds nothing. */
static void append(struct window *window, const struct window_row *row)
{
	bool shares = window->end > window->begin && may_share(window, row_at(window, window->end - 1), row);

	if (row->count + row->unknown <= 0)
		return;
	if (window->has_rows && !shares) {
		if (window_count(window) == WINDOW_ROWS)
			condense(window);
		if (window_count(window) == window->room)
			grow(window);
		*row_at(window, window->end++) = *row;
	} else if (shares) {
		join(row_at(window, window->end - 1), row);
	}
	join(&window->young, row);
}

void window_begin(struct window *window, int64_t over)
{
	*window = (struct window){.over = over, .has_rows = over > 0};
	quantiles_begin(&window->quantiles, over);
	window_reset(window);
}

static void release_rows(struct window *window)
{
	free(window->rows);
	free(window->steps);
	window->rows = window->steps = window->near = NULL;
	window->room = 0;
	window->begin = window->middle = window->end = 0;
	window->young = (struct window_row){0};
}

void window_release(struct window *window)
{
	release_rows(window);
	quantiles_release(&window->quantiles);
}

void window_reset(struct window *window)
{
	window->now = 0;
	window->last = NAN;
	window->share = 1;
	window->begin = window->middle = window->end = 0;
	window->young = (struct window_row){0};
	quantiles_clear(&window->quantiles);
}

/* Counts a row, as its average. */
static void count(struct window *window, const struct window_row *row)
{
	double grains = window->grain > 0 ? fmax(1, round(row->weight / window->grain)) : 0;

	if (grains > 0 && row->count > 0)
		quantiles_add(&window->quantiles, row->time, window_average(row), (uint64_t)grains);
}

static void want_rows(struct window *window, bool rows)
{
	struct window_row all = window_total(window);

	if (window->over > 0 || rows == window->has_rows)
		return;
	release_rows(window);
	window->has_rows = rows;
	append(window, &all);
}

void window_want(struct window *window, bool rows, double grain)
{
	want_rows(window, rows);
	if (grain == window->grain)
		return;
	window->grain = grain;
	quantiles_clear(&window->quantiles);
	for (uint64_t number = window->begin; number < window->end; number++)
		count(window, row_at(window, number));
}

/* Moves everything back by as much as the clock was. */
static void shift(struct window *window, int64_t back)
{
	for (uint64_t number = window->begin; number < window->end; number++) {
		row_at(window, number)->first -= back;
		row_at(window, number)->time -= back;
	}
	window->young.first -= back;
	window->young.time -= back;
	quantiles_shift(&window->quantiles, back);
}

void window_advance(struct window *window, int64_t now)
{
	if (window->now > now)
		shift(window, window->now - now);
	window->now = now;
	while (window->over > 0 && window->begin < window->end && row_at(window, window->begin)->time <= now - window->over)
		drop_oldest(window);
	quantiles_expire(&window->quantiles, now);
}

void window_add(struct window *window, double value, double weight)
{
	struct window_row row = {.first = window->now, .time = window->now};

	if (isfinite(value) && weight > 0) {
		row.count = 1;
		row.weight = weight;
		row.sum = value * weight;
		row.min = row.max = window->last = value;
	} else {
		row.unknown = 1;
	}
	append(window, &row);
	count(window, &row);
}

/* --- history ------------------------------------------------------------------------------------------------------- */

/* Of the rows, those that lie before what the window holds, from the first known one on, and to the last where nothing
 * comes after it. Returns how many are left. */
static size_t fit(const struct window *window, const struct window_row **rows, size_t count)
{
	bool empty = window->begin == window->end;
	int64_t before = !empty ? row_at(window, window->begin)->first : window->now ? window->now + 1 : INT64_MAX;

	while (count > 0 && (*rows)[count - 1].time >= before)
		count--;
	while (count > 0 && empty && (*rows)[count - 1].count <= 0)
		count--;
	for (; count > 0 && (*rows)->count <= 0; count--)
		(*rows)++;
	return count;
}

void window_remember(struct window *window, const struct window_row *rows, size_t row_count)
{
	struct window whole;

	window_begin(&whole, window->over);
	window_want(&whole, window->has_rows, window->grain);
	row_count = fit(window, &rows, row_count);
	for (size_t i = 0; i < row_count; i++) {
		if (rows[i].time < whole.now)
			continue;
		window_advance(&whole, rows[i].time);
		append(&whole, &rows[i]);
		count(&whole, &rows[i]);
		if (rows[i].count > 0)
			whole.last = window_average(&rows[i]);
	}
	for (size_t i = 0; i < window_count(window); i++)
		append(&whole, window_row(window, i));
	quantiles_append(&whole.quantiles, &window->quantiles);
	if (!isnan(window->last))
		whole.last = window->last;
	if (window->now > 0)
		window_advance(&whole, window->now);
	window_swap(&whole, window);
	window_release(&whole);
}

void window_swap(struct window *a, struct window *b)
{
	struct window other = *a;

	*a = *b;
	*b = other;
}

/* --- answers ------------------------------------------------------------------------------------------------------- */

double window_value(const struct window *window, enum plan_fn fn, double quantile)
{
	struct window_row all = window_total(window);

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
		return window_average(&all);
	case PLAN_SUM:
		return all.sum;
	case PLAN_LAST:
		return window->last;
	case PLAN_STDDEV:
		return sqrt(all.spread / all.weight);
	case PLAN_QUANTILE:
		return fmax(all.min, fmin(all.max, quantiles_value(&window->quantiles, quantile)));
	case PLAN_COUNT:
	case PLAN_ETA:
	case PLAN_FUNCTION:
		break;
	}
	return NAN;
}
