/* main.c: the command line. What runs is brought up by agent/life. */
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/moment.h"
#include "life/life.h"
#include "report/report.h"
#include "store/survey.h"

/* Exit statuses: what systemd and scripts tell apart. */
enum { EXIT_GOOD = 0, EXIT_TROUBLE = 1, EXIT_CONFIGURATION = 2 };

struct command {
	const char *file; /* -c */
	const char *verb; /* "check", "describe", "why", "graph", "top"; NULL: run */
	const char *name; /* of describe; NULL: everything. Of top: the agent's address; NULL: as the file says */
	char **words;     /* of why */
	size_t word_count;
	bool json;
	bool lua;                       /* of describe */
	bool once;                      /* of top */
	struct report_chart_file chart; /* of graph */
	const char *chart_option;       /* one of graph's that was given; NULL: none */
};

static const char usage[] =
	"pindrop: a quiet monitoring agent\n"
	"\n"
	"  pindrop [-c FILE]                  run in the foreground; logs to stderr; ends on SIGTERM or Ctrl-C\n"
	"  pindrop check [-c FILE] [--json]   every mistake in the configuration, or what it comes to;\n"
	"                                     with --json {\"mistakes\": [{file, line, message}]}, or the plan\n"
	"  pindrop describe [-c FILE] [NAME]  what can be sampled and set: plugins, options, metrics, units, functions\n"
	"  pindrop describe --lua             the same for editors with lua-language-server\n"
	"  pindrop why METRIC [INSTANCE] TIME [-c FILE] [--json]\n"
	"                                     what it was then, or why that is not known; reads the data folder alone.\n"
	"                                     TIME: " MOMENT_FORMS "\n"
	"  pindrop graph FAMILY [INSTANCE] [--from T] [--to T] [--fields A,B] [--width N] [--height N]\n"
	"          [--theme light|dark] [-o FILE.png|FILE.svg] [--command] [-c FILE]\n"
	"                                     draws a chart with rrdtool, from the data folder alone; with --command\n"
	"                                     prints the line that draws it\n"
	"  pindrop top [-c FILE | URL] [--once]\n"
	"                                     what a running agent sees, live in the terminal; ? shows the keys, q quits.\n"
	"                                     --once, or into a pipe: printed once. URL: http://HOST:PORT\n"
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
	if ((is(command, "describe") || is(command, "top")) && optind < argc)
		command->name = argv[optind++];
	if (is(command, "why")) {
		command->words = argv + optind;
		command->word_count = (size_t)(argc - optind);
		optind = argc;
	}
	if (is(command, "graph") && optind < argc)
		command->chart.family = argv[optind++];
	if (is(command, "graph") && optind < argc)
		command->chart.instance = argv[optind++];
	if (command->verb && !is(command, "check") && !is(command, "describe") && !is(command, "why") &&
	    !is(command, "graph") && !is(command, "top"))
		return misuse("there is no command ", command->verb, "; there are: check, describe, why, graph, top"), false;
	if (optind < argc)
		return misuse("", argv[optind], " is one word too many"), false;
	if (command->lua && (!is(command, "describe") || command->name))
		return misuse("the option ", "--lua", " belongs to the command describe, without a name"), false;
	if (command->json && !is(command, "check") && !is(command, "why"))
		return misuse("the option ", "--json", " belongs to the commands check and why"), false;
	if (!is(command, "graph") && command->chart_option)
		return misuse("the option --", command->chart_option, " belongs to the command graph"), false;
	if (command->once && !is(command, "top"))
		return misuse("the option ", "--once", " belongs to the command top"), false;
	if (is(command, "top") && command->name && command->file)
		return misuse("top is given ", command->name, " and -c: one of them says where the agent is"), false;
	return true;
}

static const struct option options[] = {
	{"config", required_argument, NULL, 'c'},
	{"json", no_argument, NULL, 'j'},
	{"lua", no_argument, NULL, 'l'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'v'},
	{"from", required_argument, NULL, 'F'},
	{"to", required_argument, NULL, 'T'},
	{"width", required_argument, NULL, 'W'},
	{"height", required_argument, NULL, 'H'},
	{"theme", required_argument, NULL, 'D'},
	{"fields", required_argument, NULL, 'S'},
	{"output", required_argument, NULL, 'o'},
	{"command", no_argument, NULL, 'C'},
	{"once", no_argument, NULL, '1'},
	{NULL, 0, NULL, 0},
};

static const char *name_option(int option)
{
	const struct option *known = options;

	while (known->name && known->val != option)
		known++;
	return known->name;
}

