/* outcome.h - what the outcome of a call does to table and statistics. Used by the short way through a
 * wrapper and by the long one alike. None of these touches errno. `alone`: there was
 * no other thread when the call was made (interpose/direct.h). */
#ifndef SHIM_INTERPOSE_OUTCOME_H
#define SHIM_INTERPOSE_OUTCOME_H

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "interpose/hook.h"
#include "interpose/site.h"
#include "run/stat.h"

/* The statistics of a cookie, if they are not those that were counted in lately. */
struct run_stat *outcome_find_stat(sockshim_cookie cookie);

static inline void outcome_count(sockshim_cookie cookie, enum run_count count, bool alone)
{
	struct run_stat *st = __atomic_load_n(hook_last_stat(cookie), __ATOMIC_RELAXED);

	if (UNLIKELY(!st || __atomic_load_n(&st->cookie_plus_one, __ATOMIC_RELAXED) != cookie + 1))
		st = outcome_find_stat(cookie);
	run_add(&st->count[count], 1, alone);
}

/* A descriptor has been made by socket or accept: counts it (RUN_OPENED, RUN_ACCEPTED) and enters it. `pc`
 * is where the call came from, `flags` what is known of it. The object, or NULL if it found no place. */
struct run_socket *outcome_opened(int fd, sockshim_cookie cookie, const void *pc, enum run_count count, uint32_t flags);

/* The same after hook_is_bare(), where one of the same cookie had the descriptor before, and its caller is known; but counting it is
 * the caller's. NULL: it is for outcome_opened(). */
static inline struct run_socket *outcome_enter_again(int fd, sockshim_cookie cookie, uint32_t flags, const void *pc)
{
	return LIKELY(site_is_noted(pc)) ? socktab_enter_again(&hook.tab, (unsigned)fd, cookie, flags, pc) : NULL;
}

/* Ends the opening of one (given twice) or two that have been counted: notes the time, if the run asks for it. False: this is a child
 * that a signal handler forked since hook_is_bare(), see outcome_undo(). */
static inline bool outcome_end(struct run_socket *first, struct run_socket *second)
{
	int64_t shortest = (int64_t)__atomic_load_n(&hook_guard.shortest, __ATOMIC_RELAXED);

	if (LIKELY(shortest > 0))
		return true;
	if (shortest == 0)
		return false;
	first->opened_ticks = second->opened_ticks = run_clock_counter();
	return true;
}

/* The same for one where that failed, or more was counted than the place should hold. */
void outcome_more(struct run_socket *s);

/* In a child that a signal handler forked since hook_is_bare(), takes back that it was entered and counted: the object is the
 * parent's, which has done so too (unless it was right after the counting, and one is missing). False: this is no such child. */
bool outcome_undo(struct run_socket *s, int fd);

/* The flags that a socket's type asks for. */
static inline uint32_t outcome_type_flags(int type)
{
	_Static_assert(SOCK_CLOEXEC >> 13 == RUN_SOCK_CLOEXEC, "a shift");
	return (uint32_t)(type & SOCK_CLOEXEC) >> 13;
}

/* connect returned err (0: connected) for the address that was passed. */
void outcome_connect(struct run_socket *s, int err, const struct sockaddr *addr, socklen_t len);

/* The same of a socket that was connected already, a datagram one, to another IPv4 address; false: it is not that. */
static inline bool outcome_connect_again(struct run_socket *s, const struct sockaddr *addr, socklen_t len)
{
	const uint32_t known = RUN_SOCK_CONNECTED | RUN_SOCK_PEER;

	if (len != sizeof(struct sockaddr_in) || addr->sa_family != AF_INET ||
	    (__atomic_load_n(&s->flags, __ATOMIC_RELAXED) & (known | RUN_SOCK_PENDING)) != known)
		return false;
	__atomic_store_n(&s->err, 0, __ATOMIC_RELAXED);
	memcpy(s->peer.data, addr, sizeof(struct sockaddr_in));
	s->peer.len = sizeof(struct sockaddr_in);
	return true;
}

/* getsockopt(SO_ERROR) has read `value`. */
void outcome_so_error(struct run_socket *s, int value);

/* bind of fd returned err. A port that was left to the kernel is asked for. */
void outcome_bind(int fd, struct run_socket *s, int err, const struct sockaddr *addr, socklen_t len);
void outcome_listen(struct run_socket *s, int err);

/* accept on `s` returned fd; addr and len are what it filled in, both may be NULL. `shortest`: after hook_is_shortest(). */
void outcome_accepted(struct run_socket *s, int fd, const struct sockaddr *addr, const socklen_t *len,
		      const void *pc, int flags, bool shortest);

/* accept on `s` returned fd, or failed with err. */
static inline void outcome_accept(struct run_socket *s, int fd, int err, const struct sockaddr *addr,
				  const socklen_t *len, const void *pc, int flags, bool shortest)
{
	__atomic_store_n(&s->err, err, __ATOMIC_RELAXED);
	if (err)
		outcome_count(s->cookie, RUN_ACCEPT_FAILED, shortest);
	else
		outcome_accepted(s, fd, addr, len, pc, flags, shortest);
}

/* A connect in progress has turned out well: data passed, or getpeername answered. */
void outcome_connected(struct run_socket *s);

/* Takes fd out of the table ahead of its close, and counts the close afterwards. */
static inline bool outcome_closing(int fd, sockshim_cookie *cookie)
{
	return socktab_remove(&hook.tab, fd, cookie);
}

void outcome_closed(sockshim_cookie cookie, int err);	/* cookie 0: other descriptors still name the socket */

/* dup and its kin have made `to` the same as `from`. */
void outcome_dup_socket(int from, int to);

static inline void outcome_dup(int from, int to)
{
	if (LIKELY(socktab_is_other(socktab_ref(&hook.tab, from)) && socktab_is_other(socktab_ref(&hook.tab, to))))
		return;
	if (UNLIKELY(hook_in_vfork() || !hook_is_alive() || !socktab_dup_quickly(&hook.tab, from, to)))
		outcome_dup_socket(from, to);
}

/* Descriptors that came in a message are looked at when they are first used. */
void outcome_rights(const struct msghdr *msg);

/* Sending or receiving failed: if a connect was in progress, it may have been that which failed. */
void outcome_io_failed(struct run_socket *s, int err);

/* What is only looked at (MSG_PEEK) is received by another call. */
static inline void outcome_rx(struct run_socket *s, long n, int flags, bool alone)
{
	if (LIKELY(n > 0)) {
		if (LIKELY(!(flags & MSG_PEEK)))
			run_add(&s->rx_bytes, (uint64_t)n, alone);
		if (UNLIKELY(__atomic_load_n(&s->flags, __ATOMIC_RELAXED) & RUN_SOCK_PENDING))
			outcome_connected(s);
	} else if (UNLIKELY(n < 0 && n != -EAGAIN)) {
		outcome_io_failed(s, (int)-n);
	}
}

static inline void outcome_tx(struct run_socket *s, long n, bool alone)
{
	if (LIKELY(n > 0)) {
		run_add(&s->tx_bytes, (uint64_t)n, alone);
		if (UNLIKELY(__atomic_load_n(&s->flags, __ATOMIC_RELAXED) & RUN_SOCK_PENDING))
			outcome_connected(s);
	} else if (UNLIKELY(n < 0 && n != -EAGAIN)) {
		outcome_io_failed(s, (int)-n);
	}
}

#endif
