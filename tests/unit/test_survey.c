/* links: agent/store/survey.c agent/store/purge.c agent/store/layout.c agent/config/plan.c agent/config/share.c agent/config/values.c
 * agent/config/aggregate.c agent/config/collector.c agent/config/options.c agent/base/text.c agent/base/memory.c agent/base/log.c
 * agent/base/clock.c agent/base/error.c
 *
 * What the survey says of real folders, and what purge_run() leaves of them. */
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "store/purge.h"
#include "store/store.h"
#include "store/survey.h"

enum { CPU, IO, SPACE, FAMILY_COUNT };

static const struct pindrop_field fields[] = {{"level", PINDROP_GAUGE, "percent", 1, NULL, "…"}};
static const struct pindrop_family tables[] = {
	[CPU] = {.name = "cpu", .fields = fields, .field_count = 1},
	[IO] = {.name = "disk.io", .fields = fields, .field_count = 1, .instance = "disk"},
	[SPACE] = {.name = "disk.space", .fields = fields, .field_count = 1, .instance = "mount"},
};
static const struct plan_plugin plugin = {.interval = CLOCK_SECOND};
static const struct plan_family families[] = {{&tables[CPU], &plugin},
                                              {&tables[IO], &plugin},
                                              {&tables[SPACE], &plugin}};
static struct plan plan = {.flush = 10 * CLOCK_SECOND,
                           .purge_after = 3600,
                           .family_count = FAMILY_COUNT,
                           .families = families};

static int make_folder(void **state)
{
	char *folder = memory_format("%s/pindrop-survey.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");

	*state = folder;
	plan.data_dir = mkdtemp(folder);
	return plan.data_dir ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *place)
{
	(void)status, (void)flag, (void)place;
	return remove(path);
}

static int remove_folder(void **state)
{
	nftw(*state, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(*state);
	return 0;
}

/* --- helpers -------------------------------------------------------------------------------------------------- */

static char *below(const char *name)
{
	return memory_format("%s/%s", plan.data_dir, name);
}

/* A file of `size` bytes that last changed `age` s ago, with its folders. */
static void put_at(char *path, off_t size, time_t age)
{
	const struct timespec times[] = {{time(NULL) - age, 0}, {time(NULL) - age, 0}};
	int fd;

	for (char *slash = path + strlen(plan.data_dir) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(path, 0777);
		*slash = '/';
	}
	fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0666);
	assert_true(fd >= 0 && ftruncate(fd, size) == 0 && futimens(fd, times) == 0);
	close(fd);
	free(path);
}

static void put(const char *name, off_t size, time_t age)
{
	put_at(below(name), size, age);
}

static struct survey take(void)
{
	struct survey survey = {0};
	struct error error = {""};

	if (survey_take(&survey, &plan, &error) < 0)
		fail_msg("%s", error.text);
	return survey;
}

static const struct survey_file *find(const struct survey *survey, const char *name)
{
	for (size_t i = 0; i < survey->count; i++)
		if (strcmp(survey->files[i].path + strlen(plan.data_dir) + 1, name) == 0)
			return &survey->files[i];
	return NULL;
}

/* "series disk.io sda 100" */
static const char *say(const struct survey *survey, const char *name)
{
	static const char *const kinds[] = {"series", "stray", "aside", "half", "own"};
	static char text[512];
	const struct survey_file *file = find(survey, name);

	if (!file)
		return "nothing";
	snprintf(text, sizeof(text), "%s %s %s %lld", kinds[file->kind],
	         file->family == SURVEY_NO_FAMILY ? "-" : tables[file->family].name, file->instance ? file->instance : "?",
	         (long long)file->size);
	return text;
}

static bool is_there(const char *name)
{
	char *path = below(name);
	bool there = access(path, F_OK) == 0;

	free(path);
	return there;
}

static int remove_below(const char *name)
{
	char *path = below(name);
	int failed = unlink(path);

	free(path);
	return failed;
}

/* --- survey --------------------------------------------------------------------------------------------------- */

