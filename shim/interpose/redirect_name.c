/* redirect_name.c - the calls that name, connect and listen, on redirected sockets. */
#include "interpose/redirect.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "interpose/memory.h"
#include "run/sys.h"

/* A request with an address. Its reply may bring another pair for the socket. */
static int ask_with_addr(const struct target *t, enum stack_op op, int64_t arg0, const void *addr, size_t len)
{
	struct client_request q = { .op = op, .cookie = t->s->stack_cookie, .arg = { arg0 }, .data = addr, .len = len,
				    .want_fd = true };
	int err = client_ask(&q), worse;

	if (q.fd < 0)
		return err;
	worse = redirect_replace(t, q.fd, q.cookie, (uint32_t)q.arg[0]);
	return worse ? worse : err;
}

bool redirect_is_elsewhere(const struct sockaddr_storage *ss, socklen_t len)
{
	return UNLIKELY(!traffic_is_all(&client.traffic)) && len >= sizeof(sa_family_t) &&
	       !traffic_takes(&client.traffic, (const struct sockaddr *)ss, len);
}

long redirect_bind(enum call_id id, const struct target *t, const uint64_t *a)
{
	struct sockaddr_storage ss;
	socklen_t len = (socklen_t)a[2];
	int err = redirect_get_addr(&ss, (const void *)a[1], (int)len);

	if (err)
		return err;
	if (redirect_is_elsewhere(&ss, len)) {
		err = redirect_to_kernel(t);
		return err ? err : LIBC(bind)(t->fd, (const struct sockaddr *)&ss, len) < 0 ? -errno : 0;
	}
	return ask_with_addr(t, STACK_OP_BIND, 0, &ss, len);
}

/* Waits for the end of a connection attempt. It is a cancellation point, as connect is, though the waiting is a system
 * call that libc has no function for. */
int redirect_wait_connected(const struct target *t)
{
	struct timeval timeout = { 0, 0 };
	struct timespec deadline;
	socklen_t len = sizeof(timeout);
	int err = 0, old;
	bool limited;

	sys(SYS_getsockopt, t->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, &len);
	limited = timeout.tv_sec || timeout.tv_usec;
	if (limited) {
		clock_gettime(CLOCK_MONOTONIC, &deadline);
		deadline.tv_sec += timeout.tv_sec;
		deadline.tv_nsec += timeout.tv_usec * 1000;
		if (deadline.tv_nsec >= 1000000000) {
			deadline.tv_nsec -= 1000000000;
			deadline.tv_sec++;
		}
	}
	while (!err && board_state(t->e) == STACK_BOARD_CONNECTING && !client_host_gone()) {
		uint32_t seen = __atomic_load_n(&t->e->state, __ATOMIC_ACQUIRE);

		if ((seen & 0xff) != STACK_BOARD_CONNECTING)
			break;
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
		err = board_wait(t->e, seen, limited ? &deadline : NULL);
		pthread_setcanceltype(old, NULL);
		if (err == -EAGAIN)
			err = 0;
	}
	return err;
}

int redirect_finish_connect(const struct target *t, const struct target *now, int err)
{
	int wait;

	if (!now->e)
		return -ENETDOWN;
	wait = redirect_wait_connected(now);
	if (wait == -ETIMEDOUT)
		return err;		/* SO_SNDTIMEO is over: as if it were not waited for */
	if (wait)
		return wait;
	if (client_host_gone())
		return -ENETDOWN;
	if (board_state(now->e) == STACK_BOARD_CONNECTED) {
		__atomic_fetch_or(&t->s->stack_flags, REDIRECT_TOLD, __ATOMIC_RELAXED);
		return 0;
	}
	err = redirect_ask(now, STACK_OP_CONNECT, STACK_CONNECT_END, 0);
	return err == -EISCONN ? -ECONNABORTED : err;	/* another was told first */
}

long redirect_connect(enum call_id id, const struct target *t, const uint64_t *a)
{
	struct sockaddr_storage ss;
	socklen_t len = (socklen_t)a[2];
	struct target now;
	int err = redirect_get_addr(&ss, (const void *)a[1], (int)len);
	bool told;

	if (err)
		return err;
	if (redirect_is_elsewhere(&ss, len)) {
		err = redirect_to_kernel(t);
		return err ? err : LIBC(connect)(t->fd, (const struct sockaddr *)&ss, len) < 0 ? -errno : 0;
	}
	t->s->stack_checked = 0;
	told = __atomic_fetch_and(&t->s->stack_flags, ~REDIRECT_TOLD, __ATOMIC_RELAXED) & REDIRECT_TOLD;
	err = ask_with_addr(t, STACK_OP_CONNECT, told ? STACK_CONNECT_TOLD : 0, &ss, len);
	/* The host says once that an attempt has come to its end: it does not know that we have. */
	if (!err && told && ss.ss_family != AF_UNSPEC)
		return -EISCONN;
	if (err != -EINPROGRESS && err != -EALREADY)
		return err;
	if (redirect_nonblocking(t->fd))
		return err;
	now = redirect_target(t->fd, t->s);	/* its pair may be another by now */
	return redirect_finish_connect(t, &now, err);
}

