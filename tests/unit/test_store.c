/* links: agent/store/store.c agent/store/change.c agent/store/series.c agent/store/intake.c agent/store/journal.c agent/store/record.c
 * agent/store/recover.c agent/store/folder.c agent/store/aside.c agent/store/adapt.c agent/store/orphan.c agent/store/ledger.c agent/metric/gap.c agent/store/timeline.c agent/store/relay.c agent/store/daemon.c agent/store/move.c agent/store/migrate.c agent/store/room.c agent/store/purge.c agent/store/survey.c agent/store/rrd.c agent/store/guard.c
 * agent/store/history.c agent/store/layout.c
 * agent/store/write_behind.c agent/config/plan.c agent/config/share.c
 * agent/config/values.c agent/config/aggregate.c agent/config/collector.c agent/config/options.c agent/metric/batch.c agent/base/text.c
 * agent/base/memory.c agent/base/log.c agent/base/boot.c agent/base/clock.c agent/base/error.c
 *
 * The store with the real librrd, in a folder of its own. Time is made up: ticks from BEGIN on. */
#include <ftw.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
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
#include "store/layout.h"
#include "store/ledger.h"
#include "store/store.h"

static const struct pindrop_field fields[] = {
	{"level", PINDROP_GAUGE, "percent", 1, NULL, "…"},
	{"bytes", PINDROP_COUNTER, "bytes", 0, NULL, "…"},
	{"time", PINDROP_COUNTER, "seconds", 2, NULL, "…"},
};
static const struct pindrop_family tables[] = {
	{.name = "one", .fields = fields, .field_count = 3},
	{.name = "many.of", .fields = fields, .field_count = 3, .instance = "letter"},
};
static struct plan_plugin plugin = {.interval = CLOCK_SECOND};
static const struct plan_family families[] = {{&tables[0], &plugin}, {&tables[1], &plugin}};
static const struct plan_tier tiers[] = {{1, 600}, {10, 6000}};
static struct plan plan = {.flush = 3600 * CLOCK_SECOND,
                           .purge_after = 30 * 86400,
                           .purge_max_size = 1000000000,
                           .journal_size = 4 << 20,
                           .tier_count = 2,
                           .tiers = tiers,
                           .family_count = 2,
                           .families = families};

static const struct instance alone = {.name = ""}, slash = {.name = "/", .index = 0},
							 home = {.name = "/home", .index = 1};

static int64_t begin; /* s: some minutes ago, so that all lies within the finest tier */

static int make_folder(void **state)
{
	char *folder = memory_format("%s/pindrop-store.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");

	*state = folder;
	begin = clock_wall() / CLOCK_SECOND / 10 * 10 - 300;
	plan.data_dir = mkdtemp(folder);
	plugin.interval = CLOCK_SECOND;
	return plan.data_dir ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *place)
{
	(void)status, (void)flag, (void)place;
	return remove(path);
}

