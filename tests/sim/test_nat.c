/* A client, a router that translates, a server: what their endpoints see of it. */
#include <criterion/criterion.h>

#include "wire.h"

static struct sim *sim;
static struct sim_segment *lan, *wan;
static struct sim_host *client, *router, *server;
static char buf[70000];

static const char masquerade[] = "*nat\n-A POSTROUTING -o nic2 -j MASQUERADE\nCOMMIT\n"
	"*filter\n:FORWARD DROP [0:0]\n-A FORWARD -m conntrack --ctstate INVALID -j DROP\n"
	"-A FORWARD -i nic1 -j ACCEPT\n"
	"-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT\nCOMMIT\n";

static void build(uint32_t wan_mtu)
{
	struct sim_link small = { .mtu = wan_mtu };

	sim = sim_new(11);
	lan = sim_segment(sim);
	wan = sim_segment(sim);
	client = sim_host(sim, "client");
	router = sim_host(sim, "router");
	server = sim_host(sim, "server");
	sim_attach(client, lan, "10.0.0.2/24", NULL);
	sim_attach(router, lan, "10.0.0.1/24", NULL);
	sim_attach(router, wan, "192.0.2.1/24", &small);
	sim_attach(server, wan, "192.0.2.2/24", NULL);
	sim_addr(client->ports[0]->nic, "fd00::2/64");
	sim_addr(router->ports[0]->nic, "fd00::1/64");
	sim_addr(router->ports[1]->nic, "2001:db8::1/64");
	sim_addr(server->ports[0]->nic, "2001:db8::2/64");
	sim_route(client, "0.0.0.0/0", "10.0.0.1", 1);
	sim_route(client, "::/0", "fd00::1", 1);
	for (int i = 0; i < 2; i++) {
		nic_set_forwarding(router->ports[i]->nic, NET_IPV4, true);
		nic_set_forwarding(router->ports[i]->nic, NET_IPV6, true);
	}
	sim_run(sim, 3 * NS_PER_SEC);
	wire_rules(router->stack, false, masquerade);
	wire_rules(router->stack, true, masquerade);
}

static void setup(void)
{
	build(1500);
}

static void teardown(void)
{
	sim_free(sim);
}

TestSuite(nat, .init = setup, .fini = teardown);

/* There and back, through the router; the server has no way to the client but by the router's address. */
static void echo(const char *from, const char *to, const char *seen, size_t len)
{
	struct endpoint *c = sim_udp(client, from, 1000), *s = sim_udp(server, to, 2000);
	struct full_addr peer, want = { .addr = sim_parse(seen) };
	char *sent = malloc(len + 1);
	ssize_t n;

	for (size_t i = 0; i < len; i++)
		sent[i] = (char)(i * 7 + i / 256);
	cr_assert_eq(sim_send(c, to, 2000, sent, len), NS_OK);
	sim_settle(sim);
	n = sim_recv(s, buf, sizeof(buf), &peer, NULL);
	cr_assert_eq(n, (ssize_t)len, "%zd of %zu bytes arrived", n, len);
	cr_assert(memcmp(buf, sent, len) == 0);
	cr_assert(addr_equal(&peer.addr, &want.addr));
	cr_assert_eq(sim_send(s, seen, peer.port, buf, len), NS_OK);
	sim_settle(sim);
	n = sim_recv(c, buf, sizeof(buf), &peer, NULL);
	cr_assert_eq(n, (ssize_t)len, "%zd of %zu bytes came back", n, len);
	cr_assert(memcmp(buf, sent, len) == 0);
	cr_assert_eq(peer.port, 2000);
	free(sent);
	endpoint_close(c);
	endpoint_close(s);
}

