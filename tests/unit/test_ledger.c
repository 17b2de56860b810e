/* links: agent/store/ledger.c agent/store/record.c agent/store/aside.c agent/metric/gap.c agent/base/text.c
 * agent/base/memory.c agent/base/log.c agent/base/clock.c agent/base/error.c */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "store/ledger.h"

#define S CLOCK_SECOND
#define T (INT64_C(1800000000) * S)
#define ALL_TIME INT64_MIN, INT64_MAX

static char folder[256], path[300];

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "%s/pindrop-ledger.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/.ledger", folder);
	return 0;
}

/* Counts the files, the ledger itself aside, and removes all. */
static int clear_folder(void)
{
	DIR *files = opendir(folder);
	const struct dirent *entry;
	int count = 0;

	while (files && (entry = readdir(files))) {
		char name[600];

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		count += strcmp(entry->d_name, ".ledger") != 0;
		snprintf(name, sizeof(name), "%s/%s", folder, entry->d_name);
		remove(name);
	}
	closedir(files);
	return count;
}

static int remove_folder(void **state)
{
	(void)state;
	clear_folder();
	return rmdir(folder);
}

static struct ledger *open_good(void)
{
	struct error error;
	struct ledger *ledger = ledger_open(path, true, &error);

	assert_string_equal(error.text, "");
	return ledger;
}

static void write_good(struct ledger *ledger)
{
	struct error error = {""};

	if (ledger_write(ledger, &error) < 0)
		fail_msg("%s", error.text);
}

static struct ledger *reopen(struct ledger *ledger)
{
	write_good(ledger);
	ledger_close(ledger);
	return open_good();
}

static void add(struct ledger *ledger, enum gap_reason reason, const char *family, const char *instance, int64_t from,
                int64_t to, const char *words)
{
	const struct gap gap = {reason, family, instance, NULL, T + from * S, T + to * S, words};

	ledger_add(ledger, &gap);
}

static size_t count(struct ledger *ledger, const char *family, const char *instance, int64_t from, int64_t to)
{
	const struct ledger_query query = {family, instance, NULL, from, to};
	size_t found;

	free(ledger_find(ledger, &query, &found));
	return found;
}

/* The one gap there is, for free(). */
static struct gap *only(struct ledger *ledger)
{
	const struct ledger_query query = {NULL, NULL, NULL, ALL_TIME};
	size_t found;
	struct gap *gaps = ledger_find(ledger, &query, &found);

	assert_int_equal(found, 1);
	return gaps;
}

static int64_t file_size(void)
{
	struct stat status;

	return stat(path, &status) == 0 ? status.st_size : -1;
}

/* --- what is one gap ------------------------------------------------------------------------------------------- */

static void assert_same(const struct gap *a, const struct gap *b)
{
	const char *const x[] = {a->family, a->instance, a->field}, *const y[] = {b->family, b->instance, b->field};

	assert_int_equal(a->reason, b->reason);
	assert_int_equal(a->from, b->from);
	assert_int_equal(a->to, b->to);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(x[i] == NULL, y[i] == NULL);
		if (x[i])
			assert_string_equal(x[i], y[i]);
	}
	assert_string_equal(a->words ? a->words : "", b->words ? b->words : "");
}

static const struct gap samples[] = {
	{GAP_AGENT_DOWN, NULL, NULL, NULL, T, T + 10 * S, NULL},
	{GAP_TIMEOUT, "disk.space", "/mnt/nfs", NULL, T, T + 1, "has not answered for 1 s"},
	{GAP_COUNTER_RESET, "cpu", "", "user", -5, INT64_MAX, "it went from 100 to 3 seconds"},
	{GAP_ERROR, "disk.io", NULL, NULL, T, T + S, "\xff\xfe\n\"words\""},
};

static void a_gap_comes_back_as_it_was(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct record_buffer buffer = {0};
		struct gap gap;

		ledger_encode(&samples[i], &buffer);
		assert_true(ledger_decode(buffer.bytes, buffer.length, &gap));
		assert_same(&gap, &samples[i]);
		for (size_t length = 0; length < buffer.length; length++) {
			unsigned char *cut = malloc(length + 1); /* so that a sanitizer sees every step beyond */

			memcpy(cut, buffer.bytes, length);
			cut = realloc(cut, length ? length : 1);
			assert_false(ledger_decode(cut, length, &gap));
			free(cut);
		}
		buffer.bytes[0] = 200;
		assert_false(ledger_decode(buffer.bytes, buffer.length, &gap)); /* no such reason */
		record_buffer_release(&buffer);
	}
}

