/* wrap_io.c - sending and receiving: the calls of calls.def whose filter is SEND or RECV, all of one shape. */
#include "interpose/call.h"
#include "interpose/outcome.h"

/* What is done with a result: `r` of socket `s`, with the call's parameters in scope. */
#define COUNT_RX(flags) outcome_rx(s, r, flags, alone)
#define COUNT_TX outcome_tx(s, r, alone)
#define AFTER_send COUNT_TX
#define AFTER_sendto COUNT_TX
#define AFTER_sendmsg COUNT_TX
#define AFTER_sendmmsg (void)0		/* the result counts messages */
#define AFTER_write COUNT_TX
#define AFTER_writev COUNT_TX
#define AFTER_sendfile COUNT_TX
#define AFTER_recv COUNT_RX(flags)
#define AFTER_recvfrom COUNT_RX(flags)
#define AFTER_recvmsg do { COUNT_RX(flags); if (r >= 0) outcome_rights(msg); } while (0)
#define AFTER_recvmmsg \
	do { for (ssize_t i = 0; i < r; i++) outcome_rights(&msgs[i].msg_hdr); } while (0)
#define AFTER_read COUNT_RX(0)
#define AFTER_readv COUNT_RX(0)

/* The same where there is but one thread, if there is nothing to it; else false, and nothing done. */
static inline bool simple(const struct run_socket *s, long r)
{
	return LIKELY(r >= 0 && !(__atomic_load_n(&s->flags, __ATOMIC_RELAXED) & RUN_SOCK_PENDING));
}

static inline bool simple_tx(struct run_socket *s, long r)
{
	if (!simple(s, r))
		return false;
	run_add(&s->tx_bytes, (uint64_t)r, true);
	return true;
}

static inline bool simple_rx(struct run_socket *s, long r)
{
	if (!simple(s, r))
		return false;
	run_add(&s->rx_bytes, (uint64_t)r, true);
	return true;
}

#define SIMPLE_send simple_tx(s, r)
#define SIMPLE_sendto simple_tx(s, r)
#define SIMPLE_sendmsg simple_tx(s, r)
#define SIMPLE_sendmmsg (r >= 0)
#define SIMPLE_write simple_tx(s, r)
#define SIMPLE_writev simple_tx(s, r)
#define SIMPLE_sendfile simple_tx(s, r)
#define SIMPLE_recv (!(flags & MSG_PEEK) && simple_rx(s, r))
#define SIMPLE_recvfrom (!(flags & MSG_PEEK) && simple_rx(s, r))
#define SIMPLE_recvmsg (!(flags & MSG_PEEK) && r >= 0 && !msg->msg_controllen && simple_rx(s, r))
#define SIMPLE_recvmmsg (r == 0)
#define SIMPLE_read simple_rx(s, r)
#define SIMPLE_readv simple_rx(s, r)

/* The short way is a function that calls no other, so it needs no frame: all else goes on in io_NAME, which finds its
 * caller's return address where the wrapper did (or is part of it, where nothing is optimised). */
#ifdef __OPTIMIZE__
#define APART __attribute__((noinline))
#else
#define APART inline __attribute__((always_inline))
#endif

#define WRAP_IO(name, filter, ret, params) \
	static APART ret io_##name(PARAMS_##params) \
	{ \
		uint64_t ref = hook_ref(fd); \
		struct run_socket *s = hook_object(ref); \
		const bool alone = false; \
		long r; \
\
		if (!ref) \
			return LIBC(name)(NAMES_##params); \
		if (UNLIKELY(!hook_quiet_on(ref, SOCKSHIM_##filter))) \
			return (ret)RUN(name, fd, s, WORDS_##params); \
		r = MAKE(alone, name, NAMES_##params); \
		AFTER_##name; \
		return (ret)libc_result(r, alone); \
	} \
\
	static APART ret after_##name(struct run_socket *s, long r, PARAMS_##params) \
	{ \
		const bool alone = true; \
\
		AFTER_##name; \
		return (ret)libc_result(r, alone); \
	} \
\
	WRAPPER(ret, name, PARAMS_##params) \
	{ \
		uint64_t ref = socktab_ref(&hook.tab, fd); \
\
		if (LIKELY(socktab_is_socket(ref) && hook_is_shortest(ref, CALL_##name))) { \
			struct run_socket *s = hook_object(ref); \
			long r = libc_direct_##name(NAMES_##params); \
\
			if (LIKELY(SIMPLE_##name)) \
				return (ret)r; \
			if (r == -EAGAIN) \
				return (ret)libc_result(r, true); \
			return after_##name(s, r, NAMES_##params); \
		} \
		return socktab_is_other(ref) ? LIBC(name)(NAMES_##params) : io_##name(NAMES_##params); \
	}

#define WRAP_SEND(name, ret, params) WRAP_IO(name, SEND, ret, params)
#define WRAP_RECV(name, ret, params) WRAP_IO(name, RECV, ret, params)
#define WRAP_SOCKET(name, ret, params)
#define WRAP_BIND WRAP_SOCKET
#define WRAP_CONNECT WRAP_SOCKET
#define WRAP_LISTEN WRAP_SOCKET
#define WRAP_ACCEPT WRAP_SOCKET
#define WRAP_SHUTDOWN WRAP_SOCKET
#define WRAP_GETSOCKOPT_INT WRAP_SOCKET
#define WRAP_SETSOCKOPT WRAP_SOCKET
#define WRAP_CLOSE WRAP_SOCKET
#define WRAP_POLL WRAP_SOCKET
#define WRAP_RESOLVE WRAP_SOCKET
#define WRAP_NONE WRAP_SOCKET

#define CALL(name, filter, ret, nr, params) WRAP_##filter(name, ret, params)
#define ALIAS(alias, name)
#define CHECKED(alias, name)
#include "interpose/calls.def"
#undef CALL
#undef ALIAS
#undef CHECKED

WRAPPER_ALIAS(ssize_t, __send, send, int, const void *, size_t, int)
WRAPPER_ALIAS(ssize_t, __read, read, int, void *, size_t)
WRAPPER_ALIAS(ssize_t, __write, write, int, const void *, size_t)
WRAPPER_ALIAS(ssize_t, sendfile64, sendfile, int, int, off_t *, size_t)

/* The fortified variants: what they check, they check still. libc's own is called where the size is wrong,
 * so that the program ends as it would have. */
#define OVERFLOWS(len, room) UNLIKELY((len) > (room))

static void overflow(void)
{
	void (*fail)(void) = libc_next("__chk_fail");

	if (fail)
		fail();
	__builtin_trap();
}

WRAPPER(ssize_t, __read_chk, int fd, void *buf, size_t len, size_t room)
{
	if (OVERFLOWS(len, room))
		overflow();
	return sockshim_w_read(fd, buf, len);
}

WRAPPER(ssize_t, __recv_chk, int fd, void *buf, size_t len, size_t room, int flags)
{
	if (OVERFLOWS(len, room))
		overflow();
	return sockshim_w_recv(fd, buf, len, flags);
}

WRAPPER(ssize_t, __recvfrom_chk, int fd, void *buf, size_t len, size_t room, int flags, struct sockaddr *addr,
	socklen_t *addrlen)
{
	if (OVERFLOWS(len, room))
		overflow();
	return sockshim_w_recvfrom(fd, buf, len, flags, addr, addrlen);
}
