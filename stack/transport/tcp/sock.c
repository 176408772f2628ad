/* Endpoint operations: close, shutdown, disconnect, state, ICMP errors. */
#include "transport/tcp/impl.h"

static enum ns_err tcp_disconnect(struct endpoint *ep);

/* States in which the peer would wait in vain if we went without a word. */
#define NEEDS_RESET \
	(TCPS_BIT(TCPS_ESTABLISHED) | TCPS_BIT(TCPS_CLOSE_WAIT) | TCPS_BIT(TCPS_FIN_WAIT1) | \
	 TCPS_BIT(TCPS_FIN_WAIT2) | TCPS_BIT(TCPS_SYN_RECV))

/* RFC 9293, 3.10.4: the state after the user has no more to send; whether a FIN is due. */
static bool start_close(struct tcp_conn *c)
{
	switch (c->state) {
	case TCPS_SYN_RECV:		/* the FIN waits until the SYN is acknowledged, but with Fast Open */
		c->fin_queued = true;
		return c->fast_open;
	case TCPS_ESTABLISHED:
		tcp_set_state(c, TCPS_FIN_WAIT1);
		return true;
	case TCPS_CLOSE_WAIT:
		tcp_set_state(c, TCPS_LAST_ACK);
		return true;
	default:
		return false;
	}
}

static void abort_conn(struct tcp_conn *c, enum ns_err err)
{
	if (TCPS_IN(c->state, NEEDS_RESET) ||
	    (TCPS_IN(c->state, TCPS_BIT(TCPS_CLOSING) | TCPS_BIT(TCPS_LAST_ACK)) &&
	     c->snd_nxt != c->write_seq + c->fin_sent))
		tcp_send_reset(c);
	tcp_done(c, err);
}

static void close_conn(struct tcp_conn *c)
{
	if (c->state == TCPS_LISTEN || c->state == TCPS_CLOSE) {
		tcp_release(c);
		return;
	}
	/* RFC 9293, 3.6.1 and RFC 2525, 2.17: unread data was lost; RFC 9293, 3.10.5: ABORT. */
	if (c->rcv_bytes || (c->linger && !c->linger_ns) || c->state == TCPS_SYN_SENT ||
	    c->proto->norphans >= c->proto->set.max_orphans) {
		abort_conn(c, NS_OK);
		tcp_release(c);
		return;
	}
	c->rx_shut = c->tx_shut = true;
	tcp_orphan(c);
	if (start_close(c))
		tcp_send_fin(c);
	if (c->state == TCPS_FIN_WAIT2) {
		if (c->linger2_ns < 0)
			abort_conn(c, NS_OK);
		else
			tcp_arm_fin_wait2(c);
	}
}

static void tcp_close(struct endpoint *ep)
{
	struct tcp_conn *c = tcp_of(ep);

	tcp_hold(c);
	close_conn(c);
	tcp_put(c);
}

static void tcp_abort(struct endpoint *ep)
{
	struct tcp_conn *c = tcp_of(ep);

	tcp_hold(c);
	if (c->state == TCPS_LISTEN) {
		tcp_disconnect(ep);
		c->rx_shut = c->tx_shut = true;
	} else if (c->state != TCPS_CLOSE) {
		abort_conn(c, NS_OK);
	}
	tcp_put(c);
}

static void tcp_destroy(struct endpoint *ep)
{
	tcp_release(tcp_of(ep));
}

static enum ns_err tcp_disconnect(struct endpoint *ep)
{
	struct tcp_conn *c = tcp_of(ep);
	struct list *n;

	if (c->state == TCPS_LISTEN) {
		tcp_listen_stop(c);
		tcp_set_state(c, TCPS_CLOSE);
	} else if (c->state != TCPS_CLOSE) {
		abort_conn(c, NS_OK);
	}
	while ((n = list_pop_front(&c->rcvq)))
		pkt_free(container_of(n, struct pkt, node));
	c->rcv_bytes = 0;
	c->rcv_truesize = 0;
	c->ep.err = NS_OK;
	c->rx_shut = c->tx_shut = c->was_connected = c->fo_deferred = false;
	c->remote = (struct full_addr){ 0 };
	if (!c->explicit_addr)
		c->local.addr = (struct addr){ 0 };
	if (!c->explicit_port) {
		ports_release(ep->stack, &c->claim);
		c->local.port = 0;
		c->bound = false;
	}
	return NS_OK;
}

static enum ns_err tcp_shutdown(struct endpoint *ep, int how)
{
	struct tcp_conn *c = tcp_of(ep);

