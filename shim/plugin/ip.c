/* ip.c - the text of an IP address. */
#include "plugin/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

static char *put_decimal(char *p, unsigned v)
{
	if (v >= 100)
		*p++ = (char)('0' + v / 100);
	if (v >= 10)
		*p++ = (char)('0' + v / 10 % 10);
	*p++ = (char)('0' + v % 10);
	return p;
}

static char *put_hex(char *p, unsigned v)
{
	for (int shift = 12; shift >= 0; shift -= 4)
		if (v >> shift || !shift)
			*p++ = "0123456789abcdef"[v >> shift & 0xf];
	return p;
}

static void format_inet(char *p, const uint8_t *addr)
{
	for (int i = 0; i < 4; i++) {
		if (i)
			*p++ = '.';
		p = put_decimal(p, addr[i]);
	}
	*p = 0;
}

static unsigned group(const uint8_t *addr, int i)
{
	return (unsigned)(addr[2 * i] << 8 | addr[2 * i + 1]);
}

/* RFC 5952, 4.2: "::" stands for the longest run of two or more zero groups, the first of several. */
static void format_inet6(char *p, const uint8_t *addr)
{
	int best = -1, best_len = 1;

	for (int i = 0; i < 8; i++) {
		int len = 0;

		while (i + len < 8 && !group(addr, i + len))
			len++;
		if (len > best_len) {
			best = i;
			best_len = len;
		}
	}
	for (int i = 0; i < 8; i++) {
		if (i == best) {
			*p++ = ':';
			i += best_len - 1;
			if (i == 7)
				*p++ = ':';
			continue;
		}
		if (i)
			*p++ = ':';
		p = put_hex(p, group(addr, i));
	}
	*p = 0;
}

uint16_t ip_format(char buf[IP_TEXT], const struct sockaddr *sa, socklen_t len)
{
	struct sockaddr_in6 sin6 = { 0 };
	struct sockaddr_in sin;

	buf[0] = 0;
	if (!sa || len < sizeof(sa->sa_family))
		return 0;
	if (sa->sa_family == AF_INET && len >= sizeof(sin)) {
		memcpy(&sin, sa, sizeof(sin));
		format_inet(buf, (const uint8_t *)&sin.sin_addr);
		return ntohs(sin.sin_port);
	}
	if (sa->sa_family == AF_INET6 && len >= offsetof(struct sockaddr_in6, sin6_scope_id)) {
		memcpy(&sin6, sa, offsetof(struct sockaddr_in6, sin6_scope_id));
		if (IN6_IS_ADDR_V4MAPPED(&sin6.sin6_addr))
			format_inet(buf, sin6.sin6_addr.s6_addr + 12);
		else
			format_inet6(buf, sin6.sin6_addr.s6_addr);
		return ntohs(sin6.sin6_port);
	}
	return 0;
}
