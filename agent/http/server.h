/* http/server.h: what routes.c and server.c show each other. HTTP thread, but for what a slow route calls. */
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

#define ANSWER_HEADERS_MAX 8
struct answer_header {
	const char *name; /* constant */
	char *value;      /* the answer's */
};

/* What is said. All that it points to is taken over by the server. */
struct answer {
	const struct request *request; /* NULL for a hot route, whose answer does not depend on it */
	unsigned status;
	const char *type;            /* Content-Type; constant */
	char *body;                  /* for free(), but where it is `lasting`; of a stream, its beginning */
	size_t length;               /* bytes; 0: that of the text */
	bool lasting;                /* the body is constant and belongs to the program */
	struct report_stream stream; /* what follows part by part, where `next` is set: each is made on a reader's thread */
	size_t header_count;
	struct answer_header headers[ANSWER_HEADERS_MAX];
};

/* An argument of the query, decoded: "-6h" of /api/v1/gaps?from=-6h. "" where it has no value; NULL: it is not there.
 * `name` is one of the route's arguments. Valid until the answer is made, as all of the following. */
const char *answer_argument(const struct answer *answer, const char *name);

/* What follows the path of a route that has something below it, decoded: "cpu.png" of /graph/cpu.png. */
const char *answer_below(const struct answer *answer);

/* A header of the request; NULL: it was not sent. Those that somebody asks for are named in server.c. */
const char *answer_asked(const struct answer *answer, const char *name);

/* Sets a header of the answer, `name` being constant. The same name again replaces it. Cache-Control is "no-store" where
 * nobody says otherwise. */
void answer_tell(struct answer *answer, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The most arguments that a route may have. */
#define ROUTE_ARGUMENTS_MAX 8

typedef void route_done(void *context);

struct route {
	const char *path;
	bool below;        /* it is for all paths that begin with `path`, which ends with a slash */
	unsigned methods;  /* of enum method */
	const char *allow; /* the same for people: the Allow header of a 405 (RFC 9110, section 10.2.1) */
	bool changes;      /* changes state: who asks is checked (access.h) */
	bool hot;          /* its answer is the same until a new sample comes: made once a generation, shared by all */
	bool slow;         /* `answer` waits for a disk or a child: it is called on a reader's thread (readers.h) */

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

/* The place of a route in their table, and how many there are. */
size_t route_place(const struct route *route);
size_t route_count(void);

/* The paths that there are, for a 404: "/start, /stop, …". A new text for free(). */
char *route_list(void);

#endif
