/* names.c - tables of the socket interface's numbers. */
#include "launch/names.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

struct name {
	int64_t value;
	const char *name;
};

#define N(x) { x, #x }
#define END { 0, NULL }

static const struct name families[] = {
	N(AF_UNSPEC), N(AF_UNIX), N(AF_INET), N(AF_INET6), N(AF_NETLINK), N(AF_PACKET), N(AF_BLUETOOTH),
	N(AF_CAN), N(AF_TIPC), N(AF_ALG), N(AF_VSOCK), { 44, "AF_XDP" }, END,
};

static const struct name socket_types[] = {
	N(SOCK_STREAM), N(SOCK_DGRAM), N(SOCK_RAW), N(SOCK_RDM), N(SOCK_SEQPACKET), N(SOCK_DCCP),
	N(SOCK_PACKET), END,
};

static const struct name socket_flags[] = { N(SOCK_NONBLOCK), N(SOCK_CLOEXEC), END };

static const struct name inet_protocols[] = {
	N(IPPROTO_IP), N(IPPROTO_ICMP), N(IPPROTO_IGMP), N(IPPROTO_TCP), N(IPPROTO_UDP), N(IPPROTO_DCCP),
	N(IPPROTO_IPV6), N(IPPROTO_GRE), N(IPPROTO_ICMPV6), N(IPPROTO_SCTP), N(IPPROTO_UDPLITE),
	N(IPPROTO_RAW), { 262, "IPPROTO_MPTCP" }, END,
};

static const struct name netlink_protocols[] = {
	N(NETLINK_ROUTE), N(NETLINK_USERSOCK), N(NETLINK_SOCK_DIAG), N(NETLINK_XFRM), N(NETLINK_AUDIT),
	N(NETLINK_NETFILTER), N(NETLINK_KOBJECT_UEVENT), N(NETLINK_GENERIC), END,
};

static const struct name levels[] = {
	N(SOL_SOCKET), N(IPPROTO_IP), N(IPPROTO_TCP), N(IPPROTO_UDP), N(IPPROTO_IPV6), N(IPPROTO_ICMPV6),
	N(IPPROTO_RAW), N(IPPROTO_SCTP), N(SOL_PACKET), N(SOL_NETLINK), END,
};

static const struct name socket_options[] = {
	N(SO_DEBUG), N(SO_REUSEADDR), N(SO_TYPE), N(SO_ERROR), N(SO_DONTROUTE), N(SO_BROADCAST),
	N(SO_SNDBUF), N(SO_RCVBUF), N(SO_SNDBUFFORCE), N(SO_RCVBUFFORCE), N(SO_KEEPALIVE),
	N(SO_OOBINLINE), N(SO_PRIORITY), N(SO_LINGER), N(SO_REUSEPORT), N(SO_PASSCRED), N(SO_PEERCRED),
	N(SO_RCVLOWAT), N(SO_SNDLOWAT), N(SO_RCVTIMEO), N(SO_SNDTIMEO), N(SO_BINDTODEVICE),
	N(SO_ATTACH_FILTER), N(SO_DETACH_FILTER), N(SO_TIMESTAMP), N(SO_ACCEPTCONN), N(SO_PEERSEC),
	N(SO_TIMESTAMPNS), N(SO_MARK), N(SO_TIMESTAMPING), N(SO_PROTOCOL), N(SO_DOMAIN), N(SO_RXQ_OVFL),
	N(SO_PEEK_OFF), N(SO_BUSY_POLL), N(SO_INCOMING_CPU), N(SO_ATTACH_BPF), N(SO_MEMINFO),
	N(SO_INCOMING_NAPI_ID), N(SO_COOKIE), N(SO_PEERGROUPS), N(SO_ZEROCOPY), N(SO_TXTIME), END,
};

