#include "collect/schedule.h"

void schedule_begin(struct schedule *schedule, int64_t interval, int64_t now)
{
	schedule->interval = interval;
	schedule->next = (now + interval / 2 + interval - 1) / interval * interval;
}

int64_t schedule_take(struct schedule *schedule, int64_t now, uint64_t *missed)
{
	int64_t tick = now / schedule->interval * schedule->interval;

	if (now < schedule->next)
		return 0;
	*missed += (uint64_t)((tick - schedule->next) / schedule->interval);
	schedule->next = tick + schedule->interval;
	if (now - tick <= schedule->interval / 2)
		return tick;
	(*missed)++;
	return 0;
}
