#include "store/record.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/memory.h"

#define MAGIC 0x70646a31u /* "1jdp" */
#define TEXT_MAX 65535u
#define ALIGN 8

struct header {
	uint32_t magic, crc, length, type;
	uint64_t serial;
};

_Static_assert(sizeof(struct header) == RECORD_HEADER, "the header has no holes");

/* The crc begins behind itself. */
#define CRC_FROM (offsetof(struct header, length))

static size_t padded(size_t length)
{
	return (length + ALIGN - 1) / ALIGN * ALIGN;
}

/* --- writing ------------------------------------------------------------------------------------------------ */

void record_buffer_release(struct record_buffer *buffer)
{
	free(buffer->bytes);
	*buffer = (struct record_buffer){0};
}

static unsigned char *extend(struct record_buffer *buffer, size_t length)
{
	if (buffer->room - buffer->length < length) {
		buffer->room = 2 * buffer->room + length + 256;
		buffer->bytes = memory_resize(buffer->bytes, buffer->room, 1);
	}
	buffer->length += length;
	return buffer->bytes + buffer->length - length;
}

void record_begin(struct record_buffer *buffer, uint32_t type, uint64_t serial)
{
	const struct header header = {.magic = MAGIC, .type = type, .serial = serial};

	buffer->begun = buffer->length;
	record_put(buffer, &header, sizeof(header));
}

void record_put(struct record_buffer *buffer, const void *bytes, size_t length)
{
	if (length)
		memcpy(extend(buffer, length), bytes, length);
}

void record_put_u32(struct record_buffer *buffer, uint32_t number)
{
	record_put(buffer, &number, sizeof(number));
}

void record_put_i64(struct record_buffer *buffer, int64_t number)
{
	record_put(buffer, &number, sizeof(number));
}

void record_put_text(struct record_buffer *buffer, const char *text)
{
	size_t length = text ? strnlen(text, TEXT_MAX) : 0;

	record_put_u32(buffer, (uint32_t)length);
	record_put(buffer, text, length);
	record_put(buffer, "", 1);
}

void record_end(struct record_buffer *buffer)
{
	size_t length = buffer->length - buffer->begun - RECORD_HEADER, padding = padded(length) - length;
	unsigned char *begin;
	struct header header;

	if (padding)
		memset(extend(buffer, padding), 0, padding);
	begin = buffer->bytes + buffer->begun;
	memcpy(&header, begin, sizeof(header));
	header.length = (uint32_t)length;
	memcpy(begin, &header, sizeof(header));
	record_stamp(begin, header.serial);
	buffer->begun = buffer->length;
}

size_t record_stamp(unsigned char *bytes, uint64_t serial)
{
	struct header header;
	size_t size;

	memcpy(&header, bytes, sizeof(header));
	size = sizeof(header) + padded(header.length);
	header.serial = serial;
	memcpy(bytes, &header, sizeof(header));
	header.crc = (uint32_t)crc32_z(0, bytes + CRC_FROM, size - CRC_FROM);
	memcpy(bytes + offsetof(struct header, crc), &header.crc, sizeof(header.crc));
	return size;
}

/* --- reading ------------------------------------------------------------------------------------------------ */

const void *record_get(struct record *record, size_t length)
{
	if (record->length - record->at < length)
		return NULL;
	record->at += length;
	return record->payload + record->at - length;
}

bool record_get_u32(struct record *record, uint32_t *number)
{
	const void *bytes = record_get(record, sizeof(*number));

	return bytes && memcpy(number, bytes, sizeof(*number));
}

bool record_get_i64(struct record *record, int64_t *number)
{
	const void *bytes = record_get(record, sizeof(*number));

	return bytes && memcpy(number, bytes, sizeof(*number));
}

const char *record_text(struct record *record)
{
	size_t at = record->at;
	const char *text = NULL;
	uint32_t length;

	if (record_get_u32(record, &length) && length <= TEXT_MAX)
		text = record_get(record, (size_t)length + 1);
	if (text && text[length] == '\0')
		return text;
	record->at = at;
	return NULL;
}

enum found { GOOD, BEGUN /* a header that is ours, but not the rest */, NOTHING };

static enum found look(const struct record_reader *reader, size_t at, struct record *record)
{
	const unsigned char *bytes = reader->bytes + at;
	size_t left = reader->size - at;
	struct header header;

	if (left < sizeof(header))
		return NOTHING;
	memcpy(&header, bytes, sizeof(header));
	if (header.magic != MAGIC || header.serial != reader->serial)
		return NOTHING;
	if (header.length > RECORD_PAYLOAD_MAX || padded(header.length) > left - sizeof(header))
		return BEGUN;
	if (header.crc != (uint32_t)crc32_z(0, bytes + CRC_FROM, sizeof(header) + padded(header.length) - CRC_FROM))
		return BEGUN;
	*record = (struct record){.type = header.type, .payload = bytes + sizeof(header), .length = header.length};
	return GOOD;
}

static bool is_one_bit(uint64_t difference)
{
	return difference != 0 && (difference & (difference - 1)) == 0;
}

/* A bit of what says whose record it is was flipped: where one is expected, that is found out and does no harm. */
static bool mend(const struct record_reader *reader, struct record *record)
{
	const unsigned char *bytes = reader->bytes + reader->at;
	struct header header;
	uLong crc;

	if (reader->size - reader->at < sizeof(header))
		return false;
	memcpy(&header, bytes, sizeof(header));
	if (!is_one_bit(header.magic ^ MAGIC) && !(header.magic == MAGIC && is_one_bit(header.serial ^ reader->serial)))
		return false;
	if (header.length > RECORD_PAYLOAD_MAX || padded(header.length) > reader->size - reader->at - sizeof(header))
		return false;
	header.serial = reader->serial;
	crc = crc32_z(0, (unsigned char *)&header + CRC_FROM, sizeof(header) - CRC_FROM);
	crc = crc32_z(crc, bytes + sizeof(header), padded(header.length));
	*record = (struct record){.type = header.type, .payload = bytes + sizeof(header), .length = header.length};
	return crc == header.crc;
}

bool record_next(struct record_reader *reader, struct record *record)
{
	bool begun = false;

	if (reader->at < reader->size && mend(reader, record)) {
		reader->damaged++;
		reader->at = reader->good_end = reader->at + RECORD_HEADER + padded(record->length);
		return true;
	}

	for (size_t at = reader->at; at + RECORD_HEADER <= reader->size; at += ALIGN) {
		enum found found = look(reader, at, record);

		begun = begun || found == BEGUN;
		if (found != GOOD)
			continue;
		reader->damaged += at != reader->at;
		reader->at = reader->good_end = at + RECORD_HEADER + padded(record->length);
		return true;
	}
	reader->torn = begun;
	reader->at = reader->size;
	return false;
}

uint64_t record_serial(const unsigned char *bytes, size_t size)
{
	struct record_reader reader = {.bytes = bytes, .size = size};
	uint64_t newest = 0;

	for (size_t at = 0; at + RECORD_HEADER <= size; at += ALIGN) {
		struct record record;
		struct header header;

		memcpy(&header, bytes + at, sizeof(header));
		reader.serial = header.serial;
		if (header.magic != MAGIC || header.serial <= newest || look(&reader, at, &record) != GOOD)
			continue;
		newest = header.serial;
		at += RECORD_HEADER + padded(record.length) - ALIGN;
	}
	return newest;
}
