/* Congestion control: slow start, avoidance, reductions, CUBIC's curve, HyStart++. */
#include <criterion/criterion.h>

#include "base/clock.h"
#include "transport/tcp/cc.h"

TestSuite(cc);

static struct tcp_cc cc;
static struct tcp_cc_ack a;

static void start(const char *name)
{
	tcp_cc_init(&cc, tcp_cc_find(name));
	a = (struct tcp_cc_ack){
		.rtt_ns = 100 * NS_PER_MS, .min_rtt_ns = 100 * NS_PER_MS, .now_ns = NS_PER_SEC,
		.is_cwnd_limited = true, .snd_nxt = cc.cwnd,
	};
}

static void ack(uint32_t segs)
{
	a.acked_segs = segs;
	a.snd_una += segs;
	a.snd_nxt = a.snd_una + cc.cwnd;
	cc.ops->on_ack(&cc, &a);
}

/* A round trip: every segment of the window acknowledged, two by two. */
static void round_trip(int64_t rtt_ns)
{
	uint32_t n = cc.cwnd;

	a.rtt_ns = rtt_ns;
	a.now_ns += rtt_ns;
	for (uint32_t i = 0; i < n; i += 2)
		ack(n - i < 2 ? 1 : 2);
}

Test(cc, names)
{
	cr_assert_eq(tcp_cc_find("reno"), &tcp_cc_reno);
	cr_assert_eq(tcp_cc_find("cubic"), &tcp_cc_cubic);
	cr_assert_null(tcp_cc_find("bbr"));
	cr_assert_str_eq(tcp_cc_available(), "reno cubic");
}

Test(cc, slow_start_doubles)
{
	const char *names[] = { "reno", "cubic" };

	for (int i = 0; i < 2; i++) {
		start(names[i]);
		cr_assert_eq(cc.cwnd, 10);
		cr_assert_eq(cc.ssthresh, 0x7fffffff);
		round_trip(100 * NS_PER_MS);
		cr_assert_eq(cc.cwnd, 20);
		round_trip(100 * NS_PER_MS);
		cr_assert_eq(cc.cwnd, 40);
	}
}

Test(cc, does_not_grow_unless_cwnd_was_the_limit)
{
	start("cubic");
	a.is_cwnd_limited = false;
	ack(10);
	a.is_cwnd_limited = true;
	a.in_recovery = true;
	ack(10);
	cr_assert_eq(cc.cwnd, 10);
}

Test(cc, reno_adds_one_per_round_trip_and_halves)
{
	start("reno");
	cc.ssthresh = 10;
	round_trip(100 * NS_PER_MS);
	cr_assert_eq(cc.cwnd, 11);
	cc.cwnd = 20;
	cc.ops->on_loss(&cc, TCP_CC_FAST_RECOVERY, a.now_ns);
	cr_assert_eq(cc.ssthresh, 10);
	cr_assert_eq(cc.cwnd, 20, "the connection reduces it, ACK by ACK");
	cc.ops->on_exit_recovery(&cc);
	cr_assert_eq(cc.cwnd, 10);
	cc.ops->on_loss(&cc, TCP_CC_RTO, a.now_ns);
	cr_assert_eq(cc.cwnd, 1);
	cr_assert_eq(cc.ssthresh, 5);
	cc.ops->on_undo(&cc);
	cr_assert_eq(cc.cwnd, 10);
	cr_assert_eq(cc.ssthresh, 10);
	cc.cwnd = 2;
	cc.ops->on_loss(&cc, TCP_CC_FAST_RECOVERY, a.now_ns);
	cr_assert_eq(cc.ssthresh, 2, "never under two");
}

Test(cc, slow_start_ends_at_ssthresh_and_the_rest_counts)
{
	start("reno");
	cc.ssthresh = 12;
	ack(10);
	cr_assert_eq(cc.cwnd, 12);
	cr_assert_eq(cc.cwnd_cnt, 8);
	ack(4);
	cr_assert_eq(cc.cwnd, 13);
}

Test(cc, idle_time_decays_the_window)
{
	start("reno");
	cc.cwnd = 80;
	cc.ops->on_idle(&cc, 200 * NS_PER_MS, 300 * NS_PER_MS);
	cr_assert_eq(cc.cwnd, 80, "no RTO has passed");
	cc.ssthresh = 20;
	cc.ops->on_idle(&cc, 700 * NS_PER_MS, 300 * NS_PER_MS);
	cr_assert_eq(cc.cwnd, 20);
	cr_assert_eq(cc.ssthresh, 60);
	cc.ops->on_idle(&cc, 700 * NS_PER_SEC, 300 * NS_PER_MS);
	cr_assert_eq(cc.cwnd, 10);
	cc.cwnd = 4;
	cc.ops->on_idle(&cc, 700 * NS_PER_SEC, 300 * NS_PER_MS);
	cr_assert_eq(cc.cwnd, 4, "it does not grow by it");
}

