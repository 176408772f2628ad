/* ICMPv6 (RFC 4443): echo, errors in both directions, and the way to NDP and MLD. */
#include "base/byteorder.h"
#include "base/cksum.h"
#include "network/ipv6_impl.h"

static struct stat_counter *counter(struct icmpv6_packet_stats *st, uint8_t type)
{
	switch (type) {
	case ICMPV6_DST_UNREACHABLE: return &st->dst_unreachable;
	case ICMPV6_PACKET_TOO_BIG: return &st->packet_too_big;
	case ICMPV6_TIME_EXCEEDED: return &st->time_exceeded;
	case ICMPV6_PARAM_PROBLEM: return &st->param_problem;
	case ICMPV6_ECHO_REQUEST: return &st->echo_request;
	case ICMPV6_ECHO_REPLY: return &st->echo_reply;
	case ICMPV6_MLD_QUERY: return &st->mld_query;
	case ICMPV6_MLD_REPORT: return &st->mld_report;
	case ICMPV6_MLD_DONE: return &st->mld_done;
	case ICMPV6_ROUTER_SOLICIT: return &st->router_solicit;
	case ICMPV6_ROUTER_ADVERT: return &st->router_advert;
	case ICMPV6_NEIGHBOR_SOLICIT: return &st->neighbor_solicit;
	case ICMPV6_NEIGHBOR_ADVERT: return &st->neighbor_advert;
	case ICMPV6_REDIRECT: return &st->redirect_msg;
	case ICMPV6_MLDV2_REPORT: return &st->mldv2_report;
	default: return NULL;
	}
}

enum ns_err icmpv6_send(struct route *r, struct pkt *pkt, const struct net_tx *tx)
{
	struct stack *s = r->stack;
	struct stat_counter *c = counter(&s->stats.icmp.v6_sent, pkt_data(pkt)[0]);
	uint16_t sum = cksum_pseudo(&r->local, &r->remote, IP_PROTO_ICMPV6, pkt->len);
	enum ns_err err;

	sum = (uint16_t)~pkt_cksum(pkt, 0, sum);
	memcpy(pkt_data(pkt) + ICMP_CKSUM_OFF, &sum, 2);
	err = ipv6_tx(r, pkt, tx);
	if (err)
		stat_inc(&s->stats.icmp.v6_dropped);
	else if (c)
		stat_inc(c);
	return err;
}

/* RFC 4443, 2.4 (e). */
static bool may_answer(struct pkt *pkt, uint8_t type, uint8_t code)
{
	uint8_t quote[256];
	size_t n = pkt_copy_from(pkt, pkt->net_off, quote, sizeof(quote));
	bool group_ok = type == ICMPV6_PACKET_TOO_BIG ||
			(type == ICMPV6_PARAM_PROBLEM && code == ICMPV6_PARAM_OPTION);
	struct ipv6_skim skim;

	if (addr_is_any(&pkt->src) || addr_is_multicast(&pkt->src))
		return false;
	if ((addr_is_multicast(&pkt->dst) || pkt->type != PKT_HOST) && !group_ok)
		return false;
	/* A chain that runs out of bytes may hide an error message: then silence. */
	if (!ipv6_skim(&skim, quote, n) || skim.later_fragment)
		return type == ICMPV6_PARAM_PROBLEM && n == sizeof(quote);
	if (skim.proto != IP_PROTO_ICMPV6 || skim.off >= n)
		return true;
	return !icmpv6_is_error(quote[skim.off]) && quote[skim.off] != ICMPV6_REDIRECT;
}

