/* links: agent/metric/metric.c agent/metric/catalogue.c agent/metric/gap_list.c agent/metric/view.c agent/metric/trend.c agent/metric/window.c agent/metric/quantiles.c agent/metric/batch.c agent/config/share.c agent/base/text.c agent/base/memory.c agent/base/clock.c */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "config/draft.h"
#include "metric/metric.h"

#define START (INT64_C(1700000000) * CLOCK_SECOND)

/* --- plans that really end when nobody holds them, with all that they point to ------------------------------------ */

#define FAMILIES_MAX 4
#define FIELDS_MAX 3
#define AGGREGATES_MAX 16

/* One block: whoever still points into it after its end is seen by AddressSanitizer. */
struct world {
	struct plan plan;
	struct plan_plugin plugin;
	struct plan_family families[FAMILIES_MAX];
	struct pindrop_family tables[FAMILIES_MAX];
	struct pindrop_field fields[FAMILIES_MAX][FIELDS_MAX];
	struct pindrop_label labels[FAMILIES_MAX];
	struct plan_aggregate aggregates[AGGREGATES_MAX];
	size_t used;
	char texts[2048];
};

static const char *keep(struct world *world, const char *text)
{
	char *copy = world->texts + world->used;

	if (!text)
		return NULL;
	world->used += strlen(text) + 1;
	assert_true(world->used <= sizeof(world->texts));
	return strcpy(copy, text);
}

static struct world *new_world(const char *digest)
{
	struct world *world = memory_alloc(sizeof(*world));

	world->plan.memory = memory_alloc(sizeof(struct plan_memory));
	atomic_init(&world->plan.memory->readers, 1);
	world->plan.families = world->families;
	world->plan.aggregates = world->aggregates;
	world->plan.digest = keep(world, digest);
	world->plugin.interval = CLOCK_SECOND;
	return world;
}

/* Fields by their letters: g a gauge "g", c a counter "c", and so on; a capital is a counter. */
static void add_family(struct world *world, const char *name, const char *fields, bool instances)
{
	size_t place = world->plan.family_count++;
	struct pindrop_family *table = &world->tables[place];

	table->name = keep(world, name);
	table->fields = world->fields[place];
	for (; *fields; fields++) {
		struct pindrop_field *field = &world->fields[place][table->field_count++];

		field->name = keep(world, (const char[]){*fields, '\0'});
		field->unit = keep(world, "things");
		field->kind = *fields >= 'A' && *fields <= 'Z' ? PINDROP_COUNTER : PINDROP_GAUGE;
	}
	if (instances) {
		table->instance = keep(world, "disk");
		world->labels[place].name = keep(world, "device");
		table->labels = &world->labels[place];
		table->label_count = 1;
	}
	world->families[place] = (struct plan_family){table, &world->plugin};
}

/* "disk.g": name and field. Returns its place. */
static size_t add_aggregate(struct world *world, const char *name, const char *family, char field, const char *instance,
                            enum plan_fn fn, int64_t over)
{
	struct plan_aggregate *aggregate = &world->aggregates[world->plan.aggregate_count];

	aggregate->name = keep(world, name);
	aggregate->family = plan_find_family(&world->plan, family);
	while (world->fields[aggregate->family][aggregate->field].name[0] != field)
		aggregate->field++;
	aggregate->instance = keep(world, instance);
	aggregate->fn = fn;
	aggregate->quantile = 0.5;
	aggregate->over = over * CLOCK_SECOND;
	return world->plan.aggregate_count++;
}

static size_t readers(const struct world *world)
{
	return atomic_load(&world->plan.memory->readers);
}

/* --- samples ------------------------------------------------------------------------------------------------------ */

struct sample {
	const char *instance;
	double values[FIELDS_MAX];
};

