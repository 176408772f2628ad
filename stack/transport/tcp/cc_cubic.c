/*
 * CUBIC (RFC 9438) with HyStart++ (RFC 9406).
 *
 * In congestion avoidance the window follows a cubic function of the time since the last reduction: up to
 * W_max, where that came, steeply and then flat, and beyond it first flat and then steeply. Beside it runs
 * the estimate of what Reno would have; where that is more, it counts. In slow start HyStart++ looks at
 * the round trip times: when a round's least is a good deal above the round's before, the queue is
 * filling, and growth goes on at a quarter of the speed (conservative slow start) for five rounds, unless
 * the times come down again; then slow start is over, without a loss.
 *
 * Windows are in segments, times in milliseconds inside the formulas; the constants are the RFCs'.
 */
#include "transport/tcp/cc.h"

#include "base/clock.h"
#include "base/seq.h"

enum {
	CUBIC_SHIFT = 16,
	CUBIC_MAX_MS = 1000 * 1000,	/* beyond: the cube would overflow, and no window is that far off */
	CUBIC_LOOK_NS = 31250000,	/* the growth is found anew so often, every two round trips,
					 * or when the window has changed */
	HYSTART_MIN_ETA_NS = 4 * 1000 * 1000,
	HYSTART_MAX_ETA_NS = 16 * 1000 * 1000,
	HYSTART_DIVISOR = 8,
	HYSTART_SAMPLES = 8,
	CSS_DIVISOR = 4,
	CSS_ROUNDS = 5,
};

#define RTT_UNKNOWN INT64_MAX

static void cubic_init(struct tcp_cc *cc)
{
	cc->priv.cubic = (struct tcp_cubic){
		.epoch_ns = -1, .prior_epoch_ns = -1,
		.round_rtt_ns = RTT_UNKNOWN, .last_round_rtt_ns = RTT_UNKNOWN,
		.css_rtt_ns = RTT_UNKNOWN,
	};
}

static uint32_t cube_root(uint64_t v)
{
	uint64_t r = 0;

	for (int bit = 20; bit >= 0; bit--) {
		uint64_t t = r | 1ull << bit;

		if (t * t * t <= v)
			r = t;
	}
	return (uint32_t)r;
}

/* RFC 9438, 4.2: a new stretch of avoidance starts now. */
static void epoch_start(struct tcp_cc *cc, int64_t now_ns)
{
	struct tcp_cubic *c = &cc->priv.cubic;

	c->epoch_ns = now_ns;
	c->cwnd_epoch = cc->cwnd;
	c->w_est = (uint64_t)cc->cwnd << CUBIC_SHIFT;
	if (c->w_max <= cc->cwnd) {
		c->w_max = cc->cwnd;
		c->k_ms = 0;
	} else {
		/* (2): K = cbrt((W_max - cwnd_epoch) / C), C = 0.4 per s^3 */
		c->k_ms = cube_root((uint64_t)(c->w_max - cc->cwnd) * 2500000000ull);
	}
}

/* (1): W_cubic(t) = C * (t - K)^3 + W_max */
static int64_t w_cubic(const struct tcp_cubic *c, int64_t t_ms)
{
	int64_t d = t_ms - c->k_ms;

	if (d > CUBIC_MAX_MS)
		d = CUBIC_MAX_MS;
	if (d < -CUBIC_MAX_MS)
		d = -CUBIC_MAX_MS;
	return (int64_t)c->w_max + d * d * d / 5 * 2 / 1000000000;
}

/* RFC 9438, 4.3: alpha is 3 * (1 - 0.7) / (1 + 0.7) until the estimate has come to where the window was
 * before the reduction, then 1, Reno's. */
static void w_est_update(struct tcp_cc *cc, uint32_t acked)
{
	struct tcp_cubic *c = &cc->priv.cubic;
	uint64_t alpha = 1u << CUBIC_SHIFT;

	if (c->w_est >> CUBIC_SHIFT < cc->prior_cwnd)
		alpha = (9u << CUBIC_SHIFT) / 17;
	c->w_est += alpha * acked / cc->cwnd;
	if (c->w_est > (uint64_t)TCP_CC_MAX_CWND << CUBIC_SHIFT)
		c->w_est = (uint64_t)TCP_CC_MAX_CWND << CUBIC_SHIFT;
}

/* How many acknowledged segments make the window one larger, as things are now */
static uint32_t growth(const struct tcp_cc *cc, const struct tcp_cc_ack *a)
{
	const struct tcp_cubic *c = &cc->priv.cubic;
	int64_t rtt_ns = a->min_rtt_ns > 0 ? a->min_rtt_ns : 0, target;
	uint32_t per = cc->cwnd * 100, reno;	/* 4.5: next to nothing, but probing */

	/* 4.2: where the window shall be one round trip from now, at most half as much again. */
	target = w_cubic(c, (a->now_ns - c->epoch_ns + rtt_ns) / NS_PER_MS);
	if (target > cc->cwnd + cc->cwnd / 2)
		target = cc->cwnd + cc->cwnd / 2;
	if (target > cc->cwnd)
		per = cc->cwnd / (uint32_t)(target - cc->cwnd);
	/* 4.3: the Reno-friendly region; as Linux does, by steps to where the estimate is. */
	reno = (uint32_t)(c->w_est >> CUBIC_SHIFT);
	if (reno > cc->cwnd && per > cc->cwnd / (reno - cc->cwnd))
		per = cc->cwnd / (reno - cc->cwnd);
	return per > 2 ? per : 2;
}

