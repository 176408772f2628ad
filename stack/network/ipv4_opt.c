/* The IPv4 options that routers and hosts write into: record route and timestamp (RFC 791, 3.1). */
#include "base/byteorder.h"
#include "network/ipv4_impl.h"

uint32_t ipv4_timestamp(const struct stack *s)
{
	return (uint32_t)(s->clock->wall_ns / NS_PER_MS % (24 * 3600 * 1000ll));
}

static void record_route(uint8_t *opt, uint8_t len, const struct addr *own)
{
	if (opt[IPV4_OPT_PTR] > len)
		return;
	memcpy(opt + opt[IPV4_OPT_PTR] - 1, own->b, ADDR_LEN_V4);
	opt[IPV4_OPT_PTR] += ADDR_LEN_V4;
}

static void record_time(const struct stack *s, uint8_t *opt, uint8_t len, const struct addr *own, bool origin)
{
	uint8_t *at = opt + opt[IPV4_OPT_PTR] - 1;
	struct addr named;

	if (opt[IPV4_OPT_PTR] > len) {
		if (!origin)
			opt[IPV4_TS_FLAGS] += 0x10;
		return;
	}
	switch (opt[IPV4_TS_FLAGS] & 0xf) {
	case IPV4_TS_WITH_ADDR:
		memcpy(at, own->b, ADDR_LEN_V4);
		at += ADDR_LEN_V4;
		break;
	case IPV4_TS_PRESPECIFIED:
		named = addr_from_bytes(at, ADDR_LEN_V4);
		if (!stack_find_addr(s, &named, 0))
			return;
		at += ADDR_LEN_V4;
		break;
	}
	be32_store(at, ipv4_timestamp(s));
	opt[IPV4_OPT_PTR] += ipv4_ts_entry_len(opt);
}

void ipv4_opts_record(const struct stack *s, uint8_t *opts, size_t len, const struct addr *own, bool origin)
{
	struct ipv4_opt_iter it = { .p = opts, .end = opts + len };

	while (ipv4_opt_next(&it)) {
		uint8_t *opt = opts + (it.opt - opts);

		if (it.type == IPV4_OPT_RR)
			record_route(opt, it.len, own);
		else if (it.type == IPV4_OPT_TS)
			record_time(s, opt, it.len, own, origin);
	}
}

uint8_t ipv4_opts_echo(const uint8_t *hdr, size_t hdr_len, uint8_t *out)
{
	struct ipv4_opt_iter it = ipv4_opts(hdr, hdr_len);
	uint8_t n = 0;

	while (ipv4_opt_next(&it)) {
		if (it.type != IPV4_OPT_RR && it.type != IPV4_OPT_TS)
			continue;
		memcpy(out + n, it.opt, it.len);
		n = (uint8_t)(n + it.len);
	}
	while (n % 4)
		out[n++] = IPV4_OPT_END;
	return n;
}