static void say(struct metric *metric, const char *family, double second, const struct sample *samples, size_t count)
{
	const struct plan *plan = metric_plan(metric);
	size_t place = plan_find_family(plan, family);
	const struct pindrop_family *table = plan->families[place].table;
	struct batch batch = {0}, *batches[] = {&batch};

	batch_begin(&batch, place, table->field_count, table->label_count);
	batch.time = batch.tick = START + (int64_t)(second * 1e9);
	batch.on_tick = true;
	for (size_t i = 0; i < count; i++)
		memcpy(batch_add(&batch, samples[i].instance, (const char *const[]){"device"}), samples[i].values,
		       table->field_count * sizeof(double));
	metric_intern(metric, &batch);
	metric_publish(metric, batches, 1);
	batch_release(&batch);
	plan_release(plan);
}

static void say_one(struct metric *metric, const char *family, double second, const char *instance, double gauge,
                    double counter)
{
	const struct sample sample = {instance, {gauge, counter}};

	say(metric, family, second, &sample, 1);
}

static struct aggregate_reading ask(struct metric *metric, size_t aggregate)
{
	struct snapshot *snapshot = metric_snapshot(metric);
	struct aggregate_reading reading = snapshot->aggregates[aggregate];

	reading.text = NULL; /* it is the snapshot's */
	snapshot_free(snapshot);
	return reading;
}

/* Goes over, and gives up the plan: from here on it is the metric room's alone. */
static void adopt(struct metric *metric, struct world *world)
{
	metric_adopt(metric, &world->plan);
	plan_release(&world->plan);
}

static struct metric *new_metric(struct world *world)
{
	struct metric *metric = metric_new(&world->plan);

