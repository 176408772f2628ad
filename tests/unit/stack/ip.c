/* IPv4, IPv6 and ICMP of one stack on a link without addresses: packets in and out by hand. */
#include <criterion/criterion.h>

#include "base/byteorder.h"
#include "base/cksum.h"
#include "header/icmp.h"
#include "header/ipv6.h"
#include "header/udp.h"
#include "net.h"

static struct sim *sim;
static struct sim_host *h;
static struct stack *s;
static struct link *wire[2];
static struct nic *nics[2];
static uint8_t out[70000];

static void setup(void)
{
	static const char *const addrs[2][2] = { { "10.0.0.1/24", "2001:db8::1/64" },
						 { "10.0.1.1/24", "2001:db8:1::1/64" } };

	sim = sim_new(9);
	h = sim_host(sim, "h");
	s = h->stack;
	for (uint32_t i = 0; i < 2; i++) {
		struct channel_config cc = { .depth = 2000, .mtu = i ? 1300 : 1500 };

		wire[i] = channel_new(&cc);
		cr_assert_eq(nic_create(s, i + 1, NULL, wire[i], &nics[i]), NS_OK);
		sim_addr(nics[i], addrs[i][0]);
		sim_addr(nics[i], addrs[i][1]);
	}
	sim_run(sim, 20 * NS_PER_SEC);
	for (int i = 0; i < 2; i++)
		while (channel_count(wire[i]))
			pkt_free(channel_read(wire[i]));
}

static void teardown(void)
{
	sim_free(sim);
}

TestSuite(ip, .init = setup, .fini = teardown);

static void in(int w, const uint8_t *p, size_t n)
{
	channel_inject(wire[w], pkt_from_bytes(sim->pool, p, n));
	sim_settle(sim);
}

/* The next packet out, copied to out[]; 0 if there is none. */
static size_t next_out(int w)
{
	struct pkt *p = channel_read(wire[w]);
	size_t n = p ? p->len : 0;

	if (p)
		pkt_copy_out(p, 0, out, n);
	pkt_free(p);
	return n;
}

struct pk4 {
	const char *src, *dst;
	uint8_t proto, ttl;
	uint16_t id, off;
	bool more, df;
	const uint8_t *opts;
	size_t nopts;
};

static size_t build4(uint8_t *p, const struct pk4 *k, const void *payload, size_t n)
{
	struct ipv4_hdr ip = {
		.hdr_len = (uint8_t)(20 + k->nopts), .ttl = k->ttl ? k->ttl : 64, .proto = k->proto,
		.total_len = (uint16_t)(20 + k->nopts + n), .id = k->id, .frag_off = k->off,
		.more_fragments = k->more, .dont_fragment = k->df,
		.src = sim_parse(k->src ? k->src : "10.0.0.2"),
		.dst = sim_parse(k->dst ? k->dst : "10.0.0.1"),
	};

	if (k->nopts)
		memcpy(p + 20, k->opts, k->nopts);
	ipv4_emit(&ip, p);
	memcpy(p + ip.hdr_len, payload, n);
	return ip.total_len;
}

static size_t udp_bytes(uint8_t *p, uint16_t dport, size_t n)
{
	struct udp_hdr u = { 5000, dport, (uint16_t)(8 + n), 0 };

	udp_emit(&u, p);
	memset(p + 8, 0x5a, n);
	return 8 + n;
}

static size_t icmp_bytes(uint8_t *p, uint8_t type, uint8_t code, uint32_t rest, size_t n)
{
	struct icmp_hdr ic = { .type = type, .code = code, .rest = rest };
	uint16_t sum;

	icmp_emit(&ic, p);
	for (size_t i = 0; i < n; i++)
		p[8 + i] = (uint8_t)i;
	sum = (uint16_t)~cksum_add(0, p, 8 + n);
	memcpy(p + 2, &sum, 2);
	return 8 + n;
}

