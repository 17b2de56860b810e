/* life/remember.c: the past, as the store has it, for windows and catalogue. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "life/inside.h"
#include "store/survey.h"

void life_expect(const struct life *life, const struct plan *before)
{
	struct survey survey = {0};
	struct error error;

	if (survey_take(&survey, life->plan, &error) < 0)
		log_warning("%s", error.text);
	for (size_t i = 0; i < survey.count; i++) {
		const struct survey_file *file = &survey.files[i];

		if (file->kind == SURVEY_SERIES && file->instance &&
		    (!before || plan_find_same(before, life->plan->families[file->family].table) == SIZE_MAX))
			metric_expect(life->metric, file->family, file->instance);
	}
	survey_release(&survey);
}

/* --- windows --------------------------------------------------------------------------------------------------- */

struct rows {
	size_t count;
	struct metric_row *rows;
};

/* Three consolidations of the same time as the rows of one window. Of an instance that has begun or ended within it
 * nothing is unknown before or after. */
static void join_rows(struct rows *all, const struct store_rows rows[3])
{
	const struct store_rows *averages = &rows[STORE_AVERAGE], *least = &rows[STORE_MIN], *most = &rows[STORE_MAX];
	size_t from = 0, to = averages->count;

	while (from < to && isnan(averages->values[from]))
		from++;
	while (from < to && isnan(averages->values[to - 1]))
		to--;
	all->rows = memory_resize(all->rows, all->count + to - from, sizeof(*all->rows));
	for (size_t i = from; i < to; i++) {
		double average = averages->values[i];

		all->rows[all->count++] = (struct metric_row){
			.time = (averages->start + (int64_t)(i + 1) * averages->step) * CLOCK_SECOND,
			.span = averages->step * CLOCK_SECOND,
			/* The finest tier keeps the average only: there, a row is one sample. */
			.min = least->step == averages->step && i < least->count ? least->values[i] : average,
			.avg = average,
			.max = most->step == averages->step && i < most->count ? most->values[i] : average,
		};
	}
}

/* Adds what the store has of one instance. */
static int fetch(const struct life *life, const struct plan_aggregate *aggregate, const char *instance,
                 struct rows *all, struct error *error)
{
	int64_t now = clock_wall() / CLOCK_SECOND;
	struct store_rows rows[3] = {{0}};
	int failed = 0;

	for (enum store_consolidation kind = STORE_AVERAGE; kind <= STORE_MAX && !failed; kind++)
		failed = store_fetch(life->store, aggregate->family, instance, aggregate->field, kind,
		                     now - aggregate->over / CLOCK_SECOND, now, &rows[kind], error);
	if (!failed)
		join_rows(all, rows);
	for (size_t i = 0; i < 3; i++)
		free(rows[i].values);
	return failed;
}

static int by_time(const void *a, const void *b)
{
	const struct metric_row *left = a, *right = b;

	return (left->time > right->time) - (left->time < right->time);
}

/* An aggregate over all instances sees those that take part in the family's sum. Of one that is not there nobody knows. */
static int fetch_all(const struct life *life, const struct plan_aggregate *aggregate, struct rows *all,
                     struct error *error)
{
	struct snapshot *snapshot = metric_snapshot(life->metric);
	const struct family_snapshot *family = &snapshot->families[aggregate->family];
	int failed = 0;

	for (size_t i = 0; i < family->reading_count && !failed; i++) {
		const struct reading *reading = &family->readings[i];

		if (!reading->present || reading->summed)
			failed = fetch(life, aggregate, reading->instance->name, all, error);
	}
	snapshot_free(snapshot);
	if (all->count > 0)
		qsort(all->rows, all->count, sizeof(*all->rows), by_time);
	return failed;
}

static void remember_one(const struct life *life, size_t index)
{
	const struct plan_aggregate *aggregate = &life->plan->aggregates[index];
	bool several = !aggregate->instance && life->plan->families[aggregate->family].table->instance;
	struct rows all = {0};
	struct error error;
	int failed = several ? fetch_all(life, aggregate, &all, &error)
	                     : fetch(life, aggregate, aggregate->instance ? aggregate->instance : "", &all, &error);

	if (failed)
		log_warning("aggregate \"%s\" begins without its past: %s", aggregate->name, error.text);
	else
		metric_remember(life->metric, index, all.rows, all.count);
	free(all.rows);
}

void life_remember(const struct life *life)
{
	for (size_t i = 0; i < life->plan->aggregate_count; i++)
		if (metric_is_new(life->metric, i))
			remember_one(life, i);
}
