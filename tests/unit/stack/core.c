/* The core: NICs, addresses, routes, ports, demultiplexer, path MTUs, hooks, limits, counters. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "net.h"

static struct sim *sim;
static struct sim_host *h;
static struct stack *s;
static struct sim_segment *lan;

static void setup(void)
{
	sim = sim_new(5);
	h = sim_host(sim, "h");
	s = h->stack;
	lan = sim_segment(sim);
	sim_attach(h, lan, "10.0.0.1/24", NULL);
	sim_attach(h, lan, "10.0.1.1/24", NULL);
	sim_run(sim, 3 * NS_PER_SEC);
}

static void teardown(void)
{
	sim_free(sim);
}

TestSuite(core, .init = setup, .fini = teardown);

static enum ns_err find(const char *to, struct route *r)
{
	struct route_key k = { .remote = sim_parse(to) };

	return route_find(s, &k, r);
}

Test(core, a_second_nic_of_the_same_id_or_name_is_refused_and_its_link_closed)
{
	struct channel_config cc = { .depth = 1, .mtu = 1500 };
	struct channel_config tiny = { .depth = 1, .mtu = 60 };

	cr_assert_eq(nic_create(s, 1, "other", channel_new(&cc), NULL), NS_ERR_DUPLICATE_NIC_ID);
	cr_assert_eq(nic_create(s, 9, "nic1", channel_new(&cc), NULL), NS_ERR_DUPLICATE_NIC_ID);
	cr_assert_eq(nic_create(s, 0, NULL, channel_new(&cc), NULL), NS_ERR_UNKNOWN_NIC_ID);
	cr_assert_eq(nic_create(s, 9, NULL, channel_new(&tiny), NULL), NS_ERR_BAD_LINK_ENDPOINT);
	cr_assert_eq(nic_create(s, 9, NULL, NULL, NULL), NS_ERR_BAD_LINK_ENDPOINT);
	cr_assert_eq(nic_remove(s, 9), NS_ERR_UNKNOWN_NIC_ID);
}

Test(core, addresses_that_can_be_nobodys_are_refused)
{
	static const char *const bad[] = { "0.0.0.0", "224.0.0.1", "255.255.255.255", "::",
					   "ff02::1", "::ffff:1.2.3.4" };
	struct nic *nic = h->ports[0]->nic;
	struct addr_prefix ap = { .prefix_len = 24 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ap.addr = sim_parse(bad[i]);
		cr_assert_eq(nic_add_addr(nic, &ap, ADDR_MANUAL, NULL), NS_ERR_BAD_ADDRESS);
	}
	ap.addr = sim_parse("10.0.0.1");
	cr_assert_eq(nic_add_addr(nic, &ap, ADDR_MANUAL, NULL), NS_ERR_DUPLICATE_ADDRESS);
	ap.addr = sim_parse("10.0.0.9");
	cr_assert_eq(nic_remove_addr(nic, &ap.addr), NS_ERR_BAD_LOCAL_ADDRESS);
}

Test(core, first_viable_row_wins_not_the_longest)
{
	struct route_row rows[3] = { { .nic = 2 }, { .nic = 1 }, { .nic = 1 } };
	struct route r;

	subnet_parse("192.168.0.0/16", &rows[0].destination);
	subnet_parse("192.168.7.0/24", &rows[1].destination);
	subnet_parse("0.0.0.0/0", &rows[2].destination);
	rows[2].gateway = sim_parse("10.0.0.254");
	cr_assert_eq(route_set_table(s, rows, 3), NS_OK);
	cr_assert_eq(find("192.168.7.7", &r), NS_OK);
	cr_assert_eq(r.nic->id, 2);
	cr_assert_eq(find("8.8.8.8", &r), NS_OK);
	cr_assert(addr_equal(&r.next_hop, &rows[2].gateway));
	nic_set_enabled(nic_find(s, 2), false);
	cr_assert_eq(find("192.168.7.7", &r), NS_OK);
	cr_assert_eq(r.nic->id, 1, "a row whose NIC is down is not viable");
	cr_assert(route_remove(s, &rows[2]));
	cr_assert_eq(find("8.8.8.8", &r), NS_ERR_NO_ROUTE);
	rows[0].nic = 77;
	cr_assert_eq(route_add(s, &rows[0]), NS_ERR_UNKNOWN_NIC_ID);
}

Test(core, broadcasts_go_with_the_last_address_of_their_subnet)
{
	struct nic *nic = h->ports[0]->nic;
	struct addr b = sim_parse("10.0.0.255"), one = sim_parse("10.0.0.1"), two = sim_parse("10.0.0.2");

	sim_addr(nic, "10.0.0.2/24");
	cr_assert(nic_is_broadcast(nic, &b));
	cr_assert_eq(nic_remove_addr(nic, &one), NS_OK);
	cr_assert(nic_is_broadcast(nic, &b));
	cr_assert_eq(nic_remove_addr(nic, &two), NS_OK);
	cr_assert_not(nic_is_broadcast(nic, &b));
}

Test(core, routes_become_invalid_when_addresses_or_nics_change)
{
	struct route r;

	cr_assert_eq(find("10.0.0.5", &r), NS_OK);
	cr_assert(route_valid(&r));
	sim_addr(h->ports[1]->nic, "10.0.7.1/24");
	cr_assert_not(route_valid(&r));
	route_release(&r);
}

Test(core, local_address_narrows_the_route)
{
	struct route_key k = { .remote = sim_parse("10.0.0.5"), .local = sim_parse("10.0.1.1") };
	struct route r;

	cr_assert_eq(route_find(s, &k, &r), NS_ERR_NO_ROUTE, "the row's NIC has not that address");
	k.local = sim_parse("10.9.9.9");
	cr_assert_eq(route_find(s, &k, &r), NS_ERR_BAD_LOCAL_ADDRESS);
	k = (struct route_key){ .remote = sim_parse("10.0.0.5"), .nic = 9 };
	cr_assert_eq(route_find(s, &k, &r), NS_ERR_UNKNOWN_NIC_ID);
}

Test(core, hundred_thousand_rows_are_found)
{
	struct route_row row = { .nic = 1 };
	struct route r;

	for (uint32_t i = 0; i < 100000; i++) {
		struct addr_prefix ap = { addr_v4(20, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i),
					  32 };

		row.destination = subnet_of(&ap);
		cr_assert_eq(route_add(s, &row), NS_OK);
	}
	cr_assert_eq(find("20.1.134.159", &r), NS_OK);
	cr_assert_eq(find("20.1.134.160", &r), NS_ERR_NO_ROUTE);
}

static struct port_claim claim(uint16_t port, const char *addr)
{
	struct port_claim c = { .proto = 17, .nets = 1 << NET_IPV4, .port = port };

	if (addr)
		c.addr = sim_parse(addr);
	return c;
}

Test(core, ports_conflict_by_address_nic_family_and_protocol)
{
	struct port_claim any = claim(80, NULL), one = claim(80, "10.0.0.1"),
			  two = claim(80, "10.0.1.1"), tcp = claim(80, NULL), v6 = claim(80, NULL);

	tcp.proto = 6;
	v6.nets = 1 << NET_IPV6;
	cr_assert_eq(ports_claim(s, &one), NS_OK);
	cr_assert_eq(ports_claim(s, &two), NS_OK);
	cr_assert_eq(ports_claim(s, &any), NS_ERR_PORT_IN_USE);
	cr_assert_eq(ports_claim(s, &tcp), NS_OK);
	cr_assert_eq(ports_claim(s, &v6), NS_OK);
	ports_release(s, &one);
	ports_release(s, &two);
	any.nic = 1;
	cr_assert_eq(ports_claim(s, &any), NS_OK);
	two.nic = 2;
	cr_assert_eq(ports_claim(s, &two), NS_OK, "on another device");
	ports_release(s, &any);
	ports_release(s, &two);
	ports_release(s, &tcp);
	ports_release(s, &v6);
}

Test(core, ports_are_shared_by_those_who_agreed)
{
	struct port_claim a = claim(80, NULL), b = claim(80, NULL), c = claim(80, NULL);

	a.reuse_port = b.reuse_port = true;
	c.reuse_address = true;
	cr_assert_eq(ports_claim(s, &a), NS_OK);
	cr_assert_eq(ports_claim(s, &b), NS_OK);
	cr_assert_eq(ports_claim(s, &c), NS_ERR_PORT_IN_USE);
	ports_release(s, &a);
	ports_release(s, &b);
	a = claim(80, NULL);
	a.reuse_address = true;
	cr_assert_eq(ports_claim(s, &a), NS_OK);
	cr_assert_eq(ports_claim(s, &c), NS_OK);
	cr_assert_eq(ports_set_exclusive(s, &a), NS_OK);
	cr_assert_eq(ports_set_exclusive(s, &c), NS_ERR_PORT_IN_USE, "two listeners");
	b = claim(80, NULL);
	b.reuse_address = true;
	cr_assert_eq(ports_claim(s, &b), NS_ERR_PORT_IN_USE, "while one listens");
	ports_release(s, &a);
	ports_release(s, &c);
}

Test(core, ephemeral_ports_stay_in_range_and_run_out)
{
	struct port_claim c[12];

	cr_assert_eq(ports_set_range(s, 0, 5), NS_ERR_INVALID_OPTION_VALUE);
	cr_assert_eq(ports_set_range(s, 50000, 50009), NS_OK);
	for (int i = 0; i < 12; i++) {
		c[i] = claim(0, NULL);
		cr_assert_eq(ports_claim(s, &c[i]), i < 10 ? NS_OK : NS_ERR_NO_PORT_AVAILABLE);
		cr_assert(i >= 10 || (c[i].port >= 50000 && c[i].port <= 50009));
	}
	for (int i = 0; i < 12; i++)
		ports_release(s, &c[i]);
	cr_assert_eq(s->ports.table.count, 0);
}

Test(core, ephemeral_ports_are_shared_between_different_peers)
{
	struct port_claim c[30];

	ports_set_range(s, 50000, 50009);
	for (int i = 0; i < 30; i++) {
		c[i] = claim(0, "10.0.0.1");
		c[i].remote = addr_v4(10, 0, 0, (uint8_t)(100 + i / 10));
		c[i].rport = 80;
		cr_assert_eq(ports_claim(s, &c[i]), NS_OK, "%d", i);
	}
	for (int i = 0; i < 30; i++)
		ports_release(s, &c[i]);
}

static struct demux_node node(struct endpoint *ep, const char *local, const char *remote)
{
	struct demux_node n = { .ep = ep, .lport = 7, .net = NET_IPV4, .proto = 17 };

	if (local)
		n.local = sim_parse(local);
	if (remote) {
		n.remote = sim_parse(remote);
		n.rport = 9;
	}
	return n;
}

Test(core, demux_prefers_the_closest_entry)
{
	struct endpoint eps[4];
	struct demux_node n[4] = {
		node(&eps[0], NULL, NULL), node(&eps[1], "10.0.0.1", NULL),
		node(&eps[2], NULL, "10.0.0.2"), node(&eps[3], "10.0.0.1", "10.0.0.2"),
	};
	struct demux_key k = { sim_parse("10.0.0.1"), sim_parse("10.0.0.2"), 7, 9, 1, NET_IPV4, 17 };

	cr_assert_null(demux_find(s, &k));
	for (int i = 0; i < 4; i++) {
		cr_assert_eq(demux_add(s, &n[i]), NS_OK);
		cr_assert_eq(demux_find(s, &k), &eps[i]);
	}
	k.rport = 10;
	cr_assert_eq(demux_find(s, &k), &eps[1]);
	k.local = sim_parse("10.0.1.1");
	cr_assert_eq(demux_find(s, &k), &eps[0]);
	for (int i = 0; i < 4; i++)
		demux_remove(s, &n[i]);
	cr_assert_null(demux_find(s, &k));
}

Test(core, demux_honours_the_nic_and_prefers_it)
{
	struct endpoint eps[2];
	struct demux_node all = node(&eps[0], NULL, NULL), one = node(&eps[1], NULL, NULL);
	struct demux_key k = { sim_parse("10.0.0.1"), sim_parse("10.0.0.2"), 7, 9, 1, NET_IPV4, 17 };

	one.nic = 1;
	demux_add(s, &one);
	demux_add(s, &all);
	cr_assert_eq(demux_find(s, &k), &eps[1]);
	k.nic = 2;
	cr_assert_eq(demux_find(s, &k), &eps[0]);
	demux_remove(s, &all);
	demux_remove(s, &one);
}

Test(core, demux_balances_flows_evenly_and_faithfully)
{
	struct endpoint eps[4];
	struct demux_node n[4];
	int hits[4] = { 0 };

	for (int i = 0; i < 4; i++) {
		n[i] = node(&eps[i], NULL, NULL);
		n[i].balance = true;
		demux_add(s, &n[i]);
	}
	for (uint16_t port = 1; port <= 4000; port++) {
		struct demux_key k = { sim_parse("10.0.0.1"), sim_parse("10.0.0.2"), 7, port, 1,
				       NET_IPV4, 17 };
		struct endpoint *ep = demux_find(s, &k);

		cr_assert_eq(ep, demux_find(s, &k));
		hits[ep - eps]++;
	}
	for (int i = 0; i < 4; i++) {
		cr_assert(hits[i] > 800 && hits[i] < 1200, "%d", hits[i]);
		demux_remove(s, &n[i]);
	}
}

Test(core, demux_unique_entries_refuse_twins)
{
	struct endpoint ep;
	struct demux_node a = node(&ep, "10.0.0.1", "10.0.0.2"), b = a;

	a.unique = b.unique = true;
	cr_assert_eq(demux_add(s, &a), NS_OK);
	cr_assert_eq(demux_add(s, &b), NS_ERR_PORT_IN_USE);
	demux_remove(s, &a);
}

Test(core, pmtu_only_shrinks_has_a_floor_and_expires)
{
	struct addr d = sim_parse("10.0.0.5");

	cr_assert_eq(pmtu_get(&s->pmtu, &d, 1500), 1500);
	pmtu_update(&s->pmtu, &d, 1400);
	cr_assert_eq(pmtu_get(&s->pmtu, &d, 1500), 1400);
	pmtu_update(&s->pmtu, &d, 1450);
	cr_assert_eq(pmtu_get(&s->pmtu, &d, 1500), 1400);
	cr_assert_not(pmtu_is_narrow(&s->pmtu, &d));
	pmtu_update(&s->pmtu, &d, 68);
	cr_assert_eq(pmtu_get(&s->pmtu, &d, 1500), 552);
	cr_assert(pmtu_is_narrow(&s->pmtu, &d), "552 may be too much");
	sim_run(sim, 601 * NS_PER_SEC);
	cr_assert_eq(pmtu_get(&s->pmtu, &d, 1500), 1500);
	for (uint32_t i = 0; i < 5000; i++) {
		d = addr_v4(10, 1, (uint8_t)(i >> 8), (uint8_t)i);
		pmtu_update(&s->pmtu, &d, 1400);
	}
	cr_assert_leq(s->pmtu.table.count, 1024);
}

Test(core, ratelimit_lets_a_burst_pass_and_then_the_rate)
{
	struct ratelimit r;
	int n = 0;

	ratelimit_init(&r, 100, 10);
	for (int i = 0; i < 50; i++)
		n += ratelimit_take(&r, 0);
	cr_assert_eq(n, 10);
	for (int64_t t = 0; t < NS_PER_SEC; t += NS_PER_MS)
		n += ratelimit_take(&r, t);
	cr_assert(n >= 108 && n <= 110, "%d", n);
}

static enum hook_verdict drop_all(struct hook *hk, enum hook_point at, struct pkt *pkt,
				  struct nic *in, struct nic *out)
{
	return HOOK_DROP;
}

Test(core, hooks_see_packets_and_may_drop_them)
{
	struct sim_host *p = sim_host(sim, "p");
	struct endpoint *from, *to;
	struct hook hk = { .fn = drop_all };
	char b[8];

	sim_attach(p, lan, "10.0.0.2/24", NULL);
	from = sim_udp(p, "", 1);
	to = sim_udp(h, "", 2);
	for (int at = HOOK_PREROUTING; at <= HOOK_INPUT; at++) {
		hook_add(&s->hooks, (enum hook_point)at, &hk);
		sim_send(from, "10.0.0.1", 2, "x", 1);
		sim_settle(sim);
		cr_assert_eq(sim_recv(to, b, 8, NULL, NULL), -1);
		hook_remove(&hk);
	}
	cr_assert_geq(s->stats.ip.hook_dropped.value, 2);
	sim_send(from, "10.0.0.1", 2, "x", 1);
	sim_settle(sim);
	cr_assert_eq(sim_recv(to, b, 8, NULL, NULL), 1);
	hook_add(&s->hooks, HOOK_OUTPUT, &hk);
	cr_assert_eq(sim_send(to, "10.0.0.2", 1, "x", 1), NS_ERR_NOT_PERMITTED);
	hook_remove(&hk);
}

static size_t counters;

static void count(void *ctx, const char *name, const struct stat_counter *c)
{
	counters++;
	if (strcmp(name, ctx) == 0)
		cr_assert_eq(stat_value(c), 42);
}

Test(core, every_counter_is_walked_once)
{
	s->stats.udp.packets_sent.value = 42;
	stats_walk(&s->stats, count, (void *)"udp.packets_sent");
	cr_assert_eq(counters * sizeof(struct stat_counter), sizeof(struct stats));
}

Test(core, nic_removal_takes_addresses_routes_and_queued_packets_along)
{
	struct endpoint *ep = sim_udp(h, "", 1);
	char b[8];

	sim_send(ep, "10.0.0.77", 1, "x", 1);		/* waits for resolution */
	sim_send(ep, "10.0.0.1", 1, "y", 1);		/* to itself, received */
	sim_settle(sim);
	h->ports[0]->channel = NULL;
	list_remove(&h->ports[0]->list);
	cr_assert_eq(nic_remove(s, 1), NS_OK);
	cr_assert_eq(sim_send(ep, "10.0.0.77", 1, "x", 1), NS_ERR_NO_ROUTE);
	cr_assert_eq(sim_recv(ep, b, 8, NULL, NULL), 1);
}

