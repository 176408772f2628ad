/* One look at the sockets that were asked for: requests out, sockets into a sink. */
#ifndef DIAG_CLI_WALK_H
#define DIAG_CLI_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/opts.h"
#include "cli/out.h"
#include "cli/sink.h"
#include "cli/source.h"

/**
 * struct walk - one look
 * @failed:  something that was asked for could not be read at all
 * @partial: something was read in part
 * The rest is the walk's own.
 */
struct walk {
	const struct opts *opts;
	struct sources *sources;
	struct source *source; /* the one being read */
	struct sink *sink;
	bool failed;
	bool partial;
	void *code; /* the filter's program */
	size_t code_len;
	void *buf;
	void *req;
	struct out later;      /* IPv6 answers of a dump of both families, see look_tcp() */
	struct diag_err error; /* why a message was refused */
	enum kind table;      /* of the dump going on */
	uint32_t protocol;
};

/** walk_open - prepares looks at @sources (connected) into @sink, both borrowed; returns 0, or an exit status after a message */
int walk_open(struct walk *w, const struct opts *opts, struct sources *sources, struct sink *sink);

/** walk_look - looks once; what goes wrong is said on standard error, to the sink, and in @w */
void walk_look(struct walk *w);

/** walk_close - frees what walk_open() took */
void walk_close(struct walk *w);

/** walk_status - the exit status of what happened so far */
int walk_status(const struct walk *w);

/** walk_wants_inet, walk_wants_unix - whether states and filter let a socket pass that no kernel has filtered */
bool walk_wants_inet(const struct opts *opts, const struct diag_inet *s, bool by_state);
bool walk_wants_unix(const struct opts *opts, const struct diag_unix *s);

#endif
