/* Options of TCP (tcp(7)). */
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>

#include "socket/opt.h"

/* tcp(7): -1 for no FIN-WAIT-2 at all, and two minutes at most. */
static int set_linger2(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = opt_take_int(row, val, len, &v);

	if (r)
		return r;
	v = v < 0 ? -1 : v > 120 ? 120 : v;
	return -ns_err_errno(endpoint_set_int(k->ep, row->stack, v * row->scale));
}

/* TCP_DEFER_ACCEPT is told in seconds and kept as the number of SYN-ACKs that fit (Linux's
 * secs_to_retrans): the first after a second, each next one after twice as long, up to two minutes. */
static int set_defer(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = opt_take_int(row, val, len, &v), n = 0;
	int64_t period = 1, timeout = 1;

	if (r)
		return r;
	if (v > 0) {
		n = 1;
		while (v > period && n < 255) {
			n++;
			timeout = timeout * 2 > 120 ? 120 : timeout * 2;
			period += timeout;
		}
	}
	return -ns_err_errno(endpoint_set_int(k->ep, row->stack, n));
}

static int get_defer(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	int64_t n = 0, period = 0, timeout = 1;

	endpoint_get_int(k->ep, row->stack, &n);
	for (; n > 0; n--) {
		period += timeout;
		timeout = timeout * 2 > 120 ? 120 : timeout * 2;
	}
	return opt_put_int(row, val, len, (int)period);
}

/* Unsigned: -1 is no limit, as 0 is. */
static int set_lowat_unsent(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = opt_take_int(row, val, len, &v);

	if (r)
		return r;
	k->unsent_lowat = (uint32_t)v;
	return -ns_err_errno(endpoint_set_int(k->ep, SOCKOPT_NOT_SENT_LOW_WATER, v < 0 ? 0 : v));
}

/* Only before there is a connection; one to be deferred not of a listening socket either. */
static int set_fastopen(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	if (k->connected || k->connecting || (k->listening && row->stack == SOCKOPT_FASTOPEN_CONNECT))
		return -EINVAL;
	return opt_set_number(k, row, val, len);
}

/* 0 takes the limit away. */
static int set_maxseg(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = opt_take_int(row, val, len, &v);

	if (r || (v && (v < row->min || v > row->max)))
		return r ? r : -EINVAL;
	return -ns_err_errno(endpoint_set_int(k->ep, row->stack, v));
}

/* There are none: a program goes on by itself. */
static int set_ulp(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	(void)k; (void)row; (void)val;
	return len < 1 ? -EINVAL : -ENOENT;
}

/* Linux has forgotten what it was for. */
static int set_thin_dupack(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = opt_take_int(row, val, len, &v);

	(void)k;
	return r ? r : v < 0 || v > 1 ? -EINVAL : 0;
}

static int get_empty(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	(void)k;
	(void)row;
	return opt_put(val, len, "", 0);
}

static int set_forbidden(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	(void)k; (void)row; (void)val; (void)len;
	return -EPERM;
}

static int set_cc(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	char name[16] = "";
	enum ns_err err;

	if (len < 1)
		return -EINVAL;
	memcpy(name, val, len < sizeof(name) - 1 ? len : sizeof(name) - 1);
	err = endpoint_set_option(k->ep, row->stack, name, strlen(name));
	return err ? -ENOENT : 0;
}

static int get_stack_bytes(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	uint8_t buf[512] = { 0 };
	size_t n = sizeof(buf);
	enum ns_err err = endpoint_get_option(k->ep, row->stack, buf, &n);

	if (err)
		return -ns_err_errno(err);
	return opt_put(val, len, buf, row->stack == SOCKOPT_CONGESTION_CONTROL ? 16 : n);
}

static int get_saved_syn(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	size_t n = *len;
	enum ns_err err = endpoint_get_option(k->ep, row->stack, val, &n);

	*len = (socklen_t)n;
	return -ns_err_errno(err);
}

#define S_NS	1000000000LL
#define MS_NS	1000000LL

#define FASTOPEN(opt, st, hi) \
	{ IPPROTO_TCP, opt, OPT_STREAM, set_fastopen, opt_get_number, .stack = st, .max = hi, .scale = 1 }

