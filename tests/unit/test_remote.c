/* links: agent/collect/remote.c agent/collect/link.c agent/collect/serve_script.c agent/collect/wire.c
 * agent/script/command.c agent/base/command.c agent/script/declare.c agent/script/library.c agent/script/modules.c agent/script/run.c agent/script/state.c agent/script/trace.c agent/script/window.c agent/config/share.c agent/worker/nursery.c agent/worker/message.c agent/metric/batch.c
 * agent/base/text.c agent/base/memory.c agent/base/log.c agent/base/error.c
 *
 * Collectors in Lua, in real workers, on a clock that the test may set forward: pauses cost no time. */
#include <time.h>

static int faked_gettime(clockid_t id, struct timespec *now);
#define clock_gettime faked_gettime
#include "../../agent/base/clock.c"
#undef clock_gettime

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "collect/collect.h"
#include "collect/remote.h"
#include "collect/wire.h"
#include "script/script.h"

#define S CLOCK_SECOND
#define MS CLOCK_MILLISECOND
#define PATIENCE (20 * S)

/* --- a clock ----------------------------------------------------------------------------------------------------- */

static int64_t skipped;

static int faked_gettime(clockid_t id, struct timespec *now)
{
	int failed = clock_gettime(id, now);
	int64_t time = (int64_t)now->tv_sec * S + now->tv_nsec + skipped;

	*now = (struct timespec){time / S, time % S};
	return failed;
}

/* --- workers that are no pindrop's ------------------------------------------------------------------------------- */

static void await_question(int socket)
{
	struct message message = {0};

	for (int i = 0; i < 2; i++)
		message_receive(socket, &message, -1);
	message_release(&message);
}

static int babble(int socket, struct worker_page *page)
{
	struct message message = {0};

	(void)page;
	await_question(socket);
	message_put_text(&message, "good morning");
	message_send(socket, &message, -1);
	pause();
	return 0;
}

/* Asks and asks, and does not listen. */
static int pester(int socket, struct worker_page *page)
{
	struct message message = {0};

	(void)page;
	await_question(socket);
	wire_put_kind(&message, WIRE_ASK);
	wire_put_ask(&message, "cpu.usage", "");
	while (message_send(socket, &message, -1) == 0)
		continue;
	return 0;
}

/* Takes no question. */
static int ignore(int socket, struct worker_page *page)
{
	(void)socket, (void)page;
	pause();
	return 0;
}

enum { SCRIPT, BABBLE, PESTER, IGNORE, KINDS };
static const struct worker_kind babble_kind = {"babble", babble, 0}, pester_kind = {"pester", pester, 0},
								ignore_kind = {"ignore", ignore, 0};
static const struct worker_kind *const kinds[KINDS] = {&script_worker_kind, &babble_kind, &pester_kind, &ignore_kind};

/* --- a collector ------------------------------------------------------------------------------------------------- */

/* What was told last. */
struct told {
	size_t family;
	bool good, on_tick;
	int64_t tick;
	enum gap_reason reason;
	char words[600];
};

struct record {
	struct nursery *nursery;
	struct pindrop_field fields[2];
	struct pindrop_family family, other;
	struct pindrop_plugin table;
	struct plan_plugin plugin;
	struct plan_family families[2];
	struct plan plan;
	struct remote *remote;
	int epoll;
	int64_t tick;
	size_t spawned, exited; /* workers that the nursery has told of */

	struct told told;
	size_t told_count;
	struct batch batch;
};

static void take(void *context, size_t family, struct batch *batch, const struct remote_lost *lost)
{
	struct record *record = context;
	struct told *told = &record->told;

	record->told_count++;
	*told = (struct told){.family = family, .good = batch != NULL};
	if (batch) {
		batch_copy(&record->batch, batch);
		told->on_tick = batch->on_tick;
		told->tick = batch->tick;
	} else {
		told->on_tick = lost->on_tick;
		told->tick = lost->tick;
		told->reason = lost->reason;
		snprintf(told->words, sizeof(told->words), "%s", lost->error->text);
	}
}

static int get(void *context, const char *metric, const char *instance, double *value, struct error *error)
{
	(void)context;
	if (strcmp(metric, "cpu.usage") != 0)
		return error_set(error, "there is no metric \"%s\"", metric);
	*value = strcmp(instance, "") == 0 ? 12.5 : NAN;
	return 0;
}

