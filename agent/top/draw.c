#include "top/draw.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/text.h"
#include "top/amount.h"

/* The columns that all sections share, so that what is alike stands below each other. */
struct grid {
	int name; /* width of the first column, which begins at 0 */
	int bar_at, bar;
	int value_at, value;
	int spark_at, spark;
	int detail_at, detail; /* 0 wide: there is no room for it */
};

struct drawing {
	const struct model *model;
	const struct look *look;
	struct sheet *sheet;
	struct grid grid;
	bool apart; /* the line before belongs to a section with a title */
};

#define DETAIL_WIDTH 20 /* "999.9 GB of 999.9 GB" */
#define WIDE_ENOUGH_FOR_DETAIL 72

static int between(int low, int value, int high)
{
	return value < low ? low : value > high ? high : value;
}

static struct grid lay_out(int width)
{
	struct grid grid = {.name = between(12, width / 5, 24), .bar = between(6, width / 5, 32), .value = 8};

	grid.bar_at = grid.name + 1;
	grid.value_at = grid.bar_at + grid.bar + 1;
	grid.spark_at = grid.value_at + grid.value + 2;
	grid.detail = width >= WIDE_ENOUGH_FOR_DETAIL ? DETAIL_WIDTH : 0;
	grid.detail_at = width - grid.detail;
	grid.spark = grid.detail_at - (grid.detail ? 2 : 0) - grid.spark_at;
	return grid;
}

/* --- the parts of a line ------------------------------------------------------------------------------------ */

static double value_of(const struct model_family *family, const struct model_instance *instance, const char *name)
{
	size_t field = model_field(family, name);

	return field == SIZE_MAX ? NAN : instance->values[field];
}

static char *write_value(const struct model_family *family, const struct model_instance *instance, size_t field,
                         char text[AMOUNT_SIZE])
{
	const struct model_field *it = &family->fields[field];

	return amount_write(instance->values[field], it->unit, it->counter, it->decimals, text);
}

/* "read_bytes" in bytes is "read": the unit stands with the value. */
static char *short_name(const struct model_field *field)
{
	char *name = memory_text(field->name);
	size_t length = strlen(name), unit = strlen(field->unit);

	if (unit && length > unit + 1 && name[length - unit - 1] == '_' && strcmp(name + length - unit, field->unit) == 0)
		name[length - unit - 1] = '\0';
	return name;
}

static bool is_percent(const struct model_family *family)
{
	return family->headline_count == 1 && strcmp(family->fields[family->headlines[0]].unit, "percent") == 0;
}

/* A percentage is drawn from 0 to 100, all else from 0 to the largest value that is seen. */
static void spark(struct drawing *drawing, int column, int width, const struct model_family *family,
                  const struct model_instance *instance, size_t headline)
{
	const struct history *history = &instance->histories[headline];
	double high = is_percent(family) ? 100 : history_max(history);

	sheet_spark(drawing->sheet, column, width, history, drawing->model->time, high);
}

/* A section with a title stands apart from what is before it, one without only from such a section. */
static void open_section(struct drawing *drawing, bool titled)
{
	if (titled || drawing->apart)
		sheet_line(drawing->sheet);
	drawing->apart = titled;
}

static void title(struct drawing *drawing, const char *name)
{
	open_section(drawing, true);
	sheet_line(drawing->sheet);
	sheet_left(drawing->sheet, 0, drawing->look->width, STYLE_TITLE, name);
}

/* --- families of percentages -------------------------------------------------------------------------------- */

