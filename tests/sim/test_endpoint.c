/* Endpoints as their users see them: names, states, options, readiness, ownership. */
#include <criterion/criterion.h>

#include "net.h"

static struct sim *sim;
static struct sim_segment *lan, *other;
static struct sim_host *a, *b;
static char buf[2000];

static void setup(void)
{
	sim = sim_new(21);
	lan = sim_segment(sim);
	other = sim_segment(sim);
	a = sim_host(sim, "a");
	b = sim_host(sim, "b");
	sim_attach(a, lan, "10.0.0.1/24", NULL);
	sim_attach(b, lan, "10.0.0.2/24", NULL);
	sim_attach(a, other, "10.0.1.1/24", NULL);
	sim_attach(b, other, "10.0.1.2/24", NULL);
	sim_run(sim, 3 * NS_PER_SEC);
}

static void teardown(void)
{
	sim_free(sim);
}

TestSuite(endpoint, .init = setup, .fini = teardown);

static struct full_addr at(const char *addr, uint16_t port)
{
	return (struct full_addr){ .addr = sim_parse(addr), .port = port };
}

static struct endpoint *udp(struct sim_host *h)
{
	struct endpoint *ep;

	cr_assert_eq(endpoint_new(h->stack, NET_IPV4, IP_PROTO_UDP, &ep), NS_OK);
	return ep;
}

Test(endpoint, bind_twice_foreign_taken_and_wrong_family_are_errors)
{
	struct endpoint *e = udp(a), *f = udp(a);
	struct full_addr mine = at("10.0.0.1", 5), foreign = at("10.0.0.2", 5), six = at("::1", 5);

	cr_assert_eq(endpoint_bind(e, &foreign), NS_ERR_BAD_LOCAL_ADDRESS);
	cr_assert_eq(endpoint_bind(e, &six), NS_ERR_ADDRESS_FAMILY_NOT_SUPPORTED);
	mine.nic = 77;
	cr_assert_eq(endpoint_bind(e, &mine), NS_ERR_UNKNOWN_NIC_ID);
	mine.nic = 0;
	cr_assert_eq(endpoint_bind(e, &mine), NS_OK);
	cr_assert_eq(endpoint_bind(e, &mine), NS_ERR_ALREADY_BOUND);
	cr_assert_eq(endpoint_bind(f, &mine), NS_ERR_PORT_IN_USE);
	endpoint_close(e);
	cr_assert_eq(endpoint_bind(f, &mine), NS_OK, "closing gives the port back");
}

Test(endpoint, connect_chooses_address_and_port_and_filters)
{
	struct endpoint *e = udp(a), *peer = sim_udp(b, "", 7), *stranger = sim_udp(b, "", 8);
	struct full_addr to = at("10.0.0.2", 7), name;
	struct addr want = sim_parse("10.0.0.1");

	cr_assert_eq(endpoint_remote_addr(e, &name), NS_ERR_NOT_CONNECTED);
	cr_assert_eq(sim_send(e, NULL, 0, "x", 1), NS_ERR_DESTINATION_REQUIRED);
	cr_assert_eq(endpoint_connect(e, &to), NS_OK);
	cr_assert_eq(endpoint_local_addr(e, &name), NS_OK);
	cr_assert(addr_equal(&name.addr, &want) && name.port >= 32768);
	cr_assert_eq(sim_send(stranger, "10.0.0.1", name.port, "no", 2), NS_OK);
	cr_assert_eq(sim_send(peer, "10.0.0.1", name.port, "yes", 3), NS_OK);
	sim_settle(sim);
	cr_assert_eq(sim_recv(e, buf, sizeof(buf), NULL, NULL), 3);
	cr_assert_eq(sim_recv(e, buf, sizeof(buf), NULL, NULL), -1);
	cr_assert_eq(endpoint_state(e), 2);
	to.addr.len = 0;
	cr_assert_eq(endpoint_connect(e, &to), NS_OK, "no address: disconnect");
	cr_assert_eq(endpoint_remote_addr(e, &name), NS_ERR_NOT_CONNECTED);
	cr_assert_eq(endpoint_local_addr(e, &name), NS_OK);
	cr_assert_eq(name.port, 0, "the port connect() chose is gone");
}

