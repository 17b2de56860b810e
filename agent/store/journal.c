/* store/journal.c: the ring of regions, and what its records hold. */
#include "store/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/boot.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/aside.h"

enum { REGION = 1, FIELDS, SAMPLES, IMAGE, DROP, GAP, CHECKPOINT, END };

#define VERSION 1u

/* Rows of a large family are told in several records: a flipped bit costs some of them, not all. */
#define SAMPLES_MAX 4096

struct journal {
	char *path;
	int fd;
	int64_t size;
	size_t region_size; /* a multiple of 8 */
	char boot[BOOT_ID_SIZE];

	pthread_mutex_t io; /* held while the file is written; taken before `lock` */
	size_t at;          /* io: where the next record goes within the region */

	pthread_mutex_t lock; /* held for moments */
	const struct plan *plan;
	uint64_t serial;     /* of the region that is written; changes with both locks held. Its place: serial % REGIONS */
	uint64_t live;       /* the oldest region that is not retired */
	uint64_t generation; /* of the last checkpoint */
	uint64_t synced;     /* as many bytes of `status.written` as are safe from a power cut */
	struct record_buffer buffer;
	struct journal_status status;
};

/* --- putting: with the lock held ----------------------------------------------------------------------------- */

static uint32_t fields_hash(const struct pindrop_family *family)
{
	uLong sum = crc32(0, (const Bytef *)family->name, (uInt)strlen(family->name) + 1);

	for (size_t i = 0; i < family->field_count; i++)
		sum = crc32(sum, (const Bytef *)family->fields[i].name, (uInt)strlen(family->fields[i].name) + 1);
	return (uint32_t)sum;
}

static void put_fields(struct record_buffer *buffer, uint64_t serial, const struct pindrop_family *family)
{
	record_begin(buffer, FIELDS, serial);
	record_put_text(buffer, family->name);
	record_put_u32(buffer, fields_hash(family));
	record_put_u32(buffer, (uint32_t)family->field_count);
	for (size_t i = 0; i < family->field_count; i++)
		record_put_text(buffer, family->fields[i].name);
	record_end(buffer);
}

/* As many rows from *row on as one record takes. */
static void put_rows(struct journal *journal, const struct pindrop_family *family, const struct batch *batch,
                     size_t *row)
{
	struct record_buffer *buffer = &journal->buffer;
	size_t size = batch->field_count * sizeof(double), count = SAMPLES_MAX / size + 1;

	count = count < batch->row_count - *row ? count : batch->row_count - *row;
	record_begin(buffer, SAMPLES, journal->serial);
	record_put_text(buffer, family->name);
	record_put_u32(buffer, fields_hash(family));
	record_put_u32(buffer, (uint32_t)batch->field_count);
	record_put_u32(buffer, (uint32_t)count);
	record_put_u32(buffer, batch->fresh);
	record_put_i64(buffer, batch->tick);
	for (; count > 0; count--, (*row)++) {
		record_put_text(buffer, batch_name(batch, *row));
		record_put(buffer, batch_values(batch, *row), size);
	}
	record_end(buffer);
}

void journal_put_batch(struct journal *journal, const struct pindrop_family *family, const struct batch *batch)
{
	pthread_mutex_lock(&journal->lock);
	for (size_t row = 0; row < batch->row_count;)
		put_rows(journal, family, batch, &row);
	pthread_mutex_unlock(&journal->lock);
}

/* Most of a header is zero: it is kept deflated. */
void journal_put_image(struct journal *journal, const struct journal_image *image)
{
	uLongf length = compressBound(image->length);
	unsigned char *small = memory_array(length, 1);

	compress2(small, &length, image->bytes, image->length, Z_BEST_SPEED);
	pthread_mutex_lock(&journal->lock);
	record_begin(&journal->buffer, IMAGE, journal->serial);
	record_put_text(&journal->buffer, image->family);
	record_put_text(&journal->buffer, image->instance);
	record_put_i64(&journal->buffer, (int64_t)image->generation);
	record_put_i64(&journal->buffer, (int64_t)image->inode);
	record_put_i64(&journal->buffer, image->file_size);
	record_put_u32(&journal->buffer, image->made);
	record_put_u32(&journal->buffer, (uint32_t)image->length);
	record_put_u32(&journal->buffer, (uint32_t)length);
	record_put(&journal->buffer, small, length);
	record_end(&journal->buffer);
	pthread_mutex_unlock(&journal->lock);
	free(small);
}

