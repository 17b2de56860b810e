#include "base/clock.h"

#include <stdio.h>
#include <time.h>

/* Readings this close together are of one moment; without a pause between them they take a few hundred nanoseconds. */
#define ONE_MOMENT (100 * INT64_C(1000))
#define READ_TRIES 10

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

void clock_read(struct clock_reading *now)
{
	int tries = READ_TRIES;
	int64_t before;

	do {
		before = clock_boot();
		now->wall = clock_wall();
		now->monotonic = clock_monotonic();
		now->boot = clock_boot();
	} while (now->boot - before > ONE_MOMENT && --tries > 0);
}

struct timespec clock_deadline(int64_t wait)
{
	int64_t time = clock_monotonic() + wait;

	return (struct timespec){.tv_sec = time / CLOCK_SECOND, .tv_nsec = time % CLOCK_SECOND};
}

void clock_condition(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
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
