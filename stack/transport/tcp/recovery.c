/*
 * What follows from a loss: the states of recovery, proportional rate reduction, F-RTO (RFC 5681, RFC 6582,
 * RFC 6675, RFC 6937, RFC 5682). The states are Linux's.
 */
#include "transport/tcp/impl.h"

static bool any_retrans(const struct tcp_conn *c)
{
	struct tcp_seg *head = tcp_first_seg(c);

	return c->retrans_out || (head && head->flags & SEG_EVER_RETRANS);
}

void tcp_init_cwnd_reduction(struct tcp_conn *c, enum tcp_cc_event e)
{
	c->high_seq = c->snd_nxt;
	c->tlp_high_seq = 0;
	c->prior_cwnd = c->cc.cwnd;
	c->prr_delivered = c->prr_out = 0;
	c->cc.ops->on_loss(&c->cc, e, tcp_now(c));
	if (c->ecn & ECN_OK)
		c->ecn |= ECN_QUEUE_CWR;
}

/* RFC 6937, 3: what is sent is in proportion to what arrives. */
void tcp_cwnd_reduction(struct tcp_conn *c, uint32_t acked_sacked, uint32_t newly_lost, unsigned flag)
{
	uint32_t in_flight = tcp_in_flight(c);
	int64_t room = (int64_t)c->cc.ssthresh - in_flight, n;

	if (!acked_sacked || !c->prior_cwnd)
		return;
	c->prr_delivered += acked_sacked;
	if (room < 0) {
		n = ((int64_t)c->cc.ssthresh * c->prr_delivered + c->prior_cwnd - 1) / c->prior_cwnd -
		    c->prr_out;
	} else {
		/* Slow start, by the segments that arrive, while nothing more is lost. */
		n = (int64_t)c->prr_delivered - c->prr_out;
		if (n < acked_sacked)
			n = acked_sacked;
		if (flag & AF_UNA_ADVANCED && !newly_lost)
			n++;
		if (n > room)
			n = room;
	}
	/* The first retransmission goes out in any case. */
	if (n < (c->prr_out ? 0 : 1))
		n = c->prr_out ? 0 : 1;
	c->cc.cwnd = in_flight + (uint32_t)n;
}

void tcp_end_cwnd_reduction(struct tcp_conn *c)
{
	if (c->ca == TCP_CA_CWR || c->undo_marker) {
		c->cc.ops->on_exit_recovery(&c->cc);
		c->cwnd_stamp_ns = tcp_now(c);
	}
	if (c->cc.cwnd == 0)
		c->cc.cwnd = 1;
}

void tcp_enter_cwr(struct tcp_conn *c)
{
	c->prior_ssthresh = 0;
	if (c->ca >= TCP_CA_CWR)
		return;
	c->undo_marker = 0;
	tcp_init_cwnd_reduction(c, TCP_CC_ECN);
	c->ca = TCP_CA_CWR;
}

/* What ssthresh would be without a loss: three quarters of the window at least. */
static uint32_t current_ssthresh(const struct tcp_conn *c)
{
	uint32_t kept = (c->cc.cwnd >> 1) + (c->cc.cwnd >> 2);

	return tcp_in_cwnd_reduction(c) || c->cc.ssthresh > kept ? c->cc.ssthresh : kept;
}

void tcp_enter_recovery(struct tcp_conn *c, bool ece)
{
	if (!any_retrans(c))
		c->retrans_stamp = 0;
	stat_inc(c->has_sack ? &tcp_stats(c)->sack_recovery : &tcp_stats(c)->fast_recovery);
	c->prior_ssthresh = 0;
	tcp_undo_init(c);
	if (!tcp_in_cwnd_reduction(c)) {
		if (!ece)
			c->prior_ssthresh = current_ssthresh(c);
		tcp_init_cwnd_reduction(c, TCP_CC_FAST_RECOVERY);
	}
	c->ca = TCP_CA_RECOVERY;
}

void tcp_try_keep_open(struct tcp_conn *c)
{
	uint8_t ca = c->sacked_out || c->lost_out || any_retrans(c) ? TCP_CA_DISORDER : TCP_CA_OPEN;

	if (c->ca != ca) {
		c->ca = ca;
		c->high_seq = c->snd_nxt;
	}
}

static void try_to_open(struct tcp_conn *c, unsigned flag)
{
	if (!any_retrans(c))
		c->retrans_stamp = 0;
	if (flag & AF_ECE)
		tcp_enter_cwr(c);
	if (c->ca != TCP_CA_CWR)
		tcp_try_keep_open(c);
}

