/* http/http.h: the agent's face to the network.
 *
 *     listen.c  the socket, bound early, so that a port in use is told before anything starts
 *     server.c  libmicrohttpd, one thread; the only file that calls it
 *     readers.c threads for answers that wait for a disk or a child
 *     routes.c  the table of routes and their handlers
 *     assets.c  the files of the dashboard, which are in the program
 *     access.c  who may change the agent's state: Host, Origin, Sec-Fetch-Site, Referer   (pure)
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "base/error.h"
#include "http/readers.h"
#include "report/report.h"

/* The longest body of a request; a longer one is answered with 413. */
#define HTTP_BODY_MAX 65536

/* Binds an address ("127.0.0.1", "::1", "localhost"; port 0: the kernel chooses) and listens. Returns a descriptor, and in `address` "http://127.0.0.1:43210" with the port
 * that the kernel chose; or -1 with the words, and errno. Nothing is served before http_start(). */
#define HTTP_ADDRESS_SIZE 96
int http_listen(const char *host, unsigned port, char address[HTTP_ADDRESS_SIZE], struct error *error);

struct http;

/* Serves from now on, on a thread of its own. Takes over `listener`, also when it fails. The rooms of `report`, and its
 * address, are copied; the rooms, and the readers, outlive it, the readers alone what was asked of them. */
struct http *http_start(int listener, const struct report *report, struct readers *readers, struct error *error);

/* Answers no new connection any more: the address is free for others. Requests that are under way are answered. */
void http_leave(struct http *http);

/* How many connections there are. */
unsigned http_connections(struct http *http);

/* Ends it, and every connection. */
void http_stop(struct http *http);

#endif
