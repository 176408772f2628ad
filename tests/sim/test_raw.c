/* Raw and packet endpoints between simulated hosts. */
#include <criterion/criterion.h>

#include "base/byteorder.h"
#include "base/cksum.h"
#include "header/eth.h"
#include "header/icmp.h"
#include "header/ipv6.h"
#include "header/udp.h"
#include "net.h"

static struct sim *sim;
static struct sim_segment *lan;
static struct sim_host *a, *b;
static uint8_t buf[70000];
static struct read_msg msg;

static void pair(void)
{
	sim = sim_new(3);
	lan = sim_segment(sim);
	a = sim_host(sim, "a");
	b = sim_host(sim, "b");
	sim_attach(a, lan, "10.0.0.1/24", NULL);
	sim_attach(b, lan, "10.0.0.2/24", NULL);
	sim_addr(a->ports[0]->nic, "2001:db8::1/64");
	sim_addr(b->ports[0]->nic, "2001:db8::2/64");
	sim_run(sim, 3 * NS_PER_SEC);
}

static void done(void)
{
	sim_free(sim);
}

TestSuite(raw, .init = pair, .fini = done);
TestSuite(packet, .init = pair, .fini = done);

static struct endpoint *raw(struct sim_host *h, enum net_index net, uint8_t proto)
{
	struct endpoint *ep;

	cr_assert_eq(endpoint_new_raw(h->stack, net, proto, &ep), NS_OK);
	return ep;
}

static struct endpoint *packet(struct sim_host *h, bool cooked, uint16_t proto)
{
	struct endpoint *ep;

	cr_assert_eq(endpoint_new_packet(h->stack, cooked, proto, &ep), NS_OK);
	return ep;
}

/* The next datagram to buf[], -1 if there is none. */
static ssize_t take(struct endpoint *ep)
{
	struct iovec iov = { buf, sizeof(buf) };

	msg = (struct read_msg){ .iov = &iov, .iovcnt = 1 };
	return endpoint_read(ep, &msg) ? -1 : (ssize_t)msg.n;
}

static size_t echo(uint8_t *p, uint8_t type, size_t n)
{
	struct icmp_hdr h = { .type = type, .rest = icmp_echo_rest(77, 1) };
	uint16_t sum;

	icmp_emit(&h, p);
	memset(p + 8, 0x42, n);
	sum = (uint16_t)~cksum_add(0, p, 8 + n);
	memcpy(p + 2, &sum, 2);
	return 8 + n;
}

static enum ns_err put(struct endpoint *ep, const struct packet_addr *to, const void *p, size_t n)
{
	struct iovec iov = { (void *)p, n };
	struct write_opts o = { .link = to };
	size_t done_n;

	return endpoint_write(ep, &iov, 1, &o, &done_n);
}

Test(raw, ping_over_ipv4_reads_the_reply_with_its_header)
{
	struct endpoint *ep = raw(a, NET_IPV4, IP_PROTO_ICMP);
	uint8_t p[64];
	size_t n = echo(p, ICMPV4_ECHO, 32);

	cr_assert_eq(sim_send(ep, "10.0.0.2", 0, p, n), NS_OK);
	sim_settle(sim);
	cr_assert_eq(endpoint_readiness(ep, WAIT_IN), WAIT_IN);
	cr_assert_eq(take(ep), (ssize_t)(20 + n));
	cr_assert_eq(buf[0], 0x45);
	cr_assert_eq(be16_load(buf + 2), 20 + n, "length in network order, header included");
	cr_assert_eq(buf[20], ICMPV4_ECHO_REPLY);
	cr_assert(memcmp(buf + 28, p + 8, 32) == 0);
	cr_assert_eq(msg.from.port, 0);
	cr_assert_eq(msg.from.addr.b[3], 2);
	cr_assert_eq(take(ep), -1);
	cr_assert_eq(a->stack->stats.raw.packets_sent.value, 1);
	cr_assert_eq(a->stack->stats.raw.packets_received.value, 1);
}

