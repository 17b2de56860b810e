/* store/aside.h: files that are in the way are kept, under a name that says why. Any thread. */
#ifndef STORE_ASIDE_H
#define STORE_ASIDE_H

#include "base/error.h"

/* "cpu.rrd.damaged-20261124T103000", local time; from the second attempt on "-2", "-3" … behind it. A new text for
 * free(). */
#define ASIDE_ATTEMPTS 100
char *aside_name(const char *path, const char *why, int attempt);

/* Renames "cpu.rrd" to such a name that nobody has.
 * Returns the new name, for free(), or NULL with the words. */
char *aside_rename(const char *path, const char *why, struct error *error) __attribute__((warn_unused_result));

#endif
