/* script/trace.c: where a script is, in one line.
 *
 * All of it reads the state and writes into the caller's text: it is also called by the handler of a signal, while Lua is
 * in the middle of anything, and by the allocator. */
#include <string.h>

#include "base/text.h"
#include "script/inside.h"

/* More frames than that are left out: the innermost tell most. */
#define FRAMES_MAX 6

/* How deep frames are looked for: to find one takes the longer the deeper it lies. */
#define DEPTH_MAX 200

/* How much of an error's own text is told, so that its traceback has room. */
#define WORDS_MAX 300

struct line {
	char *text;
	size_t size, length;
};

static void add(struct line *line, const char *text)
{
	size_t length = strlen(text), room = line->size - 1 - line->length;

	if (length > room)
		length = room;
	memcpy(line->text + line->length, text, length);
	line->length += length;
	line->text[line->length] = '\0';
}

static void add_number(struct line *line, int number)
{
	char digits[16], *at = digits + sizeof(digits) - 1;

	*at = '\0';
	do
		*--at = (char)('0' + number % 10);
	while ((number /= 10) > 0 && at > digits);
	add(line, at);
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The file of a frame; of the main file its name as it was given. */
static const char *file_of(const struct script *script, const lua_Debug *frame)
{
	if (strcmp(frame->source, SCRIPT_CHUNK) == 0)
		return script->file;
	return frame->source[0] == '@' || frame->source[0] == '=' ? frame->source + 1 : frame->short_src;
}

static void add_place(struct line *line, const struct script *script, const lua_Debug *frame)
{
	add(line, base_of(file_of(script, frame)));
	add(line, ":");
	add_number(line, frame->currentline);
}

/* What is told of the innermost frame. */
static void add_first(struct line *line, const struct script *script, const lua_Debug *frame, bool outermost)
{
	if (frame->name) {
		add(line, "in function '");
		add(line, frame->name);
		add(line, "'");
	} else if (strcmp(frame->what, "main") == 0) {
		add(line, strcmp(frame->source, SCRIPT_CHUNK) == 0 ? "in the file" : "in the module");
	} else if (outermost && script->entry) {
		add(line, "in ");
		add(line, script->entry);
	} else {
		add(line, "in a function");
	}
	if (frame->currentline > 0) {
		add(line, ", ");
		add_place(line, script, frame);
	}
}

/* Whether no function of Lua stands outside of this level. */
static bool is_outermost(lua_State *lua, int level)
{
	lua_Debug frame;

	while (++level <= DEPTH_MAX && lua_getstack(lua, level, &frame))
		if (lua_getinfo(lua, "l", &frame) && frame.currentline > 0)
			return false;
	return true;
}

/* A function in C is told where it is the innermost, and more than the messenger. */
static bool is_told(const lua_Debug *frame, bool first)
{
	if (frame->currentline > 0)
		return true;
	return first && frame->name && strcmp(frame->name, "error") != 0 && strcmp(frame->name, "assert") != 0;
}

/* Returns how many frames were told. */
static int add_frames(struct line *line, const struct script *script, lua_State *lua, int level)
{
	lua_Debug frame;
	const char *source = NULL;
	int told = 0, last = 0;

	for (bool first = true; lua_getstack(lua, level, &frame); level++, first = false) {
		if (told == FRAMES_MAX || level > DEPTH_MAX) {
			add(line, "; …");
			return told;
		}
		/* What calls itself is told once. */
		if (!lua_getinfo(lua, "Sln", &frame) || !is_told(&frame, first) ||
		    (frame.currentline == last && frame.source == source))
			continue;
		last = frame.currentline;
		source = frame.source;
		if (told++ == 0) {
			add_first(line, script, &frame, frame.name || is_outermost(lua, level));
		} else {
			add(line, "; called from ");
			add_place(line, script, &frame);
		}
	}
	return told;
}

/* The innermost frame that stands in a file. */
static bool find_place(lua_State *lua, int level, lua_Debug *frame)
{
	for (; level <= DEPTH_MAX && lua_getstack(lua, level, frame); level++)
		if (lua_getinfo(lua, "Sl", frame) && frame->currentline > 0)
			return true;
	return false;
}

/* Whether a text begins with a place in the main file. */
static bool has_place(const char *words)
{
	size_t length = strlen(SCRIPT_NAME ":");

	return strncmp(words, SCRIPT_NAME ":", length) == 0 && words[length] >= '0' && words[length] <= '9';
}

/* assert() puts its own place before the one that an error of a coroutine brings: the inner one tells more. */
static const char *inner_place(const char *words)
{
	size_t length = strlen(SCRIPT_NAME ":"), digits = strspn(words + length, "0123456789");
	const char *rest = words + length + digits;

	return strncmp(rest, ": ", 2) == 0 && has_place(rest + 2) ? rest + 2 : words;
}

/* Puts "pindrop.lua:14: " in front of the words. Returns the words without the place that they brought. */
static const char *add_front(struct line *line, const struct script *script, lua_State *lua, int level,
                             const char *words)
{
	size_t length = strlen(SCRIPT_NAME ":");
	lua_Debug frame;

	if (has_place(words)) {
		add(line, script->file);
		return inner_place(words) + length - 1;
	}
	if (!find_place(lua, level, &frame)) {
		add(line, script->file);
		add(line, ": ");
		return words;
	}
	length = strlen(frame.short_src);
	add(line, file_of(script, &frame));
	if (strncmp(words, frame.short_src, length) == 0 && words[length] == ':')
		return words + length;
	add(line, ":");
	add_number(line, frame.currentline);
	add(line, ": ");
	return words;
}

/* Whether all that could be told is the line of the file that stands in front. */
static bool is_plain(lua_State *lua, int level)
{
	lua_Debug frame;
	int told = 0;
	bool first = true, main = false;

	for (; told < 2 && level <= DEPTH_MAX && lua_getstack(lua, level, &frame); level++, first = false) {
		if (!lua_getinfo(lua, "Sln", &frame) || !is_told(&frame, first))
			continue;
		main = strcmp(frame.what, "main") == 0 && !frame.name;
		told++;
	}
	return told == 0 || (told == 1 && main);
}

/* Where a line is full its end says so, and no letter is cut in two. */
static void end_early(char *text, size_t at)
{
	while (at > 0 && ((unsigned char)text[at] & 0xC0) == 0x80)
		at--;
	memcpy(text + at, "…)", sizeof("…)"));
}

void trace_tell(const struct script *script, lua_State *lua, int level, const char *words, char *text, size_t size)
{
	struct line line = {.text = text, .size = size};

	text[0] = '\0';
	add(&line, add_front(&line, script, lua, level, words));
	if (is_plain(lua, level))
		return;
	add(&line, " (");
	add_frames(&line, script, lua, level);
	if (line.length + 1 < size)
		add(&line, ")");
	else
		end_early(text, size - sizeof("…)"));
}

void trace_clean(const char *text, size_t length, char *line, size_t size)
{
	size_t most = (size < WORDS_MAX ? size : WORDS_MAX) - sizeof("…"), at = 0;

	for (size_t i = 0, count; i < length; i += count) {
		const unsigned char *c = (const unsigned char *)text + i;
		bool blank = *c <= ' ' || *c == 0x7F, good;

		count = text_sequence(text + i, length - i);
		good = count > 0;
		count = good ? count : 1;
		/* Any run of blanks is one, and there is none in front. */
		if (blank && (at == 0 || line[at - 1] == ' '))
			continue;
		if (at + count > most) {
			memcpy(line + at, "…", sizeof("…"));
			return;
		}
		if (good && !blank)
			memcpy(line + at, c, count);
		else
			line[at] = blank ? ' ' : '?';
		at += count;
	}
	while (at > 0 && line[at - 1] == ' ')
		at--;
	line[at] = '\0';
}

int trace_line(lua_State *lua)
{
	lua_Debug frame;

	for (int level = 0; level < DEPTH_MAX && lua_getstack(lua, level, &frame); level++)
		if (lua_getinfo(lua, "Sl", &frame) && strcmp(frame.source, SCRIPT_CHUNK) == 0 && frame.currentline > 0)
			return frame.currentline;
	return 0;
}
