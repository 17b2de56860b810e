#include "collect/local.h"

#include "base/clock.h"

int local_open(struct local *local, const struct plan *plan, const struct plan_plugin *plugin, struct error *error)
{
	local->host.root = plan->root;
	if (host_open(&local->host, plugin->table, plugin->options, &local->state, error) < 0)
		return -1;
	local->open = true;
	return 0;
}

void local_close(struct local *local, const struct plan_plugin *plugin)
{
	if (local->open && plugin->table->close)
		plugin->table->close(local->state);
	*local = (struct local){0};
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