void journal_put_drop(struct journal *journal, const char *family, const char *instance, int64_t from)
{
	pthread_mutex_lock(&journal->lock);
	record_begin(&journal->buffer, DROP, journal->serial);
	record_put_text(&journal->buffer, family);
	record_put_text(&journal->buffer, instance);
	record_put_i64(&journal->buffer, from);
	record_end(&journal->buffer);
	pthread_mutex_unlock(&journal->lock);
}

void journal_begin_gap(struct record_buffer *gaps)
{
	record_begin(gaps, GAP, 0);
}

void journal_put_gaps(struct journal *journal, const struct record_buffer *gaps)
{
	pthread_mutex_lock(&journal->lock);
	record_put(&journal->buffer, gaps->bytes, gaps->length);
	pthread_mutex_unlock(&journal->lock);
}

void journal_put_end(struct journal *journal)
{
	pthread_mutex_lock(&journal->lock);
	record_begin(&journal->buffer, END, journal->serial);
	record_put_text(&journal->buffer, journal->boot);
	record_end(&journal->buffer);
	pthread_mutex_unlock(&journal->lock);
}

/* --- writing: with `io` held --------------------------------------------------------------------------------- */

static int write_at(struct journal *journal, const unsigned char *bytes, size_t length, struct error *error)
{
	off_t at = (off_t)(journal->serial % JOURNAL_REGIONS * journal->region_size + journal->at);
	size_t done = 0;

	while (done < length) {
		ssize_t part = pwrite(journal->fd, bytes + done, length - done, at + (off_t)done);

		if (part < 0 && errno == EINTR)
			continue;
		if (part <= 0)
			return error_set(error, "cannot write %s: %s", journal->path, strerror(part < 0 ? errno : ENOSPC));
		done += (size_t)part;
	}
	journal->at += length;
	pthread_mutex_lock(&journal->lock);
	journal->status.written += length;
	pthread_mutex_unlock(&journal->lock);
	return 0;
}

/* Begins the next region of the ring. Where that is not retired yet, the oldest samples lose their second life. */
static int begin_region(struct journal *journal, struct error *error)
{
	struct record_buffer head = {0};
	uint64_t overwritten;
	int failed;

	pthread_mutex_lock(&journal->lock);
	journal->serial++;
	overwritten = journal->live + JOURNAL_REGIONS <= journal->serial;
	journal->live += overwritten;
	journal->status.overwritten += overwritten;
	record_begin(&head, REGION, journal->serial);
	record_put_u32(&head, VERSION);
	record_put_text(&head, journal->boot);
	record_put_i64(&head, (int64_t)journal->live);
	record_put_i64(&head, (int64_t)journal->generation);
	record_end(&head);
	for (size_t i = 0; i < journal->plan->family_count; i++)
		put_fields(&head, journal->serial, journal->plan->families[i].table);
	pthread_mutex_unlock(&journal->lock);
	journal->at = 0;
	failed = write_at(journal, head.bytes, head.length, error);
	record_buffer_release(&head);
	return failed;
}

/* Writes all records of a buffer, to this region and the next ones. They were begun for this region or an older one. */
static int write_records(struct journal *journal, struct record_buffer *buffer, struct error *error)
{
	size_t from = 0, to = 0;

	while (to < buffer->length) {
		size_t size = record_stamp(buffer->bytes + to, journal->serial);

		if (journal->at + (to - from) + size <= journal->region_size) {
			to += size;
			continue;
		}
		if (write_at(journal, buffer->bytes + from, to - from, error) < 0 || begin_region(journal, error) < 0)
			return -1;
		from = to;
		if (journal->at + size > journal->region_size)
			return error_set(error, "%s: a record of %zu bytes does not fit; see store { journal = … }", journal->path,
			                 size);
	}
	return write_at(journal, buffer->bytes + from, to - from, error);
}

