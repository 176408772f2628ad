/* A connection, and what the files of TCP call one another for. */
#ifndef STACK_TRANSPORT_TCP_CONN_H
#define STACK_TRANSPORT_TCP_CONN_H

#include "base/seq.h"
#include "core/stack.h"
#include "header/tcp.h"
#include "transport/tcp/cc.h"
#include "transport/tcp/ooo.h"
#include "transport/tcp/proto.h"
#include "transport/tcp/rtt.h"
#include "transport/tcp/state.h"
#include "transport/tcp/table.h"
#include "transport/tcp/tcp.h"

enum {
	TCP_MIN_MSS = 88,		/* least MSS believed, as Linux's TCP_MIN_MSS */
	TCP_MIN_SND_MSS = 48,		/* least sent: room for options and 8 bytes of data */
	TCP_DEFAULT_MSS = 536,		/* RFC 9293, 3.7.1 */
	TCP_MIN_IPV6_MSS = 1220,
	TCP_WINDOW_MAX = 65535,
	TCP_MAX_QUICKACKS = 16,
	TCP_DUPTHRESH = 3,
};

#define TCP_ATO_MIN_NS (40 * NS_PER_MS)		/* Linux's TCP_ATO_MIN, TCP_DELACK_MIN */
#define TCP_DELACK_MAX_NS (200 * NS_PER_MS)
#define TCP_RTO_MIN_NS (200 * NS_PER_MS)
#define TCP_TIMER_MIN_NS (2 * NS_PER_MS)	/* as Linux's TCP_TIMEOUT_MIN at 1000 Hz */

/** enum tcp_ca - where recovery from loss stands; numbers of tcp_info's ca_state */
enum tcp_ca { TCP_CA_OPEN, TCP_CA_DISORDER, TCP_CA_CWR, TCP_CA_RECOVERY, TCP_CA_LOSS };

/** enum tcp_seg_flag - what is known of a range that was sent */
enum tcp_seg_flag {
	SEG_SACKED = 1,			/* the peer says it holds it */
	SEG_RETRANS = 2,		/* sent again since it was last taken for lost */
	SEG_LOST = 4,
	SEG_EVER_RETRANS = 8,
	SEG_FIN = 16,
	SEG_PSH = 32,
};

/**
 * struct tcp_seg - a range that was sent and is not yet acknowledged
 * @node:    in the order of the sequence space
 * @order:   by time of transmission; or among those to be sent again; or, SACKed, in neither list
 * @buf, @buf_off: where in the rope its bytes start
 * @len:     bytes, the FIN not counted
 * @segs:    segments of @mss it makes, at least 1
 * @sent_ns: when it was sent last
 * @delivered, @delivered_ns, @first_sent_ns: the connection's, as it was sent (delivery rate)
 */
struct tcp_seg {
	struct list node, order;
	struct pkt *buf;
	uint32_t buf_off;
	uint32_t seq, len;
	uint16_t mss, segs;
	uint8_t flags;
	bool app_limited;
	uint16_t transmits;
	int64_t sent_ns;
	uint32_t delivered;
	int64_t delivered_ns, first_sent_ns;
};

static inline uint32_t seg_end(const struct tcp_seg *s)
{
	return s->seq + s->len + (s->flags & SEG_FIN ? 1 : 0);
}

/** enum tcp_rtx_kind - what the retransmission timer is armed for */
enum tcp_rtx_kind { RTX_NONE, RTX_RTO, RTX_TLP, RTX_REO, RTX_PERSIST };

/** enum tcp_ack_pending - what is due to the peer */
enum tcp_ack_pending {
	ACK_SCHED = 1,			/* one is due */
	ACK_TIMER = 2,			/* and will be sent by the timer */
	ACK_PUSHED = 4,			/* short segments came */
	ACK_PUSHED2 = 8,
	ACK_NOW = 16,
};

/** struct tcp_rack - RFC 8985, 5.3 */
struct tcp_rack {
	int64_t sent_ns;		/* RACK.xmit_ts */
	int64_t rtt_ns;
	uint32_t end_seq;
	uint32_t dsack_round;		/* RACK.dsack_round */
	uint8_t reo_steps;		/* RACK.reo_wnd_mult */
	uint8_t reo_persist;
	bool advanced, dsack_seen, has_dsack_round;
};

