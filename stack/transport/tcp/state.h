/* The states of a connection (RFC 9293, 3.3.2). */
#ifndef STACK_TRANSPORT_TCP_STATE_H
#define STACK_TRANSPORT_TCP_STATE_H

struct tcp_conn;

/** enum tcp_state - with the numbers of Linux's TCP_*, which tcp_info and inet_diag show */
enum tcp_state {
	TCPS_ESTABLISHED = 1,
	TCPS_SYN_SENT,
	TCPS_SYN_RECV,
	TCPS_FIN_WAIT1,
	TCPS_FIN_WAIT2,
	TCPS_TIME_WAIT,
	TCPS_CLOSE,
	TCPS_CLOSE_WAIT,
	TCPS_LAST_ACK,
	TCPS_LISTEN,
	TCPS_CLOSING,
	TCPS_NEW_SYN_RECV,
	TCPS_COUNT
};

/** TCPS_IN() - whether @state is one of a set of TCPS_BIT()s */
#define TCPS_BIT(state) (1u << (state))
#define TCPS_IN(state, set) ((TCPS_BIT(state) & (set)) != 0)

/* States in which the peer's sequence numbers are known and both ends have agreed. */
#define TCPS_SYNCHRONIZED \
	(TCPS_BIT(TCPS_ESTABLISHED) | TCPS_BIT(TCPS_FIN_WAIT1) | TCPS_BIT(TCPS_FIN_WAIT2) | \
	 TCPS_BIT(TCPS_CLOSE_WAIT) | TCPS_BIT(TCPS_LAST_ACK) | TCPS_BIT(TCPS_CLOSING))

/* States in which the user may still send. */
#define TCPS_CAN_SEND (TCPS_BIT(TCPS_ESTABLISHED) | TCPS_BIT(TCPS_CLOSE_WAIT))

/** tcp_state_name() - "ESTABLISHED" */
const char *tcp_state_name(unsigned state);

/** tcp_set_state() - the only place that changes a connection's state; keeps the counters */
void tcp_set_state(struct tcp_conn *c, enum tcp_state state);

#endif