Test(endpoint, disconnect_keeps_a_port_that_bind_chose)
{
	struct endpoint *e = sim_udp(a, "", 99), *peer = sim_udp(b, "", 8);
	struct full_addr to = at("10.0.0.2", 7);

	cr_assert_eq(endpoint_connect(e, &to), NS_OK);
	cr_assert_eq(endpoint_disconnect(e), NS_OK);
	cr_assert_eq(sim_send(peer, "10.0.0.1", 99, "x", 1), NS_OK);
	cr_assert_eq(sim_send(peer, "10.0.1.1", 99, "y", 1), NS_OK);
	sim_settle(sim);
	cr_assert_eq(sim_recv(e, buf, sizeof(buf), NULL, NULL), 1);
	cr_assert_eq(sim_recv(e, buf, sizeof(buf), NULL, NULL), 1, "on any address again");
}

Test(endpoint, shutdown_ends_each_direction)
{
	struct endpoint *e = udp(a);
	struct full_addr to = at("10.0.0.2", 7);
	enum ns_err err;

	cr_assert_eq(endpoint_connect(e, &to), NS_OK);
	cr_assert_eq(endpoint_shutdown(e, 0), NS_ERR_INVALID_OPTION_VALUE);
	cr_assert_eq(endpoint_shutdown(e, SHUTDOWN_WRITE), NS_OK);
	cr_assert_eq(sim_send(e, NULL, 0, "x", 1), NS_ERR_CLOSED_FOR_SEND);
	cr_assert_eq(e->stats.write_errors.write_closed.value, 1);
	cr_assert_eq(endpoint_readiness(e, WAIT_ALL) & (WAIT_IN | WAIT_HUP), 0);
	cr_assert_eq(endpoint_shutdown(e, SHUTDOWN_READ), NS_OK);
	sim_recv(e, buf, 1, NULL, &err);
	cr_assert_eq(err, NS_ERR_CLOSED_FOR_RECEIVE);
	cr_assert(endpoint_readiness(e, 0) & WAIT_HUP);
}

static int woken;
static uint32_t woken_for;

static void wake(struct waiter *w, uint32_t events)
{
	woken++;
	woken_for |= events;
}

Test(endpoint, waiters_hear_what_they_asked_for)
{
	struct endpoint *e = sim_udp(a, "", 7), *peer = sim_udp(b, "", 8);
	struct waiter in = { .mask = WAIT_IN, .fn = wake }, out = { .mask = WAIT_OUT, .fn = wake };

	waiter_add(&e->wq, &in);
	waiter_add(&e->wq, &out);
	cr_assert_eq(endpoint_readiness(e, WAIT_ALL), WAIT_OUT);
	sim_send(peer, "10.0.0.1", 7, "x", 1);
	sim_settle(sim);
	cr_assert(woken == 1 && woken_for == WAIT_IN);
	cr_assert_eq(endpoint_readiness(e, WAIT_ALL), WAIT_IN | WAIT_OUT);
	waiter_remove(&in);
	sim_send(peer, "10.0.0.1", 7, "x", 1);
	sim_settle(sim);
	cr_assert_eq(woken, 1);
	endpoint_close(e);
}

