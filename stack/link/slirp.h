/*
 * The link of a stack without privileges: its Ethernet ends in libslirp, which speaks to the world through
 * ordinary sockets of the user.
 *
 * libslirp is on its network what a home router is: gateway and host at 10.0.2.2 (and fec0::2), DNS server at
 * 10.0.2.3 (fec0::3), which passes questions on to those of /etc/resolv.conf; for IPv6 it advertises fec0::/64.
 * The stack's IPv4 address is 10.0.2.15/24. Connections to 10.0.2.2 reach the user's loopback. What it cannot do:
 * ICMP other than echo (and that where the kernel lets users), raw protocols, multicast, connections from
 * outside other than by forwarded ports.
 *
 * Only programs that use it need libslirp: it is a member of its own in the archive. They must ignore SIGPIPE, which
 * libslirp's writes may raise.
 */
#ifndef STACK_LINK_SLIRP_H
#define STACK_LINK_SLIRP_H

#include "base/clock.h"
#include "core/link.h"

enum { SLIRP_ERROR_MAX = 160, SLIRP_MTU_MAX = 65520 };

/**
 * struct slirp_forward - what comes to a port of the user is for a port of the stack
 * @host: IPv4 address to listen at; length 0: 127.0.0.1
 * @guest_port: of the stack, at 10.0.2.15
 */
struct slirp_forward {
	bool udp;
	struct addr host;
	uint16_t host_port, guest_port;
};

/**
 * slirp_forward_parse() - from "[tcp:|udp:][ADDRESS:]PORT:PORT"
 *
 * False, with the reason in @error, if it is something else.
 */
bool slirp_forward_parse(const char *text, struct slirp_forward *f, char error[SLIRP_ERROR_MAX]);

/**
 * struct slirp_config - @clock: gives libslirp its time and timers
 * @pool: where received packets come from; borrowed until link_close()
 * @mtu:  0 for 1500
 * @forwards: @nforwards of them
 * @no_ipv6: no IPv6
 * @isolated: what is sent to 10.0.2.2 does not reach the user's loopback
 */
struct slirp_config {
	struct clock *clock;
	struct pkt_pool *pool;
	uint32_t mtu;
	const struct slirp_forward *forwards;
	int nforwards;
	bool no_ipv6;
	bool isolated;
};

/** Addresses of the network: the stack's, of both its router and DNS server. */
#define SLIRP_STACK_V4 "10.0.2.15/24"
#define SLIRP_ROUTER_V4 "10.0.2.2"
#define SLIRP_DNS_V4 "10.0.2.3"
#define SLIRP_DNS_V6 "fec0::3"

/**
 * slirp_link_open() - the result carries Ethernet frames and wants ether_new(link, &link->addr) around it
 * @error: on failure, what went wrong with what, SLIRP_ERROR_MAX bytes
 *
 * Return: 0; -EADDRINUSE, -EACCES: a port cannot be forwarded; -EINVAL: the MTU makes no sense; -ENOMEM.
 */
int slirp_link_open(const struct slirp_config *c, struct link **out, char error[SLIRP_ERROR_MAX]);

/** slirp_link_fd() - one descriptor for all of libslirp's sockets; the same for the link's whole life */
int slirp_link_fd(const struct link *l);

/**
 * slirp_link_rx() - do what the descriptor's being readable asks for
 * @budget: no meaning: libslirp handles what is ready
 *
 * Packets are delivered at the next clock_run(), as those that the link's timers make. Return: how many came.
 */
int slirp_link_rx(struct link *l, int budget);

#endif
