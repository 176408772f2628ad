/* Socket options, fcntl() and ioctl(): Linux's names and units for the stack's. */
#include "packetdrill/adapter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <sys/ioctl.h>

/** enum opt_kind - how Linux's value becomes the stack's */
enum opt_kind {
	OPT_INT,
	OPT_BOOL,
	OPT_SECONDS,
	OPT_MILLISECONDS,
	OPT_UNSIGNED,			/* -1 is the most */
	OPT_BUFFER,			/* doubled, as socket(7) has it */
	OPT_BUFFER_FORCE,
	OPT_LINGER,
	OPT_ERROR,
	OPT_BYTES,			/* as it is */
	OPT_TIMEVAL,			/* the adapter's own from here on */
	OPT_FIELD,
};

enum own_field {
	F_TYPE, F_DOMAIN, F_PROTOCOL, F_LISTENING, F_RCVTIMEO, F_SNDTIMEO, F_MEMINFO, F_INQ, F_PORT_RANGE, F_NO_PORT, F_ZEROCOPY, F_MARK, F_TIMESTAMPING,
};

/* Since Linux 6.3; not in every C library's headers. */
enum { PD_IP_LOCAL_PORT_RANGE = 51 };

static const struct opt_row {
	int level, name;
	enum opt_kind kind;
	int opt;
	bool read_only;
} rows[] = {
	{ SOL_SOCKET, SO_REUSEADDR, OPT_BOOL, SOCKOPT_REUSE_ADDRESS, false },
	{ SOL_SOCKET, SO_REUSEPORT, OPT_BOOL, SOCKOPT_REUSE_PORT, false },
	{ SOL_SOCKET, SO_BROADCAST, OPT_BOOL, SOCKOPT_BROADCAST, false },
	{ SOL_SOCKET, SO_KEEPALIVE, OPT_BOOL, SOCKOPT_KEEPALIVE_ENABLED, false },
	{ SOL_SOCKET, SO_OOBINLINE, OPT_BOOL, SOCKOPT_OOB_INLINE, false },
	{ SOL_SOCKET, SO_RCVLOWAT, OPT_INT, SOCKOPT_RECEIVE_LOW_WATER, false },
	{ SOL_SOCKET, SO_SNDBUF, OPT_BUFFER, SOCKOPT_SEND_BUFFER_SIZE, false },
	{ SOL_SOCKET, SO_RCVBUF, OPT_BUFFER, SOCKOPT_RECEIVE_BUFFER_SIZE, false },
	{ SOL_SOCKET, SO_SNDBUFFORCE, OPT_BUFFER_FORCE, SOCKOPT_SEND_BUFFER_SIZE, false },
	{ SOL_SOCKET, SO_RCVBUFFORCE, OPT_BUFFER_FORCE, SOCKOPT_RECEIVE_BUFFER_SIZE, false },
	{ SOL_SOCKET, SO_LINGER, OPT_LINGER, SOCKOPT_LINGER, false },
	{ SOL_SOCKET, SO_ERROR, OPT_ERROR, SOCKOPT_ERROR, true },
	{ SOL_SOCKET, SO_RCVTIMEO, OPT_TIMEVAL, F_RCVTIMEO, false },
	{ SOL_SOCKET, SO_SNDTIMEO, OPT_TIMEVAL, F_SNDTIMEO, false },
	{ SOL_SOCKET, SO_TYPE, OPT_FIELD, F_TYPE, true },
	{ SOL_SOCKET, SO_DOMAIN, OPT_FIELD, F_DOMAIN, true },
	{ SOL_SOCKET, SO_PROTOCOL, OPT_FIELD, F_PROTOCOL, true },
	{ SOL_SOCKET, SO_ACCEPTCONN, OPT_FIELD, F_LISTENING, true },
	{ SOL_SOCKET, SO_TIMESTAMPING, OPT_FIELD, F_TIMESTAMPING, false },
	{ SOL_SOCKET, SO_MARK, OPT_FIELD, F_MARK, false },
	{ SOL_SOCKET, SO_ZEROCOPY, OPT_FIELD, F_ZEROCOPY, false },
	{ SOL_SOCKET, SO_MEMINFO, OPT_FIELD, F_MEMINFO, true },
	{ IPPROTO_IP, IP_TOS, OPT_INT, SOCKOPT_TOS, false },
	{ IPPROTO_IP, IP_TTL, OPT_INT, SOCKOPT_TTL, false },
	{ IPPROTO_IP, IP_MTU_DISCOVER, OPT_INT, SOCKOPT_PMTU_DISCOVER, false },
	{ IPPROTO_IP, PD_IP_LOCAL_PORT_RANGE, OPT_FIELD, F_PORT_RANGE, false },
	{ IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, OPT_FIELD, F_NO_PORT, false },
	{ IPPROTO_IP, IP_FREEBIND, OPT_FIELD, F_NO_PORT, false },
	{ IPPROTO_TCP, TCP_INQ, OPT_FIELD, F_INQ, false },
	{ IPPROTO_IPV6, IPV6_V6ONLY, OPT_BOOL, SOCKOPT_V6_ONLY, false },
	{ IPPROTO_IPV6, IPV6_TCLASS, OPT_INT, SOCKOPT_TRAFFIC_CLASS, false },
	{ IPPROTO_IPV6, IPV6_UNICAST_HOPS, OPT_INT, SOCKOPT_HOPS, false },
	{ IPPROTO_IPV6, IPV6_MTU_DISCOVER, OPT_INT, SOCKOPT_PMTU_DISCOVER, false },
	{ IPPROTO_TCP, TCP_NODELAY, OPT_BOOL, SOCKOPT_NO_DELAY, false },
	{ IPPROTO_TCP, TCP_CORK, OPT_BOOL, SOCKOPT_CORK, false },
	{ IPPROTO_TCP, TCP_QUICKACK, OPT_INT, SOCKOPT_QUICK_ACK, false },
	{ IPPROTO_TCP, TCP_MAXSEG, OPT_INT, SOCKOPT_MAX_SEGMENT, false },
	{ IPPROTO_TCP, TCP_KEEPIDLE, OPT_SECONDS, SOCKOPT_KEEPALIVE_IDLE, false },
	{ IPPROTO_TCP, TCP_KEEPINTVL, OPT_SECONDS, SOCKOPT_KEEPALIVE_INTERVAL, false },
	{ IPPROTO_TCP, TCP_KEEPCNT, OPT_INT, SOCKOPT_KEEPALIVE_COUNT, false },
	{ IPPROTO_TCP, TCP_SYNCNT, OPT_INT, SOCKOPT_SYN_RETRIES, false },
	{ IPPROTO_TCP, TCP_LINGER2, OPT_SECONDS, SOCKOPT_LINGER2_TIMEOUT, false },
	{ IPPROTO_TCP, TCP_DEFER_ACCEPT, OPT_INT, SOCKOPT_DEFER_ACCEPT, false },
	{ IPPROTO_TCP, TCP_WINDOW_CLAMP, OPT_INT, SOCKOPT_WINDOW_CLAMP, false },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT, OPT_MILLISECONDS, SOCKOPT_USER_TIMEOUT, false },
	{ IPPROTO_TCP, TCP_NOTSENT_LOWAT, OPT_UNSIGNED, SOCKOPT_NOT_SENT_LOW_WATER, false },
	{ IPPROTO_TCP, TCP_CONGESTION, OPT_BYTES, SOCKOPT_CONGESTION_CONTROL, false },
	{ IPPROTO_TCP, TCP_FASTOPEN_CONNECT, OPT_INT, SOCKOPT_FASTOPEN_CONNECT, false },
	{ IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, OPT_INT, SOCKOPT_FASTOPEN_NO_COOKIE, false },
	{ IPPROTO_TCP, TCP_FASTOPEN, OPT_INT, SOCKOPT_FASTOPEN, false },
	{ IPPROTO_TCP, TCP_FASTOPEN_KEY, OPT_BYTES, SOCKOPT_FASTOPEN_KEY, false },
	{ IPPROTO_TCP, TCP_INFO, OPT_BYTES, SOCKOPT_TCP_INFO, true },
	{ IPPROTO_TCP, TCP_CC_INFO, OPT_BYTES, SOCKOPT_CONGESTION_CONTROL_INFO, true },
};