bool journal_waits(struct journal *journal)
{
	bool waits;

	pthread_mutex_lock(&journal->lock);
	waits = journal->buffer.length > 0;
	pthread_mutex_unlock(&journal->lock);
	return waits;
}

int journal_write(struct journal *journal, struct error *error)
{
	struct record_buffer taken;
	int failed;

	pthread_mutex_lock(&journal->io);
	pthread_mutex_lock(&journal->lock);
	taken = journal->buffer;
	journal->buffer = (struct record_buffer){0};
	pthread_mutex_unlock(&journal->lock);
	failed = journal->fd < 0 ? error_set(error, "the journal %s is not open", journal->path)
	                         : write_records(journal, &taken, error);
	/* The buffer goes back, so that it need not be made at every tick; not what a crowd has made of it. */
	pthread_mutex_lock(&journal->lock);
	if (!journal->buffer.bytes && taken.room <= 65536) {
		taken.length = taken.begun = 0;
		journal->buffer = taken;
		taken = (struct record_buffer){0};
	}
	pthread_mutex_unlock(&journal->lock);
	pthread_mutex_unlock(&journal->io);
	record_buffer_release(&taken);
	return failed;
}

int journal_sync(struct journal *journal, struct error *error)
{
	uint64_t written;
	bool synced;

	pthread_mutex_lock(&journal->lock);
	written = journal->status.written;
	synced = written == journal->synced;
	pthread_mutex_unlock(&journal->lock);
	if (synced)
		return 0;
	if (fdatasync(journal->fd) < 0)
		return error_set(error, "cannot sync %s: %s", journal->path, strerror(errno));
	pthread_mutex_lock(&journal->lock);
	journal->status.syncs++;
	journal->synced = written;
	pthread_mutex_unlock(&journal->lock);
	return 0;
}

uint64_t journal_mark(struct journal *journal, struct error *error)
{
	uint64_t mark = 0;

	if (journal_write(journal, error) < 0)
		return 0;
	pthread_mutex_lock(&journal->io);
	if (begin_region(journal, error) == 0)
		mark = journal->serial;
	pthread_mutex_unlock(&journal->io);
	return mark;
}

/* It is written twice: were one damaged, samples would be looked for that are no longer there. */
int journal_retire(struct journal *journal, uint64_t mark, uint64_t generation, struct error *error)
{
	pthread_mutex_lock(&journal->lock);
	for (int i = 0; i < 2; i++) {
		record_begin(&journal->buffer, CHECKPOINT, journal->serial);
		record_put_i64(&journal->buffer, (int64_t)mark);
		record_put_i64(&journal->buffer, (int64_t)generation);
		record_end(&journal->buffer);
	}
	pthread_mutex_unlock(&journal->lock);
	if (journal_write(journal, error) < 0 || journal_sync(journal, error) < 0)
		return -1;
	pthread_mutex_lock(&journal->lock);
	journal->live = mark > journal->live ? mark : journal->live;
	journal->generation = generation;
	pthread_mutex_unlock(&journal->lock);
	return 0;
}

void journal_status(struct journal *journal, struct journal_status *status)
{
	pthread_mutex_lock(&journal->lock);
	*status = journal->status;
	status->size = journal->size;
	status->live = (int64_t)((journal->serial - journal->live + 1) * journal->region_size);
	status->generation = journal->generation;
	pthread_mutex_unlock(&journal->lock);
}

/* --- reading -------------------------------------------------------------------------------------------------- */

/* What fields a family had, by the hash that its samples carry. */
struct known_fields {
	uint32_t hash;
	size_t count;
	const char **names; /* NULL: they are the plan's. In the mapped file */
};

struct reading {
	struct journal *journal;
	const struct journal_visitor *visitor;
	struct journal_found *found;
	const unsigned char *bytes; /* the file, mapped */
	uint64_t serials[JOURNAL_REGIONS];
	uint64_t live, newest;
	uint64_t place; /* up to here */
	size_t end;     /* of the newest region: where its good records end */
	size_t known_count;
	struct known_fields *known;
	double *values;
	size_t value_room;
};

