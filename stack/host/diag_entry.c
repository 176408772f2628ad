/* An endpoint as sock_diag tells of it. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "host/diag.h"
#include "transport/dgram.h"
#include "wire/state.h"

/* The top bit of the upper word: a cookie that no socket of the kernel's has. */
#define MADE_UP (1ull << 63)

static uint64_t ep_hash(const struct endpoint *ep)
{
	return hash_mix((uint64_t)(uintptr_t)ep ^ 0x9e3779b97f4a7c15ull, 0xd1b54a32d192ed03ull);
}

struct diag_record *diag_record_of(struct diag *d, struct endpoint *ep, bool make)
{
	struct diag_record *r;

	htab_for_each_match(n, &d->records, ep_hash(ep)) {
		r = container_of(n, struct diag_record, by_ep);
		if (r->ep == ep)
			return r;
	}
	r = make ? calloc(1, sizeof(*r)) : NULL;
	if (!r)
		return NULL;
	r->ep = ep;
	r->cookie = MADE_UP | ++d->made;
	r->opened_ns = (uint64_t)ep->stack->clock->wall_ns;
	if (!htab_insert(&d->records, &r->by_ep, ep_hash(ep))) {
		free(r);
		return NULL;
	}
	return r;
}

uint32_t diag_protocol_of(const struct endpoint *ep)
{
	static const struct {
		const char *name;
		uint32_t protocol;
	} tables[] = { { "tcp", IPPROTO_TCP }, { "udp", IPPROTO_UDP }, { "raw", IPPROTO_RAW } };

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		if (!strcmp(ep->ops->name, tables[i].name))
			return tables[i].protocol;
	return 0;
}

static void put_end(uint8_t family, const struct full_addr *f, uint32_t addr_be[4], uint16_t *port_be)
{
	struct addr a = family == AF_INET6 ? addr_map(&f->addr) : f->addr;

	/* A wildcard has no length, or is of either family. */
	if (!addr_is_any(&f->addr))
		memcpy(addr_be, a.b, family == AF_INET6 ? 16 : 4);
	*port_be = htons(f->port);
}

static uint8_t state_of(uint32_t protocol, uint32_t state)
{
	if (protocol == IPPROTO_TCP)
		return (uint8_t)state;
	return state == DGRAM_CONNECTED ? DIAG_TCP_ESTABLISHED : DIAG_TCP_CLOSE;
}

/* What the socket layer keeps, as long as there is a socket. */
static void put_options(const struct endpoint *ep, const struct sock *k, uint32_t protocol, struct sock_entry *e)
{
	bool v6 = ep->net == NET_IPV6;

	e->tos = ep->opts.tos;
	e->tclass = ep->opts.traffic_class;
	e->v6only = v6 && ep->opts.v6_only;
	/* struct inet_diag_sockopt: recverr, is_icsk, freebind, hdrincl, mc_loop, transparent, mc_all */
	e->sockopt[0] = (uint8_t)((protocol == IPPROTO_TCP ? 2 : 0) | (ep->opts.multicast_loop ? 0x10 : 0) |
				  (v6 ? 0 : 0x40));
	if (!k)
		return;
	if (k->recverr)
		e->sockopt[0] |= 1;
	e->bound_port = k->bound;
	e->mark = k->mark;
	e->class_id = k->priority;
}

static void put_owner(const struct diag_record *r, struct sock_entry *e)
{
	e->msg.id.idiag_cookie[0] = (uint32_t)r->cookie;
	e->msg.id.idiag_cookie[1] = (uint32_t)(r->cookie >> 32);
	e->msg.idiag_uid = r->uid;
	e->process = r->process;
	if (r->relay) {
		e->msg.idiag_inode = r->inode;
		/* What the program wrote and the stack has not taken waits in the pair. */
		if (e->msg.idiag_state != DIAG_TCP_LISTEN)
			e->msg.idiag_wqueue += (uint32_t)relay_unread(r->relay);
	}
}

bool diag_describe(struct diag *d, struct endpoint *ep, struct sock_entry *e)
{
	uint32_t protocol = diag_protocol_of(ep);
	struct endpoint_info info;
	struct diag_record *r;

	endpoint_info(ep, &info);
	/* A kernel's tables hold what has a port; raw sockets have their protocol there. */
	if (!protocol || (protocol != IPPROTO_RAW && !info.local.port))
		return false;
	r = diag_record_of(d, ep, true);
	if (!r)
		return false;
	e->handle = ep;
	e->msg.idiag_family = ep->net == NET_IPV6 ? AF_INET6 : AF_INET;
	e->msg.idiag_state = state_of(protocol, info.state);
	e->msg.id.idiag_if = info.bind_nic;
	put_end(e->msg.idiag_family, &info.local, e->msg.id.idiag_src, &e->msg.id.idiag_sport);
	put_end(e->msg.idiag_family, &info.remote, e->msg.id.idiag_dst, &e->msg.id.idiag_dport);
	e->msg.idiag_rqueue = (uint32_t)info.rx_queue_bytes;
	e->msg.idiag_wqueue = (uint32_t)info.tx_queue_bytes;
	if (protocol == IPPROTO_RAW) {
		e->raw_protocol = info.trans_proto;
		e->msg.id.idiag_sport = htons(info.trans_proto);
		e->msg.id.idiag_dport = 0;
	}
	put_options(ep, r->relay ? r->relay->k : NULL, protocol, e);
	put_owner(r, e);
	return true;
}
