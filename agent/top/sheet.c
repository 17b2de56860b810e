#include "top/sheet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define LEVELS 8 /* of a block: eighths */

void sheet_begin(struct sheet *sheet, int width, bool unicode)
{
	*sheet = (struct sheet){.width = width > 0 ? width : 1, .unicode = unicode};
}

void sheet_release(struct sheet *sheet)
{
	free(sheet->cells);
	*sheet = (struct sheet){0};
}

size_t sheet_line(struct sheet *sheet)
{
	size_t width = (size_t)sheet->width, line = sheet->line_count++;

	if (line == sheet->room) {
		sheet->room = 2 * sheet->room + 32;
		sheet->cells = memory_resize(sheet->cells, sheet->room * width, sizeof(struct cell));
	}
	for (size_t i = 0; i < width; i++)
		sheet->cells[line * width + i] = (struct cell){L' ', STYLE_PLAIN};
	return line;
}

const struct cell *sheet_cells(const struct sheet *sheet, size_t line)
{
	return sheet->cells + line * (size_t)sheet->width;
}

/* What is outside of the sheet is nowhere. */
static void set(struct sheet *sheet, int column, wchar_t glyph, enum style style)
{
	if (column >= 0 && column < sheet->width && sheet->line_count > 0)
		sheet->cells[(sheet->line_count - 1) * (size_t)sheet->width + (size_t)column] = (struct cell){glyph, style};
}

/* --- text --------------------------------------------------------------------------------------------------- */

/* Takes the first character off a text in UTF-8 (RFC 3629): 0 at its end, U+FFFD for a byte that is none. */
static wchar_t next(const char **text)
{
	const unsigned char *bytes = (const unsigned char *)*text;
	int more = bytes[0] < 0x80   ? 0
	           : bytes[0] < 0xc2 ? -1
	           : bytes[0] < 0xe0 ? 1
	           : bytes[0] < 0xf0 ? 2
	           : bytes[0] < 0xf5 ? 3
	                             : -1;
	wchar_t value = bytes[0];

	if (bytes[0] == 0)
		return 0;
	if (more > 0)
		value = bytes[0] & (0x3f >> more);
	for (int i = 1; i <= more; i++) {
		if ((bytes[i] & 0xc0) != 0x80) {
			more = -1;
			break;
		}
		value = (value << 6) | (bytes[i] & 0x3f);
	}
	*text += more > 0 ? more + 1 : 1;
	return more < 0 ? 0xfffd : value;
}

/* What may stand for a character on the screen, and how many cells it takes. What takes none (a mark that combines, or
 * turns the direction of the line) is left out, what is no printing character is "?". */
static int show(const struct sheet *sheet, wchar_t value, wchar_t *glyph)
{
	int width = value < 0x80 ? (value >= ' ' && value != 0x7f ? 1 : -1) : sheet->unicode ? wcwidth(value) : -1;

	*glyph = width < 0 ? L'?' : value;
	return width < 0 ? 1 : width;
}

static int measure(const struct sheet *sheet, const char *text)
{
	wchar_t value, glyph;
	int width = 0;

	while ((value = next(&text)))
		width += show(sheet, value, &glyph);
	return width;
}

int sheet_width(const char *text)
{
	return measure(&(struct sheet){.unicode = true}, text);
}

int sheet_left(struct sheet *sheet, int column, int width, enum style style, const char *text)
{
	int end = column + width < sheet->width ? column + width : sheet->width, taken;
	bool cut = measure(sheet, text) > end - column;
	wchar_t value, glyph;

	while ((value = next(&text)) && column < end) {
		taken = show(sheet, value, &glyph);
		if (column + taken > end - (cut ? 1 : 0))
			break;
		for (int i = 0; i < taken; i++)
			set(sheet, column + i, i ? 0 : glyph, style);
		column += taken;
	}
	if (cut && column < end)
		set(sheet, column++, sheet->unicode ? L'…' : L'~', style);
	return column;
}

void sheet_right(struct sheet *sheet, int column, int width, enum style style, const char *text)
{
	int needed = measure(sheet, text);

	sheet_left(sheet, needed < width ? column + width - needed : column, width, style, text);
}

