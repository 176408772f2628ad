/* A segment arrives at a connection: RFC 9293, 3.10.7.4, step by step; RFC 5961; RFC 7323, 5. */
#include "transport/tcp/impl.h"

#define PAWS_IDLE_NS (24ll * 24 * 3600 * NS_PER_SEC)	/* RFC 7323, 5.5: 24 days */

void tcp_challenge_ack(struct tcp_conn *c)
{
	int64_t now = tcp_now(c);

	/* RFC 5961, 7: few for a connection, and few for all (CVE-2016-5696: no count to be probed). */
	if (c->challenge_ns && now - c->challenge_ns < c->proto->set.invalid_ratelimit_ns)
		return;
	if (!ratelimit_take(&c->proto->challenge, now))
		return;
	c->challenge_ns = now ? now : 1;
	tcp_send_ack(c);
}

/* The answer to a segment out of the window, with the duplicate named; no more often than needed: two ends
 * that disagree would otherwise answer one another for ever. */
static void out_of_window_ack(struct tcp_conn *c, const struct tcp_rx *rx)
{
	int64_t now = tcp_now(c);

	if (rx->len == 0 && !(rx->flags & TCP_SYN)) {
		if (c->dupack_ns && now - c->dupack_ns < c->proto->set.invalid_ratelimit_ns)
			return;
		c->dupack_ns = now ? now : 1;
	}
	tcp_send_dsack_ack(c, rx);
}

void tcp_reset_received(struct tcp_conn *c)
{
	enum ns_err err = NS_ERR_CONNECTION_RESET;

	if (c->state == TCPS_SYN_SENT)
		err = NS_ERR_CONNECTION_REFUSED;
	else if (c->state == TCPS_CLOSE_WAIT)
		err = NS_ERR_ABORTED;		/* the peer was through already: EPIPE */
	tcp_done(c, err);
}

/* RFC 7323, 5.3: R1, with Linux's exemption for an ACK that was overtaken. */
static bool paws_ok(const struct tcp_conn *c, const struct tcp_rx *rx)
{
	if (!rx->o.has_ts || !c->has_ts || !c->ts_recent || seq_ge(rx->o.ts_val, c->ts_recent))
		return true;
	if (tcp_now(c) - c->ts_recent_ns > PAWS_IDLE_NS)
		return true;
	return rx->len == 0 && !(rx->flags & (TCP_SYN | TCP_FIN)) && rx->seq == c->rcv_nxt &&
	       rx->ack == c->snd_una && rx->wnd == c->snd_wnd &&
	       (int64_t)(c->ts_recent - rx->o.ts_val) <= rtt_rto(&c->rtt) / NS_PER_MS;
}

/* RFC 7323, 4.3 (2): not from segments after a hole. */
static void note_ts(struct tcp_conn *c, const struct tcp_rx *rx)
{
	if (!c->has_ts || !rx->o.has_ts || seq_gt(rx->seq, c->rcv_wup))
		return;
	if (seq_lt(rx->o.ts_val, c->ts_recent) && c->ts_recent &&
	    tcp_now(c) - c->ts_recent_ns <= PAWS_IDLE_NS)
		return;
	c->ts_recent = rx->o.ts_val;
	c->ts_recent_ns = tcp_now(c);
}

/* First step. As Linux, from what was acknowledged on: an ACK of ours that got lost is answered. */
static bool sequence_ok(const struct tcp_conn *c, const struct tcp_rx *rx)
{
	uint32_t end = c->rcv_nxt + tcp_rcv_window(c);

	if (seq_lt(rx->end_seq, c->rcv_wup) || seq_gt(rx->seq, end))
		return false;
	/* One that is too long is refused whole, but taken whole where nothing waits to be read. */
	return seq_le(rx->end_seq, end) || !c->rcv_bytes || !rx->len;
}

/* RFC 5961, 3.2: only the exact number resets; with SACK also the one after the last block told. */
static bool reset_exact(const struct tcp_conn *c, const struct tcp_rx *rx)
{
	if (rx->seq == c->rcv_nxt)
		return true;
	/* RFC 9293, 3.10.7.4 after a FIN: Linux takes the number of the FIN too. */
	if (rx->seq == c->rcv_nxt - 1 && TCPS_IN(c->state, TCPS_BIT(TCPS_CLOSE_WAIT) |
						 TCPS_BIT(TCPS_LAST_ACK) | TCPS_BIT(TCPS_CLOSING)))
		return true;
	if (c->has_sack && !ooo_empty(&c->ooo)) {
		struct ooo look = c->ooo;
		struct tcp_sack_range b[TCP_MAX_SACK];
		uint32_t max = c->rcv_nxt;

		look.has_dsack = false;
		for (uint8_t i = 0, n = ooo_sacks(&look, b, TCP_MAX_SACK); i < n; i++)
			max = seq_max(max, b[i].right);
		return rx->seq == max;
	}
	return false;
}

