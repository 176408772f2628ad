/* The life of a connection's structure. */
#include <stdlib.h>

#include "transport/tcp/impl.h"

struct tcp_conn *tcp_conn_new(struct tcp_proto *p, enum net_index net)
{
	struct tcp_conn *c = calloc(1, sizeof(*c));
	const struct rtt_limits limits = { p->set.init_rto_ns, p->set.min_rto_ns, p->set.max_rto_ns };

	if (!c)
		return NULL;
	endpoint_init(&c->ep, &tcp_endpoint_ops, p->stack, &tcp_proto, net);
	c->ep.opts.receive_buffer_bytes = c->rcvbuf = p->set.rmem.def;
	c->ep.opts.send_buffer_bytes = c->sndbuf = p->set.wmem.def;
	c->proto = p;
	c->state = TCPS_CLOSE;
	c->tuple.kind = TUPLE_CONN;
	list_init(&c->pending);
	list_init(&c->rope);
	list_init(&c->segs);
	list_init(&c->sent);
	list_init(&c->lost);
	list_init(&c->rcvq);
	ooo_init(&c->ooo);
	tcp_timer_init(c);
	c->n.rate_app_limited = true;
	rtt_init(&c->rtt, &limits);
	tcp_cc_init(&c->cc, p->set.cc);
	c->cc.cwnd = p->set.init_cwnd;
	c->reordering = p->set.reordering;
	c->rack.reo_steps = 1;
	c->hdr_len = TCP_HDR_LEN;
	c->mss_clamp = TCP_DEFAULT_MSS;
	c->mss = 0;
	c->advmss = TCP_DEFAULT_MSS;
	c->rcv_mss = TCP_DEFAULT_MSS;
	c->rcv_lowat = 1;
	c->notsent_lowat = UINT32_MAX;
	c->moderate = p->set.moderate;
	c->nodelay = !p->set.delay;
	return c;
}

enum ns_err tcp_get_route(struct tcp_conn *c)
{
	struct route_key key = { .nic = c->remote.nic, .local = c->local.addr, .remote = c->remote.addr };
	enum ns_err err;

	if (route_valid(&c->route))
		return NS_OK;
	route_release(&c->route);
	if (c->ep.opts.bind_nic)
		key.nic = c->ep.opts.bind_nic;
	if (addr_is_any(&key.local))
		key.local = (struct addr){ 0 };
	err = route_find(c->ep.stack, &key, &c->route);
	if (!err && c->route.kind != ROUTE_UNICAST) {
		route_release(&c->route);
		err = NS_ERR_NETWORK_UNREACHABLE;
	}
	return err;
}

/* What a connection that has ended needs no more; data that was received can still be read. */
static void drop_sending(struct tcp_conn *c)
{
	tcp_sndq_purge(c);
	c->write_seq = c->snd_nxt;
	ooo_fini(&c->ooo);
	tcp_disarm_rtx(c);
	c->delack_at = c->keep_at = CLOCK_NEVER;
	c->tlp_high_seq = 0;
	c->ack_pending = 0;
}

static void purge_received(struct tcp_conn *c)
{
	struct list *n;

	while ((n = list_pop_front(&c->rcvq)))
		pkt_free(container_of(n, struct pkt, node));
	c->rcv_bytes = 0;
	c->rcv_truesize = 0;
}

struct tcp_rare *tcp_rare(struct tcp_conn *c)
{
	if (!c->rare)
		c->rare = calloc(1, sizeof(*c->rare));
	return c->rare;
}

static void free_rare(struct tcp_conn *c)
{
	if (!c->rare)
		return;
	free(c->rare->stamps);
	free(c->rare->syn);
	free(c->rare);
	c->rare = NULL;
}

void tcp_release(struct tcp_conn *c)
{
	struct stack *s = c->ep.stack;

	if (c->dead)
		return;
	c->dead = true;
	if (c->orphan)
		c->proto->norphans--;
	c->orphan = false;
	tcp_listen_stop(c);
	if (c->state != TCPS_CLOSE)
		tcp_set_state(c, TCPS_CLOSE);
	drop_sending(c);
	purge_received(c);
	free(c->fo_keys);
	c->fo_keys = NULL;
	free_rare(c);
	list_remove(&c->pending);
	tcp_table_remove(c->proto, &c->tuple);
	ports_release(s, &c->claim);
	route_release(&c->route);
	timer_fini(s->clock, &c->timer);
	endpoint_fini(&c->ep);
	if (!c->busy)
		free(c);
}

void tcp_put(struct tcp_conn *c)
{
	if (--c->busy == 0 && c->dead)
		free(c);
}

void tcp_done(struct tcp_conn *c, enum ns_err err)
{
	uint8_t was = c->state;

	if (c->dead || was == TCPS_CLOSE)
		return;
	tcp_set_state(c, TCPS_CLOSE);
	drop_sending(c);
	tcp_table_remove(c->proto, &c->tuple);
	route_release(&c->route);
	if (!c->explicit_port) {
		ports_release(c->ep.stack, &c->claim);
		c->bound = false;
	}
	c->rx_shut = c->tx_shut = true;
	c->fin_queued = c->fin_sent = false;
	if (c->orphan) {
		tcp_release(c);
		return;
	}
	if (err)
		c->ep.err = err;
	tcp_wake(c, WAIT_IN | WAIT_OUT | WAIT_HUP | (err ? WAIT_ERR : 0));
}

void tcp_orphan(struct tcp_conn *c)
{
	c->orphan = true;
	c->proto->norphans++;
	purge_received(c);
}

void tcp_init_transfer(struct tcp_conn *c)
{
	uint32_t hint;

	tcp_probe_init(c);
	tcp_sync_mss(c);
	c->n.delivered = 1;		/* as Linux counts: the SYN; bytes_acked has it of active opens */
	if (!c->passive)
		c->n.bytes_acked = 1;
	/* RFC 6298, 5.7: the first RTO was wrong, and nothing was measured yet. */
	if (c->retransmits && !c->rtt.srtt_ns)
		c->rtt.base_rto_ns = 3 * NS_PER_SEC;
	c->rtt.backoff = 0;
	if (c->retransmits > 1)
		c->cc.cwnd = 1;		/* RFC 5681, 3.1: a SYN was lost, and more than once */
	c->retrans_stamp = 0;
	c->retrans_ns = 0;
	hint = c->advmss < c->mss ? c->advmss : c->mss;
	if (hint > c->rcv_wnd / 2)
		hint = c->rcv_wnd / 2;
	if (hint > TCP_DEFAULT_MSS)
		hint = TCP_DEFAULT_MSS;
	c->rcv_mss = hint > TCP_MIN_MSS ? hint : TCP_MIN_MSS;
	if (c->window_clamp > tcp_full_space(c) && tcp_full_space(c) > c->rcv_wnd)
		c->window_clamp = tcp_full_space(c);
	c->rcv_ssthresh = c->rcv_wnd < c->window_clamp ? c->rcv_wnd : c->window_clamp;
	c->space_bytes = c->rcv_wnd < TCP_CC_INIT_CWND * c->advmss ? c->rcv_wnd
								    : TCP_CC_INIT_CWND * c->advmss;
	c->space_seq = c->copied_seq;
	c->space_ns = tcp_now(c);
	c->cwnd_stamp_ns = c->last_rx_ns = c->last_ack_rx_ns = tcp_now(c);
	tcp_push_init(c);
	c->snd_sml = c->snd_una;
	c->highest_sack = c->snd_una;
	tcp_sndbuf_expand(c);
	tcp_arm_keepalive(c);
}
