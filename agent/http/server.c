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

/* So much of a stream is handed to the socket at once, bytes. */
enum { FLOW_BLOCK = 32768 };

/* The answer of a hot route, shared by all requests of one generation. */
struct hot {
	struct MHD_Response *response;
	uint64_t generation;
	unsigned status;
};

struct http {
	struct report report;
	char address[HTTP_ADDRESS_SIZE];
	struct MHD_Daemon *daemon;
	struct readers *readers;
	char hostname[256];
	struct hot *hot; /* as many as there are routes. HTTP thread only */
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
	readers_work *work;                /* what a reader does before it goes on; NULL: another thread does something */
	void *context;
};

/* The headers that routes ask for: answer_asked(). */
static const char *const asked[] = {MHD_HTTP_HEADER_ACCEPT, MHD_HTTP_HEADER_ACCEPT_ENCODING,
                                    MHD_HTTP_HEADER_IF_NONE_MATCH};
#define ASKED (sizeof(asked) / sizeof(asked[0]))

enum progress { UNREAD, READING, READ };

/* One request, from its headers to its answer. It outlives its connection where a reader is still at it. */
struct request {
	atomic_uint references; /* the connection's, and that of a reader */
	struct http *http;
	size_t body_length;
	bool waited;                    /* what its route begins has been begun */
	_Atomic enum progress progress; /* while a reader is at it, `answer` is its */
	const struct route *route;
	char *below;
	char *arguments[ROUTE_ARGUMENTS_MAX]; /* of the route's, in its order */
	char *asked[ASKED];                   /* what was sent of these headers */
	char *refusal;                        /* what is wrong with the arguments, as JSON; the answer takes it over */
	struct answer answer;
};

/* An answer that comes part by part. */
struct flow {
	atomic_uint references; /* the response's, and that of a reader */
	struct http *http;
	struct MHD_Connection *connection;
	struct report_stream stream;
	char *part; /* what is being sent; NULL: it is to be made */
	size_t length, sent;
	bool ended;
	atomic_bool making; /* all of the above is a reader's now */
};

/* --- answers ---------------------------------------------------------------------------------------------------- */

void answer_tell(struct answer *answer, const char *name, const char *format, ...)
{
	struct answer_header *header = answer->headers;
	va_list args;

	while (header < answer->headers + answer->header_count && strcmp(header->name, name) != 0)
		header++;
	if (header == answer->headers + ANSWER_HEADERS_MAX)
		return;
	if (header == answer->headers + answer->header_count)
		answer->header_count++;
	free(header->value);
	header->name = name;
	va_start(args, format);
	header->value = memory_vformat(format, args);
	va_end(args);
}

static void answer_release(struct answer *answer)
{
	if (!answer->lasting)
		free(answer->body);
	if (answer->stream.end)
		answer->stream.end(answer->stream.context);
	for (size_t i = 0; i < answer->header_count; i++)
		free(answer->headers[i].value);
	*answer = (struct answer){0};
}

static ssize_t read_flow(void *context, uint64_t position, char *bytes, size_t room);
static void release_flow(void *context);

static struct MHD_Response *begin_flow(struct http *http, struct MHD_Connection *connection, struct answer *answer)
{
	struct flow *flow = memory_alloc(sizeof(*flow));

	atomic_init(&flow->references, 1);
	flow->http = http;
	flow->connection = connection;
	flow->stream = answer->stream;
	flow->part = answer->body;
	flow->length = answer->body ? strlen(answer->body) : 0;
	answer->body = NULL;
	answer->stream = (struct report_stream){0};
	return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, FLOW_BLOCK, read_flow, flow, release_flow);
}

static struct MHD_Response *make_body(struct http *http, struct MHD_Connection *connection, struct answer *answer)
{
	size_t length = answer->length || !answer->body ? answer->length : strlen(answer->body);
	struct MHD_Response *response;

	if (answer->stream.next)
		return begin_flow(http, connection, answer);
	response = MHD_create_response_from_buffer(length, answer->body,
	                                           answer->lasting ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_FREE);
	if (response)
		answer->body = NULL;
	return response;
}

/* Takes all of the answer over; `connection` is that of one with a stream. NULL: there is no memory. */
static struct MHD_Response *make_response(struct http *http, struct MHD_Connection *connection, struct answer *answer)
{
	const char *type = answer->type ? answer->type : "application/json";
	struct MHD_Response *response = make_body(http, connection, answer);

	for (size_t i = 0; response && i < answer->header_count; i++)
		MHD_add_response_header(response, answer->headers[i].name, answer->headers[i].value);
	if (response) {
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
		if (!MHD_get_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL))
			MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	}
	answer_release(answer);
	return response;
}

static enum MHD_Result reply(struct http *http, struct MHD_Connection *connection, struct answer *answer)
{
	unsigned status = answer->status;
	struct MHD_Response *response = make_response(http, connection, answer);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

/* `body` is taken over. */
static enum MHD_Result refuse(struct http *http, struct MHD_Connection *connection, unsigned status, char *body)
{
	struct answer answer = {.status = status, .body = body};

