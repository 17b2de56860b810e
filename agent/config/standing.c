#include "config/standing.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"

struct standing {
	pthread_mutex_t lock;
	struct standing_view view;
};

void standing_lines_add(struct standing_lines *lines, const char *line)
{
	lines->lines = memory_resize(lines->lines, lines->count + 1, sizeof(char *));
	lines->lines[lines->count++] = memory_text(line);
}

void standing_lines_release(struct standing_lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		free(lines->lines[i]);
	free(lines->lines);
	*lines = (struct standing_lines){0};
}

static struct standing_lines copy(const struct standing_lines *lines)
{
	struct standing_lines copied = {0};

	for (size_t i = 0; i < lines->count; i++)
		standing_lines_add(&copied, lines->lines[i]);
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
	standing_lines_release(&standing->view.mistakes);
	standing_lines_release(&standing->view.refused);
	pthread_mutex_destroy(&standing->lock);
	free(standing);
}

void standing_good(struct standing *standing, struct standing_lines *refused)
{
	struct standing_view *view = &standing->view;

	pthread_mutex_lock(&standing->lock);
	view->reloads += view->since != 0;
	view->since = clock_wall();
	view->tried = 0;
	standing_lines_release(&view->mistakes);
	standing_lines_release(&view->refused);
	view->refused = *refused;
	*refused = (struct standing_lines){0};
	pthread_mutex_unlock(&standing->lock);
}

void standing_bad(struct standing *standing, const struct plan_mistakes *mistakes)
{
	struct standing_view *view = &standing->view;

	pthread_mutex_lock(&standing->lock);
	view->tried = clock_wall();
	standing_lines_release(&view->mistakes);
	for (size_t i = 0; i < mistakes->count; i++)
		standing_lines_add(&view->mistakes, mistakes->texts[i]);
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
	standing_lines_release(&view->mistakes);
	standing_lines_release(&view->refused);
}
