/*
 * What an acknowledgement changes: the window, the records of what was sent, the round trip time, and
 * congestion control (RFC 9293, 3.10.7.4; RFC 5961, 5; RFC 6298; RFC 5681).
 */
#include "transport/tcp/impl.h"

enum { RENEGING_DELAY_MS = 10 };

/* RFC 9293, 3.10.7.4: only a newer segment's window counts. */
static unsigned update_window(struct tcp_conn *c, const struct tcp_rx *rx)
{
	uint32_t wnd = rx->wnd;
	unsigned flag = 0;

	if (seq_gt(rx->ack, c->snd_una) || seq_gt(rx->seq, c->snd_wl1) ||
	    (rx->seq == c->snd_wl1 && (wnd > c->snd_wnd || !wnd))) {
		flag = AF_WIN_UPDATE;
		c->snd_wl1 = rx->seq;
		c->snd_wnd = wnd;
		if (wnd > c->max_window) {
			c->max_window = wnd;
			tcp_sync_mss(c);
		}
	}
	c->n.bytes_acked += rx->ack - c->snd_una;
	c->snd_una = rx->ack;
	return flag;
}

void tcp_note_delivered(struct tcp_conn *c, struct tcp_seg *s, struct tcp_ack_state *a)
{
	if (!s->delivered_ns && !s->sent_ns)
		return;
	if (a->rate_valid && seq_diff(s->delivered, a->rate_prior_delivered) <= 0)
		return;
	a->rate_valid = true;
	a->rate_prior_delivered = s->delivered;
	a->rate_prior_ns = s->delivered_ns;
	a->rate_app_limited = s->app_limited;
	a->rate_interval_ns = s->sent_ns - s->first_sent_ns;
	c->n.first_sent_ns = s->sent_ns;
}

/* draft-cheng-iccrg-delivery-rate-estimation, 3.3 */
static void rate_sample(struct tcp_conn *c, struct tcp_ack_state *a)
{
	uint32_t delivered;
	int64_t ack_ns;

	if (c->app_limited && seq_gt(c->n.delivered, c->app_limited))
		c->app_limited = 0;
	if (c->n.delivered != a->prior_delivered)
		c->n.delivered_ns = tcp_now(c);
	if (!a->rate_valid)
		return;
	delivered = c->n.delivered - a->rate_prior_delivered;
	ack_ns = tcp_now(c) - a->rate_prior_ns;
	if (ack_ns < a->rate_interval_ns)
		ack_ns = a->rate_interval_ns;
	if (ack_ns <= 0 || ack_ns < rtt_min(&c->rtt) / 2)
		return;
	if (!a->rate_app_limited || (uint64_t)delivered * (uint64_t)c->n.rate_interval_ns >=
					(uint64_t)c->n.rate_delivered * (uint64_t)ack_ns) {
		c->n.rate_delivered = delivered;
		c->n.rate_interval_ns = ack_ns;
		c->n.rate_app_limited = a->rate_app_limited;
	}
}

/* Takes account of @n segments of @s that are acknowledged; its counters are the caller's. */
static void seg_acked(struct tcp_conn *c, struct tcp_seg *s, uint32_t n, struct tcp_ack_state *a)
{
	if (s->flags & SEG_EVER_RETRANS) {
		a->flag |= AF_RETRANS_ACKED;
	} else if (!(s->flags & SEG_SACKED)) {
		a->last_ack_ns = s->sent_ns;
		if (a->first_ack_ns < 0)
			a->first_ack_ns = s->sent_ns;
		a->reord = seq_min(a->reord, s->seq);
		if (seq_le(seg_end(s), c->high_seq))
			a->flag |= AF_ORIG_SACK_ACKED;
	}
	if (!(s->flags & SEG_SACKED) && c->has_sack) {
		c->n.delivered += n;
		tcp_rack_advance(c, s, seg_end(s));
	}
	tcp_note_delivered(c, s, a);
	a->flag |= AF_DATA_ACKED;
}

