/*
 * The stack's public face: what an embedding program includes.
 *
 *	struct stack_config config = netstack_config();	// all protocols; then the seed
 *	getrandom(config.seed, sizeof(config.seed), 0);
 *	stack_new(&config, &stack);
 *	nic_create(stack, 1, "tap0", link, &nic);	// link: link/tap.h, link/channel.h, ...
 *	nic_add_addr(nic, &address, ADDR_MANUAL, NULL);
 *	route_add(stack, &row);
 *	endpoint_new(stack, NET_IPV4, IP_PROTO_UDP, &ep);
 *
 * then for ever: clock_set(stack->clock, monotonic, wall); feed links what arrived; use endpoints;
 * stack_run(stack); and wait until stack_next(stack) or until a descriptor is ready.
 */
#ifndef STACK_NETSTACK_H
#define STACK_NETSTACK_H

#include "core/stack.h"
#include "filter/filter.h"
#include "header/ipv4.h"
#include "link/channel.h"
#include "link/ether.h"
#include "link/fdbased.h"
#include "link/impair.h"
#include "link/lan.h"
#include "link/loopback.h"
#include "link/muxed.h"
#include "link/packet_link.h"
#include "link/sharedmem.h"
#include "link/slirp.h"
#include "link/sniffer.h"
#include "link/tap.h"
#include "link/waitable.h"
#include "network/arp.h"
#include "network/ipv4.h"
#include "network/ipv6.h"
#include "transport/packet.h"
#include "transport/ping.h"
#include "transport/raw.h"
#include "transport/tcp/tcp.h"
#include "transport/udp.h"

/** netstack_config() - a configuration with every protocol the library has; seed all zero */
static inline struct stack_config netstack_config(void)
{
	static const struct net_proto_ops *const net[] = { &ipv4_proto, &ipv6_proto, &arp_proto };
	static const struct trans_proto_ops *const trans[] = {
		&tcp_proto, &udp_proto, &ping_proto,
	};

	return (struct stack_config){
		.net = net, .nnet = sizeof(net) / sizeof(net[0]),
		.trans = trans, .ntrans = sizeof(trans) / sizeof(trans[0]),
	};
}

#endif
