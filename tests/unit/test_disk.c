/* links: agent/collect/host.c agent/metric/batch.c agent/base/memory.c agent/base/error.c */
#include "../../plugins/disk.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* --- disk.io --------------------------------------------------------------------------------------------------- */

static void columns_are_in_the_kernels_order(void **state)
{
	static const char *const lines[] = {
		"   8       0 sda 1 2 3 4 5 6 7 8 9 10 11",                      /* 2.6 */
		"   8       0 sda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15",          /* 4.18: discards */
		"   8       0 sda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18", /* 5.5: flushes, and what may come */
	};
	double row[IO_FIELDS];
	char name[64];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_true(parse_diskstats(lines[i], name, row));
		assert_string_equal(name, "sda");
		assert_true(row[READ_COUNT] == 1 && row[READ_BYTES] == 3 * 512 && row[READ_TIME] == 0.004);
		assert_true(row[WRITE_COUNT] == 5 && row[WRITE_BYTES] == 7 * 512 && row[WRITE_TIME] == 0.008);
		assert_true(row[BUSY_TIME] == 0.010);
	}
}

static void odd_lines_are_left_out(void **state)
{
	double row[IO_FIELDS];
	char name[64];

	(void)state;
	assert_false(parse_diskstats("", name, row));
	assert_false(parse_diskstats("8 0", name, row));
	assert_false(parse_diskstats("   8       1 sda1 1 2 3 4", name, row)); /* a partition before 2.6.25 */
	assert_false(parse_diskstats("not a line at all", name, row));
}

static void partitions_are_told_by_their_names(void **state)
{
	static const char *const partitions[] = {"sda1", "sdaa12",    "vda2",      "xvda1",
	                                         "hdc3", "nvme0n1p2", "mmcblk0p1", "md0p1"};
	static const char *const disks[] = {"sda",  "sdp", "nvme0n1", "mmcblk0", "loop7", "md127",
	                                    "dm-0", "sr0", "ram1",    "zram0",   "1"};

	(void)state;
	for (size_t i = 0; i < PINDROP_COUNT(partitions); i++)
		if (!looks_like_partition(partitions[i]))
			fail_msg("%s is a partition", partitions[i]);
	for (size_t i = 0; i < PINDROP_COUNT(disks); i++)
		if (looks_like_partition(disks[i]))
			fail_msg("%s is a whole disk", disks[i]);
}

static void what_is_stacked_is_not_summed(void **state)
{
	static const char *const stacked[] = {"dm-0", "md127", "loop3", "ram0", "zram1", "bcache0", "drbd2"};
	static const char *const plain[] = {"sda", "nvme0n1", "mmcblk0", "vda", "sr0", "nbd0"};

	(void)state;
	for (size_t i = 0; i < PINDROP_COUNT(stacked); i++)
		assert_true(is_stacked(stacked[i]));
	for (size_t i = 0; i < PINDROP_COUNT(plain); i++)
		assert_false(is_stacked(plain[i]));
}

/* --- disk.space ------------------------------------------------------------------------------------------------ */

static void mountinfo_lines_are_taken_apart(void **state)
{
	static const char line[] =
		"36 35 98:10 /mnt1 /mnt\\0402\\011x\\134y rw,noatime master:1 shared:2 - ext3 /dev/my\\040root rw";
	static const char *const odd[] = {"", "36 35 98:0 / / rw", "a b c d e f - g h", "1 2 3 / / rw - ext4 /dev/x rw"};
	struct mount mount;

	(void)state;
	assert_true(parse_mount(line, strlen(line), &mount));
	assert_int_equal(mount.major, 98);
	assert_int_equal(mount.minor, 10);
	assert_string_equal(mount.root, "/mnt1");
	assert_string_equal(mount.point, "/mnt 2\tx\\y");
	assert_string_equal(mount.type, "ext3");
	assert_string_equal(mount.source, "/dev/my root");
	free(mount.text);
	/* Without optional fields, and an end that is another line's begin. */
	assert_true(parse_mount("1 2 8:1 / / rw - xfs /dev/sda1 rw\n9 9", 33, &mount));
	assert_string_equal(mount.source, "/dev/sda1");
	free(mount.text);
	for (size_t i = 0; i < PINDROP_COUNT(odd); i++)
		assert_false(parse_mount(odd[i], strlen(odd[i]), &mount));
}

static void types_with_a_device_are_real(void **state)
{
	static const char filesystems[] = "nodev\tproc\nnodev\text\n\text4\n\txfs";

	(void)state;
	assert_true(is_real(filesystems, "ext4"));
	assert_true(is_real(filesystems, "xfs"));
	assert_true(is_real(filesystems, "zfs"));
	assert_false(is_real(filesystems, "proc"));
	assert_false(is_real(filesystems, "ext"));
	assert_false(is_real(filesystems, "ext3"));
	assert_false(is_real("", "ext4"));
	assert_true(is_network("nfs4") && is_network("cifs") && is_network("fuse.sshfs"));
	assert_false(is_network("fuse.lxcfs") || is_network("tmpfs") || is_network("fuseblk"));
}

