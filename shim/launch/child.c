/* child.c - runs the program and stands between it and whoever started us.
 *
 * The program stays in our process group, on our terminal. So what the terminal sends (^C, ^\, a
 * hang-up) reaches it without us; only signals that another process sent to us are passed on. The kernel
 * tells them apart: those it makes itself have si_code > 0.
 */
#include "launch/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const int forwarded[] = {
	SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGPIPE, SIGIO,
	SIGPWR, SIGURG, SIGWINCH, SIGCONT,
};

/* Blocks what the signalfd is for; the mask before goes to c->before. */
static int take_signals(struct child *c)
{
	struct sigaction usual = { .sa_handler = SIG_DFL };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
		sigaddset(&set, forwarded[i]);
	sigaddset(&set, SIGCHLD);
	sigaction(SIGCHLD, &usual, NULL);	/* ignored, it would take the exit status from us */
	if (sigprocmask(SIG_BLOCK, &set, &c->before) < 0)
		return -errno;
	c->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return c->signals < 0 ? -errno : 0;
}

static void set_env(const struct child_env *env)
{
	static const char *const runs_own[] = {
		"SOCKSHIM_RULES", "SOCKSHIM_FAULTS", "SOCKSHIM_SEED", "SOCKSHIM_TRACE", "SOCKSHIM_BACKTRACE", "SOCKSHIM_TIMES",
	};
	const char *before = getenv("LD_PRELOAD");
	size_t n = strlen(env->library);
	char *value;

	/* What they say of a plain preload, the run's control block says here. */
	for (size_t i = 0; i < sizeof(runs_own) / sizeof(runs_own[0]); i++)
		unsetenv(runs_own[i]);
	setenv("SOCKSHIM_RUN", env->run, 1);
	if (env->stack) {
		setenv("SOCKSHIM_STACK", env->stack, 1);
		setenv("SOCKSHIM_ONLY", env->only, 1);
		setenv("SOCKSHIM_EXCEPT", env->except, 1);
	}
	if (!before || !before[0])
		setenv("LD_PRELOAD", env->library, 1);
	else if (strncmp(before, env->library, n) != 0 || (before[n] && before[n] != ':' && before[n] != ' '))
		if (asprintf(&value, "%s:%s", env->library, before) >= 0)
			setenv("LD_PRELOAD", value, 1);
}

static void exec_program(const struct child *c, char *const argv[], const struct child_env *env,
			 int was_chld, int report)
{
	int err;

	set_env(env);
	signal(SIGCHLD, was_chld ? SIG_IGN : SIG_DFL);
	sigprocmask(SIG_SETMASK, &c->before, NULL);
	execvp(argv[0], argv);
	err = errno;
	if (write(report, &err, sizeof(err)) < 0)
		err = ENOEXEC;
	_exit(127);
}

int child_start(struct child *c, char *const argv[], const struct child_env *env)
{
	struct sigaction chld;
	int report[2], err = 0, rc;

	memset(c, 0, sizeof(*c));
	c->signals = -1;
	sigaction(SIGCHLD, NULL, &chld);
	rc = take_signals(c);
	if (rc < 0)
		return -rc;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (pipe2(report, O_CLOEXEC) < 0)
		return errno;
	fflush(NULL);
	c->pid = fork();
	if (c->pid < 0)
		return errno;
	if (c->pid == 0)
		exec_program(c, argv, env, chld.sa_handler == SIG_IGN, report[1]);
	close(report[1]);
	while (read(report[0], &err, sizeof(err)) < 0 && errno == EINTR)
		;
	close(report[0]);
	if (err)
		waitpid(c->pid, &c->status, 0);
	return err;
}

static void reap(struct child *c)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == c->pid) {
			c->status = status;
			c->ended = true;
		}
	}
	if (pid < 0 && errno == ECHILD)
		c->none_left = true;
}

static void handle_signals(struct child *c)
{
	struct signalfd_siginfo info;

	while (read(c->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		int signo = (int)info.ssi_signo;

		if (signo == SIGCHLD || info.ssi_code > 0)
			continue;
		/* Once the program has ended, --wait must still be to be stopped. */
		if (!c->ended) {
			kill(c->pid, signo);
		} else if (signo == SIGTERM || signo == SIGINT || signo == SIGHUP || signo == SIGQUIT) {
			c->none_left = true;
		}
	}
	reap(c);
}

bool child_wait(struct child *c, bool all, int timeout_ms, int fd)
{
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (;;) {
		struct pollfd fds[2] = { { c->signals, POLLIN, 0 }, { fd, POLLIN, 0 } };
		long left = timeout_ms;

		reap(c);
		if (c->ended && (!all || c->none_left))
			return true;
		if (timeout_ms >= 0) {
			clock_gettime(CLOCK_MONOTONIC, &now);
			left -= (now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000;
			if (left <= 0 && timeout_ms > 0)
				return false;
		}
		if (poll(fds, fd < 0 ? 1 : 2, (int)left) > 0) {
			if (fds[0].revents)
				handle_signals(c);
			if (fds[1].revents && fd >= 0)
				return c->ended && (!all || c->none_left);
		}
		if (timeout_ms == 0)
			return c->ended && (!all || c->none_left);
	}
}

void child_pass_on(const struct child *c)
{
	struct rlimit none = { 0, 0 };
	sigset_t set;

	if (WIFEXITED(c->status))
		exit(WEXITSTATUS(c->status));
	fflush(NULL);
	setrlimit(RLIMIT_CORE, &none);	/* the program has left one; ours would write over it */
	signal(WTERMSIG(c->status), SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, WTERMSIG(c->status));
	kill(getpid(), WTERMSIG(c->status));
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	_exit(128 + WTERMSIG(c->status));
}

void child_free(struct child *c)
{
	if (c->signals >= 0)
		close(c->signals);
	c->signals = -1;
}
