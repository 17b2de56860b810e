/* metric/catalogue.c: instances by name. */
#include "metric/catalogue.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

#define BUCKETS_FIRST 16

void catalogue_begin(struct catalogue *catalogue, const struct pindrop_family *family)
{
	*catalogue = (struct catalogue){.family = family, .bucket_count = BUCKETS_FIRST};
	catalogue->buckets = memory_array(BUCKETS_FIRST, sizeof(struct known *));
}

void catalogue_release(struct catalogue *catalogue)
{
	for (size_t i = 0; i < catalogue->used; i++) {
		if (catalogue->known[i])
			free((void *)catalogue->known[i]->labels);
		free(catalogue->known[i]);
	}
	free(catalogue->known);
	free(catalogue->unused);
	free(catalogue->buckets);
}

static uint64_t hash(const char *name)
{
	return text_hash(TEXT_HASH, name, strlen(name));
}

static struct known **bucket_of(const struct catalogue *catalogue, uint64_t sum)
{
	return &catalogue->buckets[sum & (catalogue->bucket_count - 1)];
}

struct known *catalogue_find(const struct catalogue *catalogue, const char *name)
{
	uint64_t sum = hash(name);
	struct known *known = *bucket_of(catalogue, sum);

	while (known && (known->hash != sum || strcmp(known->instance.name, name) != 0))
		known = known->next;
	return known;
}

/* --- labels ------------------------------------------------------------------------------------------------------ */

/* One block: the pointers, and all texts. */
static const char *const *copy_labels(const struct batch *batch, size_t row)
{
	size_t count = batch->label_count, size = 0;
	const char **labels;
	char *text;

	if (count == 0)
		return NULL;
	for (size_t i = 0; i < count; i++)
		size += strlen(batch_label(batch, row, i)) + 1;
	labels = memory_alloc(count * sizeof(char *) + size);
	text = (char *)(labels + count);
	for (size_t i = 0; i < count; i++) {
		labels[i] = strcpy(text, batch_label(batch, row, i));
		text += strlen(text) + 1;
	}
	return labels;
}

static bool labelled(const struct known *known, const struct batch *batch, size_t row)
{
	for (size_t i = 0; i < batch->label_count; i++)
		if (strcmp(known->labels[i], batch_label(batch, row, i)) != 0)
			return false;
	return true;
}

void *catalogue_relabel(struct known *known, const struct batch *batch, size_t row)
{
	void *old = (void *)known->labels;

	if (labelled(known, batch, row))
		return NULL;
	known->labels = copy_labels(batch, row);
	return old;
}

/* --- coming and going -------------------------------------------------------------------------------------------- */

static void enter(struct catalogue *catalogue, struct known *known)
{
	struct known **bucket = bucket_of(catalogue, known->hash);

	known->next = *bucket;
	*bucket = known;
}

/* At most one instance a bucket, on average. */
static void spread(struct catalogue *catalogue)
{
	free(catalogue->buckets);
	catalogue->bucket_count *= 2;
	catalogue->buckets = memory_array(catalogue->bucket_count, sizeof(struct known *));
	for (size_t i = 0; i < catalogue->used; i++)
		if (catalogue->known[i])
			enter(catalogue, catalogue->known[i]);
}

static size_t take_index(struct catalogue *catalogue)
{
	if (catalogue->used > catalogue->count)
		return catalogue->unused[catalogue->used - catalogue->count - 1];
	if (catalogue->used == catalogue->room) {
		catalogue->room = catalogue->room ? 2 * catalogue->room : 8;
		catalogue->known = memory_resize(catalogue->known, catalogue->room, sizeof(struct known *));
		catalogue->unused = memory_resize(catalogue->unused, catalogue->room, sizeof(size_t));
	}
	return catalogue->used++;
}

static struct known *add(struct catalogue *catalogue, const struct batch *batch, size_t row)
{
	size_t size = sizeof(struct known) + catalogue->family->field_count * sizeof(double);
	const char *name = batch_name(batch, row);
	struct known *known = memory_alloc(size + strlen(name) + 1);

	known->hash = hash(name);
	known->instance.name = strcpy((char *)known + size, name);
	known->instance.index = take_index(catalogue);
	known->labels = copy_labels(batch, row);
	for (size_t i = 0; i < catalogue->family->field_count; i++)
		known->values[i] = NAN;
	catalogue->known[known->instance.index] = known;
	catalogue->count++;
	enter(catalogue, known);
	if (catalogue->count > catalogue->bucket_count)
		spread(catalogue);
	known->gone = true;
	return known;
}

struct known *catalogue_intern(struct catalogue *catalogue, const struct batch *batch, size_t row)
{
	const char *name = batch_name(batch, row);
	struct known *known = row < catalogue->used ? catalogue->known[row] : NULL;

	/* Rows mostly come in the order in which they first came: then nothing has to be searched. */
	if (!known || strcmp(known->instance.name, name) != 0)
		known = catalogue_find(catalogue, name);
	return known ? known : add(catalogue, batch, row);
}

void catalogue_remove(struct catalogue *catalogue, struct known *known)
{
	struct known **link = bucket_of(catalogue, known->hash);

	while (*link != known)
		link = &(*link)->next;
	*link = known->next;
	catalogue->known[known->instance.index] = NULL;
	catalogue->unused[catalogue->used - catalogue->count--] = known->instance.index;
}

void catalogue_return(struct catalogue *catalogue, struct known *known)
{
	known->gone = false;
	known->told = 0;
	known->next_here = catalogue->here;
	catalogue->here = known;
}

void catalogue_reset(struct catalogue *catalogue)
{
	catalogue->time = catalogue->tick = 0;
	for (size_t i = 0; i < catalogue->used; i++) {
		struct known *known = catalogue->known[i];

		if (!known)
			continue;
		if (known->gone)
			catalogue_return(catalogue, known);
		known->present = false;
		known->time = known->clock = known->tick = 0;
		for (size_t field = 0; field < catalogue->family->field_count; field++)
			known->values[field] = NAN;
	}
}
