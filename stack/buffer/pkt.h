/*
 * Packets: bytes, where their headers are, and what is known about them.
 *
 * A packet is a linear head followed by fragments. Headers are always in the head. The head has
 * room in front (PKT_HEADROOM), so that each layer going down pushes its header without a copy;
 * going up, each layer pulls its own. Fragments reference chunks that others may hold too (a send
 * queue, a clone): their bytes are never written.
 *
 * Ownership: a function that gets a packet takes it, unless its comment says it borrows. A packet
 * has one owner; who wants a second one clones it.
 */
#ifndef STACK_BUFFER_PKT_H
#define STACK_BUFFER_PKT_H

#include <stdbool.h>
#include <sys/uio.h>

#include "base/addr.h"
#include "base/list.h"
#include "buffer/pool.h"

enum {
	/* virtio-net 12 + Ethernet 14 + IPv6 40 + TCP 60, rounded up */
	PKT_HEADROOM = 128,
	PKT_MAX_FRAGS = 8,
	PKT_NO_HDR = 0xffff,
};

/** enum pkt_type - to whom the link layer says a received packet went, or that a copy for a packet
 * endpoint was sent; values of sll_pkttype (packet(7)) */
enum pkt_type { PKT_HOST, PKT_BROADCAST, PKT_MULTICAST, PKT_OTHER_HOST, PKT_OUTGOING };

/**
 * enum pkt_csum - what is known of the transport checksum
 * @PKT_CSUM_NONE:    received: check it. Sent: it is in place.
 * @PKT_CSUM_VALID:   received: the link vouches for it
 * @PKT_CSUM_PARTIAL: only the pseudo header's sum is in place, over @csum_start on; sent: the link
 *                    finishes it. Received (from a peer on the same machine): trusted.
 */
enum pkt_csum { PKT_CSUM_NONE, PKT_CSUM_VALID, PKT_CSUM_PARTIAL };

/* In flow_info, set by whoever answers a packet with an ICMP error or the like: @flow and the rest are
 * of the packet that it answers. */
enum { PKT_FLOW_ANSWER = 0x80 };

/** enum pkt_gso - how the link is to cut the packet up, or from what it was merged */
enum pkt_gso { PKT_GSO_NONE, PKT_GSO_TCP4, PKT_GSO_TCP6 };

struct pkt_frag {
	struct chunk *chunk;
	uint32_t off, len;
};

/** struct pkt_stamp - a transmit time stamp that is wanted: by @taker (core/txstamp.h), 0: nobody; what and by which
 * number is the taker's */
struct pkt_stamp {
	uint32_t taker, key, what;
};

/**
 * struct pkt - one packet
 * @node:       for whoever owns the packet
 * @head:       chunk of the linear part
 * @off:        where the live bytes start in @head
 * @head_len:   live bytes in @head
 * @len:        all live bytes, fragments included
 * @link_off, @net_off, @trans_off: where the headers start in @head, PKT_NO_HDR if not known
 * @net_proto:  Ethernet type, host order; 0 if not known yet
 * @trans_proto: IP protocol number
 * @csum_start: PARTIAL: the first byte summed, an offset in @head like those of the headers
 * @csum_off:   PARTIAL: where the sum goes, counted from @csum_start
 * @gso, @gso_size: kind and payload bytes per segment of a super-segment
 * @ecn:        the GSO segments carry CWR
 * @hop_limit, @tos: received TTL or hop limit, and TOS or traffic class
 * @is_frag_assembled: was put together from fragments
 * @looped:     never left the stack: checksums need no look
 * @framed:     sent: its link header is in place already
 * @frag_off:   while it waits for reassembly: where it belongs in its datagram. In the queue of a packet
 *              endpoint: how many bytes its filter has cut off
 * @mark, @flow, @flow_info: what filters noted: a mark, and the connection the packet is part of
 * @nic_id:     NIC it was received on; 0 while one of our own has not been. No pointer: packets
 *              wait in queues that outlive NICs.
 * @rx_wall_ns: wall clock at reception
 * @src, @dst:  network addresses, once the network layer has read or chosen them
 * @sport, @dport: transport ports, once the transport layer has read them
 * @link_src, @link_dst: link addresses
 * @stamp:      to be sent: whom to tell when it goes out
 */
