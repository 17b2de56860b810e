/* main.c: brings the rooms up in the order of DESIGN, wires what goes forward, and brings them down in reverse.
 *
 * This is the only file that knows every room. A sample's way: collect -> deliver() -> store -> kept() -> metric. */
#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "collect/collect.h"
#include "config/config.h"
#include "config/loader.h"
#include "http/http.h"
#include "metric/metric.h"
#include "report/report.h"
#include "store/purge.h"
#include "store/store.h"
#include "store/survey.h"
#include "worker/nursery.h"

/* Exit statuses: what systemd and scripts tell apart. */
enum { EXIT_GOOD = 0, EXIT_TROUBLE = 1, EXIT_CONFIGURATION = 2 };

enum { KIND_CONFIG, KIND_COLLECT, KIND_COUNT };

struct command {
	const char *file; /* -c */
	const char *verb; /* "check", "describe", "why"; NULL: run */
	const char *name; /* of describe; NULL: everything */
	char **words;     /* of why */
	size_t word_count;
	bool json;
};

/* All rooms. What is NULL or -1 is not up. */
struct agent {
	struct nursery *nursery;
	struct loader *loader;
	char **refused; /* lines of plugins that were left out, ended by NULL */
	size_t refused_count;
	struct plan *plan;
	int listener;
	char address[HTTP_ADDRESS_SIZE];
	struct store *store;
	struct metric *metric;
	struct collect *collect;
	struct report report;
	struct http *http;
};

static const char usage[] =
	"pindrop: a quiet monitoring agent\n"
	"\n"
	"  pindrop [-c FILE]                  run in the foreground; logs to stderr; ends on SIGTERM or Ctrl-C\n"
	"  pindrop check [-c FILE] [--json]   every mistake in the configuration, or the plan it makes\n"
	"  pindrop describe [-c FILE] [NAME]  what can be sampled and set: plugins, options, metrics, units\n"
	"  pindrop why METRIC [INSTANCE] TIME [-c FILE] [--json]\n"
	"                                     what it was then, or why that is not known; reads the data folder alone.\n"
	"                                     TIME: " MOMENT_FORMS "\n"
	"  pindrop --version | --help\n"
	"\n"
	"  -c, --config FILE   the configuration; without it ./pindrop.lua, then /etc/pindrop/pindrop.lua\n"
	"  PINDROP_PLUGIN_PATH a folder where plugins are looked for first\n"
	"\n"
	"Exit status: 0 ended as asked, 1 something could not be done or is not known, 2 the configuration\n"
	"or a word is wrong.\n";

static int misuse(const char *before, const char *word, const char *after)
{
	fprintf(stderr, "pindrop: %s\"%s\"%s\ntry: pindrop --help\n", before, word, after);
	return EXIT_CONFIGURATION;
}

static bool is(const struct command *command, const char *verb)
{
	return command->verb && strcmp(command->verb, verb) == 0;
}

static const char *find_file(void)
{
	static const char *const places[] = {"pindrop.lua", "/etc/pindrop/pindrop.lua"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (access(places[i], F_OK) == 0)
			return places[i];
	return places[0];
}

/* "-6h" is a time and no option; "now-6h" is the same time, and looks like none. */
static void keep_times(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (argv[i][0] == '-' && argv[i][1] >= '0' && argv[i][1] <= '9')
			argv[i] = memory_format("now%s", argv[i]);
}

/* The words that are no options. False: they are none that can be understood, which was told. */
static bool take_words(int argc, char **argv, struct command *command)
{
	if (optind < argc)
		command->verb = argv[optind++];
	if (is(command, "describe") && optind < argc)
		command->name = argv[optind++];
	if (is(command, "why")) {
		command->words = argv + optind;
		command->word_count = (size_t)(argc - optind);
		optind = argc;
	}
	if (command->verb && !is(command, "check") && !is(command, "describe") && !is(command, "why"))
		return misuse("there is no command ", command->verb, "; there are: check, describe, why"), false;
	if (optind < argc)
		return misuse("", argv[optind], " is one word too many"), false;
	if (command->json && !is(command, "check") && !is(command, "why"))
		return misuse("the option ", "--json", " belongs to the commands check and why"), false;
	return true;
}

/* Returns -1 to go on, or the exit status. */
static int parse_arguments(int argc, char **argv, struct command *command)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},
		{NULL, 0, NULL, 0},
	};
	int option;

	keep_times(argc, argv);
	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			command->file = optarg;
			break;
		case 'j':
			command->json = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_GOOD;
		case 'v':
			puts("pindrop " PINDROP_VERSION);
			return EXIT_GOOD;
		default:
			fputs("try: pindrop --help\n", stderr);
			return EXIT_CONFIGURATION;
		}
	}
	if (!take_words(argc, argv, command))
		return EXIT_CONFIGURATION;
	if (!command->file)
		command->file = find_file();
	return -1;
}

