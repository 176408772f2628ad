/* memory.c - memory that may not be there: the kernel copies, and says so if it can't. */
#include "interpose/memory.h"

#include <sys/uio.h>

#include "run/sys.h"

bool memory_read(void *to, const void *from, size_t n)
{
	struct iovec local = { to, n }, remote = { (void *)(unsigned long)from, n };

	return from && sys(SYS_process_vm_readv, sys(SYS_getpid, 0), &local, 1, &remote, 1, 0) == (long)n;
}

bool memory_write(void *to, const void *from, size_t n)
{
	struct iovec local = { (void *)(unsigned long)from, n }, remote = { to, n };

	return to && sys(SYS_process_vm_writev, sys(SYS_getpid, 0), &local, 1, &remote, 1, 0) == (long)n;
}
