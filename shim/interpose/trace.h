/* trace.h - recording calls: all of them while the run is traced, and always those that a rule fired on. */
#ifndef SHIM_INTERPOSE_TRACE_H
#define SHIM_INTERPOSE_TRACE_H

#include "interpose/call.h"

struct trace_mark {
	bool on;
	uint64_t time_ns, start_ns;
};

/* Before the call: notes the time, if the call is to be recorded. */
void trace_begin(struct trace_mark *m, bool fired);

/* After it: records it. */
void trace_end(const struct trace_mark *m, const struct call *c);

#endif
