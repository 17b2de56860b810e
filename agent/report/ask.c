#include "report/ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "report/tree.h"

/* Of so many that could be meant the first are listed. */
#define LISTED 12

/* --- names ----------------------------------------------------------------------------------------------------- */

/* Where the name stands, or would. */
static size_t find_place(const struct ask_names *known, const char *name, bool *there)
{
	size_t low = 0, high = known->count;

	*there = false;
	while (low < high && !*there) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(known->names[middle], name);

		*there = order == 0;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return high;
}

void ask_names_add(struct ask_names *known, const char *name)
{
	bool there;
	size_t place;

	if (!name || !*name)
		return;
	place = find_place(known, name, &there);
	if (there)
		return;
	if (known->count + 2 > known->room) {
		known->room = known->room ? 2 * known->room : 16;
		known->names = memory_resize(known->names, known->room, sizeof(char *));
	}
	memmove(known->names + place + 1, known->names + place, (known->count - place) * sizeof(char *));
	known->names[place] = memory_text(name);
	known->names[++known->count] = NULL;
}

bool ask_names_have(const struct ask_names *known, const char *name)
{
	bool there;

	find_place(known, name, &there);
	return there;
}

void ask_names_release(struct ask_names *known)
{
	for (size_t i = 0; i < known->count; i++)
		free(known->names[i]);
	free(known->names);
	*known = (struct ask_names){0};
}

/* What was probably meant; NULL: nobody knows. What is long beyond any name is not compared. */
static const char *guess(const struct ask_names *known, const char *word)
{
	if (known->count == 0 || strlen(word) > 4 * (size_t)ASK_SHOWN)
		return NULL;
	return text_nearest(word, (const char *const *)known->names);
}

static char *list_names(const struct ask_names *known)
{
	char *list = memory_text(known->count ? "" : "none");

	for (size_t i = 0; i < known->count && i <= LISTED; i++) {
		char *longer = i < LISTED ? memory_format("%s%s%s", list, i ? ", " : "", known->names[i])
		                          : memory_format("%s and %zu more", list, known->count - LISTED);

		free(list);
		list = longer;
	}
	return list;
}

int ask_refuse_instance(const struct pindrop_family *family, const char *instance, const struct ask_names *known,
                        struct error *error)
{
	const char *meant = guess(known, instance);
	char *list = list_names(known);

	if (meant)
		error_set(error, "%s knows no %s \"%.*s\" (did you mean \"%s\"?); there are: %s", family->name,
		          family->instance, ASK_SHOWN, instance, meant, list);
	else
		error_set(error, "%s knows no %s \"%.*s\"; there are: %s", family->name, family->instance, ASK_SHOWN, instance,
		          list);
	free(list);
	return -1;
}

enum report_result ask_instance(const struct pindrop_family *family, const char *instance,
                                const struct ask_names *known, struct error *error)
{
	if (!family->instance && !*instance)
		return REPORT_GOOD;
	if (!family->instance) {
		error_set(error, "%s has no instances; leave the instance out", family->name);
		return REPORT_BAD_WORDS;
	}
	if (ask_names_have(known, instance))
		return REPORT_GOOD;
	ask_refuse_instance(family, instance, known, error);
	return REPORT_NOT_FOUND;
}

/* --- metrics and times ----------------------------------------------------------------------------------------- */

static bool find_field(const struct pindrop_family *family, const char *name, size_t *field)
{
	for (*field = 0; *field < family->field_count; ++*field)
		if (strcmp(family->fields[*field].name, name) == 0)
			return true;
	return false;
}

/* `text` is the family's name, or begins with it and a dot. */
static bool find_in_family(const struct pindrop_family *family, const char *text, struct ask_metric *metric)
{
	size_t length = strlen(family->name);

	metric->field = ASK_ALL;
	if (strncmp(text, family->name, length) != 0)
		return false;
	return text[length] == '\0' || (text[length] == '.' && find_field(family, text + length + 1, &metric->field));
}

static void gather_metrics(const struct plan *plan, bool families_too, struct ask_names *known)
{
	for (size_t i = 0; i < plan->family_count; i++) {
		const struct pindrop_family *family = plan->families[i].table;

		if (families_too)
			ask_names_add(known, family->name);
		for (size_t k = 0; k < family->field_count; k++) {
			char *name = memory_format("%s.%s", family->name, family->fields[k].name);

			ask_names_add(known, name);
			free(name);
		}
	}
}

static int refuse_metric(const struct plan *plan, const char *text, bool field_needed, struct error *error)
{
	struct ask_names known = {0};
	const char *meant;

	gather_metrics(plan, !field_needed, &known);
	meant = guess(&known, text);
	if (meant)
		error_set(error, "there is no metric \"%.*s\" (did you mean \"%s\"?)", ASK_SHOWN, text, meant);
	else
		error_set(error, "there is no metric \"%.*s\" in the configuration; \"pindrop describe\" lists them", ASK_SHOWN,
		          text);
	ask_names_release(&known);
	return -1;
}

int ask_metric(const struct plan *plan, const char *text, bool field_needed, struct ask_metric *metric,
               struct error *error)
{
	for (size_t i = 0; i < plan->family_count; i++) {
		const struct pindrop_family *family = plan->families[i].table;

		metric->family = i;
		if (!find_in_family(family, text, metric))
			continue;
		if (metric->field != ASK_ALL || !field_needed)
			return 0;
		return error_set(error, "%s has many metrics, name one of them: %s.%s, for instance", text, text,
		                 family->fields[0].name);
	}
	return refuse_metric(plan, text, field_needed, error);
}

int ask_time(const char *text, int64_t now, int64_t *time, struct error *error)
{
	if (moment_read(text, now, time))
		return 0;
	return error_set(error, "\"%.*s\" is no time; times are " MOMENT_FORMS, ASK_SHOWN, text);
}

int ask_stretch(const char *from, const char *to, int64_t before, int64_t now, int64_t *begin, int64_t *end,
                struct error *error)
{
	char span[TEXT_AMOUNT_SIZE];

	*begin = now - before;
	*end = now;
	if ((from && ask_time(from, now, begin, error) < 0) || (to && ask_time(to, now, end, error) < 0))
		return -1;
	if (*begin < *end)
		return 0;
	return error_set(error, "\"from\" has to lie before \"to\"; without them they are -%s and now",
	                 text_from_duration(clock_seconds(before), span));
}

int ask_number(const char *name, const char *text, int64_t min, int64_t max, int64_t *number, struct error *error)
{
	char *end;
	long long read;

	if (!text)
		return 0;
	errno = 0;
	read = strtoll(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || read < min || read > max)
		return error_set(error, "\"%s\" has to be a whole number from %lld to %lld, not \"%.*s\"", name, (long long)min,
		                 (long long)max, ASK_SHOWN, text);
	*number = read;
	return 0;
}

/* --- gaps ------------------------------------------------------------------------------------------------------ */

json_t *ask_show_gap(const struct gap *gap)
{
	json_t *object = json_object();
	char *words = gap_describe(gap);

	tree_set(object, "from", tree_value(clock_seconds(gap->from)));
	tree_set(object, "to", tree_value(clock_seconds(gap->to)));
	tree_set(object, "seconds", tree_number(clock_seconds(gap->to - gap->from), 3));
	tree_set(object, "reason", json_string(gap_name(gap->reason)));
	tree_set(object, "words", tree_text(words));
	tree_set(object, "family", tree_text(gap->family));
	tree_set(object, "instance", tree_text(gap->instance && *gap->instance ? gap->instance : NULL));
	tree_set(object, "field", tree_text(gap->field));
	free(words);
	return object;
}
