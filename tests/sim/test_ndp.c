/* Neighbour discovery, duplicate addresses, routers, autoconfiguration, group membership. */
#include <criterion/criterion.h>

#include "base/byteorder.h"
#include "base/cksum.h"
#include "header/eth.h"
#include "header/group.h"
#include "header/icmp.h"
#include "header/ipv6.h"
#include "header/ndp.h"
#include "net.h"

static struct sim *sim;
static struct sim_segment *lan;
static struct sim_host *h;
static struct nic *nic;
static const struct link_addr mac_r = { { 2, 0, 0, 0, 0xaa, 1 }, 6 };

/* ICMPv6 types and IGMP types seen on the wire. */
static int seen6[256], seen_igmp[256];
static uint8_t last_igmp_dst;

static void look(void *ctx, const uint8_t *f, size_t n)
{
	size_t off = ETH_HDR_LEN + IPV6_HDR_LEN;

	if (be16_load(f + 12) == ETH_TYPE_IPV4 && f[ETH_HDR_LEN + 9] == IP_PROTO_IGMP) {
		seen_igmp[f[ETH_HDR_LEN + (f[ETH_HDR_LEN] & 15) * 4]]++;
		last_igmp_dst = f[ETH_HDR_LEN + 19];
	}
	if (be16_load(f + 12) != ETH_TYPE_IPV6)
		return;
	if (f[ETH_HDR_LEN + 6] == IP_PROTO_HOPOPT)
		off += 8;
	if (f[ETH_HDR_LEN + 6] == IP_PROTO_ICMPV6 || off > ETH_HDR_LEN + IPV6_HDR_LEN)
		seen6[f[off]]++;
}

static void setup(void)
{
	sim = sim_new(11);
	sim->tap = look;
	lan = sim_segment(sim);
	h = sim_host(sim, "h");
	nic = sim_attach(h, lan, "10.0.0.1/24", NULL);
}

static void teardown(void)
{
	sim_free(sim);
}

TestSuite(ndp, .init = setup, .fini = teardown);

/* An ICMPv6 message from the router's link-local address; what is in @p gets its checksum. */
static void icmp_in(const char *src, const char *dst, uint8_t hop_limit, uint8_t *p, size_t n)
{
	struct addr d = sim_parse(dst), s = sim_parse(src);
	struct eth_hdr e = { .src = mac_r, .type = ETH_TYPE_IPV6 };
	struct ipv6_hdr ip = { .next = IP_PROTO_ICMPV6, .hop_limit = hop_limit,
			       .payload_len = (uint16_t)n, .src = s, .dst = d };
	uint8_t f[400];
	uint16_t sum;

	e.dst = addr_is_multicast(&d) ? link_addr_of_multicast(&d) : h->ports[0]->mac;
	p[2] = p[3] = 0;
	sum = (uint16_t)~cksum_add(cksum_pseudo(&s, &d, IP_PROTO_ICMPV6, (uint32_t)n), p, n);
	memcpy(p + 2, &sum, 2);
	eth_emit(&e, f);
	ipv6_emit(&ip, f + 14);
	memcpy(f + 54, p, n);
	channel_inject(h->ports[0]->channel, pkt_from_bytes(sim->pool, f, 54 + n));
	sim_settle(sim);
}

static void advertise(uint16_t lifetime, uint32_t valid, uint32_t preferred, uint32_t mtu)
{
	struct ndp_router_advert ra = { .hop_limit = 99, .lifetime_s = lifetime };
	struct ndp_prefix x = { 64, true, true, valid, preferred, sim_parse("2001:db8:5::") };
	uint8_t p[NDP_RA_LEN + 8 + 8 + NDP_OPT_PREFIX_LEN];

	ndp_ra_emit(&ra, p);
	ndp_link_addr_emit(NDP_OPT_SOURCE_LINK, &mac_r, p + NDP_RA_LEN);
	memset(p + NDP_RA_LEN + 8, 0, 8);
	p[NDP_RA_LEN + 8] = NDP_OPT_MTU;
	p[NDP_RA_LEN + 9] = 1;
	be32_store(p + NDP_RA_LEN + 12, mtu);
	ndp_prefix_emit(&x, p + NDP_RA_LEN + 16);
	icmp_in("fe80::1", "ff02::1", 255, p, sizeof(p));
}

