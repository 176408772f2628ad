/* Calls that move data. */
#include "packetdrill/adapter.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/sendfile.h>

static size_t iov_len(const struct iovec *iov, int cnt)
{
	size_t n = 0;

	for (int i = 0; i < cnt; i++)
		n += iov[i].iov_len;
	return n;
}

/* The vector after its first @skip bytes; @room entries at most. */
static int iov_from(const struct iovec *iov, int cnt, size_t skip, struct iovec *out)
{
	int n = 0;

	for (int i = 0; i < cnt; i++) {
		if (skip >= iov[i].iov_len) {
			skip -= iov[i].iov_len;
			continue;
		}
		out[n].iov_base = (char *)iov[i].iov_base + skip;
		out[n++].iov_len = iov[i].iov_len - skip;
		skip = 0;
	}
	return n;
}

enum {
	PD_SYN_SENT = 2,	/* as tcp_info has it */
	ZEROCOPY_PIECES = 17,	/* Linux's MAX_SKB_FRAGS */
};

struct io {
	struct pd *pd;
	struct pd_file *f;
	const struct iovec *iov;
	int cnt;
	int flags;
};

static ssize_t receive(const struct io *io, struct read_msg *m)
{
	struct pd_file *f = io->f;
	size_t got = 0, want = iov_len(io->iov, io->cnt);
	bool wait = !f->nonblock && !(io->flags & MSG_DONTWAIT);
	struct iovec rest[UIO_MAXIOV];
	enum ns_err err;

	if (io->flags & MSG_ERRQUEUE)
		return pd_errno(EAGAIN);
	for (;;) {
		m->iov = rest;
		m->iovcnt = iov_from(io->iov, io->cnt, got, rest);
		m->oob = io->flags & MSG_OOB;
		err = io->flags & MSG_PEEK ? endpoint_peek(f->ep, m) : endpoint_read(f->ep, m);
		if (!err) {
			got += m->n;
			if (f->type == SOCK_STREAM && !(io->flags & MSG_PEEK))
				endpoint_moderate_recv_buf(f->ep, m->n);
			if (!(io->flags & MSG_WAITALL) || io->flags & (MSG_PEEK | MSG_OOB) || got >= want)
				return (ssize_t)got;
			continue;
		}
		if (got)
			if (err != NS_ERR_WOULD_BLOCK || !wait ||
			    pd_wait_for(io->pd, f, WAIT_IN, f->rcv_timeout_ns))
				return (ssize_t)got;
		if (got)
			continue;
		if (err == NS_ERR_CLOSED_FOR_RECEIVE)
			return 0;
		if (err != NS_ERR_WOULD_BLOCK || !wait || m->oob)
			return pd_fail(err);
		if (pd_wait_for(io->pd, f, WAIT_IN, f->rcv_timeout_ns))
			return -1;
	}
}

static ssize_t transmit(const struct io *io, const struct full_addr *to)
{
	struct pd_file *f = io->f;
	size_t sent = 0, n, want = iov_len(io->iov, io->cnt);
	bool wait = !f->nonblock && !(io->flags & MSG_DONTWAIT);
	struct write_opts o = {
		.to = to, .more = io->flags & MSG_MORE, .end_of_record = io->flags & MSG_EOR,
		.oob = io->flags & MSG_OOB, .fast_open = io->flags & MSG_FASTOPEN, .waits = wait,
	};
	struct iovec rest[UIO_MAXIOV];
	enum ns_err err;

	for (;;) {
		int cnt = iov_from(io->iov, io->cnt, sent, rest);

		n = 0;
		err = endpoint_write(f->ep, rest, cnt, &o, &n);
		sent += n;
		f->zc.written += n;
		o.fast_open = false;
		if (err == NS_ERR_CONNECT_STARTED && !wait)
			return pd_fail(err);
		/* It connects: a call that may block sees the end of that (RFC 7413). */
		if (f->type == SOCK_STREAM && wait && (!err || err == NS_ERR_CONNECT_STARTED) &&
		    endpoint_state(f->ep) == PD_SYN_SENT) {
			if (pd_await_connect(io->pd, f))
				return -1;
			if (err)
				continue;
		}
		if (!err && (sent >= want || f->type != SOCK_STREAM))
			return (ssize_t)sent;
		if (!err && n)
			continue;	/* it takes what it has room for: ask for the rest */
		if (err && err != NS_ERR_WOULD_BLOCK)
			return sent ? (ssize_t)sent : pd_fail(err);
		if (!wait)
			return sent ? (ssize_t)sent : pd_errno(EAGAIN);
		if (pd_wait_for(io->pd, f, WAIT_OUT, f->snd_timeout_ns))
			return sent ? (ssize_t)sent : -1;
	}
}

