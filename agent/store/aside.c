#include "store/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"

#define TRIES_MAX 1000

static char *name_of(const char *path, const char *why, int try)
{
	time_t now = time(NULL);
	struct tm local;
	char stamp[32];

	localtime_r(&now, &local);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%S", &local);
	return try == 1 ? memory_format("%s.%s-%s", path, why, stamp) : memory_format("%s.%s-%s-%d", path, why, stamp, try);
}

/* Never over a file that is there: renameat2(2). A file system that cannot promise that is asked without. */
static int rename_new(const char *from, const char *to)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	return errno == EINVAL || errno == ENOSYS ? rename(from, to) : -1;
}

char *aside_rename(const char *path, const char *why, struct error *error)
{
	for (int try = 1; try <= TRIES_MAX; try++) {
		char *name = name_of(path, why, try);

		if (rename_new(path, name) == 0)
			return name;
		free(name);
		if (errno != EEXIST)
			break;
	}
	error_set(error, "cannot rename %s: %s", path, strerror(errno));
	return NULL;
}
