/* links: agent/store/journal.c agent/store/record.c agent/store/aside.c agent/metric/batch.c agent/base/memory.c
 * agent/base/log.c agent/base/boot.c agent/base/clock.c agent/base/text.c agent/base/error.c
 *
 * A journal in a folder of its own, written, damaged and read again. */
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "store/journal.h"

#define FIELDS 3
#define SMALL (4096 * JOURNAL_REGIONS)

static const struct pindrop_field fields[] = {
	{"level", PINDROP_GAUGE, "percent", 1, NULL, "…"},
	{"bytes", PINDROP_COUNTER, "bytes", 0, NULL, "…"},
	{"time", PINDROP_COUNTER, "seconds", 2, NULL, "…"},
};
static const struct pindrop_field reordered[] = {
	{"time", PINDROP_COUNTER, "seconds", 2, NULL, "…"},
	{"level", PINDROP_GAUGE, "percent", 1, NULL, "…"},
};
static const struct pindrop_family table = {.name = "many.of", .fields = fields, .field_count = FIELDS};
static const struct pindrop_family other_table = {.name = "many.of", .fields = reordered, .field_count = 2};
static struct plan_plugin plugin = {.interval = CLOCK_SECOND};
static const struct plan_family families[] = {{&table, &plugin}}, other_families[] = {{&other_table, &plugin}};
static struct plan plan;
static char *path;

/* What was read: how many samples, of which ticks, and whether each was what it should be. */
struct seen {
	size_t count, wrong, images, drops, gaps;
	bool ticks[4096];
	struct journal_found found;
	char field[32]; /* the first name of its fields, where they are not the plan's */
	double level;   /* of the last */
};

static int make_folder(void **state)
{
	char *folder = memory_format("%s/pindrop-journal.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");

	assert_non_null(mkdtemp(folder));
	plan = (struct plan){.journal_size = SMALL, .family_count = 1, .families = families, .data_dir = folder};
	path = memory_format("%s/.journal", folder);
	*state = folder;
	return 0;
}

static int remove_folder(void **state)
{
	char *command = memory_format("rm -rf '%s'", (char *)*state);
	int failed = system(command);

	free(command);
	free(*state);
	free(path);
	return failed;
}

static struct journal *open_found(struct journal_found *found)
{
	struct error error = {""};
	struct journal *journal = journal_open(path, &plan, found, &error);

	if (!journal_is_open(journal))
		fail_msg("%s", error.text);
	return journal;
}

static struct journal *open_journal(void)
{
	struct journal_found found;

	return open_found(&found);
}

static void write_out(struct journal *journal)
{
	struct error error = {""};

	if (journal_write(journal, &error) < 0)
		fail_msg("%s", error.text);
}

/* One sample whose values follow from its tick, in a record of its own. */
static void put(struct journal *journal, int tick)
{
	struct batch batch = {0};
	double *values;

	batch_begin(&batch, 0, FIELDS, 0);
	values = batch_add(&batch, "sda", NULL);
	values[0] = tick + 0.5;
	values[1] = 1000.0 * tick;
	values[2] = NAN;
	batch.tick = tick * CLOCK_SECOND;
	batch.fresh = tick % 5 == 0;
	journal_put_batch(journal, &table, &batch);
	batch_release(&batch);
	write_out(journal);
}

static void see_sample(void *context, const struct journal_sample *sample)
{
	struct seen *seen = context;
	int64_t tick = sample->tick / CLOCK_SECOND;

	seen->count++;
	seen->level = sample->values[0];
	if (tick > 0 && tick < 4096)
		seen->ticks[tick] = true;
	if (sample->fields)
		snprintf(seen->field, sizeof(seen->field), "%s", sample->fields[0]);
	seen->wrong += strcmp(sample->family, "many.of") != 0 || strcmp(sample->instance, "sda") != 0 ||
	               sample->field_count != FIELDS || sample->values[0] != (double)tick + 0.5 ||
	               sample->values[1] != 1000.0 * (double)tick || !isnan(sample->values[2]) ||
	               sample->fresh != (tick % 5 == 0);
}

