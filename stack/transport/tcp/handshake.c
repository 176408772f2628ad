/*
 * The passive side of a handshake: SYNs, SYN-ACKs, cookies (RFC 9293, 3.10.7.2 and 3.10.7.4; RFC 4987; RFC 5961).
 */
#include <stdlib.h>

#include "transport/tcp/isn.h"
#include "transport/tcp/listen.h"

#define COOKIE_LIFE_NS (120 * NS_PER_SEC)

static struct isn_pair pair_of(const struct tcp_tuple *t)
{
	return (struct isn_pair){ t->local, t->remote, t->lport, t->rport };
}

void tcp_req_drop(struct tcp_req *r)
{
	struct tcp_proto *p = r->listener->proto;

	tcp_table_remove(p, &r->tuple);
	timer_fini(p->stack->clock, &r->timer);
	list_remove(&r->list);
	r->listener->listener->nreqs--;
	p->nreqs--;
	free(r->syn);
	free(r);
}

static void base_reply(const struct tcp_req *r, struct tcp_reply *out)
{
	const struct sock_opts *so = &r->listener->ep.opts;

	*out = (struct tcp_reply){
		.local = r->tuple.local, .remote = r->tuple.remote,
		.nic = so->bind_nic ? so->bind_nic : addr_is_link_local(&r->tuple.remote) ? r->nic : 0,
		.ttl = sock_opts_ttl(so, r->tuple.remote.len), .pmtud = so->pmtu_discover,
		.tos = (uint8_t)((r->tuple.remote.len == ADDR_LEN_V4 ? so->tos : so->traffic_class) & ~3),
		.h = { .sport = r->tuple.lport, .dport = r->tuple.rport, .ack = r->irs + 1 },
	};
}

static uint32_t ts_now(const struct tcp_req *r)
{
	return (uint32_t)(r->listener->ep.stack->clock->now_ns / NS_PER_MS);
}

static void send_synack(struct tcp_req *r, const struct tcp_fo_opt *fo)
{
	struct tcp_reply out;

	base_reply(r, &out);
	out.h.seq = r->iss;
	out.h.flags = TCP_SYN | TCP_ACK;
	if (r->ecn)
		out.h.flags |= TCP_ECE;
	out.h.wnd = r->wnd;
	out.o = (struct tcp_opts){
		.has_mss = true, .mss = r->advmss, .has_ts = r->has_ts, .sack_permitted = r->has_sack,
		.has_wscale = r->has_wscale, .wscale = r->rcv_wscale, .ts_ecr = r->ts_recent,
	};
	if (fo)
		out.o.fo = *fo;
	if (r->has_ts) {
		uint32_t now = ts_now(r);

		if (r->cookie) {
			struct isn_cookie_opts o = { r->has_wscale, r->has_sack, r->ecn, r->snd_wscale };

			now = isn_cookie_ts(now, &o);
		}
		out.o.ts_val = now + r->ts_off;
	}
	r->sent_ns = r->listener->ep.stack->clock->now_ns;
	tcp_send_reply(r->listener->proto, &out);
}

static void req_timeout(struct timer *t)
{
	struct tcp_req *r = container_of(t, struct tcp_req, timer);
	struct tcp_conn *l = r->listener;
	const struct tcp_settings *set = &l->proto->set;
	int64_t wait = set->init_rto_ns;

	if (r->timeouts >= set->synack_retries) {
		stat_inc(&tcp_stats(l)->failed_connection_attempts);
		stat_inc(&tcp_stats(l)->timeouts);
		tcp_req_drop(r);
		return;
	}
	r->timeouts++;
	/* What acknowledged it is expected to say something; it is asked again only at the end. */
	if (!r->acked || r->timeouts >= l->defer_accept) {
		stat_inc(&tcp_stats(l)->retransmits);
		send_synack(r, NULL);
	}
	for (uint8_t i = 0; i < r->timeouts && wait < set->max_rto_ns; i++)
		wait *= 2;
	timer_arm_in(l->ep.stack->clock, t, wait < set->max_rto_ns ? wait : set->max_rto_ns);
}