static void a_gap_is_kept_over_a_restart(void **state)
{
	struct ledger *ledger = open_good();
	struct gap *gap;

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		ledger_add(ledger, &samples[i]);
		for (int round = 0; round < 3; round++) {
			gap = only(ledger);
			assert_same(gap, &samples[i]);
			free(gap);
			ledger = reopen(ledger);
		}
		ledger_close(ledger);
		clear_folder();
		ledger = open_good();
	}
	ledger_close(ledger);
}

static void what_is_told_each_tick_is_one_gap(void **state)
{
	struct ledger *ledger = open_good();
	struct gap *gap;

	(void)state;
	for (int i = 0; i < 3600; i++) {
		char words[64];

		snprintf(words, sizeof(words), "has not answered for %d s", i + 1);
		add(ledger, GAP_TIMEOUT, "disk.space", NULL, i, i + 1, words);
	}
	for (int round = 0; round < 2; round++) {
		gap = only(ledger);
		assert_int_equal(gap->from, T);
		assert_int_equal(gap->to, T + 3600 * S);
		assert_string_equal(gap->words, "has not answered for 3600 s");
		free(gap);
		ledger = reopen(ledger);
	}
	add(ledger, GAP_TIMEOUT, "disk.space", NULL, 3600, 3601, "has not answered for 1 min");
	gap = only(ledger);
	assert_int_equal(gap->to, T + 3601 * S);
	free(gap);
	ledger_close(ledger);
}

static void a_little_later_is_the_same_gap_but_a_good_tick_parts_two(void **state)
{
	const int64_t ms = CLOCK_MILLISECOND;
	struct ledger *ledger = open_good();

	(void)state;
	add(ledger, GAP_LATE, "cpu", NULL, 0, 10, "");
	ledger_add(ledger, &(struct gap){GAP_LATE, "cpu", NULL, NULL, T + 10300 * ms, T + 11000 * ms, NULL});
	assert_int_equal(count(ledger, NULL, NULL, ALL_TIME), 1); /* 0.3 s of 0.7 s: less than half a tick */
	ledger_add(ledger, &(struct gap){GAP_LATE, "cpu", NULL, NULL, T + 11400 * ms, T + 12000 * ms, NULL});
	assert_int_equal(count(ledger, NULL, NULL, ALL_TIME), 2); /* 0.4 s of 0.6 s */
	add(ledger, GAP_LATE, "cpu", NULL, 13, 14, "");
	assert_int_equal(count(ledger, NULL, NULL, ALL_TIME), 3);
	add(ledger, GAP_LATE, "cpu", NULL, 16, 100, "");
	assert_int_equal(count(ledger, NULL, NULL, ALL_TIME), 4); /* long as it is, 2 s lie in between */
	ledger_close(ledger);
}

static void what_differs_is_not_joined(void **state)
{
	static const struct gap others[] = {
		{GAP_ERROR, "disk.space", "/a", "free", T + S, T + 2 * S, "x 1"},
		{GAP_TIMEOUT, "disk.io", "/a", "free", T + S, T + 2 * S, "x 1"},
		{GAP_TIMEOUT, NULL, "/a", "free", T + S, T + 2 * S, "x 1"},
		{GAP_TIMEOUT, "disk.space", "/b", "free", T + S, T + 2 * S, "x 1"},
		{GAP_TIMEOUT, "disk.space", "", "free", T + S, T + 2 * S, "x 1"},
		{GAP_TIMEOUT, "disk.space", NULL, "free", T + S, T + 2 * S, "x 1"},
		{GAP_TIMEOUT, "disk.space", "/a", "used", T + S, T + 2 * S, "x 1"},
		{GAP_TIMEOUT, "disk.space", "/a", NULL, T + S, T + 2 * S, "x 1"},
		{GAP_TIMEOUT, "disk.space", "/a", "free", T + S, T + 2 * S, "y 1"},
		{GAP_TIMEOUT, "disk.space", "/a", "free", T + S, T + 2 * S, NULL},
		{GAP_TIMEOUT, "disk.space", "/a", "free", T + S, T + 2 * S, "x 1 (more)"},
	};
	struct ledger *ledger = open_good();

	(void)state;
	ledger_add(ledger, &(struct gap){GAP_TIMEOUT, "disk.space", "/a", "free", T, T + S, "x 1"});
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		ledger_add(ledger, &others[i]);
		assert_int_equal(count(ledger, NULL, NULL, ALL_TIME), i + 2);
	}
	ledger_add(ledger, &(struct gap){GAP_TIMEOUT, "disk.space", "/a", "free", T + S, T + 2 * S, "x 2.5 min"});
	assert_int_equal(count(ledger, NULL, NULL, ALL_TIME), 12);
	ledger_close(ledger);
}

