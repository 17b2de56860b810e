#include "top/amount.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static bool is_bytes(const char *unit)
{
	return strcmp(unit, "bytes") == 0;
}

/* What an aggregate of a counter has as its unit. */
static bool is_rate_of_bytes(const char *unit)
{
	return strcmp(unit, "bytes/s") == 0;
}

/* Large numbers have a letter instead of digits that nobody reads. */
static void write_number(double value, int decimals, char text[AMOUNT_SIZE])
{
	static const struct {
		double factor;
		char letter;
	} large[] = {{1e12, 'T'}, {1e9, 'G'}, {1e6, 'M'}};

	for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
		if (fabs(value) < large[i].factor)
			continue;
		snprintf(text, AMOUNT_SIZE, "%.4g %c", value / large[i].factor, large[i].letter);
		return;
	}
	if (value == floor(value))
		decimals = 0;
	snprintf(text, AMOUNT_SIZE, "%.*f", decimals < 2 ? decimals : 2, value);
}

static void write_bytes(double value, const char *after, char text[AMOUNT_SIZE])
{
	char size[TEXT_AMOUNT_SIZE];

	snprintf(text, AMOUNT_SIZE, "%s%s%s", value < 0 ? "-" : "", text_from_size(fabs(value), size), after);
}

static void add(const char *before, const char *unit, char text[AMOUNT_SIZE])
{
	size_t length = strlen(text);

	snprintf(text + length, AMOUNT_SIZE - length, "%s%s", before, unit);
}

char *amount_bare(double value, const char *unit, bool rate, int decimals, char text[AMOUNT_SIZE])
{
	char span[TEXT_AMOUNT_SIZE];

	if (!isfinite(value)) {
		snprintf(text, AMOUNT_SIZE, "-");
	} else if (is_bytes(unit)) {
		write_bytes(value, rate ? "/s" : "", text);
	} else if (is_rate_of_bytes(unit)) {
		write_bytes(value, "/s", text);
	} else if (strcmp(unit, "percent") == 0) {
		snprintf(text, AMOUNT_SIZE, "%.*f %%%s", decimals < 1 ? decimals : 1, value, rate ? "/s" : "");
	} else if (strcmp(unit, "seconds") == 0 && !rate) {
		snprintf(text, AMOUNT_SIZE, "%s%s", value < 0 ? "-" : "", text_from_span(fabs(value), span));
	} else {
		/* A rate has fractions also where its counter has none. */
		write_number(value, rate && decimals < 1 ? 1 : decimals, text);
		if (rate)
			add("", strcmp(unit, "seconds") == 0 ? " s/s" : "/s", text);
	}
	return text;
}

char *amount_write(double value, const char *unit, bool rate, int decimals, char text[AMOUNT_SIZE])
{
	bool own = is_bytes(unit) || is_rate_of_bytes(unit) || strcmp(unit, "percent") == 0 || strcmp(unit, "seconds") == 0;

	if (own || !isfinite(value) || !*unit)
		return amount_bare(value, unit, rate, decimals, text);
	amount_bare(value, unit, false, rate && decimals < 1 ? 1 : decimals, text);
	add(" ", unit, text);
	if (rate)
		add("", "/s", text);
	return text;
}
