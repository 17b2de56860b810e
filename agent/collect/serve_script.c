/* collect/serve_script.c: the worker's side of what runs pindrop.lua: a collector (collect/remote.h) or all aggregates
 * whose functions are in Lua (collect/evaluate.h). One thread, one Lua state, one question at a time. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/memory.h"
#include "collect/collect.h"
#include "collect/wire.h"
#include "config/config.h"
#include "script/script.h"

/* What the worker may have beside what its Lua state may allocate: the program itself, and libraries that a script loads;
 * address space. */
#define MEMORY_MORE ((size_t)2 << 30)

/* Whoever samples in time goes first, also where many functions run wild on few processors. */
#define NICE 5

struct server {
	int socket;
	struct message setup; /* texts of the two below point into it */
	struct script_setup script_setup;
	struct wire_collector collector;
	struct script_limits limits; /* of its function */
	struct script_host host;
	struct script *script; /* NULL: the file has not been run, or failed */
	struct message question, reply, asked;
	struct batch batch;
};

/* Asks the agent, which answers at once. It waits for us meanwhile. */
static int get(void *context, const char *metric, const char *instance, double *value, struct error *error)
{
	struct server *server = context;
	const char *text;
	int got;

	message_clear(&server->asked);
	wire_put_kind(&server->asked, WIRE_ASK);
	wire_put_ask(&server->asked, metric, instance);
	if (message_send(server->socket, &server->asked, -1) < 0 ||
	    message_receive(server->socket, &server->asked, -1) != 1 ||
	    (got = wire_get_value(&server->asked, value, &text, error)) < 0)
		return error_set(error, "the agent does not answer");
	return got ? 0 : -1;
}

static int set_up(struct server *server, int socket, struct worker_page *page)
{
	char name[32];

	server->socket = socket;
	if (message_receive(socket, &server->setup, -1) != 1 || !wire_get_script(&server->setup, &server->script_setup) ||
	    !wire_get_collector(&server->setup, &server->collector))
		return -1;
	server->limits = server->script_setup.limits;
	server->script_setup.limits.time = CONFIG_RUN_MAX;
	server->script_setup.page = page;
	server->host = (struct script_host){get, server};
	server->script_setup.host = &server->host;
	worker_limit(server->limits.memory + MEMORY_MORE);
	setpriority(PRIO_PROCESS, 0, NICE);
	if (server->collector.name) {
		snprintf(name, sizeof(name), "lua:%s", server->collector.name);
		worker_rename(name);
	}
	return 0;
}

/* Runs the file, once. What fails is tried again with the next question. */
static int run_file(struct server *server, struct error *error)
{
	struct message running = {0};

	server->script_setup.page->place[0] = '\0';
	if (server->script)
		return 0;
	server->script = script_new(&server->script_setup, error);
	if (!server->script)
		return -1;
	script_limit(server->script, &server->limits);
	wire_put_kind(&running, WIRE_RUNNING);
	message_send(server->socket, &running, -1);
	message_release(&running);
	return 0;
}

/* --- a collector ---------------------------------------------------------------------------------------------- */

static double *add_row(void *context, const char *instance)
{
	struct server *server = context;

	return batch_add(&server->batch, instance, NULL);
}

static void sample(struct server *server)
{
	const struct script_sink sink = {.fields = server->collector.fields,
	                                 .field_count = server->collector.field_count,
	                                 .instances = server->collector.instances,
	                                 .row = add_row,
	                                 .context = server};
	struct error error = {""};
	int64_t began;
	bool good;

	batch_begin(&server->batch, 0, sink.field_count, 0);
	good = run_file(server, &error) == 0;
	began = clock_monotonic();
	good = good && script_sample(server->script, server->collector.name, &sink, &error) == 0;
	server->batch.duration = clock_monotonic() - began;
	wire_put_reply(&server->reply, &server->batch, good ? NULL : &error);
}

/* --- an aggregate --------------------------------------------------------------------------------------------- */

/* -1: that was no question. */
static int aggregate(struct server *server)
{
	struct script_window window;
	struct error error = {""};
	char *text = NULL;
	const char *name;
	double value, *block;
	bool good;

	if (!wire_get_window(&server->question, &name, &window, &value, &block))
		return -1;
	good = run_file(server, &error) == 0 && script_aggregate(server->script, name, &window, &value, &text, &error) == 0;
	wire_put_value(&server->reply, value, text, good ? NULL : &error);
	free(text);
	free(block);
	return 0;
}

/* --- life ----------------------------------------------------------------------------------------------------- */

static void release(struct server *server)
{
	script_free(server->script);
	free((void *)server->collector.fields);
	batch_release(&server->batch);
	message_release(&server->setup);
	message_release(&server->question);
	message_release(&server->reply);
	message_release(&server->asked);
}

static int serve(int socket, struct worker_page *page)
{
	struct server server = {0};
	int failed = set_up(&server, socket, page);

	while (!failed && message_receive(socket, &server.question, -1) == 1) {
		message_clear(&server.reply);
		wire_put_kind(&server.reply, WIRE_REPLY);
		if (server.collector.name)
			sample(&server);
		else
			failed = aggregate(&server);
		failed = failed || message_send(socket, &server.reply, -1) < 0;
	}
	release(&server);
	return failed ? 1 : 0;
}

/* Its memory is limited by what it is told. */
const struct worker_kind script_worker_kind = {.name = "pindrop-lua", .run = serve};