/* --- configuration ------------------------------------------------------------------------------------------ */

/* Plugins are found where the user says, then beside the program, as the build lays them out, then where `make
 * install` puts them, which is told by where the program is: it may be moved. */
static struct loader *new_loader(void)
{
	const char *named = getenv("PINDROP_PLUGIN_PATH"), *directories[4];
	char program[PATH_MAX] = "", *beside, *installed;
	struct loader *loader;
	size_t count = 0;

	if (readlink("/proc/self/exe", program, sizeof(program) - 1) > 0)
		dirname(program);
	beside = memory_format("%s/plugins", program);
	installed = memory_format("%s/../lib/pindrop", program);
	if (named && *named)
		directories[count++] = named;
	directories[count++] = beside;
	directories[count++] = installed;
	directories[count] = NULL;
	loader = loader_new(directories);
	free(beside);
	free(installed);
	return loader;
}

/* A plan_find: what is refused is kept, to be shown at /health. */
static void find_plugin(void *context, const char *name, struct plan_found *found)
{
	struct agent *agent = context;

	loader_find(agent->loader, name, found);
	if (found->table || found->missing)
		return;
	agent->refused = memory_resize(agent->refused, agent->refused_count + 2, sizeof(*agent->refused));
	agent->refused[agent->refused_count++] = memory_text(found->error.text);
	agent->refused[agent->refused_count] = NULL;
}

static int read_configuration(struct agent *agent, const char *file)
{
	struct plan_mistakes mistakes = {0};

	agent->plan = config_read(file, agent->nursery, KIND_CONFIG, find_plugin, agent, &mistakes);
	for (size_t i = 0; i < mistakes.count; i++)
		fprintf(stderr, "%s\n", mistakes.texts[i]);
	plan_mistakes_release(&mistakes);
	return agent->plan ? EXIT_GOOD : EXIT_CONFIGURATION;
}

static int print_json(const struct plan *plan)
{
	json_t *json = plan_to_json(plan);
	int failed = json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));

	json_decref(json);
	putchar('\n');
	return failed ? EXIT_TROUBLE : EXIT_GOOD;
}

/* Looks at the data folder, for check and for what its files need together: a plan that cannot fit is a mistake like any
 * other. */
static int survey_folder(const struct plan *plan, bool checking, struct survey *survey, bool **alive)
{
	struct error error;
	char *words;

	/* A run tells when it makes use of the folder. */
	if (survey_take(survey, plan, &error) < 0 && checking)
		log_warning("%s", error.text);
	*alive = memory_array(survey->count, sizeof(bool));
	survey_guess(survey, plan, *alive);
	if (purge_fits(plan, survey, *alive, &words))
		return EXIT_GOOD;
	fprintf(stderr, "%s\n", words);
	free(words);
	return EXIT_CONFIGURATION;
}

/* `pindrop check`, or with no command only whether all fits. */
static int check(const struct plan *plan, const struct command *command)
{
	struct survey survey = {0};
	bool *alive;
	int status = survey_folder(plan, command->verb != NULL, &survey, &alive);

	if (status == EXIT_GOOD && command->json)
		status = print_json(plan);
	else if (status == EXIT_GOOD && command->verb)
		report_check(plan, &survey, alive, stdout);
	free(alive);
	survey_release(&survey);
	return status;
}

/* Describes every plugin that can be found, also those that the configuration does not name. */
static int describe(struct agent *agent, const char *name)
{
	char **names = loader_names(agent->loader);
	const struct pindrop_plugin **tables;
	size_t count = 0;
	int status = EXIT_GOOD;

	for (size_t i = 0; names[i]; i++)
		count++;
	tables = memory_array(count, sizeof(struct pindrop_plugin *));
	count = 0;
	for (size_t i = 0; names[i]; i++) {
		struct plan_found found = {0};

		loader_find(agent->loader, names[i], &found);
		if (found.table)
			tables[count++] = found.table;
		else
			fprintf(stderr, "%s\n", found.error.text);
	}
	if (!report_describe(tables, count, name, stdout)) {
		fprintf(stderr, "pindrop: nothing is called \"%s\"; see: pindrop describe\n", name ? name : "");
		status = EXIT_TROUBLE;
	}
	free(tables);
	free(names);
	return status;
}

