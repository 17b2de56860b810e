/* report/health.c: /health, and the answers of /start, /stop and /api/v1/flush.
 *
 *     failing    nothing is sampled, or nothing is stored
 *     degraded   something is missing; `reasons` says what
 *     ok         otherwise, also while sampling is stopped */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "report/report.h"
#include "report/tree.h"

/* A family without a sample for so many of its intervals, and a while, is missing. */
#define LATE_INTERVALS 3
#define LATE_GRACE (15 * CLOCK_SECOND)

struct verdict {
	json_t *reasons;
	size_t missing; /* families */
	bool failing;
};

static void add_reason(struct verdict *verdict, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add_reason(struct verdict *verdict, const char *format, ...)
{
	char words[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	json_array_append_new(verdict->reasons, tree_text(words));
}

static bool is_late(const struct collect_family_status *family)
{
	return family->quiet > LATE_INTERVALS * family->interval + LATE_GRACE;
}

static void judge_family(struct verdict *verdict, const struct collect_status *status,
                         const struct collect_family_status *family)
{
	const char *name = family->name;

	if (status->running && family->error)
		add_reason(verdict, "%s is not sampled: %s", name, family->error);
	else if (is_late(family))
		add_reason(verdict, "%s has had no sample for a long time", name);
	verdict->missing += (status->running && family->error) || is_late(family);
	for (size_t i = 0; i < family->stuck_count; i++)
		add_reason(verdict, "%s: %s does not answer", name, family->stuck[i].instance);
}

static void judge_answers(struct verdict *verdict, const struct collect_answers *answers)
{
	for (size_t i = 0; i < answers->count; i++)
		if (answers->answers[i].error)
			add_reason(verdict, "aggregate \"%s\": %s", answers->answers[i].name, answers->answers[i].error);
}

static void judge_configuration(struct verdict *verdict, const struct standing_view *standing)
{
	for (size_t i = 0; i < standing->refused.count; i++)
		add_reason(verdict, "%s", standing->refused.texts[i]);
	if (standing->mistakes.count == 1)
		add_reason(verdict, "what was saved last is not in force: %s", standing->mistakes.texts[0]);
	else if (standing->mistakes.count > 1)
		add_reason(verdict, "what was saved last is not in force: %s, and %zu more", standing->mistakes.texts[0],
		           standing->mistakes.count - 1);
}

static void judge(struct verdict *verdict, const struct plan *plan, const struct collect_status *status,
                  const struct store_status *store)
{
	for (size_t i = 0; i < status->family_count; i++)
		judge_family(verdict, status, &status->families[i]);
	if (store->late)
		add_reason(verdict, "the disk of %s does not answer: samples wait in memory", plan->data_dir);
	if (store->error[0])
		add_reason(verdict, "the store cannot write: %s", store->error);
	if (store->daemon_error[0] && strcmp(store->daemon_error, store->error) != 0)
		add_reason(verdict, "%s", store->daemon_error);
	if (store->journal_error[0])
		add_reason(verdict, "the journal cannot be written: %s", store->journal_error);
	verdict->failing =
		(status->running && verdict->missing == status->family_count) || (store->error[0] && store->last_written == 0);
}

static json_t *show_stuck(const struct collect_family_status *family)
{
	json_t *list = json_array();

	for (size_t i = 0; i < family->stuck_count; i++) {
		json_t *stuck = json_object();

		tree_set(stuck, "instance", tree_text(family->stuck[i].instance));
		tree_set(stuck, "seconds", tree_number(clock_seconds(clock_monotonic() - family->stuck[i].since), 1));
		json_array_append_new(list, stuck);
	}
	return list;
}

static json_t *show_family(const struct collect_family_status *family)
{
	json_t *object = json_object();

	tree_set(object, "name", tree_text(family->name));
	tree_set(object, "plugin", tree_text(family->plugin));
	tree_set(object, "worker", json_boolean(family->remote));
	tree_set(object, "interval", tree_value(clock_seconds(family->interval)));
	tree_set(object, "last", tree_time(family->last));
	tree_set(object, "duration", tree_number(clock_seconds(family->duration), 6));
	tree_set(object, "samples", json_integer((json_int_t)family->samples));
	tree_set(object, "missed", json_integer((json_int_t)family->missed));
	tree_set(object, "errors", json_integer((json_int_t)family->errors));
	tree_set(object, "error", tree_text(family->error));
	tree_set(object, "stuck", show_stuck(family));
	return object;
}

static json_t *show_answers(const struct collect_answers *answers)
{
	json_t *list = json_array();

	for (size_t i = 0; i < answers->count; i++) {
		json_t *object = json_object();

		tree_set(object, "name", tree_text(answers->answers[i].name));
		tree_set(object, "errors", json_integer((json_int_t)answers->answers[i].errors));
		tree_set(object, "error", tree_text(answers->answers[i].error));
		json_array_append_new(list, object);
	}
	return list;
}

static json_t *show_families(const struct collect_status *status)
{
	json_t *list = json_array();

	for (size_t i = 0; i < status->family_count; i++)
		json_array_append_new(list, show_family(&status->families[i]));
	return list;
}

static json_t *show_journal(const struct store_status *store)
{
	json_t *object = json_object();

	tree_set(object, "size", json_integer(store->journal_size));
	tree_set(object, "live", json_integer(store->journal_live));
	tree_set(object, "syncs", json_integer((json_int_t)store->journal_syncs));
	tree_set(object, "checkpoints", json_integer((json_int_t)store->checkpoints));
	tree_set(object, "replayed", json_integer((json_int_t)store->replayed));
	tree_set(object, "replay_duration", tree_number(clock_seconds(store->replay_duration), 6));
	tree_set(object, "error", tree_text(store->journal_error[0] ? store->journal_error : NULL));
	return object;
}

static json_t *show_rrdcached(const struct plan *plan, const struct store_status *store)
{
	json_t *object = json_object();

	tree_set(object, "address", tree_text(plan->rrdcached));
	tree_set(object, "error", tree_text(store->daemon_error[0] ? store->daemon_error : NULL));
	return object;
}

static json_t *show_store(const struct plan *plan, const struct store_status *store)
{
	json_t *object = json_object();

	tree_set(object, "data_dir", tree_text(plan->data_dir));
	tree_set(object, "files", json_integer((json_int_t)store->files));
	tree_set(object, "buffered", json_integer((json_int_t)store->buffered));
	tree_set(object, "written", json_integer((json_int_t)store->written));
	tree_set(object, "dropped", json_integer((json_int_t)store->dropped));
	tree_set(object, "flushes", json_integer((json_int_t)store->flushes));
	tree_set(object, "last_flush", tree_time(store->last_flush));
	tree_set(object, "flush_duration", tree_number(clock_seconds(store->flush_duration), 6));
	tree_set(object, "errors", json_integer((json_int_t)store->errors));
	tree_set(object, "error", tree_text(store->error[0] ? store->error : NULL));
	tree_set(object, "late", json_boolean(store->late));
	if (plan->rrdcached)
		tree_set(object, "rrdcached", show_rrdcached(plan, store));
	tree_set(object, "journal", show_journal(store));
	return object;
}

static json_t *show_lines(const struct text_list *lines)
{
	json_t *list = json_array();

	for (size_t i = 0; i < lines->count; i++)
		json_array_append_new(list, tree_text(lines->texts[i]));
	return list;
}

static json_t *show_configuration(const struct standing_view *standing)
{
	json_t *object = json_object();

	tree_set(object, "file", tree_text(standing->file));
	tree_set(object, "since", tree_time(standing->since));
	tree_set(object, "reloads", json_integer((json_int_t)standing->reloads));
	tree_set(object, "refused", show_lines(&standing->refused));
	tree_set(object, "tried", tree_time(standing->tried));
	tree_set(object, "mistakes", show_lines(&standing->mistakes));
	return object;
}

static void show_state(json_t *root, const struct collect_status *status)
{
	tree_set(root, "state", json_string(status->running ? "running" : "stopped"));
	tree_set(root, "since", tree_time(status->since));
}

char *report_health(const struct report *report, bool *failing)
{
	struct collect_status *status = collect_status(report->collect);
	const struct plan *plan = metric_plan(report->metric);
	struct collect_answers *answers = collect_answers(report->collect);
	struct verdict verdict = {.reasons = json_array()};
	json_t *root = json_object();
	struct standing_view standing;
	struct store_status store;

	store_status(report->store, &store);
	standing_look(report->standing, &standing);
	judge_configuration(&verdict, &standing);
	judge(&verdict, plan, status, &store);
	if (status->running)
		judge_answers(&verdict, answers);
	*failing = verdict.failing;
	tree_set(root, "status",
	         json_string(verdict.failing                        ? "failing"
	                     : json_array_size(verdict.reasons) > 0 ? "degraded"
	                                                            : "ok"));
	tree_set(root, "reasons", verdict.reasons);
	show_state(root, status);
	tree_set(root, "version", json_string(PINDROP_VERSION));
	tree_set(root, "address", tree_text(report->address));
	tree_set(root, "uptime", tree_number(clock_seconds(clock_monotonic() - report->started), 1));
	tree_set(root, "configuration", show_configuration(&standing));
	tree_set(root, "families", show_families(status));
	tree_set(root, "aggregates", show_answers(answers));
	tree_set(root, "store", show_store(plan, &store));
	standing_view_release(&standing);
	plan_release(plan);
	free(answers);
	free(status);
	return tree_end(root);
}

char *report_state(const struct report *report)
{
	struct collect_status *status = collect_status(report->collect);
	json_t *root = json_object();

	show_state(root, status);
	free(status);
	return tree_end(root);
}

char *report_flush(const struct report *report, bool *failed)
{
	json_t *root = json_object();
	struct store_status store;

	store_status(report->store, &store);
	*failed = store.error[0] != '\0';
	if (*failed)
		tree_set(root, "error", tree_text(store.error));
	tree_set(root, "written", json_integer((json_int_t)store.last_written));
	tree_set(root, "buffered", json_integer((json_int_t)store.buffered));
	tree_set(root, "duration", tree_number(clock_seconds(store.flush_duration), 6));
	return tree_end(root);
}
