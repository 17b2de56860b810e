/* worker/nursery.c: the agent's side (nursery_…) and the process itself (live() and what it calls).
 *
 *     agent   -- spawn kind, kill pid -->   nursery   -- fork -->   worker
 *             <-- spawned + 2 fds, exited --          <-- SIGCHLD --
 *
 * The control sockets, one for each handle, are SEQPACKET: a request or a notice is one packet. When the agent ends,
 * however it ends, the nursery reads the end of its input, kills its workers, and ends too.
 *
 * A worker leads a session of its own, so that what it starts can be ended with it, also what has made a group for itself.
 * What is left of a session is killed while its leader, which has ended, is not reaped yet: until then the number cannot
 * be another's. What has left the session (setsid) is let go: a script can start what is to outlive it. */
#include "worker/nursery.h"

#include <dirent.h>
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

#define NURSERY_ENDED "the process that starts workers has ended; restart pindrop"

/* How long the nursery waits, at its end, for workers that it has killed. Those that cannot die are left to init. */
#define END_MAX (100 * CLOCK_MILLISECOND)

struct request {
	enum { SPAWN = 1, KILL, BRANCH } verb; /* BRANCH comes with the nursery's end of another control socket */
	size_t kind;                           /* of SPAWN */
	pid_t pid;                             /* of KILL */
};

struct notice {
	enum { SPAWNED = 1, EXITED } verb;
	pid_t pid;  /* of SPAWNED: 0 when it failed */
	int status; /* of EXITED: of wait(2); of SPAWNED: errno */
};

/* --- packets ------------------------------------------------------------------------------------------------ */

/* As many descriptors as one packet carries. */
#define FDS_MAX 2

/* What a packet with descriptors needs beside its bytes (cmsg(3)). */
union passing {
	char room[CMSG_SPACE(FDS_MAX * sizeof(int))];
	struct cmsghdr align;
};

