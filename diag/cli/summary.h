/* -s: how many sockets of each kind. */
#ifndef DIAG_CLI_SUMMARY_H
#define DIAG_CLI_SUMMARY_H

#include "cli/opts.h"
#include "cli/out.h"
#include "cli/source.h"

/**
 * summary_show - counts without listing: for the kernel from its own counters in /proc, for any
 * other source from a dump
 *
 * Return: an exit status.
 */
int summary_show(const struct opts *opts, struct sources *sources, struct out *out);

#endif
