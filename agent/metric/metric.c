/* metric/metric.c: the latest values and the windows, behind one lock.
 *
 * What enters a window:
 *
 *     gauge     every known value, also that of the off-tick sample at /start: a maximum is never below what is shown
 *     counter   the rate a second between two consecutive samples of the same instance, by the time that really passed
 *               between them; weighed by that time, so that `sum` is the increase and `avg` the increase a second.
 *               None after a decrease (a reset), an unknown value, a restart, or a gap beyond the heartbeat: such a
 *               sample is counted as unknown, as is a gauge without a value
 *     several   an aggregate without an instance sees the samples of all instances, one by one, but for those that its
 *               family leaves out of its own sum (pindrop_row_unsummed): they would be counted twice
 *
 * A window ends at the newest sample of its family, also where its own instance is missing from that.
 *
 * What a snapshot points to may be taken out of the catalogue while it is read: until no snapshot is left it is kept in
 * the graveyard. */
#include "metric/metric.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "metric/catalogue.h"
#include "metric/gap_list.h"
#include "metric/view.h"

/* What a function of Lua made of an aggregate. */
struct result {
	double value;
	char *text; /* NULL: none */
};

struct metric {
	gap_sink *sink; /* NULL: nobody wants to know */
	void *context;
	pthread_mutex_t lock; /* of all below */
	const struct plan *plan;
	_Atomic uint64_t generation;
	int64_t since;
	uint64_t life;   /* goes up with every start of the service */
	uint64_t serial; /* of the batch that is being published */
	size_t snapshots, grave_count;
	void **graveyard;
	struct catalogue *families;
	struct views views;
	struct result *results; /* by aggregate */
};

/* Nothing was made yet of any aggregate. */
static struct result *new_results(const struct plan *plan)
{
	struct result *results = memory_array(plan->aggregate_count, sizeof(*results));

	for (size_t i = 0; i < plan->aggregate_count; i++)
		results[i].value = NAN;
	return results;
}

struct metric *metric_new(const struct plan *plan)
{
	struct metric *metric = memory_alloc(sizeof(*metric));

	metric->plan = plan_hold(plan);
	pthread_mutex_init(&metric->lock, NULL);
	atomic_init(&metric->generation, 1);
	metric->families = memory_array(plan->family_count, sizeof(*metric->families));
	for (size_t i = 0; i < plan->family_count; i++)
		catalogue_begin(&metric->families[i], plan->families[i].table);
	views_begin(&metric->views, plan);
	metric->results = new_results(plan);
	return metric;
}

/* With the lock held. */
static void empty_graveyard(struct metric *metric)
{
	while (metric->grave_count > 0)
		free(metric->graveyard[--metric->grave_count]);
}

/* Frees a block, which may be NULL, when no snapshot can point to it. With the lock held. */
static void bury(struct metric *metric, void *block)
{
	if (!block || metric->snapshots == 0) {
		free(block);
		return;
	}
	metric->graveyard = memory_resize(metric->graveyard, metric->grave_count + 1, sizeof(void *));
	metric->graveyard[metric->grave_count++] = block;
}

void metric_free(struct metric *metric)
{
	for (size_t i = 0; i < metric->plan->family_count; i++)
		catalogue_release(&metric->families[i]);
	for (size_t i = 0; i < metric->plan->aggregate_count; i++)
		free(metric->results[i].text);
	views_release(&metric->views);
	empty_graveyard(metric);
	free(metric->graveyard);
	free(metric->families);
	free(metric->results);
	plan_release(metric->plan);
	pthread_mutex_destroy(&metric->lock);
	free(metric);
}

const struct plan *metric_plan(struct metric *metric)
{
	const struct plan *plan;

	pthread_mutex_lock(&metric->lock);
	plan = plan_hold(metric->plan);
	pthread_mutex_unlock(&metric->lock);
	return plan;
}

