/* life/read.c: from the file to a plan that can be lived by. */
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "config/config.h"
#include "life/life.h"
#include "store/purge.h"
#include "store/survey.h"

/* A plan_find: what is refused is kept, to be shown at /health. */
static void find_plugin(void *context, const char *name, struct plan_found *found)
{
	struct source *source = context;

	loader_find(source->loader, name, found);
	if (!found->table && !found->missing)
		text_list_add(&source->refused, memory_text(found->error.text));
}

const struct plan *source_read_only(struct source *source, struct text_list *mistakes)
{
	loader_look_again(source->loader);
	text_list_release(&source->refused);
	return config_read(source->file, source->nursery, WORKER_CONFIG, find_plugin, source, mistakes);
}

/* A plan whose files cannot fit is a mistake like any other. */
static bool fits(const struct plan *plan, struct text_list *mistakes)
{
	struct survey survey = {0};
	struct error ignored; /* who makes use of the folder tells */
	bool *alive, good;
	char *words;

	survey_take(&survey, plan, &ignored);
	alive = memory_array(survey.count, sizeof(bool));
	survey_guess(&survey, plan, alive);
	good = purge_fits(plan, &survey, alive, &words);
	if (!good)
		text_list_add(mistakes, words);
	free(alive);
	survey_release(&survey);
	return good;
}

const struct plan *source_read(struct source *source, struct text_list *mistakes)
{
	const struct plan *plan = source_read_only(source, mistakes);

	if (!plan || fits(plan, mistakes))
		return plan;
	plan_release(plan);
	return NULL;
}
