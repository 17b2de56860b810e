#include "store/rrd.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
/* For rrd_open(): see "whole files" below. */
#define RRD_EXPORT_DEPRECATED
#include <rrd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/guard.h"

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

/* librrd says nothing at all when the disk is full, and not why a folder cannot be written to. */
static int check_room(const char *path, const struct layout *layout, struct error *error)
{
	char *folder = memory_format("%.*s", (int)(strrchr(path, '/') - path), path);
	char needed[TEXT_AMOUNT_SIZE], left[TEXT_AMOUNT_SIZE];
	struct statvfs disk;
	double room = statvfs(folder, &disk) == 0 ? (double)disk.f_bavail * (double)disk.f_frsize : INFINITY;

	int forbidden = access(folder, W_OK) < 0 ? errno : 0;

	free(folder);
	if (forbidden)
		return error_set(error, "cannot make %s: %s", path, strerror(forbidden));
	if (room >= (double)layout->file_size)
		return 0;
	return error_set(error, "cannot make %s: the disk is full (%s needed, %s free)", path,
	                 text_from_size((double)layout->file_size, needed), text_from_size(room, left));
}

/* Makes the file `beside`, which is to become `path`. */
static int create(const char *beside, const char *path, const struct layout *layout, int64_t start, struct error *error)
{
	int failed = check_room(path, layout, error);

	if (failed)
		return -1;
	pthread_mutex_lock(&librrd);
	failed = rrd_create_r(beside, (unsigned long)layout->step, (time_t)start, (int)layout->definition_count,
	                      (const char **)layout->definitions) < 0
	             ? tell(error, path)
	             : 0;
	pthread_mutex_unlock(&librrd);
	return failed;
}

