/* Multicast Listener Discovery, host side: versions 1 and 2 (RFC 2710, 3810). */
#include "network/ipv6_impl.h"

static const struct addr mldv2_routers = { .b = { 0xff, 2, [15] = 0x16 }, .len = ADDR_LEN_V6 };

/* RFC 2710, 4: never for ff02::1, nor for groups of interface scope or less. */
static bool mld_reportable(const struct addr *group)
{
	return !addr_equal(group, &addr_v6_all_nodes) && (group->b[1] & 0xf) > 1;
}

/* Takes @pkt, an MLD message with checksum zero, and sends it. */
static void mld_send(struct nic *nic, struct pkt *pkt, uint8_t type, const struct addr *to)
{
	struct net_tx tx = { .proto = IP_PROTO_ICMPV6, .ttl = 1, .router_alert = true };
	struct nic_addr *a = nic_primary_addr(nic, NET_IPV6, &addr_v6_all_nodes);
	struct route r;

	(void)type;
	/* RFC 3590: link-local or, before there is one, unspecified. */
	route_direct(nic, a && addr_is_link_local(&a->addr) ? &a->addr : &addr_v6_any, to, &r);
	icmpv6_send(&r, pkt, &tx);
	route_release(&r);
}

static uint8_t mld_old_type(bool leave, uint8_t version)
{
	(void)version;
	return leave ? ICMPV6_MLD_DONE : ICMPV6_MLD_REPORT;
}

const struct member_ops mld_member_ops = {
	.newest = 2,
	.report_type = ICMPV6_MLDV2_REPORT,
	.report_to = &mldv2_routers,
	.reportable = mld_reportable,
	.old_len = MLD_LEN,
	.old_leave_to = &addr_v6_all_routers,
	.old_type = mld_old_type,
	.old_emit = mld_emit,
	.send = mld_send,
};

void mld_rx(struct nic *nic, struct pkt *pkt, uint8_t type)
{
	struct member_nic *m = &ipv6_nic_of(nic)->members;
	struct group_query q;

	/* RFC 3810, 5.1.14 and 6.2: from a link-local address, hop limit 1. */
	if (pkt->hop_limit != 1 || !pkt_pullup(pkt, type == ICMPV6_MLDV2_REPORT ? GROUP_REPORT_LEN : MLD_LEN) ||
	    (type == ICMPV6_MLD_QUERY && !addr_is_link_local(&pkt->src))) {
		stats_malformed(&nic->stack->stats, &nic->stack->stats.icmp.v6_invalid);
		return;
	}
	if (type == ICMPV6_MLD_REPORT) {
		struct addr group = addr_from_bytes(pkt_data(pkt) + 8, ADDR_LEN_V6);

		member_heard(m, &group);
	} else if (type == ICMPV6_MLD_QUERY) {
		if (pkt_pullup(pkt, pkt->len) && mld_query_parse(&q, pkt_data(pkt), pkt->len))
			member_query(m, &q);
		else
			stats_malformed(&nic->stack->stats, &nic->stack->stats.icmp.v6_invalid);
	}
}
