/* store/purge.h: which files go, so that the data folder stays within purge { after, max_size }.
 *
 * A file whose instance is alive never goes, nor do journal, ledger and lock. All others are vanished: what is left of
 * a file that was never finished goes at once; the others, files set aside among them, when they have not changed for
 * `after`; and before that where room is needed, the longest-vanished first. A stray file (survey.h) that was written to
 * within PURGE_STRAY_REST stays: somebody may still use it. Pure, but for purge_run(). */
#ifndef STORE_PURGE_H
#define STORE_PURGE_H

#include "store/survey.h"

#define PURGE_STRAY_REST (24 * 3600 * CLOCK_SECOND)

/* What is chosen. */
struct purge {
	size_t count;
	size_t *files;  /* places in the survey, in the order in which they go */
	size_t expired; /* so many of them, the first, go anyway; the others for room */
	int64_t bytes;  /* that all of them hold */
	bool fits;      /* afterwards there is room for `needed` bytes within max_size */
	char *words;    /* fits: NULL; otherwise the arithmetic: "61.1 MB are in use … " */
};

/* Chooses among the files of a survey. `alive`: one flag for each file. `needed`: bytes that are about to be written;
 * where they would not fit even then, no history goes for their sake. `now`: wall clock, ns. */
void purge_choose(struct purge *purge, const struct survey *survey, const bool *alive, const struct plan *plan,
                  int64_t now, int64_t needed);
void purge_release(struct purge *purge);

/* Asked before a file goes. False: it stays after all. */
typedef bool purge_forget(void *context, const struct survey_file *file);

struct purge_done {
	size_t files;
	int64_t bytes;
};

/* Removes what was chosen, and folders that are then empty. One that cannot be removed is passed over: then -1 with the
 * words of the first. `forget` NULL: nobody is asked. By the thread that makes files. */
int purge_run(const struct purge *purge, const struct survey *survey, const struct plan *plan, purge_forget *forget,
              void *context, struct purge_done *done, struct error *error);

/* What the plan is sure to need: its files (of a family with instances those that are alive, or one), journal, ledger,
 * and room for the largest file a second time, when it is migrated. */
struct purge_need {
	size_t family_count;
	size_t *counts;  /* files, by family of the plan */
	int64_t *sizes;  /* bytes of one of them */
	int64_t rewrite; /* bytes of the largest */
	int64_t total;   /* bytes of all */
};
void purge_add_up(struct purge_need *need, const struct plan *plan, const struct survey *survey, const bool *alive);
void purge_need_release(struct purge_need *need);

/* Whether all that is within max_size. False: a mistake in the configuration, with its words, the arithmetic summand by
 * summand, for free(). */
bool purge_fits(const struct plan *plan, const struct survey *survey, const bool *alive, char **words);

#endif
