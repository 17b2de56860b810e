/* store/relay.c: files that rrdcached writes.
 *
 * The daemon has samples in its memory for as long as it likes. When it is killed they are gone, and it may fail to write
 * them and say nothing. They are all in the journal, and so is the header of each file from before it was written to, as
 * always (recover.c). What is needed beyond that:
 *
 *     settled     a file is settled when its last update is the last sample that was sent, and no row is missing: looked
 *                 up in the file, after the daemon was asked to write it. Readers settle a file, checkpoints and
 *                 flushes settle all
 *     broken      the connection has ended, or a file could not be settled, while samples were on their way: until the
 *                 files are made whole from the journal, new samples wait
 *     unknown     over a new connection nobody knows what the daemon holds of a file, from whomever: it is asked to
 *                 write it and to forget it before the file is looked at and the first sample is sent
 *
 * While there is no daemon, and nothing of ours is with one, files are written to as if there were none. One that ends
 * may still be writing: so after a break it is waited for, for some time, before the files are made whole without it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/daemon.h"
#include "store/inside.h"
#include "store/rrd.h"

/* How long samples wait for a daemon that has ended. */
#define AWAY_PATIENCE (15 * CLOCK_SECOND)

/* How long a file may take to show what the daemon says to have written; and how often it is looked at. */
#define SETTLE_PATIENCE (5 * CLOCK_SECOND)
#define SETTLE_PAUSE (5 * CLOCK_MILLISECOND)

/* A daemon that has not answered for so long is told at /health. */
#define ANSWER_PATIENCE (5 * CLOCK_SECOND)

struct relay {
	struct daemon *daemon;
	uint64_t connection; /* writing: its number; 0: there is none */
	bool working;        /* writing: the last attempt to connect went well, as told in the log */
	bool whole;          /* writing: the files are made whole right now: they are written to by us */
	bool broken;         /* writing */
	bool failed;         /* writing: the files could not be made whole, for reasons of their own */
	int64_t away;        /* writing: since when there is no daemon: monotonic, ns */
	int64_t asking;      /* lock: since when it is waited for: monotonic, ns; 0: it is not */
	struct error words;  /* lock: what is wrong; "" */
};

void relay_begin(struct store *store)
{
	if (!store->plan->rrdcached)
		return;
	store->relay = memory_alloc(sizeof(*store->relay));
	store->relay->daemon = daemon_new(store->plan->rrdcached);
	store->relay->working = true;
	store->relay->away = clock_monotonic();
}

void relay_release(struct store *store)
{
	if (store->relay)
		daemon_free(store->relay->daemon);
	free(store->relay);
}

/* --- what is told ---------------------------------------------------------------------------------------------- */

static void set_words(struct store *store, const char *words)
{
	pthread_mutex_lock(&store->lock);
	error_set(&store->relay->words, "%s", words);
	pthread_mutex_unlock(&store->lock);
}

static void set_asking(struct store *store, int64_t since)
{
	pthread_mutex_lock(&store->lock);
	store->relay->asking = since;
	pthread_mutex_unlock(&store->lock);
}

void relay_status(struct store *store, struct store_status *status)
{
	struct relay *relay = store->relay;
	struct error words;
	int64_t asking;

	if (!relay)
		return;
	pthread_mutex_lock(&store->lock);
	words = relay->words;
	asking = relay->asking ? clock_monotonic() - relay->asking : 0;
	pthread_mutex_unlock(&store->lock);
	if (asking > ANSWER_PATIENCE)
		error_set(&words, "rrdcached at %s has not answered for %.0f s", store->plan->rrdcached, clock_seconds(asking));
	snprintf(status->daemon_error, sizeof(status->daemon_error), "%s", words.text);
}

/* --- the connection: with `writing` held ----------------------------------------------------------------------- */

static const char by_ourselves[] = "%s; until it is there, pindrop writes the files itself",
				  samples_wait[] = "%s; for now samples wait, and are in the journal";

static bool any_unsettled(struct store *store)
{
	struct series *series;

	for (size_t family = 0, index = 0; (series = series_next(store, &family, &index));)
		if (series->unsettled)
			return true;
	return false;
}

