/* Options of SOL_SOCKET (socket(7)). */
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>

#include "socket/opt.h"

/* SO_NO_CHECK is the contrary of what the stack has; a stream keeps it, and nothing comes of it. */
static int set_no_check(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = opt_take_int(row, val, len, &v);

	if (r || k->type != SOCK_DGRAM) {
		k->no_check = r ? k->no_check : v != 0;
		return r;
	}
	return -ns_err_errno(endpoint_set_int(k->ep, row->stack, v == 0));
}

static int get_no_check(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	int64_t v = !k->no_check;

	if (k->type == SOCK_DGRAM && endpoint_get_int(k->ep, row->stack, &v))
		v = 1;
	return opt_put_int(row, val, len, !v);
}

/* socket(7): the value asked for, up to the limit, is doubled for bookkeeping; that is what is told. */
enum { BUF_LIMIT = 212992, SNDBUF_LEAST = 4608, RCVBUF_LEAST = 2304 };

static int set_buffer(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	bool send = row->stack == SOCKOPT_SEND_BUFFER_SIZE;
	uint32_t least = send ? SNDBUF_LEAST : RCVBUF_LEAST, told;
	int v, r = opt_take_int(row, val, len, &v);

	if (r)
		return r;
	if (v < 0 || v > row->max)
		v = (int)row->max;
	told = (uint32_t)v * 2 < least ? least : (uint32_t)v * 2;
	*(send ? &k->sndbuf : &k->rcvbuf) = told;
	return -ns_err_errno(endpoint_set_int(k->ep, row->stack, told / 2));
}

static int get_buffer(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	uint32_t told = row->stack == SOCKOPT_SEND_BUFFER_SIZE ? k->sndbuf : k->rcvbuf;

	return told ? opt_put_int(row, val, len, (int)told) : opt_get_number(k, row, val, len);
}

static int set_linger(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	struct sockopt_linger l;
	struct linger v;

	(void)row;
	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	k->linger.l_onoff = v.l_onoff != 0;
	if (v.l_onoff)
		k->linger.l_linger = v.l_linger < 0 ? INT32_MAX : v.l_linger;
	if (k->type != SOCK_STREAM)
		return 0;
	l.enabled = v.l_onoff;
	l.timeout_ns = (int64_t)(v.l_linger < 0 ? INT32_MAX : v.l_linger) * 1000000000;
	return -ns_err_errno(endpoint_set_option(k->ep, SOCKOPT_LINGER, &l, sizeof(l)));
}

static int get_linger(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	(void)row;
	return opt_put(val, len, &k->linger, sizeof(k->linger));
}

static int get_error(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	return opt_put_int(row, val, len, sock_take_error(k));
}

enum { ABOUT_TYPE, ABOUT_DOMAIN, ABOUT_PROTOCOL, ABOUT_ACCEPTCONN, ABOUT_ONE, ABOUT_ZERO };

static int get_about(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	const int about[] = { k->type, k->domain, k->protocol, k->listening, 1, 0 };

	return opt_put_int(row, val, len, about[row->bit]);
}

static int set_lowat(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = opt_take_int(row, val, len, &v);

	if (!r)
		k->rcv_lowat = v < 0 ? INT32_MAX : v ? v : 1;
	return r;
}

enum { RCVTIMEO_NEW = 66, SNDTIMEO_NEW,	/* with 64-bit times, as ours are */
       TXREHASH = 74 };

static struct timeval *timeout(struct sock *k, const struct opt_row *row)
{
	return row->name == SO_RCVTIMEO || row->name == RCVTIMEO_NEW ? &k->rcv_timeout : &k->snd_timeout;
}

static int set_timeout(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	struct timeval tv;

	if (len < sizeof(tv))
		return -EINVAL;
	memcpy(&tv, val, sizeof(tv));
	if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
		return -EDOM;
	*timeout(k, row) = tv.tv_sec < 0 ? (struct timeval){ 0, 0 } : tv;
	return 0;
}

