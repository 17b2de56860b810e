/* metric/window.h: the stretch of time that an aggregate looks at.
 *
 * A sliding window (`over` > 0) holds the samples of (now - over, now], where now is the newest sample of its family;
 * a service window (`over` = 0) holds all since it was reset. Samples stand in rows: up to WINDOW_ROWS of them, each
 * row is one sample and everything is exact. With more, neighbours share a row, which keeps count, sum, spread, minimum
 * and maximum: min, max, avg, sum, count and stddev remain exact, quantiles become those of the rows' averages. A row
 * leaves when its newest sample does, so then the window may reach back by up to a WINDOW_BLUR-th too far.
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

#define WINDOW_ROWS 4096
#define WINDOW_BLUR 1024 /* rows of a sliding window are at most over / WINDOW_BLUR long, once they are shared */

/* Some samples, seen as one. A sample weighs 1, or, of a counter, the seconds that its rate covers: then the weighted
 * sum of rates is the counter's increase, and their average is that increase by the time it took. */
struct window_row {
	int64_t first, time; /* of its oldest and newest sample: wall clock, ns */
	double count;
	double weight;
	double sum;    /* of value * weight */
	double spread; /* of (value - average)^2 * weight */
	double min, max;
};

/* Starts by window_begin(), ends by window_release(). */
struct window {
	int64_t over;
	bool quantiles;          /* someone asks for them: a service window needs rows for nothing else */
	int64_t now;             /* wall clock, ns; 0: no sample yet */
	double last;             /* the newest known value */
	struct window_row total; /* of a service window */
	double share;            /* how many samples may share a row now; doubles when the rows run out */
	struct window_row *rows; /* a ring */
	size_t room, head, count;
};

void window_begin(struct window *window, int64_t over, bool quantiles);
void window_release(struct window *window);
void window_reset(struct window *window); /* forgets every sample */

/* The family has a new sample: the window ends there. */
void window_advance(struct window *window, int64_t now);

/* Adds a value at the window's end; one that is not finite is left out. */
void window_add(struct window *window, double value, double weight);

/* Adds a row of history, which ends at row->time. One that is older than what the window holds is left out. */
void window_remember(struct window *window, const struct window_row *row);

/* NaN: there is no value in the window (its count is then 0). Always min <= avg, quantile <= max. stddev is that of the
 * whole population; a quantile is the smallest value that at least this share of the weight does not exceed. */
double window_value(const struct window *window, enum plan_fn fn, double quantile);

#endif
