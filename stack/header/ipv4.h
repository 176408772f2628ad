/* The IPv4 header (RFC 791) and its options. */
#ifndef STACK_HEADER_IPV4_H
#define STACK_HEADER_IPV4_H

#include <stdbool.h>

#include "base/addr.h"

enum { IPV4_HDR_LEN = 20, IPV4_HDR_MAX = 60, IPV4_OPTS_MAX = IPV4_HDR_MAX - IPV4_HDR_LEN, IPV4_MIN_MTU = 68 };

/** enum ip_proto - protocol and next header numbers */
enum ip_proto {
	IP_PROTO_HOPOPT = 0, IP_PROTO_ICMP = 1, IP_PROTO_IGMP = 2, IP_PROTO_TCP = 6,
	IP_PROTO_UDP = 17, IP_PROTO_ROUTING = 43, IP_PROTO_FRAGMENT = 44, IP_PROTO_ICMPV6 = 58,
	IP_PROTO_NONE = 59, IP_PROTO_DSTOPTS = 60, IP_PROTO_RAW = 255,
};

/**
 * struct ipv4_hdr - a parsed header
 * @hdr_len:   with options
 * @total_len: with payload
 * @frag_off:  in bytes
 */
struct ipv4_hdr {
	uint8_t hdr_len, tos, ttl, proto;
	uint16_t total_len, id, frag_off;
	bool dont_fragment, more_fragments;
	struct addr src, dst;
};

/** ipv4_parse() - false if version, lengths or fragment fields cannot be right; the checksum is
 * ipv4_cksum_ok()'s. Bytes beyond the total length are no error: links pad. */
bool ipv4_parse(struct ipv4_hdr *h, const uint8_t *p, size_t len);

/** ipv4_cksum_ok() - of @hdr_len bytes that ipv4_parse() found good */
bool ipv4_cksum_ok(const uint8_t *p, size_t hdr_len);

/** ipv4_emit() - write @h->hdr_len bytes but for the options, which are there already; sets the sum */
void ipv4_emit(const struct ipv4_hdr *h, uint8_t *p);

/** ipv4_set_cksum() - compute the header checksum anew */
void ipv4_set_cksum(uint8_t *p, size_t hdr_len);

enum ipv4_opt {
	IPV4_OPT_END = 0, IPV4_OPT_NOP = 1, IPV4_OPT_RR = 7, IPV4_OPT_TS = 68, IPV4_OPT_LSRR = 131,
	IPV4_OPT_SSRR = 137, IPV4_OPT_ROUTER_ALERT = 148, IPV4_OPT_COPIED = 0x80,
};

/* Offsets in record route and timestamp options, and the timestamp's flags (RFC 791, 3.1). */
enum { IPV4_OPT_PTR = 2, IPV4_TS_FLAGS = 3 };
enum { IPV4_TS_ONLY = 0, IPV4_TS_WITH_ADDR = 1, IPV4_TS_PRESPECIFIED = 3 };

/** ipv4_ts_entry_len() - bytes of one entry of a timestamp option */
static inline uint8_t ipv4_ts_entry_len(const uint8_t *opt)
{
	return (opt[IPV4_TS_FLAGS] & 0xf) == IPV4_TS_ONLY ? 4 : 8;
}

/** struct ipv4_opt_iter - where a walk over options is */
struct ipv4_opt_iter {
	const uint8_t *p, *end;
	uint8_t type;
	const uint8_t *opt;		/* the option, type byte first */
	uint8_t len;
	bool bad;
};

struct ipv4_opt_iter ipv4_opts(const uint8_t *hdr, size_t hdr_len);

/** ipv4_opt_next() - to the next option but NOP; false at the end, with @bad set if lengths lie */
bool ipv4_opt_next(struct ipv4_opt_iter *it);

/** ipv4_opt_fault() - what is wrong with an option: the offset of the octet, 0 if nothing is */
uint8_t ipv4_opt_fault(const uint8_t *opt, uint8_t len);

/** ipv4_opts_make() - options that a user wants sent, @len bytes of them, at most IPV4_OPTS_MAX: written
 * to @out, padded to a multiple of 4. false: they are malformed, one is there twice, or they are a source
 * route, which is not sent (RFC 7126, 4.3 and 4.4) */
bool ipv4_opts_make(const uint8_t *opts, size_t len, uint8_t *out, uint8_t *out_len);

#endif
