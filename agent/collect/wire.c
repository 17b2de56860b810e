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

void wire_put_kind(struct message *message, enum wire_kind kind)
{
	const uint8_t byte = (uint8_t)kind;

	message_put(message, &byte, sizeof(byte));
}

enum wire_kind wire_get_kind(struct message *message)
{
	uint8_t byte;

	return message_get(message, &byte, sizeof(byte)) && byte <= WIRE_ASK ? (enum wire_kind)byte : WIRE_NONE;
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

/* --- what runs pindrop.lua ------------------------------------------------------------------------------------ */

void wire_put_script(struct message *message, const struct script_setup *setup)
{
	uint64_t memory = setup->limits.memory;

	message_put_text(message, setup->file);
	message_put_text(message, setup->text);
	message_put_text(message, setup->root);
	message_put(message, &setup->limits.time, sizeof(setup->limits.time));
	message_put(message, &memory, sizeof(memory));
}

bool wire_get_script(struct message *message, struct script_setup *setup)
{
	uint64_t memory;

	if (!message_get_text(message, &setup->file) || !message_get_text(message, &setup->text) ||
	    !message_get_text(message, &setup->root) ||
	    !message_get(message, &setup->limits.time, sizeof(setup->limits.time)) ||
	    !message_get(message, &memory, sizeof(memory)))
		return false;
	setup->limits.memory = (size_t)memory;
	return setup->file && setup->root;
}

void wire_put_collector(struct message *message, const struct wire_collector *collector)
{
	uint32_t count = (uint32_t)collector->field_count;

	message_put_text(message, collector->name);
	put_flag(message, collector->instances);
	message_put(message, &count, sizeof(count));
	for (uint32_t i = 0; i < count; i++)
		message_put_text(message, collector->fields[i]);
}

bool wire_get_collector(struct message *message, struct wire_collector *collector)
{
	uint32_t count;
	bool good = true;

	*collector = (struct wire_collector){0};
	if (!message_get_text(message, &collector->name) || !get_flag(message, &collector->instances) ||
	    !message_get(message, &count, sizeof(count)) || count > message->length)
		return false;
	collector->fields = memory_array(count, sizeof(char *));
	for (; collector->field_count < count && good; collector->field_count++)
		good = message_get_text(message, &collector->fields[collector->field_count]) &&
		       collector->fields[collector->field_count];
	if (good)
		return true;
	free((void *)collector->fields);
	collector->fields = NULL;
	return false;
}

void wire_put_ask(struct message *message, const char *metric, const char *instance)
{
	message_put_text(message, metric);
	message_put_text(message, instance);
}

bool wire_get_ask(struct message *message, const char **metric, const char **instance)
{
	return message_get_text(message, metric) && *metric && message_get_text(message, instance) && *instance;
}

void wire_put_value(struct message *message, double value, const char *text, const struct error *error)
{
	message_put_text(message, error ? error->text : NULL);
	if (error)
		return;
	message_put(message, &value, sizeof(value));
	message_put_text(message, text);
}

int wire_get_value(struct message *message, double *value, const char **text, struct error *error)
{
	const char *words;

	if (!message_get_text(message, &words))
		return -1;
	if (words) {
		error_set(error, "%s", words);
		return 0;
	}
	return message_get(message, value, sizeof(*value)) && message_get_text(message, text) ? 1 : -1;
}

/* In the order in which they travel. */
#define WINDOW_NUMBERS 9
static void list_numbers(struct script_window *window, double *numbers[WINDOW_NUMBERS])
{
	double *const all[WINDOW_NUMBERS] = {&window->over, &window->samples, &window->unknown,
	                                     &window->min,  &window->max,     &window->avg,
	                                     &window->sum,  &window->last,    &window->stddev};

	memcpy(numbers, all, sizeof(all));
}

void wire_put_window(struct message *message, const char *name, const struct script_window *window, double value)
{
	struct script_window copy = *window;
	uint32_t count = (uint32_t)window->count;
	double *numbers[WINDOW_NUMBERS];

	message_put_text(message, name);
	message_put(message, &value, sizeof(value));
	list_numbers(&copy, numbers);
	for (size_t i = 0; i < WINDOW_NUMBERS; i++)
		message_put(message, numbers[i], sizeof(double));
	message_put(message, &count, sizeof(count));
	message_put(message, window->values, count * sizeof(double));
	message_put(message, window->times, count * sizeof(double));
}

bool wire_get_window(struct message *message, const char **name, struct script_window *window, double *value,
                     double **block)
{
	double *numbers[WINDOW_NUMBERS];
	bool good = message_get_text(message, name) && *name && message_get(message, value, sizeof(*value));
	uint32_t count;

	*block = NULL;
	list_numbers(window, numbers);
	for (size_t i = 0; i < WINDOW_NUMBERS && good; i++)
		good = message_get(message, numbers[i], sizeof(double));
	if (!good || !message_get(message, &count, sizeof(count)) || count > message->length)
		return false;
	*block = memory_array(2 * (size_t)count, sizeof(double));
	window->count = count;
	window->values = *block;
	window->times = *block + count;
	if (message_get(message, *block, 2 * (size_t)count * sizeof(double)))
		return true;
	free(*block);
	*block = NULL;
	return false;
}
