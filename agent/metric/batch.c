/* metric/batch.c: one sample of one family. */
#include "metric/batch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void batch_begin(struct batch *batch, size_t family, size_t field_count, size_t label_count)
{
	batch->family = family;
	/* The room for values is row_room rows of field_count: with other fields it is another room. */
	if (batch->field_count != field_count) {
		free(batch->values);
		batch->values = NULL;
		free(batch->rows);
		batch->rows = NULL;
		batch->row_room = 0;
	}
	batch->field_count = field_count;
	batch->label_count = label_count;
	batch->tick = batch->time = batch->clock = batch->duration = 0;
	batch->on_tick = batch->fresh = false;
	batch->life = 0;
	batch->row_count = 0;
	batch->text_length = 0;
}

void batch_release(struct batch *batch)
{
	free(batch->rows);
	free(batch->values);
	free(batch->text);
	*batch = (struct batch){0};
}

static void *copy_block(void *old, size_t *room, const void *from, size_t count, size_t size)
{
	if (*room < count) {
		old = memory_resize(old, count, size);
		*room = count;
	}
	if (count)
		memcpy(old, from, count * size);
	return old;
}

void batch_copy(struct batch *to, const struct batch *from)
{
	struct batch copy = *from;
	size_t row_room;

	/* Makes the room for values fit the number of fields. */
	batch_begin(to, from->family, from->field_count, from->label_count);
	row_room = to->row_room;
	copy.values = copy_block(to->values, &row_room, from->values, from->row_count, from->field_count * sizeof(double));
	copy.row_room = to->row_room;
	copy.rows = copy_block(to->rows, &copy.row_room, from->rows, from->row_count, sizeof(*from->rows));
	copy.text_room = to->text_room;
	copy.text = copy_block(to->text, &copy.text_room, from->text, from->text_length, 1);
	*to = copy;
}

/* Copies a text with its NUL behind the others and returns where it begins. */
static size_t keep(struct batch *batch, const char *text)
{
	size_t at = batch->text_length, size = strlen(text) + 1;

	if (batch->text_room - at < size) {
		batch->text_room = 2 * batch->text_room + size + 64;
		batch->text = memory_resize(batch->text, batch->text_room, 1);
	}
	memcpy(batch->text + at, text, size);
	batch->text_length = at + size;
	return at;
}

double *batch_add(struct batch *batch, const char *name, const char *const *labels)
{
	struct batch_row *row;
	double *values;

	if (batch->row_count == batch->row_room) {
		batch->row_room = batch->row_room ? 2 * batch->row_room : 8;
		batch->rows = memory_resize(batch->rows, batch->row_room, sizeof(*batch->rows));
		batch->values = memory_resize(batch->values, batch->row_room, batch->field_count * sizeof(*batch->values));
	}
	row = &batch->rows[batch->row_count];
	*row = (struct batch_row){.name = keep(batch, name ? name : ""), .labels = batch->text_length, .summed = true};
	for (size_t i = 0; i < batch->label_count; i++)
		keep(batch, labels && labels[i] ? labels[i] : "");
	values = batch->values + batch->row_count++ * batch->field_count;
	for (size_t i = 0; i < batch->field_count; i++)
		values[i] = NAN;
	return values;
}

const char *batch_name(const struct batch *batch, size_t row)
{
	return batch->text + batch->rows[row].name;
}

const double *batch_values(const struct batch *batch, size_t row)
{
	return batch->values + row * batch->field_count;
}

const char *batch_label(const struct batch *batch, size_t row, size_t label)
{
	const char *text = batch->text + batch->rows[row].labels;

	while (label--)
		text += strlen(text) + 1;
	return text;
}