Test(core, unknown_protocols_and_options_are_named_errors)
{
	struct endpoint *ep;
	int64_t v;

	cr_assert_eq(endpoint_new(s, NET_IPV4, 200, &ep), NS_ERR_UNKNOWN_PROTOCOL);
	cr_assert_eq(stack_set_trans_option(s, 200, 0, &v, sizeof(v)), NS_ERR_UNKNOWN_PROTOCOL);
	cr_assert_eq(stack_get_trans_option(s, IP_PROTO_UDP, 0, &v, sizeof(v)),
		     NS_ERR_UNKNOWN_PROTOCOL_OPTION);
	ep = sim_udp(h, "", 1);
	cr_assert_eq(endpoint_set_int(ep, SOCKOPT_NO_DELAY, 1), NS_ERR_UNKNOWN_PROTOCOL_OPTION);
	cr_assert_eq(endpoint_set_int(ep, SOCKOPT_TTL, 256), NS_ERR_INVALID_OPTION_VALUE);
	cr_assert_eq(endpoint_set_int(ep, SOCKOPT_BIND_TO_DEVICE, 9), NS_ERR_UNKNOWN_DEVICE);
	cr_assert_eq(endpoint_listen(ep, 1), NS_ERR_NOT_SUPPORTED);
	cr_assert_eq(endpoint_shutdown(ep, SHUTDOWN_READ), NS_ERR_NOT_CONNECTED);
	cr_assert_eq(endpoint_set_int(ep, SOCKOPT_RECEIVE_BUFFER_SIZE, 1), NS_OK);
	cr_assert_eq(endpoint_get_int(ep, SOCKOPT_RECEIVE_BUFFER_SIZE, &v), NS_OK);
	cr_assert_eq(v, 2048);
}

