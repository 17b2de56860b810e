/* links: agent/store/store.c agent/store/change.c agent/store/series.c agent/store/intake.c agent/store/journal.c agent/store/record.c
 * agent/store/recover.c agent/store/folder.c agent/store/aside.c agent/store/adapt.c agent/store/orphan.c agent/store/ledger.c agent/metric/gap.c agent/store/timeline.c agent/store/relay.c agent/store/daemon.c agent/store/move.c agent/store/migrate.c agent/store/room.c agent/store/purge.c agent/store/survey.c agent/store/rrd.c agent/store/guard.c agent/store/history.c agent/store/layout.c
 * agent/store/write_behind.c agent/config/plan.c agent/config/share.c agent/config/values.c agent/config/aggregate.c agent/config/collector.c agent/config/options.c
 * agent/metric/batch.c agent/base/text.c agent/base/memory.c agent/base/log.c agent/base/clock.c agent/base/error.c
 *
 * Kills and power cuts, made up: after each step of a store's life all its files are copied. A kill leaves the newest
 * copy. A power cut leaves, of each page of each file, any copy since the file was last synced: fdatasync(), fsync() and
 * syncfs() are ours here. What a new store then makes of it must hold every sample that was synced, and no row may be
 * wrong. */
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/boot.h"
#include "base/clock.h"
#include "base/memory.h"
#include "store/rrd.h"
#include "store/store.h"

#define PAGE 4096
#define STEPS 60
#define FIELDS 2
#define NAMES 3

static const struct pindrop_field fields[] = {
	{"level", PINDROP_GAUGE, "percent", 1, NULL, "…"},
	{"bytes", PINDROP_COUNTER, "bytes", 0, NULL, "…"},
};
static const struct pindrop_family tables[] = {
	{.name = "one", .fields = fields, .field_count = FIELDS},
	{.name = "many", .fields = fields, .field_count = FIELDS, .instance = "letter"},
};
static struct plan_plugin plugin = {.interval = CLOCK_SECOND};
static const struct plan_family families[] = {{&tables[0], &plugin}, {&tables[1], &plugin}};
static const struct plan_tier tiers[] = {{1, 100}, {10, 1000}}; /* short: the ring of rows comes around */
static struct plan plan;
static const char *const names[NAMES] = {"a", "b", "c"};
static int64_t begin; /* s */
static unsigned seed;

static int chance(int of)
{
	return rand_r(&seed) % of;
}

/* --- copies of files ------------------------------------------------------------------------------------------ */

struct copy {
	struct copy *older;
	size_t size;
	unsigned char bytes[];
};

/* A file, by its inode: the copies since it was last synced, the newest first. */
struct tracked {
	ino_t inode;
	bool synced; /* ever */
	char *name;  /* below the folder; NULL: it is gone */
	struct copy *copies;
};

static struct tracked *files;
static size_t file_count;
static pthread_mutex_t tracking = PTHREAD_MUTEX_INITIALIZER;
static bool watching;
static int64_t appended, synced; /* the last tick that is in the journal; … that a power cut must leave */

static struct tracked *track(ino_t inode)
{
	for (size_t i = 0; i < file_count; i++)
		if (files[i].inode == inode)
			return &files[i];
	files = memory_resize(files, file_count + 1, sizeof(*files));
	files[file_count] = (struct tracked){.inode = inode};
	return &files[file_count++];
}

static void forget_copies(struct tracked *file)
{
	while (file->copies) {
		struct copy *older = file->copies->older;

		free(file->copies);
		file->copies = older;
	}
}

static void add_copy(struct tracked *file, int fd, size_t size)
{
	struct copy *copy = memory_alloc(sizeof(*copy) + size);

	copy->size = size;
	assert_int_equal(pread(fd, copy->bytes, size, 0), size);
	if (file->copies && file->copies->size == size && memcmp(file->copies->bytes, copy->bytes, size) == 0) {
		free(copy);
		return;
	}
	copy->older = file->copies;
	file->copies = copy;
}

