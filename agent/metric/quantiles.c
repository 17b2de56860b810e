/* metric/quantiles.c: buckets of values, and chapters of them that leave.
 *
 * A bucket's number is 0 for zero; for a positive value v it is ceil(log(v) / log(growth)), raised so that all are
 * positive; for a negative one it is that of -v with a minus. So numbers are in the order of values.
 *
 * A chapter's text is for each of its entries two numbers, how far its bucket is from the one before, and its weight: 7
 * bits a byte, the lowest first, the highest bit says that more follow. It is read once, when the chapter leaves. */
#include "metric/quantiles.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define RAISE 40000 /* the smallest double is in bucket -37220 */
#define BUCKET_MIN (-2 * RAISE)
#define SLACK 16 /* by how much more than needed a range grows */
#define NUMBER_SIZE 10
#define ROOM_FIRST 8

/* --- buckets ------------------------------------------------------------------------------------------------------- */

static int bucket_of(double value)
{
	int bucket;

	if (value == 0)
		return 0;
	bucket = (int)ceil(log(fabs(value)) / log(QUANTILES_GROWTH)) + RAISE;
	return value > 0 ? bucket : -bucket;
}

/* What is at most QUANTILES_ERROR away from both ends of it. */
static double value_of(int bucket)
{
	double value = exp((abs(bucket) - RAISE) * log(QUANTILES_GROWTH)) * (1 - QUANTILES_ERROR);

	return bucket == 0 ? 0 : bucket > 0 ? value : -value;
}

static void widen(struct quantiles_range *range, int bucket)
{
	int first = range->first, end = range->first + (int)range->count;
	uint64_t *weights;

	if (range->count == 0)
		first = end = bucket;
	if (bucket < first)
		first = bucket - SLACK;
	if (bucket >= end)
		end = bucket + 1 + SLACK;
	weights = memory_array((size_t)(end - first), sizeof(*weights));
	if (range->count)
		memcpy(weights + (range->first - first), range->weights, range->count * sizeof(*weights));
	free(range->weights);
	*range = (struct quantiles_range){first, (size_t)(end - first), weights};
}

/* The count of a bucket, for which there is room from here on. */
static uint64_t *weight_at(struct quantiles *quantiles, int bucket)
{
	struct quantiles_range *range = bucket > 0 ? &quantiles->positive : &quantiles->negative;
	int place = abs(bucket);

	if (bucket == 0)
		return &quantiles->zero;
	if (place < range->first || place >= range->first + (int)range->count)
		widen(range, place);
	return &range->weights[place - range->first];
}

static void count_in(struct quantiles *quantiles, int bucket, uint64_t weight)
{
	*weight_at(quantiles, bucket) += weight;
	quantiles->total += weight;
}

static void count_out(struct quantiles *quantiles, int bucket, uint64_t weight)
{
	*weight_at(quantiles, bucket) -= weight;
	quantiles->total -= weight;
}

/* An empty window needs no range; what comes next may be elsewhere. */
static void release_ranges(struct quantiles *quantiles)
{
	free(quantiles->positive.weights);
	free(quantiles->negative.weights);
	quantiles->positive = quantiles->negative = (struct quantiles_range){0};
}

/* --- chapters ------------------------------------------------------------------------------------------------------ */

static size_t put_number(unsigned char *text, uint64_t number)
{
	size_t length = 0;

	for (; number >= 0x80; number >>= 7)
		text[length++] = (unsigned char)(number | 0x80);
	text[length++] = (unsigned char)number;
	return length;
}

static uint64_t take_number(const unsigned char **text)
{
	uint64_t number = 0;
	int shift = 0;

	for (; **text & 0x80; shift += 7)
		number |= (uint64_t)(*(*text)++ & 0x7f) << shift;
	return number | (uint64_t) * (*text)++ << shift;
}

static struct quantiles_chapter *chapter_at(const struct quantiles *quantiles, size_t i)
{
	return &quantiles->chapters[(quantiles->head + i) & (quantiles->room - 1)];
}

static void push(struct quantiles *quantiles, const struct quantiles_chapter *chapter)
{
	if (quantiles->count == quantiles->room) {
		size_t room = quantiles->room ? 2 * quantiles->room : ROOM_FIRST;
		struct quantiles_chapter *chapters = memory_array(room, sizeof(*chapters));

		for (size_t i = 0; i < quantiles->count; i++)
			chapters[i] = *chapter_at(quantiles, i);
		free(quantiles->chapters);
		quantiles->chapters = chapters;
		quantiles->room = room;
		quantiles->head = 0;
	}
	quantiles->count++;
	*chapter_at(quantiles, quantiles->count - 1) = *chapter;
}

/* The chapter that is being written is finished, and the next begins. */
static void turn_page(struct quantiles *quantiles)
{
	struct quantiles_chapter chapter = {.first = quantiles->first, .time = quantiles->time};
	int before = BUCKET_MIN;

	if (quantiles->entry_count == 0)
		return;
	chapter.text = memory_array(quantiles->entry_count, 2 * NUMBER_SIZE);
	for (size_t i = 0; i < quantiles->entry_count; i++) {
		const struct quantiles_entry *entry = &quantiles->entries[i];

		chapter.length += put_number(chapter.text + chapter.length, (uint64_t)(entry->bucket - before));
		chapter.length += put_number(chapter.text + chapter.length, entry->weight);
		before = entry->bucket;
	}
	chapter.text = memory_resize(chapter.text, chapter.length, 1);
	push(quantiles, &chapter);
	quantiles->entry_count = 0;
}

