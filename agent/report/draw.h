/* report/draw.h: pictures, drawn by the real rrdtool, and kept for a while.
 *
 * rrdtool is a child that lives for moments: it has DRAW_TIME, and may make a picture of PICTURE_MAX. Threads that wait:
 * readers of HTTP, or the main thread of a command. */
#ifndef REPORT_DRAW_H
#define REPORT_DRAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"

#define DRAW_TIME (10 * CLOCK_SECOND)
#define PICTURE_MAX ((size_t)16 << 20)

/* How it went: statuses of HTTP. */
enum draw_result { DRAW_GOOD = 200, DRAW_FAILED = 500, DRAW_MISSING = 503 };

/* Runs a command as graph_compose() makes it, whose picture goes to stdout. *bytes are for free(). `stop`: a descriptor
 * that can be read once it is to be given up; -1: there is none. */
enum draw_result draw(const struct text_list *words, int stop, char **bytes, size_t *length, struct error *error);

/* --- pictures that are kept ------------------------------------------------------------------------------------- */

/* So many, and so many bytes in all; those that were asked for last. */
#define GALLERY_PICTURES 32
#define GALLERY_BYTES ((size_t)8 << 20)

struct gallery;

/* A picture, or what was wrong with it. Whoever has one reads it without a lock. */
struct picture {
	unsigned status; /* of HTTP: DRAW_GOOD, or why there is none */
	char *bytes;
	size_t length;
	struct error error; /* of one that is not good */
	int64_t until;      /* so long it is as good as a new one: monotonic, ns */
};

struct gallery *gallery_new(void);

/* The picture for that question, for gallery_return(): a kept one; or that which somebody else draws now, which is waited
 * for; or, with *draws set, one that the caller has to draw, and to show with gallery_show(). */
struct picture *gallery_take(struct gallery *gallery, const char *question, bool *draws);

/* What the caller has put into the picture is for everybody; a good one is kept until its time is over. */
void gallery_show(struct gallery *gallery, struct picture *picture);
void gallery_return(struct gallery *gallery, struct picture *picture);

/* For draw(): can be read once gallery_end() was called, after which what is drawn is given up. */
int gallery_stop(const struct gallery *gallery);
void gallery_end(struct gallery *gallery);
void gallery_free(struct gallery *gallery); /* nobody holds a picture */

#endif