static void cubic_avoid(struct tcp_cc *cc, const struct tcp_cc_ack *a, uint32_t acked)
{
	struct tcp_cubic *c = &cc->priv.cubic;
	int64_t look_ns = CUBIC_LOOK_NS;

	if (a->min_rtt_ns > 0 && 2 * a->min_rtt_ns < look_ns)
		look_ns = 2 * a->min_rtt_ns;
	if (c->epoch_ns < 0) {
		epoch_start(cc, a->now_ns);
		c->last_cwnd = 0;
	}
	w_est_update(cc, acked);
	if (cc->cwnd != c->last_cwnd || a->now_ns - c->last_ns > look_ns) {
		c->per = growth(cc, a);
		c->last_cwnd = cc->cwnd;
		c->last_ns = a->now_ns;
	}
	tcp_cc_avoid(cc, c->per, acked);
}

/* RFC 9406, 4.2: a round is over when what was sent last at its start is acknowledged. */
static void hystart_round(struct tcp_cubic *c, const struct tcp_cc_ack *a)
{
	if (c->round_started && !seq_ge(a->snd_una, c->round_end))
		return;
	c->last_round_rtt_ns = c->round_started ? c->round_rtt_ns : RTT_UNKNOWN;
	c->round_rtt_ns = RTT_UNKNOWN;
	c->round_samples = 0;
	c->round_end = a->snd_nxt;
	if (c->round_started && c->in_css)
		c->css_rounds++;
	c->round_started = true;
}

static void hystart_sample(struct tcp_cubic *c, int64_t rtt_ns)
{
	int64_t eta;

	if (rtt_ns < 0)
		return;
	if (rtt_ns < c->round_rtt_ns)
		c->round_rtt_ns = rtt_ns;
	if (c->round_samples < HYSTART_SAMPLES)
		c->round_samples++;
	if (c->round_samples < HYSTART_SAMPLES || c->last_round_rtt_ns == RTT_UNKNOWN)
		return;
	if (c->in_css) {
		if (c->round_rtt_ns < c->css_rtt_ns) {	/* it was no queue after all */
			c->in_css = false;
			c->css_rtt_ns = RTT_UNKNOWN;
		}
		return;
	}
	eta = c->last_round_rtt_ns / HYSTART_DIVISOR;
	if (eta < HYSTART_MIN_ETA_NS)
		eta = HYSTART_MIN_ETA_NS;
	if (eta > HYSTART_MAX_ETA_NS)
		eta = HYSTART_MAX_ETA_NS;
	if (c->round_rtt_ns >= c->last_round_rtt_ns + eta) {
		c->in_css = true;
		c->css_rtt_ns = c->round_rtt_ns;
		c->css_rounds = 0;
	}
}

/* Returns the segments left for avoidance. */
static uint32_t cubic_slow_start(struct tcp_cc *cc, const struct tcp_cc_ack *a)
{
	struct tcp_cubic *c = &cc->priv.cubic;

	hystart_round(c, a);
	hystart_sample(c, a->rtt_ns);
	if (!c->in_css)
		return tcp_cc_slow_start(cc, a->acked_segs);
	if (c->css_rounds >= CSS_ROUNDS) {
		cc->ssthresh = cc->cwnd;
		c->in_css = false;
		return a->acked_segs;
	}
	tcp_cc_avoid(cc, CSS_DIVISOR, a->acked_segs);
	if (cc->cwnd > cc->ssthresh)
		cc->cwnd = cc->ssthresh;
	return 0;
}

static void cubic_on_ack(struct tcp_cc *cc, const struct tcp_cc_ack *a)
{
	uint32_t acked = a->acked_segs;

	if (a->in_recovery || !a->is_cwnd_limited)
		return;
	if (tcp_cc_in_slow_start(cc))
		acked = cubic_slow_start(cc, a);
	if (acked)
		cubic_avoid(cc, a, acked);
}

static void cubic_on_loss(struct tcp_cc *cc, enum tcp_cc_event e, int64_t now_ns)
{
	struct tcp_cubic *c = &cc->priv.cubic;

	(void)now_ns;
	c->prior_w_max = c->w_max;
	c->prior_k_ms = c->k_ms;
	c->prior_epoch_ns = c->epoch_ns;
	/* RFC 9438, 4.7: fast convergence, room for a flow that has come */
	c->w_max = cc->cwnd < c->w_max ? (uint32_t)((uint64_t)cc->cwnd * 17 / 20) : cc->cwnd;
	/* 4.8: after a timeout the curve starts from where avoidance does */
	if (e == TCP_CC_RTO)
		c->w_max = 0;
	c->epoch_ns = -1;
	c->in_css = c->round_started = false;
	c->css_rtt_ns = RTT_UNKNOWN;
	tcp_cc_reduce(cc, (uint32_t)((uint64_t)cc->cwnd * 7 / 10), e);	/* 4.6 */
}

/* RFC 9438, 4.9 */
static void cubic_on_undo(struct tcp_cc *cc)
{
	struct tcp_cubic *c = &cc->priv.cubic;

	c->w_max = c->prior_w_max;
	c->k_ms = c->prior_k_ms;
	c->epoch_ns = c->prior_epoch_ns;
	tcp_cc_restore(cc);
}

static void cubic_on_idle(struct tcp_cc *cc, int64_t idle_ns, int64_t rto_ns)
{
	struct tcp_cubic *c = &cc->priv.cubic;

	/* RFC 9438, 5.8: time without sending is not time the window has grown in. */
	if (c->epoch_ns >= 0)
		c->epoch_ns += idle_ns;
	tcp_cc_restart(cc, idle_ns, rto_ns);
}

const struct tcp_cc_ops tcp_cc_cubic = {
	.name = "cubic",
	.init = cubic_init,
	.on_ack = cubic_on_ack,
	.on_loss = cubic_on_loss,
	.on_undo = cubic_on_undo,
	.on_exit_recovery = tcp_cc_leave,
	.on_idle = cubic_on_idle,
};
