/* wrap_identity.c - calls after which a process can no longer make files where it could: those that change
 * its user or its root, or filter its system calls. A server's worker typically makes them before its first
 * call on a socket, so its run file is made just before. */
#include "backend/client.h"
#include "interpose/call.h"

#include <grp.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/types.h>

#include "run/clock.h"
#include "run/sys.h"

static void prepare(void)
{
	if (hook_vforked || (!hook_is_alive() && !hook_detached() && sys(SYS_geteuid, 0) != 0))
		return;
	hook_alive();
	for (unsigned i = 0; i < HOOK_CHUNKS_AHEAD; i++)
		socktab_reserve(&hook.tab, i);
	client_change_user();
}

#define WRAP(ret, name, params, args) \
	WRAPPER(ret, name, UNPAREN params) \
	{ \
		static ret (*real) params; \
		if (UNLIKELY(!real)) \
			real = (ret (*) params)libc_next(#name); \
		prepare(); \
		return real args; \
	}
#define UNPAREN(...) __VA_ARGS__

WRAP(int, setuid, (uid_t uid), (uid))
WRAP(int, seteuid, (uid_t uid), (uid))
WRAP(int, setreuid, (uid_t ruid, uid_t euid), (ruid, euid))
WRAP(int, setresuid, (uid_t ruid, uid_t euid, uid_t suid), (ruid, euid, suid))
WRAP(int, setgid, (gid_t gid), (gid))
WRAP(int, setegid, (gid_t gid), (gid))
WRAP(int, setregid, (gid_t rgid, gid_t egid), (rgid, egid))
WRAP(int, setresgid, (gid_t rgid, gid_t egid, gid_t sgid), (rgid, egid, sgid))
WRAP(int, setgroups, (size_t n, const gid_t *list), (n, list))
WRAP(int, initgroups, (const char *user, gid_t group), (user, group))
WRAP(int, chroot, (const char *path), (path))

/* The arguments are passed on as words, which hold whatever the caller put there. */
WRAPPER(int, prctl, int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
	static int (*real)(int, unsigned long, unsigned long, unsigned long, unsigned long);
	int r;

	if (UNLIKELY(!real))
		real = (int (*)(int, unsigned long, unsigned long, unsigned long, unsigned long))libc_next("prctl");
	if (option == PR_SET_TSC && a == PR_TSC_SIGSEGV)
		hook_forgo_counter();
	if (option != PR_SET_SECCOMP)
		return real(option, a, b, c, d);
	hook_prepare_sandbox();
	if (a == SECCOMP_MODE_STRICT)
		hook_forgo_counter();
	r = real(option, a, b, c, d);
	if (r == 0)
		hook_enter_sandbox();
	return r;
}
