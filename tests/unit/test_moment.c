/* links: agent/base/moment.c agent/base/text.c agent/base/memory.c agent/base/clock.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/moment.h"

#define S CLOCK_SECOND

/* 2026-11-25 10:00:03 in Berlin, which is an hour ahead of UTC then. */
#define NOON INT64_C(1795597203)
#define NOW (NOON * S + 250 * CLOCK_MILLISECOND)

static int live_in(const char *zone)
{
	setenv("TZ", zone, 1);
	tzset();
	return 0;
}

/* By rule, so that no zone data need be installed. */
static int live_in_berlin(void **state)
{
	(void)state;
	return live_in("CET-1CEST,M3.5.0,M10.5.0/3");
}

struct known {
	const char *text;
	int64_t time; /* ns */
};

static void assert_known(const struct known *known, size_t count, int64_t now)
{
	for (size_t i = 0; i < count; i++) {
		int64_t time = -42;

		if (!moment_read(known[i].text, now, &time))
			fail_msg("\"%s\" was not understood", known[i].text);
		if (time != known[i].time)
			fail_msg("\"%s\" was read as %lld, not %lld", known[i].text, (long long)time, (long long)known[i].time);
	}
}

static void reads_times(void **state)
{
	static const struct known known[] = {
		{"now", NOW},
		{"-6h", NOW - 6 * 3600 * S},
		{"-0", NOW},
		{"-90", NOW - 90 * S},
		{"-100ms", NOW - 100 * CLOCK_MILLISECOND},
		{"now-1d", NOW - 86400 * S},
		{"-56y", NOW - INT64_C(56) * 365 * 86400 * S},
		{"-1000y", 0}, /* before 1970 there is nothing */
		{"0", 0},
		{"1795597203", NOON * S},
		{"1795597203.25", NOON * S + 250 * CLOCK_MILLISECOND},
		{"1795597203.000000001", NOON * S + 1},
		{"1795597203.0000000019", NOON * S + 1},
		{"9000000000", INT64_C(9000000000) * S},
		{"2026-11-25 10:00:03", NOON * S},
		{"2026-11-25T10:00:03", NOON * S},
		{"2026-11-25 10:00:03.5", NOON * S + S / 2},
		{"2026-11-25 10:00", NOON * S - 3 * S},
		{"2026-11-25", (NOON - 3 - 36000) * S},
		{"2026-11-25T09:00:03Z", NOON * S},
		{"2026-11-25t09:00:03.25z", NOW},
		{"2026-11-25 09:00:03Z", NOON * S},
		{"2026-11-25T14:30:03+05:30", NOON * S},
		{"2026-11-25T14:30:03 05:30", NOON * S}, /* an unescaped + in an address */
		{"2026-11-25T14:30:03+0530", NOON * S},
		{"2026-11-25T04:00:03-05", NOON * S},
		{"2026-07-01 12:00", INT64_C(1782900000) * S},
		{"2028-02-29 00:00:00Z", INT64_C(1835395200) * S},
		{"10:00:03", NOON * S},
		{"10:00:03.25", NOW},
		{"10:00", NOON * S - 3 * S},
		{"9:59", NOON * S - 63 * S},
		{"10:00:03.5", NOON * S + S / 2 - 86400 * S}, /* has not been today */
		{"23:50", (NOON - 3 - 36000 - 600) * S},
	};

	(void)state;
	assert_known(known, sizeof(known) / sizeof(known[0]), NOW);
}

static void refuses_what_is_no_time(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"-",
		"--6h",
		"+6h",
		"-6x",
		"now ",
		"Now",
		"now+6h",
		"now-",
		"now-now",
		"6h",
		"yesterday",
		"1e9",
		"0x10",
		"inf",
		"nan",
		"-nan",
		"1795597203 ",
		" 1795597203",
		"1795597203.",
		".5",
		".",
		"1.2.3",
		"1795597203s",
		/* too far: milliseconds taken for seconds */
		"1795597203250",
		"9000000001",
		"99999999999999999999999999",
		"2251-01-01",
		"9999-12-31",
		"1969-12-31",
		"0000-00-00",
		"1970-01-01 00:30", /* in Berlin that is 1969 */
		"2026-02-29",
		"2026-13-01",
		"2026-00-10",
		"2026-01-00",
		"2026-11-31 10:00",
		"2026-11-25 24:00",
		"2026-11-25 10:60",
		"2026-11-25 10:00:60",
		"2026-11-25 10",
		"2026-11-25 ",
		"2026-11-25T",
		"2026-11-25 10:",
		"2026-11-25 10:00:",
		"2026-11-25 10:00:03.",
		"2026-11-25 10:00:03x",
		"2026-11-25 10:00:03+",
		"2026-11-25 10:00:03+1",
		"2026-11-25 10:00:03+24:00",
		"2026-11-25 10:00:03+01:60",
		"2026-11-25 10:00:03+01:00x",
		"2026-11-25 10:00:03ZZ",
		"2026-1-25",
		"26-11-25",
		"2026/11/25",
		"20261125T100003Z",
		"25.11.2026",
		"24:00",
		"10:60",
		"10:00:60",
		"10:",
		"1:2",
		"10:00:03Z",
		"100:00",
		":00",
		"-10:00",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t time = 42;

		if (moment_read(bad[i], NOW, &time))
			fail_msg("\"%s\" is no time, and was read as %lld", bad[i], (long long)time);
		assert_int_equal(time, 42);
	}
}

