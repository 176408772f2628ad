/* The IPv4 header and its options. */
#include "header/ipv4.h"

#include "base/byteorder.h"
#include "base/cksum.h"

enum { IPV4_DF = 0x4000, IPV4_MF = 0x2000, IPV4_OFF = 0x1fff };
enum { RR_MIN_PTR = 4, TS_MIN_PTR = 5, TS_OVERFLOW_MAX = 15 };

bool ipv4_parse(struct ipv4_hdr *h, const uint8_t *p, size_t len)
{
	uint16_t frag;

	if (len < IPV4_HDR_LEN || p[0] >> 4 != 4)
		return false;
	h->hdr_len = (uint8_t)((p[0] & 0xf) * 4);
	h->tos = p[1];
	h->total_len = be16_load(p + 2);
	h->id = be16_load(p + 4);
	frag = be16_load(p + 6);
	h->dont_fragment = frag & IPV4_DF;
	h->more_fragments = frag & IPV4_MF;
	h->frag_off = (uint16_t)((frag & IPV4_OFF) * 8);
	h->ttl = p[8];
	h->proto = p[9];
	h->src = addr_from_bytes(p + 12, ADDR_LEN_V4);
	h->dst = addr_from_bytes(p + 16, ADDR_LEN_V4);
	return h->hdr_len >= IPV4_HDR_LEN && h->total_len >= h->hdr_len && h->total_len <= len;
}

bool ipv4_cksum_ok(const uint8_t *p, size_t hdr_len)
{
	return cksum_add(0, p, hdr_len) == 0xffff;
}

void ipv4_set_cksum(uint8_t *p, size_t hdr_len)
{
	uint16_t sum;

	p[10] = p[11] = 0;
	sum = (uint16_t)~cksum_add(0, p, hdr_len);
	memcpy(p + 10, &sum, 2);
}

void ipv4_emit(const struct ipv4_hdr *h, uint8_t *p)
{
	p[0] = (uint8_t)(0x40 | h->hdr_len / 4);
	p[1] = h->tos;
	be16_store(p + 2, h->total_len);
	be16_store(p + 4, h->id);
	be16_store(p + 6, (uint16_t)((h->dont_fragment ? IPV4_DF : 0) |
				     (h->more_fragments ? IPV4_MF : 0) | h->frag_off / 8));
	p[8] = h->ttl;
	p[9] = h->proto;
	memcpy(p + 12, h->src.b, 4);
	memcpy(p + 16, h->dst.b, 4);
	ipv4_set_cksum(p, h->hdr_len);
}

struct ipv4_opt_iter ipv4_opts(const uint8_t *hdr, size_t hdr_len)
{
	return (struct ipv4_opt_iter){ .p = hdr + IPV4_HDR_LEN, .end = hdr + hdr_len };
}

bool ipv4_opt_next(struct ipv4_opt_iter *it)
{
	while (it->p < it->end && *it->p == IPV4_OPT_NOP)
		it->p++;
	if (it->p >= it->end || *it->p == IPV4_OPT_END)
		return false;
	if (it->end - it->p < 2 || it->p[1] < 2 || it->p[1] > it->end - it->p) {
		it->bad = true;
		return false;
	}
	it->type = it->p[0];
	it->opt = it->p;
	it->len = it->p[1];
	it->p += it->len;
	return true;
}

/* Pointers count from 1; one beyond the option means that it is full. */
static bool ptr_ok(const uint8_t *opt, uint8_t len, uint8_t min, uint8_t entry)
{
	uint8_t ptr = opt[IPV4_OPT_PTR];

	return ptr >= min && (ptr > len || ptr - 1 + entry <= len);
}

uint8_t ipv4_opt_fault(const uint8_t *opt, uint8_t len)
{
	uint8_t flags;

	switch (opt[0]) {
	case IPV4_OPT_RR:
		if (len < 3)
			return 1;
		return ptr_ok(opt, len, RR_MIN_PTR, ADDR_LEN_V4) ? 0 : IPV4_OPT_PTR;
	case IPV4_OPT_TS:
		if (len < 4)
			return 1;
		flags = opt[IPV4_TS_FLAGS] & 0xf;
		if (flags != IPV4_TS_ONLY && flags != IPV4_TS_WITH_ADDR && flags != IPV4_TS_PRESPECIFIED)
			return IPV4_TS_FLAGS;
		if (opt[IPV4_OPT_PTR] > len && opt[IPV4_TS_FLAGS] >> 4 == TS_OVERFLOW_MAX)
			return IPV4_TS_FLAGS;	/* "the overflow count itself overflows" */
		return ptr_ok(opt, len, TS_MIN_PTR, ipv4_ts_entry_len(opt)) ? 0 : IPV4_OPT_PTR;
	case IPV4_OPT_ROUTER_ALERT:
		return len < 4 ? 1 : 0;
	default:
		return 0;
	}
}

bool ipv4_opts_make(const uint8_t *opts, size_t len, uint8_t *out, uint8_t *out_len)
{
	struct ipv4_opt_iter it = { .p = out, .end = out + (len + 3) / 4 * 4 };
	bool rr = false, ts = false, *seen;

	if (len > IPV4_OPTS_MAX)
		return false;
	memset(out, IPV4_OPT_END, (size_t)(it.end - out));
	if (len)
		memcpy(out, opts, len);
	*out_len = (uint8_t)(it.end - out);
	while (ipv4_opt_next(&it)) {
		if (it.type == IPV4_OPT_LSRR || it.type == IPV4_OPT_SSRR || ipv4_opt_fault(it.opt, it.len))
			return false;
		seen = it.type == IPV4_OPT_RR ? &rr : it.type == IPV4_OPT_TS ? &ts : NULL;
		if (seen && *seen)
			return false;
		if (seen)
			*seen = true;
	}
	memset(out + (it.p - out), IPV4_OPT_END, (size_t)(it.end - it.p));
	return !it.bad;
}