static struct nic_addr *slaac(void)
{
	list_for_each(n, &nic->addrs)
		if (container_of(n, struct nic_addr, list)->origin == ADDR_SLAAC)
			return container_of(n, struct nic_addr, list);
	return NULL;
}

static struct nic_addr *link_local(void)
{
	list_for_each(n, &nic->addrs)
		if (container_of(n, struct nic_addr, list)->origin == ADDR_LINK_LOCAL)
			return container_of(n, struct nic_addr, list);
	return NULL;
}

Test(ndp, link_local_address_is_tentative_then_preferred_then_routers_are_asked)
{
	struct addr want = sim_parse("fe80::ff:fe00:1");

	cr_assert_not_null(link_local());
	cr_assert(addr_equal(&link_local()->addr, &want), "EUI-64 of 02:00:00:00:00:01");
	cr_assert_eq(link_local()->state, ADDR_TENTATIVE);
	sim_run(sim, 2100 * NS_PER_MS);
	cr_assert_eq(link_local()->state, ADDR_PREFERRED);
	cr_assert_eq(seen6[ICMPV6_NEIGHBOR_SOLICIT], 1);
	cr_assert_eq(seen6[ICMPV6_ROUTER_SOLICIT], 1);
	sim_run(sim, 20 * NS_PER_SEC);
	cr_assert_eq(seen6[ICMPV6_ROUTER_SOLICIT], 3, "MAX_RTR_SOLICITATIONS");
}

Test(ndp, duplicate_address_is_found_and_not_used)
{
	struct sim_host *b = sim_host(sim, "b");
	struct addr a = sim_parse("2001:db8::7");
	struct endpoint *ep;

	sim_addr(nic, "2001:db8::7/64");
	sim_run(sim, 3 * NS_PER_SEC);
	cr_assert_eq(nic_find_addr(nic, &a)->state, ADDR_PREFERRED);
	sim_attach(b, lan, "2001:db8::7/64", NULL);
	sim_run(sim, 3 * NS_PER_SEC);
	cr_assert_eq(nic_find_addr(b->ports[0]->nic, &a)->state, ADDR_DUPLICATE);
	cr_assert_eq(nic_find_addr(nic, &a)->state, ADDR_PREFERRED, "who was first keeps it");
	endpoint_new(b->stack, NET_IPV6, IP_PROTO_UDP, &ep);
	cr_assert_eq(endpoint_bind(ep, &(struct full_addr){ .addr = a, .port = 1 }),
		     NS_ERR_BAD_LOCAL_ADDRESS);
}

Test(ndp, two_that_start_at_once_both_give_up)
{
	struct sim_host *b = sim_host(sim, "b");
	struct addr a = sim_parse("2001:db8::7");

	sim_attach(b, lan, "2001:db8::7/64", NULL);
	sim_addr(nic, "2001:db8::7/64");
	sim_run(sim, 3 * NS_PER_SEC);
	cr_assert_eq(nic_find_addr(nic, &a)->state, ADDR_DUPLICATE);
	cr_assert_eq(nic_find_addr(b->ports[0]->nic, &a)->state, ADDR_DUPLICATE);
}