	return reply(http, connection, &answer);
}

/* The generation is read before the snapshot is taken: a sample that comes in between is rendered once more, never
 * missed. */
static enum MHD_Result reply_hot(struct http *http, struct MHD_Connection *connection, const struct route *route)
{
	uint64_t generation = metric_generation(http->report.metric);
	struct hot *hot = &http->hot[route_place(route)];

	if (!hot->response || hot->generation != generation) {
		struct answer answer = {.status = MHD_HTTP_OK};

		route->answer(&http->report, &answer);
		if (hot->response)
			MHD_destroy_response(hot->response);
		hot->status = answer.status;
		hot->generation = generation;
		hot->response = make_response(http, NULL, &answer);
	}
	return hot->response ? MHD_queue_response(connection, hot->status, hot->response) : MHD_NO;
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
	free(http->hot);
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

/* A readers_work. */
static void work(void *context)
{
	struct wait *wait = context;

	wait->work(wait->context);
	resume(wait);
}

/* With http's lock: who resumes it waits until it is suspended. */
static struct wait *new_wait(struct http *http, struct MHD_Connection *connection)
{
	struct wait *wait = memory_alloc(sizeof(*wait));

	wait->http = http;
	wait->connection = connection;
	wait->next = http->waits;
	http->waits = wait;
	atomic_fetch_add(&http->references, 1);
	MHD_suspend_connection(connection);
	return wait;
}

static enum MHD_Result suspend(struct http *http, struct MHD_Connection *connection, const struct route *route)
{
	struct wait *wait;

