/* ARP for IPv4 over Ethernet. */
#include "header/arp.h"

#include "base/byteorder.h"
#include "header/eth.h"

enum { ARP_HW_ETHERNET = 1 };

bool arp_parse(struct arp_hdr *h, const uint8_t *p, size_t len)
{
	if (len < ARP_LEN || be16_load(p) != ARP_HW_ETHERNET ||
	    be16_load(p + 2) != ETH_TYPE_IPV4 || p[4] != 6 || p[5] != 4)
		return false;
	h->op = be16_load(p + 6);
	h->sender_link = link_addr_from_bytes(p + 8);
	h->sender = addr_from_bytes(p + 14, ADDR_LEN_V4);
	h->target_link = link_addr_from_bytes(p + 18);
	h->target = addr_from_bytes(p + 24, ADDR_LEN_V4);
	return true;
}

void arp_emit(const struct arp_hdr *h, uint8_t *p)
{
	be16_store(p, ARP_HW_ETHERNET);
	be16_store(p + 2, ETH_TYPE_IPV4);
	p[4] = 6;
	p[5] = 4;
	be16_store(p + 6, h->op);
	memcpy(p + 8, h->sender_link.b, 6);
	memcpy(p + 14, h->sender.b, 4);
	memcpy(p + 18, h->target_link.b, 6);
	memcpy(p + 24, h->target.b, 4);
}
