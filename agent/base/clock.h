/* base/clock.h: the clocks, in nanoseconds.
 *
 * Wall time (CLOCK_REALTIME, since 1970, may jump) says when a sample was; monotonic time says how long something
 * took and when it is late; boot time is monotonic time that also runs while the machine sleeps. Any thread. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define CLOCK_SECOND INT64_C(1000000000)
#define CLOCK_MILLISECOND INT64_C(1000000)

int64_t clock_wall(void);
int64_t clock_monotonic(void);
int64_t clock_boot(void);

/* All three as of one moment. Where the thread lost the processor in between, or the machine slept, they are read
 * again; what difference is left makes the wall clock look late against the others, never early. */
struct clock_reading {
	int64_t wall, monotonic, boot;
};
void clock_read(struct clock_reading *now);

/* The moment that is `wait` (ns) from now, and a condition that waits by it: both of monotonic time. */
struct timespec clock_deadline(int64_t wait);
void clock_condition(pthread_cond_t *condition);

double clock_seconds(int64_t nanoseconds);

/* "2016-04-11 17:30:10.976343", local time, as Python's str(datetime.now()) writes it. */
#define CLOCK_TEXT_SIZE 32
void clock_format(int64_t wall, char text[CLOCK_TEXT_SIZE]);

#endif
