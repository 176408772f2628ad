/* redirect_stream.c - sending and receiving on redirected streams.
 *
 * The bytes go over the pair as they are. What the pair can't say is how a stream came to its end: what it
 * says of an end is looked up on the board before it is passed on.
 */
#include "interpose/redirect.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>

#include "interpose/memory.h"
#include "interpose/redirect_bell.h"
#include "interpose/redirect_control.h"
#include "run/sys.h"

#define BULK_BYTES 32768
#define PAIR_BYTES 524288

/* A pipe that is broken raises SIGPIPE as the call would have, once the errno is known. */
static long broken(int flags)
{
	if (!(flags & MSG_NOSIGNAL))
		sys(SYS_tgkill, sys(SYS_getpid, 0), sys(SYS_gettid, 0), SIGPIPE);
	return -EPIPE;
}

static int pending_error(const struct target *t)
{
	return t->e && __atomic_load_n(&t->e->error, __ATOMIC_ACQUIRE) ? redirect_take_error(t) : 0;
}

static long send_ended(const struct target *t, int flags)
{
	int err = pending_error(t);

	if (err && err != EPIPE)
		return -err;
	return client_host_gone() ? -ENETDOWN : broken(flags);
}

/* tcp_sendmsg(): of SOL_SOCKET's alone it knows some. */
static int take_control_message(void *ctx, const struct cmsghdr *c)
{
	int64_t *record = ctx;
	uint32_t what;

	if (c->cmsg_level != SOL_SOCKET)
		return 0;
	switch (c->cmsg_type) {
	case SCM_TIMESTAMPING:
	case NEW_STAMP:
		if (control_take_stamping(c, &what))
			return -EINVAL;
		*record = what;
		return 0;
	case SCM_RIGHTS:
	case SCM_CREDENTIALS:
	case SO_MARK:
	case SO_PRIORITY:
		return 0;
	default:
		return -EINVAL;
	}
}

/* The address of a header, which a stream has no use for, but the kernel looks at, and its control messages: *record is what is
 * to be recorded of this write. */
static int check_header(const struct msghdr *m, int64_t *record)
{
	struct sockaddr_storage ss;

	if (m->msg_name && m->msg_namelen && m->msg_namelen <= sizeof(ss) && !memory_read(&ss, m->msg_name, m->msg_namelen))
		return -EFAULT;
	return control_each(m, take_control_message, record);
}

/* What is written to a pair before there is a connection would be lost: its buffer is full of what the host throws away,
 * but for a few bytes that the kernel allows beyond it. */
static int wait_to_send(const struct target *t, int flags)
{
	int err;

	if ((flags & MSG_DONTWAIT) || redirect_nonblocking(t->fd))
		return -EAGAIN;
	err = redirect_wait_connected(t);
	return err == -ETIMEDOUT ? -EAGAIN : err;
}

/* Who writes that much at once means to write more: the pair's buffer, which costs nothing while it is empty, may be
 * larger. What the program sets as its own SO_SNDBUF is the host's. */