static bool any_refused(struct store *store)
{
	struct series *series;

	for (size_t family = 0, index = 0; (series = series_next(store, &family, &index));)
		if (series->refused)
			return true;
	return false;
}

static void note_break(struct store *store)
{
	struct relay *relay = store->relay;

	relay->connection = 0;
	relay->away = clock_monotonic();
	if (!relay->broken && any_unsettled(store))
		relay->broken = true;
}

static void connect_daemon(struct store *store)
{
	struct relay *relay = store->relay;
	struct error error = {""};
	uint64_t connection = daemon_connect(relay->daemon, relay->broken, &error);

	if (relay->connection && connection != relay->connection)
		note_break(store);
	if (connection && !relay->working)
		log_info("rrdcached at %s is there again", store->plan->rrdcached);
	else if (!connection && relay->working)
		log_warning(relay->broken ? samples_wait : by_ourselves, error.text);
	if (connection != relay->connection || !connection)
		set_words(store, error.text);
	relay->connection = connection;
	relay->working = connection != 0;
}

/* The answer to a request: whatever is wrong with the connection is noted. */
static enum daemon_answer note(struct store *store, enum daemon_answer answer)
{
	set_asking(store, 0);
	if (answer == DAEMON_GONE)
		note_break(store);
	return answer;
}

static enum daemon_answer ask_flush(struct store *store, const char *path, struct error *error)
{
	set_asking(store, clock_monotonic());
	return note(store, daemon_flush(store->relay->daemon, path, error));
}

static enum daemon_answer ask_forget(struct store *store, const char *path, struct error *error)
{
	set_asking(store, clock_monotonic());
	return note(store, daemon_forget(store->relay->daemon, path, error));
}

/* --- one file: with `writing` held ----------------------------------------------------------------------------- */

/* The microseconds of a time are rounded on their way through librrd. */
static bool has_reached(const struct series *series)
{
	int64_t last;
	struct error ignored;

	return file_last(series->path, &last, &ignored) == 0 && last + CLOCK_MILLISECOND > series->last;
}

/* The field that tells whether a row is there: a gauge's row is known whatever came before. */
static size_t telling_field(const struct pindrop_family *family)
{
	for (size_t i = 0; i < family->field_count; i++)
		if (family->fields[i].kind == PINDROP_GAUGE)
			return i;
	return 0;
}

/* Of the first `run` samples that leave, those that certainly make a row of their own that is known. */
static size_t count_rows(const struct series *series, const struct layout *layout, size_t run)
{
	const struct pindrop_family *family = layout->family;
	size_t field = telling_field(family), count = 0;
	bool gauge = family->fields[field].kind == PINDROP_GAUGE;
	int64_t last = series->last;

	for (size_t i = 0; i < run; i++) {
		double value = backlog_values(&series->leaving, i)[field];
		double before = i > 0 ? backlog_values(&series->leaving, i - 1)[field] : NAN;

		if (series->leaving.ticks[i] <= last || series->leaving.ticks[i] % (layout->step * CLOCK_SECOND) != 0)
			continue;
		last = series->leaving.ticks[i];
		count += gauge ? !isnan(value) : !series->leaving.fresh[i] && value >= before;
	}
	return count;
}

/* The daemon drops what it could not write, for instance because somebody read the file, and goes on. */
static bool has_holes(const struct store *store, const struct series *series)
{
	const struct layout *layout = &store->families[series->family].layout;
	int64_t step = layout->archives[0].step, to = series->last / CLOCK_SECOND,
			from = series->sent_first / CLOCK_SECOND - step;
	struct store_rows rows = {0};
	struct error ignored;
	size_t known = 0;

	/* A row is a sample only where the two come at the same pace. What was overwritten since cannot be looked at. */
	if (store->plan->families[series->family].plugin->interval != step * CLOCK_SECOND || series->sent_rows == 0 ||
	    (to - from) / step >= layout->archives[0].rows)
		return false;
	if (file_fetch(series->path, layout->family->fields[telling_field(layout->family)].name, STORE_AVERAGE, from, to,
	               step, &rows, &ignored) < 0)
		return false;
	for (size_t i = 0; i < rows.count; i++)
		known += !isnan(rows.values[i]);
	free(rows.values);
	return rows.step == step && known < series->sent_rows;
}