Test(raw, request_is_answered_and_copied)
{
	struct endpoint *ea = raw(a, NET_IPV4, IP_PROTO_ICMP), *eb = raw(b, NET_IPV4, IP_PROTO_ICMP);
	struct endpoint *eb2 = raw(b, NET_IPV4, IP_PROTO_ICMP);
	uint8_t p[2000];
	size_t n = echo(p, ICMPV4_ECHO, 1900);

	cr_assert_eq(sim_send(ea, "10.0.0.2", 0, p, n), NS_OK);
	sim_settle(sim);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(take(i ? eb : eb2), (ssize_t)(20 + n), "whole, though it came in fragments");
		cr_assert_eq(buf[20], ICMPV4_ECHO, "as it came: the reply is another packet");
	}
	cr_assert_eq(take(ea), (ssize_t)(20 + n));
}

Test(raw, ipv6_has_no_header_and_a_checksum_of_ours)
{
	struct endpoint *ep = raw(a, NET_IPV6, IP_PROTO_ICMPV6);
	uint8_t p[64];
	size_t n = echo(p, ICMPV6_ECHO_REQUEST, 16);
	int64_t v;

	cr_assert_eq(endpoint_get_int(ep, SOCKOPT_IPV6_CHECKSUM, &v), NS_OK);
	cr_assert_eq(v, 2);
	cr_assert_eq(endpoint_set_int(ep, SOCKOPT_IPV6_CHECKSUM, -1), NS_ERR_INVALID_OPTION_VALUE);
	sim_run(sim, NS_PER_SEC);
	while (take(ep) >= 0)
		;
	cr_assert_eq(sim_send(ep, "2001:db8::2", 0, p, n), NS_OK);
	sim_settle(sim);
	do
		cr_assert_gt(take(ep), 0);
	while (buf[0] != ICMPV6_ECHO_REPLY);	/* neighbour advertisements are ICMPv6 as well */
	cr_assert_eq(msg.n, n);
	cr_assert(memcmp(buf + 8, p + 8, 16) == 0);
}

Test(raw, icmp_filter_keeps_types_out)
{
	struct endpoint *ep = raw(a, NET_IPV4, IP_PROTO_ICMP), *udp = raw(a, NET_IPV4, IP_PROTO_UDP);
	struct sockopt_icmp_filter f = { .blocked = { 1u << ICMPV4_ECHO_REPLY } }, got;
	size_t len = sizeof(got), n;
	uint8_t p[64];

	cr_assert_eq(endpoint_set_option(ep, SOCKOPT_ICMP_FILTER, &f, sizeof(f)), NS_OK);
	cr_assert_eq(endpoint_get_option(ep, SOCKOPT_ICMP_FILTER, &got, &len), NS_OK);
	cr_assert(len == sizeof(f) && memcmp(&f, &got, len) == 0);
	cr_assert_eq(endpoint_set_option(udp, SOCKOPT_ICMP_FILTER, &f, sizeof(f)), NS_ERR_NOT_SUPPORTED);
	cr_assert_eq(endpoint_set_option(ep, SOCKOPT_ICMP_FILTER, &f, 4), NS_ERR_INVALID_OPTION_VALUE);
	n = echo(p, ICMPV4_ECHO, 8);
	sim_send(ep, "10.0.0.2", 0, p, n);
	sim_settle(sim);
	cr_assert_eq(take(ep), -1);
	cr_assert_eq(a->stack->stats.raw.filtered.value, 1);
	f.blocked[0] = ~f.blocked[0];
	endpoint_set_option(ep, SOCKOPT_ICMP_FILTER, &f, sizeof(f));
	sim_send(ep, "10.0.0.2", 0, p, n);
	sim_settle(sim);
	cr_assert_eq(take(ep), 20 + 16);
}

