/* collect/serve.c: the worker's side of collect/remote.h. One thread, one plugin, one question at a time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "collect/collect.h"
#include "collect/host.h"
#include "collect/remote.h"
#include "collect/wire.h"
#include "config/loader.h"

/* What a family's sampling may allocate, with the program itself: address space. */
#define MEMORY_MAX ((size_t)2 << 30)

struct server {
	struct worker_page *page;
	struct message setup, message; /* texts of the options point into the first */
	struct pindrop_host host;
	void *library;
	const struct pindrop_plugin *table;
	union pindrop_value *options;
	bool open;
	void *state;
	struct batch batch;
	const char **skipped; /* into `message`; ended by NULL */
	size_t skipped_count;
};

static int set_up(struct server *server, int socket)
{
	const char *path, *name, *root;
	struct error error;

	if (message_receive(socket, &server->setup, -1) != 1 || !message_get_text(&server->setup, &path) ||
	    !message_get_text(&server->setup, &name) || !message_get_text(&server->setup, &root))
		return -1;
	server->host.root = root;
	server->table = loader_load(path, name, &server->library, &error);
	if (!server->table) {
		fprintf(stderr, "pindrop: %s\n", error.text);
		return -1;
	}
	server->options = wire_get_options(&server->setup, server->table);
	return server->options ? 0 : -1;
}

static int read_request(struct server *server, const struct pindrop_family **family)
{
	const char *name, *skipped;

	if (!message_get_text(&server->message, &name) || !name)
		return -1;
	*family = NULL;
	for (size_t i = 0; i < server->table->family_count; i++)
		if (strcmp(server->table->families[i].name, name) == 0)
			*family = &server->table->families[i];
	server->skipped_count = 0;
	while (message_get_text(&server->message, &skipped) && skipped) {
		server->skipped = memory_resize(server->skipped, server->skipped_count + 1, sizeof(*server->skipped));
		server->skipped[server->skipped_count++] = skipped;
	}
	return *family ? 0 : -1;
}

/* Says in the shared page what follows, so that the agent knows it when this process never comes back. */
static bool enter(void *context, const char *instance)
{
	struct server *server = context;

	for (size_t i = 0; i < server->skipped_count; i++)
		if (strcmp(server->skipped[i], instance) == 0)
			return false;
	snprintf(server->page->place, sizeof(server->page->place), "%s", instance);
	return true;
}

static int sample(struct server *server, const struct pindrop_family *family, struct error *error)
{
	struct pindrop_batch handed = {.batch = &server->batch, .enter = enter, .context = server};
	int64_t began = clock_monotonic();
	int failed;

	batch_begin(&server->batch, 0, family->field_count, family->label_count);
	/* What cannot be opened now is tried again with the next question. */
	if (!server->open && host_open(&server->host, server->table, server->options, &server->state, error) < 0)
		return -1;
	server->open = true;
	failed = host_sample(&server->host, family, server->state, &handed, error);
	server->page->place[0] = '\0';
	server->batch.duration = clock_monotonic() - began;
	return failed;
}

static void release(struct server *server)
{
	if (server->open && server->table->close)
		server->table->close(server->state);
	for (size_t i = 0; server->options && i < server->table->option_count; i++)
		if (server->table->options[i].type >= PINDROP_STRINGS)
			free((void *)server->options[i].list);
	free(server->options);
	loader_unload(server->library);
	batch_release(&server->batch);
	free(server->skipped);
	message_release(&server->setup);
	message_release(&server->message);
}

int remote_serve(int socket, struct worker_page *page)
{
	struct server server = {.page = page};
	const struct pindrop_family *family;
	int failed = set_up(&server, socket);

	while (!failed && message_receive(socket, &server.message, -1) == 1 && read_request(&server, &family) == 0) {
		struct error error = {""};
		bool good = sample(&server, family, &error) == 0;

		message_clear(&server.message);
		wire_put_kind(&server.message, WIRE_REPLY);
		wire_put_reply(&server.message, &server.batch, good ? NULL : &error);
		failed = message_send(socket, &server.message, -1);
	}
	release(&server);
	return failed ? 1 : 0;
}

const struct worker_kind collect_worker_kind = {.name = "pindrop-sampler",
                                                .run = remote_serve,
                                                .memory_limit = MEMORY_MAX};
