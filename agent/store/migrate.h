/* store/migrate.h: old rows become those of a new layout. Pure, but for names of times, which are local.
 *
 * For every moment the result holds the finest rows that the old files held for it:
 *
 *   - A row that an old file has, of the same consolidation and step, is copied as it is.
 *   - Any other is made of pieces: at each moment of its span the finest old row that covers it, also one in progress.
 *     AVERAGE is the mean over the known time, MIN and MAX are those of the pieces; where a step was kept as AVERAGE
 *     only, its rows are their own extremes. A row that is unknown for more than half of its span is unknown.
 *   - What the finest row says counts, also "unknown": a gap is not filled from a coarser row.
 *   - The rows in progress are made the same way, so that librrd goes on as if the file had always had the layout.
 *
 * Fields are matched by name, and keep their history while they stay a level or stay a counter. */
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/history.h"
#include "store/layout.h"

/* Makes a history of the layout out of old ones, of which there is at least one. Where several know a moment, the
 * first counts. What lies after `end` (s; INT64_MAX: nothing) is left out: the last update is then at `end` at the
 * latest. `result` is for history_release(). */
void migrate_history(const struct layout *layout, const struct history *const *sources, size_t source_count,
                     int64_t end, struct history *result);

/* True: old file and layout have a field in common. Otherwise the file is somebody else's. */
bool migrate_related(const struct layout *layout, const struct history *old);

/* Known rows of one step that a history has and its successor does not, at that resolution. */
struct migrate_lost_rows {
	int64_t step;     /* s */
	size_t count;     /* rows */
	int64_t from, to; /* s: they lie within (from, to] */
	bool extremes;    /* their averages are still there, but not their minima and maxima */
};

/* What is lost of what the old file knew. Starts as all zero. */
struct migrate_loss {
	size_t field_count;
	char (*fields)[HISTORY_NAME_SIZE]; /* that had known values */
	size_t row_count;
	struct migrate_lost_rows *rows; /* of each step at most two: rows, and extremes */
	size_t other_archives;          /* of consolidations that pindrop does not keep */
};

/* Adds what `old` knew and `result` does not. */
void migrate_compare(const struct history *old, const struct history *result, struct migrate_loss *loss);
bool migrate_is_loss(const struct migrate_loss *loss);
void migrate_loss_release(struct migrate_loss *loss);

/* "21,600 rows of 1s between 2026-11-24 10:00 and 16:00, field x". A new text for free(). */
char *migrate_describe_loss(const struct migrate_loss *loss);

/* How a file differs from the layout: "1m for 14d -> 1m for 30d; new field guest_nice; field x goes". A new text for
 * free(), empty when nothing that a user chooses differs. */
char *migrate_describe(const struct history *old, const struct layout *layout);

#endif