static int start(void **state)
{
	struct record *record = memory_alloc(sizeof(*record));
	struct epoll_event event = {.events = EPOLLIN};
	struct error error = {""};

	skipped = 0;
	record->nursery = nursery_start(kinds, KINDS, &error);
	record->epoll = epoll_create1(EPOLL_CLOEXEC);
	*state = record;
	return record->nursery && epoll_ctl(record->epoll, EPOLL_CTL_ADD, nursery_fd(record->nursery), &event) == 0 ? 0
	                                                                                                            : -1;
}

static int stop(void **state)
{
	struct record *record = *state;

	if (record->remote)
		remote_free(record->remote);
	nursery_stop(record->nursery);
	close(record->epoll);
	batch_release(&record->batch);
	free(record);
	return 0;
}

/* Makes the collector "queue" with fields depth and age, sampled by the Lua function body. */
static void collect_by_kind(struct record *record, size_t kind, bool instances, const char *text)
{
	const struct remote_means means = {.nursery = record->nursery,
	                                   .script_kind = kind,
	                                   .epoll = record->epoll,
	                                   .told = take,
	                                   .context = record,
	                                   .get = get,
	                                   .get_context = record};

	record->fields[0] = (struct pindrop_field){.name = "age", .kind = PINDROP_GAUGE};
	record->fields[1] = (struct pindrop_field){.name = "depth", .kind = PINDROP_COUNTER};
	record->family = (struct pindrop_family){.name = "queue",
	                                         .instance = instances ? "instance" : NULL,
	                                         .fields = record->fields,
	                                         .field_count = 2};
	record->table = (struct pindrop_plugin){.name = "queue", .families = &record->family, .family_count = 1};
	record->plugin = (struct plan_plugin){.name = "queue",
	                                      .table = &record->table,
	                                      .interval = S,
	                                      .collector = true,
	                                      .timeout = 300 * MS,
	                                      .memory = 16000000};
	record->families[0] = (struct plan_family){&record->family, &record->plugin};
	record->plan = (struct plan){.file = "pindrop.lua",
	                             .root = "",
	                             .plugin_count = 1,
	                             .plugins = &record->plugin,
	                             .family_count = 1,
	                             .families = record->families,
	                             .script = text};
	record->tick = 1000 * S;
	record->remote = remote_new(&record->plan, &record->plugin, &means);
}

#define SCRIPT_OF(body)                                                                                          \
	"collector \"queue\" { metrics = { depth = { kind = \"counter\" }, age = {} },\n sample = function()\n" body \
	"\nend }"

static void collect(struct record *record, const char *text)
{
	collect_by_kind(record, SCRIPT, false, text);
}

static void read_notices(struct record *record)
{
	struct nursery_notice notice;

	while (nursery_next(record->nursery, &notice) == NURSERY_SPAWNED || notice.what == NURSERY_EXITED)
		if (notice.what == NURSERY_SPAWNED) {
			record->spawned++;
			remote_started(record->remote, &notice);
		} else {
			record->exited++;
			remote_exited(record->remote, notice.pid, notice.status);
		}
}

static void turn(struct record *record)
{
	struct epoll_event event;
	int64_t left = remote_deadline(record->remote) - clock_monotonic();

	if (left > 10 * MS)
		left = 10 * MS;
	if (epoll_wait(record->epoll, &event, 1, left <= 0 ? 0 : (int)(left / MS)) == 1 && event.data.ptr)
		remote_readable(record->remote);
	read_notices(record);
	if (clock_monotonic() >= remote_deadline(record->remote))
		remote_expire(record->remote);
}

/* Until the nursery has something to tell. */
static void await_notice(struct record *record)
{
	struct epoll_event event;

	assert_int_equal(epoll_wait(record->epoll, &event, 1, PATIENCE / MS), 1);
	assert_null(event.data.ptr);
}

/* Waits until more is told. */
static void await_told(struct record *record, size_t count)
{
	int64_t end = clock_monotonic() + PATIENCE;

	while (record->told_count == count) {
		assert_true(clock_monotonic() < end);
		turn(record);
	}
}

