/* Options of an endpoint: a table of those that are a number, functions for the rest (tcp(7), socket(7)). */
#include <stddef.h>
#include <stdlib.h>

#include "transport/tcp/impl.h"

enum { T_BOOL, T_U8, T_U32, T_NS, T_SECONDS };

struct opt_row {
	uint16_t off;
	uint8_t type;
	int64_t min, max;
	bool set;
};

#define ROW(field, t, lo, hi) { offsetof(struct tcp_conn, field), t, lo, hi, true }
#define SECS(n) ((n) * NS_PER_SEC)

/* Ranges are Linux's. 0 where a setting of the whole protocol stands in for it. */
static const struct opt_row rows[SOCKOPT_COUNT] = {
	[SOCKOPT_NO_DELAY] = ROW(nodelay, T_BOOL, 0, INT32_MAX),
	[SOCKOPT_CORK] = ROW(cork, T_BOOL, 0, INT32_MAX),
	[SOCKOPT_KEEPALIVE_ENABLED] = ROW(keepalive, T_BOOL, 0, INT32_MAX),
	[SOCKOPT_KEEPALIVE_IDLE] = ROW(keep_idle_s, T_SECONDS, SECS(1), SECS(32767)),
	[SOCKOPT_KEEPALIVE_INTERVAL] = ROW(keep_intvl_s, T_SECONDS, SECS(1), SECS(32767)),
	[SOCKOPT_KEEPALIVE_COUNT] = ROW(keep_count, T_U8, 1, 127),
	[SOCKOPT_USER_TIMEOUT] = ROW(user_timeout_ns, T_NS, 0, INT32_MAX * NS_PER_MS),
	[SOCKOPT_MAX_SEGMENT] = ROW(user_mss, T_U32, TCP_MIN_MSS, 32767),
	[SOCKOPT_LINGER2_TIMEOUT] = ROW(linger2_ns, T_NS, INT64_MIN, INT64_MAX),
	[SOCKOPT_TIME_WAIT_TIMEOUT] = ROW(tw_ns, T_NS, 0, SECS(3600)),
	[SOCKOPT_MODERATE_RECEIVE_BUFFER] = ROW(moderate, T_BOOL, 0, INT32_MAX),
	[SOCKOPT_OOB_INLINE] = ROW(oob_inline, T_BOOL, 0, INT32_MAX),
	[SOCKOPT_SYN_RETRIES] = ROW(syn_retries, T_U8, 1, 127),
	[SOCKOPT_NOT_SENT_LOW_WATER] = ROW(notsent_lowat, T_U32, 0, UINT32_MAX),
	[SOCKOPT_RECEIVE_LOW_WATER] = ROW(rcv_lowat, T_U32, 0, INT32_MAX),
	[SOCKOPT_FASTOPEN_CONNECT] = ROW(fo_connect, T_BOOL, 0, 1),
	[SOCKOPT_FASTOPEN_NO_COOKIE] = ROW(fo_no_cookie, T_BOOL, 0, 1),
	[SOCKOPT_FASTOPEN] = ROW(fo_max, T_U32, 0, INT32_MAX),
	[SOCKOPT_PORT_LOCK] = ROW(explicit_port, T_BOOL, 0, 1),
	[SOCKOPT_DEFER_ACCEPT] = ROW(defer_accept, T_U8, 0, 255),
};

static void put_number(struct tcp_conn *c, const struct opt_row *row, int64_t v)
{
	char *field = (char *)c + row->off;

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
	case T_SECONDS:
		*(uint32_t *)field = (uint32_t)(v / NS_PER_SEC);
		break;
	default:
		*(int64_t *)field = v;
	}
}

static int64_t get_number(const struct tcp_conn *c, const struct opt_row *row)
{
	const char *field = (const char *)c + row->off;

	switch (row->type) {
	case T_BOOL:
		return *(const bool *)field;
	case T_U8:
		return *(const uint8_t *)field;
	case T_U32:
		return *(const uint32_t *)field;
	case T_SECONDS:
		return *(const uint32_t *)field * NS_PER_SEC;
	default:
		return *(const int64_t *)field;
	}
}