/* RFC 5681 3.1, RFC 6298 5: the timer expired. What was sent lately may still be on its way (RFC 8985, 6.3). */
static void mark_on_timeout(struct tcp_conn *c)
{
	struct tcp_seg *head = tcp_first_seg(c);
	bool reneged = head && head->flags & SEG_SACKED && c->has_sack;
	int64_t reo = c->rack.reo_steps && rtt_min(&c->rtt) > 0 ? tcp_rack_reo_wnd(c) : 0;

	if (!c->has_sack)
		c->sacked_out = 0;
	list_for_each(n, &c->segs) {
		struct tcp_seg *s = container_of(n, struct tcp_seg, node);

		if (s->flags & SEG_SACKED) {
			if (!reneged)
				continue;
			/* RFC 2018, 8: it threw away what it had SACKed. */
			s->flags &= (uint8_t)~SEG_SACKED;
			c->sacked_out -= s->segs;
			list_push_back(&c->sent, &s->order);
		} else if (s != head && c->proto->set.rack && c->has_sack && c->rack.rtt_ns &&
			   tcp_rack_remaining(c, s, reo) > 0) {
			continue;
		}
		tcp_mark_lost(c, s);
	}
}

void tcp_enter_loss(struct tcp_conn *c)
{
	bool fresh = c->ca < TCP_CA_RECOVERY;

	if (!any_retrans(c))
		c->retrans_stamp = 0;
	mark_on_timeout(c);
	if (c->ca <= TCP_CA_DISORDER || seq_le(c->high_seq, c->snd_una) ||
	    (c->ca == TCP_CA_LOSS && !c->retransmits)) {
		c->prior_ssthresh = current_ssthresh(c);
		c->cc.ops->on_loss(&c->cc, TCP_CC_RTO, tcp_now(c));
		tcp_undo_init(c);
	}
	c->cc.cwnd = tcp_in_flight(c) + 1;
	c->cc.cwnd_cnt = 0;
	c->cwnd_stamp_ns = tcp_now(c);
	if (c->ca <= TCP_CA_DISORDER && c->sacked_out >= c->proto->set.reordering &&
	    c->reordering > c->proto->set.reordering)
		c->reordering = c->proto->set.reordering;
	c->ca = TCP_CA_LOSS;
	c->high_seq = c->snd_nxt;
	c->tlp_high_seq = 0;
	if (c->ecn & ECN_OK)
		c->ecn |= ECN_QUEUE_CWR;
	/* RFC 5682: a first timeout is doubted, or one of retransmissions. */
	c->frto = fresh || c->retransmits;
}

/* RFC 6675, 4: with this many SACKed above it, a segment is lost. */
static void mark_by_count(struct tcp_conn *c)
{
	uint32_t upto = c->sacked_out > c->reordering ? c->sacked_out - c->reordering : 0, seen = 0;

	if (c->sacked_out < c->reordering)
		return;
	list_for_each_safe(n, &c->segs) {
		struct tcp_seg *s = container_of(n, struct tcp_seg, node);

		if (s->flags & SEG_SACKED) {
			seen += s->segs;
			if (seen > upto)
				break;
		} else if (!(s->flags & (SEG_LOST | SEG_RETRANS))) {
			tcp_mark_lost(c, s);
		}
	}
}

/* RFC 6582, 3.2: the first one outstanding, when the third duplicate or a partial ACK says so. */
static void mark_reno(struct tcp_conn *c, bool advanced)
{
	struct tcp_seg *head = tcp_first_seg(c);

	if (!(c->ca < TCP_CA_RECOVERY && c->sacked_out >= c->reordering) &&
	    !(c->ca >= TCP_CA_RECOVERY && advanced))
		return;
	if (head->flags & SEG_LOST)
		return;
	if (head->segs > 1)
		tcp_seg_split(c, head, head->mss);
	tcp_mark_lost(c, head);
}

static void identify_loss(struct tcp_conn *c, struct tcp_ack_state *a)
{
	uint32_t prior = c->retrans_out;

	if (list_empty(&c->segs))
		return;
	if (!c->has_sack) {
		mark_reno(c, a->flag & AF_UNA_ADVANCED);
	} else if (c->proto->set.rack) {
		if (tcp_rack_detect(c))
			a->flag &= ~(unsigned)AF_SET_TIMER;
		if (prior > c->retrans_out)
			a->flag |= AF_LOST_RETRANS;
	} else {
		mark_by_count(c);
	}
}

static void add_reno_sack(struct tcp_conn *c, uint32_t n)
{
	uint32_t prior = c->sacked_out, holes = c->lost_out ? c->lost_out : 1;

	if (!n)
		return;
	c->sacked_out += n;
	if (holes > c->packets_out)
		holes = c->packets_out;
	if (c->sacked_out + holes > c->packets_out)
		c->sacked_out = c->packets_out - holes;
	if (c->sacked_out > prior)
		c->n.delivered += c->sacked_out - prior;
}

/* RFC 2018, 8: the head is SACKed, and still not acknowledged. Wait a moment, then forget the SACKs. */
static bool check_reneging(struct tcp_conn *c, struct tcp_ack_state *a)
{
	int64_t wait = c->rtt.srtt_ns / 2;

	if (!(a->flag & AF_SACK_RENEGING) || !(a->flag & AF_UNA_ADVANCED))
		return false;
	if (wait < 10 * NS_PER_MS)
		wait = 10 * NS_PER_MS;
	tcp_arm_rtx(c, RTX_RTO, tcp_now(c) + wait);
	a->flag &= ~(unsigned)AF_SET_TIMER;
	return true;
}

