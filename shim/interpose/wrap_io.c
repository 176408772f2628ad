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

#define WRAP_IO(name, filter, ret, params) \
	WRAPPER(ret, name, PARAMS_##params) \
	{ \
		uint64_t ref = hook_ref_io(fd); \
		struct run_socket *s = hook_object(ref); \
		bool alone; \
		long r; \
\
		if (UNLIKELY(!ref)) \
			return LIBC(name)(NAMES_##params); \
		if (UNLIKELY(!hook_quiet_on(ref, SOCKSHIM_##filter))) \
			return (ret)RUN(name, fd, s, WORDS_##params); \
		alone = LIBC_DIRECT(CALL_##name); \
		r = MAKE(alone, name, NAMES_##params); \
		AFTER_##name; \
		return (ret)libc_result(r, alone); \
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
