/* The table of sockets that sock_diag's server looks through. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "host/diag.h"
#include "transport/tcp/diag.h"
#include "wire/copy.h"
#include "wire/state.h"

enum { HANDSHAKES_MAX = 4096 };

/**
 * struct place - where a dump is; a cursor of the server holds a pointer to it in its first word
 * @at:    among the endpoints; behind them @tw, which is set up when @in_tw
 * @reqs:  handshakes of the listener told of last, @nreqs of them, of which @told are told of
 */
struct place {
	struct endpoint_cursor at;
	struct tcp_tw_cursor tw;
	bool in_tw;
	struct tcp_mini *reqs;
	size_t nreqs, told;
};

static struct place *place_of(struct diag *d, struct sock_cursor *c)
{
	struct place *p = (struct place *)(uintptr_t)c->at[0];

	if (!p) {
		p = calloc(1, sizeof(*p));
		if (!p)
			return NULL;
		endpoint_cursor_init(&p->at, d->host->stack);
		c->at[0] = (uintptr_t)p;
	}
	return p;
}

/* Those of a listener, which are told of behind it: as many as there are at this moment. */
static void take_handshakes(struct place *p, struct endpoint *ep)
{
	size_t n = tcp_handshake_count(ep);

	if (n > HANDSHAKES_MAX)
		n = HANDSHAKES_MAX;
	free(p->reqs);
	p->reqs = n ? calloc(n, sizeof(*p->reqs)) : NULL;
	p->told = 0;
	p->nreqs = p->reqs ? tcp_handshakes(ep, p->reqs, n) : 0;
}

static int next_mini(struct diag *d, struct place *p, struct sock_entry *e)
{
	struct tcp_mini m;

	if (!p->in_tw)
		tcp_tw_cursor_init(&p->tw, d->host->stack);
	p->in_tw = true;
	if (!tcp_tw_cursor_next(&p->tw, &m))
		return 0;
	diag_describe_mini(d, &m, e);
	return 1;
}

/* Whether a dump is of such endpoints. */
static bool is_wanted(const struct endpoint *ep, uint32_t protocol, uint8_t family)
{
	return diag_protocol_of(ep) == protocol && (!family || family == diag_family_of(ep));
}

static void prefetch_relay(const struct endpoint *ep)
{
	const struct diag_record *r = diag_record_of(ep);

	if (!r || !r->relay)
		return;
	__builtin_prefetch(&r->relay->k);
	__builtin_prefetch(&r->relay->pending);
	__builtin_prefetch(&r->relay->shut);
}

static void prefetch_parts(const struct endpoint *ep, uint32_t protocol)
{
	if (protocol == IPPROTO_TCP)
		tcp_diag_prefetch(ep);
	__builtin_prefetch(ep->books);
	if (ep->owner) {
		const struct sock *k = ep->owner;

		__builtin_prefetch(&k->priority);
		__builtin_prefetch(&k->recverr);
	}
}

/*
 * Most of what a socket costs is waiting for memory. So what will be read of the next ones is fetched while this one
 * is told of, in the order in which one leads to the other: of the third the endpoint, of the second
 * what that points to, of the first the relay.
 */
static void prefetch(const struct place *p, uint32_t protocol, uint8_t family)
{
	const struct endpoint *next[3];
	int n = endpoint_cursor_ahead(&p->at, next, 3);

	if (n > 0 && is_wanted(next[0], protocol, family))
		prefetch_relay(next[0]);
	if (n > 1 && is_wanted(next[1], protocol, family))
		prefetch_parts(next[1], protocol);
	if (n > 2) {
		__builtin_prefetch(next[2]);
		__builtin_prefetch(&next[2]->books);
		__builtin_prefetch(&next[2]->opts.bind_nic);
	}
}

static int table_next(void *source, uint32_t protocol, struct sock_cursor *c, struct sock_entry *e)
{
	struct diag *d = source;
	struct place *p = place_of(d, c);
	struct endpoint *ep;

	if (!p)
		return 0;
	if (p->told < p->nreqs) {
		diag_describe_mini(d, &p->reqs[p->told++], e);
		return 1;
	}
	ep = endpoint_cursor_next(&p->at);
	if (!ep)
		return protocol == IPPROTO_TCP ? next_mini(d, p, e) : 0;
	prefetch(p, protocol, c->family);
	if (!is_wanted(ep, protocol, c->family) || !diag_describe(d, ep, false, e))
		return SOCK_LEFT_OUT;
	if (e->msg.idiag_state == DIAG_TCP_LISTEN)
		take_handshakes(p, ep);
	return 1;
}

static void table_end(void *source, struct sock_cursor *c)
{
	struct place *p = (struct place *)(uintptr_t)c->at[0];

	if (!p)
		return;
	endpoint_cursor_fini(&p->at);
	if (p->in_tw)
		tcp_tw_cursor_fini(&p->tw);
	free(p->reqs);
	free(p);
	c->at[0] = 0;
}

static struct addr address(uint8_t family, const uint32_t addr_be[4])
{
	struct addr a = addr_from_bytes((const uint8_t *)addr_be, family == AF_INET ? ADDR_LEN_V4 : ADDR_LEN_V6);

	return addr_unmap(&a);
}

