/* links: agent/store/purge.c agent/store/layout.c agent/config/plan.c agent/config/share.c agent/config/values.c agent/config/aggregate.c agent/config/collector.c
 * agent/config/options.c agent/base/text.c agent/base/memory.c agent/base/log.c agent/base/clock.c agent/base/error.c
 *
 * Which files go: made-up lists, also random ones beside a slow and plain model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "store/purge.h"

#define HOUR (3600 * CLOCK_SECOND)
#define NOW (INT64_C(1700000000) * CLOCK_SECOND)

static const struct pindrop_field fields[] = {
	{"level", PINDROP_GAUGE, "percent", 1, NULL, "…"},
	{"other", PINDROP_GAUGE, "percent", 1, NULL, "…"},
};
static const struct pindrop_family tables[] = {
	{.name = "one", .fields = fields, .field_count = 2},
	{.name = "many.of", .fields = fields, .field_count = 1, .instance = "letter"},
};
static const struct plan_plugin plugin = {.interval = CLOCK_SECOND};
static const struct plan_family families[] = {{&tables[0], &plugin}, {&tables[1], &plugin}};
static const struct plan_tier tiers[] = {{1, 6 * 3600}, {60, 14 * 86400}, {3600, 730 * 86400}};
static struct plan plan = {.file = "pindrop.lua",
                           .purge_after = 100 * 3600,
                           .purge_max_size = 1000,
                           .journal_size = 16000000,
                           .tier_count = 3,
                           .tiers = tiers,
                           .family_count = 2,
                           .families = families};

/* One file of a list, told in one line. */
struct given {
	const char *path;
	enum survey_kind kind;
	int64_t size;
	int64_t age; /* hours */
	bool alive;
};

/* The paths that go, in their order. */
static const char *choose(const struct given *given, size_t count, int64_t needed, struct purge *purge)
{
	static char text[1024];
	struct survey_file files[16];
	struct survey survey = {.files = files};
	bool alive[16];

	for (size_t i = 0; i < count; i++) {
		files[i] = (struct survey_file){given[i].path, given[i].kind, 1,
		                                given[i].path, given[i].size, NOW - given[i].age * HOUR};
		alive[i] = given[i].alive;
		survey.total += given[i].size;
	}
	survey.count = count;
	purge_choose(purge, &survey, alive, &plan, NOW, needed);
	text[0] = '\0';
	for (size_t i = 0; i < purge->count; i++) {
		strcat(text, i ? " " : "");
		strcat(text, files[purge->files[i]].path);
	}
	return text;
}

static const struct given mixed[] = {
	{"journal", SURVEY_OWN, 100, 500, false}, {"live", SURVEY_SERIES, 300, 500, true},
	{"gone", SURVEY_SERIES, 100, 20, false},  {"aside", SURVEY_ASIDE, 100, 30, false},
	{"stray", SURVEY_STRAY, 100, 40, false},  {"busy", SURVEY_STRAY, 100, 23, false},
	{"gone2", SURVEY_SERIES, 100, 10, false},
};
#define MIXED mixed, sizeof(mixed) / sizeof(mixed[0])

static void nothing_goes_while_there_is_room(void **state)
{
	struct purge purge;

	(void)state;
	assert_string_equal(choose(MIXED, 0, &purge), "");
	assert_true(purge.fits && !purge.words && purge.bytes == 0);
	purge_release(&purge);
	assert_string_equal(choose(MIXED, 100, &purge), ""); /* 900 of 1000 are in use */
	purge_release(&purge);
}

static void the_longest_vanished_go_first(void **state)
{
	struct purge purge;

	(void)state;
	assert_string_equal(choose(MIXED, 101, &purge), "stray");
	assert_true(purge.fits && purge.expired == 0 && purge.bytes == 100);
	purge_release(&purge);
	assert_string_equal(choose(MIXED, 400, &purge), "stray aside gone");
	purge_release(&purge);
	assert_string_equal(choose(MIXED, 500, &purge), "stray aside gone gone2");
	assert_true(purge.fits);
	purge_release(&purge);
}

static void what_fits_in_no_case_costs_no_history(void **state)
{
	struct purge purge;

	(void)state;
	assert_string_equal(choose(MIXED, 501, &purge), "");
	assert_false(purge.fits);
	assert_string_equal(purge.words, "900 B in use - 400 B of vanished instances + 501 B for what is new = 1.0 kB, but "
	                                 "purge { max_size = \"1.0 kB\" }");
	purge_release(&purge);
}