static void copy_fd(int fd, bool sync)
{
	struct stat status;
	struct tracked *file;

	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return;
	file = track(status.st_ino);
	if (sync) {
		forget_copies(file);
		file->synced = true;
	}
	add_copy(file, fd, (size_t)status.st_size);
}

/* Copies every file below a folder. */
static void copy_all(const char *folder, const char *below, bool sync)
{
	DIR *directory = opendir(folder);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		char *path = memory_format("%s/%s", folder, entry->d_name), *name;
		int fd;

		name = memory_format("%s%s%s", below, *below ? "/" : "", entry->d_name);
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.') {
			copy_all(path, name, sync);
		} else if (entry->d_type == DT_REG && strcmp(entry->d_name, ".ledger") != 0 &&
		           (fd = open(path, O_RDONLY)) >= 0) {
			copy_fd(fd, sync);
			free(track(entry->d_ino)->name);
			track(entry->d_ino)->name = memory_text(name);
			close(fd);
		}
		free(name);
		free(path);
	}
	if (directory)
		closedir(directory);
}

static void take_copies(bool sync)
{
	pthread_mutex_lock(&tracking);
	for (size_t i = 0; i < file_count; i++) {
		free(files[i].name);
		files[i].name = NULL;
	}
	copy_all(plan.data_dir, "", sync);
	pthread_mutex_unlock(&tracking);
}

static void note_sync(int fd)
{
	char link[64], name[512] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	(void)!readlink(link, name, sizeof(name) - 1);
	pthread_mutex_lock(&tracking);
	/* The ledger has tests of its own. */
	if (watching && !strstr(name, "/.ledger")) {
		copy_fd(fd, true);
		if (strstr(name, "/.journal"))
			synced = appended;
	}
	pthread_mutex_unlock(&tracking);
}

int fdatasync(int fd)
{
	note_sync(fd);
	return 0;
}

int fsync(int fd)
{
	note_sync(fd);
	return 0;
}

int syncfs(int fd)
{
	(void)fd;
	if (watching)
		take_copies(true);
	return 0;
}

/* After a power cut it is another boot. */
static unsigned boots;

void boot_id(char id[BOOT_ID_SIZE])
{
	snprintf(id, BOOT_ID_SIZE, "boot-%u", boots);
}

/* --- what a cut leaves ---------------------------------------------------------------------------------------- */

/* Any of the copies of a file; of one that was never synced also none at all: zeros. */
static const struct copy *any_copy(const struct tracked *file)
{
	int count = !file->synced;
	const struct copy *copy = file->copies;

	for (const struct copy *older = copy; older; older = older->older)
		count++;
	for (int back = chance(count); copy && back > 0; back--)
		copy = copy->older;
	return copy;
}

static void write_mixture(const struct tracked *file, int fd, bool kill)
{
	static const unsigned char zeros[PAGE];

	assert_int_equal(ftruncate(fd, (off_t)file->copies->size), 0);
	for (size_t at = 0; at < file->copies->size; at += PAGE) {
		const struct copy *copy = kill ? file->copies : any_copy(file);
		size_t size = file->copies->size - at < PAGE ? file->copies->size - at : PAGE;

		if (copy && copy->size < at + size)
			copy = NULL;
		assert_int_equal(pwrite(fd, copy ? copy->bytes + at : zeros, size, (off_t)at), size);
	}
}

/* Header images know a file by its inode, so what a cut leaves must stand in the same inodes: the folder is put back to
 * that state where it is. */
static void cut(bool kill)
{
	for (size_t i = 0; i < file_count; i++) {
		char *path = memory_format("%s/%s", plan.data_dir, files[i].name ? files[i].name : "");
		int fd = files[i].name && strcmp(files[i].name, ".lock") != 0 ? open(path, O_RDWR) : -1;

		if (fd >= 0) {
			write_mixture(&files[i], fd, kill);
			close(fd);
		}
		free(path);
	}
}

