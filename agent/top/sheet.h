/* top/sheet.h: lines of cells, as many as it takes, and how text, bars and sparklines come into them.
 *
 * Pure. It is the one way of a text to the terminal: a character that would do something there (an escape sequence in
 * the name of a mount point) stands as "?". What does not fit its column is cut, and that is seen. */
#ifndef TOP_SHEET_H
#define TOP_SHEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <wchar.h>

#include "top/history.h"

enum style {
	STYLE_PLAIN,
	STYLE_TITLE, /* bold */
	STYLE_QUIET, /* labels, units, what says nothing new */
	STYLE_GRAPH, /* bars and sparklines */
	STYLE_WARNING,
	STYLE_ALARM,
	STYLES
};

struct cell {
	wchar_t glyph; /* 0: the right half of the one before */
	enum style style;
};

struct sheet {
	int width;
	bool unicode;      /* blocks may be drawn, letters beyond ASCII written */
	size_t line_count; /* lines of `width` cells each */
	size_t room;       /* for so many lines */
	struct cell *cells;
};

void sheet_begin(struct sheet *sheet, int width, bool unicode); /* empty; the width is at least 1 */
void sheet_release(struct sheet *sheet);

/* One more line, all blanks; its number. */
size_t sheet_line(struct sheet *sheet);
const struct cell *sheet_cells(const struct sheet *sheet, size_t line);

/* All of these write to `width` cells from `column` of the last line, or to as many of them as there are.
 *     sheet_left     returns the column after the text
 *     sheet_right    to the right edge
 *     sheet_bar      0 … 100; from 80 a warning, from 95 an alarm. NaN: unknown, nothing
 *     sheet_spark    the last minutes until `time`: the lowest block is 0, the full one `high` */
int sheet_left(struct sheet *sheet, int column, int width, enum style style, const char *text);
void sheet_right(struct sheet *sheet, int column, int width, enum style style, const char *text);
void sheet_bar(struct sheet *sheet, int column, int width, double percent);
void sheet_spark(struct sheet *sheet, int column, int width, const struct history *history, double time, double high);

/* How many cells a text takes. */
int sheet_width(const char *text);

/* The style of a percentage, where PLAIN is the usual one. */
enum style sheet_level(double percent, enum style usual);

/* All lines as text without styles, blanks at their ends left out. */
void sheet_print(const struct sheet *sheet, FILE *out);

#endif
