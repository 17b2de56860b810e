#include "config/options.h"

#define DAY 86400.0
#define YEAR (365 * DAY)

const char option_function[] = "function";

/* A row stays a row. */
/* clang-format off */
const struct pindrop_option agent_options[AGENT_OPTIONS] = {
	[AGENT_LISTEN] = {"listen", PINDROP_STRING, "127.0.0.1:8080", 0, 0,
	                  "address and port of HTTP; \"[::1]:8080\" for IPv6, port 0 lets the kernel choose"},
	[AGENT_DATA_DIR] = {"data_dir", PINDROP_STRING, "data", 0, 0,
	                    "the folder of the RRD files, relative to the configuration"},
	[AGENT_INTERVAL] = {"interval", PINDROP_DURATION, "1s", 0.1, DAY, "how often plugins are sampled that say nothing"},
	[AGENT_FLUSH] = {"flush", PINDROP_DURATION, "10s", 1, DAY, "how often samples are written to the RRD files"},
	[AGENT_AUTOSTART] = {"autostart", PINDROP_BOOL, "true", 0, 0, "sample from the beginning; false waits for /start"},
	[AGENT_ROOT] = {"root", PINDROP_STRING, "/", 0, 0, "where /proc, /sys and the mounts are: a container's host"},
};

const struct pindrop_option tier_options[TIER_OPTIONS] = {
	[TIER_STEP] = {"step", PINDROP_DURATION, NULL, 1, YEAR, "the span of a row, whole seconds"},
	[TIER_KEEP] = {"keep", PINDROP_DURATION, NULL, 1, 100 * YEAR, "how long rows are kept"},
};

const struct pindrop_option purge_options[PURGE_OPTIONS] = {
	[PURGE_AFTER] = {"after", PINDROP_DURATION, "30d", 0, 100 * YEAR, "how long files of vanished instances stay"},
	[PURGE_MAX_SIZE] = {"max_size", PINDROP_SIZE, "1GB", 0, 1e18, "how large all files together may be"},
};

const struct pindrop_option store_options[STORE_OPTIONS] = {
	[STORE_RRDCACHED] = {"rrdcached", PINDROP_STRING, NULL, 0, 0,
	                     "address of an rrdcached that writes the files: \"unix:/run/rrdcached.sock\"; without it pindrop does"},
	[STORE_JOURNAL] = {"journal", PINDROP_SIZE, "16MB", 4e6, 1e12,
	                   "how large the journal may be: what a crash must not lose until it is in the RRD files"},
};

const struct pindrop_option plugin_options[PLUGIN_OPTIONS] = {
	[PLUGIN_INTERVAL] = {"interval", PINDROP_DURATION, NULL, 0.1, DAY,
	                     "how often this plugin is sampled; without it agent.interval"},
};

const struct pindrop_option aggregate_options[AGGREGATE_OPTIONS] = {
	[AGGREGATE_OF] = {"of", PINDROP_STRING, NULL, 0, 0, "the metric: \"cpu.usage\""},
	[AGGREGATE_INSTANCE] = {"instance", PINDROP_STRING, NULL, 0, 0, "one instance: \"/\"; without it all together"},
	[AGGREGATE_FN] = {"fn", OPTION_TEXT_OR_FUNCTION, NULL, 0, 0,
	                  "min max avg sum last count stddev, p50 … p99.9, eta, or a function of the window"},
	[AGGREGATE_TO] = {"to", PINDROP_NUMBER, "nan", 0, 0, "of fn = \"eta\": the value whose arrival is foreseen"},
	[AGGREGATE_OVER] = {"over", PINDROP_STRING, "service", 0, 0, "\"service\" (since the last start) or a time: \"24h\""},
	[AGGREGATE_FORMAT] = {"format", OPTION_TEXT_OR_FUNCTION, NULL, 0, 0,
	                      "how past_stat writes it: \"%.1f%%\", or a function of the value; without it a number"},
};