static void an_entry_grows_to_both_sides_and_never_shrinks(void **state)
{
	struct ledger *ledger = open_good();
	struct gap *gap;

	(void)state;
	add(ledger, GAP_STOPPED, NULL, NULL, 10, 20, NULL);
	add(ledger, GAP_STOPPED, NULL, NULL, 12, 15, NULL); /* known already */
	add(ledger, GAP_STOPPED, NULL, NULL, 5, 12, NULL);
	add(ledger, GAP_STOPPED, NULL, NULL, 30, 30, NULL); /* none */
	add(ledger, GAP_STOPPED, NULL, NULL, 30, 25, NULL);
	ledger = reopen(ledger);
	gap = only(ledger);
	assert_int_equal(gap->from, T + 5 * S);
	assert_int_equal(gap->to, T + 20 * S);
	free(gap);
	ledger_close(ledger);
}

static void asks_by_subject_and_time(void **state)
{
	struct ledger *ledger = open_good();
	struct ledger_query query = {"disk.io", "sda", "read_time", ALL_TIME};
	struct gap *gaps;
	size_t found;

	(void)state;
	add(ledger, GAP_AGENT_DOWN, NULL, NULL, 50, 60, NULL);
	add(ledger, GAP_ERROR, "disk.io", NULL, 40, 50, NULL);
	add(ledger, GAP_DEVICE_GONE, "disk.io", "sda", 30, 40, NULL);
	add(ledger, GAP_DEVICE_GONE, "disk.io", "sdb", 20, 30, NULL);
	add(ledger, GAP_ERROR, "cpu", "", 10, 20, NULL);
	ledger_add(ledger, &(struct gap){GAP_COUNTER_RESET, "disk.io", "sda", "read_time", T, T + S, NULL});
	ledger_add(ledger, &(struct gap){GAP_COUNTER_RESET, "disk.io", "sda", "busy_time", T, T + S, NULL});

	gaps = ledger_find(ledger, &query, &found);
	assert_int_equal(found, 4);
	assert_string_equal(gaps[0].field, "read_time"); /* in the order of time, not of telling */
	assert_int_equal(gaps[1].reason, GAP_DEVICE_GONE);
	assert_int_equal(gaps[2].reason, GAP_ERROR);
	assert_int_equal(gaps[3].reason, GAP_AGENT_DOWN);
	assert_true(gaps[3].family == NULL && gaps[3].instance == NULL);
	free(gaps);

	assert_int_equal(count(ledger, NULL, NULL, ALL_TIME), 7);
	assert_int_equal(count(ledger, "cpu", NULL, ALL_TIME), 2);
	assert_int_equal(count(ledger, "disk.io", NULL, ALL_TIME), 6);
	assert_int_equal(count(ledger, "memory.vm", "", ALL_TIME), 1);
	/* Unknown is (from, to]: the end belongs to it, the beginning does not. */
	assert_int_equal(count(ledger, "disk.io", "sda", T + 40 * S - 1, T + 40 * S), 1);
	assert_int_equal(count(ledger, "disk.io", "sda", T + 40 * S, T + 40 * S + 1), 1);
	assert_int_equal(count(ledger, "disk.io", "sda", T + 30 * S - 1, T + 30 * S), 0);
	assert_int_equal(count(ledger, "disk.io", "sda", T + 60 * S, T + 70 * S), 0);
	assert_int_equal(count(ledger, "disk.io", "sda", T + 35 * S, T + 45 * S), 2);
	ledger_close(ledger);
}

/* --- bounds ---------------------------------------------------------------------------------------------------- */

static void a_thousand_instances_at_the_same_ticks_are_cheap(void **state)
{
	struct ledger *ledger = open_good();
	char name[32];
	int64_t began;

	(void)state;
	began = clock_monotonic();
	for (int tick = 0; tick < 200; tick++)
		for (int i = 0; i < 1000; i++) {
			snprintf(name, sizeof(name), "veth%d", i);
			add(ledger, GAP_DEVICE_GONE, "net.io", name, tick, tick + 1, NULL);
		}
	/* 200,000 in well under a second as a rule; to walk through all entries each time takes minutes. */
	assert_true(clock_monotonic() - began < 30 * S);
	assert_int_equal(count(ledger, NULL, NULL, ALL_TIME), 1000);
	ledger = reopen(ledger);
	assert_int_equal(count(ledger, NULL, NULL, ALL_TIME), 1000);
	assert_int_equal(count(ledger, NULL, "veth7", T + 199 * S, T + 200 * S), 1);
	ledger_close(ledger);
}

