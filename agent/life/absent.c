#include "life/absent.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct away {
	char *family;
	int64_t told; /* up to here: wall clock, ns */
};

struct absent {
	gap_sink *sink;
	void *context;
	pthread_mutex_t lock;
	size_t count;
	struct away *list;
};

struct absent *absent_new(gap_sink *sink, void *context)
{
	struct absent *absent = memory_alloc(sizeof(*absent));

	absent->sink = sink;
	absent->context = context;
	pthread_mutex_init(&absent->lock, NULL);
	return absent;
}

void absent_free(struct absent *absent)
{
	if (!absent)
		return;
	for (size_t i = 0; i < absent->count; i++)
		free(absent->list[i].family);
	free(absent->list);
	pthread_mutex_destroy(&absent->lock);
	free(absent);
}

/* With the lock held. */
static void tell(struct absent *absent, struct away *away, int64_t to)
{
	const struct gap gap = {.reason = GAP_NOT_CONFIGURED, .family = away->family, .from = away->told, .to = to};

	/* The clock may have been set back. */
	if (gap.from < gap.to)
		absent->sink(absent->context, &gap);
	away->told = to;
}

void absent_tell(struct absent *absent, int64_t now)
{
	pthread_mutex_lock(&absent->lock);
	for (size_t i = 0; i < absent->count; i++)
		tell(absent, &absent->list[i], now);
	pthread_mutex_unlock(&absent->lock);
}

static void go(struct absent *absent, const char *family, int64_t now)
{
	absent->list = memory_resize(absent->list, absent->count + 1, sizeof(*absent->list));
	absent->list[absent->count++] = (struct away){memory_text(family), now};
}

static void come_back(struct absent *absent, const struct plan_family *family, int64_t now)
{
	for (size_t i = 0; i < absent->count; i++) {
		struct away *away = &absent->list[i];

		if (strcmp(away->family, family->table->name) != 0)
			continue;
		tell(absent, away, now + family->plugin->interval);
		free(away->family);
		*away = absent->list[--absent->count];
		return;
	}
}

void absent_change(struct absent *absent, const struct plan *old, const struct plan *new, int64_t now)
{
	pthread_mutex_lock(&absent->lock);
	for (size_t i = 0; i < old->family_count; i++)
		if (plan_find_family(new, old->families[i].table->name) == SIZE_MAX)
			go(absent, old->families[i].table->name, now);
	for (size_t i = 0; i < new->family_count; i++)
		come_back(absent, &new->families[i], now);
	pthread_mutex_unlock(&absent->lock);
}
