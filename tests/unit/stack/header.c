/* Header codecs: each against fixed bytes, both ways, and against every shorter length. */
#include <criterion/criterion.h>

#include "base/byteorder.h"
#include "base/cksum.h"
#include "header/arp.h"
#include "header/eth.h"
#include "header/group.h"
#include "header/icmp.h"
#include "header/ipv6.h"
#include "header/ndp.h"
#include "header/udp.h"
#include "header/vnet.h"

#define SAME(out, want) cr_assert(memcmp(out, want, sizeof(want)) == 0)

Test(header, eth)
{
	static const uint8_t want[14] = { 2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, 0x86, 0xdd };
	struct eth_hdr h;
	uint8_t out[14];

	cr_assert(eth_parse(&h, want, 14) && h.type == ETH_TYPE_IPV6 && h.src.b[5] == 8);
	eth_emit(&h, out);
	SAME(out, want);
	cr_assert_not(eth_parse(&h, want, 13));
	out[12] = 0;
	cr_assert_not(eth_parse(&h, out, 14), "an 802.3 length is no type");
}

Test(header, arp)
{
	static const uint8_t want[28] = {
		0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2
	};
	struct arp_hdr h;
	uint8_t out[28];

	cr_assert(arp_parse(&h, want, 28) && h.op == ARP_REQUEST && h.target.b[3] == 2);
	arp_emit(&h, out);
	SAME(out, want);
	for (size_t n = 0; n < 28; n++)
		cr_assert_not(arp_parse(&h, want, n));
	for (int i = 0; i < 6; i++) {
		memcpy(out, want, 28);
		out[i] ^= 1;
		cr_assert_not(arp_parse(&h, out, 28), "byte %d", i);
	}
}

/* From RFC 1071's family of examples: a header whose checksum is known. */
static const uint8_t ipv4_bytes[20] = {
	0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0xb8, 0x61,
	0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7
};

Test(header, ipv4)
{
	uint8_t p[0x73], out[20];
	struct ipv4_hdr h;

	memset(p, 0, sizeof(p));
	memcpy(p, ipv4_bytes, 20);
	cr_assert(ipv4_parse(&h, p, sizeof(p)) && ipv4_cksum_ok(p, 20));
	cr_assert(h.total_len == 0x73 && h.proto == IP_PROTO_UDP && h.dont_fragment &&
		  !h.more_fragments && h.dst.b[3] == 0xc7);
	ipv4_emit(&h, out);
	SAME(out, ipv4_bytes);
	for (size_t n = 0; n < sizeof(p); n++)
		cr_assert_not(ipv4_parse(&h, p, n), "%zu", n);
	p[0] = 0x44;
	cr_assert_not(ipv4_parse(&h, p, sizeof(p)), "header of 16 bytes");
	p[0] = 0x65;
	cr_assert_not(ipv4_parse(&h, p, sizeof(p)), "version 6");
	p[0] = 0x45;
	p[3] = 19;
	p[2] = 0;
	cr_assert_not(ipv4_parse(&h, p, sizeof(p)), "total shorter than the header");
}

Test(header, ipv4_options_walk_and_notice_lies)
{
	uint8_t p[32] = { 0x48, [20] = 1, 1, 148, 4, 0, 0, 7, 3, 4, 0 };
	struct ipv4_opt_iter it = ipv4_opts(p, 32);

	cr_assert(ipv4_opt_next(&it) && it.type == IPV4_OPT_ROUTER_ALERT && it.len == 4);
	cr_assert(ipv4_opt_next(&it) && it.type == IPV4_OPT_RR && it.len == 3);
	cr_assert(!ipv4_opt_next(&it) && !it.bad);
	p[27] = 7;
	it = ipv4_opts(p, 32);
	ipv4_opt_next(&it);
	cr_assert(!ipv4_opt_next(&it) && it.bad, "length beyond the header");
	p[23] = 1;
	it = ipv4_opts(p, 32);
	cr_assert(!ipv4_opt_next(&it) && it.bad, "length below two");
}

