/* netlink_call.c - calls on a program's sock_diag socket, on their way to the kernel: what netlink.h needs to know of. */
#include "interpose/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "interpose/hook.h"
#include "interpose/memory.h"
#include "interpose/netlink_route.h"
#include "interpose/redirect.h"
#include "run/sys.h"

#define HIGH_FD 512
#define IOVS_MAX 1024	/* as the kernel has it */

/* A conversation with the host, where programs do not look for their descriptors. */
static int open_host(uint32_t groups, int bell)
{
	struct client_request q = {
		.op = STACK_OP_DIAG, .arg = { groups }, .want_fd = true, .send_fd = bell > 0 ? bell : 0,
	};
	int err, high;

	/* A host that is not there yet has no sockets to show. */
	if (hook_sandboxed || hook_vforked || !client_reach())
		return -ENETDOWN;
	err = client_ask(&q);
	if (err || q.fd < 0)
		return err ? err : -EMFILE;
	high = (int)sys(SYS_fcntl, q.fd, F_DUPFD_CLOEXEC, HIGH_FD);
	if (high < 0)
		return q.fd;
	sys(SYS_close, q.fd);
	return high;
}

bool netlink_alone;

void sockshim_kernel_alone(void)
{
	netlink_alone = true;
	netlink_host = NULL;
}

void netlink_enter(int fd, const struct run_socket *s)
{
	if (netlink_alone)
		return;
	netlink_host = open_host;
	if (netlink_watched(s->cookie))
		socktab_set_special(&hook.tab, fd, true);
}

/* The program's header, copied: it may be anything, and is read more than once. */
static bool copy_header(struct msghdr *to, uint64_t from)
{
	return memory_read(to, (const void *)(uintptr_t)from, sizeof(*to)) && to->msg_iovlen <= IOVS_MAX;
}

static bool receive(enum call_id id, int fd, const uint64_t *a, ssize_t *r)
{
	struct msghdr m = { 0 };

	switch (id) {
	case CALL_recvmsg:
		if (!copy_header(&m, a[1]) || !netlink_receive(fd, &m, (int)a[2], r))
			return false;
		if (*r >= 0)
			memory_write((void *)(uintptr_t)a[1], &m, sizeof(m));
		return true;
	case CALL_readv:
		m.msg_iov = (struct iovec *)(uintptr_t)a[1];
		m.msg_iovlen = (size_t)a[2];
		return m.msg_iovlen <= IOVS_MAX && netlink_receive(fd, &m, 0, r);
	case CALL_recv:
	case CALL_recvfrom:
		return netlink_receive_bytes(fd, (void *)(uintptr_t)a[1], (size_t)a[2], (int)a[3],
					     id == CALL_recvfrom ? (struct sockaddr *)(uintptr_t)a[4] : NULL,
					     id == CALL_recvfrom ? (socklen_t *)(uintptr_t)a[5] : NULL, r);
	case CALL_read:
		return netlink_receive_bytes(fd, (void *)(uintptr_t)a[1], (size_t)a[2], 0, NULL, NULL, r);
	default:
		return false;
	}
}

/* The kernel has taken it, so what it points to can be read. */
static void made(enum call_id id, int fd, const uint64_t *a, long r)
{
	struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)a[1], .msg_iovlen = (size_t)a[2] };

	switch (id) {
	case CALL_sendmsg:
		netlink_sent(fd, (const struct msghdr *)(uintptr_t)a[1], (size_t)r);
		break;
	case CALL_writev:
		netlink_sent(fd, &m, (size_t)r);
		break;
	case CALL_send:
	case CALL_sendto:
	case CALL_write:
		netlink_sent_bytes(fd, (const void *)(uintptr_t)a[1], (size_t)r);
		break;
	case CALL_bind:
		netlink_bound(fd, (const struct sockaddr *)(uintptr_t)a[1], (socklen_t)a[2]);
		break;
	case CALL_setsockopt:
		netlink_option(fd, (int)a[1], (int)a[2], (const void *)(uintptr_t)a[3], (socklen_t)a[4]);
		break;
	default:
		break;
	}
}

/* Copies what a call sends, if that is short; how many bytes it is, 0: it is none, or long, or cannot be read. */
static size_t copy_sent(enum call_id id, const uint64_t *a, void *to, size_t max)
{
	const struct iovec *iov = NULL;
	struct msghdr m = { 0 };
	size_t n = 0, count = 0;

	switch (id) {
	case CALL_send:
	case CALL_sendto:
	case CALL_write:
		n = (size_t)a[2];
		return n <= max && memory_read(to, (const void *)(uintptr_t)a[1], n) ? n : 0;
	case CALL_writev:
		iov = (const struct iovec *)(uintptr_t)a[1];
		count = (size_t)a[2];
		break;
	case CALL_sendmsg:
		if (!copy_header(&m, a[1]))
			return 0;
		iov = m.msg_iov;
		count = m.msg_iovlen;
		break;
	default:
		return 0;
	}
	for (size_t i = 0; i < count; i++) {
		struct iovec part;

		if (!memory_read(&part, &iov[i], sizeof(part)) || part.iov_len > max - n ||
		    !memory_read((char *)to + n, part.iov_base, part.iov_len))
			return 0;
		n += part.iov_len;
	}
	return n;
}

/* Sends other bytes than the call would. */
static long send_instead(enum call_id id, const uint64_t *a, void *request, size_t len)
{
	struct iovec iov = { request, len };
	struct msghdr m = { 0 };
	uint64_t b[CALL_ARGS_MAX];

	memcpy(b, a, sizeof(b));
	b[1] = (uint64_t)(uintptr_t)request;
	if (id == CALL_writev) {
		b[1] = (uint64_t)(uintptr_t)&iov;
		b[2] = 1;
	} else if (id == CALL_sendmsg && copy_header(&m, a[1])) {
		m.msg_iov = &iov;
		m.msg_iovlen = 1;
		b[1] = (uint64_t)(uintptr_t)&m;
	}
	return libc_call(id, b);
}

/* Whether it is a SOCK_DESTROY that had to be told which socket is meant: *r is its result. */
static bool send_aimed(enum call_id id, int fd, const uint64_t *a, long *r)
{
	_Alignas(8) char request[NETLINK_AIM_MAX];
	size_t len = copy_sent(id, a, request, sizeof(request));

	if (!len || !netlink_aim(request, len))
		return false;
	*r = send_instead(id, a, request, len);
	if (*r >= 0)
		netlink_sent_bytes(fd, request, (size_t)*r);
	return true;
}

long netlink_call(enum call_id id, int fd, const uint64_t *a)
{
	const struct run_socket *s = hook_socket(fd);
	ssize_t r;
	long sent;

	if (s && sockshim_cookie_protocol(s->cookie) == NETLINK_ROUTE)
		return netlink_route_made(id, fd, a, libc_call(id, a));
	if (receive(id, fd, a, &r))
		return r;
	if (send_aimed(id, fd, a, &sent))
		return sent;
	r = libc_call(id, a);
	if (r >= 0)
		made(id, fd, a, r);
	return r;
}
