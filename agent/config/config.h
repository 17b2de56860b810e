/* config/config.h: from pindrop.lua to a plan.
 *
 *     serve.c    runs the file in a worker (script/); answers with what it declared, as JSON with line numbers
 *     config.c   asks the worker, with a deadline                                           (agent's side)
 *     plan*.c    checks the answer against the plugins' tables and makes the plan           (pure)
 *     loader.c   finds and loads plugins
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "config/plan.h"
#include "worker/nursery.h"

extern const struct worker_kind config_worker_kind;

/* How long pindrop.lua may run before it is ended and the line where it was is told. */
#define CONFIG_RUN_MAX (5 * CLOCK_SECOND)

/* Runs `file` in a worker and checks what it declares. Returns NULL with at least one mistake told, or the plan, for
 * plan_release(). The thread that uses the nursery. */
struct plan *config_read(const char *file, struct nursery *nursery, size_t worker_kind, plan_find *find, void *context,
                         struct text_list *mistakes);

#endif
