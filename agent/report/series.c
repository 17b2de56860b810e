/* report/series.c: /api/v1/series, history as numbers.
 *
 * What is asked for is understood once; then each part of the answer reads one file, so that no more of a long answer is in
 * memory than that of one instance. A file is read in stretches, however many rows it has, whose rows are gathered into
 * points. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "report/ask.h"
#include "report/report.h"
#include "report/tree.h"

#define FROM_DEFAULT (3600 * CLOCK_SECOND)

/* So many values of a file are in memory at once. */
#define VALUES_MAX 262144

/* One file, and the fields of it that are wanted. */
struct wanted {
	size_t family;
	char *instance;
	size_t field_count;
	size_t *fields;
};

struct series_job {
	struct store *store;
	const struct plan *plan; /* held */
	int64_t from, to, now;   /* s */
	int64_t points;
	bool csv;
	size_t count, next;
	struct wanted *wanted;
};

/* --- points ----------------------------------------------------------------------------------------------------- */

struct point {
	double sum, min, max; /* of the rows that are known */
	size_t known;
};

/* The point i stands for the `step` seconds that end at first + i * step, a multiple of the step. */
struct points {
	int64_t tier; /* of the rows, s */
	int64_t first, step;
	size_t count;
	size_t field_count;
	struct point *points; /* count * field_count */
};

static int64_t round_down(int64_t time, int64_t step)
{
	return time - time % step;
}

static int64_t round_up(int64_t time, int64_t step)
{
	return round_down(time + step - 1, step);
}

/* Points are whole multiples of rows, so that none is cut, and the same whenever one asks; with n - 1 of them to the stretch
 * there are never more than n. */
static void begin_points(struct points *points, const struct series_job *job, size_t family)
{
	int64_t span = job->to - job->from, spacing = (span + job->points - 2) / (job->points - 1);

	points->tier = store_choose_step(job->plan, family, job->now, job->from, span / job->points);
	points->step = round_up(spacing, points->tier);
	points->first = round_down(job->from, points->step) + points->step;
	points->count = (size_t)((round_up(job->to, points->step) - points->first) / points->step) + 1;
	points->field_count = job->plan->families[family].table->field_count;
	points->points = memory_array(points->count * points->field_count, sizeof(*points->points));
	for (size_t i = 0; i < points->count * points->field_count; i++)
		points->points[i].min = points->points[i].max = NAN;
}

/* fmin(3) and fmax(3) take the other one for NaN. */
static void gather_value(struct point *point, double value, enum store_consolidation kind, bool single)
{
	if (isnan(value))
		return;
	if (kind == STORE_AVERAGE) {
		point->sum += value;
		point->known++;
	}
	if (kind == STORE_MIN || single)
		point->min = fmin(point->min, value);
	if (kind == STORE_MAX || single)
		point->max = fmax(point->max, value);
}

static void gather_rows(struct points *points, const struct store_rows *rows, enum store_consolidation kind,
                        bool single)
{
	int64_t begin = points->first - points->step;

	for (size_t i = 0; i < rows->count; i++) {
		int64_t end = rows->start + (int64_t)(i + 1) * rows->step, place = (end - begin - 1) / points->step;
		struct point *point;

		if (end <= begin || (size_t)place >= points->count)
			continue;
		point = points->points + (size_t)place * points->field_count;
		for (size_t k = 0; k < points->field_count; k++)
			gather_value(&point[k], rows->values[i * points->field_count + k], kind, single);
	}
}

/* Of the finest tier a row is one sample. */
static int read_points(const struct series_job *job, const struct wanted *wanted, struct points *points,
                       struct error *error)
{
	bool single = store_is_finest(job->plan, wanted->family, points->tier);
	int64_t begin = points->first - points->step, end = begin + (int64_t)points->count * points->step,
			stretch = points->tier * (VALUES_MAX / (int64_t)points->field_count + 1);

	if (end > round_up(job->now, points->tier))
		end = round_up(job->now, points->tier);
	for (enum store_consolidation kind = STORE_AVERAGE; kind <= (single ? STORE_AVERAGE : STORE_MAX); kind++) {
		for (int64_t from = begin; from < end; from += stretch) {
			const struct store_question question = {.plan = job->plan,
			                                        .family = wanted->family,
			                                        .instance = wanted->instance,
			                                        .consolidation = kind,
			                                        .from = from,
			                                        .to = from + stretch < end ? from + stretch : end,
			                                        .step = points->tier};
			struct store_rows rows = {0};

			if (store_read(job->store, &question, &rows, error) < 0)
				return -1;
			gather_rows(points, &rows, kind, single);
			free(rows.values);
		}
	}
	return 0;
}

static double average(const struct point *point)
{
	return point->known ? point->sum / (double)point->known : NAN;
}

static double least(const struct point *point)
{
	return point->min;
}

static double greatest(const struct point *point)
{
	return point->max;
}

/* --- as JSON ---------------------------------------------------------------------------------------------------- */

