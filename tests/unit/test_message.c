/* links: agent/worker/message.c agent/base/memory.c agent/base/clock.c */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "worker/message.h"

static int ends[2];

static int open_ends(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
}

static int close_ends(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
	return 0;
}

static void comes_as_it_went(void **state)
{
	struct message out = {0}, in = {0};
	const char *text;
	double number = 0.1, got = 0;

	(void)state;
	message_put_text(&out, "one");
	message_put_text(&out, NULL);
	message_put_text(&out, "");
	message_put(&out, &number, sizeof(number));
	assert_int_equal(message_send(ends[0], &out, -1), 0);
	assert_int_equal(message_receive(ends[1], &in, -1), 1);
	assert_true(message_get_text(&in, &text) && strcmp(text, "one") == 0);
	assert_true(message_get_text(&in, &text) && text == NULL);
	assert_true(message_get_text(&in, &text) && *text == '\0');
	assert_true(message_get(&in, &got, sizeof(got)) && got == number);
	assert_false(message_get(&in, &got, 1));
	assert_false(message_get_text(&in, &text));
	message_release(&out);
	message_release(&in);
}

static void is_put_together_from_parts(void **state)
{
	static const unsigned char bytes[] = {3, 0, 0, 0, 'a', 'b', 'c', 0, 0, 0, 0};
	struct message in = {0};

	(void)state;
	for (size_t i = 0; i < 7; i++) {
		errno = 0;
		assert_int_equal(message_receive_some(ends[1], &in), -1);
		assert_int_equal(errno, EAGAIN);
		assert_int_equal(write(ends[0], &bytes[i], 1), 1);
	}
	assert_int_equal(message_receive_some(ends[1], &in), 1);
	assert_int_equal(in.length, 3);
	assert_memory_equal(in.bytes, "abc", 3);
	/* An empty one is a message, too. */
	message_clear(&in);
	assert_int_equal(write(ends[0], bytes + 7, 4), 4);
	assert_int_equal(message_receive_some(ends[1], &in), 1);
	assert_int_equal(in.length, 0);
	message_release(&in);
}

static void *receive_one(void *context)
{
	static struct message in;

	(void)context;
	return message_receive(ends[1], &in, -1) == 1 ? &in : NULL;
}

static void may_be_larger_than_the_socket(void **state)
{
	struct message out = {0}, *in;
	void *result;
	pthread_t thread;

	(void)state;
	for (uint32_t i = 0; i < 1000000; i++)
		message_put(&out, &i, sizeof(i));
	assert_int_equal(pthread_create(&thread, NULL, receive_one, NULL), 0);
	assert_int_equal(message_send(ends[0], &out, -1), 0);
	pthread_join(thread, &result);
	in = result;
	assert_non_null(in);
	assert_int_equal(in->length, out.length);
	assert_memory_equal(in->bytes, out.bytes, out.length);
	message_release(in);
	message_release(&out);
}

static void waits_no_longer_than_told(void **state)
{
	struct message message = {0};
	char large[1 << 20] = {0};
	int64_t began = clock_monotonic();

	(void)state;
	assert_int_equal(message_receive(ends[1], &message, 20 * CLOCK_MILLISECOND), -1);
	assert_int_equal(errno, ETIMEDOUT);
	/* Nobody reads: the socket fills up. */
	message_put(&message, large, sizeof(large));
	assert_int_equal(message_send(ends[0], &message, 20 * CLOCK_MILLISECOND), -1);
	assert_int_equal(errno, ETIMEDOUT);
	assert_true(clock_monotonic() - began >= 40 * CLOCK_MILLISECOND);
	message_release(&message);
}

static void tells_the_end(void **state)
{
	static const unsigned char too_long[] = {0xff, 0xff, 0xff, 0xff};
	struct message message = {0};

	(void)state;
	assert_int_equal(write(ends[0], too_long, 4), 4);
	assert_int_equal(message_receive(ends[1], &message, -1), -1);
	assert_int_equal(errno, EPROTO);
	close(ends[0]);
	ends[0] = -1;
	assert_int_equal(message_receive(ends[1], &message, -1), 0);
	assert_int_equal(message_send(ends[1], &message, -1), -1);
	assert_int_equal(errno, EPIPE);
	message_release(&message);
}

/* A peer that dies in the middle of a message has closed: half a message is none. */
static void half_a_message_is_none(void **state)
{
	static const unsigned char bytes[] = {3, 0, 0, 0, 'a', 'b'};
	struct message message = {0};

	(void)state;
	assert_int_equal(write(ends[0], bytes, sizeof(bytes)), sizeof(bytes));
	close(ends[0]);
	ends[0] = -1;
	assert_int_equal(message_receive(ends[1], &message, -1), 0);
	message_release(&message);
}