static void write_entry(struct quantiles *quantiles, int bucket, uint64_t weight)
{
	size_t low = 0, high = quantiles->entry_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (quantiles->entries[middle].bucket < bucket)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < quantiles->entry_count && quantiles->entries[low].bucket == bucket) {
		quantiles->entries[low].weight += weight;
		return;
	}
	if (quantiles->entry_count == quantiles->entry_room) {
		quantiles->entry_room = quantiles->entry_room ? 2 * quantiles->entry_room : ROOM_FIRST;
		quantiles->entries = memory_resize(quantiles->entries, quantiles->entry_room, sizeof(*quantiles->entries));
	}
	memmove(quantiles->entries + low + 1, quantiles->entries + low,
	        (quantiles->entry_count++ - low) * sizeof(*quantiles->entries));
	quantiles->entries[low] = (struct quantiles_entry){bucket, weight};
}

/* Takes away the oldest chapter. */
static void drop_chapter(struct quantiles *quantiles)
{
	struct quantiles_chapter *chapter = chapter_at(quantiles, 0);
	const unsigned char *text = chapter->text;
	int bucket = BUCKET_MIN;

	while (text < chapter->text + chapter->length) {
		bucket += (int)take_number(&text);
		count_out(quantiles, bucket, take_number(&text));
	}
	free(chapter->text);
	quantiles->head = (quantiles->head + 1) & (quantiles->room - 1);
	quantiles->count--;
}

/* --- the whole ----------------------------------------------------------------------------------------------------- */

void quantiles_begin(struct quantiles *quantiles, int64_t over)
{
	*quantiles = (struct quantiles){.over = over};
}

void quantiles_release(struct quantiles *quantiles)
{
	for (size_t i = 0; i < quantiles->count; i++)
		free(chapter_at(quantiles, i)->text);
	free(quantiles->chapters);
	free(quantiles->entries);
	release_ranges(quantiles);
}

void quantiles_clear(struct quantiles *quantiles)
{
	int64_t over = quantiles->over;

	quantiles_release(quantiles);
	quantiles_begin(quantiles, over);
}

void quantiles_add(struct quantiles *quantiles, int64_t time, double value, uint64_t weight)
{
	int bucket = bucket_of(value);

	count_in(quantiles, bucket, weight);
	if (quantiles->over == 0)
		return;
	if (quantiles->entry_count > 0 && time - quantiles->first >= quantiles->over / QUANTILES_CHAPTERS)
		turn_page(quantiles);
	if (quantiles->entry_count == 0)
		quantiles->first = time;
	quantiles->time = time;
	write_entry(quantiles, bucket, weight);
}

void quantiles_expire(struct quantiles *quantiles, int64_t now)
{
	if (quantiles->over == 0)
		return;
	while (quantiles->count > 0 && chapter_at(quantiles, 0)->time <= now - quantiles->over)
		drop_chapter(quantiles);
	if (quantiles->entry_count > 0 && quantiles->time <= now - quantiles->over) {
		for (size_t i = 0; i < quantiles->entry_count; i++)
			count_out(quantiles, quantiles->entries[i].bucket, quantiles->entries[i].weight);
		quantiles->entry_count = 0;
	}
	if (quantiles->total == 0)
		release_ranges(quantiles);
}

void quantiles_shift(struct quantiles *quantiles, int64_t back)
{
	for (size_t i = 0; i < quantiles->count; i++) {
		chapter_at(quantiles, i)->first -= back;
		chapter_at(quantiles, i)->time -= back;
	}
	quantiles->first -= back;
	quantiles->time -= back;
}

static void count_range(struct quantiles *quantiles, const struct quantiles_range *range, int sign)
{
	for (size_t i = 0; i < range->count; i++)
		if (range->weights[i])
			count_in(quantiles, sign * (range->first + (int)i), range->weights[i]);
}

void quantiles_append(struct quantiles *quantiles, struct quantiles *younger)
{
	turn_page(quantiles);
	for (size_t i = 0; i < younger->count; i++)
		push(quantiles, chapter_at(younger, i));
	younger->count = 0; /* their texts are not its own any more */
	for (size_t i = 0; i < younger->entry_count; i++)
		write_entry(quantiles, younger->entries[i].bucket, younger->entries[i].weight);
	quantiles->first = younger->first;
	quantiles->time = younger->time;
	count_range(quantiles, &younger->negative, -1);
	count_range(quantiles, &younger->positive, 1);
	if (younger->zero)
		count_in(quantiles, 0, younger->zero);
	quantiles_clear(younger);
}

double quantiles_value(const struct quantiles *quantiles, double quantile)
{
	const struct quantiles_range *negative = &quantiles->negative, *positive = &quantiles->positive;
	double wanted = quantile * (double)quantiles->total * (1 - 1e-12); /* 0.95 * 20 may come out above 19 */
	uint64_t sum = 0;

	if (quantiles->total == 0)
		return NAN;
	/* At least one: a quantile is a value that is there. */
	wanted = fmax(wanted, 1);
	for (size_t i = negative->count; i-- > 0;)
		if ((double)(sum += negative->weights[i]) >= wanted)
			return value_of(-(negative->first + (int)i));
	if ((double)(sum += quantiles->zero) >= wanted)
		return 0;
	for (size_t i = 0; i < positive->count; i++)
		if ((double)(sum += positive->weights[i]) >= wanted)
			return value_of(positive->first + (int)i);
	return NAN;
}
