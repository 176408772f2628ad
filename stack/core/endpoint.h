/*
 * Transport endpoints: what users of the stack hold.
 *
 * A protocol embeds struct endpoint in its own structure and serves struct endpoint_ops. Users call
 * the endpoint_*() functions below, which do what is common and pass on the rest. Nothing blocks:
 * what cannot be done now returns WOULD_BLOCK, and the wait queue tells when to try again.
 */
#ifndef STACK_CORE_ENDPOINT_H
#define STACK_CORE_ENDPOINT_H

#include <sys/uio.h>

#include "core/netproto.h"
#include "core/sockopt.h"
#include "core/stats.h"
#include "core/waiter.h"

enum endpoint_shutdown { SHUTDOWN_READ = 1, SHUTDOWN_WRITE = 2 };

/** struct endpoint_stats - of one endpoint, in the specification's groups */
struct endpoint_stats {
	struct stat_counter packets_received, packets_sent;
	struct {
		struct stat_counter receive_buffer_overflow, malformed_packets_received,
			closed_receiver, checksum_errors;
	} receive_errors;
	struct {
		struct stat_counter read_closed, invalid_endpoint_state;
	} read_errors;
	struct {
		struct stat_counter send_to_network_failed, no_route, no_link_addr;
	} send_errors;
	struct {
		struct stat_counter write_closed, invalid_endpoint_state, invalid_args;
	} write_errors;
};

/**
 * struct packet_addr - of packet endpoints, as sockaddr_ll (packet(7))
 * @nic:    the NIC
 * @proto:  Ethernet type, host order
 * @hatype: ARP hardware type: 1 Ethernet, 772 loopback, 65534 without link header
 * @type:   enum pkt_type
 * @addr:   received: the sender; to write: the receiver
 */
struct packet_addr {
	uint32_t nic;
	uint16_t proto;
	uint16_t hatype;
	uint8_t type;
	struct link_addr addr;
};

/**
 * struct read_msg - a read
 * @iov, @iovcnt:    where the bytes go
 * @peek:            leave them in the queue
 * @oob:             TCP: the urgent byte alone (MSG_OOB); INVALID_OPTION_VALUE if there is none to read
 * @n:               out: bytes copied
 * @msg_len:         out: length of the whole datagram, more than @n if it was cut
 * @from:            out: the sender; @to: out: the address it was sent to, and the NIC it came by
 * @has_timestamp, @timestamp_ns: out: wall clock at which the last packet arrived
 * @has_inq, @inq:   out: bytes left to read
 * @tos, @ttl:       out: of the datagram's IP header
 * @ip_opts, @nip_opts: out: IPv4 options of its header as they came
 * @link:            out, packet endpoints: where the packet came from or went
 * @csum, @net_off:  out, packet endpoints: enum pkt_csum, and where the network header starts
 * @at_mark:         out: TCP: the next byte to read is the one after the urgent mark (SIOCATMARK)
 */
struct read_msg {
	const struct iovec *iov;
	int iovcnt;
	bool peek, oob;
	size_t n;
	size_t msg_len;
	struct full_addr from, to;
	bool has_timestamp;
	int64_t timestamp_ns;
	bool has_inq;
	int32_t inq;
	uint8_t tos, ttl;
	uint8_t nip_opts, ip_opts[IPV4_OPTS_MAX];
	struct packet_addr link;
	uint8_t csum, net_off;
	bool at_mark;
};

/** struct rx_time - @bytes of a stream came at @wall_ns */
struct rx_time {
	size_t bytes;
	int64_t wall_ns;
};

/**
 * struct payload - bytes to be written, either borrowed (@iov) or owned (@pkt)
 *
 * The endpoint takes as much as it wants with payload_take(): from a vector by copying, from a
 * packet by moving its chunks. What it did not take stays the caller's.
 */
struct payload {
	const struct iovec *iov;
	int iovcnt;
	size_t iov_off;
	struct pkt *pkt;
	size_t len;
};

struct payload payload_from_iov(const struct iovec *iov, int iovcnt);

/** payload_from_pkt() - takes @pkt; payload_release() afterwards frees what was not taken */
struct payload payload_from_pkt(struct pkt *pkt);
void payload_release(struct payload *p);

