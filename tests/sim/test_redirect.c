/* Redirects: followed when they come from whom they must, and forgotten when they do not help. */
#include <criterion/criterion.h>

#include "base/byteorder.h"
#include "base/cksum.h"
#include "header/eth.h"
#include "header/icmp.h"
#include "header/ipv6.h"
#include "header/ndp.h"
#include "header/udp.h"
#include "net.h"

static struct sim *sim;
static struct sim_segment *lan;
static struct sim_host *h, *r1, *r2;
static struct endpoint *ep4, *ep6;
static struct link_addr last_to;
static struct addr ll1, ll2;

/* To whom the host's datagrams go. */
static void look(void *ctx, const uint8_t *f, size_t n)
{
	uint16_t type = be16_load(f + 12);

	(void)ctx;
	(void)n;
	if (memcmp(f + 6, h->ports[0]->mac.b, 6) == 0 &&
	    ((type == ETH_TYPE_IPV4 && f[14 + 9] == IP_PROTO_UDP) ||
	     (type == ETH_TYPE_IPV6 && f[14 + 6] == IP_PROTO_UDP)))
		last_to = link_addr_from_bytes(f);
}

static struct addr link_local(const struct nic *nic)
{
	list_for_each(n, &nic->addrs) {
		struct nic_addr *a = container_of(n, struct nic_addr, list);

		if (a->origin == ADDR_LINK_LOCAL)
			return a->addr;
	}
	cr_assert_fail("no link-local address");
	return (struct addr){ 0 };
}

static void setup(void)
{
	char text[ADDR_STR_MAX];

	sim = sim_new(8);
	lan = sim_segment(sim);
	h = sim_host(sim, "h");
	r1 = sim_host(sim, "r1");
	r2 = sim_host(sim, "r2");
	sim_attach(h, lan, "10.0.0.1/24", NULL);
	sim_attach(r1, lan, "10.0.0.11/24", NULL);
	sim_attach(r2, lan, "10.0.0.12/24", NULL);
	sim_addr(h->ports[0]->nic, "2001:db8::1/64");
	sim_addr(r1->ports[0]->nic, "2001:db8::11/64");
	sim_addr(r2->ports[0]->nic, "2001:db8::12/64");
	sim_run(sim, 20 * NS_PER_SEC);
	ll1 = link_local(r1->ports[0]->nic);
	ll2 = link_local(r2->ports[0]->nic);
	sim_route(h, "0.0.0.0/0", "10.0.0.11", 1);
	sim_route(h, "::/0", addr_format(&ll1, text), 1);
	ep4 = sim_udp(h, "", 5000);
	ep6 = sim_udp(h, "::", 5001);
	sim->tap = look;
}

static void teardown(void)
{
	sim_free(sim);
}

TestSuite(redirect, .init = setup, .fini = teardown);

static const struct sim_host *goes_to(const char *dst)
{
	last_to.len = 0;
	sim_send(strchr(dst, ':') ? ep6 : ep4, dst, 9, "x", 1);
	sim_settle(sim);
	return last_to.len == 0 ? NULL
	     : link_addr_equal(&last_to, &r1->ports[0]->mac) ? r1
	     : link_addr_equal(&last_to, &r2->ports[0]->mac) ? r2 : h;
}

/* A redirect for @dst to @gateway, with source @from, over IPv4. */
static void redirect4(const char *from, const char *dst, const char *gateway)
{
	struct eth_hdr e = { h->ports[0]->mac, r1->ports[0]->mac, ETH_TYPE_IPV4 };
	struct addr gw = sim_parse(gateway);
	struct ipv4_hdr ip = { .hdr_len = 20, .ttl = 64, .proto = IP_PROTO_ICMP, .total_len = 56,
			       .src = sim_parse(from), .dst = addr_v4(10, 0, 0, 1) };
	struct ipv4_hdr inner = { .hdr_len = 20, .ttl = 63, .proto = IP_PROTO_UDP, .total_len = 29,
				  .src = addr_v4(10, 0, 0, 1), .dst = sim_parse(dst) };
	struct icmp_hdr ic = { .type = ICMPV4_REDIRECT, .code = 1, .rest = be32_load(gw.b) };
	struct udp_hdr udp = { 5000, 9, 9, 0 };
	uint8_t f[70] = { 0 };
	uint16_t sum;

	eth_emit(&e, f);
	ipv4_emit(&ip, f + 14);
	icmp_emit(&ic, f + 34);
	ipv4_emit(&inner, f + 42);
	udp_emit(&udp, f + 62);
	sum = (uint16_t)~cksum_add(0, f + 34, 36);
	memcpy(f + 36, &sum, 2);
	channel_inject(h->ports[0]->channel, pkt_from_bytes(sim->pool, f, 70));
	sim_settle(sim);
}

