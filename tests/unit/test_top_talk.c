/* links: agent/top/talk.c agent/top/model.c agent/top/history.c agent/base/memory.c agent/base/text.c
 *
 * What is asked for, and when, of an agent that is recorded, restarted, older, or not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "top/talk.h"

#include "top_documents.h"

static int64_t now;

/* Goes on to the next question, which is the wanted path or begins with it. */
static void asks(struct talk *talk, const char *wanted)
{
	int64_t wait = 0;
	const char *path;

	while (!(path = talk_next(talk, now, &wait))) {
		assert_true(wait > 0 && wait < INT64_MAX / 2);
		now += wait;
	}
	if (strncmp(path, wanted, strlen(wanted)) != 0)
		fail_msg("asks for %s, not for %s", path, wanted);
}

static void answers(struct talk *talk, long status, const char *name)
{
	char *text = document(name);

	talk_take(talk, now, status, "", text, strlen(text));
	free(text);
}

static void says(struct talk *talk, long status, const char *text)
{
	talk_take(talk, now, status, "Connection refused", text, strlen(text));
}

static void begin(struct talk *talk)
{
	now = 1000 * CLOCK_SECOND;
	talk_begin(talk, "http://mill:8080");
	asks(talk, "/api/v1/latest");
	answers(talk, 200, "latest-1.json");
	asks(talk, "/api/v1/metrics");
	answers(talk, 200, "metrics.json");
	asks(talk, "/api/v1/latest");
	answers(talk, 200, "latest-1.json");
	asks(talk, "/api/v1/series?metric=queue.depth,cpu.usage,");
	answers(talk, 200, "series.json");
	asks(talk, "/health");
	answers(talk, 503, "health.json");
	asks(talk, "/api/v1/aggregates");
	assert_false(talk->complete);
	answers(talk, 200, "aggregates.json");
}

static void asks_for_all_at_first(void **state)
{
	struct talk talk;

	(void)state;
	begin(&talk);
	assert_int_equal(now, 1000 * CLOCK_SECOND + 2);
	assert_null(talk.away);
	assert_int_equal(talk.model->family_count, 12);
	assert_int_equal(talk.model->aggregate_count, 6);
	assert_string_equal(talk.model->status, "degraded");
	assert_int_equal(talk.looks, 1);
	assert_true(talk.complete);
	talk_end(&talk);
}

/* Each second the values, every five the rest, the catalogue never. */
static void asks_at_the_agents_pace(void **state)
{
	struct talk talk;

	(void)state;
	begin(&talk);
	for (int i = 1; i <= 4; i++) {
		asks(&talk, "/api/v1/latest");
		assert_int_equal(now, (1000 + i) * CLOCK_SECOND);
		answers(&talk, 200, "latest-2.json");
	}
	assert_int_equal(talk.looks, 2);
	asks(&talk, "/api/v1/latest");
	answers(&talk, 200, "latest-2.json");
	asks(&talk, "/health");
	answers(&talk, 200, "health.json");
	asks(&talk, "/api/v1/aggregates");
	answers(&talk, 200, "aggregates.json");
	asks(&talk, "/api/v1/latest");
	talk_end(&talk);
}

static void waits_for_an_agent_that_is_away(void **state)
{
	struct talk talk;

	(void)state;
	begin(&talk);
	asks(&talk, "/api/v1/latest");
	for (int i = 1; i <= 3; i++) {
		int64_t before = now;

		says(&talk, 0, "");
		assert_string_equal(talk.away, "No answer from http://mill:8080: Connection refused.");
		asks(&talk, "/api/v1/latest");
		assert_int_equal(now - before, CLOCK_SECOND);
	}
	/* What was known stays. */
	assert_int_equal(talk.model->family_count, 12);
	/* It may be another one that comes back. */
	answers(&talk, 200, "latest-2.json");
	assert_null(talk.away);
	asks(&talk, "/api/v1/metrics");
	answers(&talk, 200, "metrics.json");
	asks(&talk, "/api/v1/latest");
	answers(&talk, 200, "latest-2.json");
	asks(&talk, "/api/v1/series");
	answers(&talk, 200, "series.json");
	asks(&talk, "/health");
	talk_end(&talk);
}

static void reads_a_new_catalogue(void **state)
{
	struct talk talk;

	(void)state;
	begin(&talk);
	asks(&talk, "/api/v1/latest");
	says(&talk, 200, "{\"catalogue\": 4712, \"families\": {}}");
	asks(&talk, "/api/v1/metrics");
	says(&talk, 200, "nonsense");
	/* Not again at once. */
	asks(&talk, "/api/v1/latest");
	says(&talk, 0, "");
	assert_non_null(talk.away);
	talk_end(&talk);
}

static void does_without_the_past(void **state)
{
	struct talk talk;

	(void)state;
	now = 0;
	talk_begin(&talk, "http://mill:8080");
	asks(&talk, "/api/v1/latest");
	answers(&talk, 200, "latest-1.json");
	asks(&talk, "/api/v1/metrics");
	answers(&talk, 200, "metrics.json");
	asks(&talk, "/api/v1/latest");
	answers(&talk, 200, "latest-1.json");
	asks(&talk, "/api/v1/series");
	says(&talk, 404, "{\"error\": \"there is nothing here\"}");
	assert_null(talk.away);
	asks(&talk, "/health");
	says(&talk, 0, "");
	asks(&talk, "/api/v1/aggregates");
	says(&talk, 404, "");
	asks(&talk, "/api/v1/latest");
	talk_end(&talk);
}

static void says_what_it_met(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk, "http://mill:8080");
	asks(&talk, "/api/v1/latest");
	says(&talk, 404, "{\"error\": \"there is nothing here\"}");
	assert_string_equal(talk.away, "The agent at http://mill:8080 is older than this program: it does not know "
	                               "/api/v1/latest.");
	asks(&talk, "/api/v1/latest");
	says(&talk, 200, "<html>");
	assert_string_equal(talk.away, "What answers at http://mill:8080 (HTTP 200) is no agent that is well.");
	talk_end(&talk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_for_all_at_first),           cmocka_unit_test(asks_at_the_agents_pace),
		cmocka_unit_test(waits_for_an_agent_that_is_away), cmocka_unit_test(reads_a_new_catalogue),
		cmocka_unit_test(does_without_the_past),           cmocka_unit_test(says_what_it_met),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
