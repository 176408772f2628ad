/* Source filters: merged per NIC, reported to routers, asked for by them, and obeyed. */
#include <criterion/criterion.h>

#include "base/byteorder.h"
#include "base/cksum.h"
#include "header/eth.h"
#include "header/group.h"
#include "header/icmp.h"
#include "header/ipv6.h"
#include "net.h"

static struct sim *sim;
static struct sim_segment *lan;
static struct sim_host *h, *src;
static struct nic *nic;
static char buf[64];

/* The reports seen on the wire, as text: "TO_EX{} ALLOW{1,2}" by the sources' last byte. */
static char said[512];

static void note(const uint8_t *r, size_t alen)
{
	static const char *const names[] = { "?", "IS_IN", "IS_EX", "TO_IN", "TO_EX", "ALLOW", "BLOCK" };
	size_t n = be16_load(r + 2);
	char *p = said + strlen(said);

	/* Our own solicited-node groups are not what this is about. */
	if (alen == 16 && r[4 + 1] != 5)
		return;
	p += sprintf(p, "%s%s{", p == said ? "" : " ", names[r[0] < 7 ? r[0] : 0]);
	for (size_t i = 0; i < n; i++)
		p += sprintf(p, "%s%u", i ? "," : "", r[4 + alen + i * alen + alen - 1]);
	sprintf(p, "}");
}

static void look(void *ctx, const uint8_t *f, size_t n)
{
	const uint8_t *ip = f + ETH_HDR_LEN;

	(void)ctx;
	if (be16_load(f + 12) == ETH_TYPE_IPV4 && ip[9] == IP_PROTO_IGMP) {
		const uint8_t *p = ip + (ip[0] & 15) * 4;

		cr_assert_eq(cksum_add(0, p, n - (size_t)(p - f)), 0xffff);
		if (p[0] == IGMP_V3_REPORT)
			note(p + 8, 4);
		else
			strcat(said, p[0] == IGMP_LEAVE ? " v2leave" : " v2report");
	} else if (be16_load(f + 12) == ETH_TYPE_IPV6 && ip[6] == IP_PROTO_HOPOPT &&
		   ip[48] == ICMPV6_MLDV2_REPORT) {
		note(ip + 56, 16);
	}
}

static void setup(void)
{
	sim = sim_new(12);
	lan = sim_segment(sim);
	h = sim_host(sim, "h");
	src = sim_host(sim, "s");
	nic = sim_attach(h, lan, "10.0.0.1/24", NULL);
	sim_attach(src, lan, "10.0.0.51/24", NULL);
	sim_addr(src->ports[0]->nic, "10.0.0.52/24");
	sim_addr(src->ports[0]->nic, "10.0.0.53/24");
	sim_run(sim, 5 * NS_PER_SEC);
	sim->tap = look;
}

static void teardown(void)
{
	sim_free(sim);
}

TestSuite(group, .init = setup, .fini = teardown);

static enum ns_err source(struct endpoint *ep, enum sockopt opt, const char *group, const char *from)
{
	struct sockopt_source_membership m = { .nic = 1, .group = sim_parse(group),
					       .source = sim_parse(from) };

	return endpoint_set_option(ep, opt, &m, sizeof(m));
}

static enum ns_err member(struct endpoint *ep, enum sockopt opt, const char *group)
{
	struct sockopt_membership m = { .nic = 1, .group = sim_parse(group) };

	return endpoint_set_option(ep, opt, &m, sizeof(m));
}

/* What was said since, with time for repeats; "" clears. */
#define SAID(expected) do { \
	sim_settle(sim); \
	cr_assert_str_eq(said, expected); \
	said[0] = 0; \
	sim_run(sim, 3 * NS_PER_SEC); \
	cr_assert_str_eq(said, expected, "said twice"); \
	said[0] = 0; \
	sim_run(sim, 30 * NS_PER_SEC); \
	cr_assert_str_eq(said, ""); \
} while (0)

