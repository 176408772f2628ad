/* The IPv6 header and its extension headers. */
#include "header/ipv6.h"

#include "base/byteorder.h"

bool ipv6_parse(struct ipv6_hdr *h, const uint8_t *p, size_t len)
{
	uint32_t first;

	if (len < IPV6_HDR_LEN || p[0] >> 4 != 6)
		return false;
	first = be32_load(p);
	h->traffic_class = (uint8_t)(first >> 20);
	h->flow_label = first & 0xfffff;
	h->payload_len = be16_load(p + 4);
	h->next = p[6];
	h->hop_limit = p[7];
	h->src = addr_from_bytes(p + 8, ADDR_LEN_V6);
	h->dst = addr_from_bytes(p + 24, ADDR_LEN_V6);
	return len - IPV6_HDR_LEN >= h->payload_len;
}

void ipv6_emit(const struct ipv6_hdr *h, uint8_t *p)
{
	be32_store(p, 6u << 28 | (uint32_t)h->traffic_class << 20 | (h->flow_label & 0xfffff));
	be16_store(p + 4, h->payload_len);
	p[6] = h->next;
	p[7] = h->hop_limit;
	memcpy(p + 8, h->src.b, 16);
	memcpy(p + 24, h->dst.b, 16);
}

bool ipv6_frag_parse(struct ipv6_frag *f, const uint8_t *p, size_t len)
{
	uint16_t off;

	if (len < IPV6_FRAG_LEN)
		return false;
	off = be16_load(p + 2);
	f->next = p[0];
	f->off = off & 0xfff8;
	f->more = off & 1;
	f->id = be32_load(p + 4);
	return true;
}

void ipv6_frag_emit(const struct ipv6_frag *f, uint8_t *p)
{
	p[0] = f->next;
	p[1] = 0;
	be16_store(p + 2, (uint16_t)((f->off & 0xfff8) | f->more));
	be32_store(p + 4, f->id);
}

size_t ipv6_ext_len(const uint8_t *p, size_t len)
{
	size_t n;

	if (len < 8)
		return 0;
	n = (p[1] + 1u) * 8;
	return n <= len ? n : 0;
}

struct ipv6_opt_iter ipv6_opts(const uint8_t *hdr, size_t len)
{
	return (struct ipv6_opt_iter){ .start = hdr, .p = hdr + 2, .end = hdr + len };
}

bool ipv6_opt_next(struct ipv6_opt_iter *it)
{
	while (it->p < it->end) {
		if (*it->p == IPV6_OPT_PAD1) {
			it->p++;
			continue;
		}
		if (it->end - it->p < 2 || it->p[1] > it->end - it->p - 2) {
			it->bad = true;
			return false;
		}
		it->type = it->p[0];
		it->len = it->p[1];
		it->data = it->p + 2;
		it->p += 2 + it->len;
		if (it->type != IPV6_OPT_PADN)
			return true;
	}
	return false;
}

bool ipv6_skim(struct ipv6_skim *s, const uint8_t *p, size_t len)
{
	struct ipv6_frag f;
	size_t n;

	*s = (struct ipv6_skim){ .off = IPV6_HDR_LEN };
	if (len < IPV6_HDR_LEN)
		return false;
	s->proto = p[6];
	/* Each header is at least eight bytes, so this ends. */
	for (;;) {
		switch (s->proto) {
		case IP_PROTO_HOPOPT:
		case IP_PROTO_ROUTING:
		case IP_PROTO_DSTOPTS:
			n = ipv6_ext_len(p + s->off, len - s->off);
			if (n == 0)
				return false;
			break;
		case IP_PROTO_FRAGMENT:
			if (!ipv6_frag_parse(&f, p + s->off, len - s->off))
				return false;
			n = IPV6_FRAG_LEN;
			if (f.off) {
				s->proto = f.next;
				s->off += n;
				s->later_fragment = true;
				return true;
			}
			break;
		default:
			return true;
		}
		s->proto = p[s->off];
		s->off += n;
	}
}
