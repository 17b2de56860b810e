/* store/aside.h: files that are in the way are kept, under a name that says why. Any thread. */
#ifndef STORE_ASIDE_H
#define STORE_ASIDE_H

#include "base/error.h"

/* Renames "cpu.rrd" to "cpu.rrd.damaged-20261124T103000", local time; a name that is taken gets "-2", "-3" … behind it.
 * Returns the new name, for free(), or NULL with the words. */
char *aside_rename(const char *path, const char *why, struct error *error) __attribute__((warn_unused_result));

#endif
