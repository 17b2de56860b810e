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

/* A worker that was asked for. */
struct wish {
	size_t kind;
	uint64_t tag;
	bool given_up; /* whoever asked does not want it any more */
};

struct nursery {
	pid_t pid; /* 0: this is a branch */
	int control;
	bool ended;
	uint64_t tags;       /* how many were given */
	struct wish *wishes; /* in the order in which they were asked for */
	size_t wish_count;
	bool sent;    /* the first of them: one is under way at a time, so that requests never fill the socket */
	pid_t *kills; /* that found no room in the socket */
	size_t kill_count;
	struct nursery_notice *kept; /* what was read while nursery_spawn() waited */
	size_t kept_count;
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
	for (size_t i = 0; i < nursery->kept_count; i++)
		worker_release(&nursery->kept[i].worker);
	free(nursery->kept);
	free(nursery->kills);
	free(nursery->wishes);
	free(nursery);
}

/* Sends without waiting for room. */
static int send_request(const struct nursery *nursery, const struct request *request)
{
	return send(nursery->control, request, sizeof(*request), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -1 : 0;
}

/* --- workers that end --- */

static void send_kills(struct nursery *nursery)
{
	size_t sent = 0;

	if (nursery->kill_count == 0)
		return;
	while (sent < nursery->kill_count) {
		const struct request request = {.verb = KILL, .pid = nursery->kills[sent]};

		if (send_request(nursery, &request) < 0 && errno == EAGAIN)
			break;
		sent++;
	}
	nursery->kill_count -= sent;
	memmove(nursery->kills, nursery->kills + sent, nursery->kill_count * sizeof(*nursery->kills));
}

/* Where the nursery has ended, its workers have too. */
void nursery_kill(struct nursery *nursery, pid_t pid)
{
	nursery->kills = memory_resize(nursery->kills, nursery->kill_count + 1, sizeof(*nursery->kills));
	nursery->kills[nursery->kill_count++] = pid;
	send_kills(nursery);
}

bool nursery_is_behind(const struct nursery *nursery)
{
	return nursery->kill_count > 0;
}

/* --- workers that are asked for --- */

static void remove_wish(struct nursery *nursery, size_t index)
{
	struct wish *wish = &nursery->wishes[index];

	memmove(wish, wish + 1, (--nursery->wish_count - index) * sizeof(*wish));
}

/* Sends the first wish, where none is under way. -1: the nursery has ended. */
static int send_wish(struct nursery *nursery)
{
	struct request request = {.verb = SPAWN};

	if (nursery->sent || nursery->wish_count == 0)
		return 0;
	request.kind = nursery->wishes[0].kind;
	nursery->sent = send_request(nursery, &request) == 0;
	return nursery->sent || errno == EAGAIN ? 0 : -1;
}

uint64_t nursery_request(struct nursery *nursery, size_t kind, struct error *error)
{
	const struct wish wish = {.kind = kind, .tag = nursery->tags + 1};

	nursery->wishes = memory_resize(nursery->wishes, nursery->wish_count + 1, sizeof(wish));
	nursery->wishes[nursery->wish_count++] = wish;
	if (nursery->ended || send_wish(nursery) < 0) {
		nursery->wish_count--;
		error_set(error, NURSERY_ENDED);
		return 0;
	}
	return ++nursery->tags;
}

void nursery_give_up(struct nursery *nursery, uint64_t tag)
{
	for (size_t i = 0; i < nursery->wish_count; i++) {
		if (nursery->wishes[i].tag != tag)
			continue;
		nursery->wishes[i].given_up = true;
		if (i > 0 || !nursery->sent)
			remove_wish(nursery, i);
		return;
	}
}

/* Takes over what came with a worker's notice. -1 with the words. */
static int take_worker(struct nursery *nursery, const struct notice *notice, const int fds[2],
                       struct nursery_notice *told)
{
	void *page;

	if (!notice->pid)
		return error_set(&told->error, "cannot start a worker: %s", strerror(notice->status));
	page = mmap(NULL, sizeof(struct worker_page), PROT_READ, MAP_SHARED, fds[1], 0);
	if (page == MAP_FAILED) {
		error_set(&told->error, "cannot map a worker's page: %s", strerror(errno));
		nursery_kill(nursery, notice->pid);
		return -1;
	}
	told->worker = (struct worker){.pid = notice->pid, .socket = fds[0], .page = page};
	return 0;
}

static void close_both(const int fds[2])
{
	for (size_t i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* False: nobody wants it. */
static bool take_spawned(struct nursery *nursery, const struct notice *notice, int fds[2], struct nursery_notice *told)
{
	bool wanted = nursery->sent && !nursery->wishes[0].given_up;

	if (!wanted && notice->pid)
		nursery_kill(nursery, notice->pid);
	else if (wanted && take_worker(nursery, notice, fds, told) == 0)
		fds[0] = -1;
	close_both(fds);
	if (!nursery->sent)
		return false;
	told->tag = nursery->wishes[0].tag;
	remove_wish(nursery, 0);
	nursery->sent = false;
	return wanted;
}

/* The nursery has ended: what was asked for will not come. */
static enum nursery_told tell_end(struct nursery *nursery, struct nursery_notice *told)
{
	nursery->ended = true;
	while (nursery->wish_count > 0) {
		const struct wish wish = nursery->wishes[0];

		remove_wish(nursery, 0);
		nursery->sent = false;
		if (wish.given_up)
			continue;
		told->tag = wish.tag;
		error_set(&told->error, NURSERY_ENDED);
		return NURSERY_SPAWNED;
	}
	return NURSERY_ENDS;
}

/* What has come, without waiting. */
static enum nursery_told read_notice(struct nursery *nursery, struct nursery_notice *told)
{
	for (;;) {
		int fds[FDS_MAX] = {-1, -1}, got;
		struct notice notice;

		*told = (struct nursery_notice){.tag = 0};
		if (nursery->ended)
			return tell_end(nursery, told);
		send_kills(nursery);
		send_wish(nursery);
		got = receive_notice(nursery->control, &notice, fds);
		if (got < 0)
			return tell_end(nursery, told);
		if (got == 0)
			return NURSERY_SILENT;
		if (notice.verb == EXITED) {
			told->pid = notice.pid;
			told->status = notice.status;
			return NURSERY_EXITED;
		}
		if (take_spawned(nursery, &notice, fds, told))
			return NURSERY_SPAWNED;
	}
}

enum nursery_told nursery_next(struct nursery *nursery, struct nursery_notice *told)
{
	if (nursery->kept_count > 0) {
		*told = nursery->kept[0];
		memmove(nursery->kept, nursery->kept + 1, --nursery->kept_count * sizeof(*nursery->kept));
	} else {
		enum nursery_told what = read_notice(nursery, told);

		told->what = what;
	}
	return told->what;
}

/* --- waiting for one --- */

static void keep(struct nursery *nursery, const struct nursery_notice *notice)
{
	nursery->kept = memory_resize(nursery->kept, nursery->kept_count + 1, sizeof(*nursery->kept));
	nursery->kept[nursery->kept_count++] = *notice;
}

/* Waits for the worker; what comes before it is kept. */
static int await_worker(struct nursery *nursery, uint64_t tag, struct nursery_notice *notice)
{
	int64_t deadline = clock_monotonic() + NURSERY_SPAWN_MAX, left;

	while ((left = deadline - clock_monotonic()) > 0) {
		struct pollfd control = {.fd = nursery->control, .events = POLLIN};

		enum nursery_told what = read_notice(nursery, notice);

		notice->what = what;
		if (notice->what == NURSERY_SPAWNED && notice->tag == tag)
			return notice->worker.pid ? 0 : -1;
		if (notice->what == NURSERY_SILENT)
			poll(&control, 1, (int)(left / CLOCK_MILLISECOND) + 1);
		else
			keep(nursery, notice);
	}
	nursery_give_up(nursery, tag);
	return error_set(&notice->error, NURSERY_LATE);
}

int nursery_spawn(struct nursery *nursery, size_t kind, struct worker *worker, struct error *error)
{
	uint64_t tag = nursery_request(nursery, kind, error);
	struct nursery_notice notice;

	if (!tag)
		return -1;
	if (await_worker(nursery, tag, &notice) < 0) {
		*error = notice.error;
		return -1;
	}
	*worker = notice.worker;
	return 0;
}

int nursery_fd(const struct nursery *nursery)
{
	return nursery->control;
}

void worker_release(struct worker *worker)
{
	if (worker->page) {
		munmap(worker->page, sizeof(*worker->page));
		close(worker->socket);
	}
	*worker = (struct worker){0};
}
