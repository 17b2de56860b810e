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
	{{.host = "BOX"}, true}, /* names have no case */
	{{.host = "LocalHost:80"}, true},
	{{.host = ""}, false},
	{{.host = ":8080"}, false},
	{{.host = "::1"}, false}, /* without brackets it is no Host */
	{{.host = "[::1"}, false},
	{{.host = "[]:80"}, false},
	{{.host = "[::1].evil.example"}, false},
	{{.host = "[evil.example]:80"}, false},
	{{.host = "0x7f000001"}, false},
	{{.host = "127.1"}, false},
	/* The dashboard itself. */
	{{.host = "127.0.0.1:8080", .origin = "http://127.0.0.1:8080", .fetch_site = "same-origin"}, true},
	{{.host = "127.0.0.1:8080", .fetch_site = "none"}, true}, /* typed into the address bar */
	{{.host = "127.0.0.1:8080", .referer = "http://127.0.0.1:8080/"}, true},
	{{.host = "[::1]:8080", .origin = "http://[::1]:8080", .referer = "http://[::1]:8080/#cpu"}, true},
	{{.host = "box:8080", .origin = "HTTP://BOX:8080", .fetch_site = "Same-Origin"}, true},
	{{.host = "box", .origin = "https://box"}, true}, /* behind a proxy that speaks TLS */
	{{.host = "box", .referer = "http://box?x=/"}, true},
	{{.host = NULL}, true}, /* HTTP/1.0 */
	/* Other pages: scripts, forms, images, links. */
	{{.host = "127.0.0.1:8080", .origin = "http://evil.example"}, false},
	{{.host = "127.0.0.1:8080", .origin = "null"}, false},
	{{.host = "127.0.0.1:8080", .origin = "http://127.0.0.1:9090"}, false},
	{{.host = "127.0.0.1:8080", .fetch_site = "cross-site"}, false},
	{{.host = "127.0.0.1:8080", .fetch_site = "same-site"}, false},
	{{.host = "127.0.0.1:8080", .referer = "http://evil.example/127.0.0.1:8080"}, false},
	{{.host = "127.0.0.1:8080", .referer = "http://127.0.0.1:8080.evil.example/"}, false},
	{{.host = "127.0.0.1:8080", .referer = "http://127.0.0.1:8080@evil.example/"}, false},
	{{.host = "127.0.0.1:8080", .referer = "http://127.0.0.1:80801/"}, false},
	{{.host = "127.0.0.1:8080", .referer = "http://127.0.0.1/"}, false},
	{{.host = "127.0.0.1:8080", .referer = ""}, false},
	{{.host = "127.0.0.1:8080", .origin = ""}, false},
	{{.host = "127.0.0.1:8080", .origin = "127.0.0.1:8080"}, false},
	{{.host = "127.0.0.1:8080", .origin = "file://127.0.0.1:8080"}, false},
	{{.host = "127.0.0.1:8080", .origin = "x://http://127.0.0.1:8080"}, false},
	{{.host = "127.0.0.1:8080", .fetch_site = "anything new"}, false},
	/* One good header does not make up for a bad one. */
	{{.host = "127.0.0.1:8080", .origin = "http://evil.example", .fetch_site = "same-origin"}, false},
	{{.host = "127.0.0.1:8080", .origin = "http://127.0.0.1:8080", .referer = "http://evil.example/"}, false},
	{{.host = "evil.example", .origin = "http://evil.example", .fetch_site = "same-origin"}, false},
	/* A browser that hides its Host is none that we know. */
	{{.origin = "http://127.0.0.1:8080"}, false},
	{{.referer = "http://127.0.0.1:8080/"}, false},
};

static void tells_friend_from_foe(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *refusal = access_refusal(&cases[i].access, "box");

		if ((refusal == NULL) != cases[i].allowed)
			fail_msg("case %zu (%s): %s", i, cases[i].access.host ? cases[i].access.host : "no host",
			         refusal ? refusal : "allowed");
	}
}

/* A machine without a name lets nobody in by an empty one. */
static void no_name_is_nobodys(void **state)
{
	static const char *const names[] = {"", NULL};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_non_null(access_refusal(&(struct access){.host = "box"}, names[i]));
		assert_non_null(access_refusal(&(struct access){.host = ""}, names[i]));
		assert_null(access_refusal(&(struct access){.host = "127.0.0.1"}, names[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_friend_from_foe),
		cmocka_unit_test(no_name_is_nobodys),
	};

	return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
