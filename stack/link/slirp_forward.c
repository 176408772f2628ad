/* Forwarded ports of a stack without privileges, from text. */
#include <stdio.h>

#include "link/slirp.h"

static bool fail(char *error, const char *text, const char *why)
{
	snprintf(error, SLIRP_ERROR_MAX, "forward \"%.60s\": %s", text, why);
	return false;
}

/* A port number that ends with @end; what follows, or NULL. */
static const char *port(const char *p, char end, uint16_t *out)
{
	uint32_t n = 0;
	const char *start = p;

	for (; *p >= '0' && *p <= '9' && n <= UINT16_MAX; p++)
		n = n * 10 + (uint32_t)(*p - '0');
	if (p == start || n == 0 || n > UINT16_MAX || *p != end)
		return NULL;
	*out = (uint16_t)n;
	return end ? p + 1 : p;
}

bool slirp_forward_parse(const char *text, struct slirp_forward *f, char error[SLIRP_ERROR_MAX])
{
	char address[ADDR_STR_MAX];
	const char *p = text, *first, *last;

	*f = (struct slirp_forward){ 0 };
	if (strncmp(p, "udp:", 4) == 0 || strncmp(p, "tcp:", 4) == 0) {
		f->udp = *p == 'u';
		p += 4;
	}
	first = strchr(p, ':');
	last = strrchr(p, ':');
	if (!first)
		return fail(error, text, "expected [tcp:|udp:][ADDRESS:]PORT:PORT");
	if (first != last) {
		if ((size_t)(first - p) >= sizeof(address))
			return fail(error, text, "not an IPv4 address");
		memcpy(address, p, (size_t)(first - p));
		address[first - p] = 0;
		if (!addr_parse(address, &f->host) || f->host.len != ADDR_LEN_V4)
			return fail(error, text, "not an IPv4 address");
		p = first + 1;
	}
	p = port(p, ':', &f->host_port);
	if (!p || !port(p, 0, &f->guest_port))
		return fail(error, text, "ports are numbers from 1 to 65535");
	return true;
}
