/* Becoming a process of its own. */
#include "host/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 600 };

static int by_number(const void *a, const void *b)
{
	return *(const int *)a < *(const int *)b ? -1 : *(const int *)a > *(const int *)b;
}

void daemon_close_others(int *keep, size_t n)
{
	unsigned from = 3;

	qsort(keep, n, sizeof(*keep), by_number);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < (int)from)
			continue;
		if (keep[i] > (int)from)
			close_range(from, (unsigned)keep[i] - 1, 0);
		from = (unsigned)keep[i] + 1;
	}
	close_range(from, ~0u, 0);
}

void daemon_raise_limits(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

/* What was ignored or blocked in whoever started us is not meant for us. */
static void reset_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int wait_for_line(int fd, int status_fd)
{
	char line[LINE_MAX_BYTES + 1];
	size_t n = 0;
	ssize_t r;

	while (n < LINE_MAX_BYTES && (r = read(fd, line + n, LINE_MAX_BYTES - n)) != 0) {
		if (r < 0 && errno != EINTR)
			break;
		n += r > 0 ? (size_t)r : 0;
	}
	line[n] = '\0';
	if (!n)
		n = (size_t)snprintf(line, sizeof(line), "error the stack host ended before it was ready\n");
	if (status_fd >= 0 && write(status_fd, line, n) < 0)
		return 1;
	if (!strncmp(line, "ready ", 6))
		return 0;
	fprintf(stderr, "sockshim-stackd: %s", !strncmp(line, "error ", 6) ? line + 6 : line);
	return 1;
}

int daemon_start(int status_fd, int *status)
{
	int fds[2], code;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		close(fds[0]);
		if (status_fd >= 0)
			close(status_fd);
		*status = fds[1];
		setsid();
		reset_signals();
		return 0;
	}
	close(fds[1]);
	code = wait_for_line(fds[0], status_fd);
	_exit(code);
}

void daemon_report(int status, const char *word, const char *text)
{
	char line[LINE_MAX_BYTES];
	int n = snprintf(line, sizeof(line) - 1, "%s %.560s\n", word, text);

	if (status < 0)
		return;
	if (write(status, line, (size_t)n) < 0)
		return;	/* whoever started us has gone: we are there all the same */
	close(status);
}

int daemon_detach(const char *log)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int err = log ? open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : null;
	int rc = null < 0 || err < 0 ? -errno : 0;

	if (!rc && (dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(err, 2) < 0 || chdir("/") < 0))
		rc = -errno;
	if (err > 2 && err != null)
		close(err);
	if (null > 2)
		close(null);
	return rc;
}
