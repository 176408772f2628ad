/* redirect.c - redirected sockets: made, recognised, marked, replaced; which call goes where. */
#include "interpose/redirect.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "backend/ahead.h"
#include "backend/start.h"
#include "interpose/memory.h"
#include "interpose/netlink.h"
#include "interpose/redirect_ring.h"
#include "interpose/redirect_wait.h"
#include "interpose/resolve.h"
#include "run/sys.h"

#define DOWN_NS 20000000

/* The descriptor that this thread has just got, until it is entered into the table. */
static __thread struct {
	int fd;
	uint32_t index;
	uint64_t cookie;
} fresh;

/* The operations; those that are not here are libc's, on the pair. */
static redirect_op *const ops[CALLS] = {
	[CALL_bind] = redirect_bind, [CALL_connect] = redirect_connect, [CALL_listen] = redirect_listen,
	[CALL_accept] = redirect_accept, [CALL_accept4] = redirect_accept, [CALL_shutdown] = redirect_shutdown,
	[CALL_getsockname] = redirect_name, [CALL_getpeername] = redirect_name,
	[CALL_getsockopt] = redirect_getsockopt, [CALL_setsockopt] = redirect_setsockopt,
	[CALL_ioctl] = redirect_ioctl,
	[CALL_send] = redirect_send, [CALL_sendto] = redirect_send, [CALL_sendmsg] = redirect_send,
	[CALL_write] = redirect_send, [CALL_writev] = redirect_send, [CALL_sendfile] = redirect_sendfile,
	[CALL_recv] = redirect_recv, [CALL_recvfrom] = redirect_recv, [CALL_recvmsg] = redirect_recv,
	[CALL_read] = redirect_recv, [CALL_readv] = redirect_recv,
	[CALL_sendmmsg] = redirect_many, [CALL_recvmmsg] = redirect_many,
	[CALL_poll] = redirect_wait, [CALL_ppoll] = redirect_wait, [CALL_select] = redirect_wait,
	[CALL_pselect] = redirect_wait, [CALL_epoll_wait] = redirect_wait, [CALL_epoll_pwait] = redirect_wait,
	[CALL_epoll_pwait2] = redirect_wait,
};

static bool waits(enum call_id id)
{
	return ops[id] == redirect_wait;
}

bool redirect_takes(enum call_id id, const struct run_socket *s, const uint64_t *a)
{
	if (LIKELY(!client.on))
		return false;
	if (id == CALL_socket)
		return redirect_family((int)a[0]);
	return id == CALL_getaddrinfo || waits(id) || (redirect_is(s) && ops[id]);
}

struct target redirect_target(int fd, struct run_socket *s)
{
	struct target t = { fd, s, redirect_is(s) ? board_entry(s->stack_board, s->stack_cookie) : NULL };

	/* Of a forked child's socket the place on the board may not be known. */
	if (UNLIKELY(redirect_is(s) && !t.e && !client.gone)) {
		struct client_request q = { .op = STACK_OP_LOOKUP, .cookie = s->stack_cookie };

		if (client_ask(&q) == 0) {
			s->stack_board = (uint32_t)q.arg[3];
			t.e = board_entry(s->stack_board, s->stack_cookie);
		}
	}
	return t;
}

long redirect_call(enum call_id id, int fd, struct run_socket *s, const uint64_t *a)
{
	int saved = errno;
	struct target t;
	long r;

	if (id == CALL_getaddrinfo)
		return resolve_getaddrinfo((const char *)a[0], (const char *)a[1], (const struct addrinfo *)a[2],
					   (struct addrinfo **)a[3]);
	if (id == CALL_socket) {
		r = redirect_socket((int)a[0], (int)a[1], (int)a[2]);
	} else {
		t = redirect_target(fd, waits(id) ? NULL : s);
		r = ops[id](id, &t, a);
	}
	errno = saved;
	return sys_errno(r);
}

