#include "top/client.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"

#define PATIENCE 5000L /* ms */
/* An agent with 10,000 instances answers 10 MB; what is longer comes from no agent. */
#define BODY_MAX ((size_t)64 * 1024 * 1024)

struct client {
	CURLM *multi;
	CURL *easy;
	bool asking;
	char *url; /* without a slash at its end */
	char *body;
	size_t length, room;
	char words[CURL_ERROR_SIZE];
};

static size_t take(char *bytes, size_t size, size_t count, void *context)
{
	struct client *client = context;
	size_t more = size * count;

	if (more > BODY_MAX - client->length)
		return 0;
	if (client->length + more > client->room) {
		client->room = 2 * (client->length + more);
		client->body = memory_resize(client->body, client->room, 1);
	}
	memcpy(client->body + client->length, bytes, more);
	client->length += more;
	return more;
}

/* The agent is near: no proxy stands between, whatever the environment says. */
static void set_up(struct client *client)
{
	curl_easy_setopt(client->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(client->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(client->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(client->easy, CURLOPT_TIMEOUT_MS, PATIENCE);
	curl_easy_setopt(client->easy, CURLOPT_CONNECTTIMEOUT_MS, PATIENCE / 2);
	curl_easy_setopt(client->easy, CURLOPT_USERAGENT, "pindrop-top");
	curl_easy_setopt(client->easy, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(client->easy, CURLOPT_WRITEDATA, client);
	curl_easy_setopt(client->easy, CURLOPT_ERRORBUFFER, client->words);
}

/* The address, whole; NULL: it is none, which the words say. */
static char *complete(const char *url, struct error *error)
{
	CURLU *parts = curl_url();
	char *whole = NULL, *copy = NULL;
	CURLUcode code = parts ? curl_url_set(parts, CURLUPART_URL, url, CURLU_GUESS_SCHEME) : CURLUE_OUT_OF_MEMORY;

	if (code == CURLUE_OK)
		code = curl_url_get(parts, CURLUPART_URL, &whole, 0);
	if (code != CURLUE_OK) {
		error_set(error, "\"%s\" is no address of an agent (http://127.0.0.1:8080): %s", url, curl_url_strerror(code));
	} else {
		copy = memory_text(whole);
		for (size_t length = strlen(copy); length && copy[length - 1] == '/'; length--)
			copy[length - 1] = '\0';
	}
	curl_free(whole);
	curl_url_cleanup(parts);
	return copy;
}

struct client *client_new(const char *url, struct error *error)
{
	struct client *client;
	char *whole;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	whole = complete(url, error);
	if (!whole)
		return NULL;
	client = memory_alloc(sizeof(*client));
	client->url = whole;
	client->multi = curl_multi_init();
	client->easy = curl_easy_init();
	if (!client->multi || !client->easy) {
		error_set(error, "libcurl does not start");
		client_free(client);
		return NULL;
	}
	set_up(client);
	return client;
}

static void stop_asking(struct client *client)
{
	if (client->asking)
		curl_multi_remove_handle(client->multi, client->easy);
	client->asking = false;
}

void client_free(struct client *client)
{
	if (!client)
		return;
	stop_asking(client);
	curl_easy_cleanup(client->easy);
	curl_multi_cleanup(client->multi);
	free(client->body);
	free(client->url);
	free(client);
}

const char *client_url(const struct client *client)
{
	return client->url;
}

void client_ask(struct client *client, const char *path)
{
	char *url = memory_format("%s%s", client->url, path);

	stop_asking(client);
	client->length = 0;
	client->words[0] = '\0';
	curl_easy_setopt(client->easy, CURLOPT_URL, url);
	curl_multi_add_handle(client->multi, client->easy);
	client->asking = true;
	free(url);
}

/* curl's own words say much that is in the address already, and count milliseconds. */
static const char *explain(struct client *client, CURLcode code)
{
	long number = 0;

	curl_easy_getinfo(client->easy, CURLINFO_OS_ERRNO, &number);
	if (code == CURLE_OPERATION_TIMEDOUT)
		return "it takes too long";
	if (code == CURLE_COULDNT_CONNECT && number)
		return strerror((int)number);
	return client->words[0] ? client->words : curl_easy_strerror(code);
}

static bool is_done(struct client *client, struct client_answer *answer)
{
	int running = 0, left = 0;
	CURLMsg *message;
	CURLcode code;

	if (!client->asking)
		return false;
	curl_multi_perform(client->multi, &running);
	message = curl_multi_info_read(client->multi, &left);
	if (!message || message->msg != CURLMSG_DONE)
		return false;
	code = message->data.result;
	*answer = (struct client_answer){.body = client->body, .length = client->length};
	if (code == CURLE_OK)
		curl_easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &answer->status);
	answer->words = explain(client, code);
	stop_asking(client);
	return true;
}

enum client_event client_wait(struct client *client, int input, int64_t wait, struct client_answer *answer)
{
	struct curl_waitfd fds = {.fd = input, .events = CURL_WAIT_POLLIN};

	if (is_done(client, answer))
		return CLIENT_ANSWER;
	/* A millisecond more: a wait that ends too early would be followed by many short ones. */
	curl_multi_poll(client->multi, &fds, input >= 0, (int)(wait / CLOCK_MILLISECOND) + 1, NULL);
	if (fds.revents)
		return CLIENT_INPUT;
	return is_done(client, answer) ? CLIENT_ANSWER : CLIENT_NOTHING;
}
