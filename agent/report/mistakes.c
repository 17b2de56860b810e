/* report/mistakes.c: `pindrop check --json` of a bad configuration, for editors. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "report/report.h"
#include "report/tree.h"

/* The number behind a name, as in "pindrop.lua:12: …", and what follows; 0: there is none. */
static int read_line(const char *text, const char **rest)
{
	char *end;
	long line = text[0] == ':' && text[1] >= '0' && text[1] <= '9' ? strtol(text + 1, &end, 10) : 0;

	if (line <= 0 || line > INT32_MAX || strncmp(end, ": ", 2) != 0)
		return 0;
	*rest = end + 2;
	return (int)line;
}

/* A mistake begins with the file, or with a module that it loaded, and mostly with a line. */
static json_t *show_mistake(const char *text, const char *file)
{
	size_t length = strlen(file);
	const char *rest = text;
	json_t *object = json_object();
	char *name = NULL;
	int line = 0;

	if (strncmp(text, file, length) == 0) {
		line = read_line(text + length, &rest);
		if (!line && strncmp(text + length, ": ", 2) == 0)
			rest = text + length + 2;
	} else {
		for (const char *colon = strchr(text, ':'); colon && !line; colon = strchr(colon + 1, ':'))
			if ((line = read_line(colon, &rest)) > 0)
				name = memory_format("%.*s", (int)(colon - text), text);
	}
	tree_set(object, "file", tree_text(name ? name : file));
	tree_set(object, "line", line ? json_integer(line) : json_null());
	tree_set(object, "message", tree_text(rest));
	free(name);
	return object;
}

void report_mistakes(const struct text_list *mistakes, const char *file, FILE *out)
{
	json_t *root = json_object(), *list = json_array();

	for (size_t i = 0; i < mistakes->count; i++)
		json_array_append_new(list, show_mistake(mistakes->texts[i], file));
	tree_set(root, "mistakes", list);
	json_dumpf(root, out, JSON_INDENT(2));
	fputc('\n', out);
	json_decref(root);
}
