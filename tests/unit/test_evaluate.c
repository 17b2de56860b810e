/* links: agent/collect/evaluate.c agent/collect/link.c agent/collect/serve_script.c agent/collect/wire.c
 * agent/script/command.c agent/base/command.c agent/script/declare.c agent/script/library.c agent/script/modules.c agent/script/run.c agent/script/state.c agent/script/trace.c agent/script/window.c agent/config/share.c agent/worker/nursery.c agent/worker/message.c agent/metric/batch.c
 * agent/base/text.c agent/base/memory.c agent/base/log.c agent/base/error.c
 *
 * Functions of aggregates, in a real worker, on a clock that the test may set forward. */
#include <time.h>

static int faked_gettime(clockid_t id, struct timespec *now);
#define clock_gettime faked_gettime
#include "../../agent/base/clock.c"
#undef clock_gettime

#include <math.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "collect/evaluate.h"
#include "metric/metric.h"
#include "script/script.h"

#define S CLOCK_SECOND
#define MS CLOCK_MILLISECOND
#define PATIENCE (20 * S)

static int64_t skipped;

static int faked_gettime(clockid_t id, struct timespec *now)
{
	int failed = clock_gettime(id, now);
	int64_t time = (int64_t)now->tv_sec * S + now->tv_nsec + skipped;

	*now = (struct timespec){time / S, time % S};
	return failed;
}

/* --- what is asked ----------------------------------------------------------------------------------------------- */

/* Two families: one is sampled each second, one each ten; and each of these looks at one of them. */
enum { A, B, C, SLOW, AGGREGATES };

struct result {
	size_t asked, given, errors; /* how often */
	double value;
	char *text, *words;
};

struct record {
	struct nursery *nursery;
	struct plan_plugin plugins[2];
	struct plan_family families[2];
	struct plan_aggregate aggregates[AGGREGATES];
	struct plan plan;
	struct collect_sink sink;
	struct evaluate *evaluate;
	int epoll;
	int64_t tick;
	double value; /* what a built-in function makes of each window */
	bool blind;   /* there is no window */
	struct result results[AGGREGATES];
};

static struct metric_window *window(void *context, size_t aggregate)
{
	static const double values[] = {1, 2, 6}, times[] = {10, 20, 30};
	struct record *record = context;
	struct metric_window *window;

	record->results[aggregate].asked++;
	if (record->blind)
		return NULL;
	window = memory_alloc(sizeof(*window));
	*window = (struct metric_window){.count = 3,
	                                 .values = values,
	                                 .times = times,
	                                 .over = 60,
	                                 .samples = 3,
	                                 .unknown = 4,
	                                 .min = 1,
	                                 .max = 6,
	                                 .avg = 3,
	                                 .sum = 9,
	                                 .last = 5,
	                                 .stddev = 2.5,
	                                 .value = record->value};
	return window;
}

static void result(void *context, size_t aggregate, double value, const char *text)
{
	struct result *result = &((struct record *)context)->results[aggregate];

	free(result->text);
	result->text = text ? memory_text(text) : NULL;
	result->value = value;
	result->given++;
}

static void noted(void *context, size_t aggregate, const char *words)
{
	struct result *result = &((struct record *)context)->results[aggregate];

	free(result->words);
	result->words = words ? memory_text(words) : NULL;
	result->errors += words != NULL;
}

static int get(void *context, const char *metric, const char *instance, double *value, struct error *error)
{
	(void)context, (void)instance, (void)error;
	*value = strcmp(metric, "cpu.usage") == 0 ? 12.5 : NAN;
	return 0;
}

static int start(void **state)
{
	static const struct worker_kind *const kinds[] = {&script_worker_kind};
	struct record *record = memory_alloc(sizeof(*record));
	struct error error = {""};

	skipped = 0;
	record->nursery = nursery_start(kinds, 1, &error);
	record->epoll = epoll_create1(EPOLL_CLOEXEC);
	record->value = 7.25;
	record->tick = 1000 * S;
	record->sink = (struct collect_sink){.context = record, .get = get, .window = window, .result = result};
	record->plugins[0].interval = S;
	record->plugins[1].interval = 10 * S;
	for (size_t i = 0; i < 2; i++)
		record->families[i].plugin = &record->plugins[i];
	for (size_t i = 0; i < AGGREGATES; i++)
		record->aggregates[i] = (struct plan_aggregate){.name = &"a\0b\0c\0slow"[2 * i],
		                                                .family = i == SLOW,
		                                                .fn = PLAN_FUNCTION,
		                                                .fn_name = "function"};
	*state = record;
	return record->nursery && record->epoll >= 0 ? 0 : -1;
}

