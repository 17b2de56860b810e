#include "base/text.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct unit {
	const char *name;
	double factor;
};

/* The first of each factor is how it is written; "" is what a plain number means. */
static const struct unit durations[] = {
	{"y", 365.0 * 86400}, {"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}, {"ms", 1e-3}, {"", 1},
};
static const struct unit sizes[] = {
	{"TB", 1e12},        {"GB", 1e9},      {"MB", 1e6},   {"kB", 1e3},
	{"KB", 1e3},         {"B", 1},         {"", 1},       {"TiB", 1099511627776.0},
	{"GiB", 1073741824}, {"MiB", 1048576}, {"KiB", 1024},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool parse_amount(const char *text, const struct unit *units, size_t count, double *value)
{
	char *rest;
	double number;

	/* strtod(3) would also take signs, spaces, "inf", "nan" and hexadecimal numbers. */
	if (text[0] != '.' && (text[0] < '0' || text[0] > '9'))
		return false;
	if (text[strspn(text, "0123456789")] == 'x' || text[strspn(text, "0123456789")] == 'X')
		return false;
	number = strtod(text, &rest);
	if (rest == text || !isfinite(number))
		return false;
	while (*rest == ' ')
		rest++;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(rest, units[i].name) != 0)
			continue;
		number *= units[i].factor;
		if (isfinite(number))
			*value = number;
		return isfinite(number);
	}
	return false;
}

bool text_duration(const char *text, double *seconds)
{
	return parse_amount(text, durations, COUNT(durations), seconds);
}

bool text_size(const char *text, double *bytes)
{
	return parse_amount(text, sizes, COUNT(sizes), bytes);
}

char *text_from_duration(double seconds, char text[TEXT_AMOUNT_SIZE])
{
	for (size_t i = 0; i < COUNT(durations) - 1; i++) {
		double amount = seconds / durations[i].factor;

		/* 0.1 s is 100 ms, although neither is a binary fraction. What has more digits than a double is left as it is. */
		if (amount >= 1 && amount < 1e15 && fabs(amount - round(amount)) < 1e-9 * amount) {
			snprintf(text, TEXT_AMOUNT_SIZE, "%.0f%s", round(amount), durations[i].name);
			return text;
		}
	}
	snprintf(text, TEXT_AMOUNT_SIZE, "%.9gs", seconds);
	return text;
}

