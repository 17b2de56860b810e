#include "collect/evaluate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "collect/link.h"
#include "collect/wire.h"
#include "config/config.h"
#include "metric/metric.h"

/* The shortest time between two questions about the same aggregate. */
#define PERIOD_MIN CLOCK_SECOND

/* How long what failed is left alone: doubles from the first to the last with each failure in a row. */
#define PAUSE_MIN CLOCK_SECOND
#define PAUSE_MAX (60 * CLOCK_SECOND)

/* A sample is handed over before it is visible: it is written first. With so much time, the window has it. */
#define SETTLE (20 * CLOCK_MILLISECOND)

/* One aggregate that is asked for. */
struct asked {
	size_t aggregate, family; /* of the plan */
	int64_t period;           /* ns */
	int64_t tick;             /* of the sample that it was last due for: wall clock, ns; 0: none */
	int64_t due_at;           /* monotonic, ns; 0: it is not due */
	int64_t retry_at, pause;  /* monotonic, ns; it is left alone until then */
	char *words;              /* of the last failure; NULL: it is well */
};

struct evaluate {
	const struct plan *plan;
	const struct collect_sink *sink;
	evaluate_noted *noted;
	void *context;
	char *digest; /* of the Lua that the worker runs */

	struct link link;
	bool set_up;
	struct asked *asked;
	size_t count, next;           /* next: whose turn it is */
	struct asked *current;        /* the worker is at it, or will be when it is there; NULL: it is idle */
	struct metric_window *window; /* to be shown then; NULL: it has been */
	int64_t patience;             /* how long it may take, ns */
	int64_t deadline;             /* monotonic, ns */
};

static void list_asked(struct evaluate *evaluate, const struct plan *plan)
{
	evaluate->plan = plan;
	evaluate->digest = plan->digest ? memory_text(plan->digest) : NULL;
	evaluate->asked = memory_array(plan->aggregate_count, sizeof(*evaluate->asked));
	for (size_t i = 0; i < plan->aggregate_count && evaluate->sink->window; i++) {
		const struct plan_aggregate *aggregate = &plan->aggregates[i];
		int64_t interval = plan->families[aggregate->family].plugin->interval;

		if (plan_is_asked(aggregate))
			evaluate->asked[evaluate->count++] =
				(struct asked){.aggregate = i,
			                   .family = aggregate->family,
			                   .period = interval > PERIOD_MIN ? interval : PERIOD_MIN};
	}
}

static void forget_asked(struct evaluate *evaluate)
{
	for (size_t i = 0; i < evaluate->count; i++)
		free(evaluate->asked[i].words);
	free(evaluate->asked);
	free(evaluate->digest);
	evaluate->asked = NULL;
	evaluate->count = evaluate->next = 0;
}

struct evaluate *evaluate_new(const struct plan *plan, struct nursery *nursery, size_t worker_kind, int epoll,
                              const struct collect_sink *sink, evaluate_noted *noted, void *context)
{
	struct evaluate *evaluate = memory_alloc(sizeof(*evaluate));

	evaluate->sink = sink;
	evaluate->noted = noted;
	evaluate->context = context;
	evaluate->link = (struct link){.nursery = nursery,
	                               .kind = worker_kind,
	                               .epoll = epoll,
	                               .whom = evaluate,
	                               .get = sink->get,
	                               .context = sink->context};
	list_asked(evaluate, plan);
	return evaluate;
}

static void end_worker(struct evaluate *evaluate)
{
	link_close(&evaluate->link);
	free(evaluate->window);
	evaluate->window = NULL;
	evaluate->set_up = false;
	evaluate->current = NULL;
}

void evaluate_stop(struct evaluate *evaluate)
{
	end_worker(evaluate);
	for (size_t i = 0; i < evaluate->count; i++) {
		evaluate->asked[i].due_at = evaluate->asked[i].tick = 0;
		evaluate->asked[i].retry_at = evaluate->asked[i].pause = 0;
	}
}

void evaluate_free(struct evaluate *evaluate)
{
	end_worker(evaluate);
	link_release(&evaluate->link);
	forget_asked(evaluate);
	free(evaluate);
}

static bool same_lua(const struct evaluate *evaluate, const struct plan *plan)
{
	return evaluate->digest && plan->digest && strcmp(evaluate->digest, plan->digest) == 0;
}

/* A question that is on its way is put again: its window may be another now. */
void evaluate_adopt(struct evaluate *evaluate, const struct plan *plan)
{
	if (evaluate->current || !same_lua(evaluate, plan))
		end_worker(evaluate);
	forget_asked(evaluate);
	list_asked(evaluate, plan);
	for (size_t i = 0; i < evaluate->count; i++)
		evaluate->asked[i].due_at = clock_monotonic() + SETTLE;
}

