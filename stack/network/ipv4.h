/* IPv4 as a network protocol. */
#ifndef STACK_NETWORK_IPV4_H
#define STACK_NETWORK_IPV4_H

#include "core/stack.h"

/**
 * struct ipv4_config - of a stack
 * @accept_redirects: follow what routers say of better ones (RFC 1122, 3.2.2.2), on NICs that do not
 *                    forward
 */
struct ipv4_config {
	bool accept_redirects;
};

/** ipv4_config_get(), ipv4_config_set() - the stack has IPv4 */
struct ipv4_config ipv4_config_get(const struct stack *s);
void ipv4_config_set(struct stack *s, const struct ipv4_config *c);

extern const struct net_proto_ops ipv4_proto;

#endif
