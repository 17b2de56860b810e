/* report/check.c: `pindrop check`, for a good configuration: what it comes to, and what that takes on the disk. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "report/report.h"
#include "store/layout.h"
#include "store/ledger.h"
#include "store/move.h"
#include "store/purge.h"

/* Of a longer list only the largest part is told. */
#define LIST_MAX 20

#define AMOUNT_SIZE (2 * TEXT_AMOUNT_SIZE)

static void print_families(const struct plan *plan, FILE *out)
{
	char interval[TEXT_AMOUNT_SIZE];

	fprintf(out, "\nfamilies\n");
	for (size_t i = 0; i < plan->family_count; i++) {
		const struct plan_family *family = &plan->families[i];
		char *path = store_path(plan, i, family->table->instance ? "NAME" : "");

		fprintf(out, "  %-14s every %-6s %2zu %-6s   %s\n", family->table->name,
		        text_from_duration(clock_seconds(family->plugin->interval), interval), family->table->field_count,
		        family->table->field_count == 1 ? "field" : "fields", path);
		free(path);
	}
}

/* Those that are in Lua: what they may use. */
static void print_collectors(const struct plan *plan, FILE *out)
{
	char timeout[TEXT_AMOUNT_SIZE], memory[TEXT_AMOUNT_SIZE];
	bool headed = false;

	for (size_t i = 0; i < plan->plugin_count; i++) {
		const struct plan_plugin *plugin = &plan->plugins[i];

		if (!plugin->collector)
			continue;
		if (!headed)
			fprintf(out, "\ncollectors in Lua\n");
		headed = true;
		fprintf(out, "  %-14s may take %s and %s%s%s\n", plugin->name,
		        text_from_duration(clock_seconds(plugin->timeout), timeout),
		        text_from_size((double)plugin->memory, memory), *plugin->table->help ? "   " : "", plugin->table->help);
	}
}

static void print_retention(const struct plan *plan, FILE *out)
{
	char step[TEXT_AMOUNT_SIZE], keep[TEXT_AMOUNT_SIZE];

	fprintf(out, "\nretention\n");
	for (size_t i = 0; i < plan->tier_count; i++)
		fprintf(out, "  one row every %-5s for %s\n", text_from_duration((double)plan->tiers[i].step, step),
		        text_from_duration((double)plan->tiers[i].keep, keep));
}

static void print_aggregates(const struct plan *plan, FILE *out)
{
	char over[TEXT_AMOUNT_SIZE];

	fprintf(out, "\naggregates\n");
	for (size_t i = 0; i < plan->aggregate_count; i++) {
		const struct plan_aggregate *aggregate = &plan->aggregates[i];
		const struct pindrop_family *family = plan->families[aggregate->family].table;

		fprintf(out, "  %-20s %s", aggregate->name, aggregate->fn == PLAN_FUNCTION ? "a function" : aggregate->fn_name);
		if (aggregate->fn == PLAN_ETA)
			fprintf(out, " to %g", aggregate->to);
		fprintf(out, " of %s.%s", family->name, family->fields[aggregate->field].name);
		if (aggregate->instance)
			fprintf(out, " of %s", aggregate->instance);
		fprintf(out, " over %s%s\n",
		        aggregate->over ? text_from_duration(clock_seconds(aggregate->over), over) : "the service's life",
		        aggregate->formatted ? ", formatted by a function" : "");
	}
}

/* --- disk space -------------------------------------------------------------------------------------------------- */

/* Some files, seen together. */
struct heap {
	size_t count;
	int64_t bytes, least, most;
};

static void add(struct heap *heap, const struct survey_file *file)
{
	heap->least = heap->count == 0 || file->size < heap->least ? file->size : heap->least;
	heap->most = file->size > heap->most ? file->size : heap->most;
	heap->bytes += file->size;
	heap->count++;
}

/* "3 x 6.6 MB"; of different sizes, "3 files". */
static const char *count_of(const struct heap *heap, char text[AMOUNT_SIZE])
{
	char size[TEXT_AMOUNT_SIZE];

	if (heap->count == 0)
		snprintf(text, AMOUNT_SIZE, "-");
	else if (heap->least == heap->most)
		snprintf(text, AMOUNT_SIZE, "%zu x %s", heap->count, text_from_size((double)heap->most, size));
	else
		snprintf(text, AMOUNT_SIZE, "%zu files", heap->count);
	return text;
}

