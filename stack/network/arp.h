/* ARP as a network protocol: resolution for IPv4. */
#ifndef STACK_NETWORK_ARP_H
#define STACK_NETWORK_ARP_H

#include "core/netproto.h"

extern const struct net_proto_ops arp_proto;

#endif