void metric_intern(struct metric *metric, struct batch *batch)
{
	size_t value_count = batch->row_count * batch->field_count;

	/* Infinity is nothing that could be stored, drawn or written as JSON: it is unknown, for all rooms from here on. */
	for (size_t i = 0; i < value_count; i++)
		if (!isfinite(batch->values[i]))
			batch->values[i] = NAN;
	pthread_mutex_lock(&metric->lock);
	batch->life = metric->life;
	for (size_t row = 0; row < batch->row_count; row++) {
		struct known *known = catalogue_intern(&metric->families[batch->family], batch, row);

		known->pending++;
		batch->rows[row].instance = &known->instance;
	}
	pthread_mutex_unlock(&metric->lock);
}

void metric_expect(struct metric *metric, size_t family, const char *instance)
{
	const struct pindrop_family *table;
	struct batch batch = {0};
	struct known *known;

	pthread_mutex_lock(&metric->lock);
	table = metric->plan->families[family].table;
	batch_begin(&batch, family, table->field_count, table->label_count);
	batch_add(&batch, instance, NULL);
	known = catalogue_intern(&metric->families[family], &batch, 0);
	if (known->gone)
		catalogue_return(&metric->families[family], known);
	pthread_mutex_unlock(&metric->lock);
	batch_release(&batch);
}

bool metric_forget(struct metric *metric, size_t family, const char *instance)
{
	struct catalogue *catalogue;
	struct known *known;
	bool forgotten;

	pthread_mutex_lock(&metric->lock);
	catalogue = &metric->families[family];
	known = catalogue_find(catalogue, instance);
	forgotten = !known || (known->gone && known->pending == 0);
	if (known && forgotten) {
		catalogue_remove(catalogue, known);
		bury(metric, (void *)known->labels);
		bury(metric, known);
		atomic_fetch_add(&metric->generation, 1);
	}
	pthread_mutex_unlock(&metric->lock);
	return forgotten;
}

/* --- publishing: all with the lock held ---------------------------------------------------------------------- */

/* Adds what one row says of a view. `known` still holds the instance's sample before this one. */
static void look(struct view *view, const struct plan_family *family, const struct known *known,
                 const struct batch *batch, size_t row)
{
	int64_t passed = batch->clock && known->clock ? batch->clock - known->clock : batch->time - known->time;
	double value = batch_values(batch, row)[view->field], rise = value - known->values[view->field];

	if (family->table->fields[view->field].kind != PINDROP_COUNTER)
		window_add(&view->window, value, 1);
	else if (known->time != 0 && passed > 0 && passed <= 2 * family->plugin->interval + CLOCK_SECOND && rise >= 0)
		window_add(&view->window, rise / clock_seconds(passed), clock_seconds(passed));
	else
		window_add(&view->window, NAN, 0);
}

static void feed(struct metric *metric, struct view *view, const struct batch *batch)
{
	const struct catalogue *catalogue = &metric->families[batch->family];
	const struct plan_family *family = &metric->plan->families[batch->family];

	window_advance(&view->window, batch->on_tick ? batch->tick : batch->time);
	if (view->instance) {
		const struct known *known = catalogue_find(catalogue, view->instance);

		if (known && known->serial == metric->serial)
			look(view, family, known, batch, known->row);
		return;
	}
	for (size_t row = 0; row < batch->row_count; row++)
		if (batch->rows[row].summed)
			look(view, family, catalogue->known[batch->rows[row].instance->index], batch, row);
}

/* Says of each instance whether this batch has it, and in which row. */
static void place(struct metric *metric, const struct batch *batch)
{
	const struct catalogue *catalogue = &metric->families[batch->family];

	metric->serial++;
	for (size_t row = 0; row < batch->row_count; row++) {
		struct known *known = catalogue->known[batch->rows[row].instance->index];

		known->row = row;
		known->serial = metric->serial;
	}
}

/* --- gaps that samples show: all with the lock held ------------------------------------------------------------ */

static void note(const struct metric *metric, struct gap_list *gaps, const struct batch *batch,
                 const struct known *known, struct gap gap)
{
	gap.family = metric->plan->families[batch->family].table->name;
	gap.instance = known->instance.name;
	if (metric->sink && gap.from < gap.to)
		gap_list_add(gaps, &gap);
}

/* Where what is unknown at the batch's tick begins: earlier ticks that the family missed have other reasons. */
static int64_t before(const struct metric *metric, const struct batch *batch)
{
	int64_t interval = metric->plan->families[batch->family].plugin->interval;
	int64_t last = metric->families[batch->family].tick;

	return last < batch->tick && last > batch->tick - interval ? last : batch->tick - interval;
}

