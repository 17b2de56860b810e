/* life/up.c: brings the rooms up, wires what goes forward, and brings them down in reverse. */
#include <unistd.h>

#include "base/clock.h"
#include "life/inside.h"
#include "report/ask.h"
#include "report/draw.h"

/* --- the way of a sample ------------------------------------------------------------------------------------ */

/* Sampler thread. */
static void deliver(void *context, struct batch *const *batches, size_t count)
{
	struct life *life = context;

	for (size_t i = 0; i < count; i++)
		metric_intern(life->metric, batches[i]);
	store_append(life->store, batches, count);
}

/* Journal thread. What is shown is what is stored: the journal has a sample before the world does. */
static void kept(void *context, struct batch *const *batches, size_t count)
{
	struct life *life = context;

	metric_publish(life->metric, batches, count);
}

/* Any thread; the store holds a lock. */
static bool forget(void *context, size_t family, const char *instance)
{
	struct life *life = context;

	return metric_forget(life->metric, family, instance);
}

/* Sampler thread. */
static void started(void *context, int64_t since)
{
	struct life *life = context;

	metric_restart(life->metric, since);
}

/* A gap_sink. */
static void note_gap(void *context, const struct gap *gap)
{
	const struct life *life = context;

	store_tell(life->store, gap);
}

/* Whoever flushes. */
static void tell_gaps(void *context)
{
	const struct life *life = context;

	metric_tell_gone(life->metric);
	absent_tell(life->absent, clock_wall());
}

/* --- what functions of Lua are shown: sampler thread ---------------------------------------------------------- */

static int get(void *context, const char *metric, const char *instance, double *value, struct error *error)
{
	struct life *life = context;
	const struct plan *plan = metric_plan(life->metric);
	struct ask_metric place;
	int failed = ask_metric(plan, metric, true, &place, error);

	if (!failed)
		*value = metric_get(life->metric, place.family, place.field, *instance ? instance : NULL);
	plan_release(plan);
	return failed;
}

static struct metric_window *window(void *context, size_t aggregate)
{
	struct life *life = context;

	return metric_window(life->metric, aggregate);
}

static void result(void *context, size_t aggregate, double value, const char *text)
{
	struct life *life = context;

	metric_set_result(life->metric, aggregate, value, text);
}

/* How long the end waits for an answer that is being made. */
#define READERS_PATIENCE (2 * CLOCK_SECOND)

/* --- up and down ----------------------------------------------------------------------------------------------- */

static int bring_up_data(struct life *life, struct error *error)
{
	const struct store_sink sink = {.kept = kept, .forget = forget, .tell_gaps = tell_gaps, .context = life};

	life->metric = metric_new(life->plan);
	life->absent = absent_new(note_gap, life);
	life->store = store_open(life->plan, &sink, error);
	if (!life->store)
		return -1;
	metric_tell_gaps(life->metric, note_gap, life);
	life_expect(life, NULL);
	return 0;
}

static int bring_up_sampling(struct life *life, struct nursery *sampler, struct error *error)
{
	const struct collect_sink sink = {.started = started,
	                                  .deliver = deliver,
	                                  .gap = note_gap,
	                                  .context = life,
	                                  .get = get,
	                                  .window = window,
	                                  .result = result};

	life->collect = collect_new(life->plan, sampler, WORKER_COLLECT, WORKER_SCRIPT, &sink, error);
	if (!life->collect)
		return -1;
	return life->plan->autostart ? collect_start(life->collect, error) : 0;
}

int life_bring_up(struct life *life, struct nursery *sampler, struct error *error)
{
	life->listener = http_listen(life->plan->listen_host, life->plan->listen_port, life->address, error);
	if (life->listener < 0 || bring_up_data(life, error) < 0 || bring_up_sampling(life, sampler, error) < 0)
		return -1;
	life_remember(life);
	life->report = (struct report){
		.metric = life->metric,
		.collect = life->collect,
		.store = life->store,
		.standing = life->standing,
		.started = life->report.started,
		.address = life->address,
		.gallery = gallery_new(),
	};
	life->readers = readers_new();
	life->http = http_start(life->listener, &life->report, life->readers, error);
	life->listener = -1;
	return life->http ? 0 : -1;
}

void life_end_leaving(struct life *life)
{
	if (life->leaving)
		http_stop(life->leaving);
	life->leaving = NULL;
}

bool life_bring_down(struct life *life, bool whole)
{
	if (life->report.gallery)
		gallery_end(life->report.gallery);
	life_end_leaving(life);
	if (life->http)
		http_stop(life->http);
	if (life->readers && !readers_end(life->readers, READERS_PATIENCE))
		whole = false;
	if (life->listener >= 0)
		close(life->listener);
	if (life->collect && whole)
		collect_free(life->collect);
	else if (life->collect)
		collect_stop(life->collect);
	if (life->store)
		store_close(life->store);
	if (!whole)
		return false;
	if (life->report.gallery)
		gallery_free(life->report.gallery);
	if (life->metric)
		metric_free(life->metric);
	absent_free(life->absent);
	standing_free(life->standing);
	plan_release(life->plan);
	return true;
}
