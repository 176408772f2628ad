/* -D: raw answers to a file, for --source and for TCPDIAG_FILE of ss. */
#ifndef DIAG_CLI_RECORD_H
#define DIAG_CLI_RECORD_H

#include "cli/opts.h"
#include "cli/source.h"

/**
 * record_write - writes the answers about the TCP sockets that were asked for to opts->record
 *
 * The file holds the netlink messages as they came, each aligned to 4; "-" is standard output.
 *
 * Return: an exit status.
 */
int record_write(const struct opts *opts, struct sources *sources);

#endif
