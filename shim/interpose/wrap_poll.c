/* wrap_poll.c - waiting for descriptors, and looking up names: calls that are on no one socket.
 *
 * Nothing is looked up unless a filter, a rule or the trace wants to see these calls. The socket that rules
 * judge by is then the first one among those waited for; of an epoll descriptor's interest nothing is known.
 */
#include "interpose/call.h"
#include "interpose/memory.h"
#include "interpose/outcome.h"
#include "interpose/redirect.h"
#include "interpose/resolve.h"
#include "run/sys.h"

#define LOOK_AT 64	/* descriptors looked through for a socket */

static struct run_socket *first_polled(const struct pollfd *fds, nfds_t n, int *fd)
{
	struct pollfd copy[LOOK_AT];

	if (n > LOOK_AT)
		n = LOOK_AT;
	/* A sandbox may allow waiting and nothing else. */
	if (!n || hook_sandboxed || !memory_read(copy, fds, n * sizeof(*fds)))
		return NULL;
	for (nfds_t i = 0; i < n; i++) {
		struct run_socket *s = copy[i].fd >= 0 ? hook_socket(copy[i].fd) : NULL;

		if (s) {
			*fd = copy[i].fd;
			return s;
		}
	}
	return NULL;
}

static struct run_socket *first_selected(int n, const fd_set *a, const fd_set *b, const fd_set *c, int *fd)
{
	const fd_set *sets[3] = { a, b, c };
	fd_set copy;

	if (n > FD_SETSIZE)
		n = FD_SETSIZE;
	for (int k = 0; n > 0 && k < 3 && !hook_sandboxed; k++) {
		size_t bytes = ((size_t)n + 63) / 64 * 8;

		if (!sets[k] || !memory_read(&copy, sets[k], bytes))
			continue;
		for (int i = 0; i < n; i++) {
			struct run_socket *s = FD_ISSET(i, &copy) ? hook_socket(i) : NULL;

			if (s) {
				*fd = i;
				return s;
			}
		}
	}
	return NULL;
}

static bool quiet(void)
{
	return LIKELY(hook_quiet(SOCKSHIM_POLL)) || hook_vforked;
}

