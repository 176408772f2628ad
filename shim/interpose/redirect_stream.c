/* redirect_stream.c - sending and receiving on redirected streams.
 *
 * The bytes go over the pair as they are. What the pair can't say is how a stream came to its end: what it
 * says of an end is looked up on the board before it is passed on.
 */
#include "interpose/redirect.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "interpose/memory.h"
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

/* The address and the control messages of a header, which a stream has no use for, but the kernel looks at. */
static int check_header(const struct msghdr *m)
{
	struct sockaddr_storage ss;
	struct cmsghdr c = { .cmsg_len = 0 };

	if (m->msg_name && m->msg_namelen && m->msg_namelen <= sizeof(ss) && !memory_read(&ss, m->msg_name, m->msg_namelen))
		return -EFAULT;
	if (!m->msg_controllen)
		return 0;
	if (!memory_read(&c, m->msg_control, m->msg_controllen < sizeof(c) ? m->msg_controllen : sizeof(c)))
		return -EFAULT;
	return m->msg_controllen >= sizeof(c) && (c.cmsg_len < sizeof(c) || c.cmsg_len > m->msg_controllen) ? -EINVAL : 0;
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

long stream_send(const struct target *t, struct msghdr *m, int flags)
{
	enum stack_board_state state = t->e ? board_state(t->e) : STACK_BOARD_CLOSED;
	ssize_t r;
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
	if (UNLIKELY(!(m->msg_flags & REDIRECT_OWN) && (err = check_header(m))))
		return err;
	/* What a unix socket would take for an address to refuse, or for descriptors to pass on. */
	m->msg_name = NULL;
	m->msg_namelen = 0;
	m->msg_control = NULL;
	m->msg_controllen = 0;
	flags &= ~(MSG_ZEROCOPY | MSG_CONFIRM);
	if (UNLIKELY((m->msg_flags & REDIRECT_OWN) && m->msg_iov->iov_len >= BULK_BYTES))
		widen(t);
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

long stream_recv(const struct target *t, struct msghdr *m, int flags)
{
	enum stack_board_state state = t->e ? board_state(t->e) : STACK_BOARD_CLOSED;
	ssize_t r;
	int err;

	if (UNLIKELY(flags & MSG_ERRQUEUE))
		return from_error_queue(t, m);
	if (UNLIKELY(state == STACK_BOARD_NEW || state == STACK_BOARD_LISTENING ||
		     (t->e && redirect_is_idle(t->s, t->e)))) {
		err = pending_error(t);
		return err ? -err : client_host_gone() ? -ENETDOWN : -ENOTCONN;
	}
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
