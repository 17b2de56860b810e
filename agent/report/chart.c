/* report/chart.c: /graph/… and `pindrop graph`: what somebody wants to see, understood, gathered, and drawn. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "report/ask.h"
#include "report/draw.h"
#include "report/graph.h"
#include "report/report.h"

enum { WIDTH_MIN = 200, WIDTH_MAX = 4000, WIDTH = 800, HEIGHT_MIN = 80, HEIGHT_MAX = 2000, HEIGHT = 240 };
#define FROM_DEFAULT (3600 * CLOCK_SECOND)

/* No instance has a longer name: that of a mount is a path. */
#define NAME_MAX_BYTES 4096

/* rrdtool knows no time before 1980. */
#define FIRST_TIME INT64_C(315532800)

#define JSON NULL
#define TEXT "text/plain; charset=utf-8"

/* One instance that is known. */
struct subject {
	char *name;
	bool present;
};

/* A chart from the question to the command. */
struct chart {
	const struct plan *plan; /* held */
	size_t family;
	const struct pindrop_family *table;
	char *instance; /* NULL: all; "" of a family without instances */
	bool *fields;   /* those that are drawn */
	bool command;
	size_t subject_count;
	struct subject *subjects; /* those that are there first, then by name */
	struct graph graph;
	struct graph_line lines[GRAPH_LINES_MAX];
	struct gap *gaps;
};

static void release(struct chart *chart)
{
	for (size_t i = 0; i < chart->graph.line_count; i++)
		free((char *)chart->lines[i].path);
	for (size_t i = 0; i < chart->subject_count; i++)
		free(chart->subjects[i].name);
	free(chart->subjects);
	free(chart->instance);
	free(chart->fields);
	free(chart->gaps);
	plan_release(chart->plan);
	*chart = (struct chart){0};
}

/* --- arguments: 0, or the status of a refusal with the words ------------------------------------------------------ */

static unsigned read_pixels(const char *name, const char *text, int64_t least, int64_t most, unsigned *pixels,
                            struct error *error)
{
	int64_t number = *pixels;

	if (ask_number(name, text, least, most, &number, error) < 0)
		return 400;
	*pixels = (unsigned)number;
	return 0;
}

/* Sees which of two words it is; the first where nothing was said. */
static unsigned read_choice(const char *name, const char *text, const char *usual, const char *other, bool *is_other,
                            struct error *error)
{
	*is_other = text && strcmp(text, other) == 0;
	if (!text || *is_other || (usual && strcmp(text, usual) == 0))
		return 0;
	if (usual)
		error_set(error, "\"%s\" is %s or %s, not \"%.*s\"", name, usual, other, ASK_SHOWN, text);
	else
		error_set(error, "\"%s\" can be \"%s\", or is left out, but not \"%.*s\"", name, other, ASK_SHOWN, text);
	return 400;
}

/* In whole seconds, not in the future, and at least one of them. */
static unsigned read_span(const char *from, const char *to, int64_t now, struct graph *graph, struct error *error)
{
	int64_t begin, end;

	if (ask_stretch(from, to, FROM_DEFAULT, now, &begin, &end, error) < 0)
		return 400;
	end = end < now ? end : now;
	graph->from = begin / CLOCK_SECOND > FIRST_TIME ? begin / CLOCK_SECOND : FIRST_TIME;
	graph->to = end / CLOCK_SECOND;
	if (graph->from < graph->to)
		return 0;
	error_set(error, "there is nothing to draw: \"from\" has to lie before now, and a second before \"to\"");
	return 400;
}

static unsigned refuse_field(const struct pindrop_family *family, const char *word, struct error *error)
{
	struct ask_names known = {0};
	const char *meant;

	for (size_t i = 0; i < family->field_count; i++)
		ask_names_add(&known, family->fields[i].name);
	meant = strlen(word) <= ASK_SHOWN ? text_nearest(word, (const char *const *)known.names) : NULL;
	if (meant)
		error_set(error, "%s has no field \"%.*s\" (did you mean \"%s\"?)", family->name, ASK_SHOWN, word, meant);
	else
		error_set(error, "%s has no field \"%.*s\"; its first is \"%s\", and \"pindrop describe %s\" lists them",
		          family->name, ASK_SHOWN, word, family->fields[0].name, family->name);
	ask_names_release(&known);
	return 400;
}