/* What is not copied Linux has as pieces of a packet, of which there is room for so many: a new packet then. */
static ssize_t transmit_pieces(const struct io *io)
{
	struct io part = *io;
	size_t sent = 0;

	part.flags |= MSG_EOR;
	for (int at = 0; at < io->cnt; at += ZEROCOPY_PIECES) {
		ssize_t rc;

		part.iov = io->iov + at;
		part.cnt = io->cnt - at < ZEROCOPY_PIECES ? io->cnt - at : ZEROCOPY_PIECES;
		rc = transmit(&part, NULL);
		if (rc < 0)
			return sent ? (ssize_t)sent : rc;
		sent += (size_t)rc;
		if ((size_t)rc < iov_len(part.iov, part.cnt))
			break;
	}
	return (ssize_t)sent;
}

/* Checks what all of them check; false with errno set. */
static bool io_begin(struct io *io, void *u, int fd)
{
	io->pd = pd_enter(u);
	io->f = pd_socket_get(io->pd, fd);
	if (!io->f)
		return false;
	if (io->cnt < 0 || io->cnt > UIO_MAXIOV) {
		errno = EMSGSIZE;
		return false;
	}
	for (int i = 0; i < io->cnt; i++)
		if (!io->iov[i].iov_base && io->iov[i].iov_len) {
			errno = EFAULT;
			return false;
		}
	return true;
}

static ssize_t io_end(struct io *io, ssize_t rc)
{
	if (io->f)
		pd_file_put(io->f);
	pd_leave(io->pd);
	return rc;
}

static ssize_t recv_iov(void *u, int fd, const struct iovec *iov, int cnt, int flags,
			struct sockaddr *sa, socklen_t *len, int *out_flags)
{
	struct io io = { .iov = iov, .cnt = cnt, .flags = flags };
	struct read_msg m = { 0 };
	ssize_t rc = -1;

	if (io_begin(&io, u, fd)) {
		rc = receive(&io, &m);
		if (rc >= 0 && io.f->type == SOCK_DGRAM)
			pd_addr_out(io.f, &m.from, sa, len);
		else if (len)
			*len = 0;
		if (rc >= 0 && out_flags)
			*out_flags = (io.f->type == SOCK_DGRAM && m.msg_len > m.n ? MSG_TRUNC : 0) |
				     (flags & MSG_OOB);
	}
	return io_end(&io, rc);
}

static ssize_t send_iov(void *u, int fd, const struct iovec *iov, int cnt, int flags,
			const struct sockaddr *sa, socklen_t len)
{
	struct io io = { .iov = iov, .cnt = cnt, .flags = flags };
	struct full_addr to;
	ssize_t rc = -1;

	if (io_begin(&io, u, fd)) {
		bool has_to = sa && (io.f->type == SOCK_DGRAM || flags & MSG_FASTOPEN);

		if (flags & MSG_FASTOPEN)
			pd_sysctls(io.pd);
		if (has_to && io.f->type == SOCK_STREAM && len >= sizeof(sa->sa_family) &&
		    sa->sa_family == AF_UNSPEC)
			return io_end(&io, pd_errno(EOPNOTSUPP));

		if (!has_to && flags & MSG_ZEROCOPY && io.f->zc.enabled && io.f->type == SOCK_STREAM)
			rc = cnt ? transmit_pieces(&io) : 0;
		else if (!has_to || pd_addr_in(io.f, sa, len, &to))
			rc = transmit(&io, has_to ? &to : NULL);
		if (rc > 0)
			pd_timestamp_sent(io.f);
		if (rc > 0 && flags & MSG_ZEROCOPY)
			pd_zerocopy_sent(io.f);
	}
	return io_end(&io, rc);
}

