#include "base/memory.h"
#include "http/assets.h"
#include "http/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void start(const struct report *report, struct answer *answer)
{
	struct error error = {""};

	/* Waits for the first round of samples (COLLECT_FIRST_ROUND at most): who starts wants to read next. */
	if (collect_start(report->collect, &error) < 0) {
		answer->status = 503;
		answer->body = report_error("%s", error.text);
		return;
	}
	answer->body = report_state(report);
}

static void stop(const struct report *report, struct answer *answer)
{
	collect_stop(report->collect);
	answer->body = report_state(report);
}

static void get_stats(const struct report *report, struct answer *answer)
{
	struct snapshot *snapshot = metric_snapshot(report->metric);

	answer->body = report_stats(snapshot);
	snapshot_free(snapshot);
	if (answer->body)
		return;
	answer->status = 503;
	answer->body = report_error("there is no sample yet: GET /start begins sampling, /health says how it goes");
}

static void health(const struct report *report, struct answer *answer)
{
	bool failing = false;

	answer->body = report_health(report, &failing);
	answer->status = failing ? 503 : 200;
}

static void metrics(const struct report *report, struct answer *answer)
{
	answer->body = report_metrics(report);
}

static void aggregates(const struct report *report, struct answer *answer)
{
	answer->body = report_aggregates(report);
}

static void begin_flush(const struct report *report, route_done *done, void *context)
{
	store_flush_soon(report->store, done, context);
}

static void flush(const struct report *report, struct answer *answer)
{
	bool failed = false;

	answer->body = report_flush(report, &failed);
	answer->status = failed ? 503 : 200;
}

static void latest(const struct report *report, struct answer *answer)
{
	answer->body = report_latest(report);
}

static const unsigned statuses[] = {
	[REPORT_GOOD] = 200, [REPORT_BAD_WORDS] = 400, [REPORT_NOT_FOUND] = 404, [REPORT_NOT_NOW] = 503};

/* `format` wins over what the client accepts, which matters only where it names CSV and not JSON (RFC 9110, section
 * 12.5.1: we weigh nothing, there are two). False: there is no such format. */
static bool choose_csv(struct answer *answer, bool *csv)
{
	const char *format = answer_argument(answer, "format"), *accept = answer_asked(answer, "Accept");

	*csv = accept && strstr(accept, "text/csv") && !strstr(accept, "application/json");
	if (format)
		*csv = strcmp(format, "csv") == 0;
	return !format || *csv || strcmp(format, "json") == 0;
}

static void series(const struct report *report, struct answer *answer)
{
	struct report_series_question question = {
		.metrics = answer_argument(answer, "metric"),
		.instance = answer_argument(answer, "instance"),
		.from = answer_argument(answer, "from"),
		.to = answer_argument(answer, "to"),
		.points = answer_argument(answer, "points"),
	};
	enum report_result result = REPORT_GOOD;

	if (!choose_csv(answer, &question.csv)) {
		answer->status = 400;
		answer->body = report_error("\"format\" is json or csv");
		return;
	}
	answer->body = report_series(report, &question, &answer->stream, &result);
	answer->status = statuses[result];
	if (question.csv && result == REPORT_GOOD)
		answer->type = "text/csv; charset=utf-8";
	answer_tell(answer, "Vary", "Accept");
}

static void gaps(const struct report *report, struct answer *answer)
{
	const struct report_question question = {
		.metric = answer_argument(answer, "metric"),
		.instance = answer_argument(answer, "instance"),
		.from = answer_argument(answer, "from"),
		.to = answer_argument(answer, "to"),
	};
	enum report_result result = REPORT_GOOD;

	answer->body = report_gaps(report, &question, &result);
	answer->status = statuses[result];
}

/* Nothing is loaded from elsewhere, nothing is sent elsewhere, and no page elsewhere may frame it (W3C CSP Level 3). */
#define POLICY                                                                                            \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " \
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

