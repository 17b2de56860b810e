/* base/text.h: small pure functions on text. Any thread. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Durations: "100ms", "10s", "5m", "1h", "7d", "2y" (a year is 365 days), or a plain number of seconds -> seconds.
 * Sizes: "4096", "64kB", "500MB", "1GB", "2TB" (powers of 1000), "1MiB" (powers of 1024) -> bytes.
 * False where the text is none, or is negative or not finite; *value is then untouched. */
bool text_duration(const char *text, double *seconds);
bool text_size(const char *text, double *bytes);

/* The shortest way to write a duration that text_duration() reads back: 90 -> "90s", 3600 -> "1h", 0.1 -> "100ms".
 * Sizes for people: 11850000 -> "11.9 MB". Both return `text`. */
#define TEXT_AMOUNT_SIZE 32
char *text_from_duration(double seconds, char text[TEXT_AMOUNT_SIZE]);
char *text_from_size(double bytes, char text[TEXT_AMOUNT_SIZE]);

/* How long something was, for people, in three digits: "0.8 s", "1.5 h", "10 y". Returns `text`. */
char *text_from_span(double seconds, char text[TEXT_AMOUNT_SIZE]);

/* The name of a file for an instance: everything but [A-Za-z0-9._-] as %XX, also a dot in the first place; reversible.
 * Returns a new text for free(). */
char *text_percent_encode(const char *text);
char *text_percent_decode(const char *text);

/* The candidate that someone who typed `word` probably meant, or NULL: at most a third of its letters wrong, a swap
 * of neighbours counts as one. `candidates` ends with NULL. */
const char *text_nearest(const char *word, const char *const *candidates);

/* Mixes bytes into a hash: FNV-1a, 64 bits, which is short, and nobody's secret. The first is mixed into TEXT_HASH. */
#define TEXT_HASH UINT64_C(0xcbf29ce484222325)
uint64_t text_hash(uint64_t hash, const void *bytes, size_t length);

/* The length of the UTF-8 sequence at `text`, of at most `length` bytes, which are at least one; 0: it is none. */
size_t text_sequence(const char *text, size_t length);

/* Whether it is a name as plugins, families, fields and options have: [a-z][a-z0-9_]*, and with `dots` such parts joined
 * by dots. NULL is none. */
bool text_is_name(const char *text, bool dots);

/* Texts that belong to whoever has the list. Starts as all zero. */
struct text_list {
	size_t count;
	char **texts;
};
void text_list_add(struct text_list *list, char *text); /* takes the text over */
void text_list_release(struct text_list *list);

/* Whether two lines are the same but for the numbers in them. */
bool text_same_words(const char *a, const char *b);

/* Whether two texts are the same; NULL is only the same as NULL. */
bool text_same(const char *a, const char *b);

#endif
