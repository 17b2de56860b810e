/* life/life.c: the agent lives, until a signal ends it. */
#include "life/life.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "config/config.h"
#include "config/watch.h"
#include "life/inside.h"

/* A save may be several steps, and a script may save many times: the file is read when nothing has happened for a
 * while, but not later than the second of these after the first save. */
#define QUIET (50 * CLOCK_MILLISECOND)
#define QUIET_MAX (300 * CLOCK_MILLISECOND)

/* A file that is empty, or was written to a moment ago, may be half saved: it is looked at again, not beyond that. */
#define HALF_MAX CLOCK_SECOND

/* How often it is looked whether the last connection to a former address is gone. */
#define LEAVING_PACE CLOCK_SECOND

const struct worker_kind *const worker_kinds[WORKER_KINDS] = {
	[WORKER_CONFIG] = &config_worker_kind,
	[WORKER_COLLECT] = &collect_worker_kind,
	[WORKER_SCRIPT] = &script_worker_kind,
};

/* How long the end waits for a change: while the disk hangs; in any case; and how often it looks which of them it is. */
#define CHANGE_PATIENCE (2 * CLOCK_SECOND)
#define CHANGE_PATIENCE_MAX (20 * CLOCK_SECOND)
#define CHANGE_PACE (100 * CLOCK_MILLISECOND)

/* What the main thread waits for. A change may have to wait for a disk, so that a thread of its own makes it: one at a
 * time. Meanwhile nothing but that thread touches the rooms' plans. */
struct waiting {
	struct life *life;
	int signals;
	struct watch *watch; /* NULL: saving is not noticed */
	int64_t saved;       /* when the first save that was not read yet was noticed: monotonic, ns; 0: none was */
	int64_t due;         /* when the file is to be read; 0: not at all */
	bool changing;
	pthread_t changer;
	int changed; /* readable when the change is made */
};

/* The file, and the modules that it loaded; while it has a mistake, which may be of a module that nobody knows yet, all
 * that lie beside it. */
static void watch_plan(struct waiting *waiting)
{
	const struct plan *plan = waiting->life->plan;
	const char *slash = strrchr(plan->file, '/'), **paths;
	char *beside = memory_format("%.*s*.lua", slash ? (int)(slash + 1 - plan->file) : 0, plan->file);
	size_t count = 0;
	struct error error;

	if (waiting->watch) {
		paths = memory_array(plan->module_count + 2, sizeof(char *));
		paths[count++] = plan->file;
		for (size_t i = 0; i < plan->module_count; i++)
			paths[count++] = plan->modules[i];
		if (waiting->life->mistaken)
			paths[count++] = beside;
		if (watch_files(waiting->watch, paths, count, &error) < 0)
			log_warning("%s", error.text);
		free(paths);
	}
	free(beside);
}

/* The file is read `quiet` (ns) from now, if nothing happens before. */
static void note_save(struct waiting *waiting, int64_t quiet)
{
	int64_t now = clock_monotonic();

	if (!waiting->saved)
		waiting->saved = now;
	waiting->due = now + quiet < waiting->saved + QUIET_MAX ? now + quiet : waiting->saved + QUIET_MAX;
}

/* --- changing -------------------------------------------------------------------------------------------------- */

static void *change(void *context)
{
	const uint64_t once = 1;
	struct waiting *waiting = context;

	pthread_setname_np(pthread_self(), "change");
	life_change(waiting->life);
	(void)!write(waiting->changed, &once, sizeof(once));
	return NULL;
}

static void begin_change(struct waiting *waiting)
{
	waiting->saved = waiting->due = 0;
	if (pthread_create(&waiting->changer, NULL, change, waiting) != 0) {
		log_error("cannot start a thread to apply the configuration");
		return;
	}
	waiting->changing = true;
}

/* Whether the file may be in the middle of being saved, by its own times. One that is not there is whole: a mistake. */
static bool is_half(const struct stat *file)
{
	int64_t changed = file->st_mtim.tv_sec * CLOCK_SECOND + file->st_mtim.tv_nsec;

	return file->st_ino && (file->st_size == 0 || llabs(clock_wall() - changed) < QUIET);
}

/* Reads the file when it is due, and no sign is there that it is being saved. */
static void change_if_due(struct waiting *waiting)
{
	struct life *life = waiting->life;
	int64_t now = clock_monotonic();

	if (!waiting->due || now < waiting->due)
		return;
	life->seen = life_look(life);
	life->half_until = waiting->saved + HALF_MAX;
	if (now < life->half_until && is_half(&life->seen))
		waiting->due = now + QUIET / 2;
	else
		begin_change(waiting);
}

static void end_change(struct waiting *waiting)
{
	uint64_t times;

	(void)!read(waiting->changed, &times, sizeof(times));
	pthread_join(waiting->changer, NULL);
	waiting->changing = false;
	watch_plan(waiting);
	if (!waiting->life->half)
		return;
	note_save(waiting, QUIET);
	waiting->saved = waiting->life->half_until - HALF_MAX;
}

