/* Bytes to be written. */
#include "core/endpoint.h"

struct payload payload_from_iov(const struct iovec *iov, int iovcnt)
{
	struct payload p = { .iov = iov, .iovcnt = iovcnt };

	for (int i = 0; i < iovcnt; i++)
		p.len += iov[i].iov_len;
	return p;
}

struct payload payload_from_pkt(struct pkt *pkt)
{
	return (struct payload){ .pkt = pkt, .len = pkt->len };
}

void payload_release(struct payload *p)
{
	pkt_free(p->pkt);
	p->pkt = NULL;
}

static void payload_copy_iov(struct payload *p, uint8_t *to, size_t n)
{
	while (n) {
		size_t m = p->iov->iov_len - p->iov_off;

		if (m == 0) {
			p->iov++;
			p->iovcnt--;
			p->iov_off = 0;
			continue;
		}
		if (m > n)
			m = n;
		memcpy(to, (const uint8_t *)p->iov->iov_base + p->iov_off, m);
		p->iov_off += m;
		to += m;
		n -= m;
	}
}

void payload_copy(struct payload *p, void *to, size_t n)
{
	p->len -= n;
	if (!p->pkt) {
		payload_copy_iov(p, to, n);
		return;
	}
	pkt_copy_out(p->pkt, 0, to, n);
	pkt_pull(p->pkt, n);
}

struct pkt *payload_take(struct payload *p, size_t n, struct pkt_pool *pool)
{
	struct pkt *pkt;

	if (p->pkt && n == p->pkt->len) {
		pkt = p->pkt;
		p->pkt = NULL;
		p->len = 0;
		return pkt;
	}
	if (p->pkt) {
		pkt = pkt_clone(p->pkt);
		if (!pkt)
			return NULL;
		pkt_trim(pkt, n);
		pkt_pull(p->pkt, n);
		p->len -= n;
		return pkt;
	}
	pkt = pkt_alloc(pool, PKT_HEADROOM, n);
	if (!pkt)
		return NULL;
	payload_copy(p, pkt_put(pkt, n), n);
	return pkt;
}
