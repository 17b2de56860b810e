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

#include "base/clock.h"
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

/* How long whoever asks for a worker waits for it: what takes the nursery longer is nothing that it does itself. */
#define NURSERY_SPAWN_MAX (5 * CLOCK_SECOND)
#define NURSERY_LATE "a process for it could not be started in 5 s"

/* Asks for a worker, and never waits. The answer is a notice with the tag that this returns; one comes in any case, but
 * for what was given up. 0 with the words: the nursery has ended. */
uint64_t nursery_request(struct nursery *nursery, size_t kind, struct error *error);

/* The worker is not wanted any more: if there will be one, it is ended, and not told. */
void nursery_give_up(struct nursery *nursery, uint64_t tag);

/* Asks for a worker and waits for it. Release it with worker_release(). */
int nursery_spawn(struct nursery *nursery, size_t kind, struct worker *worker, struct error *error);

/* Ends a worker, with all that it has started, by SIGKILL, and never waits. That it has ended is told by a notice.
 * Harmless for one that has. */
void nursery_kill(struct nursery *nursery, pid_t pid);

struct nursery_notice {
	enum nursery_told {
		NURSERY_SILENT,  /* there is nothing to be told for now */
		NURSERY_SPAWNED, /* a worker is there, or could not be started */
		NURSERY_EXITED,  /* one has ended; that it was there has been told before */
		NURSERY_ENDS     /* the nursery itself has, and there will never be anything else */
	} what;
	uint64_t tag;         /* of SPAWNED */
	struct worker worker; /* of SPAWNED: the reader's from now on; pid 0: there is none, and why is in `error` */
	struct error error;
	pid_t pid;  /* of EXITED */
	int status; /* of EXITED: as of wait(2) */
};

/* The next notice; never waits. To be asked until it is silent when nursery_fd() is readable; before one waits for that,
 * where nursery_spawn() may have read some; and from time to time while nursery_is_behind(): kills then wait for room in
 * the nursery's socket, and go with this. */
enum nursery_told nursery_next(struct nursery *nursery, struct nursery_notice *notice);
int nursery_fd(const struct nursery *nursery);
bool nursery_is_behind(const struct nursery *nursery);

/* Closes the agent's end of the socket and unmaps the page. The worker then sees the end of its input. */
void worker_release(struct worker *worker);

/* In the worker: what ps calls it, 15 bytes of which are seen. */
void worker_rename(const char *name);

/* In the worker: as memory_limit, for one that is told how much it may have. What it starts has the same limit. */
void worker_limit(size_t bytes);

#endif
