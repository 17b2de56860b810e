#include "http/assets.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/memory.h"
#include "base/text.h"

/* The assembler takes a file in as it is (the Makefile tells it where they are), between two symbols. */
#define EMBED(symbol, file)                                                                          \
	__asm__(".pushsection .rodata\n"                                                                 \
	        ".global asset_" #symbol "\n.hidden asset_" #symbol "\nasset_" #symbol ":\n"             \
	        ".incbin \"" file ".gz\"\n"                                                              \
	        ".global asset_" #symbol "_end\n.hidden asset_" #symbol "_end\nasset_" #symbol "_end:\n" \
	        ".popsection\n");                                                                        \
	extern const unsigned char asset_##symbol[], asset_##symbol##_end[]

EMBED(page, "index.html");
EMBED(style, "dashboard.css");
EMBED(script, "dashboard.js");
EMBED(panel, "panel.js");
EMBED(units, "units.js");
EMBED(library, "dygraph.min.js");
EMBED(library_style, "dygraph.css");

static const struct asset assets[] = {
	{"index.html", "text/html; charset=utf-8", asset_page, asset_page_end},
	{"dashboard.css", "text/css; charset=utf-8", asset_style, asset_style_end},
	{"dashboard.js", "text/javascript; charset=utf-8", asset_script, asset_script_end},
	{"panel.js", "text/javascript; charset=utf-8", asset_panel, asset_panel_end},
	{"units.js", "text/javascript; charset=utf-8", asset_units, asset_units_end},
	{"dygraph.min.js", "text/javascript; charset=utf-8", asset_library, asset_library_end},
	{"dygraph.css", "text/css; charset=utf-8", asset_library_style, asset_library_style_end},
};

const struct asset *asset_find(const char *name)
{
	for (size_t i = 0; i < sizeof(assets) / sizeof(assets[0]); i++)
		if (strcmp(assets[i].name, name) == 0)
			return &assets[i];
	return NULL;
}

uint64_t asset_hash(const struct asset *asset)
{
	return text_hash(TEXT_HASH, asset->begin, (size_t)(asset->end - asset->begin));
}

/* The last four bytes of a file of gzip are its length, the least first. */
static size_t read_length(const struct asset *asset)
{
	const unsigned char *bytes = asset->end - 4;

	return bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16 | (size_t)bytes[3] << 24;
}

char *asset_inflate(const struct asset *asset, size_t *length)
{
	z_stream stream = {.next_in = (unsigned char *)asset->begin, .avail_in = (unsigned)(asset->end - asset->begin)};
	char *text;
	int result;

	*length = read_length(asset);
	text = memory_alloc(*length + 1);
	stream.next_out = (unsigned char *)text;
	stream.avail_out = (unsigned)*length;
	/* 16: a header of gzip (zlib.h, inflateInit2). */
	if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) {
		free(text);
		return NULL;
	}
	result = inflate(&stream, Z_FINISH);
	inflateEnd(&stream);
	if (result == Z_STREAM_END)
		return text;
	free(text);
	return NULL;
}