static void widen(const struct target *t)
{
	int bytes = PAIR_BYTES;

	if (__atomic_load_n(&t->s->stack_flags, __ATOMIC_RELAXED) & REDIRECT_WIDENED)
		return;
	__atomic_fetch_or(&t->s->stack_flags, REDIRECT_WIDENED, __ATOMIC_RELAXED);
	if (board_state(t->e) == STACK_BOARD_CONNECTED)
		sys(SYS_setsockopt, t->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

static bool has_flag(const struct target *t, uint32_t flag)
{
	return t->e && __atomic_load_n(&t->e->flags, __ATOMIC_ACQUIRE) & flag;
}

static long send_bytes(const struct target *t, const struct msghdr *m, int flags)
{
	ssize_t r;

	if (m->msg_flags & REDIRECT_OWN)
		r = LIBC(send)(t->fd, m->msg_iov->iov_base, m->msg_iov->iov_len, flags | MSG_NOSIGNAL);
	else
		r = LIBC(sendmsg)(t->fd, m, flags | MSG_NOSIGNAL);
	if (LIKELY(r >= 0))
		return r;
	if (errno == EPIPE || errno == ECONNRESET)
		return send_ended(t, flags);
	return -errno;
}

/* How many bytes a vector says that it is; what cannot be read is for the call itself to say. */
static size_t bytes_of(const struct msghdr *m)
{
	size_t n = 0;

	if (m->msg_flags & REDIRECT_OWN)
		return m->msg_iov->iov_len;
	for (size_t i = 0; i < m->msg_iovlen; i++) {
		struct iovec v;

		if (!memory_read(&v, &m->msg_iov[i], sizeof(v)))
			break;
		n += v.iov_len;
	}
	return n;
}

/* Announced before, so that the host does not come upon the bytes first; and again if there were fewer. */
static long send_stamped(const struct target *t, const struct msghdr *m, int flags, int64_t record)
{
	size_t n = bytes_of(m);
	struct client_request q = { .op = STACK_OP_STAMP, .cookie = t->s->stack_cookie, .arg = { (int64_t)n, record, -1, 0 } };
	int err = n ? client_ask(&q) : -EINVAL;
	long r;

	if (!err && record >= 0)
		redirect_bells_for(t->s);
	r = send_bytes(t, m, flags);
	if (!err && r < (long)n)
		client_ask(&(struct client_request){ .op = STACK_OP_STAMP, .cookie = t->s->stack_cookie,
						     .arg = { (int64_t)n, record, q.arg[0], (int64_t)n - (r > 0 ? r : 0) } });
	return r;
}

/* A write of which the host is to know. */
static long send_noted(const struct target *t, const struct msghdr *m, int flags, int64_t record)
{
	bool zerocopy = flags & MSG_ZEROCOPY, stamped = record >= 0 || has_flag(t, STACK_BOARD_STAMPS);
	long r;

	flags &= ~(MSG_ZEROCOPY | MSG_CONFIRM);
	r = stamped ? send_stamped(t, m, flags, record) : send_bytes(t, m, flags);
	if (r > 0 && zerocopy)
		redirect_ask(t, STACK_OP_COPIED, 0, 0);
	return r;
}

long stream_send(const struct target *t, struct msghdr *m, int flags)
{
	enum stack_board_state state = t->e ? board_state(t->e) : STACK_BOARD_CLOSED;
	int64_t record = -1;
	int err;

	if (UNLIKELY(flags & MSG_FASTOPEN))
		return stream_send_fastopen(t, m, flags);
	if (UNLIKELY(state == STACK_BOARD_CONNECTING)) {
		err = wait_to_send(t, flags);
		if (err)
			return err;
		state = board_state(t->e);
	}
	if (UNLIKELY(state == STACK_BOARD_NEW || state == STACK_BOARD_LISTENING || state == STACK_BOARD_CLOSED))
		return send_ended(t, flags);
	if (UNLIKELY(t->e && __atomic_load_n(&t->e->error, __ATOMIC_ACQUIRE) && (err = redirect_take_error(t))))
		return -err;
	if (UNLIKELY(!(m->msg_flags & REDIRECT_OWN) && (err = check_header(m, &record))))
		return err;
	/* What a unix socket would take for an address to refuse, or for descriptors to pass on. */
	m->msg_name = NULL;
	m->msg_namelen = 0;
	m->msg_control = NULL;
	m->msg_controllen = 0;
	if (UNLIKELY((m->msg_flags & REDIRECT_OWN) && m->msg_iov->iov_len >= BULK_BYTES))
		widen(t);
	if (UNLIKELY(record >= 0 || has_flag(t, STACK_BOARD_STAMPS | STACK_BOARD_COPIES)))
		return send_noted(t, m, flags, record);
	return send_bytes(t, m, flags & ~(MSG_ZEROCOPY | MSG_CONFIRM));
}

/* The pair has come to its end: by FIN, or by what SO_ERROR says, or because the host is gone. */
static long recv_ended(const struct target *t)
{
	int err;

	/* After the peer's FIN there is nothing but the end, whatever comes later is for sends and SO_ERROR. */
	if (t->e && (__atomic_load_n(&t->e->flags, __ATOMIC_ACQUIRE) & STACK_BOARD_RCV_EOF))
		return 0;
	err = pending_error(t);
	if (err)
		return -err;
	return t->e && board_state(t->e) == STACK_BOARD_CONNECTED && client_host_gone() ? -ECONNRESET : 0;
}

/* MSG_TRUNC takes bytes off a TCP stream without storing them, which unix streams do not know. */
static long discard(const struct target *t, struct msghdr *m, int flags)
{
	static char sink[65536];	/* written by any, read by none */
	size_t want = 0, have = 0;
	struct iovec v;

	for (size_t i = 0; i < m->msg_iovlen; i++) {
		if (!memory_read(&v, &m->msg_iov[i], sizeof(v)))
			return -EFAULT;
		want += v.iov_len;
	}
	flags &= ~MSG_TRUNC;
	while (have < want) {
		size_t n = want - have < sizeof(sink) ? want - have : sizeof(sink);
		ssize_t r = LIBC(recv)(t->fd, sink, n, flags);

		if (r <= 0)
			return have ? (long)have : r < 0 && errno != ECONNRESET ? -errno : recv_ended(t);
		have += (size_t)r;
		if ((flags & MSG_PEEK) || ((size_t)r < n && !(flags & MSG_WAITALL)))
			break;
		if (!(flags & MSG_WAITALL))
			flags |= MSG_DONTWAIT;
	}
	return (long)have;
}

static long from_error_queue(const struct target *t, struct msghdr *m)
{
	return t->e ? dgram_recv(t, m, MSG_ERRQUEUE) : -EAGAIN;
}

static long recv_bytes(const struct target *t, struct msghdr *m, int flags)
{
	ssize_t r;

	m->msg_namelen = 0;
	m->msg_name = NULL;
	m->msg_control = NULL;
	m->msg_controllen = 0;
	if (UNLIKELY((flags & (MSG_TRUNC | MSG_OOB)) == MSG_TRUNC))
		return discard(t, m, flags);
	if (m->msg_flags & REDIRECT_OWN)
		r = LIBC(recv)(t->fd, m->msg_iov->iov_base, m->msg_iov->iov_len, flags);
	else
		r = LIBC(recvmsg)(t->fd, m, flags);
	if (LIKELY(r > 0))
		return r;
	if (r < 0)
		return errno == ECONNRESET || errno == EPIPE ? recv_ended(t) : -errno;
	for (size_t i = 0; i < m->msg_iovlen; i++)
		if (m->msg_iov[i].iov_len)
			return recv_ended(t);
	return 0;
}

/* When the last byte came, and how many are left, the host knows, if it sees how many are in the pair. */
static int ask_times(const struct target *t, long peeked, struct client_request *q)
{
	int fd = t->fd ? t->fd : (int)sys(SYS_fcntl, t->fd, F_DUPFD_CLOEXEC, 3);
	int err;

	*q = (struct client_request){ .op = STACK_OP_TIMES, .cookie = t->s->stack_cookie, .arg = { peeked }, .send_fd = fd };
	if (fd < 0)
		return fd;
	err = client_ask(q);
	if (fd != t->fd)
		sys(SYS_close, fd);
	return err;
}

/* With the control messages that come with a stream's bytes: tcp_recv_timestamp(), and TCP_INQ. */
static long recv_told(const struct target *t, struct msghdr *m, int flags)
{
	struct control c = { .m = m, .room = m->msg_control ? m->msg_controllen : 0 };
	struct client_request q;
	struct msghdr bare = *m;
	long r = recv_bytes(t, &bare, flags);
	int left;

	if (r < 0)
		return r;
	m->msg_flags = bare.msg_flags;
	m->msg_namelen = 0;
	/* Who reads nothing is told of what is next. */
	if (!ask_times(t, !r ? 1 : flags & MSG_PEEK ? r : 0, &q)) {
		left = (int)q.arg[2];
		if (q.arg[1])
			control_put_times(&c, (uint32_t)q.arg[0], q.arg[1]);
		if (q.arg[3])
			control_put(&c, IPPROTO_TCP, TCP_CM_INQ, &left, sizeof(left));
	}
	m->msg_controllen = c.used;
	return r;
}

long stream_recv(const struct target *t, struct msghdr *m, int flags)
{
	enum stack_board_state state = t->e ? board_state(t->e) : STACK_BOARD_CLOSED;
	int err;

	if (UNLIKELY(flags & MSG_ERRQUEUE))
		return from_error_queue(t, m);
	if (UNLIKELY(state == STACK_BOARD_NEW || state == STACK_BOARD_LISTENING ||
		     (t->e && redirect_is_idle(t->e)))) {
		err = pending_error(t);
		return err ? -err : client_host_gone() ? -ENETDOWN : -ENOTCONN;
	}
	if (UNLIKELY(!(m->msg_flags & REDIRECT_OWN) && has_flag(t, STACK_BOARD_TELLS)))
		return recv_told(t, m, flags);
	return recv_bytes(t, m, flags);
}

long redirect_sendfile(enum call_id id, const struct target *t, const uint64_t *a)
{
	enum stack_board_state state = t->e ? board_state(t->e) : STACK_BOARD_CLOSED;
	ssize_t r;

	off_t at;

	if (a[2] && !memory_read(&at, (const void *)a[2], sizeof(at)))
		return -EFAULT;
	if (!redirect_is_stream(t->s))
		return -EINVAL;		/* a datagram would need its header */
	if (state == STACK_BOARD_CONNECTING && (r = wait_to_send(t, 0)))
		return r;
	if (state == STACK_BOARD_CONNECTING)
		state = board_state(t->e);
	if (state != STACK_BOARD_CONNECTED)
		return send_ended(t, 0);
	r = LIBC(sendfile)((int)a[0], (int)a[1], (off_t *)a[2], a[3]);
	if (r >= 0)
		return r;
	return errno == EPIPE || errno == ECONNRESET ? send_ended(t, MSG_NOSIGNAL) : -errno;
}