/* How much it is of how much, where the family tells. What is available counts as not used, as in the percentage. */
static void write_detail(const struct model_family *family, const struct model_instance *instance,
                         char text[AMOUNT_SIZE])
{
	double total = value_of(family, instance, "total"), used = value_of(family, instance, "used");
	double available = value_of(family, instance, "available");
	char a[TEXT_AMOUNT_SIZE], b[TEXT_AMOUNT_SIZE];
	size_t field = model_field(family, "total");

	text[0] = '\0';
	if (field == SIZE_MAX || strcmp(family->fields[field].unit, "bytes") != 0 || isnan(total))
		return;
	if (!isnan(available))
		used = total - available;
	if (total == 0)
		snprintf(text, AMOUNT_SIZE, "none");
	else if (!isnan(used))
		snprintf(text, AMOUNT_SIZE, "%s of %s", text_from_size(fmax(used, 0), a), text_from_size(total, b));
}

static void draw_percent(struct drawing *drawing, const char *name, enum style style, const struct model_family *family,
                         const struct model_instance *instance)
{
	const struct grid *grid = &drawing->grid;
	size_t field = family->headlines[0];
	double percent = instance->values[field];
	char text[AMOUNT_SIZE];

	sheet_line(drawing->sheet);
	sheet_left(drawing->sheet, 0, grid->name, style, name);
	sheet_bar(drawing->sheet, grid->bar_at, grid->bar, percent);
	write_value(family, instance, field, text);
	sheet_right(drawing->sheet, grid->value_at, grid->value, sheet_level(percent, STYLE_PLAIN), text);
}

static void draw_percent_history(struct drawing *drawing, const char *name, enum style style,
                                 const struct model_family *family, const struct model_instance *instance)
{
	const struct grid *grid = &drawing->grid;
	char text[AMOUNT_SIZE];

	draw_percent(drawing, name, style, family, instance);
	spark(drawing, grid->spark_at, grid->spark, family, instance, 0);
	write_detail(family, instance, text);
	sheet_right(drawing->sheet, grid->detail_at, grid->detail, STYLE_QUIET, text);
}

/* File systems, and what else has sizes: how they are used says more than their last minutes, which are all alike. */
#define SIZE_CELL 10
static const char *const sizes[] = {"used", "free", "total"};
static const char *const size_titles[] = {"used", "free", "size"};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static bool has_sizes(const struct model_family *family)
{
	for (size_t i = 0; i < SIZES; i++) {
		size_t field = model_field(family, sizes[i]);

		if (field == SIZE_MAX || strcmp(family->fields[field].unit, "bytes") != 0)
			return false;
	}
	return true;
}

/* `instance` NULL: the titles of the columns. Where room is scarce, what is free is told, then how large it is. */
static void draw_sizes(struct drawing *drawing, const struct model_family *family,
                       const struct model_instance *instance)
{
	int room = drawing->look->width - drawing->grid.value_at - drawing->grid.value;
	int count = between(0, (room + 1) / (SIZE_CELL + 1), SIZES),
		column = drawing->look->width - count * (SIZE_CELL + 1) + 1;
	size_t from = count == 1 ? 1 : SIZES - (size_t)count;
	char text[AMOUNT_SIZE];

	for (size_t i = from; i < from + (size_t)count; i++, column += SIZE_CELL + 1) {
		if (instance)
			sheet_right(drawing->sheet, column, SIZE_CELL, STYLE_PLAIN,
			            write_value(family, instance, model_field(family, sizes[i]), text));
		else
			sheet_right(drawing->sheet, column, SIZE_CELL, STYLE_QUIET, size_titles[i]);
	}
}

static void draw_percents(struct drawing *drawing, const struct model_family *family)
{
	bool sized = has_sizes(family);

	title(drawing, family->name);
	if (sized)
		draw_sizes(drawing, family, NULL);
	for (size_t i = 0; i < family->instance_count; i++) {
		const struct model_instance *instance = family->instances[i];

		if (sized) {
			draw_percent(drawing, instance->name, STYLE_PLAIN, family, instance);
			draw_sizes(drawing, family, instance);
		} else {
			draw_percent_history(drawing, instance->name, STYLE_PLAIN, family, instance);
		}
	}
}

/* --- processors --------------------------------------------------------------------------------------------- */