/* A stream has no borders: what came with the first message belongs to the second. */
static void one_ends_where_the_next_begins(void **state)
{
	struct message out = {0}, in = {0};
	const char *text;

	(void)state;
	message_put_text(&out, "first");
	assert_int_equal(message_send(ends[0], &out, -1), 0);
	message_clear(&out);
	assert_int_equal(message_send(ends[0], &out, -1), 0);
	message_put_text(&out, "third");
	assert_int_equal(message_send(ends[0], &out, -1), 0);
	assert_int_equal(message_receive(ends[1], &in, -1), 1);
	assert_true(message_get_text(&in, &text) && strcmp(text, "first") == 0);
	assert_int_equal(message_receive(ends[1], &in, -1), 1);
	assert_int_equal(in.length, 0);
	assert_int_equal(message_receive(ends[1], &in, -1), 1);
	assert_true(message_get_text(&in, &text) && strcmp(text, "third") == 0);
	message_release(&out);
	message_release(&in);
}

static void what_is_too_long_is_not_sent(void **state)
{
	struct message message = {.bytes = NULL, .length = MESSAGE_MAX + 1};
	char byte;

	(void)state;
	assert_int_equal(message_send(ends[0], &message, -1), -1);
	assert_int_equal(errno, EMSGSIZE);
	/* Not a byte of it. */
	assert_int_equal(recv(ends[1], &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

/* A text says how long it is: one that says too much, or does not end, is none, and nothing is read. */
static void texts_that_lie_are_refused(void **state)
{
	static const struct {
		unsigned char bytes[8];
		size_t length;
	} cases[] = {{{0xff, 0xff, 0xff, 0xff, 'a', 0}, 6},
	             {{3, 0, 0, 0, 'a', 0}, 6},
	             {{2, 0, 0, 0, 'a', 'b', 0}, 7},
	             {{1, 0, 0}, 3},
	             {{1, 0, 0, 0}, 4}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct message message = {0};
		const char *text = "untouched";

		message_put(&message, cases[i].bytes, cases[i].length);
		assert_false(message_get_text(&message, &text));
		assert_null(text);
		message_release(&message);
	}
}

/* What the peer does not take is kept, and its order too. */
static void goes_in_parts_without_waiting(void **state)
{
	struct message large = {0}, small = {0}, out = {0}, in = {0};
	const char *text;
	int received = 0, got;
	char *block = calloc(1, 3000000);

	(void)state;
	assert_non_null(block);
	message_put(&large, block, 3000000);
	message_put_text(&small, "last");
	assert_int_equal(message_send_some(ends[0], &out), 1);
	message_frame(&out, &large);
	message_frame(&out, &small);
	assert_int_equal(message_send_some(ends[0], &out), 0);
	assert_true(out.at > 0 && out.at < out.length);
	while (received < 2) {
		message_clear(&in);
		while ((got = message_receive_some(ends[1], &in)) < 0 && errno == EAGAIN)
			assert_true(message_send_some(ends[0], &out) >= 0);
		assert_int_equal(got, 1);
		assert_int_equal(in.length, received ? small.length : large.length);
		received++;
	}
	assert_true(message_get_text(&in, &text) && strcmp(text, "last") == 0);
	assert_int_equal(out.length, 0);
	close(ends[1]);
	ends[1] = -1;
	message_frame(&out, &small);
	assert_int_equal(message_send_some(ends[0], &out), -1);
	free(block);
	message_release(&large);
	message_release(&small);
	message_release(&out);
	message_release(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(comes_as_it_went, open_ends, close_ends),
		cmocka_unit_test_setup_teardown(is_put_together_from_parts, open_ends, close_ends),
		cmocka_unit_test_setup_teardown(may_be_larger_than_the_socket, open_ends, close_ends),
		cmocka_unit_test_setup_teardown(waits_no_longer_than_told, open_ends, close_ends),
		cmocka_unit_test_setup_teardown(tells_the_end, open_ends, close_ends),
		cmocka_unit_test_setup_teardown(half_a_message_is_none, open_ends, close_ends),
		cmocka_unit_test_setup_teardown(one_ends_where_the_next_begins, open_ends, close_ends),
		cmocka_unit_test_setup_teardown(what_is_too_long_is_not_sent, open_ends, close_ends),
		cmocka_unit_test(texts_that_lie_are_refused),
		cmocka_unit_test_setup_teardown(goes_in_parts_without_waiting, open_ends, close_ends),
	};

	return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
