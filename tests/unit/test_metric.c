/* links: agent/metric/metric.c agent/metric/catalogue.c agent/metric/gap_list.c agent/metric/view.c agent/metric/trend.c agent/metric/window.c agent/metric/quantiles.c agent/metric/batch.c agent/config/share.c agent/base/text.c agent/base/memory.c agent/base/clock.c */
#include <malloc.h>
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
#include "metric/metric.h"

#define START (INT64_C(1700000000) * CLOCK_SECOND)

/* --- a plan of two families -------------------------------------------------------------------------------------- */

enum { CPU, DISK, FAMILY_COUNT };
enum { LEVEL, TOTAL, FIELD_COUNT };

static const struct pindrop_field fields[] = {
	{.name = "level", .kind = PINDROP_GAUGE, .unit = "percent"},
	{.name = "total", .kind = PINDROP_COUNTER, .unit = "bytes"},
};
static const struct pindrop_label labels[] = {{.name = "device"}};
static const struct pindrop_family tables[] = {
	[CPU] = {.name = "cpu", .fields = fields, .field_count = FIELD_COUNT},
	[DISK] = {.name = "disk",
              .fields = fields,
              .field_count = FIELD_COUNT,
              .instance = "disk",
              .labels = labels,
              .label_count = 1},
};
static const struct plan_plugin plugin = {.name = "test", .interval = CLOCK_SECOND};
static const struct plan_family families[] = {[CPU] = {&tables[CPU], &plugin}, [DISK] = {&tables[DISK], &plugin}};

enum {
	CPU_MIN,
	CPU_AVG,
	CPU_MAX,
	CPU_RECENT,
	CPU_RECENT_MAX,
	CPU_RATE,
	CPU_RISE,
	CPU_P90,
	DISK_MAX,
	DISK_COUNT,
	DISK_RISE,
	SDB_LAST,
	SDB_RECENT,
	AGGREGATE_COUNT
};

static const struct plan_aggregate aggregates[] = {
	[CPU_MIN] = {.family = CPU, .field = LEVEL, .fn = PLAN_MIN},
	[CPU_AVG] = {.family = CPU, .field = LEVEL, .fn = PLAN_AVG},
	[CPU_MAX] = {.family = CPU, .field = LEVEL, .fn = PLAN_MAX},
	[CPU_RECENT] = {.family = CPU, .field = LEVEL, .fn = PLAN_COUNT, .over = 10 * CLOCK_SECOND},
	[CPU_RECENT_MAX] = {.family = CPU, .field = LEVEL, .fn = PLAN_MAX, .over = 10 * CLOCK_SECOND},
	[CPU_RATE] = {.family = CPU, .field = TOTAL, .fn = PLAN_AVG},
	[CPU_RISE] = {.family = CPU, .field = TOTAL, .fn = PLAN_SUM},
	[CPU_P90] = {.family = CPU, .field = LEVEL, .fn = PLAN_QUANTILE, .quantile = 0.9},
	[DISK_MAX] = {.family = DISK, .field = LEVEL, .fn = PLAN_MAX},
	[DISK_COUNT] = {.family = DISK, .field = LEVEL, .fn = PLAN_COUNT},
	[DISK_RISE] = {.family = DISK, .field = TOTAL, .fn = PLAN_SUM},
	[SDB_LAST] = {.family = DISK, .field = LEVEL, .fn = PLAN_LAST, .instance = "sdb"},
	[SDB_RECENT] = {.family = DISK, .field = LEVEL, .fn = PLAN_COUNT, .instance = "sdb", .over = 10 * CLOCK_SECOND},
};

static const struct plan plan = {
	.family_count = FAMILY_COUNT,
	.families = families,
	.aggregate_count = AGGREGATE_COUNT,
	.aggregates = aggregates,
};

/* --- helpers ----------------------------------------------------------------------------------------------------- */

static struct batch *begin(struct batch *batch, size_t family, double second)
{
	batch_begin(batch, family, FIELD_COUNT, tables[family].label_count);
	batch->time = batch->tick = START + (int64_t)(second * 1e9);
	batch->on_tick = true;
	return batch;
}

static void add(struct batch *batch, const char *name, const char *device, double level, double total)
{
	double *values = batch_add(batch, name, &device);

	values[LEVEL] = level;
	values[TOTAL] = total;
}

static void publish(struct metric *metric, struct batch *batch)
{
	metric_intern(metric, batch);
	metric_publish(metric, &batch, 1);
}

/* One sample of the family without instances. */
static void say(struct metric *metric, double second, double level, double total)
{
	struct batch batch = {0};

	add(begin(&batch, CPU, second), "", NULL, level, total);
	publish(metric, &batch);
	batch_release(&batch);
}

static double ask(struct metric *metric, size_t aggregate)
{
	struct snapshot *snapshot = metric_snapshot(metric);
	double value = snapshot->aggregates[aggregate].value;

	snapshot_free(snapshot);
	return value;
}

static int set_up(void **state)
{
	*state = metric_new(&plan);
	metric_restart(*state, START);
	return 0;
}

