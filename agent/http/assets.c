#include "http/assets.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/memory.h"

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

/* A file of gzip ends with the checksum and the length of what is in it, four bytes each, the least first (RFC 1952). */
uint64_t asset_tag(const struct asset *asset)
{
	uint64_t tag = 0;

	for (int i = 1; i <= 8; i++)
		tag = tag << 8 | asset->end[-i];
	return tag;
}

char *asset_inflate(const struct asset *asset, size_t *length)
{
	z_stream stream = {.next_in = (unsigned char *)asset->begin, .avail_in = (unsigned)(asset->end - asset->begin)};
	char *text;
	int result;

	*length = (size_t)(asset_tag(asset) >> 32);
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