static size_t build6(uint8_t *p, const char *src, const char *dst, uint8_t next, uint8_t hl,
		     const void *payload, size_t n)
{
	struct ipv6_hdr ip = { .next = next, .hop_limit = hl, .payload_len = (uint16_t)n,
			       .src = sim_parse(src), .dst = sim_parse(dst) };

	ipv6_emit(&ip, p);
	memcpy(p + 40, payload, n);
	return 40 + n;
}

static void sum6(uint8_t *p, size_t n, size_t off)
{
	struct addr src = addr_from_bytes(p + 8, 16), dst = addr_from_bytes(p + 24, 16);
	uint16_t sum;

	p[off + 2] = p[off + 3] = 0;
	sum = (uint16_t)~cksum_add(cksum_pseudo(&src, &dst, 58, (uint32_t)(n - off)), p + off, n - off);
	memcpy(p + off + 2, &sum, 2);
}

Test(ip, echo_request_is_answered_byte_for_byte)
{
	uint8_t p[200], ic[100];
	struct pk4 k = { .proto = 1 };
	size_t n = build4(p, &k, ic, icmp_bytes(ic, ICMPV4_ECHO, 0, 0x12340001, 60));

	in(0, p, n);
	cr_assert_eq(next_out(0), n);
	cr_assert(out[9] == 1 && out[20] == ICMPV4_ECHO_REPLY);
	cr_assert(memcmp(out + 24, ic + 4, 64) == 0);
	cr_assert_eq(cksum_add(0, out + 20, n - 20), 0xffff);
	cr_assert(ipv4_cksum_ok(out, 20));
	cr_assert(memcmp(out + 12, p + 16, 4) == 0 && memcmp(out + 16, p + 12, 4) == 0);
}

Test(ip, malformed_packets_are_counted_and_answered_by_nothing)
{
	static const struct {
		int at;
		uint8_t val;
	} bad[] = { { 0, 0x55 }, { 0, 0x44 }, { 3, 0xff }, { 10, 0x00 } };
	uint8_t p[200], ic[100];
	struct pk4 k = { .proto = 1 };
	size_t n = build4(p, &k, ic, icmp_bytes(ic, ICMPV4_ECHO, 0, 1, 8));
	uint64_t before = s->stats.ip.malformed_packets_received.value;

	for (size_t i = 0; i < 4; i++) {
		uint8_t was = p[bad[i].at];

		p[bad[i].at] = bad[i].val;
		if (i == 0)
			p[0] = 0x4f;	/* options that are not there */
		in(0, p, n);
		p[bad[i].at] = was;
	}
	cr_assert_eq(s->stats.ip.malformed_packets_received.value - before, 4);
	for (size_t cut = 1; cut < n; cut++)
		in(0, p, cut);
	cr_assert_eq(s->stats.ip.malformed_packets_received.value - before, 4 + n - 1);
	p[22] ^= 1;
	in(0, p, n);
	cr_assert_eq(s->stats.icmp.v4_invalid.value, 1, "ICMP checksum");
	cr_assert_eq(next_out(0), 0);
}

Test(ip, closed_port_is_answered_with_the_packet_quoted)
{
	uint8_t p[800], u[700];
	struct pk4 k = { .proto = 17 };
	size_t n = build4(p, &k, u, udp_bytes(u, 99, 600)), got;

	in(0, p, n);
	got = next_out(0);
	cr_assert_eq(got, 576, "RFC 1812, 4.3.2.3");
	cr_assert(out[20] == ICMPV4_DST_UNREACHABLE && out[21] == ICMPV4_PORT_UNREACHABLE);
	cr_assert(memcmp(out + 28, p, 576 - 28) == 0);
	cr_assert_eq(cksum_add(0, out + 20, got - 20), 0xffff);
}

