#include "store/layout.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/store.h"

/* DERIVE wants whole numbers; what carries fractions is DDERIVE (rrdcreate(1)). */
const char *layout_type(const struct pindrop_field *field)
{
	if (field->kind == PINDROP_GAUGE)
		return "GAUGE";
	return field->decimals > 0 || strcmp(field->unit, "seconds") == 0 ? "DDERIVE" : "DERIVE";
}

const char *layout_consolidation(enum store_consolidation consolidation)
{
	static const char *const names[] = {[STORE_AVERAGE] = "AVERAGE", [STORE_MIN] = "MIN", [STORE_MAX] = "MAX"};

	return names[consolidation];
}

static void define(struct layout *layout, char *definition)
{
	layout->definitions = memory_resize(layout->definitions, layout->definition_count + 1, sizeof(char *));
	layout->definitions[layout->definition_count++] = definition;
}

/* A counter never goes down: with a minimum of 0 a reset is unknown, not a spike. */
static void define_sources(struct layout *layout)
{
	for (size_t i = 0; i < layout->family->field_count; i++) {
		const struct pindrop_field *field = &layout->family->fields[i];

		define(layout, memory_format("DS:%s:%s:%lld:%s:U", field->name, layout_type(field),
		                             (long long)layout->heartbeat, field->kind == PINDROP_COUNTER ? "0" : "U"));
	}
}

/* The finest tier has one sample a row: its average is its minimum and maximum. */
static void add_tier(struct layout *layout, int64_t step, int64_t keep)
{
	static const enum store_consolidation consolidations[] = {STORE_AVERAGE, STORE_MIN, STORE_MAX};
	size_t count = step == layout->step ? 1 : 3;

	layout->archives = memory_resize(layout->archives, layout->archive_count + count, sizeof(struct layout_archive));
	for (size_t i = 0; i < count; i++)
		layout->archives[layout->archive_count++] =
			(struct layout_archive){consolidations[i], step, (keep + step - 1) / step};
}

/* Returns the rows of all archives. */
static int64_t define_archives(struct layout *layout)
{
	int64_t rows = 0;

	for (size_t i = 0; i < layout->archive_count; i++) {
		const struct layout_archive *archive = &layout->archives[i];

		define(layout, memory_format("RRA:%s:0.5:%lld:%lld", layout_consolidation(archive->consolidation),
		                             (long long)(archive->step / layout->step), (long long)archive->rows));
		rows += archive->rows;
	}
	return rows;
}

/* The sizes of rrd_format.h, version 0003, on 64 bits: stat_head 128, ds_def 120, rra_def 120, live_head 16,
 * pdp_prep 112, cdp_prep 80, rra_ptr 8, a value 8. */
static int64_t size_of(int64_t sources, int64_t archives, int64_t rows)
{
	return 128 + 16 + sources * (120 + 112) + archives * (120 + 8) + sources * archives * 80 + sources * rows * 8;
}

void layout_begin(struct layout *layout, const struct plan *plan, size_t family)
{
	int64_t interval = plan->families[family].plugin->interval;

	*layout = (struct layout){.family = plan->families[family].table};
	layout->step = plan_base_step(interval);
	layout->heartbeat = (2 * interval + 2 * CLOCK_SECOND - 1) / CLOCK_SECOND;
	define_sources(layout);
	for (size_t i = 0; i < plan->tier_count; i++) {
		int64_t step = plan_tier_step(&plan->tiers[i], interval), keep = plan->tiers[i].keep;

		/* Tiers that are finer than the interval fall together: one of them, the longest. */
		while (i + 1 < plan->tier_count && plan_tier_step(&plan->tiers[i + 1], interval) == step) {
			i++;
			keep = plan->tiers[i].keep > keep ? plan->tiers[i].keep : keep;
		}
		add_tier(layout, step, keep);
	}
	layout->file_size =
		size_of((int64_t)layout->family->field_count, (int64_t)layout->archive_count, define_archives(layout));
}

