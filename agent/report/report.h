/* report/report.h: what the agent knows, as JSON texts.
 *
 * Each function returns a whole JSON document as a text for free(). Any thread. stats.c: /get_stats, catalogue.c:
 * /api/v1/metrics, latest.c: /api/v1/latest, series.c: /api/v1/series, health.c: /health, aggregates.c:
 * /api/v1/aggregates, gaps.c: /api/v1/gaps. Pictures: chart.c, graph.c, draw.c. For people: describe.c, annotate.c,
 * check.c, why.c. */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include <stdint.h>
#include <stdio.h>

#include "collect/collect.h"
#include "config/plan.h"
#include "config/standing.h"
#include "metric/metric.h"
#include "report/ask.h"
#include "store/ledger.h"
#include "store/store.h"
#include "store/survey.h"

#ifndef PINDROP_VERSION
#define PINDROP_VERSION "0.1.0"
#endif

/* The rooms that a report looks into. All outlive it. */
struct report {
	struct metric *metric; /* has the plan of now */
	struct collect *collect;
	struct store *store;
	struct standing *standing;
	int64_t started;         /* of the agent: monotonic, ns */
	const char *address;     /* "http://127.0.0.1:8080": where it listens */
	struct gallery *gallery; /* pictures that were drawn: draw.h */
};

/* The seed contract: {"current_stat": …, "past_stat": …}. NULL: there is no sample yet. Pure. */
char *report_stats(const struct snapshot *snapshot);

/* *failing: nothing is sampled or stored, for the status 503. */
char *report_health(const struct report *report, bool *failing);
char *report_state(const struct report *report); /* {"state": "running", "since": …}: the answer of /start and /stop */
char *report_flush(const struct report *report, bool *failed); /* the answer of /api/v1/flush, after it is done */
char *report_metrics(const struct report *report);
char *report_aggregates(const struct report *report);

/* /api/v1/gaps: why stretches are unknown. What somebody typed, in the words of base/moment.h; NULL: he said nothing. */
struct report_question {
	const char *metric;    /* a family or a metric; NULL: all */
	const char *instance;  /* NULL: all */
	const char *from, *to; /* NULL: since yesterday, until now */
};
#define REPORT_GAPS_MAX 1000 /* in one answer, the latest */
char *report_gaps(const struct report *report, const struct report_question *question, enum report_result *result);

/* What the last sample said, for who follows it. Pure but for the state. */
char *report_latest(const struct report *report);

/* What goes on while it is asked for, sampling that was stopped or an instance that is not there, is told up to now. */
void report_tell_current(const struct report *report, int64_t now);

/* /graph/FAMILY[/INSTANCE].png: a chart, or the command that draws it. What somebody typed; NULL: he said nothing. */
struct report_chart {
	const char *path; /* "disk.io/sda.png" */
	const char *from, *to, *width, *height, *theme, *fields, *as;
};

/* What it comes to. */
struct report_picture {
	unsigned status;  /* of HTTP */
	const char *type; /* its Content-Type; NULL: JSON, the words of an error */
	char *body;       /* for free() */
	size_t length;
	int64_t lasting; /* so long it is as good as a new one, s; 0: it is not */
};

/* Waits for the disk and for rrdtool: a reader's thread. */
void report_chart(const struct report *report, const struct report_chart *chart, struct report_picture *picture);

/* `pindrop graph`: the same from the data folder alone, which is only read; an agent may be running. */
struct report_chart_file {
	const char *family, *instance; /* NULL: all */
	const char *from, *to, *width, *height, *theme, *fields;
	const char *file; /* NULL: named as what it shows, .png */
	bool command;     /* prints the command instead */
};
enum { CHART_DRAWN = 0, CHART_NOT_DRAWN = 1, CHART_BAD_WORDS = 2 };
int report_chart_file(const struct plan *plan, const struct report_chart_file *chart, FILE *out, FILE *trouble);

/* A text that comes part by part, so that a long one is never whole in memory. Starts as all zero. One thread at a time,
 * which may wait for the disk. */
struct report_stream {
	char *(*next)(void *context); /* the next part, for free(); NULL: that was all */
	void (*end)(void *context);   /* frees the context, whether that was all or not */
	void *context;
};

/* /api/v1/series: history, as somebody asks for it; NULL: he said nothing. */
struct report_series_question {
	const char *metrics;   /* one or several, with commas between them: metrics, or families with all their fields */
	const char *instance;  /* NULL: all that are known */
	const char *from, *to; /* NULL: for an hour, until now */
	const char *points;    /* NULL: REPORT_POINTS */
	bool csv;
};
#define REPORT_POINTS 500
#define REPORT_POINTS_MIN 2
#define REPORT_POINTS_MAX 5000

/* Returns the beginning of the answer, whose rest comes from `stream`; or, not REPORT_GOOD, the whole of an error. A reader's
 * thread: it waits for the disk. */
char *report_series(const struct report *report, const struct report_series_question *question,
                    struct report_stream *stream, enum report_result *result);

/* {"error": "…"}. */
char *report_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* `pindrop check`: what the plan comes to, as a text for people, beside what lies in its data folder; `alive` says which
 * of its files' instances are there (store/survey.h). */
void report_check(const struct plan *plan, const struct survey *survey, const bool *alive, FILE *out);

/* `pindrop check --json`, for a bad one: {"mistakes": [{"file": …, "line": …, "message": …}]}, in the order of the file;
 * `line` is null where a mistake stands on none. */
void report_mistakes(const struct text_list *mistakes, const char *file, FILE *out);

/* `pindrop describe [NAME]`: plugins, options, families and fields as a text for people. False: nothing has that
 * name (a plugin, a family or a metric). */
bool report_describe(const struct pindrop_plugin *const *plugins, size_t count, const char *name, FILE *out);

/* `pindrop describe --lua`: the same for editors (LuaCATS). */
void report_annotate(const struct pindrop_plugin *const *plugins, size_t count, FILE *out);

/* `pindrop why METRIC [INSTANCE] TIME`: what a metric was then, or why that is not known, from the data folder alone,
 * which is only read: an agent may be running. As sentences, or as one JSON document. Bad words go to `trouble`. */
enum { WHY_ANSWERED = 0, WHY_NOT_KNOWN = 1, WHY_BAD_WORDS = 2 };
int report_why(const struct plan *plan, char *const *words, size_t count, bool json, FILE *out, FILE *trouble);

#endif
