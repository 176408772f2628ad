/* What the server asks of whoever has sockets: an iterator and a few questions about one socket. */
#ifndef DIAG_SERVER_SOURCE_H
#define DIAG_SERVER_SOURCE_H

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <stdbool.h>
#include <stdint.h>

#include "wire/stack.h"
#include "wire/tcpinfo.h"

/**
 * enum sock_kind - what a table keeps of a socket; it decides which attributes there are
 * @SOCK_KIND_FULL:     a socket
 * @SOCK_KIND_TIMEWAIT: what is left of one in TIME-WAIT, or in FIN-WAIT-2 without an owner
 * @SOCK_KIND_REQUEST:  a connection being asked for, which a listener has answered (SYN-RECV)
 * @SOCK_KIND_BOUND:    a TCP socket that is bound, and neither listens nor connects
 */
enum sock_kind {
	SOCK_KIND_FULL,
	SOCK_KIND_TIMEWAIT,
	SOCK_KIND_REQUEST,
	SOCK_KIND_BOUND,
};

/**
 * struct sock_entry - one socket as its table describes it
 * @msg:    the fixed part of an answer, complete: family, state, timer (of which 3 belongs to
 *          TIMEWAIT and 1 to REQUEST), identity with cookie, queues, uid, inode
 * @kind:   see there
 * @raw_protocol: of a raw socket, the protocol it was opened for
 * @shutdown: bit 0: receiving is shut down, bit 1: sending is
 * @v6only: IPV6_V6ONLY
 * @bound_port: the port was chosen with bind()
 * @sockopt: struct inet_diag_sockopt's two bytes
 * @cong:   the congestion control's name, or NULL; borrowed until the next call
 * @process: who made it; pid 0: not known
 * @cgroup_id: 0: not known, and not told
 * @handle: the table's own, for the functions below
 */
struct sock_entry {
	struct inet_diag_msg msg;
	enum sock_kind kind;
	uint8_t raw_protocol;
	uint8_t shutdown;
	uint8_t tos;
	uint8_t tclass;
	bool v6only;
	bool bound_port;
	uint8_t sockopt[2];
	uint32_t mark;
	uint32_t class_id;
	uint64_t cgroup_id;
	const char *cong;
	struct diag_stack_process process;
	void *handle;
};

/**
 * struct sock_key - what a look-up is for; addresses of AF_INET are in the first word
 * @family:  AF_INET or AF_INET6
 * @local_be, @lport_be: the socket's own end
 * @ifindex: the device it comes from, 0 for none
 * @raw_protocol: of a raw socket
 * @cookie:  of the socket that is meant, if that was said; all bits set: any
 */
struct sock_key {
	uint8_t family;
	uint8_t raw_protocol;
	uint16_t lport_be, pport_be;
	uint32_t local_be[4], peer_be[4];
	uint32_t ifindex;
	uint64_t cookie;
};

/* What @next returns when it has looked at one socket more and has none to give. */
#define SOCK_LEFT_OUT 2

/** struct sock_past - what is left of a connection that has ended */
struct sock_past {
	struct diag_tcp_info info;
	struct diag_stack_ended ended;
};

/**
 * struct sock_cursor - a place in a table, zeroed for its beginning
 * @at:     the table's own
 * @family: only sockets of this one are wanted: others need not be given; 0: all are
 */
struct sock_cursor {
	uint64_t at[4];
	uint8_t family;
};

/**
 * struct sock_source_ops - a table of sockets
 *
 * The server calls these from diag_session_receive() and diag_session_continue() only. Between
 * two calls of diag_session_continue() the table may change in any way; a cursor must survive
 * that, missing or repeating only what came or went meanwhile.
 */
struct sock_source_ops {
	/**
	 * @next: the socket at a cursor, which moves on behind it
	 * @source: the table
	 * @protocol: IPPROTO_TCP, IPPROTO_UDP or IPPROTO_RAW
	 * @e: receives the socket, zeroed beforehand
	 * Return: 1 with a socket, 0 at the end, SOCK_LEFT_OUT when the one there is not wanted.
	 */
	int (*next)(void *source, uint32_t protocol, struct sock_cursor *c, struct sock_entry *e);

	/**
	 * @complete: what costs more, of a socket that will be shown: queues, the congestion control's name.
	 * Everything else is there already. @ext: DIAG_EXT_* bits that were asked for. NULL: there is no more
	 */
	void (*complete)(void *source, struct sock_entry *e, uint8_t ext);

	/** @end: no more will be asked with a cursor that was given to @next; may be NULL */
	void (*end)(void *source, struct sock_cursor *c);

	/**
	 * @find: like @next, but only sockets that may fit @k: all that do, and others if need be. @c is
	 * zeroed for the first, and given up whenever. NULL: a look-up goes through the whole table
	 */
	int (*find)(void *source, uint32_t protocol, const struct sock_key *k, struct sock_cursor *c,
		    struct sock_entry *e);

	/**
	 * @past: the ended connection at a cursor, the oldest first; the cursor moves on. NULL: none are kept
	 * Return: as @next.
	 */
	int (*past)(void *source, struct sock_cursor *c, struct sock_entry *e, struct sock_past *p);

	/** @info: writes the tcp_info of a TCP socket, every byte of it: it is not zeroed beforehand */
	void (*info)(void *source, const struct sock_entry *e, struct diag_tcp_info *ti);

	/** @memory: fills in the SK_MEMINFO_* numbers, zeroed beforehand */
	void (*memory)(void *source, const struct sock_entry *e, uint32_t mem[SK_MEMINFO_VARS]);

	/**
	 * @congestion: what the congestion control says of itself; may be NULL
	 * @data: receives it
	 * @attr: receives its attribute's number (INET_DIAG_VEGASINFO, _DCTCPINFO, _BBRINFO)
	 * Return: its bytes, 0 for nothing.
	 */
	uint16_t (*congestion)(void *source, const struct sock_entry *e, union tcp_cc_info *data, uint16_t *attr);

	/**
	 * @destroy: closes a socket as SOCK_DESTROY does: its owner gets ECONNABORTED
	 * Return: 0, or -errno: -EOPNOTSUPP when it cannot be, -ENOENT when it is closed already.
	 */
	int (*destroy)(void *source, const struct sock_entry *e);
};

#endif
