/* ICMP timestamps, and the IPv4 options that are written on the way. */
#include <criterion/criterion.h>

#include "base/byteorder.h"
#include "base/cksum.h"
#include "header/icmp.h"
#include "net.h"
#include "transport/raw.h"

static struct sim *sim;
static struct stack *s;
static struct link *wire[2];
static struct nic *nics[2];
static uint8_t in_buf[200], out[2000];

static void setup(void)
{
	struct channel_config cc = { .depth = 100, .mtu = 1500 };
	struct sim_host *h;

	sim = sim_new(4);
	h = sim_host(sim, "h");
	s = h->stack;
	for (uint32_t i = 0; i < 2; i++) {
		wire[i] = channel_new(&cc);
		cr_assert_eq(nic_create(s, i + 1, NULL, wire[i], &nics[i]), NS_OK);
		sim_addr(nics[i], i ? "10.0.1.1/24" : "10.0.0.1/24");
		nic_set_forwarding(nics[i], NET_IPV4, true);
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

TestSuite(icmp, .init = setup, .fini = teardown);

/* An ICMP message of @n bytes from 10.0.0.2 to @dst, with options. */
static void in(const char *dst, const uint8_t *opts, size_t nopts, uint8_t *msg, size_t n)
{
	struct ipv4_hdr ip = {
		.hdr_len = (uint8_t)(20 + nopts), .ttl = 64, .proto = IP_PROTO_ICMP,
		.total_len = (uint16_t)(20 + nopts + n), .src = addr_v4(10, 0, 0, 2),
		.dst = sim_parse(dst),
	};
	uint16_t sum;

	msg[2] = msg[3] = 0;
	sum = (uint16_t)~cksum_add(0, msg, n);
	memcpy(msg + 2, &sum, 2);
	if (nopts)
		memcpy(in_buf + 20, opts, nopts);
	ipv4_emit(&ip, in_buf);
	memcpy(in_buf + ip.hdr_len, msg, n);
	channel_inject(wire[0], pkt_from_bytes(sim->pool, in_buf, ip.total_len));
	sim_settle(sim);
}

static size_t next_out(int w)
{
	struct pkt *p = channel_read(wire[w]);
	size_t n = p ? p->len : 0;

	if (p)
		pkt_copy_out(p, 0, out, n);
	pkt_free(p);
	if (n)
		cr_assert(ipv4_cksum_ok(out, (out[0] & 0xfu) * 4));
	return n;
}

static uint32_t midnight_ms(void)
{
	return (uint32_t)(sim->clock.wall_ns / NS_PER_MS % 86400000);
}

Test(icmp, timestamp_is_answered)
{
	uint8_t msg[24] = { ICMPV4_TIMESTAMP, [4] = 0x12, 0x34, 0, 7, 0, 0, 0x30, 0x39 };

	in("10.0.0.1", NULL, 0, msg, 20);
	cr_assert_eq(next_out(0), 40);
	cr_assert_eq(out[20], ICMPV4_TIMESTAMP_REPLY);
	cr_assert_eq(cksum_add(0, out + 20, 20), 0xffff);
	cr_assert_eq(be32_load(out + 24), 0x12340007, "identifier and sequence number");
	cr_assert_eq(be32_load(out + 28), 12345, "their time");
	cr_assert_eq(be32_load(out + 32), midnight_ms());
	cr_assert_eq(be32_load(out + 36), midnight_ms());
	cr_assert_eq(s->stats.icmp.v4_received.timestamp.value, 1);
	cr_assert_eq(s->stats.icmp.v4_sent.timestamp_reply.value, 1);
}

Test(icmp, timestamp_cut_short_or_to_all_or_too_often)
{
	uint8_t msg[24] = { ICMPV4_TIMESTAMP };
	unsigned answers = 0;

	in("10.0.0.1", NULL, 0, msg, 19);
	cr_assert_eq(s->stats.icmp.v4_invalid.value, 1);
	in("10.0.0.255", NULL, 0, msg, 20);
	cr_assert_eq(next_out(0), 0);
	for (int i = 0; i < 80; i++) {
		in("10.0.0.1", NULL, 0, msg, 20);
		answers += next_out(0) != 0;
	}
	cr_assert(answers >= 40 && answers <= 50, "%u", answers);
	cr_assert_eq(s->stats.icmp.v4_rate_limited.value, 80 - answers);
}

Test(icmp, echo_records_its_route)
{
	static const uint8_t rr[12] = { IPV4_OPT_RR, 11, 4 };
	uint8_t msg[16] = { ICMPV4_ECHO };

	in("10.0.0.1", rr, 12, msg, 16);
	cr_assert_eq(next_out(0), 20 + 12 + 16);
	cr_assert_eq(out[0], 0x48);
	/* Where the request ended, and where the reply set out (RFC 1122, 3.2.1.8 (e), which Linux keeps for both). */
	cr_assert(memcmp(out + 20, (uint8_t[]){ IPV4_OPT_RR, 11, 12, 10, 0, 0, 1, 10, 0, 0, 1, 0 }, 12) == 0);
	cr_assert_eq(out[32], ICMPV4_ECHO_REPLY);
	cr_assert_eq(cksum_add(0, out + 32, 16), 0xffff);
}

Test(icmp, full_route_is_left_alone_and_a_bad_one_refused)
{
	uint8_t rr[8] = { IPV4_OPT_RR, 7, 8, 1, 2, 3, 4 }, msg[16] = { ICMPV4_ECHO };

	in("10.0.0.1", rr, 8, msg, 16);
	cr_assert_eq(next_out(0), 20 + 8 + 16);
	cr_assert(memcmp(out + 20, rr, 8) == 0);
	rr[2] = 3;
	in("10.0.0.1", rr, 8, msg, 16);
	cr_assert_gt(next_out(0), 0);
	cr_assert_eq(out[20], ICMPV4_PARAM_PROBLEM);
	cr_assert_eq(out[24], 22, "points at the pointer");
	rr[2] = 5;			/* room for three octets */
	in("10.0.0.1", rr, 8, msg, 16);
	cr_assert_gt(next_out(0), 0);
	cr_assert_eq(out[20], ICMPV4_PARAM_PROBLEM);
	cr_assert_eq(s->stats.ip.malformed_packets_received.value, 2);
}

Test(icmp, timestamp_option_in_its_three_kinds)
{
	uint8_t ts[12] = { IPV4_OPT_TS, 12, 5, 0 }, msg[16] = { ICMPV4_ECHO };

	in("10.0.0.1", ts, 12, msg, 16);
	cr_assert_gt(next_out(0), 0);
	cr_assert_eq(out[22], 13);
	cr_assert_eq(be32_load(out + 24), midnight_ms());
	cr_assert_eq(be32_load(out + 28), midnight_ms());
	ts[3] = 1;
	in("10.0.0.1", ts, 12, msg, 16);
	cr_assert_gt(next_out(0), 0);
	cr_assert_eq(out[22], 13);
	cr_assert_eq(be32_load(out + 24), 0x0a000001);
	cr_assert_eq(be32_load(out + 28), midnight_ms());
	ts[3] = 3;
	ts[4] = 10, ts[7] = 99;		/* somebody else */
	in("10.0.0.1", ts, 12, msg, 16);
	cr_assert_gt(next_out(0), 0);
	cr_assert_eq(out[22], 5);
	ts[7] = 1;
	in("10.0.0.1", ts, 12, msg, 16);
	cr_assert_gt(next_out(0), 0);
	cr_assert_eq(out[22], 13);
	cr_assert_eq(be32_load(out + 28), midnight_ms());
}

Test(icmp, timestamp_option_counts_whom_it_has_no_room_for)
{
	uint8_t ts[8] = { IPV4_OPT_TS, 8, 9, 0x30 }, msg[16] = { ICMPV4_ECHO };

	in("10.0.0.1", ts, 8, msg, 16);
	cr_assert_gt(next_out(0), 0);
	cr_assert_eq(out[23], 0x40);
	ts[3] = 0xf0;
	in("10.0.0.1", ts, 8, msg, 16);
	cr_assert_gt(next_out(0), 0);
	cr_assert_eq(out[20], ICMPV4_PARAM_PROBLEM);
	ts[3] = 0x02;			/* no such kind */
	in("10.0.0.1", ts, 8, msg, 16);
	cr_assert_gt(next_out(0), 0);
	cr_assert_eq(out[20], ICMPV4_PARAM_PROBLEM);
	cr_assert_eq(out[24], 23);
}

/* What is told of what came to all is an address of the NIC's. */
Test(icmp, arrival_is_recorded_before_the_datagram_is_passed_on)
{
	static const uint8_t rr[12] = { IPV4_OPT_RR, 11, 4 };
	uint8_t msg[16] = { ICMPV4_ECHO_REPLY };
	struct endpoint *raw;
	uint8_t got[100];
	struct iovec iov = { got, sizeof(got) };
	struct read_msg m = { .iov = &iov, .iovcnt = 1 };

	cr_assert_eq(endpoint_new_raw(s, NET_IPV4, IP_PROTO_ICMP, &raw), NS_OK);
	for (int i = 0; i < 2; i++) {
		in(i ? "10.0.0.255" : "10.0.0.1", rr, 12, msg, 16);
		cr_assert_eq(endpoint_read(raw, &m), NS_OK);
		cr_assert_eq(m.nip_opts, 12);
		cr_assert(memcmp(m.ip_opts, (uint8_t[]){ IPV4_OPT_RR, 11, 8, 10, 0, 0, 1, 0, 0, 0, 0, 0 }, 12) == 0);
		cr_assert(memcmp(got + 20, m.ip_opts, 12) == 0);
		cr_assert(ipv4_cksum_ok(got, 32));
	}
	endpoint_close(raw);
}

Test(icmp, router_writes_the_address_it_sends_from)
{
	static const uint8_t rr[12] = { IPV4_OPT_RR, 11, 4 };
	uint8_t msg[16] = { ICMPV4_ECHO };

	in("10.0.1.9", rr, 12, msg, 16);
	cr_assert_eq(next_out(1), 48);
	cr_assert_eq(out[22], 8);
	cr_assert_eq(be32_load(out + 23), 0x0a000101);
	cr_assert_eq(out[8], 63);
}
