/* The interface of transport protocols. */
#ifndef STACK_CORE_TRANSPROTO_H
#define STACK_CORE_TRANSPROTO_H

#include "core/netproto.h"

struct demux_key;
struct endpoint;

/** enum trans_rx - what became of a received packet */
enum trans_rx {
	TRANS_RX_TAKEN,			/* the protocol took it */
	TRANS_RX_NO_PORT,		/* still the caller's: nobody listens, say so by ICMP */
};

/**
 * struct trans_proto_ops - a transport protocol; one constant structure each
 * @number:       IP protocol number
 * @number6:      the same over IPv6 where it differs (ICMP), else 0
 * @stack_attach: make the protocol's state for a stack, kept at stack->trans[..].state
 * @endpoint_new: an endpoint for family @net, with one reference that endpoint_close() drops
 * @rx:           @pkt's transport header first; @pkt->src, dst, trans_proto, nic_id, type are set
 * @rx_error:     an ICMP error about a packet this protocol sent
 * @find:         the endpoint that would receive a packet, for who asks whose one is (filters); NULL: it is
 *                the demultiplexer's
 * @set_option, @get_option: protocol-wide settings (enum sockopt); NULL: none
 */
struct trans_proto_ops {
	const char *name;
	uint8_t number, number6;
	void *(*stack_attach)(struct stack *s);
	void (*stack_detach)(struct stack *s, void *state);
	enum ns_err (*endpoint_new)(struct stack *s, enum net_index net, struct endpoint **ep);
	enum trans_rx (*rx)(struct nic *nic, struct pkt *pkt);
	void (*rx_error)(struct stack *s, struct net_error *e);
	struct endpoint *(*find)(struct stack *s, const struct demux_key *k);
	enum ns_err (*set_option)(struct stack *s, int opt, const void *val, size_t len);
	enum ns_err (*get_option)(struct stack *s, int opt, void *val, size_t len);
};

#endif
