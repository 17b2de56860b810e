/* top/talk.h: what to ask the agent next, and what its answers change. Pure: the time comes from outside, and others
 * ask (client.h). */
#ifndef TOP_TALK_H
#define TOP_TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "top/model.h"

enum talk_topic { TALK_LATEST, TALK_METRICS, TALK_SERIES, TALK_HEALTH, TALK_AGGREGATES, TALK_TOPICS };

struct talk {
	struct model *model;      /* is filled; belongs to the talk */
	const char *url;          /* of the agent, for words; belongs to the caller */
	int64_t due[TALK_TOPICS]; /* when it is asked next: monotonic, ns */
	enum talk_topic asked;    /* last */
	char *path;               /* of that */
	char *away;               /* why there is no answer, for people; NULL: there is */
	unsigned looks;           /* at a sample that is another one than that of the look before */
	bool complete;            /* all has been answered once */
};

void talk_begin(struct talk *talk, const char *url);
void talk_end(struct talk *talk);

/* The path to ask for now, or NULL and how long to *wait (ns) before asking again. `now`: monotonic time, ns. */
const char *talk_next(struct talk *talk, int64_t now, int64_t *wait);

/* The answer to the last path. `status` 0: there was none, and `words` say why. */
void talk_take(struct talk *talk, int64_t now, long status, const char *words, const char *body, size_t length);

#endif
