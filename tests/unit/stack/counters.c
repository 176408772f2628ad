/* Counters: which of them move, and no others, for each thing that can happen below TCP. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/byteorder.h"
#include "base/cksum.h"
#include "header/arp.h"
#include "header/eth.h"
#include "header/icmp.h"
#include "header/ipv6.h"
#include "header/udp.h"
#include "net.h"

enum { PLAIN, NARROW, ETHER, NICS, DEPTH = 40 };

static struct sim *sim;
static struct stack *s;
static struct link *wire[NICS];
static struct nic *nics[NICS];
static struct stats before;
static const struct link_addr own = { { 2, 0, 0, 0, 0, 1 }, 6 }, other = { { 2, 0, 0, 0, 0, 2 }, 6 };

static void drain(void)
{
	sim_settle(sim);
	for (int i = 0; i < NICS; i++)
		while (channel_count(wire[i]))
			pkt_free(channel_read(wire[i]));
}

static void mark(void)
{
	drain();
	before = s->stats;
}

static void setup(void)
{
	static const char *const addrs[NICS][2] = {
		{ "10.0.0.1/24", "2001:db8::1/64" }, { "10.0.1.1/24", "2001:db8:1::1/64" }, { "10.0.2.1/24", NULL },
	};

	sim = sim_new(11);
	s = sim_host(sim, "h")->stack;
	for (uint32_t i = 0; i < NICS; i++) {
		struct channel_config cc = { .depth = DEPTH, .mtu = i == NARROW ? 1300 : 1500,
					     .caps = i == ETHER ? LINK_CAP_ETHERNET : 0 };

		wire[i] = channel_new(&cc);
		cr_assert_eq(nic_create(s, i + 1, NULL, i == ETHER ? ether_new(wire[i], &own) : wire[i], &nics[i]), NS_OK);
		sim_addr(nics[i], addrs[i][0]);
		if (addrs[i][1])
			sim_addr(nics[i], addrs[i][1]);
		nic_set_forwarding(nics[i], NET_IPV4, true);
		nic_set_forwarding(nics[i], NET_IPV6, true);
	}
	for (int i = 0; i < 20; i++) {
		sim_run(sim, NS_PER_SEC);
		drain();
	}
	mark();
}

static void teardown(void)
{
	sim_free(sim);
}

TestSuite(counters, .init = setup, .fini = teardown);

static char text[1000];

static void add_moved(void *ctx, const char *name, const struct stat_counter *c)
{
	size_t off = (size_t)((const char *)c - (const char *)&s->stats), n = strlen(text);
	const struct stat_counter *was = (const struct stat_counter *)((const char *)&before + off);
	bool nic = !strncmp(name, "nics.", 5);

	if (stat_value(c) == stat_value(was) || nic != *(bool *)ctx)
		return;
	if (stat_value(c) == stat_value(was) + 1)
		snprintf(text + n, sizeof(text) - n, "%s%s", n ? " " : "", name);
	else
		snprintf(text + n, sizeof(text) - n, "%s%s+%lld", n ? " " : "", name,
			 (long long)(stat_value(c) - stat_value(was)));
}

/* The counters that have moved since the last look, NICs' or all others. */
static const char *moved_of(bool nic)
{
	text[0] = 0;
	stats_walk(&s->stats, add_moved, &nic);
	mark();
	return text;
}

#define MOVED(expect)		cr_assert_str_eq(moved_of(false), expect, "%s", text)
#define MOVED_NIC(expect)	cr_assert_str_eq(moved_of(true), expect, "%s", text)

struct in4 {
	const char *src, *dst;
	uint8_t proto, ttl;
	bool df;
	uint16_t off;
	bool more;
	const void *opts;
	uint8_t nopts;
};

static void in4(struct in4 in, const void *payload, size_t n)
{
	uint8_t b[2100];
	struct ipv4_hdr h = {
		.hdr_len = (uint8_t)(20 + in.nopts), .ttl = in.ttl ? in.ttl : 64, .proto = in.proto, .id = 7,
		.dont_fragment = in.df, .frag_off = in.off, .more_fragments = in.more,
		.total_len = (uint16_t)(20 + in.nopts + n), .src = sim_parse(in.src ? in.src : "10.0.0.2"),
		.dst = sim_parse(in.dst ? in.dst : "10.0.0.1"),
	};

	if (in.nopts)
		memcpy(b + 20, in.opts, in.nopts);
	ipv4_emit(&h, b);
	memcpy(b + h.hdr_len, payload, n);
	channel_inject(wire[PLAIN], pkt_from_bytes(sim->pool, b, h.total_len));
	sim_settle(sim);
}

