/* What sock_diag tells of TCP beside tcp_info. */
#include "transport/tcp/diag.h"

#include "transport/tcp/listen.h"

#define CACHE_LINE 64

/* tcp_sock's fields as inet_sk_diag_fill() of Linux's net/ipv4/inet_diag.c reads them. */
static void put_timer(const struct tcp_conn *c, struct tcp_diag *out)
{
	int64_t at = CLOCK_NEVER;

	out->timer = TCP_TIMER_OFF;
	out->retrans = 0;
	out->expires_in_ns = 0;
	if (c->rtx_kind == RTX_PERSIST) {
		out->timer = TCP_TIMER_PROBE;
		out->retrans = c->probes;
		at = c->rtx_at;
	} else if (c->rtx_kind != RTX_NONE) {
		out->timer = TCP_TIMER_RTX;
		out->retrans = c->retransmits;
		at = c->rtx_at;
	} else if (c->keep_at != CLOCK_NEVER && c->state != TCPS_CLOSE) {
		out->timer = out->time_wait ? TCP_TIMER_TIME_WAIT : TCP_TIMER_KEEPALIVE;
		out->retrans = out->time_wait ? 0 : c->keep_probes;
		at = c->keep_at;
	}
	if (at != CLOCK_NEVER)
		out->expires_in_ns = at > tcp_now(c) ? at - tcp_now(c) : 0;
}

static void put_queues(const struct tcp_conn *c, struct tcp_diag *out)
{
	out->rqueue = out->wqueue = 0;
	if (c->state == TCPS_LISTEN) {
		out->rqueue = c->listener->naccept;
		out->wqueue = c->listener->backlog;
		return;
	}
	if (c->state == TCPS_CLOSE)
		return;
	if (TCPS_IN(c->state, TCPS_SYNCHRONIZED) && (int32_t)(c->rcv_nxt - c->copied_seq) > 0)
		out->rqueue = c->rcv_nxt - c->copied_seq;
	out->wqueue = c->write_seq + (c->fin_queued || c->fin_sent) - c->snd_una;
}

void tcp_diag_prefetch(const struct endpoint *ep)
{
	enum { BEGIN = offsetof(struct tcp_conn, rtt), END = offsetof(struct tcp_conn, cc.cwnd_cnt) };

#pragma GCC unroll 32
	for (size_t at = BEGIN; at < END; at += CACHE_LINE)
		__builtin_prefetch((const char *)ep + at);
	/* It does not begin with a line, so it may end in one more. */
	__builtin_prefetch((const char *)ep + END - 1);
}

void tcp_diag(struct endpoint *ep, struct tcp_diag *out)
{
	struct tcp_conn *c = tcp_of(ep);

	/* Member by member: to clear it first would be the largest part of this function. */
	out->state = c->state;
	out->rx_shut = c->rx_shut;
	out->tx_shut = c->tx_shut;
	out->bound = c->bound;
	out->bound_port = c->explicit_port;
	out->time_wait = c->orphan && c->state == TCPS_FIN_WAIT2;
	out->local = &c->local;
	out->remote = &c->remote;
	put_queues(c, out);
	put_timer(c, out);
}

uint64_t tcp_diag_taken(struct endpoint *ep)
{
	const struct tcp_conn *c = tcp_of(ep);

	return c->n.bytes_received - c->rcv_bytes;
}

const char *tcp_diag_congestion(struct endpoint *ep)
{
	return tcp_of(ep)->cc.ops->name;
}

void tcp_diag_info(struct endpoint *ep, struct tcp_conn_info *out)
{
	tcp_fill_info(tcp_of(ep), out);
}

static void put_request(const struct tcp_req *r, struct tcp_mini *m)
{
	int64_t left = r->timer.when - r->listener->ep.stack->clock->now_ns;

	*m = (struct tcp_mini){
		.state = TCPS_NEW_SYN_RECV, .net = r->listener->ep.net, .retransmits = r->timeouts,
		.local = { .addr = r->tuple.local, .port = r->tuple.lport },
		.remote = { .addr = r->tuple.remote, .port = r->tuple.rport },
		.expires_in_ns = left > 0 ? left : 0,
		.bind_nic = r->listener->ep.opts.bind_nic, .mark = r->listener->ep.opts.mark,
	};
}

struct endpoint *tcp_find(struct stack *s, const struct demux_key *k, bool *mini, struct tcp_mini *m)
{
	struct tcp_tuple *t = tcp_table_find(tcp_proto_of(s), k);

	*mini = t && t->kind != TUPLE_CONN;
	if (!t)
		return NULL;
	switch (t->kind) {
	case TUPLE_CONN:
		return &container_of(t, struct tcp_conn, tuple)->ep;
	case TUPLE_REQ:
		put_request(container_of(t, struct tcp_req, tuple), m);
		return NULL;
	default:
		tcp_tw_diag(t, m);
		return NULL;
	}
}

bool tcp_mini_drop(struct stack *s, const struct demux_key *k)
{
	struct tcp_tuple *t = tcp_table_find(tcp_proto_of(s), k);

	if (!t || t->kind == TUPLE_CONN)
		return false;
	if (t->kind == TUPLE_REQ)
		tcp_req_drop(container_of(t, struct tcp_req, tuple));
	else
		tcp_tw_drop(t);
	return true;
}

size_t tcp_handshake_count(struct endpoint *listener)
{
	const struct tcp_conn *c = tcp_of(listener);

	return c->listener ? c->listener->nreqs : 0;
}

size_t tcp_handshakes(struct endpoint *listener, struct tcp_mini *out, size_t max)
{
	struct tcp_conn *c = tcp_of(listener);
	size_t n = 0;

	if (!c->listener)
		return 0;
	list_for_each(l, &c->listener->reqs) {
		if (n == max)
			break;
		put_request(container_of(l, struct tcp_req, list), &out[n++]);
	}
	return n;
}
