/* -K: closes what the filter selects, and shows what was closed. */
#ifndef DIAG_CLI_KILL_H
#define DIAG_CLI_KILL_H

#include <stdbool.h>

#include "cli/opts.h"
#include "cli/sink.h"

/**
 * kill_sink - a sink that closes each socket it is given, in a conversation with where it was read from
 * @shown: shows those that were closed; taken
 *
 * Return: the sink, ended with ops->end; NULL without memory.
 */
struct sink *kill_sink(const struct opts *opts, struct sink *shown);

/** kill_failed - whether a socket could not be closed (one that was gone already is no failure) */
bool kill_failed(const struct sink *sink);

#endif
