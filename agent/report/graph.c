#include "report/graph.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "store/store.h"

/* What rrdtool takes for things, in pixels, with the fonts below. */
#define LEGEND_ROW 15
#define LETTER 6.1
#define OVERHEAD 44
#define CANVAS_MIN 60

/* A lower picture has no unit beside its axis: it does not fit there. */
#define LABEL_HEIGHT 140

/* Of a name so many letters stand in the table, and of a title as many as fit. */
#define NAME_SHOWN 32
#define TITLE_SHOWN 200

/* A line of the quoted command is not longer, where it can be broken. */
#define LINE_LENGTH 100

/* --- looks ------------------------------------------------------------------------------------------------------ */

/* The palette of Okabe and Ito: most of the colour-blind can tell these apart. The seventh is that of the text. */
static const char *const colours[] = {"0072B2", "D55E00", "009E73", "CC79A7", "E69F00", "56B4E9", NULL, "F0E442"};
#define COLOURS (sizeof(colours) / sizeof(colours[0]))

/* The second time around the palette, lines are dashed. */
static const char *const dashes[] = {"", ":dashes=6,2", ":dashes=2,2"};

struct look {
	const char *text, *band;    /* colour of a line in that of the text; how dense a band is */
	const char *const *colours; /* ended by NULL: "BACK#…" */
	const char *tints[GAP_REASONS];
};

static const char *const light_colours[] = {
	"BACK#FFFFFF",    "CANVAS#FFFFFF",  "FONT#333333",   "AXIS#999999",   "GRID#EEEEEE", "MGRID#DDDDDD",
	"FRAME#FFFFFF00", "ARROW#FFFFFF00", "SHADEA#FFFFFF", "SHADEB#FFFFFF", NULL};
static const char *const dark_colours[] = {
	"BACK#14171A",    "CANVAS#14171A",  "FONT#C9CDD1",   "AXIS#6B7177",   "GRID#1F2428", "MGRID#2B3136",
	"FRAME#14171A00", "ARROW#14171A00", "SHADEA#14171A", "SHADEB#14171A", NULL};

static const struct look light = {
	.text = "000000",
	.band = "30",
	.colours = light_colours,
	.tints = {[GAP_TIMEOUT] = "F7D9D3",
              [GAP_ERROR] = "F2C9C9",
              [GAP_STOPPED] = "DCE6EF",
              [GAP_LATE] = "F5EBC8",
              [GAP_CLOCK_STEP] = "E6DDF1",
              [GAP_SUSPEND] = "D7D9EE",
              [GAP_AGENT_DOWN] = "E6E6E6",
              [GAP_DISK_FULL] = "F6DDBE",
              [GAP_QUARANTINE] = "EBD3BC",
              [GAP_MIGRATION] = "D9EBDC",
              [GAP_COUNTER_RESET] = "EEDDEA",
              [GAP_DEVICE_GONE] = "D3E8E8",
              [GAP_NOT_CONFIGURED] = "E9EDDA"},
};

static const struct look dark = {
	.text = "FFFFFF",
	.band = "48",
	.colours = dark_colours,
	.tints = {[GAP_TIMEOUT] = "4A2A24",
              [GAP_ERROR] = "522222",
              [GAP_STOPPED] = "23323F",
              [GAP_LATE] = "45401F",
              [GAP_CLOCK_STEP] = "382C49",
              [GAP_SUSPEND] = "2A2C50",
              [GAP_AGENT_DOWN] = "34383C",
              [GAP_DISK_FULL] = "4A361C",
              [GAP_QUARANTINE] = "46301F",
              [GAP_MIGRATION] = "233D2A",
              [GAP_COUNTER_RESET] = "42293B",
              [GAP_DEVICE_GONE] = "1F3D3F",
              [GAP_NOT_CONFIGURED] = "373D24"},
};

