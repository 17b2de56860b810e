#include "store/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/aside.h"

/* The file: a record with the version, and two halves. */
#define HEAD_SIZE 64
#define HALF_SIZE ((LEDGER_SIZE - HEAD_SIZE) / 2)
#define VERSION 1
enum { RECORD_VERSION = 1, RECORD_GAP };

/* What is read for itself: a record does not reach beyond its part. */
enum { HEAD, FIRST_HALF, SECOND_HALF, PARTS };
static const int64_t parts[PARTS + 1] = {0, HEAD_SIZE, HEAD_SIZE + HALF_SIZE, HEAD_SIZE + 2 * HALF_SIZE};

/* What was set aside nobody reads twice, so one number is enough for all records. */
#define SERIAL 1

/* All entries together, as records, bytes: the other part of a half is for what comes. */
#define ENTRIES_SIZE ((size_t)HALF_SIZE / 2)

/* A file that is longer than any version's would be is not read. */
#define FOREIGN_SIZE (16 * LEDGER_SIZE)

/* The longest circumstances that are kept, bytes. */
#define WORDS_MAX 400

/* A gap begins anew where a good sample may lie in between; never after more than this. */
#define SLACK_MAX CLOCK_SECOND

#define BUCKETS 1024

struct entry {
	struct entry *older, *newer; /* in the order of their revisions */
	struct entry *next;          /* of the same bucket */
	uint64_t hash;               /* of all that entries must have in common to be one */
	int64_t id;
	int64_t revision; /* of its last change: greater than any before */
	size_t size;      /* of its record, bytes */
	struct gap gap;   /* owns its texts */
};

struct ledger {
	char *path;
	bool write;
	/* By who writes: */
	bool loaded;
	bool renew;         /* all is to be written to the half where `at` is not, for what is there is damaged */
	int64_t at;         /* where the next record goes; 0: there is no file */
	struct stat status; /* of the file that `at` is about */
	pthread_mutex_t lock;
	/* Under the lock: */
	struct entry *oldest, *newest;
	struct entry *buckets[BUCKETS];
	size_t size;                /* of all entries, bytes */
	int64_t last_id, revision;  /* that were given */
	int64_t safe;               /* the revision up to which all is in the file */
	struct record_buffer space; /* for measuring */
};

/* --- one gap as bytes ---------------------------------------------------------------------------------------- */

enum { HAS_FAMILY = 1, HAS_INSTANCE = 2, HAS_FIELD = 4 };

/* Cut where a character begins (RFC 3629). */
static size_t cut_words(const char *words)
{
	size_t length = words ? strlen(words) : 0;

	if (length <= WORDS_MAX)
		return length;
	length = WORDS_MAX;
	while (length > 0 && ((unsigned char)words[length] & 0xc0) == 0x80)
		length--;
	return length;
}

void ledger_encode(const struct gap *gap, struct record_buffer *buffer)
{
	uint32_t has = (gap->family ? HAS_FAMILY : 0) | (gap->instance ? HAS_INSTANCE : 0) | (gap->field ? HAS_FIELD : 0);

	record_put_u32(buffer, gap->reason);
	record_put_u32(buffer, has);
	record_put_i64(buffer, gap->from);
	record_put_i64(buffer, gap->to);
	record_put_text(buffer, gap->family);
	record_put_text(buffer, gap->instance);
	record_put_text(buffer, gap->field);
	record_put_text(buffer, gap->words);
}

static bool decode(struct record *record, struct gap *gap)
{
	uint32_t reason, has;

	*gap = (struct gap){0};
	if (!record_get_u32(record, &reason) || reason >= GAP_REASONS || !record_get_u32(record, &has) ||
	    !record_get_i64(record, &gap->from) || !record_get_i64(record, &gap->to))
		return false;
	gap->reason = reason;
	gap->family = record_text(record);
	gap->instance = record_text(record);
	gap->field = record_text(record);
	gap->words = record_text(record);
	if (!gap->words || gap->from >= gap->to)
		return false;
	gap->family = has & HAS_FAMILY ? gap->family : NULL;
	gap->instance = has & HAS_INSTANCE ? gap->instance : NULL;
	gap->field = has & HAS_FIELD ? gap->field : NULL;
	return true;
}

bool ledger_decode(const unsigned char *bytes, size_t length, struct gap *gap)
{
	struct record record = {.payload = bytes, .length = length};

	return decode(&record, gap);
}