/* The next tick: what is told of it. */
static const struct told *tick(struct record *record)
{
	int64_t next = clock_monotonic() + S, now;
	size_t count = record->told_count;

	record->tick += S;
	assert_true(remote_ask(record->remote, 0, record->tick, true));
	await_told(record, count);
	assert_true(record->told.on_tick);
	assert_true(record->told.tick == record->tick);
	now = clock_monotonic();
	skipped += next > now ? next - now : 0;
	return &record->told;
}

static double value(const struct record *record, size_t row, size_t field)
{
	assert_true(row < record->batch.row_count);
	return batch_values(&record->batch, row)[field];
}

static void assert_words(const struct told *told, const char *words)
{
	assert_false(told->good);
	if (!strstr(told->words, words))
		fail_msg("\"%s\" is not in: %s", words, told->words);
}

/* --- what goes well ---------------------------------------------------------------------------------------------- */

static void a_function_is_sampled_and_keeps_its_state(void **state)
{
	struct record *record = *state;

	collect(record, "local n = 0 " SCRIPT_OF("n = n + 1 return { depth = n }"));
	for (int i = 1; i <= 3; i++) {
		assert_true(tick(record)->good);
		assert_int_equal(record->batch.row_count, 1);
		assert_string_equal(batch_name(&record->batch, 0), "");
		assert_true(isnan(value(record, 0, 0)));
		assert_true(value(record, 0, 1) == i);
	}
}

static int by_name(const struct record *record, const char *name)
{
	for (size_t i = 0; i < record->batch.row_count; i++)
		if (strcmp(batch_name(&record->batch, i), name) == 0)
			return (int)i;
	return -1;
}

static void instances_are_rows(void **state)
{
	struct record *record = *state;
	int in, out;

	collect_by_kind(record, SCRIPT, true,
	                SCRIPT_OF("return { [\"in\"] = { depth = 1, age = 2 }, [\"out/1\"] = { age = 3 } }"));
	assert_true(tick(record)->good);
	assert_int_equal(record->batch.row_count, 2);
	in = by_name(record, "in");
	out = by_name(record, "out/1");
	assert_true(in >= 0 && out >= 0);
	assert_true(value(record, (size_t)in, 0) == 2 && value(record, (size_t)in, 1) == 1);
	assert_true(value(record, (size_t)out, 0) == 3 && isnan(value(record, (size_t)out, 1)));
}

static void it_asks_for_metrics_while_it_works(void **state)
{
	struct record *record = *state;

	collect(record, SCRIPT_OF("for i = 1, 100 do pindrop.get('cpu.usage') end\n"
	                          "local good, words = pcall(pindrop.get, 'no.such')\n"
	                          "return { age = pindrop.get('cpu.usage'),"
	                          " depth = not good and words:find('there is no metric \"no.such\"', 1, true) and 7 }"));
	assert_true(tick(record)->good);
	assert_true(value(record, 0, 0) == 12.5);
	assert_true(value(record, 0, 1) == 7);
}

/* Whoever asks does not wait for a process to be forked; nor does what is asked run out of time meanwhile. */
static void a_worker_is_started_while_other_things_are_done(void **state)
{
	struct record *record = *state;

	collect(record, SCRIPT_OF("return { depth = 1 }"));
	assert_true(remote_ask(record->remote, 0, 5 * S, true));
	assert_true(remote_deadline(record->remote) <= clock_monotonic() + NURSERY_SPAWN_MAX);
	await_notice(record);
	skipped += NURSERY_SPAWN_MAX - MS;
	read_notices(record);
	assert_true(remote_deadline(record->remote) > clock_monotonic() + NURSERY_SPAWN_MAX);
	await_told(record, 0);
	assert_true(record->told.good && record->told.tick == 5 * S);
	assert_true(record->batch.clock > clock_monotonic() - NURSERY_SPAWN_MAX + MS);
	remote_stop(record->remote);
	assert_true(remote_ask(record->remote, 0, 6 * S, true));
	remote_stop(record->remote);
	assert_int_equal(record->told_count, 2);
	assert_int_equal(record->told.reason, GAP_STOPPED);
	assert_true(remote_deadline(record->remote) == INT64_MAX);
	/* The worker that is not wanted any more comes to nobody, and is ended, as the one before. */
	while (record->exited < 2) {
		await_notice(record);
		read_notices(record);
	}
	assert_int_equal(record->spawned, 1);
	assert_int_equal(record->told_count, 2);
	assert_true(tick(record)->good);
}