static void look_at_leaving(struct life *life)
{
	if (life->leaving && http_connections(life->leaving) == 0)
		life_end_leaving(life);
}

/* False: there is one yet. It reads the file, and is not waited for; or it does not get on, and holds on to the rooms. */
static bool await_change(struct waiting *waiting)
{
	struct pollfd changed = {.fd = waiting->changed, .events = POLLIN};
	int64_t began = clock_monotonic(), waited;
	struct store_status store;

	if (!waiting->changing || life_ends(waiting->life))
		return !waiting->changing;
	do {
		if (poll(&changed, 1, CHANGE_PACE / CLOCK_MILLISECOND) > 0)
			end_change(waiting);
		store_status(waiting->life->store, &store);
		waited = clock_monotonic() - began;
	} while (waiting->changing && waited < (store.late ? CHANGE_PATIENCE : CHANGE_PATIENCE_MAX));
	if (waiting->changing && !life_gives_up(waiting->life) &&
	    poll(&changed, 1, CHANGE_PATIENCE_MAX / CLOCK_MILLISECOND) > 0)
		end_change(waiting);
	return !waiting->changing;
}

/* --- waiting ---------------------------------------------------------------------------------------------------- */

/* In milliseconds, for poll(2). */
static int timeout(const struct waiting *waiting)
{
	int64_t left;

	if (waiting->changing)
		return -1;
	if (!waiting->due)
		return waiting->life->leaving ? LEAVING_PACE / CLOCK_MILLISECOND : -1;
	left = waiting->due - clock_monotonic();
	return left <= 0 ? 0 : (int)(left / CLOCK_MILLISECOND) + 1;
}

/* Returns the signal that ends the agent, or 0. */
static int take_signal(struct waiting *waiting)
{
	struct signalfd_siginfo info;

	if (read(waiting->signals, &info, sizeof(info)) != sizeof(info))
		return 0;
	if (info.ssi_signo == SIGUSR1)
		store_flush_soon(waiting->life->store, NULL, NULL);
	else if (info.ssi_signo == SIGHUP)
		note_save(waiting, 0);
	else
		return (int)info.ssi_signo;
	return 0;
}

static int wait_for_end(struct waiting *waiting)
{
	int ends = 0;

	while (!ends) {
		struct pollfd sources[] = {{.fd = waiting->signals, .events = POLLIN},
		                           {.fd = waiting->watch ? watch_fd(waiting->watch) : -1, .events = POLLIN},
		                           {.fd = waiting->changed, .events = POLLIN}};

		if (poll(sources, 3, timeout(waiting)) < 0)
			continue;
		if (sources[0].revents)
			ends = take_signal(waiting);
		if (sources[1].revents && watch_read(waiting->watch))
			note_save(waiting, QUIET);
		if (sources[2].revents)
			end_change(waiting);
		if (waiting->changing || ends)
			continue;
		look_at_leaving(waiting->life);
		change_if_due(waiting);
	}
	return ends;
}

static int begin_waiting(struct waiting *waiting, const sigset_t *signals, struct error *error)
{
	struct error words;

	waiting->signals = signalfd(-1, signals, SFD_CLOEXEC);
	waiting->changed = eventfd(0, EFD_CLOEXEC);
	if (waiting->signals < 0 || waiting->changed < 0)
		return error_set(error, "cannot wait for signals: %s", strerror(errno));
	waiting->watch = watch_new(&words);
	if (!waiting->watch)
		log_warning("%s", words.text);
	watch_plan(waiting);
	return 0;
}

static void end_waiting(struct waiting *waiting)
{
	if (waiting->signals >= 0)
		close(waiting->signals);
	if (waiting->changed >= 0)
		close(waiting->changed);
	watch_free(waiting->watch);
}

int life_run(struct source *source, const struct plan *plan, struct nursery *sampler, const sigset_t *signals,
             struct error *error)
{
	struct life life = {.source = source,
	                    .plan = plan,
	                    .listener = -1,
	                    .standing = standing_new(source->file),
	                    .report = {.started = clock_monotonic()}};
	struct waiting waiting = {.life = &life, .signals = -1, .changed = -1};
	bool changed = true;
	int failed, ends;

	standing_good(life.standing, &source->refused);
	/* What is saved while the rooms come up is noticed, too. */
	failed = begin_waiting(&waiting, signals, error);
	if (!failed)
		failed = life_bring_up(&life, sampler, error);
	if (!failed) {
		log_info("listening on %s", life.address);
		ends = wait_for_end(&waiting);
		log_info("%s: writing what is buffered, then the end", strsignal(ends));
		changed = await_change(&waiting);
	}
	/* What hangs may wake up while the rooms are left: nothing is taken away under it. */
	if (!life_bring_down(&life, changed)) {
		if (!changed)
			pthread_detach(waiting.changer);
		_exit(failed ? 1 : 0);
	}
	end_waiting(&waiting);
	return failed;
}
