/*
 * Reassembly.
 *
 * Theory of operation. A datagram under way is a list of its fragments in the order of arrival and
 * a bitmap of the 8-byte blocks that came. A fragment that meets a block twice overlaps: then, by
 * RFC 5722 for IPv6 and as the only safe course for IPv4, the whole datagram is dropped and the
 * entry stays, empty, to swallow the rest; only an exact copy of a fragment is forgiven, as
 * networks duplicate packets (RFC 8200, 4.5 allows it). When the blocks up to the last are there,
 * the payload is copied once, into one chunk: whoever reads datagrams wants them in one piece, and
 * the packet structure has not room for every fragment's chunk.
 *
 * Bounds: @limit bytes of true size over all datagrams, 64 KiB and REASM_MAX_FRAGS per datagram,
 * and time. None of the work per fragment depends on how many there are, but for copies.
 */
#include "network/reasm.h"

#include <stdlib.h>

enum {
	REASM_LIMIT = 4 << 20,		/* Linux's ipfrag_high_thresh */
	REASM_MAX_FRAGS = 1400,		/* 64 KiB at IPv4's smallest MTU, 48 bytes each */
	REASM_MAX_BYTES = 65535,
	REASM_BLOCKS = 8192,
};

/** struct reasm_dgram - @total: payload bytes, known once the last fragment came, else 0 */
struct reasm_dgram {
	struct htab_node node;
	struct list order;
	struct reasm *owner;
	struct reasm_key key;
	struct timer timer;
	struct list frags;
	uint32_t nfrags, total, max_end, blocks;
	uint16_t hdr_len;
	size_t bytes;
	bool have_last, poisoned;
	struct pkt *first;
	uint64_t have[REASM_BLOCKS / 64];
};

void reasm_init(struct reasm *r, struct stack *s, int64_t timeout_ns,
		void (*expired)(struct reasm *, struct pkt *first))
{
	*r = (struct reasm){ .stack = s, .limit = REASM_LIMIT, .timeout_ns = timeout_ns,
			     .expired = expired };
	htab_init(&r->table);
	list_init(&r->order);
}

static void dgram_drop_frags(struct reasm_dgram *d)
{
	struct list *n;

	while ((n = list_pop_front(&d->frags)))
		pkt_free(container_of(n, struct pkt, node));
	d->owner->bytes -= d->bytes - sizeof(*d);
	d->bytes = sizeof(*d);
	d->first = NULL;
}

static void dgram_unlink(struct reasm_dgram *d)
{
	struct reasm *r = d->owner;

	htab_remove(&r->table, &d->node);
	list_remove(&d->order);
	timer_fini(r->stack->clock, &d->timer);
}

static void dgram_release(struct reasm_dgram *d)
{
	dgram_drop_frags(d);
	d->owner->bytes -= d->bytes;
	free(d);
}

static void dgram_free(struct reasm_dgram *d)
{
	dgram_unlink(d);
	dgram_release(d);
}

void reasm_fini(struct reasm *r)
{
	while (!list_empty(&r->order))
		dgram_free(container_of(r->order.next, struct reasm_dgram, order));
	htab_fini(&r->table);
}

static void dgram_timeout(struct timer *t)
{
	struct reasm_dgram *d = container_of(t, struct reasm_dgram, timer);
	struct reasm *r = d->owner;

	stat_inc(&r->stack->stats.ip.reassembly_timeouts);
	/* Out of the table first: what is sent now may come back as another fragment at once. */
	dgram_unlink(d);
	if (d->first)
		r->expired(r, d->first);
	dgram_release(d);
}

static uint64_t key_hash(const struct reasm *r, const struct reasm_key *k)
{
	return hash_addr(&r->stack->key, &k->src,
			 hash_addr(&r->stack->secret, &k->dst, (uint64_t)k->id << 8 | k->proto));
}

static struct reasm_dgram *dgram_find(struct reasm *r, const struct reasm_key *k, uint64_t hash)
{
	htab_for_each_match(n, &r->table, hash) {
		struct reasm_dgram *d = container_of(n, struct reasm_dgram, node);

		if (d->key.id == k->id && d->key.proto == k->proto &&
		    addr_equal(&d->key.src, &k->src) && addr_equal(&d->key.dst, &k->dst))
			return d;
	}
	return NULL;
}

static struct reasm_dgram *dgram_get(struct reasm *r, const struct reasm_key *k)
{
	uint64_t hash = key_hash(r, k);
	struct reasm_dgram *d = dgram_find(r, k, hash);

	if (d)
		return d;
	d = calloc(1, sizeof(*d));
	if (!d || !htab_insert(&r->table, &d->node, hash)) {
		free(d);
		return NULL;
	}
	d->owner = r;
	d->key = *k;
	list_init(&d->frags);
	list_init(&d->order);
	list_push_back(&r->order, &d->order);
	d->bytes = sizeof(*d);
	r->bytes += d->bytes;
	timer_init(&d->timer, dgram_timeout);
	timer_arm_in(r->stack->clock, &d->timer, r->timeout_ns);
	return d;
}