static int tear_down(void **state)
{
	metric_free(*state);
	return 0;
}

/* --- tests ------------------------------------------------------------------------------------------------------- */

static void nothing_is_known_before_the_first_sample(void **state)
{
	struct snapshot *snapshot = metric_snapshot(*state);

	assert_true(snapshot->time == 0 && snapshot->since == START);
	assert_int_equal(snapshot->family_count, FAMILY_COUNT);
	assert_int_equal(snapshot->families[DISK].reading_count, 0);
	assert_true(isnan(snapshot->aggregates[CPU_MAX].value));
	assert_true(snapshot->aggregates[CPU_RECENT].value == 0);
	snapshot_free(snapshot);
}

static void a_sample_is_seen_whole(void **state)
{
	struct metric *metric = *state;
	uint64_t before = metric_generation(metric);
	struct batch cpu = {0}, disk = {0};
	struct batch *both[] = {&cpu, &disk};
	struct snapshot *snapshot;

	add(begin(&cpu, CPU, 1), "", NULL, 12, 100);
	add(begin(&disk, DISK, 1.5), "sda", "8:0", 1, NAN);
	add(&disk, "sdb", "8:16", INFINITY, 4);
	disk.rows[1].summed = false;
	metric_intern(metric, &cpu);
	metric_intern(metric, &disk);
	assert_true(metric_generation(metric) == before);  /* nothing is shown by interning */
	assert_true(isnan(batch_values(&disk, 1)[LEVEL])); /* the store must not see infinity either */
	metric_publish(metric, both, 2);
	assert_true(metric_generation(metric) == before + 1);
	snapshot = metric_snapshot(metric);
	assert_true(snapshot->generation == before + 1);
	assert_true(snapshot->time == START + CLOCK_SECOND * 3 / 2);
	assert_true(snapshot->families[CPU].time == START + CLOCK_SECOND);
	assert_int_equal(snapshot->families[CPU].reading_count, 1);
	assert_string_equal(snapshot->families[CPU].readings[0].instance->name, "");
	assert_true(snapshot->families[CPU].readings[0].values[TOTAL] == 100);
	assert_int_equal(snapshot->families[DISK].reading_count, 2);
	assert_string_equal(snapshot->families[DISK].readings[1].instance->name, "sdb");
	assert_string_equal(snapshot->families[DISK].readings[1].labels[0], "8:16");
	assert_int_equal(snapshot->families[DISK].readings[1].instance->index, 1);
	assert_true(snapshot->families[DISK].readings[0].summed && !snapshot->families[DISK].readings[1].summed);
	assert_true(isnan(snapshot->families[DISK].readings[0].values[TOTAL]));
	assert_true(snapshot->families[DISK].readings[1].values[TOTAL] == 4);
	batch_release(&cpu);
	batch_release(&disk);
	assert_string_equal(snapshot->families[DISK].readings[0].labels[0], "8:0"); /* not the batch's text */
	snapshot_free(snapshot);
}

static void instances_come_and_go(void **state)
{
	struct metric *metric = *state;
	const struct instance *first;
	struct snapshot *snapshot;
	struct batch batch = {0};

	add(begin(&batch, DISK, 1), "sda", "a", 1, 0);
	add(&batch, "sdb", "b", 2, 0);
	publish(metric, &batch);
	first = batch.rows[1].instance;
	add(begin(&batch, DISK, 2), "sdc", "c", 3, 0);
	add(&batch, "sda", "a", 4, 0);
	publish(metric, &batch);
	snapshot = metric_snapshot(metric);
	assert_int_equal(snapshot->families[DISK].reading_count, 3);
	assert_true(snapshot->families[DISK].readings[0].present && snapshot->families[DISK].readings[2].present);
	assert_false(snapshot->families[DISK].readings[1].present);
	assert_true(snapshot->families[DISK].readings[1].values[LEVEL] == 2); /* what it was */
	assert_true(snapshot->families[DISK].readings[1].time == START + CLOCK_SECOND);
	snapshot_free(snapshot);
	assert_true(ask(metric, SDB_RECENT) == 1 && ask(metric, SDB_LAST) == 2);
	/* It comes back with another device: the same place, other labels; whoever looks at the old ones still may. */
	snapshot = metric_snapshot(metric);
	add(begin(&batch, DISK, 3), "sdb", "other", 5, 0);
	publish(metric, &batch);
	assert_ptr_equal(batch.rows[0].instance, first);
	assert_string_equal(snapshot->families[DISK].readings[1].labels[0], "b");
	snapshot_free(snapshot);
	snapshot = metric_snapshot(metric);
	assert_string_equal(snapshot->families[DISK].readings[1].labels[0], "other");
	snapshot_free(snapshot);
	assert_true(ask(metric, SDB_LAST) == 5);
	add(begin(&batch, DISK, 4), "sdb", "b", 6, 0);
	publish(metric, &batch);
	/* Gone for longer than the window: the window ends at its family's newest sample, not at its own. */
	add(begin(&batch, DISK, 13.5), "sda", "a", 1, 0);
	publish(metric, &batch);
	assert_true(ask(metric, SDB_RECENT) == 1);
	add(begin(&batch, DISK, 14), "sda", "a", 1, 0);
	publish(metric, &batch);
	assert_true(ask(metric, SDB_RECENT) == 0);
	batch_release(&batch);
}

