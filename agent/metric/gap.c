#include "metric/gap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* @ is who it is about, $ are the circumstances. */
struct reason {
	const char *name;
	const char *alone;  /* nothing more is known */
	const char *with;   /* the circumstances are known … */
	const char *saying; /* … and begin with a verb: "has not answered for 1 s"; NULL: no matter */
};

static const struct reason reasons[GAP_REASONS] = {
	[GAP_TIMEOUT] = {"timeout", "@ did not answer", "@ did not answer: $", "@ $"},
	[GAP_ERROR] = {"error", "@ could not be sampled", "@ could not be sampled: $", "the worker of @ $"},
	[GAP_STOPPED] = {"stopped", "sampling was stopped by /stop", "sampling was stopped by /stop: $", NULL},
	[GAP_LATE] = {"late", "the tick came late and was passed over", "the tick came late and was passed over: $", NULL},
	[GAP_CLOCK_STEP] = {"clock_step", "the clock was set", "the clock was $", NULL},
	[GAP_SUSPEND] = {"suspend", "the machine slept", "the machine $", NULL},
	[GAP_AGENT_DOWN] = {"agent_down", "the agent was not running", "the agent was not running: $", NULL},
	[GAP_DISK_FULL] = {"disk_full", "samples were lost: the disk was full for longer than memory lasts",
                       "samples were lost: the disk could not be written for longer than memory lasts: $", NULL},
	[GAP_QUARANTINE] = {"quarantine", "the file was damaged and was set aside", "the file was damaged and is kept as $",
                        NULL},
	[GAP_MIGRATION] = {"migration", "the configuration changed, and does not keep that",
                       "the configuration changed, and does not keep that: $", NULL},
	[GAP_COUNTER_RESET] = {"counter_reset", "the counter began anew (a reboot of the device, or an overflow)",
                           "the counter began anew (a reboot of the device, or an overflow): $", NULL},
	[GAP_NOT_CONFIGURED] = {"not_configured", "@ was not in the configuration", "@ was not in the configuration: $",
                            NULL},
	[GAP_DEVICE_GONE] = {"device_gone", "@ was not there", "@ was not there: $", NULL},
};

const char *gap_name(enum gap_reason reason)
{
	return reasons[reason].name;
}

/* "sda" of what is gone, "disk.space of /mnt/nfs" of what did not answer. */
static char *name_subject(const struct gap *gap)
{
	if (gap->instance && *gap->instance && gap->reason == GAP_DEVICE_GONE)
		return memory_text(gap->instance);
	if (gap->family && gap->instance && *gap->instance)
		return memory_format("%s of %s", gap->family, gap->instance);
	return memory_text(gap->family ? gap->family : "what was asked");
}

static char *fill_in(const char *pattern, const char *subject, const char *words)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		return memory_text(words);
	for (; *pattern; pattern++) {
		if (*pattern == '@')
			fputs(subject, out);
		else if (*pattern == '$')
			fputs(words, out);
		else
			fputc(*pattern, out);
	}
	fclose(out);
	return text;
}

char *gap_describe(const struct gap *gap)
{
	const struct reason *reason = &reasons[gap->reason];
	const char *words = gap->words ? gap->words : "", *pattern = *words ? reason->with : reason->alone;
	char *subject = name_subject(gap), *text;

	if (reason->saying && (strncmp(words, "has ", 4) == 0 || strncmp(words, "was ", 4) == 0))
		pattern = reason->saying;
	text = fill_in(pattern, subject, words);
	free(subject);
	return text;
}