static void the_oldest_go_first_in_memory_and_in_the_file(void **state)
{
	struct ledger *ledger = open_good();
	size_t left;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		add(ledger, GAP_ERROR, "cpu", "", 10 * i, 10 * i + 1, "some words of the usual length");
		/* One that goes on is none of the oldest. */
		add(ledger, GAP_TIMEOUT, "disk.space", "/mnt/nfs", 10 * i, 10 * i + 10, "it hangs, and is skipped");
		if (i % 70 == 0)
			write_good(ledger);
		assert_int_equal(file_size(), LEDGER_SIZE);
	}
	for (int round = 0; round < 3; round++) {
		left = count(ledger, "cpu", "", ALL_TIME);
		assert_in_range(left, 1500, 3000);
		assert_int_equal(count(ledger, "cpu", "", T + (INT64_C(10) * 20000 - 10 * (int64_t)left) * S, INT64_MAX), left);
		assert_int_equal(count(ledger, "disk.space", NULL, T, T + S), 1);
		assert_int_equal(count(ledger, "disk.space", NULL, ALL_TIME), 1);
		ledger = reopen(ledger);
	}
	ledger_close(ledger);
}

static void long_words_are_cut_between_characters(void **state)
{
	struct ledger *ledger = open_good();
	char words[5001] = "x";
	struct gap *gap;

	(void)state;
	for (int i = 0; i < 2499; i++)
		memcpy(words + 1 + 2 * i, "\xc3\xa4", 3); /* ä */
	add(ledger, GAP_ERROR, "cpu", "", 0, 1, words);
	ledger = reopen(ledger);
	gap = only(ledger);
	assert_in_range(strlen(gap->words), 300, 500);
	assert_int_equal(strlen(gap->words) % 2, 1);
	free(gap);
	add(ledger, GAP_ERROR, "cpu", "", 1, 2, words); /* by what is kept of them they are the same */
	free(only(ledger));
	ledger_close(ledger);
}

static void nothing_to_write_touches_nothing(void **state)
{
	struct ledger *ledger = open_good();
	struct stat before, after;

	(void)state;
	add(ledger, GAP_STOPPED, NULL, NULL, 0, 10, NULL);
	write_good(ledger);
	stat(path, &before);
	add(ledger, GAP_STOPPED, NULL, NULL, 2, 10, NULL);
	write_good(ledger);
	stat(path, &after);
	assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof(before.st_mtim));
	ledger_close(ledger);
}

/* --- damage ---------------------------------------------------------------------------------------------------- */

enum { SMALL = 6, KEPT = 2048 /* bytes of the file that hold them */ };

/* A small ledger, all of whose entries have grown once. */
static unsigned char *make_small(size_t *size)
{
	struct ledger *ledger = open_good();
	unsigned char *bytes = malloc((size_t)LEDGER_SIZE);
	int fd;

	for (int round = 0; round < 2; round++)
		for (int i = 0; i < SMALL; i++) {
			const char name[] = {(char)('a' + i), '\0'};

			add(ledger, GAP_DEVICE_GONE, "disk.io", name, 10 * round, 10 * round + 10, NULL);
		}
	write_good(ledger);
	ledger_close(ledger);
	fd = open(path, O_RDONLY);
	assert_int_equal(read(fd, bytes, (size_t)LEDGER_SIZE), LEDGER_SIZE);
	close(fd);
	clear_folder();
	*size = KEPT;
	while (*size && bytes[*size - 1] == 0)
		--*size;
	return bytes;
}

static void put_file(const unsigned char *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);

	assert_int_equal(write(fd, bytes, size), (ssize_t)size);
	close(fd);
}

/* Where it begins: ledger.c. */
#define SECOND_HALF 500032

static bool second_half_is_in_use(void)
{
	int fd = open(path, O_RDONLY);
	char first = 0;

	assert_int_equal(pread(fd, &first, 1, SECOND_HALF), 1);
	close(fd);
	return first != 0;
}