/* What the time went to, in percent of all of it. That of guests is in user and nice (proc_stat(5)). */
static void draw_split(struct drawing *drawing, const struct model_family *family,
                       const struct model_instance *instance)
{
	static const char *const parts[] = {"user", "system", "iowait", "nice", "irq", "softirq", "steal", "idle"};
	enum { PARTS = sizeof(parts) / sizeof(parts[0]), ALWAYS = 3, IDLE = PARTS - 1 };
	int column = drawing->grid.bar_at;
	double all = 0;
	char text[AMOUNT_SIZE];

	for (size_t i = 0; i < PARTS; i++)
		all += fmax(value_of(family, instance, parts[i]), 0);
	sheet_line(drawing->sheet);
	for (size_t i = 0; i < IDLE; i++) {
		double share = all > 0 ? 100 * value_of(family, instance, parts[i]) / all : NAN;

		/* The rarer ones are told where there is something to tell. */
		if (i >= ALWAYS && !(share >= 0.05))
			continue;
		/* As wide as it mostly is, so that what follows stands still. */
		snprintf(text, sizeof(text), isnan(share) ? "   -" : "%4.1f", share);
		if (column + sheet_width(parts[i]) + 1 + sheet_width(text) > drawing->look->width)
			return;
		column = sheet_left(drawing->sheet, column, drawing->look->width, STYLE_QUIET, parts[i]) + 1;
		column = sheet_left(drawing->sheet, column, drawing->look->width, STYLE_PLAIN, text) + 2;
	}
}

#define CORE_NARROWEST 19 /* "  7 ▇▇▇▇▇▇▇▇ 100 %" and a blank */
#define CORE_WIDEST 38
#define CORE_VALUE 5

/* Cores side by side, in as many columns as fit; as many bars as there are, no names but their numbers. */
static void draw_cores(struct drawing *drawing, const struct model_family *family)
{
	int width = drawing->look->width, count = (int)family->instance_count;
	int columns = between(1, width / CORE_NARROWEST, count > 0 ? count : 1);
	int cell = between(1, width / columns, CORE_WIDEST), name = 3;
	char text[AMOUNT_SIZE];

	for (int i = 0; i < count; i++)
		name = between(name, sheet_width(family->instances[i]->name), 8);
	for (int i = 0; i < count; i++) {
		const struct model_instance *core = family->instances[i];
		double percent = core->values[family->headlines[0]];
		int column = i % columns * cell;

		if (i % columns == 0)
			sheet_line(drawing->sheet);
		snprintf(text, sizeof(text), isnan(percent) ? "-" : "%.0f %%", percent);
		sheet_right(drawing->sheet, column, name, STYLE_QUIET, core->name);
		sheet_bar(drawing->sheet, column + name + 1, cell - name - CORE_VALUE - 4, percent);
		sheet_right(drawing->sheet, column + cell - CORE_VALUE - 2, CORE_VALUE, sheet_level(percent, STYLE_PLAIN),
		            text);
	}
}

/* --- all other families ------------------------------------------------------------------------------------- */

/* A name, and its value in the column of the values; the name has what room that leaves. */
static void draw_named(struct drawing *drawing, const char *name, enum style style, const char *value)
{
	const struct grid *grid = &drawing->grid;
	int end = grid->value_at + grid->value, left = end - sheet_width(value) - 1;

	sheet_line(drawing->sheet);
	sheet_left(drawing->sheet, 0, left > grid->name ? left : grid->name, style, name);
	sheet_right(drawing->sheet, grid->bar_at, end - grid->bar_at, STYLE_PLAIN, value);
}

static void draw_one(struct drawing *drawing, const char *name, enum style style, const struct model_family *family,
                     const struct model_instance *instance)
{
	char text[AMOUNT_SIZE];

	draw_named(drawing, name, style, write_value(family, instance, family->headlines[0], text));
	spark(drawing, drawing->grid.spark_at, drawing->grid.spark, family, instance, 0);
}

