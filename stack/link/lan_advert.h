/* The router advertisements of a lan's switch. */
#ifndef STACK_LINK_LAN_ADVERT_H
#define STACK_LINK_LAN_ADVERT_H

#include "buffer/pkt.h"

/** lan_advert_new() - a frame to all nodes that advertises @prefix of 64 bits, and no router; NULL: no memory */
struct pkt *lan_advert_new(struct pkt_pool *pool, const struct link_addr *from, const struct addr *prefix,
			   uint32_t mtu);

/** lan_advert_is_solicited() - borrows: whether a frame is a router solicitation */
bool lan_advert_is_solicited(const struct pkt *frame);

#endif
