#include "store/migrate.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/text.h"

/* --- one old history, finest step first --------------------------------------------------------------------- */

#define NONE SIZE_MAX

struct level {
	int64_t step;
	const struct history_archive *archives[STORE_MAX + 1]; /* NULL: not kept in this step */
};

struct view {
	const struct history *history;
	size_t level_count;
	struct level *levels;
	size_t *fields;   /* for each of the result's, which of the history's it is, or NONE */
	int64_t boundary; /* the last of the base step: what comes after it is in progress */
};

/* A stretch of time that has one value. */
struct piece {
	double value;
	int64_t until;
};

/* DERIVE and its kin all count, and their rows are rates. */
static bool same_kind(const char *type, const char *other)
{
	static const char *const counters[] = {"DERIVE", "DDERIVE", "COUNTER", "DCOUNTER", "ABSOLUTE"};
	bool counts = false, other_counts = false;

	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		counts |= strcmp(type, counters[i]) == 0;
		other_counts |= strcmp(other, counters[i]) == 0;
	}
	return strcmp(type, other) == 0 || (counts && other_counts);
}

static size_t find_field(const struct history *history, const char *name, const char *type)
{
	for (size_t i = 0; i < history->field_count; i++)
		if (strcmp(history->fields[i].name, name) == 0 && same_kind(history->fields[i].type, type))
			return i;
	return NONE;
}

static void add_to_levels(struct view *view, const struct history_archive *archive)
{
	const struct history_archive **place;
	size_t i = 0;

	while (i < view->level_count && view->levels[i].step < archive->step)
		i++;
	if (i == view->level_count || view->levels[i].step != archive->step) {
		view->levels = memory_resize(view->levels, view->level_count + 1, sizeof(*view->levels));
		memmove(&view->levels[i + 1], &view->levels[i], (view->level_count++ - i) * sizeof(*view->levels));
		view->levels[i] = (struct level){.step = archive->step};
	}
	place = &view->levels[i].archives[archive->consolidation];
	if (!*place || (*place)->rows < archive->rows)
		*place = archive;
}

static struct view view_begin(const struct history *history, const struct history *result)
{
	struct view view = {.history = history, .boundary = history_boundary(history, history->step)};

	for (size_t i = 0; i < history->archive_count; i++)
		add_to_levels(&view, &history->archives[i]);
	view.fields = memory_array(result->field_count, sizeof(*view.fields));
	for (size_t i = 0; i < result->field_count; i++)
		view.fields[i] = find_field(history, result->fields[i].name, result->fields[i].type);
	return view;
}

static void view_end(struct view *view)
{
	free(view->levels);
	free(view->fields);
}

/* Where a step was kept as averages only, they are the extremes too. NULL: not even those. */
static const struct history_archive *choose(const struct level *level, enum store_consolidation consolidation)
{
	return level->archives[consolidation] ? level->archives[consolidation] : level->archives[STORE_AVERAGE];
}

static int64_t start_of(const struct history_archive *archive)
{
	return archive->end - (int64_t)archive->rows * archive->step;
}

/* The row that (end - step, end] is in an archive of that step, or NULL. */
static const double *find_row(const struct history *history, const struct history_archive *archive, int64_t end)
{
	int64_t start = archive ? start_of(archive) : 0;

	if (!archive || end <= start || end > archive->end)
		return NULL;
	return archive->values + (size_t)((end - start) / archive->step - 1) * history->field_count;
}

/* What an archive has since its last row. Known where at least half of it is. */
static double value_in_progress(const struct view *view, const struct history_archive *archive, size_t field)
{
	const struct history_state *state = &archive->state[field];
	uint64_t steps = (uint64_t)((view->boundary - archive->end) / view->history->step);

	if (state->unknown >= steps || state->unknown * 2 > steps)
		return NAN;
	return archive->consolidation == STORE_AVERAGE ? state->value / (double)(steps - state->unknown) : state->value;
}

/* What the file has since the last boundary of its base step, as a level or rate. */
static double newest_value(const struct view *view, size_t field)
{
	const struct history_state *state = &view->history->fields[field].state;
	double time = (double)(view->history->last - view->boundary) + (double)view->history->last_microseconds / 1e6;
	double known = time - (double)state->unknown;

	return known <= 0 || known * 2 < time ? NAN : state->value / known;
}

/* What the history says of the second that begins at `at`, and how long it goes on saying so. */
static struct piece look(const struct view *view, enum store_consolidation consolidation, size_t field, int64_t at)
{
	struct piece piece = {NAN, INT64_MAX};