static void see_image(void *context, const struct journal_image *image)
{
	struct seen *seen = context;

	seen->images++;
	seen->wrong += image->length != 5000 || image->bytes[0] != 'h' || image->bytes[4999] != 0 || image->inode != 7 ||
	               image->file_size != 123456 || !image->made || image->generation != 3;
}

static void see_drop(void *context, const struct journal_drop *drop)
{
	struct seen *seen = context;

	seen->drops++;
	seen->wrong += strcmp(drop->instance, "sdb") != 0 || drop->from != INT64_MIN;
}

static void see_gap(void *context, const unsigned char *bytes, size_t length)
{
	struct seen *seen = context;

	seen->gaps++;
	seen->wrong += length != 3 || memcmp(bytes, "gap", 3) != 0;
}

static void read_all(struct seen *seen)
{
	const struct journal_visitor visitor = {see_sample, see_image, see_drop, see_gap, seen};
	struct journal *journal;

	*seen = (struct seen){0};
	journal = open_found(&seen->found);
	journal_read(journal, &visitor);
	journal_close(journal);
}

static void holds(int from, int to)
{
	struct seen seen;

	read_all(&seen);
	assert_int_equal(seen.count, to - from + 1);
	assert_int_equal(seen.wrong, 0);
	for (int tick = from; tick <= to; tick++)
		assert_true(seen.ticks[tick]);
}

/* --- what is written is read ---------------------------------------------------------------------------------- */

static void a_new_journal_is_reserved_and_empty(void **state)
{
	struct stat status;
	struct seen seen;

	(void)state;
	journal_close(open_journal());
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_size, SMALL);
	assert_true(status.st_blocks * 512 >= SMALL);
	read_all(&seen);
	assert_int_equal(seen.count, 0);
	assert_false(seen.found.damaged || seen.found.torn || seen.found.ended);
}

static void what_is_written_is_read_as_often_as_one_likes(void **state)
{
	struct journal *journal = open_journal();

	(void)state;
	for (int tick = 1; tick <= 20; tick++)
		put(journal, tick);
	holds(1, 20);
	holds(1, 20);
	journal_close(journal);
	/* A later run goes on behind it. */
	journal = open_journal();
	put(journal, 21);
	journal_close(journal);
	holds(1, 21);
}

static void every_kind_of_record_comes_back(void **state)
{
	struct journal *journal = open_journal();
	unsigned char bytes[5000] = "header";
	struct record_buffer gaps = {0};
	const struct journal_image image = {"many.of", "sda", 3, 7, true, 123456, sizeof(bytes), bytes};
	struct seen seen;

	(void)state;
	put(journal, 1);
	journal_put_image(journal, &image);
	journal_put_drop(journal, "many.of", "sdb", INT64_MIN);
	journal_begin_gap(&gaps);
	record_put(&gaps, "gap", 3);
	record_end(&gaps);
	journal_put_gaps(journal, &gaps);
	record_buffer_release(&gaps);
	write_out(journal);
	journal_close(journal);
	read_all(&seen);
	assert_int_equal(seen.wrong, 0);
	assert_true(seen.count == 1 && seen.images == 1 && seen.drops == 1 && seen.gaps == 1);
	assert_int_equal(seen.found.last, CLOCK_SECOND);
}

static void an_end_is_an_end_until_more_comes(void **state)
{
	struct journal *journal = open_journal();
	struct seen seen;

	(void)state;
	put(journal, 1);
	read_all(&seen);
	assert_false(seen.found.ended);
	journal_put_end(journal);
	write_out(journal);
	read_all(&seen);
	assert_true(seen.found.ended);
	put(journal, 2);
	read_all(&seen);
	assert_false(seen.found.ended);
	journal_close(journal);
}

static void a_crowd_of_rows_goes_into_several_records(void **state)
{
	struct journal *journal;
	struct batch batch = {0};
	struct seen seen;

	(void)state;
	plan.journal_size = 4 << 20;
	journal = open_journal();
	batch_begin(&batch, 0, FIELDS, 0);
	for (int i = 0; i < 3000; i++)
		batch_add(&batch, "instance", NULL)[0] = i;
	journal_put_batch(journal, &table, &batch);
	write_out(journal);
	batch_release(&batch);
	journal_close(journal);
	read_all(&seen);
	assert_int_equal(seen.count, 3000);
	assert_true(seen.found.records > 10);
	assert_true(seen.level == 2999);
}

