/* A link over descriptors that keep packet boundaries: TAP and TUN devices, datagram sockets. */
#ifndef STACK_LINK_FDBASED_H
#define STACK_LINK_FDBASED_H

#include "core/link.h"

enum { FDBASED_MAX_QUEUES = 8 };

/**
 * struct fdbased_config - what the descriptors are
 * @pool:     where received packets come from; borrowed until link_close()
 * @fds:      @nfds non-blocking descriptors, the link's from now on; more than one: queues of one device
 * @mtu:      network packet, link headers not counted
 * @ethernet: frames start with Ethernet headers (wrap it with ether_new())
 * @vnet_hdr_len: bytes of virtio-net header before each frame: 0, 10 or 12
 * @rx_queue_pkts: packets the descriptors' other side keeps for us at most, 0: not known
 * @tx_csum, @tso: with a virtio-net header: leave checksums, and cutting up, to the other side
 */
struct fdbased_config {
	struct pkt_pool *pool;
	int fds[FDBASED_MAX_QUEUES];
	int nfds;
	uint32_t mtu;
	bool ethernet;
	uint8_t vnet_hdr_len;
	uint32_t rx_queue_pkts;
	bool tx_csum, tso;
};

/** fdbased_new() - NULL if there is no memory, or the configuration makes no sense; then the
 * descriptors are still the caller's */
struct link *fdbased_new(const struct fdbased_config *c);

/**
 * fdbased_rx() - read and deliver at most @budget packets of queue @queue
 *
 * Return: how many, with more to come perhaps; 0 if there are none; -errno if the descriptor failed.
 */
int fdbased_rx(struct link *l, int queue, int budget);

/**
 * fdbased_batch() - from now on several packets a system call
 *
 * By io_uring(7), where the kernel has what it takes (6.1) and lets us: reads are made in numbers, and what is
 * written waits for fdbased_flush(), which the caller calls when it has nothing else to do at the moment, in
 * the thread that called this. An error of writing is then told by a later write.
 *
 * Return: whether; if not, all is as before, and fdbased_flush() has nothing to do.
 */
bool fdbased_batch(struct link *l);

/** fdbased_flush() - write what waits to be written */
void fdbased_flush(struct link *l);

/** fdbased_fd() - the descriptor of a queue, to poll; still the link's */
int fdbased_fd(const struct link *l, int queue);

#endif