static void drop_counts(struct tcp_conn *c, const struct tcp_seg *s)
{
	c->packets_out -= s->segs;
	if (s->flags & SEG_SACKED)
		c->sacked_out -= s->segs;
	if (s->flags & SEG_RETRANS)
		c->retrans_out -= s->segs;
	if (s->flags & SEG_LOST)
		c->lost_out -= s->segs;
}

/* Removes what is acknowledged from the records; returns how many segments that were. */
static uint32_t clean_segs(struct tcp_conn *c, struct tcp_ack_state *a)
{
	uint32_t acked = 0;
	struct tcp_seg *s;

	if (c->rare)
		tcp_stamp_acked(c);
	while ((s = tcp_first_seg(c)) && seq_lt(s->seq, c->snd_una)) {
		uint32_t n = s->segs;

		if (seq_gt(seg_end(s), c->snd_una)) {
			uint32_t bytes = c->snd_una - s->seq, whole = bytes / s->mss;

			if (bytes > s->len)
				break;
			/* Only whole segments count; the bytes of a broken one go without. */
			if (whole)
				seg_acked(c, s, whole, a);
			tcp_seg_trim(c, s, bytes);
			acked += n - s->segs;
			break;
		}
		seg_acked(c, s, n, a);
		drop_counts(c, s);
		acked += n;
		tcp_seg_free(c, s);
	}
	if (s && s->flags & SEG_SACKED && c->has_sack)
		a->flag |= AF_SACK_RENEGING;
	if (c->urg_out && seq_ge(c->snd_una, c->snd_up))
		c->urg_out = false;
	tcp_rope_acked(c);
	return acked;
}

/* Karn's algorithm, or timestamps (RFC 6298, 3; RFC 7323, 4). Whether there was a sample. */
static bool update_rtt(struct tcp_conn *c, const struct tcp_rx *rx, struct tcp_ack_state *a)
{
	int64_t now = tcp_now(c), seq_rtt = -1, sack_rtt = -1, ca = -1;

	if (a->first_ack_ns >= 0 && !(a->flag & AF_RETRANS_ACKED)) {
		seq_rtt = now - a->first_ack_ns;
		ca = now - a->last_ack_ns;
	}
	if (a->first_sack_ns >= 0) {
		sack_rtt = now - a->first_sack_ns;
		ca = now - a->last_sack_ns;
	}
	if (seq_rtt < 0)
		seq_rtt = sack_rtt;
	if (seq_rtt < 0 && rx->o.has_ts && rx->o.ts_ecr && a->flag & AF_DATA_ACKED) {
		uint32_t delta = tcp_ts_now(c) - rx->o.ts_ecr;

		if (delta < INT32_MAX / 1000000)
			seq_rtt = ca = (delta ? delta : 1) * NS_PER_MS;
	}
	a->rtt_ns = ca;
	if (seq_rtt < 0)
		return false;
	rtt_sample(&c->rtt, seq_rtt, now, c->snd_una, c->snd_nxt);
	return true;
}

/* Without SACK: what duplicates told of is among what is now acknowledged (RFC 6582, 3.2). */
static void remove_reno_sacks(struct tcp_conn *c, uint32_t acked, struct tcp_ack_state *a)
{
	if (acked) {
		c->n.delivered += acked > c->sacked_out ? acked - c->sacked_out : 1;
		c->sacked_out = acked - 1 >= c->sacked_out ? 0 : c->sacked_out - (acked - 1);
	}
	/* The head is a hole by definition: it is never among the counted. */
	if (c->packets_out && c->sacked_out >= c->packets_out)
		c->sacked_out = c->packets_out - 1;
	if (!c->packets_out)
		c->sacked_out = 0;
	if (a->flag & AF_RETRANS_ACKED)
		a->flag &= ~(unsigned)AF_ORIG_SACK_ACKED;
}

