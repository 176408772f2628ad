/* Listeners: the accept queue and its bounds (RFC 9293, 3.10.1; listen(2)). */
#include "transport/tcp/listen.h"

#include <stdlib.h>

static void unregister(struct tcp_conn *c)
{
	for (int i = 0; i < NET_FAMILIES; i++)
		demux_remove(c->ep.stack, &c->listener->nodes[i]);
}

static enum ns_err register_nodes(struct tcp_conn *c)
{
	enum ns_err err = NS_OK;

	for (int i = 0; i < NET_FAMILIES && !err; i++) {
		struct demux_node *n = &c->listener->nodes[i];

		if (!(c->claim.nets & 1 << i))
			continue;
		*n = (struct demux_node){
			.ep = &c->ep, .lport = c->local.port, .net = (uint8_t)i, .proto = 6,
			.nic = c->claim.nic, .balance = c->ep.opts.reuse_port,
		};
		if (!addr_is_any(&c->local.addr))
			n->local = c->local.addr;
		err = demux_add(c->ep.stack, n);
	}
	if (err)
		unregister(c);
	return err;
}

void tcp_listen_bind_nic(struct tcp_conn *c)
{
	if (!c->listener)
		return;
	for (int i = 0; i < NET_FAMILIES; i++)
		c->listener->nodes[i].nic = c->claim.nic;
}

static uint32_t clamp_backlog(const struct tcp_conn *c, int backlog)
{
	uint32_t max = c->proto->set.max_backlog;

	return (unsigned)backlog > max ? max : (uint32_t)backlog;
}

enum ns_err tcp_listen(struct endpoint *ep, int backlog)
{
	struct tcp_conn *c = tcp_of(ep);
	enum ns_err err;

	if (c->state == TCPS_LISTEN) {
		c->listener->backlog = clamp_backlog(c, backlog);
		return NS_OK;
	}
	if (c->state != TCPS_CLOSE)
		return NS_ERR_INVALID_ENDPOINT_STATE;
	err = tcp_autobind(c);
	if (err)
		return err;
	err = ports_set_exclusive(ep->stack, &c->claim);
	if (err)
		return err;
	c->listener = calloc(1, sizeof(*c->listener));
	if (!c->listener)
		return NS_ERR_NO_MEMORY;
	c->listener->backlog = clamp_backlog(c, backlog);
	c->listener->overflow_ns = -1;
	list_init(&c->listener->accept);
	list_init(&c->listener->reqs);
	err = register_nodes(c);
	if (err) {
		free(c->listener);
		c->listener = NULL;
		c->claim.exclusive = false;
		return err;
	}
	if (!c->fo_max && (c->proto->set.fastopen & (FASTOPEN_SERVER | FASTOPEN_ALL)) ==
			  (FASTOPEN_SERVER | FASTOPEN_ALL))
		c->fo_max = c->listener->backlog;
	ep->err = NS_OK;
	c->rx_shut = c->tx_shut = c->was_connected = false;
	tcp_set_state(c, TCPS_LISTEN);
	return NS_OK;
}

/* Those that nobody will accept any more are reset. */
void tcp_listen_stop(struct tcp_conn *c)
{
	struct tcp_listener *l = c->listener;
	struct list *n;

	if (!l)
		return;
	unregister(c);
	while (!list_empty(&l->reqs))
		tcp_req_drop(container_of(l->reqs.next, struct tcp_req, list));
	while ((n = list_pop_front(&l->accept))) {
		struct tcp_conn *child = container_of(n, struct tcp_conn, pending);

		child->is_pending = false;
		tcp_hold(child);
		if (child->state != TCPS_CLOSE)
			tcp_send_reset(child);
		tcp_release(child);
		tcp_put(child);
	}
	c->listener = NULL;
	c->claim.exclusive = false;
	free(l);
}

bool tcp_listen_ready(const struct tcp_conn *c)
{
	return !list_empty(&c->listener->accept);
}

enum ns_err tcp_accept(struct endpoint *ep, struct endpoint **out, struct full_addr *peer)
{
	struct tcp_conn *c = tcp_of(ep), *child;
	struct list *n;

	if (c->state != TCPS_LISTEN)
		return NS_ERR_INVALID_ENDPOINT_STATE;
	n = list_pop_front(&c->listener->accept);
	if (!n)
		return NS_ERR_WOULD_BLOCK;
	c->listener->naccept--;
	child = container_of(n, struct tcp_conn, pending);
	child->is_pending = false;
	if (peer) {
		*peer = child->remote;
		peer->addr = tcp_show_addr(child, &child->remote.addr);
	}
	*out = &child->ep;
	return NS_OK;
}