static void forget(struct record *record)
{
	if (record->evaluate)
		evaluate_free(record->evaluate);
	record->evaluate = NULL;
	for (size_t i = 0; i < AGGREGATES; i++) {
		free(record->results[i].text);
		free(record->results[i].words);
		record->results[i] = (struct result){0};
	}
}

static int stop(void **state)
{
	struct record *record = *state;

	forget(record);
	nursery_stop(record->nursery);
	close(record->epoll);
	free(record);
	return 0;
}

static struct plan plan_of(struct record *record, const char *text, const char *digest)
{
	return (struct plan){.file = "pindrop.lua",
	                     .root = "",
	                     .plugin_count = 2,
	                     .plugins = record->plugins,
	                     .family_count = 2,
	                     .families = record->families,
	                     .aggregate_count = AGGREGATES,
	                     .aggregates = record->aggregates,
	                     .script = text,
	                     .digest = digest,
	                     .limit_timeout = 300 * MS,
	                     .limit_memory = 16000000};
}

static void evaluate(struct record *record, const char *text)
{
	forget(record);
	record->plan = plan_of(record, text, "1");
	record->evaluate = evaluate_new(&record->plan, record->nursery, 0, record->epoll, &record->sink, noted, record);
}

static void read_notices(struct record *record)
{
	struct nursery_notice notice;

	while (nursery_next(record->nursery, &notice) == NURSERY_SPAWNED || notice.what == NURSERY_EXITED)
		if (notice.what == NURSERY_SPAWNED)
			evaluate_started(record->evaluate, &notice);
		else
			evaluate_exited(record->evaluate, notice.pid, notice.status);
}

static void turn(struct record *record)
{
	struct epoll_event event;

	if (epoll_wait(record->epoll, &event, 1, 2) == 1)
		evaluate_readable(record->evaluate);
	read_notices(record);
	if (clock_monotonic() >= evaluate_deadline(record->evaluate))
		evaluate_expire(record->evaluate);
}

/* Until nothing is due or under way. */
static void settle(struct record *record)
{
	int64_t end = clock_monotonic() + PATIENCE;

	while (evaluate_deadline(record->evaluate) != INT64_MAX) {
		assert_true(clock_monotonic() < end);
		turn(record);
	}
}

/* The next sample of the family that is sampled each second. */
static void sample(struct record *record)
{
	record->tick += S;
	evaluate_sampled(record->evaluate, 0, record->tick);
	settle(record);
}

/* … in its time. */
static void tick(struct record *record)
{
	int64_t next = clock_monotonic() + S, now;

	sample(record);
	now = clock_monotonic();
	skipped += next > now ? next - now : 0;
}

static void assert_words(const struct result *result, const char *words)
{
	assert_non_null(result->words);
	if (!strstr(result->words, words))
		fail_msg("\"%s\" is not in: %s", words, result->words);
	assert_true(isnan(result->value));
	assert_null(result->text);
}

#define AGGREGATE(name, rest) "aggregate \"" name "\" { of = 'cpu.usage', " rest " }\n"
#define FN(name, body) AGGREGATE(name, "fn = function(w) " body " end")
#define OTHERS FN("b", "return 2") FN("c", "return 3") FN("slow", "return 4")

/* --- what goes well ---------------------------------------------------------------------------------------------- */

static void the_window_goes_in_and_the_answer_comes_out(void **state)
{
	struct record *record = *state;

	evaluate(record, FN("a", "return w:avg() + w:max() * 10 + #w.values * 100 + w.times[3] * 1000 + w.unknown * 100000")
	                     FN("b", "return pindrop.get('cpu.usage')") FN("c", "return nil") FN("slow", "return 1"));
	tick(record);
	assert_true(record->results[A].value == 430363);
	assert_true(record->results[B].value == 12.5);
	assert_true(isnan(record->results[C].value));
	assert_null(record->results[C].words);
	assert_int_equal(record->results[SLOW].asked, 0);
}

static void what_is_known_is_put_into_words(void **state)
{
	struct record *record = *state;

	record->aggregates[A].formatted = record->aggregates[B].formatted = record->aggregates[C].formatted = true;
	record->aggregates[B].fn = PLAN_MAX;
	evaluate(record, AGGREGATE("a", "fn = function() return 3.5 end, format = function(v) return 'it is ' .. v end")
	                     AGGREGATE("b", "fn = 'max', format = function(v) return v .. ' it is' end")
	                         AGGREGATE("c", "fn = function() end, format = function(v) return 'it is ' .. v end"));
	tick(record);
	assert_true(record->results[A].value == 3.5);
	assert_string_equal(record->results[A].text, "it is 3.5");
	assert_string_equal(record->results[B].text, "7.25 it is");
	assert_null(record->results[C].text);
	assert_null(record->results[C].words);
	/* Of nothing, nothing. */
	record->value = NAN;
	tick(record);
	assert_null(record->results[B].text);
	assert_null(record->results[B].words);
	assert_true(isnan(record->results[B].value));
}

