#include "store/rrd.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <rrd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"

/* The one lock that rrd.h speaks of: librrd is one for the whole process, so its lock is too. */
static pthread_mutex_t librrd = PTHREAD_MUTEX_INITIALIZER;

/* What librrd says, for people. With the lock held. */
static int tell(struct error *error, const char *path)
{
	const char *words = rrd_get_error();

	if (!*words)
		words = "librrd could not write it, and does not say why";
	if (strncmp(words, path, strlen(path)) == 0)
		error_set(error, "%s", words);
	else
		error_set(error, "%s: %s", path, words);
	rrd_clear_error();
	return -1;
}

int file_make_folders(const char *path, struct error *error)
{
	char *folder = memory_text(path);
	int failed = 0;

	for (char *slash = strchr(folder + 1, '/'); slash && !failed; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(folder, 0777) < 0 && errno != EEXIST)
			failed = error_set(error, "cannot make the folder %s: %s", folder, strerror(errno));
		*slash = '/';
	}
	free(folder);
	return failed;
}

/* librrd says nothing at all when the disk is full. */
static int check_room(const char *path, const struct layout *layout, struct error *error)
{
	char *folder = memory_format("%.*s", (int)(strrchr(path, '/') - path), path);
	char needed[TEXT_AMOUNT_SIZE], left[TEXT_AMOUNT_SIZE];
	struct statvfs disk;
	double room = statvfs(folder, &disk) == 0 ? (double)disk.f_bavail * (double)disk.f_frsize : INFINITY;

	free(folder);
	if (room >= (double)layout->file_size)
		return 0;
	return error_set(error, "cannot make %s: the disk is full (%s needed, %s free)", path,
	                 text_from_size((double)layout->file_size, needed), text_from_size(room, left));
}

int file_make(const char *path, const struct layout *layout, int64_t start, struct error *error)
{
	char *beside = memory_format("%s.new", path);
	int failed = file_make_folders(path, error) < 0 || check_room(path, layout, error) < 0 ? -1 : 0;

	if (!failed) {
		pthread_mutex_lock(&librrd);
		failed = rrd_create_r(beside, (unsigned long)layout->step, (time_t)start, (int)layout->definition_count,
		                      (const char **)layout->definitions) < 0
		             ? tell(error, path)
		             : 0;
		pthread_mutex_unlock(&librrd);
		if (!failed && rename(beside, path) < 0)
			failed = error_set(error, "cannot make %s: %s", path, strerror(errno));
		if (failed)
			unlink(beside);
	}
	free(beside);
	return failed;
}

/* --- what a file is ----------------------------------------------------------------------------------------- */

static const char *name_limit(double limit)
{
	return isnan(limit) ? "U" : limit == 0 ? "0" : "?";
}

/* Collects from the file's description what its definitions were. The description is in order: for each source its
 * type, heartbeat, min and max, for each archive its cf, rows and pdp_per_row. */
struct described {
	struct file_facts *facts;
	unsigned long step;
	char name[64], type[32], cf[32];
	unsigned long heartbeat, rows;
	const char *min;
	char **definitions;
	size_t count;
};

static void describe(struct described *is, char *definition)
{
	is->definitions = memory_resize(is->definitions, is->count + 1, sizeof(char *));
	is->definitions[is->count++] = definition;
}

static void read_entry(struct described *is, const rrd_info_t *entry)
{
	const char *key = strrchr(entry->key, '.');

	if (strcmp(entry->key, "step") == 0)
		is->step = entry->value.u_cnt;
	else if (strcmp(entry->key, "header_size") == 0)
		is->facts->header_size = entry->value.u_cnt;
	else if (strcmp(entry->key, "last_update") == 0)
		is->facts->last = (int64_t)entry->value.u_cnt;
	if (!key)
		return;
	if (sscanf(entry->key, "ds[%63[^]]]", is->name) == 1) {
		if (strcmp(key, ".type") == 0)
			snprintf(is->type, sizeof(is->type), "%s", entry->value.u_str);
		else if (strcmp(key, ".minimal_heartbeat") == 0)
			is->heartbeat = entry->value.u_cnt;
		else if (strcmp(key, ".min") == 0)
			is->min = name_limit(entry->value.u_val);
		else if (strcmp(key, ".max") == 0)
			describe(is, memory_format("DS:%s:%s:%lu:%s:%s", is->name, is->type, is->heartbeat, is->min,
			                           name_limit(entry->value.u_val)));
	} else if (strncmp(entry->key, "rra[", 4) == 0) {
		if (strcmp(key, ".cf") == 0)
			snprintf(is->cf, sizeof(is->cf), "%s", entry->value.u_str);
		else if (strcmp(key, ".rows") == 0)
			is->rows = entry->value.u_cnt;
		else if (strcmp(key, ".pdp_per_row") == 0)
			describe(is, memory_format("RRA:%s:0.5:%lu:%lu", is->cf, entry->value.u_cnt, is->rows));
	}
}

