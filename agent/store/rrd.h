/* store/rrd.h: RRD files through librrd, which nothing else calls.
 *
 * Any thread: one lock around librrd, whose file locks are POSIX locks and do not keep threads of one process apart. */
#ifndef STORE_RRD_H
#define STORE_RRD_H

#include <stdint.h>

#include "base/error.h"
#include "store/layout.h"
#include "store/store.h"

/* Makes the folders that a path lies in. 0 or -1 with the words. */
int file_make_folders(const char *path, struct error *error);

/* Makes a new file, with its folders, that begins at `start` (s). It is made beside its place and renamed, so that a
 * full disk or a crash leaves no half of one. 0 or -1 with the words. */
int file_make(const char *path, const struct layout *layout, int64_t start, struct error *error);

enum file_state { FILE_GOOD, FILE_ABSENT, FILE_OTHER /* it has another layout */, FILE_DAMAGED };

/* What is at the path; of a good file also the time of its last update, s. `error` says what is wrong otherwise. */
enum file_state file_inspect(const char *path, const struct layout *layout, int64_t *last, struct error *error);

/* Writes lines as layout_line() makes them, in the order of time. 0 or -1 with the words. */
int file_update(const char *path, size_t count, const char **lines, struct error *error);

/* Rows of (from, to], s, at the step that is nearest to `step`. 0 or -1 with the words. */
int file_fetch(const char *path, size_t field, enum store_consolidation consolidation, int64_t from, int64_t to,
               int64_t step, struct store_rows *rows, struct error *error);

/* Renames a file so that its name says why: "cpu.rrd.damaged-20261124T103000". 0 or -1 with the words. */
int file_set_aside(const char *path, const char *why, struct error *error);

#endif