static const struct opt_row *opt_find(const struct pd_file *f, int level, int name)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].level == level && rows[i].name == name)
			return &rows[i];
	errno = level == IPPROTO_TCP && f->protocol != IPPROTO_TCP ? EOPNOTSUPP : ENOPROTOOPT;
	return NULL;
}

/* What the size of a buffer is worth: doubled, as socket(7) has it. The stack does it for streams. */
static int64_t buffer_shown(const struct pd_file *f, const struct opt_row *row, int64_t set)
{
	struct endpoint_info i = { 0 };

	if (f->type != SOCK_STREAM)
		return set;
	endpoint_info(f->ep, &i);
	return row->opt == SOCKOPT_SEND_BUFFER_SIZE ? i.tx_buffer_bytes : i.rx_buffer_bytes;
}

/* SOCK_MIN_SNDBUF and SOCK_MIN_RCVBUF of a 64-bit kernel */
enum { MIN_SNDBUF = 4608, MIN_RCVBUF = 2304 };

static int64_t buffer_size(const struct pd *pd, const struct opt_row *row, int64_t v)
{
	bool snd = row->opt == SOCKOPT_SEND_BUFFER_SIZE;
	int64_t max = snd ? pd->limits.wmem_max : pd->limits.rmem_max, min = snd ? MIN_SNDBUF : MIN_RCVBUF;

	if (row->kind == OPT_BUFFER && v > max)
		v = max;
	return v < min / 2 ? min / 2 : v;
}

