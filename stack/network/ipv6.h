/* IPv6 as a network protocol. */
#ifndef STACK_NETWORK_IPV6_H
#define STACK_NETWORK_IPV6_H

#include "core/stack.h"

/**
 * struct ipv6_config - how NICs come up (RFC 4861, 4862)
 * @dad_transmits:   DupAddrDetectTransmits; 0: no duplicate address detection
 * @rs_transmits:    MAX_RTR_SOLICITATIONS; 0: routers are not asked
 * @accept_ra:       believe router advertisements while not forwarding
 * @auto_link_local: make a link-local address from the link address
 * @accept_redirects: follow redirects (RFC 4861, 8.3) while not forwarding
 */
struct ipv6_config {
	uint8_t dad_transmits;
	uint8_t rs_transmits;
	bool accept_ra;
	bool auto_link_local;
	bool accept_redirects;
};

/** ipv6_config_get(), ipv6_config_set() - for NICs that come up from now on; the stack has IPv6 */
struct ipv6_config ipv6_config_get(const struct stack *s);
void ipv6_config_set(struct stack *s, const struct ipv6_config *c);

extern const struct net_proto_ops ipv6_proto;

#endif
