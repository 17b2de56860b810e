/* clock: moves the clocks that a program sees, while it runs. For LD_PRELOAD; the machine's own clock stays as it is.
 *
 *     $FAKE_CLOCK/shift   a symbolic link to "SET SLEPT", in seconds: by how much the wall clock was set, and for how
 *                         long the machine slept, in all. It is replaced by rename(), so that it is read as a whole
 *     $FAKE_CLOCK/bell    is touched when the kernel would tell those who wait that the clock was set
 *
 * The wall clock is ahead by both, boot time by the sleep, and monotonic time is the machine's, also for timers: so a
 * timer on the wall clock knows nothing of all this. The only one that is meant for that, a bell that is cancelled
 * when the clock is set (timerfd_create(2)), is given by inotify instead.
 *
 * libfaketime can set the wall clock too, but knows neither sleep nor bell. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL

static int bell = -1;

static int find(const char *name, char path[4096])
{
	const char *folder = getenv("FAKE_CLOCK");

	return folder ? snprintf(path, 4096, "%s/%s", folder, name) : -1;
}

static long long read_shift(clockid_t id)
{
	char path[4096], text[64] = "";
	double set = 0, slept = 0;

	if ((id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE && id != CLOCK_BOOTTIME) || find("shift", path) < 0)
		return 0;
	if (readlink(path, text, sizeof(text) - 1) < 0 || sscanf(text, "%lf %lf", &set, &slept) != 2)
		return 0;
	return (long long)((id == CLOCK_BOOTTIME ? slept : set + slept) * (double)SECOND);
}

int clock_gettime(clockid_t id, struct timespec *now)
{
	int saved = errno, failed = (int)syscall(SYS_clock_gettime, id, now);
	long long time;

	if (failed)
		return failed;
	time = now->tv_sec * SECOND + now->tv_nsec + read_shift(id);
	*now = (struct timespec){time / SECOND, time % SECOND};
	errno = saved;
	return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec precise;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &precise);
	*now = (struct timeval){precise.tv_sec, precise.tv_nsec / 1000};
	return 0;
}

time_t time(time_t *now)
{
	struct timespec precise;

	clock_gettime(CLOCK_REALTIME, &precise);
	if (now)
		*now = precise.tv_sec;
	return precise.tv_sec;
}

int timerfd_create(int id, int flags)
{
	char path[4096];

	if (id != CLOCK_REALTIME || find("bell", path) < 0)
		return (int)syscall(SYS_timerfd_create, id, flags);
	bell = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	inotify_add_watch(bell, path, IN_ATTRIB);
	return bell;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *wanted, struct itimerspec *old)
{
	return fd == bell ? 0 : (int)syscall(SYS_timerfd_settime, fd, flags, wanted, old);
}

/* The bell is cancelled each time. */
ssize_t read(int fd, void *buffer, size_t size)
{
	char events[4096];
	ssize_t got;

	if (fd != bell || fd < 0)
		return syscall(SYS_read, fd, buffer, size);
	got = syscall(SYS_read, fd, events, sizeof(events));
	if (got > 0)
		errno = ECANCELED;
	return -1;
}
