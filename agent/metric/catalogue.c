/* metric/catalogue.c: instances by name. */
#include "metric/catalogue.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define BUCKETS_FIRST 16

/* An instance with one set of labels. Where the device of a mount changes, the mount keeps its index and its file, but
 * whoever holds the old struct keeps the old labels. */
struct described {
	struct instance instance;
	struct described *older;
	const char *labels[];
};

void catalogue_begin(struct catalogue *catalogue, const struct pindrop_family *family)
{
	*catalogue = (struct catalogue){.family = family, .bucket_count = BUCKETS_FIRST};
	catalogue->buckets = memory_array(BUCKETS_FIRST, sizeof(struct known *));
}

void catalogue_release(struct catalogue *catalogue)
{
	for (size_t i = 0; i < catalogue->count; i++) {
		for (struct described *version = catalogue->known[i]->versions, *older; version; version = older) {
			older = version->older;
			free(version);
		}
		free(catalogue->known[i]);
	}
	free(catalogue->known);
	free(catalogue->buckets);
}

/* FNV-1a, 64 bits. */
static uint64_t hash(const char *name)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	while (*name)
		sum = (sum ^ (unsigned char)*name++) * UINT64_C(0x100000001b3);
	return sum;
}

static struct known *find(const struct catalogue *catalogue, const char *name, uint64_t sum)
{
	struct known *known = catalogue->buckets[sum & (catalogue->bucket_count - 1)];

	while (known && (known->hash != sum || strcmp(known->instance->name, name) != 0))
		known = known->next;
	return known;
}

struct known *catalogue_find(const struct catalogue *catalogue, const char *name)
{
	return find(catalogue, name, hash(name));
}

/* One block: the struct, its pointers to labels, and all texts. */
static struct described *describe(const struct batch *batch, size_t row, size_t index)
{
	size_t count = batch->label_count, size = sizeof(struct described) + count * sizeof(char *);
	size_t name_size = strlen(batch_name(batch, row)) + 1, label_size = 0;
	struct described *version;
	char *text;

	for (size_t i = 0; i < count; i++)
		label_size += strlen(batch_label(batch, row, i)) + 1;
	version = memory_alloc(size + name_size + label_size);
	text = (char *)version + size;
	version->instance.name = memcpy(text, batch_name(batch, row), name_size);
	version->instance.labels = version->labels;
	version->instance.index = index;
	text += name_size;
	for (size_t i = 0; i < count; i++) {
		version->labels[i] = strcpy(text, batch_label(batch, row, i));
		text += strlen(text) + 1;
	}
	return version;
}

static bool labelled(const struct instance *instance, const struct batch *batch, size_t row)
{
	for (size_t i = 0; i < batch->label_count; i++)
		if (strcmp(instance->labels[i], batch_label(batch, row, i)) != 0)
			return false;
	return true;
}

/* Sees to it that the instance has the row's labels. A device that comes back finds its old struct again, so that only
 * new sets of labels cost memory. */
static void relabel(struct known *known, const struct batch *batch, size_t row, pthread_mutex_t *lock)
{
	struct described *version = known->versions;

	if (labelled(known->instance, batch, row))
		return;
	while (version && !labelled(&version->instance, batch, row))
		version = version->older;
	if (!version) {
		version = describe(batch, row, known->instance->index);
		version->older = known->versions;
		known->versions = version;
	}
	pthread_mutex_lock(lock);
	known->instance = &version->instance;
	pthread_mutex_unlock(lock);
}

static void enter(struct catalogue *catalogue, struct known *known)
{
	struct known **bucket = &catalogue->buckets[known->hash & (catalogue->bucket_count - 1)];

	known->next = *bucket;
	*bucket = known;
}

/* At most one instance a bucket, on average. */
static void spread(struct catalogue *catalogue)
{
	free(catalogue->buckets);
	catalogue->bucket_count *= 2;
	catalogue->buckets = memory_array(catalogue->bucket_count, sizeof(struct known *));
	for (size_t i = 0; i < catalogue->count; i++)
		enter(catalogue, catalogue->known[i]);
}

static struct known *add(struct catalogue *catalogue, const struct batch *batch, size_t row, pthread_mutex_t *lock)
{
	size_t field_count = catalogue->family->field_count;
	struct known *known = memory_alloc(sizeof(*known) + field_count * sizeof(double));

	known->hash = hash(batch_name(batch, row));
	known->versions = describe(batch, row, catalogue->count);
	known->instance = &known->versions->instance;
	for (size_t i = 0; i < field_count; i++)
		known->values[i] = NAN;
	pthread_mutex_lock(lock);
	if (catalogue->count == catalogue->room) {
		catalogue->room = catalogue->room ? 2 * catalogue->room : 8;
		catalogue->known = memory_resize(catalogue->known, catalogue->room, sizeof(struct known *));
	}
	catalogue->known[catalogue->count++] = known;
	pthread_mutex_unlock(lock);
	if (catalogue->count > catalogue->bucket_count)
		spread(catalogue);
	else
		enter(catalogue, known);
	return known;
}

struct instance *catalogue_intern(struct catalogue *catalogue, const struct batch *batch, size_t row,
                                  pthread_mutex_t *lock)
{
	const char *name = batch_name(batch, row);
	struct known *known = row < catalogue->count ? catalogue->known[row] : NULL;

	/* Rows mostly come in the order in which they first came: then nothing has to be searched. */
	if (!known || strcmp(known->instance->name, name) != 0)
		known = catalogue_find(catalogue, name);
	if (known)
		relabel(known, batch, row, lock);
	else
		known = add(catalogue, batch, row, lock);
	return known->instance;
}

void catalogue_forget(struct catalogue *catalogue)
{
	catalogue->time = 0;
	for (size_t i = 0; i < catalogue->count; i++) {
		struct known *known = catalogue->known[i];

		known->present = false;
		known->time = 0;
		for (size_t field = 0; field < catalogue->family->field_count; field++)
			known->values[field] = NAN;
	}
}
