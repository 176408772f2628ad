/* TCP internals as -i prints them. */
#ifndef DIAG_CLI_TCPTEXT_H
#define DIAG_CLI_TCPTEXT_H

#include <stdbool.h>

#include "cli/out.h"
#include "wire/inet.h"

/**
 * tcptext_put - appends " cubic wscale:7,7 rto:204 rtt:0.04/0.02 ...", in the words and the order of ss(8)
 * @options: also "ts sack ecn ..." (ss shows these with -o or -e)
 * @numeric: rates in full instead of with k, M, G
 */
void tcptext_put(struct out *o, const struct diag_inet *s, bool options, bool numeric);

/** tcptext_memory - appends "skmem:(r0,rb131072,...)", or "mem:(...)" from a source that has only that */
void tcptext_memory(struct out *o, const struct diag_attr *skmem, const struct diag_attr *mem);

#endif
