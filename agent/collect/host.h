/* collect/host.h: what plugin.h promises to plugins, and a plugin that is open.
 *
 * A host belongs to one open plugin and to the thread that samples it: the sampler, or a worker's only thread. */
#ifndef COLLECT_HOST_H
#define COLLECT_HOST_H

#include <pindrop/plugin.h>
#include <stdbool.h>

#include "base/error.h"
#include "metric/batch.h"

struct pindrop_host {
	const char *root;   /* "" for "/", else without a slash at its end */
	struct error error; /* what pindrop_error() said last; "" for nothing */
};

struct pindrop_batch {
	struct batch *batch;
	/* Asked by pindrop_row_enter() with the name of the row that was added last; NULL: every instance may be entered. */
	bool (*enter)(void *context, const char *instance);
	void *context;
};

/* Opens a plugin with its options. `host` must outlive the state. 0, or -1 with the words. */
int host_open(struct pindrop_host *host, const struct pindrop_plugin *table, const union pindrop_value *options,
              void **state, struct error *error);

/* Samples one family into `batch->batch`, which batch_begin() has emptied. 0, or -1 with the words. */
int host_sample(struct pindrop_host *host, const struct pindrop_family *family, void *state,
                struct pindrop_batch *batch, struct error *error);

#endif
