/* Endpoint options: their numbers, value types, and those every endpoint has. */
#ifndef STACK_CORE_SOCKOPT_H
#define STACK_CORE_SOCKOPT_H

#include "base/addr.h"
#include "base/err.h"
#include "buffer/pkt.h"
#include "core/group.h"
#include "core/stats.h"
#include "header/ipv4.h"

struct endpoint;

/**
 * enum sockopt - an option
 *
 * Integers (int64_t, times in nanoseconds) unless a structure is named. Those up to
 * SOCKOPT_COMMON_END are kept by the core for every endpoint, the rest are their protocol's.
 */
enum sockopt {
	SOCKOPT_REUSE_ADDRESS,
	SOCKOPT_REUSE_PORT,
	SOCKOPT_BIND_TO_DEVICE,		/* NIC id, 0 for none */
	SOCKOPT_MARK,			/* the user's; told by diagnosis */
	SOCKOPT_BROADCAST,
	SOCKOPT_V6_ONLY,
	SOCKOPT_TTL,			/* of IPv4 packets; 0: the protocol's default */
	SOCKOPT_HOPS,			/* the same, of IPv6 */
	SOCKOPT_MULTICAST_TTL,		/* default 1 */
	SOCKOPT_MULTICAST_LOOP,
	SOCKOPT_MULTICAST_ALL,		/* groups that others have joined, too; default 1 */
	SOCKOPT_TOS,
	SOCKOPT_TRAFFIC_CLASS,
	SOCKOPT_MIN_TTL,		/* TCP: of IPv4 segments that are taken (RFC 5082) */
	SOCKOPT_MIN_HOPS,		/* the same, of IPv6 */
	SOCKOPT_FREE_BIND,		/* to addresses that are not there */
	SOCKOPT_PMTU_DISCOVER,		/* enum net_pmtud */
	SOCKOPT_SEND_BUFFER_SIZE,
	SOCKOPT_RECEIVE_BUFFER_SIZE,
	SOCKOPT_COMMON_END = SOCKOPT_RECEIVE_BUFFER_SIZE,
	SOCKOPT_ERROR,			/* get only: the pending error (enum ns_err), then cleared */
	SOCKOPT_RECEIVE_QUEUE_SIZE,	/* get only: unread bytes */
	SOCKOPT_SEND_QUEUE_SIZE,	/* get only: unsent or unacknowledged bytes */
	SOCKOPT_SEND_QUEUE_UNSENT,	/* get only: those not sent yet */
	SOCKOPT_MULTICAST_INTERFACE,	/* struct sockopt_mcast_if */
	SOCKOPT_ADD_MEMBERSHIP,		/* struct sockopt_membership */
	SOCKOPT_REMOVE_MEMBERSHIP,	/* struct sockopt_membership */
	/* source filters (RFC 3678); struct sockopt_source_membership */
	SOCKOPT_ADD_SOURCE_MEMBERSHIP,
	SOCKOPT_REMOVE_SOURCE_MEMBERSHIP,
	SOCKOPT_BLOCK_SOURCE,
	SOCKOPT_UNBLOCK_SOURCE,
	SOCKOPT_MULTICAST_FILTER,	/* struct sockopt_mcast_filter: the whole filter of a membership */
	SOCKOPT_IP_OPTIONS,		/* uint8_t[]: options of the IPv4 header of what is sent */
	SOCKOPT_CHECKSUM,		/* UDP over IPv4: whether to send checksums */
	/* raw and packet endpoints */
	SOCKOPT_HDR_INCLUDED,		/* what is written starts with the IP header */
	SOCKOPT_ICMP_FILTER,		/* struct sockopt_icmp_filter */
	SOCKOPT_IPV6_CHECKSUM,		/* where a checksum goes, even; -1: none */
	SOCKOPT_IGNORE_OUTGOING,	/* packet: only what is received */
	SOCKOPT_LISTEN_PROMISCUOUS,	/* packet: frames for other hosts too, on the NIC given; counted */
	SOCKOPT_UNLISTEN_PROMISCUOUS,
	SOCKOPT_PACKET_STATISTICS,	/* packet, get only: struct sockopt_packet_stats, then cleared */
	SOCKOPT_FILTER,			/* set only: a program of core/bpf.h as bytes; none: no filter any more */
	/* TCP */
	SOCKOPT_NO_DELAY,
	SOCKOPT_CORK,
	SOCKOPT_QUICK_ACK,
	SOCKOPT_KEEPALIVE_ENABLED,
	SOCKOPT_KEEPALIVE_IDLE,
	SOCKOPT_KEEPALIVE_INTERVAL,
	SOCKOPT_KEEPALIVE_COUNT,
	SOCKOPT_USER_TIMEOUT,
	SOCKOPT_MAX_SEGMENT,
	SOCKOPT_LINGER,			/* struct sockopt_linger */
	SOCKOPT_LINGER2_TIMEOUT,	/* FIN-WAIT-2 */
	SOCKOPT_TIME_WAIT_TIMEOUT,
	SOCKOPT_CONGESTION_CONTROL,	/* char[] */
	SOCKOPT_AVAILABLE_CONGESTION_CONTROL,	/* char[] */
	SOCKOPT_TCP_INFO,		/* struct of the protocol's */
	SOCKOPT_MODERATE_RECEIVE_BUFFER,
	SOCKOPT_OOB_INLINE,
	SOCKOPT_AT_MARK,		/* get only: the next byte to read is at the urgent mark */
	SOCKOPT_SYN_RETRIES,
	SOCKOPT_NOT_SENT_LOW_WATER,	/* unsent bytes below which the endpoint is writable */
	SOCKOPT_RECEIVE_LOW_WATER,	/* unread bytes from which the endpoint is readable */
	SOCKOPT_WINDOW_CLAMP,
	SOCKOPT_PORT_LOCK,		/* the port was asked for, not chosen: as bind() has it */
	SOCKOPT_DEFER_ACCEPT,		/* SYN-ACKs after which a connection without data is accepted */
	SOCKOPT_FASTOPEN,		/* connections a listener has at most whose SYN brought data (RFC 7413) and
					 * is not acknowledged; of the protocol: bits as Linux's tcp_fastopen */
	SOCKOPT_FASTOPEN_CONNECT,	/* connect() waits for the first write, to send it in the SYN */
	SOCKOPT_FASTOPEN_NO_COOKIE,	/* data goes into the SYN without a cookie */
	SOCKOPT_FASTOPEN_KEY,		/* uint8_t[16], or [32]: one more that is still honoured */
	SOCKOPT_SAVE_SYN,		/* listeners: keep the headers of SYNs: 1, with the link's: 2 */
	SOCKOPT_SAVED_SYN,		/* uint8_t[], get only, once: the headers of the SYN that made this connection; none:
					 * no bytes */
	SOCKOPT_WRITE_SEQ,		/* get only: the sequence number of the next byte that is written */
	SOCKOPT_TX_STAMP,		/* set only: struct sockopt_tx_stamp */
	SOCKOPT_CONGESTION_CONTROL_INFO,	/* get only: as Linux's tcp_cc_info; Reno's and CUBIC's: empty */
	/* TCP as a whole: stack_set_trans_option() */
	SOCKOPT_SACK_ENABLED,
	SOCKOPT_TIMESTAMPS_ENABLED,
	SOCKOPT_WINDOW_SCALING_ENABLED,
	SOCKOPT_ECN,			/* as Linux's tcp_ecn: 0 off, 1 on, 2 if the peer asks */
	SOCKOPT_SEND_BUFFER_RANGE,	/* struct sockopt_range */
	SOCKOPT_RECEIVE_BUFFER_RANGE,	/* struct sockopt_range */
	SOCKOPT_RECOVERY,		/* 1: RACK-TLP, 0: RFC 6675 */
	SOCKOPT_DELAY_ENABLED,		/* Nagle's algorithm, for new endpoints */
	SOCKOPT_INITIAL_RTO,
	SOCKOPT_MIN_RTO,
	SOCKOPT_MAX_RTO,
	SOCKOPT_MAX_RETRIES,
	SOCKOPT_SYNACK_RETRIES,
	SOCKOPT_ORPHAN_RETRIES,
	SOCKOPT_SYN_COOKIES,		/* 0 never, 1 when the queue is full, 2 always */
	SOCKOPT_SYN_RCVD_THRESHOLD,	/* half-open connections per listener at most */
	SOCKOPT_MAX_BACKLOG,
	SOCKOPT_TIME_WAIT_REUSE,	/* 0 no, 1 yes, 2 loopback only */
	SOCKOPT_TIME_WAIT_REUSE_DELAY,	/* not before it has lasted so long */
	SOCKOPT_MAX_TIME_WAIT,
	SOCKOPT_MAX_ORPHANS,
	SOCKOPT_ABORT_ON_OVERFLOW,
	SOCKOPT_RFC1337,
	SOCKOPT_CHALLENGE_ACK_LIMIT,	/* a second, 0: no limit */
	SOCKOPT_INVALID_RATELIMIT,	/* time between two answers to what is out of a connection's window */
	SOCKOPT_REORDERING,
	SOCKOPT_INITIAL_WINDOW,		/* segments */
	SOCKOPT_MIN_TSO_SEGMENTS,	/* of a super-segment, however slow the path */
	SOCKOPT_SLOW_START_AFTER_IDLE,
	SOCKOPT_MTU_PROBING,		/* RFC 4821: 0 no, 1 where a black hole is suspected, 2 of every connection */
	SOCKOPT_BASE_MSS,		/* where it starts */
	SOCKOPT_COUNT
};