Test(ip, no_error_about_errors_groups_broadcasts_later_fragments_or_bad_sources)
{
	static const struct pk4 silent[] = {
		{ .proto = 17, .dst = "10.0.0.255" }, { .proto = 17, .dst = "224.0.0.1" },
		{ .proto = 17, .src = "0.0.0.0" }, { .proto = 17, .src = "10.0.0.255" },
		{ .proto = 17, .src = "224.0.0.9" }, { .proto = 17, .src = "127.0.0.1" },
	};
	uint8_t p[200], b[100];
	struct pk4 k = { .proto = 1 };

	for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
		in(0, p, build4(p, &silent[i], b, udp_bytes(b, 99, 10)));
		cr_assert_eq(next_out(0), 0, "%zu", i);
	}
	in(0, p, build4(p, &k, b, icmp_bytes(b, ICMPV4_DST_UNREACHABLE, 3, 0, 40)));
	cr_assert_eq(next_out(0), 0);
}

Test(ip, dying_fragments_and_icmp_errors_are_not_answered)
{
	uint8_t p[200], b[100];
	struct pk4 later = { .proto = 17, .dst = "10.0.1.7", .ttl = 1, .off = 80 };
	struct pk4 error = { .proto = 1, .dst = "10.0.1.7", .ttl = 1 };

	nic_set_forwarding(nics[0], NET_IPV4, true);
	in(0, p, build4(p, &later, b, udp_bytes(b, 99, 10)));
	cr_assert_eq(next_out(0), 0, "not the first fragment");
	in(0, p, build4(p, &error, b, icmp_bytes(b, ICMPV4_TIME_EXCEEDED, 0, 0, 40)));
	cr_assert_eq(next_out(0), 0, "an error");
	in(0, p, build4(p, &error, b, icmp_bytes(b, ICMPV4_ECHO, 0, 0, 40)));
	cr_assert_gt(next_out(0), 0, "but an echo request is");
}

Test(ip, unknown_protocol_is_unreachable)
{
	uint8_t p[200], b[20] = { 0 };
	struct pk4 k = { .proto = 200 };

	in(0, p, build4(p, &k, b, 20));
	cr_assert_eq(next_out(0), 20 + 8 + 40);
	cr_assert(out[20] == ICMPV4_DST_UNREACHABLE && out[21] == ICMPV4_PROTO_UNREACHABLE);
	cr_assert_eq(s->stats.unknown_protocol_rcvd_packets.value, 1);
}

Test(ip, errors_are_rate_limited_and_counted)
{
	uint8_t p[200], u[100];
	struct pk4 k = { .proto = 17 };
	size_t n = build4(p, &k, u, udp_bytes(u, 99, 10));
	int answers = 0;

	for (int i = 0; i < 200; i++)
		in(0, p, n);
	while (next_out(0))
		answers++;
	cr_assert_eq(answers, 50);
	cr_assert_eq(s->stats.icmp.v4_rate_limited.value, 150);
}

Test(ip, source_routes_are_refused)
{
	static const uint8_t lsrr[8] = { 131, 7, 4, 10, 0, 0, 9, 0 };
	uint8_t p[200], u[100];
	struct pk4 k = { .proto = 17, .opts = lsrr, .nopts = 8 };

	in(0, p, build4(p, &k, u, udp_bytes(u, 99, 10)));
	cr_assert_gt(next_out(0), 0);
	cr_assert(out[20] == ICMPV4_DST_UNREACHABLE && out[21] == ICMPV4_SRC_ROUTE_FAILED);
}

Test(ip, lying_options_are_a_parameter_problem_that_points_at_them)
{
	static const uint8_t bad[4] = { 7, 9, 4, 0 };
	uint8_t p[200], u[100];
	struct pk4 k = { .proto = 17, .opts = bad, .nopts = 4 };

	in(0, p, build4(p, &k, u, udp_bytes(u, 99, 10)));
	cr_assert_gt(next_out(0), 0);
	cr_assert(out[20] == ICMPV4_PARAM_PROBLEM && out[24] == 21);
}

