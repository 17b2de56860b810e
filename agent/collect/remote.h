/* collect/remote.h: a plugin's families that may block, asked of a worker process. Sampler thread.
 *
 *     remote_ask()      -> setup, request   ->  worker: dlopen, open(), sample()
 *     remote_readable() <- a batch, or words <-
 *
 * A worker samples one family at a time. What it enters (pindrop_row_enter) stands in the page that both share, so
 * that when it does not answer in time, or crashes, the agent knows what it hangs on. That instance is skipped, a
 * fresh worker takes the rest at once, and the old one is killed, or, where not even that ends it, left behind. The
 * instance is tried again some time after the process that hung on it has ended.
 *
 * Nobody waits for a worker to be started either: the question does, for at most NURSERY_SPAWN_MAX, and its own time
 * counts from when the worker is there.
 *
 * Without such a name the whole family has failed, and is tried again after a time that doubles.
 *
 * A collector in Lua is asked in the same way, of a worker that runs pindrop.lua. It has the time that it was given and
 * SCRIPT_GRACE, the first question CONFIG_RUN_MAX more, for the file; what its page tells is where in the file it was.
 * After an error, of whatever kind, it is left alone: until its next tick, and then for a time that doubles. While it
 * works it may ask for the value of a metric. */
#ifndef COLLECT_REMOTE_H
#define COLLECT_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "collect/link.h"
#include "config/plan.h"
#include "metric/batch.h"
#include "metric/gap.h"
#include "worker/nursery.h"

/* A worker that has not answered after one interval of its plugin, but in these bounds, hangs. */
#define REMOTE_DEADLINE_MIN CLOCK_SECOND
#define REMOTE_DEADLINE_MAX (10 * CLOCK_SECOND)

/* Processes of one plugin that hang and cannot be killed: beyond that many its families are not sampled any more. */
#define REMOTE_LEFT_MAX 32

/* A sample that was asked for and does not come. */
struct remote_lost {
	int64_t tick; /* as it was asked */
	bool on_tick;
	enum gap_reason reason; /* GAP_TIMEOUT, GAP_ERROR; GAP_STOPPED: remote_stop() came before the answer */
	const struct error *error;
};

/* What is told of a family's sample: its batch, or NULL and why there is none. Of a collector also, off a tick, that its
 * worker has ended while nothing was asked. */
typedef void remote_told(void *context, size_t family, struct batch *batch, const struct remote_lost *lost);

/* What hangs. */
struct remote_stuck {
	size_t family;
	char *instance;
	int64_t since;          /* monotonic, ns */
	pid_t pid;              /* of the process that hangs on it; 0: it has ended */
	int64_t retry_at;       /* monotonic, ns; when pid is 0 */
	int64_t pause;          /* until the next try, ns */
	bool trying;            /* it is entered again */
	enum gap_reason reason; /* GAP_TIMEOUT: it hangs; GAP_ERROR: the worker crashed there */
};

struct remote;

/* What all of them share. */
struct remote_means {
	struct nursery *nursery;
	size_t worker_kind, script_kind; /* collect_worker_kind and script_worker_kind among the kinds */
	int epoll;                       /* is told of the workers' sockets, with the remote as the data pointer */
	remote_told *told;
	void *context; /* of `told` */
	link_get *get;
	void *get_context;
};

struct remote *remote_new(const struct plan *plan, const struct plan_plugin *plugin, const struct remote_means *means);
void remote_free(struct remote *remote);

/* Ends it, and tells nothing of what was asked. */
void remote_discard(struct remote *remote);

/* The plan was exchanged for another, in which the plugin goes on (plan_same_plugin): what is asked now, too. */
void remote_adopt(struct remote *remote, const struct plan *plan, const struct plan_plugin *plugin);

/* Whether a sample of a family was asked for and has not come; *tick as it was asked, 0 for one off a tick. */
bool remote_awaits(const struct remote *remote, size_t family, int64_t *tick);

/* Asks for a sample of a family (of the plan). False: the last one has not been answered. */
bool remote_ask(struct remote *remote, size_t family, int64_t tick, bool on_tick);

/* What is left alone is asked again with its next tick. */
void remote_forgive(struct remote *remote);

/* Ends the worker; what was asked is told as lost, and forgotten. */
void remote_stop(struct remote *remote);

/* The worker's socket is readable, or closed. */
void remote_readable(struct remote *remote);

/* The nursery has told of a worker that is there, or is not; perhaps ours. */
void remote_started(struct remote *remote, const struct nursery_notice *notice);

/* A process has ended, perhaps one of ours. */
void remote_exited(struct remote *remote, pid_t pid, int status);

/* When remote_expire() is to be called: monotonic, ns; INT64_MAX: never. */
int64_t remote_deadline(const struct remote *remote);
void remote_expire(struct remote *remote);

/* What hangs now. `*version` goes up with every change. */
const struct remote_stuck *remote_stuck(const struct remote *remote, size_t *count, uint64_t *version);

/* The worker's side: what the worker kind runs. */
int remote_serve(int socket, struct worker_page *page);

#endif
