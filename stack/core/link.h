/* The interface of link endpoints, and how they wrap one another. */
#ifndef STACK_CORE_LINK_H
#define STACK_CORE_LINK_H

#include "base/err.h"
#include "buffer/pkt.h"

/** enum link_caps - what a link offers and asks for */
enum link_caps {
	LINK_CAP_RESOLUTION = 1 << 0,	/* neighbours have link addresses that must be found out */
	LINK_CAP_LOOPBACK   = 1 << 1,	/* everything sent comes back to this stack */
	LINK_CAP_TX_CSUM    = 1 << 2,	/* takes PKT_CSUM_PARTIAL */
	LINK_CAP_TSO4       = 1 << 3,	/* takes PKT_GSO_TCP4 up to gso_max bytes */
	LINK_CAP_TSO6       = 1 << 4,
	LINK_CAP_ETHERNET   = 1 << 5,	/* packets at this level carry Ethernet headers */
};

/**
 * struct link_sink - where a link delivers: a NIC, or the link wrapped around this one
 * @rx: takes @pkt. Packets without @net_proto are told apart by their IP version.
 */
struct link_sink {
	void (*rx)(struct link_sink *sink, struct pkt *pkt);
};

/**
 * struct link - a link endpoint; the implementation embeds it
 * @lower:    the link this one wraps and owns, or NULL
 * @sink:     set by link_attach(), NULL when detached; deliver through link_deliver()
 * @mtu:      largest network packet, link headers not counted
 * @hdr_len:  bytes of link headers that this link and those below push
 * @gso_max:  largest super-segment, network header included; 0 without TSO
 * @caps:     enum link_caps
 * @rx_queue_pkts: packets that the queue in front of this link holds before it drops some, 0 if
 *            that is not known: receive windows keep below
 */
struct link {
	const struct link_ops *ops;
	struct link *lower;
	struct link_sink *sink;
	uint32_t mtu;
	uint32_t gso_max;
	uint32_t caps;
	uint32_t rx_queue_pkts;
	uint16_t hdr_len;
	struct link_addr addr;
};

/**
 * struct link_ops - what an implementation does
 * @write:     takes @pkt: send it. @pkt->link_dst and @net_proto are set where there are link
 *             addresses. Any error means the packet is gone; WOULD_BLOCK and NO_BUFFER_SPACE that
 *             a queue was full.
 * @attached:  the sink was set or, NULL, taken away; may be NULL
 * @write_ready: whether a write would be taken now; NULL: always
 * @close:     release the link, and what it wraps with link_close()
 */
struct link_ops {
	const char *name;
	enum ns_err (*write)(struct link *l, struct pkt *pkt);
	void (*attached)(struct link *l);
	bool (*write_ready)(struct link *l);
	void (*close)(struct link *l);
};

/** link_attach() - deliver received packets to @sink, NULL to stop */
void link_attach(struct link *l, struct link_sink *sink);

/** link_close() - detach and release a link with those it wraps; NULL is allowed */
void link_close(struct link *l);

/**
 * link_wrap() - what a wrapper's constructor starts with
 *
 * Copies MTU, address and capabilities from @lower, which the wrapper owns from now on, and makes
 * @sink the receiver of what @lower delivers.
 */
void link_wrap(struct link *l, const struct link_ops *ops, struct link *lower,
	       struct link_sink *sink);

/** link_write() - takes @pkt: send it */
static inline enum ns_err link_write(struct link *l, struct pkt *pkt)
{
	return l->ops->write(l, pkt);
}

/** link_deliver() - takes @pkt: hand a received packet up; dropped while nothing is attached */
static inline void link_deliver(struct link *l, struct pkt *pkt)
{
	if (l->sink)
		l->sink->rx(l->sink, pkt);
	else
		pkt_free(pkt);
}

#endif
