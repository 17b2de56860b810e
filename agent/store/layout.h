/* store/layout.h: how the files of one family are made: derived from the plan and the plugin's table. Pure. */
#ifndef STORE_LAYOUT_H
#define STORE_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "config/plan.h"
#include "store/store.h"

/* One round-robin archive: a consolidation of one tier. */
struct layout_archive {
	enum store_consolidation consolidation;
	int64_t step; /* s, a multiple of the base step */
	int64_t rows;
};

struct layout {
	const struct pindrop_family *family;
	int64_t step;      /* the base step, s */
	int64_t heartbeat; /* s: two samples that lie further apart have an unknown span between them */
	size_t archive_count;
	struct layout_archive *archives; /* in the order of the file: the finest tier first */
	/* What rrdcreate(1) takes: "DS:usage:GAUGE:3:U:U", then "RRA:AVERAGE:0.5:1:21600". */
	size_t definition_count;
	char **definitions;
	int64_t file_size; /* bytes */
};

void layout_begin(struct layout *layout, const struct plan *plan, size_t family);
void layout_release(struct layout *layout);

/* How librrd keeps a field: "GAUGE", "DERIVE", "DDERIVE". */
const char *layout_type(const struct pindrop_field *field);

/* What librrd and we call a consolidation: "AVERAGE". */
const char *layout_consolidation(enum store_consolidation consolidation);

/* One sample as rrdupdate(1) takes it, "1460421017:13.4:…", into `line`, which has LAYOUT_LINE_SIZE bytes. `values`
 * NULL: all are unknown. Returns its length. */
#define LAYOUT_LINE_SIZE(field_count) (32 + 26 * (field_count))
size_t layout_line(const struct layout *layout, int64_t tick, const double *values, char *line);

/* The path of an instance's file, see store_path(). A new text for free(). */
char *layout_path(const char *data_dir, const char *family, const char *instance);

#endif
