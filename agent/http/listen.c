#include "base/memory.h"
#include "http/http.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *advice(int number)
{
	switch (number) {
	case EADDRINUSE:
		return "another program listens there; choose another port in agent { listen = … }, or 0 for any";
	case EACCES:
		return "ports below 1024 need CAP_NET_BIND_SERVICE; choose a higher one in agent { listen = … }";
	case EADDRNOTAVAIL:
		return "this machine has no such address; see agent { listen = … }";
	default:
		return "see agent { listen = … }";
	}
}

static int bind_one(const struct addrinfo *found)
{
	int on = 1, saved;
	int fd = socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, found->ai_protocol);

	if (fd < 0)
		return -1;
	/* A restart must not wait for the connections of the run before (socket(7)). */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static void tell_address(int fd, char address[HTTP_ADDRESS_SIZE])
{
	struct sockaddr_storage bound = {0};
	socklen_t length = sizeof(bound);
	char host[64] = "?", port[16] = "?";

	if (getsockname(fd, (struct sockaddr *)&bound, &length) == 0)
		getnameinfo((struct sockaddr *)&bound, length, host, sizeof(host), port, sizeof(port),
		            NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(address, HTTP_ADDRESS_SIZE, bound.ss_family == AF_INET6 ? "http://[%s]:%s" : "http://%s:%s", host, port);
}

int http_listen(const char *host, unsigned port, char address[HTTP_ADDRESS_SIZE], struct error *error)
{
	const struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	char service[8];
	int fd = -1, failure;

	snprintf(service, sizeof(service), "%u", port);
	failure = getaddrinfo(host, service, &hints, &found);
	if (failure) {
		errno = 0;
		return error_set(error, "cannot listen on %s:%s: %s", host, service, gai_strerror(failure));
	}
	errno = EADDRNOTAVAIL;
	for (const struct addrinfo *one = found; one && fd < 0; one = one->ai_next)
		fd = bind_one(one);
	failure = errno;
	freeaddrinfo(found);
	if (fd < 0) {
		error_set(error, "cannot listen on %s:%s: %s: %s", host, service, strerror(failure), advice(failure));
		errno = failure;
		return -1;
	}
	tell_address(fd, address);
	return fd;
}
