/*
 * MSG_ZEROCOPY: the stack copies; what remains is to tell, in the socket's error queue, when a send's bytes have
 * been acknowledged (Documentation/networking/msg_zerocopy.rst of Linux). Sends that follow one another share
 * a message, and the range of their numbers is all there is to keep.
 */
#include "packetdrill/adapter.h"

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <stdlib.h>

void pd_zerocopy_sent(struct pd_file *f)
{
	uint64_t *ends;

	if (!f->zc.enabled)
		return;
	ends = realloc(f->zc.ends, (f->zc.pending + 1) * sizeof(*ends));
	if (!ends)
		return;		/* one that is never told of */
	f->zc.ends = ends;
	ends[f->zc.pending++] = f->zc.written;
}

static void complete(struct pd_file *f)
{
	int64_t left = 0;
	size_t done = 0;

	if (endpoint_get_int(f->ep, SOCKOPT_SEND_QUEUE_SIZE, &left))
		left = 0;
	while (done < f->zc.pending && f->zc.ends[done] + (uint64_t)left <= f->zc.written)
		done++;
	if (!done)
		return;
	f->zc.pending -= done;
	memmove(f->zc.ends, f->zc.ends + done, f->zc.pending * sizeof(*f->zc.ends));
	f->zc.unread += (uint32_t)done;
	pd_epoll_error(f);
}

void pd_zerocopy_run(struct pd *pd)
{
	for (int fd = 0; pd->errors && fd < PD_MAX_FD; fd++) {
		struct pd_file *f = pd->files[fd];

		if (f && f->zc.pending)
			complete(f);
		if (f && f->ts.pending)
			pd_timestamp_run(pd, f);
	}
}

struct report {
	struct sock_extended_err ee;
	union {
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} offender;
};

bool pd_zerocopy_report(struct pd_file *f, struct msghdr *msg)
{
	struct report r = { .ee = {
		.ee_origin = SO_EE_ORIGIN_ZEROCOPY, .ee_code = SO_EE_CODE_ZEROCOPY_COPIED,
		.ee_info = f->zc.first, .ee_data = f->zc.first + f->zc.unread - 1,
	} };
	size_t n = sizeof(r.ee) + (f->domain == AF_INET ? sizeof(r.offender.v4) : sizeof(r.offender.v6));
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);

	if (!f->zc.unread)
		return false;
	f->zc.first += f->zc.unread;
	f->zc.unread = 0;
	msg->msg_flags = MSG_ERRQUEUE;
	msg->msg_namelen = 0;
	if (!c || msg->msg_controllen < CMSG_SPACE(n)) {
		msg->msg_flags |= MSG_CTRUNC;
		msg->msg_controllen = 0;
		return true;
	}
	c->cmsg_level = f->domain == AF_INET ? SOL_IP : SOL_IPV6;
	c->cmsg_type = f->domain == AF_INET ? IP_RECVERR : IPV6_RECVERR;
	c->cmsg_len = CMSG_LEN(n);
	memcpy(CMSG_DATA(c), &r, n);
	msg->msg_controllen = CMSG_SPACE(n);
	return true;
}
