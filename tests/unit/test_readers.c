/* links: agent/http/readers.c agent/base/clock.c agent/base/memory.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http/readers.h"

/* What works wait for, and count. */
struct gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool open;
	unsigned inside, most, done;
	unsigned order[64]; /* in which those that are numbered came in */
	unsigned entered;
};

struct numbered {
	struct gate *gate;
	unsigned number;
};

static void pass(void *context)
{
	struct numbered *numbered = context;
	struct gate *gate = numbered->gate;

	pthread_mutex_lock(&gate->lock);
	gate->order[gate->entered++] = numbered->number;
	gate->inside++;
	if (gate->inside > gate->most)
		gate->most = gate->inside;
	pthread_cond_broadcast(&gate->changed);
	while (!gate->open)
		pthread_cond_wait(&gate->changed, &gate->lock);
	gate->inside--;
	gate->done++;
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
}

static void begin(struct gate *gate, bool open)
{
	*gate = (struct gate){.open = open};
	pthread_mutex_init(&gate->lock, NULL);
	pthread_cond_init(&gate->changed, NULL);
}

static void await(struct gate *gate, const unsigned *figure, unsigned value)
{
	pthread_mutex_lock(&gate->lock);
	while (*figure < value)
		pthread_cond_wait(&gate->changed, &gate->lock);
	pthread_mutex_unlock(&gate->lock);
}

static void open_gate(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	gate->open = true;
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
}

static void without_work_there_is_nothing_to_end(void **state)
{
	(void)state;
	assert_true(readers_end(readers_new(), 0));
}

static void so_many_work_at_once_and_no_more(void **state)
{
	enum { WORKS = 40 };
	struct readers *readers = readers_new();
	struct numbered works[WORKS];
	struct gate gate;

	(void)state;
	begin(&gate, false);
	for (unsigned i = 0; i < WORKS; i++) {
		works[i] = (struct numbered){&gate, i};
		assert_true(readers_put(readers, pass, &works[i]));
	}
	await(&gate, &gate.inside, READERS_MAX);
	open_gate(&gate);
	await(&gate, &gate.done, WORKS);
	assert_int_equal(gate.most, READERS_MAX);
	assert_true(readers_end(readers, 10 * CLOCK_SECOND));
}

/* All threads but one are held up: what that one does comes in the order in which it was put. */
static void what_waits_keeps_its_order(void **state)
{
	enum { WORKS = 60 };
	struct readers *readers = readers_new();
	struct numbered held[READERS_MAX], works[WORKS];
	struct gate others, last, gate;

	(void)state;
	begin(&others, false);
	begin(&last, false);
	begin(&gate, true);
	for (unsigned i = 0; i < READERS_MAX; i++) {
		held[i] = (struct numbered){i + 1 < READERS_MAX ? &others : &last, i};
		assert_true(readers_put(readers, pass, &held[i]));
	}
	await(&others, &others.inside, READERS_MAX - 1);
	await(&last, &last.inside, 1);
	for (unsigned i = 0; i < WORKS; i++) {
		works[i] = (struct numbered){&gate, i};
		assert_true(readers_put(readers, pass, &works[i]));
	}
	open_gate(&last);
	await(&gate, &gate.done, WORKS);
	for (unsigned i = 0; i < WORKS; i++)
		assert_int_equal(gate.order[i], i);
	open_gate(&others);
	assert_true(readers_end(readers, 10 * CLOCK_SECOND));
}

static void what_hangs_is_left_behind(void **state)
{
	struct readers *readers = readers_new();
	struct numbered one;
	struct gate gate;

	(void)state;
	begin(&gate, false);
	one = (struct numbered){&gate, 0};
	assert_true(readers_put(readers, pass, &one));
	await(&gate, &gate.inside, 1);
	assert_false(readers_end(readers, 20 * CLOCK_MILLISECOND));
	assert_false(readers_put(readers, pass, &one));
	open_gate(&gate);
	await(&gate, &gate.done, 1);
	assert_true(readers_end(readers, 10 * CLOCK_SECOND));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_work_there_is_nothing_to_end),
		cmocka_unit_test(so_many_work_at_once_and_no_more),
		cmocka_unit_test(what_waits_keeps_its_order),
		cmocka_unit_test(what_hangs_is_left_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
