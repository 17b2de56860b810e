#include "store/daemon.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <rrd.h>
/* Needs what rrd.h declares. */
#include <rrd_client.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"

/* Pauses between attempts to connect. */
#define PAUSE_FIRST (100 * CLOCK_MILLISECOND)
#define PAUSE_LAST (3 * CLOCK_SECOND)

/* What one request may hold: the daemon's limit, less the command and some ends of strings. */
#define REQUEST_MAX (RRD_CMD_MAX - 64)

struct daemon {
	char *address;
	bool connected;
	int socket;          /* of librrd's client */
	ino_t inode;         /* of the socket: tells one from the next, which gets the same number */
	uint64_t number;     /* of the connection */
	int64_t next, pause; /* of attempts: monotonic, ns */
	struct error words;  /* of the last attempt */
};

struct daemon *daemon_new(const char *address)
{
	struct daemon *daemon = memory_alloc(sizeof(*daemon));

	daemon->address = memory_text(address);
	daemon->socket = -1;
	return daemon;
}

static void disconnect(struct daemon *daemon)
{
	if (daemon->connected)
		rrdc_disconnect();
	daemon->connected = false;
	daemon->socket = -1;
}

void daemon_free(struct daemon *daemon)
{
	if (!daemon)
		return;
	disconnect(daemon);
	free(daemon->address);
	free(daemon);
}

/* --- connecting ------------------------------------------------------------------------------------------------ */

/* What librrd says, for people. */
static int tell(const struct daemon *daemon, struct error *error)
{
	const char *words = rrd_get_error();
	char *mark = memory_format("rrdcached@%s: ", daemon->address);

	if (strncmp(words, mark, strlen(mark)) == 0)
		words += strlen(mark);
	error_set(error, "rrdcached at %s: %s", daemon->address, *words ? words : "no answer");
	free(mark);
	rrd_clear_error();
	return -1;
}

static ino_t inode_of(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode) ? status.st_ino : 0;
}

/* A socket of this process that is connected to where `other` is, which is connected there, too. -1: there is none. */
static int find_socket(int other)
{
	struct sockaddr_storage there, here;
	socklen_t size = sizeof(there), here_size;
	DIR *entries = opendir("/proc/self/fd");
	const struct dirent *entry;
	int found = -1;

	if (getpeername(other, (struct sockaddr *)&there, &size) < 0)
		size = 0;
	while (entries && size > 0 && found < 0 && (entry = readdir(entries))) {
		int fd = atoi(entry->d_name);

		here_size = sizeof(here);
		if (fd > 0 && fd != other && getpeername(fd, (struct sockaddr *)&here, &here_size) == 0 && here_size == size &&
		    memcmp(&here, &there, size) == 0)
			found = fd;
	}
	if (entries)
		closedir(entries);
	return found;
}

