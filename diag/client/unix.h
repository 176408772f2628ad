/* Unix sockets from the kernel, in an array. */
#ifndef DIAG_CLIENT_UNIX_H
#define DIAG_CLIENT_UNIX_H

#include <linux/unix_diag.h>
#include <stddef.h>

#include "client/conn.h"
#include "wire/err.h"
#include "wire/req.h"

/**
 * struct diag_unix_conn - one unix socket
 * @msg:  the fixed part of its answer
 * @path_len: bytes of @path that are its name; 0: it has none
 * @path: the name, terminated beyond @path_len; an abstract one begins with its NUL
 */
struct diag_unix_conn {
	struct unix_diag_msg msg;
	size_t path_len;
	char path[112]; /* a sockaddr_un's 108, and a terminator */
};

/**
 * diag_unix_list - every socket that answers a request, in an array
 * @r:     a unix dump request
 * @list:  receives the array, which the caller gives to free(); NULL with a count of 0
 *
 * Sockets without a name are among them, and two with one path are two. The rest is as for
 * diag_inet_list().
 */
struct diag_err diag_unix_list(struct diag_req *r, void *buf, size_t size, diag_tap_fn tap, void *tap_arg,
			       struct diag_unix_conn **list, size_t *count);

/** diag_unix_connections - every unix socket, with its name */
struct diag_err diag_unix_connections(struct diag_unix_conn **list, size_t *count);

#endif
