/* calltext.h - recorded calls as text, in the manner of strace, and as JSON. */
#ifndef SHIM_LAUNCH_CALLTEXT_H
#define SHIM_LAUNCH_CALLTEXT_H

#include <jansson.h>
#include <stddef.h>

#include "interpose/calls.h"
#include "run/layout.h"

/* Who made a call. */
struct calltext_caller {
	int pid;
	const char *program;
};

/* Writes "connect(3, 127.0.0.1:80, 16) = -1 ECONNREFUSED (Connection refused)"; returns buf. */
char *calltext_call(char *buf, size_t n, const struct run_event *e);

/* Writes a whole line of a trace, without the newline: local time, pid (and tid where it differs), the
 * call, its duration, the rule that fired; returns buf. */
char *calltext_line(char *buf, size_t n, const struct run_event *e, const struct calltext_caller *caller);

/* The same as a JSON object, a new reference. */
json_t *calltext_json(const struct run_event *e, const struct calltext_caller *caller);

#endif