static void what_is_too_much_already_goes_as_far_as_it_can(void **state)
{
	struct purge purge;

	(void)state;
	plan.purge_max_size = 450;
	assert_string_equal(choose(MIXED, 0, &purge), "stray aside gone gone2");
	assert_true(!purge.fits && purge.bytes == 400);
	purge_release(&purge);
	plan.purge_max_size = 700; /* what is new does not fit, but what is there does */
	assert_string_equal(choose(MIXED, 300, &purge), "stray aside");
	assert_false(purge.fits);
	purge_release(&purge);
	plan.purge_max_size = 1000;
}

static void after_its_time_a_vanished_file_goes_anyway(void **state)
{
	struct purge purge;

	(void)state;
	plan.purge_after = 30 * 3600;
	assert_string_equal(choose(MIXED, 0, &purge), "stray aside"); /* of 40 and 30 hours */
	assert_int_equal(purge.expired, 2);
	purge_release(&purge);
	assert_string_equal(choose(MIXED, 301, &purge), "stray aside gone");
	assert_true(purge.expired == 2 && purge.fits);
	purge_release(&purge);
	plan.purge_after = 100 * 3600;
}

static void what_was_never_finished_goes_at_once(void **state)
{
	const struct given list[] = {{"half", SURVEY_HALF, 1, 0, false}, {"gone", SURVEY_SERIES, 1, 99, false}};
	struct purge purge;

	(void)state;
	assert_string_equal(choose(list, 2, 0, &purge), "half");
	purge_release(&purge);
}

static void a_file_from_the_future_has_just_vanished(void **state)
{
	const struct given list[] = {{"future", SURVEY_SERIES, 600, -99999, false}, {"gone", SURVEY_SERIES, 600, 1, false}};
	struct purge purge;

	(void)state;
	assert_string_equal(choose(list, 2, 0, &purge), "gone");
	purge_release(&purge);
}

/* --- beside a model ------------------------------------------------------------------------------------------- */

#define MANY 40

struct model {
	struct survey survey;
	struct survey_file files[MANY];
	bool alive[MANY], goes[MANY];
};

static bool may_go(const struct model *model, size_t i)
{
	const struct survey_file *file = &model->files[i];

	if (file->kind == SURVEY_OWN || (file->kind == SURVEY_SERIES && model->alive[i]))
		return false;
	return file->kind != SURVEY_STRAY || (!model->alive[i] && NOW - file->changed >= 24 * HOUR);
}

static int64_t left(const struct model *model)
{
	int64_t sum = 0;

	for (size_t i = 0; i < model->survey.count; i++)
		sum += model->goes[i] ? 0 : model->files[i].size;
	return sum;
}

/* The oldest that may go and stays; -1: none. */
static int oldest(const struct model *model)
{
	int found = -1;

	for (size_t i = 0; i < model->survey.count; i++)
		if (may_go(model, i) && !model->goes[i] && (found < 0 || model->files[i].changed < model->files[found].changed))
			found = (int)i;
	return found;
}

/* One at a time, as one would say it. */
static bool decide(struct model *model, int64_t needed)
{
	int64_t least = 0;
	bool fits;

	for (size_t i = 0; i < model->survey.count; i++) {
		least += may_go(model, i) ? 0 : model->files[i].size;
		model->goes[i] = may_go(model, i) && (model->files[i].kind == SURVEY_HALF ||
		                                      NOW - model->files[i].changed >= plan.purge_after * CLOCK_SECOND);
	}
	fits = least + needed <= plan.purge_max_size;
	while (left(model) + (fits ? needed : 0) > plan.purge_max_size && oldest(model) >= 0)
		model->goes[oldest(model)] = true;
	return fits;
}

static void make_up(struct model *model)
{
	*model = (struct model){.survey = {.count = (size_t)random() % (MANY + 1), .files = model->files}};
	for (size_t i = 0; i < model->survey.count; i++) {
		struct survey_file *file = &model->files[i];

		/* No two are of the same age: the model has no opinion on which goes first then. */
		*file = (struct survey_file){.path = memory_format("%zu", i),
		                             .kind = (enum survey_kind)(random() % 5),
		                             .size = random() % 100,
		                             .changed = NOW - random() % 120 * HOUR - (int64_t)i};
		model->alive[i] = file->kind == SURVEY_SERIES && random() % 2;
		model->survey.total += file->size;
	}
}

