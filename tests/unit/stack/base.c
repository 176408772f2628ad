/* Base: addresses, subnets, errors, checksums, time, hashes, tables. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "base/addr.h"
#include "base/byteorder.h"
#include "base/cksum.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/htab.h"
#include "base/subnet.h"
#include "base/list.h"

static struct addr A(const char *s)
{
	struct addr a;

	cr_assert(addr_parse(s, &a), "%s", s);
	return a;
}

Test(err, messages_are_distinct_and_every_error_has_an_errno)
{
	for (int i = 0; i < NS_ERR_COUNT; i++) {
		cr_assert_not_null(ns_err_str((enum ns_err)i));
		cr_assert((i == 0) == (ns_err_errno((enum ns_err)i) == 0), "%d", i);
		for (int j = 0; j < i; j++)
			cr_assert_str_neq(ns_err_str((enum ns_err)i), ns_err_str((enum ns_err)j));
	}
	cr_assert_str_eq(ns_err_str(NS_ERR_PORT_IN_USE), "port is in use");
	cr_assert_eq(ns_err_errno(NS_ERR_PORT_IN_USE), EADDRINUSE);
	cr_assert_eq(ns_err_errno(NS_ERR_CONNECT_STARTED), EINPROGRESS);
	cr_assert(ns_err_ignore_stats(NS_ERR_WOULD_BLOCK));
	cr_assert_not(ns_err_ignore_stats(NS_ERR_TIMEOUT));
	cr_assert_str_eq(ns_err_str((enum ns_err)9999), "unknown error");
}

Test(addr, link_addresses_parse_with_colons_or_dashes_only)
{
	static const char *const bad[] = {
		"", "aa:bb:cc:dd:ee", "aa:bb:cc:dd:ee:f", "aa:bb-cc:dd:ee:ff", "aa.bb.cc.dd.ee.ff",
		"aa:bb:cc:dd:ee:gg", "aa:bb:cc:dd:ee:ff:", "aabb:cc:dd:ee:ff:",
	};
	struct link_addr a, b;
	char buf[ADDR_STR_MAX];

	cr_assert(link_addr_parse("AA:bb:0c:dd:ee:ff", &a));
	cr_assert(link_addr_parse("aa-bb-0c-dd-ee-ff", &b));
	cr_assert(link_addr_equal(&a, &b));
	cr_assert_str_eq(link_addr_format(&a, buf), "aa:bb:0c:dd:ee:ff");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_not(link_addr_parse(bad[i], &a), "%s", bad[i]);
}

Test(addr, prefixes_parse_and_keep_their_limits)
{
	struct addr_prefix p;
	char text[ADDR_STR_MAX];

	cr_assert(addr_prefix_parse("10.1.2.3/24", &p));
	cr_assert_eq(p.prefix_len, 24);
	cr_assert_str_eq(addr_prefix_format(&p, text), "10.1.2.3/24");
	cr_assert(addr_prefix_parse("fe80::1/128", &p));
	cr_assert_str_eq(addr_prefix_format(&p, text), "fe80::1/128");
	cr_assert_not(addr_prefix_parse("10.1.2.3/33", &p));
	cr_assert_not(addr_prefix_parse("10.1.2.3/", &p));
	cr_assert_not(addr_prefix_parse("10.1.2.3/-1", &p));
	cr_assert_not(addr_prefix_parse("10.1.2.3", &p));
	cr_assert_not(addr_prefix_parse("::/129", &p));
}

Test(addr, classes_are_told_apart)
{
	struct addr m = A("239.1.2.3"), ll = A("fe80::1"), lo = A("::1"), map = A("::ffff:1.2.3.4");
	struct addr sol = addr_solicited_node(&ll), want = A("ff02::1:ff00:1"), v4 = addr_unmap(&map);

	cr_assert(addr_is_multicast(&m) && !addr_is_multicast(&ll));
	cr_assert(addr_is_link_local(&ll) && !addr_is_link_local(&lo));
	cr_assert(addr_is_loopback(&lo) && addr_is_v4_mapped(&map) && !addr_is_v4_mapped(&lo));
	cr_assert(addr_equal(&sol, &want));
	want = A("1.2.3.4");
	cr_assert(addr_equal(&v4, &want));
	want = addr_map(&v4);
	cr_assert(addr_equal(&map, &want));
}

Test(subnet, checks_lengths_and_host_bits)
{
	struct addr id = A("10.1.2.0"), mask = A("255.255.255.0"), m6 = A("ffff::");
	struct subnet s;

	cr_assert_eq(subnet_init(&s, &id, &mask), NS_OK);
	cr_assert_eq(subnet_init(&s, &id, &m6), NS_ERR_BAD_ADDRESS);
	id = A("10.1.2.1");
	cr_assert_eq(subnet_init(&s, &id, &mask), NS_ERR_BAD_ADDRESS);
}

Test(subnet, contains_broadcast_prefix_bits)
{
	struct addr in = A("10.1.3.200"), out = A("10.1.4.1"), six = A("::a01:3c8"), b;
	struct subnet s, t;
	unsigned ones, zeros;

	cr_assert(subnet_parse("10.1.2.0/23", &s));
	cr_assert(subnet_contains(&s, &in) && !subnet_contains(&s, &out));
	cr_assert_not(subnet_contains(&s, &six));
	b = subnet_broadcast(&s);
	out = A("10.1.3.255");
	cr_assert(addr_equal(&b, &out) && subnet_is_broadcast(&s, &out));
	cr_assert_eq(subnet_prefix(&s), 23);
	subnet_bits(&s, &ones, &zeros);
	cr_assert(ones == 23 && zeros == 9);
	cr_assert(subnet_parse("10.1.2.0/24", &t) && !subnet_equal(&s, &t) && subnet_equal(&s, &s));
	cr_assert(subnet_parse("10.1.2.2/31", &s));
	b = A("10.1.2.3");
	cr_assert_not(subnet_is_broadcast(&s, &b), "RFC 3021: a /31 has none");
}

/* The definition, two bytes at a time. */
static uint16_t naive(const uint8_t *p, size_t n)
{
	uint32_t s = 0;

	for (size_t i = 0; i < n; i++)
		s += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)s;
}