static json_t *show_points(const struct points *points, size_t field, double (*value)(const struct point *))
{
	json_t *list = json_array();

	for (size_t i = 0; i < points->count; i++)
		json_array_append_new(list, tree_value(value(&points->points[i * points->field_count + field])));
	return list;
}

static json_t *show_series(const struct series_job *job, const struct wanted *wanted, size_t field,
                           const struct points *points, const char *trouble)
{
	const struct pindrop_family *family = job->plan->families[wanted->family].table;
	const struct pindrop_field *table = &family->fields[field];
	char *metric = memory_format("%s.%s", family->name, table->name);
	char *path = store_path(job->plan, wanted->family, wanted->instance);
	json_t *object = json_object();

	tree_set(object, "metric", tree_text(metric));
	tree_set(object, "instance", family->instance ? tree_text(wanted->instance) : json_null());
	tree_set(object, "unit", tree_unit(table));
	tree_set(object, "kind", json_string(tree_kind(table)));
	tree_set(object, "file", tree_text(path));
	tree_set(object, "tier", json_integer(points->tier));
	tree_set(object, "step", json_integer(points->step));
	tree_set(object, "start", json_integer(points->first));
	if (trouble)
		tree_set(object, "error", tree_text(trouble));
	tree_set(object, "avg", show_points(points, field, average));
	tree_set(object, "min", show_points(points, field, least));
	tree_set(object, "max", show_points(points, field, greatest));
	free(metric);
	free(path);
	return object;
}

/* All fields of one file, with a comma before each but the first of the answer. */
static void write_json(const struct series_job *job, const struct wanted *wanted, const struct points *points,
                       const char *trouble, FILE *out)
{
	for (size_t i = 0; i < wanted->field_count; i++) {
		char *one = tree_end(show_series(job, wanted, wanted->fields[i], points, trouble));

		fprintf(out, "%s%s", wanted == job->wanted && i == 0 ? "" : ",", one);
		free(one);
	}
}

/* --- as CSV (RFC 4180) ------------------------------------------------------------------------------------------ */

#define CSV_HEAD "time,metric,instance,avg,min,max\r\n"

static void write_number(FILE *out, double value)
{
	if (isnan(value))
		fputc(',', out);
	else
		fprintf(out, ",%.15g", value);
}

static void write_quoted(FILE *out, const char *text)
{
	if (!strpbrk(text, ",\"\r\n")) {
		fputs(text, out);
		return;
	}
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

static void write_csv(const struct series_job *job, const struct wanted *wanted, const struct points *points, FILE *out)
{
	const struct pindrop_family *family = job->plan->families[wanted->family].table;

	for (size_t k = 0; k < wanted->field_count; k++) {
		size_t field = wanted->fields[k];

		for (size_t i = 0; i < points->count; i++) {
			const struct point *point = &points->points[i * points->field_count + field];
			int64_t time = points->first + (int64_t)i * points->step;

			fprintf(out, "%" PRId64 ",%s.%s,", time, family->name, family->fields[field].name);
			write_quoted(out, wanted->instance);
			write_number(out, average(point));
			write_number(out, point->min);
			write_number(out, point->max);
			fputs("\r\n", out);
		}
	}
}

/* --- what is asked for ------------------------------------------------------------------------------------------ */

static void add_field(struct wanted *wanted, size_t field)
{
	for (size_t i = 0; i < wanted->field_count; i++)
		if (wanted->fields[i] == field)
			return;
	wanted->fields = memory_resize(wanted->fields, wanted->field_count + 1, sizeof(*wanted->fields));
	wanted->fields[wanted->field_count++] = field;
}

/* One more metric, or all of a family's. A family has one place in the list, whatever is asked of it. */
static void add_metric(struct series_job *job, const struct ask_metric *metric)
{
	const struct pindrop_family *family = job->plan->families[metric->family].table;
	struct wanted *wanted = job->wanted;

	while (wanted < job->wanted + job->count && wanted->family != metric->family)
		wanted++;
	if (wanted == job->wanted + job->count) {
		job->wanted = memory_resize(job->wanted, job->count + 1, sizeof(*wanted));
		wanted = &job->wanted[job->count++];
		*wanted = (struct wanted){.family = metric->family};
	}
	for (size_t i = 0; i < family->field_count; i++)
		if (metric->field == ASK_ALL || metric->field == i)
			add_field(wanted, i);
}

static enum report_result read_metrics(struct series_job *job, const char *names, struct error *error)
{
	char *copy, *rest, *word;
	enum report_result result = REPORT_GOOD;

	if (!names || !*names) {
		error_set(error,
		          "which metric? as in ?metric=cpu.usage or ?metric=disk.io; several stand with commas between them");
		return REPORT_BAD_WORDS;
	}
	copy = rest = memory_text(names);
	while (result == REPORT_GOOD && (word = strsep(&rest, ","))) {
		struct ask_metric metric;

		if (ask_metric(job->plan, word, false, &metric, error) < 0)
			result = REPORT_NOT_FOUND;
		else
			add_metric(job, &metric);
	}
	free(copy);
	return result;
}

/* What is wanted of a family is wanted of the instance that was named, or of each. */
static void add_instance(struct series_job *job, const struct wanted *of, const char *instance)
{
	struct wanted *wanted;

	job->wanted = memory_resize(job->wanted, job->count + 1, sizeof(*wanted));
	wanted = &job->wanted[job->count++];
	*wanted = (struct wanted){.family = of->family, .instance = memory_text(instance), .field_count = of->field_count};
	wanted->fields = memory_array(of->field_count, sizeof(*wanted->fields));
	memcpy(wanted->fields, of->fields, of->field_count * sizeof(*wanted->fields));
}

static enum report_result spread(struct series_job *job, const struct snapshot *snapshot, const struct wanted *of,
                                 const char *instance, struct error *error)
{
	const struct family_snapshot *readings = &snapshot->families[of->family];
	const struct pindrop_family *family = snapshot->plan->families[of->family].table;
	struct ask_names known = {0};
	enum report_result result = REPORT_GOOD;

	for (size_t i = 0; i < readings->reading_count; i++) {
		ask_names_add(&known, readings->readings[i].instance->name);
		if (!instance && family->instance)
			add_instance(job, of, readings->readings[i].instance->name);
	}
	if (instance)
		result = ask_instance(family, instance, &known, error);
	if (result == REPORT_GOOD && (instance || !family->instance))
		add_instance(job, of, instance ? instance : "");
	ask_names_release(&known);
	return result;
}

static void release_wanted(struct wanted *wanted, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(wanted[i].instance);
		free(wanted[i].fields);
	}
	free(wanted);
}

