/* links: agent/store/move.c agent/store/migrate.c agent/store/history.c agent/store/rrd.c agent/store/guard.c agent/store/layout.c
 * agent/store/aside.c
 * agent/config/plan.c agent/config/share.c agent/config/values.c agent/config/aggregate.c agent/config/collector.c agent/config/options.c
 * agent/base/text.c
 * agent/base/memory.c agent/base/log.c agent/base/clock.c agent/base/error.c
 *
 * Files of librrd are fed, migrated and read back. What must come out is told by a slow, plain model, which knows for
 * each second what was fed, and asks the old file for its rows. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "store/aside.h"
#include "store/move.h"
#include "store/rrd.h"

#define START INT64_C(1699999200) /* s: 2023-11-14 22:00 UTC */
#define DAY INT64_C(86400)

/* The most archives that a layout has here. */
#define ARCHIVES 16

/* Names are what fields are known by; each stays a level or a counter, whatever the family. */
enum { LEVEL, BYTES, TIME, OTHER, MORE, POOL };
static const struct pindrop_field pool[POOL] = {
	[LEVEL] = {"level", PINDROP_GAUGE, "percent", 1, NULL, "…"},
	[BYTES] = {"bytes", PINDROP_COUNTER, "bytes", 0, NULL, "…"},
	[TIME] = {"time", PINDROP_COUNTER, "seconds", 2, NULL, "…"},
	[OTHER] = {"other", PINDROP_GAUGE, "", 0, NULL, "…"},
	[MORE] = {"more", PINDROP_COUNTER, "percent", 2, NULL, "…"},
};

/* --- layouts ------------------------------------------------------------------------------------------------- */

/* A family with its layout. */
struct world {
	struct pindrop_field fields[POOL];
	size_t ids[POOL]; /* the field's place in the pool */
	struct pindrop_family family;
	struct layout layout;
};

static void make_world(struct world *world, int64_t base, const size_t *ids, size_t field_count,
                       const struct plan_tier *tiers, size_t tier_count)
{
	struct plan_plugin plugin = {.interval = base * CLOCK_SECOND};
	struct plan_family family = {&world->family, &plugin};
	struct plan plan = {.tier_count = tier_count, .tiers = tiers, .family_count = 1, .families = &family};

	for (size_t i = 0; i < field_count; i++) {
		world->ids[i] = ids[i];
		world->fields[i] = pool[ids[i]];
	}
	world->family = (struct pindrop_family){.name = "a", .fields = world->fields, .field_count = field_count};
	layout_begin(&world->layout, &plan, 0);
}

#define WORLD(world, base, ids, ...)                                                                      \
	make_world(world, base, ids, sizeof(ids) / sizeof((ids)[0]), (const struct plan_tier[]){__VA_ARGS__}, \
	           sizeof((const struct plan_tier[]){__VA_ARGS__}) / sizeof(struct plan_tier))

static const size_t two_fields[] = {LEVEL, BYTES};
static const size_t one_field[] = {LEVEL};

/* --- what was fed -------------------------------------------------------------------------------------------- */

/* For each second that ends at begin + 1 …: what each field of the pool was in it; NaN: unknown. */
struct truth {
	int64_t begin, end, room;
	double *values[POOL];
	double totals[POOL]; /* what counters stand at; NaN: their last reading was unknown */
};

static void truth_begin(struct truth *truth, int64_t begin, int64_t room)
{
	*truth = (struct truth){.begin = begin, .end = begin, .room = room};
	for (size_t i = 0; i < POOL; i++) {
		truth->values[i] = memory_array((size_t)room, sizeof(double));
		truth->totals[i] = NAN;
	}
}

static void truth_end(struct truth *truth)
{
	for (size_t i = 0; i < POOL; i++)
		free(truth->values[i]);
}

static double truth_at(const struct truth *truth, size_t id, int64_t second)
{
	return second > truth->begin && second <= truth->end ? truth->values[id][second - truth->begin - 1] : NAN;
}

/* Readings of all fields at `tick`. */
static void learn(struct truth *truth, int64_t tick, const double *readings)
{
	assert_true(tick - truth->begin <= truth->room);
	for (size_t id = 0; id < POOL; id++) {
		double value = readings[id];

		if (pool[id].kind == PINDROP_COUNTER) {
			value = (readings[id] - truth->totals[id]) / (double)(tick - truth->end);
			value = value < 0 ? NAN : value;
			truth->totals[id] = readings[id];
		}
		for (int64_t second = truth->end + 1; second <= tick; second++)
			truth->values[id][second - truth->begin - 1] = value;
	}
	truth->end = tick;
}

/* Lines for one file, written at once. */
struct lines {
	size_t count, room;
	char **texts;
};

static void add_line(struct lines *lines, const struct world *world, int64_t tick, const double *readings)
{
	double values[POOL];

	for (size_t i = 0; i < world->family.field_count; i++)
		values[i] = readings[world->ids[i]];
	lines->texts = memory_resize(lines->texts, lines->count + 1, sizeof(char *));
	lines->texts[lines->count] = memory_alloc(LAYOUT_LINE_SIZE(POOL));
	layout_line(&world->layout, tick * CLOCK_SECOND, values, lines->texts[lines->count++]);
}

static void write_lines(struct lines *lines, const char *path)
{
	struct error error = {""};

	if (lines->count > 0 && file_update(path, NULL, lines->count, (const char **)lines->texts, &error) < 0)
		fail_msg("%s", error.text);
	for (size_t i = 0; i < lines->count; i++)
		free(lines->texts[i]);
	free(lines->texts);
	*lines = (struct lines){0};
}

/* --- files --------------------------------------------------------------------------------------------------- */

static char *folder, *path;

static int make_folder(void **state)
{
	/* Every migration syncs: hundreds of them belong into memory. */
	const char *place = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : getenv("TMPDIR");

	(void)state;
	folder = memory_format("%s/pindrop-migrate.XXXXXX", place ? place : "/tmp");
	if (!mkdtemp(folder))
		return -1;
	path = memory_format("%s/x.rrd", folder);
	return 0;
}

static void empty_folder(void)
{
	DIR *entries = opendir(folder);
	const struct dirent *entry;

	while ((entry = readdir(entries)))
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(entries), entry->d_name, 0);
	closedir(entries);
}

static int remove_folder(void **state)
{
	(void)state;
	empty_folder();
	umount2(folder, MNT_DETACH); /* what a test that failed has left */
	rmdir(folder);
	free(path);
	free(folder);
	return 0;
}

/* How many files of the folder have a name that begins so. */
static size_t count_files(const char *begin)
{
	DIR *entries = opendir(folder);
	const struct dirent *entry;
	size_t count = 0;

	while ((entry = readdir(entries)))
		count += entry->d_name[0] != '.' && strncmp(entry->d_name, begin, strlen(begin)) == 0;
	closedir(entries);
	return count;
}

static void make(const struct world *world, int64_t start)
{
	struct error error = {""};

	if (file_make(path, &world->layout, start, &error) < 0)
		fail_msg("%s", error.text);
}

