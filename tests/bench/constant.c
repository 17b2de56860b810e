/* constant: libmicrohttpd with the agent's settings, serving one constant body: the most that /get_stats could do.
 *
 *     constant FILE      prints "listening on http://127.0.0.1:43210", serves FILE for every request until it is killed */
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* As in agent/http/server.c. */
#define CONNECTIONS_MAX 256u
#define IDLE_SECONDS_MAX 30u

static enum MHD_Result handle(void *response, struct MHD_Connection *connection, const char *path, const char *method,
                              const char *version, const char *body, size_t *body_size, void **state)
{
	static char seen;

	(void)path, (void)method, (void)version, (void)body, (void)body_size;
	/* libmicrohttpd calls once for the headers, and once more for the end of the request. */
	if (!*state) {
		*state = &seen;
		return MHD_YES;
	}
	return MHD_queue_response(connection, MHD_HTTP_OK, response);
}

static struct MHD_Response *load(const char *path)
{
	static char text[1 << 20];
	FILE *file = fopen(path, "r");
	size_t size = file ? fread(text, 1, sizeof(text), file) : 0;
	struct MHD_Response *response = MHD_create_response_from_buffer(size, text, MHD_RESPMEM_PERSISTENT);

	if (file)
		fclose(file);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	return size ? response : NULL;
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct MHD_Response *response = argc == 2 ? load(argv[1]) : NULL;

	if (!response || bind(listener, (struct sockaddr *)&address, length) != 0 || listen(listener, SOMAXCONN) != 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &length) != 0) {
		fprintf(stderr, "constant: cannot serve \"%s\"\n", argc == 2 ? argv[1] : "");
		return 1;
	}
	if (!MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL, handle, response,
	                      MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
	                      MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS_MAX, MHD_OPTION_END))
		return 1;
	printf("listening on http://127.0.0.1:%d\n", ntohs(address.sin_port));
	fflush(stdout);
	pause();
	return 0;
}
