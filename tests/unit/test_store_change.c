/* links: agent/store/store.c agent/store/change.c agent/store/series.c agent/store/intake.c agent/store/journal.c agent/store/record.c
 * agent/store/recover.c agent/store/folder.c agent/store/aside.c agent/store/adapt.c agent/store/orphan.c agent/store/ledger.c agent/metric/gap.c agent/store/timeline.c agent/store/relay.c agent/store/daemon.c agent/store/move.c agent/store/migrate.c agent/store/room.c agent/store/purge.c agent/store/survey.c agent/store/rrd.c agent/store/guard.c
 * agent/store/history.c agent/store/layout.c
 * agent/store/write_behind.c agent/config/plan.c agent/config/share.c
 * agent/config/values.c agent/config/aggregate.c agent/config/collector.c agent/config/options.c agent/metric/batch.c agent/base/text.c
 * agent/base/memory.c agent/base/log.c agent/base/boot.c agent/base/clock.c agent/base/error.c
 *
 * Random plans take each other's place while samples come, with the real librrd, in a folder of its own: what was
 * appended is in the files. Time is made up: a tick is a second, and comes when the sampler gets to it. */
#include <ftw.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "config/draft.h"
#include "store/ledger.h"
#include "store/store.h"

#define TICKS 240
#define FAMILIES 4
#define INSTANCES 2

static const char *const names[FAMILIES] = {"one", "two.of", "three", "four.of"};
static const char *const instances[INSTANCES] = {"a", "b"};

static bool has_instances(size_t family)
{
	return family % 2 == 1;
}

/* --- plans that really end when nobody holds them, with all that they point to ------------------------------------ */

struct world {
	struct plan plan;
	struct plan_plugin plugin;
	struct plan_family families[FAMILIES];
	struct pindrop_family tables[FAMILIES];
	struct pindrop_field fields[FAMILIES][3];
	struct plan_tier tiers[2];
	size_t which[FAMILIES]; /* by family of the plan: its name */
	char file[16];
};

static uint32_t random_state;

static size_t random_below(size_t end)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (random_state >> 16) % end;
}

/* The field "level" is there in all of them, in one place or another. */
static void add_family(struct world *world, size_t which)
{
	static const struct pindrop_field level = {"level", PINDROP_GAUGE, "percent", 1, NULL, "…"},
									  bytes = {"bytes", PINDROP_COUNTER, "bytes", 0, NULL, "…"},
									  extra = {"extra", PINDROP_GAUGE, "percent", 1, NULL, "…"};
	size_t place = world->plan.family_count++, count = 0;
	struct pindrop_field *fields = world->fields[place];

	if (random_below(6) == 0)
		fields[count++] = bytes;
	fields[count++] = level;
	if (random_below(6) == 0)
		fields[count++] = extra;
	world->tables[place] = (struct pindrop_family){.name = names[which],
	                                               .fields = fields,
	                                               .field_count = count,
	                                               .instance = has_instances(which) ? "letter" : NULL};
	world->families[place] = (struct plan_family){&world->tables[place], &world->plugin};
	world->which[place] = which;
}

/* Some of the families, in any order; all of them where `whole`. */
static struct world *new_world(const char *data_dir, bool whole)
{
	struct world *world = memory_alloc(sizeof(*world));
	size_t first = random_below(FAMILIES);

	strcpy(world->file, "pindrop.lua");
	world->plugin = (struct plan_plugin){.name = "all", .interval = CLOCK_SECOND};
	world->tiers[0] = (struct plan_tier){1, random_below(2) ? 600 : 900};
	world->tiers[1] = (struct plan_tier){10, 6000};
	world->plan = (struct plan){.file = world->file,
	                            .data_dir = data_dir,
	                            .root = "",
	                            .flush = random_below(2) ? CLOCK_SECOND / 5 : 3600 * CLOCK_SECOND,
	                            .purge_after = 30 * 86400,
	                            .purge_max_size = 1000000000,
	                            .journal_size = random_below(4) ? 4 << 20 : 8 << 20,
	                            .tier_count = 2,
	                            .tiers = world->tiers,
	                            .families = world->families};
	world->plan.memory = memory_alloc(sizeof(struct plan_memory));
	atomic_init(&world->plan.memory->readers, 1);
	for (size_t i = 0; i < FAMILIES; i++)
		if (whole || random_below(4) > 0)
			add_family(world, (first + i) % FAMILIES);
	return world;
}

/* --- a sampler ------------------------------------------------------------------------------------------------------ */

struct run {
	char *folder;
	struct store *store;
	int64_t begin;         /* s */
	struct world *now;     /* sampler's thread */
	const struct plan *to; /* the plan that comes: what it lacks is not sampled any more */
	atomic_size_t tick;
	double levels[FAMILIES][INSTANCES][TICKS]; /* as they were appended; NaN: it was not */
	uint64_t appended;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct world *part, *adopt; /* lock: asked for; NULL: done */
	bool ends;                  /* lock */
};

static void append(struct run *run, size_t place)
{
	const struct pindrop_family *table = &run->now->tables[place];
	size_t which = run->now->which[place];
	struct batch batch = {0};

	batch_begin(&batch, place, table->field_count, 0);
	batch.tick = batch.time = (run->begin + (int64_t)run->tick) * CLOCK_SECOND;
	batch.on_tick = true;
	for (size_t i = 0; i < (has_instances(which) ? INSTANCES : 1); i++) {
		double *values = batch_add(&batch, has_instances(which) ? instances[i] : "", NULL);

		for (size_t k = 0; k < table->field_count; k++)
			values[k] = (double)run->tick;
		for (size_t k = 0; k < table->field_count; k++)
			if (strcmp(table->fields[k].name, "level") == 0)
				values[k] = run->levels[which][i][run->tick] = (double)(1000 * which + 500 * i + run->tick);
		run->appended++;
	}
	store_append(run->store, &(struct batch *){&batch}, 1);
	batch_release(&batch);
}

