/* report.h - calls on a set of descriptors of each kind, and lines that say how each call turned out. */
#ifndef TESTS_PRELOAD_PROGS_REPORT_H
#define TESTS_PRELOAD_PROGS_REPORT_H

#include "prog.h"

#include <sys/epoll.h>
#include <sys/syscall.h>

#define SENTINEL 4242

static const char *current;		/* the name under which the call is made */
static const char *step;
static int here[2];			/* a connected pair */
static int pipes[2];
static int file;			/* a file of eight bytes */
enum { gone = 400 };			/* never open */

/* Descriptors come as numbers, which must be the same too. errno must be as it was, after success. */
static inline void report(const char *what, long r)
{
	int e = errno;

	if (r >= 0)
		printf("%s %s %s = %ld%s\n", current, step, what, r, e == SENTINEL ? "" : " and errno was changed");
	else
		printf("%s %s %s = %ld, errno %d\n", current, step, what, r, e);
}

#define DO(what, call) do { errno = SENTINEL; long r_ = (long)(call); report(what, r_); } while (0)

/* What is to be received, sent where no rule sees it. */
static inline void put(int fd, const char *text)
{
	CHECK(by_hand(SYS_write, fd, (long)text, (long)strlen(text)) == (long)strlen(text));
}

/* Takes out what a use has left. */
static inline void drain(int fd)
{
	char buf[4096];

	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
}

static inline void fresh(void)
{
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, here) == 0 && pipe(pipes) == 0);
	file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	if (file < 0)
		file = open("/proc/self/comm", O_RDWR);
	CHECK(file >= 0);
	CHECK(pwrite(file, "12345678", 8, 0) == 8);
}

static inline void stale(void)
{
	close(here[0]);
	close(here[1]);
	close(pipes[0]);
	close(pipes[1]);
	close(file);
}

/* A connection to a listener, that its maker has given up. */
static inline void connect_to(int l)
{
	struct sockaddr_in a;
	socklen_t n = sizeof(a);
	int s = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(getsockname(l, (struct sockaddr *)&a, &n) == 0);
	CHECK(connect(s, (struct sockaddr *)&a, sizeof(a)) == 0);
	close(s);
}

static inline int epoll_of(int fd)
{
	struct epoll_event e = { .events = EPOLLOUT };
	int ep = epoll_create1(0);

	CHECK(ep >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == 0);
	return ep;
}

#endif