/** struct sockopt_mcast_if - where multicast goes: @nic, or the one that has @addr */
struct sockopt_mcast_if {
	uint32_t nic;
	struct addr addr;
};

/** struct sockopt_membership - @group on @nic, or on the NIC with @iface, or where a route leads */
struct sockopt_membership {
	uint32_t nic;
	struct addr iface;
	struct addr group;
};

/** struct sockopt_source_membership - @group from @source; the NIC as for struct sockopt_membership */
struct sockopt_source_membership {
	uint32_t nic;
	struct addr iface;
	struct addr group, source;
};

/**
 * struct sockopt_mcast_filter - the filter of one membership (RFC 3678, 4.1.2 and 5.1.2)
 * @exclude: all but the @n sources, else only those; setting INCLUDE with none leaves the group
 */
struct sockopt_mcast_filter {
	uint32_t nic;
	struct addr iface;
	struct addr group;
	bool exclude;
	uint16_t n;
	struct addr sources[GROUP_MAX_SOURCES];
};

/** struct sockopt_icmp_filter - bit t of word t / 32 set: messages of type t are not wanted. The
 * first word alone counts for ICMPv4. */
struct sockopt_icmp_filter {
	uint32_t blocked[8];
};

/** struct sockopt_packet_stats - since last asked; @packets includes those dropped (packet(7)) */
struct sockopt_packet_stats {
	uint32_t packets, drops;
};

