/* config/plan.h: what pindrop.lua asks for, checked and complete, as one struct that never changes.
 *
 * Made by plan_check() from the Lua worker's answer and the plugins' tables; read by every later room, from any
 * thread, without a lock. The plan owns all it points to, but for the plugins' tables, which belong to the loader. */
#ifndef CONFIG_PLAN_H
#define CONFIG_PLAN_H

#include <jansson.h>
#include <pindrop/plugin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

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
};

struct plan_aggregate {
	const char *name;
	size_t family, field; /* places in the plan's families and in the family's fields */
	const char *instance; /* NULL: all instances together */
	enum plan_fn fn;
	const char *fn_name; /* as it was written: "p99.9" */
	double quantile;     /* 0 … 1, of PLAN_QUANTILE */
	int64_t over;        /* ns; 0: since the last start of the service */
	const char *format;  /* printf format with one %…f/e/g conversion, checked, for past_stat; NULL: stays a number */
};

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
	struct plan_memory *memory;              /* all of the above, for plan_free() */
};

/* Every mistake that was found, in the order of the file: "pindrop.lua:12: …". Starts as all zero. */
struct plan_mistakes {
	size_t count;
	char **texts;
};
void plan_mistakes_release(struct plan_mistakes *mistakes);

/* A plugin that was loaded for the plan: the loader's answer to a name (config/loader.h). */
struct plan_found {
	const struct pindrop_plugin *table; /* NULL: `error` says why */
	const char *path;
	bool missing; /* no such file: a mistake in the configuration, while a bad plugin is only left out */
	struct error error;
};
typedef void plan_find(void *context, const char *name, struct plan_found *found);

/* Makes the plan of what the Lua worker answered. `find` is asked once for each plugin that is named. Returns NULL
 * with at least one mistake told, or the plan, for plan_free(). Plugins that are refused are logged and left out. */
struct plan *plan_check(const json_t *answer, const char *file, plan_find *find, void *context,
                        struct plan_mistakes *mistakes);
void plan_free(struct plan *plan);

/* The plan as the JSON that plan_check() would read again to the same plan, all defaults filled in. New reference. */
json_t *plan_to_json(const struct plan *plan);

/* The step in which a tier is kept for a family with this interval (ns): the tier's own, or the next multiple of the
 * family's base step, s. The base step is the interval, at least 1 s, in whole seconds. */
int64_t plan_base_step(int64_t interval);
int64_t plan_tier_step(const struct plan_tier *tier, int64_t interval);

#endif
