/* Giving up rights. */
#include "host/confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int drop_capabilities(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];

	memset(none, 0, sizeof(none));
	/* Without the right to, these fail, and then there is nothing to be had by them either. */
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &h, none) < 0)
		return -errno;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

/* A sanitizer does what it likes. */
static int filter_calls(unsigned more)
{
	return 0;
}

#else

static const int allowed[] = {
	/* the loop */
	SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(epoll_ctl),
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(futex),
	/* devices, pairs, control connections, texts */
	SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(sendmsg),
	SCMP_SYS(recvmsg), SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(sendmmsg), SCMP_SYS(recvmmsg),
	SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
	SCMP_SYS(sendfile), SCMP_SYS(splice), SCMP_SYS(socketpair), SCMP_SYS(accept4), SCMP_SYS(shutdown),
	SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	SCMP_SYS(close), SCMP_SYS(fcntl), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(lseek),
	SCMP_SYS(memfd_create), SCMP_SYS(ftruncate), SCMP_SYS(ioctl), SCMP_SYS(eventfd2),
	/* the socket's file, on leaving */
	SCMP_SYS(unlink), SCMP_SYS(unlinkat),
	/* memory */
	SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(brk), SCMP_SYS(madvise),
	/* the C library */
	SCMP_SYS(getrandom), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(geteuid), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigreturn), SCMP_SYS(tgkill), SCMP_SYS(restart_syscall),
	SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(sched_yield), SCMP_SYS(rseq), SCMP_SYS(membarrier),
};

static const int allowed_lan[] = {
	SCMP_SYS(openat), SCMP_SYS(flock), SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(listen),
	SCMP_SYS(clone), SCMP_SYS(clone3), SCMP_SYS(fork), SCMP_SYS(wait4), SCMP_SYS(setsid), SCMP_SYS(dup2),
	SCMP_SYS(dup3), SCMP_SYS(close_range), SCMP_SYS(chdir), SCMP_SYS(prctl), SCMP_SYS(prlimit64),
	SCMP_SYS(set_robust_list), SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(epoll_create1),
	SCMP_SYS(getuid), SCMP_SYS(renameat), SCMP_SYS(fchmod), SCMP_SYS(preadv2),
};

static const int allowed_user[] = {
	SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(accept), SCMP_SYS(openat),
};

static int allow(scmp_filter_ctx ctx, const int *calls, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
	return err;
}

static int filter_calls(unsigned more)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err = ctx ? allow(ctx, allowed, sizeof(allowed) / sizeof(allowed[0])) : -ENOMEM;

	if (!err && more & CONFINE_LAN)
		err = allow(ctx, allowed_lan, sizeof(allowed_lan) / sizeof(allowed_lan[0]));
	if (!err && more & CONFINE_USER)
		err = allow(ctx, allowed_user, sizeof(allowed_user) / sizeof(allowed_user[0]));
	if (!err)
		err = seccomp_load(ctx);
	if (ctx)
		seccomp_release(ctx);
	return err;
}

#endif

int confine(unsigned more)
{
	int err = drop_capabilities();

	return err ? err : filter_calls(more);
}
