/* store/ledger.h: why stretches of series are unknown: a small file of gaps, data_dir/.ledger.
 *
 * A gap that goes on is told again and again: what is told of the same thing for the same reason, and begins where the
 * last one ends, makes that one longer. Circumstances that differ in a number only ("for 1 s", "for 2 s") are the same;
 * the newest are kept.
 *
 * The file has LEDGER_SIZE bytes from the beginning, reserved, so that a full disk cannot stop it: a record with the
 * version, and two halves of records (record.h). Records are appended to one half; an entry that grew is appended anew,
 * and its newest record counts. When the half is full, all entries are written to the other one, which they fill to
 * a half at most: the entries that have not changed for the longest go, in memory and in the file. At every moment one
 * half is whole, so that a crash costs nothing that was written, and a damaged record costs that record.
 *
 * What is safe when: a gap is in memory when ledger_add() returns, and on the disk when ledger_write() does, synced.
 * A kill -9 thus costs what was added since the last ledger_write(), unless it is kept elsewhere (ledger_encode()).
 *
 * Any thread, but for ledger_write(): one lock inside, held for moments, never while the disk is waited for. */
#ifndef STORE_LEDGER_H
#define STORE_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "metric/gap.h"
#include "store/record.h"

/* The length of the file, bytes. */
#define LEDGER_SIZE INT64_C(1000000)

struct ledger;

/* Reads what is there. With `write` the file is made where there is none (in a folder that is there), and one that is
 * damaged altogether, foreign, or of another version is set aside, which the log tells; otherwise nothing is touched,
 * and no lock is needed. Never NULL: what cannot be read is told in `error`, "" when all is well; the ledger then keeps
 * its entries in memory, and every ledger_write() tries again. For ledger_close(). */
struct ledger *ledger_open(const char *path, bool write, struct error *error) __attribute__((warn_unused_result));

/* Writes nothing: ledger_write() comes first. */
void ledger_close(struct ledger *ledger);

/* Takes a copy of a gap, or lengthens the entry that it goes on from. One without length is no gap. Never waits for the
 * disk. */
void ledger_add(struct ledger *ledger, const struct gap *gap);

/* Writes what was added, with one sync; nothing to write costs nothing. Where the file has gone, or another stands in
 * its place, all is written there. -1 with the words: everything is kept in memory, and tried again by the next call.
 * One thread at a time, which may wait for the disk. */
int ledger_write(struct ledger *ledger, struct error *error);

/* Which gaps. NULL: any, and what is of all (NULL in a gap) belongs to each. */
struct ledger_query {
	const char *family, *instance, *field;
	int64_t from, to; /* that share a moment with (from, to] */
};

/* Copies of these gaps, sorted by `from`, then `to`. One block for free(), texts included; never NULL. */
struct gap *ledger_find(struct ledger *ledger, const struct ledger_query *query, size_t *count)
	__attribute__((warn_unused_result));

/* One gap as the bytes of a record's payload, and back: for who keeps it in a file of his own. ledger_encode() appends to
 * the buffer, also to a record that was begun there. What is decoded points into `bytes`; false: they are no gap. */
void ledger_encode(const struct gap *gap, struct record_buffer *buffer);
bool ledger_decode(const unsigned char *bytes, size_t length, struct gap *gap);

#endif