static void ten_thousand_instances_are_told_apart(void **state)
{
	struct metric *metric = *state;
	struct batch batch = {0};
	struct snapshot *snapshot;
	char name[32];

	for (size_t round = 0; round < 3; round++) {
		begin(&batch, DISK, (double)round + 1);
		for (size_t i = 0; i < 10000; i++) {
			/* The second time in another order: found by name, not by place. */
			snprintf(name, sizeof(name), "disk-%zu", round == 1 ? 9999 - i : i);
			add(&batch, name, "", (double)(round == 1 ? 9999 - i : i), 0);
		}
		publish(metric, &batch);
	}
	snapshot = metric_snapshot(metric);
	assert_int_equal(snapshot->families[DISK].reading_count, 10000);
	for (size_t i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "disk-%zu", i);
		assert_string_equal(snapshot->families[DISK].readings[i].instance->name, name);
		assert_true(snapshot->families[DISK].readings[i].values[LEVEL] == (double)i);
	}
	assert_true(snapshot->aggregates[DISK_MAX].value == 9999 && snapshot->aggregates[DISK_COUNT].value == 30000);
	snapshot_free(snapshot);
	batch_release(&batch);
}

static void counters_enter_as_rates(void **state)
{
	struct metric *metric = *state;

	say(metric, 0.5, 1, 1000);
	assert_true(isnan(ask(metric, CPU_RATE))); /* one sample is no rate */
	say(metric, 1, 1, 1010);
	assert_true(fabs(ask(metric, CPU_RATE) - 20) < 1e-9); /* by the half second that passed */
	say(metric, 2, 1, 1050);
	assert_true(fabs(ask(metric, CPU_RISE) - 50) < 1e-9);
	assert_true(fabs(ask(metric, CPU_RATE) - 50 / 1.5) < 1e-9);
	say(metric, 3, 1, 7); /* a reset: nothing is known of this second */
	assert_true(fabs(ask(metric, CPU_RISE) - 50) < 1e-9);
	say(metric, 4, 1, 8);
	assert_true(fabs(ask(metric, CPU_RISE) - 51) < 1e-9);
	say(metric, 5, 1, NAN);
	say(metric, 6, 1, 100);
	assert_true(fabs(ask(metric, CPU_RISE) - 51) < 1e-9);
	say(metric, 9, 1, 103); /* as long as the heartbeat */
	assert_true(fabs(ask(metric, CPU_RISE) - 54) < 1e-9);
	say(metric, 12.001, 1, 200); /* longer */
	assert_true(fabs(ask(metric, CPU_RISE) - 54) < 1e-9);
	say(metric, 11, 1, 210); /* the clock was set back: how much time passed is not known */
	assert_true(fabs(ask(metric, CPU_RISE) - 54) < 1e-9);
	say(metric, 12, 1, 211);
	assert_true(fabs(ask(metric, CPU_RISE) - 55) < 1e-9);
	metric_restart(metric, START + 13 * CLOCK_SECOND);
	say(metric, 13, 1, 300); /* nothing is carried over a restart */
	assert_true(isnan(ask(metric, CPU_RISE)));
}

static void what_is_not_summed_is_not_counted_twice(void **state)
{
	struct metric *metric = *state;
	struct batch batch = {0};

	for (int second = 1; second <= 2; second++) {
		add(begin(&batch, DISK, second), "sda", "", 10, 100.0 * second);
		add(&batch, "dm-0", "", 99, 100.0 * second);
		batch.rows[1].summed = false;
		add(&batch, "sdb", "", 20, 10.0 * second);
		publish(metric, &batch);
	}
	assert_true(fabs(ask(metric, DISK_RISE) - 110) < 1e-9);
	assert_true(ask(metric, DISK_MAX) == 20);
	batch_release(&batch);
}

/* The promise of /get_stats: min <= avg <= max, and no maximum below what is shown. */
static void a_maximum_is_never_below_what_is_shown(void **state)
{
	struct metric *metric = *state;
	double second = 0;

	srandom(4);
	for (int i = 0; i < 5000; i++) {
		struct snapshot *snapshot;
		struct batch batch = {0};
		double level, low, middle, high;

		second += (double)(random() % 4) / 2 - 0.5; /* the clock sometimes goes back */
		level = random() % 8 ? (double)(random() % 1000) / 7 : (double)NAN;
		add(begin(&batch, CPU, second), "", NULL, level, 0);
		batch.on_tick = random() % 10 != 0;
		publish(metric, &batch);
		batch_release(&batch);
		snapshot = metric_snapshot(metric);
		low = snapshot->aggregates[CPU_MIN].value;
		middle = snapshot->aggregates[CPU_AVG].value;
		high = snapshot->aggregates[CPU_MAX].value;
		assert_true(isnan(middle) || (low <= middle && middle <= high));
		level = snapshot->families[CPU].readings[0].values[LEVEL];
		assert_true(isnan(level) || (level <= high && level <= snapshot->aggregates[CPU_RECENT_MAX].value));
		assert_true(isnan(level) || snapshot->aggregates[CPU_P90].value <= high);
		snapshot_free(snapshot);
		if (random() % 500 == 0)
			metric_restart(metric, START + (int64_t)(second * 1e9));
	}
}