Test(ip, a_missing_fragment_is_reported_after_thirty_seconds)
{
	uint8_t p[200], u[100];
	struct pk4 k = { .proto = 17, .more = true, .id = 5 };

	udp_bytes(u, 99, 56);
	in(0, p, build4(p, &k, u, 64));
	sim_run(sim, 29 * NS_PER_SEC);
	cr_assert_eq(next_out(0), 0);
	sim_run(sim, 2 * NS_PER_SEC);
	cr_assert_eq(next_out(0), 20 + 8 + 84);
	cr_assert(out[20] == ICMPV4_TIME_EXCEEDED && out[21] == ICMP_REASSEMBLY_EXCEEDED);
}

Test(ip, ping_of_death_is_dropped)
{
	uint8_t p[1600], b[1500] = { 0 };
	struct pk4 k = { .proto = 1, .id = 7, .more = true };

	for (k.off = 0; k.off < 65000; k.off = (uint16_t)(k.off + 1480))
		in(0, p, build4(p, &k, b, 1480));
	k.more = false;
	in(0, p, build4(p, &k, b, 1400));
	cr_assert_gt(s->stats.ip.malformed_fragments_received.value, 0);
	cr_assert_eq(s->stats.ip.reassembled.value, 0);
}

Test(ip, forwards_only_when_told_to)
{
	uint8_t p[200], u[100];
	struct pk4 k = { .proto = 17, .dst = "10.0.1.7" };
	size_t n = build4(p, &k, u, udp_bytes(u, 99, 10));

	in(0, p, n);
	cr_assert_eq(next_out(1), 0);
	cr_assert_eq(s->stats.ip.invalid_addresses_received.value, 1);
	nic_set_forwarding(nics[0], NET_IPV4, true);
	in(0, p, n);
	cr_assert_eq(next_out(1), n);
	cr_assert_eq(out[8], 63);
	cr_assert(ipv4_cksum_ok(out, 20));
	cr_assert(memcmp(out + 20, p + 20, n - 20) == 0);
}

Test(ip, forwarding_lets_no_directed_broadcast_through)
{
	uint8_t p[200], u[100];
	struct pk4 k = { .proto = 17, .dst = "10.0.1.255" };

	nic_set_forwarding(nics[0], NET_IPV4, true);
	in(0, p, build4(p, &k, u, udp_bytes(u, 99, 10)));
	cr_assert_eq(next_out(1), 0);
	cr_assert_eq(s->stats.ip.invalid_addresses_received.value, 1);
}

Test(ip, mtu_stays_within_what_the_link_came_with)
{
	cr_assert_eq(nic_set_mtu(nics[0], 67), NS_ERR_INVALID_OPTION_VALUE);
	cr_assert_eq(nic_set_mtu(nics[0], 1501), NS_ERR_INVALID_OPTION_VALUE);
	cr_assert_eq(nic_set_mtu(nics[0], 1400), NS_OK);
	cr_assert_eq(nic_set_mtu(nics[0], 1500), NS_OK);
}

Test(ip, forwarding_answers_ttl_mtu_and_route_errors)
{
	uint8_t p[1600], u[1500];
	struct pk4 ttl = { .proto = 17, .dst = "10.0.1.7", .ttl = 1 };
	struct pk4 df = { .proto = 17, .dst = "10.0.1.7", .df = true };
	struct pk4 lost = { .proto = 17, .dst = "10.9.9.9" };

	nic_set_forwarding(nics[0], NET_IPV4, true);
	in(0, p, build4(p, &ttl, u, udp_bytes(u, 99, 10)));
	cr_assert_gt(next_out(0), 0);
	cr_assert(out[20] == ICMPV4_TIME_EXCEEDED && out[21] == ICMP_TTL_EXCEEDED);
	in(0, p, build4(p, &df, u, udp_bytes(u, 99, 1400)));
	cr_assert_gt(next_out(0), 0);
	cr_assert(out[20] == ICMPV4_DST_UNREACHABLE && out[21] == ICMPV4_FRAG_NEEDED);
	cr_assert_eq(be16_load(out + 26), 1300);
	in(0, p, build4(p, &lost, u, udp_bytes(u, 99, 10)));
	cr_assert_gt(next_out(0), 0);
	cr_assert(out[20] == ICMPV4_DST_UNREACHABLE && out[21] == ICMPV4_NET_UNREACHABLE);
	cr_assert_eq(next_out(1), 0);
}