static void migrate(const struct world *world, struct migrate_report *report)
{
	struct error error = {""};

	*report = (struct migrate_report){0};
	if (file_migrate(path, &world->layout, report, &error) < 0)
		fail_msg("%s", error.text);
}

/* Migrates; what is said of it does not matter. */
static void just_migrate(const struct world *world)
{
	struct migrate_report report;

	migrate(world, &report);
	migrate_report_release(&report);
}

static int64_t inspect(const struct world *world)
{
	struct error error = {""};
	struct file_facts facts = {0};

	if (file_inspect(path, &world->layout, &facts, &error) != FILE_GOOD)
		fail_msg("%s", error.text);
	return facts.last;
}

/* The rows of one archive and field, by librrd's own fetch. */
static double *fetch(const char *field, const struct layout_archive *archive, int64_t last)
{
	struct store_rows rows = {0};
	struct error error = {""};
	int64_t end = last - last % archive->step, start = end - archive->rows * archive->step;

	if (file_fetch(path, field, archive->consolidation, start, end, archive->step, &rows, &error) < 0)
		fail_msg("%s", error.text);
	assert_int_equal(rows.step, archive->step);
	assert_int_equal(rows.start, start);
	assert_int_equal(rows.count, archive->rows);
	return rows.values;
}

/* --- the model ----------------------------------------------------------------------------------------------- */

/* All rows of a file: values[archive][field of the pool][row]; NULL: not a field of it. */
struct picture {
	const struct world *world;
	int64_t last;
	double *values[ARCHIVES][POOL];
};

static void look_at(struct picture *picture, const struct world *world)
{
	assert_true(world->layout.archive_count <= ARCHIVES);
	*picture = (struct picture){.world = world, .last = inspect(world)};
	for (size_t i = 0; i < world->layout.archive_count; i++)
		for (size_t field = 0; field < world->family.field_count; field++)
			picture->values[i][world->ids[field]] =
				fetch(world->fields[field].name, &world->layout.archives[i], picture->last);
}

static void forget(struct picture *picture)
{
	for (size_t i = 0; i < ARCHIVES; i++)
		for (size_t id = 0; id < POOL; id++)
			free(picture->values[i][id]);
}

static int64_t end_of(const struct picture *picture, size_t archive)
{
	return picture->last - picture->last % picture->world->layout.archives[archive].step;
}

static int64_t start_of(const struct picture *picture, size_t archive)
{
	const struct layout_archive *is = &picture->world->layout.archives[archive];

	return end_of(picture, archive) - is->rows * is->step;
}

static size_t find_archive(const struct world *world, enum store_consolidation consolidation, int64_t step)
{
	size_t i = 0;

	while (i < world->layout.archive_count &&
	       (world->layout.archives[i].step != step || world->layout.archives[i].consolidation != consolidation))
		i++;
	return i;
}

/* What an archive makes of the base steps behind its last row. */
static double consolidate_rest(const struct picture *picture, const struct truth *truth, size_t archive, size_t id)
{
	const struct layout *layout = &picture->world->layout;
	int64_t boundary = picture->last - picture->last % layout->step, known = 0, steps = 0;
	double sum = 0, least = INFINITY, most = -INFINITY;

	for (int64_t at = end_of(picture, archive) + layout->step; at <= boundary; at += layout->step, steps++) {
		double value = truth_at(truth, id, at);

		if (isnan(value))
			continue;
		known++;
		sum += value;
		least = fmin(least, value);
		most = fmax(most, value);
	}
	if (known == 0 || known * 2 < steps)
		return NAN;
	return layout->archives[archive].consolidation == STORE_AVERAGE ? sum / (double)known
	       : layout->archives[archive].consolidation == STORE_MIN   ? least
	                                                                : most;
}

/* What the file has since its last base step. */
static double newest(const struct picture *picture, const struct truth *truth, size_t id)
{
	int64_t boundary = picture->last - picture->last % picture->world->layout.step, known = 0;
	double sum = 0;

	for (int64_t second = boundary + 1; second <= picture->last; second++) {
		if (isnan(truth_at(truth, id, second)))
			continue;
		known++;
		sum += truth_at(truth, id, second);
	}
	return known * 2 < picture->last - boundary ? NAN : sum / (double)known;
}

/* What the file says of the second that ends at `second`: the finest tier that speaks of it. *step is that tier's;
 * *whole: no finer tier speaks of any part of its row; 0 where no row was asked. */
static double ask(const struct picture *picture, const struct truth *truth, enum store_consolidation consolidation,
                  size_t id, int64_t second, int64_t *step, bool *whole)
{
	const struct layout *layout = &picture->world->layout;
	int64_t finer_start = INT64_MAX;

	*step = 0;
	*whole = false;
	if (!picture->values[0][id] || second > picture->last)
		return NAN;
	if (second > picture->last - picture->last % layout->step)
		return newest(picture, truth, id);
	for (size_t i = 0; i < layout->archive_count; i++) {
		size_t archive = find_archive(picture->world, consolidation, layout->archives[i].step);
		int64_t row;

		if (layout->archives[i].consolidation != STORE_AVERAGE)
			continue;
		archive = archive < layout->archive_count ? archive : i;
		if (second <= start_of(picture, archive)) {
			finer_start = start_of(picture, archive) < finer_start ? start_of(picture, archive) : finer_start;
			continue;
		}
		if (second > end_of(picture, archive))
			return consolidate_rest(picture, truth, archive, id);
		*step = layout->archives[archive].step;
		row = (second - start_of(picture, archive) - 1) / *step;
		*whole = start_of(picture, archive) + (row + 1) * *step <= finer_start;
		return picture->values[archive][id][row];
	}
	return NAN;
}

/* The row (end - step, end] that a new archive must have, second by second. */
static double expect(const struct picture *old, const struct truth *truth, const struct layout_archive *archive,
                     size_t id, int64_t end, bool *exact)
{
	size_t same = find_archive(old->world, archive->consolidation, archive->step);
	double sum = 0, least = INFINITY, most = -INFINITY;
	int64_t known = 0, step;
	bool whole;

	*exact = same < old->world->layout.archive_count && end > start_of(old, same) && end <= end_of(old, same);
	if (!old->values[0][id])
		return NAN;
	if (*exact)
		return old->values[same][id][(end - start_of(old, same)) / archive->step - 1];
	for (int64_t second = end - archive->step + 1; second <= end; second++) {
		double value = ask(old, truth, archive->consolidation, id, second, &step, &whole);

		if (isnan(value))
			continue;
		known++;
		sum += value;
		least = fmin(least, value);
		most = fmax(most, value);
	}
	if (known * 2 < archive->step)
		return NAN;
	return archive->consolidation == STORE_AVERAGE ? sum / (double)known
	       : archive->consolidation == STORE_MIN   ? least
	                                               : most;
}

static bool same_bits(double a, double b)
{
	return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof(a)) == 0;
}

static bool is_near(double a, double b)
{
	return isnan(a) || isnan(b) ? isnan(a) && isnan(b) : fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b));
}