/* Where the value of an option of graph goes; NULL: it is none. */
static const char **find_chart_option(struct command *command, int option)
{
	struct report_chart_file *chart = &command->chart;
	const char **const places[] = {
		['F'] = &chart->from,  ['T'] = &chart->to,     ['W'] = &chart->width, ['H'] = &chart->height,
		['D'] = &chart->theme, ['S'] = &chart->fields, ['o'] = &chart->file,
	};

	return option > 0 && (size_t)option < sizeof(places) / sizeof(places[0]) ? places[option] : NULL;
}

/* One of graph's. False: it is none. */
static bool take_chart_option(struct command *command, int option)
{
	const char **place = find_chart_option(command, option);

	if (!place && option != 'C')
		return false;
	command->chart_option = name_option(option);
	if (place)
		*place = optarg;
	else
		command->chart.command = true;
	return true;
}

/* Returns -1 to go on, or the exit status. */
static int take_option(struct command *command, int option)
{
	switch (option) {
	case 'c':
		command->file = optarg;
		break;
	case 'j':
		command->json = true;
		break;
	case 'l':
		command->lua = true;
		break;
	case '1':
		command->once = true;
		break;
	case 'h':
		fputs(usage, stdout);
		return EXIT_GOOD;
	case 'v':
		puts("pindrop " PINDROP_VERSION);
		return EXIT_GOOD;
	default:
		if (take_chart_option(command, option))
			break;
		fputs("try: pindrop --help\n", stderr);
		return EXIT_CONFIGURATION;
	}
	return -1;
}

/* Returns -1 to go on, or the exit status. */
static int parse_arguments(int argc, char **argv, struct command *command)
{
	int option, status = -1;

	keep_times(argc, argv);
	while (status < 0 && (option = getopt_long(argc, argv, "c:ho:", options, NULL)) != -1)
		status = take_option(command, option);
	if (status >= 0)
		return status;
	if (!take_words(argc, argv, command))
		return EXIT_CONFIGURATION;
	if (!command->file)
		command->file = find_file();
	return -1;
}

/* --- configuration ------------------------------------------------------------------------------------------ */

static void program_folder(char program[PATH_MAX])
{
	ssize_t length = readlink("/proc/self/exe", program, PATH_MAX - 1);

	program[length > 0 ? length : 0] = '\0';
	if (length > 0)
		dirname(program);
}

/* Plugins are found where the user says, then beside the program, as the build lays them out, then where `make
 * install` puts them, which is told by where the program is: it may be moved. */
static struct loader *new_loader(void)
{
	const char *named = getenv("PINDROP_PLUGIN_PATH"), *directories[4];
	char program[PATH_MAX], *beside, *installed;
	struct loader *loader;
	size_t count = 0;

	program_folder(program);
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

/* NULL: the mistakes were told. Only a run and `check` ask whether the files can fit. */
static const struct plan *read_plan(struct source *source, const struct command *command)
{
	struct text_list mistakes = {0};
	bool whole = !command->verb || is(command, "check");
	const struct plan *plan = whole ? source_read(source, &mistakes) : source_read_only(source, &mistakes);

	if (!plan && is(command, "check") && command->json)
		report_mistakes(&mistakes, command->file, stdout);
	else
		for (size_t i = 0; i < mistakes.count; i++)
			fprintf(stderr, "%s\n", mistakes.texts[i]);
	text_list_release(&mistakes);
	return plan;
}

static int print_json(const struct plan *plan)
{
	json_t *json = plan_to_json(plan);
	int failed = json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));

	json_decref(json);
	putchar('\n');
	return failed ? EXIT_TROUBLE : EXIT_GOOD;
}

/* What the plan comes to, beside what lies in the data folder. */
static int check(const struct plan *plan, bool json)
{
	struct survey survey = {0};
	struct error error;
	bool *alive;

	if (json)
		return print_json(plan);
	if (survey_take(&survey, plan, &error) < 0)
		log_warning("%s", error.text);
	alive = memory_array(survey.count, sizeof(bool));
	survey_guess(&survey, plan, alive);
	report_check(plan, &survey, alive, stdout);
	free(alive);
	survey_release(&survey);
	return EXIT_GOOD;
}

/* Describes every plugin that can be found, also those that the configuration does not name. */
static int describe(struct loader *loader, const struct command *command)
{
	const char *name = command->name;
	char **names = loader_names(loader);
	const struct pindrop_plugin **tables;
	size_t count = 0;
	int status = EXIT_GOOD;

	for (size_t i = 0; names[i]; i++)
		count++;
	tables = memory_array(count, sizeof(struct pindrop_plugin *));
	count = 0;
	for (size_t i = 0; names[i]; i++) {
		struct plan_found found = {0};

		loader_find(loader, names[i], &found);
		if (found.table)
			tables[count++] = found.table;
		else
			fprintf(stderr, "%s\n", found.error.text);
	}
	if (command->lua) {
		report_annotate(tables, count, stdout);
	} else if (!report_describe(tables, count, name, stdout)) {
		fprintf(stderr, "pindrop: nothing is called \"%s\"; see: pindrop describe\n", name ? name : "");
		status = EXIT_TROUBLE;
	}
	free(tables);
	free(names);
	return status;
}

