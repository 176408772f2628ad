/* Datagram endpoints: reading, and the state they share. */
#include "transport/dgram.h"

#include <stdlib.h>

void dgram_init(struct dgram *d, const struct dgram_ops *ops)
{
	d->ops = ops;
	pkt_queue_init(&d->rxq);
	list_init(&d->memberships);
}

void dgram_fini(struct dgram *d)
{
	struct stack *s = d->ep.stack;

	dgram_leave_groups(d);
	for (int i = 0; i < NET_FAMILIES; i++)
		demux_remove(s, &d->nodes[i]);
	ports_release(s, &d->claim);
	route_release(&d->route);
	pkt_queue_purge(&d->rxq);
	pkt_free(d->cork);
	d->cork = NULL;
	d->state = DGRAM_CLOSED;
}

void dgram_destroy(struct endpoint *ep)
{
	struct dgram *d = dgram_of(ep);

	dgram_fini(d);
	endpoint_fini(ep);
	free(d);
}

struct addr dgram_show(const struct dgram *d, const struct addr *a)
{
	return d->ep.net == NET_IPV6 ? addr_map(a) : *a;
}

bool dgram_rx(struct dgram *d, struct pkt *pkt)
{
	struct endpoint_stats *st = &d->ep.stats;

	if (d->rx_shut || d->state == DGRAM_CLOSED) {
		stat_inc(&st->receive_errors.closed_receiver);
		pkt_free(pkt);
		return false;
	}
	/*
	 * Counted by the memory that packets hold, not by their bytes: else a peer sends empty ones.
	 * Twice the size asked for, as socket(7) has it, since that figure means payload.
	 */
	if (d->rxq.truesize >= 2ull * d->ep.opts.receive_buffer_bytes) {
		stat_inc(&st->receive_errors.receive_buffer_overflow);
		stat_inc(&d->ep.stack->stats.dropped_packets);
		pkt_free(pkt);
		return false;
	}
	stat_inc(&st->packets_received);
	pkt_queue_push(&d->rxq, pkt);
	waiter_notify(&d->ep.wq, WAIT_IN);
	return true;
}

void dgram_rx_error(struct endpoint *ep, const struct net_error *e)
{
	struct dgram *d = dgram_of(ep);
	struct stack *s = ep->stack;

	if (ep->error_fn)
		ep->error_fn(ep, e);
	if (e->kind == NET_ERROR_LINK_FAILED) {
		stat_inc(&d->ep.stats.send_errors.no_link_addr);
		return;
	}
	/* The path's MTU concerns whoever sends there; errors only those that sent to this peer alone. */
	if (e->kind == NET_ERROR_TOO_BIG) {
		pmtu_update(&s->pmtu, &e->remote, e->mtu);
		if (d->ep.opts.pmtu_discover < NET_PMTUD_DO)
			return;
	}
	if (d->state != DGRAM_CONNECTED)
		return;
	if (e->kind != NET_ERROR_TOO_BIG && !e->hard)
		return;		/* RFC 1122, 4.1.3.3, as every kernel reads it: soft errors may pass */
	endpoint_set_error(&d->ep, e->err);
}

static void read_options(const struct pkt *pkt, struct read_msg *m)
{
	const uint8_t *p = pkt_net_hdr(pkt);

	if (pkt->src.len != ADDR_LEN_V4 || (p[0] & 0xf) == IPV4_HDR_LEN / 4)
		return;
	m->nip_opts = (uint8_t)((p[0] & 0xf) * 4 - IPV4_HDR_LEN);
	memcpy(m->ip_opts, p + IPV4_HDR_LEN, m->nip_opts);
}

enum ns_err dgram_read(struct endpoint *ep, struct read_msg *m)
{
	struct dgram *d = dgram_of(ep);
	struct pkt *pkt;

	if (ep->err)
		return endpoint_take_error(ep);
	pkt = pkt_queue_first(&d->rxq);
	if (!pkt) {
		if (d->rx_shut) {
			stat_inc(&ep->stats.read_errors.read_closed);
			return NS_ERR_CLOSED_FOR_RECEIVE;
		}
		return NS_ERR_WOULD_BLOCK;
	}
	m->n = pkt_copy_iov(pkt, 0, m->iov, m->iovcnt);
	m->msg_len = pkt->len;
	m->from = (struct full_addr){ .addr = dgram_show(d, &pkt->src), .port = pkt->sport };
	m->to = (struct full_addr){ pkt->nic_id, dgram_show(d, &pkt->dst), pkt->dport };
	if (addr_is_link_local(&pkt->src))
		m->from.nic = pkt->nic_id;
	m->tos = pkt->tos;
	m->ttl = pkt->hop_limit;
	m->nip_opts = 0;
	read_options(pkt, m);
	m->has_timestamp = true;
	m->timestamp_ns = pkt->rx_wall_ns;
	if (!m->peek)
		pkt_free(pkt_queue_pop(&d->rxq));
	m->has_inq = true;
	m->inq = d->rxq.bytes > INT32_MAX ? INT32_MAX : (int32_t)d->rxq.bytes;
	return NS_OK;
}

enum ns_err dgram_shutdown(struct endpoint *ep, int how)
{
	struct dgram *d = dgram_of(ep);

	if (d->state != DGRAM_CONNECTED)
		return NS_ERR_NOT_CONNECTED;
	if (how & SHUTDOWN_READ) {
		d->rx_shut = true;
		waiter_notify(&ep->wq, WAIT_IN);
	}
	if (how & SHUTDOWN_WRITE)
		d->tx_shut = true;
	return NS_OK;
}

enum ns_err dgram_local_addr(struct endpoint *ep, struct full_addr *out)
{
	struct dgram *d = dgram_of(ep);

	*out = d->local;
	out->addr = d->local.addr.len ? dgram_show(d, &d->local.addr)
		    : ep->net == NET_IPV4 ? addr_v4_any : addr_v6_any;
	return NS_OK;
}

enum ns_err dgram_remote_addr(struct endpoint *ep, struct full_addr *out)
{
	struct dgram *d = dgram_of(ep);

	if (d->state != DGRAM_CONNECTED)
		return NS_ERR_NOT_CONNECTED;
	*out = d->remote;
	out->addr = dgram_show(d, &d->remote.addr);
	return NS_OK;
}

uint32_t dgram_readiness(struct endpoint *ep)
{
	struct dgram *d = dgram_of(ep);
	uint32_t r = WAIT_OUT;

	if (d->rxq.count || d->rx_shut || ep->err)
		r |= WAIT_IN;
	if (d->rx_shut && d->tx_shut)
		r |= WAIT_HUP;
	return r;
}

uint32_t dgram_state_of(struct endpoint *ep)
{
	return dgram_of(ep)->state;
}

void dgram_info(struct endpoint *ep, struct endpoint_info *out)
{
	out->rx_queue_bytes = dgram_of(ep)->rxq.bytes;
}
