/* collect/change.c: sampling goes on by another plan: who keeps a state keeps it, and nobody misses a tick for it. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "collect/inside.h"

/* What is ready to take the place of collect->now. */
struct change {
	struct lineup lineup;
	size_t *heirs; /* by plugin of the new plan: the runner of now that goes on as it; SIZE_MAX: none does */
};

static void release(struct change *change)
{
	if (!change)
		return;
	lineup_release(&change->lineup);
	free(change->heirs);
	free(change);
}

/* The runner of that name; SIZE_MAX: there is none. */
static size_t find_runner(const struct lineup *lineup, const char *name)
{
	for (size_t i = 0; i < lineup->plan->plugin_count; i++)
		if (strcmp(lineup->runners[i].plugin->name, name) == 0)
			return i;
	return SIZE_MAX;
}

/* --- before ---------------------------------------------------------------------------------------------------- */

static void name_heirs(const struct collect *collect, struct change *change)
{
	const struct plan *plan = change->lineup.plan;

	for (size_t i = 0; i < plan->plugin_count; i++) {
		size_t old = find_runner(&collect->now, plan->plugins[i].name);
		bool same = old != SIZE_MAX &&
		            plan_same_plugin(collect->now.plan, collect->now.runners[old].plugin, plan, &plan->plugins[i]);

		change->heirs[i] = same ? old : SIZE_MAX;
	}
}

/* What is opened anew is sampled once, as at a start: so its next sample has one before it. That itself is not shown. */
static int open_runner(struct lineup *lineup, size_t index, struct error *error)
{
	struct runner *runner = &lineup->runners[index];
	int failed = 0;

	runner->local = local_open(lineup->plan, runner->plugin, error);
	if (!runner->local)
		return error_prefix(error, "plugin \"%s\": ", runner->plugin->name);
	for (size_t i = 0; i < lineup->plan->family_count && !failed; i++)
		if (lineup->families[i].runner == index && lineup->plan->families[i].table->never_blocks)
			failed = local_sample(runner->local, lineup->plan, i, &lineup->families[i].batch, error);
	return failed ? error_prefix(error, "plugin \"%s\": ", runner->plugin->name) : 0;
}

static int open_new(struct change *change, struct error *error)
{
	for (size_t i = 0; i < change->lineup.plan->plugin_count; i++)
		if (change->heirs[i] == SIZE_MAX && change->lineup.runners[i].has_local &&
		    open_runner(&change->lineup, i, error) < 0)
			return -1;
	return 0;
}

void change_forget(struct collect *collect)
{
	release(collect->change);
	collect->change = NULL;
}

int change_prepare(struct collect *collect, const struct plan *plan, struct error *error)
{
	struct change *change = memory_alloc(sizeof(*change));

	change->lineup = lineup_make(collect, plan);
	change->heirs = memory_array(plan->plugin_count, sizeof(*change->heirs));
	name_heirs(collect, change);
	change_forget(collect);
	if (collect->running && open_new(change, error) < 0) {
		release(change);
		return -1;
	}
	collect->change = change;
	return 0;
}

void change_part(struct collect *collect)
{
	for (size_t i = 0; i < collect->now.plan->family_count; i++)
		if (plan_find_same(collect->change->lineup.plan, collect->now.plan->families[i].table) == SIZE_MAX)
			collect->now.families[i].parted = true;
}

/* --- the change itself ------------------------------------------------------------------------------------------- */

/* What a runner has, goes over to the one that takes its place. */
static void inherit(struct collect *collect, struct change *change, size_t index)
{
	struct runner *runner = &change->lineup.runners[index], *old;
	size_t from = find_runner(&collect->now, runner->plugin->name);

	if (from == SIZE_MAX || collect->now.runners[from].plugin->interval != runner->plugin->interval)
		schedule_begin(&runner->schedule, runner->plugin->interval, collect->clock.now.wall);
	else
		runner->schedule = collect->now.runners[from].schedule;
	if (change->heirs[index] == SIZE_MAX)
		return;
	old = &collect->now.runners[from];
	runner->local = old->local;
	old->local = NULL;
	if (runner->remote) {
		remote_discard(runner->remote);
		runner->remote = old->remote;
		old->remote = NULL;
		remote_adopt(runner->remote, change->lineup.plan, runner->plugin);
		remote_forgive(runner->remote);
	}
	change->lineup.stuck_versions[index] = collect->now.stuck_versions[from];
}

