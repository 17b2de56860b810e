/* report/why.c: `pindrop why`, from the files alone. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "report/ask.h"
#include "report/report.h"
#include "report/tree.h"
#include "store/history.h"
#include "store/rrd.h"

/* Of the gaps within one row so many are told. */
#define TOLD 20

/* How long after the last flush it is still likely that an agent is running. */
#define FLUSH_GRACE (10 * CLOCK_SECOND)

struct why {
	const struct plan *plan;
	FILE *trouble;
	/* The question. */
	struct ask_metric metric;
	const struct plan_family *planned;
	const struct pindrop_field *field;
	char *instance; /* "" of a family without instances */
	char *name;     /* "disk.io.read_bytes of sda" */
	int64_t now, time;
	/* What there is. */
	struct ledger *ledger;
	struct error ledger_error; /* "": it could be read */
	char *path;
	enum file_state state;
	struct history history;
	struct error damage;
	size_t column; /* of the field in the file */
	/* The answer. */
	int status;
	char *words; /* sentences, one a line */
	const struct history_archive *row_of;
	int64_t row; /* its end, s */
	double value, min, max;
	json_t *gaps;
};

/* --- sentences ------------------------------------------------------------------------------------------------- */

static void say(struct why *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct why *why, const char *format, ...)
{
	char line[2048], *longer;
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	longer = memory_format("%s%s%s", why->words ? why->words : "", why->words ? "\n" : "", line);
	free(why->words);
	why->words = longer;
}

/* "from 2026-11-25 10:00:00 to 10:00:12": the day once, where it is one. */
#define SPAN_SIZE (2 * MOMENT_TEXT_SIZE + 16)
static char *write_span(int64_t from, int64_t to, char text[SPAN_SIZE])
{
	char begin[MOMENT_TEXT_SIZE], end[MOMENT_TEXT_SIZE];
	size_t day = strlen("2026-11-25 ");

	moment_write(from, begin);
	moment_write(to, end);
	snprintf(text, SPAN_SIZE, "from %s to %s", begin, end + (strncmp(begin, end, day) == 0 ? day : 0));
	return text;
}

static char *write_seconds(int64_t seconds, char text[MOMENT_TEXT_SIZE])
{
	return moment_write(seconds * CLOCK_SECOND, text);
}

/* A rate has fractions, also where its counter has none. */
static int decimals_of(const struct pindrop_field *field)
{
	return field->kind == PINDROP_COUNTER && field->decimals < 2 ? 2 : field->decimals;
}

/* "13.4 percent"; of a counter its rate, "4096.00 bytes a second". */
static char *write_value(const struct why *why, double value)
{
	const struct pindrop_field *field = why->field;

	return memory_format("%.*f%s%s%s", decimals_of(field), value, field->unit[0] ? " " : "", field->unit,
	                     field->kind == PINDROP_COUNTER ? " a second" : "");
}

/* --- reasons --------------------------------------------------------------------------------------------------- */

/* Tells the gaps that share a moment with (from, to], ns. `because` goes behind each. Returns how many there are. */
static size_t tell_gaps(struct why *why, int64_t from, int64_t to, const char *because)
{
	const struct ledger_query query = {why->planned->table->name, why->instance, why->field->name, from, to};
	size_t count;
	struct gap *gaps = ledger_find(why->ledger, &query, &count);

	for (size_t i = 0; i < count && i < TOLD; i++) {
		char span[SPAN_SIZE], length[TEXT_AMOUNT_SIZE], *words = gap_describe(&gaps[i]);

		text_from_span(clock_seconds(gaps[i].to - gaps[i].from), length);
		say(why, "%s is unknown %s (%s): %s%s.", why->name, write_span(gaps[i].from, gaps[i].to, span), length, words,
		    because);
		json_array_append_new(why->gaps, ask_show_gap(&gaps[i]));
		free(words);
	}
	if (count > TOLD)
		say(why, "There are %zu gaps more in that time.", count - TOLD);
	free(gaps);
	return count;
}

static bool has_reason(struct why *why, int64_t from, int64_t to)
{
	return tell_gaps(why, from, to, "") > 0;
}

static bool has_reason_now(struct why *why)
{
	return has_reason(why, why->time - 1, why->time);
}

/* --- rows ------------------------------------------------------------------------------------------------------ */

/* The end of the row of that step in which a time lies, s. */
static int64_t row_end(int64_t time, int64_t step)
{
	int64_t seconds = (time + CLOCK_SECOND - 1) / CLOCK_SECOND;

	return (seconds + step - 1) / step * step;
}

static int64_t first_row(const struct history_archive *archive)
{
	return archive->end - ((int64_t)archive->rows - 1) * archive->step;
}

