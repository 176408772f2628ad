/* Ethernet framing. */
#include "link/ether.h"

#include <stdlib.h>

#include "header/eth.h"

struct ether {
	struct link link;
	struct link_sink sink;
};

static enum ns_err ether_write(struct link *l, struct pkt *pkt)
{
	struct eth_hdr h = { pkt->link_dst, l->addr, pkt->net_proto };
	uint8_t *p;

	if (pkt->framed)
		return link_write(l->lower, pkt);
	p = pkt_push(pkt, ETH_HDR_LEN);
	if (!p) {
		pkt_free(pkt);
		return NS_ERR_NO_MEMORY;
	}
	eth_emit(&h, p);
	pkt->link_off = (uint16_t)pkt->off;
	pkt->link_src = l->addr;
	return link_write(l->lower, pkt);
}

static uint8_t frame_type(const struct ether *e, const struct eth_hdr *h)
{
	if (link_addr_equal(&h->dst, &e->link.addr))
		return PKT_HOST;
	if (link_addr_equal(&h->dst, &link_addr_broadcast))
		return PKT_BROADCAST;
	return h->dst.b[0] & 1 ? PKT_MULTICAST : PKT_OTHER_HOST;
}

static void ether_rx(struct link_sink *sink, struct pkt *pkt)
{
	struct ether *e = container_of(sink, struct ether, sink);
	struct eth_hdr h;

	/* 802.3 frames (spanning tree and the like) are nobody's here. */
	if (!pkt_pullup(pkt, ETH_HDR_LEN) || !eth_parse(&h, pkt_data(pkt), pkt->head_len)) {
		pkt_free(pkt);
		return;
	}
	pkt->link_off = (uint16_t)pkt->off;
	pkt->link_src = h.src;
	pkt->link_dst = h.dst;
	pkt->net_proto = h.type;
	pkt->type = frame_type(e, &h);
	pkt_pull(pkt, ETH_HDR_LEN);
	link_deliver(&e->link, pkt);
}

static bool ether_write_ready(struct link *l)
{
	return !l->lower->ops->write_ready || l->lower->ops->write_ready(l->lower);
}

static void ether_close(struct link *l)
{
	link_close(l->lower);
	free(container_of(l, struct ether, link));
}

static const struct link_ops ether_ops = {
	.name = "ether",
	.write = ether_write,
	.write_ready = ether_write_ready,
	.close = ether_close,
};

struct link *ether_new(struct link *lower, const struct link_addr *addr)
{
	struct ether *e = link_addr_is_unicast(addr) ? calloc(1, sizeof(*e)) : NULL;

	if (!e) {
		link_close(lower);
		return NULL;
	}
	e->sink.rx = ether_rx;
	link_wrap(&e->link, &ether_ops, lower, &e->sink);
	e->link.addr = *addr;
	e->link.hdr_len = (uint16_t)(lower->hdr_len + ETH_HDR_LEN);
	e->link.caps = (lower->caps | LINK_CAP_RESOLUTION) & ~(uint32_t)LINK_CAP_ETHERNET;
	return &e->link;
}
