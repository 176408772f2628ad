/* ICMP and ICMPv6: the eight bytes all messages start with. */
#include "header/icmp.h"

#include "base/byteorder.h"

bool icmp_parse(struct icmp_hdr *h, const uint8_t *p, size_t len)
{
	if (len < ICMP_HDR_LEN)
		return false;
	h->type = p[0];
	h->code = p[1];
	h->rest = be32_load(p + 4);
	h->id = (uint16_t)(h->rest >> 16);
	h->seq = (uint16_t)h->rest;
	return true;
}

void icmp_emit(const struct icmp_hdr *h, uint8_t *p)
{
	p[0] = h->type;
	p[1] = h->code;
	p[2] = p[3] = 0;
	be32_store(p + 4, h->rest);
}
