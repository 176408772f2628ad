/* Options of sockets: one row each (socket(7), ip(7), ipv6(7), tcp(7), udp(7)). */
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/pkt_sched.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/time.h>

#include "socket/impl.h"

#ifndef IPV6_2292HOPLIMIT
#define IPV6_2292HOPLIMIT 8	/* RFC 2292's name; tells what RFC 3542's does */
#endif

struct opt_row;

typedef int opt_set_fn(struct sock *k, const struct opt_row *row, const void *val, socklen_t len);
typedef int opt_get_fn(struct sock *k, const struct opt_row *row, void *val, socklen_t *len);

enum { STREAM = 1, DGRAM = 2, RAW = 4, ANY = 7 };

/**
 * struct opt_row - an option
 * @types:    of sockets that have it
 * @stack:    integers: the stack's option
 * @min, @max: what is taken, else -EINVAL
 * @scale:    the stack's unit in terms of the option's (nanoseconds in a second)
 * @nonempty: of IP, which else takes no value for 0
 * @bit:      in recv_flags; or the offset of a field in struct sock
 */
struct opt_row {
	int level, name;
	uint8_t types;
	opt_set_fn *set;
	opt_get_fn *get;
	enum sockopt stack;
	int64_t min, max, scale;
	uint32_t bit;
	bool nonempty;
};

static int put(void *val, socklen_t *len, const void *from, size_t n)
{
	*len = *len < n ? *len : (socklen_t)n;
	memcpy(val, from, *len);
	return 0;
}

static int put_int(const struct opt_row *row, void *val, socklen_t *len, int v)
{
	/* Of IP's options a byte may be asked for. */
	if (row->level == IPPROTO_IP && *len > 0 && *len < sizeof(v) && v >= 0 && v <= 255) {
		uint8_t byte = (uint8_t)v;

		return put(val, len, &byte, 1);
	}
	return put(val, len, &v, sizeof(v));
}

static int take_int(const struct opt_row *row, const void *val, socklen_t len, int *v)
{
	if (len >= sizeof(*v)) {
		memcpy(v, val, sizeof(*v));
		return 0;
	}
	if (row->level != IPPROTO_IP || (len < 1 && row->nonempty))
		return -EINVAL;
	*v = len ? *(const uint8_t *)val : 0;
	return 0;
}

static int set_number(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = take_int(row, val, len, &v);

	if (r)
		return r;
	if (v < row->min || v > row->max)
		return -EINVAL;
	return -ns_err_errno(endpoint_set_int(k->ep, row->stack, (int64_t)v * row->scale));
}

static int get_number(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	int64_t v;
	enum ns_err err = endpoint_get_int(k->ep, row->stack, &v);

	if (err)
		return -ns_err_errno(err);
	return put_int(row, val, len, (int)(v / row->scale));
}

static int set_bool(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = take_int(row, val, len, &v);

	return r ? r : -ns_err_errno(endpoint_set_int(k->ep, row->stack, v != 0));
}

/* SO_NO_CHECK is the contrary of what the stack has; a stream keeps it, and nothing comes of it. */
static int set_no_check(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = take_int(row, val, len, &v);

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
	return put_int(row, val, len, !v);
}

static int set_want(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = take_int(row, val, len, &v);

	if (r)
		return r;
	k->recv_flags = v ? k->recv_flags | row->bit : k->recv_flags & ~row->bit;
	/* The last of the two forms of a time stamp counts. */
	if (v && (row->bit & (WANT_TIME | WANT_TIME_NS)))
		k->recv_flags &= ~((WANT_TIME | WANT_TIME_NS) & ~row->bit);
	return 0;
}

static int get_want(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	return put_int(row, val, len, (k->recv_flags & row->bit) == row->bit);
}

/* A hop limit: -1 for the default. */
static int set_ttl(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	bool multicast = row->stack == SOCKOPT_MULTICAST_TTL;
	int v, r = take_int(row, val, len, &v);

	if (multicast && k->type == SOCK_STREAM)
		return row->level == IPPROTO_IP ? -EINVAL : -ENOPROTOOPT;
	if (r)
		return r;
	if (v == -1)
		v = multicast ? 1 : 0;
	else if (v < (multicast || row->level == IPPROTO_IPV6 ? 0 : 1) || v > 255)
		return -EINVAL;
	return -ns_err_errno(endpoint_set_int(k->ep, row->stack, v));
}

