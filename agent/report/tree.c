#include "report/tree.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "report/report.h"

/* Beyond this a double is no exact integer any more. */
#define INTEGER_MAX 9007199254740992.0

json_t *tree_number(double value, int decimals)
{
	char text[400];

	if (!isfinite(value))
		return json_null();
	snprintf(text, sizeof(text), "%.*f", decimals, value);
	if (decimals == 0 && fabs(value) < INTEGER_MAX)
		return json_integer(strtoll(text, NULL, 10));
	return json_real(strtod(text, NULL));
}

json_t *tree_value(double value)
{
	if (!isfinite(value))
		return json_null();
	return value == floor(value) && fabs(value) < INTEGER_MAX ? json_integer((json_int_t)value) : json_real(value);
}

json_t *tree_time(int64_t wall)
{
	return wall ? json_real(clock_seconds(wall)) : json_null();
}

json_t *tree_text(const char *text)
{
	json_t *value = text ? json_string(text) : json_null();
	char *ascii;

	if (value)
		return value;
	ascii = memory_text(text);
	for (char *c = ascii; *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	value = json_string(ascii);
	free(ascii);
	return value;
}

const char *tree_kind(const struct pindrop_field *field)
{
	return field->kind == PINDROP_GAUGE ? "gauge" : "counter";
}

json_t *tree_unit(const struct pindrop_field *field)
{
	char *rate;
	json_t *unit;

	if (field->kind == PINDROP_GAUGE)
		return tree_text(field->unit);
	rate = memory_format("%s/s", field->unit);
	unit = tree_text(rate);
	free(rate);
	return unit;
}

void tree_set(json_t *root, const char *place, json_t *value)
{
	const char *dot;

	for (; (dot = strchr(place, '.')); place = dot + 1) {
		char *name = memory_format("%.*s", (int)(dot - place), place);
		json_t *next = json_object_get(root, name);

		if (!json_is_object(next)) {
			next = json_object();
			json_object_set_new(root, name, next);
		}
		free(name);
		root = next;
	}
	json_object_set_new(root, place, value);
}

/* 15 digits: every decimal number of so many digits comes out as it went in. */
char *tree_end(json_t *root)
{
	char *text = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(15));

	json_decref(root);
	return text;
}

char *report_error(const char *format, ...)
{
	char words[1024];
	json_t *root = json_object();
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	tree_set(root, "error", tree_text(words));
	return tree_end(root);
}