Test(raw, included_header_is_completed_and_sent_as_it_is)
{
	struct endpoint *ea = raw(a, NET_IPV4, IP_PROTO_RAW), *eb = raw(b, NET_IPV4, 253);
	struct ipv4_hdr h = { .hdr_len = 20, .ttl = 9, .tos = 0x28, .proto = 253, .id = 0x1234,
			      .src = sim_parse("10.0.0.77"), .dst = sim_parse("10.0.0.2") };
	uint8_t p[40] = { 0 };
	int64_t v;

	cr_assert_eq(endpoint_get_int(ea, SOCKOPT_HDR_INCLUDED, &v), NS_OK);
	cr_assert_eq(v, 1);
	ipv4_emit(&h, p);
	p[10] = 0xde;			/* the checksum is ours to compute, and the length */
	cr_assert_eq(sim_send(ea, "10.0.0.2", 0, p, sizeof(p)), NS_OK);
	sim_settle(sim);
	cr_assert_eq(take(eb), 40);
	cr_assert_eq(buf[8], 9);
	cr_assert_eq(buf[1], 0x28);
	cr_assert_eq(be16_load(buf + 4), 0x1234);
	cr_assert_eq(be16_load(buf + 2), 40);
	cr_assert_eq(msg.from.addr.b[3], 77, "whoever it says it is from");
	memset(p + 12, 0, 4);
	memset(p + 4, 0, 2);
	sim_send(ea, "10.0.0.2", 0, p, sizeof(p));
	sim_settle(sim);
	cr_assert_eq(take(eb), 40);
	cr_assert_eq(msg.from.addr.b[3], 1, "an empty source is filled in");
	cr_assert_eq(take(ea), -1, "nothing is received");
	p[0] = 0x44;
	cr_assert_eq(sim_send(ea, "10.0.0.2", 0, p, sizeof(p)), NS_ERR_INVALID_OPTION_VALUE);
	p[0] = 0x4f;
	cr_assert_eq(sim_send(ea, "10.0.0.2", 0, p, sizeof(p)), NS_ERR_INVALID_OPTION_VALUE);
	cr_assert_eq(sim_send(ea, "10.0.0.2", 0, p, 10), NS_ERR_INVALID_OPTION_VALUE);
	cr_assert_eq(sim_send(ea, "10.0.0.2", 0, buf, 1600), NS_ERR_MESSAGE_TOO_LONG);
}

Test(raw, ipv6_header_may_be_included_too)
{
	struct endpoint *ea = raw(a, NET_IPV6, IP_PROTO_RAW), *eb = raw(b, NET_IPV6, 253);
	struct ipv6_hdr h = { .next = 253, .hop_limit = 3, .payload_len = 8,
			      .src = sim_parse("2001:db8::77"), .dst = sim_parse("2001:db8::2") };
	uint8_t p[48] = { [40] = 1, 2, 3, 4, 5, 6, 7, 8 };

	ipv6_emit(&h, p);
	cr_assert_eq(sim_send(ea, "2001:db8::2", 0, p, sizeof(p)), NS_OK);
	sim_settle(sim);
	cr_assert_eq(take(eb), 8);
	cr_assert_eq(msg.ttl, 3);
	cr_assert(memcmp(buf, p + 40, 8) == 0);
	cr_assert_eq(msg.from.addr.b[15], 0x77);
	cr_assert_eq(sim_send(ea, "2001:db8::2", 0, p, 39), NS_ERR_INVALID_OPTION_VALUE);
}

Test(raw, checksum_offset_of_ipv6_computes_and_checks)
{
	struct endpoint *ea = raw(a, NET_IPV6, 253), *eb = raw(b, NET_IPV6, 253);
	uint8_t p[10] = { 1, 2, 3, 4, 0, 0, 7, 8, 9, 10 };

	cr_assert_eq(endpoint_set_int(eb, SOCKOPT_IPV6_CHECKSUM, 4), NS_OK);
	cr_assert_eq(endpoint_set_int(ea, SOCKOPT_IPV6_CHECKSUM, 3), NS_ERR_INVALID_OPTION_VALUE);
	sim_send(ea, "2001:db8::2", 0, p, sizeof(p));
	sim_settle(sim);
	cr_assert_eq(take(eb), -1, "without a checksum");
	cr_assert_eq(b->stack->stats.raw.checksum_errors.value, 1);
	cr_assert_eq(endpoint_set_int(ea, SOCKOPT_IPV6_CHECKSUM, 4), NS_OK);
	sim_send(ea, "2001:db8::2", 0, p, sizeof(p));
	sim_settle(sim);
	cr_assert_eq(take(eb), 10);
	cr_assert(be16_load(buf + 4) != 0);
	cr_assert_eq(sim_send(ea, "2001:db8::2", 0, p, 5), NS_ERR_INVALID_OPTION_VALUE);
}