static int call(const char *address, struct error *error)
{
	struct sockaddr_un place = {.sun_family = AF_UNIX};
	const char *path = strncmp(address, "unix:", 5) == 0 ? address + 5 : address;
	int fd;

	if (strlen(path) >= sizeof(place.sun_path))
		return error_set(error, "cannot reach rrdcached at %s: the path is too long", address);
	strcpy(place.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&place, sizeof(place)) == 0)
		return fd;
	error_set(error, "cannot reach rrdcached at %s: %s; see store { rrdcached = … }", address, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

bool daemon_is_up(struct daemon *daemon)
{
	struct pollfd socket = {.fd = daemon->socket, .events = POLLIN | POLLRDHUP};

	if (!daemon->connected)
		return false;
	if (rrdc_is_connected(daemon->address) && inode_of(daemon->socket) == daemon->inode && poll(&socket, 1, 0) == 0)
		return true;
	error_set(&daemon->words, "rrdcached at %s has ended", daemon->address);
	disconnect(daemon);
	/* It may be there again already. */
	daemon->next = 0;
	daemon->pause = PAUSE_FIRST;
	return false;
}

/* A first call, of our own, tells better what is wrong, and where librrd's socket leads to. */
static int try_to_connect(struct daemon *daemon)
{
	int own = call(daemon->address, &daemon->words), failed = 0;

	if (own < 0)
		return -1;
	rrd_clear_error();
	if (rrdc_connect(daemon->address) != 0) {
		failed = tell(daemon, &daemon->words);
	} else if ((daemon->socket = find_socket(own)) < 0) {
		failed = error_set(&daemon->words, "cannot find the socket that leads to rrdcached at %s", daemon->address);
		rrdc_disconnect();
	} else {
		fcntl(daemon->socket, F_SETFD, FD_CLOEXEC);
		daemon->inode = inode_of(daemon->socket);
		daemon->connected = true;
		daemon->number++;
	}
	close(own);
	return failed;
}

uint64_t daemon_connect(struct daemon *daemon, bool urgent, struct error *error)
{
	int64_t now = clock_monotonic();

	if (daemon_is_up(daemon))
		return daemon->number;
	if (urgent || now >= daemon->next) {
		if (try_to_connect(daemon) == 0) {
			daemon->next = daemon->pause = 0;
			return daemon->number;
		}
		daemon->pause = daemon->pause < PAUSE_FIRST ? PAUSE_FIRST : 2 * daemon->pause;
		if (daemon->pause > PAUSE_LAST)
			daemon->pause = PAUSE_LAST;
		daemon->next = now + daemon->pause;
	}
	*error = daemon->words;
	return 0;
}

/* --- asking ---------------------------------------------------------------------------------------------------- */

/* What became of a request that librrd gave `status` for. */
static enum daemon_answer judge(struct daemon *daemon, int status, struct error *error)
{
	if (!daemon_is_up(daemon)) {
		/* Functions of librrd fail that find an old error. */
		rrd_clear_error();
		*error = daemon->words;
		return DAEMON_GONE;
	}
	if (status == 0)
		return DAEMON_DONE;
	tell(daemon, error);
	return strstr(error->text, "illegal attempt to update") ? DAEMON_OLD : DAEMON_REFUSED;
}

/* Bytes that a path takes in a request, where spaces and backslashes are doubled. The client sends it as it really is. */
static size_t path_size(const char *path)
{
	char *real = realpath(path, NULL);
	size_t size = 1;

	for (const char *c = real ? real : path; *c; c++)
		size += *c == ' ' || *c == '\\' ? 2 : 1;
	free(real);
	return size;
}

bool daemon_takes(const char *path, size_t length)
{
	return path_size(path) + length + 1 <= REQUEST_MAX;
}

enum daemon_answer daemon_update(struct daemon *daemon, const char *path, size_t count, const char *const *lines,
                                 size_t *taken, struct error *error)
{
	size_t room = REQUEST_MAX - path_size(path);
	enum daemon_answer answer;

	*taken = 0;
	for (size_t from = 0, to; from < count; from = *taken = to) {
		size_t length = 0;

		for (to = from; to < count && length + strlen(lines[to]) + 1 <= room; to++)
			length += strlen(lines[to]) + 1;
		if (to == from)
			return error_set(error, "%s: a line is too long for rrdcached", path), DAEMON_REFUSED;
		if (!daemon->connected)
			return *error = daemon->words, DAEMON_GONE;
		rrd_clear_error();
		answer = judge(daemon, rrdc_update(path, (int)(to - from), lines + from), error);
		if (answer != DAEMON_DONE)
			return answer;
	}
	return DAEMON_DONE;
}

/* A file that the daemon does not know is no error: there is nothing that it could lose. */
static enum daemon_answer ask(struct daemon *daemon, int (*request)(const char *), const char *path,
                              struct error *error)
{
	enum daemon_answer answer;

	if (!daemon->connected)
		return *error = daemon->words, DAEMON_GONE;
	rrd_clear_error();
	answer = judge(daemon, request(path), error);
	return answer == DAEMON_REFUSED && strstr(error->text, "No such file") ? DAEMON_DONE : answer;
}

enum daemon_answer daemon_flush(struct daemon *daemon, const char *path, struct error *error)
{
	return ask(daemon, rrdc_flush, path, error);
}

enum daemon_answer daemon_forget(struct daemon *daemon, const char *path, struct error *error)
{
	return ask(daemon, rrdc_forget, path, error);
}
