/* A conversation in sock_diag: sockets, and whose datagrams to believe. */
#include "client/conn.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SILENCE_SECONDS 10
#define EVENT_BUFFER_BYTES (1 << 20) /* events queue up while we print; a dump waits for its reader */

static struct diag_err set_silence(int fd)
{
	struct timeval tv = { .tv_sec = SILENCE_SECONDS };

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) < 0)
		return diag_err_sys(errno);
	return DIAG_OK;
}

static struct diag_err open_netlink(struct diag_conn *c, uint32_t groups)
{
	struct diag_err e;

	memset(c, 0, sizeof(*c));
	c->fd = -1;
	c->nl = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	if (!c->nl)
		return diag_err_sys(errno);
	if (mnl_socket_bind(c->nl, groups, MNL_SOCKET_AUTOPID) < 0) {
		e = diag_err_sys(errno);
		diag_conn_close(c);
		return e;
	}
	c->fd = mnl_socket_get_fd(c->nl);
	c->portid = mnl_socket_get_portid(c->nl);
	c->seq = (uint32_t)time(NULL);
	return DIAG_OK;
}

struct diag_err diag_conn_open(struct diag_conn *c)
{
	struct diag_err e = open_netlink(c, 0);

	if (!diag_failed(e))
		e = set_silence(c->fd);
	if (diag_failed(e))
		diag_conn_close(c);
	return e;
}

struct diag_err diag_conn_open_events(struct diag_conn *c, uint32_t groups)
{
	struct diag_err e = open_netlink(c, groups);
	int bytes = EVENT_BUFFER_BYTES;

	/* Without the right to go beyond rmem_max a smaller queue still works. */
	if (!diag_failed(e) && setsockopt(c->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	return e;
}

struct diag_err diag_conn_from_fd(struct diag_conn *c, int fd)
{
	struct diag_err e;

	memset(c, 0, sizeof(*c));
	c->fd = fd;
	c->seq = (uint32_t)time(NULL);
	e = set_silence(fd);
	if (diag_failed(e))
		diag_conn_close(c);
	return e;
}

struct diag_err diag_conn_open_path(struct diag_conn *c, const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd;

	memset(c, 0, sizeof(*c));
	c->fd = -1;
	if (strlen(path) >= sizeof(sun.sun_path))
		return diag_err_sys(ENAMETOOLONG);
	strcpy(sun.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return diag_err_sys(errno);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
		struct diag_err e = diag_err_sys(errno);

		close(fd);
		return e;
	}
	return diag_conn_from_fd(c, fd);
}

void diag_conn_close(struct diag_conn *c)
{
	if (c->nl)
		mnl_socket_close(c->nl);
	else if (c->fd >= 0)
		close(c->fd);
	c->nl = NULL;
	c->fd = -1;
}

void diag_conn_set_tap(struct diag_conn *c, diag_tap_fn tap, void *arg)
{
	c->tap = tap;
	c->tap_arg = arg;
}

struct diag_err diag_conn_send(struct diag_conn *c, struct diag_req *r)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	ssize_t n;

	r->nlh->nlmsg_seq = ++c->seq;
	do
		n = sendto(c->fd, r->nlh, r->nlh->nlmsg_len, MSG_NOSIGNAL,
			   c->nl ? (struct sockaddr *)&kernel : NULL, c->nl ? sizeof(kernel) : 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? diag_err_sys(errno) : DIAG_OK;
}

struct diag_err diag_conn_recv(struct diag_conn *c, void *buf, size_t size, size_t *len)
{
	struct sockaddr_nl from;
	struct iovec iov = { .iov_base = buf, .iov_len = size };
	struct msghdr msg;
	ssize_t n;

	*len = 0;
	for (;;) {
		msg = (struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1 };
		if (c->nl) {
			msg.msg_name = &from;
			msg.msg_namelen = sizeof(from);
		}
		n = recvmsg(c->fd, &msg, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return diag_err_sys(errno == EAGAIN ? ETIMEDOUT : errno);
		if (c->nl && (msg.msg_namelen != sizeof(from) || from.nl_pid != 0))
			continue;
		if (n == 0)
			return diag_err_sys(ECONNRESET);
		if (c->tap)
			c->tap(buf, (size_t)n, c->tap_arg);
		*len = (size_t)n;
		return msg.msg_flags & MSG_TRUNC ? diag_err_nle(DIAG_NLE_MSG_TRUNC) : DIAG_OK;
	}
}
