/* memory.c - memory that may not be there: the kernel copies, and says so if it can't. */
#include "interpose/memory.h"

#include <string.h>
#include <sys/uio.h>

#include "interpose/hook.h"
#include "run/sys.h"

/* A mask that can't be read is EFAULT. Sandboxes and containers that forbid process_vm_readv allow this. Between
 * the look and the copy another thread may unmap it, as between any two lines of a program. */
static bool can_read(const void *from, size_t n, int how, long answer)
{
	uintptr_t at = (uintptr_t)from & ~7ul, end = (uintptr_t)from + n;

	for (; at < end; at = (at | 4095) + 1)
		if (sys(SYS_rt_sigprocmask, how, at, NULL, 8) != answer)
			return false;
	return true;
}

/* To block what is blocked already changes nothing, and is no error that a tool beneath us (valgrind) would tell. */
bool memory_readable_held(const void *from, size_t n, uintptr_t *page)
{
	uintptr_t first = (uintptr_t)from & ~4095ul, last = ((uintptr_t)from + n - 1) & ~4095ul;

	if (first == *page && last == *page && from)
		return true;
	if (!from || !can_read(from, n, 0 /* SIG_BLOCK */, 0))
		return false;
	*page = last;
	return true;
}

/* There is no such `how`. */
bool memory_read(void *to, const void *from, size_t n)
{
	if (!from || !can_read(from, n, 0x7fff, -EINVAL))
		return false;
	memcpy(to, from, n);
	return true;
}

bool memory_write_two(void *to, const void *from, size_t n, void *to2, const void *from2, size_t n2)
{
	struct iovec local[2] = { { (void *)(unsigned long)from, n }, { (void *)(unsigned long)from2, n2 } };
	struct iovec remote[2] = { { to, n }, { to2, n2 } };
	long r = hook_sandboxed ? -EPERM :
		sys(SYS_process_vm_writev, sys(SYS_getpid, 0), local, 2, remote, 2, 0);

	/* Not allowed to ask: what has been read can be written, but for rare exceptions. */
	if (UNLIKELY(r == -EPERM || r == -ENOSYS)) {
		memcpy(to, from, n);
		if (n2)
			memcpy(to2, from2, n2);
		return true;
	}
	return r == (long)(n + n2);
}

bool memory_write(void *to, const void *from, size_t n)
{
	return memory_write_two(to, from, n, NULL, NULL, 0);
}