static void a_flipped_bit_costs_one_entry(void **state)
{
	size_t size;
	unsigned char *bytes = make_small(&size);

	(void)state;
	for (size_t at = 0; at < size; at++) {
		struct ledger *ledger;

		bytes[at] ^= (unsigned char)(1 << at % 8);
		put_file(bytes, (size_t)LEDGER_SIZE);
		bytes[at] ^= (unsigned char)(1 << at % 8);
		ledger = open_good();
		assert_in_range(count(ledger, NULL, NULL, ALL_TIME), SMALL - 1, SMALL);
		if (at % 16 == 0) {
			/* It goes on, and the damage is gone. */
			add(ledger, GAP_STOPPED, NULL, NULL, 100, 110, NULL);
			ledger = reopen(ledger);
			assert_in_range(count(ledger, NULL, NULL, ALL_TIME), SMALL, SMALL + 1);
			if (at >= 64 && !second_half_is_in_use())
				fail_msg("the damage of byte %zu is still there", at);
		}
		ledger_close(ledger);
		assert_int_equal(clear_folder(), 0);
	}
	free(bytes);
}

static void a_file_that_was_cut_keeps_what_is_left(void **state)
{
	size_t size, most = 0;
	unsigned char *bytes = make_small(&size);

	(void)state;
	for (size_t length = 0; length <= size + 16; length++) {
		struct ledger *ledger;
		size_t left;

		put_file(bytes, length);
		ledger = open_good();
		left = count(ledger, NULL, NULL, ALL_TIME);
		assert_true(left >= most); /* the longer, the more */
		most = left;
		if (length % 16 == 0) {
			add(ledger, GAP_STOPPED, NULL, NULL, 100, 110, NULL);
			ledger = reopen(ledger);
			assert_int_equal(count(ledger, NULL, NULL, ALL_TIME), left + 1);
			assert_int_equal(file_size(), LEDGER_SIZE);
		}
		ledger_close(ledger);
		clear_folder();
	}
	assert_int_equal(most, SMALL);
	free(bytes);
}

static void what_a_crash_leaves_of_a_new_file_is_gone_on_with(void **state)
{
	static const unsigned char blank[70000];
	static const size_t sizes[] = {0, 1, 63, 64, 70000};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct ledger *ledger;

		put_file(blank, sizes[i]);
		ledger = open_good();
		add(ledger, GAP_STOPPED, NULL, NULL, 0, 1, NULL);
		ledger = reopen(ledger);
		assert_int_equal(count(ledger, NULL, NULL, ALL_TIME), 1);
		ledger_close(ledger);
		assert_int_equal(clear_folder(), 0);
	}
}

/* Neither entries, nor, by what is written next, the half that is whole. */
static void assert_torn_half_costs_nothing(const unsigned char *file, size_t half)
{
	unsigned char *bytes = malloc((size_t)LEDGER_SIZE);
	size_t end = half ? (size_t)LEDGER_SIZE : SECOND_HALF;
	struct ledger *ledger;
	int fd;

	while (file[end - 1] == 0)
		end--;
	put_file(file, (size_t)LEDGER_SIZE);
	ledger = open_good();
	assert_int_equal(count(ledger, NULL, NULL, ALL_TIME), 1000);
	add(ledger, GAP_STOPPED, NULL, NULL, 0, 1, NULL);
	ledger = reopen(ledger);
	assert_int_equal(count(ledger, NULL, NULL, ALL_TIME), 1001);
	ledger_close(ledger);
	fd = open(path, O_RDONLY);
	assert_int_equal(pread(fd, bytes, (size_t)LEDGER_SIZE, 0), LEDGER_SIZE);
	assert_memory_equal(bytes + half, file + half, end - half);
	close(fd);
	free(bytes);
}

/* The nth time that one of a thousand gaps goes on. */
static void grow_one(struct ledger *ledger, int nth)
{
	add(ledger, GAP_ERROR, "cpu", "", 10 * (nth % 1000), 10 * (nth % 1000) + nth / 1000 + 1, "words");
	write_good(ledger);
}

static void read_whole(unsigned char *bytes)
{
	int fd = open(path, O_RDONLY);

	assert_int_equal(pread(fd, bytes, (size_t)LEDGER_SIZE, 0), LEDGER_SIZE);
	close(fd);
}

static void a_half_that_was_torn_costs_nothing(void **state)
{
	struct ledger *ledger = open_good();
	unsigned char *whole = calloc(1, (size_t)LEDGER_SIZE), *later = malloc((size_t)LEDGER_SIZE);
	int told = 0;

	(void)state;
	do {
		grow_one(ledger, told++);
	} while (!second_half_is_in_use());
	assert_in_range(told, 3000, 10000);
	read_whole(later);
	memcpy(whole, later, SECOND_HALF);
	for (size_t at = SECOND_HALF; at < SECOND_HALF + 110000; at += 9001) {
		/* Up to here it was written; or, as pages come to the disk in any order, all but this page was. */
		memcpy(whole + SECOND_HALF, later + SECOND_HALF, at - SECOND_HALF);
		assert_torn_half_costs_nothing(whole, 0);
		memcpy(whole + SECOND_HALF, later + SECOND_HALF, (size_t)LEDGER_SIZE - SECOND_HALF);
		memset(whole + at, 0, 4096);
		assert_torn_half_costs_nothing(whole, 0);
		memset(whole + SECOND_HALF, 0, (size_t)LEDGER_SIZE - SECOND_HALF);
	}
	/* Later it is the first half that is damaged. */
	put_file(later, (size_t)LEDGER_SIZE);
	ledger_close(ledger);
	ledger = open_good();
	for (int i = 0; i < 50; i++)
		grow_one(ledger, told++);
	ledger_close(ledger);
	read_whole(later);
	memset(later + 4096, 0, 4096);
	assert_torn_half_costs_nothing(later, SECOND_HALF);
	free(whole);
	free(later);
}

