/* run.h - a program run under the shim, as `sockshim run` and `sockshim trace -- PROGRAM` do it. */
#ifndef SHIM_LAUNCH_RUN_H
#define SHIM_LAUNCH_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "launch/report.h"
#include "launch/rules.h"
#include "launch/trace.h"

#define RUN_TRAFFIC 2048

/* Options with no letter that both commands have; RUN_STACK_OPTIONS are rows for getopt_long(). */
enum { RUN_OPTION_STACK = 512, RUN_OPTION_ONLY, RUN_OPTION_EXCEPT };
#define RUN_STACK_OPTIONS \
	{ "stack", required_argument, NULL, RUN_OPTION_STACK }, { "only", required_argument, NULL, RUN_OPTION_ONLY }, \
	{ "except", required_argument, NULL, RUN_OPTION_EXCEPT }

struct run_request {
	const char *command;		/* whose mistakes are told of */
	struct rules rules;
	uint64_t seed;
	bool has_seed;
	bool summary;
	const char *summary_file;	/* NULL: standard error */
	struct report_options report;
	int leak_status;		/* 0: leaks are no failure */
	bool trace;
	struct trace_options tracing;
	unsigned backtrace;		/* frames */
	bool wait, no_keep;
	const char *library;		/* NULL: to be found */
	const char *stack;		/* specification or name; NULL: the kernel's */
	char only[RUN_TRAFFIC], except[RUN_TRAFFIC];	/* what goes to it, divided by commas */
};

void run_request_init(struct run_request *q, const char *command);

/* Parses an option that both commands have: f, 'R' (--faults), 'S' (--seed), l, RUN_OPTION_*. 0, or an exit status
 * after saying what is wrong. */
int run_request_option(struct run_request *q, const char *command, int option, const char *value);

/* Runs it. Returns the exit status, or ends the process as the program was ended. */
int run_program(struct run_request *q, char *const argv[]);

#endif
