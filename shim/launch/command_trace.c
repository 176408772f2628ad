/* command_trace.c - sockshim trace: of a new program, of a run that goes on, of one that has ended. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "launch/command.h"
#include "launch/control.h"
#include "launch/message.h"
#include "launch/run.h"

#define POLL_MS		3
#define ALIVE_MS	100	/* how often it is looked whether the run still goes on */

static const struct option options[] = {
	{ "calls", required_argument, NULL, 'e' }, { "pid", required_argument, NULL, 'p' },
	{ "output", required_argument, NULL, 'o' }, { "format", required_argument, NULL, 'F' },
	{ "json", no_argument, NULL, 'j' }, { "fault", required_argument, NULL, 'f' },
	{ "faults", required_argument, NULL, 'R' }, { "seed", required_argument, NULL, 'S' },
	{ "library", required_argument, NULL, 'l' }, RUN_STACK_OPTIONS, { "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' }, { 0 },
};

/* ^C must end the trace in order: tracing is to be switched off again. What is ignored (nohup) stays so. */
static int open_signals(void)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction now;
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (sigaction(ends[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			sigaddset(&set, ends[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* Follows a run until it ends, or we are told to. */
static void follow(struct tracer *t, const struct rundir *run, int signals)
{
	int idle = 0;

	for (;;) {
		struct pollfd fds[2] = { { signals, POLLIN, 0 }, { tracer_fd(t), POLLIN, 0 } };

		if (poll(fds, 2, POLL_MS) > 0 && fds[0].revents)
			return;
		idle = tracer_step(t) ? 0 : idle + POLL_MS;
		if (tracer_failed(t))
			return;
		if (idle >= ALIVE_MS) {
			if (!rundir_is_active(run))
				return;
			idle = 0;
		}
	}
}

/* Switches tracing on in a run that goes on, and off again if it was. */
static int trace_active(const struct rundir *run, const struct trace_options *o)
{
	struct control control;
	struct tracer *t;
	int changed, signals = open_signals();

	if (control_open(&control, run, true) < 0)
		return 1;
	t = tracer_open(run, o);
	changed = t ? control_set_trace(&control, run->id, true) : -1;
	if (changed >= 0)
		follow(t, run, signals);
	if (changed > 0)
		control_set_trace(&control, run->id, false);
	if (t)
		tracer_finish(t);
	control_close(&control);
	close(signals);
	return changed < 0;
}

static int trace_ended(const struct rundir *run, const struct trace_options *o)
{
	struct tracer *t = tracer_open(run, o);

	if (!t)
		return 1;
	tracer_step(t);
	tracer_recent(t);
	tracer_finish(t);
	return 0;
}

static int trace_run(struct trace_options *o, const char *arg)
{
	struct rundir run;
	int rc;

	if (rundir_find(&run, arg) < 0)
		return 1;
	o->out = o->path ? fopen(o->path, "we") : stdout;
	if (!o->out) {
		message_error("%s: cannot open for writing: %s", o->path, strerror(errno));
		return 1;
	}
	rc = rundir_is_active(&run) ? trace_active(&run, o) : trace_ended(&run, o);
	rundir_close(&run);
	return rc;
}

static int take(struct run_request *q, int option, const char *value)
{
	enum report_format format;

	switch (option) {
	case 'e':
		return trace_options_calls(&q->tracing, "trace", value) < 0 ? EXIT_USAGE : 0;
	case 'p':
		if (q->tracing.n_pids == TRACE_PIDS || atoi(value) <= 0)
			return message_usage("trace", "-p %s: expected a pid, at most %d times", value, TRACE_PIDS);
		q->tracing.pids[q->tracing.n_pids++] = atoi(value);
		return 0;
	case 'o': q->tracing.path = value; return 0;
	case 'j': q->tracing.json = true; return 0;
	case 'q': message_quiet = true; return 0;
	case 'F':
		if (!report_format_parse(&format, value) || format == REPORT_OPENMETRICS)
			return message_usage("trace", "--format %s: expected text or json", value);
		q->tracing.json = format == REPORT_JSON;
		return 0;
	default: return run_request_option(q, "trace", option, value);
	}
}

int command_trace(int argc, char **argv)
{
	static struct run_request q;
	bool program = false;
	int c, rc;

	run_request_init(&q, "trace");
	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:e:p:o:F:jf:l:qh", options, NULL)) != -1) {
		if (c == 'h')
			return command_help("trace");
		if (c == ':' || c == '?')
			return message_usage("trace", "%s: %s", argv[optind - 1],
					     c == ':' ? "needs a value" : "unknown option");
		program |= c == 'f' || c == 'R' || c == 'S' || c == 'l' || c >= RUN_OPTION_STACK;
		rc = take(&q, c, optarg);
		if (rc)
			return rc;
	}
	if (optind < argc && !strcmp(argv[optind - 1], "--")) {
		q.trace = true;
		return run_program(&q, argv + optind);
	}
	if (program)
		return message_usage("trace", "rules, seed, library and stack are for a new program: sockshim trace -- PROGRAM");
	if (argc - optind > 1)
		return message_usage("trace", "%s: one run is enough; to trace a program: sockshim trace -- %s ...",
				     argv[optind + 1], argv[optind]);
	return trace_run(&q.tracing, argv[optind]);
}