/* Announced MSS and window are those of the way back. */
static bool choose_window(struct tcp_conn *l, struct tcp_req *r)
{
	struct route_key key = { .local = r->tuple.local, .remote = r->tuple.remote,
				 .nic = addr_is_link_local(&r->tuple.remote) ? r->nic : 0 };
	struct tcp_initial_window w;
	struct route route;

	if (route_find(l->ep.stack, &key, &route))
		return false;
	r->advmss = (uint16_t)tcp_local_mss(r->tuple.local.len, &route, l->user_mss);
	route_release(&route);
	w = tcp_initial_window(l, r->advmss - (r->has_ts ? 12u : 0u), r->has_wscale);
	r->rcv_wnd = w.wnd;
	r->clamp = w.clamp;
	r->rcv_wscale = w.wscale;
	r->wnd = w.wnd > TCP_WINDOW_MAX ? TCP_WINDOW_MAX : (uint16_t)w.wnd;
	return true;
}

static void fill_req(struct tcp_req *r, struct tcp_conn *l, const struct tcp_rx *rx)
{
	const struct tcp_settings *set = &l->proto->set;

	*r = (struct tcp_req){
		.tuple = { .local = rx->dst, .remote = rx->src, .lport = rx->h.dport,
			   .rport = rx->h.sport, .kind = TUPLE_REQ,
			   .nic = addr_is_link_local(&rx->src) ? rx->nic->id
							       : l->ep.opts.bind_nic },
		.listener = l, .irs = rx->seq, .nic = rx->nic->id,
		.has_ts = set->timestamps && rx->o.has_ts, .has_sack = set->sack && rx->o.sack_permitted,
		.has_wscale = set->wscale && rx->o.has_wscale, .ts_recent = rx->o.ts_val,
		.ts_off = isn_ts_offset(&l->ep.stack->secret, &rx->dst, &rx->src),
		.ecn = set->ecn && (rx->flags & (TCP_ECE | TCP_CWR)) == (TCP_ECE | TCP_CWR) && !rx->ect,
	};
	if (r->has_wscale)
		r->snd_wscale = rx->o.wscale;
	r->mss = rx->o.has_mss ? rx->o.mss : rx->dst.len == ADDR_LEN_V4 ? TCP_DEFAULT_MSS
									 : TCP_MIN_IPV6_MSS;
	list_init(&r->list);
	timer_init(&r->timer, req_timeout);
}

/* RFC 4987, 3.6: the queue is full; what would be kept is in the number sent. */
static void answer_with_cookie(struct tcp_conn *l, const struct tcp_rx *rx)
{
	struct isn_pair pair;
	struct tcp_req r;
	uint16_t mss;

	fill_req(&r, l, rx);
	r.cookie = true;
	if (!r.has_ts)		/* nowhere to put the options */
		r.has_sack = r.has_wscale = r.ecn = false;
	if (!choose_window(l, &r))
		return;
	pair = pair_of(&r.tuple);
	mss = r.mss;
	r.iss = isn_cookie(&l->ep.stack->secret, &pair, r.irs, &mss, tcp_now(l));
	send_synack(&r, NULL);
	l->listener->overflow_ns = tcp_now(l);
	stat_inc(&tcp_stats(l)->listen_overflow_syn_cookie_sent);
}

static void new_req(struct tcp_conn *l, struct tcp_rx *rx)
{
	struct tcp_req *r = malloc(sizeof(*r));
	struct tcp_fo_opt fo = { 0 };
	struct isn_pair pair;

	if (!r)
		return;
	fill_req(r, l, rx);
	pair = pair_of(&r->tuple);
	r->iss = rx->tw_isn ? rx->tw_isn : isn_make(&l->ep.stack->secret, &pair, tcp_now(l));
	if (l->rare)
		r->syn = tcp_save_syn(l, rx->pkt);
	if (!choose_window(l, r) || tcp_fastopen_syn(l, r, rx, &fo) || !tcp_table_add(l->proto, &r->tuple)) {
		free(r->syn);
		free(r);
		return;
	}
	list_push_back(&l->listener->reqs, &r->list);
	l->listener->nreqs++;
	l->proto->nreqs++;
	send_synack(r, &fo);
	r->first_sent_ns = r->sent_ns;
	timer_arm_in(l->ep.stack->clock, &r->timer, l->proto->set.init_rto_ns);
}