static const struct opt_row rows[] = {
	BOOL(IPPROTO_TCP, TCP_NODELAY, OPT_STREAM, SOCKOPT_NO_DELAY),
	BOOL(IPPROTO_TCP, TCP_CORK, OPT_STREAM, SOCKOPT_CORK),
	BOOL(IPPROTO_TCP, TCP_QUICKACK, OPT_STREAM, SOCKOPT_QUICK_ACK),
	{ IPPROTO_TCP, TCP_MAXSEG, OPT_STREAM, set_maxseg, opt_get_number, .stack = SOCKOPT_MAX_SEGMENT, .min = 88, .max = 32767,
	  .scale = 1 },
	NUMBER(IPPROTO_TCP, TCP_KEEPIDLE, OPT_STREAM, SOCKOPT_KEEPALIVE_IDLE, 1, 32767, S_NS),
	NUMBER(IPPROTO_TCP, TCP_KEEPINTVL, OPT_STREAM, SOCKOPT_KEEPALIVE_INTERVAL, 1, 32767, S_NS),
	NUMBER(IPPROTO_TCP, TCP_KEEPCNT, OPT_STREAM, SOCKOPT_KEEPALIVE_COUNT, 1, 127, 1),
	NUMBER(IPPROTO_TCP, TCP_SYNCNT, OPT_STREAM, SOCKOPT_SYN_RETRIES, 1, 127, 1),
	{ IPPROTO_TCP, TCP_LINGER2, OPT_STREAM, set_linger2, opt_get_number, .stack = SOCKOPT_LINGER2_TIMEOUT, .scale = S_NS },
	{ IPPROTO_TCP, TCP_DEFER_ACCEPT, OPT_STREAM, set_defer, get_defer, .stack = SOCKOPT_DEFER_ACCEPT },
	NUMBER(IPPROTO_TCP, TCP_WINDOW_CLAMP, OPT_STREAM, SOCKOPT_WINDOW_CLAMP, 0, INT32_MAX, 1),
	NUMBER(IPPROTO_TCP, TCP_USER_TIMEOUT, OPT_STREAM, SOCKOPT_USER_TIMEOUT, 0, INT32_MAX, MS_NS),
	{ IPPROTO_TCP, TCP_NOTSENT_LOWAT, OPT_STREAM, set_lowat_unsent, opt_get_field, .bit = offsetof(struct sock, unsent_lowat) },
	{ IPPROTO_TCP, TCP_ULP, OPT_STREAM, set_ulp, get_empty, .bit = 0 },
	{ IPPROTO_TCP, TCP_REPAIR, OPT_STREAM, set_forbidden, opt_get_constant, .bit = 0 },
	{ IPPROTO_TCP, 16 /* TCP_THIN_LINEAR_TIMEOUTS */, OPT_STREAM, opt_set_kept, opt_get_kept, .max = 1,
	  .bit = KEPT_THIN_LINEAR },
	{ IPPROTO_TCP, 17 /* TCP_THIN_DUPACK */, OPT_STREAM, set_thin_dupack, opt_get_constant, .bit = 0 },
	NUMBER(IPPROTO_TCP, TCP_SAVE_SYN, OPT_STREAM, SOCKOPT_SAVE_SYN, 0, 2, 1),
	{ IPPROTO_TCP, TCP_SAVED_SYN, OPT_STREAM, NULL, get_saved_syn, .stack = SOCKOPT_SAVED_SYN },
	{ IPPROTO_TCP, TCP_INQ, OPT_STREAM, opt_set_kept, opt_get_kept, .max = 1, .bit = KEPT_INQ },
	CONSTANT(IPPROTO_TCP, 43 /* TCP_IS_MPTCP */, OPT_STREAM, 0),
	FASTOPEN(TCP_FASTOPEN, SOCKOPT_FASTOPEN, INT32_MAX),
	FASTOPEN(TCP_FASTOPEN_CONNECT, SOCKOPT_FASTOPEN_CONNECT, 1),
	FASTOPEN(TCP_FASTOPEN_NO_COOKIE, SOCKOPT_FASTOPEN_NO_COOKIE, 1),
	{ IPPROTO_TCP, TCP_INFO, OPT_STREAM, NULL, get_stack_bytes, .stack = SOCKOPT_TCP_INFO },
	{ IPPROTO_TCP, TCP_CONGESTION, OPT_STREAM, set_cc, get_stack_bytes, .stack = SOCKOPT_CONGESTION_CONTROL },
};

const struct opt_table opt_tcp_table = { rows, sizeof(rows) / sizeof(rows[0]) };
