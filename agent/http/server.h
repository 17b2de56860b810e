/* http/server.h: what routes.c and server.c show each other. HTTP thread only. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "report/report.h"

enum method {
	METHOD_GET = 1, /* HEAD as well: the server leaves the body out */
	METHOD_POST = 2,
};

/* The request that is being answered. */
struct request;

struct answer {
	const struct request *request; /* NULL for a hot route, whose answer does not depend on it */
	unsigned status;
	char *body; /* JSON; taken over by the server, for free() */
};

/* An argument of the query, decoded: "-6h" of /api/v1/gaps?from=-6h. "" where it has no value; NULL: it is not there.
 * `name` is one of the route's arguments. Valid until the answer is made. */
const char *answer_argument(const struct answer *answer, const char *name);

/* The most arguments that a route may have. */
#define ROUTE_ARGUMENTS_MAX 8

typedef void route_done(void *context);

struct route {
	const char *path;
	unsigned methods;  /* of enum method */
	const char *allow; /* the same for people: the Allow header of a 405 (RFC 9110, section 10.2.1) */
	bool changes;      /* changes state: who asks is checked (access.h) */
	bool hot;          /* its answer is the same until a new sample comes: made once a generation, shared by all */

	/* The arguments that it takes, ended by NULL: any other is refused with a 400 that names them, as is one that comes
	 * twice. NULL: it takes none, and passes over what comes, as the first pindrop did. */
	const char *const *arguments;

	void (*answer)(const struct report *report, struct answer *answer);

	/* Begins what has to be waited for before `answer` is called, without waiting: it calls done(context) once, on any
	 * thread. NULL: nothing. Meanwhile other requests are served. */
	void (*begin)(const struct report *report, route_done *done, void *context);
};

/* NULL: there is no such path. */
const struct route *route_find(const char *path);

/* The paths that there are, for a 404: "/start, /stop, …". A new text for free(). */
char *route_list(void);

#endif