static void forget_all(void)
{
	for (size_t i = 0; i < file_count; i++) {
		forget_copies(&files[i]);
		free(files[i].name);
	}
	free(files);
	files = NULL;
	file_count = 0;
}

/* What must become of the sample of a second. */
enum fate { NEVER, MAYBE, SAFE };
static enum fate fates[1000];

static enum fate fate_of(int64_t tick)
{
	return tick < begin || tick > appended ? NEVER : fates[tick - begin];
}

/* --- a store's life ------------------------------------------------------------------------------------------- */

/* Any function of the tick that tells a row in the wrong place. */
static double level(int64_t tick, size_t which)
{
	return (double)(tick * 7919 % 1009) + (double)which;
}

static void append(struct store *store, int64_t tick)
{
	struct batch batch = {0};

	for (size_t family = 0; family < 2; family++) {
		batch_begin(&batch, family, FIELDS, 0);
		for (size_t i = 0; i < (family ? NAMES : 1); i++) {
			double *values = batch_add(&batch, family ? names[i] : "", NULL);

			values[0] = level(tick, i);
			values[1] = 100.0 * (double)tick;
		}
		batch.tick = tick * CLOCK_SECOND;
		batch.on_tick = true;
		store_append(store, &(struct batch *){&batch}, 1);
	}
	batch_release(&batch);
	store_settle(store);
	pthread_mutex_lock(&tracking);
	appended = tick;
	pthread_mutex_unlock(&tracking);
}

static struct store *open_store(void)
{
	struct error error = {""};
	struct store *store = store_open(&plan, NULL, &error);

	if (!store)
		fail_msg("%s", error.text);
	return store;
}

static struct store_rows fetch(size_t family, const char *name, int64_t step, int64_t from, int64_t to)
{
	struct store_rows rows = {0};
	struct error error = {""};
	char *path = store_path(&plan, family, name);

	if (file_fetch(path, plan.families[family].table->fields[0].name, STORE_AVERAGE, from, to, step, &rows, &error) < 0)
		fail_msg("seed %u: %s", seed, error.text);
	assert_int_equal(rows.step, step);
	free(path);
	return rows;
}

/* A lost sample between two that survived is taken for a missed tick: within the heartbeat the next one fills it. */
static bool is_right(double value, int64_t time, size_t which)
{
	enum fate fate = fate_of(time);

	if (isnan(value) || fate == NEVER)
		return isnan(value) && fate != SAFE;
	return value == level(time, which) ||
	       (fate == MAYBE && (value == level(time + 1, which) || value == level(time + 2, which)));
}

/* Every row of the finest tier is unknown or right, and known where it has to be. */
static void check_fine(size_t family, size_t which, unsigned from_seed)
{
	const char *name = family ? names[which] : "";
	struct store_rows rows = fetch(family, name, 1, appended - 90, appended + 5);

	for (size_t i = 0; i < rows.count; i++) {
		int64_t time = rows.start + (int64_t)(i + 1) * rows.step;

		if (!is_right(rows.values[i], time, which))
			fail_msg("seed %u: %s %s: the row of %+lld s is %g, the newest of %+lld s", from_seed, tables[family].name,
			         name, (long long)(time - begin), rows.values[i], (long long)(appended - begin));
	}
	free(rows.values);
}

