/*
 * What waits to be sent and what was: the rope of packets, and the records of ranges.
 *
 * A packet of the rope is never changed but at its end, by appending to a chunk that this file made;
 * the offsets in records stay right until snd_una has passed the whole packet.
 */
#include <stdlib.h>

#include "transport/tcp/impl.h"

enum { SEGS_KEPT = 4096, ROPE_RECORD_END = 0x80 };

static struct pkt *rope_pkt(struct list *n)
{
	return container_of(n, struct pkt, node);
}

static void rope_append(struct tcp_conn *c, struct pkt *pkt)
{
	if (list_empty(&c->rope))
		c->rope_seq = c->write_seq;
	list_push_back(&c->rope, &pkt->node);
	if (!c->send_pkt) {
		c->send_pkt = pkt;
		c->send_off = 0;
	}
	c->write_seq += pkt->len;
}

/* Bytes that still fit behind the last packet's, where the chunk is ours alone to fill. */
static size_t tail_room(const struct tcp_conn *c)
{
	struct pkt *tail;

	if (!c->tail_open || list_empty(&c->rope))
		return 0;
	tail = rope_pkt(c->rope.prev);
	return tail->head->cap - tail->off - tail->head_len;
}

/* Others may share the chunk, but only bytes that were there when they began to. */
static void tail_put(struct tcp_conn *c, struct payload *p, size_t n)
{
	struct pkt *tail = rope_pkt(c->rope.prev);

	payload_copy(p, pkt_data(tail) + tail->head_len, n);
	if (!c->send_pkt) {
		c->send_pkt = tail;
		c->send_off = tail->len;
	}
	tail->head_len += (uint32_t)n;
	tail->len += (uint32_t)n;
	c->write_seq += (uint32_t)n;
}

/* A packet's type is free to say so: the rope's were never received. */
void tcp_end_record(struct tcp_conn *c)
{
	struct pkt *tail = list_empty(&c->rope) ? NULL : rope_pkt(c->rope.prev);

	if (!tail || tail->type == ROPE_RECORD_END || c->records == UINT16_MAX)
		return;
	tail->type = ROPE_RECORD_END;
	c->tail_open = false;
	c->records++;
}

bool tcp_at_record_end(const struct tcp_conn *c)
{
	return c->records && rope_pkt(c->rope.prev)->type == ROPE_RECORD_END;
}

uint32_t tcp_record_left(const struct tcp_conn *c)
{
	const struct pkt *pkt = c->send_pkt;
	uint32_t off = c->send_off, n = 0;

	if (!c->records || !pkt)
		return tcp_unsent(c);
	for (;; pkt = rope_pkt(pkt->node.next), off = 0) {
		n += pkt->len - off;
		if ((n && pkt->type == ROPE_RECORD_END) || pkt->node.next == &c->rope)
			return n;
	}
}

static size_t chunk_size_for(const struct tcp_conn *c, size_t n)
{
	/* A lone small write takes a small chunk; a stream of them, bulk ones. */
	if (n <= CHUNK_SMALL && list_empty(&c->rope))
		return CHUNK_SMALL;
	if (n <= CHUNK_FRAME && list_empty(&c->rope))
		return CHUNK_FRAME;
	return CHUNK_BULK;
}

static size_t write_copy(struct tcp_conn *c, struct payload *p, size_t n)
{
	size_t done = 0;

	while (done < n) {
		size_t room = tail_room(c), m;

		if (!room) {
			struct pkt *pkt = pkt_alloc(c->ep.stack->pool, 0, chunk_size_for(c, n - done));

			if (!pkt)
				break;
			rope_append(c, pkt);
			c->tail_open = true;
			room = tail_room(c);
		}
		m = n - done < room ? n - done : room;
		tail_put(c, p, m);
		done += m;
	}
	return done;
}

