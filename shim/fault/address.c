/* address.c - addresses, prefixes and ports in rules. */
#include "fault/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#include "fault/glob.h"
#include "fault/quantity.h"

#define UNIX_PREFIX 5	/* strlen("unix:") */

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

static enum fault_address_error parse_port(const struct fault_word *w, struct fault_address *a,
					   struct fault_word *at)
{
	struct fault_word from = *w, to = *w;
	uint64_t min, max;
	long dash = fault_word_find(w, '-');

	*at = *w;
	if (dash >= 0) {
		from = fault_word_part(w, 0, (size_t)dash);
		to = fault_word_part(w, (size_t)dash + 1, w->n);
	}
	if (!fault_number_parse(&from, 65535, &min) || !fault_number_parse(&to, 65535, &max))
		return FAULT_ADDRESS_PORT;
	if (min > max)
		return FAULT_ADDRESS_PORT_ORDER;
	a->port_min = (uint16_t)min;
	a->port_max = (uint16_t)max;
	return FAULT_ADDRESS_OK;
}

static enum fault_address_error parse_host(const struct fault_word *w, struct fault_address *a,
					   struct fault_word *at)
{
	char text[INET6_ADDRSTRLEN];

	*at = *w;
	if (w->n >= sizeof(text))
		return FAULT_ADDRESS_FORM;
	memcpy(text, w->s, w->n);
	text[w->n] = 0;
	if (inet_pton(AF_INET, text, a->bits) == 1)
		a->kind = FAULT_ADDRESS_INET;
	else if (inet_pton(AF_INET6, text, a->bits) == 1)
		a->kind = FAULT_ADDRESS_INET6;
	else
		return FAULT_ADDRESS_FORM;
	return FAULT_ADDRESS_OK;
}

/* Sets the mask of a prefix of `length` bits, and makes IPv4 of IPv4-mapped prefixes. */
static void set_prefix(struct fault_address *a, unsigned length)
{
	if (a->kind == FAULT_ADDRESS_INET6 && length >= 96 && !memcmp(a->bits, mapped, sizeof(mapped))) {
		a->kind = FAULT_ADDRESS_INET;
		memmove(a->bits, a->bits + 12, 4);
		memset(a->bits + 4, 0, 12);
		length -= 96;
	}
	for (unsigned i = 0; i < 16; i++) {
		unsigned n = length > i * 8 ? length - i * 8 : 0;

		a->mask[i] = n >= 8 ? 0xff : (uint8_t)(0xff00 >> n);
		a->bits[i] &= a->mask[i];
	}
}

static enum fault_address_error parse_prefix(const struct fault_word *host, const struct fault_word *length,
					     struct fault_address *a, struct fault_word *at)
{
	enum fault_address_error e = parse_host(host, a, at);
	uint64_t max, bits;

	if (e)
		return e;
	bits = max = a->kind == FAULT_ADDRESS_INET ? 32 : 128;
	if (length && !fault_number_parse(length, max, &bits)) {
		*at = *length;
		return FAULT_ADDRESS_PREFIX;
	}
	set_prefix(a, (unsigned)bits);
	return FAULT_ADDRESS_OK;
}

/* HOST or HOST/LENGTH. */
static enum fault_address_error parse_net(const struct fault_word *w, struct fault_address *a,
					  struct fault_word *at)
{
	struct fault_word host = *w, length;
	long slash = fault_word_find(w, '/');

	if (slash >= 0) {
		host = fault_word_part(w, 0, (size_t)slash);
		length = fault_word_part(w, (size_t)slash + 1, w->n);
	}
	return parse_prefix(&host, slash >= 0 ? &length : NULL, a, at);
}

/* [HOST]... */
static enum fault_address_error parse_bracket(const struct fault_word *w, struct fault_address *a,
					      struct fault_word *at)
{
	long close = fault_word_find(w, ']');
	struct fault_word inside, rest, length;
	enum fault_address_error e;
	long colon;

	*at = *w;
	if (close < 0)
		return FAULT_ADDRESS_BRACKET;
	inside = fault_word_part(w, 1, (size_t)close - 1);
	rest = fault_word_part(w, (size_t)close + 1, w->n);
	if (rest.n && rest.s[0] == '/') {
		colon = fault_word_find(&rest, ':');
		length = fault_word_part(&rest, 1, colon < 0 ? rest.n : (size_t)colon - 1);
		e = parse_prefix(&inside, &length, a, at);
		rest = fault_word_part(&rest, length.n + 1, rest.n);
	} else {
		e = parse_net(&inside, a, at);
	}
	if (e || !rest.n)
		return e;
	*at = rest;
	if (rest.s[0] != ':')
		return FAULT_ADDRESS_FORM;
	rest = fault_word_part(&rest, 1, rest.n);
	return parse_port(&rest, a, at);
}

