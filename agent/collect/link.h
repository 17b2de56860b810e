/* collect/link.h: a worker of the sampler thread, and what goes to and fro between them, never waiting for it.
 *
 * What the worker does not take at once is kept, and sent when it does: whoever asked has a deadline for the answer. A
 * worker that runs pindrop.lua may ask back. */
#ifndef COLLECT_LINK_H
#define COLLECT_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "worker/message.h"
#include "worker/nursery.h"

/* The value of a metric (collect_sink.get). */
typedef int link_get(void *context, const char *metric, const char *instance, double *value, struct error *error);

struct link {
	struct nursery *nursery;
	size_t kind; /* of the worker */
	int epoll;   /* is told of the socket, with `whom` as its data pointer */
	void *whom;
	link_get *get;        /* NULL: nothing is known */
	void *context;        /* of `get` */
	uint64_t request;     /* a worker is being started; 0: none is */
	struct worker worker; /* pid 0: there is none */
	struct message in;    /* what has come */
	struct message out;   /* what has yet to go */
};

/* Asks the nursery for a worker, and does not wait. 0, or -1 with the words. */
int link_open(struct link *link, struct error *error);

/* The nursery has told of a worker. 1: it is ours, and there; -1: it is ours, and not there (notice->error). 0: it is
 * another's. */
int link_started(struct link *link, const struct nursery_notice *notice);

/* Closes its socket, by which a worker that is well ends by itself, and kills it. There may be none, or none yet. */
void link_close(struct link *link);
void link_release(struct link *link); /* … and frees all */

/* Sends it, now or later. That the worker has ended is told by link_receive(). */
void link_send(struct link *link, const struct message *message);

/* The socket is readable, writable or closed. 1: a message is in `in`. 0: not yet. -1: it has ended; how, is told by the
 * nursery, which reaps it: until then its socket is not looked at. */
int link_receive(struct link *link);

/* What is in `in` asks for a metric: answers. -1: it does not, or the worker has not taken the answer before. */
int link_answer(struct link *link);

/* How long what has failed once more is left alone, ns: `first`, where it did well before (0), then twice as long each time,
 * at most `most`. */
int64_t link_back_off(int64_t pause, int64_t first, int64_t most);

/* How a worker has ended, from its status of wait(2): "was ended by signal 9 (Killed)". */
void link_describe_end(int status, struct error *how);

/* What a worker that runs pindrop.lua is lost by; `how` "has not answered for 1.2 s" where it is `late`. Its page tells
 * where in the file it was, and that its time was up. */
void link_describe_loss(const struct link *link, bool late, const struct error *how, struct error *words);

#endif
