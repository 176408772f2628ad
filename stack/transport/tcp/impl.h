/* What the files of TCP call one another for. */
#ifndef STACK_TRANSPORT_TCP_IMPL_H
#define STACK_TRANSPORT_TCP_IMPL_H

#include "transport/tcp/conn.h"

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

struct tcp_stamps;
struct tcp_saved_syn;

/**
 * struct tcp_rare - what few connections have
 * @stamps:   bytes whose sending is to be told of (stamp.c)
 * @syn:      the headers of the SYN, until they are asked for; @save_syn: they are to be kept (saved_syn.c)
 */
struct tcp_rare {
	struct tcp_stamps *stamps;
	struct tcp_saved_syn *syn;
	uint8_t save_syn;
};

/** tcp_rare() - @c's, made if it has none; NULL: no memory */
struct tcp_rare *tcp_rare(struct tcp_conn *c);

/* saved_syn.c */

/** tcp_set_save_syn() - SOCKOPT_SAVE_SYN */
enum ns_err tcp_set_save_syn(struct tcp_conn *c, int64_t v);

/** tcp_save_syn() - with @rare: the headers before @pkt's payload, if @l wants them; the caller frees */
struct tcp_saved_syn *tcp_save_syn(const struct tcp_conn *l, const struct pkt *pkt);

/** tcp_give_syn() - @c, accepted by @l, takes them */
void tcp_give_syn(struct tcp_conn *c, const struct tcp_conn *l, struct tcp_saved_syn **syn);

/** tcp_take_syn() - SOCKOPT_SAVED_SYN: once, and of no length if there is none */
enum ns_err tcp_take_syn(struct tcp_conn *c, void *val, size_t *len);

/* stamp.c */

/** tcp_stamp_byte() - SOCKOPT_TX_STAMP; NOT_CONNECTED, NO_MEMORY */
enum ns_err tcp_stamp_byte(struct tcp_conn *c, const struct sockopt_tx_stamp *v);

/** tcp_stamp_seg() - with @rare: @pkt is @s, for the first time */
void tcp_stamp_seg(struct tcp_conn *c, const struct tcp_seg *s, struct pkt *pkt);

/** tcp_stamp_acked() - with @rare: snd_una has moved; what it passed is still there */
void tcp_stamp_acked(struct tcp_conn *c);

/* fastopen.c: RFC 7413 */

/** tcp_fo_set_keys() - one key of 16 bytes, or two */
enum ns_err tcp_fo_set_keys(struct tcp_fo_keys *k, const void *val, size_t len);

/** tcp_fo_keys_of() - those that @c's cookies are made with; @c NULL: the protocol's */
const struct tcp_fo_keys *tcp_fo_keys_of(struct tcp_proto *p, const struct tcp_conn *c);

/* fastopen_client.c */

/** tcp_fo_fill() - take of @p what may go into the SYN that is about to be sent */
void tcp_fo_fill(struct tcp_conn *c, struct payload *p);

/** tcp_fo_syn_opt() - the SYN's option */
void tcp_fo_syn_opt(const struct tcp_conn *c, struct tcp_fo_opt *out);

/** tcp_fo_synack() - the answer to it: remember what it says, and what it acknowledges */
void tcp_fo_synack(struct tcp_conn *c, const struct tcp_rx *rx);

/** tcp_fo_sent_again() - what was sent up to @end had been in the SYN, and counts as lost and sent again */
void tcp_fo_sent_again(struct tcp_conn *c, uint32_t end);

/** tcp_fo_can_defer() - a connect() to @remote can wait for data */
bool tcp_fo_can_defer(const struct tcp_conn *c, const struct addr *remote);

/** tcp_fo_write() - connect and write in one */
enum ns_err tcp_fo_write(struct tcp_conn *c, struct payload *p, const struct write_opts *o, size_t *n);

/** tcp_connect_with() - connect(), with data for the SYN */
enum ns_err tcp_connect_with(struct tcp_conn *c, const struct full_addr *a, struct payload *p);

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

/** tcp_rope_fill() - put up to @len bytes of the rope from @buf, @off on into @pkt as fragments; how many */
uint32_t tcp_rope_fill(struct tcp_conn *c, struct pkt *pkt, struct pkt *buf, uint32_t off, uint32_t len);

/** tcp_end_record() - what was written so far is not sent together with what follows (MSG_EOR) */
void tcp_end_record(struct tcp_conn *c);

/** tcp_at_record_end() - whether the last byte written ends a record */
bool tcp_at_record_end(const struct tcp_conn *c);

/** tcp_record_left() - unsent bytes up to the end of a record, or of all */
uint32_t tcp_record_left(const struct tcp_conn *c);

/** tcp_rope_skip() - the next @n bytes were sent already */
void tcp_rope_skip(struct tcp_conn *c, uint32_t n);

/** tcp_rope_acked() - free what is below snd_una */
void tcp_rope_acked(struct tcp_conn *c);
void tcp_sndq_purge(struct tcp_conn *c);

/* xmit.c: segments on their way out */

/** tcp_seg_payload() - a packet of what @s holds, with room for headers; NULL: no memory */
struct pkt *tcp_seg_payload(struct tcp_conn *c, const struct tcp_seg *s);


enum ns_err tcp_xmit_seg(struct tcp_conn *c, struct tcp_seg *s, bool first);
void tcp_xmit_syn(struct tcp_conn *c);
void tcp_send_ack(struct tcp_conn *c);

