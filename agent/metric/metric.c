/* metric/metric.c: the latest values and the windows, behind one lock.
 *
 * What enters a window:
 *
 *     gauge     every known value, also that of the off-tick sample at /start: a maximum is never below what is shown
 *     counter   the rate a second between two consecutive samples of the same instance, by the time that really passed
 *               between them; weighed by that time, so that `sum` is the increase and `avg` the increase a second.
 *               None after a decrease (a reset), an unknown value, a restart, or a gap beyond the heartbeat
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
#include "metric/window.h"

/* One window, shared by all aggregates that look through it: avg and max of the same thing see the same samples. */
struct view {
	size_t family, field;
	const char *instance; /* NULL: all; the plan's */
	size_t owner;         /* the first of its aggregates, which remembers for all */
	struct window window;
};

struct metric {
	const struct plan *plan;
	gap_sink *sink; /* NULL: nobody wants to know */
	void *context;
	pthread_mutex_t lock; /* of all below */
	_Atomic uint64_t generation;
	int64_t since;
	uint64_t life;   /* goes up with every start of the service */
	uint64_t serial; /* of the batch that is being published */
	size_t snapshots, grave_count;
	void **graveyard;
	struct catalogue *families;
	size_t view_count;
	struct view *views;
	size_t *view_of; /* by aggregate */
};

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static struct view *find_view(struct metric *metric, const struct plan_aggregate *aggregate)
{
	for (size_t i = 0; i < metric->view_count; i++) {
		struct view *view = &metric->views[i];

		if (view->family == aggregate->family && view->field == aggregate->field &&
		    view->window.over == aggregate->over && same(view->instance, aggregate->instance))
			return view;
	}
	return NULL;
}

static void add_view(struct metric *metric, size_t index)
{
	const struct plan_aggregate *aggregate = &metric->plan->aggregates[index];
	struct view *view = find_view(metric, aggregate);

	if (!view) {
		view = &metric->views[metric->view_count++];
		view->family = aggregate->family;
		view->field = aggregate->field;
		view->instance = aggregate->instance;
		view->owner = index;
		window_begin(&view->window, aggregate->over, false);
	}
	view->window.quantiles |= aggregate->fn == PLAN_QUANTILE;
	metric->view_of[index] = (size_t)(view - metric->views);
}

struct metric *metric_new(const struct plan *plan)
{
	struct metric *metric = memory_alloc(sizeof(*metric));

	metric->plan = plan;
	pthread_mutex_init(&metric->lock, NULL);
	atomic_init(&metric->generation, 1);
	metric->families = memory_array(plan->family_count, sizeof(*metric->families));
	for (size_t i = 0; i < plan->family_count; i++)
		catalogue_begin(&metric->families[i], plan->families[i].table);
	metric->views = memory_array(plan->aggregate_count, sizeof(*metric->views));
	metric->view_of = memory_array(plan->aggregate_count, sizeof(*metric->view_of));
	for (size_t i = 0; i < plan->aggregate_count; i++)
		add_view(metric, i);
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
	for (size_t i = 0; i < metric->view_count; i++)
		window_release(&metric->views[i].window);
	empty_graveyard(metric);
	free(metric->graveyard);
	free(metric->families);
	free(metric->views);
	free(metric->view_of);
	pthread_mutex_destroy(&metric->lock);
	free(metric);
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
	const struct pindrop_family *table = metric->plan->families[family].table;
	struct batch batch = {0};
	struct known *known;

	batch_begin(&batch, family, table->field_count, table->label_count);
	batch_add(&batch, instance, NULL);
	pthread_mutex_lock(&metric->lock);
	known = catalogue_intern(&metric->families[family], &batch, 0);
	if (known->gone)
		catalogue_return(&metric->families[family], known);
	pthread_mutex_unlock(&metric->lock);
	batch_release(&batch);
}

bool metric_forget(struct metric *metric, size_t family, const char *instance)
{
	struct catalogue *catalogue = &metric->families[family];
	struct known *known;
	bool forgotten;

	pthread_mutex_lock(&metric->lock);
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
	for (size_t i = 0; i < metric->view_count; i++)
		if (metric->views[i].family == batch->family && (current || metric->views[i].window.over > 0))
			feed(metric, &metric->views[i], batch);
	if (current)
		take(metric, batch, gaps);
	for (size_t row = 0; row < batch->row_count; row++)
		catalogue->known[batch->rows[row].instance->index]->pending--;
}

void metric_publish(struct metric *metric, struct batch *const *batches, size_t count)
{
	struct gap_list gaps = {0};

	if (count == 0)
		return;
	pthread_mutex_lock(&metric->lock);
	for (size_t i = 0; i < count; i++)
		publish(metric, batches[i], &gaps);
	atomic_fetch_add(&metric->generation, 1);
	pthread_mutex_unlock(&metric->lock);
	gap_list_tell(&gaps, metric->sink, metric->context);
}