static enum report_result read_instances(struct series_job *job, const struct snapshot *snapshot, const char *instance,
                                         struct error *error)
{
	struct wanted *families = job->wanted;
	size_t count = job->count;
	enum report_result result = REPORT_GOOD;

	job->wanted = NULL;
	job->count = 0;
	for (size_t i = 0; i < count && result == REPORT_GOOD; i++)
		result = spread(job, snapshot, &families[i], instance, error);
	release_wanted(families, count);
	return result;
}

static enum report_result understand(const struct report *report, const struct report_series_question *question,
                                     struct series_job *job, struct error *error)
{
	int64_t now = clock_wall(), from, to;
	struct snapshot *snapshot = metric_snapshot(report->metric);
	enum report_result result;

	job->store = report->store;
	job->plan = plan_hold(snapshot->plan);
	job->now = now / CLOCK_SECOND;
	job->points = REPORT_POINTS;
	job->csv = question->csv;
	result = read_metrics(job, question->metrics, error);
	if (result == REPORT_GOOD)
		result = read_instances(job, snapshot, question->instance, error);
	snapshot_free(snapshot);
	if (result != REPORT_GOOD)
		return result;
	if (ask_stretch(question->from, question->to, FROM_DEFAULT, now, &from, &to, error) < 0 ||
	    ask_number("points", question->points, REPORT_POINTS_MIN, REPORT_POINTS_MAX, &job->points, error) < 0)
		return REPORT_BAD_WORDS;
	job->from = from / CLOCK_SECOND;
	job->to = (to + CLOCK_SECOND - 1) / CLOCK_SECOND;
	return REPORT_GOOD;
}

/* --- the stream ------------------------------------------------------------------------------------------------- */

static void write_part(const struct series_job *job, const struct wanted *wanted, FILE *out)
{
	struct points points = {0};
	struct error error = {""};
	int failed;

	begin_points(&points, job, wanted->family);
	failed = read_points(job, wanted, &points, &error);
	if (job->csv)
		write_csv(job, wanted, &points, out);
	else
		write_json(job, wanted, &points, failed ? error.text : NULL, out);
	free(points.points);
}

static char *next_part(void *context)
{
	struct series_job *job = context;
	size_t next = job->next++, length;
	char *text = NULL;
	FILE *out;

	if (next >= job->count)
		return next == job->count && !job->csv ? memory_text("]}\n") : NULL;
	out = open_memstream(&text, &length);
	if (!out)
		return NULL;
	write_part(job, &job->wanted[next], out);
	fclose(out);
	return text;
}

static void end_job(void *context)
{
	struct series_job *job = context;

	release_wanted(job->wanted, job->count);
	plan_release(job->plan);
	free(job);
}

char *report_series(const struct report *report, const struct report_series_question *question,
                    struct report_stream *stream, enum report_result *result)
{
	struct series_job *job = memory_alloc(sizeof(*job));
	struct store_status status;
	struct error error = {""};

	store_status(report->store, &status);
	*result = understand(report, question, job, &error);
	if (*result == REPORT_GOOD && status.late) {
		error_set(&error, "the disk does not answer; /health says since when");
		*result = REPORT_NOT_NOW;
	}
	if (*result != REPORT_GOOD) {
		end_job(job);
		return report_error("%s", error.text);
	}
	*stream = (struct report_stream){.next = next_part, .end = end_job, .context = job};
	return job->csv
	           ? memory_text(CSV_HEAD)
	           : memory_format("{\"from\":%lld,\"to\":%lld,\"series\":[", (long long)job->from, (long long)job->to);
}