Test(ip, forwarding_cuts_up_what_is_too_large_and_keeps_copied_options)
{
	static const uint8_t opts[8] = { 148, 4, 0, 0, 7, 3, 4, 0 };
	uint8_t p[1600], u[1500];
	struct pk4 k = { .proto = 17, .dst = "10.0.1.7", .opts = opts, .nopts = 8, .off = 800,
			 .more = true };
	struct ipv4_hdr a, b;

	nic_set_forwarding(nics[0], NET_IPV4, true);
	in(0, p, build4(p, &k, u, udp_bytes(u, 99, 1432)));
	cr_assert(ipv4_parse(&a, out, next_out(1)) && ipv4_cksum_ok(out, a.hdr_len));
	cr_assert(a.hdr_len == 28 && a.total_len == 28 + 1272 && a.more_fragments && a.frag_off == 800);
	cr_assert(ipv4_parse(&b, out, next_out(1)) && ipv4_cksum_ok(out, b.hdr_len));
	cr_assert(b.hdr_len == 24 && out[20] == 148, "only the option that is to be copied");
	cr_assert(b.frag_off == 800 + 1272 && b.more_fragments && b.total_len == 24 + 168);
	cr_assert_eq(a.id, b.id);
}

Test(ip, path_mtu_is_learnt_and_later_datagrams_are_cut_up)
{
	struct endpoint *ep = sim_udp(h, "", 1000);
	uint8_t p[200], q[100], data[1400] = { 0 };
	struct pk4 k = { .proto = 1, .src = "10.0.0.254" };
	struct icmp_hdr ic = { .type = 3, .code = 4, .rest = 600 };
	struct ipv4_hdr ip;
	uint16_t sum;

	cr_assert_eq(sim_send(ep, "10.0.0.2", 7, data, 1400), NS_OK);
	cr_assert_eq(next_out(0), 1428);
	cr_assert(out[6] & 0x40, "DF is set");
	icmp_emit(&ic, q);
	memcpy(q + 8, out, 28);
	sum = (uint16_t)~cksum_add(0, q, 36);
	memcpy(q + 2, &sum, 2);
	in(0, p, build4(p, &k, q, 36));
	cr_assert_eq(sim_send(ep, "10.0.0.2", 7, data, 1400), NS_OK);
	cr_assert_eq(next_out(0), 20 + 576);
	cr_assert(ipv4_parse(&ip, out, 596) && ip.more_fragments && !ip.dont_fragment);
	cr_assert_eq(next_out(0), 20 + 576);
	cr_assert_eq(next_out(0), 20 + 1408 - 1152);
	cr_assert_eq(endpoint_set_int(ep, SOCKOPT_PMTU_DISCOVER, NET_PMTUD_DO), NS_OK);
	cr_assert_eq(sim_send(ep, "10.0.0.2", 7, data, 1400), NS_ERR_MESSAGE_TOO_LONG);
}

Test(ip, errors_about_packets_we_did_not_send_change_nothing)
{
	uint8_t p[200], q[100], u[60];
	struct pk4 inner = { .proto = 17, .src = "10.0.0.1", .dst = "10.0.0.2" }, k = { .proto = 1 };
	struct icmp_hdr ic = { .type = 3, .code = 4, .rest = 600 };
	uint16_t sum;

	udp_bytes(u, 7, 8);		/* from port 5000, which nobody has */
	icmp_emit(&ic, q);
	build4(q + 8, &inner, u, 16);
	sum = (uint16_t)~cksum_add(0, q, 44);
	memcpy(q + 2, &sum, 2);
	in(0, p, build4(p, &k, q, 44));
	cr_assert_eq(s->pmtu.table.count, 0);
	cr_assert_eq(next_out(0), 0);
}