void metric_tell_gaps(struct metric *metric, gap_sink *sink, void *context)
{
	metric->sink = sink;
	metric->context = context;
}

void metric_tell_gone(struct metric *metric)
{
	struct gap_list gaps = {0};

	pthread_mutex_lock(&metric->lock);
	for (size_t family = 0; family < metric->plan->family_count; family++) {
		const struct catalogue *catalogue = &metric->families[family];
		const struct batch last = {.family = family};

		for (size_t i = 0; i < catalogue->used; i++) {
			struct known *known = catalogue->known[i];

			if (!known || !known->told || known->told >= catalogue->tick)
				continue;
			note(metric, &gaps, &last, known,
			     (struct gap){GAP_DEVICE_GONE, .from = known->told, .to = catalogue->tick});
			known->told = catalogue->tick;
		}
	}
	pthread_mutex_unlock(&metric->lock);
	gap_list_tell(&gaps, metric->sink, metric->context);
}

void metric_restart(struct metric *metric, int64_t since)
{
	pthread_mutex_lock(&metric->lock);
	metric->since = since;
	metric->life++;
	for (size_t i = 0; i < metric->plan->family_count; i++)
		catalogue_reset(&metric->families[i]);
	for (size_t i = 0; i < metric->view_count; i++)
		if (metric->views[i].window.over == 0)
			window_reset(&metric->views[i].window);
	atomic_fetch_add(&metric->generation, 1);
	pthread_mutex_unlock(&metric->lock);
}

void metric_remember(struct metric *metric, size_t aggregate, int64_t time, int64_t span, double min, double avg,
                     double max)
{
	struct view *view = &metric->views[metric->view_of[aggregate]];
	const struct plan_family *family = &metric->plan->families[view->family];
	double count = fmax(1, round((double)span / (double)family->plugin->interval));
	bool counter = family->table->fields[view->field].kind == PINDROP_COUNTER;
	struct window_row row = {.first = time - span, .time = time, .count = count};

	/* Aggregates that share a window are each told the same. */
	if (view->owner != aggregate || view->window.over == 0 || !isfinite(avg))
		return;
	row.weight = counter ? clock_seconds(span) : count;
	row.sum = avg * row.weight;
	row.min = fmin(min, avg); /* of a NaN and a number, fmin() and fmax() take the number */
	row.max = fmax(max, avg);
	pthread_mutex_lock(&metric->lock);
	window_remember(&view->window, &row);
	pthread_mutex_unlock(&metric->lock);
}

/* --- snapshots ------------------------------------------------------------------------------------------------ */

/* The parts of a snapshot, one behind the other in one block. Each is aligned as a double, and all are multiples of
 * that. */
struct parts {
	struct family_snapshot *families;
	struct reading *readings;
	double *values;
};

_Static_assert(sizeof(struct snapshot) % _Alignof(double) == 0, "families follow");
_Static_assert(sizeof(struct family_snapshot) % _Alignof(double) == 0, "readings follow");
_Static_assert(sizeof(struct reading) % _Alignof(double) == 0, "values follow");
_Static_assert(_Alignof(struct family_snapshot) <= _Alignof(double) && _Alignof(struct reading) <= _Alignof(double),
               "no part wants more than a double");

static struct snapshot *lay_out(const struct metric *metric, struct parts *parts)
{
	size_t family_count = metric->plan->family_count, reading_count = 0;
	size_t value_count = metric->plan->aggregate_count;
	struct snapshot *snapshot;

	for (size_t i = 0; i < family_count; i++) {
		reading_count += metric->families[i].count;
		value_count += metric->families[i].count * metric->families[i].family->field_count;
	}
	snapshot = memory_alloc(sizeof(*snapshot) + family_count * sizeof(*parts->families) +
	                        reading_count * sizeof(*parts->readings) + value_count * sizeof(*parts->values));
	parts->families = (struct family_snapshot *)(snapshot + 1);
	parts->readings = (struct reading *)(parts->families + family_count);
	parts->values = (double *)(parts->readings + reading_count);
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
	snapshot->aggregates = parts->values;
	for (size_t i = 0; i < plan->aggregate_count; i++) {
		const struct plan_aggregate *aggregate = &plan->aggregates[i];

		parts->values[i] = window_value(&metric->views[metric->view_of[i]].window, aggregate->fn, aggregate->quantile);
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
	metric->snapshots++;
	pthread_mutex_unlock(&metric->lock);
	return snapshot;
}

void snapshot_free(struct snapshot *snapshot)
{
	struct metric *metric = snapshot->metric;

	pthread_mutex_lock(&metric->lock);
	if (--metric->snapshots == 0)
		empty_graveyard(metric);
	pthread_mutex_unlock(&metric->lock);
	free(snapshot);
}

uint64_t metric_generation(struct metric *metric)
{
	return atomic_load(&metric->generation);
}
