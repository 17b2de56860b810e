#include "http/access.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

/* The length of the name in "name:port" or "[v6]:port". */
static size_t name_length(const char *host)
{
	const char *bracket = host[0] == '[' ? strchr(host, ']') : NULL;

	return bracket ? (size_t)(bracket - host) + 1 : strcspn(host, ":");
}

/* A name that an attacker can bind to this machine's address is none of these. */
static bool is_ours(const char *host, const char *hostname)
{
	char name[256];
	size_t length = name_length(host);
	struct in6_addr address;

	if (length == 0 || length >= sizeof(name) || (host[length] && host[length] != ':'))
		return false;
	memcpy(name, host, length);
	name[length] = '\0';
	if (name[0] == '[') {
		name[length - 1] = '\0';
		return inet_pton(AF_INET6, name + 1, &address) == 1;
	}
	return inet_pton(AF_INET, name, &address) == 1 || strcasecmp(name, "localhost") == 0 ||
	       (hostname && hostname[0] && strcasecmp(name, hostname) == 0);
}

/* Whether "http://host:port/…" is of this host and port. "null" and other schemes are not. */
static bool is_same(const char *url, const char *host)
{
	const char *rest = strstr(url, "://");
	size_t length;

	if (!rest || (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0))
		return false;
	rest += 3;
	length = strcspn(rest, "/?#");
	return length == strlen(host) && strncasecmp(rest, host, length) == 0;
}

const char *access_refusal(const struct access *access, const char *hostname)
{
	/* HTTP/1.0 knows no Host; no browser speaks it. */
	if (access->host && !is_ours(access->host, hostname))
		return "the Host header names neither an address, localhost nor this machine: use its IP address";
	if (access->fetch_site && strcasecmp(access->fetch_site, "same-origin") != 0 &&
	    strcasecmp(access->fetch_site, "none") != 0)
		return "a page of another site cannot change this agent (Sec-Fetch-Site)";
	if (access->origin && (!access->host || !is_same(access->origin, access->host)))
		return "a page of another origin cannot change this agent (Origin)";
	if (access->referer && (!access->host || !is_same(access->referer, access->host)))
		return "a page of another site cannot change this agent (Referer)";
	return NULL;
}
