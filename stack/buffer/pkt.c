/* Packets. */
#include "buffer/pkt.h"

#include <stdlib.h>

#include "base/cksum.h"

/* All but frags[], which is only read below nfrags. In parts, as one memset() becomes "rep stos", which
 * takes longer to start than this takes. */
static inline void pkt_clear(struct pkt *k)
{
	enum { PART = 64, ALL = offsetof(struct pkt, frags) };
	char *p = (char *)k;

	_Static_assert(ALL > 2 * PART && ALL <= 3 * PART + PART / 2, "three parts");
	memset(p, 0, PART);
	memset(p + PART, 0, PART);
	memset(p + 2 * PART, 0, ALL - 2 * PART);
}

struct pkt *pkt_alloc(struct pkt_pool *p, size_t headroom, size_t tailroom)
{
	struct chunk *c = chunk_alloc(p, headroom + tailroom);
	struct pkt *k;

	if (!c)
		return NULL;
	k = pool_get_pkt(p);
	if (!k) {
		chunk_unref(c);
		return NULL;
	}
	pkt_clear(k);
	list_init(&k->node);
	k->pool = p;
	k->head = c;
	k->off = (uint32_t)headroom;
	k->link_off = k->net_off = k->trans_off = PKT_NO_HDR;
	return k;
}

struct pkt *pkt_from_bytes(struct pkt_pool *p, const void *data, size_t len)
{
	struct pkt *k = pkt_alloc(p, PKT_HEADROOM, len);

	if (k && len)
		memcpy(pkt_put(k, len), data, len);
	return k;
}

void pkt_free(struct pkt *k)
{
	if (!k)
		return;
	for (int i = 0; i < k->nfrags; i++)
		chunk_unref(k->frags[i].chunk);
	chunk_unref(k->head);
	pool_put_pkt(k->pool, k);
}

struct pkt *pkt_clone(const struct pkt *k)
{
	struct pkt *c = pool_get_pkt(k->pool);

	if (!c)
		return NULL;
	memcpy(c, k, offsetof(struct pkt, frags) + k->nfrags * sizeof(k->frags[0]));
	list_init(&c->node);
	chunk_ref(c->head);
	for (int i = 0; i < c->nfrags; i++)
		chunk_ref(c->frags[i].chunk);
	return c;
}

static void pkt_shift_hdrs(struct pkt *k, int32_t by)
{
	uint16_t *offs[] = { &k->link_off, &k->net_off, &k->trans_off };

	for (int i = 0; i < 3; i++)
		if (*offs[i] != PKT_NO_HDR)
			*offs[i] = (uint16_t)(*offs[i] + by);
	k->csum_start = (uint16_t)(k->csum_start + by);
}

/*
 * Moves the head to a chunk of its own with at least @front bytes of room in front and @extra
 * behind. Bytes in front of the live ones are kept as far as there is room: headers already
 * pulled stay readable.
 */
static bool pkt_rehead(struct pkt *k, size_t front, size_t extra)
{
	size_t off = front > k->off ? front : k->off;
	struct chunk *c = chunk_alloc(k->pool, off + k->head_len + extra);

	if (!c)
		return false;
	memcpy(c->data + (off - k->off), k->head->data, k->off + k->head_len);
	pkt_shift_hdrs(k, (int32_t)(off - k->off));
	chunk_unref(k->head);
	k->head = c;
	k->off = (uint32_t)off;
	return true;
}

uint8_t *pkt_push_slow(struct pkt *k, size_t n)
{
	if (!pkt_rehead(k, k->off >= n ? k->off : n + PKT_HEADROOM, 0))
		return NULL;
	k->off -= (uint32_t)n;
	k->head_len += (uint32_t)n;
	k->len += (uint32_t)n;
	return pkt_data(k);
}

bool pkt_writable(struct pkt *k)
{
	return k->head->refs == 1 || pkt_rehead(k, 0, 0);
}

uint8_t *pkt_put(struct pkt *k, size_t n)
{
	uint8_t *p = pkt_data(k) + k->head_len;

	if (k->nfrags || k->head->refs != 1 || k->head->cap - k->off - k->head_len < n)
		return NULL;
	k->head_len += (uint32_t)n;
	k->len += (uint32_t)n;
	return p;
}