static bool choose_field(const struct pindrop_family *family, const char *name, bool *fields)
{
	for (size_t i = 0; i < family->field_count; i++)
		if (strcmp(family->fields[i].name, name) == 0)
			return fields[i] = true;
	return false;
}

/* "usage,iowait"; without any those that stand for the family. */
static unsigned read_fields(const char *text, struct chart *chart, struct error *error)
{
	char *words, *rest, *word;
	unsigned refusal = 0;

	chart->fields = memory_array(chart->table->field_count, sizeof(bool));
	if (!text) {
		graph_headline(chart->table, chart->fields);
		return 0;
	}
	words = rest = memory_text(text);
	while (!refusal && (word = strsep(&rest, ",")))
		if (!choose_field(chart->table, word, chart->fields))
			refusal = refuse_field(chart->table, word, error);
	free(words);
	return refusal;
}

struct look {
	const char *from, *to, *width, *height, *theme, *fields, *as;
};

/* All but what it is of. */
static unsigned read_look(const struct look *look, int64_t now, struct chart *chart, struct error *error)
{
	struct graph *graph = &chart->graph;
	unsigned refusal;

	graph->width = WIDTH;
	graph->height = HEIGHT;
	refusal = read_span(look->from, look->to, now, graph, error);
	if (!refusal)
		refusal = read_pixels("width", look->width, WIDTH_MIN, WIDTH_MAX, &graph->width, error);
	if (!refusal)
		refusal = read_pixels("height", look->height, HEIGHT_MIN, HEIGHT_MAX, &graph->height, error);
	if (!refusal)
		refusal = read_choice("theme", look->theme, "light", "dark", &graph->dark, error);
	if (!refusal)
		refusal = read_choice("as", look->as, NULL, "command", &chart->command, error);
	return refusal ? refusal : read_fields(look->fields, chart, error);
}

/* --- names -------------------------------------------------------------------------------------------------------- */

static unsigned find_family(struct chart *chart, const char *name, struct error *error)
{
	struct ask_metric metric;

	if (ask_metric(chart->plan, name, false, &metric, error) < 0)
		return 404;
	chart->family = metric.family;
	chart->table = chart->graph.family = chart->plan->families[metric.family].table;
	if (metric.field == ASK_ALL)
		return 0;
	error_set(error, "%s is one field of %s: ask for the chart of %s, with fields=%s", name, chart->table->name,
	          chart->table->name, chart->table->fields[metric.field].name);
	return 404;
}

static void add_subject(struct chart *chart, const char *name, bool present)
{
	chart->subjects = memory_resize(chart->subjects, chart->subject_count + 1, sizeof(*chart->subjects));
	chart->subjects[chart->subject_count++] = (struct subject){memory_text(name), present};
}

static int by_presence(const void *a, const void *b)
{
	const struct subject *left = a, *right = b;

	return left->present != right->present ? right->present - left->present : strverscmp(left->name, right->name);
}

/* Sees what it is of, once the subjects are there. `instance` NULL: all. */
static unsigned find_instance(struct chart *chart, const char *instance, struct error *error)
{
	struct ask_names known = {0};
	unsigned refusal = 0;

	if (!chart->table->instance && instance) {
		error_set(error, "%s has no instances: its one chart is /graph/%s.png", chart->table->name, chart->table->name);
		return 404;
	}
	for (size_t i = 0; i < chart->subject_count; i++)
		ask_names_add(&known, chart->subjects[i].name);
	if (instance && ask_instance(chart->table, instance, &known, error) != REPORT_GOOD)
		refusal = 404;
	ask_names_release(&known);
	if (chart->subject_count > 0)
		qsort(chart->subjects, chart->subject_count, sizeof(*chart->subjects), by_presence);
	if (!refusal && (instance || !chart->table->instance))
		chart->graph.instance = chart->instance = memory_text(instance ? instance : "");
	return refusal;
}