static void check(const struct model *model, const struct purge *purge, int64_t needed)
{
	bool goes[MANY] = {false};
	int64_t bytes = 0;

	for (size_t i = 0; i < purge->count; i++) {
		assert_false(goes[purge->files[i]]);
		goes[purge->files[i]] = true;
		bytes += model->files[purge->files[i]].size;
		assert_true(may_go(model, purge->files[i])); /* live ones never */
	}
	assert_memory_equal(goes, model->goes, sizeof(goes));
	assert_true(purge->bytes == bytes && model->survey.total - bytes == left(model));
	assert_true(!purge->fits || left(model) + needed <= plan.purge_max_size); /* the limit holds whenever it can */
}

static void random_lists_are_decided_as_the_model_does(void **state)
{
	size_t fitting = 0, pressed = 0;

	(void)state;
	srandom(7);
	for (int round = 0; round < 20000; round++) {
		struct model model;
		struct purge purge;
		int64_t needed = random() % 3 ? 0 : random() % 400;

		plan.purge_max_size = random() % 2000;
		plan.purge_after = random() % 110 * 3600;
		make_up(&model);
		purge_choose(&purge, &model.survey, model.alive, &plan, NOW, needed);
		assert_true(decide(&model, needed) == purge.fits);
		check(&model, &purge, needed);
		fitting += purge.fits;
		pressed += purge.count > purge.expired;
		purge_release(&purge);
		for (size_t i = 0; i < model.survey.count; i++)
			free((char *)model.files[i].path);
	}
	assert_true(fitting > 2000 && fitting < 18000 && pressed > 2000); /* both ends of the road were walked */
	plan.purge_max_size = 1000;
	plan.purge_after = 100 * 3600;
}

/* --- what the plan needs -------------------------------------------------------------------------------------- */

static void a_plan_that_cannot_fit_is_refused_with_the_arithmetic(void **state)
{
	struct survey_file files[] = {{"a", SURVEY_SERIES, 1, "a", 5, 0},
	                              {"b", SURVEY_SERIES, 1, "b", 5, 0},
	                              {"c", SURVEY_SERIES, 1, "c", 5, 0},
	                              {"d", SURVEY_ASIDE, 1, "c", 5, 0},
	                              {"one", SURVEY_SERIES, 0, "", 5, 0}};
	struct survey survey = {.count = 5, .files = files}, none = {0};
	const bool alive[] = {true, false, true, false, false};
	struct purge_need need;
	char *words;

	(void)state;
	purge_add_up(&need, &plan, &none, NULL);
	assert_true(need.total == need.sizes[0] + need.sizes[1] + 17000000 + need.sizes[0]);
	plan.purge_max_size = need.total;
	assert_true(purge_fits(&plan, &none, NULL, &words));
	assert_null(words);
	plan.purge_max_size--;
	assert_false(purge_fits(&plan, &none, NULL, &words));
	free(words);
	purge_need_release(&need);
	assert_false(purge_fits(&plan, &survey, alive, &words)); /* two of many.of are alive */
	assert_string_equal(words, "pindrop.lua: purge { max_size = \"22.4 MB\" } is too small: one 1 x 2.2 MB + "
	                           "many.of 2 x 1.1 MB + journal 16.0 MB + ledger 1.0 MB + room to rewrite one file 2.2 MB "
	                           "= 23.5 MB; give more, or keep less in retention { … }");
	free(words);
	plan.purge_max_size = 1000;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_goes_while_there_is_room),
		cmocka_unit_test(the_longest_vanished_go_first),
		cmocka_unit_test(what_fits_in_no_case_costs_no_history),
		cmocka_unit_test(what_is_too_much_already_goes_as_far_as_it_can),
		cmocka_unit_test(after_its_time_a_vanished_file_goes_anyway),
		cmocka_unit_test(what_was_never_finished_goes_at_once),
		cmocka_unit_test(a_file_from_the_future_has_just_vanished),
		cmocka_unit_test(random_lists_are_decided_as_the_model_does),
		cmocka_unit_test(a_plan_that_cannot_fit_is_refused_with_the_arithmetic),
	};

	return cmocka_run_group_tests_name("purge", tests, NULL, NULL);
}
