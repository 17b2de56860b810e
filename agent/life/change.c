/* life/change.c: a plan takes the place of another, while samples come and requests are answered.
 *
 *     read        the new plan, in a worker; mistakes end it here
 *     make ready  what can fail: the address, plugins to be opened                     nothing has changed until here
 *     part        what is not sampled any more, is not sampled any more
 *     hold        the store writes that out, and stops writing
 *     adopt       between two ticks: store, metric and collect go over to the new plan, one after the other
 *     go on       files are written again, and move to their new layouts
 *     follow      HTTP to its new address, windows to their past */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "life/inside.h"

static void add_mistake(struct text_list *mistakes, const struct plan *plan, const char *words)
{
	text_list_add(mistakes, memory_format("%s: %s", plan->file, words));
}

/* --- making ready ------------------------------------------------------------------------------------------------ */

/* What the store holds on to for as long as it is open. */
static void check_lasting(const struct plan *old, const struct plan *new, struct text_list *mistakes)
{
	if (!text_same(old->data_dir, new->data_dir))
		add_mistake(mistakes, new, "agent: \"data_dir\" cannot change while the agent runs: restart it to apply this");
	if (!text_same(old->rrdcached, new->rrdcached))
		add_mistake(mistakes, new, "store: \"rrdcached\" cannot change while the agent runs: restart it to apply this");
}

static bool same_address(const struct plan *a, const struct plan *b)
{
	return a->listen_port == b->listen_port && strcmp(a->listen_host, b->listen_host) == 0;
}

/* "http://127.0.0.1:8080": also where the kernel chose it. */
static unsigned port_of(const char *address)
{
	return (unsigned)strtoul(strrchr(address, ':') + 1, NULL, 10);
}

