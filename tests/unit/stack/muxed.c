/* Several links as one: which way packets go, by station and by subnet; a stack on two networks, with faults. */
#include "link/muxed.h"

#include <criterion/criterion.h>
#include <poll.h>

#include "link/sharedmem.h"
#include "net.h"

static struct clock clk;
static struct pkt_pool *pool;
static struct link *mux, *ch[3];
static int ngot;

static void sink_rx(struct link_sink *k, struct pkt *p)
{
	ngot++;
	pkt_free(p);
}

static struct link_sink sink = { sink_rx };

static void init(void)
{
	clock_init(&clk, 0, 0);
	pool = pkt_pool_new();
	mux = muxed_new(&clk);
}

static void fini(void)
{
	link_close(mux);
	cr_assert_eq(pkt_pool_live(pool), 0);
	pkt_pool_unref(pool);
}

TestSuite(muxed, .init = init, .fini = fini);

static struct link *channel(uint32_t mtu, uint32_t caps)
{
	struct channel_config cc = { .depth = 4, .mtu = mtu, .caps = caps, .gso_max = mtu * 10 };

	return channel_new(&cc);
}

static struct link_addr mac(uint8_t n)
{
	return (struct link_addr){ { 2, 0, 0, 0, 0, n }, 6 };
}

static void add_ethers(void)
{
	for (uint8_t i = 0; i < 3; i++) {
		struct link_addr a = mac((uint8_t)(0x10 + i));

		ch[i] = channel(1500, LINK_CAP_ETHERNET);
		cr_assert_eq(muxed_add(mux, ether_new(ch[i], &a), NULL, 0), NS_OK);
	}
	link_attach(mux, &sink);
}

static void add_plain(const char *subnets[3])
{
	for (int i = 0; i < 3; i++) {
		struct subnet s;

		ch[i] = channel(1500, 0);
		cr_assert(subnet_parse(subnets[i], &s));
		cr_assert_eq(muxed_add(mux, ch[i], &s, 1), NS_OK);
	}
	link_attach(mux, &sink);
}

static int waiting(int i)
{
	struct pkt *p;
	int n = 0;

	while ((p = channel_read(ch[i]))) {
		if (p->len >= 14)
			cr_assert_eq(pkt_data(p)[11], 0x10, "the first one's address");
		pkt_free(p);
		n++;
	}
	return n;
}

static void expect(int a, int b, int c, const char *why)
{
	int want[3] = { a, b, c };

	for (int i = 0; i < 3; i++)
		cr_assert_eq(waiting(i), want[i], "%s: link %d", why, i);
}

static enum ns_err to_station(struct link_addr dst)
{
	struct pkt *p = pkt_from_bytes(pool, "payload", 7);

	p->link_dst = dst;
	p->net_proto = 0x88b5;
	return link_write(mux, p);
}

static enum ns_err to_addr(const char *dst)
{
	struct pkt *p = pkt_from_bytes(pool, "payload", 7);

	p->dst = sim_parse(dst);
	return link_write(mux, p);
}

static void heard(int i, uint8_t station)
{
	uint8_t f[20] = { 2, 0, 0, 0, 0, 0x10, 2, 0, 0, 0, 0, station, 8, 0 };

	channel_inject(ch[i], pkt_from_bytes(pool, f, sizeof(f)));
}

Test(muxed, goes_where_a_station_was_heard_last)
{
	add_ethers();
	cr_assert_eq(to_station(mac(0x21)), NS_OK);
	expect(1, 1, 1, "not heard of");
	heard(1, 0x21);
	cr_assert_eq(ngot, 1);
	cr_assert_eq(to_station(mac(0x21)), NS_OK);
	expect(0, 1, 0, "heard there");
	heard(2, 0x21);
	to_station(mac(0x21));
	expect(0, 0, 1, "has moved");
	to_station(link_addr_broadcast);
	expect(1, 1, 1, "a group");
	clk.now_ns += (MUXED_AGE_S + 1) * NS_PER_SEC;
	to_station(mac(0x21));
	expect(1, 1, 1, "too long ago");
}

Test(muxed, goes_by_the_longest_prefix_without_link_addresses)
{
	static const char *subnets[3] = { "10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32" };

	add_plain(subnets);
	to_addr("10.2.0.1");
	expect(1, 0, 0, "the short prefix");
	to_addr("10.1.0.1");
	expect(0, 1, 0, "the longer prefix");
	to_addr("2001:db8::1");
	expect(0, 0, 1, "IPv6");
	to_addr("224.0.0.1");
	expect(1, 1, 1, "a group");
	to_addr("255.255.255.255");
	expect(1, 1, 1, "all");
	to_addr("10.1.255.255");
	expect(1, 1, 1, "a subnet's broadcast");
	cr_assert_eq(to_addr("192.0.2.1"), NS_ERR_NO_ROUTE);
	expect(0, 0, 0, "no way");
}

Test(muxed, can_what_all_can)
{
	struct link *a = channel(9000, LINK_CAP_TX_CSUM | LINK_CAP_TSO4), *b = channel(1400, LINK_CAP_TX_CSUM);

	cr_assert_eq(muxed_add(mux, a, NULL, 0), NS_OK);
	cr_assert(mux->mtu == 9000 && mux->caps == (LINK_CAP_TX_CSUM | LINK_CAP_TSO4));
	cr_assert_eq(muxed_add(mux, b, NULL, 0), NS_OK);
	cr_assert(mux->mtu == 1400 && mux->caps == LINK_CAP_TX_CSUM && mux->gso_max == 14000);
}

