#include "config/standing.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"

struct standing {
	pthread_mutex_t lock;
	struct standing_view view;
};

static struct text_list copy(const struct text_list *lines)
{
	struct text_list copied = {0};

	for (size_t i = 0; i < lines->count; i++)
		text_list_add(&copied, memory_text(lines->texts[i]));
	return copied;
}

struct standing *standing_new(const char *file)
{
	struct standing *standing = memory_alloc(sizeof(*standing));

	pthread_mutex_init(&standing->lock, NULL);
	standing->view.file = memory_text(file);
	return standing;
}

void standing_free(struct standing *standing)
{
	if (!standing)
		return;
	free((char *)standing->view.file);
	text_list_release(&standing->view.mistakes);
	text_list_release(&standing->view.refused);
	pthread_mutex_destroy(&standing->lock);
	free(standing);
}

void standing_good(struct standing *standing, struct text_list *refused)
{
	struct standing_view *view = &standing->view;

	pthread_mutex_lock(&standing->lock);
	view->reloads += view->since != 0;
	view->since = clock_wall();
	view->tried = 0;
	text_list_release(&view->mistakes);
	text_list_release(&view->refused);
	view->refused = *refused;
	*refused = (struct text_list){0};
	pthread_mutex_unlock(&standing->lock);
}

void standing_bad(struct standing *standing, const struct text_list *mistakes)
{
	struct standing_view *view = &standing->view;

	pthread_mutex_lock(&standing->lock);
	view->tried = clock_wall();
	text_list_release(&view->mistakes);
	view->mistakes = copy(mistakes);
	pthread_mutex_unlock(&standing->lock);
}

void standing_look(struct standing *standing, struct standing_view *view)
{
	pthread_mutex_lock(&standing->lock);
	*view = standing->view;
	view->file = memory_text(view->file);
	view->mistakes = copy(&view->mistakes);
	view->refused = copy(&view->refused);
	pthread_mutex_unlock(&standing->lock);
}

void standing_view_release(struct standing_view *view)
{
	free((char *)view->file);
	text_list_release(&view->mistakes);
	text_list_release(&view->refused);
}
