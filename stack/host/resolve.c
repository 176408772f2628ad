/*
 * Looking names up.
 *
 * Theory of operation. c-ares does the DNS; what it takes for descriptors are numbers of our own, each
 * standing for a socket of the stack. Their wait queues note what they are ready for, and the
 * resolver's turn tells c-ares. Its one timer is kept in step with c-ares's. Files are read at the
 * start, before the host has given up the right to; only the DNS is asked later.
 */
#include "host/resolve.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#include "socket/sock.h"

enum { SLOTS = 64, FIRST_FD = 1 << 24, REVERSE_NAME_MAX = 80 };

/** struct slot - a socket of c-ares's; free if @k is NULL. @ready: enum wait_event, noted */
struct slot {
	struct resolver *resolver;
	struct sock *k;
	struct waiter waiter;
	uint32_t ready;
};

struct resolver {
	struct source src;
	struct host *host;
	struct names names;
	ares_channel channel;
	bool has_channel;
	struct timer timer;
	struct slot slots[SLOTS];
	size_t queries;
};

/** struct pending - c-ares's hold on a query; @q NULL: cancelled. @addr: whose name is looked up, if it is one's */
struct pending {
	struct resolver *resolver;
	struct query *q;
	struct addr addr;
};

const struct names *resolver_names(const struct resolver *r)
{
	return &r->names;
}

static void note(struct waiter *w, uint32_t events)
{
	struct slot *s = container_of(w, struct slot, waiter);

	s->ready |= events;
	loop_wake(&s->resolver->host->loop, &s->resolver->src);
}

static struct slot *slot_of(struct resolver *r, ares_socket_t fd)
{
	int i = fd - FIRST_FD;

	return i >= 0 && i < SLOTS && r->slots[i].k ? &r->slots[i] : NULL;
}