static int remove_folder(void **state)
{
	nftw(*state, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(*state);
	return 0;
}

static struct store *open_store(void)
{
	struct error error = {""};
	struct store *store = store_open(&plan, NULL, &error);

	if (!store)
		fail_msg("%s", error.text);
	return store;
}

static void append_at(struct store *store, size_t family, const struct instance *instance, int64_t tick, double level,
                      double bytes, double time)
{
	struct batch batch = {0};
	double *values;

	batch_begin(&batch, family, 3, 0);
	values = batch_add(&batch, instance->name, NULL);
	values[0] = level;
	values[1] = bytes;
	values[2] = time;
	batch.rows[0].instance = (struct instance *)instance;
	batch.tick = tick;
	batch.on_tick = true;
	store_append(store, &(struct batch *){&batch}, 1);
	batch_release(&batch);
}

static void append(struct store *store, size_t family, const struct instance *instance, int64_t second, double level,
                   double bytes, double time)
{
	append_at(store, family, instance, second * CLOCK_SECOND, level, bytes, time);
}

/* The row of the finest tier that ended at `second`; NaN: unknown. */
static double row(struct store *store, size_t family, const char *instance, size_t field, int64_t second)
{
	struct store_rows rows;
	struct error error = {""};
	double value = NAN;

	if (store_fetch(store, family, instance, field, STORE_AVERAGE, second - 1, second, &rows, &error) < 0)
		fail_msg("%s", error.text);
	assert_int_equal(rows.step, 1);
	if (rows.count == 1) {
		assert_int_equal(rows.start, second - 1);
		value = rows.values[0];
	}
	free(rows.values);
	return value;
}

static bool is_near(double a, double b)
{
	return fabs(a - b) <= 1e-12 * fabs(b);
}

static void a_row_is_the_sample_itself(void **state)
{
	struct store *store = open_store();

	(void)state;
	for (int i = 0; i < 20; i++)
		append(store, 0, &alone, begin + i, 0.1 + i / 3.0, 1000.0 * i, 0.25 * i);
	/* Fetching writes what waits: nothing was flushed yet. */
	for (int i = 0; i < 20; i++)
		assert_true(is_near(row(store, 0, "", 0, begin + i), 0.1 + i / 3.0));
	assert_true(isnan(row(store, 0, "", 0, begin - 1))); /* the first is not said of the time before it */
	/* Counters come as a rate, from the second sample on. */
	assert_true(isnan(row(store, 0, "", 1, begin)));
	assert_true(is_near(row(store, 0, "", 1, begin + 7), 1000));
	assert_true(is_near(row(store, 0, "", 2, begin + 7), 0.25));
	store_close(store);
}

static void unknown_stays_unknown(void **state)
{
	struct store *store = open_store();

	(void)state;
	append(store, 0, &alone, begin, 1, 5, 1);
	append(store, 0, &alone, begin + 1, NAN, NAN, 1);
	append(store, 0, &alone, begin + 2, 3, 7, 1);
	assert_true(isnan(row(store, 0, "", 0, begin + 1)));
	assert_true(row(store, 0, "", 0, begin + 2) == 3);
	store_close(store);
}

static void the_first_sample_after_a_gap_is_known(void **state)
{
	struct store *store = open_store();

	(void)state;
	append(store, 0, &alone, begin, 1, 0, 0);
	append(store, 0, &alone, begin + 60, 2, 1e9, 0);
	append(store, 0, &alone, begin + 61, 3, 1e9 + 5, 0);
	assert_true(row(store, 0, "", 0, begin) == 1);
	assert_true(isnan(row(store, 0, "", 0, begin + 30)));
	assert_true(row(store, 0, "", 0, begin + 60) == 2);
	/* What was counted in the gap is no rate of that second. */
	assert_true(isnan(row(store, 0, "", 1, begin + 60)));
	assert_true(is_near(row(store, 0, "", 1, begin + 61), 5));
	store_close(store);
}

static void a_reset_counter_makes_no_spike(void **state)
{
	struct store *store = open_store();

	(void)state;
	append(store, 0, &alone, begin, 1, 5000, 9.5);
	append(store, 0, &alone, begin + 1, 1, 5100, 9.6);
	append(store, 0, &alone, begin + 2, 1, 10, 0.1);
	append(store, 0, &alone, begin + 3, 1, 20, 0.2);
	assert_true(is_near(row(store, 0, "", 1, begin + 1), 100));
	assert_true(isnan(row(store, 0, "", 1, begin + 2)));
	assert_true(isnan(row(store, 0, "", 2, begin + 2)));
	assert_true(is_near(row(store, 0, "", 1, begin + 3), 10));
	store_close(store);
}

static void survives_a_restart(void **state)
{
	struct store *store = open_store();
	struct store_status status;

	(void)state;
	append(store, 0, &alone, begin, 1, 0, 0);
	store_close(store);
	store = open_store();
	append(store, 0, &alone, begin + 1, 2, 0, 0);
	store_flush(store);
	store_status(store, &status);
	assert_int_equal(status.written, 1);
	assert_int_equal(status.files, 1);
	assert_int_equal(status.buffered, 0);
	assert_true(row(store, 0, "", 0, begin) == 1 && row(store, 0, "", 0, begin + 1) == 2);
	store_close(store);
}

static void instances_have_a_file_each(void **state)
{
	struct store *store = open_store();
	char *path = store_path(&plan, 1, "/home");
	struct stat status;

	(void)state;
	append(store, 1, &slash, begin, 1, 0, 0);
	append(store, 1, &home, begin, 2, 0, 0);
	assert_true(row(store, 1, "/", 0, begin) == 1);
	assert_true(row(store, 1, "/home", 0, begin) == 2);
	assert_true(isnan(row(store, 1, "/nothing", 0, begin))); /* no file, no rows, no error */
	assert_non_null(strstr(path, "/many/of/%2Fhome.rrd"));
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_size, store_file_size(&plan, 1));
	free(path);
	store_close(store);
}