static int get_timeout(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	return opt_put(val, len, timeout(k, row), sizeof(struct timeval));
}

/* SO_MEMINFO: what there is of it here (enum SK_MEMINFO_* of linux/sock_diag.h). */
static int get_meminfo(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	uint32_t info[9] = { 0 };
	int64_t v = 0;

	(void)row;
	info[1] = k->rcvbuf ? k->rcvbuf : k->ep->opts.receive_buffer_bytes;
	info[3] = k->sndbuf ? k->sndbuf : k->ep->opts.send_buffer_bytes;
	if (!endpoint_get_int(k->ep, SOCKOPT_RECEIVE_QUEUE_SIZE, &v))
		info[0] = (uint32_t)v;
	return opt_put(val, len, info, sizeof(info));
}

/* Of a socket that is no unix socket there is nobody at the other end. */
static int get_peer_cred(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	const struct ucred none = { 0, (uid_t)-1, (gid_t)-1 };

	(void)k;
	(void)row;
	return opt_put(val, len, &none, sizeof(none));
}

static int get_peer_name(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);
	int r = sock_name(k, true, (struct sockaddr *)&ss, &n);

	(void)row;
	if (r)
		return -ENOTCONN;
	return n < *len ? -EINVAL : opt_put(val, len, &ss, n);
}

static int set_unsupported(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	(void)k; (void)row; (void)val; (void)len;
	return -EOPNOTSUPP;
}

static int get_unsupported(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	(void)k; (void)val; (void)len;
	return row->bit ? -(int)row->bit : -EOPNOTSUPP;
}

static int set_ifindex(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = opt_take_int(row, val, len, &v);

	if (!r && (v < 0 || (v && !nic_find(k->stack, (uint32_t)v))))
		r = v < 0 ? -EINVAL : -ENODEV;
	return r ? r : -ns_err_errno(endpoint_set_int(k->ep, row->stack, v));
}

static int get_locked(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	return opt_put_int(row, val, len, k->filter_locked);
}

/* What comes of it is that who asks is told that it was copied. */
static int set_zerocopy(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	bool has = (k->type == SOCK_STREAM && k->protocol == IPPROTO_TCP) || (k->type == SOCK_DGRAM && k->protocol == IPPROTO_UDP);

	return k->domain != AF_PACKET && has ? opt_set_kept(k, row, val, len) : -EOPNOTSUPP;
}

bool sock_copies(const struct sock *k)
{
	return k->kept >> KEPT_ZEROCOPY & 1;
}

/* -1 is for the default, which is on. */
static int set_txrehash(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = opt_take_int(row, val, len, &v);

	if (r || v < -1 || v > 1)
		return r ? r : -EINVAL;
	return opt_set_kept(k, row, &(int){ v != 0 }, sizeof(v));
}

static int set_device(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	char name[NIC_NAME_MAX] = "";
	struct nic *nic;

	memcpy(name, val, len < sizeof(name) - 1 ? len : sizeof(name) - 1);
	nic = name[0] ? nic_find_name(k->stack, name) : NULL;
	if (name[0] && !nic)
		return -ENODEV;
	return -ns_err_errno(endpoint_set_int(k->ep, row->stack, nic ? nic->id : 0));
}

static int get_device(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	struct nic *nic = nic_find(k->stack, k->ep->opts.bind_nic);

	(void)row;
	if (!nic) {
		*len = 0;
		return 0;
	}
	if (*len < sizeof(nic->name))
		return -EINVAL;
	return opt_put(val, len, nic->name, strlen(nic->name) + 1);
}

#define ABOUT(opt, what)	{ SOL_SOCKET, opt, OPT_ANY, NULL, get_about, .bit = what }
#define UNSUPPORTED(opt)	{ SOL_SOCKET, opt, OPT_ANY, set_unsupported, get_unsupported, .bit = 0 }
#define TIME(opt, form)		{ SOL_SOCKET, opt, OPT_ANY, opt_set_time, opt_get_time, .bit = form }
#define BUFFER(opt, st, hi)	{ SOL_SOCKET, opt, OPT_ANY, set_buffer, get_buffer, .stack = st, .max = hi, .scale = 1 }

