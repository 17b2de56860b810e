/* config/plan.h: what pindrop.lua asks for, checked and complete, as one struct that never changes.
 *
 * Made by plan_check() from the Lua worker's answer and the plugins' tables; read by every later room, from any
 * thread, without a lock. The plan owns all it points to, but for the plugins' tables, which belong to the loader; those
 * of collectors are its own. When the file is saved a new plan takes its place: whoever reads one holds it (plan_hold). */
#ifndef CONFIG_PLAN_H
#define CONFIG_PLAN_H

#include <jansson.h>
#include <pindrop/plugin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

struct plan_tier {
	int64_t step; /* s, at least 1 */
	int64_t keep; /* s, at least one step */
};

struct plan_plugin {
	const char *name;
	const struct pindrop_plugin *table;
	const char *path;                   /* of the shared object, for the worker that loads it anew */
	int64_t interval;                   /* ns */
	const union pindrop_value *options; /* as many as the table has, in its order */
	int line;                           /* in pindrop.lua; 0: it is not named there */

	/* A collector in Lua: a plugin with one family of its own name, whose table the plan owns, and which a worker samples
	 * that runs plan->script. */
	bool collector;
	int64_t timeout; /* of a collector: how long its function may run, ns */
	size_t memory;   /* of a collector: what it may allocate, bytes */
};

struct plan_family {
	const struct pindrop_family *table;
	const struct plan_plugin *plugin;
};

enum plan_fn {
	PLAN_MIN,
	PLAN_MAX,
	PLAN_AVG,
	PLAN_SUM,
	PLAN_LAST,
	PLAN_COUNT,
	PLAN_STDDEV,
	PLAN_QUANTILE, /* p50 … p99.9 */
	PLAN_ETA,      /* seconds until it reaches `to` at its present trend */
	PLAN_FUNCTION, /* of Lua */
};

struct plan_aggregate {
	const char *name;
	size_t family, field; /* places in the plan's families and in the family's fields */
	const char *instance; /* NULL: all instances together */
	enum plan_fn fn;
	const char *fn_name; /* as it was written: "p99.9"; "function" */
	double quantile;     /* 0 … 1, of PLAN_QUANTILE */
	double to;           /* of PLAN_ETA */
	int64_t over;        /* ns; 0: since the last start of the service */
	const char *format;  /* printf format with one %…f/e/g conversion, checked, for past_stat; NULL: stays a number */
	bool formatted;      /* `format` is a function of Lua, which makes a text of the value */
};

/* Whether a worker that runs plan->script has to be asked for it. */
static inline bool plan_is_asked(const struct plan_aggregate *aggregate)
{
	return aggregate->fn == PLAN_FUNCTION || aggregate->formatted;
}

struct plan {
	const char *file;        /* as given: "pindrop.lua" */
	const char *listen_host; /* "127.0.0.1"; an IPv6 address stands without brackets */
	uint16_t listen_port;    /* 0: the kernel chooses */
	const char *data_dir;    /* absolute, or relative to the working directory; without a slash at its end */
	const char *root;        /* "" for "/", else without a slash at its end */
	int64_t interval;        /* ns: of plugins that say none */
	int64_t flush;           /* ns */
	bool autostart;
	int64_t purge_after;    /* s */
	int64_t purge_max_size; /* bytes */
	const char *rrdcached;  /* address of the daemon that writes the files; NULL: the agent does */
	int64_t journal_size;   /* bytes */
	size_t tier_count;
	const struct plan_tier *tiers; /* finest first, steps strictly rising */
	size_t plugin_count;
	const struct plan_plugin *plugins;
	size_t family_count;
	const struct plan_family *families; /* those that are switched on */
	size_t aggregate_count;
	const struct plan_aggregate *aggregates; /* in the order of the file */
	const char *script;    /* the text of the file, for workers that run it; NULL: it has no functions */
	const char *digest;    /* of that text and of all modules that it loaded: the same digest is the same Lua */
	int64_t limit_timeout; /* how long the function of an aggregate may run, ns */
	size_t limit_memory;   /* what the worker of the aggregates may allocate, bytes */
	size_t module_count;
	const char *const *modules; /* paths of the modules that the file loaded: they are watched as the file is */
	struct plan_memory *memory; /* all of the above; NULL: it was not made by plan_check() and is never freed */
};

/* A plugin that was loaded for the plan: the loader's answer to a name (config/loader.h). */
struct plan_found {
	const struct pindrop_plugin *table; /* NULL: `error` says why */
	const char *path;
	bool missing; /* no such file: a mistake in the configuration, while a bad plugin is only left out */
	struct error error;
};
typedef void plan_find(void *context, const char *name, struct plan_found *found);

/* Makes the plan of what the Lua worker answered. `find` is asked once for each plugin that is named. Returns NULL
 * with at least one mistake told, in the order of the file: "pindrop.lua:12: …"; or the plan, for plan_release().
 * Plugins that are refused are logged and left out. */
struct plan *plan_check(const json_t *answer, const char *file, plan_find *find, void *context,
                        struct text_list *mistakes);

/* One more who reads it; one less, the last of whom frees it (NULL: nothing). Any thread. */
const struct plan *plan_hold(const struct plan *plan);
void plan_release(const struct plan *plan);

/* Finds a family, or an aggregate, by its name; SIZE_MAX: there is none. */
size_t plan_find_family(const struct plan *plan, const char *name);
size_t plan_find_aggregate(const struct plan *plan, const char *name);

/* Whether samples of one are samples of the other: the same name, fields (names and kinds, in the same order), instances
 * and number of labels. */
bool plan_same_family(const struct pindrop_family *a, const struct pindrop_family *b);

/* The family of the plan that goes on as the given one, or that one as it; SIZE_MAX: there is none. */
size_t plan_find_same(const struct plan *plan, const struct pindrop_family *family);

/* Whether what is sampled by one goes on as the other, with its state: the same plugin and options; of a collector the
 * same Lua. Intervals may differ. */
bool plan_same_plugin(const struct plan *a, const struct plan_plugin *in_a, const struct plan *b,
                      const struct plan_plugin *in_b);

/* The plan as the JSON that plan_check() would read again to the same plan, all defaults filled in. New reference. */
json_t *plan_to_json(const struct plan *plan);

/* The step in which a tier is kept for a family with this interval (ns): the tier's own, or the next multiple of the
 * family's base step, s. The base step is the interval, at least 1 s, in whole seconds. */
int64_t plan_base_step(int64_t interval);
int64_t plan_tier_step(const struct plan_tier *tier, int64_t interval);

#endif