static void a_restart_begins_service_windows_anew(void **state)
{
	struct metric *metric = *state;
	struct snapshot *snapshot;
	uint64_t before;

	say(metric, 1, 90, 0);
	before = metric_generation(metric);
	metric_restart(metric, START + 2 * CLOCK_SECOND);
	assert_true(metric_generation(metric) > before);
	snapshot = metric_snapshot(metric);
	assert_true(snapshot->time == 0 && snapshot->since == START + 2 * CLOCK_SECOND);
	assert_false(snapshot->families[CPU].readings[0].present);
	assert_true(isnan(snapshot->families[CPU].readings[0].values[LEVEL]));
	assert_true(isnan(snapshot->aggregates[CPU_MAX].value) && isnan(snapshot->aggregates[CPU_P90].value));
	assert_true(snapshot->aggregates[CPU_RECENT_MAX].value == 90); /* a duration outlives it */
	snapshot_free(snapshot);
	say(metric, 3, 10, 0);
	assert_true(ask(metric, CPU_MAX) == 10 && ask(metric, CPU_RECENT) == 2);
}

static void history_is_remembered_once(void **state)
{
	struct metric *metric = *state;
	/* CPU_RECENT and CPU_RECENT_MAX share their window, and are each given the same rows. */
	const struct metric_row rows[] = {
		{START - 5 * CLOCK_SECOND, 5 * CLOCK_SECOND, 1, 2, 50},
		{START - 4 * CLOCK_SECOND, CLOCK_SECOND, NAN, NAN, NAN},
		{START - 3 * CLOCK_SECOND, CLOCK_SECOND, NAN, 3, NAN},
		{START - 2 * CLOCK_SECOND, CLOCK_SECOND, NAN, NAN, NAN},
	};

	assert_true(metric_is_new(metric, CPU_RECENT) && metric_is_new(metric, CPU_RECENT_MAX));
	assert_false(metric_is_new(metric, CPU_MAX)); /* since the start there is no past */
	for (size_t aggregate = CPU_RECENT; aggregate <= CPU_RECENT_MAX; aggregate++)
		metric_remember(metric, aggregate, rows, 4);
	metric_remember(metric, CPU_MAX, rows, 4); /* not over a duration */
	assert_false(metric_is_new(metric, CPU_RECENT) || metric_is_new(metric, CPU_RECENT_MAX));
	assert_true(ask(metric, CPU_RECENT) == 6);
	say(metric, 1, 20, 0);
	assert_true(ask(metric, CPU_RECENT) == 7 && ask(metric, CPU_RECENT_MAX) == 50);
	assert_true(ask(metric, CPU_MAX) == 20);
	say(metric, 5, 20, 0); /* the remembered five seconds have left */
	assert_true(ask(metric, CPU_RECENT) == 3 && ask(metric, CPU_RECENT_MAX) == 20);
}

/* Also while sampling goes on: what was seen stays, and is not counted twice. */
static void history_is_put_before_what_was_seen(void **state)
{
	struct metric *metric = *state;
	struct metric_row rows[12];
	struct snapshot *snapshot;
	uint64_t before;

	for (int i = 0; i < 12; i++)
		rows[i] = (struct metric_row){START + i * CLOCK_SECOND, CLOCK_SECOND, i, i, i};
	rows[2].avg = NAN;
	say(metric, 8, 100, 0);
	say(metric, 9, NAN, 0);
	say(metric, 10, 50, 0);
	before = metric_generation(metric);
	metric_remember(metric, CPU_RECENT, rows, 12);
	assert_true(metric_generation(metric) > before);
	snapshot = metric_snapshot(metric);
	/* Of the seconds 1 … 10 the eighth to the tenth were seen; the second and the ninth are unknown. */
	assert_true(snapshot->aggregates[CPU_RECENT].value == 8 && snapshot->aggregates[CPU_RECENT].unknown == 2);
	assert_true(snapshot->aggregates[CPU_RECENT_MAX].value == 100);
	assert_true(snapshot->aggregates[CPU_MAX].samples == 2); /* the service's own */
	snapshot_free(snapshot);
	say(metric, 11, 1, 0);
	assert_true(ask(metric, CPU_RECENT) == 8);
	say(metric, 19, 1, 0);
	snapshot = metric_snapshot(metric);
	assert_true(snapshot->aggregates[CPU_RECENT].value == 3 && snapshot->aggregates[CPU_RECENT].unknown == 0);
	assert_true(snapshot->aggregates[CPU_RECENT_MAX].value == 50);
	snapshot_free(snapshot);
}