Test(group, changes_of_sources_are_reported)
{
	struct endpoint *ep = sim_udp(h, "", 1);

	cr_assert_eq(source(ep, SOCKOPT_ADD_SOURCE_MEMBERSHIP, "239.1.1.1", "10.0.0.51"), NS_OK);
	SAID("ALLOW{51}");
	cr_assert_eq(source(ep, SOCKOPT_ADD_SOURCE_MEMBERSHIP, "239.1.1.1", "10.0.0.52"), NS_OK);
	SAID("ALLOW{52}");
	cr_assert_eq(source(ep, SOCKOPT_ADD_SOURCE_MEMBERSHIP, "239.1.1.1", "10.0.0.52"),
		     NS_ERR_BAD_LOCAL_ADDRESS);
	cr_assert_eq(source(ep, SOCKOPT_BLOCK_SOURCE, "239.1.1.1", "10.0.0.53"),
		     NS_ERR_INVALID_OPTION_VALUE, "the wrong mode");
	cr_assert_eq(source(ep, SOCKOPT_REMOVE_SOURCE_MEMBERSHIP, "239.1.1.1", "10.0.0.51"), NS_OK);
	SAID("BLOCK{51}");
	cr_assert_eq(source(ep, SOCKOPT_REMOVE_SOURCE_MEMBERSHIP, "239.1.1.1", "10.0.0.52"), NS_OK);
	SAID("BLOCK{52}");
	cr_assert_eq(source(ep, SOCKOPT_REMOVE_SOURCE_MEMBERSHIP, "239.1.1.1", "10.0.0.52"),
		     NS_ERR_INVALID_OPTION_VALUE, "the last source was the membership's end");
}

Test(group, changes_of_mode_are_reported_and_merged)
{
	struct endpoint *x = sim_udp(h, "", 1), *y = sim_udp(h, "", 2);

	cr_assert_eq(source(x, SOCKOPT_ADD_SOURCE_MEMBERSHIP, "239.1.1.1", "10.0.0.51"), NS_OK);
	SAID("ALLOW{51}");
	cr_assert_eq(member(y, SOCKOPT_ADD_MEMBERSHIP, "239.1.1.1"), NS_OK);
	SAID("TO_EX{}");
	cr_assert_eq(source(y, SOCKOPT_BLOCK_SOURCE, "239.1.1.1", "10.0.0.51"), NS_OK);
	SAID("");
	cr_assert_eq(source(y, SOCKOPT_BLOCK_SOURCE, "239.1.1.1", "10.0.0.52"), NS_OK);
	SAID("BLOCK{52}");
	cr_assert_eq(source(y, SOCKOPT_UNBLOCK_SOURCE, "239.1.1.1", "10.0.0.52"), NS_OK);
	SAID("ALLOW{52}");
	endpoint_close(x);
	SAID("BLOCK{51}");
	cr_assert_eq(source(y, SOCKOPT_UNBLOCK_SOURCE, "239.1.1.1", "10.0.0.52"),
		     NS_ERR_BAD_LOCAL_ADDRESS);
	endpoint_close(y);
	SAID("TO_IN{}");
}

Test(group, packets_pass_by_their_source)
{
	struct endpoint *only = sim_udp(h, "", 1), *not = sim_udp(h, "", 2), *any = sim_udp(h, "", 3);
	static const char *const froms[] = { "10.0.0.51", "10.0.0.52", "10.0.0.53" };
	int got[3] = { 0 };

	source(only, SOCKOPT_ADD_SOURCE_MEMBERSHIP, "239.1.1.1", "10.0.0.51");
	for (int i = 0; i < 3; i++) {
		struct endpoint *ep = sim_udp(src, froms[i], (uint16_t)(100 + i));

		sim_send(ep, "239.1.1.1", 1, "x", 1);
		sim_send(ep, "239.1.1.1", 3, "x", 1);
	}
	sim_settle(sim);
	while (sim_recv(only, buf, 9, NULL, NULL) > 0)
		got[0]++;
	while (sim_recv(any, buf, 9, NULL, NULL) > 0)
		got[2]++;
	cr_assert_eq(got[0], 1);
	cr_assert_eq(got[2], 1, "the NIC takes one source for all");

	member(not, SOCKOPT_ADD_MEMBERSHIP, "239.1.1.1");
	source(not, SOCKOPT_BLOCK_SOURCE, "239.1.1.1", "10.0.0.51");
	for (int i = 0; i < 3; i++) {
		struct endpoint *ep = sim_udp(src, froms[i], (uint16_t)(200 + i));

		for (uint16_t port = 1; port <= 3; port++)
			sim_send(ep, "239.1.1.1", port, "x", 1);
	}
	sim_settle(sim);
	memset(got, 0, sizeof(got));
	while (sim_recv(only, buf, 9, NULL, NULL) > 0)
		got[0]++;
	while (sim_recv(not, buf, 9, NULL, NULL) > 0)
		got[1]++;
	while (sim_recv(any, buf, 9, NULL, NULL) > 0)
		got[2]++;
	cr_assert_eq(got[0], 1, "each by its own filter");
	cr_assert_eq(got[1], 2);
	cr_assert_eq(got[2], 3, "who has none gets what others let in");
}

