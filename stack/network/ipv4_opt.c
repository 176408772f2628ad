/* The IPv4 options that routers and hosts write into: record route and timestamp (RFC 791, 3.1). */
#include "base/byteorder.h"
#include "network/ipv4_impl.h"

enum { OPT_PTR = 2, RR_MIN_PTR = 4, TS_MIN_PTR = 5, TS_FLAGS = 3 };
enum { TS_ONLY = 0, TS_WITH_ADDR = 1, TS_PRESPECIFIED = 3, TS_OVERFLOW_MAX = 15 };

uint32_t ipv4_timestamp(const struct stack *s)
{
	return (uint32_t)(s->clock->wall_ns / NS_PER_MS % (24 * 3600 * 1000ll));
}

static uint8_t ts_entry_len(const uint8_t *opt)
{
	return (opt[TS_FLAGS] & 0xf) == TS_ONLY ? 4 : 8;
}

/* Pointers count from 1; one beyond the option means that it is full. */
static bool ptr_ok(const uint8_t *opt, uint8_t len, uint8_t min, uint8_t entry)
{
	uint8_t ptr = opt[OPT_PTR];

	return ptr >= min && (ptr > len || ptr - 1 + entry <= len);
}

uint8_t ipv4_opt_fault(const uint8_t *opt, uint8_t len)
{
	uint8_t flags;

	switch (opt[0]) {
	case IPV4_OPT_RR:
		if (len < 3)
			return 1;
		return ptr_ok(opt, len, RR_MIN_PTR, ADDR_LEN_V4) ? 0 : OPT_PTR;
	case IPV4_OPT_TS:
		if (len < 4)
			return 1;
		flags = opt[TS_FLAGS] & 0xf;
		if (flags != TS_ONLY && flags != TS_WITH_ADDR && flags != TS_PRESPECIFIED)
			return TS_FLAGS;
		if (opt[OPT_PTR] > len && opt[TS_FLAGS] >> 4 == TS_OVERFLOW_MAX)
			return TS_FLAGS;	/* "the overflow count itself overflows" */
		return ptr_ok(opt, len, TS_MIN_PTR, ts_entry_len(opt)) ? 0 : OPT_PTR;
	default:
		return 0;
	}
}

static void record_route(uint8_t *opt, uint8_t len, const struct addr *own)
{
	if (opt[OPT_PTR] > len)
		return;
	memcpy(opt + opt[OPT_PTR] - 1, own->b, ADDR_LEN_V4);
	opt[OPT_PTR] += ADDR_LEN_V4;
}

static void record_time(const struct stack *s, uint8_t *opt, uint8_t len, const struct addr *own)
{
	uint8_t *at = opt + opt[OPT_PTR] - 1;
	struct addr named;

	if (opt[OPT_PTR] > len) {
		opt[TS_FLAGS] += 0x10;
		return;
	}
	switch (opt[TS_FLAGS] & 0xf) {
	case TS_WITH_ADDR:
		memcpy(at, own->b, ADDR_LEN_V4);
		at += ADDR_LEN_V4;
		break;
	case TS_PRESPECIFIED:
		named = addr_from_bytes(at, ADDR_LEN_V4);
		if (!stack_find_addr(s, &named, 0))
			return;
		at += ADDR_LEN_V4;
		break;
	}
	be32_store(at, ipv4_timestamp(s));
	opt[OPT_PTR] += ts_entry_len(opt);
}

void ipv4_opts_record(const struct stack *s, uint8_t *opts, size_t len, const struct addr *own)
{
	struct ipv4_opt_iter it = { .p = opts, .end = opts + len };

	while (ipv4_opt_next(&it)) {
		uint8_t *opt = opts + (it.opt - opts);

		if (it.type == IPV4_OPT_RR)
			record_route(opt, it.len, own);
		else if (it.type == IPV4_OPT_TS)
			record_time(s, opt, it.len, own);
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