static void a_foreign_file_is_set_aside(void **state)
{
	static const char text[] = "this is no ledger, and somebody's treasure all the same, in more than sixty-four bytes";
	struct record_buffer other = {0};
	struct error error;
	struct ledger *ledger;

	(void)state;
	put_file((const unsigned char *)text, sizeof(text));
	ledger = ledger_open(path, false, &error);
	assert_non_null(strstr(error.text, "no ledger"));
	assert_int_equal(file_size(), sizeof(text)); /* reading alone touches nothing */
	ledger_close(ledger);
	ledger = open_good();
	add(ledger, GAP_STOPPED, NULL, NULL, 0, 1, NULL);
	ledger = reopen(ledger);
	assert_int_equal(count(ledger, NULL, NULL, ALL_TIME), 1);
	ledger_close(ledger);
	assert_int_equal(clear_folder(), 1);

	record_begin(&other, 1, 1);
	record_put_u32(&other, 77); /* a version that is to come */
	record_end(&other);
	put_file(other.bytes, other.length);
	record_buffer_release(&other);
	ledger_close(open_good());
	assert_int_equal(clear_folder(), 1);

	put_file((const unsigned char *)"x", 1);
	assert_int_equal(truncate(path, 100 * LEDGER_SIZE), 0);
	ledger_close(open_good());
	assert_int_equal(file_size(), LEDGER_SIZE);
	assert_int_equal(clear_folder(), 1);
}

/* --- trouble --------------------------------------------------------------------------------------------------- */

static void what_cannot_be_written_is_kept_and_tried_again(void **state)
{
	const struct rlimit no_more = {100, RLIM_INFINITY}, any = {RLIM_INFINITY, RLIM_INFINITY};
	struct error error = {""};
	struct ledger *ledger;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &no_more);
	ledger = ledger_open(path, true, &error);
	assert_non_null(strstr(error.text, "cannot make the ledger"));
	add(ledger, GAP_DISK_FULL, NULL, NULL, 0, 1, NULL);
	assert_int_equal(ledger_write(ledger, &error), -1);
	assert_int_equal(count(ledger, NULL, NULL, ALL_TIME), 1);
	setrlimit(RLIMIT_FSIZE, &any);
	ledger = reopen(ledger);
	assert_int_equal(count(ledger, NULL, NULL, ALL_TIME), 1);

	setrlimit(RLIMIT_FSIZE, &no_more);
	add(ledger, GAP_DISK_FULL, NULL, NULL, 1, 5, NULL);
	assert_int_equal(ledger_write(ledger, &error), -1);
	assert_int_equal(ledger_write(ledger, &error), -1);
	setrlimit(RLIMIT_FSIZE, &any);
	ledger = reopen(ledger);
	assert_int_equal(count(ledger, NULL, NULL, T + 4 * S, T + 5 * S), 1);
	ledger_close(ledger);
}

static void a_file_that_could_not_be_read_is_not_overwritten(void **state)
{
	struct ledger *ledger = open_good();
	struct error error = {""};
	char moved[320];

	(void)state;
	add(ledger, GAP_STOPPED, NULL, NULL, 0, 10, NULL);
	write_good(ledger);
	ledger_close(ledger);
	snprintf(moved, sizeof(moved), "%s.moved", path);
	rename(path, moved);
	mkdir(path, 0777); /* something that can be opened and not read, also by root */
	ledger = ledger_open(path, true, &error);
	assert_string_not_equal(error.text, "");
	add(ledger, GAP_STOPPED, NULL, NULL, 10, 20, NULL);
	add(ledger, GAP_ERROR, "cpu", "", 10, 20, NULL);
	assert_int_equal(ledger_write(ledger, &error), -1);
	rmdir(path);
	rename(moved, path);
	ledger = reopen(ledger);
	assert_int_equal(count(ledger, NULL, NULL, ALL_TIME), 2);
	assert_int_equal(count(ledger, "memory.vm", NULL, T, T + 1), 1);
	assert_int_equal(count(ledger, "memory.vm", NULL, T + 20 * S - 1, T + 20 * S), 1); /* it was one gap */
	ledger_close(ledger);
}