/* What a new value means for a connection under way. */
static void number_changed(struct tcp_conn *c, enum sockopt opt)
{
	bool live = TCPS_IN(c->state, TCPS_SYNCHRONIZED);

	switch (opt) {
	case SOCKOPT_NO_DELAY:
		if (live && c->nodelay)
			tcp_output(c, true);
		break;
	case SOCKOPT_CORK:
		if (live && !c->cork)
			tcp_output(c, c->nodelay);
		break;
	case SOCKOPT_KEEPALIVE_ENABLED:
	case SOCKOPT_KEEPALIVE_IDLE:
		tcp_arm_keepalive(c);
		break;
	case SOCKOPT_RECEIVE_LOW_WATER:
		if (!c->rcv_lowat)
			c->rcv_lowat = 1;
		if (c->rcv_bytes >= c->rcv_lowat)
			tcp_wake(c, WAIT_IN);
		break;
	case SOCKOPT_NOT_SENT_LOW_WATER:
		if (!c->notsent_lowat)
			c->notsent_lowat = UINT32_MAX;
		tcp_wrote_space(c);
		break;
	case SOCKOPT_MAX_SEGMENT:
		if (live && c->mss_clamp > c->user_mss) {
			c->mss_clamp = c->user_mss;
			tcp_sync_mss(c);
		}
		break;
	default:
		break;
	}
}

/* TCP_QUICKACK: on for now; the connection goes back to delaying as it sees fit (tcp(7)). */
static void set_quickack(struct tcp_conn *c, bool on)
{
	if (!on) {
		c->pingpong = 3;
		return;
	}
	c->pingpong = 0;
	if (TCPS_IN(c->state, TCPS_BIT(TCPS_ESTABLISHED) | TCPS_BIT(TCPS_CLOSE_WAIT)) &&
	    c->ack_pending & ACK_SCHED)
		tcp_send_ack(c);
}

static enum ns_err set_cc(struct tcp_conn *c, const void *val, size_t len)
{
	char name[TCP_CC_NAME_MAX] = { 0 };
	const struct tcp_cc_ops *ops;

	if (!len)
		return NS_ERR_INVALID_OPTION_VALUE;
	memcpy(name, val, len < sizeof(name) - 1 ? len : sizeof(name) - 1);
	ops = tcp_cc_find(name);
	if (!ops)
		return NS_ERR_NO_SUCH_FILE;	/* ENOENT, as Linux has it */
	tcp_cc_change(&c->cc, ops);
	return NS_OK;
}

static enum ns_err set_clamp(struct tcp_conn *c, int64_t v)
{
	if (v < 0 || v > INT32_MAX || (v == 0 && c->state != TCPS_CLOSE))
		return NS_ERR_INVALID_OPTION_VALUE;
	c->user_clamp = v && v < 1024 ? 1024 : (uint32_t)v;
	if (TCPS_IN(c->state, TCPS_SYNCHRONIZED) && c->window_clamp > c->user_clamp) {
		c->window_clamp = c->user_clamp;
		if (c->rcv_ssthresh > c->window_clamp)
			c->rcv_ssthresh = c->window_clamp;
	}
	return NS_OK;
}

static enum ns_err set_linger(struct tcp_conn *c, const void *val, size_t len)
{
	struct sockopt_linger l;

	if (len < sizeof(l))
		return NS_ERR_INVALID_OPTION_VALUE;
	memcpy(&l, val, sizeof(l));
	if (l.enabled && l.timeout_ns < 0)
		return NS_ERR_INVALID_OPTION_VALUE;
	c->linger = l.enabled;
	c->linger_ns = l.timeout_ns;
	return NS_OK;
}

static enum ns_err set_fo_keys(struct tcp_conn *c, const void *val, size_t len)
{
	struct tcp_fo_keys keys;
	enum ns_err err = tcp_fo_set_keys(&keys, val, len);

	if (err)
		return err;
	if (!c->fo_keys)
		c->fo_keys = malloc(sizeof(*c->fo_keys));
	if (!c->fo_keys)
		return NS_ERR_NO_MEMORY;
	*c->fo_keys = keys;
	return NS_OK;
}

static enum ns_err set_special(struct tcp_conn *c, enum sockopt opt, int64_t v)
{
	switch (opt) {
	case SOCKOPT_QUICK_ACK:
		set_quickack(c, v != 0);
		return NS_OK;
	case SOCKOPT_WINDOW_CLAMP:
		return set_clamp(c, v);
	case SOCKOPT_SAVE_SYN:
		return tcp_set_save_syn(c, v);
	default:
		return NS_ERR_UNKNOWN_PROTOCOL_OPTION;
	}
}