const struct pindrop_option collector_options[COLLECTOR_OPTIONS] = {
	[COLLECTOR_INTERVAL] = {"interval", PINDROP_DURATION, NULL, 0.1, DAY, "how often; without it agent.interval"},
	[COLLECTOR_INSTANCE] = {"instance", PINDROP_STRING, NULL, 0, 0,
	                        "what one of many is called (\"disk\"): sample returns { NAME = { … }, … }"},
	[COLLECTOR_METRICS] = {"metrics", OPTION_METRICS, NULL, 0, 0,
	                       "what it measures: { depth = { unit = \"jobs\" }, … }, or only names: { \"depth\", … }"},
	[COLLECTOR_SAMPLE] = {"sample", OPTION_FUNCTION, NULL, 0, 0,
	                      "the function that measures, and returns { depth = 3, … }"},
	[COLLECTOR_HELP] = {"help", PINDROP_STRING, "", 0, 0, "what it is about, in a few words"},
	[COLLECTOR_TIMEOUT] = {"timeout", PINDROP_DURATION, NULL, 0.01, 3600,
	                       "how long sample may run; without it limits.timeout, or its interval from 1s to 10s"},
	[COLLECTOR_MEMORY] = {"memory", PINDROP_SIZE, NULL, 1e6, 1e10, "what it may allocate; without it limits.memory"},
};

const struct pindrop_option metric_options[METRIC_OPTIONS] = {
	[METRIC_KIND] = {"kind", PINDROP_STRING, "gauge", 0, 0, "\"gauge\": goes up and down; \"counter\": a total that grows"},
	[METRIC_UNIT] = {"unit", PINDROP_STRING, "", 0, 0, "\"bytes\", \"seconds\", \"percent\", or a word of your own"},
	[METRIC_HELP] = {"help", PINDROP_STRING, "", 0, 0, "what it is, in a few words"},
	[METRIC_DECIMALS] = {"decimals", PINDROP_INTEGER, "3", 0, 9, "how many decimals people are shown"},
};

const struct pindrop_option limits_options[LIMITS_OPTIONS] = {
	[LIMITS_TIMEOUT] = {"timeout", PINDROP_DURATION, NULL, 0.01, 3600,
	                    "how long a function may run; without it 1s for an aggregate's, see collector.timeout"},
	[LIMITS_MEMORY] = {"memory", PINDROP_SIZE, "64MB", 1e6, 1e10, "what the aggregates, and each collector, may allocate"},
};

const struct option_group option_groups[] = {
	{"agent", "the agent itself", agent_options, AGENT_OPTIONS},
	{"retention", "a list of tiers, finest first; default: 1s for 6h, 1m for 14d, 1h for 2y", tier_options, TIER_OPTIONS},
	{"purge", "when history goes", purge_options, PURGE_OPTIONS},
	{"store", "how history is written", store_options, STORE_OPTIONS},
	{"aggregate", "aggregate \"NAME\" { … }: one number about the past, in past_stat", aggregate_options,
	 AGGREGATE_OPTIONS},
	{"collector", "collector \"NAME\" { … }: measures with a function; NAME.METRIC is a metric like any other",
	 collector_options, COLLECTOR_OPTIONS},
	{"metrics", "of a collector: for each name", metric_options, METRIC_OPTIONS},
	{"limits", "what functions may use: one that takes more is ended and rests for a while", limits_options,
	 LIMITS_OPTIONS},
};
/* clang-format on */
const size_t option_group_count = PINDROP_COUNT(option_groups);

const char *const default_plugins[] = {"cpu", "memory", "disk", NULL};

const struct default_aggregate default_aggregates[] = {
	{"avg_cpu_usage", "cpu.usage", "avg", "service", "%.1f%%"},
	{"max_cpu_usage", "cpu.usage", "max", "service", "%.1f%%"},
	{"min_mem_usage", "memory.vm.percent", "min", "service", "%.1f%%"},
	{"avg_mem_usage", "memory.vm.percent", "avg", "service", "%.1f%%"},
	{"max_mem_usage", "memory.vm.percent", "max", "service", "%.1f%%"},
	{"max_disk_usage", "disk.space.used_percent", "max", "service", "%.0f%%"},
	{0},
};