/* The plan has other fields now: samples tell the names of theirs. */
static void another_catalogue_is_read_by_names(void **state)
{
	struct journal *journal = open_journal();
	struct seen seen;

	(void)state;
	put(journal, 1);
	journal_close(journal);
	plan.families = other_families;
	read_all(&seen);
	assert_int_equal(seen.count, 1);
	assert_string_equal(seen.field, "level");
}

/* --- the ring ------------------------------------------------------------------------------------------------- */

static void the_newest_samples_survive_when_nobody_retires(void **state)
{
	struct journal *journal = open_journal();
	struct journal_status status;
	struct seen seen;
	int first = 4095;

	(void)state;
	for (int tick = 1; tick <= 1000; tick++)
		put(journal, tick);
	journal_status(journal, &status);
	assert_true(status.overwritten > 0);
	assert_true(status.live <= SMALL);
	journal_close(journal);
	read_all(&seen);
	assert_int_equal(seen.wrong, 0);
	while (first > 1 && (seen.ticks[first - 1] || first > 1000))
		first--;
	assert_true(first > 1 && first < 950); /* less than a region was lost of what fits */
	assert_int_equal(seen.count, 1000 - first + 1);
	assert_int_equal(seen.found.damaged, 0);
}

static void what_is_retired_is_not_told_again(void **state)
{
	struct journal *journal = open_journal();
	struct journal_status status;
	struct error error;
	struct seen seen;
	uint64_t mark;

	(void)state;
	for (int tick = 1; tick <= 10; tick++)
		put(journal, tick);
	mark = journal_mark(journal, &error);
	assert_true(mark > 0);
	for (int tick = 11; tick <= 20; tick++)
		put(journal, tick);
	holds(1, 20);
	assert_int_equal(journal_retire(journal, mark, 5, &error), 0);
	journal_status(journal, &status);
	assert_int_equal(status.live, SMALL / JOURNAL_REGIONS);
	journal_close(journal);
	holds(11, 20);
	read_all(&seen);
	assert_int_equal(seen.found.generation, 5);
	/* Now and then a checkpoint, and it goes on for ever. */
	journal = open_journal();
	for (int tick = 21; tick <= 2000; tick++) {
		put(journal, tick);
		if (tick % 50 == 0 && (mark = journal_mark(journal, &error)) > 0)
			assert_int_equal(journal_retire(journal, mark, 6, &error), 0);
	}
	journal_status(journal, &status);
	assert_int_equal(status.overwritten, 0);
	journal_close(journal);
}

/* --- damage --------------------------------------------------------------------------------------------------- */

static unsigned char *load(size_t *size)
{
	int fd = open(path, O_RDONLY);
	unsigned char *bytes = malloc(SMALL);

	*size = (size_t)read(fd, bytes, SMALL);
	assert_int_equal(*size, SMALL);
	close(fd);
	return bytes;
}

static void save(const unsigned char *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
}

static size_t length_of(const unsigned char *bytes, size_t size)
{
	while (size > 0 && bytes[size - 1] == 0)
		size--;
	return size;
}

/* Of ten samples and what is around them, a flipped bit costs one at most, and is told. */
static void a_flipped_bit_costs_one_record(void **state)
{
	struct journal *journal = open_journal();
	size_t size, used;
	unsigned char *bytes;
	struct seen seen;

	(void)state;
	for (int tick = 1; tick <= 10; tick++)
		put(journal, tick);
	journal_close(journal);
	bytes = load(&size);
	used = length_of(bytes, SMALL / JOURNAL_REGIONS * 2);
	for (size_t at = SMALL / JOURNAL_REGIONS; at < used; at++) {
		bytes[at] ^= (unsigned char)(1u << at % 8);
		save(bytes, size);
		bytes[at] ^= (unsigned char)(1u << at % 8);
		read_all(&seen);
		if (seen.count < 9 || seen.count > 10 || seen.wrong > 0)
			fail_msg("bit %zu of byte %zu: %zu samples, %zu wrong", at % 8, at, seen.count, seen.wrong);
		if (seen.count == 9 && !seen.found.damaged && !seen.found.torn)
			fail_msg("byte %zu: a sample is lost, and nothing is said", at);
	}
	free(bytes);
}

