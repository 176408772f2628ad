/* wrap_socket.c - the calls that make, name and ask sockets. */
#include "interpose/call.h"
#include "interpose/outcome.h"
#include "interpose/redirect.h"

#include <errno.h>

#include "run/sys.h"

#define HERE __builtin_return_address(0)
#define PAIR_FLAGS(type) (RUN_SOCK_PAIR | RUN_SOCK_CONNECTED | outcome_type_flags(type))
#define ERR(r) ((r) < 0 ? (int)-(r) : 0)

/* What there is to be done about a result beyond the usual. */
static __attribute__((noinline)) int socket_made(long fd, int family, int type, int protocol, const void *pc)
{
	sockshim_cookie cookie = sockshim_cookie_make(family, type, protocol);

	if (fd >= 0)
		outcome_opened((int)fd, cookie, pc, RUN_OPENED, outcome_type_flags(type));
	else
		outcome_count(cookie, RUN_OPEN_FAILED, hook_alone());
	return (int)libc_result(fd, true);
}

/* What is to be seen, or goes to a stack, or comes from a fork that has made no socket yet, or from vfork. */
static __attribute__((noinline)) int socket_long(int family, int type, int protocol, const void *pc)
{
	if (hook_in_vfork() && !redirect_family(family))
		return LIBC(socket)(family, type, protocol);
	hook_alive();
	if ((hook.unusual & HOOK_STACK) || hook_in_vfork() || !hook_quiet(SOCKSHIM_SOCKET))
		return (int)call_words(CALL_socket, -1, NULL, pc, (uint64_t)family, (uint64_t)type, (uint64_t)protocol, 0, 0, 0);
	return socket_made(MAKE(false, socket, family, type, protocol), family, type, protocol, pc);
}

static __attribute__((noinline)) int socket_more(struct run_socket *s, int fd, sockshim_cookie cookie, uint32_t flags, const void *pc)
{
	if (outcome_undo(s, fd))
		outcome_opened(fd, cookie, pc, RUN_OPENED, flags);
	else
		outcome_more(s);
	return fd;
}

WRAPPER(int, socket, int family, int type, int protocol)
{
	if (LIKELY(hook_is_bare(CALL_socket))) {
		int fd = (int)libc_direct_socket(family, type, protocol);
		sockshim_cookie cookie = sockshim_cookie_make(family, type, protocol);
		struct run_socket *s = outcome_enter_again(fd, cookie, outcome_type_flags(type), HERE);

		if (LIKELY(s)) {
			if (LIKELY(!run_stat_note(&s->opened)) && LIKELY(outcome_end(s, s)))
				return fd;
			return socket_more(s, fd, cookie, outcome_type_flags(type), HERE);
		}
		return socket_made(fd, family, type, protocol, HERE);
	}
	return socket_long(family, type, protocol, HERE);
}

static __attribute__((noinline)) int pair_made(long r, sockshim_cookie cookie, uint32_t flags, const int *fds, const void *pc)
{
	if (r < 0)
		outcome_count(cookie, RUN_OPEN_FAILED, hook_alone());
	for (int i = 0; r == 0 && i < 2; i++)
		outcome_opened(fds[i], cookie, pc, RUN_OPENED, flags);
	return (int)libc_result(r, true);
}

/* The first has been entered and counted; and the second, if it is not NULL. */
static __attribute__((noinline)) int pair_more(struct run_socket *first, struct run_socket *second, sockshim_cookie cookie,
					       uint32_t flags, const int *fds, const void *pc)
{
	if (outcome_undo(first, fds[0])) {
		if (second)
			outcome_undo(second, fds[1]);
		return pair_made(0, cookie, flags, fds, pc);
	}
	outcome_more(first);
	if (second)
		outcome_more(second);
	else
		outcome_opened(fds[1], cookie, pc, RUN_OPENED, flags);
	return 0;
}

static __attribute__((noinline)) int socketpair_long(int family, int type, int protocol, int *fds, const void *pc)
{
	sockshim_cookie cookie = sockshim_cookie_make(family, type, protocol);
	long r;

	if (hook_in_vfork())
		return LIBC(socketpair)(family, type, protocol, fds);
	hook_alive();
	if (!hook_quiet(SOCKSHIM_SOCKET))
		return (int)call_words(CALL_socketpair, -1, NULL, pc, (uint64_t)family, (uint64_t)type, (uint64_t)protocol,
				       (uint64_t)fds, 0, 0);
	r = MAKE(false, socketpair, family, type, protocol, fds);
	return pair_made(r, cookie, PAIR_FLAGS(type), fds, pc);
}