long redirect_listen(enum call_id id, const struct target *t, const uint64_t *a)
{
	return ask_with_addr(t, STACK_OP_LISTEN, (int)a[1], NULL, 0);
}

long redirect_shutdown(enum call_id id, const struct target *t, const uint64_t *a)
{
	int how = (int)a[1];

	/* It is the host that shuts the pair: seen from there, a pair shut from here is one that was closed. */
	return how < 0 || how > SHUT_RDWR ? -EINVAL : redirect_ask(t, STACK_OP_SHUTDOWN, how, 0);
}

/* The address of a socket that has none, as getsockname says it. */
static void no_addr(struct stack_addr *to, int family)
{
	sa_family_t f = (sa_family_t)family;

	memset(to, 0, sizeof(*to));
	memcpy(to->bytes, &f, sizeof(f));
	to->len = family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

long redirect_name(enum call_id id, const struct target *t, const uint64_t *a)
{
	struct stack_board_entry e;
	bool peer = id == CALL_getpeername;
	enum stack_board_state state;

	if (!t->e || !board_read(t->e, &e))
		return -ENETDOWN;
	state = e.state & 0xff;
	if (peer && sockshim_cookie_family(t->s->cookie) == AF_PACKET)
		return -EOPNOTSUPP;
	if (peer && (e.peer.len == 0 || (redirect_is_stream(t->s) && state != STACK_BOARD_CONNECTED)))
		return -ENOTCONN;
	if (!peer && e.local.len == 0)
		no_addr(&e.local, sockshim_cookie_family(t->s->cookie));
	if (!a[1])
		return -EFAULT;
	return redirect_put_addr((void *)a[1], (socklen_t *)a[2], peer ? &e.peer : &e.local);
}

/* Whether a descriptor more can be had: one that comes and finds no number is lost. */
static int room_for_fd(int fd)
{
	int try = (int)sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 0);

	if (try < 0)
		return try == -EINVAL ? -EMFILE : try;
	sys(SYS_close, try);
	return 0;
}

/* Takes one connection that has arrived. A descriptor or -errno; -EAGAIN: there is none. */
static int take_connection(const struct target *t, struct stack_accept *got, int flags)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { got, sizeof(*got) };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	int err = room_for_fd(t->fd), fd;
	long n;

	if (err)
		return err;
	n = sys(SYS_recvmsg, t->fd, &h, MSG_DONTWAIT | (flags & SOCK_CLOEXEC ? MSG_CMSG_CLOEXEC : 0));
	if (n == 0 || n == -ECONNRESET || n == -EPIPE)
		return client_host_gone() ? redirect_down(t->s) : -EINVAL;
	if (n < 0)
		return (int)n;
	if (h.msg_controllen < CMSG_LEN(sizeof(int)) || control.head.cmsg_level != SOL_SOCKET ||
	    control.head.cmsg_type != SCM_RIGHTS)
		return h.msg_flags & MSG_CTRUNC ? -EMFILE : -ECONNABORTED;
	memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
	if (n == (long)sizeof(*got) && got->peer.len <= STACK_ADDR_MAX)
		return fd;
	sys(SYS_close, fd);
	return -ECONNABORTED;
}

long redirect_accept(enum call_id id, const struct target *t, const uint64_t *a)
{
	int flags = id == CALL_accept4 ? (int)a[3] : 0, fd, err;
	struct stack_accept got;
	char byte;

	if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	if (!redirect_is_stream(t->s))
		return -EOPNOTSUPP;
	if (!t->e || client.gone)
		return redirect_down(t->s);
	if (board_state(t->e) != STACK_BOARD_LISTENING)
		return client_host_gone() ? redirect_down(t->s) : -EINVAL;
	/* The waiting is done by looking, so that nothing is taken for which there is no room. */
	while ((fd = take_connection(t, &got, flags)) == -EAGAIN) {
		ssize_t n = LIBC(recv)(t->fd, &byte, 1, MSG_PEEK);

		if (n < 0 && errno != ECONNRESET && errno != EPIPE)
			return -errno;
	}
	if (fd < 0)
		return fd;
	if (flags & SOCK_NONBLOCK)
		sys(SYS_fcntl, fd, F_SETFL, O_RDWR | O_NONBLOCK);
	err = redirect_put_addr((void *)a[1], (socklen_t *)a[2], &got.peer);
	if (err) {
		sys(SYS_close, fd);
		return err;
	}
	redirect_note_fresh(fd, got.cookie, got.board);
	return fd;
}
