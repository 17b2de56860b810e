/* links: agent/store/layout.c agent/store/rrd.c agent/store/guard.c agent/store/history.c agent/config/plan.c agent/config/share.c agent/config/values.c agent/config/aggregate.c agent/config/collector.c
 * agent/config/options.c agent/base/text.c agent/base/memory.c agent/base/log.c agent/base/clock.c agent/base/error.c
 *
 * What the layout says of a file, beside what librrd makes of it. */
#include <math.h>
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
#include "store/rrd.h"

#define START INT64_C(1700000000) /* s */
#define AT (START * CLOCK_SECOND)
#define DAY INT64_C(86400)

enum { LEVEL, TOTAL, TIME, SHARE, FIELD_COUNT };

static const struct pindrop_field fields[FIELD_COUNT] = {
	[LEVEL] = {"level", PINDROP_GAUGE, "percent", 1, NULL, "…"},
	[TOTAL] = {"a_name_of_19_letter", PINDROP_COUNTER, "bytes", 0, NULL, "…"},
	[TIME] = {"time", PINDROP_COUNTER, "seconds", 0, NULL, "…"},
	[SHARE] = {"share", PINDROP_COUNTER, "percent", 2, NULL, "…"},
};

static const struct plan_tier usual[] = {{1, 6 * 3600}, {60, 14 * DAY}, {3600, 730 * DAY}};
static const struct plan_tier short_ones[] = {{1, 1}, {2, 3}, {7, 8}, {10, 100}};
static const struct plan_tier one_tier[] = {{60, 3600}};

/* A plan of one family; static, as the layout keeps pointers into it. */
static const struct plan *plan_of(int64_t interval, size_t field_count, const struct plan_tier *tiers,
                                  size_t tier_count)
{
	static struct pindrop_family table;
	static struct plan_plugin plugin;
	static struct plan_family family;
	static struct plan plan;

	table = (struct pindrop_family){.name = "a.family", .fields = fields, .field_count = field_count, .instance = "x"};
	plugin = (struct plan_plugin){.interval = interval};
	family = (struct plan_family){&table, &plugin};
	plan = (struct plan){
		.data_dir = "data", .tier_count = tier_count, .tiers = tiers, .family_count = 1, .families = &family};
	return &plan;
}

static char *folder, *path;

