/* An endpoint as sock_diag tells of it. */
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "host/diag.h"
#include "transport/dgram.h"
#include "transport/tcp/diag.h"
#include "wire/state.h"

/* The top bit of the upper word: a cookie that no socket of the kernel's has. */
#define MADE_UP (1ull << 63)

struct diag_record *diag_record_make(struct diag *d, struct endpoint *ep)
{
	struct diag_record *r = ep->books;

	if (r)
		return r;
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->cookie = MADE_UP | ++d->made;
	r->opened_ns = (uint64_t)ep->stack->clock->wall_ns;
	ep->books = r;
	return r;
}

static void put_end(uint8_t family, const struct full_addr *f, uint32_t addr_be[4], uint16_t *port_be)
{
	/* A wildcard has no length, or is of either family: it is not mapped. */
	if (family == AF_INET6 && f->addr.len == ADDR_LEN_V4 && !addr_is_any(&f->addr)) {
		struct addr a = addr_map(&f->addr);

		memcpy(addr_be, a.b, sizeof(a.b));
	} else {
		memcpy(addr_be, f->addr.b, sizeof(f->addr.b)); /* behind an IPv4 address there is zero */
	}
	*port_be = htons(f->port);
}

static bool is_v6_alone(const uint32_t addr_be[4])
{
	struct addr a = addr_from_bytes((const uint8_t *)addr_be, ADDR_LEN_V6);

	return !addr_is_any(&a) && !addr_is_v4_mapped(&a);
}

/* What the socket layer keeps, as long as there is a socket. */
static void put_options(const struct endpoint *ep, const struct sock *k, uint32_t protocol, struct sock_entry *e)
{
	bool v6 = ep->net == NET_IPV6;

	e->mark = ep->opts.mark;
	e->tos = ep->opts.tos;
	e->tclass = ep->opts.traffic_class;
	/* To be bound to an address of IPv6's alone is to be open to IPv6 alone (inet6_bind()). */
	e->v6only = v6 && protocol != IPPROTO_RAW && (ep->opts.v6_only || is_v6_alone(e->msg.id.idiag_src));
	/* struct inet_diag_sockopt: recverr, is_icsk, freebind, hdrincl, mc_loop, transparent, mc_all */
	e->sockopt[0] = (uint8_t)((protocol == IPPROTO_TCP ? 2 : 0) | (ep->opts.multicast_loop ? 0x10 : 0) |
				  (v6 ? 0 : 0x40));
	if (!k)
		return;
	if (k->recverr)
		e->sockopt[0] |= 1;
	if (protocol != IPPROTO_TCP)
		e->bound_port = k->bound;
	e->class_id = k->priority;
}

/* In the queue of a listening socket, so that no program has it yet. */
static bool is_offered(const struct relay *r)
{
	return r->state != STACK_BOARD_LISTENING && !list_empty(&r->offered) && !r->moved;
}

static void put_owner(const struct diag_record *r, struct sock_entry *e)
{
	e->msg.id.idiag_cookie[0] = (uint32_t)r->cookie;
	e->msg.id.idiag_cookie[1] = (uint32_t)(r->cookie >> 32);
	e->msg.idiag_uid = e->kind == SOCK_KIND_TIMEWAIT ? 0 : r->uid;
	e->msg.idiag_inode = r->relay && !is_offered(r->relay) ? r->inode : 0;
	e->process = r->process;
}

static uint32_t ms_of(int64_t ns)
{
	return ns <= 0 ? 0 : ns / NS_PER_MS > UINT32_MAX ? UINT32_MAX : (uint32_t)(ns / NS_PER_MS);
}

/* Whether it is one of those that a kernel has in its tables. */
static bool put_tcp(struct endpoint *ep, bool gone, struct sock_entry *e)
{
	struct inet_diag_msg *m = &e->msg;
	struct tcp_diag t;

	tcp_diag(ep, &t);
	if (!t.local->port || (t.state == TCPS_CLOSE && !t.bound && !gone))
		return false;
	put_end(m->idiag_family, t.local, m->id.idiag_src, &m->id.idiag_sport);
	put_end(m->idiag_family, t.remote, m->id.idiag_dst, &m->id.idiag_dport);
	m->idiag_state = (uint8_t)t.state;
	m->idiag_rqueue = t.rqueue;
	m->idiag_wqueue = t.wqueue;
	m->idiag_timer = (uint8_t)t.timer;
	m->idiag_expires = ms_of(t.expires_in_ns);
	m->idiag_retrans = t.retrans;
	e->kind = t.time_wait ? SOCK_KIND_TIMEWAIT : t.state == TCPS_CLOSE ? SOCK_KIND_BOUND : SOCK_KIND_FULL;
	e->shutdown = (uint8_t)(t.rx_shut | t.tx_shut << 1);
	e->bound_port = t.bound_port;
	return true;
}