/* "disk.io/sda.png", taken apart: `path` ends with the family then. */
static unsigned split_path(char *path, char **instance, bool *svg, struct error *error)
{
	char *slash, *dot = strrchr(path, '.');

	*svg = dot && strcmp(dot, ".svg") == 0;
	if (!dot || (!*svg && strcmp(dot, ".png") != 0)) {
		error_set(error, "charts are /graph/FAMILY.png or /graph/FAMILY/INSTANCE.png, or the same with .svg");
		return 404;
	}
	*dot = '\0';
	slash = strchr(path, '/');
	*instance = slash ? slash + 1 : NULL;
	if (slash)
		*slash = '\0';
	return 0;
}

/* What no name is. */
static unsigned check_path(const char *path, struct error *error)
{
	size_t length = strlen(path);

	if (length > NAME_MAX_BYTES) {
		error_set(error, "no chart has a name of %zu bytes; /api/v1/metrics lists families and instances", length);
		return 400;
	}
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)path[i] < ' ' || path[i] == 0x7F) {
			error_set(error, "the name of a chart has no control characters");
			return 400;
		}
	for (const char *at = path, *end; at; at = *end ? end + 1 : NULL) {
		end = strchrnul(at, '/');
		if (end - at >= 2 && strncmp(at, "..", 2) == 0 && (end - at == 2 || !*end)) {
			error_set(error, "the name of a chart has no \"..\" in it");
			return 400;
		}
	}
	return 0;
}

/* --- gathering ------------------------------------------------------------------------------------------------------ */

/* Adds the lines of one subject; one without a file has none. What is beyond the last line is not looked for. */
static void add_lines(struct chart *chart, const char *name)
{
	struct graph *graph = &chart->graph;
	char *path = store_path(chart->plan, chart->family, name);
	char *real = graph->line_count < GRAPH_LINES_MAX ? realpath(path, NULL) : memory_text(path);

	for (size_t i = 0; real && i < chart->table->field_count; i++) {
		if (!chart->fields[i])
			continue;
		if (graph->line_count < GRAPH_LINES_MAX)
			chart->lines[graph->line_count++] = (struct graph_line){memory_text(real), name, &chart->table->fields[i]};
		else
			graph->left_out++;
	}
	graph->lines = chart->lines;
	free(real);
	free(path);
}

static bool is_wanted(const struct chart *chart, const struct subject *subject)
{
	return !chart->instance || strcmp(chart->instance, subject->name) == 0;
}

/* All lines. 404 with the words: nothing is stored yet. */
static unsigned gather_lines(struct chart *chart, struct error *error)
{
	for (size_t i = 0; i < chart->subject_count; i++)
		if (is_wanted(chart, &chart->subjects[i]))
			add_lines(chart, chart->subjects[i].name);
	if (chart->graph.line_count > 0)
		return 0;
	error_set(error, "nothing of %s%s%.*s is stored yet", chart->table->name,
	          chart->instance && *chart->instance ? " of " : "", ASK_SHOWN, chart->instance ? chart->instance : "");
	return 404;
}

/* Those of what is drawn as a whole: not of one of several instances, and of no field that is not drawn. */
static bool is_of_all(const struct chart *chart, const struct gap *gap)
{
	if (gap->instance && !chart->instance)
		return false;
	for (size_t i = 0; gap->field && i < chart->table->field_count; i++)
		if (strcmp(chart->table->fields[i].name, gap->field) == 0)
			return chart->fields[i];
	return true;
}

