/* ICMP (RFC 792): echo, timestamps, redirects, and errors in both directions. */
#include "base/byteorder.h"
#include "base/cksum.h"
#include "header/icmp.h"
#include "network/ipv4_impl.h"

enum { ERROR_MAX = 576 };	/* RFC 1812, 4.3.2.3: quote as much as fits in this */
enum { TIMESTAMP_LEN = 20 };

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

/*
 * Takes @pkt, a request, and sends it back as a message of @type: its bytes need not be copied. @turn
 * makes it that, and adjusts the checksum.
 */
static void reply(struct nic *nic, struct pkt *pkt, uint8_t type, void (*turn)(struct stack *, uint8_t *))
{
	struct stack *s = nic->stack;
	struct route_key key = { .nic = 0, .local = pkt->dst, .remote = pkt->src };
	struct net_tx tx = { .proto = IP_PROTO_ICMP, .tos = pkt->tos };
	size_t hdr_len = pkt->off - pkt->net_off;
	uint8_t opts[IPV4_HDR_MAX];
	struct route r;

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
	if (hdr_len > IPV4_HDR_LEN) {
		tx.opts = opts;
		tx.nopts = ipv4_opts_echo(pkt_net_hdr(pkt), hdr_len, opts);
	}
	turn(s, pkt_data(pkt));
	pkt->csum = PKT_CSUM_NONE;
	pkt->gso = PKT_GSO_NONE;
	count_sent(s, type, ipv4_tx(&r, pkt, &tx));
	route_release(&r);
}

static void turn_echo(struct stack *s, uint8_t *p)
{
	uint16_t sum;

	(void)s;
	p[0] = ICMPV4_ECHO_REPLY;
	memcpy(&sum, p + ICMP_CKSUM_OFF, 2);
	sum = cksum_update(sum, ICMPV4_ECHO, ICMPV4_ECHO_REPLY);
	/* RFC 1624, 3: of a message of zeros it gives the other zero; this one is right for all. */
	if (sum == 0)
		sum = 0xffff;
	memcpy(p + ICMP_CKSUM_OFF, &sum, 2);
}

/* RFC 792: when it came, and when it goes: with us the same. */
static void turn_timestamp(struct stack *s, uint8_t *p)
{
	uint32_t now = ipv4_timestamp(s);
	uint16_t sum;

	p[0] = ICMPV4_TIMESTAMP_REPLY;
	p[ICMP_CKSUM_OFF] = p[ICMP_CKSUM_OFF + 1] = 0;
	be32_store(p + 12, now);
	be32_store(p + 16, now);
	sum = (uint16_t)~cksum_add(0, p, TIMESTAMP_LEN);
	memcpy(p + ICMP_CKSUM_OFF, &sum, 2);
}

static void timestamp_rx(struct nic *nic, struct pkt *pkt)
{
	struct stack *s = nic->stack;

	if (!pkt_pullup(pkt, TIMESTAMP_LEN)) {
		stats_malformed(&s->stats, &s->stats.icmp.v4_invalid);
		pkt_free(pkt);
		return;
	}
	if (!ratelimit_take(&s->icmp_limit, s->clock->now_ns)) {
		stat_inc(&s->stats.icmp.v4_rate_limited);
		pkt_free(pkt);
		return;
	}
	pkt_trim(pkt, TIMESTAMP_LEN);
	reply(nic, pkt, ICMPV4_TIMESTAMP_REPLY, turn_timestamp);
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

static bool on_link(const struct nic *nic, const struct addr *a)
{
	list_for_each(n, &nic->addrs) {
		const struct nic_addr *own = container_of(n, struct nic_addr, list);

		if (subnet_contains(&own->subnet, a))
			return true;
	}
	return false;
}

/* RFC 1122, 3.2.2.2: only from the present first hop, and only to a gateway on the same network. */
static void redirect_rx(struct nic *nic, const struct pkt *pkt, const struct addr *dst, uint32_t rest)
{
	struct stack *s = nic->stack;
	struct route_key key = { .remote = *dst };
	struct addr gateway = { .w = { __builtin_bswap32(rest) }, .len = ADDR_LEN_V4 };
	struct route r;

	if (!ipv4_of(s)->config.accept_redirects || nic->forwarding[NET_IPV4] ||
	    !on_link(nic, &gateway) || nic_is_broadcast(nic, &gateway) ||
	    stack_find_addr(s, &gateway, 0) || addr_is_multicast(dst) || route_find(s, &key, &r))
		return;
	if (r.nic == nic && !r.loop && r.kind == ROUTE_UNICAST &&
	    addr_equal(&r.next_hop, &pkt->src) && !addr_equal(&r.next_hop, &gateway)) {
		redirect_learn(&s->redirects, dst, nic->id, &pkt->src, &gateway);
		stat_inc(&s->stats.ip.redirects_followed);
	}
	route_release(&r);
}

/* An error about a packet of ours: hand it to the protocol that sent it. */
static void error_rx(struct nic *nic, struct pkt *pkt, const struct icmp_hdr *h)
{
	struct net_error e = { .type = h->type, .code = h->code, .nic = nic, .ttl = pkt->hop_limit,
			       .offender = pkt->src };
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
	if (h->type == ICMPV4_REDIRECT) {
		if (stack_find_addr(nic->stack, &e.local, 0))
			redirect_rx(nic, pkt, &e.remote, h->rest);
		return;
	}
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
	default:	/* source quench is obsolete (RFC 6633) */
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
		stats_malformed(&s->stats, &s->stats.icmp.v4_invalid);
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
		reply(nic, pkt, ICMPV4_ECHO_REPLY, turn_echo);
		return;
	}
	if (h.type == ICMPV4_TIMESTAMP) {
		timestamp_rx(nic, pkt);
		return;
	}
	if (icmpv4_is_error(h.type))
		error_rx(nic, pkt, &h);
	else if (h.type == ICMPV4_ECHO_REPLY && stack_trans(s, IP_PROTO_ICMP) &&
		 stack_deliver(nic, pkt, &unknown) == TRANS_RX_TAKEN)
		return;
	pkt_free(pkt);
}
