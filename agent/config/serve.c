/* config/serve.c: the worker that runs pindrop.lua once, and answers with what it declares. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/config.h"
#include "script/script.h"
#include "worker/message.h"

/* What Lua may have while the file is read: more than a worker that calls its functions, which says so where that is
 * not enough. With the program itself: address space. */
#define MEMORY_MAX ((size_t)256000000)
#define ADDRESS_MAX ((size_t)1 << 30)

/* Runs the file. The answer as a text, for free(). */
static char *answer(const char *file, struct worker_page *page, struct script **script)
{
	const struct script_setup setup = {.file = file, .limits = {CONFIG_RUN_MAX, MEMORY_MAX}, .page = page};
	struct error error = {""};
	json_t *json;
	char *text;

	*script = script_new(&setup, &error);
	if (*script)
		json = script_declarations(*script);
	else
		json = json_pack("{so}", "error", json_stringn_nocheck(error.text, strlen(error.text)));
	text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(17));
	json_decref(json);
	return text;
}

static int serve(int socket, struct worker_page *page)
{
	struct message message = {0};
	struct script *script = NULL;
	const char *file;
	char *text;
	int failed = 1;

	if (message_receive(socket, &message, -1) == 1 && message_get_text(&message, &file) && file) {
		text = answer(file, page, &script);
		message_clear(&message);
		message_put_text(&message, text ? text : "{\"error\": \"an error that is not UTF-8\"}");
		free(text);
		failed = message_send(socket, &message, -1) < 0;
	}
	message_release(&message);
	/* What it holds may have something to say at its end: the answer does not wait for that. */
	script_free(script);
	return failed;
}

const struct worker_kind config_worker_kind = {.name = "pindrop-lua", .run = serve, .memory_limit = ADDRESS_MAX};
