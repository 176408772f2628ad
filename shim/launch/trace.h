/* trace.h - follows the trace rings of a run's processes and writes what they record. */
#ifndef SHIM_LAUNCH_TRACE_H
#define SHIM_LAUNCH_TRACE_H

#include <stdbool.h>
#include <stdio.h>

#include "interpose/calls.h"
#include "launch/rundir.h"

#define TRACE_PIDS 64

struct trace_options {
	const char *path;	/* of `out`; NULL: a standard stream */
	FILE *out;
	bool json;
	bool calls[CALLS];	/* which are shown */
	pid_t pids[TRACE_PIDS];	/* only these, if n_pids */
	size_t n_pids;
};

/* All calls of all processes, as text. */
void trace_options_init(struct trace_options *o);

/* Parses "connect,close" or "!read,write". 0, or -1 after saying which call there is not. */
int trace_options_calls(struct trace_options *o, const char *command, const char *list);

struct tracer;

/* Begins to follow a run; both arguments are borrowed. NULL after saying what is wrong. */
struct tracer *tracer_open(const struct rundir *run, const struct trace_options *o);

/* Readable when a process may have begun a trace. */
int tracer_fd(const struct tracer *t);

/* Writes what has been recorded since; returns the number of events. */
size_t tracer_step(struct tracer *t);

/* Writes the rest, says what was lost, releases. */
void tracer_finish(struct tracer *t);

/* Whether it could not write (a closed pipe). */
bool tracer_failed(const struct tracer *t);

/* Writes the recent events of the images of a run that have no trace. */
void tracer_recent(struct tracer *t);

#endif
