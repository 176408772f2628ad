/* Datagram endpoints: bind, connect, disconnect, and what they enter in the demultiplexer. */
#include "transport/dgram.h"

enum ns_err dgram_target(const struct dgram *d, const struct full_addr *a, struct full_addr *out)
{
	*out = *a;
	if (a->addr.len == 0)
		return NS_OK;
	if (d->ep.net == NET_IPV4)
		return a->addr.len == ADDR_LEN_V4 ? NS_OK : NS_ERR_ADDRESS_FAMILY_NOT_SUPPORTED;
	if (a->addr.len != ADDR_LEN_V6)
		return NS_ERR_ADDRESS_FAMILY_NOT_SUPPORTED;
	out->addr = addr_unmap(&a->addr);
	if (out->addr.len == ADDR_LEN_V4 && d->ep.opts.v6_only)
		return NS_ERR_NETWORK_UNREACHABLE;
	return NS_OK;
}

/* The families an endpoint with this local address receives in. */
static uint8_t claim_nets(const struct dgram *d, const struct addr *local)
{
	if (d->ep.net == NET_IPV4 || local->len == ADDR_LEN_V4)
		return 1 << NET_IPV4;
	if (addr_is_any(local) && !d->ep.opts.v6_only && stack_has_net(d->ep.stack, NET_IPV4))
		return 1 << NET_IPV4 | 1 << NET_IPV6;
	return 1 << NET_IPV6;
}

static void unregister(struct dgram *d)
{
	for (int i = 0; i < NET_FAMILIES; i++)
		demux_remove(d->ep.stack, &d->nodes[i]);
}

static enum ns_err register_nodes(struct dgram *d)
{
	bool connected = d->state == DGRAM_CONNECTED;
	uint8_t nets = connected ? 1 << net_index_of(&d->remote.addr) : d->claim.nets;
	enum ns_err err = NS_OK;

	if (d->ops->portless)
		return NS_OK;
	unregister(d);
	for (int i = 0; i < NET_FAMILIES && !err; i++) {
		struct demux_node *n = &d->nodes[i];

		if (!(nets & 1 << i))
			continue;
		*n = (struct demux_node){
			.ep = &d->ep, .lport = d->local.port, .net = (uint8_t)i,
			.proto = d->ops->proto((enum net_index)i), .nic = d->claim.nic,
			.balance = d->ep.opts.reuse_port,
		};
		if (!addr_is_any(&d->local.addr))
			n->local = d->local.addr;
		if (connected) {
			n->remote = d->remote.addr;
			n->rport = d->ops->needs_port ? d->remote.port : 0;
		}
		err = demux_add(d->ep.stack, n);
	}
	if (err)
		unregister(d);
	return err;
}

static enum ns_err claim_port(struct dgram *d, const struct full_addr *local,
			      const struct full_addr *remote)
{
	d->claim = (struct port_claim){
		.proto = d->ops->proto(d->ep.net), .nets = claim_nets(d, &local->addr),
		.port = local->port,
		.nic = d->ep.opts.bind_nic ? d->ep.opts.bind_nic : local->nic,
		.reuse_address = d->ep.opts.reuse_address, .reuse_port = d->ep.opts.reuse_port,
	};
	if (!addr_is_any(&local->addr))
		d->claim.addr = local->addr;
	if (remote) {
		d->claim.remote = remote->addr;
		d->claim.rport = remote->port;
	}
	return d->ops->portless ? NS_OK : ports_claim(d->ep.stack, &d->claim);
}

enum ns_err dgram_autobind(struct dgram *d, const struct full_addr *remote)
{
	struct full_addr any = { .addr = d->local.addr };
	enum ns_err err;

	if (d->state != DGRAM_INITIAL)
		return NS_OK;
	/* The source port is shared with nobody, whoever the peer: the socket also receives. */
	(void)remote;
	err = claim_port(d, &any, NULL);
	if (err)
		return err;
	d->local.port = d->claim.port;
	d->state = DGRAM_BOUND;
	err = register_nodes(d);
	if (err) {
		ports_release(d->ep.stack, &d->claim);
		d->state = DGRAM_INITIAL;
	}
	return err;
}

/* Whether an endpoint may have this local address (RFC 1122, 4.1.3.5). */
static bool bindable(const struct dgram *d, const struct full_addr *a)
{
	const struct stack *s = d->ep.stack;

	if (d->ep.opts.free_bind || addr_is_any(&a->addr) || addr_is_multicast(&a->addr) ||
	    stack_find_addr(s, &a->addr, a->nic))
		return true;
	list_for_each(n, &s->nics) {
		const struct nic *nic = container_of(n, struct nic, list);

		if ((!a->nic || nic->id == a->nic) &&
		    (nic_is_broadcast(nic, &a->addr) ||
		     (nic_is_loopback(nic) && a->addr.len == ADDR_LEN_V4 &&
		      addr_is_loopback(&a->addr))))
			return true;
	}
	return false;
}

