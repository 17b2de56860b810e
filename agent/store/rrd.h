/* store/rrd.h: RRD files through librrd, which nothing else calls.
 *
 * Any thread: one lock around librrd, whose file locks are POSIX locks and do not keep threads of one process apart. */
#ifndef STORE_RRD_H
#define STORE_RRD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/history.h"
#include "store/layout.h"
#include "store/store.h"

/* Makes the folders that a path lies in. 0 or -1 with the words. */
int file_make_folders(const char *path, struct error *error);

/* Makes a new file, with its folders, that begins at `start` (s). It is made beside its place and renamed, so that a
 * full disk or a crash leaves no half of one. 0 or -1 with the words. */
int file_make(const char *path, const struct layout *layout, int64_t start, struct error *error);

enum file_state {
	FILE_GOOD,
	FILE_ABSENT,
	FILE_OTHER /* it has another layout */,
	FILE_DAMAGED,
	FILE_BROKEN /* the disk failed */
};

struct file_facts {
	int64_t last;       /* the time of its last update, s */
	size_t header_size; /* bytes: what changes in a file lies within it, but for the rows */
};

/* What is at the path, and of an RRD file its facts. `error` says what is wrong with one that is not good. */
enum file_state file_inspect(const char *path, const struct layout *layout, struct file_facts *facts,
                             struct error *error);

/* Reads and puts back the first bytes of a file, which are opaque here. `inode` and `size` tell file_is_same() whether
 * it is still the same file. 0 or -1 with the words. */
int file_read_head(const char *path, unsigned char *bytes, size_t length, uint64_t *inode, int64_t *size,
                   struct error *error);
int file_write_head(const char *path, const unsigned char *bytes, size_t length, struct error *error);
bool file_is_same(const char *path, uint64_t inode, int64_t size);

/* Makes what was written to a file safe from a power cut. One that is gone needs nothing. 0 or -1 with the words. */
int file_sync(const char *path, struct error *error);

/* The time of a file's last update, ns, also while another process writes it. 0 or -1 with the words. */
int file_last(const char *path, int64_t *last, struct error *error);

/* Writes lines as layout_line() makes them, in the order of time. `fields`: what their values are, "usage:user"; NULL:
 * those of the file. 0 or -1 with the words. */
int file_update(const char *path, const char *fields, size_t count, const char **lines, struct error *error);

/* Rows of (from, to], s, at the step that is nearest to `step`; none, where the file has no such field, and NaN for each
 * that it has not. They go by their names: the file may not have moved to the plan's layout yet. 0 or -1 with the words. */
int file_read(const char *path, const char *const *fields, size_t field_count, enum store_consolidation consolidation,
              int64_t from, int64_t to, int64_t step, struct store_rows *rows, struct error *error);
int file_fetch(const char *path, const char *field, enum store_consolidation consolidation, int64_t from, int64_t to,
               int64_t step, struct store_rows *rows, struct error *error); /* of one field */

/* Reads all that a file holds, whatever its layout: FILE_GOOD, or FILE_ABSENT or FILE_DAMAGED with the words.
 * `history` is then for history_release(). */
enum file_state file_read_history(const char *path, struct history *history, struct error *error);

/* Writes a file of the layout that holds this history, which has the layout's fields and archives. It is made beside
 * its place, synced and renamed over what is there: a reader, a crash or a full disk finds the old file or the new one.
 * The lock is not held while rows are written. 0 or -1 with the words, and then nothing is left behind. */
int file_write_history(const char *path, const struct layout *layout, const struct history *history,
                       struct error *error);

/* Makes what was renamed or linked in a file's folder last. 0 or -1 with the words. */
int file_sync_folder(const char *path, struct error *error);

#endif