static void encode_entry(const struct entry *entry, struct record_buffer *buffer)
{
	record_begin(buffer, RECORD_GAP, SERIAL);
	record_put_i64(buffer, entry->id);
	record_put_i64(buffer, entry->revision);
	ledger_encode(&entry->gap, buffer);
	record_end(buffer);
}

/* --- which gaps are one --------------------------------------------------------------------------------------- */

static uint64_t mix_text(uint64_t hash, const char *text)
{
	return text ? text_hash(hash, text, strlen(text) + 1) : text_hash(hash, "\1", 2);
}

/* What units follow a number as text_from_span() and others write it. */
static size_t unit_length(const char *text)
{
	static const char *const units[] = {"ms", "min", "s", "h", "d", "y"};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t length = strlen(units[i]);

		if (strncmp(text, units[i], length) == 0 && strchr(" ,.;:)", text[length]))
			return length;
	}
	return 0;
}

/* Amounts do not count. */
static uint64_t mix_words(uint64_t hash, const char *words)
{
	const char *end = words ? words + cut_words(words) : NULL;

	while (words < end) {
		size_t digits = *words == '.' ? 0 : strspn(words, "0123456789.");

		if (digits == 0) {
			hash = text_hash(hash, words++, 1);
			continue;
		}
		words += digits;
		words += *words == ' ' ? 1 + unit_length(words + 1) : unit_length(words);
	}
	return hash;
}

static uint64_t hash_gap(const struct gap *gap)
{
	const char reason = (char)gap->reason;
	uint64_t hash = text_hash(TEXT_HASH, &reason, 1);

	hash = mix_text(hash, gap->family);
	hash = mix_text(hash, gap->instance);
	hash = mix_text(hash, gap->field);
	return mix_words(hash, gap->words);
}

/* Between what is told at two ticks that follow each other lies less than half a tick. */
static bool joins(const struct entry *entry, const struct gap *gap)
{
	int64_t slack = (gap->to - gap->from) / 2;

	if (slack > SLACK_MAX)
		slack = SLACK_MAX;
	return gap->from - entry->gap.to <= slack && entry->gap.from - gap->to <= slack &&
	       entry->gap.reason == gap->reason && text_same(entry->gap.family, gap->family) &&
	       text_same(entry->gap.instance, gap->instance) && text_same(entry->gap.field, gap->field);
}

/* --- entries: with the lock held ------------------------------------------------------------------------------ */

static void free_entry(struct entry *entry)
{
	free((char *)entry->gap.family);
	free((char *)entry->gap.instance);
	free((char *)entry->gap.field);
	free((char *)entry->gap.words);
	free(entry);
}

static void unlink_entry(struct ledger *ledger, struct entry *entry)
{
	*(entry->older ? &entry->older->newer : &ledger->oldest) = entry->newer;
	*(entry->newer ? &entry->newer->older : &ledger->newest) = entry->older;
	ledger->size -= entry->size;
}

/* As the newest. */
static void link_entry(struct ledger *ledger, struct entry *entry)
{
	ledger->space.length = 0;
	encode_entry(entry, &ledger->space);
	entry->size = ledger->space.length;
	entry->newer = NULL;
	entry->older = ledger->newest;
	*(entry->older ? &entry->older->newer : &ledger->oldest) = entry;
	ledger->newest = entry;
	ledger->size += entry->size;
}

static void drop_oldest(struct ledger *ledger)
{
	struct entry *entry = ledger->oldest, **place = &ledger->buckets[entry->hash % BUCKETS];

	unlink_entry(ledger, entry);
	while (*place != entry)
		place = &(*place)->next;
	*place = entry->next;
	free_entry(entry);
}

static char *copy_text(const char *text)
{
	return text ? memory_text(text) : NULL;
}

static void insert(struct ledger *ledger, const struct gap *gap, int64_t id, int64_t revision)
{
	struct entry *entry = memory_alloc(sizeof(*entry)), **bucket;

	entry->hash = hash_gap(gap);
	entry->id = id;
	entry->revision = revision;
	entry->gap = *gap;
	entry->gap.family = copy_text(gap->family);
	entry->gap.instance = copy_text(gap->instance);
	entry->gap.field = copy_text(gap->field);
	entry->gap.words = memory_format("%.*s", (int)cut_words(gap->words), gap->words ? gap->words : "");
	bucket = &ledger->buckets[entry->hash % BUCKETS];
	entry->next = *bucket;
	*bucket = entry;
	link_entry(ledger, entry);
	while (ledger->size > ENTRIES_SIZE && ledger->oldest != entry)
		drop_oldest(ledger);
}

