/* The out-of-order queue: order, overlaps, SACK blocks, bounds. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "transport/tcp/ooo.h"

enum { NO_LIMIT = 1 << 30 };

static struct pkt_pool *pool;
static struct ooo q;

static void setup(void)
{
	pool = pkt_pool_new();
	ooo_init(&q);
}

static void teardown(void)
{
	ooo_fini(&q);
	cr_assert_eq(q.truesize, 0);
	cr_assert_eq(pkt_pool_live(pool), 0, "packets or chunks were left");
	pkt_pool_unref(pool);
}

TestSuite(ooo, .init = setup, .fini = teardown);

/* A segment whose bytes are @fill + their sequence number. */
static struct pkt *segment(uint32_t seq, uint32_t len, uint8_t fill)
{
	struct pkt *p = pkt_alloc(pool, PKT_HEADROOM, len);
	uint8_t *b = pkt_put(p, len);

	for (uint32_t i = 0; i < len; i++)
		b[i] = (uint8_t)(fill + seq + i);
	return p;
}

static enum ooo_result put(uint32_t seq, uint32_t len)
{
	return ooo_insert(&q, segment(seq, len, 0), seq, false, NO_LIMIT);
}

/* Pops all there is from @rcv_nxt on; checks the bytes; returns the new rcv_nxt. */
static uint32_t drain(uint32_t rcv_nxt)
{
	struct pkt *p;

	while ((p = ooo_pop(&q, rcv_nxt))) {
		uint8_t b[4096];

		cr_assert_gt(p->len, 0);
		pkt_copy_out(p, 0, b, p->len);
		for (uint32_t i = 0; i < p->len; i++)
			cr_assert_eq(b[i], (uint8_t)(rcv_nxt + i));
		rcv_nxt += p->len;
		pkt_free(p);
	}
	return rcv_nxt;
}

static void blocks(const char *expect)
{
	struct tcp_sack_range r[TCP_MAX_SACK];
	uint8_t n = ooo_sacks(&q, r, TCP_MAX_SACK);
	char text[200] = "";

	for (uint8_t i = 0; i < n; i++)
		sprintf(text + strlen(text), "%s%u-%u", i ? " " : "", r[i].left, r[i].right);
	cr_assert_str_eq(text, expect);
}

Test(ooo, gives_back_in_order)
{
	cr_assert_eq(put(200, 100), OOO_NEW);
	cr_assert_eq(put(400, 100), OOO_NEW);
	cr_assert_eq(put(300, 100), OOO_NEW);
	cr_assert_eq(drain(100), 100, "a hole in front");
	cr_assert_eq(ooo_bytes(&q), 300);
	cr_assert_eq(drain(200), 500);
	cr_assert(ooo_empty(&q));
	cr_assert_null(q.runs, "empty, it takes no memory");
}

Test(ooo, forgets_what_is_below)
{
	put(200, 100);
	put(350, 50);
	cr_assert_eq(drain(250), 300, "the part above");
	cr_assert_eq(drain(400), 400);
	cr_assert(ooo_empty(&q));
}

Test(ooo, never_replaces_held_bytes)
{
	struct pkt *wrong = segment(100, 300, 77);
	uint8_t *b = pkt_data(wrong);

	put(200, 100);
	for (uint32_t i = 0; i < 100; i++)	/* right where nothing is held */
		b[i] = (uint8_t)(100 + i);
	for (uint32_t i = 200; i < 300; i++)
		b[i] = (uint8_t)(100 + i);
	cr_assert_eq(ooo_insert(&q, wrong, 100, false, NO_LIMIT), OOO_NEW);
	cr_assert_eq(drain(100), 400);
}

Test(ooo, overlaps_from_both_sides)
{
	put(200, 100);
	put(250, 100);		/* 300-350 is new */
	put(150, 100);		/* 150-200 is new */
	cr_assert_eq(ooo_bytes(&q), 200);
	blocks("250-300 150-350");
	cr_assert_eq(put(160, 100), OOO_DUPLICATE);
	blocks("160-260 150-350");
	blocks("150-350");
	cr_assert_eq(drain(150), 350);
}

