/* The UDP header (RFC 768). */
#ifndef STACK_HEADER_UDP_H
#define STACK_HEADER_UDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UDP_HDR_LEN = 8, UDP_CKSUM_OFF = 6 };

/** struct udp_hdr - @len with the header; @cksum in memory order, 0 for none */
struct udp_hdr {
	uint16_t sport, dport, len, cksum;
};

/** udp_parse() - false if there are fewer bytes than the header, or than it says */
bool udp_parse(struct udp_hdr *h, const uint8_t *p, size_t len, size_t total);

/** udp_emit() - write UDP_HDR_LEN bytes */
void udp_emit(const struct udp_hdr *h, uint8_t *p);

#endif
