/* Changing a packet's addresses and ports, with the checksums over them. */
#ifndef STACK_FILTER_REWRITE_H
#define STACK_FILTER_REWRITE_H

#include "filter/conn.h"

/** rewrite_end() - make one end of a packet (its source, or its destination) this address and port; ICMP
 * queries have their identifier for a port, other protocols none. False: no memory, or nonsense. */
bool rewrite_end(struct filter_pkt *k, bool dst, const struct addr *addr, uint16_t port);

/** rewrite_error() - of an ICMP error: the same end's address, and the other end of the packet that it
 * quotes. False: no memory, or the quote cannot be read. */
bool rewrite_error(struct filter_pkt *k, bool dst, const struct addr *outer, const struct addr *inner,
		   uint16_t inner_port);

#endif