static void long_names_have_files_too(void **state)
{
	char name[400] = "", other[400] = "";
	struct instance one = {.name = name, .index = 0}, two = {.name = other, .index = 1};
	struct store *store = open_store();

	(void)state;
	memset(name, '/', sizeof(name) - 1);
	memset(other, '/', sizeof(other) - 1);
	other[398] = 'x'; /* they differ behind what a file's name can hold */
	append(store, 1, &one, begin, 1, 0, 0);
	append(store, 1, &two, begin, 2, 0, 0);
	assert_true(row(store, 1, name, 0, begin) == 1);
	assert_true(row(store, 1, other, 0, begin) == 2);
	store_close(store);
}

static void coarser_tiers_keep_extremes(void **state)
{
	struct store *store = open_store();
	struct store_rows rows;
	struct error error;

	(void)state;
	begin = begin / 10 * 10;
	for (int i = 1; i <= 40; i++)
		append(store, 0, &alone, begin + i, i == 15 ? 100 : 1, 0, 0);
	/* In the finest tier a row is one sample, its own maximum. */
	assert_int_equal(store_fetch(store, 0, "", 0, STORE_MAX, begin + 10, begin + 20, &rows, &error), 0);
	assert_int_equal(rows.step, 1);
	assert_int_equal(rows.count, 10);
	assert_true(rows.values[3] == 1 && rows.values[4] == 100);
	free(rows.values);
	/* The next is asked for what reaches back further. */
	assert_int_equal(store_fetch(store, 0, "", 0, STORE_MAX, begin - 600, begin + 40, &rows, &error), 0);
	assert_int_equal(rows.step, 10);
	assert_int_equal(rows.start, begin - 600);
	assert_int_equal(rows.count, 64);
	assert_true(isnan(rows.values[59]));
	assert_true(rows.values[60] == 1 && rows.values[61] == 100 && rows.values[62] == 1);
	free(rows.values);
	assert_int_equal(store_fetch(store, 0, "", 0, STORE_AVERAGE, begin - 600, begin + 40, &rows, &error), 0);
	assert_true(is_near(rows.values[61], 10.9));
	free(rows.values);
	store_close(store);
}

static void a_small_step_back_is_waited_for(void **state)
{
	struct store *store = open_store();
	struct store_status status;

	(void)state;
	append(store, 0, &alone, begin + 10, 1, 0, 0);
	store_flush(store);
	append(store, 0, &alone, begin + 8, 2, 0, 0); /* within the heartbeat */
	append(store, 0, &alone, begin + 11, 3, 0, 0);
	store_flush(store);
	store_status(store, &status);
	assert_int_equal(status.dropped, 1);
	assert_int_equal(status.written, 2);
	assert_int_equal(status.errors, 0);
	assert_true(row(store, 0, "", 0, begin + 11) == 3);
	store_close(store);
}

/* The same among samples that wait together. */
static void a_small_step_back_in_memory_is_waited_for(void **state)
{
	static const int ticks[] = {10, 11, 12, 10, 11, 12, 13};
	struct store *store = open_store();
	struct store_status status;

	(void)state;
	for (size_t i = 0; i < sizeof(ticks) / sizeof(ticks[0]); i++)
		append(store, 0, &alone, begin + ticks[i], (double)i, 0, 0);
	store_flush(store);
	store_status(store, &status);
	assert_int_equal(status.written, 4);
	assert_int_equal(status.dropped, 3);
	assert_int_equal(status.buffered, 0);
	assert_true(row(store, 0, "", 0, begin + 12) == 2); /* of two of one time the first counts */
	assert_true(row(store, 0, "", 0, begin + 13) == 6);
	store_close(store);
}

/* A file knows its last update in whole seconds. A sample that lies before it, but in the same second, must not keep
 * what follows from being written. */