Test(endpoint, read_tells_sender_length_time_and_what_is_left)
{
	struct endpoint *e = sim_udp(a, "", 7), *peer = sim_udp(b, "", 8);
	struct iovec iov[2] = { { buf, 2 }, { buf + 10, 1 } };
	struct read_msg m = { .iov = iov, .iovcnt = 2 };
	struct addr from = sim_parse("10.0.0.2"), to = sim_parse("10.0.0.1");

	cr_assert_eq(endpoint_set_int(peer, SOCKOPT_TOS, 0x20), NS_OK);
	sim_send(peer, "10.0.0.1", 7, "abcde", 5);
	sim_send(peer, "10.0.0.1", 7, "fg", 2);
	sim_settle(sim);
	cr_assert_eq(endpoint_peek(e, &m), NS_OK);
	cr_assert(m.n == 3 && m.msg_len == 5 && memcmp(buf, "ab", 2) == 0 && buf[10] == 'c');
	m.peek = false;
	cr_assert_eq(endpoint_read(e, &m), NS_OK);
	cr_assert(m.n == 3 && m.msg_len == 5, "the peek had left it");
	cr_assert(addr_equal(&m.from.addr, &from) && m.from.port == 8);
	cr_assert(addr_equal(&m.to.addr, &to) && m.to.port == 7 && m.to.nic == 1);
	cr_assert(m.has_timestamp && m.timestamp_ns == sim->clock.wall_ns);
	cr_assert(m.has_inq && m.inq == 2 && m.tos == 0x20 && m.ttl == 64);
	cr_assert_eq(endpoint_read(e, &m), NS_OK);
	cr_assert_eq(m.n, 2);
	cr_assert_eq(endpoint_read(e, &m), NS_ERR_WOULD_BLOCK);
}

Test(endpoint, reuse_port_shares_flows_between_sockets)
{
	struct endpoint *e[3], *peer;
	struct full_addr any = at("0.0.0.0", 7);
	int got[3] = { 0 };

	for (int i = 0; i < 3; i++) {
		e[i] = udp(a);
		cr_assert_eq(endpoint_set_int(e[i], SOCKOPT_REUSE_PORT, 1), NS_OK);
		cr_assert_eq(endpoint_bind(e[i], &any), NS_OK);
	}
	for (uint16_t p = 0; p < 150; p++) {
		peer = sim_udp(b, "", (uint16_t)(2000 + p));
		sim_send(peer, "10.0.0.1", 7, "x", 1);
		sim_settle(sim);
		endpoint_close(peer);
	}
	for (int i = 0; i < 3; i++) {
		while (sim_recv(e[i], buf, sizeof(buf), NULL, NULL) == 1)
			got[i]++;
		cr_assert_gt(got[i], 25, "%d %d %d", got[0], got[1], got[2]);
	}
	cr_assert_eq(got[0] + got[1] + got[2], 150);
}

Test(endpoint, bound_to_a_device_hears_and_speaks_only_there)
{
	struct endpoint *e = udp(a), *peer = sim_udp(b, "", 8);
	struct full_addr any = at("0.0.0.0", 7);

	cr_assert_eq(endpoint_set_int(e, SOCKOPT_BIND_TO_DEVICE, 2), NS_OK);
	cr_assert_eq(endpoint_bind(e, &any), NS_OK);
	sim_send(peer, "10.0.0.1", 7, "x", 1);
	sim_settle(sim);
	cr_assert_eq(sim_recv(e, buf, sizeof(buf), NULL, NULL), -1);
	sim_send(peer, "10.0.1.1", 7, "y", 1);
	sim_settle(sim);
	cr_assert_eq(sim_recv(e, buf, sizeof(buf), NULL, NULL), 1);
	cr_assert_eq(sim_send(e, "10.0.0.2", 8, "z", 1), NS_ERR_NO_ROUTE);
	cr_assert_eq(endpoint_set_int(e, SOCKOPT_BIND_TO_DEVICE, 0), NS_OK);
	cr_assert_eq(sim_send(e, "10.0.0.2", 8, "z", 1), NS_OK);
	sim_send(peer, "10.0.0.1", 7, "x", 1);
	sim_settle(sim);
	cr_assert_eq(sim_recv(e, buf, sizeof(buf), NULL, NULL), 1, "at once, on a bound socket");
}