/* What depends on more than the value. */
static enum ns_err allowed(const struct tcp_conn *c, enum sockopt opt)
{
	if (opt != SOCKOPT_FASTOPEN_CONNECT)
		return NS_OK;
	if (!(c->proto->set.fastopen & FASTOPEN_CLIENT))
		return NS_ERR_NOT_SUPPORTED;
	return c->state == TCPS_CLOSE ? NS_OK : NS_ERR_INVALID_OPTION_VALUE;
}

enum ns_err tcp_set_option(struct endpoint *ep, enum sockopt opt, const void *val, size_t len)
{
	struct tcp_conn *c = tcp_of(ep);
	enum ns_err err = NS_OK;
	int64_t v;

	if ((unsigned)opt >= SOCKOPT_COUNT)
		return NS_ERR_UNKNOWN_PROTOCOL_OPTION;
	if (opt == SOCKOPT_LINGER)
		return set_linger(c, val, len);
	if (opt == SOCKOPT_CONGESTION_CONTROL)
		return set_cc(c, val, len);
	if (opt == SOCKOPT_FASTOPEN_KEY)
		return set_fo_keys(c, val, len);
	if (opt == SOCKOPT_TX_STAMP)
		return len < sizeof(struct sockopt_tx_stamp) ? NS_ERR_INVALID_OPTION_VALUE : tcp_stamp_byte(c, val);
	if (!rows[opt].set && opt != SOCKOPT_QUICK_ACK && opt != SOCKOPT_WINDOW_CLAMP && opt != SOCKOPT_SAVE_SYN)
		return NS_ERR_UNKNOWN_PROTOCOL_OPTION;
	if (len < sizeof(v))
		return NS_ERR_INVALID_OPTION_VALUE;
	memcpy(&v, val, sizeof(v));
	tcp_hold(c);
	if (!rows[opt].set) {
		err = set_special(c, opt, v);
	} else if ((v < rows[opt].min && !(opt == SOCKOPT_MAX_SEGMENT && v == 0)) || v > rows[opt].max) {
		err = NS_ERR_INVALID_OPTION_VALUE;
	} else if (!(err = allowed(c, opt))) {
		put_number(c, &rows[opt], v);
		number_changed(c, opt);
	}
	tcp_put(c);
	return err;
}

static enum ns_err copy_out(void *val, size_t *len, const void *from, size_t n)
{
	if (*len < n)
		return NS_ERR_INVALID_OPTION_VALUE;
	memcpy(val, from, n);
	*len = n;
	return NS_OK;
}

static enum ns_err get_info(struct tcp_conn *c, void *val, size_t *len)
{
	struct tcp_conn_info info;

	tcp_fill_info(c, &info);
	/* Callers may know a shorter structure. */
	if (*len > sizeof(info))
		*len = sizeof(info);
	memcpy(val, &info, *len);
	return NS_OK;
}

static int64_t effective(const struct tcp_conn *c, enum sockopt opt)
{
	const struct tcp_settings *set = &c->proto->set;

	switch (opt) {
	case SOCKOPT_KEEPALIVE_IDLE:
		return tcp_keep_idle_ns(c);
	case SOCKOPT_KEEPALIVE_INTERVAL:
		return tcp_keep_intvl_ns(c);
	case SOCKOPT_KEEPALIVE_COUNT:
		return c->keep_count ? c->keep_count : set->keep_count;
	case SOCKOPT_SYN_RETRIES:
		return c->syn_retries ? c->syn_retries : set->syn_retries;
	case SOCKOPT_LINGER2_TIMEOUT:
		return c->linger2_ns ? c->linger2_ns : set->fin_ns;
	case SOCKOPT_TIME_WAIT_TIMEOUT:
		return c->tw_ns ? c->tw_ns : set->tw_ns;
	case SOCKOPT_MAX_SEGMENT:
		return TCPS_IN(c->state, TCPS_BIT(TCPS_CLOSE) | TCPS_BIT(TCPS_LISTEN)) && c->user_mss
			       ? c->user_mss : c->mss ? c->mss : TCP_DEFAULT_MSS;
	case SOCKOPT_NOT_SENT_LOW_WATER:
		return c->notsent_lowat == UINT32_MAX ? 0 : c->notsent_lowat;
	default:
		return get_number(c, &rows[opt]);
	}
}