WRAPPER(int, socketpair, int family, int type, int protocol, int *fds)
{
	if (LIKELY(hook_is_bare(CALL_socketpair))) {
		sockshim_cookie cookie = sockshim_cookie_make(family, type, protocol);
		long r = libc_direct_socketpair(family, type, protocol, fds);
		struct run_socket *first = LIKELY(r == 0) ? outcome_enter_again(fds[0], cookie, PAIR_FLAGS(type), HERE) : NULL;
		struct run_socket *second = NULL;

		if (UNLIKELY(!first))
			return pair_made(r, cookie, PAIR_FLAGS(type), fds, HERE);
		if (LIKELY(!run_stat_note(&first->opened)) &&
		    LIKELY(second = socktab_enter_again(&hook.tab, (unsigned)fds[1], cookie, PAIR_FLAGS(type), HERE)) &&
		    LIKELY(!run_stat_note(&second->opened)) && LIKELY(outcome_end(first, second)))
			return 0;
		return pair_more(first, second, cookie, PAIR_FLAGS(type), fds, HERE);
	}
	return socketpair_long(family, type, protocol, fds, HERE);
}

WRAPPER(int, bind, int fd, const struct sockaddr *addr, socklen_t len)
{
	uint64_t ref = hook_ref_call(fd);
	struct run_socket *s = hook_object(ref);
	bool alone;
	long r;

	if (UNLIKELY(!s))
		return LIBC(bind)(fd, addr, len);
	alone = hook_is_shortest(ref, CALL_bind);
	if (UNLIKELY(!alone && !hook_quiet_on(ref, SOCKSHIM_BIND)))
		return (int)RUN(bind, fd, s, (uint64_t)fd, (uint64_t)addr, len);
	r = MAKE(alone, bind, fd, addr, len);
	outcome_bind(fd, s, ERR(r), addr, len);
	return (int)libc_result(r, alone);
}

WRAPPER(int, connect, int fd, const struct sockaddr *addr, socklen_t len)
{
	uint64_t ref = hook_ref_call(fd);
	struct run_socket *s = hook_object(ref);
	bool alone;
	long r;

	if (UNLIKELY(!s))
		return LIBC(connect)(fd, addr, len);
	alone = hook_is_shortest(ref, CALL_connect);
	if (UNLIKELY(!alone && !hook_quiet_on(ref, SOCKSHIM_CONNECT)))
		return (int)RUN(connect, fd, s, (uint64_t)fd, (uint64_t)addr, len);
	r = MAKE(alone, connect, fd, addr, len);
	/* An address that the kernel took can be read; after EFAULT it can't. */
	if (UNLIKELY(r != 0 || !outcome_connect_again(s, addr, len)))
		outcome_connect(s, ERR(r), r == 0 || r == -EINPROGRESS || r == -EINTR ? addr : NULL, len);
	return (int)libc_result(r, alone);
}
WRAPPER_ALIAS(int, __connect, connect, int, const struct sockaddr *, socklen_t)

WRAPPER(int, listen, int fd, int backlog)
{
	uint64_t ref = hook_ref_call(fd);
	struct run_socket *s = hook_object(ref);
	bool alone;
	long r;

	if (UNLIKELY(!s))
		return LIBC(listen)(fd, backlog);
	alone = hook_is_shortest(ref, CALL_listen);
	if (UNLIKELY(!alone && !hook_quiet_on(ref, SOCKSHIM_LISTEN)))
		return (int)RUN(listen, fd, s, (uint64_t)fd, (uint64_t)backlog);
	r = MAKE(alone, listen, fd, backlog);
	outcome_listen(s, ERR(r));
	return (int)libc_result(r, alone);
}

/* After hook_is_shortest(). */
static __attribute__((noinline)) int accepted(struct run_socket *s, long ns, const struct sockaddr *addr, const socklen_t *len,
					      int flags, const void *pc)
{
	outcome_accept(s, (int)ns, ERR(ns), addr, len, pc, flags, true);
	return (int)libc_result(ns, true);
}

static __attribute__((noinline)) int accept_more(struct run_socket *s, long r)
{
	if (s->flags & (RUN_SOCK_UNSEEN | RUN_SOCK_APART))
		outcome_count(s->cookie, RUN_ACCEPT_FAILED, true);
	else
		socktab_take(&hook.tab, s);
	return (int)libc_result(r, true);
}

/* Nobody to accept, after hook_is_shortest(). True: there is more to be done. */
static inline bool note_nobody(struct run_socket *s)
{
	__atomic_store_n(&s->err, EAGAIN, __ATOMIC_RELAXED);
	return (s->flags & (RUN_SOCK_UNSEEN | RUN_SOCK_APART)) || run_stat_note(&s->accept_failed);
}