Test(ooo, last_changed_block_first)
{
	put(200, 100);
	put(400, 100);
	put(600, 100);
	blocks("600-700 400-500 200-300");
	put(450, 100);
	blocks("450-500 400-550 600-700 200-300");	/* its first 50 came twice */
	put(800, 100);
	put(1000, 100);
	blocks("1000-1100 800-900 400-550 600-700");
	put(550, 50);
	blocks("400-700 1000-1100 800-900 200-300");
	cr_assert_eq(drain(200), 300);
	blocks("400-700 1000-1100 800-900");
}

Test(ooo, fin_is_part_of_its_block)
{
	cr_assert_eq(ooo_insert(&q, NULL, 500, true, NO_LIMIT), OOO_NEW);
	blocks("500-501");
	cr_assert_eq(ooo_insert(&q, NULL, 500, true, NO_LIMIT), OOO_DUPLICATE);
	put(400, 100);
	blocks("400-501");
	cr_assert_eq(put(450, 100), OOO_DROPPED, "beyond the FIN");
	cr_assert_not(ooo_fin_at(&q, 400));
	cr_assert_eq(drain(400), 500);
	cr_assert(ooo_fin_at(&q, 500));
}

Test(ooo, a_fin_below_data_is_not_one)
{
	put(400, 100);
	ooo_insert(&q, segment(200, 50, 0), 200, true, NO_LIMIT);
	cr_assert_not(q.has_fin);
	cr_assert_eq(drain(200), 250);
}

Test(ooo, keeps_to_its_limit)
{
	size_t one;

	put(200, 100);
	one = ooo_truesize(&q);
	cr_assert_eq(ooo_insert(&q, segment(400, 100, 0), 400, false, one), OOO_DROPPED);
	cr_assert_eq(ooo_truesize(&q), one);
	blocks("200-300");
	put(400, 100);
	put(300, 100);
	cr_assert(ooo_prune(&q, one * 2));
	blocks("200-400");
	cr_assert(ooo_prune(&q, 0));
	cr_assert_eq(q.bytes, 0);
	blocks("");
}

Test(ooo, duplicates_below_are_reported_once)
{
	ooo_dsack(&q, 50, 80);
	ooo_dsack(&q, 80, 90);
	ooo_dsack(&q, 10, 20);
	put(200, 10);
	blocks("50-90 200-210");
	blocks("200-210");
}

/* Random segments against an array of flags, over the wrap of sequence numbers. */
Test(ooo, agrees_with_a_model)
{
	enum { SPAN = 2000 };
	uint32_t x = 7, base = 0xfffffc00u;

	for (int round = 0; round < 300; round++) {
		uint8_t held[SPAN] = { 0 };
		uint32_t at = 1, total = 0, n;

		for (int i = 0; i < 60; i++) {
			struct tcp_sack_range r[TCP_MAX_SACK];
			uint32_t off, len, fresh = 0;
			enum ooo_result got;

			x = x * 1664525 + 1013904223;
			off = 1 + (x >> 8) % (SPAN - 200);
			x = x * 1664525 + 1013904223;
			len = 1 + (x >> 8) % 150;
			for (uint32_t k = off; k < off + len; k++) {
				fresh += !held[k];
				held[k] = 1;
			}
			got = put(base + off, len);
			cr_assert_eq(got, fresh ? OOO_NEW : OOO_DUPLICATE);
			total += fresh;
			cr_assert_eq(ooo_bytes(&q), total);
			q.has_dsack = false;
			n = ooo_sacks(&q, r, TCP_MAX_SACK);
			cr_assert_gt(n, 0);
			cr_assert(r[0].left - base <= off && r[0].right - base >= off + len);
			for (uint32_t k = 0; k < n; k++) {
				cr_assert(!held[r[k].left - base - 1] && !held[r[k].right - base]);
				for (uint32_t s = r[k].left; s != r[k].right; s++)
					cr_assert(held[s - base]);
			}
		}
		while (at < SPAN) {
			uint32_t to = drain(base + at) - base;

			for (; at < to; at++)
				cr_assert(held[at]);
			if (at < SPAN)
				cr_assert_not(held[at]);
			at++;
		}
		cr_assert(ooo_empty(&q));
		cr_assert_eq(ooo_truesize(&q), 0);
	}
}
