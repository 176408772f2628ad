/* UDP between simulated hosts: both families, fragments, losses, ICMP errors, multicast. */
#include <criterion/criterion.h>

#include "net.h"

static struct sim *sim;
static struct sim_segment *lan;
static struct sim_host *a, *b;
static char buf[70000];

static void pair(void)
{
	sim = sim_new(1);
	lan = sim_segment(sim);
	a = sim_host(sim, "a");
	b = sim_host(sim, "b");
	sim_attach(a, lan, "10.0.0.1/24", NULL);
	sim_attach(b, lan, "10.0.0.2/24", NULL);
	sim_addr(a->ports[0]->nic, "2001:db8::1/64");
	sim_addr(b->ports[0]->nic, "2001:db8::2/64");
	sim_run(sim, 3 * NS_PER_SEC);		/* duplicate address detection */
}

static void done(void)
{
	sim_free(sim);
}

TestSuite(udp, .init = pair, .fini = done);

static void echo(const char *from, const char *to, size_t len)
{
	struct endpoint *ea = sim_udp(a, from, 1000), *eb = sim_udp(b, to, 2000);
	struct full_addr peer;
	char *sent = malloc(len + 1);
	ssize_t n;

	for (size_t i = 0; i < len; i++)
		sent[i] = (char)(i * 7 + i / 256);
	cr_assert_eq(sim_send(ea, to, 2000, sent, len), NS_OK);
	sim_settle(sim);
	n = sim_recv(eb, buf, sizeof(buf), &peer, NULL);
	cr_assert_eq(n, (ssize_t)len, "%zd of %zu bytes arrived", n, len);
	cr_assert(memcmp(buf, sent, len) == 0);
	cr_assert_eq(peer.port, 1000);
	cr_assert_eq(sim_send(eb, from, 1000, buf, len), NS_OK);
	sim_settle(sim);
	n = sim_recv(ea, buf, sizeof(buf), NULL, NULL);
	cr_assert_eq(n, (ssize_t)len);
	cr_assert(memcmp(buf, sent, len) == 0);
	free(sent);
	endpoint_close(ea);
	endpoint_close(eb);
}