static void icmp4(struct in4 in, uint8_t type, size_t n)
{
	uint8_t b[2000] = { type };
	uint16_t sum = (uint16_t)~cksum_add(0, b, n);

	memcpy(b + 2, &sum, 2);
	in.proto = IP_PROTO_ICMP;
	in4(in, b, n);
}

static void in6(const char *src, const char *dst, uint8_t next, uint8_t hops, const void *payload, size_t n)
{
	uint8_t b[2100];
	struct ipv6_hdr h = { .next = next, .hop_limit = hops, .payload_len = (uint16_t)n, .src = sim_parse(src),
			      .dst = sim_parse(dst) };

	ipv6_emit(&h, b);
	memcpy(b + IPV6_HDR_LEN, payload, n);
	channel_inject(wire[PLAIN], pkt_from_bytes(sim->pool, b, IPV6_HDR_LEN + n));
	sim_settle(sim);
}

static void icmp6(const char *src, const char *dst, uint8_t hops, uint8_t type, size_t n)
{
	uint8_t b[2000] = { type };
	struct addr from = sim_parse(src), to = sim_parse(dst);
	uint16_t sum;

	b[4] = type == ICMPV6_MLD_QUERY ? 39 : 0;	/* answers may take ten seconds */
	sum = (uint16_t)~cksum_add(cksum_pseudo(&from, &to, IP_PROTO_ICMPV6, (uint32_t)n), b, n);

	memcpy(b + 2, &sum, 2);
	in6(src, dst, IP_PROTO_ICMPV6, hops, b, n);
}

static void udp4(struct in4 in, uint16_t dport, size_t n, uint16_t len)
{
	uint8_t b[2000] = { 0, 9 };

	be16_store(b + 2, dport);
	be16_store(b + 4, len);
	in.proto = IP_PROTO_UDP;
	in4(in, b, n);
}

#define IN(...) (struct in4){ __VA_ARGS__ }

Test(counters, forwarding)
{
	static const uint8_t lsrr[8] = { IPV4_OPT_LSRR, 7, 4, 1, 2, 3, 4 };

	udp4(IN(.dst = "10.0.1.9"), 9, 100, 100);
	MOVED("ip.packets_received ip.packets_forwarded");
	udp4(IN(.dst = "10.0.1.9"), 9, 1400, 1400);
	MOVED("ip.packets_received ip.packets_forwarded ip.fragments_created+2");
	udp4(IN(.dst = "10.0.1.9", .df = true), 9, 1400, 1400);
	MOVED("icmp.v4_sent.dst_unreachable ip.packets_received ip.packets_sent ip.forwarding_errors");
	udp4(IN(.dst = "10.0.1.9", .ttl = 1), 9, 100, 100);
	MOVED("icmp.v4_sent.time_exceeded ip.packets_received ip.packets_sent ip.forwarding_errors");
	udp4(IN(.dst = "10.9.9.9"), 9, 100, 100);
	MOVED("icmp.v4_sent.dst_unreachable ip.packets_received ip.packets_sent ip.forwarding_errors");
	udp4(IN(.dst = "10.0.1.255"), 9, 100, 100);
	MOVED("ip.packets_received ip.invalid_addresses_received");
	udp4(IN(.dst = "10.0.1.9", .opts = lsrr, .nopts = 8), 9, 100, 100);
	MOVED("icmp.v4_sent.dst_unreachable ip.packets_received ip.packets_sent ip.options_unknown_received");
	udp4(IN(.src = "224.0.0.1"), 9, 100, 100);
	MOVED("ip.packets_received ip.invalid_source_addresses_received");
	nic_set_enabled(nics[NARROW], false);
	udp4(IN(.dst = "10.0.1.9"), 9, 100, 100);
	MOVED("icmp.v4_sent.dst_unreachable ip.packets_received ip.packets_sent ip.forwarding_errors");
}

