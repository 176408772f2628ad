/*
 * The control protocol between the library in a program and the stack host.
 *
 * Three things connect them:
 *
 *  - The control channel: a SOCK_SEQPACKET connection to the host's socket. Each message is one
 *    struct stack_msg, cut after @len bytes of @data; every request gets exactly one reply, in order
 *    on its connection, with @op and @seq of the request and @err 0 or -errno. No request waits for
 *    the network but STACK_OP_RESOLVE, STACK_OP_NAMEINFO and STACK_OP_FLUSH, whose replies come when
 *    they are ready; what may block in the program (connect, accept, read, write) blocks there, in
 *    the kernel, on the pair or on the board. A process keeps as many connections as it has calls
 *    in flight. Malformed requests end the connection.
 *
 *  - The pair: what the program holds as its socket is one end of an AF_UNIX pair, the host has the
 *    other. Streams: SOCK_STREAM, the bytes themselves. Datagrams: SOCK_SEQPACKET, one struct
 *    stack_dgram before each (a SOCK_DGRAM pair does not tell the host of the last close).
 *    A listening socket: one struct stack_accept, with the new descriptor in SCM_RIGHTS, for each
 *    connection to be accepted. A stream that is not connected is not writable: the host has filled
 *    the way to itself with bytes it drops when the connection is there.
 *
 *  - The board: a shared file that the host writes and everybody else only reads. One entry a
 *    socket: what happened to it, its error, its addresses. So the common questions (is it
 *    connected, did it fail, was this end of file a reset, getsockname) cost no message, and a
 *    blocked connect() waits with FUTEX_WAIT on @state, which the kernel restarts or interrupts
 *    after a signal just as it does connect().
 *
 * A socket's name is the SO_COOKIE of the program's end: the same through dup, fork, exec and
 * SCM_RIGHTS. A process that meets a descriptor it does not know, an AF_UNIX socket whose
 * SO_PEERCRED is the host's process, asks with STACK_OP_LOOKUP.
 *
 * Requests about a socket are for its owner, the user who made it, for the host's user and root, and for who has shown to
 * hold it (STACK_OP_HELD); others get -ENOKEY. Their user is that of the process that opened the connection, or,
 * of one that root or the host's user opened, that of the process which sends the request: it may have changed since.
 * A socket that was accepted has the owner and the holders of the listening one.
 *
 * Everything is in host byte order but addresses, which are sockaddrs. Both sides check everything;
 * neither trusts a length, an index or an offset of the other.
 */
#ifndef SHIM_PROTO_STACK_PROTO_H
#define SHIM_PROTO_STACK_PROTO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
	STACK_PROTO_VERSION = 2,
	STACK_MSG_DATA = 4000,		/* room for a message's data */
	STACK_ADDR_MAX = 32,		/* sockaddr_in, sockaddr_in6, sockaddr_ll */
	STACK_BOARD_MAGIC = 0x53534231,
};

/* The sequence number by which a netlink socket is rung: a request of type NLMSG_NOOP is sent through it that wants to be
 * acknowledged. The acknowledgement, which the kernel puts into its queue, is the bell. */
#define STACK_DIAG_BELL 0x62656c6cu