/* --- top ---------------------------------------------------------------------------------------------------- */

/* Becomes pindrop-top, which lies beside the program, as the build lays it out, or where `make install` puts it.
 * Returns only where that cannot be. */
static int become_top(const char *url, bool once)
{
	static const char *const places[] = {"/pindrop-top", "/../lib/pindrop/pindrop-top"};
	char program[PATH_MAX];

	program_folder(program);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char *path = memory_format("%s%s", program, places[i]);

		execl(path, "pindrop-top", once ? "--once" : url, once ? url : NULL, NULL);
		free(path);
	}
	fprintf(stderr, "pindrop: there is no pindrop-top in %s or %s/../lib/pindrop, where make install puts it\n",
	        program, program);
	return EXIT_TROUBLE;
}

/* Where the agent of this plan is reached from this machine: what listens everywhere listens here as well. */
static int find_agent(const struct plan *plan, const char *file, char **agent)
{
	const char *host = plan->listen_host;

	if (plan->listen_port == 0) {
		fprintf(stderr,
		        "pindrop: %s lets the kernel choose the port (0), which only the agent's log tells:\n"
		        "\"listening on http://…\". Give that address: pindrop top URL\n",
		        file);
		return EXIT_TROUBLE;
	}
	if (strcmp(host, "0.0.0.0") == 0)
		host = "127.0.0.1";
	else if (strcmp(host, "::") == 0)
		host = "::1";
	*agent = memory_format(strchr(host, ':') ? "http://[%s]:%u" : "http://%s:%u", host, plan->listen_port);
	return EXIT_GOOD;
}

static int run(struct source *source, const struct plan *plan, struct nursery *sampler)
{
	struct error error = {""};
	sigset_t signals;

	/* Signals are read by the main thread alone; every other thread inherits the mask. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (life_run(source, plan, sampler, &signals, &error) == 0)
		return EXIT_GOOD;
	log_error("%s", error.text);
	return EXIT_TROUBLE;
}

/* `agent`: for the command top, the address of the agent that is to be looked at, for free(). */
static int obey(struct source *source, const struct command *command, struct nursery *sampler, char **agent)
{
	const struct plan *plan;
	int status;

	if (is(command, "describe"))
		return describe(source->loader, command);
	plan = read_plan(source, command);
	if (!plan)
		return EXIT_CONFIGURATION;
	if (!command->verb)
		return run(source, plan, sampler);
	if (is(command, "top"))
		status = find_agent(plan, command->file, agent);
	else if (is(command, "why"))
		status = report_why(plan, command->words, command->word_count, command->json, stdout, stderr);
	else if (is(command, "graph"))
		status = report_chart_file(plan, &command->chart, stdout, stderr);
	else
		status = check(plan, command->json);
	plan_release(plan);
	return status;
}

int main(int argc, char **argv)
{
	struct command command = {0};
	struct source source = {0};
	struct error error = {""};
	struct nursery *nursery;
	char *agent = NULL;
	int status = parse_arguments(argc, argv, &command);

	if (status >= 0)
		return status;
	if (is(&command, "top") && command.name)
		return become_top(command.name, command.once);
	/* librrd allocates a whole new file at once. By default glibc learns from such a block to keep the next ones for
	 * later, 12 MB that nobody uses; with a fixed threshold they go back to the kernel when freed (mallopt(3)). */
	mallopt(M_MMAP_THRESHOLD, 256 * 1024);
	nursery = nursery_start(worker_kinds, WORKER_KINDS, &error);
	source.nursery = nursery ? nursery_branch(nursery, &error) : NULL;
	if (source.nursery) {
		source.file = command.file;
		source.loader = new_loader();
		status = obey(&source, &command, nursery, &agent);
		loader_free(source.loader);
		text_list_release(&source.refused);
		nursery_stop(source.nursery);
	} else {
		log_error("%s", error.text);
		status = EXIT_TROUBLE;
	}
	if (nursery)
		nursery_stop(nursery);
	/* Only now: workers are children, and would be left to a program that knows nothing of them. */
	if (agent)
		status = become_top(agent, command.once);
	free(agent);
	return status;
}