/* A row of a coarser tier stands for as many samples as it has intervals, a counter's for its seconds. */
static void a_stored_row_is_many_samples(void **state)
{
	static const struct plan_aggregate of[] = {
		{.family = CPU, .field = LEVEL, .fn = PLAN_AVG, .over = 1000 * CLOCK_SECOND},
		{.family = CPU, .field = TOTAL, .fn = PLAN_SUM, .over = 1000 * CLOCK_SECOND},
		{.family = CPU, .field = TOTAL, .fn = PLAN_QUANTILE, .quantile = 0.5, .over = 1000 * CLOCK_SECOND},
	};
	static const struct plan_plugin slow = {.name = "test", .interval = 5 * CLOCK_SECOND};
	static const struct plan_family of_slow[] = {[CPU] = {&tables[CPU], &slow}, [DISK] = {&tables[DISK], &slow}};
	const struct plan long_plan = {.family_count = FAMILY_COUNT,
	                               .families = of_slow,
	                               .aggregate_count = 3,
	                               .aggregates = of};
	const struct metric_row rows[] = {{START - 60 * CLOCK_SECOND, 60 * CLOCK_SECOND, 1, 2, 9},
	                                  {START, 60 * CLOCK_SECOND, 1, 4, 9}};
	struct metric *metric = metric_new(&long_plan);

	(void)state;
	metric_restart(metric, START);
	metric_remember(metric, 0, rows, 2);
	metric_remember(metric, 1, rows, 2);
	assert_true(ask(metric, 0) == 3 && ask(metric, 1) == 360);
	for (int second = 1; second <= 201; second++)
		say(metric, second, 10, 1000.0 * second);
	assert_true(fabs(ask(metric, 0) - (24 * 3 + 2010) / 225.0) < 1e-9);
	assert_true(fabs(ask(metric, 1) - 200360) < 1e-6);
	assert_true(fabs(ask(metric, 2) - 1000) <= 10);
	metric_free(metric);
}

static void a_clock_that_is_set_makes_no_spike(void **state)
{
	struct metric *metric = *state;
	const double walls[] = {1, 2, 2.5, 3.5}; /* the third second took half a second, says the wall clock */

	for (int i = 0; i < 4; i++) {
		struct batch batch = {0};

		add(begin(&batch, CPU, walls[i]), "", NULL, 1, 100.0 * i);
		batch.clock = (i + 1) * CLOCK_SECOND;
		publish(metric, &batch);
		batch_release(&batch);
	}
	assert_true(fabs(ask(metric, CPU_RATE) - 100) < 1e-9 && fabs(ask(metric, CPU_RISE) - 300) < 1e-9);
}

/* What was interned before the service was stopped and started, and is published after. */
static void a_sample_from_before_a_restart_is_not_current(void **state)
{
	struct metric *metric = *state;
	struct batch late = {0}, young = {0};
	struct batch *batches[] = {&late};
	struct snapshot *snapshot;

	add(begin(&late, CPU, 1), "", NULL, 90, 5);
	metric_intern(metric, &late);
	metric_restart(metric, START); /* and the clock may have been set back meanwhile */
	add(begin(&young, CPU, 0.5), "", NULL, 10, 100);
	metric_intern(metric, &young);
	metric_publish(metric, batches, 1);
	snapshot = metric_snapshot(metric);
	assert_true(snapshot->time == 0 && !snapshot->families[CPU].readings[0].present);
	assert_true(isnan(snapshot->families[CPU].readings[0].values[LEVEL]));
	assert_true(isnan(snapshot->aggregates[CPU_MAX].value) && snapshot->aggregates[CPU_RECENT_MAX].value == 90);
	snapshot_free(snapshot);
	batches[0] = &young;
	metric_publish(metric, batches, 1);
	assert_true(ask(metric, CPU_MAX) == 10 && isnan(ask(metric, CPU_RISE)));
	batch_release(&late);
	batch_release(&young);
}

/* --- forgetting -------------------------------------------------------------------------------------------------- */

static void what_is_there_or_on_its_way_is_not_forgotten(void **state)
{
	struct metric *metric = *state;
	struct batch batch = {0}, next = {0};
	struct batch *batches[] = {&batch};

	assert_true(metric_forget(metric, DISK, "never seen"));
	add(begin(&batch, DISK, 1), "sda", "a", 1, 0);
	add(&batch, "sdb", "b", 2, 0);
	metric_intern(metric, &batch);
	assert_false(metric_forget(metric, DISK, "sda")); /* on its way */
	metric_publish(metric, batches, 1);
	assert_false(metric_forget(metric, DISK, "sda")); /* there */
	add(begin(&batch, DISK, 2), "sdb", "b", 2, 0);
	publish(metric, &batch);
	add(begin(&next, DISK, 3), "sda", "a", 3, 0);
	metric_intern(metric, &next);
	assert_false(metric_forget(metric, DISK, "sda")); /* on its way back */
	add(begin(&batch, DISK, 4), "sdb", "b", 2, 0);
	metric_intern(metric, &batch);
	batches[0] = &next;
	metric_publish(metric, batches, 1);
	batches[0] = &batch;
	metric_publish(metric, batches, 1);
	metric_restart(metric, START + 5 * CLOCK_SECOND);
	assert_false(metric_forget(metric, DISK, "sda")); /* nobody knows yet */
	add(begin(&batch, DISK, 6), "sdb", "b", 2, 0);
	publish(metric, &batch);
	assert_true(metric_forget(metric, DISK, "sda"));
	assert_false(metric_forget(metric, DISK, "sdb"));
	batch_release(&batch);
	batch_release(&next);
}

