/* collect/local.h: a plugin that is open in the agent itself, for its families that never block. Sampler thread. */
#ifndef COLLECT_LOCAL_H
#define COLLECT_LOCAL_H

#include "base/error.h"
#include "config/plan.h"
#include "metric/batch.h"

struct local;

/* Opens a plugin of a plan, which it holds for as long as it is open: the plugin has its options from there. NULL with the
 * words. */
struct local *local_open(const struct plan *plan, const struct plan_plugin *plugin, struct error *error);
void local_close(struct local *local); /* NULL: nothing */

/* Samples one family of the plan of now, of the same plugin, into `batch`; its tick is set by the caller. 0, or -1 with
 * the words. */
int local_sample(struct local *local, const struct plan *plan, size_t family, struct batch *batch, struct error *error);

#endif
