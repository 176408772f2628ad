/*
 * BSD sockets over the stack's endpoints: sockaddr, levels and names of options, MSG_* flags, errno.
 *
 * Nothing blocks: what cannot be done now returns -EAGAIN (-EINPROGRESS for connect), and sock_poll()
 * or the wait queue tells when to try again. Addresses, options and their values are checked as the
 * kernel does (socket(7), ip(7), ipv6(7), tcp(7), udp(7)). All return 0 (or a count), or -errno.
 */
#ifndef STACK_SOCKET_SOCK_H
#define STACK_SOCKET_SOCK_H

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

#include "netstack.h"

/**
 * struct sock - a socket
 * @ep:      its endpoint; the user may put a waiter into @ep->wq
 * @owner:   the user's
 * The rest is this module's: what the socket layer keeps and the stack does not.
 */
struct sock {
	struct endpoint *ep;
	struct stack *stack;
	void *owner;
	int domain, type, protocol;
	bool connecting, listening, connected, bound;
	int error;			/* pending, beside the endpoint's: a positive errno */
	uint32_t recv_flags;		/* enum sock_want */
	struct sock_errqueue *errors;
	struct timeval rcv_timeout, snd_timeout;	/* kept for getsockopt; 0: none */
	int32_t rcv_lowat;
	uint32_t priority, sndbuf, rcvbuf, pmtud, unsent_lowat;
	uint32_t ring_version, ring_reserve;		/* packet(7): of the ring to be made */
	struct linger linger;
	uint32_t segment;		/* UDP_SEGMENT: bytes of the datagrams that a longer one becomes; 0: it does not */
	uint32_t busy_poll, incoming_cpu, pacing_rate, buf_lock;
	uint32_t stamping, stamp_key;	/* SO_TIMESTAMPING: its flags, and the number of the next datagram to be stamped */
	uint32_t copied;		/* writes with MSG_ZEROCOPY so far */
	struct tx_stamper stamper;	/* has an id once something was sent that is to be stamped */
	uint32_t unicast_if, unicast_if6;	/* datagrams that are bound to no interface leave by it; 0: any */
	uint64_t kept;			/* switches of no consequence, see opt.h */
	bool free_bind, transparent, dontfrag;
	bool recverr, recverr6, cork, dontroute, no_check, keepalive, oob_inline, auxdata, filtered, filter_locked;
};

/** sock_new() - socket(2), without SOCK_NONBLOCK and SOCK_CLOEXEC in @type. AF_INET and AF_INET6
 * SOCK_STREAM, SOCK_DGRAM (UDP, ping), SOCK_RAW; AF_PACKET. -EAFNOSUPPORT, -EPROTONOSUPPORT,
 * -ESOCKTNOSUPPORT, -ENOMEM */
int sock_new(struct stack *s, int domain, int type, int protocol, struct sock **out);

/** sock_close() - close(2): frees @k; what was written still goes out, by SO_LINGER */
void sock_close(struct sock *k);

/** sock_abort() - send RST, and forget all data; @err (positive errno) is then the pending error */
void sock_abort(struct sock *k, int err);

int sock_bind(struct sock *k, const struct sockaddr *a, socklen_t len);

/** sock_connect() - 0, -EINPROGRESS, -EALREADY, -EISCONN, or why not; AF_UNSPEC disconnects */
int sock_connect(struct sock *k, const struct sockaddr *a, socklen_t len);
int sock_listen(struct sock *k, int backlog);

/** sock_accept() - the caller owns @out; @len in: room, out: length */
int sock_accept(struct sock *k, struct sock **out, struct sockaddr *peer, socklen_t *len);
int sock_shutdown(struct sock *k, int how);

/** sock_name() - getsockname(2), with @peer getpeername(2); @len in: room, out: length */
int sock_name(struct sock *k, bool peer, struct sockaddr *a, socklen_t *len);

int sock_setopt(struct sock *k, int level, int name, const void *val, socklen_t len);

/** sock_getopt() - @len in: room, out: length */
int sock_getopt(struct sock *k, int level, int name, void *val, socklen_t *len);

/**
 * struct sock_msg - what a datagram has beside its bytes; send: fields without their flag are not looked at; received: all
 * are filled in, and the flags say what is asked for now
 * @addr:    send: where to, @addr_len 0 for the peer; received: from whom
 * @local:   send: from where; received: the address it was sent to
 * @flags:   enum sock_msg_flag: which of the others are there
 * @segment: send: as UDP_SEGMENT, for this one
 * @stamping: send: the flags of SO_TIMESTAMPING that say what is to be recorded, for this one
 * @msg_len: received: length of the whole datagram
 * @ip_opts, @nip_opts: received: the IPv4 options that came; send, with RETOPTS: those to send with
 * @csum, @net_off: received, packet sockets: enum pkt_csum, and where the network header starts
 */
enum sock_msg_flag {
	SOCK_MSG_PKTINFO = 1, SOCK_MSG_TOS = 2, SOCK_MSG_TTL = 4, SOCK_MSG_TIME = 8,
	SOCK_MSG_RECVOPTS = 16, SOCK_MSG_RETOPTS = 32,
	SOCK_MSG_TIME_NS = 64,		/* the time is to be told in nanoseconds (SO_TIMESTAMPNS) */
	SOCK_MSG_TIME_NEW = 128,	/* times by their newer numbers */
	SOCK_MSG_DST = 512,		/* received: @local is asked for by IP_RECVORIGDSTADDR or its like */
	SOCK_MSG_STAMP = 256,		/* received: @wall_ns as SO_TIMESTAMPING tells it; send: @stamping */
};

