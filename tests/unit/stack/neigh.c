/* The neighbour cache's states (RFC 4861, 7.3), seen through ARP on a simulated segment. */
#include <criterion/criterion.h>

#include "header/arp.h"
#include "header/eth.h"
#include "net.h"

static struct sim *sim;
static struct sim_host *a;
static struct neigh_cache *cache;
static struct link *wire;		/* the other end: frames in and out by hand */
static const struct link_addr mac_b = { { 2, 0, 0, 0, 9, 9 }, 6 };
static struct addr ip_b;

static void setup(void)
{
	struct ipv6_config quiet = { 0 };

	sim = sim_new(3);
	a = sim_host(sim, "a");
	ipv6_config_set(a->stack, &quiet);
	sim_attach(a, sim_segment(sim), "10.0.0.1/24", NULL);
	wire = a->ports[0]->channel;
	/* Off the segment: these tests read the frames themselves. */
	list_remove(&a->ports[0]->list);
	cache = &a->ports[0]->nic->neigh[NET_IPV4];
	cache->config.base_reachable_ns = 30 * NS_PER_SEC;
	ip_b = sim_parse("10.0.0.2");
	sim_run(sim, 5 * NS_PER_SEC);
	while (channel_count(wire))
		pkt_free(channel_read(wire));
}

static void teardown(void)
{
	sim_free(sim);
}

TestSuite(neigh, .init = setup, .fini = teardown);

static struct neigh *entry(void)
{
	return neigh_find(cache, &ip_b);
}

static void arp_in(uint16_t op, const struct link_addr *from, const struct link_addr *to)
{
	struct eth_hdr e = { *to, *from, ETH_TYPE_ARP };
	struct arp_hdr h = { .op = op, .sender_link = *from, .sender = ip_b,
			     .target_link = a->ports[0]->mac, .target = sim_parse("10.0.0.1") };
	uint8_t f[ETH_HDR_LEN + ARP_LEN];

	eth_emit(&e, f);
	arp_emit(&h, f + ETH_HDR_LEN);
	channel_inject(wire, pkt_from_bytes(sim->pool, f, sizeof(f)));
	sim_settle(sim);
}

static void reply(void)
{
	arp_in(ARP_REPLY, &mac_b, &a->ports[0]->mac);
}

/* The next frame out: its type, and for ARP where it went. */
static uint16_t frame_out(struct link_addr *to)
{
	struct pkt *p = channel_read(wire);
	struct eth_hdr e = { .type = 0 };

	if (!p)
		return 0;
	cr_assert(eth_parse(&e, pkt_data(p), p->head_len));
	if (to)
		*to = e.dst;
	pkt_free(p);
	return e.type;
}

static struct endpoint *send_one(struct endpoint *ep)
{
	if (!ep)
		ep = sim_udp(a, "", 1);
	cr_assert_eq(sim_send(ep, "10.0.0.2", 2, "x", 1), NS_OK);
	sim_settle(sim);
	return ep;
}

Test(neigh, unknown_to_incomplete_broadcasts_a_request)
{
	struct link_addr to;

	send_one(NULL);
	cr_assert_eq(entry()->state, NEIGH_INCOMPLETE);
	cr_assert_eq(frame_out(&to), ETH_TYPE_ARP);
	cr_assert(link_addr_equal(&to, &link_addr_broadcast));
	cr_assert_eq(frame_out(NULL), 0, "the packet waits");
}

Test(neigh, incomplete_to_reachable_sends_what_waited_in_order)
{
	struct endpoint *ep = send_one(NULL);
	struct link_addr to;

	send_one(ep);
	frame_out(NULL);
	reply();
	cr_assert_eq(entry()->state, NEIGH_REACHABLE);
	cr_assert_eq(frame_out(&to), ETH_TYPE_IPV4);
	cr_assert(link_addr_equal(&to, &mac_b));
	cr_assert_eq(frame_out(NULL), ETH_TYPE_IPV4);
	cr_assert_eq(frame_out(NULL), 0);
}

Test(neigh, incomplete_gives_up_after_three_and_starts_anew)
{
	struct endpoint *ep = send_one(NULL);
	int requests = 0;

	sim_run(sim, 2500 * NS_PER_MS);
	cr_assert_eq(entry()->state, NEIGH_INCOMPLETE);
	sim_run(sim, NS_PER_SEC);
	cr_assert_eq(entry()->state, NEIGH_UNREACHABLE);
	cr_assert_eq(entry()->pending.count, 0);
	while (frame_out(NULL) == ETH_TYPE_ARP)
		requests++;
	cr_assert_eq(requests, 3);
	send_one(ep);
	cr_assert_eq(entry()->state, NEIGH_INCOMPLETE);
}

Test(neigh, pending_queue_is_bounded_and_drops_the_oldest)
{
	struct endpoint *ep = NULL;

	cache->config.max_pending = 3;
	for (int i = 0; i < 10; i++)
		ep = send_one(ep);
	cr_assert_eq(entry()->pending.count, 3);
	cr_assert_eq(a->ports[0]->nic->stats.neigh_pending_dropped.value, 7);
}

