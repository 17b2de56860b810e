/* collect/tell.h: the gaps that collect knows the reason of, in the words of metric/gap.h. Pure, but for the log.
 *
 * A tick that is lost is (tick - interval, tick], the time that its sample would have stood for. Sampler thread. */
#ifndef COLLECT_TELL_H
#define COLLECT_TELL_H

#include <stddef.h>
#include <stdint.h>

#include "collect/schedule.h"
#include "collect/wallclock.h"
#include "config/plan.h"
#include "metric/gap.h"

/* To whom. */
struct tell {
	const struct plan *plan;
	gap_sink *gap;
	void *context;
};

/* One tick of a family; of one instance of it, or of all (NULL). */
void tell_tick(const struct tell *tell, enum gap_reason reason, size_t family, const char *instance, int64_t tick,
               const char *words);

/* Ticks of a plugin that were passed over: one gap of each of its families. */
void tell_late(const struct tell *tell, const struct plan_plugin *plugin, const struct schedule_lost *lost,
               int64_t now);

/* The wall clock was set, or the machine slept: a line of the log for each, and one gap of everything from the newest
 * tick on. While sampling is stopped (newest 0) no tick is lost to it; then only a clock that was set back is told.
 * `interval` is the shortest. */
void tell_change(const struct tell *tell, const struct wallclock_change *change, int64_t newest, int64_t interval);

/* Sampling was stopped from `from` until now; nothing where that is no time. With a plugin: only its families. */
void tell_stopped(const struct tell *tell, const struct plan_plugin *plugin, int64_t from, int64_t to);

#endif
