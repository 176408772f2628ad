/* redirect_control.c - control messages to the program. */
#include "interpose/redirect_control.h"

#include <errno.h>
#include <linux/net_tstamp.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "interpose/memory.h"
#include "proto/stack_proto.h"
#include "run/sys.h"

void control_put(struct control *c, int level, int type, const void *data, size_t n)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(128)];
	} msg = { .head = { .cmsg_len = CMSG_LEN(n), .cmsg_level = level, .cmsg_type = type } };
	size_t fits = c->room - c->used, want = CMSG_LEN(n);

	if (fits < sizeof(struct cmsghdr)) {
		c->m->msg_flags |= MSG_CTRUNC;
		return;
	}
	memcpy(CMSG_DATA(&msg.head), data, n);
	if (fits < want) {
		c->m->msg_flags |= MSG_CTRUNC;
		want = fits;
		msg.head.cmsg_len = want;
	}
	if (!memory_write((char *)c->m->msg_control + c->used, &msg, want))
		return;
	c->used += CMSG_SPACE(n) < fits ? CMSG_SPACE(n) : fits;
}

/* As __sock_recv_timestamp(). */
void control_put_times(struct control *c, uint32_t flags, int64_t ns)
{
	struct timespec ts = { ns / 1000000000, ns % 1000000000 }, stamp[3] = { ts };
	struct timeval tv = { ts.tv_sec, ts.tv_nsec / 1000 };
	bool new = flags & STACK_DGRAM_TIME_NEW;

	if ((flags & STACK_DGRAM_TIME) && (flags & STACK_DGRAM_TIME_NS))
		control_put(c, SOL_SOCKET, new ? NEW_TIME_NS : SCM_TIMESTAMPNS, &ts, sizeof(ts));
	else if (flags & STACK_DGRAM_TIME)
		control_put(c, SOL_SOCKET, new ? NEW_TIME : SCM_TIMESTAMP, &tv, sizeof(tv));
	if (flags & STACK_DGRAM_STAMP)
		control_put(c, SOL_SOCKET, new ? NEW_STAMP : SCM_TIMESTAMPING, stamp, sizeof(stamp));
}

int control_each(const struct msghdr *m, int (*fn)(void *ctx, const struct cmsghdr *c), void *ctx)
{
	union {
		struct cmsghdr head;
		char room[512];
	} copy;
	struct msghdr h = { .msg_control = &copy, .msg_controllen = m->msg_controllen };
	int err = 0;

	if (!m->msg_controllen)
		return 0;
	if (m->msg_controllen > sizeof(copy))
		return -ENOBUFS;
	if (!memory_read(&copy, m->msg_control, m->msg_controllen))
		return -EFAULT;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c && !err; c = sys_cmsg_next(&h, c)) {
		if (c->cmsg_len < CMSG_LEN(0) || c->cmsg_len > (size_t)((char *)&copy + m->msg_controllen - (char *)c))
			return -EINVAL;
		err = fn(ctx, c);
	}
	return err;
}

int control_take_stamping(const struct cmsghdr *c, uint32_t *what)
{
	const uint32_t record = SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED |
				SOF_TIMESTAMPING_TX_ACK | 1u << 18 /* SOF_TIMESTAMPING_TX_COMPLETION */;

	if (c->cmsg_len != CMSG_LEN(sizeof(*what)))
		return -EINVAL;
	memcpy(what, CMSG_DATA(c), sizeof(*what));
	return *what & ~record ? -EINVAL : 0;
}
