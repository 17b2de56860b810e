/* metric/view.h: the windows of a plan's aggregates.
 *
 * Aggregates that look at the same thing for as long share a view: avg and max of it see the same samples. When another
 * plan takes over, a view that both have goes on with all that it holds. Belongs to one thread at a time. */
#ifndef METRIC_VIEW_H
#define METRIC_VIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "config/plan.h"
#include "metric/trend.h"
#include "metric/window.h"

struct view {
	size_t family, field;
	const char *instance; /* NULL: all; the plan's */
	bool fresh;           /* it slides, and has not been told of its past */
	struct window window;
	struct trend trend; /* as of … */
	int64_t fitted;     /* … this end of the window; 0: never, or the past has become another */
};

struct views {
	size_t count;
	struct view *views;
	size_t *of; /* by aggregate */
};

void views_begin(struct views *views, const struct plan *plan);
void views_release(struct views *views);

/* Seconds until the trend of its samples reaches `to` (trend.h): a line through at most TREND_POINTS averages of
 * neighbours. The line is fitted anew when the window has moved by a TREND_POINTS-th of what it holds; in between the
 * answer counts down. */
double view_eta(struct view *view, double to);

void view_reset(struct view *view); /* forgets every sample */

/* window_remember(), of a view that slides. */
void view_remember(struct view *view, const struct window_row *rows, size_t count);

/* Goes over from one plan to another. The windows of views that both have (the same family, field, instance and
 * duration, by their names) go on. */
void views_adopt(struct views *views, const struct plan *old, const struct plan *plan);

#endif
