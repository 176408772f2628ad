/* redirect_fastopen.c - sending on a stream that is not connected: MSG_FASTOPEN (RFC 7413, tcp(7)).
 *
 * What may go with the SYN is sent to the host with the address; how much of it went, it says. The rest goes over the
 * pair, once there is a connection.
 */
#include "interpose/redirect.h"

#include <errno.h>
#include <string.h>

#include "interpose/memory.h"
#include "run/sys.h"

#define SYN_BYTES 2048		/* more than a SYN holds */

/* As many of the message's first bytes as there is room for. A count or -errno. */
static long gather(uint8_t *to, size_t room, const struct msghdr *m)
{
	size_t have = 0;
	struct iovec v;

	for (size_t i = 0; i < m->msg_iovlen && have < room; i++) {
		size_t n;

		if (!memory_read(&v, &m->msg_iov[i], sizeof(v)))
			return -EFAULT;
		n = v.iov_len < room - have ? v.iov_len : room - have;
		if (n && !memory_read(to + have, v.iov_base, n))
			return -EFAULT;
		have += n;
	}
	return (long)have;
}

/* What comes after the first `sent` bytes. A count, or -errno if there was nothing before. */
static long send_rest(const struct target *t, const struct msghdr *m, size_t sent, int flags)
{
	size_t total = sent, skip = sent;
	long r = 0;

	for (size_t i = 0; i < m->msg_iovlen; i++) {
		struct iovec v = m->msg_iov[i];
		size_t n = v.iov_len < skip ? v.iov_len : skip;
		struct msghdr one = { .msg_iov = &v, .msg_iovlen = 1, .msg_flags = REDIRECT_OWN };

		skip -= n;
		v.iov_base = (char *)v.iov_base + n;
		v.iov_len -= n;
		if (!v.iov_len)
			continue;
		r = stream_send(t, &one, flags);
		if (r < 0)
			break;
		total += (size_t)r;
		if ((size_t)r < n)
			break;
	}
	return total || r >= 0 ? (long)total : r;
}

/* Asks the host to connect, with the first data. How much of it went, in *sent; 0 or -errno as connect(2). */
static int ask(const struct target *t, const struct sockaddr_storage *ss, const struct msghdr *m, size_t *sent)
{
	uint8_t data[sizeof(*ss) + SYN_BYTES];
	long n = gather(data + m->msg_namelen, SYN_BYTES, m);
	struct client_request q = { .op = STACK_OP_FASTOPEN, .cookie = t->s->stack_cookie, .arg = { m->msg_namelen },
				    .data = data, .len = m->msg_namelen + (size_t)(n > 0 ? n : 0), .want_fd = true };
	int err;

	*sent = 0;
	if (n < 0)
		return (int)n;
	memcpy(data, ss, m->msg_namelen);
	err = client_ask(&q);
	if (q.fd >= 0 && redirect_replace(t, q.fd, q.cookie, (uint32_t)q.arg[0]) != 0)
		return -EMFILE;
	if ((!err || err == -EINPROGRESS) && q.arg[1] > 0 && q.arg[1] <= n)
		*sent = (size_t)q.arg[1];
	return err;
}

static long start(const struct target *t, struct msghdr *m, int flags)
{
	struct sockaddr_storage ss;
	struct target now;
	size_t sent;
	int err;

	if (m->msg_namelen > sizeof(ss) || m->msg_namelen < sizeof(sa_family_t) || !m->msg_name)
		return -EINVAL;
	if (!memory_read(&ss, m->msg_name, m->msg_namelen))
		return -EFAULT;
	if (ss.ss_family == AF_UNSPEC)
		return -EOPNOTSUPP;
	if (redirect_is_elsewhere(&ss, m->msg_namelen)) {
		err = redirect_to_kernel(t);
		return err ? err : LIBC(sendmsg)(t->fd, m, flags) < 0 ? -errno : 0;
	}
	t->s->stack_checked = 0;
	__atomic_fetch_and(&t->s->stack_flags, ~REDIRECT_TOLD, __ATOMIC_RELAXED);
	err = ask(t, &ss, m, &sent);
	now = redirect_target(t->fd, t->s);
	if (err == -EINPROGRESS && ((flags & MSG_DONTWAIT) || redirect_nonblocking(t->fd)))
		return sent ? (long)sent : err;
	if (err == -EINPROGRESS)
		err = redirect_finish_connect(t, &now, err);
	if (err)
		return err;
	return send_rest(&now, m, sent, flags & ~MSG_FASTOPEN);
}

long stream_send_fastopen(const struct target *t, struct msghdr *m, int flags)
{
	enum stack_board_state state = t->e ? board_state(t->e) : STACK_BOARD_CLOSED;
	bool told;
	int err;

	if (!t->e || client_host_gone())
		return -ENETDOWN;
	if (state == STACK_BOARD_NEW || redirect_is_idle(t->e))
		return start(t, m, flags);
	if (state == STACK_BOARD_CONNECTING)
		return -EALREADY;
	if (state == STACK_BOARD_CLOSED && (err = redirect_ask(t, STACK_OP_CONNECT, STACK_CONNECT_END, 0)) != -EISCONN)
		return err;
	if (state != STACK_BOARD_CONNECTED)
		return state == STACK_BOARD_LISTENING ? -EISCONN : stream_send(t, m, flags & ~MSG_FASTOPEN);
	/* As connect(2): that an attempt has come to a good end is no error once. */
	told = __atomic_fetch_or(&t->s->stack_flags, REDIRECT_TOLD, __ATOMIC_RELAXED) & REDIRECT_TOLD;
	return told ? -EISCONN : stream_send(t, m, flags & ~MSG_FASTOPEN);
}
