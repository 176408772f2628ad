/* outcome.h - what the outcome of a call does to table and statistics. Used by the short way through a
 * wrapper and by the long one alike. None of these touches errno. */
#ifndef SHIM_INTERPOSE_OUTCOME_H
#define SHIM_INTERPOSE_OUTCOME_H

#include <errno.h>

#include "interpose/hook.h"
#include "run/stat.h"

/* A descriptor has been made by socket or accept: counts it (RUN_OPENED, RUN_ACCEPTED) and enters it. `pc`
 * is where the call came from. The object, or NULL if it found no place. */
struct run_socket *outcome_opened(int fd, sockshim_cookie cookie, const void *pc, enum run_count count,
				  uint32_t flags);

/* connect returned err (0: connected) for the address that was passed. */
void outcome_connect(struct run_socket *s, int err, const struct sockaddr *addr, socklen_t len);

/* getsockopt(SO_ERROR) has read `value`. */
void outcome_so_error(struct run_socket *s, int value);

/* bind of fd returned err. A port that was left to the kernel is asked for. */
void outcome_bind(int fd, struct run_socket *s, int err, const struct sockaddr *addr, socklen_t len);
void outcome_listen(struct run_socket *s, int err);

/* accept on `s` returned fd (or failed with err); addr and len are what it filled in, both may be NULL. */
void outcome_accept(struct run_socket *s, int fd, int err, const struct sockaddr *addr, const socklen_t *len,
		    const void *pc, int flags);

/* A connect in progress has turned out well: data passed, or getpeername answered. */
void outcome_connected(struct run_socket *s);

/* Takes fd out of the table ahead of its close, and counts the close afterwards. */
bool outcome_closing(int fd, sockshim_cookie *cookie);
void outcome_closed(sockshim_cookie cookie, int err);	/* cookie 0: other descriptors still name the socket */

/* dup and its kin have made `to` the same as `from`. */
void outcome_dup(int from, int to);

/* Descriptors that came in a message are looked at when they are first used. */
void outcome_rights(const struct msghdr *msg);

/* What is only looked at is received by another call. */
/* Sending or receiving failed with errno: if a connect was in progress, it may have been that which failed. */
void outcome_io_failed(struct run_socket *s);

static inline void outcome_rx(struct run_socket *s, ssize_t n, int flags)
{
	if (LIKELY(n > 0)) {
		if (LIKELY(!(flags & MSG_PEEK)))
			__atomic_fetch_add(&s->rx_bytes, (uint64_t)n, __ATOMIC_RELAXED);
		if (UNLIKELY(__atomic_load_n(&s->flags, __ATOMIC_RELAXED) & RUN_SOCK_PENDING))
			outcome_connected(s);
	} else if (UNLIKELY(n < 0 && errno != EAGAIN)) {
		outcome_io_failed(s);
	}
}

static inline void outcome_tx(struct run_socket *s, ssize_t n)
{
	if (LIKELY(n > 0)) {
		__atomic_fetch_add(&s->tx_bytes, (uint64_t)n, __ATOMIC_RELAXED);
		if (UNLIKELY(__atomic_load_n(&s->flags, __ATOMIC_RELAXED) & RUN_SOCK_PENDING))
			outcome_connected(s);
	} else if (UNLIKELY(n < 0 && errno != EAGAIN)) {
		outcome_io_failed(s);
	}
}

#endif