/** enum stack_op - requests; in parentheses the fields of the request -> of the reply */
enum stack_op {
	STACK_OP_HELLO = 1,	/* (arg[0] = version, arg[1] = pid, data = the program's name) -> arg[0] = version, arg[1] = host's
				 * pid, arg[2] = board entries, data = stack's name; SCM_RIGHTS: the board.
				 * First message of a connection; -EPROTO: other version. With arg[2] = 1 nothing is asked
				 * on this connection but STACK_OP_JOIN */
	STACK_OP_SOCKET,	/* (arg = domain, type, protocol) -> cookie, arg[0] = board index;
				 * SCM_RIGHTS: the descriptor, close-on-exec */
	STACK_OP_LOOKUP,	/* (cookie) -> arg = domain, type, protocol, board index; -ENOENT */
	STACK_OP_BIND,		/* (cookie, data = sockaddr) */
	STACK_OP_CONNECT,	/* (cookie, arg[0] = enum stack_connect; data = sockaddr) -> 0, -EINPROGRESS, or the error;
				 * cookie. A pair whose connection has ended is of no use to the next one: then the
				 * cookie is another, arg[0] = board index, and SCM_RIGHTS a descriptor to put in
				 * the place of the old */
	STACK_OP_LISTEN,	/* (cookie, arg[0] = backlog) -> as CONNECT */
	STACK_OP_SHUTDOWN,	/* (cookie, arg[0] = SHUT_*): the host shuts down the pair too, before it
				 * replies. Nobody else may: to the host it would look like a close */
	STACK_OP_GETNAME,	/* (cookie, arg[0] = 1 for the peer) -> data = sockaddr */
	STACK_OP_SETOPT,	/* (cookie, arg = level, name; data = value, or SCM_RIGHTS: a file that has it) */
	STACK_OP_GETOPT,	/* (cookie, arg = level, name, length) -> data = value */
	STACK_OP_IOCTL,		/* (cookie or 0, arg[0] = request, data = what the argument points to)
				 * -> data */
	STACK_OP_CHECK,		/* (cookie, arg[0] = bytes, data = sockaddr) -> whether a datagram could
				 * be sent there: 0, -ENETUNREACH, -EACCES, -EMSGSIZE, ...; binds the
				 * socket if it is not */
	STACK_OP_ERRQUEUE,	/* (cookie, arg[0] = room for payload) -> data = struct stack_errqueue, then
				 * payload; -EAGAIN */
	STACK_OP_ABORT,		/* (cookie): send RST; the program sees ECONNRESET */
	STACK_OP_KILL,		/* (cookie): as SOCK_DESTROY: RST, and ECONNABORTED here */
	STACK_OP_FLUSH,		/* (cookie, arg[0] = milliseconds): reply when all that was written is
				 * acknowledged, or -EAGAIN after that time: a lingering close */
	STACK_OP_OUTQ,		/* (cookie) -> arg = bytes not acknowledged, bytes not sent; both count
				 * what waits in the pair */
	STACK_OP_RESOLVE,	/* (arg = AI_* flags, family; data = name, 0, service or nothing, 0) -> data =
				 * canonical name, 0, then sockaddrs of STACK_ADDR_MAX bytes each, arg[0]
				 * of them, arg[1] = offset of the first; @err is then an EAI_* (negative)
				 * if arg[2] is 1 */
	STACK_OP_NAMEINFO,	/* (arg[0] = NI_* flags, data = sockaddr) -> data = host name, 0 */
	STACK_OP_IFADDRS,	/* (arg[0] = how many to skip) -> arg[0] = entries here, arg[1] = 1 if
				 * there are more; data = struct stack_ifaddr each */
	STACK_OP_DIAG,		/* (arg[0] = groups whose destroy events are to come, as nl_groups; SCM_RIGHTS: a
				 * sock_diag socket that is rung for each, or none) -> SCM_RIGHTS: a SOCK_SEQPACKET
				 * that speaks NETLINK_SOCK_DIAG; answers carry the port id that the request does */
	STACK_OP_INFO,		/* () -> data = JSON text about the stack (first STACK_MSG_DATA bytes) */
	STACK_OP_STATS,		/* () -> SCM_RIGHTS: a memfd with all counters as JSON text */
	STACK_OP_RULES,		/* (arg[0] = family, arg[1] = 1: with counters, in and out; SCM_RIGHTS: a file with iptables-save text, or none: only
				 * ask) -> SCM_RIGHTS: a memfd with the rules now in force; on error data =
				 * text */
	STACK_OP_KEEP,		/* (arg[0] = 1: stay without clients, 0: leave with the last) */
	STACK_OP_DOWN,		/* (): the host leaves; replied to first */
	STACK_OP_PROCNET,	/* (arg = AF_INET or AF_INET6, IPPROTO_TCP, _UDP or _RAW, number of the first line)
				 * -> SCM_RIGHTS: a memfd with lines as in /proc/net/tcp, without the heading.
				 * (arg[0] = AF_UNIX) -> a memfd with the inodes of programs' ends of pairs: a
				 * table of uint32_t, 0 where there is none, of arg[0] slots, a power of two;
				 * where to look first: stack_inode_slot(), then the next ones */
	STACK_OP_RING,		/* (cookie) -> the ring of a packet socket (PACKET_RX_RING), SCM_RIGHTS: a memfd; arg[0] =
				 * bytes of it that the program maps, after which a struct stack_ring_control
				 * follows in a page of its own. -EINVAL: it has none */
	STACK_OP_CONNECTIONS,	/* (arg[0] = family or 0) -> SCM_RIGHTS: a memfd with a line for each tracked
				 * connection, as conntrack -L prints them */
	STACK_OP_IFTEXT,	/* (arg[0] = enum stack_iftext) -> SCM_RIGHTS: a memfd with that text */
	STACK_OP_ROUTE,		/* (data = sockaddr) -> data = struct stack_route: the way there */
	STACK_OP_JOIN,		/* (SCM_RIGHTS: one of a pair of SOCK_SEQPACKET sockets): the host takes it for a connection.
				 * The one request without a reply: any number of processes may send it on the same connection.
				 * Of one that is refused the host closes its end */
	STACK_OP_FASTOPEN,	/* (cookie, arg[0] = bytes of address; data = sockaddr, what is to be sent) -> as CONNECT, and arg[1] =
				 * bytes that went with the SYN, or will: no more than fits there (RFC 7413) */
	STACK_OP_BELL,		/* (cookie, arg[0] = enum stack_bell, arg[1] = number of one that is to go, or 0) -> arg[0] = its
				 * number; SCM_RIGHTS: an eventfd that can be read from while the socket has an error pending
				 * or something in its error queue. One of its own is rung again for each, until it is to go */
	STACK_OP_STAMP,		/* (cookie, arg = bytes that are about to be written to the pair, what is to be recorded of the last
				 * of them as SO_TIMESTAMPING has it or -1: as set, -1 or which byte that was said to be
				 * when this write was announced before, and how much shorter it has become) -> which byte */
	STACK_OP_TIMES,		/* (cookie, arg[0] = bytes that were peeked at, 0: all were read; SCM_RIGHTS: the program's end of a
				 * stream's pair) -> arg = enum stack_dgram_flag, when the last byte came (wall clock, 0: not
				 * known), bytes left as TCP_INQ has them, 1 if it is set */
	STACK_OP_COPIED,	/* (cookie): a write with MSG_ZEROCOPY has been made, and copied */
	STACK_OP_HELD,		/* (cookie; SCM_RIGHTS: a descriptor of that socket): the user who sends this holds the socket, and
				 * may ask what its owner may */
	STACK_OP_COUNT
};