bool redirect_is_idle(const struct stack_board_entry *e)
{
	enum stack_board_state state = board_state(e);

	return state == STACK_BOARD_NEW || (state == STACK_BOARD_CLOSED &&
					    (__atomic_load_n(&e->flags, __ATOMIC_ACQUIRE) & STACK_BOARD_DISSOLVED));
}

static int cookie_of(int fd, uint64_t *cookie)
{
	socklen_t len = sizeof(*cookie);

	return (int)sys(SYS_getsockopt, fd, SOL_SOCKET, SO_COOKIE, cookie, &len);
}

int redirect_socket(int family, int type, int protocol)
{
	struct client_request q = { .op = STACK_OP_SOCKET, .want_fd = true,
				    .arg = { family, type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC), protocol } };
	int err;

	if ((type & 0xf) > SOCK_PACKET || (type & ~(0xf | SOCK_NONBLOCK | SOCK_CLOEXEC)))
		return -EINVAL;
	if (hook_vforked)
		return -ENETDOWN;
	err = ahead_fetch(&q) ? 0 : client_ask(&q);
	if (err)
		return err;
	if (q.fd < 0)
		return -EMFILE;		/* it came and found no number */
	if (!(type & SOCK_CLOEXEC))
		sys(SYS_fcntl, q.fd, F_SETFD, 0);
	if (type & SOCK_NONBLOCK)
		sys(SYS_fcntl, q.fd, F_SETFL, O_RDWR | O_NONBLOCK);
	redirect_note_fresh(q.fd, q.cookie, (uint32_t)q.arg[0]);
	ahead_ask(family, type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC), protocol);
	return q.fd;
}

void redirect_note_fresh(int fd, uint64_t cookie, uint32_t index)
{
	fresh.cookie = cookie;
	fresh.index = index;
	fresh.fd = fd;
}

static void mark(int fd, struct run_socket *s, uint64_t cookie, uint32_t index)
{
	s->stack_flags = 0;
	s->stack_checked = 0;
	s->stack_board = index;
	__atomic_store_n(&s->stack_cookie, cookie, __ATOMIC_RELEASE);
	socktab_mark(&hook.tab, fd, SOCKTAB_STACK, cookie != 0);
}

