/* worker/nursery.h: the process that other processes come from.
 *
 * Forking a process that has threads is a trap, so the agent forks one small process before its first thread, the
 * nursery, and asks it for workers. The nursery is their parent: it reaps and kills them, and ends with the agent,
 * taking them along. A worker runs one function of the agent's own program, with one end of a stream socket. It leads a
 * session: what it has started (a script's io.popen) ends with it, however it ends.
 *
 * Threads: nursery_start() before any thread exists; afterwards one thread at a time uses a handle. A second thread has
 * a branch, which is a handle on the same process with workers of its own. */
#ifndef WORKER_NURSERY_H
#define WORKER_NURSERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/* A page of memory that agent and worker share, so that the agent can see where a worker is that no longer answers. */
#define WORKER_PLACE_SIZE 4096
struct worker_page {
	char place[WORKER_PLACE_SIZE]; /* what it is doing now, written by the worker; "" for nothing special */
};

/* What a worker of one kind runs. It must return when the socket is closed. The result is its exit status. */
struct worker_kind {
	const char *name; /* for ps: "pindrop-lua" */
	int (*run)(int socket, struct worker_page *page);
	size_t memory_limit; /* of address space (RLIMIT_AS), bytes; 0: none. Not in force under a sanitizer */
};

struct nursery;

struct worker {
	pid_t pid;
	int socket; /* the agent's end, close-on-exec, blocking */
	struct worker_page *page;
};

/* `kinds` must be constant for the life of the program. */
struct nursery *nursery_start(const struct worker_kind *const *kinds, size_t count, struct error *error);
void nursery_stop(struct nursery *nursery); /* ends all workers at once, never waits for one */

/* A second handle for another thread: exits of the workers that it spawns are told there. To be stopped before the
 * first, which ends its workers. Made by the thread that uses `nursery`. */
struct nursery *nursery_branch(struct nursery *nursery, struct error *error);

/* Starts a worker; returns when its process exists. Release the worker with worker_release(). */
int nursery_spawn(struct nursery *nursery, size_t kind, struct worker *worker, struct error *error);

/* Ends a worker, with all that it has started, by SIGKILL. That it has ended is told by nursery_exited(). Harmless for one that has. */
void nursery_kill(struct nursery *nursery, pid_t pid);

/* Readable when a worker has exited. One that exited while another was spawned has been read already: whether there is
 * one, nursery_has_exits() tells without a system call. */
int nursery_fd(const struct nursery *nursery);
bool nursery_has_exits(const struct nursery *nursery);

/* The next worker that has exited, with its status as of wait(2). False: no more for now (*pid is -1), or ever, as the
 * nursery itself has died (*pid is 0). Does not wait. */
bool nursery_exited(struct nursery *nursery, pid_t *pid, int *status);

/* Closes the agent's end of the socket and unmaps the page. The worker then sees the end of its input. */
void worker_release(struct worker *worker);

/* In the worker: what ps calls it, 15 bytes of which are seen. */
void worker_rename(const char *name);

/* In the worker: as memory_limit, for one that is told how much it may have. What it starts has the same limit. */
void worker_limit(size_t bytes);

#endif
