/* The channel link: packets in memory, for tests, simulations and whoever moves packets himself. */
#ifndef STACK_LINK_CHANNEL_H
#define STACK_LINK_CHANNEL_H

#include "core/link.h"

/**
 * struct channel_config - @depth: packets that wait for channel_read() at most
 * @caps: LINK_CAP_TX_CSUM, LINK_CAP_TSO*; with LINK_CAP_ETHERNET it carries whole frames and is to be
 *        wrapped by ether_new()
 * @written: called when a packet was queued, NULL: nobody
 */
struct channel_config {
	size_t depth;
	uint32_t mtu;
	uint32_t caps;
	uint32_t gso_max;
	void (*written)(void *ctx);
	void *ctx;
};

/** channel_new() - NULL if there is no memory */
struct link *channel_new(const struct channel_config *c);

/** channel_read() - the next packet the stack sent, now the caller's; NULL if there is none */
struct pkt *channel_read(struct link *l);

/** channel_count() - how many wait */
size_t channel_count(const struct link *l);

/** channel_inject() - takes @pkt: as if received */
void channel_inject(struct link *l, struct pkt *pkt);

#endif