	plan_release(&world->plan);
	metric_restart(metric, START);
	return metric;
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void plans_are_held_as_long_as_they_are_shown(void **state)
{
	struct world *first = new_world("a"), *second = new_world("b");
	struct metric *metric = metric_new(&first->plan);
	const struct plan *plan;
	struct snapshot *snapshot;

	(void)state;
	assert_int_equal(readers(first), 2);
	snapshot = metric_snapshot(metric);
	plan = metric_plan(metric);
	assert_ptr_equal(snapshot->plan, &first->plan);
	assert_ptr_equal(plan, &first->plan);
	assert_int_equal(readers(first), 4);
	plan_release(plan);
	metric_adopt(metric, &second->plan);
	assert_int_equal(readers(first), 2);
	assert_int_equal(readers(second), 2);
	snapshot_free(snapshot);
	assert_int_equal(readers(first), 1);
	metric_free(metric);
	assert_int_equal(readers(second), 1);
	plan_release(&first->plan);
	plan_release(&second->plan);
}

static void what_both_plans_have_goes_on(void **state)
{
	struct world *old = new_world(NULL), *young = new_world(NULL);
	struct metric *metric;
	struct snapshot *before, *after;
	const struct instance *sda;

	(void)state;
	add_family(old, "cpu", "gC", false);
	add_family(old, "disk", "gC", true);
	add_aggregate(old, "max", "disk", 'g', "sda", PLAN_MAX, 0);
	add_aggregate(old, "recent", "disk", 'g', "sda", PLAN_COUNT, 60);
	add_aggregate(old, "rate", "disk", 'C', NULL, PLAN_AVG, 0);
	metric = new_metric(old);
	say_one(metric, "disk", 1, "sda", 70, 100);
	say_one(metric, "disk", 2, "sda", 50, 110);
	before = metric_snapshot(metric);
	sda = before->families[1].readings[0].instance;

	/* Another order, another interval, other functions of the same views, and one view that is new. */
	young->plugin.interval = 2 * CLOCK_SECOND;
	add_family(young, "disk", "gC", true);
	add_family(young, "extra", "g", false);
	add_aggregate(young, "new", "disk", 'g', "sda", PLAN_COUNT, 30);
	add_aggregate(young, "rise", "disk", 'C', NULL, PLAN_SUM, 0);
	add_aggregate(young, "avg", "disk", 'g', "sda", PLAN_AVG, 60);
	add_aggregate(young, "renamed", "disk", 'g', "sda", PLAN_MIN, 0);
	add_aggregate(young, "nothing", "disk", 'g', NULL, PLAN_COUNT, 0);
	adopt(metric, young);

	after = metric_snapshot(metric);
	assert_true(after->generation > before->generation && after->plan == &young->plan);
	assert_true(after->family_count == 2 && after->aggregate_count == 5 && after->since == START);
	assert_ptr_equal(after->families[0].readings[0].instance, sda);
	assert_true(after->families[0].readings[0].present && after->families[0].readings[0].values[1] == 110);
	assert_true(after->families[0].time == START + 2 * CLOCK_SECOND && after->families[1].time == 0);
	assert_true(after->aggregates[0].value == 0 && after->aggregates[1].value == 10);
	assert_true(after->aggregates[2].value == 60 && after->aggregates[3].value == 50);
	assert_true(after->aggregates[4].value == 0);
	assert_true(metric_is_new(metric, 0) && metric_is_new(metric, 2)); /* the latter was never told of its past */
	assert_false(metric_is_new(metric, 3));
	snapshot_free(after);

	/* What was seen before stays as it was. */
	assert_string_equal(before->plan->families[0].table->name, "cpu");
	assert_string_equal(before->families[1].readings[0].instance->name, "sda");
	assert_string_equal(before->families[1].readings[0].labels[0], "device");
	assert_true(before->aggregates[0].value == 70);
	snapshot_free(before);

	/* A counter has a rate at once. Its heartbeat is that of the new interval. */
	say_one(metric, "disk", 7, "sda", 10, 160);
	assert_true(ask(metric, 1).value == 60 && ask(metric, 2).samples == 3 && ask(metric, 0).value == 1);
	say_one(metric, "extra", 7, "", 5, 0);
	metric_free(metric);
}

static void a_past_is_told_once(void **state)
{
	const struct metric_row row = {START, CLOCK_SECOND, 4, 4, 4};
	struct world *worlds[3];
	struct metric *metric = NULL;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		worlds[i] = new_world(NULL);
		add_family(worlds[i], "cpu", "gC", false);
		add_aggregate(worlds[i], "max", "cpu", 'g', NULL, PLAN_MAX, 60);
		if (i == 1)
			add_aggregate(worlds[i], "longer", "cpu", 'g', NULL, PLAN_MAX, 600);
	}
	metric = new_metric(worlds[0]);
	assert_true(metric_is_new(metric, 0));
	metric_remember(metric, 0, &row, 1);
	assert_false(metric_is_new(metric, 0));
	adopt(metric, worlds[1]);
	assert_true(!metric_is_new(metric, 0) && metric_is_new(metric, 1));
	assert_true(ask(metric, 0).value == 4 && isnan(ask(metric, 1).value));
	metric_remember(metric, 1, NULL, 0); /* the store has nothing: it will not have more later */
	assert_false(metric_is_new(metric, 1));
	adopt(metric, worlds[2]);
	assert_false(metric_is_new(metric, 0));
	metric_free(metric);
}

static void families_that_changed_begin_anew(void **state)
{
	struct world *old = new_world(NULL), *young = new_world(NULL), *none = new_world(NULL);
	struct metric *metric;
	struct snapshot *before, *after;

	(void)state;
	add_family(old, "disk", "gC", true);
	add_aggregate(old, "max", "disk", 'g', NULL, PLAN_MAX, 60);
	add_aggregate(old, "rise", "disk", 'C', NULL, PLAN_SUM, 0);
	metric = new_metric(old);
	say_one(metric, "disk", 1, "sda", 70, 100);
	say_one(metric, "disk", 2, "sda", 70, 101);
	before = metric_snapshot(metric);
	add_family(young, "disk", "xgC", true);
	add_aggregate(young, "max", "disk", 'g', NULL, PLAN_MAX, 60);
	add_aggregate(young, "rise", "disk", 'C', NULL, PLAN_SUM, 0);
	adopt(metric, young);
	after = metric_snapshot(metric);
	assert_true(after->families[0].reading_count == 0 && after->families[0].time == 0);
	/* The fields that it has in common are the same metrics. */
	assert_true(after->aggregates[0].value == 70 && after->aggregates[1].value == 1);
	assert_string_equal(before->families[0].readings[0].instance->name, "sda");
	snapshot_free(after);
	say(metric, "disk", 3, &(struct sample){"sdb", {1, 2, 500}}, 1);
	assert_true(ask(metric, 1).value == 1);
	adopt(metric, none);
	assert_string_equal(before->families[0].readings[0].labels[0], "device");
	snapshot_free(before);
	after = metric_snapshot(metric);
	assert_true(after->family_count == 0 && after->aggregate_count == 0 && after->time == 0);
	snapshot_free(after);
	metric_free(metric);
}