Test(cc, cubic_reduces_by_three_tenths_with_fast_convergence)
{
	start("cubic");
	cc.cwnd = 100;
	cc.ops->on_loss(&cc, TCP_CC_FAST_RECOVERY, a.now_ns);
	cr_assert_eq(cc.ssthresh, 70);
	cr_assert_eq(cc.priv.cubic.w_max, 100);
	cc.ops->on_exit_recovery(&cc);
	cr_assert_eq(cc.cwnd, 70);
	cc.ops->on_loss(&cc, TCP_CC_FAST_RECOVERY, a.now_ns);
	cr_assert_eq(cc.priv.cubic.w_max, 59, "below the last: 0.85 of it");
	cc.ops->on_undo(&cc);
	cr_assert_eq(cc.priv.cubic.w_max, 100);
	cr_assert_eq(cc.cwnd, 70);
	cr_assert_eq(cc.ssthresh, 70);
}

/* W_max 1000, cwnd 700: K = cbrt(300 / 0.4) = 9.086 s. */
Test(cc, cubic_follows_its_curve)
{
	int64_t begin;

	start("cubic");
	cc.cwnd = 1000;
	cc.ops->on_loss(&cc, TCP_CC_FAST_RECOVERY, a.now_ns);
	cc.ops->on_exit_recovery(&cc);
	begin = a.now_ns;
	while (a.now_ns - begin < 9086 * NS_PER_MS)
		round_trip(100 * NS_PER_MS);
	cr_assert_eq(cc.priv.cubic.k_ms, 9085);
	cr_assert(cc.cwnd >= 990 && cc.cwnd <= 1000, "at K it is back at W_max, not %u", cc.cwnd);
	while (a.now_ns - begin < 19086 * NS_PER_MS)	/* 10 s after K: 0.4 * 1000 more */
		round_trip(100 * NS_PER_MS);
	cr_assert(cc.cwnd >= 1370 && cc.cwnd <= 1415, "the curve says 1400, not %u", cc.cwnd);
}

/* Short round trips, small windows: Reno would have more, so it has (RFC 9438, 4.3). */
Test(cc, cubic_is_no_slower_than_reno)
{
	start("cubic");
	cc.cwnd = 20;
	cc.ops->on_loss(&cc, TCP_CC_FAST_RECOVERY, a.now_ns);
	cc.ops->on_exit_recovery(&cc);
	a.min_rtt_ns = NS_PER_MS;
	for (int i = 0; i < 20; i++)
		round_trip(NS_PER_MS);
	cr_assert(cc.cwnd >= 26 && cc.cwnd <= 30, "0.53 a round trip up to 20, then 1: %u", cc.cwnd);
}

Test(cc, hystart_leaves_slow_start_when_round_trips_grow)
{
	start("cubic");
	round_trip(100 * NS_PER_MS);
	round_trip(100 * NS_PER_MS);
	cr_assert_eq(cc.cwnd, 40);
	round_trip(120 * NS_PER_MS);
	cr_assert(cc.priv.cubic.in_css, "16 ms more are too much");
	for (int i = 0; i < 8 && tcp_cc_in_slow_start(&cc); i++)
		round_trip(120 * NS_PER_MS);
	cr_assert_not(tcp_cc_in_slow_start(&cc), "five rounds later it is over");
	cr_assert_lt(cc.cwnd, 300, "by quarters, not doubling: %u", cc.cwnd);
}

Test(cc, hystart_goes_back_when_it_was_jitter)
{
	start("cubic");
	round_trip(100 * NS_PER_MS);
	round_trip(100 * NS_PER_MS);
	round_trip(120 * NS_PER_MS);
	cr_assert(cc.priv.cubic.in_css);
	round_trip(100 * NS_PER_MS);
	cr_assert_not(cc.priv.cubic.in_css);
	cr_assert(tcp_cc_in_slow_start(&cc));
}

Test(cc, windows_have_an_end)
{
	start("cubic");
	for (int i = 0; i < 100; i++)
		ack(1u << 20);
	cr_assert_leq(cc.cwnd, TCP_CC_MAX_CWND);
	start("reno");
	cc.ssthresh = 2;
	for (int i = 0; i < 100; i++)
		ack(1u << 30);
	cr_assert_leq(cc.cwnd, TCP_CC_MAX_CWND);
}

Test(cc, a_change_keeps_the_windows)
{
	start("reno");
	cc.cwnd = 33;
	cc.ssthresh = 22;
	tcp_cc_change(&cc, &tcp_cc_cubic);
	cr_assert_eq(cc.cwnd, 33);
	cr_assert_eq(cc.ssthresh, 22);
	cr_assert_eq(cc.priv.cubic.epoch_ns, -1);
}