Test(ip, ipv6_echo_is_answered)
{
	uint8_t p[200], ic[100];
	size_t n = build6(p, "2001:db8::2", "2001:db8::1", 58, 64, ic,
			  icmp_bytes(ic, ICMPV6_ECHO_REQUEST, 0, 0x12340001, 40));

	sum6(p, n, 40);
	in(0, p, n);
	cr_assert_eq(next_out(0), n);
	cr_assert_eq(out[40], ICMPV6_ECHO_REPLY);
	cr_assert(memcmp(out + 44, p + 44, n - 44) == 0);
	sum6(p, n, 40);
	p[42] ^= 1;
	in(0, p, n);
	cr_assert_eq(s->stats.icmp.v6_invalid.value, 1);
}

Test(ip, ipv6_unknown_next_header_is_pointed_at)
{
	uint8_t p[200], b[16] = { 200, 0, 1, 4 };

	in(0, p, build6(p, "2001:db8::2", "2001:db8::1", IP_PROTO_DSTOPTS, 64, b, 16));
	cr_assert_gt(next_out(0), 0);
	cr_assert(out[40] == ICMPV6_PARAM_PROBLEM && out[41] == ICMPV6_PARAM_NEXT_HEADER);
	cr_assert_eq(be32_load(out + 44), 40, "the byte that named it, in the options header");
}

