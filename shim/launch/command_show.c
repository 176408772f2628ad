/* command_show.c - sockshim stats and sockshim sockets: show a run once, or again and again. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "launch/command.h"
#include "launch/message.h"
#include "launch/report.h"
#include "launch/symbol.h"

struct show {
	const char *name;
	void (*print)(FILE *f, const struct report *r, const struct report_options *o);
	struct report_options options;
	double watch_s;		/* 0: once */
};

/* Seconds, more than 0. */
static bool parse_seconds(double *out, const char *s)
{
	char *end;

	*out = strtod(s, &end);
	return end > s && *end == '\0' && isfinite(*out) && *out >= 0.01 && *out <= 86400;
}

/* Shows it; returns whether the run goes on, or -1. */
static int show_once(const struct show *s, const struct rundir *run, bool said)
{
	struct report r;
	int active;

	if (report_load(&r, run) < 0)
		return -1;
	if (s->watch_s && s->options.format == REPORT_TEXT && isatty(STDOUT_FILENO))
		fputs("\033[H\033[J", stdout);
	if (said && isatty(STDERR_FILENO))
		message_note("run %s%s%s", run->id, r.meta.command[0] ? ": " : "", r.meta.command);
	s->print(stdout, &r, &s->options);
	active = r.active;
	report_free(&r);
	return active;
}

static int show(const struct show *s, const char *arg)
{
	struct rundir run;
	int rc;

	if (rundir_find(&run, arg) < 0)
		return 1;
	for (;;) {
		struct timespec wait = { (time_t)s->watch_s, (long)((s->watch_s - (time_t)s->watch_s) * 1e9) };

		rc = show_once(s, &run, !arg);
		if (fflush(stdout) != 0 || ferror(stdout)) {
			message_error("cannot write: %s", strerror(errno));
			rc = -1;
		}
		if (rc <= 0 || !s->watch_s)
			break;
		if (s->options.format == REPORT_TEXT && !isatty(STDOUT_FILENO))
			fputc('\n', stdout);
		nanosleep(&wait, NULL);
	}
	rundir_close(&run);
	symbol_forget();
	return rc < 0;
}

static int show_main(struct show *s, int argc, char **argv)
{
	static const struct option options[] = {
		{ "format", required_argument, NULL, 'F' }, { "json", no_argument, NULL, 'j' },
		{ "watch", optional_argument, NULL, 'w' }, { "per-process", no_argument, NULL, 'p' },
		{ "all", no_argument, NULL, 'a' }, { "help", no_argument, NULL, 'h' }, { 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":F:jw::pah", options, NULL)) != -1) {
		switch (c) {
		case 'F':
			if (!report_format_parse(&s->options.format, optarg))
				return message_usage(s->name, "--format %s: expected text, json or openmetrics", optarg);
			break;
		case 'j': s->options.format = REPORT_JSON; break;
		case 'p': s->options.per_process = true; break;
		case 'a': s->options.all = true; break;
		case 'w':
			if (optarg && optarg[0] == '=')
				optarg++;
			s->watch_s = 2;
			if (optarg && !parse_seconds(&s->watch_s, optarg))
				return message_usage(s->name, "--watch=%s: expected seconds, from 0.01 to 86400", optarg);
			break;
		case 'h': return command_help(s->name);
		case ':': return message_usage(s->name, "%s: needs a value", argv[optind - 1]);
		default: return message_usage(s->name, "%s: unknown option", argv[optind - 1]);
		}
	}
	if (argc - optind > 1)
		return message_usage(s->name, "%s: one run is enough", argv[optind + 1]);
	return show(s, argv[optind]);
}

int command_stats(int argc, char **argv)
{
	struct show s = { .name = "stats", .print = report_stats };

	return show_main(&s, argc, argv);
}

int command_sockets(int argc, char **argv)
{
	struct show s = { .name = "sockets", .print = report_sockets };

	return show_main(&s, argc, argv);
}
