/* Network interfaces: a link, addresses, groups, neighbours. */
#ifndef STACK_CORE_NIC_H
#define STACK_CORE_NIC_H

#include "base/subnet.h"
#include "core/group.h"
#include "core/link.h"
#include "core/neigh.h"
#include "core/stats.h"

/** enum addr_state - life of an address (RFC 4862, 5.5) */
enum addr_state { ADDR_TENTATIVE, ADDR_PREFERRED, ADDR_DEPRECATED, ADDR_DUPLICATE };

/** enum addr_origin - where it came from */
enum addr_origin { ADDR_MANUAL, ADDR_LINK_LOCAL, ADDR_SLAAC };

/**
 * struct nic_addr - an address of a NIC
 * @node:   in the stack's table of local addresses
 * @list:   in the NIC's list
 * @subnet: the subnet its prefix makes
 * @broadcast: that subnet's broadcast, shared by the addresses in it; NULL if it has none
 * @proto:  what the network protocol keeps (DAD, lifetimes); it frees it when told of the removal
 */
struct nic_addr {
	struct htab_node node;
	struct list list;
	struct nic *nic;
	struct addr addr;
	uint8_t prefix_len;
	enum addr_state state;
	enum addr_origin origin;
	struct subnet subnet;
	struct nic_broadcast *broadcast;
	void *proto;
};

/** struct nic_broadcast - a subnet's broadcast address, with the number of our addresses in there */
struct nic_broadcast {
	struct list list;
	struct addr addr;
	uint32_t refs;
};

enum { NIC_NAME_MAX = 16 };

/**
 * struct nic - a network interface
 * @max_mtu:    the MTU its link came with
 * @net_mtu:    MTU a family was told to keep to (router advertisements), 0 for the link's
 * @listeners:  packet endpoints that want frames for other hosts too
 * @loop:       packets on their way back to this stack
 * @groups:     struct nic_group
 * @net_state:  the network protocols' own
 */
struct nic {
	struct htab_node node;
	struct list list;
	struct link_sink sink;
	struct stack *stack;
	struct link *link;
	uint32_t id;
	char name[NIC_NAME_MAX];
	bool enabled, promiscuous;
	bool forwarding[NET_FAMILIES];
	uint32_t listeners;
	uint32_t max_mtu;
	uint32_t net_mtu[NET_FAMILIES];
	struct list addrs;
	struct list broadcasts;
	struct htab groups;
	struct neigh_cache neigh[NET_FAMILIES];
	void *net_state[NET_COUNT];
	struct pkt_queue loop;
	struct task loop_task;
	struct nic_stats stats;
};

/**
 * nic_create() - add a NIC over @link, which it owns from now on, in error too
 * @id:   not 0; DUPLICATE_NIC_ID if it, or @name, is taken
 * @name: at most NIC_NAME_MAX - 1 characters, NULL for "nic<id>"
 *
 * It comes up enabled. BAD_LINK_ENDPOINT: the MTU is below 68.
 */
enum ns_err nic_create(struct stack *s, uint32_t id, const char *name, struct link *link,
		       struct nic **out);

/** nic_remove() - take a NIC away, with its addresses, routes and link */
enum ns_err nic_remove(struct stack *s, uint32_t id);

struct nic *nic_find(const struct stack *s, uint32_t id);
struct nic *nic_find_name(const struct stack *s, const char *name);

void nic_set_enabled(struct nic *nic, bool on);
void nic_set_forwarding(struct nic *nic, enum net_index net, bool on);

/** nic_set_mtu() - from 68 (1280 for IPv6 to go on) up to what the link takes */
enum ns_err nic_set_mtu(struct nic *nic, uint32_t mtu);

/** nic_add_addr() - DUPLICATE_ADDRESS if the NIC has it, BAD_ADDRESS if it can be nobody's */
enum ns_err nic_add_addr(struct nic *nic, const struct addr_prefix *a, enum addr_origin origin,
			 struct nic_addr **out);

/** nic_remove_addr() - BAD_LOCAL_ADDRESS if the NIC has not got it */
enum ns_err nic_remove_addr(struct nic *nic, const struct addr *a);

/** nic_find_addr() - the NIC's own address @a, in whatever state */
struct nic_addr *nic_find_addr(const struct nic *nic, const struct addr *a);

/** nic_addr_usable() - whether packets to it are accepted (not tentative, no duplicate) */
static inline bool nic_addr_usable(const struct nic_addr *a)
{
	return a->state == ADDR_PREFERRED || a->state == ADDR_DEPRECATED;
}

/** nic_primary_addr() - an address to send from to @remote (RFC 6724 rules 1, 2, 3, 8), or NULL */
struct nic_addr *nic_primary_addr(const struct nic *nic, enum net_index net,
				  const struct addr *remote);

/** nic_is_broadcast() - whether @a is the limited or a subnet broadcast on this NIC */
bool nic_is_broadcast(const struct nic *nic, const struct addr *a);

/** nic_write() - takes @pkt: count it and give it to the link, which has what it needs */
enum ns_err nic_write(struct nic *nic, struct pkt *pkt);

/** nic_loop() - takes @pkt, a network packet: receive it on this NIC, once the present call is over */
void nic_loop(struct nic *nic, struct pkt *pkt);

/** nic_loop_copy() - nic_loop() with a copy of a packet of protocol @net_proto, if there is memory for one */
void nic_loop_copy(struct nic *nic, const struct pkt *pkt, uint16_t net_proto);

/** nic_mtu() - the largest packet of a family */
static inline uint32_t nic_mtu(const struct nic *nic, enum net_index net)
{
	uint32_t mtu = nic->net_mtu[net];

	return mtu && mtu < nic->link->mtu ? mtu : nic->link->mtu;
}

static inline bool nic_is_loopback(const struct nic *nic)
{
	return nic->link->caps & LINK_CAP_LOOPBACK;
}

#endif
