/* links: agent/collect/host.c agent/metric/batch.c agent/base/memory.c agent/base/error.c */
#include "../../plugins/cpu.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* One hertz: what a column says is seconds. */
static void parse(const char *text, double seconds[FIELDS])
{
	parse_columns(text, 1, seconds);
}

static void columns_are_in_the_kernels_order(void **state)
{
	double seconds[FIELDS];

	(void)state;
	/* Numbers in a row: columns that were swapped would show. */
	parse(" 1 2 3 4 5 6 7 8 9 10\n", seconds);
	for (size_t i = USER; i < FIELDS; i++)
		assert_true(seconds[i] == (double)i);
	assert_true(isnan(seconds[USAGE]));
	parse_columns("100 200", 0.01, seconds);
	assert_true(seconds[USER] == 1 && seconds[NICE] == 2);
}

static void old_kernels_have_fewer(void **state)
{
	double seconds[FIELDS];

	(void)state;
	parse("1 2 3 4\n5 6 7 8 9 10", seconds); /* 2.4; the next line is not this one's */
	assert_true(seconds[IDLE] == 4);
	for (size_t i = IOWAIT; i < FIELDS; i++)
		assert_true(isnan(seconds[i]));
	parse("", seconds);
	assert_true(isnan(seconds[USER]));
	parse("x y", seconds);
	assert_true(isnan(seconds[USER]));
	parse("18446744073709551615 1 2 3", seconds);
	assert_true(seconds[USER] > 1e19 && seconds[IDLE] == 3);
}

static double usage_between(const char *then, const char *now)
{
	double before[FIELDS], after[FIELDS];

	parse(then, before);
	parse(now, after);
	return usage(after, before);
}

static void usage_is_psutils(void **state)
{
	(void)state;
	assert_true(usage_between("0 0 0 0 0 0 0 0 0 0", "30 0 0 70 0 0 0 0 0 0") == 30);
	/* iowait is idle, too; steal is busy. */
	assert_true(usage_between("0 0 0 0 0 0 0 0 0 0", "10 10 10 40 10 5 5 10 0 0") == 50);
	/* Guest time is in user already: counted once. */
	assert_true(usage_between("0 0 0 0 0 0 0 0 0 0", "50 0 0 50 0 0 0 0 50 50") == 50);
	assert_true(usage_between("5 5 5 5 5 5 5 5 5 5", "5 5 5 5 5 5 5 5 5 5") == 0);
	/* What old kernels do not have is no time at all. */
	assert_true(usage_between("0 0 0 0", "25 0 0 75") == 25);
}

static void what_goes_backwards_stands_still(void **state)
{
	(void)state;
	assert_true(usage_between("0 0 0 100 500 0 0 0 0 0", "10 0 0 120 400 0 0 0 0 0") == 100 * 10 / 30.0);
	assert_true(usage_between("100 0 0 100 0 0 0 0 0 0", "90 0 0 110 0 0 0 0 0 0") == 0);
	assert_true(usage_between("9 9 9 9 9 9 9 9 9 9", "0 0 0 0 0 0 0 0 0 0") == 0);
}

static void the_first_sample_has_no_usage(void **state)
{
	struct past past = {false, {0}};
	double row[FIELDS];

	(void)state;
	fill(row, "10 0 0 10 0 0 0 0 0 0", 1, &past);
	assert_true(isnan(row[USAGE]) && row[USER] == 10);
	fill(row, "20 0 0 40 0 0 0 0 0 0", 1, &past);
	assert_true(row[USAGE] == 25);
}

static void a_core_that_was_away_begins_anew(void **state)
{
	struct cpu cpu = {.tick = 1};
	bool present[8] = {[0] = true, [5] = true};

	(void)state;
	past_of(&cpu, 0)->known = true;
	past_of(&cpu, 5)->known = true;
	forget_absent(&cpu, present);
	assert_true(past_of(&cpu, 0)->known && past_of(&cpu, 5)->known);
	present[5] = false;
	forget_absent(&cpu, present);
	assert_true(past_of(&cpu, 0)->known);
	assert_false(past_of(&cpu, 5)->known);
	free(cpu.cores);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_in_the_kernels_order),
		cmocka_unit_test(old_kernels_have_fewer),
		cmocka_unit_test(usage_is_psutils),
		cmocka_unit_test(what_goes_backwards_stands_still),
		cmocka_unit_test(the_first_sample_has_no_usage),
		cmocka_unit_test(a_core_that_was_away_begins_anew),
	};

	return cmocka_run_group_tests_name("cpu", tests, NULL, NULL);
}