static void a_worker_that_does_not_come_is_a_failure(void **state)
{
	struct record *record = *state;

	collect(record, SCRIPT_OF("return { depth = 1 }"));
	assert_true(remote_ask(record->remote, 0, 5 * S, true));
	await_notice(record);
	skipped += NURSERY_SPAWN_MAX;
	remote_expire(record->remote);
	assert_words(&record->told, "a process for it could not be started in 5 s");
	assert_int_equal(record->told.reason, GAP_ERROR);
	/* It comes now: too late. And for its interval the collector rests. */
	read_notices(record);
	assert_true(remote_ask(record->remote, 0, 6 * S, true));
	assert_int_equal(record->told_count, 2);
	skipped += S;
	assert_true(tick(record)->good);
}

static void a_worker_that_cannot_be_started_is_a_failure(void **state)
{
	struct record *record = *state;
	/* No descriptor is free below 3, and poll(2), which refuses more than the limit, still takes the nursery's two. */
	const struct rlimit none = {.rlim_cur = 3, .rlim_max = 1000};
	pid_t nursery;

#ifdef __SANITIZE_THREAD__
	/* It cannot be without descriptors itself. */
	skip();
#endif
	collect(record, SCRIPT_OF("local stat = io.open('/proc/self/stat'):read('a')\n"
	                          "return { depth = stat:match('%) %a (%d+)') + 0 }"));
	assert_true(tick(record)->good);
	nursery = (pid_t)value(record, 0, 1);
	remote_stop(record->remote);
	while (epoll_wait(record->epoll, &(struct epoll_event){0}, 1, 20000) != 1)
		continue;
	assert_int_equal(prlimit(nursery, RLIMIT_NOFILE, &none, NULL), 0);
	assert_words(tick(record), "cannot start a worker: Too many open files");
	assert_int_equal(kill(nursery, SIGKILL), 0);
	skipped += 10 * S;
	assert_words(tick(record), "the process that starts workers has ended; restart pindrop");
	skipped += 10 * S;
	assert_words(tick(record), "the process that starts workers has ended; restart pindrop");
}

/* What the file does by itself has its own time, and is done once. */
static void the_file_has_time_of_its_own(void **state)
{
	struct record *record = *state;

	collect(record, "local till = os.clock() + 0.5 while os.clock() < till do end " SCRIPT_OF("return { depth = 1 }"));
	assert_true(tick(record)->good);
	assert_true(record->batch.duration < 100 * MS);
	assert_true(tick(record)->good);
}

/* More than fits into a socket goes in parts, as the worker takes it. */
static void a_long_file_is_sent(void **state)
{
	struct record *record = *state;
	size_t length = 8000000;
	char *text = memory_alloc(length + 200);

	memset(text, ' ', length);
	strcpy(text + length, SCRIPT_OF("return { depth = 1 }"));
	collect(record, text);
	assert_true(tick(record)->good);
	free(text);
}

/* --- what goes wrong --------------------------------------------------------------------------------------------- */

/* ThreadSanitizer holds a signal back until the C library is called. */
#ifdef __SANITIZE_THREAD__
#define LOOP " io.open('') "
#define PLACE "has not answered for"
#else
#define LOOP ""
#define PLACE "pindrop.lua:4: ran longer than"
#endif

static void errors_come_as_words(void **state)
{
	struct record *record = *state;

	collect(record, SCRIPT_OF("error('boom')"));
	assert_words(tick(record), "pindrop.lua:3: boom");
	assert_int_equal(record->told.reason, GAP_ERROR);
	remote_free(record->remote);
	collect(record, SCRIPT_OF("return 5"));
	assert_words(tick(record), "pindrop.lua:2: sample returned the number 5");
	remote_free(record->remote);
	collect(record, "error('at once')");
	assert_words(tick(record), "pindrop.lua:1: at once");
	remote_free(record->remote);
	collect(record, "collector 'other' {}");
	assert_words(tick(record), "queue");
}

