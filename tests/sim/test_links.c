/*
 * Stacks on a switch, each over rings in shared memory: a server and three clients with 5% loss on every port, and
 * one whose link is made to hold still for a while. Virtual time; the same seed gives the same course.
 */
#include <criterion/criterion.h>

#include "link/lan_switch.h"
#include "link/sharedmem.h"
#include "link/waitable.h"
#include "net.h"

enum { HOSTS = 4, BYTES = 300000, PORT = 80 };

static struct clock clk;
static struct pkt_pool *pool;
static struct lan_switch *sw;

static struct host {
	struct stack *stack;
	struct link *near, *far, *waitable;	/* its end of the rings, the switch's */
	struct lan_port *port;
	struct endpoint *ep, *conn;		/* a client's; the server's side of it */
	size_t sent, got;
	bool wrong, ended;
} hosts[HOSTS];

static void build(uint64_t seed)
{
	struct lan_switch_config c = { .clock = &clk, .seed = seed };

	memset(hosts, 0, sizeof(hosts));
	clock_init(&clk, 1, 1);
	pool = pkt_pool_new();
	sw = lan_switch_new(&c);
	for (uint8_t i = 0; i < HOSTS; i++) {
		const struct link_addr mac = { { 2, 0, 0, 0, 0, (uint8_t)(i + 1) }, 6 };
		struct stack_config sc = netstack_config();
		struct host *h = &hosts[i];
		struct link *ends[2];
		struct nic *nic;
		char addr[32];

		cr_assert_eq(sharedmem_pair(pool, 1500, 1 << 18, ends), 0);
		h->near = ends[0];
		h->far = ends[1];
		h->port = lan_switch_add(sw, h->far, &mac);
		sc.clock = &clk;
		sc.pool = pool;
		sc.seed[0] = (uint8_t)(seed + i);
		cr_assert_eq(stack_new(&sc, &h->stack), NS_OK);
		h->waitable = waitable_new(h->near);
		cr_assert_eq(nic_create(h->stack, 1, NULL, ether_new(h->waitable, &mac), &nic), NS_OK);
		snprintf(addr, sizeof(addr), "10.0.0.%d/24", i + 1);
		sim_addr(nic, addr);
	}
}

static void take_down(void)
{
	for (int i = 0; i < HOSTS; i++) {
		endpoint_close(hosts[i].ep);
		if (hosts[i].conn)
			endpoint_close(hosts[i].conn);
	}
	for (int i = 0; i < HOSTS; i++)
		stack_free(hosts[i].stack);
	lan_switch_free(sw);
	cr_assert_eq(pkt_pool_live(pool), 0);
	pkt_pool_unref(pool);
}

/* Everything that is to be done now, without time passing. */
static void settle(void)
{
	int n;

	do {
		n = 0;
		for (int i = 0; i < HOSTS; i++) {
			n += sharedmem_rx(hosts[i].near, 64);
			n += sharedmem_rx(hosts[i].far, 64);
		}
		clock_run(&clk);
	} while (n);
}

static uint8_t byte_of(int client, size_t at)
{
	return (uint8_t)(at * 31 + at / 509 + (size_t)client);
}

/* The server writes to each client what it has not yet. */
static void serve(void)
{
	struct endpoint *ep;
	struct full_addr peer;

	while (endpoint_accept(hosts[0].ep, &ep, &peer) == NS_OK)
		hosts[peer.addr.b[3] - 1].conn = ep;
	for (int i = 1; i < HOSTS; i++) {
		struct host *h = &hosts[i];
		static uint8_t block[8192];
		size_t n = 1;

		while (h->conn && h->sent < BYTES && n) {
			struct iovec iov = { block, BYTES - h->sent < sizeof(block) ? BYTES - h->sent : sizeof(block) };
			struct write_opts o = { 0 };

			for (size_t k = 0; k < iov.iov_len; k++)
				block[k] = byte_of(i, h->sent + k);
			n = 0;
			if (endpoint_write(h->conn, &iov, 1, &o, &n))
				break;
			h->sent += n;
			if (h->sent == BYTES)
				endpoint_shutdown(h->conn, SHUTDOWN_WRITE);
		}
	}
}

