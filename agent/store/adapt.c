/* store/adapt.c: files that exist move to the layout of the plan: each before it is written to, all others soon after
 * the start. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/aside.h"
#include "store/inside.h"
#include "store/move.h"
#include "store/rrd.h"
#include "store/survey.h"

/* The longest that a file remembers, ns. */
static int64_t memory_of(const struct plan *plan)
{
	int64_t longest = 0;

	for (size_t i = 0; i < plan->tier_count; i++)
		if (plan->tiers[i].keep > longest)
			longest = plan->tiers[i].keep;
	return longest * CLOCK_SECOND;
}

/* The instance whose file it is; NULL where that is not known. For free(). */
static char *instance_of(struct store *store, size_t family, const char *path)
{
	struct series *series;
	char *instance = NULL;

	for (size_t of = family, index = 0; !instance && (series = series_next(store, &of, &index)) && of == family;)
		if (strcmp(series->path, path) == 0)
			instance = memory_text(series->instance);
	return instance;
}

int adapt_set_aside(struct store *store, size_t family, const char *path, const char *why, const char *reason,
                    struct error *error)
{
	char *name = aside_rename(path, why, error), *instance;
	int64_t now = clock_wall();

	if (!name)
		return -1;
	log_warning("%s; it is kept as %s, and a new file begins", reason, name);
	instance = instance_of(store, family, path);
	if (instance)
		store_tell_of(store, family, instance, GAP_QUARANTINE, now - memory_of(store->plan), now, name);
	free(instance);
	free(name);
	return 0;
}

/* What is kept nowhere but in the old file. */
static void tell_lost(struct store *store, size_t family, const char *path, const struct migrate_report *report)
{
	char *instance = instance_of(store, family, path);
	char *words = memory_format("it is in %s", report->kept);

	for (size_t i = 0; instance && i < report->loss.row_count; i++)
		if (!report->loss.rows[i].extremes)
			store_tell_of(store, family, instance, GAP_MIGRATION, report->loss.rows[i].from * CLOCK_SECOND,
			              report->loss.rows[i].to * CLOCK_SECOND, words);
	free(words);
	free(instance);
}

static void tell(const char *path, const struct migrate_report *report)
{
	if (report->kept)
		log_warning("%s was moved to the new configuration: %s. That does not keep %s: the old file stays as %s", path,
		            report->difference, report->lost, report->kept);
	else
		log_info("%s was moved to the new configuration: %s", path, report->difference);
}

int adapt_file(struct store *store, size_t family, const char *path, struct error *error)
{
	const struct layout *layout = &store->families[family].layout;
	struct migrate_report report = {0};
	struct error reason = {""};
	char *words;
	int failed = room_make(store, 2 * layout->file_size, error);

	store->used = 0;
	if (!failed && file_migrate(path, layout, &report, &reason) < 0) {
		failed = report.damaged ? adapt_set_aside(store, family, path, "damaged", reason.text, error)
		                        : error_set(error, "%s", reason.text);
	} else if (!failed && report.foreign) {
		words = memory_format("%s has none of the fields of %s: it was made by another program", path,
		                      layout->family->name);
		failed = adapt_set_aside(store, family, path, "foreign", words, error);
		free(words);
	} else if (!failed) {
		tell(path, &report);
		if (report.kept)
			tell_lost(store, family, path, &report);
	}
	migrate_report_release(&report);
	return failed;
}

/* --- all of them ---------------------------------------------------------------------------------------------- */

struct adapt {
	bool due;                /* the survey is to be made */
	const struct plan *plan; /* that it was made for; held; NULL: there is none */
	struct survey survey;
	size_t next;
};

/* One that is damaged is left to whoever writes to it. With `flushing` and `writing` held. */
static void adapt_one(struct store *store, const struct survey_file *file)
{
	struct file_facts facts;
	struct error error;
	struct series *series;

	if (file_inspect(file->path, &store->families[file->family].layout, &facts, &error) != FILE_OTHER)
		return;
	if (adapt_file(store, file->family, file->path, &error) < 0)
		log_warning("%s stays as it is: %s", file->path, error.text);
	if (!file->instance)
		return;
	pthread_mutex_lock(&store->lock);
	series = series_find(store, file->family, file->instance);
	pthread_mutex_unlock(&store->lock);
	if (series)
		series_look_again(series);
}

static void forget(struct adapt *adapt)
{
	survey_release(&adapt->survey);
	plan_release(adapt->plan);
	*adapt = (struct adapt){0};
}

void adapt_again(struct store *store)
{
	if (!store->adapt)
		store->adapt = memory_alloc(sizeof(*store->adapt));
	forget(store->adapt);
	store->adapt->due = true;
}

/* With `flushing` held. */
static void look_for_files(struct store *store)
{
	struct adapt *adapt = store->adapt;
	struct error error = {""};

	forget(adapt);
	adapt->plan = plan_hold(store->plan);
	if (survey_take(&adapt->survey, adapt->plan, &error) < 0)
		log_warning("%s", error.text);
}

/* With `flushing` held. False: there is no more. */
static bool adapt_next(struct store *store)
{
	struct adapt *adapt = store->adapt;

	if (adapt->due || (adapt->plan && adapt->plan != store->plan))
		look_for_files(store);
	while (adapt->next < adapt->survey.count && adapt->survey.files[adapt->next].kind != SURVEY_SERIES)
		adapt->next++;
	if (adapt->next == adapt->survey.count) {
		/* What is done needs no list any more. */
		forget(adapt);
		return false;
	}
	pthread_mutex_lock(&store->writing);
	adapt_one(store, &adapt->survey.files[adapt->next++]);
	pthread_mutex_unlock(&store->writing);
	return true;
}

void adapt_some(struct store *store, int64_t time)
{
	int64_t end = clock_monotonic() + time;
	bool more = true;

	while (more && clock_monotonic() < end) {
		pthread_mutex_lock(&store->flushing);
		more = adapt_next(store);
		pthread_mutex_unlock(&store->flushing);
	}
}

void adapt_release(struct store *store)
{
	if (store->adapt)
		forget(store->adapt);
	free(store->adapt);
}