static void redirect6(const struct addr *from, uint8_t hop_limit, const char *dst,
		      const struct addr *target)
{
	struct eth_hdr e = { h->ports[0]->mac, r1->ports[0]->mac, ETH_TYPE_IPV6 };
	struct ipv6_hdr ip = { .next = IP_PROTO_ICMPV6, .hop_limit = hop_limit, .payload_len = 48,
			       .src = *from, .dst = sim_parse("2001:db8::1") };
	struct ndp_redirect r = { *target, sim_parse(dst) };
	uint8_t f[14 + 40 + 48] = { 0 }, *p = f + 54;
	uint16_t sum;

	eth_emit(&e, f);
	ipv6_emit(&ip, f + 14);
	ndp_redirect_emit(&r, p);
	ndp_link_addr_emit(NDP_OPT_TARGET_LINK, &r2->ports[0]->mac, p + NDP_REDIRECT_LEN);
	sum = (uint16_t)~cksum_add(cksum_pseudo(&ip.src, &ip.dst, IP_PROTO_ICMPV6, 48), p, 48);
	memcpy(p + 2, &sum, 2);
	channel_inject(h->ports[0]->channel, pkt_from_bytes(sim->pool, f, sizeof(f)));
	sim_settle(sim);
}

Test(redirect, ipv4_is_followed_for_that_host_alone)
{
	cr_assert_eq(goes_to("192.0.2.1"), r1);
	redirect4("10.0.0.11", "192.0.2.1", "10.0.0.12");
	cr_assert_eq(goes_to("192.0.2.1"), r2);
	cr_assert_eq(goes_to("192.0.2.2"), r1);
	cr_assert_eq(h->stack->stats.icmp.v4_received.redirect.value, 1);
	cr_assert_eq(h->stack->stats.ip.redirects_followed.value, 1);
}

Test(redirect, ipv4_is_believed_only_from_the_first_hop_and_to_a_neighbour)
{
	cr_assert_eq(goes_to("192.0.2.1"), r1);
	redirect4("10.0.0.12", "192.0.2.1", "10.0.0.12");
	redirect4("10.0.0.11", "192.0.2.1", "10.0.9.12");
	redirect4("10.0.0.11", "192.0.2.1", "10.0.0.255");
	redirect4("10.0.0.11", "192.0.2.1", "10.0.0.1");
	redirect4("10.0.0.11", "192.0.2.1", "10.0.0.11");
	redirect4("10.0.0.11", "10.0.0.7", "10.0.0.12");
	cr_assert_eq(goes_to("192.0.2.1"), r1);
	cr_assert_eq(h->stack->stats.ip.redirects_followed.value, 0);
}

Test(redirect, ipv4_chain_and_back)
{
	redirect4("10.0.0.11", "192.0.2.1", "10.0.0.12");
	cr_assert_eq(goes_to("192.0.2.1"), r2);
	redirect4("10.0.0.11", "192.0.2.1", "10.0.0.99");
	cr_assert_eq(goes_to("192.0.2.1"), r2, "no longer the first hop");
	redirect4("10.0.0.12", "192.0.2.1", "10.0.0.11");
	cr_assert_eq(goes_to("192.0.2.1"), r1);
}

Test(redirect, ends_after_ten_minutes)
{
	redirect4("10.0.0.11", "192.0.2.1", "10.0.0.12");
	sim_run(sim, 599 * NS_PER_SEC);
	cr_assert_eq(goes_to("192.0.2.1"), r2);
	sim_run(sim, 2 * NS_PER_SEC);
	cr_assert_eq(goes_to("192.0.2.1"), r1);
	cr_assert_eq(h->stack->redirects.table.count, 0);
}

