#include "http/server.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "http/access.h"
#include "http/http.h"

/* What strangers may hold of the agent. */
enum { CONNECTIONS_MAX = 256, IDLE_SECONDS_MAX = 30 };

struct http {
	struct report report;
	char address[HTTP_ADDRESS_SIZE];
	struct MHD_Daemon *daemon;
	char hostname[256];
	/* The hot answer, shared by all requests of one generation. HTTP thread only. */
	const struct route *hot_route;
	struct MHD_Response *hot;
	uint64_t hot_generation;
	unsigned hot_status;
	/* Requests that wait for another thread. */
	atomic_uint references; /* one is http_start()'s, one each wait's */
	pthread_mutex_t lock;
	struct wait *waits; /* lock */
};

/* A request that is suspended until somebody calls resume(). */
struct wait {
	struct http *http;
	struct wait *next;                 /* http's lock */
	struct MHD_Connection *connection; /* http's lock; NULL: the server has ended meanwhile */
};

/* One request while its body comes in. */
struct request {
	size_t body_length;
	bool too_large;
	bool waited; /* what its route begins has been begun */
	const struct route *route;
	const char *arguments[ROUTE_ARGUMENTS_MAX]; /* of the route's, in its order; they belong to the connection */
	char *refusal;                              /* what is wrong with them, as JSON, which the answer takes over */
};

static struct MHD_Response *make_response(char *body)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(strlen(body), body, MHD_RESPMEM_MUST_FREE);

	if (!response) {
		free(body);
		return NULL;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	return response;
}

/* Queues an answer with a body of its own. `allow` may be NULL. */
static enum MHD_Result reply(struct MHD_Connection *connection, unsigned status, const char *allow, char *body)
{
	struct MHD_Response *response = make_response(body);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	if (allow)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow);
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

/* The generation is read before the snapshot is taken: a sample that comes in between is rendered once more, never
 * missed. */
static enum MHD_Result reply_hot(struct http *http, struct MHD_Connection *connection, const struct route *route)
{
	uint64_t generation = metric_generation(http->report.metric);

	if (!http->hot || http->hot_route != route || http->hot_generation != generation) {
		struct answer answer = {.status = MHD_HTTP_OK};

		route->answer(&http->report, &answer);
		if (http->hot)
			MHD_destroy_response(http->hot);
		http->hot = make_response(answer.body);
		http->hot_route = route;
		http->hot_generation = generation;
		http->hot_status = answer.status;
	}
	return http->hot ? MHD_queue_response(connection, http->hot_status, http->hot) : MHD_NO;
}

static unsigned method_of(const char *word)
{
	if (strcmp(word, MHD_HTTP_METHOD_GET) == 0 || strcmp(word, MHD_HTTP_METHOD_HEAD) == 0)
		return METHOD_GET;
	return strcmp(word, MHD_HTTP_METHOD_POST) == 0 ? METHOD_POST : 0;
}

static const char *refusal(const struct http *http, struct MHD_Connection *connection)
{
	const struct access access = {
		.host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST),
		.origin = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ORIGIN),
		.referer = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_REFERER),
		.fetch_site = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Sec-Fetch-Site"),
	};

	return access_refusal(&access, http->hostname);
}

/* --- requests that wait ---------------------------------------------------------------------------------------- */

static void release(struct http *http)
{
	if (atomic_fetch_sub(&http->references, 1) > 1)
		return;
	pthread_mutex_destroy(&http->lock);
	free(http);
}

/* A route_done: any thread. */
static void resume(void *context)
{
	struct wait *wait = context, **place;
	struct http *http = wait->http;

	pthread_mutex_lock(&http->lock);
	for (place = &http->waits; *place && *place != wait;)
		place = &(*place)->next;
	if (*place)
		*place = wait->next;
	if (wait->connection)
		MHD_resume_connection(wait->connection);
	pthread_mutex_unlock(&http->lock);
	free(wait);
	release(http);
}

static enum MHD_Result suspend(struct http *http, struct MHD_Connection *connection, const struct route *route)
{
	struct wait *wait = memory_alloc(sizeof(*wait));

	wait->http = http;
	wait->connection = connection;
	atomic_fetch_add(&http->references, 1);
	pthread_mutex_lock(&http->lock);
	wait->next = http->waits;
	http->waits = wait;
	pthread_mutex_unlock(&http->lock);
	MHD_suspend_connection(connection);
	route->begin(&http->report, resume, wait);
	return MHD_YES;
}

/* A server with suspended connections cannot be stopped: they go on, and find it closed. */
static void resume_all(struct http *http)
{
	pthread_mutex_lock(&http->lock);
	for (struct wait *wait = http->waits; wait; wait = wait->next) {
		MHD_resume_connection(wait->connection);
		wait->connection = NULL;
	}
	http->waits = NULL;
	pthread_mutex_unlock(&http->lock);
}

/* --- the query ------------------------------------------------------------------------------------------------- */

/* How much of what was typed is shown again. */
#define SHOWN 60

static char *refuse_argument(const struct route *route, const char *name)
{
	const char *meant = strlen(name) <= SHOWN ? text_nearest(name, route->arguments) : NULL;
	char *list = memory_text(route->arguments[0] ? route->arguments[0] : "none"), *body;

	for (size_t i = 1; route->arguments[0] && route->arguments[i]; i++) {
		char *longer = memory_format("%s, %s", list, route->arguments[i]);

		free(list);
		list = longer;
	}
	if (meant)
		body = report_error("there is no argument \"%.*s\" (did you mean \"%s\"?); there are: %s", SHOWN, name, meant,
		                    list);
	else
		body = report_error("there is no argument \"%.*s\"; there are: %s", SHOWN, name, list);
	free(list);
	return body;
}

