#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return -1;
}

int error_prefix(struct error *error, const char *format, ...)
{
	struct error old = *error;
	va_list args;
	size_t length;

	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	length = strlen(error->text);
	snprintf(error->text + length, sizeof(error->text) - length, "%s", old.text);
	return -1;
}
