/* The router advertisements of a lan's switch (RFC 4861, 6.2): a prefix to form addresses from, no default route. */
#include "link/lan_advert.h"

#include "base/byteorder.h"
#include "base/cksum.h"
#include "header/eth.h"
#include "header/icmp.h"
#include "header/ipv4.h"
#include "header/ipv6.h"
#include "header/ndp.h"

enum {
	MESSAGE_LEN = NDP_RA_LEN + NDP_OPT_PREFIX_LEN + NDP_OPT_MTU_LEN + NDP_OPT_LINK_LEN,
	FRAME_LEN = ETH_HDR_LEN + IPV6_HDR_LEN + MESSAGE_LEN,
	VALID_S = 86400, PREFERRED_S = 14400, HOP_LIMIT = 64,
};

static struct addr link_local_of(const struct link_addr *mac)
{
	struct addr a = { .len = ADDR_LEN_V6 };

	a.b[0] = 0xfe;
	a.b[1] = 0x80;
	memcpy(a.b + 8, mac->b, 3);
	a.b[8] ^= 2;
	a.b[11] = 0xff;
	a.b[12] = 0xfe;
	memcpy(a.b + 13, mac->b + 3, 3);
	return a;
}

struct pkt *lan_advert_new(struct pkt_pool *pool, const struct link_addr *from, const struct addr *prefix,
			   uint32_t mtu)
{
	const struct ndp_router_advert ra = { .hop_limit = HOP_LIMIT };
	const struct ndp_prefix px = { .len = 64, .on_link = true, .autonomous = true, .valid_s = VALID_S,
				       .preferred_s = PREFERRED_S, .prefix = *prefix };
	struct eth_hdr eth = { .dst = link_addr_of_multicast(&addr_v6_all_nodes), .src = *from,
			       .type = ETH_TYPE_IPV6 };
	struct ipv6_hdr ip = { .next = IP_PROTO_ICMPV6, .hop_limit = NDP_HOP_LIMIT, .payload_len = MESSAGE_LEN,
			       .src = link_local_of(from), .dst = addr_v6_all_nodes };
	uint8_t f[FRAME_LEN] = { 0 }, *m = f + ETH_HDR_LEN + IPV6_HDR_LEN, *o = m + NDP_RA_LEN;
	uint16_t sum;

	eth_emit(&eth, f);
	ipv6_emit(&ip, f + ETH_HDR_LEN);
	ndp_ra_emit(&ra, m);
	ndp_prefix_emit(&px, o);
	o += NDP_OPT_PREFIX_LEN;
	o[0] = NDP_OPT_MTU;
	o[1] = 1;
	be32_store(o + 4, mtu);
	ndp_link_addr_emit(NDP_OPT_SOURCE_LINK, from, o + NDP_OPT_MTU_LEN);
	sum = cksum_pseudo(&ip.src, &ip.dst, IP_PROTO_ICMPV6, MESSAGE_LEN);
	sum = (uint16_t)~cksum_add(sum, m, MESSAGE_LEN);
	memcpy(m + ICMP_CKSUM_OFF, &sum, 2);
	return pkt_from_bytes(pool, f, sizeof(f));
}

bool lan_advert_is_solicited(const struct pkt *frame)
{
	uint8_t f[ETH_HDR_LEN + IPV6_HDR_LEN + 1];

	if (frame->len < ETH_HDR_LEN + IPV6_HDR_LEN + NDP_RS_LEN)
		return false;
	pkt_copy_out(frame, 0, f, sizeof(f));
	return be16_load(f + 12) == ETH_TYPE_IPV6 && f[ETH_HDR_LEN + 6] == IP_PROTO_ICMPV6 &&
	       f[ETH_HDR_LEN + IPV6_HDR_LEN] == ICMPV6_ROUTER_SOLICIT;
}
