/* metric/catalogue.h: the instances of one family, and what their last sample said.
 *
 * An instance is found by its name, through a hash table, so that ten thousand of them cost no more a piece than ten.
 * It is here or gone. Those that are here are in a list; one that has vanished stays, with its last values, and costs
 * about 250 bytes and its place in every snapshot, but nothing at a sample. It goes by catalogue_remove(), and its index
 * is used again.
 *
 * Belongs to one thread at a time: metric.c has a lock. */
#ifndef METRIC_CATALOGUE_H
#define METRIC_CATALOGUE_H

#include "metric/batch.h"
#include "metric/metric.h"

/* What is known of one instance. One block, with its name behind its values. */
struct known {
	struct instance instance;
	const char *const *labels; /* one block, with their texts; NULL: the family has none */
	struct known *next;        /* of the same hash bucket */
	struct known *next_here;   /* of those that are here */
	uint64_t hash;
	size_t pending; /* rows that were interned and not published yet */
	bool present;   /* it was in the last sample */
	bool gone;      /* it was not, and is not in the list; neither: there was no sample since the start */
	bool summed;
	int64_t time, clock; /* of its last sample: wall clock and monotonic, ns; 0: none since the start, not known */
	int64_t tick;        /* of its last sample on a tick; 0: none since the start */
	int64_t told;        /* it has vanished, and up to here that was told: wall clock, ns; 0: it was never here */
	size_t row;          /* where it stands in the batch that is being published … */
	uint64_t serial;     /* … if this is that batch's */
	double values[];     /* as many as the family has fields */
};

struct catalogue {
	const struct pindrop_family *family;
	int64_t time; /* of its last sample: wall clock, ns; 0: none since the start */
	int64_t tick; /* of its last sample on a tick; 0: none since the start */
	size_t count; /* of instances */
	size_t used, room;
	struct known **known; /* `used` of them by instance index; NULL: the index is free */
	size_t *unused;       /* free indexes below `used`: used - count of them */
	struct known *here;
	size_t bucket_count; /* a power of two */
	struct known **buckets;
};

void catalogue_begin(struct catalogue *catalogue, const struct pindrop_family *family);
void catalogue_release(struct catalogue *catalogue);

/* NULL: there is none of that name. */
struct known *catalogue_find(const struct catalogue *catalogue, const char *name);

/* Finds or makes the instance of a row; a new one has the row's labels, and is gone until it returns. */
struct known *catalogue_intern(struct catalogue *catalogue, const struct batch *batch, size_t row);

/* Sees to it that an instance has the row's labels. Returns what they were before, for free() when nobody reads them;
 * NULL: nothing has changed. */
void *catalogue_relabel(struct known *known, const struct batch *batch, size_t row);

/* Takes out one that is gone. It is left to the caller: two blocks for free(), the labels and itself. */
void catalogue_remove(struct catalogue *catalogue, struct known *known);

/* One that is gone is here. */
void catalogue_return(struct catalogue *catalogue, struct known *known);

/* Nothing is current any more, nor known to be gone. */
void catalogue_reset(struct catalogue *catalogue);

#endif