/** enum tcp_ecn_flag - RFC 3168 */
enum tcp_ecn_flag {
	ECN_OK = 1,			/* both ends have it */
	ECN_QUEUE_CWR = 2,		/* the next new data carries CWR */
	ECN_DEMAND_CWR = 4,		/* ECE goes out until CWR comes in */
	ECN_SEEN = 8,
};

struct tcp_listener;

/**
 * struct tcp_conn - a TCP endpoint
 *
 * Names of RFC 9293, 3.3.1 where it has one.
 */
struct tcp_conn {
	struct endpoint ep;
	struct tcp_tuple tuple;
	struct tcp_proto *proto;
	struct tcp_listener *listener;	/* what only listeners have; NULL for others */
	struct list pending;		/* in the listener's accept queue until it is accepted */
	struct full_addr local, remote;
	struct port_claim claim;
	struct route route;

	uint8_t state;
	uint8_t busy;			/* calls that are using it */
	bool dead;			/* to be freed when they are done */
	bool bound, explicit_port, explicit_addr;
	bool rx_shut, tx_shut;		/* rx_shut: by the user, or a FIN was taken */
	bool orphan;			/* its user closed it */
	bool passive, accepted, is_pending;
	bool fin_queued, fin_sent;
	bool was_connected;		/* connect() has to say so once */
	enum ns_err soft_err;		/* what ICMP said without ending it */

	/* Options agreed on */
	bool has_ts, has_sack, has_wscale;
	uint8_t snd_wscale, rcv_wscale;
	uint8_t ecn, tos_ecn;
	uint8_t hdr_len;		/* TCP header with the options of every segment */

	/* Send sequence space */
	uint32_t iss, snd_una, snd_nxt, snd_wnd, snd_wl1, snd_sml;
	uint32_t write_seq;		/* end of what the user wrote */
	uint32_t push_seq, pushed_seq;	/* PSH is due at the first; the last that went with one */
	uint32_t snd_up, max_window;
	uint32_t mss, mss_clamp, advmss;
	uint32_t pmtu, user_mss;
	uint32_t pmtu_gen, route_gen;	/* what mss was made from */
	bool urg_out;
	bool nodelay, cork, more;
	bool sndbuf_locked, rcvbuf_locked, want_space;
	uint32_t sndbuf, notsent_lowat;

	/* What waits to be sent, and what was */
	struct list rope;		/* struct pkt; the first holds the byte snd_una */
	uint32_t rope_seq;		/* of the first packet's first byte */
	struct pkt *send_pkt;		/* where snd_nxt is, NULL at the end */
	uint32_t send_off;
	bool tail_open;			/* the last packet's chunk has room that is ours */
	struct list segs;		/* by sequence number */
	struct list sent, lost;		/* by transmission; to be sent again */
	uint32_t highest_sack;		/* end of the highest range SACKed, if sacked_out */

	/* Counts of segments */
	uint32_t packets_out, sacked_out, lost_out, retrans_out;
	uint32_t max_packets_out, cwnd_usage_seq;
	uint32_t cwnd_used;
	int64_t cwnd_stamp_ns;
	uint32_t app_limited;		/* until so many are delivered; 0: not */
	bool is_cwnd_limited;

	/* Recovery */
	struct tcp_cc cc;
	struct rtt rtt;
	struct tcp_rack rack;
	uint8_t ca;
	uint8_t retransmits;		/* of the RTO, in a row */
	uint8_t reordering;
	bool frto, frto_new, tlp_retrans, reneged;
	uint32_t high_seq, tlp_high_seq;
	uint32_t undo_marker;		/* 0: nothing to undo */
	int32_t undo_retrans;
	uint32_t prior_cwnd, prior_ssthresh, prr_delivered, prr_out;
	uint32_t retrans_stamp;		/* timestamp clock of the first retransmission */
	int64_t retrans_ns;		/* and when */
	uint32_t snd_retrans_end;	/* end of what was retransmitted last (Eifel without SACK) */
	uint8_t dup_acks;