/* Counters that have gone down since the instance's last tick. */
static void note_resets(const struct metric *metric, struct gap_list *gaps, const struct batch *batch,
                        const struct known *known)
{
	const struct pindrop_family *family = metric->plan->families[batch->family].table;
	const double *values = batch_values(batch, known->row);

	if (known->gone || known->tick == 0)
		return;
	for (size_t i = 0; i < family->field_count; i++) {
		const struct pindrop_field *field = &family->fields[i];
		struct gap gap = {GAP_COUNTER_RESET, .field = field->name, .from = before(metric, batch), .to = batch->tick};
		char words[128];

		if (field->kind != PINDROP_COUNTER || !(values[i] < known->values[i]))
			continue;
		snprintf(words, sizeof(words), "it went from %.*f to %.*f %s", field->decimals, known->values[i],
		         field->decimals, values[i], field->unit);
		gap.words = words;
		note(metric, gaps, batch, known, gap);
	}
}

static bool has_counters(const struct pindrop_family *family)
{
	for (size_t i = 0; i < family->field_count; i++)
		if (family->fields[i].kind == PINDROP_COUNTER)
			return true;
	return false;
}

/* A counter's first sample gives no rate: for one more tick it is as good as gone. */
static void note_return(const struct metric *metric, struct gap_list *gaps, const struct batch *batch,
                        const struct known *known)
{
	struct gap gap = {GAP_DEVICE_GONE, .from = known->told, .to = metric->families[batch->family].tick};

	if (batch->on_tick && has_counters(metric->plan->families[batch->family].table))
		gap.to = batch->tick;
	if (known->told)
		note(metric, gaps, batch, known, gap);
}

static void note_vanished(const struct metric *metric, struct gap_list *gaps, const struct batch *batch,
                          struct known *known)
{
	struct gap gap = {GAP_DEVICE_GONE, .from = before(metric, batch), .to = batch->tick};

	/* Told from its first tick on. */
	known->told = batch->on_tick ? batch->tick : batch->time;
	if (batch->on_tick)
		note(metric, gaps, batch, known, gap);
}

/* The clock was set back: what was told lies in the future, and what comes now has not been told. */
static void rewind_told(const struct metric *metric, const struct batch *batch)
{
	const struct catalogue *catalogue = &metric->families[batch->family];
	int64_t from = before(metric, batch);

	for (size_t i = 0; i < catalogue->used; i++)
		if (catalogue->known[i] && catalogue->known[i]->told > from)
			catalogue->known[i]->told = from;
}

/* --- the latest values: all with the lock held ------------------------------------------------------------------ */

static void take_row(struct metric *metric, struct known *known, const struct batch *batch, struct gap_list *gaps)
{
	if (batch->on_tick)
		note_resets(metric, gaps, batch, known);
	if (known->gone) {
		note_return(metric, gaps, batch, known);
		catalogue_return(&metric->families[batch->family], known);
	}
	bury(metric, catalogue_relabel(known, batch, known->row));
	known->present = true;
	known->summed = batch->rows[known->row].summed;
	known->time = batch->time;
	known->clock = batch->clock;
	if (batch->on_tick)
		known->tick = batch->tick;
	memcpy(known->values, batch_values(batch, known->row), batch->field_count * sizeof(double));
}

/* Those that are not in this batch are gone. */
static void part(struct metric *metric, const struct batch *batch, struct gap_list *gaps)
{
	struct known **link = &metric->families[batch->family].here, *known;

	while ((known = *link)) {
		if (known->serial == metric->serial) {
			link = &known->next_here;
			continue;
		}
		*link = known->next_here;
		known->present = false;
		known->gone = true;
		note_vanished(metric, gaps, batch, known);
	}
}

static void take(struct metric *metric, const struct batch *batch, struct gap_list *gaps)
{
	struct catalogue *catalogue = &metric->families[batch->family];

	if (batch->on_tick && batch->tick < catalogue->tick)
		rewind_told(metric, batch);
	for (size_t row = 0; row < batch->row_count; row++) {
		struct known *known = catalogue->known[batch->rows[row].instance->index];

		/* Of two rows for one instance the last counts. */
		if (known->row == row)
			take_row(metric, known, batch, gaps);
	}
	part(metric, batch, gaps);
	catalogue->time = batch->time;
	if (batch->on_tick)
		catalogue->tick = batch->tick;
}