static const struct name tcp_options[] = {
	N(TCP_NODELAY), N(TCP_MAXSEG), N(TCP_CORK), N(TCP_KEEPIDLE), N(TCP_KEEPINTVL), N(TCP_KEEPCNT),
	N(TCP_SYNCNT), N(TCP_LINGER2), N(TCP_DEFER_ACCEPT), N(TCP_WINDOW_CLAMP), N(TCP_INFO),
	N(TCP_QUICKACK), N(TCP_CONGESTION), N(TCP_MD5SIG), N(TCP_THIN_LINEAR_TIMEOUTS),
	N(TCP_THIN_DUPACK), N(TCP_USER_TIMEOUT), N(TCP_FASTOPEN), N(TCP_TIMESTAMP),
	N(TCP_NOTSENT_LOWAT), N(TCP_CC_INFO), N(TCP_SAVE_SYN), N(TCP_SAVED_SYN), N(TCP_REPAIR),
	N(TCP_ULP), N(TCP_FASTOPEN_CONNECT), N(TCP_ZEROCOPY_RECEIVE), N(TCP_INQ), END,
};

static const struct name ip_options[] = {
	N(IP_TOS), N(IP_TTL), N(IP_HDRINCL), N(IP_OPTIONS), N(IP_RECVOPTS), N(IP_PKTINFO),
	N(IP_MTU_DISCOVER), N(IP_RECVERR), N(IP_RECVTTL), N(IP_RECVTOS), N(IP_MTU), N(IP_FREEBIND),
	N(IP_TRANSPARENT), N(IP_MINTTL), N(IP_BIND_ADDRESS_NO_PORT), N(IP_MULTICAST_IF),
	N(IP_MULTICAST_TTL), N(IP_MULTICAST_LOOP), N(IP_ADD_MEMBERSHIP), N(IP_DROP_MEMBERSHIP), END,
};

static const struct name ipv6_options[] = {
	N(IPV6_UNICAST_HOPS), N(IPV6_MULTICAST_IF), N(IPV6_MULTICAST_HOPS), N(IPV6_MULTICAST_LOOP),
	N(IPV6_JOIN_GROUP), N(IPV6_LEAVE_GROUP), N(IPV6_MTU_DISCOVER), N(IPV6_MTU), N(IPV6_RECVERR),
	N(IPV6_V6ONLY), N(IPV6_RECVPKTINFO), N(IPV6_PKTINFO), N(IPV6_RECVHOPLIMIT), N(IPV6_TCLASS),
	N(IPV6_RECVTCLASS), N(IPV6_FREEBIND), END,
};

static const struct name udp_options[] = {
	N(UDP_CORK), N(UDP_ENCAP), { 103, "UDP_SEGMENT" }, { 104, "UDP_GRO" }, END,
};

static const struct name message_flags[] = {
	N(MSG_OOB), N(MSG_PEEK), N(MSG_DONTROUTE), N(MSG_CTRUNC), N(MSG_TRUNC), N(MSG_DONTWAIT), N(MSG_EOR),
	N(MSG_WAITALL), N(MSG_CONFIRM), N(MSG_ERRQUEUE), N(MSG_NOSIGNAL), N(MSG_MORE), N(MSG_WAITFORONE),
	N(MSG_ZEROCOPY), N(MSG_FASTOPEN), N(MSG_CMSG_CLOEXEC), END,
};

static const struct name hows[] = { N(SHUT_RD), N(SHUT_WR), N(SHUT_RDWR), END };

static const struct name fcntls[] = {
	N(F_DUPFD), N(F_GETFD), N(F_SETFD), N(F_GETFL), N(F_SETFL), N(F_GETLK), N(F_SETLK), N(F_SETLKW),
	N(F_SETOWN), N(F_GETOWN), N(F_SETSIG), N(F_GETSIG), N(F_SETOWN_EX), N(F_GETOWN_EX),
	N(F_DUPFD_CLOEXEC), N(F_SETPIPE_SZ), N(F_GETPIPE_SZ), N(F_ADD_SEALS), N(F_GET_SEALS), END,
};

static const struct name file_flags[] = { N(O_APPEND), N(O_NONBLOCK), N(O_ASYNC), N(O_DIRECT), N(O_NOATIME), END };

static const char *find(const struct name *table, int64_t value)
{
	for (; table->name; table++)
		if (table->value == value)
			return table->name;
	return NULL;
}

