/* Where packets and their memory come from. */
#ifndef STACK_BUFFER_POOL_H
#define STACK_BUFFER_POOL_H

#include <stddef.h>
#include <stdint.h>

struct pkt;

/**
 * struct chunk - a block of bytes that packets and send queues share
 * @refs: how many hold it; the last chunk_unref() gives it back
 * @cap:  bytes at @data
 */
struct chunk {
	struct pkt_pool *pool;
	struct chunk *next_free;
	uint32_t refs;
	uint32_t cap;
	uint8_t size_class;
	uint8_t data[] __attribute__((aligned(16)));
};

enum {
	CHUNK_SMALL = 256,		/* headers of outbound packets */
	CHUNK_FRAME = 2048,		/* a frame at the usual MTU */
	CHUNK_BULK = 16384,		/* parts of a super-segment, of a send queue */
	CHUNK_MAX = 65536 + 256,	/* the largest datagram with room for headers */
};

/**
 * struct pkt_pool - free lists by size
 *
 * Keeps what is released for the next packet, up to a bound per size. Counted references: its
 * makers', and one for each packet and chunk in use, so packets may outlive the stack they came from.
 */
struct pkt_pool *pkt_pool_new(void);
struct pkt_pool *pkt_pool_ref(struct pkt_pool *p);
void pkt_pool_unref(struct pkt_pool *p);

/** pkt_pool_live() - packets and chunks in use: 0 once all is released */
size_t pkt_pool_live(const struct pkt_pool *p);

/** chunk_alloc() - a chunk of at least @cap bytes and one reference; NULL if there is no memory or
 * @cap is over CHUNK_MAX */
struct chunk *chunk_alloc(struct pkt_pool *p, size_t cap);

/** chunk_release() - what the last chunk_unref() calls */
void chunk_release(struct chunk *c);

static inline struct chunk *chunk_ref(struct chunk *c)
{
	c->refs++;
	return c;
}

static inline void chunk_unref(struct chunk *c)
{
	if (--c->refs == 0)
		chunk_release(c);
}

/** pool_get_pkt(), pool_put_pkt() - the packet structure alone, for pkt.c */
struct pkt *pool_get_pkt(struct pkt_pool *p);
void pool_put_pkt(struct pkt_pool *p, struct pkt *pkt);

#endif
