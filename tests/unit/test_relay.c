/* links: agent/store/store.c agent/store/change.c agent/store/series.c agent/store/intake.c agent/store/journal.c agent/store/record.c
 * agent/store/recover.c agent/store/folder.c agent/store/aside.c agent/store/adapt.c agent/store/orphan.c
 * agent/store/ledger.c agent/metric/gap.c agent/store/timeline.c agent/store/relay.c agent/store/daemon.c agent/store/move.c agent/store/migrate.c
 * agent/store/room.c agent/store/purge.c agent/store/survey.c agent/store/rrd.c agent/store/guard.c agent/store/history.c
 * agent/store/layout.c agent/store/write_behind.c agent/config/plan.c agent/config/share.c agent/config/values.c agent/config/aggregate.c agent/config/collector.c
 * agent/config/options.c agent/metric/batch.c agent/base/text.c agent/base/memory.c agent/base/log.c
 * agent/base/boot.c agent/base/clock.c agent/base/error.c
 *
 * The store with a real rrdcached that holds what it gets for an hour, is killed, comes back, and fails to write. */
#include <fcntl.h>
#include <ftw.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "store/layout.h"
#include "store/rrd.h"
#include "store/store.h"

#define FIELDS 3
#define LETTERS 4

static const struct pindrop_field fields[FIELDS] = {
	{"level", PINDROP_GAUGE, "percent", 1, NULL, "…"},
	{"bytes", PINDROP_COUNTER, "bytes", 0, NULL, "…"},
	{"time", PINDROP_COUNTER, "seconds", 2, NULL, "…"},
};
static const struct pindrop_family tables[] = {
	{.name = "many.of", .fields = fields, .field_count = FIELDS, .instance = "letter"},
};
static struct plan_plugin plugin = {.interval = CLOCK_SECOND};
static const struct plan_family families[] = {{&tables[0], &plugin}};
static const struct plan_tier tiers[] = {{1, 600}, {10, 6000}};
/* Each case has its own: of one that fails, the store goes on. */
static struct plan plans[32], *plan = plans;
static const char *const letters[LETTERS] = {"a", "b b", "/c", "d"};

static int64_t begin; /* s: some minutes ago, so that all lies within the finest tier */
static char address[200], *socket_path;
static pid_t rrdcached;
static bool journalled; /* it has a journal of its own */
static unsigned seed;

/* --- the daemon ----------------------------------------------------------------------------------------------- */