/** payload_take() - a packet of the next @n <= @p->len bytes, with PKT_HEADROOM; NULL: no memory,
 * and nothing was taken */
struct pkt *payload_take(struct payload *p, size_t n, struct pkt_pool *pool);

/** payload_copy() - copy the next @n <= @p->len bytes to @to, and take them */
void payload_copy(struct payload *p, void *to, size_t n);

/**
 * struct write_opts - how to write
 * @to:            write to this address rather than the peer's; NULL: the peer's
 * @more:          MSG_MORE
 * @end_of_record: MSG_EOR
 * @atomic:        all or nothing: a stream endpoint without room for all takes nothing
 * @oob:           MSG_OOB: TCP: the last byte is urgent
 * @fast_open:     MSG_FASTOPEN: TCP: connect to @to, with what fits in the SYN (RFC 7413); CONNECT_STARTED if
 *                 nothing did
 * @waits:         TCP: who calls waits until all is written, so that a handshake's last ACK may go with it
 * @src:           send from this address; NULL: the endpoint's
 * @link:          packet endpoints: where to, instead of @to; NULL: as bound
 * @stamp:         datagrams: who wants to know when it goes out, or NULL; taken by the first packet that is made, when its
 *                 @taker becomes 0
 */
struct write_opts {
	const struct full_addr *to;
	const struct addr *src;
	const struct packet_addr *link;
	struct pkt_stamp *stamp;
	bool more, end_of_record, oob, atomic, fast_open, waits;
};

/** write_opts_stamp() - @pkt is the packet that takes the stamp, if one is wanted */
static inline void write_opts_stamp(const struct write_opts *o, struct pkt *pkt)
{
	if (!o->stamp)
		return;
	pkt->stamp = *o->stamp;
	o->stamp->taker = 0;
}

/** struct endpoint_info - for diagnosis */
struct endpoint_info {
	const char *proto;
	enum net_index net;
	uint8_t trans_proto;
	uint32_t state;
	struct full_addr local, remote;
	uint32_t bind_nic;
	size_t rx_queue_bytes, tx_queue_bytes;
	uint32_t rx_buffer_bytes, tx_buffer_bytes;
	uint64_t rx_dropped;
};

/**
 * struct endpoint - what is common
 * @proto:   its transport protocol
 * @net:     family it was made for; NET_IPV6 ones may speak IPv4 too
 * @wq:      who wants to know
 * @err:     pending error for SOCKOPT_ERROR
 * @all:     in the stack's list of endpoints
 * @owner:   the user's
 * @books:   what the stack's @endpoint_gone keeps of it
 * @error_fn: told of every ICMP error about its packets, before the protocol makes something of it
 * @has_cred, @uid, @gid: whose it is, if its user said so: what filters match by
 * @dangling: closed by its user, but not yet by its protocol (TIME-WAIT, unsent data)
 */
struct endpoint {
	const struct endpoint_ops *ops;
	struct stack *stack;
	const struct trans_proto_ops *proto;
	struct list all;
	struct waiter_queue wq;
	void *owner, *books;
	void (*error_fn)(struct endpoint *ep, const struct net_error *e);
	enum net_index net;
	bool dangling, has_cred;
	uint32_t uid, gid;
	enum ns_err err;
	struct sock_opts opts;
	struct endpoint_stats stats;
};

/**
 * struct endpoint_ops - what a protocol does; NULL where it does not: NOT_SUPPORTED
 * @close:    the user lets go. The structure may live on (TIME-WAIT), but calls nobody back.
 * @abort:    end the connection with a reset, now; the user still has to close
 * @destroy:  the stack goes away: release everything now. Comes also after @close.
 * @rx:       takes @pkt: a packet that the demultiplexer matched, transport header first
 * @rx_error: an ICMP error about a packet of this endpoint
 * @connect:  NS_OK, CONNECT_STARTED, ALREADY_CONNECTING, ALREADY_CONNECTED or an error, as POSIX
 *            has it for a non-blocking socket
 * @check:    whether a datagram of @len bytes could be sent where @o says now; binds
 * @accept:   a new endpoint, of which the caller becomes the user
 * @peek_iov, @peek_times, @consume: streams: reading in place, see endpoint_peek_iov()
 * The others: see the functions below.
 */