static void a_file_that_was_removed_is_written_anew(void **state)
{
	struct ledger *ledger = open_good();

	(void)state;
	add(ledger, GAP_STOPPED, NULL, NULL, 0, 10, NULL);
	write_good(ledger);
	clear_folder();
	add(ledger, GAP_ERROR, "cpu", "", 10, 20, NULL);
	ledger = reopen(ledger);
	assert_int_equal(count(ledger, NULL, NULL, ALL_TIME), 2);
	ledger_close(ledger);
}

static void reads_while_another_writes(void **state)
{
	struct ledger *ledger = open_good(), *reader;
	struct error error;
	pid_t pid;

	(void)state;
	add(ledger, GAP_STOPPED, NULL, NULL, 0, 10, NULL);
	write_good(ledger);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 30000; i++) {
			add(ledger, GAP_ERROR, "cpu", "", 10 * (i % 500), 10 * (i % 500) + 1 + i / 500 % 5, "words");
			if (ledger_write(ledger, &error) < 0)
				_exit(1);
			if (i % 100 == 0)
				add(ledger, GAP_STOPPED, NULL, NULL, 0, 10 + i, NULL);
		}
		_exit(0);
	}
	for (int i = 0; i < 200; i++) {
		reader = ledger_open(path, false, &error);
		assert_string_equal(error.text, "");
		assert_int_equal(count(reader, "memory.vm", NULL, T, T + 10 * S), 1);
		add(reader, GAP_STOPPED, NULL, NULL, 500000, 500001, NULL);
		assert_int_equal(ledger_write(reader, &error), 0); /* nothing is written */
		ledger_close(reader);
	}
	kill(pid, SIGKILL); /* at any moment */
	waitpid(pid, &(int){0}, 0);
	ledger_close(ledger);
	ledger = open_good();
	assert_int_equal(count(ledger, "memory.vm", NULL, T, T + 10 * S), 1);
	assert_int_equal(count(ledger, "memory.vm", NULL, T + 500000 * S, T + 500001 * S), 0);
	ledger_close(ledger);
}

static void reads_what_is_not_there(void **state)
{
	struct error error;
	struct ledger *ledger = ledger_open(path, false, &error);

	(void)state;
	assert_string_equal(error.text, "");
	assert_int_equal(count(ledger, NULL, NULL, ALL_TIME), 0);
	assert_int_equal(file_size(), -1);
	ledger_close(ledger);
}

static atomic_bool ending;

static void *tell_on(void *context)
{
	for (int i = 0; !atomic_load(&ending); i = (i + 1) % 5000)
		add(context, GAP_ERROR, "cpu", "", 10 * i, 10 * i + 1, "words");
	return NULL;
}

static void any_thread_adds_and_asks(void **state)
{
	struct ledger *ledger = open_good();
	pthread_t tellers[2];

	(void)state;
	atomic_store(&ending, false);
	for (size_t i = 0; i < 2; i++)
		pthread_create(&tellers[i], NULL, tell_on, ledger);
	for (int i = 0; i < 100; i++) {
		write_good(ledger);
		count(ledger, "cpu", "", ALL_TIME);
	}
	atomic_store(&ending, true);
	for (size_t i = 0; i < 2; i++)
		pthread_join(tellers[i], NULL);
	ledger = reopen(ledger);
	ledger_close(ledger);
}

/* --- words ----------------------------------------------------------------------------------------------------- */

