/* Listeners, and handshakes under way. */
#ifndef STACK_TRANSPORT_TCP_LISTEN_H
#define STACK_TRANSPORT_TCP_LISTEN_H

#include "transport/tcp/impl.h"

/**
 * struct tcp_listener - what a listening endpoint has beside its structure
 * @nodes:    in the demultiplexer, by family
 * @backlog:  as listen() said, at most the stack's limit
 * @accept:   connections nobody took yet, @naccept of them
 * @reqs:     struct tcp_req, @nreqs of them
 * @overflow_ns: when the queue was last full and a cookie was sent, -1: never
 */
struct tcp_listener {
	struct demux_node nodes[NET_FAMILIES];
	uint32_t backlog;
	struct list accept, reqs;
	uint32_t naccept, nreqs;
	int64_t overflow_ns;
};

/**
 * struct tcp_req - a handshake: all there is of a connection until its SYN-ACK is acknowledged
 * @syn:   its SYN's headers, if the listener wants them kept
 * @acked: it was, but there was no room to accept it, or data is awaited (TCP_DEFER_ACCEPT)
 */
struct tcp_req {
	struct tcp_tuple tuple;
	struct list list;
	struct tcp_conn *listener;
	struct timer timer;
	struct tcp_saved_syn *syn;
	int64_t first_sent_ns, sent_ns, oow_ns;
	uint32_t iss, irs, rcv_wnd, clamp, ts_recent, ts_off, nic;
	uint16_t wnd, mss, advmss;
	uint8_t rcv_wscale, snd_wscale, timeouts, tos;
	bool has_ts, has_sack, has_wscale, has_mss, ecn, acked, cookie;
};

/** tcp_fastopen_syn() - a SYN that Fast Open may have something to say to: true if it made a connection,
 * else @reply is the option of the SYN-ACK */
bool tcp_fastopen_syn(struct tcp_conn *l, struct tcp_req *r, struct tcp_rx *rx, struct tcp_fo_opt *reply);

/** tcp_accept_full() - Linux's rule: one more than the backlog */
static inline bool tcp_accept_full(const struct tcp_listener *l)
{
	return l->naccept > l->backlog;
}

/** tcp_req_drop() - forget a handshake */
void tcp_req_drop(struct tcp_req *r);

/** tcp_listen_established() - a handshake is complete: make the connection, and hand it @rx; NULL if there
 * was no room */
struct tcp_conn *tcp_make_child(struct tcp_conn *l, struct tcp_req *r, struct tcp_rx *rx);

/** tcp_new_child() - the same without a segment: it is in SYN-RECEIVED, waits to be accepted, and is held */
struct tcp_conn *tcp_new_child(struct tcp_conn *l, struct tcp_req *r);

#endif
