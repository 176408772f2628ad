/* Endpoint operations: bind, connect, addresses. */
#include "transport/tcp/impl.h"
#include "transport/tcp/isn.h"

struct addr tcp_show_addr(const struct tcp_conn *c, const struct addr *a)
{
	return c->ep.net == NET_IPV6 ? addr_map(a) : *a;
}

/* @a as the endpoint may use it: v4-mapped become IPv4. */
static enum ns_err target(const struct tcp_conn *c, const struct full_addr *a, struct full_addr *out)
{
	*out = *a;
	if (a->addr.len == 0)
		return NS_OK;
	if (c->ep.net == NET_IPV4)
		return a->addr.len == ADDR_LEN_V4 ? NS_OK : NS_ERR_ADDRESS_FAMILY_NOT_SUPPORTED;
	if (a->addr.len != ADDR_LEN_V6)
		return NS_ERR_ADDRESS_FAMILY_NOT_SUPPORTED;
	out->addr = addr_unmap(&a->addr);
	return out->addr.len == ADDR_LEN_V4 && c->ep.opts.v6_only ? NS_ERR_NETWORK_UNREACHABLE : NS_OK;
}

static uint8_t claim_nets(const struct tcp_conn *c, const struct addr *local)
{
	if (c->ep.net == NET_IPV4 || local->len == ADDR_LEN_V4)
		return 1 << NET_IPV4;
	if (addr_is_any(local) && !c->ep.opts.v6_only && stack_has_net(c->ep.stack, NET_IPV4))
		return 1 << NET_IPV4 | 1 << NET_IPV6;
	return 1 << NET_IPV6;
}

static enum ns_err claim(struct tcp_conn *c, const struct full_addr *local, const struct full_addr *remote)
{
	enum ns_err err;

	c->claim = (struct port_claim){
		.proto = 6, .nets = claim_nets(c, &local->addr), .port = local->port,
		.nic = c->ep.opts.bind_nic ? c->ep.opts.bind_nic : local->nic,
		.reuse_address = c->ep.opts.reuse_address, .reuse_port = c->ep.opts.reuse_port,
	};
	if (!addr_is_any(&local->addr))
		c->claim.addr = local->addr;
	if (remote) {
		c->claim.remote = remote->addr;
		c->claim.rport = remote->port;
	}
	err = ports_claim(c->ep.stack, &c->claim);
	if (err)
		return err;
	c->local = *local;
	c->local.port = c->claim.port;
	c->bound = true;
	return NS_OK;
}

enum ns_err tcp_autobind(struct tcp_conn *c)
{
	struct full_addr any = { .addr = c->local.addr };

	return c->bound ? NS_OK : claim(c, &any, NULL);
}

static bool bindable(const struct tcp_conn *c, const struct full_addr *a)
{
	const struct stack *s = c->ep.stack;

	if (c->ep.opts.free_bind || addr_is_any(&a->addr) || stack_find_addr(s, &a->addr, a->nic))
		return true;
	/* All of 127/8 is this host's where there is a loopback. */
	if (a->addr.len != ADDR_LEN_V4 || !addr_is_loopback(&a->addr))
		return false;
	list_for_each(n, &s->nics)
		if (nic_is_loopback(container_of(n, struct nic, list)))
			return true;
	return false;
}

enum ns_err tcp_bind(struct endpoint *ep, const struct full_addr *a)
{
	struct tcp_conn *c = tcp_of(ep);
	struct full_addr local;
	enum ns_err err;

	if (c->state != TCPS_CLOSE || c->bound)
		return NS_ERR_ALREADY_BOUND;
	err = target(c, a, &local);
	if (err)
		return err;
	if (local.nic && !nic_find(ep->stack, local.nic))
		return NS_ERR_UNKNOWN_NIC_ID;
	if (!bindable(c, &local))
		return NS_ERR_BAD_LOCAL_ADDRESS;
	err = claim(c, &local, NULL);
	if (err)
		return err;
	c->explicit_port = a->port != 0;
	c->explicit_addr = !addr_is_any(&local.addr);
	return NS_OK;
}

