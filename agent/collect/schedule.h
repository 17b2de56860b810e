/* collect/schedule.h: ticks on the wall clock. Pure.
 *
 * A tick is a multiple of the interval since 1970, so that several agents, and several families of one, sample at the
 * same moments. A tick that cannot be kept is skipped and counted, never caught up. */
#ifndef COLLECT_SCHEDULE_H
#define COLLECT_SCHEDULE_H

#include <stdint.h>

struct schedule {
	int64_t interval; /* ns */
	int64_t next;     /* the next tick: wall clock, ns */
};

/* Begins, or begins anew after the clock was set: the first tick is at least half an interval away. */
void schedule_begin(struct schedule *schedule, int64_t interval, int64_t now);

/* The tick to sample for, or 0 for none: nothing is due yet, or what is due is late by more than half an interval.
 * Adds to *missed the ticks that were passed over. */
int64_t schedule_take(struct schedule *schedule, int64_t now, uint64_t *missed);

#endif
