/* impair.c - carrying faults out.
 *
 * A transfer that is to be changed is made from copies (of the header, the vector, the data), so the
 * program's own memory is only written where the call itself would write it. What can't be copied is passed
 * on as it is, for the kernel to say EFAULT.
 */
#include "interpose/impair.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "interpose/facts.h"
#include "interpose/memory.h"
#include "interpose/outcome.h"
#include "interpose/redirect.h"
#include "run/sys.h"

#define VECTOR_MAX	64
#define VECTOR_VALID	1024		/* IOV_MAX: the kernel refuses more */
#define CORRUPT_MAX	(1u << 20)

/* Where in the argument words a call keeps its data. */
enum shape { SHAPE_NONE, SHAPE_BUFFER, SHAPE_VECTOR, SHAPE_MESSAGE, SHAPE_MESSAGES, SHAPE_FILE };

static const struct {
	enum shape shape;
	int flags;	/* index of the flags word, -1: none */
} shapes[CALLS] = {
	[CALL_send] = { SHAPE_BUFFER, 3 }, [CALL_sendto] = { SHAPE_BUFFER, 3 },
	[CALL_write] = { SHAPE_BUFFER, -1 }, [CALL_recv] = { SHAPE_BUFFER, 3 },
	[CALL_recvfrom] = { SHAPE_BUFFER, 3 }, [CALL_read] = { SHAPE_BUFFER, -1 },
	[CALL_writev] = { SHAPE_VECTOR, -1 }, [CALL_readv] = { SHAPE_VECTOR, -1 },
	[CALL_sendmsg] = { SHAPE_MESSAGE, 2 }, [CALL_recvmsg] = { SHAPE_MESSAGE, 2 },
	[CALL_sendmmsg] = { SHAPE_MESSAGES, 3 }, [CALL_recvmmsg] = { SHAPE_MESSAGES, 3 },
	[CALL_sendfile] = { SHAPE_FILE, -1 },
};

static int flags_of(const struct call *c)
{
	return shapes[c->id].flags < 0 ? 0 : (int)c->a[shapes[c->id].flags];
}

/* A transfer taken apart: the message header and vector, as copies. */
struct transfer {
	struct mmsghdr msg;		/* SHAPE_MESSAGE: only msg_hdr is used */
	struct iovec iov[VECTOR_MAX];
	size_t n;			/* entries of iov */
	size_t bytes;			/* in all of them */
};

/* False as well for a length that the kernel is to refuse. */
static bool read_vector(struct transfer *t, const struct iovec *iov, size_t n)
{
	if (n > VECTOR_VALID)
		return false;
	if (n > VECTOR_MAX)
		n = VECTOR_MAX;
	if (n && !memory_read(t->iov, iov, n * sizeof(*iov)))
		return false;
	t->n = n;
	t->bytes = 0;
	for (size_t i = 0; i < n; i++)
		t->bytes += t->iov[i].iov_len;
	return true;
}

/* Copies what the call is about; false if it can't be read, or has no data. */
static bool take_apart(const struct call *c, struct transfer *t)
{
	const void *p = (const void *)c->a[1];

	switch (shapes[c->id].shape) {
	case SHAPE_BUFFER:
		t->iov[0] = (struct iovec){ (void *)c->a[1], c->a[2] };
		t->n = 1;
		t->bytes = c->a[2];
		break;
	case SHAPE_VECTOR:
		if (!read_vector(t, p, (size_t)(int)c->a[2]))
			return false;
		break;
	case SHAPE_MESSAGE:
	case SHAPE_MESSAGES:
		if (!memory_read(&t->msg, p, shapes[c->id].shape == SHAPE_MESSAGE ? sizeof(t->msg.msg_hdr)
										   : sizeof(t->msg)) ||
		    !read_vector(t, t->msg.msg_hdr.msg_iov, t->msg.msg_hdr.msg_iovlen))
			return false;
		break;
	case SHAPE_FILE:
		t->n = 0;
		t->bytes = c->a[3];
		break;
	default:
		return false;
	}
	return t->bytes != 0;
}

/* Limits the transfer to its first `max` bytes. */
static void cut(struct transfer *t, size_t max)
{
	size_t at = 0;

	for (size_t i = 0; i < t->n; i++) {
		if (t->iov[i].iov_len >= max - at) {
			t->iov[i].iov_len = max - at;
			t->n = i + 1;
			break;
		}
		at += t->iov[i].iov_len;
	}
	if (t->bytes > max)
		t->bytes = max;
}

