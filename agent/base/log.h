/* base/log.h: one line to stderr for each thing that an operator should know.
 *
 * Each line is written by one write(2), so lines of several threads and workers never mix. Any thread. Lines carry
 * the time, unless stderr is the systemd journal, which keeps its own (JOURNAL_STREAM, systemd.exec(5)): there they
 * carry the priority prefix of sd-daemon(3) instead. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