/* F-RTO (RFC 5682, 2.1 and 3.1). Whether the state may be left by it. */
static void process_loss(struct tcp_conn *c, struct tcp_ack_state *a, uint32_t ndup)
{
	bool recovered = !seq_lt(c->snd_una, c->high_seq), advanced = a->flag & AF_UNA_ADVANCED;

	if (advanced && tcp_try_undo_loss(c, false))
		return;
	if (c->frto) {
		/* Step 3.b: something never retransmitted was acknowledged. */
		if (a->flag & AF_ORIG_SACK_ACKED && tcp_try_undo_loss(c, true))
			return;
		if (seq_gt(c->snd_nxt, c->high_seq)) {
			if (a->flag & AF_SACKED || ndup)
				c->frto = false;	/* step 3.a: the loss was real */
		} else if (advanced && !recovered) {
			c->high_seq = c->snd_nxt;
			/* Step 2.b: new data shows which it is. */
			if (tcp_to_send(c) && seq_gt(tcp_wnd_end(c), c->snd_nxt)) {
				a->rexmit = REXMIT_NEW;
				return;
			}
			c->frto = false;
		}
	}
	if (recovered) {
		tcp_try_undo_recovery(c);
		return;
	}
	if (!c->has_sack) {
		if (seq_gt(c->snd_nxt, c->high_seq) && ndup)
			add_reno_sack(c, ndup);
		else if (advanced)
			c->sacked_out = 0;
	}
	a->rexmit = REXMIT_LOST;
}

/* Everything outstanding at the start of a recovery is acknowledged. */
static bool leave_recovery(struct tcp_conn *c)
{
	if (c->ca == TCP_CA_CWR) {
		/* CWR is not left by the ACK of the very last byte before it (RFC 3168, 6.1.2). */
		if (c->snd_una != c->high_seq) {
			tcp_end_cwnd_reduction(c);
			c->ca = TCP_CA_OPEN;
		}
	} else if (c->ca == TCP_CA_RECOVERY) {
		if (!c->has_sack)
			c->sacked_out = 0;
		if (tcp_try_undo_recovery(c))
			return true;
		tcp_end_cwnd_reduction(c);
		if (c->rack.reo_persist)
			c->rack.reo_persist--;
	}
	return false;
}

static bool in_recovery(struct tcp_conn *c, struct tcp_ack_state *a, uint32_t ndup)
{
	if (!(a->flag & AF_UNA_ADVANCED)) {
		if (!c->has_sack)
			add_reno_sack(c, ndup);
	} else if (tcp_try_undo_partial(c, a->prior_una)) {
		return true;
	}
	if (tcp_try_undo_dsack(c))
		try_to_open(c, a->flag);
	identify_loss(c, a);
	if (c->ca != TCP_CA_RECOVERY) {
		if (!c->lost_out)
			return true;
		/* What was taken back is evident now. */
		tcp_enter_recovery(c, a->flag & AF_ECE);
	}
	return false;
}

void tcp_rto_over(struct tcp_conn *c)
{
	if (c->n.rto_start_ns)
		c->n.total_rto_ms += (uint32_t)((tcp_now(c) - c->n.rto_start_ns) / NS_PER_MS);
	c->n.rto_start_ns = 0;
}

void tcp_fast_retransmit_alert(struct tcp_conn *c, struct tcp_ack_state *a, uint32_t ndup)
{
	if (!c->packets_out && c->sacked_out)
		c->sacked_out = 0;
	if (a->flag & AF_ECE)
		c->prior_ssthresh = 0;
	if (check_reneging(c, a))
		return;
	if (c->ca == TCP_CA_OPEN)
		c->retrans_stamp = any_retrans(c) ? c->retrans_stamp : 0;
	else if (seq_ge(c->snd_una, c->high_seq) && leave_recovery(c))
		return;
	switch (c->ca) {
	case TCP_CA_RECOVERY:
		if (in_recovery(c, a, ndup))
			return;
		break;
	case TCP_CA_LOSS:
		process_loss(c, a, ndup);
		if (c->ca != TCP_CA_LOSS)
			tcp_rto_over(c);
		identify_loss(c, a);
		if (!(c->ca == TCP_CA_OPEN || a->flag & AF_LOST_RETRANS))
			return;
		/* fall through */
	default:
		if (!c->has_sack) {
			if (a->flag & AF_UNA_ADVANCED)
				c->sacked_out = 0;
			add_reno_sack(c, ndup);
		}
		if (c->ca <= TCP_CA_DISORDER)
			tcp_try_undo_dsack(c);
		identify_loss(c, a);
		if (!c->lost_out) {
			try_to_open(c, a->flag);
			return;
		}
		if (c->ca < TCP_CA_CWR && c->probe_size && c->snd_una == c->probe_start) {
			tcp_probe_failed(c);
			return;
		}
		tcp_enter_recovery(c, a->flag & AF_ECE);
	}
	a->rexmit = REXMIT_LOST;
}