static bool put_dgram(struct endpoint *ep, uint32_t protocol, struct sock_entry *e)
{
	struct inet_diag_msg *m = &e->msg;
	const struct dgram *g = dgram_of(ep);
	struct endpoint_info info;

	endpoint_info(ep, &info);
	if (protocol != IPPROTO_RAW && !info.local.port)
		return false;
	put_end(m->idiag_family, &info.local, m->id.idiag_src, &m->id.idiag_sport);
	put_end(m->idiag_family, &info.remote, m->id.idiag_dst, &m->id.idiag_dport);
	m->idiag_state = info.state == DGRAM_CONNECTED ? DIAG_TCP_ESTABLISHED : DIAG_TCP_CLOSE;
	m->idiag_rqueue = (uint32_t)info.rx_queue_bytes;
	m->idiag_wqueue = (uint32_t)info.tx_queue_bytes;
	e->shutdown = (uint8_t)(g->rx_shut | g->tx_shut << 1);
	if (protocol == IPPROTO_RAW) {
		/* Where others have their port these have their protocol. */
		e->raw_protocol = info.trans_proto;
		m->id.idiag_sport = htons(info.trans_proto);
		m->id.idiag_dport = 0;
	}
	return true;
}

bool diag_describe(struct diag *d, struct endpoint *ep, bool gone, struct sock_entry *e)
{
	uint32_t protocol = diag_protocol_of(ep);
	struct diag_record *r;

	e->handle = ep;
	e->msg.idiag_family = diag_family_of(ep);
	e->msg.id.idiag_if = ep->opts.bind_nic;
	if (!protocol || !(protocol == IPPROTO_TCP ? put_tcp(ep, gone, e) : put_dgram(ep, protocol, e)))
		return false;
	r = diag_record_make(d, ep);
	if (!r)
		return false;
	put_options(ep, r->relay ? r->relay->k : NULL, protocol, e);
	put_owner(r, e);
	return true;
}

/* Bytes that the program has not read yet, of those that the stack has given: the kernel tells the memory that
 * they take in the pair, which is more. It is asked only if there may be some. */
static uint32_t unread_by_program(struct diag_record *rec, uint64_t taken)
{
	int memory = 0;

	if (taken == rec->emptied || ioctl(rec->relay->fd, SIOCOUTQ, &memory) < 0)
		return 0;
	if (memory <= 0) {
		rec->emptied = taken;
		return 0;
	}
	return taken < (uint64_t)memory ? (uint32_t)taken : (uint32_t)memory;
}

/* What waits in the pair: what the program wrote and the stack has not taken, and what it has not read. */
static void put_pair(struct diag_record *rec, uint32_t protocol, struct inet_diag_msg *m)
{
	const struct relay *r = rec->relay;
	uint32_t unread;

	if (m->idiag_state == DIAG_TCP_LISTEN) {
		/* Whom it has not accepted yet; of the backlog the stack is told only the rest. */
		m->idiag_rqueue += r->pushed;
		m->idiag_wqueue += r->pushed;
		return;
	}
	if (r->pending || (r->ready & RELAY_PAIR_IN))
		m->idiag_wqueue += (uint32_t)relay_unread(r);
	if (protocol != IPPROTO_TCP)
		return;
	unread = unread_by_program(rec, tcp_diag_taken(r->k->ep));
	/* A FIN counts until it is read: who was told of it and has read what is before it, is taken to have done that. */
	if ((r->shut & RELAY_SHUT_WR) && m->idiag_rqueue && !unread)
		m->idiag_rqueue--;
	m->idiag_rqueue += unread;
}

void diag_complete(void *source, struct sock_entry *e, uint8_t ext)
{
	struct endpoint *ep = e->handle;
	struct diag_record *r = ep ? diag_record_of(ep) : NULL;

	if (r && r->relay)
		put_pair(r, diag_protocol_of(ep), &e->msg);
	else if (r && r->told_fin && e->msg.idiag_rqueue)
		e->msg.idiag_rqueue--;
	if (ep && (ext & DIAG_EXT_CONG) && diag_protocol_of(ep) == IPPROTO_TCP)
		e->cong = tcp_diag_congestion(ep);
}

void diag_describe_mini(const struct diag *d, const struct tcp_mini *m, struct sock_entry *e)
{
	const struct hash_key *key = &d->host->stack->key;
	uint64_t ports = (uint64_t)m->local.port << 16 | m->remote.port;
	/* There is nothing to name it by but what it is. */
	uint64_t cookie = MADE_UP | hash_addr(key, &m->local.addr, hash_addr(key, &m->remote.addr, ports));
	bool waits = m->state == TCPS_TIME_WAIT;

	e->kind = waits ? SOCK_KIND_TIMEWAIT : SOCK_KIND_REQUEST;
	e->msg.idiag_family = m->net == NET_IPV6 ? AF_INET6 : AF_INET;
	e->msg.idiag_state = waits ? DIAG_TCP_TIME_WAIT : DIAG_TCP_SYN_RECV;
	put_end(e->msg.idiag_family, &m->local, e->msg.id.idiag_src, &e->msg.id.idiag_sport);
	put_end(e->msg.idiag_family, &m->remote, e->msg.id.idiag_dst, &e->msg.id.idiag_dport);
	e->msg.id.idiag_cookie[0] = (uint32_t)cookie;
	e->msg.id.idiag_cookie[1] = (uint32_t)(cookie >> 32);
	e->msg.idiag_timer = waits ? TCP_TIMER_TIME_WAIT : TCP_TIMER_RTX;
	e->msg.idiag_expires = ms_of(m->expires_in_ns);
	e->msg.idiag_retrans = m->retransmits;
	e->msg.id.idiag_if = m->bind_nic;
	e->mark = m->mark;
}