static void gather_gaps(struct chart *chart, struct ledger *ledger)
{
	const struct graph *graph = &chart->graph;
	const struct ledger_query query = {chart->table->name, chart->instance, NULL, graph->from * CLOCK_SECOND,
	                                   graph->to * CLOCK_SECOND};
	size_t count, of_all = 0;

	chart->gaps = ledger_find(ledger, &query, &count);
	for (size_t i = 0; i < count; i++)
		if (is_of_all(chart, &chart->gaps[i]))
			chart->gaps[of_all++] = chart->gaps[i];
	chart->graph.gap_count = of_all;
	chart->graph.gaps = chart->gaps;
}

/* "disk.io-sda.png": a name for a file, for free(). */
static char *name_file(const struct chart *chart)
{
	char *instance = text_percent_encode(chart->instance ? chart->instance : "");
	char *name = memory_format("%s%s%.200s.%s", chart->table->name, *instance ? "-" : "", instance,
	                           chart->graph.svg ? "svg" : "png");

	free(instance);
	return name;
}

static char *quote_command(struct chart *chart, const char *file)
{
	struct text_list words = {0};
	char *text;

	chart->graph.file = file;
	graph_compose(&chart->graph, &words);
	text = graph_quote(&words);
	text_list_release(&words);
	return text;
}

static enum draw_result draw_chart(struct chart *chart, int stop, char **bytes, size_t *length, struct error *error)
{
	struct text_list words = {0};
	enum draw_result result;

	chart->graph.file = "-";
	graph_compose(&chart->graph, &words);
	result = draw(&words, stop, bytes, length, error);
	text_list_release(&words);
	return result;
}

/* --- over HTTP ------------------------------------------------------------------------------------------------------ */

static void refuse(struct report_picture *picture, unsigned status, const struct error *error)
{
	picture->status = status;
	picture->type = JSON;
	picture->body = report_error("%s", error->text);
	picture->length = strlen(picture->body);
}

static void gather_subjects(struct chart *chart, const struct snapshot *snapshot)
{
	const struct family_snapshot *readings = &snapshot->families[chart->family];

	for (size_t i = 0; i < readings->reading_count; i++)
		add_subject(chart, readings->readings[i].instance->name, readings->readings[i].present);
}

static unsigned understand(const struct report *report, const struct report_chart *asked, int64_t now,
                           struct chart *chart, struct error *error)
{
	const struct look look = {asked->from,  asked->to,     asked->width, asked->height,
	                          asked->theme, asked->fields, asked->as};
	struct snapshot *snapshot = metric_snapshot(report->metric);
	char *path = memory_text(asked->path), *instance = NULL;
	unsigned refusal = check_path(path, error);

	chart->plan = plan_hold(snapshot->plan);
	if (!refusal)
		refusal = split_path(path, &instance, &chart->graph.svg, error);
	if (!refusal)
		refusal = find_family(chart, path, error);
	if (!refusal) {
		gather_subjects(chart, snapshot);
		refusal = find_instance(chart, instance, error);
	}
	snapshot_free(snapshot);
	free(path);
	return refusal ? refusal : read_look(&look, now, chart, error);
}

/* What has to be the same for a picture to be the same: what was asked, and what there is to draw. For free(). */
static char *tell_question(const struct chart *chart, const struct report_chart *asked)
{
	const char *const words[] = {asked->path, asked->from, asked->to, asked->fields, chart->plan->data_dir};
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		abort();
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		fprintf(out, "%s\n", words[i] ? words[i] : "");
	fprintf(out, "%ux%u %d %lld\n", chart->graph.width, chart->graph.height, chart->graph.dark,
	        (long long)chart->graph.row);
	for (size_t i = 0; i < chart->subject_count; i++)
		if (is_wanted(chart, &chart->subjects[i]))
			fprintf(out, "%s\n", chart->subjects[i].name);
	fclose(out);
	return text;
}

/* Where rrdcached is away the agent writes the files. */
static const char *find_daemon(const struct report *report, const struct plan *plan)
{
	struct store_status status;

	store_status(report->store, &status);
	return status.daemon_error[0] ? NULL : plan->rrdcached;
}

