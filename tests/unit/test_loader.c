/* links: agent/config/loader.c agent/base/text.c agent/base/memory.c agent/base/error.c agent/collect/host.c
 * agent/metric/batch.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "collect/host.h"
#include "config/loader.h"

static struct loader *new_loader(void)
{
	char *folder = memory_format("%s/tests/plugins", getenv("BUILD") ? getenv("BUILD") : "build");
	struct loader *loader = loader_new((const char *const[]){"/nonexistent", folder, NULL});

	free(folder);
	return loader;
}

static void a_good_one_is_loaded_once_and_works(void **state)
{
	struct loader *loader = new_loader();
	struct plan_found found, again;
	struct pindrop_host host = {.root = ""};
	struct batch rows = {0};
	struct pindrop_batch batch = {.batch = &rows};
	struct error error = {""};

	(void)state;
	loader_find(loader, "good", &found);
	loader_find(loader, "good", &again);
	assert_non_null(found.table);
	assert_ptr_equal(found.table, again.table);
	assert_non_null(strstr(found.path, "/tests/plugins/good.so"));
	batch_begin(&rows, 0, 1, 0);
	assert_int_equal(host_sample(&host, &found.table->families[0], NULL, &batch, &error), 0);
	assert_true(batch_values(&rows, 0)[0] == 42);
	batch_release(&rows);
	loader_free(loader);
}

static void each_bad_one_is_refused_in_one_line(void **state)
{
	static const struct {
		const char *name, *words;
	} bad[] = {
		{"abi", "abi.so: refused: made for plugin ABI 999, this agent has ABI 1: compile it anew"},
		{"misnamed", "misnamed.so: refused: calls itself \"other\"; a plugin is named as its file"},
		{"hidden", "hidden.so: refused: it exports no \"pindrop_plugin\""},
		{"twice", "twice.so: refused: family \"twice\" is there twice"},
		{"longfield",
	     "longfield.so: refused: family \"longfield\": field 1 has no name of [a-z][a-z0-9_]* with at most 19 "
	     "letters"},
		{"upper", "upper.so: refused: family 1 has no name of [a-z0-9_.]"},
		{"nosample", "nosample.so: refused: family \"nosample\" has no sample()"},
		{"preset", "preset.so: refused: option \"pause\" cannot have the preset \"soon\""},
		{"halfopen", "halfopen.so: refused: has only one of open() and close()"},
		{"ownoption", "ownoption.so: refused: option 1 has no name of its own ([a-z][a-z0-9_]*, not \"interval\")"},
		{"noswitch", "noswitch.so: refused: family \"noswitch\" is switched by \"pause\", which is no boolean option"},
		{"shapeless", "shapeless.so: refused: family \"shapeless\" does not say whether /get_stats lists or sums it"},
		{"nokey", "nokey.so: refused: family \"nokey\" is a list in /get_stats without a key for the instance"},
		{"unlabelled", "unlabelled.so: refused: family \"unlabelled\" has labels, but no instances"},
		{"symbol", "symbol.so: undefined symbol: nobody_has_this"},
		{"rival", "rival.so: refused: the plugin \"good\" has a family \"good\" already"},
	};
	struct loader *loader = new_loader();
	struct plan_found found;

	(void)state;
	loader_find(loader, "good", &found);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		loader_find(loader, bad[i].name, &found);
		assert_null(found.table);
		assert_false(found.missing);
		if (!strstr(found.error.text, bad[i].words))
			fail_msg("%s: %s", bad[i].name, found.error.text);
		assert_null(strchr(found.error.text, '\n'));
	}
	loader_free(loader);
}

/* Of two with the same family the one that is in the configuration is taken, whichever was there before. */
static void a_rival_may_take_the_place(void **state)
{
	struct loader *loader = new_loader();
	const struct pindrop_plugin *first;
	struct plan_found found;

	(void)state;
	loader_find(loader, "good", &found);
	first = found.table;
	assert_non_null(first);
	loader_look_again(loader);
	loader_find(loader, "rival", &found);
	assert_non_null(found.table);
	loader_find(loader, "good", &found);
	assert_null(found.table);
	assert_non_null(strstr(found.error.text, "good.so: refused: the plugin \"rival\" has a family \"good\" already"));
	loader_look_again(loader);
	loader_find(loader, "good", &found);
	assert_ptr_equal(found.table, first);
	loader_find(loader, "rival", &found);
	assert_null(found.table);
	loader_free(loader);
}

