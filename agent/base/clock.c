#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * CLOCK_SECOND + now.tv_nsec;
}

int64_t clock_wall(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t clock_monotonic(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_boot(void)
{
	return read_clock(CLOCK_BOOTTIME);
}

double clock_seconds(int64_t nanoseconds)
{
	return (double)nanoseconds / (double)CLOCK_SECOND;
}

void clock_format(int64_t wall, char text[CLOCK_TEXT_SIZE])
{
	time_t seconds = (time_t)(wall / CLOCK_SECOND);
	int microseconds = (int)(wall % CLOCK_SECOND / 1000);
	struct tm local;
	size_t length;

	localtime_r(&seconds, &local);
	length = strftime(text, CLOCK_TEXT_SIZE, "%Y-%m-%d %H:%M:%S", &local);
	snprintf(text + length, CLOCK_TEXT_SIZE - length, ".%06d", microseconds % 1000000);
}
