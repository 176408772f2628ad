/* Ethernet framing, around a link that moves frames. */
#ifndef STACK_LINK_ETHER_H
#define STACK_LINK_ETHER_H

#include "core/link.h"

/**
 * ether_new() - wrap @lower, which it owns from now on
 * @addr: our address; unicast
 *
 * The result asks for resolution. NULL, with @lower closed, if there is no memory or @addr is no
 * station's.
 */
struct link *ether_new(struct link *lower, const struct link_addr *addr);

#endif
