#include "top/history.h"

#include <math.h>

static float *slot(struct history *history, int64_t second)
{
	return &history->values[second % HISTORY_SECONDS];
}

static float at(const struct history *history, int64_t second)
{
	if (second > history->newest || second <= history->newest - HISTORY_SECONDS || second < 0)
		return NAN;
	return history->values[second % HISTORY_SECONDS];
}

void history_clear(struct history *history)
{
	history->newest = 0;
	for (int i = 0; i < HISTORY_SECONDS; i++)
		history->values[i] = NAN;
}

/* Seconds that nothing was said about are unknown. */
static void move_to(struct history *history, int64_t second)
{
	if (second - history->newest >= HISTORY_SECONDS)
		history_clear(history);
	else
		for (int64_t i = history->newest + 1; i < second; i++)
			*slot(history, i) = NAN;
	if (second > history->newest) {
		*slot(history, second) = NAN;
		history->newest = second;
	}
}

void history_add(struct history *history, double time, double seconds, double value)
{
	int64_t last, first;

	if (!isfinite(time) || !isfinite(value) || time < 1 || time > 1e11)
		return;
	/* A sample is taken a little after its tick: its second is the one that the tick ended. */
	last = (int64_t)floor(time);
	first = last - (int64_t)fmin(fmax(round(seconds), 1), HISTORY_SECONDS) + 1;
	/* The clock was set back by far: what was, lies in the future now. */
	if (last < history->newest - 2 * HISTORY_SECONDS)
		history_clear(history);
	move_to(history, last);
	for (int64_t i = first; i <= last; i++)
		if (i > history->newest - HISTORY_SECONDS && i > 0)
			*slot(history, i) = (float)value;
}

double history_mean(const struct history *history, int64_t from, int64_t to)
{
	double sum = 0;
	int count = 0;

	for (int64_t i = from + 1; i <= to; i++) {
		float value = at(history, i);

		if (isnan(value))
			continue;
		sum += value;
		count++;
	}
	return count ? sum / count : NAN;
}

double history_max(const struct history *history)
{
	double max = NAN;

	for (int i = 0; i < HISTORY_SECONDS; i++)
		max = fmax(max, history->values[i]);
	return max;
}
