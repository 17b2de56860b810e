/* store/record.h: how the journal and the ledger frame what they write: records that tell damage.
 *
 * A record is a header of RECORD_HEADER bytes and a payload, padded to a multiple of 8:
 *
 *     u32 magic   u32 crc   u32 length   u32 type   u64 serial
 *
 * The crc (CRC-32 of zlib) covers all that follows it, the payload included. `serial` is that of the file the record
 * was written for: what is left in a file that is written anew does not count. All numbers are in host order: a file
 * is read by the machine that wrote it. After damage the reader looks for the next record at every multiple of 8, so
 * that a flipped bit costs the record that it hits, and no other.
 *
 * Pure; belongs to one thread at a time. */
#ifndef STORE_RECORD_H
#define STORE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_HEADER 24

/* The longest payload that is written, and that is believed when read. */
#define RECORD_PAYLOAD_MAX ((size_t)1 << 20)

/* Records, one behind the other, on their way to a file. Starts as all zero. */
struct record_buffer {
	unsigned char *bytes;
	size_t length, room;
	size_t begun; /* where the record that is being written begins */
};
void record_buffer_release(struct record_buffer *buffer);

/* Writes one record: begin, any number of puts, end. Numbers and texts are read back by the gets below, in the same
 * order; a text is kept with its length, and NULL as "". Texts longer than 64 kB are cut. */
void record_begin(struct record_buffer *buffer, uint32_t type, uint64_t serial);
void record_put(struct record_buffer *buffer, const void *bytes, size_t length);
void record_put_u32(struct record_buffer *buffer, uint32_t number);
void record_put_i64(struct record_buffer *buffer, int64_t number);
void record_put_text(struct record_buffer *buffer, const char *text);
void record_end(struct record_buffer *buffer);

struct record {
	uint32_t type;
	const unsigned char *payload; /* within the bytes that are read, aligned to 8 where those are */
	size_t length;
	size_t at; /* where the next get reads */
};

/* False, or NULL: the payload is shorter than that; nothing is then read. A text stands in the payload. */
const void *record_get(struct record *record, size_t length); /* NULL: too short */
bool record_get_u32(struct record *record, uint32_t *number);
bool record_get_i64(struct record *record, int64_t *number);
const char *record_text(struct record *record);

/* Gives a whole record, header and all, another serial. Returns its size with padding. */
size_t record_stamp(unsigned char *bytes, uint64_t serial);

/* Reads the records of `serial` out of `bytes`. Starts with `at` where the first one may be. */
struct record_reader {
	const unsigned char *bytes;
	size_t size;
	uint64_t serial;
	size_t at;
	size_t damaged;  /* stretches that were passed over between good records */
	bool torn;       /* the last record was begun and is not whole */
	size_t good_end; /* where the last good record ends */
};

/* The greatest serial of a good record in `bytes`, which are aligned to records; 0: there is none. */
uint64_t record_serial(const unsigned char *bytes, size_t size);

/* False: there are no more. */
bool record_next(struct record_reader *reader, struct record *record);

#endif
