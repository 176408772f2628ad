/* Inet sockets from the kernel: lists, one by its identity, and closing one. */
#ifndef DIAG_CLIENT_INET_H
#define DIAG_CLIENT_INET_H

#include <linux/inet_diag.h>
#include <stddef.h>
#include <stdint.h>

#include "client/conn.h"
#include "client/dump.h"
#include "wire/err.h"
#include "wire/req.h"

/**
 * diag_inet_list - every socket that answers a request, in an array
 * @r:     an inet dump request
 * @buf:   what datagrams are read into, aligned to 4; NULL: a buffer of the function's own
 * @size:  bytes at @buf
 * @tap:   gets a copy of every byte read; may be NULL
 * @tap_arg: for @tap
 * @list:  receives the array, which the caller gives to free(); NULL with a count of 0
 * @count: receives how many
 *
 * Return: as diag_conn_open() and diag_dump(), or ENOMEM of kind DIAG_ERR_SYS. What arrived
 * before an error is in @list all the same.
 */
struct diag_err diag_inet_list(struct diag_req *r, void *buf, size_t size, diag_tap_fn tap, void *tap_arg,
			       struct inet_diag_msg **list, size_t *count);

/**
 * diag_inet_connections - every socket of a family and protocol, in any state
 * @family:   AF_INET or AF_INET6
 * @protocol: IPPROTO_TCP, IPPROTO_UDP, ...
 *
 * The rest is as for diag_inet_list().
 */
struct diag_err diag_inet_connections(uint8_t family, uint32_t protocol, struct inet_diag_msg **list,
				      size_t *count);

/**
 * diag_inet_get - looks up one socket
 * @c:        the conversation
 * @id:       its identity as a message has it; a cookie of DIAG_NOCOOKIE twice matches any
 * @ext:      DIAG_EXT_* bits of the attributes wanted
 * @fn, @arg: gets the answer
 *
 * UDP sockets too are named as a dump shows them: the exchange of source and destination that
 * the kernel wants in a UDP look-up is made here.
 *
 * Return: as diag_exchange().
 */
struct diag_err diag_inet_get(struct diag_conn *c, uint8_t family, uint32_t protocol,
			      const struct inet_diag_sockid *id, uint8_t ext, diag_msg_fn fn, void *arg);

/**
 * diag_inet_destroy - closes a socket from outside: its owner gets ECONNABORTED
 * @c:   the conversation
 * @id:  its identity as a message has it, with the cookie
 *
 * Return: as diag_exchange(); of kind DIAG_ERR_KERNEL: EPERM without CAP_NET_ADMIN, ENOENT when
 * it is gone, EOPNOTSUPP when the kernel cannot.
 */
struct diag_err diag_inet_destroy(struct diag_conn *c, uint8_t family, uint32_t protocol,
				  const struct inet_diag_sockid *id);

#endif
