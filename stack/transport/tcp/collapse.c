/*
 * What waits to be read, packed tightly when memory runs short (Linux: tcp_collapse_queue()).
 *
 * The window promised is counted in bytes; packets that are short for the memory they came in can use that up long
 * before. Then what they hold moves together, rather than what was promised be refused.
 */
#include "transport/tcp/impl.h"

enum { PACKED_BYTES = 16384 };

/* True: behind @tail, which has room. */
static bool append(struct pkt *tail, const struct pkt *pkt)
{
	uint8_t *room = tail ? pkt_put(tail, pkt->len) : NULL;

	if (!room)
		return false;
	pkt_copy_out(pkt, 0, room, pkt->len);
	tail->rx_wall_ns = pkt->rx_wall_ns;
	return true;
}

static void keep(struct tcp_conn *c, struct pkt *pkt)
{
	pkt->frag_off = (uint32_t)ooo_cost(pkt);
	c->rcv_truesize += pkt->frag_off;
	list_init(&pkt->node);
	list_push_back(&c->rcvq, &pkt->node);
}

void tcp_collapse(struct tcp_conn *c)
{
	struct pkt *tail = NULL;
	struct list old;

	list_init(&old);
	while (!list_empty(&c->rcvq))
		list_push_back(&old, list_pop_front(&c->rcvq));
	c->rcv_truesize = 0;
	while (!list_empty(&old)) {
		struct pkt *pkt = container_of(list_pop_front(&old), struct pkt, node);

		if (append(tail, pkt)) {
			pkt_free(pkt);
			continue;
		}
		tail = NULL;
		if (ooo_cost(pkt) > 2 * (size_t)pkt->len && pkt->len <= PACKED_BYTES)
			tail = pkt_alloc(c->ep.stack->pool, 0, PACKED_BYTES);
		if (append(tail, pkt)) {
			pkt_free(pkt);
			pkt = tail;
		}
		keep(c, pkt);
	}
}
