/*
 * A ring of messages in shared memory, with one writer and one reader that do not trust one another.
 *
 * Each side keeps its own index privately and only publishes it; what it reads of the other's, and of a
 * message's length, it copies first and checks then. So whatever the other side writes into the memory, and
 * whenever, at worst the ring is found broken: no access leaves it, and nothing waits for it.
 */
#ifndef STACK_LINK_SHAREDMEM_RING_H
#define STACK_LINK_SHAREDMEM_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum {
	SHAREDMEM_RING_MIN = 64 << 10, SHAREDMEM_RING_MAX = 16 << 20,	/* data bytes, powers of two */
	SHAREDMEM_RING_HEAD = 4096,	/* bytes of indexes in front of the data */
};

/**
 * struct sharedmem_ring_shared - what both sides see
 * @tail: bytes ever written, modulo 2^32; the writer's
 * @head: bytes ever read; the reader's
 * @sleeping: the reader waits to be woken; it sets it, the writer clears it
 */
struct sharedmem_ring_shared {
	_Alignas(64) uint32_t tail;
	_Alignas(64) uint32_t head;
	_Alignas(64) uint32_t sleeping;
};

/**
 * struct sharedmem_ring - one side's view
 * @own:    our index, of which the shared one is a copy
 * @broken: the other side wrote nonsense; for good
 */
struct sharedmem_ring {
	struct sharedmem_ring_shared *shared;
	uint8_t *data;
	uint32_t size;
	uint32_t own;
	bool broken;
};

/** sharedmem_ring_init() - at @mem, SHAREDMEM_RING_HEAD + @size bytes, zeroed before first use by either side */
void sharedmem_ring_init(struct sharedmem_ring *r, void *mem, uint32_t size);

/**
 * sharedmem_ring_put() - write a message of @len bytes, the vector's; no longer than a quarter of the ring
 * @wake: set to whether the reader sleeps and is to be woken
 *
 * Return: 0; -ENOBUFS: no room; -EMSGSIZE; -EPROTO: broken.
 */
int sharedmem_ring_put(struct sharedmem_ring *r, const struct iovec *iov, int iovcnt, size_t len, bool *wake);

/**
 * sharedmem_ring_next() - the length of the next message
 *
 * Return: its bytes, copied with sharedmem_ring_take(); 0: none; -EPROTO: broken.
 */
int64_t sharedmem_ring_next(struct sharedmem_ring *r);

/** sharedmem_ring_take() - copy the first @n <= @len bytes of a message, and drop it; @len is what
 * sharedmem_ring_next() said */
void sharedmem_ring_take(struct sharedmem_ring *r, void *to, size_t n, size_t len);

/**
 * sharedmem_ring_sleep() - the reader is about to wait
 *
 * Return: the index up to which there are messages that it may not be woken for: read on while
 * sharedmem_ring_before() it.
 */
uint32_t sharedmem_ring_sleep(struct sharedmem_ring *r);

static inline bool sharedmem_ring_before(const struct sharedmem_ring *r, uint32_t end)
{
	return !r->broken && r->own != end;
}

#endif