Test(cksum, equals_the_definition_at_all_lengths_and_alignments)
{
	uint8_t buf[400];
	struct rand r = { { { 1, 2 } }, 0 };

	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)rand_u32(&r);
	for (size_t off = 0; off < 9; off++)
		for (size_t n = 0; n + off <= sizeof(buf); n++) {
			uint16_t sum = cksum_add(0, buf + off, n), want = naive(buf + off, n);

			cr_assert_eq(be16_load(&sum), want, "%zu at %zu", n, off);
		}
	memset(buf, 0xff, sizeof(buf));
	for (size_t n = 2; n <= sizeof(buf); n += 2)
		cr_assert_eq(cksum_add(0, buf, n), 0xffff);
}

Test(cksum, combines_ranges_at_odd_offsets)
{
	uint8_t buf[101];

	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(i * 37);
	for (size_t cut = 0; cut <= sizeof(buf); cut++) {
		uint16_t a = cksum_add(0, buf, cut), b = cksum_add(0, buf + cut, sizeof(buf) - cut);

		cr_assert_eq(cksum_combine(a, b, cut), cksum_add(0, buf, sizeof(buf)));
	}
}

Test(cksum, update_is_the_same_as_computing_anew)
{
	uint8_t h[20] = { 0x45, 0, 0, 84, 1, 2, 0x40, 0, 64, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2 };
	uint16_t sum = (uint16_t)~cksum_add(0, h, 20), from, to;

	memcpy(&from, h + 8, 2);
	h[8]--;
	memcpy(&to, h + 8, 2);
	cr_assert_eq(cksum_update(sum, from, to), (uint16_t)~cksum_add(0, h, 20));
}

Test(hash, siphash_matches_its_paper)
{
	struct hash_key k = { { 0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull } };
	uint8_t in[15];

	for (uint8_t i = 0; i < 15; i++)
		in[i] = i;
	cr_assert_eq(siphash(&k, in, 15), 0xa129ca6149be45e5ull);
}

struct note {
	struct timer timer;
	int id;
};

static int order[256], norder;
static struct clock clk;

static void note_fn(struct timer *t)
{
	order[norder++] = container_of(t, struct note, timer)->id;
}

static void notes_init(struct note *n, int count)
{
	norder = 0;
	clock_init(&clk, 0, 0);
	for (int i = 0; i < count; i++) {
		timer_init(&n[i].timer, note_fn);
		n[i].id = i;
	}
}

Test(clock, timers_run_in_order_and_equal_ones_first_come_first_served)
{
	static const int64_t when[5] = { 30, 10, 20, 10, 5 };
	static const int want[5] = { 4, 1, 3, 2, 0 };
	struct note n[5];

	notes_init(n, 5);
	for (int i = 0; i < 5; i++)
		timer_arm(&clk, &n[i].timer, when[i]);
	cr_assert_eq(clock_next(&clk), 5);
	clock_set(&clk, 100, 0);
	clock_run(&clk);
	cr_assert_arr_eq(order, want, sizeof(want));
	cr_assert_eq(clock_next(&clk), CLOCK_NEVER);
}

