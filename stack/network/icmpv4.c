/* ICMP (RFC 792): echo, and errors in both directions. */
#include "base/byteorder.h"
#include "base/cksum.h"
#include "header/icmp.h"
#include "network/ipv4_impl.h"

enum { ERROR_MAX = 576 };	/* RFC 1812, 4.3.2.3: quote as much as fits in this */

struct stat_counter *icmpv4_counter(struct icmpv4_packet_stats *st, uint8_t type)
{
	struct stat_counter *const by_type[] = {
		[ICMPV4_ECHO_REPLY] = &st->echo_reply,
		[ICMPV4_DST_UNREACHABLE] = &st->dst_unreachable,
		[ICMPV4_SRC_QUENCH] = &st->src_quench,
		[ICMPV4_REDIRECT] = &st->redirect,
		[ICMPV4_ECHO] = &st->echo,
		[ICMPV4_TIME_EXCEEDED] = &st->time_exceeded,
		[ICMPV4_PARAM_PROBLEM] = &st->param_problem,
		[ICMPV4_TIMESTAMP] = &st->timestamp,
		[ICMPV4_TIMESTAMP_REPLY] = &st->timestamp_reply,
		[ICMPV4_INFO_REQUEST] = &st->info_request,
		[ICMPV4_INFO_REPLY] = &st->info_reply,
	};

	return type < sizeof(by_type) / sizeof(by_type[0]) ? by_type[type] : NULL;
}

static void count_sent(struct stack *s, uint8_t type, enum ns_err err)
{
	struct stat_counter *c = icmpv4_counter(&s->stats.icmp.v4_sent, type);

	if (err)
		stat_inc(&s->stats.icmp.v4_dropped);
	else if (c)
		stat_inc(c);
}

/* Whether RFC 1122, 3.2.2 (and RFC 1812, 4.3.2.7) lets us answer this packet with an error. */
static bool may_answer(const struct nic *nic, struct pkt *pkt)
{
	uint8_t hdr[IPV4_HDR_MAX + ICMP_HDR_LEN];
	size_t n = pkt_copy_from(pkt, pkt->net_off, hdr, sizeof(hdr));
	size_t hdr_len = (hdr[0] & 0xfu) * 4;

	if (n < IPV4_HDR_LEN || pkt->type != PKT_HOST || addr_is_multicast(&pkt->dst) ||
	    nic_is_broadcast(nic, &pkt->dst))
		return false;
	if (addr_is_any(&pkt->src) || addr_is_multicast(&pkt->src) ||
	    nic_is_broadcast(nic, &pkt->src) || (pkt->src.b[0] & 0xf0) == 0xf0)
		return false;
	if (be16_load(hdr + 6) & 0x1fff)
		return false;		/* not the first fragment */
	return pkt->trans_proto != IP_PROTO_ICMP ||
	       (n > hdr_len && !icmpv4_is_error(hdr[hdr_len]));
}

void icmpv4_send_error(struct nic *nic, struct pkt *pkt, uint8_t type, uint8_t code, uint32_t rest)
{
	struct net_tx tx = { .proto = IP_PROTO_ICMP, .tos = 0xc0 };	/* RFC 1812, 4.3.2.5 */
	struct icmp_hdr h = { .type = type, .code = code, .rest = rest };
	struct stack *s = nic->stack;
	struct route_key key = { .remote = pkt->src };
	size_t quote = pkt->len + (pkt->off - pkt->net_off);
	struct pkt *out;
	struct route r;
	enum ns_err err;
	uint16_t sum;
	uint8_t *p;

	if (!may_answer(nic, pkt))
		return;
	if (!ratelimit_take(&s->icmp_limit, s->clock->now_ns)) {
		stat_inc(&s->stats.icmp.v4_rate_limited);
		return;
	}
	if (stack_find_addr(s, &pkt->dst, 0))
		key.local = pkt->dst;
	if (route_find(s, &key, &r))
		return;
	if (quote > ERROR_MAX - IPV4_HDR_LEN - ICMP_HDR_LEN)
		quote = ERROR_MAX - IPV4_HDR_LEN - ICMP_HDR_LEN;
	out = pkt_alloc(s->pool, PKT_HEADROOM, ICMP_HDR_LEN + quote);
	if (!out) {
		route_release(&r);
		return;
	}
	p = pkt_put(out, ICMP_HDR_LEN + quote);
	icmp_emit(&h, p);
	pkt_copy_from(pkt, pkt->net_off, p + ICMP_HDR_LEN, quote);
	pkt_answers(out, pkt);
	sum = (uint16_t)~cksum_add(0, p, ICMP_HDR_LEN + quote);
	memcpy(p + ICMP_CKSUM_OFF, &sum, 2);
	err = ipv4_tx(&r, out, &tx);
	count_sent(s, type, err);
	route_release(&r);
}