static bool holds(const struct history_archive *archive, int64_t row)
{
	return row >= first_row(archive) && row <= archive->end;
}

static double value_at(const struct why *why, const struct history_archive *archive, int64_t row)
{
	size_t index = (size_t)((row - first_row(archive)) / archive->step);

	return archive->values[index * why->history.field_count + why->column];
}

/* The finest archive of averages that reaches back to the time; NULL: none does. */
static const struct history_archive *find_archive(const struct why *why)
{
	const struct history_archive *finest = NULL;

	for (size_t i = 0; i < why->history.archive_count; i++) {
		const struct history_archive *archive = &why->history.archives[i];

		if (archive->consolidation == STORE_AVERAGE && row_end(why->time, archive->step) >= first_row(archive) &&
		    (!finest || archive->step < finest->step))
			finest = archive;
	}
	return finest;
}

/* The value of the row in another consolidation of the same step. */
static double find_extreme(const struct why *why, enum store_consolidation consolidation)
{
	for (size_t i = 0; i < why->history.archive_count; i++) {
		const struct history_archive *archive = &why->history.archives[i];

		if (archive->consolidation == consolidation && archive->step == why->row_of->step && holds(archive, why->row))
			return value_at(why, archive, why->row);
	}
	return NAN;
}

/* The first row that is known, s; INT64_MAX: none is. */
static int64_t find_first_known(const struct why *why)
{
	int64_t first = INT64_MAX;

	for (size_t i = 0; i < why->history.archive_count; i++) {
		const struct history_archive *archive = &why->history.archives[i];

		for (int64_t row = first_row(archive); row <= archive->end && row < first; row += archive->step)
			if (!isnan(value_at(why, archive, row)))
				first = row;
	}
	return first;
}

/* The oldest row of any archive, s. */
static int64_t find_oldest(const struct why *why)
{
	int64_t oldest = INT64_MAX;

	for (size_t i = 0; i < why->history.archive_count; i++)
		if (first_row(&why->history.archives[i]) < oldest)
			oldest = first_row(&why->history.archives[i]);
	return oldest;
}

/* --- answers --------------------------------------------------------------------------------------------------- */

static void tell_value(struct why *why)
{
	int64_t begin = why->row - why->row_of->step;
	char span[SPAN_SIZE], step[TEXT_AMOUNT_SIZE], at[MOMENT_TEXT_SIZE], *value = write_value(why, why->value);

	text_from_duration((double)why->row_of->step, step);
	why->min = find_extreme(why, STORE_MIN);
	why->max = find_extreme(why, STORE_MAX);
	if (isnan(why->min) || isnan(why->max)) {
		say(why, "%s was %s at %s (a row of %s).", why->name, value, write_seconds(why->row, at), step);
	} else {
		char *min = write_value(why, why->min), *max = write_value(why, why->max);

		say(why, "%s was %s on average %s, at least %s, at most %s (a row of %s).", why->name, value,
		    write_span(begin * CLOCK_SECOND, why->row * CLOCK_SECOND, span), min, max, step);
		free(min);
		free(max);
	}
	free(value);
	tell_gaps(why, begin * CLOCK_SECOND, why->row * CLOCK_SECOND, "");
	why->status = WHY_ANSWERED;
}

/* The stretch of unknown rows around the one that was asked for. */
static void tell_stretch(struct why *why)
{
	int64_t step = why->row_of->step, from = why->row - step, to = why->row;
	char span[SPAN_SIZE], length[TEXT_AMOUNT_SIZE];

	while (holds(why->row_of, from) && isnan(value_at(why, why->row_of, from)))
		from -= step;
	while (holds(why->row_of, to + step) && isnan(value_at(why, why->row_of, to + step)))
		to += step;
	text_from_span((double)(to - from), length);
	say(why, "%s is unknown %s (%s), and the ledger knows no reason.", why->name,
	    write_span(from * CLOCK_SECOND, to * CLOCK_SECOND, span), length);
}

/* A rate is that between two samples: it is unknown, too, in the row behind a gap. */
static bool has_reason_before(struct why *why, int64_t begin)
{
	return why->field->kind == PINDROP_COUNTER &&
	       tell_gaps(why, (begin - why->row_of->step) * CLOCK_SECOND, begin * CLOCK_SECOND,
	                 ", and a rate needs the sample before it, too") > 0;
}

static void tell_unknown(struct why *why)
{
	int64_t begin = why->row - why->row_of->step, first;
	char at[MOMENT_TEXT_SIZE], since[MOMENT_TEXT_SIZE];

	if (has_reason_now(why) || has_reason(why, begin * CLOCK_SECOND, why->row * CLOCK_SECOND) ||
	    has_reason_before(why, begin)) {
		why->status = WHY_ANSWERED;
		return;
	}
	first = find_first_known(why);
	if (first == INT64_MAX)
		say(why, "%s is unknown: %s holds nothing of it.", why->name, why->path);
	else if (why->row < first)
		say(why, "%s is unknown at %s: what %s holds of it begins at %s.", why->name, moment_write(why->time, at),
		    why->path, write_seconds(first, since));
	else
		tell_stretch(why);
}