static void an_index_is_used_again(void **state)
{
	struct metric *metric = *state;
	struct batch batch = {0};
	struct snapshot *old, *young;

	add(begin(&batch, DISK, 1), "sda", "a", 1, 0);
	add(&batch, "sdb", "b", 2, 0);
	add(&batch, "sdc", "c", 3, 0);
	publish(metric, &batch);
	add(begin(&batch, DISK, 2), "sda", "a", 1, 0);
	add(&batch, "sdc", "c", 4, 0);
	publish(metric, &batch);
	old = metric_snapshot(metric);
	assert_true(metric_forget(metric, DISK, "sdb"));
	assert_true(metric_generation(metric) > old->generation);
	assert_string_equal(old->families[DISK].readings[1].instance->name, "sdb"); /* a snapshot keeps what it shows */
	assert_string_equal(old->families[DISK].readings[1].labels[0], "b");
	young = metric_snapshot(metric);
	assert_int_equal(young->families[DISK].reading_count, 2);
	assert_string_equal(young->families[DISK].readings[1].instance->name, "sdc");
	assert_int_equal(young->families[DISK].readings[1].instance->index, 2);
	assert_true(young->families[DISK].readings[1].values[LEVEL] == 4);
	snapshot_free(old);
	add(begin(&batch, DISK, 3), "sdd", "d", 5, 0);
	publish(metric, &batch);
	assert_int_equal(batch.rows[0].instance->index, 1);
	snapshot_free(young);
	batch_release(&batch);
}

/* Bytes that are allocated; AddressSanitizer's allocator does not say. */
static size_t in_use(void)
{
	return mallinfo2().uordblks;
}

/* Container mounts: each is there for one sample, with a device that never was before. */
static void thousands_that_come_and_go_leave_no_memory(void **state)
{
	struct metric *metric = *state;
	struct batch batch = {0};
	size_t before = 0;
	char name[32], device[32];

	for (int round = 0; round < 3000; round++) {
		begin(&batch, DISK, round + 1);
		snprintf(device, sizeof(device), "device-%d", round);
		add(&batch, "sda", device, 1, 0);
		for (int i = 0; i < 4; i++) {
			snprintf(name, sizeof(name), "veth-%d-%d", round, i);
			add(&batch, name, device, 1, 0);
		}
		publish(metric, &batch);
		for (int i = 0; i < 4 && round > 0; i++) {
			snprintf(name, sizeof(name), "veth-%d-%d", round - 1, i);
			assert_true(metric_forget(metric, DISK, name));
		}
		for (size_t row = 0; row < batch.row_count; row++)
			assert_true(batch.rows[row].instance->index < 9);
		if (round == 200)
			before = in_use();
	}
	assert_true(in_use() < before + 4096); /* the windows are full by then */
	batch_release(&batch);
}

/* --- gaps -------------------------------------------------------------------------------------------------------- */

struct told {
	struct metric *metric;
	size_t count;
	char last[256];
};

static const char *reason_of(enum gap_reason reason)
{
	return reason == GAP_DEVICE_GONE ? "gone" : reason == GAP_COUNTER_RESET ? "reset" : "?";
}

/* A gap_sink. It may ask: no lock is held. */
static void hear(void *context, const struct gap *gap)
{
	struct told *told = context;

	told->count++;
	snprintf(told->last, sizeof(told->last), "%s %s/%s.%s (%g, %g] %s", reason_of(gap->reason), gap->family,
	         gap->instance, gap->field ? gap->field : "*", (double)(gap->from - START) / 1e9,
	         (double)(gap->to - START) / 1e9, gap->words ? gap->words : "");
	snapshot_free(metric_snapshot(told->metric));
}

/* What was told since the last time, of which there must be exactly one. */
static const char *heard(struct told *told)
{
	if (told->count != 1)
		snprintf(told->last, sizeof(told->last), "%zu gaps", told->count);
	told->count = 0;
	return told->last;
}

