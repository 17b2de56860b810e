/* worker/nursery.c: the agent's side (nursery_…) and the process itself (live() and what it calls).
 *
 *     agent   -- spawn kind, kill pid -->   nursery   -- fork -->   worker
 *             <-- spawned + 2 fds, exited --          <-- SIGCHLD --
 *
 * The control socket is SEQPACKET: a request or a notice is one packet. When the agent ends, however it ends, the
 * nursery reads the end of its input, kills its workers, and ends too. */
#include "worker/nursery.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

/* How long the agent waits for the nursery to fork: it does nothing else. */
#define SPAWN_MAX (5 * CLOCK_SECOND)

/* How long the nursery waits, at its end, for workers that it has killed. Those that cannot die are left to init. */
#define END_MAX (100 * CLOCK_MILLISECOND)

struct request {
	enum { SPAWN = 1, KILL } verb;
	size_t kind; /* of SPAWN */
	pid_t pid;   /* of KILL */
};

struct notice {
	enum { SPAWNED = 1, EXITED } verb;
	pid_t pid;  /* of SPAWNED: 0 when it failed */
	int status; /* of EXITED: of wait(2); of SPAWNED: errno */
};

/* --- packets ------------------------------------------------------------------------------------------------ */

/* What a packet with two descriptors needs beside its bytes (cmsg(3)). */
union passing {
	char room[CMSG_SPACE(2 * sizeof(int))];
	struct cmsghdr align;
};