static char *one(char *buf, size_t n, const struct name *table, int64_t value)
{
	const char *name = find(table, value);

	if (name)
		snprintf(buf, n, "%s", name);
	else
		snprintf(buf, n, "%lld", (long long)value);
	return buf;
}

/* Appends the names of the bits that are set, and the rest in hex. */
static void append_flags(char *buf, size_t n, const struct name *table, uint64_t flags)
{
	size_t at = strlen(buf);

	for (; table->name; table++) {
		if ((flags & (uint64_t)table->value) != (uint64_t)table->value)
			continue;
		flags &= ~(uint64_t)table->value;
		at += (size_t)snprintf(buf + at, n - at, "%s%s", at ? "|" : "", table->name);
		if (at >= n)
			return;
	}
	if (flags)
		snprintf(buf + at, n - at, "%s0x%llx", at ? "|" : "", (unsigned long long)flags);
}

static char *flags_of(char *buf, size_t n, const struct name *table, uint64_t flags)
{
	snprintf(buf, n, "%s", flags ? "" : "0");
	if (flags)
		append_flags(buf, n, table, flags);
	return buf;
}

char *names_family(char *buf, size_t n, int family)
{
	return one(buf, n, families, family);
}

char *names_socket_type(char *buf, size_t n, int type)
{
	int flags = type & (SOCK_NONBLOCK | SOCK_CLOEXEC);

	one(buf, n, socket_types, type & ~flags);
	if (flags)
		append_flags(buf, n, socket_flags, (uint64_t)flags);
	return buf;
}

char *names_protocol(char *buf, size_t n, int family, int protocol)
{
	const char *name = NULL;

	if (family == AF_INET || family == AF_INET6)
		name = find(inet_protocols, protocol);
	else if (family == AF_NETLINK)
		name = find(netlink_protocols, protocol);
	if (name)
		snprintf(buf, n, "%s", name);
	else
		snprintf(buf, n, family == AF_PACKET ? "0x%x" : "%d", protocol);
	return buf;
}

char *names_level(char *buf, size_t n, int level)
{
	return one(buf, n, levels, level);
}

char *names_option(char *buf, size_t n, int level, int option)
{
	static const struct { int level; const struct name *table; } tables[] = {
		{ SOL_SOCKET, socket_options }, { IPPROTO_TCP, tcp_options }, { IPPROTO_IP, ip_options },
		{ IPPROTO_IPV6, ipv6_options }, { IPPROTO_UDP, udp_options },
	};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		if (tables[i].level == level)
			return one(buf, n, tables[i].table, option);
	snprintf(buf, n, "%d", option);
	return buf;
}

char *names_socket_flags(char *buf, size_t n, uint64_t flags)
{
	return flags_of(buf, n, socket_flags, (uint32_t)flags);
}

char *names_message_flags(char *buf, size_t n, uint64_t flags)
{
	return flags_of(buf, n, message_flags, (uint32_t)flags);
}

char *names_how(char *buf, size_t n, int how)
{
	return one(buf, n, hows, how);
}

char *names_fcntl(char *buf, size_t n, int command)
{
	return one(buf, n, fcntls, command);
}

char *names_fcntl_arg(char *buf, size_t n, int command, uint64_t arg)
{
	static const struct name fd_flags[] = { N(FD_CLOEXEC), END };
	static const char *const access[] = { "O_RDONLY", "O_WRONLY", "O_RDWR" };

	switch (command) {
	case F_SETFD:
		return flags_of(buf, n, fd_flags, (uint32_t)arg);
	case F_SETFL:
		/* The access mode is ignored by the call but commonly passed along. */
		snprintf(buf, n, "%s", (arg & O_ACCMODE) < 3 ? access[arg & O_ACCMODE] : "3");
		if (arg & ~(uint64_t)O_ACCMODE)
			append_flags(buf, n, file_flags, (uint32_t)arg & ~(uint32_t)O_ACCMODE);
		return buf;
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
	case F_SETOWN:
		snprintf(buf, n, "%d", (int)arg);
		return buf;
	default:
		snprintf(buf, n, arg ? "0x%llx" : "%llu", (unsigned long long)arg);
		return buf;
	}
}