/* Turns the request itself into the reply: its bytes need not be copied. */
static void echo_reply(struct nic *nic, struct pkt *pkt)
{
	struct stack *s = nic->stack;
	struct route_key key = { .nic = 0, .local = pkt->dst, .remote = pkt->src };
	struct net_tx tx = { .proto = IP_PROTO_ICMP, .tos = pkt->tos };
	struct route r;
	uint16_t sum;
	uint8_t *p;

	/* RFC 1122, 3.2.2.6 lets us ignore those to groups and broadcasts; amplifiers do not. */
	if (pkt->type != PKT_HOST || addr_is_multicast(&pkt->dst) ||
	    nic_is_broadcast(nic, &pkt->dst) || !stack_find_addr(s, &pkt->dst, 0) ||
	    addr_is_any(&pkt->src) || route_find(s, &key, &r)) {
		pkt_free(pkt);
		return;
	}
	if (!pkt_writable(pkt)) {
		route_release(&r);
		pkt_free(pkt);
		return;
	}
	p = pkt_data(pkt);
	p[0] = ICMPV4_ECHO_REPLY;
	memcpy(&sum, p + ICMP_CKSUM_OFF, 2);
	sum = cksum_update(sum, ICMPV4_ECHO, ICMPV4_ECHO_REPLY);
	memcpy(p + ICMP_CKSUM_OFF, &sum, 2);
	pkt->csum = PKT_CSUM_NONE;
	pkt->gso = PKT_GSO_NONE;
	count_sent(s, ICMPV4_ECHO_REPLY, ipv4_tx(&r, pkt, &tx));
	route_release(&r);
}

/* RFC 1191, 7.1: what to try when an old router does not say its MTU. */
static uint32_t plateau_below(uint32_t len)
{
	static const uint16_t plateaus[] = { 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296 };

	for (size_t i = 0; i < sizeof(plateaus) / sizeof(plateaus[0]); i++)
		if (plateaus[i] < len)
			return plateaus[i];
	return IPV4_MIN_MTU;
}

static void classify_unreachable(struct net_error *e, const struct ipv4_hdr *inner, uint32_t rest)
{
	static const uint8_t errs[] = {		/* as Linux's icmp_err_convert[] */
		[0] = NS_ERR_NETWORK_UNREACHABLE, [1] = NS_ERR_HOST_UNREACHABLE,
		[2] = NS_ERR_PROTOCOL_UNREACHABLE, [3] = NS_ERR_CONNECTION_REFUSED,
		[4] = NS_ERR_MESSAGE_TOO_LONG, [5] = NS_ERR_NOT_SUPPORTED,
		[6] = NS_ERR_NETWORK_UNREACHABLE, [7] = NS_ERR_HOST_DOWN,
		[8] = NS_ERR_HOST_UNREACHABLE, [9] = NS_ERR_NETWORK_UNREACHABLE,
		[10] = NS_ERR_HOST_UNREACHABLE, [11] = NS_ERR_NETWORK_UNREACHABLE,
		[12] = NS_ERR_HOST_UNREACHABLE, [13] = NS_ERR_HOST_UNREACHABLE,
		[14] = NS_ERR_HOST_UNREACHABLE, [15] = NS_ERR_HOST_UNREACHABLE,
	};

	e->kind = NET_ERROR_UNREACHABLE;
	e->err = e->code < sizeof(errs) ? (enum ns_err)errs[e->code] : NS_ERR_HOST_UNREACHABLE;
	e->hard = e->code == ICMPV4_PROTO_UNREACHABLE || e->code == ICMPV4_PORT_UNREACHABLE ||
		  e->code == ICMPV4_HOST_PROHIBITED || e->code == ICMPV4_ADMIN_PROHIBITED ||
		  e->code == 9;
	if (e->code != ICMPV4_FRAG_NEEDED)
		return;
	e->kind = NET_ERROR_TOO_BIG;
	e->mtu = rest & 0xffff;
	if (e->mtu < IPV4_MIN_MTU)
		e->mtu = plateau_below(inner->total_len);
}