Test(clock, rearming_later_and_earlier_and_disarming_are_honoured)
{
	struct note n[3];

	notes_init(n, 3);
	for (int i = 0; i < 3; i++)
		timer_arm(&clk, &n[i].timer, 10);
	timer_arm(&clk, &n[0].timer, 50);
	timer_arm(&clk, &n[1].timer, 5);
	timer_disarm(&n[2].timer);
	cr_assert_eq(clock_next(&clk), 5);
	clock_set(&clk, 20, 0);
	clock_run(&clk);
	cr_assert(norder == 1 && order[0] == 1);
	cr_assert_eq(clock_next(&clk), 50);
	timer_fini(&clk, &n[0].timer);
	cr_assert_eq(clock_next(&clk), CLOCK_NEVER);
}

Test(clock, a_thousand_random_operations_match_a_plain_list)
{
	enum { N = 64 };
	struct note n[N];
	struct rand r = { { { 3, 4 } }, 0 };
	int64_t when[N];

	notes_init(n, N);
	for (int i = 0; i < N; i++)
		when[i] = CLOCK_NEVER;
	for (int step = 0; step < 5000; step++) {
		uint32_t i = rand_below(&r, N), what = rand_below(&r, 4);
		int64_t min = CLOCK_NEVER;

		if (what < 2) {
			when[i] = clk.now_ns + 1 + rand_below(&r, 1000);
			timer_arm(&clk, &n[i].timer, when[i]);
		} else if (what == 2) {
			when[i] = CLOCK_NEVER;
			timer_disarm(&n[i].timer);
		} else {
			int due = 0;

			clock_set(&clk, clk.now_ns + rand_below(&r, 50), 0);
			norder = 0;
			for (int j = 0; j < N; j++)
				if (when[j] <= clk.now_ns) {
					when[j] = CLOCK_NEVER;
					due++;
				}
			clock_run(&clk);
			cr_assert_eq(norder, due);
		}
		for (int j = 0; j < N; j++)
			if (when[j] < min)
				min = when[j];
		cr_assert_eq(clock_next(&clk), min);
	}
}

struct item {
	struct htab_node node;
	uint64_t key;
};

Test(htab, finds_all_of_many_and_none_of_the_removed)
{
	enum { N = 10000 };
	struct item *items = calloc(N, sizeof(*items));
	struct htab t;
	size_t walked = 0;

	htab_init(&t);
	cr_assert_null(htab_find(&t, 1));
	for (uint64_t i = 0; i < N; i++) {
		items[i].key = i;
		cr_assert(htab_insert(&t, &items[i].node, hash_mix(i / 2, 0x9e3779b97f4a7c15ull)));
	}
	for (uint64_t i = 0; i < N; i += 3)
		htab_remove(&t, &items[i].node);
	for (uint64_t i = 0; i < N; i++) {
		bool found = false;

		htab_for_each_match(n, &t, hash_mix(i / 2, 0x9e3779b97f4a7c15ull))
			found |= container_of(n, struct item, node)->key == i;
		cr_assert_eq(found, i % 3 != 0);
	}
	for (struct htab_node *n = htab_next(&t, NULL); n; n = htab_next(&t, n))
		walked++;
	cr_assert_eq(walked, t.count);
	htab_fini(&t);
	free(items);
}

/* Hashes that meet in the same slots, some of them the same one: what is in is found, the last first. */
Test(htab, survives_any_order_of_coming_and_going)
{
	enum { N = 300 };
	static struct item items[N];
	bool in[N] = { false };
	uint64_t seed = 7;
	struct htab t;

	htab_init(&t);
	for (int step = 0; step < 20000; step++) {
		size_t i, count = 0, found = 0;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		i = (seed >> 33) % N;
		if (in[i])
			htab_remove(&t, &items[i].node);
		else
			cr_assert(htab_insert(&t, &items[i].node, (i / 3 % 10) | (uint64_t)(i / 3) << 48));
		in[i] = !in[i];
		if (in[i])
			cr_assert_eq(htab_find(&t, items[i].node.hash), &items[i].node);
		if (step % 50)
			continue;
		for (i = 0; i < N; i++) {
			bool seen = false;

			htab_for_each_match(n, &t, (i / 3 % 10) | (uint64_t)(i / 3) << 48)
				seen |= n == &items[i].node;
			cr_assert_eq(seen, in[i], "step %d, item %zu", step, i);
			count += in[i];
		}
		for (struct htab_node *n = htab_next(&t, NULL); n; n = htab_next(&t, n))
			found++;
		cr_assert(found == count && t.count == count);
	}
	htab_fini(&t);
}