	if (field == NONE || at >= view->history->last)
		return piece;
	if (at >= view->boundary)
		return (struct piece){newest_value(view, field), view->history->last};
	for (size_t i = 0; i < view->level_count; i++) {
		const struct history_archive *archive = choose(&view->levels[i], consolidation);
		int64_t start = archive ? start_of(archive) : INT64_MAX, ends = view->boundary;

		if (at < start) {
			/* Finer rows begin later: what a coarser one says ends there. */
			piece.until = start < piece.until ? start : piece.until;
			continue;
		}
		if (at < archive->end) {
			ends = start + ((at - start) / archive->step + 1) * archive->step;
			piece.value = find_row(view->history, archive, ends)[field];
		} else {
			piece.value = value_in_progress(view, archive, field);
		}
		piece.until = ends < piece.until ? ends : piece.until;
		return piece;
	}
	piece.until = piece.until < view->boundary ? piece.until : view->boundary;
	return piece;
}

/* --- several of them, one behind the other ------------------------------------------------------------------- */

struct join {
	size_t count;
	struct view *views;
	const struct view *origin; /* the one that ends where the result ends: librrd goes on from there. Or NULL */
};

/* The first that knows the moment counts. */
static struct piece find(const struct join *join, enum store_consolidation consolidation, size_t field, int64_t at)
{
	struct piece found = {NAN, INT64_MAX};

	for (size_t i = 0; i < join->count && isnan(found.value); i++) {
		struct piece piece = look(&join->views[i], consolidation, join->views[i].fields[field], at);

		found.value = piece.value;
		found.until = piece.until < found.until ? piece.until : found.until;
	}
	return found;
}

static double extreme(enum store_consolidation consolidation, double a, double b)
{
	return consolidation == STORE_MIN ? fmin(a, b) : fmax(a, b);
}

/* A row of (from, to] made of pieces. */
static double compose(const struct join *join, enum store_consolidation consolidation, size_t field, int64_t from,
                      int64_t to)
{
	double sum = 0, most = NAN;
	int64_t known = 0;

	for (int64_t at = from; at < to;) {
		struct piece piece = find(join, consolidation, field, at);
		int64_t until = piece.until < to ? piece.until : to;

		if (at == from && until == to)
			return piece.value;
		if (!isnan(piece.value)) {
			known += until - at;
			sum += piece.value * (double)(until - at);
			most = extreme(consolidation, most, piece.value);
		}
		at = until;
	}
	if (known * 2 < to - from)
		return NAN;
	return consolidation == STORE_AVERAGE ? sum / (double)known : most;
}

static bool knows(const struct view *view, size_t field, int64_t from, int64_t to)
{
	for (int64_t at = from; at < to;) {
		struct piece piece = look(view, STORE_AVERAGE, view->fields[field], at);

		if (!isnan(piece.value))
			return true;
		at = piece.until;
	}
	return false;
}

static const struct history_archive *find_archive(const struct view *view, enum store_consolidation consolidation,
                                                  int64_t step)
{
	for (size_t i = 0; i < view->level_count; i++)
		if (view->levels[i].step == step)
			return view->levels[i].archives[consolidation];
	return NULL;
}

/* One value of a row: the very row of the first that has it and is asked first, or made of pieces. */
static double make_value(const struct join *join, const struct history_archive *archive, size_t field, int64_t end)
{
	for (size_t i = 0; i < join->count; i++) {
		const struct view *view = &join->views[i];
		const double *row = find_row(view->history, find_archive(view, archive->consolidation, archive->step), end);
		double value = row && view->fields[field] != NONE ? row[view->fields[field]] : NAN;

		if (!isnan(value) || (row && join->count == 1))
			return value;
		if (!row && (join->count == 1 || knows(view, field, end - archive->step, end)))
			break;
	}
	return compose(join, archive->consolidation, field, end - archive->step, end);
}

/* --- rows in progress ---------------------------------------------------------------------------------------- */

/* Of a field: since the last boundary of the result's base step. */
static struct history_state make_field_state(const struct join *join, const struct history *result, size_t field)
{
	struct history_state state = {NAN, 0};
	struct piece piece = {NAN, 0};