	/* Receive sequence space */
	uint32_t irs, rcv_nxt, rcv_wnd, rcv_wup, copied_seq;
	uint32_t rcv_ssthresh, window_clamp, user_clamp;
	uint32_t rcv_mss, rcv_lowat;
	uint32_t rcvbuf;
	struct list rcvq;		/* struct pkt, payload first */
	uint32_t rcv_bytes;
	size_t rcv_truesize;
	struct ooo ooo;
	uint32_t rcv_up;
	uint8_t urg_state, urg_byte;
	bool oob_inline, moderate;
	uint32_t ts_recent;
	int64_t ts_recent_ns;
	uint32_t ts_off, rcv_ecr;
	uint32_t last_ack_sent;

	/* Auto-tuning of the receive buffer */
	uint32_t space_seq, space_bytes;
	int64_t space_ns;
	uint32_t rtt_seq;
	int64_t rtt_seq_ns, rcv_rtt_ns;

	/* Acknowledgements */
	uint8_t ack_pending, quick, pingpong;
	bool quick_lock;		/* TCP_QUICKACK */
	int64_t ato_ns;

	/* Timers */
	struct timer timer;
	struct task task;		/* output put off to the end of a batch */
	int64_t rtx_at, delack_at, keep_at;
	uint8_t rtx_kind, probes, keep_probes;
	bool keepalive;
	uint8_t keep_count, syn_retries, defer_accept;
	uint32_t keep_idle_s, keep_intvl_s;
	int64_t user_timeout_ns, linger2_ns, probe_start_ns;
	bool linger;
	int64_t linger_ns;

	/* When things happened last */
	int64_t last_rx_ns, last_tx_ns, last_ack_rx_ns, challenge_ns, dupack_ns;

	/* Path MTU black holes (RFC 4821) */
	uint32_t probe_mtu;		/* lowered to, 0 if not */
	int64_t probe_mtu_ns;

	struct tcp_count {		/* what tcp_info shows */
		uint64_t bytes_acked, bytes_received, bytes_sent, bytes_retrans;
		uint32_t segs_in, segs_out, data_segs_in, data_segs_out;
		uint32_t delivered, delivered_ce, lost, total_retrans, dsack_dups, reord_seen, rcv_ooo,
			received_ce;
		uint16_t total_rto, total_rto_recoveries;
		uint32_t total_rto_ms;
		int64_t rto_start_ns;
		int64_t delivered_ns, first_sent_ns;
		uint32_t rate_delivered;
		int64_t rate_interval_ns;
		bool rate_app_limited;
		uint8_t chrono;
		int64_t chrono_start_ns[3], chrono_ns[3];
	} n;
};

static inline struct tcp_conn *tcp_of(struct endpoint *ep)
{
	return container_of(ep, struct tcp_conn, ep);
}

static inline int64_t tcp_now(const struct tcp_conn *c)
{
	return c->ep.stack->clock->now_ns;
}

static inline struct tcp_stats *tcp_stats(const struct tcp_conn *c)
{
	return &c->ep.stack->stats.tcp;
}

/** tcp_ts_now() - the timestamp clock: milliseconds (RFC 7323, 5.4), with the pair's offset */
static inline uint32_t tcp_ts_now(const struct tcp_conn *c)
{
	return (uint32_t)(tcp_now(c) / NS_PER_MS) + c->ts_off;
}

static inline uint32_t tcp_in_flight(const struct tcp_conn *c)
{
	return c->packets_out - c->sacked_out - c->lost_out + c->retrans_out;
}

/** tcp_wnd_end() - the first sequence number that the peer's window does not allow */
static inline uint32_t tcp_wnd_end(const struct tcp_conn *c)
{
	return c->snd_una + c->snd_wnd;
}

/** tcp_unsent() - bytes written and not sent */
static inline uint32_t tcp_unsent(const struct tcp_conn *c)
{
	return c->fin_sent ? 0 : c->write_seq - c->snd_nxt;
}

/** tcp_to_send() - something was never sent: data, or a FIN */
static inline bool tcp_to_send(const struct tcp_conn *c)
{
	return !c->fin_sent && (c->write_seq != c->snd_nxt || c->fin_queued);
}

