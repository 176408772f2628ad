/* Datagram endpoints: writing. */
#include "transport/dgram.h"

/* The route for this datagram: the last one, if it leads to the same place and still holds. */
static enum ns_err find_route(struct dgram *d, const struct route_key *key)
{
	const struct route_key *have = &d->route_key;

	if (route_valid(&d->route) && have->nic == key->nic &&
	    addr_equal(&have->remote, &key->remote) && addr_equal(&have->local, &key->local))
		return NS_OK;
	route_release(&d->route);
	d->route_key = *key;
	return route_find(d->ep.stack, key, &d->route);
}

static void make_key(const struct dgram *d, const struct full_addr *to, const struct addr *src,
		     struct route_key *key)
{
	const struct sock_opts *o = &d->ep.opts;

	key->nic = o->bind_nic ? o->bind_nic : to->nic;
	key->forwarded = false;
	key->remote = to->addr;
	if (src)
		key->local = addr_unmap(src);
	else if (!addr_is_multicast(&d->local.addr) && !addr_is_v4_broadcast(&d->local.addr))
		key->local = d->local.addr;
	else
		key->local.len = 0;
	if (!key->local.len || addr_is_any(&key->local))
		key->local = (struct addr){ 0 };
	if (addr_is_multicast(&to->addr)) {
		if (!key->nic)
			key->nic = o->mcast_nic;
		if (!key->local.len && o->mcast_addr.len == to->addr.len)
			key->local = o->mcast_addr;
	}
}

static void fill_tx(struct dgram *d, struct net_tx *tx)
{
	const struct sock_opts *o = &d->ep.opts;
	enum net_index net = net_index_of(&d->route.remote);

	*tx = (struct net_tx){
		.proto = d->ops->proto(net), .pmtud = o->pmtu_discover,
		.ttl = d->route.kind == ROUTE_MULTICAST ? o->multicast_ttl : net == NET_IPV4 ? o->ttl : o->hops,
		.tos = net == NET_IPV4 ? o->tos : o->traffic_class,
		.loop_back = o->multicast_loop,
	};
	if (net == NET_IPV4) {
		tx->opts = o->ip_opts;
		tx->nopts = o->nip_opts;
	}
	if (d->ops->fill_tx)
		d->ops->fill_tx(d, tx);
}

static enum ns_err check_target(struct dgram *d, const struct write_opts *o, struct full_addr *to)
{
	enum ns_err err;

	if (!o->to) {
		if (d->state != DGRAM_CONNECTED)
			return NS_ERR_DESTINATION_REQUIRED;
		*to = d->remote;
		return NS_OK;
	}
	err = dgram_target(d, o->to, to);
	if (err)
		return err;
	if (to->addr.len == 0)
		return NS_ERR_DESTINATION_REQUIRED;
	if (d->ops->needs_port && to->port == 0)
		return NS_ERR_INVALID_OPTION_VALUE;
	if (addr_is_any(&to->addr)) {
		if (to->addr.len == ADDR_LEN_V4)
			to->addr = addr_v4(127, 0, 0, 1);
		else
			to->addr.b[15] = 1;
	}
	return NS_OK;
}

/* Sends @pkt, which it takes, to @to. */
static enum ns_err dgram_send(struct dgram *d, struct pkt *pkt, const struct full_addr *to,
			      const struct addr *src)
{
	struct route_key key;
	struct net_tx tx;
	enum ns_err err;

	make_key(d, to, src, &key);
	err = find_route(d, &key);
	if (err) {
		stat_inc(&d->ep.stats.send_errors.no_route);
	} else if (d->route.kind == ROUTE_BROADCAST && !d->ep.opts.broadcast) {
		err = NS_ERR_BROADCAST_DISABLED;
	} else {
		fill_tx(d, &tx);
		err = d->ops->build(d, &d->route, pkt, to->port);
	}
	if (err) {
		pkt_free(pkt);
		d->ops->sent(d, err);
		return err;
	}
	err = d->route.net->tx(&d->route, pkt, &tx);
	d->ops->sent(d, err);
	if (err) {
		stat_inc(&d->ep.stats.send_errors.send_to_network_failed);
		/* A full queue below loses the datagram, as any network may; only the rest is news. */
		return err == NS_ERR_NO_BUFFER_SPACE || err == NS_ERR_WOULD_BLOCK ? NS_OK : err;
	}
	stat_inc(&d->ep.stats.packets_sent);
	return NS_OK;
}

