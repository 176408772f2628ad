/* Where sockets go once they have arrived: one table of functions for every way to show them. */
#ifndef DIAG_CLI_SINK_H
#define DIAG_CLI_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/opts.h"
#include "cli/out.h"
#include "wire/inet.h"
#include "wire/stack.h"
#include "wire/unix.h"

struct procs;
struct sink;
struct source;

/**
 * struct inet_view - an inet socket as a sink gets it, borrowed until the function returns
 * @protocol: IPPROTO_*
 * @source:   where it was read from; NULL: not said
 * @made:     which process made it, if a stack says so; or NULL
 * @ended:    of a connection that has ended, or NULL
 */
struct inet_view {
	const struct diag_inet *s;
	enum kind table;
	uint32_t protocol;
	struct source *source;
	const struct diag_stack_process *made;
	const struct diag_stack_ended *ended;
};

/** struct unix_view - a unix socket as a sink gets it, borrowed until the function returns */
struct unix_view {
	const struct diag_unix *s;
	enum kind table;
	struct source *source;
};

/**
 * struct sink_ops - a way to show sockets
 * @inet, @unix_socket: called for each socket that was asked for
 * @pause: what is there should be seen now; more may come
 * @gap: what is shown will not be complete; @why is a sentence
 * @end: no more will come; complete tells whether there was no gap
 */
struct sink_ops {
	void (*inet)(struct sink *s, const struct inet_view *v);
	void (*unix_socket)(struct sink *s, const struct unix_view *v);
	void (*pause)(struct sink *s);
	void (*gap)(struct sink *s, const char *why);
	void (*end)(struct sink *s, bool complete);
};

/**
 * struct sink - what every way has in common
 * @opts:  the command line, borrowed
 * @procs: which process holds which socket, borrowed; NULL without -p
 * @out:   where it all goes, borrowed
 * @ext:   DIAG_EXT_* bits of what @ops wants to have of inet sockets
 * @show:  UDIAG_SHOW_* bits of what it wants to have of unix sockets
 * @several: there is more than one source
 */
struct sink {
	const struct sink_ops *ops;
	const struct opts *opts;
	const struct procs *procs;
	struct out *out;
	uint8_t ext;
	uint32_t show;
	bool several;
};

/** sink_netid - "tcp", "u_str", ... */
const char *sink_netid(enum kind table);

/* The ways there are. Each gives a sink to be ended with ops->end, which frees it. */
struct sink *text_sink(const struct opts *opts, const struct procs *procs, struct out *out);
struct sink *json_sink(const struct opts *opts, const struct procs *procs, struct out *out);
struct sink *metrics_sink(const struct opts *opts, struct out *out);
struct sink *procnet_sink(const struct opts *opts, struct out *out);

#endif
