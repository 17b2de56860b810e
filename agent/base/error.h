/* base/error.h: an error in the words that a user needs.
 *
 * A function that can fail takes a `struct error *`, writes the words where what was tried is known, and returns -1
 * (or NULL). Callers hand it up unchanged, or put their own words in front. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

struct error {
	char text[512];
};

/* Writes the words. Always returns -1, so that `return error_set(…)` reads as what it does. */
int error_set(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts words in front of those that are there: "disk.so: " + "cannot open …". Always returns -1. */
int error_prefix(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
