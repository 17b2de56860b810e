#include "store/purge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/store.h"

/* --- which files go ------------------------------------------------------------------------------------------- */

struct candidate {
	int64_t since; /* it has vanished: wall clock, ns */
	const struct survey_file *file;
	size_t place;
};

static bool may_go(const struct survey_file *file, bool alive, int64_t now)
{
	switch (file->kind) {
	case SURVEY_OWN:
		return false;
	case SURVEY_STRAY:
		return !alive && file->changed <= now - PURGE_STRAY_REST;
	case SURVEY_SERIES:
		return !alive;
	case SURVEY_ASIDE:
	case SURVEY_HALF:
		break;
	}
	return true;
}

/* The longest-vanished first; of two the same, in the order of their names, so that it is always the same order. */
static int by_age(const void *left, const void *right)
{
	const struct candidate *a = left, *b = right;

	if (a->since != b->since)
		return a->since < b->since ? -1 : 1;
	return strcmp(a->file->path, b->file->path);
}

static struct candidate *list_candidates(const struct survey *survey, const bool *alive, int64_t now, size_t *count)
{
	struct candidate *list = memory_array(survey->count, sizeof(*list));

	*count = 0;
	for (size_t i = 0; i < survey->count; i++) {
		const struct survey_file *file = &survey->files[i];

		if (may_go(file, alive[i], now))
			list[(*count)++] = (struct candidate){file->kind == SURVEY_HALF ? INT64_MIN : file->changed, file, i};
	}
	qsort(list, *count, sizeof(*list), by_age);
	return list;
}

static char *explain(const struct survey *survey, const struct candidate *list, size_t count, const struct plan *plan,
                     int64_t needed)
{
	char all[TEXT_AMOUNT_SIZE], vanished[TEXT_AMOUNT_SIZE], more[TEXT_AMOUNT_SIZE], sum[TEXT_AMOUNT_SIZE];
	char max[TEXT_AMOUNT_SIZE];
	int64_t freed = 0;

	for (size_t i = 0; i < count; i++)
		freed += list[i].file->size;
	text_from_size((double)survey->total, all);
	text_from_size((double)freed, vanished);
	text_from_size((double)needed, more);
	text_from_size((double)(survey->total - freed + needed), sum);
	text_from_size((double)plan->purge_max_size, max);
	return memory_format(
		"%s in use - %s of vanished instances + %s for what is new = %s, but purge { max_size = \"%s\" }", all,
		vanished, more, sum, max);
}

void purge_choose(struct purge *purge, const struct survey *survey, const bool *alive, const struct plan *plan,
                  int64_t now, int64_t needed)
{
	size_t count;
	struct candidate *list = list_candidates(survey, alive, now, &count);
	int64_t left = survey->total, least = survey->total;

	*purge = (struct purge){.files = memory_array(count, sizeof(size_t))};
	for (size_t i = 0; i < count; i++)
		least -= list[i].file->size;
	purge->fits = least + needed <= plan->purge_max_size;
	if (!purge->fits) {
		purge->words = explain(survey, list, count, plan, needed);
		needed = 0;
	}
	for (size_t i = 0; i < count; i++) {
		bool expired = list[i].since <= now - plan->purge_after * CLOCK_SECOND;

		if (!expired && left + needed <= plan->purge_max_size)
			break;
		purge->files[purge->count++] = list[i].place;
		purge->expired += expired;
		purge->bytes += list[i].file->size;
		left -= list[i].file->size;
	}
	free(list);
}

void purge_release(struct purge *purge)
{
	free(purge->files);
	free(purge->words);
	*purge = (struct purge){0};
}

/* --- and how ---------------------------------------------------------------------------------------------------- */

/* Removes the folders that a file lay in, as far as they are empty, below the data folder. */
static void remove_folders(const char *path, const char *data_dir)
{
	char *folder = memory_text(path), *slash;

	while ((slash = strrchr(folder, '/'))) {
		*slash = '\0';
		if (strlen(folder) <= strlen(data_dir) || rmdir(folder) < 0)
			break;
	}
	free(folder);
}

int purge_run(const struct purge *purge, const struct survey *survey, const struct plan *plan, purge_forget *forget,
              void *context, struct purge_done *done, struct error *error)
{
	int failed = 0;

	*done = (struct purge_done){0};
	for (size_t i = 0; i < purge->count; i++) {
		const struct survey_file *file = &survey->files[purge->files[i]];

		if (forget && !forget(context, file))
			continue;
		if (unlink(file->path) < 0 && errno != ENOENT) {
			if (!failed)
				failed = error_set(error, "cannot remove %s: %s", file->path, strerror(errno));
			continue;
		}
		remove_folders(file->path, plan->data_dir);
		done->files++;
		done->bytes += file->size;
	}
	return failed;
}

/* --- what the plan needs ---------------------------------------------------------------------------------------- */

static void add_summand(struct purge_sum *sum, const char *words, int64_t bytes)
{
	char *longer = memory_format("%s%s%s", sum->words ? sum->words : "", sum->words ? " + " : "", words);

	free(sum->words);
	sum->words = longer;
	sum->total += bytes;
}

static void add_amount(struct purge_sum *sum, const char *what, int64_t bytes)
{
	char size[TEXT_AMOUNT_SIZE], *words = memory_format("%s %s", what, text_from_size((double)bytes, size));

	add_summand(sum, words, bytes);
	free(words);
}

static size_t count_alive(const struct survey *survey, const bool *alive, size_t family)
{
	size_t count = 0;

	for (size_t i = 0; i < survey->count; i++)
		count += alive[i] && survey->files[i].kind == SURVEY_SERIES && survey->files[i].family == family;
	return count ? count : 1;
}

void purge_add_up(struct purge_sum *sum, const struct plan *plan, const struct survey *survey, const bool *alive)
{
	int64_t largest = 0;
	char size[TEXT_AMOUNT_SIZE], *words;

	*sum = (struct purge_sum){0};
	for (size_t i = 0; i < plan->family_count; i++) {
		int64_t bytes = store_file_size(plan, i);
		size_t count = plan->families[i].table->instance ? count_alive(survey, alive, i) : 1;

		words = memory_format("%s %zu x %s", plan->families[i].table->name, count, text_from_size((double)bytes, size));
		add_summand(sum, words, (int64_t)count * bytes);
		free(words);
		largest = bytes > largest ? bytes : largest;
	}
	add_amount(sum, "journal", plan->journal_size);
	add_amount(sum, "ledger", PURGE_LEDGER_SIZE);
	add_amount(sum, "room to rewrite one file", largest);
	words = memory_format("%s = %s", sum->words, text_from_size((double)sum->total, size));
	free(sum->words);
	sum->words = words;
}

bool purge_fits(const struct plan *plan, const struct survey *survey, const bool *alive, char **words)
{
	char max[TEXT_AMOUNT_SIZE];
	struct purge_sum sum;

	purge_add_up(&sum, plan, survey, alive);
	*words = NULL;
	if (sum.total > plan->purge_max_size)
		*words = memory_format(
			"%s: purge { max_size = \"%s\" } is too small: %s; give more, or keep less in retention { … }", plan->file,
			text_from_size((double)plan->purge_max_size, max), sum.words);
	free(sum.words);
	return !*words;
}
