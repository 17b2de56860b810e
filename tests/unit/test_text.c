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
	static const char *const bad[] = {"",    "s",      "-1", "+1",    " 1",     "1x",    "1sm", "0x10", "inf",
	                                  "nan", "1e308y", "1M", "1.2.3", "10 s s", "1e999", "ms",  "1,5s", "1S"};
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
	} good[] = {{"4096", 4096},  {"64kB", 64000},   {"64KB", 64000},
	            {"500MB", 5e8},  {"1GB", 1e9},      {"2TB", 2e12},
	            {"1KiB", 1024},  {"1MiB", 1048576}, {"1.5GiB", 1610612736.0},
	            {"7B", 7},       {"0", 0},          {"1TiB", 0x1p40},
	            {".5kB", 500},   {"1 GB", 1e9},     {"1e3MB", 1e9},
	            {"1e300", 1e300}};
	static const char *const bad[] = {"",      "B",     "-1GB",  "+1GB",  " 1GB",  "1s",      "1gb",      "1Gb",
	                                  "1G",    "1k",    "0x10",  "0X1p4", "inf",   "nan",     "INFINITY", "1GBB",
	                                  "1,5GB", "1 G B", "1\tGB", "GB",    "1e999", "1e308TB", "--1",      "1..5"};
	double value;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(text_size(good[i].text, &value));
		assert_true(value == good[i].bytes);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		value = 42;
		if (text_size(bad[i], &value))
			fail_msg("\"%s\" is no size", bad[i]);
		assert_true(value == 42);
	}
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
	/* Whole milliseconds, seconds and minutes come back exactly: these are what people write. */
	for (int i = 1; i < 100000; i++) {
		assert_true(text_duration(text_from_duration(i, text), &value) && value == i);
		assert_true(text_duration(text_from_duration(60.0 * i, text), &value) && value == 60.0 * i);
		assert_true(text_duration(text_from_duration(i / 1000.0, text), &value) &&
		            fabs(value - i / 1000.0) < 1e-12 * i);
	}
	/* Anything else nearly, from what is too short to what is too long for any use. */
	for (double seconds = 1e-12; seconds < 1e307; seconds *= 1.37)
		if (!text_duration(text_from_duration(seconds, text), &value) || fabs(value - seconds) > 1e-8 * seconds)
			fail_msg("%.17g was written as \"%s\"", seconds, text);
}

static void writes_sizes_for_people(void **state)
{
	char text[TEXT_AMOUNT_SIZE];

	(void)state;
	assert_string_equal(text_from_size(11850000, text), "11.8 MB");
	assert_string_equal(text_from_size(999, text), "999 B");
	assert_string_equal(text_from_size(1e12, text), "1.0 TB");
}

static void writes_spans_for_people(void **state)
{
	char text[TEXT_AMOUNT_SIZE];

	(void)state;
	assert_string_equal(text_from_span(0.8, text), "0.8 s");
	assert_string_equal(text_from_span(59.94, text), "59.9 s");
	assert_string_equal(text_from_span(59.98, text), "1 min");
	assert_string_equal(text_from_span(3600.02, text), "1 h");
	assert_string_equal(text_from_span(5400, text), "1.5 h");
	assert_string_equal(text_from_span(86400, text), "1 d");
	assert_string_equal(text_from_span(3652 * 86400.0, text), "10 y");
	assert_string_equal(text_from_span(0, text), "0 s");
}

static void assert_encoded(const char *text, const char *expected)
{
	char *encoded = text_percent_encode(text);

	assert_string_equal(encoded, expected);
	free(encoded);
}

static void assert_decoded(const char *text, const char *expected)
{
	char *decoded = text_percent_decode(text);

	assert_string_equal(decoded, expected);
	free(decoded);
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

	/* Each byte alone, in the first place and behind another. */
	for (int i = 1; i < 256; i++) {
		for (int before = 0; before < 2; before++) {
			const char text[] = {'a', (char)i, '\0'};

			encoded = text_percent_encode(text + 1 - before);
			decoded = text_percent_decode(encoded);
			assert_string_equal(decoded, text + 1 - before);
			assert_int_not_equal(encoded[0], '.');
			assert_int_equal(strspn(encoded, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-%"),
			                 strlen(encoded));
			free(decoded);
			free(encoded);
		}
	}
	assert_encoded("/home", "%2Fhome");
	assert_encoded("..", "%2E."); /* not the folder above */
	assert_encoded("a.b-c_D9", "a.b-c_D9");
	assert_encoded("", "");
	assert_decoded("100%", "100%"); /* no code: stays */
	assert_decoded("%", "%");
	assert_decoded("%4", "%4");
	assert_decoded("%zz%41%4z", "%zzA%4z");
	assert_decoded("%2f", "/");
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
	assert_null(text_nearest("", words));
	assert_null(text_nearest("interval", (const char *const[]){NULL}));
	/* The nearest, wherever it stands; of two that are as near the first. */
	assert_string_equal(text_nearest("exclude", (const char *const[]){"excludes", "exclude", NULL}), "exclude");
	assert_string_equal(text_nearest("disc", (const char *const[]){"disk", "dist", NULL}), "disk");
	/* A third of the letters may be wrong, and no more. */
	assert_string_equal(text_nearest("abcxyf", (const char *const[]){"abcdef", NULL}), "abcdef");
	assert_null(text_nearest("abxyzf", (const char *const[]){"abcdef", NULL}));
}

static void numbers_do_not_make_another_line(void **state)
{
	(void)state;
	assert_true(text_same_words("pindrop.lua:14: took 1.25 s", "pindrop.lua:9: took 10 s"));
	assert_true(text_same_words("3 of 4", "12 of 4"));
	assert_true(text_same_words("of 4", "of 44"));
	assert_true(text_same_words("", ""));
	assert_false(text_same_words("boom", "boo"));
	assert_false(text_same_words("boo", "boom"));
	assert_false(text_same_words("boom 1", "bang 1"));
	assert_false(text_same_words("1 boom", "1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_durations),
		cmocka_unit_test(reads_sizes),
		cmocka_unit_test(writes_durations_that_it_reads),
		cmocka_unit_test(writes_sizes_for_people),
		cmocka_unit_test(writes_spans_for_people),
		cmocka_unit_test(encodes_names_of_files),
		cmocka_unit_test(guesses_what_was_meant),
		cmocka_unit_test(numbers_do_not_make_another_line),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