static struct known_fields *find_fields(struct reading *reading, uint32_t hash)
{
	for (size_t i = 0; i < reading->known_count; i++)
		if (reading->known[i].hash == hash)
			return &reading->known[i];
	return NULL;
}

static struct known_fields *add_fields(struct reading *reading, uint32_t hash, size_t count)
{
	struct known_fields *known;

	reading->known = memory_resize(reading->known, reading->known_count + 1, sizeof(*known));
	known = &reading->known[reading->known_count++];
	*known = (struct known_fields){.hash = hash, .count = count};
	return known;
}

static void know_plan(struct reading *reading, const struct plan *plan)
{
	for (size_t i = 0; i < plan->family_count; i++)
		add_fields(reading, fields_hash(plan->families[i].table), plan->families[i].table->field_count);
}

static void read_fields(struct reading *reading, struct record *record)
{
	struct known_fields *known;
	uint32_t hash, count;

	if (!record_text(record) || !record_get_u32(record, &hash) || !record_get_u32(record, &count) ||
	    find_fields(reading, hash) || count > record->length / 5)
		return;
	known = add_fields(reading, hash, count);
	known->names = memory_array(count, sizeof(char *));
	for (size_t i = 0; i < count; i++) {
		known->names[i] = record_text(record);
		if (!known->names[i])
			known->names[i] = "";
	}
}

/* Everything before `live` is retired. A region that is not there yet cannot be. */
static void read_live(struct reading *reading, int64_t live, int64_t generation)
{
	if ((uint64_t)live > reading->live && (uint64_t)live <= reading->newest)
		reading->live = (uint64_t)live;
	if (generation > 0 && (uint64_t)generation > reading->found->generation)
		reading->found->generation = (uint64_t)generation;
}

static void read_region(struct reading *reading, struct record *record)
{
	uint32_t version;
	int64_t live, generation;
	const char *boot;

	if (!record_get_u32(record, &version) || !(boot = record_text(record)) || !record_get_i64(record, &live) ||
	    !record_get_i64(record, &generation))
		return;
	read_live(reading, live, generation);
	reading->found->same_boot = strcmp(boot, reading->journal->boot) == 0;
}

static void read_checkpoint(struct reading *reading, struct record *record)
{
	int64_t mark, generation;

	if (record_get_i64(record, &mark) && record_get_i64(record, &generation))
		read_live(reading, mark, generation);
}

/* The values of one row, aligned; NULL: the record is shorter than that. */
static const double *read_values(struct reading *reading, struct record *record, size_t count)
{
	const void *bytes = record_get(record, count * sizeof(double));

	if (!bytes)
		return NULL;
	if (reading->value_room < count) {
		reading->values = memory_resize(reading->values, count, sizeof(double));
		reading->value_room = count;
	}
	memcpy(reading->values, bytes, count * sizeof(double));
	return reading->values;
}

static bool read_head(struct record *record, struct journal_sample *sample, uint32_t *hash, uint32_t *rows)
{
	uint32_t count, fresh;

	sample->family = record_text(record);
	if (!sample->family || !record_get_u32(record, hash) || !record_get_u32(record, &count) ||
	    !record_get_u32(record, rows) || !record_get_u32(record, &fresh) || !record_get_i64(record, &sample->tick))
		return false;
	sample->field_count = count;
	sample->fresh = fresh;
	return count <= record->length / sizeof(double);
}

static void read_samples(struct reading *reading, struct record *record, size_t place)
{
	struct journal_sample sample = {.place = place};
	const struct known_fields *known;
	uint32_t hash, rows;

	if (!read_head(record, &sample, &hash, &rows))
		return;
	reading->found->last = sample.tick;
	known = find_fields(reading, hash);
	/* Whose fields are told nowhere any more cannot be read. */
	if (!reading->visitor || !reading->visitor->sample || !known || known->count != sample.field_count)
		return;
	sample.fields = known->names;
	while (rows-- > 0 && (sample.instance = record_text(record)) &&
	       (sample.values = read_values(reading, record, sample.field_count)))
		reading->visitor->sample(reading->visitor->context, &sample);
}