/* What goes on now is told up to now; files get what they lack; then all of it is there to be drawn. */
static unsigned gather(const struct report *report, struct chart *chart, int64_t now, struct error *error)
{
	report_tell_current(report, now);
	for (size_t i = 0, flushed = 0; i < chart->subject_count && flushed < GRAPH_LINES_MAX; i++) {
		if (!is_wanted(chart, &chart->subjects[i]))
			continue;
		store_flush_file(report->store, chart->table, chart->subjects[i].name);
		flushed++;
	}
	chart->graph.rrdcached = find_daemon(report, chart->plan);
	gather_gaps(chart, store_ledger(report->store));
	return gather_lines(chart, error);
}

static void answer_command(const struct report *report, struct chart *chart, int64_t now,
                           struct report_picture *picture)
{
	struct error error = {""};
	unsigned refusal = gather(report, chart, now, &error);
	char *file;

	if (refusal) {
		refuse(picture, refusal, &error);
		return;
	}
	file = name_file(chart);
	picture->body = quote_command(chart, file);
	picture->length = strlen(picture->body);
	picture->type = TEXT;
	picture->status = 200;
	free(file);
}

static void draw_for_all(const struct report *report, struct chart *chart, int64_t now, struct picture *drawn)
{
	unsigned refusal = gather(report, chart, now, &drawn->error);

	/* The next sample after it makes it an old one. */
	drawn->until = clock_monotonic() + chart->graph.row * CLOCK_SECOND;
	drawn->status =
		refusal ? refusal
				: draw_chart(chart, gallery_stop(report->gallery), &drawn->bytes, &drawn->length, &drawn->error);
}

static void answer_picture(const struct report *report, struct chart *chart, const struct report_chart *asked,
                           int64_t now, struct report_picture *picture)
{
	char *question = tell_question(chart, asked);
	bool draws;
	struct picture *drawn = gallery_take(report->gallery, question, &draws);
	int64_t rest;

	free(question);
	if (draws) {
		draw_for_all(report, chart, now, drawn);
		gallery_show(report->gallery, drawn);
	}
	if (drawn->status == DRAW_GOOD) {
		rest = (drawn->until - clock_monotonic() + CLOCK_SECOND - 1) / CLOCK_SECOND;
		picture->status = 200;
		picture->type = chart->graph.svg ? "image/svg+xml" : "image/png";
		picture->body = memory_alloc(drawn->length + 1);
		picture->length = drawn->length;
		memcpy(picture->body, drawn->bytes, drawn->length);
		picture->lasting = rest > 0 ? rest : 0;
	} else {
		refuse(picture, drawn->status, &drawn->error);
	}
	gallery_return(report->gallery, drawn);
}

void report_chart(const struct report *report, const struct report_chart *asked, struct report_picture *picture)
{
	int64_t now = clock_wall();
	struct chart chart = {0};
	struct error error = {""};
	unsigned refusal = understand(report, asked, now, &chart, &error);

	*picture = (struct report_picture){0};
	if (refusal) {
		refuse(picture, refusal, &error);
		release(&chart);
		return;
	}
	graph_resolve(&chart.graph, chart.plan, chart.family, now / CLOCK_SECOND);
	if (chart.command)
		answer_command(report, &chart, now, picture);
	else
		answer_picture(report, &chart, asked, now, picture);
	release(&chart);
}

/* --- from the files alone ------------------------------------------------------------------------------------------- */

static void survey_subjects(struct chart *chart, FILE *trouble)
{
	struct survey survey = {0};
	struct error error;
	bool *alive;

	if (survey_take(&survey, chart->plan, &error) < 0)
		fprintf(trouble, "pindrop: %s\n", error.text);
	alive = memory_array(survey.count, sizeof(bool));
	survey_guess(&survey, chart->plan, alive);
	for (size_t i = 0; i < survey.count; i++)
		if (survey.files[i].kind == SURVEY_SERIES && survey.files[i].family == chart->family &&
		    survey.files[i].instance)
			add_subject(chart, survey.files[i].instance, alive[i]);
	free(alive);
	survey_release(&survey);
}