/** enum stack_connect - @TOLD: the program knows that its last attempt went well; @END: nothing is to be begun, only why the
 * last one failed is to be told: -EISCONN if that has been, or it went well */
enum stack_connect { STACK_CONNECT_TOLD = 1, STACK_CONNECT_END = 2 };

/** enum stack_bell - one for all who wait, one of its own, none */
enum stack_bell { STACK_BELL_FOR_ALL, STACK_BELL_OWN, STACK_BELL_NONE };

/** struct stack_msg - a request or a reply; sent cut after @len bytes of @data */
struct stack_msg {
	uint16_t version;
	uint16_t op;
	uint32_t seq;
	int32_t err;
	uint32_t len;
	uint64_t cookie;
	int64_t arg[4];
	uint8_t data[STACK_MSG_DATA];
};

#define STACK_MSG_HEAD (offsetof(struct stack_msg, data))

/** struct stack_addr - a sockaddr with its length; @len 0: none */
struct stack_addr {
	uint32_t len;
	uint8_t bytes[STACK_ADDR_MAX];
};

/** enum stack_dgram_flag - what a struct stack_dgram has */
enum stack_dgram_flag {
	STACK_DGRAM_PKTINFO = 1,	/* @ifindex and @local */
	STACK_DGRAM_TOS = 2,
	STACK_DGRAM_TTL = 4,
	STACK_DGRAM_TIME = 8,		/* to the program: @wall_ns */
	STACK_DGRAM_MORE = 16,		/* to the host: MSG_MORE */
	STACK_DGRAM_CONFIRM = 32,	/* to the host: MSG_CONFIRM */
	STACK_DGRAM_CHECKED = 64,	/* packet sockets: the checksum is valid */
	STACK_DGRAM_ERROR = 128,	/* to the program: no datagram, but what wakes readers to a pending
					 * error: take it with SO_ERROR, and if there is none read on. Packet sockets with
					 * a ring: there is something in it */
	STACK_DGRAM_AUX = 256,		/* to the program, packet sockets: for PACKET_AUXDATA @ttl is where the network
					 * header starts, @tos how many bytes its filter wanted */
	STACK_DGRAM_UNSUMMED = 512,	/* packet sockets: the checksum is still to be computed */
	STACK_DGRAM_RECVOPTS = 1024,	/* to the program: @ip_opts are those that came */
	STACK_DGRAM_RETOPTS = 2048,	/* the same, for IP_RETOPTS; to the host: @ip_opts are those to send with */
	STACK_DGRAM_TIME_NS = 4096,	/* with TIME: as SO_TIMESTAMPNS has it */
	STACK_DGRAM_TIME_NEW = 8192,	/* with TIME and STAMP: by the newer numbers */
	STACK_DGRAM_DST = 32768,	/* to the program: @local, as IP_ORIGDSTADDR tells it */
	STACK_DGRAM_STAMP = 16384,	/* to the program: @wall_ns as SO_TIMESTAMPING has it; to the host: @stamping */
};

