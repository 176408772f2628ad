/* wrap_mmap.c - mapping descriptors: of interest only for packet sockets' rings (redirect_ring.h). */
#include "interpose/call.h"

#include <sys/mman.h>

#include "interpose/redirect_ring.h"
#include "run/sys.h"

typedef void *mmap_fn(void *, size_t, int, int, int, off_t);

/* libc's, looked up at its first use. An allocator may come here while that is under way. */
static void *plain(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	static void (*at)(void);
	void (*fn)(void) = __atomic_load_n(&at, __ATOMIC_RELAXED);

	if (UNLIKELY(!fn)) {
		fn = libc_next("mmap");
		__atomic_store_n(&at, fn, __ATOMIC_RELAXED);
	}
	return LIKELY(fn) ? ((mmap_fn *)fn)(addr, len, prot, flags, fd, offset)
			  : (void *)sys_errno(sys(SYS_mmap, addr, len, prot, flags, fd, offset));
}

WRAPPER(void *, mmap, void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	uint64_t ref;

	if (LIKELY(!client.on) || fd < 0 || (flags & MAP_ANONYMOUS) || hook_vforked)
		return plain(addr, len, prot, flags, fd, offset);
	ref = socktab_ref(&hook.tab, fd);
	if (LIKELY(!socktab_is_socket(ref) || !(ref & SOCKTAB_STACK)))
		return plain(addr, len, prot, flags, fd, offset);
	return (void *)sys_errno(redirect_mmap(fd, addr, len, prot, flags, offset));
}
WRAPPER_ALIAS(void *, mmap64, mmap, void *, size_t, int, int, int, off_t)
