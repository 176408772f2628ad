/* wrap_syscall.c - libc's syscall(): programs that make their socket calls, or just their closes (libuv),
 * by number. Those that change the table go through the wrappers; everything else is made as it is. */
#include "interpose/call.h"
#include "interpose/outcome.h"
#include "interpose/redirect.h"
#include "interpose/wrappers.h"

#include <errno.h>

#include "run/clock.h"
#include "run/sys.h"

/* close without being a cancellation point, as who calls it by number wants it. */
static long close_by_number(int fd)
{
	sockshim_cookie cookie;
	uint64_t ref = socktab_ref(&hook.tab, fd);
	bool counted;
	long r;

	if (socktab_is_socket(ref) && !hook_quiet(SOCKSHIM_CLOSE))
		return sockshim_w_close(fd);
	counted = socktab_is_socket(ref) && !hook_vforked && !hook_detached() && outcome_closing(fd, &cookie);
	if (!counted && !hook_vforked)
		socktab_detached_remove(&hook.tab, fd);
	r = sys(SYS_close, fd);
	if (counted)
		outcome_closed(cookie, r < 0 ? (int)-r : 0);
	return sys_errno(r);
}

/* Calls on a redirected socket that mean another thing to the pair. */
static const struct {
	long nr;
	enum call_id id;
} on_sockets[] = {
	{ SYS_bind, CALL_bind }, { SYS_getsockname, CALL_getsockname }, { SYS_getpeername, CALL_getpeername },
	{ SYS_getsockopt, CALL_getsockopt }, { SYS_setsockopt, CALL_setsockopt }, { SYS_shutdown, CALL_shutdown },
	{ SYS_sendto, CALL_sendto }, { SYS_recvfrom, CALL_recvfrom }, { SYS_sendmsg, CALL_sendmsg },
	{ SYS_recvmsg, CALL_recvmsg }, { SYS_sendmmsg, CALL_sendmmsg }, { SYS_recvmmsg, CALL_recvmmsg },
	{ SYS_read, CALL_read }, { SYS_write, CALL_write }, { SYS_readv, CALL_readv }, { SYS_writev, CALL_writev },
	{ SYS_sendfile, CALL_sendfile }, { SYS_ioctl, CALL_ioctl },
};

/* Whether it was one of those; then its result is in *r. */
static bool made_by_stack(long nr, const long *words, const void *pc, long *r)
{
	struct call c = { .fd = (int)words[0], .pc = pc };
	size_t i = 0;

	while (i < sizeof(on_sockets) / sizeof(on_sockets[0]) && on_sockets[i].nr != nr)
		i++;
	if (i == sizeof(on_sockets) / sizeof(on_sockets[0]) || !(hook_ref(c.fd) & SOCKTAB_STACK))
		return false;
	c.id = on_sockets[i].id;
	c.s = hook_socket(c.fd);
	for (int k = 0; k < CALL_ARGS_MAX; k++)
		c.a[k] = (uint64_t)words[k];
	*r = call_run(&c);
	return true;
}

WRAPPER(long, syscall, long nr, long a, long b, long c, long d, long e, long f)
{
	switch (nr) {
	case SYS_close:
		return close_by_number((int)a);
	case SYS_socket:
		return sockshim_w_socket((int)a, (int)b, (int)c);
	case SYS_socketpair:
		return sockshim_w_socketpair((int)a, (int)b, (int)c, (int *)d);
	case SYS_connect:
		return sockshim_w_connect((int)a, (const struct sockaddr *)b, (socklen_t)c);
	case SYS_listen:
		return sockshim_w_listen((int)a, (int)b);
	case SYS_accept:
		return sockshim_w_accept((int)a, (struct sockaddr *)b, (socklen_t *)c);
	case SYS_accept4:
		return sockshim_w_accept4((int)a, (struct sockaddr *)b, (socklen_t *)c, (int)d);
	case SYS_dup:
		return sockshim_w_dup((int)a);
#ifdef SYS_dup2
	case SYS_dup2:
		return sockshim_w_dup2((int)a, (int)b);
#endif
	case SYS_dup3:
		return sockshim_w_dup3((int)a, (int)b, (int)c);
	case SYS_close_range:
		return sockshim_w_close_range((unsigned)a, (unsigned)b, (int)c);
#ifdef SYS_seccomp
	case SYS_seccomp: {
		bool filters = a == 0 || a == 1;	/* SECCOMP_SET_MODE_STRICT, SECCOMP_SET_MODE_FILTER */
		long r;

		if (filters)
			hook_prepare_sandbox();
		if (a == 0)
			hook_forgo_counter();
		r = sys_call(nr, a, b, c, d, e, f);
		if (filters && r == 0)
			hook_enter_sandbox();
		return sys_errno(r);
	}
#endif
	default:
		if (UNLIKELY(client.on)) {
			const long words[CALL_ARGS_MAX] = { a, b, c, d, e, f };
			long r;

			if (made_by_stack(nr, words, __builtin_return_address(0), &r))
				return r;
		}
		return sys_errno(sys_call(nr, a, b, c, d, e, f));
	}
}
