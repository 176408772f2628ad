/* TCP between two stacks: connections, transfers over bad networks, closes. */
#include <criterion/criterion.h>
#include <malloc.h>
#include <stdlib.h>

#include "net.h"

static struct sim *sim;
static struct sim_host *a, *b;
static struct sim_segment *lan;

static void build(uint64_t seed, const struct sim_link *l)
{
	sim = sim_new(seed);
	a = sim_host(sim, "a");
	b = sim_host(sim, "b");
	lan = sim_segment(sim);
	sim_attach(a, lan, "10.0.0.1/24", l);
	sim_attach(b, lan, "10.0.0.2/24", l);
	sim_addr(a->ports[0]->nic, "fd00::1/64");
	sim_addr(b->ports[0]->nic, "fd00::2/64");
	sim_run(sim, 3 * NS_PER_SEC);
}

static struct endpoint *tcp_new(struct sim_host *h, enum net_index net)
{
	struct endpoint *ep;

	cr_assert_eq(endpoint_new(h->stack, net, IP_PROTO_TCP, &ep), NS_OK);
	return ep;
}

static struct endpoint *listener(struct sim_host *h, const char *addr, uint16_t port)
{
	struct full_addr fa = { .addr = sim_parse(addr), .port = port };
	struct endpoint *ep = tcp_new(h, net_index_of(&fa.addr));

	cr_assert_eq(endpoint_bind(ep, &fa), NS_OK);
	cr_assert_eq(endpoint_listen(ep, 16), NS_OK);
	return ep;
}

static struct endpoint *connect_to(struct sim_host *h, const char *addr, uint16_t port)
{
	struct full_addr fa = { .addr = sim_parse(addr), .port = port };
	struct endpoint *ep = tcp_new(h, net_index_of(&fa.addr));

	cr_assert_eq(endpoint_connect(ep, &fa), NS_ERR_CONNECT_STARTED);
	return ep;
}

static struct endpoint *accept_from(struct endpoint *l)
{
	struct endpoint *ep;

	for (int i = 0; i < 30000; i++) {
		if (endpoint_accept(l, &ep, NULL) == NS_OK)
			return ep;
		sim_run(sim, 10 * NS_PER_MS);
	}
	cr_assert_fail("nobody came");
	return NULL;
}

static uint8_t byte_at(uint64_t i)
{
	return (uint8_t)(i * 2654435761u >> 13);
}

struct flow {
	struct endpoint *tx, *rx;
	uint64_t len, sent, got;
	bool closed, eof;
};

/* One round of writing and reading; true when all has arrived and the end was seen. */
static bool flow_step(struct flow *f)
{
	static uint8_t buf[65536];
	struct iovec iov = { buf, sizeof(buf) };
	struct read_msg m = { .iov = &iov, .iovcnt = 1 };
	enum ns_err err;
	size_t n;

	while (f->sent < f->len) {
		iov.iov_len = f->len - f->sent < sizeof(buf) ? f->len - f->sent : sizeof(buf);
		for (size_t i = 0; i < iov.iov_len; i++)
			buf[i] = byte_at(f->sent + i);
		err = endpoint_write(f->tx, &iov, 1, NULL, &n);
		if (err)
			cr_assert_eq(err, NS_ERR_WOULD_BLOCK, "write: %s", ns_err_str(err));
		if (err || !n)
			break;
		f->sent += n;
	}
	if (f->sent == f->len && !f->closed) {
		cr_assert_eq(endpoint_shutdown(f->tx, SHUTDOWN_WRITE), NS_OK);
		f->closed = true;
	}
	iov.iov_len = sizeof(buf);
	while ((err = endpoint_read(f->rx, &m)) == NS_OK) {
		for (size_t i = 0; i < m.n; i++)
			cr_assert_eq(buf[i], byte_at(f->got + i), "byte %llu",
				     (unsigned long long)(f->got + i));
		f->got += m.n;
	}
	if (err == NS_ERR_CLOSED_FOR_RECEIVE)
		f->eof = true;
	else
		cr_assert_eq(err, NS_ERR_WOULD_BLOCK, "read: %s", ns_err_str(err));
	return f->eof;
}

static double transfer(struct endpoint *tx, struct endpoint *rx, uint64_t len)
{
	struct flow f = { .tx = tx, .rx = rx, .len = len };
	int64_t start = sim->clock.now_ns;

	while (!flow_step(&f)) {
		sim_run(sim, NS_PER_MS);
		cr_assert_lt(sim->clock.now_ns - start, 3600 * NS_PER_SEC, "sent %llu got %llu",
			     (unsigned long long)f.sent, (unsigned long long)f.got);
	}
	cr_assert_eq(f.got, len);
	return (double)(sim->clock.now_ns - start) / 1e9;
}

static void pair_over(const char *addr, struct endpoint **c, struct endpoint **s, struct endpoint **l)
{
	*l = listener(b, addr, 80);
	*c = connect_to(a, addr, 80);
	*s = accept_from(*l);
}