	for (int64_t at = history_boundary(result, result->step); at < result->last; at = piece.until) {
		piece = find(join, STORE_AVERAGE, field, at);
		piece.until = piece.until < result->last ? piece.until : result->last;
		if (isnan(piece.value))
			state.unknown += (uint64_t)(piece.until - at);
		else
			state.value = (isnan(state.value) ? 0 : state.value) + piece.value * (double)(piece.until - at);
	}
	if (result->last_microseconds && join->origin && join->origin->fields[field] != NONE) {
		double rest = newest_value(join->origin, join->origin->fields[field]);

		if (!isnan(rest))
			state.value = (isnan(state.value) ? 0 : state.value) + rest * (double)result->last_microseconds / 1e6;
	}
	return state;
}

/* Of an archive: since its last row, counted in the result's base steps, as librrd does it: only averages of whole
 * base steps are known or unknown, and what nothing was added to is what cannot change what comes. */
static struct history_state make_archive_state(const struct join *join, const struct history *result,
                                               const struct history_archive *archive, size_t field)
{
	static const double nothing[] = {[STORE_AVERAGE] = 0, [STORE_MIN] = INFINITY, [STORE_MAX] = -INFINITY};
	struct history_state state = {nothing[archive->consolidation], 0};
	int64_t boundary = history_boundary(result, result->step);

	if (archive->step == result->step)
		return (struct history_state){NAN, 0};
	for (int64_t at = archive->end; at < boundary; at += result->step) {
		double average = compose(join, STORE_AVERAGE, field, at, at + result->step);

		if (isnan(average))
			state.unknown++;
		else if (archive->consolidation == STORE_AVERAGE)
			state.value += average;
		else
			state.value = extreme(archive->consolidation, state.value,
			                      compose(join, archive->consolidation, field, at, at + result->step));
	}
	return state;
}

static void make_archive_states(const struct join *join, const struct history *result,
                                const struct history_archive *archive)
{
	const struct history_archive *same = NULL;

	if (join->origin && join->origin->history->step == result->step)
		same = find_archive(join->origin, archive->consolidation, archive->step);
	for (size_t i = 0; i < result->field_count; i++) {
		if (same && join->origin->fields[i] != NONE)
			archive->state[i] = same->state[join->origin->fields[i]];
		else
			archive->state[i] = make_archive_state(join, result, archive, i);
	}
}

/* A DERIVE takes nothing but whole numbers. */
static void take_reading(const struct history_field *old, struct history_field *field)
{
	if (strcmp(field->type, "DERIVE") == 0 && strspn(old->reading, "-0123456789") != strlen(old->reading) &&
	    old->reading[0] != 'U')
		snprintf(field->reading, sizeof(field->reading), "%.0f", strtod(old->reading, NULL));
	else
		snprintf(field->reading, sizeof(field->reading), "%s", old->reading);
}

/* How each field goes on from where the origin is. */
static void make_field_states(const struct join *join, struct history *result)
{
	const struct view *origin = join->origin;

	for (size_t i = 0; i < result->field_count; i++) {
		size_t place = origin ? origin->fields[i] : NONE;

		if (place != NONE && origin->history->step == result->step)
			result->fields[i].state = origin->history->fields[place].state;
		else
			result->fields[i].state = make_field_state(join, result, i);
		if (place != NONE)
			take_reading(&origin->history->fields[place], &result->fields[i]);
	}
}

/* --- the whole ----------------------------------------------------------------------------------------------- */

static void begin_fields(const struct layout *layout, struct history *result)
{
	result->field_count = layout->family->field_count;
	result->fields = memory_array(result->field_count, sizeof(*result->fields));
	for (size_t i = 0; i < result->field_count; i++) {
		const struct pindrop_field *field = &layout->family->fields[i];

		result->fields[i] = (struct history_field){.heartbeat = layout->heartbeat,
		                                           .min = field->kind == PINDROP_COUNTER ? 0 : NAN,
		                                           .max = NAN,
		                                           .reading = "U"};
		snprintf(result->fields[i].name, HISTORY_NAME_SIZE, "%s", field->name);
		snprintf(result->fields[i].type, HISTORY_NAME_SIZE, "%s", layout_type(field));
	}
}

/* The time of the result is that of the newest source, or the end. */
static const struct history *begin_time(const struct history *const *sources, size_t source_count, int64_t end,
                                        struct history *result)
{
	const struct history *newest = sources[0];

	for (size_t i = 1; i < source_count; i++)
		if (sources[i]->last > newest->last)
			newest = sources[i];
	if (newest->last > end) {
		result->last = end;
		return NULL;
	}
	result->last = newest->last;
	result->last_microseconds = newest->last_microseconds;
	return newest;
}

