/* command_clean.c - sockshim clean: removes what runs that have ended have left. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launch/command.h"
#include "launch/message.h"
#include "launch/rundir.h"
#include "launch/stack.h"

static int clean_plain(struct rundir *run, void *user)
{
	size_t *removed = user;

	if (run->plain)
		*removed += rundir_remove_ended(run);
	return 0;
}

static int clean_one(const char *arg)
{
	struct rundir run;
	int rc;

	if (rundir_find(&run, arg) < 0)
		return 1;
	if (run.plain) {
		rundir_remove_ended(&run);
		rundir_close(&run);
		return 0;
	}
	run.pid = 0;
	if (rundir_is_active(&run)) {
		message_error("run %s has not ended; nothing was removed", run.id);
		rundir_close(&run);
		return 1;
	}
	rc = rundir_remove(&run);
	if (rc < 0)
		message_error("%s: cannot be removed: %s", run.path, strerror(-rc));
	return rc < 0;
}

int command_clean(int argc, char **argv)
{
	static const struct option options[] = {
		{ "keep", required_argument, NULL, 'k' }, { "help", no_argument, NULL, 'h' }, { 0 },
	};
	size_t keep = 0, runs, processes = 0;
	int c, rc = 0;
	char *end;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":k:h", options, NULL)) != -1) {
		switch (c) {
		case 'h': return command_help("clean");
		case 'k':
			keep = strtoul(optarg, &end, 10);
			if (end == optarg || *end || optarg[0] == '-')
				return message_usage("clean", "-k %s: expected a number of runs", optarg);
			break;
		case ':': return message_usage("clean", "%s: needs a value", argv[optind - 1]);
		default: return message_usage("clean", "%s: unknown option", argv[optind - 1]);
		}
	}
	for (int i = optind; i < argc; i++)
		rc |= clean_one(argv[i]);
	if (optind < argc)
		return rc;
	runs = rundir_prune(keep);
	rc = rundir_each(clean_plain, &processes);
	stack_clean();
	printf("removed %zu run%s", runs, runs == 1 ? "" : "s");
	if (processes)
		printf(" and the files of %zu other process%s", processes, processes == 1 ? "" : "es");
	printf("\n");
	return rc < 0;
}