/** tcp_send_probe() - an ACK with a number already used (zero window, keepalive) */
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

/** tcp_output_some() - at most @max super-segments of it */
void tcp_output_some(struct tcp_conn *c, bool force, uint32_t max);

/* push.c: where PSH is due */

void tcp_push_init(struct tcp_conn *c);

/** tcp_write_room() - bytes that may be written now: the rest of the last piece, and pieces that are begun within
 * the send buffer, as Linux counts */
size_t tcp_write_room(struct tcp_conn *c);

/** tcp_write_pieces() - append up to @n bytes of @p, sending as pieces are full; how many were taken */
size_t tcp_write_pieces(struct tcp_conn *c, struct payload *p, size_t n);

/** tcp_push_end() - a write ends here */
void tcp_push_end(struct tcp_conn *c);

/** tcp_push_due() - whether a segment that ends at @end carries PSH */
bool tcp_push_due(struct tcp_conn *c, uint32_t end);

/** tcp_send_fin() - the user sends no more */
void tcp_send_fin(struct tcp_conn *c);

/** tcp_mss() - the MSS now; follows route, path MTU and options */
uint32_t tcp_mss(struct tcp_conn *c);
void tcp_sync_mss(struct tcp_conn *c);
/** tcp_loop_mtu() - the MTU to an address of one's own */
static inline uint32_t tcp_loop_mtu(uint8_t addr_len)
{
	return addr_len == ADDR_LEN_V4 ? TCP_LOOP_MTU_V4 : TCP_LOOP_MTU_V6;
}

/** tcp_local_mss() - what to announce to an address of @addr_len bytes; @user_mss 0: the user set none */
uint32_t tcp_local_mss(uint8_t addr_len, const struct route *r, uint32_t user_mss);
/** tcp_path_mss() - what goes through to the peer, as far as is known before it has said anything */
uint32_t tcp_path_mss(struct tcp_conn *c);
/** tcp_gso_payload() - bytes a super-segment may have, a multiple of @mss */
uint32_t tcp_gso_payload(const struct tcp_conn *c, uint32_t mss);

/* collapse.c */

/** tcp_collapse() - what waits to be read, in as little memory as it needs */
void tcp_collapse(struct tcp_conn *c);

/* probe.c */

/** enum tcp_probe - what tcp_probe_mtu() says: no probe now; one as soon as what is in flight allows it; one of so many
 * bytes */
enum tcp_probe { TCP_PROBE_NONE, TCP_PROBE_WAIT, TCP_PROBE_SEND };

/** tcp_probe_init() - a connection begins */
void tcp_probe_init(struct tcp_conn *c);

/** tcp_probe_mtu() - while c->probe_mtu is not 0: what to send next; *@len: the probe's bytes */
enum tcp_probe tcp_probe_mtu(struct tcp_conn *c, uint32_t *len);
void tcp_probe_sent(struct tcp_conn *c, uint32_t start, uint32_t len);

/** tcp_probe_acked() - if the probe was; tcp_probe_failed() - it alone was lost */
void tcp_probe_acked(struct tcp_conn *c);
void tcp_probe_failed(struct tcp_conn *c);

/** tcp_send_tlp() - RFC 8985, 7.3; false if there was nothing to send */
bool tcp_send_tlp(struct tcp_conn *c);

/** tcp_probe() - probe a closed window */
void tcp_probe(struct tcp_conn *c);

/** tcp_retransmit_seg() - send @s again, up to @max_segs segments of it */
bool tcp_retransmit_seg(struct tcp_conn *c, struct tcp_seg *s, uint32_t max_segs);

/** tcp_xmit_retransmits() - send again what is lost, as far as cwnd allows */
void tcp_xmit_retransmits(struct tcp_conn *c);

/* input.c */
void tcp_conn_rx(struct tcp_conn *c, struct tcp_rx *rx);
void tcp_challenge_ack(struct tcp_conn *c);
void tcp_reset_received(struct tcp_conn *c);
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
int64_t tcp_rack_reo_wnd(struct tcp_conn *c);

/* recovery.c */
/** tcp_fast_retransmit_alert() - what an ACK that may tell of a loss leads to; @ndup: so many duplicates */
void tcp_fast_retransmit_alert(struct tcp_conn *c, struct tcp_ack_state *a, uint32_t ndup);
void tcp_enter_loss(struct tcp_conn *c);

/** tcp_rto_over() - what was sent again after timeouts has arrived: how long that took is counted */
void tcp_rto_over(struct tcp_conn *c);
void tcp_enter_cwr(struct tcp_conn *c);
void tcp_enter_recovery(struct tcp_conn *c, bool ece);
void tcp_cwnd_reduction(struct tcp_conn *c, uint32_t acked_sacked, uint32_t newly_lost, unsigned flag);
void tcp_end_cwnd_reduction(struct tcp_conn *c);
void tcp_init_cwnd_reduction(struct tcp_conn *c, enum tcp_cc_event e);
void tcp_try_keep_open(struct tcp_conn *c);
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
/** tcp_initial_window() - of an endpoint, or of what a listener accepts */
struct tcp_initial_window tcp_initial_window(const struct tcp_conn *c, uint32_t mss, bool wscale_ok);
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
int tcp_peek_times(struct endpoint *ep, size_t bytes, struct rx_time *out, int max);
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
