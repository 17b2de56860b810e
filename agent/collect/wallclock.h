/* collect/wallclock.h: was the wall clock set, and did the machine sleep? Pure.
 *
 * The sampler waits by the monotonic clock and works by the wall clock. What lies between the two changes only when
 * the wall clock is set, or when the machine sleeps: Linux slews both together (adjtime, NTP), so that what is slewed is
 * not seen here, and ticks follow it by themselves. While the machine sleeps the monotonic clock stands still and
 * the other two go on. */
#ifndef COLLECT_WALLCLOCK_H
#define COLLECT_WALLCLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

/* Starts with the first reading. */
struct wallclock {
	struct clock_reading now; /* at the last look */
};

/* What happened between two looks. Both may have. */
struct wallclock_change {
	int64_t after; /* the wall clock at the second, ns */
	int64_t slept; /* for so long, ns; 0: it did not */
	int64_t set;   /* by so much, forward > 0, ns; 0: it was not */
};

/* Looks again. False: all went on, but for changes within the tolerance (ns), which are followed as if they were
 * slewed: ticks come a little earlier or later, none is lost. */
bool wallclock_look(struct wallclock *clock, const struct clock_reading *now, int64_t tolerance,
                    struct wallclock_change *change);

/* When the wall clock will show `wall`, if nothing happens: monotonic, ns. */
int64_t wallclock_when(const struct wallclock *clock, int64_t wall);

#endif