Test(muxed, refuses_another_kind_and_too_many)
{
	struct link_addr a = mac(1);
	struct subnet many[MUXED_MAX_SUBNETS + 1] = { 0 };

	cr_assert_eq(muxed_add(mux, channel(1500, 0), NULL, 0), NS_OK);
	cr_assert_eq(muxed_add(mux, ether_new(channel(1500, LINK_CAP_ETHERNET), &a), NULL, 0), NS_ERR_BAD_LINK_ENDPOINT);
	cr_assert_eq(muxed_add(mux, channel(1500, LINK_CAP_ETHERNET), NULL, 0), NS_ERR_BAD_LINK_ENDPOINT);
	cr_assert_eq(muxed_add(mux, channel(1500, 0), many, MUXED_MAX_SUBNETS + 1), NS_ERR_NO_BUFFER_SPACE);
	for (int i = 1; i < MUXED_MAX_LINKS; i++)
		cr_assert_eq(muxed_add(mux, channel(1500, 0), NULL, 0), NS_OK);
	cr_assert_eq(muxed_add(mux, channel(1500, 0), NULL, 0), NS_ERR_NO_BUFFER_SPACE);
}

Test(muxed, one_full_link_stops_not_the_others)
{
	add_ethers();
	for (int i = 0; i < 4; i++)
		to_station(link_addr_broadcast);
	cr_assert_not(mux->ops->write_ready(mux));
	cr_assert_eq(waiting(0) + waiting(1), 8);
	cr_assert_eq(to_station(link_addr_broadcast), NS_OK, "two of three took it");
	cr_assert_eq(waiting(0) + waiting(1), 2);
	cr_assert_eq(waiting(2), 4);
}

/* A stack with one NIC over two networks, on each of which another stack has an address of the same subnet. */
Test(muxed, a_stack_reaches_peers_on_both_networks_with_faults)
{
	struct sim *sim = sim_new(5);
	struct impair_dir bad = { .loss = 100000, .reorder = 100000, .reorder_ns = NS_PER_MS, .duplicate = 50000 };
	struct link *raw[2][2], *both = muxed_new(&sim->clock);
	struct endpoint *ep[3];
	struct stack *stacks[3];
	int answers[2] = { 0 };

	for (int i = 0; i < 2; i++) {
		struct impair_config ic = { .clock = &sim->clock, .seed = (uint64_t)i, .out = bad, .in = bad };
		struct link_addr a = mac(0x10);

		cr_assert_eq(sharedmem_pair(pool, 1500, 1 << 16, raw[i]), 0);
		cr_assert_eq(muxed_add(both, ether_new(impair_new(raw[i][0], &ic), &a), NULL, 0), NS_OK);
	}
	for (uint8_t i = 0; i < 3; i++) {
		static const char *const addrs[] = { "10.0.0.1/24", "10.0.0.2/24", "10.0.0.3/24" };
		struct stack_config sc = netstack_config();
		struct link_addr a = mac((uint8_t)(0x20 + i));
		struct full_addr local = { .port = 7 };
		struct nic *nic;

		sc.clock = &sim->clock;
		sc.pool = pool;
		cr_assert_eq(stack_new(&sc, &stacks[i]), NS_OK);
		cr_assert_eq(nic_create(stacks[i], 1, NULL, i ? ether_new(raw[i - 1][1], &a) : both, &nic), NS_OK);
		sim_addr(nic, addrs[i]);
		cr_assert_eq(endpoint_new(stacks[i], NET_IPV4, IP_PROTO_UDP, &ep[i]), NS_OK);
		cr_assert_eq(endpoint_bind(ep[i], &local), NS_OK);
	}
	for (int round = 0; round < 200; round++) {
		struct full_addr from;
		char buf[2000];
		ssize_t n;

		sim_send(ep[0], round & 1 ? "10.0.0.2" : "10.0.0.3", 7, buf, 500);
		for (int k = 0; k < 8; k++) {
			sim_run(sim, NS_PER_MS);
			for (int i = 0; i < 4; i++)
				sharedmem_rx(raw[i / 2][i % 2], 100);
			for (int i = 0; i < 3; i++)
				stack_run(stacks[i]);
			for (int i = 1; i < 3; i++)
				while ((n = sim_recv(ep[i], buf, sizeof(buf), &from, NULL)) > 0)
					sim_send(ep[i], "10.0.0.1", 7, buf, (size_t)n);
		}
		while (sim_recv(ep[0], buf, sizeof(buf), &from, NULL) == 500)
			answers[from.addr.b[3] == 3]++;
	}
	cr_assert(answers[0] > 60 && answers[0] < 110, "%d", answers[0]);
	cr_assert(answers[1] > 60 && answers[1] < 110, "%d", answers[1]);
	for (int i = 0; i < 3; i++) {
		endpoint_close(ep[i]);
		stack_free(stacks[i]);
	}
	sim_free(sim);
}
