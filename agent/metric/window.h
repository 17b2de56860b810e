/* metric/window.h: the stretch of time that an aggregate looks at.
 *
 * A sliding window (`over` > 0) holds the samples of (now - over, now], where now is the newest sample of its family;
 * a service window (`over` = 0) holds all since it was reset. Samples stand in rows: up to WINDOW_ROWS of
 * them, each row is one sample. With more, neighbours share a row, which keeps count, sum, spread, minimum and maximum:
 * what is told of the window remains exact for the samples that it holds. A row leaves when its newest sample does, so
 * then the window may reach back by up to a WINDOW_BLUR-th too far.
 *
 * A sample that is unknown is counted in its place, and takes part in nothing else.
 *
 * Adding and asking cost the same however long the window is. No average is ever made by subtracting: no error piles up.
 * Memory: a row is 72 bytes, so that a sliding window has at most 160 kB; a service window has no rows, but where somebody
 * wants to see them. Quantiles come on top (quantiles.h).
 *
 * Time in a window never goes back. A clock that is set back is taken as if no time had passed: what the window holds
 * moves back with it, keeps its order, and ages on from there. One that is set forward makes it older at once.
 *
 * Belongs to one thread at a time. */
#ifndef METRIC_WINDOW_H
#define METRIC_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/plan.h"
#include "metric/quantiles.h"

#define WINDOW_ROWS 2048 /* a power of two */
#define WINDOW_BLUR 512  /* rows of a sliding window are at most over / WINDOW_BLUR long, once they are shared */
#define WINDOW_STEP 16   /* rows to a step, a power of two: see window.c */

/* Some samples, seen as one. A sample weighs 1, or, of a counter, the seconds that its rate covers: then the weighted
 * sum of rates is the counter's increase, and their average is that increase by the time it took. */
struct window_row {
	int64_t first, time; /* of its oldest and newest sample, known or not: wall clock, ns */
	double count;        /* of those that are known; without any, all of the following is 0 but for `unknown` */
	double unknown;
	double weight;
	double sum;    /* of value * weight */
	double spread; /* of (value - average)^2 * weight */
	double min, max;
};

/* Starts by window_begin(), ends by window_release(). */
struct window {
	int64_t over;
	bool has_rows;
	int64_t now;             /* wall clock, ns; 0: no sample yet */
	double last;             /* the newest known value */
	double share;            /* how many samples may share a row now; doubles when the rows run out */
	struct window_row *rows; /* a ring: the row of number n is at n modulo `room`, which is a power of two */
	size_t room;
	uint64_t begin, middle, end; /* numbers of the oldest row, of the first of the young ones, and of the next */
	struct window_row young;     /* rows from `middle` on, as one; of a window without rows: all of it */
	/* Of the old rows, those before `middle`: as one from each step on, and from each row of the first step to that. */
	struct window_row *steps, *near; /* one block, of `steps` */
	double grain;                    /* the weight that counts as 1 for quantiles; 0: nobody asks for them */
	struct quantiles quantiles;
};

void window_begin(struct window *window, int64_t over);
void window_release(struct window *window);
void window_reset(struct window *window); /* forgets every sample */
void window_swap(struct window *a, struct window *b);

/* What somebody will want to see: the rows (a sliding window has them anyway), and quantiles, for which weights are
 * counted in whole grains (at least one; 0: nobody wants them). What a window did not keep so far it lacks: the rows of a
 * service window begin with one for all that was; quantiles begin with the averages of the rows. */
void window_want(struct window *window, bool rows, double grain);

/* The family has a new sample: the window ends there. */
void window_advance(struct window *window, int64_t now);

/* Adds a value at the window's end; one that is not finite, or has no weight, is unknown. */
void window_add(struct window *window, double value, double weight);

/* Puts a past before what a sliding window holds: rows of history, oldest first, those left out that do not end before
 * it. What is unknown is counted between what is known only: before its first known row, a series had not begun. */
void window_remember(struct window *window, const struct window_row *rows, size_t row_count);

/* NaN: there is no value in the window (its count is then 0). Always min <= avg, quantile <= max. stddev is that of the
 * whole population; a quantile is the smallest value that at least this share of the weight does not exceed, within one
 * percent, and within the window's minimum and maximum (quantiles.h). */
double window_value(const struct window *window, enum plan_fn fn, double quantile);

/* All that it holds as one row, but for its times. */
struct window_row window_total(const struct window *window);

/* Its rows, the oldest first; none of a window without rows. */
size_t window_count(const struct window *window);
const struct window_row *window_row(const struct window *window, size_t i);

/* The average of a row that has known samples. */
double window_average(const struct window_row *row);

#endif
