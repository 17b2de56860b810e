/* collect/schedule.h: ticks on the wall clock. Pure.
 *
 * A tick is a multiple of the interval since 1970, so that several agents, and several families of one, sample at the
 * same moments. A tick that cannot be kept is skipped and counted, never caught up. */
#ifndef COLLECT_SCHEDULE_H
#define COLLECT_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

struct schedule {
	int64_t interval; /* ns */
	int64_t next;     /* the next tick: wall clock, ns */
};

/* Ticks that were passed over: those in (from, to]. */
struct schedule_lost {
	uint64_t count;
	int64_t from, to; /* both are ticks: wall clock, ns */
};

/* The first tick is at least half an interval away: there is a sample of the start itself. */
void schedule_begin(struct schedule *schedule, int64_t interval, int64_t now);

/* After the wall clock was set, or the machine slept: the next tick is the first after `now`. Ticks between are not
 * lost, as they never were. Where the clock went back by so little that the tick sampled last would come again, the
 * next one stays. False: the next tick is what it was before; no tick is skipped or comes again. */
bool schedule_resume(struct schedule *schedule, int64_t now);

/* The tick to sample for, or 0 for none: nothing is due yet, or what is due is late by more than half an interval.
 * *lost is written: what was passed over; its count is 0 for nothing. */
int64_t schedule_take(struct schedule *schedule, int64_t now, struct schedule_lost *lost);

#endif
