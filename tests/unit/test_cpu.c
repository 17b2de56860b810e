/* links: agent/collect/host.c agent/metric/batch.c agent/base/memory.c agent/base/error.c */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "collect/host.h"

#include "../../plugins/cpu.c"

#define IS(got, want)                                              \
	do {                                                           \
		double got_ = (got), want_ = (want);                       \
		if (!(fabs(got_ - want_) <= 1e-9))                         \
			fail_msg("%s is %.12g, not %.12g", #got, got_, want_); \
	} while (0)

/* Seconds of a line of /proc/stat at 100 ticks a second. */
static void read_line(const char *columns, double seconds[FIELDS])
{
	parse_columns(columns, 100, seconds);
}

/* The usage between two such lines. */
static double usage_of(const char *before, const char *after)
{
	double then[FIELDS], now[FIELDS];

	read_line(before, then);
	read_line(after, now);
	return usage(now, then);
}

/* --- the columns ------------------------------------------------------------------------------------------------- */

static void columns_are_in_the_order_of_proc_stat(void **state)
{
	double seconds[FIELDS];

	(void)state;
	/* Two spaces, as behind the kernel's "cpu". */
	read_line("  100 200 300 400 500 600 700 800 50 60\ncpu0 1 1 1 1 1 1 1 1 1 1\n", seconds);
	assert_true(isnan(seconds[USAGE]));
	IS(seconds[USER], 1);
	IS(seconds[NICE], 2);
	IS(seconds[SYSTEM], 3);
	IS(seconds[IDLE], 4);
	IS(seconds[IOWAIT], 5);
	IS(seconds[IRQ], 6);
	IS(seconds[SOFTIRQ], 7);
	IS(seconds[STEAL], 8);
	IS(seconds[GUEST], 0.5);
	IS(seconds[GUEST_NICE], 0.6);
}

/* The values of the next line must not become columns of this one. */
static void columns_that_old_kernels_lack_are_unknown(void **state)
{
	/* 2.4; 2.6.0 to 2.6.10; to 2.6.23; to 2.6.32; since 2.6.33. */
	static const size_t counts[] = {4, 7, 8, 9, 10};
	double seconds[FIELDS];
	char line[128];

	(void)state;
	for (size_t i = 0; i < PINDROP_COUNT(counts); i++) {
		size_t length = 0;

		for (size_t column = 0; column < counts[i]; column++)
			length += (size_t)snprintf(line + length, sizeof(line) - length, " %zu", 100 * (column + 1));
		snprintf(line + length, sizeof(line) - length, "\n12345 6 7 8 9 10 11 12\n");
		read_line(line, seconds);
		for (size_t column = 1; column < FIELDS; column++) {
			if (column <= counts[i])
				IS(seconds[column], (double)column);
			else
				assert_true(isnan(seconds[column]));
		}
	}
}

static void a_column_that_is_added_some_day_does_no_harm(void **state)
{
	double seconds[FIELDS];

	(void)state;
	read_line("1 2 3 4 5 6 7 8 9 10 11 12\n", seconds);
	IS(seconds[GUEST_NICE], 0.10);
}

static void text_that_is_broken_ends_the_columns(void **state)
{
	double seconds[FIELDS];

	(void)state;
	read_line("", seconds);
	assert_true(isnan(seconds[USER]) && isnan(seconds[GUEST_NICE]));
	read_line("100 x 300\n", seconds);
	IS(seconds[USER], 1);
	assert_true(isnan(seconds[NICE]) && isnan(seconds[SYSTEM]));
	read_line("100 -200 300\n", seconds);
	assert_true(isnan(seconds[NICE]) && isnan(seconds[SYSTEM]));
}

static void years_of_many_cores_keep_their_ticks(void **state)
{
	double seconds[FIELDS];

	(void)state;
	/* Ten years of 1024 cores do not fit 32 bits. */
	read_line("3229286400001 0 0 3229286400002\n", seconds);
	IS(seconds[USER], 32292864000.01);
	IS(seconds[IDLE], 32292864000.02);
}

/* --- usage ------------------------------------------------------------------------------------------------------- */

static void usage_is_all_but_idle_and_iowait(void **state)
{
	(void)state;
	IS(usage_of("0 0 0 0 0 0 0 0 0 0", "10 20 30 100 40 5 6 9 0 0"), 100.0 * 80 / 220);
	IS(usage_of("0 0 0 0 0 0 0 0 0 0", "0 0 0 60 40 0 0 0 0 0"), 0);
	IS(usage_of("0 0 0 0 0 0 0 0 0 0", "0 0 0 0 0 0 0 100 0 0"), 100);
	IS(usage_of("10 20 30 100 40 5 6 9 0 0", "11 20 30 103 40 5 6 9 0 0"), 25);
}

/* user holds guest, and nice guest_nice: added once more, half would become two thirds. */
static void a_guest_is_counted_once(void **state)
{
	(void)state;
	IS(usage_of("0 0 0 0 0 0 0 0 0 0", "100 0 0 100 0 0 0 0 100 0"), 50);
	IS(usage_of("0 0 0 0 0 0 0 0 0 0", "0 100 0 100 0 0 0 0 0 100"), 50);
}

/* The kernel charges iowait to a core that then wakes elsewhere: it may fall. Taken as a number, the fall would make
 * the total small, or the usage more than 100 or less than 0. */
static void iowait_that_falls_counts_as_standing_still(void **state)
{
	(void)state;
	IS(usage_of("100 0 0 1000 500 0 0 0 0 0", "150 0 0 1050 400 0 0 0 0 0"), 50);
	IS(usage_of("100 0 0 1000 500 0 0 0 0 0", "100 0 0 1100 450 0 0 0 0 0"), 0);
	IS(usage_of("100 0 0 1000 500 0 0 0 0 0", "200 0 0 1000 499 0 0 0 0 0"), 100);
	IS(usage_of("100 0 0 1000 500 0 0 0 0 0", "100 0 0 1000 400 0 0 0 0 0"), 0);
}

static void idle_and_user_that_fall_count_as_standing_still(void **state)
{
	(void)state;
	IS(usage_of("100 0 0 1000 0 0 0 0 0 0", "110 0 0 990 10 0 0 0 0 0"), 50);
	IS(usage_of("100 0 0 1000 0 0 0 0 0 0", "90 0 30 1010 0 0 0 0 0 0"), 75);
}

static void columns_that_are_missing_take_no_part(void **state)
{
	(void)state;
	IS(usage_of("0 0 0 0", "10 10 10 10"), 75);
	IS(usage_of("0 0 0 0 0 0 0", "10 0 0 10 10 10 0"), 50);
}

static void no_time_is_no_usage(void **state)
{
	(void)state;
	IS(usage_of("5 5 5 5 5 5 5 5 5 5", "5 5 5 5 5 5 5 5 5 5"), 0);
}

/* --- sampling ---------------------------------------------------------------------------------------------------- */

enum { ALL, CORES };

/* An open plugin and a root with nothing but proc/stat. */
struct world {
	char root[256], stat[300];
	struct pindrop_host host;
	struct batch rows;
	struct pindrop_batch batch;
	struct error error;
	void *state;
};

static void write_stat(struct world *world, const char *text)
{
	/* Truncated in place: the plugin keeps the file open, as it does /proc/stat. */
	FILE *file = fopen(world->stat, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int open_world(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	const char *folder = getenv("TMPDIR");
	char path[300];
	int length;

	*state = world;
	snprintf(world->root, sizeof(world->root), "%s/cpu.XXXXXX", folder ? folder : "/tmp");
	if (!mkdtemp(world->root))
		return -1;
	snprintf(path, sizeof(path), "%s/proc", world->root);
	length = snprintf(world->stat, sizeof(world->stat), "%s/proc/stat", world->root);
	if (length < 0 || mkdir(path, 0777) != 0)
		return -1;
	world->host.root = world->root;
	world->batch.batch = &world->rows;
	return host_open(&world->host, &pindrop_plugin, NULL, &world->state, &world->error);
}

static int close_world(void **state)
{
	struct world *world = *state;
	char path[300];

	pindrop_plugin.close(world->state);
	batch_release(&world->rows);
	unlink(world->stat);
	snprintf(path, sizeof(path), "%s/proc", world->root);
	rmdir(path);
	rmdir(world->root);
	free(world);
	return 0;
}

static int take(struct world *world, size_t family)
{
	batch_begin(&world->rows, family, FIELDS, 0);
	return host_sample(&world->host, &pindrop_plugin.families[family], world->state, &world->batch, &world->error);
}

/* The usage of a core in the last batch; -1: it has no row. */
static double core_usage(struct world *world, const char *name)
{
	for (size_t i = 0; i < world->rows.row_count; i++)
		if (strcmp(batch_name(&world->rows, i), name) == 0)
			return batch_values(&world->rows, i)[USAGE];
	return -1;
}

static void usage_is_unknown_at_first(void **state)
{
	struct world *world = *state;
	const double *row;

	world->host.root = world->root;
	((struct cpu *)world->state)->hz = 100;
	write_stat(world, "cpu  100 0 0 100 0 0 0 0 0 0\ncpu0 100 0 0 100 0 0 0 0 0 0\nintr 1\n");
	assert_int_equal(take(world, ALL), 0);
	assert_int_equal(world->rows.row_count, 1);
	row = batch_values(&world->rows, 0);
	assert_true(isnan(row[USAGE]));
	IS(row[USER], 1);

	write_stat(world, "cpu  130 0 0 110 0 0 0 0 0 0\ncpu0 130 0 0 110 0 0 0 0 0 0\nintr 1\n");
	assert_int_equal(take(world, ALL), 0);
	row = batch_values(&world->rows, 0);
	IS(row[USAGE], 75);
	IS(row[USER], 1.3);

	/* Of the time since the last sample, not since the first. */
	write_stat(world, "cpu  140 0 0 140 0 0 0 0 0 0\ncpu0 130 0 0 110 0 0 0 0 0 0\nintr 1\n");
	assert_int_equal(take(world, ALL), 0);
	IS(batch_values(&world->rows, 0)[USAGE], 25);
}

static void a_counter_that_falls_is_shown_as_it_is(void **state)
{
	struct world *world = *state;

	((struct cpu *)world->state)->hz = 100;
	write_stat(world, "cpu  100 0 0 100 50 0 0 0 0 0\n");
	assert_int_equal(take(world, ALL), 0);
	write_stat(world, "cpu  150 0 0 150 40 0 0 0 0 0\n");
	assert_int_equal(take(world, ALL), 0);
	IS(batch_values(&world->rows, 0)[IOWAIT], 0.4);
	IS(batch_values(&world->rows, 0)[USAGE], 50);
	/* From where it fell to, it counts again. */
	write_stat(world, "cpu  150 0 0 150 45 0 0 0 0 0\n");
	assert_int_equal(take(world, ALL), 0);
	IS(batch_values(&world->rows, 0)[USAGE], 0);
}

static void each_core_has_a_past_of_its_own(void **state)
{
	struct world *world = *state;

	write_stat(world, "cpu  0 0 0 0\ncpu0 100 0 0 100\ncpu1 0 0 0 100\ncpu10 0 0 0 0\nintr 5\n");
	assert_int_equal(take(world, CORES), 0);
	assert_int_equal(world->rows.row_count, 3);
	assert_string_equal(batch_name(&world->rows, 0), "0");
	assert_string_equal(batch_name(&world->rows, 1), "1");
	assert_string_equal(batch_name(&world->rows, 2), "10");
	assert_true(isnan(core_usage(world, "0")) && isnan(core_usage(world, "10")));
	write_stat(world, "cpu  0 0 0 0\ncpu0 110 0 0 130\ncpu1 9 0 0 101\ncpu10 5 0 0 5\nintr 5\n");
	assert_int_equal(take(world, CORES), 0);
	IS(core_usage(world, "0"), 25);
	IS(core_usage(world, "1"), 90);
	IS(core_usage(world, "10"), 50);
}

/* What a core did before it was switched off says nothing about the last second. */
static void a_core_that_comes_back_is_new(void **state)
{
	struct world *world = *state;

	write_stat(world, "cpu  0\ncpu0 0 0 0 0\ncpu1 100 0 0 0\nintr 0\n");
	assert_int_equal(take(world, CORES), 0);
	write_stat(world, "cpu  0\ncpu0 50 0 0 50\nintr 0\n");
	assert_int_equal(take(world, CORES), 0);
	assert_int_equal(world->rows.row_count, 1);
	IS(core_usage(world, "0"), 50);
	write_stat(world, "cpu  0\ncpu0 60 0 0 50\ncpu1 900 0 0 0\nintr 0\n");
	assert_int_equal(take(world, CORES), 0);
	assert_int_equal(world->rows.row_count, 2);
	IS(core_usage(world, "0"), 100);
	assert_true(isnan(core_usage(world, "1")));
	write_stat(world, "cpu  0\ncpu0 70 0 0 50\ncpu1 910 0 0 30\nintr 0\n");
	assert_int_equal(take(world, CORES), 0);
	IS(core_usage(world, "1"), 25);
}

/* The total and the cores are two families: one must not take the other's time. */
static void the_total_and_the_cores_do_not_disturb_each_other(void **state)
{
	struct world *world = *state;

	write_stat(world, "cpu  0 0 0 0\ncpu0 0 0 0 0\n");
	assert_int_equal(take(world, ALL), 0);
	assert_int_equal(take(world, CORES), 0);
	write_stat(world, "cpu  10 0 0 30\ncpu0 30 0 0 10\n");
	assert_int_equal(take(world, CORES), 0);
	IS(core_usage(world, "0"), 75);
	assert_int_equal(take(world, ALL), 0);
	IS(batch_values(&world->rows, 0)[USAGE], 25);
}

static void a_number_that_no_kernel_has_costs_no_memory(void **state)
{
	struct world *world = *state;

	write_stat(world,
	           "cpu  0\ncpu8191 1 0 0 1\ncpu8192 1 0 0 1\ncpu18446744073709551615 1 0 0 1\ncpux 1 1 1 1\ncpu3 1 0 0 1");
	assert_int_equal(take(world, CORES), 0);
	assert_int_equal(world->rows.row_count, 2);
	assert_string_equal(batch_name(&world->rows, 0), "8191");
	assert_string_equal(batch_name(&world->rows, 1), "3");
	assert_int_equal(((struct cpu *)world->state)->core_count, 8192);
}

/* More than the first read's buffer holds. */
static void many_cores_are_read_whole(void **state)
{
	struct world *world = *state;
	FILE *file = fopen(world->stat, "w");

	assert_non_null(file);
	fprintf(file, "cpu  1 1 1 1\n");
	for (int i = 0; i < 1000; i++)
		fprintf(file, "cpu%d %d 0 0 %d 0 0 0 0 0 0\n", i, 1000000 + i, 2000000 + i);
	fprintf(file, "intr 0\n");
	assert_int_equal(fclose(file), 0);
	((struct cpu *)world->state)->hz = 100;
	assert_int_equal(take(world, CORES), 0);
	assert_int_equal(world->rows.row_count, 1000);
	assert_string_equal(batch_name(&world->rows, 999), "999");
	IS(batch_values(&world->rows, 999)[USER], 10009.99);
	IS(batch_values(&world->rows, 999)[IDLE], 20009.99);
}

static void a_file_that_is_none_is_told(void **state)
{
	struct world *world = *state;

	assert_int_equal(take(world, ALL), -1);
	assert_non_null(strstr(world->error.text, "proc/stat: No such file"));
	assert_int_equal(take(world, CORES), -1);
	assert_non_null(strstr(world->error.text, "proc/stat: No such file"));
	write_stat(world, "");
	assert_int_equal(take(world, ALL), -1);
	assert_non_null(strstr(world->error.text, "does not begin with \"cpu\""));
	write_stat(world, "cpu0 1 2 3 4\n");
	assert_int_equal(take(world, ALL), -1);
	write_stat(world, "cpu  1 2 3 4\n");
	assert_int_equal(take(world, ALL), 0);
}

int main(void)
{
#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_in_the_order_of_proc_stat),
		cmocka_unit_test(columns_that_old_kernels_lack_are_unknown),
		cmocka_unit_test(a_column_that_is_added_some_day_does_no_harm),
		cmocka_unit_test(text_that_is_broken_ends_the_columns),
		cmocka_unit_test(years_of_many_cores_keep_their_ticks),
		cmocka_unit_test(usage_is_all_but_idle_and_iowait),
		cmocka_unit_test(a_guest_is_counted_once),
		cmocka_unit_test(iowait_that_falls_counts_as_standing_still),
		cmocka_unit_test(idle_and_user_that_fall_count_as_standing_still),
		cmocka_unit_test(columns_that_are_missing_take_no_part),
		cmocka_unit_test(no_time_is_no_usage),
		IN_A_WORLD(usage_is_unknown_at_first),
		IN_A_WORLD(a_counter_that_falls_is_shown_as_it_is),
		IN_A_WORLD(each_core_has_a_past_of_its_own),
		IN_A_WORLD(a_core_that_comes_back_is_new),
		IN_A_WORLD(the_total_and_the_cores_do_not_disturb_each_other),
		IN_A_WORLD(a_number_that_no_kernel_has_costs_no_memory),
		IN_A_WORLD(many_cores_are_read_whole),
		IN_A_WORLD(a_file_that_is_none_is_told),
	};

	return cmocka_run_group_tests_name("cpu", tests, NULL, NULL);
}
