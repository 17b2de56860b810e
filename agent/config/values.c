#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "config/draft.h"
#include "config/options.h"

/* --- presets ------------------------------------------------------------------------------------------------ */

static const char *const no_strings[] = {NULL};

/* Presets were checked by the loader, or stand in options.c. */
static void preset_one(struct draft *draft, const struct pindrop_option *option, union pindrop_value *value)
{
	*value = (union pindrop_value){0};
	switch ((int)option->type) {
	case PINDROP_BOOL:
		value->flag = option->preset && strcmp(option->preset, "true") == 0;
		break;
	case PINDROP_INTEGER:
	case PINDROP_NUMBER:
		value->number = option->preset ? strtod(option->preset, NULL) : 0;
		break;
	case PINDROP_DURATION:
		if (option->preset)
			text_duration(option->preset, &value->number);
		break;
	case PINDROP_SIZE:
		if (option->preset)
			text_size(option->preset, &value->number);
		break;
	case PINDROP_STRING:
	case OPTION_FUNCTION:
	case OPTION_TEXT_OR_FUNCTION:
	case OPTION_METRICS:
		value->text = option->preset ? draft_keep(draft, memory_text(option->preset)) : NULL;
		break;
	case PINDROP_STRINGS:
	case PINDROP_PATTERNS:
		value->list = no_strings;
		break;
	}
}

void values_preset(struct draft *draft, const struct pindrop_option *options, size_t count, union pindrop_value *values)
{
	for (size_t i = 0; i < count; i++)
		preset_one(draft, &options[i], &values[i]);
}

/* --- reading ------------------------------------------------------------------------------------------------ */

/* What a value is, for people: `"soon"`, `3`, `a table`. A new text. */
static char *name_value(const json_t *value)
{
	const char *other = json_string_value(json_object_get(value, "$type"));

	if (other)
		return memory_format("a %s", other);
	if (json_is_object(value) || json_is_array(value))
		return memory_text("a table");
	return json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(10));
}

static const char *expected(enum pindrop_type type)
{
	static const char *const words[] = {
		[PINDROP_BOOL] = "true or false",
		[PINDROP_INTEGER] = "a whole number",
		[PINDROP_NUMBER] = "a number",
		[PINDROP_DURATION] = "a duration (seconds, or \"100ms\", \"10s\", \"5m\", \"1h\", \"7d\", \"2y\")",
		[PINDROP_SIZE] = "a size (bytes, or \"500MB\", \"1GB\", \"64KiB\")",
		[PINDROP_STRING] = "a text",
		[PINDROP_STRINGS] = "a list of texts, { \"…\", \"…\" }",
		[PINDROP_PATTERNS] = "a list of patterns, { \"…\", \"…\" }",
	};

	switch ((int)type) {
	case OPTION_FUNCTION:
		return "a function";
	case OPTION_TEXT_OR_FUNCTION:
		return "a text or a function";
	case OPTION_METRICS:
		return "a table of metrics, { depth = { unit = \"jobs\" }, … } or { \"depth\", … }";
	default:
		return words[type];
	}
}

static bool mistype(struct draft *draft, const struct pindrop_option *option, const json_t *value)
{
	char *name = name_value(value);

	draft_mistake(draft, "\"%s\" must be %s, not %s", option->name, expected(option->type), name);
	free(name);
	return false;
}

static bool read_number(struct draft *draft, const struct pindrop_option *option, const json_t *json,
                        union pindrop_value *value)
{
	const char *text = json_string_value(json);
	double number = json_number_value(json);
	bool good = json_is_number(json);

	if (text && option->type == PINDROP_DURATION)
		good = text_duration(text, &number);
	else if (text && option->type == PINDROP_SIZE)
		good = text_size(text, &number);
	if (good && option->type == PINDROP_INTEGER)
		good = number == floor(number);
	if (!good)
		return mistype(draft, option, json);
	if ((option->min < option->max) && (number < option->min || number > option->max)) {
		char least[TEXT_AMOUNT_SIZE], most[TEXT_AMOUNT_SIZE];
		bool time = option->type == PINDROP_DURATION;

		snprintf(least, sizeof(least), "%.10g", option->min);
		snprintf(most, sizeof(most), "%.10g", option->max);
		return draft_mistake(draft, "\"%s\" must lie between %s and %s", option->name,
		                     time ? text_from_duration(option->min, least) : least,
		                     time ? text_from_duration(option->max, most) : most);
	}
	value->number = number;
	return true;
}

static bool check_pattern(struct draft *draft, const struct pindrop_option *option, const char *pattern)
{
	regex_t compiled;
	char words[128];
	int failure = regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB);

	if (!failure) {
		regfree(&compiled);
		return true;
	}
	regerror(failure, &compiled, words, sizeof(words));
	return draft_mistake(draft, "\"%s\": \"%s\" is no POSIX extended regular expression: %s", option->name, pattern,
	                     words);
}

static bool read_list(struct draft *draft, const struct pindrop_option *option, const json_t *json,
                      union pindrop_value *value)
{
	/* An empty table of Lua is an empty object. */
	bool empty = json_is_object(json) && json_object_size(json) == 0;
	size_t count = json_array_size(json);
	const char **list;
	bool good = true;

	if (!json_is_array(json) && !empty)
		return mistype(draft, option, json);
	list = draft_keep(draft, memory_array(count + 1, sizeof(char *)));
	for (size_t i = 0; i < count; i++) {
		const char *text = json_string_value(json_array_get(json, i));

		if (!text)
			return mistype(draft, option, json_array_get(json, i));
		if (option->type == PINDROP_PATTERNS)
			good = check_pattern(draft, option, text) && good;
		list[i] = draft_keep(draft, memory_text(text));
	}
	value->list = list;
	return good;
}