static int make_folder(void **state)
{
	(void)state;
	folder = memory_format("%s/pindrop-layout.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (!mkdtemp(folder))
		return -1;
	path = memory_format("%s/x.rrd", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	rmdir(folder);
	free(path);
	free(folder);
	return 0;
}

/* The layout's definitions are these, in order. */
static void defines(int64_t interval, const struct plan_tier *tiers, size_t tier_count, const char *const *definitions)
{
	struct layout layout;
	size_t count = 0;

	layout_begin(&layout, plan_of(interval, FIELD_COUNT, tiers, tier_count), 0);
	for (; definitions[count]; count++) {
		assert_true(count < layout.definition_count);
		assert_string_equal(layout.definitions[count], definitions[count]);
	}
	assert_int_equal(layout.definition_count, count);
	layout_release(&layout);
	assert_int_equal(layout.definition_count, 0);
}

#define DEFINES(interval, tiers, ...) \
	defines(interval, tiers, PINDROP_COUNT(tiers), (const char *const[]){__VA_ARGS__, NULL})

static void each_kind_has_its_type_and_each_tier_its_rows(void **state)
{
	(void)state;
	/* What has fractions is DDERIVE, whole totals are DERIVE; the finest tier needs no extremes. */
	DEFINES(CLOCK_SECOND, usual, "DS:level:GAUGE:3:U:U", "DS:a_name_of_19_letter:DERIVE:3:0:U", "DS:time:DDERIVE:3:0:U",
	        "DS:share:DDERIVE:3:0:U", "RRA:AVERAGE:0.5:1:21600", "RRA:AVERAGE:0.5:60:20160", "RRA:MIN:0.5:60:20160",
	        "RRA:MAX:0.5:60:20160", "RRA:AVERAGE:0.5:3600:17520", "RRA:MIN:0.5:3600:17520", "RRA:MAX:0.5:3600:17520");
	/* 5 s: rows are counted in steps of 5 s. */
	DEFINES(5 * CLOCK_SECOND, usual, "DS:level:GAUGE:11:U:U", "DS:a_name_of_19_letter:DERIVE:11:0:U",
	        "DS:time:DDERIVE:11:0:U", "DS:share:DDERIVE:11:0:U", "RRA:AVERAGE:0.5:1:4320", "RRA:AVERAGE:0.5:12:20160",
	        "RRA:MIN:0.5:12:20160", "RRA:MAX:0.5:12:20160", "RRA:AVERAGE:0.5:720:17520", "RRA:MIN:0.5:720:17520",
	        "RRA:MAX:0.5:720:17520");
	/* 0.2 s: a row is a second all the same, the least that librrd knows. */
	DEFINES(CLOCK_SECOND / 5, one_tier, "DS:level:GAUGE:2:U:U", "DS:a_name_of_19_letter:DERIVE:2:0:U",
	        "DS:time:DDERIVE:2:0:U", "DS:share:DDERIVE:2:0:U", "RRA:AVERAGE:0.5:60:60", "RRA:MIN:0.5:60:60",
	        "RRA:MAX:0.5:60:60");
	/* 90 s: the tiers of a second and of a minute both become 90 s, kept as long as the longer one. */
	DEFINES(90 * CLOCK_SECOND, usual, "DS:level:GAUGE:181:U:U", "DS:a_name_of_19_letter:DERIVE:181:0:U",
	        "DS:time:DDERIVE:181:0:U", "DS:share:DDERIVE:181:0:U", "RRA:AVERAGE:0.5:1:13440",
	        "RRA:AVERAGE:0.5:40:17520", "RRA:MIN:0.5:40:17520", "RRA:MAX:0.5:40:17520");
	/* 7 s: no tier fits; each takes the next multiple, and rows enough for its time. */
	DEFINES(7 * CLOCK_SECOND, one_tier, "DS:level:GAUGE:15:U:U", "DS:a_name_of_19_letter:DERIVE:15:0:U",
	        "DS:time:DDERIVE:15:0:U", "DS:share:DDERIVE:15:0:U", "RRA:AVERAGE:0.5:9:58", "RRA:MIN:0.5:9:58",
	        "RRA:MAX:0.5:9:58");
}

/* One file of this layout is as large as the layout says, and is known again. */
static void makes_what_it_says(int64_t interval, size_t field_count, const struct plan_tier *tiers, size_t tier_count)
{
	const struct plan *plan = plan_of(interval, field_count, tiers, tier_count);
	struct layout layout;
	struct error error = {""};
	struct stat status;
	struct file_facts facts = {0};

	layout_begin(&layout, plan, 0);
	if (file_make(path, &layout, START, &error) < 0)
		fail_msg("%s", error.text);
	assert_int_equal(stat(path, &status), 0);
	if (status.st_size != layout.file_size || store_file_size(plan, 0) != layout.file_size)
		fail_msg("%zu fields every %lld ns in %zu tiers: %lld bytes, not %lld", field_count, (long long)interval,
		         tier_count, (long long)status.st_size, (long long)layout.file_size);
	if (file_inspect(path, &layout, &facts, &error) != FILE_GOOD)
		fail_msg("%s", error.text);
	assert_int_equal(facts.last, START);
	layout_release(&layout);
	assert_int_equal(unlink(path), 0);
}

static void librrd_makes_files_of_that_size(void **state)
{
	static const int64_t milliseconds[] = {100, 200, 500, 1000, 2000, 5000, 7000, 60000, 90000, 3600000, 86400000};

	(void)state;
	for (size_t i = 0; i < PINDROP_COUNT(milliseconds); i++) {
		int64_t interval = milliseconds[i] * CLOCK_MILLISECOND;

		makes_what_it_says(interval, 1, short_ones, PINDROP_COUNT(short_ones));
		makes_what_it_says(interval, FIELD_COUNT, one_tier, PINDROP_COUNT(one_tier));
		makes_what_it_says(interval, 3, usual, PINDROP_COUNT(usual));
	}
}

static void another_layout_is_told(void **state)
{
	struct layout has, wants;
	struct error error = {""};
	struct file_facts facts;

	(void)state;
	layout_begin(&has, plan_of(CLOCK_SECOND, 2, one_tier, 1), 0);
	assert_int_equal(file_inspect(path, &has, &facts, &error), FILE_ABSENT);
	assert_int_equal(file_make(path, &has, START, &error), 0);
	layout_begin(&wants, plan_of(CLOCK_SECOND, 3, one_tier, 1), 0);
	assert_int_equal(file_inspect(path, &wants, &facts, &error), FILE_OTHER);
	assert_non_null(strstr(error.text, "the configuration wants DS:time:DDERIVE:3:0:U"));
	layout_release(&wants);
	layout_begin(&wants, plan_of(CLOCK_SECOND, 2, usual, 3), 0);
	assert_int_equal(file_inspect(path, &wants, &facts, &error), FILE_OTHER);
	layout_release(&wants);
	layout_begin(&wants, plan_of(2 * CLOCK_SECOND, 2, one_tier, 1), 0);
	assert_int_equal(file_inspect(path, &wants, &facts, &error), FILE_OTHER);
	assert_non_null(strstr(error.text, "has a step of 1 s, the configuration wants 2 s"));
	layout_release(&wants);
	layout_release(&has);
}

static void lines_are_as_rrdupdate_takes_them(void **state)
{
	static const struct {
		int64_t tick;
		double values[FIELD_COUNT];
		const char *line;
	} cases[] = {
		{AT, {0.1, 3, 2.5, 0}, "1700000000:0.10000000000000001:3:2.5:0"},
		{AT, {NAN, 7, NAN, 1}, "1700000000:U:7:U:1"},
		/* A DERIVE takes nothing but digits: no fraction, no exponent. */
		{AT, {1e300, 1e18, 1e18, -0.0}, "1700000000:1.0000000000000001e+300:1000000000000000000:1e+18:0"},
		{AT, {-5, 2.75, 1e-9, 9007199254740992.0}, "1700000000:-5:3:1.0000000000000001e-09:9007199254740992"},
		/* A tick between two seconds. */
		{AT + 200 * CLOCK_MILLISECOND, {1, 1, 1, 1}, "1700000000.200000:1:1:1:1"},
	};
	struct layout layout;
	char line[LAYOUT_LINE_SIZE(FIELD_COUNT)];

	(void)state;
	layout_begin(&layout, plan_of(CLOCK_SECOND, FIELD_COUNT, usual, 3), 0);
	for (size_t i = 0; i < PINDROP_COUNT(cases); i++) {
		size_t length = layout_line(&layout, cases[i].tick, cases[i].values, line);

		assert_string_equal(line, cases[i].line);
		assert_int_equal(length, strlen(line));
	}
	layout_line(&layout, AT, NULL, line);
	assert_string_equal(line, "1700000000:U:U:U:U");
	layout_release(&layout);
}

/* No value whatsoever is longer than its room, refused by librrd, or changed on the way. */
static void every_value_comes_back(void **state)
{
	static const double values[] = {0,       0.1,    -1,   1e300, -1e300, 5e-324, -2.2250738585072014e-308,
	                                1.0 / 3, -1e-10, 1e15, 9e15,  1e16,   1e22,   0x1p53,
	                                0x1p64,  NAN};
	struct layout layout;
	struct error error = {""};
	struct store_rows rows = {0};
	char line[LAYOUT_LINE_SIZE(FIELD_COUNT)];
	const char *lines[] = {line};

	(void)state;
	layout_begin(&layout, plan_of(CLOCK_SECOND, FIELD_COUNT, usual, 3), 0);
	assert_int_equal(file_make(path, &layout, START, &error), 0);
	for (size_t i = 0; i < PINDROP_COUNT(values); i++) {
		/* A counter is below zero in no plugin; its room is the same. */
		const double sample[] = {values[i], fabs(values[i]) > 1e22 ? 1e22 : values[i], values[i], values[i]};
		size_t length = layout_line(&layout, (START + 1 + (int64_t)i) * CLOCK_SECOND, sample, line);

		assert_true(length < sizeof(line));
		if (file_update(path, NULL, 1, lines, &error) < 0)
			fail_msg("%s: %s", line, error.text);
	}
	assert_int_equal(file_fetch(path, fields[LEVEL].name, STORE_AVERAGE, START, START + (int64_t)PINDROP_COUNT(values),
	                            1, &rows, &error),
	                 0);
	assert_int_equal(rows.start, START);
	assert_int_equal(rows.count, PINDROP_COUNT(values));
	for (size_t i = 0; i < rows.count; i++)
		if (isnan(values[i]) ? !isnan(rows.values[i]) : fabs(rows.values[i] - values[i]) > 1e-12 * fabs(values[i]))
			fail_msg("%.17g came back as %.17g", values[i], rows.values[i]);
	free(rows.values);
	layout_release(&layout);
}

static void instances_become_names_of_files(void **state)
{
	static const struct {
		const char *instance, *path;
	} cases[] = {
		{"sda", "data/a/family/sda.rrd"},
		{"/", "data/a/family/%2F.rrd"},
		{"/mnt/my disk", "data/a/family/%2Fmnt%2Fmy%20disk.rrd"},
		/* Nothing leads out of the folder, hides, or meets another instance. */
		{".", "data/a/family/%2E.rrd"},
		{"..", "data/a/family/%2E..rrd"},
		{"../../etc/passwd", "data/a/family/%2E.%2F..%2Fetc%2Fpasswd.rrd"},
		{"%2F", "data/a/family/%252F.rrd"},
		{"caf\xe9\n", "data/a/family/caf%E9%0A.rrd"},
		/* A family without instances: a file beside the folder of its neighbours. */
		{"", "data/a/family.rrd"},
	};
	const struct plan *plan = plan_of(CLOCK_SECOND, 1, usual, 3);

	(void)state;
	for (size_t i = 0; i < PINDROP_COUNT(cases); i++) {
		char *name = store_path(plan, 0, cases[i].instance);

		assert_string_equal(name, cases[i].path);
		free(name);
	}
}

#define WITH_FOLDER(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_has_its_type_and_each_tier_its_rows),
		WITH_FOLDER(librrd_makes_files_of_that_size),
		WITH_FOLDER(another_layout_is_told),
		cmocka_unit_test(lines_are_as_rrdupdate_takes_them),
		WITH_FOLDER(every_value_comes_back),
		cmocka_unit_test(instances_become_names_of_files),
	};

	return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