/* What recvmsg leaves in the program's header, and the length of the first of several messages. */
static bool give_back(const struct call *c, struct transfer *t)
{
	struct mmsghdr *user = (struct mmsghdr *)c->a[1];
	const struct msghdr *m = &t->msg.msg_hdr;
	bool ok = true;

	if (c->id == CALL_recvmsg || c->id == CALL_recvmmsg)
		ok = memory_write(&user->msg_hdr.msg_namelen, &m->msg_namelen, sizeof(m->msg_namelen)) &&
		     memory_write(&user->msg_hdr.msg_controllen, &m->msg_controllen, sizeof(m->msg_controllen)) &&
		     memory_write(&user->msg_hdr.msg_flags, &m->msg_flags, sizeof(m->msg_flags));
	if (shapes[c->id].shape == SHAPE_MESSAGES)
		ok = ok && memory_write(&user->msg_len, &t->msg.msg_len, sizeof(t->msg.msg_len));
	return ok;
}

static void set_fault(struct call *c)
{
	c->ret = -1;
	c->err = EFAULT;
}

/* Makes the call on the copies. Of several messages only the first is transferred, which is a result that
 * the program must expect. */
static void make_from(struct call *c, struct transfer *t)
{
	struct call copy = *c;

	t->msg.msg_hdr.msg_iov = t->iov;
	t->msg.msg_hdr.msg_iovlen = t->n;
	switch (shapes[c->id].shape) {
	case SHAPE_BUFFER:
		copy.a[1] = (uint64_t)t->iov[0].iov_base;
		copy.a[2] = t->iov[0].iov_len;
		break;
	case SHAPE_VECTOR:
		copy.a[1] = (uint64_t)t->iov;
		copy.a[2] = t->n;
		break;
	case SHAPE_MESSAGES:
		copy.a[2] = 1;
		/* fall through */
	case SHAPE_MESSAGE:
		copy.a[1] = (uint64_t)&t->msg;
		break;
	case SHAPE_FILE:
		copy.a[3] = t->bytes;
		break;
	default:
		break;
	}
	facts_make(&copy);
	c->ret = copy.ret;
	c->err = copy.err;
	if (!c->err && !give_back(c, t))
		set_fault(c);
}

static bool is_stream(const struct call *c)
{
	return (sockshim_cookie_type(c->cookie) & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) == SOCK_STREAM;
}

static bool sends(const struct call *c)
{
	return call_infos[c->id].filter == SOCKSHIM_SEND;
}

/* Bytes that a successful transfer moved. */
static size_t moved(const struct call *c, const struct transfer *t)
{
	return shapes[c->id].shape == SHAPE_MESSAGES ? t->msg.msg_len : (size_t)c->ret;
}

static void flip(struct transfer *t, size_t bytes, uint64_t random)
{
	size_t at = bytes ? random % bytes : 0;

	for (size_t i = 0; bytes && i < t->n; i++) {
		if (at < t->iov[i].iov_len) {
			((uint8_t *)t->iov[i].iov_base)[at] ^= (uint8_t)(1u << (random >> 61));
			return;
		}
		at -= t->iov[i].iov_len;
	}
}

