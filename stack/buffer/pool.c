/* Free lists of packets and chunks. */
#include "buffer/pool.h"

#include <stdlib.h>

#include "buffer/pkt.h"

static const struct {
	uint32_t cap;
	uint32_t keep;			/* free chunks kept at most */
} chunk_classes[] = {
	{ CHUNK_SMALL, 4096 },
	{ CHUNK_FRAME, 2048 },
	{ CHUNK_BULK, 256 },
	{ CHUNK_MAX, 16 },
};

enum { CHUNK_CLASSES = sizeof(chunk_classes) / sizeof(chunk_classes[0]), PKTS_KEPT = 4096 };

struct pkt_pool {
	size_t refs;
	size_t live;
	struct chunk *free_chunks[CHUNK_CLASSES];
	uint32_t nfree[CHUNK_CLASSES];
	struct pkt *free_pkts;
	uint32_t nfree_pkts;
};

struct pkt_pool *pkt_pool_new(void)
{
	struct pkt_pool *p = calloc(1, sizeof(*p));

	if (p)
		p->refs = 1;
	return p;
}

struct pkt_pool *pkt_pool_ref(struct pkt_pool *p)
{
	p->refs++;
	return p;
}

void pkt_pool_unref(struct pkt_pool *p)
{
	if (--p->refs)
		return;
	for (int i = 0; i < CHUNK_CLASSES; i++) {
		for (struct chunk *c = p->free_chunks[i], *next; c; c = next) {
			next = c->next_free;
			free(c);
		}
	}
	for (struct pkt *k = p->free_pkts, *next; k; k = next) {
		next = (struct pkt *)k->node.next;
		free(k);
	}
	free(p);
}

size_t pkt_pool_live(const struct pkt_pool *p)
{
	return p->live;
}

/* Objects in use hold the pool; both counts move together. */
static void pool_hold(struct pkt_pool *p)
{
	p->live++;
	p->refs++;
}

static void pool_drop(struct pkt_pool *p)
{
	p->live--;
	pkt_pool_unref(p);
}

struct chunk *chunk_alloc(struct pkt_pool *p, size_t cap)
{
	struct chunk *c;
	uint8_t cls = 0;

	while (cls < CHUNK_CLASSES && chunk_classes[cls].cap < cap)
		cls++;
	if (cls == CHUNK_CLASSES)
		return NULL;
	c = p->free_chunks[cls];
	if (c) {
		p->free_chunks[cls] = c->next_free;
		p->nfree[cls]--;
	} else {
		c = malloc(sizeof(*c) + chunk_classes[cls].cap);
		if (!c)
			return NULL;
		c->pool = p;
		c->cap = chunk_classes[cls].cap;
		c->size_class = cls;
	}
	c->refs = 1;
	pool_hold(p);
	return c;
}

void chunk_release(struct chunk *c)
{
	struct pkt_pool *p = c->pool;
	uint8_t cls = c->size_class;

	if (p->nfree[cls] < chunk_classes[cls].keep) {
		c->next_free = p->free_chunks[cls];
		p->free_chunks[cls] = c;
		p->nfree[cls]++;
	} else {
		free(c);
	}
	pool_drop(p);
}

struct pkt *pool_get_pkt(struct pkt_pool *p)
{
	struct pkt *k = p->free_pkts;

	if (k) {
		p->free_pkts = (struct pkt *)k->node.next;
		p->nfree_pkts--;
	} else {
		k = malloc(sizeof(*k));
		if (!k)
			return NULL;
	}
	pool_hold(p);
	return k;
}

void pool_put_pkt(struct pkt_pool *p, struct pkt *k)
{
	if (p->nfree_pkts < PKTS_KEPT) {
		k->node.next = (struct list *)p->free_pkts;
		p->free_pkts = k;
		p->nfree_pkts++;
	} else {
		free(k);
	}
	pool_drop(p);
}
