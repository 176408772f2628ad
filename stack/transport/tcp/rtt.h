/* Round trip times: the estimate, the retransmission timeout (RFC 6298), the least one seen lately. */
#ifndef STACK_TRANSPORT_TCP_RTT_H
#define STACK_TRANSPORT_TCP_RTT_H

#include <stdbool.h>
#include <stdint.h>

/** struct rtt_limits - @init_ns: RTO before there is a sample; @min_ns: floor of the variance's part;
 * @max_ns: most the RTO is, backed off too */
struct rtt_limits {
	int64_t init_ns, min_ns, max_ns;
};

/** rtt_limits_default() - 1 s (RFC 6298, 2.1), 200 ms as Linux, 120 s */
struct rtt_limits rtt_limits_default(void);

struct rtt_min_sample {
	int64_t at_ns, rtt_ns;
};

/**
 * struct rtt - one connection's
 * @srtt_ns:    smoothed round trip time, 0 before the first sample
 * @mdev4_ns:   four times the mean deviation (RFC 6298's RTTVAR times K)
 * @max4_ns:    the largest of these in the current round trip, at least the floor
 * @rttvar4_ns: the variance's part of the RTO: follows @max4_ns up at once, down once a round trip
 * @last_ns:    the last sample, -1 before the first
 * @round_end:  sequence number that ends the current round trip
 * @backoff:    how often the RTO has been doubled
 * @min:        best, second and third best samples of the last RTT_MIN_WINDOW_NS
 */
struct rtt {
	struct rtt_limits limits;
	int64_t max4_ns, rttvar4_ns;
	int64_t last_ns;
	uint32_t round_end;
	/* What tcp_info shows, in one place */
	uint32_t backoff;
	int64_t srtt_ns, mdev4_ns;
	int64_t base_rto_ns;
	struct rtt_min_sample min[3];
};

#define RTT_MIN_WINDOW_NS (300ll * 1000000000)

void rtt_init(struct rtt *r, const struct rtt_limits *limits);

/** rtt_set_limits() - from now on; the current RTO follows */
void rtt_set_limits(struct rtt *r, const struct rtt_limits *limits);

/**
 * rtt_sample() - a measurement: of segments never retransmitted, or by timestamps (RFC 6298, 3)
 * @rtt_ns: > 0
 * @snd_una, @snd_nxt: after the ACK that gave it
 *
 * Ends any backoff.
 */
void rtt_sample(struct rtt *r, int64_t rtt_ns, int64_t now_ns, uint32_t snd_una, uint32_t snd_nxt);

/** rtt_rto() - the timeout to arm now, backoff included */
int64_t rtt_rto(const struct rtt *r);

/** rtt_back_off() - the timer expired: twice as long (RFC 6298, 5.5) */
void rtt_back_off(struct rtt *r);

/** rtt_reset_backoff() - new data was acknowledged, though it gave no sample */
void rtt_reset_backoff(struct rtt *r);

/** rtt_min() - least round trip time of the window, -1 before the first sample */
int64_t rtt_min(const struct rtt *r);

#endif
