/* TCP header and options: the same bytes both ways, Linux's order, and what is malformed. */
#include <criterion/criterion.h>

#include <string.h>

#include "base/seq.h"
#include "header/tcp.h"

TestSuite(tcp_header);
TestSuite(seq);

Test(tcp_header, parse_and_emit_agree)
{
	static const uint8_t wire[] = {
		0x12, 0x34, 0x00, 0x50, 0xde, 0xad, 0xbe, 0xef, 0x01, 0x02, 0x03, 0x04,
		0x50, 0xd2, 0xff, 0xff, 0xab, 0xcd, 0x00, 0x07,
	};
	struct tcp_hdr h;
	uint8_t out[TCP_HDR_LEN];

	cr_assert(tcp_parse(&h, wire, sizeof(wire)));
	cr_assert_eq(h.sport, 0x1234);
	cr_assert_eq(h.dport, 80);
	cr_assert_eq(h.seq, 0xdeadbeefu);
	cr_assert_eq(h.ack, 0x01020304u);
	cr_assert_eq(h.off_bytes, 20);
	cr_assert_eq(h.flags, TCP_CWR | TCP_ECE | TCP_ACK | TCP_SYN);
	cr_assert_eq(h.wnd, 0xffff);
	cr_assert_eq(h.urg, 7);
	tcp_emit(&h, out);
	cr_assert_arr_eq(out, wire, sizeof(wire));
}

Test(tcp_header, refuses_lengths_that_lie)
{
	uint8_t p[60] = { [12] = 0x50 };
	struct tcp_hdr h;

	cr_assert_not(tcp_parse(&h, p, 19));
	cr_assert(tcp_parse(&h, p, 20));
	p[12] = 0x40;
	cr_assert_not(tcp_parse(&h, p, 60), "offset under 20");
	p[12] = 0xf0;
	cr_assert_not(tcp_parse(&h, p, 59));
	cr_assert(tcp_parse(&h, p, 60));
	cr_assert_eq(h.off_bytes, 60);
}

static void emits(const struct tcp_opts *o, bool syn, const void *bytes, size_t len)
{
	uint8_t out[TCP_MAX_OPTS];

	cr_assert_eq(tcp_opts_len(o, syn), len);
	cr_assert_eq(tcp_opts_emit(o, syn, out), len);
	cr_assert_arr_eq(out, bytes, len);
	cr_assert_eq(len % 4, 0);
}

Test(tcp_header, syn_options_in_linux_order)
{
	struct tcp_opts o = {
		.has_mss = true, .mss = 1460, .has_wscale = true, .wscale = 7,
		.sack_permitted = true, .has_ts = true, .ts_val = 1, .ts_ecr = 2,
	}, back;

	emits(&o, true, "\2\4\x05\xb4\4\2\x08\x0a\0\0\0\1\0\0\0\2\1\3\3\7", 20);
	tcp_opts_parse(&back, (const uint8_t *)
		       "\2\4\x05\xb4\4\2\x08\x0a\0\0\0\1\0\0\0\2\1\3\3\7", 20, true);
	cr_assert(back.has_mss && back.mss == 1460 && back.has_wscale && back.wscale == 7 &&
		  back.sack_permitted && back.has_ts && back.ts_val == 1 && back.ts_ecr == 2);
	o.has_ts = false;
	emits(&o, true, "\2\4\x05\xb4\1\1\4\2\1\3\3\7", 12);
	o.sack_permitted = false;
	emits(&o, true, "\2\4\x05\xb4\1\3\3\7", 8);
	o.has_ts = true;
	emits(&o, true, "\2\4\x05\xb4\1\1\x08\x0a\0\0\0\1\0\0\0\2\1\3\3\7", 20);
}

Test(tcp_header, data_options_and_as_many_blocks_as_fit)
{
	struct tcp_opts o = {
		.nsack = 4,
		.sack = { { 1, 2 }, { 3, 4 }, { 5, 6 }, { 7, 8 } },
	};

	emits(&o, false, "\1\1\5\x22\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5\0\0\0\6\0\0\0\7\0\0\0\x08", 36);
	o.has_ts = true;
	o.ts_val = 9;
	emits(&o, false, "\1\1\x08\x0a\0\0\0\x09\0\0\0\0\1\1\5\x1a"
	      "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5\0\0\0\6", 40);
	o.nsack = 0;
	emits(&o, false, "\1\1\x08\x0a\0\0\0\x09\0\0\0\0", 12);
	o.has_ts = false;
	emits(&o, false, "", 0);
}