void evaluate_sampled(struct evaluate *evaluate, size_t family, int64_t tick)
{
	int64_t now = 0;

	for (size_t i = 0; i < evaluate->count; i++) {
		struct asked *asked = &evaluate->asked[i];

		/* Where the clock was set back, that row of ticks has ended. */
		if (asked->family != family || (tick >= asked->tick && tick < asked->tick + asked->period))
			continue;
		now = now ? now : clock_monotonic();
		if (now < asked->retry_at)
			continue;
		asked->tick = tick;
		if (!asked->due_at)
			asked->due_at = now + SETTLE;
	}
}

/* --- what becomes of it ------------------------------------------------------------------------------------------ */

static const char *name_of(const struct evaluate *evaluate, const struct asked *asked)
{
	return evaluate->plan->aggregates[asked->aggregate].name;
}

static void succeed(struct evaluate *evaluate, struct asked *asked, double value, const char *text)
{
	if (asked->words)
		log_info("aggregate \"%s\" is well again", name_of(evaluate, asked));
	free(asked->words);
	asked->words = NULL;
	asked->retry_at = asked->pause = 0;
	evaluate->current = NULL;
	evaluate->sink->result(evaluate->sink->context, asked->aggregate, value, text);
	evaluate->noted(evaluate->context, asked->aggregate, NULL);
}

/* It has no value, and is left alone. Pauses are counted from sample to sample. */
static void fail(struct evaluate *evaluate, struct asked *asked, const struct error *words)
{
	if (!asked->words || !text_same_words(asked->words, words->text))
		log_warning("aggregate \"%s\": %s", name_of(evaluate, asked), words->text);
	free(asked->words);
	asked->words = memory_text(words->text);
	asked->pause = link_back_off(asked->pause, PAUSE_MIN, PAUSE_MAX);
	asked->retry_at = clock_monotonic() + asked->pause - PERIOD_MIN / 2;
	evaluate->current = NULL;
	evaluate->sink->result(evaluate->sink->context, asked->aggregate, NAN, NULL);
	evaluate->noted(evaluate->context, asked->aggregate, words->text);
}

/* --- asking ------------------------------------------------------------------------------------------------------ */

static int64_t patience(const struct evaluate *evaluate)
{
	return evaluate->plan->limit_timeout + SCRIPT_GRACE;
}

static void send_setup(struct evaluate *evaluate)
{
	const struct plan *plan = evaluate->plan;
	const struct script_setup setup = {.file = plan->file,
	                                   .text = plan->script,
	                                   .root = plan->root,
	                                   .limits = {plan->limit_timeout, plan->limit_memory}};
	const struct wire_collector none = {0};
	struct message message = {0};

	wire_put_script(&message, &setup);
	wire_put_collector(&message, &none);
	link_send(&evaluate->link, &message);
	message_release(&message);
}

static void send_window(struct evaluate *evaluate, const struct asked *asked, const struct metric_window *window)
{
	const struct script_window shown = {.count = window->count,
	                                    .values = window->values,
	                                    .times = window->times,
	                                    .over = window->over,
	                                    .samples = window->samples,
	                                    .unknown = window->unknown,
	                                    .min = window->min,
	                                    .max = window->max,
	                                    .avg = window->avg,
	                                    .sum = window->sum,
	                                    .last = window->last,
	                                    .stddev = window->stddev};
	struct message message = {0};

	wire_put_window(&message, name_of(evaluate, asked), &shown, window->value);
	link_send(&evaluate->link, &message);
	message_release(&message);
}

/* Puts the current question to the worker. */
static void send_current(struct evaluate *evaluate)
{
	evaluate->patience = patience(evaluate);
	if (!evaluate->set_up) {
		send_setup(evaluate);
		evaluate->set_up = true;
		/* Until it says that it has run the file. */
		evaluate->patience += CONFIG_RUN_MAX;
	}
	evaluate->deadline = clock_monotonic() + evaluate->patience;
	send_window(evaluate, evaluate->current, evaluate->window);
	free(evaluate->window);
	evaluate->window = NULL;
}

/* Takes the window. Where there is no worker the question waits for one. */
static void put(struct evaluate *evaluate, struct asked *asked, struct metric_window *window)
{
	struct error error;

	if (!evaluate->link.worker.pid && link_open(&evaluate->link, &error) < 0) {
		free(window);
		fail(evaluate, asked, &error);
		return;
	}
	evaluate->current = asked;
	evaluate->window = window;
	if (evaluate->link.worker.pid)
		send_current(evaluate);
	else
		evaluate->deadline = clock_monotonic() + NURSERY_SPAWN_MAX;
}