static void each_is_asked_once_a_second(void **state)
{
	struct record *record = *state;

	evaluate(record, FN("a", "return 1") OTHERS);
	for (int i = 0; i < 30; i++) {
		record->tick += 100 * MS;
		evaluate_sampled(record->evaluate, 0, record->tick);
		settle(record);
	}
	assert_int_equal(record->results[A].asked, 3);
	assert_int_equal(record->results[C].given, 3);
	for (int i = 0; i < 3; i++) {
		evaluate_sampled(record->evaluate, 1, record->tick + i * 10 * S);
		settle(record);
	}
	assert_int_equal(record->results[SLOW].given, 3);
	assert_int_equal(record->results[A].asked, 3);
	/* The clock is set back: its ticks are as good as others. */
	evaluate_sampled(record->evaluate, 0, 5 * S);
	settle(record);
	assert_int_equal(record->results[A].asked, 4);
}

static void nothing_is_asked_without_a_window(void **state)
{
	struct record *record = *state;

	record->blind = true;
	evaluate(record, FN("a", "return 1") OTHERS);
	tick(record);
	assert_int_equal(record->results[A].asked, 1);
	assert_int_equal(record->results[A].given, 0);
	record->sink.window = NULL;
	evaluate(record, FN("a", "return 1") OTHERS);
	tick(record);
	assert_int_equal(record->results[A].asked, 0);
}

static void what_is_due_is_forgotten_at_a_stop(void **state)
{
	struct record *record = *state;

	evaluate(record, FN("a", "return 1") OTHERS);
	evaluate_sampled(record->evaluate, 0, record->tick);
	evaluate_stop(record->evaluate);
	assert_true(evaluate_deadline(record->evaluate) == INT64_MAX);
	/* … and the first sample of the next start is not too early. */
	evaluate_sampled(record->evaluate, 0, record->tick);
	settle(record);
	assert_int_equal(record->results[A].given, 1);
}

/* --- what goes wrong --------------------------------------------------------------------------------------------- */

/* Asked at ticks 0, 1, 3, 7 …, up to a minute apart; the others at each. */
static void one_that_fails_is_left_alone(void **state)
{
	static const int at[] = {0, 1, 3, 7, 15, 31, 63, 123, 183};
	struct record *record = *state;
	size_t calls = 0;

	evaluate(record, "local n = 0 " FN("a", "n = n + 1 error('call ' .. n)") OTHERS);
	for (int i = 0; i < 190; i++) {
		char words[32];

		calls += calls < 9 && at[calls] == i;
		snprintf(words, sizeof(words), "pindrop.lua:1: call %zu", calls);
		tick(record);
		assert_words(&record->results[A], words);
		assert_int_equal(record->results[A].errors, calls);
		assert_int_equal(record->results[C].given, i + 1);
	}
}

static void once_well_it_is_as_before(void **state)
{
	struct record *record = *state;

	evaluate(record, "local n = 0 " FN("a", "n = n + 1 if n == 3 or n > 4 then error('no') end return n") OTHERS);
	for (int i = 0; i < 4; i++)
		tick(record);
	assert_true(record->results[A].value == 4);
	assert_null(record->results[A].words);
	assert_int_equal(record->results[A].errors, 1);
	tick(record);
	tick(record);
	assert_int_equal(record->results[A].errors, 3);
}

/* ThreadSanitizer holds a signal back until the C library is called. */
#ifdef __SANITIZE_THREAD__
#define LOOP " io.open('') "
#else
#define LOOP ""
#endif

