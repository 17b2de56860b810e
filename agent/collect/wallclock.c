#include "collect/wallclock.h"

#include <stdlib.h>

bool wallclock_look(struct wallclock *clock, const struct clock_reading *now, int64_t tolerance,
                    struct wallclock_change *change)
{
	int64_t passed = now->monotonic - clock->now.monotonic;
	int64_t slept = now->boot - clock->now.boot - passed;
	int64_t set;

	if (slept <= tolerance)
		slept = 0;
	set = now->wall - clock->now.wall - passed - slept;
	if (llabs(set) <= tolerance)
		set = 0;
	*change = (struct wallclock_change){.after = now->wall, .slept = slept, .set = set};
	clock->now = *now;
	return slept || set;
}

int64_t wallclock_when(const struct wallclock *clock, int64_t wall)
{
	return clock->now.monotonic + (wall - clock->now.wall);
}
