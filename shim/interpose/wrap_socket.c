/* wrap_socket.c - the calls that make, name and ask sockets. */
#include "interpose/call.h"
#include "interpose/outcome.h"
#include "interpose/redirect.h"

#include <errno.h>

#include "run/sys.h"

#define HERE __builtin_return_address(0)
#define ERR(r) ((r) < 0 ? errno : 0)

WRAPPER(int, socket, int family, int type, int protocol)
{
	int fd;

	if (UNLIKELY(hook_vforked && !redirect_family(family)))
		return LIBC(socket)(family, type, protocol);
	hook_alive();
	if (UNLIKELY(!hook_quiet(SOCKSHIM_SOCKET)))
		return (int)RUN(socket, -1, NULL, (uint64_t)family, (uint64_t)type, (uint64_t)protocol);
	fd = redirect_family(family) ? (int)sys_errno(redirect_socket(family, type, protocol))
				     : LIBC(socket)(family, type, protocol);
	if (LIKELY(fd >= 0))
		outcome_opened(fd, sockshim_cookie_make(family, type, protocol), HERE, RUN_OPENED, 0);
	else
		run_count(hook.stats, sockshim_cookie_make(family, type, protocol), RUN_OPEN_FAILED);
	return fd;
}

WRAPPER(int, socketpair, int family, int type, int protocol, int *fds)
{
	sockshim_cookie cookie = sockshim_cookie_make(family, type, protocol);
	int r;

	if (UNLIKELY(hook_vforked))
		return LIBC(socketpair)(family, type, protocol, fds);
	hook_alive();
	if (UNLIKELY(!hook_quiet(SOCKSHIM_SOCKET)))
		return (int)RUN(socketpair, -1, NULL, (uint64_t)family, (uint64_t)type, (uint64_t)protocol,
				(uint64_t)fds);
	r = LIBC(socketpair)(family, type, protocol, fds);
	if (r < 0)
		run_count(hook.stats, cookie, RUN_OPEN_FAILED);
	for (int i = 0; r == 0 && i < 2; i++)
		outcome_opened(fds[i], cookie, HERE, RUN_OPENED, RUN_SOCK_PAIR | RUN_SOCK_CONNECTED);
	return r;
}

WRAPPER(int, bind, int fd, const struct sockaddr *addr, socklen_t len)
{
	uint64_t ref = hook_ref_call(fd);
	struct run_socket *s = hook_object(ref);
	int r;

	if (!s)
		return LIBC(bind)(fd, addr, len);
	if (UNLIKELY(!hook_quiet_on(ref, SOCKSHIM_BIND)))
		return (int)RUN(bind, fd, s, (uint64_t)fd, (uint64_t)addr, len);
	r = LIBC(bind)(fd, addr, len);
	outcome_bind(fd, s, ERR(r), addr, len);
	return r;
}

WRAPPER(int, connect, int fd, const struct sockaddr *addr, socklen_t len)
{
	uint64_t ref = hook_ref_call(fd);
	struct run_socket *s = hook_object(ref);
	int r;

	if (!s)
		return LIBC(connect)(fd, addr, len);
	if (UNLIKELY(!hook_quiet_on(ref, SOCKSHIM_CONNECT)))
		return (int)RUN(connect, fd, s, (uint64_t)fd, (uint64_t)addr, len);
	r = LIBC(connect)(fd, addr, len);
	/* An address that the kernel took can be read; after EFAULT it can't. */
	outcome_connect(s, ERR(r), r == 0 || errno == EINPROGRESS || errno == EINTR ? addr : NULL, len);
	return r;
}
WRAPPER_ALIAS(int, __connect, connect, int, const struct sockaddr *, socklen_t)

WRAPPER(int, listen, int fd, int backlog)
{
	uint64_t ref = hook_ref_call(fd);
	struct run_socket *s = hook_object(ref);
	int r;

	if (!s)
		return LIBC(listen)(fd, backlog);
	if (UNLIKELY(!hook_quiet_on(ref, SOCKSHIM_LISTEN)))
		return (int)RUN(listen, fd, s, (uint64_t)fd, (uint64_t)backlog);
	r = LIBC(listen)(fd, backlog);
	outcome_listen(s, ERR(r));
	return r;
}

WRAPPER(int, accept, int fd, struct sockaddr *addr, socklen_t *len)
{
	uint64_t ref = hook_ref_call(fd);
	struct run_socket *s = hook_object(ref);
	int ns;

	if (!s)
		return LIBC(accept)(fd, addr, len);
	if (UNLIKELY(!hook_quiet_on(ref, SOCKSHIM_ACCEPT)))
		return (int)RUN(accept, fd, s, (uint64_t)fd, (uint64_t)addr, (uint64_t)len);
	ns = LIBC(accept)(fd, addr, len);
	outcome_accept(s, ns, ERR(ns), addr, len, HERE, 0);
	return ns;
}

WRAPPER(int, accept4, int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	uint64_t ref = hook_ref_call(fd);
	struct run_socket *s = hook_object(ref);
	int ns;

	if (!s)
		return LIBC(accept4)(fd, addr, len, flags);
	if (UNLIKELY(!hook_quiet_on(ref, SOCKSHIM_ACCEPT)))
		return (int)RUN(accept4, fd, s, (uint64_t)fd, (uint64_t)addr, (uint64_t)len, (uint64_t)flags);
	ns = LIBC(accept4)(fd, addr, len, flags);
	outcome_accept(s, ns, ERR(ns), addr, len, HERE, flags);
	return ns;
}

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
	int r;

	if (LIKELY(!s))
		return LIBC(getsockopt)(fd, level, option, value, len);
	if (UNLIKELY(!hook_quiet_on(ref, SOCKSHIM_GETSOCKOPT_INT)))
		return (int)RUN(getsockopt, fd, s, (uint64_t)fd, (uint64_t)level, (uint64_t)option, (uint64_t)value,
				(uint64_t)len);
	r = LIBC(getsockopt)(fd, level, option, value, len);
	if (level == SOL_SOCKET && option == SO_ERROR && r == 0 && *len >= sizeof(int))
		outcome_so_error(s, *(int *)value);
	return r;
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

	if (LIKELY(!s))
		return LIBC(getpeername)(fd, addr, len);
	if (UNLIKELY(!hook_quiet_on(ref, SOCKSHIM_NONE)))
		return (int)RUN(getpeername, fd, s, (uint64_t)fd, (uint64_t)addr, (uint64_t)len);
	r = LIBC(getpeername)(fd, addr, len);
	if (UNLIKELY(r == 0 && (s->flags & RUN_SOCK_PENDING)))
		outcome_connected(s);
	return r;
}
