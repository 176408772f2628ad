/* ICMP (RFC 792) and ICMPv6 (RFC 4443): the eight bytes all messages start with. */
#ifndef STACK_HEADER_ICMP_H
#define STACK_HEADER_ICMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ICMP_HDR_LEN = 8, ICMP_CKSUM_OFF = 2 };

enum icmpv4_type {
	ICMPV4_ECHO_REPLY = 0, ICMPV4_DST_UNREACHABLE = 3, ICMPV4_SRC_QUENCH = 4,
	ICMPV4_REDIRECT = 5, ICMPV4_ECHO = 8, ICMPV4_TIME_EXCEEDED = 11, ICMPV4_PARAM_PROBLEM = 12,
	ICMPV4_TIMESTAMP = 13, ICMPV4_TIMESTAMP_REPLY = 14, ICMPV4_INFO_REQUEST = 15,
	ICMPV4_INFO_REPLY = 16,
};

enum icmpv4_unreachable {
	ICMPV4_NET_UNREACHABLE = 0, ICMPV4_HOST_UNREACHABLE = 1, ICMPV4_PROTO_UNREACHABLE = 2,
	ICMPV4_PORT_UNREACHABLE = 3, ICMPV4_FRAG_NEEDED = 4, ICMPV4_SRC_ROUTE_FAILED = 5,
	ICMPV4_NET_PROHIBITED = 9, ICMPV4_HOST_PROHIBITED = 10, ICMPV4_ADMIN_PROHIBITED = 13,
};

enum icmpv6_type {
	ICMPV6_DST_UNREACHABLE = 1, ICMPV6_PACKET_TOO_BIG = 2, ICMPV6_TIME_EXCEEDED = 3,
	ICMPV6_PARAM_PROBLEM = 4, ICMPV6_ECHO_REQUEST = 128, ICMPV6_ECHO_REPLY = 129,
	ICMPV6_MLD_QUERY = 130, ICMPV6_MLD_REPORT = 131, ICMPV6_MLD_DONE = 132,
	ICMPV6_ROUTER_SOLICIT = 133, ICMPV6_ROUTER_ADVERT = 134, ICMPV6_NEIGHBOR_SOLICIT = 135,
	ICMPV6_NEIGHBOR_ADVERT = 136, ICMPV6_REDIRECT = 137, ICMPV6_MLDV2_REPORT = 143,
};

enum icmpv6_unreachable {
	ICMPV6_NO_ROUTE = 0, ICMPV6_ADMIN_PROHIBITED = 1, ICMPV6_ADDR_UNREACHABLE = 3,
	ICMPV6_PORT_UNREACHABLE = 4, ICMPV6_POLICY_FAILED = 5, ICMPV6_REJECT_ROUTE = 6,
};

enum { ICMP_TTL_EXCEEDED = 0, ICMP_REASSEMBLY_EXCEEDED = 1 };	/* codes of both versions */

enum icmpv6_param_problem {
	ICMPV6_PARAM_HEADER = 0, ICMPV6_PARAM_NEXT_HEADER = 1, ICMPV6_PARAM_OPTION = 2,
};

/**
 * struct icmp_hdr - type, code, and the second word's two readings
 * @id, @seq: of echo messages
 * @rest:     the whole second word (MTU, pointer); same bytes as @id and @seq
 */
struct icmp_hdr {
	uint8_t type, code;
	uint16_t id, seq;
	uint32_t rest;
};

/** icmp_parse() - false if there are not ICMP_HDR_LEN bytes */
bool icmp_parse(struct icmp_hdr *h, const uint8_t *p, size_t len);

/** icmp_emit() - write ICMP_HDR_LEN bytes, second word from @rest, the checksum zero */
void icmp_emit(const struct icmp_hdr *h, uint8_t *p);

static inline uint32_t icmp_echo_rest(uint16_t id, uint16_t seq)
{
	return (uint32_t)id << 16 | seq;
}

static inline bool icmpv4_is_error(uint8_t type)
{
	return type == ICMPV4_DST_UNREACHABLE || type == ICMPV4_SRC_QUENCH ||
	       type == ICMPV4_REDIRECT || type == ICMPV4_TIME_EXCEEDED ||
	       type == ICMPV4_PARAM_PROBLEM;
}

static inline bool icmpv6_is_error(uint8_t type)
{
	return type < 128;
}

#endif
