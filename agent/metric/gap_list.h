/* metric/gap_list.h: gaps that were found with a lock held, to be told without it.
 *
 * Belongs to one thread at a time. Starts as all zero. */
#ifndef METRIC_GAP_LIST_H
#define METRIC_GAP_LIST_H

#include <stddef.h>

#include "metric/gap.h"

struct gap_list {
	size_t count, room;
	struct gap *gaps; /* each owns its instance and its words; family and field are the plan's */
};

/* Copies a gap; family and field must outlive the list. */
void gap_list_add(struct gap_list *list, const struct gap *gap);

/* Tells all, in the order in which they came; the list is then released. Nothing is called where it is empty. */
void gap_list_tell(struct gap_list *list, gap_sink *sink, void *context);

#endif
