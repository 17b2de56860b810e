#include "collect/local.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "collect/host.h"

struct local {
	const struct plan *plan; /* held */
	const struct pindrop_plugin *table;
	void *state;
	struct pindrop_host host;
};

struct local *local_open(const struct plan *plan, const struct plan_plugin *plugin, struct error *error)
{
	struct local *local = memory_alloc(sizeof(*local));

	local->table = plugin->table;
	local->host.root = plan->root;
	if (host_open(&local->host, plugin->table, plugin->options, &local->state, error) < 0) {
		free(local);
		return NULL;
	}
	local->plan = plan_hold(plan);
	return local;
}

void local_close(struct local *local)
{
	if (!local)
		return;
	if (local->table->close)
		local->table->close(local->state);
	plan_release(local->plan);
	free(local);
}

int local_sample(struct local *local, const struct plan *plan, size_t family, struct batch *batch, struct error *error)
{
	const struct pindrop_family *table = plan->families[family].table;
	struct pindrop_batch handed = {.batch = batch};
	int64_t began = clock_monotonic();
	int failed;

	batch_begin(batch, family, table->field_count, table->label_count);
	batch->time = clock_wall();
	batch->clock = began;
	failed = host_sample(&local->host, table, local->state, &handed, error);
	batch->duration = clock_monotonic() - began;
	return failed;
}
