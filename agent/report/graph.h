/* report/graph.h: a chart as the words of an `rrdtool graph` command. Pure; any thread.
 *
 * What is drawn: a line a field, thin, from the rows' averages; where a point of it stands for many samples, a pale band
 * from their minimum to their maximum; below it a table with minimum, average, maximum and last; behind it the gaps, in a
 * tint a reason. No word is made for a shell: each is an argument of its own, and what a name holds is escaped for
 * rrdtool, which takes ":" for the end of a word (rrdgraph(1)). */
#ifndef REPORT_GRAPH_H
#define REPORT_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "config/plan.h"
#include "metric/gap.h"

/* So many lines are drawn, of more the first. */
#define GRAPH_LINES_MAX 24

/* With more lines than these, bands would hide each other. */
#define GRAPH_BANDS_MAX 4

/* So many gaps are shaded, of more the longest. */
#define GRAPH_GAPS_MAX 60

struct graph_line {
	const char *path;     /* of the data file */
	const char *instance; /* "" of a family without instances */
	const struct pindrop_field *field;
};

struct graph {
	const struct pindrop_family *family;
	const char *instance;  /* NULL: the family as a whole */
	const char *file;      /* where the picture goes; "-": stdout */
	const char *rrdcached; /* its address; NULL: nobody but the agent writes the files */
	size_t line_count, left_out;
	const struct graph_line *lines; /* at most GRAPH_LINES_MAX */
	int64_t from, to;               /* s */
	int64_t row, step;              /* what a row, and a point of a line, stand for, s: graph_resolve() */
	int64_t interval;               /* between two samples, ns */
	unsigned width, height;         /* of the whole picture, in pixels */
	bool dark, svg;
	size_t gap_count;
	const struct gap *gaps; /* may reach beyond from and to */
};

/* Sets row and step: the rows that rrdtool reads for that time and width, and how many of them make a point. `now`, s, is
 * about where the files end. */
void graph_resolve(struct graph *graph, const struct plan *plan, size_t family, int64_t now);

/* The headline of a family: which fields stand for it where none is named, in charts, in the dashboard and in `pindrop top`,
 * which read it from /api/v1/metrics: its first gauge in percent, alone, or else all that have the first one's unit and
 * kind. `chosen` has a place for each field. */
void graph_headline(const struct pindrop_family *family, bool *chosen);

/* The words: "rrdtool", "graph" … */
void graph_compose(const struct graph *graph, struct text_list *words);

/* The same as a line for sh, broken where that reads better, with a line feed at its end. A new text for free(). */
char *graph_quote(const struct text_list *words);

#endif
