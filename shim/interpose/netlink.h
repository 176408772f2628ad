/* netlink.h - sock_diag under the shim: a program that asks the kernel for sockets hears of its stack's too.
 *
 * Theory of operation. The program's netlink socket stays the kernel's, so that bind, getsockname, poll and all
 * else are as they were. Beside it a conversation with the stack host is kept (a SOCK_SEQPACKET that speaks
 * the same messages). What the program sends goes to both:
 *
 *  - A dump. The kernel's answers are read as they come, until its NLMSG_DONE is next in the queue. That is left
 *    there (so poll says readable) while the host's answers are served; the host's own DONE is dropped, and then
 *    the kernel's is read. Should the host die meanwhile, the DONE says ECONNRESET. If the kernel's DONE says that
 *    there is no such table, that is all there is.
 *  - A look-up or SOCK_DESTROY. When the kernel's answer is an error, the host is asked, and what it answers
 *    takes the error's place unless that is an error too. So it is when the kernel has found a socket without having
 *    been given a cookie, if the host has one that fits as well: a connection before a listener, and else the
 *    stack's, whose addresses are those that the program means. Who gives the cookie, as ss does, means one of
 *    them.
 *  - A SOCK_DESTROY without a cookie means what a look-up would find. The kernel would destroy its own at once, so if
 *    the stack's is meant and the kernel has one that fits too, the request is given the stack's cookie before it
 *    is sent: the kernel knows none such, and the host is asked as above.
 *  - Joining a group of destroy events. Receiving then waits for both. For poll and its kin the host has the program's
 *    socket as well, and rings it for each event: it has the kernel acknowledge a request that says nothing, and
 *    the acknowledgement stands in the queue for the event, which is read in its place.
 *
 * Answers are read from the host straight into the program's buffers. They carry the port id that the request
 * does, so the copy that the host gets has the program's.
 *
 * The state is a few slots, found by the netlink socket's SO_COOKIE, without locks or allocated memory: two
 * threads that use one netlink socket at once get what they deserve. A slot whose socket is gone is given up
 * when another is needed. After fork conversations are the parent's, and the child has none.
 */
#ifndef SHIM_INTERPOSE_NETLINK_H
#define SHIM_INTERPOSE_NETLINK_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "interpose/calls.h"
#include "run/layout.h"

/* Opens a conversation with the stack host that also brings destroy events of these groups (bits), for which the host
 * rings `bell`, a netlink socket (-1: none). The descriptor or -errno. NULL: the program has no stack, and nothing
 * here does anything. */
extern int (*netlink_host)(uint32_t groups, int bell);

/* Whether a socket with this cookie is to be watched. */
static inline bool netlink_watched(sockshim_cookie cookie)
{
	return __builtin_expect(sockshim_cookie_family(cookie) == AF_NETLINK, 0) &&
	       (sockshim_cookie_protocol(cookie) == NETLINK_SOCK_DIAG ||
		sockshim_cookie_protocol(cookie) == NETLINK_ROUTE) && netlink_host;
}

#define NETLINK_PATIENCE_MS 5000	/* for a host that does not answer */
#define NETLINK_AIM_MAX 128		/* a SOCK_DESTROY of more bytes is sent as it is */

/* A copy of what is about to be sent: whether it was a SOCK_DESTROY without a cookie that means a socket of the
 * stack's, whose cookie it then has. */
bool netlink_aim(void *request, size_t len);

/* fd, a sock_diag socket, has sent this message, of `len` bytes. */
void netlink_sent(int fd, const struct msghdr *msg, size_t len);

/* The program receives from fd, a sock_diag socket. True: *r is the result, with errno if it is -1. False: the
 * call is to be made as it is. */
bool netlink_receive(int fd, struct msghdr *msg, int flags, ssize_t *r);

/* fd has joined groups (bits 1 << (group - 1)). */
void netlink_joined(int fd, uint32_t groups);

/* fd, the last descriptor of a sock_diag socket, is about to be closed: the host lets go of it too. */
void netlink_closing(int fd);

/* The same calls as words, by what they are given: for where the wrappers are. */
void netlink_sent_bytes(int fd, const void *buf, size_t len);
bool netlink_receive_bytes(int fd, void *buf, size_t len, int flags, struct sockaddr *addr, socklen_t *addrlen,
			   ssize_t *r);
void netlink_bound(int fd, const struct sockaddr *addr, socklen_t len);
void netlink_option(int fd, int level, int option, const void *value, socklen_t len);

/* The program wants the kernel's answers as they are (sockshim_kernel_alone). */
extern bool netlink_alone;

/* A socket has been entered into the table of a program that has a stack: its calls are to come here if it is a
 * sock_diag or route socket (netlink_watched). */
void netlink_enter(int fd, const struct run_socket *s);

/* Makes a call on one, or on one that speaks NETLINK_ROUTE (netlink_route.h); its result as libc has it, errno set. */
long netlink_call(enum call_id id, int fd, const uint64_t *a);

#endif