static void send_asset(const struct asset *asset, struct answer *answer)
{
	const char *known = answer_asked(answer, "If-None-Match"), *accepted = answer_asked(answer, "Accept-Encoding");
	char tag[24];

	snprintf(tag, sizeof(tag), "\"%016llx\"", (unsigned long long)asset_tag(asset));
	answer->type = asset->type;
	answer_tell(answer, "ETag", "%s", tag);
	/* Kept, and asked for again each time: another version of the agent has another page. */
	answer_tell(answer, "Cache-Control", "no-cache");
	answer_tell(answer, "Vary", "Accept-Encoding");
	answer_tell(answer, "Content-Security-Policy", POLICY);
	answer_tell(answer, "X-Content-Type-Options", "nosniff");
	answer_tell(answer, "Referrer-Policy", "same-origin");
	if (known && strstr(known, tag)) {
		answer->status = 304;
	} else if (accepted && strstr(accepted, "gzip")) {
		answer->body = (char *)asset->begin;
		answer->length = (size_t)(asset->end - asset->begin);
		answer->lasting = true;
		answer_tell(answer, "Content-Encoding", "gzip");
	} else {
		answer->body = asset_inflate(asset, &answer->length);
	}
}

static void page(const struct report *report, struct answer *answer)
{
	(void)report;
	send_asset(asset_find("index.html"), answer);
}

static void asset(const struct report *report, struct answer *answer)
{
	const struct asset *found = asset_find(answer_below(answer));

	(void)report;
	if (found) {
		send_asset(found, answer);
		return;
	}
	answer->status = 404;
	answer->body = report_error("the dashboard has no such file");
}

static void graph(const struct report *report, struct answer *answer)
{
	const struct report_chart chart = {
		.path = answer_below(answer),
		.from = answer_argument(answer, "from"),
		.to = answer_argument(answer, "to"),
		.width = answer_argument(answer, "width"),
		.height = answer_argument(answer, "height"),
		.theme = answer_argument(answer, "theme"),
		.fields = answer_argument(answer, "fields"),
		.as = answer_argument(answer, "as"),
	};
	struct report_picture picture;

	report_chart(report, &chart, &picture);
	answer->status = picture.status;
	answer->type = picture.type;
	answer->body = picture.body;
	answer->length = picture.length;
	if (picture.status == 200 && !chart.as)
		answer_tell(answer, "Cache-Control", "max-age=%lld", (long long)picture.lasting);
}

#define READS .methods = METHOD_GET, .allow = "GET, HEAD"
#define WRITES .methods = METHOD_POST, .allow = "POST", .changes = true
#define READS_OR_WRITES .methods = METHOD_GET | METHOD_POST, .allow = "GET, HEAD, POST", .changes = true

static const char *const of_gaps[] = {"metric", "instance", "from", "to", NULL};
static const char *const of_graph[] = {"from", "to", "width", "height", "theme", "fields", "as", NULL};

static const char *const of_series[] = {"metric", "instance", "from", "to", "points", "format", NULL};

static const struct route routes[] = {
	{.path = "/", READS, .answer = page},
	{.path = "/assets/", READS, .below = true, .answer = asset},
	{.path = "/start", READS_OR_WRITES, .answer = start},
	{.path = "/stop", READS_OR_WRITES, .answer = stop},
	{.path = "/get_stats", READS, .hot = true, .answer = get_stats},
	{.path = "/health", READS, .answer = health},
	{.path = "/api/v1/metrics", READS, .answer = metrics},
	{.path = "/api/v1/latest", READS, .answer = latest},
	{.path = "/api/v1/series", READS, .slow = true, .arguments = of_series, .answer = series},
	{.path = "/api/v1/aggregates", READS, .answer = aggregates},
	{.path = "/api/v1/gaps", READS, .arguments = of_gaps, .answer = gaps},
	{.path = "/graph/", .below = true, READS, .slow = true, .arguments = of_graph, .answer = graph},
	{.path = "/api/v1/flush", WRITES, .answer = flush, .begin = begin_flush},
};

#define ROUTES (sizeof(routes) / sizeof(routes[0]))

static bool is_for(const struct route *route, const char *path)
{
	return route->below ? strncmp(route->path, path, strlen(route->path)) == 0 : strcmp(route->path, path) == 0;
}

const struct route *route_find(const char *path)
{
	for (size_t i = 0; i < ROUTES; i++)
		if (is_for(&routes[i], path))
			return &routes[i];
	return NULL;
}

size_t route_place(const struct route *route)
{
	return (size_t)(route - routes);
}

size_t route_count(void)
{
	return ROUTES;
}

char *route_list(void)
{
	char *list = memory_text("");

	for (size_t i = 0; i < ROUTES; i++) {
		char *longer = memory_format("%s%s%s", list, i ? ", " : "", routes[i].path);

		free(list);
		list = longer;
	}
	return list;
}
