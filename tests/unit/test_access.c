/* links: agent/http/access.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/access.h"

static const struct {
	struct access access;
	bool allowed;
} cases[] = {
	/* curl and scripts send a Host and nothing else, or not even that. */
	{{.host = "127.0.0.1:8080"}, true},
	{{.host = "[::1]:8080"}, true},
	{{.host = "localhost:8080"}, true},
	{{.host = "localhost"}, true},
	{{.host = "box:8080"}, true}, /* the machine's own name */
	{{.host = "192.168.1.7"}, true},
	/* A name that was bound anew to 127.0.0.1 is still another name. */
	{{.host = "evil.example:8080"}, false},
	{{.host = "127.0.0.1.evil.example"}, false},
	{{.host = "localhost.evil.example"}, false},
	{{.host = "boxy"}, false},
	/* The dashboard itself. */
	{{.host = "127.0.0.1:8080", .origin = "http://127.0.0.1:8080", .fetch_site = "same-origin"}, true},
	{{.host = "127.0.0.1:8080", .fetch_site = "none"}, true}, /* typed into the address bar */
	{{.host = "127.0.0.1:8080", .referer = "http://127.0.0.1:8080/"}, true},
	/* Other pages: scripts, forms, images, links. */
	{{.host = "127.0.0.1:8080", .origin = "http://evil.example"}, false},
	{{.host = "127.0.0.1:8080", .origin = "null"}, false},
	{{.host = "127.0.0.1:8080", .origin = "http://127.0.0.1:9090"}, false},
	{{.host = "127.0.0.1:8080", .fetch_site = "cross-site"}, false},
	{{.host = "127.0.0.1:8080", .fetch_site = "same-site"}, false},
	{{.host = "127.0.0.1:8080", .referer = "http://evil.example/127.0.0.1:8080"}, false},
	{{.host = "127.0.0.1:8080", .referer = "http://127.0.0.1:8080.evil.example/"}, false},
};

static void tells_friend_from_foe(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *refusal = access_refusal(&cases[i].access, "box");

		if ((refusal == NULL) != cases[i].allowed)
			fail_msg("case %zu (%s): %s", i, cases[i].access.host, refusal ? refusal : "allowed");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(tells_friend_from_foe)};

	return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