Test(header, ipv6)
{
	static const uint8_t want[40] = {
		0x6a, 0xb1, 0x23, 0x45, 0, 4, 17, 63, 0x20, 1, 0xd, 0xb8, [23] = 1,
		[24] = 0xfe, 0x80, [39] = 2
	};
	uint8_t p[44], out[40];
	struct ipv6_hdr h;

	memcpy(p, want, 40);
	cr_assert(ipv6_parse(&h, p, 44));
	cr_assert(h.traffic_class == 0xab && h.flow_label == 0x12345 && h.hop_limit == 63);
	ipv6_emit(&h, out);
	SAME(out, want);
	for (size_t n = 0; n < 44; n++)
		cr_assert_not(ipv6_parse(&h, p, n));
}

Test(header, ipv6_fragment)
{
	static const uint8_t want[8] = { 17, 0, 0x05, 0xa9, 1, 2, 3, 4 };
	struct ipv6_frag f;
	uint8_t out[8];

	cr_assert(ipv6_frag_parse(&f, want, 8) && f.off == 1448 && f.more && f.id == 0x01020304);
	ipv6_frag_emit(&f, out);
	SAME(out, want);
	cr_assert_not(ipv6_frag_parse(&f, want, 7));
}

Test(header, ipv6_options_walk_and_notice_lies)
{
	uint8_t p[16] = { 17, 1, 5, 2, 0, 0, 0, 1, 1, 0, 0xc2, 2, 9, 9, 0, 0 };
	struct ipv6_opt_iter it;

	cr_assert_eq(ipv6_ext_len(p, 16), 16);
	cr_assert_eq(ipv6_ext_len(p, 15), 0);
	it = ipv6_opts(p, 16);
	cr_assert(ipv6_opt_next(&it) && it.type == IPV6_OPT_ROUTER_ALERT && it.len == 2);
	cr_assert(ipv6_opt_next(&it) && it.type == 0xc2);
	cr_assert_eq(ipv6_opt_action(it.type), IPV6_OPT_DISCARD_ICMP_UNICAST);
	cr_assert(!ipv6_opt_next(&it) && !it.bad);
	p[11] = 5;
	it = ipv6_opts(p, 16);
	ipv6_opt_next(&it);
	cr_assert(!ipv6_opt_next(&it) && it.bad);
}

Test(header, ipv6_skim_follows_the_chain)
{
	uint8_t p[72] = { [6] = IP_PROTO_HOPOPT, [40] = IP_PROTO_FRAGMENT, [48] = IP_PROTO_DSTOPTS,
			  [56] = IP_PROTO_UDP };
	struct ipv6_skim s;

	cr_assert(ipv6_skim(&s, p, 72) && s.proto == IP_PROTO_UDP && s.off == 64);
	cr_assert_not(ipv6_skim(&s, p, 63));
	p[51] = 8;
	cr_assert(ipv6_skim(&s, p, 72) && s.later_fragment && s.proto == IP_PROTO_DSTOPTS);
}

Test(header, udp)
{
	static const uint8_t want[8] = { 0x03, 0xe8, 0x07, 0xd0, 0, 12, 0xab, 0xcd };
	struct udp_hdr h;
	uint8_t out[8];

	cr_assert(udp_parse(&h, want, 8, 12) && h.sport == 1000 && h.dport == 2000 && h.len == 12);
	udp_emit(&h, out);
	SAME(out, want);
	cr_assert_not(udp_parse(&h, want, 7, 12));
	cr_assert_not(udp_parse(&h, want, 8, 11), "longer than the packet");
	memcpy(out, want, 8);
	out[5] = 7;
	cr_assert_not(udp_parse(&h, out, 8, 12), "shorter than its header");
}

Test(header, icmp)
{
	static const uint8_t want[8] = { 8, 0, 0, 0, 0x12, 0x34, 0, 7 };
	struct icmp_hdr h;
	uint8_t out[8];

	cr_assert(icmp_parse(&h, want, 8) && h.id == 0x1234 && h.seq == 7);
	icmp_emit(&h, out);
	SAME(out, want);
	cr_assert_not(icmp_parse(&h, want, 7));
}