/* A tail that was cut off anywhere costs what was cut. */
static void a_torn_tail_costs_what_is_torn(void **state)
{
	struct journal *journal = open_journal();
	size_t size, used;
	unsigned char *bytes;
	struct seen seen;

	(void)state;
	for (int tick = 1; tick <= 10; tick++)
		put(journal, tick);
	journal_close(journal);
	bytes = load(&size);
	used = length_of(bytes, SMALL / JOURNAL_REGIONS * 2);
	for (size_t at = used; at > SMALL / JOURNAL_REGIONS; at--) {
		size_t before = 10;

		memset(bytes + at - 1, 0, size - at + 1);
		save(bytes, size);
		read_all(&seen);
		if (seen.wrong || seen.count > before || (seen.count > 0 && !seen.ticks[1]))
			fail_msg("cut at byte %zu: %zu samples, %zu wrong", at, seen.count, seen.wrong);
		for (size_t i = 1; i <= seen.count; i++)
			assert_true(seen.ticks[i]);
		before = seen.count;
		/* What comes then is not lost either, and the tear is told once. */
		journal = open_journal();
		put(journal, 40);
		journal_close(journal);
		read_all(&seen);
		assert_int_equal(seen.count, before + 1);
		assert_false(seen.found.torn);
	}
	free(bytes);
}

static size_t files_named(const char *word)
{
	DIR *folder = opendir(plan.data_dir);
	const struct dirent *entry;
	size_t count = 0;

	while ((entry = readdir(folder)))
		count += strstr(entry->d_name, word) != NULL;
	closedir(folder);
	return count;
}

static void what_another_version_wrote_is_kept(void **state)
{
	unsigned char *bytes;
	size_t size;

	(void)state;
	journal_close(open_journal());
	bytes = load(&size);
	for (size_t i = 0; i + 4 <= size; i++)
		if (memcmp(bytes + i, "1jdp", 4) == 0)
			bytes[i] = '6';
	save(bytes, size);
	holds(1, 0);
	assert_int_equal(files_named(".journal.unreadable-"), 1);
	memset(bytes, 'x', size);
	save(bytes, 100);
	holds(1, 0);
	assert_int_equal(files_named(".journal.unreadable-"), 2);
	free(bytes);
}

static void a_smaller_journal_keeps_what_it_has(void **state)
{
	struct journal *journal;
	struct stat status;

	(void)state;
	plan.journal_size = 4 * SMALL;
	journal = open_journal();
	for (int tick = 1; tick <= 1000; tick++)
		put(journal, tick);
	journal_close(journal);
	plan.journal_size = SMALL;
	holds(1, 1000);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_size, 4 * SMALL);
}

static void what_cannot_be_opened_is_told(void **state)
{
	struct journal_found found;
	struct error error = {""};
	struct journal *journal;

	(void)state;
	assert_int_equal(mkdir(path, 0777), 0);
	journal = journal_open(path, &plan, &found, &error);
	assert_false(journal_is_open(journal));
	assert_non_null(strstr(error.text, path));
	error.text[0] = '\0';
	assert_int_equal(journal_write(journal, &error), -1);
	assert_non_null(strstr(error.text, path));
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(journal_reopen(journal, &error), 0);
	put(journal, 1);
	journal_close(journal);
	holds(1, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_new_journal_is_reserved_and_empty),
		TEST(what_is_written_is_read_as_often_as_one_likes),
		TEST(every_kind_of_record_comes_back),
		TEST(an_end_is_an_end_until_more_comes),
		TEST(a_crowd_of_rows_goes_into_several_records),
		TEST(another_catalogue_is_read_by_names),
		TEST(the_newest_samples_survive_when_nobody_retires),
		TEST(what_is_retired_is_not_told_again),
		TEST(a_flipped_bit_costs_one_record),
		TEST(a_torn_tail_costs_what_is_torn),
		TEST(what_another_version_wrote_is_kept),
		TEST(a_smaller_journal_keeps_what_it_has),
		TEST(what_cannot_be_opened_is_told),
	};

	return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