static int get_ttl(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	int64_t v = 0;

	endpoint_get_int(k->ep, row->stack, &v);
	if (v == 0 && row->stack == SOCKOPT_TTL)
		v = k->stack->default_ttl[row->level == IPPROTO_IP ? NET_IPV4 : NET_IPV6];
	return put_int(row, val, len, (int)v);
}

static int set_v6only(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	return k->bound || k->connected || k->connecting ? -EINVAL : set_bool(k, row, val, len);
}

/* socket(7): the value asked for, up to the limit, is doubled for bookkeeping; that is what is told. */
enum { BUF_LIMIT = 212992, SNDBUF_LEAST = 4608, RCVBUF_LEAST = 2304 };

static int set_buffer(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	bool send = row->stack == SOCKOPT_SEND_BUFFER_SIZE;
	uint32_t least = send ? SNDBUF_LEAST : RCVBUF_LEAST, told;
	int v, r = take_int(row, val, len, &v);

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

	return told ? put_int(row, val, len, (int)told) : get_number(k, row, val, len);
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
	return put(val, len, &k->linger, sizeof(k->linger));
}

static int get_error(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	return put_int(row, val, len, sock_take_error(k));
}

enum { ABOUT_TYPE, ABOUT_DOMAIN, ABOUT_PROTOCOL, ABOUT_ACCEPTCONN, ABOUT_ONE, ABOUT_ZERO };

static int get_about(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	const int about[] = { k->type, k->domain, k->protocol, k->listening, 1, 0 };

	return put_int(row, val, len, about[row->bit]);
}

/* Values that the socket layer only keeps, and whoever runs the socket goes by. */
static uint32_t *field(struct sock *k, const struct opt_row *row)
{
	return (uint32_t *)((char *)k + row->bit);
}

static int set_field(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = take_int(row, val, len, &v);

	if (!r && (v < row->min || v > row->max))
		r = -EINVAL;
	if (!r)
		*field(k, row) = (uint32_t)v;
	return r;
}

static int get_field(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	return put_int(row, val, len, (int)*field(k, row));
}

/* ip(7): of a stream the ECN bits are the protocol's. */
/* __ip_sock_set_tos(): a new one decides the priority, too, by rt_tos2priority(). */
static int set_tos(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	static const uint8_t priority[4] = { TC_PRIO_BESTEFFORT, TC_PRIO_BULK, TC_PRIO_INTERACTIVE,
					     TC_PRIO_INTERACTIVE_BULK };
	int64_t before = 0;
	int v, r = take_int(row, val, len, &v);

	if (r)
		return r;
	v &= k->type == SOCK_STREAM ? 0xfc : 0xff;
	endpoint_get_int(k->ep, row->stack, &before);
	r = -ns_err_errno(endpoint_set_int(k->ep, row->stack, v));
	if (!r && v != before)
		k->priority = priority[(v & IPTOS_TOS_MASK) >> 3];
	return r;
}

/* RFC 3542, 6.5: -1 stands for the default, 0. */
static int set_tclass(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = take_int(row, val, len, &v);

	if (r)
		return r;
	if (v < -1 || v > 255)
		return -EINVAL;
	if (v < 0)
		v = 0;
	return -ns_err_errno(endpoint_set_int(k->ep, row->stack, k->type == SOCK_STREAM ? v & ~3 : v));
}

/* tcp(7): -1 for no FIN-WAIT-2 at all, and two minutes at most. */
static int set_linger2(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = take_int(row, val, len, &v);

	if (r)
		return r;
	v = v < 0 ? -1 : v > 120 ? 120 : v;
	return -ns_err_errno(endpoint_set_int(k->ep, row->stack, v * row->scale));
}

/* TCP_DEFER_ACCEPT is told in seconds and kept as the number of SYN-ACKs that fit (Linux's
 * secs_to_retrans): the first after a second, each next one after twice as long, up to two minutes. */
static int set_defer(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = take_int(row, val, len, &v), n = 0;
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
	return put_int(row, val, len, (int)period);
}

