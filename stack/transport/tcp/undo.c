/* Taking back what was done for a loss that was none (RFC 3522, RFC 3708, RFC 4015). */
#include "transport/tcp/impl.h"

void tcp_undo_init(struct tcp_conn *c)
{
	c->undo_marker = c->snd_una ? c->snd_una : 1;
	/* Retransmissions in flight that may yet turn out to be duplicates. */
	c->undo_retrans = c->retrans_out ? (int32_t)c->retrans_out : -1;
}

/* RFC 3522: the ACK echoes a timestamp from before the retransmission: the original arrived. */
static bool original_arrived(const struct tcp_conn *c)
{
	return c->has_ts && c->rcv_ecr && c->retrans_stamp && seq_lt(c->rcv_ecr, c->retrans_stamp);
}

static bool may_undo(const struct tcp_conn *c)
{
	return c->undo_marker && (!c->undo_retrans || original_arrived(c));
}

static void undo(struct tcp_conn *c, bool unmark)
{
	if (unmark) {
		while (!list_empty(&c->lost))
			tcp_unmark_lost(c, container_of(c->lost.next, struct tcp_seg, order));
		list_for_each(n, &c->segs) {
			struct tcp_seg *s = container_of(n, struct tcp_seg, node);

			if (!c->lost_out)
				break;
			tcp_unmark_lost(c, s);
		}
	}
	if (c->prior_ssthresh) {
		c->cc.ops->on_undo(&c->cc);
		if (c->prior_ssthresh > c->cc.ssthresh)
			c->cc.ssthresh = c->prior_ssthresh;
		c->ecn &= (uint8_t)~ECN_QUEUE_CWR;
	}
	c->cwnd_stamp_ns = tcp_now(c);
	c->undo_marker = 0;
	c->rack.advanced = true;	/* losses may show once more */
}

static bool any_retrans(const struct tcp_conn *c)
{
	struct tcp_seg *head = tcp_first_seg(c);

	return c->retrans_out || (head && head->flags & SEG_EVER_RETRANS);
}

/* Without SACK a number acknowledged twice may be of before: hold the state (RFC 6582, 3.2). */
static bool hold_reno(struct tcp_conn *c)
{
	if (c->snd_una != c->high_seq || c->has_sack)
		return false;
	if (!any_retrans(c))
		c->retrans_stamp = 0;
	return true;
}

bool tcp_try_undo_recovery(struct tcp_conn *c)
{
	if (may_undo(c))
		undo(c, false);
	if (hold_reno(c))
		return true;
	c->ca = TCP_CA_OPEN;
	return false;
}

bool tcp_try_undo_dsack(struct tcp_conn *c)
{
	if (!c->undo_marker || c->undo_retrans)
		return false;
	/* RFC 8985, 6.2, step 4: the wider window was wanted; it stays. */
	if (c->rack.reo_persist)
		c->rack.reo_persist++;
	undo(c, false);
	return true;
}

bool tcp_try_undo_loss(struct tcp_conn *c, bool spurious)
{
	if (!spurious && !may_undo(c))
		return false;
	undo(c, true);
	c->retransmits = 0;
	if (spurious || c->has_sack)
		c->ca = TCP_CA_OPEN;
	return true;
}

bool tcp_try_undo_partial(struct tcp_conn *c, uint32_t prior_una)
{
	if (!c->undo_marker || !original_arrived(c))
		return false;
	/* The hole was filled by the original: the network reorders. */
	tcp_note_reordering(c, prior_una, c->snd_una);
	/* Retransmissions in flight: wait for what they tell. */
	if (c->retrans_out)
		return true;
	if (!any_retrans(c))
		c->retrans_stamp = 0;
	undo(c, true);
	tcp_try_keep_open(c);
	return false;
}
