/* http/readers.h: threads that wait for a disk, or for a child, in the place of HTTP's, which waits for nobody.
 *
 * There are none until something is to be done, then as many as are needed, READERS_MAX at most; one that has had nothing
 * to do for READERS_REST ends. What more comes waits its turn, in the order in which it came: no more than there are
 * connections, which are counted. */
#ifndef HTTP_READERS_H
#define HTTP_READERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define READERS_MAX 4
#define READERS_REST (10 * CLOCK_SECOND)

struct readers;

struct readers *readers_new(void);

/* Calls work(context) soon, once, on a thread of theirs. False: it will not, for the end has come, or no thread can be
 * had. Any thread. */
typedef void readers_work(void *context);
bool readers_put(struct readers *readers, readers_work *work, void *context);

/* What waits is done first; then they end, and are freed. False: one was not done within `patience` (ns), a disk hangs:
 * it is left behind with all that it uses, which must not be freed. Nothing is put any more. */
bool readers_end(struct readers *readers, int64_t patience);

#endif
