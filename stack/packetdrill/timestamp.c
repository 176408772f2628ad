/*
 * SO_TIMESTAMPING of what is sent: messages in the error queue that say when the last byte of a write went out and
 * when it was acknowledged (Documentation/networking/timestamping.rst of Linux). The channel link takes packets
 * at once: scheduled and sent are the same moment.
 */
#include "packetdrill/adapter.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <time.h>

void pd_timestamp_set(struct pd *pd, struct pd_file *f, uint32_t flags)
{
	if (flags & SOF_TIMESTAMPING_OPT_ID && !(f->ts.flags & SOF_TIMESTAMPING_OPT_ID))
		f->ts.base = f->zc.written;
	f->ts.flags = flags;
	pd->errors |= flags != 0;
}

void pd_timestamp_sent(struct pd_file *f)
{
	enum { TX = SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_ACK };

	if (f->ts.flags & TX && f->ts.pending < PD_MAX_STAMPS)
		f->ts.writes[f->ts.pending++] = (struct pd_stamped){ .end = f->zc.written };
}

/* One message; those for which there is no room are lost, as where the error queue is full. */
static void queue(const struct pd *pd, struct pd_file *f, const struct pd_stamped *w, uint32_t what)
{
	bool id = f->ts.flags & SOF_TIMESTAMPING_OPT_ID;

	if (f->ts.queued == PD_MAX_STAMPS)
		return;
	f->ts.queue[f->ts.queued++] = (struct pd_stamp){
		.what = what, .key = id ? (uint32_t)(w->end - f->ts.base - 1) : 0, .at_ns = pd->now_ns,
	};
	pd_epoll_error(f);
}

void pd_timestamp_run(const struct pd *pd, struct pd_file *f)
{
	int64_t left = 0, unsent = 0;
	int kept = 0;

	if (endpoint_get_int(f->ep, SOCKOPT_SEND_QUEUE_SIZE, &left) ||
	    endpoint_get_int(f->ep, SOCKOPT_SEND_QUEUE_UNSENT, &unsent))
		return;
	for (int i = 0; i < f->ts.pending; i++) {
		struct pd_stamped *w = &f->ts.writes[i];

		if (!w->sent && w->end + (uint64_t)unsent <= f->zc.written) {
			w->sent = true;
			if (f->ts.flags & SOF_TIMESTAMPING_TX_SCHED)
				queue(pd, f, w, SCM_TSTAMP_SCHED);
			if (f->ts.flags & SOF_TIMESTAMPING_TX_SOFTWARE)
				queue(pd, f, w, SCM_TSTAMP_SND);
		}
		if (w->sent && w->end + (uint64_t)left <= f->zc.written) {
			if (f->ts.flags & SOF_TIMESTAMPING_TX_ACK)
				queue(pd, f, w, SCM_TSTAMP_ACK);
		} else {
			f->ts.writes[kept++] = *w;
		}
	}
	f->ts.pending = kept;
}

static void put(struct msghdr *msg, size_t *used, int level, int type, const void *data, size_t n)
{
	struct cmsghdr *c = (struct cmsghdr *)((char *)msg->msg_control + *used);

	if (msg->msg_controllen < *used + CMSG_SPACE(n)) {
		msg->msg_flags |= MSG_CTRUNC;
		return;
	}
	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(n);
	memcpy(CMSG_DATA(c), data, n);
	*used += CMSG_SPACE(n);
}

bool pd_timestamp_report(struct pd_file *f, struct msghdr *msg)
{
	struct pd_stamp s = f->ts.queue[0];
	struct timespec times[3] = { { s.at_ns / NS_PER_SEC, s.at_ns % NS_PER_SEC } };
	struct {
		struct sock_extended_err ee;
		struct sockaddr_in6 offender;
	} err = { .ee = {
		.ee_errno = ENOMSG, .ee_origin = SO_EE_ORIGIN_TIMESTAMPING, .ee_info = s.what, .ee_data = s.key,
	} };
	bool v4 = f->domain == AF_INET;
	size_t used = 0;

	if (!f->ts.queued)
		return false;
	memmove(f->ts.queue, f->ts.queue + 1, (size_t)--f->ts.queued * sizeof(s));
	msg->msg_flags = MSG_ERRQUEUE;
	/* The data itself comes too, unless not wanted; there is no room for it here. */
	if (!(f->ts.flags & SOF_TIMESTAMPING_OPT_TSONLY))
		msg->msg_flags |= MSG_TRUNC;
	msg->msg_namelen = 0;
	if (f->ts.flags & SOF_TIMESTAMPING_SOFTWARE)
		put(msg, &used, SOL_SOCKET, SCM_TIMESTAMPING, times, sizeof(times));
	put(msg, &used, v4 ? SOL_IP : SOL_IPV6, v4 ? IP_RECVERR : IPV6_RECVERR, &err,
	    sizeof(err.ee) + (v4 ? sizeof(struct sockaddr_in) : sizeof(err.offender)));
	msg->msg_controllen = used;
	return true;
}