static void make_rows(const struct join *join, const struct history *result, const struct history_archive *archive)
{
	double *value = archive->values;

	for (size_t row = 0; row < archive->rows; row++)
		for (size_t field = 0; field < result->field_count; field++)
			*value++ = make_value(join, archive, field, start_of(archive) + (int64_t)(row + 1) * archive->step);
}

void migrate_history(const struct layout *layout, const struct history *const *sources, size_t source_count,
                     int64_t end, struct history *result)
{
	struct join join = {.count = source_count, .views = memory_array(source_count, sizeof(struct view))};
	const struct history *newest;

	*result = (struct history){.step = layout->step};
	newest = begin_time(sources, source_count, end, result);
	begin_fields(layout, result);
	for (size_t i = 0; i < source_count; i++) {
		join.views[i] = view_begin(sources[i], result);
		if (sources[i] == newest)
			join.origin = &join.views[i];
	}
	make_field_states(&join, result);
	for (size_t i = 0; i < layout->archive_count; i++) {
		const struct layout_archive *wanted = &layout->archives[i];
		const struct history_archive *archive =
			history_add_archive(result, wanted->consolidation, wanted->step, (size_t)wanted->rows);

		make_rows(&join, result, archive);
		make_archive_states(&join, result, archive);
	}
	for (size_t i = 0; i < source_count; i++)
		view_end(&join.views[i]);
	free(join.views);
}

bool migrate_related(const struct layout *layout, const struct history *old)
{
	for (size_t i = 0; i < layout->family->field_count; i++)
		for (size_t k = 0; k < old->field_count; k++)
			if (strcmp(layout->family->fields[i].name, old->fields[k].name) == 0)
				return true;
	return false;
}

/* --- what is lost -------------------------------------------------------------------------------------------- */

static bool covers(const struct history_archive *archive, int64_t from, int64_t to)
{
	return archive && start_of(archive) <= from && archive->end >= to;
}

/* No finer level speaks of the whole of it. */
static bool is_finest(const struct view *view, size_t level, int64_t from, int64_t to)
{
	for (size_t i = 0; i < level; i++) {
		const struct history_archive *archive = view->levels[i].archives[STORE_AVERAGE];

		/* What is in progress speaks too. */
		if (archive && start_of(archive) <= from && view->boundary >= to)
			return false;
	}
	return true;
}

/* A whole number of rows of the result, of that consolidation, lies in it. */
static bool is_held(const struct view *result, enum store_consolidation consolidation, int64_t step, int64_t from,
                    int64_t to)
{
	for (size_t i = 0; i < result->level_count && result->levels[i].step <= step; i++)
		if (step % result->levels[i].step == 0 && covers(result->levels[i].archives[consolidation], from, to))
			return true;
	return false;
}

/* They differ by more than what rounding makes of a mean of equal numbers. */
static bool differs(double extreme_value, double average)
{
	return fabs(extreme_value - average) > 1e-12 * fabs(average);
}

/* A field that the result has is known in a row, and, when there is another to compare with, differs there. */
static bool row_knows(const struct history *old, const struct view *result, const double *row, const double *other)
{
	for (size_t i = 0; i < old->field_count; i++)
		if (result->fields[i] != NONE && !isnan(row[i]) && (!other || differs(row[i], other[i])))
			return true;
	return false;
}

static void count_lost(struct migrate_loss *loss, int64_t step, int64_t from, int64_t to, bool extremes)
{
	struct migrate_lost_rows *rows = NULL;

	for (size_t i = 0; i < loss->row_count; i++)
		if (loss->rows[i].step == step && loss->rows[i].extremes == extremes)
			rows = &loss->rows[i];
	if (!rows) {
		loss->rows = memory_resize(loss->rows, loss->row_count + 1, sizeof(*loss->rows));
		rows = &loss->rows[loss->row_count++];
		*rows = (struct migrate_lost_rows){step, 0, from, to, extremes};
	}
	rows->count++;
	rows->from = from < rows->from ? from : rows->from;
	rows->to = to > rows->to ? to : rows->to;
}

/* The extremes of a row say more than its average, and are not held. */
static bool loses_extremes(const struct view *old, size_t level, const struct view *result, const double *average,
                           int64_t end)
{
	const struct level *rows = &old->levels[level];

	for (enum store_consolidation consolidation = STORE_MIN; consolidation <= STORE_MAX; consolidation++) {
		const double *row = find_row(old->history, rows->archives[consolidation], end);

		if (row && row_knows(old->history, result, row, average) &&
		    !is_held(result, consolidation, rows->step, end - rows->step, end))
			return true;
	}
	return false;
}

