/* TIME-WAIT (RFC 9293, 3.6.1 and 3.10.7.4; RFC 1337; RFC 6191): what is left is small, and in a list of its own. */
#include <stdlib.h>

#include "transport/tcp/impl.h"
#include "transport/tcp/diag.h"

#define OOW_ACK_NS (500 * NS_PER_MS)

struct tcp_tw {
	struct tcp_tuple tuple;		/* first: found by it */
	struct list list;
	struct tcp_proto *proto;
	struct port_claim claim;
	int64_t period_ns, expires_ns, begin_ns, ts_recent_ns, oow_ns;
	uint32_t snd_nxt, rcv_nxt, rcv_wnd, ts_recent, ts_off;
	uint32_t bind_nic, mark;
	uint8_t rcv_wscale, tos, ttl, pmtud, net;
	bool has_ts;
};

/* Takes it out of the list; cursors that are at it go on to the next. */
static void tw_unlist(struct tcp_tw *w)
{
	list_for_each(n, &w->proto->tw_cursors) {
		struct tcp_tw_cursor *c = container_of(n, struct tcp_tw_cursor, list);

		if (c->next == &w->list)
			c->next = w->list.next;
	}
	list_remove(&w->list);
}

static void tw_free(struct tcp_tw *w)
{
	tcp_table_remove(w->proto, &w->tuple);
	tw_unlist(w);
	ports_release(w->proto->stack, &w->claim);
	w->proto->ntimewaits--;
	free(w);
}

static void tw_timeout(struct timer *t)
{
	struct tcp_proto *p = container_of(t, struct tcp_proto, tw_timer);

	while (!list_empty(&p->timewaits)) {
		struct tcp_tw *w = container_of(p->timewaits.next, struct tcp_tw, list);

		if (w->expires_ns > p->stack->clock->now_ns) {
			timer_arm(p->stack->clock, t, w->expires_ns);
			return;
		}
		tw_free(w);
	}
}

/* Keeps the list in the order of expiry: a store, unless the setting was changed meanwhile. */
static void tw_schedule(struct tcp_tw *w)
{
	struct tcp_proto *p = w->proto;
	struct list *at = p->timewaits.prev;

	w->expires_ns = p->stack->clock->now_ns + w->period_ns;
	tw_unlist(w);
	at = p->timewaits.prev;
	while (at != &p->timewaits &&
	       container_of(at, struct tcp_tw, list)->expires_ns > w->expires_ns)
		at = at->prev;
	list_insert_before(at->next, &w->list);
	if (!p->has_tw_timer) {
		timer_init(&p->tw_timer, tw_timeout);
		p->has_tw_timer = true;
	}
	if (w->expires_ns < p->tw_timer.when)
		timer_arm(p->stack->clock, &p->tw_timer, w->expires_ns);
}

void tcp_time_wait(struct tcp_conn *c)
{
	struct tcp_proto *p = c->proto;
	const struct sock_opts *so = &c->ep.opts;
	bool v4 = c->remote.addr.len == ADDR_LEN_V4;
	struct tcp_tw *w = p->ntimewaits < p->set.max_tw ? malloc(sizeof(*w)) : NULL;

	if (!w) {
		tcp_done(c, NS_OK);
		return;
	}
	*w = (struct tcp_tw){
		.tuple = c->tuple, .proto = p, .begin_ns = tcp_now(c),
		.period_ns = c->tw_ns ? c->tw_ns : p->set.tw_ns, .net = (uint8_t)c->ep.net, .snd_nxt = c->snd_nxt, .rcv_nxt = c->rcv_nxt,
		.rcv_wnd = tcp_rcv_window(c), .rcv_wscale = c->rcv_wscale, .has_ts = c->has_ts,
		.ts_recent = c->ts_recent, .ts_recent_ns = c->ts_recent_ns, .ts_off = c->ts_off,
		.bind_nic = so->bind_nic, .mark = so->mark, .ttl = sock_opts_ttl(so, c->remote.addr.len), .pmtud = so->pmtu_discover,
		.tos = (uint8_t)((v4 ? so->tos : so->traffic_class) & ~3),
	};
	w->tuple.kind = TUPLE_TW;
	w->tuple.entered = false;
	list_init(&w->list);
	p->ntimewaits++;
	if (c->explicit_port) {
		w->claim = c->claim;
		w->claim.remote = c->remote.addr;
		w->claim.rport = c->remote.port;
		w->claim.exclusive = false;
		ports_share(&c->claim, &w->claim);
	} else {
		ports_move(&c->claim, &w->claim);
		c->bound = false;
	}
	tcp_table_remove(p, &c->tuple);
	if (!tcp_table_add(p, &w->tuple)) {
		tw_free(w);
		tcp_done(c, NS_OK);
		return;
	}
	tw_schedule(w);
	tcp_done(c, NS_OK);
}

