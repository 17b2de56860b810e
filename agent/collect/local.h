/* collect/local.h: a plugin that is open in the agent itself, for its families that never block. Sampler thread. */
#ifndef COLLECT_LOCAL_H
#define COLLECT_LOCAL_H

#include "base/error.h"
#include "collect/host.h"
#include "config/plan.h"

struct local {
	bool open;
	void *state;
	struct pindrop_host host;
};

int local_open(struct local *local, const struct plan *plan, const struct plan_plugin *plugin, struct error *error);
void local_close(struct local *local, const struct plan_plugin *plugin);

/* Samples one family of the plan into `batch`; its tick is set by the caller. 0, or -1 with the words. */
int local_sample(struct local *local, const struct plan *plan, size_t family, struct batch *batch, struct error *error);

#endif