static unsigned understand_file(const struct report_chart_file *asked, int64_t now, struct chart *chart, FILE *trouble,
                                struct error *error)
{
	const struct look look = {asked->from, asked->to, asked->width, asked->height, asked->theme, asked->fields, NULL};
	unsigned refusal;

	if (!asked->family)
		return error_set(error, "graph wants to know what: pindrop graph FAMILY [INSTANCE]"), 400;
	refusal = find_family(chart, asked->family, error);
	if (refusal)
		return refusal;
	survey_subjects(chart, trouble);
	refusal = find_instance(chart, asked->instance, error);
	return refusal ? refusal : read_look(&look, now, chart, error);
}

static int write_file(const char *path, const char *bytes, size_t length, struct error *error)
{
	FILE *file = fopen(path, "wb");
	size_t written;

	if (!file)
		return error_set(error, "cannot write %s: %s", path, strerror(errno));
	written = fwrite(bytes, 1, length, file);
	if (fclose(file) == 0 && written == length)
		return 0;
	return error_set(error, "cannot write %s: %s", path, strerror(errno));
}

/* An rrdcached that is not there has written what it had. */
static enum draw_result draw_from_files(struct chart *chart, char **bytes, size_t *length, struct error *error)
{
	enum draw_result result = draw_chart(chart, -1, bytes, length, error);

	if (result == DRAW_FAILED && chart->graph.rrdcached) {
		chart->graph.rrdcached = NULL;
		result = draw_chart(chart, -1, bytes, length, error);
	}
	return result;
}

static int draw_file(struct chart *chart, const struct report_chart_file *asked, FILE *out, struct error *error)
{
	char *file = asked->file ? memory_text(asked->file) : NULL, *bytes = NULL;
	size_t length = 0;
	int failed = 0;

	chart->graph.svg = file && strlen(file) > 4 && strcmp(file + strlen(file) - 4, ".svg") == 0;
	if (!file)
		file = name_file(chart);
	if (asked->command) {
		bytes = quote_command(chart, file);
		fputs(bytes, out);
	} else if (draw_from_files(chart, &bytes, &length, error) != DRAW_GOOD) {
		failed = -1;
	} else {
		failed = write_file(file, bytes, length, error);
		if (!failed)
			fprintf(out, "%s\n", file);
	}
	free(bytes);
	free(file);
	return failed;
}

/* A ledger that cannot be read costs the reasons alone. */
static void read_gaps(struct chart *chart, FILE *trouble)
{
	char *path = memory_format("%s/.ledger", chart->plan->data_dir);
	struct error error = {""};
	struct ledger *ledger = ledger_open(path, false, &error);

	if (error.text[0])
		fprintf(trouble, "pindrop: reasons are missing: %s\n", error.text);
	gather_gaps(chart, ledger);
	ledger_close(ledger);
	free(path);
}

int report_chart_file(const struct plan *plan, const struct report_chart_file *asked, FILE *out, FILE *trouble)
{
	int64_t now = clock_wall();
	struct chart chart = {.plan = plan_hold(plan), .graph.rrdcached = plan->rrdcached};
	struct error error = {""};
	unsigned refusal = understand_file(asked, now, &chart, trouble, &error);
	int status = refusal ? CHART_BAD_WORDS : CHART_DRAWN;

	if (!refusal)
		refusal = gather_lines(&chart, &error);
	if (!refusal) {
		graph_resolve(&chart.graph, plan, chart.family, now / CLOCK_SECOND);
		read_gaps(&chart, trouble);
	}
	if (!refusal && draw_file(&chart, asked, out, &error) == 0)
		status = CHART_DRAWN;
	else if (!status)
		status = CHART_NOT_DRAWN;
	if (status)
		fprintf(trouble, "pindrop: %s\n", error.text);
	release(&chart);
	return status;
}
