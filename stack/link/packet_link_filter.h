/* The filters of packet links. */
#ifndef STACK_LINK_PACKET_LINK_FILTER_H
#define STACK_LINK_PACKET_LINK_FILTER_H

#include <linux/filter.h>

#include "base/addr.h"

enum { PACKET_LINK_FILTER_MAX = 384 };

/** packet_link_filter_own() - frames for @mac or a group, and not from @mac; returns the program's length */
size_t packet_link_filter_own(struct sock_filter f[PACKET_LINK_FILTER_MAX], const struct link_addr *mac);

/** packet_link_filter_share() - ARP, groups, and packets for one of @n <= 32 network addresses, not from @mac */
size_t packet_link_filter_share(struct sock_filter f[PACKET_LINK_FILTER_MAX], const struct link_addr *mac,
			   const struct addr *addrs, int n);

#endif