Test(counters, forwarding_over_ipv6)
{
	uint8_t b[1400] = { 0 };

	in6("2001:db8::2", "2001:db8:1::9", IP_PROTO_UDP, 64, b, 100);
	MOVED("ip.packets_received ip.packets_forwarded");
	in6("2001:db8::2", "2001:db8:1::9", IP_PROTO_UDP, 64, b, 1400);
	MOVED("icmp.v6_sent.packet_too_big ip.packets_received ip.packets_sent ip.forwarding_errors");
	in6("2001:db8::2", "2001:db8:1::9", IP_PROTO_UDP, 1, b, 100);
	MOVED("icmp.v6_sent.time_exceeded ip.packets_received ip.packets_sent ip.forwarding_errors");
	in6("2001:db8::2", "2001:db9::9", IP_PROTO_UDP, 64, b, 100);
	MOVED("icmp.v6_sent.dst_unreachable ip.packets_received ip.packets_sent ip.forwarding_errors");
	in6("2001:db8::2", "2001:db8::1", 99, 64, b, 100);
	MOVED("unknown_protocol_rcvd_packets icmp.v6_sent.param_problem ip.packets_received ip.packets_sent");
}

Test(counters, datagrams_and_their_endpoint)
{
	struct endpoint *ep = sim_udp(container_of(sim->hosts.next, struct sim_host, list), "", 53);
	struct endpoint_stats *st = &ep->stats;
	char abc[] = "abc";
	struct iovec iov = { abc, 3 };
	char buf[10];
	size_t n;

	udp4(IN(0), 53, 20, 20);
	MOVED("ip.packets_received ip.packets_delivered udp.packets_received");
	cr_assert_eq(stat_value(&st->packets_received), 1);
	cr_assert_eq(sim_recv(ep, buf, sizeof(buf), NULL, NULL), 10);
	udp4(IN(0), 53, 20, 21);
	MOVED("malformed_rcvd_packets ip.packets_received ip.packets_delivered udp.packets_received udp.malformed_packets_received");
	cr_assert_eq(stat_value(&st->receive_errors.malformed_packets_received), 1);
	udp4(IN(0), 53, 3, 3);
	MOVED("malformed_rcvd_packets ip.packets_received ip.packets_delivered udp.packets_received udp.malformed_packets_received");
	udp4(IN(0), 54, 20, 20);
	MOVED("icmp.v4_sent.dst_unreachable ip.packets_received ip.packets_delivered ip.packets_sent udp.packets_received "
	      "udp.unknown_port_errors");
	{
		uint8_t b[12] = { 0, 9, 0, 53, 0, 12, 1, 2 };

		in4(IN(.proto = IP_PROTO_UDP), b, 12);
	}
	MOVED("ip.packets_received ip.packets_delivered udp.packets_received udp.checksum_errors");
	cr_assert_eq(stat_value(&st->receive_errors.checksum_errors), 1);
	endpoint_set_int(ep, SOCKOPT_RECEIVE_BUFFER_SIZE, 0);
	for (int i = 0; i < 30 && !stat_value(&st->receive_errors.receive_buffer_overflow); i++) {
		mark();
		udp4(IN(0), 53, 1000, 1000);
	}
	MOVED("dropped_packets ip.packets_received ip.packets_delivered udp.packets_received udp.receive_buffer_errors");
	cr_assert_eq(sim_send(ep, "10.0.0.2", 9, "abc", 3), NS_OK);
	MOVED("ip.packets_sent udp.packets_sent");
	cr_assert_eq(stat_value(&st->packets_sent), 1);
	cr_assert_eq(sim_send(ep, "10.9.9.9", 9, "abc", 3), NS_ERR_NO_ROUTE);
	MOVED("udp.packet_send_errors");
	cr_assert_eq(stat_value(&st->send_errors.no_route), 1);
	cr_assert_eq(endpoint_write(ep, &iov, 1, NULL, &n), NS_ERR_DESTINATION_REQUIRED);
	cr_assert_eq(stat_value(&st->write_errors.invalid_args), 1);
	cr_assert_eq(endpoint_connect(ep, &(struct full_addr){ .addr = sim_parse("10.0.0.2"), .port = 9 }), NS_OK);
	while (sim_recv(ep, buf, sizeof(buf), NULL, NULL) >= 0)
		;
	cr_assert_eq(endpoint_shutdown(ep, SHUTDOWN_READ | SHUTDOWN_WRITE), NS_OK);
	cr_assert_eq(endpoint_write(ep, &iov, 1, NULL, &n), NS_ERR_CLOSED_FOR_SEND);
	cr_assert_eq(stat_value(&st->write_errors.write_closed), 1);
	cr_assert_eq(sim_recv(ep, buf, sizeof(buf), NULL, NULL), -1);
	cr_assert_eq(stat_value(&st->read_errors.read_closed), 1);
	udp4(IN(0), 53, 20, 20);
	cr_assert_eq(stat_value(&st->receive_errors.closed_receiver), 1);
	endpoint_close(ep);
}