/* The columns of a table of several headlines. */
#define TABLE_VALUE 11
#define TABLE_SPARK 6 /* at least */

struct table {
	size_t columns; /* that there is room for */
	int cell;       /* width of each */
	int spark;      /* of its sparkline; 0: none */
};

static struct table plan_table(const struct drawing *drawing, const struct model_family *family)
{
	int room = drawing->look->width - drawing->grid.bar_at;
	struct table table = {.columns = family->headline_count};

	if ((int)table.columns > room / TABLE_VALUE)
		table.columns = (size_t)between(1, room / TABLE_VALUE, (int)table.columns);
	table.cell = room / (int)table.columns;
	if (table.cell >= TABLE_VALUE + 1 + TABLE_SPARK + 1)
		table.spark = table.cell - TABLE_VALUE - 2;
	else
		table.cell = TABLE_VALUE;
	return table;
}

static void draw_table_titles(struct drawing *drawing, const struct model_family *family, const struct table *table)
{
	int column = drawing->grid.bar_at;

	for (size_t k = 0; k < table->columns; k++, column += table->cell) {
		char *name = short_name(&family->fields[family->headlines[k]]);

		sheet_right(drawing->sheet, column, TABLE_VALUE - 1, STYLE_QUIET, name);
		free(name);
	}
}

static void draw_table(struct drawing *drawing, const struct model_family *family)
{
	struct table table = plan_table(drawing, family);
	char text[AMOUNT_SIZE];

	title(drawing, family->name);
	draw_table_titles(drawing, family, &table);
	for (size_t i = 0; i < family->instance_count; i++) {
		const struct model_instance *instance = family->instances[i];
		int column = drawing->grid.bar_at;

		sheet_line(drawing->sheet);
		sheet_left(drawing->sheet, 0, drawing->grid.name, STYLE_PLAIN, instance->name);
		for (size_t k = 0; k < table.columns; k++, column += table.cell) {
			sheet_right(drawing->sheet, column, TABLE_VALUE - 1, STYLE_PLAIN,
			            write_value(family, instance, family->headlines[k], text));
			spark(drawing, column + TABLE_VALUE, table.spark, family, instance, k);
		}
	}
}

/* Several fields of one subject: side by side, the unit once. */
#define FLOW_CELL 26
#define FLOW_VALUE 10

static void draw_flow(struct drawing *drawing, const struct model_family *family, const struct model_instance *instance)
{
	int columns = between(1, drawing->look->width / FLOW_CELL, 8);
	int cell = drawing->look->width / columns;
	char text[AMOUNT_SIZE];

	title(drawing, family->name);
	sheet_left(drawing->sheet, sheet_width(family->name) + 2, drawing->look->width, STYLE_QUIET,
	           family->fields[family->headlines[0]].unit);
	for (size_t k = 0; k < family->headline_count; k++) {
		const struct model_field *field = &family->fields[family->headlines[k]];
		int column = (int)k % columns * cell;
		char *name = short_name(field);

		if (column == 0)
			sheet_line(drawing->sheet);
		sheet_left(drawing->sheet, column, cell - FLOW_VALUE - 3, STYLE_PLAIN, name);
		amount_bare(instance->values[family->headlines[k]], field->unit, field->counter, field->decimals, text);
		sheet_right(drawing->sheet, column + cell - FLOW_VALUE - 2, FLOW_VALUE, STYLE_PLAIN, text);
		free(name);
	}
}

static void draw_alone(struct drawing *drawing, const struct model_family *family)
{
	const struct model_instance *instance = family->instances[0];
	char *metric;

	if (family->headline_count > 1) {
		draw_flow(drawing, family, instance);
		return;
	}
	open_section(drawing, false);
	if (is_percent(family)) {
		draw_percent_history(drawing, family->name, STYLE_TITLE, family, instance);
		return;
	}
	metric = memory_format("%s.%s", family->name, family->fields[family->headlines[0]].name);
	draw_one(drawing, metric, STYLE_TITLE, family, instance);
	free(metric);
}