Test(raw, bind_and_connect_choose_what_is_received)
{
	struct endpoint *ea = raw(a, NET_IPV4, 253), *eb = raw(b, NET_IPV4, 253);
	struct full_addr to = { .addr = sim_parse("10.0.0.2") }, other = { .addr = sim_parse("10.0.0.9") };
	struct full_addr local = { .addr = sim_parse("10.0.0.3") }, got;

	sim_addr(b->ports[0]->nic, "10.0.0.3/24");
	cr_assert_eq(endpoint_bind(eb, &other), NS_ERR_BAD_LOCAL_ADDRESS);
	cr_assert_eq(endpoint_bind(eb, &local), NS_OK);
	cr_assert_eq(endpoint_local_addr(eb, &got), NS_OK);
	cr_assert_eq(got.port, 253, "the protocol, as in Linux");
	sim_send(ea, "10.0.0.2", 0, "x", 1);
	sim_send(ea, "10.0.0.3", 0, "yy", 2);
	sim_settle(sim);
	cr_assert_eq(take(eb), 22);
	cr_assert_eq(take(eb), -1);
	cr_assert_eq(endpoint_bind(eb, &to), NS_OK, "bound again");
	cr_assert_eq(endpoint_connect(eb, &other), NS_OK);
	sim_send(ea, "10.0.0.2", 0, "x", 1);
	sim_settle(sim);
	cr_assert_eq(take(eb), -1, "connected elsewhere");
	cr_assert_eq(endpoint_disconnect(eb), NS_OK);
	sim_send(ea, "10.0.0.2", 0, "x", 1);
	sim_settle(sim);
	cr_assert_eq(take(eb), 21);
	cr_assert_eq(endpoint_connect(ea, &to), NS_OK);
	cr_assert_eq(sim_send(ea, NULL, 0, "zzz", 3), NS_OK);
	sim_settle(sim);
	cr_assert_eq(take(eb), 23);
}

Test(raw, unknown_protocol_is_refused_unless_a_raw_endpoint_has_it)
{
	struct endpoint *ea = raw(a, NET_IPV4, 253), *eb, *icmp = raw(a, NET_IPV4, IP_PROTO_ICMP);
	struct full_addr to = { .addr = sim_parse("10.0.0.2") };
	int64_t err;

	cr_assert_eq(endpoint_connect(ea, &to), NS_OK);
	sim_send(ea, NULL, 0, "x", 1);
	sim_settle(sim);
	cr_assert_eq(take(icmp), 20 + 8 + 21, "protocol unreachable");
	cr_assert_eq(endpoint_get_int(ea, SOCKOPT_ERROR, &err), NS_OK);
	cr_assert_eq(err, NS_ERR_PROTOCOL_UNREACHABLE);
	eb = raw(b, NET_IPV4, 253);
	sim_send(ea, NULL, 0, "x", 1);
	sim_settle(sim);
	cr_assert_eq(take(icmp), -1);
	cr_assert_eq(take(eb), 21);
	endpoint_close(eb);
	sim_send(ea, NULL, 0, "x", 1);
	sim_settle(sim);
	cr_assert_eq(take(icmp), 20 + 8 + 21);
}

Test(raw, queue_is_bounded)
{
	struct endpoint *ea = raw(a, NET_IPV4, 253), *eb = raw(b, NET_IPV4, 253);
	int got = 0;

	cr_assert_eq(endpoint_set_int(eb, SOCKOPT_RECEIVE_BUFFER_SIZE, 4096), NS_OK);
	for (int i = 0; i < 60; i++)
		sim_send(ea, "10.0.0.2", 0, "x", 1);
	sim_settle(sim);
	while (take(eb) >= 0)
		got++;
	cr_assert(got > 0 && got < 20, "%d", got);
	cr_assert_eq(b->stack->stats.raw.receive_buffer_errors.value, 60u - (unsigned)got);
}

Test(raw, family_that_is_not_there)
{
	struct endpoint *ep;

	cr_assert_eq(endpoint_new_raw(a->stack, NET_ARP, 1, &ep), NS_ERR_UNKNOWN_PROTOCOL);
}

