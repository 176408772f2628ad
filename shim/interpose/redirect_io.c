/* redirect_io.c - sending and receiving on redirected sockets: each call brought to one shape, a message header. */
#include "interpose/redirect.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "interpose/memory.h"
#include "run/sys.h"

#define VECTOR_MAX 1024		/* IOV_MAX */

static long send_by_type(const struct target *t, struct msghdr *m, int flags)
{
	return redirect_is_stream(t->s) ? stream_send(t, m, flags) : dgram_send(t, m, flags);
}

static long recv_by_type(const struct target *t, struct msghdr *m, int flags)
{
	return redirect_is_stream(t->s) ? stream_recv(t, m, flags) : dgram_recv(t, m, flags);
}

/* readv and writev refuse what sendmsg and recvmsg refuse with another errno. */
static int vector(struct msghdr *m, const uint64_t *a)
{
	if ((int64_t)a[2] < 0 || a[2] > VECTOR_MAX)
		return -EINVAL;
	m->msg_iov = (struct iovec *)a[1];
	m->msg_iovlen = a[2];
	m->msg_flags = 0;
	return 0;
}

/* In a sandbox no call is made that is not the program's own: a stream's bytes go as they are. */
static long as_it_is(enum call_id id, const uint64_t *a)
{
	long r = libc_call(id, a);

	return r < 0 ? -errno : r;
}

long redirect_send(enum call_id id, const struct target *t, const uint64_t *a)
{
	struct iovec one = { (void *)a[1], a[2] };
	struct msghdr m = { .msg_iov = &one, .msg_iovlen = 1, .msg_flags = REDIRECT_OWN };
	struct sockaddr_storage ss;
	int flags = 0, err = 0;

	if (UNLIKELY(hook_sandboxed) && redirect_is_stream(t->s))
		return as_it_is(id, a);
	switch (id) {
	case CALL_writev:
		err = vector(&m, a);
		break;
	case CALL_sendmsg:
		err = memory_read(&m, (const void *)a[1], sizeof(m)) ? 0 : -EFAULT;
		m.msg_flags = 0;
		flags = (int)a[2];
		break;
	case CALL_sendto:
		err = a[4] ? redirect_get_addr(&ss, (const void *)a[4], (int)a[5]) : 0;
		m.msg_name = a[4] ? &ss : NULL;
		m.msg_namelen = a[4] ? (socklen_t)a[5] : 0;
		flags = (int)a[3];
		break;
	case CALL_send:
		flags = (int)a[3];
		break;
	default:
		break;
	}
	return err ? err : send_by_type(t, &m, flags);
}

/* recvfrom: the address goes through a copy. */
static long recv_from(const struct target *t, struct msghdr *m, const uint64_t *a)
{
	struct sockaddr_storage ss;
	struct stack_addr from;
	socklen_t room;
	long r;

	m->msg_name = a[4] ? &ss : NULL;
	m->msg_namelen = a[4] ? sizeof(ss) : 0;
	if (a[4] && !memory_read(&room, (const void *)a[5], sizeof(room)))
		return -EFAULT;
	if (a[4] && (int)room < 0)
		return -EINVAL;
	r = recv_by_type(t, m, (int)a[3]);
	if (r < 0 || !a[4])
		return r;
	from.len = m->msg_namelen < STACK_ADDR_MAX ? m->msg_namelen : STACK_ADDR_MAX;
	memcpy(from.bytes, &ss, from.len);
	/* A stream says no address, and the length alone is written. */
	return redirect_put_addr((void *)a[4], (socklen_t *)a[5], &from) ? -EFAULT : r;
}

/* What recvmsg leaves in the program's header: its end, from the length of the control messages on, and the name's. */
static bool give_back(struct msghdr *user, const struct msghdr *m, bool named)
{
	size_t tail = offsetof(struct msghdr, msg_controllen);

	return memory_write_two((char *)user + tail, (const char *)m + tail,
				offsetof(struct msghdr, msg_flags) + sizeof(m->msg_flags) - tail, &user->msg_namelen,
				&m->msg_namelen, named ? sizeof(m->msg_namelen) : 0);
}

