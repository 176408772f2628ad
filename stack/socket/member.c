/* Multicast options of IP and IPv6: memberships and the outgoing interface (ip(7), ipv6(7), RFC 3678). */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "socket/impl.h"

/* What a membership option's value says, in any of its forms; false if @len is too short for it. */
struct member_form {
	int level, name;
	bool add;
	bool (*read)(const void *val, socklen_t len, struct sockopt_membership *m);
};

static bool read_mreq(const void *val, socklen_t len, struct sockopt_membership *m)
{
	struct ip_mreqn r = { 0 };

	if (len < sizeof(struct ip_mreq))
		return false;
	memcpy(&r, val, len < sizeof(r) ? len : sizeof(r));
	*m = (struct sockopt_membership){
		.nic = len >= sizeof(r) && r.imr_ifindex > 0 ? (uint32_t)r.imr_ifindex : 0,
		.iface = addr_from_bytes((const uint8_t *)&r.imr_address, ADDR_LEN_V4),
		.group = addr_from_bytes((const uint8_t *)&r.imr_multiaddr, ADDR_LEN_V4),
	};
	return true;
}

static bool read_mreq6(const void *val, socklen_t len, struct sockopt_membership *m)
{
	struct ipv6_mreq r;

	if (len < sizeof(r))
		return false;
	memcpy(&r, val, sizeof(r));
	*m = (struct sockopt_membership){
		.nic = r.ipv6mr_interface,
		.group = addr_from_bytes((const uint8_t *)&r.ipv6mr_multiaddr, ADDR_LEN_V6),
	};
	return true;
}

static bool read_sockaddr(const struct sockaddr_storage *ss, struct addr *out)
{
	struct full_addr f;

	if (sock_addr_to_full((const struct sockaddr *)ss, sizeof(*ss),
			      ss->ss_family == AF_INET6 ? AF_INET6 : AF_INET, &f))
		return false;
	*out = f.addr;
	return true;
}

/* RFC 3678: the group as a sockaddr of either family. */
static bool read_group(const void *val, socklen_t len, struct sockopt_membership *m)
{
	struct group_req r;

	if (len < sizeof(r))
		return false;
	memcpy(&r, val, sizeof(r));
	*m = (struct sockopt_membership){ .nic = r.gr_interface };
	return read_sockaddr(&r.gr_group, &m->group);
}

static const struct member_form member_forms[] = {
	{ IPPROTO_IP, IP_ADD_MEMBERSHIP, true, read_mreq },
	{ IPPROTO_IP, IP_DROP_MEMBERSHIP, false, read_mreq },
	{ IPPROTO_IP, MCAST_JOIN_GROUP, true, read_group },
	{ IPPROTO_IP, MCAST_LEAVE_GROUP, false, read_group },
	{ IPPROTO_IPV6, IPV6_JOIN_GROUP, true, read_mreq6 },
	{ IPPROTO_IPV6, IPV6_LEAVE_GROUP, false, read_mreq6 },
	{ IPPROTO_IPV6, MCAST_JOIN_GROUP, true, read_group },
	{ IPPROTO_IPV6, MCAST_LEAVE_GROUP, false, read_group },
};

/* Source filters: ip_mreq_source and group_source_req. */
static const struct {
	int level, name;
	enum sockopt stack;
} source_forms[] = {
	{ IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, SOCKOPT_ADD_SOURCE_MEMBERSHIP },
	{ IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, SOCKOPT_REMOVE_SOURCE_MEMBERSHIP },
	{ IPPROTO_IP, IP_BLOCK_SOURCE, SOCKOPT_BLOCK_SOURCE },
	{ IPPROTO_IP, IP_UNBLOCK_SOURCE, SOCKOPT_UNBLOCK_SOURCE },
	{ 0, MCAST_JOIN_SOURCE_GROUP, SOCKOPT_ADD_SOURCE_MEMBERSHIP },
	{ 0, MCAST_LEAVE_SOURCE_GROUP, SOCKOPT_REMOVE_SOURCE_MEMBERSHIP },
	{ 0, MCAST_BLOCK_SOURCE, SOCKOPT_BLOCK_SOURCE },
	{ 0, MCAST_UNBLOCK_SOURCE, SOCKOPT_UNBLOCK_SOURCE },
};

