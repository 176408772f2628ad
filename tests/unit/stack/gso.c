/* Cutting up super-segments: every byte once, headers right, flags where they belong. */
#include <criterion/criterion.h>

#include "base/byteorder.h"
#include "base/cksum.h"
#include "core/gso.h"
#include "header/ipv6.h"

static struct pkt_pool *pool;

/* A super-segment with 12 bytes of TCP options, FIN, PSH and CWR set; byte i of the payload is i. */
static struct pkt *super(bool v6, size_t payload, uint16_t size)
{
	size_t net = v6 ? 40 : 20, hdr = net + 32;
	struct pkt *p = pkt_alloc(pool, PKT_HEADROOM, hdr + payload);
	uint8_t *b = pkt_put(p, hdr + payload);
	struct ipv4_hdr ip4 = { .hdr_len = 20, .total_len = (uint16_t)(hdr + payload), .id = 100, .ttl = 64,
				.proto = 6, .src = addr_v4(10, 0, 0, 1), .dst = addr_v4(10, 0, 0, 2) };
	struct ipv6_hdr ip6 = { .next = 6, .payload_len = (uint16_t)(32 + payload),
				.src = addr_v6_all_nodes, .dst = addr_v6_all_routers };

	memset(b, 0, hdr);
	if (v6)
		ipv6_emit(&ip6, b);
	else
		ipv4_emit(&ip4, b);
	p->src = v6 ? ip6.src : ip4.src;
	p->dst = v6 ? ip6.dst : ip4.dst;
	be32_store(b + net + 4, 0xfffffff0);
	b[net + 12] = 0x80;
	b[net + 13] = 0x99;
	for (size_t i = 0; i < payload; i++)
		b[hdr + i] = (uint8_t)i;
	p->net_off = (uint16_t)p->off;
	p->gso = v6 ? PKT_GSO_TCP6 : PKT_GSO_TCP4;
	p->gso_size = size;
	return p;
}

static void check(bool v6, size_t payload, uint16_t size)
{
	size_t net = v6 ? 40 : 20, hdr = net + 32, at = 0, n = (payload + size - 1) / size, i = 0;
	struct pkt_queue q;
	struct pkt *s = super(v6, payload, size);

	pkt_queue_init(&q);
	s->stamp.taker = 7;
	cr_assert(gso_segment(s, &q));
	cr_assert_eq(q.count, n);
	for (; (s = pkt_queue_pop(&q)); i++) {
		uint8_t b[2000];
		size_t len = s->len - hdr;

		cr_assert_eq(s->stamp.taker, i + 1 < n ? 0 : 7, "the last says when it has gone out");
		cr_assert(pkt_finish_cksum(s));
		pkt_copy_out(s, 0, b, s->len);
		cr_assert_eq(len, i + 1 < n ? size : payload - at);
		for (size_t j = 0; j < len; j++)
			cr_assert_eq(b[hdr + j], (uint8_t)(at + j));
		cr_assert_eq(be32_load(b + net + 4), (uint32_t)(0xfffffff0 + at));
		cr_assert_eq(b[net + 13], 0x10 | (i == 0 ? 0x80 : 0) | (i + 1 == n ? 0x09 : 0));
		cr_assert_eq(cksum_add(cksum_pseudo(&s->src, &s->dst, 6, (uint32_t)(s->len - net)),
				       b + net, s->len - net), 0xffff);
		if (!v6) {
			cr_assert(ipv4_cksum_ok(b, 20));
			cr_assert_eq(be16_load(b + 2), s->len);
			cr_assert_eq(be16_load(b + 4), 100 + i);
		} else {
			cr_assert_eq(be16_load(b + 4), s->len - 40);
		}
		at += len;
		pkt_free(s);
	}
	cr_assert_eq(at, payload);
}

Test(gso, segments_add_up_to_the_whole)
{
	pool = pkt_pool_new();
	for (int v6 = 0; v6 < 2; v6++) {
		check(v6, 1, 1000);
		check(v6, 1000, 1000);
		check(v6, 1001, 1000);
		check(v6, 60000, 1448);
	}
	cr_assert_eq(pkt_pool_live(pool), 0);
	pkt_pool_unref(pool);
}

Test(gso, headers_that_are_not_there_are_refused)
{
	struct pkt_queue q;
	struct pkt *p;

	pool = pkt_pool_new();
	pkt_queue_init(&q);
	p = super(false, 100, 10);
	pkt_trim(p, 45);
	cr_assert_not(gso_segment(p, &q));
	p = super(false, 100, 0);
	cr_assert_not(gso_segment(p, &q));
	p = super(true, 100, 10);
	pkt_data(p)[6] = IP_PROTO_UDP;
	cr_assert_not(gso_segment(p, &q));
	cr_assert_eq(q.count, 0);
	p = super(false, 100, 10);
	cr_assert_not(gso_check(p), "nobody would finish its checksums");
	p->csum = PKT_CSUM_PARTIAL;
	cr_assert(gso_check(p));
	pkt_trim(p, 45);
	cr_assert_not(gso_check(p));
	pkt_free(p);
	cr_assert_eq(pkt_pool_live(pool), 0);
	pkt_pool_unref(pool);
}