static bool is_function(const json_t *value)
{
	const char *type = json_string_value(json_object_get(value, "$type"));

	return type && strcmp(type, "function") == 0;
}

/* The types of options.h, whose value is a text. */
static bool read_own(struct draft *draft, const struct pindrop_option *option, const json_t *json,
                     union pindrop_value *value)
{
	bool function = option->type != OPTION_METRICS && is_function(json);
	bool text = option->type == OPTION_TEXT_OR_FUNCTION && json_is_string(json);
	bool metrics = option->type == OPTION_METRICS && (json_is_array(json) || json_is_object(json)) &&
	               !json_object_get(json, "$type");

	if (function)
		value->text = option_function;
	else if (text)
		value->text = draft_keep(draft, memory_text(json_string_value(json)));
	else if (metrics)
		value->text = draft_keep(draft, json_dumps(json, JSON_SORT_KEYS | JSON_COMPACT));
	return function || text || metrics || mistype(draft, option, json);
}

static bool read_one(struct draft *draft, const struct pindrop_option *option, const json_t *json,
                     union pindrop_value *value)
{
	switch ((int)option->type) {
	case PINDROP_BOOL:
		value->flag = json_is_true(json);
		return json_is_boolean(json) || mistype(draft, option, json);
	case PINDROP_STRING:
		if (!json_is_string(json))
			return mistype(draft, option, json);
		value->text = draft_keep(draft, memory_text(json_string_value(json)));
		return true;
	case PINDROP_STRINGS:
	case PINDROP_PATTERNS:
		return read_list(draft, option, json, value);
	case OPTION_FUNCTION:
	case OPTION_TEXT_OR_FUNCTION:
	case OPTION_METRICS:
		return read_own(draft, option, json, value);
	default:
		return read_number(draft, option, json, value);
	}
}

static bool tell_unknown(struct draft *draft, const struct pindrop_option *options, size_t count, const char *key)
{
	const char **names = memory_array(count + 1, sizeof(char *)), *nearest;

	for (size_t i = 0; i < count; i++)
		names[i] = options[i].name;
	nearest = text_nearest(key, names);
	free(names);
	if (nearest)
		return draft_mistake(draft, "unknown option \"%s\" (did you mean \"%s\"?)", key, nearest);
	return draft_mistake(draft, "unknown option \"%s\"", key);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Lua keeps no order: mistakes come in that of the names. Ended by NULL, for free(). */
static const char **sort_keys(const json_t *object)
{
	const char **keys = memory_array(json_object_size(object) + 1, sizeof(char *)), *key;
	json_t *value;
	size_t count = 0;

	json_object_foreach((json_t *)object, key, value)
	{
		keys[count++] = key;
	}
	qsort(keys, count, sizeof(*keys), by_name);
	return keys;
}

bool values_read(struct draft *draft, const json_t *object, const struct pindrop_option *options, size_t count,
                 union pindrop_value *values)
{
	const char **keys;
	bool good = true;

	if (!json_is_object(object) || json_object_get(object, "$type")) {
		char *name = name_value(object);

		draft_mistake(draft, "takes a table with names, { name = value, … }, not %s",
		              json_is_array(object) ? "a list" : name);
		free(name);
		return false;
	}
	keys = sort_keys(object);
	for (size_t k = 0; keys[k]; k++) {
		size_t i = 0;

		while (i < count && strcmp(options[i].name, keys[k]) != 0)
			i++;
		good = (i < count ? read_one(draft, &options[i], json_object_get(object, keys[k]), &values[i])
		                  : tell_unknown(draft, options, count, keys[k])) &&
		       good;
	}
	free(keys);
	return good;
}

/* --- and back ----------------------------------------------------------------------------------------------- */

static json_t *duration_to_json(double seconds)
{
	char text[TEXT_AMOUNT_SIZE];

	return json_string(text_from_duration(seconds, text));
}

static json_t *number_to_json(double number)
{
	return number == floor(number) && fabs(number) < 9e15 ? json_integer((json_int_t)number) : json_real(number);
}

static json_t *list_to_json(const char *const *list)
{
	json_t *array = json_array();

	for (size_t i = 0; list[i]; i++)
		json_array_append_new(array, json_string(list[i]));
	return array;
}

static json_t *one_to_json(const struct pindrop_option *option, const union pindrop_value *value)
{
	switch ((int)option->type) {
	case PINDROP_BOOL:
		return json_boolean(value->flag);
	case PINDROP_DURATION:
		/* Who says nothing. */
		return value->number == 0 && !option->preset ? NULL : duration_to_json(value->number);
	case OPTION_METRICS:
		return value->text ? json_loads(value->text, 0, NULL) : NULL;
	case OPTION_FUNCTION:
	case OPTION_TEXT_OR_FUNCTION:
	case PINDROP_STRING:
		if (value->text == option_function)
			return json_pack("{ss}", "$type", "function");
		return value->text ? json_string(value->text) : NULL;
	case PINDROP_STRINGS:
	case PINDROP_PATTERNS:
		return list_to_json(value->list);
	default:
		return number_to_json(value->number);
	}
}

json_t *values_to_json(const struct pindrop_option *options, size_t count, const union pindrop_value *values)
{
	json_t *object = json_object();

	for (size_t i = 0; i < count; i++) {
		json_t *value = one_to_json(&options[i], &values[i]);

		if (value)
			json_object_set_new(object, options[i].name, value);
	}
	return object;
}