static void one_that_is_not_there_is_missing(void **state)
{
	static const char *const names[] = {"../good", "good.so", "", "Good", "nothing_like_it"};
	struct loader *loader = new_loader();
	struct plan_found found;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		loader_find(loader, names[i], &found);
		assert_null(found.table);
		assert_true(found.missing);
	}
	assert_non_null(strstr(found.error.text, "there is no nothing_like_it.so in /nonexistent or "));
	loader_find(loader, "goood", &found);
	assert_string_equal(found.error.text, "there is no such plugin (did you mean \"good\"?)");
	loader_free(loader);
}

/* What is in the folder, but is no shared object, is refused with its name; the rest of the folder is none the worse. */
static void a_file_that_is_no_plugin_is_refused(void **state)
{
	char *folder = memory_format("%s/pindrop-loader.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	char *path, *good = memory_format("%s/tests/plugins", getenv("BUILD") ? getenv("BUILD") : "build");
	struct loader *loader;
	struct plan_found found;
	FILE *file;

	(void)state;
	assert_non_null(mkdtemp(folder));
	path = memory_format("%s/text.so", folder);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs("no ELF", file);
	fclose(file);
	loader = loader_new((const char *const[]){folder, good, NULL});
	loader_find(loader, "text", &found);
	assert_null(found.table);
	assert_false(found.missing);
	assert_int_equal(strncmp(found.error.text, path, strlen(path)), 0);
	assert_null(strchr(found.error.text, '\n'));
	loader_find(loader, "good", &found);
	assert_non_null(found.table);
	loader_free(loader);
	unlink(path);
	rmdir(folder);
	free(path);
	free(good);
	free(folder);
}

/* The first folder that has the name wins, as with $PATH. */
static void the_first_folder_wins(void **state)
{
	char *folder = memory_format("%s/tests/plugins", getenv("BUILD") ? getenv("BUILD") : "build");
	char *again = memory_format("%s/../plugins", folder);
	struct loader *loader = loader_new((const char *const[]){again, folder, NULL});
	struct plan_found found;
	char **names = loader_names(loader);

	(void)state;
	loader_find(loader, "good", &found);
	assert_non_null(found.table);
	assert_int_equal(strncmp(found.path, again, strlen(again)), 0);
	/* What stands in both is listed once. */
	for (size_t i = 1; names[0] && names[i]; i++)
		assert_true(strcmp(names[i - 1], names[i]) < 0);
	free(names);
	loader_free(loader);
	free(again);
	free(folder);
}

static void names_are_listed_in_order(void **state)
{
	struct loader *loader = new_loader();
	char **names = loader_names(loader);
	size_t count = 0;

	(void)state;
	while (names[count]) {
		assert_true(count == 0 || strcmp(names[count - 1], names[count]) < 0);
		count++;
	}
	assert_true(count >= 17);
	free(names);
	loader_free(loader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_one_is_loaded_once_and_works), cmocka_unit_test(each_bad_one_is_refused_in_one_line),
		cmocka_unit_test(a_rival_may_take_the_place),          cmocka_unit_test(one_that_is_not_there_is_missing),
		cmocka_unit_test(a_file_that_is_no_plugin_is_refused), cmocka_unit_test(the_first_folder_wins),
		cmocka_unit_test(names_are_listed_in_order),
	};

	return cmocka_run_group_tests_name("loader", tests, NULL, NULL);
}
