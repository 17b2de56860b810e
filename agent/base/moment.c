#include "base/moment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"

/* In 2255: every moment until then fits into nanoseconds. */
#define SECONDS_MAX INT64_C(9000000000)
#define YEAR_MAX 2250

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Between `least` and `most` digits. */
static bool read_digits(const char **at, int least, int most, int *number)
{
	int count = 0;

	*number = 0;
	for (; count < most && is_digit(**at); count++, (*at)++)
		*number = 10 * *number + (**at - '0');
	return count >= least;
}

/* ".25" -> ns; nothing is 0. What is finer than a nanosecond is passed over. */
static bool read_fraction(const char **at, int64_t *nanoseconds)
{
	int64_t unit = CLOCK_SECOND;

	*nanoseconds = 0;
	if (**at != '.')
		return true;
	if (!is_digit(*++*at))
		return false;
	for (; is_digit(**at); (*at)++) {
		unit /= 10;
		*nanoseconds += unit * (**at - '0');
	}
	return true;
}

static bool read_epoch(const char *text, int64_t *time)
{
	const char *at = text;
	int64_t seconds = 0, fraction;

	for (; is_digit(*at) && seconds <= SECONDS_MAX; at++)
		seconds = 10 * seconds + (*at - '0');
	if (at == text || seconds > SECONDS_MAX || !read_fraction(&at, &fraction) || *at)
		return false;
	*time = seconds * CLOCK_SECOND + fraction;
	return true;
}

static bool read_before(const char *text, int64_t now, int64_t *time)
{
	double seconds;

	if (!text_duration(text, &seconds))
		return false;
	*time = seconds < clock_seconds(now) ? now - (int64_t)(seconds * (double)CLOCK_SECOND) : 0;
	return true;
}

/* --- dates and clocks ---------------------------------------------------------------------------------------- */

/* "10:00", "10:00:03.5". */
static bool read_clock(const char **at, struct tm *tm, int64_t *fraction)
{
	*fraction = 0;
	if (!read_digits(at, 1, 2, &tm->tm_hour) || *(*at)++ != ':' || !read_digits(at, 2, 2, &tm->tm_min))
		return false;
	if (**at != ':')
		return true;
	++*at;
	return read_digits(at, 2, 2, &tm->tm_sec) && read_fraction(at, fraction);
}

static bool read_date(const char **at, struct tm *tm)
{
	int year, month;

	if (!read_digits(at, 4, 4, &year) || *(*at)++ != '-' || !read_digits(at, 2, 2, &month) || *(*at)++ != '-' ||
	    !read_digits(at, 2, 2, &tm->tm_mday))
		return false;
	tm->tm_year = year - 1900;
	tm->tm_mon = month - 1;
	return year >= 1970 && year <= YEAR_MAX;
}

/* "Z", "+01:00", "+0100", "-01". */
static bool read_zone(const char **at, int64_t *seconds)
{
	char sign = *(*at)++;
	int hours, minutes = 0;

	*seconds = 0;
	if (sign == 'Z' || sign == 'z')
		return true;
	if ((sign != '+' && sign != '-' && sign != ' ') || !read_digits(at, 2, 2, &hours))
		return false;
	if (**at == ':')
		++*at;
	if (**at && !read_digits(at, 2, 2, &minutes))
		return false;
	*seconds = (hours * 60 + minutes) * INT64_C(60) * (sign == '-' ? -1 : 1);
	return hours < 24 && minutes < 60;
}

static bool is_same(const struct tm *a, const struct tm *b)
{
	return a->tm_year == b->tm_year && a->tm_mon == b->tm_mon && a->tm_mday == b->tm_mday && a->tm_hour == b->tm_hour &&
	       a->tm_min == b->tm_min && a->tm_sec == b->tm_sec;
}

static bool is_at(time_t seconds, const struct tm *wanted)
{
	struct tm local;

	return localtime_r(&seconds, &local) && is_same(&local, wanted);
}