/* A field of another kind is another thing, and so is what is asked of other Lua. */
static void what_only_looks_the_same_does_not_go_on(void **state)
{
	struct world *worlds[3];
	struct metric *metric = NULL;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		worlds[i] = new_world("digest");
		add_family(worlds[i], "cpu", "gC", false);
		if (i == 2)
			worlds[i]->fields[0][0].kind = PINDROP_COUNTER;
		if (i == 1)
			add_aggregate(worlds[i], "other", "cpu", 'g', NULL, PLAN_FUNCTION, 60);
		add_aggregate(worlds[i], "max", "cpu", 'g', NULL, PLAN_MAX, 60);
		add_aggregate(worlds[i], "min", "cpu", 'g', NULL, PLAN_MIN, i == 1 ? 61 : 60);
	}
	metric = new_metric(worlds[0]);
	say_one(metric, "cpu", 1, "", 5, 5);
	adopt(metric, worlds[1]);
	assert_true(ask(metric, 1).value == 5 && isnan(ask(metric, 2).value) && isnan(ask(metric, 0).value));
	adopt(metric, worlds[2]);
	assert_true(isnan(ask(metric, 0).value) && ask(metric, 0).samples == 0);
	metric_free(metric);
}

static void results_are_those_of_their_lua(void **state)
{
	struct world *worlds[4];
	struct metric *metric = NULL;
	struct snapshot *before, *after;
	uint64_t generation;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		worlds[i] = new_world(i == 3 ? "other" : "same");
		add_family(worlds[i], "cpu", "gC", false);
		if (i == 1)
			add_aggregate(worlds[i], "in front", "cpu", 'g', NULL, PLAN_FUNCTION, 60);
		add_aggregate(worlds[i], "share", "cpu", 'g', NULL, PLAN_FUNCTION, 60);
		worlds[i]->aggregates[add_aggregate(worlds[i], "max", "cpu", 'g', NULL, PLAN_MAX, 0)].formatted = true;
	}
	worlds[2]->aggregates[1].formatted = false;
	metric = new_metric(worlds[0]);
	say_one(metric, "cpu", 1, "", 5, 5);
	before = metric_snapshot(metric);
	assert_true(isnan(before->aggregates[0].value) && !before->aggregates[0].text && before->aggregates[1].value == 5);
	snapshot_free(before);
	metric_set_result(metric, 0, 0.25, "a quarter");
	metric_set_result(metric, 1, 5, "five");
	before = metric_snapshot(metric);
	generation = before->generation;
	metric_set_result(metric, 1, 5, "five");
	assert_true(metric_generation(metric) == generation); /* nothing to render anew */
	metric_set_result(metric, 1, 5, "5");
	assert_true(metric_generation(metric) > generation);
	assert_true(before->aggregates[0].value == 0.25 && before->aggregates[0].samples == 1);
	adopt(metric, worlds[1]);
	assert_string_equal(before->aggregates[0].text, "a quarter");
	assert_string_equal(before->aggregates[1].text, "five");
	snapshot_free(before);
	after = metric_snapshot(metric);
	assert_true(isnan(after->aggregates[0].value) && !after->aggregates[0].text);
	assert_true(after->aggregates[1].value == 0.25);
	assert_string_equal(after->aggregates[1].text, "a quarter");
	assert_string_equal(after->aggregates[2].text, "5");
	snapshot_free(after);
	adopt(metric, worlds[2]);
	after = metric_snapshot(metric);
	assert_string_equal(after->aggregates[0].text, "a quarter");
	assert_null(after->aggregates[1].text);
	snapshot_free(after);
	adopt(metric, worlds[3]);
	after = metric_snapshot(metric);
	assert_true(isnan(after->aggregates[0].value) && !after->aggregates[0].text);
	snapshot_free(after);
	metric_set_result(metric, 0, INFINITY, "much");
	metric_set_result(metric, 1, NAN, "five");
	metric_restart(metric, START + 2 * CLOCK_SECOND);
	after = metric_snapshot(metric);
	assert_true(isnan(after->aggregates[0].value));
	assert_string_equal(after->aggregates[0].text, "much"); /* a duration outlives the start, "service" begins anew */
	assert_null(after->aggregates[1].text);
	snapshot_free(after);
	metric_free(metric);
}

