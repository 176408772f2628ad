/* Options of IP and IPv6 (ip(7), ipv6(7)). */
#include <errno.h>
#include <linux/pkt_sched.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stddef.h>

#include "header/ipv6.h"
#include "socket/opt.h"

#ifndef IPV6_2292HOPLIMIT
#define IPV6_2292HOPLIMIT 8	/* RFC 2292's name; tells what RFC 3542's does */
#endif

/* A hop limit: -1 for the default. */
static int set_ttl(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	bool multicast = row->stack == SOCKOPT_MULTICAST_TTL;
	int v, r = opt_take_int(row, val, len, &v);

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
	if (v == 0 && row->stack != SOCKOPT_MULTICAST_TTL)
		v = k->stack->default_ttl[row->level == IPPROTO_IP ? NET_IPV4 : NET_IPV6];
	return opt_put_int(row, val, len, (int)v);
}

static int set_v6only(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	return k->bound || k->connected || k->connecting ? -EINVAL : opt_set_bool(k, row, val, len);
}

/* ip(7): of a stream the ECN bits are the protocol's.
 * __ip_sock_set_tos(): a new one decides the priority, too, by rt_tos2priority(). */
static int set_tos(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	static const uint8_t priority[4] = { TC_PRIO_BESTEFFORT, TC_PRIO_BULK, TC_PRIO_INTERACTIVE,
					     TC_PRIO_INTERACTIVE_BULK };
	int64_t before = 0;
	int v, r = opt_take_int(row, val, len, &v);

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
	int v, r = opt_take_int(row, val, len, &v);

	if (r)
		return r;
	if (v < -1 || v > 255)
		return -EINVAL;
	if (v < 0)
		v = 0;
	return -ns_err_errno(endpoint_set_int(k->ep, row->stack, k->type == SOCK_STREAM ? v & ~3 : v));
}

/* The two beyond NET_PMTUD_PROBE ignore the path's MTU and leave fragments to be made. */
static int set_pmtud(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = opt_take_int(row, val, len, &v);

	if (r)
		return r;
	if (v < IP_PMTUDISC_DONT || v > IP_PMTUDISC_OMIT)
		return -EINVAL;
	k->pmtud = (uint32_t)v;
	return -ns_err_errno(endpoint_set_int(k->ep, SOCKOPT_PMTU_DISCOVER,
					      v > IP_PMTUDISC_PROBE ? NET_PMTUD_DONT : v));
}

/* Who may have an address that is not there may for either reason. */
static int set_free_bind(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int r = opt_set_flag(k, row, val, len);

	return r ? r : -ns_err_errno(endpoint_set_int(k->ep, SOCKOPT_FREE_BIND, k->free_bind || k->transparent));
}

/* RFC 3542, 11.2: too long a datagram is an error, and not made into fragments. */
static int set_dontfrag(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int r = opt_set_flag(k, row, val, len);

	if (r || k->type == SOCK_STREAM)
		return r;
	return -ns_err_errno(endpoint_set_int(k->ep, SOCKOPT_PMTU_DISCOVER, k->dontfrag ? NET_PMTUD_DO :
					      k->pmtud > IP_PMTUDISC_PROBE ? NET_PMTUD_DONT : k->pmtud));
}

/* IP_UNICAST_IF: the interface's index, in network order. */
static int set_unicast_if(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	uint32_t index;
	int v, r = len == sizeof(v) ? opt_take_int(row, val, len, &v) : -EINVAL;

	if (r)
		return r;
	index = ntohl((uint32_t)v);
	if (index && !nic_find(k->stack, index))
		return -EADDRNOTAVAIL;
	if (index && k->ep->opts.bind_nic)
		return -EINVAL;
	return opt_set_field(k, row, &index, sizeof(index));
}

static int get_unicast_if(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	uint32_t index;
	socklen_t n = sizeof(index);

	opt_get_field(k, row, &index, &n);
	return opt_put_int(row, val, len, (int)htonl(index));
}

static int set_options(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	return -ns_err_errno(endpoint_set_option(k->ep, row->stack, val, len));
}

static int get_options(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	size_t n = *len;
	enum ns_err err = endpoint_get_option(k->ep, row->stack, val, &n);

	*len = (socklen_t)n;
	return -ns_err_errno(err);
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
	return opt_put_int(row, val, len, mtu);
}

