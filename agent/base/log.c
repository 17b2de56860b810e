#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct level {
	const char *word;
	char priority; /* of syslog(3) */
};

static const struct level info = {"", '6'};
static const struct level warning = {"warning: ", '4'};
static const struct level failure = {"error: ", '3'};

static size_t stamp(char *line, size_t size, const struct level *level)
{
	struct timespec now;
	struct tm local;
	size_t length;

	if (getenv("JOURNAL_STREAM"))
		return (size_t)snprintf(line, size, "<%c>", level->priority);
	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &local);
	length = strftime(line, size, "%Y-%m-%d %H:%M:%S", &local);
	return length + (size_t)snprintf(line + length, size - length, ".%03ld pindrop: ", now.tv_nsec / 1000000);
}

static void write_line(const struct level *level, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static void write_line(const struct level *level, const char *format, va_list args)
{
	int saved = errno;
	char line[1024];
	size_t length = stamp(line, sizeof(line), level);

	length += (size_t)snprintf(line + length, sizeof(line) - length, "%s", level->word);
	vsnprintf(line + length, sizeof(line) - length - 1, format, args);
	length = strlen(line);
	line[length++] = '\n';
	if (write(STDERR_FILENO, line, length) < 0) {
		/* A log that cannot be written has nowhere to say so. */
	}
	errno = saved;
}

void log_info(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_line(&info, format, args);
	va_end(args);
}

void log_warning(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_line(&warning, format, args);
	va_end(args);
}

void log_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_line(&failure, format, args);
	va_end(args);
}
