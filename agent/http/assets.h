/* http/assets.h: the files of the dashboard, which are in the program itself. Any thread.
 *
 * They lie in agent/http/dashboard, and the chart library in its Debian package; the Makefile compresses them, and assets.c
 * takes them in. */
#ifndef HTTP_ASSETS_H
#define HTTP_ASSETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct asset {
	const char *name;                 /* "dashboard.js" */
	const char *type;                 /* Content-Type */
	const unsigned char *begin, *end; /* as gzip(1) makes it (RFC 1952); constant */
};

/* NULL: there is none of that name. */
const struct asset *asset_find(const char *name);

/* Tells one version of a file from another: its checksum and length. */
uint64_t asset_tag(const struct asset *asset);

/* What it is, uncompressed: a text for free(), and its length. NULL: it cannot be. */
char *asset_inflate(const struct asset *asset, size_t *length);

#endif
