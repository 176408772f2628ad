/* The demultiplexer: from a packet's addresses and ports to its endpoint. */
#ifndef STACK_CORE_DEMUX_H
#define STACK_CORE_DEMUX_H

#include "base/htab.h"
#include "core/netproto.h"

struct endpoint;

/**
 * struct demux_node - an endpoint's entry; the protocol embeds as many as it needs (two for a
 * wildcard of both families)
 * @local, @remote: length 0 for any
 * @rport:  0 for any, with @remote
 * @nic:    only packets received there, 0 for all
 * @balance: share the packets with equal entries that have it too (reuse port)
 * @unique:  no other entry may have the same key (a TCP connection)
 */
struct demux_node {
	struct htab_node node;
	struct endpoint *ep;
	struct addr local, remote;
	uint16_t lport, rport;
	uint32_t nic;
	uint8_t net, proto;
	bool balance, unique, registered;
};

/** demux_add() - enter @n, all but @node and @registered filled in; PORT_IN_USE if it is to be
 * unique and is not, NO_MEMORY */
enum ns_err demux_add(struct stack *s, struct demux_node *n);

/** demux_remove() - take @n out, if it is in */
void demux_remove(struct stack *s, struct demux_node *n);

/** struct demux_key - of a received packet, or of one that an ICMP error quotes */
struct demux_key {
	struct addr local, remote;
	uint16_t lport, rport;
	uint32_t nic;
	uint8_t net, proto;
};

/**
 * demux_find() - the endpoint with the closest entry: exact, then without the local address, then
 * without the remote one, then by port alone; NULL if there is none
 */
struct endpoint *demux_find(struct stack *s, const struct demux_key *k);

/** demux_find_exact() - the endpoint connected with exactly these addresses and ports */
struct endpoint *demux_find_exact(struct stack *s, const struct demux_key *k);

/** demux_find_all() - call @fn for each endpoint with an entry that matches (multicast, broadcast);
 * returns how many. @fn may not change entries. */
size_t demux_find_all(struct stack *s, const struct demux_key *k,
		      void (*fn)(void *ctx, struct endpoint *ep), void *ctx);

#endif
