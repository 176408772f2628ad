/* A connection: its structure, and the shortest of what is asked about it. */
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
	TCP_LOOP_MTU_V4 = 65535,	/* to an address of our own: never cut on the way */
	TCP_LOOP_MTU_V6 = 65536,	/* its header is not counted in a packet's length */
	TCP_DUPTHRESH = 3,
};

#define TCP_ATO_MIN_NS (40 * NS_PER_MS)		/* Linux's TCP_ATO_MIN, TCP_DELACK_MIN */
#define TCP_DELACK_MAX_NS (200 * NS_PER_MS)
#define TCP_RTO_MIN_NS (200 * NS_PER_MS)
#define TCP_PROBE_AGAIN_NS (600 * NS_PER_SEC)	/* Linux's tcp_probe_interval */
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
 * @sent_ns: when it was sent last; @xmit_no: as the how-manieth: many go out at one time of the clock
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
	uint32_t xmit_no;
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
	uint32_t xmit_no;		/* RACK.xmit_ts */
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
struct tcp_fo_keys;
struct tcp_rare;

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
	struct tcp_fo_keys *fo_keys;	/* set for this listener, NULL: the protocol's */
	struct list pending;		/* in the listener's accept queue until it is accepted */
	struct port_claim claim;
	struct route route;

	/* What waits to be sent, and what was */
	struct list rope;		/* struct pkt; the first holds the byte snd_una */
	uint32_t rope_seq;		/* of the first packet's first byte */
	uint32_t piece_seq;		/* where the last piece starts (push.c) */
	uint32_t pushed_seq, push_marks[4];
	uint32_t send_off;
	struct pkt *send_pkt;		/* where snd_nxt is, send_off bytes into it; NULL at the end */
	bool piece_push;
	bool tail_open;			/* the last packet's chunk has room that is ours */
	uint16_t records;		/* of its packets, how many end a record (MSG_EOR) */
	uint32_t nsegs;
	struct list segs;		/* by sequence number, nsegs of them */
	struct list sent, lost;		/* by transmission; to be sent again */
	uint32_t highest_sack;		/* end of the highest range SACKed, if sacked_out */
	uint32_t max_packets_out, cwnd_usage_seq;
	uint32_t xmit_no;		/* transmissions of segments so far */
	uint32_t cwnd_used;
	uint32_t app_limited;		/* until so many are delivered; 0: not */
	int64_t cwnd_stamp_ns;

	/* Recovery */
	struct tcp_rack rack;
	uint32_t high_seq, tlp_high_seq;
	uint32_t undo_marker;		/* 0: nothing to undo */
	int32_t undo_retrans;
	uint32_t prior_cwnd, prior_ssthresh, prr_delivered, prr_out;
	uint32_t retrans_stamp;		/* timestamp clock of the first retransmission */
	uint32_t probe_start;		/* of the MTU probe on its way */
	uint32_t fo_max;		/* SOCKOPT_FASTOPEN; here there is room */
	bool frto, tlp_retrans, is_cwnd_limited;
	int64_t retrans_ns;		/* when the RTO expired first in a row */

	/* What was received and not yet read */
	struct list rcvq;		/* struct pkt, payload first */
	size_t rcv_truesize;
	struct ooo ooo;
	uint32_t rcv_up;
	uint8_t urg_state, urg_byte;
	bool oob_inline, moderate;
	uint32_t ts_recent, last_ack_sent;
	int64_t ts_recent_ns;
	uint32_t ts_off;
	union {
		uint32_t syn_ts;	/* in SYN-SENT: the timestamp of the first one */
		uint32_t rcv_ecr;
	};

	/* Timers */
	struct timer timer;
	bool keepalive, linger;
	uint8_t keep_count, syn_retries, defer_accept;
	uint32_t keep_idle_s, keep_intvl_s;
	int64_t user_timeout_ns, linger2_ns, probe_start_ns;
	int64_t tw_ns;			/* TIME-WAIT, 0: the setting */
	int64_t linger_ns;

	/* Probing of the path MTU (RFC 4821): what gets through for sure (0: no probing), what may, and the size of the
	 * probe on its way (0: none), which starts at probe_start */
	uint16_t probe_mtu, probe_high, probe_size;
	int64_t probe_mtu_ns;		/* when the search began */
	int64_t challenge_ns, dupack_ns;

	/*
	 * From here on what tcp_info and sock_diag show. It is in one place, since a list of many connections costs
	 * as much as it reads lines of memory of each (tcp_diag_prefetch()).
	 */
	struct rtt rtt;
	struct full_addr local, remote;

	uint8_t state;
	uint8_t busy;			/* calls that are using it */
	bool dead;			/* to be freed when they are done */
	bool bound, explicit_port, explicit_addr;
	bool rx_shut, tx_shut;		/* rx_shut: by the user, or a FIN was taken */
	bool orphan;			/* its user closed it */
	bool passive, is_pending;
	bool fast_open;			/* it may send and receive in SYN-RECEIVED (RFC 7413) */
	bool fo_connect, fo_no_cookie;	/* SOCKOPT_FASTOPEN_CONNECT, _NO_COOKIE */
	bool fo_deferred;		/* connected to @remote as far as the user knows; the SYN waits for data */
	bool fo_client;			/* the SYN goes out with Fast Open */
	uint16_t syn_len;		/* bytes of data in it */
	bool fast_opened;		/* it was so once */
	bool syn_data;			/* the SYN brought data */
	bool fin_queued, fin_sent;
	bool was_connected;		/* connect() has to say so once */
	bool write_waits;		/* somebody will write as soon as it is connected */
	enum ns_err soft_err;		/* what ICMP said without ending it */

	/* Options agreed on */
	bool has_ts, has_sack, has_wscale;
	uint8_t snd_wscale, rcv_wscale;
	uint8_t ecn;
	uint8_t hdr_len;		/* TCP header with the options of every segment */

	/* Recovery */
	uint8_t ca;
	uint8_t retransmits;		/* of the RTO, in a row */
	uint8_t reordering;

	/* Send sequence space */
	uint32_t iss, snd_una, snd_nxt, snd_wnd, snd_wl1, snd_sml;
	uint32_t write_seq;		/* end of what the user wrote */
	uint32_t snd_up, max_window;
	uint32_t mss, mss_clamp, advmss;
	uint32_t pmtu, user_mss;
	uint32_t pmtu_gen, route_gen;	/* what mss was made from */
	bool urg_out;
	bool nodelay, cork, more;
	bool sndbuf_locked, rcvbuf_locked, want_space;
	uint32_t sndbuf, notsent_lowat;

	/* Counts of segments */
	uint32_t packets_out, sacked_out, lost_out, retrans_out;

	/* Receive sequence space */
	uint32_t irs, rcv_nxt, rcv_wnd, rcv_wup, copied_seq;
	uint32_t rcv_ssthresh, window_clamp, user_clamp;
	uint32_t rcv_mss, rcv_lowat;
	uint32_t rcvbuf;
	uint32_t rcv_bytes;

	/* Auto-tuning of the receive buffer */
	uint32_t space_seq, space_bytes;
	int64_t space_ns;
	uint32_t rtt_seq;
	int64_t rtt_seq_ns, rcv_rtt_ns;

	/* Acknowledgements */
	uint8_t ack_pending, quick, pingpong;
	bool quick_lock;		/* TCP_QUICKACK */

	/* Timers: when each is due */
	uint8_t rtx_kind, probes, keep_probes;
	int64_t ato_ns;			/* of acknowledgements */
	struct tcp_rare *rare;		/* what few have; NULL: not this one */
	int64_t rtx_at, delack_at, keep_at;

	/* When things happened last */
	int64_t last_rx_ns, last_tx_ns, last_ack_rx_ns;

	struct tcp_count {		/* what tcp_info shows */
		uint64_t bytes_acked, bytes_received, bytes_sent, bytes_retrans;
		uint32_t segs_in, segs_out, data_segs_in, data_segs_out;
		uint32_t delivered, delivered_ce, lost, total_retrans, dsack_dups, reord_seen, rcv_ooo,
			received_ce;
		uint16_t total_rto, total_rto_recoveries;
		uint32_t total_rto_ms;
		uint32_t rate_delivered;
		int64_t rate_interval_ns;
		bool rate_app_limited;
		uint8_t chrono;
		int64_t chrono_ns[3], chrono_start_ns[3];
		int64_t rto_start_ns;
		int64_t delivered_ns, first_sent_ns;
	} n;

	struct tcp_cc cc;		/* of which they show the beginning */
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

/** tcp_connecting() - the handshake is not over, and data waits for that */
static inline bool tcp_connecting(const struct tcp_conn *c)
{
	return c->state == TCPS_SYN_SENT || (c->state == TCPS_SYN_RECV && !c->fast_open);
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

#endif
