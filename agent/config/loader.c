#include "config/loader.h"

#include <dirent.h>
#include <dlfcn.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"

/* A plugin that was found, good or not: a name is tried once. */
struct entry {
	char *name;
	char *path;       /* NULL: no such file */
	struct stat file; /* as it was loaded */
	bool old;         /* another has taken its place; its table may still be in use */
	bool given;       /* it is in the plan that is being made */
	void *library;
	const struct pindrop_plugin *table;
	struct error error;
};

struct loader {
	char **directories; /* ends with NULL */
	struct entry *entries;
	size_t count;
};

/* --- the table is well-formed ------------------------------------------------------------------------------- */

static int check_fields(const struct pindrop_family *family, struct error *error)
{
	if (!family->fields || !family->field_count)
		return error_set(error, "family \"%s\" has no fields", family->name);
	for (size_t i = 0; i < family->field_count; i++) {
		const struct pindrop_field *field = &family->fields[i];

		if (!text_is_name(field->name, false) || strlen(field->name) > PINDROP_FIELD_NAME_MAX)
			return error_set(error, "family \"%s\": field %zu has no name of [a-z][a-z0-9_]* with at most %d letters",
			                 family->name, i + 1, PINDROP_FIELD_NAME_MAX);
		if (field->kind != PINDROP_GAUGE && field->kind != PINDROP_COUNTER)
			return error_set(error, "%s.%s is neither gauge nor counter", family->name, field->name);
		if (!field->unit || !field->help)
			return error_set(error, "%s.%s lacks a unit or a help", family->name, field->name);
		for (size_t k = 0; k < i; k++)
			if (strcmp(family->fields[k].name, field->name) == 0)
				return error_set(error, "%s.%s is there twice", family->name, field->name);
	}
	return 0;
}

static int check_family(const struct pindrop_plugin *table, size_t index, struct error *error)
{
	const struct pindrop_family *family = &table->families[index];

	if (!text_is_name(family->name, true))
		return error_set(error, "family %zu has no name of [a-z0-9_.]", index + 1);
	if (!family->sample)
		return error_set(error, "family \"%s\" has no sample()", family->name);
	if (family->label_count && (!family->labels || !family->instance))
		return error_set(error, "family \"%s\" has labels, but no instances", family->name);
	if (family->stat && family->instance && family->shape != PINDROP_LIST && family->shape != PINDROP_SUM)
		return error_set(error, "family \"%s\" does not say whether /get_stats lists or sums it", family->name);
	if (family->stat && family->shape == PINDROP_LIST && family->instance && !family->stat_name)
		return error_set(error, "family \"%s\" is a list in /get_stats without a key for the instance", family->name);
	for (size_t k = 0; k < index; k++)
		if (strcmp(table->families[k].name, family->name) == 0)
			return error_set(error, "family \"%s\" is there twice", family->name);
	for (size_t k = 0; family->option && k < table->option_count; k++)
		if (strcmp(table->options[k].name, family->option) == 0 && table->options[k].type == PINDROP_BOOL)
			return check_fields(family, error);
	if (family->option)
		return error_set(error, "family \"%s\" is switched by \"%s\", which is no boolean option", family->name,
		                 family->option);
	return check_fields(family, error);
}

static int check_option(const struct pindrop_plugin *table, size_t index, struct error *error)
{
	const struct pindrop_option *option = &table->options[index];
	double number;
	char *end;
	bool good = true;

	if (!text_is_name(option->name, false) || strcmp(option->name, "interval") == 0)
		return error_set(error, "option %zu has no name of its own ([a-z][a-z0-9_]*, not \"interval\")", index + 1);
	for (size_t k = 0; k < index; k++)
		if (strcmp(table->options[k].name, option->name) == 0)
			return error_set(error, "option \"%s\" is there twice", option->name);
	if (option->type < PINDROP_BOOL || option->type > PINDROP_PATTERNS || !option->help)
		return error_set(error, "option \"%s\" lacks a type or a help", option->name);
	if (!option->preset)
		return 0;
	if (option->type == PINDROP_BOOL)
		good = strcmp(option->preset, "true") == 0 || strcmp(option->preset, "false") == 0;
	else if (option->type == PINDROP_DURATION)
		good = text_duration(option->preset, &number);
	else if (option->type == PINDROP_SIZE)
		good = text_size(option->preset, &number);
	else if (option->type == PINDROP_INTEGER || option->type == PINDROP_NUMBER)
		good = (strtod(option->preset, &end), end != option->preset && !*end);
	else
		good = option->type == PINDROP_STRING;
	return good ? 0 : error_set(error, "option \"%s\" cannot have the preset \"%s\"", option->name, option->preset);
}