Test(nat, all_sizes_there_and_back)
{
	static const size_t sizes[] = { 0, 1, 100, 1472, 1473, 2960, 9000, 65507 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		echo("10.0.0.2", "192.0.2.2", "192.0.2.1", sizes[i]);
}

Test(nat, all_sizes_there_and_back_over_ipv6)
{
	static const size_t sizes[] = { 0, 1, 100, 1452, 1453, 2960, 9000, 65507 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		echo("fd00::2", "2001:db8::2", "2001:db8::1", sizes[i]);
}

Test(nat, a_smaller_mtu_behind_it, .init = NULL)
{
	build(1300);
	for (size_t len = 1200; len < 1500; len += 9) {
		struct endpoint *c = sim_udp(client, "10.0.0.2", 1000), *s = sim_udp(server, "192.0.2.2", 2000);

		endpoint_set_int(c, SOCKOPT_PMTU_DISCOVER, NET_PMTUD_WANT);
		/* The first one too large is lost, and teaches. */
		for (int i = 0; i < 2; i++) {
			cr_assert_eq(sim_send(c, "192.0.2.2", 2000, buf, len), NS_OK);
			sim_settle(sim);
		}
		cr_assert_eq(sim_recv(s, buf, sizeof(buf), NULL, NULL), (ssize_t)len);
		endpoint_close(c);
		endpoint_close(s);
	}
	cr_assert_gt(router->stack->stats.icmp.v4_sent.dst_unreachable.value, 0);
}

static void refused(const char *from, const char *to)
{
	struct endpoint *c = sim_udp(client, from, 1000);
	struct full_addr a = { .addr = sim_parse(to), .port = 4 };
	enum ns_err err;

	cr_assert_eq(endpoint_connect(c, &a), NS_OK);
	cr_assert_eq(sim_send(c, NULL, 0, "x", 1), NS_OK);
	sim_settle(sim);
	cr_assert_eq(sim_recv(c, buf, sizeof(buf), NULL, &err), -1);
	cr_assert_eq(err, NS_ERR_CONNECTION_REFUSED, "%s", ns_err_str(err));
	endpoint_close(c);
}

Test(nat, a_closed_port_is_reported_to_the_client)
{
	refused("10.0.0.2", "192.0.2.2");
	refused("fd00::2", "2001:db8::2");
	cr_assert_eq(client->stack->stats.icmp.v4_invalid.value, 0);
	cr_assert_eq(client->stack->stats.icmp.v6_invalid.value, 0);
}

Test(nat, a_rule_rejects)
{
	struct endpoint *s = sim_udp(server, "192.0.2.2", 4);

	wire_rules(router->stack, false, "*filter\n:FORWARD ACCEPT [0:0]\n"
		   "-A FORWARD -p udp --dport 4 -j REJECT\nCOMMIT\n");
	refused("10.0.0.2", "192.0.2.2");
	cr_assert_eq(sim_recv(s, buf, sizeof(buf), NULL, NULL), -1);
	endpoint_close(s);
}

Test(nat, pings)
{
	struct endpoint *ep[2];
	static const char *const to[2] = { "192.0.2.2", "2001:db8::2" };

	for (int i = 0; i < 2; i++) {
		struct full_addr a = { .addr = sim_parse(to[i]) };
		static const uint8_t req[2][12] = { { 8, 0, 0, 0, 0, 0, 0, 1, 'a' },
						    { 128, 0, 0, 0, 0, 0, 0, 1, 'a' } };

		cr_assert_eq(endpoint_new(client->stack, i ? NET_IPV6 : NET_IPV4,
					  i ? IP_PROTO_ICMPV6 : IP_PROTO_ICMP, &ep[i]), NS_OK);
		cr_assert_eq(endpoint_connect(ep[i], &a), NS_OK);
		cr_assert_eq(sim_send(ep[i], NULL, 0, req[i], 12), NS_OK);
		sim_settle(sim);
		cr_assert_eq(sim_recv(ep[i], buf, sizeof(buf), NULL, NULL), 12);
		cr_assert_eq((uint8_t)buf[0], i ? 129 : 0);
		endpoint_close(ep[i]);
	}
}

Test(nat, nothing_comes_in_unasked)
{
	struct endpoint *c = sim_udp(client, "10.0.0.2", 1000), *s = sim_udp(server, "192.0.2.2", 2000);

	sim_route(server, "10.0.0.0/24", "192.0.2.1", 1);
	sim_send(s, "10.0.0.2", 1000, "x", 1);
	sim_settle(sim);
	cr_assert_eq(sim_recv(c, buf, sizeof(buf), NULL, NULL), -1);
	cr_assert_eq(router->stack->stats.ip.hook_dropped.value, 1);
	endpoint_close(c);
	endpoint_close(s);
}

/* A server in the LAN, at the router's outer address; for those outside, and for its neighbours. */
Test(nat, a_forwarded_port_from_outside_and_by_hairpin)
{
	struct sim_host *inner = sim_host(sim, "inner");
	struct endpoint *in, *c, *s;
	struct full_addr peer;

	sim_attach(inner, lan, "10.0.0.9/24", NULL);
	sim_route(inner, "0.0.0.0/0", "10.0.0.1", 1);
	wire_rules(router->stack, false,
		   "*nat\n-A PREROUTING -d 192.0.2.1 -p udp --dport 80 -j DNAT --to-destination 10.0.0.9:8080\n"
		   "-A POSTROUTING -o nic2 -j MASQUERADE\n"
		   "-A POSTROUTING -s 10.0.0.0/24 -d 10.0.0.9 -p udp --dport 8080 -j MASQUERADE\nCOMMIT\n"
		   "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -m conntrack --ctstate DNAT -j ACCEPT\nCOMMIT\n");
	in = sim_udp(inner, "10.0.0.9", 8080);
	c = sim_udp(client, "10.0.0.2", 1000);
	s = sim_udp(server, "192.0.2.2", 1000);
	for (int i = 0; i < 2; i++) {
		struct endpoint *asks = i ? s : c;
		const struct addr want = sim_parse(i ? "192.0.2.2" : "10.0.0.1");
		char text[ADDR_STR_MAX];

		cr_assert_eq(sim_send(asks, "192.0.2.1", 80, "hello", 5), NS_OK);
		sim_settle(sim);
		cr_assert_eq(sim_recv(in, buf, sizeof(buf), &peer, NULL), 5);
		cr_assert(addr_equal(&peer.addr, &want), "%s", addr_format(&peer.addr, text));
		cr_assert_eq(sim_send(in, addr_format(&peer.addr, text), peer.port, "you", 3), NS_OK);
		sim_settle(sim);
		cr_assert_eq(sim_recv(asks, buf, sizeof(buf), &peer, NULL), 3);
		cr_assert_str_eq(addr_format(&peer.addr, text), "192.0.2.1");
		cr_assert_eq(peer.port, 80);
	}
	endpoint_close(in);
	endpoint_close(c);
	endpoint_close(s);
}

Test(nat, a_host_behind_its_own_rules_resolves_its_neighbours)
{
	static const char strict[] = "*filter\n:INPUT DROP [0:0]\n"
		"-A INPUT -m state --state ESTABLISHED,RELATED,UNTRACKED -j ACCEPT\nCOMMIT\n";

	wire_rules(client->stack, true, strict);
	wire_rules(client->stack, false, strict);
	sim_run(sim, 120 * NS_PER_SEC);
	echo("fd00::2", "2001:db8::2", "2001:db8::1", 10);
	echo("10.0.0.2", "192.0.2.2", "192.0.2.1", 10);
}

struct counts {
	int n;
	int64_t longest;
};

static void count(void *ctx, const struct filter_conn_info *i)
{
	struct counts *c = ctx;

	c->n++;
	if (i->expires_ns > c->longest)
		c->longest = i->expires_ns;
}

Test(nat, thousands_of_connections_come_and_go)
{
	struct endpoint *s = sim_udp(server, "192.0.2.2", 2000);
	struct counts c = { 0 };
	struct full_addr peer;
	int got = 0;

	for (int i = 0; i < 3000; i++) {
		struct endpoint *ep = sim_udp(client, "10.0.0.2", (uint16_t)(10000 + i));

		sim_send(ep, "192.0.2.2", 2000, "x", 1);
		sim_settle(sim);
		got += sim_recv(s, buf, sizeof(buf), &peer, NULL) == 1;
		endpoint_close(ep);
	}
	cr_assert_eq(got, 3000);
	filter_conn_walk(router->stack, count, &c);
	cr_assert_eq(c.n, 3000);
	sim_run(sim, 31 * NS_PER_SEC);
	c.n = 0;
	filter_conn_walk(router->stack, count, &c);
	cr_assert_eq(c.n, 0);
	endpoint_close(s);
}

static struct endpoint *tcp_to(struct sim_host *h, const char *addr, uint16_t port, enum ns_err *err)
{
	struct full_addr a = { .addr = sim_parse(addr), .port = port };
	struct endpoint *ep;

	cr_assert_eq(endpoint_new(h->stack, strchr(addr, ':') ? NET_IPV6 : NET_IPV4, IP_PROTO_TCP, &ep), NS_OK);
	*err = endpoint_connect(ep, &a);
	return ep;
}

static struct endpoint *tcp_listen(struct sim_host *h, const char *addr, uint16_t port)
{
	struct full_addr a = { .addr = sim_parse(addr), .port = port };
	struct endpoint *ep;

	cr_assert_eq(endpoint_new(h->stack, strchr(addr, ':') ? NET_IPV6 : NET_IPV4, IP_PROTO_TCP, &ep), NS_OK);
	cr_assert_eq(endpoint_bind(ep, &a), NS_OK);
	cr_assert_eq(endpoint_listen(ep, 5), NS_OK);
	return ep;
}

/* @n bytes from one to the other; what arrived wrong counts as not arrived. */
static size_t pump(struct endpoint *from, struct endpoint *to, size_t n)
{
	static uint8_t out[20000], in[20000];
	size_t sent = 0, got = 0;

	for (int round = 0; got < n && round < 4000; round++) {
		struct iovec o = { out, n - sent < sizeof(out) ? n - sent : sizeof(out) };
		struct iovec i = { in, sizeof(in) };
		struct read_msg m = { .iov = &i, .iovcnt = 1 };
		size_t wrote = 0;

		for (size_t k = 0; k < o.iov_len; k++)
			out[k] = (uint8_t)((sent + k) * 7 + (sent + k) / 251);
		if (sent < n && endpoint_write(from, &o, 1, NULL, &wrote) == NS_OK)
			sent += wrote;
		sim_run(sim, NS_PER_MS);
		while (endpoint_read(to, &m) == NS_OK && m.n)
			for (size_t k = 0; k < m.n; k++, got++)
				if (in[k] != (uint8_t)(got * 7 + got / 251))
					return 0;
	}
	return got;
}

Test(nat, tcp_both_ways)
{
	static const char *const to[2] = { "192.0.2.2", "2001:db8::2" };

	for (int i = 0; i < 2; i++) {
		struct endpoint *l = tcp_listen(server, to[i], 80), *c, *s;
		struct full_addr peer, want = { .addr = sim_parse(i ? "2001:db8::1" : "192.0.2.1") };
		enum ns_err err;

		c = tcp_to(client, to[i], 80, &err);
		cr_assert_eq(err, NS_ERR_CONNECT_STARTED);
		sim_run(sim, NS_PER_SEC);
		cr_assert_eq(endpoint_accept(l, &s, &peer), NS_OK);
		cr_assert(addr_equal(&peer.addr, &want.addr));
		cr_assert_eq(pump(c, s, 300000), 300000);
		cr_assert_eq(pump(s, c, 300000), 300000);
		endpoint_close(c);
		endpoint_close(s);
		endpoint_close(l);
		sim_run(sim, 2 * NS_PER_SEC);
	}
}

Test(nat, tcp_is_redirected_to_the_router)
{
	struct endpoint *l = tcp_listen(router, "10.0.0.1", 3128), *c, *s;
	struct full_addr peer;
	enum ns_err err;

	wire_rules(router->stack, false, "*nat\n-A PREROUTING -i nic1 -p tcp --dport 80 "
		   "-j REDIRECT --to-ports 3128\nCOMMIT\n");
	c = tcp_to(client, "192.0.2.2", 80, &err);
	sim_run(sim, NS_PER_SEC);
	cr_assert_eq(endpoint_accept(l, &s, &peer), NS_OK);
	cr_assert_eq(pump(c, s, 100000), 100000);
	cr_assert_eq(pump(s, c, 100000), 100000);
	cr_assert_eq(endpoint_remote_addr(c, &peer), NS_OK);
	cr_assert_eq(peer.port, 80);
	endpoint_close(c);
	endpoint_close(s);
	endpoint_close(l);
}

Test(nat, tcp_is_reset_by_rules_and_let_by_owner)
{
	struct endpoint *l = tcp_listen(server, "192.0.2.2", 80), *c;
	enum ns_err err;

	wire_rules(router->stack, false, "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -p tcp --dport 81 -j REJECT --reject-with tcp-reset\n"
		   "COMMIT\n");
	c = tcp_to(client, "192.0.2.2", 81, &err);
	sim_run(sim, NS_PER_SEC);
	cr_assert_eq(endpoint_take_error(c), NS_ERR_CONNECTION_REFUSED);
	endpoint_close(c);
	wire_rules(client->stack, false, "*filter\n-A OUTPUT -o lo -j ACCEPT\n-A OUTPUT -p tcp -m owner ! --uid-owner 1000 "
		   "-j REJECT --reject-with tcp-reset\nCOMMIT\n");
	for (uint32_t uid = 999; uid < 1001; uid++) {
		struct full_addr a = { .addr = sim_parse("192.0.2.2"), .port = 80 };

		cr_assert_eq(endpoint_new(client->stack, NET_IPV4, IP_PROTO_TCP, &c), NS_OK);
		endpoint_set_cred(c, uid, 0);
		err = endpoint_connect(c, &a);
		sim_run(sim, NS_PER_SEC);
		if (uid == 1000)
			cr_assert(endpoint_readiness(c, WAIT_OUT) == WAIT_OUT, "not connected");
		else
			cr_assert(err == NS_ERR_CONNECTION_REFUSED ||
				  endpoint_take_error(c) == NS_ERR_CONNECTION_REFUSED, "%s", ns_err_str(err));
		endpoint_close(c);
	}
	endpoint_close(l);
}
