/*
 * Round trip times and the retransmission timeout (RFC 6298).
 *
 * SRTT is RFC 6298's. RTTVAR is Linux's conservative form of it: the mean deviation is followed as the
 * RFC says, but a sample far below the mean, which says that a queue has drained, moves it by an eighth
 * only; and the RTO uses the largest value in a round trip, which it leaves slowly. Many samples in each
 * round trip would otherwise pull RTTVAR to nothing (the RFC's constants are for one, as its
 * section 3 warns by way of RFC 7323, appendix G). The floor is one of RTTVAR and not of the RTO: so the
 * RTO is at least SRTT + 200 ms, which leaves room for a delayed acknowledgement.
 */
#include "transport/tcp/rtt.h"

#include <string.h>

#include "base/clock.h"
#include "base/seq.h"

enum { BACKOFF_MAX = 20 };

struct rtt_limits rtt_limits_default(void)
{
	return (struct rtt_limits){
		.init_ns = NS_PER_SEC, .min_ns = 200 * NS_PER_MS, .max_ns = 120 * NS_PER_SEC,
	};
}

void rtt_init(struct rtt *r, const struct rtt_limits *limits)
{
	memset(r, 0, sizeof(*r));
	r->limits = *limits;
	r->last_ns = -1;
	for (int i = 0; i < 3; i++)
		r->min[i].rtt_ns = -1;
	r->base_rto_ns = limits->init_ns;
}

static void set_rto(struct rtt *r)
{
	int64_t rto = r->srtt_ns ? r->srtt_ns + r->rttvar4_ns : r->limits.init_ns;

	r->base_rto_ns = rto < r->limits.max_ns ? rto : r->limits.max_ns;
}

void rtt_set_limits(struct rtt *r, const struct rtt_limits *limits)
{
	r->limits = *limits;
	if (r->srtt_ns && r->max4_ns < limits->min_ns)
		r->max4_ns = limits->min_ns;
	if (r->srtt_ns) {
		/* A lower floor counts at once: the deviation is known. */
		r->rttvar4_ns = r->mdev4_ns > limits->min_ns ? r->mdev4_ns : limits->min_ns;
	}
	set_rto(r);
}

static void first_sample(struct rtt *r, int64_t rtt_ns, uint32_t snd_nxt)
{
	/* RFC 6298, 2.2: SRTT = R, RTTVAR = R / 2; here times four. */
	r->srtt_ns = rtt_ns;
	r->mdev4_ns = rtt_ns * 2;
	r->max4_ns = r->mdev4_ns > r->limits.min_ns ? r->mdev4_ns : r->limits.min_ns;
	r->rttvar4_ns = r->max4_ns;
	r->round_end = snd_nxt;
}

static void next_sample(struct rtt *r, int64_t rtt_ns, uint32_t snd_una, uint32_t snd_nxt)
{
	int64_t err = rtt_ns - r->srtt_ns, dev;

	/* RFC 6298, 2.3: SRTT += err / 8, RTTVAR += (|err| - RTTVAR) / 4. */
	r->srtt_ns += err / 8;
	if (r->srtt_ns <= 0)
		r->srtt_ns = 1;
	dev = (err < 0 ? -err : err) - r->mdev4_ns / 4;
	if (err < 0 && dev > 0)
		dev /= 8;
	r->mdev4_ns += dev;
	if (r->mdev4_ns > r->max4_ns) {
		r->max4_ns = r->mdev4_ns;
		if (r->max4_ns > r->rttvar4_ns)
			r->rttvar4_ns = r->max4_ns;
	}
	if (seq_gt(snd_una, r->round_end)) {
		if (r->max4_ns < r->rttvar4_ns)
			r->rttvar4_ns -= (r->rttvar4_ns - r->max4_ns) / 4;
		r->round_end = snd_nxt;
		r->max4_ns = r->limits.min_ns;
	}
}

/*
 * Kathleen Nichols' windowed minimum: the best sample, the best after it, and the best after that, so
 * that when the first is too old the next one is at hand.
 */
static void min_sample(struct rtt *r, int64_t rtt_ns, int64_t now_ns)
{
	struct rtt_min_sample s = { now_ns, rtt_ns }, *m = r->min;

	if (m[0].rtt_ns < 0 || rtt_ns <= m[0].rtt_ns || now_ns - m[2].at_ns > RTT_MIN_WINDOW_NS) {
		m[0] = m[1] = m[2] = s;
		return;
	}
	if (rtt_ns <= m[1].rtt_ns)
		m[1] = m[2] = s;
	else if (rtt_ns <= m[2].rtt_ns)
		m[2] = s;

	if (now_ns - m[0].at_ns > RTT_MIN_WINDOW_NS) {
		m[0] = m[1];
		m[1] = m[2];
		m[2] = s;
		if (now_ns - m[0].at_ns > RTT_MIN_WINDOW_NS) {
			m[0] = m[1];
			m[1] = m[2];
		}
	} else if (m[1].at_ns == m[0].at_ns && now_ns - m[1].at_ns > RTT_MIN_WINDOW_NS / 4) {
		m[1] = m[2] = s;	/* a second choice from the second quarter of the window */
	} else if (m[2].at_ns == m[1].at_ns && now_ns - m[2].at_ns > RTT_MIN_WINDOW_NS / 2) {
		m[2] = s;		/* a third choice from its second half */
	}
}

void rtt_sample(struct rtt *r, int64_t rtt_ns, int64_t now_ns, uint32_t snd_una, uint32_t snd_nxt)
{
	if (rtt_ns <= 0)
		rtt_ns = 1;
	if (r->srtt_ns == 0)
		first_sample(r, rtt_ns, snd_nxt);
	else
		next_sample(r, rtt_ns, snd_una, snd_nxt);
	r->last_ns = rtt_ns;
	r->backoff = 0;
	set_rto(r);
	min_sample(r, rtt_ns, now_ns);
}

int64_t rtt_rto(const struct rtt *r)
{
	int64_t rto = r->base_rto_ns;

	for (uint32_t i = 0; i < r->backoff && rto < r->limits.max_ns; i++)
		rto *= 2;
	return rto < r->limits.max_ns ? rto : r->limits.max_ns;
}

void rtt_back_off(struct rtt *r)
{
	if (r->backoff < BACKOFF_MAX)
		r->backoff++;
}

void rtt_reset_backoff(struct rtt *r)
{
	r->backoff = 0;
}

int64_t rtt_min(const struct rtt *r)
{
	return r->min[0].rtt_ns;
}
