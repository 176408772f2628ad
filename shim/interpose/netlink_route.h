/* netlink_route.h - which way a packet goes, asked of the kernel by netlink: the stack's answer in the place of the kernel's.
 *
 * Theory of operation. As with sock_diag (netlink.h) the program's socket stays the kernel's. A request for one route is
 * remembered when it has been sent; what the kernel answers to it, a route or an error, is written over in the
 * program's buffer by what the stack says. Dumps and all else are the kernel's.
 */
#ifndef SHIM_INTERPOSE_NETLINK_ROUTE_H
#define SHIM_INTERPOSE_NETLINK_ROUTE_H

#include "interpose/calls.h"

/* A call on a NETLINK_ROUTE socket was made and returned r; its result from now on. */
long netlink_route_made(enum call_id id, int fd, const uint64_t *a, long r);

#endif