static void igmp_query(const char *group, const char *const *sources, uint16_t n)
{
	struct addr g = sim_parse(group), d = sim_parse("224.0.0.1");
	struct eth_hdr e = { link_addr_of_multicast(&d), { { 2, 0, 0, 0, 9, 9 }, 6 }, ETH_TYPE_IPV4 };
	struct ipv4_hdr ip = { .hdr_len = 20, .ttl = 1, .proto = IP_PROTO_IGMP, .dst = d,
			       .total_len = (uint16_t)(32 + 4 * n), .src = sim_parse("10.0.0.254") };
	uint8_t f[200] = { 0 }, *p = f + 34;
	uint16_t sum;

	eth_emit(&e, f);
	ipv4_emit(&ip, f + 14);
	p[0] = IGMP_QUERY;
	p[1] = 20;
	memcpy(p + 4, g.b, 4);
	be16_store(p + 10, n);
	for (uint16_t i = 0; i < n; i++) {
		struct addr a = sim_parse(sources[i]);

		memcpy(p + 12 + 4 * i, a.b, 4);
	}
	sum = (uint16_t)~cksum_add(0, p, 12 + 4u * n);
	memcpy(p + 2, &sum, 2);
	channel_inject(h->ports[0]->channel, pkt_from_bytes(sim->pool, f, 46 + 4u * n));
	sim_run(sim, 3 * NS_PER_SEC);
}

Test(group, queries_about_sources_are_answered)
{
	static const char *const some[] = { "10.0.0.51", "10.0.0.60" };
	struct endpoint *x = sim_udp(h, "", 1), *y = sim_udp(h, "", 2);

	source(x, SOCKOPT_ADD_SOURCE_MEMBERSHIP, "239.1.1.1", "10.0.0.51");
	source(x, SOCKOPT_ADD_SOURCE_MEMBERSHIP, "239.1.1.1", "10.0.0.52");
	sim_run(sim, 10 * NS_PER_SEC);
	said[0] = 0;
	igmp_query("239.1.1.1", some, 2);
	cr_assert_str_eq(said, "IS_IN{51}");
	said[0] = 0;
	igmp_query("239.1.1.1", some + 1, 1);
	cr_assert_str_eq(said, "", "nothing to say of that one");
	igmp_query("239.1.1.1", NULL, 0);
	cr_assert_str_eq(said, "IS_IN{51,52}");
	said[0] = 0;
	member(y, SOCKOPT_ADD_MEMBERSHIP, "239.1.1.1");
	source(y, SOCKOPT_BLOCK_SOURCE, "239.1.1.1", "10.0.0.60");
	sim_run(sim, 10 * NS_PER_SEC);
	said[0] = 0;
	igmp_query("239.1.1.1", some, 2);
	cr_assert_str_eq(said, "IS_IN{51}", "all but the one excluded");
	said[0] = 0;
	igmp_query("0.0.0.0", NULL, 0);
	cr_assert_str_eq(said, "IS_EX{60}");
	said[0] = 0;
	igmp_query("239.9.9.9", NULL, 0);
	cr_assert_str_eq(said, "");
}

Test(group, old_routers_hear_of_groups_alone)
{
	struct addr any = addr_v4_any, d = sim_parse("224.0.0.1");
	struct eth_hdr e = { link_addr_of_multicast(&d), { { 2, 0, 0, 0, 9, 9 }, 6 }, ETH_TYPE_IPV4 };
	struct ipv4_hdr ip = { .hdr_len = 20, .ttl = 1, .proto = IP_PROTO_IGMP, .dst = d,
			       .total_len = 28, .src = sim_parse("10.0.0.254") };
	struct endpoint *x = sim_udp(h, "", 1);
	uint8_t f[60];

	eth_emit(&e, f);
	ipv4_emit(&ip, f + 14);
	igmp_emit(IGMP_QUERY, 10, &any, f + 34);
	channel_inject(h->ports[0]->channel, pkt_from_bytes(sim->pool, f, 42));
	sim_settle(sim);
	source(x, SOCKOPT_ADD_SOURCE_MEMBERSHIP, "239.1.1.1", "10.0.0.51");
	sim_run(sim, 30 * NS_PER_SEC);
	cr_assert_str_eq(said, " v2report v2report");
	source(x, SOCKOPT_ADD_SOURCE_MEMBERSHIP, "239.1.1.1", "10.0.0.52");
	sim_run(sim, 30 * NS_PER_SEC);
	cr_assert_str_eq(said, " v2report v2report");
	endpoint_close(x);
	sim_run(sim, 30 * NS_PER_SEC);
	cr_assert_str_eq(said, " v2report v2report v2leave");
}

