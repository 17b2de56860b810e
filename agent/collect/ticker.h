/* collect/ticker.h: what wakes the sampler: a timer at each tick, and a bell when the wall clock is set.
 *
 * Both are descriptors for epoll. The timer runs on the monotonic clock and repeats by itself, so that in nearly every
 * round it is already set; the bell is there for what happens while a tick is far away. Sampler thread. */
#ifndef COLLECT_TICKER_H
#define COLLECT_TICKER_H

#include <stdint.h>

#include "base/error.h"

struct ticker {
	int timer, bell;  /* -1: not open */
	int64_t next;     /* when the timer fires next: monotonic, ns; 0: it is off */
	int64_t interval; /* between that time and the one after, ns */
};

/* 0, or -1 with the words; to be closed in either case. */
int ticker_open(struct ticker *ticker, struct error *error);
void ticker_close(struct ticker *ticker);

/* Fires at `next` (monotonic, ns) and every `interval` thereafter. Costs nothing where that is what it does anyway,
 * give or take a millisecond. */
void ticker_set(struct ticker *ticker, int64_t next, int64_t interval);
void ticker_stop(struct ticker *ticker);

/* In the thread that it is to wake: lets it go before others when it wakes, where the kernel knows how. */
void ticker_hurry(void);

/* After epoll has found either readable. */
void ticker_read_timer(struct ticker *ticker);
void ticker_read_bell(const struct ticker *ticker);

#endif
