#include "collect/schedule.h"

void schedule_begin(struct schedule *schedule, int64_t interval, int64_t now)
{
	schedule->interval = interval;
	schedule->next = (now + interval / 2 + interval - 1) / interval * interval;
}

bool schedule_resume(struct schedule *schedule, int64_t now)
{
	int64_t next = (now / schedule->interval + 1) * schedule->interval;

	if (next == schedule->next || next == schedule->next - schedule->interval)
		return false;
	schedule->next = next;
	return true;
}

int64_t schedule_take(struct schedule *schedule, int64_t now, struct schedule_lost *lost)
{
	int64_t tick = now / schedule->interval * schedule->interval;
	bool late = now - tick > schedule->interval / 2;

	*lost = (struct schedule_lost){0};
	if (now < schedule->next)
		return 0;
	lost->from = schedule->next - schedule->interval;
	lost->to = late ? tick : tick - schedule->interval;
	lost->count = (uint64_t)((lost->to - lost->from) / schedule->interval);
	schedule->next = tick + schedule->interval;
	return late ? 0 : tick;
}