static inline struct tcp_seg *tcp_first_seg(const struct tcp_conn *c)
{
	return list_empty(&c->segs) ? NULL : container_of(c->segs.next, struct tcp_seg, node);
}

/** tcp_rcv_window() - what was last announced, as far as it is not used up */
static inline uint32_t tcp_rcv_window(const struct tcp_conn *c)
{
	int32_t w = (int32_t)(c->rcv_wup + c->rcv_wnd - c->rcv_nxt);

	return w > 0 ? (uint32_t)w : 0;
}

/**
 * struct tcp_rx - a segment received
 * @pkt:     its payload, headers pulled; NULL once somebody took it
 * @end_seq: after its last number, SYN and FIN counted
 * @wnd:     window, scaled but in a SYN
 * @segs:    segments that were merged into it
 * @ce:      the network marked it (RFC 3168)
 */
struct tcp_rx {
	struct tcp_hdr h;
	struct tcp_opts o;
	struct pkt *pkt;
	struct nic *nic;
	struct addr src, dst;
	uint32_t seq, ack, end_seq, len, wnd;
	uint16_t segs;
	uint8_t flags;
	bool ce, ect;
	bool fast;
	uint32_t tw_isn;	/* ours, if a TIME-WAIT made way for it */
};

/* conn.c: life */

/** tcp_conn_new() - an endpoint in CLOSE; NULL if there is no memory */
struct tcp_conn *tcp_conn_new(struct tcp_proto *p, enum net_index net);

/** tcp_hold(), tcp_put() - around every use that may end the connection: the last tcp_put() of a dead
 * one frees it */
static inline void tcp_hold(struct tcp_conn *c)
{
	c->busy++;
}
void tcp_put(struct tcp_conn *c);

/** tcp_done() - the connection is over: CLOSE, out of the tables, all queues but unread data freed,
 * the user told. With @err, what SOCKOPT_ERROR says. An orphan is freed. */
void tcp_done(struct tcp_conn *c, enum ns_err err);

/** tcp_release() - give the memory back, at the latest when nobody holds it */
void tcp_release(struct tcp_conn *c);

/** tcp_init_transfer() - both ends' numbers are known: window, buffers, MSS, estimator */
void tcp_init_transfer(struct tcp_conn *c);

/** tcp_get_route() - a route that holds now; an error if there is none */
enum ns_err tcp_get_route(struct tcp_conn *c);

/** tcp_orphan() - the user has gone */
void tcp_orphan(struct tcp_conn *c);

/** tcp_wake() - tell waiters */
static inline void tcp_wake(struct tcp_conn *c, uint32_t events)
{
	if (!list_empty(&c->ep.wq.list))
		waiter_notify(&c->ep.wq, events);
}

/* sndq.c: the rope, and records of what was sent */

/** tcp_write_bytes() - append up to @n bytes of @p; how many, fewer only without memory */
size_t tcp_write_bytes(struct tcp_conn *c, struct payload *p, size_t n);
/** tcp_seg_new() - a record of the next @len bytes to be sent, and the FIN; NULL without memory */
struct tcp_seg *tcp_seg_new(struct tcp_conn *c, uint32_t len, bool fin, uint32_t mss);

/** tcp_seg_resize() - its segments are of @mss bytes from now on */
void tcp_seg_resize(struct tcp_conn *c, struct tcp_seg *s, uint32_t mss);

/** tcp_seg_split() - cut @s after @len bytes; false if there was no memory */
bool tcp_seg_split(struct tcp_conn *c, struct tcp_seg *s, uint32_t len);

/** tcp_seg_trim() - the first @n bytes of @s are acknowledged */
void tcp_seg_trim(struct tcp_conn *c, struct tcp_seg *s, uint32_t n);
void tcp_seg_free(struct tcp_conn *c, struct tcp_seg *s);

/** tcp_seg_fill() - put up to @len bytes of the rope from @buf, @off on into @pkt as fragments; how many */
uint32_t tcp_rope_fill(struct tcp_conn *c, struct pkt *pkt, struct pkt *buf, uint32_t off, uint32_t len);

/** tcp_rope_acked() - free what is below snd_una */
void tcp_rope_acked(struct tcp_conn *c);
void tcp_sndq_purge(struct tcp_conn *c);