static void a_folder_that_is_not_there_is_empty(void **state)
{
	struct survey survey;
	char *folder = below("none");

	plan.data_dir = folder;
	survey = take();
	assert_true(survey.count == 0 && survey.total == 0);
	survey_release(&survey);
	plan.data_dir = *state;
	free(folder);
}

static void what_is_no_folder_is_an_error(void **state)
{
	struct survey survey = {0};
	struct error error = {""};

	put("file", 1, 0);
	plan.data_dir = below("file");
	assert_int_equal(survey_take(&survey, &plan, &error), -1);
	assert_non_null(strstr(error.text, "cannot read the folder"));
	free((char *)plan.data_dir);
	plan.data_dir = *state;
	survey_release(&survey);
}

static void every_kind_is_told_by_its_name(void **state)
{
	struct survey survey;

	(void)state;
	put("cpu.rrd", 1000, 0);
	put("disk/io/sda.rrd", 100, 0);
	put("disk/space/%2Fhome.rrd", 20, 0);
	put("disk/space/%2F.rrd", 3, 0);
	put("memory/vm.rrd", 4, 0);
	put("load.rrd", 4, 0);
	put("cpu.rrd.damaged-20201124T103000", 5, 0);
	put("disk/space/%2Fhome.rrd.replaced-20201124T103000-2", 6, 0);
	put("disk/io/a.rrd.rrd", 7, 0);
	put("disk/io/sdb.rrd.new", 8, 0);
	put("disk/io/sdb.rrd.newa8Xz1Q", 9, 0);
	put(".journal", 10000, 0);
	put(".journal.version-20201124T103000", 9, 0);
	put(".ledger", 1, 0);
	put(".ledger.new", 1, 0);
	put(".lock", 0, 0);
	survey = take();
	assert_string_equal(say(&survey, "cpu.rrd"), "series cpu  1000");
	assert_string_equal(say(&survey, "disk/io/sda.rrd"), "series disk.io sda 100");
	assert_string_equal(say(&survey, "disk/space/%2Fhome.rrd"), "series disk.space /home 20");
	assert_string_equal(say(&survey, "disk/space/%2F.rrd"), "series disk.space / 3");
	assert_string_equal(say(&survey, "memory/vm.rrd"), "stray - vm 4");
	assert_string_equal(say(&survey, "load.rrd"), "stray - load 4");
	assert_string_equal(say(&survey, "cpu.rrd.damaged-20201124T103000"), "aside cpu  5");
	assert_string_equal(say(&survey, "disk/space/%2Fhome.rrd.replaced-20201124T103000-2"), "aside disk.space /home 6");
	assert_string_equal(say(&survey, "disk/io/a.rrd.rrd"), "series disk.io a.rrd 7");
	assert_string_equal(say(&survey, "disk/io/sdb.rrd.new"), "half disk.io sdb 8");
	assert_string_equal(say(&survey, "disk/io/sdb.rrd.newa8Xz1Q"), "half disk.io sdb 9");
	assert_string_equal(say(&survey, ".journal"), "own - ? 10000");
	assert_string_equal(say(&survey, ".journal.version-20201124T103000"), "aside - ? 9");
	assert_string_equal(say(&survey, ".ledger.new"), "own - ? 1");
	assert_string_equal(say(&survey, ".lock"), "own - ? 0");
	assert_int_equal(survey.count, 16);
	assert_int_equal(survey.total, 11177);
	survey_release(&survey);
}