/* Why, in a legend's few words. */
static const char *const reasons[GAP_REASONS] = {
	[GAP_TIMEOUT] = "no answer",
	[GAP_ERROR] = "could not be sampled",
	[GAP_STOPPED] = "sampling was stopped",
	[GAP_LATE] = "the machine was too busy",
	[GAP_CLOCK_STEP] = "the clock was set",
	[GAP_SUSPEND] = "the machine slept",
	[GAP_AGENT_DOWN] = "the agent was not running",
	[GAP_DISK_FULL] = "the disk could not be written",
	[GAP_QUARANTINE] = "the file was damaged",
	[GAP_MIGRATION] = "not kept when the configuration changed",
	[GAP_COUNTER_RESET] = "the counter began anew",
	[GAP_DEVICE_GONE] = "it was not there",
	[GAP_NOT_CONFIGURED] = "not in the configuration",
};

/* --- words ------------------------------------------------------------------------------------------------------ */

static void say(struct text_list *words, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct text_list *words, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_list_add(words, memory_vformat(format, args));
	va_end(args);
}

static void set(struct text_list *words, const char *option, const char *value)
{
	say(words, "%s", option);
	say(words, "%s", value);
}

static void set_number(struct text_list *words, const char *option, long long value)
{
	say(words, "%s", option);
	say(words, "%lld", value);
}

/* For people: at most so many letters, and "?" for what is none. A new text for free(); *letters: how many there are. */
static char *show(const char *text, size_t most, size_t *letters)
{
	size_t length = strlen(text), at = 0, count = 0;
	char *shown = memory_alloc(length + sizeof("…"));

	for (size_t i = 0, bytes; i < length; i += bytes) {
		const unsigned char *c = (const unsigned char *)text + i;
		bool control;

		bytes = text_sequence(text + i, length - i);
		/* U+0080 … U+009F are control characters, too. */
		control = *c < ' ' || *c == 0x7F || (*c == 0xC2 && bytes == 2 && c[1] < 0xA0);
		if (++count > most) {
			memcpy(shown + at, "…", sizeof("…"));
			count = most + 1;
			break;
		}
		if (bytes == 0 || control)
			shown[at++] = '?';
		for (size_t k = 0; k < bytes && !control; k++)
			shown[at++] = text[i + k];
		bytes = bytes ? bytes : 1;
	}
	if (letters)
		*letters = count;
	return shown;
}

/* rrdtool ends a word at ":", but for "\:"; any other backslash is one. A new text for free(). */
static char *escape(const char *text)
{
	char *escaped = memory_alloc(2 * strlen(text) + 1), *end = escaped;

	for (; *text; text++) {
		if (*text == ':')
			*end++ = '\\';
		*end++ = *text;
	}
	return escaped;
}

/* --- what is drawn ---------------------------------------------------------------------------------------------- */

static bool is_percent(const struct pindrop_field *field)
{
	return field->kind == PINDROP_GAUGE && strcmp(field->unit, "percent") == 0;
}

void graph_headline(const struct pindrop_family *family, bool *chosen)
{
	const struct pindrop_field *first = &family->fields[0];

	memset(chosen, 0, family->field_count * sizeof(*chosen));
	for (size_t i = 0; i < family->field_count; i++) {
		chosen[i] = is_percent(&family->fields[i]);
		if (chosen[i])
			return;
	}
	for (size_t i = 0; i < family->field_count; i++)
		chosen[i] = family->fields[i].kind == first->kind && strcmp(family->fields[i].unit, first->unit) == 0;
}

void graph_resolve(struct graph *graph, const struct plan *plan, size_t family, int64_t now)
{
	int64_t wanted = (graph->to - graph->from) / graph->width;

	wanted = wanted > 1 ? wanted : 1;
	graph->interval = plan->families[family].plugin->interval;
	graph->row = store_choose_step(plan, family, now, graph->from, wanted);
	graph->step = wanted > graph->row ? (wanted + graph->row - 1) / graph->row * graph->row : graph->row;
}

/* --- the picture as a whole ------------------------------------------------------------------------------------- */

static bool all_percent(const struct graph *graph)
{
	for (size_t i = 0; i < graph->line_count; i++)
		if (!is_percent(graph->lines[i].field))
			return false;
	return true;
}