static void describe_world(const char *name, const struct world *world)
{
	print_error("%s:", name);
	for (size_t i = 0; i < world->layout.definition_count; i++)
		print_error(" %s", world->layout.definitions[i]);
	print_error(" (base step %lld)\n", (long long)world->layout.step);
}

/* Every row of the migrated file is what the model makes of the old one. */
static void compare(const struct picture *old, const struct truth *truth, const struct picture *new, unsigned seed)
{
	assert_int_equal(new->last, old->last);
	for (size_t i = 0; i < new->world->layout.archive_count; i++) {
		const struct layout_archive *archive = &new->world->layout.archives[i];

		for (size_t field = 0; field < new->world->family.field_count; field++)
			for (int64_t row = 0; row < archive->rows; row++) {
				size_t id = new->world->ids[field];
				int64_t end = start_of(new, i) + (row + 1) * archive->step;
				double is = new->values[i][id][row];
				bool exact;
				double should = expect(old, truth, archive, id, end, &exact);

				if (exact ? same_bits(is, should) : is_near(is, should))
					continue;
				describe_world("old", old->world);
				describe_world("new", new->world);
				fail_msg("seed %u: %s of %s, %lld s to last - %lld: %.17g, not %.17g", seed,
				         layout_consolidation(archive->consolidation), pool[id].name, (long long)archive->step,
				         (long long)(new->last - end), is, should);
			}
	}
}

/* Where no loss is told, whatever the old file knew of a second is still known. */
static void check_loss(const struct picture *old, const struct truth *truth, const struct picture *new, bool lost,
                       unsigned seed)
{
	bool differs = false;

	for (size_t id = 0; id < POOL; id++) {
		if (!old->values[0][id])
			continue;
		for (int64_t second = old->last - 5000; second <= old->last; second++) {
			int64_t step, new_step;
			bool whole, new_whole;
			double was = ask(old, truth, STORE_AVERAGE, id, second, &step, &whole);
			double is = ask(new, truth, STORE_AVERAGE, id, second, &new_step, &new_whole);

			if (step == 0 || isnan(was) || !whole || (new_step == 0 && second > end_of(new, 0)))
				continue;
			differs |= !is_near(was, is);
		}
	}
	if (differs && !lost) {
		describe_world("old", old->world);
		describe_world("new", new->world);
		fail_msg("seed %u: known history is lost and not told", seed);
	}
}

/* --- random worlds ------------------------------------------------------------------------------------------- */

static unsigned dice;

/* 0 … limit - 1; the same on every machine. */
static unsigned roll(unsigned limit)
{
	dice = dice * 1664525u + 1013904223u;
	return (dice >> 8) % limit;
}

static void random_world(struct world *world, int64_t base)
{
	struct plan_tier tiers[3];
	size_t ids[POOL], field_count = 1 + roll(POOL), tier_count = 1 + roll(3);
	int64_t step = roll(4) ? base : base * (1 + roll(4));

	for (size_t i = 0; i < POOL; i++)
		ids[i] = i;
	for (size_t i = 0; i < POOL; i++) {
		size_t other = roll(POOL), swapped = ids[i];

		ids[i] = ids[other];
		ids[other] = swapped;
	}
	for (size_t i = 0; i < tier_count; i++) {
		tiers[i] = (struct plan_tier){step, step * (1 + roll(roll(2) ? 12 : 100))};
		step = roll(4) ? step * (2 + roll(5)) : step + 1 + roll(20);
	}
	make_world(world, base, ids, field_count, tiers, tier_count);
}

/* One reading in `rarity` is unknown. */
static void random_readings(double *readings, double *counters, unsigned rarity)
{
	bool all_unknown = roll(40) == 0;

	for (size_t id = 0; id < POOL; id++) {
		readings[id] = (double)roll(1000) / 7;
		if (pool[id].kind == PINDROP_COUNTER) {
			/* Now and then it begins anew. */
			counters[id] = roll(50) ? counters[id] + roll(5000) : roll(10);
			readings[id] = id == BYTES ? counters[id] : counters[id] / 4;
		}
		if (all_unknown || roll(rarity) == 0)
			readings[id] = NAN;
	}
}

/* Feeds a file some hundred steps, with single unknowns and long ones, and in the end, perhaps, between two steps. */
static void feed_at_random(const struct world *world, struct truth *truth)
{
	double counters[POOL] = {0}, readings[POOL];
	struct lines lines = {0};
	size_t count = 20 + roll(300), gap = 0;
	int64_t step = world->layout.step, tick = truth->begin;
	unsigned rarity = roll(4) ? 60 : 2;

	for (size_t i = 0; i < count; i++) {
		random_readings(readings, counters, rarity);
		gap = gap ? gap - 1 : roll(40) ? 0 : roll(60);
		for (size_t id = 0; id < POOL && gap; id++)
			readings[id] = NAN;
		tick += step;
		add_line(&lines, world, tick, readings);
		learn(truth, tick, readings);
	}
	for (int64_t end = tick + step; step > 1 && roll(3);) {
		tick += 1 + roll((unsigned)step - 1);
		if (tick >= end)
			break;
		random_readings(readings, counters, 2);
		add_line(&lines, world, tick, readings);
		learn(truth, tick, readings);
	}
	write_lines(&lines, path);
}

static const int64_t bases[] = {1, 1, 2, 3, 5, 10, 15};

static void try_one(unsigned seed)
{
	static struct world old, new;
	struct truth truth;
	struct picture before, after;
	struct migrate_report report;
	int64_t base, start;

	dice = seed * 2654435761u;
	base = bases[roll(7)];
	random_world(&old, base);
	random_world(&new, roll(2) ? base : bases[roll(7)]);
	start = (START + roll(1000)) / base * base;
	truth_begin(&truth, start, 330 * base + base);
	make(&old, start);
	feed_at_random(&old, &truth);
	look_at(&before, &old);
	migrate(&new, &report);
	/* Foreign, for example: then nothing has changed. */
	if (report.foreign) {
		inspect(&old);
	} else {
		look_at(&after, &new);
		compare(&before, &truth, &after, seed);
		check_loss(&before, &truth, &after, report.lost, seed);
		assert_int_equal(report.lost != NULL, count_files("x.rrd.replaced-"));
		assert_int_equal(count_files(""), report.lost ? 2 : 1);
		forget(&after);
	}
	migrate_report_release(&report);
	forget(&before);
	truth_end(&truth);
	layout_release(&old.layout);
	layout_release(&new.layout);
	empty_folder();
}

/* One thread has no races, and each seed takes ten times as long. */
#ifdef __SANITIZE_THREAD__
#define SEEDS 80
#else
#define SEEDS 400
#endif

static void every_moment_keeps_the_finest_rows_that_the_old_file_held(void **state)
{
	const char *given = getenv("SEED");
	unsigned first = given ? (unsigned)strtoul(given, NULL, 0) : 1, count = given ? 1 : SEEDS;

	(void)state;
	for (unsigned seed = first; seed < first + count; seed++)
		try_one(seed);
}