void icmpv6_send_error(struct nic *nic, struct pkt *pkt, uint8_t type, uint8_t code, uint32_t rest)
{
	enum { QUOTE_MAX = IPV6_MIN_MTU - IPV6_HDR_LEN - ICMP_HDR_LEN };	/* 2.4 (c) */
	struct icmp_hdr h = { .type = type, .code = code, .rest = rest };
	struct net_tx tx = { .proto = IP_PROTO_ICMPV6 };
	struct stack *s = nic->stack;
	struct route_key key = { .remote = pkt->src };
	size_t quote = pkt->len + (pkt->off - pkt->net_off);
	struct route r;
	struct pkt *out;
	uint8_t *p;

	if (!may_answer(pkt, type, code))
		return;
	if (!ratelimit_take(&s->icmp_limit, s->clock->now_ns)) {
		stat_inc(&s->stats.icmp.v6_rate_limited);
		return;
	}
	if (addr_is_link_local(&pkt->src))
		key.nic = nic->id;
	if (stack_find_addr(s, &pkt->dst, 0))
		key.local = pkt->dst;		/* 2.2 (a) */
	if (route_find(s, &key, &r))
		return;
	if (quote > QUOTE_MAX)
		quote = QUOTE_MAX;
	out = pkt_alloc(s->pool, PKT_HEADROOM, ICMP_HDR_LEN + quote);
	if (out) {
		p = pkt_put(out, ICMP_HDR_LEN + quote);
		icmp_emit(&h, p);
		pkt_copy_from(pkt, pkt->net_off, p + ICMP_HDR_LEN, quote);
		pkt_answers(out, pkt);
		icmpv6_send(&r, out, &tx);
	}
	route_release(&r);
}

static void echo_reply(struct nic *nic, struct pkt *pkt)
{
	struct net_tx tx = { .proto = IP_PROTO_ICMPV6, .tos = pkt->tos };
	struct route_key key = { .remote = pkt->src };
	struct stack *s = nic->stack;
	struct route r;

	if (addr_is_link_local(&pkt->src))
		key.nic = nic->id;
	/* 4.2: to a group, from a unicast address of ours. */
	if (!addr_is_multicast(&pkt->dst))
		key.local = pkt->dst;
	if (addr_is_any(&pkt->src) || route_find(s, &key, &r)) {
		pkt_free(pkt);
		return;
	}
	if (!pkt_writable(pkt)) {
		route_release(&r);
		pkt_free(pkt);
		return;
	}
	pkt_data(pkt)[0] = ICMPV6_ECHO_REPLY;
	pkt_data(pkt)[2] = pkt_data(pkt)[3] = 0;
	pkt->csum = PKT_CSUM_NONE;
	pkt->gso = PKT_GSO_NONE;
	icmpv6_send(&r, pkt, &tx);
	route_release(&r);
}

static bool classify(struct net_error *e, const struct icmp_hdr *h)
{
	static const uint8_t unreachable[] = {	/* as Linux's tab_unreach[] */
		NS_ERR_NETWORK_UNREACHABLE, NS_ERR_BROADCAST_DISABLED, NS_ERR_HOST_UNREACHABLE,
		NS_ERR_HOST_UNREACHABLE, NS_ERR_CONNECTION_REFUSED, NS_ERR_BROADCAST_DISABLED,
		NS_ERR_BROADCAST_DISABLED,
	};

	switch (h->type) {
	case ICMPV6_DST_UNREACHABLE:
		e->kind = NET_ERROR_UNREACHABLE;
		e->err = h->code < sizeof(unreachable) ? (enum ns_err)unreachable[h->code]
						       : NS_ERR_PROTOCOL_ERROR;
		e->hard = h->code == ICMPV6_ADMIN_PROHIBITED ||
			  h->code == ICMPV6_PORT_UNREACHABLE || h->code > 4;
		return true;
	case ICMPV6_PACKET_TOO_BIG:
		e->kind = NET_ERROR_TOO_BIG;
		e->err = NS_ERR_MESSAGE_TOO_LONG;
		e->mtu = h->rest;
		return true;
	case ICMPV6_TIME_EXCEEDED:
		e->kind = NET_ERROR_TIME_EXCEEDED;
		e->err = NS_ERR_HOST_UNREACHABLE;
		return true;
	case ICMPV6_PARAM_PROBLEM:
		e->kind = NET_ERROR_PARAM_PROBLEM;
		e->err = NS_ERR_PROTOCOL_ERROR;
		e->hard = true;
		return true;
	default:
		return false;
	}
}

