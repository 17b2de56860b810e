#include "store/write_behind.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Ten thousand files that are sampled once a minute hold one sample each at a time. */
#define ROOM_FIRST 2

static void make_room(struct backlog *backlog)
{
	if (backlog->count < backlog->room)
		return;
	backlog->room = backlog->room ? 2 * backlog->room : ROOM_FIRST;
	backlog->ticks = memory_resize(backlog->ticks, backlog->room, sizeof(*backlog->ticks));
	backlog->fresh = memory_resize(backlog->fresh, backlog->room, sizeof(*backlog->fresh));
	backlog->values = memory_resize(backlog->values, backlog->room, backlog->field_count * sizeof(*backlog->values));
}

size_t backlog_add(struct backlog *backlog, int64_t tick, bool fresh, const double *values, size_t max)
{
	size_t dropped = 0;

	if (backlog->count >= max) {
		dropped = backlog->count - max + 1;
		backlog_drop(backlog, dropped);
	}
	make_room(backlog);
	backlog->ticks[backlog->count] = tick;
	backlog->fresh[backlog->count] = fresh;
	memcpy(backlog->values + backlog->count * backlog->field_count, values, backlog->field_count * sizeof(*values));
	backlog->count++;
	return dropped;
}

size_t backlog_move(struct backlog *backlog, struct backlog *from, size_t max)
{
	struct backlog empty = *backlog;
	size_t dropped = 0;

	/* Nearly always there is nothing left from the last time: the two change places. */
	if (backlog->count == 0) {
		*backlog = *from;
		*from = empty;
		return 0;
	}
	for (size_t i = 0; i < from->count; i++)
		dropped += backlog_add(backlog, from->ticks[i], from->fresh[i], backlog_values(from, i), max);
	backlog_release(from);
	return dropped;
}

void backlog_drop(struct backlog *backlog, size_t count)
{
	if (count > backlog->count)
		count = backlog->count;
	backlog->count -= count;
	if (backlog->count == 0) {
		backlog_release(backlog);
		return;
	}
	memmove(backlog->ticks, backlog->ticks + count, backlog->count * sizeof(*backlog->ticks));
	memmove(backlog->fresh, backlog->fresh + count, backlog->count * sizeof(*backlog->fresh));
	memmove(backlog->values, backlog->values + count * backlog->field_count,
	        backlog->count * backlog->field_count * sizeof(*backlog->values));
}

const double *backlog_values(const struct backlog *backlog, size_t index)
{
	return backlog->values + index * backlog->field_count;
}

void backlog_release(struct backlog *backlog)
{
	free(backlog->ticks);
	free(backlog->fresh);
	free(backlog->values);
	backlog->ticks = NULL;
	backlog->fresh = NULL;
	backlog->values = NULL;
	backlog->count = backlog->room = 0;
}