Test(endpoint, written_packets_are_not_copied_and_always_taken)
{
	struct endpoint *e = sim_udp(a, "", 7), *peer = sim_udp(b, "", 8);
	struct full_addr to = at("10.0.0.2", 8);
	struct write_opts o = { .to = &to };
	struct pkt *p = pkt_from_bytes(sim->pool, "hello", 5), *rest;
	size_t n;

	cr_assert_eq(endpoint_write_pkt(e, p, &o, &n, &rest), NS_OK);
	cr_assert(n == 5 && rest == NULL);
	sim_settle(sim);
	cr_assert_eq(sim_recv(peer, buf, sizeof(buf), NULL, NULL), 5);
	to.addr = sim_parse("99.9.9.9");
	cr_assert_eq(endpoint_write_pkt(e, pkt_from_bytes(sim->pool, "x", 1), &o, &n, NULL),
		     NS_ERR_NO_ROUTE);
	cr_assert_eq(n, 0);
}

static uint16_t last_cksum;

static void note_cksum(void *ctx, const uint8_t *f, size_t n)
{
	if (f[12] == 8 && f[13] == 0 && f[23] == IP_PROTO_UDP)
		memcpy(&last_cksum, f + 40, 2);
}

Test(endpoint, checksums_can_be_left_out_over_ipv4)
{
	struct endpoint *e = sim_udp(a, "", 7), *peer = sim_udp(b, "", 8);
	int64_t v;

	sim->tap = note_cksum;
	sim_send(e, "10.0.0.2", 8, "x", 1);
	sim_settle(sim);
	cr_assert_neq(last_cksum, 0);
	cr_assert_eq(endpoint_set_int(e, SOCKOPT_CHECKSUM, 0), NS_OK);
	cr_assert_eq(endpoint_get_int(e, SOCKOPT_CHECKSUM, &v), NS_OK);
	cr_assert_eq(v, 0);
	sim_send(e, "10.0.0.2", 8, "x", 1);
	sim_settle(sim);
	cr_assert_eq(last_cksum, 0);
	cr_assert_eq(sim_recv(peer, buf, sizeof(buf), NULL, NULL), 1);
	cr_assert_eq(sim_recv(peer, buf, sizeof(buf), NULL, NULL), 1);
}

Test(endpoint, too_long_for_udp_or_for_the_send_buffer_is_refused_whole)
{
	static char big[70000];
	struct endpoint *e = sim_udp(a, "", 7);

	cr_assert_eq(sim_send(e, "10.0.0.2", 8, big, 65508), NS_ERR_MESSAGE_TOO_LONG);
	cr_assert_eq(endpoint_set_int(e, SOCKOPT_SEND_BUFFER_SIZE, 4096), NS_OK);
	cr_assert_eq(sim_send(e, "10.0.0.2", 8, big, 5000), NS_ERR_MESSAGE_TOO_LONG);
	cr_assert_eq(sim_send(e, "10.0.0.2", 8, big, 4000), NS_OK);
	cr_assert_eq(e->stats.write_errors.invalid_args.value, 2);
	cr_assert_eq(sim_send(e, "10.0.0.2", 0, big, 1), NS_ERR_INVALID_OPTION_VALUE);
}

Test(endpoint, info_tells_all)
{
	struct endpoint *e = udp(a), *peer = sim_udp(b, "", 7);
	struct full_addr to = at("10.0.0.2", 7), me;
	struct endpoint_info info;

	cr_assert_eq(endpoint_connect(e, &to), NS_OK);
	endpoint_local_addr(e, &me);
	sim_send(peer, "10.0.0.1", me.port, "abc", 3);
	sim_settle(sim);
	endpoint_info(e, &info);
	cr_assert_str_eq(info.proto, "udp");
	cr_assert(info.trans_proto == 17 && info.net == NET_IPV4 && info.rx_queue_bytes == 3);
	cr_assert(info.local.port == me.port && info.remote.port == 7);
	cr_assert_eq(info.rx_buffer_bytes, 212992);
}
