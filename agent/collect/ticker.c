#include "collect/ticker.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"

/* What the sampler does at a time: as short as the kernel takes it. */
#define SLICE (CLOCK_MILLISECOND / 10)

/* struct sched_attr of sched_setattr(2), as far as all kernels know it; not every C library has it. */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

/* The shorter a thread says that its work is, the sooner it goes before others when it wakes (Linux 6.12; those before
 * pass it over). It needs no privilege, and takes nothing from anybody: its share of the processor is the same. */
void ticker_hurry(void)
{
	struct attributes attributes = {.size = 0};

	if (syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0) < 0 || attributes.policy != SCHED_OTHER)
		return;
	attributes.runtime = SLICE;
	syscall(SYS_sched_setattr, 0, &attributes, 0);
}

/* A tick that comes so much later than it could is not worth a system call. */
#define SLACK CLOCK_MILLISECOND

static struct timespec to_timespec(int64_t time)
{
	return (struct timespec){time / CLOCK_SECOND, time % CLOCK_SECOND};
}

/* A timer at the end of time, which is only there to be cancelled, any number of times. */
static int set_bell(int bell)
{
	const struct itimerspec time = {.it_value = to_timespec(INT64_MAX)};

	return timerfd_settime(bell, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &time, NULL);
}

int ticker_open(struct ticker *ticker, struct error *error)
{
	*ticker = (struct ticker){
		.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
		.bell = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK),
	};
	if (ticker->timer < 0 || ticker->bell < 0 || set_bell(ticker->bell) < 0)
		return error_set(error, "cannot make a timer: %s", strerror(errno));
	return 0;
}

void ticker_close(struct ticker *ticker)
{
	if (ticker->timer >= 0)
		close(ticker->timer);
	if (ticker->bell >= 0)
		close(ticker->bell);
	ticker->timer = ticker->bell = -1;
}

/* A next of 0 switches it off. */
static void set(struct ticker *ticker, int64_t next, int64_t interval)
{
	const struct itimerspec time = {.it_value = to_timespec(next), .it_interval = to_timespec(interval)};

	timerfd_settime(ticker->timer, TFD_TIMER_ABSTIME, &time, NULL);
	ticker->next = next;
	ticker->interval = interval;
}

void ticker_set(struct ticker *ticker, int64_t next, int64_t interval)
{
	if (ticker->next && ticker->interval == interval && llabs(ticker->next - next) <= SLACK)
		return;
	set(ticker, next > 0 ? next : 1, interval);
}

void ticker_stop(struct ticker *ticker)
{
	set(ticker, 0, 0);
}

void ticker_read_timer(struct ticker *ticker)
{
	uint64_t times;

	if (read(ticker->timer, &times, sizeof(times)) == sizeof(times))
		ticker->next += (int64_t)times * ticker->interval;
}

void ticker_read_bell(const struct ticker *ticker)
{
	uint64_t times;

	/* It never expires: what there is to read is ECANCELED. */
	(void)!read(ticker->bell, &times, sizeof(times));
}
