/* links: agent/collect/collect.c agent/collect/change.c agent/collect/host.c agent/collect/local.c agent/collect/remote.c
 * agent/collect/schedule.c agent/collect/serve.c agent/collect/tell.c agent/collect/ticker.c agent/collect/wallclock.c
 * agent/collect/wire.c agent/collect/link.c agent/collect/evaluate.c agent/collect/answers.c agent/config/loader.c agent/worker/nursery.c agent/worker/message.c agent/metric/batch.c
 * agent/base/text.c agent/config/share.c agent/base/memory.c agent/base/log.c agent/base/error.c agent/base/clock.c
 *
 * Sampling goes on by another plan, with the real thread and a real worker. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "collect/collect.h"
#include "config/draft.h"
#include "config/loader.h"

#define INTERVAL (CLOCK_SECOND / 10)
#define HOUR (3600 * CLOCK_SECOND)
#define PATIENCE 20 /* s, until a test gives up */

/* --- plugins that run in the agent: each sample is one more than the one before of the same state ---------------- */

static atomic_int opened, closed;
static atomic_bool refuses;

struct own {
	struct pindrop_host *host;
	double samples;
};

static void *open_own(struct pindrop_host *host, const union pindrop_value *options)
{
	struct own *own;

	(void)options;
	if (refuses)
		return pindrop_error(host, "does not want to"), NULL;
	own = memory_alloc(sizeof(*own));
	own->host = host;
	opened++;
	return own;
}

static void close_own(void *state)
{
	closed++;
	free(state);
}

static int sample_own(void *state, struct pindrop_batch *batch)
{
	struct own *own = state;

	pindrop_row(batch, NULL, NULL)[0] = ++own->samples;
	return 0;
}

static const struct pindrop_option options[] = {{"number", PINDROP_NUMBER, NULL, 0, 0, "…"}};
static const struct pindrop_field fields[] = {{"value", PINDROP_GAUGE, "", 0, "value", "…"}};
#define FAMILY(NAME, ...)                                                                   \
	{                                                                                       \
		.name = NAME, .fields = fields, .field_count = 1, .sample = sample_own, __VA_ARGS__ \
	}
static const struct pindrop_family alpha_family[] = {FAMILY("alpha", .never_blocks = true)};
static const struct pindrop_family beta_family[] = {FAMILY("beta", .never_blocks = true)};
/* What the plugin "moody" samples in a worker, in the agent. */
static const struct pindrop_family moody_family[] = {FAMILY("moody", .never_blocks = true, .instance = "name")};
#define PLUGIN(NAME, FAMILIES)                                                                        \
	{                                                                                                 \
		.name = NAME, .options = options, .option_count = 1, .families = FAMILIES, .family_count = 1, \
		.open = open_own, .close = close_own                                                          \
	}
static const struct pindrop_plugin alpha = PLUGIN("alpha", alpha_family);
static const struct pindrop_plugin beta = PLUGIN("beta", beta_family);
static const struct pindrop_plugin stand_in = PLUGIN("stand_in", moody_family);

/* --- plans that really end when nobody holds them ----------------------------------------------------------------- */

#define PLUGINS_MAX 4

struct world {
	struct plan plan;
	struct plan_plugin plugins[PLUGINS_MAX];
	union pindrop_value numbers[PLUGINS_MAX];
	struct plan_family families[PLUGINS_MAX];
	char names[PLUGINS_MAX][16], path[256], root[128];
};

static struct world *new_world(const char *root)
{
	struct world *world = memory_alloc(sizeof(*world));

	world->plan = (struct plan){.root = world->root,
	                            .interval = INTERVAL,
	                            .plugins = world->plugins,
	                            .families = world->families};
	snprintf(world->root, sizeof(world->root), "%s", root);
	world->plan.memory = memory_alloc(sizeof(struct plan_memory));
	atomic_init(&world->plan.memory->readers, 1);
	return world;
}

static void add(struct world *world, const struct pindrop_plugin *table, double number, int64_t interval)
{
	size_t place = world->plan.plugin_count++;
	const struct pindrop_family *family = &table->families[0];

	/* Of "moody" only what it samples in a worker. */
	for (size_t i = 0; i < table->family_count; i++)
		if (strcmp(table->families[i].name, table->name) == 0)
			family = &table->families[i];
	snprintf(world->names[place], sizeof(world->names[place]), "%s", table->name);
	snprintf(world->path, sizeof(world->path), "%s/tests/plugins/moody.so",
	         getenv("BUILD") ? getenv("BUILD") : "build");
	world->numbers[place].number = number;
	world->plugins[place] = (struct plan_plugin){.name = world->names[place],
	                                             .table = table,
	                                             .path = world->path,
	                                             .interval = interval,
	                                             .options = &world->numbers[place]};
	world->families[world->plan.family_count++] = (struct plan_family){family, &world->plugins[place]};
}