static void draw_many(struct drawing *drawing, const struct model_family *family)
{
	if (is_percent(family)) {
		draw_percents(drawing, family);
		return;
	}
	if (family->headline_count > 1) {
		draw_table(drawing, family);
		return;
	}
	title(drawing, family->name);
	sheet_right(drawing->sheet, drawing->grid.bar_at, drawing->grid.bar + 1 + drawing->grid.value, STYLE_QUIET,
	            family->fields[family->headlines[0]].name);
	for (size_t i = 0; i < family->instance_count; i++)
		draw_one(drawing, family->instances[i]->name, STYLE_PLAIN, family, family->instances[i]);
}

/* What everybody looks at comes first, in this order. */
static const char *const first[] = {"cpu", "cpu.core", "memory.vm", "memory.swap", "disk.io", "disk.space"};
#define FIRST (sizeof(first) / sizeof(first[0]))

static bool is_first(const char *name)
{
	for (size_t i = 0; i < FIRST; i++)
		if (strcmp(name, first[i]) == 0)
			return true;
	return false;
}

static void draw_family(struct drawing *drawing, const struct model_family *family)
{
	if (!family || family->instance_count == 0 || family->headline_count == 0)
		return;
	if (strcmp(family->name, "cpu.core") == 0 && is_percent(family))
		draw_cores(drawing, family);
	else if (family->many)
		draw_many(drawing, family);
	else
		draw_alone(drawing, family);
	if (strcmp(family->name, "cpu") == 0 && !family->many && model_field(family, "user") != SIZE_MAX)
		draw_split(drawing, family, family->instances[0]);
}

/* --- aggregates, what is wrong, the heading ----------------------------------------------------------------- */

#define ENOUGH_FOR_WORDS 14

static void draw_aggregate(struct drawing *drawing, const struct model_aggregate *aggregate)
{
	bool service = strcmp(aggregate->over, "service") == 0;
	char text[AMOUNT_SIZE], *words;

	amount_write(aggregate->value, aggregate->unit, false, 2, text);
	draw_named(drawing, aggregate->name, STYLE_PLAIN, aggregate->text ? aggregate->text : text);
	if (drawing->grid.spark < ENOUGH_FOR_WORDS)
		return;
	words = memory_format("%s of %s%s%s, %s", aggregate->fn, aggregate->of, aggregate->instance ? " " : "",
	                      aggregate->instance ? aggregate->instance : "", service ? "since start" : aggregate->over);
	sheet_left(drawing->sheet, drawing->grid.spark_at, drawing->look->width, STYLE_QUIET, words);
	free(words);
}

static void draw_aggregates(struct drawing *drawing)
{
	if (drawing->model->aggregate_count == 0)
		return;
	title(drawing, "aggregates");
	for (size_t i = 0; i < drawing->model->aggregate_count; i++)
		draw_aggregate(drawing, &drawing->model->aggregates[i]);
}

/* Words of any length, on as many lines as they need. */
static void draw_words(struct drawing *drawing, enum style style, const char *text)
{
	int column = 0, width = drawing->look->width;
	char *copy = memory_text(text), *rest = copy, *word;

	sheet_line(drawing->sheet);
	while ((word = strsep(&rest, " "))) {
		if (column > 2 && column + sheet_width(word) > width) {
			sheet_line(drawing->sheet);
			column = 2;
		}
		column = sheet_left(drawing->sheet, column, width - column, style, word) + 1;
	}
	free(copy);
}

static bool is_failing(const struct model *model)
{
	return model->status && strcmp(model->status, "failing") == 0;
}

static void draw_away(struct drawing *drawing)
{
	char *words = memory_format("%s Trying again.", drawing->look->away);

	draw_words(drawing, STYLE_ALARM, words);
	free(words);
}

