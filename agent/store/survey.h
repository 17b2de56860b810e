/* store/survey.h: what lies in the data folder.
 *
 * Everything that pindrop makes there is listed and counts; anything else is not looked at: it is neither counted nor
 * touched. What is pindrop's is told by its name alone: files end in .rrd, or are such a file set aside or half made,
 * lie in folders named as families are, and are named as instances are written (store_path()); on top also the journal,
 * the ledger and the lock. Links are not followed.
 *
 * What counts is a file's length. RRD files are at full size from the beginning, so this is what they take on the disk,
 * but for the last block and the folders, and it is the same on every file system. Any thread. */
#ifndef STORE_SURVEY_H
#define STORE_SURVEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/plan.h"

#define SURVEY_NO_FAMILY SIZE_MAX

enum survey_kind {
	SURVEY_SERIES, /* of a family of the plan */
	SURVEY_STRAY,  /* of none: its plugin is off, or is not there any more */
	SURVEY_ASIDE,  /* set aside: "cpu.rrd.damaged-20261124T103000" */
	SURVEY_HALF,   /* half made, when the agent ended: "cpu.rrd.new" */
	SURVEY_OWN,    /* journal, ledger, lock */
};

struct survey_file {
	const char *path; /* as store_path() writes it */
	enum survey_kind kind;
	size_t family;        /* its place in the plan, also of what is set aside; SURVEY_NO_FAMILY */
	const char *instance; /* "" of a family without; NULL: not known, its name was too long for a file */
	int64_t size;         /* bytes */
	int64_t changed;      /* the last change of its content, or when it was set aside: wall clock, ns */
};

/* Starts as all zero. */
struct survey {
	size_t count, room;
	struct survey_file *files; /* in no order */
	int64_t total;             /* bytes */
};

/* Walks the data folder once; one that is not there is empty. 0 or -1 with the words; what was found until then stays
 * listed. The survey is released first if it holds something. */
int survey_take(struct survey *survey, const struct plan *plan, struct error *error);
void survey_release(struct survey *survey);

/* Whether an instance is still there, judged by its file alone: it was written to nearly as lately as any of its family.
 * `alive`, as long as the survey, is set for each file. */
void survey_guess(const struct survey *survey, const struct plan *plan, bool *alive);

#endif