Test(group, mldv2_reports_sources)
{
	struct endpoint *ep = sim_udp(h, "::", 1);

	sim_run(sim, 5 * NS_PER_SEC);
	cr_assert_eq(source(ep, SOCKOPT_ADD_SOURCE_MEMBERSHIP, "ff05::7", "2001:db8::51"), NS_OK);
	SAID("ALLOW{81}");
	cr_assert_eq(source(ep, SOCKOPT_ADD_SOURCE_MEMBERSHIP, "ff05::7", "10.0.0.1"),
		     NS_ERR_INVALID_OPTION_VALUE, "two families");
	endpoint_close(ep);
	SAID("BLOCK{81}");
}

Test(group, whole_filters_are_set_and_got)
{
	struct sockopt_mcast_filter f = { .nic = 1, .group = sim_parse("239.1.1.1"), .exclude = true,
					  .n = 2 }, got = { .nic = 1, .group = f.group };
	struct endpoint *ep = sim_udp(h, "", 1);
	size_t len = sizeof(got);

	f.sources[0] = sim_parse("10.0.0.51");
	f.sources[1] = sim_parse("10.0.0.52");
	cr_assert_eq(endpoint_set_option(ep, SOCKOPT_MULTICAST_FILTER, &f, sizeof(f)),
		     NS_ERR_INVALID_OPTION_VALUE, "not in the group");
	cr_assert_eq(endpoint_get_option(ep, SOCKOPT_MULTICAST_FILTER, &got, &len),
		     NS_ERR_BAD_LOCAL_ADDRESS);
	member(ep, SOCKOPT_ADD_MEMBERSHIP, "239.1.1.1");
	SAID("TO_EX{}");
	cr_assert_eq(endpoint_set_option(ep, SOCKOPT_MULTICAST_FILTER, &f, sizeof(f)), NS_OK);
	SAID("BLOCK{51,52}");
	cr_assert_eq(endpoint_get_option(ep, SOCKOPT_MULTICAST_FILTER, &got, &len), NS_OK);
	cr_assert(got.exclude && got.n == 2 && addr_equal(&got.sources[1], &f.sources[1]));
	f.exclude = false;
	cr_assert_eq(endpoint_set_option(ep, SOCKOPT_MULTICAST_FILTER, &f, sizeof(f)), NS_OK);
	SAID("TO_IN{51,52}");
	f.n = 65;
	cr_assert_eq(endpoint_set_option(ep, SOCKOPT_MULTICAST_FILTER, &f, sizeof(f)),
		     NS_ERR_INVALID_OPTION_VALUE);
	f.n = 0;
	cr_assert_eq(endpoint_set_option(ep, SOCKOPT_MULTICAST_FILTER, &f, sizeof(f)), NS_OK);
	SAID("BLOCK{51,52}");
}

Test(group, sources_are_bounded)
{
	struct endpoint *x = sim_udp(h, "", 1), *y = sim_udp(h, "", 2);
	char from[32];

	for (int i = 0; i < GROUP_MAX_SOURCES; i++) {
		sprintf(from, "10.9.0.%d", i + 1);
		cr_assert_eq(source(x, SOCKOPT_ADD_SOURCE_MEMBERSHIP, "239.1.1.1", from), NS_OK);
	}
	cr_assert_eq(source(x, SOCKOPT_ADD_SOURCE_MEMBERSHIP, "239.1.1.1", "10.8.0.1"),
		     NS_ERR_NO_BUFFER_SPACE);
	cr_assert_eq(source(y, SOCKOPT_ADD_SOURCE_MEMBERSHIP, "239.1.1.1", "10.8.0.1"),
		     NS_ERR_NO_BUFFER_SPACE, "all members together");
	cr_assert_eq(source(y, SOCKOPT_ADD_SOURCE_MEMBERSHIP, "239.1.1.1", "10.9.0.1"), NS_OK);
	said[0] = 0;
}
