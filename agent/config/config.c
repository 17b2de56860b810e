#include "config/config.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "script/script.h"
#include "worker/message.h"

/* How long a worker that has closed its socket may take to be reaped. */
#define EXIT_MAX CLOCK_SECOND

/* What the worker has told in its page, one line that begins with the file's name; "" for nothing. A new text. */
static char *told_by(const struct worker *worker)
{
	char *text = memory_array(WORKER_PLACE_SIZE + 1, 1);

	memcpy(text, worker->page->place, WORKER_PLACE_SIZE);
	return text;
}

static int await_exit(struct nursery *nursery, pid_t worker)
{
	int64_t deadline = clock_monotonic() + EXIT_MAX, left;
	struct nursery_notice notice;

	while ((left = deadline - clock_monotonic()) > 0) {
		struct pollfd ends = {.fd = nursery_fd(nursery), .events = POLLIN};

		while (nursery_next(nursery, &notice) == NURSERY_EXITED)
			if (notice.pid == worker)
				return notice.status;
		if (notice.what == NURSERY_ENDS)
			break;
		poll(&ends, 1, (int)(left / CLOCK_MILLISECOND) + 1);
	}
	return 0;
}

static char *describe_end(const char *file, struct nursery *nursery, const struct worker *worker)
{
	int status = await_exit(nursery, worker->pid);

	if (WIFSIGNALED(status))
		return memory_format("%s: the process that ran it was ended by signal %d (%s)", file, WTERMSIG(status),
		                     strsignal(WTERMSIG(status)));
	return memory_format("%s: the process that ran it ended, status %d", file, WEXITSTATUS(status));
}

/* Asks the worker. The answer, or NULL with a mistake told. */
static json_t *ask(const char *file, struct nursery *nursery, const struct worker *worker, struct text_list *mistakes)
{
	struct message message = {0};
	const char *text = NULL;
	json_t *answer = NULL;
	char *told;
	int got;

	message_put_text(&message, file);
	got = message_send(worker->socket, &message, CONFIG_RUN_MAX) < 0
	          ? 0
	          : message_receive(worker->socket, &message, CONFIG_RUN_MAX + SCRIPT_GRACE);
	if (got == 1 && message_get_text(&message, &text) && text)
		answer = json_loads(text, 0, NULL);
	if (answer && !json_is_object(answer)) {
		json_decref(answer);
		answer = NULL;
	}
	if (!answer && got < 0 && errno == ETIMEDOUT) {
		told = told_by(worker);
		text_list_add(mistakes, *told ? memory_text(told)
		                              : memory_format("%s: still running after %d s, so it was ended", file,
		                                              (int)(CONFIG_RUN_MAX / CLOCK_SECOND)));
		free(told);
	} else if (!answer) {
		text_list_add(mistakes, describe_end(file, nursery, worker));
	}
	message_release(&message);
	return answer;
}

struct plan *config_read(const char *file, struct nursery *nursery, size_t worker_kind, plan_find *find, void *context,
                         struct text_list *mistakes)
{
	struct worker worker = {0};
	struct error error = {""};
	struct plan *plan = NULL;
	json_t *answer;

	if (nursery_spawn(nursery, worker_kind, &worker, &error) < 0) {
		text_list_add(mistakes, memory_format("%s: %s", file, error.text));
		return NULL;
	}
	answer = ask(file, nursery, &worker, mistakes);
	nursery_kill(nursery, worker.pid);
	worker_release(&worker);
	if (answer)
		plan = plan_check(answer, file, find, context, mistakes);
	json_decref(answer);
	return plan;
}
