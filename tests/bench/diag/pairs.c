/*
 * Opens TCP sockets in a network namespace of its own, then runs a command there.
 *
 *	pairs SOCKETS COMMAND [ARG...]
 *
 * The sockets are the two ends of connections over loopback, held by as many processes as the
 * limit on open files demands. Its exit status is the command's.
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* One address and listening port a process: ports run out before descriptors do. */
#define PAIRS_MOST 9000

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void open_pairs(long n, uint32_t process)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + process) };
	socklen_t len = sizeof(at);
	int l = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(l, (void *)&at, sizeof(at)) || getsockname(l, (void *)&at, &len) || listen(l, 128))
		fail("pairs: listen");
	while (n--) {
		int c = socket(AF_INET, SOCK_STREAM, 0);

		if (connect(c, (void *)&at, sizeof(at)))
			fail("pairs: connect");
		if (accept(l, NULL, NULL) < 0)
			fail("pairs: accept");
	}
}

static long pairs_a_process(void)
{
	struct rlimit lim;

	getrlimit(RLIMIT_NOFILE, &lim);
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
	return lim.rlim_cur / 2 - 16 < PAIRS_MOST ? (long)lim.rlim_cur / 2 - 16 : PAIRS_MOST;
}

int main(int argc, char **argv)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int ready[2], fd, status;
	uint32_t processes = 0;
	long left, most;
	pid_t command;
	char byte;

	if (argc < 3) {
		fputs("usage: pairs SOCKETS COMMAND [ARG...]\n", stderr);
		return 2;
	}
	if (unshare(CLONE_NEWNET))
		fail("pairs: a network namespace");
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (ioctl(fd, SIOCSIFFLAGS, &ifr) || pipe(ready))
		fail("pairs");
	most = pairs_a_process();
	for (left = atol(argv[1]) / 2; left > 0; left -= most) {
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			open_pairs(left < most ? left : most, processes);
			if (write(ready[1], "", 1) != 1)
				_exit(1);
			for (;;)
				pause();
		}
		processes++;
	}
	close(ready[1]);
	for (uint32_t i = 0; i < processes; i++)
		if (read(ready[0], &byte, 1) != 1) {
			fputs("pairs: a process could not open its sockets\n", stderr);
			return 1;
		}
	command = fork();
	if (command == 0) {
		execvp(argv[2], argv + 2);
		fail(argv[2]);
	}
	waitpid(command, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