/* True, or false with what is different first. */
static bool matches(const struct described *is, const struct layout *layout, const char *path, struct error *error)
{
	if (is->step != (unsigned long)layout->step)
		return error_set(error, "%s has a step of %lu s, the configuration wants %lld s", path, is->step,
		                 (long long)layout->step),
		       false;
	for (size_t i = 0; i < is->count || i < layout->definition_count; i++) {
		const char *has = i < is->count ? is->definitions[i] : "nothing";
		const char *wants = i < layout->definition_count ? layout->definitions[i] : "nothing";

		if (strcmp(has, wants) != 0)
			return error_set(error, "%s has %s, the configuration wants %s", path, has, wants), false;
	}
	return true;
}

enum file_state file_inspect(const char *path, const struct layout *layout, struct file_facts *facts,
                             struct error *error)
{
	struct described is = {.facts = facts, .min = "?"};
	enum file_state state = FILE_DAMAGED;
	rrd_info_t *info;

	if (access(path, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR))
		return FILE_ABSENT;
	pthread_mutex_lock(&librrd);
	info = rrd_info_r(path);
	if (info) {
		for (const rrd_info_t *entry = info; entry; entry = entry->next)
			read_entry(&is, entry);
		rrd_info_free(info);
		state = matches(&is, layout, path, error) ? FILE_GOOD : FILE_OTHER;
	} else {
		tell(error, path);
	}
	pthread_mutex_unlock(&librrd);
	for (size_t i = 0; i < is.count; i++)
		free(is.definitions[i]);
	free(is.definitions);
	return state;
}

/* --- the head of a file, and its safety ----------------------------------------------------------------------- */

static int open_head(const char *path, int flags, struct error *error)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		error_set(error, "cannot open %s: %s", path, strerror(errno));
	return fd;
}

int file_read_head(const char *path, unsigned char *bytes, size_t length, uint64_t *inode, int64_t *size,
                   struct error *error)
{
	int fd = open_head(path, O_RDONLY, error), failed = 0;
	struct stat status;

	if (fd < 0)
		return -1;
	if (fstat(fd, &status) < 0 || pread(fd, bytes, length, 0) != (ssize_t)length)
		failed = error_set(error, "cannot read the header of %s", path);
	*inode = status.st_ino;
	*size = status.st_size;
	close(fd);
	return failed;
}

int file_write_head(const char *path, const unsigned char *bytes, size_t length, struct error *error)
{
	int fd = open_head(path, O_WRONLY, error), failed = 0;

	if (fd < 0)
		return -1;
	if (pwrite(fd, bytes, length, 0) != (ssize_t)length)
		failed = error_set(error, "cannot write %s: %s", path, strerror(errno));
	close(fd);
	return failed;
}

bool file_is_same(const char *path, uint64_t inode, int64_t size)
{
	struct stat status;

	return stat(path, &status) == 0 && status.st_ino == inode && status.st_size == size;
}

int file_sync(const char *path, struct error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), failed = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : error_set(error, "cannot open %s: %s", path, strerror(errno));
	if (fdatasync(fd) < 0)
		failed = error_set(error, "cannot sync %s: %s", path, strerror(errno));
	close(fd);
	return failed;
}

/* --- writing and reading ------------------------------------------------------------------------------------ */

int file_update(const char *path, size_t count, const char **lines, struct error *error)
{
	int failed;

	/* A file tells its last update in whole seconds only. Where samples come faster, one may be older than that and
	 * look newer: it is passed over, for librrd would otherwise refuse it, and all behind it, for ever. */
	pthread_mutex_lock(&librrd);
	failed = rrd_updatex_r(path, NULL, RRD_SKIP_PAST_UPDATES, (int)count, lines) < 0 ? tell(error, path) : 0;
	pthread_mutex_unlock(&librrd);
	return failed;
}

/* librrd gives whole steps that cover what was asked, all sources side by side. */
static void take_column(struct store_rows *rows, const rrd_value_t *data, unsigned long sources, size_t field,
                        int64_t start, int64_t end, int64_t step, int64_t from, int64_t to)
{
	rows->step = step;
	rows->start = start;
	rows->values = memory_array((size_t)((end - start) / step), sizeof(double));
	for (int64_t i = 0; start + (i + 1) * step <= end; i++) {
		int64_t time = start + (i + 1) * step;

		if (time <= from)
			rows->start = time;
		else if (time <= to)
			rows->values[rows->count++] = data[(size_t)i * sources + field];
	}
}

int file_fetch(const char *path, size_t field, enum store_consolidation consolidation, int64_t from, int64_t to,
               int64_t step, struct store_rows *rows, struct error *error)
{
	time_t start = (time_t)from, end = (time_t)to;
	unsigned long taken_step = (unsigned long)step, sources = 0;
	char **source_names = NULL;
	rrd_value_t *data = NULL;
	int failed;

	pthread_mutex_lock(&librrd);
	failed = rrd_fetch_r(path, layout_consolidation(consolidation), &start, &end, &taken_step, &sources, &source_names, &data) < 0
	             ? tell(error, path)
	             : 0;
	pthread_mutex_unlock(&librrd);
	if (failed)
		return -1;
	if (field < sources)
		take_column(rows, data, sources, field, start, end, (int64_t)taken_step, from, to);
	for (unsigned long i = 0; i < sources; i++)
		rrd_freemem(source_names[i]);
	rrd_freemem(source_names);
	rrd_freemem(data);
	return 0;
}
