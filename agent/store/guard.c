#include "store/guard.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>

/* Where this thread goes on; NULL: it is in no guarded call. The handler of a signal has no other way to know. */
static _Thread_local sigjmp_buf *volatile way_out;

static void end_call(int number)
{
	if (way_out)
		siglongjmp(*way_out, 1);
	/* It is somebody else's, and ends the process as ever. */
	signal(number, SIG_DFL);
	raise(number);
}

static void install(void)
{
	struct sigaction action = {.sa_handler = end_call};

	sigaction(SIGBUS, &action, NULL);
}

int guard_run(guard_call *call, void *context)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	sigjmp_buf here;
	int result;

	pthread_once(&once, install);
	if (sigsetjmp(here, 1) == 0) {
		way_out = &here;
		result = call(context);
	} else {
		result = GUARD_BROKEN;
	}
	way_out = NULL;
	return result;
}