static void tell_not_written(struct why *why)
{
	char at[MOMENT_TEXT_SIZE], last[MOMENT_TEXT_SIZE], flush[TEXT_AMOUNT_SIZE], quiet[TEXT_AMOUNT_SIZE];
	int64_t age = why->now - why->history.last * CLOCK_SECOND;

	moment_write(why->time, at);
	write_seconds(why->history.last, last);
	if (has_reason_now(why))
		why->status = WHY_ANSWERED;
	else if (age <= why->plan->flush + 2 * why->planned->plugin->interval + FLUSH_GRACE)
		say(why,
		    "%s at %s is not written yet: %s ends at %s. A running agent writes every %s; POST /api/v1/flush makes it "
		    "write now.",
		    why->name, at, why->path, last, text_from_duration(clock_seconds(why->plan->flush), flush));
	else
		say(why,
		    "%s at %s is not known: %s ends at %s. Nothing has been written for %s: no agent is running, or it cannot.",
		    why->name, at, why->path, last, text_from_span(clock_seconds(age), quiet));
}

static void tell_too_old(struct why *why)
{
	char at[MOMENT_TEXT_SIZE], oldest[MOMENT_TEXT_SIZE];

	if (has_reason_now(why))
		why->status = WHY_ANSWERED;
	else
		say(why, "%s at %s is older than what is kept: %s reaches back to %s.", why->name, moment_write(why->time, at),
		    why->path, write_seconds(find_oldest(why), oldest));
}

/* Those that have a file, or of which a gap is known. */
static void gather_instances(const struct why *why, struct ask_names *known)
{
	const struct ledger_query query = {why->planned->table->name, NULL, NULL, INT64_MIN, INT64_MAX};
	struct survey survey = {0};
	struct error error;
	struct gap *gaps;
	size_t count;

	if (survey_take(&survey, why->plan, &error) < 0)
		fprintf(why->trouble, "pindrop: %s\n", error.text);
	for (size_t i = 0; i < survey.count; i++)
		if (survey.files[i].kind == SURVEY_SERIES && survey.files[i].family == why->metric.family)
			ask_names_add(known, survey.files[i].instance);
	survey_release(&survey);
	gaps = ledger_find(why->ledger, &query, &count);
	for (size_t i = 0; i < count; i++)
		ask_names_add(known, gaps[i].instance);
	free(gaps);
}

/* A gap of everything says nothing of an instance that never was. */
static bool is_known_instance(struct why *why)
{
	struct ask_names known = {0};
	struct error error;
	bool there;

	if (!why->planned->table->instance)
		return true;
	gather_instances(why, &known);
	there = ask_names_have(&known, why->instance);
	if (!there) {
		ask_refuse_instance(why->planned->table, why->instance, &known, &error);
		say(why, "%s.", error.text);
	}
	ask_names_release(&known);
	return there;
}

static void tell_without_file(struct why *why)
{
	if (why->state == FILE_ABSENT && !is_known_instance(why))
		return;
	if (has_reason_now(why))
		why->status = WHY_ANSWERED;
	else if (why->state == FILE_ABSENT)
		say(why, "Nothing of %s is stored: there is no file %s.", why->name, why->path);
	else
		say(why, "%s cannot be read: %s.", why->name, why->damage.text);
}

static bool find_column(struct why *why)
{
	for (why->column = 0; why->column < why->history.field_count; why->column++)
		if (strcmp(why->history.fields[why->column].name, why->field->name) == 0)
			return true;
	return false;
}

static void answer_from_file(struct why *why)
{
	why->row_of = find_archive(why);
	if (!why->row_of) {
		tell_too_old(why);
		return;
	}
	why->row = row_end(why->time, why->row_of->step);
	if (why->row > why->row_of->end) {
		why->row_of = NULL;
		tell_not_written(why);
		return;
	}
	why->value = value_at(why, why->row_of, why->row);
	if (isnan(why->value))
		tell_unknown(why);
	else
		tell_value(why);
}

static void answer(struct why *why)
{
	char at[MOMENT_TEXT_SIZE], now[MOMENT_TEXT_SIZE];

	if (why->time > why->now)
		say(why, "%s has not come yet: it is %s.", moment_write(why->time, at), moment_write(why->now, now));
	else if (why->state != FILE_GOOD)
		tell_without_file(why);
	else if (!find_column(why))
		say(why, "%s knows no %s yet: a running agent adds it.", why->path, why->field->name);
	else
		answer_from_file(why);
}

