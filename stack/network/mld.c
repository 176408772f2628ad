/* Multicast Listener Discovery, host side: versions 1 and 2 (RFC 2710, 3810). */
#include "network/ipv6_impl.h"

static const struct addr mldv2_routers = { .b = { 0xff, 2, [15] = 0x16 }, .len = ADDR_LEN_V6 };

/* RFC 2710, 4: never for ff02::1, nor for groups of interface scope or less. */
static bool mld_reportable(const struct addr *group)
{
	return !addr_equal(group, &addr_v6_all_nodes) && (group->b[1] & 0xf) > 1;
}

static bool mld_send(struct nic *nic, const struct addr *group, enum member_msg msg, uint8_t version)
{
	struct net_tx tx = { .proto = IP_PROTO_ICMPV6, .ttl = 1, .router_alert = true };
	struct nic_addr *a = nic_primary_addr(nic, NET_IPV6, &addr_v6_all_nodes);
	struct addr from = addr_v6_any, to = *group;
	struct pkt *pkt;
	struct route r;

	if (nic_is_loopback(nic))
		return true;
	/* RFC 3590: link-local or, before there is one, unspecified. */
	if (a && addr_is_link_local(&a->addr))
		from = a->addr;
	pkt = pkt_alloc(nic->stack->pool, PKT_HEADROOM, MLDV2_REPORT_LEN + MLDV2_RECORD_LEN);
	if (!pkt)
		return false;
	if (version == 2) {
		mldv2_report_emit(msg == MEMBER_LEAVE ? GROUP_TO_INCLUDE
				  : msg == MEMBER_JOIN ? GROUP_TO_EXCLUDE : GROUP_MODE_IS_EXCLUDE,
				  group, pkt_put(pkt, MLDV2_REPORT_LEN + MLDV2_RECORD_LEN));
		to = mldv2_routers;
	} else {
		mld_emit(msg == MEMBER_LEAVE ? ICMPV6_MLD_DONE : ICMPV6_MLD_REPORT, 0, group,
			 pkt_put(pkt, MLD_LEN));
		if (msg == MEMBER_LEAVE)
			to = addr_v6_all_routers;
	}
	route_direct(nic, &from, &to, &r);
	icmpv6_send(&r, pkt, &tx);
	route_release(&r);
	return true;
}

const struct member_ops mld_member_ops = {
	.newest = 2,
	.reportable = mld_reportable,
	.send = mld_send,
};

void mld_rx(struct nic *nic, struct pkt *pkt, uint8_t type)
{
	struct member_nic *m = &ipv6_nic_of(nic)->members;
	struct group_query q;

	/* RFC 3810, 5.1.14 and 6.2: from a link-local address, hop limit 1. */
	if (pkt->hop_limit != 1 || !pkt_pullup(pkt, type == ICMPV6_MLDV2_REPORT ? MLDV2_REPORT_LEN
									      : MLD_LEN) ||
	    (type == ICMPV6_MLD_QUERY && !addr_is_link_local(&pkt->src))) {
		stat_inc(&nic->stack->stats.icmp.v6_invalid);
		return;
	}
	if (type == ICMPV6_MLD_REPORT) {
		struct addr group = addr_from_bytes(pkt_data(pkt) + 8, ADDR_LEN_V6);

		member_heard(m, &group);
	} else if (type == ICMPV6_MLD_QUERY) {
		if (mld_query_parse(&q, pkt_data(pkt), pkt->len))
			member_query(m, &q);
		else
			stat_inc(&nic->stack->stats.icmp.v6_invalid);
	}
}
