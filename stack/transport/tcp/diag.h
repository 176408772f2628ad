/* What sock_diag tells of TCP beside tcp_info: timers, queues, handshakes, TIME-WAITs. */
#ifndef STACK_TRANSPORT_TCP_DIAG_H
#define STACK_TRANSPORT_TCP_DIAG_H

#include "core/stack.h"
#include "transport/tcp/tcp.h"

/** enum tcp_diag_timer - numbers of inet_diag's idiag_timer */
enum tcp_diag_timer { TCP_TIMER_OFF, TCP_TIMER_RTX, TCP_TIMER_KEEPALIVE, TCP_TIMER_TIME_WAIT, TCP_TIMER_PROBE };

/**
 * struct tcp_diag - an endpoint
 * @local, @remote: the connection's own; of one that has ended, what it had. Those of a v4-mapped socket are IPv4's
 * @rqueue, @wqueue: bytes, a FIN counted as one, as Linux does; of a listener the accept queue and its bound
 * @bound, @bound_port: it has its port; bind() chose it
 * @time_wait: nobody has it any more, and it waits for the peer's FIN
 */
struct tcp_diag {
	enum tcp_state state;
	const struct full_addr *local, *remote;
	uint32_t rqueue, wqueue;
	enum tcp_diag_timer timer;
	int64_t expires_in_ns;
	uint8_t retrans;
	bool rx_shut, tx_shut, bound, bound_port, time_wait;
};

/** tcp_diag_prefetch() - have the processor fetch what the functions below will read of an endpoint that is TCP's */
void tcp_diag_prefetch(const struct endpoint *ep);

/** tcp_diag() - of an endpoint that is TCP's */
void tcp_diag(struct endpoint *ep, struct tcp_diag *out);

/** tcp_diag_taken() - bytes that its user has read */
uint64_t tcp_diag_taken(struct endpoint *ep);

/** tcp_diag_congestion() - the name of its congestion control; it stays */
const char *tcp_diag_congestion(struct endpoint *ep);

/** tcp_diag_info() - SOCKOPT_TCP_INFO of an endpoint that is TCP's, in place */
void tcp_diag_info(struct endpoint *ep, struct tcp_conn_info *out);

/** tcp_find() - what there is between two addresses and ports: the endpoint of a connection; or NULL, with
 * *@mini telling whether there is a handshake or a TIME-WAIT, which is then in @m */
struct endpoint *tcp_find(struct stack *s, const struct demux_key *k, bool *mini, struct tcp_mini *m);

/** tcp_mini_drop() - forget the handshake or TIME-WAIT there; false if there is none */
bool tcp_mini_drop(struct stack *s, const struct demux_key *k);

/** tcp_handshake_count() - how many handshakes a listener has under way */
size_t tcp_handshake_count(struct endpoint *listener);

/** tcp_handshakes() - up to @max of a listener's handshakes under way, into @out; how many */
size_t tcp_handshakes(struct endpoint *listener, struct tcp_mini *out, size_t max);

/** struct tcp_tw_cursor - a place among the TIME-WAITs that stays good whatever comes and goes */
struct tcp_tw_cursor {
	struct list list;
	struct list *next;
	struct tcp_proto *proto;
};

/** tcp_tw_cursor_init() - before the first to expire; fini: the caller releases the memory */
void tcp_tw_cursor_init(struct tcp_tw_cursor *c, struct stack *s);
void tcp_tw_cursor_fini(struct tcp_tw_cursor *c);

/** tcp_tw_cursor_next() - the next one; false at the end */
bool tcp_tw_cursor_next(struct tcp_tw_cursor *c, struct tcp_mini *out);

#endif