enum fault_address_error fault_address_parse(const struct fault_word *w, struct fault_address *a,
					     char *path, struct fault_word *at)
{
	long colon = fault_word_find(w, ':');
	struct fault_word rest;
	enum fault_address_error e;

	*a = (struct fault_address){ .port_max = 65535 };
	*at = *w;
	if (w->n >= UNIX_PREFIX && !memcmp(w->s, "unix:", UNIX_PREFIX)) {
		rest = fault_word_part(w, UNIX_PREFIX, w->n);
		a->kind = FAULT_ADDRESS_UNIX;
		a->path = path;
		return fault_word_copy(path, &rest) > 0 ? FAULT_ADDRESS_OK : FAULT_ADDRESS_PATH;
	}
	if (w->n && w->s[0] == '[')
		return parse_bracket(w, a, at);
	if (colon < 0)
		return parse_net(w, a, at);
	rest = fault_word_part(w, (size_t)colon + 1, w->n);
	if (fault_word_find(&rest, ':') >= 0)	/* two colons: IPv6 without a port */
		return parse_net(w, a, at);
	if (colon && !(colon == 1 && w->s[0] == '*')) {
		struct fault_word net = fault_word_part(w, 0, (size_t)colon);

		e = parse_net(&net, a, at);
		if (e)
			return e;
	}
	return parse_port(&rest, a, at);
}

static bool match_inet(const struct fault_address *a, const void *addr, uint16_t port_be)
{
	uint16_t port = ntohs(port_be);
	uint32_t bits, mask, x;

	if (port < a->port_min || port > a->port_max)
		return false;
	if (a->kind == FAULT_ADDRESS_ANY)
		return true;
	memcpy(&bits, a->bits, 4);
	memcpy(&mask, a->mask, 4);
	memcpy(&x, addr, 4);
	return a->kind == FAULT_ADDRESS_INET && !((x ^ bits) & mask);
}

static bool match_inet6(const struct fault_address *a, const struct sockaddr_in6 *sin6)
{
	const uint8_t *addr = sin6->sin6_addr.s6_addr;
	uint64_t bits[2], mask[2], x[2];

	if (!memcmp(addr, mapped, sizeof(mapped)))
		return match_inet(a, addr + 12, sin6->sin6_port);
	if (a->kind != FAULT_ADDRESS_INET6)	/* FAULT_ADDRESS_ANY: the port alone */
		return a->kind == FAULT_ADDRESS_ANY && match_inet(a, addr, sin6->sin6_port);
	memcpy(bits, a->bits, 16);
	memcpy(mask, a->mask, 16);
	memcpy(x, addr, 16);
	return !(((x[0] ^ bits[0]) & mask[0]) | ((x[1] ^ bits[1]) & mask[1])) &&
	       ntohs(sin6->sin6_port) >= a->port_min && ntohs(sin6->sin6_port) <= a->port_max;
}

static bool match_unix(const struct fault_address *a, const struct sockaddr *sa, socklen_t len)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	size_t n = len - offsetof(struct sockaddr_un, sun_path);

	if (a->kind != FAULT_ADDRESS_UNIX || len <= offsetof(struct sockaddr_un, sun_path))
		return false;
	if (n > sizeof(path))
		n = sizeof(path);
	memcpy(path, (const char *)sa + offsetof(struct sockaddr_un, sun_path), n);
	if (path[0])
		n = strnlen(path, n);
	else
		path[0] = '@';	/* an abstract name, as ss and netstat show it; all n bytes count */
	return fault_glob_match(a->path, path, n, false);
}

bool fault_address_match(const struct fault_address *a, const struct sockaddr *sa, socklen_t len)
{
	struct sockaddr_in6 sin6;
	struct sockaddr_in sin;
	sa_family_t family;

	if (!sa || len < sizeof(family))
		return false;
	memcpy(&family, sa, sizeof(family));
	switch (family) {
	case AF_INET:
		if (len < sizeof(sin))
			return false;
		memcpy(&sin, sa, sizeof(sin));
		return match_inet(a, &sin.sin_addr, sin.sin_port);
	case AF_INET6:
		/* The kernel takes addresses without sin6_scope_id (RFC 2133) too. */
		if (len < offsetof(struct sockaddr_in6, sin6_scope_id))
			return false;
		memcpy(&sin6, sa, offsetof(struct sockaddr_in6, sin6_scope_id));
		return match_inet6(a, &sin6);
	case AF_UNIX:
		return match_unix(a, sa, len);
	default:
		return false;
	}
}