/* The two beyond NET_PMTUD_PROBE ignore the path's MTU and leave fragments to be made. */
static int set_pmtud(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = take_int(row, val, len, &v);

	if (r)
		return r;
	if (v < IP_PMTUDISC_DONT || v > IP_PMTUDISC_OMIT)
		return -EINVAL;
	k->pmtud = (uint32_t)v;
	return -ns_err_errno(endpoint_set_int(k->ep, SOCKOPT_PMTU_DISCOVER,
					      v > IP_PMTUDISC_PROBE ? NET_PMTUD_DONT : v));
}

static int set_flag(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = take_int(row, val, len, &v);

	if (!r)
		*(bool *)((char *)k + row->bit) = v != 0;
	return r;
}

static int get_flag(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	return put_int(row, val, len, *(bool *)((char *)k + row->bit));
}

static int set_lowat(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = take_int(row, val, len, &v);

	if (!r)
		k->rcv_lowat = v < 0 ? INT32_MAX : v ? v : 1;
	return r;
}

/* Unsigned: -1 is no limit, as 0 is. */
static int set_lowat_unsent(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = take_int(row, val, len, &v);

	if (r)
		return r;
	k->unsent_lowat = (uint32_t)v;
	return -ns_err_errno(endpoint_set_int(k->ep, SOCKOPT_NOT_SENT_LOW_WATER, v < 0 ? 0 : v));
}

static struct timeval *timeout(struct sock *k, const struct opt_row *row)
{
	return row->name == SO_RCVTIMEO ? &k->rcv_timeout : &k->snd_timeout;
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
	return put(val, len, timeout(k, row), sizeof(struct timeval));
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
	return put(val, len, nic->name, strlen(nic->name) + 1);
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
	return put(val, len, buf, row->stack == SOCKOPT_CONGESTION_CONTROL ? 16 : n);
}

/* The path MTU; only connected sockets have a path. */
static int get_mtu(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	struct route_key key = { 0 };
	struct full_addr peer;
	struct route r;
	int mtu;

	(void)row;
	if (endpoint_remote_addr(k->ep, &peer))
		return -ENOTCONN;
	key.remote = addr_unmap(&peer.addr);
	if (route_find(k->stack, &key, &r))
		return -ENOTCONN;
	mtu = (int)route_mtu(&r);
	route_release(&r);
	return put_int(row, val, len, mtu);
}

static int get_mcast_if(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	return sock_get_mcast_if(k, row->level, val, len);
}

static int set_udp_cork(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	struct iovec none = { NULL, 0 };
	bool was = k->cork;
	int r = set_flag(k, row, val, len);

	/* Uncorked: what was collected goes out. */
	if (!r && was && !k->cork)
		sock_send(k, &none, 1, NULL, 0);
	return r;
}

#define NUMBER(lvl, opt, t, st, lo, hi, sc) \
	{ lvl, opt, t, set_number, get_number, .stack = st, .min = lo, .max = hi, .scale = sc }
#define BOOL(lvl, opt, t, st) \
	{ lvl, opt, t, set_bool, get_number, .stack = st, .scale = 1 }
#define WANT(lvl, opt, flag)	{ lvl, opt, ANY, set_want, get_want, .bit = flag }
#define ABOUT(opt, what)	{ SOL_SOCKET, opt, ANY, NULL, get_about, .bit = what }
#define FIELD(opt, f, lo, hi) \
	{ SOL_SOCKET, opt, ANY, set_field, get_field, .min = lo, .max = hi, .bit = offsetof(struct sock, f) }
#define FLAG(lvl, opt, f)	{ lvl, opt, ANY, set_flag, get_flag, .bit = offsetof(struct sock, f) }
#define TTL(lvl, opt, st)	{ lvl, opt, ANY, set_ttl, get_ttl, .stack = st, .nonempty = true }
#define BUFFER(opt, st, hi)	{ SOL_SOCKET, opt, ANY, set_buffer, get_buffer, .stack = st, .max = hi, .scale = 1 }

#define CUSTOM(lvl, opt, set, get)	{ lvl, opt, ANY, set, get, .bit = 0 }

#define S_NS	1000000000LL
#define MS_NS	1000000LL