static void rx_syn(struct tcp_conn *l, struct tcp_rx *rx)
{
	const struct tcp_settings *set = &l->proto->set;
	struct tcp_listener *q = l->listener;
	uint32_t limit = q->backlog ? q->backlog : 1;
	bool full;

	if (limit > set->max_syn_backlog)
		limit = set->max_syn_backlog;
	full = q->nreqs >= limit;
	if (tcp_accept_full(q) || (full && !set->syncookies)) {
		stat_inc(&tcp_stats(l)->listen_overflow_syn_drop);
		return;
	}
	if ((full || set->syncookies == 2) && !rx->tw_isn)
		answer_with_cookie(l, rx);
	else
		new_req(l, rx);
}

/* An ACK for which nothing is kept: a cookie, or for nobody. */
static void rx_cookie(struct tcp_conn *l, struct tcp_rx *rx)
{
	const struct tcp_settings *set = &l->proto->set;
	struct tcp_listener *q = l->listener;
	struct isn_cookie_opts o;
	struct isn_pair pair;
	struct tcp_req r;
	uint16_t mss;

	if (!set->syncookies || (set->syncookies == 1 && (q->overflow_ns < 0 ||
	    tcp_now(l) - q->overflow_ns > COOKIE_LIFE_NS))) {
		tcp_send_stateless_reset(l->proto, rx);
		return;
	}
	fill_req(&r, l, rx);
	pair = pair_of(&r.tuple);
	r.irs = rx->seq - 1;
	r.iss = rx->ack - 1;
	mss = isn_cookie_check(&l->ep.stack->secret, &pair, r.irs, r.iss, tcp_now(l));
	if (!mss) {
		stat_inc(&tcp_stats(l)->listen_overflow_invalid_syn_cookie_rcvd);
		tcp_send_stateless_reset(l->proto, rx);
		return;
	}
	stat_inc(&tcp_stats(l)->listen_overflow_syn_cookie_rcvd);
	r.mss = mss;
	r.cookie = true;
	r.sent_ns = tcp_now(l);
	r.timeouts = 1;			/* no round trip time can be had from it */
	r.has_sack = r.has_wscale = r.ecn = false;
	if (r.has_ts) {
		o = isn_cookie_ts_opts(rx->o.ts_ecr - r.ts_off);
		r.has_sack = set->sack && o.sack_permitted;
		r.has_wscale = set->wscale && o.has_wscale;
		r.snd_wscale = r.has_wscale ? o.wscale : 0;
		r.ecn = set->ecn && o.ecn;
	}
	if (!choose_window(l, &r))
		return;
	if (tcp_accept_full(q)) {
		stat_inc(&tcp_stats(l)->listen_overflow_ack_drop);
		return;
	}
	tcp_make_child(l, &r, rx);
}

void tcp_listen_rx(struct tcp_conn *l, struct tcp_rx *rx)
{
	if (rx->flags & TCP_RST)
		return;
	tcp_hold(l);
	if (rx->flags & TCP_ACK) {
		if (rx->flags & TCP_SYN)
			tcp_send_stateless_reset(l->proto, rx);
		else
			rx_cookie(l, rx);
	} else if (rx->flags & TCP_SYN && !(rx->flags & TCP_FIN)) {
		rx_syn(l, rx);
	}
	tcp_put(l);
}

