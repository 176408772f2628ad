/* Packets: headroom, fragments, sharing, checksums, memory. */
#include <criterion/criterion.h>

#include "base/cksum.h"
#include "buffer/pkt.h"

static struct pkt_pool *pool;
static uint8_t bytes[4000];

static void setup(void)
{
	pool = pkt_pool_new();
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 31 + i / 256);
}

static void teardown(void)
{
	cr_assert_eq(pkt_pool_live(pool), 0, "packets or chunks were left");
	pkt_pool_unref(pool);
}

TestSuite(pkt, .init = setup, .fini = teardown);

/* Head of 10 bytes and three fragments of 100, 1, 1000: bytes[0..1110]. */
static struct pkt *fragmented(void)
{
	static const size_t lens[] = { 100, 1, 1000 };
	struct pkt *p = pkt_from_bytes(pool, bytes, 10);
	size_t at = 10;

	for (int i = 0; i < 3; i++) {
		struct chunk *c = chunk_alloc(pool, lens[i]);

		memcpy(c->data, bytes + at, lens[i]);
		cr_assert(pkt_add_frag(p, c, 0, lens[i]));
		chunk_unref(c);
		at += lens[i];
	}
	return p;
}

static void same(const struct pkt *p, size_t from, size_t len)
{
	uint8_t out[4000];

	cr_assert_eq(p->len, len);
	pkt_copy_out(p, 0, out, len);
	cr_assert(memcmp(out, bytes + from, len) == 0);
}

Test(pkt, pull_and_trim_walk_over_fragments)
{
	for (size_t n = 0; n <= 1111; n += 37) {
		struct pkt *p = fragmented(), *q = fragmented();

		pkt_pull(p, n);
		same(p, n, 1111 - n);
		pkt_trim(q, n);
		same(q, 0, n);
		pkt_free(p);
		pkt_free(q);
	}
}

Test(pkt, pullup_makes_the_front_contiguous_and_keeps_passed_headers)
{
	struct pkt *p = fragmented();

	p->net_off = (uint16_t)p->off;
	pkt_pull(p, 4);
	cr_assert(pkt_pullup(p, 500));
	cr_assert_geq(p->head_len, 500);
	same(p, 4, 1107);
	cr_assert(memcmp(pkt_net_hdr(p), bytes, 4) == 0, "the header pulled before is still there");
	cr_assert_not(pkt_pullup(p, 1108));
	pkt_free(p);
}

Test(pkt, push_into_a_shared_head_copies_it)
{
	struct pkt *p = pkt_from_bytes(pool, bytes, 100), *q = pkt_clone(p);
	uint8_t *h;

	h = pkt_push(q, 20);
	cr_assert_not_null(h);
	memset(h, 0xee, 20);
	same(p, 0, 100);
	cr_assert_eq(q->len, 120);
	pkt_pull(q, 20);
	same(q, 0, 100);
	pkt_free(p);
	pkt_free(q);
}

Test(pkt, what_is_made_writable_changes_no_clone)
{
	struct pkt *p = pkt_from_bytes(pool, bytes, 100), *q = pkt_clone(p);

	q->csum = PKT_CSUM_PARTIAL;
	q->csum_start = (uint16_t)q->off;
	q->csum_off = 6;
	cr_assert(pkt_finish_cksum(q));
	same(p, 0, 100);
	cr_assert(pkt_writable(p));
	pkt_data(p)[0] ^= 0xff;
	cr_assert_eq(pkt_data(q)[0], bytes[0]);
	pkt_free(p);
	pkt_free(q);
}

Test(pkt, push_beyond_the_headroom_makes_room)
{
	struct pkt *p = pkt_from_bytes(pool, bytes + 500, 100);

	for (int i = 1; i <= 50; i++)
		memcpy(pkt_push(p, 10), bytes + 500 - 10 * i, 10);
	same(p, 0, 600);
	pkt_free(p);
}

Test(pkt, slice_shares_any_range)
{
	struct pkt *p = fragmented();

	for (size_t off = 0; off < 1111; off += 101)
		for (size_t len = 1; off + len <= 1111; len += 97) {
			struct pkt *s = pkt_slice(p, off, len);

			same(s, off, len);
			pkt_free(s);
		}
	pkt_free(p);
}

Test(pkt, copy_from_a_passed_header_spans_head_and_fragments)
{
	struct pkt *p = fragmented();
	uint32_t start = p->off;
	uint8_t out[2000];

	pkt_pull(p, 6);
	cr_assert_eq(pkt_copy_from(p, start, out, 300), 300);
	cr_assert(memcmp(out, bytes, 300) == 0);
	cr_assert_eq(pkt_copy_from(p, start, out, 2000), 1111);
	cr_assert(memcmp(out, bytes, 1111) == 0);
	pkt_free(p);
}

Test(pkt, checksum_over_fragments_equals_that_of_the_bytes)
{
	struct pkt *p = fragmented();

	for (size_t off = 0; off <= 1111; off++)
		cr_assert_eq(pkt_cksum(p, off, 0), cksum_add(0, bytes + off, 1111 - off), "%zu", off);
	pkt_free(p);
}

Test(pkt, partial_checksum_is_finished_in_software)
{
	struct pkt *p = pkt_from_bytes(pool, bytes, 64);

	p->csum = PKT_CSUM_PARTIAL;
	p->csum_start = (uint16_t)(p->off + 20);
	p->csum_off = 6;
	cr_assert(pkt_finish_cksum(p));
	cr_assert_eq(p->csum, PKT_CSUM_NONE);
	/* With the pseudo header's sum (what was in the field) added, the whole is all ones. */
	cr_assert_eq(cksum_add(cksum_add(0, bytes + 26, 2), pkt_data(p) + 20, 44), 0xffff);
	pkt_free(p);
}

Test(pkt, no_more_fragments_than_there_is_room_for)
{
	struct pkt *p = pkt_alloc(pool, PKT_HEADROOM, 0);
	struct chunk *c = chunk_alloc(pool, 10);

	for (int i = 0; i < PKT_MAX_FRAGS; i++)
		cr_assert(pkt_add_frag(p, c, 0, 1));
	cr_assert_not(pkt_add_frag(p, c, 0, 1));
	cr_assert_eq(c->refs, 1u + PKT_MAX_FRAGS);
	chunk_unref(c);
	pkt_free(p);
}

Test(pkt, larger_than_the_largest_is_refused)
{
	cr_assert_null(chunk_alloc(pool, CHUNK_MAX + 1));
	cr_assert_null(pkt_alloc(pool, PKT_HEADROOM, CHUNK_MAX));
}

Test(pkt, queue_counts_what_it_holds)
{
	struct pkt_queue q;
	struct pkt *p;

	pkt_queue_init(&q);
	pkt_queue_push(&q, pkt_from_bytes(pool, bytes, 5));
	pkt_queue_push(&q, pkt_from_bytes(pool, bytes, 7));
	cr_assert(q.count == 2 && q.bytes == 12 && q.truesize > 2 * 200);
	p = pkt_queue_pop(&q);
	cr_assert_eq(p->len, 5);
	pkt_free(p);
	pkt_queue_purge(&q);
	cr_assert(q.count == 0 && q.bytes == 0 && q.truesize == 0);
}

Test(pkt, pool_outlives_its_maker_while_packets_are_about)
{
	struct pkt_pool *own = pkt_pool_new();
	struct pkt *p = pkt_from_bytes(own, bytes, 50);

	pkt_pool_unref(own);
	same(p, 0, 50);
	pkt_free(p);
}
