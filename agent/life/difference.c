/* life/difference.c: what another plan changes, in words: what people want to see in the log after they have saved. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "life/inside.h"

/* So many are named; of the others it is told how many they are. */
#define NAMED_MAX 8

struct words {
	size_t count;
	char *text;
};

static void add(struct words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct words *words, const char *format, ...)
{
	char one[256], *longer;
	va_list args;

	if (words->count++ >= NAMED_MAX)
		return;
	va_start(args, format);
	vsnprintf(one, sizeof(one), format, args);
	va_end(args);
	longer = memory_format("%s%s%s", words->text ? words->text : "", words->text ? ", " : "", one);
	free(words->text);
	words->text = longer;
}

/* Where there is none it is NaN. */
static bool same_number(double a, double b)
{
	return a == b || (isnan(a) && isnan(b));
}

static const struct plan_plugin *find_plugin(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->plugin_count; i++)
		if (strcmp(plan->plugins[i].name, name) == 0)
			return &plan->plugins[i];
	return NULL;
}

static const char *kind_of(const struct plan_plugin *plugin)
{
	return plugin->collector ? "collector" : "plugin";
}

static void compare_plugin(struct words *words, const struct plan *old, const struct plan_plugin *before,
                           const struct plan *new, const struct plan_plugin *after)
{
	char from[TEXT_AMOUNT_SIZE], to[TEXT_AMOUNT_SIZE];

	if (before->interval != after->interval)
		add(words, "%s \"%s\" every %s instead of %s", kind_of(after), after->name,
		    text_from_duration(clock_seconds(after->interval), to),
		    text_from_duration(clock_seconds(before->interval), from));
	if (!plan_same_plugin(old, before, new, after))
		add(words, "%s \"%s\" begins anew", kind_of(after), after->name);
}

static void compare_plugins(struct words *words, const struct plan *old, const struct plan *new)
{
	for (size_t i = 0; i < new->plugin_count; i++) {
		const struct plan_plugin *after = &new->plugins[i], *before = find_plugin(old, after->name);

		if (before)
			compare_plugin(words, old, before, new, after);
		else
			add(words, "%s \"%s\" is new", kind_of(after), after->name);
	}
	for (size_t i = 0; i < old->plugin_count; i++)
		if (!find_plugin(new, old->plugins[i].name))
			add(words, "%s \"%s\" is gone", kind_of(&old->plugins[i]), old->plugins[i].name);
}

static bool same_aggregate(const struct plan *old, const struct plan_aggregate *a, const struct plan *new,
                           const struct plan_aggregate *b)
{
	const struct pindrop_family *before = old->families[a->family].table, *after = new->families[b->family].table;

	if (plan_is_asked(b) && !text_same(old->digest, new->digest))
		return false;
	return strcmp(before->name, after->name) == 0 &&
	       strcmp(before->fields[a->field].name, after->fields[b->field].name) == 0 &&
	       text_same(a->instance, b->instance) && text_same(a->fn_name, b->fn_name) && a->over == b->over &&
	       same_number(a->to, b->to) && text_same(a->format, b->format) && a->formatted == b->formatted;
}

static void compare_aggregates(struct words *words, const struct plan *old, const struct plan *new)
{
	for (size_t i = 0; i < new->aggregate_count; i++) {
		size_t before = plan_find_aggregate(old, new->aggregates[i].name);

		if (before == SIZE_MAX)
			add(words, "aggregate \"%s\" is new", new->aggregates[i].name);
		else if (!same_aggregate(old, &old->aggregates[before], new, &new->aggregates[i]))
			add(words, "aggregate \"%s\" is another", new->aggregates[i].name);
	}
	for (size_t i = 0; i < old->aggregate_count; i++)
		if (plan_find_aggregate(new, old->aggregates[i].name) == SIZE_MAX)
			add(words, "aggregate \"%s\" is gone", old->aggregates[i].name);
}

static bool same_tiers(const struct plan *old, const struct plan *new)
{
	if (old->tier_count != new->tier_count)
		return false;
	for (size_t i = 0; i < old->tier_count; i++)
		if (old->tiers[i].step != new->tiers[i].step || old->tiers[i].keep != new->tiers[i].keep)
			return false;
	return true;
}

char *life_difference(const struct plan *old, const struct plan *new)
{
	struct words words = {0};
	char *text;

	compare_plugins(&words, old, new);
	compare_aggregates(&words, old, new);
	if (!same_tiers(old, new))
		add(&words, "other retention: files move");
	if (old->flush != new->flush)
		add(&words, "another flush");
	if (old->purge_after != new->purge_after || old->purge_max_size != new->purge_max_size)
		add(&words, "another purge");
	if (old->journal_size != new->journal_size)
		add(&words, "another size of the journal");
	if (!text_same(old->listen_host, new->listen_host) || old->listen_port != new->listen_port)
		add(&words, "another address");
	if (old->autostart != new->autostart)
		add(&words, "autostart, for the next start");
	if (words.count <= NAMED_MAX)
		return words.text ? words.text : memory_text("nothing is different");
	text = memory_format("%s, and %zu more", words.text, words.count - NAMED_MAX);
	free(words.text);
	return text;
}
