/* What the files of IPv6 share among themselves. */
#ifndef STACK_NETWORK_IPV6_IMPL_H
#define STACK_NETWORK_IPV6_IMPL_H

#include "core/stack.h"
#include "header/icmp.h"
#include "header/ipv6.h"
#include "network/ipv6.h"
#include "network/member.h"
#include "network/ndp.h"
#include "network/reasm.h"

/** struct ipv6_stack - of a stack */
struct ipv6_stack {
	struct stack *stack;
	struct ipv6_config config;
	struct reasm reasm;
	uint32_t frag_counter;
};

/** struct ipv6_nic - of a NIC; @hop_limit: as routers advertise, 0 for the stack's */
struct ipv6_nic {
	struct member_nic members;
	struct ndp_nic ndp;
	uint8_t hop_limit;
};

static inline struct ipv6_stack *ipv6_of(const struct stack *s)
{
	return s->net_state[NET_IPV6];
}

static inline struct ipv6_nic *ipv6_nic_of(const struct nic *nic)
{
	return nic->net_state[NET_IPV6];
}

/** ipv6_tx() - the protocol's tx operation */
enum ns_err ipv6_tx(struct route *r, struct pkt *pkt, const struct net_tx *tx);

/** ipv6_may_fragment() - borrows: whether a fragment header can go right after the IPv6 header */
bool ipv6_may_fragment(const struct pkt *pkt);

/** ipv6_send_forwarded() - takes @pkt with its header in place; only what was put together here may
 * be larger than the MTU, and goes in fragments again */
enum ns_err ipv6_send_forwarded(struct route *r, struct pkt *pkt);

/** icmpv6_rx() - takes @pkt: an ICMPv6 message for this stack */
void icmpv6_rx(struct nic *nic, struct pkt *pkt);

/** icmpv6_send_error() - borrows @pkt, received: answer it with an error, if rules and rate allow */
void icmpv6_send_error(struct nic *nic, struct pkt *pkt, uint8_t type, uint8_t code, uint32_t rest);

/** icmpv6_send() - takes @pkt, an ICMPv6 message with checksum zero: compute it, count and send */
enum ns_err icmpv6_send(struct route *r, struct pkt *pkt, const struct net_tx *tx);

/** mld_rx() - borrows @pkt, an MLD message */
void mld_rx(struct nic *nic, struct pkt *pkt, uint8_t type);

extern const struct member_ops mld_member_ops;

#endif