/* --- what comes of it --------------------------------------------------------------------------------------------- */

struct heard {
	char family[16];
	bool on_tick;
	int64_t tick;
	double value;
};

struct record {
	char *folder;
	void *library;
	const struct pindrop_plugin *moody;
	struct nursery *nursery;
	struct collect *collect;
	const struct plan *plan; /* in force; sampler's thread */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct heard *heard; /* lock */
	size_t count;        /* lock */
};

static void take_start(void *context, int64_t since)
{
	(void)context, (void)since;
}

static void take_gap(void *context, const struct gap *gap)
{
	(void)context, (void)gap;
}

static void take_batches(void *context, struct batch *const *batches, size_t count)
{
	struct record *record = context;

	pthread_mutex_lock(&record->lock);
	record->heard = memory_resize(record->heard, record->count + count, sizeof(*record->heard));
	for (size_t i = 0; i < count; i++) {
		struct heard *heard = &record->heard[record->count++];

		*heard = (struct heard){.on_tick = batches[i]->on_tick,
		                        .tick = batches[i]->tick,
		                        .value = batch_values(batches[i], 0)[0]};
		snprintf(heard->family, sizeof(heard->family), "%s", record->plan->families[batches[i]->family].table->name);
	}
	pthread_cond_broadcast(&record->changed);
	pthread_mutex_unlock(&record->lock);
}

/* Waits for one more sample of a family, on a tick or not, after those that were `seen`. */
static struct heard await_sample(struct record *record, size_t *seen, const char *family)
{
	struct timespec end;
	struct heard heard;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += PATIENCE;
	pthread_mutex_lock(&record->lock);
	for (;; (*seen)++) {
		while (*seen == record->count)
			if (pthread_cond_timedwait(&record->changed, &record->lock, &end) != 0) {
				pthread_mutex_unlock(&record->lock);
				fail_msg("no sample of %s came", family);
			}
		if (strcmp(record->heard[*seen].family, family) == 0)
			break;
	}
	heard = record->heard[(*seen)++];
	pthread_mutex_unlock(&record->lock);
	return heard;
}

static size_t count_of(struct record *record, const char *family)
{
	size_t count = 0;

	pthread_mutex_lock(&record->lock);
	for (size_t i = 0; i < record->count; i++)
		count += strcmp(record->heard[i].family, family) == 0;
	pthread_mutex_unlock(&record->lock);
	return count;
}

static void set_mood(const char *folder, const char *mood)
{
	char *path = memory_format("%s/moody", folder);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(mood, file);
	fclose(file);
	free(path);
}

static char *new_folder(const char *mood)
{
	char *folder = memory_format("%s/change.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");

	assert_non_null(mkdtemp(folder));
	set_mood(folder, mood);
	return folder;
}

static void remove_folder(char *folder)
{
	char *path = memory_format("%s/moody", folder);

	unlink(path);
	rmdir(folder);
	free(path);
	free(folder);
}

static int begin(void **state)
{
	static const struct worker_kind *const kinds[] = {&collect_worker_kind};
	struct record *record = memory_alloc(sizeof(*record));
	char *path = memory_format("%s/tests/plugins/moody.so", getenv("BUILD") ? getenv("BUILD") : "build");
	struct error error = {""};

	opened = closed = 0;
	refuses = false;
	pthread_mutex_init(&record->lock, NULL);
	pthread_cond_init(&record->changed, NULL);
	record->folder = new_folder("well");
	record->moody = loader_load(path, "moody", &record->library, &error);
	record->nursery = nursery_start(kinds, 1, &error);
	if (!record->moody || !record->nursery)
		fail_msg("%s", error.text);
	free(path);
	*state = record;
	return 0;
}

/* Begins with a plan, which it takes over. */
static void live_by(struct record *record, struct world *world, bool running)
{
	const struct collect_sink sink = {.started = take_start,
	                                  .deliver = take_batches,
	                                  .gap = take_gap,
	                                  .context = record};
	struct error error = {""};

	record->plan = &world->plan;
	record->collect = collect_new(&world->plan, record->nursery, 0, 0, &sink, &error);
	assert_non_null(record->collect);
	if (running)
		assert_int_equal(collect_start(record->collect, &error), 0);
}

/* All plans are released: whoever still needs one has to hold it. */
static int end(void **state)
{
	struct record *record = *state;

	collect_free(record->collect);
	assert_int_equal(opened, closed);
	plan_release(record->plan);
	nursery_stop(record->nursery);
	loader_unload(record->library);
	remove_folder(record->folder);
	pthread_mutex_destroy(&record->lock);
	pthread_cond_destroy(&record->changed);
	free(record->heard);
	free(record);
	return 0;
}

