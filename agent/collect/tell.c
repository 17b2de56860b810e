#include "collect/tell.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

#define WORDS_SIZE 128

/* Of everything. */
static void tell_all(const struct tell *tell, enum gap_reason reason, int64_t from, int64_t to, const char *words)
{
	const struct gap gap = {.reason = reason, .from = from, .to = to, .words = words};

	tell->gap(tell->context, &gap);
}

static void tell_plugin(const struct tell *tell, const struct plan_plugin *plugin, struct gap *gap)
{
	for (size_t i = 0; i < tell->plan->family_count; i++) {
		if (tell->plan->families[i].plugin != plugin)
			continue;
		gap->family = tell->plan->families[i].table->name;
		tell->gap(tell->context, gap);
	}
}

void tell_tick(const struct tell *tell, enum gap_reason reason, size_t family, const char *instance, int64_t tick,
               const char *words)
{
	const struct plan_family *planned = &tell->plan->families[family];
	const struct gap gap = {.reason = reason,
	                        .family = planned->table->name,
	                        .instance = instance,
	                        .from = tick - planned->plugin->interval,
	                        .to = tick,
	                        .words = words};

	tell->gap(tell->context, &gap);
}

void tell_late(const struct tell *tell, const struct plan_plugin *plugin, const struct schedule_lost *lost, int64_t now)
{
	char words[WORDS_SIZE], span[TEXT_AMOUNT_SIZE];
	struct gap gap = {.reason = GAP_LATE, .from = lost->from, .to = lost->to, .words = words};

	/* By how much the first of them was late, which is the longest. */
	text_from_span(clock_seconds(now - lost->from - plugin->interval), span);
	snprintf(words, sizeof(words), "late by %s", span);
	tell_plugin(tell, plugin, &gap);
}

void tell_change(const struct tell *tell, const struct wallclock_change *change, int64_t newest, int64_t interval)
{
	char words[WORDS_SIZE], span[TEXT_AMOUNT_SIZE];
	int64_t woken = change->after - change->set;

	if (change->slept) {
		snprintf(words, sizeof(words), "slept for %s", text_from_span(clock_seconds(change->slept), span));
		log_info("the machine %s; sampling goes on from now", words);
		if (newest)
			tell_all(tell, GAP_SUSPEND, newest, woken, words);
	}
	if (!change->set)
		return;
	snprintf(words, sizeof(words), "set %s by %s", change->set > 0 ? "forward" : "back",
	         text_from_span(clock_seconds(llabs(change->set)), span));
	log_info("the clock was %s; sampling goes on at the new time", words);
	if (change->set < 0)
		tell_all(tell, GAP_CLOCK_STEP, change->after - interval, change->after, words);
	else if (newest)
		tell_all(tell, GAP_CLOCK_STEP, change->slept ? woken : newest, change->after, words);
}

void tell_stopped(const struct tell *tell, const struct plan_plugin *plugin, int64_t from, int64_t to)
{
	struct gap gap = {.reason = GAP_STOPPED, .from = from, .to = to};

	if (from >= to)
		return;
	if (plugin)
		tell_plugin(tell, plugin, &gap);
	else
		tell_all(tell, GAP_STOPPED, from, to, NULL);
}