/**
 * struct stack_dgram - before each datagram on the pair, both ways
 * @size:  of this structure: where the payload starts
 * @flags: enum stack_dgram_flag; to the program: what was asked for when it was queued. All fields are there, and what is
 *         asked for when it is received is on the board
 * @peer:  to the program: who sent it; to the host: where to, length 0 for the connected peer
 * @local: to the program: the address it was sent to; to the host: the one to send from
 * @ifindex: interface, as in IP_PKTINFO
 * @segment: to the host: bytes of the datagrams that it is to become (UDP_SEGMENT), 0: it is one
 * @len:   to the program: length of the datagram, of which less may follow (packet sockets)
 * @stamping: to the host: what SO_TIMESTAMPING is to record of it
 * @ip_opts: options of the IPv4 header, @nip_opts bytes of them
 */
struct stack_dgram {
	uint16_t size;
	uint16_t flags;
	uint32_t ifindex;
	uint32_t tos, ttl;
	int64_t wall_ns;
	uint32_t len;
	struct stack_addr peer, local;
	uint32_t segment;
	uint32_t nip_opts;
	uint8_t ip_opts[40];
	uint32_t stamping;
};

/** struct stack_accept - on a listening pair, with the descriptor of the connection in SCM_RIGHTS */
struct stack_accept {
	uint64_t cookie;
	uint32_t board;
	struct stack_addr peer;
	uint32_t reserved;
};

/** struct stack_errqueue - an entry of the error queue, fields of struct sock_extended_err; @flags: enum stack_dgram_flag:
 * with TIME and STAMP @wall_ns, with PKTINFO @ifindex is there, and addresses from @offender to @dest */
struct stack_errqueue {
	uint32_t ee_errno;
	uint8_t origin, type, code, ttl;	/* @ttl: of the report, 0: not known */
	uint32_t info, data;
	uint32_t flags, ifindex;
	int64_t wall_ns;
	struct stack_addr offender;	/* who reported it */
	struct stack_addr dest;		/* where the datagram was to go */
};

/** struct stack_ifaddr - an address of an interface, or (@addr.len 0) the interface alone */
struct stack_ifaddr {
	char name[16];
	uint32_t ifindex, flags;	/* IFF_* */
	uint32_t mtu, prefix_len;
	uint8_t mac[8];
	uint32_t hatype;
	struct stack_addr addr, broadcast;
	uint32_t rx_packets, tx_packets, rx_bytes, tx_bytes;
};

/** struct stack_ring_control - what the host says of a ring: where in it the status word of the frame or block is that it
 * handed over last; while that is not 0 there is something to be read */