/* --- single cases -------------------------------------------------------------------------------------------- */

/* Feeds numbers that are told apart, a sample every `step`, of (from, to]. */
static void feed_every(const struct world *world, int64_t step, int64_t from, int64_t to)
{
	struct lines lines = {0};

	for (int64_t tick = from + step; tick <= to; tick += step) {
		int64_t since = tick - START;
		double readings[POOL] = {[LEVEL] = (double)(since % 97),
		                         [BYTES] = (double)(since * since),
		                         [TIME] = (double)since * 0.25,
		                         [OTHER] = 7,
		                         [MORE] = (double)since};

		add_line(&lines, world, tick, readings);
	}
	write_lines(&lines, path);
}

static void feed(const struct world *world, int64_t from, int64_t to)
{
	feed_every(world, world->layout.step, from, to);
}

static void release_worlds(struct world *one, struct world *other)
{
	layout_release(&one->layout);
	layout_release(&other->layout);
}

static void an_unchanged_tier_stays_bit_for_bit_the_same(void **state)
{
	struct world old, new;
	struct picture before, after;
	struct migrate_report report;

	(void)state;
	WORLD(&old, 1, two_fields, {1, 60}, {60, 3600}, {600, 36000});
	WORLD(&new, 1, two_fields, {1, 60}, {10, 600}, {60, 3600}, {600, 72000});
	make(&old, START);
	feed(&old, START, START + 5000);
	look_at(&before, &old);
	migrate(&new, &report);
	look_at(&after, &new);
	for (size_t i = 0; i < old.layout.archive_count; i++) {
		const struct layout_archive *archive = &old.layout.archives[i];
		size_t same = find_archive(&new, archive->consolidation, archive->step);
		int64_t longer = new.layout.archives[same].rows - archive->rows;

		for (size_t field = 0; field < 2; field++)
			assert_memory_equal(before.values[i][two_fields[field]], after.values[same][two_fields[field]] + longer,
			                    (size_t)archive->rows * sizeof(double));
	}
	assert_true(report.changes);
	assert_null(report.lost);
	assert_null(report.kept);
	assert_string_equal(report.difference, "10m for 10h -> 10m for 20h; new: 10s for 10m");
	assert_int_equal(report.bytes_after, new.layout.file_size);
	assert_int_equal(report.bytes_before, old.layout.file_size);
	assert_int_equal(report.rows_before, 60 + 3 * 60 + 3 * 60);
	assert_int_equal(report.rows_after, 60 + 3 * 60 + 3 * 60 + 3 * 120);
	migrate_report_release(&report);
	forget(&before);
	forget(&after);
	release_worlds(&old, &new);
}

static void a_finer_tier_is_filled_from_a_coarse_one_only_where_there_is_nothing_finer(void **state)
{
	struct world old, new;
	double *seconds;

	(void)state;
	WORLD(&old, 1, one_field, {1, 20}, {10, 600});
	WORLD(&new, 1, one_field, {1, 100}, {10, 600});
	make(&old, START);
	feed(&old, START, START + 200);
	just_migrate(&new);
	seconds = fetch(new.fields[0].name, &new.layout.archives[0], START + 200);
	for (int64_t i = 0; i < 100; i++) {
		int64_t since = 101 + i, ten = (since + 9) / 10 * 10;
		double mean = 0;

		for (int64_t k = ten - 9; k <= ten; k++)
			mean += (double)(k % 97) / 10;
		/* The last 20 s are there as they were, what is older is the mean of its 10 s. */
		if (since > 180)
			assert_true(seconds[i] == (double)(since % 97));
		else
			assert_true(is_near(seconds[i], mean));
	}
	free(seconds);
	release_worlds(&old, &new);
}

static void a_gap_is_not_filled_from_a_coarser_row(void **state)
{
	struct world old, new;
	struct lines lines = {0};
	double *tens;

	(void)state;
	WORLD(&old, 1, one_field, {1, 60}, {60, 600});
	WORLD(&new, 1, one_field, {1, 60}, {10, 600}, {60, 600});
	make(&old, START);
	for (int64_t i = 1; i <= 60; i++) {
		double readings[POOL] = {[LEVEL] = i > 20 && i <= 30 ? NAN : 5};

		add_line(&lines, &old, START + i, readings);
	}
	write_lines(&lines, path);
	just_migrate(&new);
	tens = fetch(new.fields[0].name, &new.layout.archives[find_archive(&new, STORE_AVERAGE, 10)], START + 60);
	assert_true(isnan(tens[56]));
	assert_true(tens[55] == 5 && tens[57] == 5);
	free(tens);
	release_worlds(&old, &new);
}

static void fields_come_go_and_move(void **state)
{
	static const size_t before_ids[] = {LEVEL, BYTES, OTHER}, after_ids[] = {TIME, BYTES, LEVEL};
	struct world old, new;
	struct picture before, after;
	struct migrate_report report;
	char *words;

	(void)state;
	WORLD(&old, 1, before_ids, {1, 600}, {60, 6000});
	WORLD(&new, 1, after_ids, {1, 600}, {60, 6000});
	make(&old, START);
	feed(&old, START, START + 700);
	look_at(&before, &old);
	migrate(&new, &report);
	look_at(&after, &new);
	for (size_t i = 0; i < new.layout.archive_count; i++)
		for (int64_t row = 0; row < new.layout.archives[i].rows; row++) {
			assert_true(isnan(after.values[i][TIME][row]));
			assert_true(same_bits(after.values[i][BYTES][row], before.values[i][BYTES][row]));
			assert_true(same_bits(after.values[i][LEVEL][row], before.values[i][LEVEL][row]));
		}
	assert_string_equal(report.difference, "new field time; field other goes; fields in another order");
	assert_string_equal(report.lost, "field other");
	/* The old file is there still, with all it had. */
	words = memory_format("%s.replaced-", path);
	assert_memory_equal(report.kept, words, strlen(words));
	assert_int_equal(rename(report.kept, path), 0);
	inspect(&old);
	free(words);
	migrate_report_release(&report);
	forget(&before);
	forget(&after);
	release_worlds(&old, &new);
}

static void a_level_that_becomes_a_counter_begins_anew(void **state)
{
	struct world old, new;
	struct migrate_report report;
	double *seconds;

	(void)state;
	WORLD(&old, 1, one_field, {1, 60});
	WORLD(&new, 1, one_field, {1, 60});
	make(&old, START);
	feed(&old, START, START + 70);
	/* The same name, another kind. */
	layout_release(&new.layout);
	new.fields[0] = pool[BYTES];
	new.fields[0].name = pool[LEVEL].name;
	{
		struct plan_plugin plugin = {.interval = CLOCK_SECOND};
		struct plan_family family = {&new.family, &plugin};
		struct plan_tier tier = {1, 60};
		struct plan plan = {.tier_count = 1, .tiers = &tier, .family_count = 1, .families = &family};

		layout_begin(&new.layout, &plan, 0);
	}
	migrate(&new, &report);
	assert_string_equal(report.difference, "field level begins anew: GAUGE -> DERIVE");
	assert_string_equal(report.lost, "field level");
	seconds = fetch(new.fields[0].name, &new.layout.archives[0], START + 70);
	for (size_t i = 0; i < 60; i++)
		assert_true(isnan(seconds[i]));
	free(seconds);
	migrate_report_release(&report);
	release_worlds(&old, &new);
}