static void several_samples_a_second_survive_a_clock_set_back(void **state)
{
	struct store *store;
	struct store_status status;

	(void)state;
	plugin.interval = CLOCK_SECOND / 5;
	store = open_store();
	append_at(store, 0, &alone, begin * CLOCK_SECOND + 800 * CLOCK_MILLISECOND, 1, 0, 0);
	store_close(store);
	store = open_store();
	append_at(store, 0, &alone, begin * CLOCK_SECOND + 400 * CLOCK_MILLISECOND, 2, 0, 0);
	for (int i = 5; i <= 10; i++)
		append_at(store, 0, &alone, begin * CLOCK_SECOND + 200 * i * CLOCK_MILLISECOND, 3, 0, 0);
	store_flush(store);
	store_status(store, &status);
	assert_string_equal(status.error, "");
	assert_int_equal(status.buffered, 0);
	assert_true(is_near(row(store, 0, "", 0, begin + 2), 3));
	store_close(store);
}

static void several_samples_a_second_share_a_row(void **state)
{
	struct store *store;

	(void)state;
	plugin.interval = CLOCK_SECOND / 5;
	store = open_store();
	for (int i = 1; i <= 10; i++)
		append_at(store, 0, &alone, begin * CLOCK_SECOND + 200 * i * CLOCK_MILLISECOND, i, 10.0 * i, 0);
	/* Of 6, 7, 8, 9, 10; librrd keeps the time in microseconds, and a little goes astray there. */
	assert_true(fabs(row(store, 0, "", 0, begin + 2) - 8) < 1e-5);
	assert_true(fabs(row(store, 0, "", 1, begin + 2) - 50) < 1e-4);
	store_close(store);
}

/* What is left of a second after a gap is no zero. */
static void a_gap_ends_within_a_second(void **state)
{
	struct store *store;

	(void)state;
	plugin.interval = CLOCK_SECOND / 5;
	store = open_store();
	for (int i = 1; i <= 8; i++)
		append_at(store, 0, &alone, begin * CLOCK_SECOND + 200 * i * CLOCK_MILLISECOND, 100, 0, 0);
	for (int i = 52; i <= 60; i++)
		append_at(store, 0, &alone, begin * CLOCK_SECOND + 200 * i * CLOCK_MILLISECOND, 50, 0, 0);
	assert_true(fabs(row(store, 0, "", 0, begin + 1) - 100) < 1e-3);
	assert_true(fabs(row(store, 0, "", 0, begin + 2) - 100) < 1e-3);
	assert_true(isnan(row(store, 0, "", 0, begin + 3)) && isnan(row(store, 0, "", 0, begin + 10)));
	assert_true(fabs(row(store, 0, "", 0, begin + 11) - 50) < 1e-3);
	assert_true(fabs(row(store, 0, "", 0, begin + 12) - 50) < 1e-3);
	store_close(store);
}

static void a_row_of_five_seconds_is_the_sample_too(void **state)
{
	struct store *store;
	struct store_rows rows;
	struct error error = {""};

	(void)state;
	plugin.interval = 5 * CLOCK_SECOND;
	store = open_store();
	append(store, 0, &alone, begin, 1, 0, 0);
	append(store, 0, &alone, begin + 5, 2.5, 100, 0);
	append(store, 0, &alone, begin + 60, 3.5, 1000, 0); /* after a gap */
	append(store, 0, &alone, begin + 65, 4.5, 1050, 0);
	assert_int_equal(store_fetch(store, 0, "", 0, STORE_AVERAGE, begin - 5, begin + 65, &rows, &error), 0);
	assert_int_equal(rows.step, 5);
	assert_int_equal(rows.start, begin - 5);
	assert_int_equal(rows.count, 14);
	assert_true(rows.values[0] == 1 && rows.values[1] == 2.5);
	for (size_t i = 2; i < 12; i++)
		assert_true(isnan(rows.values[i]));
	assert_true(rows.values[12] == 3.5 && rows.values[13] == 4.5);
	free(rows.values);
	assert_int_equal(store_fetch(store, 0, "", 1, STORE_AVERAGE, begin, begin + 65, &rows, &error), 0);
	assert_true(is_near(rows.values[0], 20) && isnan(rows.values[11]) && is_near(rows.values[12], 10));
	free(rows.values);
	store_close(store);
}

/* Someone removes the files of an agent that runs. */
static void a_removed_file_is_made_anew(void **state)
{
	char *path = store_path(&plan, 0, "");
	struct store *store = open_store();
	struct store_status status;

	(void)state;
	append(store, 0, &alone, begin, 1, 0, 0);
	store_flush(store);
	assert_int_equal(remove(path), 0);
	append(store, 0, &alone, begin + 1, 2, 0, 0);
	store_flush(store);
	store_status(store, &status);
	assert_int_equal(status.buffered, 1);
	assert_non_null(strstr(status.error, path));
	append(store, 0, &alone, begin + 2, 3, 0, 0);
	store_flush(store);
	store_status(store, &status);
	assert_int_equal(status.buffered + status.dropped, 0);
	assert_string_equal(status.error, "");
	assert_int_equal(status.files, 1);
	assert_true(row(store, 0, "", 0, begin + 1) == 2 && row(store, 0, "", 0, begin + 2) == 3);
	free(path);
	store_close(store);
}