Test(ndp, router_advertisement_gives_address_routes_mtu_and_hop_limit)
{
	struct route_key far = { .remote = sim_parse("2001:db8:99::1") };
	struct route_key near = { .remote = sim_parse("2001:db8:5::77") };
	struct addr want = sim_parse("2001:db8:5::ff:fe00:1"), gw = sim_parse("fe80::1");
	struct route r;

	sim_run(sim, 3 * NS_PER_SEC);
	advertise(1800, 7200, 3600, 1400);
	cr_assert_not_null(slaac());
	cr_assert(addr_equal(&slaac()->addr, &want) && slaac()->state == ADDR_TENTATIVE);
	sim_run(sim, 3 * NS_PER_SEC);
	cr_assert_eq(slaac()->state, ADDR_PREFERRED);
	cr_assert_eq(route_find(h->stack, &far, &r), NS_OK);
	cr_assert(addr_equal(&r.next_hop, &gw) && addr_equal(&r.local, &want));
	cr_assert_eq(route_mtu(&r), 1400);
	cr_assert_eq(route_find(h->stack, &near, &r), NS_OK);
	cr_assert(addr_equal(&r.next_hop, &near.remote), "on the link: not by the router");
	cr_assert_eq(neigh_find(&nic->neigh[NET_IPV6], &gw)->state, NEIGH_STALE);
}

Test(ndp, lifetimes_end)
{
	struct route_key far = { .remote = sim_parse("2001:db8:99::1") };
	struct route r;

	sim_run(sim, 3 * NS_PER_SEC);
	advertise(100, 300, 200, 0);
	sim_run(sim, 99 * NS_PER_SEC);
	cr_assert_eq(route_find(h->stack, &far, &r), NS_OK);
	sim_run(sim, 2 * NS_PER_SEC);
	cr_assert_eq(route_find(h->stack, &far, &r), NS_ERR_NO_ROUTE);
	cr_assert_eq(slaac()->state, ADDR_PREFERRED);
	sim_run(sim, 100 * NS_PER_SEC);
	cr_assert_eq(slaac()->state, ADDR_DEPRECATED);
	sim_run(sim, 100 * NS_PER_SEC);
	cr_assert_null(slaac());
}

Test(ndp, a_lifetime_of_zero_ends_a_router_at_once_but_no_address)
{
	struct route_key far = { .remote = sim_parse("2001:db8:99::1") };
	struct route r;

	sim_run(sim, 3 * NS_PER_SEC);
	advertise(1800, 86400, 86400, 0);
	sim_run(sim, 3 * NS_PER_SEC);
	advertise(0, 0, 0, 0);
	cr_assert_eq(route_find(h->stack, &far, &r), NS_ERR_NO_ROUTE);
	cr_assert_not_null(slaac(), "RFC 4862, 5.5.3 (e): two hours are left");
	sim_run(sim, 7100 * NS_PER_SEC);
	cr_assert_not_null(slaac());
	sim_run(sim, 101 * NS_PER_SEC);
	cr_assert_null(slaac());
}

Test(ndp, less_than_two_hours_left_are_not_touched_by_a_shorter_lifetime)
{
	sim_run(sim, 3 * NS_PER_SEC);
	advertise(1800, 600, 600, 0);
	sim_run(sim, 3 * NS_PER_SEC);
	advertise(1800, 1, 1, 0);
	sim_run(sim, 500 * NS_PER_SEC);
	cr_assert_not_null(slaac(), "RFC 4862, 5.5.3 (e) 2: ignored");
	sim_run(sim, 100 * NS_PER_SEC);
	cr_assert_null(slaac(), "and not made longer");
}

Test(ndp, forged_advertisements_are_refused)
{
	struct ndp_router_advert ra = { .lifetime_s = 1800 };
	struct route_key far = { .remote = sim_parse("2001:db8:99::1") };
	uint8_t p[NDP_RA_LEN + 8] = { 0 };
	struct route r;

	sim_run(sim, 3 * NS_PER_SEC);
	ndp_ra_emit(&ra, p);
	icmp_in("fe80::1", "ff02::1", 254, p, NDP_RA_LEN);
	icmp_in("2001:db8::1", "ff02::1", 255, p, NDP_RA_LEN);
	p[NDP_RA_LEN] = 1;		/* an option of length zero */
	icmp_in("fe80::1", "ff02::1", 255, p, NDP_RA_LEN + 8);
	icmp_in("fe80::1", "ff02::1", 255, p, NDP_RA_LEN - 1);
	cr_assert_eq(route_find(h->stack, &far, &r), NS_ERR_NO_ROUTE);
	cr_assert_eq(h->stack->stats.icmp.v6_invalid.value, 4);
}

