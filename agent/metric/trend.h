/* metric/trend.h: where a metric is heading, and when it will be there.
 *
 * A line through some points by Theil and Sen: its slope is the median of those of all pairs, so that up to a quarter of
 * the points may be anything. It counts only where Kendall's test (with ties) says that the points go up, or down, with
 * less than one percent's chance that they merely happen to. Pure. */
#ifndef METRIC_TREND_H
#define METRIC_TREND_H

#include <stdbool.h>
#include <stddef.h>

#define TREND_POINTS 128 /* at most */
#define TREND_LEAST 10   /* fewer say nothing */

struct trend_point {
	double time, value; /* times, in s, rise strictly */
};

struct trend {
	bool known;   /* there is a trend */
	double slope; /* a second */
	double time;  /* of the newest point … */
	double level; /* … and where the line is then */
	double start; /* where the line was at the oldest */
	double last;  /* the newest point's value; NaN: there is no point */
};

struct trend trend_fit(const struct trend_point *points, size_t count);

/* Seconds until the line reaches `to`, as of a time that is not before the newest point's:
 *
 *     0     the newest point is there, or the line has crossed `to` since the oldest
 *     NaN   there is no trend, or it leads away */
double trend_eta(const struct trend *trend, double to, double now);

#endif
