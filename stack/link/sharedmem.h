/*
 * A link over memory that two processes share: a ring for each direction, and something to wake the other
 * with. Carries Ethernet frames.
 */
#ifndef STACK_LINK_SHAREDMEM_H
#define STACK_LINK_SHAREDMEM_H

#include "core/link.h"

enum { SHAREDMEM_MTU_MAX = 16000 };

/**
 * struct sharedmem_region - memory with two rings
 * @fd: the file, to be handed to the other process; it cannot be made smaller, so that nobody who maps it can
 *      be made to fault
 */
struct sharedmem_region {
	int fd;
	uint8_t *mem;
	size_t len;
	uint32_t ring_bytes;
};

/** sharedmem_region_new() - with rings of @ring_bytes, a power of two; 0, -EINVAL or -errno */
int sharedmem_region_new(struct sharedmem_region *r, uint32_t ring_bytes);

/** sharedmem_region_map() - takes @fd, also on error: map a region another process made. 0; -EINVAL: it is none,
 * or could be made smaller; -errno. */
int sharedmem_region_map(struct sharedmem_region *r, int fd);

/** sharedmem_region_free() - unmap and close; harmless on one that is all zero but for its @fd of -1 */
void sharedmem_region_free(struct sharedmem_region *r);

/**
 * struct sharedmem_config - one end
 * @region: the link's from now on
 * @first:  which of the two ends this is
 * @pool:   where received packets come from; borrowed until link_close()
 * @mtu:    at most SHAREDMEM_MTU_MAX, and what a quarter of a ring holds with its header
 * @fd:     readable when the other side has woken us
 * @kick:   wake the other side. Must not block, whatever the other side does.
 * @drain:  make @fd unreadable; false: the other side is gone
 * @close:  release what @ctx is, or NULL
 */
struct sharedmem_config {
	struct sharedmem_region region;
	bool first;
	struct pkt_pool *pool;
	uint32_t mtu;
	int fd;
	void (*kick)(void *ctx);
	bool (*drain)(void *ctx);
	void (*close)(void *ctx);
	void *ctx;
};

/** sharedmem_new() - NULL if there is no memory or the MTU makes no sense; then the configuration's contents are
 * still the caller's */
struct link *sharedmem_new(const struct sharedmem_config *c);

/**
 * sharedmem_pair() - two ends with eventfds between them
 *
 * For two stacks that trust one another: an eventfd's blocking mode is shared, so one side can make the other's
 * write to it wait.
 *
 * Return: 0; -EINVAL; -errno.
 */
int sharedmem_pair(struct pkt_pool *pool, uint32_t mtu, uint32_t ring_bytes, struct link *out[2]);

/** sharedmem_fd() - the descriptor to poll; still the link's */
int sharedmem_fd(const struct link *l);

/**
 * sharedmem_rx() - deliver about @budget packets
 *
 * May be some more when the ring runs empty: the descriptor stays readable as long as there are packets left.
 *
 * Return: how many; -EPROTO: the other side wrote nonsense; -EPIPE: it is gone, and all it sent delivered.
 */
int sharedmem_rx(struct link *l, int budget);

/**
 * struct sharedmem_stats - @sent, @received: packets; @full: dropped, the ring was full; @refused: received and
 * dropped, larger than the MTU or for want of memory
 */
struct sharedmem_stats {
	uint64_t sent, received, full, refused;
};

struct sharedmem_stats sharedmem_get_stats(const struct link *l);

#endif
