/* Requests: the three bodies, built and read. */
#ifndef DIAG_WIRE_REQ_H
#define DIAG_WIRE_REQ_H

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdint.h>

#include "wire/attr.h"
#include "wire/err.h"
#include "wire/stack.h"

/* Bytes that hold any request built here but for its bytecode. */
#define DIAG_REQ_ROOM 160

/**
 * struct diag_req - a request being built, header first, in memory the caller lends
 * @nlh:  the message; nlmsg_len is kept right, nlmsg_seq is set when it is sent
 * @room: bytes at @nlh
 */
struct diag_req {
	struct nlmsghdr *nlh;
	size_t room;
};

/**
 * diag_req_inet - begins a dump of inet sockets (struct inet_diag_req_v2, SOCK_DIAG_BY_FAMILY)
 * @r:        the request to fill
 * @buf:      memory for it, aligned to 4, lent until the request is sent; at least DIAG_REQ_ROOM bytes
 * @room:     bytes at @buf
 * @family:   AF_INET or AF_INET6
 * @protocol: IPPROTO_*; one above 255 (IPPROTO_MPTCP) goes into an attribute as the kernel wants it
 *
 * States are all, extensions none, the cookie DIAG_NOCOOKIE; change them through diag_req_inet_body().
 */
void diag_req_inet(struct diag_req *r, void *buf, size_t room, uint8_t family, uint32_t protocol);

/** diag_req_inet_body - the body of a request that diag_req_inet() began */
struct inet_diag_req_v2 *diag_req_inet_body(struct diag_req *r);

/**
 * diag_req_inet_v1 - begins a dump of TCP sockets the old way (struct inet_diag_req, TCPDIAG_GETSOCK)
 *
 * As diag_req_inet(). A kernel answers with both families whatever @family says.
 */
void diag_req_inet_v1(struct diag_req *r, void *buf, size_t room, uint8_t family);

/** diag_req_inet_v1_body - the body of a request that diag_req_inet_v1() began */
struct inet_diag_req *diag_req_inet_v1_body(struct diag_req *r);

/**
 * diag_req_unix - begins a dump of unix sockets (struct unix_diag_req)
 * @show: UDIAG_SHOW_* bits
 *
 * As diag_req_inet().
 */
void diag_req_unix(struct diag_req *r, void *buf, size_t room, uint32_t show);

/** diag_req_unix_body - the body of a request that diag_req_unix() began */
struct unix_diag_req *diag_req_unix_body(struct diag_req *r);

/** diag_req_exact - makes a dump a look-up of the one socket its body names */
void diag_req_exact(struct diag_req *r);

/** diag_req_destroy - makes an inet request one that closes the socket its body names, with an acknowledgement */
void diag_req_destroy(struct diag_req *r);

/**
 * diag_req_bytecode - appends a filter
 * @code: the program (see wire/bytecode.h), copied
 * @len:  its bytes; 0 appends nothing
 *
 * Return: DIAG_OK, or DIAG_NLE_MSGSIZE when @room is too small or the program too long for an attribute.
 */
struct diag_err diag_req_bytecode(struct diag_req *r, const void *code, size_t len);

/** diag_req_want - asks for more (DIAG_STACK_WANT_*) where a stack answers */
void diag_req_want(struct diag_req *r, uint32_t want);

/** diag_req_history - makes a dump of inet sockets one of a stack's ended connections, of either family */
void diag_req_history(struct diag_req *r);

/**
 * struct diag_inet_query - what an inet request asks, whichever body it came in
 * @req:      the v2 body; of a v1 dump the family is AF_UNSPEC, which matches both
 * @protocol: from the body, or from INET_DIAG_REQ_PROTOCOL
 * @code:     the bytecode attribute, absent (data NULL) without one; of two the last. Borrowed
 * @want:     from DIAG_STACK_REQ_WANT, which no kernel knows
 */
struct diag_inet_query {
	struct inet_diag_req_v2 req;
	uint32_t protocol;
	struct diag_attr code;
	uint32_t want;
};

/**
 * diag_inet_query_parse - reads a request of type 18, 20 or 21 as the kernel does
 * @nlh: the whole message, nlmsg_len within what was received; borrowed as long as @q->code is used
 * @q:   receives the query
 *
 * Unknown, malformed and trailing attributes are ignored.
 *
 * Return: 0; -EINVAL for a body that is too short or a protocol attribute that is no u32.
 */
int diag_inet_query_parse(const struct nlmsghdr *nlh, struct diag_inet_query *q);

#endif
