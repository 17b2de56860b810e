#include "top/talk.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"

#define SHORTEST_WAIT (CLOCK_SECOND / 2)
#define NOW_AND_THEN (5 * CLOCK_SECOND)
#define AGAIN CLOCK_SECOND /* while the agent does not answer */
#define NEVER INT64_MAX

void talk_begin(struct talk *talk, const char *url)
{
	*talk = (struct talk){.model = model_new(), .url = url};
	for (enum talk_topic topic = 0; topic < TALK_TOPICS; topic++)
		talk->due[topic] = topic == TALK_LATEST ? 0 : NEVER;
}

void talk_end(struct talk *talk)
{
	model_free(talk->model);
	free(talk->path);
	free(talk->away);
	*talk = (struct talk){0};
}

/* Names of metrics have nothing that would have to be encoded. More points than seconds: no row is blended. */
static char *path_of(const struct talk *talk, enum talk_topic topic)
{
	static const char *const paths[TALK_TOPICS] = {[TALK_LATEST] = "/api/v1/latest",
	                                               [TALK_METRICS] = "/api/v1/metrics",
	                                               [TALK_HEALTH] = "/health",
	                                               [TALK_AGGREGATES] = "/api/v1/aggregates"};
	char *wanted, *path;

	if (topic != TALK_SERIES)
		return memory_text(paths[topic]);
	wanted = model_wanted(talk->model);
	path = memory_format("/api/v1/series?metric=%s&from=-%ds&points=%d", wanted, HISTORY_SECONDS, 2 * HISTORY_SECONDS);
	free(wanted);
	return path;
}

const char *talk_next(struct talk *talk, int64_t now, int64_t *wait)
{
	enum talk_topic next = TALK_LATEST;

	for (enum talk_topic topic = 0; topic < TALK_TOPICS; topic++)
		if (talk->due[topic] < talk->due[next])
			next = topic;
	*wait = talk->due[next] - now;
	if (*wait > 0)
		return NULL;
	free(talk->path);
	talk->asked = next;
	return talk->path = path_of(talk, next);
}

static void set_away(struct talk *talk, int64_t now, char *words)
{
	free(talk->away);
	talk->away = words;
	for (enum talk_topic topic = 0; topic < TALK_TOPICS; topic++)
		talk->due[topic] = NEVER;
	talk->due[TALK_LATEST] = now + AGAIN;
}

/* It may be another one now, and what happened meanwhile is in its files. */
static void come_back(struct talk *talk)
{
	free(talk->away);
	talk->away = NULL;
	talk->model->outdated = true;
}

static int64_t interval(const struct talk *talk)
{
	int64_t shortest = llround(model_interval(talk->model) * (double)CLOCK_SECOND);

	return shortest < SHORTEST_WAIT ? SHORTEST_WAIT : shortest > NOW_AND_THEN ? NOW_AND_THEN : shortest;
}

static void take_latest(struct talk *talk, int64_t now, long status, const char *words, const char *body, size_t length)
{
	double before = talk->model->time;

	if (status == 404) {
		set_away(talk, now,
		         memory_format("The agent at %s is older than this program: it does not know /api/v1/latest.",
		                       talk->url));
		return;
	}
	if (status == 0) {
		set_away(talk, now, memory_format("No answer from %s: %s.", talk->url, words));
		return;
	}
	if (status != 200 || !model_latest(talk->model, body, length)) {
		set_away(talk, now,
		         memory_format("What answers at %s (HTTP %ld) is no agent that is well.", talk->url, status));
		return;
	}
	if (talk->away)
		come_back(talk);
	talk->looks += talk->model->time != before;
	talk->due[TALK_LATEST] = now + interval(talk);
	if (talk->model->outdated)
		talk->due[TALK_METRICS] = now;
}

/* After what there is come, in this order, its values, its past, and the rest. */
static void take_metrics(struct talk *talk, int64_t now, const char *body, size_t length)
{
	if (!model_metrics(talk->model, body, length)) {
		talk->due[TALK_METRICS] = now + NOW_AND_THEN;
		return;
	}
	talk->due[TALK_METRICS] = NEVER;
	talk->due[TALK_LATEST] = now;
	talk->due[TALK_SERIES] = now + 1;
	talk->due[TALK_HEALTH] = talk->due[TALK_AGGREGATES] = now + 2;
}

void talk_take(struct talk *talk, int64_t now, long status, const char *words, const char *body, size_t length)
{
	switch (talk->asked) {
	case TALK_METRICS:
		take_metrics(talk, now, body, length);
		break;
	case TALK_SERIES:
		/* An agent without it has no past to show; it grows while one looks. */
		talk->due[TALK_SERIES] = NEVER;
		if (status == 200)
			model_series(talk->model, body, length);
		break;
	case TALK_HEALTH:
		/* 503 with a document is an agent that has something to say. */
		talk->due[TALK_HEALTH] = now + NOW_AND_THEN;
		model_health(talk->model, body, length);
		break;
	case TALK_AGGREGATES:
		talk->due[TALK_AGGREGATES] = now + NOW_AND_THEN;
		talk->complete = true;
		model_aggregates(talk->model, body, length);
		break;
	default:
		take_latest(talk, now, status, words, body, length);
		break;
	}
}
