/* Raw sockets of a kernel without raw_diag, from /proc/net/raw and raw6. */
#ifndef DIAG_CLI_RAWPROC_H
#define DIAG_CLI_RAWPROC_H

#include <stdint.h>

#include "cli/opts.h"
#include "cli/sink.h"

/**
 * rawproc_read - gives the raw sockets of a family to a sink
 *
 * They come with what the file says and no attributes; the filter is applied here.
 *
 * Return: 0 or -errno.
 */
int rawproc_read(uint8_t family, const struct opts *opts, struct sink *sink);

#endif
