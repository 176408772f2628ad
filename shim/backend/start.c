/* start.c - starting a stack host from inside a program.
 *
 * The program must not notice. A child is made without SIGCHLD, which also hides it from wait() without __WCLONE; as exec would
 * bring the signal back, it makes another, which becomes the host, and ends, which we wait for. Both share our memory (as
 * vfork's child does), so nothing is copied; what they have of the program's descriptors is closed. The host goes into the
 * background by itself.
 */
#include "backend/start.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "backend/client.h"
#include "run/config.h"
#include "run/errno_name.h"
#include "run/sys.h"
#include "run/text.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

#define PROGRAM "sockshim-stackd"
#define STATUS_FD 3
#define ENVIRONMENT_MAX 512

static char child_stacks[2][32768] __attribute__((aligned(64)));
static uint32_t starting;

struct child {
	const char *program;
	int status;			/* the pipe's end to write to */
	const char *argv[8], *env[ENVIRONMENT_MAX];
};

/* Runs in the program's memory, on a stack of its own. */
static int become_host(void *arg)
{
	const struct child *c = arg;
	uint64_t none = 0;
	int null;

	for (int i = 1; i < 64; i++) {
		struct { void (*handler)(int); uint64_t flags; void (*restorer)(void); uint64_t mask; } usual = { 0 };

		if (i != SIGKILL && i != SIGSTOP)
			sys(SYS_rt_sigaction, i, &usual, NULL, 8);
	}
	sys(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, 8);
	if (c->status != STATUS_FD)
		sys(SYS_dup3, c->status, STATUS_FD, 0);
	else
		sys(SYS_fcntl, STATUS_FD, F_SETFD, 0);
	null = (int)sys(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR, 0);
	for (int fd = 0; fd < 3; fd++)
		if (null != fd)
			sys(SYS_dup3, null, fd, 0);
	if (sys(SYS_close_range, STATUS_FD + 1, ~0u, 0) < 0)
		for (int fd = STATUS_FD + 1; fd < 4096; fd++)
			sys(SYS_close, fd);
	sys(SYS_execve, c->program, c->argv, c->env);
	return 127;
}

/* The child that ends as soon as the other has become the host. */
static int make_host(void *arg)
{
	return clone(become_host, child_stacks[1] + sizeof(child_stacks[1]), CLONE_VM | CLONE_VFORK | SIGCHLD, arg) < 0;
}

static bool executable(const char *path)
{
	return sys(SYS_faccessat, AT_FDCWD, path, X_OK, 0) == 0;
}

/* The directory of this library. */
static bool library_directory(char *to, size_t n)
{
	const char *path = run_config()->preload;

	/* LD_PRELOAD names it, among others. */
	while (path && *path) {
		size_t len = strcspn(path, ": "), at = len;

		while (at && path[at - 1] != '/')
			at--;
		if (at && len - at >= 11 && strncmp(path + at, "libsockshim", 11) == 0 && at < n) {
			memcpy(to, path, at);
			to[at] = 0;
			return true;
		}
		path += len;
		path += *path != 0;
	}
	return false;
}

static const char *in_path(char *to, size_t n)
{
	const char *path = NULL;

	for (char **e = environ; e && *e; e++)
		if (strncmp(*e, "PATH=", 5) == 0)
			path = *e + 5;
	while (path && *path) {
		size_t len = strcspn(path, ":");

		if (len && len + sizeof(PROGRAM) + 1 < n) {
			memcpy(to, path, len);
			strcpy(to + len, "/" PROGRAM);
			if (executable(to))
				return to;
		}
		path += len;
		path += *path != 0;
	}
	return NULL;
}

static const char *find_program(char *to, size_t n)
{
	static const char *const places[] = { PROGRAM, "../bin/" PROGRAM, "../libexec/" PROGRAM,
					      "../libexec/sockshim/" PROGRAM };
	const char *given = run_config()->stackd;
	char dir[PATH_MAX - 64];

	if (given)
		return executable(given) ? given : NULL;
	for (size_t i = 0; library_directory(dir, sizeof(dir)) && i < sizeof(places) / sizeof(places[0]); i++) {
		struct text t = text_to(to, n);

		text_str(&t, dir);
		text_str(&t, places[i]);
		text_end(&t);
		if (executable(to))
			return to;
	}
	return in_path(to, n);
}

