/* -E: sockets as they are destroyed. */
#ifndef DIAG_CLI_EVENTS_H
#define DIAG_CLI_EVENTS_H

#include "cli/opts.h"
#include "cli/sink.h"
#include "cli/source.h"

/**
 * events_show - shows destroyed sockets until it is interrupted, or every source is gone
 * @sources: connected
 * @sink: shows them, each at once; taken
 *
 * Return: an exit status.
 */
int events_show(const struct opts *opts, struct sources *sources, struct sink *sink);

#endif
