/* metric/catalogue.h: the instances of one family, and what their last sample said.
 *
 * An instance is found by its name, through a hash table, so that ten thousand of them cost no more a piece than ten.
 * None is ever forgotten (its pointer stays valid): one costs about 250 bytes, and its place in every snapshot.
 *
 * Threads: only the sampler thread changes a catalogue, and reads it without the lock; it holds the lock, which is
 * metric.c's, where it changes what other threads read: all but the hash table. */
#ifndef METRIC_CATALOGUE_H
#define METRIC_CATALOGUE_H

#include <pthread.h>

#include "metric/batch.h"
#include "metric/metric.h"

/* What is known of one instance. */
struct known {
	struct instance *instance;  /* as its labels are now */
	struct described *versions; /* every set of labels that it ever had, the newest first */
	struct known *next;         /* of the same hash bucket */
	uint64_t hash;
	bool present, summed;
	int64_t time;    /* of its last sample: wall clock, ns; 0: none since the start */
	size_t row;      /* where it stands in the batch that is being published … */
	uint64_t serial; /* … if this is that batch's */
	double values[]; /* as many as the family has fields */
};

struct catalogue {
	const struct pindrop_family *family;
	int64_t time;         /* of its last sample: wall clock, ns; 0: none since the start */
	size_t count, room;   /* of `known` */
	struct known **known; /* by instance index */
	size_t bucket_count;  /* a power of two */
	struct known **buckets;
};

void catalogue_begin(struct catalogue *catalogue, const struct pindrop_family *family);
void catalogue_release(struct catalogue *catalogue);

/* NULL: that name was never seen. */
struct known *catalogue_find(const struct catalogue *catalogue, const char *name);

/* Finds or makes the instance of a row, with the row's labels. `lock` is taken where one is made. */
struct instance *catalogue_intern(struct catalogue *catalogue, const struct batch *batch, size_t row,
                                  pthread_mutex_t *lock);

/* Nothing is current any more. */
void catalogue_forget(struct catalogue *catalogue);

#endif