struct told {
	size_t count;
	char last[128];
};

static void hear(void *context, const struct gap *gap)
{
	struct told *told = context;

	told->count++;
	snprintf(told->last, sizeof(told->last), "%s/%s (%g, %g]", gap->family, gap->instance,
	         (double)(gap->from - START) / 1e9, (double)(gap->to - START) / 1e9);
}

static void who_is_gone_is_told_before_his_family_goes(void **state)
{
	struct world *old = new_world(NULL), *young = new_world(NULL), *none = new_world(NULL);
	struct told told = {0};
	struct metric *metric;

	(void)state;
	add_family(old, "cpu", "gC", false);
	add_family(old, "disk", "gC", true);
	add_family(young, "disk", "gC", true);
	metric = new_metric(old);
	metric_tell_gaps(metric, hear, &told);
	say_one(metric, "disk", 1, "sda", 1, 1);
	say_one(metric, "disk", 2, "sdb", 1, 1);
	say_one(metric, "disk", 3, "sdb", 1, 1);
	assert_int_equal(told.count, 1);
	adopt(metric, young);
	assert_int_equal(told.count, 1);
	metric_tell_gone(metric);
	assert_string_equal(told.last, "disk/sda (2, 3]");
	say_one(metric, "disk", 5, "sdb", 1, 1);
	assert_int_equal(told.count, 2);
	adopt(metric, none);
	assert_int_equal(told.count, 3);
	assert_string_equal(told.last, "disk/sda (3, 5]");
	metric_tell_gone(metric);
	assert_int_equal(told.count, 3);
	metric_free(metric);
}

static void an_instance_outlives_a_plan_and_is_then_forgotten(void **state)
{
	struct world *old = new_world(NULL), *young = new_world(NULL);
	struct metric *metric;

	(void)state;
	add_family(old, "cpu", "gC", false);
	add_family(old, "disk", "gC", true);
	add_family(young, "disk", "gC", true);
	metric = new_metric(old);
	say_one(metric, "disk", 1, "sda", 7, 1);
	say_one(metric, "disk", 2, "sdb", 8, 1);
	assert_true(metric_get(metric, 1, 0, "sdb") == 8 && isnan(metric_get(metric, 1, 0, "sda")));
	adopt(metric, young);
	assert_true(metric_get(metric, 0, 0, "sdb") == 8 && metric_get(metric, 0, 0, NULL) == 8);
	assert_false(metric_forget(metric, 0, "sdb"));
	assert_true(metric_forget(metric, 0, "sda"));
	say(metric, "disk", 3, (const struct sample[]){{"sda", {1, 1}}, {"sdb", {2, 2}}}, 2);
	assert_true(isnan(metric_get(metric, 0, 0, NULL)) && metric_get(metric, 0, 1, "sda") == 1);
	assert_true(isnan(metric_get(metric, 0, 0, "sdz")));
	metric_free(metric);
}