static void set_settled(struct series *series)
{
	series->unsettled = false;
	series->sent_first = 0;
	series->sent_rows = 0;
}

int relay_settle(struct store *store, struct series *series, struct error *error)
{
	const struct timespec pause = {.tv_nsec = SETTLE_PAUSE};
	int64_t end;

	if (!series->unsettled || store->relay->whole)
		return 0;
	if (store->relay->broken)
		return error_set(error, "%s: rrdcached has ended, and samples that it held are not in the file yet",
		                 series->path);
	if (ask_flush(store, series->path, error) == DAEMON_GONE)
		return -1;
	end = clock_monotonic() + SETTLE_PATIENCE;
	while (!has_reached(series)) {
		if (clock_monotonic() > end) {
			store->relay->broken = true;
			return error_set(error, "%s: rrdcached could not write it", series->path);
		}
		nanosleep(&pause, NULL);
	}
	if (has_holes(store, series)) {
		store->relay->broken = true;
		return error_set(error, "%s: rrdcached did not write all samples", series->path);
	}
	set_settled(series);
	pthread_mutex_lock(&store->lock);
	store->settled++;
	pthread_mutex_unlock(&store->lock);
	return 0;
}

int relay_quiesce(struct store *store, struct series *series, struct error *error)
{
	struct relay *relay = store->relay;
	struct error ignored;

	if (!relay || relay->whole)
		return 0;
	if (relay->connection != 0 && !daemon_is_up(relay->daemon))
		note_break(store);
	if (relay_settle(store, series, error) < 0)
		return -1;
	/* What others have put there is not ours to lose: it is written, whatever it is. */
	if (relay->connection && ask_flush(store, series->path, &ignored) != DAEMON_GONE)
		ask_forget(store, series->path, &ignored);
	series->connection = relay->connection;
	if (series->refused) {
		series->refused = false;
		if (relay->connection && !any_refused(store))
			set_words(store, "");
	}
	return 0;
}

int relay_prepare(struct store *store, struct series *series, struct error *error)
{
	struct relay *relay = store->relay;

	if (!relay || relay->whole)
		return 0;
	if (relay->broken)
		return error_set(error, "rrdcached at %s has ended; samples wait until it is there again, or for some time",
		                 store->plan->rrdcached);
	if (series->ready && series->connection == relay->connection)
		return 0;
	series->ready = false;
	return relay_quiesce(store, series, error);
}

static bool is_ours(const struct store *store, const struct series *series, const char *const *lines, size_t count)
{
	const struct relay *relay = store->relay;

	if (!relay || relay->whole || !relay->connection || series->refused)
		return true;
	for (size_t i = 0; i < count; i++)
		if (!daemon_takes(series->path, strlen(lines[i])))
			return true;
	return false;
}

/* Without a journal that is written, what waits in memory must not go before it is in the file. */
static bool is_journalled(struct store *store)
{
	bool good;

	if (!journal_is_open(store->journal))
		return false;
	pthread_mutex_lock(&store->lock);
	good = !store->status.journal_error[0];
	pthread_mutex_unlock(&store->lock);
	return good;
}

static int send_lines(struct store *store, struct series *series, size_t count, const char **lines, struct error *error)
{
	struct relay *relay = store->relay;
	bool unsettled = series->unsettled;
	enum daemon_answer answer;
	size_t taken;

	/* Also where the connection breaks some may have been taken: by the daemon that came after it. */
	series->unsettled = true;
	set_asking(store, clock_monotonic());
	answer = daemon_update(relay->daemon, series->path, count, (const char *const *)lines, &taken, error);
	if (note(store, answer) == DAEMON_DONE)
		return 0;
	if (answer != DAEMON_GONE && taken > 0)
		relay->broken = true;
	else if (answer != DAEMON_GONE)
		series->unsettled = unsettled;
	if (answer == DAEMON_REFUSED && !relay->broken) {
		if (!relay->words.text[0])
			log_warning("%s; pindrop writes such files itself", error->text);
		set_words(store, error->text);
		series->refused = true;
		return relay_settle(store, series, error) < 0 ? -1 : file_update(series->path, NULL, count, lines, error);
	}
	/* The file, which is looked at again, tells which samples are old. */
	return -1;
}

