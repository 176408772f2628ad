/* traffic.c - which addresses go to the stack. */
#include "backend/traffic.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* A number up to `most`, and how many characters it has; 0: none. */
static size_t number(const char *s, unsigned most, unsigned *out)
{
	size_t n = 0;

	*out = 0;
	for (; s[n] >= '0' && s[n] <= '9' && n < 6; n++)
		*out = *out * 10 + (unsigned)(s[n] - '0');
	return *out <= most ? n : 0;
}

/* An optional "/LENGTH"; NULL: it is wrong. */
static const char *parse_length(struct traffic_pattern *p, const char *s)
{
	unsigned bits;
	size_t n;

	if (*s != '/')
		return s;
	n = number(s + 1, p->bits, &bits);
	p->bits = bits;
	return n ? s + 1 + n : NULL;
}

/* An optional ":PORT"; NULL: it is wrong. */
static const char *parse_port(struct traffic_pattern *p, const char *s)
{
	unsigned port;
	size_t n;

	if (*s != ':')
		return s;
	n = number(s + 1, 65535, &port);
	p->port = (uint16_t)port;
	return n && port ? s + 1 + n : NULL;
}

/* Reads one pattern; returns what follows it, NULL if it is none. */
static const char *parse_one(struct traffic_pattern *p, const char *s)
{
	bool bracket = *s == '[', v6 = bracket;
	char text[64];
	size_t n;

	s += bracket;
	n = strcspn(s, "/],");
	/* Two colons and more make an address of IPv6, one stands before a port. */
	if (!v6)
		v6 = memchr(s, ':', n) && memchr((const char *)memchr(s, ':', n) + 1, ':',
						 n - (size_t)((const char *)memchr(s, ':', n) + 1 - s));
	if (!v6)
		n = strcspn(s, "/:,");
	if (!n || n >= sizeof(text))
		return NULL;
	memcpy(text, s, n);
	text[n] = 0;
	*p = (struct traffic_pattern){ .family = v6 ? AF_INET6 : AF_INET, .bits = v6 ? 128 : 32 };
	if (inet_pton(p->family, text, p->addr) != 1)
		return NULL;
	s = parse_length(p, s + n);
	/* The length may stand behind the bracket, too. */
	if (s && bracket)
		s = *s == ']' ? parse_length(p, s + 1) : NULL;
	return s ? parse_port(p, s) : NULL;
}

const char *traffic_parse(struct traffic_pattern *to, size_t *n, const char *list)
{
	*n = 0;
	while (*list) {
		const char *end;

		if (*n == TRAFFIC_PATTERNS || !(end = parse_one(&to[*n], list)) || (*end && *end != ','))
			return list;
		(*n)++;
		list = end + (*end == ',');
	}
	return NULL;
}

static bool in(const struct traffic_pattern *p, int family, const uint8_t *addr, uint16_t port)
{
	unsigned bytes = p->bits / 8, rest = p->bits % 8;

	if (p->family != family || (p->port && p->port != port) || memcmp(p->addr, addr, bytes) != 0)
		return false;
	return !rest || !((p->addr[bytes] ^ addr[bytes]) >> (8 - rest));
}

static bool in_any(const struct traffic_pattern *p, size_t n, int family, const uint8_t *addr, uint16_t port)
{
	for (size_t i = 0; i < n; i++)
		if (in(&p[i], family, addr, port))
			return true;
	return false;
}

bool traffic_takes(const struct traffic *t, const struct sockaddr *addr, socklen_t len)
{
	static const uint8_t none[16], mapped[12] = { [10] = 0xff, 0xff };
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)addr;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)addr;
	int family = len >= sizeof(sa_family_t) ? addr->sa_family : AF_UNSPEC;
	const uint8_t *bytes;
	uint16_t port;

	if (family == AF_INET && len >= sizeof(*in4)) {
		bytes = (const uint8_t *)&in4->sin_addr;
		port = ntohs(in4->sin_port);
	} else if (family == AF_INET6 && len >= offsetof(struct sockaddr_in6, sin6_scope_id)) {
		bytes = (const uint8_t *)&in6->sin6_addr;
		port = ntohs(in6->sin6_port);
		if (memcmp(bytes, mapped, sizeof(mapped)) == 0) {
			family = AF_INET;
			bytes += sizeof(mapped);
		}
	} else {
		return true;
	}
	if (memcmp(bytes, none, family == AF_INET ? 4 : 16) == 0)
		return true;
	if (in_any(t->except, t->n_except, family, bytes, port))
		return false;
	return !t->n_only || in_any(t->only, t->n_only, family, bytes, port);
}
