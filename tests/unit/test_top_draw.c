/* links: agent/top/draw.c agent/top/sheet.c agent/top/amount.c agent/top/model.c agent/top/history.c
 *        agent/base/memory.c agent/base/text.c
 *
 * The screens of a recorded agent beside those in tests/fixtures/top:
 *
 *   UPDATE=1 make test TESTS=top_draw    writes them anew; look at `git diff` before you believe them */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "top/amount.h"
#include "top/draw.h"

#include "top_documents.h"

/* The sheet as text, for free(). */
static char *print(const struct sheet *sheet)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	assert_non_null(out);
	sheet_print(sheet, out);
	fclose(out);
	return text;
}

static char *draw_text(const struct model *model, struct look look)
{
	struct sheet sheet;
	char *text;

	draw(model, &look, &sheet);
	text = print(&sheet);
	sheet_release(&sheet);
	return text;
}

static void same_as(const char *name, const char *text)
{
	char *path = memory_format("tests/fixtures/top/%s", name), *golden;

	if (getenv("UPDATE")) {
		FILE *file = fopen(path, "w");

		assert_non_null(file);
		fputs(text, file);
		fclose(file);
	}
	free(path);
	golden = document(name);
	assert_string_equal(text, golden);
	free(golden);
}

static void draws_as_recorded(void **state)
{
	static const struct {
		const char *name;
		int width;
		bool unicode;
	} screens[] = {
		{"screen-40.txt", 40, true},   {"screen-80.txt", 80, true},        {"screen-120.txt", 120, true},
		{"screen-160.txt", 160, true}, {"screen-80-ascii.txt", 80, false},
	};
	struct model *model = recorded();

	(void)state;
	for (size_t i = 0; i < sizeof(screens) / sizeof(screens[0]); i++) {
		char *text = draw_text(model, (struct look){screens[i].width, screens[i].unicode, "mill", NULL});

		same_as(screens[i].name, text);
		free(text);
	}
	model_free(model);
}

/* Cells are counted here, not by the code under test: no line may be wider than the screen. */
static void fits_every_width(void **state)
{
	struct model *model = recorded();

	(void)state;
	for (int width = 1; width <= 300; width++) {
		struct look look = {width, true, "a.host.with.a.long.name.example.org", "No answer."};
		char *text = draw_text(model, look), *rest = text, *line;

		while ((line = strsep(&rest, "\n"))) {
			wchar_t wide[1024];
			size_t count = mbstowcs(wide, line, 1024);

			assert_true(count < 1024);
			if (wcswidth(wide, count) > width)
				fail_msg("wider than %d: %s", width, line);
		}
		free(text);
	}
	model_free(model);
}

/* Nothing that the agent says reaches the terminal as more than printing characters. */
static void lets_no_escape_pass(void **state)
{
	struct model *model = recorded();

	(void)state;
	for (int unicode = 0; unicode < 2; unicode++) {
		char *text = draw_text(model, (struct look){160, unicode, "ho\033[2Jst", "\033c\r\b\x7f gone"}), *c;

		assert_non_null(strstr(text, "/mnt/?]0;evil??31m"));
		assert_non_null(strstr(text, "ho?[2Jst"));
		for (c = text; *c; c++)
			assert_true(*c == '\n' || (unsigned char)*c >= ' ');
		assert_null(strchr(text, 0x7f));
		/* C1 control characters in UTF-8, and U+202E, which turns what follows around. */
		assert_null(strstr(text, "\xc2\x9b"));
		assert_null(strstr(text, "\xe2\x80\xae"));
		free(text);
	}
	model_free(model);
}

