/*
 * Ping endpoints.
 *
 * The user writes an echo request, ICMP header first, and reads replies likewise. The identifier
 * is the endpoint's port, whatever the user wrote there; the checksum is computed here.
 */
#include "transport/ping.h"

#include <stdlib.h>

#include "base/byteorder.h"
#include "base/cksum.h"
#include "header/icmp.h"
#include "header/ipv4.h"
#include "transport/dgram.h"

enum { PING_MAX = 65515, ICMP_ID_OFF = 4 };

static uint8_t ping_number(enum net_index net)
{
	return net == NET_IPV4 ? IP_PROTO_ICMP : IP_PROTO_ICMPV6;
}

static uint8_t request_type(const struct addr *a)
{
	return a->len == ADDR_LEN_V4 ? ICMPV4_ECHO : ICMPV6_ECHO_REQUEST;
}

static enum ns_err ping_build(struct dgram *d, const struct route *r, struct pkt *pkt, uint16_t dport)
{
	uint16_t sum = 0;
	uint8_t *p;

	(void)dport;
	if (!pkt_pullup(pkt, ICMP_HDR_LEN) || pkt_data(pkt)[0] != request_type(&r->remote) ||
	    pkt_data(pkt)[1] != 0)
		return NS_ERR_INVALID_OPTION_VALUE;
	if (!pkt_writable(pkt))
		return NS_ERR_NO_MEMORY;
	p = pkt_data(pkt);
	be16_store(p + ICMP_ID_OFF, d->local.port);
	p[2] = p[3] = 0;
	if (r->remote.len == ADDR_LEN_V6)
		sum = cksum_pseudo(&r->local, &r->remote, IP_PROTO_ICMPV6, pkt->len);
	sum = (uint16_t)~pkt_cksum(pkt, 0, sum);
	memcpy(p + ICMP_CKSUM_OFF, &sum, 2);
	return NS_OK;
}

static void ping_sent(struct dgram *d, enum ns_err err)
{
	struct icmp_stats *st = &d->ep.stack->stats.icmp;
	bool v4 = d->route.remote.len == ADDR_LEN_V4;

	if (!err)
		stat_inc(v4 ? &st->v4_sent.echo : &st->v6_sent.echo_request);
	else if (!ns_err_ignore_stats(err))
		stat_inc(v4 ? &st->v4_dropped : &st->v6_dropped);
}

static const struct dgram_ops ping_dgram_ops = {
	.proto = ping_number,
	.max_len = PING_MAX,
	.build = ping_build,
	.sent = ping_sent,
};

static void ping_ep_rx(struct endpoint *ep, struct pkt *pkt)
{
	dgram_rx(dgram_of(ep), pkt);
}

static const struct endpoint_ops ping_endpoint_ops = {
	.name = "ping",
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
	.rx = ping_ep_rx,
	.rx_error = dgram_rx_error,
};

static enum ns_err ping_endpoint_new(struct stack *s, enum net_index net, struct endpoint **out)
{
	struct dgram *d = calloc(1, sizeof(*d));

	if (!d)
		return NS_ERR_NO_MEMORY;
	endpoint_init(&d->ep, &ping_endpoint_ops, s, &ping_proto, net);
	d->ep.opts.v6_only = true;	/* the two protocols are not one another's mapped form */
	dgram_init(d, &ping_dgram_ops);
	*out = &d->ep;
	return NS_OK;
}

static struct endpoint *find(struct stack *s, const struct addr *local, const struct addr *remote,
			     uint16_t id, uint32_t nic)
{
	enum net_index net = net_index_of(local);
	struct demux_key key = { *local, *remote, id, 0, nic, (uint8_t)net, ping_number(net) };

	return demux_find(s, &key);
}

/* Gets echo replies only, checked and counted by the network layer's ICMP. */
static enum trans_rx ping_rx(struct nic *nic, struct pkt *pkt)
{
	uint16_t id = be16_load(pkt_data(pkt) + ICMP_ID_OFF);
	struct endpoint *ep = find(nic->stack, &pkt->dst, &pkt->src, id, nic->id);

	if (!ep) {
		pkt_free(pkt);
		return TRANS_RX_TAKEN;
	}
	pkt->sport = 0;
	pkt->dport = id;
	ep->ops->rx(ep, pkt);
	return TRANS_RX_TAKEN;
}

static void ping_rx_error(struct stack *s, struct net_error *e)
{
	struct endpoint *ep;

	e->lport = be16_load(e->hdr + ICMP_ID_OFF);
	ep = find(s, &e->local, &e->remote, e->lport, e->nic->id);
	if (ep)
		ep->ops->rx_error(ep, e);
}

const struct trans_proto_ops ping_proto = {
	.name = "ping",
	.number = IP_PROTO_ICMP,
	.number6 = IP_PROTO_ICMPV6,
	.endpoint_new = ping_endpoint_new,
	.rx = ping_rx,
	.rx_error = ping_rx_error,
};