struct pkt {
	struct list node;
	struct pkt_pool *pool;
	struct chunk *head;
	uint32_t off, head_len, len;
	uint16_t link_off, net_off, trans_off;
	uint16_t net_proto;
	uint8_t trans_proto;
	uint8_t type;
	uint8_t csum;
	uint8_t gso;
	uint16_t csum_start, csum_off;
	uint16_t gso_size;
	uint8_t hop_limit, tos;
	bool ecn, is_frag_assembled, looped, framed;
	uint16_t sport, dport;
	uint32_t frag_off;
	uint32_t mark, flow;
	uint8_t flow_info;
	uint32_t nic_id;
	int64_t rx_wall_ns;
	struct addr src, dst;
	struct link_addr link_src, link_dst;
	struct pkt_stamp stamp;
	uint8_t nfrags;
	struct pkt_frag frags[PKT_MAX_FRAGS];
};

/**
 * pkt_alloc() - an empty packet
 * @headroom: bytes kept free in front, PKT_HEADROOM unless there is a reason
 * @tailroom: bytes that pkt_put() can add
 *
 * Return: NULL if there is no memory, or the sum is over CHUNK_MAX.
 */
struct pkt *pkt_alloc(struct pkt_pool *p, size_t headroom, size_t tailroom);

/** pkt_from_bytes() - pkt_alloc() with a copy of @len bytes in it */
struct pkt *pkt_from_bytes(struct pkt_pool *p, const void *data, size_t len);

/** pkt_free() - release a packet; NULL is allowed */
void pkt_free(struct pkt *pkt);

/** pkt_clone() - borrows: a second packet that shares the bytes; NULL if there is no memory.
 * The first to push or write into a shared head gets a head of its own. */
struct pkt *pkt_clone(const struct pkt *pkt);

/** pkt_data() - the first live byte */
static inline uint8_t *pkt_data(const struct pkt *pkt)
{
	return pkt->head->data + pkt->off;
}

/** pkt_push_slow() - what pkt_push() does when there is no room or the head is shared */
uint8_t *pkt_push_slow(struct pkt *pkt, size_t n);

/** pkt_push() - borrows: @n more bytes in front; returns them, NULL if there was no memory */
static inline uint8_t *pkt_push(struct pkt *pkt, size_t n)
{
	if (pkt->off < n || pkt->head->refs != 1)
		return pkt_push_slow(pkt, n);
	pkt->off -= (uint32_t)n;
	pkt->head_len += (uint32_t)n;
	pkt->len += (uint32_t)n;
	return pkt_data(pkt);
}

/** pkt_put() - borrows: @n more bytes at the end of the head; NULL if there is no room, the head
 * is shared, or fragments follow */
uint8_t *pkt_put(struct pkt *pkt, size_t n);

/** pkt_pull() - borrows: drop @n <= @len bytes from the front */
void pkt_pull(struct pkt *pkt, size_t n);

/** pkt_unpull() - borrows: the last @n bytes pulled from the head, never pushed over since, are live
 * again; written to only after pkt_writable() */
static inline void pkt_unpull(struct pkt *pkt, size_t n)
{
	pkt->off -= (uint32_t)n;
	pkt->head_len += (uint32_t)n;
	pkt->len += (uint32_t)n;
}

/** pkt_trim() - borrows: cut to @len bytes, at most what there are */
void pkt_trim(struct pkt *pkt, size_t len);

/** pkt_pullup_slow() - what pkt_pullup() does when the bytes lie in fragments */
bool pkt_pullup_slow(struct pkt *pkt, size_t n);

