/* netlink_aim.c - a SOCK_DESTROY that names no cookie, when the kernel and the stack both have a socket that fits. */
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>

#include "interpose/netlink.h"
#include "interpose/netlink_answer.h"
#include "run/sys.h"

struct look_up {
	struct nlmsghdr nlh;
	struct inet_diag_req_v2 body;
};

/* What an exact request for the socket that a SOCK_DESTROY means looks like. */
static void look_up_for(const struct look_up *destroy, struct look_up *out)
{
	const struct inet_diag_sockid *id = &destroy->body.id;

	*out = *destroy;
	out->nlh.nlmsg_len = sizeof(*out);
	out->nlh.nlmsg_type = SOCK_DIAG_BY_FAMILY;
	out->nlh.nlmsg_flags = NLM_F_REQUEST;
	if (destroy->body.sdiag_protocol != IPPROTO_UDP)
		return;
	/* "src and dst are swapped for historical reasons" (udp_dump_one()), and not where sockets are destroyed. */
	out->body.id.idiag_sport = id->idiag_dport;
	out->body.id.idiag_dport = id->idiag_sport;
	memcpy(out->body.id.idiag_src, id->idiag_dst, sizeof(id->idiag_dst));
	memcpy(out->body.id.idiag_dst, id->idiag_src, sizeof(id->idiag_src));
}

/* Asks at a descriptor of our own, which is closed; whether there is such a socket. */
static bool ask(int fd, const struct look_up *r, struct head *answer)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct timespec patience = { NETLINK_PATIENCE_MS / 1000, 0 };
	long n;

	if (fd < 0)
		return false;
	n = sys(SYS_sendto, fd, r, sizeof(*r), MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0);
	if (n == sizeof(*r)) {
		/* The rest of the time is kept there by the kernel. */
		do
			n = sys(SYS_ppoll, &p, 1, &patience, NULL, 0);
		while (n == -EINTR);
		n = sys(SYS_recvfrom, fd, answer, sizeof(*answer), MSG_DONTWAIT, NULL, NULL);
	}
	sys(SYS_close, fd);
	return n == sizeof(*answer) && answer->nlh.nlmsg_type == SOCK_DIAG_BY_FAMILY;
}

bool netlink_aim(void *request, size_t len)
{
	struct look_up *destroy = request, r;
	struct head kernel, ours;

	if (len < sizeof(*destroy) || destroy->nlh.nlmsg_len != len || destroy->nlh.nlmsg_type != SOCK_DESTROY ||
	    (destroy->body.sdiag_family != AF_INET && destroy->body.sdiag_family != AF_INET6) ||
	    !netlink_is_any_cookie(&destroy->body.id))
		return false;
	look_up_for(destroy, &r);
	if (!ask((int)sys(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG), &r, &kernel) ||
	    !ask(netlink_host(0, -1), &r, &ours) || !netlink_is_better(&ours, &kernel))
		return false;
	memcpy(destroy->body.id.idiag_cookie, ours.socket.id.idiag_cookie, sizeof(ours.socket.id.idiag_cookie));
	return true;
}
