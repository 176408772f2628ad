/* IGMP, host side: versions 1 to 3 (RFC 1112, 2236, 3376). */
#include "base/cksum.h"
#include "network/ipv4_impl.h"

static const struct addr all_hosts = { .b = { 224, 0, 0, 1 }, .len = ADDR_LEN_V4 };
static const struct addr all_routers = { .b = { 224, 0, 0, 2 }, .len = ADDR_LEN_V4 };
static const struct addr igmpv3_routers = { .b = { 224, 0, 0, 22 }, .len = ADDR_LEN_V4 };

/* RFC 2236, 6: the all-systems group is never reported. */
static bool igmp_reportable(const struct addr *group)
{
	return !addr_equal(group, &all_hosts);
}

static void igmp_count_sent(struct stack *s, uint8_t type)
{
	struct igmp_packet_stats *st = &s->stats.igmp.sent;

	stat_inc(type == IGMP_V1_REPORT ? &st->v1_report : type == IGMP_V2_REPORT ? &st->v2_report
		 : type == IGMP_LEAVE ? &st->leave : &st->v3_report);
}

/* Takes @pkt, an IGMP message of @type, and sends it. */
static void igmp_send(struct nic *nic, struct pkt *pkt, uint8_t type, const struct addr *to)
{
	/* RFC 2236, 2 and RFC 3376, 4: TTL 1, with the router alert option. */
	struct net_tx tx = { .proto = IP_PROTO_IGMP, .ttl = 1, .tos = 0xc0, .router_alert = true };
	struct nic_addr *a = nic_primary_addr(nic, NET_IPV4, to);
	struct stack *s = nic->stack;
	struct route r;

	igmp_set_cksum(pkt_data(pkt), pkt->len);
	route_direct(nic, a ? &a->addr : &addr_v4_any, to, &r);
	if (ipv4_tx(&r, pkt, &tx) == NS_OK)
		igmp_count_sent(s, type);
	else
		stat_inc(&s->stats.igmp.dropped);
	route_release(&r);
}

static uint8_t igmp_old_type(bool leave, uint8_t version)
{
	if (version == 1)
		return leave ? 0 : IGMP_V1_REPORT;
	return leave ? IGMP_LEAVE : IGMP_V2_REPORT;
}

const struct member_ops igmp_member_ops = {
	.newest = 3,
	.report_type = IGMP_V3_REPORT,
	.report_to = &igmpv3_routers,
	.reportable = igmp_reportable,
	.old_len = IGMP_LEN,
	.old_leave_to = &all_routers,
	.old_type = igmp_old_type,
	.old_emit = igmp_emit,
	.send = igmp_send,
};

void igmp_rx(struct nic *nic, struct pkt *pkt)
{
	struct igmp_stats *st = &nic->stack->stats.igmp;
	struct member_nic *m = &((struct ipv4_nic *)nic->net_state[NET_IPV4])->members;
	struct group_query q;
	struct addr group;
	const uint8_t *p;

	/* RFC 3376, 9.1 (and 2236, 9): what did not come from this link is a forgery. */
	if (!pkt_pullup(pkt, IGMP_LEN) || pkt->hop_limit != 1 ||
	    (pkt->csum == PKT_CSUM_NONE && pkt_cksum(pkt, 0, 0) != 0xffff)) {
		stats_malformed(&nic->stack->stats, &st->invalid);
		pkt_free(pkt);
		return;
	}
	p = pkt_data(pkt);
	group = addr_from_bytes(p + 4, ADDR_LEN_V4);
	switch (p[0]) {
	case IGMP_QUERY:
		stat_inc(&st->received.query);
		if (pkt_pullup(pkt, pkt->len) && igmp_query_parse(&q, pkt_data(pkt), pkt->len))
			member_query(m, &q);
		else
			stats_malformed(&nic->stack->stats, &st->invalid);
		break;
	case IGMP_V1_REPORT:
		stat_inc(&st->received.v1_report);
		member_heard(m, &group);
		break;
	case IGMP_V2_REPORT:
		stat_inc(&st->received.v2_report);
		member_heard(m, &group);
		break;
	case IGMP_LEAVE:
		stat_inc(&st->received.leave);
		break;
	case IGMP_V3_REPORT:
		stat_inc(&st->received.v3_report);
		break;
	default:
		stat_inc(&st->invalid);
	}
	pkt_free(pkt);
}
