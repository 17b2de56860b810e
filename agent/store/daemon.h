/* store/daemon.h: the connection to an rrdcached, through librrd's client, which nothing else calls.
 *
 * What librrd's client does not tell: it connects again by itself when the daemon has gone, and where the daemon dies
 * in the middle of a request it takes an old answer for the new one. Both would hide that the daemon lost what it held.
 * So its socket is looked for, and looked at after every request: no answer counts unless that is still the same, and
 * still connected.
 *
 * The daemon's own answers are to be believed only so far: an update is held in its memory, and FLUSH also says yes
 * when the daemon could not write, or is still at it. What a file holds is told by the file alone (file_last()).
 *
 * Belongs to one thread at a time, and there is one in the process: Debian's librrd offers its client's one connection
 * for all only (rrdc_…). A daemon that is stopped is waited for, like a disk. */
#ifndef STORE_DAEMON_H
#define STORE_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct daemon;

/* "unix:/run/rrdcached.sock" or "/run/rrdcached.sock". Does not connect yet. */
struct daemon *daemon_new(const char *address);
void daemon_free(struct daemon *daemon);

/* Connects where it is not connected: at once after a break, or when that is `urgent`, else after growing pauses of up to
 * a few seconds. Returns the number of the connection, from 1 on; 0: there is none, with the words of the last attempt. */
uint64_t daemon_connect(struct daemon *daemon, bool urgent, struct error *error);

/* Whether the connection that there was is still one. */
bool daemon_is_up(struct daemon *daemon);

enum daemon_answer {
	DAEMON_DONE,
	DAEMON_OLD,     /* the daemon has newer samples of this file; it took none of these */
	DAEMON_REFUSED, /* it cannot read or write the file, or may not */
	DAEMON_GONE,    /* the connection broke: what it held is lost, or will be */
};

/* Hands over lines as layout_line() makes them, in as many requests as they take. All answers but DAEMON_DONE come with
 * the words; *taken tells how many lines the daemon had taken before, and with DAEMON_GONE nothing. Paths may be
 * relative. */
enum daemon_answer daemon_update(struct daemon *daemon, const char *path, size_t count, const char *const *lines,
                                 size_t *taken, struct error *error);

/* Whether a line of that length can be sent at all. */
bool daemon_takes(const char *path, size_t length);

/* Asks to write what is held of a file, and waits for it; … to forget the file, and what is held of it. One that the
 * daemon does not know needs nothing. */
enum daemon_answer daemon_flush(struct daemon *daemon, const char *path, struct error *error);
enum daemon_answer daemon_forget(struct daemon *daemon, const char *path, struct error *error);

#endif
