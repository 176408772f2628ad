/* Loss detection by time, and tail loss probes (RFC 8985). */
#include "transport/tcp/impl.h"

enum { REO_PERSIST = 16, REO_STEPS_MAX = 255 };

/* RFC 8985, 6.2, step 2: of two segments, which one was sent later; parts of one go by their numbers. */
static bool sent_after(uint32_t n1, uint32_t seq1, uint32_t n2, uint32_t seq2)
{
	return seq_gt(n1, n2) || (n1 == n2 && seq_gt(seq1, seq2));
}

void tcp_rack_advance(struct tcp_conn *c, const struct tcp_seg *s, uint32_t end)
{
	int64_t rtt = tcp_now(c) - s->sent_ns, least = rtt_min(&c->rtt);

	/* Step 2: an ACK sooner than any round trip is of the transmission before. */
	if (s->flags & SEG_EVER_RETRANS && least >= 0 && rtt < least)
		return;
	c->rack.advanced = true;
	c->rack.rtt_ns = rtt;
	if (sent_after(s->xmit_no, end, c->rack.xmit_no, c->rack.end_seq)) {
		c->rack.xmit_no = s->xmit_no;
		c->rack.end_seq = end;
	}
}

/* Step 4: more room for reordering each round trip that shows a retransmission was for nothing. */
void tcp_rack_update_reo(struct tcp_conn *c, const struct tcp_ack_state *a)
{
	struct tcp_rack *r = &c->rack;

	if (r->has_dsack_round && seq_lt(a->prior_una, r->dsack_round))
		r->dsack_seen = false;
	if (r->dsack_seen) {
		if (r->reo_steps < REO_STEPS_MAX)
			r->reo_steps++;
		r->dsack_seen = false;
		r->has_dsack_round = true;
		r->dsack_round = c->snd_nxt;
		r->reo_persist = REO_PERSIST;
	} else if (!r->reo_persist) {
		r->reo_steps = 1;
	}
}

int64_t tcp_rack_reo_wnd(struct tcp_conn *c)
{
	int64_t least = rtt_min(&c->rtt), wnd;

	/* Step 4: without reordering seen, the classic threshold does without waiting. */
	if (!c->n.reord_seen && (c->ca >= TCP_CA_RECOVERY || c->sacked_out >= c->reordering))
		return 0;
	if (least < 0)
		least = c->rack.rtt_ns;
	wnd = least / 4 * (c->rack.reo_steps ? c->rack.reo_steps : 1);
	return wnd < c->rtt.srtt_ns ? wnd : c->rtt.srtt_ns;
}

int64_t tcp_rack_remaining(struct tcp_conn *c, const struct tcp_seg *s, int64_t reo_ns)
{
	return s->sent_ns + c->rack.rtt_ns + reo_ns - tcp_now(c);
}

/* Step 5. Returns how long until the next may be lost, 0 if there is none. */
static int64_t detect(struct tcp_conn *c)
{
	int64_t reo = tcp_rack_reo_wnd(c), next = 0;

	list_for_each_safe(n, &c->sent) {
		struct tcp_seg *s = container_of(n, struct tcp_seg, order);
		int64_t left;

		if (!sent_after(c->rack.xmit_no, c->rack.end_seq, s->xmit_no, seg_end(s)))
			break;
		left = tcp_rack_remaining(c, s, reo);
		if (left <= 0)
			tcp_mark_lost(c, s);
		else if (left > next)
			next = left;
	}
	return next;
}

bool tcp_rack_detect(struct tcp_conn *c)
{
	int64_t wait;

	if (!c->rack.advanced)
		return false;
	c->rack.advanced = false;
	wait = detect(c);
	if (wait)
		tcp_arm_rtx(c, RTX_REO, tcp_now(c) + wait + TCP_TIMER_MIN_NS);
	return wait != 0;
}

/* Section 6.3: the reordering timer. */
void tcp_rack_timeout(struct tcp_conn *c)
{
	uint32_t prior_in_flight = tcp_in_flight(c), prior_lost = c->n.lost;
	int64_t wait = detect(c);

	if (prior_in_flight != tcp_in_flight(c)) {
		if (c->ca != TCP_CA_RECOVERY) {
			tcp_enter_recovery(c, false);
			tcp_cwnd_reduction(c, 1, c->n.lost - prior_lost, 0);
		}
		tcp_xmit_retransmits(c);
	}
	if (wait)
		tcp_arm_rtx(c, RTX_REO, tcp_now(c) + wait + TCP_TIMER_MIN_NS);
	else if (c->rtx_kind != RTX_RTO)
		tcp_arm_rto(c);
}

/* Section 7.2 */
bool tcp_schedule_tlp(struct tcp_conn *c)
{
	int64_t wait = NS_PER_SEC, rto_left;
	struct tcp_seg *head = tcp_first_seg(c);

	if (!c->proto->set.rack || !head || !c->has_sack || c->state == TCPS_SYN_RECV ||
	    (c->ca != TCP_CA_OPEN && c->ca != TCP_CA_CWR))
		return false;
	if (c->rtt.srtt_ns) {
		wait = 2 * c->rtt.srtt_ns;
		/* A single segment's acknowledgement may be delayed: WCDelAckT. */
		wait += c->packets_out == 1 ? TCP_RTO_MIN_NS : TCP_TIMER_MIN_NS;
	}
	rto_left = head->sent_ns + rtt_rto(&c->rtt) - tcp_now(c);
	if (rto_left > 0 && rto_left < wait)
		wait = rto_left;
	tcp_arm_rtx(c, RTX_TLP, tcp_now(c) + wait);
	return true;
}

/* Section 7.4.2 */
void tcp_tlp_acked(struct tcp_conn *c, uint32_t ack, unsigned flag)
{
	if (seq_lt(ack, c->tlp_high_seq))
		return;
	if (!c->tlp_retrans || flag & AF_DSACK_TLP) {
		c->tlp_high_seq = 0;
	} else if (seq_gt(ack, c->tlp_high_seq)) {
		/* The probe repaired a loss: congestion, as after a fast recovery. */
		tcp_init_cwnd_reduction(c, TCP_CC_FAST_RECOVERY);
		c->ca = TCP_CA_CWR;
		tcp_end_cwnd_reduction(c);
		tcp_try_keep_open(c);
	} else if (!(flag & (AF_NOT_DUP | AF_SACKED))) {
		c->tlp_high_seq = 0;	/* a duplicate for the duplicate */
	}
}
