/* metric/gap.h: why a stretch of a series is unknown, as a value that is handed over.
 *
 * Whoever knows says it: collect (timeout, error, stopped, late), the clock (step, suspend), the store (agent down,
 * disk full, quarantine, migration, purged), the samples themselves (counter reset, device gone), and the agent as a whole
 * (not configured). It is kept in
 * the store's ledger. A gap that goes on is told again at every tick that it costs; the ledger joins neighbours. */
#ifndef METRIC_GAP_H
#define METRIC_GAP_H

#include <stdint.h>

enum gap_reason {
	GAP_TIMEOUT,        /* what was asked did not answer in time */
	GAP_ERROR,          /* it answered that it cannot, or crashed */
	GAP_STOPPED,        /* sampling was stopped by /stop */
	GAP_LATE,           /* the tick came too late and was passed over */
	GAP_CLOCK_STEP,     /* the wall clock was set, see below */
	GAP_SUSPEND,        /* the machine slept */
	GAP_AGENT_DOWN,     /* no agent was running */
	GAP_DISK_FULL,      /* samples were lost because they could not be written for too long */
	GAP_QUARANTINE,     /* the file was damaged or foreign and was set aside */
	GAP_MIGRATION,      /* the configuration changed, and does not keep that */
	GAP_COUNTER_RESET,  /* a counter began anew: its rate is unknown */
	GAP_DEVICE_GONE,    /* the instance was not there */
	GAP_NOT_CONFIGURED, /* the configuration did not have it */
	GAP_REASONS,
};

/* GAP_CLOCK_STEP. Forward: (the last tick before, the new time], times that never were. Back: a mark and no stretch, the
 * shortest interval up to the new time. Nothing is unknown there, as these times were sampled when they first came, and
 * those after it are sampled anew; it says why what had been sampled at later times has gone from the series. */

/* All texts belong to whoever hands it over, and are copied by who keeps it. */
struct gap {
	enum gap_reason reason;
	const char *family;   /* "disk.io"; NULL: all */
	const char *instance; /* "sda", "" of a family without instances; NULL: all of the family */
	const char *field;    /* NULL: all */
	int64_t from, to;     /* unknown is what lies in (from, to]: wall clock, ns */
	const char *words;    /* the circumstances, for people, as gap.c lets them go on; NULL or "": none */
};

/* A reason's name in JSON: "agent_down". */
const char *gap_name(enum gap_reason reason);

/* Why, in plain words: "disk.space of /mnt/nfs has not answered for 1 s", "the clock was set forward by 1 h". The reason
 * decides how `words` go on. A new text for free(). */
char *gap_describe(const struct gap *gap);

/* Takes note of a gap. Any thread; never waits for the disk. */
typedef void gap_sink(void *context, const struct gap *gap);

#endif