/* Sends a copy of the data with one bit flipped. */
static void send_corrupted(struct call *c, struct transfer *t, uint64_t random)
{
	size_t bytes = t->bytes < CORRUPT_MAX ? t->bytes : CORRUPT_MAX, at = 0;
	long p = sys(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *copy = p < 0 && p > -4096 ? NULL : (uint8_t *)p;

	cut(t, bytes);
	for (size_t i = 0; copy && i < t->n; i++) {
		if (!memory_read(copy + at, t->iov[i].iov_base, t->iov[i].iov_len)) {
			sys(SYS_munmap, copy, bytes);
			copy = NULL;
			break;
		}
		at += t->iov[i].iov_len;
	}
	if (!copy) {
		facts_make(c);
		return;
	}
	t->iov[0] = (struct iovec){ copy, bytes };
	t->n = 1;
	flip(t, bytes, random);
	make_from(c, t);
	sys(SYS_munmap, copy, bytes);
}

static void drop(struct call *c, struct transfer *t)
{
	if (sends(c)) {
		c->err = 0;
		c->ret = shapes[c->id].shape == SHAPE_MESSAGES ? 1 : (long)t->bytes;
		t->msg.msg_len = (unsigned)t->bytes;
		if (!give_back(c, t))
			set_fault(c);
		return;
	}
	facts_make(c);
	if (!c->err && c->ret > 0 && !(flags_of(c) & MSG_PEEK))
		facts_make(c);
}

/* Which of the verdict's impairments apply to this call, by its data and socket. */
static const struct fault_rule *applies(const struct call *c, const struct fault_verdict *v, enum fault_action a)
{
	if (a == FAULT_SHORT && (!is_stream(c) || (flags_of(c) & MSG_WAITALL)))
		return NULL;	/* a datagram cut short is another message; who waits for all gets all */
	if (a == FAULT_CORRUPT && shapes[c->id].shape == SHAPE_FILE)
		return NULL;	/* the data is not in memory */
	return v->fired[a];
}

bool impair_call(struct call *c, const struct fault_verdict *v)
{
	const struct fault_rule *drops = applies(c, v, FAULT_DROP), *cuts = applies(c, v, FAULT_SHORT);
	const struct fault_rule *corrupts = applies(c, v, FAULT_CORRUPT);
	const struct fault_rule *rule = drops ? drops : cuts ? cuts : corrupts;
	struct transfer t;

	if (!rule || !take_apart(c, &t)) {
		facts_make(c);
		return false;
	}
	c->rule = fault_rule_number(rule);
	if (drops) {
		drop(c, &t);
		return true;
	}
	if (cuts && v->short_bytes < t.bytes)
		cut(&t, v->short_bytes);
	if (corrupts && sends(c)) {
		send_corrupted(c, &t, v->corrupt);
		return false;
	}
	make_from(c, &t);
	if (corrupts && !c->err)
		flip(&t, moved(c, &t), v->corrupt);
	return false;
}

int impair_reset(struct call *c)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int v;
	socklen_t len = sizeof(v);
	int family = sockshim_cookie_family(c->cookie);

	if (!c->s || !is_stream(c) || !(c->s->flags & RUN_SOCK_CONNECTED))
		return ECONNRESET;
	__atomic_fetch_or(&c->s->flags, RUN_SOCK_RESET, __ATOMIC_RELAXED);
	socktab_set_special(&hook.tab, c->fd, true);
	/* tcp_disconnect() of a connected socket sends RST, and leaves ECONNRESET for SO_ERROR, which this
	 * call reports in its stead. */
	if (redirect_is(c->s))
		redirect_abort(c->fd, c->s);
	else if (family != AF_INET && family != AF_INET6)
		sys(SYS_shutdown, c->fd, SHUT_RDWR);
	else if (sys(SYS_connect, c->fd, &none, sizeof(none)) == 0)
		sys(SYS_getsockopt, c->fd, SOL_SOCKET, SO_ERROR, &v, &len);
	return ECONNRESET;
}

static void late_answer(struct call *c)
{
	int err = __atomic_exchange_n(&c->s->late_err, 0, __ATOMIC_RELAXED);

	/* Not pending any more, so that it is no failed connect: it has been counted as an injected one. */
	__atomic_fetch_and(&c->s->flags, ~(uint32_t)(RUN_SOCK_LATE | RUN_SOCK_PENDING), __ATOMIC_RELAXED);
	socktab_set_special(&hook.tab, c->fd, false);
	if (c->id == CALL_connect) {
		c->ret = -1;
		c->err = err;
		__atomic_store_n(&c->s->err, err, __ATOMIC_RELAXED);
		return;
	}
	facts_make(c);
	if (!c->err) {
		/* The kernel has just written here, so it can be written. */
		socklen_t n = *(socklen_t *)c->a[4];

		memcpy((void *)c->a[3], &err, n < sizeof(err) ? n : sizeof(err));
		outcome_so_error(c->s, err);
	}
}

bool impair_special(struct call *c)
{
	uint32_t flags = c->s ? __atomic_load_n(&c->s->flags, __ATOMIC_RELAXED) : 0;

	if (!(flags & (RUN_SOCK_RESET | RUN_SOCK_LATE)))
		return false;
	if ((flags & RUN_SOCK_LATE) &&
	    (c->id == CALL_connect || (c->id == CALL_getsockopt && (int)c->a[1] == SOL_SOCKET &&
				       (int)c->a[2] == SO_ERROR))) {
		late_answer(c);
		return true;
	}
	/* After RST a receive finds the end of the stream; the kernel would say ENOTCONN. */
	if ((flags & RUN_SOCK_RESET) && call_infos[c->id].filter == SOCKSHIM_RECV) {
		c->ret = 0;
		c->err = 0;
		return true;
	}
	if ((flags & RUN_SOCK_RESET) && c->id == CALL_connect) {
		__atomic_fetch_and(&c->s->flags, ~(uint32_t)RUN_SOCK_RESET, __ATOMIC_RELAXED);
		socktab_set_special(&hook.tab, c->fd, false);
	}
	return false;
}
