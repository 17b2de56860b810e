/* metric/view.c: one window for each thing that is looked at. */
#include "metric/view.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* A rate weighs the seconds that it covers: a microsecond is near enough. A gauge's sample weighs 1. */
#define COUNTER_GRAIN 1e-6

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static struct view *find(const struct views *views, const struct plan_aggregate *aggregate)
{
	for (size_t i = 0; i < views->count; i++) {
		struct view *view = &views->views[i];

		if (view->family == aggregate->family && view->field == aggregate->field &&
		    view->window.over == aggregate->over && same(view->instance, aggregate->instance))
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
	       x->kind == y->kind && same(before->instance, view->instance);
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