Test(redirect, ends_when_the_gateway_is_dead)
{
	redirect4("10.0.0.11", "192.0.2.1", "10.0.0.99");
	cr_assert_null(goes_to("192.0.2.1"), "it is being asked for");
	sim_run(sim, 5 * NS_PER_SEC);
	cr_assert_eq(goes_to("192.0.2.1"), r1);
}

Test(redirect, holds_only_while_the_table_says_the_same)
{
	struct route_row row = { .nic = 1, .gateway = sim_parse("10.0.0.12") };

	redirect4("10.0.0.11", "192.0.2.1", "10.0.0.99");
	cr_assert(subnet_parse("192.0.2.0/24", &row.destination));
	cr_assert_eq(route_set_table(h->stack, &row, 1), NS_OK);
	cr_assert_eq(goes_to("192.0.2.1"), r2);
}

Test(redirect, may_be_refused)
{
	struct ipv4_config c4 = ipv4_config_get(h->stack);
	struct ipv6_config c6 = ipv6_config_get(h->stack);

	c4.accept_redirects = c6.accept_redirects = false;
	ipv4_config_set(h->stack, &c4);
	ipv6_config_set(h->stack, &c6);
	redirect4("10.0.0.11", "192.0.2.1", "10.0.0.12");
	redirect6(&ll1, 255, "2001:db8:9::1", &ll2);
	cr_assert_eq(goes_to("192.0.2.1"), r1);
	cr_assert_eq(goes_to("2001:db8:9::1"), r1);
}

Test(redirect, routers_follow_none)
{
	nic_set_forwarding(h->ports[0]->nic, NET_IPV4, true);
	nic_set_forwarding(h->ports[0]->nic, NET_IPV6, true);
	redirect4("10.0.0.11", "192.0.2.1", "10.0.0.12");
	redirect6(&ll1, 255, "2001:db8:9::1", &ll2);
	cr_assert_eq(h->stack->stats.ip.redirects_followed.value, 0);
}

Test(redirect, table_is_bounded)
{
	char dst[32];

	for (int i = 0; i < 3000; i++) {
		sprintf(dst, "192.%d.%d.1", i / 256, i % 256);
		redirect4("10.0.0.11", dst, "10.0.0.12");
	}
	cr_assert_eq(h->stack->redirects.table.count, 1024);
	cr_assert_eq(goes_to("192.11.183.1"), r2);
	cr_assert_eq(goes_to("192.0.0.1"), r1, "the oldest went");
}

Test(redirect, ipv6_is_followed)
{
	cr_assert_eq(goes_to("2001:db8:9::1"), r1);
	redirect6(&ll1, 255, "2001:db8:9::1", &ll2);
	cr_assert_eq(goes_to("2001:db8:9::1"), r2);
	cr_assert_eq(goes_to("2001:db8:9::2"), r1);
	cr_assert_eq(h->stack->stats.icmp.v6_received.redirect_msg.value, 1);
	cr_assert_eq(h->stack->stats.icmp.v6_invalid.value, 0);
}

Test(redirect, ipv6_destination_may_be_a_neighbour)
{
	struct addr dst = sim_parse("2001:db8:9::1");

	redirect6(&ll1, 255, "2001:db8:9::1", &dst);
	cr_assert_eq(goes_to("2001:db8:9::1"), r2, "its link address came with the redirect");
}

Test(redirect, ipv6_is_checked)
{
	struct addr global = sim_parse("2001:db8::11"), target = sim_parse("2001:db8::12");

	redirect6(&ll1, 254, "2001:db8:9::1", &ll2);
	redirect6(&global, 255, "2001:db8:9::1", &ll2);
	redirect6(&ll1, 255, "ff05::1", &ll2);
	redirect6(&ll1, 255, "2001:db8:9::1", &target);
	cr_assert_eq(h->stack->stats.icmp.v6_invalid.value, 4);
	redirect6(&ll2, 255, "2001:db8:9::1", &ll2);
	cr_assert_eq(goes_to("2001:db8:9::1"), r1);
	cr_assert_eq(h->stack->stats.ip.redirects_followed.value, 0);
}