/* Makes a structure that may have served before one that has not. */
static void begin(struct tcp_conn *c)
{
	const struct tcp_settings *set = &c->proto->set;
	const struct rtt_limits limits = { set->init_rto_ns, set->min_rto_ns, set->max_rto_ns };

	rtt_init(&c->rtt, &limits);
	tcp_cc_init(&c->cc, c->cc.ops);
	c->cc.cwnd = set->init_cwnd;
	c->reordering = set->reordering;
	c->rack = (struct tcp_rack){ .reo_steps = 1 };
	c->xmit_no = 0;
	c->n = (struct tcp_count){ .rate_app_limited = true };
	c->ca = TCP_CA_OPEN;
	c->retransmits = c->probes = c->keep_probes = c->ecn = c->quick = 0;
	c->ack_pending = 0;
	c->retrans_stamp = c->high_seq = c->tlp_high_seq = c->undo_marker = 0;
	c->retrans_ns = c->probe_start_ns = c->ato_ns = c->rcv_rtt_ns = c->rtt_seq_ns = 0;
	c->last_tx_ns = 0;
	c->ts_recent = 0;
	c->soft_err = NS_OK;
	c->fin_queued = c->fin_sent = c->rx_shut = c->tx_shut = c->urg_out = false;
	c->urg_state = URG_NONE;
	c->snd_wscale = 0;
	c->max_window = 0;
	c->probe_mtu = c->probe_size = 0;
	c->hdr_len = TCP_HDR_LEN;
	c->has_ts = c->has_sack = c->has_wscale = c->was_connected = false;
	c->fast_open = c->fast_opened = c->syn_data = c->fo_deferred = c->fo_client = false;
	c->syn_len = 0;
	c->write_waits = false;
}

/* Another connection of these names: taken over from TIME-WAIT, or in the way. */
static enum ns_err enter(struct tcp_conn *c)
{
	struct tcp_tuple *t;
	struct demux_key k = {
		.local = c->local.addr, .remote = c->remote.addr, .lport = c->local.port,
		.rport = c->remote.port, .nic = c->route.nic->id,
	};

	t = tcp_table_find(c->proto, &k);
	if (t && !(t->kind == TUPLE_TW && tcp_tw_reuse(c, (struct tcp_tw *)t)))
		return NS_ERR_BAD_LOCAL_ADDRESS;
	c->tuple = (struct tcp_tuple){
		.kind = TUPLE_CONN, .local = k.local, .remote = k.remote, .lport = k.lport,
		.rport = k.rport,
		.nic = addr_is_link_local(&k.remote) ? k.nic : c->ep.opts.bind_nic,
	};
	return tcp_table_add(c->proto, &c->tuple) ? NS_OK : NS_ERR_NO_MEMORY;
}

static void open_active(struct tcp_conn *c, struct payload *p)
{
	const struct tcp_settings *set = &c->proto->set;
	struct isn_pair pair = { c->local.addr, c->remote.addr, c->local.port, c->remote.port };
	const struct hash_key *secret = &c->ep.stack->secret;
	struct tcp_initial_window w;

	/* RFC 6191: a number above those of the connection whose place this one takes. */
	if (!c->iss)
		c->iss = isn_make(secret, &pair, tcp_now(c));
	c->ts_off = isn_ts_offset(secret, &pair.local, &pair.remote);
	c->snd_una = c->iss;
	c->snd_nxt = c->write_seq = c->iss + 1;
	c->snd_up = c->snd_sml = c->iss;
	c->snd_wnd = 0;
	c->advmss = tcp_local_mss(c->remote.addr.len, &c->route, c->user_mss);
	w = tcp_initial_window(c, c->advmss, set->wscale);
	c->rcv_wnd = w.wnd;
	c->window_clamp = w.clamp;
	c->rcv_wscale = w.wscale;
	c->rcv_ssthresh = w.wnd;
	c->rcv_nxt = c->rcv_wup = c->copied_seq = 0;
	c->syn_ts = tcp_ts_now(c);
	tcp_set_state(c, TCPS_SYN_SENT);
	if (c->fo_client)
		tcp_fo_fill(c, p);
	tcp_xmit_syn(c);
	if (c->state == TCPS_SYN_SENT)
		tcp_arm_rtx(c, RTX_RTO, tcp_now(c) + rtt_rto(&c->rtt));
}

static enum ns_err find_way(struct tcp_conn *c, const struct full_addr *a)
{
	struct full_addr remote;
	enum ns_err err = target(c, a, &remote);

