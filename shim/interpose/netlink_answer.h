/* netlink_answer.h - what tells one sock_diag answer from another. */
#ifndef SHIM_INTERPOSE_NETLINK_ANSWER_H
#define SHIM_INTERPOSE_NETLINK_ANSWER_H

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>

/* The beginning of an answer. */
struct head {
	struct nlmsghdr nlh;
	union {
		struct {
			int error;		/* of NLMSG_ERROR and NLMSG_DONE */
			struct nlmsghdr of;	/* of NLMSG_ERROR: the request */
		};
		struct inet_diag_msg socket;
	};
};

/* Whether `ours`, which the host has found, is what a request means rather than what the kernel has: a connection is,
 * before what waits for any. Of two alike it is the stack's: the program's addresses are those of its stack. */
static inline bool netlink_is_better(const struct head *ours, const struct head *kernel)
{
	return ours->socket.id.idiag_dport || !kernel->socket.id.idiag_dport;
}

static inline bool netlink_is_any_cookie(const struct inet_diag_sockid *id)
{
	return id->idiag_cookie[0] == INET_DIAG_NOCOOKIE && id->idiag_cookie[1] == INET_DIAG_NOCOOKIE;
}

#endif
