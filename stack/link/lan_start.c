/*
 * Starting the switch of a lan: a process that keeps nothing of the one that forked it but the two descriptors it
 * needs. It is no child of anybody's, and belongs to no terminal.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "link/lan_hub.h"

enum { DIR_FD = 3, LISTEN_FD = 4, FILES = 2048 };

static void default_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The two descriptors to where they are expected, and everything else closed. */
static bool keep_only(const struct lan_hub_config *c)
{
	int dirfd = fcntl(c->dirfd, F_DUPFD_CLOEXEC, LISTEN_FD + 1);
	int listen_fd = fcntl(c->listen_fd, F_DUPFD_CLOEXEC, LISTEN_FD + 1);
	int null = open("/dev/null", O_RDWR);

	if (dirfd < 0 || listen_fd < 0 || null < 0)
		return false;
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	dup3(dirfd, DIR_FD, O_CLOEXEC);
	dup3(listen_fd, LISTEN_FD, O_CLOEXEC);
	return close_range(LISTEN_FD + 1, ~0u, 0) == 0;
}

static void be_the_switch(const struct lan_hub_config *c)
{
	struct lan_hub_config own = *c;
	struct rlimit files;

	default_signals();
	if (!keep_only(c) || chdir("/") < 0)
		_exit(1);
	prctl(PR_SET_NAME, "sockshim-lan");
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < FILES) {
		files.rlim_cur = files.rlim_max < FILES ? files.rlim_max : FILES;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	own.dirfd = DIR_FD;
	own.listen_fd = LISTEN_FD;
	_exit(lan_hub_run(&own) ? 1 : 0);
}

int lan_hub_start(const struct lan_hub_config *c)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		if (setsid() < 0)
			_exit(1);
		pid = fork();
		if (pid == 0)
			be_the_switch(c);
		_exit(pid < 0);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status ? -EAGAIN : 0;
}
