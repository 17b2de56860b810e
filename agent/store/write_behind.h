/* store/write_behind.h: samples that wait in memory to be written. Not locked: inside.h says who may touch which. */
#ifndef STORE_WRITE_BEHIND_H
#define STORE_WRITE_BEHIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Samples of one file, oldest first. Starts as all zero but for field_count. */
struct backlog {
	size_t field_count;
	size_t count, room;
	int64_t *ticks; /* wall clock, ns */
	bool *fresh;    /* batch.h: the spacing to the sample before is broken */
	double *values; /* count * field_count */
};

/* Appends; beyond `max` samples the oldest goes. Returns how many went. */
size_t backlog_add(struct backlog *backlog, int64_t tick, bool fresh, const double *values, size_t max);

/* Appends all of `from`, which is then empty. Returns how many of the oldest went. */
size_t backlog_move(struct backlog *backlog, struct backlog *from, size_t max);

void backlog_drop(struct backlog *backlog, size_t count); /* the oldest; the last one takes the memory along */
const double *backlog_values(const struct backlog *backlog, size_t index);
void backlog_release(struct backlog *backlog);

#endif