/* --- the question ---------------------------------------------------------------------------------------------- */

/* A time may be typed as two words: 2026-11-25 10:00:03. */
static char *join_words(char *const *words, size_t count)
{
	char *text = memory_text(count ? words[0] : "");

	for (size_t i = 1; i < count; i++) {
		char *longer = memory_format("%s %s", text, words[i]);

		free(text);
		text = longer;
	}
	return text;
}

static int refuse_short(const struct why *why, struct error *error)
{
	const struct pindrop_family *family = why->planned->table;
	struct ask_names known = {0};
	const char *example;

	gather_instances(why, &known);
	example = known.count ? known.names[0] : "NAME";
	error_set(error, "%s is known of each %s; name one: pindrop why %s.%s %s TIME", family->name, family->instance,
	          family->name, why->field->name, example);
	ask_names_release(&known);
	return -1;
}

static int understand(struct why *why, char *const *words, size_t count, struct error *error)
{
	const struct pindrop_family *family;
	size_t used = 1;
	char *time;
	int failed;

	if (count < 2)
		return error_set(error, "why wants to know what and when: pindrop why METRIC [INSTANCE] TIME");
	if (ask_metric(why->plan, words[0], true, &why->metric, error) < 0)
		return -1;
	why->planned = &why->plan->families[why->metric.family];
	family = why->planned->table;
	why->field = &family->fields[why->metric.field];
	if (family->instance && count < 3)
		return refuse_short(why, error);
	why->instance = memory_text(family->instance ? words[used++] : "");
	why->name = *why->instance ? memory_format("%s of %s", words[0], why->instance) : memory_text(words[0]);
	time = join_words(words + used, count - used);
	failed = ask_time(time, why->now, &why->time, error);
	free(time);
	return failed;
}

/* --- the answer's form ----------------------------------------------------------------------------------------- */

static json_t *show_row(const struct why *why)
{
	json_t *object = json_object();

	tree_set(object, "from", json_integer(why->row - why->row_of->step));
	tree_set(object, "to", json_integer(why->row));
	tree_set(object, "step", json_integer(why->row_of->step));
	tree_set(object, "min", tree_number(why->min, decimals_of(why->field)));
	tree_set(object, "max", tree_number(why->max, decimals_of(why->field)));
	return object;
}

static void print_json(const struct why *why, const char *metric, FILE *out)
{
	json_t *root = json_object();
	char *text;

	tree_set(root, "metric", tree_text(metric));
	tree_set(root, "instance", tree_text(*why->instance ? why->instance : NULL));
	tree_set(root, "time", tree_value(clock_seconds(why->time)));
	tree_set(root, "value", tree_number(why->value, decimals_of(why->field)));
	tree_set(root, "unit", tree_text(why->field->unit));
	tree_set(root, "rate", json_boolean(why->field->kind == PINDROP_COUNTER));
	tree_set(root, "row", why->row_of ? show_row(why) : json_null());
	tree_set(root, "gaps", json_incref(why->gaps));
	tree_set(root, "words", tree_text(why->words));
	text = tree_end(root);
	fprintf(out, "%s\n", text);
	free(text);
}

static void read_ledger(struct why *why)
{
	char *ledger = memory_format("%s/.ledger", why->plan->data_dir);

	why->ledger = ledger_open(ledger, false, &why->ledger_error);
	free(ledger);
}

static void release(struct why *why)
{
	ledger_close(why->ledger);
	history_release(&why->history);
	json_decref(why->gaps);
	free(why->instance);
	free(why->name);
	free(why->path);
	free(why->words);
}

int report_why(const struct plan *plan, char *const *words, size_t count, bool json, FILE *out, FILE *trouble)
{
	struct why why = {.plan = plan,
	                  .trouble = trouble,
	                  .now = clock_wall(),
	                  .status = WHY_NOT_KNOWN,
	                  .value = NAN,
	                  .min = NAN,
	                  .max = NAN,
	                  .gaps = json_array()};
	struct error error;

	read_ledger(&why);
	if (understand(&why, words, count, &error) < 0) {
		fprintf(trouble, "pindrop: %s\n", error.text);
		why.status = WHY_BAD_WORDS;
	} else {
		why.path = store_path(plan, why.metric.family, why.instance);
		why.state = file_read_history(why.path, &why.history, &why.damage);
		answer(&why);
		if (why.ledger_error.text[0])
			fprintf(trouble, "pindrop: reasons are missing: %s\n", why.ledger_error.text);
		if (json)
			print_json(&why, words[0], out);
		else
			fprintf(out, "%s\n", why.words);
	}
	release(&why);
	return why.status;
}