/** pkt_pullup() - borrows: make the first @n bytes contiguous; false if there are fewer, or no
 * memory. Offsets of headers already passed stay right. */
static inline bool pkt_pullup(struct pkt *pkt, size_t n)
{
	return pkt->head_len >= n || pkt_pullup_slow(pkt, n);
}

/** pkt_writable() - borrows: make the head this packet's own; false if there was no memory */
bool pkt_writable(struct pkt *pkt);

/** pkt_add_frag() - borrows: append bytes of a chunk, taking a reference of its own; false if
 * there are PKT_MAX_FRAGS already */
bool pkt_add_frag(struct pkt *pkt, struct chunk *c, size_t off, size_t len);

/** pkt_copy_out() - borrows: copy @n bytes from @off on; the packet must have them */
void pkt_copy_out(const struct pkt *pkt, size_t off, void *to, size_t n);

/** pkt_copy_iov() - borrows: copy from byte @off on until packet or vector ends; returns how many */
size_t pkt_copy_iov(const struct pkt *pkt, size_t off, const struct iovec *iov, int iovcnt);

/** pkt_iov() - borrows: the live bytes as a vector of at most PKT_MAX_FRAGS + 1; returns its length */
int pkt_iov(const struct pkt *pkt, struct iovec iov[PKT_MAX_FRAGS + 1]);

/** pkt_copy_from() - borrows: copy at most @n bytes that start at offset @head_off of the head (a header
 * passed already, such as @net_off); returns how many there were */
size_t pkt_copy_from(const struct pkt *pkt, uint32_t head_off, void *to, size_t n);

/** pkt_slice() - borrows: a packet with PKT_HEADROOM that shares bytes @off to @off + @len - 1, metadata
 * but for checksum and GSO copied; NULL if there is no memory */
struct pkt *pkt_slice(const struct pkt *pkt, size_t off, size_t len);

/** pkt_cksum() - borrows: Internet checksum of the live bytes from @off on, added to @sum */
uint16_t pkt_cksum(const struct pkt *pkt, size_t off, uint16_t sum);

/** pkt_finish_cksum() - borrows: compute in software what a PARTIAL checksum left to the link;
 * false if there was no memory */
bool pkt_finish_cksum(struct pkt *pkt);

/** pkt_truesize() - memory the packet holds, for accounting against socket buffers */
size_t pkt_truesize(const struct pkt *pkt);

/** pkt_answers() - note that @pkt is being made as an answer to @to */
static inline void pkt_answers(struct pkt *pkt, const struct pkt *to)
{
	pkt->flow = to->flow;
	pkt->flow_info = to->flow_info | PKT_FLOW_ANSWER;
}

static inline uint8_t *pkt_net_hdr(const struct pkt *pkt)
{
	return pkt->head->data + pkt->net_off;
}

static inline uint8_t *pkt_trans_hdr(const struct pkt *pkt)
{
	return pkt->head->data + pkt->trans_off;
}

static inline uint8_t *pkt_link_hdr(const struct pkt *pkt)
{
	return pkt->head->data + pkt->link_off;
}

/** struct pkt_queue - packets in order, with the bytes they have and the memory they hold; neither may
 * change while a packet is in it */
struct pkt_queue {
	struct list list;
	size_t count;
	size_t bytes;
	size_t truesize;
};

void pkt_queue_init(struct pkt_queue *q);

/** pkt_queue_push() - takes @pkt: append it */
void pkt_queue_push(struct pkt_queue *q, struct pkt *pkt);

/** pkt_queue_pop() - the first packet, now the caller's; NULL if there is none */
struct pkt *pkt_queue_pop(struct pkt_queue *q);

/** pkt_queue_first() - borrows the first packet; NULL if there is none */
struct pkt *pkt_queue_first(const struct pkt_queue *q);

/** pkt_queue_purge() - free all */
void pkt_queue_purge(struct pkt_queue *q);

#endif