/* Only printing text comes out of bytes that are no UTF-8, and overlong forms hide nothing. */
static void reads_broken_text(void **state)
{
	static const struct {
		const char *bytes, *shown;
	} texts[] = {
		{"a\xff"
	     "b",
	     "a\xef\xbf\xbd"
	     "b"},
		{"\xc0\x9b[2J", "\xef\xbf\xbd\xef\xbf\xbd[2J"},
		{"\xe0\x80\x9b[2J", "?[2J"},
		{"\xe6\x97", "\xef\xbf\xbd\xef\xbf\xbd"},
		{"e\xcc\x81", "e"}, /* a mark that combines */
		{"", ""},
	};
	struct sheet sheet;
	char *text;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char *shown = memory_format("%s\n", texts[i].shown);

		sheet_begin(&sheet, 20, true);
		sheet_line(&sheet);
		sheet_left(&sheet, 0, 20, STYLE_PLAIN, texts[i].bytes);
		text = print(&sheet);
		assert_string_equal(text, shown);
		sheet_release(&sheet);
		free(shown);
		free(text);
	}
}

static void cuts_what_does_not_fit(void **state)
{
	static const struct {
		int width;
		const char *text, *shown;
	} texts[] = {
		{5, "abcde", "abcde\n"}, {5, "abcdef", "abcd…\n"}, {1, "ab", "…\n"},     {0, "ab", "\n"},
		{4, "日本", "日本\n"},   {4, "日本語", "日…\n"},   {3, "日本", "日…\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct sheet sheet;
		char *text;

		sheet_begin(&sheet, 20, true);
		sheet_line(&sheet);
		sheet_left(&sheet, 0, texts[i].width, STYLE_PLAIN, texts[i].text);
		text = print(&sheet);
		assert_string_equal(text, texts[i].shown);
		sheet_release(&sheet);
		free(text);
	}
}

static void draws_bars(void **state)
{
	static const struct {
		double percent;
		const char *shown;
		enum style style;
	} bars[] = {
		{0, "··········\n", STYLE_QUIET},
		{0.01, "▏·········\n", STYLE_GRAPH},
		{50, "█████·····\n", STYLE_GRAPH},
		{79.9, "████████··\n", STYLE_GRAPH},
		{80, "████████··\n", STYLE_WARNING},
		{94.9, "█████████▌\n", STYLE_WARNING},
		{95, "█████████▌\n", STYLE_ALARM},
		{100, "██████████\n", STYLE_ALARM},
		{250, "██████████\n", STYLE_ALARM},
		{-5, "··········\n", STYLE_QUIET},
		{NAN, "\n", STYLE_PLAIN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bars) / sizeof(bars[0]); i++) {
		struct sheet sheet;
		char *text;

		sheet_begin(&sheet, 10, true);
		sheet_line(&sheet);
		sheet_bar(&sheet, 0, 10, bars[i].percent);
		text = print(&sheet);
		assert_string_equal(text, bars[i].shown);
		assert_int_equal(sheet_cells(&sheet, 0)[0].style, bars[i].style);
		sheet_release(&sheet);
		free(text);
	}
}

/* A value a minute of the five; the second minute is unknown. */
static void draws_sparklines(void **state)
{
	struct history history;
	struct sheet sheet;
	char *text;

	(void)state;
	history_clear(&history);
	history_add(&history, 1200060, 60, 0);
	history_add(&history, 1200180, 60, 50);
	history_add(&history, 1200240, 60, 100);
	history_add(&history, 1200300, 60, 12.5);
	sheet_begin(&sheet, 10, true);
	sheet_line(&sheet);
	sheet_spark(&sheet, 0, 5, &history, 1200300.5, 100);
	text = print(&sheet);
	assert_string_equal(text, "▁ ▅█▂\n");
	free(text);
	sheet_release(&sheet);
}

static void writes_amounts(void **state)
{
	static const struct {
		double value;
		const char *unit;
		bool rate;
		int decimals;
		const char *text, *bare;
	} amounts[] = {
		{12.345, "percent", false, 3, "12.3 %", "12.3 %"},
		{12.345, "percent", false, 0, "12 %", "12 %"},
		{NAN, "percent", false, 0, "-", "-"},
		{INFINITY, "jobs", true, 0, "-", "-"},
		{1.25e6, "bytes", true, 0, "1.2 MB/s", "1.2 MB/s"},
		{-1.25e6, "bytes", false, 0, "-1.2 MB", "-1.2 MB"},
		{81920, "bytes/s", false, 0, "81.9 kB/s", "81.9 kB/s"},
		{90, "seconds", false, 0, "1.5 min", "1.5 min"},
		{0.254, "seconds", true, 2, "0.25 s/s", "0.25 s/s"},
		{17, "jobs", false, 3, "17 jobs", "17"},
		{17.125, "jobs", false, 3, "17.12 jobs", "17.12"},
		{3.25, "jobs", true, 0, "3.2 jobs/s", "3.2/s"},
		{3, "", true, 0, "3/s", "3/s"},
		{12345678, "", false, 0, "12.35 M", "12.35 M"},
		{-2.5e12, "inodes", false, 0, "-2.5 T inodes", "-2.5 T"},
		{0.125, "a unit that somebody made up and that is longer than all that is reasonable here", false, 2, NULL,
	     "0.12"},
	};
	char text[AMOUNT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(amounts) / sizeof(amounts[0]); i++) {
		amount_write(amounts[i].value, amounts[i].unit, amounts[i].rate, amounts[i].decimals, text);
		if (amounts[i].text)
			assert_string_equal(text, amounts[i].text);
		amount_bare(amounts[i].value, amounts[i].unit, amounts[i].rate, amounts[i].decimals, text);
		assert_string_equal(text, amounts[i].bare);
	}
}

static char *heading(const struct model *model, const char *away)
{
	struct look look = {80, true, "mill", away};
	struct sheet sheet;
	char *text;

	assert_true(draw(model, &look, &sheet) <= sheet.line_count);
	text = print(&sheet);
	sheet_release(&sheet);
	return text;
}

static void says_what_is(void **state)
{
	static const char stopped[] = "{\"time\": 1795600800, \"state\": \"stopped\", \"families\": {}}";
	struct model *model = model_new();
	char *text = heading(model, "No answer from http://x: refused.");

	(void)state;
	assert_string_equal(text, "mill\nNo answer from http://x: refused. Trying again.\n\n");
	free(text);
	assert_true(model_latest(model, stopped, strlen(stopped)));
	text = heading(model, NULL);
	assert_string_equal(text, "mill  stopped  sparklines 5 min                                         10:00:00\n"
	                          "sampling was stopped; POST /start begins it again\n\n");
	free(text);
	model_free(model);
}

static void tells_the_keys(void **state)
{
	struct look look = {80, true, "mill", NULL};
	struct foot foot = {.first = 11, .last = 31, .all = 31};
	struct sheet sheet;
	char *text;

	(void)state;
	draw_foot(&foot, &look, &sheet);
	text = print(&sheet);
	assert_string_equal(text, "11-31 of 31 lines   j k scroll   ? keys\n");
	free(text);
	sheet_release(&sheet);
	foot.help = true;
	draw_foot(&foot, &look, &sheet);
	text = print(&sheet);
	assert_string_equal(text, "q quits   j k ↑ ↓ scroll   PgUp PgDn by pages   g G top, end   ? hides this\n");
	free(text);
	sheet_release(&sheet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(draws_as_recorded),      cmocka_unit_test(fits_every_width),
		cmocka_unit_test(lets_no_escape_pass),    cmocka_unit_test(reads_broken_text),
		cmocka_unit_test(cuts_what_does_not_fit), cmocka_unit_test(draws_bars),
		cmocka_unit_test(draws_sparklines),       cmocka_unit_test(writes_amounts),
		cmocka_unit_test(says_what_is),           cmocka_unit_test(tells_the_keys),
	};

	/* Widths of characters are the locale's; every Debian has this one. */
	setlocale(LC_ALL, "C.UTF-8");
	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
