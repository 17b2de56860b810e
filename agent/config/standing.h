/* config/standing.h: how the configuration stands: what is in force since when, and what is wrong with what was saved
 * last. Written by one thread at a time; read by any. */
#ifndef CONFIG_STANDING_H
#define CONFIG_STANDING_H

#include <stddef.h>
#include <stdint.h>

#include "config/plan.h"

struct standing;

struct standing *standing_new(const char *file);
void standing_free(struct standing *standing);

/* A plan is in force from now on. `refused`: a line for each plugin that was left out; it is taken over, and emptied. */
void standing_good(struct standing *standing, struct text_list *refused);

/* What was saved has mistakes: what was in force stays so. */
void standing_bad(struct standing *standing, const struct text_list *mistakes);

struct standing_view {
	const char *file;
	int64_t since;    /* in force since: wall clock, ns */
	uint64_t reloads; /* how often another plan came into force */
	int64_t tried; /* when something was saved that has mistakes: wall clock, ns; 0: what was saved last is in force */
	struct text_list mistakes; /* of that */
	struct text_list refused;
};

/* A copy, for standing_view_release(). */
void standing_look(struct standing *standing, struct standing_view *view);
void standing_view_release(struct standing_view *view);

#endif