/* --- publishing ---------------------------------------------------------------------------------------------------- */

/* With the lock held. */
static void publish(struct metric *metric, const struct batch *batch, struct gap_list *gaps)
{
	const struct catalogue *catalogue = &metric->families[batch->family];
	bool current = batch->life == metric->life;

	place(metric, batch);
	for (size_t i = 0; i < metric->views.count; i++) {
		struct view *view = &metric->views.views[i];

		if (view->family == batch->family && (current || view->window.over > 0))
			feed(metric, view, batch);
	}
	if (current)
		take(metric, batch, gaps);
	for (size_t row = 0; row < batch->row_count; row++)
		catalogue->known[batch->rows[row].instance->index]->pending--;
}

void metric_publish(struct metric *metric, struct batch *const *batches, size_t count)
{
	struct gap_list gaps = {0};
	const struct plan *plan;

	if (count == 0)
		return;
	pthread_mutex_lock(&metric->lock);
	plan = plan_hold(metric->plan);
	for (size_t i = 0; i < count; i++)
		publish(metric, batches[i], &gaps);
	atomic_fetch_add(&metric->generation, 1);
	pthread_mutex_unlock(&metric->lock);
	gap_list_tell(&gaps, metric->sink, metric->context);
	plan_release(plan);
}

void metric_tell_gaps(struct metric *metric, gap_sink *sink, void *context)
{
	metric->sink = sink;
	metric->context = context;
}

/* Tells of those of a family that are gone up to its last tick. With the lock held. */
static void note_gone(const struct metric *metric, size_t family, struct gap_list *gaps)
{
	const struct catalogue *catalogue = &metric->families[family];
	const struct batch last = {.family = family};

	for (size_t i = 0; i < catalogue->used; i++) {
		struct known *known = catalogue->known[i];

		if (!known || !known->told || known->told >= catalogue->tick)
			continue;
		note(metric, gaps, &last, known, (struct gap){GAP_DEVICE_GONE, .from = known->told, .to = catalogue->tick});
		known->told = catalogue->tick;
	}
}

void metric_tell_gone(struct metric *metric)
{
	struct gap_list gaps = {0};
	const struct plan *plan;

	pthread_mutex_lock(&metric->lock);
	plan = plan_hold(metric->plan);
	for (size_t family = 0; family < plan->family_count; family++)
		note_gone(metric, family, &gaps);
	pthread_mutex_unlock(&metric->lock);
	gap_list_tell(&gaps, metric->sink, metric->context);
	plan_release(plan);
}

/* What was made of an aggregate goes, once no snapshot shows it. With the lock held. */
static void clear_result(struct metric *metric, struct result *result)
{
	bury(metric, result->text);
	*result = (struct result){.value = NAN};
}

void metric_restart(struct metric *metric, int64_t since)
{
	pthread_mutex_lock(&metric->lock);
	metric->since = since;
	metric->life++;
	for (size_t i = 0; i < metric->plan->family_count; i++)
		catalogue_reset(&metric->families[i]);
	for (size_t i = 0; i < metric->views.count; i++)
		if (metric->views.views[i].window.over == 0)
			view_reset(&metric->views.views[i]);
	for (size_t i = 0; i < metric->plan->aggregate_count; i++)
		if (metric->plan->aggregates[i].over == 0)
			clear_result(metric, &metric->results[i]);
	atomic_fetch_add(&metric->generation, 1);
	pthread_mutex_unlock(&metric->lock);
}

/* --- another plan: all with the lock held ------------------------------------------------------------------------- */

/* A family that is not there any more. What its snapshots show stays until they are gone. */
static void close_family(struct metric *metric, struct catalogue *catalogue)
{
	for (size_t i = 0; i < catalogue->used; i++) {
		struct known *known = catalogue->known[i];

		if (!known)
			continue;
		bury(metric, (void *)known->labels);
		bury(metric, known);
		catalogue->known[i] = NULL;
	}
	catalogue_release(catalogue);
}