static void count_ep(void *ctx, struct endpoint *ep)
{
	*(int *)ctx += !ep->dangling;
}

Test(core, endpoints_are_walked)
{
	struct endpoint *a = sim_udp(h, "", 1);
	int n = 0;

	sim_udp(h, "::", 1000);
	endpoint_walk(s, count_ep, &n);
	cr_assert_eq(n, 2);
	endpoint_close(a);
	endpoint_walk(s, count_ep, &n);
	cr_assert_eq(n, 3);
}

/* What the option says is what is on the wire. */
static uint8_t wire_ttl, wire_tos;

static void note_ip(void *ctx, const uint8_t *f, size_t n)
{
	if (f[12] == 8 && f[13] == 0 && f[23] == IP_PROTO_UDP) {
		wire_ttl = f[22];
		wire_tos = f[15];
	}
	if (f[12] == 0x86 && f[20] == IP_PROTO_UDP) {
		wire_ttl = f[21];
		wire_tos = (uint8_t)(f[14] << 4 | f[15] >> 4);
	}
}

Test(core, ttl_tos_and_traffic_class_are_on_the_wire)
{
	struct sim_host *p = sim_host(sim, "p");
	struct endpoint *e4, *e6;

	sim_attach(p, lan, "10.0.0.2/24", NULL);
	sim_addr(p->ports[0]->nic, "2001:db8::2/64");
	sim_addr(h->ports[0]->nic, "2001:db8::1/64");
	sim_run(sim, 3 * NS_PER_SEC);
	sim->tap = note_ip;
	e4 = sim_udp(h, "", 1);
	e6 = sim_udp(h, "::", 2);
	sim_send(e4, "10.0.0.2", 9, "x", 1);
	sim_settle(sim);
	cr_assert(wire_ttl == 64 && wire_tos == 0);
	cr_assert_eq(stack_set_default_ttl(s, NET_IPV4, 0), NS_ERR_INVALID_OPTION_VALUE);
	cr_assert_eq(stack_set_default_ttl(s, NET_IPV4, 77), NS_OK);
	cr_assert_eq(endpoint_set_int(e4, SOCKOPT_TOS, 0xb8), NS_OK);
	sim_send(e4, "10.0.0.2", 9, "x", 1);
	sim_settle(sim);
	cr_assert(wire_ttl == 77 && wire_tos == 0xb8);
	cr_assert_eq(endpoint_set_int(e4, SOCKOPT_TTL, 5), NS_OK);
	sim_send(e4, "10.0.0.2", 9, "x", 1);
	sim_settle(sim);
	cr_assert_eq(wire_ttl, 5);
	sim_send(e4, "224.1.1.1", 9, "x", 1);
	sim_settle(sim);
	cr_assert_eq(wire_ttl, 1, "multicast has a TTL of its own");
	cr_assert_eq(endpoint_set_int(e6, SOCKOPT_TRAFFIC_CLASS, 0xab), NS_OK);
	cr_assert_eq(endpoint_set_int(e6, SOCKOPT_TTL, 7), NS_OK);
	cr_assert_eq(endpoint_set_int(e6, SOCKOPT_HOPS, 9), NS_OK);
	sim_send(e6, "2001:db8::2", 9, "x", 1);
	sim_settle(sim);
	cr_assert(wire_ttl == 9 && wire_tos == 0xab);
}
