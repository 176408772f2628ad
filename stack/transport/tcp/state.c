/* The states of a connection: names, and the one setter. */
#include "transport/tcp/state.h"

#include "transport/tcp/impl.h"

static const char *const state_names[TCPS_COUNT] = {
	[TCPS_ESTABLISHED] = "ESTABLISHED", [TCPS_SYN_SENT] = "SYN-SENT",
	[TCPS_SYN_RECV] = "SYN-RECEIVED", [TCPS_FIN_WAIT1] = "FIN-WAIT-1",
	[TCPS_FIN_WAIT2] = "FIN-WAIT-2", [TCPS_TIME_WAIT] = "TIME-WAIT", [TCPS_CLOSE] = "CLOSED",
	[TCPS_CLOSE_WAIT] = "CLOSE-WAIT", [TCPS_LAST_ACK] = "LAST-ACK", [TCPS_LISTEN] = "LISTEN",
	[TCPS_CLOSING] = "CLOSING", [TCPS_NEW_SYN_RECV] = "SYN-RECEIVED",
};

const char *tcp_state_name(unsigned state)
{
	return state < TCPS_COUNT && state_names[state] ? state_names[state] : "?";
}

void tcp_set_state(struct tcp_conn *c, enum tcp_state state)
{
	/* What RFC 4022's tcpCurrEstab and tcpEstabResets count. */
	const unsigned current = TCPS_BIT(TCPS_ESTABLISHED) | TCPS_BIT(TCPS_CLOSE_WAIT);
	struct tcp_stats *st = tcp_stats(c);
	bool was = TCPS_IN(c->state, current), is = TCPS_IN(state, current);

	if (is && !was)
		stat_inc(&st->current_established);
	else if (was && !is)
		stat_dec(&st->current_established);
	if (state == TCPS_CLOSE && was)
		stat_inc(&st->established_resets);
	if (state == TCPS_CLOSE && TCPS_IN(c->state, TCPS_BIT(TCPS_SYN_SENT) | TCPS_BIT(TCPS_SYN_RECV)))
		stat_inc(&st->failed_connection_attempts);
	c->state = (uint8_t)state;
}
