/* links: agent/store/record.c agent/base/memory.c
 *
 * Reads any bytes as records: none may lead outside them, whatever their lengths say, and the reader comes to an end.
 * The first byte says of which serial they should be, and how what they hold is read. */
#include <stdlib.h>
#include <string.h>

#include "store/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static void read_payload(struct record *record, unsigned int how)
{
	size_t before;
	uint32_t number;
	int64_t time;
	const char *text;

	do {
		before = record->at;
		switch (how++ % 4) {
		case 0:
			record_get_u32(record, &number);
			break;
		case 1:
			record_get_i64(record, &time);
			break;
		case 2:
			text = record_text(record);
			check(!text || strlen(text) < record->length);
			break;
		default:
			record_get(record, how % 64);
		}
		check(record->at <= record->length);
	} while (record->at > before);
}

/* Reads all; the sum of what was found. */
static size_t read_all(const unsigned char *bytes, size_t size, uint64_t serial, unsigned int how)
{
	struct record_reader reader = {.bytes = bytes, .size = size, .serial = serial};
	struct record record;
	size_t count = 0, end = 0;

	while (record_next(&reader, &record)) {
		check(record.payload >= bytes + end && record.payload + record.length <= bytes + size);
		end = (size_t)(record.payload - bytes) + record.length;
		check(reader.at >= end && reader.good_end >= end);
		read_payload(&record, how);
		count++;
	}
	check(reader.good_end <= size);
	return count;
}

/* Good records, whose payloads are pieces of the bytes, and one bit that was flipped: it costs the record that it hits,
 * and no other. */
static void flip(const unsigned char *bytes, size_t size, uint64_t serial)
{
	size_t place = (size_t)bytes[0] << 8 | bytes[1], at = 2, count = 0;
	struct record_buffer buffer = {0};

	while (at < size && count < 64) {
		size_t length = bytes[at] < size - at ? bytes[at] : size - at - 1;

		record_begin(&buffer, bytes[at], serial);
		record_put(&buffer, bytes + at + 1, length);
		record_end(&buffer);
		at += length + 1;
		count++;
	}
	check(read_all(buffer.bytes, buffer.length, serial, bytes[0]) == count);
	if (buffer.length > 0) {
		buffer.bytes[place / 8 % buffer.length] ^= (unsigned char)(1 << place % 8);
		check(read_all(buffer.bytes, buffer.length, serial, bytes[0]) + 1 >= count);
	}
	record_buffer_release(&buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char *bytes;

	if (size < 4)
		return 0;
	/* As files are read: aligned, and no byte behind the end is ours. */
	bytes = malloc(size - 1);
	if (!bytes)
		return 0;
	memcpy(bytes, data + 1, size - 1);
	read_all(bytes, size - 1, data[0] % 4, data[0] / 4);
	read_all(bytes, size - 1, record_serial(bytes, size - 1), data[0] / 4);
	flip(bytes, size - 1, data[0]);
	free(bytes);
	return 0;
}