static int set_timeval(struct pd_file *f, const struct opt_row *row, const void *val, socklen_t len)
{
	const struct timeval *tv = val;
	int64_t ns;

	if (len < sizeof(*tv))
		return pd_errno(EINVAL);
	if (tv->tv_usec < 0 || tv->tv_usec >= 1000000)
		return pd_errno(EDOM);
	ns = tv->tv_sec < 0 ? 0 : tv->tv_sec * NS_PER_SEC + tv->tv_usec * NS_PER_US;
	if (row->opt == F_RCVTIMEO)
		f->rcv_timeout_ns = ns;
	else
		f->snd_timeout_ns = ns;
	return 0;
}

static enum ns_err set_linger(struct pd_file *f, const void *val, socklen_t len)
{
	const struct linger *l = val;
	struct sockopt_linger s;

	if (len < sizeof(*l))
		return NS_ERR_INVALID_OPTION_VALUE;
	s = (struct sockopt_linger){ l->l_onoff != 0, l->l_linger * NS_PER_SEC };
	return endpoint_set_option(f->ep, SOCKOPT_LINGER, &s, sizeof(s));
}

static int set_number(struct pd *pd, struct pd_file *f, const struct opt_row *row, int v)
{
	int64_t n = v;
	enum ns_err err;

	switch (row->kind) {
	case OPT_BOOL:
		n = v != 0;
		break;
	case OPT_UNSIGNED:
		n = (uint32_t)v;
		break;
	case OPT_SECONDS:
		n = v * NS_PER_SEC;
		break;
	case OPT_MILLISECONDS:
		n = v * NS_PER_MS;
		break;
	case OPT_BUFFER:
	case OPT_BUFFER_FORCE:
		n = buffer_size(pd, row, v) * (f->type == SOCK_STREAM ? 1 : 2);
		break;
	default:
		break;
	}
	err = endpoint_set_int(f->ep, (enum sockopt)row->opt, n);
	return err ? pd_fail(err) : 0;
}

static int set_own(struct pd *pd, struct pd_file *f, const struct opt_row *row, int v)
{
	/* IP_BIND_ADDRESS_NO_PORT and IP_FREEBIND need nothing: binds here are to an address and a port there are. */
	if (row->opt == F_INQ) {
		if (v != 0 && v != 1)
			return pd_errno(EINVAL);
		f->inq = v;
	} else if (row->opt == F_ZEROCOPY) {
		if (v != 0 && v != 1)
			return pd_errno(EINVAL);
		f->zc.enabled = v;
		pd->errors |= v;
	} else if (row->opt == F_TIMESTAMPING) {
		pd_timestamp_set(pd, f, (uint32_t)v);
	} else if (row->opt == F_MARK) {
		f->mark = v;	/* for routes and filters there are none of here */
	} else if (row->opt == F_PORT_RANGE) {
		f->port_min = (uint16_t)v;
		f->port_max = (uint16_t)((unsigned)v >> 16);
	}
	return 0;
}

