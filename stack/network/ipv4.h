/* IPv4 as a network protocol. */
#ifndef STACK_NETWORK_IPV4_H
#define STACK_NETWORK_IPV4_H

#include "core/netproto.h"

extern const struct net_proto_ops ipv4_proto;

#endif
