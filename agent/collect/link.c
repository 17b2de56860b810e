#include "collect/link.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "collect/wire.h"

int link_open(struct link *link, struct error *error)
{
	link->request = nursery_request(link->nursery, link->kind, error);
	return link->request ? 0 : -1;
}

int link_started(struct link *link, const struct nursery_notice *notice)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = link->whom};

	if (!link->request || notice->tag != link->request)
		return 0;
	link->request = 0;
	if (!notice->worker.pid)
		return -1;
	link->worker = notice->worker;
	epoll_ctl(link->epoll, EPOLL_CTL_ADD, link->worker.socket, &event);
	return 1;
}

void link_close(struct link *link)
{
	if (link->request)
		nursery_give_up(link->nursery, link->request);
	if (link->worker.pid)
		nursery_kill(link->nursery, link->worker.pid);
	link->request = 0;
	worker_release(&link->worker);
	message_clear(&link->in);
	message_clear(&link->out);
}

void link_release(struct link *link)
{
	link_close(link);
	message_release(&link->in);
	message_release(&link->out);
}

static void listen_for(const struct link *link, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = link->whom};

	epoll_ctl(link->epoll, EPOLL_CTL_MOD, link->worker.socket, &event);
}

void link_send(struct link *link, const struct message *message)
{
	bool held_back = link->out.length > 0;

	message_frame(&link->out, message);
	if (!held_back && message_send_some(link->worker.socket, &link->out) == 0)
		listen_for(link, EPOLLIN | EPOLLOUT);
}

static void send_rest(struct link *link)
{
	if (link->out.length > 0 && message_send_some(link->worker.socket, &link->out) == 1)
		listen_for(link, EPOLLIN);
}

int link_receive(struct link *link)
{
	struct epoll_event event = {0};
	int got;

	send_rest(link);
	got = message_receive_some(link->worker.socket, &link->in);
	if (got == 1)
		return 1;
	if (got < 0 && errno == EAGAIN)
		return 0;
	epoll_ctl(link->epoll, EPOLL_CTL_DEL, link->worker.socket, &event);
	return -1;
}

int link_answer(struct link *link)
{
	const char *metric, *instance;
	struct error error = {"there is no agent to be asked"};
	struct message message = {0};
	double value = 0;
	bool good;

	if (link->out.length > 0 || !wire_get_ask(&link->in, &metric, &instance))
		return -1;
	good = link->get && link->get(link->context, metric, instance, &value, &error) == 0;
	wire_put_value(&message, value, NULL, good ? NULL : &error);
	link_send(link, &message);
	message_release(&message);
	return 0;
}

int64_t link_back_off(int64_t pause, int64_t first, int64_t most)
{
	int64_t next = pause ? 2 * pause : first;

	return next < most ? next : most;
}

void link_describe_end(int status, struct error *how)
{
	if (WIFSIGNALED(status))
		error_set(how, "was ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		error_set(how, "has ended with status %d", WEXITSTATUS(status));
}

void link_describe_loss(const struct link *link, bool late, const struct error *how, struct error *words)
{
	char place[WORKER_PLACE_SIZE] = "";

	/* The worker may still write to its page. */
	if (link->worker.page)
		memcpy(place, link->worker.page->place, sizeof(place) - 1);
	if (late)
		error_set(words, "%.400s, so its process was ended", place[0] ? place : how->text);
	else
		error_set(words, "its process %s%s%.400s", how->text, place[0] ? "; " : "", place);
}