Test(neigh, reachable_to_stale_within_half_and_one_and_a_half_times_the_base)
{
	send_one(NULL);
	reply();
	sim_run(sim, 14 * NS_PER_SEC);
	cr_assert_eq(entry()->state, NEIGH_REACHABLE);
	sim_run(sim, 32 * NS_PER_SEC);
	cr_assert_eq(entry()->state, NEIGH_STALE);
}

static struct endpoint *make_stale(void)
{
	struct endpoint *ep = send_one(NULL);

	reply();
	sim_run(sim, 46 * NS_PER_SEC);
	cr_assert_eq(entry()->state, NEIGH_STALE);
	while (frame_out(NULL))
		;
	return ep;
}

Test(neigh, stale_to_delay_when_packet_queued)
{
	struct endpoint *ep = make_stale();

	send_one(ep);
	cr_assert_eq(entry()->state, NEIGH_DELAY);
	cr_assert_eq(frame_out(NULL), ETH_TYPE_IPV4, "the packet goes out at once");
}

Test(neigh, delay_to_probe_asks_the_neighbour_alone)
{
	struct endpoint *ep = make_stale();
	struct link_addr to;

	send_one(ep);
	frame_out(NULL);
	sim_run(sim, 5 * NS_PER_SEC);
	cr_assert_eq(entry()->state, NEIGH_PROBE);
	cr_assert_eq(frame_out(&to), ETH_TYPE_ARP);
	cr_assert(link_addr_equal(&to, &mac_b));
	reply();
	cr_assert_eq(entry()->state, NEIGH_REACHABLE);
}

Test(neigh, probe_without_answer_ends_unreachable)
{
	struct endpoint *ep = make_stale();

	send_one(ep);
	sim_run(sim, 9 * NS_PER_SEC);
	cr_assert_eq(entry()->state, NEIGH_UNREACHABLE);
}

Test(neigh, delay_to_reachable_when_an_upper_layer_confirms)
{
	struct endpoint *ep = make_stale();

	send_one(ep);
	neigh_confirm_upper(entry());
	cr_assert_eq(entry()->state, NEIGH_REACHABLE);
}

Test(neigh, request_from_a_neighbour_teaches_without_confirming)
{
	arp_in(ARP_REQUEST, &mac_b, &link_addr_broadcast);
	cr_assert_eq(entry()->state, NEIGH_STALE);
	cr_assert(link_addr_equal(&entry()->link_addr, &mac_b));
	cr_assert_eq(frame_out(NULL), ETH_TYPE_ARP, "and is answered");
}

Test(neigh, request_with_another_address_makes_it_stale)
{
	struct link_addr other = { { 2, 0, 0, 0, 7, 7 }, 6 };

	send_one(NULL);
	reply();
	arp_in(ARP_REQUEST, &other, &link_addr_broadcast);
	cr_assert_eq(entry()->state, NEIGH_STALE);
	cr_assert(link_addr_equal(&entry()->link_addr, &other));
}

Test(neigh, unasked_reply_makes_no_entry)
{
	reply();
	cr_assert_null(entry());
}

Test(neigh, reply_from_a_group_address_is_refused)
{
	struct link_addr group = { { 3, 0, 0, 0, 0, 1 }, 6 };

	send_one(NULL);
	arp_in(ARP_REPLY, &group, &a->ports[0]->mac);
	cr_assert_eq(entry()->state, NEIGH_INCOMPLETE);
	cr_assert_eq(a->stack->stats.arp.malformed_packets_received.value, 1);
}

Test(neigh, static_entries_never_change)
{
	struct link_addr other = { { 2, 0, 0, 0, 7, 7 }, 6 };

	cr_assert_eq(neigh_add_static(cache, &ip_b, &other), NS_OK);
	send_one(NULL);
	cr_assert_eq(frame_out(NULL), ETH_TYPE_IPV4);
	arp_in(ARP_REQUEST, &mac_b, &link_addr_broadcast);
	reply();
	cr_assert_eq(entry()->state, NEIGH_STATIC);
	cr_assert(link_addr_equal(&entry()->link_addr, &other));
	cr_assert(neigh_remove(cache, &ip_b));
	cr_assert_null(entry());
}

Test(neigh, table_is_bounded_and_the_least_recently_used_goes)
{
	cache->config.max_entries = 8;
	for (uint8_t i = 10; i < 100; i++) {
		struct addr x = addr_v4(10, 0, 0, i);

		neigh_probe(cache, &x, &mac_b);
	}
	cr_assert_eq(cache->table.count, 8);
	ip_b = sim_parse("10.0.0.99");
	cr_assert_not_null(entry());
	ip_b = sim_parse("10.0.0.91");
	cr_assert_null(entry());
}

Test(neigh, confirm_without_override_keeps_the_address)
{
	struct link_addr other = { { 2, 0, 0, 0, 7, 7 }, 6 };
	struct neigh_confirm f = { .solicited = true };

	send_one(NULL);
	reply();
	neigh_confirm(cache, &ip_b, &other, &f);
	cr_assert_eq(entry()->state, NEIGH_STALE, "RFC 4861, 7.2.5 (I)");
	cr_assert(link_addr_equal(&entry()->link_addr, &mac_b));
	f.override = true;
	neigh_confirm(cache, &ip_b, &other, &f);
	cr_assert_eq(entry()->state, NEIGH_REACHABLE);
	cr_assert(link_addr_equal(&entry()->link_addr, &other));
}