/* What is an amount begins at nothing: rates, and bytes. */
static bool all_amounts(const struct graph *graph)
{
	for (size_t i = 0; i < graph->line_count; i++)
		if (graph->lines[i].field->kind != PINDROP_COUNTER && strcmp(graph->lines[i].field->unit, "bytes") != 0)
			return false;
	return true;
}

/* "bytes/s"; counters are kept as rates. For free(). */
static char *unit_of(const struct pindrop_field *field)
{
	const char *unit = *field->unit || field->kind == PINDROP_GAUGE ? field->unit : "1";

	return memory_format("%s%s", unit, field->kind == PINDROP_COUNTER ? "/s" : "");
}

/* Whether all lines have the first one's unit. */
static bool one_unit(const struct graph *graph)
{
	const struct pindrop_field *first = graph->lines[0].field;

	for (size_t i = 1; i < graph->line_count; i++)
		if (graph->lines[i].field->kind != first->kind || strcmp(graph->lines[i].field->unit, first->unit) != 0)
			return false;
	return true;
}

static void entitle(const struct graph *graph, struct text_list *words)
{
	const struct pindrop_family *family = graph->family;
	size_t room = (size_t)(graph->width / (LETTER + 1)), letters;
	bool of_one = graph->instance && *graph->instance;
	char *name, *title;

	room = room < TITLE_SHOWN ? room : TITLE_SHOWN;
	name = memory_format("%s%s%s", family->name, of_one ? " of " : "", of_one ? graph->instance : "");
	title = memory_format("%s%s%s", name, family->help && *family->help ? ": " : "", family->help ? family->help : "");
	free(name);
	name = show(title, room, &letters);
	set(words, "--title", name);
	free(name);
	free(title);
}

/* Otherwise it ends where the values do, and not at the next power of ten. */
static void set_scale(const struct graph *graph, struct text_list *words)
{
	if (all_percent(graph)) {
		set(words, "--lower-limit", "0");
		set(words, "--upper-limit", "100");
		say(words, "--rigid");
	} else if (all_amounts(graph)) {
		set(words, "--lower-limit", "0");
		say(words, "--alt-autoscale-max");
	} else {
		say(words, "--alt-autoscale");
	}
}

static void set_up(const struct graph *graph, const struct look *look, struct text_list *words)
{
	char *unit = one_unit(graph) ? unit_of(graph->lines[0].field) : memory_text(""), *label = show(unit, 40, NULL);

	set(words, "rrdtool", "graph");
	say(words, "%s", graph->file);
	set(words, "--imgformat", graph->svg ? "SVG" : "PNG");
	if (graph->rrdcached)
		set(words, "--daemon", graph->rrdcached);
	set_number(words, "--start", graph->from);
	set_number(words, "--end", graph->to);
	set_number(words, "--width", graph->width);
	set_number(words, "--height", graph->height);
	say(words, "--full-size-mode");
	say(words, "--slope-mode");
	entitle(graph, words);
	if (*label && graph->height >= LABEL_HEIGHT)
		set(words, "--vertical-label", label);
	set_scale(graph, words);
	set(words, "--border", "0");
	say(words, "--disable-rrdtool-tag");
	set(words, "--font", "DEFAULT:8:Sans");
	set(words, "--font", "TITLE:9:Sans");
	set(words, "--font", "LEGEND:8:Monospace");
	for (size_t i = 0; look->colours[i]; i++)
		set(words, "--color", look->colours[i]);
	free(unit);
	free(label);
}

/* --- gaps ------------------------------------------------------------------------------------------------------- */

/* What is shaded of one reason. */
struct shade {
	size_t count;
	double seconds;
	char *condition; /* of rrdgraph_rpn(1): true where it is */
};

/* In whole seconds, within the picture. */
struct stretch {
	int64_t from, to;
	enum gap_reason reason;
};

/* Longest first. */
static int by_length(const void *a, const void *b)
{
	const struct stretch *left = a, *right = b;
	int64_t l = left->to - left->from, r = right->to - right->from;

	return l < r ? 1 : l > r ? -1 : left->from < right->from ? -1 : left->from > right->from;
}