enum ns_err dgram_bind(struct endpoint *ep, const struct full_addr *a)
{
	struct dgram *d = dgram_of(ep);
	struct full_addr local;
	enum ns_err err;

	if (d->state != DGRAM_INITIAL)
		return NS_ERR_ALREADY_BOUND;
	err = dgram_target(d, a, &local);
	if (err)
		return err;
	if (local.nic && !nic_find(ep->stack, local.nic))
		return NS_ERR_UNKNOWN_NIC_ID;
	if (!bindable(d, &local))
		return NS_ERR_BAD_LOCAL_ADDRESS;
	err = claim_port(d, &local, NULL);
	if (err)
		return err;
	d->local = local;
	d->local.port = d->claim.port;
	d->state = DGRAM_BOUND;
	d->explicit_port = a->port != 0 || d->ops->portless;
	err = register_nodes(d);
	if (err) {
		ports_release(ep->stack, &d->claim);
		d->local = (struct full_addr){ 0 };
		d->state = DGRAM_INITIAL;
	}
	return err;
}

/* ip(7): a connect to "any" means this host. */
static void any_means_loopback(struct addr *a)
{
	if (addr_is_any(a) && a->len == ADDR_LEN_V4)
		*a = addr_v4(127, 0, 0, 1);
	else if (addr_is_any(a))
		a->b[15] = 1;
}

enum ns_err dgram_connect(struct endpoint *ep, const struct full_addr *a)
{
	struct dgram *d = dgram_of(ep);
	struct full_addr remote, old_remote = d->remote, old_local = d->local;
	enum dgram_state old_state;
	struct route_key key;
	struct route r;
	enum ns_err err;

	if (d->state == DGRAM_CLOSED)
		return NS_ERR_INVALID_ENDPOINT_STATE;
	err = dgram_target(d, a, &remote);
	if (err)
		return err;
	any_means_loopback(&remote.addr);
	key = (struct route_key){ .remote = remote.addr, .nic = remote.nic };
	if (d->ep.opts.bind_nic)
		key.nic = d->ep.opts.bind_nic;
	/* The address bind() chose, not the one an earlier connect() did. */
	if (!addr_is_multicast(&d->claim.addr))
		key.local = d->claim.addr;
	if (addr_is_multicast(&remote.addr) && !key.nic)
		key.nic = d->ep.opts.mcast_nic;
	err = route_find(ep->stack, &key, &r);
	if (err)
		return err;
	if (r.kind == ROUTE_BROADCAST && !ep->opts.broadcast) {
		route_release(&r);
		return NS_ERR_BROADCAST_DISABLED;
	}
	err = dgram_autobind(d, &remote);
	if (err) {
		route_release(&r);
		return err;
	}
	old_state = d->state;
	d->remote = remote;
	d->state = DGRAM_CONNECTED;
	if (addr_is_any(&d->local.addr) || old_state == DGRAM_CONNECTED)
		d->local.addr = r.local;
	err = register_nodes(d);
	if (err) {
		route_release(&r);
		d->remote = old_remote;
		d->local.addr = old_local.addr;
		d->state = old_state;
		register_nodes(d);
		return err;
	}
	route_release(&d->route);
	d->route = r;
	d->route_key = key;
	return NS_OK;
}

enum ns_err dgram_disconnect(struct endpoint *ep)
{
	struct dgram *d = dgram_of(ep);

	if (d->state != DGRAM_CONNECTED)
		return NS_OK;
	unregister(d);
	route_release(&d->route);
	d->remote = (struct full_addr){ 0 };
	d->local.addr = d->claim.addr;
	d->rx_shut = d->tx_shut = false;
	if (d->explicit_port) {
		d->state = DGRAM_BOUND;
		return register_nodes(d);
	}
	/* connect() chose the port; it goes with the connection, as in Linux's udp_disconnect(). */
	ports_release(ep->stack, &d->claim);
	d->claim = (struct port_claim){ 0 };
	d->local = (struct full_addr){ 0 };
	d->state = DGRAM_INITIAL;
	return NS_OK;
}

void dgram_option_changed(struct endpoint *ep, enum sockopt opt)
{
	struct dgram *d = dgram_of(ep);

	/* SO_BINDTODEVICE on a bound socket takes effect at once (socket(7)). */
	if (opt == SOCKOPT_BIND_TO_DEVICE && (d->state == DGRAM_BOUND || d->state == DGRAM_CONNECTED)) {
		d->claim.nic = ep->opts.bind_nic;
		register_nodes(d);
	}
	if (opt == SOCKOPT_BIND_TO_DEVICE)
		route_release(&d->route);
}
