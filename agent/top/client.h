/* top/client.h: asks an agent over HTTP, and looks at the keyboard meanwhile. The one place that calls libcurl. */
#ifndef TOP_CLIENT_H
#define TOP_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct client;

/* `url` is where the agent listens, "http://127.0.0.1:8080"; without a scheme it is http. NULL: the words. One thread. */
struct client *client_new(const char *url, struct error *error);
void client_free(struct client *client); /* NULL: nothing */

/* Who is asked, as it stands in words for people. */
const char *client_url(const struct client *client);

/* Begins to ask for a path with its arguments, one at a time. */
void client_ask(struct client *client, const char *path);

struct client_answer {
	long status;       /* of HTTP; 0: there was no answer */
	const char *words; /* why */
	const char *body;  /* until the next client_ask() */
	size_t length;
};

enum client_event { CLIENT_NOTHING, CLIENT_INPUT, CLIENT_ANSWER };

/* Waits for the answer, for something to read at the descriptor `input` (-1: nothing), or for `wait` ns; a signal ends it
 * as well. What is asked for longer than five seconds is given up, which is an answer too. */
enum client_event client_wait(struct client *client, int input, int64_t wait, struct client_answer *answer);

#endif
