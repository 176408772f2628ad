/* Segments on their way out: headers, options, checksums. */
#include "base/cksum.h"
#include "header/ipv4.h"
#include "transport/tcp/impl.h"

/* Puts header and options in front of @pkt's payload; the checksum is left to the link. */
static bool push_header(struct pkt *pkt, struct tcp_hdr *h, const struct tcp_opts *o,
			const struct addr *local, const struct addr *remote)
{
	bool syn = h->flags & TCP_SYN;
	size_t opts = tcp_opts_len(o, syn);
	uint8_t *p = pkt_push(pkt, TCP_HDR_LEN + opts);

	if (!p)
		return false;
	h->off_bytes = (uint8_t)(TCP_HDR_LEN + opts);
	h->cksum = cksum_pseudo(local, remote, IP_PROTO_TCP, pkt->len);
	pkt->csum = PKT_CSUM_PARTIAL;
	pkt->csum_start = (uint16_t)pkt->off;
	pkt->csum_off = TCP_CKSUM_OFF;
	tcp_emit(h, p);
	tcp_opts_emit(o, syn, p + TCP_HDR_LEN);
	return true;
}

static void count_sent(struct tcp_conn *c, enum ns_err err, uint32_t segs)
{
	struct tcp_stats *st = tcp_stats(c);

	if (err) {
		stat_inc(&st->segment_send_errors);
		stat_inc(&c->ep.stats.send_errors.send_to_network_failed);
		return;
	}
	stat_add(&st->segments_sent, segs);
	stat_add(&c->ep.stats.packets_sent, segs);
	c->n.segs_out += segs;
}

/* Takes @pkt, its payload: the header of a connection's segment, and off it goes. */
static enum ns_err send_on(struct tcp_conn *c, struct pkt *pkt, struct tcp_hdr *h,
			   const struct tcp_opts *o, uint8_t ecn_tos, uint32_t segs)
{
	const struct sock_opts *so = &c->ep.opts;
	struct net_tx tx = { .proto = IP_PROTO_TCP, .pmtud = so->pmtu_discover };
	enum ns_err err = tcp_get_route(c);

	if (err) {
		pkt_free(pkt);
		stat_inc(&c->ep.stats.send_errors.no_route);
		count_sent(c, err, segs);
		return err;
	}
	if (so->nip_opts && c->route.remote.len == ADDR_LEN_V4) {
		tx.opts = so->ip_opts;
		tx.nopts = so->nip_opts;
	}
	tx.ttl = sock_opts_ttl(so, c->route.remote.len);
	tx.tos = (uint8_t)(((c->route.remote.len == ADDR_LEN_V4 ? so->tos : so->traffic_class) & ~3) |
			   ecn_tos);
	h->sport = c->local.port;
	h->dport = c->remote.port;
	if (!push_header(pkt, h, o, &c->route.local, &c->route.remote)) {
		pkt_free(pkt);
		return NS_ERR_NO_MEMORY;
	}
	err = c->route.net->tx(&c->route, pkt, &tx);
	count_sent(c, err, segs);
	return err;
}

/* @len: bytes of data in each segment. With the options they must not pass the MSS, whatever came in since the
 * segment was cut; those SACK blocks are told that there is room for. */
static void fill_opts(struct tcp_conn *c, struct tcp_opts *o, uint32_t len)
{
	uint32_t max = c->has_ts ? TCP_MAX_SACK - 1 : TCP_MAX_SACK;
	uint32_t room = c->mss > len ? c->mss - len : 0;

	*o = (struct tcp_opts){ .has_ts = c->has_ts };
	if (c->has_ts) {
		o->ts_val = tcp_ts_now(c);
		o->ts_ecr = c->ts_recent;
	}
	if (!c->has_sack || (!c->ooo.has_dsack && ooo_empty(&c->ooo)))
		return;
	if (len && room < 4 + 8 * max)
		max = room < 4 ? 0 : (room - 4) / 8;
	o->nsack = ooo_sacks(&c->ooo, o->sack, (uint8_t)max);
}

static void fill_hdr(struct tcp_conn *c, struct tcp_hdr *h, uint32_t seq, uint8_t flags)
{
	*h = (struct tcp_hdr){ .seq = seq, .ack = c->rcv_nxt, .flags = flags };
	h->wnd = tcp_select_window(c);
	if (c->ecn & ECN_OK && c->ecn & ECN_DEMAND_CWR && !(flags & TCP_RST))
		h->flags |= TCP_ECE;
	/* RFC 9293, 3.8.5: the pointer is of the byte after the last urgent one */
	if (c->urg_out && seq_lt(seq, c->snd_up)) {
		h->flags |= TCP_URG;
		h->urg = c->snd_up - seq > UINT16_MAX ? UINT16_MAX : (uint16_t)(c->snd_up - seq);
	}
	c->last_ack_sent = c->rcv_nxt;
}

