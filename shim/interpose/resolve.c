/* resolve.c - getaddrinfo by the stack host: names are looked up there, over the stack's own sockets; services, numbers and
 * the shape of the answer are made here.
 */
#include "interpose/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "interpose/redirect.h"
#include "run/config.h"

#define ADDRS_MAX (STACK_MSG_DATA / STACK_ADDR_MAX)

/* An entry of the list. What stands between it and its address tells it from one of libc's. */
struct entry {
	struct addrinfo ai;
	uint64_t magic[2];
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} addr;
};

#define MAGIC 0x6f666e6972646461ull

bool resolve_redirected(void)
{
	if (LIKELY(!run_config()->stack) || hook_vforked)
		return false;
	hook_alive();
	return client.on;
}

int resolve_name(const char *name, int flags, int family, uint8_t *addrs, int room, char *canon, size_t n)
{
	uint8_t reply[STACK_MSG_DATA], text[1024] = { 0 };
	size_t len = strlen(name), end;
	struct client_request q = { .op = STACK_OP_RESOLVE, .arg = { flags, family }, .data = text, .len = len + 2,
				    .out = reply, .room = sizeof(reply), .slow = true };
	int err, count = 0;

	if (len + 2 > sizeof(text))
		return EAI_NONAME;
	memcpy(text, name, len);
	err = client_ask(&q);
	if (err) {
		if (q.arg[2] == 1)
			return err;
		errno = -err;
		return EAI_SYSTEM;
	}
	end = q.out_len < sizeof(reply) ? q.out_len : sizeof(reply);
	if (canon && n) {
		size_t fits = strnlen((char *)reply, end);

		fits = fits < n - 1 ? fits : n - 1;
		memcpy(canon, reply, fits);
		canon[fits] = 0;
	}
	for (; count < room && count < q.arg[0]; count++) {
		uint64_t at = (uint64_t)q.arg[1] + (uint64_t)count * STACK_ADDR_MAX;

		if (at > end || end - at < STACK_ADDR_MAX)
			break;
		memcpy(addrs + (size_t)count * STACK_ADDR_MAX, reply + at, STACK_ADDR_MAX);
	}
	return count;
}

/* What an answer is made for: a kind of socket and its port. */
struct kind {
	int type, protocol;
	in_port_t port;		/* network order */
};

static const struct {
	int type, protocol;
	const char *name;
} all_kinds[] = {
	{ SOCK_STREAM, IPPROTO_TCP, "tcp" }, { SOCK_DGRAM, IPPROTO_UDP, "udp" }, { SOCK_RAW, 0, NULL },
};

static bool parse_port(const char *s, in_port_t *port)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);

	*port = htons((uint16_t)v);
	return *s && !*end && *s >= '0' && *s <= '9';
}

static bool service_port(const char *service, const char *protocol, in_port_t *port)
{
	struct servent ent, *got = NULL;
	char buf[1024];

	if (!protocol || getservbyname_r(service, protocol, &ent, buf, sizeof(buf), &got) != 0 || !got)
		return false;
	*port = (in_port_t)got->s_port;
	return true;
}

/* The kinds of sockets that the hints and the service leave. How many, or an EAI_ code. */
static int find_kinds(struct kind *out, const char *service, const struct addrinfo *h)
{
	in_port_t port = 0;
	bool numeric = !service || parse_port(service, &port), known = false;
	int n = 0;

	for (size_t i = 0; i < 3; i++) {
		if (h->ai_socktype && h->ai_socktype != all_kinds[i].type)
			continue;
		if (h->ai_protocol && all_kinds[i].protocol && h->ai_protocol != all_kinds[i].protocol)
			continue;
		known = true;
		if (!numeric && ((h->ai_flags & AI_NUMERICSERV) || !service_port(service, all_kinds[i].name, &port)))
			continue;
		out[n++] = (struct kind){ all_kinds[i].type, all_kinds[i].protocol ? all_kinds[i].protocol : h->ai_protocol,
					  port };
	}
	if (n)
		return n;
	return !known ? EAI_SOCKTYPE : h->ai_flags & AI_NUMERICSERV ? EAI_NONAME : EAI_SERVICE;
}

static int add_addr(uint8_t *to, int family, const void *addr, uint32_t scope)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_scope_id = scope };

	memset(to, 0, STACK_ADDR_MAX);
	if (family == AF_INET) {
		memcpy(&in.sin_addr, addr, 4);
		memcpy(to, &in, sizeof(in));
	} else {
		memcpy(&in6.sin6_addr, addr, 16);
		memcpy(to, &in6, sizeof(in6));
	}
	return 1;
}

/* No host: this one's addresses, or any. */
static int own_addrs(uint8_t *to, const struct addrinfo *h)
{
	static const uint8_t any[16], one[16] = { [15] = 1 }, loopback[4] = { 127, 0, 0, 1 };
	bool passive = h->ai_flags & AI_PASSIVE;
	int n = 0;

	if (passive && h->ai_family != AF_INET6)
		n += add_addr(to, AF_INET, any, 0);
	if (h->ai_family != AF_INET)
		n += add_addr(to + n * STACK_ADDR_MAX, AF_INET6, passive ? any : one, 0);
	if (!passive && h->ai_family != AF_INET6)
		n += add_addr(to + n * STACK_ADDR_MAX, AF_INET, loopback, 0);
	return n;
}