/* A tick that was passed over is filled by the sample after it, and a gap that is shorter than a row does not make the row
 * unknown: there is no hole. */
static bool is_seen(const struct graph *graph, const struct gap *gap)
{
	int64_t length = gap->to - gap->from;

	if (gap->reason == GAP_LATE && length <= graph->interval)
		return false;
	return length >= graph->row * CLOCK_SECOND;
}

static size_t choose_gaps(const struct graph *graph, struct stretch *stretches)
{
	size_t count = 0;

	for (size_t i = 0; i < graph->gap_count; i++) {
		const struct gap *gap = &graph->gaps[i];
		int64_t from = gap->from / CLOCK_SECOND, to = (gap->to + CLOCK_SECOND - 1) / CLOCK_SECOND;

		if (!is_seen(graph, gap) || to <= graph->from || from >= graph->to)
			continue;
		stretches[count++] =
			(struct stretch){from > graph->from ? from : graph->from, to < graph->to ? to : graph->to, gap->reason};
	}
	qsort(stretches, count, sizeof(*stretches), by_length);
	return count < GRAPH_GAPS_MAX ? count : GRAPH_GAPS_MAX;
}

/* A point at a time stands for the step before it. */
static void add_stretch(const struct graph *graph, const struct stretch *stretch, struct shade *shade)
{
	char *old = shade->condition;

	shade->condition = memory_format("%s%sTIME,%lld,GT,TIME,%lld,LT,*%s", old ? old : "", old ? "," : "",
	                                 (long long)stretch->from, (long long)stretch->to + graph->step, old ? ",+" : "");
	free(old);
	shade->count++;
	shade->seconds += (double)(stretch->to - stretch->from);
}

static void gather_shades(const struct graph *graph, struct shade shades[GAP_REASONS])
{
	struct stretch *stretches = memory_array(graph->gap_count, sizeof(*stretches));
	size_t count = choose_gaps(graph, stretches);

	for (size_t i = 0; i < count; i++)
		add_stretch(graph, &stretches[i], &shades[stretches[i].reason]);
	free(stretches);
}

/* First of all, so that lines and grid lie above. */
static void draw_shades(const struct shade *shades, const struct look *look, struct text_list *words)
{
	for (size_t i = 0; i < GAP_REASONS; i++) {
		if (!shades[i].count)
			continue;
		say(words, "CDEF:gap_%s=avg0,POP,%s,INF,UNKN,IF", gap_name(i), shades[i].condition);
		say(words, "AREA:gap_%s#%s", gap_name(i), look->tints[i]);
	}
}

/* Last of all, as areas that are nowhere. */
static void explain_shades(const struct shade *shades, const struct look *look, bool in_rows, struct text_list *words)
{
	bool begun = false;

	for (size_t i = 0; i < GAP_REASONS; i++) {
		char span[TEXT_AMOUNT_SIZE], *times;

		if (!shades[i].count)
			continue;
		if (!begun)
			say(words, "CDEF:nowhere=avg0,POP,UNKN");
		begun = true;
		text_from_span(shades[i].seconds, span);
		times = shades[i].count > 1 ? memory_format("%zu times, ", shades[i].count) : memory_text("");
		say(words, "AREA:nowhere#%s:legend=%s (%s%s)%s", look->tints[i], reasons[i], times, span,
		    in_rows ? "\\l" : "  ");
		free(times);
	}
}

/* --- lines ------------------------------------------------------------------------------------------------------ */

/* How much the legend tells: a table, names alone where that does not fit, or nothing. */
enum legend { TABLE, NAMES, NOTHING };

struct table {
	enum legend legend;
	size_t name_width; /* in letters */
	bool with_unit, with_field;
};

