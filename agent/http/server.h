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

struct answer {
	unsigned status;
	char *body; /* JSON; taken over by the server, for free() */
};

typedef void route_done(void *context);

struct route {
	const char *path;
	unsigned methods;  /* of enum method */
	const char *allow; /* the same for people: the Allow header of a 405 (RFC 9110, section 10.2.1) */
	bool changes;      /* changes state: who asks is checked (access.h) */
	bool hot;          /* its answer is the same until a new sample comes: made once a generation, shared by all */
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
