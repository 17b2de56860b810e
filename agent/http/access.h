/* http/access.h: who may change the agent's state. Pure; any thread.
 *
 * A web page elsewhere can make a browser ask for any address: an image with /stop as its source, a form, or a name
 * of its own that it binds anew to 127.0.0.1. Browsers tell where a request comes from; curl and scripts do not, and
 * are served. */
#ifndef HTTP_ACCESS_H
#define HTTP_ACCESS_H

#include <stdbool.h>

/* Headers as they came; NULL: not sent. */
struct access {
	const char *host;       /* RFC 9110, section 7.2 */
	const char *origin;     /* RFC 6454, section 7 */
	const char *referer;    /* RFC 9110, section 10.1.3 */
	const char *fetch_site; /* W3C Fetch Metadata: Sec-Fetch-Site */
};

/* NULL: allowed. Otherwise the reason, a constant text. `hostname` is the machine's own name. */
const char *access_refusal(const struct access *access, const char *hostname);

#endif
