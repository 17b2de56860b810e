/* links: agent/store/store.c agent/store/series.c agent/store/intake.c agent/store/journal.c agent/store/record.c
 * agent/store/recover.c agent/store/folder.c agent/store/aside.c agent/store/adapt.c agent/store/orphan.c agent/store/ledger.c agent/metric/gap.c agent/store/timeline.c agent/store/relay.c agent/store/daemon.c agent/store/move.c
 * agent/store/migrate.c agent/store/room.c agent/store/purge.c agent/store/survey.c agent/store/rrd.c agent/store/guard.c
 * agent/store/history.c agent/store/layout.c agent/store/write_behind.c agent/config/plan.c agent/config/share.c agent/config/values.c
 * agent/config/aggregate.c agent/config/collector.c agent/config/options.c agent/metric/batch.c agent/base/text.c agent/base/memory.c
 * agent/base/log.c agent/base/boot.c agent/base/clock.c agent/base/error.c
 *
 * Clocks that are set, and what becomes of a file. Time is made up: the ticks of the samples are the clock. */
#include <glob.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "store/rrd.h"
#include "store/store.h"

#define NOW INT64_C(1795600000)
#define HOUR 3600
#define YEAR (365 * 86400)

static const struct pindrop_field fields[] = {{"level", PINDROP_GAUGE, "percent", 1, NULL, "…"}};
static const struct pindrop_family table = {.name = "one", .fields = fields, .field_count = 1};
static struct plan_plugin plugin = {.interval = CLOCK_SECOND};
static const struct plan_family families[] = {{&table, &plugin}};
static const struct plan_tier tiers[] = {{1, 2 * HOUR}, {60, 100 * HOUR}};
static struct plan plan;
static char *path;

static int make_folder(void **state)
{
	char *folder = memory_format("%s/pindrop-timeline.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");

	assert_non_null(mkdtemp(folder));
	plan = (struct plan){.data_dir = folder,
	                     .flush = 3600 * CLOCK_SECOND,
	                     .journal_size = 1 << 20,
	                     .purge_after = 30 * 86400,
	                     .purge_max_size = 1000000000,
	                     .tier_count = 2,
	                     .tiers = tiers,
	                     .family_count = 1,
	                     .families = families};
	path = store_path(&plan, 0, "");
	*state = folder;
	return 0;
}

static int remove_folder(void **state)
{
	char *command = memory_format("rm -rf '%s'", (char *)*state);
	int failed = system(command);

	free(command);
	free(path);
	free(*state);
	return failed;
}

static struct store *open_store(void)
{
	struct error error = {""};
	struct store *store = store_open(&plan, NULL, &error);

	if (!store)
		fail_msg("%s", error.text);
	return store;
}

static double level(int64_t second)
{
	return (double)(second % 1009);
}

/* Samples of [from, to). */
static void append(struct store *store, int64_t from, int64_t to)
{
	struct batch batch = {0};

	for (int64_t second = from; second < to; second++) {
		batch_begin(&batch, 0, 1, 0);
		*batch_add(&batch, NULL, NULL) = level(second);
		batch.tick = second * CLOCK_SECOND;
		batch.on_tick = true;
		batch.fresh = second == from;
		store_append(store, &(struct batch *){&batch}, 1);
	}
	batch_release(&batch);
}

static void append_and_flush(struct store *store, int64_t from, int64_t to)
{
	struct store_status status;

	append(store, from, to);
	store_flush(store);
	store_status(store, &status);
	assert_string_equal(status.error, "");
	assert_int_equal(status.buffered, 0);
}

/* Of the rows of [from, to) in a file: how many are known. One that is wrong fails. */
static size_t count_known(const char *file, int64_t from, int64_t to)
{
	struct store_rows rows = {0};
	struct error error = {""};
	size_t known = 0;

	if (file_fetch(file, fields[0].name, STORE_AVERAGE, from - 1, to - 1, 1, &rows, &error) < 0)
		fail_msg("%s", error.text);
	for (size_t i = 0; i < rows.count && rows.step == 1; i++) {
		int64_t time = rows.start + 1 + (int64_t)i;

		known += !isnan(rows.values[i]);
		if (!isnan(rows.values[i]) && rows.values[i] != level(time))
			fail_msg("%s: the row of %+lld s is %g", file, (long long)(time - NOW), rows.values[i]);
	}
	free(rows.values);
	return known;
}

/* The one file that was set aside for a reason, for free(); NULL: there is none. */
static char *aside(const char *why)
{
	char *pattern = memory_format("%s.%s-*", path, why), *found = NULL;
	glob_t all;

	if (glob(pattern, 0, NULL, &all) == 0) {
		assert_int_equal(all.gl_pathc, 1);
		found = memory_text(all.gl_pathv[0]);
		globfree(&all);
	}
	free(pattern);
	return found;
}

static void nothing_aside(const char *why)
{
	char *found = aside(why);

	if (found)
		fail_msg("there is %s", found);
}

static void an_hour_back_keeps_what_is_older(void **state)
{
	struct store *store = open_store();
	char *future;

	(void)state;
	append_and_flush(store, NOW - HOUR - 100, NOW - HOUR);
	append_and_flush(store, NOW, NOW + 100);
	/* The clock was an hour fast. */
	append_and_flush(store, NOW - HOUR + 50, NOW - HOUR + 150);
	assert_int_equal(count_known(path, NOW - HOUR - 100, NOW - HOUR), 100);
	assert_int_equal(count_known(path, NOW - HOUR, NOW - HOUR + 50), 0);
	assert_int_equal(count_known(path, NOW - HOUR + 50, NOW - HOUR + 150), 100);
	future = aside("future");
	assert_non_null(future);
	assert_int_equal(count_known(future, NOW, NOW + 100), 100);
	free(future);
	/* And it goes on. */
	append_and_flush(store, NOW - HOUR + 150, NOW - HOUR + 250);
	assert_int_equal(count_known(path, NOW - HOUR + 50, NOW - HOUR + 250), 200);
	store_close(store);
}