static const char *bytes_of(int64_t bytes, char text[TEXT_AMOUNT_SIZE])
{
	return bytes ? text_from_size((double)bytes, text) : "-";
}

/* One line of the table: what there is, and what the plan takes. */
static void print_row(const char *name, const struct heap *now, const struct heap *then, FILE *out)
{
	char now_count[AMOUNT_SIZE], now_bytes[TEXT_AMOUNT_SIZE], then_count[AMOUNT_SIZE], then_bytes[TEXT_AMOUNT_SIZE];

	fprintf(out, "  %-25s %14s %9s  %14s %9s\n", name, count_of(now, now_count), bytes_of(now->bytes, now_bytes),
	        count_of(then, then_count), bytes_of(then->bytes, then_bytes));
}

static struct heap same(size_t count, int64_t size)
{
	return (struct heap){count, (int64_t)count * size, size, size};
}

/* All files of a kind; of series, those of one family. */
static struct heap gather(const struct survey *survey, enum survey_kind kind, size_t family)
{
	struct heap heap = {0};

	for (size_t i = 0; i < survey->count; i++)
		if (survey->files[i].kind == kind && (kind != SURVEY_SERIES || survey->files[i].family == family))
			add(&heap, &survey->files[i]);
	return heap;
}

/* Of the agent's own files, those that are named so. */
static struct heap gather_own(const struct survey *survey, const struct plan *plan, const char *name)
{
	struct heap heap = {0};
	size_t length = strlen(plan->data_dir) + 1;

	for (size_t i = 0; i < survey->count; i++)
		if (survey->files[i].kind == SURVEY_OWN && strncmp(survey->files[i].path + length, name, strlen(name)) == 0)
			add(&heap, &survey->files[i]);
	return heap;
}

static void print_own(const struct plan *plan, const struct survey *survey, FILE *out)
{
	const struct heap journal = gather_own(survey, plan, ".journal"), ledger = gather_own(survey, plan, ".ledger");
	const struct heap new_journal = same(1, plan->journal_size), new_ledger = same(1, LEDGER_SIZE);

	print_row("journal", &journal, &new_journal, out);
	print_row("ledger, at most", &ledger, &new_ledger, out);
}

/* What has no place in the plan stays until it is purged. */
static void print_rest(const struct survey *survey, FILE *out)
{
	static const struct {
		enum survey_kind kind;
		const char *name;
	} rest[] = {{SURVEY_STRAY, "not in this plan"}, {SURVEY_ASIDE, "set aside"}, {SURVEY_HALF, "half made"}};
	const struct heap none = {0};

	for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++) {
		const struct heap heap = gather(survey, rest[i].kind, 0);

		if (heap.count)
			print_row(rest[i].name, &heap, &none, out);
	}
}

static void print_total(const struct plan *plan, const struct survey *survey, const struct purge_need *need, FILE *out)
{
	char now[TEXT_AMOUNT_SIZE], then[TEXT_AMOUNT_SIZE], max[TEXT_AMOUNT_SIZE];

	fprintf(out, "  %-25s %14s %9s  %14s %9s of %s (purge.max_size)\n", "total", "", bytes_of(survey->total, now), "",
	        text_from_size((double)need->total, then), text_from_size((double)plan->purge_max_size, max));
}

static void print_space(const struct plan *plan, const struct survey *survey, const bool *alive, FILE *out)
{
	const struct heap none = {0};
	struct purge_need need;
	struct heap rewrite;

	purge_add_up(&need, plan, survey, alive);
	if (plan->rrdcached)
		fprintf(out, "\nthe files are written by rrdcached at %s, which must see them by the same paths\n",
		        plan->rrdcached);
	fprintf(out, "\ndisk space in %s\n  %-25s %24s  %24s\n", plan->data_dir, "", "now", "with this plan");
	for (size_t i = 0; i < plan->family_count; i++) {
		const struct heap now = gather(survey, SURVEY_SERIES, i), then = same(need.counts[i], need.sizes[i]);

		print_row(plan->families[i].table->name, &now, &then, out);
	}
	print_own(plan, survey, out);
	rewrite = same(1, need.rewrite);
	print_row("room to rewrite one file", &none, &rewrite, out);
	print_rest(survey, out);
	print_total(plan, survey, &need, out);
	purge_need_release(&need);
}

