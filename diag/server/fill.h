/* Answers: a socket as a netlink message. */
#ifndef DIAG_SERVER_FILL_H
#define DIAG_SERVER_FILL_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/source.h"

/* More than any answer takes: every attribute there is, and room to spare. */
#define FILL_MAX 1024

/** struct fill_head - what a message's header says besides its length */
struct fill_head {
	uint16_t type;
	uint16_t flags;
	uint32_t seq;
	uint32_t portid;
};

/**
 * fill_socket - writes one socket's answer
 * @buf:  where to, aligned to 4, at least FILL_MAX bytes
 * @ext:  DIAG_EXT_* bits that were asked for
 * @protocol: the table it is of
 * @net_admin: whether the one who asks may see marks
 * @want: DIAG_STACK_WANT_* bits
 *
 * Attributes are those a kernel sends, in the kernel's order (inet_sk_diag_fill() of
 * net/ipv4/inet_diag.c).
 *
 * Return: bytes written, a multiple of 4.
 */
size_t fill_socket(void *buf, const struct fill_head *h, const struct sock_source_ops *ops, void *source,
		   const struct sock_entry *e, uint32_t protocol, uint8_t ext, bool net_admin, uint32_t want);

/** fill_past - writes the answer about a connection that has ended; as fill_socket() */
size_t fill_past(void *buf, const struct fill_head *h, const struct sock_entry *e, const struct sock_past *p);

/**
 * fill_event - writes the message that tells of a destroyed socket
 * @info: its last tcp_info, or NULL for a protocol without one
 *
 * Return: bytes written at @buf, at most FILL_MAX.
 */
size_t fill_event(void *buf, const struct sock_entry *e, uint8_t protocol, const struct diag_tcp_info *info);

#endif