	pthread_mutex_lock(&http->lock);
	wait = new_wait(http, connection);
	pthread_mutex_unlock(&http->lock);
	route->begin(&http->report, resume, wait);
	return MHD_YES;
}

/* Suspends it while a reader does something for it. Where there is none (no thread can be had) it is done here. */
static void suspend_for(struct http *http, struct MHD_Connection *connection, readers_work *what, void *context)
{
	struct wait *wait;
	bool put;

	pthread_mutex_lock(&http->lock);
	wait = new_wait(http, connection);
	wait->work = what;
	wait->context = context;
	put = readers_put(http->readers, work, wait);
	pthread_mutex_unlock(&http->lock);
	if (!put)
		work(wait);
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

/* --- what readers do --------------------------------------------------------------------------------------------- */

/* An MHD_ContentReaderFreeCallback, and for a reader that is done. */
static void release_flow(void *context)
{
	struct flow *flow = context;

	if (atomic_fetch_sub(&flow->references, 1) > 1)
		return;
	if (flow->stream.end)
		flow->stream.end(flow->stream.context);
	free(flow->part);
	free(flow);
}

/* A readers_work. */
static void make_part(void *context)
{
	struct flow *flow = context;

	flow->part = flow->stream.next(flow->stream.context);
	flow->length = flow->part ? strlen(flow->part) : 0;
	flow->sent = 0;
	flow->ended = !flow->part;
	flow->making = false;
	release_flow(flow);
}

/* An MHD_ContentReaderCallback: 0 of a connection that is suspended, until it goes on. One that goes on because the server
 * ends (resume_all) finds its reader still at it. */
static ssize_t read_flow(void *context, uint64_t position, char *bytes, size_t room)
{
	struct flow *flow = context;
	size_t length;

	(void)position;
	if (flow->making)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (flow->ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	length = flow->length - flow->sent < room ? flow->length - flow->sent : room;
	if (length > 0) {
		memcpy(bytes, flow->part + flow->sent, length);
		flow->sent += length;
		return (ssize_t)length;
	}
	free(flow->part);
	flow->part = NULL;
	flow->length = flow->sent = 0;
	flow->making = true;
	atomic_fetch_add(&flow->references, 1);
	suspend_for(flow->http, flow->connection, make_part, flow);
	return 0;
}

static void release_request(struct request *request)
{
	if (atomic_fetch_sub(&request->references, 1) > 1)
		return;
	for (size_t i = 0; i < ROUTE_ARGUMENTS_MAX; i++)
		free(request->arguments[i]);
	for (size_t i = 0; i < ASKED; i++)
		free(request->asked[i]);
	free(request->below);
	free(request->refusal);
	answer_release(&request->answer);
	free(request);
}

/* A readers_work. */
static void make_answer(void *context)
{
	struct request *request = context;

	request->route->answer(&request->http->report, &request->answer);
	request->progress = READ;
	release_request(request);
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
		request->arguments[i] = memory_text(value ? value : "");
	return request->refusal ? MHD_NO : MHD_YES;
}

/* Keeps what the route may want to know of the request. False: its arguments are refused. */
static bool take_request(struct MHD_Connection *connection, const char *path, struct request *request)
{
	const struct route *route = request->route;

	if (route->below)
		request->below = memory_text(path + strlen(route->path));
	for (size_t i = 0; i < ASKED; i++) {
		const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, asked[i]);

		request->asked[i] = value ? memory_text(value) : NULL;
	}
	if (route->arguments)
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

const char *answer_below(const struct answer *answer)
{
	return answer->request->below;
}

const char *answer_asked(const struct answer *answer, const char *name)
{
	for (size_t i = 0; i < ASKED; i++)
		if (strcmp(asked[i], name) == 0)
			return answer->request->asked[i];
	return NULL;
}

/* --- one request ----------------------------------------------------------------------------------------------- */

static enum MHD_Result refuse_path(struct http *http, struct MHD_Connection *connection)
{
	char *list = route_list();
	char *body = report_error("there is no such path; there are: %s", list);

	free(list);
	return refuse(http, connection, MHD_HTTP_NOT_FOUND, body);
}

static enum MHD_Result refuse_method(struct http *http, struct MHD_Connection *connection, const struct route *route,
                                     const char *path, const char *method)
{
	struct answer answer = {.status = MHD_HTTP_METHOD_NOT_ALLOWED};

	answer.body = report_error("%s is not for %s; it is for: %s", method, path, route->allow);
	answer_tell(&answer, MHD_HTTP_HEADER_ALLOW, "%s", route->allow);
	return reply(http, connection, &answer);
}

/* The arguments are good, and who asks may. */
static enum MHD_Result obey(struct http *http, struct MHD_Connection *connection, struct request *request)
{
	const struct route *route = request->route;

	if (route->begin && !request->waited) {
		request->waited = true;
		return suspend(http, connection, route);
	}
	request->answer = (struct answer){.request = request, .status = MHD_HTTP_OK};
	if (route->slow) {
		request->progress = READING;
		atomic_fetch_add(&request->references, 1);
		suspend_for(http, connection, make_answer, request);
		return MHD_YES;
	}
	route->answer(&http->report, &request->answer);
	return reply(http, connection, &request->answer);
}

static enum MHD_Result dispatch(struct http *http, struct MHD_Connection *connection, const char *path,
                                const char *method, struct request *request)
{
	const struct route *route = route_find(path);
	const char *reason;

	if (request->progress == READ)
		return reply(http, connection, &request->answer);
	/* The server ends. */
	if (request->progress == READING)
		return MHD_NO;
	if (request->waited)
		return obey(http, connection, request);
	request->route = route;
	if (!route)
		return refuse_path(http, connection);
	if (!(route->methods & method_of(method)))
		return refuse_method(http, connection, route, path, method);
	if (route->changes && (reason = refusal(http, connection)))
		return refuse(http, connection, MHD_HTTP_FORBIDDEN, report_error("%s", reason));
	if (route->hot)
		return reply_hot(http, connection, route);
	if (!take_request(connection, path, request)) {
		char *body = request->refusal;

		request->refusal = NULL;
		return refuse(http, connection, MHD_HTTP_BAD_REQUEST, body);
	}
	return obey(http, connection, request);
}

static bool announces_too_much(struct MHD_Connection *connection)
{
	const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return length && strtoull(length, NULL, 10) > HTTP_BODY_MAX;
}

static enum MHD_Result reply_too_large(struct http *http, struct MHD_Connection *connection)
{
	return refuse(http, connection, MHD_HTTP_CONTENT_TOO_LARGE,
	              report_error("the body is longer than %d bytes", HTTP_BODY_MAX));
}

/* Called once with the headers, once for each part of the body, once at its end (microhttpd.h,
 * MHD_AccessHandlerCallback), and once more after each time that it was suspended. No route reads a body yet: it is counted
 * and dropped. */
static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *path, const char *method,
                              const char *version, const char *part, size_t *part_length, void **state)
{
	struct http *http = context;
	struct request *request = *state;

	(void)version, (void)part;
	if (!request) {
		*state = request = memory_alloc(sizeof(*request));
		atomic_init(&request->references, 1);
		request->http = http;
		return announces_too_much(connection) ? reply_too_large(http, connection) : MHD_YES;
	}
	if (*part_length) {
		request->body_length += *part_length;
		*part_length = 0;
		return MHD_YES;
	}
	if (request->body_length > HTTP_BODY_MAX)
		return reply_too_large(http, connection);
	return dispatch(http, connection, path, method, request);
}

static void end_request(void *context, struct MHD_Connection *connection, void **state,
                        enum MHD_RequestTerminationCode code)
{
	(void)context, (void)connection, (void)code;
	if (*state)
		release_request(*state);
	*state = NULL;
}

static void log_message(void *context, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

static void log_message(void *context, const char *format, va_list args)
{
	char text[512];

	(void)context;
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	/* A client that goes away in the middle of an answer is no trouble of ours. */
	if (strstr(text, "remote peer") || strncmp(text, "Failed to send", strlen("Failed to send")) == 0)
		return;
	log_warning("http: %s", text);
}

struct http *http_start(int listener, const struct report *report, struct readers *readers, struct error *error)
{
	struct http *http = memory_alloc(sizeof(*http));

	http->report = *report;
	snprintf(http->address, sizeof(http->address), "%s", report->address);
	http->report.address = http->address;
	http->readers = readers;
	http->hot = memory_array(route_count(), sizeof(*http->hot));
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
	for (size_t i = 0; i < route_count(); i++)
		if (http->hot[i].response)
			MHD_destroy_response(http->hot[i].response);
	release(http);
}
