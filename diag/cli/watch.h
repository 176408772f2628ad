/* --watch: TCP connections again and again, with their rates. */
#ifndef DIAG_CLI_WATCH_H
#define DIAG_CLI_WATCH_H

#include "cli/opts.h"
#include "cli/out.h"
#include "cli/source.h"

/**
 * watch_show - looks every opts->watch_s seconds until it is interrupted or cannot write
 *
 * Takes memory for each connection, to know what it had sent and received at the last look.
 *
 * Return: an exit status.
 */
int watch_show(const struct opts *opts, struct sources *sources, struct out *out);

#endif