static int send_packet(int control, const void *bytes, size_t length, const int *fds, size_t fd_count)
{
	struct iovec part = {.iov_base = (void *)bytes, .iov_len = length};
	struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
	union passing passing = {{0}};

	if (fd_count) {
		struct cmsghdr *head;

		packet.msg_control = passing.room;
		packet.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		head = CMSG_FIRSTHDR(&packet);
		*head = (struct cmsghdr){.cmsg_len = CMSG_LEN(fd_count * sizeof(int)),
		                         .cmsg_level = SOL_SOCKET,
		                         .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(head), fds, fd_count * sizeof(int));
	}
	return sendmsg(control, &packet, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

/* Receives without waiting. 1, or 0 when there is none, or -1 at the end. Of `fds` as many are set as came. */
static int receive_packet(int control, void *bytes, size_t length, int fds[FDS_MAX])
{
	struct iovec part = {.iov_base = bytes, .iov_len = length};
	union passing passing = {{0}};
	struct msghdr packet = {.msg_iov = &part,
	                        .msg_iovlen = 1,
	                        .msg_control = passing.room,
	                        .msg_controllen = sizeof(passing.room)};
	const struct cmsghdr *head;
	ssize_t got;

	do
		got = recvmsg(control, &packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EAGAIN ? 0 : -1;
	if (got != (ssize_t)length)
		return -1;
	head = CMSG_FIRSTHDR(&packet);
	if (head && head->cmsg_type == SCM_RIGHTS)
		memcpy(fds, CMSG_DATA(head), head->cmsg_len - CMSG_LEN(0));
	return 1;
}

static int send_notice(int control, const struct notice *notice, const int *fds, size_t fd_count)
{
	return send_packet(control, notice, sizeof(*notice), fds, fd_count);
}

static int receive_notice(int control, struct notice *notice, int fds[FDS_MAX])
{
	return receive_packet(control, notice, sizeof(*notice), fds);
}

/* --- a worker ----------------------------------------------------------------------------------------------- */

void worker_limit(size_t bytes)
{
	const struct rlimit limit = {bytes, bytes};

	/* Sanitizers map terabytes of shadow. */
	if (bytes && !SANITIZED)
		setrlimit(RLIMIT_AS, &limit);
}

static void pass_over(int signal)
{
	(void)signal;
}

/* What ends the agent's group is no business of a worker's: its socket tells it. A signal that is ignored would be so in
 * every program that it starts (then `timeout` ends nothing); a handler is not inherited. */
static void set_signals(void)
{
	static const int ours[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
	const struct sigaction action = {.sa_handler = pass_over, .sa_flags = SA_RESTART};
	sigset_t none;

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		sigaction(ours[i], &action, NULL);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Becomes the worker: nothing of the agent stays open but its stderr. Does not return. */
_Noreturn static void become_worker(const struct worker_kind *kind, int socket, int page_fd, pid_t nursery)
{
	struct worker_page *page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, page_fd, 0);
	int null = open("/dev/null", O_RDONLY);

	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* The nursery may have died before that. */
	if (getppid() != nursery || page == MAP_FAILED || null < 0)
		_exit(1);
	worker_rename(kind->name);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	dup2(null, STDIN_FILENO);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	if (socket != 3)
		dup2(socket, 3);
	fcntl(3, F_SETFD, FD_CLOEXEC);
	close_range(4, ~0U, 0);
	set_signals();
	worker_limit(kind->memory_limit);
	exit(kind->run(3, page));
}

void worker_rename(const char *name)
{
	prctl(PR_SET_NAME, name);
}

/* --- the nursery's process ---------------------------------------------------------------------------------- */

struct child {
	pid_t pid;
	int control; /* of the handle that spawned it; -1: that is closed */
};

struct home {
	const struct worker_kind *const *kinds;
	size_t kind_count;
	struct child *children;
	size_t child_count;
	struct pollfd *ends; /* ENDED, then one for each handle, the first first */
	size_t end_count;
};

enum { ENDED, FIRST }; /* of the ends: children that have, the first handle */

static void add_end(struct home *home, int fd)
{
	home->ends = memory_resize(home->ends, home->end_count + 1, sizeof(*home->ends));
	home->ends[home->end_count++] = (struct pollfd){.fd = fd, .events = POLLIN};
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

static int spawn(struct home *home, int control, const struct worker_kind *kind)
{
	int fds[2], sent;
	struct notice notice = {.verb = SPAWNED, .pid = fork_worker(kind, fds)};

	if (!notice.pid) {
		notice.status = errno;
		return send_notice(control, &notice, NULL, 0);
	}
	home->children = memory_resize(home->children, home->child_count + 1, sizeof(*home->children));
	home->children[home->child_count++] = (struct child){notice.pid, control};
	sent = send_notice(control, &notice, fds, 2);
	close(fds[0]);
	close(fds[1]);
	return sent;
}

/* One that is so young that it has no session yet has started nothing. */
static void kill_group(pid_t leader)
{
	kill(-leader, SIGKILL);
	kill(leader, SIGKILL);
}

/* Kills the groups of a session. They are looked for twice: a group may be made while we look. */
static void kill_session(pid_t leader)
{
	DIR *processes = opendir("/proc");

	kill_group(leader);
	for (int round = 0; processes && round < 2; round++) {
		const struct dirent *entry;

		for (rewinddir(processes); (entry = readdir(processes));) {
			pid_t pid = (pid_t)atoi(entry->d_name), group = pid > 1 ? getpgid(pid) : -1;

			/* -1 would be everybody. */
			if (group > 1 && getsid(pid) == leader)
				kill(-group, SIGKILL);
		}
	}
	if (processes)
		closedir(processes);
}

/* Only a child of ours is killed: once it is reaped, its number may be another's. */
static bool is_child(const struct home *home, pid_t pid)
{
	for (size_t i = 0; i < home->child_count; i++)
		if (home->children[i].pid == pid)
			return true;
	return false;
}

/* Reaps a child that has ended; whoever spawned it is told. What it leaves behind becomes ours (subreaper), and is
 * reaped here too. -1: nobody is there to be told. */
static int bury(struct home *home, pid_t pid)
{
	struct notice notice = {.verb = EXITED, .pid = pid};
	int control = -1;

	if (is_child(home, pid))
		kill_session(pid);
	waitpid(pid, &notice.status, 0);
	for (size_t i = 0; i < home->child_count; i++) {
		if (home->children[i].pid != pid)
			continue;
		control = home->children[i].control;
		home->children[i--] = home->children[--home->child_count];
	}
	return control >= 0 && send_notice(control, &notice, NULL, 0) < 0 && control == home->ends[FIRST].fd ? -1 : 0;
}

/* 1: there are more children, 0: there are none, -1: the agent has ended. */
static int reap(struct home *home)
{
	siginfo_t ended = {.si_pid = 0};
	int failed;

	while ((failed = waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT)) == 0 && ended.si_pid > 0) {
		if (bury(home, ended.si_pid) < 0)
			return -1;
		ended.si_pid = 0;
	}
	return failed == 0;
}

static int serve(struct home *home, int control)
{
	struct request request;
	int fds[FDS_MAX] = {-1, -1}, got = receive_packet(control, &request, sizeof(request), fds);

	if (got <= 0)
		return got;
	if (request.verb == SPAWN && request.kind < home->kind_count)
		return spawn(home, control, home->kinds[request.kind]);
	if (request.verb == KILL && is_child(home, request.pid))
		kill_group(request.pid);
	if (request.verb == BRANCH && fds[0] >= 0)
		add_end(home, fds[0]);
	return 0;
}

/* A handle is closed: its workers end, and nobody is told. */
static void close_branch(struct home *home, size_t end)
{
	int control = home->ends[end].fd;

	for (size_t i = 0; i < home->child_count; i++) {
		if (home->children[i].control != control)
			continue;
		home->children[i].control = -1;
		kill_group(home->children[i].pid);
	}
	close(control);
	home->ends[end] = home->ends[--home->end_count];
}

static void drain(int child_ends)
{
	struct signalfd_siginfo info;

	(void)!read(child_ends, &info, sizeof(info));
}

/* Ends all workers, and waits a moment for those that can end. */
static void end_all(struct home *home)
{
	int64_t deadline = clock_monotonic() + END_MAX;

	for (size_t i = 0; i < home->child_count; i++) {
		home->children[i].control = -1;
		kill_session(home->children[i].pid);
	}
	while (reap(home) > 0) {
		int64_t left = deadline - clock_monotonic();

		if (left <= 0 || poll(&home->ends[ENDED], 1, (int)(left / CLOCK_MILLISECOND) + 1) <= 0)
			break;
		drain(home->ends[ENDED].fd);
	}
	for (size_t i = 0; i < home->end_count; i++)
		close(home->ends[i].fd);
	free(home->ends);
	free(home->children);
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

/* Does what one poll() has found. False: the first handle is closed. */
static bool attend(struct home *home)
{
	if (home->ends[ENDED].revents) {
		drain(home->ends[ENDED].fd);
		if (reap(home) < 0)
			return false;
	}
	if (home->ends[FIRST].revents && serve(home, home->ends[FIRST].fd) < 0)
		return false;
	for (size_t i = home->end_count; i-- > FIRST + 1;)
		if (home->ends[i].revents && serve(home, home->ends[i].fd) < 0)
			close_branch(home, i);
	return true;
}

static int live(int control, const struct worker_kind *const *kinds, size_t count)
{
	struct home home = {.kinds = kinds, .kind_count = count};
	bool alive = true;

	add_end(&home, prepare_signals());
	add_end(&home, control);
	prctl(PR_SET_NAME, "pindrop-nursery");
	/* What a worker has started is ours when the worker is gone: nothing waits for a process 1 that reaps. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	while (alive && home.ends[ENDED].fd >= 0)
		if (poll(home.ends, home.end_count, -1) >= 0)
			alive = attend(&home);
	end_all(&home);
	return 0;
}

/* --- the agent's side --------------------------------------------------------------------------------------- */

struct nursery {
	pid_t pid; /* 0: this is a branch */
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

struct nursery *nursery_branch(struct nursery *nursery, struct error *error)
{
	const struct request request = {.verb = BRANCH};
	struct nursery *branch;
	int control[2], failed;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0) {
		error_set(error, "cannot make a socket for workers: %s", strerror(errno));
		return NULL;
	}
	failed = send_packet(nursery->control, &request, sizeof(request), &control[1], 1);
	close(control[1]);
	if (failed) {
		error_set(error, NURSERY_ENDED);
		close(control[0]);
		return NULL;
	}
	branch = memory_alloc(sizeof(*branch));
	branch->control = control[0];
	return branch;
}

void nursery_stop(struct nursery *nursery)
{
	close(nursery->control);
	while (nursery->pid && waitpid(nursery->pid, NULL, 0) < 0 && errno == EINTR)
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
		return error_set(error, NURSERY_ENDED);
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