/* A loop ends in the worker, whose state stays; what does not hear that takes the worker along, and nobody else. */
static void the_others_go_on(void **state)
{
	static const struct {
		const char *body, *words;
	} ways[] = {
		{"while true do" LOOP " end", "pindrop.lua:1: ran longer than"},
		{"string.rep('a', 40):find(string.rep('a*', 40) .. 'b')", ", so its process was ended"},
		{"os.execute('kill -KILL ' .. io.open('/proc/self/stat'):read('l'):match('%d+')) while true do end",
	     "its process was ended by signal 9 (Killed)"},
		{"local all = {} while true do all[#all + 1] = string.rep(string.rep('x', 1000), 4000 + #all) end",
	     "not enough memory"},
		{"return 'much'", "the text \"much\""},
	};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct record *record = *state;
		char *text =
			memory_format(FN("a", "%s") FN("b", "return 2") "local n = 0 " FN("c", "n = n + 1 return n"), ways[i].body);

		evaluate(record, text);
		sample(record);
		assert_words(&record->results[A], ways[i].words);
		assert_true(record->results[B].value == 2);
		assert_true(record->results[C].value == 1);
		record->results[A].asked = 0;
		/* The offender rests: this is too early. */
		sample(record);
		assert_true(record->results[A].asked == 0 && record->results[C].value == 2);
		forget(record);
		free(text);
	}
}

static void a_file_that_fails_is_told_of_each(void **state)
{
	struct record *record = *state;

	evaluate(record, "error('at once')");
	tick(record);
	assert_words(&record->results[A], "pindrop.lua:1: at once");
	assert_words(&record->results[C], "pindrop.lua:1: at once");
}

static void await_notice(struct record *record)
{
	struct pollfd told = {.fd = nursery_fd(record->nursery), .events = POLLIN};

	assert_int_equal(poll(&told, 1, PATIENCE / MS), 1);
}

/* The first is asked for, and waits for the worker. */
static void ask(struct record *record)
{
	record->tick += S;
	evaluate_sampled(record->evaluate, 0, record->tick);
	skipped += 100 * MS;
	evaluate_expire(record->evaluate);
	assert_int_equal(record->results[A].asked, 1);
	await_notice(record);
}

static void a_worker_is_started_while_other_things_are_done(void **state)
{
	struct record *record = *state;

	evaluate(record, FN("a", "return 1") OTHERS);
	ask(record);
	skipped += NURSERY_SPAWN_MAX - MS;
	read_notices(record);
	assert_true(evaluate_deadline(record->evaluate) > clock_monotonic() + NURSERY_SPAWN_MAX);
	settle(record);
	assert_true(record->results[A].value == 1 && record->results[C].value == 3);
	/* At a stop, and at an end, it is not wanted any more. */
	for (int i = 0; i < 2; i++) {
		evaluate(record, FN("a", "return 1") OTHERS);
		ask(record);
		if (i == 0)
			evaluate_stop(record->evaluate);
		else
			forget(record);
	}
}

static void a_worker_that_does_not_come_is_a_failure(void **state)
{
	struct record *record = *state;

	evaluate(record, FN("a", "return 1") OTHERS);
	ask(record);
	skipped += NURSERY_SPAWN_MAX;
	evaluate_expire(record->evaluate);
	assert_words(&record->results[A], "a process for it could not be started in 5 s");
	/* The others ask for one anew; that of before comes to nobody. */
	settle(record);
	assert_true(record->results[B].value == 2 && record->results[C].value == 3);
	assert_int_equal(record->results[A].asked, 1);
}

/* --- another plan ------------------------------------------------------------------------------------------------ */

static void the_same_lua_goes_on(void **state)
{
	struct record *record = *state;
	struct plan other;
	const char *text = "local n = 0 " FN("a", "n = n + 1 return n") FN("b", "error('no')") FN("c", "return 1");

	evaluate(record, text);
	tick(record);
	tick(record);
	assert_int_equal(record->results[B].errors, 2);
	other = plan_of(record, text, "1");
	evaluate_adopt(record->evaluate, &other);
	settle(record);
	/* At once, and also what was left alone. */
	assert_true(record->results[A].value == 3);
	assert_int_equal(record->results[B].errors, 3);
	other = plan_of(record, text, "2");
	evaluate_adopt(record->evaluate, &other);
	settle(record);
	assert_true(record->results[A].value == 1);
	forget(record);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		TEST(the_window_goes_in_and_the_answer_comes_out),
		TEST(what_is_known_is_put_into_words),
		TEST(each_is_asked_once_a_second),
		TEST(nothing_is_asked_without_a_window),
		TEST(what_is_due_is_forgotten_at_a_stop),
		TEST(one_that_fails_is_left_alone),
		TEST(once_well_it_is_as_before),
		TEST(the_others_go_on),
		TEST(a_file_that_fails_is_told_of_each),
		TEST(a_worker_is_started_while_other_things_are_done),
		TEST(a_worker_that_does_not_come_is_a_failure),
		TEST(the_same_lua_goes_on),
	};

	return cmocka_run_group_tests_name("evaluate", tests, NULL, NULL);
}
