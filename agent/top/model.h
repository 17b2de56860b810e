/* top/model.h: what `pindrop top` knows of an agent: what there is, the newest values, rates, and the last minutes.
 *
 * Pure: it is fed with the documents that the agent answers, and read by draw.h. One thread. Texts are as the agent has
 * them, control characters and all: what goes to a terminal goes through draw.h, which lets none pass. */
#ifndef TOP_MODEL_H
#define TOP_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "top/history.h"

struct model_field {
	char *name, *unit;
	bool counter; /* shown as a rate a second */
	int decimals;
};

struct model_instance {
	char *name;                /* "" of a family without instances */
	double *values;            /* of each field: a counter's is its rate. NaN: unknown */
	double *totals;            /* of counters, at `time` */
	double time;               /* of the newest sample; 0: none */
	struct history *histories; /* one for each headline */
	bool seen;                 /* in the last answer */
};

struct model_family {
	char *name;
	bool many;       /* it has instances */
	double interval; /* s */
	size_t field_count;
	struct model_field *fields;
	size_t headline_count;
	size_t *headlines; /* the fields that stand for it, as the agent says */
	size_t instance_count;
	struct model_instance **instances; /* sorted, numbers by their value */
};

struct model_aggregate {
	char *name, *of, *instance, *fn, *over, *unit, *text; /* instance, text: may be NULL */
	double value;
};

struct model {
	double time;   /* of the agent's last sample, epoch seconds; 0: none yet */
	bool stopped;  /* sampling is, by /stop */
	bool known;    /* there is a catalogue and an answer of /api/v1/latest */
	bool outdated; /* the catalogue is: read it again */
	double uptime; /* of the agent when /health was asked, s; 0: unknown */
	char *version, *status;
	double catalogue; /* the number of the one in /api/v1/latest */
	size_t reason_count;
	char **reasons; /* what is wrong, in the agent's words */
	size_t family_count;
	struct model_family *families;
	size_t aggregate_count;
	struct model_aggregate *aggregates;
};

struct model *model_new(void);
void model_free(struct model *model); /* NULL: nothing */

/* Take a document in; false: it is none that can be understood, and nothing has changed.
 *     model_metrics     /api/v1/metrics: what goes on keeps its values and its past
 *     model_latest      /api/v1/latest: rates are the differences to the answer before
 *     model_series      /api/v1/series of model_wanted()
 *     model_aggregates  /api/v1/aggregates
 *     model_health      /health */
bool model_metrics(struct model *model, const char *text, size_t length);
bool model_latest(struct model *model, const char *text, size_t length);
bool model_series(struct model *model, const char *text, size_t length);
bool model_aggregates(struct model *model, const char *text, size_t length);
bool model_health(struct model *model, const char *text, size_t length);

/* The metrics whose last minutes are drawn, joined by commas; "" where there are none. For free(). */
char *model_wanted(const struct model *model);

/* The shortest interval of all families, s; 1 where there is none. */
double model_interval(const struct model *model);

/* The place of a field, or of a family; SIZE_MAX: there is none. */
size_t model_field(const struct model_family *family, const char *name);
const struct model_family *model_family(const struct model *model, const char *name); /* NULL: there is none */

#endif