static struct demux_key demux_key(uint32_t protocol, const struct sock_key *k)
{
	struct demux_key out = {
		.local = address(k->family, k->local_be),
		.remote = address(k->family, k->peer_be),
		.lport = ntohs(k->lport_be),
		.rport = ntohs(k->pport_be),
		.nic = k->ifindex,
		.proto = (uint8_t)protocol,
	};

	out.net = out.local.len == ADDR_LEN_V4 ? NET_IPV4 : NET_IPV6;
	return out;
}

/* Who has it by name: cookies are relays', unless they were made up. */
static struct endpoint *by_cookie(struct diag *d, const struct sock_key *k)
{
	struct relay *r = relay_find(d->host, k->cookie);

	return r ? r->k->ep : NULL;
}

/* Raw sockets have no index: there are few. */
static struct endpoint *nth_raw(struct diag *d, uint64_t n)
{
	list_for_each(l, &d->host->stack->endpoints) {
		struct endpoint *ep = container_of(l, struct endpoint, all);

		if (diag_protocol_of(ep) == IPPROTO_RAW && !n--)
			return ep;
	}
	return NULL;
}

/* The candidate at a step; or NULL, with *@mini telling whether @m is one. *@end: there are no more. */
static struct endpoint *candidate(struct diag *d, uint32_t protocol, const struct sock_key *k, uint64_t step, bool *end,
				  bool *mini, struct tcp_mini *m)
{
	struct stack *s = d->host->stack;
	struct demux_key key = demux_key(protocol, k);
	struct endpoint *ep;

	*mini = *end = false;
	if (step == 0)
		return by_cookie(d, k);
	if (protocol == IPPROTO_RAW) {
		ep = nth_raw(d, step - 1);
		*end = !ep;
		return ep;
	}
	if (step == 1)
		return protocol == IPPROTO_TCP ? tcp_find(s, &key, mini, m) : demux_find_exact(s, &key);
	*end = step > 2;
	return *end ? NULL : demux_find(s, &key);
}

static int table_find(void *source, uint32_t protocol, const struct sock_key *k, struct sock_cursor *c,
		      struct sock_entry *e)
{
	struct diag *d = source;
	struct tcp_mini m;
	bool end, mini;

	do {
		struct endpoint *ep = candidate(d, protocol, k, c->at[0]++, &end, &mini, &m);

		diag_clear(e, sizeof(*e));
		if (mini) {
			diag_describe_mini(d, &m, e);
			return 1;
		}
		if (ep && diag_protocol_of(ep) == protocol && diag_describe(d, ep, false, e))
			return 1;
	} while (!end);
	return 0;
}

_Static_assert(sizeof(struct diag_tcp_info) == sizeof(struct tcp_conn_info), "one structure under two names");

void diag_tcp_info(struct endpoint *ep, struct diag_tcp_info *ti)
{
	/* Both are byte for byte Linux's. */
	tcp_diag_info(ep, (struct tcp_conn_info *)ti);
}

static void table_info(void *source, const struct sock_entry *e, struct diag_tcp_info *ti)
{
	diag_tcp_info(e->handle, ti);
	/* A listener's accept queue and its bound, which are in part in the pair. */
	if (e->msg.idiag_state == DIAG_TCP_LISTEN) {
		ti->unacked = e->msg.idiag_rqueue;
		ti->sacked = e->msg.idiag_wqueue;
	}
}

static void table_memory(void *source, const struct sock_entry *e, uint32_t mem[SK_MEMINFO_VARS])
{
	struct endpoint_info info;

	endpoint_info(e->handle, &info);
	mem[SK_MEMINFO_RMEM_ALLOC] = (uint32_t)info.rx_queue_bytes;
	mem[SK_MEMINFO_RCVBUF] = info.rx_buffer_bytes;
	mem[SK_MEMINFO_WMEM_ALLOC] = (uint32_t)info.tx_queue_bytes;
	mem[SK_MEMINFO_WMEM_QUEUED] = (uint32_t)info.tx_queue_bytes;
	mem[SK_MEMINFO_SNDBUF] = info.tx_buffer_bytes;
	mem[SK_MEMINFO_DROPS] = (uint32_t)info.rx_dropped;
}

static int destroy_mini(struct diag *d, const struct sock_entry *e)
{
	const struct inet_diag_sockid *id = &e->msg.id;
	struct sock_key k = {
		.family = e->msg.idiag_family, .lport_be = id->idiag_sport, .pport_be = id->idiag_dport,
	};
	struct demux_key key;

	memcpy(k.local_be, id->idiag_src, sizeof(k.local_be));
	memcpy(k.peer_be, id->idiag_dst, sizeof(k.peer_be));
	key = demux_key(IPPROTO_TCP, &k);
	return tcp_mini_drop(d->host->stack, &key) ? 0 : -ENOENT;
}

static int table_destroy(void *source, const struct sock_entry *e)
{
	struct diag *d = source;
	struct endpoint *ep = e->handle;
	struct diag_record *r = ep ? diag_record_of(ep) : NULL;

	if (!ep)
		return destroy_mini(d, e);
	if (r && r->relay) {
		relay_kill(r->relay, ECONNABORTED);
		return 0;
	}
	if (!ep->ops->abort)
		return -EOPNOTSUPP;
	ep->ops->abort(ep);
	return 0;
}

const struct sock_source_ops diag_table_ops = {
	.next = table_next,
	.complete = diag_complete,
	.end = table_end,
	.find = table_find,
	.info = table_info,
	.memory = table_memory,
	.destroy = table_destroy,
	.past = diag_past_next,
};