static void req_challenge(struct tcp_req *r)
{
	struct tcp_reply out;
	int64_t now = r->listener->ep.stack->clock->now_ns;

	if (r->oow_ns && now - r->oow_ns < r->listener->proto->set.invalid_ratelimit_ns)
		return;
	r->oow_ns = now ? now : 1;
	base_reply(r, &out);
	out.h.seq = r->iss + 1;
	out.h.flags = TCP_ACK;
	out.h.wnd = (uint16_t)(r->rcv_wnd >> r->rcv_wscale);
	out.o = (struct tcp_opts){ .has_ts = r->has_ts, .ts_ecr = r->ts_recent };
	if (r->has_ts)
		out.o.ts_val = ts_now(r) + r->ts_off;
	tcp_send_reply(r->listener->proto, &out);
}

static bool in_window(const struct tcp_req *r, const struct tcp_rx *rx)
{
	uint32_t left = r->irs + 1, right = left + r->rcv_wnd;

	if (rx->seq == left)
		return true;
	if (seq_gt(rx->end_seq, left) && seq_lt(rx->seq, right))
		return true;
	return rx->seq == right && rx->seq == rx->end_seq;
}

static void complete(struct tcp_req *r, struct tcp_rx *rx)
{
	struct tcp_conn *l = r->listener;

	/* TCP_DEFER_ACCEPT: not before there is something to read. */
	if (r->timeouts < l->defer_accept && rx->end_seq == r->irs + 1) {
		r->acked = true;
		return;
	}
	if (tcp_accept_full(l->listener)) {
		stat_inc(&tcp_stats(l)->listen_overflow_ack_drop);
		if (l->proto->set.abort_on_overflow) {
			tcp_send_stateless_reset(l->proto, rx);
			tcp_req_drop(r);
		} else {
			r->acked = true;
		}
		return;
	}
	tcp_hold(l);
	if (r->has_ts && rx->o.has_ts && seq_le(rx->seq, r->irs + 1))
		r->ts_recent = rx->o.ts_val;
	if (tcp_make_child(l, r, rx))
		tcp_req_drop(r);
	else if (!r->tuple.entered && !tcp_table_add(l->proto, &r->tuple))
		tcp_req_drop(r);
	tcp_put(l);
}

void tcp_req_rx(struct tcp_req *r, struct tcp_rx *rx)
{
	struct tcp_conn *l = r->listener;
	struct tcp_stats *st = tcp_stats(l);

	/* The SYN again: our answer was lost. */
	if ((rx->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN && rx->seq == r->irs) {
		int64_t now = l->ep.stack->clock->now_ns;

		if (!r->oow_ns || now - r->oow_ns >= l->proto->set.invalid_ratelimit_ns) {
			r->oow_ns = now ? now : 1;
			stat_inc(&st->retransmits);
			send_synack(r, NULL);
		}
		return;
	}
	if (rx->flags & TCP_ACK && !(rx->flags & TCP_RST) && rx->ack != r->iss + 1) {
		tcp_send_stateless_reset(l->proto, rx);
		return;
	}
	if (!in_window(r, rx) || (r->has_ts && rx->o.has_ts && seq_lt(rx->o.ts_val, r->ts_recent))) {
		if (!(rx->flags & TCP_RST))
			req_challenge(r);
		return;
	}
	if (rx->flags & TCP_RST) {
		stat_inc(&st->resets_received);
		if (rx->seq != r->irs + 1) {
			req_challenge(r);
			return;
		}
		stat_inc(&st->failed_connection_attempts);
		tcp_req_drop(r);
		return;
	}
	if (rx->flags & TCP_SYN) {
		req_challenge(r);	/* RFC 5961, 4.2 */
		return;
	}
	if (rx->flags & TCP_ACK)
		complete(r, rx);
}

void tcp_req_error(struct tcp_req *r, const struct net_error *e)
{
	uint32_t seq = (uint32_t)e->hdr[4] << 24 | (uint32_t)e->hdr[5] << 16 | (uint32_t)e->hdr[6] << 8 |
		       e->hdr[7];

	/* The peer may be there still, or it was never: the SYN-ACK's timer decides, but for a hard error. */
	if (seq != r->iss || !e->hard)
		return;
	stat_inc(&tcp_stats(r->listener)->failed_connection_attempts);
	tcp_req_drop(r);
}