struct sock_msg {
	struct sockaddr_storage addr;
	socklen_t addr_len;
	struct sockaddr_storage local;
	uint32_t ifindex;
	uint32_t flags;
	int tos, ttl;
	int64_t wall_ns;
	uint32_t segment, stamping;
	size_t msg_len;
	uint8_t nip_opts, ip_opts[IPV4_OPTS_MAX];
	uint8_t csum, net_off;
};

/** sock_send() - @flags: MSG_MORE, MSG_OOB, MSG_EOR, MSG_CONFIRM, MSG_FASTOPEN (then -EINPROGRESS if nothing goes with
 * the SYN); a stream takes what it has room for.
 * @m may be NULL. Bytes written, or -errno (-EPIPE raises no signal) */
ssize_t sock_send(struct sock *k, const struct iovec *iov, int iovcnt, const struct sock_msg *m,
		  int flags);

/** sock_recv() - @flags: MSG_PEEK, MSG_OOB, MSG_TRUNC. Bytes read, 0 at the end of a stream */
ssize_t sock_recv(struct sock *k, const struct iovec *iov, int iovcnt, struct sock_msg *m, int flags);

/** sock_check() - whether a datagram of @bytes could be sent to @a now: 0 or -errno. Binds. */
int sock_check(struct sock *k, const struct sockaddr *a, socklen_t len, size_t bytes);

/** sock_poll() - POLLIN, POLLOUT, POLLPRI, POLLERR, POLLHUP, POLLRDHUP as poll(2) would have them */
uint32_t sock_poll(struct sock *k);

/** sock_outq() - bytes written and not acknowledged, and of these not yet sent */
void sock_outq(struct sock *k, size_t *unacked, size_t *unsent);

/**
 * struct sock_error - an entry of the error queue (struct sock_extended_err)
 * @ttl:     of the report, 0 if that is not wanted
 * @flags:   SOCK_MSG_TIME and SOCK_MSG_STAMP with their forms: how @wall_ns is to be told; SOCK_MSG_PKTINFO: @ifindex,
 *           @offender and @dest are
 * @ifindex: of what was sent and stamped: where it went out; 0: that does not come with it
 * @wall_ns: when the report came, or the packet went out; 0: not known
 */
struct sock_error {
	uint32_t ee_errno;
	uint8_t origin, type, code, ttl;
	uint32_t info, data;
	uint32_t flags, ifindex;
	int64_t wall_ns;
	struct sockaddr_storage offender, dest;
	socklen_t offender_len, dest_len;
	size_t len;
	uint8_t payload[1536];
};

/** sock_error_pop() - the oldest entry, taken; -EAGAIN if there is none */
int sock_error_pop(struct sock *k, struct sock_error *out);

/** sock_stamps_sending() - whether what is sent is to be stamped; sock_tells_times() - streams: whether something
 * is to be told with what is received */
bool sock_stamps_sending(const struct sock *k);
bool sock_tells_times(const struct sock *k);

/** sock_tells_left() - whether how much is left to be read is (TCP_INQ) */
bool sock_tells_left(const struct sock *k);

/** sock_asks() - enum sock_msg_flag: what is to be told of received datagrams of IPv4, or of IPv6 */
uint32_t sock_asks(const struct sock *k, bool v6);

/** sock_time_flags() - the SOCK_MSG_* by which a time is told; @received: of what was received, else of the error queue */
uint32_t sock_time_flags(const struct sock *k, bool received);

/**
 * struct sock_stamp_write - a write to a stream that is to be stamped: its last byte
 * @len:  of the write
 * @what: what is to be recorded, as SO_TIMESTAMPING has it, or SOCK_STAMP_AS_SET
 * @instead: it was announced before, its last byte then was @was, and it has become @less shorter
 */
enum { SOCK_STAMP_AS_SET = UINT32_MAX };

struct sock_stamp_write {
	size_t len, less;
	uint32_t what, was;
	bool instead;
};

/** sock_stamp_write() - announce a write that comes after @ahead more bytes; @byte: out: which byte is its last.
 * -EOPNOTSUPP, -ENOTCONN, -ENOMEM */
int sock_stamp_write(struct sock *k, size_t ahead, const struct sock_stamp_write *w, uint32_t *byte);

/** sock_is_error() - an entry of the error queue that is an error, and the pending one; not what was asked to be told */
bool sock_is_error(const struct sock_error *e);

/** sock_copies() - whether it is to be told of writes with MSG_ZEROCOPY (SO_ZEROCOPY); sock_note_copied(): of one, which has
 * been copied */
bool sock_copies(const struct sock *k);
void sock_note_copied(struct sock *k);

/** sock_ioctl() - FIONREAD, SIOCOUTQ, SIOCATMARK with @k; interface requests (SIOCGIFADDR,
 * SIOCGIFCONF as far as @len allows, ...) also with @k NULL. @data in and out, @len bytes of it.
 * -ENOTTY if it is not one of ours */
int sock_ioctl(struct stack *s, struct sock *k, unsigned long request, void *data, size_t *len);

/** sock_nic_flags(), sock_nic_hatype() - IFF_* and ARPHRD_* of a NIC (netdevice(7)) */
uint32_t sock_nic_flags(const struct nic *nic);
uint16_t sock_nic_hatype(const struct nic *nic);

/** sock_addr_from_full(), sock_addr_to_full() - between a sockaddr and the stack's addresses */
int sock_addr_to_full(const struct sockaddr *a, socklen_t len, int domain, struct full_addr *out);
socklen_t sock_addr_from_full(const struct full_addr *f, int domain, struct sockaddr_storage *out);

#endif
