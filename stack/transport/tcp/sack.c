/* Selective acknowledgements on the sender's side: the scoreboard (RFC 2018, RFC 2883, RFC 6675). */
#include "transport/tcp/impl.h"

/* MAX_RECORDS: a peer that tells of crumbs is not followed into them: each costs memory, and time for each
 * of its ACKs (CVE-2019-11477 and 11478). */
enum { MAX_REORDERING = 250, MAX_RECORDS = 10000 };

void tcp_note_reordering(struct tcp_conn *c, uint32_t low, uint32_t fack)
{
	uint32_t metric = fack - low, segs;

	if (!seq_lt(low, fack) || !c->mss)
		return;
	segs = (metric + c->mss - 1) / c->mss;
	if (segs > MAX_REORDERING)
		segs = MAX_REORDERING;
	if (segs > c->reordering)
		c->reordering = (uint8_t)segs;
	c->n.reord_seen++;
}

static bool is_queued(const struct tcp_seg *s)
{
	return (s->flags & (SEG_LOST | SEG_RETRANS | SEG_SACKED)) == SEG_LOST;
}

/*
 * The list of what is to be sent again is in the order of the sequence space. After a timeout that may be
 * thousands, marked from the first to the last: so a neighbour there shows the place, mostly.
 */
static void lost_insert(struct tcp_conn *c, struct tcp_seg *s)
{
	struct tcp_seg *prev = s->node.prev != &c->segs ? container_of(s->node.prev, struct tcp_seg, node) : NULL;
	struct tcp_seg *next = s->node.next != &c->segs ? container_of(s->node.next, struct tcp_seg, node) : NULL;
	struct list *at;

	list_remove(&s->order);
	if (prev && is_queued(prev)) {
		list_insert_before(prev->order.next, &s->order);
		return;
	}
	if (next && is_queued(next)) {
		list_insert_before(&next->order, &s->order);
		return;
	}
	at = c->lost.prev;
	while (at != &c->lost && seq_gt(container_of(at, struct tcp_seg, order)->seq, s->seq))
		at = at->prev;
	list_insert_before(at->next, &s->order);
}

void tcp_mark_lost(struct tcp_conn *c, struct tcp_seg *s)
{
	if (s->flags & SEG_SACKED || is_queued(s))
		return;
	if (s->flags & SEG_RETRANS) {
		s->flags &= (uint8_t)~SEG_RETRANS;
		c->retrans_out -= s->segs;
		c->n.lost += s->segs;
	} else if (!(s->flags & SEG_LOST)) {
		c->n.lost += s->segs;
	}
	if (!(s->flags & SEG_LOST)) {
		s->flags |= SEG_LOST;
		c->lost_out += s->segs;
	}
	lost_insert(c, s);
}

void tcp_unmark_lost(struct tcp_conn *c, struct tcp_seg *s)
{
	if (!(s->flags & SEG_LOST))
		return;
	s->flags &= (uint8_t)~SEG_LOST;
	c->lost_out -= s->segs;
	if (s->flags & SEG_RETRANS)
		return;
	list_remove(&s->order);
	/* Back among those sent, where its time of transmission puts it. */
	if (!(s->flags & SEG_SACKED)) {
		struct list *at = c->sent.prev;

		while (at != &c->sent && seq_gt(container_of(at, struct tcp_seg, order)->xmit_no, s->xmit_no))
			at = at->prev;
		list_insert_before(at->next, &s->order);
	}
}

/* RFC 2883, 4: a first block below the ACK, or inside the second, is a duplicate. */
static bool is_dsack(const struct tcp_rx *rx)
{
	const struct tcp_sack_range *b = rx->o.sack;

	if (seq_lt(b[0].left, rx->ack))
		return true;
	return rx->o.nsack > 1 && seq_le(b[0].right, b[1].right) && seq_ge(b[0].left, b[1].left);
}