static void *append_many(void *store)
{
	for (int i = 0; i < 3000; i++) {
		append(store, 0, &alone, begin - 3000 + i, i, i, i);
		append(store, 1, i % 2 ? &slash : &home, begin - 3000 + i, i, i, i);
	}
	return NULL;
}

/* Samples come while files are written and read. */
static void nothing_is_lost_between_threads(void **state)
{
	struct store *store = open_store();
	struct store_status status;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, append_many, store), 0);
	for (int i = 0; i < 20; i++) {
		store_flush(store);
		row(store, 1, "/", 0, begin - 1);
		store_status(store, &status);
		assert_true(status.written + status.buffered <= 6000);
	}
	pthread_join(thread, NULL);
	store_flush(store);
	store_status(store, &status);
	assert_int_equal(status.written, 6000);
	assert_int_equal(status.buffered + status.dropped, 0);
	for (int i = 2990; i < 3000; i++)
		assert_true(row(store, 0, "", 0, begin - 3000 + i) == i);
	store_close(store);
}

static void a_folder_that_cannot_be_is_told(void **state)
{
	char *file = memory_format("%s/file", plan.data_dir);
	FILE *made = fopen(file, "w");
	struct error error = {""};

	(void)state;
	assert_non_null(made);
	fclose(made);
	plan.data_dir = file;
	assert_null(store_open(&plan, NULL, &error));
	assert_non_null(strstr(error.text, file));
	assert_non_null(strstr(error.text, "data_dir"));
	free(file);
}

/* A regular file stands where the folder of the family should be. */
static void what_cannot_be_written_waits(void **state)
{
	char *blocker = memory_format("%s/many", plan.data_dir);
	struct store *store = open_store();
	struct store_status status;
	FILE *file = fopen(blocker, "w");

	(void)state;
	assert_non_null(file);
	fclose(file);
	append(store, 1, &slash, begin, 1, 0, 0);
	append(store, 0, &alone, begin, 7, 0, 0);
	store_flush(store);
	store_status(store, &status);
	assert_int_equal(status.buffered, 1);
	assert_int_equal(status.last_written, 1); /* the other file costs nothing */
	assert_non_null(strstr(status.error, "many"));
	append(store, 1, &slash, begin + 1, 2, 0, 0);
	remove(blocker);
	store_flush(store);
	store_status(store, &status);
	assert_int_equal(status.buffered, 0);
	assert_int_equal(status.dropped, 0);
	assert_string_equal(status.error, "");
	assert_true(row(store, 1, "/", 0, begin) == 1 && row(store, 1, "/", 0, begin + 1) == 2);
	free(blocker);
	store_close(store);
}

static void memory_is_bounded(void **state)
{
	const struct ledger_query all = {.from = INT64_MIN, .to = INT64_MAX};
	struct store *store = open_store();
	struct store_status status;
	struct gap *gaps;
	size_t count;

	(void)state;
	for (int i = 0; i < 5000; i++)
		append(store, 0, &alone, begin + i, i, 0, 0);
	store_settle(store);
	store_status(store, &status);
	assert_int_equal(status.buffered, 3600);
	assert_int_equal(status.dropped, 1400);
	/* Which they were is in the ledger. */
	gaps = ledger_find(store_ledger(store), &all, &count);
	assert_int_equal(count, 1);
	assert_int_equal(gaps[0].reason, GAP_DISK_FULL);
	assert_int_equal(gaps[0].from, (begin - 1) * CLOCK_SECOND);
	assert_int_equal(gaps[0].to, (begin + 1399) * CLOCK_SECOND);
	free(gaps);
	store_close(store);
}

static int count_aside(const char *word)
{
	char *command = memory_format("ls '%s' | grep -c 'one.rrd.%s-'", plan.data_dir, word);
	FILE *pipe = popen(command, "r");
	int count = 0;

	assert_int_equal(fscanf(pipe, "%d", &count), 1);
	pclose(pipe);
	free(command);
	return count;
}

