#include "store/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"

char *aside_name(const char *path, const char *why, int attempt)
{
	time_t now = time(NULL);
	struct tm local;
	char stamp[32];

	localtime_r(&now, &local);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%S", &local);
	return attempt == 1 ? memory_format("%s.%s-%s", path, why, stamp)
	                    : memory_format("%s.%s-%s-%d", path, why, stamp, attempt);
}

/* Without ever replacing: some file systems know no RENAME_NOREPLACE. */
static int rename_to_new(const char *path, const char *name)
{
	int failed = renameat2(AT_FDCWD, path, AT_FDCWD, name, RENAME_NOREPLACE);

	if (failed && (errno == EINVAL || errno == ENOSYS)) {
		if (access(name, F_OK) == 0)
			errno = EEXIST;
		else
			failed = rename(path, name);
	}
	return failed;
}

char *aside_rename(const char *path, const char *why, struct error *error)
{
	for (int attempt = 1; attempt <= ASIDE_ATTEMPTS; attempt++) {
		char *name = aside_name(path, why, attempt);
		int failed = rename_to_new(path, name);

		if (!failed)
			return name;
		free(name);
		if (errno != EEXIST)
			break;
	}
	error_set(error, "cannot rename %s: %s", path, strerror(errno));
	return NULL;
}