static int call(void)
{
	struct sockaddr_un place = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(place.sun_path, socket_path);
	if (connect(fd, (const struct sockaddr *)&place, sizeof(place)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void pause_shortly(void)
{
	const struct timespec time = {.tv_nsec = 2 * CLOCK_MILLISECOND};

	nanosleep(&time, NULL);
}

/* Returns when it answers. `base`: it may write there only; NULL: everywhere. */
static void start_daemon(const char *base)
{
	char *pid_file = memory_format("%s/pid", plan->data_dir), *log_file = memory_format("%s/log", plan->data_dir);
	int64_t end = clock_monotonic() + 20 * CLOCK_SECOND;
	int fd;

	/* One that is killed at its very start leaves an empty one, and then none starts any more. */
	unlink(pid_file);
	rrdcached = fork();
	if (rrdcached == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(open(log_file, O_WRONLY | O_CREAT | O_APPEND, 0666), 2);
		execlp("rrdcached", "rrdcached", "-g", "-l", address, "-p", pid_file, "-w", "3600", "-f", "3600",
		       journalled ? "-j" : "-g", journalled ? plan->data_dir : "-g", base ? "-B" : "-g", base ? "-b" : "-g",
		       base, NULL);
		_exit(127);
	}
	while ((fd = call()) < 0) {
		if (clock_monotonic() > end || waitpid(rrdcached, NULL, WNOHANG) != 0)
			fail_msg("rrdcached does not start; see its log, %s", log_file);
		pause_shortly();
	}
	close(fd);
	free(pid_file);
	free(log_file);
}

static void end_daemon(int with)
{
	int status;

	if (rrdcached <= 0)
		return;
	kill(rrdcached, with);
	waitpid(rrdcached, &status, 0);
	rrdcached = 0;
}

/* One request past the agent. The first line of the answer is in `answer`. */
static const char *ask(const char *request)
{
	static char answer[4096];
	int fd = call();
	ssize_t length;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, request, strlen(request)), strlen(request));
	length = read(fd, answer, sizeof(answer) - 1);
	answer[length > 0 ? length : 0] = '\0';
	close(fd);
	return answer;
}

/* --- the store ------------------------------------------------------------------------------------------------ */

static int make_folder(void **state)
{
	static char folders[32][200], *folder = *folders;

	folder += sizeof(*folders);
	snprintf(folder, sizeof(*folders), "%s/pindrop-relay.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	*state = folder;
	begin = clock_wall() / CLOCK_SECOND / 10 * 10 - 500;
	plan++;
	*plan = (struct plan){.purge_after = 30 * 86400,
	                      .purge_max_size = 1000000000,
	                      .tier_count = 2,
	                      .tiers = tiers,
	                      .family_count = 1,
	                      .families = families};
	plan->data_dir = mkdtemp(folder);
	plan->flush = CLOCK_SECOND / 50;
	plan->journal_size = 4 << 20;
	snprintf(address, sizeof(address), "unix:%s/s", folder);
	socket_path = address + strlen("unix:");
	plan->rrdcached = address; /* the last one's is taken */
	return plan->data_dir ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *place)
{
	(void)status, (void)flag, (void)place;
	return remove(path);
}

static int remove_folder(void **state)
{
	end_daemon(SIGKILL);
	nftw(*state, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static struct store *open_store(void)
{
	struct error error = {""};
	struct store *store = store_open(plan, NULL, &error);

	if (!store)
		fail_msg("%s", error.text);
	return store;
}

static double level_at(size_t letter, int64_t second)
{
	return (double)((second * 7 + (int64_t)letter * 13) % 101);
}

static void append(struct store *store, int64_t second)
{
	struct batch batch = {0};

	batch_begin(&batch, 0, FIELDS, 0);
	for (size_t i = 0; i < LETTERS; i++) {
		static struct instance instances[LETTERS];
		double *values = batch_add(&batch, letters[i], NULL);

		instances[i] = (struct instance){.name = (char *)letters[i], .index = i};
		values[0] = level_at(i, second);
		values[1] = 1000.0 * (double)(second - begin) * (double)(i + 1);
		values[2] = 0.25 * (double)(second - begin);
		batch.rows[i].instance = &instances[i];
	}
	batch.tick = second * CLOCK_SECOND;
	batch.on_tick = true;
	store_append(store, &(struct batch *){&batch}, 1);
	batch_release(&batch);
}

/* The row of the finest tier that ended at `second`; NaN: unknown. */
static double row(struct store *store, size_t letter, size_t field, int64_t second)
{
	struct store_rows rows;
	struct error error = {""};
	double value = NAN;

	if (store_fetch(store, 0, letters[letter], field, STORE_AVERAGE, second - 1, second, &rows, &error) < 0)
		fail_msg("%s", error.text);
	if (rows.count == 1)
		value = rows.values[0];
	free(rows.values);
	return value;
}

/* Every sample of [from, to] is in the files, as itself. */
static void assert_all(struct store *store, int64_t from, int64_t to)
{
	for (size_t i = 0; i < LETTERS; i++)
		for (int64_t second = from; second <= to; second++) {
			double level = row(store, i, 0, second), rate = row(store, i, 1, second);

			if (!(fabs(level - level_at(i, second)) < 1e-9))
				fail_msg("\"%s\" at begin + %lld is %g instead of %g", letters[i], (long long)(second - begin), level,
				         level_at(i, second));
			if (second > from && !(fabs(rate - 1000.0 * (double)(i + 1)) < 1e-6))
				fail_msg("\"%s\" at begin + %lld has a rate of %g", letters[i], (long long)(second - begin), rate);
		}
}

/* Until so many samples have left the buffers. */
static void await_written(struct store *store, uint64_t count)
{
	int64_t end = clock_monotonic() + 20 * CLOCK_SECOND;
	struct store_status status;

	for (store_status(store, &status); status.written < count; store_status(store, &status)) {
		if (clock_monotonic() > end)
			fail_msg("%lu of %lu written; %s; %s", status.written, count, status.error, status.daemon_error);
		pause_shortly();
	}
}

static int64_t last_on_disk(size_t letter)
{
	char *path = store_path(plan, 0, letters[letter]);
	struct error error = {""};
	int64_t last = 0;

	assert_int_equal(file_last(path, &last, &error), 0);
	free(path);
	return last / CLOCK_SECOND - begin;
}

static char *held(size_t letter)
{
	char *path = store_path(plan, 0, letters[letter]), *request;

	/* A space is escaped. */
	request = strchr(path, ' ') ? memory_text("PING\n") : memory_format("PENDING %s\n", path);
	free(path);
	return request;
}

static void append_many(struct store *store, int64_t from, int64_t to)
{
	for (int64_t second = from; second <= to; second++)
		append(store, second);
}

/* --- cases ---------------------------------------------------------------------------------------------------- */

static void samples_go_through_the_daemon(void **state)
{
	struct store *store;
	char *request = held(0);

	(void)state;
	start_daemon(NULL);
	store = open_store();
	append_many(store, begin, begin + 199);
	await_written(store, 200 * LETTERS);
	assert_int_equal(atoi(ask(request)), 200);
	assert_int_equal(last_on_disk(0), -1);
	assert_all(store, begin, begin + 199);
	assert_int_equal(atoi(ask(request)), 0);
	free(request);
	store_close(store);
}

static void a_flush_reaches_the_files(void **state)
{
	struct store *store;

	(void)state;
	start_daemon(NULL);
	store = open_store();
	append_many(store, begin, begin + 9);
	store_flush(store);
	for (size_t i = 0; i < LETTERS; i++)
		assert_int_equal(last_on_disk(i), 9);
	append_many(store, begin + 10, begin + 19);
	store_close(store);
	for (size_t i = 0; i < LETTERS; i++)
		assert_int_equal(last_on_disk(i), 19);
}

static void what_a_killed_daemon_held_is_not_lost(void **state)
{
	struct store *store;

	(void)state;
	start_daemon(NULL);
	store = open_store();
	append_many(store, begin, begin + 99);
	await_written(store, 100 * LETTERS);
	end_daemon(SIGKILL);
	start_daemon(NULL);
	append_many(store, begin + 100, begin + 149);
	assert_all(store, begin, begin + 149);
	store_close(store);
}

static void what_a_killed_daemon_held_is_read_back_at_once(void **state)
{
	struct store *store;

	(void)state;
	plan->flush = 3600 * CLOCK_SECOND;
	start_daemon(NULL);
	store = open_store();
	append_many(store, begin, begin + 49);
	assert_all(store, begin, begin + 49);
	append_many(store, begin + 50, begin + 99);
	store_settle(store);
	end_daemon(SIGKILL);
	start_daemon(NULL);
	assert_all(store, begin, begin + 99);
	store_close(store);
}

static void samples_wait_while_the_daemon_is_away(void **state)
{
	struct store_status status;
	struct store *store;

	(void)state;
	start_daemon(NULL);
	store = open_store();
	append_many(store, begin, begin + 9);
	await_written(store, 10 * LETTERS);
	end_daemon(SIGKILL);
	append_many(store, begin + 10, begin + 19);
	do
		store_status(store, &status);
	while (!status.daemon_error[0]);
	assert_non_null(strstr(status.daemon_error, "cannot reach rrdcached at unix:/"));
	assert_non_null(strstr(status.daemon_error, "see store { rrdcached"));
	assert_string_equal(status.error, "");
	store_settle(store);
	store_status(store, &status);
	assert_int_equal(status.buffered, 10 * LETTERS);
	start_daemon(NULL);
	await_written(store, 20 * LETTERS);
	assert_all(store, begin, begin + 19);
	store_status(store, &status);
	assert_string_equal(status.error, "");
	assert_string_equal(status.daemon_error, "");
	assert_int_equal(status.dropped, 0);
	store_close(store);
}

static void without_a_daemon_the_agent_writes(void **state)
{
	struct store_status status;
	struct store *store = open_store();
	char *request = held(0);
	int64_t second = begin + 10;

	(void)state;
	append_many(store, begin, begin + 9);
	store_flush(store);
	assert_int_equal(last_on_disk(0), 9);
	store_status(store, &status);
	assert_string_equal(status.error, "");
	assert_non_null(strstr(status.daemon_error, "cannot reach rrdcached"));
	/* Once it is there, it gets them. */
	start_daemon(NULL);
	do {
		append(store, second++);
		await_written(store, (uint64_t)(second - begin) * LETTERS);
	} while (atoi(ask(request)) == 0);
	assert_true(second < begin + 400);
	assert_all(store, begin, second - 1);
	store_status(store, &status);
	assert_string_equal(status.daemon_error, "");
	free(request);
	store_close(store);
}

static void a_daemon_that_stays_away_is_done_without(void **state)
{
	struct store *store;

	(void)state;
	start_daemon(NULL);
	store = open_store();
	append_many(store, begin, begin + 9);
	await_written(store, 10 * LETTERS);
	end_daemon(SIGKILL);
	append_many(store, begin + 10, begin + 19);
	await_written(store, 20 * LETTERS); /* as many as the patience takes */
	assert_all(store, begin, begin + 19);
	store_close(store);
}

static void what_it_held_at_the_end_is_there_after_the_next_start(void **state)
{
	struct store *store;

	(void)state;
	start_daemon(NULL);
	store = open_store();
	append_many(store, begin, begin + 9);
	await_written(store, 10 * LETTERS);
	end_daemon(SIGKILL);
	store_close(store);
	store = open_store();
	assert_all(store, begin, begin + 9);
	store_close(store);
}

static void what_the_daemon_may_not_write_the_agent_does(void **state)
{
	struct store_status status;
	struct store *store;

	(void)state;
	start_daemon("/usr/share");
	store = open_store();
	append_many(store, begin, begin + 9);
	await_written(store, 10 * LETTERS);
	store_status(store, &status);
	assert_non_null(strstr(status.daemon_error, "Permission denied"));
	assert_string_equal(status.error, "");
	assert_all(store, begin, begin + 9);
	store_close(store);
}

/* Holds a file's lock, as a reader does; ends when told. */
static pid_t lock_file(const char *path)
{
	int ready[2];
	char byte;
	pid_t child;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
		int fd = open(path, O_RDONLY);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (fcntl(fd, F_SETLK, &lock) == 0)
			(void)!write(ready[1], "", 1);
		pause();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return child;
}

static void what_the_daemon_failed_to_write_is_written(void **state)
{
	char *path = store_path(plan, 0, "a"), *request = memory_format("FLUSH %s\n", path);
	struct store *store;
	pid_t child;

	(void)state;
	start_daemon(NULL);
	store = open_store();
	append_many(store, begin, begin + 9);
	await_written(store, 10 * LETTERS);
	child = lock_file(path);
	assert_int_equal(atoi(ask(request)), 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_int_equal(last_on_disk(0), -1); /* it said that it was written */
	assert_all(store, begin, begin + 9);
	free(request);
	free(path);
	store_close(store);
}

static void what_the_daemon_failed_to_write_in_between_is_written(void **state)
{
	char *path = store_path(plan, 0, "a"), *request = memory_format("FLUSH %s\n", path);
	struct store *store;
	pid_t child;

	(void)state;
	start_daemon(NULL);
	store = open_store();
	append_many(store, begin, begin + 9);
	await_written(store, 10 * LETTERS);
	child = lock_file(path);
	ask(request);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	append_many(store, begin + 10, begin + 19);
	await_written(store, 20 * LETTERS);
	ask(request);
	assert_int_equal(last_on_disk(0), 19);
	assert_all(store, begin, begin + 19);
	free(request);
	free(path);
	store_close(store);
}

static void samples_of_others_are_no_end(void **state)
{
	char *path = store_path(plan, 0, "a"),
		 *request = memory_format("UPDATE %s %lld:1:1:1\n", path, (long long)begin + 11);
	struct store_status status;
	struct store *store;

	(void)state;
	start_daemon(NULL);
	store = open_store();
	append_many(store, begin, begin + 9);
	await_written(store, 10 * LETTERS);
	assert_int_equal(atoi(ask(request)), 0);
	append_many(store, begin + 10, begin + 19);
	await_written(store, 20 * LETTERS - 2); /* two came too late */
	store_flush(store);
	store_status(store, &status);
	assert_string_equal(status.error, "");
	assert_int_equal(status.buffered, 0);
	assert_int_equal(status.dropped, 2);
	assert_true(row(store, 0, 0, begin + 19) == level_at(0, begin + 19));
	free(request);
	free(path);
	store_close(store);
}

static void a_clock_that_is_set_back_is_followed(void **state)
{
	struct store *store;

	(void)state;
	start_daemon(NULL);
	store = open_store();
	append_many(store, begin + 100, begin + 149);
	await_written(store, 50 * LETTERS);
	append_many(store, begin + 50, begin + 79);
	await_written(store, 80 * LETTERS);
	assert_all(store, begin + 50, begin + 79);
	end_daemon(SIGKILL);
	start_daemon(NULL);
	append_many(store, begin + 80, begin + 89);
	assert_all(store, begin + 50, begin + 89);
	store_close(store);
}

static void checkpoints_wait_for_the_files(void **state)
{
	struct store_status status;
	struct store *store;

	(void)state;
	plan->journal_size = 64 << 10;
	start_daemon(NULL);
	store = open_store();
	for (int64_t second = begin; second < begin + 450; second += 10) {
		append_many(store, second, second + 9);
		await_written(store, (uint64_t)(second + 10 - begin) * LETTERS);
		if ((second - begin) % 50 == 0) {
			end_daemon(SIGKILL);
			start_daemon(NULL);
		}
	}
	assert_all(store, begin, begin + 449);
	store_status(store, &status);
	assert_true(status.checkpoints > 1);
	store_close(store);
}

/* Also where it is away for longer than the journal has room. */
static void a_journal_that_is_full_waits_for_nobody(void **state)
{
	struct store *store;
	uint64_t written;

	(void)state;
	plan->journal_size = 64 << 10;
	start_daemon(NULL);
	store = open_store();
	append_many(store, begin, begin + 49);
	await_written(store, 50 * LETTERS);
	end_daemon(SIGKILL);
	for (written = 50; written < 450; written += 10) {
		append_many(store, begin + (int64_t)written, begin + (int64_t)written + 9);
		store_flush(store);
	}
	assert_all(store, begin, begin + 449);
	store_close(store);
}

static void failed_checkpoints_cost_no_room(void **state)
{
	struct store_status status;
	struct store *store;

	(void)state;
	plan->journal_size = 128 << 10;
	start_daemon(NULL);
	store = open_store();
	append_many(store, begin, begin + 199);
	await_written(store, 200 * LETTERS);
	end_daemon(SIGKILL);
	append_many(store, begin + 200, begin + 349);
	for (int i = 0; i < 50; i++)
		store_flush(store);
	store_status(store, &status);
	assert_true(2 * status.journal_live > status.journal_size); /* one is due … */
	assert_true(4 * status.journal_live < 3 * status.journal_size);
	assert_int_equal(status.buffered, 150 * LETTERS); /* … and samples wait */
	start_daemon(NULL);
	assert_all(store, begin, begin + 349);
	store_close(store);
}

static int chance(int of)
{
	return rand_r(&seed) % of;
}

/* Everything that can happen, in any order. */
static void whatever_happens_nothing_is_lost(void **state)
{
	struct store *store;
	int64_t second = begin;

	(void)state;
	seed = getenv("SEED") ? (unsigned)atoi(getenv("SEED")) : (unsigned)clock_wall();
	print_message("# SEED=%u\n", seed);
	plan->journal_size = 128 << 10;
	journalled = chance(2);
	start_daemon(NULL);
	store = open_store();
	for (int step = 0; step < 400 && second < begin + 480; step++) {
		switch (chance(16)) {
		case 0:
			end_daemon(chance(2) ? SIGKILL : SIGTERM);
			break;
		case 1:
			end_daemon(SIGKILL);
			/* fallthrough */
		case 2:
		case 3:
			if (rrdcached == 0)
				start_daemon(NULL);
			break;
		case 4:
			store_flush(store);
			break;
		case 5:
			store_close(store);
			store = open_store();
			break;
		case 6:
		case 7:
			row(store, (size_t)chance(LETTERS), 0, second);
			break;
		case 8:
			pause_shortly();
			break;
		default:
			append(store, second++);
		}
	}
	if (rrdcached == 0)
		start_daemon(NULL);
	assert_all(store, begin, second - 1);
	store_close(store);
	journalled = false;
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
	const struct CMUnitTest tests[] = {
		CASE(samples_go_through_the_daemon),
		CASE(a_flush_reaches_the_files),
		CASE(what_a_killed_daemon_held_is_not_lost),
		CASE(what_a_killed_daemon_held_is_read_back_at_once),
		CASE(samples_wait_while_the_daemon_is_away),
		CASE(without_a_daemon_the_agent_writes),
		CASE(a_daemon_that_stays_away_is_done_without),
		CASE(what_it_held_at_the_end_is_there_after_the_next_start),
		CASE(what_the_daemon_may_not_write_the_agent_does),
		CASE(what_the_daemon_failed_to_write_is_written),
		CASE(what_the_daemon_failed_to_write_in_between_is_written),
		CASE(samples_of_others_are_no_end),
		CASE(a_clock_that_is_set_back_is_followed),
		CASE(checkpoints_wait_for_the_files),
		CASE(a_journal_that_is_full_waits_for_nobody),
		CASE(failed_checkpoints_cost_no_room),
		CASE(whatever_happens_nothing_is_lost),
	};

	cmocka_set_test_filter(getenv("ONLY"));
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