static void functions_are_shown_their_window(void **state)
{
	struct world *old = new_world(NULL), *young = new_world("x");
	struct metric_window *window;
	struct metric *metric;

	(void)state;
	add_family(old, "cpu", "gC", false);
	add_aggregate(old, "max", "cpu", 'g', NULL, PLAN_MAX, 0);
	add_family(young, "cpu", "gC", false);
	add_aggregate(young, "f", "cpu", 'g', NULL, PLAN_FUNCTION, 0);
	add_aggregate(young, "g", "cpu", 'C', NULL, PLAN_FUNCTION, 60);
	young->aggregates[add_aggregate(young, "p", "cpu", 'g', NULL, PLAN_AVG, 30)].formatted = true;
	metric = new_metric(old);
	say_one(metric, "cpu", 1, "", 1, 10);
	say_one(metric, "cpu", 2, "", 3, 20);
	window = metric_window(metric, 0);
	assert_true(window->count == 0 && window->samples == 2 && window->value == 3 && window->over == 0);
	free(window);
	adopt(metric, young);
	say_one(metric, "cpu", 3, "", 8, 40);
	say_one(metric, "cpu", 4, "", NAN, 41);
	window = metric_window(metric, 0);
	/* What was before somebody wanted to see the samples is one row. */
	assert_true(window->count == 2 && window->values[0] == 2 && window->values[1] == 8);
	assert_true(window->times[1] == 1700000003 && window->samples == 3 && window->unknown == 1);
	assert_true(window->min == 1 && window->max == 8 && window->avg == 4 && window->sum == 12 && window->last == 8);
	assert_true(isnan(window->value) && fabs(window->stddev - sqrt(26.0 / 3)) < 1e-12);
	free(window);
	window = metric_window(metric, 1);
	assert_true(window->count == 2 && window->values[0] == 20 && window->values[1] == 1 && window->over == 60);
	free(window);
	window = metric_window(metric, 2);
	assert_true(window->count == 1 && window->value == 8 && window->unknown == 1);
	free(window);
	metric_restart(metric, START + 9 * CLOCK_SECOND);
	window = metric_window(metric, 0);
	assert_true(window->count == 0 && window->samples == 0 && isnan(window->avg) && isnan(window->last));
	free(window);
	metric_free(metric);
}

/* --- adoption at random moments, against a slow plain model ------------------------------------------------------- */

#define SPECS 8
#define SAMPLES 4000

struct spec {
	const char *family;
	char field;
	const char *instance;
	int64_t over; /* s */
};

static const struct spec specs[SPECS] = {
	{"cpu", 'g', NULL, 0},   {"cpu", 'g', NULL, 20},    {"cpu", 'C', NULL, 7},  {"cpu", 'C', NULL, 0},
	{"disk", 'g', "sda", 9}, {"disk", 'C', "sdb", 100}, {"disk", 'g', NULL, 0}, {"disk", 'C', NULL, 30},
};

struct plain_sample {
	double time, value, weight;
};

struct plain {
	bool on;
	size_t count, place;
	struct plain_sample samples[SAMPLES];
};

/* What the last sample of each family and instance said. */
struct plain_past {
	bool known;
	double time, values[2];
};

struct plain_world {
	struct plain of[SPECS];
	struct plain_past past[2][2];
	bool has[2];
	bool more; /* cpu has one more field */
	double interval, now;
	struct metric *metric;
};

static size_t family_of(const struct spec *spec)
{
	return spec->family[0] == 'd';
}

static void plain_add(struct plain_world *world, size_t family, const char *instance, const double values[2])
{
	struct plain_past *past = &world->past[family][instance[0] && strcmp(instance, "sdb") == 0];

	for (size_t i = 0; i < SPECS; i++) {
		struct plain *plain = &world->of[i];
		struct plain_sample sample = {world->now, values[0], 1};
		double passed = world->now - past->time;

		if (!plain->on || family_of(&specs[i]) != family ||
		    (specs[i].instance && strcmp(specs[i].instance, instance) != 0))
			continue;
		if (specs[i].field == 'C') {
			sample.value = (values[1] - past->values[1]) / passed;
			sample.weight = passed;
			if (!past->known || !(sample.value >= 0) || passed > 2 * world->interval + 1)
				sample.value = NAN;
		}
		assert_true(plain->count < SAMPLES);
		plain->samples[plain->count++] = sample;
	}
	*past = (struct plain_past){true, world->now, {values[0], values[1]}};
}

