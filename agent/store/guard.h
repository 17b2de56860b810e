/* store/guard.h: calls that read and write files through maps, as librrd's do.
 *
 * Where the disk cannot give or take a page of a map, the kernel has no error to return: it sends SIGBUS (mmap(2)). Within
 * guard_run() that ends the call instead of the agent. What the call held then stays held: some memory, a descriptor and
 * a map for each time. Any thread. */
#ifndef STORE_GUARD_H
#define STORE_GUARD_H

#include <limits.h>

typedef int guard_call(void *context);

/* What guard_run() returns when the call was ended by SIGBUS; otherwise it returns what the call does. */
#define GUARD_BROKEN INT_MIN

/* Not within itself. */
int guard_run(guard_call *call, void *context);

#endif