/* xmit.c: segments on their way out */
enum tcp_xmit_kind { XMIT_ACK, XMIT_PROBE };

enum ns_err tcp_xmit_seg(struct tcp_conn *c, struct tcp_seg *s, bool first);
void tcp_xmit_syn(struct tcp_conn *c);
void tcp_send_ack(struct tcp_conn *c);

/** tcp_send_probe() - an ACK with a number already used (zero window, keepalive); @urg: one below the mark */
void tcp_send_probe(struct tcp_conn *c, uint32_t seq);
void tcp_send_reset(struct tcp_conn *c);

/** struct tcp_reply - a segment that no connection sends */
struct tcp_reply {
	struct addr local, remote;
	uint32_t nic;
	struct tcp_hdr h;
	struct tcp_opts o;
	uint8_t tos, ttl;
	uint8_t pmtud;
};
enum ns_err tcp_send_reply(struct tcp_proto *p, const struct tcp_reply *r);

/** tcp_send_stateless_reset() - the answer to a segment that is for nobody (RFC 9293, 3.10.7.1) */
void tcp_send_stateless_reset(struct tcp_proto *p, const struct tcp_rx *rx);

/* output.c: when to send */

/** tcp_output() - send what the windows allow; @force: also what Nagle or cork hold */
void tcp_output(struct tcp_conn *c, bool force);

/** tcp_send_fin() - the user sends no more */
void tcp_send_fin(struct tcp_conn *c);

/** tcp_mss() - the MSS now; follows route, path MTU and options */
uint32_t tcp_mss(struct tcp_conn *c);
void tcp_sync_mss(struct tcp_conn *c);
/** tcp_local_mss() - what to announce, for an interface's @mtu */
uint32_t tcp_local_mss(const struct tcp_conn *c, uint32_t mtu);
/** tcp_gso_payload() - bytes a super-segment may have, a multiple of @mss */
uint32_t tcp_gso_payload(const struct tcp_conn *c, uint32_t mss);

/** tcp_send_tlp() - RFC 8985, 7.3; false if there was nothing to send */
bool tcp_send_tlp(struct tcp_conn *c);

/** tcp_wakeup() - probe a closed window; whether something new was sent */
void tcp_probe(struct tcp_conn *c);

/** tcp_retransmit_seg() - send @s again, up to @max_segs segments of it */
bool tcp_retransmit_seg(struct tcp_conn *c, struct tcp_seg *s, uint32_t max_segs);

/** tcp_xmit_retransmits() - send again what is lost, as far as cwnd allows */
void tcp_xmit_retransmits(struct tcp_conn *c);

/* input.c */
void tcp_conn_rx(struct tcp_conn *c, struct tcp_rx *rx);
void tcp_segment_established(struct tcp_conn *c, struct tcp_rx *rx);
void tcp_challenge_ack(struct tcp_conn *c);
void tcp_reset_received(struct tcp_conn *c);
/** tcp_sequence_ok() - whether any of the segment is in the window (RFC 9293, 3.10.7.4) */
bool tcp_in_window(uint32_t seq, uint32_t end_seq, uint32_t left, uint32_t right);
/** tcp_fin_received() - the peer sends no more */
void tcp_fin_received(struct tcp_conn *c);

/* synsent.c */
void tcp_rx_syn_sent(struct tcp_conn *c, struct tcp_rx *rx);
/** tcp_take_syn_opts() - agree on the options of a SYN or SYN-ACK */
void tcp_take_syn_opts(struct tcp_conn *c, const struct tcp_rx *rx);

/* ack.c */

/** struct tcp_ack_state - one acknowledgement's effects */
struct tcp_ack_state {
	unsigned flag;
	uint32_t prior_una, prior_fack, prior_packets, prior_in_flight, prior_delivered, prior_lost;
	uint32_t acked_sacked;		/* segments delivered by it */
	uint32_t newly_lost;
	uint32_t reord;			/* lowest number SACKed late, or snd_nxt */
	int64_t first_ack_ns, last_ack_ns, first_sack_ns, last_sack_ns;
	int64_t rtt_ns, ca_rtt_ns;
	/* of the segment delivered that was sent last: for the delivery rate */
	uint32_t rate_prior_delivered;
	int64_t rate_prior_ns, rate_sent_ns, rate_interval_ns;
	bool rate_app_limited, rate_valid;
	int rexmit;
};

