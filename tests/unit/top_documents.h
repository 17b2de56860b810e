/* What an agent answered, recorded in tests/fixtures/top, for the tests of `pindrop top`. The tests run at the top of
 * the tree (tests/run). */
#ifndef TOP_DOCUMENTS_H
#define TOP_DOCUMENTS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "top/model.h"

/* For free(). */
__attribute__((unused)) static char *document(const char *name)
{
	char *path = memory_format("tests/fixtures/top/%s", name), *text = memory_alloc(1 << 20);
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
	fclose(file);
	free(path);
	return text;
}

static void feed(struct model *model, bool take(struct model *, const char *, size_t), const char *name)
{
	char *text = document(name);

	assert_true(take(model, text, strlen(text)));
	free(text);
}

/* Two looks at the recorded agent, and all there is to say of it. For model_free(). */
__attribute__((unused)) static struct model *recorded(void)
{
	struct model *model = model_new();

	feed(model, model_latest, "latest-1.json");
	feed(model, model_metrics, "metrics.json");
	feed(model, model_latest, "latest-1.json");
	feed(model, model_series, "series.json");
	feed(model, model_aggregates, "aggregates.json");
	feed(model, model_latest, "latest-2.json");
	feed(model, model_health, "health.json");
	return model;
}

#endif
