/* A file system whose statfs never answers: what a dead NFS server looks like to its callers.
 *
 * hang_fs FOLDER mounts it, prints the pid of its server and returns. Once the server has read a request, the caller
 * waits uninterruptibly: not even SIGKILL ends it. Killing the server ends the wait (ENOTCONN). */
#define FUSE_USE_VERSION 35
#include <fuse3/fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int get_attributes(const char *path, struct stat *stat, struct fuse_file_info *info)
{
	(void)path, (void)info;
	memset(stat, 0, sizeof(*stat));
	stat->st_mode = S_IFDIR | 0755;
	stat->st_nlink = 2;
	return 0;
}

static int hang(const char *path, struct statvfs *space)
{
	(void)path, (void)space;
	for (;;)
		pause();
	return 0;
}

int main(int argc, char **argv)
{
	static const struct fuse_operations operations = {.getattr = get_attributes, .statfs = hang};
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse *fuse;
	struct fuse_loop_config loop = {.max_idle_threads = 10};
	pid_t server;

	if (argc != 2 || fuse_opt_add_arg(&args, argv[0]) < 0)
		return 2;
	fuse = fuse_new(&args, &operations, sizeof(operations), NULL);
	if (!fuse || fuse_mount(fuse, argv[1]) < 0)
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