char *text_from_span(double seconds, char text[TEXT_AMOUNT_SIZE])
{
	static const struct {
		double factor;
		const char *name;
	} units[] = {{365 * 86400.0, "y"}, {86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
	size_t unit = 0;

	/* What is a unit but for the third digit is called one: 59.97 s are 1 min. */
	while (unit < COUNT(units) - 1 && seconds < 0.9995 * units[unit].factor)
		unit++;
	snprintf(text, TEXT_AMOUNT_SIZE, "%.3g %s", seconds / units[unit].factor, units[unit].name);
	return text;
}

char *text_from_size(double bytes, char text[TEXT_AMOUNT_SIZE])
{
	for (size_t i = 0; i < 4; i++) {
		if (bytes < sizes[i].factor)
			continue;
		snprintf(text, TEXT_AMOUNT_SIZE, "%.1f %s", bytes / sizes[i].factor, sizes[i].name);
		return text;
	}
	snprintf(text, TEXT_AMOUNT_SIZE, "%.0f B", bytes);
	return text;
}

/* --- names of files ----------------------------------------------------------------------------------------- */

static bool is_plain(const char *text, size_t at)
{
	char c = text[at];

	/* A dot in the first place would make a hidden file, or be the folder itself. */
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
	       (c == '.' && at > 0);
}

char *text_percent_encode(const char *text)
{
	char *encoded = memory_array(3 * strlen(text) + 1, 1), *end = encoded;

	for (size_t i = 0; text[i]; i++) {
		if (is_plain(text, i))
			*end++ = text[i];
		else
			end += sprintf(end, "%%%02X", (unsigned char)text[i]);
	}
	return encoded;
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789ABCDEF0123456789abcdef";
	const char *found = c ? strchr(digits, c) : NULL;

	return found ? (int)((found - digits) % 16) : -1;
}

char *text_percent_decode(const char *text)
{
	char *decoded = memory_array(strlen(text) + 1, 1), *end = decoded;

	for (size_t i = 0; text[i]; i++) {
		int high = text[i] == '%' ? hex_digit(text[i + 1]) : -1;
		int low = high >= 0 ? hex_digit(text[i + 2]) : -1;

		if (low >= 0) {
			*end++ = (char)(16 * high + low);
			i += 2;
		} else {
			*end++ = text[i];
		}
	}
	return decoded;
}

/* --- did you mean ------------------------------------------------------------------------------------------- */

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The number of letters to insert, delete, change or swap with their neighbour (optimal string alignment). */
static size_t distance(const char *a, const char *b)
{
	size_t rows = strlen(a) + 1, columns = strlen(b) + 1, result;
	size_t *d = memory_array(rows * columns, sizeof(*d));

	for (size_t i = 0; i < rows; i++)
		d[i * columns] = i;
	for (size_t k = 0; k < columns; k++)
		d[k] = k;
	for (size_t i = 1; i < rows; i++) {
		for (size_t k = 1; k < columns; k++) {
			size_t *here = &d[i * columns + k];

			*here = least(least(here[-1], *(here - columns)) + 1, *(here - columns - 1) + (a[i - 1] != b[k - 1]));
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
				*here = least(*here, *(here - 2 * columns - 2) + 1);
		}
	}
	result = d[rows * columns - 1];
	free(d);
	return result;
}

const char *text_nearest(const char *word, const char *const *candidates)
{
	const char *nearest = NULL;
	size_t best = SIZE_MAX;

	for (size_t i = 0; candidates[i]; i++) {
		size_t wrong = distance(word, candidates[i]), length = strlen(word), other = strlen(candidates[i]);

		if (wrong < best && 3 * wrong <= (length > other ? length : other)) {
			best = wrong;
			nearest = candidates[i];
		}
	}
	return nearest;
}

static const char *skip_number(const char *text)
{
	while ((*text >= '0' && *text <= '9') || *text == '.')
		text++;
	return text;
}

bool text_same_words(const char *a, const char *b)
{
	for (a = skip_number(a), b = skip_number(b); *a && *a == *b; a = skip_number(a + 1), b = skip_number(b + 1))
		continue;
	return *a == *b;
}

bool text_same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

uint64_t text_hash(uint64_t hash, const void *bytes, size_t length)
{
	const unsigned char *byte = bytes;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
	return hash;
}

bool text_is_name(const char *text, bool dots)
{
	size_t length =
		text ? strspn(text, dots ? "abcdefghijklmnopqrstuvwxyz0123456789_." : "abcdefghijklmnopqrstuvwxyz0123456789_")
			 : 0;

	return length > 0 && !text[length] && text[0] >= 'a' && text[0] <= 'z' && text[length - 1] != '.' &&
	       !strstr(text, "..");
}

void text_list_add(struct text_list *list, char *text)
{
	list->texts = memory_resize(list->texts, list->count + 1, sizeof(char *));
	list->texts[list->count++] = text;
}

void text_list_release(struct text_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->texts[i]);
	free(list->texts);
	*list = (struct text_list){0};
}

size_t text_sequence(const char *text, size_t length)
{
	const unsigned char *bytes = (const unsigned char *)text;
	size_t count = bytes[0] < 0x80                        ? 1
	               : bytes[0] >= 0xC2 && bytes[0] <= 0xDF ? 2
	               : bytes[0] >= 0xE0 && bytes[0] <= 0xEF ? 3
	               : bytes[0] >= 0xF0 && bytes[0] <= 0xF4 ? 4
	                                                      : 0;

	if (count > length)
		return 0;
	for (size_t i = 1; i < count; i++)
		if ((bytes[i] & 0xC0) != 0x80)
			return 0;
	/* Too long for what it says, half of a surrogate pair, or beyond the last. */
	if ((bytes[0] == 0xE0 && bytes[1] < 0xA0) || (bytes[0] == 0xED && bytes[1] > 0x9F) ||
	    (bytes[0] == 0xF0 && bytes[1] < 0x90) || (bytes[0] == 0xF4 && bytes[1] > 0x8F))
		return 0;
	return count;
}
