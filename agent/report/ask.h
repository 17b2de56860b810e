/* report/ask.h: what somebody typed when he asks about the past, understood, or refused with what would have been right.
 * Any thread. */
#ifndef REPORT_ASK_H
#define REPORT_ASK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/plan.h"
#include "metric/gap.h"

/* What became of a question. */
enum report_result { REPORT_GOOD, REPORT_BAD_WORDS, REPORT_NOT_FOUND, REPORT_NOT_NOW };

/* So much of what was typed is shown again. */
#define ASK_SHOWN 60

/* A family of the plan, and one of its fields. */
#define ASK_ALL SIZE_MAX
struct ask_metric {
	size_t family;
	size_t field; /* ASK_ALL: the family was named alone */
};

/* Finds "disk.io.read_bytes", and, where `field_needed` is false, "disk.io". 0 or -1 with the words. */
int ask_metric(const struct plan *plan, const char *text, bool field_needed, struct ask_metric *metric,
               struct error *error);

/* Reads a time of base/moment.h. 0 or -1 with the words. */
int ask_time(const char *text, int64_t now, int64_t *time, struct error *error);

/* Reads a stretch of time; NULL: it begins `before` (ns) before now, or ends now. 0 or -1 with the words. */
int ask_stretch(const char *from, const char *to, int64_t before, int64_t now, int64_t *begin, int64_t *end,
                struct error *error);

/* Reads a whole number of [min, max]; `text` NULL: *number stays as it is. 0 or -1 with the words. */
int ask_number(const char *name, const char *text, int64_t min, int64_t max, int64_t *number, struct error *error);

/* Names that are known, each once, sorted. Starts as all zero. */
struct ask_names {
	size_t count, room;
	char **names; /* ended by NULL once there is one */
};
void ask_names_add(struct ask_names *known, const char *name); /* copied; "" and NULL are no names */
bool ask_names_have(const struct ask_names *known, const char *name);
void ask_names_release(struct ask_names *known);

/* Refuses an instance that is not among those: there is no disk "sdd" in disk.io (did you mean …); there are: …. -1. */
int ask_refuse_instance(const struct pindrop_family *family, const char *instance, const struct ask_names *known,
                        struct error *error);

/* Whether the family has the instance, which is among `known`, or else why not. "" is that of a family without. */
enum report_result ask_instance(const struct pindrop_family *family, const char *instance,
                                const struct ask_names *known, struct error *error);

/* {"from": …, "to": …, "seconds": …, "reason": "agent_down", "words": …, "family": …, …}. New reference. */
json_t *ask_show_gap(const struct gap *gap);

#endif