static const struct opt_row opt_rows[] = {
	ABOUT(SO_TYPE, ABOUT_TYPE),
	ABOUT(SO_DOMAIN, ABOUT_DOMAIN),
	ABOUT(SO_PROTOCOL, ABOUT_PROTOCOL),
	ABOUT(SO_ACCEPTCONN, ABOUT_ACCEPTCONN),
	ABOUT(SO_SNDLOWAT, ABOUT_ONE),
	CUSTOM(SOL_SOCKET, SO_ERROR, NULL, get_error),
	BOOL(SOL_SOCKET, SO_REUSEADDR, ANY, SOCKOPT_REUSE_ADDRESS),
	BOOL(SOL_SOCKET, SO_REUSEPORT, ANY, SOCKOPT_REUSE_PORT),
	BOOL(SOL_SOCKET, SO_BROADCAST, ANY, SOCKOPT_BROADCAST),
	BOOL(SOL_SOCKET, SO_KEEPALIVE, STREAM, SOCKOPT_KEEPALIVE_ENABLED),
	BOOL(SOL_SOCKET, SO_OOBINLINE, STREAM, SOCKOPT_OOB_INLINE),
	/* Datagram sockets keep them, and nothing comes of it. */
	FLAG(SOL_SOCKET, SO_KEEPALIVE, keepalive),
	FLAG(SOL_SOCKET, SO_OOBINLINE, oob_inline),
	CUSTOM(SOL_SOCKET, SO_LINGER, set_linger, get_linger),
	BUFFER(SO_SNDBUF, SOCKOPT_SEND_BUFFER_SIZE, BUF_LIMIT),
	BUFFER(SO_RCVBUF, SOCKOPT_RECEIVE_BUFFER_SIZE, BUF_LIMIT),
	BUFFER(SO_SNDBUFFORCE, SOCKOPT_SEND_BUFFER_SIZE, INT32_MAX / 2),
	BUFFER(SO_RCVBUFFORCE, SOCKOPT_RECEIVE_BUFFER_SIZE, INT32_MAX / 2),
	{ SOL_SOCKET, SO_RCVLOWAT, ANY, set_lowat, get_field, .bit = offsetof(struct sock, rcv_lowat) },
	CUSTOM(SOL_SOCKET, SO_RCVTIMEO, set_timeout, get_timeout),
	CUSTOM(SOL_SOCKET, SO_SNDTIMEO, set_timeout, get_timeout),
	{ SOL_SOCKET, SO_BINDTODEVICE, ANY, set_device, get_device, .stack = SOCKOPT_BIND_TO_DEVICE },
	NUMBER(SOL_SOCKET, SO_MARK, ANY, SOCKOPT_MARK, INT32_MIN, INT32_MAX, 1),
	FIELD(SO_PRIORITY, priority, INT32_MIN, INT32_MAX),
	FLAG(SOL_SOCKET, SO_DONTROUTE, dontroute),
	WANT(SOL_SOCKET, SO_TIMESTAMP, WANT_TIME),
	WANT(SOL_SOCKET, SO_TIMESTAMPNS, WANT_TIME_NS),
	WANT(SOL_SOCKET, 63 /* SO_TIMESTAMP_NEW */, WANT_TIME | WANT_TIME_NEW),
	WANT(SOL_SOCKET, 64 /* SO_TIMESTAMPNS_NEW */, WANT_TIME_NS | WANT_TIME_NEW),
	{ SOL_SOCKET, SO_NO_CHECK, ANY, set_no_check, get_no_check, .stack = SOCKOPT_CHECKSUM },

	{ IPPROTO_IP, IP_TOS, ANY, set_tos, get_number, .stack = SOCKOPT_TOS, .scale = 1 },
	TTL(IPPROTO_IP, IP_TTL, SOCKOPT_TTL),
	TTL(IPPROTO_IP, IP_MULTICAST_TTL, SOCKOPT_MULTICAST_TTL),
	{ IPPROTO_IP, IP_MULTICAST_LOOP, ANY, set_bool, get_number, .stack = SOCKOPT_MULTICAST_LOOP, .scale = 1,
	  .nonempty = true },
	{ IPPROTO_IP, IP_MTU_DISCOVER, ANY, set_pmtud, get_field, .bit = offsetof(struct sock, pmtud) },
	CUSTOM(IPPROTO_IP, IP_MTU, NULL, get_mtu),
	CUSTOM(IPPROTO_IP, IP_MULTICAST_IF, NULL, get_mcast_if),
	WANT(IPPROTO_IP, IP_PKTINFO, WANT_PKTINFO),
	WANT(IPPROTO_IP, IP_RECVTOS, WANT_TOS),
	WANT(IPPROTO_IP, IP_RECVTTL, WANT_TTL),
	FLAG(IPPROTO_IP, IP_RECVERR, recverr),
	/* No datagram with IP options is told of them; most have none. */
	FLAG(IPPROTO_IP, IP_RETOPTS, recvopts),
	FLAG(IPPROTO_IP, IP_RECVOPTS, recvopts),

	{ IPPROTO_IPV6, IPV6_V6ONLY, ANY, set_v6only, get_number, .stack = SOCKOPT_V6_ONLY, .scale = 1 },
	TTL(IPPROTO_IPV6, IPV6_UNICAST_HOPS, SOCKOPT_TTL),
	TTL(IPPROTO_IPV6, IPV6_MULTICAST_HOPS, SOCKOPT_MULTICAST_TTL),
	NUMBER(IPPROTO_IPV6, IPV6_MULTICAST_LOOP, ANY, SOCKOPT_MULTICAST_LOOP, 0, 1, 1),
	{ IPPROTO_IPV6, IPV6_TCLASS, ANY, set_tclass, get_number, .stack = SOCKOPT_TRAFFIC_CLASS, .scale = 1 },
	{ IPPROTO_IPV6, IPV6_MTU_DISCOVER, ANY, set_pmtud, get_field, .bit = offsetof(struct sock, pmtud) },
	CUSTOM(IPPROTO_IPV6, IPV6_MTU, NULL, get_mtu),
	CUSTOM(IPPROTO_IPV6, IPV6_MULTICAST_IF, NULL, get_mcast_if),
	WANT(IPPROTO_IPV6, IPV6_RECVPKTINFO, WANT_PKTINFO6),
	WANT(IPPROTO_IPV6, IPV6_RECVTCLASS, WANT_TCLASS),
	WANT(IPPROTO_IPV6, IPV6_RECVHOPLIMIT, WANT_HOPLIMIT),
	WANT(IPPROTO_IPV6, IPV6_2292HOPLIMIT, WANT_HOPLIMIT),
	FLAG(IPPROTO_IPV6, IPV6_RECVERR, recverr6),

	BOOL(IPPROTO_TCP, TCP_NODELAY, STREAM, SOCKOPT_NO_DELAY),
	BOOL(IPPROTO_TCP, TCP_CORK, STREAM, SOCKOPT_CORK),
	BOOL(IPPROTO_TCP, TCP_QUICKACK, STREAM, SOCKOPT_QUICK_ACK),
	NUMBER(IPPROTO_TCP, TCP_MAXSEG, STREAM, SOCKOPT_MAX_SEGMENT, 88, 32767, 1),
	NUMBER(IPPROTO_TCP, TCP_KEEPIDLE, STREAM, SOCKOPT_KEEPALIVE_IDLE, 1, 32767, S_NS),
	NUMBER(IPPROTO_TCP, TCP_KEEPINTVL, STREAM, SOCKOPT_KEEPALIVE_INTERVAL, 1, 32767, S_NS),
	NUMBER(IPPROTO_TCP, TCP_KEEPCNT, STREAM, SOCKOPT_KEEPALIVE_COUNT, 1, 127, 1),
	NUMBER(IPPROTO_TCP, TCP_SYNCNT, STREAM, SOCKOPT_SYN_RETRIES, 1, 127, 1),
	{ IPPROTO_TCP, TCP_LINGER2, STREAM, set_linger2, get_number, .stack = SOCKOPT_LINGER2_TIMEOUT, .scale = S_NS },
	{ IPPROTO_TCP, TCP_DEFER_ACCEPT, STREAM, set_defer, get_defer, .stack = SOCKOPT_DEFER_ACCEPT },
	NUMBER(IPPROTO_TCP, TCP_WINDOW_CLAMP, STREAM, SOCKOPT_WINDOW_CLAMP, 0, INT32_MAX, 1),
	NUMBER(IPPROTO_TCP, TCP_USER_TIMEOUT, STREAM, SOCKOPT_USER_TIMEOUT, 0, INT32_MAX, MS_NS),
	{ IPPROTO_TCP, TCP_NOTSENT_LOWAT, STREAM, set_lowat_unsent, get_field, .bit = offsetof(struct sock, unsent_lowat) },
	{ IPPROTO_TCP, TCP_INFO, STREAM, NULL, get_stack_bytes, .stack = SOCKOPT_TCP_INFO },
	{ IPPROTO_TCP, TCP_CONGESTION, STREAM, set_cc, get_stack_bytes, .stack = SOCKOPT_CONGESTION_CONTROL },

	BOOL(IPPROTO_IP, IP_HDRINCL, RAW, SOCKOPT_HDR_INCLUDED),
	BOOL(IPPROTO_IPV6, IPV6_HDRINCL, RAW, SOCKOPT_HDR_INCLUDED),
	NUMBER(IPPROTO_IPV6, IPV6_CHECKSUM, RAW, SOCKOPT_IPV6_CHECKSUM, -1, 65534, 1),
	NUMBER(SOL_RAW, IPV6_CHECKSUM, RAW, SOCKOPT_IPV6_CHECKSUM, -1, 65534, 1),
	{ SOL_PACKET, PACKET_VERSION, RAW | DGRAM, set_field, get_field, .min = TPACKET_V1, .max = TPACKET_V3,
	  .bit = offsetof(struct sock, ring_version) },
	{ SOL_PACKET, PACKET_RESERVE, RAW | DGRAM, set_field, get_field, .max = INT32_MAX,
	  .bit = offsetof(struct sock, ring_reserve) },
	FLAG(SOL_PACKET, PACKET_AUXDATA, auxdata),
	BOOL(SOL_PACKET, PACKET_IGNORE_OUTGOING, RAW | DGRAM, SOCKOPT_IGNORE_OUTGOING),

	{ IPPROTO_UDP, UDP_CORK, DGRAM, set_udp_cork, get_flag, .bit = offsetof(struct sock, cork) },
};

