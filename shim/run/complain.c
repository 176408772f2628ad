/* complain.c - what the library has to say on standard error. */
#include "run/complain.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "run/sys.h"

static struct stat at_start;
static bool was_open, sandboxed;

void run_complain_start(void)
{
	was_open = sys(SYS_fstat, 2, &at_start) == 0;
}

void run_complain_in_sandbox(void)
{
	sandboxed = true;
}

/* Whether descriptor 2 is standard error. A program that is its standard error's owner may have put another log there; one
 * that has closed it may have got the number for a file or a socket of its own. */
static bool is_standard_error(void)
{
	socklen_t len = sizeof(int);
	struct stat now;
	int domain = 0;

	if (!was_open || sys(SYS_fstat, 2, &now) != 0)
		return false;
	/* Who started it for a connection (inetd) has the peer for a reader. */
	if (S_ISSOCK(now.st_mode) && (sys(SYS_getsockopt, 2, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0 ||
				      domain != AF_UNIX))
		return false;
	if (now.st_dev == at_start.st_dev && now.st_ino == at_start.st_ino)
		return true;
	if (S_ISREG(now.st_mode))
		return sys(SYS_fcntl, 2, F_GETFL, 0) & O_APPEND;
	return S_ISFIFO(now.st_mode) || S_ISCHR(now.st_mode);
}

static bool has_room(int wait_ms)
{
	struct timespec ts = { wait_ms / 1000, wait_ms % 1000 * 1000000 };
	struct pollfd p = { 2, POLLOUT, 0 };

	return sys(SYS_ppoll, &p, 1, &ts, NULL, 8) == 1 && p.revents == POLLOUT;
}

/* The signal that a write has raised, if there was none before. */
static void take_back(int signo, uint64_t before)
{
	const struct timespec zero = { 0 };
	uint64_t set = 1ull << (signo - 1);

	if (!(before & set))
		sys(SYS_rt_sigtimedwait, &set, NULL, &zero, 8);
}

bool run_write(int fd, const char *text, size_t n)
{
	uint64_t held, pending = 0;
	long r;

	if (sandboxed)
		return sys(SYS_write, fd, text, n) == (long)n;
	sys_hold_signals(&held);
	sys(SYS_rt_sigpending, &pending, 8);
	r = sys(SYS_write, fd, text, n);
	if (r == -EPIPE)
		take_back(SIGPIPE, pending);
	else if (r == -EFBIG)
		take_back(SIGXFSZ, pending);
	sys_release_signals(&held);
	return r == (long)n;
}

bool run_complain(const char *text, size_t n, int wait_ms)
{
	return (sandboxed || (is_standard_error() && has_room(wait_ms))) && run_write(2, text, n);
}
