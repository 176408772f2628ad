/* Settings of the whole protocol: one table (sysctls of Linux in tcp(7) and ip-sysctl). */
#include <stddef.h>

#include "transport/tcp/impl.h"

enum { T_BOOL, T_U8, T_U32, T_NS };

struct set_row {
	uint16_t off;
	uint8_t type;
	int64_t min, max;
	bool set;
};

#define ROW(field, t, lo, hi) { offsetof(struct tcp_settings, field), t, lo, hi, true }

static const struct set_row rows[SOCKOPT_COUNT] = {
	[SOCKOPT_SACK_ENABLED] = ROW(sack, T_BOOL, 0, 1),
	[SOCKOPT_TIMESTAMPS_ENABLED] = ROW(timestamps, T_BOOL, 0, 1),
	[SOCKOPT_WINDOW_SCALING_ENABLED] = ROW(wscale, T_BOOL, 0, 1),
	[SOCKOPT_ECN] = ROW(ecn, T_U8, 0, 2),
	[SOCKOPT_RECOVERY] = ROW(rack, T_BOOL, 0, 1),
	[SOCKOPT_MODERATE_RECEIVE_BUFFER] = ROW(moderate, T_BOOL, 0, 1),
	[SOCKOPT_DELAY_ENABLED] = ROW(delay, T_BOOL, 0, 1),
	[SOCKOPT_INITIAL_RTO] = ROW(init_rto_ns, T_NS, NS_PER_MS, 120 * NS_PER_SEC),
	[SOCKOPT_MIN_RTO] = ROW(min_rto_ns, T_NS, NS_PER_MS, 120 * NS_PER_SEC),
	[SOCKOPT_MAX_RTO] = ROW(max_rto_ns, T_NS, NS_PER_SEC, 3600 * NS_PER_SEC),
	[SOCKOPT_MAX_RETRIES] = ROW(retries, T_U8, 1, 60),
	[SOCKOPT_SYN_RETRIES] = ROW(syn_retries, T_U8, 1, 127),
	[SOCKOPT_SYNACK_RETRIES] = ROW(synack_retries, T_U8, 0, 127),
	[SOCKOPT_ORPHAN_RETRIES] = ROW(orphan_retries, T_U8, 0, 60),
	[SOCKOPT_SYN_COOKIES] = ROW(syncookies, T_U8, 0, 2),
	[SOCKOPT_SYN_RCVD_THRESHOLD] = ROW(max_syn_backlog, T_U32, 1, UINT32_MAX),
	[SOCKOPT_MAX_BACKLOG] = ROW(max_backlog, T_U32, 1, UINT32_MAX),
	[SOCKOPT_TIME_WAIT_REUSE] = ROW(tw_reuse, T_U8, 0, 2),
	[SOCKOPT_TIME_WAIT_REUSE_DELAY] = ROW(tw_reuse_delay_ns, T_NS, 0, 3600 * NS_PER_SEC),
	[SOCKOPT_TIME_WAIT_TIMEOUT] = ROW(tw_ns, T_NS, 0, 3600 * NS_PER_SEC),
	[SOCKOPT_LINGER2_TIMEOUT] = ROW(fin_ns, T_NS, 0, 3600 * NS_PER_SEC),
	[SOCKOPT_MAX_TIME_WAIT] = ROW(max_tw, T_U32, 0, UINT32_MAX),
	[SOCKOPT_MAX_ORPHANS] = ROW(max_orphans, T_U32, 0, UINT32_MAX),
	[SOCKOPT_ABORT_ON_OVERFLOW] = ROW(abort_on_overflow, T_BOOL, 0, 1),
	[SOCKOPT_RFC1337] = ROW(rfc1337, T_BOOL, 0, 1),
	[SOCKOPT_CHALLENGE_ACK_LIMIT] = ROW(challenge_limit, T_U32, 0, UINT32_MAX),
	[SOCKOPT_INVALID_RATELIMIT] = ROW(invalid_ratelimit_ns, T_NS, 0, 3600 * NS_PER_SEC),
	[SOCKOPT_REORDERING] = ROW(reordering, T_U8, 1, 127),
	[SOCKOPT_INITIAL_WINDOW] = ROW(init_cwnd, T_U8, 1, 255),
	[SOCKOPT_MIN_TSO_SEGMENTS] = ROW(min_tso_segs, T_U8, 1, 255),
	[SOCKOPT_SLOW_START_AFTER_IDLE] = ROW(slow_start_after_idle, T_BOOL, 0, 1),
	[SOCKOPT_MTU_PROBING] = ROW(mtu_probing, T_U8, 0, 2),
	[SOCKOPT_BASE_MSS] = ROW(base_mss, T_U32, TCP_MIN_SND_MSS, 9000),
	[SOCKOPT_FASTOPEN] = ROW(fastopen, T_U32, 0, UINT32_MAX),
	[SOCKOPT_KEEPALIVE_IDLE] = ROW(keep_idle_s, T_U32, 1, 32767),
	[SOCKOPT_KEEPALIVE_INTERVAL] = ROW(keep_intvl_s, T_U32, 1, 32767),
	[SOCKOPT_KEEPALIVE_COUNT] = ROW(keep_count, T_U8, 1, 127),
};