/* Sampling may have been started or stopped since the change was prepared. What cannot be opened now is tried again with
 * its ticks, and told then. */
static void keep_step(const struct collect *collect, struct change *change)
{
	struct error ignored;

	for (size_t i = 0; i < change->lineup.plan->plugin_count; i++) {
		struct runner *runner = &change->lineup.runners[i];

		if (collect->running && runner->has_local && !runner->local) {
			open_runner(&change->lineup, i, &ignored);
		} else if (!collect->running) {
			local_close(runner->local);
			runner->local = NULL;
		}
	}
}

/* A family goes on: what is known of it stays. */
static void succeed(struct change *change, size_t place, struct family *old)
{
	struct family *family = &change->lineup.families[place];
	struct collect_family_status fresh = family->status;
	bool kept = change->heirs[family->runner] != SIZE_MAX;
	size_t runner = family->runner;

	batch_release(&family->batch);
	*family = *old;
	*old = (struct family){0};
	family->runner = runner;
	family->status.name = fresh.name;
	family->status.plugin = fresh.plugin;
	family->status.interval = fresh.interval;
	family->status.remote = fresh.remote;
	if (kept)
		return;
	/* What hung there, hung in a worker that is not asked any more. */
	family_forget_stuck(family);
}

/* A question that is on its way to a worker that is replaced, is put to the new one. */
static void put_again(struct collect *collect, const struct lineup *old)
{
	for (size_t i = 0; i < old->plan->family_count; i++) {
		struct remote *remote = old->runners[old->plan->families[i].plugin - old->plan->plugins].remote;
		size_t place = plan_find_same(collect->now.plan, old->plan->families[i].table);
		int64_t tick;

		if (remote && place != SIZE_MAX && !collect->now.plan->families[place].table->never_blocks &&
		    remote_awaits(remote, i, &tick))
			ask_family(collect, place, tick);
	}
}

static void end_old(struct lineup *old)
{
	for (size_t i = 0; i < old->plan->plugin_count; i++) {
		if (old->runners[i].remote)
			remote_discard(old->runners[i].remote);
		old->runners[i].remote = NULL;
	}
	lineup_release(old);
}

/* What is new is sampled at once, as at a start. */
static void sample_new(struct collect *collect, const struct plan *before)
{
	struct error error = {""};

	for (size_t i = 0; i < collect->now.plan->family_count; i++) {
		const struct pindrop_family *table = collect->now.plan->families[i].table;

		if (plan_find_same(before, table) != SIZE_MAX)
			continue;
		if (table->never_blocks && collect->now.runners[collect->now.families[i].runner].local)
			sample_family(collect, i, 0, &error);
		else if (!table->never_blocks)
			ask_family(collect, i, 0);
	}
	deliver_round(collect);
}

static size_t count_first(const struct lineup *lineup)
{
	size_t count = 0;

	for (size_t i = 0; i < lineup->plan->family_count; i++)
		count += lineup->families[i].first;
	return count;
}

/* The lineup takes the place of that of now, which is left in `change`. */
static void swap(struct collect *collect, struct change *change)
{
	struct lineup old = collect->now;

	pthread_mutex_lock(&collect->lock);
	for (size_t i = 0; i < old.plan->family_count; i++) {
		size_t place = plan_find_same(change->lineup.plan, old.plan->families[i].table);

		if (place != SIZE_MAX)
			succeed(change, place, &old.families[i]);
	}
	collect->now = change->lineup;
	collect->tell.plan = collect->now.plan;
	collect->first_count = count_first(&collect->now);
	pthread_cond_broadcast(&collect->changed);
	pthread_mutex_unlock(&collect->lock);
	change->lineup = old;
}

void change_adopt(struct collect *collect, void (*between)(void *context), void *context)
{
	struct change *change = collect->change;

	collect->change = NULL;
	look_at_clock(collect);
	between(context);
	for (size_t i = 0; i < change->lineup.plan->plugin_count; i++)
		inherit(collect, change, i);
	keep_step(collect, change);
	swap(collect, change);
	evaluate_adopt(collect->evaluate, collect->now.plan);
	if (collect->running) {
		put_again(collect, &change->lineup);
		sample_new(collect, change->lineup.plan);
	}
	set_ticker(collect);
	end_old(&change->lineup);
	free(change->heirs);
	free(change);
}
