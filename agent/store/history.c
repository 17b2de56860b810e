#include "store/history.h"

#include <stdlib.h>

#include "base/memory.h"

int64_t history_boundary(const struct history *history, int64_t step)
{
	return history->last - history->last % step;
}

struct history_archive *history_add_archive(struct history *history, enum store_consolidation consolidation,
                                            int64_t step, size_t rows)
{
	struct history_archive *archive;

	history->archives = memory_resize(history->archives, history->archive_count + 1, sizeof(*archive));
	archive = &history->archives[history->archive_count++];
	*archive = (struct history_archive){.consolidation = consolidation,
	                                    .step = step,
	                                    .rows = rows,
	                                    .end = history_boundary(history, step)};
	archive->values = memory_array(rows * history->field_count, sizeof(double));
	archive->state = memory_array(history->field_count, sizeof(*archive->state));
	return archive;
}

void history_release(struct history *history)
{
	for (size_t i = 0; i < history->archive_count; i++) {
		free(history->archives[i].values);
		free(history->archives[i].state);
	}
	free(history->archives);
	free(history->fields);
	*history = (struct history){0};
}