static bool is_any(const char *host)
{
	return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

/* Of the same port: one is among the other. */
static bool overlaps(const struct life *life, const struct plan *plan)
{
	return plan->listen_port == port_of(life->address) &&
	       (is_any(plan->listen_host) || is_any(life->plan->listen_host));
}

/* The new address is free only when the old one is left. Where it cannot be had even so, the old one is taken back. */
static int swap_address(struct life *life, const struct plan *plan, char address[HTTP_ADDRESS_SIZE],
                        struct error *error)
{
	char back[HTTP_ADDRESS_SIZE];
	struct error worse;
	int listener;

	life_end_leaving(life);
	http_leave(life->http);
	life->leaving = life->http;
	life->http = NULL;
	listener = http_listen(plan->listen_host, plan->listen_port, address, error);
	if (listener >= 0)
		return listener;
	listener = http_listen(life->plan->listen_host, port_of(life->address), back, &worse);
	if (listener >= 0)
		life->http = http_start(listener, &life->report, life->readers, &worse);
	if (!life->http)
		log_error("%s is not listened on any more: %s", life->address, worse.text);
	return -1;
}

/* *listener is -1 where the address stays. */
static int make_ready(struct life *life, const struct plan *plan, int *listener, char address[HTTP_ADDRESS_SIZE],
                      struct error *error)
{
	*listener = -1;
	if (collect_prepare(life->collect, plan, error) < 0)
		return -1;
	if (same_address(life->plan, plan) && life->http)
		return 0;
	*listener = http_listen(plan->listen_host, plan->listen_port, address, error);
	if (*listener < 0 && errno == EADDRINUSE && life->http && overlaps(life, plan))
		*listener = swap_address(life, plan, address, error);
	return *listener < 0 ? -1 : 0;
}

/* --- the change itself ------------------------------------------------------------------------------------------- */

struct adoption {
	struct life *life;
	const struct plan *plan;
};

/* Sampler thread. */
static void adopt(void *context)
{
	const struct adoption *adoption = context;

	store_adopt(adoption->life->store, adoption->plan);
	metric_adopt(adoption->life->metric, adoption->plan);
}

/* The old server, where it has not left yet, answers those that are connected to it until they go. */
static void follow_address(struct life *life, int listener, const char *address)
{
	struct error error;

	if (life->http) {
		life_end_leaving(life);
		http_leave(life->http);
		life->leaving = life->http;
	}
	snprintf(life->address, sizeof(life->address), "%s", address);
	life->http = http_start(listener, &life->report, life->readers, &error);
	if (life->http)
		log_info("listening on %s", life->address);
	else
		log_error("%s", error.text);
}

/* From one stage to the next, where it is that. */
static bool step(struct life *life, enum life_stage from, enum life_stage to)
{
	return atomic_compare_exchange_strong(&life->stage, &from, to);
}

static void exchange(struct life *life, const struct plan *plan)
{
	struct adoption adoption = {life, plan};

	collect_part(life->collect);
	store_hold(life->store, plan);
	/* The disk may have answered only while the agent ends: then the rooms are not there any more. */
	while (!step(life, LIFE_APPLIES, LIFE_ADOPTS))
		pause();
	collect_adopt(life->collect, adopt, &adoption);
	store_go_on(life->store);
}

/* Takes over the plan. */
static void apply(struct life *life, const struct plan *plan, int listener, const char *address)
{
	const struct plan *old = life->plan;

	exchange(life, plan);
	life->plan = plan;
	absent_change(life->absent, old, plan, clock_wall());
	if (listener >= 0)
		follow_address(life, listener, address);
	life_expect(life, old);
	life_remember(life);
	plan_release(old);
}

/* --- what people are told ------------------------------------------------------------------------------------------ */

static void tell_mistakes(const struct life *life, const struct text_list *mistakes)
{
	for (size_t i = 0; i < mistakes->count; i++)
		log_error("%s", mistakes->texts[i]);
	log_error("%s was not applied: what was in force before stays so", life->source->file);
}

struct stat life_look(const struct life *life)
{
	struct stat file;

	return stat(life->source->file, &file) == 0 ? file : (struct stat){0};
}

/* While it runs, an empty file is no wish for another agent, but one that was not saved to its end. */
static const struct plan *read_plan(struct life *life, struct text_list *mistakes)
{
	const struct stat now = life_look(life);
	const char *file = life->source->file;

	if (!S_ISREG(now.st_mode) || now.st_size > 0)
		return source_read(life->source, mistakes);
	text_list_add(mistakes, memory_format("%s: is empty: it was not saved to its end, or the disk is "
	                                      "full; a comment (--) alone means that all is as by default",
	                                      file));
	return NULL;
}

bool life_ends(struct life *life)
{
	return step(life, LIFE_READS, LIFE_ENDS);
}

bool life_gives_up(struct life *life)
{
	return step(life, LIFE_APPLIES, LIFE_ENDS);
}

/* Whether the file is another than it was before it was read: then it may have been read in half. */
static bool was_half(const struct life *life)
{
	const struct stat now = life_look(life), *seen = &life->seen;

	return clock_monotonic() < life->half_until &&
	       (now.st_ino != seen->st_ino || now.st_size != seen->st_size || now.st_mtim.tv_sec != seen->st_mtim.tv_sec ||
	        now.st_mtim.tv_nsec != seen->st_mtim.tv_nsec);
}

void life_change(struct life *life)
{
	struct text_list mistakes = {0};
	struct error error = {""};
	char address[HTTP_ADDRESS_SIZE];
	int64_t began = clock_monotonic();
	const struct plan *plan = read_plan(life, &mistakes);
	char *words;
	int listener = -1;

	life->half = was_half(life);
	if (life->half || !step(life, LIFE_READS, LIFE_APPLIES)) {
		plan_release(plan);
		text_list_release(&mistakes);
		return;
	}
	if (plan)
		check_lasting(life->plan, plan, &mistakes);
	if (plan && mistakes.count == 0 && make_ready(life, plan, &listener, address, &error) < 0)
		add_mistake(&mistakes, plan, error.text);
	life->mistaken = mistakes.count > 0;
	if (life->mistaken) {
		plan_release(plan);
		tell_mistakes(life, &mistakes);
		standing_bad(life->standing, &mistakes);
	} else {
		words = life_difference(life->plan, plan);
		apply(life, plan, listener, address);
		standing_good(life->standing, &life->source->refused);
		log_info("%s was applied within %.0f ms: %s", life->source->file,
		         clock_seconds(clock_monotonic() - began) * 1000, words);
		free(words);
	}
	text_list_release(&mistakes);
	if (!step(life, LIFE_ADOPTS, LIFE_READS))
		step(life, LIFE_APPLIES, LIFE_READS);
}