static void error_rx(struct nic *nic, struct pkt *pkt, const struct icmp_hdr *h)
{
	struct net_error e = { .type = h->type, .code = h->code, .nic = nic, .ttl = pkt->hop_limit,
			       .offender = pkt->src };
	size_t want = ICMP_HDR_LEN + IPV6_HDR_LEN + 256, n;
	struct ipv6_skim skim;
	const uint8_t *p;

	if (!classify(&e, h) || !pkt_pullup(pkt, pkt->len < want ? pkt->len : want))
		return;
	p = pkt_data(pkt) + ICMP_HDR_LEN;
	n = pkt->head_len - ICMP_HDR_LEN;
	if (n < IPV6_HDR_LEN || p[0] >> 4 != 6 || !ipv6_skim(&skim, p, n) ||
	    skim.later_fragment || skim.off > n)
		return;
	e.local = addr_from_bytes(p + 8, ADDR_LEN_V6);
	e.remote = addr_from_bytes(p + 24, ADDR_LEN_V6);
	e.hdr = p + skim.off;
	e.hdr_len = n - skim.off;
	if (stack_find_addr(nic->stack, &e.local, 0))
		stack_deliver_error(nic->stack, skim.proto, &e);
}

static void dispatch(struct nic *nic, struct pkt *pkt, const struct icmp_hdr *h)
{
	struct stack *s = nic->stack;
	bool unknown;

	switch (h->type) {
	case ICMPV6_ECHO_REQUEST:
		echo_reply(nic, pkt);
		return;
	case ICMPV6_ECHO_REPLY:
		if (stack_trans(s, IP_PROTO_ICMPV6) &&
		    stack_deliver(nic, pkt, &unknown) == TRANS_RX_TAKEN)
			return;
		break;
	case ICMPV6_MLD_QUERY:
	case ICMPV6_MLD_REPORT:
	case ICMPV6_MLD_DONE:
	case ICMPV6_MLDV2_REPORT:
		mld_rx(nic, pkt, h->type);
		break;
	case ICMPV6_ROUTER_SOLICIT:
	case ICMPV6_ROUTER_ADVERT:
	case ICMPV6_NEIGHBOR_SOLICIT:
	case ICMPV6_NEIGHBOR_ADVERT:
	case ICMPV6_REDIRECT:
		if (!ndp_rx(nic, pkt, h))
			stats_malformed(&s->stats, &s->stats.icmp.v6_invalid);
		break;
	default:
		error_rx(nic, pkt, h);
	}
	pkt_free(pkt);
}

void icmpv6_rx(struct nic *nic, struct pkt *pkt)
{
	struct icmp_stats *st = &nic->stack->stats.icmp;
	struct stat_counter *c;
	struct icmp_hdr h;
	uint16_t pseudo = cksum_pseudo(&pkt->src, &pkt->dst, IP_PROTO_ICMPV6, pkt->len);

	if (!pkt_pullup(pkt, ICMP_HDR_LEN) || !icmp_parse(&h, pkt_data(pkt), pkt->len) ||
	    (pkt->csum == PKT_CSUM_NONE && pkt_cksum(pkt, 0, pseudo) != 0xffff)) {
		stats_malformed(&nic->stack->stats, &st->v6_invalid);
		pkt_free(pkt);
		return;
	}
	c = counter(&st->v6_received, h.type);
	if (!c) {
		stat_inc(&st->v6_invalid);
		pkt_free(pkt);
		return;
	}
	stat_inc(c);
	dispatch(nic, pkt, &h);
}
