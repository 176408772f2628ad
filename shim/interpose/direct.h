/* direct.h - calls made without libc.
 *
 * A wrapper that has something to do afterwards asks whether it is `alone` (LIBC_DIRECT) and calls
 * MAKE(alone, recv, fd, buf, len, flags). Coming back from the kernel, every return is mispredicted (the kernel's own have
 * left the processor's stack of them wrong), and one through libc is one more than the program had. So where the next
 * definition is glibc's own, and the call is no cancellation point, or the process has a single thread, in which one does
 * nothing, the system call is made in the wrapper; and by the single thread what is counted afterwards is counted without the
 * bus lock.
 */
#ifndef SHIM_INTERPOSE_DIRECT_H
#define SHIM_INTERPOSE_DIRECT_H

#include <errno.h>
#include <stdbool.h>

#include "interpose/hook.h"
#include "run/sys.h"

/* Calls that some architectures have under another name only; there they can't be made while a look-up
 * is under way. */
#ifdef SYS_dup2
#define CALL_SYS_DUP2 SYS_dup2
#else
#define CALL_SYS_DUP2 -1
#endif
#ifdef SYS_poll
#define CALL_SYS_POLL SYS_poll
#else
#define CALL_SYS_POLL -1
#endif
#ifdef SYS_select
#define CALL_SYS_SELECT SYS_select
#else
#define CALL_SYS_SELECT -1
#endif
#ifdef SYS_epoll_wait
#define CALL_SYS_EPOLL_WAIT SYS_epoll_wait
#else
#define CALL_SYS_EPOLL_WAIT -1
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* Whether nothing but glibc's system call stands behind call `id`. */
#define LIBC_DIRECT(id) (LIKELY(hook.direct >> (id) & 1) && hook_alone())

#define CALL(name, filter, ret, nr, params) \
	static inline long libc_direct_##name(PARAMS_##params) \
	{ \
		const uint64_t a[CALL_ARGS_MAX] = { WORDS_##params }; \
\
		return FEW_##params ? sys_call3(nr, (long)a[0], (long)a[1], (long)a[2]) \
				    : sys_call(nr, (long)a[0], (long)a[1], (long)a[2], (long)a[3], (long)a[4], (long)a[5]); \
	}
#define ALIAS(alias, name)
#define CHECKED(alias, name)
#include "interpose/calls.def"
#undef CALL
#undef ALIAS
#undef CHECKED

static inline long libc_outcome(long r)
{
	return UNLIKELY(r == -1) ? -(long)(errno ? errno : EIO) : r;	/* a failure, also if some library forgot to say which */
}

/* The result, or -errno. */
#define MAKE(alone, name, ...) \
	((alone) ? libc_direct_##name(__VA_ARGS__) : libc_outcome((long)LIBC(name)(__VA_ARGS__)))

/* Sets the program's errno; -1. */
int libc_fail(int err);

/* The same without a call, where it is known where errno lies. Libc's thread-local variables are at the same distance from every
 * thread's pointer. */
static inline int libc_fail_quickly(int err)
{
#ifdef __x86_64__
	long at = __atomic_load_n(&hook_guard.errno_at, __ATOMIC_RELAXED);

	if (LIKELY(at)) {
		__asm__ volatile("movl %0, %%fs:(%1)" : : "r"(err), "r"(at) : "memory");
		return -1;
	}
#endif
	return libc_fail(err);
}

/* What the wrapper returns for what MAKE gave; the program's errno is set. */
static inline long libc_result(long r, bool alone)
{
	if (LIKELY(r >= 0))
		return r;
	return alone ? libc_fail_quickly((int)-r) : -1;
}

#endif