static bool take_dsack(struct tcp_conn *c, const struct tcp_rx *rx, struct tcp_ack_state *a)
{
	const struct tcp_sack_range *b = rx->o.sack;
	uint32_t len = b[0].right - b[0].left, segs = 1;

	if (!seq_lt(b[0].left, b[0].right))
		return false;
	if (c->mss && len > c->mss)
		segs = (len + c->mss - 1) / c->mss;
	c->n.dsack_dups += segs;
	/* More duplicates than there were retransmissions: the network made them, or the peer lies. */
	if (c->n.dsack_dups > c->n.total_retrans)
		return false;
	if (c->tlp_high_seq && c->tlp_retrans && b[0].right == c->tlp_high_seq)
		a->flag |= AF_DSACK_TLP;
	c->rack.dsack_seen = true;
	a->flag |= AF_DSACK;
	if (c->undo_marker && seq_le(b[0].right, a->prior_una) && seq_gt(b[0].right, c->undo_marker))
		c->undo_retrans = c->undo_retrans > (int32_t)segs ? c->undo_retrans - (int32_t)segs : 0;
	return true;
}

/* Whether a block is of what was sent and not yet acknowledged; for a duplicate, of what may have been. */
static bool block_ok(const struct tcp_conn *c, const struct tcp_sack_range *b, bool dsack)
{
	if (seq_gt(b->right, c->snd_nxt) || !seq_lt(b->left, b->right) || !seq_lt(b->left, c->snd_nxt))
		return false;
	if (seq_gt(b->left, c->snd_una))
		return true;
	if (!dsack || !c->undo_marker || seq_gt(b->right, c->snd_una))
		return false;
	if (!seq_lt(b->left, c->undo_marker))
		return true;
	return seq_gt(b->right, c->undo_marker) && !seq_lt(b->left, b->right - c->max_window);
}

/*
 * Splits @s where block @b starts or ends inside it, at a segment's border. Returns 1 if @s is then all in
 * the block, 0 if it is not, -1 without memory.
 */
static int match(struct tcp_conn *c, struct tcp_seg *s, const struct tcp_sack_range *b)
{
	bool in = seq_le(b->left, s->seq) && seq_ge(b->right, seg_end(s)), starts;
	uint32_t cut;

	if (in)
		return 1;
	if (s->segs <= 1 || !seq_gt(seg_end(s), b->left))
		return 0;
	starts = seq_le(b->left, s->seq);
	if (starts) {
		cut = b->right - s->seq;
		if (cut < s->mss)
			return 0;
		cut -= cut % s->mss;
	} else {
		cut = b->left - s->seq;
		cut = (cut + s->mss - 1) / s->mss * s->mss;
	}
	if (cut >= s->len || c->nsegs >= MAX_RECORDS)
		return 0;
	return tcp_seg_split(c, s, cut) ? starts : -1;
}

static void mark_sacked(struct tcp_conn *c, struct tcp_seg *s, struct tcp_ack_state *a, uint32_t fack)
{
	tcp_rack_advance(c, s, seg_end(s));
	if (s->flags & SEG_RETRANS) {
		/* The original may have arrived, or the copy: either way it is no longer in flight. */
		c->retrans_out -= s->segs;
		s->flags &= (uint8_t)~SEG_RETRANS;
	} else if (!(s->flags & SEG_EVER_RETRANS)) {
		/* Sent once, and later ones arrived before it: the network reorders. */
		if (seq_lt(s->seq, fack))
			a->reord = seq_min(a->reord, s->seq);
		if (seq_le(seg_end(s), c->high_seq))
			a->flag |= AF_ORIG_SACK_ACKED;
		if (a->first_sack_ns < 0)
			a->first_sack_ns = s->sent_ns;
		a->last_sack_ns = s->sent_ns;
	}
	if (s->flags & SEG_LOST) {
		s->flags &= (uint8_t)~SEG_LOST;
		c->lost_out -= s->segs;
	}
	list_remove(&s->order);
	s->flags |= SEG_SACKED;
	a->flag |= AF_SACKED;
	c->highest_sack = c->sacked_out ? seq_max(c->highest_sack, seg_end(s)) : seg_end(s);
	c->sacked_out += s->segs;
	c->n.delivered += s->segs;
	tcp_note_delivered(c, s, a);
}