static bool is_ours(void *u, int fd)
{
	struct pd *pd = pd_enter(u);
	bool ours = fd >= 0 && fd < PD_MAX_FD && pd->files[fd];

	pd_leave(pd);
	return ours;
}

ssize_t pd_read(void *u, int fd, void *buf, size_t n)
{
	struct iovec iov = { buf, n };

	return is_ours(u, fd) ? recv_iov(u, fd, &iov, 1, 0, NULL, NULL, NULL) : read(fd, buf, n);
}

ssize_t pd_readv(void *u, int fd, const struct iovec *iov, int cnt)
{
	return is_ours(u, fd) ? recv_iov(u, fd, iov, cnt, 0, NULL, NULL, NULL) : readv(fd, iov, cnt);
}

ssize_t pd_recv(void *u, int fd, void *buf, size_t n, int flags)
{
	struct iovec iov = { buf, n };

	return recv_iov(u, fd, &iov, 1, flags, NULL, NULL, NULL);
}

ssize_t pd_recvfrom(void *u, int fd, void *buf, size_t n, int flags, struct sockaddr *sa,
		    socklen_t *len)
{
	struct iovec iov = { buf, n };

	return recv_iov(u, fd, &iov, 1, flags, sa, len, NULL);
}

/* TCP_INQ: what is left to read, and one more at the end of the stream. */
static void tell_inq(void *u, int fd, struct msghdr *msg, ssize_t rc)
{
	struct pd *pd = pd_enter(u);
	struct pd_file *f = pd_file_get(pd, fd);
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	int64_t left = 0;
	int inq;

	if (!f || !f->inq || rc < 0 || !c || msg->msg_controllen < CMSG_SPACE(sizeof(inq))) {
		msg->msg_controllen = 0;
	} else {
		endpoint_get_int(f->ep, SOCKOPT_RECEIVE_QUEUE_SIZE, &left);
		inq = (int)left;
		if (!inq && endpoint_readiness(f->ep, WAIT_IN) & WAIT_IN)
			inq = 1;
		c->cmsg_level = IPPROTO_TCP;
		c->cmsg_type = TCP_CM_INQ;
		c->cmsg_len = CMSG_LEN(sizeof(inq));
		memcpy(CMSG_DATA(c), &inq, sizeof(inq));
		msg->msg_controllen = CMSG_SPACE(sizeof(inq));
	}
	if (f)
		pd_file_put(f);
	pd_leave(pd);
}

static ssize_t recv_error(void *u, int fd, struct msghdr *msg)
{
	struct pd *pd = pd_enter(u);
	struct pd_file *f = pd_socket_get(pd, fd);
	ssize_t rc = f && (pd_zerocopy_report(f, msg) || pd_timestamp_report(f, msg)) ? 0 : -1;

	if (f && rc)
		errno = EAGAIN;
	if (f)
		pd_file_put(f);
	pd_leave(pd);
	return rc;
}

ssize_t pd_recvmsg(void *u, int fd, struct msghdr *msg, int flags)
{
	ssize_t rc;

	if (!msg)
		return pd_errno(EFAULT);
	msg->msg_flags = 0;
	if (flags & MSG_ERRQUEUE)
		return recv_error(u, fd, msg);
	rc = recv_iov(u, fd, msg->msg_iov, (int)msg->msg_iovlen, flags, msg->msg_name, &msg->msg_namelen,
		      &msg->msg_flags);
	tell_inq(u, fd, msg, rc);
	return rc;
}

