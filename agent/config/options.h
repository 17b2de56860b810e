/* config/options.h: every key of pindrop.lua that no plugin declares, each in one row.
 *
 * The checks, the defaults, `pindrop describe` and `pindrop check --json` come from these tables, as they come from a
 * plugin's own table for its options. Constant; any thread. */
#ifndef CONFIG_OPTIONS_H
#define CONFIG_OPTIONS_H

#include <pindrop/plugin.h>

enum { AGENT_LISTEN, AGENT_DATA_DIR, AGENT_INTERVAL, AGENT_FLUSH, AGENT_AUTOSTART, AGENT_ROOT, AGENT_OPTIONS };
enum { TIER_STEP, TIER_KEEP, TIER_OPTIONS };
enum { PURGE_AFTER, PURGE_MAX_SIZE, PURGE_OPTIONS };
enum { STORE_RRDCACHED, STORE_JOURNAL, STORE_OPTIONS };
enum { PLUGIN_INTERVAL, PLUGIN_OPTIONS }; /* before the plugin's own */
enum {
	AGGREGATE_OF,
	AGGREGATE_INSTANCE,
	AGGREGATE_FN,
	AGGREGATE_TO,
	AGGREGATE_OVER,
	AGGREGATE_FORMAT,
	AGGREGATE_OPTIONS
};
enum {
	COLLECTOR_INTERVAL, /* where a plugin has it, too */
	COLLECTOR_INSTANCE,
	COLLECTOR_METRICS,
	COLLECTOR_SAMPLE,
	COLLECTOR_HELP,
	COLLECTOR_TIMEOUT,
	COLLECTOR_MEMORY,
	COLLECTOR_OPTIONS
};
enum { METRIC_KIND, METRIC_UNIT, METRIC_HELP, METRIC_DECIMALS, METRIC_OPTIONS }; /* of each of a collector's metrics */
enum { LIMITS_TIMEOUT, LIMITS_MEMORY, LIMITS_OPTIONS };

/* Types that only the agent's own keys have; the loader refuses a plugin's option with one of them. Their value is a
 * text: option_function where a function was given; of OPTION_METRICS the JSON that was. */
#define OPTION_FUNCTION ((enum pindrop_type)100)
#define OPTION_TEXT_OR_FUNCTION ((enum pindrop_type)101)
#define OPTION_METRICS ((enum pindrop_type)102)
extern const char option_function[]; /* known by its address */

/* The functions that aggregates have by name, beside percentiles: F(name, enum plan_fn, note for editors). */
#define AGGREGATE_FUNCTIONS(F)   \
	F("min", PLAN_MIN, "")       \
	F("max", PLAN_MAX, "")       \
	F("avg", PLAN_AVG, "")       \
	F("sum", PLAN_SUM, "")       \
	F("last", PLAN_LAST, "")     \
	F("count", PLAN_COUNT, "")   \
	F("stddev", PLAN_STDDEV, "") \
	F("eta", PLAN_ETA, " # the time until it reaches `to`")

extern const struct pindrop_option agent_options[AGENT_OPTIONS];
extern const struct pindrop_option tier_options[TIER_OPTIONS];
extern const struct pindrop_option purge_options[PURGE_OPTIONS];
extern const struct pindrop_option store_options[STORE_OPTIONS];
extern const struct pindrop_option plugin_options[PLUGIN_OPTIONS];
extern const struct pindrop_option aggregate_options[AGGREGATE_OPTIONS];
extern const struct pindrop_option collector_options[COLLECTOR_OPTIONS];
extern const struct pindrop_option metric_options[METRIC_OPTIONS];
extern const struct pindrop_option limits_options[LIMITS_OPTIONS];

/* All of them, for who describes them. */
struct option_group {
	const char *name; /* "agent" */
	const char *help;
	const struct pindrop_option *options;
	size_t count;
};
extern const struct option_group option_groups[];
extern const size_t option_group_count;

/* What is declared where the file declares none of its kind. The lists end with NULL. */
struct default_aggregate {
	const char *name, *of, *fn, *over, *format;
};
extern const char *const default_plugins[];
extern const struct default_aggregate default_aggregates[];

#endif