Test(packet, raw_sees_both_directions_with_headers)
{
	struct endpoint *ep = packet(a, false, PACKET_PROTO_ALL), *ping = raw(a, NET_IPV4, IP_PROTO_ICMP);
	uint8_t p[64];
	size_t n = echo(p, ICMPV4_ECHO, 8);

	sim_send(ping, "10.0.0.2", 0, p, n);
	sim_settle(sim);
	cr_assert_eq(take(ep), 14 + 28);
	cr_assert_eq(be16_load(buf + 12), ETH_TYPE_ARP);
	cr_assert_eq(msg.link.type, PKT_OUTGOING);
	cr_assert(buf[0] == 0xff && memcmp(buf + 6, a->ports[0]->mac.b, 6) == 0);
	cr_assert_eq(take(ep), 14 + 28);
	cr_assert_eq(msg.link.type, PKT_HOST);
	cr_assert(link_addr_equal(&msg.link.addr, &b->ports[0]->mac));
	cr_assert_eq(take(ep), 14 + 20 + 16);
	cr_assert_eq(msg.link.type, PKT_OUTGOING);
	cr_assert(memcmp(buf, b->ports[0]->mac.b, 6) == 0);
	cr_assert_eq(be16_load(buf + 12), ETH_TYPE_IPV4);
	cr_assert_eq(take(ep), 14 + 20 + 16);
	cr_assert_eq(buf[14 + 20], ICMPV4_ECHO_REPLY);
	cr_assert_eq(msg.link.nic, 1);
	cr_assert_eq(msg.link.proto, ETH_TYPE_IPV4);
	cr_assert_eq(msg.link.hatype, HATYPE_ETHER);
	cr_assert_eq(take(ep), -1);
}

Test(packet, cooked_and_by_type_and_incoming_only)
{
	struct endpoint *ep = packet(b, true, ETH_TYPE_IPV4), *in = packet(b, true, PACKET_PROTO_ALL);
	struct endpoint *ping = raw(a, NET_IPV4, IP_PROTO_ICMP);
	struct sockopt_packet_stats st;
	size_t len = sizeof(st), n;
	uint8_t p[64];

	n = echo(p, ICMPV4_ECHO, 8);
	cr_assert_eq(endpoint_set_int(in, SOCKOPT_IGNORE_OUTGOING, 1), NS_OK);
	sim_send(ping, "10.0.0.2", 0, p, n);
	sim_settle(sim);
	cr_assert_eq(take(ep), 36);
	cr_assert_eq(buf[0], 0x45);
	cr_assert_eq(msg.link.type, PKT_HOST);
	cr_assert_eq(take(ep), 36);
	cr_assert_eq(msg.link.type, PKT_OUTGOING);
	cr_assert_eq(take(ep), -1, "no ARP");
	cr_assert_eq(take(in), 28);
	cr_assert_eq(msg.link.type, PKT_BROADCAST);
	cr_assert_eq(take(in), 36);
	cr_assert_eq(take(in), -1);
	cr_assert_eq(endpoint_get_option(in, SOCKOPT_PACKET_STATISTICS, &st, &len), NS_OK);
	cr_assert(st.packets == 2 && st.drops == 0);
	endpoint_get_option(in, SOCKOPT_PACKET_STATISTICS, &st, &len);
	cr_assert_eq(st.packets, 0, "cleared when read");
}

Test(packet, raw_frame_goes_out_as_written)
{
	struct endpoint *ea = packet(a, false, PACKET_PROTO_NONE), *eb = packet(b, false, 0x88b5);
	struct packet_addr to = { .nic = 1 };
	uint8_t f[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 9, 9, 9, 9, 9, 0x88, 0xb5, 'h', 'i' };

	cr_assert_eq(put(ea, NULL, f, sizeof(f)), NS_ERR_UNKNOWN_DEVICE);
	cr_assert_eq(put(ea, &to, f, 13), NS_ERR_INVALID_OPTION_VALUE);
	cr_assert_eq(put(ea, &to, buf, 1515), NS_ERR_MESSAGE_TOO_LONG);
	cr_assert_eq(put(ea, &to, f, sizeof(f)), NS_OK);
	sim_settle(sim);
	cr_assert_eq(take(eb), 60);
	cr_assert(memcmp(buf, f, 60) == 0);
	cr_assert_eq(msg.link.addr.b[1], 9, "the sender it claims to be");
	cr_assert_eq(msg.link.type, PKT_BROADCAST);
	cr_assert_eq(msg.from.port, 0x88b5);
	to.nic = 7;
	cr_assert_eq(put(ea, &to, f, sizeof(f)), NS_ERR_UNKNOWN_DEVICE);
}