static void knows_when_the_clock_is_changed(void **state)
{
	int64_t time;

	(void)state;
	/* 2026-03-29: from 2:00 to 3:00. */
	assert_false(moment_read("2026-03-29 02:30", NOW, &time));
	assert_known((const struct known[]){{"2026-03-29 01:59:59", INT64_C(1774745999) * S},
	                                    {"2026-03-29 03:00", INT64_C(1774746000) * S}},
	             2, NOW);
	/* 2026-10-25: from 3:00 back to 2:00; the first 2:30 is meant. */
	assert_known((const struct known[]){{"2026-10-25 01:59", INT64_C(1792886340) * S},
	                                    {"2026-10-25 02:30", INT64_C(1792888200) * S},
	                                    {"2026-10-25 02:30:00+01:00", INT64_C(1792891800) * S},
	                                    {"2026-10-25 03:00", INT64_C(1792893600) * S}},
	             4, NOW);
	assert_known((const struct known[]){{"2026-12-24 12:00", INT64_C(1798110000) * S},
	                                    {"2026-10-25 02:30", INT64_C(1792888200) * S}},
	             2, NOW); /* whatever was read before */
	/* Asked on the day after 23 and 25 hours. */
	assert_known((const struct known[]){{"12:00", INT64_C(1774695600) * S}}, 1, INT64_C(1774746000) * S);
	assert_known((const struct known[]){{"02:30", INT64_C(1774661400) * S}}, 1, INT64_C(1774746000) * S);
	assert_known((const struct known[]){{"12:00", INT64_C(1792836000) * S}}, 1, INT64_C(1792893600) * S);
}

static void a_month_has_a_day_before_its_first(void **state)
{
	(void)state;
	live_in("UTC0");
	/* 2028-03-01 00:10 */
	assert_known((const struct known[]){{"23:50", INT64_C(1835481000) * S}, {"00:10", INT64_C(1835482200) * S}}, 2,
	             INT64_C(1835482200) * S);
	live_in_berlin(state);
}

static void a_day_may_begin_an_hour_late(void **state)
{
	(void)state;
	/* As in Brazil: on 2026-10-18 (UTC-3) midnight is followed by 1:00. Asked at 0:30 on the day after. */
	live_in("<-03>3<-02>,M10.3.0/0,M2.3.0/0");
	assert_known((const struct known[]){{"12:00", INT64_C(1792332000) * S}, {"01:00", INT64_C(1792292400) * S}}, 2,
	             INT64_C(1792377000) * S);
	live_in_berlin(state);
}

static void reads_what_it_writes(void **state)
{
	static const char *const zones[] = {"CET-1CEST,M3.5.0,M10.5.0/3", "UTC0", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"};
	char text[MOMENT_TEXT_SIZE];
	int64_t back;

	for (size_t i = 0; i < 3; i++) {
		live_in(zones[i]);
		for (int64_t time = 86400 * S; time < INT64_C(8700000000) * S; time += INT64_C(7654321) * S + 123456789) {
			assert_true(moment_read(moment_write(time, text), NOW, &back));
			/* In the hour that comes twice it may be the other one. */
			assert_true(back == time - time % CLOCK_MILLISECOND || back == time - time % CLOCK_MILLISECOND - 3600 * S ||
			            back == time - time % CLOCK_MILLISECOND - 1800 * S);
		}
	}
	live_in_berlin(state);
	assert_string_equal(moment_write(NOW, text), "2026-11-25 10:00:03.250");
	assert_string_equal(moment_write(NOON * S, text), "2026-11-25 10:00:03");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(reads_times, live_in_berlin),
		cmocka_unit_test_setup(refuses_what_is_no_time, live_in_berlin),
		cmocka_unit_test_setup(knows_when_the_clock_is_changed, live_in_berlin),
		cmocka_unit_test_setup(a_month_has_a_day_before_its_first, live_in_berlin),
		cmocka_unit_test_setup(a_day_may_begin_an_hour_late, live_in_berlin),
		cmocka_unit_test_setup(reads_what_it_writes, live_in_berlin),
	};

	return cmocka_run_group_tests_name("moment", tests, NULL, NULL);
}
