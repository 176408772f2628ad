/* Operations on names: getaddrinfo(3) and getnameinfo(3), as far as they look anything up. */
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/ops.h"
#include "host/resolve.h"

/**
 * struct lookup - a request that waits for the DNS
 * @client: NULL while the request is still being run: then the reply goes out the usual way
 * @family: as asked; @port: of the service
 * @done:   the reply is complete
 */
struct lookup {
	struct query query;
	struct client *client;
	struct host *host;
	struct stack_msg *reply;
	int flags, family;
	uint16_t port;
	bool done;
	char name[NAMES_TEXT_MAX];
};

static int eai(struct stack_msg *m, int code)
{
	m->arg[2] = 1;
	m->err = code;
	return code;
}

/* RFC 6724, 2.1: the default policy table's precedence. */
static int precedence(const struct addr *a)
{
	if (a->len == ADDR_LEN_V4)
		return 35;
	if (addr_is_loopback(a))
		return 50;
	if ((a->b[0] & 0xfe) == 0xfc)
		return 3;
	if (a->b[0] == 0x20 && a->b[1] == 0x02)
		return 30;
	if (a->w[0] == htonl(0x20010000))
		return 5;
	return 40;
}

/* Rule 1 first, avoid what cannot be reached; then rule 6. */
static int rank(struct stack *s, const struct addr *a)
{
	struct route_key key = { .remote = *a };
	struct route r = { 0 };
	bool reached = route_find(s, &key, &r) == NS_OK;

	route_release(&r);
	return (reached ? 100 : 0) + precedence(a);
}

static void sort_addrs(struct stack *s, struct addr *a, size_t n)
{
	int ranks[RESOLVE_ADDRS_MAX];

	for (size_t i = 0; i < n; i++) {
		struct addr x = a[i];
		int r = rank(s, &x);
		size_t j = i;

		for (; j > 0 && ranks[j - 1] < r; j--) {
			a[j] = a[j - 1];
			ranks[j] = ranks[j - 1];
		}
		a[j] = x;
		ranks[j] = r;
	}
}

static void put_text(struct stack_msg *m, const char *text)
{
	size_t n = strlen(text) + 1;

	memcpy(m->data, text, n);
	m->len = (uint32_t)n;
}