struct endpoint_ops {
	const char *name;
	void (*close)(struct endpoint *ep);
	void (*abort)(struct endpoint *ep);
	void (*destroy)(struct endpoint *ep);
	enum ns_err (*read)(struct endpoint *ep, struct read_msg *m);
	int (*peek_iov)(struct endpoint *ep, struct iovec *iov, int max, bool *end);
	int (*peek_times)(struct endpoint *ep, size_t bytes, struct rx_time *out, int max);
	void (*consume)(struct endpoint *ep, size_t n);
	enum ns_err (*write)(struct endpoint *ep, struct payload *p, const struct write_opts *o,
			     size_t *n);
	enum ns_err (*check)(struct endpoint *ep, const struct write_opts *o, size_t len);
	enum ns_err (*bind)(struct endpoint *ep, const struct full_addr *a);
	enum ns_err (*connect)(struct endpoint *ep, const struct full_addr *a);
	enum ns_err (*disconnect)(struct endpoint *ep);
	enum ns_err (*shutdown)(struct endpoint *ep, int how);
	enum ns_err (*listen)(struct endpoint *ep, int backlog);
	enum ns_err (*accept)(struct endpoint *ep, struct endpoint **out, struct full_addr *peer);
	enum ns_err (*local_addr)(struct endpoint *ep, struct full_addr *out);
	enum ns_err (*remote_addr)(struct endpoint *ep, struct full_addr *out);
	uint32_t (*readiness)(struct endpoint *ep);
	uint32_t (*state)(struct endpoint *ep);
	void (*moderate_recv_buf)(struct endpoint *ep, size_t copied);
	void (*info)(struct endpoint *ep, struct endpoint_info *out);
	enum ns_err (*set_option)(struct endpoint *ep, enum sockopt opt, const void *val, size_t len);
	enum ns_err (*get_option)(struct endpoint *ep, enum sockopt opt, void *val, size_t *len);
	void (*option_changed)(struct endpoint *ep, enum sockopt opt);
	void (*rx)(struct endpoint *ep, struct pkt *pkt);
	void (*rx_error)(struct endpoint *ep, const struct net_error *e);
};

/** endpoint_init() - for protocols: fill in the common part and enter it in the stack's list */
void endpoint_init(struct endpoint *ep, const struct endpoint_ops *ops, struct stack *s,
		   const struct trans_proto_ops *proto, enum net_index net);

/** endpoint_fini() - for protocols: take it out of the list, before the memory goes away. The stack's
 * @endpoint_gone is told: names and counters are still those of its last moment */
void endpoint_fini(struct endpoint *ep);

/** endpoint_set_error() - for protocols: note a pending error, and wake who waits */
void endpoint_set_error(struct endpoint *ep, enum ns_err err);

/** endpoint_take_error() - the pending error, then cleared */
enum ns_err endpoint_take_error(struct endpoint *ep);

/** endpoint_new() - make an endpoint of @trans_proto over family @net; it goes with endpoint_close().
 * UNKNOWN_PROTOCOL if the stack has not got either */
enum ns_err endpoint_new(struct stack *s, enum net_index net, uint8_t trans_proto,
			 struct endpoint **out);

/** endpoint_close() - done with it: its resources are released, in its protocol's own time */
void endpoint_close(struct endpoint *ep);

/** endpoint_walk() - call @fn for each endpoint of the stack, dangling ones too; it may close none */
void endpoint_walk(struct stack *s, void (*fn)(void *ctx, struct endpoint *ep), void *ctx);

/** struct endpoint_cursor - a place in the stack's list of endpoints that stays good whatever comes and goes */
struct endpoint_cursor {
	struct list list;
	struct stack *stack;
	struct list *next;
};

/** endpoint_cursor_init() - before the first, the oldest; fini: the caller releases the memory */
void endpoint_cursor_init(struct endpoint_cursor *c, struct stack *s);
void endpoint_cursor_fini(struct endpoint_cursor *c);

/** endpoint_cursor_next() - the endpoint there, NULL at the end; the cursor moves on */
struct endpoint *endpoint_cursor_next(struct endpoint_cursor *c);