/* An error about a packet of ours: hand it to the protocol that sent it. */
static void error_rx(struct nic *nic, struct pkt *pkt, const struct icmp_hdr *h)
{
	struct net_error e = { .type = h->type, .code = h->code, .nic = nic };
	struct ipv4_hdr inner;
	const uint8_t *p;
	size_t n, need = ICMP_HDR_LEN + IPV4_HDR_MAX + 64;

	if (!pkt_pullup(pkt, pkt->len < need ? pkt->len : need))
		return;
	p = pkt_data(pkt) + ICMP_HDR_LEN;
	n = pkt->head_len - ICMP_HDR_LEN;
	/* The quote is cut short, so its total length goes beyond it: only that may be wrong. */
	if (!ipv4_parse(&inner, p, SIZE_MAX) && n < IPV4_HDR_LEN)
		return;
	if (n < IPV4_HDR_LEN || p[0] >> 4 != 4 || inner.hdr_len < IPV4_HDR_LEN ||
	    n < inner.hdr_len || inner.frag_off)
		return;
	e.local = inner.src;
	e.remote = inner.dst;
	e.hdr = p + inner.hdr_len;
	e.hdr_len = n - inner.hdr_len;
	switch (h->type) {
	case ICMPV4_DST_UNREACHABLE:
		classify_unreachable(&e, &inner, h->rest);
		break;
	case ICMPV4_TIME_EXCEEDED:
		e.kind = NET_ERROR_TIME_EXCEEDED;
		e.err = NS_ERR_HOST_UNREACHABLE;
		break;
	case ICMPV4_PARAM_PROBLEM:
		e.kind = NET_ERROR_PARAM_PROBLEM;
		e.err = NS_ERR_PROTOCOL_ERROR;
		e.hard = true;
		break;
	default:	/* source quench is obsolete (RFC 6633), redirects are not followed */
		return;
	}
	if (stack_find_addr(nic->stack, &e.local, 0))
		stack_deliver_error(nic->stack, inner.proto, &e);
}

void icmpv4_rx(struct nic *nic, struct pkt *pkt)
{
	struct stack *s = nic->stack;
	struct stat_counter *c;
	struct icmp_hdr h;
	bool unknown;

	if (!pkt_pullup(pkt, ICMP_HDR_LEN) || !icmp_parse(&h, pkt_data(pkt), pkt->len) ||
	    (pkt->csum == PKT_CSUM_NONE && pkt_cksum(pkt, 0, 0) != 0xffff)) {
		stat_inc(&s->stats.icmp.v4_invalid);
		pkt_free(pkt);
		return;
	}
	c = icmpv4_counter(&s->stats.icmp.v4_received, h.type);
	if (!c) {
		stat_inc(&s->stats.icmp.v4_invalid);
		pkt_free(pkt);
		return;
	}
	stat_inc(c);
	if (h.type == ICMPV4_ECHO) {
		echo_reply(nic, pkt);
		return;
	}
	if (icmpv4_is_error(h.type))
		error_rx(nic, pkt, &h);
	else if (h.type == ICMPV4_ECHO_REPLY && stack_trans(s, IP_PROTO_ICMP) &&
		 stack_deliver(nic, pkt, &unknown) == TRANS_RX_TAKEN)
		return;
	pkt_free(pkt);
}
