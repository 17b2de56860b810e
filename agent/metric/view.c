/* metric/view.c: one window for each thing that is looked at. */
#include "metric/view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"

/* A rate weighs the seconds that it covers: a microsecond is near enough. A gauge's sample weighs 1. */
#define COUNTER_GRAIN 1e-6

static struct view *find(const struct views *views, const struct plan_aggregate *aggregate)
{
	for (size_t i = 0; i < views->count; i++) {
		struct view *view = &views->views[i];

		if (view->family == aggregate->family && view->field == aggregate->field &&
		    view->window.over == aggregate->over && text_same(view->instance, aggregate->instance))
			return view;
	}
	return NULL;
}

static void add(struct views *views, const struct plan *plan, size_t index)
{
	const struct plan_aggregate *aggregate = &plan->aggregates[index];
	struct view *view = find(views, aggregate);

	if (!view) {
		view = &views->views[views->count++];
		view->family = aggregate->family;
		view->field = aggregate->field;
		view->instance = aggregate->instance;
		view->fresh = aggregate->over > 0;
		window_begin(&view->window, aggregate->over);
	}
	views->of[index] = (size_t)(view - views->views);
}

static bool is_counter(const struct plan *plan, const struct plan_aggregate *aggregate)
{
	return plan->families[aggregate->family].table->fields[aggregate->field].kind == PINDROP_COUNTER;
}

/* Says of every window what is asked of it: one that kept its past may be asked for more, or for less, than before. */
static void want(struct views *views, const struct plan *plan)
{
	double *grains = memory_array(views->count, sizeof(double));
	bool *rows = memory_array(views->count, sizeof(bool));

	for (size_t i = 0; i < plan->aggregate_count; i++) {
		const struct plan_aggregate *aggregate = &plan->aggregates[i];

		if (aggregate->fn == PLAN_QUANTILE)
			grains[views->of[i]] = is_counter(plan, aggregate) ? COUNTER_GRAIN : 1;
		rows[views->of[i]] |= aggregate->fn == PLAN_ETA || plan_is_asked(aggregate);
	}
	for (size_t i = 0; i < views->count; i++)
		window_want(&views->views[i].window, rows[i], grains[i]);
	free(grains);
	free(rows);
}

static void make(struct views *views, const struct plan *plan)
{
	*views = (struct views){0};
	views->views = memory_array(plan->aggregate_count, sizeof(*views->views));
	views->of = memory_array(plan->aggregate_count, sizeof(*views->of));
	for (size_t i = 0; i < plan->aggregate_count; i++)
		add(views, plan, i);
}

void views_begin(struct views *views, const struct plan *plan)
{
	make(views, plan);
	want(views, plan);
}

void views_release(struct views *views)
{
	for (size_t i = 0; i < views->count; i++)
		window_release(&views->views[i].window);
	free(views->views);
	free(views->of);
}

static bool same_view(const struct plan *old, const struct view *before, const struct plan *plan,
                      const struct view *view)
{
	const struct pindrop_family *a = old->families[before->family].table, *b = plan->families[view->family].table;
	const struct pindrop_field *x = &a->fields[before->field], *y = &b->fields[view->field];

	return before->window.over == view->window.over && strcmp(a->name, b->name) == 0 && strcmp(x->name, y->name) == 0 &&
	       x->kind == y->kind && text_same(before->instance, view->instance);
}

void views_adopt(struct views *views, const struct plan *old, const struct plan *plan)
{
	struct views next;

	make(&next, plan);
	for (size_t i = 0; i < next.count; i++) {
		struct view *view = &next.views[i];
		size_t k = 0;

		while (k < views->count && !same_view(old, &views->views[k], plan, view))
			k++;
		if (k == views->count)
			continue;
		view->fresh = views->views[k].fresh;
		/* What is new in it is empty, and changes places with what goes on. */
		window_swap(&view->window, &views->views[k].window);
	}
	want(&next, plan);
	views_release(views);
	*views = next;
}

void view_reset(struct view *view)
{
	window_reset(&view->window);
	view->fitted = 0;
}

void view_remember(struct view *view, const struct window_row *rows, size_t count)
{
	window_remember(&view->window, rows, count);
	view->fresh = false;
	view->fitted = 0;
}

/* --- the trend ---------------------------------------------------------------------------------------------------- */

static int64_t middle_of(const struct window_row *row)
{
	return row->first + (row->time - row->first) / 2;
}

/* Adds a row to a point that has this weight so far. Times are counted from the window's end. */
static void join_point(struct trend_point *point, double *weight, const struct window *window,
                       const struct window_row *row)
{
	*weight += row->weight;
	point->value += (window_average(row) - point->value) * row->weight / *weight;
	point->time += (clock_seconds(middle_of(row) - window->now) - point->time) * row->weight / *weight;
}

/* Cuts what the window holds into slices of the same length, and makes a point of each that has known samples: their
 * average at their average time. What came of stored rows of several lengths may be out of order: it is left out. */
static size_t gather(const struct window *window, struct trend_point points[TREND_POINTS])
{
	size_t count = window_count(window), made = 0, kept = 0;
	int64_t begin = window_row(window, 0)->time, last = 0;
	int64_t slice = (window_row(window, count - 1)->time - begin) / TREND_POINTS + 1;
	double weight = 0;

	for (size_t i = 0; i < count; i++) {
		const struct window_row *row = window_row(window, i);
		int64_t place = (row->time - begin) / slice;

		if (row->count <= 0)
			continue;
		if (made == 0 || place != last) {
			points[made++] = (struct trend_point){0};
			weight = 0;
		}
		last = place;
		join_point(&points[made - 1], &weight, window, row);
	}
	for (size_t i = 0; i < made; i++)
		if (kept == 0 || points[i].time > points[kept - 1].time)
			points[kept++] = points[i];
	return kept;
}

double view_eta(struct view *view, double to)
{
	const struct window *window = &view->window;
	struct trend_point points[TREND_POINTS];
	int64_t span;

	if (window_total(window).count <= 0)
		return NAN;
	span = window->now - window_row(window, 0)->first;
	if (view->fitted == 0 || window->now < view->fitted || window->now - view->fitted > span / TREND_POINTS) {
		view->trend = trend_fit(points, gather(window, points));
		view->fitted = window->now;
	}
	return trend_eta(&view->trend, to, clock_seconds(window->now - view->fitted));
}