/* An address written as a number. 0: it is none. */
static int numeric_addr(uint8_t *to, const char *host, const struct addrinfo *h)
{
	uint8_t addr[16], mapped[16] = { [10] = 0xff, 0xff };
	const char *scope = strchr(host, '%');
	char text[64];
	size_t n = scope ? (size_t)(scope - host) : strlen(host);
	struct in_addr in;

	if (!scope && inet_aton(host, &in)) {
		if (h->ai_family != AF_INET6)
			return add_addr(to, AF_INET, &in, 0);
		memcpy(mapped + 12, &in, 4);
		return h->ai_flags & AI_V4MAPPED ? add_addr(to, AF_INET6, mapped, 0) : EAI_ADDRFAMILY;
	}
	if (n >= sizeof(text))
		return 0;
	memcpy(text, host, n);
	text[n] = 0;
	if (inet_pton(AF_INET6, text, addr) != 1)
		return 0;
	if (h->ai_family == AF_INET)
		return EAI_ADDRFAMILY;
	return add_addr(to, AF_INET6, addr, scope ? (uint32_t)(if_nametoindex(scope + 1) ? if_nametoindex(scope + 1) :
							       strtoul(scope + 1, NULL, 10)) : 0);
}

static struct entry *make_entry(const uint8_t *addr, const struct kind *k, int flags)
{
	struct entry *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	memcpy(&e->addr, addr, sizeof(e->addr));
	e->magic[0] = e->magic[1] = MAGIC;
	e->ai = (struct addrinfo){ .ai_flags = flags, .ai_family = e->addr.sa.sa_family, .ai_socktype = k->type,
				   .ai_protocol = k->protocol, .ai_addr = &e->addr.sa };
	e->ai.ai_addrlen = e->ai.ai_family == AF_INET ? sizeof(e->addr.in) : sizeof(e->addr.in6);
	if (e->ai.ai_family == AF_INET)
		e->addr.in.sin_port = k->port;
	else
		e->addr.in6.sin6_port = k->port;
	return e;
}

static int make_list(struct addrinfo **res, const uint8_t *addrs, int n, const struct kind *kinds, int n_kinds,
		     const char *canon, int flags)
{
	struct addrinfo *first = NULL, **end = &first;

	for (int i = 0; i < n * n_kinds; i++) {
		struct entry *e = make_entry(addrs + (size_t)(i / n_kinds) * STACK_ADDR_MAX, &kinds[i % n_kinds], flags);

		if (e && canon && !first && !(e->ai.ai_canonname = strdup(canon))) {
			free(e);
			e = NULL;
		}
		if (!e) {
			resolve_free(first);
			return EAI_MEMORY;
		}
		*end = &e->ai;
		end = &e->ai.ai_next;
	}
	*res = first;
	return 0;
}

int resolve_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **res)
{
	static const struct addrinfo no_hints = { .ai_flags = AI_V4MAPPED | AI_ADDRCONFIG };
	const struct addrinfo *h = hints ? hints : &no_hints;
	uint8_t addrs[ADDRS_MAX * STACK_ADDR_MAX];
	char canon[256] = "";
	struct kind kinds[3];
	int n_kinds, n;

	if (host && host[0] == '*' && !host[1])
		host = NULL;
	if (service && service[0] == '*' && !service[1])
		service = NULL;
	if (!host && !service)
		return EAI_NONAME;
	if ((h->ai_flags & AI_CANONNAME) && !host)
		return EAI_BADFLAGS;
	if (h->ai_family != AF_UNSPEC && h->ai_family != AF_INET && h->ai_family != AF_INET6)
		return EAI_FAMILY;
	n_kinds = find_kinds(kinds, service, h);
	if (n_kinds < 0)
		return n_kinds;
	n = host ? numeric_addr(addrs, host, h) : own_addrs(addrs, h);
	if (n == 0 && (h->ai_flags & AI_NUMERICHOST))
		return EAI_NONAME;
	if (n > 0 && host)
		strncpy(canon, host, sizeof(canon) - 1);
	if (n == 0)
		n = resolve_name(host, h->ai_flags, h->ai_family, addrs, ADDRS_MAX, canon, sizeof(canon));
	if (n <= 0)
		return n ? n : EAI_NONAME;
	return make_list(res, addrs, n, kinds, n_kinds, h->ai_flags & AI_CANONNAME ? canon : NULL, h->ai_flags);
}

bool resolve_free(struct addrinfo *list)
{
	struct entry *e = (struct entry *)list;

	if (list && ((char *)list->ai_addr != (char *)&e->addr || e->magic[0] != MAGIC || e->magic[1] != MAGIC))
		return false;
	while (list) {
		struct addrinfo *next = list->ai_next;

		free(list->ai_canonname);
		free(list);
		list = next;
	}
	return true;
}