static void sample(struct run *run)
{
	for (size_t i = 0; i < run->now->plan.family_count; i++)
		if (!run->to || plan_find_same(run->to, &run->now->tables[i]) != SIZE_MAX)
			append(run, i);
	run->tick++;
}

/* What collect does: between two ticks it is told to sample no more what goes, and then to go over. */
static void *live(void *context)
{
	struct run *run = context;
	bool ends = false;

	while (!ends) {
		if (run->tick < TICKS)
			sample(run);
		pthread_mutex_lock(&run->lock);
		if (run->part)
			run->to = &run->part->plan;
		run->part = NULL;
		if (run->adopt) {
			store_adopt(run->store, &run->adopt->plan);
			plan_release(&run->now->plan);
			run->now = run->adopt;
			run->to = NULL;
		}
		run->adopt = NULL;
		pthread_cond_broadcast(&run->changed);
		ends = run->ends && run->tick == TICKS;
		pthread_mutex_unlock(&run->lock);
		usleep(500);
	}
	return NULL;
}

static void ask(struct run *run, struct world **what, struct world *world)
{
	pthread_mutex_lock(&run->lock);
	*what = world;
	while (*what)
		pthread_cond_wait(&run->changed, &run->lock);
	pthread_mutex_unlock(&run->lock);
}

static void change(struct run *run, struct world *world)
{
	ask(run, &run->part, world);
	store_hold(run->store, &world->plan);
	if (random_below(3) == 0)
		usleep(5000);
	ask(run, &run->adopt, world);
	store_go_on(run->store);
}

/* --- what is in the files ------------------------------------------------------------------------------------------- */

static void check_level(const struct run *run, const struct world *world, size_t place, size_t instance)
{
	size_t which = world->which[place], field = 0;
	const double *levels = run->levels[which][instance];
	struct store_rows rows;
	struct error error = {""};

	while (strcmp(world->tables[place].fields[field].name, "level") != 0)
		field++;
	if (store_fetch(run->store, place, has_instances(which) ? instances[instance] : "", field, STORE_AVERAGE,
	                run->begin - 1, run->begin + TICKS - 1, &rows, &error) < 0)
		fail_msg("%s", error.text);
	assert_int_equal(rows.step, 1);
	for (size_t tick = 0; tick < TICKS; tick++) {
		size_t at = (size_t)(run->begin + (int64_t)tick - rows.start - 1);

		if (isnan(levels[tick]))
			continue;
		if (at >= rows.count || rows.values[at] != levels[tick])
			fail_msg("%s, tick %zu: %f instead of %f", names[which], tick, at < rows.count ? rows.values[at] : NAN,
			         levels[tick]);
	}
	free(rows.values);
}

static void check_files(const struct run *run, const struct world *world)
{
	for (size_t i = 0; i < world->plan.family_count; i++)
		for (size_t k = 0; k < (has_instances(world->which[i]) ? INSTANCES : 1); k++)
			check_level(run, world, i, k);
}

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *place)
{
	(void)status, (void)flag, (void)place;
	return remove(path);
}

static void open_store(struct run *run, const struct world *world)
{
	struct error error = {""};

	run->store = store_open(&world->plan, NULL, &error);
	if (!run->store)
		fail_msg("%s", error.text);
}

static void live_through(uint32_t seed)
{
	struct run *run = memory_alloc(sizeof(*run));
	struct store_status status;
	struct world *last;
	pthread_t sampler;

	random_state = seed;
	for (size_t i = 0; i < FAMILIES * INSTANCES * TICKS; i++)
		(&run->levels[0][0][0])[i] = NAN;
	run->folder = memory_format("%s/pindrop-change.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(run->folder));
	run->begin = clock_wall() / CLOCK_SECOND / 10 * 10 - TICKS - 30;
	run->now = new_world(run->folder, true);
	pthread_mutex_init(&run->lock, NULL);
	pthread_cond_init(&run->changed, NULL);
	open_store(run, run->now);
	assert_int_equal(pthread_create(&sampler, NULL, live, run), 0);
	while (run->tick < TICKS)
		change(run, new_world(run->folder, false));
	/* The last one has them all. */
	last = new_world(run->folder, true);
	change(run, last);
	pthread_mutex_lock(&run->lock);
	run->ends = true;
	pthread_mutex_unlock(&run->lock);
	pthread_join(sampler, NULL);
	store_flush(run->store);
	store_status(run->store, &status);
	assert_int_equal(status.buffered, 0);
	assert_int_equal(status.dropped, 0);
	assert_int_equal(status.errors, 0);
	assert_int_equal(status.written, run->appended);
	assert_string_equal(status.error, "");
	assert_string_equal(status.journal_error, "");
	check_files(run, last);
	store_close(run->store);
	/* Nothing is held but by us. */
	assert_int_equal(atomic_load(&last->plan.memory->readers), 1);
	open_store(run, last);
	check_files(run, last);
	store_close(run->store);
	plan_release(&last->plan);
	nftw(run->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	pthread_mutex_destroy(&run->lock);
	pthread_cond_destroy(&run->changed);
	free(run->folder);
	free(run);
}

static void nothing_is_lost_whatever_plans_come(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 5; seed++)
		live_through(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_is_lost_whatever_plans_come)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