/* --- the way of a sample ------------------------------------------------------------------------------------ */

/* Sampler thread. */
static void deliver(void *context, struct batch *const *batches, size_t count)
{
	struct agent *agent = context;

	for (size_t i = 0; i < count; i++)
		metric_intern(agent->metric, batches[i]);
	store_append(agent->store, batches, count);
}

/* Journal thread. What is shown is what is stored: the journal has a sample before the world does. */
static void kept(void *context, struct batch *const *batches, size_t count)
{
	struct agent *agent = context;

	metric_publish(agent->metric, batches, count);
}

/* Any thread; the store holds a lock. */
static bool forget(void *context, size_t family, const char *instance)
{
	struct agent *agent = context;

	return metric_forget(agent->metric, family, instance);
}

/* Sampler thread. */
static void started(void *context, int64_t since)
{
	struct agent *agent = context;

	metric_restart(agent->metric, since);
}

/* A gap_sink. */
static void note_gap(void *context, const struct gap *gap)
{
	const struct agent *agent = context;

	store_tell(agent->store, gap);
}

/* Whoever flushes. */
static void tell_gaps(void *context)
{
	const struct agent *agent = context;

	metric_tell_gone(agent->metric);
}

/* Three consolidations of the same time as the rows of one window; for free(). */
static struct metric_row *join_rows(const struct store_rows rows[3])
{
	struct metric_row *joined = memory_array(rows[1].count, sizeof(*joined));

	for (size_t i = 0; i < rows[1].count; i++) {
		double avg = rows[1].values[i];

		joined[i] = (struct metric_row){
			.time = (rows[1].start + (int64_t)(i + 1) * rows[1].step) * CLOCK_SECOND,
			.span = rows[1].step * CLOCK_SECOND,
			/* The finest tier keeps the average only: there, a row is one sample. */
			.min = rows[0].step == rows[1].step && i < rows[0].count ? rows[0].values[i] : avg,
			.avg = avg,
			.max = rows[2].step == rows[1].step && i < rows[2].count ? rows[2].values[i] : avg,
		};
	}
	return joined;
}

/* Gives an aggregate's window what the store remembers of its instance. */
static void prefill(const struct agent *agent, const struct plan *plan, size_t index, int64_t now)
{
	static const enum store_consolidation kinds[] = {STORE_MIN, STORE_AVERAGE, STORE_MAX};
	const struct plan_aggregate *aggregate = &plan->aggregates[index];
	const char *instance = aggregate->instance ? aggregate->instance : "";
	struct store_rows rows[3] = {{0}};
	struct metric_row *joined;
	struct error error;
	int failed = 0;

	for (size_t i = 0; i < 3 && !failed; i++)
		failed = store_fetch(agent->store, aggregate->family, instance, aggregate->field, kinds[i],
		                     now - aggregate->over / CLOCK_SECOND, now, &rows[i], &error);
	if (failed) {
		log_warning("aggregate \"%s\" begins without its past: %s", aggregate->name, error.text);
	} else {
		joined = join_rows(rows);
		metric_remember(agent->metric, index, joined, rows[1].count);
		free(joined);
	}
	for (size_t i = 0; i < 3; i++)
		free(rows[i].values);
}

/* For all windows that lack it; also while sampling goes on. */
static void remember(const struct agent *agent)
{
	const struct plan *plan = metric_plan(agent->metric);
	int64_t now = clock_wall() / CLOCK_SECOND;

	for (size_t i = 0; i < plan->aggregate_count; i++)
		if (metric_is_new(agent->metric, i))
			prefill(agent, plan, i, now);
	plan_release(plan);
}

/* Instances whose files are there are known, also when they never come back: until they are purged. */
static void expect(const struct agent *agent)
{
	struct survey survey = {0};
	struct error error;

	if (survey_take(&survey, agent->plan, &error) < 0)
		log_warning("%s", error.text);
	for (size_t i = 0; i < survey.count; i++)
		if (survey.files[i].kind == SURVEY_SERIES && survey.files[i].instance)
			metric_expect(agent->metric, survey.files[i].family, survey.files[i].instance);
	survey_release(&survey);
}

/* --- life --------------------------------------------------------------------------------------------------- */