Test(ndp, routers_and_prefixes_are_bounded)
{
	struct ndp_router_advert ra = { .lifetime_s = 1800 };
	uint8_t p[NDP_RA_LEN + NDP_OPT_PREFIX_LEN];
	char src[32];
	size_t addrs = 0;

	sim_run(sim, 3 * NS_PER_SEC);
	for (int i = 1; i < 200; i++) {
		struct ndp_prefix x = { 64, true, true, 1000, 1000, sim_parse("2001:db8::") };

		x.prefix.b[7] = (uint8_t)i;
		ndp_ra_emit(&ra, p);
		ndp_prefix_emit(&x, p + NDP_RA_LEN);
		snprintf(src, sizeof(src), "fe80::%x", i);
		icmp_in(src, "ff02::1", 255, p, sizeof(p));
	}
	list_for_each(n, &nic->addrs)
		addrs++;
	cr_assert_leq(addrs, 2 + 16);
	cr_assert_leq(h->stack->routes.rows.count, 1 + 8 + 16);
}

Test(ndp, neighbour_is_resolved_and_found_unreachable)
{
	struct sim_host *b = sim_host(sim, "b");
	struct addr ab = sim_parse("2001:db8::2");
	struct endpoint *ea, *eb;
	char buf[8];

	sim_attach(b, lan, "2001:db8::2/64", NULL);
	sim_addr(nic, "2001:db8::1/64");
	sim_run(sim, 5 * NS_PER_SEC);
	ea = sim_udp(h, "::", 1);
	eb = sim_udp(b, "::", 2);
	cr_assert_eq(sim_send(ea, "2001:db8::2", 2, "x", 1), NS_OK);
	sim_settle(sim);
	cr_assert_eq(sim_recv(eb, buf, 8, NULL, NULL), 1);
	cr_assert_eq(neigh_find(&nic->neigh[NET_IPV6], &ab)->state, NEIGH_REACHABLE);
	nic_set_enabled(b->ports[0]->nic, false);
	sim_run(sim, 46 * NS_PER_SEC);
	cr_assert_eq(neigh_find(&nic->neigh[NET_IPV6], &ab)->state, NEIGH_STALE);
	sim_send(ea, "2001:db8::2", 2, "x", 1);
	sim_run(sim, 9 * NS_PER_SEC);
	cr_assert_eq(neigh_find(&nic->neigh[NET_IPV6], &ab)->state, NEIGH_UNREACHABLE);
}

Test(ndp, link_local_peers_need_a_nic_and_work_with_it)
{
	struct sim_host *b = sim_host(sim, "b");
	struct full_addr to = { .addr = sim_parse("fe80::ff:fe00:2"), .port = 2 }, from;
	struct endpoint *ea, *eb;
	char buf[8];

	sim_attach(b, lan, NULL, NULL);
	sim_run(sim, 5 * NS_PER_SEC);
	ea = sim_udp(h, "::", 1);
	eb = sim_udp(b, "::", 2);
	cr_assert_eq(endpoint_connect(ea, &to), NS_ERR_NO_ROUTE);
	to.nic = 1;
	cr_assert_eq(endpoint_connect(ea, &to), NS_OK);
	cr_assert_eq(sim_send(ea, NULL, 0, "x", 1), NS_OK);
	sim_settle(sim);
	cr_assert_eq(sim_recv(eb, buf, 8, &from, NULL), 1);
	cr_assert(addr_is_link_local(&from.addr) && from.nic == 1);
}

static void join(struct endpoint *ep, const char *group, bool in)
{
	struct sockopt_membership m = { .nic = 1, .group = sim_parse(group) };

	cr_assert_eq(endpoint_set_option(ep, in ? SOCKOPT_ADD_MEMBERSHIP : SOCKOPT_REMOVE_MEMBERSHIP,
					 &m, sizeof(m)), NS_OK);
}