static char *name_line(const struct graph *graph, const struct table *table, size_t index, size_t *letters)
{
	const struct graph_line *line = &graph->lines[index];
	bool of_many = !graph->instance && *line->instance, with_field = !of_many || table->with_field;
	char *unit = unit_of(line->field), *name, *shown;

	name = memory_format("%s%s%s%s%s", of_many ? line->instance : "", of_many && with_field ? " " : "",
	                     with_field ? line->field->name : "", table->with_unit && *unit ? ", " : "",
	                     table->with_unit ? unit : "");
	shown = show(name, NAME_SHOWN, letters);
	free(name);
	free(unit);
	return shown;
}

static bool one_field(const struct graph *graph)
{
	for (size_t i = 1; i < graph->line_count; i++)
		if (graph->lines[i].field != graph->lines[0].field)
			return false;
	return true;
}

static size_t count_reasons(const struct shade *shades)
{
	size_t count = 0;

	for (size_t i = 0; i < GAP_REASONS; i++)
		count += shades[i].count > 0;
	return count;
}

static bool fits(const struct graph *graph, size_t rows)
{
	return OVERHEAD + rows * LEGEND_ROW + CANVAS_MIN <= graph->height;
}

static void plan_legend(const struct graph *graph, const struct shade *shades, struct table *table)
{
	size_t in_a_row = (size_t)(graph->width / LETTER), letters, flowing = 0,
		   more = count_reasons(shades) + !!graph->left_out;

	*table = (struct table){.with_unit = !one_unit(graph), .with_field = !one_field(graph)};
	for (size_t i = 0; i < graph->line_count; i++) {
		free(name_line(graph, table, i, &letters));
		table->name_width = letters > table->name_width ? letters : table->name_width;
		flowing += letters + 6;
	}
	if (fits(graph, graph->line_count + 1 + more) && table->name_width + 52 <= in_a_row)
		table->legend = TABLE;
	else
		table->legend = fits(graph, flowing / in_a_row + 1 + 2 * more) ? NAMES : NOTHING;
}

static void define_lines(const struct graph *graph, bool spread, struct text_list *words)
{
	for (size_t i = 0; i < graph->line_count; i++) {
		const struct graph_line *line = &graph->lines[i];
		char *path = escape(line->path);

		say(words, "DEF:avg%zu=%s:%s:AVERAGE", i, path, line->field->name);
		if (spread) {
			say(words, "DEF:min%zu=%s:%s:MIN", i, path, line->field->name);
			say(words, "DEF:max%zu=%s:%s:MAX", i, path, line->field->name);
		}
		free(path);
	}
}

static const char *colour_of(const struct look *look, size_t line)
{
	const char *colour = colours[line % COLOURS];

	return colour ? colour : look->text;
}

static void draw_bands(const struct graph *graph, const struct look *look, struct text_list *words)
{
	for (size_t i = 0; i < graph->line_count; i++) {
		say(words, "CDEF:spread%zu=max%zu,min%zu,-", i, i, i);
		say(words, "AREA:min%zu", i);
		say(words, "AREA:spread%zu#%s%s::STACK", i, colour_of(look, i), look->band);
	}
}

static void head_table(const struct table *table, struct text_list *words)
{
	static const char *const heads[] = {"min", "avg", "max", "last"};

	say(words, "COMMENT:%*s", (int)table->name_width + 4, "");
	for (size_t i = 0; i < 4; i++)
		say(words, "COMMENT:%9s%s", heads[i], i == 3 ? "\\l" : "");
}

/* A row of the table. */
static void tell_values(const struct graph *graph, size_t line, bool spread, struct text_list *words)
{
	const struct pindrop_field *field = graph->lines[line].field;
	bool percent = strcmp(field->unit, "percent") == 0;

	say(words, "VDEF:least%zu=%s%zu,MINIMUM", line, spread ? "min" : "avg", line);
	say(words, "VDEF:mean%zu=avg%zu,AVERAGE", line, line);
	say(words, "VDEF:most%zu=%s%zu,MAXIMUM", line, spread ? "max" : "avg", line);
	say(words, "VDEF:last%zu=avg%zu,LAST", line, line);
	for (size_t i = 0; i < 4; i++) {
		static const char *const names[] = {"least", "mean", "most", "last"};

		say(words, "GPRINT:%s%zu:%s%s", names[i], line, percent ? "%7.1lf %%" : "%7.2lf %s", i == 3 ? "\\l" : "");
	}
}