static void clean_queue(struct tcp_conn *c, const struct tcp_rx *rx, struct tcp_ack_state *a)
{
	uint32_t prior_fack = a->prior_fack, acked = clean_segs(c, a);
	bool sampled = update_rtt(c, rx, a);
	struct tcp_seg *head = tcp_first_seg(c);

	if (c->probe_size)
		tcp_probe_acked(c);
	if (a->flag & AF_DATA_ACKED) {
		a->flag |= AF_SET_TIMER;
		if (!c->has_sack)
			remove_reno_sacks(c, acked, a);
		else if (seq_lt(a->reord, prior_fack))	/* a hole was filled by the original */
			tcp_note_reordering(c, a->reord, prior_fack);
	} else if (head && sampled && a->first_sack_ns >= 0 && a->first_sack_ns < head->sent_ns) {
		/* The head was sent after what this told of: its timer starts with it. */
		a->flag |= AF_SET_TIMER;
	}
	if (acked || a->flag & AF_DATA_ACKED)
		tcp_chrono(c, CHRONO_BUSY, c->packets_out || tcp_to_send(c));
}

void tcp_arm_rto(struct tcp_conn *c)
{
	struct tcp_seg *head = tcp_first_seg(c);
	int64_t at = tcp_now(c) + rtt_rto(&c->rtt);

	/* The timer is the SYN-ACK's until that is acknowledged (RFC 7413, 4.2.2). */
	if (c->state == TCPS_SYN_RECV)
		return;
	if (!head) {
		tcp_disarm_rtx(c);
		return;
	}
	/* A probe or a reordering timer was in between: the RTO counts from the head's transmission. */
	if (c->rtx_kind == RTX_TLP || c->rtx_kind == RTX_REO) {
		at = head->sent_ns + rtt_rto(&c->rtt);
		if (at <= tcp_now(c))
			at = tcp_now(c) + NS_PER_MS;
	}
	tcp_arm_rtx(c, RTX_RTO, at);
}

void tcp_arm_rto_or_tlp(struct tcp_conn *c)
{
	if (!tcp_schedule_tlp(c))
		tcp_arm_rto(c);
}

static void cong_control(struct tcp_conn *c, struct tcp_ack_state *a)
{
	unsigned progress = c->reordering > c->proto->set.reordering ? AF_DATA_ACKED | AF_SACKED
								     : AF_DATA_ACKED;
	struct tcp_cc_ack ca = {
		.acked_segs = a->acked_sacked, .in_flight = a->prior_in_flight, .rtt_ns = a->rtt_ns,
		.min_rtt_ns = rtt_min(&c->rtt), .now_ns = tcp_now(c), .snd_una = c->snd_una,
		.snd_nxt = c->snd_nxt,
	};

	if (tcp_in_cwnd_reduction(c)) {
		tcp_cwnd_reduction(c, a->acked_sacked, a->newly_lost, a->flag);
		return;
	}
	if (!(a->flag & progress) || !a->acked_sacked)
		return;
	ca.is_cwnd_limited = c->is_cwnd_limited ||
			     (tcp_cc_in_slow_start(&c->cc) && c->cc.cwnd < 2 * c->max_packets_out);
	c->cc.ops->on_ack(&c->cc, &ca);
	tcp_sndbuf_expand(c);
}

static void xmit_recovery(struct tcp_conn *c, const struct tcp_ack_state *a)
{
	if (a->rexmit == REXMIT_NONE || c->state == TCPS_SYN_SENT)
		return;
	if (a->rexmit == REXMIT_NEW) {
		tcp_output(c, true);
		if (seq_gt(c->snd_nxt, c->high_seq))
			return;
		c->frto = false;
	}
	tcp_xmit_retransmits(c);
}

static bool is_dubious(const struct tcp_conn *c, unsigned flag)
{
	return !(flag & AF_NOT_DUP) || flag & (AF_SACKED | AF_ECE | AF_DSACK) || c->ca != TCP_CA_OPEN;
}