static const struct opt_row rows[] = {
	ABOUT(SO_TYPE, ABOUT_TYPE),
	ABOUT(SO_DOMAIN, ABOUT_DOMAIN),
	ABOUT(SO_PROTOCOL, ABOUT_PROTOCOL),
	ABOUT(SO_ACCEPTCONN, ABOUT_ACCEPTCONN),
	ABOUT(SO_SNDLOWAT, ABOUT_ONE),
	CUSTOM(SOL_SOCKET, SO_ERROR, NULL, get_error),
	BOOL(SOL_SOCKET, SO_REUSEADDR, OPT_ANY, SOCKOPT_REUSE_ADDRESS),
	BOOL(SOL_SOCKET, SO_REUSEPORT, OPT_ANY, SOCKOPT_REUSE_PORT),
	BOOL(SOL_SOCKET, SO_BROADCAST, OPT_ANY, SOCKOPT_BROADCAST),
	BOOL(SOL_SOCKET, SO_KEEPALIVE, OPT_STREAM, SOCKOPT_KEEPALIVE_ENABLED),
	BOOL(SOL_SOCKET, SO_OOBINLINE, OPT_STREAM, SOCKOPT_OOB_INLINE),
	/* Datagram sockets keep them, and nothing comes of it. */
	FLAG(SOL_SOCKET, SO_KEEPALIVE, keepalive),
	FLAG(SOL_SOCKET, SO_OOBINLINE, oob_inline),
	CUSTOM(SOL_SOCKET, SO_LINGER, set_linger, get_linger),
	BUFFER(SO_SNDBUF, SOCKOPT_SEND_BUFFER_SIZE, BUF_LIMIT),
	BUFFER(SO_RCVBUF, SOCKOPT_RECEIVE_BUFFER_SIZE, BUF_LIMIT),
	{ SOL_SOCKET, SO_SNDBUFFORCE, OPT_ANY, set_buffer, NULL, .stack = SOCKOPT_SEND_BUFFER_SIZE, .max = INT32_MAX / 2 },
	{ SOL_SOCKET, SO_RCVBUFFORCE, OPT_ANY, set_buffer, NULL, .stack = SOCKOPT_RECEIVE_BUFFER_SIZE, .max = INT32_MAX / 2 },
	{ SOL_SOCKET, SO_RCVLOWAT, OPT_ANY, set_lowat, opt_get_field, .bit = offsetof(struct sock, rcv_lowat) },
	CUSTOM(SOL_SOCKET, SO_RCVTIMEO, set_timeout, get_timeout),
	CUSTOM(SOL_SOCKET, SO_SNDTIMEO, set_timeout, get_timeout),
	CUSTOM(SOL_SOCKET, RCVTIMEO_NEW, set_timeout, get_timeout),
	CUSTOM(SOL_SOCKET, SNDTIMEO_NEW, set_timeout, get_timeout),
	{ SOL_SOCKET, SO_BINDTODEVICE, OPT_ANY, set_device, get_device, .stack = SOCKOPT_BIND_TO_DEVICE },
	NUMBER(SOL_SOCKET, SO_MARK, OPT_ANY, SOCKOPT_MARK, INT32_MIN, INT32_MAX, 1),
	FIELD(SO_PRIORITY, priority, INT32_MIN, INT32_MAX),
	FLAG(SOL_SOCKET, SO_DONTROUTE, dontroute),
	{ SOL_SOCKET, SO_BINDTOIFINDEX, OPT_ANY, set_ifindex, opt_get_number, .stack = SOCKOPT_BIND_TO_DEVICE, .scale = 1 },
	{ SOL_SOCKET, SO_BSDCOMPAT, OPT_ANY, opt_set_nothing, opt_get_constant, .bit = 0 },
	{ SOL_SOCKET, SO_CNX_ADVICE, OPT_ANY, opt_set_nothing, NULL, .bit = 0 },
	CONSTANT(SOL_SOCKET, SO_BPF_EXTENSIONS, OPT_ANY, 64),
	CONSTANT(SOL_SOCKET, SO_INCOMING_NAPI_ID, OPT_ANY, 0),
	CUSTOM(SOL_SOCKET, SO_MEMINFO, NULL, get_meminfo),
	CUSTOM(SOL_SOCKET, SO_PEERCRED, NULL, get_peer_cred),
	CUSTOM(SOL_SOCKET, SO_PEERNAME, NULL, get_peer_name),
	CUSTOM(SOL_SOCKET, SO_LOCK_FILTER, NULL, get_locked),
	UNSUPPORTED(SO_PASSCRED),
	UNSUPPORTED(SO_PASSSEC),
	UNSUPPORTED(76 /* SO_PASSPIDFD */),
	UNSUPPORTED(83 /* SO_PASSRIGHTS */),
	{ SOL_SOCKET, SO_PEERGROUPS, OPT_ANY, NULL, get_unsupported, .bit = ENODATA },
	{ SOL_SOCKET, 77 /* SO_PEERPIDFD */, OPT_ANY, NULL, get_unsupported, .bit = ENODATA },
	FIELD(SO_BUSY_POLL, busy_poll, 0, INT32_MAX),
	FIELD(SO_INCOMING_CPU, incoming_cpu, INT32_MIN, INT32_MAX),
	FIELD(SO_MAX_PACING_RATE, pacing_rate, INT32_MIN, INT32_MAX),
	FIELD(72 /* SO_BUF_LOCK */, buf_lock, 0, 3),
	{ SOL_SOCKET, SO_ZEROCOPY, OPT_ANY, set_zerocopy, opt_get_kept, .max = 1, .bit = KEPT_ZEROCOPY },
	KEPT(SOL_SOCKET, SO_DEBUG, KEPT_DEBUG),
	KEPT(SOL_SOCKET, SO_RXQ_OVFL, KEPT_RXQ_OVFL),
	KEPT(SOL_SOCKET, SO_WIFI_STATUS, KEPT_WIFI_STATUS),
	KEPT(SOL_SOCKET, SO_NOFCS, KEPT_NOFCS),
	KEPT(SOL_SOCKET, SO_SELECT_ERR_QUEUE, KEPT_SELECT_ERR_QUEUE),
	KEPT(SOL_SOCKET, 69 /* SO_PREFER_BUSY_POLL */, KEPT_PREFER_BUSY_POLL),
	KEPT(SOL_SOCKET, 75 /* SO_RCVMARK */, KEPT_RCVMARK),
	KEPT(SOL_SOCKET, 82 /* SO_RCVPRIORITY */, KEPT_RCVPRIORITY),
	{ SOL_SOCKET, TXREHASH, OPT_STREAM, set_txrehash, opt_get_kept, .min = 0, .max = 1, .bit = KEPT_TXREHASH },
	UNSUPPORTED(TXREHASH),
	TIME(SO_TIMESTAMP, WANT_TIME),
	TIME(SO_TIMESTAMPNS, WANT_TIME_NS),
	TIME(63 /* SO_TIMESTAMP_NEW */, WANT_TIME | WANT_TIME_NEW),
	TIME(64 /* SO_TIMESTAMPNS_NEW */, WANT_TIME_NS | WANT_TIME_NEW),
	{ SOL_SOCKET, SO_TIMESTAMPING, OPT_ANY, opt_set_stamping, opt_get_stamping, .bit = 0 },
	{ SOL_SOCKET, 65 /* SO_TIMESTAMPING_NEW */, OPT_ANY, opt_set_stamping, opt_get_stamping, .bit = WANT_TIME_NEW },
	{ SOL_SOCKET, SO_NO_CHECK, OPT_ANY, set_no_check, get_no_check, .stack = SOCKOPT_CHECKSUM },
};

const struct opt_table opt_socket_table = { rows, sizeof(rows) / sizeof(rows[0]) };
