/* life/life.c: the agent lives, until a signal ends it. */
#include "life/life.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
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

/* How often it is looked whether the last connection to a former address is gone. */
#define LEAVING_PACE CLOCK_SECOND

const struct worker_kind *const worker_kinds[WORKER_KINDS] = {
	[WORKER_CONFIG] = &config_worker_kind,
	[WORKER_COLLECT] = &collect_worker_kind,
	[WORKER_SCRIPT] = &script_worker_kind,
};

/* What the main thread waits for. */
struct waiting {
	int signals;
	struct watch *watch; /* NULL: saving is not noticed */
	int64_t saved;       /* when the first save that was not read yet was noticed: monotonic, ns; 0: none was */
	int64_t due;         /* when the file is to be read; 0: not at all */
};

/* The file, and the modules that it loaded. */
static void watch_plan(struct waiting *waiting, const struct plan *plan)
{
	const char **paths;
	struct error error;

	if (!waiting->watch)
		return;
	paths = memory_array(plan->module_count + 1, sizeof(char *));
	paths[0] = plan->file;
	for (size_t i = 0; i < plan->module_count; i++)
		paths[i + 1] = plan->modules[i];
	if (watch_files(waiting->watch, paths, plan->module_count + 1, &error) < 0)
		log_warning("%s", error.text);
	free(paths);
}

static void note_save(struct waiting *waiting)
{
	int64_t now = clock_monotonic();

	if (!waiting->saved)
		waiting->saved = now;
	waiting->due = now + QUIET < waiting->saved + QUIET_MAX ? now + QUIET : waiting->saved + QUIET_MAX;
}

static void change(struct life *life, struct waiting *waiting)
{
	waiting->saved = waiting->due = 0;
	life_change(life);
	watch_plan(waiting, life->plan);
}

static int timeout(const struct life *life, const struct waiting *waiting)
{
	int64_t left = waiting->due ? waiting->due - clock_monotonic() : life->leaving ? LEAVING_PACE : -1;

	return left < 0 ? waiting->due ? 0 : -1 : (int)(left / CLOCK_MILLISECOND) + 1;
}

static void look_at_leaving(struct life *life)
{
	if (!life->leaving || http_connections(life->leaving) > 0)
		return;
	http_stop(life->leaving);
	life->leaving = NULL;
}

/* Returns the signal that ends the agent, or 0. */
static int take_signal(struct life *life, struct waiting *waiting)
{
	struct signalfd_siginfo info;

	if (read(waiting->signals, &info, sizeof(info)) != sizeof(info))
		return 0;
	if (info.ssi_signo == SIGUSR1)
		store_flush_soon(life->store, NULL, NULL);
	else if (info.ssi_signo == SIGHUP)
		change(life, waiting);
	else
		return (int)info.ssi_signo;
	return 0;
}

static int wait_for_end(struct life *life, struct waiting *waiting)
{
	int ends = 0;

	while (!ends) {
		struct pollfd sources[2] = {{.fd = waiting->signals, .events = POLLIN},
		                            {.fd = waiting->watch ? watch_fd(waiting->watch) : -1, .events = POLLIN}};

		if (poll(sources, 2, timeout(life, waiting)) < 0)
			continue;
		if (sources[1].revents && watch_read(waiting->watch))
			note_save(waiting);
		if (sources[0].revents)
			ends = take_signal(life, waiting);
		if (!ends && waiting->due && clock_monotonic() >= waiting->due)
			change(life, waiting);
		look_at_leaving(life);
	}
	return ends;
}

static int begin_waiting(struct waiting *waiting, const struct plan *plan, const sigset_t *signals, struct error *error)
{
	struct error words;

	waiting->signals = signalfd(-1, signals, SFD_CLOEXEC);
	if (waiting->signals < 0)
		return error_set(error, "cannot wait for signals: %s", strerror(errno));
	waiting->watch = watch_new(&words);
	if (!waiting->watch)
		log_warning("%s", words.text);
	watch_plan(waiting, plan);
	return 0;
}

static void end_waiting(struct waiting *waiting)
{
	if (waiting->signals >= 0)
		close(waiting->signals);
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
	struct waiting waiting = {.signals = -1};
	int failed, ends;

	standing_good(life.standing, &source->refused);
	/* What is saved while the rooms come up is noticed, too. */
	failed = begin_waiting(&waiting, plan, signals, error);
	if (!failed)
		failed = life_bring_up(&life, sampler, error);
	if (!failed) {
		log_info("listening on %s", life.address);
		ends = wait_for_end(&life, &waiting);
		log_info("%s: writing what is buffered, then the end", strsignal(ends));
	}
	life_bring_down(&life);
	end_waiting(&waiting);
	return failed;
}