/* An entry that already says it all has not changed. */
static void grow(struct ledger *ledger, struct entry *entry, const struct gap *gap)
{
	if (gap->from >= entry->gap.from && gap->to <= entry->gap.to)
		return;
	unlink_entry(ledger, entry);
	if (gap->from < entry->gap.from)
		entry->gap.from = gap->from;
	if (gap->to > entry->gap.to)
		entry->gap.to = gap->to;
	free((char *)entry->gap.words);
	entry->gap.words = memory_format("%.*s", (int)cut_words(gap->words), gap->words ? gap->words : "");
	entry->revision = ++ledger->revision;
	link_entry(ledger, entry);
}

static void add(struct ledger *ledger, const struct gap *gap)
{
	uint64_t hash = hash_gap(gap);
	struct entry *entry = ledger->buckets[hash % BUCKETS];

	while (entry && !(entry->hash == hash && joins(entry, gap)))
		entry = entry->next;
	if (entry)
		grow(ledger, entry, gap);
	else
		insert(ledger, gap, ++ledger->last_id, ++ledger->revision);
}

void ledger_add(struct ledger *ledger, const struct gap *gap)
{
	if (gap->from >= gap->to)
		return;
	pthread_mutex_lock(&ledger->lock);
	add(ledger, gap);
	pthread_mutex_unlock(&ledger->lock);
}

/* --- reading the file ----------------------------------------------------------------------------------------- */

/* One record of the file, not yet an entry. */
struct found {
	int64_t id, revision;
	struct gap gap; /* points into the file's bytes */
	size_t end;     /* where the record ends */
};

struct contents {
	unsigned char *bytes;
	size_t size;
	size_t count, room;
	struct found *found;
	bool versioned, other; /* it says which version it is; another one than ours */
	size_t records;        /* good ones of any kind */
	size_t damaged[PARTS];
	size_t alone[PARTS]; /* entries whose newest record is in this half and not in the other */
};

static void take_record(struct contents *contents, struct record *record, size_t end)
{
	struct found found = {.end = end};
	uint32_t version;

	contents->records++;
	if (record->type == RECORD_VERSION && record_get_u32(record, &version)) {
		contents->versioned = true;
		contents->other = version != VERSION;
	}
	if (record->type != RECORD_GAP || !record_get_i64(record, &found.id) || !record_get_i64(record, &found.revision) ||
	    !decode(record, &found.gap))
		return;
	if (contents->count == contents->room) {
		contents->room = contents->room ? 2 * contents->room : 64;
		contents->found = memory_resize(contents->found, contents->room, sizeof(*contents->found));
	}
	contents->found[contents->count++] = found;
}

static void take_part(struct contents *contents, size_t part)
{
	struct record_reader reader = {.bytes = contents->bytes, .serial = SERIAL, .at = (size_t)parts[part]};
	struct record record;

	reader.size = (size_t)parts[part + 1] < contents->size ? (size_t)parts[part + 1] : contents->size;
	if (reader.at >= reader.size)
		return;
	while (record_next(&reader, &record))
		take_record(contents, &record, reader.at);
	contents->damaged[part] = reader.damaged + reader.torn;
}

static int by_id(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->revision < y->revision ? -1 : x->revision > y->revision;
}

static int by_revision(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return x->revision < y->revision ? -1 : x->revision > y->revision;
}

static int half_of(int64_t at)
{
	return at < parts[SECOND_HALF] ? FIRST_HALF : SECOND_HALF;
}

/* Of an entry its newest record, which is behind the others; all of them are sorted. */
static void keep_one(struct contents *contents, size_t kept, size_t last)
{
	const struct found *newest = &contents->found[last], *twin = last > 0 ? newest - 1 : NULL;

	if (!twin || by_id(twin, newest) != 0 || half_of((int64_t)twin->end) == half_of((int64_t)newest->end))
		contents->alone[half_of((int64_t)newest->end)]++;
	contents->found[kept] = *newest;
}

/* Of each entry its newest record alone, in the order of the last changes. */
static void keep_newest(struct contents *contents)
{
	size_t kept = 0;

	if (contents->count == 0)
		return;
	qsort(contents->found, contents->count, sizeof(*contents->found), by_id);
	for (size_t i = 0; i < contents->count; i++)
		if (i + 1 == contents->count || contents->found[i + 1].id != contents->found[i].id)
			keep_one(contents, kept++, i);
	contents->count = kept;
	qsort(contents->found, contents->count, sizeof(*contents->found), by_revision);
}