struct sockopt_linger {
	bool enabled;
	int64_t timeout_ns;
};

/** struct sockopt_range - sizes in bytes: the least, what a new endpoint has, what tuning reaches */
struct sockopt_range {
	uint32_t min, def, max;
};

/**
 * struct sockopt_tx_stamp - a byte of a stream, sent or still to be written, whose transmit time stamp is wanted
 * @seq:     its sequence number
 * @stamp:   whom to tell, and of what; @taker 0: nobody
 * @instead: of the one that was to be told of the byte @was
 */
struct sockopt_tx_stamp {
	uint32_t seq, was;
	bool instead;
	struct pkt_stamp stamp;
};

/** struct sock_opts - the values of the common options */
struct sock_opts {
	bool reuse_address, reuse_port, broadcast, v6_only, multicast_loop, multicast_all, free_bind;
	uint8_t ttl, multicast_ttl, tos, traffic_class, pmtu_discover;
	uint8_t min_ttl, min_hops;
	uint8_t nip_opts, ip_opts[IPV4_OPTS_MAX];
	uint8_t hops;
	uint32_t bind_nic;
	uint32_t mark;
	uint32_t send_buffer_bytes, receive_buffer_bytes;
	uint32_t mcast_nic;
	struct addr mcast_addr;
};

void sock_opts_init(struct sock_opts *o);

/** sock_opts_ttl() - TTL or hop limit of a packet to an address of @len bytes; 0: the default */
static inline uint8_t sock_opts_ttl(const struct sock_opts *o, uint8_t len)
{
	return len == ADDR_LEN_V4 ? o->ttl : o->hops;
}

/** sockopt_put_int() - the value of an option that is a number; INVALID_OPTION_VALUE: no room */
static inline enum ns_err sockopt_put_int(void *val, size_t *len, int64_t v)
{
	if (*len < sizeof(v))
		return NS_ERR_INVALID_OPTION_VALUE;
	memcpy(val, &v, sizeof(v));
	*len = sizeof(v);
	return NS_OK;
}

/** sock_opts_set() - a common option; INVALID_OPTION_VALUE if out of range, UNKNOWN_NIC_ID */
enum ns_err sock_opts_set(struct endpoint *ep, enum sockopt opt, int64_t v);

/** sock_opts_get() - a common option; UNKNOWN_PROTOCOL_OPTION if @opt is none */
enum ns_err sock_opts_get(const struct endpoint *ep, enum sockopt opt, int64_t *v);

/** sock_opts_set_ip(), sock_opts_get_ip() - SOCKOPT_IP_OPTIONS; INVALID_OPTION_VALUE if they are not to be
 * sent (ipv4_opts_make()). get: as much of them as there is room for */
enum ns_err sock_opts_set_ip(struct endpoint *ep, const void *val, size_t len);
void sock_opts_get_ip(const struct endpoint *ep, void *val, size_t *len);

#endif