static int check_table(const struct pindrop_plugin *table, const char *name, struct error *error)
{
	if (table->abi != PINDROP_ABI)
		return error_set(error, "made for plugin ABI %u, this agent has ABI %u: compile it anew", table->abi,
		                 PINDROP_ABI);
	if (!table->name || strcmp(table->name, name) != 0)
		return error_set(error, "calls itself \"%s\"; a plugin is named as its file", table->name ? table->name : "");
	if (!table->help || !table->families || !table->family_count || (table->option_count && !table->options))
		return error_set(error, "its table lacks help, families or options");
	if (!table->open != !table->close)
		return error_set(error, "has only one of open() and close()");
	for (size_t i = 0; i < table->option_count; i++)
		if (check_option(table, i, error) < 0)
			return -1;
	for (size_t i = 0; i < table->family_count; i++)
		if (check_family(table, i, error) < 0)
			return -1;
	return 0;
}

/* --- one plugin --------------------------------------------------------------------------------------------- */

const struct pindrop_plugin *loader_load(const char *path, const char *name, void **library, struct error *error)
{
	const struct pindrop_plugin *table;

	*library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!*library) {
		error_set(error, "%s: refused: %s", path, dlerror());
		return NULL;
	}
	table = dlsym(*library, "pindrop_plugin");
	if (!table) {
		error_set(error, "%s: refused: it exports no \"pindrop_plugin\"", path);
		goto refuse;
	}
	if (check_table(table, name, error) < 0) {
		error_prefix(error, "%s: refused: ", path);
		goto refuse;
	}
	return table;
refuse:
	dlclose(*library);
	*library = NULL;
	return NULL;
}

void loader_unload(void *library)
{
	if (library)
		dlclose(library);
}

/* --- all plugins -------------------------------------------------------------------------------------------- */

struct loader *loader_new(const char *const *directories)
{
	struct loader *loader = memory_alloc(sizeof(*loader));
	size_t count = 0;

	while (directories[count])
		count++;
	loader->directories = memory_array(count + 1, sizeof(char *));
	for (size_t i = 0; i < count; i++)
		loader->directories[i] = memory_text(directories[i]);
	return loader;
}

void loader_free(struct loader *loader)
{
	for (size_t i = 0; i < loader->count; i++) {
		loader_unload(loader->entries[i].library);
		free(loader->entries[i].name);
		free(loader->entries[i].path);
	}
	for (size_t i = 0; loader->directories[i]; i++)
		free(loader->directories[i]);
	free(loader->directories);
	free(loader->entries);
	free(loader);
}