ssize_t pd_write(void *u, int fd, const void *buf, size_t n)
{
	struct iovec iov = { (void *)buf, n };

	return is_ours(u, fd) ? send_iov(u, fd, &iov, 1, 0, NULL, 0) : write(fd, buf, n);
}

ssize_t pd_writev(void *u, int fd, const struct iovec *iov, int cnt)
{
	return is_ours(u, fd) ? send_iov(u, fd, iov, cnt, 0, NULL, 0) : writev(fd, iov, cnt);
}

ssize_t pd_send(void *u, int fd, const void *buf, size_t n, int flags)
{
	struct iovec iov = { (void *)buf, n };

	return send_iov(u, fd, &iov, 1, flags, NULL, 0);
}

ssize_t pd_sendto(void *u, int fd, const void *buf, size_t n, int flags, const struct sockaddr *sa,
		  socklen_t len)
{
	struct iovec iov = { (void *)buf, n };

	return send_iov(u, fd, &iov, 1, flags, sa, len);
}

ssize_t pd_sendmsg(void *u, int fd, const struct msghdr *msg, int flags)
{
	if (!msg)
		return pd_errno(EFAULT);
	return send_iov(u, fd, msg->msg_iov, (int)msg->msg_iovlen, flags, msg->msg_name,
			msg->msg_namelen);
}

int pd_pipe(void *u, int fds[2])
{
	(void)u;
	return pipe(fds);
}

enum { COPY_MAX = 65536 };

/* From a file or pipe of the kernel's to a socket; a pipe's rest would be lost, so all is sent. */
static ssize_t copy_to_socket(void *u, int in, loff_t *off, int out, size_t n)
{
	ssize_t total = 0;

	while (n) {
		char buf[COPY_MAX];
		size_t want = n < sizeof(buf) ? n : sizeof(buf);
		ssize_t got = off ? pread(in, buf, want, *off) : read(in, buf, want), sent;

		if (got <= 0)
			return total ? total : got;
		sent = pd_send(u, out, buf, (size_t)got, n > (size_t)got ? MSG_MORE : 0);
		if (sent < 0)
			return total ? total : sent;
		if (off)
			*off += sent;
		total += sent;
		n -= (size_t)sent;
		if (sent < got || (size_t)got < want)
			break;
	}
	return total;
}

/* Linux's splice() does not pass an urgent byte over: it ends there, and says nothing. */
static bool at_urgent(void *u, int fd)
{
	struct pd *pd = pd_enter(u);
	struct pd_file *f = pd_socket_get(pd, fd);
	int64_t at = 0;

	if (f) {
		endpoint_get_int(f->ep, SOCKOPT_AT_MARK, &at);
		pd_file_put(f);
	}
	pd_leave(pd);
	return at;
}

ssize_t pd_splice(void *u, int in, loff_t *off_in, int out, loff_t *off_out, size_t n, unsigned flags)
{
	char buf[COPY_MAX];
	ssize_t got;

	if (is_ours(u, out))
		return copy_to_socket(u, in, off_in, out, n);
	if (!is_ours(u, in))
		return splice(in, off_in, out, off_out, n, flags);
	if (at_urgent(u, in))
		return 0;
	got = pd_recv(u, in, buf, n < sizeof(buf) ? n : sizeof(buf),
		      flags & SPLICE_F_NONBLOCK ? MSG_DONTWAIT : 0);
	return got > 0 ? write(out, buf, (size_t)got) : got;
}

ssize_t pd_sendfile(int out, int in, off_t *off, size_t n)
{
	if (!pd_current || !is_ours(pd_current, out))
		return sendfile(out, in, off, n);
	return copy_to_socket(pd_current, in, off, out, n);
}
