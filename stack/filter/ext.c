/* The matches and targets there are. */
#include "filter/model.h"

#include <string.h>

static const struct ext_ops *const matches[] = {
	&match_tcp, &match_udp, &match_icmp, &match_icmp6, &match_multiport, &match_state,
	&match_conntrack, &match_owner, &match_limit, &match_mark, &match_comment, &match_addrtype,
};

static const struct ext_ops *const targets[] = {
	&target_accept, &target_drop, &target_return, &target_reject, &target_reject6, &target_mark,
	&target_notrack, &target_ct, &target_snat, &target_dnat, &target_redirect,
	&target_masquerade,
};

static const struct ext_ops *find(const struct ext_ops *const *list, size_t n, const char *name,
				  enum net_index net)
{
	for (size_t i = 0; i < n; i++)
		if (list[i]->nets & 1 << net && !strcmp(list[i]->name, name))
			return list[i];
	return NULL;
}

const struct ext_ops *ext_find_match(const char *name, enum net_index net)
{
	if (net == NET_IPV6 && (!strcmp(name, "icmpv6") || !strcmp(name, "ipv6-icmp")))
		name = "icmp6";
	return find(matches, sizeof(matches) / sizeof(matches[0]), name, net);
}

const struct ext_ops *ext_find_target(const char *name, enum net_index net)
{
	return find(targets, sizeof(targets) / sizeof(targets[0]), name, net);
}

const struct ext_ops *ext_match_of_proto(uint8_t proto, enum net_index net)
{
	switch (proto) {
	case IP_PROTO_TCP:
		return &match_tcp;
	case IP_PROTO_UDP:
		return &match_udp;
	case IP_PROTO_ICMP:
		return net == NET_IPV4 ? &match_icmp : NULL;
	case IP_PROTO_ICMPV6:
		return net == NET_IPV6 ? &match_icmp6 : NULL;
	default:
		return NULL;
	}
}