/* The mounts that are shown, as "point=source …". */
static const char *shown(struct space *space, const char *mountinfo)
{
	static char text[1024];
	char *end = text;

	take_mounts(space, mountinfo, "\text4\n\txfs\n\tbtrfs\n");
	*text = '\0';
	for (size_t i = 0; i < space->count; i++)
		end += sprintf(end, "%s%s=%s", i ? " " : "", space->mounts[i].point, space->mounts[i].source);
	release_mounts(space);
	return text;
}

static void each_device_is_shown_once(void **state)
{
	struct space space = {0};

	(void)state;
	assert_string_equal(shown(&space, "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:3 / /proc rw - proc proc rw\n"
	                                  "3 1 8:2 / /home rw - xfs /dev/sda2 rw\n"),
	                    "/=/dev/sda1 /home=/dev/sda2");
	/* A bind mount before the mount of the whole. */
	assert_string_equal(shown(&space, "1 0 8:1 /a /mnt/a rw - ext4 /dev/sda1 rw\n2 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
	                                  "3 1 8:1 /b /mnt/b rw - ext4 /dev/sda1 rw\n"),
	                    "/=/dev/sda1");
	/* Subvolumes of btrfs have numbers of their own. */
	assert_string_equal(shown(&space,
	                          "1 0 0:30 /@ / rw - btrfs /dev/sda1 rw\n2 1 0:31 /@home /home rw - btrfs /dev/sda1 rw\n"),
	                    "/=/dev/sda1");
	assert_string_equal(shown(&space, ""), "");
}

static void what_is_mounted_over_is_hidden(void **state)
{
	struct space space = {0};

	(void)state;
	assert_string_equal(shown(&space,
	                          "1 0 8:1 / /data rw - ext4 /dev/sda1 rw\n2 0 8:2 / /data rw - xfs /dev/sda2 rw\n"),
	                    "/data=/dev/sda2");
	assert_string_equal(shown(&space, "1 0 8:1 / /data rw - ext4 /dev/sda1 rw\n2 0 0:9 / /data rw - tmpfs tmpfs rw\n"),
	                    "");
}

static void the_network_is_added_when_asked(void **state)
{
	static const char mounts[] =
		"1 0 0:40 / /net rw - nfs4 server:/export rw\n2 0 0:41 /x /net2 rw - nfs4 server:/export rw\n"
		"3 0 0:42 / /a rw - fuse.sshfs host: rw\n4 0 0:43 / /b rw - fuse.sshfs host: rw\n";
	struct space space = {0};

	(void)state;
	assert_string_equal(shown(&space, mounts), "");
	space.network = true;
	assert_string_equal(shown(&space, mounts), "/net=server:/export /a=host: /b=host:");
}

static void excluded_mounts_are_left_out(void **state)
{
	static const char *const patterns[] = {"^/snap/", "backup$", NULL};
	struct space space = {0};

	(void)state;
	assert_true(take_patterns(&space, patterns));
	assert_string_equal(shown(&space,
	                          "1 0 8:1 / /snap/x rw - ext4 /dev/sda1 rw\n2 0 8:2 / /my/backup rw - ext4 /dev/sda2 rw\n"
	                          "3 0 8:3 / /snapshots rw - ext4 /dev/sda3 rw\n"),
	                    "/snapshots=/dev/sda3");
	for (size_t i = 0; i < space.excluded_count; i++)
		regfree(&space.excluded[i]);
	free(space.excluded);
}

static void space_is_what_df_says(void **state)
{
	/* 1000 blocks of 4 kB: 400 free, of which 50 are root's. */
	const struct statvfs stat = {.f_frsize = 4096,
	                             .f_bsize = 512,
	                             .f_blocks = 1000,
	                             .f_bfree = 400,
	                             .f_bavail = 350,
	                             .f_files = 77,
	                             .f_ffree = 66};
	const struct statvfs empty = {.f_frsize = 4096};
	double row[SPACE_FIELDS];

	(void)state;
	fill_space(&stat, row);
	assert_true(row[TOTAL] == 4096000 && row[USED] == 600 * 4096 && row[FREE] == 350 * 4096);
	assert_true(row[USED_PERCENT] == 100.0 * 600 / 950);
	assert_true(row[INODES] == 77 && row[INODES_FREE] == 66);
	fill_space(&empty, row);
	assert_true(row[TOTAL] == 0 && row[USED_PERCENT] == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_in_the_kernels_order),
		cmocka_unit_test(odd_lines_are_left_out),
		cmocka_unit_test(partitions_are_told_by_their_names),
		cmocka_unit_test(what_is_stacked_is_not_summed),
		cmocka_unit_test(mountinfo_lines_are_taken_apart),
		cmocka_unit_test(types_with_a_device_are_real),
		cmocka_unit_test(each_device_is_shown_once),
		cmocka_unit_test(what_is_mounted_over_is_hidden),
		cmocka_unit_test(the_network_is_added_when_asked),
		cmocka_unit_test(excluded_mounts_are_left_out),
		cmocka_unit_test(space_is_what_df_says),
	};

	return cmocka_run_group_tests_name("disk", tests, NULL, NULL);
}
