/* The active side of a handshake: SYN-SENT (RFC 9293, 3.10.7.3), simultaneous open. */
#include "transport/tcp/impl.h"

void tcp_take_syn_opts(struct tcp_conn *c, const struct tcp_rx *rx)
{
	const struct tcp_settings *set = &c->proto->set;
	uint32_t mss = rx->o.has_mss ? rx->o.mss : c->remote.addr.len == ADDR_LEN_V4 ? TCP_DEFAULT_MSS
										      : TCP_MIN_IPV6_MSS;

	c->has_wscale = set->wscale && rx->o.has_wscale;
	c->snd_wscale = c->has_wscale ? rx->o.wscale : 0;
	if (!c->has_wscale)
		c->rcv_wscale = 0;
	c->has_ts = set->timestamps && rx->o.has_ts;
	c->has_sack = set->sack && rx->o.sack_permitted;
	if (c->has_ts) {
		c->ts_recent = rx->o.ts_val;
		c->ts_recent_ns = tcp_now(c);
	}
	c->hdr_len = (uint8_t)(TCP_HDR_LEN + (c->has_ts ? 12 : 0));
	if (c->user_mss && mss > c->user_mss)
		mss = c->user_mss;
	c->mss_clamp = mss < TCP_MIN_SND_MSS ? TCP_MIN_SND_MSS : mss;
}

static void take_peer(struct tcp_conn *c, const struct tcp_rx *rx)
{
	tcp_take_syn_opts(c, rx);
	c->irs = rx->seq;
	c->rcv_nxt = c->copied_seq = c->rcv_wup = rx->seq + 1;
	c->snd_wl1 = rx->seq;
	/* RFC 7323, 2.2: the window of a SYN is never scaled. */
	c->snd_wnd = c->max_window = rx->h.wnd;
	if (!c->has_wscale && c->window_clamp > TCP_WINDOW_MAX)
		c->window_clamp = TCP_WINDOW_MAX;
	if (!c->has_wscale && c->rcv_wnd > TCP_WINDOW_MAX)
		c->rcv_wnd = TCP_WINDOW_MAX;
}

/* RFC 9293, 3.10.7.3, fourth: "if there are other controls or text in the segment", they are taken as later ones are. */
static void take_data(struct tcp_conn *c, struct tcp_rx *rx)
{
	rx->flags &= (uint8_t)~TCP_SYN;
	rx->seq++;
	if (rx->seq != rx->end_seq)
		tcp_data(c, rx);
}

static void established(struct tcp_conn *c, struct tcp_rx *rx)
{
	struct tcp_stats *st = tcp_stats(c);
	uint32_t syn_end = c->iss + 1 + c->syn_len;

	take_peer(c, rx);
	if (c->fo_client)
		tcp_fo_synack(c, rx);
	c->snd_una = c->snd_nxt = rx->ack;
	if (c->proto->set.ecn == 1 && (rx->flags & (TCP_ECE | TCP_CWR)) == TCP_ECE)
		c->ecn = ECN_OK;	/* RFC 3168, 6.1.1 */
	tcp_disarm_rtx(c);
	if (!c->retransmits)
		rtt_sample(&c->rtt, tcp_now(c) - c->last_tx_ns, tcp_now(c), c->snd_una, c->snd_nxt);
	else if (c->has_ts && rx->o.ts_ecr)
		rtt_sample(&c->rtt, (int64_t)(tcp_ts_now(c) - rx->o.ts_ecr) * NS_PER_MS, tcp_now(c),
			   c->snd_una, c->snd_nxt);
	tcp_set_state(c, c->fin_queued ? TCPS_FIN_WAIT1 : TCPS_ESTABLISHED);
	tcp_init_transfer(c);
	tcp_rto_over(c);
	c->retransmits = 0;
	c->was_connected = true;
	stat_inc(&st->active_connection_openings);
	take_data(c, rx);
	tcp_wake(c, WAIT_OUT);
	/* Data that was written meanwhile carries the ACK along; where some is expected, it may wait for it. */
	if (tcp_unsent(c))
		tcp_push_end(c);	/* what is left of the SYN's data: a write ended there */
	if (tcp_to_send(c))
		tcp_output(c, false);
	if (syn_end != c->iss + 1)
		tcp_fo_sent_again(c, syn_end);
	if (c->write_waits) {	/* which makes it a dialogue, as Linux sees it */
		tcp_quickack_mode(c);
		c->last_rx_ns = tcp_now(c);
	}
	if ((c->defer_accept || c->pingpong || c->write_waits) && !(c->ack_pending & ACK_SCHED) && !tcp_to_send(c)) {
		c->ack_pending |= ACK_SCHED;
		tcp_timer_kick(c, c->delack_at = tcp_now(c) + TCP_DELACK_MAX_NS);
	} else if (c->last_ack_sent != c->rcv_nxt) {
		tcp_send_ack(c);
	}
}

/* RFC 9293, 3.10.7.3, fourth, no ACK: both opened at once. */
static void simultaneous(struct tcp_conn *c, struct tcp_rx *rx)
{
	take_peer(c, rx);
	c->syn_len = 0;
	if (c->proto->set.ecn && (rx->flags & (TCP_ECE | TCP_CWR)) == (TCP_ECE | TCP_CWR))
		c->ecn = ECN_OK;
	tcp_set_state(c, TCPS_SYN_RECV);
	tcp_xmit_syn(c);
	tcp_arm_rtx(c, RTX_RTO, tcp_now(c) + rtt_rto(&c->rtt));
}

void tcp_rx_syn_sent(struct tcp_conn *c, struct tcp_rx *rx)
{
	bool ack = rx->flags & TCP_ACK;

	if (ack && (seq_le(rx->ack, c->iss) || seq_gt(rx->ack, c->snd_nxt + c->syn_len))) {
		/* Half open: the peer is of an older connection (RFC 9293, 3.5.1). */
		tcp_send_stateless_reset(c->proto, rx);
		/* It has forgotten now: ask again soon, as Linux does. */
		if (!c->retransmits)
			tcp_arm_rtx(c, RTX_RTO, tcp_now(c) + TCP_TIMER_MIN_NS);
		return;
	}
	/* A timestamp that we did not send: of an older incarnation. */
	if (ack && rx->o.has_ts && rx->o.ts_ecr && c->proto->set.timestamps &&
	    (seq_gt(rx->o.ts_ecr, tcp_ts_now(c)) || seq_lt(rx->o.ts_ecr, c->syn_ts))) {
		tcp_send_stateless_reset(c->proto, rx);
		return;
	}
	if (rx->flags & TCP_RST) {
		stat_inc(&tcp_stats(c)->resets_received);
		if (ack)
			tcp_reset_received(c);
		return;
	}
	if (!(rx->flags & TCP_SYN))
		return;
	if (ack)
		established(c, rx);
	else
		simultaneous(c, rx);
}