static void syn_again(struct tcp_conn *c)
{
	int64_t now = tcp_now(c);

	if (c->dupack_ns && now - c->dupack_ns < c->proto->set.invalid_ratelimit_ns)
		return;
	c->dupack_ns = now ? now : 1;
	tcp_xmit_syn(c);
}

/* Steps one to four. False: it is dealt with. */
static bool validate(struct tcp_conn *c, struct tcp_rx *rx)
{
	if (!paws_ok(c, rx) && !(rx->flags & TCP_RST)) {
		if (rx->flags & TCP_SYN)
			tcp_challenge_ack(c);
		else
			out_of_window_ack(c, rx);
		return false;
	}
	if (!sequence_ok(c, rx)) {
		if (!(rx->flags & TCP_RST)) {
			if (rx->flags & TCP_SYN)
				tcp_challenge_ack(c);
			else
				out_of_window_ack(c, rx);
		} else if (reset_exact(c, rx)) {
			stat_inc(&tcp_stats(c)->resets_received);
			tcp_reset_received(c);
		}
		return false;
	}
	if (rx->flags & TCP_RST) {
		stat_inc(&tcp_stats(c)->resets_received);
		if (reset_exact(c, rx))
			tcp_reset_received(c);
		else
			tcp_challenge_ack(c);
		return false;
	}
	/* RFC 5961, 4.2; but the SYN-ACK of a peer that opened at the same time is welcome. */
	if (rx->flags & TCP_SYN) {
		if (c->state == TCPS_SYN_RECV && rx->flags & TCP_ACK && rx->seq + 1 == rx->end_seq &&
		    rx->seq + 1 == c->rcv_nxt && rx->ack == c->snd_nxt)
			return true;
		/* The SYN of a Fast Open again: our answer was lost. */
		if (c->state == TCPS_SYN_RECV && c->fast_open && !(rx->flags & TCP_ACK) && rx->seq == c->irs) {
			syn_again(c);
			return false;
		}
		tcp_challenge_ack(c);
		return false;
	}
	return true;
}

/* With Fast Open the connection was in use before: what is sent since is tcp_ack()'s. */
static void fast_open_acked(struct tcp_conn *c)
{
	c->fast_open = false;
	c->rtt.backoff = 0;
	c->retrans_stamp = 0;
	c->retrans_ns = 0;
	if (c->packets_out)
		tcp_arm_rto(c);
}

/* The peer acknowledged our SYN of a simultaneous open, or of a Fast Open. */
static bool syn_recv_acked(struct tcp_conn *c, struct tcp_rx *rx)
{
	if (!seq_gt(rx->ack, c->iss) || seq_gt(rx->ack, c->snd_nxt)) {
		tcp_send_stateless_reset(c->proto, rx);
		return false;
	}
	if (!c->fast_open)
		c->snd_una = rx->ack;
	c->snd_wnd = rx->wnd;
	c->snd_wl1 = rx->seq;
	c->max_window = c->snd_wnd;
	tcp_disarm_rtx(c);
	if (!c->retransmits && !c->n.data_segs_out)	/* data sent since has samples of its own */
		rtt_sample(&c->rtt, tcp_now(c) - c->last_tx_ns, tcp_now(c), c->snd_una, c->snd_nxt);
	tcp_set_state(c, c->fin_queued ? TCPS_FIN_WAIT1 : TCPS_ESTABLISHED);
	if (c->fast_open)
		fast_open_acked(c);
	else
		tcp_init_transfer(c);
	tcp_rto_over(c);
	c->retransmits = 0;
	c->last_tx_ns = tcp_now(c);
	stat_inc(&tcp_stats(c)->active_connection_openings);
	tcp_wake(c, WAIT_OUT);
	return true;
}

static void fin_wait2(struct tcp_conn *c)
{
	tcp_set_state(c, TCPS_FIN_WAIT2);
	if (!c->orphan) {
		tcp_wake(c, WAIT_OUT);
		return;
	}
	if (c->linger2_ns < 0) {
		tcp_done(c, NS_OK);
		return;
	}
	tcp_arm_fin_wait2(c);
}