size_t tcp_write_bytes(struct tcp_conn *c, struct payload *p, size_t n)
{
	struct pkt *pkt;

	/* Small packets are better copied together than sent as many fragments. */
	if (!p->pkt || n <= CHUNK_FRAME)
		return write_copy(c, p, n);
	pkt = payload_take(p, n, c->ep.stack->pool);
	if (!pkt)
		return 0;
	list_init(&pkt->node);
	pkt->type = 0;
	c->tail_open = false;
	rope_append(c, pkt);
	return n;
}

static struct tcp_seg *seg_alloc(struct tcp_conn *c)
{
	struct tcp_proto *p = c->proto;
	struct tcp_seg *s = p->free_segs;

	if (s) {
		p->free_segs = (struct tcp_seg *)s->node.next;
		p->nfree_segs--;
	} else {
		s = malloc(sizeof(*s));
	}
	if (s) {
		c->nsegs++;
		*s = (struct tcp_seg){ 0 };
		list_init(&s->node);
		list_init(&s->order);
	}
	return s;
}

void tcp_seg_free(struct tcp_conn *c, struct tcp_seg *s)
{
	struct tcp_proto *p = c->proto;

	list_remove(&s->node);
	list_remove(&s->order);
	c->nsegs--;
	if (p->nfree_segs >= SEGS_KEPT) {
		free(s);
		return;
	}
	s->node.next = (struct list *)p->free_segs;
	p->free_segs = s;
	p->nfree_segs++;
}

static uint16_t segs_of(uint32_t len, uint32_t mss)
{
	return (uint16_t)(len > mss ? (len + mss - 1) / mss : 1);
}

/* The place in the rope @n bytes after the one given. */
static void rope_advance(struct tcp_conn *c, struct pkt **buf, uint32_t *off, uint32_t n)
{
	while (*buf && n) {
		uint32_t left = (*buf)->len - *off;

		if (n < left) {
			*off += n;
			return;
		}
		n -= left;
		/* At the very end: stay in the last packet, which may grow. */
		if ((*buf)->node.next == &c->rope) {
			*off = (*buf)->len;
			return;
		}
		*buf = rope_pkt((*buf)->node.next);
		*off = 0;
	}
}

struct tcp_seg *tcp_seg_new(struct tcp_conn *c, uint32_t len, bool fin, uint32_t mss)
{
	struct tcp_seg *s = seg_alloc(c);

	if (!s)
		return NULL;
	s->seq = c->snd_nxt;
	s->len = len;
	s->mss = (uint16_t)mss;
	s->segs = segs_of(len, mss);
	s->flags = fin ? SEG_FIN : 0;
	/* Not at the end of a packet that goes away before this range does. */
	if (c->send_pkt && c->send_off == c->send_pkt->len && c->send_pkt->node.next != &c->rope) {
		c->send_pkt = rope_pkt(c->send_pkt->node.next);
		c->send_off = 0;
	}
	s->buf = c->send_pkt;
	s->buf_off = c->send_off;
	rope_advance(c, &c->send_pkt, &c->send_off, len);
	return s;
}

/* Counts of segments follow when a record's number of them changes. */
static void recount(struct tcp_conn *c, const struct tcp_seg *s, int delta)
{
	c->packets_out += (uint32_t)delta;
	if (s->flags & SEG_SACKED)
		c->sacked_out += (uint32_t)delta;
	if (s->flags & SEG_RETRANS)
		c->retrans_out += (uint32_t)delta;
	if (s->flags & SEG_LOST)
		c->lost_out += (uint32_t)delta;
}

bool tcp_seg_split(struct tcp_conn *c, struct tcp_seg *s, uint32_t len)
{
	struct tcp_seg *b;
	int before = s->segs;

	if (len == 0 || len >= s->len)
		return true;
	b = seg_alloc(c);
	if (!b)
		return false;
	*b = *s;
	list_init(&b->node);
	list_init(&b->order);
	b->seq = s->seq + len;
	b->len = s->len - len;
	rope_advance(c, &b->buf, &b->buf_off, len);
	b->segs = segs_of(b->len, b->mss);
	s->len = len;
	s->flags &= (uint8_t)~(SEG_FIN | SEG_PSH);
	s->segs = segs_of(len, s->mss);
	list_insert_before(s->node.next, &b->node);
	if (!list_empty(&s->order))
		list_insert_before(s->order.next, &b->order);
	recount(c, s, s->segs + b->segs - before);
	return true;
}

