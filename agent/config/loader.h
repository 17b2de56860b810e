/* config/loader.h: plugins from shared objects.
 *
 * A ladder: open, symbol, ABI, table, name, no family twice; each rung says in one line which file was refused and
 * why, and undoes the rungs below. A loader belongs to one thread at a time; a worker loads by itself, on its only thread. */
#ifndef CONFIG_LOADER_H
#define CONFIG_LOADER_H

#include "config/plan.h"

/* One plugin, loaded. `library` is for loader_unload(), after which the table is gone. NULL with the words. */
const struct pindrop_plugin *loader_load(const char *path, const char *name, void **library, struct error *error);
void loader_unload(void *library);

struct loader;

/* Looks for NAME.so in each of the directories in turn; the array ends with NULL and is copied. */
struct loader *loader_new(const char *const *directories);
void loader_free(struct loader *loader); /* unloads all that was found; after plan_release() */

/* Before a plan is made anew: what was not found, or was refused, is looked for again, and what was replaced on the disk
 * since is loaded anew. Tables that were given out stay valid. */
void loader_look_again(struct loader *loader);

/* A plan_find: its context is the loader. Loads each name once and refuses a family that another plugin has which was found
 * since the last loader_look_again(). */
void loader_find(void *loader, const char *name, struct plan_found *found);

/* The names of all plugins in the directories, sorted, ended by NULL; one block for free(). For did-you-mean and
 * `pindrop describe`. */
char **loader_names(const struct loader *loader);

#endif