/* 10 s rows from single seconds are their means, 1 s rows from 10 s are copies, 15 s rows take what they cover. */
static void the_interval_may_change(void **state)
{
	struct world one, ten, fifteen;
	double *rows;

	(void)state;
	WORLD(&one, 1, one_field, {1, 600});
	WORLD(&ten, 10, one_field, {10, 600});
	WORLD(&fifteen, 15, one_field, {15, 600});
	make(&one, START);
	feed(&one, START, START + 90);
	just_migrate(&ten);
	assert_int_equal(inspect(&ten), START + 90);
	rows = fetch(ten.fields[0].name, &ten.layout.archives[0], START + 90);
	for (int64_t i = 0; i < 9; i++)
		assert_true(is_near(rows[51 + i], (double)(i * 10) + 5.5));
	free(rows);
	just_migrate(&fifteen);
	rows = fetch(fifteen.fields[0].name, &fifteen.layout.archives[0], START + 90);
	for (int64_t i = 0; i < 6; i++) {
		double first = (double)(i * 15 / 10 * 10) + 5.5;

		assert_true(
			is_near(rows[34 + i], i % 2 ? (first * 5 + (first + 10) * 10) / 15 : (first * 10 + (first + 10) * 5) / 15));
	}
	free(rows);
	just_migrate(&one);
	rows = fetch(one.fields[0].name, &one.layout.archives[0], START + 90);
	assert_true(is_near(rows[599], rows[585]));
	assert_false(is_near(rows[599], rows[584]));
	free(rows);
	layout_release(&fifteen.layout);
	release_worlds(&one, &ten);
}

/* Feeds a file to `middle`, migrates it, feeds on to `end`; another of the new layout is fed all of it: they are
 * the same, row by row. */
static void goes_on_as_if_it_had_always_had_it(struct world *old, struct world *new, int64_t middle, int64_t end,
                                               bool same_base)
{
	struct picture migrated, always;

	make(old, START);
	feed(old, START, middle);
	just_migrate(new);
	feed(new, middle - middle % new->layout.step, end);
	look_at(&migrated, new);
	empty_folder();
	make(new, START);
	/* With the samples that the old one had. */
	feed_every(new, old->layout.step, START, middle);
	feed(new, middle - middle % new->layout.step, end);
	look_at(&always, new);
	for (size_t i = 0; i < new->layout.archive_count; i++)
		for (int64_t row = 0; row < new->layout.archives[i].rows; row++)
			for (size_t field = 0; field < new->family.field_count; field++) {
				size_t id = new->ids[field];

				int64_t start = start_of(&always, i) + row * new->layout.archives[i].step;

				if (!same_base && (new->layout.archives[i].consolidation != STORE_AVERAGE || start <= START))
					continue;
				if (!is_near(migrated.values[i][id][row], always.values[i][id][row]))
					fail_msg("%s of %s, %lld s, row %lld of %lld: %.17g, not %.17g",
					         layout_consolidation(new->layout.archives[i].consolidation), pool[id].name,
					         (long long)new->layout.archives[i].step, (long long)row,
					         (long long)new->layout.archives[i].rows, migrated.values[i][id][row],
					         always.values[i][id][row]);
			}
	forget(&migrated);
	forget(&always);
	empty_folder();
}

static void librrd_goes_on_as_if_the_file_had_always_had_its_layout(void **state)
{
	static const size_t ids[] = {LEVEL, BYTES, TIME};
	struct world old, new;

	(void)state;
	WORLD(&old, 1, ids, {1, 4000}, {60, 6000});
	WORLD(&new, 1, ids, {1, 100}, {10, 500}, {30, 6000}, {90, 6000}, {3600, 36000});
	for (int64_t middle = START + 1000; middle < START + 1100; middle += 7)
		goes_on_as_if_it_had_always_had_it(&old, &new, middle, middle + 200, true);
	release_worlds(&old, &new);
	/* Of another interval: samples of a second would have become means of five, and the extremes those of means; and
	 * the five of which one is unknown, the first of a counter, would have counted as five. */
	WORLD(&old, 1, ids, {1, 4000});
	WORLD(&new, 5, ids, {5, 4000}, {30, 6000}, {300, 36000});
	for (int64_t middle = START + 1000; middle < START + 1030; middle += 5)
		goes_on_as_if_it_had_always_had_it(&old, &new, middle, middle + 400, false);
	release_worlds(&old, &new);
}

static void the_first_rate_after_a_migration_is_known(void **state)
{
	static const size_t before_ids[] = {BYTES, LEVEL, TIME}, after_ids[] = {OTHER, TIME, BYTES};
	struct world old, new;
	struct picture after;

	(void)state;
	WORLD(&old, 1, before_ids, {1, 600});
	WORLD(&new, 1, after_ids, {1, 600}, {10, 600});
	make(&old, START);
	feed(&old, START, START + 55);
	just_migrate(&new);
	feed(&new, START + 55, START + 56);
	look_at(&after, &new);
	assert_true(is_near(after.values[0][BYTES][599], 56 * 56 - 55 * 55));
	assert_true(is_near(after.values[0][TIME][599], 0.25));
	assert_true(is_near(after.values[0][OTHER][599], 7));
	forget(&after);
	release_worlds(&old, &new);
}

/* Samples faster than a second: the last update lies between two seconds, and stays there. */
static void a_part_of_a_second_is_not_lost(void **state)
{
	struct world old, new;
	struct lines lines = {0};
	struct history history;
	struct error error = {""};
	double *seconds;

	(void)state;
	WORLD(&old, 1, one_field, {1, 60});
	WORLD(&new, 1, one_field, {1, 60}, {10, 100});
	make(&old, START);
	for (int64_t i = 1; i <= 43; i++) {
		double value = (double)i;

		lines.texts = memory_resize(lines.texts, lines.count + 1, sizeof(char *));
		lines.texts[lines.count] = memory_alloc(LAYOUT_LINE_SIZE(POOL));
		layout_line(&old.layout, START * CLOCK_SECOND + i * CLOCK_SECOND / 5, &value, lines.texts[lines.count++]);
	}
	write_lines(&lines, path);
	just_migrate(&new);
	assert_int_equal(file_read_history(path, &history, &error), FILE_GOOD);
	assert_int_equal(history.last, START + 8);
	assert_in_range(history.last_microseconds, 599000, 600000);
	history_release(&history);
	for (int64_t i = 44; i <= 45; i++) {
		double value = (double)i;
		char line[LAYOUT_LINE_SIZE(POOL)];
		const char *texts[] = {line};

		layout_line(&new.layout, START * CLOCK_SECOND + i * CLOCK_SECOND / 5, &value, line);
		assert_int_equal(file_update(path, NULL, 1, texts, &error), 0);
	}
	seconds = fetch(new.fields[0].name, &new.layout.archives[0], START + 9);
	assert_true(fabs(seconds[59] - 43) < 1e-4);
	free(seconds);
	release_worlds(&old, &new);
}

