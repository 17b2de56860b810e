/* collect/answers.c: what became of aggregates that were asked for, for whoever wants to know. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "collect/inside.h"

void note_answer(void *context, size_t aggregate, const char *words)
{
	struct collect *collect = context;
	struct answer *answer = &collect->now.answers[aggregate];

	if (!words && !answer->error)
		return;
	pthread_mutex_lock(&collect->lock);
	free(answer->error);
	answer->error = words ? memory_text(words) : NULL;
	answer->errors += words != NULL;
	pthread_mutex_unlock(&collect->lock);
}

void answers_release(struct lineup *lineup)
{
	for (size_t i = 0; i < lineup->plan->aggregate_count; i++)
		free(lineup->answers[i].error);
	free(lineup->answers);
}

const char *copy_text(const char *text, char **end)
{
	char *copy = *end;

	if (!text)
		return NULL;
	*end = stpcpy(copy, text) + 1;
	return copy;
}

/* The block: the list, answers, texts. */
struct collect_answers *collect_answers(struct collect *collect)
{
	const struct plan *plan;
	struct collect_answers *all;
	struct collect_answer *answers;
	size_t size = sizeof(*all);
	char *text;

	pthread_mutex_lock(&collect->lock);
	plan = collect->now.plan;
	for (size_t i = 0; i < plan->aggregate_count; i++) {
		const char *error = collect->now.answers[i].error;

		size += sizeof(*answers) + strlen(plan->aggregates[i].name) + 1 + (error ? strlen(error) + 1 : 0);
	}
	all = memory_alloc(size);
	answers = (struct collect_answer *)(all + 1);
	text = (char *)(answers + plan->aggregate_count);
	all->answers = answers;
	for (size_t i = 0; i < plan->aggregate_count; i++)
		if (plan_is_asked(&plan->aggregates[i]))
			answers[all->count++] = (struct collect_answer){.name = copy_text(plan->aggregates[i].name, &text),
			                                                .errors = collect->now.answers[i].errors,
			                                                .error = copy_text(collect->now.answers[i].error, &text)};
	pthread_mutex_unlock(&collect->lock);
	return all;
}
