/* life/inside.h: what the files behind life.h show each other. Main thread, or that of a change, while it is made; but for
 * what samples and the store call. */
#ifndef LIFE_INSIDE_H
#define LIFE_INSIDE_H

#include <sys/stat.h>

#include "collect/collect.h"
#include "http/http.h"
#include "life/absent.h"
#include "life/life.h"
#include "metric/metric.h"
#include "report/report.h"
#include "store/store.h"

/* How far a change is: it may wait for a disk until LIFE_ADOPTS. From LIFE_ENDS on none goes from one to the next. */
enum life_stage { LIFE_READS, LIFE_APPLIES, LIFE_ADOPTS, LIFE_ENDS };

/* All rooms. What is NULL or -1 is not up. */
struct life {
	struct source *source;
	const struct plan *plan; /* in force; held */
	int listener;
	char address[HTTP_ADDRESS_SIZE];
	struct standing *standing;
	_Atomic enum life_stage stage;
	struct stat seen;   /* the file, as it was before it was read; zero: it was not there */
	int64_t half_until; /* what changes while it is read was half saved: so long is that believed; monotonic, ns */
	bool half;          /* it was, and is to be read again */
	bool mistaken;      /* what was read last is not in force */
	struct absent *absent;
	struct store *store;
	struct metric *metric;
	struct collect *collect;
	struct report report; /* its gallery is made and freed with the readers */
	struct readers *readers;
	struct http *http;
	struct http *leaving; /* served another address; has connections yet */
};

/* --- up.c ------------------------------------------------------------------------------------------------------ */

int life_bring_up(struct life *life, struct nursery *sampler, struct error *error);

/* Accepts what is half up. Not `whole`: a change hangs, and may use the rooms yet: they end, and nothing is freed. False:
 * so it came, for that reason, or because a reader hangs. */
bool life_bring_down(struct life *life, bool whole);

/* Ends the server that has left its address, where there is one. */
void life_end_leaving(struct life *life);

/* --- remember.c ------------------------------------------------------------------------------------------------ */

/* Instances of which there are files are known, also when they never come back, until they are purged: of all families,
 * or of those that `before` does not have. */
void life_expect(const struct life *life, const struct plan *before);

/* Gives windows that lack it what the store remembers. Also while sampling goes on. */
void life_remember(const struct life *life);

/* --- difference.c ---------------------------------------------------------------------------------------------- */

/* What the second plan changes, for people: `plugin "disk" is new, other retention: files move`. For free(). */
char *life_difference(const struct plan *old, const struct plan *new);

/* --- change.c -------------------------------------------------------------------------------------------------- */

/* Reads the file and goes over to what it says. Where it has mistakes they are told, and nothing changes. */
void life_change(struct life *life);

/* The file as it is now; all zero: it is not there. */
struct stat life_look(const struct life *life);

/* The agent ends. True: a change, if there is one, still reads the file, and will not touch the rooms. */
bool life_ends(struct life *life);

/* The same for one that waits for a disk: it will not come back to the rooms, whatever it holds of them. False: it does
 * not wait any more. */
bool life_gives_up(struct life *life);

#endif
