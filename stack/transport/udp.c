/* UDP (RFC 768). */
#include "transport/udp.h"

#include <stdlib.h>

#include "base/byteorder.h"
#include "base/cksum.h"
#include "header/ipv4.h"
#include "header/udp.h"
#include "transport/dgram.h"

enum { UDP_MAX_PAYLOAD = 65507 };	/* of IPv4; IPv6 without jumbograms has 20 more */

static uint8_t udp_number(enum net_index net)
{
	(void)net;
	return IP_PROTO_UDP;
}

static enum ns_err udp_build(struct dgram *d, const struct route *r, struct pkt *pkt, uint16_t dport)
{
	struct udp_hdr h = { d->local.port, dport, (uint16_t)(pkt->len + UDP_HDR_LEN), 0 };
	uint8_t *p = pkt_push(pkt, UDP_HDR_LEN);

	if (!p)
		return NS_ERR_NO_MEMORY;
	if (!d->no_checksum || r->remote.len == ADDR_LEN_V6) {	/* RFC 8200, 8.1: not optional */
		h.cksum = cksum_pseudo(&r->local, &r->remote, IP_PROTO_UDP, pkt->len);
		pkt->csum = PKT_CSUM_PARTIAL;
		pkt->csum_start = (uint16_t)pkt->off;
		pkt->csum_off = UDP_CKSUM_OFF;
	}
	udp_emit(&h, p);
	return NS_OK;
}

static void udp_sent(struct dgram *d, enum ns_err err)
{
	struct udp_stats *st = &d->ep.stack->stats.udp;

	if (!err)
		stat_inc(&st->packets_sent);
	else if (!ns_err_ignore_stats(err))
		stat_inc(&st->packet_send_errors);
}

static const struct dgram_ops udp_dgram_ops = {
	.proto = udp_number,
	.max_len = UDP_MAX_PAYLOAD,
	.hdr_len = UDP_HDR_LEN,
	.needs_port = true,
	.build = udp_build,
	.sent = udp_sent,
};

static void udp_ep_rx(struct endpoint *ep, struct pkt *pkt)
{
	pkt_pull(pkt, UDP_HDR_LEN);
	if (!dgram_rx(dgram_of(ep), pkt))
		stat_inc(&ep->stack->stats.udp.receive_buffer_errors);
}

static const struct endpoint_ops udp_endpoint_ops = {
	.name = "udp",
	.close = dgram_destroy,
	.destroy = dgram_destroy,
	.read = dgram_read,
	.write = dgram_write,
	.check = dgram_check,
	.bind = dgram_bind,
	.connect = dgram_connect,
	.disconnect = dgram_disconnect,
	.shutdown = dgram_shutdown,
	.local_addr = dgram_local_addr,
	.remote_addr = dgram_remote_addr,
	.readiness = dgram_readiness,
	.state = dgram_state_of,
	.info = dgram_info,
	.set_option = dgram_set_option,
	.get_option = dgram_get_option,
	.option_changed = dgram_option_changed,
	.rx = udp_ep_rx,
	.rx_error = dgram_rx_error,
};

static enum ns_err udp_endpoint_new(struct stack *s, enum net_index net, struct endpoint **out)
{
	struct dgram *d = calloc(1, sizeof(*d));

	if (!d)
		return NS_ERR_NO_MEMORY;
	endpoint_init(&d->ep, &udp_endpoint_ops, s, &udp_proto, net);
	dgram_init(d, &udp_dgram_ops);
	*out = &d->ep;
	return NS_OK;
}

static bool udp_cksum_ok(const struct pkt *pkt, const struct udp_hdr *h)
{
	if (pkt->csum != PKT_CSUM_NONE)
		return true;
	if (h->cksum == 0)
		return pkt->src.len == ADDR_LEN_V4;
	return pkt_cksum(pkt, 0, cksum_pseudo(&pkt->src, &pkt->dst, IP_PROTO_UDP, h->len)) == 0xffff;
}

static void give_clone(void *ctx, struct endpoint *ep)
{
	const struct pkt *pkt = ctx;
	struct pkt *clone;

	if (!dgram_wants_source(dgram_of(ep), nic_find(ep->stack, pkt->nic_id), &pkt->dst, &pkt->src))
		return;
	clone = pkt_clone(pkt);
	if (clone)
		ep->ops->rx(ep, clone);
}

/* A datagram that is no good, in the books of the endpoint it seems to be for. */
static void count_bad(struct nic *nic, struct pkt *pkt, bool cksum)
{
	struct demux_key key = { .local = pkt->dst, .remote = pkt->src, .nic = nic->id,
				 .net = (uint8_t)net_index_of(&pkt->dst), .proto = IP_PROTO_UDP };
	struct endpoint *ep;

	if (!pkt_pullup(pkt, 4) || addr_is_multicast(&pkt->dst))
		return;
	key.rport = be16_load(pkt_data(pkt));
	key.lport = be16_load(pkt_data(pkt) + 2);
	ep = demux_find(nic->stack, &key);
	if (ep)
		stat_inc(cksum ? &ep->stats.receive_errors.checksum_errors
			       : &ep->stats.receive_errors.malformed_packets_received);
}

static enum trans_rx udp_rx(struct nic *nic, struct pkt *pkt)
{
	struct stack *s = nic->stack;
	struct udp_stats *st = &s->stats.udp;
	struct demux_key key;
	struct endpoint *ep;
	struct udp_hdr h;

	stat_inc(&st->packets_received);
	if (!pkt_pullup(pkt, UDP_HDR_LEN) ||
	    !udp_parse(&h, pkt_data(pkt), pkt->head_len, pkt->len)) {
		stats_malformed(&s->stats, &st->malformed_packets_received);
		count_bad(nic, pkt, false);
		pkt_free(pkt);
		return TRANS_RX_TAKEN;
	}
	pkt_trim(pkt, h.len);
	if (!udp_cksum_ok(pkt, &h)) {
		stat_inc(&st->checksum_errors);
		count_bad(nic, pkt, true);
		pkt_free(pkt);
		return TRANS_RX_TAKEN;
	}
	pkt->sport = h.sport;
	pkt->dport = h.dport;
	key = (struct demux_key){ pkt->dst, pkt->src, h.dport, h.sport, nic->id,
				  (uint8_t)net_index_of(&pkt->dst), IP_PROTO_UDP };
	if (addr_is_multicast(&pkt->dst) || nic_is_broadcast(nic, &pkt->dst)) {
		if (!demux_find_all(s, &key, give_clone, pkt))
			stat_inc(&st->unknown_port_errors);
		pkt_free(pkt);
		return TRANS_RX_TAKEN;
	}
	ep = demux_find(s, &key);
	if (!ep) {
		stat_inc(&st->unknown_port_errors);
		return TRANS_RX_NO_PORT;
	}
	ep->ops->rx(ep, pkt);
	return TRANS_RX_TAKEN;
}

static void udp_rx_error(struct stack *s, struct net_error *e)
{
	struct demux_key key = {
		e->local, e->remote, be16_load(e->hdr), be16_load(e->hdr + 2), e->nic->id,
		(uint8_t)net_index_of(&e->local), IP_PROTO_UDP,
	};
	struct endpoint *ep;

	e->lport = key.lport;
	e->rport = key.rport;
	ep = demux_find(s, &key);
	if (ep)
		ep->ops->rx_error(ep, e);
}

const struct trans_proto_ops udp_proto = {
	.name = "udp",
	.number = IP_PROTO_UDP,
	.endpoint_new = udp_endpoint_new,
	.rx = udp_rx,
	.rx_error = udp_rx_error,
};