	if (err)
		return err;
	if (addr_is_any(&remote.addr)) {	/* ip(7): this host */
		if (remote.addr.len == ADDR_LEN_V4)
			remote.addr = addr_v4(127, 0, 0, 1);
		else
			remote.addr.b[15] = 1;
	}
	if (addr_is_multicast(&remote.addr) || addr_is_v4_broadcast(&remote.addr))
		return NS_ERR_NETWORK_UNREACHABLE;
	c->remote = remote;
	route_release(&c->route);
	return tcp_get_route(c);
}

static void forget(struct tcp_conn *c)
{
	route_release(&c->route);
	c->remote = (struct full_addr){ 0 };
	if (!c->explicit_addr)
		c->local.addr = (struct addr){ 0 };
}

static enum ns_err connect_now(struct tcp_conn *c, const struct full_addr *a, struct payload *p)
{
	struct full_addr local;
	bool bound_here = !c->bound;
	enum ns_err err = find_way(c, a);

	if (!err) {
		if (!c->explicit_addr)
			c->local.addr = c->route.local;
		local = c->local;
		if (!c->bound) {
			local.port = 0;
			err = claim(c, &local, &c->remote);
		}
	}
	if (!err) {
		begin(c);
		c->iss = 0;
		err = enter(c);
		if (err && bound_here) {
			ports_release(c->ep.stack, &c->claim);
			c->bound = false;
		}
	}
	if (err) {
		forget(c);
		return err;
	}
	c->passive = false;
	c->fo_client = p || (c->fo_connect && c->proto->set.fastopen & FASTOPEN_CLIENT);
	open_active(c, p);
	return NS_ERR_CONNECT_STARTED;
}

enum ns_err tcp_connect_with(struct tcp_conn *c, const struct full_addr *a, struct payload *p)
{
	enum ns_err err;

	tcp_hold(c);
	err = connect_now(c, a, p);
	if (err != NS_ERR_CONNECT_STARTED)
		stat_inc(&tcp_stats(c)->failed_connection_attempts);
	tcp_put(c);
	return err;
}

/* SOCKOPT_FASTOPEN_CONNECT, where the first data can go with the SYN. */
static bool defer_connect(struct tcp_conn *c, const struct full_addr *a)
{
	struct full_addr remote;

	if (!c->fo_connect || target(c, a, &remote) || !tcp_fo_can_defer(c, &remote.addr))
		return false;
	c->remote = *a;
	c->fo_deferred = true;
	c->rx_shut = c->tx_shut = false;
	return true;
}

enum ns_err tcp_connect(struct endpoint *ep, const struct full_addr *a)
{
	struct tcp_conn *c = tcp_of(ep);

	if (ep->err)
		return endpoint_take_error(ep);
	if (c->state == TCPS_SYN_SENT || c->state == TCPS_SYN_RECV)
		return NS_ERR_ALREADY_CONNECTING;
	if (c->was_connected) {		/* what an earlier call started is done: say so once */
		c->was_connected = false;
		return NS_OK;
	}
	if (c->state != TCPS_CLOSE || c->fo_deferred)
		return NS_ERR_ALREADY_CONNECTED;
	if (defer_connect(c, a))
		return NS_OK;
	return tcp_connect_with(c, a, NULL);
}

enum ns_err tcp_local_addr(struct endpoint *ep, struct full_addr *out)
{
	struct tcp_conn *c = tcp_of(ep);

	*out = c->local;
	out->addr = c->local.addr.len ? tcp_show_addr(c, &c->local.addr)
		    : ep->net == NET_IPV4 ? addr_v4_any : addr_v6_any;
	return NS_OK;
}

enum ns_err tcp_remote_addr(struct endpoint *ep, struct full_addr *out)
{
	struct tcp_conn *c = tcp_of(ep);

	if (!c->remote.addr.len || TCPS_IN(c->state, TCPS_BIT(TCPS_CLOSE) | TCPS_BIT(TCPS_SYN_SENT) |
						      TCPS_BIT(TCPS_LISTEN)))
		return NS_ERR_NOT_CONNECTED;
	*out = c->remote;
	out->addr = tcp_show_addr(c, &c->remote.addr);
	return NS_OK;
}
