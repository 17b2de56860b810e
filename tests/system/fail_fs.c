/* A file system that does what it is told to: the folder FOLDER, seen through MOUNT, whose disk fails.
 *
 *     fail_fs FOLDER MOUNT CONTROL      mounts it, prints the pid of its server and returns
 *
 * The first word of the file CONTROL decides, at every request:
 *
 *     ok       all goes well
 *     EIO      whatever would change something fails with that; also ENOSPC, EROFS
 *     deaf     reading fails with EIO as well
 *     hang     whatever would change something waits until there is another word. Not even SIGKILL ends who waits. */
#define FUSE_USE_VERSION 35
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct disk {
	const char *control;
	int folder; /* all paths are relative to it */
};

static struct disk *disk(void)
{
	return fuse_get_context()->private_data;
}

/* Without the slash that it begins with. */
static const char *inside(const char *path)
{
	return path[1] ? path + 1 : ".";
}

static void read_mood(char mood[16])
{
	int fd = open(disk()->control, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, mood, 15);

	if (fd >= 0)
		close(fd);
	mood[length > 0 ? length : 0] = '\0';
	mood[strcspn(mood, " \n")] = '\0';
}

/* What a change of anything comes to: 0 or a negative errno. */
static int may_write(void)
{
	static const struct {
		const char *word;
		int error;
	} moods[] = {{"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EROFS", EROFS}, {"deaf", EIO}};
	char mood[16];

	for (read_mood(mood); strcmp(mood, "hang") == 0; read_mood(mood))
		usleep(10000);
	for (size_t i = 0; i < sizeof(moods) / sizeof(moods[0]); i++)
		if (strcmp(mood, moods[i].word) == 0)
			return -moods[i].error;
	return 0;
}

static int may_read(void)
{
	char mood[16];

	read_mood(mood);
	return strcmp(mood, "deaf") == 0 ? -EIO : 0;
}

static int outcome(int result)
{
	return result < 0 ? -errno : 0;
}

/* --- what reads ----------------------------------------------------------------------------------------------- */

static int get_attributes(const char *path, struct stat *stat, struct fuse_file_info *info)
{
	(void)info;
	return outcome(fstatat(disk()->folder, inside(path), stat, AT_SYMLINK_NOFOLLOW));
}

