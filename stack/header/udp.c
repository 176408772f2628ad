/* The UDP header. */
#include "header/udp.h"

#include "base/byteorder.h"

bool udp_parse(struct udp_hdr *h, const uint8_t *p, size_t len, size_t total)
{
	if (len < UDP_HDR_LEN)
		return false;
	h->sport = be16_load(p);
	h->dport = be16_load(p + 2);
	h->len = be16_load(p + 4);
	memcpy(&h->cksum, p + 6, 2);
	return h->len >= UDP_HDR_LEN && h->len <= total;
}

void udp_emit(const struct udp_hdr *h, uint8_t *p)
{
	be16_store(p, h->sport);
	be16_store(p + 2, h->dport);
	be16_store(p + 4, h->len);
	memcpy(p + 6, &h->cksum, 2);
}
