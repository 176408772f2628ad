/* Routes: the table, and what becomes of a look-up in it. */
#ifndef STACK_CORE_ROUTE_H
#define STACK_CORE_ROUTE_H

#include "base/htab.h"
#include "base/subnet.h"
#include "core/netproto.h"

struct neigh;

/**
 * struct route_row - a row of the table: viable if @destination contains the target
 * @gateway: length 0 if the target itself is the next hop
 */
struct route_row {
	struct subnet destination;
	struct addr gateway;
	uint32_t nic;
};

/** struct route_entry - a row in the table; rows count in the order in which they were added */
struct route_entry {
	struct htab_node node;
	uint8_t prefix_len;		/* in a cache line with what a look-up compares */
	struct route_row row;
	uint64_t order;
};

/**
 * struct route_table - rows hashed by prefix, one probe per prefix length in use
 * @used: rows per family and prefix length
 * @lens: the prefix lengths in use, @nlens of them
 */
struct route_table {
	struct htab rows;
	uint64_t next_order;
	uint32_t used[NET_FAMILIES][129];
	uint8_t lens[NET_FAMILIES][129];
	uint8_t nlens[NET_FAMILIES];
};

enum route_kind { ROUTE_UNICAST, ROUTE_BROADCAST, ROUTE_MULTICAST };

/**
 * struct route - where packets to an address go
 *
 * Kept by endpoints across packets: route_valid() says whether what it was made from still holds.
 * @loop: the target is an address of this stack
 * @narrow: with @mtu: pmtu_is_narrow()
 * @neigh: the next hop's entry, looked up at the first packet; owns a reference
 */
struct route {
	struct stack *stack;
	struct nic *nic;
	const struct net_proto_ops *net;
	struct neigh *neigh;
	struct addr local, remote, next_hop;
	uint32_t gen, pmtu_gen;
	uint32_t mtu;
	uint8_t kind;
	bool loop;
	bool narrow;
};

/** struct route_key - what a route is wanted for: @nic 0 for any; @local may be none, and then one
 * is chosen unless @forwarded: what is forwarded has a source */
struct route_key {
	uint32_t nic;
	bool forwarded;
	struct addr local;
	struct addr remote;
};

void route_table_init(struct route_table *t);
void route_table_fini(struct route_table *t);

/** route_add() - append a row; UNKNOWN_NIC_ID, BAD_ADDRESS (gateway of another family) */
enum ns_err route_add(struct stack *s, const struct route_row *row);

/** route_remove() - remove rows equal to @row (@row->nic 0: any NIC); false if there was none */
bool route_remove(struct stack *s, const struct route_row *row);

/** route_set_table() - replace all rows by these, in this order */
enum ns_err route_set_table(struct stack *s, const struct route_row *rows, size_t n);

/** route_remove_nic() - remove the rows of a NIC that goes away */
void route_remove_nic(struct stack *s, uint32_t nic);

/** route_walk() - call @fn for each row, in no order */
void route_walk(const struct stack *s, void (*fn)(void *ctx, const struct route_row *row), void *ctx);

/**
 * route_find() - the first viable row for @key, made into a route
 *
 * The caller releases it with route_release(). NO_ROUTE, UNKNOWN_NIC_ID, BAD_LOCAL_ADDRESS (the
 * local address asked for is none of ours), NETWORK_UNREACHABLE (the stack lacks the family).
 */
enum ns_err route_find(struct stack *s, const struct route_key *key, struct route *out);

/** route_direct() - a route on @nic without asking the table: @remote is the next hop; @local is
 * taken as it is (NDP, IGMP). Cannot fail; released like any other. */
void route_direct(struct nic *nic, const struct addr *local, const struct addr *remote,
		  struct route *out);

/** route_valid() - whether the route may still be used */
bool route_valid(const struct route *r);

/** route_mtu() - the path MTU: the largest network packet, header included */
uint32_t route_mtu(struct route *r);

/** route_gso_max() - the largest TCP super-segment, network header included; 0: cut up yourself */
uint32_t route_gso_max(const struct route *r);

/** route_release() - drop what the route holds */
void route_release(struct route *r);

/** route_send() - takes @pkt, complete with network header: resolve the next hop and send it */
enum ns_err route_send(struct route *r, struct pkt *pkt);

/** route_confirm() - the peer answered: the next hop is reachable (RFC 4861, 7.3.1) */
void route_confirm(struct route *r);

static inline bool route_is_set(const struct route *r)
{
	return r->nic != NULL;
}

#endif
