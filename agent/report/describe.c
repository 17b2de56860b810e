/* report/describe.c: `pindrop describe`, from the same tables that everything else comes from. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/options.h"
#include "report/report.h"
#include "report/tree.h"
#include "script/library.h"

static const char *type_name(enum pindrop_type type)
{
	static const char *const names[] = {
		[PINDROP_BOOL] = "true/false",   [PINDROP_INTEGER] = "integer",   [PINDROP_NUMBER] = "number",
		[PINDROP_DURATION] = "duration", [PINDROP_SIZE] = "size",         [PINDROP_STRING] = "text",
		[PINDROP_STRINGS] = "texts",     [PINDROP_PATTERNS] = "patterns",
	};

	switch ((int)type) {
	case OPTION_FUNCTION:
		return "function";
	case OPTION_TEXT_OR_FUNCTION:
		return "text/func.";
	case OPTION_METRICS:
		return "table";
	default:
		return names[type];
	}
}

static const char *preset_of(const struct pindrop_option *option)
{
	return option->preset && *option->preset && strcmp(option->preset, "nan") != 0 ? option->preset : "-";
}

static void print_options(const struct pindrop_option *options, size_t count, FILE *out)
{
	for (size_t i = 0; i < count; i++)
		fprintf(out, "    %-12s %-10s %-18s %s\n", options[i].name, type_name(options[i].type), preset_of(&options[i]),
		        options[i].help);
}

static void print_field(const struct pindrop_family *family, const struct pindrop_field *field, FILE *out)
{
	int padding = 30 - (int)strlen(family->name) - 1;

	fprintf(out, "    %s.%-*s %-8s %-8s %s\n", family->name, padding > 0 ? padding : 0, field->name, tree_kind(field),
	        field->unit[0] ? field->unit : "-", field->help);
}

static void print_family(const struct pindrop_family *family, FILE *out)
{
	fprintf(out, "\n  %s: %s", family->name, family->help);
	if (family->instance)
		fprintf(out, "; one for each %s", family->instance);
	if (family->option)
		fprintf(out, "; with %s = true", family->option);
	fputc('\n', out);
	for (size_t i = 0; i < family->field_count; i++)
		print_field(family, &family->fields[i], out);
}

static void print_plugin(const struct pindrop_plugin *plugin, FILE *out)
{
	fprintf(out, "plugin \"%s\": %s\n\n  options\n", plugin->name, plugin->help);
	print_options(plugin_options, PLUGIN_OPTIONS, out);
	print_options(plugin->options, plugin->option_count, out);
	for (size_t i = 0; i < plugin->family_count; i++)
		print_family(&plugin->families[i], out);
	fputc('\n', out);
}

static void print_group(const struct option_group *group, FILE *out)
{
	fprintf(out, "%s: %s\n", group->name, group->help);
	print_options(group->options, group->count, out);
	fputc('\n', out);
}

static void print_rows(const char *prefix, const struct library_row *rows, size_t count, bool functions, FILE *out)
{
	for (size_t i = 0; i < count; i++) {
		char call[128];

		snprintf(call, sizeof(call), functions ? "%s%s(%s)" : "%s%s%s", prefix, rows[i].name, rows[i].takes);
		fprintf(out, "    %s%s%s\n        %s\n", call, *rows[i].returns ? " -> " : "", rows[i].returns, rows[i].help);
	}
}

static void print_window(FILE *out)
{
	fputs("window: what the function of an aggregate looks at: fn = function(w) return w:max() - w:min() end\n", out);
	print_rows("w.", window_fields, window_field_count, false, out);
	print_rows("w:", window_rows, window_row_count, true, out);
	fputc('\n', out);
}

static void print_library(FILE *out)
{
	fputs("library: what functions are offered beside Lua's own\n", out);
	print_rows("pindrop.", library_rows, library_row_count, true, out);
	fputc('\n', out);
}

/* What is called and no option. */
static bool print_offers(const char *name, FILE *out)
{
	bool window = !name || strcmp(name, "window") == 0, library = !name || strcmp(name, "library") == 0;

	if (window)
		print_window(out);
	if (library)
		print_library(out);
	return window || library;
}

/* Prints the field of the family that `name` means. */
static bool print_metric(const struct pindrop_family *family, const char *name, FILE *out)
{
	size_t length = strlen(family->name);

	if (strncmp(family->name, name, length) != 0 || name[length] != '.')
		return false;
	for (size_t i = 0; i < family->field_count; i++) {
		if (strcmp(family->fields[i].name, name + length + 1) != 0)
			continue;
		print_field(family, &family->fields[i], out);
		return true;
	}
	return false;
}

/* Prints all of a plugin that has that name: itself, a family, a metric. */
static bool print_named(const struct pindrop_plugin *plugin, const char *name, FILE *out)
{
	bool found = false;

	if (strcmp(plugin->name, name) == 0) {
		print_plugin(plugin, out);
		return true;
	}
	for (size_t i = 0; i < plugin->family_count; i++) {
		if (strcmp(plugin->families[i].name, name) == 0) {
			print_family(&plugin->families[i], out);
			found = true;
		} else if (print_metric(&plugin->families[i], name, out)) {
			found = true;
		}
	}
	return found;
}

bool report_describe(const struct pindrop_plugin *const *plugins, size_t count, const char *name, FILE *out)
{
	bool found = false;

	for (size_t i = 0; i < option_group_count; i++) {
		if (name && strcmp(option_groups[i].name, name) != 0)
			continue;
		print_group(&option_groups[i], out);
		found = true;
	}
	found = print_offers(name, out) || found;
	for (size_t i = 0; i < count; i++) {
		if (!name)
			print_plugin(plugins[i], out);
		else
			found = print_named(plugins[i], name, out) || found;
	}
	return found || !name;
}