static void read_image(struct reading *reading, struct record *record)
{
	struct journal_image image = {.family = record_text(record)};
	int64_t generation, inode;
	uint32_t length, small, made;
	const unsigned char *bytes;
	unsigned char *whole;
	uLongf got;

	if (!image.family || !(image.instance = record_text(record)) || !record_get_i64(record, &generation) ||
	    !record_get_i64(record, &inode) || !record_get_i64(record, &image.file_size) ||
	    !record_get_u32(record, &made) || !record_get_u32(record, &length) || !record_get_u32(record, &small) ||
	    !(bytes = record_get(record, small)) || length > 16 * RECORD_PAYLOAD_MAX)
		return;
	whole = memory_array(length, 1);
	got = length;
	image.generation = (uint64_t)generation;
	image.inode = (uint64_t)inode;
	image.made = made;
	image.length = length;
	image.bytes = whole;
	if (uncompress(whole, &got, bytes, small) == Z_OK && got == length)
		reading->visitor->image(reading->visitor->context, &image);
	free(whole);
}

static void read_drop(struct reading *reading, struct record *record, size_t place)
{
	struct journal_drop drop = {.family = record_text(record), .place = place};

	if (drop.family && (drop.instance = record_text(record)) && record_get_i64(record, &drop.from))
		reading->visitor->drop(reading->visitor->context, &drop);
}

static void read_record(struct reading *reading, struct record *record, size_t place)
{
	const struct journal_visitor *visitor = reading->visitor;
	const char *boot;

	reading->found->ended = false;
	if (record->type == REGION)
		read_region(reading, record);
	else if (record->type == FIELDS)
		read_fields(reading, record);
	else if (record->type == CHECKPOINT)
		read_checkpoint(reading, record);
	else if (record->type == SAMPLES)
		read_samples(reading, record, place);
	else if (record->type == IMAGE && visitor && visitor->image)
		read_image(reading, record);
	else if (record->type == DROP && visitor && visitor->drop)
		read_drop(reading, record, place);
	else if (record->type == GAP && visitor && visitor->gap)
		visitor->gap(visitor->context, record->payload, record->length);
	else if (record->type == END)
		reading->found->ended = (boot = record_text(record)) && strcmp(boot, reading->journal->boot) == 0;
}

static uint64_t place_of(const struct journal *journal, uint64_t serial, size_t at)
{
	return serial * journal->region_size + at;
}

/* Reads the live regions, oldest first. */
static void read_all(struct reading *reading)
{
	struct journal *journal = reading->journal;
	uint64_t from = reading->newest > JOURNAL_REGIONS ? reading->newest - JOURNAL_REGIONS : 0;
	size_t place = 0;

	reading->found->records = reading->found->damaged = 0;
	for (uint64_t serial = from > reading->live ? from : reading->live; serial <= reading->newest; serial++) {
		struct record_reader reader = {.bytes = reading->bytes + serial % JOURNAL_REGIONS * journal->region_size,
		                               .size = journal->region_size,
		                               .serial = serial};
		struct record record;

		if (serial == 0 || reading->serials[serial % JOURNAL_REGIONS] != serial)
			continue;
		while (record_next(&reader, &record) && place_of(journal, serial, reader.at) <= reading->place)
			read_record(reading, &record, ++place);
		reading->found->records = place;
		reading->found->damaged += reader.damaged;
		reading->found->torn = reader.torn;
		reading->end = reader.good_end;
	}
}

static void find_regions(struct reading *reading)
{
	struct journal *journal = reading->journal;

	for (size_t i = 0; i < JOURNAL_REGIONS; i++) {
		uint64_t serial = record_serial(reading->bytes + i * journal->region_size, journal->region_size);

		/* A serial names its region: one that stands elsewhere is no region of ours. */
		if (serial % JOURNAL_REGIONS != i)
			continue;
		reading->serials[i] = serial;
		reading->newest = serial > reading->newest ? serial : reading->newest;
	}
}

