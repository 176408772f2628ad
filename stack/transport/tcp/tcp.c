/* TCP's place in the stack: segments in, ICMP errors in, settings. */
#include "transport/tcp/tcp.h"

#include <stdlib.h>

#include "base/byteorder.h"
#include "base/cksum.h"
#include "header/ipv4.h"
#include "transport/tcp/listen.h"

enum { ECN_MASK = 3, ECN_CE = 3 };

static void *attach(struct stack *s)
{
	struct tcp_proto *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->stack = s;
	htab_init(&p->tuples);
	list_init(&p->timewaits);
	list_init(&p->tw_cursors);
	tcp_settings_default(&p->set);
	ratelimit_init(&p->challenge, p->set.challenge_limit, p->set.challenge_limit);
	return p;
}

static void detach(struct stack *s, void *state)
{
	struct tcp_proto *p = state;

	(void)s;
	tcp_tw_free_all(p);
	while (p->free_segs) {
		struct tcp_seg *seg = p->free_segs;

		p->free_segs = (struct tcp_seg *)seg->node.next;
		free(seg);
	}
	htab_fini(&p->tuples);
	free(p);
}

static enum ns_err endpoint_make(struct stack *s, enum net_index net, struct endpoint **out)
{
	struct tcp_conn *c = tcp_conn_new(tcp_proto_of(s), net);

	if (!c)
		return NS_ERR_NO_MEMORY;
	*out = &c->ep;
	return NS_OK;
}

static bool cksum_ok(const struct pkt *pkt)
{
	return pkt->csum != PKT_CSUM_NONE ||
	       pkt_cksum(pkt, 0, cksum_pseudo(&pkt->src, &pkt->dst, IP_PROTO_TCP, pkt->len)) == 0xffff;
}

/* Reads the header; the payload is what is left of @pkt. */
static bool parse(struct nic *nic, struct pkt *pkt, struct tcp_rx *rx)
{
	size_t off;

	if (!pkt_pullup(pkt, TCP_HDR_LEN))
		return false;
	off = (size_t)(pkt_data(pkt)[12] >> 4) * 4;
	if (off < TCP_HDR_LEN || !pkt_pullup(pkt, off) ||
	    !tcp_parse(&rx->h, pkt_data(pkt), pkt->head_len) || !rx->h.sport || !rx->h.dport)
		return false;
	tcp_opts_parse(&rx->o, pkt_data(pkt) + TCP_HDR_LEN, off - TCP_HDR_LEN, rx->h.flags & TCP_SYN);
	rx->nic = nic;
	rx->src = pkt->src;
	rx->dst = pkt->dst;
	rx->seq = rx->h.seq;
	rx->ack = rx->h.ack;
	rx->flags = rx->h.flags;
	rx->wnd = rx->h.wnd;
	rx->len = pkt->len - (uint32_t)off;
	rx->end_seq = rx->seq + rx->len + !!(rx->flags & TCP_SYN) + !!(rx->flags & TCP_FIN);
	rx->segs = 1;
	if (pkt->gso && pkt->gso_size && rx->len > pkt->gso_size)
		rx->segs = (uint16_t)((rx->len + pkt->gso_size - 1) / pkt->gso_size);
	rx->ce = (pkt->tos & ECN_MASK) == ECN_CE;
	rx->ect = pkt->tos & ECN_MASK;
	return true;
}

/* A segment that is no good, in the books of the connection it seems to be for. */
static void count_bad(struct nic *nic, struct pkt *pkt, bool cksum)
{
	struct demux_key key = { .local = pkt->dst, .remote = pkt->src, .nic = nic->id };
	struct tcp_tuple *t;
	struct endpoint_stats *st;

	if (!pkt_pullup(pkt, 4))
		return;
	key.rport = be16_load(pkt_data(pkt));
	key.lport = be16_load(pkt_data(pkt) + 2);
	t = tcp_table_find(tcp_proto_of(nic->stack), &key);
	if (!t || t->kind != TUPLE_CONN)
		return;
	st = &container_of(t, struct tcp_conn, tuple)->ep.stats;
	stat_inc(cksum ? &st->receive_errors.checksum_errors
		       : &st->receive_errors.malformed_packets_received);
}

/* RFC 5082, 3: its TTL shows that it has come further than any peer is. */
static bool too_far(const struct endpoint *ep, const struct tcp_rx *rx)
{
	const struct sock_opts *o = &ep->opts;

	return rx->pkt->hop_limit < (rx->src.len == ADDR_LEN_V4 ? o->min_ttl : o->min_hops);
}

