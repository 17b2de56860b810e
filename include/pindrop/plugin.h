/* pindrop/plugin.h: all that a plugin needs to know of the agent.
 *
 * A plugin is one shared object that exports one constant table, `pindrop_plugin`. The table says what the plugin
 * samples; the agent derives from it the RRD files, the JSON, the option checks, `pindrop describe` and the catalogue.
 *
 *     plugin   one shared object: cpu.so
 *     option   what a user may set in pindrop.lua: plugin "cpu" { per_core = true }
 *     family   fields that are sampled together: cpu.core
 *     instance one subject of a family that has many: core 0, core 1
 *     field    one number of a family: cpu.core.usage
 *     batch    one sample of a whole family: a row of values for each instance
 *
 * Threads: the agent never calls two functions of one state at the same time. A family that says `never_blocks` is
 * sampled on the agent's one sampler thread; every other family in a worker process, with a state of its own, so that
 * what hangs or crashes there costs nobody else anything. open() and sample() may thus run in two processes.
 */
#ifndef PINDROP_PLUGIN_H
#define PINDROP_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Goes up with every change of this file that an existing plugin would not survive. */
#define PINDROP_ABI 1u

/* The longest name of a field: it is the name of an RRD data source. */
#define PINDROP_FIELD_NAME_MAX 19

/* Marks the one symbol of a plugin: PINDROP_EXPORT const struct pindrop_plugin pindrop_plugin = { … }; */
#define PINDROP_EXPORT __attribute__((visibility("default")))

#define PINDROP_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What the agent hands to a plugin. Opaque: used through the functions at the end of this file. */
struct pindrop_host;
struct pindrop_batch;

/* --- options ------------------------------------------------------------------------------------------------- */

enum pindrop_type {
	PINDROP_BOOL = 1, /* true, false                              -> flag */
	PINDROP_INTEGER,  /* 42                                       -> number */
	PINDROP_NUMBER,   /* 0.5                                      -> number */
	PINDROP_DURATION, /* 10, "100ms", "10s", "5m", "1h", "7d"     -> number, in seconds */
	PINDROP_SIZE,     /* 4096, "500MB", "1GB"                     -> number, in bytes */
	PINDROP_STRING,   /* "text"                                   -> text */
	PINDROP_STRINGS,  /* { "a", "b" }                             -> list */
	PINDROP_PATTERNS, /* { "^/snap/" }, POSIX extended, checked   -> list */
};

struct pindrop_option {
	const char *name;
	enum pindrop_type type;
	const char *preset; /* the value of who sets nothing, as text: "false", "5", "10s"; NULL: false, 0, none */
	double min, max;    /* the range of a number; both 0: any */
	const char *help;
};

/* An option's value, parsed and checked. The n-th value belongs to the n-th row of the plugin's option table. */
union pindrop_value {
	bool flag;
	double number;
	const char *text;        /* NULL: not set */
	const char *const *list; /* ends with NULL; never NULL itself */
};

/* --- fields and families ------------------------------------------------------------------------------------- */

enum pindrop_kind {
	PINDROP_GAUGE = 1, /* a level: it goes up and down */
	PINDROP_COUNTER,   /* a total since some start: it goes up, or begins anew */
};

struct pindrop_field {
	const char *name; /* [a-z][a-z0-9_]*, at most PINDROP_FIELD_NAME_MAX characters */
	enum pindrop_kind kind;
	const char *unit; /* "percent", "bytes", "seconds"; "" for plain counts. A counter's is that of its total */
	int decimals;     /* how many decimals people are shown; 0: the number is shown as an integer */
	const char *stat; /* its place in /get_stats below the family's, dotted ("time_stat.idle"); NULL: not there */
	const char *help;
};

struct pindrop_label {
	const char *name; /* as a field's */
	const char *stat; /* its key in each element of a list in /get_stats; NULL: not there */
};

/* How a family with instances stands in /get_stats. */
enum pindrop_shape {
	PINDROP_LIST = 1, /* an array with one object for each instance */
	PINDROP_SUM,      /* one object: each field summed over the instances that take part (pindrop_row_unsummed) */
};

struct pindrop_family {
	const char *name; /* dotted, of [a-z0-9_]: "disk.io". Metrics are named family.field */
	const char *help;
	const struct pindrop_field *fields;
	size_t field_count;
	const char *instance; /* what an instance is called ("disk"); NULL: the family has one subject, no instances */
	const struct pindrop_label *labels;
	size_t label_count;
	const char *stat;         /* its place in /get_stats below current_stat, dotted; NULL: not there */
	enum pindrop_shape shape; /* with instances and a place in /get_stats */
	const char *stat_name;    /* the key of the instance's name in each element of a list */
	const char *option;       /* the boolean option that switches this family on; NULL: it is always on */
	bool never_blocks;        /* sample() only reads what cannot wait: runs in the agent itself */

	/* Fills `batch` by pindrop_row(). Returns 0, or pindrop_error(…), which says why there is no sample. */
	int (*sample)(void *state, struct pindrop_batch *batch);
};

struct pindrop_plugin {
	uint32_t abi;     /* PINDROP_ABI */
	const char *name; /* as the file's: cpu for cpu.so */
	const char *help;
	const struct pindrop_option *options;
	size_t option_count;
	const struct pindrop_family *families;
	size_t family_count;

	/* Returns the plugin's state, which close() frees, or NULL after pindrop_error(). `host` and `options` stay
	 * valid until close() has returned. May be NULL, with close, for a plugin without a state. */
	void *(*open)(struct pindrop_host *host, const union pindrop_value *options);
	void (*close)(void *state);
};

/* --- what the agent offers ----------------------------------------------------------------------------------- */

/* Adds a row to the batch and returns its values, in the order of the family's fields, all NaN ("unknown"): fill in
 * what is known. `instance` is NULL for a family without instances; `labels` has the family's label_count texts, or
 * is NULL where it has none. Both are copied. The values are valid until the next pindrop_row(). Never NULL. */
PINDROP_EXPORT double *pindrop_row(struct pindrop_batch *batch, const char *instance, const char *const *labels);

/* Leaves the row that was added last out of its family's sum in /get_stats. */
PINDROP_EXPORT void pindrop_row_unsummed(struct pindrop_batch *batch);

/* Says that what follows may wait for ever on the instance that was added last. False: it is known to hang, leave it
 * alone, its row stays unknown. If it hangs now, the worker is replaced and the other instances go on. */
PINDROP_EXPORT bool pindrop_row_enter(struct pindrop_batch *batch);

/* Says in words why open() or sample() cannot do its work: shown in the log and at /health. Always returns -1. */
PINDROP_EXPORT int pindrop_error(struct pindrop_host *host, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A file below the agent's root that stays open and is read anew at every sample. Starts as all zero. */
struct pindrop_file {
	char *text;    /* what was read last, ended by a NUL; NULL: not open */
	size_t length; /* of text */
	size_t room;   /* allocated for text */
	int fd;        /* valid while text is not NULL */
};

/* Reads the whole of `path`, which is relative to the root ("proc/stat"), however long it is. Returns its text, valid
 * until the next read or release, or NULL with errno set, having called pindrop_error(). */
PINDROP_EXPORT const char *pindrop_file_read(struct pindrop_host *host, struct pindrop_file *file, const char *path);
PINDROP_EXPORT void pindrop_file_release(struct pindrop_file *file);

/* The root below which /proc, /sys and the mounts are found: "" for "/", else without a slash at its end. */
PINDROP_EXPORT const char *pindrop_root(const struct pindrop_host *host);

#ifdef __cplusplus
}
#endif
#endif
