/*
 * Transmit time stamps: bytes of which somebody wants to know when they went out, and when they were acknowledged
 * (core/txstamp.h).
 *
 * They are kept by sequence number from before the byte is written until it is acknowledged. Of those that a segment holds
 * the last one counts alone, as in a packet of Linux's.
 */
#include <stdlib.h>

#include "transport/tcp/impl.h"

enum { STAMPS_MAX = 64 };

struct tcp_stamps {
	uint32_t n;
	struct tcp_stamp {
		uint32_t seq;
		struct pkt_stamp stamp;
	} s[STAMPS_MAX];	/* by sequence number */
};

static void remove_stamps(struct tcp_stamps *t, uint32_t from, uint32_t to)
{
	memmove(&t->s[from], &t->s[to], (t->n - to) * sizeof(t->s[0]));
	t->n -= to - from;
}

static void put(struct tcp_stamps *t, uint32_t seq, const struct pkt_stamp *stamp)
{
	uint32_t at;

	if (t->n == STAMPS_MAX)
		remove_stamps(t, 0, 1);
	for (at = t->n; at && seq_gt(t->s[at - 1].seq, seq); at--)
		t->s[at] = t->s[at - 1];
	t->s[at] = (struct tcp_stamp){ seq, *stamp };
	t->n++;
}

static void forget(struct tcp_stamps *t, uint32_t seq)
{
	uint32_t i = 0;

	while (i < t->n && t->s[i].seq != seq)
		i++;
	if (i < t->n)
		remove_stamps(t, i, i + 1);
}

enum ns_err tcp_stamp_byte(struct tcp_conn *c, const struct sockopt_tx_stamp *v)
{
	struct tcp_rare *rare;

	if (!TCPS_IN(c->state, TCPS_CAN_SEND))
		return NS_ERR_NOT_CONNECTED;
	rare = tcp_rare(c);
	if (rare && !rare->stamps)
		rare->stamps = calloc(1, sizeof(*rare->stamps));
	if (!rare || !rare->stamps)
		return NS_ERR_NO_MEMORY;
	if (v->instead)
		forget(rare->stamps, v->was);
	if (!v->stamp.taker)
		return NS_OK;
	if (seq_lt(v->seq, c->snd_una)) {
		tx_stamp_late(&c->ep.stack->tx_stamps, &v->stamp, true, NULL);
		return NS_OK;
	}
	if (seq_lt(v->seq, c->snd_nxt))
		tx_stamp_late(&c->ep.stack->tx_stamps, &v->stamp, false, NULL);
	put(rare->stamps, v->seq, &v->stamp);
	return NS_OK;
}

void tcp_stamp_seg(struct tcp_conn *c, const struct tcp_seg *s, struct pkt *pkt)
{
	struct tcp_stamps *t = c->rare->stamps;
	uint32_t from = 0, to;

	if (!t)
		return;
	while (from < t->n && seq_lt(t->s[from].seq, s->seq))
		from++;
	for (to = from; to < t->n && seq_lt(t->s[to].seq, s->seq + s->len);)
		to++;
	if (to == from)
		return;
	pkt->stamp = t->s[to - 1].stamp;
	remove_stamps(t, from, to - 1);
}

/* What the segment with this byte holds, as long as it is there; NULL is allowed. */
static struct pkt *payload_of(struct tcp_conn *c, uint32_t seq)
{
	list_for_each(n, &c->segs) {
		const struct tcp_seg *s = container_of(n, struct tcp_seg, node);

		if (seq_lt(seq, s->seq + s->len))
			return seq_ge(seq, s->seq) ? tcp_seg_payload(c, s) : NULL;
	}
	return NULL;
}

void tcp_stamp_acked(struct tcp_conn *c)
{
	struct tcp_stamps *t = c->rare->stamps;

	while (t && t->n && seq_lt(t->s[0].seq, c->snd_una)) {
		struct pkt *payload = payload_of(c, t->s[0].seq);

		tx_stamp_late(&c->ep.stack->tx_stamps, &t->s[0].stamp, true, payload);
		pkt_free(payload);
		remove_stamps(t, 0, 1);
	}
}