void tcp_seg_trim(struct tcp_conn *c, struct tcp_seg *s, uint32_t n)
{
	uint16_t segs;

	rope_advance(c, &s->buf, &s->buf_off, n);
	s->seq += n;
	s->len -= n;
	segs = segs_of(s->len, s->mss);
	recount(c, s, segs - s->segs);
	s->segs = segs;
}

void tcp_seg_resize(struct tcp_conn *c, struct tcp_seg *s, uint32_t mss)
{
	int before = s->segs;

	s->mss = (uint16_t)mss;
	s->segs = segs_of(s->len, mss);
	recount(c, s, s->segs - before);
}

/* The chunk that holds byte @at of @pkt; how many bytes of it follow there. */
static uint32_t chunk_at(const struct pkt *pkt, uint32_t at, struct chunk **chunk, uint32_t *off)
{
	const struct pkt_frag *f = pkt->frags;

	if (at < pkt->head_len) {
		*chunk = pkt->head;
		*off = pkt->off + at;
		return pkt->head_len - at;
	}
	for (at -= pkt->head_len; at >= f->len; f++)
		at -= f->len;
	*chunk = f->chunk;
	*off = f->off + at;
	return f->len - at;
}

uint32_t tcp_rope_fill(struct tcp_conn *c, struct pkt *pkt, struct pkt *buf, uint32_t off, uint32_t len)
{
	uint32_t done = 0;

	while (buf && done < len) {
		struct chunk *chunk;
		uint32_t at, n;

		if (off >= buf->len) {
			buf = buf->node.next == &c->rope ? NULL : rope_pkt(buf->node.next);
			off = 0;
			continue;
		}
		n = chunk_at(buf, off, &chunk, &at);
		if (n > len - done)
			n = len - done;
		if (!pkt_add_frag(pkt, chunk, at, n))
			break;
		done += n;
		off += n;
	}
	return done;
}

void tcp_rope_skip(struct tcp_conn *c, uint32_t n)
{
	rope_advance(c, &c->send_pkt, &c->send_off, n);
}

void tcp_rope_acked(struct tcp_conn *c)
{
	while (!list_empty(&c->rope)) {
		struct pkt *pkt = rope_pkt(c->rope.next);
		uint32_t end = c->rope_seq + pkt->len;

		if (seq_gt(end, c->snd_una))
			break;
		/* Room left in the last chunk serves the next write, unless nothing else waits. */
		if (c->send_pkt == pkt) {
			if (c->send_off < pkt->len)
				break;
			/* What was written since may be in the next one. */
			c->send_pkt = pkt->node.next == &c->rope ? NULL : rope_pkt(pkt->node.next);
			c->send_off = 0;
		}
		if (pkt->node.next == &c->rope)
			c->tail_open = false;
		if (pkt->type == ROPE_RECORD_END)
			c->records--;
		c->rope_seq = end;
		list_remove(&pkt->node);
		pkt_free(pkt);
	}
}

void tcp_sndq_purge(struct tcp_conn *c)
{
	while (!list_empty(&c->segs))
		tcp_seg_free(c, container_of(c->segs.next, struct tcp_seg, node));
	while (!list_empty(&c->rope)) {
		struct pkt *pkt = rope_pkt(c->rope.next);

		list_remove(&pkt->node);
		pkt_free(pkt);
	}
	list_init(&c->sent);
	list_init(&c->lost);
	c->send_pkt = NULL;
	c->send_off = 0;
	c->tail_open = false;
	c->packets_out = c->sacked_out = c->lost_out = c->retrans_out = 0;
	c->records = 0;
}
