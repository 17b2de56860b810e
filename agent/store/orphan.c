/* store/orphan.c: samples of the journal whose family is no longer in the plan: its plugin was removed after a crash.
 *
 * Their file is still there, and is written to once more, by the names of the fields: the plugin's table is not needed. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/inside.h"
#include "store/rrd.h"

/* Samples of one file that are kept until they are written. */
#define ORPHAN_MAX 100000

struct orphan {
	struct orphan *next;
	char *family, *instance;
	char *fields; /* "usage:user:nice", as rrdupdate(1) takes a template */
	size_t line_count;
	char **lines;
};

static char *join(const struct journal_sample *sample)
{
	char *text = memory_text(""), *longer;

	for (size_t i = 0; i < sample->field_count; i++) {
		longer = memory_format("%s%s%s", text, i ? ":" : "", sample->fields[i]);
		free(text);
		text = longer;
	}
	return text;
}

/* Whole numbers as such: a DERIVE takes no others. */
static char *line_of(const struct journal_sample *sample)
{
	char *line = memory_format("%lld", (long long)(sample->tick / CLOCK_SECOND)), *longer;

	for (size_t i = 0; i < sample->field_count; i++) {
		double value = sample->values[i];

		if (isnan(value))
			longer = memory_format("%s:U", line);
		else if (fabs(value) < 9e15 && value == floor(value))
			longer = memory_format("%s:%.0f", line, value);
		else
			longer = memory_format("%s:%.17g", line, value);
		free(line);
		line = longer;
	}
	return line;
}

static struct orphan *find(struct orphan **all, const struct journal_sample *sample)
{
	struct orphan *orphan;

	for (orphan = *all; orphan; orphan = orphan->next)
		if (strcmp(orphan->instance, sample->instance) == 0 && strcmp(orphan->family, sample->family) == 0)
			return orphan;
	orphan = memory_alloc(sizeof(*orphan));
	orphan->family = memory_text(sample->family);
	orphan->instance = memory_text(sample->instance);
	orphan->fields = join(sample);
	orphan->next = *all;
	return *all = orphan;
}

void orphan_add(struct orphan **all, const struct journal_sample *sample)
{
	struct orphan *orphan = find(all, sample);

	if (orphan->line_count >= ORPHAN_MAX)
		return;
	orphan->lines = memory_resize(orphan->lines, orphan->line_count + 1, sizeof(char *));
	orphan->lines[orphan->line_count++] = line_of(sample);
}

static void write_one(const struct plan *plan, const struct orphan *orphan)
{
	char *path = layout_path(plan->data_dir, orphan->family, orphan->instance);
	struct error error;

	if (file_update(path, orphan->fields, orphan->line_count, (const char **)orphan->lines, &error) < 0)
		log_warning("%zu samples of %s%s%s, which is no longer sampled, are lost: %s", orphan->line_count,
		            orphan->family, *orphan->instance ? " " : "", orphan->instance, error.text);
	else
		log_info("%s: the last samples of what is no longer sampled were written", path);
	free(path);
}

void orphan_end(struct orphan **all, const struct plan *plan)
{
	while (*all) {
		struct orphan *orphan = *all;

		*all = orphan->next;
		write_one(plan, orphan);
		for (size_t i = 0; i < orphan->line_count; i++)
			free(orphan->lines[i]);
		free(orphan->lines);
		free(orphan->fields);
		free(orphan->family);
		free(orphan->instance);
		free(orphan);
	}
}