static void ask(struct evaluate *evaluate, struct asked *asked)
{
	struct metric_window *window = evaluate->sink->window(evaluate->sink->context, asked->aggregate);

	asked->due_at = 0;
	if (!window)
		return;
	/* Of what is not known there is nothing to be said. */
	if (evaluate->plan->aggregates[asked->aggregate].fn == PLAN_FUNCTION || !isnan(window->value)) {
		put(evaluate, asked, window);
		return;
	}
	free(window);
	succeed(evaluate, asked, NAN, NULL);
}

/* In turns, so that a slow one delays the others and does not displace them. */
static void ask_next(struct evaluate *evaluate)
{
	int64_t now = clock_monotonic();

	for (size_t i = 0; i < evaluate->count && !evaluate->current; i++) {
		struct asked *asked = &evaluate->asked[evaluate->next];

		evaluate->next = (evaluate->next + 1) % evaluate->count;
		if (asked->due_at && asked->due_at <= now)
			ask(evaluate, asked);
	}
}

/* --- what goes wrong, and answers -------------------------------------------------------------------------------- */

static void lose_worker(struct evaluate *evaluate, bool late, const struct error *how)
{
	struct asked *asked = evaluate->current;
	struct error words;

	link_describe_loss(&evaluate->link, late, how, &words);
	end_worker(evaluate);
	if (asked)
		fail(evaluate, asked, &words);
	else
		log_warning("aggregates: %s", words.text);
	ask_next(evaluate);
}

/* The worker that was asked for is not there. */
static void lose_start(struct evaluate *evaluate, const struct error *how)
{
	struct asked *asked = evaluate->current;

	end_worker(evaluate);
	if (asked)
		fail(evaluate, asked, how);
	ask_next(evaluate);
}

void evaluate_started(struct evaluate *evaluate, const struct nursery_notice *notice)
{
	int started = link_started(&evaluate->link, notice);

	if (started < 0)
		lose_start(evaluate, &notice->error);
	else if (started > 0 && evaluate->current)
		send_current(evaluate);
}

static void lose_mad(struct evaluate *evaluate)
{
	const struct error how = {"gave an answer that is none"};

	lose_worker(evaluate, false, &how);
}

int64_t evaluate_deadline(const struct evaluate *evaluate)
{
	int64_t first = INT64_MAX;

	if (evaluate->current)
		return evaluate->deadline;
	for (size_t i = 0; i < evaluate->count; i++)
		if (evaluate->asked[i].due_at && evaluate->asked[i].due_at < first)
			first = evaluate->asked[i].due_at;
	return first;
}

void evaluate_expire(struct evaluate *evaluate)
{
	static const struct error late = {NURSERY_LATE};
	struct error how;

	if (!evaluate->current) {
		ask_next(evaluate);
		return;
	}
	if (evaluate->link.request) {
		lose_start(evaluate, &late);
		return;
	}
	error_set(&how, "has not answered for %.3g s", clock_seconds(evaluate->patience));
	lose_worker(evaluate, true, &how);
}

void evaluate_exited(struct evaluate *evaluate, pid_t pid, int status)
{
	struct error how;

	if (pid != evaluate->link.worker.pid)
		return;
	link_describe_end(status, &how);
	lose_worker(evaluate, false, &how);
}

/* What has eaten up the memory of all is only freed with the worker. */
static void take_reply(struct evaluate *evaluate, struct asked *asked)
{
	struct error error = {""};
	const char *text = NULL;
	double value = NAN;
	int got = wire_get_value(&evaluate->link.in, &value, &text, &error);

	if (got < 0) {
		lose_mad(evaluate);
		return;
	}
	if (got) {
		succeed(evaluate, asked, value, text);
	} else {
		if (strstr(error.text, SCRIPT_FULL))
			end_worker(evaluate);
		fail(evaluate, asked, &error);
	}
	ask_next(evaluate);
}

static void answer(struct evaluate *evaluate)
{
	if (link_answer(&evaluate->link) < 0)
		lose_mad(evaluate);
}

void evaluate_readable(struct evaluate *evaluate)
{
	enum wire_kind kind;

	if (!evaluate->link.worker.pid || link_receive(&evaluate->link) != 1)
		return;
	kind = evaluate->current ? wire_get_kind(&evaluate->link.in) : WIRE_NONE;
	if (kind == WIRE_REPLY)
		take_reply(evaluate, evaluate->current);
	else if (kind == WIRE_RUNNING)
		evaluate->deadline = clock_monotonic() + (evaluate->patience = patience(evaluate));
	else if (kind == WIRE_ASK)
		answer(evaluate);
	else
		lose_mad(evaluate);
	message_clear(&evaluate->link.in);
}
