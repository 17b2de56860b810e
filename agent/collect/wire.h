/* collect/wire.h: what the agent and a worker say to each other, as messages. Pure.
 *
 *     setup    which plugin, its options, the root     once, agent to worker
 *     request  which family, what to leave alone       agent to worker
 *     reply    a batch, or why there is none           worker to agent
 *
 * A worker that runs pindrop.lua is told, once, the file and its limits, and, where it is a collector's, that; a
 * request is then empty, or an aggregate with its window. It may speak before it replies:
 *
 *     running  the file has been run: what follows is the function
 *     ask      the value of a metric, which is answered at once
 *
 * so that each message to the agent begins with its kind. */
#ifndef COLLECT_WIRE_H
#define COLLECT_WIRE_H

#include <pindrop/plugin.h>
#include <stdbool.h>

#include "base/error.h"
#include "metric/batch.h"
#include "script/script.h"
#include "worker/message.h"

enum wire_kind { WIRE_NONE, WIRE_REPLY, WIRE_RUNNING, WIRE_ASK };
void wire_put_kind(struct message *message, enum wire_kind kind);
enum wire_kind wire_get_kind(struct message *message);

/* The options of a plugin, in the order of its table. */
void wire_put_options(struct message *message, const struct pindrop_plugin *table, const union pindrop_value *values);

/* Reads them; texts point into the message. One block of values and one for each list, which live as long as the
 * worker. NULL: they do not fit the table. */
union pindrop_value *wire_get_options(struct message *message, const struct pindrop_plugin *table);

/* A batch's rows; `error` is told instead when it is not NULL. */
void wire_put_reply(struct message *message, const struct batch *batch, const struct error *error);

/* Reads rows into a batch that batch_begin() has emptied. 1; 0 with the worker's words in `error`; -1: it is no reply. */
int wire_get_reply(struct message *message, struct batch *batch, struct error *error);

/* What a worker is to run, but for what only it knows: page and host. Texts point into the message. */
void wire_put_script(struct message *message, const struct script_setup *setup);
bool wire_get_script(struct message *message, struct script_setup *setup);

/* A collector and the shape of its answer. `fields` is for free() where it was got. */
struct wire_collector {
	const char *name; /* NULL: this worker is for aggregates */
	bool instances;
	size_t field_count;
	const char **fields;
};
void wire_put_collector(struct message *message, const struct wire_collector *collector);
bool wire_get_collector(struct message *message, struct wire_collector *collector);

/* What a metric is asked by. */
void wire_put_ask(struct message *message, const char *metric, const char *instance);
bool wire_get_ask(struct message *message, const char **metric, const char **instance);

/* A value and what was made of it (`text` may be NULL), or why there is none. As wire_get_reply(). */
void wire_put_value(struct message *message, double value, const char *text, const struct error *error);
int wire_get_value(struct message *message, double *value, const char **text, struct error *error);

/* A question about an aggregate. `block` is for free(): values and times. */
void wire_put_window(struct message *message, const char *name, const struct script_window *window, double value);
bool wire_get_window(struct message *message, const char **name, struct script_window *window, double *value,
                     double **block);

#endif
