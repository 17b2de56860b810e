#include "worker/message.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"

#define HEADER sizeof(uint32_t)

void message_release(struct message *message)
{
	free(message->bytes);
	*message = (struct message){0};
}

void message_clear(struct message *message)
{
	message->length = message->at = 0;
}

static void make_room(struct message *message, size_t more)
{
	if (message->room - message->length >= more)
		return;
	message->room = 2 * message->room + more + 256;
	message->bytes = memory_resize(message->bytes, message->room, 1);
}

void message_put(struct message *message, const void *bytes, size_t length)
{
	if (length == 0)
		return;
	make_room(message, length);
	memcpy(message->bytes + message->length, bytes, length);
	message->length += length;
}

/* A text is its length with the NUL, and then itself; NULL is the length 0. */
void message_put_text(struct message *message, const char *text)
{
	uint32_t size = text ? (uint32_t)strlen(text) + 1 : 0;

	message_put(message, &size, sizeof(size));
	message_put(message, text, size);
}

bool message_get(struct message *message, void *bytes, size_t length)
{
	if (message->length - message->at < length)
		return false;
	if (length)
		memcpy(bytes, message->bytes + message->at, length);
	message->at += length;
	return true;
}

bool message_get_text(struct message *message, const char **text)
{
	uint32_t size;

	*text = NULL;
	if (!message_get(message, &size, sizeof(size)))
		return false;
	if (size == 0)
		return true;
	if (message->length - message->at < size || message->bytes[message->at + size - 1] != '\0')
		return false;
	*text = message->bytes + message->at;
	message->at += size;
	return true;
}

/* Waits for `events` until `deadline` (monotonic, ns; negative: for ever). 0 or -1 with errno. */
static int await(int socket, short events, int64_t deadline)
{
	for (;;) {
		struct pollfd poll_fd = {.fd = socket, .events = events};
		int64_t left = deadline < 0 ? -1 : deadline - clock_monotonic();
		int ready, wait = left < 0 ? -1 : (int)((left + CLOCK_MILLISECOND - 1) / CLOCK_MILLISECOND);

		if (deadline >= 0 && left <= 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		ready = poll(&poll_fd, 1, wait);
		if (ready > 0)
			return 0;
		if (ready < 0 && errno != EINTR)
			return -1;
	}
}

/* What of the header and the message is still to be sent after the first `sent` bytes. */
static size_t fill_parts(struct iovec parts[2], const uint32_t *length, const struct message *message, size_t sent)
{
	size_t header = sent < HEADER ? HEADER - sent : 0, body = message->length - (sent > HEADER ? sent - HEADER : 0);

	parts[0] = (struct iovec){(char *)length + HEADER - header, header};
	parts[1] = (struct iovec){message->bytes + message->length - body, body};
	return header + body;
}

static int64_t deadline_after(int64_t timeout)
{
	return timeout < 0 ? -1 : clock_monotonic() + timeout;
}

/* Both parts go by one call: the peer is woken once. */
int message_send(int socket, const struct message *message, int64_t timeout)
{
	int64_t deadline = deadline_after(timeout);
	uint32_t length = (uint32_t)message->length;
	struct iovec parts[2];
	struct msghdr packet = {.msg_iov = parts, .msg_iovlen = 2};
	size_t sent = 0;

	if (message->length > MESSAGE_MAX) {
		errno = EMSGSIZE;
		return -1;
	}
	while (fill_parts(parts, &length, message, sent) > 0) {
		ssize_t part = sendmsg(socket, &packet, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (part >= 0)
			sent += (size_t)part;
		else if (errno != EINTR && (errno != EAGAIN || await(socket, POLLOUT, deadline) < 0))
			return -1;
	}
	return 0;
}

void message_frame(struct message *out, const struct message *message)
{
	uint32_t length = (uint32_t)message->length;

	message_put(out, &length, HEADER);
	message_put(out, message->bytes, message->length);
}

int message_send_some(int socket, struct message *out)
{
	while (out->at < out->length) {
		ssize_t part = send(socket, out->bytes + out->at, out->length - out->at, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (part >= 0)
			out->at += (size_t)part;
		else if (errno == EAGAIN)
			return 0;
		else if (errno != EINTR)
			return -1;
	}
	message_clear(out);
	return 1;
}

/* While a message comes in, `bytes` holds its header too, and `length` all that has come. 1: it is whole. 0: more is
 * wanted, that many bytes. -1 with errno. */
static int inspect(struct message *message, size_t *wanted)
{
	uint32_t length;

	if (message->length < HEADER) {
		*wanted = HEADER - message->length;
		return 0;
	}
	memcpy(&length, message->bytes, HEADER);
	if (length > MESSAGE_MAX) {
		errno = EPROTO;
		return -1;
	}
	*wanted = HEADER + length - message->length;
	return *wanted == 0;
}

int message_receive_some(int socket, struct message *message)
{
	size_t wanted;
	int whole;

	while ((whole = inspect(message, &wanted)) == 0) {
		ssize_t part;

		make_room(message, wanted);
		part = recv(socket, message->bytes + message->length, wanted, MSG_DONTWAIT);
		if (part > 0)
			message->length += (size_t)part;
		else if (part == 0)
			return 0;
		else if (errno != EINTR)
			return errno == ECONNRESET ? 0 : -1;
	}
	if (whole < 0)
		return -1;
	message->length -= HEADER;
	memmove(message->bytes, message->bytes + HEADER, message->length);
	message->at = 0;
	return 1;
}

int message_receive(int socket, struct message *message, int64_t timeout)
{
	int64_t deadline = deadline_after(timeout);
	int got;

	message_clear(message);
	while ((got = message_receive_some(socket, message)) < 0 && errno == EAGAIN)
		if (await(socket, POLLIN, deadline) < 0)
			return -1;
	return got;
}
