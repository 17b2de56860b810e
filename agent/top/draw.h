/* top/draw.h: what is known of an agent, as lines. Pure: `--once` prints them, the screen shows those that fit. */
#ifndef TOP_DRAW_H
#define TOP_DRAW_H

#include "top/model.h"
#include "top/sheet.h"

struct look {
	int width;
	bool unicode;
	const char *host; /* whose figures these are */
	const char *away; /* why the agent does not answer; NULL: it does */
};

/* Fills the sheet, which sheet_release() empties. Returns how many lines at its top are the heading, which stays where
 * it is when the rest is scrolled. */
size_t draw(const struct model *model, const struct look *look, struct sheet *sheet);

/* The last line of a screen: which lines are shown of how many, or what the keys do. */
struct foot {
	size_t first, last, all; /* of the lines below the heading, from 1 */
	bool help;
};
void draw_foot(const struct foot *foot, const struct look *look, struct sheet *sheet);

#endif
