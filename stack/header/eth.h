/* Ethernet II frames. */
#ifndef STACK_HEADER_ETH_H
#define STACK_HEADER_ETH_H

#include <stdbool.h>

#include "base/addr.h"

enum { ETH_HDR_LEN = 14, ETH_MIN_TYPE = 0x0600 };
enum { ETH_TYPE_IPV4 = 0x0800, ETH_TYPE_ARP = 0x0806, ETH_TYPE_IPV6 = 0x86dd };

struct eth_hdr {
	struct link_addr dst, src;
	uint16_t type;
};

/** eth_parse() - false if there are not ETH_HDR_LEN bytes, or an 802.3 length where the type is */
bool eth_parse(struct eth_hdr *h, const uint8_t *p, size_t len);

/** eth_emit() - write ETH_HDR_LEN bytes */
void eth_emit(const struct eth_hdr *h, uint8_t *p);

#endif
