/* Ethernet II frames. */
#include "header/eth.h"

#include "base/byteorder.h"

bool eth_parse(struct eth_hdr *h, const uint8_t *p, size_t len)
{
	if (len < ETH_HDR_LEN)
		return false;
	h->dst = link_addr_from_bytes(p);
	h->src = link_addr_from_bytes(p + 6);
	h->type = be16_load(p + 12);
	return h->type >= ETH_MIN_TYPE;
}

void eth_emit(const struct eth_hdr *h, uint8_t *p)
{
	memcpy(p, h->dst.b, 6);
	memcpy(p + 6, h->src.b, 6);
	be16_store(p + 12, h->type);
}