struct pkt *tcp_seg_payload(struct tcp_conn *c, const struct tcp_seg *s)
{
	struct pkt_pool *pool = c->ep.stack->pool;
	struct pkt *pkt = pkt_alloc(pool, PKT_HEADROOM, 0);
	struct iovec iov;
	uint32_t off, n, done = 0;
	struct pkt *buf = s->buf;

	if (!pkt || tcp_rope_fill(c, pkt, buf, s->buf_off, s->len) == s->len)
		return pkt;
	/* More pieces than a packet has room for: then a copy. */
	pkt_free(pkt);
	pkt = pkt_alloc(pool, PKT_HEADROOM, s->len);
	if (!pkt)
		return NULL;
	iov = (struct iovec){ pkt_put(pkt, s->len), s->len };
	for (off = s->buf_off; done < s->len; off = 0) {
		n = (uint32_t)pkt_copy_iov(buf, off, &iov, 1);
		done += n;
		iov.iov_base = (uint8_t *)iov.iov_base + n;
		iov.iov_len -= n;
		buf = container_of(buf->node.next, struct pkt, node);
	}
	return pkt;
}

static void note_data_sent(struct tcp_conn *c)
{
	int64_t now = tcp_now(c);

	c->last_tx_ns = now;
	/* Data soon after data: a dialogue, whose acknowledgements can wait for the answer to carry them. */
	if (now - c->last_rx_ns < c->ato_ns && c->pingpong < 3)
		c->pingpong++;
}

enum ns_err tcp_xmit_seg(struct tcp_conn *c, struct tcp_seg *s, bool first)
{
	struct pkt *pkt = tcp_seg_payload(c, s);
	uint8_t flags = TCP_ACK, tos;
	struct tcp_opts o;
	struct tcp_hdr h;
	enum ns_err err;

	if (!pkt)
		return NS_ERR_NO_MEMORY;
	/* As Linux: a super-segment has it in any case, so that whoever merges its segments hands them on. */
	if (s->flags & SEG_PSH || s->segs > 1)
		flags |= TCP_PSH;
	if (s->flags & SEG_FIN)
		flags |= TCP_FIN;
	tos = s->len ? tcp_ecn_data_tos(c, !first) : 0;
	if (tos && c->ecn & ECN_QUEUE_CWR) {	/* RFC 3168, 6.1.2: with the first new data */
		c->ecn &= (uint8_t)~ECN_QUEUE_CWR;
		flags |= TCP_CWR;
		pkt->ecn = true;
	}
	if (s->len > s->mss) {
		pkt->gso = c->remote.addr.len == ADDR_LEN_V4 ? PKT_GSO_TCP4 : PKT_GSO_TCP6;
		pkt->gso_size = s->mss;
	}
	fill_opts(c, &o, s->len < s->mss ? s->len : s->mss);
	fill_hdr(c, &h, s->seq, flags);
	tcp_ack_sent(c, s->segs);
	if (s->len) {
		note_data_sent(c);
		c->n.data_segs_out += s->segs;
		c->n.bytes_sent += s->len;
	}
	s->sent_ns = tcp_now(c);
	s->xmit_no = ++c->xmit_no;
	s->transmits++;
	s->delivered = c->n.delivered;
	if (!c->packets_out)		/* idle until now: the sampling starts afresh */
		c->n.first_sent_ns = c->n.delivered_ns = s->sent_ns;
	s->first_sent_ns = c->n.first_sent_ns;
	s->delivered_ns = c->n.delivered_ns;
	s->app_limited = c->app_limited != 0;
	if (first && c->rare)
		tcp_stamp_seg(c, s, pkt);
	err = send_on(c, pkt, &h, &o, tos, s->segs);
	return err;
}

/* A segment without payload. */
static enum ns_err send_empty(struct tcp_conn *c, uint32_t seq, uint8_t flags)
{
	struct pkt *pkt = pkt_alloc(c->ep.stack->pool, PKT_HEADROOM, 0);
	struct tcp_opts o;
	struct tcp_hdr h;

	if (!pkt)
		return NS_ERR_NO_MEMORY;
	fill_opts(c, &o, 0);
	fill_hdr(c, &h, seq, flags);
	return send_on(c, pkt, &h, &o, 0, 1);
}

/* RFC 9293, 3.10.7.4 wants a number in the window; a window that was taken back may leave snd_nxt out of it. */
static uint32_t acceptable_seq(const struct tcp_conn *c)
{
	if (seq_ge(tcp_wnd_end(c), c->snd_nxt) ||
	    (c->has_wscale && c->snd_nxt - tcp_wnd_end(c) < 1u << c->snd_wscale))
		return c->snd_nxt;
	return tcp_wnd_end(c);
}

void tcp_send_ack(struct tcp_conn *c)
{
	if (c->state == TCPS_CLOSE)
		return;
	if (send_empty(c, acceptable_seq(c), TCP_ACK) == NS_ERR_NO_MEMORY) {
		/* Try again: the peer waits for it. */
		c->ack_pending |= ACK_SCHED;
		c->ato_ns = TCP_ATO_MIN_NS;
		tcp_timer_kick(c, c->delack_at = tcp_now(c) + TCP_DELACK_MAX_NS);
		return;
	}
	tcp_ack_sent(c, 1);
}