static void a_counter_that_goes_down_is_told(void **state)
{
	struct told told = {.metric = *state};
	struct batch batch = {0};

	metric_tell_gaps(*state, hear, &told);
	add(begin(&batch, CPU, 0.5), "", NULL, 9, 900);
	batch.on_tick = false;
	publish(*state, &batch);
	say(*state, 1, 9, 100); /* no stored sample was before this */
	say(*state, 2, 8, 1000);
	assert_string_equal(heard(&told), "0 gaps");
	say(*state, 4, 1, 7);
	assert_string_equal(heard(&told), "reset cpu/.total (3, 4] it went from 1000 to 7 bytes");
	say(*state, 5, 1, NAN);
	say(*state, 6, 1, 3); /* it may have, and nobody saw */
	assert_string_equal(heard(&told), "0 gaps");
	say(*state, 5, 1, 2); /* the clock was set back */
	assert_string_equal(heard(&told), "reset cpu/.total (4, 5] it went from 3 to 2 bytes");
	add(begin(&batch, CPU, 5.5), "", NULL, 9, 1);
	batch.on_tick = false;
	publish(*state, &batch);
	assert_string_equal(heard(&told), "0 gaps");
	batch_release(&batch);
}

/* A sample of the disks in `names`, one letter each. */
static void see(struct metric *metric, double second, const char *names, bool on_tick)
{
	struct batch batch = {0};

	begin(&batch, DISK, second);
	for (; *names; names++)
		add(&batch, (const char[]){*names, '\0'}, "", 1, 1);
	batch.on_tick = on_tick;
	publish(metric, &batch);
	batch_release(&batch);
}

static void a_device_that_is_gone_is_told(void **state)
{
	struct told told = {.metric = *state};

	metric_tell_gaps(*state, hear, &told);
	see(*state, 0.5, "ab", false);
	see(*state, 1, "ab", true);
	assert_string_equal(heard(&told), "0 gaps");
	see(*state, 2, "a", true);
	assert_string_equal(heard(&told), "gone disk/b.* (1, 2] ");
	metric_tell_gone(*state);
	see(*state, 3, "a", true);
	see(*state, 4, "a", true);
	assert_string_equal(heard(&told), "0 gaps"); /* a tick costs nothing */
	metric_tell_gone(*state);
	assert_string_equal(heard(&told), "gone disk/b.* (2, 4] ");
	metric_tell_gone(*state);
	assert_string_equal(heard(&told), "0 gaps");
	see(*state, 5, "a", true);
	see(*state, 6, "ab", true); /* with one sample there is no rate yet */
	assert_string_equal(heard(&told), "gone disk/b.* (4, 6] ");
	see(*state, 10, "a", true); /* why the ticks before are missing, others know */
	assert_string_equal(heard(&told), "gone disk/b.* (9, 10] ");
	assert_true(metric_forget(*state, DISK, "b"));
	see(*state, 11, "ab", true); /* as if it had never been there */
	metric_tell_gone(*state);
	assert_string_equal(heard(&told), "0 gaps");
}

static void what_went_while_nobody_looked_is_told_from_the_start(void **state)
{
	struct told told = {.metric = *state};

	metric_tell_gaps(*state, hear, &told);
	metric_expect(*state, DISK, "c");
	see(*state, 1, "ab", true);
	assert_string_equal(heard(&told), "gone disk/c.* (0, 1] ");
	metric_restart(*state, START + 5 * CLOCK_SECOND);
	metric_tell_gone(*state);
	assert_string_equal(heard(&told), "0 gaps");
	see(*state, 5.25, "abc", false);
	metric_restart(*state, START + 6 * CLOCK_SECOND);
	see(*state, 6.25, "ab", false); /* the sample at the start is no tick */
	assert_string_equal(heard(&told), "0 gaps");
	see(*state, 7, "ab", true);
	metric_tell_gone(*state);
	assert_string_equal(heard(&told), "gone disk/c.* (6.25, 7] ");
	see(*state, 3, "ab", true); /* the clock was set back */
	see(*state, 4, "ab", true);
	metric_tell_gone(*state);
	assert_string_equal(heard(&told), "gone disk/c.* (2, 4] ");
}

/* --- threads: a reader sees a publication whole or not at all --------------------------------------------------- */

#define READERS 3
#define ROUNDS 800

struct crowd {
	struct metric *metric;
	atomic_bool done;
	atomic_size_t seen; /* snapshots that were looked at */
	atomic_size_t torn;
};

static bool is_whole(const struct snapshot *snapshot)
{
	const struct family_snapshot *disks = &snapshot->families[DISK];
	double level;

	if (snapshot->time == 0)
		return true;
	level = snapshot->families[CPU].readings[0].values[LEVEL];
	for (size_t i = 0; i < disks->reading_count; i++)
		if (disks->readings[i].present && disks->readings[i].values[LEVEL] != level)
			return false;
	return snapshot->aggregates[CPU_MAX].value >= level && snapshot->families[CPU].time == disks->time;
}

static void *look_on(void *argument)
{
	struct crowd *crowd = argument;
	uint64_t generation = 0;

	while (!atomic_load(&crowd->done)) {
		uint64_t now = metric_generation(crowd->metric);
		struct snapshot *snapshot = metric_snapshot(crowd->metric);

		if (snapshot->generation < now || now < generation || !is_whole(snapshot))
			atomic_fetch_add(&crowd->torn, 1);
		generation = snapshot->generation;
		atomic_fetch_add(&crowd->seen, 1);
		snapshot_free(snapshot);
	}
	return NULL;
}

