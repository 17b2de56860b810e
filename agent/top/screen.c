#include "top/screen.h"

#include <ncurses.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "top/draw.h"

struct screen {
	bool unicode, help;
	const char *host;
	size_t offset, last; /* the first line below the heading that is shown, and the last that can be */
	size_t page;         /* lines below the heading that are shown */
	attr_t attributes[STYLES];
	short pairs[STYLES];
};

/* From the terminal's own palette, so that they go with its background. What they say is said by the words, too. */
static void choose_styles(struct screen *screen)
{
	static const short colours[STYLES] = {
		[STYLE_GRAPH] = COLOR_CYAN, [STYLE_WARNING] = COLOR_YELLOW, [STYLE_ALARM] = COLOR_RED};
	const char *plain = getenv("NO_COLOR"); /* no-color.org: set, and not empty */

	screen->attributes[STYLE_TITLE] = A_BOLD;
	screen->attributes[STYLE_QUIET] = A_DIM;
	screen->attributes[STYLE_ALARM] = A_BOLD;
	if ((plain && *plain) || !has_colors() || start_color() == ERR || use_default_colors() == ERR)
		return;
	for (int style = 0; style < STYLES; style++)
		if (colours[style] && init_pair((short)(style + 1), colours[style], -1) == OK)
			screen->pairs[style] = (short)(style + 1);
}

struct screen *screen_open(bool unicode, const char *host)
{
	struct screen *screen;

	/* The terminal knows its size; these would say what it once was (use_env(3)). */
	unsetenv("COLUMNS");
	unsetenv("LINES");
	if (!newterm(NULL, stdout, stdin)) {
		fprintf(stderr, "pindrop top: the terminal \"%s\" cannot be used; try: pindrop top --once\n",
		        getenv("TERM") ? getenv("TERM") : "");
		return NULL;
	}
	screen = memory_alloc(sizeof(*screen));
	screen->unicode = unicode;
	screen->host = host;
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	/* A lone Esc is no key here: what follows one need not be waited for. */
	set_escdelay(25);
	curs_set(0);
	choose_styles(screen);
	return screen;
}

void screen_close(struct screen *screen)
{
	endwin();
	free(screen);
}

/* One line of the sheet to one of the screen. */
static void show(const struct screen *screen, int row, const struct cell *cells, int width)
{
	for (int i = 0; i < width; i++) {
		wchar_t glyph[2] = {cells[i].glyph, 0};
		enum style style = cells[i].style;
		cchar_t cell;

		if (!glyph[0] || setcchar(&cell, glyph, screen->attributes[style], screen->pairs[style], NULL) == ERR)
			continue;
		mvadd_wch(row, i, &cell);
	}
}

static void show_foot(struct screen *screen, const struct look *look, size_t all)
{
	size_t end = screen->offset + screen->page;
	struct foot foot = {.first = screen->offset + 1, .last = end < all ? end : all, .all = all, .help = screen->help};
	struct sheet sheet;

	draw_foot(&foot, look, &sheet);
	show(screen, LINES - 1, sheet_cells(&sheet, 0), sheet.width);
	sheet_release(&sheet);
}

void screen_draw(struct screen *screen, const struct talk *talk)
{
	struct look look = {.width = COLS, .unicode = screen->unicode, .host = screen->host, .away = talk->away};
	size_t height = LINES > 0 ? (size_t)LINES : 1, heading, body, line;
	struct sheet sheet;
	bool foot;

	heading = draw(talk->model, &look, &sheet);
	if (heading > height)
		heading = height;
	body = sheet.line_count - heading;
	foot = (screen->help || heading + body > height) && height > heading + 1;
	screen->page = height - heading - (foot ? 1 : 0);
	screen->last = body > screen->page ? body - screen->page : 0;
	if (screen->offset > screen->last)
		screen->offset = screen->last;
	erase();
	for (size_t row = 0; row < heading + screen->page; row++) {
		line = row < heading ? row : row + screen->offset;
		if (line < sheet.line_count)
			show(screen, (int)row, sheet_cells(&sheet, line), sheet.width);
	}
	if (foot)
		show_foot(screen, &look, body);
	refresh();
	sheet_release(&sheet);
}

static void scroll_by(struct screen *screen, long lines)
{
	if (lines < 0 && (size_t)-lines > screen->offset)
		screen->offset = 0;
	else
		screen->offset += (size_t)lines;
	if (screen->offset > screen->last)
		screen->offset = screen->last;
}

bool screen_obey(struct screen *screen)
{
	int key;

	while ((key = getch()) != ERR) {
		long page = screen->page > 1 ? (long)screen->page - 1 : 1;

		if (key == 'q' || key == 'Q')
			return false;
		if (key == '?' || key == 'h')
			screen->help = !screen->help;
		else if (key == KEY_DOWN || key == 'j')
			scroll_by(screen, 1);
		else if (key == KEY_UP || key == 'k')
			scroll_by(screen, -1);
		else if (key == KEY_NPAGE || key == ' ')
			scroll_by(screen, page);
		else if (key == KEY_PPAGE || key == 'b')
			scroll_by(screen, -page);
		else if (key == KEY_HOME || key == 'g')
			screen->offset = 0;
		else if (key == KEY_END || key == 'G')
			screen->offset = screen->last;
	}
	return true;
}
