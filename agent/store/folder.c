/* store/folder.c: the data folder: whose it is, and whether it is still there. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "store/inside.h"
#include "store/rrd.h"

int folder_lock(const char *path, struct error *error)
{
	char *name = memory_format("%s/.lock", path);
	int fd = -1;

	if (file_make_folders(name, error) < 0) {
		error_prefix(error, "cannot use the data folder %s; see agent { data_dir = … }: ", path);
	} else if ((fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0666)) < 0) {
		error_set(error, "cannot write to the data folder %s: %s; see agent { data_dir = … }", path, strerror(errno));
	} else if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		error_set(error, "another pindrop stores in %s; end it, or choose another folder in agent { data_dir = … }",
		          path);
		close(fd);
		fd = -1;
	}
	free(name);
	return fd;
}

/* Files are written to also where the journal cannot be. */
static void open_journal(struct store *store)
{
	struct error error = {""};
	int failed = journal_reopen(store->journal, &error);

	intake_tell_journal(store, failed, &error);
}

/* Begins anew in a folder that has none of ours: its files are made when the next samples are written. */
static int take_anew(struct store *store, struct error *error)
{
	int fd = folder_lock(store->plan->data_dir, error);
	struct series *series;

	if (fd < 0)
		return -1;
	log_warning("the data folder %s was removed; it is made anew", store->plan->data_dir);
	close(store->lock_fd);
	store->lock_fd = fd;
	pthread_mutex_lock(&store->writing);
	for (size_t family = 0, index = 0; (series = series_next(store, &family, &index));) {
		series->ready = false;
		series->imaged = 0;
	}
	pthread_mutex_unlock(&store->writing);
	open_journal(store);
	return 0;
}

/* Of the folder, or where it is gone of the nearest one above it that is there. */
static int stat_nearest(const char *path, struct stat *status)
{
	char *name = memory_text(path), *slash;
	int failed = stat(name, status);

	while (failed && errno == ENOENT && (slash = strrchr(name, '/')) && slash != name) {
		*slash = '\0';
		failed = stat(name, status);
	}
	if (failed && errno == ENOENT)
		failed = stat(path[0] == '/' ? "/" : ".", status);
	free(name);
	return failed;
}

int folder_check(struct store *store, struct error *error)
{
	const char *path = store->plan->data_dir;
	char *name = memory_format("%s/.lock", path);
	struct stat ours, there, folder;
	bool same = fstat(store->lock_fd, &ours) == 0 && stat(name, &there) == 0 && there.st_ino == ours.st_ino &&
	            there.st_dev == ours.st_dev;

	free(name);
	if (same) {
		if (!journal_is_open(store->journal))
			open_journal(store);
		return 0;
	}
	if (stat_nearest(path, &folder) == 0 && folder.st_dev != ours.st_dev)
		return error_set(error,
		                 "%s is on another file system than when pindrop started: was it unmounted? Nothing is "
		                 "written until it is back",
		                 path);
	return take_anew(store, error);
}