/* --- pictures ----------------------------------------------------------------------------------------------- */

enum style sheet_level(double percent, enum style usual)
{
	return percent >= 95 ? STYLE_ALARM : percent >= 80 ? STYLE_WARNING : usual;
}

void sheet_bar(struct sheet *sheet, int column, int width, double percent)
{
	static const wchar_t parts[LEVELS] = L" ▏▎▍▌▋▊▉";
	enum style style = sheet_level(percent, STYLE_GRAPH);
	int eighths;

	if (isnan(percent) || width <= 0)
		return;
	eighths = (int)lround(fmin(fmax(percent, 0), 100) / 100 * width * LEVELS);
	/* Something is not nothing. */
	if (percent > 0 && eighths == 0)
		eighths = 1;
	for (int i = 0; i < width; i++) {
		int here = eighths - i * LEVELS;

		if (!sheet->unicode)
			set(sheet, column + i, here >= LEVELS / 2 ? L'#' : L'.', here >= LEVELS / 2 ? style : STYLE_QUIET);
		else if (here >= LEVELS)
			set(sheet, column + i, L'█', style);
		else if (here > 0)
			set(sheet, column + i, parts[here], style);
		else
			set(sheet, column + i, L'·', STYLE_QUIET);
	}
}

/* The second with which a cell ends, of all cells that there are since 1970. They stay what they are while they move to
 * the left, and are as long as each other within a second. */
static int64_t end_of(int64_t cell, int width)
{
	return cell * HISTORY_SECONDS / width;
}

void sheet_spark(struct sheet *sheet, int column, int width, const struct history *history, double time, double high)
{
	static const wchar_t blocks[LEVELS] = L"▁▂▃▄▅▆▇█", plain[LEVELS] = L"_.,-~=*#";
	int64_t cell;

	if (width <= 0 || !(time > 0) || time > 1e11)
		return;
	cell = (int64_t)time * width / HISTORY_SECONDS - width;
	while (end_of(cell + width - 1, width) < (int64_t)time)
		cell++;
	for (int i = 0; i < width; i++, cell++) {
		int64_t from = end_of(cell - 1, width), to = end_of(cell, width);
		double value = history_mean(history, from < to ? from : to - 1, to);
		int level;

		if (isnan(value))
			continue;
		level = high > 0 ? (int)fmin(fmax(value / high * LEVELS, 0), LEVELS - 1) : 0;
		set(sheet, column + i, sheet->unicode ? blocks[level] : plain[level], STYLE_GRAPH);
	}
}

/* --- out ---------------------------------------------------------------------------------------------------- */

static void print_glyph(wchar_t glyph, FILE *out)
{
	unsigned long value = (unsigned long)glyph;

	/* UTF-8 by hand: fputwc() would turn the stream to wide characters for good. */
	if (value < 0x80) {
		putc((int)value, out);
	} else if (value < 0x800) {
		putc((int)(0xc0 | value >> 6), out);
		putc((int)(0x80 | (value & 0x3f)), out);
	} else if (value < 0x10000) {
		putc((int)(0xe0 | value >> 12), out);
		putc((int)(0x80 | (value >> 6 & 0x3f)), out);
		putc((int)(0x80 | (value & 0x3f)), out);
	} else {
		putc((int)(0xf0 | value >> 18), out);
		putc((int)(0x80 | (value >> 12 & 0x3f)), out);
		putc((int)(0x80 | (value >> 6 & 0x3f)), out);
		putc((int)(0x80 | (value & 0x3f)), out);
	}
}

void sheet_print(const struct sheet *sheet, FILE *out)
{
	for (size_t line = 0; line < sheet->line_count; line++) {
		const struct cell *cells = sheet_cells(sheet, line);
		int end = sheet->width;

		while (end > 0 && cells[end - 1].glyph == L' ')
			end--;
		for (int i = 0; i < end; i++)
			if (cells[i].glyph)
				print_glyph(cells[i].glyph, out);
		putc('\n', out);
	}
}