static void tw_ack(struct tcp_tw *w)
{
	int64_t now = w->proto->stack->clock->now_ns;
	struct tcp_reply r = {
		.local = w->tuple.local, .remote = w->tuple.remote, .nic = w->tuple.nic,
		.tos = w->tos, .ttl = w->ttl, .pmtud = w->pmtud,
		.h = { .sport = w->tuple.lport, .dport = w->tuple.rport, .seq = w->snd_nxt,
		       .ack = w->rcv_nxt, .flags = TCP_ACK,
		       .wnd = (uint16_t)(w->rcv_wnd >> w->rcv_wscale) },
		.o = { .has_ts = w->has_ts, .ts_ecr = w->ts_recent },
	};

	if (w->oow_ns && now - w->oow_ns < OOW_ACK_NS)
		return;
	w->oow_ns = now ? now : 1;
	if (w->has_ts)
		r.o.ts_val = (uint32_t)(now / NS_PER_MS) + w->ts_off;
	tcp_send_reply(w->proto, &r);
}

/* RFC 6191, and RFC 9293, 3.6.1: a SYN that is newer than anything of the old connection. */
static bool may_reopen(const struct tcp_tw *w, const struct tcp_rx *rx)
{
	if ((rx->flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
		return false;
	return seq_gt(rx->seq, w->rcv_nxt) ||
	       (w->has_ts && rx->o.has_ts && seq_gt(rx->o.ts_val, w->ts_recent));
}

bool tcp_tw_rx(struct tcp_tw *w, struct tcp_rx *rx)
{
	bool stale = w->has_ts && rx->o.has_ts && seq_lt(rx->o.ts_val, w->ts_recent);

	if (!stale && rx->seq == w->rcv_nxt && (rx->seq == rx->end_seq || rx->flags & TCP_RST)) {
		if (rx->flags & TCP_RST) {
			stat_inc(&w->proto->stack->stats.tcp.resets_received);
			if (!w->proto->set.rfc1337)
				tw_free(w);
			return false;
		}
		tw_schedule(w);
		if (w->has_ts && rx->o.has_ts)
			w->ts_recent = rx->o.ts_val;
		return false;
	}
	if (!stale && may_reopen(w, rx)) {
		/* Above all it could have sent. */
		rx->tw_isn = w->snd_nxt + TCP_WINDOW_MAX + 2;
		if (!rx->tw_isn)
			rx->tw_isn = 1;
		tw_free(w);
		return true;
	}
	if (rx->flags & TCP_RST)
		return false;
	if (stale || rx->flags & TCP_ACK) {
		tw_schedule(w);
		tw_ack(w);
	}
	return false;
}

/* For a port that connect() chose, that is. */
static bool reuse_allowed(const struct tcp_conn *c, const struct tcp_tw *w)
{
	const struct tcp_settings *set = &c->proto->set;

	if (!set->tw_reuse || tcp_now(c) / NS_PER_MS <= (w->begin_ns + set->tw_reuse_delay_ns) / NS_PER_MS)
		return false;
	return set->tw_reuse == 1 || addr_is_loopback(&c->remote.addr) || c->route.loop;
}

bool tcp_tw_reuse(struct tcp_conn *c, struct tcp_tw *w)
{
	/* RFC 6191, 2: timestamps tell the peer which is which. One that bind() chose, its user wants at once. */
	if (!w->has_ts || !(c->explicit_port || reuse_allowed(c, w)))
		return false;
	c->iss = w->snd_nxt + TCP_WINDOW_MAX + 2;
	if (!c->iss)
		c->iss = 1;
	c->ts_recent = w->ts_recent;
	c->ts_recent_ns = w->ts_recent_ns;
	tw_free(w);
	return true;
}

void tcp_tw_free_all(struct tcp_proto *p)
{
	while (!list_empty(&p->timewaits))
		tw_free(container_of(p->timewaits.next, struct tcp_tw, list));
	if (p->has_tw_timer)
		timer_fini(p->stack->clock, &p->tw_timer);
}

void tcp_tw_diag(const struct tcp_tuple *t, struct tcp_mini *out)
{
	const struct tcp_tw *w = container_of(t, const struct tcp_tw, tuple);

	*out = (struct tcp_mini){
		.state = TCPS_TIME_WAIT, .net = w->net,
		.local = { .addr = w->tuple.local, .port = w->tuple.lport },
		.remote = { .addr = w->tuple.remote, .port = w->tuple.rport },
		.expires_in_ns = w->expires_ns - w->proto->stack->clock->now_ns,
		.bind_nic = w->bind_nic, .mark = w->mark,
	};
}

void tcp_tw_drop(struct tcp_tuple *t)
{
	tw_free(container_of(t, struct tcp_tw, tuple));
}

void tcp_tw_cursor_init(struct tcp_tw_cursor *c, struct stack *s)
{
	c->proto = tcp_proto_of(s);
	c->next = c->proto->timewaits.next;
	list_push_back(&c->proto->tw_cursors, &c->list);
}

void tcp_tw_cursor_fini(struct tcp_tw_cursor *c)
{
	list_remove(&c->list);
}

bool tcp_tw_cursor_next(struct tcp_tw_cursor *c, struct tcp_mini *out)
{
	if (c->next == &c->proto->timewaits)
		return false;
	tcp_tw_diag(&container_of(c->next, struct tcp_tw, list)->tuple, out);
	c->next = c->next->next;
	return true;
}