/* One tick of a family; disk's instances are there or not. */
static void tick(struct plain_world *world, size_t family)
{
	static const char *const names[2][2] = {{"", NULL}, {"sda", "sdb"}};
	struct sample samples[2];
	size_t count = 0;

	for (size_t i = 0; i < 2 && names[family][i]; i++) {
		struct plain_past *past = &world->past[family][i];
		double values[2] = {random() % 10 ? (double)(random() % 1000) / 10 : (double)NAN,
		                    random() % 20 ? (past->known && !isnan(past->values[1]) ? past->values[1] : 0) +
		                                        (double)(random() % 100)
		                    : random() % 2 ? 0
		                                   : (double)NAN};

		if (family == 1 && random() % 6 == 0)
			continue;
		plain_add(world, family, names[family][i], values);
		samples[count] = (struct sample){names[family][i], {values[0], values[1], 1}};
		count++;
	}
	say(world->metric, family ? "disk" : "cpu", world->now, samples, count);
}

static void compare(struct plain_world *world, size_t index)
{
	const struct plain *plain = &world->of[index];
	struct aggregate_reading avg = ask(world->metric, plain->place), max = ask(world->metric, plain->place + 1);
	double newest = -INFINITY, sum = 0, weight = 0, most = NAN, known = 0, unknown = 0;

	/* A window ends at its family's newest sample. */
	newest = world->now;
	for (size_t i = 0; i < plain->count; i++) {
		const struct plain_sample *sample = &plain->samples[i];

		if (specs[index].over && sample->time <= newest - (double)specs[index].over)
			continue;
		if (isnan(sample->value)) {
			unknown++;
			continue;
		}
		known++;
		sum += sample->value * sample->weight;
		weight += sample->weight;
		most = fmax(most, sample->value);
	}
	assert_true(avg.samples == known && avg.unknown == unknown);
	assert_true(isnan(most) ? isnan(max.value) : max.value == most);
	assert_true(known == 0 ? isnan(avg.value) : fabs(avg.value - sum / weight) < 1e-9);
}

/* Another plan: some of the families, some of the aggregates, in some order. */
static struct world *imagine(struct plain_world *plain)
{
	struct world *world = new_world(NULL);
	bool more = random() % 4 == 0, has[2] = {random() % 6 != 0, random() % 6 != 0}, swapped = random() % 2;
	size_t offset = (size_t)random() % SPECS;

	world->plugin.interval = (1 + random() % 3) * CLOCK_SECOND;
	plain->interval = clock_seconds(world->plugin.interval);
	for (size_t i = 0; i < 2; i++) {
		size_t family = i ^ swapped;

		if (has[family])
			add_family(world, family ? "disk" : "cpu", more && !family ? "gCx" : "gC", family == 1);
		if (!has[family] || (family == 0 && more != plain->more))
			memset(plain->past[family], 0, sizeof(plain->past[family]));
		plain->has[family] = has[family];
	}
	plain->more = has[0] ? more : plain->more;
	for (size_t k = 0; k < SPECS; k++) {
		size_t i = (k + offset) % SPECS;
		struct plain *of = &plain->of[i];
		char name[16];

		of->on = has[family_of(&specs[i])] && random() % 4 != 0;
		of->count = of->on ? of->count : 0;
		if (!of->on)
			continue;
		snprintf(name, sizeof(name), "a%zu", i);
		of->place =
			add_aggregate(world, name, specs[i].family, specs[i].field, specs[i].instance, PLAN_AVG, specs[i].over);
		name[0] = 'm';
		add_aggregate(world, name, specs[i].family, specs[i].field, specs[i].instance, PLAN_MAX, specs[i].over);
	}
	return world;
}

static void restart(struct plain_world *world)
{
	metric_restart(world->metric, START + (int64_t)world->now * CLOCK_SECOND);
	memset(world->past, 0, sizeof(world->past));
	for (size_t i = 0; i < SPECS; i++)
		if (specs[i].over == 0)
			world->of[i].count = 0;
}