static int send_notice(int control, const struct notice *notice, const int fds[2])
{
	struct iovec bytes = {.iov_base = (void *)notice, .iov_len = sizeof(*notice)};
	struct msghdr packet = {.msg_iov = &bytes, .msg_iovlen = 1};
	union passing passing = {{0}};

	if (fds) {
		struct cmsghdr *head;

		packet.msg_control = passing.room;
		packet.msg_controllen = sizeof(passing.room);
		head = CMSG_FIRSTHDR(&packet);
		*head =
			(struct cmsghdr){.cmsg_len = CMSG_LEN(2 * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(head), fds, 2 * sizeof(int));
	}
	return sendmsg(control, &packet, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

/* Receives without waiting. 1, or 0 when there is none, or -1 at the end. `fds` is set where descriptors came. */
static int receive_notice(int control, struct notice *notice, int fds[2])
{
	struct iovec bytes = {.iov_base = notice, .iov_len = sizeof(*notice)};
	union passing passing = {{0}};
	struct msghdr packet = {.msg_iov = &bytes,
	                        .msg_iovlen = 1,
	                        .msg_control = passing.room,
	                        .msg_controllen = sizeof(passing.room)};
	ssize_t length;
	struct cmsghdr *head;

	do
		length = recvmsg(control, &packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (length < 0 && errno == EINTR);
	if (length < 0)
		return errno == EAGAIN ? 0 : -1;
	if (length != sizeof(*notice))
		return -1;
	head = CMSG_FIRSTHDR(&packet);
	if (head && head->cmsg_type == SCM_RIGHTS)
		memcpy(fds, CMSG_DATA(head), 2 * sizeof(int));
	return 1;
}

/* --- a worker ----------------------------------------------------------------------------------------------- */

static void limit_memory(size_t bytes)
{
	const struct rlimit limit = {bytes, bytes};

	/* Sanitizers map terabytes of shadow. */
	if (bytes && !SANITIZED)
		setrlimit(RLIMIT_AS, &limit);
}

/* Becomes the worker: nothing of the agent stays open but its stderr. Does not return. */
_Noreturn static void become_worker(const struct worker_kind *kind, int socket, int page_fd, pid_t nursery)
{
	struct worker_page *page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, page_fd, 0);
	int null = open("/dev/null", O_RDONLY);
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* The nursery may have died before that. */
	if (getppid() != nursery || page == MAP_FAILED || null < 0)
		_exit(1);
	prctl(PR_SET_NAME, kind->name);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	dup2(null, STDIN_FILENO);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	if (socket != 3)
		dup2(socket, 3);
	close_range(4, ~0U, 0);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	limit_memory(kind->memory_limit);
	exit(kind->run(3, page));
}

/* --- the nursery's process ---------------------------------------------------------------------------------- */

struct children {
	pid_t *pids;
	size_t count;
};

static void forget(struct children *children, pid_t pid)
{
	for (size_t i = 0; i < children->count; i++)
		if (children->pids[i] == pid)
			children->pids[i--] = children->pids[--children->count];
}

/* Returns the pid, or 0 with errno. */
static pid_t fork_worker(const struct worker_kind *kind, int fds[2])
{
	int sockets[2] = {-1, -1}, page = memfd_create("pindrop-worker", MFD_CLOEXEC), saved;
	pid_t nursery = getpid(), pid = -1;

	if (page < 0 || ftruncate(page, sizeof(struct worker_page)) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0 || (pid = fork()) < 0)
		goto fail;
	if (pid == 0)
		become_worker(kind, sockets[1], page, nursery);
	close(sockets[1]);
	fds[0] = sockets[0];
	fds[1] = page;
	return pid;
fail:
	saved = errno;
	for (size_t i = 0; i < 2; i++)
		if (sockets[i] >= 0)
			close(sockets[i]);
	if (page >= 0)
		close(page);
	errno = saved;
	return 0;
}

static int spawn(int control, struct children *children, const struct worker_kind *kind)
{
	int fds[2], sent;
	struct notice notice = {.verb = SPAWNED, .pid = fork_worker(kind, fds)};

	if (!notice.pid) {
		notice.status = errno;
		return send_notice(control, &notice, NULL);
	}
	children->pids = memory_resize(children->pids, children->count + 1, sizeof(*children->pids));
	children->pids[children->count++] = notice.pid;
	sent = send_notice(control, &notice, fds);
	close(fds[0]);
	close(fds[1]);
	return sent;
}

/* Only a child of ours is killed: once it is reaped, its number may be another's. */
static void kill_child(const struct children *children, pid_t pid)
{
	for (size_t i = 0; i < children->count; i++)
		if (children->pids[i] == pid)
			kill(pid, SIGKILL);
}

static int reap(int control, struct children *children)
{
	struct notice notice = {.verb = EXITED};

	while ((notice.pid = waitpid(-1, &notice.status, WNOHANG)) > 0) {
		forget(children, notice.pid);
		if (control >= 0 && send_notice(control, &notice, NULL) < 0)
			return -1;
	}
	return 0;
}

static int serve(int control, struct children *children, const struct worker_kind *const *kinds, size_t count)
{
	struct request request;
	ssize_t length = recv(control, &request, sizeof(request), 0);

	if (length < 0 && errno == EINTR)
		return 0;
	if (length != sizeof(request))
		return -1;
	if (request.verb == SPAWN && request.kind < count)
		return spawn(control, children, kinds[request.kind]);
	if (request.verb == KILL)
		kill_child(children, request.pid);
	return 0;
}

/* Ends all workers, and waits a moment for those that can end. */
static void end_all(struct children *children, int child_ends)
{
	int64_t deadline = clock_monotonic() + END_MAX;

	for (size_t i = 0; i < children->count; i++)
		kill(children->pids[i], SIGKILL);
	while (reap(-1, children), children->count > 0) {
		struct pollfd ends = {.fd = child_ends, .events = POLLIN};
		struct signalfd_siginfo info;
		int64_t left = deadline - clock_monotonic();

		if (left <= 0 || poll(&ends, 1, (int)(left / CLOCK_MILLISECOND) + 1) <= 0)
			break;
		(void)!read(child_ends, &info, sizeof(info));
	}
	free(children->pids);
}

/* What Ctrl-C and the like send to the whole group is the agent's to answer: it ends the nursery when it ends. */
static int prepare_signals(void)
{
	sigset_t child;

	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_SETMASK, &child, NULL);
	return signalfd(-1, &child, SFD_CLOEXEC);
}

static int live(int control, const struct worker_kind *const *kinds, size_t count)
{
	struct children children = {0};
	struct pollfd ends[2] = {{.fd = control, .events = POLLIN}, {.fd = prepare_signals(), .events = POLLIN}};
	bool alive = ends[1].fd >= 0;

	prctl(PR_SET_NAME, "pindrop-nursery");
	while (alive) {
		if (poll(ends, 2, -1) < 0)
			continue;
		if (ends[1].revents) {
			struct signalfd_siginfo info;

			(void)!read(ends[1].fd, &info, sizeof(info));
			alive = reap(control, &children) == 0;
		}
		if (alive && ends[0].revents)
			alive = serve(control, &children, kinds, count) == 0;
	}
	end_all(&children, ends[1].fd);
	close(ends[1].fd);
	close(control);
	return 0;
}

/* --- the agent's side --------------------------------------------------------------------------------------- */

struct nursery {
	pid_t pid;
	int control;
	struct notice *exits; /* that were read while another answer was awaited */
	size_t exit_count;
};

struct nursery *nursery_start(const struct worker_kind *const *kinds, size_t count, struct error *error)
{
	struct nursery *nursery;
	int control[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0) {
		error_set(error, "cannot make a socket for workers: %s", strerror(errno));
		return NULL;
	}
	pid = fork();
	if (pid < 0) {
		error_set(error, "cannot start a process for workers: %s", strerror(errno));
		close(control[0]);
		close(control[1]);
		return NULL;
	}
	if (pid == 0) {
		close(control[0]);
		exit(live(control[1], kinds, count));
	}
	close(control[1]);
	nursery = memory_alloc(sizeof(*nursery));
	nursery->pid = pid;
	nursery->control = control[0];
	return nursery;
}

void nursery_stop(struct nursery *nursery)
{
	close(nursery->control);
	while (waitpid(nursery->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	free(nursery->exits);
	free(nursery);
}

static void keep_exit(struct nursery *nursery, const struct notice *notice)
{
	nursery->exits = memory_resize(nursery->exits, nursery->exit_count + 1, sizeof(*nursery->exits));
	nursery->exits[nursery->exit_count++] = *notice;
}

/* Waits for the answer to SPAWN; exits that come before it are kept. */
static int await_spawned(struct nursery *nursery, struct notice *notice, int fds[2])
{
	int64_t deadline = clock_monotonic() + SPAWN_MAX;

	for (;;) {
		struct pollfd control = {.fd = nursery->control, .events = POLLIN};
		int got = receive_notice(nursery->control, notice, fds);
		int64_t left = deadline - clock_monotonic();

		if (got < 0 || left <= 0)
			return -1;
		if (got && notice->verb == SPAWNED)
			return 0;
		if (got)
			keep_exit(nursery, notice);
		else
			poll(&control, 1, (int)(left / CLOCK_MILLISECOND) + 1);
	}
}

int nursery_spawn(struct nursery *nursery, size_t kind, struct worker *worker, struct error *error)
{
	const struct request request = {.verb = SPAWN, .kind = kind};
	struct notice notice = {0};
	int fds[2] = {-1, -1};
	void *page;

	if (send(nursery->control, &request, sizeof(request), MSG_NOSIGNAL) < 0 || await_spawned(nursery, &notice, fds) < 0)
		return error_set(error, "the process that starts workers has ended; restart pindrop");
	if (!notice.pid)
		return error_set(error, "cannot start a worker: %s", strerror(notice.status));
	page = mmap(NULL, sizeof(struct worker_page), PROT_READ, MAP_SHARED, fds[1], 0);
	close(fds[1]);
	if (page == MAP_FAILED) {
		error_set(error, "cannot map a worker's page: %s", strerror(errno));
		close(fds[0]);
		nursery_kill(nursery, notice.pid);
		return -1;
	}
	*worker = (struct worker){.pid = notice.pid, .socket = fds[0], .page = page};
	return 0;
}

void nursery_kill(struct nursery *nursery, pid_t pid)
{
	const struct request request = {.verb = KILL, .pid = pid};

	/* Where the nursery has ended, its workers have too. */
	(void)!send(nursery->control, &request, sizeof(request), MSG_NOSIGNAL);
}

int nursery_fd(const struct nursery *nursery)
{
	return nursery->control;
}

bool nursery_has_exits(const struct nursery *nursery)
{
	return nursery->exit_count > 0;
}

bool nursery_exited(struct nursery *nursery, pid_t *pid, int *status)
{
	struct notice notice;
	int fds[2] = {-1, -1}, got;

	if (nursery->exit_count > 0) {
		*pid = nursery->exits[0].pid;
		*status = nursery->exits[0].status;
		memmove(nursery->exits, nursery->exits + 1, --nursery->exit_count * sizeof(*nursery->exits));
		return true;
	}
	got = receive_notice(nursery->control, &notice, fds);
	*pid = got < 0 ? 0 : -1;
	if (got <= 0 || notice.verb != EXITED)
		return false;
	*pid = notice.pid;
	*status = notice.status;
	return true;
}

void worker_release(struct worker *worker)
{
	if (worker->page) {
		munmap(worker->page, sizeof(*worker->page));
		close(worker->socket);
	}
	*worker = (struct worker){0};
}