/* The path of NAME.so, a new text, or NULL. */
static char *locate(const struct loader *loader, const char *name)
{
	for (size_t i = 0; loader->directories[i]; i++) {
		char *path = memory_format("%s/%s.so", loader->directories[i], name);

		if (access(path, F_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

/* A family that two plugins sample would have one file written by both. */
static int check_unique(const struct loader *loader, const struct entry *entry, struct error *error)
{
	for (size_t i = 0; i < loader->count; i++) {
		const struct pindrop_plugin *other = loader->entries[i].given ? loader->entries[i].table : NULL;

		for (size_t k = 0; other && &loader->entries[i] != entry && k < other->family_count; k++)
			for (size_t f = 0; f < entry->table->family_count; f++)
				if (strcmp(other->families[k].name, entry->table->families[f].name) == 0)
					return error_set(error, "%s: refused: the plugin \"%s\" has a family \"%s\" already", entry->path,
					                 other->name, other->families[k].name);
	}
	return 0;
}

static void tell_missing(const struct loader *loader, struct entry *entry)
{
	char **names = loader_names(loader);
	const char *nearest = text_nearest(entry->name, (const char *const *)names);

	if (nearest)
		error_set(&entry->error, "there is no such plugin (did you mean \"%s\"?)", nearest);
	else
		error_set(&entry->error, "there is no %s.so in %s%s%s", entry->name, loader->directories[0],
		          loader->directories[1] ? " or " : "", loader->directories[1] ? loader->directories[1] : "");
	free(names);
}

/* dlopen(3) goes by the name of a file: one that was replaced has to be called otherwise, as "plugins/././cpu.so". */
static char *name_anew(const struct loader *loader, const struct entry *entry)
{
	char *name = memory_text(entry->path);

	for (size_t i = 0; i < loader->count; i++) {
		int folder = (int)(strrchr(name, '/') - name);
		char *longer;

		if (strcmp(loader->entries[i].name, entry->name) != 0)
			continue;
		longer = memory_format("%.*s/.%s", folder, name, name + folder);
		free(name);
		name = longer;
	}
	return name;
}

static void load_entry(const struct loader *loader, struct entry *entry)
{
	char *path;

	entry->path = text_is_name(entry->name, false) ? locate(loader, entry->name) : NULL;
	if (!entry->path) {
		tell_missing(loader, entry);
		return;
	}
	stat(entry->path, &entry->file);
	path = name_anew(loader, entry);
	entry->table = loader_load(path, entry->name, &entry->library, &entry->error);
	free(path);
}

/* A file that is replaced is another file; one that is written over has another time. */
static bool is_replaced(const struct entry *entry)
{
	struct stat now;

	return stat(entry->path, &now) == 0 &&
	       (now.st_ino != entry->file.st_ino || now.st_dev != entry->file.st_dev ||
	        now.st_mtim.tv_sec != entry->file.st_mtim.tv_sec || now.st_mtim.tv_nsec != entry->file.st_mtim.tv_nsec);
}

void loader_look_again(struct loader *loader)
{
	size_t kept = 0;

	for (size_t i = 0; i < loader->count; i++) {
		struct entry *entry = &loader->entries[i];

		if (entry->table) {
			entry->old = entry->old || is_replaced(entry);
			entry->given = false;
			loader->entries[kept++] = *entry;
			continue;
		}
		free(entry->name);
		free(entry->path);
	}
	loader->count = kept;
}

void loader_find(void *context, const char *name, struct plan_found *found)
{
	struct loader *loader = context;
	struct entry *entry = NULL;

	for (size_t i = 0; i < loader->count && !entry; i++)
		if (!loader->entries[i].old && strcmp(loader->entries[i].name, name) == 0)
			entry = &loader->entries[i];
	if (!entry) {
		struct entry new = {.name = memory_text(name)};

		load_entry(loader, &new);
		loader->entries = memory_resize(loader->entries, loader->count + 1, sizeof(*loader->entries));
		entry = &loader->entries[loader->count++];
		*entry = new;
	}
	found->table = entry->table;
	found->path = entry->path;
	found->missing = !entry->path;
	found->error = entry->error;
	if (entry->table && check_unique(loader, entry, &found->error) < 0)
		found->table = NULL;
	entry->given = found->table != NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char **loader_names(const struct loader *loader)
{
	char **names = memory_array(1, sizeof(char *)), **block, *text;
	size_t count = 0, bytes = 0;

	for (size_t i = 0; loader->directories[i]; i++) {
		DIR *folder = opendir(loader->directories[i]);
		struct dirent *file;

		while (folder && (file = readdir(folder))) {
			size_t length = strlen(file->d_name);

			if (length < 4 || strcmp(file->d_name + length - 3, ".so") != 0)
				continue;
			names = memory_resize(names, count + 1, sizeof(char *));
			names[count++] = strndup(file->d_name, length - 3);
			bytes += length - 2;
		}
		if (folder)
			closedir(folder);
	}
	qsort(names, count, sizeof(char *), by_name);
	block = memory_alloc((count + 1) * sizeof(char *) + bytes);
	text = (char *)(block + count + 1);
	for (size_t i = 0, kept = 0; i < count; i++) {
		if (!kept || strcmp(block[kept - 1], names[i]) != 0) {
			block[kept++] = text;
			text = stpcpy(text, names[i]) + 1;
		}
		free(names[i]);
	}
	free(names);
	return block;
}