/* The window may have opened while nothing is in flight (Linux: tcp_ack_probe()). */
static void ack_probe(struct tcp_conn *c)
{
	uint32_t mss = c->mss, first = tcp_unsent(c) < mss ? tcp_unsent(c) : mss;

	if (!tcp_to_send(c))
		return;
	if (seq_le(c->snd_nxt + (first ? first : 1), tcp_wnd_end(c))) {
		rtt_reset_backoff(&c->rtt);
		c->probe_start_ns = 0;
		if (c->rtx_kind == RTX_PERSIST)
			tcp_disarm_rtx(c);
	} else {
		tcp_arm_persist(c);
	}
}

static void finish(struct tcp_conn *c, struct tcp_ack_state *a)
{
	a->acked_sacked = c->n.delivered - a->prior_delivered;
	a->newly_lost = c->n.lost - a->prior_lost;
	if (a->flag & AF_ECE)
		c->n.delivered_ce += a->acked_sacked;
	rate_sample(c, a);
	cong_control(c, a);
	xmit_recovery(c, a);
}

static void alert(struct tcp_conn *c, struct tcp_ack_state *a, const struct tcp_rx *rx)
{
	bool dup = !(a->flag & (AF_UNA_ADVANCED | AF_NOT_DUP | AF_DSACK));

	tcp_fast_retransmit_alert(c, a, dup ? rx->segs : 0);
}

static void start(const struct tcp_conn *c, struct tcp_ack_state *a, unsigned flag)
{
	*a = (struct tcp_ack_state){
		.flag = flag, .prior_una = c->snd_una, .prior_fack = tcp_fack(c), .prior_packets = c->packets_out,
		.prior_in_flight = tcp_in_flight(c), .prior_delivered = c->n.delivered,
		.prior_lost = c->n.lost, .reord = c->snd_nxt, .first_ack_ns = -1,
		.first_sack_ns = -1, .rtt_ns = -1,
	};
}

static int old_ack(struct tcp_conn *c, struct tcp_rx *rx, struct tcp_ack_state *a)
{
	if (rx->o.nsack && c->has_sack) {
		a->flag |= tcp_sack_blocks(c, rx, a);
		if (c->packets_out) {
			/* What is sent again may change by it, the window not: that goes by the newest. */
			alert(c, a, rx);
			xmit_recovery(c, a);
		}
	}
	return 0;
}

int tcp_ack(struct tcp_conn *c, struct tcp_rx *rx, unsigned flag)
{
	struct tcp_ack_state a;

	start(c, &a, flag);
	if (seq_lt(rx->ack, c->snd_una)) {
		/* RFC 5961, 5.2 */
		if (seq_lt(rx->ack, c->snd_una - c->max_window))
			return -1;
		return old_ack(c, rx, &a);
	}
	if (seq_gt(rx->ack, c->snd_nxt))
		return -1;
	if (seq_gt(rx->ack, c->snd_una)) {
		a.flag |= AF_UNA_ADVANCED;
		c->retransmits = 0;
		if (c->route.neigh)
			route_confirm(&c->route);
	}
	if (rx->end_seq != rx->seq)
		a.flag |= AF_DATA;
	a.flag |= update_window(c, rx);
	if (rx->o.nsack && c->has_sack)
		a.flag |= tcp_sack_blocks(c, rx, &a);
	if (rx->flags & TCP_ECE && c->ecn & ECN_OK && !(rx->flags & TCP_SYN))
		a.flag |= AF_ECE;
	c->soft_err = NS_OK;
	c->probes = c->keep_probes = 0;
	c->last_ack_rx_ns = tcp_now(c);
	if (!a.prior_packets) {
		if (a.flag & AF_DSACK)
			alert(c, &a, rx);
		ack_probe(c);
		if (c->tlp_high_seq)
			tcp_tlp_acked(c, rx->ack, a.flag);
		return 1;
	}
	clean_queue(c, rx, &a);
	tcp_rack_update_reo(c, &a);
	if (c->tlp_high_seq)
		tcp_tlp_acked(c, rx->ack, a.flag);
	if (is_dubious(c, a.flag))
		alert(c, &a, rx);
	if (a.flag & AF_SET_TIMER)
		tcp_arm_rto_or_tlp(c);
	finish(c, &a);
	return 1;
}