static void adopt_families(struct metric *metric, const struct plan *plan, struct gap_list *gaps)
{
	struct catalogue *families = memory_array(plan->family_count, sizeof(*families));

	for (size_t i = 0; i < metric->plan->family_count; i++) {
		size_t place = plan_find_same(plan, metric->plan->families[i].table);

		if (place != SIZE_MAX) {
			families[place] = metric->families[i];
			families[place].family = plan->families[place].table;
			continue;
		}
		/* It is still true that they were not there. */
		note_gone(metric, i, gaps);
		close_family(metric, &metric->families[i]);
	}
	for (size_t i = 0; i < plan->family_count; i++)
		if (!families[i].family)
			catalogue_begin(&families[i], plan->families[i].table);
	free(metric->families);
	metric->families = families;
}

/* The same name in the same Lua is the same function. */
static bool same_function(const struct plan *old, size_t before, const struct plan *plan, size_t index)
{
	return before != SIZE_MAX && plan_is_asked(&old->aggregates[before]) && plan_is_asked(&plan->aggregates[index]) &&
	       old->digest && plan->digest && strcmp(old->digest, plan->digest) == 0;
}

static void adopt_results(struct metric *metric, const struct plan *plan)
{
	struct result *results = new_results(plan);

	for (size_t i = 0; i < plan->aggregate_count; i++) {
		size_t before = plan_find_aggregate(metric->plan, plan->aggregates[i].name);

		if (!same_function(metric->plan, before, plan, i))
			continue;
		results[i] = metric->results[before];
		metric->results[before].text = NULL;
	}
	for (size_t i = 0; i < metric->plan->aggregate_count; i++)
		clear_result(metric, &metric->results[i]);
	free(metric->results);
	metric->results = results;
}

void metric_adopt(struct metric *metric, const struct plan *plan)
{
	struct gap_list gaps = {0};
	const struct plan *old;

	pthread_mutex_lock(&metric->lock);
	old = metric->plan;
	adopt_families(metric, plan, &gaps);
	adopt_results(metric, plan);
	views_adopt(&metric->views, old, plan);
	metric->plan = plan_hold(plan);
	atomic_fetch_add(&metric->generation, 1);
	pthread_mutex_unlock(&metric->lock);
	gap_list_tell(&gaps, metric->sink, metric->context);
	plan_release(old);
}

/* --- windows: their past, and what functions make of them ---------------------------------------------------------- */

static struct view *view_of(const struct metric *metric, size_t aggregate)
{
	return &metric->views.views[metric->views.of[aggregate]];
}

bool metric_is_new(struct metric *metric, size_t aggregate)
{
	bool fresh;

	pthread_mutex_lock(&metric->lock);
	fresh = view_of(metric, aggregate)->fresh;
	pthread_mutex_unlock(&metric->lock);
	return fresh;
}

/* A stored row as one of a window: so many samples of an interval each, with that average. */
static struct window_row recall(const struct metric *metric, const struct view *view, const struct metric_row *row)
{
	const struct plan_family *family = &metric->plan->families[view->family];
	double count = fmax(1, round((double)row->span / (double)family->plugin->interval));
	bool counter = family->table->fields[view->field].kind == PINDROP_COUNTER;
	struct window_row recalled = {.first = row->time - row->span, .time = row->time};

	if (!isfinite(row->avg)) {
		recalled.unknown = count;
		return recalled;
	}
	recalled.count = count;
	recalled.weight = counter ? clock_seconds(row->span) : count;
	recalled.sum = row->avg * recalled.weight;
	recalled.min = fmin(row->min, row->avg); /* of a NaN and a number, fmin() and fmax() take the number */
	recalled.max = fmax(row->max, row->avg);
	return recalled;
}

void metric_remember(struct metric *metric, size_t aggregate, const struct metric_row *rows, size_t count)
{
	struct window_row *past = memory_array(count, sizeof(*past));
	struct view *view;

	pthread_mutex_lock(&metric->lock);
	view = view_of(metric, aggregate);
	if (view->window.over > 0) {
		for (size_t i = 0; i < count; i++)
			past[i] = recall(metric, view, &rows[i]);
		view_remember(view, past, count);
		atomic_fetch_add(&metric->generation, 1);
	}
	pthread_mutex_unlock(&metric->lock);
	free(past);
}

