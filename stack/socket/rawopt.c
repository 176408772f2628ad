/* Options of raw and packet sockets whose values are structures (raw(7), icmp(7), packet(7), RFC 3542). */
#include <errno.h>
#include <linux/if_packet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <string.h>

#include "socket/opt.h"

enum { RAW_ICMP_FILTER = 1 };	/* ICMP_FILTER of linux/icmp.h, which collides with libc's */

static bool is_icmp_filter(int level, int name, size_t *words)
{
	*words = level == SOL_RAW ? 1 : 8;
	return (level == SOL_RAW && name == RAW_ICMP_FILTER) ||
	       (level == IPPROTO_ICMPV6 && name == ICMP6_FILTER);
}

static int set_icmp_filter(struct sock *k, const void *val, socklen_t len, size_t words)
{
	struct sockopt_icmp_filter f = { 0 };

	memcpy(f.blocked, val, len < words * 4 ? len : words * 4);
	return -ns_err_errno(endpoint_set_option(k->ep, SOCKOPT_ICMP_FILTER, &f, sizeof(f)));
}

static int set_packet_membership(struct sock *k, int name, const void *val, socklen_t len)
{
	enum sockopt opt = name == PACKET_ADD_MEMBERSHIP ? SOCKOPT_LISTEN_PROMISCUOUS
							 : SOCKOPT_UNLISTEN_PROMISCUOUS;
	struct packet_mreq m;
	enum ns_err err;

	if (len < sizeof(m))
		return -EINVAL;
	memcpy(&m, val, sizeof(m));
	if (!nic_find(k->stack, (uint32_t)m.mr_ifindex))
		return -ENODEV;
	/* All multicast frames are heard anyway: no link of ours filters them. Nothing comes of other types, nor of
	 * leaving what was not joined, on the kernel. */
	if (m.mr_type != PACKET_MR_PROMISC)
		return 0;
	err = endpoint_set_int(k->ep, opt, m.mr_ifindex);
	return err == NS_ERR_BAD_LOCAL_ADDRESS ? 0 : -ns_err_errno(err);
}

/* The value is the program's instructions (core/bpf.h): a caller that got a struct sock_fprog follows its pointer. */
static int set_filter(struct sock *k, int name, const void *val, socklen_t len)
{
	enum ns_err err;
	int lock;

	if (name == SO_LOCK_FILTER) {
		if (len < sizeof(lock))
			return -EINVAL;
		memcpy(&lock, val, sizeof(lock));
		if (k->filter_locked && !lock)
			return -EPERM;
		k->filter_locked = lock;
		return 0;
	}
	if (k->filter_locked)
		return -EPERM;
	if (name == SO_ATTACH_FILTER && !len)
		return -EINVAL;
	if (name == SO_DETACH_FILTER && !k->filtered)
		return -ENOENT;
	err = endpoint_set_option(k->ep, SOCKOPT_FILTER, val, name == SO_ATTACH_FILTER ? len : 0);
	if (!err)
		k->filtered = name == SO_ATTACH_FILTER;
	return err == NS_ERR_UNKNOWN_PROTOCOL_OPTION ? -ENOPROTOOPT : -ns_err_errno(err);
}

int sock_set_raw(struct sock *k, int level, int name, const void *val, socklen_t len)
{
	size_t words;

	if (is_icmp_filter(level, name, &words))
		return set_icmp_filter(k, val, len, words);
	if (level == SOL_PACKET && (name == PACKET_ADD_MEMBERSHIP || name == PACKET_DROP_MEMBERSHIP))
		return set_packet_membership(k, name, val, len);
	if (level == SOL_SOCKET && (name == SO_ATTACH_FILTER || name == SO_DETACH_FILTER || name == SO_LOCK_FILTER))
		return set_filter(k, name, val, len);
	return -ENOPROTOOPT;
}

static int get_struct(struct sock *k, enum sockopt opt, void *buf, size_t size, size_t told, void *val,
		      socklen_t *len)
{
	enum ns_err err = endpoint_get_option(k->ep, opt, buf, &size);

	if (err)
		return -ns_err_errno(err);
	*len = *len < told ? *len : (socklen_t)told;
	memcpy(val, buf, *len);
	return 0;
}

int sock_get_raw(struct sock *k, int level, int name, void *val, socklen_t *len)
{
	struct sockopt_icmp_filter f;
	struct sockopt_packet_stats st;
	struct tpacket_stats_v3 st3 = { 0 };
	size_t words;
	int r;

	if (is_icmp_filter(level, name, &words))
		return get_struct(k, SOCKOPT_ICMP_FILTER, &f, sizeof(f), words * 4, val, len);
	if (level == SOL_PACKET && name == PACKET_STATISTICS && k->ring_version == TPACKET_V3) {
		socklen_t room = sizeof(st3);

		r = get_struct(k, SOCKOPT_PACKET_STATISTICS, &st, sizeof(st), sizeof(st), &st3, &room);
		*len = *len < sizeof(st3) ? *len : (socklen_t)sizeof(st3);
		memcpy(val, &st3, *len);
		return r;
	}
	if (level == SOL_PACKET && name == PACKET_STATISTICS)
		return get_struct(k, SOCKOPT_PACKET_STATISTICS, &st, sizeof(st), sizeof(st), val, len);
	return -ENOPROTOOPT;
}

static const struct opt_row rows[] = {
	BOOL(IPPROTO_IP, IP_HDRINCL, OPT_RAW, SOCKOPT_HDR_INCLUDED),
	BOOL(IPPROTO_IPV6, IPV6_HDRINCL, OPT_RAW, SOCKOPT_HDR_INCLUDED),
	NUMBER(IPPROTO_IPV6, IPV6_CHECKSUM, OPT_RAW, SOCKOPT_IPV6_CHECKSUM, -1, 65534, 1),
	NUMBER(SOL_RAW, IPV6_CHECKSUM, OPT_RAW, SOCKOPT_IPV6_CHECKSUM, -1, 65534, 1),
	{ SOL_PACKET, PACKET_VERSION, OPT_RAW | OPT_DGRAM, opt_set_field, opt_get_field, .min = TPACKET_V1, .max = TPACKET_V3,
	  .bit = offsetof(struct sock, ring_version) },
	{ SOL_PACKET, PACKET_RESERVE, OPT_RAW | OPT_DGRAM, opt_set_field, opt_get_field, .max = INT32_MAX,
	  .bit = offsetof(struct sock, ring_reserve) },
	FLAG(SOL_PACKET, PACKET_AUXDATA, auxdata),
	BOOL(SOL_PACKET, PACKET_IGNORE_OUTGOING, OPT_RAW | OPT_DGRAM, SOCKOPT_IGNORE_OUTGOING),
};

const struct opt_table opt_raw_table = { rows, sizeof(rows) / sizeof(rows[0]) };
