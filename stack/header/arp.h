/* ARP for IPv4 over Ethernet (RFC 826). */
#ifndef STACK_HEADER_ARP_H
#define STACK_HEADER_ARP_H

#include <stdbool.h>

#include "base/addr.h"

enum { ARP_LEN = 28 };
enum arp_op { ARP_REQUEST = 1, ARP_REPLY = 2 };

struct arp_hdr {
	uint16_t op;
	struct link_addr sender_link, target_link;
	struct addr sender, target;
};

/** arp_parse() - false unless it is a whole packet for these two protocols */
bool arp_parse(struct arp_hdr *h, const uint8_t *p, size_t len);

/** arp_emit() - write ARP_LEN bytes */
void arp_emit(const struct arp_hdr *h, uint8_t *p);

#endif