	if (c->state == TCPS_CLOSE)
		return NS_ERR_NOT_CONNECTED;
	if (c->state == TCPS_LISTEN)
		return how & SHUTDOWN_READ ? tcp_disconnect(ep) : NS_OK;
	if (c->state == TCPS_SYN_SENT) {
		abort_conn(c, NS_ERR_CONNECTION_RESET);
		return NS_OK;
	}
	tcp_hold(c);
	if (how & SHUTDOWN_READ)
		c->rx_shut = true;
	if (how & SHUTDOWN_WRITE) {
		c->tx_shut = true;
		if (start_close(c))
			tcp_send_fin(c);
	}
	tcp_wake(c, WAIT_IN | WAIT_OUT | (c->rx_shut && c->tx_shut ? WAIT_HUP : 0));
	tcp_put(c);
	return NS_OK;
}

static uint32_t tcp_state_of(struct endpoint *ep)
{
	return tcp_of(ep)->state;
}

static void tcp_moderate(struct endpoint *ep, size_t copied)
{
	(void)copied;	/* copied_seq knows */
	tcp_space_adjust(tcp_of(ep));
}

static void tcp_ep_info(struct endpoint *ep, struct endpoint_info *out)
{
	struct tcp_conn *c = tcp_of(ep);

	out->state = c->state;
	out->rx_queue_bytes = c->rcv_bytes;
	/* Not the FIN, which is acknowledged beyond what was written. */
	out->tx_queue_bytes = seq_gt(c->write_seq, c->snd_una) ? c->write_seq - c->snd_una : 0;
	out->rx_buffer_bytes = c->rcvbuf;
	out->tx_buffer_bytes = c->sndbuf;
}

/* RFC 5927, 4.1: only what quotes a number that is outstanding. */
static bool quotes_outstanding(const struct tcp_conn *c, const struct net_error *e)
{
	uint32_t seq = (uint32_t)e->hdr[4] << 24 | (uint32_t)e->hdr[5] << 16 | (uint32_t)e->hdr[6] << 8 |
		       e->hdr[7];

	if (c->state == TCPS_SYN_SENT || c->state == TCPS_SYN_RECV)
		return seq == c->iss || seq == c->snd_nxt || (c->fast_open && seq_between(seq, c->snd_una, c->snd_nxt));
	return seq_between(seq, c->snd_una, c->snd_nxt);
}

void tcp_rx_error_conn(struct endpoint *ep, const struct net_error *e)
{
	struct tcp_conn *c = tcp_of(ep);

	if (e->kind == NET_ERROR_LINK_FAILED)
		stat_inc(&ep->stats.send_errors.no_link_addr);
	if (!quotes_outstanding(c, e))
		return;
	tcp_hold(c);
	if (e->kind == NET_ERROR_TOO_BIG) {
		tcp_pmtu_changed(c, e);
	} else if (c->state == TCPS_SYN_SENT || (c->state == TCPS_SYN_RECV && (!c->fast_open || c->is_pending))) {
		/* Nothing is lost yet: fail at once, as Linux does, hard or soft. */
		if (e->kind != NET_ERROR_TIME_EXCEEDED || e->hard)
			tcp_done(c, e->err);
		else
			c->soft_err = e->err;
	} else {
		/* RFC 5927, 5.2: an established connection outlives even hard errors. */
		c->soft_err = e->err;
	}
	tcp_put(c);
}

static void ep_rx(struct endpoint *ep, struct pkt *pkt)
{
	/* Segments come with what tcp.c found out about them, through tcp_conn_rx(). */
	(void)ep;
	pkt_free(pkt);
}

const struct endpoint_ops tcp_endpoint_ops = {
	.name = "tcp",
	.close = tcp_close,
	.abort = tcp_abort,
	.destroy = tcp_destroy,
	.read = tcp_read,
	.peek_iov = tcp_peek_iov,
	.peek_times = tcp_peek_times,
	.consume = tcp_consume,
	.write = tcp_write,
	.bind = tcp_bind,
	.connect = tcp_connect,
	.disconnect = tcp_disconnect,
	.shutdown = tcp_shutdown,
	.listen = tcp_listen,
	.accept = tcp_accept,
	.local_addr = tcp_local_addr,
	.remote_addr = tcp_remote_addr,
	.readiness = tcp_readiness,
	.state = tcp_state_of,
	.moderate_recv_buf = tcp_moderate,
	.info = tcp_ep_info,
	.set_option = tcp_set_option,
	.get_option = tcp_get_option,
	.option_changed = tcp_option_changed,
	.rx = ep_rx,
	.rx_error = tcp_rx_error_conn,
};
