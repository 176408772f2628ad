/*
 * A ring of messages in shared memory.
 *
 * A message is a header of eight bytes, its length the first four, and its bytes, filled up to eight: so a
 * header never crosses the end of the ring, only bytes do.
 */
#include "link/sharedmem_ring.h"

#include <errno.h>
#include <string.h>

enum { HEADER = 8 };

static uint32_t room_for(size_t len)
{
	return (uint32_t)((HEADER + len + 7) & ~(size_t)7);
}

void sharedmem_ring_init(struct sharedmem_ring *r, void *mem, uint32_t size)
{
	*r = (struct sharedmem_ring){
		.shared = mem, .data = (uint8_t *)mem + SHAREDMEM_RING_HEAD, .size = size,
	};
}

static int broken(struct sharedmem_ring *r)
{
	r->broken = true;
	return -EPROTO;
}

static void copy_in(struct sharedmem_ring *r, uint32_t at, const void *from, size_t n)
{
	uint32_t off = at & (r->size - 1);
	size_t first = n < r->size - off ? n : r->size - off;

	memcpy(r->data + off, from, first);
	memcpy(r->data, (const uint8_t *)from + first, n - first);
}

int sharedmem_ring_put(struct sharedmem_ring *r, const struct iovec *iov, int iovcnt, size_t len, bool *wake)
{
	const uint32_t used = r->own - __atomic_load_n(&r->shared->head, __ATOMIC_ACQUIRE);
	const uint32_t header[2] = { (uint32_t)len, 0 };
	uint32_t at = r->own;

	*wake = false;
	if (r->broken || used > r->size)
		return broken(r);
	if (len == 0 || len > r->size / 4)
		return -EMSGSIZE;
	if (room_for(len) > r->size - used)
		return -ENOBUFS;
	copy_in(r, at, header, HEADER);
	at += HEADER;
	for (int i = 0; i < iovcnt; i++) {
		copy_in(r, at, iov[i].iov_base, iov[i].iov_len);
		at += (uint32_t)iov[i].iov_len;
	}
	r->own += room_for(len);
	/* In one order for both: either the reader sees this message before it sleeps, or we see that it does. */
	__atomic_store_n(&r->shared->tail, r->own, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&r->shared->sleeping, __ATOMIC_SEQ_CST))
		*wake = __atomic_exchange_n(&r->shared->sleeping, 0, __ATOMIC_ACQ_REL);
	return 0;
}

int64_t sharedmem_ring_next(struct sharedmem_ring *r)
{
	const uint32_t there = __atomic_load_n(&r->shared->tail, __ATOMIC_ACQUIRE) - r->own;
	uint32_t len;

	if (r->broken || there > r->size || there % HEADER)
		return broken(r);
	if (there == 0)
		return 0;
	/* One load: what is checked is what is used. */
	len = __atomic_load_n((uint32_t *)(void *)(r->data + (r->own & (r->size - 1))), __ATOMIC_RELAXED);
	if (len == 0 || len > r->size / 4 || room_for(len) > there)
		return broken(r);
	return len;
}

void sharedmem_ring_take(struct sharedmem_ring *r, void *to, size_t n, size_t len)
{
	uint32_t off = (r->own + HEADER) & (r->size - 1);
	size_t first = n < r->size - off ? n : r->size - off;

	if (n) {
		memcpy(to, r->data + off, first);
		memcpy((uint8_t *)to + first, r->data, n - first);
	}
	r->own += room_for(len);
	__atomic_store_n(&r->shared->head, r->own, __ATOMIC_RELEASE);
}

uint32_t sharedmem_ring_sleep(struct sharedmem_ring *r)
{
	__atomic_store_n(&r->shared->sleeping, 1, __ATOMIC_SEQ_CST);
	return __atomic_load_n(&r->shared->tail, __ATOMIC_SEQ_CST);
}
