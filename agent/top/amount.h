/* top/amount.h: numbers with their units, for people. Pure. */
#ifndef TOP_AMOUNT_H
#define TOP_AMOUNT_H

#include <stdbool.h>

/* "12.5 %", "1.2 MB/s", "3.2 min", "17 jobs", "-" for what is unknown (NaN). `rate`: so much a second. Returns `text`. */
#define AMOUNT_SIZE 64
char *amount_write(double value, const char *unit, bool rate, int decimals, char text[AMOUNT_SIZE]);

/* The same without a unit that anybody may have made up: bytes, percent and seconds keep theirs. */
char *amount_bare(double value, const char *unit, bool rate, int decimals, char text[AMOUNT_SIZE]);

#endif
