/* links: agent/base/text.c agent/base/memory.c */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

static void reads_durations(void **state)
{
	static const struct {
		const char *text;
		double seconds;
	} good[] = {{"10", 10},   {"0.5", 0.5}, {".5", 0.5},     {"100ms", 0.1},   {"10s", 10},
	            {"5m", 300},  {"1h", 3600}, {"7d", 604800},  {"2y", 63072000}, {"1.5h", 5400},
	            {"5 m", 300}, {"0", 0},     {"1e3s", 1000.0}};
	static const char *const bad[] = {"",    "s",  "-1",    "+1",     " 1",    "1x", "1sm",  "0x10", "inf",
	                                  "nan", "1M", "1.2.3", "10 s s", "1e999", "ms", "1,5s", "1S"};
	double value;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(text_duration(good[i].text, &value));
		assert_true(fabs(value - good[i].seconds) < 1e-9);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		value = 42;
		if (text_duration(bad[i], &value))
			fail_msg("\"%s\" is no duration", bad[i]);
		assert_true(value == 42);
	}
}

static void reads_sizes(void **state)
{
	static const struct {
		const char *text;
		double bytes;
	} good[] = {{"4096", 4096}, {"64kB", 64000}, {"64KB", 64000},   {"500MB", 5e8},           {"1GB", 1e9},
	            {"2TB", 2e12},  {"1KiB", 1024},  {"1MiB", 1048576}, {"1.5GiB", 1610612736.0}, {"7B", 7}};
	double value;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(text_size(good[i].text, &value));
		assert_true(value == good[i].bytes);
	}
	assert_false(text_size("1s", &value));
	assert_false(text_size("-1GB", &value));
	assert_false(text_size("1gb", &value));
}

static void writes_durations_that_it_reads(void **state)
{
	static const struct {
		double seconds;
		const char *text;
	} known[] = {{90, "90s"},   {3600, "1h"},    {0.1, "100ms"},  {86400, "1d"}, {1209600, "14d"}, {63072000, "2y"},
	             {5400, "90m"}, {0.25, "250ms"}, {1.5, "1500ms"}, {0, "0s"},     {21600, "6h"}};
	char text[TEXT_AMOUNT_SIZE];
	double value;

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		assert_string_equal(text_from_duration(known[i].seconds, text), known[i].text);
	for (double seconds = 0.001; seconds < 1e8; seconds *= 1.37) {
		assert_true(text_duration(text_from_duration(seconds, text), &value));
		assert_true(fabs(value - seconds) <= 1e-8 * seconds);
	}
}

static void writes_sizes_for_people(void **state)
{
	char text[TEXT_AMOUNT_SIZE];

	(void)state;
	assert_string_equal(text_from_size(11850000, text), "11.8 MB");
	assert_string_equal(text_from_size(999, text), "999 B");
	assert_string_equal(text_from_size(1e12, text), "1.0 TB");
}

static void encodes_names_of_files(void **state)
{
	char all[256], *encoded, *decoded;

	(void)state;
	for (int i = 1; i < 256; i++)
		all[i - 1] = (char)i;
	all[255] = '\0';
	encoded = text_percent_encode(all);
	decoded = text_percent_decode(encoded);
	assert_string_equal(decoded, all);
	assert_null(strchr(encoded, '/'));
	free(decoded);
	free(encoded);

	encoded = text_percent_encode("/home");
	assert_string_equal(encoded, "%2Fhome");
	free(encoded);
	encoded = text_percent_encode("..");
	assert_string_equal(encoded, "%2E."); /* not the folder above */
	free(encoded);
	decoded = text_percent_decode("100%");
	assert_string_equal(decoded, "100%");
	free(decoded);
}

static void guesses_what_was_meant(void **state)
{
	static const char *const words[] = {"interval", "exclude", "cpu", NULL};

	(void)state;
	assert_string_equal(text_nearest("exlude", words), "exclude");
	assert_string_equal(text_nearest("intervall", words), "interval");
	assert_string_equal(text_nearest("pcu", words), "cpu"); /* two neighbours swapped are one mistake */
	assert_null(text_nearest("retention", words));
	assert_null(text_nearest("x", words));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_durations),
		cmocka_unit_test(reads_sizes),
		cmocka_unit_test(writes_durations_that_it_reads),
		cmocka_unit_test(writes_sizes_for_people),
		cmocka_unit_test(encodes_names_of_files),
		cmocka_unit_test(guesses_what_was_meant),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
