/*
 * ARP (RFC 826), feeding the neighbour cache.
 *
 * A request tells its sender's address: a probe, in the cache's words. A reply confirms: it counts
 * as solicited only if it came to us alone, as a broadcast one may be anybody's idea.
 */
#include "network/arp.h"

#include <stdlib.h>

#include "core/stack.h"
#include "header/arp.h"
#include "header/eth.h"

static enum ns_err arp_send(struct nic *nic, const struct arp_hdr *h, const struct link_addr *to)
{
	struct pkt *pkt = pkt_alloc(nic->stack->pool, PKT_HEADROOM, ARP_LEN);

	if (!pkt)
		return NS_ERR_NO_MEMORY;
	arp_emit(h, pkt_put(pkt, ARP_LEN));
	pkt->net_off = (uint16_t)pkt->off;
	pkt->net_proto = ETH_TYPE_ARP;
	pkt->link_dst = *to;
	return nic_write(nic, pkt);
}

static void arp_reply(struct nic *nic, const struct arp_hdr *req)
{
	struct arp_stats *st = &nic->stack->stats.arp;
	struct arp_hdr h = {
		.op = ARP_REPLY, .sender_link = nic->link->addr, .sender = req->target,
		.target_link = req->sender_link, .target = req->sender,
	};

	if (arp_send(nic, &h, &req->sender_link))
		stat_inc(&st->outgoing_replies_dropped);
	else
		stat_inc(&st->outgoing_replies_sent);
}

static void arp_request_rx(struct nic *nic, const struct arp_hdr *h)
{
	struct arp_stats *st = &nic->stack->stats.arp;

	stat_inc(&st->requests_received);
	if (!stack_find_addr(nic->stack, &h->target, nic->id)) {
		stat_inc(&st->requests_received_unknown_target);
		return;
	}
	/* A probe by RFC 5227, from 0.0.0.0, is answered but teaches nothing. */
	if (!addr_is_any(&h->sender))
		neigh_probe(&nic->neigh[NET_IPV4], &h->sender, &h->sender_link);
	arp_reply(nic, h);
}

static void arp_rx(struct nic *nic, struct pkt *pkt)
{
	struct arp_stats *st = &nic->stack->stats.arp;
	struct arp_hdr h;

	stat_inc(&st->packets_received);
	if (!pkt_pullup(pkt, ARP_LEN) || !arp_parse(&h, pkt_data(pkt), pkt->len) ||
	    !link_addr_is_unicast(&h.sender_link) || addr_is_multicast(&h.sender) ||
	    addr_is_v4_broadcast(&h.sender) || addr_is_loopback(&h.sender)) {
		stats_malformed(&nic->stack->stats, &st->malformed_packets_received);
	} else if (stack_find_addr(nic->stack, &h.sender, nic->id)) {
		/* Somebody uses our address, or it is our own echo: nothing to learn. */
		stat_inc(&st->conflicts_received);
	} else if (h.op == ARP_REQUEST) {
		arp_request_rx(nic, &h);
	} else if (h.op == ARP_REPLY) {
		struct neigh_confirm f = { .solicited = pkt->type == PKT_HOST, .override = true };

		stat_inc(&st->replies_received);
		neigh_confirm(&nic->neigh[NET_IPV4], &h.sender, &h.sender_link, &f);
	} else {
		stats_malformed(&nic->stack->stats, &st->malformed_packets_received);
	}
	pkt_free(pkt);
}

static void arp_solicit(struct nic *nic, const struct addr *target, const struct link_addr *to)
{
	struct arp_stats *st = &nic->stack->stats.arp;
	struct nic_addr *a = nic_primary_addr(nic, NET_IPV4, target);
	struct arp_hdr h = {
		.op = ARP_REQUEST, .sender_link = nic->link->addr,
		.sender = a ? a->addr : addr_v4_any, .target = *target,
	};

	if (arp_send(nic, &h, to ? to : &link_addr_broadcast))
		stat_inc(&st->outgoing_requests_dropped);
	else
		stat_inc(&st->outgoing_requests_sent);
}

const struct net_proto_ops arp_proto = {
	.name = "arp",
	.number = ETH_TYPE_ARP,
	.index = NET_ARP,
	.resolves = NET_IPV4,
	.rx = arp_rx,
	.solicit = arp_solicit,
};