static void compare_level(const struct view *old, size_t level, const struct view *result, struct migrate_loss *loss)
{
	const struct history_archive *archive = old->levels[level].archives[STORE_AVERAGE];
	int64_t step = old->levels[level].step;

	for (int64_t from = archive ? start_of(archive) : 0; archive && from < archive->end; from += step) {
		const double *row = find_row(old->history, archive, from + step);

		if (!row_knows(old->history, result, row, NULL) || !is_finest(old, level, from, from + step))
			continue;
		if (!is_held(result, STORE_AVERAGE, step, from, from + step))
			count_lost(loss, step, from, from + step, false);
		else if (loses_extremes(old, level, result, row, from + step))
			count_lost(loss, step, from, from + step, true);
	}
}

static bool was_known(const struct history *history, size_t field)
{
	for (size_t i = 0; i < history->archive_count; i++)
		for (size_t row = 0; row < history->archives[i].rows; row++)
			if (!isnan(history->archives[i].values[row * history->field_count + field]))
				return true;
	return false;
}

void migrate_compare(const struct history *old, const struct history *result, struct migrate_loss *loss)
{
	/* The fields of the second: for each of the old ones, the result's. */
	struct view old_view = view_begin(old, old), result_view = view_begin(result, old);

	for (size_t i = 0; i < old->field_count; i++) {
		if (result_view.fields[i] != NONE || !was_known(old, i))
			continue;
		loss->fields = memory_resize(loss->fields, loss->field_count + 1, HISTORY_NAME_SIZE);
		memcpy(loss->fields[loss->field_count++], old->fields[i].name, HISTORY_NAME_SIZE);
	}
	for (size_t i = 0; i < old_view.level_count; i++)
		compare_level(&old_view, i, &result_view, loss);
	loss->other_archives += old->other_archives;
	view_end(&old_view);
	view_end(&result_view);
}

bool migrate_is_loss(const struct migrate_loss *loss)
{
	return loss->field_count || loss->row_count || loss->other_archives;
}

void migrate_loss_release(struct migrate_loss *loss)
{
	free(loss->fields);
	free(loss->rows);
	*loss = (struct migrate_loss){0};
}

/* --- in words ------------------------------------------------------------------------------------------------ */

static void add_words(char **text, const char *separator, char *words)
{
	char *longer = memory_format("%s%s%s", *text, **text ? separator : "", words);

	free(*text);
	free(words);
	*text = longer;
}

/* 21600 -> "21,600" */
static char *write_count(size_t count, char text[32])
{
	char digits[24];
	size_t length = (size_t)snprintf(digits, sizeof(digits), "%zu", count), at = 0;

	for (size_t i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			text[at++] = ',';
		text[at++] = digits[i];
	}
	text[at] = '\0';
	return text;
}