/* Asked at ticks 0, 1, 3, 7 …: it rests for one interval, two, four, up to a minute. A pause has the words of its error. */
static void one_that_fails_is_left_alone(void **state)
{
	static const int asked[] = {0, 1, 3, 7, 15, 31, 63, 123, 183};
	struct record *record = *state;
	int calls = 0;

	collect(record, "local n = 0 " SCRIPT_OF("n = n + 1 error('call ' .. n)"));
	for (int i = 0; i < 190; i++) {
		char words[32];

		calls += calls < 9 && asked[calls] == i;
		snprintf(words, sizeof(words), "call %d", calls);
		assert_words(tick(record), words);
		assert_int_equal(record->told.reason, GAP_ERROR);
	}
}

static void a_good_sample_ends_that(void **state)
{
	struct record *record = *state;

	collect(record,
	        "local n = 0 " SCRIPT_OF("n = n + 1 if n % 3 > 0 then error('call ' .. n) end return { depth = n }"));
	assert_words(tick(record), "call 1");
	assert_words(tick(record), "call 2");
	assert_words(tick(record), "call 2");
	assert_true(tick(record)->good);
	assert_words(tick(record), "call 4");
	assert_words(tick(record), "call 5");
	assert_words(tick(record), "call 5");
	assert_true(tick(record)->good);
}

static void forgiven_it_is_asked_at_once(void **state)
{
	struct record *record = *state;

	collect(record, "local n = 0 " SCRIPT_OF("n = n + 1 error('call ' .. n)"));
	tick(record);
	tick(record);
	assert_words(tick(record), "call 2");
	remote_forgive(record->remote);
	assert_words(tick(record), "call 3");
	assert_words(tick(record), "call 4");
	assert_words(tick(record), "call 4");
	remote_stop(record->remote);
	assert_words(tick(record), "call 1");
}

/* A loop ends in the worker, which goes on; what does not hear that ends with its process. */
static void one_that_hangs_is_ended(void **state)
{
	struct record *record = *state;
	int64_t began;

	collect(record, "local n = 0 " SCRIPT_OF("n = n + 1 while n == 1 do" LOOP " end return { depth = n }"));
	assert_words(tick(record), "pindrop.lua:3: ran longer than");
	assert_int_equal(record->told.reason, GAP_ERROR);
	assert_true(tick(record)->good);
	assert_true(value(record, 0, 1) == 2);
	remote_free(record->remote);
	collect(record, "local n = 0 " SCRIPT_OF("n = n + 1\n string.rep('a', 40):find(string.rep('a*', 40) .. 'b')"));
	began = clock_monotonic();
	assert_words(tick(record), PLACE);
	/* The time that the file has does not count any more: it has been run. The tick takes a second. */
	assert_true(clock_monotonic() - began < 4 * S);
	assert_words(&record->told, ", so its process was ended");
	assert_int_equal(record->told.reason, GAP_TIMEOUT);
	assert_words(tick(record), ", so its process was ended");
}

/* While its worker is at it, a second question is none. */
static void the_next_tick_comes_too_early(void **state)
{
	struct record *record = *state;

	collect(record, SCRIPT_OF("while true do end"));
	assert_true(remote_ask(record->remote, 0, 5 * S, true));
	assert_false(remote_ask(record->remote, 0, 6 * S, true));
	await_told(record, 0);
	assert_true(record->told.tick == 5 * S);
}

static pid_t worker_of(struct record *record)
{
	assert_true(tick(record)->good);
	return (pid_t)value(record, 0, 1);
}

/* A worker that ends while it is idle is told off a tick, and costs none. */
static void a_killed_worker_is_replaced(void **state)
{
	struct record *record = *state;
	size_t count;
	pid_t pid;

	collect(record,
	        SCRIPT_OF("for line in io.lines('/proc/self/stat') do return { depth = line:match('%d+') + 0 } end"));
	pid = worker_of(record);
	assert_int_equal(worker_of(record), pid);
	count = record->told_count;
	kill(pid, SIGKILL);
	await_told(record, count);
	assert_words(&record->told, "its process was ended by signal 9 (Killed)");
	assert_false(record->told.on_tick);
	skipped += S;
	assert_int_not_equal(worker_of(record), pid);
}

