/* The switch: learning, flooding, forged senders, impairments of a port. */
#include "link/lan_switch.h"

#include <criterion/criterion.h>

#include "net.h"

enum { PORTS = 4 };

static struct clock clk;
static struct pkt_pool *pool;
static struct lan_switch *sw;
static struct lan_port *port[PORTS];
static struct link *ch[PORTS];

static void init(void)
{
	struct lan_switch_config c = { .clock = &clk, .seed = 1 };

	clock_init(&clk, 0, 0);
	pool = pkt_pool_new();
	sw = lan_switch_new(&c);
	for (int i = 0; i < PORTS; i++) {
		struct channel_config cc = { .depth = 8, .mtu = 1500, .caps = LINK_CAP_ETHERNET };
		struct link_addr mac = { { 2, 0, 0, 0, 0, (uint8_t)(0x10 + i) }, 6 };

		ch[i] = channel_new(&cc);
		port[i] = lan_switch_add(sw, ch[i], i == 0 ? &mac : NULL);	/* only the first is pinned */
	}
}

static void fini(void)
{
	lan_switch_free(sw);
	cr_assert_eq(pkt_pool_live(pool), 0);
	pkt_pool_unref(pool);
}

TestSuite(lan_switch, .init = init, .fini = fini);

/* From station @src behind port @i to @dst; both last bytes of addresses. 0xff: everybody. */
static void frame(int i, uint8_t src, uint8_t dst)
{
	uint8_t f[60] = { 2, 0, 0, 0, 0, dst, 2, 0, 0, 0, 0, src, 8, 0 };

	if (dst == 0xff)
		memset(f, 0xff, 6);
	channel_inject(ch[i], pkt_from_bytes(pool, f, sizeof(f)));
}

/* How many frames wait for port @i; they are dropped. */
static int waiting(int i)
{
	struct pkt *p;
	int n = 0;

	while ((p = channel_read(ch[i]))) {
		pkt_free(p);
		n++;
	}
	return n;
}

static void expect(int a, int b, int c, int d, const char *why)
{
	int want[PORTS] = { a, b, c, d };

	for (int i = 0; i < PORTS; i++)
		cr_assert_eq(waiting(i), want[i], "%s: port %d", why, i);
}

Test(lan_switch, floods_until_it_knows)
{
	frame(1, 0x21, 0x31);
	expect(1, 0, 1, 1, "unknown");
	frame(2, 0x31, 0x21);
	expect(0, 1, 0, 0, "learned from the sender");
	frame(1, 0x21, 0x31);
	expect(0, 0, 1, 0, "and from the answer");
	frame(3, 0x41, 0x10);
	expect(1, 0, 0, 0, "what belongs to a port is known from the start");
	frame(1, 0x22, 0x21);
	expect(0, 0, 0, 0, "behind the port it came from");
	cr_assert_eq(lan_switch_stations(sw), 4);
}

Test(lan_switch, groups_go_to_all_but_the_sender)
{
	frame(0, 0x10, 0xff);
	expect(0, 1, 1, 1, "broadcast");
	cr_assert_eq(lan_port_get_stats(port[0]).sent, 1);
	cr_assert_eq(lan_port_get_stats(port[1]).received, 1);
}

Test(lan_switch, stations_move_and_are_forgotten)
{
	frame(1, 0x21, 0xff);
	frame(2, 0x21, 0xff);
	expect(2, 1, 1, 2, "broadcasts");
	frame(3, 0x41, 0x21);
	expect(0, 0, 1, 0, "heard last there");
	clk.now_ns += (LAN_SWITCH_AGE_S + 1) * NS_PER_SEC;
	frame(3, 0x41, 0x21);
	expect(1, 1, 1, 0, "too long ago");
	lan_switch_remove(port[3]);
	cr_assert_eq(lan_switch_stations(sw), 0);
	frame(2, 0x21, 0x41);
	cr_assert(waiting(0) == 1 && waiting(1) == 1);
}

Test(lan_switch, nobody_takes_the_address_of_anothers_station)
{
	frame(1, 0x10, 0xff);
	expect(0, 0, 0, 0, "forged");
	cr_assert_eq(lan_port_get_stats(port[1]).forged, 1);
	frame(2, 0x31, 0x10);
	expect(1, 0, 0, 0, "still where it belongs");
}

Test(lan_switch, no_frames_are_refused)
{
	channel_inject(ch[1], pkt_from_bytes(pool, "too short", 9));
	channel_inject(ch[1], pkt_from_bytes(pool, "\2\0\0\0\0\1\1\0\0\0\0\1\x8\0", 14));
	channel_inject(ch[1], pkt_from_bytes(pool, "\2\0\0\0\0\1\0\0\0\0\0\0\x8\0", 14));
	expect(0, 0, 0, 0, "refused");
	cr_assert_eq(lan_port_get_stats(port[1]).refused, 3);
	cr_assert_eq(lan_switch_stations(sw), 0);
}

Test(lan_switch, a_full_port_harms_no_other)
{
	for (int i = 0; i < 20; i++) {
		frame(1, 0x21, 0xff);
		cr_assert_eq(waiting(2), 1);
	}
	cr_assert_eq(waiting(0), 8);
	cr_assert_eq(lan_port_get_stats(port[0]).full, 12);
	cr_assert_eq(lan_port_get_stats(port[0]).received, 8);
	cr_assert_eq(lan_port_get_stats(port[2]).full, 0);
}

Test(lan_switch, the_table_is_bounded_and_old_stations_go_first)
{
	frame(1, 0x21, 0xff);
	for (int i = 0; i < 10000; i++) {
		uint8_t f[60] = { 2, 0, 0, 0, 0, 1, 2, 1, 0, 0, (uint8_t)(i >> 8), (uint8_t)i, 8, 0 };

		clk.now_ns++;
		channel_inject(ch[2], pkt_from_bytes(pool, f, sizeof(f)));
	}
	cr_assert(lan_switch_stations(sw) <= LAN_SWITCH_STATIONS);
	for (int i = 0; i < PORTS; i++)
		waiting(i);
	frame(2, 0x31, 0x21);
	expect(1, 1, 0, 1, "forgotten, so flooded");
	frame(2, 0x31, 0x10);
	expect(1, 0, 0, 0, "what belongs to a port is never forgotten");
}

Test(lan_switch, impairment_is_of_one_port_and_one_direction)
{
	struct impair_dir half = { .loss = 500000 }, none = { 0 };
	int to0 = 0, to2 = 0;

	lan_port_impair(port[0], NULL, &half);
	for (int i = 0; i < 1000; i++) {
		frame(1, 0x21, 0xff);
		to0 += waiting(0);
		to2 += waiting(2);
		waiting(3);
	}
	cr_assert(to0 > 430 && to0 < 570 && to2 == 1000, "%d %d", to0, to2);
	cr_assert_eq(lan_port_get_stats(port[0]).lost, 1000u - (unsigned)to0);
	frame(0, 0x10, 0xff);
	expect(0, 1, 1, 1, "what it sends is not touched");
	lan_port_impair(port[0], &half, &none);
	for (int i = 0, n = to2 = 0; i < 1000; i++, to2 += n) {
		frame(0, 0x10, 0xff);
		n = waiting(2);
		waiting(1), waiting(3);
	}
	cr_assert(to2 > 430 && to2 < 570, "%d", to2);
}
