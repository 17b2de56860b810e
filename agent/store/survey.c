#include "store/survey.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"

/* No family has a name of so many words. */
#define DEPTH_MAX 16

/* An instance's name that was too long for a file: its beginning, "-" and 16 digits (layout.c). */
#define LONG_NAME 217
#define LONG_NAME_KEPT 200

/* One folder on the walk. */
struct place {
	const char *path;
	const char *family; /* "disk.io", by its place below the data folder; "" for that itself */
	int depth;
};

struct walk {
	struct survey *survey;
	const struct plan *plan;
	struct error *error;
};

/* --- names --------------------------------------------------------------------------------------------------- */

/* A word of a family's name: [a-z][a-z0-9_]*. */
static bool is_word(const char *text)
{
	if (*text < 'a' || *text > 'z')
		return false;
	return text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static bool is_long(const char *stem)
{
	return strlen(stem) == LONG_NAME && stem[LONG_NAME_KEPT] == '-' &&
	       strspn(stem + LONG_NAME_KEPT + 1, "0123456789abcdef") == LONG_NAME - LONG_NAME_KEPT - 1;
}

/* The instance that a file's name stands for, for free(); NULL: there is none that would be written so. */
static char *decode(const char *stem)
{
	char *instance = text_percent_decode(stem), *again = text_percent_encode(instance);
	bool same = *stem && strcmp(again, stem) == 0;

	free(again);
	if (same)
		return instance;
	free(instance);
	return NULL;
}

/* "damaged-20261124T103000", "damaged-20261124T103000-2": the time in it, local, s; -1: it is nothing of the kind. */
static time_t read_stamp(const char *why)
{
	const char *stamp = why + strspn(why, "abcdefghijklmnopqrstuvwxyz_"), *end;
	struct tm local = {.tm_isdst = -1};

	if (stamp == why || *stamp != '-')
		return -1;
	end = strptime(stamp + 1, "%Y%m%dT%H%M%S", &local);
	if (!end || end - stamp != 16 || (*end == '-' && end[1 + strspn(end + 1, "0123456789")]) || (*end && *end != '-'))
		return -1;
	return mktime(&local);
}

/* --- what a file is ------------------------------------------------------------------------------------------ */

/* Sees which family a file belongs to; `stem` is its name up to ".rrd". False: it is nobody's. */
static bool find_owner(const struct walk *walk, const struct place *place, const char *stem, struct survey_file *file)
{
	char *alone = memory_format("%s%s%s", place->family, *place->family ? "." : "", stem);
	const struct plan *plan = walk->plan;

	file->family = SURVEY_NO_FAMILY;
	for (size_t i = 0; i < plan->family_count; i++) {
		const struct pindrop_family *table = plan->families[i].table;

		bool named = !table->instance && strcmp(table->name, alone) == 0;
		bool within = table->instance && strcmp(table->name, place->family) == 0;

		if (named || (within && file->family == SURVEY_NO_FAMILY))
			file->family = i;
	}
	free(alone);
	if (file->family != SURVEY_NO_FAMILY && !plan->families[file->family].table->instance)
		file->instance = memory_text("");
	else if (!is_long(stem))
		file->instance = decode(stem);
	/* On top lie only families without instances. */
	return (file->instance || is_long(stem)) && (*place->family || is_word(stem));
}

/* Half made by us, or within librrd, which puts what mkstemp(3) makes behind our name. */
static bool is_half(const char *rest)
{
	static const char mark[] = ".new";
	size_t length = strlen(rest), of_mark = sizeof(mark) - 1;

	if (strncmp(rest, mark, of_mark) != 0 || (length != of_mark && length != of_mark + 6))
		return false;
	for (const char *c = rest + of_mark; *c; c++)
		if (!isalnum((unsigned char)*c))
			return false;
	return true;
}

/* Sees what kind of file it is by what follows ".rrd". False: none of ours. */
static bool find_kind(const char *rest, struct survey_file *file)
{
	time_t aside;

	if (*rest == '\0') {
		file->kind = file->family == SURVEY_NO_FAMILY ? SURVEY_STRAY : SURVEY_SERIES;
		return true;
	}
	file->kind = SURVEY_HALF;
	if (is_half(rest))
		return true;
	aside = *rest == '.' ? read_stamp(rest + 1) : -1;
	file->kind = SURVEY_ASIDE;
	/* It is kept from the day on which it was set aside, however old it was. */
	if (aside * CLOCK_SECOND > file->changed)
		file->changed = aside * CLOCK_SECOND;
	return aside >= 0;
}

/* The last ".rrd" that ends a name or is followed by a dot. */
static const char *find_ending(const char *name)
{
	const char *found = NULL;

	for (const char *at = name; (at = strstr(at, ".rrd")); at++)
		if (at[4] == '\0' || at[4] == '.')
			found = at;
	return found;
}

static bool is_rrd(const struct walk *walk, const struct place *place, const char *name, struct survey_file *file)
{
	const char *ending = find_ending(name);
	char *stem;
	bool ours;

	if (!ending)
		return false;
	stem = memory_format("%.*s", (int)(ending - name), name);
	ours = find_owner(walk, place, stem, file) && find_kind(ending + 4, file);
	free(stem);
	return ours;
}

/* Journal, ledger and lock, with what stands beside them for a moment, or was set aside. */
static bool is_own(const char *name, struct survey_file *file)
{
	static const char *const names[] = {".journal", ".ledger", ".lock"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t length = strlen(names[i]);

		if (strncmp(name, names[i], length) != 0 || (name[length] && name[length] != '.'))
			continue;
		file->family = SURVEY_NO_FAMILY;
		if (name[length] && find_kind(name + length, file) && file->kind == SURVEY_ASIDE)
			return true;
		file->kind = SURVEY_OWN;
		return true;
	}
	return false;
}

/* --- the walk ------------------------------------------------------------------------------------------------ */

static void add(struct walk *walk, const struct place *place, const char *name, const struct stat *status)
{
	struct survey *survey = walk->survey;
	struct survey_file file = {
		.size = status->st_size,
		.changed = status->st_mtim.tv_sec * CLOCK_SECOND + status->st_mtim.tv_nsec,
	};

	if (!(*place->family == '\0' && is_own(name, &file)) && !is_rrd(walk, place, name, &file)) {
		free((char *)file.instance);
		return;
	}
	if (survey->count == survey->room) {
		survey->room = survey->room ? 2 * survey->room : 64;
		survey->files = memory_resize(survey->files, survey->room, sizeof(*survey->files));
	}
	file.path = memory_format("%s/%s", place->path, name);
	survey->files[survey->count++] = file;
	survey->total += file.size;
}

static int walk_folder(struct walk *walk, const struct place *place, int parent, const char *name);

static int look_at(struct walk *walk, const struct place *place, int fd, const char *name)
{
	struct stat status;
	struct place below = {.depth = place->depth + 1};
	int failed;

	/* What has gone meanwhile is not there. */
	if (fstatat(fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0
		                       : error_set(walk->error, "cannot look at %s/%s: %s", place->path, name, strerror(errno));
	if (S_ISREG(status.st_mode))
		add(walk, place, name, &status);
	if (!S_ISDIR(status.st_mode) || !is_word(name) || place->depth == DEPTH_MAX)
		return 0;
	below.path = memory_format("%s/%s", place->path, name);
	below.family = memory_format("%s%s%s", place->family, *place->family ? "." : "", name);
	failed = walk_folder(walk, &below, fd, name);
	free((char *)below.path);
	free((char *)below.family);
	return failed;
}

static int walk_folder(struct walk *walk, const struct place *place, int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (place->depth ? O_NOFOLLOW : 0)), failed = 0;
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!folder && errno == ENOENT)
		return 0;
	if (!folder) {
		error_set(walk->error, "cannot read the folder %s: %s", place->path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while (!failed && (entry = readdir(folder)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			failed = look_at(walk, place, fd, entry->d_name);
	closedir(folder);
	return failed;
}

int survey_take(struct survey *survey, const struct plan *plan, struct error *error)
{
	struct walk walk = {survey, plan, error};
	const struct place top = {.path = plan->data_dir, .family = ""};

	survey_release(survey);
	return walk_folder(&walk, &top, AT_FDCWD, plan->data_dir);
}

void survey_release(struct survey *survey)
{
	for (size_t i = 0; i < survey->count; i++) {
		free((char *)survey->files[i].path);
		free((char *)survey->files[i].instance);
	}
	free(survey->files);
	survey->files = NULL;
	survey->count = survey->room = 0;
	survey->total = 0;
}

/* Files are written every `flush`, some a little later than others. */
#define GUESS_GRACE (60 * CLOCK_SECOND)

void survey_guess(const struct survey *survey, const struct plan *plan, bool *alive)
{
	int64_t *newest = memory_array(plan->family_count, sizeof(*newest));

	for (size_t i = 0; i < survey->count; i++) {
		const struct survey_file *file = &survey->files[i];

		if (file->kind == SURVEY_SERIES && file->changed > newest[file->family])
			newest[file->family] = file->changed;
	}
	for (size_t i = 0; i < survey->count; i++) {
		const struct survey_file *file = &survey->files[i];

		alive[i] = file->kind == SURVEY_SERIES &&
		           file->changed >= newest[file->family] - GUESS_GRACE -
		                                2 * (plan->flush + plan->families[file->family].plugin->interval);
	}
	free(newest);
}