static void pkt_drop_frag(struct pkt *k, int i)
{
	chunk_unref(k->frags[i].chunk);
	k->nfrags--;
	memmove(&k->frags[i], &k->frags[i + 1], (size_t)(k->nfrags - i) * sizeof(k->frags[0]));
}

void pkt_pull(struct pkt *k, size_t n)
{
	size_t m = n < k->head_len ? n : k->head_len;

	k->off += (uint32_t)m;
	k->head_len -= (uint32_t)m;
	k->len -= (uint32_t)n;
	for (n -= m; n; n -= m) {
		struct pkt_frag *f = &k->frags[0];

		m = n < f->len ? n : f->len;
		f->off += (uint32_t)m;
		f->len -= (uint32_t)m;
		if (f->len == 0)
			pkt_drop_frag(k, 0);
	}
}

void pkt_trim(struct pkt *k, size_t len)
{
	while (k->len > len) {
		size_t excess = k->len - len;

		if (k->nfrags) {
			struct pkt_frag *f = &k->frags[k->nfrags - 1];

			if (f->len <= excess) {
				k->len -= f->len;
				pkt_drop_frag(k, k->nfrags - 1);
			} else {
				f->len -= (uint32_t)excess;
				k->len -= (uint32_t)excess;
			}
		} else {
			k->head_len -= (uint32_t)excess;
			k->len -= (uint32_t)excess;
		}
	}
}

bool pkt_pullup_slow(struct pkt *k, size_t n)
{
	size_t need = n - k->head_len;

	if (k->len < n)
		return false;
	if ((k->head->refs != 1 || k->head->cap - k->off - k->head_len < need) &&
	    !pkt_rehead(k, 0, need))
		return false;
	while (need) {
		struct pkt_frag *f = &k->frags[0];
		size_t m = need < f->len ? need : f->len;

		memcpy(pkt_data(k) + k->head_len, f->chunk->data + f->off, m);
		k->head_len += (uint32_t)m;
		f->off += (uint32_t)m;
		f->len -= (uint32_t)m;
		need -= m;
		if (f->len == 0)
			pkt_drop_frag(k, 0);
	}
	return true;
}

bool pkt_add_frag(struct pkt *k, struct chunk *c, size_t off, size_t len)
{
	if (k->nfrags == PKT_MAX_FRAGS)
		return false;
	if (len == 0)
		return true;
	k->frags[k->nfrags++] = (struct pkt_frag){ chunk_ref(c), (uint32_t)off, (uint32_t)len };
	k->len += (uint32_t)len;
	return true;
}

int pkt_iov(const struct pkt *k, struct iovec iov[PKT_MAX_FRAGS + 1])
{
	int n = 0;

	if (k->head_len)
		iov[n++] = (struct iovec){ pkt_data(k), k->head_len };
	for (int i = 0; i < k->nfrags; i++)
		iov[n++] = (struct iovec){ k->frags[i].chunk->data + k->frags[i].off,
					   k->frags[i].len };
	return n;
}

void pkt_copy_out(const struct pkt *k, size_t off, void *to, size_t n)
{
	struct iovec iov = { to, n };

	pkt_copy_iov(k, off, &iov, 1);
}

size_t pkt_copy_iov(const struct pkt *k, size_t off, const struct iovec *iov, int iovcnt)
{
	struct iovec src[PKT_MAX_FRAGS + 1];
	int nsrc = pkt_iov(k, src), s = 0, d = 0;
	size_t soff = off, doff = 0, done = 0;

	while (s < nsrc && d < iovcnt) {
		size_t n;

		if (soff >= src[s].iov_len) {
			soff -= src[s++].iov_len;
			continue;
		}
		if (doff == iov[d].iov_len) {
			d++;
			doff = 0;
			continue;
		}
		n = src[s].iov_len - soff;
		if (n > iov[d].iov_len - doff)
			n = iov[d].iov_len - doff;
		memcpy((uint8_t *)iov[d].iov_base + doff, (uint8_t *)src[s].iov_base + soff, n);
		soff += n;
		doff += n;
		done += n;
	}
	return done;
}

size_t pkt_copy_from(const struct pkt *k, uint32_t head_off, void *to, size_t n)
{
	size_t front = k->off + k->head_len - head_off;
	struct iovec iov;

	if (front > n)
		front = n;
	memcpy(to, k->head->data + head_off, front);
	iov = (struct iovec){ (uint8_t *)to + front, n - front };
	return front + pkt_copy_iov(k, k->head_len, &iov, 1);
}