static void inherit(struct tcp_conn *c, const struct tcp_conn *l)
{
	c->ep.opts = l->ep.opts;
	c->ep.opts.nip_opts = 0;	/* ip(7): of the first segment's at most */
	c->rcvbuf = l->rcvbuf;
	c->sndbuf = l->sndbuf;
	c->rcvbuf_locked = l->rcvbuf_locked;
	c->sndbuf_locked = l->sndbuf_locked;
	c->user_clamp = l->user_clamp;
	c->user_mss = l->user_mss;
	c->nodelay = l->nodelay;
	c->cork = l->cork;
	c->keepalive = l->keepalive;
	c->keep_idle_s = l->keep_idle_s;
	c->keep_intvl_s = l->keep_intvl_s;
	c->keep_count = l->keep_count;
	c->user_timeout_ns = l->user_timeout_ns;
	c->linger = l->linger;
	c->linger_ns = l->linger_ns;
	c->linger2_ns = l->linger2_ns;
	c->tw_ns = l->tw_ns;
	c->oob_inline = l->oob_inline;
	c->moderate = l->moderate;
	c->notsent_lowat = l->notsent_lowat;
	c->rcv_lowat = l->rcv_lowat;
	tcp_cc_change(&c->cc, l->cc.ops);
}

static void fill_child(struct tcp_conn *c, const struct tcp_req *r)
{
	c->state = TCPS_SYN_RECV;
	c->passive = true;
	c->n.segs_in = 1;		/* the SYN, as Linux counts */
	c->local = (struct full_addr){ .addr = r->tuple.local, .port = r->tuple.lport };
	c->remote = (struct full_addr){ .addr = r->tuple.remote, .port = r->tuple.rport };
	if (addr_is_link_local(&c->remote.addr))
		c->remote.nic = r->nic;
	c->iss = r->iss;
	c->irs = r->irs;
	c->snd_una = r->iss;
	c->snd_nxt = c->write_seq = r->iss + 1;
	c->rcv_nxt = c->rcv_wup = c->copied_seq = r->irs + 1;
	c->rcv_wnd = r->rcv_wnd;
	c->window_clamp = r->clamp;
	c->rcv_wscale = r->rcv_wscale;
	c->snd_wscale = r->snd_wscale;
	c->has_wscale = r->has_wscale;
	c->has_ts = r->has_ts;
	c->has_sack = r->has_sack;
	c->ts_off = r->ts_off;
	c->ts_recent = r->ts_recent;
	c->ts_recent_ns = tcp_now(c);
	c->hdr_len = (uint8_t)(TCP_HDR_LEN + (r->has_ts ? 12 : 0));
	c->advmss = r->advmss;
	c->mss_clamp = r->mss;
	if (c->user_mss && c->mss_clamp > c->user_mss)
		c->mss_clamp = c->user_mss;
	if (c->mss_clamp < TCP_MIN_SND_MSS)
		c->mss_clamp = TCP_MIN_SND_MSS;
	c->ecn = r->ecn ? ECN_OK : 0;
	c->last_tx_ns = r->sent_ns;
	c->retransmits = r->timeouts;
	if (r->timeouts && !r->cookie) {
		c->n.total_retrans = c->n.total_rto = r->timeouts;
		c->n.total_rto_recoveries = 1;
		c->n.total_rto_ms = (uint32_t)((tcp_now(c) - r->first_sent_ns) / NS_PER_MS);
	}
	c->tuple = r->tuple;
	c->tuple.kind = TUPLE_CONN;
	c->tuple.entered = false;
}

struct tcp_conn *tcp_new_child(struct tcp_conn *l, struct tcp_req *r)
{
	struct tcp_proto *p = l->proto;
	struct tcp_conn *c = tcp_conn_new(p, l->ep.net);

	if (!c)
		return NULL;
	inherit(c, l);
	fill_child(c, r);
	c->claim = l->claim;
	c->claim.exclusive = false;
	c->claim.addr = c->local.addr;
	c->claim.remote = c->remote.addr;
	c->claim.rport = c->remote.port;
	c->claim.nets = (uint8_t)(1 << net_index_of(&c->local.addr));
	ports_share(&l->claim, &c->claim);
	c->bound = true;
	if (tcp_get_route(c)) {
		tcp_release(c);
		return NULL;
	}
	tcp_table_remove(p, &r->tuple);
	if (!tcp_table_add(p, &c->tuple)) {
		tcp_release(c);
		return NULL;
	}
	if (r->syn)
		tcp_give_syn(c, l, &r->syn);
	stat_inc(&tcp_stats(c)->passive_connection_openings);
	tcp_hold(c);
	c->is_pending = true;
	list_push_back(&l->listener->accept, &c->pending);
	l->listener->naccept++;
	return c;
}

struct tcp_conn *tcp_make_child(struct tcp_conn *l, struct tcp_req *r, struct tcp_rx *rx)
{
	struct tcp_conn *c = tcp_new_child(l, r);

	if (!c)
		return NULL;
	tcp_conn_rx(c, rx);
	tcp_wake(l, WAIT_IN);
	tcp_put(c);
	return c;
}

/* As Linux shows listeners: how many wait, and how many may. */
void tcp_listen_info(const struct tcp_conn *c, struct tcp_conn_info *o)
{
	o->unacked = c->listener->naccept;
	o->sacked = c->listener->backlog;
}