Test(counters, what_the_link_does_not_take)
{
	struct sim_host *h = container_of(sim->hosts.next, struct sim_host, list);
	struct endpoint *ep = sim_udp(h, "", 53);

	for (int i = 0; i < DEPTH; i++)
		cr_assert_eq(sim_send(ep, "10.0.0.2", 9, "abc", 3), NS_OK);
	before = s->stats;
	cr_assert_eq(sim_send(ep, "10.0.0.2", 9, "abc", 3), NS_OK, "lost as in any network");
	MOVED("ip.packets_sent ip.outgoing_packet_errors udp.packet_send_errors");
	cr_assert_eq(stat_value(&ep->stats.send_errors.send_to_network_failed), 1);
	for (int i = 0; i < DEPTH; i++)
		sim_send(ep, "10.0.0.2", 9, "abc", 3);
	before = s->stats;
	icmp4(IN(0), ICMPV4_ECHO, 16);
	MOVED("icmp.v4_sent.dropped icmp.v4_received.echo ip.packets_received ip.packets_sent ip.outgoing_packet_errors");
	for (int i = 0; i < DEPTH; i++)
		sim_send(ep, "10.0.0.2", 9, "abc", 3);
	before = s->stats;
	icmp6("2001:db8::2", "2001:db8::1", 64, ICMPV6_ECHO_REQUEST, 16);
	MOVED("icmp.v6_sent.dropped icmp.v6_received.echo_request ip.packets_received ip.packets_sent "
	      "ip.outgoing_packet_errors");
	for (int i = 0; i < DEPTH; i++)
		sim_send(ep, "10.0.0.2", 9, "abc", 3);
	before = s->stats;
	sim_send(ep, "10.0.0.2", 9, "abc", 3);
	MOVED_NIC("nics.tx_dropped");
	cr_assert_eq(stat_value(&nics[PLAIN]->stats.tx_dropped), 4);
	endpoint_close(ep);
}

Test(counters, fragments)
{
	uint8_t b[2000] = { 0, 9, 0, 53, 0, 24 };

	in4(IN(.proto = IP_PROTO_UDP, .more = true), b, 16);
	MOVED("ip.packets_received ip.fragments_received");
	in4(IN(.proto = IP_PROTO_UDP, .off = 16), b, 8);
	MOVED("icmp.v4_sent.dst_unreachable ip.packets_received ip.packets_delivered ip.packets_sent ip.fragments_received "
	      "ip.reassembled udp.packets_received udp.unknown_port_errors");
	in4(IN(.proto = IP_PROTO_UDP, .more = true), b, 15);
	MOVED("malformed_rcvd_packets ip.packets_received ip.malformed_fragments_received ip.fragments_received");
	in4(IN(.proto = IP_PROTO_UDP, .more = true), b, 16);
	in4(IN(.proto = IP_PROTO_UDP, .more = true, .off = 8), b, 16);
	MOVED("ip.packets_received+2 ip.fragments_received+2 ip.reassembly_dropped");
	sim_run(sim, 40 * NS_PER_SEC);
	mark();
	in4(IN(.proto = IP_PROTO_UDP, .more = true), b, 16);
	mark();
	sim_run(sim, 40 * NS_PER_SEC);
	cr_assert_eq(stat_value(&s->stats.ip.reassembly_timeouts) - stat_value(&before.ip.reassembly_timeouts), 1);
	cr_assert_eq(stat_value(&s->stats.icmp.v4_sent.time_exceeded) - stat_value(&before.icmp.v4_sent.time_exceeded), 1);
}

