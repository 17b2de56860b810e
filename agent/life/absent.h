/* life/absent.h: families that were taken out of the configuration: from then on there is a reason why nothing is known of
 * them, until they are back. Any thread. */
#ifndef LIFE_ABSENT_H
#define LIFE_ABSENT_H

#include <stdint.h>

#include "config/plan.h"
#include "metric/gap.h"

struct absent;

struct absent *absent_new(gap_sink *sink, void *context);
void absent_free(struct absent *absent);

/* Another plan came into force at `now` (wall clock, ns): who is not in it is absent from now on; who is back, was absent
 * until its first tick. */
void absent_change(struct absent *absent, const struct plan *old, const struct plan *new, int64_t now);

/* Tells of all that are absent, up to `now`. The ledger joins what is told again and again. */
void absent_tell(struct absent *absent, int64_t now);

#endif
