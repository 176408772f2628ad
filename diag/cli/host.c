/* Addresses and ports in filters: text to conditions. */
#include "cli/host.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define ADDR_MAX 256

int host_port(const char *text)
{
	static const char *const protocols[] = { "tcp", "udp" };
	struct servent *s;
	unsigned long n;
	char *end;

	if (isdigit((unsigned char)text[0])) {
		n = strtoul(text, &end, 10);
		return *end || n > UINT16_MAX ? -1 : (int)n;
	}
	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
		s = getservbyname(text, protocols[i]);
		if (s)
			return ntohs((uint16_t)s->s_port);
	}
	return -1;
}

bool host_is_unix(const char *text)
{
	return !strncasecmp(text, "unix:", 5) || text[0] == '/' || text[0] == '@' ||
	       (text[0] == '*' && text[1] != '\0' && text[1] != ':');
}

const char *host_unix_pattern(const char *text)
{
	return strncasecmp(text, "unix:", 5) ? text : text + 5;
}

/* "10.0.0.1"; of fewer than four parts the rest is zero, as people write networks: "10", "10.1". */
static bool short_ipv4(const char *s, uint32_t *addr_be)
{
	uint8_t b[4] = { 0 };
	int n = 0;

	while (n < 4 && isdigit((unsigned char)*s)) {
		char *end;
		unsigned long v = strtoul(s, &end, 10);

		if (v > 255)
			return false;
		b[n++] = (uint8_t)v;
		s = end;
		if (*s != '.')
			break;
		s++;
	}
	memcpy(addr_be, b, 4);
	return n > 0 && *s == '\0';
}

/* A name stands for each of its addresses of @family. */
static const char *resolve(const char *name, int family, int port, struct host_list *out)
{
	struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_STREAM }, *res;

	if (getaddrinfo(name, NULL, &hints, &res))
		return "an address or the name of a host that resolves";
	for (struct addrinfo *a = res; a && out->count < HOST_MAX; a = a->ai_next) {
		struct diag_expr_host *h = &out->hosts[out->count];

		*h = (struct diag_expr_host){ .family = (uint8_t)a->ai_family, .port = port };
		if (a->ai_family == AF_INET) {
			h->prefix = 32;
			memcpy(h->addr_be, &((struct sockaddr_in *)a->ai_addr)->sin_addr, 4);
		} else if (a->ai_family == AF_INET6) {
			h->prefix = 128;
			memcpy(h->addr_be, &((struct sockaddr_in6 *)a->ai_addr)->sin6_addr, 16);
		} else {
			continue;
		}
		out->count++;
	}
	freeaddrinfo(res);
	return out->count ? NULL : "the name of a host with an address of that family";
}

/* Cuts "ADDR[/PREFIX][:PORT]" in @s into its parts, in place. */
static const char *split(char *s, char **addr, char **prefix, char **port)
{
	char *tail = s, *colon;

	*addr = s;
	*prefix = *port = NULL;
	if (*s == '[') {
		*addr = s + 1;
		tail = strchr(s, ']');
		if (!tail)
			return "a closing ']'";
		*tail++ = '\0';
		if (*tail && *tail != '/' && *tail != ':')
			return "'/' or ':' after ']'";
	}
	colon = strrchr(tail, ':');
	/* More than one colon without brackets is an IPv6 address and nothing else. */
	if (colon && strchr(tail, ':') == colon) {
		*colon = '\0';
		*port = colon + 1;
	}
	tail = strchr(tail, '/');
	if (tail) {
		*tail = '\0';
		*prefix = tail + 1;
	}
	return NULL;
}

/* "255.255.0.0" as 16; -1 for what is no netmask. */
static int netmask(const char *text)
{
	uint32_t mask, host;

	if (inet_pton(AF_INET, text, &mask) != 1)
		return -1;
	host = ~ntohl(mask);
	return host & (host + 1) ? -1 : host ? __builtin_clz(host) : 32;
}

static const char *parse_prefix(const char *text, struct diag_expr_host *h)
{
	unsigned int max = h->family == AF_INET ? 32 : 128;
	unsigned long n;
	char *end;

	if (!text)
		return NULL;
	if (h->family == AF_INET && netmask(text) >= 0) {
		h->prefix = (uint8_t)netmask(text);
		return NULL;
	}
	n = strtoul(text, &end, 10);
	if (end == text || *end || n > max)
		return max == 32 ? "a prefix length of at most 32" : "a prefix length of at most 128";
	h->prefix = (uint8_t)n;
	return NULL;
}

static bool is_any(const char *addr)
{
	static const char *const words[] = { "", "*", "any", "all", "default" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(addr, words[i]))
			return true;
	return false;
}

static const char *parse_addr(const char *addr, const char *prefix, int family, int port, struct host_list *out)
{
	struct diag_expr_host *h = &out->hosts[0];

	*h = (struct diag_expr_host){ .port = port };
	if (is_any(addr)) {
		h->family = prefix || family == AF_UNSPEC ? AF_UNSPEC : (uint8_t)family;
		out->count = 1;
		return prefix ? "an address before '/'" : NULL;
	}
	if (family != AF_INET && inet_pton(AF_INET6, addr, h->addr_be) == 1) {
		h->family = AF_INET6;
		h->prefix = 128;
	} else if (family != AF_INET6 && short_ipv4(addr, h->addr_be)) {
		h->family = AF_INET;
		h->prefix = 32;
	} else {
		return prefix ? "an address before '/'" : resolve(addr, family, port, out);
	}
	out->count = 1;
	return parse_prefix(prefix, h);
}

const char *host_parse(const char *text, struct host_list *out)
{
	static const struct {
		const char *word;
		int family;
	} families[] = { { "inet:", AF_INET }, { "inet6:", AF_INET6 } };
	char buf[ADDR_MAX], *addr, *prefix, *port;
	int family = AF_UNSPEC, number = -1;
	const char *why;

	*out = (struct host_list){ 0 };
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (!strncasecmp(text, families[i].word, strlen(families[i].word))) {
			family = families[i].family;
			text += strlen(families[i].word);
			out->only_ipv4 = family == AF_INET;
			break;
		}
	if (strlen(text) >= sizeof(buf))
		return "an address";
	strcpy(buf, text);
	why = split(buf, &addr, &prefix, &port);
	if (why)
		return why;
	if (port && *port && strcmp(port, "*")) {
		number = host_port(port);
		if (number < 0)
			return "a port after ':' (443 or https)";
	}
	return parse_addr(addr, prefix, family, number, out);
}