Test(counters, icmp_by_its_types)
{
	static const struct { uint8_t type; const char *name, *answer; } four[] = {
		{ 0, "echo_reply", NULL }, { 3, "dst_unreachable", NULL }, { 4, "src_quench", NULL }, { 5, "redirect", NULL },
		{ 8, "echo", "echo_reply" }, { 11, "time_exceeded", NULL }, { 12, "param_problem", NULL },
		{ 13, "timestamp", "timestamp_reply" }, { 14, "timestamp_reply", NULL }, { 15, "info_request", NULL },
		{ 16, "info_reply", NULL },
	}, six[] = {
		{ 1, "dst_unreachable", NULL }, { 2, "packet_too_big", NULL }, { 3, "time_exceeded", NULL },
		{ 4, "param_problem", NULL }, { 128, "echo_request", "echo_reply" }, { 129, "echo_reply", NULL },
	};
	char want[200];

	for (size_t i = 0; i < sizeof(four) / sizeof(four[0]); i++) {
		icmp4(IN(0), four[i].type, 20);
		snprintf(want, sizeof(want), "%s%s%sicmp.v4_received.%s ip.packets_received%s",
			 four[i].answer ? "icmp.v4_sent." : "", four[i].answer ? four[i].answer : "", four[i].answer ? " " : "",
			 four[i].name, four[i].answer ? " ip.packets_sent" : "");
		if (four[i].type == 0)		/* looked for who asked */
			strcat(want, " ip.packets_delivered");
		MOVED(want);
	}
	icmp4(IN(0), 77, 20);
	MOVED("icmp.v4_received.invalid ip.packets_received");
	icmp4(IN(0), ICMPV4_ECHO, 3);
	MOVED("malformed_rcvd_packets icmp.v4_received.invalid ip.packets_received");
	for (size_t i = 0; i < sizeof(six) / sizeof(six[0]); i++) {
		icmp6("2001:db8::2", "2001:db8::1", 64, six[i].type, 20);
		snprintf(want, sizeof(want), "%s%s%sicmp.v6_received.%s ip.packets_received%s",
			 six[i].answer ? "icmp.v6_sent." : "", six[i].answer ? six[i].answer : "", six[i].answer ? " " : "",
			 six[i].name, six[i].answer ? " ip.packets_sent" : "");
		if (six[i].type == 129)
			strcat(want, " ip.packets_delivered");
		MOVED(want);
	}
	icmp6("2001:db8::2", "2001:db8::1", 64, 77, 20);
	MOVED("icmp.v6_received.invalid ip.packets_received");
	icmp6("2001:db8::2", "2001:db8::1", 64, ICMPV6_ECHO_REQUEST, 3);
	MOVED("malformed_rcvd_packets icmp.v6_received.invalid ip.packets_received");
}

/* What neighbours, routers and members of groups say; all of it wants a link-local source or hop limit. */
Test(counters, icmpv6_of_the_link)
{
	static const struct { uint8_t type, hops; size_t n; const char *name; bool bad; } heard[] = {
		{ 130, 1, 24, "mld_query", false }, { 131, 1, 24, "mld_report", false }, { 132, 1, 24, "mld_done", false },
		{ 143, 1, 24, "mldv2_report", false }, { 130, 2, 24, "mld_query", true }, { 133, 255, 8, "router_solicit", false },
		{ 134, 255, 16, "router_advert", false }, { 135, 255, 23, "neighbor_solicit", true },
		{ 136, 255, 23, "neighbor_advert", true }, { 137, 255, 39, "redirect_msg", true }, { 134, 64, 16, "router_advert", true },
	};
	char want[200];

	for (size_t i = 0; i < sizeof(heard) / sizeof(heard[0]); i++) {
		icmp6("fe80::9", "ff02::1", heard[i].hops, heard[i].type, heard[i].n);
		snprintf(want, sizeof(want), "%sicmp.v6_received.%s%s ip.packets_received", heard[i].bad ? "malformed_rcvd_packets " : "",
			 heard[i].name, heard[i].bad ? " icmp.v6_received.invalid" : "");
		MOVED(want);
	}
}

static void igmp(uint8_t type, uint8_t ttl)
{
	uint8_t b[8] = { type, 0, 0, 0, 224, 1, 2, 3 };
	uint16_t sum = (uint16_t)~cksum_add(0, b, 8);

	memcpy(b + 2, &sum, 2);
	in4(IN(.dst = "224.0.0.1", .proto = IP_PROTO_IGMP, .ttl = ttl), b, 8);
}

Test(counters, igmp_by_its_types)
{
	static const struct { uint8_t type; const char *name; } types[] = {
		{ 0x11, "query" }, { 0x12, "v1_report" }, { 0x16, "v2_report" }, { 0x17, "leave" }, { 0x22, "v3_report" },
	};
	char want[100];

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		igmp(types[i].type, 1);
		snprintf(want, sizeof(want), "igmp.received.%s ip.packets_received", types[i].name);
		MOVED(want);
	}
	igmp(0x11, 2);
	MOVED("malformed_rcvd_packets igmp.received.invalid ip.packets_received");
}