static bool slice_share(struct pkt *s, const struct pkt *k, size_t off, size_t len)
{
	if (off < k->head_len) {
		size_t n = k->head_len - off < len ? k->head_len - off : len;

		if (!pkt_add_frag(s, k->head, k->off + off, n))
			return false;
		len -= n;
		off = 0;
	} else {
		off -= k->head_len;
	}
	for (int i = 0; i < k->nfrags && len; i++) {
		const struct pkt_frag *f = &k->frags[i];
		size_t n;

		if (off >= f->len) {
			off -= f->len;
			continue;
		}
		n = f->len - off < len ? f->len - off : len;
		if (!pkt_add_frag(s, f->chunk, f->off + off, n))
			return false;
		len -= n;
		off = 0;
	}
	return true;
}

struct pkt *pkt_slice(const struct pkt *k, size_t off, size_t len)
{
	struct pkt *s = pkt_alloc(k->pool, PKT_HEADROOM, 0);

	if (s && !slice_share(s, k, off, len)) {
		/* Head and fragments together were one too many: then a copy. */
		pkt_free(s);
		s = pkt_alloc(k->pool, PKT_HEADROOM, len);
		if (s)
			pkt_copy_out(k, off, pkt_put(s, len), len);
	}
	if (!s)
		return NULL;
	s->net_proto = k->net_proto;
	s->trans_proto = k->trans_proto;
	s->type = k->type;
	s->hop_limit = k->hop_limit;
	s->tos = k->tos;
	s->nic_id = k->nic_id;
	s->rx_wall_ns = k->rx_wall_ns;
	s->src = k->src;
	s->dst = k->dst;
	return s;
}

uint16_t pkt_cksum(const struct pkt *k, size_t off, uint16_t sum)
{
	struct iovec iov[PKT_MAX_FRAGS + 1];
	int n = pkt_iov(k, iov);
	size_t at = 0;

	for (int i = 0; i < n; i++) {
		if (off >= iov[i].iov_len) {
			off -= iov[i].iov_len;
			continue;
		}
		sum = cksum_combine(sum, cksum_add(0, (uint8_t *)iov[i].iov_base + off,
						   iov[i].iov_len - off), at);
		at += iov[i].iov_len - off;
		off = 0;
	}
	return sum;
}

bool pkt_finish_cksum(struct pkt *k)
{
	uint16_t sum;

	if (k->csum != PKT_CSUM_PARTIAL)
		return true;
	if (!pkt_writable(k))
		return false;
	/* The field holds the pseudo header's sum and so adds itself. */
	sum = (uint16_t)~pkt_cksum(k, k->csum_start - k->off, 0);
	if (sum == 0)
		sum = 0xffff;	/* RFC 768: zero means "no checksum"; for TCP both are right */
	memcpy(k->head->data + k->csum_start + k->csum_off, &sum, sizeof(sum));
	k->csum = PKT_CSUM_NONE;
	return true;
}

size_t pkt_truesize(const struct pkt *k)
{
	size_t n = sizeof(*k) + sizeof(struct chunk) + k->head->cap;

	for (int i = 0; i < k->nfrags; i++)
		n += sizeof(struct chunk) + k->frags[i].chunk->cap;
	return n;
}

void pkt_queue_init(struct pkt_queue *q)
{
	*q = (struct pkt_queue){ 0 };
	list_init(&q->list);
}

void pkt_queue_push(struct pkt_queue *q, struct pkt *k)
{
	list_push_back(&q->list, &k->node);
	q->count++;
	q->bytes += k->len;
	q->truesize += pkt_truesize(k);
}

struct pkt *pkt_queue_first(const struct pkt_queue *q)
{
	return list_empty(&q->list) ? NULL : container_of(q->list.next, struct pkt, node);
}

struct pkt *pkt_queue_pop(struct pkt_queue *q)
{
	struct pkt *k = pkt_queue_first(q);

	if (!k)
		return NULL;
	list_remove(&k->node);
	q->count--;
	q->bytes -= k->len;
	q->truesize -= pkt_truesize(k);
	return k;
}

void pkt_queue_purge(struct pkt_queue *q)
{
	struct pkt *k;

	while ((k = pkt_queue_pop(q)))
		pkt_free(k);
}