static void put_addrs(struct stack_msg *m, const struct lookup *l, const struct addr *a, size_t n)
{
	m->len = (m->len + 7) & ~7u;
	m->arg[1] = m->len;
	for (size_t i = 0; i < n && m->len + STACK_ADDR_MAX <= STACK_MSG_DATA; i++) {
		struct full_addr f = { .addr = a[i], .port = l->port };
		struct sockaddr_storage ss;
		bool v4 = a[i].len == ADDR_LEN_V4 && !(l->family == AF_INET6);

		sock_addr_from_full(&f, v4 ? AF_INET : AF_INET6, &ss);
		memset(m->data + m->len, 0, STACK_ADDR_MAX);
		memcpy(m->data + m->len, &ss, v4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
		m->len += STACK_ADDR_MAX;
		m->arg[0]++;
	}
}

/* What AI_ADDRCONFIG asks: an address of the family that is no loopback's. */
static bool has_family(const struct stack *s, uint8_t len)
{
	list_for_each(n, &s->nics) {
		const struct nic *nic = container_of(n, struct nic, list);

		list_for_each(an, &nic->addrs) {
			const struct nic_addr *a = container_of(an, struct nic_addr, list);

			if (a->addr.len == len && !addr_is_loopback(&a->addr) &&
			    !(len == ADDR_LEN_V6 && addr_is_link_local(&a->addr)))
				return true;
		}
	}
	return false;
}

static bool wanted(const struct lookup *l, const struct addr *a)
{
	const struct stack *s = l->host->stack;

	if (l->family == AF_INET && a->len != ADDR_LEN_V4)
		return false;
	if (l->family == AF_INET6 && a->len != ADDR_LEN_V6 && !(l->flags & AI_V4MAPPED))
		return false;
	if (!(l->flags & AI_ADDRCONFIG) ||
	    (!has_family(s, ADDR_LEN_V4) && !has_family(s, ADDR_LEN_V6)))
		return true;
	return has_family(s, a->len);
}

static void answer_with(struct stack_msg *m, struct lookup *l, const char *canonical, const struct addr *from,
			size_t n)
{
	struct addr a[RESOLVE_ADDRS_MAX];
	size_t kept = 0, v6 = 0;

	for (size_t i = 0; i < n && kept < RESOLVE_ADDRS_MAX; i++)
		if (wanted(l, &from[i])) {
			v6 += from[i].len == ADDR_LEN_V6;
			a[kept++] = from[i];
		}
	/* AI_V4MAPPED is for when there is no IPv6 address, unless AI_ALL. */
	if (l->family == AF_INET6 && v6 && !(l->flags & AI_ALL)) {
		size_t j = 0;

		for (size_t i = 0; i < kept; i++)
			if (a[i].len == ADDR_LEN_V6)
				a[j++] = a[i];
		kept = j;
	}
	if (!kept) {
		eai(m, EAI_NONAME);
		return;
	}
	sort_addrs(l->host->stack, a, kept);
	put_text(m, canonical[0] ? canonical : l->name);
	put_addrs(m, l, a, kept);
}

static void lookup_free(struct lookup *l)
{
	free(l->reply);
	free(l);
}

static void lookup_cancel(struct client *c)
{
	struct lookup *l = c->later;

	resolve_cancel(&l->query);
	lookup_free(l);
}

static void finish(struct lookup *l)
{
	l->done = true;
	if (!l->client)
		return;
	client_reply(l->client, l->reply, -1);
	lookup_free(l);
}

static void got_addrs(struct query *q, const struct answer *a)
{
	struct lookup *l = container_of(q, struct lookup, query);

	if (a->eai)
		eai(l->reply, a->eai);
	else
		answer_with(l->reply, l, a->name, a->addrs, a->n);
	finish(l);
}

static void got_name(struct query *q, const struct answer *a)
{
	struct lookup *l = container_of(q, struct lookup, query);

	if (!a->eai)
		put_text(l->reply, a->name);
	else if (a->eai == EAI_AGAIN || (l->flags & NI_NAMEREQD))	/* the first as in glibc, name required or not */
		eai(l->reply, a->eai == EAI_AGAIN ? EAI_AGAIN : EAI_NONAME);
	else
		put_text(l->reply, l->name);
	finish(l);
}

static struct lookup *lookup_new(struct request *q)
{
	struct lookup *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->host = q->host;
	l->reply = malloc(sizeof(*l->reply));
	if (!l->reply) {
		free(l);
		return NULL;
	}
	memcpy(l->reply, q->out, STACK_MSG_HEAD);
	return l;
}

/* After the look-up was started: it may be done already. */
static int wait_for(struct request *q, struct lookup *l)
{
	if (l->done) {
		memcpy(q->out, l->reply, STACK_MSG_HEAD + l->reply->len);
		lookup_free(l);
		return q->out->err;
	}
	l->client = q->client;
	q->client->later = l;
	q->client->cancel = lookup_cancel;
	q->later = true;
	return 0;
}

/* The port of @service, which may be empty; negative: an EAI_* */
static int find_port(const struct names *names, const char *service, int flags)
{
	char *end;
	unsigned long v = strtoul(service, &end, 10);
	int port;

	if (!service[0])
		return 0;
	if (isdigit((unsigned char)service[0]) && !*end)
		return v <= UINT16_MAX ? (int)v : EAI_SERVICE;
	if (flags & AI_NUMERICSERV)
		return EAI_NONAME;
	port = names_port(names, service);
	return port < 0 ? EAI_SERVICE : port;
}

/* Names that need no DNS. False: this one does. */
static bool known(struct request *q, struct lookup *l)
{
	const struct names *names = resolver_names(q->host->resolver);
	const struct host_name *h = NULL;
	struct addr a[RESOLVE_ADDRS_MAX];
	struct in_addr v4;
	size_t n = 0;

	if (!l->name[0]) {
		a[n++] = l->flags & AI_PASSIVE ? addr_v6_any : (struct addr){ .b = { [15] = 1 }, .len = ADDR_LEN_V6 };
		a[n++] = l->flags & AI_PASSIVE ? addr_v4_any : addr_v4(127, 0, 0, 1);
	} else if (addr_parse(l->name, &a[0])) {
		n = 1;
	} else if (inet_aton(l->name, &v4)) {
		a[n++] = addr_from_bytes((const uint8_t *)&v4, ADDR_LEN_V4);
	} else if (l->flags & AI_NUMERICHOST) {
		eai(q->out, EAI_NONAME);
		return true;
	} else {
		const char *canonical = NULL;

		while (n < RESOLVE_ADDRS_MAX && (h = names_find(names, l->name, h)) != NULL) {
			canonical = canonical ? canonical : h->canonical;
			a[n++] = h->addr;
		}
		if (!n)
			return false;
		answer_with(q->out, l, canonical, a, n);
		/* A name that the file knows of the other family only may be in the DNS. */
		return !q->out->err;
	}
	answer_with(q->out, l, "", a, n);
	if (q->out->err == EAI_NONAME && l->name[0])
		q->out->err = EAI_ADDRFAMILY;
	return true;
}

int op_resolve(struct request *q)
{
	const char *data = (const char *)q->in->data, *service;
	size_t name_len = strnlen(data, q->in->len), service_len;
	int64_t family = q->in->arg[1];
	struct lookup *l;
	int port;

	service = data + name_len + 1;
	if (name_len + 1 >= q->in->len || name_len >= NAMES_TEXT_MAX)
		return OP_MALFORMED;
	service_len = strnlen(service, q->in->len - name_len - 1);
	if (name_len + 1 + service_len >= q->in->len)
		return OP_MALFORMED;
	if (family != AF_UNSPEC && family != AF_INET && family != AF_INET6)
		return eai(q->out, EAI_FAMILY);
	port = find_port(resolver_names(q->host->resolver), service, (int)q->in->arg[0]);
	if (port < 0)
		return eai(q->out, port);
	l = lookup_new(q);
	if (!l)
		return eai(q->out, EAI_MEMORY);
	l->flags = (int)q->in->arg[0];
	l->family = (int)family;
	l->port = (uint16_t)port;
	memcpy(l->name, data, name_len + 1);
	if (known(q, l)) {
		int err = q->out->err;

		lookup_free(l);
		return err;
	}
	q->out->err = 0;
	q->out->arg[2] = 0;
	l->query.done = got_addrs;
	resolve_name(q->host->resolver, &l->query, l->name,
		     l->family == AF_INET6 && (l->flags & AI_V4MAPPED) ? AF_UNSPEC : l->family);
	return wait_for(q, l);
}

static void numeric(const struct host *h, const struct full_addr *f, char *out, size_t size)
{
	const struct nic *nic = f->nic ? nic_find(h->stack, f->nic) : NULL;
	char text[ADDR_STR_MAX];

	snprintf(out, size, "%s%s%s", addr_format(&f->addr, text), nic ? "%" : "", nic ? nic->name : "");
}

int op_nameinfo(struct request *q)
{
	const struct names *names = resolver_names(q->host->resolver);
	struct sockaddr_storage ss = { 0 };
	const struct host_name *known_name;
	struct full_addr f;
	struct addr plain;
	struct lookup *l;

	if (q->in->len > sizeof(ss))
		return OP_MALFORMED;
	memcpy(&ss, q->in->data, q->in->len);
	if ((ss.ss_family != AF_INET && ss.ss_family != AF_INET6) ||
	    sock_addr_to_full((struct sockaddr *)&ss, q->in->len, ss.ss_family, &f))
		return eai(q->out, EAI_FAMILY);
	l = lookup_new(q);
	if (!l)
		return eai(q->out, EAI_MEMORY);
	l->flags = (int)q->in->arg[0];
	numeric(q->host, &f, l->name, sizeof(l->name));
	plain = addr_unmap(&f.addr);
	known_name = names_of(names, &plain);
	if (l->flags & NI_NUMERICHOST || known_name) {
		put_text(q->out, l->flags & NI_NUMERICHOST ? l->name : known_name->name);
		lookup_free(l);
		return 0;
	}
	l->query.done = got_name;
	resolve_addr(q->host->resolver, &l->query, &plain);
	return wait_for(q, l);
}