enum tcp_ack_flag {
	AF_DATA = 0x01,			/* the segment has data */
	AF_WIN_UPDATE = 0x02,
	AF_DATA_ACKED = 0x04,
	AF_RETRANS_ACKED = 0x08,	/* of retransmitted data */
	AF_SYN_ACKED = 0x10,
	AF_SACKED = 0x20,
	AF_ECE = 0x40,
	AF_LOST_RETRANS = 0x80,
	AF_SLOWPATH = 0x100,
	AF_ORIG_SACK_ACKED = 0x200,
	AF_UNA_ADVANCED = 0x400,
	AF_DSACK = 0x800,
	AF_SACK_RENEGING = 0x1000,
	AF_DSACK_TLP = 0x2000,
	AF_SET_TIMER = 0x4000,
};
#define AF_NOT_DUP (AF_DATA | AF_WIN_UPDATE | AF_DATA_ACKED | AF_SYN_ACKED)

enum { REXMIT_NONE, REXMIT_LOST, REXMIT_NEW };

/** tcp_ack() - 1: taken; 0: old; -1: of what was never sent */
int tcp_ack(struct tcp_conn *c, struct tcp_rx *rx, unsigned flag);
static inline uint32_t tcp_fack(const struct tcp_conn *c)
{
	return c->sacked_out ? c->highest_sack : c->snd_una;
}
/** tcp_note_delivered() - @s has arrived, for the delivery rate */
void tcp_note_delivered(struct tcp_conn *c, struct tcp_seg *s, struct tcp_ack_state *a);
void tcp_arm_rto(struct tcp_conn *c);
void tcp_arm_rto_or_tlp(struct tcp_conn *c);

/* sack.c */
unsigned tcp_sack_blocks(struct tcp_conn *c, const struct tcp_rx *rx, struct tcp_ack_state *a);
void tcp_mark_lost(struct tcp_conn *c, struct tcp_seg *s);
void tcp_unmark_lost(struct tcp_conn *c, struct tcp_seg *s);
/** tcp_note_reordering() - @low arrived when @fack was SACKed already, and was sent only once */
void tcp_note_reordering(struct tcp_conn *c, uint32_t low, uint32_t fack);

/* rack.c */
void tcp_rack_advance(struct tcp_conn *c, const struct tcp_seg *s, uint32_t end);
void tcp_rack_update_reo(struct tcp_conn *c, const struct tcp_ack_state *a);
/** tcp_rack_detect() - mark what is lost; whether the timer was armed for what may soon be */
bool tcp_rack_detect(struct tcp_conn *c);
/** tcp_rack_remaining() - how long until @s is to be taken for lost */
int64_t tcp_rack_remaining(struct tcp_conn *c, const struct tcp_seg *s, int64_t reo_ns);
void tcp_rack_timeout(struct tcp_conn *c);
bool tcp_schedule_tlp(struct tcp_conn *c);
void tcp_tlp_acked(struct tcp_conn *c, uint32_t ack, unsigned flag);
void tcp_rack_dsack(struct tcp_conn *c, uint32_t segs);
int64_t tcp_rack_reo_wnd(struct tcp_conn *c);

/* recovery.c */
void tcp_fast_retransmit_alert(struct tcp_conn *c, struct tcp_ack_state *a, bool is_dup,
			       uint32_t ndup);
void tcp_enter_loss(struct tcp_conn *c);
void tcp_enter_cwr(struct tcp_conn *c);
void tcp_enter_recovery(struct tcp_conn *c, bool ece);
void tcp_cwnd_reduction(struct tcp_conn *c, uint32_t acked_sacked, uint32_t newly_lost, unsigned flag);
void tcp_end_cwnd_reduction(struct tcp_conn *c);
void tcp_init_cwnd_reduction(struct tcp_conn *c, enum tcp_cc_event e);
void tcp_try_keep_open(struct tcp_conn *c);
void tcp_mtu_lost(struct tcp_conn *c);
static inline bool tcp_in_cwnd_reduction(const struct tcp_conn *c)
{
	return c->ca == TCP_CA_CWR || c->ca == TCP_CA_RECOVERY;
}