/* --- what is lost --------------------------------------------------------------------------------------------- */

static void loses(const struct world *old, const struct world *new, int64_t fed, const char *words)
{
	struct migrate_report plan = {0}, report;
	struct error error = {""};

	make(old, START);
	feed(old, START, START + fed);
	assert_int_equal(file_plan(path, &new->layout, &plan, &error), 0);
	inspect(old);
	assert_int_equal(count_files(""), 1);
	migrate(new, &report);
	if (words) {
		assert_non_null(report.lost);
		assert_string_equal(report.lost, words);
		assert_string_equal(plan.lost, words);
		assert_int_equal(count_files("x.rrd.replaced-"), 1);
	} else {
		if (report.lost)
			fail_msg("nothing is lost, and yet: %s", report.lost);
		assert_null(plan.lost);
		assert_int_equal(count_files(""), 1);
	}
	assert_string_equal(report.difference, plan.difference);
	migrate_report_release(&plan);
	migrate_report_release(&report);
	empty_folder();
}

static void loss_is_told_exactly_when_something_known_is_lost(void **state)
{
	struct world old, new;

	(void)state;
	setenv("TZ", "UTC0", 1);
	tzset();
	WORLD(&old, 1, two_fields, {1, 3600}, {60, DAY}, {3600, 100 * DAY});
	/* Kept for a shorter time, but there was nothing that long ago; finer and longer. */
	WORLD(&new, 1, two_fields, {1, 1800}, {60, DAY / 2}, {3600, 10 * DAY});
	loses(&old, &new, 1500, NULL);
	/* The same, with more behind it: 22:00:00 + 3500 s; the counter's first second was unknown, the level's known. */
	loses(&old, &new, 3500, "1,700 rows of 1s between 2023-11-14 22:00 and 22:28");
	layout_release(&new.layout);
	/* No seconds any more. */
	WORLD(&new, 1, two_fields, {60, DAY}, {3600, 100 * DAY});
	loses(&old, &new, 180, "180 rows of 1s between 2023-11-14 22:00:00 and 22:03:00");
	layout_release(&new.layout);
	/* Steps that do not divide the old ones. */
	WORLD(&new, 15, two_fields, {15, 3600}, {60, DAY}, {3600, 100 * DAY});
	release_worlds(&old, &new);
	WORLD(&old, 10, two_fields, {10, 3600});
	WORLD(&new, 15, two_fields, {15, 3600});
	loses(&old, &new, 30, "3 rows of 10s between 2023-11-14 22:00:00 and 22:00:30");
	layout_release(&new.layout);
	/* Finer ones do. */
	WORLD(&new, 5, two_fields, {5, 3600});
	loses(&old, &new, 30, NULL);
	release_worlds(&old, &new);
	/* A minute's extremes, when the minute becomes the finest tier. */
	WORLD(&old, 1, one_field, {1, 60}, {60, 6000});
	WORLD(&new, 60, one_field, {60, 6000});
	loses(
		&old, &new, 180,
		"60 rows of 1s between 2023-11-14 22:02:00 and 22:03:00, minima and maxima of 2 rows of 1m between 2023-11-14 "
		"22:00:00 and 22:02:00");
	release_worlds(&old, &new);
}

static void a_foreign_file_is_left_alone(void **state)
{
	static const size_t ids[] = {OTHER, MORE};
	struct world old, new;
	struct migrate_report report;

	(void)state;
	WORLD(&old, 1, ids, {1, 60});
	WORLD(&new, 1, two_fields, {1, 60});
	make(&old, START);
	migrate(&new, &report);
	assert_true(report.changes && report.foreign);
	assert_int_equal(count_files(""), 1);
	inspect(&old);
	migrate_report_release(&report);
	/* And one that fits needs nothing. */
	migrate(&old, &report);
	assert_false(report.changes || report.foreign);
	assert_null(report.difference);
	migrate_report_release(&report);
	release_worlds(&old, &new);
}

/* --- the clock ------------------------------------------------------------------------------------------------ */

static void what_lies_in_the_future_is_cut_off_and_kept(void **state)
{
	static const size_t ids[] = {LEVEL, BYTES};
	struct world world, unused;
	struct picture before, after;
	struct error error = {""};
	char *kept = NULL;
	struct file_facts facts;

	(void)state;
	WORLD(&world, 1, ids, {1, 300}, {10, 3000});
	WORLD(&unused, 1, ids, {1, 300});
	make(&world, START);
	feed(&world, START, START + 200);
	look_at(&before, &world);
	if (file_cut(path, &world.layout, START + 95, &kept, &error) < 0)
		fail_msg("%s", error.text);
	assert_int_equal(inspect(&world), START + 95);
	assert_int_equal(file_inspect(kept, &world.layout, &facts, &error), FILE_GOOD);
	assert_int_equal(facts.last, START + 200);
	/* It goes on at the right time. */
	feed(&world, START + 95, START + 120);
	look_at(&after, &world);
	for (int64_t i = 0; i < 120; i++) {
		/* The counter's first reading behind the cut is where it begins anew. */
		assert_true(same_bits(after.values[0][LEVEL][180 + i], before.values[0][LEVEL][100 + i]));
		if (i != 95)
			assert_true(same_bits(after.values[0][BYTES][180 + i], before.values[0][BYTES][100 + i]));
		else
			assert_true(isnan(after.values[0][BYTES][180 + i]));
	}
	for (int64_t i = 1; i <= 12; i++)
		assert_true(is_near(after.values[1][LEVEL][300 - i], before.values[1][LEVEL][292 - i]));
	free(kept);
	forget(&before);
	forget(&after);
	release_worlds(&world, &unused);
}

static void files_that_were_set_apart_are_joined(void **state)
{
	struct world world, unused;
	struct picture whole, joined;
	struct error error = {""};
	char *kept = NULL;
	const char *others[1];

	(void)state;
	WORLD(&world, 1, one_field, {1, 300}, {10, 3000});
	WORLD(&unused, 1, one_field, {1, 300});
	make(&world, START);
	feed(&world, START, START + 200);
	if (file_cut(path, &world.layout, START + 100, &kept, &error) < 0)
		fail_msg("%s", error.text);
	/* Nothing for a while, then on: what the file that was kept knows of the time between fits in. */
	{
		struct lines lines = {0};
		const double readings[POOL] = {[LEVEL] = NAN};

		add_line(&lines, &world, START + 150, readings);
		write_lines(&lines, path);
	}
	feed(&world, START + 150, START + 250);
	others[0] = kept;
	if (file_join(path, &world.layout, others, 1, INT64_MAX, &error) < 0)
		fail_msg("%s", error.text);
	look_at(&joined, &world);
	assert_int_equal(joined.last, START + 250);
	unlink(path);
	make(&world, START);
	feed(&world, START, START + 250);
	look_at(&whole, &world);
	for (size_t i = 0; i < world.layout.archive_count; i++)
		for (int64_t row = 0; row < world.layout.archives[i].rows; row++)
			assert_true(is_near(joined.values[i][LEVEL][row], whole.values[i][LEVEL][row]));
	forget(&whole);
	forget(&joined);
	free(kept);
	release_worlds(&world, &unused);
}

