/*
 * A shared-memory link whose other side does what the input says. Records of a byte that says what: write four
 * bytes anywhere into the memory (or into an index), put a message as it should be, let the link read, let it
 * write. The link may find its rings broken, and no more; afterwards nothing may be left.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "link/sharedmem.h"
#include "link/sharedmem_ring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *p;
	size_t n;
};

static uint32_t word(struct input *in)
{
	uint32_t v = 0;
	size_t n = in->n < 4 ? in->n : 4;

	memcpy(&v, in->p, n);
	in->p += n;
	in->n -= n;
	return v;
}

static void sink_rx(struct link_sink *k, struct pkt *p)
{
	uint8_t sum = 0;

	if (p->len > 1514)
		abort();
	for (uint32_t i = 0; i < p->head_len; i++)
		sum ^= pkt_data(p)[i];
	*(volatile uint8_t *)&sum = sum;
	pkt_free(p);
}

static void kick(void *ctx)
{
}

static bool drain(void *ctx)
{
	return true;
}

static void step(struct input *in, struct link *l, struct pkt_pool *pool, struct sharedmem_region *theirs,
		 struct sharedmem_ring *w)
{
	struct sharedmem_ring_shared *in_ring = (void *)(theirs->mem);
	struct sharedmem_ring_shared *out_ring = (void *)(theirs->mem + SHAREDMEM_RING_HEAD + theirs->ring_bytes);
	static uint8_t zeros[1514];
	uint8_t op = *in->p++;
	uint32_t a, b;
	bool wake;

	in->n--;
	a = word(in);
	switch (op % 7) {
	case 0:
		b = word(in);
		memcpy(theirs->mem + a % (theirs->len - 4), &b, 4);
		break;
	case 1:
		in_ring->tail = a;
		break;
	case 2:
		out_ring->head = a;
		break;
	case 3: {
		struct iovec iov = { zeros, a % sizeof(zeros) };

		sharedmem_ring_put(w, &iov, 1, iov.iov_len, &wake);
		break;
	}
	case 4:
		sharedmem_rx(l, (int)(a % 64));
		break;
	case 5:
		link_write(l, pkt_from_bytes(pool, zeros, 1 + a % (sizeof(zeros) - 1)));
		break;
	default:	/* a length where the next header is */
		memcpy(w->data + (w->own & (w->size - 1)), &a, 4);
		in_ring->tail = w->own + (a & 0xffff);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pkt_pool *pool = pkt_pool_new();
	struct sharedmem_config c = { .pool = pool, .mtu = 1500, .fd = -1, .kick = kick, .drain = drain };
	struct link_sink sink = { sink_rx };
	struct input in = { data, size };
	struct sharedmem_region theirs;
	struct sharedmem_ring w;
	struct link *l;

	if (sharedmem_region_new(&c.region, SHAREDMEM_RING_MIN) ||
	    sharedmem_region_map(&theirs, dup(c.region.fd)))
		abort();
	l = sharedmem_new(&c);
	link_attach(l, &sink);
	sharedmem_ring_init(&w, theirs.mem, theirs.ring_bytes);
	while (in.n)
		step(&in, l, pool, &theirs, &w);
	sharedmem_rx(l, 1000);
	link_close(l);
	sharedmem_region_free(&theirs);
	if (pkt_pool_live(pool))
		abort();
	pkt_pool_unref(pool);
	return 0;
}