static void frame(const struct link_addr *to, uint16_t type, const void *payload, size_t n)
{
	uint8_t b[200];

	memcpy(b, to->b, 6);
	memcpy(b + 6, other.b, 6);
	be16_store(b + 12, type);
	memcpy(b + 14, payload, n);
	channel_inject(wire[ETHER], pkt_from_bytes(sim->pool, b, 14 + n));
	sim_settle(sim);
}

static void arp(uint16_t op, const char *sender, const char *target)
{
	struct arp_hdr h = { .op = op, .sender_link = other, .target_link = own, .sender = sim_parse(sender),
			     .target = sim_parse(target) };
	uint8_t b[ARP_LEN];

	arp_emit(&h, b);
	frame(&own, ETH_TYPE_ARP, b, sizeof(b));
}

Test(counters, arp)
{
	struct endpoint *ep = sim_udp(container_of(sim->hosts.next, struct sim_host, list), "", 53);

	arp(ARP_REQUEST, "10.0.2.2", "10.0.2.1");
	MOVED("arp.packets_received arp.requests_received arp.outgoing_replies_sent");
	arp(ARP_REQUEST, "10.0.2.2", "10.0.2.7");
	MOVED("arp.packets_received arp.requests_received arp.requests_received_unknown_target");
	arp(ARP_REPLY, "10.0.2.2", "10.0.2.1");
	MOVED("arp.packets_received arp.replies_received");
	arp(ARP_REPLY, "10.0.2.1", "10.0.2.1");
	MOVED("arp.packets_received arp.conflicts_received");
	arp(9, "10.0.2.2", "10.0.2.1");
	MOVED("malformed_rcvd_packets arp.packets_received arp.malformed_packets_received");
	sim_send(ep, "10.0.2.3", 9, "abc", 3);
	MOVED("ip.packets_sent udp.packets_sent arp.outgoing_requests_sent");
	for (int i = 0; i < DEPTH; i++)
		sim_send(ep, "10.0.2.2", 9, "abc", 3);
	before = s->stats;
	arp(ARP_REQUEST, "10.0.2.2", "10.0.2.1");
	MOVED("arp.packets_received arp.requests_received arp.outgoing_replies_dropped");
	for (int i = 0; i < DEPTH; i++)
		sim_send(ep, "10.0.2.2", 9, "abc", 3);
	before = s->stats;
	sim_send(ep, "10.0.2.4", 9, "abc", 3);
	MOVED("ip.packets_sent udp.packets_sent arp.outgoing_requests_dropped");
	endpoint_close(ep);
}

Test(counters, nic)
{
	static const uint8_t none[46];
	struct endpoint *ep = sim_udp(container_of(sim->hosts.next, struct sim_host, list), "", 53);
	struct neigh_cache *cache = &nics[ETHER]->neigh[NET_IPV4];

	frame(&own, 0x88b5, none, sizeof(none));
	MOVED("unknown_protocol_rcvd_packets");
	frame(&own, 0x88b5, none, sizeof(none));
	MOVED_NIC("nics.rx_packets nics.rx_bytes+46 nics.rx_unknown_protocol");
	frame(&other, ETH_TYPE_IPV4, none, sizeof(none));
	MOVED_NIC("nics.rx_packets nics.rx_bytes+46 nics.rx_other_host");
	nic_set_enabled(nics[ETHER], false);
	mark();
	frame(&own, ETH_TYPE_IPV4, none, sizeof(none));
	MOVED_NIC("nics.rx_disabled");
	nic_set_enabled(nics[ETHER], true);
	cache->config.max_pending = 2;
	mark();
	for (int i = 0; i < 3; i++)
		sim_send(ep, "10.0.2.3", 9, "abc", 3);
	MOVED_NIC("nics.tx_packets nics.tx_bytes+28 nics.neigh_pending_dropped");
	cache->config.max_entries = cache->dynamic;
	sim_send(ep, "10.0.2.5", 9, "abc", 3);
	MOVED_NIC("nics.tx_packets nics.tx_bytes+28 nics.neigh_table_full");
	sim_send(ep, "10.0.0.2", 9, "abc", 3);
	MOVED_NIC("nics.tx_packets nics.tx_bytes+31");
	endpoint_close(ep);
}
