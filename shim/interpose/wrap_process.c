/* wrap_process.c - fork, vfork, exec and _exit: the shim follows, and says how a process ended.
 *
 * exec of a program with an environment that has no LD_PRELOAD (env -i, a subprocess with an environment of
 * its own) gets the one that this process was started with, and the SOCKSHIM_ variables: whoever preloads
 * the shim means the whole tree. An environment with another LD_PRELOAD is left as it is.
 */
#include "interpose/ending.h"
#include "interpose/hook.h"
#include "interpose/call.h"
#include "interpose/memory.h"

#include <alloca.h>
#include <errno.h>
#include <pthread.h>
#include <spawn.h>
#include <stdarg.h>
#include <string.h>

#include "run/config.h"
#include "run/sys.h"

typedef char *const *strings;

#define NEXT(name, ...) \
	static int (*real)(__VA_ARGS__); \
	if (UNLIKELY(!real)) \
		real = (int (*)(__VA_ARGS__))libc_next(#name)

WRAPPER(pid_t, fork, void)
{
	static pid_t (*real)(void);

	if (UNLIKELY(!real))
		real = (pid_t (*)(void))libc_next("fork");
	hook_count_fork();
	return real();
}
WRAPPER_ALIAS(pid_t, __fork, fork, void)

WRAPPER(int, pthread_cancel, pthread_t thread)
{
	NEXT(pthread_cancel, pthread_t);

	libc_cancels();
	return real ? real(thread) : ENOSYS;
}

static size_t count(strings p)
{
	size_t n = 0;

	while (p && p[n])
		n++;
	return n;
}

static bool has(strings env, const char *entry)
{
	const char *sign = strchr(entry, '=');
	size_t n = (size_t)(sign - entry) + 1;

	for (; env && *env; env++)
		if (strncmp(*env, entry, n) == 0)
			return true;
	return false;
}

#define ENTRIES_MAX (sizeof(((struct run_config *)0)->entries) / sizeof(char *))

static bool readable_held(strings env)
{
	uintptr_t table = 0, text = 0;

	for (; memory_readable_held(env, sizeof(*env), &table); env++)
		if (!*env)
			return true;
		else if (!memory_readable_held(*env, 1, &text))
			break;
	return false;
}

/* Whether env can be read: of one that can't, the kernel is to say EFAULT. The process's own is read by libc
 * as it is. */
static bool readable(strings env)
{
	uint64_t signals;
	bool yes;

	if (!env || env == environ)
		return true;
	sys_hold_signals(&signals);
	yes = readable_held(env);
	sys_release_signals(&signals);
	return yes;
}

/* Whether env is to be completed. */
static bool lacks_preload(strings env)
{
	const struct run_config *cfg = run_config();

	return cfg->preload && !cfg->secure && strstr(cfg->preload, "libsockshim") && readable(env) &&
	       !has(env, "LD_PRELOAD=");
}

/* Fills `to` (room for count(env) + ENTRIES_MAX + 1) with env and what it lacks. */
static void complete(char **to, strings env)
{
	const struct run_config *cfg = run_config();
	size_t n = 0;

	for (; env && env[n]; n++)
		to[n] = env[n];
	for (size_t i = 0; cfg->entries[i]; i++)
		if (!has(env, cfg->entries[i]))
			to[n++] = (char *)cfg->entries[i];
	to[n] = NULL;
}

/* The environment to pass on: env itself, or a completed copy on the caller's stack (a vforked child must
 * not allocate). */
#define ENVIRONMENT(env) \
	if (lacks_preload(env)) { \
		char **completed = alloca((count(env) + ENTRIES_MAX + 1) * sizeof(char *)); \
		complete(completed, env); \
		env = completed; \
	}

/* exec has returned, so it failed. */
static int exec_failed(int r)
{
	ending_undo();
	return r;
}

WRAPPER(int, execve, const char *path, strings argv, strings env)
{
	NEXT(execve, const char *, strings, strings);
	ENVIRONMENT(env)
	ending_mark(RUN_EXEC);
	return exec_failed(real(path, argv, env));
}

WRAPPER(int, execv, const char *path, strings argv)
{
	return sockshim_w_execve(path, argv, environ);
}

WRAPPER(int, execvpe, const char *file, strings argv, strings env)
{
	NEXT(execvpe, const char *, strings, strings);
	ENVIRONMENT(env)
	ending_mark(RUN_EXEC);
	return exec_failed(real(file, argv, env));
}

WRAPPER(int, execvp, const char *file, strings argv)
{
	return sockshim_w_execvpe(file, argv, environ);
}

WRAPPER(int, fexecve, int fd, strings argv, strings env)
{
	NEXT(fexecve, int, strings, strings);
	ENVIRONMENT(env)
	ending_mark(RUN_EXEC);
	return exec_failed(real(fd, argv, env));
}

WRAPPER(int, execveat, int fd, const char *path, strings argv, strings env, int flags)
{
	ENVIRONMENT(env)
	ending_mark(RUN_EXEC);
	return exec_failed((int)sys_errno(sys(SYS_execveat, fd, path, argv, env, flags)));
}

/* The arguments of an execl call as an array on the stack, ended by NULL; what follows is left in ap. */
#define COLLECT(argv, first, ap) \
	do { \
		size_t n = 1; \
		va_list counting; \
		va_copy(counting, ap); \
		for (const char *p = first; p; p = va_arg(counting, const char *)) \
			n++; \
		va_end(counting); \
		argv = alloca(n * sizeof(char *)); \
		n = 0; \
		for (const char *p = first; (argv[n++] = (char *)p); p = va_arg(ap, const char *)) \
			; \
	} while (0)

WRAPPER(int, execl, const char *path, const char *arg, ...)
{
	char **argv;
	va_list ap;

	va_start(ap, arg);
	COLLECT(argv, arg, ap);
	va_end(ap);
	return sockshim_w_execve(path, argv, environ);
}

WRAPPER(int, execlp, const char *file, const char *arg, ...)
{
	char **argv;
	va_list ap;

	va_start(ap, arg);
	COLLECT(argv, arg, ap);
	va_end(ap);
	return sockshim_w_execvpe(file, argv, environ);
}

WRAPPER(int, execle, const char *path, const char *arg, ...)
{
	char **argv;
	strings env;
	va_list ap;

	va_start(ap, arg);
	COLLECT(argv, arg, ap);
	env = va_arg(ap, strings);
	va_end(ap);
	return sockshim_w_execve(path, argv, env);
}

WRAPPER(int, posix_spawn, pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
	const posix_spawnattr_t *attr, strings argv, strings env)
{
	NEXT(posix_spawn, pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
	     strings, strings);
	ENVIRONMENT(env)
	return real(pid, path, actions, attr, argv, env);
}

WRAPPER(int, posix_spawnp, pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
	const posix_spawnattr_t *attr, strings argv, strings env)
{
	NEXT(posix_spawnp, pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
	     strings, strings);
	ENVIRONMENT(env)
	return real(pid, file, actions, attr, argv, env);
}

WRAPPER(void, _exit, int status)
{
	if (!hook_vforked)
		ending_mark(RUN_EXITED);
	for (;;)
		sys(SYS_exit_group, status);
}
WRAPPER_ALIAS(void, _Exit, _exit, int)
