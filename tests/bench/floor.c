/* floor: the least that sampling can cost: files that stay open and are read anew, statvfs of mounts, nothing else.
 *
 *     floor [PERIOD:PATH]…      1:/proc/stat  5:/proc/diskstats  5:statvfs:/home
 *
 * Wakes up once a second, on the second, and does what is due; nothing is parsed, kept or sent. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define READS_MAX 256

struct bare {
	long period; /* s */
	int fd;
	const char *mount; /* NULL: a file */
};

static int parse(const char *word, struct bare *bare)
{
	static const char statvfs_word[] = "statvfs:";
	char *path;

	bare->period = strtol(word, &path, 10);
	if (bare->period < 1 || *path++ != ':')
		return -1;
	bare->mount = strncmp(path, statvfs_word, strlen(statvfs_word)) == 0 ? path + strlen(statvfs_word) : NULL;
	bare->fd = bare->mount ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	return bare->mount || bare->fd >= 0 ? 0 : -1;
}

/* To the end, as whoever wants to parse a file has to read it. */
static void perform(const struct bare *bare)
{
	static char text[1 << 16];
	struct statvfs space;
	off_t at = 0;
	ssize_t length;

	if (bare->mount) {
		if (statvfs(bare->mount, &space) != 0)
			perror(bare->mount);
		return;
	}
	while ((length = pread(bare->fd, text, sizeof(text), at)) > 0)
		at += length;
}

int main(int argc, char **argv)
{
	struct bare all[READS_MAX];
	int count = 0;

	for (; count < argc - 1 && count < READS_MAX; count++) {
		if (parse(argv[count + 1], &all[count]) != 0) {
			fprintf(stderr, "floor: cannot use \"%s\"\n", argv[count + 1]);
			return 1;
		}
	}
	for (;;) {
		struct timespec next;

		clock_gettime(CLOCK_REALTIME, &next);
		next = (struct timespec){.tv_sec = next.tv_sec + 1};
		clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &next, NULL);
		for (int i = 0; i < count; i++)
			if (next.tv_sec % all[i].period == 0)
				perform(&all[i]);
	}
}