/* Marks the blocks of a fragment; returns how many of them were there already. */
static uint32_t dgram_mark(struct reasm_dgram *d, uint32_t off, uint32_t len)
{
	uint32_t twice = 0;

	for (uint32_t b = off / 8; b < (off + len + 7) / 8; b++) {
		uint64_t bit = 1ull << (b % 64);

		twice += (d->have[b / 64] & bit) != 0;
		d->have[b / 64] |= bit;
	}
	return twice;
}

static bool dgram_has_copy(const struct reasm_dgram *d, const struct reasm_frag *f)
{
	list_for_each(n, &d->frags) {
		const struct pkt *p = container_of(n, struct pkt, node);

		if (p->frag_off == f->off && p->len == f->len)
			return true;
	}
	return false;
}

static void dgram_poison(struct reasm_dgram *d)
{
	stat_inc(&d->owner->stack->stats.ip.reassembly_dropped);
	dgram_drop_frags(d);
	d->poisoned = true;
}

/* Whether the fragment fits what is known of the datagram's end. */
static bool dgram_end_fits(const struct reasm_dgram *d, const struct reasm_frag *f)
{
	uint32_t end = f->off + f->len;

	if (!f->more)
		return d->have_last ? end == d->total : end >= d->max_end;
	return !d->have_last || end <= d->total;
}

static struct pkt *dgram_assemble(struct reasm_dgram *d)
{
	struct pkt *first = d->first;
	struct pkt *whole = pkt_alloc(first->pool, PKT_HEADROOM, (size_t)d->hdr_len + d->total);
	uint8_t *base;

	if (!whole)
		return NULL;
	base = pkt_put(whole, (size_t)d->hdr_len + d->total);
	memcpy(base, pkt_net_hdr(first), d->hdr_len);
	whole->net_off = (uint16_t)whole->off;
	pkt_pull(whole, d->hdr_len);
	list_for_each(n, &d->frags) {
		struct pkt *p = container_of(n, struct pkt, node);

		pkt_copy_out(p, 0, pkt_data(whole) + p->frag_off, p->len);
	}
	whole->net_proto = first->net_proto;
	whole->trans_proto = first->trans_proto;
	whole->type = first->type;
	whole->hop_limit = first->hop_limit;
	whole->tos = first->tos;
	whole->nic_id = first->nic_id;
	whole->rx_wall_ns = first->rx_wall_ns;
	whole->src = first->src;
	whole->dst = first->dst;
	whole->looped = first->looped;
	whole->link_src = first->link_src;
	whole->is_frag_assembled = true;
	return whole;
}

static void reasm_make_room(struct reasm *r, size_t need)
{
	while (r->bytes + need > r->limit && !list_empty(&r->order)) {
		stat_inc(&r->stack->stats.ip.reassembly_dropped);
		dgram_free(container_of(r->order.next, struct reasm_dgram, order));
	}
}

/* Enters a fragment; false if it was refused, and is still the caller's. */
static bool dgram_enter(struct reasm_dgram *d, const struct reasm_frag *f, struct pkt *pkt)
{
	size_t size = pkt_truesize(pkt);

	if (d->poisoned || d->nfrags == REASM_MAX_FRAGS)
		return false;
	if (!dgram_end_fits(d, f)) {
		dgram_poison(d);
		return false;
	}
	if (dgram_mark(d, f->off, f->len)) {
		if (!dgram_has_copy(d, f))
			dgram_poison(d);
		return false;
	}
	pkt->frag_off = f->off;
	list_push_back(&d->frags, &pkt->node);
	d->nfrags++;
	d->blocks += (f->len + 7) / 8;
	d->bytes += size;
	d->owner->bytes += size;
	if (f->off + f->len > d->max_end)
		d->max_end = f->off + f->len;
	if (f->off == 0) {
		d->first = pkt;
		d->hdr_len = f->hdr_len;
	}
	if (!f->more) {
		d->have_last = true;
		d->total = f->off + f->len;
	}
	return true;
}

struct pkt *reasm_add(struct reasm *r, const struct reasm_key *key, const struct reasm_frag *f,
		      struct pkt *pkt)
{
	struct ip_stats *st = &r->stack->stats.ip;
	struct reasm_dgram *d;
	struct pkt *whole;

	stat_inc(&st->fragments_received);
	if (f->len == 0 || (f->more && f->len % 8) || f->off + f->len > REASM_MAX_BYTES) {
		stats_malformed(&r->stack->stats, &st->malformed_fragments_received);
		pkt_free(pkt);
		return NULL;
	}
	reasm_make_room(r, pkt_truesize(pkt) + sizeof(*d));
	d = dgram_get(r, key);
	if (!d || !dgram_enter(d, f, pkt)) {
		pkt_free(pkt);
		return NULL;
	}
	if (!d->have_last || d->blocks != (d->total + 7) / 8)
		return NULL;
	if (d->hdr_len + d->total > REASM_MAX_BYTES && key->src.len == ADDR_LEN_V4) {
		/* The "ping of death": more than a total length can say. */
		stats_malformed(&r->stack->stats, &st->malformed_fragments_received);
		dgram_free(d);
		return NULL;
	}
	whole = dgram_assemble(d);
	if (whole)
		stat_inc(&st->reassembled);
	dgram_free(d);
	return whole;
}