static void says_it_in_plain_words(void **state)
{
	static const struct {
		struct gap gap;
		const char *words;
	} known[] = {
		{{GAP_TIMEOUT, "disk.space", NULL, NULL, 0, 1, "has not answered for 1 s"},
	     "disk.space has not answered for 1 s"},
		{{GAP_TIMEOUT, "disk.space", "/mnt/nfs", NULL, 0, 1, "it hangs, and is skipped"},
	     "disk.space of /mnt/nfs did not answer: it hangs, and is skipped"},
		{{GAP_TIMEOUT, "disk.space", NULL, NULL, 0, 1, NULL}, "disk.space did not answer"},
		{{GAP_ERROR, "disk.space", NULL, NULL, 0, 1, "was ended by signal 11 (Segmentation fault)"},
	     "the worker of disk.space was ended by signal 11 (Segmentation fault)"},
		{{GAP_ERROR, "cpu", NULL, NULL, 0, 1, "/proc/stat does not hold a line \"cpu\""},
	     "cpu could not be sampled: /proc/stat does not hold a line \"cpu\""},
		{{GAP_ERROR, NULL, NULL, NULL, 0, 1, ""}, "what was asked could not be sampled"},
		{{GAP_STOPPED, NULL, NULL, NULL, 0, 1, NULL}, "sampling was stopped by /stop"},
		{{GAP_LATE, "cpu", NULL, NULL, 0, 1, "late by 3 s"}, "the tick came late and was passed over: late by 3 s"},
		{{GAP_CLOCK_STEP, NULL, NULL, NULL, 0, 1, "set forward by 1 h"}, "the clock was set forward by 1 h"},
		{{GAP_SUSPEND, NULL, NULL, NULL, 0, 1, "slept for 8 h"}, "the machine slept for 8 h"},
		{{GAP_SUSPEND, NULL, NULL, NULL, 0, 1, NULL}, "the machine slept"},
		{{GAP_AGENT_DOWN, NULL, NULL, NULL, 0, 1, NULL}, "the agent was not running"},
		{{GAP_DISK_FULL, "cpu", "", NULL, 0, 1, NULL},
	     "samples were lost: the disk was full for longer than memory lasts"},
		{{GAP_QUARANTINE, "cpu", "", NULL, 0, 1, "data/cpu.rrd.damaged-20261124T103000"},
	     "the file was damaged and is kept as data/cpu.rrd.damaged-20261124T103000"},
		{{GAP_MIGRATION, "cpu", "", NULL, 0, 1, NULL}, "the configuration changed, and does not keep that"},
		{{GAP_COUNTER_RESET, "disk.io", "sda", "read_time", 0, 1, NULL},
	     "the counter began anew (a reboot of the device, or an overflow)"},
		{{GAP_DEVICE_GONE, "disk.io", "sda", NULL, 0, 1, NULL}, "sda was not there"},
		{{GAP_DEVICE_GONE, "disk.io", "@$%s", NULL, 0, 1, "$@"}, "@$%s was not there: $@"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		char *words = gap_describe(&known[i].gap);

		assert_string_equal(words, known[i].words);
		free(words);
	}
}

static void every_reason_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (int i = 0; i < GAP_REASONS; i++) {
		const struct gap gap = {.reason = (enum gap_reason)i};
		char *words = gap_describe(&gap);

		assert_int_equal(strspn(gap_name(gap.reason), "abcdefghijklmnopqrstuvwxyz_"), strlen(gap_name(gap.reason)));
		assert_true(strlen(words) > 10);
		free(words);
		for (int other = 0; other < i; other++)
			assert_string_not_equal(gap_name((enum gap_reason)i), gap_name((enum gap_reason)other));
	}
}

#define LEDGER_TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_gap_comes_back_as_it_was),
		LEDGER_TEST(a_gap_is_kept_over_a_restart),
		LEDGER_TEST(what_is_told_each_tick_is_one_gap),
		LEDGER_TEST(a_little_later_is_the_same_gap_but_a_good_tick_parts_two),
		LEDGER_TEST(what_differs_is_not_joined),
		LEDGER_TEST(an_entry_grows_to_both_sides_and_never_shrinks),
		LEDGER_TEST(asks_by_subject_and_time),
		LEDGER_TEST(a_thousand_instances_at_the_same_ticks_are_cheap),
		LEDGER_TEST(the_oldest_go_first_in_memory_and_in_the_file),
		LEDGER_TEST(long_words_are_cut_between_characters),
		LEDGER_TEST(nothing_to_write_touches_nothing),
		LEDGER_TEST(a_flipped_bit_costs_one_entry),
		LEDGER_TEST(a_file_that_was_cut_keeps_what_is_left),
		LEDGER_TEST(what_a_crash_leaves_of_a_new_file_is_gone_on_with),
		LEDGER_TEST(a_half_that_was_torn_costs_nothing),
		LEDGER_TEST(a_foreign_file_is_set_aside),
		LEDGER_TEST(what_cannot_be_written_is_kept_and_tried_again),
		LEDGER_TEST(a_file_that_could_not_be_read_is_not_overwritten),
		LEDGER_TEST(a_file_that_was_removed_is_written_anew),
		LEDGER_TEST(reads_while_another_writes),
		LEDGER_TEST(reads_what_is_not_there),
		LEDGER_TEST(any_thread_adds_and_asks),
		cmocka_unit_test(says_it_in_plain_words),
		cmocka_unit_test(every_reason_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
