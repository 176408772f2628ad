/* Network and link addresses. */
#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

const struct link_addr link_addr_broadcast = {
	{ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, LINK_ADDR_LEN
};
const struct addr addr_v4_broadcast = { .b = { 255, 255, 255, 255 }, .len = ADDR_LEN_V4 };
const struct addr addr_v4_any = { .len = ADDR_LEN_V4 };
const struct addr addr_v6_any = { .len = ADDR_LEN_V6 };
const struct addr addr_v6_all_nodes = { .b = { 0xff, 2, [15] = 1 }, .len = ADDR_LEN_V6 };
const struct addr addr_v6_all_routers = { .b = { 0xff, 2, [15] = 2 }, .len = ADDR_LEN_V6 };

struct addr addr_unmap(const struct addr *a)
{
	return addr_is_v4_mapped(a) ? addr_from_bytes(a->b + 12, ADDR_LEN_V4) : *a;
}

struct addr addr_map(const struct addr *a)
{
	struct addr m = { .b = { [10] = 0xff, [11] = 0xff }, .len = ADDR_LEN_V6 };

	if (a->len != ADDR_LEN_V4)
		return *a;
	memcpy(m.b + 12, a->b, 4);
	return m;
}

bool addr_parse(const char *s, struct addr *out)
{
	struct addr a = { .len = ADDR_LEN_V4 };

	if (inet_pton(AF_INET, s, a.b) != 1) {
		a.len = ADDR_LEN_V6;
		if (inet_pton(AF_INET6, s, a.b) != 1)
			return false;
	}
	*out = a;
	return true;
}

const char *addr_format(const struct addr *a, char buf[ADDR_STR_MAX])
{
	if (a->len == 0)
		return strcpy(buf, "any");
	inet_ntop(a->len == ADDR_LEN_V4 ? AF_INET : AF_INET6, a->b, buf, ADDR_STR_MAX);
	return buf;
}

bool addr_prefix_parse(const char *s, struct addr_prefix *out)
{
	const char *slash = strchr(s, '/');
	char text[ADDR_STR_MAX], *end;
	unsigned long bits;

	if (!slash || (size_t)(slash - s) >= sizeof(text))
		return false;
	memcpy(text, s, (size_t)(slash - s));
	text[slash - s] = 0;
	if (slash[1] < '0' || slash[1] > '9' || !addr_parse(text, &out->addr))
		return false;
	bits = strtoul(slash + 1, &end, 10);
	if (*end || bits > out->addr.len * 8u)
		return false;
	out->prefix_len = (uint8_t)bits;
	return true;
}

const char *addr_prefix_format(const struct addr_prefix *a, char buf[ADDR_STR_MAX])
{
	size_t n;

	addr_format(&a->addr, buf);
	n = strlen(buf);
	snprintf(buf + n, ADDR_STR_MAX - n, "/%u", a->prefix_len);
	return buf;
}

struct addr addr_solicited_node(const struct addr *a)
{
	struct addr s = { .b = { 0xff, 2, [11] = 1, [12] = 0xff }, .len = ADDR_LEN_V6 };

	memcpy(s.b + 13, a->b + 13, 3);
	return s;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool link_addr_parse(const char *s, struct link_addr *out)
{
	struct link_addr a = { .len = LINK_ADDR_LEN };
	char sep;

	if (strlen(s) != 17)
		return false;
	sep = s[2];
	if (sep != ':' && sep != '-')
		return false;
	for (int i = 0; i < LINK_ADDR_LEN; i++, s += 3) {
		int hi = hex_digit(s[0]), lo = hex_digit(s[1]);

		if (hi < 0 || lo < 0 || (i < LINK_ADDR_LEN - 1 && s[2] != sep))
			return false;
		a.b[i] = (uint8_t)(hi << 4 | lo);
	}
	*out = a;
	return true;
}

const char *link_addr_format(const struct link_addr *a, char buf[ADDR_STR_MAX])
{
	if (a->len == 0)
		return strcpy(buf, "none");
	snprintf(buf, ADDR_STR_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", a->b[0], a->b[1], a->b[2],
		 a->b[3], a->b[4], a->b[5]);
	return buf;
}

bool link_addr_is_unicast(const struct link_addr *a)
{
	static const uint8_t zero[LINK_ADDR_LEN];

	return a->len == LINK_ADDR_LEN && !(a->b[0] & 1) && memcmp(a->b, zero, LINK_ADDR_LEN);
}

struct link_addr link_addr_of_multicast(const struct addr *g)
{
	if (g->len == ADDR_LEN_V4)
		return (struct link_addr){ { 0x01, 0x00, 0x5e, g->b[1] & 0x7f, g->b[2], g->b[3] },
					   LINK_ADDR_LEN };
	return (struct link_addr){ { 0x33, 0x33, g->b[12], g->b[13], g->b[14], g->b[15] },
				   LINK_ADDR_LEN };
}
