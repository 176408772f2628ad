/*
 * Congestion control: what a connection tells an algorithm, and what it may answer.
 *
 * The algorithm owns cwnd and ssthresh outside of fast recovery. In fast recovery (and while cwnd is
 * reduced after ECN) the connection sets cwnd itself, by proportional rate reduction (RFC 6937) towards
 * ssthresh: on_loss() sets ssthresh and leaves cwnd. on_exit_recovery() then sets cwnd to ssthresh.
 * After an RTO on_loss() sets cwnd to one segment and the algorithm goes on from there. All windows are in
 * segments, as in tcp_info.
 */
#ifndef STACK_TRANSPORT_TCP_CC_H
#define STACK_TRANSPORT_TCP_CC_H

#include <stdbool.h>
#include <stdint.h>

enum {
	TCP_CC_INIT_CWND = 10,			/* RFC 6928 */
	TCP_CC_MAX_CWND = 1 << 20,		/* 1 GiB even of small segments: no window is larger */
	TCP_CC_NAME_MAX = 16,			/* with the zero, as the socket option has it */
	TCP_SSTHRESH_INFINITE = 0x7fffffff,
};

/** enum tcp_cc_event - what happened, to on_loss() */
enum tcp_cc_event { TCP_CC_FAST_RECOVERY, TCP_CC_RTO, TCP_CC_ECN };

/**
 * struct tcp_cc_ack - an acknowledgement of new data, cumulative or by SACK
 * @acked_segs: segments it acknowledged that were not before
 * @in_flight:  segments in flight before it came
 * @rtt_ns:     round trip time it measured, -1 if none
 * @min_rtt_ns: least one of late, -1 if none
 * @snd_una, @snd_nxt: after it
 * @is_cwnd_limited: cwnd, not the application or the peer's window, was what held data back
 * @in_recovery: in fast recovery or reduction: the connection sets cwnd, the algorithm only looks
 */
struct tcp_cc_ack {
	uint32_t acked_segs, in_flight;
	int64_t rtt_ns, min_rtt_ns, now_ns;
	uint32_t snd_una, snd_nxt;
	bool is_cwnd_limited, in_recovery;
};

/** struct tcp_cubic - CUBIC's state; see cc_cubic.c */
struct tcp_cubic {
	int64_t epoch_ns, prior_epoch_ns;	/* start of this stretch of avoidance, -1: none */
	int64_t round_rtt_ns, last_round_rtt_ns, css_rtt_ns;
	uint64_t w_est;				/* segments << CUBIC_SHIFT */
	uint32_t w_max, prior_w_max;
	uint32_t cwnd_epoch, k_ms, prior_k_ms;
	int64_t last_ns;			/* when @per was found, for @last_cwnd */
	uint32_t last_cwnd, per;
	uint32_t round_end;
	uint8_t round_samples, css_rounds;
	bool in_css, round_started;
};

struct tcp_cc_ops;

/**
 * struct tcp_cc - one connection's
 * @cwnd_cnt:    progress towards the next segment of cwnd; the algorithm's
 * @prior_cwnd, @prior_ssthresh: before the last reduction, for on_undo()
 */
struct tcp_cc {
	const struct tcp_cc_ops *ops;
	uint32_t cwnd, ssthresh;
	uint32_t cwnd_cnt;
	uint32_t prior_cwnd, prior_ssthresh;
	union {
		struct tcp_cubic cubic;
	} priv;
};

/**
 * struct tcp_cc_ops - an algorithm
 * @init:     cwnd and ssthresh stand already (a change of algorithm keeps them)
 * @on_ack:   see struct tcp_cc_ack
 * @on_loss:  the first sign of congestion in a window of data
 * @on_undo:  the last reduction was for nothing: back to what was before, at least
 * @on_exit_recovery: all that was outstanding at its start is acknowledged
 * @on_idle:  sending starts again after nothing was in flight for @idle_ns
 */
struct tcp_cc_ops {
	const char *name;
	void (*init)(struct tcp_cc *cc);
	void (*on_ack)(struct tcp_cc *cc, const struct tcp_cc_ack *a);
	void (*on_loss)(struct tcp_cc *cc, enum tcp_cc_event e, int64_t now_ns);
	void (*on_undo)(struct tcp_cc *cc);
	void (*on_exit_recovery)(struct tcp_cc *cc);
	void (*on_idle)(struct tcp_cc *cc, int64_t idle_ns, int64_t rto_ns);
};

extern const struct tcp_cc_ops tcp_cc_reno, tcp_cc_cubic;

/** tcp_cc_find() - an algorithm by name, NULL if there is none */
const struct tcp_cc_ops *tcp_cc_find(const char *name);

/** tcp_cc_available() - their names, separated by blanks */
const char *tcp_cc_available(void);

/** tcp_cc_init() - a new connection's: the initial window, ssthresh infinite */
void tcp_cc_init(struct tcp_cc *cc, const struct tcp_cc_ops *ops);

/** tcp_cc_change() - another algorithm, from the windows as they are */
void tcp_cc_change(struct tcp_cc *cc, const struct tcp_cc_ops *ops);

static inline bool tcp_cc_in_slow_start(const struct tcp_cc *cc)
{
	return cc->cwnd < cc->ssthresh;
}

/* What algorithms share. */

/** tcp_cc_slow_start() - grow by @acked segments up to ssthresh; returns those left over */
uint32_t tcp_cc_slow_start(struct tcp_cc *cc, uint32_t acked);

/** tcp_cc_avoid() - grow by one segment for each @per acknowledged */
void tcp_cc_avoid(struct tcp_cc *cc, uint32_t per, uint32_t acked);

/** tcp_cc_reduce() - remember the windows, then set ssthresh, and cwnd too if it was an RTO */
void tcp_cc_reduce(struct tcp_cc *cc, uint32_t ssthresh, enum tcp_cc_event e);

/** tcp_cc_restore(), tcp_cc_leave(), tcp_cc_restart() - what on_undo(), on_exit_recovery() and on_idle()
 * do at least */
void tcp_cc_restore(struct tcp_cc *cc);
void tcp_cc_leave(struct tcp_cc *cc);
void tcp_cc_restart(struct tcp_cc *cc, int64_t idle_ns, int64_t rto_ns);

#endif