static void draw_line(const struct graph *graph, const struct look *look, const struct table *table, size_t index,
                      struct text_list *words)
{
	size_t letters, pad;
	char *name = name_line(graph, table, index, &letters), *legend = escape(name);

	pad = table->legend == TABLE && letters < table->name_width ? table->name_width - letters : 0;
	if (table->legend == NOTHING)
		say(words, "LINE1:avg%zu#%s%s", index, colour_of(look, index), dashes[index / COLOURS % 3]);
	else
		/* "legend=", as what has a "=" in it would be taken for an option. A blank at the end is not "\l". */
		say(words, "LINE1:avg%zu#%s:legend=%s%*s%s", index, colour_of(look, index), legend, (int)pad + 2, "",
		    dashes[index / COLOURS % 3]);
	free(name);
	free(legend);
}

void graph_compose(const struct graph *graph, struct text_list *words)
{
	const struct look *look = graph->dark ? &dark : &light;
	bool spread = graph->step > 1 && graph->step * CLOCK_SECOND > graph->interval;
	struct shade shades[GAP_REASONS] = {0};
	struct table table;

	gather_shades(graph, shades);
	plan_legend(graph, shades, &table);
	set_up(graph, look, words);
	if (table.legend == NOTHING)
		say(words, "--no-legend");
	define_lines(graph, spread, words);
	draw_shades(shades, look, words);
	if (spread && graph->line_count <= GRAPH_BANDS_MAX)
		draw_bands(graph, look, words);
	if (table.legend == TABLE)
		head_table(&table, words);
	for (size_t i = 0; i < graph->line_count; i++) {
		draw_line(graph, look, &table, i, words);
		if (table.legend == TABLE)
			tell_values(graph, i, spread, words);
	}
	if (graph->left_out && table.legend != NOTHING)
		say(words, "COMMENT:… and %zu more\\l", graph->left_out);
	if (table.legend != NOTHING)
		explain_shades(shades, look, table.legend == TABLE, words);
	for (size_t i = 0; i < GAP_REASONS; i++)
		free(shades[i].condition);
}

/* --- for a shell ------------------------------------------------------------------------------------------------ */

static bool is_plain(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,=+%@";

	return *word && word[strspn(word, plain)] == '\0';
}

/* A new text for free(). */
static char *quote_word(const char *word)
{
	char *quoted, *end;

	if (is_plain(word))
		return memory_text(word);
	end = quoted = memory_alloc(4 * strlen(word) + 3);
	*end++ = '\'';
	for (; *word; word++) {
		if (*word == '\'')
			end = stpcpy(end, "'\\''");
		else
			*end++ = *word;
	}
	*end = '\'';
	return quoted;
}

static bool begins(const char *word, const char *with)
{
	return strncmp(word, with, strlen(with)) == 0;
}

/* An option and its value stay together; what is drawn begins on a line of its own. */
static bool breaks_before(const struct text_list *words, size_t index, size_t column, size_t length)
{
	const char *before = words->texts[index - 1];
	bool full = column + length > LINE_LENGTH;

	if (begins(words->texts[index], "DEF:"))
		return full || !begins(before, "DEF:");
	return index > 2 && full && !begins(before, "--");
}

char *graph_quote(const struct text_list *words)
{
	char *text = NULL;
	size_t length, column = 0;
	FILE *out = open_memstream(&text, &length);

	for (size_t i = 0; out && i < words->count; i++) {
		char *quoted = quote_word(words->texts[i]);
		bool breaks = i > 0 && breaks_before(words, i, column, strlen(quoted));

		fprintf(out, "%s%s", i == 0 ? "" : breaks ? " \\\n  " : " ", quoted);
		column = (breaks ? 2 : column + 1) + strlen(quoted);
		free(quoted);
	}
	if (out) {
		fputc('\n', out);
		fclose(out);
	}
	return text ? text : memory_text("");
}
