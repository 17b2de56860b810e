/* base/command.h: what another program says, and how it ends, before its time is up. Any thread.
 *
 * A command leads a process group of its own, so that what it starts ends with it. It reads nothing, and no shell sees its
 * words. */
#ifndef BASE_COMMAND_H
#define BASE_COMMAND_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum command_trouble {
	COMMAND_FINE,    /* it ended by itself: `status` */
	COMMAND_LATE,    /* its time was up, and it was killed */
	COMMAND_TALKED,  /* it said more than `most`, and was killed */
	COMMAND_STOPPED, /* `stop` was told, and it was killed */
};

/* Starts as COMMAND_NONE. `output` and `pid` are set by who starts it, what stands before them is set before. */
#define COMMAND_NONE .stop = -1, .output = -1, .complaint = -1
struct command {
	int64_t deadline; /* monotonic, ns */
	size_t most;      /* what it may say, bytes */
	int stop;         /* a descriptor that can be read once it is to be ended; -1: there is none */
	pid_t pid;
	int output;    /* the other end of its stdout; closed by command_finish() */
	int complaint; /* of its stderr; -1: that goes elsewhere */
	/* What came of it: */
	enum command_trouble trouble;
	int status; /* of wait(2) */
	char *text; /* what it said, for free(), ended by a NUL; NULL: it has closed its output at once */
	size_t length, room;
	char complaints[512]; /* the beginning of what it said to stderr, ended by a NUL */
};

/* Starts a program that is found in PATH, with stdout and stderr to `output` and `complaint`, and without the signals that
 * the agent blocks or passes over. 0, or an errno: there is no such program, for instance. */
int command_start(struct command *command, char *const *words);

/* Listens until it has ended, or is ended: its time is up, or it says too much. Does not wait for one that cannot be
 * killed, the disk hangs, for longer than a moment after that. */
void command_finish(struct command *command);

#endif