Test(header, ndp_messages)
{
	static const uint8_t na[24] = { 136, 0, 0, 0, 0x60, 0, 0, 0, 0xfe, 0x80, [23] = 5 };
	static const uint8_t ra[16] = {
		134, 0, 0, 0, 64, 0xc0, 0x07, 0x08, 0, 0, 0x75, 0x30, 0, 0, 3, 0xe8
	};
	struct ndp_neighbor_advert a;
	struct ndp_router_advert r;
	uint8_t out[24];

	cr_assert(ndp_na_parse(&a, na, 24) && a.solicited && a.override && !a.router);
	ndp_na_emit(&a, out);
	SAME(out, na);
	cr_assert(ndp_ra_parse(&r, ra, 16) && r.managed && r.other && r.lifetime_s == 1800 &&
		  r.reachable_ms == 30000 && r.retransmit_ms == 1000);
	ndp_ra_emit(&r, out);
	SAME(out, ra);
	cr_assert(!ndp_na_parse(&a, na, 23) && !ndp_ra_parse(&r, ra, 15));
}

Test(header, ndp_options)
{
	static const uint8_t prefix[32] = {
		3, 4, 64, 0xc0, 0, 0, 0x0e, 0x10, 0, 0, 0x07, 0x08, 0, 0, 0, 0, 0x20, 1, 0xd, 0xb8
	};
	uint8_t opts[48] = { 1, 1, 2, 0, 0, 0, 0, 7 }, out[32];
	struct ndp_prefix x;
	struct link_addr l;

	memcpy(opts + 8, prefix, 32);
	opts[40] = 200;
	opts[41] = 1;
	cr_assert(ndp_opts_ok(opts, 48));
	cr_assert(ndp_find_link_addr(opts, 48, NDP_OPT_SOURCE_LINK, &l) && l.b[5] == 7);
	cr_assert_not(ndp_find_link_addr(opts, 48, NDP_OPT_TARGET_LINK, &l));
	cr_assert(ndp_prefix_parse(&x, prefix, 32) && x.on_link && x.autonomous &&
		  x.valid_s == 3600 && x.preferred_s == 1800 && x.len == 64);
	ndp_prefix_emit(&x, out);
	SAME(out, prefix);
	opts[41] = 0;
	cr_assert_not(ndp_opts_ok(opts, 48), "length zero: RFC 4861, 4.6");
	opts[41] = 2;
	cr_assert_not(ndp_opts_ok(opts, 48), "runs out of the packet");
	cr_assert_not(ndp_opts_ok(opts, 47));
}

Test(header, group_queries_tell_their_version)
{
	uint8_t p[12] = { IGMP_QUERY, 100 };
	struct group_query q;

	cr_assert(igmp_query_parse(&q, p, 8) && q.version == 2 && q.max_resp_ms == 10000);
	p[1] = 0;
	cr_assert(igmp_query_parse(&q, p, 8) && q.version == 1 && q.max_resp_ms == 10000);
	p[1] = 0x8f;	/* mantissa 15, exponent 0: (15|16) << 3 tenths */
	cr_assert(igmp_query_parse(&q, p, 12) && q.version == 3 && q.max_resp_ms == 24800);
	cr_assert_not(igmp_query_parse(&q, p, 9), "neither length: RFC 3376, 7.1");
	cr_assert_not(igmp_query_parse(&q, p, 7));
}

Test(header, igmpv3_report)
{
	static const uint8_t want[16] = {
		0x22, 0, 0xe8, 0xf9, 0, 0, 0, 1, 4, 0, 0, 0, 239, 1, 2, 3
	};
	struct addr g = addr_v4(239, 1, 2, 3);
	uint8_t out[16];

	cr_assert_eq(group_report_len(&g, 0), 16);
	group_report_emit(IGMP_V3_REPORT, GROUP_TO_EXCLUDE, &g, NULL, 0, out);
	igmp_set_cksum(out, 16);
	cr_assert_eq(cksum_add(0, out, 16), 0xffff);
	SAME(out, want);
}