static void igmp_in(const uint8_t *msg, size_t n, const char *dst)
{
	struct addr d = sim_parse(dst);
	struct eth_hdr e = { link_addr_of_multicast(&d), mac_r, ETH_TYPE_IPV4 };
	struct ipv4_hdr ip = { .hdr_len = 20, .ttl = 1, .proto = IP_PROTO_IGMP, .dst = d,
			       .total_len = (uint16_t)(20 + n), .src = sim_parse("10.0.0.254") };
	uint8_t f[100];

	eth_emit(&e, f);
	ipv4_emit(&ip, f + 14);
	memcpy(f + 34, msg, n);
	channel_inject(h->ports[0]->channel, pkt_from_bytes(sim->pool, f, 34 + n));
	sim_settle(sim);
}

Test(ndp, igmp_reports_twice_and_leaves)
{
	struct endpoint *ep = sim_udp(h, "", 1);

	join(ep, "239.1.2.3", true);
	sim_settle(sim);
	cr_assert_eq(seen_igmp[IGMP_V3_REPORT], 1);
	cr_assert_eq(last_igmp_dst, 22, "to 224.0.0.22");
	sim_run(sim, 2 * NS_PER_SEC);
	cr_assert_eq(seen_igmp[IGMP_V3_REPORT], 2, "robustness");
	join(ep, "239.1.2.3", false);
	sim_run(sim, 2 * NS_PER_SEC);
	cr_assert_eq(seen_igmp[IGMP_V3_REPORT], 4);
	sim_run(sim, 100 * NS_PER_SEC);
	cr_assert_eq(seen_igmp[IGMP_V3_REPORT], 4);
}

Test(ndp, igmp_answers_queries_in_the_version_of_the_querier)
{
	struct addr any = addr_v4_any, group = sim_parse("239.1.2.3");
	struct endpoint *ep = sim_udp(h, "", 1);
	uint8_t q[IGMP_LEN];

	join(ep, "239.1.2.3", true);
	sim_run(sim, 2 * NS_PER_SEC);
	igmp_emit(IGMP_QUERY, 100, &any, q);
	igmp_in(q, 8, "224.0.0.1");
	sim_run(sim, 11 * NS_PER_SEC);
	cr_assert_eq(seen_igmp[IGMP_V2_REPORT], 1);
	igmp_in(q, 8, "224.0.0.1");
	igmp_emit(IGMP_V2_REPORT, 0, &group, q);
	igmp_in(q, 8, "239.1.2.3");
	sim_run(sim, 11 * NS_PER_SEC);
	cr_assert_eq(seen_igmp[IGMP_V2_REPORT], 1, "another host's report suppresses ours");
	join(ep, "239.1.2.3", false);
	sim_settle(sim);
	cr_assert_eq(seen_igmp[IGMP_LEAVE], 0, "only who reported last says that it leaves");
	sim_run(sim, 300 * NS_PER_SEC);
	join(ep, "239.1.2.3", true);
	sim_settle(sim);
	cr_assert_eq(seen_igmp[IGMP_V3_REPORT], 3, "the old querier is gone: version 3 again");
}

Test(ndp, mld_reports_and_answers)
{
	struct endpoint *ep = sim_udp(h, "::", 1);
	uint8_t q[MLD_LEN];
	int before;

	sim_run(sim, 5 * NS_PER_SEC);
	before = seen6[ICMPV6_MLDV2_REPORT];
	join(ep, "ff05::123", true);
	sim_run(sim, 2 * NS_PER_SEC);
	cr_assert_eq(seen6[ICMPV6_MLDV2_REPORT] - before, 2);
	mld_emit(ICMPV6_MLD_QUERY, 1000, &addr_v6_any, q);
	icmp_in("fe80::1", "ff02::1", 1, q, MLD_LEN);
	sim_run(sim, 2 * NS_PER_SEC);
	cr_assert_geq(seen6[ICMPV6_MLD_REPORT], 2, "version 1: this group and the solicited-node one");
	join(ep, "ff05::123", false);
	sim_settle(sim);
	cr_assert_eq(seen6[ICMPV6_MLD_DONE], 1);
}