int file_make(const char *path, const struct layout *layout, int64_t start, struct error *error)
{
	char *beside = memory_format("%s.new", path);
	int failed = file_make_folders(path, error);

	if (!failed) {
		failed = create(beside, path, layout, start, error);
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

static bool is_there(const char *path)
{
	return access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

/* The disk has failed under a map. librrd is of use again, but for what that call held. */
static int tell_broken(struct error *error, const char *path)
{
	rrd_clear_error();
	return error_set(error, "%s: Input/output error", path);
}

/* How long another process may write to a file that is to be looked at, and a look at it. */
#define BUSY_ATTEMPTS 200
#define BUSY_PAUSE (5 * CLOCK_MILLISECOND)

/* A file that is being written is not damaged: librrd does not wait for its lock. With the lock held. */
static rrd_info_t *describe_file(const char *path)
{
	const struct timespec pause = {.tv_nsec = BUSY_PAUSE};
	rrd_info_t *info = NULL;

	for (int attempt = 0; attempt < BUSY_ATTEMPTS && !(info = rrd_info_r(path)); attempt++) {
		if (!strstr(rrd_get_error(), "could not lock"))
			break;
		rrd_clear_error();
		nanosleep(&pause, NULL);
	}
	return info;
}

struct description {
	const char *path;
	rrd_info_t *info;
};

/* A guard_call. */
static int call_describe(void *context)
{
	struct description *description = context;

	description->info = describe_file(description->path);
	return 0;
}

enum file_state file_inspect(const char *path, const struct layout *layout, struct file_facts *facts,
                             struct error *error)
{
	struct described is = {.facts = facts, .min = "?"};
	struct description description = {.path = path};
	enum file_state state = FILE_DAMAGED;

	if (!is_there(path))
		return FILE_ABSENT;
	pthread_mutex_lock(&librrd);
	if (guard_run(call_describe, &description) == GUARD_BROKEN) {
		tell_broken(error, path);
		state = FILE_BROKEN;
	} else if (description.info) {
		for (const rrd_info_t *entry = description.info; entry; entry = entry->next)
			read_entry(&is, entry);
		rrd_info_free(description.info);
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

struct updating {
	const char *path, *fields;
	size_t count;
	const char **lines;
};

/* A guard_call. A file tells its last update in whole seconds only. Where samples come faster, one may be older than
 * that and look newer: it is passed over, for librrd would otherwise refuse it, and all behind it, for ever. */
static int call_update(void *context)
{
	const struct updating *updating = context;

	return rrd_updatex_r(updating->path, updating->fields, RRD_SKIP_PAST_UPDATES, (int)updating->count,
	                     updating->lines);
}

int file_update(const char *path, const char *fields, size_t count, const char **lines, struct error *error)
{
	struct updating updating = {path, fields, count, lines};
	int result;

	pthread_mutex_lock(&librrd);
	result = guard_run(call_update, &updating);
	if (result == GUARD_BROKEN)
		tell_broken(error, path);
	else if (result < 0)
		tell(error, path);
	pthread_mutex_unlock(&librrd);
	return result < 0 ? -1 : 0;
}

struct fetching {
	const char *path;
	enum store_consolidation consolidation;
	time_t start, end;
	unsigned long step, sources;
	char **source_names;
	rrd_value_t *data;
};

/* A guard_call. */
static int call_fetch(void *context)
{
	struct fetching *fetching = context;

	return rrd_fetch_r(fetching->path, layout_consolidation(fetching->consolidation), &fetching->start, &fetching->end,
	                   &fetching->step, &fetching->sources, &fetching->source_names, &fetching->data);
}

/* librrd gives whole steps that cover what was asked, all sources side by side. `columns` says where each field is found
 * among them; one that is nowhere is unknown. */
static void take_rows(struct store_rows *rows, const struct fetching *fetching, const size_t *columns,
                      size_t field_count, int64_t from, int64_t to)
{
	int64_t start = fetching->start, end = fetching->end, step = (int64_t)fetching->step;

	rows->step = step;
	rows->start = start;
	rows->values = memory_array((size_t)((end - start) / step) * field_count, sizeof(double));
	for (int64_t i = 0; start + (i + 1) * step <= end; i++) {
		int64_t time = start + (i + 1) * step;
		const rrd_value_t *data = fetching->data + (size_t)i * fetching->sources;

		if (time <= from)
			rows->start = time;
		if (time <= from || time > to)
			continue;
		for (size_t k = 0; k < field_count; k++)
			rows->values[rows->count * field_count + k] = columns[k] < fetching->sources ? data[columns[k]] : NAN;
		rows->count++;
	}
}

/* False: the file has none of them. */
static bool find_columns(const struct fetching *fetching, const char *const *fields, size_t field_count,
                         size_t *columns)
{
	bool found = false;

	for (size_t k = 0; k < field_count; k++) {
		columns[k] = 0;
		while (columns[k] < fetching->sources && strcmp(fetching->source_names[columns[k]], fields[k]) != 0)
			columns[k]++;
		found = found || columns[k] < fetching->sources;
	}
	return found;
}

int file_read(const char *path, const char *const *fields, size_t field_count, enum store_consolidation consolidation,
              int64_t from, int64_t to, int64_t step, struct store_rows *rows, struct error *error)
{
	struct fetching fetching = {.path = path,
	                            .consolidation = consolidation,
	                            .start = (time_t)from,
	                            .end = (time_t)to,
	                            .step = (unsigned long)step};
	size_t *columns;
	int result;

	pthread_mutex_lock(&librrd);
	result = guard_run(call_fetch, &fetching);
	if (result == GUARD_BROKEN)
		tell_broken(error, path);
	else if (result < 0)
		tell(error, path);
	pthread_mutex_unlock(&librrd);
	if (result < 0)
		return -1;
	columns = memory_array(field_count, sizeof(*columns));
	if (find_columns(&fetching, fields, field_count, columns))
		take_rows(rows, &fetching, columns, field_count, from, to);
	free(columns);
	for (unsigned long i = 0; i < fetching.sources; i++)
		rrd_freemem(fetching.source_names[i]);
	rrd_freemem(fetching.source_names);
	rrd_freemem(fetching.data);
	return 0;
}

int file_fetch(const char *path, const char *field, enum store_consolidation consolidation, int64_t from, int64_t to,
               int64_t step, struct store_rows *rows, struct error *error)
{
	return file_read(path, &field, 1, consolidation, from, to, step, rows, error);
}

/* --- whole files --------------------------------------------------------------------------------------------
 *
 * The documented way to write rows into a new file is the text of rrddump(1), read by rrd_restore(). It rounds (librrd
 * reads numbers its own way: a third of all doubles come back as a neighbour), forgets the microseconds of the last
 * update, and takes a second for a file of 12 MB. rrd_open() gives the same file as it is, exact and a hundred times
 * as fast. It is declared on request only, as it shows the structs of rrd_format.h; so what was written is looked at
 * through the documented functions before it takes the place of anything. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

/* Of rrd_tool.h, which is not installed. */
enum { OPEN_TO_READ = 1 << 0, OPEN_TO_WRITE = 1 << 1, OPEN_AT_ONCE = 1 << 3 /* not page by page */ };

static bool find_consolidation(const char *name, enum store_consolidation *consolidation)
{
	for (*consolidation = STORE_AVERAGE; *consolidation <= STORE_MAX; (*consolidation)++)
		if (strcmp(layout_consolidation(*consolidation), name) == 0)
			return true;
	return false;
}

static void read_field(const rrd_t *rrd, size_t index, struct history_field *field)
{
	const ds_def_t *definition = &rrd->ds_def[index];
	const pdp_prep_t *state = &rrd->pdp_prep[index];

	snprintf(field->name, sizeof(field->name), "%.*s", HISTORY_NAME_SIZE - 1, definition->ds_nam);
	snprintf(field->type, sizeof(field->type), "%.*s", HISTORY_NAME_SIZE - 1, definition->dst);
	field->heartbeat = (int64_t)definition->par[DS_mrhb_cnt].u_cnt;
	field->min = definition->par[DS_min_val].u_val;
	field->max = definition->par[DS_max_val].u_val;
	snprintf(field->reading, sizeof(field->reading), "%.*s", HISTORY_READING_SIZE - 1, state->last_ds);
	field->state.value = state->scratch[PDP_val].u_val;
	field->state.unknown = state->scratch[PDP_unkn_sec_cnt].u_cnt;
}

/* Beyond these a time or a step is damage, and would not fit where it is multiplied: 34,000 years, a century. */
#define TIME_MAX_SOUND (INT64_C(1) << 40)
#define STEP_MAX_SOUND (UINT64_C(1) << 32)

static bool is_sound_archive(const rrd_t *rrd, const rrd_file_t *file, size_t index)
{
	const rra_def_t *archive = &rrd->rra_def[index];

	return archive->row_cnt > 0 && archive->row_cnt <= file->file_len / rrd->stat_head->ds_cnt / sizeof(double) &&
	       archive->pdp_cnt > 0 && archive->pdp_cnt <= STEP_MAX_SOUND / rrd->stat_head->pdp_step &&
	       rrd->rra_ptr[index].cur_row < archive->row_cnt;
}

/* What librrd does not look at when it opens a file, and what would be believed here. */
static bool is_sound(const rrd_t *rrd, const rrd_file_t *file)
{
	if (rrd->stat_head->ds_cnt == 0 || rrd->stat_head->pdp_step == 0 || rrd->live_head->last_up <= 0 ||
	    rrd->live_head->last_up > TIME_MAX_SOUND || rrd->live_head->last_up_usec < 0 ||
	    rrd->live_head->last_up_usec >= 1000000)
		return false;
	for (size_t i = 0; i < rrd->stat_head->rra_cnt; i++)
		if (!is_sound_archive(rrd, file, i))
			return false;
	return true;
}

/* The rows of an archive are a ring in the file: behind the newest follows the oldest. Archives follow each other in
 * the file as read and written here. */
static bool read_archive(const rrd_t *rrd, rrd_file_t *file, size_t index, struct history *history)
{
	const rra_def_t *definition = &rrd->rra_def[index];
	size_t row_size = history->field_count * sizeof(double), newest = rrd->rra_ptr[index].cur_row + 1,
		   oldest = definition->row_cnt - newest;
	enum store_consolidation consolidation;
	struct history_archive *archive;

	if (!find_consolidation(definition->cf_nam, &consolidation)) {
		history->other_archives++;
		return rrd_seek(file, (off_t)(definition->row_cnt * row_size), SEEK_CUR) >= 0;
	}
	archive =
		history_add_archive(history, consolidation, (int64_t)definition->pdp_cnt * history->step, definition->row_cnt);
	for (size_t i = 0; i < history->field_count; i++) {
		const unival *scratch = rrd->cdp_prep[index * history->field_count + i].scratch;

		archive->state[i] = (struct history_state){scratch[CDP_val].u_val, scratch[CDP_unkn_pdp_cnt].u_cnt};
	}
	return rrd_read(file, archive->values + oldest * history->field_count, newest * row_size) >= 0 &&
	       rrd_read(file, archive->values, oldest * row_size) >= 0;
}

static bool read_history(const rrd_t *rrd, rrd_file_t *file, struct history *history)
{
	if (!is_sound(rrd, file))
		return false;
	history->step = (int64_t)rrd->stat_head->pdp_step;
	history->last = rrd->live_head->last_up;
	history->last_microseconds = rrd->live_head->last_up_usec;
	history->field_count = rrd->stat_head->ds_cnt;
	history->fields = memory_array(history->field_count, sizeof(*history->fields));
	for (size_t i = 0; i < history->field_count; i++)
		read_field(rrd, i, &history->fields[i]);
	for (size_t i = 0; i < rrd->stat_head->rra_cnt; i++)
		if (!read_archive(rrd, file, i, history))
			return false;
	return true;
}

enum file_state file_read_history(const char *path, struct history *history, struct error *error)
{
	enum file_state state = FILE_DAMAGED;
	rrd_file_t *file;
	rrd_t rrd;

	*history = (struct history){0};
	if (!is_there(path))
		return error_set(error, "%s is not there", path), FILE_ABSENT;
	pthread_mutex_lock(&librrd);
	rrd_init(&rrd);
	file = rrd_open(path, &rrd, OPEN_TO_READ | OPEN_AT_ONCE);
	if (!file)
		tell(error, path);
	else if (read_history(&rrd, file, history))
		state = FILE_GOOD;
	else
		error_set(error, "%s is damaged: what it says of itself cannot be", path);
	rrd_free(&rrd);
	if (file)
		rrd_close(file);
	pthread_mutex_unlock(&librrd);
	if (state != FILE_GOOD)
		history_release(history);
	return state;
}

/* Without the file's lock, which would keep a writer from it. */
int file_last(const char *path, int64_t *last, struct error *error)
{
	rrd_file_t *file;
	rrd_t rrd;

	pthread_mutex_lock(&librrd);
	rrd_init(&rrd);
	file = rrd_open(path, &rrd, OPEN_TO_READ);
	if (file)
		*last = (int64_t)rrd.live_head->last_up * CLOCK_SECOND + rrd.live_head->last_up_usec * (CLOCK_SECOND / 1000000);
	else
		tell(error, path);
	rrd_free(&rrd);
	if (file)
		rrd_close(file);
	pthread_mutex_unlock(&librrd);
	return file ? 0 : -1;
}

static void write_fields(const struct history *history, rrd_t *rrd)
{
	rrd->live_head->last_up = (time_t)history->last;
	rrd->live_head->last_up_usec = (long)history->last_microseconds;
	for (size_t i = 0; i < history->field_count; i++) {
		const struct history_field *field = &history->fields[i];
		pdp_prep_t *state = &rrd->pdp_prep[i];

		snprintf(state->last_ds, sizeof(state->last_ds), "%s", field->reading);
		state->scratch[PDP_val].u_val = field->state.value;
		state->scratch[PDP_unkn_sec_cnt].u_cnt = field->state.unknown;
	}
}

static bool write_archive(const struct history *history, size_t index, rrd_t *rrd, rrd_file_t *file)
{
	const struct history_archive *archive = &history->archives[index];
	size_t row_size = history->field_count * sizeof(double), newest = rrd->rra_ptr[index].cur_row + 1,
		   oldest = archive->rows - newest;

	for (size_t i = 0; i < history->field_count; i++) {
		unival *scratch = rrd->cdp_prep[index * history->field_count + i].scratch;

		scratch[CDP_val].u_val = archive->state[i].value;
		scratch[CDP_unkn_pdp_cnt].u_cnt = archive->state[i].unknown;
	}
	return rrd_write(file, archive->values + oldest * history->field_count, newest * row_size) >= 0 &&
	       rrd_write(file, archive->values, oldest * row_size) >= 0;
}

/* Nobody else knows the file yet, and librrd keeps what it says for each thread: this needs no lock. */
static int fill(const char *beside, const char *path, const struct history *history, struct error *error)
{
	rrd_file_t *file;
	rrd_t rrd;
	bool good = true;

	rrd_init(&rrd);
	file = rrd_open(beside, &rrd, OPEN_TO_WRITE);
	if (file) {
		write_fields(history, &rrd);
		for (size_t i = 0; i < history->archive_count && good; i++)
			good = write_archive(history, i, &rrd, file);
	}
	rrd_free(&rrd);
	if (file)
		rrd_close(file);
	return file && good ? 0 : tell(error, path);
}

#pragma GCC diagnostic pop

/* Has the layout, as far as it matters to fill(). */
static bool fits(const struct history *history, const struct layout *layout)
{
	if (history->step != layout->step || history->field_count != layout->family->field_count ||
	    history->archive_count != layout->archive_count)
		return false;
	for (size_t i = 0; i < layout->archive_count; i++)
		if (history->archives[i].rows != (size_t)layout->archives[i].rows)
			return false;
	return true;
}

/* That the file is what was wanted, before it replaces what is irreplaceable. */
static int check_written(const char *beside, const struct layout *layout, const struct history *history,
                         struct error *error)
{
	struct file_facts facts = {0};

	if (file_inspect(beside, layout, &facts, error) != FILE_GOOD)
		return -1;
	if (facts.last != history->last)
		return error_set(error, "%s did not become what was written to it; does librrd know another format?", beside);
	return 0;
}

/* Puts `beside` in the place of `path` so that a power cut leaves the one or the other. Who may read it stays. */
static int replace(const char *beside, const char *path, struct error *error)
{
	struct stat old;
	struct error ignored;
	int fd = open(beside, O_RDWR | O_CLOEXEC);
	bool good = fd >= 0 && (stat(path, &old) < 0 || fchmod(fd, old.st_mode & 07777) == 0) && fsync(fd) == 0 &&
	            rename(beside, path) == 0;
	int failed = good ? 0 : error_set(error, "cannot write %s: %s", path, strerror(errno));

	if (fd >= 0)
		close(fd);
	/* From here on it is done, and both are whole: that the disk may still show the old one is no failure. */
	if (!failed)
		file_sync_folder(path, &ignored);
	return failed;
}

int file_write_history(const char *path, const struct layout *layout, const struct history *history,
                       struct error *error)
{
	char *beside = memory_format("%s.new", path);
	int failed = 0;

	if (!fits(history, layout))
		failed = error_set(error, "cannot write %s: its history has another layout", path);
	else if (create(beside, path, layout, history->last, error) < 0 || fill(beside, path, history, error) < 0 ||
	         check_written(beside, layout, history, error) < 0 || replace(beside, path, error) < 0) {
		unlink(beside);
		failed = -1;
	}
	free(beside);
	return failed;
}

int file_sync_folder(const char *path, struct error *error)
{
	char *folder = memory_format("%.*s", (int)(strrchr(path, '/') - path), path);
	int fd = open(*folder ? folder : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int failed = fd >= 0 && fsync(fd) == 0 ? 0 : error_set(error, "cannot write %s: %s", folder, strerror(errno));

	if (fd >= 0)
		close(fd);
	free(folder);
	return failed;
}