long redirect_recv(enum call_id id, const struct target *t, const uint64_t *a)
{
	struct iovec one = { (void *)a[1], a[2] };
	struct msghdr m = { .msg_iov = &one, .msg_iovlen = 1, .msg_flags = REDIRECT_OWN }, *user = (struct msghdr *)a[1];
	bool named;
	int err;
	long r;

	if (UNLIKELY(hook_sandboxed) && redirect_is_stream(t->s))
		return as_it_is(id, a);
	switch (id) {
	case CALL_recvfrom:
		return recv_from(t, &m, a);
	case CALL_readv:
		err = vector(&m, a);
		return err ? err : recv_by_type(t, &m, 0);
	case CALL_recvmsg:
		if (!memory_read(&m, user, sizeof(m)))
			return -EFAULT;
		m.msg_flags = 0;
		named = m.msg_name;
		r = recv_by_type(t, &m, (int)a[2]);
		return r < 0 || give_back(user, &m, named) ? r : -EFAULT;
	case CALL_recv:
		return recv_by_type(t, &m, (int)a[3]);
	default:
		return recv_by_type(t, &m, 0);
	}
}

static bool past(const struct timespec *end)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > end->tv_sec || (now.tv_sec == end->tv_sec && now.tv_nsec >= end->tv_nsec);
}

/* Whether the lengths in the first and the last header of an array can be. */
static bool can_be_written(struct mmsghdr *msgs, unsigned n)
{
	struct mmsghdr first, last;

	return memory_read(&first, msgs, sizeof(first)) && memory_read(&last, &msgs[n - 1], sizeof(last)) &&
	       memory_write_two(&msgs[0].msg_len, &first.msg_len, sizeof(first.msg_len), &msgs[n - 1].msg_len, &last.msg_len,
				sizeof(last.msg_len));
}

/* sendmmsg and recvmmsg: one after the other, until one fails or would block. */
long redirect_many(enum call_id id, const struct target *t, const uint64_t *a)
{
	struct mmsghdr *msgs = (struct mmsghdr *)a[1];
	unsigned n = (unsigned)a[2] < VECTOR_MAX ? (unsigned)a[2] : VECTOR_MAX;
	int flags = (int)a[3];
	struct timespec end = { 0, 0 }, limit;
	bool limited = id == CALL_recvmmsg && a[4];
	long r = 0;

	if (limited) {
		if (!memory_read(&limit, (const void *)a[4], sizeof(limit)))
			return -EFAULT;
		if (limit.tv_sec < 0 || limit.tv_nsec < 0 || limit.tv_nsec >= 1000000000)
			return -EINVAL;
		clock_gettime(CLOCK_MONOTONIC, &end);
		end.tv_nsec += limit.tv_nsec;
		end.tv_sec += limit.tv_sec + end.tv_nsec / 1000000000;
		end.tv_nsec %= 1000000000;
	}
	if (n && !can_be_written(msgs, n))
		return -EFAULT;
	for (unsigned i = 0; i < n; i++) {
		uint64_t words[6] = { a[0], (uint64_t)&msgs[i].msg_hdr, (uint64_t)(flags & ~MSG_WAITFORONE) };

		r = id == CALL_sendmmsg ? redirect_send(CALL_sendmsg, t, words) : redirect_recv(CALL_recvmsg, t, words);
		if (r < 0)
			return i ? (long)i : r;
		msgs[i].msg_len = (unsigned)r;
		if (id == CALL_recvmmsg && (flags & MSG_WAITFORONE))
			flags |= MSG_DONTWAIT;
		if (limited && past(&end))
			return (long)i + 1;
	}
	return n;
}
