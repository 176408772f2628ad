/* wrap_fd.c - the calls that close and duplicate descriptors, of whatever kind. */
#include "backend/hatch.h"
#include "interpose/call.h"
#include "interpose/netlink.h"
#include "interpose/outcome.h"
#include "interpose/redirect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif

static bool redirected(int fd)
{
	return UNLIKELY(client.on) && (hook_ref(fd) & SOCKTAB_STACK);
}

static bool traced(int fd)
{
	return UNLIKELY(!hook_quiet(SOCKSHIM_NONE)) && hook_ref(fd);
}

/* Connections to the stack host. A child that has made none yet closes its parent's. */
static bool stays_open(int fd)
{
	return hook_vforked || hook_detached() ? hatch_owns(fd) : channel_owns(fd);
}

static bool next_to_stay(unsigned first, unsigned last, unsigned *fd)
{
	return hook_vforked || hook_detached() ? hatch_next(first, last, fd) : channel_next(first, last, fd);
}

/* close() of what nothing is known of, of what is special or on a stack, or that somebody wants to see, or by one of many
 * threads. */
static __attribute__((noinline)) int close_long(int fd, uint64_t ref, const void *pc)
{
	sockshim_cookie cookie;
	struct run_socket *s = socktab_is_socket(ref) ? hook_object(ref) : NULL;
	int r;

	if (UNLIKELY(client.on) && stays_open(fd)) {
		errno = EBADF;
		return -1;
	}
	if (hook_vforked)
		return LIBC(close)(fd);
	if (hook_detached() && hook_quiet(SOCKSHIM_CLOSE)) {
		socktab_detached_remove(&hook.tab, fd);
		return LIBC(close)(fd);
	}
	if (ref == SOCKTAB_UNKNOWN) {
		/* Not used since it came from outside: adopted only if somebody wants to see its close. */
		if (hook_quiet(SOCKSHIM_CLOSE) || !hook_adopt(fd)) {
			socktab_detached_remove(&hook.tab, fd);
			return LIBC(close)(fd);
		}
	}
	if (!hook_quiet(SOCKSHIM_CLOSE)) {
		s = hook_socket(fd);
		return s ? (int)call_words(CALL_close, fd, s, pc, (uint64_t)fd, 0, 0, 0, 0, 0) : LIBC(close)(fd);
	}
	if (ref & SOCKTAB_STACK)
		redirect_closing(fd, s, s->refs == 1);
	else if ((ref & SOCKTAB_SPECIAL) && s && s->refs == 1 && netlink_watched(s->cookie))
		netlink_closing(fd);
	if (!outcome_closing(fd, &cookie))
		return LIBC(close)(fd);
	r = LIBC(close)(fd);
	outcome_closed(cookie, r < 0 ? errno : 0);
	return r;
}

/* close() failed with r: what was noted of it is not so. */
static __attribute__((noinline)) int close_failed(sockshim_cookie cookie, long r)
{
	outcome_count(cookie, RUN_CLOSE_FAILED, hook_alone());
	run_add(&run_stat(hook.tab.stats, cookie)->count[RUN_CLOSED], -1ull, false);
	return (int)libc_result(r, true);
}

/* It has been taken out of the table and counted, but something has changed since hook_is_shortest(). */
static __attribute__((noinline)) int close_changed(int fd, struct socktab_entry *e, struct run_socket *s, sockshim_cookie cookie)
{
	long r;

	if (!hook_is_alive()) {
		/* A signal handler forked: the object is the parent's, which has done all this too (unless it was right after the
		 * counting, and one is missing). */
		run_stat_unnote(&s->closed);
		__atomic_store_n(&e->ref, SOCKTAB_OTHER, __ATOMIC_RELEASE);
		return LIBC(close)(fd);
	}
	r = libc_direct_close(fd);
	return r == 0 ? 0 : close_failed(cookie, r);
}

static __attribute__((noinline)) int closed(sockshim_cookie cookie, long r)
{
	outcome_closed(cookie, (int)-r);
	return (int)libc_result(r, true);
}

/* close() of a socket about which there is something: to one thread only that there are more descriptors of it, or that it is not
 * counted in its place. */
static __attribute__((noinline)) int close_marked(int fd, uint64_t ref, const void *pc)
{
	struct socktab_entry *e = socktab_entry(&hook.tab, fd);
	sockshim_cookie cookie = e->cookie;
	long r;

	if (!hook_is_shortest(ref, CALL_close) || !hook_is_alive())
		return close_long(fd, ref, pc);
	if (UNLIKELY(ref & SOCKTAB_APART)) {
		socktab_remove(&hook.tab, fd, &cookie);
	} else {
		__atomic_store_n(&e->ref, SOCKTAB_OTHER, __ATOMIC_RELEASE);
		if (!socktab_refs_drop(hook_object(ref), true))
			cookie = 0;
	}
	r = libc_direct_close(fd);
	return LIKELY(!cookie && r == 0) ? 0 : closed(cookie, r);
}

WRAPPER(int, close, int fd)
{
	struct socktab_entry *e = socktab_entry(&hook.tab, fd);
	uint64_t ref = socktab_entry_ref(e);

	if (UNLIKELY(!socktab_is_socket(ref)))
		return socktab_is_other(ref) ? LIBC(close)(fd) : close_long(fd, ref, __builtin_return_address(0));
	if (UNLIKELY(ref & SOCKTAB_BITS))
		return close_marked(fd, ref, __builtin_return_address(0));
	if (LIKELY(hook_is_shortest(0, CALL_close))) {
		struct run_socket *s = (struct run_socket *)(uintptr_t)ref;
		sockshim_cookie cookie = e->cookie;
		long r;

		socktab_remove_alone(e, ref);
		run_stat_note(&s->closed);	/* if it is much, the next socket there takes it */
		if (UNLIKELY(!hook_guard.shortest))
			return close_changed(fd, e, s, cookie);
		r = libc_direct_close(fd);
		return LIKELY(r == 0) ? 0 : close_failed(cookie, r);
	}
	return close_long(fd, ref, __builtin_return_address(0));
}
WRAPPER_ALIAS(int, __close, close, int)