/* mktime(3) makes something of every date: what comes out otherwise than it went in never was. */
static bool find_local(const struct tm *wanted, time_t *seconds)
{
	static const time_t shifts[] = {3600, 1800};
	struct tm tm = *wanted;

	tm.tm_isdst = -1;
	*seconds = mktime(&tm);
	if (!is_same(&tm, wanted))
		return false;
	for (size_t i = 0; i < sizeof(shifts) / sizeof(shifts[0]); i++)
		if (is_at(*seconds - shifts[i], wanted)) {
			*seconds -= shifts[i];
			break;
		}
	return true;
}

static bool find_in_zone(const struct tm *wanted, int64_t zone, time_t *seconds)
{
	struct tm tm = *wanted;

	*seconds = timegm(&tm);
	if (!is_same(&tm, wanted))
		return false;
	*seconds -= (time_t)zone;
	return true;
}

static bool read_day(const char *text, int64_t *time)
{
	struct tm tm = {0};
	int64_t fraction = 0, zone = 0;
	time_t seconds;
	bool found;

	if (!read_date(&text, &tm))
		return false;
	if ((*text == 'T' || *text == 't' || *text == ' ') && (++text, !read_clock(&text, &tm, &fraction)))
		return false;
	if (*text)
		found = read_zone(&text, &zone) && *text == '\0' && find_in_zone(&tm, zone, &seconds);
	else
		found = find_local(&tm, &seconds);
	if (!found || seconds < 0)
		return false;
	*time = (int64_t)seconds * CLOCK_SECOND + fraction;
	return true;
}

/* The local date of so many days before. At noon, which every day has. */
static void find_date(int64_t now, int days, struct tm *tm)
{
	time_t today = (time_t)(now / CLOCK_SECOND);
	struct tm date;

	localtime_r(&today, &date);
	date.tm_mday -= days;
	date.tm_hour = 12;
	date.tm_isdst = -1;
	mktime(&date);
	tm->tm_year = date.tm_year;
	tm->tm_mon = date.tm_mon;
	tm->tm_mday = date.tm_mday;
}

/* A time that is still to come today is yesterday's. */
static bool read_hour(const char *text, int64_t now, int64_t *time)
{
	struct tm tm = {0};
	int64_t fraction;
	time_t seconds;

	if (!read_clock(&text, &tm, &fraction) || *text)
		return false;
	for (int days = 0; days < 2; days++) {
		find_date(now, days, &tm);
		if (!find_local(&tm, &seconds) || seconds < 0 || (int64_t)seconds * CLOCK_SECOND + fraction > now)
			continue;
		*time = (int64_t)seconds * CLOCK_SECOND + fraction;
		return true;
	}
	return false;
}

bool moment_read(const char *text, int64_t now, int64_t *time)
{
	if (strcmp(text, "now") == 0) {
		*time = now;
		return true;
	}
	if (strncmp(text, "now-", 4) == 0)
		return read_before(text + 4, now, time);
	if (text[0] == '-')
		return read_before(text + 1, now, time);
	if (text[strspn(text, "0123456789.")] == '\0')
		return read_epoch(text, time);
	return strspn(text, "0123456789") == 4 ? read_day(text, time) : read_hour(text, now, time);
}

char *moment_write(int64_t time, char text[MOMENT_TEXT_SIZE])
{
	time_t seconds = (time_t)(time / CLOCK_SECOND);
	int milliseconds = (int)(time % CLOCK_SECOND / CLOCK_MILLISECOND);
	struct tm local;
	size_t length;

	localtime_r(&seconds, &local);
	length = strftime(text, MOMENT_TEXT_SIZE, "%Y-%m-%d %H:%M:%S", &local);
	if (milliseconds)
		snprintf(text + length, MOMENT_TEXT_SIZE - length, ".%03d", milliseconds % 1000);
	return text;
}