/** endpoint_cursor_ahead() - the next ones, up to @max, without moving on; how many */
int endpoint_cursor_ahead(const struct endpoint_cursor *c, const struct endpoint **out, int max);

/** endpoint_read() - data or an error, never both; WOULD_BLOCK if there is none */
enum ns_err endpoint_read(struct endpoint *ep, struct read_msg *m);

/** endpoint_peek() - endpoint_read() that leaves the data */
enum ns_err endpoint_peek(struct endpoint *ep, struct read_msg *m);

/**
 * endpoint_peek_iov() - the first unread bytes of a stream as they lie in its queue
 * @iov: @max pieces at most; borrowed until anything else is done to the endpoint
 * @end: out: there are none, and none will come
 *
 * Stops before the urgent mark, unless it is next. Return: how many pieces.
 */
int endpoint_peek_iov(struct endpoint *ep, struct iovec *iov, int max, bool *end);

/** endpoint_peek_times() - when the first @bytes of them came, in order, in at most @max pieces; how many pieces */
int endpoint_peek_times(struct endpoint *ep, size_t bytes, struct rx_time *out, int max);

/** endpoint_consume() - take the first @n of the bytes that endpoint_peek_iov() showed */
void endpoint_consume(struct endpoint *ep, size_t n);

/** endpoint_write() - copies from @iov; a datagram is written whole, a stream as far as there is
 * room; @n: bytes written, more than 0 only with NS_OK */
enum ns_err endpoint_write(struct endpoint *ep, const struct iovec *iov, int iovcnt,
			   const struct write_opts *o, size_t *n);

/** endpoint_write_pkt() - takes @pkt and writes its bytes without copying; those of a stream that
 * found no room stay in @pkt, which is then handed back through @rest (else NULL) */
enum ns_err endpoint_write_pkt(struct endpoint *ep, struct pkt *pkt, const struct write_opts *o,
			       size_t *n, struct pkt **rest);

enum ns_err endpoint_bind(struct endpoint *ep, const struct full_addr *a);

/** endpoint_connect() - see ops; an address of length 0 disconnects */
enum ns_err endpoint_connect(struct endpoint *ep, const struct full_addr *a);
enum ns_err endpoint_disconnect(struct endpoint *ep);
enum ns_err endpoint_shutdown(struct endpoint *ep, int how);
enum ns_err endpoint_listen(struct endpoint *ep, int backlog);
enum ns_err endpoint_accept(struct endpoint *ep, struct endpoint **out, struct full_addr *peer);
enum ns_err endpoint_local_addr(struct endpoint *ep, struct full_addr *out);
enum ns_err endpoint_remote_addr(struct endpoint *ep, struct full_addr *out);

/** endpoint_readiness() - enum wait_event bits of @mask that hold now; ERR and HUP in any case */
uint32_t endpoint_readiness(struct endpoint *ep, uint32_t mask);

/** endpoint_set_cred() - say whose it is, for filters that match by owner */
void endpoint_set_cred(struct endpoint *ep, uint32_t uid, uint32_t gid);

/** endpoint_state() - the protocol's own number, for diagnosis */
uint32_t endpoint_state(struct endpoint *ep);

/** endpoint_moderate_recv_buf() - the user copied @copied bytes out: let the buffer grow with it */
void endpoint_moderate_recv_buf(struct endpoint *ep, size_t copied);
void endpoint_info(struct endpoint *ep, struct endpoint_info *out);

/** endpoint_set_int(), endpoint_get_int() - options whose value is a number */
enum ns_err endpoint_set_int(struct endpoint *ep, enum sockopt opt, int64_t v);
enum ns_err endpoint_get_int(struct endpoint *ep, enum sockopt opt, int64_t *v);

/** endpoint_set_option(), endpoint_get_option() - any option, by its type's size. INVALID_OPTION_VALUE
 * if @len is too short; get: @len is room, then length */
enum ns_err endpoint_set_option(struct endpoint *ep, enum sockopt opt, const void *val, size_t len);
enum ns_err endpoint_get_option(struct endpoint *ep, enum sockopt opt, void *val, size_t *len);

#endif