static void what_others_have_made_is_not_counted(void **state)
{
	struct survey survey;
	char *link = below("link.rrd"), *folder = below("linked"), *loop = below("disk/loop");

	(void)state;
	put("cpu.rrd", 1, 0);
	put("notes.txt", 100, 0);
	put("cpu.rrd.bak", 100, 0);
	put("cpu.rrd.old-20201124", 100, 0);
	put("cpu.rrd.old-20201124T103000x", 100, 0);
	put(".rrd", 100, 0);
	put("Host-1/cpu-0.rrd", 100, 0);       /* no family has such a name */
	put("my.host/load.rrd", 100, 0);       /* nor a dot in a folder */
	put("graphs-1.rrd", 100, 0);           /* nor a family without instances this */
	put("disk/space/a b.rrd", 100, 0);     /* an instance is not written so */
	put("disk/space/%2fhome.rrd", 100, 0); /* nor so */
	put(".git/objects/cpu.rrd", 100, 0);
	put(".journalist", 100, 0);
	put("disk/.journal", 100, 0); /* it lies on top */
	assert_int_equal(symlink("cpu.rrd", link), 0);
	assert_int_equal(symlink("disk", folder), 0);
	assert_int_equal(symlink("..", loop), 0);
	survey = take();
	assert_int_equal(survey.count, 1);
	assert_int_equal(survey.total, 1);
	survey_release(&survey);
	free(link);
	free(folder);
	free(loop);
}

/* The names are those of store_path(), whatever the instance is called. */
static void paths_are_read_back_as_they_were_written(void **state)
{
	char long_one[400], all[256];
	const char *const names[] = {"sda",      "/",     "/home",     "..",       ".",
	                             ".hidden",  "a/b c", "100%",      "%2F",      "caf\xc3\xa9",
	                             "\xff\x01", "-",     "x.rrd.new", "eth0@if3", "x.rrd.old-20201124T103000",
	                             all,        long_one};
	struct survey survey;

	(void)state;
	memset(long_one, 'm', sizeof(long_one) - 1);
	long_one[sizeof(long_one) - 1] = '\0';
	for (size_t i = 0; i < 72; i++)
		all[i] = (char)(i ? 0x80 + i : '/');
	all[72] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		put_at(store_path(&plan, SPACE, names[i]), (off_t)i + 1, 0);
	survey = take();
	assert_int_equal(survey.count, sizeof(names) / sizeof(names[0]));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *path = store_path(&plan, SPACE, names[i]);
		const struct survey_file *file = find(&survey, path + strlen(plan.data_dir) + 1);

		assert_non_null(file);
		assert_string_equal(file->path, path);
		assert_true(file->kind == SURVEY_SERIES && file->family == SPACE && file->size == (int64_t)i + 1);
		if (names[i] == long_one)
			assert_null(file->instance);
		else
			assert_string_equal(file->instance, names[i]);
		free(path);
	}
	survey_release(&survey);
}

static void what_is_set_aside_is_as_old_as_its_name_says(void **state)
{
	struct survey survey;
	time_t now = time(NULL);
	struct tm local;
	char name[64];

	(void)state;
	now -= 100;
	localtime_r(&now, &local);
	strftime(name, sizeof(name), "cpu.rrd.future-%Y%m%dT%H%M%S", &local);
	put(name, 1, 1000000); /* unchanged for long, set aside just now */
	put("cpu.rrd.damaged-20200101T000000", 1, 50);
	put("cpu.rrd", 1, 77);
	survey = take();
	assert_true(find(&survey, name)->changed == now * CLOCK_SECOND);
	assert_true(llabs(find(&survey, "cpu.rrd.damaged-20200101T000000")->changed / CLOCK_SECOND - (now + 50)) <= 2);
	assert_true(llabs(find(&survey, "cpu.rrd")->changed / CLOCK_SECOND - (now + 23)) <= 2);
	survey_release(&survey);
}

static void an_instance_is_alive_while_its_family_is(void **state)
{
	struct survey survey;
	bool alive[8];

	(void)state;
	put("disk/io/sda.rrd", 1, 100000); /* the agent has not run for a day: by its own standards it is alive */
	put("disk/io/sdb.rrd", 1, 100060);
	put("disk/io/sdc.rrd", 1, 100600);
	put("disk/io/sdd.rrd.new", 1, 100000);
	put("cpu.rrd", 1, 5);
	put("load.rrd", 1, 5);
	survey = take();
	survey_guess(&survey, &plan, alive);
	for (size_t i = 0; i < survey.count; i++)
		assert_true(alive[i] == (strstr(survey.files[i].path, "sda.rrd") || strstr(survey.files[i].path, "sdb.rrd") ||
		                         strstr(survey.files[i].path, "cpu.rrd")));
	survey_release(&survey);
}