/* What an acknowledgement of our FIN means. False: the connection is over. */
static bool fin_acked(struct tcp_conn *c)
{
	if (!c->fin_sent || c->snd_una != c->write_seq + 1)
		return true;
	switch (c->state) {
	case TCPS_FIN_WAIT1:
		fin_wait2(c);
		break;
	case TCPS_CLOSING:
		tcp_time_wait(c);
		break;
	case TCPS_LAST_ACK:
		tcp_done(c, NS_OK);
		break;
	default:
		break;
	}
	return c->state != TCPS_CLOSE;
}

/* Data for somebody who has gone: the peer must know that it was lost (RFC 9293, 3.6.1; RFC 2525, 2.17). */
static bool data_for_nobody(struct tcp_conn *c, const struct tcp_rx *rx)
{
	uint32_t fin = rx->flags & TCP_FIN ? 1 : 0;

	return c->orphan && rx->len && seq_gt(rx->end_seq - fin, c->rcv_nxt) &&
	       TCPS_IN(c->state, TCPS_BIT(TCPS_FIN_WAIT1) | TCPS_BIT(TCPS_FIN_WAIT2));
}

static void data_step(struct tcp_conn *c, struct tcp_rx *rx)
{
	bool has = rx->end_seq != rx->seq;

	if (rx->flags & TCP_URG)
		tcp_urgent(c, rx);
	if (!has)
		return;
	/* After the peer's FIN there is nothing more to come; what came before is answered. */
	if (TCPS_IN(c->state, TCPS_BIT(TCPS_CLOSE_WAIT) | TCPS_BIT(TCPS_CLOSING) |
			      TCPS_BIT(TCPS_LAST_ACK)) && seq_ge(rx->seq, c->rcv_nxt))
		return;
	if (data_for_nobody(c, rx)) {
		stat_inc(&c->ep.stats.receive_errors.closed_receiver);
		tcp_send_stateless_reset(c->proto, rx);
		tcp_done(c, NS_ERR_CONNECTION_RESET);
		return;
	}
	tcp_data(c, rx);
}

static void rx_synchronized(struct tcp_conn *c, struct tcp_rx *rx)
{
	int r;

	if (!rx->fast && !validate(c, rx))
		return;
	if (!(rx->flags & TCP_ACK))
		return;
	if (c->state == TCPS_SYN_RECV) {
		if (!syn_recv_acked(c, rx))
			return;
		/* The SYN part of a crossing SYN-ACK is known already. */
		if (rx->flags & TCP_SYN) {
			rx->flags &= (uint8_t)~TCP_SYN;
			rx->seq++;
		}
		tcp_timer_kick(c, c->keep_at);
	}
	/* RFC 5961, 5.2: before anything of it is believed. */
	if (seq_gt(rx->ack, c->snd_nxt) || seq_lt(rx->ack, c->snd_una - c->max_window)) {
		tcp_challenge_ack(c);
		return;
	}
	c->rcv_ecr = rx->o.has_ts ? rx->o.ts_ecr : 0;
	note_ts(c, rx);
	r = tcp_ack(c, rx, rx->fast ? 0 : AF_SLOWPATH);
	if (r < 0) {
		tcp_challenge_ack(c);
		return;
	}
	if (c->fin_sent && !fin_acked(c))
		return;
	data_step(c, rx);
	if (c->state == TCPS_CLOSE)
		return;
	tcp_wrote_space(c);
	if (tcp_to_send(c))
		tcp_output(c, false);
	tcp_check_ack(c, true);
}

/* Header prediction: nothing but the next data or the next ACK (Van Jacobson, RFC 7323 appendix E). */
static bool predicted(const struct tcp_conn *c, const struct tcp_rx *rx)
{
	return c->state == TCPS_ESTABLISHED && (rx->flags & (uint8_t)~TCP_PSH) == TCP_ACK &&
	       rx->seq == c->rcv_nxt && rx->len <= tcp_rcv_window(c) && !rx->o.nsack &&
	       (!rx->o.has_ts || !c->has_ts || seq_ge(rx->o.ts_val, c->ts_recent));
}

void tcp_conn_rx(struct tcp_conn *c, struct tcp_rx *rx)
{
	tcp_hold(c);
	c->n.segs_in += rx->segs;
	if (rx->len)
		c->n.data_segs_in += rx->segs;
	stat_add(&c->ep.stats.packets_received, rx->segs);
	switch (c->state) {
	case TCPS_CLOSE:
	case TCPS_LISTEN:
		tcp_send_stateless_reset(c->proto, rx);
		break;
	case TCPS_SYN_SENT:
		tcp_rx_syn_sent(c, rx);
		break;
	default:
		if (!(rx->flags & TCP_SYN))
			rx->wnd = (uint32_t)rx->h.wnd << c->snd_wscale;
		rx->fast = predicted(c, rx);
		rx_synchronized(c, rx);
	}
	tcp_put(c);
}
