/* config/watch.h: was the configuration saved?
 *
 * Editors save in many ways: they write to the file, put another one in its place, or move it away and write a new one;
 * and the file may be a symbolic link, or lie behind one. So not the file is watched (inotify(7)), but its name in its
 * folder, and that of every link on the way to it. What is not there, is waited for in the nearest folder that is.
 *
 * Main thread. A file system that tells nothing (NFS) leaves SIGHUP. */
#ifndef CONFIG_WATCH_H
#define CONFIG_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct watch;

/* NULL with the words: saving is not noticed. */
struct watch *watch_new(struct error *error);
void watch_free(struct watch *watch); /* NULL: nothing */

/* Readable when something has happened in one of the folders. */
int watch_fd(const struct watch *watch);

/* Looks after these files from now on, in place of those before; the array is copied. A name at the end of a path may be a
 * pattern, as "*.lua" (glob(7)), and is all that it matches. -1 with the words: not all of
 * their folders can be watched. */
int watch_files(struct watch *watch, const char *const *paths, size_t count, struct error *error);

/* Reads what has happened. True: one of the files was saved, or may have been. Does not wait. */
bool watch_read(struct watch *watch);

#endif