/* BASE/stack, the user's own. */
static int make_directory(void)
{
	char path[sizeof(client.base) + 8];
	struct text t = text_to(path, sizeof(path));
	struct stat st;

	text_str(&t, client.base);
	for (int level = 0; level < 2; level++) {
		if (level)
			text_str(&t, "/stack");
		text_end(&t);
		sys(SYS_mkdirat, AT_FDCWD, path, 0700);
		if (stat(path, &st) != 0)
			return -ENOENT;
		if (st.st_uid != (uid_t)sys(SYS_geteuid, 0) || (st.st_mode & 022))
			return -EPERM;
	}
	return 0;
}

static void set_environment(struct child *c)
{
	size_t n = 0;

	for (char **e = environ; e && *e && n < ENVIRONMENT_MAX - 1; e++)
		if (strncmp(*e, "LD_", 3) != 0 && (strncmp(*e, "SOCKSHIM_", 9) != 0 || strncmp(*e, "SOCKSHIM_DIR=", 13) == 0))
			c->env[n++] = *e;
	c->env[n] = NULL;
}

/* What the host says, up to its first end of line. */
static long read_status(int fd, char *text, size_t n)
{
	size_t have = 0;
	long got;

	while (have < n - 1 && !memchr(text, '\n', have)) {
		got = sys(SYS_read, fd, text + have, n - 1 - have);
		if (got == -EINTR)
			continue;
		if (got <= 0)
			break;
		have += (size_t)got;
	}
	text[have] = 0;
	text[strcspn(text, "\n")] = 0;
	return (long)have;
}

/* With signals held back and `starting` held. */
static int start_locked(char *text, size_t n)
{
	static struct child c;		/* a child in our memory reads it */
	static char program[PATH_MAX];
	int pipe[2], err = make_directory(), status;
	long pid;

	if (err) {
		strcpy(text, errno_name(-err) ? errno_name(-err) : "no directory for it");
		return -1;
	}
	c.program = find_program(program, sizeof(program));
	if (!c.program) {
		strcpy(text, "no " PROGRAM " beside the library, in ../bin, ../libexec or $PATH; say where it is in SOCKSHIM_STACKD");
		return -1;
	}
	c.argv[0] = PROGRAM;
	c.argv[1] = "--socket";
	c.argv[2] = client.path;
	c.argv[3] = "--status-fd";
	c.argv[4] = "3";
	c.argv[5] = client.spec;
	set_environment(&c);
	err = (int)sys(SYS_pipe2, pipe, O_CLOEXEC);
	if (err) {
		strcpy(text, errno_name(-err));
		return -1;
	}
	c.status = pipe[1];
	pid = clone(make_host, child_stacks[0] + sizeof(child_stacks[0]), CLONE_VM | CLONE_VFORK, &c);
	err = errno;
	sys(SYS_close, pipe[1]);
	if (pid < 0)
		strcpy(text, errno_name(err) ? errno_name(err) : "no process");
	else if (read_status(pipe[0], text, n) == 0)
		strcpy(text, "it ended without a word");
	sys(SYS_close, pipe[0]);
	while (pid > 0 && sys(SYS_wait4, pid, &status, __WALL, NULL) == -EINTR)
		;
	if (strncmp(text, "error ", 6) == 0)
		memmove(text, text + 6, strlen(text + 6) + 1);
	return strncmp(text, "ready ", 6) == 0 ? 0 : -1;
}

void start_after_fork(void)
{
	starting = 0;
}

int start_host(void)
{
	char text[512];
	uint64_t signals;
	int saved = errno, r;

	sys_hold_signals(&signals);
	while (__atomic_exchange_n(&starting, 1, __ATOMIC_ACQUIRE))
		sys(SYS_sched_yield, 0);
	r = start_locked(text, sizeof(text));
	__atomic_store_n(&starting, 0, __ATOMIC_RELEASE);
	sys_release_signals(&signals);
	if (r != 0)
		client_say("cannot start the stack host", text, "its sockets fail with ENETDOWN");
	errno = saved;
	return r;
}
