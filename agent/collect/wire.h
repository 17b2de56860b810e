/* collect/wire.h: what the agent and a worker say to each other, as messages. Pure.
 *
 *     setup    which plugin, its options, the root     once, agent to worker
 *     request  which family, what to leave alone       agent to worker
 *     reply    a batch, or why there is none           worker to agent */
#ifndef COLLECT_WIRE_H
#define COLLECT_WIRE_H

#include <pindrop/plugin.h>
#include <stdbool.h>

#include "base/error.h"
#include "metric/batch.h"
#include "worker/message.h"

/* The options of a plugin, in the order of its table. */
void wire_put_options(struct message *message, const struct pindrop_plugin *table, const union pindrop_value *values);

/* Reads them; texts point into the message. One block of values and one for each list, which live as long as the
 * worker. NULL: they do not fit the table. */
union pindrop_value *wire_get_options(struct message *message, const struct pindrop_plugin *table);

/* A batch's rows; `error` is told instead when it is not NULL. */
void wire_put_reply(struct message *message, const struct batch *batch, const struct error *error);

/* Reads rows into a batch that batch_begin() has emptied. 1; 0 with the worker's words in `error`; -1: it is no reply. */
int wire_get_reply(struct message *message, struct batch *batch, struct error *error);

#endif