static bool read_source(bool by_sockaddr, const void *val, socklen_t len,
			struct sockopt_source_membership *m)
{
	struct group_source_req g;
	struct ip_mreq_source r;

	*m = (struct sockopt_source_membership){ 0 };
	if (by_sockaddr) {
		if (len < sizeof(g))
			return false;
		memcpy(&g, val, sizeof(g));
		m->nic = g.gsr_interface;
		return read_sockaddr(&g.gsr_group, &m->group) && read_sockaddr(&g.gsr_source, &m->source);
	}
	if (len < sizeof(r))
		return false;
	memcpy(&r, val, sizeof(r));
	m->iface = addr_from_bytes((const uint8_t *)&r.imr_interface, ADDR_LEN_V4);
	m->group = addr_from_bytes((const uint8_t *)&r.imr_multiaddr, ADDR_LEN_V4);
	m->source = addr_from_bytes((const uint8_t *)&r.imr_sourceaddr, ADDR_LEN_V4);
	return true;
}

static int set_source(struct sock *k, int level, int name, const void *val, socklen_t len)
{
	struct sockopt_source_membership m;

	for (size_t i = 0; i < sizeof(source_forms) / sizeof(source_forms[0]); i++) {
		if (source_forms[i].name != name || (source_forms[i].level && source_forms[i].level != level))
			continue;
		if (!read_source(!source_forms[i].level, val, len, &m))
			return -EINVAL;
		return -ns_err_errno(endpoint_set_option(k->ep, source_forms[i].stack, &m, sizeof(m)));
	}
	return -ENOPROTOOPT;
}

static int set_mcast_if(struct sock *k, int level, const void *val, socklen_t len)
{
	struct sockopt_mcast_if mif = { 0 };
	struct ip_mreqn r = { 0 };
	int index;

	if (len < sizeof(index))
		return -EINVAL;
	if (level == IPPROTO_IPV6) {
		memcpy(&index, val, sizeof(index));
		mif.nic = index > 0 ? (uint32_t)index : 0;
	} else {
		/* ip(7): an address, a mreq or a mreqn */
		if (len >= sizeof(struct ip_mreq))
			memcpy(&r, val, len < sizeof(r) ? len : sizeof(r));
		else
			memcpy(&r.imr_address, val, sizeof(r.imr_address));
		mif.nic = r.imr_ifindex > 0 ? (uint32_t)r.imr_ifindex : 0;
		mif.addr = addr_from_bytes((const uint8_t *)&r.imr_address, ADDR_LEN_V4);
	}
	return -ns_err_errno(endpoint_set_option(k->ep, SOCKOPT_MULTICAST_INTERFACE, &mif, sizeof(mif)));
}

int sock_set_membership(struct sock *k, int level, int name, const void *val, socklen_t len)
{
	struct sockopt_membership m;

	if ((level == IPPROTO_IP && name == IP_MULTICAST_IF) ||
	    (level == IPPROTO_IPV6 && name == IPV6_MULTICAST_IF))
		return set_mcast_if(k, level, val, len);
	for (size_t i = 0; i < sizeof(member_forms) / sizeof(member_forms[0]); i++) {
		const struct member_form *f = &member_forms[i];

		if (f->level != level || f->name != name)
			continue;
		if (!f->read(val, len, &m))
			return -EINVAL;
		return -ns_err_errno(endpoint_set_option(k->ep, f->add ? SOCKOPT_ADD_MEMBERSHIP
									: SOCKOPT_REMOVE_MEMBERSHIP,
							 &m, sizeof(m)));
	}
	return level == IPPROTO_IP || level == IPPROTO_IPV6 ? set_source(k, level, name, val, len) : -ENOPROTOOPT;
}

int sock_get_mcast_if(struct sock *k, int level, void *val, socklen_t *len)
{
	struct sockopt_mcast_if mif;
	size_t n = sizeof(mif);
	enum ns_err err = endpoint_get_option(k->ep, SOCKOPT_MULTICAST_INTERFACE, &mif, &n);
	uint32_t v;

	if (err)
		return -ns_err_errno(err);
	v = mif.nic;
	if (level == IPPROTO_IP)
		memcpy(&v, mif.addr.b, sizeof(v));
	*len = *len < sizeof(v) ? *len : (socklen_t)sizeof(v);
	memcpy(val, &v, *len);
	return 0;
}
