/* What a connection received ahead of its turn. */
#include "transport/tcp/ooo.h"

#include <stdlib.h>

#include "base/seq.h"

/* A run's packets are a ring through pkt->node; pkt->frag_off is a packet's sequence number. */
struct ooo_run {
	uint32_t start, end;
	struct pkt *head;
};

enum { OOO_MIN_CAP = 8 };

void ooo_init(struct ooo *q)
{
	*q = (struct ooo){ 0 };
}

static struct ooo_run *run_at(const struct ooo *q, uint32_t i)
{
	return &q->runs[q->first + i];
}

static struct pkt *pkt_of(struct list *node)
{
	return container_of(node, struct pkt, node);
}

/* The first run that ends at @seq or after it; nruns if there is none. */
static uint32_t run_search(const struct ooo *q, uint32_t seq)
{
	uint32_t lo = 0, hi = q->nruns;

	if (hi && seq_lt(run_at(q, hi - 1)->end, seq))
		return hi;
	if (hi && seq_le(run_at(q, hi - 1)->start, seq))
		return hi - 1;	/* usual: segments after one that was lost */
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (seq_lt(run_at(q, mid)->end, seq))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The run that holds the byte @seq; nruns if none does. */
static uint32_t run_holding(const struct ooo *q, uint32_t seq)
{
	uint32_t i = run_search(q, seq + 1);

	return i < q->nruns && seq_le(run_at(q, i)->start, seq) ? i : q->nruns;
}

static bool room_for_run(struct ooo *q)
{
	struct ooo_run *runs;
	uint32_t cap;

	if (q->first + q->nruns < q->cap)
		return true;
	if (q->first > q->nruns / 2) {
		memmove(q->runs, q->runs + q->first, q->nruns * sizeof(*q->runs));
		q->first = 0;
		return true;
	}
	cap = q->cap ? q->cap * 2 : OOO_MIN_CAP;
	runs = realloc(q->runs, cap * sizeof(*runs));
	if (!runs)
		return false;
	q->runs = runs;
	q->cap = cap;
	return true;
}

static void free_array(struct ooo *q)
{
	free(q->runs);
	q->runs = NULL;
	q->first = q->cap = q->nruns = 0;
}

static void remove_run(struct ooo *q, uint32_t i)
{
	if (i == 0)
		q->first++;
	else
		memmove(run_at(q, i), run_at(q, i + 1), (q->nruns - i - 1) * sizeof(*q->runs));
	if (--q->nruns == 0)
		free_array(q);
}

static void count_in(struct ooo *q, struct pkt *pkt)
{
	q->truesize += ooo_cost(pkt);
	q->bytes += pkt->len;
}

static void count_out(struct ooo *q, struct pkt *pkt)
{
	q->truesize -= ooo_cost(pkt);
	q->bytes -= pkt->len;
}

/* Joins the ring of @b behind the ring of @a. */
static void ring_join(struct pkt *a, struct pkt *b)
{
	struct list *a_last = a->node.prev, *b_last = b->node.prev;

	a_last->next = &b->node;
	b->node.prev = a_last;
	b_last->next = &a->node;
	a->node.prev = b_last;
}

/*
 * Puts a packet in front of run @i that overlaps no run: @i is the first run that ends at the packet's
 * start or after. Takes @pkt.
 */
static bool place(struct ooo *q, struct pkt *pkt, uint32_t i)
{
	uint32_t start = pkt->frag_off, end = start + pkt->len;
	struct ooo_run *r = i < q->nruns ? run_at(q, i) : NULL;

	list_init(&pkt->node);
	if (r && r->end == start) {
		ring_join(r->head, pkt);
		r->end = end;
		count_in(q, pkt);
		if (i + 1 < q->nruns && run_at(q, i + 1)->start == end) {
			ring_join(r->head, run_at(q, i + 1)->head);
			r->end = run_at(q, i + 1)->end;
			remove_run(q, i + 1);
		}
		return true;
	}
	if (r && r->start == end) {
		ring_join(pkt, r->head);
		r->head = pkt;
		r->start = start;
		count_in(q, pkt);
		return true;
	}
	if (!room_for_run(q)) {
		pkt_free(pkt);
		return false;
	}
	r = run_at(q, i);
	memmove(r + 1, r, (q->nruns - i) * sizeof(*r));
	*r = (struct ooo_run){ start, end, pkt };
	q->nruns++;
	count_in(q, pkt);
	return true;
}

/* A packet of the bytes of @pkt from @seq on, @len of them: @pkt itself if these are the last. */
static struct pkt *cut(struct pkt **pkt, uint32_t seq, uint32_t len)
{
	struct pkt *k = *pkt, *part;
	uint32_t skip = seq - k->frag_off;

	if (skip + len < k->len) {
		part = pkt_slice(k, skip, len);
	} else {
		pkt_pull(k, skip);
		pkt_trim(k, len);
		part = k;
		*pkt = NULL;
	}
	if (part)
		part->frag_off = seq;
	return part;
}

/*
 * Holds those bytes of @pkt that are not held, run by run. Returns how many it held; *@cut_short if room
 * or memory ended before they did.
 */
static uint32_t insert_new(struct ooo *q, struct pkt *pkt, size_t limit, bool *cut_short)
{
	uint32_t at = pkt->frag_off, end = at + pkt->len, held = 0;

	while (seq_lt(at, end)) {
		uint32_t i = run_search(q, at), stop = end;
		struct ooo_run *r = i < q->nruns ? run_at(q, i) : NULL;
		struct pkt *part;

		if (r && r->end != at && seq_le(r->start, at)) {	/* held already */
			uint32_t to = seq_min(r->end, end);

			ooo_dsack(q, at, to);
			at = to;
			continue;
		}
		/* The run that @at only touches is not the one that ends the hole. */
		if (r && r->end == at)
			r = i + 1 < q->nruns ? run_at(q, i + 1) : NULL;
		if (r && seq_lt(r->start, end))
			stop = r->start;
		if (q->truesize + ooo_cost(pkt) > limit) {
			*cut_short = true;
			break;
		}
		part = cut(&pkt, at, stop - at);
		if (!part || !place(q, part, i)) {
			*cut_short = true;
			break;
		}
		held += stop - at;
		at = stop;
	}
	pkt_free(pkt);
	return held;
}

static void note_recent(struct ooo *q, uint32_t seq)
{
	uint32_t run = run_holding(q, seq);
	uint8_t n = 1;
	uint32_t kept[TCP_MAX_SACK] = { seq };

	for (uint8_t i = 0; i < q->nrecent && n < TCP_MAX_SACK; i++)
		if (q->recent[i] != seq &&
		    (run == q->nruns || run_holding(q, q->recent[i]) != run))
			kept[n++] = q->recent[i];
	memcpy(q->recent, kept, n * sizeof(kept[0]));
	q->nrecent = n;
}

/* Notes a FIN unless bytes beyond it are held, or another FIN. */
static bool note_fin(struct ooo *q, uint32_t seq)
{
	if (q->has_fin || (q->nruns && seq_gt(run_at(q, q->nruns - 1)->end, seq)))
		return q->has_fin && q->fin_seq == seq;
	q->has_fin = true;
	q->fin_seq = seq;
	return true;
}

enum ooo_result ooo_insert(struct ooo *q, struct pkt *pkt, uint32_t seq, bool fin, size_t limit)
{
	uint32_t len = pkt ? pkt->len : 0;
	bool had_fin = q->has_fin, cut_short = false;
	uint32_t held = 0;

	if (had_fin && seq_gt(seq + len, q->fin_seq)) {
		/* Nothing comes after the FIN: whoever says so is wrong now or was wrong then. */
		pkt_free(pkt);
		return OOO_DROPPED;
	}
	if (len) {
		pkt->frag_off = seq;
		held = insert_new(q, pkt, limit, &cut_short);
	} else {
		pkt_free(pkt);
	}
	if (fin && !cut_short)
		note_fin(q, seq + len);
	if (held || (!had_fin && q->has_fin) || !cut_short)
		note_recent(q, seq);
	if (held || (!had_fin && q->has_fin))
		return OOO_NEW;
	return cut_short ? OOO_DROPPED : OOO_DUPLICATE;
}

/* Takes the first packet out of the first run. */
static struct pkt *take_first(struct ooo *q)
{
	struct ooo_run *r = run_at(q, 0);
	struct pkt *pkt = r->head;
	uint32_t next = pkt->frag_off + pkt->len;

	count_out(q, pkt);
	if (list_empty(&pkt->node)) {
		remove_run(q, 0);
	} else {
		r->head = pkt_of(pkt->node.next);
		r->start = next;
		list_remove(&pkt->node);
	}
	return pkt;
}

struct pkt *ooo_pop(struct ooo *q, uint32_t rcv_nxt)
{
	while (q->nruns && seq_le(run_at(q, 0)->start, rcv_nxt)) {
		struct pkt *pkt = take_first(q);
		uint32_t skip = rcv_nxt - pkt->frag_off, end = pkt->frag_off + pkt->len;

		/* What was held and came again with what filled the hole. */
		ooo_dsack(q, pkt->frag_off, seq_min(rcv_nxt, end));
		if (skip < pkt->len) {
			pkt_pull(pkt, skip);
			pkt->frag_off = 0;
			return pkt;
		}
		pkt_free(pkt);
	}
	return NULL;
}

void ooo_dsack(struct ooo *q, uint32_t left, uint32_t right)
{
	if (!seq_lt(left, right))
		return;
	if (!q->has_dsack) {
		q->has_dsack = true;
		q->dsack = (struct tcp_sack_range){ left, right };
	} else if (left == q->dsack.right) {
		q->dsack.right = right;
	}
}

/* The block around @seq: a run, the FIN behind it, or a FIN alone. */
static bool block_around(const struct ooo *q, uint32_t seq, struct tcp_sack_range *out)
{
	uint32_t i = run_holding(q, seq);

	if (i == q->nruns && q->has_fin && seq == q->fin_seq && q->nruns &&
	    run_at(q, q->nruns - 1)->end == seq)
		i = q->nruns - 1;
	if (i < q->nruns)
		*out = (struct tcp_sack_range){ run_at(q, i)->start, run_at(q, i)->end };
	else if (q->has_fin && seq == q->fin_seq)
		*out = (struct tcp_sack_range){ seq, seq };
	else
		return false;
	if (q->has_fin && out->right == q->fin_seq)
		out->right++;
	return true;
}

static uint8_t add_block(struct tcp_sack_range *out, uint8_t from, uint8_t n,
			 const struct tcp_sack_range *b)
{
	for (uint8_t i = from; i < n; i++)
		if (out[i].left == b->left)
			return n;
	out[n] = *b;
	return (uint8_t)(n + 1);
}

uint8_t ooo_sacks(struct ooo *q, struct tcp_sack_range *out, uint8_t max)
{
	uint8_t n = 0, from, live = 0;
	struct tcp_sack_range b;

	if (q->has_dsack && max) {
		out[n++] = q->dsack;
		q->has_dsack = false;
	}
	from = n;
	for (uint8_t i = 0; i < q->nrecent; i++) {
		if (!block_around(q, q->recent[i], &b))
			continue;	/* delivered since, or pruned */
		q->recent[live++] = q->recent[i];
		if (n < max)
			n = add_block(out, from, n, &b);
	}
	q->nrecent = live;
	for (uint32_t i = 0; i < q->nruns && i < TCP_MAX_SACK && n < max; i++)
		if (block_around(q, run_at(q, i)->start, &b))
			n = add_block(out, from, n, &b);
	return n;
}

bool ooo_prune(struct ooo *q, size_t limit)
{
	bool freed = false;

	while (q->nruns && q->truesize > limit) {
		struct ooo_run *r = run_at(q, q->nruns - 1);
		struct pkt *last = pkt_of(r->head->node.prev);

		/* The FIN goes with what is before it: its block would have no run to end. */
		q->has_fin = false;
		count_out(q, last);
		r->end = last->frag_off;
		if (last == r->head)
			remove_run(q, q->nruns - 1);
		else
			list_remove(&last->node);
		pkt_free(last);
		freed = true;
	}
	return freed;
}

void ooo_fini(struct ooo *q)
{
	while (q->nruns)
		pkt_free(take_first(q));
	ooo_init(q);
}
