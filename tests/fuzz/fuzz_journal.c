/* links: agent/store/journal.c agent/store/record.c agent/store/aside.c agent/metric/batch.c agent/base/memory.c
 * agent/base/log.c agent/base/boot.c agent/base/clock.c agent/base/text.c agent/base/error.c
 *
 * Any bytes as a journal: it is read, written to and read again. Whatever was in it, what is put behind is there. */
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/journal.h"

#define SIZE (4096 * JOURNAL_REGIONS)

static const struct pindrop_field fields[] = {
	{"level", PINDROP_GAUGE, "percent", 1, NULL, "…"},
	{"bytes", PINDROP_COUNTER, "bytes", 0, NULL, "…"},
};
static const struct pindrop_family table = {.name = "one", .fields = fields, .field_count = 2};
static struct plan_plugin plugin = {.interval = CLOCK_SECOND};
static const struct plan_family families[] = {{&table, &plugin}};
static const struct plan plan = {.journal_size = SIZE, .family_count = 1, .families = families};

#define MARK 1234567.0

struct seen {
	size_t marks, bytes;
	double sum;
};

static void see_sample(void *context, const struct journal_sample *sample)
{
	struct seen *seen = context;

	seen->bytes += strlen(sample->family) + strlen(sample->instance);
	for (size_t i = 0; i < sample->field_count; i++) {
		seen->marks += sample->values[i] == MARK;
		seen->sum += sample->values[i];
		if (sample->fields)
			seen->bytes += strlen(sample->fields[i]);
	}
}

static void see_image(void *context, const struct journal_image *image)
{
	struct seen *seen = context;

	for (size_t i = 0; i < image->length; i++)
		seen->bytes += image->bytes[i];
	seen->bytes += strlen(image->family) + strlen(image->instance);
}

static void see_drop(void *context, const struct journal_drop *drop)
{
	struct seen *seen = context;

	seen->bytes += strlen(drop->family) + strlen(drop->instance);
}

static void see_gap(void *context, const unsigned char *bytes, size_t length)
{
	struct seen *seen = context;

	for (size_t i = 0; i < length; i++)
		seen->bytes += bytes[i];
}

static void put_mark(struct journal *journal)
{
	struct batch batch = {0};
	struct error error;

	batch_begin(&batch, 0, 2, 0);
	batch_add(&batch, "", NULL)[0] = MARK;
	batch.tick = CLOCK_SECOND;
	journal_put_batch(journal, &table, &batch);
	batch_release(&batch);
	if (journal_write(journal, &error) < 0)
		abort();
}

static void open_and_read(const char *path, struct seen *seen, bool mark)
{
	const struct journal_visitor visitor = {see_sample, see_image, see_drop, see_gap, seen};
	struct journal_found found;
	struct error error;
	struct journal *journal = journal_open(path, &plan, &found, &error);

	*seen = (struct seen){0};
	if (!journal_is_open(journal))
		abort();
	journal_read(journal, &visitor);
	if (mark)
		put_mark(journal);
	journal_close(journal);
}

/* What was set aside on the way must not pile up. */
static void empty_folder(const char *folder)
{
	DIR *all = opendir(folder);
	const struct dirent *entry;

	while (all && (entry = readdir(all)))
		unlinkat(dirfd(all), entry->d_name, 0);
	if (all)
		closedir(all);
}

/* Bytes as they are seldom make a good record. Half of the inputs are taken for types, lengths and payloads, of which
 * records are made that only their content is wrong with. */
static void make_records(const unsigned char *bytes, size_t size, struct record_buffer *buffer)
{
	while (size > 3) {
		size_t length = (size_t)bytes[1] | (size_t)bytes[2] << 8;

		length = length < size - 3 ? length : size - 3;
		record_begin(buffer, bytes[0] % 10, 1);
		record_put(buffer, bytes + 3, length);
		record_end(buffer);
		bytes += 3 + length;
		size -= 3 + length;
	}
}

static void write_journal(const char *path, const unsigned char *bytes, size_t size)
{
	struct record_buffer buffer = {0};
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (size > 0 && bytes[0] % 2)
		make_records(bytes + 1, size - 1, &buffer);
	else
		record_put(&buffer, bytes, size);
	if (buffer.length > SIZE - 4096)
		buffer.length = SIZE - 4096;
	/* A journal begins with its second region. */
	if (fd < 0 || ftruncate(fd, SIZE) < 0 || pwrite(fd, buffer.bytes, buffer.length, 4096) < 0)
		abort();
	close(fd);
	record_buffer_release(&buffer);
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size)
{
	static char folder[64], path[80];
	struct seen seen;

	if (!folder[0]) {
		snprintf(folder, sizeof(folder), "%s/pindrop-fuzz.XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
		if (!mkdtemp(folder))
			abort();
		snprintf(path, sizeof(path), "%s/journal", folder);
	}
	write_journal(path, bytes, size);
	open_and_read(path, &seen, true);
	open_and_read(path, &seen, false);
	if (seen.marks == 0)
		abort();
	empty_folder(folder);
	return 0;
}