static void release_reading(struct reading *reading)
{
	for (size_t i = 0; i < reading->known_count; i++)
		free(reading->known[i].names);
	free(reading->known);
	free(reading->values);
	munmap((void *)reading->bytes, (size_t)reading->journal->size);
}

/* Maps the file and finds its regions. False: it cannot be read. */
static bool begin_reading(struct reading *reading)
{
	struct journal *journal = reading->journal;

	reading->bytes = mmap(NULL, (size_t)journal->size, PROT_READ, MAP_SHARED, journal->fd, 0);
	if (reading->bytes == MAP_FAILED)
		return false;
	find_regions(reading);
	pthread_mutex_lock(&journal->lock);
	know_plan(reading, journal->plan);
	pthread_mutex_unlock(&journal->lock);
	return true;
}

void journal_read_to(struct journal *journal, const struct journal_visitor *visitor, uint64_t place)
{
	struct journal_found found = {0};
	struct reading reading = {.journal = journal, .visitor = visitor, .found = &found, .place = place};

	pthread_mutex_lock(&journal->lock);
	found.generation = journal->generation;
	reading.live = journal->live;
	pthread_mutex_unlock(&journal->lock);
	if (!begin_reading(&reading))
		return;
	read_all(&reading);
	release_reading(&reading);
}

void journal_read(struct journal *journal, const struct journal_visitor *visitor)
{
	journal_read_to(journal, visitor, UINT64_MAX);
}

uint64_t journal_place(struct journal *journal)
{
	uint64_t place;

	pthread_mutex_lock(&journal->io);
	place = place_of(journal, journal->serial, journal->at);
	pthread_mutex_unlock(&journal->io);
	return place;
}

/* --- opening -------------------------------------------------------------------------------------------------- */

/* Looks through all that there is: which regions, which checkpoint, how it ended. Everything is then where it would be,
 * had the writer not ended. */
static void look_through(struct journal *journal, struct journal_found *found)
{
	struct reading reading = {.journal = journal, .found = found, .place = UINT64_MAX};

	if (!begin_reading(&reading))
		return;
	found->used = reading.newest > 0;
	if (found->used) {
		/* Twice: what the last regions say of checkpoints decides where to begin. */
		read_all(&reading);
		read_all(&reading);
		journal->serial = reading.newest;
		journal->at = reading.end;
	}
	journal->live = reading.live ? reading.live : 1;
	journal->generation = found->generation;
	release_reading(&reading);
}

/* What is left of a record that was not written to its end would be told as damage for ever: it is wiped out. */
static void wipe_rest(struct journal *journal)
{
	size_t region = journal->serial % JOURNAL_REGIONS * journal->region_size, size = journal->region_size - journal->at;
	unsigned char *zeros = memory_array(size, 1);

	(void)!pwrite(journal->fd, zeros, size, (off_t)(region + journal->at));
	free(zeros);
}

/* Whoever has written something has begun a region with it. */
static bool is_blank(const struct journal *journal)
{
	for (size_t region = 0; region < JOURNAL_REGIONS; region++) {
		unsigned char head[RECORD_HEADER] = {0};
		ssize_t length = pread(journal->fd, head, sizeof(head), (off_t)(region * journal->region_size));

		for (ssize_t i = 0; i < length; i++)
			if (head[i])
				return false;
	}
	return true;
}