static enum MHD_Result take_argument(void *context, enum MHD_ValueKind kind, const char *name, size_t name_length,
                                     const char *value, size_t value_length)
{
	struct request *request = context;
	const char *const *known = request->route->arguments;
	size_t i = 0;

	(void)kind;
	while (known[i] && (strcmp(known[i], name) != 0 || strlen(name) != name_length))
		i++;
	if (!known[i])
		request->refusal = refuse_argument(request->route, name);
	else if (request->arguments[i])
		request->refusal = report_error("the argument \"%s\" comes twice", name);
	else if (value && strlen(value) != value_length)
		request->refusal = report_error("the argument \"%s\" has a NUL in it", name);
	else
		request->arguments[i] = value ? value : "";
	return request->refusal ? MHD_NO : MHD_YES;
}

/* False: they are refused. */
static bool take_arguments(struct MHD_Connection *connection, struct request *request)
{
	memset(request->arguments, 0, sizeof(request->arguments));
	if (request->route->arguments)
		MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, take_argument, request);
	return !request->refusal;
}

const char *answer_argument(const struct answer *answer, const char *name)
{
	const struct request *request = answer->request;

	for (size_t i = 0; request->route->arguments[i]; i++)
		if (strcmp(request->route->arguments[i], name) == 0)
			return request->arguments[i];
	return NULL;
}

/* --- one request ----------------------------------------------------------------------------------------------- */

static enum MHD_Result dispatch(struct http *http, struct MHD_Connection *connection, const char *path,
                                const char *method, struct request *request)
{
	const struct route *route = route_find(path);
	struct answer answer = {.request = request, .status = MHD_HTTP_OK};
	const char *reason;

	request->route = route;
	if (!route) {
		char *list = route_list();
		char *body = report_error("there is no such path; there are: %s", list);

		free(list);
		return reply(connection, MHD_HTTP_NOT_FOUND, NULL, body);
	}
	if (!(route->methods & method_of(method)))
		return reply(connection, MHD_HTTP_METHOD_NOT_ALLOWED, route->allow,
		             report_error("%s is not for %s; it is for: %s", method, path, route->allow));
	if (route->changes && (reason = refusal(http, connection)))
		return reply(connection, MHD_HTTP_FORBIDDEN, NULL, report_error("%s", reason));
	if (!take_arguments(connection, request))
		return reply(connection, MHD_HTTP_BAD_REQUEST, NULL, request->refusal);
	if (route->begin && !request->waited) {
		request->waited = true;
		return suspend(http, connection, route);
	}
	if (route->hot)
		return reply_hot(http, connection, route);
	route->answer(&http->report, &answer);
	return reply(connection, answer.status, NULL, answer.body);
}

static bool announces_too_much(struct MHD_Connection *connection)
{
	const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return length && strtoull(length, NULL, 10) > HTTP_BODY_MAX;
}

static enum MHD_Result reply_too_large(struct MHD_Connection *connection)
{
	return reply(connection, MHD_HTTP_CONTENT_TOO_LARGE, NULL,
	             report_error("the body is longer than %d bytes", HTTP_BODY_MAX));
}

/* Called once with the headers, once for each part of the body, and once at its end (microhttpd.h,
 * MHD_AccessHandlerCallback). No route reads a body yet: it is counted and dropped. */
static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *path, const char *method,
                              const char *version, const char *part, size_t *part_length, void **state)
{
	struct request *request = *state;

	(void)version, (void)part;
	if (!request) {
		*state = memory_alloc(sizeof(*request));
		return announces_too_much(connection) ? reply_too_large(connection) : MHD_YES;
	}
	if (*part_length) {
		request->body_length += *part_length;
		*part_length = 0;
		return MHD_YES;
	}
	if (request->body_length > HTTP_BODY_MAX)
		return reply_too_large(connection);
	return dispatch(context, connection, path, method, request);
}

static void end_request(void *context, struct MHD_Connection *connection, void **state,
                        enum MHD_RequestTerminationCode code)
{
	(void)context, (void)connection, (void)code;
	free(*state);
	*state = NULL;
}

static void log_message(void *context, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

static void log_message(void *context, const char *format, va_list args)
{
	char text[512];

	(void)context;
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	log_warning("http: %s", text);
}

struct http *http_start(int listener, const struct report *report, struct error *error)
{
	struct http *http = memory_alloc(sizeof(*http));

	http->report = *report;
	snprintf(http->address, sizeof(http->address), "%s", report->address);
	http->report.address = http->address;
	atomic_init(&http->references, 1);
	pthread_mutex_init(&http->lock, NULL);
	gethostname(http->hostname, sizeof(http->hostname) - 1);
	http->daemon =
		MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
	                     handle, http, MHD_OPTION_EXTERNAL_LOGGER, log_message, NULL, MHD_OPTION_LISTEN_SOCKET,
	                     listener, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
	                     MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS_MAX, MHD_OPTION_NOTIFY_COMPLETED,
	                     end_request, NULL, MHD_OPTION_END);
	if (http->daemon)
		return http;
	error_set(error, "cannot serve HTTP: libmicrohttpd does not start");
	close(listener);
	release(http);
	return NULL;
}

void http_leave(struct http *http)
{
	int listener = (int)MHD_quiesce_daemon(http->daemon);

	if (listener >= 0)
		close(listener);
}

unsigned http_connections(struct http *http)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return info ? info->num_connections : 0;
}

void http_stop(struct http *http)
{
	resume_all(http);
	MHD_stop_daemon(http->daemon);
	if (http->hot)
		MHD_destroy_response(http->hot);
	release(http);
}
