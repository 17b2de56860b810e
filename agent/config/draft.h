/* config/draft.h: what the files that check a configuration show each other: a plan while it is made.
 *
 *     values.c     JSON values -> option values, by a table of options; and back
 *     aggregate.c  one aggregate "name" { … }
 *     collector.c  one collector "name" { … }
 *     plan.c       everything else, and the order of things
 *     share.c      who holds a plan, and what two plans have in common
 *
 * One thread at a time. */
#ifndef CONFIG_DRAFT_H
#define CONFIG_DRAFT_H

#include <jansson.h>
#include <pindrop/plugin.h>
#include <stdatomic.h>
#include <stddef.h>

#include "config/plan.h"

/* A plugin's options, with those that every plugin has in front (plugin_options); of a collector its own alone. */
struct plugin_values {
	const struct pindrop_option *rows;
	size_t count;
	union pindrop_value *values;
};

/* What a plan owns, and the values that it was made of, for plan_to_json(). */
struct plan_memory {
	atomic_size_t readers;
	void **blocks;
	size_t block_count;
	union pindrop_value *agent, *purge, *store, *limits;
	struct plugin_values *plugins;    /* as many as the plan has */
	union pindrop_value **aggregates; /* as many as the plan has */
	int *aggregate_lines;
};

struct mistake {
	int line;
	char *text;
};

struct draft {
	struct plan *plan;
	struct plan_memory *memory;
	const char *file;
	int line;          /* of the declaration that is being checked; 0: a default */
	char subject[128]; /* its name: `plugin "disk"` */
	struct mistake *mistakes;
	size_t mistake_count;
	/* Growing; become the plan's. */
	struct plan_plugin *plugins;
	struct plan_family *families;
	struct plan_aggregate *aggregates;
	bool called; /* something is a function, for which a worker has to run the script */
	int retention_line;
	bool bad_tiers; /* mistakes were told of them */
	size_t refused; /* plugins that were left out */
	size_t missing; /* plugins that are not there: a mistake that was told */
};

/* Hands a block to the plan. Returns it. */
void *draft_keep(struct draft *draft, void *block);

/* One more mistake, in the declaration that is being checked. Returns false. */
bool draft_mistake(struct draft *draft, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What mistakes are told of from now on. */
void draft_look_at(struct draft *draft, int line, const char *what, const char *name);

/* An interval of a second or more is the base step of an RRD file, which counts in seconds. */
bool draft_check_interval(struct draft *draft, double seconds);

/* Fills values with the presets of a table. */
void values_preset(struct draft *draft, const struct pindrop_option *options, size_t count,
                   union pindrop_value *values);

/* Reads the keys of an object; those that it does not have keep their value. False: mistakes were told. */
bool values_read(struct draft *draft, const json_t *object, const struct pindrop_option *options, size_t count,
                 union pindrop_value *values);

/* The object that values_read() reads back. New reference. */
json_t *values_to_json(const struct pindrop_option *options, size_t count, const union pindrop_value *values);

/* Appends one aggregate to the draft. `values` is kept. */
void aggregate_check(struct draft *draft, const char *name, union pindrop_value *values);

/* Appends one collector to the draft's plugins. */
void collector_read(struct draft *draft, const char *name, const json_t *value);

/* Tells those that have a name of somebody else, once all plugins are there. */
void collector_check_names(struct draft *draft);

/* Fills in the limits that it does not set itself. Its interval is known. */
void collector_take_limits(struct draft *draft, struct plan_plugin *plugin, union pindrop_value *values);

#endif
