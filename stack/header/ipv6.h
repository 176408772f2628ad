/* The IPv6 header (RFC 8200) and its extension headers. */
#ifndef STACK_HEADER_IPV6_H
#define STACK_HEADER_IPV6_H

#include <stdbool.h>

#include "base/addr.h"
#include "header/ipv4.h"

enum { IPV6_HDR_LEN = 40, IPV6_MIN_MTU = 1280, IPV6_FRAG_LEN = 8 };

struct ipv6_hdr {
	uint8_t traffic_class, next, hop_limit;
	uint32_t flow_label;
	uint16_t payload_len;
	struct addr src, dst;
};

/** ipv6_parse() - false if the version is wrong or there are fewer bytes than it says */
bool ipv6_parse(struct ipv6_hdr *h, const uint8_t *p, size_t len);

/** ipv6_emit() - write IPV6_HDR_LEN bytes */
void ipv6_emit(const struct ipv6_hdr *h, uint8_t *p);

/** struct ipv6_frag - the fragment header; @off in bytes */
struct ipv6_frag {
	uint8_t next;
	uint16_t off;
	bool more;
	uint32_t id;
};

bool ipv6_frag_parse(struct ipv6_frag *f, const uint8_t *p, size_t len);
void ipv6_frag_emit(const struct ipv6_frag *f, uint8_t *p);

/** ipv6_ext_len() - length of an options or routing header; 0 if there are fewer bytes */
size_t ipv6_ext_len(const uint8_t *p, size_t len);

enum ipv6_opt { IPV6_OPT_PAD1 = 0, IPV6_OPT_PADN = 1, IPV6_OPT_ROUTER_ALERT = 5 };

/** enum ipv6_opt_action - what the two high bits of an unknown option ask for (RFC 8200, 4.2) */
enum ipv6_opt_action {
	IPV6_OPT_SKIP = 0, IPV6_OPT_DISCARD = 1, IPV6_OPT_DISCARD_ICMP = 2,
	IPV6_OPT_DISCARD_ICMP_UNICAST = 3,
};

/** struct ipv6_opt_iter - where a walk over a hop-by-hop or destination options header is */
struct ipv6_opt_iter {
	const uint8_t *start, *p, *end;
	uint8_t type, len;
	const uint8_t *data;
	bool bad;
};

/** ipv6_opts() - over a header of @len bytes, as ipv6_ext_len() gave */
struct ipv6_opt_iter ipv6_opts(const uint8_t *hdr, size_t len);

/** ipv6_opt_next() - to the next option but padding; false at the end, @bad set if lengths lie */
bool ipv6_opt_next(struct ipv6_opt_iter *it);

static inline enum ipv6_opt_action ipv6_opt_action(uint8_t type)
{
	return (enum ipv6_opt_action)(type >> 6);
}

/** struct ipv6_skim - what a quoted packet's chain of headers leads to */
struct ipv6_skim {
	uint8_t proto;
	size_t off;
	bool later_fragment;	/* no transport header: not the first fragment */
};

/** ipv6_skim() - walk a packet's extension headers without judging them; false if they run out */
bool ipv6_skim(struct ipv6_skim *s, const uint8_t *p, size_t len);

#endif
