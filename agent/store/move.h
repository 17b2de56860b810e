/* store/move.h: files move with the configuration and the clock: read, made anew by migrate.c, put in their place.
 *
 * The caller sees to it that nobody writes to the file meanwhile; readers may read. A file is replaced as a whole: a
 * crash or a full disk leaves the old one or the new one, and at most a `.new` beside it, which the next run
 * overwrites. All functions return 0, or -1 with the words, and then the file is as it was. For a moment it
 * takes about twice the file's size in memory, which goes back to the system. */
#ifndef STORE_MOVE_H
#define STORE_MOVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "store/layout.h"
#include "store/migrate.h"

/* What changes, or would. Starts as all zero. */
struct migrate_report {
	bool changes;     /* the file has another layout */
	bool foreign;     /* and no field in common with it: it is somebody else's, and left alone */
	bool damaged;     /* -1 because the file says of itself what cannot be */
	char *difference; /* "1m for 14d -> 1m for 30d; new field x"; NULL: it does not change */
	char *lost;       /* "21,600 rows of 1s between 2026-11-24 10:00 and 16:00"; NULL: nothing known is lost */
	char *kept;       /* the path under which the old file was kept; NULL: it was not */
	struct migrate_loss loss;
	int64_t rows_before, rows_after; /* of all archives */
	int64_t bytes_before, bytes_after;
};
void migrate_report_release(struct migrate_report *report);

/* What file_migrate() would do; touches nothing. */
int file_plan(const char *path, const struct layout *layout, struct migrate_report *report, struct error *error);

/* Gives the file the layout. An old file that knew more is kept first, as "cpu.rrd.replaced-20261124T103000". */
int file_migrate(const char *path, const struct layout *layout, struct migrate_report *report, struct error *error);

/* The clock was set back: what lies after `end` (s) goes from the file, which then has the layout and takes samples
 * after `end`. The whole old file is kept as "cpu.rrd.future-…"; *kept is its path, for free(). */
int file_cut(const char *path, const struct layout *layout, int64_t end, char **kept, struct error *error);

/* Puts into the file what others know and it does not, up to `end` (s): its own rows come first, then those of the
 * others in their order. The others stay. The file need not be there. */
int file_join(const char *path, const struct layout *layout, const char *const *others, size_t count, int64_t end,
              struct error *error);

/* Keeps what is at the path under a name that says why, beside it, and leaves it where it is, too: the path is to be
 * replaced next. A second call finds what an interrupted run kept. *kept: for free(), untouched on failure. */
int file_keep(const char *path, const char *why, char **kept, struct error *error);

#endif