/* A row of the coarser tier whose ten samples had to survive is their average. */
static void check_coarse(size_t family, size_t which, unsigned from_seed)
{
	const char *name = family ? names[which] : "";
	struct store_rows rows = fetch(family, name, 10, appended - 900, appended);

	for (size_t i = 0; i < rows.count; i++) {
		int64_t time = rows.start + (int64_t)(i + 1) * rows.step;
		double sum = 0;
		bool safe = true;

		for (int64_t tick = time - rows.step + 1; tick <= time; tick++) {
			sum += level(tick, which);
			safe = safe && fate_of(tick) == SAFE;
		}
		if (safe && !(fabs(rows.values[i] - sum / 10) < 1e-9))
			fail_msg("seed %u: %s %s: the row of ten seconds of %+lld s is %g, not %g", from_seed, tables[family].name,
			         name, (long long)(time - begin), rows.values[i], sum / 10);
	}
	free(rows.values);
}

static void check_all(unsigned from_seed)
{
	for (size_t which = 0; which < NAMES; which++) {
		check_fine(1, which, from_seed);
		check_coarse(1, which, from_seed);
	}
	check_fine(0, 0, from_seed);
}

/* One life of some steps: samples, flushes and (for the journal is small) checkpoints, then a cut. What follows goes on
 * from what it left, several times. */
static void live_and_be_cut(unsigned from_seed, bool kill)
{
	struct store *store = open_store();
	int64_t first = appended ? appended + 10 : begin, tick = first;

	take_copies(false);
	for (int step = chance(STEPS) + 10; step > 0; step--) {
		append(store, tick++);
		take_copies(false);
		if (chance(4) == 0) {
			store_flush(store);
			/* So a power cut loses at most what has come since the last flush. */
			if (synced != appended)
				fail_msg("seed %u: a flush synced up to %+lld s, not %+lld s", from_seed, (long long)(synced - begin),
				         (long long)(appended - begin));
			take_copies(false);
		}
	}
	watching = false;
	for (tick = first; tick <= appended; tick++)
		fates[tick - begin] = kill || tick <= synced ? SAFE : MAYBE;
	/* Its last flush comes too late: the cut puts everything back. */
	store_close(store);
	cut(kill);
	boots += !kill;
	forget_all();
	/* What a cut leaves is on the disk. */
	take_copies(true);
	watching = true;
	store_close(open_store());
	if (fates[0] == SAFE)
		check_all(from_seed);
}

static void go_through(unsigned from, unsigned count, bool kill)
{
	for (unsigned i = from; i < from + count; i++) {
		char *command;

		seed = i;
		appended = synced = 0;
		memset(fates, 0, sizeof(fates));
		forget_all();
		watching = true;
		begin = clock_wall() / CLOCK_SECOND / 10 * 10 - 250;
		command = memory_format("rm -rf '%s'/*  '%s'/.journal*", plan.data_dir, plan.data_dir);
		assert_int_equal(system(command), 0);
		free(command);
		for (int life = 0; life < 3; life++)
			live_and_be_cut(i, kill);
	}
}

static void a_kill_loses_nothing(void **state)
{
	(void)state;
	go_through(1000, 20, true);
}

static void a_power_cut_loses_at_most_what_was_not_synced(void **state)
{
	(void)state;
	go_through(1, getenv("CUTS") ? (unsigned)atoi(getenv("CUTS")) : 60, false);
}

static int make_folder(void **state)
{
	char *folder = memory_format("%s/pindrop-recover.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");

	assert_non_null(mkdtemp(folder));
	plan = (struct plan){.data_dir = folder,
	                     .flush = 3600 * CLOCK_SECOND,
	                     .purge_after = 30 * 86400,
	                     .purge_max_size = 1000000000,
	                     .journal_size = 32 << 10,
	                     .tier_count = 2,
	                     .tiers = tiers,
	                     .family_count = 2,
	                     .families = families};
	*state = folder;
	return 0;
}

static int remove_folder(void **state)
{
	char *command = memory_format("rm -rf '%s'", (char *)*state);
	int failed = system(command);

	free(command);
	free(*state);
	return failed;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_kill_loses_nothing),
		TEST(a_power_cut_loses_at_most_what_was_not_synced),
	};

	return cmocka_run_group_tests_name("recover", tests, NULL, NULL);
}
