#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *block)
{
	if (!block) {
		fputs("pindrop: out of memory\n", stderr);
		abort();
	}
	return block;
}

void *memory_array(size_t count, size_t size)
{
	return checked(calloc(count ? count : 1, size ? size : 1));
}

void *memory_alloc(size_t size)
{
	return memory_array(1, size);
}

void *memory_resize(void *old, size_t count, size_t size)
{
	return checked(reallocarray(old, count ? count : 1, size));
}

char *memory_text(const char *text)
{
	return checked(strdup(text));
}

char *memory_vformat(const char *format, va_list args)
{
	char *text = NULL;
	int length = vasprintf(&text, format, args);

	return checked(length < 0 ? NULL : text);
}

char *memory_format(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = memory_vformat(format, args);
	va_end(args);
	return text;
}
