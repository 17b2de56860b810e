#include "store/purge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/ledger.h"
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
	int64_t left = survey->total, least = left;

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

static size_t count_alive(const struct survey *survey, const bool *alive, size_t family)
{
	size_t count = 0;

	for (size_t i = 0; i < survey->count; i++)
		count += alive[i] && survey->files[i].kind == SURVEY_SERIES && survey->files[i].family == family;
	return count ? count : 1;
}

void purge_add_up(struct purge_need *need, const struct plan *plan, const struct survey *survey, const bool *alive)
{
	*need = (struct purge_need){.family_count = plan->family_count};
	need->counts = memory_array(plan->family_count, sizeof(*need->counts));
	need->sizes = memory_array(plan->family_count, sizeof(*need->sizes));
	for (size_t i = 0; i < plan->family_count; i++) {
		need->counts[i] = plan->families[i].table->instance ? count_alive(survey, alive, i) : 1;
		need->sizes[i] = store_file_size(plan, i);
		need->rewrite = need->sizes[i] > need->rewrite ? need->sizes[i] : need->rewrite;
		need->total += (int64_t)need->counts[i] * need->sizes[i];
	}
	need->total += plan->journal_size + LEDGER_SIZE + need->rewrite;
}

void purge_need_release(struct purge_need *need)
{
	free(need->counts);
	free(need->sizes);
	*need = (struct purge_need){0};
}

static char *spell_out(const struct purge_need *need, const struct plan *plan)
{
	char size[TEXT_AMOUNT_SIZE], journal[TEXT_AMOUNT_SIZE], ledger[TEXT_AMOUNT_SIZE], total[TEXT_AMOUNT_SIZE];
	char *words = memory_text(""), *longer;

	for (size_t i = 0; i < need->family_count; i++) {
		longer = memory_format("%s%s %zu x %s + ", words, plan->families[i].table->name, need->counts[i],
		                       text_from_size((double)need->sizes[i], size));
		free(words);
		words = longer;
	}
	longer =
		memory_format("%sjournal %s + ledger %s + room to rewrite one file %s = %s", words,
	                  text_from_size((double)plan->journal_size, journal), text_from_size((double)LEDGER_SIZE, ledger),
	                  text_from_size((double)need->rewrite, size), text_from_size((double)need->total, total));
	free(words);
	return longer;
}

bool purge_fits(const struct plan *plan, const struct survey *survey, const bool *alive, char **words)
{
	char max[TEXT_AMOUNT_SIZE], *sum;
	struct purge_need need;
	bool fits;

	purge_add_up(&need, plan, survey, alive);
	fits = need.total <= plan->purge_max_size;
	sum = spell_out(&need, plan);
	*words = fits ? NULL
	              : memory_format("%s: purge { max_size = \"%s\" } is too small: %s; give more, or keep less in "
	                              "retention { … }",
	                              plan->file, text_from_size((double)plan->purge_max_size, max), sum);
	free(sum);
	purge_need_release(&need);
	return fits;
}
