/* Reassembly: order, overlap, copies, limits, time. */
#include <criterion/criterion.h>

#include "net.h"
#include "network/reasm.h"

static struct sim *sim;
static struct sim_host *h;
static struct reasm r;
static int expired, with_first;

static void on_expired(struct reasm *rs, struct pkt *first)
{
	expired++;
	with_first += first != NULL;
}

static void setup(void)
{
	sim = sim_new(1);
	h = sim_host(sim, "h");
	reasm_init(&r, h->stack, 30 * NS_PER_SEC, on_expired);
}

static void teardown(void)
{
	reasm_fini(&r);
	cr_assert_eq(r.bytes, 0, "memory is not accounted for");
	sim_free(sim);
}

TestSuite(reasm, .init = setup, .fini = teardown);

/* A fragment of the datagram whose byte i is i * 3, with a header of 20 bytes before it. */
static struct pkt *frag(uint32_t id, uint32_t off, uint32_t len, bool more)
{
	struct reasm_key k = { sim_parse("10.0.0.2"), sim_parse("10.0.0.1"), id, 17 };
	struct reasm_frag f = { off, len, more, 20 };
	struct pkt *p = pkt_alloc(sim->pool, PKT_HEADROOM, 20 + len);
	uint8_t *b = pkt_put(p, 20 + len);

	memset(b, 0x45, 20);
	for (uint32_t i = 0; i < len; i++)
		b[20 + i] = (uint8_t)((off + i) * 3);
	p->net_off = (uint16_t)p->off;
	pkt_pull(p, 20);
	return reasm_add(&r, &k, &f, p);
}

static void whole(struct pkt *p, uint32_t len)
{
	uint8_t b[70000];

	cr_assert_not_null(p);
	cr_assert_eq(p->len, len);
	cr_assert_eq(pkt_net_hdr(p)[0], 0x45);
	pkt_copy_out(p, 0, b, len);
	for (uint32_t i = 0; i < len; i++)
		cr_assert_eq(b[i], (uint8_t)(i * 3));
	pkt_free(p);
}

Test(reasm, in_any_order)
{
	static const int orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 },
					  { 2, 0, 1 }, { 2, 1, 0 } };

	for (uint32_t o = 0; o < 6; o++)
		for (int i = 0; i < 3; i++) {
			uint32_t n = (uint32_t)orders[o][i];
			struct pkt *p = frag(o, n * 1480, n == 2 ? 101 : 1480, n != 2);

			if (i < 2)
				cr_assert_null(p);
			else
				whole(p, 2 * 1480 + 101);
		}
}

Test(reasm, many_small_ones_backwards)
{
	for (uint32_t n = 1000; n > 0; n--) {
		struct pkt *p = frag(1, (n - 1) * 48, 48, n != 1000);

		if (n == 1)
			whole(p, 48000);
		else
			cr_assert_null(p);
	}
}

Test(reasm, an_exact_copy_is_forgiven)
{
	cr_assert_null(frag(1, 0, 800, true));
	cr_assert_null(frag(1, 0, 800, true));
	whole(frag(1, 800, 100, false), 900);
}

Test(reasm, an_overlap_discards_the_datagram_and_what_follows)
{
	cr_assert_null(frag(1, 0, 800, true));
	cr_assert_null(frag(1, 792, 800, true));
	cr_assert_eq(h->stack->stats.ip.reassembly_dropped.value, 1);
	cr_assert_null(frag(1, 800, 792, true));
	cr_assert_null(frag(1, 1592, 8, false), "RFC 5722: those not yet received too");
}

Test(reasm, two_different_ends_discard_the_datagram)
{
	cr_assert_null(frag(1, 800, 100, false));
	cr_assert_null(frag(1, 1600, 100, false));
	cr_assert_null(frag(1, 0, 800, true));
	cr_assert_eq(h->stack->stats.ip.reassembly_dropped.value, 1);
}

Test(reasm, bytes_beyond_the_end_discard_the_datagram)
{
	cr_assert_null(frag(1, 800, 100, false));
	cr_assert_null(frag(1, 1600, 800, true));
	cr_assert_null(frag(1, 0, 800, true));
}

Test(reasm, malformed_ones_are_counted)
{
	cr_assert_null(frag(1, 0, 801, true));
	cr_assert_null(frag(1, 0, 0, true));
	cr_assert_null(frag(1, 65528, 100, false));
	cr_assert_eq(h->stack->stats.ip.malformed_fragments_received.value, 3);
	cr_assert_eq(r.table.count, 0);
}

Test(reasm, times_out_and_tells_only_with_the_first_fragment)
{
	frag(1, 0, 800, true);
	frag(2, 800, 800, true);
	sim_run(sim, 29 * NS_PER_SEC);
	cr_assert_eq(r.table.count, 2);
	sim_run(sim, 2 * NS_PER_SEC);
	cr_assert_eq(r.table.count, 0);
	cr_assert(expired == 1 && with_first == 1);
	cr_assert_eq(h->stack->stats.ip.reassembly_timeouts.value, 2);
}

Test(reasm, memory_is_bounded_and_the_oldest_goes)
{
	for (uint32_t id = 0; id < 20000; id++)
		frag(id, 0, 8, true);
	cr_assert_leq(r.bytes, r.limit);
	cr_assert_gt(h->stack->stats.ip.reassembly_dropped.value, 10000);
	cr_assert_null(frag(0, 8, 8, false), "the first one is gone");
	whole(frag(19999, 8, 8, false), 16);
}

Test(reasm, datagrams_are_told_apart_by_id)
{
	frag(1, 0, 8, true);
	cr_assert_null(frag(2, 8, 8, false));
	whole(frag(1, 8, 8, false), 16);
}