static int list(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset, struct fuse_file_info *info,
                enum fuse_readdir_flags flags)
{
	int fd = openat(disk()->folder, inside(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	(void)offset, (void)info, (void)flags;
	if (!folder)
		return -errno;
	while ((entry = readdir(folder)))
		fill(buffer, entry->d_name, NULL, 0, 0);
	closedir(folder);
	return 0;
}

static int get_space(const char *path, struct statvfs *space)
{
	(void)path;
	return outcome(fstatvfs(disk()->folder, space));
}

static int read_file(const char *path, char *buffer, size_t size, off_t offset, struct fuse_file_info *info)
{
	int failed = may_read();
	ssize_t got = failed ? 0 : pread((int)info->fh, buffer, size, offset);

	(void)path;
	return failed ? failed : got < 0 ? -errno : (int)got;
}

static int release_file(const char *path, struct fuse_file_info *info)
{
	(void)path;
	close((int)info->fh);
	return 0;
}

/* --- what changes something ----------------------------------------------------------------------------------- */

static int open_with(const char *path, int flags, mode_t mode, struct fuse_file_info *info)
{
	int fd = openat(disk()->folder, inside(path), flags | O_CLOEXEC, mode);

	if (fd < 0)
		return -errno;
	info->fh = (uint64_t)fd;
	return 0;
}

/* A read-only disk refuses already whoever wants to write. */
static int open_file(const char *path, struct fuse_file_info *info)
{
	char mood[16];
	int wanted = info->flags & O_ACCMODE;

	read_mood(mood);
	if (strcmp(mood, "EROFS") == 0 && wanted != O_RDONLY)
		return -EROFS;
	/* The kernel reads pages of files that are only written to. */
	if (wanted == O_WRONLY)
		wanted = O_RDWR;
	return open_with(path, wanted | (info->flags & O_TRUNC), 0, info);
}

static int create_file(const char *path, mode_t mode, struct fuse_file_info *info)
{
	int failed = may_write();

	return failed ? failed : open_with(path, O_RDWR | O_CREAT | (info->flags & (O_TRUNC | O_EXCL)), mode, info);
}

static int write_file(const char *path, const char *bytes, size_t size, off_t offset, struct fuse_file_info *info)
{
	int failed = may_write();
	ssize_t written = failed ? 0 : pwrite((int)info->fh, bytes, size, offset);

	(void)path;
	return failed ? failed : written < 0 ? -errno : (int)written;
}

static int sync_file(const char *path, int data_only, struct fuse_file_info *info)
{
	int failed = may_write();

	(void)path, (void)data_only;
	return failed ? failed : outcome(fdatasync((int)info->fh));
}

static int reserve(const char *path, int mode, off_t offset, off_t length, struct fuse_file_info *info)
{
	int failed = may_write();

	(void)path;
	return failed ? failed : outcome(fallocate((int)info->fh, mode, offset, length));
}

static int resize(const char *path, off_t size, struct fuse_file_info *info)
{
	int failed = may_write(), fd;

	if (failed || info)
		return failed ? failed : outcome(ftruncate((int)info->fh, size));
	fd = openat(disk()->folder, inside(path), O_WRONLY | O_CLOEXEC);
	failed = outcome(fd < 0 ? -1 : ftruncate(fd, size));
	if (fd >= 0)
		close(fd);
	return failed;
}

static int make_folder(const char *path, mode_t mode)
{
	int failed = may_write();

	return failed ? failed : outcome(mkdirat(disk()->folder, inside(path), mode));
}

static int remove_file(const char *path)
{
	int failed = may_write();

	return failed ? failed : outcome(unlinkat(disk()->folder, inside(path), 0));
}

static int remove_folder(const char *path)
{
	int failed = may_write();

	return failed ? failed : outcome(unlinkat(disk()->folder, inside(path), AT_REMOVEDIR));
}

static int move(const char *from, const char *to, unsigned int flags)
{
	int failed = may_write();

	return failed ? failed : outcome(renameat2(disk()->folder, inside(from), disk()->folder, inside(to), flags));
}

static int link_file(const char *from, const char *to)
{
	int failed = may_write();

	return failed ? failed : outcome(linkat(disk()->folder, inside(from), disk()->folder, inside(to), 0));
}

static int set_mode(const char *path, mode_t mode, struct fuse_file_info *info)
{
	int failed = may_write();

	(void)info;
	return failed ? failed : outcome(fchmodat(disk()->folder, inside(path), mode, 0));
}

static int set_owner(const char *path, uid_t user, gid_t group, struct fuse_file_info *info)
{
	int failed = may_write();

	(void)info;
	return failed ? failed : outcome(fchownat(disk()->folder, inside(path), user, group, AT_SYMLINK_NOFOLLOW));
}

static int set_times(const char *path, const struct timespec times[2], struct fuse_file_info *info)
{
	int failed = may_write();

	(void)info;
	return failed ? failed : outcome(utimensat(disk()->folder, inside(path), times, AT_SYMLINK_NOFOLLOW));
}

/* As on a disk, a file keeps its inode. */
static void *begin(struct fuse_conn_info *connection, struct fuse_config *config)
{
	(void)connection;
	config->use_ino = 1;
	return disk();
}

static const struct fuse_operations operations = {
	.init = begin,
	.getattr = get_attributes,
	.readdir = list,
	.statfs = get_space,
	.read = read_file,
	.release = release_file,
	.open = open_file,
	.create = create_file,
	.write = write_file,
	.fsync = sync_file,
	.fallocate = reserve,
	.truncate = resize,
	.mkdir = make_folder,
	.unlink = remove_file,
	.rmdir = remove_folder,
	.rename = move,
	.link = link_file,
	.chmod = set_mode,
	.chown = set_owner,
	.utimens = set_times,
};

int main(int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_loop_config loop = {.max_idle_threads = 10};
	struct disk disk = {0};
	struct fuse *fuse;
	pid_t server;

	if (argc != 4 || fuse_opt_add_arg(&args, argv[0]) < 0)
		return 2;
	disk.control = realpath(argv[3], NULL);
	disk.folder = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!disk.control || disk.folder < 0)
		return 1;
	fuse = fuse_new(&args, &operations, sizeof(operations), &disk);
	if (!fuse || fuse_mount(fuse, argv[2]) < 0)
		return 1;
	server = fork();
	if (server < 0)
		return 1;
	if (server == 0) {
		if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
			return 1;
		return fuse_loop_mt(fuse, &loop);
	}
	printf("%d\n", (int)server);
	fflush(stdout);
	_exit(0); /* without fuse_destroy(), which would unmount */
}
