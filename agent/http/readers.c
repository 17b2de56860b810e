#include "http/readers.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/memory.h"

struct work {
	struct work *next;
	readers_work *work;
	void *context;
};

struct readers {
	pthread_mutex_t lock;
	pthread_cond_t wake, ended; /* something is to be done; a thread has ended */
	/* lock: all of the following */
	struct work *first, **last;
	unsigned waiting; /* works in the list */
	unsigned threads, idle;
	bool ending;
};

struct readers *readers_new(void)
{
	struct readers *readers = memory_alloc(sizeof(*readers));

	pthread_mutex_init(&readers->lock, NULL);
	clock_condition(&readers->wake);
	clock_condition(&readers->ended);
	readers->last = &readers->first;
	return readers;
}

/* Waits for something to do; NULL: there was nothing for long enough, or the end has come. With the lock held. */
static struct work *take(struct readers *readers)
{
	const struct timespec deadline = clock_deadline(READERS_REST);
	struct work *work;
	int late = 0;

	readers->idle++;
	while (!readers->first && !readers->ending && !late)
		late = pthread_cond_timedwait(&readers->wake, &readers->lock, &deadline);
	readers->idle--;
	work = readers->first;
	if (!work)
		return NULL;
	readers->first = work->next;
	if (!readers->first)
		readers->last = &readers->first;
	readers->waiting--;
	return work;
}

static void *run(void *context)
{
	struct readers *readers = context;
	struct work *work;

	pthread_mutex_lock(&readers->lock);
	while ((work = take(readers))) {
		pthread_mutex_unlock(&readers->lock);
		work->work(work->context);
		free(work);
		pthread_mutex_lock(&readers->lock);
	}
	readers->threads--;
	pthread_cond_signal(&readers->ended);
	pthread_mutex_unlock(&readers->lock);
	return NULL;
}

/* One more thread, where all have enough to do. False: there is none at all. With the lock held. */
static bool reinforce(struct readers *readers)
{
	pthread_attr_t detached;
	pthread_t thread;

	if (readers->idle > readers->waiting || readers->threads == READERS_MAX)
		return true;
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &detached, run, readers) == 0)
		readers->threads++;
	pthread_attr_destroy(&detached);
	return readers->threads > 0;
}

bool readers_put(struct readers *readers, readers_work *work, void *context)
{
	struct work *added;
	bool taken;

	pthread_mutex_lock(&readers->lock);
	taken = !readers->ending && reinforce(readers);
	if (taken) {
		added = memory_alloc(sizeof(*added));
		added->work = work;
		added->context = context;
		*readers->last = added;
		readers->last = &added->next;
		readers->waiting++;
		pthread_cond_signal(&readers->wake);
	}
	pthread_mutex_unlock(&readers->lock);
	return taken;
}

bool readers_end(struct readers *readers, int64_t patience)
{
	const struct timespec deadline = clock_deadline(patience);
	bool ended;
	int late = 0;

	pthread_mutex_lock(&readers->lock);
	readers->ending = true;
	pthread_cond_broadcast(&readers->wake);
	while (readers->threads > 0 && !late)
		late = pthread_cond_timedwait(&readers->ended, &readers->lock, &deadline);
	ended = readers->threads == 0;
	pthread_mutex_unlock(&readers->lock);
	if (!ended)
		return false;
	pthread_mutex_destroy(&readers->lock);
	pthread_cond_destroy(&readers->wake);
	pthread_cond_destroy(&readers->ended);
	free(readers);
	return true;
}