/* accept and accept4 alike: the shortest way, by which nobody to accept is all that is found, and the long one. */
#define WRAP_ACCEPT(name, flags, params) \
	static __attribute__((noinline)) int name##_long(PARAMS_##params, const void *pc) \
	{ \
		uint64_t ref = hook_ref_call(fd); \
		struct run_socket *s = hook_object(ref); \
		long ns; \
\
		if (!s || hook_in_vfork()) \
			return LIBC(name)(NAMES_##params); \
		if (!hook_quiet_on(ref, SOCKSHIM_ACCEPT)) \
			return (int)call_words(CALL_##name, fd, s, pc, (uint64_t)fd, (uint64_t)addr, (uint64_t)len, \
					       (uint64_t)(flags), 0, 0); \
		ns = MAKE(false, name, NAMES_##params); \
		outcome_accept(s, (int)ns, ERR(ns), addr, len, pc, flags, false); \
		return (int)libc_result(ns, false); \
	} \
\
	WRAPPER(int, name, PARAMS_##params) \
	{ \
		uint64_t ref = socktab_ref(&hook.tab, fd); \
\
		if (LIKELY(socktab_is_socket(ref) && hook_is_shortest(ref, CALL_##name))) { \
			struct run_socket *s = hook_object(ref); \
			long ns = libc_direct_##name(NAMES_##params); \
\
			if (UNLIKELY(ns != -EAGAIN))	/* which has more to do than to get there */ \
				return accepted(s, ns, addr, len, flags, HERE); \
			return UNLIKELY(note_nobody(s)) ? accept_more(s, ns) : (int)libc_result(ns, true); \
		} \
		return name##_long(NAMES_##params, HERE); \
	}

WRAP_ACCEPT(accept, 0, A3(int, fd, FD, struct sockaddr *, addr, ADDR, socklen_t *, len, PTR))
WRAP_ACCEPT(accept4, flags, A4(int, fd, FD, struct sockaddr *, addr, ADDR, socklen_t *, len, PTR, int, flags, SOCKFLAGS))

WRAPPER(int, shutdown, int fd, int how)
{
	uint64_t ref = hook_ref(fd);
	struct run_socket *s = hook_object(ref);

	if (LIKELY(!s || hook_quiet_on(ref, SOCKSHIM_SHUTDOWN)))
		return LIBC(shutdown)(fd, how);
	return (int)RUN(shutdown, fd, s, (uint64_t)fd, (uint64_t)how);
}

WRAPPER(int, getsockopt, int fd, int level, int option, void *value, socklen_t *len)
{
	uint64_t ref = hook_ref(fd);
	struct run_socket *s = hook_object(ref);
	bool alone;
	long r;

	if (UNLIKELY(s && !hook_quiet_on(ref, SOCKSHIM_GETSOCKOPT_INT)))
		return (int)RUN(getsockopt, fd, s, (uint64_t)fd, (uint64_t)level, (uint64_t)option, (uint64_t)value,
				(uint64_t)len);
	if (!s || level != SOL_SOCKET || option != SO_ERROR)
		return LIBC(getsockopt)(fd, level, option, value, len);
	alone = LIBC_DIRECT(CALL_getsockopt);
	r = MAKE(alone, getsockopt, fd, level, option, value, len);
	if (r == 0 && *len >= sizeof(int))
		outcome_so_error(s, *(int *)value);
	return (int)libc_result(r, alone);
}

WRAPPER(int, setsockopt, int fd, int level, int option, const void *value, socklen_t len)
{
	uint64_t ref = hook_ref(fd);
	struct run_socket *s = hook_object(ref);

	if (LIKELY(!s || hook_quiet_on(ref, SOCKSHIM_SETSOCKOPT)))
		return LIBC(setsockopt)(fd, level, option, value, len);
	return (int)RUN(setsockopt, fd, s, (uint64_t)fd, (uint64_t)level, (uint64_t)option, (uint64_t)value, len);
}

WRAPPER(int, getsockname, int fd, struct sockaddr *addr, socklen_t *len)
{
	uint64_t ref = hook_ref(fd);
	struct run_socket *s = hook_object(ref);

	if (LIKELY(!s || hook_quiet_on(ref, SOCKSHIM_NONE)))
		return LIBC(getsockname)(fd, addr, len);
	return (int)RUN(getsockname, fd, s, (uint64_t)fd, (uint64_t)addr, (uint64_t)len);
}

WRAPPER(int, getpeername, int fd, struct sockaddr *addr, socklen_t *len)
{
	uint64_t ref = hook_ref(fd);
	struct run_socket *s = hook_object(ref);
	int r;

	if (UNLIKELY(s && !hook_quiet_on(ref, SOCKSHIM_NONE)))
		return (int)RUN(getpeername, fd, s, (uint64_t)fd, (uint64_t)addr, (uint64_t)len);
	if (LIKELY(!s || !(s->flags & RUN_SOCK_PENDING)))
		return LIBC(getpeername)(fd, addr, len);
	r = LIBC(getpeername)(fd, addr, len);
	if (r == 0)
		outcome_connected(s);
	return r;
}