Test(packet, cooked_frame_gets_a_header)
{
	struct endpoint *ea = packet(a, true, 0x88b5), *eb = packet(b, false, 0x88b5);
	struct endpoint *other = packet(a, true, 0x88b5);
	struct full_addr nic1 = { .nic = 1 }, bad = { .nic = 9 }, got;
	struct packet_addr to = { .proto = 0x88b5, .addr = b->ports[0]->mac };

	cr_assert_eq(endpoint_bind(ea, &bad), NS_ERR_UNKNOWN_DEVICE);
	cr_assert_eq(endpoint_bind(ea, &nic1), NS_OK);
	cr_assert_eq(endpoint_local_addr(ea, &got), NS_OK);
	cr_assert(got.nic == 1 && got.port == 0x88b5);
	cr_assert_eq(put(ea, NULL, "hi", 2), NS_ERR_INVALID_OPTION_VALUE, "to whom?");
	cr_assert_eq(put(ea, &to, "hi", 2), NS_OK);
	sim_settle(sim);
	cr_assert_eq(take(eb), 16);
	cr_assert(memcmp(buf, b->ports[0]->mac.b, 6) == 0);
	cr_assert(memcmp(buf + 6, a->ports[0]->mac.b, 6) == 0);
	cr_assert(memcmp(buf + 14, "hi", 2) == 0);
	cr_assert_eq(take(ea), -1, "its own it does not see");
	cr_assert_eq(take(other), 2, "others do");
	cr_assert_eq(msg.link.type, PKT_OUTGOING);
}

Test(packet, frames_for_others_only_when_listening)
{
	struct endpoint *ea = packet(a, false, PACKET_PROTO_NONE), *eb = packet(b, true, 0x88b5);
	struct packet_addr to = { .nic = 1 };
	uint8_t f[20] = { 2, 7, 7, 7, 7, 7, 2, 0, 0, 0, 0, 1, 0x88, 0xb5 };

	put(ea, &to, f, sizeof(f));
	sim_settle(sim);
	cr_assert_eq(take(eb), -1);
	cr_assert_eq(endpoint_set_int(eb, SOCKOPT_LISTEN_PROMISCUOUS, 1), NS_OK);
	cr_assert_eq(endpoint_set_int(eb, SOCKOPT_LISTEN_PROMISCUOUS, 5), NS_ERR_UNKNOWN_DEVICE);
	put(ea, &to, f, sizeof(f));
	sim_settle(sim);
	cr_assert_eq(take(eb), 6);
	cr_assert_eq(msg.link.type, PKT_OTHER_HOST);
	cr_assert_eq(endpoint_set_int(eb, SOCKOPT_UNLISTEN_PROMISCUOUS, 1), NS_OK);
	cr_assert_eq(endpoint_set_int(eb, SOCKOPT_UNLISTEN_PROMISCUOUS, 1), NS_ERR_BAD_LOCAL_ADDRESS);
	put(ea, &to, f, sizeof(f));
	sim_settle(sim);
	cr_assert_eq(take(eb), -1);
}

Test(packet, loopback_is_seen_once_with_an_empty_header)
{
	struct link *lo = loopback_new(&sim->clock);
	struct endpoint *ep, *send, *udp;
	struct packet_addr to = { .nic = 9 };
	struct nic *nic;
	uint8_t f[14 + 28] = { [12] = 0x08 };
	struct ipv4_hdr h = { .hdr_len = 20, .ttl = 1, .proto = 253, .total_len = 28,
			      .src = sim_parse("127.0.0.1"), .dst = sim_parse("127.0.0.1") };

	cr_assert_eq(nic_create(a->stack, 9, "lo", lo, &nic), NS_OK);
	sim_addr(nic, "127.0.0.1/8");
	ep = packet(a, false, PACKET_PROTO_ALL);
	udp = sim_udp(a, "127.0.0.1", 5);
	sim_send(udp, "127.0.0.1", 5, "x", 1);
	sim_settle(sim);
	cr_assert_eq(take(ep), 14 + 29);
	cr_assert_eq(be16_load(buf + 12), ETH_TYPE_IPV4);
	cr_assert_eq(msg.link.hatype, HATYPE_LOOPBACK);
	cr_assert(buf[0] == 0 && buf[6] == 0);
	cr_assert_eq(take(ep), -1);
	/* And a frame written there comes in. */
	send = packet(a, false, PACKET_PROTO_NONE);
	udp = raw(a, NET_IPV4, 253);
	ipv4_emit(&h, f + 14);
	cr_assert_eq(put(send, &to, f, sizeof(f)), NS_OK);
	sim_settle(sim);
	cr_assert_eq(take(udp), 28);
}