/* Waits without anybody's looking on: for the pairs of redirected sockets if there may be any. */
#define WAIT(name, args, ...) \
	(LIKELY(!client.on) || hook_vforked ? LIBC(name) args \
		: (int)redirect_call(CALL_##name, -1, NULL, (const uint64_t[]){ __VA_ARGS__ }))

WRAPPER(int, poll, struct pollfd *fds, nfds_t n, int timeout)
{
	struct run_socket *s;
	int fd = -1;

	if (quiet())
		return WAIT(poll, (fds, n, timeout), (uint64_t)fds, n, (uint64_t)timeout);
	s = first_polled(fds, n, &fd);
	return (int)RUN(poll, fd, s, (uint64_t)fds, n, (uint64_t)timeout);
}
WRAPPER_ALIAS(int, __poll, poll, struct pollfd *, nfds_t, int)

WRAPPER(int, ppoll, struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
	struct run_socket *s;
	int fd = -1;

	if (quiet())
		return WAIT(ppoll, (fds, n, timeout, mask), (uint64_t)fds, n, (uint64_t)timeout, (uint64_t)mask);
	s = first_polled(fds, n, &fd);
	return (int)RUN(ppoll, fd, s, (uint64_t)fds, n, (uint64_t)timeout, (uint64_t)mask);
}

/* Fortified: the array has `room` bytes. */
static void check(nfds_t n, size_t room)
{
	void (*fail)(void);

	if (LIKELY(room / sizeof(struct pollfd) >= n))
		return;
	fail = libc_next("__chk_fail");
	if (fail)
		fail();
	__builtin_trap();
}

WRAPPER(int, __poll_chk, struct pollfd *fds, nfds_t n, int timeout, size_t room)
{
	check(n, room);
	return sockshim_w_poll(fds, n, timeout);
}

WRAPPER(int, __ppoll_chk, struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask,
	size_t room)
{
	check(n, room);
	return sockshim_w_ppoll(fds, n, timeout, mask);
}

WRAPPER(int, select, int n, fd_set *rd, fd_set *wr, fd_set *ex, struct timeval *timeout)
{
	struct run_socket *s;
	int fd = -1;

	if (quiet())
		return WAIT(select, (n, rd, wr, ex, timeout), (uint64_t)n, (uint64_t)rd, (uint64_t)wr, (uint64_t)ex, (uint64_t)timeout);
	s = first_selected(n, rd, wr, ex, &fd);
	return (int)RUN(select, fd, s, (uint64_t)n, (uint64_t)rd, (uint64_t)wr, (uint64_t)ex, (uint64_t)timeout);
}
WRAPPER_ALIAS(int, __select, select, int, fd_set *, fd_set *, fd_set *, struct timeval *)

WRAPPER(int, pselect, int n, fd_set *rd, fd_set *wr, fd_set *ex, const struct timespec *timeout,
	const sigset_t *mask)
{
	struct run_socket *s;
	int fd = -1;

	if (quiet())
		return WAIT(pselect, (n, rd, wr, ex, timeout, mask), (uint64_t)n, (uint64_t)rd, (uint64_t)wr, (uint64_t)ex, (uint64_t)timeout, (uint64_t)mask);
	s = first_selected(n, rd, wr, ex, &fd);
	return (int)RUN(pselect, fd, s, (uint64_t)n, (uint64_t)rd, (uint64_t)wr, (uint64_t)ex, (uint64_t)timeout,
			(uint64_t)mask);
}

WRAPPER(int, epoll_wait, int fd, struct epoll_event *events, int n, int timeout)
{
	if (quiet())
		return WAIT(epoll_wait, (fd, events, n, timeout), (uint64_t)fd, (uint64_t)events, (uint64_t)n, (uint64_t)timeout);
	return (int)RUN(epoll_wait, fd, NULL, (uint64_t)fd, (uint64_t)events, (uint64_t)n, (uint64_t)timeout);
}

WRAPPER(int, epoll_pwait, int fd, struct epoll_event *events, int n, int timeout, const sigset_t *mask)
{
	if (quiet())
		return WAIT(epoll_pwait, (fd, events, n, timeout, mask), (uint64_t)fd, (uint64_t)events, (uint64_t)n, (uint64_t)timeout, (uint64_t)mask);
	return (int)RUN(epoll_pwait, fd, NULL, (uint64_t)fd, (uint64_t)events, (uint64_t)n, (uint64_t)timeout,
			(uint64_t)mask);
}

WRAPPER(int, epoll_pwait2, int fd, struct epoll_event *events, int n, const struct timespec *timeout,
	const sigset_t *mask)
{
	if (quiet())
		return WAIT(epoll_pwait2, (fd, events, n, timeout, mask), (uint64_t)fd, (uint64_t)events, (uint64_t)n, (uint64_t)timeout, (uint64_t)mask);
	return (int)RUN(epoll_pwait2, fd, NULL, (uint64_t)fd, (uint64_t)events, (uint64_t)n, (uint64_t)timeout,
			(uint64_t)mask);
}

WRAPPER(int, epoll_ctl, int epfd, int op, int fd, struct epoll_event *event)
{
	int r = UNLIKELY(!hook_quiet(SOCKSHIM_NONE)) && hook_ref(fd)
			? (int)RUN(epoll_ctl, fd, hook_socket(fd), (uint64_t)epfd, (uint64_t)op, (uint64_t)fd, (uint64_t)event)
			: LIBC(epoll_ctl)(epfd, op, fd, event);

	if (UNLIKELY(client.on) && r == 0 && (hook_ref(fd) & SOCKTAB_STACK))
		redirect_note_epoll(epfd, op, fd, event);
	return r;
}

WRAPPER(int, getaddrinfo, const char *host, const char *service, const struct addrinfo *hints,
	struct addrinfo **res)
{
	if (LIKELY(!hook_vforked))
		hook_alive();
	if (LIKELY(hook_quiet(SOCKSHIM_RESOLVE)) || hook_vforked)
		return client.on && !hook_vforked ? resolve_getaddrinfo(host, service, hints, res)
						  : LIBC(getaddrinfo)(host, service, hints, res);
	return (int)RUN(getaddrinfo, -1, NULL, (uint64_t)host, (uint64_t)service, (uint64_t)hints, (uint64_t)res);
}
