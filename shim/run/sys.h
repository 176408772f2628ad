/* sys.h - system calls made on the shim's own behalf: the result or -errno, the program's errno untouched.
 * Made without libc's syscall(), which is itself one of the calls that the shim stands in for. */
#ifndef SHIM_RUN_SYS_H
#define SHIM_RUN_SYS_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline long sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall" : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = nr, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c,
		 x3 __asm__("x3") = d, x4 __asm__("x4") = e, x5 __asm__("x5") = f;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
#else
#error "a bare system call is not known for this machine"
#endif
}

/* The same with at most three arguments: the registers of the others stay the caller's. */
static inline long sys_call3(long nr, long a, long b, long c)
{
#if defined(__x86_64__)
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "a"(nr), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return ret;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = nr, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
	return x0;
#endif
}

#define SYS_6(nr, a, b, c, d, e, f, ...) \
	sys_call(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
/* sys(SYS_close, fd): up to six arguments, missing ones are 0. */
#define sys(nr, ...) SYS_6(nr, __VA_ARGS__, 0, 0, 0, 0, 0, 0)

/* Holds this thread's signals back, and lets them come again: around what a handler must find done or not
 * begun, or must not leave by siglongjmp. */
static inline void sys_hold_signals(uint64_t *old)
{
	uint64_t all = ~0ull;

	sys(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, &all, old, 8);
}

static inline void sys_release_signals(const uint64_t *old)
{
	sys(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, old, NULL, 8);
}

/* CMSG_NXTHDR, which glibc's headers make a call of where they find it too long to inline, to a function that musl has not:
 * the header that follows c in h's control data, NULL if none does. */
static inline struct cmsghdr *sys_cmsg_next(const struct msghdr *h, const struct cmsghdr *c)
{
	size_t left = (size_t)((const char *)h->msg_control + h->msg_controllen - (const char *)c);

	if (c->cmsg_len < sizeof(*c) || c->cmsg_len > left || CMSG_ALIGN(c->cmsg_len) > left ||
	    left - CMSG_ALIGN(c->cmsg_len) < sizeof(*c))
		return NULL;
	return (struct cmsghdr *)(uintptr_t)((const char *)c + CMSG_ALIGN(c->cmsg_len));
}

/* As libc's syscall() would answer it: -1 and errno. */
static inline long sys_errno(long ret)
{
	if (ret >= 0 || ret < -4095)
		return ret;
	errno = (int)-ret;
	return -1;
}

#endif
