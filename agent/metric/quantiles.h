/* metric/quantiles.h: quantiles of a window, within one percent, by counting.
 *
 * Values are counted in buckets whose bounds grow by QUANTILES_GROWTH, as DDSketch does (Masson, Rim, Lee: "DDSketch: a
 * fast and fully-mergeable quantile sketch with relative-error guarantees", 2019): wherever in its bucket a value is, the
 * one that the bucket answers with is at most QUANTILES_ERROR of it away. Values may be of any sign and size; 0 has a
 * bucket of its own. Weights are integers, so that what was added can be taken away again and nothing is left of it.
 *
 * A sliding window is a book of chapters, each for less than over / QUANTILES_CHAPTERS; a chapter leaves as a whole when
 * its newest value does, so the window may reach back by that much too far.
 *
 * Memory: 8 bytes for each bucket from the smallest to the largest (of one sign): 2.8 kB for what lies between 0.1 and
 * 100, 1.2 MB at the very most, for all numbers that there are. And, where it slides, for each of at most
 * QUANTILES_CHAPTERS + 3 chapters 40 bytes, and 2 to 13 for each bucket that has something in it: 2 or 3 of a gauge, 5 of
 * a counter.
 *
 * Belongs to one thread at a time. */
#ifndef METRIC_QUANTILES_H
#define METRIC_QUANTILES_H

#include <stddef.h>
#include <stdint.h>

#define QUANTILES_ERROR 0.01
#define QUANTILES_GROWTH ((1 + QUANTILES_ERROR) / (1 - QUANTILES_ERROR))
#define QUANTILES_CHAPTERS 128

/* Counts of a range of buckets. */
struct quantiles_range {
	int first;
	size_t count;
	uint64_t *weights;
};

struct quantiles_entry {
	int bucket;
	uint64_t weight;
};

/* One that is finished: its entries, in the order of their buckets, as a text of numbers (quantiles.c). */
struct quantiles_chapter {
	int64_t first, time; /* of its oldest and newest value */
	size_t length;
	unsigned char *text;
};

/* Starts by quantiles_begin(), ends by quantiles_release(). */
struct quantiles {
	int64_t over;         /* ns; 0: nothing leaves */
	uint64_t total, zero; /* weights: of all, of what is 0 */
	struct quantiles_range positive, negative;
	struct quantiles_chapter *chapters; /* a ring, the oldest first; `room` is a power of two */
	size_t room, head, count;
	/* The chapter that is being written. */
	int64_t first, time;
	struct quantiles_entry *entries; /* in the order of their buckets */
	size_t entry_room, entry_count;
};

void quantiles_begin(struct quantiles *quantiles, int64_t over);
void quantiles_release(struct quantiles *quantiles);
void quantiles_clear(struct quantiles *quantiles); /* forgets every value */

/* Adds a finite value. Times never go back. */
void quantiles_add(struct quantiles *quantiles, int64_t time, double value, uint64_t weight);

/* What is as old as the window is long at this time leaves. */
void quantiles_expire(struct quantiles *quantiles, int64_t now);

/* Moves everything back in time. */
void quantiles_shift(struct quantiles *quantiles, int64_t back);

/* Puts behind what there is all of a younger one, which is then empty. */
void quantiles_append(struct quantiles *quantiles, struct quantiles *younger);

/* Near the smallest value that at least this share of the weight does not exceed; NaN: there is none. */
double quantiles_value(const struct quantiles *quantiles, double quantile);

#endif
