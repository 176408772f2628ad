/* The interface of network protocols. */
#ifndef STACK_CORE_NETPROTO_H
#define STACK_CORE_NETPROTO_H

#include "base/addr.h"
#include "base/err.h"
#include "buffer/pkt.h"

struct nic;
struct nic_addr;
struct nic_group;
struct route;
struct stack;

/** enum net_index - a small number for each network protocol, to index tables with */
enum net_index { NET_IPV4, NET_IPV6, NET_ARP, NET_COUNT };

enum { NET_FAMILIES = NET_IPV6 + 1 };	/* those that have addresses and endpoints */

static inline enum net_index net_index_of(const struct addr *a)
{
	return a->len == ADDR_LEN_V4 ? NET_IPV4 : NET_IPV6;
}

/** enum net_pmtud - whether packets may be fragmented; values of IP_MTU_DISCOVER (ip(7)) */
enum net_pmtud {
	NET_PMTUD_DONT,			/* fragment here and on the way */
	NET_PMTUD_WANT,			/* here when over the path MTU, never on the way */
	NET_PMTUD_DO,			/* never: MESSAGE_TOO_LONG */
	NET_PMTUD_PROBE,		/* never, and look only at the link's MTU */
};

/**
 * struct net_tx - how the network layer is to send a packet
 * @proto: IP protocol number of what follows
 * @ttl:   TTL or hop limit, 0 for the default
 * @tos:   TOS or traffic class
 * @pmtud: enum net_pmtud
 * @router_alert: with the router alert option (RFC 2113, 2711)
 * @loop_back: multicast: members on this host get it too
 * @hdr_included: the packet starts with its network header; of the rest only @pmtud and @loop_back count
 * @opts, @nopts: IPv4 options, their length a multiple of 4; not with @router_alert
 */
struct net_tx {
	uint8_t proto;
	uint8_t ttl;
	uint8_t tos;
	uint8_t pmtud;
	bool router_alert;
	bool loop_back;
	bool hdr_included;
	uint8_t nopts;
	const uint8_t *opts;
};

/** enum net_reject - why a received packet is answered with an ICMP error */
enum net_reject {
	NET_REJECT_PORT, NET_REJECT_PROTOCOL, NET_REJECT_HOST, NET_REJECT_NET, NET_REJECT_ADMIN,
	NET_REJECT_NET_PROHIBITED, NET_REJECT_HOST_PROHIBITED,	/* IPv4; IPv6: as ADMIN */
	NET_REJECT_POLICY, NET_REJECT_ROUTE,			/* IPv6 (RFC 4443, 3.1); IPv4: as ADMIN */
};

/** enum net_error_kind - what an ICMP error says about a packet we sent */
enum net_error_kind {
	NET_ERROR_UNREACHABLE, NET_ERROR_TOO_BIG, NET_ERROR_TIME_EXCEEDED, NET_ERROR_PARAM_PROBLEM,
	NET_ERROR_LINK_FAILED,		/* no ICMP: the next hop's link address could not be found */
};

/**
 * struct net_error - an ICMP error, as told to the transport protocol
 * @err:  what a connected endpoint reports
 * @hard: whether RFC 1122 4.2.3.9 calls it hard (port, protocol unreachable)
 * @mtu:  TOO_BIG: the next hop's MTU, 0 if the router did not say
 * @type, @code: as in the ICMP header; @ttl: of the packet that brought it, 0 if none did
 * @local, @remote: source and destination of the packet quoted
 * @lport, @rport: its ports, as far as the protocol has such
 * @offender: who sent the error, length 0 for ourselves
 * @hdr:  at least 8 bytes of its transport header, @hdr_len of them; valid until return
 * @nic:  where the error came in
 */
struct net_error {
	enum net_error_kind kind;
	enum ns_err err;
	bool hard;
	uint32_t mtu;
	uint8_t type, code, ttl;
	struct addr local, remote, offender;
	uint16_t lport, rport;
	const uint8_t *hdr;
	size_t hdr_len;
	struct nic *nic;
};

/**
 * struct net_proto_ops - a network protocol; one constant structure each
 * @number:       Ethernet type
 * @index:        enum net_index
 * @stack_attach: make the protocol's state for a stack, kept at stack->net_state[index];
 *                NULL result: no memory
 * @nic_attach:   the same for a NIC, kept at nic->net_state[index]
 * @nic_enabled:  the NIC came up or went down
 * @rx:           takes @pkt: a packet of this protocol, its header first
 * @tx:           takes @pkt, a transport header first: put a header on it and send it along @r
 *               (INVALID_OPTION_VALUE: a header included that is none)
 * @reject:       borrows @pkt, received: answer with an ICMP error, if rules and rates allow it
 * @addr_added:   an address was put on a NIC (tentative where DAD is due), or @addr_removed
 * @group_changed: what the members of a multicast group on a NIC want is another thing now; @g has
 *                no members left when the last one went
 * @solicit:      ask for the link address of @target; @to NULL: all, else only that neighbour.
 *                @resolves says for which family.
 */
struct net_proto_ops {
	const char *name;
	uint16_t number;
	uint8_t index;
	int8_t resolves;		/* enum net_index, -1 if it resolves none */
	uint8_t default_ttl;
	void *(*stack_attach)(struct stack *s);
	void (*stack_detach)(struct stack *s, void *state);
	void *(*nic_attach)(struct nic *nic);
	void (*nic_detach)(struct nic *nic, void *state);
	void (*nic_enabled)(struct nic *nic, bool enabled);
	void (*rx)(struct nic *nic, struct pkt *pkt);
	enum ns_err (*tx)(struct route *r, struct pkt *pkt, const struct net_tx *tx);
	void (*reject)(struct nic *nic, struct pkt *pkt, enum net_reject why);
	void (*addr_added)(struct nic *nic, struct nic_addr *a);
	void (*addr_removed)(struct nic *nic, struct nic_addr *a);
	void (*group_changed)(struct nic *nic, const struct nic_group *g);
	void (*solicit)(struct nic *nic, const struct addr *target, const struct link_addr *to);
};

#endif
