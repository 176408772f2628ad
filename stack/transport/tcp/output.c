/* When to send: windows, Nagle's algorithm, corks, and super-segments (RFC 9293, 3.8.6; RFC 5681). */
#include "transport/tcp/impl.h"

/* A short segment waits for what is outstanding if that is short too (Minshall's variation). */
static bool nagle_holds(const struct tcp_conn *c, bool force)
{
	if (force || c->urg_out)
		return false;
	if (c->cork || c->more)
		return true;
	return !c->nodelay && c->packets_out && seq_gt(c->snd_sml, c->snd_una) &&
	       seq_le(c->snd_sml, c->snd_nxt);
}

/* How much of what is queued may go out now as one super-segment; 0: nothing. */
static uint32_t sendable(struct tcp_conn *c, uint32_t mss, uint32_t quota, bool force)
{
	uint32_t unsent = tcp_record_left(c), first = unsent < mss ? unsent : mss;
	int32_t wnd = seq_diff(tcp_wnd_end(c), c->snd_nxt);
	uint32_t max = tcp_gso_payload(c, mss), needed, partial;

	/* RFC 9293, 3.8.6.2.1: a full segment, or all there is; else not before the window opens. */
	if (wnd < (int32_t)first)
		return 0;
	if ((uint64_t)quota * mss < max)
		max = quota * mss;
	needed = unsent < (uint32_t)wnd ? unsent : (uint32_t)wnd;
	if (max <= needed)
		return max;
	partial = needed % mss;
	if (partial && !((c->fin_queued || unsent != tcp_unsent(c)) && needed == unsent) &&
	    nagle_holds(c, force))
		return needed - partial;
	return needed;
}

/*
 * Whether to wait a moment for the ACKs on their way, so that what goes out is larger: as Linux's
 * tcp_tso_should_defer(). Only right after something was sent, when the next ACK is near, and while the
 * windows' open part is less than a third of them.
 */
static bool defer(struct tcp_conn *c, uint32_t len, uint32_t mss, uint32_t quota)
{
	uint32_t wnd = tcp_wnd_end(c) - c->snd_nxt, limit = quota * mss, third;
	struct tcp_seg *head = tcp_first_seg(c);
	int64_t now = tcp_now(c);

	if (!head || c->ca >= TCP_CA_RECOVERY || c->fin_queued || now - c->last_tx_ns > NS_PER_MS)
		return false;
	if (limit > wnd)
		limit = wnd;
	if (limit >= tcp_gso_payload(c, mss) || len == tcp_record_left(c))
		return false;
	third = c->cc.cwnd * mss < c->snd_wnd ? c->cc.cwnd * mss / 3 : c->snd_wnd / 3;
	if (third && limit >= third)
		return false;
	if (now - head->sent_ns < c->rtt.srtt_ns / 2)
		return false;
	if (limit < wnd)
		c->is_cwnd_limited = true;
	return true;
}

static void new_data_sent(struct tcp_conn *c, struct tcp_seg *s)
{
	uint32_t prior = c->packets_out;

	list_push_back(&c->segs, &s->node);
	list_push_back(&c->sent, &s->order);
	c->snd_nxt = seg_end(s);
	if (s->flags & SEG_FIN)
		c->fin_sent = true;
	if (s->len < (uint32_t)s->segs * s->mss)
		c->snd_sml = c->snd_nxt;
	c->packets_out += s->segs;
	if (!prior || c->rtx_kind == RTX_TLP)
		tcp_arm_rto(c);
	if (!prior)
		tcp_chrono(c, CHRONO_BUSY, true);
}

/* Sends the next @len bytes, and the FIN if it is its turn. */
static bool send_new(struct tcp_conn *c, uint32_t len, uint32_t mss, bool push)
{
	bool fin = c->fin_queued && len == tcp_unsent(c) && seq_lt(c->snd_nxt + len, tcp_wnd_end(c));
	bool record = c->records && len == tcp_record_left(c);
	uint32_t end = c->snd_nxt + len;
	struct tcp_seg *s;
	enum ns_err err;

	if (!len && !fin)
		return false;
	s = tcp_seg_new(c, len, fin, mss);
	if (!s)
		return false;
	if (len && (push || record || tcp_push_due(c, end)))
		s->flags |= SEG_PSH;
	err = tcp_xmit_seg(c, s, true);
	new_data_sent(c, s);
	/* A full queue in this host is congestion like any other (Linux: tcp_enter_cwr()). */
	if (err == NS_ERR_NO_BUFFER_SPACE || err == NS_ERR_WOULD_BLOCK)
		tcp_enter_cwr(c);
	return true;
}

/* RFC 2861 as Linux has it: a window that was not used for an RTO shrinks towards what was. */
static void app_limited_cwnd(struct tcp_conn *c)
{
	int64_t now = tcp_now(c);

	if (c->packets_out > c->cwnd_used)
		c->cwnd_used = c->packets_out;
	if (!c->proto->set.slow_start_after_idle || now - c->cwnd_stamp_ns < rtt_rto(&c->rtt))
		return;
	if (c->ca == TCP_CA_OPEN) {
		uint32_t used = c->cwnd_used > c->proto->set.init_cwnd ? c->cwnd_used
								       : c->proto->set.init_cwnd;

		if (used < c->cc.cwnd) {
			uint32_t kept = (c->cc.cwnd >> 1) + (c->cc.cwnd >> 2);

			if (c->cc.ssthresh < kept)
				c->cc.ssthresh = kept;
			c->cc.cwnd = (c->cc.cwnd + used) >> 1;
		}
		c->cwnd_used = 0;
	}
	c->cwnd_stamp_ns = now;
}

