/* What the files of IPv4 share among themselves. */
#ifndef STACK_NETWORK_IPV4_IMPL_H
#define STACK_NETWORK_IPV4_IMPL_H

#include "core/stack.h"
#include "header/ipv4.h"
#include "network/ipv4.h"
#include "network/member.h"
#include "network/reasm.h"

enum { IPV4_ID_BUCKETS = 1024 };

/** struct ipv4_stack - of a stack; @ids: the next identification per hash of addresses and protocol */
struct ipv4_stack {
	struct stack *stack;
	struct ipv4_config config;
	struct reasm reasm;
	uint16_t ids[IPV4_ID_BUCKETS];
};

/** struct ipv4_nic - of a NIC: its memberships, as IGMP reports them */
struct ipv4_nic {
	struct member_nic members;
};

static inline struct ipv4_stack *ipv4_of(const struct stack *s)
{
	return s->net_state[NET_IPV4];
}

/** ipv4_tx() - the protocol's tx operation */
enum ns_err ipv4_tx(struct route *r, struct pkt *pkt, const struct net_tx *tx);

/** ipv4_send_parts() - takes @pkt with its header in place: send it along @r, in fragments of @mtu
 * bytes if it is larger */
enum ns_err ipv4_send_parts(struct route *r, struct pkt *pkt, uint32_t mtu);

/** ipv4_deliver() - takes @pkt, whole and for this stack, header pulled */
void ipv4_deliver(struct nic *nic, struct pkt *pkt);

/** ipv4_timestamp() - milliseconds since midnight UT (RFC 791, 792) */
uint32_t ipv4_timestamp(const struct stack *s);

/** ipv4_opts_record() - write ourselves, as @own, into the record route and timestamp options among
 * @len bytes of options without faults; unless it is the @origin, who has no room is counted */
void ipv4_opts_record(const struct stack *s, uint8_t *opts, size_t len, const struct addr *own, bool origin);

/** ipv4_opts_echo() - the options of a header that a reply carries too (RFC 1122, 3.2.2.6), padded;
 * writes at most IPV4_HDR_MAX - IPV4_HDR_LEN bytes and returns how many */
uint8_t ipv4_opts_echo(const uint8_t *hdr, size_t hdr_len, uint8_t *out);

/** icmpv4_rx() - takes @pkt: an ICMP message for this stack */
void icmpv4_rx(struct nic *nic, struct pkt *pkt);

/** icmpv4_send_error() - borrows @pkt, received: answer it with an error, if rules and rate allow */
void icmpv4_send_error(struct nic *nic, struct pkt *pkt, uint8_t type, uint8_t code, uint32_t rest);

/** icmpv4_count() - the counter of @type in one direction, NULL if it has none */
struct stat_counter *icmpv4_counter(struct icmpv4_packet_stats *st, uint8_t type);

/** igmp_rx() - takes @pkt: an IGMP message */
void igmp_rx(struct nic *nic, struct pkt *pkt);

extern const struct member_ops igmp_member_ops;

#endif