/* --- what will go ------------------------------------------------------------------------------------------------ */

static int by_change(const void *left, const void *right)
{
	const struct survey_file *a = *(const struct survey_file *const *)left,
							 *b = *(const struct survey_file *const *)right;

	if (a->changed != b->changed)
		return a->changed < b->changed ? -1 : 1;
	return strcmp(a->path, b->path);
}

static bool is_vanished(const struct survey_file *file, bool alive)
{
	return file->kind == SURVEY_STRAY || file->kind == SURVEY_ASIDE || (file->kind == SURVEY_SERIES && !alive);
}

static void print_file(const struct survey_file *file, FILE *out)
{
	char time[CLOCK_TEXT_SIZE], size[TEXT_AMOUNT_SIZE];

	clock_format(file->changed, time);
	fprintf(out, "  %.16s %9s  %s\n", time, text_from_size((double)file->size, size), file->path);
}

static void print_vanished(const struct plan *plan, const struct survey *survey, const bool *alive, FILE *out)
{
	const struct survey_file **list = memory_array(survey->count, sizeof(*list));
	char after[TEXT_AMOUNT_SIZE], size[TEXT_AMOUNT_SIZE];
	struct heap more = {0};
	size_t count = 0;

	for (size_t i = 0; i < survey->count; i++)
		if (is_vanished(&survey->files[i], alive[i]))
			list[count++] = &survey->files[i];
	qsort(list, count, sizeof(*list), by_change);
	if (count)
		fprintf(out, "\nvanished or set aside: removed %s after the last change, or sooner when room is needed\n",
		        text_from_duration((double)plan->purge_after, after));
	for (size_t i = 0; i < count; i++) {
		if (i < LIST_MAX)
			print_file(list[i], out);
		else
			add(&more, list[i]);
	}
	if (more.count)
		fprintf(out, "  … and %zu more, %s\n", more.count, text_from_size((double)more.bytes, size));
	free(list);
}

/* --- what will move ---------------------------------------------------------------------------------------------- */

static void print_change(const struct survey_file *file, const struct migrate_report *report, FILE *out)
{
	char before[TEXT_AMOUNT_SIZE], after[TEXT_AMOUNT_SIZE];

	if (report->foreign) {
		fprintf(out, "  %s\n    was made by another program: it is set aside, and a new file begins\n", file->path);
		return;
	}
	fprintf(out, "  %s\n    %s\n    %lld rows, %s -> %lld rows, %s\n", file->path, report->difference,
	        (long long)report->rows_before, text_from_size((double)report->bytes_before, before),
	        (long long)report->rows_after, text_from_size((double)report->bytes_after, after));
	if (report->lost)
		fprintf(out, "    not kept: %s; the old file stays as %s.replaced-…\n", report->lost, file->path);
}

/* The files on the disk that have another layout than the plan. Nothing is touched. */
static void print_changes(const struct plan *plan, const struct survey *survey, FILE *out)
{
	bool headed = false;

	for (size_t i = 0; i < survey->count; i++) {
		const struct survey_file *file = &survey->files[i];
		struct migrate_report report = {0};
		struct layout layout;
		struct error error;
		int failed;

		if (file->kind != SURVEY_SERIES)
			continue;
		layout_begin(&layout, plan, file->family);
		failed = file_plan(file->path, &layout, &report, &error);
		if ((failed || report.changes) && !headed)
			fprintf(out, "\nfiles that change at the next start\n");
		headed = headed || failed || report.changes;
		if (failed)
			fprintf(out, "  %s\n    %s%s\n", file->path, error.text,
			        report.damaged ? ": it is set aside, and a new file begins" : "");
		else if (report.changes)
			print_change(file, &report, out);
		migrate_report_release(&report);
		layout_release(&layout);
	}
}

void report_check(const struct plan *plan, const struct survey *survey, const bool *alive, FILE *out)
{
	fprintf(out, "%s is good\n", plan->file);
	print_families(plan, out);
	print_collectors(plan, out);
	print_retention(plan, out);
	print_aggregates(plan, out);
	print_changes(plan, survey, out);
	print_space(plan, survey, alive, out);
	print_vanished(plan, survey, alive, out);
}