/* undo.c */
bool tcp_try_undo_recovery(struct tcp_conn *c);
bool tcp_try_undo_loss(struct tcp_conn *c, bool spurious);
bool tcp_try_undo_partial(struct tcp_conn *c, uint32_t prior_una);
bool tcp_try_undo_dsack(struct tcp_conn *c);
void tcp_undo_init(struct tcp_conn *c);

/* rcv.c */

/** tcp_data() - takes the payload of @rx, which is not all old */
void tcp_data(struct tcp_conn *c, struct tcp_rx *rx);
/** tcp_data_event() - data came: delayed acknowledgement, MSS estimate, window growth */
void tcp_data_event(struct tcp_conn *c, const struct tcp_rx *rx);
void tcp_queue_data(struct tcp_conn *c, struct pkt *pkt);
/** tcp_check_ack() - acknowledge now or later, if it is due; @ooo: a hole may be the reason */
void tcp_check_ack(struct tcp_conn *c, bool ooo);
void tcp_quickack_mode(struct tcp_conn *c);
void tcp_delack_timeout(struct tcp_conn *c);
/** tcp_ack_sent() - an acknowledgement went out */
void tcp_ack_sent(struct tcp_conn *c, uint32_t segs);
void tcp_send_dsack_ack(struct tcp_conn *c, const struct tcp_rx *rx);
void tcp_urgent(struct tcp_conn *c, struct tcp_rx *rx);

/* rwnd.c: the window to announce */
uint32_t tcp_full_space(const struct tcp_conn *c);
uint32_t tcp_calc_window(struct tcp_conn *c);
/** tcp_select_window() - the header's window field, and the promise noted */
uint16_t tcp_select_window(struct tcp_conn *c);
struct tcp_initial_window { uint32_t wnd, clamp; uint8_t wscale; };
struct tcp_initial_window tcp_initial_window(const struct tcp_proto *p, uint32_t rcvbuf, uint32_t user_clamp,
					     uint32_t mss, bool wscale_ok);
void tcp_grow_window(struct tcp_conn *c, uint32_t len);
void tcp_rcv_rtt_sample(struct tcp_conn *c, const struct tcp_rx *rx);
void tcp_space_adjust(struct tcp_conn *c);
void tcp_cleanup_rbuf(struct tcp_conn *c, size_t copied);
uint32_t tcp_queue_clamp(const struct tcp_conn *c, uint32_t mss);

/* timers.c */
void tcp_timer_init(struct tcp_conn *c);
/** tcp_timer_kick() - one of the deadlines was set: see to it that the clock knows the earliest */
void tcp_timer_kick(struct tcp_conn *c, int64_t at);
void tcp_arm_rtx(struct tcp_conn *c, enum tcp_rtx_kind kind, int64_t at);
static inline void tcp_disarm_rtx(struct tcp_conn *c)
{
	c->rtx_kind = RTX_NONE;
	c->rtx_at = CLOCK_NEVER;
}
void tcp_arm_persist(struct tcp_conn *c);
void tcp_arm_keepalive(struct tcp_conn *c);
void tcp_arm_fin_wait2(struct tcp_conn *c);
int64_t tcp_keep_idle_ns(const struct tcp_conn *c);
int64_t tcp_keep_intvl_ns(const struct tcp_conn *c);

/* listen.c, handshake.c */
enum ns_err tcp_listen(struct endpoint *ep, int backlog);
void tcp_listen_info(const struct tcp_conn *c, struct tcp_conn_info *o);
/** tcp_listen_bind_nic() - a listener follows SOCKOPT_BIND_TO_DEVICE */
void tcp_listen_bind_nic(struct tcp_conn *c);
/** tcp_listen_ready() - whether one can be accepted */
bool tcp_listen_ready(const struct tcp_conn *l);
enum ns_err tcp_accept(struct endpoint *ep, struct endpoint **out, struct full_addr *peer);
void tcp_listen_rx(struct tcp_conn *l, struct tcp_rx *rx);
void tcp_listen_stop(struct tcp_conn *l);
struct tcp_req;
void tcp_req_rx(struct tcp_req *r, struct tcp_rx *rx);
void tcp_req_error(struct tcp_req *r, const struct net_error *e);