static void draw_reasons(struct drawing *drawing)
{
	const struct model *model = drawing->model;
	for (size_t i = 0; i < model->reason_count; i++) {
		char *words = memory_format("! %s", model->reasons[i]);

		draw_words(drawing, is_failing(model) ? STYLE_ALARM : STYLE_WARNING, words);
		free(words);
	}
	if (model->reason_count)
		sheet_line(drawing->sheet);
}

/* One more word of the heading, where there is room for all of it. */
static int draw_word(struct drawing *drawing, int column, int room, enum style style, const char *word)
{
	if (column + sheet_width(word) > room)
		return column;
	return sheet_left(drawing->sheet, column, room - column, style, word) + 2;
}

/* Host, state, and what else fits; the time at the right edge. */
static void draw_heading(struct drawing *drawing)
{
	const struct model *model = drawing->model;
	int column, room = drawing->look->width;
	time_t seconds = (time_t)model->time;
	char text[AMOUNT_SIZE], span[TEXT_AMOUNT_SIZE];
	struct tm local;

	sheet_line(drawing->sheet);
	if (model->time > 0 && localtime_r(&seconds, &local) && strftime(text, sizeof(text), "%H:%M:%S", &local) > 0) {
		sheet_right(drawing->sheet, 0, room, STYLE_PLAIN, text);
		room -= 10;
	}
	column = sheet_left(drawing->sheet, 0, room, STYLE_TITLE, drawing->look->host) + 2;
	if (!model->known)
		return;
	column = draw_word(drawing, column, room, model->stopped ? STYLE_WARNING : STYLE_PLAIN,
	                   model->stopped ? "stopped" : "running");
	if (model->status && strcmp(model->status, "ok") != 0)
		column = draw_word(drawing, column, room, is_failing(model) ? STYLE_ALARM : STYLE_WARNING, model->status);
	snprintf(text, sizeof(text), "up %s", text_from_span(model->uptime, span));
	if (model->uptime > 0)
		column = draw_word(drawing, column, room, STYLE_QUIET, text);
	snprintf(text, sizeof(text), "sparklines %s", text_from_span(HISTORY_SECONDS, span));
	draw_word(drawing, column, room, STYLE_QUIET, text);
}

static void draw_body(struct drawing *drawing)
{
	const struct model *model = drawing->model;

	draw_reasons(drawing);
	for (size_t i = 0; i < FIRST; i++)
		draw_family(drawing, model_family(model, first[i]));
	for (size_t i = 0; i < model->family_count; i++)
		if (!is_first(model->families[i].name))
			draw_family(drawing, &model->families[i]);
	draw_aggregates(drawing);
}

size_t draw(const struct model *model, const struct look *look, struct sheet *sheet)
{
	struct drawing drawing = {.model = model, .look = look, .sheet = sheet, .grid = lay_out(look->width)};
	size_t heading;

	sheet_begin(sheet, look->width, look->unicode);
	draw_heading(&drawing);
	if (look->away)
		draw_away(&drawing);
	else if (model->known && model->stopped)
		draw_words(&drawing, STYLE_WARNING, "sampling was stopped; POST /start begins it again");
	sheet_line(sheet);
	heading = sheet->line_count;
	if (model->known)
		draw_body(&drawing);
	return heading;
}

void draw_foot(const struct foot *foot, const struct look *look, struct sheet *sheet)
{
	char text[128];

	sheet_begin(sheet, look->width, look->unicode);
	sheet_line(sheet);
	if (foot->help)
		snprintf(text, sizeof(text), "q quits   j k %sscroll   PgUp PgDn by pages   g G top, end   ? hides this",
		         look->unicode ? "↑ ↓ " : "");
	else
		snprintf(text, sizeof(text), "%zu-%zu of %zu lines   j k scroll   ? keys", foot->first, foot->last, foot->all);
	sheet_left(sheet, 0, look->width, STYLE_QUIET, text);
}
