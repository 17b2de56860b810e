#include "collect/wire.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* A flag travels as a byte: one that is neither 0 nor 1 must not become a bool. */
static void put_flag(struct message *message, bool flag)
{
	const uint8_t byte = flag;

	message_put(message, &byte, sizeof(byte));
}

static bool get_flag(struct message *message, bool *flag)
{
	uint8_t byte;

	if (!message_get(message, &byte, sizeof(byte)))
		return false;
	*flag = byte != 0;
	return true;
}

/* --- options ------------------------------------------------------------------------------------------------ */

static void put_list(struct message *message, const char *const *list)
{
	uint32_t count = 0;

	while (list[count])
		count++;
	message_put(message, &count, sizeof(count));
	for (uint32_t i = 0; i < count; i++)
		message_put_text(message, list[i]);
}

void wire_put_options(struct message *message, const struct pindrop_plugin *table, const union pindrop_value *values)
{
	for (size_t i = 0; i < table->option_count; i++) {
		switch (table->options[i].type) {
		case PINDROP_BOOL:
			put_flag(message, values[i].flag);
			break;
		case PINDROP_STRING:
			message_put_text(message, values[i].text);
			break;
		case PINDROP_STRINGS:
		case PINDROP_PATTERNS:
			put_list(message, values[i].list);
			break;
		default:
			message_put(message, &values[i].number, sizeof(values[i].number));
		}
	}
}

static bool get_list(struct message *message, union pindrop_value *value)
{
	const char **list;
	uint32_t count;
	bool good = true;

	/* Each text takes at least its length: a count beyond that is none. */
	if (!message_get(message, &count, sizeof(count)) || count > message->length)
		return false;
	list = memory_array(count + 1, sizeof(char *));
	for (uint32_t i = 0; i < count && good; i++)
		good = message_get_text(message, &list[i]);
	value->list = list;
	return good;
}

union pindrop_value *wire_get_options(struct message *message, const struct pindrop_plugin *table)
{
	union pindrop_value *values = memory_array(table->option_count, sizeof(*values));
	bool good = true;

	for (size_t i = 0; i < table->option_count && good; i++) {
		switch (table->options[i].type) {
		case PINDROP_BOOL:
			good = get_flag(message, &values[i].flag);
			break;
		case PINDROP_STRING:
			good = message_get_text(message, &values[i].text);
			break;
		case PINDROP_STRINGS:
		case PINDROP_PATTERNS:
			good = get_list(message, &values[i]);
			break;
		default:
			good = message_get(message, &values[i].number, sizeof(values[i].number));
		}
	}
	for (size_t i = 0; i < table->option_count && !good; i++)
		if (table->options[i].type == PINDROP_STRINGS || table->options[i].type == PINDROP_PATTERNS)
			free((void *)values[i].list);
	if (good)
		return values;
	free(values);
	return NULL;
}

/* --- replies ------------------------------------------------------------------------------------------------ */

void wire_put_reply(struct message *message, const struct batch *batch, const struct error *error)
{
	uint32_t rows = (uint32_t)batch->row_count;

	message_put_text(message, error ? error->text : NULL);
	if (error)
		return;
	message_put(message, &batch->duration, sizeof(batch->duration));
	message_put(message, &rows, sizeof(rows));
	for (size_t row = 0; row < rows; row++) {
		message_put_text(message, batch_name(batch, row));
		put_flag(message, batch->rows[row].summed);
		for (size_t label = 0; label < batch->label_count; label++)
			message_put_text(message, batch_label(batch, row, label));
		message_put(message, batch_values(batch, row), batch->field_count * sizeof(double));
	}
}

static bool get_row(struct message *message, struct batch *batch, const char **labels)
{
	const char *name;
	bool summed, good;
	double *values;

	good = message_get_text(message, &name) && name && get_flag(message, &summed);
	for (size_t i = 0; i < batch->label_count && good; i++)
		good = message_get_text(message, &labels[i]);
	if (!good)
		return false;
	values = batch_add(batch, name, labels);
	batch->rows[batch->row_count - 1].summed = summed;
	return message_get(message, values, batch->field_count * sizeof(double));
}

int wire_get_reply(struct message *message, struct batch *batch, struct error *error)
{
	const char **labels, *words;
	uint32_t rows;
	bool good;

	if (!message_get_text(message, &words))
		return -1;
	if (words) {
		error_set(error, "%s", words);
		return 0;
	}
	if (!message_get(message, &batch->duration, sizeof(batch->duration)) || !message_get(message, &rows, sizeof(rows)))
		return -1;
	labels = memory_array(batch->label_count, sizeof(char *));
	good = true;
	for (uint32_t i = 0; i < rows && good; i++)
		good = get_row(message, batch, labels);
	free(labels);
	return good ? 1 : -1;
}
