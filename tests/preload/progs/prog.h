/* prog.h - what the child programs share: scenarios by name, checks that end the program, loopback sockets. */
#ifndef TESTS_PRELOAD_PROGS_PROG_H
#define TESTS_PRELOAD_PROGS_PROG_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROG_SECONDS 15

/* Ends the program with status 99, which no scenario exits with. */
#define CHECK(x) \
	do { \
		if (!(x)) { \
			dprintf(2, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #x, errno); \
			_exit(99); \
		} \
	} while (0)

struct scenario {
	const char *name;
	void (*run)(int argc, char **argv);
};

/* main of a program: runs the scenario that is named first. A hang ends by SIGALRM. */
static inline int prog_main(const struct scenario *s, int argc, char **argv)
{
	alarm(PROG_SECONDS);
	setvbuf(stdout, NULL, _IOLBF, 4096);
	for (; argc > 1 && s->name; s++)
		if (strcmp(s->name, argv[1]) == 0) {
			s->run(argc - 1, argv + 1);
			return 0;
		}
	fprintf(stderr, "no such scenario\n");
	return 127;
}

#define PROG(...) \
	static const struct scenario scenarios[] = { __VA_ARGS__, { NULL, NULL } }; \
	int main(int argc, char **argv) { return prog_main(scenarios, argc, argv); }

static inline struct sockaddr_in loopback(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((unsigned short)port) };

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

/* A listener on a port of the kernel's choice, whose address goes to *a. */
static inline int listener(struct sockaddr_in *a)
{
	socklen_t n = sizeof(*a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*a = loopback(0);
	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)a, sizeof(*a)) == 0 && listen(fd, 64) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)a, &n) == 0);
	return fd;
}

/* The address of a port at which nobody listens: bound, so that nobody else gets it. */
static inline int refused(struct sockaddr_in *a)
{
	socklen_t n = sizeof(*a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*a = loopback(0);
	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)a, sizeof(*a)) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)a, &n) == 0);
	return fd;
}

/* A TCP connection to ourselves: fd[0] connected, fd[1] accepted. */
static inline void tcp_pair(int fd[2])
{
	struct sockaddr_in a;
	int l = listener(&a);

	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(fd[0] >= 0 && connect(fd[0], (struct sockaddr *)&a, sizeof(a)) == 0);
	fd[1] = accept(l, NULL, NULL);
	CHECK(fd[1] >= 0);
	close(l);
}

/* Waits until fd is ready for `events`. */
static inline void await(int fd, short events)
{
	struct pollfd p = { fd, events, 0 };

	CHECK(poll(&p, 1, 10000) == 1);
}

/* Waits for a child that must exit with 0. */
static inline void reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		CHECK(errno == EINTR);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* A system call made without libc. */
static inline long by_hand(long nr, long a, long b, long c)
{
	long r;

	__asm__ volatile("syscall" : "=a"(r) : "a"(nr), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return r;
}

#endif
