/* top/top.c: `pindrop top`, a program of its own, so that the agent carries none of its libraries.
 *
 * It reads a running agent over HTTP alone:
 *
 *     client.c   libcurl: asks, and looks at the keyboard meanwhile
 *     talk.c     what to ask next
 *     model.c    answers -> what is known; history.c: its last minutes
 *     draw.c     what is known -> lines of cells; sheet.c: text, bars and sparklines; amount.c: numbers with units
 *     screen.c   ncurses: lines -> terminal; keys */
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "top/client.h"
#include "top/draw.h"
#include "top/screen.h"
#include "top/talk.h"

/* As the agent's: 1 something could not be done, 2 a word is wrong. */
enum { EXIT_GOOD = 0, EXIT_TROUBLE = 1, EXIT_MISUSE = 2 };

/* How long --once waits for the second sample; where it takes longer, what the files say of the last one must do. */
#define SECOND_LOOK (10 * CLOCK_SECOND)
#define WIDTH 80

static volatile sig_atomic_t quitting;

static void quit(int number)
{
	(void)number;
	quitting = 1;
}

/* Before ncurses, which leaves them alone then. */
static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = quit};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* Asks for what is due, takes the answer that came. True: something has changed. */
static bool go_on(struct talk *talk, struct client *client, bool *asking, int input)
{
	struct client_answer answer;
	int64_t wait = CLOCK_SECOND;

	if (!*asking) {
		const char *path = talk_next(talk, clock_monotonic(), &wait);

		if (path) {
			client_ask(client, path);
			*asking = true;
			wait = CLOCK_SECOND;
		}
	}
	if (client_wait(client, input, wait, &answer) != CLIENT_ANSWER)
		return false;
	*asking = false;
	talk_take(talk, clock_monotonic(), answer.status, answer.words, answer.body, answer.length);
	return true;
}

/* --- once --------------------------------------------------------------------------------------------------- */

static int width_of_pipe(void)
{
	const char *columns = getenv("COLUMNS");
	long width = columns ? strtol(columns, NULL, 10) : 0;

	return width > 0 && width < 10000 ? (int)width : WIDTH;
}

/* Nothing more is to be waited for: the second sample is there, or none comes in time. */
static bool has_enough(const struct talk *talk)
{
	const struct model *model = talk->model;
	bool patient = !model->stopped && model_interval(model) * (double)CLOCK_SECOND < (double)SECOND_LOOK;

	return talk->complete && !model->outdated && (talk->looks > 1 || !patient);
}

static int print_once(struct talk *talk, struct client *client, struct look *look)
{
	int64_t end = clock_monotonic() + SECOND_LOOK;
	struct sheet sheet;
	bool asking = false;

	while (!quitting && !talk->away && !has_enough(talk) && clock_monotonic() < end)
		go_on(talk, client, &asking, -1);
	if (quitting)
		return EXIT_TROUBLE;
	if (talk->away) {
		fprintf(stderr,
		        "pindrop top: %s\n"
		        "Is it running (pindrop -c FILE), and does it listen there? Its log says where: pindrop top URL\n",
		        talk->away);
		return EXIT_TROUBLE;
	}
	look->width = width_of_pipe();
	draw(talk->model, look, &sheet);
	sheet_print(&sheet, stdout);
	sheet_release(&sheet);
	return fflush(stdout) == 0 ? EXIT_GOOD : EXIT_TROUBLE;
}

/* --- the screen --------------------------------------------------------------------------------------------- */

static int show_screen(struct talk *talk, struct client *client, const struct look *look)
{
	struct screen *screen = screen_open(look->unicode, look->host);
	bool asking = false, going = screen != NULL;
	/* The end of a file could always be read, and no key would come of it. */
	int input = isatty(STDIN_FILENO) ? STDIN_FILENO : -1;

	if (!screen)
		return EXIT_TROUBLE;
	while (going && !quitting) {
		screen_draw(screen, talk);
		go_on(talk, client, &asking, input);
		going = screen_obey(screen);
	}
	screen_close(screen);
	return EXIT_GOOD;
}

/* --- the command line --------------------------------------------------------------------------------------- */

static int misuse(const char *words)
{
	fprintf(stderr, "pindrop top: %s\ntry: pindrop --help\n", words);
	return EXIT_MISUSE;
}

/* Of an agent on this machine its name, of another one its address. */
static const char *name_host(const char *url, char name[256])
{
	if (!strstr(url, "//127.") && !strstr(url, "//localhost") && !strstr(url, "//[::1]"))
		return strstr(url, "//") ? strstr(url, "//") + 2 : url;
	if (gethostname(name, 256) < 0)
		return "localhost";
	name[255] = '\0';
	return name;
}

static int run(const char *url, bool once)
{
	struct error error;
	struct client *client = client_new(url, &error);
	struct look look = {.unicode = strcmp(nl_langinfo(CODESET), "UTF-8") == 0};
	struct talk talk;
	char name[256];
	int status;

	if (!client)
		return misuse(error.text);
	look.host = name_host(client_url(client), name);
	talk_begin(&talk, client_url(client));
	catch_signals();
	if (once || !isatty(STDOUT_FILENO))
		status = print_once(&talk, client, &look);
	else
		status = show_screen(&talk, client, &look);
	talk_end(&talk);
	client_free(client);
	return status;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"once", no_argument, NULL, 'o'}, {NULL, 0, NULL, 0}};
	bool once = false;
	int option;

	setlocale(LC_ALL, "");
	setlocale(LC_NUMERIC, "C");
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != 'o')
			return EXIT_MISUSE;
		once = true;
	}
	if (argc - optind != 1)
		return misuse("one address of an agent is needed");
	return run(argv[optind], once);
}
