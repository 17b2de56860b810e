/* top/history.h: the last minutes of one field, a value a second, for sparklines. Pure. */
#ifndef TOP_HISTORY_H
#define TOP_HISTORY_H

#include <stdint.h>

#define HISTORY_SECONDS 300

struct history {
	int64_t newest; /* the second (epoch) that was written last; 0: none yet */
	float values[HISTORY_SECONDS];
};

/* Nothing is known. */
void history_clear(struct history *history);

/* The value stands for the `seconds` before `time`, which ends them; more than one of a second: the last one. Out of
 * order is well, too old is dropped. */
void history_add(struct history *history, double time, double seconds, double value);

/* The mean of what is known of the seconds from < second <= to; NaN: nothing is. */
double history_mean(const struct history *history, int64_t from, int64_t to);

/* The largest value that is known in it; NaN: none is. */
double history_max(const struct history *history);

#endif