/* A duplicate's report about something still outstanding: one of its transmissions was for nothing. */
static void mark_dup(struct tcp_conn *c, struct tcp_seg *s)
{
	if (!(s->flags & SEG_EVER_RETRANS))
		return;
	if (c->undo_marker && c->undo_retrans > 0 && seq_gt(seg_end(s), c->undo_marker))
		c->undo_retrans -= s->segs;
	if (c->undo_retrans < 0)
		c->undo_retrans = 0;
	if (s->flags & SEG_RETRANS && s->flags & SEG_SACKED) {
		s->flags &= (uint8_t)~SEG_RETRANS;
		c->retrans_out -= s->segs;
	}
}

/* Goes through the records from @n on with one block; returns where the next one starts. */
static struct list *walk(struct tcp_conn *c, struct list *n, const struct tcp_sack_range *b, bool dup,
			 struct tcp_ack_state *a, uint32_t fack)
{
	for (; n != &c->segs; n = n->next) {
		struct tcp_seg *s = container_of(n, struct tcp_seg, node);
		int in;

		if (!seq_lt(s->seq, b->right))
			break;
		if (seq_le(seg_end(s), b->left))
			continue;
		in = match(c, s, b);
		if (in < 0)
			break;
		if (!in)
			continue;	/* the part behind the cut comes next */
		if (dup)
			mark_dup(c, s);
		if (!(s->flags & SEG_SACKED))
			mark_sacked(c, s, a, fack);
	}
	return n;
}

/* Where to look for the record that holds @left: from @n on, or, if that is nearer, from the end back. */
static struct list *seek(struct tcp_conn *c, struct list *n, uint32_t left)
{
	struct list *at = c->segs.prev;

	if (n == &c->segs || left - container_of(n, struct tcp_seg, node)->seq <= c->snd_nxt - left ||
	    seq_lt(left, container_of(n, struct tcp_seg, node)->seq))
		return n;
	while (at != n && seq_gt(container_of(at, struct tcp_seg, node)->seq, left))
		at = at->prev;
	return at;
}

static uint8_t collect(struct tcp_conn *c, const struct tcp_rx *rx, bool dsack, uint32_t prior_una,
		       struct tcp_sack_range *out, int *dup_at)
{
	uint8_t n = 0;

	*dup_at = -1;
	for (uint8_t i = 0; i < rx->o.nsack; i++) {
		const struct tcp_sack_range *b = &rx->o.sack[i];
		uint8_t at;

		if (!block_ok(c, b, dsack && i == 0) || seq_le(b->right, prior_una))
			continue;
		for (at = n++; at && seq_gt(out[at - 1].left, b->left); at--) {
			out[at] = out[at - 1];
			if (*dup_at == at - 1)
				*dup_at = at;
		}
		out[at] = *b;
		if (dsack && i == 0)
			*dup_at = at;
	}
	return n;
}

unsigned tcp_sack_blocks(struct tcp_conn *c, const struct tcp_rx *rx, struct tcp_ack_state *a)
{
	struct tcp_sack_range blocks[TCP_MAX_SACK];
	uint32_t fack = tcp_fack(c);
	struct list *n = c->segs.next;
	bool dsack = is_dsack(rx);
	int dup_at;
	uint8_t nblocks;

	if (dsack && !take_dsack(c, rx, a) && rx->o.nsack == 1)
		return a->flag;
	/* Too old to say anything (and maybe of a number space before). */
	if (seq_lt(rx->ack, a->prior_una - c->max_window) || !c->packets_out)
		return a->flag;
	nblocks = collect(c, rx, dsack, a->prior_una, blocks, &dup_at);
	for (uint8_t i = 0; i < nblocks; i++) {
		/* Blocks may overlap: then from the start again. */
		if (i && seq_lt(blocks[i].left, blocks[i - 1].right))
			n = c->segs.next;
		n = walk(c, seek(c, n, blocks[i].left), &blocks[i], i == dup_at, a, fack);
	}
	if (a->flag & AF_SACKED && (c->ca != TCP_CA_LOSS || c->undo_marker))
		tcp_note_reordering(c, a->reord, fack);
	return a->flag;
}