static void run_transfer(uint64_t seed, const struct sim_link *link, const char *addr, uint64_t len)
{
	struct endpoint *c, *s, *l;

	/* Neighbours are found on a good network: ARP has but three tries. */
	build(seed, NULL);
	pair_over(addr, &c, &s, &l);
	if (link) {
		impair_set(a->ports[0]->impair, &link->out, &link->in);
		impair_set(b->ports[0]->impair, &link->out, &link->in);
	}
	transfer(c, s, len);
	transfer(s, c, len / 3);
	endpoint_close(c);
	endpoint_close(s);
	endpoint_close(l);
	sim_run(sim, 1200 * NS_PER_SEC);
	cr_assert_eq(tcp_orphan_count(a->stack), 0);
	cr_assert_eq(tcp_orphan_count(b->stack), 0);
	cr_assert_eq(tcp_time_wait_count(a->stack) + tcp_time_wait_count(b->stack), 0);
	sim_free(sim);
}

Test(tcp_transfer, bytes_arrive_both_ways_and_the_connection_ends)
{
	run_transfer(1, NULL, "10.0.0.2", 3000000);
}

Test(tcp_transfer, over_ipv6)
{
	run_transfer(2, NULL, "fd00::2", 3000000);
}

Test(tcp_transfer, a_lossy_slow_network_loses_nothing)
{
	for (uint64_t seed = 1; seed <= 6; seed++) {
		struct sim_link l = {
			.out = { .loss = 30000, .delay_ns = 5 * NS_PER_MS },
			.in = { .loss = 30000 },
		};

		run_transfer(seed, &l, seed & 1 ? "10.0.0.2" : "fd00::2", 400000);
	}
}

Test(tcp_transfer, a_third_of_all_packets_lost)
{
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct sim_link l = { .out = { .loss = 300000, .delay_ns = 2 * NS_PER_MS } };

		run_transfer(seed, &l, "10.0.0.2", 60000);
	}
}

Test(tcp_transfer, idle_connections_cost_two_kilobytes_each)
{
	enum { N = 4000 };
	static struct endpoint *c[N], *s[N];
	struct full_addr fa = { .addr = addr_v4(10, 0, 0, 2), .port = 80 };
	struct iovec iov = { (char[1]){ 0 }, 1 };
	struct read_msg m = { .iov = &iov, .iovcnt = 1 };
	struct mallinfo2 before, after;
	struct endpoint *l;
	size_t n;

	build(3, NULL);
	/* The pool has what it keeps for the next packets, and the neighbours know one another. */
	pair_over("10.0.0.2", &c[0], &s[0], &l);
	endpoint_close(c[0]);
	endpoint_close(s[0]);
	sim_run(sim, 100 * NS_PER_SEC);
	before = mallinfo2();
	for (int i = 0; i < N; i++) {
		c[i] = tcp_new(a, NET_IPV4);
		cr_assert_eq(endpoint_connect(c[i], &fa), NS_ERR_CONNECT_STARTED);
		sim_settle(sim);
		cr_assert_eq(endpoint_accept(l, &s[i], NULL), NS_OK);
		cr_assert_eq(endpoint_write(c[i], &iov, 1, NULL, &n), NS_OK);
		sim_settle(sim);
		cr_assert_eq(endpoint_read(s[i], &m), NS_OK);
	}
	sim_run(sim, NS_PER_SEC);
	after = mallinfo2();
	cr_assert_leq((after.uordblks - before.uordblks) / N / 2, 2048);
	for (int i = 0; i < N; i++) {
		endpoint_close(c[i]);
		endpoint_close(s[i]);
	}
	endpoint_close(l);
	sim_run(sim, 100 * NS_PER_SEC);
	sim_free(sim);
}

Test(tcp_transfer, to_itself)
{
	struct endpoint *c, *s, *l;

	build(1, NULL);
	l = listener(b, "10.0.0.2", 80);
	c = connect_to(b, "10.0.0.2", 80);
	s = accept_from(l);
	transfer(c, s, 5000000);
	transfer(s, c, 100000);
	endpoint_close(c);
	endpoint_close(s);
	endpoint_close(l);
	sim_run(sim, 100 * NS_PER_SEC);
	cr_assert_eq(tcp_time_wait_count(b->stack), 0);
	sim_free(sim);
}

Test(tcp_transfer, an_endpoint_connects_to_itself)
{
	struct full_addr fa = { .addr = addr_v4(10, 0, 0, 2), .port = 7777 };
	struct endpoint *ep;

	build(1, NULL);
	ep = tcp_new(b, NET_IPV4);
	cr_assert_eq(endpoint_bind(ep, &fa), NS_OK);
	cr_assert_eq(endpoint_connect(ep, &fa), NS_ERR_CONNECT_STARTED);
	sim_run(sim, 10 * NS_PER_MS);
	cr_assert_eq(endpoint_state(ep), TCPS_ESTABLISHED);	/* simultaneous open with itself */
	transfer(ep, ep, 100000);
	endpoint_close(ep);
	sim_run(sim, 100 * NS_PER_SEC);
	sim_free(sim);
}