static int bring_up(struct agent *agent, struct error *error)
{
	const struct plan *plan = agent->plan;
	const struct store_sink safe = {.kept = kept, .forget = forget, .tell_gaps = tell_gaps, .context = agent};
	const struct collect_sink sink = {.started = started, .deliver = deliver, .gap = note_gap, .context = agent};

	agent->listener = http_listen(plan, agent->address, error);
	if (agent->listener < 0)
		return -1;
	agent->metric = metric_new(plan);
	agent->store = store_open(plan, &safe, error);
	if (!agent->store)
		return -1;
	metric_tell_gaps(agent->metric, note_gap, agent);
	expect(agent);
	remember(agent);
	agent->collect = collect_new(plan, agent->nursery, KIND_COLLECT, &sink, error);
	if (!agent->collect)
		return -1;
	if (plan->autostart && collect_start(agent->collect, error) < 0)
		return -1;
	agent->report.plan = plan;
	agent->report.metric = agent->metric;
	agent->report.collect = agent->collect;
	agent->report.store = agent->store;
	agent->report.address = agent->address;
	agent->report.refused = (const char *const *)agent->refused;
	agent->http = http_start(agent->listener, &agent->report, error);
	agent->listener = -1;
	return agent->http ? 0 : -1;
}

/* Waits for the signal that ends the agent. */
static void wait_for_end(const struct agent *agent, const sigset_t *signals)
{
	int signal = 0;

	while (sigwait(signals, &signal) == 0 && (signal == SIGHUP || signal == SIGUSR1)) {
		if (signal == SIGUSR1)
			store_flush_soon(agent->store, NULL, NULL);
		else
			log_info("SIGHUP: this version reads its configuration only at start; restart it to apply changes");
	}
	log_info("%s: writing what is buffered, then the end", strsignal(signal));
}

static int run(struct agent *agent, const sigset_t *signals)
{
	struct error error = {""};

	if (bring_up(agent, &error) < 0) {
		log_error("%s", error.text);
		return EXIT_TROUBLE;
	}
	log_info("listening on %s", agent->address);
	wait_for_end(agent, signals);
	return EXIT_GOOD;
}

/* In reverse. Accepts what is half up. */
static void bring_down(struct agent *agent)
{
	if (agent->http)
		http_stop(agent->http);
	if (agent->listener >= 0)
		close(agent->listener);
	if (agent->collect)
		collect_free(agent->collect);
	if (agent->store)
		store_close(agent->store);
	if (agent->metric)
		metric_free(agent->metric);
	if (agent->plan)
		plan_release(agent->plan);
	if (agent->loader)
		loader_free(agent->loader);
	if (agent->nursery)
		nursery_stop(agent->nursery);
	for (size_t i = 0; i < agent->refused_count; i++)
		free(agent->refused[i]);
	free(agent->refused);
}

int main(int argc, char **argv)
{
	static const struct worker_kind *const kinds[KIND_COUNT] = {
		[KIND_CONFIG] = &config_worker_kind,
		[KIND_COLLECT] = &collect_worker_kind,
	};
	struct agent agent = {.listener = -1, .report = {.started = clock_monotonic()}};
	struct command command = {0};
	struct error error = {""};
	sigset_t signals;
	int status = parse_arguments(argc, argv, &command);

	if (status >= 0)
		return status;
	/* librrd allocates a whole new file at once. By default glibc learns from such a block to keep the next ones for
	 * later, 12 MB that nobody uses; with a fixed threshold they go back to the kernel when freed (mallopt(3)). */
	mallopt(M_MMAP_THRESHOLD, 256 * 1024);
	/* Signals are taken by sigwait() on this thread alone; every other thread inherits the mask. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGUSR1);
	agent.nursery = nursery_start(kinds, KIND_COUNT, &error);
	if (!agent.nursery) {
		log_error("%s", error.text);
		return EXIT_TROUBLE;
	}
	agent.loader = new_loader();
	if (is(&command, "describe")) {
		status = describe(&agent, command.name);
	} else {
		status = read_configuration(&agent, command.file);
		if (status == EXIT_GOOD && is(&command, "why"))
			status = report_why(agent.plan, command.words, command.word_count, command.json, stdout, stderr);
		else if (status == EXIT_GOOD)
			status = check(agent.plan, &command);
		if (status == EXIT_GOOD && !command.verb) {
			pthread_sigmask(SIG_BLOCK, &signals, NULL);
			signal(SIGPIPE, SIG_IGN);
			status = run(&agent, &signals);
		}
	}
	bring_down(&agent);
	return status;
}
