/* A packet as rules look at it. */
#include "filter/packet.h"

#include "base/byteorder.h"
#include "header/icmp.h"
#include "header/ipv6.h"
#include "header/udp.h"

enum { SKIM_MAX = 512 };	/* bytes of extension headers looked through */

/* Bytes from the network header on that lie in the head. */
static size_t in_head(const struct pkt *pkt)
{
	return pkt->off + pkt->head_len - pkt->net_off;
}

/* Like pkt_pullup(), counted from the network header, which may have been pulled already. */
static bool pullup_from_net(struct filter_pkt *k, size_t n)
{
	size_t passed = k->pkt->off - k->pkt->net_off;

	if (n > k->bytes)
		return false;
	return n <= passed || pkt_pullup(k->pkt, n - passed);
}

static bool open_ipv4(struct filter_pkt *k)
{
	const uint8_t *p = pkt_net_hdr(k->pkt);

	k->proto = p[9];
	k->l4_off = (uint16_t)((p[0] & 0xfu) * 4);
	k->later_fragment = (be16_load(p + 6) & 0x1fff) != 0;
	return true;
}

static bool open_ipv6(struct filter_pkt *k)
{
	struct ipv6_skim skim;
	bool whole = ipv6_skim(&skim, pkt_net_hdr(k->pkt), in_head(k->pkt));

	if (!whole && in_head(k->pkt) < k->bytes && in_head(k->pkt) < SKIM_MAX) {
		if (!pullup_from_net(k, k->bytes < SKIM_MAX ? k->bytes : SKIM_MAX))
			return false;
		whole = ipv6_skim(&skim, pkt_net_hdr(k->pkt), in_head(k->pkt));
	}
	k->proto = whole ? skim.proto : IP_PROTO_NONE;
	k->l4_off = (uint16_t)(whole ? skim.off : IPV6_HDR_LEN);
	k->later_fragment = !whole || skim.later_fragment;
	return true;
}

bool packet_need(struct filter_pkt *k, size_t n)
{
	if (k->later_fragment || !pullup_from_net(k, k->l4_off + n))
		return false;
	k->l4_len = (uint32_t)(in_head(k->pkt) - k->l4_off);
	return true;
}

bool packet_open(struct filter_pkt *k, struct stack *s, struct pkt *pkt, enum hook_point at,
		 struct nic *in, struct nic *out)
{
	size_t want = 0;

	*k = (struct filter_pkt){
		.stack = s, .pkt = pkt, .at = at, .in = in, .out = out,
		.net = net_index_of(&pkt->src), .bytes = pkt->len + (pkt->off - pkt->net_off),
	};
	if (!(k->net == NET_IPV4 ? open_ipv4(k) : open_ipv6(k)))
		return false;
	if (k->l4_off > k->bytes)
		return false;
	if (k->later_fragment)
		return true;
	if (k->proto == IP_PROTO_TCP)
		want = TCP_HDR_MIN;
	else if (k->proto == IP_PROTO_UDP || k->proto == IP_PROTO_ICMP || k->proto == IP_PROTO_ICMPV6)
		want = UDP_HDR_LEN;
	/* Cut short: rules that look at the transport header will not find one. */
	if (!packet_need(k, want < packet_l4_total(k) ? want : packet_l4_total(k)))
		return false;
	return true;
}
