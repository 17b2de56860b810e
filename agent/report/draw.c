#include "report/draw.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/command.h"
#include "base/memory.h"

/* --- drawing ---------------------------------------------------------------------------------------------------- */

/* The first line that it complained with. */
static void tell_failure(const struct command *command, struct error *error)
{
	size_t length = strcspn(command->complaints, "\n");

	if (length > 0)
		error_set(error, "rrdtool: %.*s", (int)length, command->complaints);
	else if (WIFSIGNALED(command->status))
		error_set(error, "rrdtool was ended by signal %d", WTERMSIG(command->status));
	else
		error_set(error, "rrdtool ended with status %d, and no picture", WEXITSTATUS(command->status));
}

static enum draw_result judge(const struct command *command, struct error *error)
{
	switch (command->trouble) {
	case COMMAND_LATE:
		error_set(error, "rrdtool was ended: it drew for longer than %d s", (int)(DRAW_TIME / CLOCK_SECOND));
		return DRAW_FAILED;
	case COMMAND_TALKED:
		error_set(error, "rrdtool was ended: the picture is larger than %d MiB", (int)(PICTURE_MAX >> 20));
		return DRAW_FAILED;
	case COMMAND_STOPPED:
		error_set(error, "the agent ends");
		return DRAW_MISSING;
	case COMMAND_FINE:
		break;
	}
	if (WIFEXITED(command->status) && WEXITSTATUS(command->status) == 0 && command->length > 0)
		return DRAW_GOOD;
	tell_failure(command, error);
	return DRAW_FAILED;
}

enum draw_result draw(const struct text_list *words, int stop, char **bytes, size_t *length, struct error *error)
{
	struct command command = {COMMAND_NONE, .most = PICTURE_MAX, .deadline = clock_monotonic() + DRAW_TIME};
	char **arguments = memory_array(words->count + 1, sizeof(char *));
	enum draw_result result = DRAW_MISSING;
	int failure;

	command.stop = stop;
	memcpy(arguments, words->texts, words->count * sizeof(char *));
	failure = command_start(&command, arguments);
	free(arguments);
	if (failure == ENOENT) {
		error_set(error, "charts are drawn by rrdtool, which is not installed here: apt-get install rrdtool");
	} else if (failure) {
		error_set(error, "rrdtool cannot be started: %s", strerror(failure));
	} else {
		command_finish(&command);
		result = judge(&command, error);
	}
	*bytes = NULL;
	*length = 0;
	if (result == DRAW_GOOD) {
		*bytes = command.text;
		*length = command.length;
	} else {
		free(command.text);
	}
	return result;
}

/* --- pictures that are kept ------------------------------------------------------------------------------------- */

/* One of the gallery's. */
struct kept {
	struct picture picture; /* once it is shown, constant */
	/* The gallery's lock: */
	struct kept *next; /* in the list, the one that was asked for last being first */
	char *question;
	unsigned holders; /* the list is one */
	bool shown, listed;
};

struct gallery {
	pthread_mutex_t lock;
	pthread_cond_t shown;
	struct kept *first; /* lock; of those that are drawn now, too */
	int stop;
};

struct gallery *gallery_new(void)
{
	struct gallery *gallery = memory_alloc(sizeof(*gallery));

	pthread_mutex_init(&gallery->lock, NULL);
	pthread_cond_init(&gallery->shown, NULL);
	gallery->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return gallery;
}

/* With the lock held. */
static void let_go(struct kept *kept)
{
	if (--kept->holders > 0)
		return;
	free(kept->picture.bytes);
	free(kept->question);
	free(kept);
}

/* Takes it out of the list. With the lock held. */
static void unlist(struct gallery *gallery, struct kept *kept)
{
	struct kept **place = &gallery->first;

	if (!kept->listed)
		return;
	while (*place != kept)
		place = &(*place)->next;
	*place = kept->next;
	kept->listed = false;
	let_go(kept);
}

/* Puts it in front. With the lock held. */
static void list(struct gallery *gallery, struct kept *kept)
{
	kept->next = gallery->first;
	gallery->first = kept;
	kept->listed = true;
	kept->holders++;
}

/* Those whose time is over go, and, of too many, those that were asked for the longest ago. With the lock held. */
static void tidy(struct gallery *gallery)
{
	int64_t now = clock_monotonic();
	size_t count = 0, bytes = 0;
	struct kept *next;

	for (struct kept *kept = gallery->first; kept; kept = next) {
		next = kept->next;
		if (!kept->shown)
			continue;
		count++;
		bytes += kept->picture.length;
		if (kept->picture.until > now && count <= GALLERY_PICTURES && bytes <= GALLERY_BYTES)
			continue;
		count--;
		bytes -= kept->picture.length;
		unlist(gallery, kept);
	}
}

/* With the lock held. */
static struct kept *find(const struct gallery *gallery, const char *question)
{
	struct kept *kept = gallery->first;

	while (kept && strcmp(kept->question, question) != 0)
		kept = kept->next;
	return kept;
}

struct picture *gallery_take(struct gallery *gallery, const char *question, bool *draws)
{
	struct kept *kept;

	pthread_mutex_lock(&gallery->lock);
	tidy(gallery);
	kept = find(gallery, question);
	*draws = !kept;
	if (!kept) {
		kept = memory_alloc(sizeof(*kept));
		kept->question = memory_text(question);
		kept->holders = 1;
		list(gallery, kept);
	} else {
		kept->holders++;
		unlist(gallery, kept);
		list(gallery, kept);
	}
	/* Who draws it shows it, whatever comes of it, within DRAW_TIME and the time of a flush. */
	while (!kept->shown && !*draws)
		pthread_cond_wait(&gallery->shown, &gallery->lock);
	pthread_mutex_unlock(&gallery->lock);
	return &kept->picture;
}

void gallery_show(struct gallery *gallery, struct picture *picture)
{
	struct kept *kept = (struct kept *)picture;

	pthread_mutex_lock(&gallery->lock);
	kept->shown = true;
	if (picture->status != DRAW_GOOD)
		unlist(gallery, kept);
	tidy(gallery);
	pthread_cond_broadcast(&gallery->shown);
	pthread_mutex_unlock(&gallery->lock);
}

void gallery_return(struct gallery *gallery, struct picture *picture)
{
	pthread_mutex_lock(&gallery->lock);
	let_go((struct kept *)picture);
	pthread_mutex_unlock(&gallery->lock);
}

int gallery_stop(const struct gallery *gallery)
{
	return gallery->stop;
}

void gallery_end(struct gallery *gallery)
{
	const uint64_t one = 1;

	(void)!write(gallery->stop, &one, sizeof(one));
}

void gallery_free(struct gallery *gallery)
{
	struct kept *next;

	for (struct kept *kept = gallery->first; kept; kept = next) {
		next = kept->next;
		unlist(gallery, kept);
	}
	if (gallery->stop >= 0)
		close(gallery->stop);
	pthread_cond_destroy(&gallery->shown);
	pthread_mutex_destroy(&gallery->lock);
	free(gallery);
}
