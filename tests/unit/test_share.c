/* links: agent/config/share.c agent/base/text.c agent/base/memory.c
 *
 * What two plans have in common. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "config/draft.h"

static const struct pindrop_field depth[] = {{.name = "depth", .kind = PINDROP_GAUGE}};
static const struct pindrop_field counted[] = {{.name = "depth", .kind = PINDROP_COUNTER}};
static const struct pindrop_field two[] = {{.name = "depth", .kind = PINDROP_GAUGE},
                                           {.name = "age", .kind = PINDROP_GAUGE}};
static const struct pindrop_family queue = {.name = "queue", .fields = depth, .field_count = 1};

static const struct pindrop_option options[] = {
	{.name = "flag", .type = PINDROP_BOOL},         {.name = "number", .type = PINDROP_NUMBER},
	{.name = "pause", .type = PINDROP_DURATION},    {.name = "text", .type = PINDROP_STRING},
	{.name = "patterns", .type = PINDROP_PATTERNS},
};
enum { FLAG, NUMBER, PAUSE, TEXT, PATTERNS, OPTIONS };

static const struct pindrop_plugin table = {.name = "queue", .options = options, .option_count = OPTIONS};

/* A plugin of which each option has a value. The options are on the heap: what is read behind them is noticed. */
static struct plan_plugin new_plugin(const struct pindrop_plugin *of)
{
	static const char *const list[] = {"^sd", "^nvme", NULL};
	union pindrop_value *values = memory_array(of->option_count, sizeof(*values));

	if (of->option_count == OPTIONS) {
		values[FLAG].flag = true;
		values[NUMBER].number = 3;
		values[PAUSE].number = 0.5;
		values[TEXT].text = "text";
		values[PATTERNS].list = list;
	}
	return (struct plan_plugin){.name = of->name, .table = of, .options = values, .interval = 1};
}

static const struct plan plan = {.root = "", .digest = "1"};

static bool same(const struct plan_plugin *a, const struct plan_plugin *b)
{
	return plan_same_plugin(&plan, a, &plan, b);
}

static void each_option_makes_another_plugin(void **state)
{
	static const char *const shorter[] = {"^sd", NULL}, *const same_texts[] = {"^sd", "^nvme", NULL};
	struct plan_plugin a = new_plugin(&table), b = new_plugin(&table);
	union pindrop_value *values = (union pindrop_value *)b.options, kept[OPTIONS];

	(void)state;
	for (size_t i = 0; i < OPTIONS; i++)
		kept[i] = values[i];
	b.interval = 2;
	assert_true(same(&a, &b));
	for (size_t i = 0; i < OPTIONS; i++) {
		switch (i) {
		case FLAG:
			values[i].flag = false;
			break;
		case TEXT:
			values[i].text = NULL;
			break;
		case PATTERNS:
			values[i].list = shorter;
			break;
		default:
			values[i].number = 4;
		}
		assert_false(same(&a, &b));
		assert_false(same(&b, &a));
		values[i] = kept[i];
	}
	values[PATTERNS].list = same_texts;
	assert_true(same(&a, &b));
	free((void *)a.options);
	free((void *)b.options);
}

/* The file of a plugin was replaced: what the new one has for options need not be as many, or of the same types. */
static void one_that_was_replaced_is_another(void **state)
{
	const struct pindrop_plugin without = {.name = "queue"};
	struct plan_plugin a = new_plugin(&table), b = new_plugin(&without);

	(void)state;
	memset((void *)a.options, 0, OPTIONS * sizeof(*a.options));
	assert_false(same(&a, &b));
	assert_false(same(&b, &a));
	free((void *)a.options);
	free((void *)b.options);
}

static void another_root_is_another_plugin(void **state)
{
	const struct plan elsewhere = {.root = "/host", .digest = "1"};
	struct plan_plugin a = new_plugin(&table);

	(void)state;
	assert_false(plan_same_plugin(&plan, &a, &elsewhere, &a));
	free((void *)a.options);
}

static void a_collector_is_its_lua(void **state)
{
	const struct pindrop_plugin lua = {.name = "queue", .families = &queue, .family_count = 1};
	const struct plan other = {.root = "", .digest = "2"};
	struct plan_plugin a = {.name = "queue", .table = &lua, .collector = true, .timeout = 1, .memory = 1}, b = a;

	(void)state;
	b.interval = 5;
	assert_true(same(&a, &b));
	assert_false(plan_same_plugin(&plan, &a, &other, &a));
	b.timeout = 2;
	assert_false(same(&a, &b));
	b = a;
	b.memory = 2;
	assert_false(same(&a, &b));
	b = a;
	b.collector = false;
	assert_false(same(&a, &b));
}

static void a_family_is_its_name_fields_and_instances(void **state)
{
	static const struct pindrop_label labels[] = {{.name = "device"}};
	const struct pindrop_family all[] = {
		queue,
		{.name = "other", .fields = depth, .field_count = 1},
		{.name = "queue", .fields = two, .field_count = 2},
		{.name = "queue", .fields = two + 1, .field_count = 1},
		{.name = "queue", .fields = counted, .field_count = 1},
		{.name = "queue", .fields = depth, .field_count = 1, .instance = "disk"},
		{.name = "queue", .fields = depth, .field_count = 1, .instance = "disk", .labels = labels, .label_count = 1},
	};

	(void)state;
	for (size_t i = 0; i < PINDROP_COUNT(all); i++) {
		const struct plan_family families[] = {{.table = &all[i]}};
		const struct plan one = {.family_count = 1, .families = families};

		for (size_t k = 0; k < PINDROP_COUNT(all); k++) {
			assert_int_equal(plan_same_family(&all[i], &all[k]), i == k);
			assert_int_equal(plan_find_same(&one, &all[k]), i == k ? 0 : SIZE_MAX);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_option_makes_another_plugin),
		cmocka_unit_test(one_that_was_replaced_is_another),
		cmocka_unit_test(another_root_is_another_plugin),
		cmocka_unit_test(a_collector_is_its_lua),
		cmocka_unit_test(a_family_is_its_name_fields_and_instances),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
