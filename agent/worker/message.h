/* worker/message.h: whole messages over a stream socket.
 *
 * A message is a length (u32) and as many bytes. Both ends are the same program, so bytes are in host order. */
#ifndef WORKER_MESSAGE_H
#define WORKER_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* The longest message: room for 100,000 instances. A longer one is an error. */
#define MESSAGE_MAX ((size_t)64 << 20)

/* A growing text of bytes, to write a message into and to read it from. Starts as all zero. */
struct message {
	char *bytes;
	size_t length, room;
	size_t at; /* where the next get reads */
};
void message_release(struct message *message);
void message_clear(struct message *message);
void message_put(struct message *message, const void *bytes, size_t length);
void message_put_text(struct message *message, const char *text); /* NULL is kept as NULL */
/* False: the message is shorter than that. */
bool message_get(struct message *message, void *bytes, size_t length);
bool message_get_text(struct message *message, const char **text); /* points into the message */

/* Sends it whole. Waits until the peer takes it, at most `timeout` ns (negative: for ever). 0 or -1 with errno. */
int message_send(int socket, const struct message *message, int64_t timeout);

/* Receives a whole one in place of what `message` holds. Waits at most `timeout` ns in all (negative: for ever).
 * 1: it is there; 0: the peer has closed; -1 with errno (ETIMEDOUT, EPROTO, …). */
int message_receive(int socket, struct message *message, int64_t timeout);

/* The same without waiting, over several calls: keeps what came in `message` until it is whole. 1: whole; 0: the peer
 * has closed; -1 with errno, EAGAIN for "not yet whole". Start with message_clear(). */
int message_receive_some(int socket, struct message *message);

/* Sending without waiting, over several calls: message_frame() adds a message to those that `out` holds back, and
 * message_send_some() sends what the peer takes now. 1: all is sent, and `out` is empty; 0: the rest is not; -1 with
 * errno. */
void message_frame(struct message *out, const struct message *message);
int message_send_some(int socket, struct message *out);

#endif