/* Names only: ten thousand files that take no time to make. */
static void ten_thousand_files_are_listed_at_once(void **state)
{
	struct survey survey;
	int64_t began;
	char name[64];

	(void)state;
	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "disk/io/veth%d.rrd", i);
		put(name, 1000, 0);
	}
	began = clock_monotonic();
	survey = take();
	began = clock_monotonic() - began;
	assert_int_equal(survey.count, 10000);
	assert_int_equal(survey.total, 10000000);
	printf("# 10,000 files in %.0f ms\n", clock_seconds(began) * 1000);
	survey_release(&survey);
}

/* --- purge_run() ---------------------------------------------------------------------------------------------- */

/* A purge_forget: sdc is there after all. */
static bool forget(void *context, const struct survey_file *file)
{
	++*(int *)context;
	return !file->instance || strcmp(file->instance, "sdc") != 0;
}

static void files_go_with_their_empty_folders(void **state)
{
	struct error error = {""};
	struct survey survey;
	struct purge purge;
	struct purge_done done;
	bool alive[8] = {false};
	int asked = 0;

	put("disk/io/sda.rrd", 100, 90000);
	put("disk/io/sdc.rrd", 100, 90000);
	put("disk/space/%2F.rrd", 10, 90000);
	put("net/io/eth0.rrd", 1, 90000);
	put("load.rrd", 1, 90000);
	put("net.txt", 1, 90000);
	plan.purge_max_size = 1000;
	survey = take();
	purge_choose(&purge, &survey, alive, &plan, clock_wall(), 0);
	assert_int_equal(purge.count, 5);
	assert_int_equal(purge_run(&purge, &survey, &plan, forget, &asked, &done, &error), 0);
	assert_int_equal(asked, 5);
	assert_true(done.files == 4 && done.bytes == 112);
	assert_true(is_there("disk/io/sdc.rrd") && !is_there("disk/io/sda.rrd"));
	assert_true(!is_there("disk/space") && !is_there("net") && !is_there("load.rrd") && is_there("net.txt"));
	/* What has gone meanwhile is no error; the last file leaves the data folder itself. */
	assert_int_equal(remove_below("net.txt"), 0);
	assert_int_equal(purge_run(&purge, &survey, &plan, NULL, NULL, &done, &error), 0);
	assert_true(!is_there("disk") && access(*state, F_OK) == 0);
	purge_release(&purge);
	survey_release(&survey);
}

static void what_cannot_be_removed_is_told(void **state)
{
	struct error error = {""};
	struct survey survey;
	struct purge purge;
	struct purge_done done;
	bool alive[8] = {false};
	char *path = below("disk/io/sda.rrd");

	(void)state;
	put("disk/io/sda.rrd", 100, 90001);
	put("disk/io/sdb.rrd", 100, 90000);
	plan.purge_max_size = 1000;
	survey = take();
	purge_choose(&purge, &survey, alive, &plan, clock_wall(), 0);
	unlink(path);
	mkdir(path, 0777);
	assert_int_equal(purge_run(&purge, &survey, &plan, NULL, NULL, &done, &error), -1);
	assert_non_null(strstr(error.text, "cannot remove"));
	assert_true(done.files == 1 && !is_there("disk/io/sdb.rrd")); /* the others go all the same */
	purge_release(&purge);
	survey_release(&survey);
	free(path);
}

int main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
	const struct CMUnitTest tests[] = {
		EACH(a_folder_that_is_not_there_is_empty),      EACH(what_is_no_folder_is_an_error),
		EACH(every_kind_is_told_by_its_name),           EACH(what_others_have_made_is_not_counted),
		EACH(paths_are_read_back_as_they_were_written), EACH(what_is_set_aside_is_as_old_as_its_name_says),
		EACH(an_instance_is_alive_while_its_family_is), EACH(ten_thousand_files_are_listed_at_once),
		EACH(files_go_with_their_empty_folders),        EACH(what_cannot_be_removed_is_told),
	};

	return cmocka_run_group_tests_name("survey", tests, NULL, NULL);
}