static void a_worker_that_dies_at_work_is_told(void **state)
{
	struct record *record = *state;

	collect(record, "local file = io.open('/proc/self/stat') local pid = file:read('l'):match('%d+')\n" SCRIPT_OF(
						"os.execute('kill -KILL ' .. pid) while true do end"));
	assert_words(tick(record), "its process was ended by signal 9");
	assert_int_equal(record->told.reason, GAP_ERROR);
}

/* Its Lua state is full: only a new one is of use. */
static void what_eats_memory_begins_anew(void **state)
{
	struct record *record = *state;

	collect(record, "local n, all = 0, {} " SCRIPT_OF(
						"n = n + 1 if n < 3 then return { depth = n } end\n"
						"while true do all[#all + 1] = string.rep(string.rep('x', 1000), 4000 + #all) end"));
	record->plugin.timeout = 5 * S;
	tick(record);
	tick(record);
	assert_words(tick(record), "not enough memory");
	assert_true(tick(record)->good);
	assert_true(value(record, 0, 1) == 1);
}

static void a_worker_without_its_mind_is_ended(void **state)
{
	struct record *record = *state;

	collect_by_kind(record, BABBLE, false, "");
	assert_words(tick(record), "its process gave an answer that is none");
	remote_free(record->remote);
	collect_by_kind(record, PESTER, false, "");
	assert_words(tick(record), "its process gave an answer that is none");
}

/* The sampler must not wait for one that takes no question, however long that is. */
static void nobody_waits_for_one_that_does_not_read(void **state)
{
	struct record *record = *state;
	size_t length = 8000000;
	char *text = memory_alloc(length + 1);
	int64_t began;

	memset(text, ' ', length);
	collect_by_kind(record, IGNORE, false, text);
	began = clock_monotonic();
	assert_true(remote_ask(record->remote, 0, S, true));
	await_notice(record);
	read_notices(record);
	assert_true(clock_monotonic() - began < S);
	skipped += 6 * S;
	await_told(record, 0);
	assert_words(&record->told, "has not answered for 5.5 s, so its process was ended");
	free(text);
}

/* --- another plan ------------------------------------------------------------------------------------------------ */

/* What is asked now is answered under the new plan; the state stays. */
static void it_goes_on_under_another_plan(void **state)
{
	struct record *record = *state;
	struct plan_plugin plugin;
	struct plan_family families[2];
	struct plan plan;

	collect(record, "local n = 0 " SCRIPT_OF("n = n + 1 return { depth = n }"));
	tick(record);
	plan = record->plan;
	plugin = record->plugin;
	record->other = (struct pindrop_family){.name = "other", .fields = record->fields, .field_count = 1};
	families[0] = (struct plan_family){&record->other, &plugin};
	families[1] = (struct plan_family){&record->family, &plugin};
	plan.families = families;
	plan.family_count = 2;
	plan.plugins = &plugin;
	assert_true(remote_ask(record->remote, 0, 5 * S, true));
	remote_adopt(record->remote, &plan, &plugin);
	await_told(record, 1);
	assert_true(record->told.good);
	assert_int_equal(record->told.family, 1);
	assert_int_equal(record->batch.family, 1);
	assert_true(value(record, 0, 1) == 2);
	remote_free(record->remote);
	record->remote = NULL;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		TEST(a_function_is_sampled_and_keeps_its_state),
		TEST(instances_are_rows),
		TEST(it_asks_for_metrics_while_it_works),
		TEST(a_worker_is_started_while_other_things_are_done),
		TEST(a_worker_that_does_not_come_is_a_failure),
		TEST(a_worker_that_cannot_be_started_is_a_failure),
		TEST(the_file_has_time_of_its_own),
		TEST(a_long_file_is_sent),
		TEST(errors_come_as_words),
		TEST(one_that_fails_is_left_alone),
		TEST(a_good_sample_ends_that),
		TEST(forgiven_it_is_asked_at_once),
		TEST(one_that_hangs_is_ended),
		TEST(the_next_tick_comes_too_early),
		TEST(a_killed_worker_is_replaced),
		TEST(a_worker_that_dies_at_work_is_told),
		TEST(what_eats_memory_begins_anew),
		TEST(a_worker_without_its_mind_is_ended),
		TEST(nobody_waits_for_one_that_does_not_read),
		TEST(it_goes_on_under_another_plan),
	};

	return cmocka_run_group_tests_name("remote", tests, NULL, NULL);
}