static void receive(int i)
{
	static uint8_t block[65536];
	struct host *h = &hosts[i];
	struct iovec iov = { block, sizeof(block) };
	struct read_msg m = { .iov = &iov, .iovcnt = 1 };
	enum ns_err err;

	while ((err = endpoint_read(h->ep, &m)) == NS_OK && m.n > 0)
		for (size_t k = 0; k < m.n; k++, h->got++)
			h->wrong |= block[k] != byte_of(i, h->got);
	h->ended |= err == NS_ERR_CLOSED_FOR_RECEIVE || (err == NS_OK && m.n == 0);
}

static void start(void)
{
	struct full_addr server = { .addr = sim_parse("10.0.0.1"), .port = PORT }, local = { .port = PORT };

	for (int i = 0; i < HOSTS; i++)
		cr_assert_eq(endpoint_new(hosts[i].stack, NET_IPV4, IP_PROTO_TCP, &hosts[i].ep), NS_OK);
	cr_assert_eq(endpoint_bind(hosts[0].ep, &local), NS_OK);
	cr_assert_eq(endpoint_listen(hosts[0].ep, 8), NS_OK);
	for (int i = 1; i < HOSTS; i++)
		cr_assert_eq(endpoint_connect(hosts[i].ep, &server), NS_ERR_CONNECT_STARTED);
}

static bool all_ended(void)
{
	return hosts[1].ended && hosts[2].ended && hosts[3].ended;
}

/* Lets time pass up to @until_ns, or until all have all. */
static void run(int64_t until_ns)
{
	while (clk.now_ns < until_ns && !all_ended()) {
		int64_t next;

		settle();
		serve();
		for (int i = 1; i < HOSTS; i++)
			receive(i);
		settle();
		next = clock_next(&clk);
		clock_set(&clk, next < until_ns ? next : until_ns, clk.wall_ns);
	}
}

static int64_t transfer(uint64_t seed, uint32_t loss)
{
	struct impair_dir bad = { .loss = loss, .delay_ns = NS_PER_MS };
	int64_t took;

	build(seed);
	for (int i = 0; i < HOSTS; i++)
		lan_port_impair(hosts[i].port, &bad, &bad);
	start();
	run(600 * NS_PER_SEC);
	for (int i = 1; i < HOSTS; i++) {
		cr_assert(hosts[i].ended && hosts[i].got == BYTES && !hosts[i].wrong, "%d: %zu", i, hosts[i].got);
		if (loss)
			cr_assert_gt(lan_port_get_stats(hosts[i].port).lost, 5);
		cr_assert_eq(lan_port_get_stats(hosts[i].port).forged, 0);
	}
	took = clk.now_ns;
	take_down();
	return took;
}

Test(links, three_clients_behind_lossy_ports_get_all_of_it)
{
	int64_t clean = transfer(1, 0), lossy = transfer(1, 50000);

	cr_assert_lt(clean, lossy);
	cr_assert_lt(lossy, 120 * NS_PER_SEC);
}

Test(links, the_same_seed_gives_the_same_course)
{
	cr_assert_eq(transfer(7, 50000), transfer(7, 50000));
	cr_assert_neq(transfer(8, 50000), transfer(7, 50000));
}

Test(links, a_waitable_link_holds_still_in_the_middle_of_it_and_goes_on)
{
	struct impair_dir bad = { .loss = 20000, .delay_ns = 5 * NS_PER_MS };
	struct lan_port_stats before, after;
	size_t got;

	build(3);
	for (int i = 0; i < HOSTS; i++)
		lan_port_impair(hosts[i].port, &bad, &bad);
	start();
	while (hosts[2].got < BYTES / 4)
		run(clk.now_ns + NS_PER_MS);
	cr_assert(waitable_stop_writes(hosts[2].waitable) && waitable_stop_delivery(hosts[2].waitable));
	cr_assert(waitable_idle(hosts[2].waitable));
	run(clk.now_ns + 20 * NS_PER_MS);	/* what was under way */
	receive(2);
	got = hosts[2].got;
	before = lan_port_get_stats(hosts[2].port);
	run(clk.now_ns + 5 * NS_PER_SEC);
	after = lan_port_get_stats(hosts[2].port);
	cr_assert_eq(after.sent, before.sent, "nothing comes out of it");
	cr_assert_eq(hosts[2].got, got, "and nothing gets in");
	cr_assert(hosts[1].ended && hosts[3].ended, "the others are not held up");
	waitable_resume(hosts[2].waitable);
	run(600 * NS_PER_SEC);
	cr_assert(hosts[2].ended && hosts[2].got == BYTES && !hosts[2].wrong);
	take_down();
}