/* MSG_MORE: collects in one chunk of the largest size until a write without it comes. */
static enum ns_err cork_add(struct dgram *d, struct payload *p, const struct full_addr *to, const struct write_opts *o,
			    size_t *n)
{
	uint8_t *room;
	size_t len = p->len;

	if (!d->cork) {
		d->cork = pkt_alloc(d->ep.stack->pool, PKT_HEADROOM, d->ops->max_len);
		if (!d->cork)
			return NS_ERR_NO_MEMORY;
		d->cork_to = *to;
		write_opts_stamp(o, d->cork);
	}
	room = d->cork->len + len <= d->ops->max_len ? pkt_put(d->cork, len) : NULL;
	if (!room)
		return NS_ERR_MESSAGE_TOO_LONG;
	payload_copy(p, room, len);
	*n = len;
	return NS_OK;
}

static enum ns_err write_check(struct dgram *d, struct payload *p)
{
	struct endpoint *ep = &d->ep;

	if (ep->err)
		return endpoint_take_error(ep);
	if (d->state == DGRAM_CLOSED) {
		stat_inc(&ep->stats.write_errors.invalid_endpoint_state);
		return NS_ERR_INVALID_ENDPOINT_STATE;
	}
	if (d->tx_shut) {
		stat_inc(&ep->stats.write_errors.write_closed);
		return NS_ERR_CLOSED_FOR_SEND;
	}
	if (p->len > d->ops->max_len || p->len > ep->opts.send_buffer_bytes) {
		stat_inc(&ep->stats.write_errors.invalid_args);
		return NS_ERR_MESSAGE_TOO_LONG;
	}
	return NS_OK;
}

enum ns_err dgram_write(struct endpoint *ep, struct payload *p, const struct write_opts *o,
			size_t *n)
{
	struct dgram *d = dgram_of(ep);
	struct full_addr to;
	struct pkt *pkt;
	size_t len = p->len;
	enum ns_err err = write_check(d, p);

	if (err)
		return err;
	err = d->cork ? NS_OK : check_target(d, o, &to);
	if (!err)
		err = dgram_autobind(d, NULL);
	if (err) {
		stat_inc(&ep->stats.write_errors.invalid_args);
		return err;
	}
	if (d->cork || o->more) {
		err = cork_add(d, p, &to, o, n);
		if (err || o->more)
			return err;
		pkt = d->cork;
		d->cork = NULL;
		to = d->cork_to;
	} else {
		pkt = payload_take(p, len, ep->stack->pool);
		if (!pkt)
			return NS_ERR_NO_MEMORY;
		write_opts_stamp(o, pkt);
	}
	err = dgram_send(d, pkt, &to, o->src);
	*n = err ? 0 : len;
	return err;
}

enum ns_err dgram_check(struct endpoint *ep, const struct write_opts *o, size_t len)
{
	struct dgram *d = dgram_of(ep);
	struct full_addr target;
	struct route_key key;
	enum ns_err err;

	if (len > d->ops->max_len || len > ep->opts.send_buffer_bytes)
		return NS_ERR_MESSAGE_TOO_LONG;
	err = check_target(d, o, &target);
	if (!err)
		err = dgram_autobind(d, NULL);
	if (err)
		return err;
	make_key(d, &target, NULL, &key);
	err = find_route(d, &key);
	if (err)
		return err;
	if (d->route.kind == ROUTE_BROADCAST && !ep->opts.broadcast)
		return NS_ERR_BROADCAST_DISABLED;
	if (ep->opts.pmtu_discover >= NET_PMTUD_DO &&
	    len + d->ops->hdr_len + (target.addr.len == ADDR_LEN_V4 ? 20 : 40) > route_mtu(&d->route))
		return NS_ERR_MESSAGE_TOO_LONG;
	return NS_OK;
}
