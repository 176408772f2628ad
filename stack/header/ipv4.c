/* The IPv4 header and its options. */
#include "header/ipv4.h"

#include "base/byteorder.h"
#include "base/cksum.h"

enum { IPV4_DF = 0x4000, IPV4_MF = 0x2000, IPV4_OFF = 0x1fff };

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
