/* Every header codec on arbitrary bytes: what parses is emitted and must parse to the same again. */
#include <stdlib.h>
#include <string.h>

#include "header/arp.h"
#include "header/eth.h"
#include "header/group.h"
#include "header/icmp.h"
#include "header/ipv6.h"
#include "header/ndp.h"
#include "header/udp.h"
#include "header/vnet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int ok)
{
	if (!ok)
		abort();
}

static void ip(const uint8_t *p, size_t n)
{
	struct ipv4_hdr h4, h4b;
	struct ipv6_hdr h6, h6b;
	struct ipv6_frag f;
	struct ipv6_skim skim;
	uint8_t out[64];
	size_t ext;

	if (ipv4_parse(&h4, p, n)) {
		struct ipv4_opt_iter it = ipv4_opts(p, h4.hdr_len);

		while (ipv4_opt_next(&it))
			must(it.len >= 2);
		memcpy(out, p, h4.hdr_len);
		ipv4_emit(&h4, out);
		must(ipv4_parse(&h4b, out, SIZE_MAX) && ipv4_cksum_ok(out, h4.hdr_len));
		must(h4b.total_len == h4.total_len && h4b.frag_off == h4.frag_off);
	}
	if (ipv6_parse(&h6, p, n)) {
		ipv6_emit(&h6, out);
		must(ipv6_parse(&h6b, out, SIZE_MAX) && h6b.flow_label == h6.flow_label);
		must(memcmp(out, p, IPV6_HDR_LEN) == 0);
	}
	if (ipv6_skim(&skim, p, n))
		must(skim.off >= IPV6_HDR_LEN && skim.off <= n);
	if (ipv6_frag_parse(&f, p, n))
		ipv6_frag_emit(&f, out);
	ext = ipv6_ext_len(p, n);
	if (ext) {
		struct ipv6_opt_iter it = ipv6_opts(p, ext);

		while (ipv6_opt_next(&it))
			must(it.data + it.len <= p + ext);
	}
}

/* What may be sent is a number of whole words without a fault, and may be sent again. */
static void ip_options(const uint8_t *p, size_t n)
{
	uint8_t out[IPV4_OPTS_MAX], again[IPV4_OPTS_MAX], len, len2;
	struct ipv4_opt_iter it = { .p = out };

	if (!ipv4_opts_make(p, n, out, &len))
		return;
	must(len % 4 == 0 && len <= IPV4_OPTS_MAX && len >= n);
	it.end = out + len;
	while (ipv4_opt_next(&it))
		must(!ipv4_opt_fault(it.opt, it.len));
	must(!it.bad && ipv4_opts_make(out, len, again, &len2) && len2 == len && !memcmp(out, again, len));
}

static void ndp(const uint8_t *p, size_t n)
{
	struct ndp_opt_iter it = ndp_opts(p, n);
	struct ndp_router_advert ra;
	struct ndp_neighbor_advert na;
	struct ndp_prefix x;
	struct link_addr l;
	struct addr t;
	uint8_t out[32];

	while (ndp_opt_next(&it)) {
		must(it.len >= 8 && it.opt + it.len <= p + n);
		if (ndp_prefix_parse(&x, it.opt, it.len))
			ndp_prefix_emit(&x, out);
	}
	must(ndp_opts_ok(p, n) == !it.bad);
	ndp_find_link_addr(p, n, NDP_OPT_SOURCE_LINK, &l);
	if (ndp_ra_parse(&ra, p, n))
		ndp_ra_emit(&ra, out);
	if (ndp_na_parse(&na, p, n))
		ndp_na_emit(&na, out);
	if (ndp_ns_parse(&t, p, n))
		ndp_ns_emit(&t, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct group_query q;
	struct vnet_hdr v;
	struct icmp_hdr ic;
	struct arp_hdr arp;
	struct eth_hdr eth;
	struct udp_hdr udp;
	uint8_t out[64];

	ip(data, size);
	ip_options(data, size);
	ndp(data, size);
	if (eth_parse(&eth, data, size)) {
		eth_emit(&eth, out);
		must(memcmp(out, data, ETH_HDR_LEN) == 0);
	}
	if (arp_parse(&arp, data, size)) {
		arp_emit(&arp, out);
		must(memcmp(out, data, ARP_LEN) == 0);
	}
	if (udp_parse(&udp, data, size, size)) {
		udp_emit(&udp, out);
		must(memcmp(out, data, UDP_HDR_LEN) == 0);
	}
	if (icmp_parse(&ic, data, size))
		icmp_emit(&ic, out);
	if (igmp_query_parse(&q, data, size) && q.nsources)
		group_query_source(&q, (uint16_t)(q.nsources - 1));
	if (mld_query_parse(&q, data, size) && q.nsources)
		group_query_source(&q, (uint16_t)(q.nsources - 1));
	if (vnet_parse(&v, data, size, size)) {
		vnet_emit(&v, out, VNET_HDR_LEN);
		must(memcmp(out, data, VNET_HDR_LEN) == 0);
	}
	return 0;
}