static struct sockopt_range *range_of(struct tcp_settings *set, int opt)
{
	return opt == SOCKOPT_SEND_BUFFER_RANGE ? &set->wmem
	       : opt == SOCKOPT_RECEIVE_BUFFER_RANGE ? &set->rmem : NULL;
}

static enum ns_err set_range(struct sockopt_range *to, const void *val, size_t len)
{
	struct sockopt_range r;

	if (len < sizeof(r))
		return NS_ERR_INVALID_OPTION_VALUE;
	memcpy(&r, val, sizeof(r));
	if (!r.min || r.def < r.min || r.max < r.def || r.max > INT32_MAX)
		return NS_ERR_INVALID_OPTION_VALUE;
	*to = r;
	return NS_OK;
}

static enum ns_err set_cc(struct tcp_settings *set, const void *val, size_t len)
{
	char name[TCP_CC_NAME_MAX] = { 0 };
	const struct tcp_cc_ops *ops;

	memcpy(name, val, len < sizeof(name) - 1 ? len : sizeof(name) - 1);
	ops = tcp_cc_find(name);
	if (!ops)
		return NS_ERR_NO_SUCH_FILE;
	set->cc = ops;
	return NS_OK;
}

enum ns_err tcp_proto_set_option(struct stack *s, int opt, const void *val, size_t len)
{
	struct tcp_proto *p = tcp_proto_of(s);
	const struct set_row *row;
	char *field;
	int64_t v;

	if (range_of(&p->set, opt))
		return set_range(range_of(&p->set, opt), val, len);
	if (opt == SOCKOPT_CONGESTION_CONTROL)
		return set_cc(&p->set, val, len);
	if (opt == SOCKOPT_FASTOPEN_KEY)
		return tcp_fo_set_keys(&p->fo_keys, val, len);
	if (opt < 0 || opt >= SOCKOPT_COUNT || !rows[opt].set)
		return NS_ERR_UNKNOWN_PROTOCOL_OPTION;
	if (len < sizeof(v))
		return NS_ERR_INVALID_OPTION_VALUE;
	memcpy(&v, val, sizeof(v));
	row = &rows[opt];
	/* Idle and interval are kept in seconds, and given in nanoseconds as everywhere. */
	if (opt == SOCKOPT_KEEPALIVE_IDLE || opt == SOCKOPT_KEEPALIVE_INTERVAL)
		v /= NS_PER_SEC;
	if (v < row->min || v > row->max)
		return NS_ERR_INVALID_OPTION_VALUE;
	field = (char *)&p->set + row->off;
	switch (row->type) {
	case T_BOOL:
		*(bool *)field = v != 0;
		break;
	case T_U8:
		*(uint8_t *)field = (uint8_t)v;
		break;
	case T_U32:
		*(uint32_t *)field = (uint32_t)v;
		break;
	default:
		*(int64_t *)field = v;
	}
	if (opt == SOCKOPT_CHALLENGE_ACK_LIMIT)
		ratelimit_init(&p->challenge, p->set.challenge_limit, p->set.challenge_limit);
	return NS_OK;
}