Test(ip, ipv6_unknown_options_do_what_their_high_bits_say)
{
	static const struct {
		uint8_t type;
		const char *dst;
		int reply;		/* 0 none, 1 parameter problem, 2 delivered: port unreachable */
	} cases[] = {
		{ 0x1f, "2001:db8::1", 2 }, { 0x5f, "2001:db8::1", 0 }, { 0x9f, "2001:db8::1", 1 },
		{ 0xdf, "2001:db8::1", 1 }, { 0xdf, "ff02::1", 0 }, { 0x9f, "ff02::1", 1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t p[200], b[100] = { 17, 0, cases[i].type, 4 };
		size_t n;

		udp_bytes(b + 8, 99, 4);
		n = build6(p, "2001:db8::2", cases[i].dst, IP_PROTO_HOPOPT, 64, b, 20);
		b[14] = 1;
		memcpy(p + 54, b + 14, 2);	/* a checksum of some kind: unknown ports need none right */
		in(0, p, n);
		n = next_out(0);
		if (cases[i].reply == 1) {
			cr_assert(n && out[40] == ICMPV6_PARAM_PROBLEM && out[41] == 2, "%zu", i);
			cr_assert_eq(be32_load(out + 44), 42);
		} else {
			cr_assert_eq(n, 0, "%zu", i);
		}
	}
}

Test(ip, ipv6_routing_header_with_segments_left_is_refused)
{
	uint8_t p[200], b[24] = { 59, 2, 0, 1 };

	in(0, p, build6(p, "2001:db8::2", "2001:db8::1", IP_PROTO_ROUTING, 64, b, 24));
	cr_assert_gt(next_out(0), 0);
	cr_assert(out[40] == ICMPV6_PARAM_PROBLEM && be32_load(out + 44) == 42);
}

Test(ip, ipv6_chains_of_headers_are_bounded)
{
	uint8_t p[400], b[200];

	for (int i = 0; i < 20; i++) {
		memset(b + i * 8, 0, 8);
		b[i * 8] = IP_PROTO_DSTOPTS;
		b[i * 8 + 2] = 1;
		b[i * 8 + 3] = 4;
	}
	in(0, p, build6(p, "2001:db8::2", "2001:db8::1", IP_PROTO_DSTOPTS, 64, b, 160));
	cr_assert_eq(s->stats.ip.malformed_packets_received.value, 1);
}

Test(ip, ipv6_forwarding_says_packet_too_big)
{
	uint8_t p[1600], u[1500];

	nic_set_forwarding(nics[0], NET_IPV6, true);
	cr_assert_gt(next_out(0), 0, "a router reports that it is in ff02::2");
	cr_assert_eq(out[40 + 8], ICMPV6_MLDV2_REPORT);
	in(0, p, build6(p, "2001:db8::2", "2001:db8:1::7", 17, 64, u, udp_bytes(u, 99, 1400)));
	cr_assert_eq(next_out(0), 1280);
	cr_assert(out[40] == ICMPV6_PACKET_TOO_BIG && be32_load(out + 44) == 1300);
	in(0, p, build6(p, "2001:db8::2", "2001:db8:1::7", 17, 64, u, udp_bytes(u, 99, 100)));
	cr_assert_eq(next_out(1), 148);
	cr_assert_eq(out[7], 63);
	in(0, p, build6(p, "2001:db8::2", "2001:db8:1::7", 17, 1, u, 108));
	cr_assert_gt(next_out(0), 0);
	cr_assert_eq(out[40], ICMPV6_TIME_EXCEEDED);
}

Test(ip, ipv6_fragment_of_odd_length_points_at_the_payload_length)
{
	uint8_t p[200], b[21] = { 17, 0, 0, 1, 0, 0, 0, 9 };

	in(0, p, build6(p, "2001:db8::2", "2001:db8::1", IP_PROTO_FRAGMENT, 64, b, 21));
	cr_assert_gt(next_out(0), 0);
	cr_assert(out[40] == ICMPV6_PARAM_PROBLEM && out[41] == 0 && be32_load(out + 44) == 4);
}

Test(ip, ipv6_atomic_fragments_are_whole_packets)
{
	uint8_t p[200], b[100] = { 58, 0, 0, 0, 0, 0, 0, 9 };
	size_t n;

	icmp_bytes(b + 8, ICMPV6_ECHO_REQUEST, 0, 1, 8);
	n = build6(p, "2001:db8::2", "2001:db8::1", IP_PROTO_FRAGMENT, 64, b, 24);
	sum6(p, n, 48);
	in(0, p, n);
	cr_assert_eq(next_out(0), 56);
	cr_assert_eq(out[40], ICMPV6_ECHO_REPLY);
}

Test(ip, addresses_that_never_come_over_a_wire_are_dropped)
{
	uint8_t p[200], u[100];
	size_t n = udp_bytes(u, 99, 10);

	in(0, p, build6(p, "::1", "2001:db8::1", 17, 64, u, n));
	in(0, p, build6(p, "ff02::5", "2001:db8::1", 17, 64, u, n));
	in(0, p, build6(p, "::ffff:1.2.3.4", "2001:db8::1", 17, 64, u, n));
	cr_assert_eq(next_out(0), 0);
	cr_assert_eq(s->stats.ip.invalid_source_addresses_received.value, 3);
}

Test(ip, loopback_addresses_answer_themselves)
{
	struct nic *lo;
	struct endpoint *a, *b;
	uint8_t buf[100];

	cr_assert_eq(nic_create(s, 9, "lo", loopback_new(&sim->clock), &lo), NS_OK);
	sim_addr(lo, "127.0.0.1/8");
	sim_addr(lo, "::1/128");
	a = sim_udp(h, "", 1);
	b = sim_udp(h, "127.0.0.5", 2);
	cr_assert_eq(sim_send(a, "127.0.0.5", 2, "x", 1), NS_OK);
	sim_settle(sim);
	cr_assert_eq(sim_recv(b, buf, 100, NULL, NULL), 1);
	b = sim_udp(h, "::1", 3);
	a = sim_udp(h, "::", 4);
	cr_assert_eq(sim_send(a, "::1", 3, "xy", 2), NS_OK);
	sim_settle(sim);
	cr_assert_eq(sim_recv(b, buf, 100, NULL, NULL), 2);
}
