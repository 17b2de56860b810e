/* metric/gap_list.c: gaps that wait to be told. */
#include "metric/gap_list.h"

#include <stdlib.h>

#include "base/memory.h"

void gap_list_add(struct gap_list *list, const struct gap *gap)
{
	struct gap *copy;

	if (list->count == list->room) {
		list->room = list->room ? 2 * list->room : 8;
		list->gaps = memory_resize(list->gaps, list->room, sizeof(*list->gaps));
	}
	copy = &list->gaps[list->count++];
	*copy = *gap;
	copy->instance = memory_text(gap->instance);
	copy->words = gap->words ? memory_text(gap->words) : NULL;
}

void gap_list_tell(struct gap_list *list, gap_sink *sink, void *context)
{
	for (size_t i = 0; i < list->count; i++) {
		sink(context, &list->gaps[i]);
		free((char *)list->gaps[i].instance);
		free((char *)list->gaps[i].words);
	}
	free(list->gaps);
	*list = (struct gap_list){0};
}