/* How large fragments may be: taken, and they are as large as the path lets them. */
static int set_mtu6(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = opt_take_int(row, val, len, &v);

	(void)k;
	return r ? r : v && v < IPV6_MIN_MTU ? -EINVAL : 0;
}

static int get_mcast_if(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	return sock_get_mcast_if(k, row->level, val, len);
}

#define TTL(lvl, opt, st)	{ lvl, opt, OPT_ANY, set_ttl, get_ttl, .stack = st, .nonempty = true }

#define FREE_BIND(lvl, opt, f) \
	{ lvl, opt, OPT_ANY, set_free_bind, opt_get_flag, .bit = offsetof(struct sock, f) }

#define UNICAST_IF(lvl, opt, f) \
	{ lvl, opt, OPT_ANY, set_unicast_if, get_unicast_if, .max = INT32_MAX, .bit = offsetof(struct sock, f) }

static const struct opt_row rows[] = {
	{ IPPROTO_IP, IP_TOS, OPT_ANY, set_tos, opt_get_number, .stack = SOCKOPT_TOS, .scale = 1 },
	TTL(IPPROTO_IP, IP_TTL, SOCKOPT_TTL),
	TTL(IPPROTO_IP, IP_MULTICAST_TTL, SOCKOPT_MULTICAST_TTL),
	{ IPPROTO_IP, IP_MINTTL, OPT_ANY, opt_set_number, opt_get_number, .stack = SOCKOPT_MIN_TTL, .max = 255, .scale = 1,
	  .nonempty = true },
	{ IPPROTO_IP, IP_MULTICAST_LOOP, OPT_ANY, opt_set_bool, opt_get_number, .stack = SOCKOPT_MULTICAST_LOOP, .scale = 1,
	  .nonempty = true },
	{ IPPROTO_IP, IP_MTU_DISCOVER, OPT_ANY, set_pmtud, opt_get_field, .bit = offsetof(struct sock, pmtud) },
	CUSTOM(IPPROTO_IP, IP_MTU, NULL, get_mtu),
	CUSTOM(IPPROTO_IP, IP_MULTICAST_IF, NULL, get_mcast_if),
	UNICAST_IF(IPPROTO_IP, IP_UNICAST_IF, unicast_if),
	WANT(IPPROTO_IP, IP_PKTINFO, WANT_PKTINFO),
	WANT(IPPROTO_IP, IP_RECVTOS, WANT_TOS),
	WANT(IPPROTO_IP, IP_RECVTTL, WANT_TTL),
	FLAG(IPPROTO_IP, IP_RECVERR, recverr),
	NUMBER(IPPROTO_IP, IP_MULTICAST_ALL, OPT_ANY, SOCKOPT_MULTICAST_ALL, 0, 1, 1),
	FREE_BIND(IPPROTO_IP, IP_FREEBIND, free_bind),
	FREE_BIND(IPPROTO_IP, IP_TRANSPARENT, transparent),
	{ IPPROTO_IP, IP_OPTIONS, OPT_ANY, set_options, get_options, .stack = SOCKOPT_IP_OPTIONS },
	CONSTANT(IPPROTO_IP, IP_HDRINCL, OPT_STREAM | OPT_DGRAM, 0),
	CONSTANT(IPPROTO_IP, IP_NODEFRAG, OPT_ANY, 0),
	KEPT(IPPROTO_IP, IP_PASSSEC, KEPT_PASSSEC),
	KEPT(IPPROTO_IP, IP_CHECKSUM, KEPT_CHECKSUM),
	{ IPPROTO_IP, IP_RECVFRAGSIZE, OPT_RAW | OPT_DGRAM, opt_set_kept, opt_get_kept, .max = 1, .bit = KEPT_FRAGSIZE },
	{ IPPROTO_IP, 26 /* IP_RECVERR_RFC4884 */, OPT_ANY, opt_set_kept, opt_get_kept, .max = 1, .bit = KEPT_RFC4884 },
	/* A port that bind() is not to choose is chosen there all the same: of ours there is no shortage. */
	KEPT(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, KEPT_LATE_PORT),
	WANT(IPPROTO_IP, IP_RETOPTS, WANT_RETOPTS),
	WANT(IPPROTO_IP, IP_RECVOPTS, WANT_RECVOPTS),
	WANT(IPPROTO_IP, IP_RECVORIGDSTADDR, WANT_DST),

	{ IPPROTO_IPV6, IPV6_V6ONLY, OPT_ANY, set_v6only, opt_get_number, .stack = SOCKOPT_V6_ONLY, .scale = 1 },
	TTL(IPPROTO_IPV6, IPV6_UNICAST_HOPS, SOCKOPT_HOPS),
	TTL(IPPROTO_IPV6, IPV6_MULTICAST_HOPS, SOCKOPT_MULTICAST_TTL),
	NUMBER(IPPROTO_IPV6, 73 /* IPV6_MINHOPCOUNT */, OPT_ANY, SOCKOPT_MIN_HOPS, 0, 255, 1),
	NUMBER(IPPROTO_IPV6, IPV6_MULTICAST_LOOP, OPT_ANY, SOCKOPT_MULTICAST_LOOP, 0, 1, 1),
	{ IPPROTO_IPV6, IPV6_TCLASS, OPT_ANY, set_tclass, opt_get_number, .stack = SOCKOPT_TRAFFIC_CLASS, .scale = 1 },
	{ IPPROTO_IPV6, IPV6_MTU_DISCOVER, OPT_ANY, set_pmtud, opt_get_field, .bit = offsetof(struct sock, pmtud) },
	CUSTOM(IPPROTO_IPV6, IPV6_MTU, set_mtu6, get_mtu),
	CUSTOM(IPPROTO_IPV6, IPV6_MULTICAST_IF, NULL, get_mcast_if),
	UNICAST_IF(IPPROTO_IPV6, IPV6_UNICAST_IF, unicast_if6),
	WANT(IPPROTO_IPV6, IPV6_RECVPKTINFO, WANT_PKTINFO6),
	WANT(IPPROTO_IPV6, IPV6_RECVTCLASS, WANT_TCLASS),
	WANT(IPPROTO_IPV6, IPV6_RECVHOPLIMIT, WANT_HOPLIMIT),
	WANT(IPPROTO_IPV6, IPV6_2292HOPLIMIT, WANT_HOPLIMIT),
	WANT(IPPROTO_IPV6, 74 /* IPV6_RECVORIGDSTADDR */, WANT_DST6),
	FLAG(IPPROTO_IPV6, IPV6_RECVERR, recverr6),
	BOOL(IPPROTO_IPV6, IPV6_MULTICAST_ALL, OPT_ANY, SOCKOPT_MULTICAST_ALL),
	FREE_BIND(IPPROTO_IPV6, IPV6_FREEBIND, free_bind),
	FREE_BIND(IPPROTO_IPV6, IPV6_TRANSPARENT, transparent),
	{ IPPROTO_IPV6, IPV6_DONTFRAG, OPT_ANY, set_dontfrag, opt_get_flag, .bit = offsetof(struct sock, dontfrag) },
	{ IPPROTO_IPV6, 31 /* IPV6_RECVERR_RFC4884 */, OPT_ANY, opt_set_kept, opt_get_kept, .max = 1, .bit = KEPT_RFC4884_6 },
	KEPT(IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, KEPT_AUTOFLOWLABEL),
	KEPT(IPPROTO_IPV6, 11 /* IPV6_FLOWINFO */, KEPT_FLOWINFO),
	KEPT(IPPROTO_IPV6, 33 /* IPV6_FLOWINFO_SEND */, KEPT_FLOWINFO_SEND),
	KEPT(IPPROTO_IPV6, IPV6_RECVPATHMTU, KEPT_PATHMTU),
	/* As of IPv4's options. */
	KEPT(IPPROTO_IPV6, IPV6_RECVHOPOPTS, KEPT_HOPOPTS),
	KEPT(IPPROTO_IPV6, IPV6_RECVRTHDR, KEPT_RTHDR),
	KEPT(IPPROTO_IPV6, IPV6_RECVDSTOPTS, KEPT_DSTOPTS),
	KEPT(IPPROTO_IPV6, IPV6_2292HOPOPTS, KEPT_OLD_HOPOPTS),
	KEPT(IPPROTO_IPV6, IPV6_2292RTHDR, KEPT_OLD_RTHDR),
	KEPT(IPPROTO_IPV6, IPV6_2292DSTOPTS, KEPT_OLD_DSTOPTS),
	KEPT(IPPROTO_IPV6, 77 /* IPV6_RECVFRAGSIZE */, KEPT_FRAGSIZE6),
};

const struct opt_table opt_ip_table = { rows, sizeof(rows) / sizeof(rows[0]) };
