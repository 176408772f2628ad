/* log.h - transcripts: what calls return, in a form that is the same for the same behaviour. Ports that were chosen for us
 * and times are not shown. */
#ifndef TESTS_DIFF_LOG_H
#define TESTS_DIFF_LOG_H

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
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ADDR(p) ((struct sockaddr *)(p))
#define UNUSED __attribute__((unused))

/* Prints a call's text and what it returned. Returns the same. */
UNUSED static long log_result(const char *what, long r)
{
	int saved = errno;

	if (r < 0)
		printf("%s = -1 %s\n", what, strerrorname_np(errno));
	else
		printf("%s = %ld\n", what, r);
	fflush(stdout);
	errno = saved;
	return r;
}

/* The same, for a descriptor whose number is of no interest. */
UNUSED static int log_fd(const char *what, int fd)
{
	log_result(what, fd < 0 ? -1 : 0);
	return fd;
}

#define DO(call) log_result(#call, (long)(call))
#define FD(call) log_fd(#call, (call))

UNUSED static void log_events(const char *what, int events)
{
	static const struct { int bit; const char *name; } names[] = {
		{ POLLIN, "IN" }, { POLLPRI, "PRI" }, { POLLOUT, "OUT" }, { POLLERR, "ERR" }, { POLLHUP, "HUP" },
		{ POLLRDHUP, "RDHUP" }, { POLLNVAL, "NVAL" }, { POLLRDNORM, "RDNORM" }, { POLLWRNORM, "WRNORM" },
	};

	printf("%s:", what);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (events & names[i].bit)
			printf(" %s", names[i].name);
	printf("\n");
	fflush(stdout);
}

/* What poll says now, once `wanted` has come (or two seconds are over). */
UNUSED static int log_poll(const char *what, int fd, int wanted)
{
	struct pollfd p = { fd, (short)(POLLIN | POLLPRI | POLLOUT | POLLRDHUP), 0 };

	for (int i = 0; i < 1000; i++) {
		p.revents = 0;
		poll(&p, 1, 0);
		if ((p.revents & wanted) == wanted)
			break;
		usleep(2000);
	}
	log_events(what, p.revents);
	return p.revents;
}
#define POLL(fd, wanted) log_poll("poll(" #fd ")", fd, wanted)

/* An address; its port as it is if it is one of those given, else "any" or "0". */
UNUSED static void log_addr(const char *what, const struct sockaddr *a, socklen_t len, int known)
{
	char text[INET6_ADDRSTRLEN] = "?";
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} u;
	int port = -1;

	memset(&u, 0, sizeof(u));
	memcpy(&u, a, len < sizeof(u) ? len : sizeof(u));
	if (len >= sizeof(u.in) && u.sa.sa_family == AF_INET) {
		inet_ntop(AF_INET, &u.in.sin_addr, text, sizeof(text));
		port = ntohs(u.in.sin_port);
	} else if (len >= sizeof(u.in6) && u.sa.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &u.in6.sin6_addr, text, sizeof(text));
		port = ntohs(u.in6.sin6_port);
	}
	printf("%s: %s port %s, %u bytes\n", what, text, port == 0 ? "0" : port == known ? "known" : port < 0 ? "?" : "any", len);
	fflush(stdout);
}

UNUSED static void log_name(const char *what, int fd, bool peer, int known)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int r;

	memset(&ss, 0, sizeof(ss));
	r = peer ? getpeername(fd, ADDR(&ss), &len) : getsockname(fd, ADDR(&ss), &len);
	if (r < 0)
		log_result(what, r);
	else
		log_addr(what, ADDR(&ss), len, known);
}

UNUSED static struct sockaddr_in in4(const char *text, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	inet_pton(AF_INET, text, &a.sin_addr);
	return a;
}

UNUSED static struct sockaddr_in6 in6(const char *text, int port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };

	inet_pton(AF_INET6, text, &a.sin6_addr);
	return a;
}

UNUSED static int port_of(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	memset(&ss, 0, sizeof(ss));
	getsockname(fd, ADDR(&ss), &len);
	return ntohs(((struct sockaddr_in *)&ss)->sin_port);
}

UNUSED static int option_of(int fd, int level, int option)
{
	int v = -1;
	socklen_t len = sizeof(v);

	return getsockopt(fd, level, option, &v, &len) < 0 ? -1 : v;
}
#define SO_ERROR_OF(fd) printf("SO_ERROR(" #fd ") = %s\n", error_name(option_of(fd, SOL_SOCKET, SO_ERROR)))

UNUSED static const char *error_name(int err)
{
	return err < 0 ? "?" : err ? strerrorname_np(err) : "0";
}

/* A port that nobody listens on, and that no socket is given by connecting: it would be connected to itself. */
UNUSED static int closed_port(void)
{
	struct sockaddr_in a = in4("127.0.0.1", 4711);
	int fd = socket(AF_INET, SOCK_STREAM, 0), port;

	while (bind(fd, ADDR(&a), sizeof(a)) < 0)
		a.sin_port = htons((uint16_t)(ntohs(a.sin_port) + 1));
	port = port_of(fd);
	close(fd);
	return port;
}

UNUSED static int listener(int backlog)
{
	struct sockaddr_in a = in4("127.0.0.1", 0);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(fd, ADDR(&a), sizeof(a)) < 0 || listen(fd, backlog) < 0)
		perror("listener");
	return fd;
}

UNUSED static int connect_to(int port)
{
	struct sockaddr_in a = in4("127.0.0.1", port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(fd, ADDR(&a), sizeof(a)) < 0)
		perror("connect_to");
	return fd;
}

/* A connection: s[0] has connected, s[1] was accepted. */
UNUSED static void connection(int s[2])
{
	int l = listener(5);

	s[0] = connect_to(port_of(l));
	s[1] = accept(l, NULL, NULL);
	close(l);
}

/* Waits until so many bytes can be read. */
UNUSED static void wait_bytes(int fd, int n)
{
	int have = 0;

	for (int i = 0; i < 1000 && (ioctl(fd, FIONREAD, &have) < 0 || have < n); i++)
		usleep(2000);
}

UNUSED static void nonblocking(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

UNUSED static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

#endif