/* As glibc does it: that a server cannot be reached is to be known at once, and not after all attempts have timed out. */
static void hear_errors(struct sock *k)
{
	const int on = 1;

	if (k->type == SOCK_DGRAM && k->domain == AF_INET)
		sock_setopt(k, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
	else if (k->type == SOCK_DGRAM)
		sock_setopt(k, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
}

static ares_socket_t dns_socket(int domain, int type, int protocol, void *ctx)
{
	struct resolver *r = ctx;
	int err;

	for (int i = 0; i < SLOTS; i++) {
		struct slot *s = &r->slots[i];

		if (s->k)
			continue;
		err = sock_new(r->host->stack, domain, type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC), protocol, &s->k);
		if (err) {
			s->k = NULL;
			errno = -err;
			return ARES_SOCKET_BAD;
		}
		hear_errors(s->k);
		s->resolver = r;
		s->ready = 0;
		s->waiter = (struct waiter){ .mask = WAIT_ALL, .fn = note };
		waiter_add(&s->k->ep->wq, &s->waiter);
		return FIRST_FD + i;
	}
	errno = EMFILE;
	return ARES_SOCKET_BAD;
}

static int dns_close(ares_socket_t fd, void *ctx)
{
	struct slot *s = slot_of(ctx, fd);

	if (s) {
		sock_close(s->k);
		s->k = NULL;
	}
	return 0;
}

static int dns_connect(ares_socket_t fd, const struct sockaddr *a, ares_socklen_t len, void *ctx)
{
	struct slot *s = slot_of(ctx, fd);
	int err = s ? sock_connect(s->k, a, len) : -EBADF;

	errno = -err;
	return err ? -1 : 0;
}

static ares_ssize_t dns_recv(ares_socket_t fd, void *buf, size_t room, int flags, struct sockaddr *from,
			     ares_socklen_t *from_len, void *ctx)
{
	struct slot *s = slot_of(ctx, fd);
	struct iovec iov = { buf, room };
	struct sock_msg m = { 0 };
	ssize_t n = s ? sock_recv(s->k, &iov, 1, &m, 0) : -EBADF;

	if (n < 0) {
		errno = (int)-n;
		return -1;
	}
	if (from && from_len) {
		if (*from_len > m.addr_len)
			*from_len = m.addr_len;
		memcpy(from, &m.addr, *from_len);
	}
	return n;
}

static ares_ssize_t dns_send(ares_socket_t fd, const struct iovec *iov, int n, void *ctx)
{
	struct slot *s = slot_of(ctx, fd);
	ssize_t sent = s ? sock_send(s->k, iov, n, NULL, 0) : -EBADF;

	if (sent < 0) {
		errno = (int)-sent;
		return -1;
	}
	return sent;
}

static const struct ares_socket_functions dns_functions = {
	dns_socket, dns_close, dns_connect, dns_recv, dns_send,
};

static void rearm(struct resolver *r)
{
	struct timeval tv, *next = ares_timeout(r->channel, NULL, &tv);

	if (next)
		timer_arm_in(r->host->stack->clock, &r->timer,
			     next->tv_sec * NS_PER_SEC + next->tv_usec * NS_PER_US + NS_PER_MS);
	else
		timer_disarm(&r->timer);
}

static void resolver_timeout(struct timer *t)
{
	struct resolver *r = container_of(t, struct resolver, timer);

	loop_wake(&r->host->loop, &r->src);
}

static void resolver_turn(struct source *src)
{
	struct resolver *r = container_of(src, struct resolver, src);

	for (int i = 0; i < SLOTS; i++) {
		struct slot *s = &r->slots[i];
		uint32_t ready = s->ready;
		ares_socket_t fd = FIRST_FD + i;

		s->ready = 0;
		if (s->k && ready)
			ares_process_fd(r->channel,
					ready & (WAIT_IN | WAIT_ERR | WAIT_HUP) ? fd : ARES_SOCKET_BAD,
					ready & (WAIT_OUT | WAIT_ERR | WAIT_HUP) ? fd : ARES_SOCKET_BAD);
	}
	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	rearm(r);
}

static int set_servers(struct resolver *r)
{
	char csv[SPEC_DNS * (ADDR_STR_MAX + 4)] = "", text[ADDR_STR_MAX];
	size_t n = 0;

	for (size_t i = 0; i < r->host->spec.ndns; i++) {
		const struct addr *a = &r->host->spec.dns[i];

		n += (size_t)snprintf(csv + n, sizeof(csv) - n, a->len == ADDR_LEN_V6 ? "%s[%s]" : "%s%s",
				      i ? "," : "", addr_format(a, text));
	}
	return n ? ares_set_servers_csv(r->channel, csv) : ARES_SUCCESS;
}

struct resolver *resolver_new(struct host *h)
{
	static char dns_only[] = "b";
	struct ares_options o = { .flags = ARES_FLAG_NOALIASES, .lookups = dns_only, .tries = 2 };
	struct resolver *r = calloc(1, sizeof(*r));

	if (!r || !names_init(&r->names, "/etc/hosts", "/etc/services")) {
		free(r);
		return NULL;
	}
	source_init(&r->src, resolver_turn);
	timer_init(&r->timer, resolver_timeout);
	r->host = h;
	r->has_channel = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS &&
			 ares_init_options(&r->channel, &o,
					   ARES_OPT_FLAGS | ARES_OPT_LOOKUPS | ARES_OPT_TRIES) == ARES_SUCCESS;
	if (!r->has_channel) {
		resolver_free(r);
		return NULL;
	}
	ares_set_socket_functions(r->channel, &dns_functions, r);
	if (set_servers(r) != ARES_SUCCESS) {
		resolver_free(r);
		return NULL;
	}
	return r;
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	if (r->has_channel)
		ares_destroy(r->channel);
	timer_fini(r->host->stack->clock, &r->timer);
	list_remove(&r->src.node);
	names_fini(&r->names);
	free(r);
}

static int eai_of(int status)
{
	switch (status) {
	case ARES_SUCCESS:
		return 0;
	case ARES_ENODATA:
	case ARES_ENOTFOUND:
	case ARES_ENONAME:
	case ARES_EBADNAME:
		return EAI_NONAME;
	case ARES_ENOMEM:
		return EAI_MEMORY;
	case ARES_ESERVFAIL:
	case ARES_ECONNREFUSED:
	case ARES_ETIMEOUT:
	case ARES_EREFUSED:
	case ARES_ECANCELLED:
	case ARES_EDESTRUCTION:
		return EAI_AGAIN;
	default:
		return EAI_FAIL;
	}
}

static void finish(struct pending *p, const struct answer *a)
{
	struct query *q = p->q;

	p->resolver->queries--;
	free(p);
	if (q) {
		q->pending = NULL;
		q->done(q, a);
	}
}

static void got_addrs(void *arg, int status, int timeouts, struct ares_addrinfo *res)
{
	struct answer a = { .eai = eai_of(status) };

	for (struct ares_addrinfo_node *n = res ? res->nodes : NULL; n && a.n < RESOLVE_ADDRS_MAX; n = n->ai_next) {
		struct full_addr f;

		if (!sock_addr_to_full(n->ai_addr, n->ai_addrlen, n->ai_family, &f))
			a.addrs[a.n++] = f.addr;
	}
	/* The last of a chain of aliases is the canonical name. */
	for (struct ares_addrinfo_cname *c = res ? res->cnames : NULL; c; c = c->next)
		if (c->name)
			snprintf(a.name, sizeof(a.name), "%s", c->name);
	if (res)
		ares_freeaddrinfo(res);
	if (!a.eai && !a.n)
		a.eai = EAI_NONAME;
	finish(arg, &a);
}

static void got_name(void *arg, int status, int timeouts, unsigned char *reply, int len)
{
	struct pending *p = arg;
	struct hostent *h = NULL;
	struct answer a;

	if (status == ARES_SUCCESS)
		status = ares_parse_ptr_reply(reply, len, p->addr.b, p->addr.len,
					      p->addr.len == ADDR_LEN_V4 ? AF_INET : AF_INET6, &h);
	a = (struct answer){ .eai = eai_of(status) };
	if (h && h->h_name)
		snprintf(a.name, sizeof(a.name), "%s", h->h_name);
	else if (!a.eai)
		a.eai = EAI_NONAME;
	if (h)
		ares_free_hostent(h);
	finish(p, &a);
}

static struct pending *start(struct resolver *r, struct query *q)
{
	struct answer none = { .eai = EAI_AGAIN };
	struct pending *p = r->queries < RESOLVE_QUERIES_MAX ? calloc(1, sizeof(*p)) : NULL;

	q->pending = p;
	if (!p) {
		q->done(q, &none);
		return NULL;
	}
	p->resolver = r;
	p->q = q;
	r->queries++;
	return p;
}

void resolve_name(struct resolver *r, struct query *q, const char *name, int family)
{
	/* Sorting would ask the kernel for its routes. */
	struct ares_addrinfo_hints hints = { .ai_family = family, .ai_flags = ARES_AI_NOSORT };
	struct pending *p = start(r, q);

	if (!p)
		return;
	ares_getaddrinfo(r->channel, name, NULL, &hints, got_addrs, p);
	rearm(r);
}

/* The name under which the DNS keeps the name of @addr (RFC 1035 3.5, RFC 3596 2.5). */
static void reverse_name(const struct addr *addr, char out[REVERSE_NAME_MAX])
{
	size_t n = 0;

	for (int i = addr->len; i-- > 0;)
		n += (size_t)(addr->len == ADDR_LEN_V4
				      ? snprintf(out + n, REVERSE_NAME_MAX - n, "%u.", addr->b[i])
				      : snprintf(out + n, REVERSE_NAME_MAX - n, "%x.%x.", addr->b[i] & 15u, addr->b[i] >> 4));
	snprintf(out + n, REVERSE_NAME_MAX - n, addr->len == ADDR_LEN_V4 ? "in-addr.arpa" : "ip6.arpa");
}

/* Not by ares_gethostbyaddr, which calls it "not found" also where no server answered. */
void resolve_addr(struct resolver *r, struct query *q, const struct addr *addr)
{
	struct pending *p = start(r, q);
	char name[REVERSE_NAME_MAX];

	if (!p)
		return;
	p->addr = *addr;
	reverse_name(addr, name);
	ares_query(r->channel, name, ns_c_in, ns_t_ptr, got_name, p);
	rearm(r);
}

void resolve_cancel(struct query *q)
{
	if (q->pending)
		q->pending->q = NULL;
	q->pending = NULL;
}