/* With the lock held. */
static double value_of(const struct metric *metric, size_t index)
{
	const struct plan_aggregate *aggregate = &metric->plan->aggregates[index];

	if (aggregate->fn == PLAN_FUNCTION)
		return metric->results[index].value;
	if (aggregate->fn == PLAN_ETA)
		return view_eta(view_of(metric, index), aggregate->to);
	return window_value(&view_of(metric, index)->window, aggregate->fn, aggregate->quantile);
}

static struct metric_window *new_window(const struct window *window)
{
	size_t count = window_count(window), size = sizeof(struct metric_window) + 2 * count * sizeof(double);
	struct metric_window *copy = memory_alloc(size);
	double *values = (double *)(copy + 1), *times = values + count;

	copy->values = values;
	copy->times = times;
	for (size_t i = 0; i < count; i++) {
		const struct window_row *row = window_row(window, i);

		if (row->count <= 0)
			continue;
		values[copy->count] = window_average(row);
		times[copy->count++] = clock_seconds(row->time);
	}
	return copy;
}

struct metric_window *metric_window(struct metric *metric, size_t aggregate)
{
	const struct window *window;
	struct metric_window *copy;
	struct window_row total;
	bool built_in;

	pthread_mutex_lock(&metric->lock);
	built_in = metric->plan->aggregates[aggregate].fn != PLAN_FUNCTION;
	window = &view_of(metric, aggregate)->window;
	total = window_total(window);
	copy = new_window(window);
	copy->over = clock_seconds(window->over);
	copy->samples = total.count;
	copy->unknown = total.unknown;
	copy->min = window_value(window, PLAN_MIN, 0);
	copy->max = window_value(window, PLAN_MAX, 0);
	copy->avg = window_value(window, PLAN_AVG, 0);
	copy->sum = window_value(window, PLAN_SUM, 0);
	copy->last = window_value(window, PLAN_LAST, 0);
	copy->stddev = window_value(window, PLAN_STDDEV, 0);
	copy->value = built_in ? value_of(metric, aggregate) : NAN;
	pthread_mutex_unlock(&metric->lock);
	return copy;
}

static bool same_result(const struct result *result, double value, const char *text)
{
	return (result->value == value || (isnan(result->value) && isnan(value))) && !result->text == !text &&
	       (!text || strcmp(result->text, text) == 0);
}

void metric_set_result(struct metric *metric, size_t aggregate, double value, const char *text)
{
	struct result *result;

	if (!isfinite(value))
		value = NAN;
	pthread_mutex_lock(&metric->lock);
	result = &metric->results[aggregate];
	if (!same_result(result, value, text)) {
		clear_result(metric, result);
		*result = (struct result){value, text ? memory_text(text) : NULL};
		atomic_fetch_add(&metric->generation, 1);
	}
	pthread_mutex_unlock(&metric->lock);
}

/* The one instance that is there; NULL: there are several, or none. With the lock held. */
static const struct known *find_only(const struct catalogue *catalogue)
{
	const struct known *only = NULL;

	for (const struct known *known = catalogue->here; known; known = known->next_here) {
		if (!known->present)
			continue;
		if (only)
			return NULL;
		only = known;
	}
	return only;
}

double metric_get(struct metric *metric, size_t family, size_t field, const char *instance)
{
	const struct known *known;
	double value = NAN;

	pthread_mutex_lock(&metric->lock);
	known = instance ? catalogue_find(&metric->families[family], instance) : find_only(&metric->families[family]);
	if (known && known->present)
		value = known->values[field];
	pthread_mutex_unlock(&metric->lock);
	return value;
}

/* --- snapshots ------------------------------------------------------------------------------------------------ */

/* The parts of a snapshot, one behind the other in one block. Each is aligned as a double, and all are multiples of
 * that. */
struct parts {
	struct family_snapshot *families;
	struct reading *readings;
	struct aggregate_reading *aggregates;
	double *values;
};

