/* command_run.c - sockshim run: its options. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launch/command.h"
#include "launch/message.h"
#include "launch/run.h"

enum { OPT_FORMAT = 256, OPT_LEAK, OPT_BACKTRACE, OPT_DIR, OPT_KEEP, OPT_NO_KEEP };

static const struct option options[] = {
	{ "fault", required_argument, NULL, 'f' }, { "faults", required_argument, NULL, 'R' },
	{ "seed", required_argument, NULL, 'S' }, { "summary", optional_argument, NULL, 's' },
	{ "format", required_argument, NULL, OPT_FORMAT }, { "fail-on-leak", optional_argument, NULL, OPT_LEAK },
	{ "trace", optional_argument, NULL, 't' }, { "backtrace", optional_argument, NULL, OPT_BACKTRACE },
	{ "wait", no_argument, NULL, 'w' }, { "library", required_argument, NULL, 'l' },
	{ "dir", required_argument, NULL, OPT_DIR }, { "keep", no_argument, NULL, OPT_KEEP },
	{ "no-keep", no_argument, NULL, OPT_NO_KEEP }, { "quiet", no_argument, NULL, 'q' },
	RUN_STACK_OPTIONS, { "help", no_argument, NULL, 'h' }, { 0 },
};

/* A number of a range. */
static bool parse_number(long *out, const char *s, long least, long most)
{
	char *end;

	errno = 0;
	*out = strtol(s, &end, 10);
	return !errno && end > s && !*end && *out >= least && *out <= most;
}

static int usage(const char *option, const char *value, const char *expected)
{
	message_usage("run", "%s %s: expected %s", option, value, expected);
	return EXIT_OURS;
}

static int take_number(struct run_request *q, int option, const char *value)
{
	long n;

	if (option == OPT_LEAK) {
		n = EXIT_LEAK;
		if (value && !parse_number(&n, value, 1, 255))
			return usage("--fail-on-leak", value, "an exit status from 1 to 255");
		q->leak_status = (int)n;
	} else {
		n = RUN_BACKTRACE;
		if (value && !parse_number(&n, value, 0, RUN_BACKTRACE))
			return usage("--backtrace", value, "a number of frames from 0 to 12");
		q->backtrace = (unsigned)n;
	}
	return 0;
}

/* 0, or an exit status after saying what is wrong. */
static int take(struct run_request *q, int option, const char *value)
{
	switch (option) {
	case 's':
		q->summary = true;
		q->summary_file = value;
		return 0;
	case 't':
		q->trace = true;
		q->tracing.path = value;
		return 0;
	case 'w': q->wait = true; return 0;
	case 'q': return 0;
	case OPT_KEEP: q->no_keep = false; return 0;
	case OPT_NO_KEEP: q->no_keep = true; return 0;
	case OPT_DIR: return setenv("SOCKSHIM_DIR", value, 1) < 0 ? EXIT_OURS : 0;
	case OPT_FORMAT:
		if (!report_format_parse(&q->report.format, value))
			return usage("--format", value, "text, json or openmetrics");
		q->tracing.json = q->report.format == REPORT_JSON;
		return 0;
	case OPT_LEAK:
	case OPT_BACKTRACE: return take_number(q, option, value);
	default: return run_request_option(q, "run", option, value);
	}
}

int command_run(int argc, char **argv)
{
	static const char letters[] = "+:f:s::t::wl:qh";
	static struct run_request q;
	int c, rc;

	run_request_init(&q, "run");
	opterr = 0;
	/* Rules are parsed, and warned of, as they come: -q holds wherever it stands. */
	while ((c = getopt_long(argc, argv, letters, options, NULL)) != -1)
		message_quiet |= c == 'q';
	optind = 1;
	while ((c = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		if (c == 'h')
			return command_help("run");
		if (c == ':' || c == '?') {
			message_usage("run", "%s: %s", argv[optind - 1], c == ':' ? "needs a value" : "unknown option");
			return EXIT_OURS;
		}
		/* -s=FILE, as the long option has it, is -sFILE. */
		if ((c == 's' || c == 't') && optarg && optarg[0] == '=')
			optarg++;
		rc = take(&q, c, optarg);
		if (rc)
			return rc;
	}
	if (optind == argc) {
		message_usage("run", "run: which program?");
		return EXIT_OURS;
	}
	return run_program(&q, argv + optind);
}