static void adoption_at_any_moment_changes_no_window(void **state)
{
	static struct plain_world world;
	struct snapshot *held = NULL;

	(void)state;
	srandom(5);
	world.metric = new_metric(imagine(&world));
	for (int i = 0; i < 3000; i++) {
		world.now += random() % 10 ? 1 : (double)(random() % 12 + 1);
		for (size_t family = 0; family < 2; family++)
			if (world.has[family])
				tick(&world, family);
		for (size_t k = 0; k < SPECS; k++)
			if (world.of[k].on)
				compare(&world, k);
		if (random() % 30 == 0 && held) {
			snapshot_free(held);
			held = NULL;
		} else if (random() % 30 == 0 && !held) {
			held = metric_snapshot(world.metric);
		}
		if (random() % 300 == 0)
			restart(&world);
		if (random() % 10 == 0)
			adopt(world.metric, imagine(&world));
	}
	if (held)
		snapshot_free(held);
	metric_free(world.metric);
}

/* --- threads: readers while plans come and go -------------------------------------------------------------------- */

struct crowd {
	struct metric *metric;
	atomic_bool done;
	atomic_size_t torn;
};

static void *look_on(void *argument)
{
	struct crowd *crowd = argument;

	while (!atomic_load(&crowd->done)) {
		struct snapshot *snapshot = metric_snapshot(crowd->metric);

		for (size_t i = 0; i < snapshot->family_count; i++)
			if (strlen(snapshot->plan->families[i].table->name) < 3)
				atomic_fetch_add(&crowd->torn, 1);
		for (size_t i = 0; i < snapshot->aggregate_count; i++)
			if (snapshot->aggregates[i].text && snapshot->aggregates[i].text[0] != 't')
				atomic_fetch_add(&crowd->torn, 1);
		if (snapshot->family_count != snapshot->plan->family_count)
			atomic_fetch_add(&crowd->torn, 1);
		snapshot_free(snapshot);
		metric_tell_gone(crowd->metric);
	}
	return NULL;
}

static void readers_see_one_plan_or_the_other(void **state)
{
	static struct plain_world world;
	struct crowd crowd = {0};
	struct told told = {0};
	pthread_t readers_of[2];

	(void)state;
	srandom(6);
	memset(&world, 0, sizeof(world));
	crowd.metric = world.metric = new_metric(imagine(&world));
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&readers_of[i], NULL, look_on, &crowd), 0);
	for (int i = 0; i < 1500; i++) {
		world.now++;
		for (size_t family = 0; family < 2; family++)
			if (world.has[family])
				tick(&world, family);
		for (size_t k = 0; k < SPECS; k++)
			if (world.of[k].on)
				metric_set_result(world.metric, world.of[k].place, i, i % 3 ? "text" : "t");
		adopt(world.metric, imagine(&world));
	}
	atomic_store(&crowd.done, true);
	for (size_t i = 0; i < 2; i++)
		pthread_join(readers_of[i], NULL);
	assert_int_equal(atomic_load(&crowd.torn), 0);
	assert_int_equal(told.count, 0);
	metric_free(world.metric);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plans_are_held_as_long_as_they_are_shown),
		cmocka_unit_test(what_both_plans_have_goes_on),
		cmocka_unit_test(a_past_is_told_once),
		cmocka_unit_test(families_that_changed_begin_anew),
		cmocka_unit_test(what_only_looks_the_same_does_not_go_on),
		cmocka_unit_test(results_are_those_of_their_lua),
		cmocka_unit_test(who_is_gone_is_told_before_his_family_goes),
		cmocka_unit_test(an_instance_outlives_a_plan_and_is_then_forgotten),
		cmocka_unit_test(functions_are_shown_their_window),
		cmocka_unit_test(adoption_at_any_moment_changes_no_window),
		cmocka_unit_test(readers_see_one_plan_or_the_other),
	};

	return cmocka_run_group_tests_name("adopt", tests, NULL, NULL);
}