bool redirect_recognize(int fd, sockshim_cookie *cookie)
{
	struct client_request q = { .op = STACK_OP_LOOKUP };
	struct ucred peer = { 0 };
	socklen_t len = sizeof(peer);

	if (!client.on || sys(SYS_getsockopt, fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 ||
	    peer.pid == (pid_t)sys(SYS_getpid, 0) || channel_owns(fd) || !client_reach() ||
	    peer.pid != channel_host.pid || cookie_of(fd, &q.cookie) != 0)
		return false;
	if (client_ask(&q) != 0)
		return false;
	*cookie = sockshim_cookie_make((int)q.arg[0], (int)q.arg[1], (int)q.arg[2]);
	redirect_note_fresh(fd, q.cookie, (uint32_t)q.arg[3]);
	return true;
}

void redirect_enter(int fd, struct run_socket *s)
{
	sockshim_cookie cookie;
	int domain = 0;
	socklen_t len = sizeof(domain);

	if (!redirect_family(sockshim_cookie_family(s->cookie))) {
		if (UNLIKELY(client.on && sockshim_cookie_family(s->cookie) == AF_NETLINK))
			netlink_enter(fd, s);
		return;
	}
	/* A signal handler may have opened a socket in between, which is then what this thread remembers. */
	if (fresh.fd != fd || !fresh.cookie) {
		if (sys(SYS_getsockopt, fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0 || domain != AF_UNIX ||
		    !redirect_recognize(fd, &cookie))
			return;
	}
	mark(fd, s, fresh.cookie, fresh.index);
	fresh.cookie = 0;
}

/* The parent may have closed a socket, and opened another in its place, before its child looked at the table. */
static void check_copy(int fd, struct socktab_entry *e, void *ctx)
{
	uint64_t ref = e->ref, cookie;
	struct run_socket *s = socktab_object(ref);

	if (!(ref & SOCKTAB_STACK) || cookie_of(fd, &cookie) != 0 || cookie == s->stack_cookie)
		return;
	s->stack_cookie = cookie;
	s->stack_board = ~0u;
	s->stack_flags = 0;
}

int redirect_down(struct run_socket *s)
{
	const struct timespec pause = { 0, DOWN_NS };

	if ((__atomic_fetch_or(&s->stack_flags, REDIRECT_DOWN, __ATOMIC_RELAXED) & REDIRECT_DOWN) && !channel_sandboxed)
		sys(SYS_nanosleep, &pause, NULL);
	return -ENETDOWN;
}

struct holding {
	uint64_t cookie;
	int fd;
};

static void hold_one(int fd, struct socktab_entry *e, void *ctx)
{
	struct holding *h = ctx;
	const struct run_socket *s = socktab_object(__atomic_load_n(&e->ref, __ATOMIC_ACQUIRE));

	if (s && s->stack_cookie == h->cookie)
		h->fd = fd;
}

int redirect_holder(uint64_t cookie)
{
	struct holding h = { cookie, -1 };

	socktab_each(&hook.tab, hold_one, &h);
	return h.fd;
}

static void show_one(int fd, struct socktab_entry *e, void *ctx)
{
	const struct run_socket *s = socktab_object(__atomic_load_n(&e->ref, __ATOMIC_ACQUIRE));

	if (redirect_is(s))
		client_hold(s->stack_cookie);
}

void redirect_prepare_sandbox(void)
{
	if (client.on)
		socktab_each(&hook.tab, show_one, NULL);
}

void redirect_after_fork(void)
{
	if (!client.on)
		return;
	channel_after_fork();
	ahead_after_fork();
	start_after_fork();
	fresh.cookie = 0;
	socktab_each(&hook.tab, check_copy, NULL);
}

void redirect_closing(int fd, const struct run_socket *s, bool last)
{
	const struct stack_board_entry *e = board_entry(s->stack_board, s->stack_cookie);
	struct client_request get = { .op = STACK_OP_GETOPT, .cookie = s->stack_cookie,
				      .arg = { SOL_SOCKET, SO_LINGER, sizeof(struct linger) } };
	struct linger l = { 0 };
	int saved = errno;

	if (last)
		redirect_ring_closing(s);

	if (!last || !e || !(__atomic_load_n(&e->flags, __ATOMIC_RELAXED) & STACK_BOARD_LINGER))
		return;
	get.out = &l;
	get.room = sizeof(l);
	if (client_ask(&get) == 0 && l.l_onoff && l.l_linger > 0) {
		struct client_request q = { .op = STACK_OP_FLUSH, .cookie = s->stack_cookie, .slow = true,
					    .arg = { (int64_t)l.l_linger * 1000 } };

		sys(SYS_shutdown, fd, SHUT_WR);
		client_ask(&q);
	}
	errno = saved;
}

void redirect_abort(int fd, struct run_socket *s)
{
	struct client_request q = { .op = STACK_OP_ABORT, .cookie = s->stack_cookie };
	struct target t = redirect_target(fd, s);

	/* The caller reports the reset, in the stead of SO_ERROR. */
	if (client_ask(&q) == 0)
		redirect_take_error(&t);
}

struct replacing {
	const struct run_socket *s;
	int by, err;
};

static void replace_one(int fd, struct socktab_entry *e, void *ctx)
{
	struct replacing *r = ctx;
	long flags;

	if (socktab_object(__atomic_load_n(&e->ref, __ATOMIC_ACQUIRE)) != r->s || fd == r->by)
		return;
	flags = sys(SYS_fcntl, fd, F_GETFD, 0);
	if (flags >= 0)
		flags = sys(SYS_dup3, r->by, fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0);
	if (flags < 0)
		r->err = (int)flags;
}

int redirect_replace(const struct target *t, int by, uint64_t cookie, uint32_t index)
{
	struct redirect_registration registered[REDIRECT_REGISTRATIONS];
	int n = redirect_registrations(t->s, registered, REDIRECT_REGISTRATIONS);
	struct replacing r = { t->s, by, 0 };
	long flags = sys(SYS_fcntl, t->fd, F_GETFL, 0);

	if (flags >= 0)
		sys(SYS_fcntl, by, F_SETFL, flags & (O_NONBLOCK | O_ASYNC));
	socktab_each(&hook.tab, replace_one, &r);
	sys(SYS_close, by);
	mark(t->fd, t->s, cookie, index);
	redirect_register_again(registered, n);
	return r.err;
}

int redirect_ask(const struct target *t, enum stack_op op, int64_t arg0, int64_t arg1)
{
	struct client_request q = { .op = op, .cookie = t->s->stack_cookie, .arg = { arg0, arg1 } };

	return client_ask(&q);
}

int redirect_take_error(const struct target *t)
{
	int v = 0;
	struct client_request q = { .op = STACK_OP_GETOPT, .cookie = t->s->stack_cookie, .out = &v, .room = sizeof(v),
				    .arg = { SOL_SOCKET, SO_ERROR, sizeof(v) } };

	if (client_ask(&q) != 0 || q.out_len != sizeof(v) || v <= 0)
		return 0;
	redirect_error_taken(t);
	return v;
}

bool redirect_is_news(int fd, bool take)
{
	struct stack_dgram d;
	bool news = sys(SYS_recvfrom, fd, &d, sizeof(d), MSG_PEEK | MSG_DONTWAIT) == (long)sizeof(d) &&
		    (d.flags & STACK_DGRAM_ERROR);

	if (news && take)
		sys(SYS_recvfrom, fd, &d, sizeof(d), MSG_DONTWAIT);
	return news;
}

/* Of a SOCK_SEQPACKET it is the sum of all messages. */
static int bytes_in(int fd)
{
	int bytes = 0;

	sys(SYS_ioctl, fd, FIONREAD, &bytes);
	return bytes;
}

bool redirect_only_news(int fd, bool take)
{
	const int one = sizeof(struct stack_dgram);

	/* One may have come late, and the word of the next error after it. */
	while (redirect_is_news(fd, take))
		if (bytes_in(fd) <= (take ? 0 : one))
			return true;
		else if (!take)
			redirect_is_news(fd, true);
	return false;
}

void redirect_error_taken(const struct target *t)
{
	if (redirect_is_stream(t->s))
		return;
	/* The word of it may come yet: from now on poll looks for it. */
	__atomic_fetch_or(&t->s->stack_flags, REDIRECT_FAILED, __ATOMIC_RELAXED);
	redirect_is_news(t->fd, true);
}

bool redirect_is_raw(const struct run_socket *s)
{
	return (sockshim_cookie_type(s->cookie) & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) == SOCK_RAW &&
	       sockshim_cookie_family(s->cookie) != AF_PACKET;
}

bool redirect_is_stream(const struct run_socket *s)
{
	return (sockshim_cookie_type(s->cookie) & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) == SOCK_STREAM;
}

bool redirect_nonblocking(int fd)
{
	long flags = sys(SYS_fcntl, fd, F_GETFL, 0);

	return flags >= 0 && (flags & O_NONBLOCK);
}

int redirect_get_addr(void *to, const void *from, int64_t len)
{
	if (len < 0 || len > (int64_t)sizeof(struct sockaddr_storage))
		return -EINVAL;
	return len == 0 || memory_read(to, from, (size_t)len) ? 0 : -EFAULT;
}

int redirect_put_addr(void *addr, socklen_t *len, const struct stack_addr *from)
{
	socklen_t room;

	if (!addr)
		return 0;
	if (!memory_read(&room, len, sizeof(room)))
		return -EFAULT;
	if ((int)room < 0)
		return -EINVAL;
	if (room > from->len)
		room = from->len;
	return memory_write_two(len, &from->len, sizeof(*len), addr, from->bytes, room) ? 0 : -EFAULT;
}