void tcp_send_probe(struct tcp_conn *c, uint32_t seq)
{
	send_empty(c, seq, TCP_ACK);
}

void tcp_send_reset(struct tcp_conn *c)
{
	c->ooo.has_dsack = false;
	if (send_empty(c, acceptable_seq(c), TCP_RST | TCP_ACK) == NS_OK)
		stat_inc(&tcp_stats(c)->resets_sent);
}

/* What of the user's data the SYN carries (RFC 7413, 4.2.1). */
static struct pkt *syn_payload(struct tcp_conn *c)
{
	struct tcp_seg s = { .buf = container_of(c->rope.next, struct pkt, node), .len = c->syn_len };

	return tcp_seg_payload(c, &s);
}

void tcp_xmit_syn(struct tcp_conn *c)
{
	const struct tcp_settings *set = &c->proto->set;
	bool ack = c->state == TCPS_SYN_RECV;
	bool fast = c->fo_client && !ack && !c->retransmits;
	struct pkt *pkt = fast && c->syn_len ? syn_payload(c) : pkt_alloc(c->ep.stack->pool, PKT_HEADROOM, 0);
	struct tcp_opts o = {
		.has_mss = true, .mss = (uint16_t)c->advmss,
		.has_ts = ack ? c->has_ts : set->timestamps,
		.sack_permitted = ack ? c->has_sack : set->sack,
		.has_wscale = ack ? c->has_wscale : set->wscale, .wscale = c->rcv_wscale,
	};
	struct tcp_hdr h = { .seq = c->iss, .flags = TCP_SYN };

	if (!pkt)
		return;
	/* Told that the SYN with data was too large, Linux expects no more of the way back. */
	if (c->fo_client && !ack && c->retransmits && o.mss > tcp_path_mss(c))
		o.mss = (uint16_t)tcp_path_mss(c);
	if (o.has_ts) {
		o.ts_val = tcp_ts_now(c);
		o.ts_ecr = c->ts_recent;	/* of a SYN, what TIME-WAIT had */
	}
	if (fast)
		tcp_fo_syn_opt(c, &o.fo);
	h.wnd = c->rcv_wnd > TCP_WINDOW_MAX ? TCP_WINDOW_MAX : (uint16_t)c->rcv_wnd;
	if (ack) {
		h.flags |= TCP_ACK;
		h.ack = c->rcv_nxt;
		c->rcv_wup = c->rcv_nxt;
		if (c->ecn & ECN_OK)
			h.flags |= TCP_ECE;
	} else if (set->ecn == 1 && c->retransmits < 2) {
		/* RFC 3168, 6.1.1.1: when SYNs with it get lost, try without. */
		h.flags |= TCP_ECE | TCP_CWR;
	}
	send_on(c, pkt, &h, &o, 0, 1);
	c->last_tx_ns = tcp_now(c);
}

enum ns_err tcp_send_reply(struct tcp_proto *p, const struct tcp_reply *r)
{
	struct stack *s = p->stack;
	struct route_key key = { .nic = r->nic, .local = r->local, .remote = r->remote };
	struct net_tx tx = { .proto = IP_PROTO_TCP, .ttl = r->ttl, .tos = r->tos, .pmtud = r->pmtud };
	struct tcp_hdr h = r->h;
	struct route route;
	struct pkt *pkt;
	enum ns_err err = route_find(s, &key, &route);

	if (err) {
		stat_inc(&s->stats.tcp.segment_send_errors);
		return err;
	}
	pkt = pkt_alloc(s->pool, PKT_HEADROOM, 0);
	if (!pkt || !push_header(pkt, &h, &r->o, &route.local, &route.remote)) {
		pkt_free(pkt);
		err = NS_ERR_NO_MEMORY;
	} else {
		err = route.net->tx(&route, pkt, &tx);
	}
	route_release(&route);
	if (err)
		stat_inc(&s->stats.tcp.segment_send_errors);
	else
		stat_inc(&s->stats.tcp.segments_sent);
	return err;
}

void tcp_send_stateless_reset(struct tcp_proto *p, const struct tcp_rx *rx)
{
	struct tcp_reply r = {
		.local = rx->dst, .remote = rx->src,
		.nic = addr_is_link_local(&rx->src) ? rx->nic->id : 0,
		.pmtud = NET_PMTUD_WANT,
	};

	/* RFC 9293, 3.5.2, group 1; a reset is never answered with one. */
	if (rx->flags & TCP_RST)
		return;
	r.h.sport = rx->h.dport;
	r.h.dport = rx->h.sport;
	if (rx->flags & TCP_ACK) {
		r.h.seq = rx->ack;
		r.h.flags = TCP_RST;
	} else {
		r.h.ack = rx->end_seq;
		r.h.flags = TCP_RST | TCP_ACK;
	}
	if (tcp_send_reply(p, &r) == NS_OK)
		stat_inc(&p->stack->stats.tcp.resets_sent);
}
