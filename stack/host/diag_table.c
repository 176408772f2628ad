/* The table of sockets that sock_diag's server looks through. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "host/diag.h"
#include "wire/state.h"

/* A dump's place: a cursor of the server holds a pointer to it in its first word. */
struct place {
	struct endpoint_cursor at;
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

static int table_next(void *source, uint32_t protocol, struct sock_cursor *c, struct sock_entry *e)
{
	struct diag *d = source;
	struct place *p = place_of(d, c);
	struct endpoint *ep;

	while (p && (ep = endpoint_cursor_next(&p->at)))
		if (diag_protocol_of(ep) == protocol && diag_describe(d, ep, e))
			return 1;
	return 0;
}

static void table_end(void *source, struct sock_cursor *c)
{
	struct place *p = (struct place *)(uintptr_t)c->at[0];

	if (p)
		endpoint_cursor_fini(&p->at);
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

static int table_find(void *source, uint32_t protocol, const struct sock_key *k, struct sock_cursor *c,
		      struct sock_entry *e)
{
	struct diag *d = source;
	struct stack *s = d->host->stack;
	struct demux_key key = demux_key(protocol, k);
	struct endpoint *ep;

	for (;;) {
		uint64_t step = c->at[0]++;

		if (step == 0)
			ep = by_cookie(d, k);
		else if (protocol == IPPROTO_RAW)
			ep = nth_raw(d, step - 1);
		else if (step == 1)
			ep = demux_find_exact(s, &key);
		else if (step == 2)
			ep = demux_find(s, &key);
		else
			return 0;
		if (!ep && (protocol == IPPROTO_RAW && step))
			return 0;
		memset(e, 0, sizeof(*e));
		if (ep && diag_protocol_of(ep) == protocol && diag_describe(d, ep, e))
			return 1;
	}
}

void diag_tcp_info(struct endpoint *ep, struct diag_tcp_info *ti)
{
	size_t len = sizeof(*ti);

	memset(ti, 0, sizeof(*ti));
	endpoint_get_option(ep, SOCKOPT_TCP_INFO, ti, &len);
}

static void table_info(void *source, const struct sock_entry *e, struct diag_tcp_info *ti)
{
	diag_tcp_info(e->handle, ti);
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

static int table_destroy(void *source, const struct sock_entry *e)
{
	struct diag *d = source;
	struct endpoint *ep = e->handle;
	struct diag_record *r = diag_record_of(d, ep, false);

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
	.end = table_end,
	.find = table_find,
	.info = table_info,
	.memory = table_memory,
	.destroy = table_destroy,
	.past = diag_past_next,
};
