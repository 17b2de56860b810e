/* store/history.h: all that one RRD file holds, as a plain value: its rows, and the state that librrd goes on from.
 *
 * rrd.c reads and writes it, migrate.c makes a new one of old ones. Owns all that it points to. */
#ifndef STORE_HISTORY_H
#define STORE_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

/* With the final NUL: as long as librrd keeps them. */
#define HISTORY_NAME_SIZE 20
#define HISTORY_READING_SIZE 30

/* A row in progress: what was consolidated since the last boundary. */
struct history_state {
	double value;     /* of a field, its rate or level times seconds; of an archive, the sum or the extreme so far */
	uint64_t unknown; /* of a field, seconds; of an archive, base steps */
};

struct history_field {
	char name[HISTORY_NAME_SIZE];
	char type[HISTORY_NAME_SIZE];       /* "GAUGE", "DERIVE", "DDERIVE" … */
	int64_t heartbeat;                  /* s */
	double min, max;                    /* NaN: none */
	char reading[HISTORY_READING_SIZE]; /* the last one, as text, from which a counter goes on; "U": unknown */
	struct history_state state;         /* since the last boundary of the base step */
};

struct history_archive {
	enum store_consolidation consolidation;
	int64_t step; /* s, a multiple of the base step */
	size_t rows;
	int64_t end;                 /* s: the newest row belongs to (end - step, end] */
	double *values;              /* rows * field_count, oldest row first; NaN: unknown */
	struct history_state *state; /* field_count: since `end` */
};

struct history {
	int64_t step;              /* the base step, s */
	int64_t last;              /* the last update, s … */
	int64_t last_microseconds; /* … and the part of a second behind it */
	size_t field_count;
	struct history_field *fields;
	size_t archive_count;
	struct history_archive *archives;
	size_t other_archives; /* of consolidations that pindrop does not write: not read */
};

/* Adds an archive without values: all 0, `end` the last boundary. The fields are there already. */
struct history_archive *history_add_archive(struct history *history, enum store_consolidation consolidation,
                                            int64_t step, size_t rows);

/* The last boundary of a step that the history has reached, s. */
int64_t history_boundary(const struct history *history, int64_t step);

void history_release(struct history *history);

#endif