static int set_option(struct pd *pd, struct pd_file *f, const struct opt_row *row, const void *val,
		      socklen_t len)
{
	enum ns_err err;
	int v;

	if (row->read_only)
		return pd_errno(ENOPROTOOPT);
	if (!val)
		return pd_errno(EFAULT);
	if (row->kind == OPT_TIMEVAL)
		return set_timeval(f, row, val, len);
	if (row->kind == OPT_LINGER || row->kind == OPT_BYTES) {
		err = row->kind == OPT_LINGER ? set_linger(f, val, len)
		    : endpoint_set_option(f->ep, (enum sockopt)row->opt, val, len);
		return err ? pd_fail(err) : 0;
	}
	/* Those of IP may be a byte (ip(7)). */
	if (row->level == IPPROTO_IP && len >= 1 && len < sizeof(v)) {
		v = *(const uint8_t *)val;
	} else {
		if (len < sizeof(v))
			return pd_errno(EINVAL);
		memcpy(&v, val, sizeof(v));
	}
	return row->kind == OPT_FIELD ? set_own(pd, f, row, v) : set_number(pd, f, row, v);
}

int pd_setsockopt(void *u, int fd, int level, int name, const void *val, socklen_t len)
{
	struct pd *pd = pd_enter(u);
	struct pd_file *f = pd_socket_get(pd, fd);
	const struct opt_row *row = f ? opt_find(f, level, name) : NULL;
	int rc;

	pd_sysctls(pd);		/* some say what may be set */
	rc = row ? set_option(pd, f, row, val, len) : -1;

	if (f)
		pd_file_put(f);
	pd_leave(pd);
	return rc;
}

static int give(const void *from, size_t n, void *val, socklen_t *len)
{
	if (*len < n)
		n = *len;
	memcpy(val, from, n);
	*len = (socklen_t)n;
	return 0;
}

/* The array of SO_MEMINFO (SK_MEMINFO_VARS): what the stack can say of it. */
static int give_meminfo(struct pd_file *f, void *val, socklen_t *len)
{
	enum { RMEM_ALLOC, RCVBUF, WMEM_ALLOC, SNDBUF, FWD_ALLOC, WMEM_QUEUED, COUNT = 9 };
	struct endpoint_info i = { 0 };
	uint32_t m[COUNT] = { 0 };

	endpoint_info(f->ep, &i);
	m[RMEM_ALLOC] = (uint32_t)i.rx_queue_bytes;
	m[RCVBUF] = i.rx_buffer_bytes;
	m[SNDBUF] = i.tx_buffer_bytes;
	m[WMEM_QUEUED] = (uint32_t)i.tx_queue_bytes;
	return give(m, sizeof(m), val, len);
}

static int get_own(struct pd_file *f, const struct opt_row *row, void *val, socklen_t *len)
{
	int64_t ns = row->opt == F_RCVTIMEO ? f->rcv_timeout_ns : f->snd_timeout_ns;
	struct timeval tv = { ns / NS_PER_SEC, ns % NS_PER_SEC / NS_PER_US };
	const int values[] = {
		[F_TYPE] = f->type, [F_DOMAIN] = f->domain, [F_PROTOCOL] = f->protocol,
		[F_LISTENING] = f->listening, [F_INQ] = f->inq,
		[F_PORT_RANGE] = f->port_max << 16 | f->port_min, [F_NO_PORT] = 0, [F_MARK] = f->mark, [F_TIMESTAMPING] = (int)f->ts.flags, [F_ZEROCOPY] = f->zc.enabled,
	};

	if (row->kind == OPT_TIMEVAL)
		return give(&tv, sizeof(tv), val, len);
	if (row->opt == F_MEMINFO)
		return give_meminfo(f, val, len);
	return give(&values[row->opt], sizeof(int), val, len);
}

static int get_linger(struct pd_file *f, void *val, socklen_t *len)
{
	struct sockopt_linger s = { 0 };
	size_t n = sizeof(s);
	enum ns_err err = endpoint_get_option(f->ep, SOCKOPT_LINGER, &s, &n);
	struct linger l = { s.enabled, (int)(s.timeout_ns / NS_PER_SEC) };

	return err ? pd_fail(err) : give(&l, sizeof(l), val, len);
}

static int get_bytes(struct pd_file *f, const struct opt_row *row, void *val, socklen_t *len)
{
	char buf[512];
	size_t n = sizeof(buf);
	enum ns_err err = endpoint_get_option(f->ep, (enum sockopt)row->opt, buf, &n);

	return err ? pd_fail(err) : give(buf, n, val, len);
}

