/*
 * A network that stacks of one user join by name: an Ethernet switch in a process of its own.
 *
 * Theory of operation. The switch is started by the first member and goes with the last. It listens on a socket
 * in a directory that only the user can enter; who connects and joins gets memory with two rings (sharedmem.h)
 * and addresses. A member shares memory with the switch alone: whatever it writes there, and whenever it dies,
 * concerns its own port. If the switch itself dies, members start a new one and join it with the addresses
 * they had.
 *
 * Both wake one another by eventfds, of which a member is given no more than it can do no harm with (lan_bell.h).
 *
 * Addresses: member number N has the IPv4 address N of the network's subnet, 10.77.0.0/24 by default, and a
 * link address made from it. For IPv6 the switch advertises a prefix (RFC 4861), made from the network's name,
 * from which members form their addresses (RFC 4862). There is no router: the network ends at the switch.
 */
#ifndef STACK_LINK_LAN_H
#define STACK_LINK_LAN_H

#include "base/clock.h"
#include "core/link.h"
#include "link/impair.h"

enum { LAN_ERROR_MAX = 160, LAN_NAME_MAX = 32 };

/**
 * struct lan_config - @name: of the network: letters, digits, "._-", LAN_NAME_MAX at most
 * @clock:  where waiting to join again is armed
 * @pool:   where received packets come from; borrowed until link_close()
 * @dir:    where the switch's socket is; NULL: "sockshim-lan" in $XDG_RUNTIME_DIR, else /tmp/sockshim-lan-UID
 * @net:    the IPv4 subnet of a network that is made, and of one that is found; length 0: 10.77.0.0/24, or what
 *          it has
 * @mtu:    of a network that is made, 0 for 1500
 */
struct lan_config {
	const char *name;
	struct clock *clock;
	struct pkt_pool *pool;
	const char *dir;
	struct addr_prefix net;
	uint32_t mtu;
};

/** struct lan_lease - what a member got; @number: its port's, from 1 on; @v6: the prefix that is advertised */
struct lan_lease {
	uint32_t number;
	struct link_addr mac;
	struct addr_prefix v4, v6;
	uint32_t mtu;
};

/**
 * lan_join() - join a network, which is made if it is not there
 *
 * The link carries Ethernet frames and wants ether_new(link, &link->addr) around it. Waits a few seconds at
 * most. Where the network is made, forks twice: the switch is no child of the caller.
 *
 * Return: 0; -EINVAL: no name, or no subnet that will do; -EEXIST: the network has another subnet; -ENOSPC: it
 * has all the members it can have; -EACCES: the directory is not the user's alone; -ETIMEDOUT; -EPROTO: what
 * listens there speaks otherwise; -errno.
 */
int lan_join(const struct lan_config *c, struct link **out, struct lan_lease *lease, char error[LAN_ERROR_MAX]);

/** lan_fd() - the descriptor to poll; the same for the link's whole life */
int lan_fd(const struct link *l);

/** lan_rx() - deliver about @budget packets; returns how many. The link does not fail: while the switch is gone,
 * what is sent is dropped. */
int lan_rx(struct link *l, int budget);

/** lan_is_joined() - whether there is a switch now */
bool lan_is_joined(const struct link *l);

/** struct lan_info - of a port, from its station's side (struct lan_port_stats), and how many members there are */
struct lan_info {
	uint32_t members;
	uint64_t sent, received, full, lost, refused, forged;
};

/**
 * lan_impair() - impair a port of a running network from now on; NULL: leave that direction
 * @number: of the member (struct lan_lease); @out: what it sends
 *
 * Return: 0; -ENOENT: no such network or member; -errno.
 */
int lan_impair(const char *dir, const char *name, uint32_t number, const struct impair_dir *out,
	       const struct impair_dir *in);

/** lan_get_info() - about a port; errors as lan_impair() */
int lan_get_info(const char *dir, const char *name, uint32_t number, struct lan_info *info);

#endif