/* stdio closes without going through close(). */
WRAPPER(int, fclose, FILE *file)
{
	static int (*real)(FILE *);
	int saved = errno, fd = file ? fileno_unlocked(file) : -1, r;
	bool socket = socktab_is_socket(socktab_ref(&hook.tab, fd)) && !hook_vforked;
	bool detached = socket && hook_detached();
	sockshim_cookie cookie;
	bool counted;

	errno = saved;		/* a stream without a descriptor */
	if (UNLIKELY(!real))
		real = (int (*)(FILE *))libc_next("fclose");
	if (UNLIKELY(detached))
		socktab_detached_remove(&hook.tab, fd);
	counted = socket && !detached && outcome_closing(fd, &cookie);
	r = real(file);
	if (counted)
		outcome_closed(cookie, 0);
	return r;
}

struct range {
	unsigned first, last;
};

static void close_one(int fd, struct socktab_entry *e, void *ctx)
{
	const struct range *r = ctx;
	sockshim_cookie cookie;

	if ((unsigned)fd < r->first || (unsigned)fd > r->last)
		return;
	if (hook_detached())
		socktab_detached_remove(&hook.tab, fd);
	else if (outcome_closing(fd, &cookie))
		outcome_closed(cookie, 0);
}

/* Takes the sockets of a range out of the table. Filters are for single descriptors and do not see this. */
static void close_sockets(unsigned first, unsigned last)
{
	struct range r = { first, last };

	if (!hook_vforked)
		socktab_each(&hook.tab, close_one, &r);
}

/* All but the connections to the stack host. */
static int close_around(unsigned first, unsigned last, int flags)
{
	unsigned next;
	int r = 0;

	for (; r == 0 && next_to_stay(first, last, &next); first = next + 1) {
		if (first < next)
			r = LIBC(close_range)(first, next - 1, flags);
		if (next == last)
			return r;
	}
	return r == 0 ? LIBC(close_range)(first, last, flags) : r;
}

WRAPPER(int, close_range, unsigned first, unsigned last, int flags)
{
	if (first <= last && !(flags & ~CLOSE_RANGE_UNSHARE))
		close_sockets(first, last);
	if (UNLIKELY(client.on) && first <= last)
		return close_around(first, last, flags);
	return LIBC(close_range)(first, last, flags);
}

WRAPPER(void, closefrom, int first)
{
	unsigned from = first < 0 ? 0 : (unsigned)first;

	close_sockets(from, ~0u);
	if (LIKELY(!client.on) || close_around(from, ~0u, 0) != 0)
		LIBC(closefrom)(first);
}

/* A number that the program wants, and that a connection to the stack host has. */
static void give_way(int to)
{
	if (UNLIKELY(client.on) && !hook_vforked && !hook_detached())
		channel_give_way(to);
}

WRAPPER(int, dup, int fd)
{
	bool alone = LIBC_DIRECT(CALL_dup), seen = traced(fd);
	long r = seen ? RUN(dup, fd, hook_socket(fd), (uint64_t)fd) : MAKE(alone, dup, fd);

	if (r >= 0)
		outcome_dup(fd, (int)r);
	return (int)(seen ? r : libc_result(r, alone));
}

WRAPPER(int, dup2, int fd, int to)
{
	int r;

	give_way(to);
	r = traced(fd) ? (int)RUN(dup2, fd, hook_socket(fd), (uint64_t)fd, (uint64_t)to) : LIBC(dup2)(fd, to);

	if (r >= 0)
		outcome_dup(fd, r);
	return r;
}
WRAPPER_ALIAS(int, __dup2, dup2, int, int)

WRAPPER(int, dup3, int fd, int to, int flags)
{
	int r;

	give_way(to);
	r = traced(fd) ? (int)RUN(dup3, fd, hook_socket(fd), (uint64_t)fd, (uint64_t)to, (uint64_t)flags)
			   : LIBC(dup3)(fd, to, flags);

	if (r >= 0)
		outcome_dup(fd, r);
	return r;
}

/* The argument is passed on as a word, which holds whatever the caller put there. */
WRAPPER(int, fcntl, int fd, int cmd, long arg)
{
	bool is_traced = traced(fd), is_dup = cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC;
	int r;

	if (LIKELY(!is_traced && !is_dup))
		return LIBC(fcntl)(fd, cmd, arg);
	r = is_traced ? (int)RUN(fcntl, fd, hook_socket(fd), (uint64_t)fd, (uint64_t)cmd, (uint64_t)arg)
		      : LIBC(fcntl)(fd, cmd, arg);
	if (r >= 0 && is_dup)
		outcome_dup(fd, r);
	return r;
}
WRAPPER_ALIAS(int, __fcntl, fcntl, int, int, long)
WRAPPER_ALIAS(int, fcntl64, fcntl, int, int, long)

WRAPPER(int, ioctl, int fd, unsigned long request, long arg)
{
	return traced(fd) || redirected(fd) ? (int)RUN(ioctl, fd, hook_socket(fd), (uint64_t)fd, request, (uint64_t)arg)
			  : LIBC(ioctl)(fd, request, arg);
}