void layout_release(struct layout *layout)
{
	for (size_t i = 0; i < layout->definition_count; i++)
		free(layout->definitions[i]);
	free(layout->definitions);
	free(layout->archives);
	*layout = (struct layout){0};
}

static int write_value(const struct pindrop_field *field, double value, char *text)
{
	if (isnan(value))
		return sprintf(text, ":U");
	/* Whole numbers, which most are, in the shortest way; above 2^53 a double has no fractions anyway. */
	if (fabs(value) < 9e15 && value == (double)(int64_t)value)
		return sprintf(text, ":%lld", (long long)value);
	if (field->kind == PINDROP_COUNTER && strcmp(layout_type(field), "DERIVE") == 0)
		return snprintf(text, 26, ":%.0f", value);
	return sprintf(text, ":%.17g", value);
}

size_t layout_line(const struct layout *layout, int64_t tick, const double *values, char *line)
{
	long long seconds = tick / CLOCK_SECOND, rest = tick % CLOCK_SECOND / 1000;
	char *end = line + sprintf(line, "%lld", seconds);

	if (rest)
		end += sprintf(end, ".%06lld", rest);
	for (size_t i = 0; i < layout->family->field_count; i++)
		end += write_value(&layout->family->fields[i], values ? values[i] : NAN, end);
	return (size_t)(end - line);
}

/* --- of store.h --------------------------------------------------------------------------------------------- */

/* A file's name has at most 255 bytes, ".rrd.damaged-20261124T103000" included. A longer one keeps its beginning, and is
 * told from others of that beginning by a hash of the whole. */
#define NAME_KEPT 200
#define NAME_MAX_BYTES (NAME_KEPT + 17)

static char *file_name(const char *instance)
{
	char *encoded = text_percent_encode(instance), *shorter;

	if (strlen(encoded) <= NAME_MAX_BYTES)
		return encoded;
	shorter = memory_format("%.*s-%016llx", NAME_KEPT, encoded,
	                        (unsigned long long)text_hash(TEXT_HASH, instance, strlen(instance)));
	free(encoded);
	return shorter;
}

char *layout_path(const char *data_dir, const char *family, const char *instance)
{
	char *name = memory_text(family), *file = file_name(instance), *path;

	for (char *dot = name; (dot = strchr(dot, '.'));)
		*dot = '/';
	path = memory_format("%s/%s%s%s.rrd", data_dir, name, *file ? "/" : "", file);
	free(name);
	free(file);
	return path;
}

char *store_path(const struct plan *plan, size_t family, const char *instance)
{
	return layout_path(plan->data_dir, plan->families[family].table->name, instance);
}

int64_t store_file_size(const struct plan *plan, size_t family)
{
	struct layout layout;
	int64_t size;

	layout_begin(&layout, plan, family);
	size = layout.file_size;
	layout_release(&layout);
	return size;
}

/* --- tiers that are read ---------------------------------------------------------------------------------------- */

/* As rrd_fetch(3) does: the archive that reaches back to `from` and has the nearest step; where none reaches back, the one
 * that covers most of what is asked, which is the one that begins first, and of those the one with the nearest step. */
int64_t store_choose_step(const struct plan *plan, size_t family, int64_t now, int64_t from, int64_t step)
{
	const struct layout_archive *best = NULL;
	int64_t least = 0, chosen;
	struct layout layout;

	layout_begin(&layout, plan, family);
	for (size_t i = 0; i < layout.archive_count; i++) {
		const struct layout_archive *archive = &layout.archives[i];
		int64_t start = now - now % archive->step - archive->rows * archive->step;
		/* How much of what is asked it lacks. */
		int64_t lack = start > from ? start - from : 0;

		if (archive->consolidation != STORE_AVERAGE)
			continue;
		if (!best || lack < least || (lack == least && llabs(archive->step - step) < llabs(best->step - step))) {
			best = archive;
			least = lack;
		}
	}
	chosen = best ? best->step : layout.step;
	layout_release(&layout);
	return chosen;
}

bool store_is_finest(const struct plan *plan, size_t family, int64_t step)
{
	return step == plan_base_step(plan->families[family].plugin->interval);
}
