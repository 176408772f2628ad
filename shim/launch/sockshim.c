/* sockshim.c - the sockshim command: the table of subcommands. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "launch/command.h"
#include "launch/help.h"
#include "launch/message.h"

const struct command commands[] = {
	{ "run", "run a program under the shim", command_run, help_run },
	{ "stats", "show what a run's sockets did", command_stats, help_stats },
	{ "sockets", "show a run's open sockets", command_sockets, help_sockets },
	{ "trace", "show calls as they are made", command_trace, help_trace },
	{ "fault", "list and change a run's fault rules", command_fault, help_fault },
	{ "capture", "write packets of an interface to a file", command_capture, help_capture },
	{ "list", "list runs and their processes", command_list, help_list },
	{ "stack", "network stacks for programs to run on", command_stack, help_stack },
	{ "clean", "remove runs that have ended", command_clean, help_clean },
	{ NULL, NULL, NULL, NULL },
};

static const struct command *find(const char *name)
{
	for (const struct command *c = commands; c->name; c++)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

static void usage(FILE *f)
{
	fprintf(f, "Usage: sockshim COMMAND [ARGUMENTS]\n"
		   "See what sockets programs use, make their calls fail, give them a network stack.\n\nCommands:\n");
	for (const struct command *c = commands; c->name; c++)
		fprintf(f, "  %-10s%s\n", c->name, c->summary);
	fprintf(f, "  %-10s%s\n", "help", "show the help of a command");
	fprintf(f, "\nExamples:\n"
		   "  sockshim run --summary curl -s http://localhost/\n"
		   "  sockshim run -f 'fail connect with ECONNREFUSED on 1st' -- make check\n"
		   "  sockshim run --stack lo -- sh -c 'redis-server & redis-benchmark'\n"
		   "  sockshim stats\n"
		   "  sockshim trace -- wget -q http://localhost/\n"
		   "\nThe manual is sockshim(1); fault rules are in sockshim-rules(5).\n");
}

int command_help(const char *name)
{
	fputs(find(name)->help, stdout);
	return 0;
}

/* None of our files is to be standard output by chance. The program is given them closed, as we were. */
static void take_closed(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	const struct command *c;

	take_closed();
	if (!strcmp(name, "-V") || !strcmp(name, "--version")) {
		printf("sockshim %s\n", SOCKSHIM_VERSION);
		return 0;
	}
	if (!strcmp(name, "-h") || !strcmp(name, "--help") || (!strcmp(name, "help") && argc == 2)) {
		usage(stdout);
		return 0;
	}
	if (!strcmp(name, "help")) {
		if (find(argv[2]))
			return command_help(argv[2]);
		return message_usage("", "help: there is no command '%s'", argv[2]);
	}
	if (!name[0]) {
		usage(stderr);
		return EXIT_USAGE;
	}
	c = find(name);
	if (!c)
		return message_usage("", "there is no command '%s'; to run a program: sockshim run %s", name, name);
	return c->run(argc - 1, argv + 1);
}