/* "between 2026-11-24 10:00 and 16:00": to the minute, or to the second where that says nothing. */
static char *describe_time(int64_t from, int64_t to)
{
	time_t begins = (time_t)from, ends = (time_t)to;
	struct tm first, last;
	char begin_text[32], end_text[32];
	bool seconds = to - from < 600, same_day;

	localtime_r(&begins, &first);
	localtime_r(&ends, &last);
	same_day = first.tm_year == last.tm_year && first.tm_yday == last.tm_yday;
	strftime(begin_text, sizeof(begin_text), seconds ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%d %H:%M", &first);
	if (same_day)
		strftime(end_text, sizeof(end_text), seconds ? "%H:%M:%S" : "%H:%M", &last);
	else
		strftime(end_text, sizeof(end_text), seconds ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%d %H:%M", &last);
	return memory_format("between %s and %s", begin_text, end_text);
}

char *migrate_describe_loss(const struct migrate_loss *loss)
{
	char *text = memory_text("");

	for (size_t i = 0; i < loss->row_count; i++) {
		const struct migrate_lost_rows *rows = &loss->rows[i];
		char *when = describe_time(rows->from, rows->to), count[32], step[TEXT_AMOUNT_SIZE];

		add_words(&text, ", ",
		          memory_format("%s%s row%s of %s %s", rows->extremes ? "minima and maxima of " : "",
		                        write_count(rows->count, count), rows->count == 1 ? "" : "s",
		                        text_from_duration((double)rows->step, step), when));
		free(when);
	}
	for (size_t i = 0; i < loss->field_count; i++)
		add_words(&text, ", ", memory_format("field %s", loss->fields[i]));
	if (loss->other_archives)
		add_words(&text, ", ", memory_format("%zu archives of other kinds", loss->other_archives));
	return text;
}

/* The rows that a history keeps as averages in a step; 0: none. */
static int64_t rows_of_step(const struct history *history, int64_t step)
{
	int64_t rows = 0;

	for (size_t i = 0; i < history->archive_count; i++)
		if (history->archives[i].consolidation == STORE_AVERAGE && history->archives[i].step == step)
			rows = (int64_t)history->archives[i].rows;
	return rows;
}

static int64_t rows_wanted(const struct layout *layout, int64_t step)
{
	int64_t rows = 0;

	for (size_t i = 0; i < layout->archive_count; i++)
		if (layout->archives[i].consolidation == STORE_AVERAGE && layout->archives[i].step == step)
			rows = layout->archives[i].rows;
	return rows;
}

static void describe_tier(char **text, int64_t step, int64_t before, int64_t after)
{
	char step_text[TEXT_AMOUNT_SIZE], old_keep[TEXT_AMOUNT_SIZE], new_keep[TEXT_AMOUNT_SIZE];

	text_from_duration((double)step, step_text);
	text_from_duration((double)(before * step), old_keep);
	text_from_duration((double)(after * step), new_keep);
	if (before && after && before != after)
		add_words(text, "; ", memory_format("%s for %s -> %s for %s", step_text, old_keep, step_text, new_keep));
	else if (before && !after)
		add_words(text, "; ", memory_format("%s for %s goes", step_text, old_keep));
	else if (after && !before)
		add_words(text, "; ", memory_format("new: %s for %s", step_text, new_keep));
}

static void describe_tiers(char **text, const struct history *old, const struct layout *layout)
{
	for (size_t i = 0; i < old->archive_count; i++)
		if (old->archives[i].consolidation == STORE_AVERAGE)
			describe_tier(text, old->archives[i].step, (int64_t)old->archives[i].rows,
			              rows_wanted(layout, old->archives[i].step));
	for (size_t i = 0; i < layout->archive_count; i++)
		if (layout->archives[i].consolidation == STORE_AVERAGE && !rows_of_step(old, layout->archives[i].step))
			describe_tier(text, layout->archives[i].step, 0, layout->archives[i].rows);
}

/* Returns whether a field that stays has moved. */
static bool describe_new_fields(char **text, const struct history *old, const struct pindrop_family *family)
{
	size_t place = 0;
	bool moved = false;

	for (size_t i = 0; i < family->field_count; i++) {
		const char *name = family->fields[i].name, *type = layout_type(&family->fields[i]);
		size_t same = find_field(old, name, type), k = 0;

		while (k < old->field_count && strcmp(old->fields[k].name, name) != 0)
			k++;
		if (k == old->field_count)
			add_words(text, "; ", memory_format("new field %s", name));
		else if (same == NONE)
			add_words(text, "; ", memory_format("field %s begins anew: %s -> %s", name, old->fields[k].type, type));
		else if (strcmp(old->fields[k].type, type) != 0)
			add_words(text, "; ", memory_format("field %s: %s -> %s", name, old->fields[k].type, type));
		if (k < old->field_count) {
			moved |= k < place;
			place = k;
		}
	}
	return moved;
}

static void describe_fields(char **text, const struct history *old, const struct pindrop_family *family)
{
	bool moved = describe_new_fields(text, old, family);

	for (size_t i = 0; i < old->field_count; i++) {
		size_t k = 0;

		while (k < family->field_count && strcmp(family->fields[k].name, old->fields[i].name) != 0)
			k++;
		if (k == family->field_count)
			add_words(text, "; ", memory_format("field %s goes", old->fields[i].name));
	}
	if (moved)
		add_words(text, "; ", memory_text("fields in another order"));
}

char *migrate_describe(const struct history *old, const struct layout *layout)
{
	char *text = memory_text(""), before[TEXT_AMOUNT_SIZE], after[TEXT_AMOUNT_SIZE];

	if (old->step != layout->step)
		add_words(&text, "; ",
		          memory_format("base step %s -> %s", text_from_duration((double)old->step, before),
		                        text_from_duration((double)layout->step, after)));
	else if (old->fields[0].heartbeat != layout->heartbeat)
		add_words(&text, "; ",
		          memory_format("heartbeat %s -> %s", text_from_duration((double)old->fields[0].heartbeat, before),
		                        text_from_duration((double)layout->heartbeat, after)));
	describe_tiers(&text, old, layout);
	describe_fields(&text, old, layout->family);
	return text;
}
