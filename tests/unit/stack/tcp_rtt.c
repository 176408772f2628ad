/* Round trip times, initial sequence numbers, cookies. */
#include <criterion/criterion.h>

#include "base/clock.h"
#include "transport/tcp/isn.h"
#include "transport/tcp/rtt.h"

TestSuite(rtt);
TestSuite(isn);

static struct rtt r;

static void start(void)
{
	struct rtt_limits l = rtt_limits_default();

	rtt_init(&r, &l);
}

Test(rtt, first_sample_and_floor)
{
	start();
	cr_assert_eq(rtt_rto(&r), NS_PER_SEC);
	cr_assert_eq(rtt_min(&r), -1);
	rtt_sample(&r, 10 * NS_PER_MS, 0, 1, 1);
	cr_assert_eq(r.srtt_ns, 10 * NS_PER_MS);
	cr_assert_eq(rtt_rto(&r), 210 * NS_PER_MS, "variance at least 200 ms");
	start();
	rtt_sample(&r, 500 * NS_PER_MS, 0, 1, 1);
	cr_assert_eq(rtt_rto(&r), 1500 * NS_PER_MS, "R + 4 * R / 2");
}

Test(rtt, converges_and_follows_a_jump_at_once)
{
	int64_t before;

	start();
	for (uint32_t i = 0; i < 100; i++)
		rtt_sample(&r, 400 * NS_PER_MS, i, i * 2, i * 2 + 1);
	cr_assert_eq(r.srtt_ns, 400 * NS_PER_MS);
	cr_assert(rtt_rto(&r) < 610 * NS_PER_MS);
	before = rtt_rto(&r);
	rtt_sample(&r, 1400 * NS_PER_MS, 100, 300, 301);
	cr_assert_eq(r.srtt_ns, 525 * NS_PER_MS);
	cr_assert_gt(rtt_rto(&r), before + 125 * NS_PER_MS);
}

Test(rtt, backs_off_to_the_maximum)
{
	start();
	rtt_sample(&r, 100 * NS_PER_MS, 0, 1, 1);
	rtt_back_off(&r);
	cr_assert_eq(rtt_rto(&r), 600 * NS_PER_MS);
	for (int i = 0; i < 100; i++)
		rtt_back_off(&r);
	cr_assert_eq(rtt_rto(&r), 120 * NS_PER_SEC);
	rtt_sample(&r, 100 * NS_PER_MS, 0, 1, 1);
	cr_assert_eq(rtt_rto(&r), 300 * NS_PER_MS);
}

Test(rtt, limits_can_change)
{
	struct rtt_limits l = { .init_ns = 3 * NS_PER_SEC, .min_ns = 5 * NS_PER_MS,
				.max_ns = 10 * NS_PER_SEC };

	start();
	rtt_set_limits(&r, &l);
	cr_assert_eq(rtt_rto(&r), 3 * NS_PER_SEC);
	start();
	rtt_sample(&r, 1 * NS_PER_MS, 0, 1, 1);
	rtt_set_limits(&r, &l);
	cr_assert_eq(rtt_rto(&r), 6 * NS_PER_MS);
}

Test(rtt, minimum_of_the_window)
{
	start();
	rtt_sample(&r, 50, 0, 1, 1);
	rtt_sample(&r, 70, 100 * NS_PER_SEC, 1, 1);
	cr_assert_eq(rtt_min(&r), 50);
	rtt_sample(&r, 60, 200 * NS_PER_SEC, 1, 1);
	rtt_sample(&r, 90, 301 * NS_PER_SEC, 1, 1);
	cr_assert_eq(rtt_min(&r), 60, "the best one is too old");
	rtt_sample(&r, 80, 1000 * NS_PER_SEC, 1, 1);
	cr_assert_eq(rtt_min(&r), 80);
	rtt_sample(&r, 20, 1000 * NS_PER_SEC, 1, 1);
	cr_assert_eq(rtt_min(&r), 20);
}

static const struct hash_key key = { { 1, 2 } }, other_key = { { 1, 3 } };

static struct isn_pair pair4(void)
{
	return (struct isn_pair){ addr_v4(10, 0, 0, 1), addr_v4(10, 0, 0, 2), 80, 40000 };
}

Test(isn, differs_by_pair_and_key_and_grows_with_time)
{
	struct isn_pair p = pair4(), q = pair4();
	uint32_t at = isn_make(&key, &p, NS_PER_SEC);

	q.rport++;
	cr_assert_neq(at, isn_make(&key, &q, NS_PER_SEC));
	cr_assert_neq(at, isn_make(&other_key, &p, NS_PER_SEC));
	cr_assert_eq(isn_make(&key, &p, NS_PER_SEC + 6400) - at, 100);
	cr_assert_eq(isn_ts_offset(&key, &p.local, &p.remote), isn_ts_offset(&key, &q.local, &q.remote));
	q.remote.b[3]++;
	cr_assert_neq(isn_ts_offset(&key, &p.local, &p.remote), isn_ts_offset(&key, &q.local, &q.remote));
}

Test(isn, cookie_brings_the_mss_back)
{
	static const struct { uint16_t in, out; } v4[] = {
		{ 10, 88 }, { 100, 88 }, { 536, 536 }, { 1299, 536 }, { 1459, 1440 }, { 1460, 1460 }, { 65535, 65495 },
	};
	struct isn_pair p = pair4();

	for (size_t i = 0; i < sizeof(v4) / sizeof(v4[0]); i++) {
		uint16_t mss = v4[i].in;
		uint32_t c = isn_cookie(&key, &p, 12345, &mss, 500 * NS_PER_SEC);

		cr_assert_eq(mss, v4[i].out);
		cr_assert_eq(isn_cookie_check(&key, &p, 12345, c, 500 * NS_PER_SEC), mss);
	}
}

Test(isn, cookie_serves_one_pair_one_syn_for_a_while)
{
	struct isn_pair p = pair4(), q = pair4();
	uint16_t mss = 1460;
	int64_t now = 600 * NS_PER_SEC;
	uint32_t c = isn_cookie(&key, &p, 7, &mss, now), hits = 0;

	q.lport++;
	cr_assert_eq(isn_cookie_check(&key, &q, 7, c, now), 0);
	cr_assert_eq(isn_cookie_check(&key, &p, 8, c, now), 0);
	cr_assert_eq(isn_cookie_check(&other_key, &p, 7, c, now), 0);
	cr_assert_eq(isn_cookie_check(&key, &p, 7, c, now + 119 * NS_PER_SEC), 1460);
	cr_assert_eq(isn_cookie_check(&key, &p, 7, c, now + 120 * NS_PER_SEC), 0);
	for (uint32_t i = 0; i < 1000000; i++)
		hits += isn_cookie_check(&key, &p, 7, i * 4294u, now) != 0;
	cr_assert_lt(hits, 10, "a guess hits one in 2^24 / 8 / 2 * 256");
}

Test(isn, cookie_timestamp_carries_options)
{
	for (uint32_t ts = 0xffffff80u; ts != 0x80; ts++) {
		struct isn_cookie_opts o = { true, ts & 1, ts & 2, ts % 15 }, back;
		uint32_t t = isn_cookie_ts(ts, &o);

		cr_assert((int32_t)(ts - t) >= 0 && ts - t < 128);
		back = isn_cookie_ts_opts(t);
		cr_assert(back.has_wscale && back.wscale == o.wscale &&
			  back.sack_permitted == o.sack_permitted && back.ecn == o.ecn);
		o.has_wscale = false;
		cr_assert_not(isn_cookie_ts_opts(isn_cookie_ts(ts, &o)).has_wscale);
	}
}