_Static_assert(sizeof(struct snapshot) % _Alignof(double) == 0, "families follow");
_Static_assert(sizeof(struct family_snapshot) % _Alignof(double) == 0, "readings follow");
_Static_assert(sizeof(struct reading) % _Alignof(double) == 0, "aggregates follow");
_Static_assert(sizeof(struct aggregate_reading) % _Alignof(double) == 0, "values follow");
_Static_assert(_Alignof(struct family_snapshot) <= _Alignof(double) && _Alignof(struct reading) <= _Alignof(double) &&
                   _Alignof(struct aggregate_reading) <= _Alignof(double),
               "no part wants more than a double");

static struct snapshot *lay_out(const struct metric *metric, struct parts *parts)
{
	size_t family_count = metric->plan->family_count, aggregate_count = metric->plan->aggregate_count;
	size_t reading_count = 0, value_count = 0;
	struct snapshot *snapshot;

	for (size_t i = 0; i < family_count; i++) {
		reading_count += metric->families[i].count;
		value_count += metric->families[i].count * metric->families[i].family->field_count;
	}
	snapshot = memory_alloc(sizeof(*snapshot) + family_count * sizeof(*parts->families) +
	                        reading_count * sizeof(*parts->readings) + aggregate_count * sizeof(*parts->aggregates) +
	                        value_count * sizeof(*parts->values));
	parts->families = (struct family_snapshot *)(snapshot + 1);
	parts->readings = (struct reading *)(parts->families + family_count);
	parts->aggregates = (struct aggregate_reading *)(parts->readings + reading_count);
	parts->values = (double *)(parts->aggregates + aggregate_count);
	return snapshot;
}

static void copy_family(const struct catalogue *catalogue, struct family_snapshot *family, struct parts *parts)
{
	size_t field_count = catalogue->family->field_count;

	*family = (struct family_snapshot){catalogue->time, catalogue->count, parts->readings};
	for (size_t i = 0; i < catalogue->used; i++) {
		const struct known *known = catalogue->known[i];

		if (!known)
			continue;
		memcpy(parts->values, known->values, field_count * sizeof(double));
		*parts->readings++ = (struct reading){
			.instance = &known->instance,
			.labels = known->labels,
			.present = known->present,
			.summed = known->summed,
			.time = known->time,
			.values = parts->values,
		};
		parts->values += field_count;
	}
}

static void copy(struct metric *metric, struct snapshot *snapshot, struct parts *parts)
{
	const struct plan *plan = metric->plan;

	snapshot->generation = atomic_load(&metric->generation);
	snapshot->since = metric->since;
	snapshot->family_count = plan->family_count;
	snapshot->families = parts->families;
	for (size_t i = 0; i < plan->family_count; i++) {
		copy_family(&metric->families[i], &parts->families[i], parts);
		if (parts->families[i].time > snapshot->time)
			snapshot->time = parts->families[i].time;
	}
	snapshot->aggregate_count = plan->aggregate_count;
	snapshot->aggregates = parts->aggregates;
	for (size_t i = 0; i < plan->aggregate_count; i++) {
		struct window_row total = window_total(&view_of(metric, i)->window);

		parts->aggregates[i] =
			(struct aggregate_reading){value_of(metric, i), metric->results[i].text, total.count, total.unknown};
	}
}

struct snapshot *metric_snapshot(struct metric *metric)
{
	struct snapshot *snapshot;
	struct parts parts;

	pthread_mutex_lock(&metric->lock);
	snapshot = lay_out(metric, &parts);
	copy(metric, snapshot, &parts);
	snapshot->metric = metric;
	snapshot->plan = plan_hold(metric->plan);
	metric->snapshots++;
	pthread_mutex_unlock(&metric->lock);
	return snapshot;
}

void snapshot_free(struct snapshot *snapshot)
{
	struct metric *metric = snapshot->metric;
	const struct plan *plan = snapshot->plan;

	pthread_mutex_lock(&metric->lock);
	if (--metric->snapshots == 0)
		empty_graveyard(metric);
	pthread_mutex_unlock(&metric->lock);
	free(snapshot);
	plan_release(plan);
}

uint64_t metric_generation(struct metric *metric)
{
	return atomic_load(&metric->generation);
}