static int get_option(struct pd_file *f, const struct opt_row *row, void *val, socklen_t *len)
{
	int64_t n = 0;
	enum ns_err err;
	int v;

	if (!val || !len)
		return pd_errno(EFAULT);
	if ((int)*len < 0)
		return pd_errno(EINVAL);
	if (row->kind >= OPT_TIMEVAL)
		return get_own(f, row, val, len);
	if (row->kind == OPT_LINGER)
		return get_linger(f, val, len);
	if (row->kind == OPT_BYTES)
		return get_bytes(f, row, val, len);
	err = endpoint_get_int(f->ep, (enum sockopt)row->opt, &n);
	if (err)
		return pd_fail(err);
	if (row->kind == OPT_ERROR)
		n = ns_err_errno((enum ns_err)n);
	else if (row->kind == OPT_BUFFER || row->kind == OPT_BUFFER_FORCE)
		n = buffer_shown(f, row, n);
	else if (row->kind == OPT_SECONDS)
		n /= NS_PER_SEC;
	else if (row->kind == OPT_MILLISECONDS)
		n /= NS_PER_MS;
	v = (int)n;
	return give(&v, sizeof(v), val, len);
}

int pd_getsockopt(void *u, int fd, int level, int name, void *val, socklen_t *len)
{
	struct pd *pd = pd_enter(u);
	struct pd_file *f = pd_socket_get(pd, fd);
	const struct opt_row *row = f ? opt_find(f, level, name) : NULL;
	int rc = row ? get_option(f, row, val, len) : -1;

	if (f)
		pd_file_put(f);
	pd_leave(pd);
	return rc;
}

int pd_fcntl(void *u, int fd, int cmd, ...)
{
	struct pd *pd = pd_enter(u);
	struct pd_file *f = pd_file_get(pd, fd);
	int rc = 0, arg;
	va_list ap;

	va_start(ap, cmd);
	arg = va_arg(ap, int);
	va_end(ap);
	if (!f)
		rc = fcntl(fd, cmd, arg);
	else if (cmd == F_SETFL)
		f->nonblock = arg & O_NONBLOCK;
	else if (cmd == F_GETFL)
		rc = O_RDWR | (f->nonblock ? O_NONBLOCK : 0);
	else if (cmd == F_GETFD || cmd == F_SETFD)
		rc = fcntl(fd, cmd, arg);
	else
		rc = pd_errno(EINVAL);
	if (f)
		pd_file_put(f);
	pd_leave(pd);
	return rc;
}

static int socket_ioctl(struct pd_file *f, unsigned long req, int *arg)
{
	static const struct { unsigned long req; enum sockopt opt; } numbers[] = {
		{ FIONREAD, SOCKOPT_RECEIVE_QUEUE_SIZE },	/* SIOCINQ is the same */
		{ TIOCOUTQ, SOCKOPT_SEND_QUEUE_SIZE },		/* SIOCOUTQ too */
		{ SIOCATMARK, SOCKOPT_AT_MARK },
	};
	int64_t n = 0;
	enum ns_err err;

	if (!arg)
		return pd_errno(EFAULT);
	if (req == SIOCOUTQNSD && f->protocol == IPPROTO_TCP) {
		struct tcp_conn_info info;
		size_t len = sizeof(info);

		err = endpoint_get_option(f->ep, SOCKOPT_TCP_INFO, &info, &len);
		if (err)
			return pd_fail(err);
		*arg = (int)info.notsent_bytes;
		return 0;
	}
	if (req == FIONBIO) {
		f->nonblock = *arg;
		return 0;
	}
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (numbers[i].req != req)
			continue;
		if (f->listening)
			return pd_errno(EINVAL);
		err = endpoint_get_int(f->ep, numbers[i].opt, &n);
		if (err)
			return pd_fail(err);
		*arg = (int)n;
		return 0;
	}
	return pd_errno(ENOTTY);
}

int pd_ioctl(void *u, int fd, unsigned long req, ...)
{
	struct pd *pd = pd_enter(u);
	struct pd_file *f = pd_socket_get(pd, fd);
	int rc = -1, *arg;
	va_list ap;

	va_start(ap, req);
	arg = va_arg(ap, int *);
	va_end(ap);
	if (f) {
		rc = socket_ioctl(f, req, arg);
		pd_file_put(f);
	} else if (errno == EBADF) {
		rc = ioctl(fd, req, arg);
	}
	pd_leave(pd);
	return rc;
}