static void dispatch(struct tcp_proto *p, struct tcp_rx *rx, struct demux_key *key)
{
	struct tcp_tuple *t = tcp_table_find(p, key);
	struct endpoint *ep;

	if (t && t->kind == TUPLE_CONN) {
		struct tcp_conn *c = container_of(t, struct tcp_conn, tuple);

		if (!too_far(&c->ep, rx))
			tcp_conn_rx(c, rx);
		return;
	}
	if (t && t->kind == TUPLE_REQ) {
		tcp_req_rx(container_of(t, struct tcp_req, tuple), rx);
		return;
	}
	/* A SYN may start anew where one waits, but only for somebody who listens. */
	if (t && !tcp_tw_rx((struct tcp_tw *)t, rx))
		return;
	ep = demux_find(p->stack, key);
	if (ep && too_far(ep, rx))
		return;
	if (ep)
		tcp_listen_rx(tcp_of(ep), rx);
	else
		tcp_send_stateless_reset(p, rx);
}

static enum trans_rx tcp_rx(struct nic *nic, struct pkt *pkt)
{
	struct stack *s = nic->stack;
	struct tcp_stats *st = &s->stats.tcp;
	struct tcp_rx rx;
	struct demux_key key;
	size_t hdr;

	/* RFC 9293, 3.9.2.3: never from or to more than one. */
	if (pkt->type != PKT_HOST || addr_is_multicast(&pkt->dst) || nic_is_broadcast(nic, &pkt->dst) ||
	    addr_is_multicast(&pkt->src) || addr_is_any(&pkt->src)) {
		pkt_free(pkt);
		return TRANS_RX_TAKEN;
	}
	rx.tw_isn = 0;
	rx.fast = false;
	if (!parse(nic, pkt, &rx)) {
		stats_malformed(&s->stats, &st->invalid_segments_received);
		count_bad(nic, pkt, false);
		pkt_free(pkt);
		return TRANS_RX_TAKEN;
	}
	if (!cksum_ok(pkt)) {
		stat_inc(&st->checksum_errors);
		count_bad(nic, pkt, true);
		pkt_free(pkt);
		return TRANS_RX_TAKEN;
	}
	stat_add(&st->valid_segments_received, rx.segs);
	hdr = rx.h.off_bytes;
	pkt_pull(pkt, hdr);
	pkt->sport = rx.h.sport;
	pkt->dport = rx.h.dport;
	rx.pkt = pkt;
	key = (struct demux_key){ pkt->dst, pkt->src, rx.h.dport, rx.h.sport, nic->id,
				  (uint8_t)net_index_of(&pkt->dst), IP_PROTO_TCP };
	dispatch(tcp_proto_of(s), &rx, &key);
	pkt_free(rx.pkt);
	return TRANS_RX_TAKEN;
}

static void rx_error(struct stack *s, struct net_error *e)
{
	struct tcp_proto *p = tcp_proto_of(s);
	struct demux_key key = {
		e->local, e->remote, be16_load(e->hdr), be16_load(e->hdr + 2), e->nic->id,
		(uint8_t)net_index_of(&e->local), IP_PROTO_TCP,
	};
	struct tcp_tuple *t = tcp_table_find(p, &key);

	e->lport = key.lport;
	e->rport = key.rport;
	if (t && t->kind == TUPLE_CONN)
		tcp_rx_error_conn(&container_of(t, struct tcp_conn, tuple)->ep, e);
	else if (t && t->kind == TUPLE_REQ)
		tcp_req_error(container_of(t, struct tcp_req, tuple), e);
}

/* Handshakes and TIME-WAITs are nobody's. */
static struct endpoint *find(struct stack *s, const struct demux_key *k)
{
	struct tcp_tuple *t = tcp_table_find(tcp_proto_of(s), k);

	if (!t)
		return demux_find(s, k);
	return t->kind == TUPLE_CONN ? &container_of(t, struct tcp_conn, tuple)->ep : NULL;
}

size_t tcp_half_open_count(struct stack *s)
{
	return tcp_proto_of(s)->nreqs;
}

size_t tcp_time_wait_count(struct stack *s)
{
	return tcp_proto_of(s)->ntimewaits;
}

size_t tcp_orphan_count(struct stack *s)
{
	return tcp_proto_of(s)->norphans;
}

const struct trans_proto_ops tcp_proto = {
	.name = "tcp",
	.number = IP_PROTO_TCP,
	.stack_attach = attach,
	.stack_detach = detach,
	.endpoint_new = endpoint_make,
	.rx = tcp_rx,
	.rx_error = rx_error,
	.find = find,
	.set_option = tcp_proto_set_option,
	.get_option = tcp_proto_get_option,
};