static const struct opt_row *find_row(const struct sock *k, int level, int name)
{
	uint8_t type = k->type == SOCK_STREAM ? STREAM : k->type == SOCK_RAW ? RAW : DGRAM;

	for (size_t i = 0; i < sizeof(opt_rows) / sizeof(opt_rows[0]); i++)
		if (opt_rows[i].level == level && opt_rows[i].name == name && (opt_rows[i].types & type))
			return &opt_rows[i];
	return NULL;
}

/* Levels a socket has: IPv6's on an IPv4 one are none. */
static bool has_level(const struct sock *k, int level)
{
	switch (level) {
	case SOL_SOCKET:
		return true;
	case IPPROTO_IP:
		return k->domain != AF_PACKET;
	case IPPROTO_IPV6:
		return k->domain == AF_INET6;
	case SOL_PACKET:
		return k->domain == AF_PACKET;
	case SOL_RAW:
		return k->type == SOCK_RAW && k->domain != AF_PACKET;
	default:
		return level == k->protocol;
	}
}

int sock_setopt(struct sock *k, int level, int name, const void *val, socklen_t len)
{
	const struct opt_row *row;
	int r;

	if (!has_level(k, level))
		return -ENOPROTOOPT;
	r = sock_set_membership(k, level, name, val, len);
	if (r == -ENOPROTOOPT)
		r = sock_set_raw(k, level, name, val, len);
	if (r != -ENOPROTOOPT)
		return r;
	if (((level == SOL_SOCKET && name != SO_BINDTODEVICE) ||
	     (level == IPPROTO_TCP && name != TCP_CONGESTION)) && len < sizeof(int))
		return -EINVAL;
	row = find_row(k, level, name);
	if (!row || !row->set)
		return -ENOPROTOOPT;
	return row->set(k, row, val, len);
}

int sock_getopt(struct sock *k, int level, int name, void *val, socklen_t *len)
{
	const struct opt_row *row;
	int r;

	if (!has_level(k, level))
		return k->domain == AF_INET6 ? -ENOPROTOOPT : -EOPNOTSUPP;
	r = sock_get_raw(k, level, name, val, len);
	if (r != -ENOPROTOOPT)
		return r;
	row = find_row(k, level, name);
	if (!row || !row->get)
		return -ENOPROTOOPT;
	return row->get(k, row, val, len);
}