struct stack_ring_control {
	uint32_t status_off;
};

/** enum stack_iftext - a text about interfaces: /proc/net/dev, if_inet6, route, ipv6_route, arp */
enum stack_iftext {
	STACK_IFTEXT_DEV = 1, STACK_IFTEXT_INET6, STACK_IFTEXT_ROUTE, STACK_IFTEXT_ROUTE6, STACK_IFTEXT_ARP,
};

/** struct stack_route - the way to an address; @local: it is the stack's own */
struct stack_route {
	uint32_t ifindex, local;
	struct stack_addr src;
	struct stack_addr gateway;	/* length 0: it is on the link */
};

/** enum stack_board_state - low byte of @state */
enum stack_board_state {
	STACK_BOARD_FREE = 0,
	STACK_BOARD_NEW,		/* not connected, not listening */
	STACK_BOARD_CONNECTING,
	STACK_BOARD_CONNECTED,
	STACK_BOARD_LISTENING,
	STACK_BOARD_CLOSED,		/* was connected, or failed to: @error says why, if not taken */
};

/** enum stack_board_flag - what is not in the state */
enum stack_board_flag {
	STACK_BOARD_RESET = 1,		/* ended by a reset (or timeout): end of file is an error once */
	STACK_BOARD_RCV_EOF = 2,	/* the peer's FIN came, and all before it is in the pair */
	STACK_BOARD_ERRQUEUE = 4,	/* the error queue is not empty */
	STACK_BOARD_BOUND = 8,
	STACK_BOARD_LINGER = 16,	/* SO_LINGER is on with a timeout that is not 0 */
	STACK_BOARD_STREAM = 32,
	STACK_BOARD_TELLS = 64,		/* a stream of whose bytes more is to be told when they are read: STACK_OP_TIMES */
	STACK_BOARD_COPIES = 256,	/* writes with MSG_ZEROCOPY are to be told: STACK_OP_COPIED */
	STACK_BOARD_STAMPS = 128,	/* a stream to which writes are announced: STACK_OP_STAMP */
	STACK_BOARD_DISSOLVED = 512,	/* CLOSED, and connect has told why: as good as new */
};

/**
 * struct stack_board_entry - what everybody may know of a socket
 * @seq:     odd while the host writes the rest: read it before and after, and try again if it moved
 * @state:   enum stack_board_state, above it a count of changes; FUTEX_WAKE after each change
 * @error:   SO_ERROR, positive; taking it is a request (STACK_OP_GETOPT), since it must happen once
 * @flags:   enum stack_board_flag
 * @cookie:  the socket's; 0 while the entry is free. Compare it: entries are used again.
 * @asks:    of datagram sockets, enum stack_dgram_flag: what options ask to be told of received datagrams of IPv4; @asks6: of
 *           IPv6. IPV6_RECVPKTINFO counts for those of IPv4, too
 */
struct stack_board_entry {
	uint32_t seq;
	uint32_t state;
	int32_t error;
	uint32_t flags;
	uint64_t cookie;
	struct stack_addr local, peer;
	uint32_t asks, asks6;
	uint32_t reserved[4];
};

/**
 * struct stack_board - the head of the shared file; entries follow at @entries_off
 * @route_gen: changes when routes or addresses do: results of STACK_OP_CHECK are void then
 * @alive:   id of the host's thread with FUTEX_WAITERS, and in that thread's list of robust futexes: when the
 *           host is killed the kernel changes it and wakes a waiter. 0: it has left, or can't do that
 */
struct stack_board {
	uint32_t magic, version;
	uint32_t entry_size, entries, entries_off;
	uint32_t route_gen;
	int32_t host_pid;
	uint32_t gone;			/* the host has left */
	uint32_t alive;
	uint8_t reserved[92];
};

static inline uint32_t stack_inode_slot(uint32_t inode, uint32_t slots)
{
	return (uint32_t)(((uint64_t)(inode * 2654435761u) * slots) >> 32);
}

_Static_assert(sizeof(struct stack_board) == 128, "the board's head");
_Static_assert(sizeof(struct stack_board_entry) == 120, "an entry of the board");

#endif