/* The file's own rows count first, in whatever step; what it does not know comes from the other's. */
static void files_of_other_layouts_are_joined(void **state)
{
	struct world fine, coarse;
	struct error error = {""};
	struct lines lines = {0};
	const char *others[1];
	char *other = memory_format("%s.other", path);
	double readings[POOL], *seconds;

	(void)state;
	WORLD(&fine, 1, one_field, {1, 100});
	WORLD(&coarse, 10, one_field, {10, 100});
	make(&coarse, START);
	feed(&coarse, START, START + 60);
	assert_int_equal(rename(path, other), 0);
	make(&fine, START);
	for (int64_t i = 1; i <= 40; i++) {
		readings[LEVEL] = i > 15 && i <= 25 ? NAN : -1;
		add_line(&lines, &fine, START + i, readings);
	}
	write_lines(&lines, path);
	others[0] = other;
	if (file_join(path, &fine.layout, others, 1, START + 55, &error) < 0)
		fail_msg("%s", error.text);
	assert_int_equal(inspect(&fine), START + 55);
	seconds = fetch(fine.fields[0].name, &fine.layout.archives[0], START + 55);
	for (int64_t i = 1; i <= 55; i++) {
		double should = i <= 15 || (i > 25 && i <= 40) ? -1 : (double)((i + 9) / 10 * 10);

		if (seconds[44 + i] != should)
			fail_msg("second %lld: %g, not %g", (long long)i, seconds[44 + i], should);
	}
	free(seconds);
	free(other);
	release_worlds(&fine, &coarse);
}

/* Neither has rows of the step that is wanted: still, the file's own count first. */
static void of_two_that_know_a_moment_the_file_itself_counts(void **state)
{
	struct world coarse, fine;
	struct error error = {""};
	struct lines lines = {0};
	const char *others[1];
	char *other = memory_format("%s.other", path);
	double readings[POOL], *rows;

	(void)state;
	WORLD(&coarse, 10, one_field, {10, 100});
	WORLD(&fine, 5, one_field, {5, 100});
	make(&coarse, START);
	feed(&coarse, START, START + 60);
	assert_int_equal(rename(path, other), 0);
	make(&coarse, START);
	for (int64_t i = 10; i <= 60; i += 10) {
		readings[LEVEL] = i == 30 ? NAN : -1;
		add_line(&lines, &coarse, START + i, readings);
	}
	write_lines(&lines, path);
	others[0] = other;
	if (file_join(path, &fine.layout, others, 1, INT64_MAX, &error) < 0)
		fail_msg("%s", error.text);
	rows = fetch(fine.fields[0].name, &fine.layout.archives[0], START + 60);
	for (size_t i = 8; i < 20; i++)
		assert_true(rows[i] == (i == 12 || i == 13 ? 30 : -1));
	free(rows);
	free(other);
	release_worlds(&coarse, &fine);
}

/* --- accidents ------------------------------------------------------------------------------------------------ */

static void names_of_files_set_aside_are_never_taken_twice(void **state)
{
	struct world world, unused;
	struct error error = {""};
	char *name;

	(void)state;
	WORLD(&world, 1, one_field, {1, 60});
	WORLD(&unused, 1, one_field, {1, 60});
	for (int i = 0; i < 12; i++) {
		make(&world, START);
		name = aside_rename(path, "damaged", &error);
		if (!name)
			fail_msg("%s", error.text);
		free(name);
	}
	assert_int_equal(count_files("x.rrd.damaged-"), 12);
	for (int i = 0; i < 3; i++) {
		char *kept = NULL;

		make(&world, START);
		assert_int_equal(file_keep(path, "future", &kept, &error), 0);
		free(kept);
		/* Of the very same file, an interrupted run has kept it. */
		assert_int_equal(file_keep(path, "future", &kept, &error), 0);
		free(kept);
		unlink(path);
	}
	assert_int_equal(count_files("x.rrd.future-"), 3);
	release_worlds(&world, &unused);
}

static char *read_bytes(size_t *length)
{
	struct stat status;
	int fd = open(path, O_RDONLY);
	char *bytes;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	*length = (size_t)status.st_size;
	bytes = memory_alloc(*length);
	assert_int_equal(read(fd, bytes, *length), *length);
	close(fd);
	return bytes;
}

static void write_bytes(const char *bytes, size_t length)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, length), length);
	close(fd);
}