static void validate_cwnd(struct tcp_conn *c, bool limited)
{
	if (seq_ge(c->snd_una, c->cwnd_usage_seq) || (limited && !c->is_cwnd_limited) ||
	    c->packets_out > c->max_packets_out) {
		c->is_cwnd_limited = limited;
		c->max_packets_out = c->packets_out;
		c->cwnd_usage_seq = c->snd_nxt;
	}
	if (limited || (tcp_cc_in_slow_start(&c->cc) && c->cc.cwnd < 2 * c->max_packets_out)) {
		c->cwnd_used = 0;
		c->cwnd_stamp_ns = tcp_now(c);
	} else {
		app_limited_cwnd(c);
	}
	/* Nothing left to send, and a writer that waits for room: the buffer is what limits. */
	if (!limited && !tcp_unsent(c) && c->want_space)
		tcp_chrono(c, CHRONO_SNDBUF, true);
}

static void idle_restart(struct tcp_conn *c)
{
	int64_t idle = tcp_now(c) - c->last_tx_ns;

	if (c->packets_out || !c->proto->set.slow_start_after_idle || !c->last_tx_ns)
		return;
	if (idle > rtt_rto(&c->rtt) && c->cc.ops->on_idle)
		c->cc.ops->on_idle(&c->cc, idle, rtt_rto(&c->rtt));
}

/* What cwnd allows now; at most half of it in one piece, so that its ACKs keep coming. */
static uint32_t cwnd_quota(const struct tcp_conn *c)
{
	uint32_t in_flight = tcp_in_flight(c), room, half = c->cc.cwnd > 1 ? c->cc.cwnd / 2 : 1;

	if (in_flight >= c->cc.cwnd)
		return 0;
	room = c->cc.cwnd - in_flight;
	return room < half ? room : half;
}

void tcp_output(struct tcp_conn *c, bool force)
{
	tcp_output_some(c, force, UINT32_MAX);
}

/* True: nothing else may go out before the probe. */
static bool probe_first(struct tcp_conn *c)
{
	uint32_t len, start = c->snd_nxt;

	switch (tcp_probe_mtu(c, &len)) {
	case TCP_PROBE_WAIT:
		return true;
	case TCP_PROBE_SEND:
		if (send_new(c, len, len, false))
			tcp_probe_sent(c, start, len);
		return false;
	default:
		return false;
	}
}

void tcp_output_some(struct tcp_conn *c, bool force, uint32_t max)
{
	bool limited = false, rwnd_limited = false;
	uint32_t mss, prior = c->packets_out, sent;

	if (!tcp_to_send(c) || c->state == TCPS_CLOSE || tcp_connecting(c))
		return;
	idle_restart(c);
	mss = tcp_mss(c);
	if (c->probe_mtu && max == UINT32_MAX && probe_first(c))
		return;
	while (tcp_to_send(c) && max--) {
		uint32_t quota = cwnd_quota(c), len;

		if (!quota) {
			limited = true;
			break;
		}
		len = tcp_unsent(c) ? sendable(c, mss, quota, force) : 0;
		if (!len && tcp_unsent(c)) {
			rwnd_limited = seq_diff(tcp_wnd_end(c), c->snd_nxt) < (int32_t)mss &&
				       seq_diff(tcp_wnd_end(c), c->snd_nxt) < (int32_t)tcp_unsent(c);
			break;
		}
		if (len > mss && !force && defer(c, len, mss, quota)) {
			limited = c->is_cwnd_limited;
			break;
		}
		if (!send_new(c, len, mss, false))
			break;
	}
	tcp_chrono(c, CHRONO_RWND, rwnd_limited);
	sent = c->packets_out - prior;
	if (sent) {
		if (tcp_in_cwnd_reduction(c))
			c->prr_out += sent;
		tcp_schedule_tlp(c);
		validate_cwnd(c, limited || tcp_in_flight(c) >= c->cc.cwnd);
	} else if (!c->packets_out && tcp_to_send(c) && c->rtx_kind == RTX_NONE) {
		tcp_arm_persist(c);
	}
}

void tcp_send_fin(struct tcp_conn *c)
{
	c->fin_queued = true;
	tcp_output(c, true);
}

/* RFC 9293, 3.8.6.1: one segment into the window's rest, else one number already used. */
void tcp_probe(struct tcp_conn *c)
{
	uint32_t unsent = tcp_record_left(c), mss = tcp_mss(c), len;

	if (tcp_to_send(c) && seq_lt(c->snd_nxt, tcp_wnd_end(c))) {
		len = tcp_wnd_end(c) - c->snd_nxt;
		if (len > unsent)
			len = unsent;
		if (len > mss)
			len = mss;
		send_new(c, len, mss, true);
		return;
	}
	if (c->urg_out && seq_between(c->snd_up, c->snd_una + 1, c->snd_una + 0xffff))
		tcp_send_probe(c, c->snd_una);
	tcp_send_probe(c, c->snd_una - 1);
}

bool tcp_send_tlp(struct tcp_conn *c)
{
	uint32_t mss = tcp_mss(c), len = tcp_record_left(c) < mss ? tcp_record_left(c) : mss;
	struct tcp_seg *s;

	if (tcp_to_send(c) && seq_le(c->snd_nxt + len, tcp_wnd_end(c)) && (len || c->fin_queued)) {
		if (send_new(c, len, mss, false)) {
			c->tlp_retrans = false;
			return true;
		}
		return false;
	}
	if (list_empty(&c->segs))
		return false;
	s = container_of(c->segs.prev, struct tcp_seg, node);
	if (s->segs > 1 && (!tcp_seg_split(c, s, (s->segs - 1u) * s->mss)))
		return false;
	s = container_of(c->segs.prev, struct tcp_seg, node);
	c->tlp_retrans = true;
	return tcp_retransmit_seg(c, s, 1);
}