static void other_files_are_set_aside(void **state)
{
	char *path = store_path(&plan, 0, "");
	struct store *store = open_store();
	struct store_rows rows;
	struct error error = {""};
	FILE *file;

	(void)state;
	append(store, 0, &alone, begin, 1, 0, 0);
	store_close(store);
	plugin.interval = 5 * CLOCK_SECOND;
	store = open_store();
	append(store, 0, &alone, begin + 5, 2, 0, 0);
	store_flush(store);
	assert_int_equal(count_aside("replaced"), 1);
	store_close(store);

	file = fopen(path, "w");
	fputs("garbage", file);
	fclose(file);
	store = open_store();
	assert_int_equal(store_fetch(store, 0, "", 0, STORE_AVERAGE, begin, begin + 9, &rows, &error), -1);
	assert_non_null(strstr(error.text, "one.rrd"));
	append(store, 0, &alone, begin + 10, 3, 0, 0);
	store_flush(store);
	assert_int_equal(count_aside("damaged"), 1);
	store_close(store);
	free(path);
}

static void one_folder_has_one_agent(void **state)
{
	struct store *store = open_store();
	struct error error = {""};

	(void)state;
	assert_null(store_open(&plan, NULL, &error));
	assert_non_null(strstr(error.text, "another pindrop"));
	store_close(store);
	store_close(open_store());
}

static void layouts_follow_the_interval(void **state)
{
	struct layout layout;
	char line[LAYOUT_LINE_SIZE(3)];
	const double values[] = {0.1, 3, 2.5}, unknown[] = {NAN, NAN, NAN};

	(void)state;
	layout_begin(&layout, &plan, 0);
	assert_string_equal(layout.definitions[0], "DS:level:GAUGE:3:U:U");
	assert_string_equal(layout.definitions[1], "DS:bytes:DERIVE:3:0:U");
	assert_string_equal(layout.definitions[2], "DS:time:DDERIVE:3:0:U");
	assert_string_equal(layout.definitions[3], "RRA:AVERAGE:0.5:1:600");
	assert_string_equal(layout.definitions[6], "RRA:MAX:0.5:10:600");
	assert_int_equal(layout.definition_count, 7);
	layout_line(&layout, 1000 * CLOCK_SECOND, values, line);
	assert_string_equal(line, "1000:0.10000000000000001:3:2.5");
	layout_line(&layout, 1000 * CLOCK_SECOND + 200 * CLOCK_MILLISECOND, unknown, line);
	assert_string_equal(line, "1000.200000:U:U:U");
	layout_release(&layout);

	/* A minute: both tiers are finer, and fall together in the longer. */
	plugin.interval = 60 * CLOCK_SECOND;
	layout_begin(&layout, &plan, 0);
	assert_string_equal(layout.definitions[0], "DS:level:GAUGE:121:U:U");
	assert_string_equal(layout.definitions[3], "RRA:AVERAGE:0.5:1:100");
	assert_int_equal(layout.definition_count, 4);
	layout_release(&layout);

	plugin.interval = CLOCK_SECOND / 5;
	layout_begin(&layout, &plan, 0);
	assert_int_equal(layout.step, 1);
	assert_int_equal(layout.heartbeat, 2);
	layout_release(&layout);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_row_is_the_sample_itself),
		TEST(unknown_stays_unknown),
		TEST(the_first_sample_after_a_gap_is_known),
		TEST(a_reset_counter_makes_no_spike),
		TEST(survives_a_restart),
		TEST(instances_have_a_file_each),
		TEST(long_names_have_files_too),
		TEST(coarser_tiers_keep_extremes),
		TEST(a_small_step_back_is_waited_for),
		TEST(a_small_step_back_in_memory_is_waited_for),
		TEST(several_samples_a_second_survive_a_clock_set_back),
		TEST(several_samples_a_second_share_a_row),
		TEST(a_gap_ends_within_a_second),
		TEST(a_row_of_five_seconds_is_the_sample_too),
		TEST(a_removed_file_is_made_anew),
		TEST(nothing_is_lost_between_threads),
		TEST(a_folder_that_cannot_be_is_told),
		TEST(what_cannot_be_written_waits),
		TEST(memory_is_bounded),
		TEST(other_files_are_set_aside),
		TEST(one_folder_has_one_agent),
		TEST(layouts_follow_the_interval),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