/* A child that migrates and is killed after `delay` µs, unless it is done before. */
static void migrate_and_kill(const struct world *new, unsigned delay)
{
	pid_t child = fork();

	if (child == 0) {
		struct migrate_report report = {0};
		struct error error;

		_exit(file_migrate(path, &new->layout, &report, &error) < 0);
	}
	usleep(delay);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void a_kill_leaves_the_old_file_or_the_new_one(void **state)
{
	struct world old, new;
	struct picture before, after;
	struct error error = {""};
	size_t length, olds = 0, news = 0;
	char *bytes;
	struct file_facts facts;
	int64_t began, takes;

	(void)state;
	WORLD(&old, 1, two_fields, {1, 20000}, {60, 6000});
	WORLD(&new, 1, two_fields, {1, 19000}, {10, 6000}, {60, 6000});
	make(&old, START);
	feed(&old, START, START + 21000);
	bytes = read_bytes(&length);
	began = clock_monotonic();
	just_migrate(&new);
	takes = (clock_monotonic() - began) / 1000;
	look_at(&before, &new);
	for (unsigned i = 0; i < 100; i++) {
		enum file_state is;

		empty_folder();
		write_bytes(bytes, length);
		migrate_and_kill(&new, (unsigned)(takes * (30 + 2 * i) / 100));
		is = file_inspect(path, &new.layout, &facts, &error);
		if (is == FILE_GOOD) {
			look_at(&after, &new);
			for (size_t k = 0; k < new.layout.archive_count; k++)
				assert_memory_equal(before.values[k][LEVEL], after.values[k][LEVEL],
				                    (size_t) new.layout.archives[k].rows * sizeof(double));
			forget(&after);
			assert_int_equal(count_files("x.rrd.replaced-"), 1);
		} else {
			size_t length_now;
			char *bytes_now = read_bytes(&length_now);

			assert_int_equal(length_now, length);
			assert_memory_equal(bytes_now, bytes, length);
			free(bytes_now);
		}
		olds += is != FILE_GOOD;
		news += is == FILE_GOOD;
		/* What else is there has a name that says so. */
		assert_int_equal(count_files(""), 1 + count_files("x.rrd.replaced-") + count_files("x.rrd.new"));
		assert_true(count_files("x.rrd.replaced-") <= 1);
		/* And the next run is not hindered, and keeps the old file once. */
		just_migrate(&new);
		inspect(&new);
		assert_int_equal(count_files("x.rrd.replaced-"), 1);
	}
	print_message("%zu kills left the old file, %zu the new one; %lld us a migration\n", olds, news, (long long)takes);
	forget(&before);
	free(bytes);
	release_worlds(&old, &new);
}

static void fill_disk(void)
{
	char *name = memory_format("%s/filler", folder), bytes[4096] = {1};
	int fd = open(name, O_WRONLY | O_CREAT, 0666);

	while (write(fd, bytes, sizeof(bytes)) > 0)
		continue;
	close(fd);
	free(name);
}

static void a_full_disk_leaves_the_old_file(void **state)
{
	struct world old, new;
	struct migrate_report report = {0};
	struct error error = {""};
	size_t length, length_now;
	char *bytes, *bytes_now, *kept = NULL;

	(void)state;
	if (mount("tmpfs", folder, "tmpfs", 0, "size=600k") < 0)
		skip();
	WORLD(&old, 1, two_fields, {1, 20000});
	WORLD(&new, 1, two_fields, {1, 10000}, {10, 60000});
	make(&old, START);
	feed(&old, START, START + 21000);
	bytes = read_bytes(&length);
	fill_disk();
	assert_int_equal(file_migrate(path, &new.layout, &report, &error), -1);
	assert_non_null(strstr(error.text, "the disk is full ("));
	assert_null(report.kept);
	assert_int_equal(file_cut(path, &new.layout, START + 5000, &kept, &error), -1);
	assert_null(kept);
	assert_int_equal(count_files(""), 2);
	bytes_now = read_bytes(&length_now);
	assert_int_equal(length_now, length);
	assert_memory_equal(bytes_now, bytes, length);
	migrate_report_release(&report);
	free(bytes_now);
	free(bytes);
	empty_folder();
	umount(folder);
	release_worlds(&old, &new);
}

static void what_cannot_be_put_in_its_place_leaves_nothing_behind(void **state)
{
	struct world world, unused;
	struct history history;
	struct error error = {""};
	char *taken = memory_format("%s/taken.rrd", folder);

	(void)state;
	WORLD(&world, 1, one_field, {1, 60});
	WORLD(&unused, 1, one_field, {1, 70});
	make(&world, START);
	assert_int_equal(file_read_history(path, &history, &error), FILE_GOOD);
	assert_int_equal(mkdir(taken, 0777), 0);
	assert_int_equal(file_write_history(taken, &world.layout, &history, &error), -1);
	assert_non_null(strstr(error.text, "cannot write "));
	assert_int_equal(file_write_history(path, &unused.layout, &history, &error), -1);
	assert_int_equal(count_files(""), 2);
	assert_int_equal(rmdir(taken), 0);
	inspect(&world);
	history_release(&history);
	free(taken);
	release_worlds(&world, &unused);
}

/* Who may read a file is the user's to say. */
static void the_mode_of_a_file_stays(void **state)
{
	struct world old, new;
	struct stat status;

	(void)state;
	WORLD(&old, 1, one_field, {1, 60});
	WORLD(&new, 1, one_field, {1, 70});
	make(&old, START);
	assert_int_equal(chmod(path, 0640), 0);
	just_migrate(&new);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0640);
	release_worlds(&old, &new);
}

/* Any byte of the header, any way: it is read, or told to be damaged, and nothing worse. */
static void a_damaged_file_is_told_and_left_alone(void **state)
{
	struct world old, new;
	struct error error = {""};
	size_t length, told = 0, header = 2000;
	char *bytes;

	(void)state;
	WORLD(&old, 1, two_fields, {1, 60}, {10, 600});
	WORLD(&new, 1, two_fields, {1, 70}, {10, 600});
	make(&old, START);
	feed(&old, START, START + 100);
	bytes = read_bytes(&length);
	assert_true(length > header);
	for (size_t i = 0; i < header; i++) {
		static const char flips[] = {1, 0x20, (char)0x80, (char)0xff};
		struct history history = {0};
		enum file_state is;

		/* Of files of an older version librrd loses 16 bytes each time, whoever opens them. */
		for (size_t k = 0; k < sizeof(flips) && (i < 4 || i > 8); k++) {
			bytes[i] ^= flips[k];
			write_bytes(bytes, length);
			is = file_read_history(path, &history, &error);
			assert_true(is == FILE_GOOD || is == FILE_DAMAGED);
			told += is == FILE_DAMAGED;
			history_release(&history);
			bytes[i] ^= flips[k];
		}
	}
	assert_true(told > 100);
	for (size_t i = 0; i < length; i += 97) {
		struct migrate_report report = {0};

		write_bytes(bytes, i);
		assert_int_equal(file_migrate(path, &new.layout, &report, &error), -1);
		assert_true(report.damaged);
		migrate_report_release(&report);
	}
	assert_int_equal(count_files(""), 1);
	unlink(path);
	{
		struct migrate_report report = {0};

		assert_int_equal(file_migrate(path, &new.layout, &report, &error), -1);
		assert_false(report.damaged);
	}
	free(bytes);
	release_worlds(&old, &new);
}

#define WITH_FOLDER(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FOLDER(every_moment_keeps_the_finest_rows_that_the_old_file_held),
		WITH_FOLDER(an_unchanged_tier_stays_bit_for_bit_the_same),
		WITH_FOLDER(a_finer_tier_is_filled_from_a_coarse_one_only_where_there_is_nothing_finer),
		WITH_FOLDER(a_gap_is_not_filled_from_a_coarser_row),
		WITH_FOLDER(fields_come_go_and_move),
		WITH_FOLDER(a_level_that_becomes_a_counter_begins_anew),
		WITH_FOLDER(the_interval_may_change),
		WITH_FOLDER(librrd_goes_on_as_if_the_file_had_always_had_its_layout),
		WITH_FOLDER(the_first_rate_after_a_migration_is_known),
		WITH_FOLDER(a_part_of_a_second_is_not_lost),
		WITH_FOLDER(loss_is_told_exactly_when_something_known_is_lost),
		WITH_FOLDER(a_foreign_file_is_left_alone),
		WITH_FOLDER(what_lies_in_the_future_is_cut_off_and_kept),
		WITH_FOLDER(files_that_were_set_apart_are_joined),
		WITH_FOLDER(files_of_other_layouts_are_joined),
		WITH_FOLDER(of_two_that_know_a_moment_the_file_itself_counts),
		WITH_FOLDER(names_of_files_set_aside_are_never_taken_twice),
		WITH_FOLDER(a_kill_leaves_the_old_file_or_the_new_one),
		WITH_FOLDER(a_full_disk_leaves_the_old_file),
		WITH_FOLDER(what_cannot_be_put_in_its_place_leaves_nothing_behind),
		WITH_FOLDER(the_mode_of_a_file_stays),
		WITH_FOLDER(a_damaged_file_is_told_and_left_alone),
	};

	return cmocka_run_group_tests_name("migrate", tests, NULL, NULL);
}