static int64_t get_number(const struct tcp_settings *set, int opt)
{
	const struct set_row *row = &rows[opt];
	const char *field = (const char *)set + row->off;

	switch (row->type) {
	case T_BOOL:
		return *(const bool *)field;
	case T_U8:
		return *(const uint8_t *)field;
	case T_U32:
		return *(const uint32_t *)field;
	default:
		return *(const int64_t *)field;
	}
}

enum ns_err tcp_proto_get_option(struct stack *s, int opt, void *val, size_t len)
{
	struct tcp_proto *p = tcp_proto_of(s);
	const struct sockopt_range *range = range_of(&p->set, opt);
	const char *name = opt == SOCKOPT_CONGESTION_CONTROL ? p->set.cc->name
			   : opt == SOCKOPT_AVAILABLE_CONGESTION_CONTROL ? tcp_cc_available() : NULL;
	int64_t v;

	if (range || name) {
		size_t n = range ? sizeof(*range) : strlen(name) + 1;

		if (len < n)
			return NS_ERR_INVALID_OPTION_VALUE;
		memcpy(val, range ? (const void *)range : name, n);
		return NS_OK;
	}
	if (opt < 0 || opt >= SOCKOPT_COUNT || !rows[opt].set)
		return NS_ERR_UNKNOWN_PROTOCOL_OPTION;
	if (len < sizeof(v))
		return NS_ERR_INVALID_OPTION_VALUE;
	v = get_number(&p->set, opt);
	if (opt == SOCKOPT_KEEPALIVE_IDLE || opt == SOCKOPT_KEEPALIVE_INTERVAL)
		v *= NS_PER_SEC;
	memcpy(val, &v, sizeof(v));
	return NS_OK;
}

/* RFCs where they say, Linux where they don't. */
void tcp_settings_default(struct tcp_settings *set)
{
	*set = (struct tcp_settings){
		.sack = true, .timestamps = true, .wscale = true, .ecn = 2,
		.rmem = { 4096, 131072, 6 << 20 }, .wmem = { 4096, 16384, 4 << 20 },
		.cc = &tcp_cc_cubic, .rack = true, .moderate = true, .delay = true,
		.init_rto_ns = NS_PER_SEC, .min_rto_ns = TCP_RTO_MIN_NS, .max_rto_ns = 120 * NS_PER_SEC,
		.syn_retries = 6, .synack_retries = 5, .retries = 15, .orphan_retries = 0,
		.syncookies = 1, .fastopen = FASTOPEN_CLIENT, .max_syn_backlog = 4096, .max_backlog = 4096,
		.tw_reuse = 2, .tw_reuse_delay_ns = NS_PER_SEC, .tw_ns = 60 * NS_PER_SEC, .fin_ns = 60 * NS_PER_SEC,
		.max_tw = 262144, .max_orphans = 65536, .rfc1337 = true, .slow_start_after_idle = true,
		.invalid_ratelimit_ns = 500 * NS_PER_MS, .challenge_limit = 1000, .reordering = TCP_DUPTHRESH, .init_cwnd = TCP_CC_INIT_CWND, .min_tso_segs = 2,
		.mtu_probing = 1, .base_mss = 1024, .keep_idle_s = 7200, .keep_intvl_s = 75,
		.keep_count = 9,
	};
}