Test(udp, echoes_all_sizes_over_ipv4)
{
	static const size_t sizes[] = { 0, 1, 2, 100, 1471, 1472, 1473, 2960, 9000, 65507 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		echo("10.0.0.1", "10.0.0.2", sizes[i]);
}

Test(udp, echoes_all_sizes_over_ipv6)
{
	static const size_t sizes[] = { 0, 1, 2, 100, 1451, 1452, 1453, 2960, 9000, 65507 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		echo("2001:db8::1", "2001:db8::2", sizes[i]);
}

Test(udp, first_packet_waits_for_resolution_and_is_sent)
{
	struct endpoint *ea = sim_udp(a, "", 1), *eb = sim_udp(b, "", 2);

	cr_assert_eq(a->stack->stats.arp.outgoing_requests_sent.value, 0);
	for (int i = 0; i < 5; i++)
		cr_assert_eq(sim_send(ea, "10.0.0.2", 2, "x", 1), NS_OK);
	sim_settle(sim);
	cr_assert_eq(a->stack->stats.arp.outgoing_requests_sent.value, 1);
	for (int i = 0; i < 5; i++)
		cr_assert_eq(sim_recv(eb, buf, sizeof(buf), NULL, NULL), 1);
}

Test(udp, closed_port_refuses_a_connected_endpoint)
{
	struct endpoint *ea = sim_udp(a, "", 1);
	struct full_addr to = { .addr = sim_parse("10.0.0.2"), .port = 9 };
	enum ns_err err;

	cr_assert_eq(endpoint_connect(ea, &to), NS_OK);
	cr_assert_eq(sim_send(ea, NULL, 0, "x", 1), NS_OK);
	sim_settle(sim);
	cr_assert_eq(b->stack->stats.udp.unknown_port_errors.value, 1);
	cr_assert_eq(b->stack->stats.icmp.v4_sent.dst_unreachable.value, 1);
	cr_assert(endpoint_readiness(ea, WAIT_ALL) & WAIT_ERR);
	sim_recv(ea, buf, sizeof(buf), NULL, &err);
	cr_assert_eq(err, NS_ERR_CONNECTION_REFUSED);
	sim_recv(ea, buf, sizeof(buf), NULL, &err);
	cr_assert_eq(err, NS_ERR_WOULD_BLOCK, "the error is reported once");
}

Test(udp, closed_port_refuses_over_ipv6)
{
	struct endpoint *ea = sim_udp(a, "::", 1);
	struct full_addr to = { .addr = sim_parse("2001:db8::2"), .port = 9 };
	int64_t err;

	cr_assert_eq(endpoint_connect(ea, &to), NS_OK);
	cr_assert_eq(sim_send(ea, NULL, 0, "x", 1), NS_OK);
	sim_settle(sim);
	cr_assert_eq(endpoint_get_int(ea, SOCKOPT_ERROR, &err), NS_OK);
	cr_assert_eq(err, NS_ERR_CONNECTION_REFUSED);
}

Test(udp, v6_endpoint_speaks_ipv4_unless_told_not_to)
{
	struct endpoint *ea = sim_udp(a, "::", 1), *eb = sim_udp(b, "10.0.0.2", 2);
	struct full_addr from;

	cr_assert_eq(sim_send(ea, "::ffff:10.0.0.2", 2, "hi", 2), NS_OK);
	sim_settle(sim);
	cr_assert_eq(sim_recv(eb, buf, sizeof(buf), &from, NULL), 2);
	cr_assert_eq(sim_send(eb, "10.0.0.1", 1, "yo", 2), NS_OK);
	sim_settle(sim);
	cr_assert_eq(sim_recv(ea, buf, sizeof(buf), &from, NULL), 2);
	cr_assert(addr_is_v4_mapped(&from.addr));
	cr_assert_eq(endpoint_set_int(ea, SOCKOPT_V6_ONLY, 1), NS_OK);
	cr_assert_eq(sim_send(ea, "::ffff:10.0.0.2", 2, "hi", 2), NS_ERR_NETWORK_UNREACHABLE);
}

Test(udp, broadcast_needs_the_option_and_reaches_all)
{
	struct endpoint *ea = sim_udp(a, "", 1), *eb = sim_udp(b, "", 7);

	cr_assert_eq(sim_send(ea, "10.0.0.255", 7, "x", 1), NS_ERR_BROADCAST_DISABLED);
	cr_assert_eq(endpoint_set_int(ea, SOCKOPT_BROADCAST, 1), NS_OK);
	cr_assert_eq(sim_send(ea, "10.0.0.255", 7, "x", 1), NS_OK);
	cr_assert_eq(sim_send(ea, "255.255.255.255", 7, "y", 1), NS_OK);
	sim_settle(sim);
	cr_assert_eq(sim_recv(eb, buf, sizeof(buf), NULL, NULL), 1);
	cr_assert_eq(buf[0], 'x');
	cr_assert_eq(sim_recv(eb, buf, sizeof(buf), NULL, NULL), 1);
	cr_assert_eq(buf[0], 'y');
}

static void multicast(const char *from, const char *group)
{
	struct endpoint *ea = sim_udp(a, from, 1), *eb = sim_udp(b, from, 7);
	struct endpoint *loop = sim_udp(a, from, 7);
	struct sockopt_membership m = { .nic = 1, .group = sim_parse(group) };
	struct sockopt_mcast_if mif = { .nic = 1 };

	cr_assert_eq(endpoint_set_option(ea, SOCKOPT_MULTICAST_INTERFACE, &mif, sizeof(mif)), NS_OK);
	cr_assert_eq(sim_send(ea, group, 7, "0", 1), NS_OK);
	sim_settle(sim);
	cr_assert_eq(sim_recv(eb, buf, sizeof(buf), NULL, NULL), -1, "nobody has joined");
	cr_assert_eq(endpoint_set_option(eb, SOCKOPT_ADD_MEMBERSHIP, &m, sizeof(m)), NS_OK);
	cr_assert_eq(endpoint_set_option(eb, SOCKOPT_ADD_MEMBERSHIP, &m, sizeof(m)),
		     NS_ERR_PORT_IN_USE);
	cr_assert_eq(endpoint_set_option(loop, SOCKOPT_ADD_MEMBERSHIP, &m, sizeof(m)), NS_OK);
	cr_assert_eq(sim_send(ea, group, 7, "1", 1), NS_OK);
	sim_settle(sim);
	cr_assert_eq(sim_recv(eb, buf, sizeof(buf), NULL, NULL), 1);
	cr_assert_eq(sim_recv(loop, buf, sizeof(buf), NULL, NULL), 1, "looped back to a member");
	cr_assert_eq(endpoint_set_int(ea, SOCKOPT_MULTICAST_LOOP, 0), NS_OK);
	cr_assert_eq(sim_send(ea, group, 7, "2", 1), NS_OK);
	sim_settle(sim);
	cr_assert_eq(sim_recv(eb, buf, sizeof(buf), NULL, NULL), 1);
	cr_assert_eq(sim_recv(loop, buf, sizeof(buf), NULL, NULL), -1);
	cr_assert_eq(endpoint_set_option(eb, SOCKOPT_REMOVE_MEMBERSHIP, &m, sizeof(m)), NS_OK);
	cr_assert_eq(sim_send(ea, group, 7, "3", 1), NS_OK);
	sim_settle(sim);
	cr_assert_eq(sim_recv(eb, buf, sizeof(buf), NULL, NULL), -1, "left");
}

Test(udp, multicast_reaches_members_only_ipv4)
{
	multicast("0.0.0.0", "239.1.2.3");
}

Test(udp, multicast_reaches_members_only_ipv6)
{
	multicast("::", "ff05::123");
}

/* The default keeps to the link; the one for unicast is another. */
Test(udp, multicast_has_a_ttl_of_its_own)
{
	static const struct { int64_t multicast, unicast, got[2]; } rows[] = {
		{ -1, -1, { 1, 64 } }, { 5, -1, { 5, 64 } }, { 7, 9, { 7, 9 } }, { 255, 255, { 255, 255 } },
	};
	static const char *const groups[] = { "239.1.2.3", "ff05::99" }, *const hosts[] = { "10.0.0.2", "2001:db8::2" };

	for (int v6 = 0; v6 < 2; v6++) {
		struct endpoint *tx = sim_udp(a, v6 ? "2001:db8::1" : "10.0.0.1", 1000), *rx = sim_udp(b, v6 ? "::" : "", 2000);
		struct sockopt_membership m = { .nic = 1, .group = sim_parse(groups[v6]) };
		struct iovec iov = { buf, sizeof(buf) };
		struct read_msg r = { .iov = &iov, .iovcnt = 1 };

		cr_assert_eq(endpoint_set_option(rx, SOCKOPT_ADD_MEMBERSHIP, &m, sizeof(m)), NS_OK);
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			if (rows[i].multicast >= 0)
				cr_assert_eq(endpoint_set_int(tx, SOCKOPT_MULTICAST_TTL, rows[i].multicast), NS_OK);
			if (rows[i].unicast >= 0)
				cr_assert_eq(endpoint_set_int(tx, v6 ? SOCKOPT_HOPS : SOCKOPT_TTL, rows[i].unicast), NS_OK);
			for (int to_host = 0; to_host < 2; to_host++) {
				cr_assert_eq(sim_send(tx, to_host ? hosts[v6] : groups[v6], 2000, "abc", 3), NS_OK);
				sim_settle(sim);
				cr_assert_eq(endpoint_read(rx, &r), NS_OK);
				cr_assert_eq(r.ttl, rows[i].got[to_host]);
			}
		}
		cr_assert_eq(endpoint_set_int(tx, SOCKOPT_MULTICAST_TTL, 256), NS_ERR_INVALID_OPTION_VALUE);
		endpoint_close(tx);
		endpoint_close(rx);
	}
}

Test(udp, to_an_own_address_never_leaves_the_host)
{
	struct endpoint *ea = sim_udp(a, "", 1), *eb = sim_udp(a, "", 2);
	uint64_t frames = sim->frames;

	cr_assert_eq(sim_send(ea, "10.0.0.1", 2, "self", 4), NS_OK);
	sim_settle(sim);
	cr_assert_eq(sim_recv(eb, buf, sizeof(buf), NULL, NULL), 4);
	cr_assert_eq(sim->frames, frames);
}

Test(udp, receive_buffer_bounds_memory)
{
	struct endpoint *ea = sim_udp(a, "", 1), *eb = sim_udp(b, "", 2);
	int got = 0;

	cr_assert_eq(endpoint_set_int(eb, SOCKOPT_RECEIVE_BUFFER_SIZE, 16384), NS_OK);
	for (int i = 0; i < 1000; i++) {
		cr_assert_eq(sim_send(ea, "10.0.0.2", 2, "", 0), NS_OK);
		sim_settle(sim);
	}
	while (sim_recv(eb, buf, sizeof(buf), NULL, NULL) == 0)
		got++;
	cr_assert(got > 8 && got < 200, "%d empty datagrams fit into 16 KiB", got);
	cr_assert_eq(eb->stats.receive_errors.receive_buffer_overflow.value, 1000u - (unsigned)got);
}

Test(udp, unresolvable_neighbour_is_counted_and_packets_freed)
{
	struct endpoint *ea = sim_udp(a, "", 1);

	cr_assert_eq(sim_send(ea, "10.0.0.77", 2, "x", 1), NS_OK);
	sim_run(sim, 10 * NS_PER_SEC);
	cr_assert_eq(a->stack->stats.arp.outgoing_requests_sent.value, 3);
	cr_assert_eq(ea->stats.send_errors.no_link_addr.value, 1);
}

Test(udp, more_collects_one_datagram)
{
	struct endpoint *ea = sim_udp(a, "", 1), *eb = sim_udp(b, "", 2);
	struct full_addr to = { .addr = sim_parse("10.0.0.2"), .port = 2 };
	struct write_opts o = { .to = &to, .more = true };
	struct iovec iov = { (void *)"abc", 3 };
	size_t n;

	cr_assert_eq(endpoint_write(ea, &iov, 1, &o, &n), NS_OK);
	cr_assert_eq(n, 3);
	o.more = false;
	cr_assert_eq(endpoint_write(ea, &iov, 1, &o, &n), NS_OK);
	sim_settle(sim);
	cr_assert_eq(sim_recv(eb, buf, sizeof(buf), NULL, NULL), 6);
	cr_assert(memcmp(buf, "abcabc", 6) == 0);
}

Test(udp, survives_loss_reorder_duplication_and_corruption)
{
	struct impair_dir bad = {
		.loss = 100000, .duplicate = 100000, .corrupt = 100000, .reorder = 200000,
		.delay_ns = NS_PER_MS, .jitter_ns = NS_PER_MS, .reorder_ns = 3 * NS_PER_MS,
	};
	struct endpoint *ea = sim_udp(a, "", 1), *eb = sim_udp(b, "", 2);
	unsigned got = 0, wrong = 0;
	char out[3000];
	ssize_t n;

	impair_set(a->ports[0]->impair, &bad, NULL);
	for (unsigned i = 0; i < 2000; i++) {
		memset(out, (int)i, sizeof(out));
		sim_send(ea, "10.0.0.2", 2, out, 1 + i % sizeof(out));
		sim_run(sim, NS_PER_MS / 4);
		while ((n = sim_recv(eb, buf, sizeof(buf), NULL, NULL)) >= 0) {
			got++;
			for (ssize_t j = 1; j < n; j++)
				wrong += buf[j] != buf[0];
		}
	}
	cr_assert(got > 1000 && got < 2000, "%u", got);
	cr_assert_eq(wrong, 0, "a corrupt datagram passed its checksum");
	cr_assert_gt(b->stack->stats.udp.checksum_errors.value +
		     b->stack->stats.ip.malformed_packets_received.value, 0);
}
