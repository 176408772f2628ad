/* A packet as rules look at it. */
#ifndef STACK_FILTER_PACKET_H
#define STACK_FILTER_PACKET_H

#include "core/stack.h"
#include "header/ipv4.h"

struct conn;
struct filter;

enum { TCP_HDR_MIN = 20 };
enum {
	TCP_FLAG_FIN = 1, TCP_FLAG_SYN = 2, TCP_FLAG_RST = 4, TCP_FLAG_PSH = 8, TCP_FLAG_ACK = 16,
	TCP_FLAG_URG = 32,
};

/** enum conn_state - what a packet is to its connection; the last two have none */
enum conn_state {
	CONN_NONE,			/* not looked at yet */
	CONN_NEW, CONN_ESTABLISHED, CONN_RELATED, CONN_INVALID, CONN_UNTRACKED,
};

/**
 * struct filter_pkt - a packet at a hook
 * @in, @out:  NULL where there is none
 * @proto:     of the transport header, after IPv6's extension headers
 * @l4_off:    of the transport header from the network header
 * @l4_len:    bytes of it, and after it, in the head; 0 if there are none, as in later fragments
 * @bytes:     of the packet, network header included
 * @later_fragment: no transport header: not the first, or a chain of headers without end
 * @drop:      set by a match that found the packet malformed: it goes no further
 * @conn, @state, @reply: its connection, what it is to it, and whether it goes in its reply direction
 */
struct filter_pkt {
	struct filter *filter;
	struct stack *stack;
	struct pkt *pkt;
	struct nic *in, *out;
	enum hook_point at;
	enum net_index net;
	uint8_t proto;
	bool later_fragment, drop, reply;
	uint8_t state;
	uint16_t l4_off;
	uint32_t l4_len, bytes;
	struct conn *conn;
};

/** packet_open() - fill in but for filter and connection; false: no memory, or nonsense */
bool packet_open(struct filter_pkt *k, struct stack *s, struct pkt *pkt, enum hook_point at,
		 struct nic *in, struct nic *out);

/** packet_need() - have @n bytes from the transport header on in the head; false if there are fewer */
bool packet_need(struct filter_pkt *k, size_t n);

/** packet_l4() - the transport header, valid until the packet is written to or pulled up */
static inline uint8_t *packet_l4(const struct filter_pkt *k)
{
	return pkt_net_hdr(k->pkt) + k->l4_off;
}

/** packet_l4_total() - bytes from the transport header on, in the head or not */
static inline size_t packet_l4_total(const struct filter_pkt *k)
{
	return k->bytes - k->l4_off;
}

#endif