/* What the sampler has interned and the journal's thread has not published: one round at a time. */
struct relay {
	struct metric *metric;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct batch batches[2][2];
	size_t given, taken;
};

static void *publish_rounds(void *argument)
{
	struct relay *relay = argument;

	for (size_t round = 0; round < ROUNDS; round++) {
		struct batch *slot = relay->batches[round % 2], *both[] = {&slot[0], &slot[1]};

		pthread_mutex_lock(&relay->lock);
		while (relay->given <= round)
			pthread_cond_wait(&relay->changed, &relay->lock);
		pthread_mutex_unlock(&relay->lock);
		metric_publish(relay->metric, both, 2);
		pthread_mutex_lock(&relay->lock);
		relay->taken++;
		pthread_cond_signal(&relay->changed);
		pthread_mutex_unlock(&relay->lock);
	}
	return NULL;
}

/* New instances at every round, others vanish, labels change: all that makes memory move. */
static void intern_round(struct relay *relay, int round)
{
	struct batch *slot = relay->batches[(round - 1) % 2];
	char name[32];

	pthread_mutex_lock(&relay->lock);
	while (relay->given - relay->taken == 2)
		pthread_cond_wait(&relay->changed, &relay->lock);
	pthread_mutex_unlock(&relay->lock);
	add(begin(&slot[0], CPU, round), "", NULL, round, round);
	begin(&slot[1], DISK, round);
	for (int i = round / 16; i < round / 8; i++) {
		snprintf(name, sizeof(name), "disk-%d", i);
		add(&slot[1], name, round % 64 ? "a" : "b", round, round);
	}
	metric_intern(relay->metric, &slot[0]);
	metric_intern(relay->metric, &slot[1]);
	pthread_mutex_lock(&relay->lock);
	relay->given++;
	pthread_cond_signal(&relay->changed);
	pthread_mutex_unlock(&relay->lock);
}

static void *forget_all(void *argument)
{
	struct crowd *crowd = argument;
	char name[32];

	for (int i = 0; !atomic_load(&crowd->done); i = (i + 1) % (ROUNDS / 8)) {
		snprintf(name, sizeof(name), "disk-%d", i);
		metric_forget(crowd->metric, DISK, name);
		metric_tell_gone(crowd->metric);
	}
	return NULL;
}

static void disturb(struct metric *metric)
{
	struct relay relay = {.metric = metric, .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
	pthread_t journal;

	assert_int_equal(pthread_create(&journal, NULL, publish_rounds, &relay), 0);
	for (int round = 1; round <= ROUNDS; round++) {
		intern_round(&relay, round);
		if (round % 300 == 0)
			metric_restart(metric, START + round);
	}
	pthread_join(journal, NULL);
	for (size_t i = 0; i < 4; i++)
		batch_release(&relay.batches[i / 2][i % 2]);
}

static void count_gap(void *context, const struct gap *gap)
{
	atomic_fetch_add((atomic_size_t *)context, strlen(gap->instance) > 0);
}

static void readers_see_all_or_nothing(void **state)
{
	struct crowd crowd = {.metric = *state};
	pthread_t readers[READERS], forgetting;
	atomic_size_t gaps = 0;

	metric_tell_gaps(crowd.metric, count_gap, &gaps);
	assert_int_equal(pthread_create(&forgetting, NULL, forget_all, &crowd), 0);
	for (size_t i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, look_on, &crowd), 0);
	while (atomic_load(&crowd.seen) == 0)
		sched_yield();
	disturb(crowd.metric);
	atomic_store(&crowd.done, true);
	for (size_t i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
	pthread_join(forgetting, NULL);
	assert_true(atomic_load(&gaps) > 0);
	assert_int_equal(atomic_load(&crowd.torn), 0);
}

int main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		EACH(nothing_is_known_before_the_first_sample),
		EACH(a_sample_is_seen_whole),
		EACH(instances_come_and_go),
		EACH(ten_thousand_instances_are_told_apart),
		EACH(counters_enter_as_rates),
		EACH(what_is_not_summed_is_not_counted_twice),
		EACH(a_maximum_is_never_below_what_is_shown),
		EACH(a_restart_begins_service_windows_anew),
		EACH(history_is_remembered_once),
		EACH(history_is_put_before_what_was_seen),
		EACH(a_stored_row_is_many_samples),
		EACH(a_clock_that_is_set_makes_no_spike),
		EACH(a_sample_from_before_a_restart_is_not_current),
		EACH(what_is_there_or_on_its_way_is_not_forgotten),
		EACH(an_index_is_used_again),
		EACH(thousands_that_come_and_go_leave_no_memory),
		EACH(a_counter_that_goes_down_is_told),
		EACH(a_device_that_is_gone_is_told),
		EACH(what_went_while_nobody_looked_is_told_from_the_start),
		EACH(readers_see_all_or_nothing),
	};

	return cmocka_run_group_tests_name("metric", tests, NULL, NULL);
}
