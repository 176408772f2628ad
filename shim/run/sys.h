/* sys.h - system calls made on the shim's own behalf: the result or -errno, the program's errno untouched. */
#ifndef SHIM_RUN_SYS_H
#define SHIM_RUN_SYS_H

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline long sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	int saved = errno;
	long r = syscall(nr, a, b, c, d, e, f);

	if (r == -1) {
		r = -errno;
		errno = saved;
	}
	return r;
}

#define SYS_6(nr, a, b, c, d, e, f, ...) \
	sys_call(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
/* sys(SYS_close, fd): up to six arguments, missing ones are 0. */
#define sys(nr, ...) SYS_6(nr, __VA_ARGS__, 0, 0, 0, 0, 0, 0)

#endif
