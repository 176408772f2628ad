/*
 * TCP's states as tracking sees them: Netfilter's table (nf_conntrack_proto_tcp.c), without windows.
 *
 * What a segment makes of a state depends on its direction and its flags. IG: it changes nothing; it may
 * be stale, and the peer's answer will tell. IV: it cannot belong to the connection.
 */
#include "filter/conn.h"

enum { TCP_FLAGS_OFF = 13 };
enum { SEG_SYN, SEG_SYNACK, SEG_FIN, SEG_ACK, SEG_RST, SEG_NONE, SEG_COUNT };

enum {
	NO = CT_NONE, SS = CT_SYN_SENT, SR = CT_SYN_RECV, ES = CT_ESTABLISHED, FW = CT_FIN_WAIT,
	CW = CT_CLOSE_WAIT, LA = CT_LAST_ACK, TW = CT_TIME_WAIT, CL = CT_CLOSE, S2 = CT_SYN_SENT2,
	IV = CT_STATES, IG,
};

static const uint8_t next_state[2][SEG_COUNT][CT_STATES] = {
	{	/* original direction */
		/*		     NO  SS  SR  ES  FW  CW  LA  TW  CL  S2 */
		[SEG_SYN]	= { SS, SS, IG, IG, IG, IG, IG, SS, SS, S2 },
		[SEG_SYNACK]	= { IV, IV, SR, IV, IV, IV, IV, IV, IV, SR },
		[SEG_FIN]	= { IV, IV, FW, FW, LA, LA, LA, TW, CL, IV },
		[SEG_ACK]	= { ES, IV, ES, ES, CW, CW, TW, TW, CL, IV },
		[SEG_RST]	= { IV, CL, CL, CL, CL, CL, CL, CL, CL, CL },
		[SEG_NONE]	= { IV, IV, IV, IV, IV, IV, IV, IV, IV, IV },
	}, {	/* reply direction */
		[SEG_SYN]	= { IV, S2, IV, IV, IV, IV, IV, SS, IV, S2 },
		[SEG_SYNACK]	= { IV, SR, IG, IG, IG, IG, IG, IG, IG, SR },
		[SEG_FIN]	= { IV, IV, FW, FW, LA, LA, LA, TW, CL, IV },
		[SEG_ACK]	= { IV, IG, SR, ES, CW, CW, TW, TW, CL, IG },
		[SEG_RST]	= { IV, CL, CL, CL, CL, CL, CL, CL, CL, CL },
		[SEG_NONE]	= { IV, IV, IV, IV, IV, IV, IV, IV, IV, IV },
	},
};

static const struct {
	const char *name;
	uint32_t timeout_s;
} states[CT_STATES] = {
	[NO] = { "NONE", 0 }, [SS] = { "SYN_SENT", 120 }, [SR] = { "SYN_RECV", 60 },
	[ES] = { "ESTABLISHED", 5 * 24 * 60 * 60 }, [FW] = { "FIN_WAIT", 120 },
	[CW] = { "CLOSE_WAIT", 60 }, [LA] = { "LAST_ACK", 30 }, [TW] = { "TIME_WAIT", 120 },
	[CL] = { "CLOSE", 10 }, [S2] = { "SYN_SENT2", 120 },
};

const char *conn_tcp_name(uint8_t state)
{
	return states[state].name;
}

/* Flags that no segment has together (SYN with FIN, nothing at all, ...) are told apart as in Netfilter. */
static bool flags_ok(uint8_t flags)
{
	flags &= TCP_FLAG_FIN | TCP_FLAG_SYN | TCP_FLAG_RST | TCP_FLAG_ACK | TCP_FLAG_URG;
	switch (flags) {
	case TCP_FLAG_SYN:
	case TCP_FLAG_SYN | TCP_FLAG_URG:
	case TCP_FLAG_SYN | TCP_FLAG_ACK:
	case TCP_FLAG_RST:
	case TCP_FLAG_RST | TCP_FLAG_ACK:
	case TCP_FLAG_FIN | TCP_FLAG_ACK:
	case TCP_FLAG_FIN | TCP_FLAG_ACK | TCP_FLAG_URG:
	case TCP_FLAG_ACK:
	case TCP_FLAG_ACK | TCP_FLAG_URG:
		return true;
	default:
		return false;
	}
}

static int segment_kind(const struct filter_pkt *k)
{
	uint8_t flags = packet_l4(k)[TCP_FLAGS_OFF];

	if (!flags_ok(flags))
		return SEG_NONE;
	if (flags & TCP_FLAG_RST)
		return SEG_RST;
	if (flags & TCP_FLAG_SYN)
		return flags & TCP_FLAG_ACK ? SEG_SYNACK : SEG_SYN;
	if (flags & TCP_FLAG_FIN)
		return SEG_FIN;
	return SEG_ACK;
}

static void set_state(struct conn *c, uint8_t state)
{
	c->tcp_state = state;
	c->timeout_ns = states[state].timeout_s * NS_PER_SEC;
}

bool conn_tcp_new(struct conn *c, const struct filter_pkt *k)
{
	uint8_t state = next_state[0][segment_kind(k)][NO];

	if (state >= IV)
		return false;
	set_state(c, state);
	return true;
}

enum conn_tcp_verdict conn_tcp_packet(struct conn *c, const struct filter_pkt *k)
{
	int kind = segment_kind(k);
	uint8_t old = c->tcp_state, state = next_state[k->reply][kind][old];

	if (state == IV)
		return CONN_TCP_INVALID;
	if (state == IG)
		return CONN_TCP_OK;
	if (state == SS && (old == TW || old == CL))
		return CONN_TCP_AGAIN;
	set_state(c, state);
	if (kind == SEG_RST && !(c->status & FILTER_CONN_SEEN_REPLY))
		c->timeout_ns = 0;	/* refused, or given up: there never was a connection */
	else if (c->status & FILTER_CONN_SEEN_REPLY && (old == SR || old == ES) && state == ES)
		conn_set_assured(c);
	return CONN_TCP_OK;
}
