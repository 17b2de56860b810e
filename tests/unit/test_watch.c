/* links: agent/config/watch.c agent/base/memory.c agent/base/error.c
 *
 * All the ways in which editors and tools save a file. The kernel tells at once (inotify(7)): nothing is waited for. */
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
#include <unistd.h>

#include <cmocka.h>

#include "config/watch.h"

static char folder[] = "/tmp/pindrop-watch.XXXXXX", home[4096];
static struct watch *watch;

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status, (void)type, (void)walk;
	return remove(path);
}

static void look_at(const char *path)
{
	struct error error;

	assert_int_equal(watch_files(watch, &path, 1, &error), 0);
	assert_false(watch_read(watch));
}

static int begin(void **state)
{
	struct error error;

	(void)state;
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	assert_non_null(mkdtemp(folder));
	assert_non_null(getcwd(home, sizeof(home)));
	assert_int_equal(chdir(folder), 0);
	watch = watch_new(&error);
	assert_non_null(watch);
	return 0;
}

static int end(void **state)
{
	(void)state;
	watch_free(watch);
	assert_int_equal(chdir(home), 0);
	return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int create(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

static void save(const char *path)
{
	int fd = create(path);

	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
}

static void link_to(const char *target, const char *path)
{
	assert_int_equal(symlink(target, path), 0);
}

static void move(const char *from, const char *to)
{
	assert_int_equal(rename(from, to), 0);
}

static void test_written_in_place(void **state)
{
	int fd;

	(void)state;
	save("p.lua");
	look_at("p.lua");
	fd = create("p.lua");
	assert_false(watch_read(watch)); /* half a file is none */
	assert_int_equal(write(fd, "xy", 2), 2);
	assert_false(watch_read(watch));
	close(fd);
	assert_true(watch_read(watch));
	assert_false(watch_read(watch));
}

static void test_another_put_in_its_place(void **state)
{
	(void)state;
	save("p.lua");
	look_at("p.lua");
	for (int i = 0; i < 3; i++) {
		save("p.lua.new");
		assert_false(watch_read(watch));
		move("p.lua.new", "p.lua");
		assert_true(watch_read(watch));
	}
}

/* vim with backupcopy=no. */
static void test_moved_away_and_written_anew(void **state)
{
	(void)state;
	save("p.lua");
	look_at("p.lua");
	move("p.lua", "p.lua~");
	assert_false(watch_read(watch));
	save("p.lua");
	assert_true(watch_read(watch));
	assert_int_equal(unlink("p.lua~"), 0);
	assert_false(watch_read(watch));
}

static void test_second_name(void **state)
{
	(void)state;
	save("p.lua");
	look_at("p.lua");
	save("q");
	assert_int_equal(unlink("p.lua"), 0);
	assert_false(watch_read(watch));
	assert_int_equal(link("q", "p.lua"), 0);
	assert_true(watch_read(watch));
}

static void test_link(void **state)
{
	(void)state;
	assert_int_equal(mkdir("real", 0700), 0);
	assert_int_equal(mkdir("other", 0700), 0);
	save("real/p.lua");
	save("other/p.lua");
	link_to("real/p.lua", "p.lua");
	look_at("p.lua");
	save("real/p.lua");
	assert_true(watch_read(watch));
	save("other/p.lua");
	assert_false(watch_read(watch));
	/* The link goes elsewhere: what it leads to now is watched, and what it led to is not. */
	link_to("other/p.lua", "new");
	move("new", "p.lua");
	assert_true(watch_read(watch));
	save("other/p.lua");
	assert_true(watch_read(watch));
	save("real/p.lua");
	assert_false(watch_read(watch));
	/* The link becomes a file. */
	save("new");
	move("new", "p.lua");
	assert_true(watch_read(watch));
	save("other/p.lua");
	assert_false(watch_read(watch));
	save("p.lua");
	assert_true(watch_read(watch));
}

/* As Kubernetes puts files into a container: p.lua -> ..data/p.lua, ..data -> ..1. */
static void test_link_to_a_folder(void **state)
{
	(void)state;
	assert_int_equal(mkdir("..1", 0700), 0);
	assert_int_equal(mkdir("..2", 0700), 0);
	save("..1/p.lua");
	save("..2/p.lua");
	link_to("..1", "..data");
	link_to("..data/p.lua", "p.lua");
	look_at("p.lua");
	link_to("..2", "..data_tmp");
	assert_false(watch_read(watch));
	move("..data_tmp", "..data");
	assert_true(watch_read(watch));
	save("..2/p.lua");
	assert_true(watch_read(watch));
}

static void test_links_in_a_ring(void **state)
{
	(void)state;
	link_to("b", "a");
	link_to("a", "b");
	look_at("a");
	assert_int_equal(unlink("a"), 0);
	save("a");
	assert_true(watch_read(watch));
}

static void test_not_there_yet(void **state)
{
	(void)state;
	look_at("one/two/p.lua");
	assert_int_equal(mkdir("one", 0700), 0);
	watch_read(watch);
	assert_int_equal(mkdir("one/two", 0700), 0);
	watch_read(watch);
	save("one/two/p.lua");
	assert_true(watch_read(watch));
}

static void test_folder_replaced(void **state)
{
	(void)state;
	assert_int_equal(mkdir("etc", 0700), 0);
	save("etc/p.lua");
	look_at("etc/p.lua");
	move("etc", "etc.old");
	assert_true(watch_read(watch));
	assert_int_equal(mkdir("etc", 0700), 0);
	watch_read(watch);
	save("etc/p.lua");
	assert_true(watch_read(watch));
	save("etc.old/p.lua");
	assert_false(watch_read(watch));
}

static void test_neighbours(void **state)
{
	(void)state;
	save("p.lua");
	look_at("p.lua");
	save(".p.lua.swp");
	save("p.luax");
	save("p");
	assert_int_equal(mkdir("data", 0700), 0);
	assert_int_equal(unlink(".p.lua.swp"), 0);
	assert_false(watch_read(watch));
}

static void test_several(void **state)
{
	const char *paths[] = {"p.lua", "lib/m.lua"};
	struct error error;

	(void)state;
	assert_int_equal(mkdir("lib", 0700), 0);
	save("p.lua");
	save("lib/m.lua");
	assert_int_equal(watch_files(watch, paths, 2, &error), 0);
	save("lib/m.lua");
	assert_true(watch_read(watch));
	look_at("p.lua");
	save("lib/m.lua");
	assert_false(watch_read(watch));
	save("p.lua");
	assert_true(watch_read(watch));
}

/* More than the kernel keeps, or one read takes. */
/* All that a pattern matches, by whatever way it comes. */
static void test_pattern(void **state)
{
	(void)state;
	look_at("*.lua");
	save("a.txt");
	assert_false(watch_read(watch));
	save("a.lua");
	assert_true(watch_read(watch));
	save("b.new");
	assert_false(watch_read(watch));
	assert_int_equal(rename("b.new", "b.lua"), 0);
	assert_true(watch_read(watch));
	assert_int_equal(symlink("a.txt", "c.lua"), 0);
	assert_true(watch_read(watch));
}

static void test_many_at_once(void **state)
{
	(void)state;
	save("p.lua");
	look_at("p.lua");
	for (int i = 0; i < 1000; i++)
		save("p.lua");
	save("other");
	assert_true(watch_read(watch));
	assert_false(watch_read(watch));
}

static size_t count_descriptors(void)
{
	char path[64], line[256];
	size_t count = 0;
	FILE *info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", watch_fd(watch));
	info = fopen(path, "re");
	assert_non_null(info);
	while (fgets(line, sizeof(line), info))
		count += strncmp(line, "inotify", 7) == 0;
	fclose(info);
	return count;
}

static void test_nothing_is_left_watched(void **state)
{
	char name[16];

	(void)state;
	save("p.lua");
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		assert_int_equal(mkdir(name, 0700), 0);
		strcat(name, "/p.lua");
		save(name);
		look_at(name);
	}
	look_at("p.lua");
	assert_int_equal(count_descriptors(), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_written_in_place),
		TEST(test_another_put_in_its_place),
		TEST(test_moved_away_and_written_anew),
		TEST(test_second_name),
		TEST(test_link),
		TEST(test_link_to_a_folder),
		TEST(test_links_in_a_ring),
		TEST(test_not_there_yet),
		TEST(test_folder_replaced),
		TEST(test_neighbours),
		TEST(test_several),
		TEST(test_pattern),
		TEST(test_many_at_once),
		TEST(test_nothing_is_left_watched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