Test(packet, link_without_headers)
{
	struct channel_config cc = { .depth = 10, .mtu = 1500 };
	struct packet_addr to = { .nic = 9 };
	struct link *wire = channel_new(&cc);
	struct endpoint *ep, *cooked;
	struct ipv4_hdr h = { .hdr_len = 20, .ttl = 1, .proto = 253, .total_len = 20,
			      .src = sim_parse("10.9.0.1"), .dst = sim_parse("10.9.0.2") };
	uint8_t p[20];
	struct pkt *sent;

	cr_assert_eq(nic_create(a->stack, 9, "tun", wire, NULL), NS_OK);
	sim_settle(sim);
	while ((sent = channel_read(wire)))
		pkt_free(sent);
	ep = packet(a, false, PACKET_PROTO_ALL);
	cooked = packet(a, true, ETH_TYPE_IPV4);
	ipv4_emit(&h, p);
	cr_assert_eq(put(ep, &to, p, 0), NS_ERR_INVALID_OPTION_VALUE);
	cr_assert_eq(put(ep, &to, p, 20), NS_OK);
	sent = channel_read(wire);
	cr_assert(sent && sent->len == 20 && sent->net_proto == ETH_TYPE_IPV4);
	channel_inject(wire, sent);
	cr_assert_eq(take(ep), 20);
	cr_assert(memcmp(buf, p, 20) == 0);
	cr_assert_eq(msg.link.hatype, HATYPE_NONE);
	cr_assert_eq(take(cooked), 20);
	cr_assert_eq(msg.link.type, PKT_OUTGOING);
	cr_assert_eq(take(cooked), 20);
	cr_assert_eq(put(cooked, &to, p, 1501), NS_ERR_MESSAGE_TOO_LONG);
	cr_assert_eq(nic_remove(a->stack, 9), NS_OK);
	cr_assert_eq(put(ep, &to, p, 20), NS_ERR_UNKNOWN_DEVICE);
}

Test(packet, multicast_that_loops_back_is_seen_once)
{
	struct sockopt_membership m = { .nic = 1, .group = sim_parse("239.0.0.1") };
	struct endpoint *ep = packet(a, true, ETH_TYPE_IPV4), *udp = sim_udp(a, "", 5);

	endpoint_set_option(udp, SOCKOPT_ADD_MEMBERSHIP, &m, sizeof(m));
	sim_run(sim, 5 * NS_PER_SEC);
	while (take(ep) >= 0)
		;
	cr_assert_eq(sim_send(udp, "239.0.0.1", 5, "x", 1), NS_OK);
	sim_settle(sim);
	cr_assert_eq(sim_recv(udp, buf, 9, NULL, NULL), 1);
	cr_assert_eq(take(ep), 29);
	cr_assert_eq(msg.link.type, PKT_OUTGOING);
	cr_assert_eq(take(ep), -1);
}

Test(packet, queue_is_bounded_and_drops_are_told)
{
	struct endpoint *ep = packet(b, true, ETH_TYPE_IPV4), *ua = sim_udp(a, "", 1);
	struct sockopt_packet_stats st;
	size_t len = sizeof(st);
	unsigned got = 0;

	cr_assert_eq(endpoint_set_int(ep, SOCKOPT_RECEIVE_BUFFER_SIZE, 4096), NS_OK);
	sim_udp(b, "", 2);
	for (int i = 0; i < 50; i++)
		sim_send(ua, "10.0.0.2", 2, "x", 1);
	sim_settle(sim);
	while (take(ep) >= 0)
		got++;
	endpoint_get_option(ep, SOCKOPT_PACKET_STATISTICS, &st, &len);
	cr_assert_eq(st.packets, 50);
	cr_assert(got > 0 && st.drops == 50 - got, "%u read, %u dropped", got, st.drops);
}
