#include "config/watch.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

/* As many links as the kernel follows (path_resolution(7)). */
#define LINKS_MAX 40

/* A file that is written to is told when it is closed: before, it may be half a file. */
#define EVENTS (IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE_SELF | IN_MOVE_SELF)

/* A name within a folder. Several may share the folder. */
struct name {
	int folder; /* the kernel's descriptor of the folder */
	char *path; /* of the folder, without a slash at its end; "" for "/" */
	char *name;
};

struct watch {
	int fd;
	char **paths;
	size_t path_count;
	struct name *names;
	size_t count;
};

struct watch *watch_new(struct error *error)
{
	struct watch *watch;
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	if (fd < 0) {
		error_set(error, "cannot watch the configuration (%s): send SIGHUP after saving it", strerror(errno));
		return NULL;
	}
	watch = memory_alloc(sizeof(*watch));
	watch->fd = fd;
	return watch;
}

static void forget_names(struct watch *watch)
{
	for (size_t i = 0; i < watch->count; i++) {
		free(watch->names[i].path);
		free(watch->names[i].name);
	}
	watch->count = 0;
}

static void forget_paths(struct watch *watch)
{
	for (size_t i = 0; i < watch->path_count; i++)
		free(watch->paths[i]);
	free(watch->paths);
	watch->paths = NULL;
	watch->path_count = 0;
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	forget_names(watch);
	forget_paths(watch);
	free(watch->names);
	close(watch->fd);
	free(watch);
}

int watch_fd(const struct watch *watch)
{
	return watch->fd;
}

/* --- what to look at ------------------------------------------------------------------------------------------- */

static int add(struct watch *watch, const char *folder, const char *name, struct error *error)
{
	/* The same folder gives the same descriptor. */
	int descriptor = inotify_add_watch(watch->fd, *folder ? folder : "/", EVENTS | IN_ONLYDIR);

	if (descriptor < 0)
		return error_set(error, "cannot watch %s for changes (%s): send SIGHUP after saving", *folder ? folder : "/",
		                 strerror(errno));
	watch->names = memory_resize(watch->names, watch->count + 1, sizeof(*watch->names));
	watch->names[watch->count++] = (struct name){descriptor, memory_text(folder), memory_text(name)};
	return 0;
}

/* The target of a link, relative to the link's folder where it is not absolute, and what comes behind the link in the
 * path. For free(); NULL: it has none. */
static char *follow(const char *folder, const char *link, const char *rest)
{
	char target[PATH_MAX];
	ssize_t length = readlink(link, target, sizeof(target) - 1);

	if (length <= 0)
		return NULL;
	target[length] = '\0';
	return memory_format("%s%s%s%s%s", target[0] == '/' ? "" : folder, target[0] == '/' ? "" : "/", target,
	                     *rest ? "/" : "", rest);
}

/* "a/b/c" from `at` on: the length of its next name, and where the one after begins. */
static size_t next_name(const char *at, const char **rest)
{
	size_t length = strcspn(at, "/");

	*rest = at + length + strspn(at + length, "/");
	return length;
}

/* Walks along an absolute path, and watches the links on it, its last name, and the first name that is not there. */
static int walk(struct watch *watch, char *path, int links, struct error *error)
{
	char *folder = memory_text(""), *target = NULL;
	const char *at = path + strspn(path, "/"), *rest;
	int failed = 0;

	while (*at && !failed && !target) {
		size_t length = next_name(at, &rest);
		char *name = memory_format("%.*s", (int)length, at), *longer = memory_format("%s/%s", folder, name);
		struct stat status;
		bool there = lstat(longer, &status) == 0;

		if (there && S_ISLNK(status.st_mode) && links > 0)
			target = follow(folder, longer, rest);
		if (!there || target || !*rest)
			failed = add(watch, folder, name, error);
		free(name);
		free(folder);
		folder = longer;
		at = there ? rest : "";
	}
	free(folder);
	free(path);
	return target ? failed | walk(watch, target, links - 1, error) : failed;
}

static int look(struct watch *watch, struct error *error)
{
	char folder[PATH_MAX];
	int failed = 0;

	forget_names(watch);
	if (!getcwd(folder, sizeof(folder)))
		folder[0] = '\0';
	for (size_t i = 0; i < watch->path_count; i++) {
		const char *path = watch->paths[i];

		failed |=
			walk(watch, path[0] == '/' ? memory_text(path) : memory_format("%s/%s", folder, path), LINKS_MAX, error);
	}
	return failed ? -1 : 0;
}

static bool is_watched(const struct name *names, size_t count, int folder)
{
	for (size_t i = 0; i < count; i++)
		if (names[i].folder == folder)
			return true;
	return false;
}

/* Looks at all paths anew; folders that none of them leads through any more are left. */
static int look_again(struct watch *watch, struct error *error)
{
	struct name *before = watch->names;
	size_t count = watch->count;
	int failed;

	watch->names = NULL;
	watch->count = 0;
	failed = look(watch, error);
	for (size_t i = 0; i < count; i++) {
		if (!is_watched(watch->names, watch->count, before[i].folder))
			inotify_rm_watch(watch->fd, before[i].folder);
		free(before[i].path);
		free(before[i].name);
	}
	free(before);
	return failed;
}

int watch_files(struct watch *watch, const char *const *paths, size_t count, struct error *error)
{
	char **copy = memory_array(count, sizeof(char *));

	for (size_t i = 0; i < count; i++)
		copy[i] = memory_text(paths[i]);
	forget_paths(watch);
	watch->paths = copy;
	watch->path_count = count;
	return look_again(watch, error);
}

/* --- what has happened ------------------------------------------------------------------------------------------- */

/* A new file says no more than its name until it is closed. A link, also a second name of a file, is whole at once. */
static bool is_whole(const char *folder, const char *name)
{
	char *path = memory_format("%s/%s", folder, name);
	struct stat status;
	bool whole = lstat(path, &status) == 0 && (!S_ISREG(status.st_mode) || status.st_nlink > 1);

	free(path);
	return whole;
}

static bool is_meant(const struct name *name, const char *given)
{
	return strcmp(given, name->name) == 0 || fnmatch(name->name, given, 0) == 0;
}

static bool concerns(const struct watch *watch, const struct inotify_event *event)
{
	if (event->mask & IN_Q_OVERFLOW)
		return true;
	for (size_t i = 0; i < watch->count; i++) {
		const struct name *name = &watch->names[i];

		if (name->folder != event->wd)
			continue;
		if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF))
			return true;
		if (event->len && is_meant(name, event->name) &&
		    (!(event->mask & IN_CREATE) || is_whole(name->path, event->name)))
			return true;
	}
	return false;
}

bool watch_read(struct watch *watch)
{
	_Alignas(struct inotify_event) char bytes[8192];
	struct error ignored; /* watch_files() has told */
	bool saved = false;
	ssize_t length;

	while ((length = read(watch->fd, bytes, sizeof(bytes))) > 0)
		for (const char *at = bytes; at < bytes + length;) {
			const struct inotify_event *event = (const struct inotify_event *)at;

			saved = concerns(watch, event) || saved;
			at += sizeof(*event) + event->len;
		}
	/* What was a link may be a file now, and the other way round. */
	if (saved)
		look_again(watch, &ignored);
	return saved;
}
