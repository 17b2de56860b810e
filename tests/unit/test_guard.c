/* links: agent/store/guard.c
 *
 * A file that is shorter than its map: the pages that are not there are as those that a disk cannot give. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/guard.h"

static volatile char *map_nothing(void)
{
	FILE *file = tmpfile();
	void *map;

	assert_non_null(file);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
	assert_true(map != MAP_FAILED);
	fclose(file);
	return map;
}

static int touch(void *context)
{
	volatile char *map = context;

	map[0] = 1;
	return 7;
}

static int answer(void *context)
{
	return *(int *)context;
}

/* Within a guarded call it ends that; elsewhere it ends the process, as ever. In one test: cmocka takes the signal for
 * itself before each. */
static void a_page_that_is_not_there_ends_the_call(void **state)
{
	volatile char *map = map_nothing();
	int number = -3, status = 0;
	pid_t child;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(guard_run(touch, (void *)map), GUARD_BROKEN);
		assert_int_equal(guard_run(answer, &number), -3);
	}
	child = fork();
	if (child == 0) {
		touch((void *)map);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	munmap((void *)map, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_that_is_not_there_ends_the_call),
	};

	return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
