/* Which sockets a request is about: selection in a dump, and the best match in a look-up. */
#ifndef DIAG_SERVER_MATCH_H
#define DIAG_SERVER_MATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "server/source.h"
#include "wire/req.h"

/** match_filter - whether query @q's family, ports and program (audited) let @e pass; states are not looked at */
bool match_filter(const struct diag_inet_query *q, const struct sock_entry *e);

/** match_dump - whether a dump with query @q (its program audited) shows @e */
bool match_dump(const struct diag_inet_query *q, const struct sock_entry *e);

/**
 * match_find - looks up the one socket @q names
 * @swapped: source and destination of @q are exchanged first (UDP look-ups, "for historical reasons")
 * @e: receives the socket
 *
 * As in a kernel, a connection is found by both its ends, else a listener or an unconnected
 * socket by its own, an exact address before the unspecified one.
 *
 * Return: 0; -ENOENT; -EINVAL for a family that has none.
 */
int match_find(const struct sock_source_ops *ops, void *source, const struct diag_inet_query *q, bool swapped,
	       struct sock_entry *e);

/** match_cookie - whether @q's cookie is the socket's, or any */
bool match_cookie(const struct diag_inet_query *q, const struct sock_entry *e);

#endif
