/*
 * What a connection received ahead of its turn, and what to tell the sender of it.
 *
 * The packets are kept in runs: stretches without a hole, in a sorted array. A packet's bytes that are
 * not held yet are joined to the run they touch, or become one; so inserting costs a binary search, and
 * finding a SACK block too, since a run is one. Bytes once held are never replaced by a retransmission
 * that says otherwise. SACK goes by RFC 2018, duplicates are reported by RFC 2883.
 */
#ifndef STACK_TRANSPORT_TCP_OOO_H
#define STACK_TRANSPORT_TCP_OOO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer/pkt.h"
#include "header/tcp.h"

/** enum ooo_result - what became of a segment */
enum ooo_result {
	OOO_NEW,			/* some of it was new, and is held */
	OOO_DUPLICATE,			/* all of it was held already */
	OOO_DROPPED,			/* no room, no memory, or beyond a FIN: nothing of it is held */
};

struct ooo_run;

/**
 * struct ooo - one connection's queue; takes no memory while it is empty
 * @runs, @nruns, @cap: sorted by sequence number; @runs[@first] is the first live one
 * @truesize: memory held, as ooo_cost() counts
 * @bytes:    bytes held
 * @fin_seq:  with @has_fin: the FIN's sequence number
 * @recent:   a sequence number in each of the runs that changed last, latest first
 * @dsack:    with @has_dsack: the duplicate to report
 */
struct ooo {
	struct ooo_run *runs;
	uint32_t first, nruns, cap;
	size_t truesize, bytes;
	uint32_t fin_seq;
	uint32_t recent[TCP_MAX_SACK];
	uint8_t nrecent;
	bool has_fin, has_dsack;
	struct tcp_sack_range dsack;
};

void ooo_init(struct ooo *q);

/** ooo_fini() - free all that is held */
void ooo_fini(struct ooo *q);

/**
 * ooo_insert() - takes @pkt: a segment that starts after what was delivered
 * @pkt:   its payload, perhaps none; the headers pulled. NULL: a FIN alone
 * @seq:   of its first byte, or of the FIN if there is none
 * @fin:   a FIN follows the last byte
 * @limit: @truesize that may not be passed
 */
enum ooo_result ooo_insert(struct ooo *q, struct pkt *pkt, uint32_t seq, bool fin, size_t limit);

/** ooo_pop() - the next packet in order, whose first byte is @rcv_nxt; NULL if there is a hole. Then
 * the caller's. What is held below @rcv_nxt is forgotten. */
struct pkt *ooo_pop(struct ooo *q, uint32_t rcv_nxt);

/** ooo_fin_at() - a FIN was received whose number is @rcv_nxt: it is its turn */
static inline bool ooo_fin_at(const struct ooo *q, uint32_t rcv_nxt)
{
	return q->has_fin && q->fin_seq == rcv_nxt;
}

static inline bool ooo_empty(const struct ooo *q)
{
	return q->nruns == 0 && !q->has_fin;
}

/**
 * ooo_cost() - the memory that holding @pkt takes; the same as long as its length is
 *
 * What never left this stack shares its bytes with the sender's queue, which counts them: the chunks
 * there are much larger than a segment, and are held by all the segments cut from them.
 */
static inline size_t ooo_cost(const struct pkt *pkt)
{
	return pkt->looped ? sizeof(*pkt) + CHUNK_SMALL + pkt->len : pkt_truesize(pkt);
}

/** ooo_truesize() - memory held; ooo_bytes() - payload held */
static inline size_t ooo_truesize(const struct ooo *q)
{
	return q->truesize;
}

static inline size_t ooo_bytes(const struct ooo *q)
{
	return q->bytes;
}

/** ooo_dsack() - report [@left, @right) as received twice (RFC 2883), in the next SACK option; of
 * several before that the first is reported, and what adjoins it */
void ooo_dsack(struct ooo *q, uint32_t left, uint32_t right);

/**
 * ooo_sacks() - the blocks to report now, at most @max; returns how many
 *
 * A duplicate first, once; then the runs, the one changed last first (RFC 2018, 4), then those
 * reported before it, then others.
 */
uint8_t ooo_sacks(struct ooo *q, struct tcp_sack_range *out, uint8_t max);

/** ooo_prune() - free packets from the highest sequence number on, until @truesize is at most @limit;
 * returns whether any was freed. The sender has them still (RFC 2018, 8). */
bool ooo_prune(struct ooo *q, size_t limit);

#endif