Test(tcp_header, options_of_syn_count_only_there)
{
	static const uint8_t wire[] = "\2\4\x05\xb4\4\2\1\3\3\7";
	struct tcp_opts o;

	tcp_opts_parse(&o, wire, sizeof(wire) - 1, false);
	cr_assert(!o.has_mss && !o.has_wscale && !o.sack_permitted);
}

Test(tcp_header, malformed_options_end_the_reading)
{
	struct tcp_opts o;

	tcp_opts_parse(&o, (const uint8_t *)"\2\4\x05\xb4\3\0\4\2", 8, true);
	cr_assert(o.has_mss && !o.sack_permitted, "length 0");
	tcp_opts_parse(&o, (const uint8_t *)"\4\2\2\5\x05\xb4", 6, true);
	cr_assert(!o.has_mss && o.sack_permitted, "longer than what is left");
	tcp_opts_parse(&o, (const uint8_t *)"\1\1\1\2", 4, true);
	cr_assert(!o.has_mss, "a kind without its length");
	tcp_opts_parse(&o, (const uint8_t *)"\0\2\4\x05\xb4", 5, true);
	cr_assert(!o.has_mss, "after the end");
	tcp_opts_parse(&o, (const uint8_t *)"\3\3\x0f\2\4\0\0\x63\4\1\1", 11, true);
	cr_assert(o.has_wscale && o.wscale == 14 && !o.has_mss, "shift capped, MSS 0 is none");
	tcp_opts_parse(&o, (const uint8_t *)"\2\3\x05\4\2", 5, true);
	cr_assert(!o.has_mss && o.sack_permitted, "wrong length is passed over");
	tcp_opts_parse(&o, (const uint8_t *)"\5\x0b\0\0\0\1\0\0\0\2\0", 11, false);
	cr_assert_eq(o.nsack, 0);
}

/* Whatever the bytes, nothing is read beyond them (the address sanitizer watches) and what comes out can
 * be emitted. */
Test(tcp_header, any_bytes_parse)
{
	uint32_t x = 1;

	for (int i = 0; i < 20000; i++) {
		size_t len = x % 41;
		uint8_t out[TCP_MAX_OPTS], *p = malloc(len + 1);
		struct tcp_opts o;

		for (size_t k = 0; k < len; k++) {
			x = x * 1664525 + 1013904223;
			p[k] = (uint8_t)(x >> 24) & (x & 0x10000 ? 0x0f : 0xff);
		}
		uint8_t *exact = realloc(p, len ? len : 1);

		tcp_opts_parse(&o, exact, len, i & 1);
		cr_assert_leq(tcp_opts_emit(&o, i & 1, out), TCP_MAX_OPTS);
		free(exact);
		x = x * 1664525 + 1013904223;
	}
}

Test(seq, order_wraps)
{
	cr_assert(seq_lt(0xfffffff0u, 5));
	cr_assert(seq_gt(5, 0xfffffff0u));
	cr_assert(seq_le(7, 7) && seq_ge(7, 7));
	cr_assert_eq(seq_max(0xfffffff0u, 5), 5);
	cr_assert_eq(seq_min(0xfffffff0u, 5), 0xfffffff0u);
	cr_assert(seq_between(2, 0xffffffffu, 2) && seq_between(0xffffffffu, 0xffffffffu, 2));
	cr_assert(!seq_between(3, 0xffffffffu, 2));
}

Test(tcp_header, fast_open_option)
{
	static const uint8_t wire[] = { 34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1 };
	static const uint8_t odd[] = { 34, 5, 1, 2, 3, 0, 0, 0 }, small[] = { 34, 4, 1, 2 }, ask[] = { 254, 4, 0xf9, 0x89 };
	uint8_t out[TCP_MAX_OPTS];
	struct tcp_opts o;

	tcp_opts_parse(&o, wire, sizeof(wire), true);
	cr_assert(o.fo.present && !o.fo.exp);
	cr_assert_eq(o.fo.len, 8);
	cr_assert_eq(tcp_opts_len(&o, true), sizeof(wire));
	cr_assert_eq(tcp_opts_emit(&o, true, out), sizeof(wire));
	cr_assert_arr_eq(out, wire, sizeof(wire));
	tcp_opts_parse(&o, wire, sizeof(wire), false);
	cr_assert(!o.fo.present, "only SYNs have it");
	tcp_opts_parse(&o, odd, sizeof(odd), true);
	cr_assert(!o.fo.present, "a cookie of three bytes");
	tcp_opts_parse(&o, small, sizeof(small), true);
	cr_assert(!o.fo.present, "a cookie of two bytes");
	tcp_opts_parse(&o, ask, sizeof(ask), true);
	cr_assert(o.fo.present && o.fo.exp && !o.fo.len);
}
