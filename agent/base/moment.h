/* base/moment.h: points in time as people write them. Wall clock, ns. Any thread. */
#ifndef BASE_MOMENT_H
#define BASE_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

/* What moment_read() understands, for who wrote something else. */
#define MOMENT_FORMS "epoch seconds, \"now\", \"-6h\", \"2026-11-25 10:00:03\", \"10:00\" or ISO 8601"

/* Reads a time:
 *
 *     1795600803  1795600803.25            seconds since 1970
 *     now  -6h  now-90s                    as durations are written (text.h)
 *     2026-11-25  2026-11-25 10:00:03.5    local time; seconds may be left out
 *     2026-11-25T10:00:03Z  …+01:00        of that zone; " 01:00" is what a web server makes of an unescaped "+01:00"
 *     10:00  10:00:03                      local time: the last time that it was that
 *
 * A local time that was twice, as the clock was put back in autumn, is the first one. False: it is none of these, was
 * skipped by the clock in spring, or lies before 1970 or beyond 2250; *time is then untouched. A duration that reaches
 * back before 1970 ends there. */
bool moment_read(const char *text, int64_t now, int64_t *time);

/* "2026-11-25 10:00:03", local time, with ".250" where it is no whole second. Reads back as the same millisecond, but
 * for the hour that comes twice. Returns `text`. */
#define MOMENT_TEXT_SIZE 40
char *moment_write(int64_t time, char text[MOMENT_TEXT_SIZE]);

#endif