/* Opens the file and reserves its space. */
static int open_file(struct journal *journal, struct error *error)
{
	char size[TEXT_AMOUNT_SIZE];
	struct stat status;
	int failed;

	journal->fd = open(journal->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (journal->fd < 0 || fstat(journal->fd, &status) < 0)
		return error_set(error, "cannot open %s: %s", journal->path, strerror(errno));
	/* An existing one keeps its size until everything in it is safe. */
	if (status.st_size >= 4096 * JOURNAL_REGIONS)
		journal->size = status.st_size;
	journal->region_size = (size_t)journal->size / JOURNAL_REGIONS / 8 * 8;
	failed = posix_fallocate(journal->fd, 0, journal->size);
	/* A file system that cannot reserve is written to all the same; then a full disk is told when it comes. */
	if (failed && status.st_size == 0)
		unlink(journal->path);
	if (failed == ENOSPC || failed == EDQUOT || failed == EIO)
		return error_set(error, "cannot reserve the %s of %s: %s; see store { journal = … }",
		                 text_from_size((double)journal->size, size), journal->path,
		                 failed == EIO ? strerror(failed) : "the disk is full");
	return 0;
}

/* Opens it; where what is there was not written by this version, once more after that is set aside. */
static int open_ours(struct journal *journal, struct journal_found *found, struct error *error)
{
	char *aside;

	if (open_file(journal, error) < 0)
		return -1;
	look_through(journal, found);
	if (found->used || is_blank(journal))
		return 0;
	close(journal->fd);
	journal->fd = -1;
	aside = aside_rename(journal->path, "unreadable", error);
	if (!aside)
		return -1;
	log_warning("%s was written by another version, or is no journal; it is kept as %s", journal->path, aside);
	free(aside);
	journal->size = journal->plan->journal_size;
	return open_file(journal, error);
}

/* With `io` held, or alone. Leaves the journal closed where it fails. */
static int open_anew(struct journal *journal, struct journal_found *found, struct error *error)
{
	int failed;

	*found = (struct journal_found){0};
	pthread_mutex_lock(&journal->lock);
	journal->size = journal->plan->journal_size;
	journal->serial = 0;
	journal->live = 1;
	pthread_mutex_unlock(&journal->lock);
	failed = open_ours(journal, found, error);
	if (!failed && found->used && found->torn)
		wipe_rest(journal);
	if (!failed && !found->used)
		failed = begin_region(journal, error);
	if (failed && journal->fd >= 0) {
		close(journal->fd);
		journal->fd = -1;
	}
	return failed;
}

struct journal *journal_open(const char *path, const struct plan *plan, struct journal_found *found,
                             struct error *error)
{
	struct journal *journal = memory_alloc(sizeof(*journal));

	journal->plan = plan;
	journal->path = memory_text(path);
	journal->fd = -1;
	boot_id(journal->boot);
	pthread_mutex_init(&journal->io, NULL);
	pthread_mutex_init(&journal->lock, NULL);
	open_anew(journal, found, error);
	return journal;
}

static bool has_fields(const struct plan *plan, const struct pindrop_family *family)
{
	for (size_t i = 0; i < plan->family_count; i++)
		if (fields_hash(plan->families[i].table) == fields_hash(family))
			return true;
	return false;
}

void journal_adopt(struct journal *journal, const struct plan *plan)
{
	pthread_mutex_lock(&journal->lock);
	for (size_t i = 0; i < plan->family_count; i++)
		if (!has_fields(journal->plan, plan->families[i].table))
			put_fields(&journal->buffer, journal->serial, plan->families[i].table);
	journal->plan = plan;
	pthread_mutex_unlock(&journal->lock);
}

bool journal_is_open(struct journal *journal)
{
	bool open;

	pthread_mutex_lock(&journal->io);
	open = journal->fd >= 0;
	pthread_mutex_unlock(&journal->io);
	return open;
}

int journal_reopen(struct journal *journal, struct error *error)
{
	struct journal_found found;
	int failed;

	pthread_mutex_lock(&journal->io);
	if (journal->fd >= 0)
		close(journal->fd);
	journal->fd = -1;
	failed = open_anew(journal, &found, error);
	pthread_mutex_unlock(&journal->io);
	return failed;
}

int journal_renew(struct journal *journal, struct error *error)
{
	if (unlink(journal->path) < 0)
		return error_set(error, "cannot remove %s: %s", journal->path, strerror(errno));
	return journal_reopen(journal, error);
}

void journal_close(struct journal *journal)
{
	if (journal->fd >= 0)
		close(journal->fd);
	record_buffer_release(&journal->buffer);
	pthread_mutex_destroy(&journal->io);
	pthread_mutex_destroy(&journal->lock);
	free(journal->path);
	free(journal);
}
