/*
 * A link on an interface of the kernel: the stack is one more station on its network.
 *
 * Its own link address is the default: frames for it pass the interface's address filter in promiscuous mode,
 * and the kernel, to which they are frames for another station, does not answer them. Where the network lets
 * only one address per port speak (wireless, most clouds), share the interface's: then a filter picks out
 * what is for the stack's network addresses, which must not be the kernel's, so that it does not answer for
 * them either. Stack and kernel cannot speak to one another through it: what one sends, goes out.
 */
#ifndef STACK_LINK_PACKET_LINK_H
#define STACK_LINK_PACKET_LINK_H

#include "core/link.h"

enum { PACKET_LINK_ERROR_MAX = 160, PACKET_LINK_MAX_ADDRS = 32 };

/**
 * struct packet_link_config - what to open
 * @iface:  an Ethernet
 * @pool:   where received packets come from; borrowed until link_close()
 * @share:  use the interface's link address
 * @addrs:  with @share, @naddrs network addresses the stack has, PACKET_LINK_MAX_ADDRS at most
 * @mac:    without @share: the link address; length 0: a random one
 * @buffer_bytes: of the ring, 0 for 8 MiB
 */
struct packet_link_config {
	const char *iface;
	struct pkt_pool *pool;
	bool share;
	const struct addr *addrs;
	int naddrs;
	struct link_addr mac;
	int64_t buffer_bytes;
};

/**
 * packet_link_open() - the result carries Ethernet frames and wants ether_new(link, &link->addr) around it
 * @error: on failure, what went wrong with what, PACKET_LINK_ERROR_MAX bytes
 *
 * Return: 0; -EPERM: no right; -ENODEV: no such interface; -ENETDOWN; -EINVAL: no Ethernet, or no station's
 * link address; -E2BIG: too many addresses; -EADDRINUSE: with @share, an address is the kernel's; -EBUSY:
 * with @share, the kernel forwards packets, and so would answer for what is not its own; -ENOMEM.
 */
int packet_link_open(const struct packet_link_config *c, struct link **out, char error[PACKET_LINK_ERROR_MAX]);

/** packet_link_set_addrs() - with @share: the stack's addresses have changed; errors as packet_link_open() */
int packet_link_set_addrs(struct link *l, const struct addr *addrs, int naddrs, char error[PACKET_LINK_ERROR_MAX]);

/** packet_link_fd() - the descriptor to poll; still the link's */
int packet_link_fd(const struct link *l);

/** packet_link_rx() - read and deliver at most @budget packets. Return: how many; -errno if the interface failed. */
int packet_link_rx(struct link *l, int budget);

/** struct packet_link_stats - @received, @dropped: by the kernel, for want of room in the ring; @refused: cut
 * short, tagged for a VLAN, or with a header that makes no sense */
struct packet_link_stats {
	uint64_t received, dropped, refused;
};

struct packet_link_stats packet_link_get_stats(struct link *l);

#endif