Test(header, reports_with_sources)
{
	static const uint8_t want4[24] = {
		0x22, 0, 0xbf, 0xe9, 0, 0, 0, 1, 5, 0, 0, 2, 239, 1, 2, 3, 10, 0, 0, 1, 10, 0, 0, 2
	};
	static const uint8_t want6[8 + 20 + 16] = {
		143, 0, 0, 0, 0, 0, 0, 1, 6, 0, 0, 1, 0xff, 5, [27] = 9, 0x20, 1, 0xd, 0xb8, [43] = 7
	};
	struct addr g4 = addr_v4(239, 1, 2, 3), g6 = { .b = { 0xff, 5, [15] = 9 }, .len = 16 };
	struct addr s4[2] = { addr_v4(10, 0, 0, 1), addr_v4(10, 0, 0, 2) };
	struct addr s6 = { .b = { 0x20, 1, 0xd, 0xb8, [15] = 7 }, .len = 16 };
	uint8_t out[44];

	cr_assert_eq(group_report_len(&g4, 2), 24);
	group_report_emit(IGMP_V3_REPORT, GROUP_ALLOW, &g4, s4, 2, out);
	igmp_set_cksum(out, 24);
	cr_assert_eq(cksum_add(0, out, 24), 0xffff);
	cr_assert(memcmp(out, want4, 2) == 0 && memcmp(out + 4, want4 + 4, 20) == 0);
	cr_assert_eq(group_report_len(&g6, 1), 44);
	group_report_emit(ICMPV6_MLDV2_REPORT, GROUP_BLOCK, &g6, &s6, 1, out);
	SAME(out, want6);
}

Test(header, queries_with_sources)
{
	uint8_t p4[20] = { IGMP_QUERY, 10, [4] = 239, 1, 2, 3, 2, 125, 0, 2, 10, 0, 0, 1, 10, 0, 0, 2 };
	uint8_t p6[44] = { ICMPV6_MLD_QUERY, [8] = 0xff, 5, [27] = 1, 0x20, 1, [43] = 7 };
	struct addr second = addr_v4(10, 0, 0, 2), first6 = { .b = { 0x20, 1, [15] = 7 }, .len = 16 };
	struct group_query q;
	struct addr a;

	cr_assert(igmp_query_parse(&q, p4, 20) && q.nsources == 2);
	a = group_query_source(&q, 1);
	cr_assert(addr_equal(&a, &second));
	cr_assert_not(igmp_query_parse(&q, p4, 19), "fewer than it says");
	p4[11] = 3;
	cr_assert_not(igmp_query_parse(&q, p4, 20));
	cr_assert(mld_query_parse(&q, p6, 44) && q.version == 2 && q.nsources == 1);
	a = group_query_source(&q, 0);
	cr_assert(addr_equal(&a, &first6));
	cr_assert_not(mld_query_parse(&q, p6, 43));
	p6[26] = 0xff;
	cr_assert_not(mld_query_parse(&q, p6, 44));
}

Test(header, ndp_redirect)
{
	uint8_t want[NDP_REDIRECT_LEN] = { ICMPV6_REDIRECT, [8] = 0xfe, 0x80, [23] = 1, 0x20, 1, [39] = 2 };
	struct ndp_redirect r;
	uint8_t out[NDP_REDIRECT_LEN];

	cr_assert(ndp_redirect_parse(&r, want, sizeof(want)));
	cr_assert(r.target.b[15] == 1 && r.dst.b[15] == 2);
	ndp_redirect_emit(&r, out);
	SAME(out, want);
	cr_assert_not(ndp_redirect_parse(&r, want, sizeof(want) - 1));
}

Test(header, vnet)
{
	static const uint8_t want[10] = { 1, 1, 54, 0, 0xb4, 5, 34, 0, 16, 0 };
	struct vnet_hdr h;
	uint8_t out[10];

	cr_assert(vnet_parse(&h, want, 10, 52) && h.gso_size == 1460 && h.csum_start == 34);
	vnet_emit(&h, out, 10);
	SAME(out, want);
	cr_assert_not(vnet_parse(&h, want, 10, 51), "the checksum would lie outside the frame");
	cr_assert_not(vnet_parse(&h, want, 9, 100));
	memcpy(out, want, 10);
	out[4] = out[5] = 0;
	cr_assert_not(vnet_parse(&h, out, 10, 100), "segments of no bytes");
}
