/* Sending again what was lost. */
#include "transport/tcp/impl.h"

/* Cuts @s to what may go out at once: @max_segs segments, inside the peer's window. */
static bool fit(struct tcp_conn *c, struct tcp_seg *s, uint32_t mss, uint32_t max_segs)
{
	uint32_t max = mss * max_segs, gso = tcp_gso_payload(c, mss);
	int32_t wnd = seq_diff(tcp_wnd_end(c), s->seq);

	/* A peer that took back its window: only the first may go, as a probe (RFC 9293, 3.8.6). */
	if (wnd <= 0 && s->seq != c->snd_una)
		return false;
	if (max > gso)
		max = gso;
	if (wnd <= 0)
		max = mss;
	else if ((uint32_t)wnd < max && (uint32_t)wnd >= mss)
		max = (uint32_t)wnd - (uint32_t)wnd % mss;
	if (s->mss != mss && s->len > mss)
		tcp_seg_resize(c, s, mss);
	return s->len <= max || tcp_seg_split(c, s, max);
}

bool tcp_retransmit_seg(struct tcp_conn *c, struct tcp_seg *s, uint32_t max_segs)
{
	struct tcp_stats *st = tcp_stats(c);
	uint32_t mss = tcp_mss(c);
	enum ns_err err;

	if (!fit(c, s, mss, max_segs))
		return false;
	if (!c->retrans_stamp)
		c->retrans_stamp = tcp_ts_now(c) ? tcp_ts_now(c) : 1;
	c->probe_size = 0;	/* whatever comes of it says nothing */
	err = tcp_xmit_seg(c, s, false);
	if (err == NS_ERR_NO_MEMORY)
		return false;
	if (!(s->flags & SEG_RETRANS))
		c->retrans_out += s->segs;
	s->flags |= SEG_RETRANS | SEG_EVER_RETRANS;
	list_remove(&s->order);
	list_push_back(&c->sent, &s->order);
	if (c->undo_retrans < 0)
		c->undo_retrans = 0;
	c->undo_retrans += s->segs;
	c->n.total_retrans += s->segs;
	c->n.bytes_retrans += s->len;
	stat_add(&st->retransmits, s->segs);
	if (c->ca == TCP_CA_LOSS)
		stat_add(&st->slow_start_retransmits, s->segs);
	else if (c->ca == TCP_CA_RECOVERY)
		stat_add(&st->fast_retransmit, s->segs);
	return true;
}

void tcp_xmit_retransmits(struct tcp_conn *c)
{
	bool rearm = false;

	while (!list_empty(&c->lost)) {
		struct tcp_seg *s = container_of(c->lost.next, struct tcp_seg, order);
		uint32_t in_flight = tcp_in_flight(c);
		bool head = s == tcp_first_seg(c);

		if (in_flight >= c->cc.cwnd || !tcp_retransmit_seg(c, s, c->cc.cwnd - in_flight))
			break;
		if (tcp_in_cwnd_reduction(c))
			c->prr_out += s->segs;
		if (head && c->rtx_kind != RTX_REO)
			rearm = true;
	}
	if (rearm)
		tcp_arm_rtx(c, RTX_RTO, tcp_now(c) + rtt_rto(&c->rtt));
}
