/* Moving bytes of streams without copying them: from descriptors into chunks, out of receive queues. */
#ifndef STACK_HOST_RX_H
#define STACK_HOST_RX_H

#include "buffer/pkt.h"

struct sock;

enum { RX_BULK = 4, RX_IOV = 64, RX_MAX = RX_BULK * CHUNK_BULK,
       RX_HEAD = CHUNK_FRAME - PKT_HEADROOM };

/** struct rx - memory for the next read; what was not needed waits for the one after */
struct rx {
	struct pkt *head;
	struct chunk *bulk[RX_BULK];
};

/**
 * rx_read() - read at most @max <= RX_MAX bytes from @fd as a packet, small reads in a small chunk
 *
 * Up to RX_HEAD bytes are read without a vector, which costs the kernel less.
 *
 * Return: 0 and the packet, or NULL in @out at the end of the file; -EAGAIN, -ENOMEM, or another.
 */
int rx_read(struct rx *rx, struct pkt_pool *pool, int fd, size_t max, struct pkt **out);
void rx_fini(struct rx *rx);

/** rx_peek() - borrows, until anything else is done to @k: the first unread bytes as they lie there;
 * how many pieces; @end: there are none, and will be none */
int rx_peek(struct sock *k, struct iovec iov[RX_IOV], bool *end);

/** rx_consume() - take @n of them */
void rx_consume(struct sock *k, size_t n);

#endif
