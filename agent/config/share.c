/* config/share.c: plans that several rooms hold, and what two plans have in common. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/draft.h"

const struct plan *plan_hold(const struct plan *plan)
{
	if (plan->memory)
		atomic_fetch_add(&plan->memory->readers, 1);
	return plan;
}

void plan_release(const struct plan *plan)
{
	struct plan_memory *memory = plan ? plan->memory : NULL;

	if (!memory || atomic_fetch_sub(&memory->readers, 1) != 1)
		return;
	for (size_t i = 0; i < memory->block_count; i++)
		free(memory->blocks[i]);
	free(memory->blocks);
	free(memory->plugins);
	free(memory->aggregates);
	free(memory->aggregate_lines);
	free(memory);
	free((void *)plan);
}

size_t plan_find_family(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->family_count; i++)
		if (strcmp(plan->families[i].table->name, name) == 0)
			return i;
	return SIZE_MAX;
}

size_t plan_find_aggregate(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->aggregate_count; i++)
		if (strcmp(plan->aggregates[i].name, name) == 0)
			return i;
	return SIZE_MAX;
}

bool plan_same_family(const struct pindrop_family *a, const struct pindrop_family *b)
{
	if (strcmp(a->name, b->name) != 0 || a->field_count != b->field_count || a->label_count != b->label_count ||
	    !a->instance != !b->instance)
		return false;
	for (size_t i = 0; i < a->field_count; i++)
		if (strcmp(a->fields[i].name, b->fields[i].name) != 0 || a->fields[i].kind != b->fields[i].kind)
			return false;
	return true;
}

size_t plan_find_same(const struct plan *plan, const struct pindrop_family *family)
{
	size_t place = plan_find_family(plan, family->name);

	return place != SIZE_MAX && plan_same_family(plan->families[place].table, family) ? place : SIZE_MAX;
}

static bool same_list(const char *const *a, const char *const *b)
{
	while (*a && *b && strcmp(*a, *b) == 0)
		a++, b++;
	return !*a && !*b;
}

static bool same_value(enum pindrop_type type, const union pindrop_value *a, const union pindrop_value *b)
{
	switch (type) {
	case PINDROP_BOOL:
		return a->flag == b->flag;
	case PINDROP_STRING:
		return text_same(a->text, b->text);
	case PINDROP_STRINGS:
	case PINDROP_PATTERNS:
		return same_list(a->list, b->list);
	default:
		return a->number == b->number;
	}
}

/* The same Lua may declare another thing each time that it runs. */
static bool same_collector(const struct plan_plugin *a, const struct plan_plugin *b)
{
	return a->timeout == b->timeout && a->memory == b->memory &&
	       plan_same_family(&a->table->families[0], &b->table->families[0]);
}

bool plan_same_plugin(const struct plan *a, const struct plan_plugin *in_a, const struct plan *b,
                      const struct plan_plugin *in_b)
{
	if (in_a->collector != in_b->collector || strcmp(in_a->name, in_b->name) != 0 || strcmp(a->root, b->root) != 0)
		return false;
	if (in_a->collector)
		return strcmp(a->digest, b->digest) == 0 && same_collector(in_a, in_b);
	/* One that was replaced may have other options. */
	if (in_a->table != in_b->table)
		return false;
	for (size_t i = 0; i < in_a->table->option_count; i++)
		if (!same_value(in_a->table->options[i].type, &in_a->options[i], &in_b->options[i]))
			return false;
	return true;
}