static bool get_special(struct tcp_conn *c, enum sockopt opt, int64_t *v)
{
	switch (opt) {
	case SOCKOPT_RECEIVE_QUEUE_SIZE:	/* tcp(7), SIOCINQ: up to the urgent mark */
		*v = tcp_readable(c);
		return true;
	case SOCKOPT_SEND_QUEUE_SIZE:
		*v = c->state == TCPS_CLOSE ? 0 : (int64_t)(c->write_seq - c->snd_una);
		return true;
	case SOCKOPT_SEND_QUEUE_UNSENT:
		*v = c->state == TCPS_CLOSE ? 0 : (int64_t)(uint32_t)(c->write_seq - c->snd_nxt);
		return true;
	case SOCKOPT_SAVE_SYN:
		*v = c->rare ? c->rare->save_syn : 0;
		return true;
	case SOCKOPT_WRITE_SEQ:
		*v = c->write_seq;
		return true;
	case SOCKOPT_QUICK_ACK:
		*v = !c->pingpong;
		return true;
	case SOCKOPT_WINDOW_CLAMP:
		*v = TCPS_IN(c->state, TCPS_SYNCHRONIZED) ? c->window_clamp : c->user_clamp;
		return true;
	case SOCKOPT_AT_MARK:
		*v = tcp_at_mark(c);
		return true;
	default:
		return false;
	}
}

enum ns_err tcp_get_option(struct endpoint *ep, enum sockopt opt, void *val, size_t *len)
{
	struct tcp_conn *c = tcp_of(ep);
	struct sockopt_linger l = { c->linger, c->linger_ns };
	const struct tcp_fo_keys *keys;
	const char *s;
	int64_t v;

	if ((unsigned)opt >= SOCKOPT_COUNT)
		return NS_ERR_UNKNOWN_PROTOCOL_OPTION;
	switch (opt) {
	case SOCKOPT_LINGER:
		return copy_out(val, len, &l, sizeof(l));
	case SOCKOPT_TCP_INFO:
		return get_info(c, val, len);
	case SOCKOPT_FASTOPEN_KEY:
		keys = tcp_fo_keys_of(c->proto, c);
		return copy_out(val, len, keys->key, (size_t)keys->n * TCP_FO_KEY_LEN);
	case SOCKOPT_SAVED_SYN:
		return tcp_take_syn(c, val, len);
	case SOCKOPT_CONGESTION_CONTROL_INFO:
		*len = 0;
		return NS_OK;
	case SOCKOPT_CONGESTION_CONTROL:
	case SOCKOPT_AVAILABLE_CONGESTION_CONTROL:
		s = opt == SOCKOPT_CONGESTION_CONTROL ? c->cc.ops->name : tcp_cc_available();
		return copy_out(val, len, s, strlen(s) + 1);
	default:
		break;
	}
	if (rows[opt].set)
		v = effective(c, opt);
	else if (!get_special(c, opt, &v))
		return NS_ERR_UNKNOWN_PROTOCOL_OPTION;
	return copy_out(val, len, &v, sizeof(v));
}

void tcp_option_changed(struct endpoint *ep, enum sockopt opt)
{
	struct tcp_conn *c = tcp_of(ep);
	uint64_t twice;

	switch (opt) {
	case SOCKOPT_RECEIVE_BUFFER_SIZE:
		/* socket(7): doubled, for what packets cost beside their bytes; and no longer tuned. */
		twice = 2ull * ep->opts.receive_buffer_bytes;
		c->rcvbuf = twice > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)twice;
		c->rcvbuf_locked = true;
		if (TCPS_IN(c->state, TCPS_SYNCHRONIZED) && c->window_clamp < tcp_full_space(c) &&
		    !c->user_clamp)
			c->window_clamp = c->has_wscale ? tcp_full_space(c) : TCP_WINDOW_MAX;
		break;
	case SOCKOPT_SEND_BUFFER_SIZE:
		twice = 2ull * ep->opts.send_buffer_bytes;
		c->sndbuf = twice > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)twice;
		c->sndbuf_locked = true;
		tcp_wrote_space(c);
		break;
	case SOCKOPT_IP_OPTIONS:
		c->mss = 0;		/* they leave less room */
		break;
	case SOCKOPT_BIND_TO_DEVICE:
		if (c->bound)
			c->claim.nic = ep->opts.bind_nic;
		c->tuple.nic = ep->opts.bind_nic;
		tcp_listen_bind_nic(c);
		route_release(&c->route);
		break;
	case SOCKOPT_PMTU_DISCOVER:
		c->mss = 0;
		break;
	default:
		break;
	}
}