/* The samples of all times wait together. */
static void a_step_back_in_memory_is_the_same(void **state)
{
	struct store *store = open_store();
	char *future;

	(void)state;
	append(store, NOW - HOUR - 100, NOW - HOUR);
	append(store, NOW, NOW + 100);
	append_and_flush(store, NOW - HOUR + 50, NOW - HOUR + 150);
	assert_int_equal(count_known(path, NOW - HOUR - 100, NOW - HOUR), 100);
	assert_int_equal(count_known(path, NOW - HOUR + 50, NOW - HOUR + 150), 100);
	future = aside("future");
	assert_non_null(future);
	assert_int_equal(count_known(future, NOW, NOW + 100), 100);
	free(future);
	store_close(store);
}

static void a_step_forward_invents_nothing(void **state)
{
	struct store *store = open_store();

	(void)state;
	append_and_flush(store, NOW, NOW + 50);
	append_and_flush(store, NOW + 52, NOW + 100); /* two seconds: within the heartbeat, but the clock was set */
	append_and_flush(store, NOW + HOUR, NOW + HOUR + 100);
	assert_int_equal(count_known(path, NOW, NOW + 50), 50);
	assert_int_equal(count_known(path, NOW + 50, NOW + 52), 0);
	assert_int_equal(count_known(path, NOW + 52, NOW + 100), 48);
	assert_int_equal(count_known(path, NOW + 100, NOW + HOUR), 0);
	assert_int_equal(count_known(path, NOW + HOUR, NOW + HOUR + 100), 100);
	nothing_aside("before");
	nothing_aside("future");
	store_close(store);
}

/* Ten years ahead, which would leave nothing of what was there, and back. */
static void back_from_far_in_the_future(void **state)
{
	struct store *store = open_store();
	char *before, *future;

	(void)state;
	append_and_flush(store, NOW, NOW + 100);
	append_and_flush(store, NOW + 10 * YEAR, NOW + 10 * YEAR + 100);
	assert_int_equal(count_known(path, NOW + 10 * YEAR, NOW + 10 * YEAR + 100), 100);
	before = aside("before");
	assert_non_null(before);
	assert_int_equal(count_known(before, NOW, NOW + 100), 100);
	free(before);
	append_and_flush(store, NOW + 200, NOW + 300);
	assert_int_equal(count_known(path, NOW, NOW + 100), 100);
	assert_int_equal(count_known(path, NOW + 200, NOW + 300), 100);
	nothing_aside("before");
	future = aside("future");
	assert_non_null(future);
	assert_int_equal(count_known(future, NOW + 10 * YEAR, NOW + 10 * YEAR + 100), 100);
	free(future);
	store_close(store);
}

/* It begins in 1970 after each start, and hears the time from the network. */
static void a_board_without_a_battery(void **state)
{
	struct store *store = open_store();

	(void)state;
	append_and_flush(store, NOW, NOW + 100);
	store_close(store);
	for (int i = 1; i <= 2; i++) {
		store = open_store();
		append_and_flush(store, 1000 * i, 1000 * i + 20);
		assert_int_equal(count_known(path, 1000 * i, 1000 * i + 20), 20);
		append_and_flush(store, NOW + 200 * i, NOW + 200 * i + 100);
		store_close(store);
		assert_int_equal(count_known(path, NOW, NOW + 100), 100);
		assert_int_equal(count_known(path, NOW + 200, NOW + 200 * i + 100), 100 * i);
		nothing_aside("future");
	}
}

static void live(bool flush)
{
	struct store *store = open_store();

	append_and_flush(store, NOW - HOUR - 100, NOW - HOUR);
	append(store, NOW, NOW + 100);
	append(store, NOW - HOUR + 50, NOW - HOUR + 150);
	if (flush)
		store_flush(store);
	else
		store_settle(store);
	append(store, NOW - HOUR + 150, NOW - HOUR + 200);
	store_settle(store);
	_exit(0); /* as by a kill */
}

/* A kill after the file was cut, or before: everything is there once. */
static void a_kill_around_the_step(void **state)
{
	(void)state;
	for (int flush = 0; flush < 2; flush++) {
		pid_t child = fork();
		char *future, *command;
		int status;

		if (child == 0)
			live(flush);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
		store_close(open_store());
		store_close(open_store());
		assert_int_equal(count_known(path, NOW - HOUR - 100, NOW - HOUR), 100);
		assert_int_equal(count_known(path, NOW - HOUR + 50, NOW - HOUR + 200), 150);
		future = aside("future");
		assert_non_null(future);
		assert_int_equal(count_known(future, NOW, NOW + 100), 100);
		free(future);
		command = memory_format("rm -rf '%s'/.journal '%s'*", plan.data_dir, path);
		assert_int_equal(system(command), 0);
		free(command);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_kill_around_the_step),
		TEST(an_hour_back_keeps_what_is_older),
		TEST(a_step_back_in_memory_is_the_same),
		TEST(a_step_forward_invents_nothing),
		TEST(back_from_far_in_the_future),
		TEST(a_board_without_a_battery),
	};

	return cmocka_run_group_tests_name("timeline", tests, NULL, NULL);
}