int relay_update(struct store *store, struct series *series, size_t run, int64_t last, size_t count, const char **lines,
                 struct error *error)
{
	int64_t before = series->last;
	int failed;

	if (is_ours(store, series, (const char *const *)lines, count))
		return !store->relay || relay_settle(store, series, error) == 0
		           ? file_update(series->path, NULL, count, lines, error)
		           : -1;
	failed = send_lines(store, series, count, lines, error);
	if (failed || series->refused)
		return failed;
	if (series->sent_first == 0)
		series->sent_first = series->leaving.ticks[0];
	series->sent_rows += count_rows(series, &store->families[series->family].layout, run);
	if (is_journalled(store))
		return 0;
	series->last = last;
	failed = relay_settle(store, series, error);
	series->last = failed ? before : last;
	return failed;
}

/* --- all files: with `flushing` held --------------------------------------------------------------------------- */

int relay_settle_all(struct store *store, struct error *error)
{
	struct series *series;
	int failed = 0;

	if (!store->relay)
		return 0;
	for (size_t family = 0, index = 0; !failed && (series = series_next(store, &family, &index));) {
		pthread_mutex_lock(&store->writing);
		failed = relay_settle(store, series, error);
		pthread_mutex_unlock(&store->writing);
	}
	return failed;
}

bool relay_is_settled(struct store *store)
{
	bool settled;

	if (!store->relay)
		return true;
	pthread_mutex_lock(&store->writing);
	settled = !store->relay->broken && !any_unsettled(store);
	pthread_mutex_unlock(&store->writing);
	return settled;
}

void relay_let_go(struct store *store, const char *path)
{
	struct error ignored;

	if (!store->relay || !store->relay->connection)
		return;
	if (ask_flush(store, path, &ignored) != DAEMON_GONE)
		ask_forget(store, path, &ignored);
}

/* Nothing that the daemon may hold matters any more. */
int relay_make_whole(struct store *store, size_t *replayed, struct error *error)
{
	struct relay *relay = store->relay;
	struct series *series;
	int failed;

	if (!relay)
		return recover_again(store, replayed, error);
	for (size_t family = 0, index = 0; (series = series_next(store, &family, &index));)
		if (series->unsettled)
			relay_let_go(store, series->path);
	relay->whole = true;
	failed = recover_again(store, replayed, error);
	relay->whole = false;
	relay->failed = failed;
	if (failed)
		return -1;
	for (size_t family = 0, index = 0; (series = series_next(store, &family, &index));)
		set_settled(series);
	relay->broken = false;
	return 0;
}

static int mend(struct store *store, struct error *error)
{
	struct relay *relay = store->relay;
	size_t replayed = 0;

	if (relay_make_whole(store, &replayed, error) < 0)
		return -1;
	log_info("rrdcached did not write all that it was sent: the files have it from the journal, %zu samples", replayed);
	if (!relay->connection)
		log_warning(by_ourselves, relay->words.text);
	return 0;
}

/* A daemon that has ended may still be writing. But what it was sent must not go from the journal meanwhile. */
static bool is_awaited(struct store *store)
{
	struct journal_status status;

	journal_status(store->journal, &status);
	return clock_monotonic() - store->relay->away < AWAY_PATIENCE && 4 * status.live < 3 * status.size;
}

int relay_ready(struct store *store, struct error *error)
{
	struct relay *relay = store->relay;
	int failed = 0;

	if (!relay)
		return 0;
	pthread_mutex_lock(&store->writing);
	connect_daemon(store);
	if (relay->broken && !relay->connection && is_awaited(store))
		failed = error_set(error, "%s", relay->words.text);
	else if (relay->broken)
		failed = mend(store, error);
	pthread_mutex_unlock(&store->writing);
	return failed;
}

bool relay_waits(struct store *store)
{
	bool waits;

	if (!store->relay)
		return false;
	pthread_mutex_lock(&store->writing);
	waits = store->relay->broken && !store->relay->failed;
	pthread_mutex_unlock(&store->writing);
	return waits;
}

void relay_recover(struct store *store, bool begins)
{
	if (!store->relay)
		return;
	if (begins)
		connect_daemon(store);
	store->relay->whole = begins;
}