static int read_bytes(int fd, const char *path, size_t size, struct contents *contents, struct error *error)
{
	contents->bytes = memory_alloc(size + 1);
	while (contents->size < size) {
		ssize_t got = pread(fd, contents->bytes + contents->size, size - contents->size, (off_t)contents->size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_set(error, "cannot read the ledger %s: %s", path, strerror(errno));
		if (got == 0)
			break;
		contents->size += (size_t)got;
	}
	return 0;
}

static bool is_blank(const struct contents *contents)
{
	for (size_t i = 0; i < contents->size; i++)
		if (contents->bytes[i])
			return false;
	return true;
}

/* Why a file is none that can be gone on with; NULL: it is one. */
static const char *judge(const struct contents *contents, int64_t size)
{
	if (size > FOREIGN_SIZE)
		return "foreign";
	if (contents->versioned && contents->other)
		return "other";
	return contents->records > 0 || is_blank(contents) ? NULL : "damaged";
}

/* Puts what was found behind what is known, which is nothing as a rule: after a file that could not be read, or has been
 * replaced, it is told anew. With the lock held. */
static void adopt(struct ledger *ledger, const struct contents *contents)
{
	struct entry *known = ledger->oldest;

	ledger->oldest = ledger->newest = NULL;
	memset(ledger->buckets, 0, sizeof(ledger->buckets));
	ledger->size = 0;
	for (size_t i = 0; i < contents->count; i++) {
		const struct found *found = &contents->found[i];

		if (found->id > ledger->last_id)
			ledger->last_id = found->id;
		if (found->revision > ledger->revision)
			ledger->revision = found->revision;
		insert(ledger, &found->gap, found->id, found->revision);
	}
	ledger->safe = ledger->revision;
	while (known) {
		struct entry *next = known->newer;

		add(ledger, &known->gap);
		free_entry(known);
		known = next;
	}
}

/* Where the newest record ends, the next one goes. After damage everything is written to the half that is missed less,
 * should that be torn as well. */
static int64_t find_end(const struct contents *contents)
{
	if (contents->damaged[FIRST_HALF] || contents->damaged[SECOND_HALF])
		return contents->alone[FIRST_HALF] >= contents->alone[SECOND_HALF] ? parts[FIRST_HALF] : parts[SECOND_HALF];
	return contents->count ? (int64_t)contents->found[contents->count - 1].end : HEAD_SIZE;
}

static int read_file(struct ledger *ledger, int fd, struct contents *contents, const char **wrong, struct error *error)
{
	if (fstat(fd, &ledger->status) < 0)
		return error_set(error, "cannot look at the ledger %s: %s", ledger->path, strerror(errno));
	if (!S_ISREG(ledger->status.st_mode))
		return error_set(error, "the ledger %s is no file", ledger->path);
	if (ledger->status.st_size <= FOREIGN_SIZE &&
	    read_bytes(fd, ledger->path, (size_t)ledger->status.st_size, contents, error) < 0)
		return -1;
	for (size_t part = 0; part < PARTS; part++)
		take_part(contents, part);
	keep_newest(contents);
	*wrong = judge(contents, ledger->status.st_size);
	return 0;
}

static int set_aside(struct ledger *ledger, const char *why, struct error *error)
{
	char *name;

	if (!ledger->write)
		return error_set(error, "%s is no ledger that this pindrop can read (%s)", ledger->path, why);
	name = aside_rename(ledger->path, why, error);
	if (!name)
		return -1;
	log_warning("%s is no ledger that this pindrop can read: it is kept as %s, and a new one begins", ledger->path,
	            name);
	free(name);
	return 0;
}

/* What was read becomes what is known. `there`: there is a file that can be gone on with. */
static void take_contents(struct ledger *ledger, const struct contents *contents, bool there)
{
	size_t damaged = contents->damaged[HEAD] + contents->damaged[FIRST_HALF] + contents->damaged[SECOND_HALF];

	pthread_mutex_lock(&ledger->lock);
	adopt(ledger, there ? contents : &(struct contents){0});
	pthread_mutex_unlock(&ledger->lock);
	ledger->at = there && contents->records > 0 ? find_end(contents) : 0;
	ledger->renew = there && (damaged > 0 || ledger->status.st_size != LEDGER_SIZE);
	ledger->loaded = true;
	if (damaged && there && ledger->write)
		log_warning("%s: damaged records were passed over: %zu", ledger->path, damaged);
}

/* Takes what the file holds, and where it ends. One that is not there holds nothing. */
static int load(struct ledger *ledger, struct error *error)
{
	int fd = open(ledger->path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC), failed = 0;
	struct contents contents = {0};
	const char *wrong = NULL;

	ledger->loaded = false;
	if (fd < 0 && errno != ENOENT)
		return error_set(error, "cannot open the ledger %s: %s", ledger->path, strerror(errno));
	if (fd >= 0) {
		failed = read_file(ledger, fd, &contents, &wrong, error);
		close(fd);
	}
	if (!failed && wrong)
		failed = set_aside(ledger, wrong, error);
	if (!failed)
		take_contents(ledger, &contents, fd >= 0 && !wrong);
	free(contents.found);
	free(contents.bytes);
	return failed;
}

/* --- writing the file ----------------------------------------------------------------------------------------- */

static int write_all(int fd, const unsigned char *bytes, size_t length, int64_t at)
{
	while (length > 0) {
		ssize_t done = pwrite(fd, bytes, length, (off_t)at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return -1;
		bytes += done;
		length -= (size_t)done;
		at += done;
	}
	return 0;
}

/* With the lock held: the entries that changed after `safe`, oldest first. */
static void encode_since(const struct ledger *ledger, int64_t safe, struct record_buffer *buffer)
{
	const struct entry *entry = ledger->newest;

	if (!entry || entry->revision <= safe)
		return;
	while (entry->older && entry->older->revision > safe)
		entry = entry->older;
	for (; entry; entry = entry->newer)
		encode_entry(entry, buffer);
}

static void encode_head(struct record_buffer *buffer)
{
	static const char nothing[HEAD_SIZE];

	record_begin(buffer, RECORD_VERSION, SERIAL);
	record_put_u32(buffer, VERSION);
	record_end(buffer);
	record_put(buffer, nothing, HEAD_SIZE - buffer->length);
}

/* Makes the file, reserved and with its head; one that is there is made whole again. */
static int make_file(struct ledger *ledger, struct error *error)
{
	int fd = open(ledger->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666), failed;
	struct record_buffer head = {0};

	if (fd < 0)
		return error_set(error, "cannot make the ledger %s: %s", ledger->path, strerror(errno));
	encode_head(&head);
	failed = posix_fallocate(fd, 0, LEDGER_SIZE);
	if (!failed && (ftruncate(fd, LEDGER_SIZE) < 0 || write_all(fd, head.bytes, head.length, 0) < 0 ||
	                fstat(fd, &ledger->status) < 0))
		failed = errno;
	if (!failed && ledger->at == 0)
		ledger->at = HEAD_SIZE;
	record_buffer_release(&head);
	close(fd);
	return failed ? error_set(error, "cannot make the ledger %s: %s", ledger->path, strerror(failed)) : 0;
}

static int write_synced(const struct ledger *ledger, const struct record_buffer *buffer, int64_t at,
                        struct error *error)
{
	int fd = open(ledger->path, O_WRONLY | O_CLOEXEC), failed = 0;

	if (fd < 0 || write_all(fd, buffer->bytes, buffer->length, at) < 0 || fdatasync(fd) < 0)
		failed = error_set(error, "cannot write the ledger %s: %s", ledger->path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return failed;
}

/* Whether the file is the one that we know. */
static bool is_ours(const struct ledger *ledger)
{
	struct stat now;

	if (!ledger->loaded)
		return false;
	if (stat(ledger->path, &now) < 0)
		return ledger->at == 0;
	return ledger->at != 0 && now.st_ino == ledger->status.st_ino && now.st_dev == ledger->status.st_dev;
}

/* All entries, to the beginning of the half that is not in use; what it held before is wiped out. */
static void encode_all(struct ledger *ledger, struct record_buffer *buffer)
{
	unsigned char *rest;

	buffer->length = 0;
	encode_since(ledger, 0, buffer);
	rest = memory_alloc((size_t)HALF_SIZE - buffer->length);
	record_put(buffer, rest, (size_t)HALF_SIZE - buffer->length);
	free(rest);
}

/* A half is left before its last byte: by `at` alone it is known which one is in use. */
static bool fits(const struct ledger *ledger, size_t length)
{
	return !ledger->renew && ledger->at + (int64_t)length < parts[half_of(ledger->at) + 1];
}

/* Writes what changed, or, where that does not fit any more, everything to the other half. */
static int write_changes(struct ledger *ledger, struct error *error)
{
	struct record_buffer buffer = {0};
	int64_t revision, at = ledger->at;
	size_t length;
	int failed;

	pthread_mutex_lock(&ledger->lock);
	revision = ledger->revision;
	encode_since(ledger, ledger->safe, &buffer);
	length = buffer.length;
	if (!fits(ledger, length)) {
		at = half_of(ledger->at) == FIRST_HALF ? parts[SECOND_HALF] : parts[FIRST_HALF];
		length = ledger->size;
		encode_all(ledger, &buffer);
	}
	pthread_mutex_unlock(&ledger->lock);
	failed = write_synced(ledger, &buffer, at, error);
	record_buffer_release(&buffer);
	if (failed)
		return -1;
	ledger->at = at + (int64_t)length;
	ledger->renew = false;
	pthread_mutex_lock(&ledger->lock);
	ledger->safe = revision;
	pthread_mutex_unlock(&ledger->lock);
	return 0;
}

static bool is_behind(struct ledger *ledger)
{
	bool behind;

	pthread_mutex_lock(&ledger->lock);
	behind = ledger->revision > ledger->safe;
	pthread_mutex_unlock(&ledger->lock);
	return behind;
}

int ledger_write(struct ledger *ledger, struct error *error)
{
	if (!ledger->write || !is_behind(ledger))
		return 0;
	if (!is_ours(ledger) && load(ledger, error) < 0)
		return -1;
	if ((ledger->at == 0 || ledger->renew) && make_file(ledger, error) < 0)
		return -1;
	return write_changes(ledger, error);
}

struct ledger *ledger_open(const char *path, bool write, struct error *error)
{
	struct ledger *ledger = memory_alloc(sizeof(*ledger));

	ledger->path = memory_text(path);
	ledger->write = write;
	pthread_mutex_init(&ledger->lock, NULL);
	error->text[0] = '\0';
	if (load(ledger, error) == 0 && write && ledger->at == 0)
		make_file(ledger, error);
	return ledger;
}

void ledger_close(struct ledger *ledger)
{
	while (ledger->oldest)
		drop_oldest(ledger);
	record_buffer_release(&ledger->space);
	pthread_mutex_destroy(&ledger->lock);
	free(ledger->path);
	free(ledger);
}

/* --- asking --------------------------------------------------------------------------------------------------- */

static bool covers(const char *text, const char *asked)
{
	return !text || !asked || strcmp(text, asked) == 0;
}

static bool is_asked(const struct gap *gap, const struct ledger_query *query)
{
	return gap->from < query->to && gap->to > query->from && covers(gap->family, query->family) &&
	       covers(gap->instance, query->instance) && covers(gap->field, query->field);
}

static size_t room_of(const struct gap *gap)
{
	const char *const texts[] = {gap->family, gap->instance, gap->field, gap->words};
	size_t room = sizeof(*gap);

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		room += texts[i] ? strlen(texts[i]) + 1 : 0;
	return room;
}

static const char *put_text(const char *text, char **end)
{
	const char *begin = *end;

	if (!text)
		return NULL;
	*end = stpcpy(*end, text) + 1;
	return begin;
}

static void copy(struct gap *gap, const struct gap *from, char **end)
{
	*gap = *from;
	gap->family = put_text(from->family, end);
	gap->instance = put_text(from->instance, end);
	gap->field = put_text(from->field, end);
	gap->words = put_text(from->words, end);
}

static int by_time(const void *a, const void *b)
{
	const struct gap *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return x->to < y->to ? -1 : x->to > y->to;
}

struct gap *ledger_find(struct ledger *ledger, const struct ledger_query *query, size_t *count)
{
	size_t room = 1, found = 0;
	struct gap *gaps;
	char *end;

	*count = 0;
	pthread_mutex_lock(&ledger->lock);
	for (const struct entry *entry = ledger->oldest; entry; entry = entry->newer) {
		if (!is_asked(&entry->gap, query))
			continue;
		room += room_of(&entry->gap);
		++*count;
	}
	gaps = memory_alloc(room);
	end = (char *)(gaps + *count);
	for (const struct entry *entry = ledger->oldest; entry; entry = entry->newer)
		if (is_asked(&entry->gap, query))
			copy(&gaps[found++], &entry->gap, &end);
	pthread_mutex_unlock(&ledger->lock);
	qsort(gaps, found, sizeof(*gaps), by_time);
	return gaps;
}
