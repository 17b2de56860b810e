/* store/change.c: the store goes over to another plan while samples come.
 *
 * Two threads have a part in it. That of the change waits for the disk: store_hold() takes `flushing` and `writing`, and
 * keeps them until store_go_on(). In between the sampler's thread, which samples nothing meanwhile, calls store_adopt(),
 * which takes the other two locks for a moment. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/inside.h"

/* How long after a change vanished files are looked for. */
#define LOOK_AFTER (15 * CLOCK_SECOND)

static bool any_parts(const struct store *store, const struct plan *plan)
{
	for (size_t i = 0; i < store->plan->family_count; i++)
		if (plan_find_same(plan, store->plan->families[i].table) == SIZE_MAX)
			return true;
	return false;
}

void store_hold(struct store *store, const struct plan *plan)
{
	struct error error = {""};

	store_settle(store);
	pthread_mutex_lock(&store->flushing);
	/* After a crash the journal is no help to files whose family is not known any more: they are made safe now. */
	if (any_parts(store, plan) && store_checkpoint(store, &error) < 0)
		log_warning("samples of what is no longer configured may not be in the RRD files: %s", error.text);
	pthread_mutex_lock(&store->writing);
}

/* --- adopting: with all locks held ------------------------------------------------------------------------------ */

static bool same_layout(const struct layout *a, const struct layout *b)
{
	if (a->definition_count != b->definition_count || a->step != b->step)
		return false;
	for (size_t i = 0; i < a->definition_count; i++)
		if (strcmp(a->definitions[i], b->definitions[i]) != 0)
			return false;
	return true;
}

/* A family goes on in another place, and perhaps with other files. */
static void move_family(struct family_store *to, struct family_store *from, size_t place)
{
	bool same = same_layout(&to->layout, &from->layout);

	to->count = from->count;
	to->room = from->room;
	to->series = from->series;
	to->holes = from->holes;
	to->by_name = from->by_name;
	for (size_t i = 0; i < to->count; i++) {
		if (!to->series[i])
			continue;
		to->series[i]->family = place;
		if (!same)
			series_look_again(to->series[i]);
	}
	*from = (struct family_store){.layout = from->layout};
}

/* A family that does not go on. What was not written of it is counted as lost. */
static void part_family(struct store *store, size_t family)
{
	struct family_store *files = &store->families[family];
	size_t waiting = 0;

	for (size_t i = 0; i < files->count; i++)
		if (files->series[i])
			waiting += files->series[i]->coming.count + files->series[i]->leaving.count;
	if (waiting > 0)
		log_warning("%s: %zu samples could not be written before it went", store->plan->families[family].table->name,
		            waiting);
	store->status.dropped += waiting;
	series_remove_all(store, family);
}

static struct family_store *lay_out(const struct plan *plan)
{
	struct family_store *families = memory_array(plan->family_count, sizeof(*families));

	for (size_t i = 0; i < plan->family_count; i++)
		layout_begin(&families[i].layout, plan, i);
	return families;
}

void store_adopt(struct store *store, const struct plan *plan)
{
	struct family_store *families = lay_out(plan);
	const struct plan *old = store->plan;

	intake_calm(store->intake);
	intake_hold(store->intake);
	pthread_mutex_lock(&store->lock);
	for (size_t i = 0; i < old->family_count; i++) {
		size_t place = plan_find_same(plan, old->families[i].table);

		if (place == SIZE_MAX)
			part_family(store, i);
		else
			move_family(&families[place], &store->families[i], place);
		layout_release(&store->families[i].layout);
	}
	free(store->families);
	store->families = families;
	store->plan = plan_hold(plan);
	journal_adopt(store->journal, plan);
	store->replanned = true;
	pthread_mutex_unlock(&store->lock);
	intake_go_on(store->intake);
	plan_release(old);
}

void store_go_on(struct store *store)
{
	/* What was parted with can be held by nobody now. */
	series_bury(store);
	/* Limits may have changed. Who is there, the first samples have to tell. */
	store->used = 0;
	pthread_mutex_unlock(&store->writing);
	store->purge_next = clock_monotonic() + LOOK_AFTER;
	store_resize_journal(store);
	pthread_mutex_unlock(&store->flushing);
	pthread_mutex_lock(&store->lock);
	pthread_cond_signal(&store->wake);
	pthread_mutex_unlock(&store->lock);
}