/* timewait.c */
struct tcp_tw;
/** tcp_time_wait() - what is left of @c goes on without it; @c is CLOSE afterwards */
void tcp_time_wait(struct tcp_conn *c);
/** tcp_tw_rx() - whether @rx is a SYN that starts anew: @w is gone then */
bool tcp_tw_rx(struct tcp_tw *w, struct tcp_rx *rx);
/** tcp_tw_diag(), tcp_tw_drop() - of the TIME-WAIT whose tuple it is: tell of it; forget it */
void tcp_tw_diag(const struct tcp_tuple *t, struct tcp_mini *out);
void tcp_tw_drop(struct tcp_tuple *t);
/** tcp_tw_free_all() - the stack goes away */
void tcp_tw_free_all(struct tcp_proto *p);
/** tcp_tw_reuse() - whether a new connection may take @w's place; if so @w is gone, and *@iss, *@ts_off
 * are such that the old one's segments are told apart */
bool tcp_tw_reuse(struct tcp_conn *c, struct tcp_tw *w);

/* pmtu.c */
void tcp_pmtu_changed(struct tcp_conn *c, const struct net_error *e);
bool tcp_black_hole(struct tcp_conn *c);

/* ecn.c */
uint8_t tcp_ecn_data_tos(const struct tcp_conn *c, bool retransmit);
void tcp_ecn_check_ce(struct tcp_conn *c, const struct tcp_rx *rx);

/* sock.c, name.c, rw.c, opt.c */
extern const struct endpoint_ops tcp_endpoint_ops;
enum ns_err tcp_bind(struct endpoint *ep, const struct full_addr *a);
enum ns_err tcp_connect(struct endpoint *ep, const struct full_addr *a);
enum ns_err tcp_local_addr(struct endpoint *ep, struct full_addr *out);
enum ns_err tcp_remote_addr(struct endpoint *ep, struct full_addr *out);
enum ns_err tcp_autobind(struct tcp_conn *c);
struct addr tcp_show_addr(const struct tcp_conn *c, const struct addr *a);
enum ns_err tcp_read(struct endpoint *ep, struct read_msg *m);
int tcp_peek_iov(struct endpoint *ep, struct iovec *iov, int max, bool *end);
void tcp_consume(struct endpoint *ep, size_t n);
enum ns_err tcp_write(struct endpoint *ep, struct payload *p, const struct write_opts *o, size_t *n);
uint32_t tcp_readiness(struct endpoint *ep);
bool tcp_at_mark(const struct tcp_conn *c);
/** tcp_readable() - bytes until the end or the urgent mark */
uint32_t tcp_readable(const struct tcp_conn *c);
/** tcp_sndbuf_expand() - let the send buffer follow cwnd */
void tcp_sndbuf_expand(struct tcp_conn *c);
/** tcp_wrote_space() - acknowledgements made room: wake the writer if it is enough */
void tcp_wrote_space(struct tcp_conn *c);
enum ns_err tcp_set_option(struct endpoint *ep, enum sockopt opt, const void *val, size_t len);
enum ns_err tcp_get_option(struct endpoint *ep, enum sockopt opt, void *val, size_t *len);
void tcp_option_changed(struct endpoint *ep, enum sockopt opt);
void tcp_settings_default(struct tcp_settings *set);
enum ns_err tcp_proto_set_option(struct stack *s, int opt, const void *val, size_t len);
enum ns_err tcp_proto_get_option(struct stack *s, int opt, void *val, size_t len);
void tcp_rx_error_conn(struct endpoint *ep, const struct net_error *e);

enum { URG_NONE, URG_NOTYET, URG_VALID, URG_READ };

/* Time spent busy, held by the peer's window, held by the send buffer: for tcp_info. */
enum { CHRONO_BUSY, CHRONO_RWND, CHRONO_SNDBUF, CHRONO_COUNT };
void tcp_chrono(struct tcp_conn *c, unsigned kind, bool on);

#endif
