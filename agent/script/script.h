/* script/script.h: pindrop.lua while it runs. The only room that calls Lua.
 *
 *     run.c      the file is run, and its functions are called
 *     declare.c  agent { … }, plugin "name" { … }: what the file says, as JSON, and the functions that it gives
 *     library.c  what Lua is offered beside its own libraries: pindrop.read, … (command.c: pindrop.run)
 *     modules.c  where `require` looks, and the digest of what was read
 *     window.c   what the function of an aggregate looks at
 *     state.c    a Lua state with limits: memory by its allocator, time by a timer
 *     trace.c    errors with a traceback in one line
 *
 * A script lives in a worker's process, on its only thread. What it does there costs nobody else anything: an endless
 * loop ends by a signal after its time; what does not even hear that (a pattern that never ends, a call that blocks) is
 * ended by the agent, for which the place stands in the page that both share: as one line, "pindrop.lua:14: ran longer
 * than 1 s (in function 'find'; called from pindrop.lua:14)"; "" while nothing is late. */
#ifndef SCRIPT_SCRIPT_H
#define SCRIPT_SCRIPT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "worker/nursery.h"

struct script_limits {
	int64_t time;  /* of one call, ns */
	size_t memory; /* of the state, bytes */
};

/* How much longer than its time a call may take before the agent should end the worker: the time is then up within the
 * worker, and where it was stands in the page. */
#define SCRIPT_GRACE (200 * CLOCK_MILLISECOND)

/* What the words of a failure hold where the state was full: only a new one has room again. */
#define SCRIPT_FULL "not enough memory"

/* What a script asks of the agent. */
struct script_host {
	/* pindrop.get(): the newest value of "cpu.usage" ("" for `instance`: of a family without, or the only one); NaN is
	 * unknown. -1 with the words: there is no such metric. NULL: no agent is there to be asked, nothing is known. */
	int (*get)(void *context, const char *metric, const char *instance, double *value, struct error *error);
	void *context;
};

struct script_setup {
	const char *file; /* as messages name it; its folder is where `require` looks first */
	const char *text; /* what to run in place of what the file holds now; NULL: the file is read */
	const char *root; /* below which pindrop.read() and others find absolute paths; "" for "/" */
	struct script_limits limits;
	struct worker_page *page;
	const struct script_host *host; /* outlives the script */
	bool bare;                      /* nothing that reaches out of the state, or runs long in C: for fuzzing */
};

struct script;

/* Runs the file. NULL with the words, "pindrop.lua:12: …". */
struct script *script_new(const struct script_setup *setup, struct error *error);
void script_free(struct script *script);

/* What the file declared: {"declarations": […], "script": text or null where it gave no function, "digest": "…",
 * "modules": ["/path", …]}. What JSON cannot say is {"$type": "function"}. New reference. */
json_t *script_declarations(const struct script *script);

/* Changes the limits of the calls to come. */
void script_limit(struct script *script, const struct script_limits *limits);

/* Where the answer of a collector's function goes. */
struct script_sink {
	const char *const *fields; /* the names of the values, in the order of a row */
	size_t field_count;
	bool instances; /* the function answers { name = { field = value } }, otherwise { field = value } */

	/* Adds an instance ("" for none) and returns its values, all NaN. */
	double *(*row)(void *context, const char *instance);
	void *context;
};

/* Calls the `sample` of collector "name". nil is an error; so is an answer of another shape, or a field that was not
 * declared. A field that is missing, or nil, is unknown. 0 or -1 with the words: one line, with the traceback. */
int script_sample(struct script *script, const char *name, const struct script_sink *sink, struct error *error);

/* What a function of an aggregate looks at. Samples that are unknown are left out, and counted. */
struct script_window {
	size_t count;         /* of values and times */
	const double *values; /* oldest first: samples, or, of a long window, averages of neighbours */
	const double *times;  /* s since 1970 */
	double over;          /* s; 0: since the last start */
	double samples, unknown;
	double min, max, avg, sum, last, stddev; /* exact; NaN where there is no sample */
};

/* Calls the `fn` of aggregate "name", where it has one (*value is the answer; nil is NaN), and then its `format`, where
 * that is a function (*text is the answer, for free(); NULL: it has none, or answered nil). `value` goes in where `fn`
 * is no function. 0 or -1 with the words. */
int script_aggregate(struct script *script, const char *name, const struct script_window *window, double *value,
                     char **text, struct error *error);

#endif
