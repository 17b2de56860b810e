#include "store/move.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "store/aside.h"
#include "store/rrd.h"

void migrate_report_release(struct migrate_report *report)
{
	free(report->difference);
	free(report->lost);
	free(report->kept);
	migrate_loss_release(&report->loss);
	*report = (struct migrate_report){0};
}

/* --- keeping an old file ------------------------------------------------------------------------------------- */

/* A run that was ended between keeping and replacing has kept this very file: under which name? NULL: none. */
static char *find_kept(const char *path, const char *why)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char *kept = NULL, *folder, *begin;
	struct stat status, other;
	const struct dirent *entry;
	DIR *entries;

	if (stat(path, &status) < 0 || status.st_nlink < 2)
		return NULL;
	folder = memory_format("%.*s", (int)(name - path), path);
	begin = memory_format("%s.%s-", name, why);
	entries = opendir(slash ? folder : ".");
	while (entries && !kept && (entry = readdir(entries))) {
		if (strncmp(entry->d_name, begin, strlen(begin)) != 0 ||
		    fstatat(dirfd(entries), entry->d_name, &other, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (other.st_ino == status.st_ino && other.st_dev == status.st_dev)
			kept = memory_format("%s%s", folder, entry->d_name);
	}
	if (entries)
		closedir(entries);
	free(folder);
	free(begin);
	return kept;
}

static bool copy_bytes(int from, int to)
{
	char bytes[1 << 14];
	ssize_t length, done;

	while ((length = read(from, bytes, sizeof(bytes))) > 0)
		for (ssize_t at = 0; at < length; at += done)
			if ((done = write(to, bytes + at, (size_t)(length - at))) < 0)
				return false;
	return length == 0 && fsync(to) == 0;
}

/* 0 or -1 with errno. */
static int copy(const char *path, const char *name)
{
	int from = open(path, O_RDONLY | O_CLOEXEC), to = -1, failed = -1, reason;

	if (from >= 0 && (to = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) >= 0)
		failed = copy_bytes(from, to) ? 0 : -1;
	reason = errno;
	if (to >= 0 && failed)
		unlink(name);
	if (to >= 0)
		close(to);
	if (from >= 0)
		close(from);
	errno = reason;
	return failed;
}

/* A second name for the file, or where the file system knows no such thing, a copy. */
static int link_or_copy(const char *path, const char *name)
{
	if (link(path, name) == 0)
		return 0;
	if (errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS || errno == EMLINK)
		return copy(path, name);
	return -1;
}

int file_keep(const char *path, const char *why, char **kept, struct error *error)
{
	char *name = find_kept(path, why);
	int failed = name ? 0 : -1, reason = EEXIST;

	for (int attempt = 1; failed && reason == EEXIST && attempt <= ASIDE_ATTEMPTS; attempt++) {
		free(name);
		name = aside_name(path, why, attempt);
		failed = link_or_copy(path, name);
		reason = errno;
	}
	if (failed) {
		error_set(error, "cannot keep %s as %s: %s", path, name, strerror(reason));
	} else if (file_sync_folder(path, error) < 0) {
		unlink(name);
		failed = -1;
	}
	if (failed)
		free(name);
	else
		*kept = name;
	return failed;
}

/* --- moving -------------------------------------------------------------------------------------------------- */

/* Megabytes were taken for a moment, from wherever this thread takes its memory: librrd takes some as well. */
static void release(struct history *history)
{
	history_release(history);
	malloc_trim(0);
}

static int64_t count_rows(const struct history *history)
{
	int64_t rows = 0;

	for (size_t i = 0; i < history->archive_count; i++)
		rows += (int64_t)history->archives[i].rows;
	return rows;
}

static void report_sizes(const char *path, const struct layout *layout, const struct history *old,
                         struct migrate_report *report)
{
	struct stat status;

	report->rows_before = report->rows_after = count_rows(old);
	report->bytes_before = report->bytes_after = stat(path, &status) == 0 ? (int64_t)status.st_size : 0;
	if (!report->changes || report->foreign)
		return;
	report->bytes_after = layout->file_size;
	report->rows_after = 0;
	for (size_t i = 0; i < layout->archive_count; i++)
		report->rows_after += layout->archives[i].rows;
}

/* What the layout makes of the old file: `result`, unless the report says that nothing changes. */
static void plan(const char *path, const struct layout *layout, const struct history *old, struct history *result,
                 struct migrate_report *report)
{
	report->foreign = report->changes && !migrate_related(layout, old);
	report_sizes(path, layout, old, report);
	if (!report->changes || report->foreign)
		return;
	migrate_history(layout, &old, 1, INT64_MAX, result);
	migrate_compare(old, result, &report->loss);
	report->difference = migrate_describe(old, layout);
	if (!*report->difference) {
		free(report->difference);
		report->difference = memory_text("other archives");
	}
	if (migrate_is_loss(&report->loss))
		report->lost = migrate_describe_loss(&report->loss);
}

/* Reads the file and plans. */
static int prepare(const char *path, const struct layout *layout, struct history *result, struct migrate_report *report,
                   struct error *error)
{
	struct history old;
	enum file_state state = file_read_history(path, &old, error);
	struct error difference;
	struct file_facts facts;

	report->damaged = state == FILE_DAMAGED;
	if (state != FILE_GOOD)
		return -1;
	report->changes = file_inspect(path, layout, &facts, &difference) != FILE_GOOD;
	plan(path, layout, &old, result, report);
	history_release(&old);
	return 0;
}

int file_plan(const char *path, const struct layout *layout, struct migrate_report *report, struct error *error)
{
	struct history result = {0};
	int failed = prepare(path, layout, &result, report, error);

	release(&result);
	return failed;
}

int file_migrate(const char *path, const struct layout *layout, struct migrate_report *report, struct error *error)
{
	struct history result = {0};
	int failed = prepare(path, layout, &result, report, error);

	if (!failed && report->lost)
		failed = file_keep(path, "replaced", &report->kept, error);
	if (!failed && report->changes && !report->foreign) {
		failed = file_write_history(path, layout, &result, error);
		if (failed && report->kept) {
			unlink(report->kept);
			free(report->kept);
			report->kept = NULL;
		}
	}
	release(&result);
	return failed;
}

int file_cut(const char *path, const struct layout *layout, int64_t end, char **kept, struct error *error)
{
	struct history old = {0}, result = {0};
	const struct history *source = &old;
	char *name = NULL;
	int failed = file_read_history(path, &old, error) == FILE_GOOD ? 0 : -1;

	if (!failed) {
		migrate_history(layout, &source, 1, end, &result);
		history_release(&old);
		failed = file_keep(path, "future", &name, error);
	}
	if (!failed && file_write_history(path, layout, &result, error) < 0) {
		unlink(name);
		free(name);
		failed = -1;
	}
	if (!failed)
		*kept = name;
	release(&result);
	return failed;
}

int file_join(const char *path, const struct layout *layout, const char *const *others, size_t count, int64_t end,
              struct error *error)
{
	struct history *old = memory_array(count + 1, sizeof(*old)), result = {0};
	const struct history **sources = memory_array(count + 1, sizeof(*sources));
	size_t source_count = 0;
	int failed = 0;

	for (size_t i = 0; i <= count && !failed; i++) {
		const char *from = i == 0 ? path : others[i - 1];

		if (i == 0 && access(path, F_OK) < 0 && errno == ENOENT)
			continue;
		failed = file_read_history(from, &old[source_count], error) == FILE_GOOD ? 0 : -1;
		sources[source_count] = &old[source_count];
		source_count += !failed;
	}
	if (!failed && source_count > 0)
		migrate_history(layout, sources, source_count, end, &result);
	for (size_t i = 0; i < source_count; i++)
		history_release(&old[i]);
	if (!failed && source_count > 0)
		failed = file_write_history(path, layout, &result, error);
	release(&result);
	free(old);
	free(sources);
	return failed;
}