struct step {
	struct record *record;
	const struct plan *plan;
};

static void between(void *context)
{
	struct step *step = context;

	step->record->plan = step->plan;
}

static void prepare(struct record *record, struct world *world)
{
	struct error error = {""};

	if (collect_prepare(record->collect, &world->plan, &error) < 0)
		fail_msg("%s", error.text);
}

/* Goes over to what was prepared. */
static void adopt(struct record *record, struct world *world)
{
	const struct plan *old = record->plan;
	struct step step = {record, &world->plan};

	collect_part(record->collect);
	collect_adopt(record->collect, between, &step);
	plan_release(old);
}

static void change(struct record *record, struct world *world)
{
	prepare(record, world);
	adopt(record, world);
}

static void start(struct record *record)
{
	struct error error = {""};

	if (collect_start(record->collect, &error) < 0)
		fail_msg("%s", error.text);
}

/* --- who goes on, and who begins anew ------------------------------------------------------------------------------ */

static void who_goes_on_keeps_his_state_and_his_ticks(void **state)
{
	struct record *record = *state;
	struct world *world = new_world(record->folder);
	struct heard last, heard;
	size_t seen = 0;

	add(world, &alpha, 1, INTERVAL);
	live_by(record, world, true);
	await_sample(record, &seen, "alpha");
	last = await_sample(record, &seen, "alpha");
	for (int i = 0; i < 10; i++) {
		/* In another place each time, beside one that comes and goes. */
		world = new_world(record->folder);
		if (i % 2 == 0)
			add(world, &beta, 1, INTERVAL);
		add(world, &alpha, 1, INTERVAL);
		change(record, world);
		heard = await_sample(record, &seen, "alpha");
		assert_true(heard.value == last.value + 1);
		assert_true(heard.on_tick && heard.tick > last.tick && (heard.tick - last.tick) % INTERVAL == 0);
		/* Not even one is missed; what a sanitizer makes slow may be. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
		assert_true(heard.tick == last.tick + INTERVAL);
#endif
		last = heard;
	}
	assert_int_equal(opened - closed, 1);
	assert_int_equal(opened, 6);
}

static void other_options_begin_anew(void **state)
{
	struct record *record = *state;
	struct world *world = new_world(record->folder);
	struct heard last, heard;
	size_t seen = 0;

	add(world, &alpha, 1, INTERVAL);
	live_by(record, world, true);
	await_sample(record, &seen, "alpha");
	last = await_sample(record, &seen, "alpha");
	world = new_world(record->folder);
	add(world, &alpha, 2, INTERVAL);
	change(record, world);
	do {
		heard = await_sample(record, &seen, "alpha");
		assert_true(heard.on_tick && heard.tick == last.tick + INTERVAL);
		last = heard;
	} while (heard.value > 2);
	/* It was sampled once when it was opened. */
	assert_true(heard.value == 2);
	assert_int_equal(opened, 2);
	assert_int_equal(closed, 1);
}

static void another_interval_has_other_ticks(void **state)
{
	struct record *record = *state;
	struct world *world = new_world(record->folder);
	size_t seen = 0;

	add(world, &alpha, 1, HOUR);
	live_by(record, world, true);
	await_sample(record, &seen, "alpha");
	world = new_world(record->folder);
	add(world, &alpha, 1, INTERVAL);
	change(record, world);
	for (int i = 0; i < 3; i++)
		assert_true(await_sample(record, &seen, "alpha").tick % INTERVAL == 0);
	assert_int_equal(opened, 1);
}

/* --- what does not go well ------------------------------------------------------------------------------------------ */

static void one_that_cannot_be_opened_changes_nothing(void **state)
{
	struct record *record = *state;
	struct world *world = new_world(record->folder);
	struct error error = {""};
	struct heard last;
	size_t seen = 0;

	add(world, &alpha, 1, INTERVAL);
	live_by(record, world, true);
	await_sample(record, &seen, "alpha");
	last = await_sample(record, &seen, "alpha");
	refuses = true;
	world = new_world(record->folder);
	add(world, &alpha, 1, HOUR);
	add(world, &beta, 1, INTERVAL);
	assert_int_equal(collect_prepare(record->collect, &world->plan, &error), -1);
	assert_string_equal(error.text, "plugin \"beta\": does not want to");
	plan_release(&world->plan);
	for (int i = 0; i < 3; i++) {
		struct heard heard = await_sample(record, &seen, "alpha");

		assert_true(heard.value == last.value + 1 && heard.tick == last.tick + INTERVAL);
		last = heard;
	}
	assert_int_equal(opened, 1);
	assert_int_equal(count_of(record, "beta"), 0);
}

static void what_was_prepared_and_not_wanted_is_closed(void **state)
{
	struct record *record = *state;
	struct world *world = new_world(record->folder), *second = new_world(record->folder);

	add(world, &alpha, 1, INTERVAL);
	live_by(record, world, true);
	world = new_world(record->folder);
	add(world, &alpha, 1, INTERVAL);
	add(world, &beta, 1, INTERVAL);
	prepare(record, world);
	plan_release(&world->plan);
	assert_int_equal(opened - closed, 2);
	add(second, &alpha, 1, INTERVAL);
	change(record, second);
	assert_int_equal(opened - closed, 1);
}

/* --- together with /start and /stop ------------------------------------------------------------------------------- */

static void a_stop_in_between_closes_what_was_prepared(void **state)
{
	struct record *record = *state;
	struct world *world = new_world(record->folder);
	size_t seen;

	add(world, &alpha, 1, INTERVAL);
	live_by(record, world, true);
	world = new_world(record->folder);
	add(world, &alpha, 1, INTERVAL);
	add(world, &beta, 1, INTERVAL);
	prepare(record, world);
	collect_stop(record->collect);
	adopt(record, world);
	assert_int_equal(opened, closed);
	seen = record->count;
	start(record);
	assert_int_equal(opened - closed, 2);
	await_sample(record, &seen, "beta");
}

static void a_start_in_between_opens_what_is_new(void **state)
{
	struct record *record = *state;
	struct world *world = new_world(record->folder);
	struct collect_status *status;
	size_t seen = 0;

	add(world, &alpha, 1, INTERVAL);
	live_by(record, world, false);
	world = new_world(record->folder);
	add(world, &alpha, 1, INTERVAL);
	add(world, &beta, 1, HOUR);
	prepare(record, world);
	assert_int_equal(opened, 0);
	start(record);
	adopt(record, world);
	/* At once, not with its first tick. */
	await_sample(record, &seen, "beta");
	await_sample(record, &seen, "alpha");
	status = collect_status(record->collect);
	for (size_t i = 0; i < status->family_count; i++) {
		assert_null(status->families[i].error);
		assert_int_equal(status->families[i].errors, 0);
	}
	free(status);
	assert_int_equal(opened - closed, 2);
}

static void a_change_while_stopped_opens_nothing(void **state)
{
	struct record *record = *state;
	struct world *world = new_world(record->folder);
	size_t seen = 0;

	add(world, &alpha, 1, INTERVAL);
	live_by(record, world, false);
	world = new_world(record->folder);
	add(world, &beta, 1, INTERVAL);
	change(record, world);
	assert_int_equal(opened, 0);
	start(record);
	await_sample(record, &seen, "beta");
	assert_int_equal(count_of(record, "alpha"), 0);
}

/* --- workers ------------------------------------------------------------------------------------------------------- */

/* A question is on its way to a worker that is replaced: the new one answers it. */
static void a_question_on_its_way_is_put_again(void **state)
{
	struct record *record = *state;
	struct world *world = new_world(record->folder);
	char *elsewhere = new_folder("well");
	size_t seen = 0;

	set_mood(record->folder, "hangs");
	add(world, record->moody, 0, HOUR);
	live_by(record, world, true);
	assert_int_equal(count_of(record, "moody"), 0);
	world = new_world(elsewhere);
	add(world, record->moody, 0, HOUR);
	change(record, world);
	assert_true(await_sample(record, &seen, "moody").value == 1);
	remove_folder(elsewhere);
}

/* The same, where the family is sampled in the agent from now on: it does without the answer. */
static void a_family_moves_from_a_worker_into_the_agent_and_back(void **state)
{
	struct record *record = *state;
	struct world *world = new_world(record->folder);
	size_t seen = 0;

	set_mood(record->folder, "hangs");
	add(world, record->moody, 0, HOUR);
	live_by(record, world, true);
	world = new_world(record->folder);
	add(world, &stand_in, 0, INTERVAL);
	change(record, world);
	assert_true(await_sample(record, &seen, "moody").value >= 1);
	set_mood(record->folder, "well");
	world = new_world(record->folder);
	add(world, record->moody, 0, INTERVAL);
	change(record, world);
	seen = record->count;
	await_sample(record, &seen, "moody");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_goes_on_keeps_his_state_and_his_ticks),  TEST(other_options_begin_anew),
		TEST(another_interval_has_other_ticks),           TEST(one_that_cannot_be_opened_changes_nothing),
		TEST(what_was_prepared_and_not_wanted_is_closed), TEST(a_stop_in_between_closes_what_was_prepared),
		TEST(a_start_in_between_opens_what_is_new),       TEST(a_change_while_stopped_opens_nothing),
		TEST(a_question_on_its_way_is_put_again),         TEST(a_family_moves_from_a_worker_into_the_agent_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
